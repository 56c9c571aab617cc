#!/bin/bash
# More load than the servers can take: limits that are learned, lines that are shed, servers filled one after the other.
TEST_LIMIT=90
. "${0%/*}/lib.sh"

LBCTL=${LBCTL:-build/default/lbctl}
metric() { "$LBCTL" -i "$LB_PID" metrics | sed -n "s/^loadbalancer_pool_$1{pool=\"app\"} //p"; }
limit() { "$LBCTL" -i "$LB_PID" metrics | sed -n "s/^loadbalancer_server_in_flight_limit{pool=\"app\",server=\"$1\"} //p"; }
most() { curl -sS "http://127.0.0.1:$1/control/most"; }
# conf LINE-OF-POOL...
conf() {
	printf 'workers 2\ngrace-timeout 2s\npool app {\n\tcheck none\n'
	printf '\t%s\n' "$@"
	printf '}\nlisten web {\n\tbind 127.0.0.1:%s\n\tto app\n}\n' "$PORT"
}
start() { new_port PORT; start_conf < <(conf "$@"); }
reload() {
	local g
	g=$(grep -c generation "$LB_LOG")
	kill -HUP "$LB_PID"
	wait_for 10 eval '[ "$(grep -c generation "$LB_LOG")" -gt "$g" ]'
}

# --- learned: a server that does four at a time, each for 20 ms ---
start_backend L1 --delay 20 --slots 4
start "server l1 127.0.0.1:$L1 maxconn learned" "queue-timeout 30s"
is "$(limit l1)" 10 "it begins with ten"
line=$(load -n 100000 -d 7 -c 40)
diag "$line, limit $(limit l1)"
like "$line" '"failed":0' "nobody is turned away"
between "$(limit l1)" 3 10 "forty clients: what it can do and a little"
ok "which keeps it busy: $(field ok "$line") of 1400" [ "$(field ok "$line")" -ge 900 ]
before=$(limit l1)
reload
between "$(limit l1)" $((before - 1)) $((before + 1)) "a reload does not forget it"
like "$("$LBCTL" -i "$LB_PID" show server l1 2>&1; "$LBCTL" -i "$LB_PID" show l1 2>&1)" "at most $(limit l1) in flight, as learned" "lbctl tells it"
conf "server l1 127.0.0.1:$L1 maxconn 2..3" "queue-timeout 30s" >"$LB_CONF"
reload
ok "a range" wait_for 5 eval '[ "$(limit l1)" = 3 ]'
restart_backend L1
line=$(load -n 300 -c 40)
like "$line" '"ok":300,"failed":0' "which holds for all workers together"
between "$(most "$L1")" 2 3 "exactly"
conf "server l1 127.0.0.1:$L1" >"$LB_CONF"
reload
ok "and none" wait_for 5 eval '[ "$(limit l1)" = 0 ]'
stop_lb

# --- a standing line is shed ---
start_backend S1 --delay 10 --slots 1
start "server s1 127.0.0.1:$S1 maxconn 1"
line=$(load -n 100000 -d 2 -c 40)
diag "$line"
ok "forty clients, a hundred answers a second, no target: all wait for the whole line" [ "$(field p50_us "$line")" -gt 250000 ]
is "$(metric queue_shed_total)" 0 "nobody is sent away"
stop_lb
start "server s1 127.0.0.1:$S1 maxconn 1" "queue-target 50ms"
line=$(load -n 100000 -d 3 -c 40 --rate 400)
diag "$line"
good=$(field 200 "$line") shed=$(field 503 "$line")
ok "four times as much as it can do: it does what it can ($good answers)" [ "$good" -ge 150 ]
ok "and the others are told at once ($shed of them)" [ "$shed" -ge 100 ]
is "$(metric queue_shed_total)" "$shed" "counted"
ok "half of all know within a quarter of a second" [ "$(field p50_us "$line")" -lt 250000 ]
raw 'GET /delay/1500 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >"$TMP/null" & P=$!
wait_for 5 eval '[ "$("$LBCTL" -i "$LB_PID" metrics | sed -n "s/^loadbalancer_server_in_flight{.*} //p")" = 1 ]'
from=$(_now_ms)
req /a
took=$(($(_now_ms) - from))
is "$CODE" 503 "one that waits while nothing moves is sent away, too"
like "$HEAD" $'\n[Rr]etry-[Aa]fter: [0-9]+' "with Retry-After"
between "$took" 90 1300 "after queue-interval ($took ms)"
wait "$P"
stop_lb
start "server s1 127.0.0.1:$S1 maxconn 1" "queue-target 50ms" "queue-interval 10s"
line=$(load -n 40 -c 40)
like "$line" '"ok":40,"failed":0' "a burst that a line of 400 ms holds is let through"
stop_lb

# --- first: filled one after the other ---
start_backend F1 --delay 40
start_backend F2 --delay 40
start_backend F3 --delay 40
start "server f1 127.0.0.1:$F1 maxconn 2" "server f2 127.0.0.1:$F2 maxconn 2" "server f3 127.0.0.1:$F3" "balance first"
line=$(load -n 40 -c 2)
is "$(field F1 "$line")" 40 "two clients: the first server does it all"
line=$(load -n 80 -c 4)
is "$(field ok "$line") $(field F3 "$line")" "80 0" "four: the first two, nothing comes to the third"
ok "of which the first has its share ($(field F1 "$line"))" [ "$(field F1 "$line")" -ge 35 ]
line=$(load -n 80 -c 8)
ok "eight: all three" [ "$(field F3 "$line")" -gt 10 ]
is "$(most "$F1") $(most "$F2")" "2 2" "never more than their maxconn"
stop_lb
finish
