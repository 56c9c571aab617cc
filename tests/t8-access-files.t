#!/bin/bash
# Access logs as files: nothing lost and nothing torn when they are rotated under load, one line for what moves at a
# reload, and a disk or a reader that does not keep up costs lines and nothing else.
TEST_LIMIT=120
. "${0%/*}/lib.sh"
cd "${0%/*}/.." || exit 2
LB=$(realpath "$LB") LBCTL=$(realpath "${LBCTL:-build/default/lbctl}") TESTBIN=$(realpath "$TESTBIN")
LOG=$TMP/access.log

dropped() { "$LBCTL" -i "$LB_PID" metrics | awk '/^loadbalancer_worker_log_lines_dropped_total/ { n += $2 } END { print n + 0 }'; }
lines() { cat "$@" 2>/dev/null | wc -l; }
# At the end of what was asked: everything has been written within a second or so.
written() { [ "$(cat "$LOG"* 2>/dev/null | wc -l)" -ge "$1" ]; }
signal() { kill "-$1" "$LB_PID"; }

start_backend B1
start_backend BT --tcp echo
new_port PORT; new_port TCP
conf() {
	cat <<E2
workers 2
log $TMP/event.log
pid $TMP/lb.pid
drain-timeout 20s
access-log $LOG format "{request} {status} {end} {bytes-in} {bytes-out} {listener} |"
$1
pool app {
	check none
	server s1 127.0.0.1:$B1
}
pool echo {
	check none
	server e1 127.0.0.1:$BT
}
listen web {
	bind 127.0.0.1:$PORT
	to app
}
listen tcp {
	bind 127.0.0.1:$TCP
	mode tcp
	to echo
}
E2
}
start_conf < <(conf)
event() { grep -s -- "$1" "$TMP/event.log" >/dev/null; }

# --- SIGUSR1 under load: each request has its line, in one file or the other ---
(load -c 8 -d 3 --rate 15000 >"$TMP/load.out") &
LOAD=$!
for i in 1 2 3 4 5 6; do
	mv "$LOG" "$LOG.$i"
	signal USR1
	ok "rotation $i: a new file" wait_for 5 [ -s "$LOG" ]
done
wait $LOAD
asked=$(field ok "$(< "$TMP/load.out")")
is "$(field failed "$(< "$TMP/load.out")")" 0 "no request failed"
wait_for 5 written "$asked"
is "$(lines "$LOG"*)" "$asked" "as many lines as requests, over all files"
is "$(cat "$LOG"* | grep -acvE '^GET /[^ ]* HTTP/1\.1 200 -- [0-9]+ [0-9]+ web \|$')" 0 "each of them whole"
is "$(dropped)" 0 "none dropped"
is "$(stat -c %a "$LOG")" 640 "not for everybody"
fds() { find "/proc/$1/fd" -lname "$LOG*" -printf '%l\n' 2>/dev/null | sort -u; }
for w in $(workers); do is "$(fds "$w")" "$LOG" "a worker holds the new file alone"; done

# --- logrotate itself, with the file that is shipped ---
rm -f "$LOG".*
sed "s|/var/log/loadbalancer\.log|$TMP/event.log|; s|/var/log/loadbalancer-access\.log|$LOG|; s|/run/loadbalancer\.pid|$TMP/lb.pid|g" \
    init/loadbalancer.logrotate >"$TMP/rotate.conf"
chmod 644 "$TMP/rotate.conf"
before=$(lines "$LOG")
(load -c 8 -d 2 --rate 15000 >"$TMP/load.out") &
LOAD=$!
loaded() { [ "$(lines "$LOG")" -gt "$((before + 50))" ]; }
wait_for 5 loaded
ok "logrotate" logrotate -f -s "$TMP/rotate.state" "$TMP/rotate.conf"
ok "it has moved the file" [ -s "$LOG.1" ]
wait_for 5 [ -s "$LOG" ]
ok "and again, which compresses the one before" logrotate -f -s "$TMP/rotate.state" "$TMP/rotate.conf"
wait $LOAD
asked=$(($(field ok "$(< "$TMP/load.out")") + before))
all() { cat "$LOG" "$LOG.1"; zcat "$LOG".*.gz; }
complete() { [ "$(all 2>/dev/null | wc -l)" -ge "$asked" ]; }
wait_for 5 complete
is "$(all | wc -l)" "$asked" "not a line is lost"
is "$(all | grep -acvE '^GET /[^ ]* HTTP/1\.1 200 -- [0-9]+ [0-9]+ web \|$')" 0 "nor torn"

# --- what moves at a reload has one line, with all of its bytes ---
rm -f "$LOG".* && mv "$LOG" "$LOG.old" && signal USR1
wait_for 5 [ -e "$LOG" ]
"$TESTBIN/tunnel" "127.0.0.1:$PORT" -c 10 -d 1500 -u /upgrade >"$TMP/http.out" &
HTTP=$!
"$TESTBIN/tunnel" "127.0.0.1:$TCP" -c 10 -d 1500 >"$TMP/tcp.out" &
TUNNEL=$!
(load -c 2 -n 4 --path /bytes/300000 --slow 3000 >"$TMP/slow.out") &
SLOW=$!
there() { [ "$("$LBCTL" -i "$LB_PID" metrics | awk '/^loadbalancer_worker_connections\{/ { n += $2 } END { print n + 0 }')" -ge 22 ]; }
wait_for 3 there
signal HUP
wait $HTTP $TUNNEL $SLOW
rm -f "$LOG.old"
wait_for 5 written 24
is "$(grep -c '^GET /upgrade HTTP/1.1 101 -- ' "$LOG") $(grep -c '^- - -- .* tcp |$' "$LOG") $(grep -c '^GET /bytes/300000 .* 200 -- ' "$LOG")" "10 10 4" \
    "tunnels, connections and answers that moved: a line each"
is "$(lines "$LOG")" 24 "and no other"
ok "they did move" event 'generation 1 is gone: [1-9]'
is "$(awk '/ tcp \|$/ { i += $4; o += $5 } END { print i, o }' "$LOG")" "$(field bytes "$(< "$TMP/tcp.out")") $(field bytes "$(< "$TMP/tcp.out")")" \
    "bytes of before and after are added up"
is "$(grep '/bytes/' "$LOG" | awk '$7 < 300000 || $7 > 301000' | wc -l)" 0 "of answers too"

# --- another file after a reload; one that cannot be opened ---
conf | sed "s|$LOG|$TMP/other.log|" >"$LB_CONF"
signal HUP
ok "reload" wait_for 10 event 'generation 3 serves'
req /other
ok "lines go to the other file" wait_for 5 grep -qs /other "$TMP/other.log"
is "$(fds "$LB_PID")" "" "the first one is closed"
conf | sed "s|$LOG|$TMP/nowhere/a.log|" >"$LB_CONF"
signal HUP
ok "a file that cannot be opened: the reload is refused" wait_for 10 event 'access log .*/nowhere/a.log: No such file'
run_lb -t -c "$LB_CONF"
like "$STATUS|$ERR" "^1\|.*access log $TMP/nowhere/a.log: No such file" "-t says so before"
req /still
ok "the old generation goes on" wait_for 5 grep -qs /still "$TMP/other.log"
conf | sed "s|$LOG|$TMP/other.log|" >"$LB_CONF"

# --- after an upgrade, and after the supervisor was killed ---
PORT=$TCP raw before -w before -t 20000 -e "$TMP/go" after -w after -s >"$TMP/long.out" &
TUNNEL=$!
signal USR2
ok "upgrade" wait_for 10 event 'generation 4 serves'
mv "$TMP/other.log" "$TMP/other.1" && signal USR1
ok "the new program opens files anew" wait_for 5 [ -e "$TMP/other.log" ]
req /upgraded
ok "for its workers" wait_for 5 grep -qs /upgraded "$TMP/other.log"
kill -KILL "$LB_PID"
OLD=$LB_PID
heir() { LB_PID=$(< "$TMP/lb.pid"); [ -n "$LB_PID" ] && [ "$LB_PID" != "$OLD" ]; }
wait_for 10 heir
LB_PIDS+=("$LB_PID")
ok "the heir takes over" wait_for 10 event 'generation [5-9] serves'
mv "$TMP/other.log" "$TMP/other.2" && signal USR1
ok "and opens files anew" wait_for 5 [ -e "$TMP/other.log" ]
req /inherited
ok "for its workers, too" wait_for 5 grep -qs /inherited "$TMP/other.log"
touch "$TMP/go"
wait $TUNNEL
is "$?|$(< "$TMP/long.out")" "0|beforeafter" "a connection lives through all of it"
ok "its line is in the last file" wait_for 5 grep -qs '^- - -- .* tcp |$' "$TMP/other.log"
is "$(cat "$TMP"/other.* | grep -c ' tcp |$')" 1 "once"
stop_lb
req /stopped
is "$(cat "$TMP"/other.* | grep -c 'upgraded\|inherited\|still')" 3 "all is written when it has stopped"

# --- a disk that is full ---
conf | sed "s|$LOG|/dev/full|" >"$TMP/full.conf"
start_conf < <(grep -v ^pid "$TMP/full.conf")
: >"$TMP/event.log"
load -c 4 -n 500 --strict >"$TMP/load.out"
is "$?" 0 "a full disk: requests are answered"
all_dropped() { [ "$(dropped)" = 500 ]; }
ok "lines are dropped, and counted" wait_for 8 all_dropped || complain "dropped: $(dropped), $(field ok "$(< "$TMP/load.out")") ok"
ok "and told, with the reason" wait_for 5 event 'warning: access log /dev/full: [0-9]* lines dropped: No space left on device'
stop_lb

# --- a file that may not grow: what is torn by that stays alone ---
conf | sed "s|$LOG|$TMP/small.log|; s|^workers .*|workers 1\nuser root|" >"$TMP/small.conf"
start_conf < <(grep -v ^pid "$TMP/small.conf")
prlimit --fsize=65536 --pid "$(workers)"
load -c 4 -n 3000 --strict >"$TMP/load.out"
is "$?" 0 "a file at its limit: requests are answered"
some_dropped() { [ "$(dropped)" -gt 0 ]; }
whole='^GET /[^ ]* HTTP/1\.1 200 -- [0-9]+ [0-9]+ web \|$'
accounted() { [ "$(($(grep -acE "$whole" "$TMP/small.log") + $(dropped)))" = 3000 ]; }
ok "lines are dropped; all others are there" wait_for 8 accounted
is "$(stat -c %s "$TMP/small.log")" 65536 "the file is as large as it may be"
cat "$TMP/small.log" >"$TMP/small.1" && : >"$TMP/small.log"
req /afterwards
ok "when there is room again, it goes on" wait_for 5 grep -qs afterwards "$TMP/small.log"
is "$(grep -acvE "$whole" "$TMP/small.1") $(grep -acvE "$whole|^\$" "$TMP/small.log")" "1 0" "one piece of a line, and it is ended before the next one"
stop_lb

# --- a reader that sleeps: a FIFO that fills up ---
mkfifo -m 666 "$TMP/fifo"
exec 7<>"$TMP/fifo"
conf | sed "s|$LOG|$TMP/fifo|; s|{request}|{request} $(printf '%01900d' 0)|" >"$TMP/fifo.conf"
start_conf < <(grep -v ^pid "$TMP/fifo.conf")
: >"$TMP/event.log"
load -c 4 -n 12000 --strict >"$TMP/load.out"
is "$?" 0 "a reader that sleeps: requests are answered"
between "$(field max_us "$(< "$TMP/load.out")")" 1 2000000 "and none waits for it"
ok "lines are dropped" wait_for 5 some_dropped
ok "and told" wait_for 5 event 'warning: access log .*/fifo: [0-9]* lines dropped: '
cat <&7 >"$TMP/fifo.out" 7>&- &
CAT=$!
disown $CAT
exec 7>&-
read_all() { [ "$(($(lines "$TMP/fifo.out") + $(dropped)))" = 12000 ]; }
ok "what was not dropped is read in the end: all are accounted for" wait_for 10 read_all
is "$(perl -ne '$n++ unless m{^GET /\S* HTTP/1\.1 (0+) 200 -- \d+ \d+ web \|$} && length $1 == 1900; END { print $n + 0 }' "$TMP/fifo.out")" 0 "in whole lines, of two workers in one pipe"
kill $CAT
stop_lb

# --- standard output ---
conf | sed "s|$LOG|stdout|; s|^log .*|log stderr|; /^pid/d" >"$TMP/stdout.conf"
start_conf < <(cat "$TMP/stdout.conf")
req /standard
ok "stdout" wait_for 5 grep -qs '^GET /standard HTTP/1.1 200 -- .* web |$' "$LB_LOG"
finish
