#!/bin/bash
# hitch before the balancer: it ends TLS and tells by PROXY version 2 whose connection it is. curl as the client.
. "${0%/*}/lib.sh"
PATH=$PATH:/usr/sbin
command -v hitch >/dev/null || skip_all "no hitch"
command -v openssl >/dev/null || skip_all "no openssl"

start_backend B1
start_backend B2
start_backend E1 --tcp echo
"$TESTBIN/pattern" 3000000 3 >"$TMP/big"
for name in HTTP TCP TLS TLS_TCP; do new_port "$name"; done
PORT=$HTTP
start_conf <<EOC
workers 2
pool app {
    check load every 1s
    server b1 127.0.0.1:$B1
    server b2 127.0.0.1:$B2
}
pool echo {
    send-proxy v1
    server e1 127.0.0.1:$E1
}
listen http {
    bind 127.0.0.1:$HTTP
    accept-proxy v2
    forwarded-proto set
    forwarded set
    to app
}
listen tcp {
    bind 127.0.0.1:$TCP
    accept-proxy v2
    mode tcp
    to echo
}
EOC

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=site.test" \
	-addext "subjectAltName=DNS:site.test" -keyout "$TMP/key" -out "$TMP/pem" 2>"$TMP/openssl.log" || { cat "$TMP/openssl.log"; exit 1; }
cat "$TMP/key" "$TMP/pem" >"$TMP/both"
# start_hitch VAR BACKEND-PORT: on port $VAR
start_hitch() {
	cat >"$TMP/hitch.$1" <<EOC
frontend = { host = "127.0.0.1" port = "${!1}" }
backend = "[127.0.0.1]:$2"
pem-file = "$TMP/both"
write-proxy-v2 = on
workers = 1
backlog = 1024
daemon = off
EOC
	[ "$(id -u)" != 0 ] || printf 'user = "nobody"\n' >>"$TMP/hitch.$1"
	hitch --config "$TMP/hitch.$1" >"$TMP/hitch.$1.out" 2>&1 8>&- &
	BACKEND_PIDS+=($!)
	disown
	wait_for 10 listening "${!1}" || { cat "$TMP/hitch.$1.out"; exit 1; }
}
start_hitch TLS "$HTTP"
start_hitch TLS_TCP "$TCP"

visit() { curl -sSk --max-time 20 "${@:1:$#-1}" "https://127.0.0.1:$TLS${!#}"; }
told() { tr -d '\r' | sed -n "s/^$1: //p" | xargs; }
visit /headers >"$TMP/head"
is "$(told X-Forwarded-For <"$TMP/head")" 127.0.0.1 "the server is told of the client behind hitch"
is "$(visit --interface 127.0.0.7 /headers | told X-Forwarded-For)" 127.0.0.7 "and of another one"
is "$(curl -sSk --max-time 20 --interface 127.0.0.8 --cacert "$TMP/pem" --resolve "site.test:$TLS:127.0.0.1" "https://site.test:$TLS/headers" | told X-Forwarded-For)" \
	127.0.0.8 "with the certificate checked"
is "$(told X-Forwarded-Proto <"$TMP/head") $(told Forwarded <"$TMP/head" | grep -o 'proto=https')" "https proto=https" "and that it came over TLS"
visit -T "$TMP/big" /echo >"$TMP/got"
ok "3 MB there and back" cmp -s "$TMP/got" "$TMP/big"
for ((i = 0; i < 100; i++)); do echo "url = https://127.0.0.1:$TLS/plain?$i"; echo 'output = /dev/null'; done >"$TMP/urls"
out=$(curl -sSk --max-time 60 -w '%{http_code} %{num_connects}\n' -K "$TMP/urls" 2>&1 | sort | uniq -c | xargs)
is "$out" "99 200 0 1 200 1" "100 requests on one kept TLS connection"
pids=()
for ((i = 0; i < 20; i++)); do
	curl -sSk --max-time 60 --interface "127.0.0.$((i + 10))" "https://127.0.0.1:$TLS/headers" | told X-Forwarded-For >"$TMP/told.$i" &
	pids+=($!)
done
wait "${pids[@]}"
is "$(sort -u "$TMP"/told.* | wc -l)" 20 "20 clients at a time, each told of by its own address"
{ echo hello; wait_for 10 grep -q hello "$TMP/echoed"; } | timeout 20 openssl s_client -quiet -no_ign_eof -connect "127.0.0.1:$TLS_TCP" >"$TMP/echoed" 2>/dev/null
like "$(tr -d '\r' <"$TMP/echoed")" "^PROXY TCP4 127.0.0.1 127.0.0.1 [0-9]+ $TLS_TCP"$'\nhello$' "mode tcp: version 2 comes in, version 1 goes out, of the same client"
is "$(curl -sk --max-time 5 "http://127.0.0.1:$HTTP/" -o /dev/null -w '%{http_code}')" 000 "who comes to the balancer without hitch is turned away"
finish
