#!/bin/bash
# abort-on-close: what a client asked for ends with the client, wherever it stands, and a place at a server is free again.
# Without it FIN says no more than that nothing else will be sent.
TEST_LIMIT=120
. "${0%/*}/lib.sh"

LBCTL=${LBCTL:-build/default/lbctl}
# of POOL FAMILY: of the pool, or of its only server
of() { "$LBCTL" -i "$LB_PID" metrics | sed -n "s/^loadbalancer_$2{pool=\"$1\"\(,server=\"s1\"\)\?} //p"; }
are() { [ "$(of "$1" "$2")" = "$3" ]; }
established() {
	local hex
	printf -v hex '%04X' "$1"
	grep -Ec "^ *[0-9]+: 0100007F:$hex [0-9A-F]+:[0-9A-F]+ 01 " /proc/net/tcp
}
request() { printf '%s %s HTTP/1.1\\r\\nHost: x\\r\\nX-Pool: %s\\r\\n%s\\r\\n' "${3:-GET}" "$1" "$2" "$4"; }
# left PORT ITEM...: says that and FIN, and waits for the end: what came, in how many ms
left() {
	local from
	from=$(_now_ms)
	GOT=$("$TESTBIN/raw" "$1" -t 8000 "${@:2}" -s | tr -d '\0')
	TOOK=$(($(_now_ms) - from))
}
ends() { logged=$(grep -a -- "$1" "$LOG" | tail -n 1) && [ -n "$logged" ]; }

start_full FULL
start_backend S1 --log "$TMP/s1.log"
start_backend S2 --log "$TMP/s2.log"
start_backend ECHO --tcp echo
new_port PORT; new_port OFF; new_port TCP

for custody in on off; do
	LOG=$TMP/access.$custody
	: >"$LOG"; chmod 666 "$LOG"
	start_conf <<E2
workers 2
custody $custody
access-log $LOG format "{request} | {status} {end} {pool}/{server}"
pool app {
	check none
	server s1 127.0.0.1:$S1
}
pool tight {
	check none
	queue-timeout 20s
	server s1 127.0.0.1:$S2 maxconn 1
}
pool full {
	check none
	connect-timeout 20s
	server s1 127.0.0.1:$FULL
}
pool hedged {
	check none
	hedge 20ms
	server s1 127.0.0.1:$S1
	server s2 127.0.0.1:$S2
}
pool echo {
	check none
	server s1 127.0.0.1:$ECHO
}
listen web {
	bind 127.0.0.1:$PORT
	abort-on-close on
	route header X-Pool tight to tight
	route header X-Pool full to full
	route header X-Pool hedged to hedged
	to app
}
listen patient {
	bind 127.0.0.1:$OFF
	to app
}
listen tcp {
	bind 127.0.0.1:$TCP
	mode tcp
	abort-on-close on
	to echo
}
E2
	left "$PORT" "$(request /delay/6000?wait app)" -p 100
	is "$GOT" "" "custody $custody: who leaves while a server works gets nothing"
	between "$TOOK" 0 3000 "at once"
	ok "the server has nothing of it in hand" wait_for 2 are app pool_in_flight 0
	ok "its connection is closed" wait_for 2 eval '[ "$(established "$S1")" = 0 ]'
	is "$(of app server_client_aborts_total)" 1 "it is counted"
	ok "and logged" wait_for 5 ends '?wait'
	is "${logged#*| }" "- CH app/s1" "as what the client did"
	left "$PORT" "$(request /delay/6000?before app)"
	between "$TOOK" 0 3000 "who has left before we looked, the same"

	left "$PORT" "$(request /first app)" -w /first "$(request /delay/6000?second app)" -p 100
	like "$GOT" 'GET /first' "a kept connection: its first request is answered"
	between "$TOOK" 0 3000 "the second one ends with the client"
	left "$PORT" "$(request /bytes/200?flow=50 app)" -w 200 -p 50 "$(request /delay/6000 app)" "$(request /delay/6000 app)" -p 100
	between "$TOOK" 0 3000 "those behind it too"
	left "$PORT" "$(request /silent?sse hedged)" -p 200
	between "$TOOK" 0 3000 "of two copies both"
	ok "neither is left" wait_for 2 eval '[ "$(established "$S1") $(established "$S2")" = "0 0" ]'
	left "$PORT" "$(request /digest app POST $'Content-Length: 10\\r\\n')12345" -p 100
	between "$TOOK" 0 3000 "half a body"
	left "$PORT" "$(request '/raw/HTTP/1.1%20200%20OK%0d%0aTransfer-Encoding:%20chunked%0d%0a%0d%0a5%0d%0ahello%0d%0a' app)" -w hello -p 100
	like "$GOT" hello "an answer that goes on and on reaches its client"
	between "$TOOK" 0 3000 "and ends with it"
	ok "on both sides" wait_for 2 eval '[ "$(established "$S1")" = 0 ]'

	left "$PORT" "$(request / full)" -p 100
	between "$TOOK" 0 3000 "while connecting"
	ok "that place is free, too" wait_for 2 are full pool_in_flight 0

	"$TESTBIN/raw" "$PORT" "$(request /delay/1500?first tight)" -w '?first' -k >/dev/null &
	first=$!
	ok "one has the only place" wait_for 3 are tight pool_in_flight 1
	"$TESTBIN/raw" "$PORT" "$(request /?third tight)" -p 1 -e "$TMP/third" -s >/dev/null & third=$!
	ok "one waits" wait_for 3 are tight pool_queue_requests 1
	"$TESTBIN/raw" "$PORT" "$(request /?last tight)" -w '?last' -k >"$TMP/last" & last=$!
	ok "two wait" wait_for 3 are tight pool_queue_requests 2
	: >"$TMP/third"
	ok "one leaves the line" wait_for 1 are tight pool_queue_requests 1
	wait $first $third $last
	rm "$TMP/third"
	like "$(< "$TMP/last")" '\?last' "who stays has his turn"
	is "$(grep -c '?third' "$TMP/s2.log")" 0 "nobody worked for who left"

	left "$TCP" hello -w hello more
	is "$GOT" "hellomore" "mode tcp: FIN is passed on, and the rest comes"
	left "$OFF" "$(request /delay/300?half app)" -p 50
	like "$GOT" '\?half' "off: who sends no more is answered"
	left "$OFF" "$(request /a app)$(request /b app)"
	like "$GOT" 'GET /a.*GET /b' "to the last request"

	like "$(load -n 3000 -c 8)" '"ok":3000,"failed":0' "clients that stay: kept connections"
	like "$(load -n 1000 -c 8 --close)" '"ok":1000,"failed":0' "and one for each request"
	wait_for 5 are app pool_in_flight 0
	sockets() { local p n=0; for p in $(workers); do n=$((n + $(find "/proc/$p/fd" -lname 'socket:*' | wc -l))); done; echo $n; }
	before=$(sockets) aborts=$(of app server_client_aborts_total) leaving=()
	for ((i = 0; i < 100; i++)); do "$TESTBIN/raw" "$PORT" "$(request /silent app)" -s >/dev/null & leaving+=($!); done
	wait "${leaving[@]}"
	ok "a hundred more that leave" wait_for 5 eval '[ "$(of app server_client_aborts_total)" -ge $((aborts + 90)) ]'
	ok "leave no descriptor behind" wait_for 5 eval '[ "$(sockets)" -le '"$before"' ]'
	stop_lb
done
finish
