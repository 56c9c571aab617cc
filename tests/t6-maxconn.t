#!/bin/bash
# maxconn, exact over all workers, also when they die or a reload comes; the queue: order, limits, 503.
TEST_LIMIT=150
. "${0%/*}/lib.sh"

LBCTL=${LBCTL:-build/default/lbctl}
# metric NAME: of the pool app, as lbctl reads it from the table
metric() { "$LBCTL" -i "$LB_PID" metrics | sed -n "s/^loadbalancer_pool_$1{pool=\"app\"} //p"; }
pause() { read -r -t "$1" <> <(:); }	# the length of a measurement; never for readiness
most() { curl -sS "http://127.0.0.1:$1/control/most"; }
served() { curl -sS "http://127.0.0.1:$1/healthcheck" | tail -n 1; }
established() {
	local hex
	printf -v hex '%04X' "$1"
	grep -Ec "^ *[0-9]+: 0100007F:$hex [0-9A-F]+:[0-9A-F]+ 01 " /proc/net/tcp
}
# conf LINE-OF-POOL...: workers 8, the servers as given
conf() {
	printf 'workers %s\npool app {\n\tcheck none\n' "${WORKERS:-8}"
	printf '\t%s\n' "$@"
	printf '}\nlisten web {\n\tbind 127.0.0.1:%s\n%s\tto app\n}\n' "$PORT" "$MODE"
}
reload() {
	local g
	g=$(grep -c 'generation' "$LB_LOG")
	kill -HUP "$LB_PID"
	wait_for 10 eval '[ "$(grep -c generation "$LB_LOG")" -gt "$g" ]'
}

# --- many clients, eight workers, one server with room for three ---
start_backend B1 --delay 2
new_port PORT
start_conf < <(conf "server b1 127.0.0.1:$B1 maxconn 3" "queue-timeout 20s")
line=$(load -n 4000 -c 100 --close)
like "$line" '"ok":4000,"failed":0' "4000 requests of 100 clients at a time: all are served"
is "$(most "$B1")" 3 "the server had never more than its three, and three"
line=$(load -n 3000 -c 100)
like "$line" '"ok":3000,"failed":0' "the same on kept connections"
is "$(most "$B1")" 3 "never more than three"
# A slot that becomes free is used at once: 3000 requests of 2 ms, three at a time, need 2 s.
took=$(field seconds "$line")
between "${took%.*}" 0 9 "and nobody waits for a clock: $took s"

# --- workers are killed meanwhile ---
load -n 100000 -d 5 -c 60 --close >"$TMP/load" &
L=$!
for _ in 1 2 3 4 5 6; do
	pause 0.5
	victim=$(workers | sed -n "$((RANDOM % 8 + 1))p")
	[ -n "$victim" ] && kill -KILL "$victim"
done
wait $L
line=$(< "$TMP/load")
ok "killing workers did not stop it ($(field ok "$line") served, $(field failed "$line") lost with their worker)" [ "$(field ok "$line")" -gt 500 ]
# On a machine that is very busy the end of a dead worker's connection can come after the next one's request.
between "$(most "$B1")" 3 4 "never more than three while workers die, as far as a server can tell"
before=$(most "$B1")
wait_for 5 eval '[ "$(count_workers)" = 8 ]'
line=$(load -n 300 -c 20 --close)
like "$line" '"ok":300,"failed":0' "what the dead held is free again"

# --- reloads meanwhile: the same limit in old and new workers; then a lower one ---
load -n 100000 -d 4 -c 60 >"$TMP/load" &
L=$!
for _ in 1 2 3; do
	pause 0.5
	reload
done
wait $L
line=$(< "$TMP/load")
is "$(field failed "$line")" 0 "reloads lose nothing ($(field ok "$line") served)"
is "$(most "$B1")" "$before" "never more than three while generations change"
stop_lb

# --- a stopped worker that is first in the line holds nobody up for long ---
start_backend B2 --delay 20
new_port PORT
WORKERS=2 start_conf < <(WORKERS=2 conf "server b2 127.0.0.1:$B2 maxconn 1" "queue-timeout 30s")
load -n 100000 -d 9 -c 8 --close >"$TMP/load" &
L=$!
wait_for 5 eval '[ "$(most $B2)" = 1 ]'
victim=$(workers | head -n 1)
# The stopped one may hold the only place itself, and then nothing can go on: try again until it does not.
best=0
for _ in {1..10}; do
	kill -STOP "$victim"
	before=$(served "$B2")
	pause 0.5
	after=$(served "$B2")
	kill -CONT "$victim"
	[ $((after - before)) -gt "$best" ] && best=$((after - before))
	[ "$best" -ge 5 ] && break
	wait_for 2 eval '[ "$(served $B2)" -gt $((after + RANDOM % 5)) ]'
done
kill "$L" 2>"$TMP/null"
ok "the other worker went on while one was stopped: $best requests" [ "$best" -ge 5 ]
wait "$L" 2>"$TMP/null"
is "$(most "$B2")" 1 "one at a time all along"
stop_lb

# --- order: one server, one place; requests come one after the other and reach it as they came ---
start_backend B3 --log "$TMP/b3.log"
new_port PORT
start_conf < <(WORKERS=4 conf "server b3 127.0.0.1:$B3 maxconn 1" "queue-timeout 20s")
req "/first"
P=()
raw -t 20000 'GET /delay/5000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >"$TMP/null" & P+=($!)
ok "the place is taken" wait_for 5 grep -q delay "$TMP/b3.log"
for i in 01 02 03 04 05 06 07 08 09 10; do
	raw -t 20000 "GET /n$i HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" >"$TMP/null" & P+=($!)
	wait_for 5 eval '[ "$(metric queue_requests)" = '"$((10#$i))"' ]'
done
wait "${P[@]}"
is "$(grep -o '/n[0-9]*' "$TMP/b3.log" | tr -d '\n')" "/n01/n02/n03/n04/n05/n06/n07/n08/n09/n10" \
    "first come, first served, over four workers"
stop_lb

# --- limits of the queue ---
start_backend B4 --log "$TMP/b4.log"
new_port PORT
start_conf < <(WORKERS=2 conf "server b4 127.0.0.1:$B4 maxconn 1" "queue 2" "queue-timeout 1500ms")
curl -sS -o "$TMP/null" "http://127.0.0.1:$PORT/delay/5000" & P=($!)
ok "the place is taken" wait_for 3 grep -q 'GET /delay/5000' "$TMP/b4.log"
start=$(_now_ms)
req /late
took=$(($(_now_ms) - start))
is "$CODE" 503 "who waits too long gets 503"
like "$HEAD" $'\n[Rr]etry-[Aa]fter: [0-9]+' "with Retry-After"
between "$took" 1490 3500 "after queue-timeout ($took ms)"
for i in 1 2; do curl -sS -o "$TMP/null" "http://127.0.0.1:$PORT/w$i" & P+=($!); done
ok "two wait" wait_for 3 eval '[ "$(metric queue_requests)" = 2 ]'
start=$(_now_ms)
req /toomany
took=$(($(_now_ms) - start))
is "$CODE" 503 "the third in a queue for two gets 503"
like "$HEAD" $'\n[Rr]etry-[Aa]fter: [0-9]+' "with Retry-After"
between "$took" 0 1200 "at once ($took ms)"
is "$(metric queue_timeouts_total) $(metric queue_refused_total)" "1 1" "both are counted"
# One that leaves makes room for another.
wait "${P[@]}"
curl -sS -o "$TMP/null" "http://127.0.0.1:$PORT/delay/2900" & P=($!)
ok "it is taken again" wait_for 3 grep -q 'GET /delay/2900' "$TMP/b4.log"
raw 'GET /leaves HTTP/1.1\r\nHost: x\r\n\r\n' -p 100 -r >"$TMP/null"
raw 'GET /leaves HTTP/1.1\r\nHost: x\r\n\r\n' -p 100 -r >"$TMP/null"
start=$(_now_ms)
req /after
took=$(($(_now_ms) - start))
between "$took" 400 3500 "those who left the line made room in it ($CODE after $took ms)"
wait "${P[@]}"
is "$(grep -c leaves "$TMP/b4.log")" 0 "and were never sent"
stop_lb
new_port PORT
start_conf < <(WORKERS=2 conf "server b4 127.0.0.1:$B4 maxconn 1" "queue 0")
curl -sS -o "$TMP/null" "http://127.0.0.1:$PORT/delay/501" & P=($!)
ok "the place is taken" wait_for 3 grep -q 'GET /delay/501' "$TMP/b4.log"
req /
is "$CODE" 503 "queue 0: nobody waits"
wait "${P[@]}"
req /
is "$CODE" 200 "room again"
stop_lb

# --- another server has room: nobody waits; an unlimited one always has ---
start_backend C1
start_backend C2
new_port PORT
start_conf < <(WORKERS=2 conf "server c1 127.0.0.1:$C1 maxconn 1" "server c2 127.0.0.1:$C2" "queue 0" "balance round-robin")
line=$(load -n 400 -c 20 --path /delay/5)
like "$line" '"ok":400,"failed":0' "20 at a time with one place here and many there: all served without a queue"
is "$(most "$C1")" 1 "one at a time here"
stop_lb

# --- the limit changes by a reload, with requests waiting ---
start_backend D1
new_port PORT
start_conf < <(WORKERS=2 conf "server d1 127.0.0.1:$D1 maxconn 1" "queue-timeout 20s")
P=()
for i in 1 2 3 4; do curl -sS -o "$TMP/d$i" "http://127.0.0.1:$PORT/delay/800?$i" & P+=($!); done
ok "one goes, three wait" wait_for 3 eval '[ "$(most $D1)" = 1 ]'
conf "server d1 127.0.0.1:$D1 maxconn 4" "queue-timeout 20s" >"$LB_CONF"
start=$(_now_ms)
reload
wait "${P[@]}"
took=$(($(_now_ms) - start))
between "$took" 0 2200 "more places: those who wait go on at once ($took ms instead of 3200)"
between "$(most "$D1")" 3 4 "four at a time now"
stop_lb

# --- a pool so large that not all of it is looked at: all places are found, and no more ---
start_backend L1 --delay 20
new_port PORT
many=()
for i in {1..60}; do many+=("server l$i 127.0.0.1:$L1 maxconn 1"); done
start_conf < <(WORKERS=4 conf "queue-timeout 20s" "${many[@]}")
line=$(load -n 4000 -c 90)
like "$line" '"ok":4000,"failed":0' "sixty servers with a place each, ninety clients: all are served"
between "$(most "$L1")" 57 60 "by all of them: $(most "$L1") at a time"
stop_lb

# --- what has the only place moves to another worker, while others wait for it ---
start_backend M1
new_port PORT
start_conf < <(WORKERS=2 conf "server m1 127.0.0.1:$M1 maxconn 1" "queue-timeout 20s")
raw 'GET /bytes/30000000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' -l 100000 -t 20000 -q >"$TMP/long" & long=$!
ok "a long answer has it" wait_for 3 eval '[ "$(most $M1)" = 1 ]'
P=()
for i in 1 2 3; do curl -sS -o "$TMP/m$i" "http://127.0.0.1:$PORT/delay/50?$i" & P+=($!); done
ok "three wait" wait_for 3 eval '[ "$(metric queue_requests)" = 3 ]'
for g in 2 3; do
	kill -HUP "$LB_PID"
	wait_for 10 grep -q "reload: generation $g serves" "$LB_LOG"
done
curl -sS -o "$TMP/m4" "http://127.0.0.1:$PORT/delay/50?4" & P+=($!)
ok "it has been moved" wait_for 5 grep -q 'connections\? moved' "$LB_LOG"
wait $long "${P[@]}"
like "$(< "$TMP/long")" ' 3000[0-9]{4}$' "it came whole"
is "$(cat "$TMP"/m[1234] | wc -l)" 4 "and all had their turn"
is "$(most "$M1")" 1 "never two at a time"
stop_lb

# --- mode tcp: connections ---
start_backend T1 --tcp name
new_port PORT
MODE=$'\tmode tcp\n'
start_conf < <(WORKERS=2 conf "server t1 127.0.0.1:$T1 maxconn 2" "queue-timeout 10s")
raw -w T1 -p 2000 -k >"$TMP/t1" & P=($!)
raw -w T1 -p 2000 -k >"$TMP/t2" & P+=($!)
ok "two are there" wait_for 3 eval '[ "$(established $T1)" -ge 2 ]'
start=$(_now_ms)
raw -w T1 -k >"$TMP/t3"
is $? 0 "the third connection gets its server too"
took=$(($(_now_ms) - start))
between "$took" 250 3500 "once another one has ended ($took ms)"
wait "${P[@]}"
finish
