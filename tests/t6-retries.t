#!/bin/bash
# Second chances: when, where to, how often, and never twice what must be done once. Kept connections.
TEST_LIMIT=120
. "${0%/*}/lib.sh"

# conf LINE-OF-POOL...
conf() {
	printf 'workers %s\npool app {\n\tbalance round-robin\n' "${WORKERS:-1}"
	printf '\t%s\n' "$@"
	printf '}\nlisten web {\n\tbind 127.0.0.1:%s\n%s\tto app\n}\n' "$PORT" "$MODE"
}
start() { new_port PORT; start_conf < <(conf "$@"); }
LBCTL=${LBCTL:-build/default/lbctl}
metric() { "$LBCTL" -i "$LB_PID" metrics | sed -n "s/^loadbalancer_pool_$1{pool=\"app\"} //p"; }
entries() { curl -sS "http://127.0.0.1:$1/healthcheck" | tail -n 1; }
count() { local n=0 i; for ((i = 0; i < $1; i++)); do req "${@:3}"; [ "$CODE" = "$2" ] && n=$((n + 1)); done; echo $n; }

start_backend GOOD --log "$TMP/good.log"
start_backend SICK --status 503 --log "$TMP/sick.log"

# --- by status ---
start "server good 127.0.0.1:$GOOD" "server sick 127.0.0.1:$SICK" "retry-on 503" "check none"
is "$(count 20 200 /a)" 20 "retry-on 503: a GET that met one goes to the other server"
between "$(entries "$SICK")" 9 20 "which many of them did"
is "$(count 10 200 -X PUT -d hello /b)" 10 "a PUT with a small body too"
is "$(count 10 503 -X POST -d hello /c)" 5 "a POST never"
is "$(grep -c 'POST /c' "$TMP/good.log") $(grep -c 'POST /c' "$TMP/sick.log")" "5 5" "each was sent once"
head -c 200000 /dev/zero >"$TMP/large"
is "$(count 10 503 -T "$TMP/large" /d)" 5 "a PUT with a body that is not held, neither"
is "$(grep -c 'PUT /d' "$TMP/good.log") $(grep -c 'PUT /d' "$TMP/sick.log")" "5 5" "each was sent once"
stop_lb
for status in 429 500 502 504; do
	start_backend "SICK$status" --status $status
	sick=SICK$status
	start "server good 127.0.0.1:$GOOD" "server sick 127.0.0.1:${!sick}" "retry-on $status" "check none"
	is "$(count 4 200 /a)" 4 "retry-on $status"
	stop_lb
done
start "server good 127.0.0.1:$GOOD" "server sick 127.0.0.1:$SICK500" "retry-on 502 503 504 429" "check none"
is "$(count 4 500 /a)" 2 "no other status"
stop_lb
start "server good 127.0.0.1:$GOOD" "server sick 127.0.0.1:$SICK" "check none"
is "$(count 10 503 /a)" 5 "by default an answer is an answer"
stop_lb
start "server sick 127.0.0.1:$SICK" "server sick2 127.0.0.1:$SICK" "retry-on 503" "check none"
req /a
is "$CODE ${BODY%% *}" "503 SICK" "with nobody who does better the server's own answer is forwarded"
stop_lb
start "server good 127.0.0.1:$GOOD" "server sick 127.0.0.1:$SICK" "retry-on 503" "retries 0" "check none"
is "$(count 10 503 /a)" 5 "retries 0: none"
stop_lb

# --- resets ---
start_backend RST --reset
start "server good 127.0.0.1:$GOOD" "server rst 127.0.0.1:$RST" "check none"
is "$(count 10 200 /a)" 10 "a reset without an answer: the other server"
is "$(count 6 200 -X DELETE /a)" 6 "DELETE too"
stop_lb
start "server rst 127.0.0.1:$RST" "server good 127.0.0.1:$GOOD" "check none"
req -X POST -d hello /once
is "$CODE" 502 "a POST that was written is not written again"
is "$(grep -c 'POST /once' "$TMP/good.log")" 0 "nowhere"
stop_lb
start "server rst 127.0.0.1:$RST" "server good 127.0.0.1:$GOOD" "check none" "retry-on connect"
req /a
is "$CODE" 502 "without reset in retry-on: 502"
stop_lb
new_port NOBODY
start "server none 127.0.0.1:$NOBODY" "server good 127.0.0.1:$GOOD" "check none" "retry-on none"
req /a
is "$CODE" 502 "retry-on none: not even where nothing was sent"
stop_lb
start "server none 127.0.0.1:$NOBODY" "server good 127.0.0.1:$GOOD" "check none"
req -X POST -d hello /fine
is "$CODE $(grep -c 'POST /fine' "$TMP/good.log")" "200 1" "a connection refused: even a POST goes on, for nothing was sent"
stop_lb

# --- too late ---
start_backend MUTE --silent
start "server mute 127.0.0.1:$MUTE" "server good 127.0.0.1:$GOOD" "answer-timeout 200ms" "check none"
req /a
is "$CODE" 504 "too late is 504"
stop_lb
start "server mute 127.0.0.1:$MUTE" "server good 127.0.0.1:$GOOD" "answer-timeout 200ms" "check none" "retry-on timeout"
start=$(_now_ms)
req /a
took=$(($(_now_ms) - start))
is "$CODE" 200 "with timeout in retry-on another server gets it"
between "$took" 190 900 "after answer-timeout ($took ms)"
stop_lb
start "server mute 127.0.0.1:$MUTE" "server good 127.0.0.1:$GOOD" "answer-timeout 200ms" "check none" "retry-on timeout"
req -X POST -d x /late
is "$CODE $(grep -c 'POST /late' "$TMP/good.log")" "504 0" "but no POST"
stop_lb

# --- nothing again once something of an answer has gone out ---
start "server good 127.0.0.1:$GOOD" "server two 127.0.0.1:$GOOD" "retry-on connect reset timeout 502 503 504" "check none"
req /die-mid/10000
ok "an answer that is cut is cut" [ "$CURL" -ne 0 ]
is "$(grep -c 'GET /die-mid/10000' "$TMP/good.log")" 1 "and not asked for again"
raw 'GET /reset?early=103 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >"$TMP/early"
is "$(grep -c 'GET /reset?early=103' "$TMP/good.log")" 1 "nor behind a 103"
stop_lb

# --- the budget: an outage is not amplified ---
for i in 1 2 3 4; do start_backend "S$i" --status 503; done
outage() {
	start "server s1 127.0.0.1:$S1" "server s2 127.0.0.1:$S2" "server s3 127.0.0.1:$S3" "server s4 127.0.0.1:$S4" \
	    "check none" "retry-on 503" "$@"
	before=$(($(entries "$S1") + $(entries "$S2") + $(entries "$S3") + $(entries "$S4")))
	line=$(load -n 3000 -c 20 --expect 503)
	is "$(field ok "$line")" 3000 "3000 requests while all servers fail: 3000 answers"
	after=$(($(entries "$S1") + $(entries "$S2") + $(entries "$S3") + $(entries "$S4")))
	took=$(field seconds "$line")
	tries=$((after - before))
	counted="$(metric retries_total) $(($(metric retries_refused_total) > 0))"
	stop_lb
}
outage
between $tries 3600 $((3700 + 11 * (${took%.*} + 1))) "a budget of 20 %, and the floor: $tries tries in $took s"
is "$counted" "$((tries - 3000)) 1" "counted, as are those that were not to be"
outage "retry-budget unlimited"
is "$counted" "9000 0" "all that there were"
is $tries 12000 "unlimited: each tried all four"
outage "retry-budget unlimited" "retries 1"
is $tries 6000 "retries 1: each tried two"

# --- connections closed at the moment of their use ---
start_backend ONCE --once
start "server once 127.0.0.1:$ONCE" "check none"
line=$(load -n 1000 -c 10)
like "$line" '"ok":1000,"failed":0' "a server that closes each kept connection when it is used: no GET is lost"
ok "nor is it thought to be down" eval '! grep -q "is down" "$LB_LOG"'
ok "POSTs use up the kept connections" wait_for 15 eval 'req -X POST -d x /p; [ "$CODE" = 200 ]'
req -X POST -d x /p
is "$CODE" 502 "a POST cannot know whether it was seen: 502, not twice"
stop_lb
WORKERS=3 start "server once 127.0.0.1:$ONCE" "check none" "retry-budget 0%" "retries 0"
line=$(load -n 1000 -c 30)
like "$line" '"ok":1000,"failed":0' "without any retry allowed, too: it was no failure"
stop_lb

# --- which connection is used, how many are kept, and how long ---
established() {
	local hex
	printf -v hex '%04X' "$1"
	grep -Ec "^ *[0-9]+: 0100007F:$hex [0-9A-F]+:[0-9A-F]+ 01 " /proc/net/tcp
}
start_backend KEEP --log "$TMP/keep.log"
start "server keep 127.0.0.1:$KEEP" "check none" "keepalive-max 6"
load -n 16 -c 8 --path /delay/100 >"$TMP/null"
between "$(established "$KEEP")" 6 6 "of eight connections six are kept"
: >"$TMP/keep.log"
for _ in 1 2 3 4 5 6; do req /; done
is "$(grep -o 'fd=[0-9]*' "$TMP/keep.log" | sort -u | wc -l)" 1 "one request at a time uses always the same one"
kill_backend KEEP
ok "they are gone when the server is" wait_for 3 eval '[ "$(established $KEEP)" = 0 ]'
stop_lb
restart_backend KEEP
start "server keep 127.0.0.1:$KEEP" "check none" "keepalive-timeout 1500ms"
req /
is "$(established "$KEEP")" 1 "kept"
ok "until it is too old" wait_for 5 eval '[ "$(established $KEEP)" = 0 ]'
stop_lb
start "server keep 127.0.0.1:$KEEP" "check none"
req '/?timeout=3'
is "$(established "$KEEP")" 1 "a server that says it keeps for three seconds"
start=$(_now_ms)
ok "is left when" wait_for 5 eval '[ "$(established $KEEP)" = 0 ]'
between $(($(_now_ms) - start)) 100 3900 "they are over"
stop_lb
finish
