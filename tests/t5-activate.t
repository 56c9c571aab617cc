#!/bin/bash
# Sockets from a service manager: matched by address, never closed for others, and no client is lost at a restart.
TEST_LIMIT=90
. "${0%/*}/lib.sh"

start_backend B1
for v in WEB SECOND SPARE UDP; do new_port $v; done
conf() {
	cat <<EOC
workers 2
pid $TMP/lb.pid
pool app {
    check load /healthcheck every 1s
    server b1 127.0.0.1:$B1
}
listen web {
    bind $1
    bind unix:$TMP/web.sock
    to app
}
$2
EOC
}
supervisor() { cat "$TMP/lb.pid" 2>/dev/null; }
activate() {	# ADDRESS... -- ARG...: this program under the tool; LB_PID is the tool's
	LB_LOG=$TMP/act.${#LB_LOGS[@]}.log
	: >"$LB_LOG"
	LB_LOGS+=("$LB_LOG")
	rm -f "$TMP/lb.pid"
	"$TESTBIN/activate" "$@" >"$TMP/starts" 2>>"$LB_LOG" 8>&- &
	ACT=$!
	BACKEND_PIDS+=("$ACT")
	wait_for 10 grep -q 'ready: 2 workers' "$LB_LOG"
}
deactivate() { kill -TERM "$ACT"; wait_for 10 _gone "$ACT"; wait "$ACT"; }
inode() { readlink "/proc/$1/fd"/* 2>/dev/null | sort -u; }
# Whether the supervisor holds the very socket that the tool opened.
shares() { comm -12 <(inode "$ACT" | grep socket) <(inode "$(supervisor)" | grep socket) | wc -l; }
known() { grep -Eq "$1" "$LB_LOG"; }

# --- matched, unmatched, nonsense ---
conf "127.0.0.1:$WEB" >"$TMP/c"
ok "starts with sockets that were opened for it" activate "127.0.0.1:$WEB" "127.0.0.1:$SPARE" "unix:$TMP/web.sock" "dgram:$UDP" -- "$LB" -c "$TMP/c"
is "$(shares)" 2 "uses the two that are in the configuration"
ok "names the one that is not" known "warning: descriptor 4 \(two\), 127\.0\.0\.1:$SPARE that the service manager passed is at no address that the configuration binds: closed"
ok "and the one that cannot be used" known "warning: descriptor 6, .*:$UDP that the service manager passed is not a stream socket: closed"
PORT=$WEB
like "$(load -n 50 --close)" '"ok":50,"failed":0' "serves"
like "$("$TESTBIN/load" "unix:$TMP/web.sock" -n 20)" '"ok":20,"failed":0' "on both"

# --- stop and start under load: nobody finds the door closed ---
load -c 6 -d 3 --pause 1 --close >"$TMP/oneshot" &
L=$!
for n in 1 2 3; do
	old=$(supervisor)
	kill -TERM "$old"
	ok "stopped and started $n" wait_for 10 eval "[ \"\$(supervisor)\" != '$old' ] && [ \"\$(grep -c 'ready: 2 workers' '$LB_LOG')\" -gt $n ]"
done
wait $L
diag "$(<"$TMP/oneshot")"
like "$(<"$TMP/oneshot")" '"failed":0,"closed":0' "no new connection was lost, no request"
between "$(field ok "$(<"$TMP/oneshot")")" 300 10000000 "and there were some"
is "$(grep -c '^started' "$TMP/starts")" 4 "that was $n restarts"
ok "the socket's file is still there" test -S "$TMP/web.sock"

# --- reload, upgrade and takeover keep them ---
load -c 4 -d 3 --pause 1 --close >"$TMP/oneshot" &
L=$!
kill -HUP "$(supervisor)"
ok "a reload" wait_for 8 known 'generation 2 serves, generation 1 retires'
is "$(shares)" 2 "keeps them"
kill -USR2 "$(supervisor)"
ok "an upgrade" wait_for 8 known 'generation 3 serves, generation 2 retires'
is "$(shares)" 2 "keeps them"
wait_for 5 eval '[ -n "$(_children "loadbalancer: heir" "$(supervisor)")" ]'
old=$(supervisor)
# The tool starts another one when its command ends: not now.
kill -STOP "$ACT"
kill -KILL "$old"
ok "a takeover" wait_for 8 known 'generation 4 serves, generation 3 retires'
is "$(shares)" 2 "keeps them"
wait $L
between "$(field failed "$(<"$TMP/oneshot")")" 0 2 "nobody noticed, but for what the dead had in its hands"
conf "127.0.0.1:$SECOND" >"$TMP/c"
kill -HUP "$(supervisor)"
ok "another address" wait_for 8 known "127.0.0.1:$WEB: no longer listened on; the service manager keeps it open"
is "$(shares)" 1 "and one of them is let go"
LB_PID=$(supervisor)
LB_PIDS+=("$LB_PID")
kill -TERM "$LB_PID"
ok "ends" wait_for 8 eval '[ ! -e "$TMP/lb.pid" ]'
ok "the socket's file is not ours to remove" test -S "$TMP/web.sock"
disown "$ACT"
kill -KILL "$ACT"
rm -f "$TMP/web.sock"

# --- one socket for both families ---
conf "*:$WEB" >"$TMP/c"
ok "all addresses, one socket of both families" activate "$WEB" -- "$LB" -c "$TMP/c"
is "$(shares)" 1 "is used"
ok "and nothing is missed" eval '! known "warning:"'
like "$(load -n 20 --close)" '"ok":20,"failed":0' "serves IPv4"
like "$("$TESTBIN/load" "[::1]:$WEB" -n 20 --close)" '"ok":20,"failed":0' "and IPv6"
req /headers
like "$BODY" 'X-Forwarded-For: 127\.0\.0\.1' "an IPv4 client has an IPv4 address"
kill -HUP "$(supervisor)"
ok "a reload" wait_for 8 known 'generation 2 serves, generation 1 retires'
like "$(load -n 20 --close)" '"ok":20,"failed":0' "serves on"
kill -USR2 "$(supervisor)"
ok "an upgrade" wait_for 8 known 'generation 3 serves, generation 2 retires'
like "$(load -n 20 --close)" '"ok":20,"failed":0' "serves on"
is "$(shares)" 1 "with the same socket"
ok "ends when the manager says so" deactivate

# --- the seed's command line, and somebody else's sockets ---
ok "the command line takes them as well" activate "127.0.0.1:$SPARE" "$SECOND" -- "$LB" -N 2 -p "$TMP/lb.pid" "$SECOND" "$B1"
is "$(shares)" 1 "by address"
PORT=$SECOND
like "$(load -n 20 --close)" '"ok":20,"failed":0' "serves"
deactivate
conf "127.0.0.1:$WEB" >"$TMP/c"
PORT=$WEB
LISTEN_PID=1 LISTEN_FDS=1 start_conf <"$TMP/c"
ok "what is meant for another process is not touched" eval 'wait_for 5 listening $WEB && ! known "service manager passed"'
finish
