#!/bin/bash
# lbctl watch: what changes, as it happens, with its reason.
TEST_LIMIT=90
. "${0%/*}/lib.sh"
LBCTL=$(realpath "${LBCTL:-build/default/lbctl}")

ctl() { "$LBCTL" -i "$LB_PID" "$@" >/dev/null 2>"$TMP/ctl.err"; }
told() { wait_for 5 grep -Eq "$1" "$TMP/watch" || { diag "$(tail -n 8 "$TMP/watch")"; return 1; }; }
events() { OUT=$("$LBCTL" -i "$LB_PID" --interval 0ms show events "$@" 2>"$TMP/ctl.err"); STATUS=$?; }
has() { events; [[ $OUT =~ $1 ]]; }
get() { for ((i = 0; i < $1; i++)); do req "$2"; done; }

start_backend B1
start_backend B2
new_port PORT
new_port LIMITED
conf() {
	cat <<E2
workers 2
control $TMP/control.sock
pool app {
	balance round-robin
	eject on
	check http /healthcheck every 100ms
	server app1 127.0.0.1:$B1
	server app2 127.0.0.1:$B2
}
pool lone {
	check http /healthcheck every 100ms
	server l1 127.0.0.1:$B2
}
listen web {
	bind 127.0.0.1:$PORT
	to app
}
listen few {
	bind 127.0.0.1:$LIMITED
	max-connections 1
	to app
}
E2
}
start_conf < <(conf)
wait_for 5 ctl log level	# it listens a moment before it serves
"$LBCTL" -i "$LB_PID" --interval 20ms watch >"$TMP/watch" 2>&1 8>&- &
WATCH=$!
ok "it begins" told '^watching 3 servers'

ctl drain app1
ok "a server is drained" told '[0-9:]{8}  admin  *app/app1: drained'
ctl ready app1
ok "and is back" told 'admin  *app/app1: ready'
ctl weight app2 7
ok "a weight" told 'weight  *app/app2: 7 instead of 1, set by hand'
ctl weight app2 default
kill_backend B2
ok "a server goes down, why" told 'down  *app/app2: down: connection re'
ok "a pool without a server" told 'pool  *lone: has no server that is up: its clients get errors'
ok "who comes later reads it, too" wait_for 5 has '[0-9:]{8}\.[0-9]{3} lone/l1: down, was (up|unknown): [a-z]'
restart_backend B2
ok "it comes back, after how long" told 'up  *app/app2: up, after [0-9a-z]+ down'
ok "so does the pool" told 'pool  *lone: 1 of 1 servers are up again'

# Probes are good, requests are not.
restart_backend B2 --status 500
wait_for 5 eval '"$LBCTL" -i "$LB_PID" --interval 0ms show servers app2 | grep -q "state  *up"'
get 60 /x
ok "a server is taken out, why" told 'ejected  *app/app2: taken out for [0-9a-z]+: (requests fail one after the other|more of its requests fail)'
"$LBCTL" -i "$LB_PID" --interval 0ms show >"$TMP/show"
ok "since when, and until when" grep -Eq '! app/app2 is ejected since [0-9:]{8} \([0-9a-z]+\): .*; back in [0-9]+' "$TMP/show"

"$TESTBIN/raw" "$LIMITED" -p 60000 >/dev/null 2>&1 8>&- &
HELD=$!
disown $HELD
ok "a listener at its limit" told 'listener  *few: at its limit of connections'
kill $HELD
ok "and below it" told 'listener  *few: accepts again'

set -- $(workers)
kill -KILL "$1"
ok "a worker dies" told "worker  *worker [0-9]+: pid $1 died; pid [0-9]+ is its successor"
ok "so do the events" wait_for 5 has 'worker [0-9]+ died and was replaced'
"$LBCTL" -i "$LB_PID" --interval 0ms show >"$TMP/show"
ok "the screen says so for a while" grep -Eq '! worker [0-9]+ died and was replaced [0-9a-z]+ ago \(1 time so far\)' "$TMP/show"
kill -KILL "$(health_pid)"
ok "the health process dies" told 'health  *health process: pid [0-9]+ in place of pid [0-9]+, which died'
freeze "$LB_PID"
ok "the supervisor is stopped" told 'supervisor  *supervisor: stopped'
kill -CONT "$LB_PID"
ok "and goes on" told 'supervisor  *supervisor: goes on'
# --- who comes later reads what happened ---
ok "events: a server was taken out, and why" wait_for 5 has 'app/app2: ejected, was (up|down): (requests fail|more of its)'
like "$OUT" 'lone/l1: up, was down' "another one was down and came back"
events lone -n 1
is "$(wc -l <<<"$OUT")" 1 "of a pool, the last one"
like "$OUT" 'lone/l1' "..."
events --json app2
is "$(perl -MJSON::PP -e 'my $j = decode_json(join "", <STDIN>); print join " ", map { $_->{to} } grep { $_->{to} eq "ejected" } @$j' <<<"$OUT")" ejected "as JSON"
events ap2
is "$STATUS" 1 "of nobody"
{ conf | grep -v app2; } >"$LB_CONF"
ctl reload
ok "a reload" told 'reload  *configuration: generation 2 serves'
ok "a server leaves" told 'server  *app/app2: (leaves|gone)'
{ conf | sed 's/app2/app3/'; } >"$LB_CONF"
ctl reload
ok "another one comes" told 'server  *app/app3: new'
"$LBCTL" -i "$LB_PID" --json --interval 20ms -n 1 watch >"$TMP/json" 2>&1 8>&- &
JSON=$!
seen() { ctl drain app3; ctl ready app3; [ -s "$TMP/json" ]; }
wait_for 5 seen
wait $JSON
is "$?" 0 "-n: so many, and no more"
is "$(perl -MJSON::PP -ne 'my $j = decode_json($_); print "$j->{event} $j->{subject}\n"' "$TMP/json")" "admin app/app3" "as JSON, an object a line"
stop_lb
wait $WATCH
is "$?" 3 "it ends with the instance"
finish
