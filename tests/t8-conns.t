#!/bin/bash
# lbctl show conns: what each connection does at this moment, told by the workers while they serve.
TEST_LIMIT=90
. "${0%/*}/lib.sh"
LBCTL=$(realpath "${LBCTL:-build/default/lbctl}")
SOCKET=$TMP/control.sock

ctl() { OUT=$("$LBCTL" -i "$LB_PID" "$@" 2>"$TMP/ctl.err"); STATUS=$?; ERR=$(< "$TMP/ctl.err"); }
json() { perl -MJSON::PP -e 'my $j = decode_json(join "", <STDIN>); my @s = @{$j->{shown}}; my $r = eval $ARGV[0]; die $@ if $@; print $r' "$1" <<<"$OUT"; }
# shows WORD...: REGEX is in what they show
shows() { local want=$1; shift; ctl show conns "$@" && [[ $OUT =~ $want ]] || { diag "$OUT $ERR"; false; }; }
raw() { exec "$TESTBIN/raw" "$@" >/dev/null 2>&1 8>&-; }
HELD=()

start_backend B1 --name one
start_backend B2 --name two
new_port PORT
new_port TCP
conf() {
	cat <<E2
workers 2
control $SOCKET
pool app {
	check http /healthcheck every 200ms
	server app1 127.0.0.1:$B1
	server app2 127.0.0.1:$B2
}
pool narrow {
	check none
	server n1 127.0.0.1:$B1 maxconn 1
}
listen web {
	bind 127.0.0.1:$PORT
	max-connections 500
	route path /narrow to narrow
	to app
}
listen plain {
	bind 127.0.0.1:$TCP
	mode tcp
	to app
}
E2
}
start_conf < <(conf)
ctl show conns
is "$STATUS|$OUT" "0|0 connections" "nobody is there"

# --- each state that lasts ---
raw "$PORT" 'GET /half HTTP/1.1\r\nHo' -t 40000 -p 30000 & HELD+=($!)
ok "a head that is coming in" wait_for 3 shows '127.0.0.1:[0-9]+ +web +head +[0-9a-z]+ .* GET /half'
raw "$PORT" 'GET /slow?delay=30000 HTTP/1.1\r\nHost: x\r\n\r\n' -t 40000 & HELD+=($!)
ok "one that waits for its answer" wait_for 3 shows 'wait +[0-9a-z]+ +[0-9a-z]+ +1 +[1-9][0-9]* +0  app/app[12] +GET /slow.delay=30000' wait
raw "$PORT" 'POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc' -t 40000 -p 30000 & HELD+=($!)
ok "a request on its way" wait_for 3 shows 'request .* app/app[12] +POST /up' request
raw "$PORT" 'GET /bytes/100000000 HTTP/1.1\r\nHost: x\r\n\r\n' -l 10 -t 40000 & HELD+=($!)
ok "an answer on its way, with bytes" wait_for 3 shows 'answer .* [1-9][0-9.]*[kM]?  app/app[12] ' answer
raw "$PORT" 'GET / HTTP/1.1\r\nHost: x\r\n\r\n' -t 40000 -p 30000 & HELD+=($!)
ok "an idle one" wait_for 3 shows 'idle +[0-9a-z]+ +[0-9a-z]+ +1 ' idle
raw "$TCP" -t 40000 -p 30000 & HELD+=($!)
ok "a tunnel" wait_for 3 shows 'plain +tunnel .* app/app[12]' tunnel
for i in 1 2; do raw "$PORT" "GET /narrow?delay=30000&n=$i HTTP/1.1\r\nHost: x\r\n\r\n" -t 40000 & HELD+=($!); done
ok "one that waits for room" wait_for 3 shows 'queue .*  narrow +GET /narrow' queue
all() { ctl show conns; [[ $OUT =~ ^8\ connections ]]; }
ok "all of them" wait_for 3 all
like "$OUT" '^8 connections: 1 idle, 1 head, 1 queue, 1 request, 2 wait, 1 answer, 1 tunnel' "counted by state"

# --- choosing ---
ctl show conns narrow
is "$(grep -c '/narrow' <<<"$OUT") $(grep -c . <<<"$OUT")" "2 4" "of a pool"
ctl show conns wait app
like "$OUT" '; 1 fit' "two words: both must hold"
ctl show conns on plain
like "$OUT" '; 1 fit' "of a listener"
ctl show conns from 127.0.0.0/8 busy
like "$OUT" '; 7 fit' "of a net; all that is busy"
ctl show conns from 10.0.0.0/8
like "$OUT" '; 0 fit' "of another net"
ctl show conns for 1h
like "$OUT" '; 0 fit' "for a long time"
ctl show conns -n 2 --sort bytes
like "$OUT" $'\n127.* answer .*\n127.*\n6 more: -n NUMBER' "a few, in another order, and what is left out"
ctl --json show conns --sort age
is "$(json '"$j->{connections} $j->{matched} $j->{states}{wait} " . @s . " " . @{$j->{workers_missing}}')" "8 8 2 8 0" "as JSON"
is "$(json 'join " ", map { $_->{server} =~ m{^app/app} ? 1 : 0 } grep { $_->{request} =~ m{/slow} } @s')" 1 "its server"
is "$(json 'join " ", grep { $_ < 0 || $_ > 60 } map { $_->{age_seconds}, $_->{state_seconds} } @s')" "" "ages"
ctl show conns ap1
like "$STATUS|$ERR" '^1\|lbctl: there is no pool and no server ap1; did you mean app1\?' "a name that is nearly right"
ctl show conns idel
like "$STATUS|$ERR" '^1\|.*did you mean idle\?' "a state"
ctl show conns on wbe
like "$STATUS|$ERR" '^1\|.*did you mean web\?' "a listener"
ctl show conns from ten
like "$STATUS|$ERR" '^2\|.*expected an address' "no address"
ctl show conns from
is "$STATUS|$ERR" '2|lbctl: show conns from what?' "half a word"
ctl show conns --sort size
is "$STATUS" 2 "an order that is none"

# --- a worker that is stuck; who may ask; a hostile asker ---
set -- $(workers)
freeze "$1"
ctl --timeout 300ms show conns
like "$STATUS|$ERR" "^1\|lbctl: worker [12] \(pid $1\) has not told all within 0.3 s: it has [0-9]+ connections" "a stuck worker: who is missing"
like "$OUT" '^[0-9] connections: ' "and what the others have"
kill -CONT "$1"
ok "it goes on" wait_for 5 all
if [ "$(id -u)" = 0 ] && setpriv --reuid 65534 --regid 65534 --clear-groups true 2>/dev/null; then
	chmod 711 "$TMP"
	is "$(setpriv --reuid 65534 --regid 65534 --clear-groups "$LBCTL" -i "$LB_PID" show conns 2>&1 >/dev/null; echo $?)" \
	    "lbctl: control socket $SOCKET: Permission denied"$'\n5' "not everybody may ask"
fi
fds=$(count_fds "$LB_PID" $(workers))
perl -MIO::Socket::UNIX -e 'for my $r ("conns\n", "conns nonsense\n") { my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]); $s->autoflush; print $s $r; local $/; print <$s> }' "$SOCKET" >"$TMP/talk"
is "$(< "$TMP/talk")" $'error\nconns takes a socket for the answer along\nerror\nconns takes a socket for the answer along' "a request without a socket"
for i in {1..30}; do "$LBCTL" -i "$LB_PID" --timeout 1ms show conns >/dev/null 2>&1 & P[i]=$!; done
wait "${P[@]}"
same() { [ "$(count_fds "$LB_PID" $(workers))" -le "$fds" ]; }	# fewer: who went on was still at it when they were counted
ok "askers that leave at once leave nothing behind" wait_for 12 same

# --- many, while others are served ---
"$TESTBIN/raw" "$PORT" -c 400 -p 6000 >/dev/null 2>&1 & HELD+=($!)
many() { ctl show conns -n 5; [[ $OUT =~ ^40[0-9]\ connections ]]; }
ok "many connections" wait_for 5 many
is "$(wc -l <<<"$OUT")" 8 "a few are shown"
like "$OUT" $'\n[0-9]+ more: ' "the others are counted"
load -c 2 -d 2 --strict >"$TMP/load" &
LOAD=$!
while kill -0 "$LOAD" 2>/dev/null; do ctl show conns -n 1000 || break; done
wait "$LOAD"
is "$?|$(field failed "$(< "$TMP/load")")" "0|0" "nobody notices the questions"
between "$(grep -c '^127' <<<"$OUT")" 400 420 "all of them, where asked for"

# --- after a reload ---
ctl reload
ok "both generations are asked" wait_for 3 shows 'wait .*/slow' wait
kill "${HELD[@]}" 2>/dev/null
wait "${HELD[@]}" 2>/dev/null
stop_lb INT
start_conf < <(conf | grep -v '^control')
ctl show conns
like "$STATUS|$ERR" '^5\|lbctl: this instance has no control socket' "without a control socket"
finish
