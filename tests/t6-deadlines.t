#!/bin/bash
# Every deadline: what it ends, when, and with which status; and that progress keeps it away.
TEST_LIMIT=90
. "${0%/*}/lib.sh"

command -v perl >"$TMP/null" || skip_all "no perl"
start_backend B1
# conf POOL-LINE... -- LISTENER-LINE...
conf() {
	printf 'workers 1\npool app {\n\tcheck none\n'
	while [ $# -gt 0 ] && [ "$1" != -- ]; do printf '\t%s\n' "$1"; shift; done
	shift
	printf '}\nlisten web {\n\tbind 127.0.0.1:%s\n\tto app\n' "$PORT"
	printf '\t%s\n' "$@"
	printf '}\n'
}
start() { new_port PORT; start_conf < <(conf "$@"); }
timed() {	# COMMAND...: sets TOOK
	local start
	start=$(_now_ms)
	"$@"
	TOOK=$(($(_now_ms) - start))
}
established() {
	local hex
	printf -v hex '%04X' "$1"
	grep -Ec "^ *[0-9]+: 0100007F:$hex [0-9A-F]+:[0-9A-F]+ 01 " /proc/net/tcp
}
answer() { head -n 1 "$TMP/out" | tr -d '\r'; }
to_out() { raw "$@" >"$TMP/out"; }

# --- the client's head ---
start "server b1 127.0.0.1:$B1" -- "head-timeout 400ms" "idle-timeout 300ms" "body-timeout 1s"
timed to_out 'GET / HT' -p 5000
is "$(answer)" "HTTP/1.1 408 Request Timeout" "half a head and then nothing: 408"
between "$TOOK" 390 2390 "after head-timeout ($TOOK ms)"
# Slowloris: a field every 100 ms is progress, but the whole head has the one deadline.
slow=()
for i in {1..20}; do slow+=("X-$i: y\r\n" -p 100); done
timed to_out 'GET / HTTP/1.1\r\nHost: x\r\n' "${slow[@]}" '\r\n'
is "$(answer)" "HTTP/1.1 408 Request Timeout" "a head that never ends, a field at a time: 408"
between "$TOOK" 390 2390 "after the same time ($TOOK ms)"
timed to_out 'GET /quick HTTP/1.1\r\n' -p 100 'Host: x\r\n' -p 100 'Connection: close\r\n\r\n'
is "$(answer)" "HTTP/1.1 200 OK" "slow, but in time"
timed to_out -p 5000
is "$(wc -c <"$TMP/out")" 0 "a connection that says nothing is closed without a word"
# TCP_DEFER_ACCEPT hands it over after a second; then the deadline begins.
between "$TOOK" 390 4000 "after head-timeout ($TOOK ms)"

# --- between requests ---
timed to_out 'GET /a HTTP/1.1\r\nHost: x\r\n\r\n' -p 5000
is "$(grep -c '^HTTP' "$TMP/out")" 1 "a kept connection without a request is closed without a word"
between "$TOOK" 290 2290 "after idle-timeout ($TOOK ms)"
timed to_out 'GET /a HTTP/1.1\r\nHost: x\r\n\r\n' -p 200 'GET /b HTTP/1.1\r\nHost: x\r\n\r\n' -p 200 \
    'GET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
is "$(grep -c '^HTTP/1.1 200' "$TMP/out")" 3 "a request in time begins it anew"

# --- the client's body ---
timed to_out 'PUT /digest HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf' -p 5000
is "$(answer)" "HTTP/1.1 408 Request Timeout" "a body that stops: 408"
between "$TOOK" 990 3990 "after body-timeout ($TOOK ms)"
timed to_out 'PUT /digest HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel' -p 5000
is "$(answer)" "HTTP/1.1 408 Request Timeout" "a chunked one too"
timed to_out 'PUT /digest HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nh' -p 300 e -p 300 l -p 300 l -p 300 o
is "$(answer)" "HTTP/1.1 200 OK" "one that goes on, however slowly, is waited for ($TOOK ms)"
head -c 100000 /dev/zero >"$TMP/half"
timed to_out 'PUT /digest HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n' -f "$TMP/half" -p 5000
is "$(answer)" "HTTP/1.1 408 Request Timeout" "a large one that stops, too"
stop_lb

# --- connecting ---
new_port DEAF
perl -MIO::Socket::INET -e '$| = 1; $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $ARGV[0], Listen => 1, ReuseAddr => 1) or die;
	push @c, IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $ARGV[0], Blocking => 0) for 1 .. 8; print "full\n"; sleep 60' \
	"$DEAF" >"$TMP/deaf" &
DEAF_PID=$!
wait_for 5 grep -qs full "$TMP/deaf"
start "server deaf 127.0.0.1:$DEAF" "connect-timeout 300ms" --
timed req /
is "$CODE" 504 "a server that does not take connections: 504"
between "$TOOK" 290 2290 "after connect-timeout ($TOOK ms)"
stop_lb
start "server deaf 127.0.0.1:$DEAF" "server b1 127.0.0.1:$B1" "balance round-robin" "connect-timeout 300ms" --
timed req -X POST -d x /
is "$CODE" 200 "with another one there, that gets it, even a POST"
between "$TOOK" 290 2290 "after connect-timeout ($TOOK ms)"
stop_lb
kill "$DEAF_PID"
wait "$DEAF_PID" 2>"$TMP/null"

# --- the answer ---
start "server b1 127.0.0.1:$B1" "answer-timeout 300ms" "stall-timeout 500ms" --
timed req /silent
is "$CODE" 504 "no answer: 504"
between "$TOOK" 290 2290 "after answer-timeout ($TOOK ms)"
ok "the server counts as down for that, and comes back" wait_for 5 eval 'req /; [ "$CODE" = 200 ]'
timed req /delay/200
is "$CODE" 200 "an answer in time is one"
timed req '/raw/HTTP%2F1.1%20200%20OK%0D%0AContent-Length:%2010%0D%0A%0D%0Ahello'
is "$CODE $BODY" "200 hello" "an answer that stops in the middle: what came of it"
ok "and its client knows that it was not all" [ "$CURL" -ne 0 ]
between "$TOOK" 480 2480 "after stall-timeout ($TOOK ms)"
timed req '/bytes/1000?drip=10'
is "$CODE $CURL $(wc -c <"$TMP/body" | tr -d ' ')" "200 0 1000" "one that goes on, however slowly, is waited for ($TOOK ms)"
stop_lb

# --- a client that takes nothing ---
start "server b1 127.0.0.1:$B1" -- "send-timeout 2s"
perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $ARGV[0]) or die;
	setsockopt($s, SOL_SOCKET, SO_RCVBUF, 4096); print $s "GET /bytes/100000000 HTTP/1.1\r\nHost: x\r\n\r\n"; $s->flush; sleep 30' "$PORT" &
LAZY=$!
ok "a client asks for much" wait_for 3 eval '[ "$(established $B1)" -ge 1 ]'
timed wait_for 6 eval '[ "$(established $B1)" = 0 ]'
between "$TOOK" 300 4500 "takes nothing, and is let go after send-timeout ($TOOK ms)"
kill "$LAZY"
wait "$LAZY" 2>"$TMP/null"
stop_lb

# --- tunnels ---
start_backend T1 --tcp echo
start "server t1 127.0.0.1:$T1" -- "mode tcp" "tunnel-timeout 400ms"
timed to_out hello -w hello -p 5000
is "$(< "$TMP/out")" hello "a tunnel without a byte either way is closed"
between "$TOOK" 390 2390 "after tunnel-timeout ($TOOK ms)"
timed to_out a -w a -p 250 b -w b -p 250 c -w c -p 250 d -w d -k
is "$?" 0 "one with a byte now and then lives ($TOOK ms)"
is "$(< "$TMP/out")" abcd "to its end"
stop_lb
start "server b1 127.0.0.1:$B1" -- "tunnel-timeout 400ms" "idle-timeout 60s"
timed to_out 'GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n' -w '101' hello -w hello -p 5000
between "$TOOK" 390 2390 "an upgraded connection too ($TOOK ms)"
stop_lb

# --- the last bytes ---
lingers() {	# how long, in ms, after our FIN the balancer still takes what the client sends
	perl -MIO::Socket::INET -MTime::HiRes=time,sleep -e '$SIG{PIPE} = "IGNORE"; $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1",
		PeerPort => $ARGV[0]) or die; print $s "BAD\r\n\r\n"; $s->flush; 1 while sysread $s, $b, 4096; $t = time;
		while (time - $t < 5 && defined syswrite $s, "x") { sleep 0.02 } printf "%d\n", (time - $t) * 1000' "$PORT"
}
start "server b1 127.0.0.1:$B1" -- "linger-timeout 400ms"
between "$(lingers)" 350 2600 "behind an error the client may go on sending for linger-timeout (the copy in custody is closed within 2 s)"
stop_lb
start "server b1 127.0.0.1:$B1" -- "linger-timeout 1200ms"
between "$(lingers)" 1100 3500 "as long as was said"
finish
