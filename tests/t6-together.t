#!/bin/bash
# Many at a time in one worker, so that what is written in a turn goes out together: whatever else a request needs (interim
# answers, answers before the request is whole, servers that leave, clients that leave) comes between, and everybody
# gets their own bytes.
. "${0%/*}/lib.sh"

start_backend S1
start_backend S2
conf() {	# IO-URING
	printf 'workers 1\nio-uring %s\npool app {\n\tcheck none\n\tbalance round-robin\n\tserver s1 127.0.0.1:%s\n\tserver s2 127.0.0.1:%s\n}\n' "$1" "$S1" "$S2"
	printf 'listen web {\n\tbind 127.0.0.1:%s\n\tto app\n}\nlisten tcp {\n\tbind 127.0.0.1:%s\n\tmode tcp\n\tto app\n}\n' "$PORT" "$TCP"
}
head -c 700 /dev/urandom | base64 >"$TMP/small"
head -c 300000 /dev/urandom | base64 >"$TMP/large"

# uploads PORT FILE CURL...: 80 of them, 20 at a time; how many came back as they were
uploads() {
	local port=$1 file=$2 i same=0
	shift 2
	rm -f "$TMP"/back.*
	seq 80 | xargs -P 20 -I{} curl -s -m 20 -T "$file" "$@" -o "$TMP/back.{}" "http://127.0.0.1:$port/echo"
	for i in {1..80}; do cmp -s "$file" "$TMP/back.$i" && same=$((same + 1)); done
	echo $same
}

for io in on off; do
	new_port PORT
	new_port TCP
	start_conf < <(conf $io)
	for port in $PORT $TCP; do
		kind=$([ "$port" = "$PORT" ] && echo http || echo tcp)
		for file in small large; do
			is "$(uploads "$port" "$TMP/$file" -H 'Expect: 100-continue')" 80 "io-uring $io, $kind: $file bodies, sent when the server has asked for them"
			is "$(uploads "$port" "$TMP/$file" -H 'Expect:' -H 'Transfer-Encoding: chunked')" 80 "io-uring $io, $kind: $file bodies in chunks, sent at once"
		done
		line=$("$TESTBIN/load" "127.0.0.1:$port" -n 4000 -c 40 --mix --size 3000)
		like "$line" '"ok":4000,"failed":0' "io-uring $io, $kind: requests of all kinds, 40 at a time"
	done
	# While others hang up in the middle, of both kinds, those that stay get what is theirs.
	"$TESTBIN/load" "127.0.0.1:$PORT" -n 3000 -c 20 --close >"$TMP/load" &
	L=$!
	for i in {1..60}; do
		curl -s -m 0.0$((i % 9 + 1)) -o "$TMP/null" "http://127.0.0.1:$PORT/a?delay=20" &
	done
	wait "$L"
	like "$(<"$TMP/load")" '"ok":3000,"failed":0' "io-uring $io: beside clients that leave"
	stop_lb
done
finish
