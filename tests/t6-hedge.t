#!/bin/bash
# hedge: a second copy of late requests. The first answer wins, whole and alone; what it costs is bounded; nothing is left.
TEST_LIMIT=120
. "${0%/*}/lib.sh"

LBCTL=${LBCTL:-build/default/lbctl}
metric() { "$LBCTL" -i "$LB_PID" metrics | sed -n "s/^loadbalancer_pool_$1{pool=\"app\"} //p"; }
inflight() { "$LBCTL" -i "$LB_PID" metrics | awk '/^loadbalancer_server_in_flight/ { n += $NF } END { print n + 0 }'; }
counts() { echo "$(metric hedges_total) $(metric hedges_won_total) $(metric hedges_refused_total)"; }
# conf LINE-OF-POOL...: WORKERS (1); what is not said otherwise: round-robin, hedge after 50 ms
conf() {
	printf 'grace-timeout 1s\nworkers %s\npool app {\n\tcheck none\n' "${WORKERS:-1}"
	case "$*" in *balance*) ;; *) printf '\tbalance round-robin\n' ;; esac
	case "$*" in *hedge*) ;; *) printf '\thedge 50ms\n' ;; esac
	printf '\t%s\n' "$@"
	printf '}\nlisten web {\n\tbind 127.0.0.1:%s\n\tto app\n}\n' "$PORT"
}
start() { new_port PORT; start_conf < <(conf "$@"); }
# try N [CURL...] PATH: N times; sets GOOD (200s), BY (who answered, each once) and LONGEST (ms)
try() {
	local i from took
	GOOD=0 LONGEST=0 BY=
	for ((i = 0; i < $1; i++)); do
		from=$(_now_ms)
		req "${@:2}"
		took=$(($(_now_ms) - from))
		[[ " $BY " == *" ${BODY%% *} "* ]] || BY+=${BY:+ }${BODY%% *}
		[ "$CODE" = 200 ] && GOOD=$((GOOD + 1))
		[ "$took" -gt "$LONGEST" ] && LONGEST=$took
	done
}
established() {
	local hex
	printf -v hex '%04X' "$1"
	grep -Ec "^ *[0-9]+: 0100007F:$hex [0-9A-F]+:[0-9A-F]+ 01 " /proc/net/tcp
}

start_backend FAST --log "$TMP/fast.log"
start_backend SLOW --delay 900 --log "$TMP/slow.log"
start_backend MUTE --silent --log "$TMP/mute.log"

# --- the slow server's requests are answered by the other ---
start "server slow 127.0.0.1:$SLOW" "server fast 127.0.0.1:$FAST"
try 10 /a
is "$GOOD" 10 "one of two servers is slow: all are answered"
is "$BY" FAST "none by the slow one"
is "$(counts)" "10 10 0" "as many were late, as many copies, all of them won: a copy is a turn as well"
is "$(grep -c 'GET /a' "$TMP/slow.log") $(grep -c 'GET /a' "$TMP/fast.log")" "10 10" "each server was asked that often"
is "$(inflight)" 0 "nothing is in flight"
try 4 -X PUT -d 'a body that is held' /echo
is "$GOOD $BODY" "4 a body that is held" "a PUT with a small body as well"
is "$(counts)" "14 14 0" "four more"
: >"$TMP/fast.log"
req -X POST -d once /b
is "$(counts)" "14 14 0" "no POST"
is "$(grep -c 'POST /b' "$TMP/slow.log") $(grep -c 'POST /b' "$TMP/fast.log")" "1 0" "which goes to one server once"
head -c 200000 /dev/zero >"$TMP/large"
req -T "$TMP/large" /d
is "$(counts)" "14 14 0" "no body that is not held"
req -N -H 'Connection: Upgrade' -H 'Upgrade: x' /e
is "$(counts)" "14 14 0" "nothing that asks for another protocol"
raw 'GET /bytes/70000?delay=300 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' -q >"$TMP/one"
raw 'GET /bytes/70000?delay=300 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' -q >"$TMP/two"
like "$(cut -d' ' -f2 "$TMP/one") $(cut -d' ' -f2 "$TMP/two")" '^(70[0-9]+) (70[0-9]+)$' "large answers come whole from either"
stop_lb

# --- off, on a server that a cookie names, and where there is no other one ---
start "server slow 127.0.0.1:$SLOW" "server fast 127.0.0.1:$FAST" "hedge off"
try 2 /a
is "$(counts)" "0 0 0" "off: none"
is "$BY" "SLOW FAST" "and one waits ($LONGEST ms)"
stop_lb
start "server slow 127.0.0.1:$SLOW" "server fast 127.0.0.1:$FAST" "sticky cookie SRV"
try 2 -c "$TMP/jar" /a
is "$(counts)" "2 2 0" "sticky: one that has no cookie yet may go anywhere"
cookie() { sed -n 's/.*SRV[[:space:]]*//p' "$TMP/jar"; }
fast=$(cookie)
ok "and its cookie names the server that answered" [ -n "$fast" ]
try 3 -b "SRV=$fast" /a
is "$BY" FAST "whose cookie names a server gets it"
stop_lb
start "server slow 127.0.0.1:$SLOW"
req /a
is "$CODE $(counts)" "200 0 0 0" "one server: nowhere to go"
stop_lb
start "server slow 127.0.0.1:$SLOW" "server fast 127.0.0.1:$FAST maxconn 1" "balance least-connections" "hedge 200ms"
raw 'GET /silent HTTP/1.1\r\nHost: x\r\n\r\n' -p 600 -r >"$TMP/null" & P=$!
raw 'GET /silent HTTP/1.1\r\nHost: x\r\n\r\n' -p 600 -r >"$TMP/null" & P2=$!
ok "two requests that nobody answers" wait_for 5 eval '[ "$(metric hedges_total)" -ge 1 ] && [ "$(metric hedges_refused_total)" -ge 1 ]'
is "$(metric queue_requests)" 0 "with the other server at its maxconn there is no copy, and nothing waits in a line for one"
wait "$P" "$P2"
ok "a copy is given back when its client leaves" wait_for 3 eval '[ "$(metric hedges_total)" = 1 ] && [ "$(established $FAST)" = 0 ]'
stop_lb

# --- what the copy's server does wrong does not hurt ---
start_backend OK --delay 150
start_backend RST --reset
start_backend BAD --status 503
new_port NOBODY
copies() {	# TEXT SERVER-PORT PATH: the first server answers after 250 ms, the copy's fails in its own way
	# A hash sends all to the first server as long as it is up.
	start "server ok 127.0.0.1:$OK" "server other 127.0.0.1:$2 backup" "retry-on none"
	# Backups get nothing while others are up, but a copy has tried the only one that is not.
	try 2 "$3"
	is "$GOOD" 2 "the copy's server $1: the first one's answer is taken"
	is "$BY" OK "and nothing of the other"
	is "$(metric hedges_won_total) $(inflight)" "0 0" "no copy won, nothing is left in flight"
}
copies "resets" "$RST" /a
stop_lb
copies "answers 503" "$BAD" /a
stop_lb
copies "refuses" "$NOBODY" /a
stop_lb
copies "keeps silent" "$MUTE" /a
ok "and its connections are closed" wait_for 3 eval '[ "$(established $MUTE)" = 0 ]'
stop_lb
start "server ok 127.0.0.1:$OK" "server other 127.0.0.1:$FAST backup"
raw 'GET /raw/HTTP%2F1.1%20200%20OK%0D%0AContent-Length:x%0D%0A%0D%0A?delay=100 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >"$TMP/raw"
is "$(inflight)" 0 "an answer that is not HTTP leaves nothing"
stop_lb

# --- the first one fails while the copy is on its way: the copy takes its place ---
start_backend LATE --delay 1200
start_backend DIES --silent
start "server dies 127.0.0.1:$DIES" "server late 127.0.0.1:$LATE backup" "retries 0"
req /a & P=$!
ok "the first one keeps silent, a copy is sent" wait_for 5 eval '[ "$(metric hedges_total)" = 1 ]'
kill_backend DIES
wait "$P"
is "$(cut -d' ' -f1 "$TMP/body")" "LATE" "then it dies: the copy's answer is taken, though no retry is allowed"
is "$(counts)" "1 1 0" "which counts as won"
stop_lb
start_backend LATE2 --delay 400
start "server mute 127.0.0.1:$MUTE" "server late 127.0.0.1:$LATE2 backup" "hedge 200ms" "answer-timeout 500ms"
req /a
is "$CODE ${BODY%% *}" "200 LATE2" "the same when the first one is too late"
stop_lb

# --- the client leaves: both are let go ---
start "server mute 127.0.0.1:$MUTE" "server slow 127.0.0.1:$SLOW backup"
raw 'GET /leaves HTTP/1.1\r\nHost: x\r\n\r\n' -p 200 -r >"$TMP/null"
ok "a client that leaves takes both copies along" wait_for 3 eval '[ "$(inflight)" = 0 ] && [ "$(established $MUTE)" = 0 ] && [ "$(established $SLOW)" = 0 ]'
is "$(metric hedges_total)" 1 "there was a second one"
stop_lb

# --- the budget ---
start_backend S1 --delay 20
start_backend S2 --delay 20
start "server s1 127.0.0.1:$S1" "server s2 127.0.0.1:$S2" "hedge 2ms" "retry-budget 0%"
line=$(load -n 1500 -c 20)
like "$line" '"ok":1500,"failed":0' "every request is late, and there is no budget: all are answered"
took=$(field seconds "$line")
between "$(metric hedges_total)" 90 $((101 + 11 * (${took%.*} + 1))) "second copies: what the floor of the budget gives"
between $(($(metric hedges_total) + $(metric hedges_refused_total))) 1000 1500 "the others were left out for it, and counted"
stop_lb

# --- both answer at the same time, thousands of times: every byte of every answer is the one that was asked for ---
start_backend E1 --delay 8
start_backend E2 --delay 4
WORKERS=2 start "server e1 127.0.0.1:$E1" "server e2 127.0.0.1:$E2" "hedge 3ms" "retry-budget unlimited"
line=$(load -n 500 -c 20 --mix)
fds=$(count_fds $(workers))
line=$(load -n 6000 -c 20 --mix --size 3000)
diag "$line; $(counts)"
like "$line" '"ok":6000,"failed":0' "6000 requests, copies of most: each answer is whole, once, and its own"
ok "thousands of copies" [ "$(metric hedges_total)" -gt 2000 ]
won=$(metric hedges_won_total)
ok "many of them won ($won)" [ "$won" -gt 200 ]
ok "and many did not" [ "$(metric hedges_total)" -gt $((won + 200)) ]
is "$(inflight)" 0 "nothing is in flight"
between "$(count_fds $(workers))" 0 $((fds + 60)) "no descriptor is left"
# The same while workers die and configurations change.
load -n 100000 -d 3 -c 20 --close >"$TMP/load" &
L=$!
for _ in 1 2 3; do
	read -r -t 0.6 <> <(:)
	g=$(grep -c generation "$LB_LOG")
	kill -HUP "$LB_PID"
	wait_for 10 eval '[ "$(grep -c generation "$LB_LOG")" -gt "$g" ]'
done
wait "$L"
like "$(<"$TMP/load")" '"failed":0' "reloads meanwhile lose nothing"
ok "and leave nothing in flight" wait_for 5 eval '[ "$(inflight)" = 0 ]'
stop_lb

# --- learned ---
start_backend L1 --delay 5
start_backend L2 --delay 5
WORKERS=2 start "server l1 127.0.0.1:$L1" "server l2 127.0.0.1:$L2" "hedge on"
load -n 90 -c 1 >"$TMP/null"
is "$(counts)" "0 0 0" "nothing is late before it is known what usual is"
load -n 600 -c 4 >"$TMP/null"
late=$(metric late_seconds)
ok "then it is: $late s" awk "BEGIN { exit !($late >= 0.005 && $late < 0.1) }"
try 4 '/a?delay=800'
is "$GOOD" 4 "requests that take long everywhere are answered"
ok "when they are done ($LONGEST ms)" [ "$LONGEST" -ge 790 ]
between "$(metric hedges_total)" 4 100 "with a copy of each"
old=$(metric late_seconds)
g=$(grep -c generation "$LB_LOG")
kill -HUP "$LB_PID"
wait_for 10 eval '[ "$(grep -c generation "$LB_LOG")" -gt "$g" ]'
req /a
req /a
ok "known after a reload, too ($old, $(metric late_seconds) s)" awk "BEGIN { exit !($(metric late_seconds) > 0.3 * $old) }"
stop_lb

# --- connections that belong to one client (send-proxy) ---
start "server slow 127.0.0.1:$SLOW" "server fast 127.0.0.1:$FAST" "send-proxy v1"
req /a
like "$CODE" '^(400|502)$' "servers that expect no PROXY header refuse it"
stop_lb
finish
