#!/bin/bash
# lbctl top and show on a terminal, during an outage: legible at 80 columns, keys, filter, resizing. Driven by tmux.
TEST_LIMIT=90
. "${0%/*}/lib.sh"
LBCTL=$(realpath "${LBCTL:-build/default/lbctl}")
export TERM=screen

N=0
term() { tmux -S "$TMP/tmux.$N" -f /dev/null "$@" 8>&-; }
# at COLUMNS ROWS COMMAND...: runs in a terminal of that size
at() { term kill-server 2>/dev/null; N=$((N + 1)); term new-session -d -x "$1" -y "$2" "${*:3}"; }
look() { SCREEN=$(term capture-pane -p "$@" 2>/dev/null); }
# sees REGEX [CAPTURE-OPTION]: within three seconds
sees() { wait_for 3 _sees "$@" || { diag "$SCREEN"; return 1; }; }
_sees() { look "${@:2}"; [[ $SCREEN =~ $1 ]]; }
gone() { wait_for 3 eval '! _sees "$1"' || { diag "$SCREEN"; return 1; }; }
keys() { term send-keys "$@"; }
top() { at "$1" "$2" "NO_COLOR=$3 $LBCTL -i $LB_PID --interval 200ms top"; }
trap 'rc=$?; term kill-server 2>/dev/null; (exit $rc); _cleanup' EXIT

for i in 1 2 3; do start_backend "B$i" --name "b$i"; done
new_port PORT
new_port NOBODY
conf() {
	cat <<E2
workers 2
control $TMP/control.sock
pool app {
	balance least-connections
	check http /healthcheck every 200ms
	server app1 127.0.0.1:$B1
	server app2 127.0.0.1:$B2 weight 3
	server spare 127.0.0.1:$NOBODY backup
}
pool shop {
	balance round-robin
	check http /healthcheck every 200ms
	server a-name-that-is-longer-than-its-column-1 127.0.0.1:$B1
	server s2 127.0.0.1:$B3
}
pool farm {
	check http /healthcheck every 200ms
	server f1 127.0.0.1:$B1
E2
	for i in {2..9}; do echo "	server f$i 127.0.0.1:$NOBODY"; done
	cat <<E2
}
listen web {
	bind 127.0.0.1:$PORT
	route path /shop/ to shop
	to app
}
E2
}
start_conf < <(conf)
"$TESTBIN/load" "127.0.0.1:$PORT" -c 2 -d 40 --rate 200 --path /shop/x >/dev/null 2>&1 8>&- &
LOAD=$!
disown $LOAD
kill_backend B3

# --- 80 columns: what is wrong, since when, why ---
top 80 24 ''
ok "who is sick, since when, why" sees '! shop/s2 is down since [0-9:]{8} \([0-9a-z]+\): [a-z ]+'
ok "many in the same trouble share a line" sees $'! pool farm: 8 of 9 servers are down, the first since .*: connection[ \n]+refused \\(f2, f3, f4'
ok "pools, with a header" sees $'\npool shop: round-robin; 1 of 2 up; .*\n *SERVER  *STATE  *SINCE FLIGHT RATE/s  ERR%     P99  WHY'
ok "a server in a line, and why it is down" sees $'\n  s2  *down  *[0-9a-z]+ +0 +[0-9.]+ +[0-9.]+ +[^ ]+  (connection refused|closed without an answer)'
ok "a backup" sees $'\n  spare  *down .*connection refused'
ok "rates" sees $'\n  [^ ]*column-1 +up +[0-9a-z]+ +[0-9]+ +[1-9][0-9]+ '
look
is "$(awk 'length > 80' <<<"$SCREEN" | wc -l)" 0 "no line is longer than the terminal"
is "$(wc -l <<<"$SCREEN")" 24 "as many as it has"
look -e
like "$SCREEN" $'\033\[1m\033\[31m! |\033\[1;31m! ' "in red"
like "$SCREEN" 'lines 1-23 of [0-9]+' "there is more below, and it says so"

# --- keys ---
keys f
ok "a page on" sees $'\n  f9  *down'
keys g
ok "back to the top" sees '^loadbalancer '
keys t
ok "only trouble" sees $'\n  and 1 more.*'
keys t s
ok "sorted by state" sees 'by state'
ok "who is down comes first" sees $'SERVER[^\n]*\n  spare  *down'
keys /
keys s h o p
ok "a filter, while it is typed" sees 'servers, pool or pattern: shop_'
ok "only these" gone $'\npool app'
keys Enter
ok "it stays" sees 'filter shop'
keys / BSpace BSpace BSpace BSpace f 9 Enter
ok "another one" sees $'\npool farm.*\n  f9  *down.*\n  and 8 more'
keys Escape
ok "all again" sees $'\npool app'
keys h
ok "keys are told" sees 'sort: c configuration'
keys h Space
ok "pause" sees PAUSED
keys Space

# --- other sizes ---
term resize-window -x 140 -y 40
ok "a larger terminal: more figures" sees 'WEIGHT  FLIGHT REQUESTS RATE/s  ERR%     P50     P99 AVAIL%  LAST PROBE'
ok "all lines" gone 'lines 1-'
term resize-window -x 40 -y 8
ok "a tiny one" sees '^loadbalancer '
look
is "$(awk 'length > 40' <<<"$SCREEN" | wc -l)" 0 "no line is longer"
keys q
ok "q quits" wait_for 3 eval '! term ls >/dev/null 2>&1'

# --- the server comes back while one looks; the supervisor stops ---
top 100 30 1
ok "again" sees '! shop/s2 is down'
look -e
is "$(grep -c $'\033\[[0-9;]*3[0-9]m' <<<"$SCREEN")" 0 "NO_COLOR: no colours"
restart_backend B3
ok "a server that comes back" gone '! shop/s2'
freeze "$LB_PID"
ok "a supervisor that is stopped, and what to do" sees '! the supervisor is stopped .SIGSTOP.: .*kill -CONT'
kill -CONT "$LB_PID"
set -- $(workers)
kill -STOP "$1"
ok "so is a worker, and what waits" sees "! worker [12] .pid $1. is stopped .SIGSTOP.: its [0-9]+ client"
kill -CONT "$1"

# --- show on a terminal ---
at 80 40 "$LBCTL -i $LB_PID show; sleep 60"
ok "show, in 80 columns" sees 'WHY, OR LAST PROBE'
at 140 40 "$LBCTL -i $LB_PID show; sleep 60"
ok "and in more" sees 'LAST PROBE'
at 80 24 "$LBCTL -i $LB_PID show conns; sleep 60"
ok "connections, in 80 columns" sees $'CLIENT +STATE +FOR +SERVER +REQUEST\n127'
look
is "$(awk 'length > 80' <<<"$SCREEN" | wc -l)" 0 "no line is longer"
term kill-server 2>/dev/null
kill -KILL "$LOAD" 2>/dev/null
wait_for 3 _gone "$LOAD"
finish
