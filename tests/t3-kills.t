#!/bin/bash
# Servers that come, go and come back, under load: nothing is lost that could be tried again.
TEST_LIMIT=150
. "${0%/*}/lib.sh"

said() { grep -q "$1" "$LB_LOG"; }

# --- the balancer first, its servers later ---
new_port P1
new_port P2
start_lb @ "$P1" "$P2"
req /
is "$CODE" 500 "no server is up: 500"
start_backend K1 --port "$P1"
start=$(_now_ms)
ok "a server that starts later" wait_for 3 eval 'req /; [ "$CODE" = 200 ]'
took=$(($(_now_ms) - start))
between "$took" 0 1000 "is found within a second ($took ms)"
start_backend K2 --port "$P2"
ok "so is the other" wait_for 2 said "server default/$P2 is up after"
stop_lb
kill_backend K1
kill_backend K2

# --- one of three killed and restarted, over and over, under load ---
start_backend A
start_backend B
start_backend C
start_lb -N 3 @ "$A" "$B" "$C"

# The last that was said of a server.
said_up() { local port=$1; grep "server default/${!port} is" "$LB_LOG" | tail -n 1 | grep -q "is up"; }

# under_churn NAME LOAD-ARG...: the load, while each server in its turn is killed and restarted
under_churn() {
	local name=$1 kills=0 v pid
	shift
	load "$@" >"$TMP/line" 8>&- &
	pid=$!
	while :; do
		for v in A B C; do
			_gone $pid && break 2
			kill_backend $v
			kills=$((kills + 1))
			sleep 0.3	# time itself is tested: long enough for requests, probes and connections to meet it
			restart_backend $v
			wait_for 2 said_up $v	# never two down at once
		done
	done
	wait $pid
	line=$(< "$TMP/line")
	diag "$line"
	like "$line" '"failed":0,' "$name"
	between $kills 1 100 "with $kills kills"
}
under_churn "4 s of GETs, one after the other, each on its own connection: none lost" -d 4 --close
under_churn "4 s of GETs on 16 kept connections: none lost" -d 4 -c 16 --path /bytes/2000
line=$(load -n 30 --strict)
like "$line" '"ok":30,"failed":0,' "all is well afterwards"
stop_lb
finish
