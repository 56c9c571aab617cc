#!/bin/bash
# SIGTERM, SIGQUIT, SIGINT: what is in flight is finished, or not; nothing is left behind.
TEST_LIMIT=120
. "${0%/*}/lib.sh"

start_backend B1
start_backend SLOW --delay 3500 --log "$TMP/slow.log"
slow_requests() { grep -c 'GET / ' "$TMP/slow.log"; }
conf() {	# FURTHER-LINE...
	printf '%s\n' "$@" "workers 2" "pid $TMP/lb.pid" "pool app {" "    server slow 127.0.0.1:$SLOW" "}" \
	    "listen web {" "    bind 127.0.0.1:$PORT" "    bind unix:$TMP/web.sock" "    to app" "}" >"$TMP/c"
}
start() { start_conf <"$TMP/c" && wait_for 5 eval '[ "$(count_workers)" = 2 ]'; }
in_flight() {	# starts a request and waits until the server has it
	local n
	n=$(slow_requests)
	load -n 1 --timeout 8000 >"$TMP/answer" &
	REQUEST=$!
	wait_for 5 eval "[ \"\$(slow_requests)\" -gt $n ]"
}
answered() { wait $REQUEST; grep -q '"ok":1' "$TMP/answer"; }
nothing_left() {	# PIDS
	local p
	for p; do _gone "$p" || return 1; done
	[ ! -e "$TMP/lb.pid" ] && [ ! -e "$TMP/web.sock" ] && _no_shm "$LB_PID"
}

new_port PORT
conf
for sig in TERM QUIT; do
	start
	is "$(< "$TMP/lb.pid")" "$LB_PID" "SIG$sig: the pid file holds the pid"
	children="$(workers) $(health_pid)"
	in_flight
	kill -$sig "$LB_PID"
	ok "no longer listening" wait_for 5 eval '! listening $PORT'
	ok "while it still answers" eval '! _gone $LB_PID'
	ok "the answer in flight comes" answered
	ok "then it ends" wait_for 5 _gone "$LB_PID"
	stop_lb
	is "$LB_STATUS" 0 "with status 0"
	ok "nothing is left" nothing_left $children
done

start
children="$(workers) $(health_pid)"
in_flight
kill -TERM "$LB_PID"
wait_for 5 eval '! listening $PORT'
t=$(_now_ms)
stop_lb TERM
between $(($(_now_ms) - t)) 0 500 "a second SIGTERM: at once"
is "$LB_STATUS" 0 "with status 0"
ok "nothing is left" nothing_left $children
wait $REQUEST

start
children="$(workers) $(health_pid)"
in_flight
t=$(_now_ms)
stop_lb INT
between $(($(_now_ms) - t)) 0 500 "SIGINT: at once"
is "$LB_STATUS" 0 "with status 0"
ok "nothing is left" nothing_left $children
wait $REQUEST

conf "grace-timeout 300ms"
start
children="$(workers) $(health_pid)"
in_flight
t=$(_now_ms)
stop_lb TERM
between $(($(_now_ms) - t)) 250 900 "the grace period is a limit"
is "$LB_STATUS" 0 "with status 0"
ok "nothing is left" nothing_left $children
wait $REQUEST

# --- a signal to the whole process group, as service managers and terminals send it ---
conf
start
in_flight
kill -TERM $(workers)
kill -TERM "$LB_PID"
ok "SIGTERM to all of them: the answer in flight comes" answered
stop_lb
is "$LB_STATUS" 0 "status 0"

# --- under load: every connection that was accepted is answered ---
start_lb -N 3 @ "$B1"
wait_for 5 eval '[ "$(count_workers)" = 3 ]'
load -c 16 -d 2 --close >"$TMP/single" &
L=$!
"$TESTBIN/load" "127.0.0.1:$PORT" -n 500 -c 8 --close >"$TMP/null"
stop_lb TERM
is "$LB_STATUS" 0 "SIGTERM under load: status 0"
wait $L
line=$(< "$TMP/single")
ok "who was not refused got an answer" eval '[[ $line == *"\"why\":{\"connect\":"+([0-9])"}"* ]]' || diag "$line"

# --- started and stopped in the very first moment ---
for sig in TERM INT HUP; do
	new_port PORT
	"$LB" -N 4 "$PORT" "$B1" >"$TMP/first.log" 2>&1 8>&- &
	LB_PID=$!
	wait_for 5 listening "$PORT"
	kill -$sig $LB_PID
	[ $sig = HUP ] && wait_for 5 grep -q 'generation 2 serves' "$TMP/first.log" && kill $LB_PID
	wait $LB_PID
	is "$?" 0 "SIG$sig in the first moment"
	ok "nothing is left" _no_shm $LB_PID
done
finish
