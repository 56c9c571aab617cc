#!/bin/bash
# The PROXY protocol: accepted on a listener, required there, sent to the servers of a pool; in both modes, kept
# over a reload; nginx as a server that wants it.
. "${0%/*}/lib.sh"
PATH=$PATH:/usr/sbin
command -v nginx >/dev/null || skip_all "no nginx"

V2='\r\n\r\n\x00\r\nQUIT\n'
V2_FROM=$V2'\x21\x11\x00\x0c\xc0\x00\x02\x09\xc6\x33\x64\x07\x15\xb3\x00\x50'		# 192.0.2.9 5555, 198.51.100.7 80
V2_FROM6=$V2'\x21\x21\x00\x24\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x09\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07\x15\xb3\x00\x50'
V2_LOCAL=$V2'\x20\x00\x00\x00'
V2_TLV=$V2'\x21\x11\x00\x1a\xc0\x00\x02\x09\xc6\x33\x64\x07\x15\xb3\x00\x50\x04\x00\x03abc\x20\x00\x05\x01\x00\x00\x00\x00'
V1_FROM='PROXY TCP4 192.0.2.9 198.51.100.7 5555 80\r\n'
GET='GET /headers HTTP/1.1\r\nHost: x\r\n\r\n'
LAST='GET /headers HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'

# Whom the server was told: the values of X-Forwarded-For in the heads that it echoed.
told() { tr -d '\r' | sed -n 's/^[Xx]-[Ff]orwarded-[Ff]or: //p' | xargs; }

start_backend B1 --log "$TMP/requests"
start_backend E1 --tcp echo
mkdir -p "$TMP/nginx"
new_port N1
new_port N2
cat >"$TMP/nginx/conf" <<EOC
daemon off;
master_process off;
worker_processes 1;
pid $TMP/nginx/pid;
error_log $TMP/nginx/error;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path $TMP/nginx/a; proxy_temp_path $TMP/nginx/b; fastcgi_temp_path $TMP/nginx/c;
    uwsgi_temp_path $TMP/nginx/d; scgi_temp_path $TMP/nginx/e;
    server {
        listen 127.0.0.1:$N1 proxy_protocol;
        listen 127.0.0.1:$N2;
        location / { return 200 "\$proxy_protocol_addr \$proxy_protocol_port \$proxy_protocol_server_addr \$proxy_protocol_server_port \$connection\n"; }
        location /healthcheck { return 200 "0\n0\n"; }
    }
}
EOC
chmod 777 "$TMP/nginx"
nginx -p "$TMP/nginx" -c "$TMP/nginx/conf" >"$TMP/nginx/out" 2>&1 8>&- &
BACKEND_PIDS+=($!)
disown
wait_for 10 listening "$N1" || { cat "$TMP/nginx/out" "$TMP/nginx/error"; exit 1; }

for name in V1 V2_PORT ANY OFF FROM TCP TCP1 TCP2 HTTP1 HTTP2 SECOND; do new_port "$name"; done
conf() {
	cat <<EOC
workers 2
pool app {
    check load every 500ms
    server b1 127.0.0.1:$B1
}
pool echo {
    server e1 127.0.0.1:$E1
}
pool echo1 {
    send-proxy v1
    server e1 127.0.0.1:$E1
}
pool echo2 {
    send-proxy v2
    server e1 127.0.0.1:$E1
}
pool nginx1 {
    check load every 500ms
    send-proxy v1
    server n1 127.0.0.1:$N1
}
pool nginx2 {
    check load every 500ms
    send-proxy v2
    server n1 127.0.0.1:$N1
}
pool chain {
    check load every 500ms
    send-proxy v2
    server second 127.0.0.1:$SECOND
}
listen off {
    bind 127.0.0.1:$OFF
    head-timeout $1
    to chain
}
listen second {
    bind 127.0.0.1:$SECOND
    accept-proxy v2
    forwarded-for off
    to app
}
$(entry v1 "$V1" http v1 app)
$(entry v2 "$V2_PORT" http v2 app)
$(entry any "$ANY" http any app | sed 's/700ms/20s/')
$(entry tcp "$TCP" tcp any echo)
$(entry tcp1 "$TCP1" tcp any echo1)
$(entry tcp2 "$TCP2" tcp off echo2)
$(entry http1 "$HTTP1" http any nginx1)
$(entry http2 "$HTTP2" http any nginx2)
listen from {
    bind 127.0.0.1:$FROM
    accept-proxy any
    proxy-from 127.0.0.2/31 fd00::/8
    to app
}
listen unix {
    bind unix:$TMP/socket
    mode tcp
    to echo1
}
EOC
}
# entry NAME PORT MODE VERSION POOL
entry() { printf 'listen %s {\n    bind 127.0.0.1:%d\n    mode %s\n    accept-proxy %s\n    head-timeout 700ms\n    to %s\n}\n' "$@"; }
PORT=$OFF
start_conf < <(conf 700ms)

# --- accepted ---

PORT=$V1
is "$(raw "$V1_FROM$LAST" | told)" 192.0.2.9 "v1: the server is told of the client"
is "$(raw -1 "$V1_FROM$LAST" | told)" 192.0.2.9 "v1, byte by byte"
is "$(raw "$V1_FROM" -p 50 "$LAST" | told)" 192.0.2.9 "v1, and the request later"
is "$(raw "${V1_FROM}$GET$GET$LAST" | told)" "192.0.2.9 192.0.2.9 192.0.2.9" "all requests of the connection"
is "$(raw "PROXY TCP6 2001:db8::9 2001:db8::7 5555 80\r\n$LAST" | told)" 2001:db8::9 "v1, IPv6"
is "$(raw "PROXY UNKNOWN\r\n$LAST" | told)" 127.0.0.1 "UNKNOWN: the proxy's own address stays"
req --haproxy-protocol /headers
is "$CODE $(told <<<"$BODY")" "200 127.0.0.1" "curl speaks v1"
is "$(raw "$V2_FROM$LAST" -t 2000 | wc -c)" 0 "v2 where only v1 is allowed: closed"
for bad in 'PROXY TCP4 192.0.2.9 198.51.100.7 5555\r\n' 'PROXY TCP4 192.0.2.9 198.51.100.7 5555 80\n' 'PROXY TCP9 1 2 3 4\r\n' "PROXY TCP4 192.0.2.999 198.51.100.7 5555 80\r\n" ''; do
	out=$(raw "$bad$LAST" -t 3000)
	rc=$?
	ok "refused: \"$bad\"" [ "$rc" != 3 -a -z "$out" ]
done
is "$(raw "PROXY TCP4 192.0.2.9" -t 5000 | wc -c)" 0 "a header that does not come to its end: closed after head-timeout"
raw "PROXY TCP4 192.0.2.9" -t 5000 >"$TMP/null"
ok "by the balancer" [ $? = 0 ]
raw -t 5000 >"$TMP/null"
ok "no byte at all: closed too" [ $? = 0 ]
is "$(raw "$V1_FROM" -t 5000 | wc -c)" 0 "a header and no request: closed without a word"

PORT=$V2_PORT
is "$(raw "$V2_FROM$LAST" | told)" 192.0.2.9 "v2: the server is told of the client"
is "$(raw -1 "$V2_FROM$LAST" | told)" 192.0.2.9 "v2, byte by byte"
is "$(raw "$V2_FROM6$LAST" | told)" 2001:db8::9 "v2, IPv6"
is "$(raw "$V2_TLV$LAST" | told)" 192.0.2.9 "v2, with TLVs"
is "$(raw "$V2_LOCAL$LAST" | told)" 127.0.0.1 "LOCAL: the proxy's own address stays"
is "$(raw "$V1_FROM$LAST" -t 2000 | wc -c)" 0 "v1 where only v2 is allowed: closed"
is "$(raw "$LAST" -t 2000 | wc -c)" 0 "no header: closed"
is "$(raw "${V2}\x21\x11\xff\xff" -t 2000 | wc -c)" 0 "one that is too long: closed"

PORT=$ANY
is "$(raw "$V2_FROM$LAST" | told) $(raw "$V1_FROM$LAST" | told)" "192.0.2.9 192.0.2.9" "any: both versions"
is "$(raw "$LAST" -t 2000 | wc -c)" 0 "but not none"

PORT=$FROM
req --haproxy-protocol --interface 127.0.0.3 /headers
is "$CODE $(told <<<"$BODY")" "200 127.0.0.3" "proxy-from: one of these"
req --haproxy-protocol --interface 127.0.0.4 /headers
is "$CODE" 000 "and one of others"
is "$(raw "$V1_FROM$LAST" -t 3000 | wc -c)" 0 "who is closed"

PORT=$OFF
like "$(raw "$V1_FROM$LAST")" '^HTTP/1.1 400 ' "where none is accepted it is a bad request"

PORT=$TCP
is "$(raw "${V1_FROM}hello" -w hello -s)" hello "mode tcp: the header is taken off"
is "$(raw -1 "${V2_FROM}hello" -w hello -s)" hello "mode tcp: v2, byte by byte"
is "$(raw hello -s -t 3000)" "" "mode tcp: none"

# --- sent ---

PORT=$TCP1
is "$(raw "${V1_FROM}hello" -w hello -s)" $'PROXY TCP4 192.0.2.9 198.51.100.7 5555 80\r\nhello' "both addresses go on to the server"
is "$(raw "${V2_FROM6}hello" -w hello -s)" $'PROXY TCP6 2001:db8::9 2001:db8::7 5555 80\r\nhello' "v2 becomes v1"
like "$(raw "${V2_LOCAL}hello" -w hello -s)" "^PROXY TCP4 127.0.0.1 127.0.0.1 [0-9]+ $PORT"$'\r\nhello$' "LOCAL: the connection's own"
PORT=$TCP2
is "$(raw -w QUIT hello -w hello -s | od -An -v -t x1 | tr -d ' \n' | sed 's/\(7f0000017f000001\)..../\1PORT/')" \
	"0d0a0d0a000d0a515549540a2111000c7f0000017f000001PORT$(printf %04x "$PORT")68656c6c6f" "v2, before the client has said anything"
"$TESTBIN/pattern" 3000000 5 >"$TMP/big"
is "$(raw -f "$TMP/big" -s | tail -c 3000000 | cksum)" "$(cksum <"$TMP/big")" "3 MB behind it"
is "$("$TESTBIN/raw" "unix:$TMP/socket" hello -w hello -s)" $'PROXY UNKNOWN\r\nhello' "a client without an address"

PORT=$HTTP1
is "$(raw "${V1_FROM}$LAST" | tail -n 1 | cut -d' ' -f1-4)" "192.0.2.9 5555 198.51.100.7 80" "nginx takes v1; its probes, too"
PORT=$HTTP2
is "$(raw "${V1_FROM}$LAST" | tail -n 1 | cut -d' ' -f1-4)" "192.0.2.9 5555 198.51.100.7 80" "and v2"
is "$(raw "${V2_FROM6}$LAST" | tail -n 1 | cut -d' ' -f1-4)" "2001:db8::9 5555 2001:db8::7 80" "IPv6"
serials() { grep '^[0-9.]* [0-9]* ' | cut -d' ' -f5 | sort | uniq -c | sort -rn | awk '{ print $1 }' | xargs; }
raw "$V1_FROM$GET" -w '\n198' -p 50 >"$TMP/null"
is "$({ raw "$V1_FROM$GET" -p 100 "$GET" -p 100 "$GET" -p 100 "$LAST"; raw "$V1_FROM$GET" -p 100 "$LAST"; raw "$V1_FROM$LAST"; } | tr -d '\r' | serials)" "4 2 1" \
	"a client's connection has its own to the server, kept for its requests and for nobody else's"
n=$(for ((i = 0; i < 20; i++)); do raw "PROXY TCP4 192.0.2.$i 198.51.100.7 $((1000 + i)) 80\r\n$LAST" | tail -n 1 | cut -d' ' -f1,2; done | sort -u | wc -l)
is "$n" 20 "20 clients, each under its own address"

# --- through both: every server connection of one is a client connection of the other ---

PORT=$OFF
req /headers
is "$(told <<<"$BODY")" "127.0.0.1" "a chain of two"
line=$(load -n 1500 -c 16 --mix --strict)
like "$line" '"ok":1500,"failed":0' "1500 mixed requests through it"
line=$(load -n 300 -c 8 --close --strict)
like "$line" '"ok":300,"failed":0' "300 on connections of their own"
worker_fds() { count_fds $(workers); }
ok "no connection is kept for a client that has gone" wait_for 5 eval '[ "$(ss -Htn state established "( dport = :$SECOND )" | wc -l)" -le 2 ]'

# --- a reload ---

PORT=$ANY
old=$(workers | xargs)
conf 600ms >"$LB_CONF"
{ raw "${V1_FROM}GET /headers?idle HTTP/1.1\r\nHost: x\r\n\r\n" -p 2500 "$LAST"; echo; } >"$TMP/idle" &
pid=$!
wait_for 5 grep -q "/headers?idle" "$TMP/requests"	# answered: the reload meets the connection idle
# Two more, of which nothing has come yet, and half a header.
raw -p 2000 "$V1_FROM$LAST" >"$TMP/silent" &
silent=$!
raw "${V1_FROM:0:20}" -p 2000 "${V1_FROM:20}$LAST" >"$TMP/half" &
half=$!
ok "connections stand" wait_for 5 eval '[ "$(ss -Htn state established "( sport = :$ANY )" | wc -l)" -ge 3 ]'
kill -HUP "$LB_PID"
ok "new workers" wait_for 5 eval '[ "$(workers | xargs)" != "$old" ]'
wait $pid
wait $silent
is "$(told <"$TMP/silent")" 192.0.2.9 "one that had sent nothing sends its header to a new worker"
wait $half
is "$(told <"$TMP/half")" 192.0.2.9 "one that had sent half of it sends the rest to the old one"
is "$(told <"$TMP/idle")" "192.0.2.9 192.0.2.9" "an idle connection comes to a new worker, and its client's address with it"
is "$(raw "$V2_FROM$LAST" | told)" 192.0.2.9 "new ones as before"
finish
