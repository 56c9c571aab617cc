#!/bin/bash
# HTTP/1.1 through the real program: every kind of message, copied and spliced.
. "${0%/*}/lib.sh"

start_backend S1 --log "$TMP/s1.log"
start_backend S2 --log "$TMP/s2.log"
new_port COPY
new_port SPLICE
PORT=$COPY
start_conf <<EOC
workers 2
pool app {
    balance round-robin
    check load /healthcheck every 2s
    server s1 127.0.0.1:$S1
    server s2 127.0.0.1:$S2
}
listen copy {
    bind 127.0.0.1:$COPY
    bind [::1]:$COPY optional
    splice off
    to app
}
listen splice {
    bind 127.0.0.1:$SPLICE
    splice on
    to app
}
EOC

"$TESTBIN/pattern" 1000000 7 >"$TMP/million"
sum() { cksum <"$1"; }
head_of() { sed -n '1,/^$/p' "$TMP/head"; }

for mode in copy splice; do
	[ $mode = copy ] && PORT=$COPY || PORT=$SPLICE

	# --- methods and kinds of answers, curl ---
	req /hello
	is "$CODE ${BODY#S?}" "200  GET /hello" "$mode: GET"
	req -I /bytes/12345
	like "$HEAD" 'Content-Length: 12345' "$mode: HEAD says the length"
	is "$(raw 'HEAD /bytes/12345 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' | tail -n 1)" $'\r' "$mode: and carries no body"
	req /bytes/1000000?seed=7
	ok "$mode: a million bytes by length, to the byte" cmp -s "$TMP/body" "$TMP/million"
	req /chunked/1000000?seed=7
	ok "$mode: chunked" cmp -s "$TMP/body" "$TMP/million"
	req "/chunked/1000000?seed=7&trailers"
	ok "$mode: chunked with trailers" cmp -s "$TMP/body" "$TMP/million"
	req /close/1000000?seed=7
	is "$CURL" 0 "$mode: ended by closing: in order"
	ok "$mode: ended by closing: whole" cmp -s "$TMP/body" "$TMP/million"
	req "/close/1000000?seed=7&v10"
	ok "$mode: the same from an HTTP/1.0 server" cmp -s "$TMP/body" "$TMP/million"
	like "$HEAD" '^HTTP/1\.1 200' "$mode: which speaks 1.1 on our side"
	req "/bytes/1000000?seed=7&v10"
	ok "$mode: HTTP/1.0 server with keep-alive" cmp -s "$TMP/body" "$TMP/million"
	req /bytes/0
	is "$CODE:$BODY" "200:" "$mode: an empty body"
	req -T "$TMP/million" /echo
	ok "$mode: PUT with length, echoed" cmp -s "$TMP/body" "$TMP/million"
	req -T - /echo <"$TMP/million"
	ok "$mode: PUT chunked, echoed" cmp -s "$TMP/body" "$TMP/million"
	req -X POST --data-binary "@$TMP/million" -H 'Expect:' /digest
	is "$BODY" "$(sum "$TMP/million")" "$mode: POST without Expect"
	req -X POST --data-binary "@$TMP/million" -H 'Expect: 100-continue' /digest
	is "$BODY" "$(sum "$TMP/million")" "$mode: POST that waits for 100 Continue"
	req -X POST -d '' /digest
	is "$BODY" "4294967295 0" "$mode: POST of nothing"
	req -X DELETE /x
	like "$BODY" 'DELETE /x' "$mode: DELETE"
	req -X OPTIONS /x
	like "$BODY" 'OPTIONS /x' "$mode: OPTIONS"
	req -X FROBNICATE /x
	like "$BODY" 'FROBNICATE /x' "$mode: a method that nobody knows"
	for status in 204 304; do
		req /status/$status
		is "$CODE:$BODY:$CURL" "$status::0" "$mode: $status has no body"
	done
	for status in 301 404 418 500 503; do
		req /status/$status
		is "$CODE" "$status" "$mode: status $status is passed on"
	done
	req /103
	is "$CODE" 200 "$mode: the answer behind early hints"
	like "$HEAD" 'HTTP/1.1 103 .*Link: </style.css>; rel=preload.*HTTP/1.1 200' "$mode: and the hints before it"
	req -T "$TMP/million" /early
	is "$CODE" 200 "$mode: an answer that comes before the body was read"
	req "/bytes/20000?drip=4000&seed=1"
	is "$(sum "$TMP/body")" "$("$TESTBIN/pattern" 20000 1 | cksum)" "$mode: an answer that drips"
	req "/hello?header=X-Other:%20some%20value"
	like "$HEAD" 'X-Other: some value' "$mode: fields of the answer are passed on"

	# --- versions, persistence ---
	req --http1.0 /bytes/1000000?seed=7
	ok "$mode: HTTP/1.0 client, length" cmp -s "$TMP/body" "$TMP/million"
	req --http1.0 /chunked/1000000?seed=7
	ok "$mode: HTTP/1.0 client gets a chunked answer without chunks" cmp -s "$TMP/body" "$TMP/million"
	ok "$mode: and no Transfer-Encoding" eval '! grep -qi transfer-encoding "$TMP/head"'
	is "$(raw 'GET /bytes/3 HTTP/1.0\r\n\r\n' | head -n 1)" $'HTTP/1.1 200 OK\r' "$mode: HTTP/1.0 without Host; closed afterwards"
	is "$(raw 'GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n' -w ' /a\n' 'GET /b HTTP/1.0\r\n\r\n' | grep -ac ' GET /[ab]$')" 2 \
	    "$mode: HTTP/1.0 that asks to be kept is kept"
	out=$(raw 'GET /a HTTP/1.1\r\nHost: x\r\n\r\n' -w ' /a\n' 'GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
	is "$?" 0 "$mode: Connection: close closes"
	is "$(grep -ac 'GET /[ab]$' <<<"$out")" 2 "$mode: two requests on one connection"
	line=$(load -n 500 --strict)
	like "$line" '"connects":1,' "$mode: 500 requests on one connection of the client"
	out=$(raw 'GET /one HTTP/1.1\r\nHost: x\r\n\r\nGET /bytes/100 HTTP/1.1\r\nHost: x\r\n\r\nPUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloGET /three?close HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' | tr -d '\0')
	is "$(grep -aoE 'GET /one|Content-Length: 100|^hello|GET /three' <<<"$out" | xargs)" \
	    "GET /one Content-Length: 100 hello GET /three" "$mode: pipelined requests are answered in order"
	reqs=
	for ((i = 0; i < 200; i++)); do reqs+="GET /p/$i HTTP/1.1\r\nHost: x\r\n\r\n"; done
	raw "$reqs" -w 'GET /p/199\n' -k | grep -ao 'GET /p/[0-9]*' >"$TMP/order"
	ok "$mode: 200 pipelined at once, in order" diff -q "$TMP/order" <(for ((i = 0; i < 200; i++)); do echo "GET /p/$i"; done)
	out=$(raw -1 'GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
	like "$out" 'GET /slow' "$mode: a head that comes byte by byte"
	out=$(raw -1 'PUT /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-T: v\r\n\r\n')
	like "$out" 'abcde' "$mode: chunks that come byte by byte, extension and trailer dropped"

	# --- what the server gets ---
	req -H 'Connection: X-Private, close' -H 'X-Private: 1' -H 'X-Public: 2' -H 'Keep-Alive: timeout=9' -H 'TE: trailers' /headers
	ok "$mode: fields named in Connection stay here" eval '! grep -q X-Private "$TMP/body"'
	ok "$mode: so does Keep-Alive" eval '! grep -qi keep-alive: "$TMP/body"'
	like "$BODY" 'X-Public: 2' "$mode: the others go on"
	like "$BODY" 'X-Forwarded-For: 127.0.0.1' "$mode: with the client's address"
	req -H 'X-Forwarded-For: 192.0.2.7' /headers
	like "$BODY" 'X-Forwarded-For: 192.0.2.7, 127.0.0.1' "$mode: appended to those before"
	req -H "Host: www.example.org:81" /headers
	like "$BODY" 'Host: www.example.org:81' "$mode: Host as the client said it"
	req --path-as-is "/a/../b//c%2f?x=1&y=/..;z#"
	like "$BODY" ' GET /a/../b//c%2f\?x=1&y=/..;z$' "$mode: the target goes on as it came"

	# --- upgrade ---
	out=$(raw 'GET /upgrade HTTP/1.1\r\nHost: x\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n' -w '\r\n\r\n' 'ping \x00\xff' -w 'ping' 'more\n' -w more -s | tr -d '\0')
	like "$out" '^HTTP/1.1 101 ' "$mode: 101 is passed on"
	like "$out" 'ping .*more' "$mode: then bytes go both ways"

	# --- everything at once, checked to the byte ---
	line=$(load -n 3000 -c 24 --mix --strict)
	like "$line" '"ok":3000,"failed":0,"closed":0' "$mode: 3000 mixed requests, 24 at a time"
	line=$(load -n 1000 -c 8 --mix --close --strict)
	like "$line" '"ok":1000,"failed":0' "$mode: 1000 with a connection each"
	line=$(load -n 40 -c 4 --mix --size 3000000 --strict)
	like "$line" '"ok":40,"failed":0' "$mode: large ones"
done

PORT=$COPY
if listening "$COPY" && curl -g -s -o /dev/null --max-time 5 "http://[::1]:$COPY/"; then
	is "$(curl -g -s "http://[::1]:$COPY/headers" | grep -i forwarded-for | tr -d '\r')" "X-Forwarded-For: ::1" "over IPv6"
else
	skip "no IPv6 here"
fi
cat "$TMP"/s?.log >"$TMP/log"
is "$(grep -c ^BAD "$TMP/log")" 0 "the servers never saw a request that could be read in two ways"
like "$(grep -c token= "$TMP/log")" '^[0-9]{4,}$' "of thousands"
finish
