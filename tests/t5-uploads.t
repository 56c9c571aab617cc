#!/bin/bash
# Uploads go to the new workers at a reload and at an upgrade, and requests that wait for an answer: no worker stays behind for
# them, the server gets every byte once, and the client its answer.
TEST_LIMIT=150
. "${0%/*}/lib.sh"

LBCTL=${LBCTL:-build/default/lbctl}
LOG=$TMP/access.log
pause() { read -r -t "$1" <> <(:); }	# the length of a measurement; never for readiness

start_backend B1 --log "$TMP/b1.log"
start_backend B2 --status 413
start_backend B3
start_backend B4
start_backend B5
for name in WEB COPY LIMITED PAIR; do new_port $name; done
PORT=$WEB
conf() {
	cat <<EOC
workers 2
control $TMP/ctl.sock
drain-timeout 60s
access-log $LOG format "{request} {status} {end} {bytes-in} {listener} {request-id}"
pool app {
    check load /healthcheck
    keepalive-max 0
    sticky cookie LB
    answer-timeout 2s
    server b1 127.0.0.1:$B1
}
pool slow {
    check none
    keepalive-max 0
    server s1 127.0.0.1:$B1
}
pool refusing {
    check none
    keepalive-max 0
    server r1 127.0.0.1:$B2
}
pool pair {
    check none
    keepalive-max 0
    balance first
    server p4 127.0.0.1:$B4 maxconn 100
    server p5 127.0.0.1:$B5
}
pool limited {
    check none
    keepalive-max 0
    queue-timeout 20s
    server l1 127.0.0.1:$B3 maxconn 1
}
listen web {
    bind 127.0.0.1:$WEB
    request-id on
    response-field set X-Id {request-id}
    response-field set X-Host {host}
    body-timeout 2s
    route path /delay/ to slow
    route path /early to refusing
    route path /early-keep to refusing
    to app
}
listen copy {
    bind 127.0.0.1:$COPY
    splice off
    to app
}
listen pair {
    bind 127.0.0.1:$PAIR
    to pair
}
listen limited {
    bind 127.0.0.1:$LIMITED
    to limited
}
EOC
}
start_conf < <(conf)
metric() { "$LBCTL" -i "$LB_PID" metrics | awk -v name="loadbalancer_$1" 'index($1, name) == 1 { n += $NF } END { print n + 0 }'; }
in_hand() { [ "$(metric pool_in_flight)" = "$1" ]; }
# sent COUNT BYTES: so many have sent so much to their server
sent() { [ "$("$LBCTL" -i "$LB_PID" --json show conns | grep -o '"bytes_to_server": [0-9]*' | awk -F: -v n="$2" '$2 >= n' | wc -l)" -ge "$1" ]; }
sockets() { local p n=0; for p in $(workers) "$LB_PID"; do n=$((n + $(find "/proc/$p/fd" -lname 'socket:*' 2>/dev/null | wc -l))); done; echo $n; }
pipes() { local p n=0; for p in $(workers) "$LB_PID"; do n=$((n + $(find "/proc/$p/fd" -lname 'pipe:*' 2>/dev/null | wc -l))); done; echo $n; }
generation=1
next() {	# SIGNAL SECONDS: until the generation before is gone
	generation=$((generation + 1))
	kill "-$1" "$LB_PID"
	wait_for 10 grep -q "generation $generation serves" "$LB_LOG" &&
	    wait_for "$2" grep -q "generation $((generation - 1)) is gone" "$LB_LOG"
}
SOON=2
sanitized && SOON=5
ok "nothing is under way: a reload" next HUP 5
wait_for 5 eval '[ "$(count_workers)" = 2 ]'
base_sockets=$(sockets) base_pipes=$(pipes)

# --- by length and in chunks, spliced and copied ---
: >"$TMP/b1.log"
before=$(metric server_responses_total) requests=$(metric requests_total) bytes=$(metric server_sent_bytes_total)
declare -A of
for kind in web copy; do
	port=${kind^^}
	"$TESTBIN/load" "127.0.0.1:${!port}" --only digest --exact --size 2400000 --slow 4000 -c 6 -n 6 --strict >"$TMP/$kind.length" &
	of[$kind.length]=$!
	"$TESTBIN/load" "127.0.0.1:${!port}" --only echo-chunked --exact --size 800000 --slow 1500 -c 6 -n 6 --strict >"$TMP/$kind.chunked" &
	of[$kind.chunked]=$!
done
ok "24 uploads are under way" wait_for 5 in_hand 24
ok "too much has been sent of each to be kept" wait_for 5 sent 24 80000
ok "a reload leaves nothing of the old generation" next HUP $SOON
ok "nor does another one" next HUP $SOON
ok "nor does an upgrade" next USR2 $SOON
ok "they go on" wait_for 1 in_hand 24
for kind in web copy; do
	for how in length chunked; do
		ok "$kind, $how: an answer to each, of which every byte is right" wait "${of[$kind.$how]}"
		diag "$(<"$TMP/$kind.$how")"
	done
done
is "$(grep -c '^POST /digest .* body=2400000 ' "$TMP/b1.log") $(grep -c '^PUT /echo .* body=800000 ' "$TMP/b1.log")" "12 12" \
    "the server got each once, and whole"
is "$(grep -vc '^GET /healthcheck\|^POST /digest\|^PUT /echo' "$TMP/b1.log")" 0 "and nothing else"
is "$(($(metric server_responses_total) - before)) $(($(metric requests_total) - requests))" "24 24" "each is counted once"
between $(($(metric server_sent_bytes_total) - bytes)) 38400000 39000000 "bytes too"
ok "none is left" wait_for 5 in_hand 0
logged() { [ "$(wc -l <"$LOG")" -ge "$1" ]; }
wait_for 5 logged 24
is "$(grep -c '^POST /digest HTTP/1.1 200 -- 240[0-9]* ' "$LOG") $(grep -c '^PUT /echo HTTP/1.1 200 -- 8[0-9]* ' "$LOG")" "12 12" \
    "a line of the access log for each, with all of its bytes"

# --- to servers that read slowly: pipes and buffers are full when they move ---
"$TESTBIN/pattern" 20000000 >"$TMP/large"
sum=$(cksum <"$TMP/large")
clients=()
for kind in web copy; do
	port=${kind^^}
	curl -sS -H 'Expect:' --data-binary "@$TMP/large" -o "$TMP/$kind.length" "http://127.0.0.1:${!port}/digest?slowread=40000" & clients+=($!)
	curl -sS -H 'Expect:' -H 'Transfer-Encoding: chunked' --data-binary "@$TMP/large" -o "$TMP/$kind.chunked" \
	    "http://127.0.0.1:${!port}/digest?slowread=40000" & clients+=($!)
done
ok "four fast uploads to a slow server" wait_for 5 sent 4 2000000
held=$(pipes)
ok "move" next HUP $SOON
ok "go on" wait_for 5 sent 4 2000000
ok "and move again" next HUP $SOON
wait "${clients[@]}"
for kind in web copy; do
	is "$(<"$TMP/$kind.length") $(<"$TMP/$kind.chunked")" "$sum $sum" "$kind: every byte is there, once"
done
diag "pipes: $base_pipes at rest, $held before"

# --- what the answer wants of the request is there; the connection goes on ---
"$TESTBIN/pattern" 2000000 >"$TMP/body"
head -c 60000 "$TMP/body" >"$TMP/some"
head -c 200000 "$TMP/body" >"$TMP/more"
: >"$TMP/b1.log"
sum=$(cksum <"$TMP/body")
curl -sS --limit-rate 700k -D "$TMP/head" -H 'Host: www.example' -H 'Expect:' --data-binary "@$TMP/body" -o "$TMP/got" "http://127.0.0.1:$WEB/digest" \
    -o "$TMP/next" "http://127.0.0.1:$WEB/next" -w '%{num_connects}\n' >"$TMP/connects" &
client=$!
ok "an upload" wait_for 5 in_hand 1
ok "moves" next HUP $SOON
ok "and again" next HUP $SOON
ok "curl is content" wait $client
is "$(<"$TMP/got")" "$sum" "with the right answer"
like "$(tr '\n' ' ' <"$TMP/connects")" '^1 ' "on one connection"
like "$(<"$TMP/next")" 'POST /next' "on which the next request is answered"
id=$(sed -n 's/^X-Id: \([^\r]*\).*/\1/p' "$TMP/head" | head -n 1)
ok "its answer has the request's id" [ ${#id} = 32 ]
like "$(<"$TMP/head")" 'X-Host: www.example' "and its host"
like "$(<"$TMP/head")" 'et-Cookie: LB=' "and the cookie of its server"
wait_for 5 grep -qs "$id" "$LOG"
is "$(grep -c "^POST /digest .* web $id" "$LOG")" 1 "the log has the same id"

# --- 100-continue is on its way, or has come ---
"$TESTBIN/raw" "127.0.0.1:$WEB" -t 8000 'POST /digest HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2000000\r\nExpect: 100-continue\r\n\r\n' \
    -w '100 Continue\r\n\r\n' -e "$TMP/go" -f "$TMP/body" >"$TMP/expect" &
client=$!
ok "a client asks for 100" wait_for 5 in_hand 1
ok "it moves" next HUP $SOON
: >"$TMP/go"
ok "and sends its body" wait $client
like "$(<"$TMP/expect")" "200 OK.*$sum" "which arrives"

# --- the server answers early, or refuses ---
pad=$(printf 'x%.0s' {1..300})
"$TESTBIN/raw" "127.0.0.1:$WEB" -t 15000 "POST /early-keep?drip=1&pad=$pad HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" -l 20000 \
    -w 'HTTP/1.1 413' -f "$TMP/some" -e "$TMP/go-on" -f "$TMP/some" -w "xxx\n" -k >"$TMP/early" &
client=$!
early() { [ "$(metric server_responses_total)" -gt "$1" ]; }
responses=$(metric server_responses_total)
ok "an answer has begun before its request was sent" wait_for 8 early "$responses"
ok "both move" next HUP $SOON
: >"$TMP/go-on"
ok "the answer comes to its end" wait $client
like "$(<"$TMP/early")" "^HTTP/1.1 413 .*B2 POST /early-keep.drip=1&pad=$pad$" "whole"
curl -sS --limit-rate 300k -H 'Expect:' --data-binary "@$TMP/body" -o "$TMP/got" -w '%{http_code} %{size_upload}' \
    "http://127.0.0.1:$WEB/early?delay=1500" >"$TMP/early" 2>&1 &
client=$!
ok "another upload" wait_for 5 in_hand 1
ok "moves" next HUP $SOON
ok "and is refused by the server afterwards" wait $client
like "$(<"$TMP/early")" '^413 [1-9].....$' "which the client is told, and then sends no more"
ok "nothing is left of them" wait_for 5 in_hand 0

# --- the client leaves ---
aborts=$(metric server_client_aborts_total)
rm -f "$TMP/go"
clients=()
for how in -k -r; do
	"$TESTBIN/raw" "127.0.0.1:$COPY" -t 8000 'POST /digest HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n30d40\r\n' \
	    -f "$TMP/more" -e "$TMP/go" $how &
	clients+=($!)
done
ok "two more uploads" wait_for 5 in_hand 2
ok "with bodies that are not kept" wait_for 5 sent 2 200000
ok "move" next HUP $SOON
: >"$TMP/go"
wait "${clients[@]}"
ok "and are given up when their clients leave, by FIN or reset" wait_for 5 in_hand 0
is "$(($(metric server_client_aborts_total) - aborts))" 2 "which is counted"
is "$(ss -Htn state established "dport = :$B1" | wc -l)" 0 "the server's connections are closed"

# --- deadlines go on, they do not begin anew; answers that take their time ---
raw -t 8000 'POST /digest HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n' -f "$TMP/some" \
    >"$TMP/stalled" && _now_ms >"$TMP/stalled.at" &
stalled=$!
{ raw -t 8000 'POST /silent HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc' >"$TMP/silent"; _now_ms >"$TMP/silent.at"; } &
silent=$!
curl -sS -d abc -o "$TMP/got" -w '%{http_code}' "http://127.0.0.1:$WEB/delay/4000" >"$TMP/code" &
late=$!
ok "one that stalls, one without an answer, one with a late one" wait_for 5 in_hand 3
start=$(_now_ms)
pause 1.3	# most of their 2 s
ok "they move" next HUP $SOON
wait $stalled $silent
like "$(<"$TMP/stalled")" '^HTTP/1.1 408 ' "who stalls is told so"
between $(($(<"$TMP/stalled.at") - start)) 1700 2900 "after the time that there was"
like "$(<"$TMP/silent")" '^HTTP/1.1 504 ' "so is who waits"
between $(($(<"$TMP/silent.at") - start)) 1700 2900 "after the time that there was"
ok "the late answer comes" wait $late
is "$(<"$TMP/code")" 200 "in order"

# --- where there is a maxconn, their places stay taken ---
curl -sS -d abc -o "$TMP/got" -w '%{http_code}' "http://127.0.0.1:$LIMITED/delay/4000" >"$TMP/code" &
late=$!
ok "a request at a server with a maxconn of 1" wait_for 5 in_hand 1
curl -sS -d abc -o "$TMP/got" -w '%{http_code}' "http://127.0.0.1:$LIMITED/digest" >"$TMP/code2" &
waits=$!
ok "another one waits" wait_for 5 eval '[ "$(metric pool_queue_requests)" = 1 ]'
generation=$((generation + 1))
kill -HUP "$LB_PID"
ok "a reload" wait_for 5 grep -q "generation $generation serves" "$LB_LOG"
ok "after which nobody has its place" [ "$(metric pool_queue_requests)" = 1 ]
ok "both are answered" wait $late $waits
is "$(<"$TMP/code") $(<"$TMP/code2")" "200 200" "in order"
is "$(curl -sS "http://127.0.0.1:$B3/control/most")" 1 "there was never more than one"

# --- what could be sent again moves when it has waited for a while, and can be sent again from there ---
head -c 10000 "$TMP/body" >"$TMP/small"
head -c 20000 "$TMP/body" | cksum >"$TMP/small.sum"
head -c 20000 "$TMP/body" | tail -c 10000 >"$TMP/rest"
rm -f "$TMP/go" "$TMP/go-chunked"
curl -sS -o "$TMP/get" "http://127.0.0.1:$PAIR/delay/6000?late" -w '%{http_code}' >"$TMP/code" &
clients=($!)
"$TESTBIN/raw" "127.0.0.1:$PAIR" -t 15000 'PUT /digest HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 20000\r\n\r\n' -f "$TMP/small" \
    -e "$TMP/go" -f "$TMP/rest" >"$TMP/put" &
clients+=($!)
"$TESTBIN/raw" "127.0.0.1:$PAIR" -t 15000 'PUT /digest HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2710\r\n' \
    -f "$TMP/small" '\r\n2710\r\n' -e "$TMP/go" -f "$TMP/rest" '\r\n0\r\n\r\n' >"$TMP/chunked" &
clients+=($!)
ok "requests that could be sent again" wait_for 5 sent 2 10000
ok "move soon" next HUP 3
ok "again" next HUP 3
is "$(curl -sS "http://127.0.0.1:$B4/control/most") $(curl -sS "http://127.0.0.1:$B5/control/most")" "1 0" "one server has them"
kill_backend B4
: >"$TMP/go"
wait "${clients[@]}"
is "$(<"$TMP/code")" 200 "their server is killed: the one that waited is answered"
like "$(<"$TMP/get")" "B5 GET /delay/6000.late" "by another server"
like "$(<"$TMP/put")" "200 OK.*X-Backend: B5.*$(<"$TMP/small.sum")" "so is an upload, which has all of its bytes"
like "$(<"$TMP/chunked")" "200 OK.*X-Backend: B5.*$(<"$TMP/small.sum")" "and one in chunks"

# --- its listener is gone ---
rm -f "$TMP/go"
curl -sS --limit-rate 500k -H 'Expect:' --data-binary "@$TMP/body" -o "$TMP/got" -D "$TMP/head" "http://127.0.0.1:$COPY/digest" &
client=$!
ok "an upload" wait_for 5 sent 1 100000
conf | sed '/^listen copy/,/^}/d' >"$LB_CONF.new" && mv "$LB_CONF.new" "$LB_CONF"
ok "goes on without its listener" next HUP $SOON
ok "to its end" wait $client
is "$(<"$TMP/got")" "$sum" "and its answer"
like "$(<"$TMP/head")" 'onnection: close' "and its connection ends with it"

# --- nothing is left over ---
ok "nothing is in hand" wait_for 5 in_hand 0
ok "no socket is left over" wait_for 5 eval '[ "$(sockets)" -le $base_sockets ]'
diag "sockets $base_sockets, now $(sockets); pipes $base_pipes, now $(pipes)"
ok "nor a pipe that is not kept" [ "$(pipes)" -le $((base_pipes + 4 * 16)) ]
ok "no move was refused" eval '! grep -q "handed over is closed" "$LB_LOG"'
stop_lb
is "$LB_STATUS" 0 "it stops in order"
finish
