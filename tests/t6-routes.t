#!/bin/bash
# Routes through the real program: where requests go, redirects, fixed answers, and what is refused.
. "${0%/*}/lib.sh"

start_backend A
start_backend B
start_backend C
printf '<h1>closed</h1>\n' >"$TMP/closed.html"
printf 'User-agent: *\nDisallow: /\n' >"$TMP/robots"
head -c 300000 /dev/zero | tr '\0' x >"$TMP/large"
: >"$TMP/empty"
new_port PORT
new_port PLAIN
start_conf <<EOC
workers 2
pool a {
    check none
    server a 127.0.0.1:$A
}
pool b {
    check none
    server b 127.0.0.1:$B
}
pool c {
    check none
    server c 127.0.0.1:$C
}
listen web {
    bind 127.0.0.1:$PORT
    route path /closed answer 503 $TMP/closed.html
    route path /robots.txt method GET,HEAD answer 200 $TMP/robots
    route path /large answer 200 $TMP/large type application/octet-stream
    route path /empty answer 200 $TMP/empty
    route path /gone answer 410
    route path /none answer 204
    route path /old redirect 301 /new{rest}
    route path /away/ redirect 307 https://www.example.org/{rest}
    route path /slash/ redirect 302 /{rest}
    route host old.example.org redirect 308 https://new.example.org{path}
    route path /api method POST,PUT,PURGE to b
    route path /api header X-Version 2 header X-Beta to c
    route host *.example.net to c
    route header Upgrade websocket to b
    to a
}
listen plain {
    bind 127.0.0.1:$PLAIN
    route redirect 301 https://{host}{path}
}
EOC

to() {	# WHO TEXT CURL-ARG...
	local who=$1 text=$2
	shift 2
	req "$@"
	is "$CODE ${BODY%% *}" "200 $who" "$text"
}
to A "the listener's own pool" /x
to A "path, but no method of the route" /api
to B "path and method" -X POST -d x /api/y
to B "a method that nobody knows" -X PURGE /api
to A "methods are compared exactly" -X purge /api
to A "only a part of a segment" -X POST -d x /apis
to A "one field of two" -H 'X-Version: 2' /api
to C "both fields" -H 'X-Version: 2' -H 'X-Beta: x' /api
to A "another value" -H 'X-Version: 22' -H 'X-Beta: x' /api
to C "host by its end, without case and port" -H 'Host: A.Example.NET:81' /
to A "the end alone" -H 'Host: example.net' /
out=$(raw 'GET http://b.example.net/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
like "$out" 'C GET /' "an absolute target's host counts"
out=$(raw 'GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n\r\n' -t 300)
like "$out" 'B GET /' "upgrade"

# --- redirects ---
req '/old/a/b?c=d'
is "$CODE $(grep -i ^location: "$TMP/head" | tr -d '\r')" '301 Location: /new/a/b?c=d' "redirect with the rest"
like "$HEAD" 'Content-Length: 0' "  without a body"
req /old
like "$HEAD" 'Location: /new$' "rest may be empty"
req /olden
is "$CODE" 200 "not a segment"
req '/away/x%20y?z'
is "$CODE $(grep -i ^location: "$TMP/head" | tr -d '\r')" '307 Location: https://www.example.org/x%20y?z' "to another host"
req --path-as-is '/slash///evil.example/'
is "$CODE $(grep -i ^location: "$TMP/head" | tr -d '\r')" '302 Location: /evil.example/' "slashes cannot make another host of it"
req -H 'Host: OLD.example.org.:80' '/p?q'
is "$CODE $(grep -i ^location: "$TMP/head" | tr -d '\r')" '308 Location: https://new.example.org/p?q' "host with its dot and port"
req -X POST -d hello /old/x
is "$CODE" 301 "a request with a body is redirected as well"
out=$(raw 'GET /old/1 HTTP/1.1\r\nHost: x\r\n\r\nGET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
like "$out" '301 .*A GET /x' "the connection goes on behind a redirect"
out=$(raw 'GET /old/1 HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n')
like "$out" 'Connection: close' "to HTTP/1.0 it ends"
out=$(raw 'GET /old/%0d%0aX-Evil:%201 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
like "$out" $'Location: /new/%0d%0aX-Evil:%201\r\n' "nothing is decoded into Location"
out=$(raw 'GET /old/a|b^{c} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
like "$out" $'Location: /new/a%7Cb%5E%7Bc%7D\r\n' "what a URI cannot hold is encoded"
out=$("$TESTBIN/raw" "127.0.0.1:$PLAIN" 'GET /a?b HTTP/1.1\r\nHost: h.example:8080\r\nConnection: close\r\n\r\n')
like "$out" $'^HTTP/1.1 301 .*Location: https://h.example/a\\?b\r\n' "a listener that only redirects"
out=$("$TESTBIN/raw" "127.0.0.1:$PLAIN" 'GET / HTTP/1.0\r\n\r\n')
like "$out" '^HTTP/1.1 400 ' "  cannot without a host"

# --- answers ---
req /closed/x
is "$CODE $BODY" "503 $(cat "$TMP/closed.html")" "an answer from a file"
like "$HEAD" 'Content-Type: text/html; charset=utf-8' "  its type by its name"
req /robots.txt
is "$CODE $BODY" "200 $(cat "$TMP/robots")" "another"
like "$HEAD" 'Content-Type: text/plain; charset=utf-8' "  plain text"
req -I /robots.txt
like "$HEAD" 'Content-Length: 26' "HEAD gets its length"
out=$(raw 'HEAD /robots.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' | tail -c 4 | od -An -tx1 | xargs)
is "$out" '0d 0a 0d 0a' "  and no body"
to A "a method that the route does not have" -X POST -d x /robots.txt
is "$(curl -s "http://127.0.0.1:$PORT/large" | cksum)" "$(cksum <"$TMP/large")" "a large one"
is "$(curl -s --limit-rate 2M "http://127.0.0.1:$PORT/large" | cksum)" "$(cksum <"$TMP/large")" "  slowly"
req -I /large
like "$HEAD" 'Content-Length: 300000.*Content-Type: application/octet-stream' "  its type as given"
req /empty
is "$CODE $(grep -ci '^content-length: 0' "$TMP/head")" "200 1" "an empty file"
req /gone
is "$CODE $BODY $(grep -ci '^content-length: 0' "$TMP/head")" "410  1" "an answer without a file"
req /none
is "$CODE $(grep -ci '^content-length' "$TMP/head")" "204 0" "204"
out=$(raw 'HEAD /large HTTP/1.1\r\nHost: x\r\n\r\nGET /gone HTTP/1.1\r\nHost: x\r\n\r\nGET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' | tr -d x | grep -a ^HTTP | tr -d '\r' | tr '\n' ' ')
is "$out" 'HTTP/1.1 200 OK HTTP/1.1 410 Gone HTTP/1.1 200 OK ' "one behind the other on one connection"
# The file that was read is the one that is sent until the next reload.
printf 'other\n' >"$TMP/closed.html"
req /closed
like "$BODY" closed "a file is read at the start"
kill -HUP "$LB_PID"
ok "and at a reload" wait_for 5 eval 'req /closed; [ "$BODY" = other ]'
rm "$TMP/closed.html"
kill -HUP "$LB_PID"
ok "one that cannot be read keeps the old configuration" wait_for 5 grep -q 'closed.html" cannot be read: No such file' "$LB_LOG"
req /closed
is "$CODE $BODY" "503 other" "  which works on"

# --- what servers may read differently ---
for target in //closed /./closed /x/../closed /%63losed '/closed;x' '/x/..;/closed' /x%2f..%2fclosed /closed/.. /closed/../y /closed/%2e%2e/y '/closed%2fy'; do
	out=$(raw "GET $target HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	like "$out" '^HTTP/1.1 400 ' "refused: $target"
done
for target in /x//y /x/../y '/x;y' /x%2Fy '/%20' '/x?a=/../closed'; do
	out=$(raw "GET $target HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	like "$out" 'A GET /' "not refused: $target"
done
out=$(raw 'GET / HTTP/1.1\r\nHost: old.ex%61mple.org\r\nConnection: close\r\n\r\n')
like "$out" '^HTTP/1.1 400 ' "nor is a host decoded"

run_lb -T -c "$LB_CONF"
is "$STATUS" 1 "the configuration with a file that is gone is refused"
printf x >"$TMP/closed.html"
run_lb -T -c "$LB_CONF"
like "$OUT" "route path /api header X-Version \"2\" header X-Beta to c" "-T shows routes, in their order"
finish
