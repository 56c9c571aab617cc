#!/bin/bash
# lbctl show errors: what went wrong, where, for whom, and what was done about it.
TEST_LIMIT=90
. "${0%/*}/lib.sh"
LBCTL=$(realpath "${LBCTL:-build/default/lbctl}")

ctl() { OUT=$("$LBCTL" -i "$LB_PID" --interval 0ms "$@" 2>"$TMP/ctl.err"); STATUS=$?; ERR=$(< "$TMP/ctl.err"); }
json() { perl -MJSON::PP -e 'my $j = decode_json(join "", <STDIN>); my $r = eval $ARGV[0]; die $@ if $@; print $r' "$1" <<<"$OUT"; }
raw() { "$TESTBIN/raw" "$PORT" "$@" >/dev/null; }
up() { [ "$("$LBCTL" -i "$LB_PID" --interval 0ms --json show servers "$1" | grep -c '"state": "up"')" = 1 ]; }
# told REGEX TEXT: among the errors one by one, whose two lines are joined here
told() {
	ctl show errors -n 100
	OUT=${OUT//$'\n             '/ }
	like "$OUT" $'\n[0-9:]{8}\.[0-9]{3} '"$1" "$2"
}

start_backend B1 --name one
start_backend B2 --name two
new_port PORT
new_port TCP
start_conf <<E2
workers 1
control $TMP/control.sock
pool app {
	check http /healthcheck every 100ms fall 50
	answer-timeout 300ms
	server app1 127.0.0.1:$B1
}
pool two {
	balance round-robin
	check none
	server two1 127.0.0.1:$B1
	server two2 127.0.0.1:$B2
}
pool narrow {
	check http /healthcheck every 100ms fall 50
	queue 1
	queue-timeout 200ms
	server n1 127.0.0.1:$B1 maxconn 1
}
listen web {
	bind 127.0.0.1:$PORT
	head-timeout 400ms
	max-head 8k
	max-body 1k
	route path /two/ to two
	route path /narrow to narrow
	to app
}
listen plain {
	bind 127.0.0.1:$TCP
	mode tcp
	to two
}
E2
ctl show errors
is "$STATUS|$OUT" "0|4 servers without any error" "nothing yet"

# --- the server's ---
req /status/500
told 'app/app1: answered 500 after [0-9.]+ms; client got it from 127.0.0.1:[0-9]+ GET /status/500($|.)' "a status of 500"
req /empty
told 'app/app1: closed without an answer.*; tried again elsewhere from .* GET /empty' "no answer"
told 'app: no other server could be chosen; client got 502; 1 server had failed it from .* GET /empty' "and nobody else"
wait_for 5 up app1
req "/raw/nonsense%0d%0a%0d%0a?a=%22b"
told 'app/app1: answer is not valid HTTP: [a-z ]+ after .*; client got 502 from .* GET /raw/nonsense%0d%0a%0d%0a.a=%22b' "an answer that is none, and in what"
wait_for 5 up app1
req /die-mid/100000
told 'app/app1: answer broke off in the middle after .*; client.s connection closed from' "half an answer"
wait_for 5 up app1
req /silent
told 'app/app1: no answer in time after [3-9][0-9][0-9]ms; client got 504 from .* GET /silent' "none in time"
kill_backend B2
for i in 1 2; do req /two/$i; done
is "$CODE" 200 "another server answers"
told 'two/two2: connection refused after .*; tried again elsewhere from .* GET /two/[12]' "a retry"
kill_backend B1
req /two/3
told 'two: no other server could be chosen.*; client got 502; [12] servers? had failed it from .* GET /two/3' "none is left"
"$TESTBIN/raw" "$TCP" hello >/dev/null
told 'two: no server could be chosen; client.s connection closed from 127' "mode tcp"
req /two/4
told 'two: no server could be chosen; client got 503 from .* GET /two/4' "nobody is left"
restart_backend B1
restart_backend B2

# --- the client's ---
raw 'GE\x1b[31mT / HTTP/1.1\r\nHost: x\r\n\r\n'
told 'web: bad request: .*; client got 400 from 127.* GE.x1b\[31mT / HTTP/1.1' "a bad request: why, and harmless to a terminal"
is "$(grep -c $'\033' <<<"$OUT")" 0 "no control byte of it"
raw 'GET / HTTP/1.1\r\nHo' -p 1000
told 'web: request did not come in time; client got 408 from .* GET /' "half a head"
req -d "$(printf 'x%.0s' {1..2000})" /
told 'app: request is too large; client got 413 from' "a body beyond the limit"
raw "GET /$(printf 'x%.0s' {1..9000}) HTTP/1.1\r\nHost: x\r\n\r\n"
told 'web: (bad request|request is too large).*; client got 4[0-9]+ from .* GET /x+' "a head beyond the limit, cut"

# --- the queue's ---
restart() { req /narrow; [ "$CODE" = 200 ]; }
wait_for 5 restart
wait_for 5 up app1
for i in 1 2 3; do curl -s -o /dev/null "http://127.0.0.1:$PORT/narrow?delay=700&n=$i" & C[i]=$!; done
wait "${C[@]}"
told 'narrow: queue is full; client got 503 from .* GET /narrow.delay=700' "no place in the queue"
told 'narrow: waited too long in the queue after [2-9][0-9][0-9]ms; client got 503 from .* GET /narrow.delay=700' "or not in time"

# --- which, how many, for programs ---
ctl show errors two -n 100
is "$(grep -c ' app/app1: \| web: \| narrow: ' <<<"$OUT")" 0 "of a pool"
like "$OUT" 'two/two2: connection refused' "..."
ctl show errors app1 -n 2
is "$(grep -c '^             from' <<<"$OUT")" 2 "of a server, the last two"
like "$OUT" $'\n[0-9]+ more before these: -n ' "says what it leaves out"
like "$OUT" $'^SERVER .*\napp/app1 ' "with its counts"
ctl show errors ap1
like "$STATUS|$ERR" '^1\|.*did you mean app1\?' "one that is nearly right"
ctl --json show errors -n 1000
is "$(json 'join " ", map { "$_->{cause}|$_->{done}|$_->{status}" } grep { $_->{request} =~ m{^GET /empty} } @{$j->{last}}')" \
    "closed without an answer|retried|0 no server could be chosen|answered|502" "as JSON"
is "$(json 'join " ", map { $_->{errors}{status_5xx} } grep { $_->{name} eq "app1" } @{$j->{servers}}')" 1 "with the counts"
is "$(json 'join(",", map { $_->{time_unix_ms} } @{$j->{last}}) eq join ",", sort { $a <=> $b } map { $_->{time_unix_ms} } @{$j->{last}}')" 1 "in order"

# --- many: bounded ---
load -c 4 -d 1 --expect 503 --path /status/503 >"$TMP/load"
ctl --json show errors -n 1000
between "$(json 'scalar @{$j->{last}}')" 20 64 "a flood does not fill memory"
between "$(json '$j->{not_written_down}')" 1 10000000 "what was not written down is counted"
ok "the counts are whole" test "$(json '$j->{servers}[0]{errors}{status_5xx}')" -gt 100

# --- they outlive workers, reloads, a supervisor that is stopped ---
ctl reload
for W in $(workers); do kill -KILL "$W"; done
freeze "$LB_PID"
ctl show errors
like "$OUT" 'answered 503' "after a reload, a death, and with a stopped supervisor"
kill -CONT "$LB_PID"
if [ "$(id -u)" = 0 ] && setpriv --reuid 65534 --regid 65534 --clear-groups true 2>/dev/null; then
	OUT=$(setpriv --reuid 65534 --regid 65534 --clear-groups "$LBCTL" -i "$LB_PID" --interval 0ms show errors 2>&1)
	like "$OUT" $'^SERVER .*\nthe errors one by one may see only root' "not everybody may see requests"
	is "$(grep -c 'GET\|127.0.0.1' <<<"$OUT")" 0 "nor clients"
fi
finish
