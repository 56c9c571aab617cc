#!/bin/bash
# SIGHUP: a new configuration takes over under load; a bad one changes nothing.
TEST_LIMIT=180
. "${0%/*}/lib.sh"

start_backend B1
start_backend B2
start_backend B3
new_port PORT
new_port SECOND
SOCKET=$TMP/web.sock

# conf WORKERS SERVERS... ; further lines on stdin
conf() {
	local s workers=$1
	shift
	echo "workers $workers"
	echo "drain-timeout ${DRAIN:-1h}"
	echo "pool app {"
	echo "    balance round-robin"
	echo "    check load /healthcheck every 5s"
	for s; do echo "    server ${s,,} 127.0.0.1:${!s}"; done
	echo "}"
	cat
}
web() { printf 'listen web {\n    bind 127.0.0.1:%s\n%s    to app\n}\n' "$PORT" "$1"; }
rewrite() { cat >"$LB_CONF.new" && mv "$LB_CONF.new" "$LB_CONF"; }
lines() { grep -c "$1" "$LB_LOG"; }
served() { grep -q "generation $1 serves" "$LB_LOG"; }
gone() { grep -q "generation $1 is gone" "$LB_LOG"; }
under_way() { grep -Eq "^ *[0-9]+: [0-9A-F]+:$(printf %04X "$1") [0-9A-F:]+ 01 0*[1-9A-F]" /proc/net/tcp; }	# unsent bytes
reload() {	# GENERATION that is to serve afterwards
	kill -HUP "$LB_PID"
	wait_for 10 served "$1"
}
refused() { kill -HUP "$LB_PID"; wait_for 10 grep -q "refused; generation $1 goes on" "$LB_LOG"; }

web | conf 3 B1 B2 | cat >"$TMP/first"
start_conf <"$TMP/first"
wait_for 5 eval '[ "$(count_workers)" = 3 ]'
req /
is "$CODE" 200 "serves"

# --- five reloads under load ---
load -c 16 -d 4 >"$TMP/kept" &
KEPT=$!
load -c 4 -d 4 --close >"$TMP/single" &
SINGLE=$!
load -c 4 -d 4 --mix >"$TMP/mix" &
MIX=$!
wait_for 3 grep -q . "$LB_LOG"
for g in 2 3 4 5 6; do
	ok "generation $g takes over" reload $g
	ok "generation $((g - 1)) leaves" wait_for 5 gone $((g - 1))
done
wait $KEPT $SINGLE $MIX
like "$(< "$TMP/kept")" '"failed":0,"closed":0,"connects":16,' "kept connections: nothing lost, none closed"
like "$(< "$TMP/single")" '"failed":0,"closed":0' "one connection a request: nothing lost"
like "$(< "$TMP/mix")" '"failed":0,"closed":0,"connects":4,' "bodies both ways: nothing lost, none closed"
is "$(count_workers)" 3 "three workers, no more"
ok "the same supervisor" kill -0 "$LB_PID"

# --- a client that is idle while three generations pass ---
raw -t 15000 'GET /a HTTP/1.1\r\nHost: x\r\n\r\n' -w 'GET /a' -p 1500 \
    'GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >"$TMP/idle" &
IDLE=$!
wait_for 5 grep -q 'GET /a' "$TMP/idle"
reload 7; reload 8; reload 9
wait $IDLE
is "$?" 0 "an idle connection is moved three times"
like "$(< "$TMP/idle")" 'GET /b' "and then used"

# --- other servers, other listeners ---
conf 2 B2 B3 <<EOC | rewrite
listen web {
    bind 127.0.0.1:$PORT
    bind 127.0.0.1:$SECOND
    bind unix:$SOCKET
    to app
}
EOC
ok "reload with other servers, two more addresses, fewer workers" reload 10
line=$(load -n 40 --close)
like "$line" '"ok":40,"failed":0' "serves"
like "$line" '"B2":20' "the server that stays"
like "$line" '"B3":20' "the new one"
like "$("$TESTBIN/load" "127.0.0.1:$SECOND" -n 10)" '"ok":10' "the new address"
like "$("$TESTBIN/load" "unix:$SOCKET" -n 10)" '"ok":10' "the new socket"
ok "two workers" wait_for 5 eval '[ "$(count_workers)" = 2 ]'
web | conf 2 B2 B3 | rewrite
ok "and without them again" reload 11
ok "the address is no longer listened on" eval '! listening $SECOND'
ok "the socket's file is gone" [ ! -e "$SOCKET" ]

# --- an answer under way while its listener goes ---
conf 2 B2 B3 <<EOC | rewrite
listen web {
    bind 127.0.0.1:$PORT
    to app
}
listen other {
    bind 127.0.0.1:$SECOND
    to app
}
EOC
reload 12
"$TESTBIN/raw" "127.0.0.1:$SECOND" -q -l 200000 -t 20000 'GET /bytes/20000000 HTTP/1.1\r\nHost: x\r\n\r\n' >"$TMP/under" &
R=$!
ok "an answer is under way" wait_for 5 under_way "$SECOND"
web | conf 2 B2 B3 | rewrite
ok "its listener goes" reload 13
ok "the old workers leave" wait_for 5 gone 12
wait $R
is "$?" 0 "the answer comes to its end, then the connection ends"
between "$(cut -d ' ' -f 2 "$TMP/under")" 20000000 20001000 "whole"

# --- what changes nothing ---
before=$(workers)
echo 'pool app {' | rewrite
ok "a file that does not parse is refused" refused 13
ok "its errors are in the log, with place" grep -q "$LB_CONF:1:" "$LB_LOG"
rm "$LB_CONF"
ok "so is one that is not there" refused 13
conf 2 B2 <<EOC | rewrite
listen web {
    bind 127.0.0.1:$PORT
    bind 127.0.0.1:$SECOND
    bind 127.0.0.1:$B1
    to app
}
EOC
n=$(lines 'goes on unchanged')
kill -HUP $LB_PID
ok "an address that is taken: refused" wait_for 5 eval '[ "$(lines "goes on unchanged")" -gt $n ]'
ok "the one that was opened before it is closed again" eval '! listening $SECOND'
n=$(lines 'goes on unchanged')
{ echo 'user no-such-user'; web | conf 2 B2; } | rewrite
kill -HUP $LB_PID
ok "a user that does not exist: refused" wait_for 5 eval '[ "$(lines "goes on unchanged")" -gt $n ]'
n=$(lines 'goes on unchanged')
{ echo 'log /nonexistent/log'; web | conf 2 B2; } | rewrite
kill -HUP $LB_PID
ok "a log that cannot be opened: refused" wait_for 5 eval '[ "$(lines "goes on unchanged")" -gt $n ]'
n=$(lines 'goes on unchanged')
{ echo 'max-servers 2000'; echo 'workers 2'; echo 'pool app {'; for ((i = 0; i < 1100; i++)); do echo "    server s$i 127.0.0.1:$B1"; done; echo '}'; web; } | rewrite
kill -HUP $LB_PID
ok "more servers than the table has rows: refused" wait_for 5 eval '[ "$(lines "goes on unchanged")" -gt $n ]'
ok "and said why" grep -q 'all are in use' "$LB_LOG"
is "$(workers)" "$before" "the same workers all along"
like "$(load -n 40 --close)" '"ok":40,"failed":0.*"B3":20' "which serve what they did"

# --- many at once ---
web | conf 2 B2 B3 | rewrite
load -c 8 -d 2 >"$TMP/kept" &
KEPT=$!
for ((i = 0; i < 50; i++)); do kill -HUP $LB_PID; done
wait $KEPT
like "$(< "$TMP/kept")" '"failed":0,"closed":0,"connects":8,' "fifty SIGHUPs: nothing lost, none closed"
wait_for 5 eval '[ "$(count_workers)" = 2 ]'
is "$(count_workers)" 2 "two workers in the end"
n=$(grep -o 'generation [0-9]* serves' "$LB_LOG" | tail -n 1 | tr -dc 0-9)
ok "they became one, or a few: generation $n" [ "$n" -le 40 ]

# --- rows: used again, freed when nobody needs them; one server after the other through 1024 rows ---
{ echo 'workers 1'; echo 'pool app {'; for ((i = 0; i < 1000; i++)); do echo "    server s$i 127.0.0.1:$B1"; done; echo '    check none'; echo '}'; web; } | rewrite
ok "a thousand servers" reload $((n + 1))
wait_for 5 gone $n
{ echo 'workers 1'; echo 'pool app {'; for ((i = 0; i < 1000; i++)); do echo "    server t$i 127.0.0.1:$B1"; done; echo '    check none'; echo '}'; web; } | rewrite
r=$(lines 'goes on unchanged')
kill -HUP $LB_PID
ok "a thousand others while the first are there: refused" wait_for 5 eval '[ "$(lines "goes on unchanged")" -gt $r ]'
web | conf 1 B1 | rewrite
reload $((n + 2))
ok "with the first gone ..." wait_for 5 gone $((n + 1))
{ echo 'workers 1'; echo 'pool app {'; for ((i = 0; i < 1000; i++)); do echo "    server t$i 127.0.0.1:$B1"; done; echo '    check none'; echo '}'; web; } | rewrite
ok "... they have room" reload $((n + 3))
like "$(load -n 100)" '"ok":100' "serves"

# --- a request that outlives its generation; then the drain limit ---
start_backend SLOW --delay 1500 --log "$TMP/slow.log"
web | DRAIN=1h conf 1 SLOW | rewrite
reload $((n + 4))
load -n 1 --timeout 5000 >"$TMP/slow" &
S=$!
ok "one request has reached the server" wait_for 5 eval '[ "$(grep -c "GET / " "$TMP/slow.log")" = 1 ]'
reload $((n + 5))
wait $S
like "$(< "$TMP/slow")" '"ok":1' "a request in flight is finished by its old worker"
ok "which leaves then" wait_for 5 gone $((n + 4))
web | DRAIN=200ms conf 1 SLOW | rewrite
reload $((n + 6))
load -n 1 --timeout 5000 >"$TMP/slow" &
S=$!
ok "another one has" wait_for 5 eval '[ "$(grep -c "GET / " "$TMP/slow.log")" = 2 ]'
reload $((n + 7))
ok "the drain limit ends what takes longer" wait_for 5 gone $((n + 6))
ok "and says so" grep -q 'after the drain limit' "$LB_LOG"
wait $S
stop_lb
is "$LB_STATUS" 0 "ends with 0"

# --- the seed's command line: the workers are replaced ---
start_lb -N 2 @ "$B1" "$B2"
wait_for 5 eval '[ "$(count_workers)" = 2 ]'
before=$(workers)
load -c 8 -d 1 >"$TMP/kept" &
KEPT=$!
ok "SIGHUP with the seed's command line" reload 2
ok "the old workers leave" wait_for 5 gone 1
wait $KEPT
like "$(< "$TMP/kept")" '"failed":0,"closed":0' "nothing lost"
ok "other workers" [ "$(workers)" != "$before" ]
is "$(count_workers)" 2 "as many"
stop_lb
is "$LB_STATUS" 0 "ends with 0"
finish
