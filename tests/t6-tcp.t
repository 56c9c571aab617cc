#!/bin/bash
# mode tcp: connections are balanced, bytes go both ways, half-close is honoured.
TEST_LIMIT=180
. "${0%/*}/lib.sh"

start_backend E1 --tcp echo
start_backend D1 --tcp digest
start_backend S1 --tcp source:30000000
start_backend N1 --tcp name
start_backend N2 --tcp name
"$TESTBIN/pattern" 30000000 4 >"$TMP/big"
new_port ECHO_COPY
new_port ECHO_SPLICE
new_port DIGEST_COPY
new_port DIGEST_SPLICE
new_port SOURCE_COPY
new_port SOURCE_SPLICE
new_port NAMES
new_port IDLE
{
	cat <<EOC
workers 2
pool echo {
    check tcp
    server e1 127.0.0.1:$E1
}
pool digest {
    check tcp
    server d1 127.0.0.1:$D1
}
pool source {
    check none
    server s1 127.0.0.1:$S1
}
pool names {
    balance round-robin
    check tcp every 200ms timeout 100ms
    server n1 127.0.0.1:$N1
    server n2 127.0.0.1:$N2
}
listen names {
    bind 127.0.0.1:$NAMES
    mode tcp
    to names
}
listen idle {
    bind 127.0.0.1:$IDLE
    mode tcp
    tunnel-timeout 300ms
    to echo
}
EOC
	for p in echo digest source; do
		for s in copy splice; do
			var=${p^^}_${s^^}
			[ $s = splice ] && on=on || on=off
			printf 'listen %s-%s {\n    bind 127.0.0.1:%d\n    mode tcp\n    splice %s\n    to %s\n}\n' $p $s "${!var}" $on $p
		done
	done
} >"$TMP/conf"
PORT=$NAMES
start_conf <"$TMP/conf"

for mode in copy splice; do
	[ $mode = copy ] && PORT=$ECHO_COPY || PORT=$ECHO_SPLICE
	is "$(raw 'hello \x00\xff\x01 world' -w world -s | od -An -v -t x1 | xargs)" "68 65 6c 6c 6f 20 00 ff 01 20 77 6f 72 6c 64" "$mode: bytes of all kinds come back; both ends close"
	is "$(raw -q -t 30000 -f "$TMP/big" -s)" "$(cksum <"$TMP/big")" "$mode: 30 MB there and back"
	is "$(raw -1 'one by one' -w one -s)" "one by one" "$mode: byte by byte"
	raw x -w x -r >"$TMP/null"
	[ $mode = copy ] && PORT=$DIGEST_COPY || PORT=$DIGEST_SPLICE
	is "$(raw -t 30000 -f "$TMP/big" -s)" "$(cksum <"$TMP/big")" "$mode: half-close: the answer comes after our end"
	is "$(raw -s)" "4294967295 0" "$mode: half-close at once"
	pids=()
	for ((i = 0; i < 20; i++)); do
		raw -t 30000 -f "$TMP/big" -s >"$TMP/d.$i" &
		pids+=($!)
	done
	wait "${pids[@]}"
	is "$(cat "$TMP"/d.* | sort | uniq -c | xargs)" "20 $(cksum <"$TMP/big")" "$mode: 20 at a time"
	[ $mode = copy ] && PORT=$SOURCE_COPY || PORT=$SOURCE_SPLICE
	is "$(raw -q)" "$("$TESTBIN/pattern" 30000000 0 | cksum)" "$mode: the server talks first and closes first"
	raw -q -w nothing -t 200 -l 10 >"$TMP/null"
	# the server's end first, then ours: what we still send is not an error
	is "$(raw -w "$("$TESTBIN/pattern" 30 0 | od -An -v -t x1 | tr -d '\n' | sed 's/ /\\x/g')" -q)" "$("$TESTBIN/pattern" 30000000 0 | cksum)" "$mode: again"
done

PORT=$NAMES
for ((i = 0; i < 10; i++)); do raw -w '\n' -s; done | sort | uniq -c | xargs >"$TMP/names"
is "$(cat "$TMP/names")" "5 N1 5 N2" "connections alternate"
kill_backend N1
for ((i = 0; i < 10; i++)); do raw -w '\n' -s; done | sort | uniq -c | xargs >"$TMP/names"
is "$(cat "$TMP/names")" "10 N2" "a server that refuses is passed over, nobody notices"
kill_backend N2
out=$(raw -t 3000)
rc=$?
ok "all down: the connection is closed" [ $rc = 0 -o $rc = 4 ]
is "$out" "" "without a byte"
restart_backend N2
ok "one is back" wait_for 2 eval '[ "$(raw -w "\n" -s)" = N2 ]'

PORT=$IDLE
raw 'ping' -w ping -t 5000 >"$TMP/null"
rc=$?
ok "an idle tunnel is closed after tunnel-timeout" [ $rc = 0 -o $rc = 4 ]
worker_fds() { count_fds $(workers); }
base=$(worker_fds)
PORT=$ECHO_SPLICE
pids=()
for ((i = 0; i < 20; i++)); do raw 'x' -w x -p 200 -s >"$TMP/null" & pids+=($!); done
wait "${pids[@]}"
ok "descriptors are given back: connections and pipes" wait_for 5 eval '[ "$(worker_fds)" -le '$((base + 8))' ]'
diag "worker descriptors: before $base, after $(worker_fds)"

# with the seed's command line
stop_lb
start_backend H1
start_lb -m tcp @ "$H1"
req /plain
is "$BODY" "H1 GET /plain" "-m tcp on the command line; the probe is still /healthcheck"
like "$(load -n 300 -c 8 --mix --strict)" '"ok":300,"failed":0' "300 mixed requests through it"
finish
