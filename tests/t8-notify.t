#!/bin/bash
# What a service manager is told, by systemd's protocol.
. "${0%/*}/lib.sh"

start_backend B1
new_port PORT
conf() { printf '%s\n' "workers 1" "pool app {" "    server s 127.0.0.1:$B1" "}" "listen web {" "    bind 127.0.0.1:$PORT" "    to app" "}"; }

# manager ADDRESS FILE: writes each datagram to the file, between lines of dashes. An address with @ is abstract.
manager() {
	: >"$2"
	perl -MSocket -e 'my ($at, $file) = @ARGV; socket my $s, PF_UNIX, SOCK_DGRAM, 0 or die; $at =~ s/^\@/\0/;
		bind $s, $at =~ /^\0/ ? pack("S a*", AF_UNIX, $at) : pack_sockaddr_un($at) or die "$!"; $| = 1; open my $o, ">>", $file; $o->autoflush;
		alarm 100; print $o "bound\n"; while (defined recv $s, my $m, 4096, 0) { print $o "$m\n---\n" }' "$1" "$2" &
	MANAGER=$!
	BACKEND_PIDS+=("$MANAGER")
	wait_for 5 grep -q bound "$2"
}
told() { grep -Eq "$1" "$TMP/told"; }
times() { grep -c "$1" "$TMP/told"; }
ready() { [ "$(times '^READY=1')" = "$1" ]; }

manager "$TMP/notify" "$TMP/told"
export NOTIFY_SOCKET=$TMP/notify WATCHDOG_USEC=200000
start_conf < <(conf)
ok "READY=1 when clients can come" wait_for 5 told '^READY=1$'
ok "with the pid" told "^MAINPID=$LB_PID\$"
ok "and a status for people" told '^STATUS=generation 1 serves, 1 worker$'
alive() { [ "$(times '^WATCHDOG=1')" -ge 3 ]; }
ok "WATCHDOG=1, again and again" wait_for 5 alive
is "$(times '^READY=1')" 1 "ready once"

# --- a reload ---
before=$(perl -MTime::HiRes=clock_gettime,CLOCK_MONOTONIC -e 'printf "%d", 1e6 * clock_gettime(CLOCK_MONOTONIC)')
kill -HUP "$LB_PID"
ok "ready again after a reload" wait_for 5 ready 2
after=$(perl -MTime::HiRes=clock_gettime,CLOCK_MONOTONIC -e 'printf "%d", 1e6 * clock_gettime(CLOCK_MONOTONIC)')
is "$(times '^RELOADING=1$')" 1 "it said that it began"
between "$(sed -n 's/^MONOTONIC_USEC=//p' "$TMP/told")" "$before" "$after" "and when, by the manager's clock"
ok "what serves now" told '^STATUS=generation 2 serves'
is "$(grep -E '^(READY|RELOADING)' "$TMP/told" | tr '\n' ' ')" "READY=1 RELOADING=1 READY=1 " "in this order"

# --- one that is refused ends as well ---
echo bogus >>"$LB_CONF"
kill -HUP "$LB_PID"
ok "ready again after a reload that was refused" wait_for 5 ready 3
ok "and says so" told "^STATUS=serving; the last reload was refused: $LB_CONF:[0-9]+:1: .*bogus"
is "$(times '^RELOADING=1$')" 2 "it had begun"

# --- hung: no more signs of life ---
freeze "$LB_PID"
n=$(times WATCHDOG)
sleep 0.5 # time itself is tested: two signs of life would have come
between "$(($(times WATCHDOG) - n))" 0 1 "a supervisor that is stuck gives no sign of life"
kill -CONT "$LB_PID"
stop_lb
is "$LB_STATUS" 0 "stops in order"
ok "STOPPING=1" told '^STOPPING=1$'
ok "which may take as long as the grace timeout, and a little" told '^EXTEND_TIMEOUT_USEC=40000000$'
like "$(tail -n 3 "$TMP/told")" 'STOPPING|STATUS|---|WATCHDOG' "at the end"
is "$(grep -Evc '^(bound|---|READY=1|RELOADING=1|STOPPING=1|WATCHDOG=1|EXTEND_TIMEOUT_USEC=[0-9]+|MAINPID=[0-9]+|MONOTONIC_USEC=[0-9]+|STATUS=[ -~]+)$' "$TMP/told")" 0 \
    "nothing else was said"
kill $MANAGER

# --- the supervisor is killed: its heir is the main process then, and calms the watchdog from there on. As a manager
# does it, WATCHDOG_PID names the process that was started. ---
rm "$TMP/notify"
manager "$TMP/notify" "$TMP/told"
conf >"$TMP/c"
printf '%s\n' "log $TMP/h.log" "pid $TMP/pid" >>"$TMP/c"
bash -c 'WATCHDOG_PID=$$ exec "$@"' - "$LB" -c "$TMP/c" 2>"$TMP/h.err" 8>&- &
LB_PID=$! LB_PIDS+=($!) LB_LOGS+=("$TMP/h.err" "$TMP/h.log") FIRST=$!
heir() { _children 'loadbalancer: heir'; }
wait_for 5 ready 1 && wait_for 5 heir >/dev/null
ok "signs of life by the pid that is asked" wait_for 5 alive
HEIR=$(wait_for 5 eval '[ -n "$(heir)" ]' && heir)
disown "$LB_PID"
kill -KILL "$LB_PID"
ok "the heir says that it is the main process" wait_for 5 told "^MAINPID=$HEIR\$"
is "$(grep -A1 "^MAINPID=$HEIR\$" "$TMP/told" | head -n 2 | tail -n 1)" "STATUS=the supervisor was killed; its heir takes over" "first thing, and why"
ok "then that it is ready" wait_for 5 ready 2
n=$(times '^WATCHDOG=1')
more() { [ "$(times '^WATCHDOG=1')" -ge $((n + 3)) ]; }
ok "and it gives signs of life" wait_for 5 more
LB_PID=$HEIR
LB_PIDS+=("$HEIR")

# --- an upgrade: the same process; told like a reload ---
kill -USR2 "$HEIR"
ok "ready after an upgrade" wait_for 8 grep -q 'generation 3 serves' "$TMP/told"
is "$(grep -E '^(READY|RELOADING|MAINPID)' "$TMP/told" | tail -n 2 | tr '\n' ' ')" "READY=1 MAINPID=$HEIR " "the same main process"
n=$(times '^WATCHDOG=1')
ok "and still alive" wait_for 5 more

# --- who takes over gives a sign at once: several in a row must not make a silence longer than the patience ---
between "$(grep -E '^(READY|RELOADING|WATCHDOG)' "$TMP/told" | grep -A1 '^RELOADING' | grep -c '^WATCHDOG')" 1 3 "a sign of life first thing after an upgrade"

# --- killed with its heir: what is left in shared memory, by another name than the last pid, the next one removes ---
ok "the table is called after the first one" [ -e "/dev/shm/loadbalancer.$FIRST" ]
wait_for 5 eval '[ -n "$(heir)" ]'
freeze "$HEIR"	# or it makes another one before it is killed itself
# One that it has made just now may be there beside the one before, and not have its name yet.
wait_for 5 eval '[ -z "$(_children "loadbalancer: supervisor")" ]'
h=$(heir)
kill -KILL $h "$HEIR"
wait_for 5 _gone "$HEIR"
kill $MANAGER
wait_for 5 _gone $MANAGER
unset NOTIFY_SOCKET
"$LB" -c "$TMP/c" 2>/dev/null 8>&- &
LB_PID=$! LB_PIDS+=($!)
ok "the next one starts" wait_for 5 grep -q "supervisor\[$!\] info: ready" "$TMP/h.log"
ok "and clears away" [ ! -e "/dev/shm/loadbalancer.$FIRST" ]
stop_lb

# --- an abstract name; -D tells the daemon's pid; a watchdog that is meant for somebody else ---
manager "@lbtest-$$" "$TMP/told"
export NOTIFY_SOCKET=@lbtest-$$ WATCHDOG_PID=1
conf >"$TMP/c"
printf '%s\n' "log $TMP/d.log" "pid $TMP/pid" >>"$TMP/c"
timeout 20 "$LB" -D -c "$TMP/c" >/dev/null 2>&1 8>&-
LB_PID=$(< "$TMP/pid") LB_PIDS+=("$LB_PID") LB_LOGS+=("$TMP/d.log")
ok "an abstract name, and a daemon" wait_for 5 told "^MAINPID=$LB_PID\$"
kill $MANAGER
wait_for 5 _gone $MANAGER
kill -HUP "$LB_PID"
ok "a manager that is gone is no trouble" wait_for 5 grep -q 'generation 2 serves' "$TMP/d.log"
is "$(grep -c 'service manager cannot be told' "$TMP/d.log")" 1 "and is told of once"
is "$(times WATCHDOG)" 0 "no signs of life for who did not ask"
stop_lb

# --- nobody to tell, or nonsense ---
for bad in '' / relative "/$(printf 'x%.0s' {1..200})"; do
	export NOTIFY_SOCKET=$bad WATCHDOG_USEC=nonsense
	start_conf < <(conf)
	req /
	is "$CODE" 200 "NOTIFY_SOCKET=${bad:0:12}: serves"
	stop_lb
done
finish
