#!/bin/bash
# balance adaptive with real servers: some fail at once, one hangs, one is slow, one comes back.
. "${0%/*}/lib.sh"

start_backend B1 --delay 4
start_backend B2 --status 500
start_backend B3 --delay 4
start_backend B4 --delay 4
start_backend B5 --status 503
start_backend B6 --delay 4

# conf SERVER...: a balancer before these
conf() {
	new_port PORT
	start_conf <<EOC
workers 2
pool app {
    balance adaptive
    retry-on none
    check http /healthcheck every 60s timeout 50s
$(for s; do echo "    server $s 127.0.0.1:${!s}"; done)
}
listen web {
    bind 127.0.0.1:$PORT
    to app
}
EOC
}
# The requests of the last line that got another status than 200.
bad() { echo $(($(field 500 "$line") + $(field 503 "$line"))); }

conf B1 B2 B3 B4 B5 B6
line=$(load -n 2000 -c 8)
diag "$line"
between "$(bad)" 0 24 "two of six fail at once: few requests find out"
ok "they do get some" [ $(($(field B2 "$line") + $(field B5 "$line"))) -gt 0 ]
line=$(load -n 3000 -c 8)
diag "$line"
between "$(bad)" 0 12 "then next to none"
for s in B1 B3 B4 B6; do between "$(field $s "$line")" 200 1600 "$s has its share of the rest"; done
# shellcheck disable=SC2034	# used when eval looks
old=$(workers)
kill -HUP "$LB_PID"
# Until only new ones are there.
ok "reloaded" wait_for 10 eval 'new=$(workers); [ "$(wc -l <<<"$new")" = 2 ] && ! grep -qxF "$old" <<<"$new"'
line=$(load -n 1000 -c 8)
diag "$line"
between "$(bad)" 0 1 "what was learned is still known after a reload"

# One of them stands still.
kill -STOP "$B4_PID"
load -n 1200 -c 8 >"$TMP/load" &
sent=$!
answered() {
	local n=0 s
	for s in B1 B3 B6; do n=$((n + $(curl -s "http://127.0.0.1:${!s}/count"))); done
	echo $n
}
# shellcheck disable=SC2034
before=$(answered)
ok "one hangs: the others go on" wait_for 20 eval '[ $(($(answered) - before)) -ge 1180 ]'
kill -CONT "$B4_PID"
wait "$sent"
line=$(<"$TMP/load")
diag "$line"
between "$(field B4 "$line")" 0 20 "it got a few requests and no more"
is "$(field ok "$line")" "$((1200 - $(bad)))" "and answered them when it could"
stop_lb

# A slow one, and one that comes back.
start_backend B7 --delay 80
conf B1 B3 B7
line=$(load -n 2000 -c 4)
diag "$line"
between "$(field B7 "$line")" 1 60 "twenty times slower: a trickle"
between "$(field B1 "$line")" 300 1690 "the others share the rest"
kill_backend B1
line=$(load -n 200 -c 4)
is "$(field B3 "$line")" "$((200 - $(field B7 "$line") - $(field failed "$line")))" "one is gone"
restart_backend B1
ok "it comes back to its share by and by" wait_for 20 eval 'line=$(load -n 300 -c 4); [ "$(field B1 "$line")" -gt 100 ]'
stop_lb

# More servers than are all looked at: three of forty fail, by many names for few programs.
list=()
for ((i = 1; i <= 40; i++)); do
	name=N$i
	declare "$name=$([ $((i % 13)) = 0 ] && echo "$B2" || echo "$B3")"
	list+=("$name")
done
conf "${list[@]}"
line=$(load -n 3000 -c 8)
diag "$line"
between "$(bad)" 1 40 "forty servers: the three that fail are found"
line=$(load -n 2000 -c 8)
between "$(bad)" 0 10 "and left alone"
is "$(($(field ok "$line") + $(bad)))" 2000 "nothing else goes wrong"
stop_lb

finish
