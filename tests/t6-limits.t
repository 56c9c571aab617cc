#!/bin/bash
# max-connections, of a listener and of all: nothing is refused, those above wait until others end.
TEST_LIMIT=90
. "${0%/*}/lib.sh"

start_backend B1
pause() { read -r -t "$1" <> <(:); }	# the length of a measurement; never for readiness
# conf TOP LISTENER-LINE...: a second listener at PORT2
conf() {
	local top=$1
	shift
	printf 'workers 3\n%s\npool app {\n\tserver b1 127.0.0.1:%s\n\tcheck none\n}\nlisten web {\n\tbind 127.0.0.1:%s\n' "$top" "$B1" "$PORT"
	printf '\t%s\n' "$@"
	printf '\tto app\n}\nlisten other {\n\tbind 127.0.0.1:%s\n\tto app\n}\n' "$PORT2"
}
let_go() { kill "${HELD[@]}" 2>"$TMP/null"; wait "${HELD[@]}" 2>"$TMP/null"; HELD=(); }
HELD=()

# hold N [PORT]: N connections that say nothing more after one request, until let_go
entries() { curl -sS "http://127.0.0.1:$B1/healthcheck" | tail -n 1; }
hold() {
	local i port=${2:-$PORT} before
	before=$(entries)
	for ((i = 0; i < $1; i++)); do
		"$TESTBIN/raw" "127.0.0.1:$port" 'GET /held HTTP/1.1\r\nHost: x\r\n\r\n' -p 30000 -k >"$TMP/held" 2>"$TMP/held.err" &
		HELD+=($!)
	done
	wait_for 5 eval '[ "$(entries)" -ge '$((before + $1))' ]'
}

new_port PORT
new_port PORT2
start_conf < <(conf "custody off" "max-connections 4")
ok "four are taken" hold 4
start=$(_now_ms)
req --max-time 0.6 /fifth
is "$CURL" 28 "the fifth gets no answer, and no refusal either"
is "$(grep -c 'max-connections is reached' "$LB_LOG")" 1 "the log says so, once"
req --max-time 5 "http://127.0.0.1:$PORT2/other"
is "$CODE" 200 "another listener is not concerned"
# Several wait; as soon as one ends, one gets in.
curl -sS -o "$TMP/w1" --max-time 15 "http://127.0.0.1:$PORT/w1" & W=$!
waits() { [ "$(ss -Hltn "sport = :$PORT" | awk '{ print $2 }')" -ge 1 ]; }
wait_for 5 waits	# it is in the backlog
start=$(_now_ms)
kill "${HELD[0]}"
wait $W
is $? 0 "one ends: the next one gets in"
between $(($(_now_ms) - start)) 0 400 "at once ($(($(_now_ms) - start)) ms)"
let_go
line=$(load -n 2000 -c 50 --close)
like "$line" '"ok":2000,"failed":0' "2000 connections, 50 at a time, through a limit of four: none fails"
cpu() { awk '{ print $14 + $15 }' "/proc/$LB_PID/stat"; }
hold 4
a=$(cpu)
pause 0.5	# time itself is tested: processor time in it
between $(($(cpu) - a)) 0 5 "the supervisor does not spin at the limit"

# --- a worker that dies frees what it held, where nobody has it in custody; a reload raises the limit ---
for w in $(workers); do kill -KILL "$w"; done
req --max-time 8 /again
is "$CODE" 200 "workers died with their connections: there is room again"
let_go
hold 4
req --max-time 0.4 /full
is "$CURL" 28 "full again"
conf "" "max-connections 6" >"$LB_CONF"
kill -HUP "$LB_PID"
req --max-time 8 /more
is "$CODE" 200 "a reload with a higher limit: accepted"
hold 2
for w in $(workers); do kill -KILL "$w"; done
ok "the workers die" wait_for 5 grep -q 'connections that it held go on with others' "$LB_LOG"
req --max-time 1 /full
is "$CURL" 28 "with custody their connections live on, and count"
let_go
stop_lb

# --- never more than that, seen from the workers ---
new_port PORT
new_port PORT2
start_conf < <(conf "max-connections 7" "max-connections 5")
load -n 1000000 -d 2 -c 40 --path /delay/1 >"$TMP/load" &
L=$!
most=0
sockets() { local w; for w in $(workers); do ls -l "/proc/$w/fd" 2>"$TMP/null"; done | grep -o 'socket:\[[0-9]*\]' | sort -u; }
printf -v hex '%04X' "$PORT"
for _ in {1..12}; do
	# What workers hold: their sockets that are connections from PORT.
	n=$(join <(sockets | tr -dc '0-9\n' | sort) <(awk -v p=":$hex" 'index($2, p) && $4 == "01" { print $10 }' /proc/net/tcp | sort) | wc -l)
	[ "$n" -gt "$most" ] && most=$n
done
wait $L
is "$most" 5 "of 40 kept connections workers held five"
line=$(load -n 3000 -c 40 --close)
like "$line" '"ok":3000,"failed":0' "and closed ones follow each other without a failure"

# --- the limit of all listeners together ---
hold 5
hold 2 "$PORT2"
req --max-time 0.5 "http://127.0.0.1:$PORT2/x"
is "$CURL" 28 "seven of seven: the other listener waits too"
kill "${HELD[0]}"
req --max-time 5 "http://127.0.0.1:$PORT2/y"
is "$CODE" 200 "one of the first listener has ended: there is room in the other"
let_go
finish
