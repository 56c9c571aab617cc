#!/bin/bash
# Who takes over goes on with the configuration that was read last, whatever the file says by then.
TEST_LIMIT=90
. "${0%/*}/lib.sh"

LBCTL=${LBCTL:-build/default/lbctl}
start_backend B1
start_backend B2
new_port PORT
conf() {
	cat <<EOC
workers 2
$1
pid $TMP/lb.pid
control $TMP/ctl.sock
pool app {
    check load /healthcheck every 500ms
    server b1 127.0.0.1:$B1
    server b2 127.0.0.1:$B2
}
listen web {
    bind 127.0.0.1:$PORT
    max-connections 50
    to app
}
EOC
}
supervisor() { cat "$TMP/lb.pid"; }
heir() { _children 'loadbalancer: heir' "$(supervisor)"; }
refused() { grep -c 'reload: refused' "$LB_LOG"; }
# Children of a supervisor that is gone are nobody's: they are known by the log that they write to.
named() { pgrep -f "^loadbalancer: $1" | while read -r p; do [ "$(readlink "/proc/$p/fd/1")" = "$LB_LOG" ] && echo "$p"; done; }
all_workers() { named worker; }
two_workers() { [ "$(all_workers | wc -l)" = 2 ]; }
health() { named health; }
killed() {	# the supervisor, with its heir there
	local old
	wait_for 8 eval '[ -n "$(heir)" ]' || return 1
	old=$(supervisor)
	kill -KILL "$old"
	[ "$old" != "$first" ] || wait "$old" 2>/dev/null
	wait_for 8 eval "[ \"\$(supervisor)\" != $old ]" && LB_PIDS+=("$(supervisor)")
}
another() { local now; now=$(all_workers); [ "$(wc -w <<<"$now")" = 2 ] && [[ $now != *$1* ]]; }	# PID that is gone
serves() { like "$(load -n 200 -c 8 --close)" '"ok":200,"failed":0' "$1"; }

start_conf < <(conf)
first=$LB_PID
wait_for 5 two_workers

for round in 1 2; do
	load -c 8 -d 3 --pause 1 --last >"$TMP/kept" 2>/dev/null &
	L=$!
	if [ $round = 1 ]; then conf 'wokers 2' >"$LB_CONF"; else rm -f "$LB_CONF"; fi
	n=$(refused) before=$(all_workers)
	ok "$round: the supervisor is killed while the file is $([ $round = 1 ] && echo bad || echo gone)" killed
	ok "$round: who takes over says that it cannot read it" wait_for 8 eval "[ \"\$(refused)\" -gt $n ]"
	is "$(all_workers)" "$before" "$round: the workers are the same"
	ok "$round: there is an heir again" wait_for 8 eval '[ -n "$(heir)" ]'
	wait $L
	like "$(<"$TMP/kept")" '"failed":0,"closed":0' "$round: nobody noticed"
	victim=$(head -n 1 <<<"$before")
	kill -KILL "$victim"
	ok "$round: a worker that dies now is replaced" wait_for 8 another "$victim"
	serves "$round: and serves"
	h=$(health)
	kill -KILL "$h"
	ok "$round: so is the health process" wait_for 8 eval "[ -n \"\$(health)\" ] && [ \"\$(health)\" != '$h' ]"
	like "$("$LBCTL" -i "$first" config 2>&1)" "max-connections 50" "$round: the configuration is known"
done
kill_backend B2
ok "health works" wait_for 5 eval 'tail -n 20 "$LB_LOG" | grep -q "app/b2 is down"'
restart_backend B2

# --- a good file ---
conf >"$LB_CONF"
n=$(grep -c 'serves, generation' "$LB_LOG")
kill -HUP "$(supervisor)"
ok "a good file makes a new generation" wait_for 8 eval "[ \"\$(grep -c 'serves, generation' '$LB_LOG')\" -gt $n ]"
wait_for 8 two_workers
is "$(all_workers | wc -l)" 2 "and the workers of the old one have left"
serves "which serves"
kill -TERM "$(supervisor)"
ok "and ends" wait_for 8 eval "[ ! -e '$TMP/lb.pid' ]"
ok "with all its processes" wait_for 5 eval '[ -z "$(all_workers)$(health)" ]'
finish
