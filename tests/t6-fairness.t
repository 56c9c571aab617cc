#!/bin/bash
# One worker, and clients in it that are a trial: downloads as fast as they go, slow readers, heads that come byte by
# byte. Small requests are served between them, in about the time that they take without a balancer in the way: half of
# them at least, for the slowest wait as long as other work on this machine makes them wait, and show only that. That
# nobody can have a turn to himself is what tests/unit/t6-flow.c looks at.
. "${0%/*}/lib.sh"

start_backend B1
start_backend B2
new_port PORT
start_conf <<EOC
workers 1
pool app {
    check tcp every 10s
    server one 127.0.0.1:$B1
    server two 127.0.0.1:$B2
}
listen web {
    bind 127.0.0.1:$PORT
    to app
}
listen raw {
    bind 127.0.0.1:$((PORT + 1))
    mode tcp
    to app
}
EOC

# of what load has printed
number() { local n=${1#*\"$2\":}; echo "${n%%[,\}]*}"; }

for mode in http tcp; do
	at=$PORT
	[ $mode = tcp ] && at=$((PORT + 1))
	"$TESTBIN/load" "127.0.0.1:$at" -d 3 -c 3 --mix --only bytes --exact --size 100000000 --strict >"$TMP/bulk" &
	bulk=$!
	perl "${0%/*}/bench/pests.pl" "$at" /bytes/50000000 >"$TMP/pests" &
	pests=$!
	# Both at once: whatever else goes on on this machine is in both.
	"$TESTBIN/load" "127.0.0.1:$B1" -d 2 -c 4 --rate 300 --strict >"$TMP/direct" &
	direct=$!
	line=$("$TESTBIN/load" "127.0.0.1:$at" -d 2 -c 4 --rate 300 --strict)
	ok "$mode: small requests are all answered" [ $? = 0 ]
	wait "$direct"
	there=$(< "$TMP/direct")
	wait "$bulk"
	ok "$mode: downloads go on meanwhile: $(number "$(< "$TMP/bulk")" ok) of 100 MB" [ "$(number "$(< "$TMP/bulk")" ok)" -gt 0 ]
	kill "$pests"
	wait "$pests"
	diag "$(< "$TMP/pests")"
	ok "$mode: slow readers get on" [ "$(grep -o 'slowly [0-9]*' "$TMP/pests" | cut -d' ' -f2)" -gt 50000 ]
	ok "$mode: heads that come byte by byte are answered" [ "$(grep -o 'byte [0-9]* answers' "$TMP/pests" | cut -d' ' -f2)" -gt 0 ]
	p50=$(number "$line" p50_us) p99=$(number "$line" p99_us) d50=$(number "$there" p50_us) d99=$(number "$there" p99_us)
	diag "through the balancer p50 $p50 us, p99 $p99 us; beside it $d50 and $d99"
	ok "$mode: half of the small requests take at most 20 ms more than four times what they take without" [ "$p50" -lt $((4 * d50 + 20000)) ]
done
stop_lb
finish
