#!/bin/bash
# The control socket: what an operator changes while it runs, and who may.
TEST_LIMIT=120
. "${0%/*}/lib.sh"
LBCTL=$(realpath "${LBCTL:-build/default/lbctl}")
SOCKET=$TMP/control.sock

ctl() { OUT=$("$LBCTL" -i "$LB_PID" "$@" 2>"$TMP/ctl.err"); STATUS=$?; ERR=$(< "$TMP/ctl.err"); }
# said STATUS OUTPUT-OR-ERROR TEXT
said() { is "$STATUS|$OUT$ERR" "$1|$2" "$3"; }
json() { perl -MJSON::PP -e 'my $j = decode_json(join "", <STDIN>); my $s = {map { $_->{name} => $_ } @{$j->{servers}}}; print eval $ARGV[0]' "$1" < <("$LBCTL" -i "$LB_PID" --interval 0ms --json show); }
# talk TEXT: straight to the socket; prints the answer
talk() { perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Peer => shift) or die "$!\n"; $SIG{PIPE} = "IGNORE"; $s->autoflush; print $s shift; $s->shutdown(1) if shift; local $/; print <$s>' "$SOCKET" "$@"; }
# Asking counts, too.
count() { req "http://127.0.0.1:$1/count"; echo "$BODY"; }

start_backend B1 --name one
start_backend B2 --name two
new_port PORT
conf() {
	cat <<E2
workers 2
control $SOCKET
pid $TMP/pid
heir off
pool app {
	balance round-robin
	check http /healthcheck every 200ms
	server app1 127.0.0.1:$B1
	server app2 127.0.0.1:$B2 weight 2
}
pool other {
	check none
	server app3 127.0.0.1:$B2
}
listen web {
	bind 127.0.0.1:$PORT
	to app
}
E2
}
start_conf < <(conf)

is "$(stat -c %a "$SOCKET")" 600 "the socket is its owner's alone"
is "$(json '$j->{instance}{control}')" "$SOCKET" "the table names it"

# --- drain, ready ---
ctl drain app1
said 0 'app/app1: drain, was ready; 0 in flight' "drain"
before=$(count "$B1")
for ((i = 0; i < 20; i++)); do req /; [ "$CODE" = 200 ] || break; done
is "$CODE" 200 "requests are served"
is "$(count "$B1")" "$((before + 1))" "none by the drained server"
is "$(json '"$s->{app1}{state} $s->{app1}{verdict} $s->{app1}{why}"')" "drain up set by hand" "it shows"
ctl drain --wait app1
said 0 'app/app1: drain, was drain; 0 in flight' "--wait: nothing is in flight"
req "/delay/1500" &
SLOW=$!
flying() { [ "$(json '$s->{app2}{in_flight}')" = 1 ]; }
wait_for 3 flying
ctl drain --wait --timeout 100ms app2
like "$STATUS|$ERR" '^1\|lbctl: app/app2 still has 1 in flight' "--wait with a timeout"
ctl drain --wait app2
is "$STATUS|$(json '$s->{app2}{in_flight}')" "0|0" "--wait waits"
wait $SLOW
req /
is "$CODE" 503 "all drained: nobody is left"
ctl ready 'app/*'
said 0 $'app/app1: ready, was drain; 0 in flight\napp/app2: ready, was drain; 0 in flight' "ready, by pattern"
req /
is "$CODE" 200 "served again"

# --- weight ---
ctl weight app2 0
said 0 'app/app2: weight 0, was 2' "weight 0"
before=$(count "$B2")
for ((i = 0; i < 10; i++)); do req /; done
is "$(count "$B2")" "$((before + 1))" "nothing for it"
ctl weight app1 7
said 0 'app/app1: weight 7, was 1' "another weight"

# --- what was set by hand outlives a reload; a reload tells how it went ---
ctl maint app2
ctl reload
said 0 'generation 2 serves, 2 workers' "reload waits for the verdict"
is "$(json '"$s->{app1}{weight} $s->{app2}{weight} $s->{app2}{state} $s->{app1}{weight_configured}"')" "7 0 maint 1" "by hand outlives it"
ctl config
like "$OUT" $'# by hand: weight app/app1 7\n# by hand: maint app/app2\n' "config tells what is by hand"
"$LB" -t -c <(cat <<<"$OUT") 2>/dev/null
is "$?" 0 "and reads back as a configuration"
ctl weight app/app1 default
said 0 'app/app1: weight 1, was 7' "back to the configured weight"
probes=$(json '$s->{app2}{probe}{count}') probes1=$(json '$s->{app1}{probe}{count}')
more() { [ "$(json '$s->{app1}{probe}{count}')" -gt $((probes1 + 2)) ]; }
wait_for 5 more
is "$(json '$s->{app2}{probe}{count}')" "$probes" "in maintenance it is not probed"
echo "bogus 1" >>"$LB_CONF"
ctl reload
like "$STATUS|$ERR" '^1\|lbctl: refused, .*unknown directive "bogus"' "a bad file: refused, with the reason"
conf >"$LB_CONF"
freeze "$LB_PID"
ctl --timeout 200ms ready app2
like "$STATUS|$ERR" '^5\|lbctl: no answer within 0.2 s' "a stopped supervisor: no answer in time"
kill -CONT "$LB_PID"
ctl ready app2
is "$STATUS" 0 "it goes on where it was"
ctl weight app2 default

# --- check ---
ctl check app1 app2
like "$STATUS|$OUT" '^0\|app/app1: ok .*it is up.app/app2: ok .*it is up' "check: probed now"
is "$(wc -l <<<"$OUT")" 2 "a line each"
ctl check app3
said 1 'lbctl: none of them is probed: in maintenance, or check none' "where nothing is probed"
kill_backend B2
ctl check app2
like "$STATUS|$OUT" '^1\|app/app2: connection re.*it is down' "a probe that fails: status 1"
restart_backend B2

# --- nearly right ---
ctl drain ap1
said 1 'lbctl: there is no server ap1; did you mean app1?' "a server's name"
ctl drain app
said 1 "lbctl: app is a pool: 'app/*' means all its servers" "a pool's name"
ctl drain app1 nobody
like "$STATUS|$ERR" '^1\|lbctl: there is no server nobody' "one that is not there"
is "$(json '$s->{app1}{state}')" up "then nothing is done at all"
ctl drain 'x*'
is "$STATUS" 1 "a pattern that fits nothing"
ctl weight app1 257
said 1 'lbctl: weight 257: expected 0 to 256, or default' "a weight"
ctl weight app1
like "$STATUS|$ERR" '^2\|lbctl: usage: lbctl weight SERVER' "a word too few"
ctl stop later
said 1 'lbctl: expected stop, or stop now' "stop what?"

# --- log level ---
ctl log level
said 0 info "log level"
ctl log level debug
said 0 debug "another one"
ctl reload
ok "seen by all" grep -q 'supervisor.* debug: ' "$LB_LOG"
ctl log level warn
lines=$(grep -c info "$LB_LOG")
kill_backend B1
ok "warnings are told" wait_for 5 grep -q 'warning: server app/app1 is down' "$LB_LOG"
restart_backend B1
ok "and it comes back" wait_for 5 eval '[ "$(json "\$s->{app1}{state}")" = up ]'
is "$(grep -c info "$LB_LOG")" "$lines" "information is not, by no process"
ctl log level loud
like "$STATUS|$ERR" '^1\|lbctl: there is no log level loud' "a level that is none"
ctl log level info

# --- straight to the socket: hostile, slow, many ---
is "$(talk $'log level\n')" $'ok\ninfo' "a line is a request"
is "$(talk $'\n')" $'error\nan empty request' "an empty one"
is "$(talk $'drian\n')" $'error\nthere is no command drian; did you mean drain?' "a wrong one"
is "$(talk "$(printf 'x%.0s' {1..5000})"$'\n')" $'error\nthe request is too long' "a long one"
is "$(talk "drain $(printf 'a %.0s' {1..100})"$'\n')" $'error\ntoo many words' "many words"
is "$(perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Peer => shift); $s->autoflush; print $s "log\0 level\n"; local $/; print <$s>' "$SOCKET")" $'error\na request is a line of text' "a NUL byte"
is "$(talk 'drain app1' half)" "" "half a line and the end: nothing"
is "$(json '$s->{app1}{state}')" up "and nothing done"
is "$(talk $'reload\n' half)" $'ok\n'"generation $(json '$j->{instance}{generation}') serves, 2 workers" \
    "a client that has said all it will is answered"
perl -MIO::Socket::UNIX -e 'my @s = map { IO::Socket::UNIX->new(Peer => $ARGV[0]) } 1 .. 12; my $full = 0;
	for (@s) { my $r = ""; vec($r, fileno $_, 1) = 1; if (select($r, undef, undef, 0.3)) { local $/; $full++ if <$_> =~ /too many/ } } print $full' \
    "$SOCKET" >"$TMP/full"
between "$(< "$TMP/full")" 4 12 "many at a time: so many are told that it is too many"
again() { [ "$(talk $'log level\n')" = $'ok\ninfo' ]; }
ok "when they are gone there is room again" wait_for 3 again
fds=$(count_fds "$LB_PID")
# One that sends nothing is let go after 5 seconds.
perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Peer => shift); local $/; my $t = time; my $x = <$s>; print time - $t' "$SOCKET" >"$TMP/idle" &
IDLE=$!
req /
is "$CODE" 200 "clients are served all the while"
wait $IDLE
between "$(< "$TMP/idle")" 4 8 "an idle one is let go"
is "$(count_fds "$LB_PID")" "$fds" "no descriptor stays behind"

# --- who may ---
if [ "$(id -u)" = 0 ] && setpriv --reuid 65534 --regid 65534 --clear-groups true 2>/dev/null; then
	chmod 711 "$TMP"
	as() { setpriv --reuid 65534 --regid "$1" --clear-groups "$LBCTL" -i "$LB_PID" log level 2>&1; echo $?; }
	like "$(as 65534)" $'Permission denied\n5$' "nobody else may"
	chmod 666 "$SOCKET"
	like "$(as 65534)" $'you may not use the control socket\n1$' "not even when the file's mode lets them in"
	ok "it is logged" grep -q 'somebody who may not' "$LB_LOG"
	like "$(setpriv --reuid 65534 --regid 65534 --clear-groups "$LBCTL" -i "$LB_PID" show; echo $?)" $'\n0$' "but they may look"
fi

# --- the end ---
t=$(_now_ms)
ctl stop
said 0 $'stopping when what is in flight has ended\nstopped' "stop waits for the end"
wait "$LB_PID"
is "$?" 0 "which is in order"
ok "the socket is gone" [ ! -e "$SOCKET" ]
ctl show
is "$STATUS" 3 "no instance any more: status 3"

# --- a group; a reload that asks for another socket; a crash; what stands in the way ---
conf | sed "s/^control .*/&\ncontrol-group daemon/" >"$TMP/c"
start_conf <"$TMP/c"
if [ "$(id -u)" = 0 ]; then
	is "$(stat -c '%a %G' "$SOCKET")" '660 daemon' "a group's socket"
	is "$(stat -c '%a %G' "/dev/shm/loadbalancer-seen.$LB_PID")" '640 daemon' "what requests were, its members may read"
	like "$(as "$(getent group daemon | cut -d: -f3)")" $'^info\n0$' "whose members may"
	is "$(setpriv --reuid 65534 --regid 65534 --groups "$(getent group daemon | cut -d: -f3)" "$LBCTL" -i "$LB_PID" log level)" info \
	    "also when it is not their first group"
fi
sed -i "s|^control .*|control $TMP/elsewhere|" "$LB_CONF"
ctl reload
is "$STATUS" 0 "a reload with another path"
ok "says that it takes a restart" grep -q 'another control socket takes a restart' "$LB_LOG"
ok "and keeps the old one" [ ! -e "$TMP/elsewhere" ]
first=$LB_PID
run_lb -c <(conf | sed "s/$PORT/1/; s|^pid.*||")
like "$STATUS|$ERR" '^1\|.*control socket .*Address already in use' "a second instance does not take it"
ok "the first one's is still there" [ -S "$SOCKET" ]
ctl stop now
is "$STATUS" 0 "stop now"
start_conf < <(conf)
kill -KILL "$LB_PID"
wait "$LB_PID" 2>/dev/null
ok "a crash leaves the socket" [ -S "$SOCKET" ]
wait_for 5 eval '! listening "$PORT"'
start_conf < <(conf)
ctl log level
said 0 info "the successor takes it over"
stop_lb
echo keep >"$SOCKET"
run_lb -c <(conf)
like "$STATUS|$ERR" '^1\|.*control socket .*Address already in use' "a file that is no socket is left alone"
is "$(< "$SOCKET")" keep "untouched"
rm "$SOCKET"

# --- an heir takes over: another pid, the same instance, the same socket ---
start_conf < <(conf | sed 's/^heir off/heir on/')
heir() { _children 'loadbalancer: heir' "$1"; }
if wait_for 5 eval '[ -n "$(heir "$LB_PID")" ]'; then
	ctl drain app1
	"$LBCTL" -i "$LB_PID" --interval 20ms watch >"$TMP/watch" 2>&1 &
	WATCH=$!
	wait_for 5 grep -q '^watching' "$TMP/watch"
	kill -KILL "$LB_PID"
	wait "$LB_PID" 2>/dev/null
	ok "watch sees an heir take over" wait_for 10 grep -q 'has taken over from pid' "$TMP/watch"
	first=$LB_PID
	LB_PID=$(sed -n 's/.*: pid \([0-9]*\) has taken over.*/\1/p' "$TMP/watch")
	LB_PIDS+=("$LB_PID")
	back() { ctl log level && [ "$OUT" = info ]; }
	ok "which is the same instance, with a socket" wait_for 10 back
	is "$(json '$s->{app1}{state}')" drain "and what was set by hand"
	is "$("$LBCTL" -i "$first" --socket "$SOCKET" log level)" info "the first pid is still its name"
	settled() { [ "$(json '$j->{instance}{generation}')" -ge 2 ] && [ -n "$(heir "$LB_PID")" ]; }
	wait_for 10 settled
	ctl stop
	is "$STATUS" 0 "it stops"
	wait $WATCH
	is "$?" 3 "and watch ends"
else
	stop_lb
	skip "no heir here"
fi

# --- another program ---
cp "$LB" "$TMP/lb"
LB_WAS=$LB LB=$TMP/lb
start_conf < <(conf)
wait_for 5 grep -q 'ready: ' "$LB_LOG"	# it listens a moment before
ctl weight app1 5
ctl upgrade
said 0 $'the new program accepts the configuration and takes over\ngeneration 2 serves' "upgrade: waits until it serves"
ok "with the same pid" kill -0 "$LB_PID"
taken() { ctl log level && [ "$OUT" = info ]; }
ok "and a control socket" wait_for 5 taken
is "$(json '$s->{app1}{weight}')" 5 "what was set by hand is still there"
printf '#!/bin/sh\necho not today >&2\nexit 1\n' >"$TMP/new"
chmod 755 "$TMP/new"
mv "$TMP/new" "$TMP/lb"
ctl upgrade
like "$STATUS|$ERR" '^1\|lbctl: refused, this program goes on:.*not today' "a program that does not want: refused, with its reason"
req /
is "$CODE" 200 "the old one serves"
stop_lb
LB=$LB_WAS

# --- without one ---
start_conf < <(conf | grep -v ^control)
ctl drain app1
like "$STATUS|$ERR" '^5\|lbctl: this instance has no control socket' "none configured: status 5, and how to get one"
stop_lb
finish
