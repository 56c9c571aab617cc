#!/bin/bash
# The seed's choice, through the real program: fewest entries, then fewest errors, then order.
. "${0%/*}/lib.sh"

# What each server was given, from the servers themselves: "3 2 0".
given() {
	local v out=
	for v; do out+=" $(($(curl -s "http://127.0.0.1:${!v}/healthcheck" | tail -n 1) - ${FIRST[$v]:-0}))"; done
	echo "${out# }"
}
declare -A FIRST

# --- three load groups: 0 0 | 10 10 10 | 50 50, one request after the other ---
start_backend A1 --entries 0
start_backend A2 --entries 0
start_backend B1 --entries 10
start_backend B2 --entries 10
start_backend B3 --entries 10
start_backend C1 --entries 50
start_backend C2 --entries 50
FIRST=([B1]=10 [B2]=10 [B3]=10 [C1]=50 [C2]=50)
start_lb -N 4 -R 100000 @ "$A1" "$A2" "$B1" "$B2" "$B3" "$C1" "$C2"
like "$(load -n 20 --close --strict)" '"backend":\{"A1":10,"A2":10\}' "20 requests fill the emptiest group, evenly"
like "$(load -n 40 --strict)" '"ok":40,' "40 more on a kept connection"
is "$(given A1 A2 B1 B2 B3 C1 C2)" "18 18 8 8 8 0 0" "the second group joins when the first has caught up, the third waits"
like "$(load -n 160 --close --strict)" '"ok":160,' "and 160 more"
is "$(given A1 A2 B1 B2 B3 C1 C2)" "50 50 40 40 40 0 0" "until all are level"
like "$(load -n 70 --strict)" '"A1":10,"A2":10,"B1":10,"B2":10,"B3":10,"C1":10,"C2":10' "level servers take turns in order"
stop_lb
is "$LB_STATUS" 0 "ends with status 0"
for v in A1 A2 B1 B2 B3 C1 C2; do kill_backend $v; done

# --- ties: fewest errors, then order ---
start_backend E1 --entries 5 --errors 4
start_backend E2 --entries 5 --errors 1
start_backend E3 --entries 5 --errors 1
start_lb -R 100000 @ "$E1" "$E2" "$E3"
req /
is "$BODY" "E2 GET /" "equal entries: the one with fewest errors, the first of two"
req /
is "$BODY" "E3 GET /" "then the second"
req /
is "$BODY" "E1 GET /" "then the one with errors"
stop_lb

# --- the same server twice means two rows ---
start_backend D1
start_backend D2
start_lb @ "$D1" -R 100000 "$D1" "$D2"
load -n 30 --strict >/dev/null
is "$(given D1 D2)" "20 10" "a server that is named twice gets two shares"
stop_lb

# --- flags between the positionals; -R asks the servers again ---
start_backend F1 --log "$TMP/f1.log"
start_backend F2
start_lb -N 3 @ "$F1" -R 10 "$F2"
wait_for 5 eval '[ "$(count_workers)" = 3 ]'
is "$(count_workers)" 3 "-N 3 before the port: three workers"
probes() { grep -c ' /healthcheck ' "$TMP/f1.log"; }
wait_for 5 eval '[ "$(probes)" -ge 1 ]'
before=$(probes)
# The server is set back: the balancer learns it from the extra probe, not from its own count.
curl -s "http://127.0.0.1:$F1/control/entries/1000" >"$TMP/null"
load -n 10 --strict >/dev/null
ok "-R 10 between the servers: 10 requests bring an extra probe" wait_for 2 eval '[ "$(probes)" -gt "$before" ]'
wait_for 2 eval 'load -n 10 | grep -q "\"F2\":10"'
like "$(load -n 10 --strict)" '"backend":\{"F2":10\}' "what it reports replaces the balancer's own count"
stop_lb

for args in "@ P Q -R 2 -N 11" "-N 7 @ P -R 3 Q" "@ P Q -N 11 -R 2" "-R2 -N7 @ P Q"; do
	words=${args/P/$F1} words=${words/Q/$F2}
	# shellcheck disable=SC2086
	start_lb $words
	req /
	is "$CODE" 200 "serves with: $args"
	[[ $args == *7* ]] && n=7 || n=11
	wait_for 5 eval '[ "$(count_workers)" = $n ]'
	is "$(count_workers)" $n "$n workers"
	stop_lb
done
kill_backend F1
kill_backend F2

# --- a newcomer with nothing on its count does not melt: its share in flight is capped ---
start_backend N1 --entries 0 --delay 400
start_backend O1 --entries 100000 --delay 400
start_backend O2 --entries 100000 --delay 400
start_lb -R 100000 @ "$N1" "$O1" "$O2"
line=$(load -n 60 -c 60 --strict)
diag "$line"
# 4 + 1.5 * 60 / 3 = 34 at most; loadbalancer(8) says so
between "$(field N1 "$line")" 20 34 "60 at once: the newcomer gets more than its third, but not all"
like "$line" '"failed":0,' "none is lost"
stop_lb

# --- 20 parallel requests, 20 workers, a probe round every 4 requests ---
start_backend G1
start_backend G2
start_backend G3
start_lb -N 20 -R 4 @ "$G1" "$G2" "$G3"
for ((round = 0; round < 5; round++)); do
	pids=()
	for ((i = 0; i < 20; i++)); do
		curl -s --max-time 10 -o "$TMP/par.$i" -w '%{http_code}\n' "http://127.0.0.1:$PORT/par/$i" >"$TMP/par.$i.code" &
		pids+=($!)
	done
	wait "${pids[@]}"
done
is "$(cat "$TMP"/par.*.code | sort | uniq -c | xargs)" "20 200" "20 parallel curls, five times over: all answered"
for ((i = 0; i < 20; i++)); do grep -q "GET /par/$i\$" "$TMP/par.$i" || echo "$i"; done >"$TMP/wrong"
is "$(cat "$TMP/wrong")" "" "each with its own answer"
read -r a b c <<<"$(given G1 G2 G3)"
is $((a + b + c)) 100 "100 requests reached the servers"
ok "spread over all three: $a $b $c" [ "$a" -ge 15 -a "$b" -ge 15 -a "$c" -ge 15 ]
line=$(load -n 2000 -c 20 --close --mix --strict)
like "$line" '"ok":2000,"failed":0,' "2000 checked requests, 20 at a time"
finish
