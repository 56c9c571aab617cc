#!/bin/bash
# Workers, health and the supervisor are killed, stopped, starved of descriptors.
TEST_LIMIT=180
. "${0%/*}/lib.sh"

pause() { read -r -t "$1" <> <(:); }	# the length of a measurement; never for readiness

start_backend B1
start_backend B2
new_port PORT
conf() {
	printf '%s\n' "$@" "heir off" "pool app {" "    check load /healthcheck every 1s" "    server b1 127.0.0.1:$B1" \
	    "    server b2 127.0.0.1:$B2" "}" "listen web {" "    bind 127.0.0.1:$PORT" "    to app" "}" >"$TMP/c"
}
count() { grep -c "$1" "$LB_LOG"; }
ready() { wait_for 10 eval "[ \"\$(count_workers)\" = $1 ]"; }

# --- kill -9 of workers under load ---
conf "workers 3"
start_conf <"$TMP/c"
ready 3
load -c 12 -d 3 --close >"$TMP/single" &
L=$!
for ((i = 0; i < 6; i++)); do
	victim=$(workers | shuf -n 1)
	kill -KILL "$victim"
	wait_for 5 _gone "$victim"
	ok "a worker is killed: another one comes" ready 3
	pause 0.3
done
wait $L
line=$(< "$TMP/single")
between "$(field ok "$line")" 1000 10000000 "others went on"
between "$(field failed "$line")" 0 $((6 * 12)) "no more is lost than they had in their hands"
is "$(count 'killed by signal 9 (Killed)')" 6 "the log says which and of what"
is "$(grep -c 'error: worker [0-9]* (pid [0-9]*, generation 1): killed by signal 9 (Killed); \(replaced at once\|it died soon after\)' "$LB_LOG")" 6 "and what is done"
like "$(load -n 300 -c 10 --close)" '"ok":300,"failed":0' "afterwards nothing is lost"

# --- what a dead worker had not received goes to its successor ---
stop_lb
conf "workers 1"
start_conf <"$TMP/c"
ready 1
w=$(workers)
kill -STOP "$w"
load -n 20 -c 20 --close >"$TMP/queued" &
L=$!
handed() { [ "$(count_fds $LB_PID)" -ge 1 ] && [ "$(grep -c ' 01 ' <(grep -i ":$(printf %04X "$PORT") " /proc/net/tcp))" -ge 20 ]; }
ok "20 connections wait for a worker that does not move" wait_for 5 handed
kill -KILL "$w"
wait $L
like "$(< "$TMP/queued")" '"ok":20,"failed":0' "it is killed: its successor answers them all"

# --- a worker that hangs ---
stop_lb
conf "workers 3" "hang-timeout 1s"
start_conf <"$TMP/c"
ready 3
load -n 300 -c 6 --close >"$TMP/null"
victim=$(workers | head -n 1)
kill -STOP "$victim"
line=$(load -n 600 -c 6 --close --timeout 5000)
like "$line" '"ok":600,"failed":0' "a worker that is stopped: nothing is lost"
between "$(field max_us "$line")" 0 900000 "what it had not taken is given to others soon"
ok "past the limit it is killed" wait_for 10 grep -q "has been hanging for .* and is killed" "$LB_LOG"
ok "and replaced" ready 3
ok "it is gone" _gone "$victim"
like "$(load -n 300 -c 6 --close)" '"ok":300,"failed":0' "all serve"

# --- workers that die at once: slower and slower, never for ever ---
start_ms=$(_now_ms)
for ((i = 0; i < 6; i++)); do
	wait_for 10 eval '[ -n "$(workers)" ]'
	for p in $(workers); do kill -KILL "$p" 2>/dev/null; done
done
ok "deaths in a row slow the respawn" grep -q 'it died soon after its start: replaced in [0-9]* ms' "$LB_LOG"
ok "all come back" ready 3
like "$(load -n 100 -c 4 --close)" '"ok":100,"failed":0' "and serve"

# --- health ---
h=$(health_pid)
kill -KILL "$h"
ok "health is killed: another one comes" wait_for 5 eval '[ -n "$(health_pid)" ] && [ "$(health_pid)" != $h ]'
ok "the log says so" grep -q "health (pid $h): killed by signal 9 (Killed); verdicts stay as they are" "$LB_LOG"
like "$(load -n 100 -c 4)" '"ok":100,"failed":0' "nobody noticed"
for ((i = 0; i < 4; i++)); do
	wait_for 10 eval '[ -n "$(health_pid)" ]'
	kill -KILL "$(health_pid)"
	like "$(load -n 50 -c 4)" '"ok":50,"failed":0' "again and again: verdicts stay"
done
ok "health comes back" wait_for 10 eval '[ -n "$(health_pid)" ]'
kill_backend B2
ok "and works" wait_for 5 eval 'tail -n 5 "$LB_LOG" | grep -q "b2 is down"'
restart_backend B2

# --- the supervisor is out of descriptors ---
soft=$(prlimit -p "$LB_PID" --nofile -o SOFT --noheadings | tr -d ' ')
used=$(find "/proc/$LB_PID/fd" -mindepth 1 | wc -l)
cpu() { awk '{ print $14 + $15 }' "/proc/$LB_PID/stat"; }
prlimit -p "$LB_PID" --nofile="$((used))":
before=$(cpu)
load -n 2 -c 2 --close --timeout 8000 >"$TMP/starved" &
L=$!
ok "out of descriptors: it says so" wait_for 5 grep -q 'cannot accept: Too many open files; new connections wait' "$LB_LOG"
pause 1
between $(($(cpu) - before)) 0 10 "and does not spin: centiseconds of CPU in a second"
is "$(count 'cannot accept')" 1 "nor fill the log"
prlimit -p "$LB_PID" --nofile="$soft":
wait $L
like "$(< "$TMP/starved")" '"ok":2,"failed":0' "with descriptors again, those who waited are served"

# --- kill -9 of the supervisor, without an heir (t5-heir.t has the other case): no orphans ---
children="$(workers) $(health_pid)"
disown "$LB_PID"
kill -KILL "$LB_PID"
for p in $children; do ok "child $p ends" wait_for 5 _gone "$p"; done
rm -f "/dev/shm/loadbalancer.$LB_PID" "/dev/shm/loadbalancer-seen.$LB_PID"

# --- children that cannot become what they should: they do not run; at the start nor at a reload ---
if [ "$(id -u)" = 0 ] && setpriv --bounding-set=-setuid true 2>/dev/null; then
	new_port PORT
	conf "workers 2"
	t=$(_now_ms)
	timeout 10 bash -c 'echo $$ >"$1"; exec setpriv --bounding-set=-setuid "$2" -c "$3"' - "$TMP/pid" "$LB" "$TMP/c" 2>"$TMP/err" 8>&-
	is "$?" 1 "privileges cannot be dropped: status 1"
	between $(($(_now_ms) - t)) 0 5000 "soon"
	ok "the log says why" grep -q 'privileges cannot be dropped: Operation not permitted; not starting' "$TMP/err"
	ok "nothing is left" _no_shm "$(< "$TMP/pid")"
	setpriv --bounding-set=-setuid "$LB" -D -c "$TMP/c" 2>/dev/null
	is "$?" 1 "with -D: status 1"

	conf "workers 2" "user root" "group root"
	LB_REAL=$LB
	printf '#!/bin/sh\nexec setpriv --bounding-set=-setuid "%s" "$@"\n' "$LB_REAL" >"$TMP/weak"
	chmod 755 "$TMP/weak"
	LB=$TMP/weak
	start_conf <"$TMP/c"
	LB=$LB_REAL
	ready 2
	before=$(workers)
	load -c 4 -d 2 >"$TMP/kept" &
	L=$!
	conf "workers 3"
	cp "$TMP/c" "$LB_CONF"
	kill -HUP "$LB_PID"
	ok "a reload whose workers do not come up is undone" wait_for 10 grep -q 'generation 2 does not come up; generation 1 goes on' "$LB_LOG"
	ok "health comes back" wait_for 5 eval '[ -n "$(health_pid)" ]'
	wait $L
	like "$(< "$TMP/kept")" '"failed":0,"closed":0' "nothing was lost"
	is "$(workers)" "$before" "the same workers serve"
	conf "workers 1" "user root" "group root"
	cp "$TMP/c" "$LB_CONF"
	kill -HUP "$LB_PID"
	ok "a good one works afterwards" wait_for 10 grep -q 'generation 3 serves' "$LB_LOG"
	ready 1
	like "$(load -n 100 -c 4 --close)" '"ok":100,"failed":0' "and serves"
	stop_lb
	is "$LB_STATUS" 0 "ends with 0"
fi
finish
