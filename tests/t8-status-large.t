#!/bin/bash
# The status page's answers when there are a thousand servers: written as they are read, bounded, cut when nobody reads.
. "${0%/*}/lib.sh"

get() { local path=${!#}; CODE=$(curl -sS --max-time 20 -o "$TMP/body" -w '%{http_code}' "${@:1:$#-1}" "http://127.0.0.1:$STATUS_PORT$path" 2>"$TMP/curl.err"); CURL=$?; }

start_backend B1
new_port PORT
new_port STATUS_PORT
{ echo "workers 2"; echo "pool big {"; echo "	check none"; for ((i = 1; i <= 1000; i++)); do echo "	server a-server-with-a-name-$i 127.0.0.1:$B1"; done; echo "}"
  printf 'listen web {\n\tbind 127.0.0.1:%d\n\tto big\n}\nlisten status {\n\tbind 127.0.0.1:%d\n\tserve status\n\tsend-timeout 1s\n}\n' "$PORT" "$STATUS_PORT"; } >"$TMP/big"
start_conf <"$TMP/big"
for ((i = 0; i < 20; i++)); do req /; done
get /metrics
is "$CODE $CURL $(grep -c '^loadbalancer_server_up{' "$TMP/body")" "200 0 1000" "a thousand servers: $(($(wc -c <"$TMP/body") / 1024)) KiB of metrics, whole"
is "$(promtool check metrics <"$TMP/body" 2>&1)" "" "and sound"
is "$(awk '/_response_time_seconds_count/ { n += $NF } /le="\+Inf"/ { m += $NF } END { print n, m }' "$TMP/body")" "20 20" "figures of one moment"
get /status.json
is "$(grep -c '"name": "a-server-with' "$TMP/body")" 1000 "status.json"
ok "is JSON" perl -MJSON::PP -e 'decode_json(join "", <STDIN>)' <"$TMP/body"
get '/history.json?pool=*'
is "$(grep -c '"states": ' "$TMP/body") $(grep -c '"p99": ' "$TMP/body") $(tail -n 2 "$TMP/body" | tr -d '\n\t')" "1000 1001 ]}" "history.json, all series: $(($(wc -c <"$TMP/body") / 1024)) KiB"
rss() { local p n=0 v; for p in $(workers); do v=$(awk '/^VmRSS/ { print $2 }' "/proc/$p/status"); n=$((n + v)); done; echo $n; }
before=$(rss)
# Who reads nothing: is let go after send-timeout, and costs others nothing meanwhile.
SLOW=() MANY=
for ((i = 0; i < 10; i++)); do MANY+='GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'; done
for ((i = 0; i < 20; i++)); do
	# As often as it takes to fill all buffers of the kernel.
	"$TESTBIN/raw" "127.0.0.1:$STATUS_PORT" -l 1 -q -t 20000 "$MANY" >"$TMP/slow.$i" 2>&1 &
	SLOW+=($!)
done
busy() { [ "$(get /metrics; echo "$CODE")" != 000 ]; }
ok "who asks meanwhile gets an answer" busy
like "$CODE" '^(200|503)$' "metrics, or word that too many ask"
req /
is "$CODE" 200 "and requests go on"
after=$(rss)
sanitized || ok "20 slow readers: $((after - before)) KiB more in two workers" [ $((after - before)) -lt 40000 ]
let_go() { get /status.json; [ "$CODE" = 200 ] && sed -n '/"listeners"/,$p' "$TMP/body" | grep -A3 '"name": "status"' | grep -q '"clients": 1,'; }
ok "all of them are let go" wait_for 8 let_go
kill "${SLOW[@]}"; wait "${SLOW[@]}" 2>/dev/null
again() { get /metrics; [ "$CODE $(grep -c '^loadbalancer_server_up{' "$TMP/body")" = "200 1000" ]; }
ok "then all is as before" wait_for 5 again
# Who reads slowly, but reads, gets all of it.
"$TESTBIN/raw" "127.0.0.1:$STATUS_PORT" -l 60000 -t 20000 'GET /status.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >"$TMP/slow"
is "$? $(tail -c 5 "$TMP/slow" | od -An -c | tr -d ' ')" '0 0\r\n\r\n' "a slow reader gets all of it"
# Who pauses for almost as long as he may, and then reads: from there on it is the worker's turn, and takes as long as it does.
for ms in 900 960 980; do
	perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new("127.0.0.1:$ARGV[0]"); print $s "GET /history.json?pool=* HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
		select undef, undef, undef, $ARGV[1] / 1000; my $all = ""; while (sysread $s, $all, 4000000, length $all) { } print substr $all, -5' "$STATUS_PORT" $ms >"$TMP/paused"
	is "$(od -An -c "$TMP/paused" | tr -d ' ')" '0\r\n\r\n' "who pauses for $ms ms of 1000 gets all of it"
done
# In the middle of an answer the client leaves; a reload comes.
"$TESTBIN/raw" "127.0.0.1:$STATUS_PORT" -t 5000 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n' -w server_up -k >"$TMP/left" 2>&1
curl -sS --limit-rate 3M "http://127.0.0.1:$STATUS_PORT/metrics" -o "$TMP/during" & CURL_PID=$!
kill -HUP "$LB_PID"
wait_for 10 grep -q 'generation 2 serves' "$LB_LOG"
wait $CURL_PID
is "$? $(grep -c '^loadbalancer_server_up{' "$TMP/during")" "0 1000" "a reload in the middle of an answer"
ok "the old workers end" wait_for 10 grep -q 'generation 1 is gone' "$LB_LOG"
finish
