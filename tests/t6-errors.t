#!/bin/bash
# What the balancer says itself: bodies of errors, limits, Retry-After, TRACE and Max-Forwards.
. "${0%/*}/lib.sh"

start_backend A
new_port DOWN
printf '<p>sorry, all</p>\n' >"$TMP/all.html"
printf '{"sorry":"here"}\n' >"$TMP/here.json"
head -c 100000 /dev/zero | tr '\0' y >"$TMP/large"
new_port PORT
new_port OTHER
new_port TRACING
start_conf <<EOC
workers 1
error-file 503 $TMP/all.html
error-file 400 $TMP/all.html
pool down {
    check none
    server down 127.0.0.1:$DOWN
}
pool a {
    check none
    server a 127.0.0.1:$A
}
listen web {
    bind 127.0.0.1:$PORT
    max-head 4k
    max-request-line 1000
    max-fields 10
    max-body 10
    max-requests 3
    retry-after 1500ms
    error-file 400 $TMP/here.json
    error-file 413 $TMP/large type "text/x-large; a=b"
    route path /down to down
    route path /static answer 503
    to a
}
listen other {
    bind 127.0.0.1:$OTHER
    head-timeout 300ms
    retry-after off
    to down
}
listen tracing {
    bind 127.0.0.1:$TRACING
    trace on
    to a
}
EOC
H='Host: x\r\n'
C='Connection: close\r\n'
own() { out=$(raw "$@" -t 3000); }
field_of() { grep -i "^$1:" <<<"$out" | tr -d '\r' | sed 's/^[^:]*: *//' | paste -sd '|'; }
body_of() { tr -d '\r' <<<"$out" | sed '1,/^$/d'; }
first_of() { head -n 1 <<<"$out" | tr -d '\r'; }

# --- bodies ---
own "GET /down HTTP/1.1\r\n$H$C\r\n"
like "$(first_of)" '^HTTP/1.1 50[23] ' "a server that is down"
own "GET /down HTTP/1.1\r\n$H$C\r\n"
is "$(first_of) $(body_of)" 'HTTP/1.1 503 Service Unavailable <p>sorry, all</p>' "the body for all listeners"
is "$(field_of content-type) $(field_of content-length) $(field_of retry-after)" 'text/html; charset=utf-8 18 2' "its type, length, and when to come again"
own "HEAD /down HTTP/1.1\r\n$H$C\r\n"
is "$(first_of) $(body_of) $(field_of content-length)" 'HTTP/1.1 503 Service Unavailable  18' "HEAD: no body, its length"
own "GET /down HTTP/1.1\r\n$H\r\nHEAD /down HTTP/1.1\r\n$H\r\nGET /x HTTP/1.1\r\n$H$C\r\n"
like "$out" '503 .*sorry, all.*503 .*200 OK.*A GET /x' "the connection goes on behind it"
own 'GET /down HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'
is "$(field_of connection)" close "to HTTP/1.0 it does not"
own "GET /static HTTP/1.1\r\n$H$C\r\n"
is "$(first_of) $(body_of)$(field_of retry-after)" 'HTTP/1.1 503 Service Unavailable ' "an answer of a route is no error"
own "GET / HTTP/1.1\r\n$H$H\r\n"
is "$(first_of) $(body_of) $(field_of content-type)" 'HTTP/1.1 400 Bad Request {"sorry":"here"} application/json' "the listener's own goes first"
is "$(field_of connection)" close "  and the connection ends"
own "POST / HTTP/1.1\r\n${H}Content-Length: 11\r\n\r\n12345678901"
is "$(first_of) $(body_of | tr -d '\n' | wc -c) $(field_of content-type)" 'HTTP/1.1 413 Content Too Large 100000 text/x-large; a=b' "a large one"
own "GET /$(head -c 1100 /dev/zero | tr '\0' x) HTTP/1.1\r\n$H\r\n"
is "$(first_of) $(body_of) $(field_of content-type)" 'HTTP/1.1 414 URI Too Long 414 URI Too Long text/plain' "one that has no file: plain text"
PORT=$OTHER own 'BAD\r\n\r\n'
is "$(body_of)" '<p>sorry, all</p>' "another listener"
PORT=$OTHER own 'GET / HTTP/1.1\r\n'
is "$(first_of) $(body_of)" 'HTTP/1.1 408 Request Timeout 408 Request Timeout' "a head that is late"
PORT=$OTHER own "GET / HTTP/1.1\r\n$H$C\r\n"
is "$(field_of retry-after)" '' "Retry-After is not said where it is off"

# --- limits ---
line() { printf 'GET /%s HTTP/1.1' "$(head -c $(($1 - 14)) /dev/zero | tr '\0' x)"; }
own "$(line 1000)\r\n$H$C\r\n"
like "$(first_of)" ' 200 ' "a request line as long as it may be"
own "$(line 1001)\r\n$H$C\r\n"
like "$(first_of)" ' 414 ' "one byte longer"
own "$(line 3000)"
like "$(first_of)" ' 414 ' "one that does not end"
own "GET / HTTP/1.1\r\n${H}X-A: $(head -c 4100 /dev/zero | tr '\0' x)\r\n\r\n"
like "$(first_of)" ' 431 ' "a head that is too long"
own "GET / HTTP/1.1\r\n$H${C}A: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\n\r\n"
like "$(first_of)" ' 200 ' "10 fields"
own "GET / HTTP/1.1\r\n$H${C}A: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\n\r\n"
like "$(first_of)" ' 431 ' "11 fields"
own "GET /1 HTTP/1.1\r\n$H\r\nGET /2 HTTP/1.1\r\n$H\r\nGET /3 HTTP/1.1\r\n$H\r\nGET /4 HTTP/1.1\r\n$H\r\n"
is "$(grep -c '^HTTP/1.1 200' <<<"$out") $(field_of connection)" '3 close' "the third request on a connection is the last"
ok "the fourth is not answered" eval '! grep -q "GET /4" <<<"$out"'
own "GET /static HTTP/1.1\r\n$H\r\nGET /static HTTP/1.1\r\n$H\r\nGET /static HTTP/1.1\r\n$H\r\nGET /4 HTTP/1.1\r\n$H\r\n"
is "$(grep -c '^HTTP/1.1 503' <<<"$out") $(field_of connection)" '3 close' "answers of our own count"

# --- TRACE, OPTIONS ---
own "TRACE / HTTP/1.1\r\n$H$C\r\n"
is "$(first_of) $(body_of)" 'HTTP/1.1 405 Method Not Allowed 405 Method Not Allowed' "TRACE is refused"
is "$(field_of allow)" 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS' "  and told what is not"
own "OPTIONS * HTTP/1.1\r\n$H${C}Max-Forwards: 0\r\n\r\n"
is "$(first_of) $(field_of content-length) $(field_of allow)" 'HTTP/1.1 200 OK 0 GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS' "OPTIONS that goes no further"
own "OPTIONS /headers HTTP/1.1\r\n$H${C}Max-Forwards: 1\r\n\r\n"
like "$out" 'Max-Forwards: 0' "OPTIONS that goes one further"
own "GET /headers HTTP/1.1\r\n$H${C}Max-Forwards: 0\r\n\r\n"
like "$out" 'Max-Forwards: 0' "it does not count for GET"
PORT=$TRACING
own "TRACE /headers HTTP/1.1\r\n$H${C}Max-Forwards: 7\r\n\r\n"
like "$out" 'TRACE /headers HTTP/1.1.*Max-Forwards: 6' "TRACE where it is on"
own "TRACE /a?b HTTP/1.1\r\n$H${C}Max-Forwards: 0\r\nCookie: secret=1\r\nAuthorization: Basic c2VjcmV0\r\nX-A:  b \r\n\r\n"
is "$(first_of) $(field_of content-type | cut -d'|' -f1)" 'HTTP/1.1 200 OK message/http' "TRACE that goes no further"
is "$(body_of)" "$(printf 'TRACE /a?b HTTP/1.1\nHost: x\nConnection: close\nMax-Forwards: 0\nX-A: b\n\n')" "  is the request as it came, without secrets"
own "OPTIONS * HTTP/1.1\r\n${H}Max-Forwards: 0\r\n\r\nGET /x HTTP/1.1\r\n$H$C\r\n"
like "$out" ' 200 OK.* 200 OK.*A GET /x' "the connection goes on"
stop_lb

# --- the seed's command line: always the same 57 bytes ---
start_lb @ "$DOWN"
exact() { raw "$@" >"$TMP/answer"; printf %s "$ALL_DOWN" | cmp -s - "$TMP/answer"; }
for request in "GET / HTTP/1.1\r\n$H$C\r\n" 'BAD\r\n\r\n' "HEAD / HTTP/1.1\r\n$H$C\r\n" "TRACE / HTTP/1.1\r\n$H$C\r\n" "GET / HTTP/1.1\r\n$H$H\r\n"; do
	ok "57 bytes for ${request%%\\r*}" exact "$request"
done
stop_lb

# --- configuration ---
conf() { printf 'pool p {\n\tserver a 1\n}\nlisten l {\n\tbind 127.0.0.1:1\n\tto p\n%s\n}\n%s\n' "$1" "$2" >"$TMP/t.conf"; run_lb -t -c "$TMP/t.conf"; }
mkfifo "$TMP/pipe"
conf "error-file 503 $TMP/pipe"
is "$STATUS $ERR" "1 $TMP/t.conf:7:16: \"$TMP/pipe\" cannot be read: not a file; expected a file of at most 1 MiB" "a pipe is no body"
conf "error-file 503 $TMP"
like "$ERR" 'cannot be read: not a file' "nor is a directory"
head -c 1048577 /dev/zero >"$TMP/huge"
conf "route path /x answer 200 $TMP/huge"
like "$ERR" ':7:26: .* cannot be read: larger than 1 MiB' "nor what is too large"
head -c 1048576 /dev/zero >"$TMP/huge"
conf "route path /x answer 200 $TMP/huge"
is "$STATUS" 0 "a byte less is"
conf "" "error-file 503 $TMP/missing"
like "$ERR" ':9:16: .*missing" cannot be read: No such file' "one that is missing"
finish
