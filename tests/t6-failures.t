#!/bin/bash
# Servers that are not there, do not answer, or die: what the client gets, to the byte.
. "${0%/*}/lib.sh"

GET='GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
exact() { raw "$@" >"$TMP/answer"; printf %s "$ALL_DOWN" | cmp -s - "$TMP/answer" || { od -c "$TMP/answer" | head -n 8 | sed 's/^/# /'; return 1; }; }

is "${#ALL_DOWN}" 57 "the answer when all servers are down has 57 bytes"

# --- nothing was ever up ---
new_port P1
new_port P2
start_lb @ "$P1" "$P2"
ok "never up: exactly these bytes, in the first moment" exact "$GET"
ok "again" exact "$GET"
ok "and for a PUT with a body" exact 'PUT /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello'
ok "and for HTTP/1.0" exact 'GET / HTTP/1.0\r\n\r\n'
req /
is "$CODE $CURL" "500 0" "curl understands it"
req -T "$LB" /big
is "$CODE" 500 "an upload meets it too"
line=$(load -n 200 -c 10 --expect 500)
like "$line" '"ok":200,"failed":0' "200 times, on kept connections"

# --- they come up, one is killed, both are ---
start_backend S1 --port "$P1"
start_backend S2 --port "$P2"
ok "a server that comes up is found within 2 s" wait_for 2 eval 'req /; [ "$CODE" = 200 ]'
found() { load -n 10 --path /count | grep -q '"S1":.*"S2":\|"S2":.*"S1":'; }
ok "so is the second" wait_for 3 found
kill_backend S1
line=$(load -n 50 --close --strict)
like "$line" '"ok":50,"failed":0.*"backend":\{"S2":50\}' "one just killed: nothing is lost"
kill_backend S2
ok "both just killed, no probe has run: the bytes" exact "$GET"
ok "again" exact "$GET"
restart_backend S1
ok "one is back" wait_for 2 eval 'req /; [ "$CODE" = 200 ]'
# kept connections to a server that dies
load -n 100 -c 10 >"$TMP/null"
kill_backend S1
ok "killed with kept connections to it: the bytes" exact "$GET"
stop_lb

# --- a unix socket ---
start_lb @ "unix:$TMP/u.sock"
ok "unix socket that is not there: the bytes" exact "$GET"
start_backend U1 --unix "$TMP/u.sock"
ok "it appears" wait_for 2 eval 'req /hi; [ "$CODE" = 200 ]'
is "$BODY" "U1 GET /hi" "and is served through"
line=$(load -n 500 -c 8 --mix --strict)
like "$line" '"ok":500,"failed":0' "500 mixed requests over the unix socket"
kill_backend U1
ok "killed: the bytes" exact "$GET"
stop_lb

# --- silent servers ---
start_backend Q1 --silent
start_lb @ "$Q1"
start=$(_now_ms)
ok "accepts, and never answers: the bytes" exact -t 9000 "$GET"
took=$(($(_now_ms) - start))
between $took 4900 6500 "after 5 s ($took ms)"
stop_lb

start_backend Q2 --health silent
start_lb @ "$Q2"
ok "a server whose probe stays silent is down, after the probe's time" wait_for 5 eval 'req /; [ "$CODE" = 500 ]'
ok "and is not used" exact "$GET"
stop_lb

new_port PORT
start_backend Q3
start_conf <<EOC
workers 2
error-status 500
pool app {
    balance least-connections
    check load /healthcheck every 60s
    answer-timeout 300ms
    server q1 127.0.0.1:$Q1
    server q3 127.0.0.1:$Q3
}
listen web {
    bind 127.0.0.1:$PORT
    to app
}
EOC
line=$(load -n 40 -c 4 --timeout 5000)
diag "$line"
between "$(field 500 "$line")" 1 4 "the first to meet a silent server get 500"
is "$(($(field ok "$line") + $(field 500 "$line"))) $(field Q1 "$line")" "40 0" "it is down then: the others are served"
stop_lb

# --- servers that die in the middle, misbehave, or say nonsense ---
start_backend D1
new_port COPY
new_port SPLICE
PORT=$COPY
start_conf <<EOC
workers 2
pool app {
    check http /healthcheck every 1s down-every 100ms
    server d1 127.0.0.1:$D1
}
listen copy {
    bind 127.0.0.1:$COPY
    splice off
    to app
}
listen splice {
    bind 127.0.0.1:$SPLICE
    splice on
    to app
}
EOC
up() { req /up; [ "$CODE" = 200 ]; }
for mode in copy splice; do
	[ $mode = copy ] && PORT=$COPY || PORT=$SPLICE
	for size in 1000 3000000; do
		wait_for 5 up
		req /die-mid/$size
		is "$CURL $(wc -c <"$TMP/body")" "18 $((size / 2))" "$mode: dies after half of $size: what came is passed on, then a cut"
		wait_for 5 up
		req /die-mid-chunked/$size
		is "$CURL" 18 "$mode: dies in the middle of chunks: a cut, no last chunk"
		wait_for 5 up
		raw "GET /die-mid-reset/$size HTTP/1.1\r\nHost: x\r\n\r\n" -q >"$TMP/sum"
		ok "$mode: resets in the middle: no more than came" [ "$(cut -d' ' -f2 "$TMP/sum")" -le $((size / 2 + 200)) ]
	done
	wait_for 5 up
	req --http1.0 /die-mid-chunked/1000
	ok "$mode: HTTP/1.0 client of a cut chunked answer is not told a good end" [ "$CURL" != 0 ]
	wait_for 5 up
	out=$(raw 'POST /reset HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi' -t 3000)
	like "$out" '^HTTP/1.1 502 ' "$mode: a reset before an answer to a POST: 502, tried once"
	wait_for 5 up
	for what in empty reset; do
		out=$(raw "GET /$what HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" -t 3000)
		like "$out" '^HTTP/1.1 50[23] ' "$mode: /$what on the only server: 502 or 503"
		wait_for 5 up
	done
	for text in 'SSH-2.0-OpenSSH%0d%0a' 'HTTP/1.1%20200%20OK%0d%0aContent-Length:%203%0d%0aContent-Length:%204%0d%0a%0d%0aabcd' \
	    'HTTP/1.1%20200%20OK%0d%0aTransfer-Encoding:%20chunked%0d%0aContent-Length:%203%0d%0a%0d%0aabc' \
	    'HTTP/1.1%20999999%20OK%0d%0a%0d%0a' 'HTTP/1.1%20200%20OK%0d%0aBad%20Name:%20x%0d%0a%0d%0a' \
	    'HTTP/1.1%20200%20OK%0d%0aContent-Length:%20-1%0d%0a%0d%0a' 'HTTP/2.0%20200%20OK%0d%0a%0d%0a'; do
		wait_for 5 up
		out=$(raw "GET /rawclose/$text HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" -t 3000)
		like "$out" '^HTTP/1.1 502 ' "$mode: 502 instead of: $text"
	done
	wait_for 5 up
	req "/bytes/10?extra=HTTP/1.1%20200%20OK%0d%0aContent-Length:%206%0d%0a%0d%0apoison"
	is "$CODE" 200 "$mode: an answer with bytes behind its end"
	line=$(load -n 50 -c 2 --mix --strict)
	like "$line" '"ok":50,"failed":0' "$mode: nobody else gets those bytes"
	out=$(raw 'GET /raw/HTTP/1.1%20200%20OK%0d%0aTransfer-Encoding:%20chunked%0d%0a%0d%0a5%0d%0ahello%0d%0azz%0d%0a HTTP/1.1\r\nHost: x\r\n\r\n' -t 3000)
	rc=$?
	ok "$mode: bad chunk sizes in an answer: cut" [ $rc = 0 -o $rc = 4 ]
	ok "$mode: and no last chunk is made up" eval '! grep -q "^0" <<<"$out"'
	wait_for 5 up
done

# --- nothing is replayed that must not be ---
stop_lb
start_backend R1 --log "$TMP/r1.log"
start_backend R2 --log "$TMP/r2.log"
start_lb -R 100000 @ "$R1" "$R2"
req /up
is "$CODE" 200 "two servers up"
posts() { cat "$TMP"/r?.log | grep -c '^POST /reset'; }
raw 'POST /reset HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi' -t 9000 >"$TMP/answer"
is "$(posts)" 1 "a POST that a server took and dropped is not sent again"
ok "the client gets the 57 bytes" eval 'printf %s "$ALL_DOWN" | cmp -s - "$TMP/answer"'
wait_for 3 up
wait_for 3 eval 'load -n 10 --path /x | grep -q "R1.*R2\|R2.*R1"'
raw 'GET /reset HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' -t 9000 >"$TMP/answer"
# once more where a kept connection was reset: it may have been closed before
between "$(cat "$TMP"/r?.log | grep -c '^GET /reset')" 2 4 "a GET is tried on every server"
finish
