#!/bin/bash
# The event log: where it goes, how much of it, and that each line says what happened, to whom, why, and what is done now.
TEST_LIMIT=120
. "${0%/*}/lib.sh"
LB=$(realpath "$LB") LBCTL=$(realpath "${LBCTL:-build/default/lbctl}") TESTBIN=$(realpath "$TESTBIN")
LOG=$TMP/event.log

ctl() { "$LBCTL" -i "$LB_PID" "$@"; }
says() { grep -qs -- "$1" "$LOG"; }
count() { grep -cs -- "$1" "$LOG"; }

start_backend B1
start_backend B2
new_port NOBODY; new_port PORT
conf() {
	cat <<E2
workers 2
$1
control $TMP/sock
pid $TMP/lb.pid
pool app {
	check http /healthcheck every 200ms
	retries 0
	server s1 127.0.0.1:$B1
}
pool limited {
	check none
	queue 0
	server m1 127.0.0.1:$B1 maxconn 1
}
pool again {
	check none
	retry-on 503
	retry-budget 0%
	server s1 127.0.0.1:$B1
	server s2 127.0.0.1:$B2
}
pool breaks {
	check none
	server s2 127.0.0.1:$B2
}
listen web {
	bind 127.0.0.1:$PORT
	route path /limited to limited
	route path /status to again
	route path /rawclose to breaks
	route path /die-mid to breaks
	to app
}
E2
}

# --- how much: the configuration says it, lbctl while it runs, for each process ---
start_conf < <(conf "log $LOG
log-level warn")
is "$(cat "$LOG")" "" "log-level warn: a start in order says nothing"
is "$(ctl log level)" warn "lbctl knows"
ctl log level debug >/dev/null
raw 'GET / HTTP/9\r\n\r\n' >/dev/null
ok "a worker is told" wait_for 5 says 'worker [12]\[[0-9]*\] debug: listener web: request refused with 400: invalid request line'
kill_backend B1
ok "health is told" wait_for 5 says 'health\[[0-9]*\] warning: server app/s1 is down: '
restart_backend B1
ok "and tells information" wait_for 5 says 'health\[[0-9]*\] info: server app/s1 is up after [0-9.]* s; 1 of 1 servers up'
is "$(ctl log level)" debug "it is so until"
is "$(ctl log level default)" warn "default: what the configuration says"
ctl log level info >/dev/null
conf "log $LOG" >"$LB_CONF"
ctl reload >/dev/null
is "$(ctl log level)" info "by hand outlives a reload"
ok "which is told" says 'supervisor\[[0-9]*\] info: reload: generation 2 serves, generation 1 retires'
like "$(ctl config | grep -c '^# by hand: log level info$')" 1 "config shows it"
like "$(head -n 1 "$LOG")" '^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}[+-][0-9]{2}:[0-9]{2} [a-z0-9 ]+\[[0-9]+\] [a-z]+: ' "a line begins with its time, who, and how grave"

# --- what happens to requests ---
silently() { "$@" >/dev/null 2>&1; }
req /rawclose/garbage%0d%0a
is "$CODE" 502 "an answer that is none"
ok "... is told: which server, why, what the client got" wait_for 3 says 'warning: server breaks/s2: an answer is refused: .*; the client gets 502'
silently req /die-mid/10000
ok "an answer that is cut" wait_for 3 says 'info: server breaks/s2: an answer ends in the middle, after [0-9]* bytes; the client.s connection is closed, so that it shows'
silently raw 'GET /limited?delay=1500 HTTP/1.1\r\nHost: x\r\n\r\n' -w 200 -k &
full() { req /limited; [ "$CODE" = 503 ]; }
wait_for 3 full
ok "a queue that is full" wait_for 3 says 'warning: pool limited: all servers have their maxconn and the queue is full: a client gets 503'
load -c 1 -n 200 --path /status/503 --expect 503 >/dev/null
ok "a budget that is used up" wait_for 3 says 'warning: pool again: no retry for a request that a server failed: the retry-budget is used up'

# --- again and again: counted, and told in the end ---
load -c 2 -n 60 --path /rawclose/garbage%0d%0a --expect 502 >"$TMP/load.out"
told() { grep 'an answer is refused' "$LOG" | grep -vc 'left out'; }
between "$(told)" 10 21 "ten of a kind in each worker"
ok "then how many they were" wait_for 15 says 'an answer is refused: .* (this is the last of [0-9]* such lines in 10 s that were left out)'
summed() {
	local told left
	told=$(told)
	left=$(sed -n 's/.*an answer is refused.*the last of \([0-9]*\) such.*/\1/p' "$LOG" | awk '{ n += $1 } END { print n + 0 }')
	[ $((told + left)) = 61 ]
}
ok "none is forgotten" wait_for 15 summed

# --- SIGUSR1: all processes ---
mv "$LOG" "$LOG.1"
kill -USR1 "$LB_PID"
ok "opened anew" wait_for 5 says 'supervisor\[[0-9]*\] info: logs: opened anew'
ctl log level debug >/dev/null
raw 'GET / HTTP/9\r\n\r\n' >/dev/null
ok "by workers" wait_for 5 says 'worker [0-9]*\[[0-9]*\] debug: '
kill_backend B1
ok "by health" wait_for 5 says 'health\[[0-9]*\] warning: server app/s1 is down'
restart_backend B1
holders() { find /proc/"$LB_PID"/fd /proc/[0-9]*/fd -lname "$LOG.1" 2>/dev/null | grep -c .; }
nobody() { [ "$(holders)" = 0 ]; }
ok "nobody holds the old one" wait_for 5 nobody
stop_lb
ok "the last word" says 'info: stopped'

# --- the journal: priorities, no times ---
cat >"$TMP/journal.pl" <<'E3'
# A stream socket as standard error, as the journal gives it; what comes goes to a file.
use Socket;
socketpair(my $ours, my $theirs, AF_UNIX, SOCK_STREAM, 0) or die;
my ($dev, $ino) = stat $theirs;
unless (fork) {
	close $theirs;
	open my $out, ">>", shift or die;
	$out->autoflush;
	while (sysread $ours, my $b, 65536) { print $out $b }
	exit;
}
shift;
$ENV{JOURNAL_STREAM} = "$dev:$ino";
open STDERR, ">&", $theirs or die;
close $_ for $ours, $theirs;
exec @ARGV;
E3
conf "log stderr" | sed '/^control\|^pid/d' >"$TMP/journal.conf"
perl -MIO::Handle "$TMP/journal.pl" "$TMP/journal.out" "$LB" -c "$TMP/journal.conf" 8>&- &
LB_PID=$!
LB_PIDS+=("$LB_PID")
LOG=$TMP/journal.out
ok "under systemd: a priority instead of a time" wait_for 10 says '^<6>supervisor\[[0-9]*\]: ready: 2 workers$'
kill_backend B1
ok "... each its own" wait_for 5 says '^<4>health\[[0-9]*\]: server app/s1 is down'
ok "... errors too" wait_for 5 says '^<3>health\[[0-9]*\]: pool app: no server is up'
restart_backend B1
stop_lb

# --- syslog, with a /dev of our own ---
mkdir "$TMP/dev"
cat >"$TMP/syslog.sh" <<'E4'
mount -t tmpfs none "$1/dev" && chmod 755 "$1/dev" || exit 99
for f in null full zero urandom tty; do [ -e /dev/$f ] && { touch "$1/dev/$f"; mount --bind /dev/$f "$1/dev/$f"; }; done
mkdir "$1/dev/shm" && mount --bind /dev/shm "$1/dev/shm" && ln -s /proc/self/fd "$1/dev/fd" && mount --rbind "$1/dev" /dev || exit 99
# A daemon: each datagram a line of a file. It is restarted once, when the file "again" is there.
perl -MSocket -e 'my ($dir) = @ARGV; $| = 1;
	for my $n (1, 2) {
		unlink "/dev/log"; socket my $s, AF_UNIX, SOCK_DGRAM, 0 or die; bind $s, sockaddr_un "/dev/log" or die; chmod 0666, "/dev/log";
		open my $up, ">", "$dir/up$n"; close $up;
		open my $out, ">>", "$dir/syslog.out" or die; $out->autoflush;
		for (;;) {
			my $r = ""; vec($r, fileno $s, 1) = 1;
			if (select $r, undef, undef, 0.05) { recv $s, my $b, 65536, 0; print $out "$b\n"; next }
			exit if -e "$dir/end"; last if $n == 1 && -e "$dir/again";
		}
	}' "$1" &
daemon=$!
while [ ! -e "$1/up1" ]; do perl -e 'select undef, undef, undef, 0.02'; done
"$2" -c "$3" &
lb=$!
echo $lb >"$1/syslog.pid"
while [ ! -e "$1/end" ]; do perl -e 'select undef, undef, undef, 0.02'; done
kill $lb; wait $lb; wait $daemon
exit 0
E4
conf "log syslog
log-facility local0
access-log syslog facility local3 format extended
user root" | sed '/^control\|^pid/d; s/^workers 2/workers 1/' >"$TMP/syslog.conf"
unshare -m bash "$TMP/syslog.sh" "$TMP" "$LB" "$TMP/syslog.conf" >"$TMP/syslog.err" 2>&1 8>&- &
NS=$!
LOG=$TMP/syslog.out
started() { listening "$PORT" || _gone $NS; }
wait_for 15 started
if _gone $NS; then
	skip "no mount namespace: $(head -n 1 "$TMP/syslog.err")"
else
	month='[JFMASOND][a-z]\{2\} [ 0-9][0-9] [0-9:]\{8\}'
	ok "syslog: events as the local daemons read them" wait_for 5 says "^<134>$month loadbalancer\[[0-9]*\]: health: server .* is up; "
	req '/?first'
	ok "access lines, too" wait_for 5 says "^<158>$month loadbalancer\[[0-9]*\]: 127\.0\.0\.1 - - \[.*\"GET /?first HTTP/1.1\" 200 .* end=-- "
	kill_backend B1
	ok "warnings are warnings" wait_for 5 says "^<132>$month loadbalancer\[[0-9]*\]: health: warning: server app/s1 is down"
	restart_backend B1
	touch "$TMP/again"
	wait_for 5 [ -e "$TMP/up2" ]
	req '/?second'
	ok "a daemon that was restarted gets the next access lines" wait_for 5 says '"GET /?second HTTP/1.1" '
	kill_backend B1
	twice() { [ "$(count 'server app/s1 is down')" = 2 ]; }
	ok "and events" wait_for 5 twice
	load -c 2 -n 3000 --path /limited >/dev/null
	every() { [ "$(count '"GET /limited HTTP/1.1"')" = 3000 ]; }
	ok "a burst: the writer waits for the daemon, and each line gets there" wait_for 10 every
	touch "$TMP/end"
	wait_for 15 _gone $NS
	ok "nothing of it in /dev/shm" _no_shm "$(< "$TMP/syslog.pid")"
fi
finish
