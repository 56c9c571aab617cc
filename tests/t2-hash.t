#!/bin/bash
# balance hash: the same key, the same server, in every worker and every balancer; who is lost moves alone.
TEST_LIMIT=90
. "${0%/*}/lib.sh"

for i in 1 2 3 4 5; do start_backend "B$i"; done
# conf KEY ORDER...
conf() {
	local key=$1 i var
	shift
	printf 'workers 3\npool app {\n\tbalance hash %s\n\tcheck tcp every 500ms\n' "$key"
	for i; do var=B$i; printf '\tserver s%s 127.0.0.1:%s\n' "$i" "${!var}"; done
	printf '}\nlisten web {\n\tbind 127.0.0.1:%s\n%s\tto app\n}\n' "$PORT" "$MODE"
}
all_up() { grep -q '5 of 5 servers up' "$LB_LOG"; }
# map PREFIX N CURL-ARG...: "N server" for each of N keys; "@" in an argument is the number
map() {
	local prefix=$1 n=$2 i args=()
	shift 2
	for ((i = 1; i <= n; i++)); do
		args+=(-o "$TMP/m$i" "${@//@/$i}" "http://127.0.0.1:$PORT$prefix${prefix:+$i}" --next -sS)
	done
	unset 'args[-1]' 'args[-1]'
	curl -sS "${args[@]}"
	for ((i = 1; i <= n; i++)); do echo "$i $(cut -d' ' -f 1 "$TMP/m$i")"; done
}

# --- by path ---
new_port PORT
start_conf < <(conf path 1 2 3 4 5)
ok "all are up" wait_for 5 all_up
map /k 100 >"$TMP/first"
used=$(cut -d' ' -f 2 "$TMP/first" | sort -u | wc -l)
is "$used" 5 "100 paths use all five servers"
P=()
for i in 1 2 3; do map /k 100 >"$TMP/again.$i"; done
ok "the same paths again, over other connections and workers: the same servers" cmp -s "$TMP/first" "$TMP/again.2"
ok "and again" cmp -s "$TMP/first" "$TMP/again.3"
req "/k7"
a=${BODY%% *}
req "/k7?x=1"
is "${BODY%% *}" "$a" "the query does not count"

# --- another balancer, the same pool in another order ---
ONE=$PORT
new_port PORT
start_conf < <(conf path 4 2 5 1 3)
ok "another one is up" wait_for 5 all_up
map /k 100 >"$TMP/other"
ok "another balancer, with the pool in another order, chooses the same" cmp -s "$TMP/first" "$TMP/other"
stop_lb
PORT=$ONE LB_PID=${LB_PIDS[0]} LB_LOG=${LB_LOGS[0]}

# --- one is lost ---
kill_backend B3
ok "found to be down" wait_for 5 grep -q 's3 is down' "$LB_LOG"
map /k 100 >"$TMP/less"
moved=$(diff "$TMP/first" "$TMP/less" | grep '^<' | grep -vc 'B3$')
is "$moved" 0 "no path of another server has moved"
is "$(grep -c 'B3$' "$TMP/less")" 0 "and none goes to the lost one"
heirs=$(diff "$TMP/first" "$TMP/less" | grep '^>' | cut -d' ' -f 3 | sort -u | wc -l)
between "$heirs" 3 4 "its own went to $heirs others"
restart_backend B3
ok "it comes back" wait_for 5 all_up
wait_for 3 eval 'map /k 100 >"$TMP/back"; cmp -s "$TMP/first" "$TMP/back"'
ok "and all is as before" cmp -s "$TMP/first" "$TMP/back"

# --- one is drained by hand: weight is the table's, a reload without it moves little ---
conf path 1 2 4 5 >"$LB_CONF"
kill -HUP "$LB_PID"
ok "reloaded without s3" wait_for 10 grep -q 'generation 1 is gone' "$LB_LOG"
map /k 100 >"$TMP/without"
moved=$(diff "$TMP/first" "$TMP/without" | grep '^<' | grep -vc 'B3$')
between "$moved" 0 8 "$moved of 100 paths of others have moved"
stop_lb

# --- by header, by cookie ---
new_port PORT
start_conf < <(conf "header X-User" 1 2 3 4 5)
wait_for 5 all_up
map "" 40 -H 'x-user: u@' >"$TMP/h1"
map "" 40 -H 'X-USER: u@' >"$TMP/h2"
ok "by a field, whatever its case" cmp -s "$TMP/h1" "$TMP/h2"
between "$(cut -d' ' -f 2 "$TMP/h1" | sort -u | wc -l)" 4 5 "different values, different servers"
map "" 40 >"$TMP/h3"
between "$(cut -d' ' -f 2 "$TMP/h3" | sort -u | wc -l)" 4 5 "without the field: anywhere"
stop_lb
new_port PORT
start_conf < <(conf "cookie id" 1 2 3 4 5)
wait_for 5 all_up
map "" 40 -H 'Cookie: a=b; id=u@; c=d' >"$TMP/c1"
map "" 40 -H 'Cookie: id=u@' >"$TMP/c2"
ok "by a cookie, wherever it stands" cmp -s "$TMP/c1" "$TMP/c2"
between "$(cut -d' ' -f 2 "$TMP/c1" | sort -u | wc -l)" 4 5 "different values, different servers"
req -H 'Cookie: a=b; id=u1; c=d' /headers
like "$BODY" 'a=b; id=u1; c=d' "the cookie goes on to the server"
stop_lb

# --- by source, http and tcp ---
new_port PORT
start_conf < <(conf source 1 2 3 4 5)
wait_for 5 all_up
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
	req --interface "127.0.0.$i" /
	echo "$i ${BODY%% *}"
done >"$TMP/s1"
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
	req --interface "127.0.0.$i" /
	echo "$i ${BODY%% *}"
done >"$TMP/s2"
ok "by the client's address" cmp -s "$TMP/s1" "$TMP/s2"
between "$(cut -d' ' -f 2 "$TMP/s1" | sort -u | wc -l)" 3 5 "other addresses, other servers"
# One client with very many requests at a time is bounded.
line=$(load -n 1000 -c 60 --path /delay/20)
n=$(grep -o '"B[0-9]":' <<<"$line" | wc -l)
between "$n" 3 5 "60 requests at a time of one address: $n servers share them"
line=$(load -n 100 -c 5 --path /delay/2)
n=$(grep -o '"B[0-9]":' <<<"$line" | wc -l)
is "$n" 1 "5 at a time stay where they belong"
stop_lb
new_port PORT
MODE=$'\tmode tcp\n'
start_conf < <(conf source 1 2 3 4 5)
wait_for 5 all_up
for i in 1 2 3 4 5 6 7 8; do req --interface "127.0.0.$i" /; echo "$i ${BODY%% *}"; done >"$TMP/t1"
ok "mode tcp chooses the same" cmp -s <(head -n 8 "$TMP/s1") "$TMP/t1"
finish
