#!/bin/bash
# -D, pid file, logs and their reopening, titles, ends that are errors.
TEST_LIMIT=120
. "${0%/*}/lib.sh"

start_backend B1
new_port PORT
pid_of() { cat "$1" 2>/dev/null; }

# --- titles ---
start_lb -N 2 @ "$B1"
wait_for 5 eval '[ "$(count_workers)" = 2 ]'
title() { tr '\0' '|' <"/proc/$1/cmdline"; }
comm() { cat "/proc/$1/comm"; }
like "$(title "$LB_PID")" '^loadbalancer: supervisor\|?$' "the supervisor's title"
is "$(comm "$LB_PID")" "lb: supervisor" "and comm"
like "$(title "$(workers | head -n 1)")" '^loadbalancer: worker [12]\|?$' "a worker's title"
like "$(comm "$(workers | head -n 1)")" '^lb: worker [12]$' "and comm"
like "$(title "$(health_pid)")" '^loadbalancer: health\|?$' "health's title"
is "$(comm "$(health_pid)")" "lb: health" "and comm"
kill -USR2 "$LB_PID"; kill -PIPE "$LB_PID"
req /
is "$CODE" 200 "an upgrade to itself, and SIGPIPE, do no harm"

# --- the port is taken ---
t=$(_now_ms)
run_lb "$PORT" "$B1"
is "$STATUS" 1 "a port that is taken: status 1"
like "$ERR" "cannot listen on .*:$PORT: Address already in use" "says which and why"
is "$(wc -l <<<"$ERR")" 1 "in one line"
between $(($(_now_ms) - t)) 0 1500 "at once"
run_lb -D "$PORT" "$B1"
is "$STATUS" 1 "the same with -D: the parent's status tells"
like "$ERR" "cannot listen on" "and its stderr says why"
stop_lb

# --- the daemon ---
conf() {
	printf '%s\n' "$@" "heir off" "workers 2" "pid $TMP/lb.pid" "pool app {" "    server s 127.0.0.1:$B1" "}" \
	    "listen web {" "    bind 127.0.0.1:$PORT" "    to app" "}" >"$TMP/c"
}
new_port PORT
conf "log $TMP/lb.log"
# $(...) ends when the last holder of its pipe is gone: none of the processes may keep it.
out=$(timeout 10 "$LB" -D -c "$TMP/c" 2>&1)
is "$?" 0 "-D returns with status 0"
is "$out" "" "and says nothing"
LB_PID=$(< "$TMP/lb.pid")
LB_PIDS+=("$LB_PID")
LB_LOGS+=("$TMP/lb.log")
ok "it listens when -D returns" listening "$PORT"
ok "and the first round of checks is done" grep -q 'is up' "$TMP/lb.log"
req /
is "$CODE" 200 "serves"
is "$(ps -o sid= -p "$LB_PID" | tr -d ' ')" "$(ps -o pgid= -p "$LB_PID" | tr -d ' ')" "in a session of its own"
ok "which it does not lead" [ "$(ps -o sid= -p "$LB_PID" | tr -d ' ')" != "$LB_PID" ]
ok "without a terminal" [ "$(ps -o tty= -p "$LB_PID")" = "?" ]
for p in $LB_PID $(workers) $(health_pid); do
	ok "stdin, stdout, stderr of $(comm $p) are /dev/null" \
	    [ "$(readlink /proc/$p/fd/0 /proc/$p/fd/1 /proc/$p/fd/2 | sort -u)" = /dev/null ]
done

# --- the pid file ---
run_lb -c "$TMP/c"
is "$STATUS" 1 "a second instance with the same pid file: status 1"
like "$ERR" "another instance is running" "says why"
is "$(< "$TMP/lb.pid")" "$LB_PID" "the file is left alone"

# --- logs: moved away, opened anew ---
mv "$TMP/lb.log" "$TMP/lb.log.1"
kill -USR1 "$LB_PID"
ok "SIGUSR1: a new file" wait_for 5 [ -s "$TMP/lb.log" ]
holders() { local p; for p in $LB_PID $(workers) $(health_pid); do readlink /proc/$p/fd/* | grep -cx "$1"; done | sort -n | uniq | tr '\n' ' '; }
ok "all processes hold it, once" wait_for 5 eval '[ "$(holders "$TMP/lb.log")" = "1 " ]'
ok "nobody holds the old one" wait_for 5 eval '[ "$(holders "$TMP/lb.log.1")" = "0 " ]'
ok "health writes to it" wait_for 5 [ -n "$(health_pid)" ]
kill_backend B1
ok "what happens is in the new one" wait_for 10 grep -q 'is down' "$TMP/lb.log"
restart_backend B1
for ((i = 0; i < 20; i++)); do kill -USR1 "$LB_PID"; done
wait_for 5 [ -n "$(health_pid)" ]
req /
ok "twenty of them" eval '! _gone $LB_PID'
ok "hold one file still" wait_for 5 eval '[ "$(holders "$TMP/lb.log")" = "1 " ]'
kill -KILL "$LB_PID"
ok "kill -9 of the supervisor: the children end" wait_for 10 eval '! listening $PORT && ! pgrep -f "^loadbalancer: worker" -P 1 >/dev/null'
KILLED=$LB_PID

# --- what it left does not keep a successor from starting ---
ok "the pid file is stale" [ -s "$TMP/lb.pid" ]
timeout 10 "$LB" -D -c "$TMP/c"
is "$?" 0 "a successor starts all the same"
LB_PID=$(< "$TMP/lb.pid")
LB_PIDS+=("$LB_PID")
req /
is "$CODE" 200 "and serves"
ok "what was left in shared memory is gone" _no_shm "$KILLED"
stop_lb || true
ok "ends" wait_for 10 _gone "$LB_PID"
ok "without a pid file" [ ! -e "$TMP/lb.pid" ]
echo 'precious' >"$TMP/lb.pid"
run_lb -c "$TMP/c"
is "$STATUS" 1 "a file that is no pid file: status 1"
is "$(< "$TMP/lb.pid")" precious "and it is left alone"
rm "$TMP/lb.pid"

# --- a log that cannot be opened, a user that does not exist ---
conf "log /nonexistent/lb.log"
timeout 10 bash -c 'echo $$ >"$1"; exec "$2" -c "$3"' - "$TMP/pid" "$LB" "$TMP/c" 2>"$TMP/err" 8>&-
is "$?" 1 "a log that cannot be opened: status 1"
ok "says which" grep -q "/nonexistent/lb.log: No such file" "$TMP/err"
ok "no pid file is left" [ ! -e "$TMP/lb.pid" ]
ok "nor shared memory" _no_shm "$(< "$TMP/pid")"
ok "nor is it listening" eval '! listening $PORT'

# --- stderr goes to a file: a daemon goes on writing there ---
conf
timeout 10 "$LB" -D -c "$TMP/c" 2>"$TMP/err.log"
is "$?" 0 "-D with stderr in a file"
LB_PID=$(< "$TMP/lb.pid")
LB_PIDS+=("$LB_PID")
LB_LOGS+=("$TMP/err.log")
ok "which is the log" grep -q 'ready: 2 workers' "$TMP/err.log"

# --- -t, -T, -v, -V, -h ---
run_lb -t -c "$TMP/c"
is "$STATUS" 0 "-t of a good file: 0, and the running one is not disturbed"
run_lb -T -c "$TMP/c"
is "$STATUS" 0 "-T: 0"
like "$OUT" "server s 127.0.0.1:$B1" "prints what is in effect"
echo 'workers none' >"$TMP/bad"
run_lb -t -c "$TMP/bad"
is "$STATUS" 1 "-t of a bad file: 1"
like "$ERR" "bad:1:9" "with place"
run_lb -v
is "$STATUS" 0 "-v"
like "$OUT" '^loadbalancer [0-9]+\.[0-9]+\.[0-9]+$' "is one line"
run_lb -V
like "$OUT" 'compiler: .*shared table: layout' "-V says how it was built"
run_lb -h
is "$STATUS" 0 "-h"
like "$OUT" '-N' "explains"
finish
