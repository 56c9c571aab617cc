#!/bin/bash
# Doing nothing costs nothing: the processor time of all processes together while nobody asks.
. "${0%/*}/lib.sh"

start_backend S1
start_backend S2
start_lb @ "$S1" "$S2"
line=$(load -n 500 -c 20 --strict)
like "$line" '"ok":500,' "some traffic before"
# Kept connections are idle, not busy.
"$TESTBIN/raw" "127.0.0.1:$PORT" -c 200 -t 90000 -w nothing >"$TMP/null" &
idle=$!
# They are handed over late, a second after their coming, because they say nothing.
held() { local p n=0; for p in $(workers); do n=$((n + $(find "/proc/$p/fd" -lname 'socket:*' | wc -l))); done; echo $n; }
ok "200 connections are held" wait_for 10 eval '[ "$(held)" -ge 200 ]'

# Nanoseconds on a processor since their start; the kernel counts them exactly.
spent() { local p n=0 t; for p in $LB_PID $(workers) $(health_pid); do read -r t _ <"/proc/$p/schedstat"; n=$((n + t)); done; echo $n; }
if [ -r "/proc/$LB_PID/schedstat" ]; then
	sleep 1 # time itself is tested: what the traffic left to do
	# A machine that takes memory away from idle processes makes their next turn dear: the best of a few spans counts. A
	# process that does not sleep shows in all of them.
	for _ in 1 2 3 4; do
		before=$(spent) start=$(_now_ms)
		sleep 5 # time itself is tested: a round of probes lies in between
		used=$(($(spent) - before)) took=$(($(_now_ms) - start))
		limit=$((took * 1000)) # 0.1 %
		sanitized && limit=$((limit * 5))
		[ "$used" -lt "$limit" ] && break
	done
	ok "idle for $took ms: $((used / 1000)) us used by all processes, below $((limit / 1000)) us (0.1 %)" [ "$used" -lt "$limit" ]
else
	skip "the kernel does not count (schedstat)"
fi
# Sleeping in epoll, not spinning with a short timeout.
switches() { local p n=0 v; for p in $LB_PID $(workers) $(health_pid); do v=$(awk '/^voluntary/ { print $2 }' "/proc/$p/status"); n=$((n + v)); done; echo $n; }
before=$(switches)
sleep 2 # time itself is tested
ok "woke up $(($(switches) - before)) times in 2 s" [ $(($(switches) - before)) -lt 60 ]
kill "$idle"
finish
