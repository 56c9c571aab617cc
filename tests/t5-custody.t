#!/bin/bash
# A worker is killed; clients whose answer had not begun do not notice. The supervisor has copies of their descriptors, and
# what they have said is still in the kernel.
TEST_LIMIT=120
. "${0%/*}/lib.sh"

start_backend B1 --log "$TMP/b1.log"
new_port PORT
new_port PROXY
new_port FRONT
conf() {
	cat <<EOC
workers ${1:-2}
heir off
custody ${2:-on}
pool app {
    check none
    server b1 127.0.0.1:$B1
}
listen web {
    bind 127.0.0.1:$PORT
    head-timeout 1h	# those that never speak stay
    to app
}
listen proxied {
    bind 127.0.0.1:$PROXY
    accept-proxy any
    to app
}
listen named {
    bind 127.0.0.1:$FRONT
    mode tcp
    to app
}
EOC
}
count() { grep -c "$1" "$LB_LOG"; }
ready() { wait_for 10 eval "[ \"\$(count_workers)\" = $1 ]"; }
# Kills all workers, one after the other.
reap() {
	local p
	for p in $(workers); do kill -KILL "$p"; wait_for 5 _gone "$p"; done
	ready "${1:-2}"
}
to() { local port=$1; shift; "$TESTBIN/raw" "127.0.0.1:$port" "$@"; }
copies() { find "/proc/$LB_PID/fd" -lname 'socket:*' 2>/dev/null | wc -l; }
seen() { grep -c "$1" "$TMP/b1.log"; }
GET() { printf 'GET /%s HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' "$1"; }
LAST='GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'

start_conf < <(conf)
ready 2
before=$(copies)

# --- idle: after one request, after ten, before the first ---
for i in {1..8}; do
	raw -t 20000 "$(GET "first$i")" -w "GET /first$i" -e "$TMP/go" "$LAST" >"$TMP/idle$i" & IDLE[i]=$!
done
ten=
for i in {1..10}; do ten+="$(GET "ten$i")"; done
raw -t 20000 "$ten" -w 'GET /ten10' -e "$TMP/go" "$LAST" >"$TMP/ten" & TEN=$!
raw -t 20000 "$(GET a)" -w 'GET /a' "$(GET b)" -w 'GET /b' "$(GET c)" -w 'GET /c' -e "$TMP/go" "$LAST" >"$TMP/abc" & ABC=$!
raw -t 20000 'GET /half HTTP/1.1\r\nHo' -e "$TMP/go" 'st: x\r\nConnection: close\r\n\r\n' >"$TMP/half" & HALF=$!
V1='PROXY TCP4 192.0.2.7 192.0.2.8 4711 80\r\n'
to "$PROXY" -t 20000 "$V1$(GET one)" -w 'GET /one' -e "$TMP/go" 'GET /headers HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >"$TMP/proxied" & PROXIED=$!
to "$PROXY" -t 20000 "$V1" -e "$TMP/go" 'GET /headers HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >"$TMP/header" & HEADER=$!
ok "15 connections are open" wait_for 10 eval '[ "$(ss -Htn state established "( sport = :$PORT or sport = :$PROXY )" | wc -l)" -ge 13 ] &&
    for f in ten:ten10 abc:/c idle8:first8 proxied:/one; do grep -q "${f#*:}" "$TMP/b1.log" || exit 1; done'
ok "their workers are killed" reap
ok "and again" reap
ok "and again, all at once" eval 'kill -KILL $(workers); wait_for 5 eval "[ \"\$(count "killed by signal")\" = 6 ]" && ready 2'
: >"$TMP/go"
for i in {1..8}; do
	wait "${IDLE[i]}"
	like "$(<"$TMP/idle$i")" "GET /first$i.*GET /last" "idle connection $i goes on"
done
wait $TEN
is "$(grep -c 'GET /ten' "$TMP/ten") $(grep -c 'GET /last' "$TMP/ten")" "10 1" "so does one that has brought ten requests, and nothing is answered twice"
wait $ABC
is "$(grep -o 'GET /[a-z]*' "$TMP/abc" | tr -d '\n')" 'GET /aGET /bGET /cGET /last' "one by one"
is "$(seen '/b ') $(seen '/c ') $(seen /ten5)" "1 1 1" "nor asked twice"
wait $HALF
like "$(<"$TMP/half")" 'GET /half' "half a head is still there"
wait $PROXIED
like "$(<"$TMP/proxied")" 'X-Forwarded-For: 192.0.2.7' "who had come with a PROXY header is still who it said"
wait $HEADER
like "$(<"$TMP/header")" 'X-Forwarded-For: 192.0.2.7' "even before the first request"

# --- requests under way; one worker, or the next one dies of the same blow ---
stop_lb
start_conf < <(conf 1)
ready 1
rm -f "$TMP/go"
raw -t 20000 "$(GET 'delay/1500?once')" -w once "$LAST" >"$TMP/get" & G=$!
raw -t 20000 "$(GET 'delay/1400?pipe')$(GET p2)$LAST" >"$TMP/pipe" & P=$!
raw -t 20000 'POST /delay/1500?post HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi' >"$TMP/post" & O=$!
raw -t 20000 'PUT /delay/1500?put HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi' >"$TMP/put" & U=$!
raw -t 20000 'GET /bytes/100000?drip=2000 HTTP/1.1\r\nHost: x\r\n\r\n' >"$TMP/mid" & M=$!
ok "the server has them all" wait_for 5 eval '[ "$(seen "/delay/\|/bytes/")" -ge 5 ] && [ -s "$TMP/mid" ] || [ "$(seen "/delay/\|/bytes/")" -ge 5 ]'
ok "their worker is killed" reap 1
wait $G; is "$?" 0 "a GET that waited for its answer ..."
like "$(<"$TMP/get")" 'GET /delay/1500.*GET /last' "gets it, and the next one too"
is "$(seen 'delay/1500?once')" 2 "the server was asked twice"
wait $P; is "$(grep -c '^HTTP/1.1 200' "$TMP/pipe")" 3 "what was pipelined behind one is answered"
is "$(grep -o 'pipe\|/p2\|/last' "$TMP/pipe" | tr -d '\n')" 'pipe/p2/last' "in order, once each"
wait $U; like "$(<"$TMP/put")" '200 OK' "a PUT with a small body is repeated"
wait $O; is "$(<"$TMP/post")" '' "a POST that a server has seen is not answered"
is "$(seen 'post')" 1 "and not repeated"
wait $M; ok "an answer that had begun is cut" [ "$(stat -c %s "$TMP/mid")" -lt 100000 ]
like "$(grep 'that it held go on with others' "$LB_LOG" | tail -n 2)" 'that were being answered are cut' "the log counts them"

# --- the request that kills workers ---
raw -t 20000 "$(GET 'delay/4000?killer')" >"$TMP/killer" & K=$!
raw -t 20000 -e "$TMP/go" "$LAST" >"$TMP/bystander" & Y=$!
ok "it is at work" wait_for 5 eval '[ "$(seen killer)" = 1 ]'
ok "one worker after the other" reap 1
ok "it is given to another" wait_for 5 eval '[ "$(seen killer)" = 2 ]'
ok "which dies too" reap 1
wait $K
like "$?" '^[04]$' "its connection is closed"
is "$(<"$TMP/killer")" '' "without an answer"
is "$(seen killer)" 2 "a third worker does not get it"
ok "the log says why" grep -q 'under way for the second time when a worker died' "$LB_LOG"
: >"$TMP/go"
wait $Y
like "$(<"$TMP/bystander")" 'GET /last' "who was idle beside it goes on"

# --- under load: a death a second ---
stop_lb
start_conf < <(conf 3)
ready 3
pause() { read -r -t "$1" <> <(:); }	# the time between two deaths
one_dies() { local p; p=$(workers | shuf -n 1); kill -KILL "$p"; wait_for 5 _gone "$p"; ready 3; pause 1.05; }
load -c 12 -d 4 --mix >"$TMP/kept" & L=$!
load -c 4 -d 4 --close >"$TMP/single" & S=$!
load -c 8 -d 4 --path '/delay/30' >"$TMP/waiting" & W=$!
pause 0.3
for _ in 1 2 3; do one_dies; done
wait $L $S $W
diag "$(<"$TMP/kept")" "$(<"$TMP/single")" "$(<"$TMP/waiting")"
line=$(<"$TMP/kept")
between $(($(field failed "$line") + $(field closed "$line"))) 0 36 "no more is lost than was being answered or had a body"
between "$(field ok "$line")" 300 100000000 "the rest is answered, every byte as it should be"
between "$(field failed "$(<"$TMP/single")")" 0 12 "one connection a request: no more than was being answered"
line=$(<"$TMP/waiting")
between "$(field ok "$line")" 300 100000000 "requests that wait for their server"
between $(($(field failed "$line") + $(field closed "$line"))) 0 3 "are hardly ever lost"

# --- thousands, idle, whose worker dies; one worker ---
stop_lb
rm -f "$TMP/go"
start_conf < <(conf 1)
ready 1
to "$FRONT" -c 2000 -t 30000 "$(GET hello)" -w hello -e "$TMP/go" -k >"$TMP/many" & R=$!
ok "2000 tunnels" wait_for 20 eval '[ "$(ss -Htn state established "sport = :$FRONT" | wc -l)" -ge 2000 ]'
raw -c 2000 -t 30000 "$(GET first)" -w first -e "$TMP/go" "$LAST" >"$TMP/thousands" & Q=$!
sockets() { ss -Htn state established "sport = :$PORT" | wc -l; }
ok "2000 idle connections beside them" wait_for 20 eval '[ "$(sockets)" -ge 2000 ] && [ "$(copies)" -ge 4000 ]'
t=$(_now_ms)
kill -KILL "$(workers)"
ok "the worker is killed" wait_for 10 grep -q 'that it held go on' "$LB_LOG"
diag "$(grep 'that it held go on' "$LB_LOG")"
ok "another one takes them" wait_for 10 eval '[ "$(find "/proc/$(workers)/fd" -lname "socket:*" | wc -l)" -ge 2000 ]'
diag "within $(($(_now_ms) - t)) ms"
is "$(sockets)" 2001 "none of the idle ones was closed"
metric() { "$LBCTL" -i "$LB_PID" metrics | awk -v m="loadbalancer_$1" '$1 == m { print $2 }'; }
is "$(metric connections_rescued_total)" "$(grep -o '[0-9]* connections that it held go on' "$LB_LOG" | grep -o '^[0-9]*')" "the metrics count the rescued"
between "$(metric connections_cut_total)" 2000 2001 "and those that ended with the worker"
between "$(metric connections_in_custody)" 2000 2010 "and the copies"
ok "all tunnels are" wait_for 5 eval '[ "$(ss -Htn state established "sport = :$FRONT" | wc -l)" = 0 ]'
: >"$TMP/go"
wait $Q
like "$(<"$TMP/thousands")" 'GET /first.*GET /last' "and they are used again"
wait $R

# --- nothing is kept for longer than it is needed ---
like "$(load -n 3000 -c 8 --close)" '"ok":3000,"failed":0' "3000 connections come and go"
ok "no copy is left" wait_for 5 eval "[ \"\$(copies)\" -le $((before + 2)) ]"
kill -HUP "$LB_PID"
ok "a reload" wait_for 5 grep -q 'generation 1 is gone' "$LB_LOG"
ok "leaves none either" wait_for 5 eval "[ \"\$(copies)\" -le $((before + 2)) ]"
stop_lb
is "$LB_STATUS" 0 "ends with 0"

# --- off ---
rm -f "$TMP/go"
start_conf < <(conf 2 off)
ready 2
raw -t 20000 "$(GET first)" -w first -e "$TMP/go" "$LAST" >"$TMP/off" & Q=$!
ok "without custody" wait_for 5 grep -q first "$TMP/b1.log"
is "$(copies)" "$before" "the supervisor holds no copy"
reap
ok "a connection ends with its worker" wait_for 5 eval '! kill -0 $Q 2>/dev/null || [ "$(sockets)" = 0 ]'
: >"$TMP/go"
wait $Q
stop_lb
finish
