#!/bin/bash
# Connections are spread over workers; idle costs nothing; thousands move at a reload.
TEST_LIMIT=180
. "${0%/*}/lib.sh"

pause() { read -r -t "$1" <> <(:); }	# the length of a measurement; never for readiness

start_backend B1
start_backend B2

sockets() { find "/proc/$1/fd" -lname 'socket:*' 2>/dev/null | wc -l; }
spread() {	# of the workers' sockets: most - least
	local p n low=999999 high=0
	for p in $(workers); do
		n=$(sockets "$p")
		[ "$n" -lt "$low" ] && low=$n
		[ "$n" -gt "$high" ] && high=$n
	done
	echo $((high - low))
}
total() { local p n=0; for p in $(workers); do n=$((n + $(sockets "$p"))); done; echo $n; }

# --- connections that are kept: evenly, one by one and in a flood ---
start_lb -N 4 @ "$B1" "$B2"
wait_for 5 eval '[ "$(count_workers)" = 4 ]'
base=$(total)
# mode http listeners defer: the connection must say something to be handed over
raw -c 400 'GET / HTTP/1.1\r\nHost: x\r\n\r\n' -w 'GET /' -t 20000 -e "$TMP/served" -k >"$TMP/flood" 2>&1 &
R=$!
ok "400 connections are with the workers" wait_for 8 eval '[ "$(total)" -ge $((base + 400)) ]'
between "$(spread)" 0 30 "spread evenly"
load -n 2000 -c 16 --close >"$TMP/out"
like "$(< "$TMP/out")" '"ok":2000,"failed":0' "served beside them"
: >"$TMP/served"
ok "they close" wait $R

# --- idle: no wake-ups but health's ---
switches() { local p n=0 v; for p in $LB_PID $(workers); do v=$(awk '/^voluntary/ { s += $2 } END { print s }' "/proc/$p/status"); n=$((n + v)); done; echo $n; }
cpu_ns() { local p n=0 v; for p in $LB_PID $(workers) $(health_pid); do read -r v _ <"/proc/$p/schedstat"; n=$((n + v)); done; echo $n; }
wait_for 5 eval 'a=$(switches); pause 0.6; [ "$(switches)" = "$a" ]'
a=$(switches) c=$(cpu_ns)
pause 3	# the time that is measured
b=$(switches) d=$(cpu_ns)
between $((b - a)) 0 60 "idle for 3 s: the supervisor and 4 workers hardly wake"
between $(((d - c) / 1000)) 0 3000 "microseconds of CPU of all processes: below 0.1 %"
stop_lb
is "$LB_STATUS" 0 "ends with 0"

# --- thousands of idle connections move at a reload ---
new_port PORT
cat >"$TMP/c" <<EOC
workers 3
pool app {
    server b1 127.0.0.1:$B1
    server b2 127.0.0.1:$B2
}
listen web {
    bind 127.0.0.1:$PORT
    idle-timeout 1h
    head-timeout 1h
    to app
}
EOC
start_conf <"$TMP/c"
wait_for 5 eval '[ "$(count_workers)" = 3 ]'
N=3000
base=$(total)
raw -c $N -t 60000 'GET /first HTTP/1.1\r\nHost: x\r\n\r\n' -w 'GET /first' -e "$TMP/go" \
    'GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >"$TMP/moved" 2>&1 &
R=$!
ok "$N idle connections" wait_for 20 eval '[ "$(total)" -ge $((base + N)) ]'
t=$(_now_ms)
kill -HUP "$LB_PID"
ok "move to new workers" wait_for 10 grep -q 'generation 1 is gone' "$LB_LOG"
diag "$N moved in $(($(_now_ms) - t)) ms"
ok "every one of them" wait_for 5 eval '[ "$(total)" -ge $((base + N)) ]'
between "$(spread)" 0 60 "spread evenly"
: >"$TMP/go"
wait $R
like "$(< "$TMP/moved")" 'GET /last' "and are used again"
stop_lb
is "$LB_STATUS" 0 "ends with 0"
finish
