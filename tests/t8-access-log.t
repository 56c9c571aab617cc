#!/bin/bash
# The access log: a line for each request, with what it says of how that went; formats, and who ended it where.
TEST_LIMIT=120
. "${0%/*}/lib.sh"
LBCTL=$(realpath "${LBCTL:-build/default/lbctl}")
LOG=$TMP/ends.log
for s in combined extended json own; do :>"$TMP/$s.log"; done
chmod 666 "$TMP"/*.log

# logged FILE PATTERN: the lines that match, when there is one: LINE
logged() { LINE=; wait_for 5 grep -qs -- "$2" "$1"; LINE=$(grep -a -- "$2" "$1"); }
# ended TAG WANT TEXT: what the log of ends says of the request with the tag in its first line
ended() { logged "$LOG" "$1"; is "${LINE#* | }" "$2" "$3"; }
silently() { "$@" >/dev/null 2>&1; }
BG=()
later() { silently "$@" & BG+=($!); }
request() { printf 'GET %s HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' "$1"; }

start_backend B1
start_backend BT --tcp echo
new_port NOBODY; new_port PORT; new_port COMBINED; new_port EXTENDED; new_port JSON; new_port OWN
new_port TCP; new_port TCPDEAD; new_port MIXED; new_port PROXY
start_full FULL

timeouts="connect-timeout 300ms
	answer-timeout 300ms
	stall-timeout 300ms"
start_conf <<E2
workers 2
access-log $LOG format "{request} | {status} {end} {pool}/{server} {retries} {failure}"
pool app {
	check none
	server s1 127.0.0.1:$B1
}
$(for i in 1 2 3 4 5 6; do
	printf '%s\n' "pool e$i {" "	check none" "	retries 0" "	server s1 127.0.0.1:$B1"
	case $i in 2) echo "	$timeouts" ;; 4) echo "	stall-timeout 300ms" ;; esac
	echo "}"
done)
pool patient {
	check none
	server s1 127.0.0.1:$B1
}
pool dead {
	check none
	server d1 127.0.0.1:$NOBODY
}
pool deadtcp {
	check none
	server d1 127.0.0.1:$NOBODY
}
pool full {
	check none
	$timeouts
	server f1 127.0.0.1:$FULL
}
pool second {
	check none
	balance round-robin
	server d1 127.0.0.1:$NOBODY
	server s1 127.0.0.1:$B1
}
pool tight {
	check none
	queue 1
	queue-timeout 1500ms
	server m1 127.0.0.1:$B1 maxconn 1
}
pool roomy {
	check none
	server m1 127.0.0.1:$B1 maxconn 1
}
pool echo {
	check none
	server e1 127.0.0.1:$BT
}
listen web {
	bind 127.0.0.1:$PORT
	head-timeout 400ms
	body-timeout 300ms
	send-timeout 800ms
	max-body 1k
$(for i in 1 2 3 4 5 6; do echo "	route header X-Pool e$i to e$i"; done)
	route header X-Pool dead to dead
	route header X-Pool full to full
	route header X-Pool second to second
	route header X-Pool tight to tight
	route header X-Pool roomy to roomy
	route header X-Pool patient to patient
	route path /moved redirect 301 http://other/
	to app
}
listen combined {
	bind 127.0.0.1:$COMBINED
	access-log $TMP/combined.log
	to patient
}
listen extended {
	bind 127.0.0.1:$EXTENDED
	request-id on
	access-log $TMP/extended.log format extended
	route path /queue to roomy
	to patient
}
listen json {
	bind 127.0.0.1:$JSON
	access-log $TMP/json.log format json
	to patient
}
listen own {
	bind 127.0.0.1:$OWN
	access-log $TMP/own.log format "{method} {target} {version} {host} {field:X-Tag} {nth} {scheme} {reused} {worker} {client-port}"
	to patient
}
listen tcp {
	bind 127.0.0.1:$TCP
	mode tcp
	tunnel-timeout 1s
	to echo
}
listen mixed {
	bind 127.0.0.1:$MIXED
	mode tcp
	access-log $TMP/mixed.log format "{scheme} {server} {reused} {nth}"
	to patient
}
listen tcpdead {
	bind 127.0.0.1:$TCPDEAD
	mode tcp
	to deadtcp
}
listen proxied {
	bind 127.0.0.1:$PROXY
	accept-proxy v1
	head-timeout 400ms
	to app
}
E2

# --- each way to end, all at once: they only wait ---
later raw "$(request '/?fine')" -w '?fine' -k
later raw "$(request /moved?here)" -w Location -k
later raw 'GET /?bad\x01\xff HTTP/1.1\r\n\r\n'
later raw 'TRACE /?trace HTTP/1.1\r\nHost: x\r\n\r\n' -w 405 -k
later raw 'POST /?large HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n'
later raw "GET /?headed HTTP/1.1\r\nHost: x\r\nX: $(printf '%020000d' 0)\r\n\r\n"
later raw 'GET /?lateh HT'
later raw 'GET /?goneh HT' -p 100 -k
later raw "GET /?refused HTTP/1.1\r\nHost: x\r\nX-Pool: dead\r\n\r\n" -w 502 "GET /?none HTTP/1.1\r\nHost: x\r\nX-Pool: dead\r\n\r\n" -w 503 -k
later raw "GET /?full HTTP/1.1\r\nHost: x\r\nX-Pool: full\r\n\r\n" -w 504 -k
later raw "GET /?second HTTP/1.1\r\nHost: x\r\nX-Pool: second\r\n\r\n" -w '?second' -k
later raw "$(request /moved?1)" -w 301 "$(request /moved?2)" -w 301 '\r\n' -p 100 -k
later raw 'POST /echo?lateb HTTP/1.1\r\nHost: x\r\nX-Pool: patient\r\nContent-Length: 10\r\n\r\nab'
later raw "$(request /?before)" -w '?before' -p 50 'GET /delay/3000?gonea HTTP/1.1\r\nHost: x\r\nX-Pool: patient\r\n\r\n' -p 200 -r
later raw 'GET /bytes/9000000?goned HTTP/1.1\r\nHost: x\r\nX-Pool: patient\r\n\r\n' -l 100 -w 200 -r
later raw 'GET /bytes/50000000?lated HTTP/1.1\r\nHost: x\r\nX-Pool: patient\r\n\r\n' -l 1 -w 200 -p 2500
later raw 'GET /upgrade?tunnel HTTP/1.1\r\nHost: x\r\nX-Pool: patient\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n' -w 101 hello -w hello -s
ends() { later raw "GET $2 HTTP/1.1\r\nHost: x\r\nX-Pool: $1\r\nConnection: close\r\n\r\n"; }
ends e1 '/empty?s'
ends e2 '/silent?s'
ends e3 '/die-mid/100000?s'
ends e4 '/raw/HTTP/1.1%20200%20OK%0d%0aContent-Length:%209%0d%0a%0d%0aabc'
ends e5 '/rawclose/garbage%0d%0a'
ends e6 '/raw/HTTP/1.1%20200%20OK%0d%0aTransfer-Encoding:%20chunked%0d%0a%0d%0a5%0d%0ahello%0d%0azz%0d%0a'
# mode tcp, and connections without the header that is to come
on() { PORT=$1 later raw "${@:2}"; }
on "$TCP" hello -w hello -s
on "$TCP" hello -w hello -r
on "$TCP" hello -w hello -p 2000
on "$TCPDEAD" hello
on "$PROXY" -k
on "$PROXY" 'nonsense\r\n'
on "$PROXY" 'PROXY TCP4 ' -p 1000
wait "${BG[@]}"
ended '?fine' '200 -- app/s1 0 -' "in order: --"
ended '/moved?here' '301 LR -/- 0 -' "answered by a route: LR"
ended '/?bad' '400 PR -/- 0 -' "not a request: PR"
like "$LINE" '^GET /\?bad\\x01\\xFF HTTP/1.1 \| ' "... whose bytes are escaped"
ended '/?trace' '405 PR -/- 0 -' "a method that is not allowed: PR"
ended '/?large' '413 PR app/- 0 -' "a body that is too large: PR"
ended '/?headed' '431 PR -/- 0 -' "a head that is too large: PR"
ended '/?lateh' '408 cR -/- 0 -' "a head that does not come: cR"
ended '/?goneh' '- CR -/- 0 -' "a client that goes within it: CR"
ended '/?refused' '502 SC dead/d1 0 refused' "no connection: SC"
ended '/?none' '503 SC dead/- 0 -' "no server: SC"
ended '/?full' '504 sC full/f1 0 timeout' "no connection in time: sC"
ended '/?second' '200 -- second/s1 1 refused' "another server: a retry, and why"
is "$(grep -c '/moved?[12]' "$LOG") $(grep -c '^- | .* -/- ' "$LOG")" "2 0" "an empty line behind a request is none"
ended '/echo?lateb' '408 cH patient/s1 0 -' "a body that does not come: cH"
ended '/delay/3000?gonea' '- CH patient/s1 0 -' "a client that does not wait for the answer: CH"
ended '/bytes/9000000?goned' '200 CD patient/s1 0 -' "a client that goes in the middle: CD"
ended '/bytes/50000000?lated' '200 cD patient/s1 0 -' "one that takes nothing: cD"
ended '/upgrade?tunnel' '101 -- patient/s1 0 -' "a tunnel, at its end"

ended '/empty?s' '502 SH e1/s1 0 closed' "a server that closes without an answer: SH"
ended '/silent?s' '504 sH e2/s1 0 timeout' "one that does not answer: sH"
ended '/die-mid/100000?s' '200 SD e3/s1 0 -' "one that ends in the middle: SD"
ended 'Content-Length' '200 sD e4/s1 0 -' "one that stalls in the middle: sD"
ended '/rawclose/garbage' '502 PH e5/s1 0 -' "an answer that is none: PH"
ended 'Transfer-Encoding' '200 PD e6/s1 0 -' "chunks that are none: PD"
count() { grep -c -- "$1" "$LOG"; }
is "$(count '^- | - -- echo/e1 0 -$')" 1 "mode tcp: in order"
is "$(count '^- | - CD echo/')" 1 "... reset by the client"
is "$(count '^- | - cD echo/')" 1 "... idle for too long"
is "$(count '^- | - SC deadtcp/')" 1 "... without a server"
is "$(count '^nonsense | - PR -/-')" 1 "no PROXY header"
is "$(count '^PROXY TCP4  | - cR -/-')" 1 "... none in time"
is "$(count '^- | - .. -/-')" 0 "who connects and says nothing has no line"

# --- the queue ---
metric() { "$LBCTL" -i "$LB_PID" metrics | sed -n "s/^loadbalancer_$1{pool=\"tight\"[^}]*} //p"; }
shows() { [ "$(metric "$1")" = "$2" ]; }
tight() { later raw "GET $1 HTTP/1.1\\r\\nHost: x\\r\\nX-Pool: tight\\r\\n\\r\\n" "${@:2}"; }
tight '/delay/4000?holds' -w 200 -k
wait_for 5 shows server_in_flight 1
tight '/?waits'
wait_for 5 shows pool_queue_requests 1
silently raw 'GET /?more HTTP/1.1\r\nHost: x\r\nX-Pool: tight\r\n\r\n' -w 503 -k
ended '/?more' '503 PQ tight/- 0 -' "a queue that is full: PQ"
ended '/?waits' '503 sQ tight/- 0 -' "too long in it: sQ"
tight '/?leaves' -p 100 -r
ended '/?leaves' '- CQ tight/- 0 -' "a client that leaves it: CQ"

# --- formats ---
stamp='[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9:]{8} [+-][0-9]{4}'
curl -s -o /dev/null -A $'a"b\\c\td\xc3\xa9' -e http://from/ "http://127.0.0.1:$COMBINED/bytes/100?a=b%20c" --next -s -o /dev/null -d 12345 "http://127.0.0.1:$COMBINED/echo"
logged "$TMP/combined.log" '/bytes'
like "$LINE" "^127\.0\.0\.1 - - \[$stamp\] \"GET /bytes/100\?a=b%20c HTTP/1\.1\" 200 100 \"http://from/\" \"a\\\\x22b\\\\x5Cc\\\\x09d\\\\xC3\\\\xA9\"\$" "combined, with what comes from clients escaped"
logged "$TMP/combined.log" '/echo'
like "$LINE" "\"POST /echo HTTP/1\.1\" 200 5 \"-\" \"curl/[0-9.]*\"\$" "bytes of the body alone"

ms='[0-9]+\.[0-9]{3}'
PORT=$EXTENDED raw 'GET /delay/300?t HT' -p 300 'TP/1.1\r\nHost: x\r\n\r\n' -w 200 -k >/dev/null
logged "$TMP/extended.log" '/delay/300?t'
like "$LINE" "\"GET /delay/300\?t HTTP/1\.1\" 200 [0-9]+ \"-\" \"-\" extended patient/s1 head=$ms queue=0\.000 connect=$ms first=$ms total=$ms retries=0 why=only end=-- in=[0-9]+ out=[0-9]+ id=[0-9a-f]{32}\$" "extended"
part() { local v=${LINE##* $1=}; v=${v%% *}; echo "${v%.*}"; }
between "$(part head)" 150 3000 "the time of the head"
between "$(part first)" 290 3000 "... to the first byte of the answer"
between "$(($(part total) - $(part head) - $(part connect) - $(part first)))" 0 1000 "... and in all"
PORT=$EXTENDED raw "$(request /queue/delay/1)" -w 200 -k >/dev/null
PORT=$EXTENDED silently raw "$(request /delay/500?first)" -k & # another pool: no matter
for i in 1 2 3; do PORT=$EXTENDED silently raw 'GET /queue?q=1&delay=300 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' & done
three() { [ "$(grep -c 'q=1' "$TMP/extended.log")" = 3 ]; }
wait_for 8 three
LINE=$(grep 'q=1' "$TMP/extended.log" | sort -t= -k3 | awk 'match($0, /queue=[0-9.]+/) { print substr($0, RSTART + 6, RLENGTH - 6), $0 }' | sort -n | tail -n 1)
between "$(part queue)" 450 5000 "the third in line has waited for two"
like "$LINE" 'why=only\+queued.* end=-- ' "... which shows in the reason"

PORT=$OWN raw 'GET /a HTTP/1.1\r\nHost: Example.org:81\r\nx-tag: T 1\r\n\r\n' -w 200 'GET http://b/c HTTP/1.0\r\n\r\n' >/dev/null
logged "$TMP/own.log" c
is "$(sed 's/ [01] [12] [0-9]*$//' "$TMP/own.log")" $'GET /a HTTP/1.1 Example.org:81 T 1 1 http\nGET http://b/c HTTP/1.0 b - 2 http' "a format of one's own"

# What requests have left behind in a pool is not for connections.
PORT=$OWN raw "$(request /kept)" -w 200 -k >/dev/null
PORT=$MIXED raw 'GET / HTTP/1.0\r\n\r\n' >/dev/null
logged "$TMP/mixed.log" tcp
is "$LINE" 'tcp s1 0 -' "mode tcp: a connection to the server of its own"

# --- JSON is JSON, whatever comes ---
perl -e 'print "GET /j?", ("x" x 3000), " HTTP/1.1\r\nHost: x\r\nUser-Agent: ", (map { chr } 9, 32 .. 126, 128 .. 255), "\r\n\r\n"' >"$TMP/all"
perl -e 'print "GET /", (map { chr } 0 .. 9, 11, 12, 14 .. 255), " HTTP/1.1\r\n\r\n"' >"$TMP/worse"
PORT=$JSON silently raw -f "$TMP/all" -w 200 -k
PORT=$JSON silently raw -f "$TMP/worse"
logged "$TMP/json.log" '"status":400'
OUT=$(python3 - "$TMP/json.log" <<'E3'
import json, re, sys
lines = [json.loads(l) for l in open(sys.argv[1], "rb").read().decode("ascii").splitlines()]
good = next(l for l in lines if l["status"] == 200)
bad = next(l for l in lines if l["status"] == 400)
assert good["user_agent"].encode("latin-1") == bytes([*range(33, 127), *range(128, 256)]), good["user_agent"]
assert good["target"] is not None and good["request"].startswith("GET /j?xxx") and good["request"].endswith("...") and len(good["request"]) == 2048
assert bad["request"].encode("latin-1") == b"GET /" + bytes([*range(0, 10), 11, 12, *range(14, 256)]) + b" HTTP/1.1", bad["request"]
assert bad["method"] is None and bad["server"] is None and bad["connect_ms"] is None and bad["end"] == "PR"
assert good["server"] == "s1" and good["reused"] in (True, False) and isinstance(good["total_ms"], float) and good["retries"] == 0
assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", good["time"]), good["time"]
print("good")
E3
)
is "$OUT" good "JSON of any bytes, which are all there"
finish
