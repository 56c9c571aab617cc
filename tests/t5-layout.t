#!/bin/bash
# An upgrade to a program whose shared table looks otherwise: the table is made anew, and what is known goes over.
TEST_LIMIT=120
. "${0%/*}/lib.sh"

LBCTL=${LBCTL:-build/default/lbctl}
root=$(cd "${0%/*}/.." && pwd)
start_backend B1
start_backend B2
start_backend B3
start_backend E1 --tcp echo
new_port PORT
new_port RAW
OLD=$("$LB" -v | cut -d' ' -f2)

# The same source with another layout: fields moved, others in between, rows of another size.
mkdir "$TMP/src"
tar -C "$root" --exclude=./build --exclude=./.git --exclude=./tests -cf - . | tar -C "$TMP/src" -xf -
cd "$TMP/src" || exit 2
layout=$(sed -n 's/^#define SHM_LAYOUT[[:space:]]*\([0-9]*\).*/\1/p' shm_stats.h)
sed -i -e 's/^#define SHM_LAYOUT.*/#define SHM_LAYOUT 999/' \
    -e 's/^\(.*_Atomic uint64_t latency\[SHM_LATENCY_BUCKETS\];.*\)$/\1\n	_Atomic uint64_t news[24];/' \
    -e 's/^\(.*_Atomic uint32_t verdict;.*\)$/	alignas(SHM_LINE) _Atomic uint32_t novelty[16];\n\1/' \
    -e 's/sizeof(struct shm_health) == 4/sizeof(struct shm_health) == 5/' shm_stats.h
# Not the compiler's speed is tested.
env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -j2 BUILD=b SAN= VERSION=9.9.9 CFLAGS=-O0 CC="${CC:-cc}" b/loadbalancer b/lbctl >"$TMP/build" 2>&1
rc=$?
cd - >/dev/null || exit 2
ok "another program is built" [ $rc = 0 ]
[ $rc = 0 ] || { complain "$(tail -n 5 "$TMP/build")"; finish; }
is "$("$TMP/src/b/loadbalancer" -V | grep layout)" "shared table: layout 999" "another program, layout 999 instead of $layout"

cp "$LB" "$TMP/lb"
conf() {
	cat <<EOC
workers 2
hang-timeout 1s
pid $TMP/lb.pid
control $TMP/ctl.sock
pool app {
    balance round-robin
    check load /healthcheck every 300ms
    server b1 127.0.0.1:$B1
    server b2 127.0.0.1:$B2
    server b3 127.0.0.1:$B3
}
pool echo {
    server e1 127.0.0.1:$E1
}
listen web {
    bind 127.0.0.1:$PORT
    to app
}
listen raw {
    bind 127.0.0.1:$RAW
    mode tcp
    to echo
}
EOC
}
saved=$LB
LB=$TMP/lb
start_conf < <(conf)
LB=$saved
ctl() { "$LBCTL" -i "$LB_PID" "$@"; }
# Answers of the server that serves, by whichever program can read the table.
answers() { ctl metrics | awk '/^loadbalancer_server_responses_total.*"b3"/ { n += $NF } END { print n + 0 }'; }
upgrade() {	# PROGRAM VERSION
	cp "$1" "$TMP/lb.next" && mv "$TMP/lb.next" "$TMP/lb"
	local n
	n=$(grep -c "version $2 takes over" "$LB_LOG")
	if [ "$1" = "$saved" ]; then kill -USR2 "$LB_PID"; else ctl upgrade >"$TMP/said"; fi
	wait_for 10 eval "[ \"\$(grep -c 'version $2 takes over' '$LB_LOG')\" -gt $n ]" &&
	    wait_for 10 eval 'tail -n 12 "$LB_LOG" | grep -q "is gone: "'
}

ok "a server is drained by hand" ctl drain app/b2
ok "another gets its weight by hand" ctl weight app/b3 7
kill_backend B1
ok "a third is down" wait_for 5 grep -q 'app/b1 is down' "$LB_LOG"
like "$(load -n 500 -c 4)" '"ok":500' "requests are counted"
between "$(answers)" 500 100000 "as the metrics say"
started=$(ctl --json show | grep -o '"started[a-z_]*":[^,]*' | head -n 1)

load -c 8 -d 4 --pause 1 --last >"$TMP/kept" 2>/dev/null &
kept=$!
load -c 3 -d 4 --pause 1 --close >"$TMP/oneshot" &
oneshot=$!
"$TESTBIN/tunnel" "127.0.0.1:$RAW" -c 6 -d 4500 >"$TMP/tunnels" 2>&1 &
tunnels=$!
before=$(answers)
ok "an upgrade to another layout" upgrade "$TMP/src/b/loadbalancer" 9.9.9
like "$(<"$TMP/said")" 'takes over.*it serves with a table of another layout' "lbctl says so"
ok "the log says what it means" grep -q "has layout $layout, this program's is 999: it is made anew" "$LB_LOG"
LBCTL=$TMP/src/b/lbctl
between "$(answers)" "$before" 100000000 "totals went over"
like "$(ctl show servers)" 'b1 .*down' "what was down is down"
is "$(grep -c 'app/b1 is down' "$LB_LOG")" 1 "and was never taken for anything else"
like "$(ctl show servers)" 'b2 .*drain' "what was drained is drained"
like "$(ctl show servers)" '7, set by hand' "the weight by hand stands"
is "$(ctl --json show | grep -o '"started[a-z_]*":[^,]*' | head -n 1)" "$started" "started when it was started"
is "$(find /dev/shm -name "loadbalancer.$LB_PID" | wc -l)" 1 "one table, of the same name"
restart_backend B1
ok "health goes on" wait_for 5 eval 'tail -n 20 "$LB_LOG" | grep -q "app/b1 is up"'
ok "and back to this layout" upgrade "$saved" "$OLD"
LBCTL=${saved%/*}/lbctl
ok "the log says that, too" grep -q "has layout 999, this program's is $layout: it is made anew" "$LB_LOG"
wait $kept $oneshot
wait $tunnels
is $? 0 "no tunnel is cut"
diag "$(cat "$TMP/kept" "$TMP/oneshot" "$TMP/tunnels")"
like "$(<"$TMP/kept")" '"failed":0,"closed":0.*"idle_closed":0' "kept connections: nothing lost, none closed"
like "$(<"$TMP/oneshot")" '"failed":0,"closed":0' "one connection a request: nothing lost"
between "$(answers)" "$before" 100000000 "totals went over"
is "$(grep -c 'hanging' "$LB_LOG")" 0 "no worker was taken for one that hangs"

# --- the heir, too, may find another program ---
cp "$TMP/src/b/loadbalancer" "$TMP/lb.next" && mv "$TMP/lb.next" "$TMP/lb"
wait_for 5 eval '[ -n "$(_children "loadbalancer: heir")" ]'
kill -KILL "$LB_PID"
wait "$LB_PID" 2>/dev/null
first=$LB_PID
ok "the supervisor is killed: its heir becomes the other program" wait_for 8 eval '[ "$(cat "$TMP/lb.pid")" != "$first" ] && grep -c "version 9.9.9 takes over" "$LB_LOG" | grep -qx 2'
LB_PID=$(cat "$TMP/lb.pid") LB_PIDS+=("$LB_PID")
like "$(load -n 300 -c 4 --close)" '"ok":300,"failed":0' "which serves"
stop_lb
ok "nothing of the table is left" _no_shm "$first"
finish
