#!/bin/bash
# eject: a server whose probes are good and whose requests fail is taken out, and comes back.
. "${0%/*}/lib.sh"

LBCTL=${LBCTL:-build/default/lbctl}
start_backend B1
start_backend B2 --status 500
start_backend B3
start_backend B4 --status 500

# conf LINE SERVER...
conf() {
	new_port PORT
	start_conf <<EOC
workers 2
pool app {
    balance round-robin
    check http /healthcheck every 60s
    $1
$(for s in "${@:2}"; do echo "    server $s 127.0.0.1:${!s}"; done)
}
listen web {
    bind 127.0.0.1:$PORT
    to app
}
EOC
}

conf "" B1 B2 B3
line=$(load -n 300 -c 4)
is "$(field B2 "$line")" 100 "without eject it has its third of the requests"
stop_lb

conf "eject on" B1 B2 B3 B4
load -n 100 -c 4 >/dev/null
ok "one is taken out, and the log says why" wait_for 5 grep -Eq "server app/B[24] is taken out for 10 s: requests fail one after the other" "$LB_LOG"
out=$(grep -Eo "app/B[24] is taken out" "$LB_LOG" | head -n 1)
out=${out#app/} out=${out%% *}
other=$([ "$out" = B2 ] && echo B4 || echo B2)
line=$(load -n 300 -c 4)
diag "$line"
is "$(field "$out" "$line")" 0 "it gets nothing"
is "$(field "$other" "$line")" 100 "the other one stays: no more than one of four is out"
shown=$("$LBCTL" -i "$LB_PID" show)
like "$(grep "$out" <<<"$shown")" "ejected" "lbctl says so"
like "$shown" "! app/$out is ejected since .*: requests fail one after the other" "and why"
ok "and is taken back" wait_for 15 grep -q "server app/$out is taken back" "$LB_LOG"
stop_lb

finish
