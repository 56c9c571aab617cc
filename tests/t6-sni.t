#!/bin/bash
# mode tcp: TLS goes to the pool that serves the name its client asks for, unopened. nginx as the sites, curl as
# clients, and hellos in pieces.
. "${0%/*}/lib.sh"
PATH=$PATH:/usr/sbin
command -v nginx >/dev/null || skip_all "no nginx"
command -v openssl >/dev/null || skip_all "no openssl"

mkdir -p "$TMP/tls/www"
"$TESTBIN/pattern" 3000000 9 >"$TMP/tls/www/big"
for site in a b c; do
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$site.test" \
		-addext "subjectAltName=DNS:$site.test,DNS:*.$site.test" -keyout "$TMP/tls/$site.key" -out "$TMP/tls/$site.pem" 2>"$TMP/tls/log" ||
		{ cat "$TMP/tls/log"; exit 1; }
done
for name in SITE_A SITE_B SITE_C NAMES STRICT COPY PROXIED PROXY_A; do new_port "$name"; done
site() {	# PORT NAME [LISTEN-OPTION]
	cat <<EOC
    server {
        listen 127.0.0.1:$1 ssl $3;
        ssl_certificate $TMP/tls/$2.pem;
        ssl_certificate_key $TMP/tls/$2.key;
        root $TMP/tls/www;
        location = / { return 200 "site $2, \$ssl_server_name \$proxy_protocol_addr\n"; }
    }
EOC
}
cat >"$TMP/tls/conf" <<EOC
daemon off;
master_process off;
worker_processes 1;
pid $TMP/tls/pid;
error_log $TMP/tls/error;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path $TMP/tls/t1; proxy_temp_path $TMP/tls/t2; fastcgi_temp_path $TMP/tls/t3;
    uwsgi_temp_path $TMP/tls/t4; scgi_temp_path $TMP/tls/t5;
$(site "$SITE_A" a; site "$SITE_B" b; site "$SITE_C" c; site "$PROXY_A" a proxy_protocol)
}
EOC
chmod 777 "$TMP/tls"
chmod -R a+rX "$TMP/tls"
nginx -p "$TMP/tls" -c "$TMP/tls/conf" >"$TMP/tls/out" 2>&1 8>&- &
BACKEND_PIDS+=($!)
disown
wait_for 10 listening "$SITE_A" || { cat "$TMP/tls/out" "$TMP/tls/error"; exit 1; }
start_backend PLAIN --tcp echo

PORT=$NAMES
names='    route sni a.test to a
    route sni www.b.test to b
    route sni *.b.test to b
    head-timeout 2s
    mode tcp'
start_conf <<EOC
workers 2
pool a {
    server a 127.0.0.1:$SITE_A
}
pool b {
    server b 127.0.0.1:$SITE_B
}
pool c {
    server c 127.0.0.1:$SITE_C
}
pool plain {
    server plain 127.0.0.1:$PLAIN
}
pool proxied {
    send-proxy v2
    server a 127.0.0.1:$PROXY_A
}
listen names {
    bind 127.0.0.1:$NAMES
$names
    to c
}
listen strict {
    bind 127.0.0.1:$STRICT
$names
    no-sni refuse
    to c
}
listen copy {
    bind 127.0.0.1:$COPY
$names
    splice off
    to plain
}
listen proxied {
    bind 127.0.0.1:$PROXIED
    accept-proxy any
    mode tcp
    route sni a.test to proxied
    to plain
}
EOC

# visit NAME CERTIFICATE [CURL-ARG...]: the site that answers, its certificate checked
visit() { curl -sS --max-time 10 --cacert "$TMP/tls/$2.pem" --resolve "$1:$PORT:127.0.0.1" "${@:3}" "https://$1:$PORT/" 2>&1; }

for PORT in $NAMES $STRICT $COPY; do
	is "$(visit a.test a)" "site a, a.test " "a.test comes to a, with a's certificate"
	is "$(visit www.b.test b)" "site b, www.b.test " "www.b.test to b"
	is "$(visit x.b.test b)" "site b, x.b.test " "by the wildcard"
	is "$(visit WWW.B.Test b)" "site b, www.b.test " "whatever its case"
	is "$(visit a.test a --tlsv1.2 --tls-max 1.2)" "site a, a.test " "TLS 1.2"
	curl -sS --max-time 20 --cacert "$TMP/tls/a.pem" --resolve "a.test:$PORT:127.0.0.1" -o "$TMP/got" "https://a.test:$PORT/big"
	ok "3 MB" cmp -s "$TMP/got" "$TMP/tls/www/big"
done
PORT=$NAMES
is "$(visit c.test c)" "site c, c.test " "another name: the listener's own pool"
is "$(visit b.test b -k)" "site c, b.test " "a wildcard is not for the name without its label"
is "$(curl -sSk --max-time 10 "https://127.0.0.1:$PORT/")" "site c,  " "no name: the listener's own pool"
PORT=$STRICT
is "$(visit c.test c)" "site c, c.test " "no-sni refuse: another name"
curl -sk --max-time 10 "https://127.0.0.1:$PORT/" >"$TMP/null"
ok "no name: closed" [ $? = 35 ]
is "$(raw 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n' -t 3000 | wc -c)" 0 "no TLS: closed"
raw -t 3000 >"$TMP/null"
ok "nothing at all: closed" [ $? = 0 ]
is "$(raw -s -t 3000 | wc -c)" 0 "nothing, and its end: closed"
PORT=$COPY
is "$(raw 'hello' -w hello -s)" hello "no TLS: to the listener's own pool, every byte"
is "$(raw '\x16\x03' -s)" $'\x16\x03' "the beginning of a hello, and its end: the same"
is "$(raw -s)" "" "nothing, and its end"
raw '\x16\x03\x01\x02\x00\x01\x00' -t 5000 >"$TMP/null"
ok "the beginning of a hello and silence: closed after head-timeout" [ $? = 0 ]
raw '\x16\x03\x01\x40\x00\x01\x00\x3f\x00' -f "$TMP/tls/www/big" -t 500 -k >"$TMP/null"
ok "the balancer lives on" kill -0 "$LB_PID"

# A hello that comes in pieces, as bytes and as records.
if command -v /usr/bin/python3 >/dev/null; then
	cat >"$TMP/pieces.py" <<'EOP'
import socket, ssl, sys, time
port, name, how, size = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
ctx = ssl.create_default_context()
ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
to, back = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = ctx.wrap_bio(to, back, server_hostname=name)
s = socket.create_connection(("127.0.0.1", port))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
first = True
def flush():
    global first
    data = back.read()
    if not data:
        return
    if first:
        if how == "records":
            m, data = data[5:], b""
            for i in range(0, len(m), size):
                part = m[i:i + size]
                data += b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part
            s.sendall(data)
        else:
            for i in range(0, len(data), size):
                s.sendall(data[i:i + size])
                time.sleep(0.0005)
        first = False
    else:
        s.sendall(data)
def run(step):
    while True:
        try:
            r = step()
            flush()
            return r
        except ssl.SSLWantReadError:
            flush()
            data = s.recv(65536)
            if not data:
                sys.exit("closed")
            to.write(data)
run(tls.do_handshake)
tls.write(b"GET / HTTP/1.0\r\nHost: " + name.encode() + b"\r\n\r\n")
flush()
out = b""
while b"\n" not in out.partition(b"\r\n\r\n")[2]:
    out += run(lambda: tls.read(65536))
print(out.partition(b"\r\n\r\n")[2].decode().strip())
EOP
	for PORT in $NAMES $COPY; do
		for how in "bytes 1" "bytes 7" "bytes 200" "records 1" "records 50" "records 300"; do
			is "$(/usr/bin/python3 "$TMP/pieces.py" "$PORT" x.b.test $how 2>&1)" "site b, x.b.test" "a hello in pieces: $how"
		done
	done
else
	skip "no /usr/bin/python3"
fi

# The PROXY header comes before the hello, and goes before it to the server.
PORT=$PROXIED
is "$(visit a.test a --haproxy-protocol --interface 127.0.0.2)" "site a, a.test 127.0.0.2" "PROXY in, name, PROXY out: nginx has the client's address"
is "$(raw "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nhello" -w hello -s)" hello "and without TLS the bytes behind the header"
finish
