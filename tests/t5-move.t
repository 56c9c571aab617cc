#!/bin/bash
# Conversations under way go to the new workers at a reload, and neither side notices.
TEST_LIMIT=120
. "${0%/*}/lib.sh"

start_backend E1 --tcp echo
start_backend B1
new_port WEB
new_port COPY
new_port RAW
new_port RAWCOPY
PORT=$WEB
start_conf <<EOC
workers 2
drain-timeout 60s
pool echo {
    server e1 127.0.0.1:$E1
}
pool app {
    check load /healthcheck
    server b1 127.0.0.1:$B1
}
listen web {
    bind 127.0.0.1:$WEB
    to app
}
listen copy {
    bind 127.0.0.1:$COPY
    splice off
    to app
}
listen raw {
    bind 127.0.0.1:$RAW
    mode tcp
    to echo
}
listen rawcopy {
    bind 127.0.0.1:$RAWCOPY
    mode tcp
    splice off
    to echo
}
EOC
generation=1
reload() {
	generation=$((generation + 1))
	kill -HUP "$LB_PID"
	wait_for 10 grep -q "generation $generation serves" "$LB_LOG" &&
	    wait_for "${1:-3}" grep -q "generation $((generation - 1)) is gone" "$LB_LOG"
}
tunnels() { "$TESTBIN/tunnel" "127.0.0.1:$1" "${@:2}"; }
under_way() { [ "$(ss -Htn state established "sport = :$1" | wc -l)" -ge "$2" ]; }

for kind in raw rawcopy web copy; do
	port=${kind^^}
	[ $kind = web ] || [ $kind = copy ] && up='-u /upgrade' || up=
	tunnels "${!port}" -c 20 -d 3000 $up >"$TMP/out" 2>"$TMP/err" &
	client=$!
	ok "$kind: 20 tunnels are open" wait_for 5 under_way "${!port}" 20
	for _ in 1 2 3; do
		ok "$kind: after a reload nothing of the old generation is left within 3 s" reload 3
	done
	ok "$kind: no tunnel was cut, no byte is wrong or lost" wait $client
	diag "$(<"$TMP/out")" "$(<"$TMP/err")"
done

# Answers under way: by length and in chunks, by splice and by copy, to slow readers.
for kind in web copy; do
	port=${kind^^}
	for path in bytes chunked; do
		want=$("$TESTBIN/pattern" 30000000 | cksum)
		curl -s --limit-rate 12M "http://127.0.0.1:${!port}/$path/30000000" >"$TMP/got" &
		client=$!
		ok "$kind: /$path has begun" wait_for 5 test -s "$TMP/got"
		ok "$kind: a reload in the middle of it, the old workers gone at once" reload 2
		ok "$kind: and again" reload 2
		ok "$kind: curl is content" wait $client
		is "$(cksum <"$TMP/got")" "$want" "$kind: every byte of /$path is there"
	done
done

# The connection goes on: the next request on it is served by a successor.
curl -s --limit-rate 12M -w '%{num_connects}\n' -o "$TMP/got" "http://127.0.0.1:$WEB/bytes/20000000" \
    -o "$TMP/after" "http://127.0.0.1:$WEB/after" >"$TMP/connects" &
client=$!
ok "a kept connection takes a long answer" wait_for 5 test -s "$TMP/got"
ok "it moves" reload 3
ok "curl is content" wait $client
is "$(tr '\n' ' ' <"$TMP/connects")" "1 0 " "and has its next request answered on the same connection"
like "$(<"$TMP/after")" 'GET /after' "by the server"

# Idle connections to servers go along: a reload is no storm of connects.
kept() { ss -Htn state established "dport = :$B1" | awk '{ print $3 }' | sort; }
load -n 400 -c 20 >/dev/null
before=$(kept)
ok "connections to the server are kept" test "$(wc -l <<<"$before")" -ge 4
ok "another reload" reload 3
is "$(kept)" "$before" "they are the same ones afterwards"
connects=$("$TESTBIN/load" "127.0.0.1:$WEB" -n 50 -c 1)
like "$connects" '"failed":0' "and they are in order"
ok "and used" test "$(comm -12 <(kept) <(echo "$before") | wc -l)" -ge 1

stop_lb
is "$LB_STATUS" 0 "it stops in order"
finish
