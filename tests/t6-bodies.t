#!/bin/bash
# Large bodies: exact, in bounded memory, at the pace of the slower side.
TEST_LIMIT=180
. "${0%/*}/lib.sh"

start_backend S1
new_port COPY
new_port SPLICE
PORT=$COPY
start_conf <<EOC
workers 1
pool app {
    check none
    server s1 127.0.0.1:$S1
}
listen copy {
    bind 127.0.0.1:$COPY
    splice off
    to app
}
listen splice {
    bind 127.0.0.1:$SPLICE
    splice on
    to app
}
EOC
wait_for 5 eval '[ "$(count_workers)" = 1 ]'
worker=$(workers)
rss_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$worker/status"; }
# Sanitizers keep freed memory for a while: their figures say nothing.
sanitized && asan=1
limit_kb=8192

size=100000000
"$TESTBIN/pattern" $size 5 >"$TMP/big"
want=$(cksum <"$TMP/big")
req /hello
base=$(rss_kb)

for mode in copy splice; do
	[ $mode = copy ] && PORT=$COPY || PORT=$SPLICE
	is "$(curl -s "http://127.0.0.1:$PORT/bytes/$size?seed=5" | cksum)" "$want" "$mode: GET of 100 MB by length"
	is "$(curl -s "http://127.0.0.1:$PORT/chunked/$size?seed=5" | cksum)" "$want" "$mode: chunked"
	is "$(curl -s "http://127.0.0.1:$PORT/close/$size?seed=5" | cksum)" "$want" "$mode: ended by closing"
	is "$(curl -s -T "$TMP/big" "http://127.0.0.1:$PORT/digest")" "$want" "$mode: PUT of 100 MB"
	is "$(curl -s -T - "http://127.0.0.1:$PORT/digest" <"$TMP/big")" "$want" "$mode: PUT chunked"
	is "$(raw "GET /bytes/3000000?seed=2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" | tail -c 3000000 | cksum)" \
	    "$("$TESTBIN/pattern" 3000000 2 | cksum)" "$mode: odd reader"

	# A client that does not read: the server is made to wait, the worker holds a bounded window.
	pids=()
	for ((i = 0; i < 20; i++)); do
		"$TESTBIN/raw" "127.0.0.1:$PORT" -l 100 "GET /bytes/$size HTTP/1.1\r\nHost: x\r\n\r\n" -w nothing -t 3000 >"$TMP/slow.$i" &
		pids+=($!)
	done
	busy() { [ "$(count_fds "$worker")" -ge 40 ]; }
	ok "$mode: 20 clients that hardly read" wait_for 5 busy
	line=$(load -n 200 -c 4 --mix --strict)
	like "$line" '"ok":200,"failed":0' "$mode: others are served meanwhile"
	now=$(rss_kb)
	[ -n "$asan" ] || between $((now - base)) -4096 $limit_kb "$mode: the worker grew by less than $limit_kb KiB (grew by $((now - base)))"
	kill "${pids[@]}" 2>/dev/null
	wait "${pids[@]}" 2>/dev/null
	# A server that hardly reads.
	for ((i = 0; i < 10; i++)); do
		curl -s --max-time 2 -T "$TMP/big" -o /dev/null "http://127.0.0.1:$PORT/digest?slowread=1000" &
		pids+=($!)
	done
	ok "$mode: 10 uploads to a server that hardly reads" wait_for 5 eval '[ "$(count_fds "$worker")" -ge 20 ]'
	like "$(load -n 100 -c 4 --strict)" '"ok":100,"failed":0' "$mode: others are served meanwhile"
	now=$(rss_kb)
	[ -n "$asan" ] || between $((now - base)) -4096 $limit_kb "$mode: the worker grew by less than $limit_kb KiB (grew by $((now - base)))"
	kill "${pids[@]}" 2>/dev/null
	wait "${pids[@]}" 2>/dev/null
done
is "$(workers)" "$worker" "the same worker all the time"
# What crawls to the slow server is not worth waiting for.
stop_lb INT
finish
