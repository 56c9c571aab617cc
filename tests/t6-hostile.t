#!/bin/bash
# Requests that two readers could understand differently, or that are no HTTP at all: refused with the right
# status, the connection closed, and no server ever sees a byte of them. RFC 9112 2.2, 3, 5, 6, 7, 11.2.
. "${0%/*}/lib.sh"

start_backend S1 --log "$TMP/s1.log"
new_port PORT
start_conf <<EOC
workers 2
pool app {
    check none
    server s1 127.0.0.1:$S1
}
listen web {
    bind 127.0.0.1:$PORT
    to app
    max-head 8k
    max-body 100k
    head-timeout 700ms
    body-timeout 700ms
    idle-timeout 900ms
}
EOC
H='Host: x\r\n'
N=0
# refused STATUS NAME BYTES: STATUS may be a pattern. Behind the bytes stands a request that nobody may see.
refused() {
	local out rc
	out=$(raw "$3" 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n' -t 3000 | tr -d '\0'; exit "${PIPESTATUS[0]}")
	rc=$?
	if ! [[ $out =~ ^HTTP/1\.1\ ($1)\  ]] || [[ $rc != [04] ]] || [ "$(grep -c '^HTTP/1' <<<"$out")" != 1 ]; then
		_result 1 "$1: $2"
		complain "status $rc, answer: $(head -n 1 <<<"$out")"
	else
		_result 0 "$1: $2"
	fi
}

# --- the request line ---
refused 400 "a method that is no token" "G@T / HTTP/1.1\r\n$H\r\n"
refused 400 "no method" " / HTTP/1.1\r\n$H\r\n"
refused 400 "blank before the method" " GET / HTTP/1.1\r\n$H\r\n"
refused 400 "two blanks" "GET  / HTTP/1.1\r\n$H\r\n"
refused 400 "tab instead of blank" "GET\t/\tHTTP/1.1\r\n$H\r\n"
refused 400 "blank in the target" "GET /a b HTTP/1.1\r\n$H\r\n"
refused 400 "blank at the end of the line" "GET / HTTP/1.1 \r\n$H\r\n"
refused 400 "control byte in the target" "GET /\x01 HTTP/1.1\r\n$H\r\n"
refused 400 "NUL in the target" "GET /\x00 HTTP/1.1\r\n$H\r\n"
refused 400 "DEL in the target" "GET /\x7f HTTP/1.1\r\n$H\r\n"
refused 400 "relative target" "GET index.html HTTP/1.1\r\n$H\r\n"
refused 400 "asterisk for GET" "GET * HTTP/1.1\r\n$H\r\n"
refused '400|405|501' "CONNECT" "CONNECT x:80 HTTP/1.1\r\n$H\r\n"
refused '400|505' "no version (HTTP/0.9)" "GET /\r\n\r\n"
refused '400|505' "HTTP/2.0" "GET / HTTP/2.0\r\n$H\r\n"
refused '400|505' "HTTP/1.1x" "GET / HTTP/1.1x\r\n$H\r\n"
refused '400|505' "http/1.1" "GET / http/1.1\r\n$H\r\n"
refused '400|505' "HTTP/11" "GET / HTTP/11\r\n$H\r\n"
refused '400|505' "HTTP/1.10" "GET / HTTP/1.10\r\n$H\r\n"
refused '400|505' "the preface of HTTP/2" "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
refused 400 "a TLS hello" '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'
refused 400 "bare CR in the line" "GET / HTTP/1.1\r\rHost: x\r\n\r\n"
long=$(head -c 9000 /dev/zero | tr '\0' a)
refused '414|431' "a target of 9000 bytes" "GET /$long HTTP/1.1\r\n$H\r\n"

# --- fields ---
refused 431 "a head of more than 8 KiB" "GET / HTTP/1.1\r\n${H}X-A: $long\r\n\r\n"
many=; for ((i = 0; i < 200; i++)); do many+="X-$i: 1\r\n"; done
refused 431 "200 fields" "GET / HTTP/1.1\r\n$H$many\r\n"
refused 400 "blank before the colon" "GET / HTTP/1.1\r\n${H}X-A : 1\r\n\r\n"
refused 400 "no colon" "GET / HTTP/1.1\r\n${H}nonsense\r\n\r\n"
refused 400 "no name" "GET / HTTP/1.1\r\n${H}: 1\r\n\r\n"
refused 400 "a name that is no token" "GET / HTTP/1.1\r\n${H}X(A): 1\r\n\r\n"
refused 400 "folded line" "GET / HTTP/1.1\r\n${H}X-A: 1\r\n 2\r\n\r\n"
refused 400 "first line folded" "GET / HTTP/1.1\r\n $H\r\n"
refused 400 "NUL in a value" "GET / HTTP/1.1\r\n${H}X-A: a\x00b\r\n\r\n"
refused 400 "control byte in a value" "GET / HTTP/1.1\r\n${H}X-A: a\x01b\r\n\r\n"
refused 400 "bare CR in a value" "GET / HTTP/1.1\r\n${H}X-A: a\rX-B: b\r\n\r\n"
refused 400 "bare CR before the end" "GET / HTTP/1.1\r\n${H}X-A: a\r\r\n\r\n"
refused 400 "no Host" "GET / HTTP/1.1\r\nX-A: 1\r\n\r\n"
refused 400 "two Hosts" "GET / HTTP/1.1\r\n${H}Host: y\r\n\r\n"
refused 400 "the same Host twice" "GET / HTTP/1.1\r\n$H$H\r\n"
refused 400 "empty Host: no http URI has one (RFC 9110 4.2.1)" "GET / HTTP/1.1\r\nHost:\r\n\r\n"
refused 400 "Host with a path" "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n"
refused 400 "Host with a blank" "GET / HTTP/1.1\r\nHost: x y\r\n\r\n"
refused 400 "Host with user information" "GET / HTTP/1.1\r\nHost: u@x\r\n\r\n"
refused 400 "Host with a bad port" "GET / HTTP/1.1\r\nHost: x:99999\r\n\r\n"
refused 400 "Host with letters as port" "GET / HTTP/1.1\r\nHost: x:ab\r\n\r\n"
refused 400 "Host with two ports" "GET / HTTP/1.1\r\nHost: x:1:2\r\n\r\n"
refused 400 "Host with an open bracket" "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"
refused 417 "Expect something else" "POST / HTTP/1.1\r\n${H}Expect: 200-ok\r\nContent-Length: 1\r\n\r\nx"

# --- framing of the body ---
P="POST /x HTTP/1.1\r\n$H"
refused 400 "CL.TE: both Content-Length and Transfer-Encoding" "${P}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
refused 400 "TE.CL: the other way round" "${P}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"
refused 400 "two lengths that differ" "${P}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde"
refused 400 "a list of lengths that differ" "${P}Content-Length: 4, 5\r\n\r\nabcde"
refused 400 "negative length" "${P}Content-Length: -1\r\n\r\n"
refused 400 "signed length" "${P}Content-Length: +4\r\n\r\nabcd"
refused 400 "length with a blank inside" "${P}Content-Length: 1 0\r\n\r\nabcd"
refused 400 "length in hex" "${P}Content-Length: 0x4\r\n\r\nabcd"
refused 400 "empty length" "${P}Content-Length:\r\n\r\nabcd"
refused '400|413' "length beyond 64 bits" "${P}Content-Length: 99999999999999999999\r\n\r\nabcd"
refused '400|413' "length of 2^64+4" "${P}Content-Length: 18446744073709551620\r\n\r\nabcd"
refused 400 "length with a letter" "${P}Content-Length: 4x\r\n\r\nabcd"
refused 413 "longer than max-body" "${P}Content-Length: 200000\r\n\r\n"
refused '400|501' "TE.TE: an unknown coding" "${P}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"
refused '400|501' "TE.TE: chunked twice" "${P}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"
refused '400|501' "TE.TE: two fields" "${P}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"
refused '400|501' "TE.TE: gzip, chunked" "${P}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"
refused '400|501' "TE.TE: chunked, gzip" "${P}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"
refused '400|501' "TE.TE: quoted" "${P}Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"
refused '400|501' "TE.TE: vertical tab before" "${P}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"
refused 400 "TE.TE: blank before the colon" "${P}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"
refused 400 "TE.TE: folded" "${P}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"
refused '400|501' "empty Transfer-Encoding" "${P}Transfer-Encoding:\r\n\r\n0\r\n\r\n"
refused 400 "chunked in HTTP/1.0" "POST /x HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"

# --- chunks: some are seen only after the head went on; then nothing of what follows may be taken for a request ---
C="POST /chunks HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n"
for bad in 'x\r\n' '-1\r\n' '+1\r\na\r\n' '0x1\r\na\r\n' ' 1\r\na\r\n' '1 \r\na\r\n' '\r\n' ';x\r\n' '1\na\r\n' '1\r\na\n0\r\n\r\n' '1\r\nab\r\n' \
    '1\r\na0\r\n\r\n' '10000000000000000\r\na' 'ffffffffffffffff1\r\na' '1\r\na\r\n0\n\n' '1;\x00\r\na\r\n' '1;a\nb\r\na\r\n' '1\r\na\r\n0\r\nX: \x00\r\n\r\n' \
    '1\r\na\r\n0\r\nX : 1\r\n\r\n' '1\r\na\r\n0\r\n folded\r\n\r\n'; do
	out=$(raw "$C$bad" 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n' -t 3000 | tr -d '\0'; exit "${PIPESTATUS[0]}")
	rc=$?
	ok "bad chunk: $bad" eval '[[ $rc == [04] ]] && ! grep -q "^HTTP/1.1 [^4]" <<<"$out"'
done
ext=$(head -c 20000 /dev/zero | tr '\0' e)
out=$(raw "${C}1;$ext\r\na\r\n0\r\n\r\n" -t 3000)
like "$out" '^HTTP/1.1 4' "an extension of 20 kB"

is "$(grep -c smuggled "$TMP/s1.log")" 0 "nothing was smuggled past any of them"
is "$(grep -c ^BAD "$TMP/s1.log")" "$(grep -c 'BAD chunk' "$TMP/s1.log")" "no head that could be read in two ways reached the server"

# --- what is allowed, however odd ---
allowed() { like "$(raw "$2" -t 3000)" '^HTTP/1.1 200 ' "allowed: $1"; }
K='Connection: close\r\n'
allowed "an empty line before the request" "\r\nGET / HTTP/1.1\r\n$H$K\r\n"
allowed "absolute form" "GET http://y/a?b HTTP/1.1\r\n$H$K\r\n"
allowed "OPTIONS *" "OPTIONS * HTTP/1.1\r\n$H$K\r\n"
allowed "HTTP/1.7 is read as 1.1" "GET / HTTP/1.7\r\n$H$K\r\n"
allowed "bytes above 127 in a value" "GET / HTTP/1.1\r\n${H}X-A: \xe4\xff\r\n$K\r\n"
allowed "tabs around a value" "GET / HTTP/1.1\r\n${H}X-A:\t1\t\r\n$K\r\n"
allowed "Transfer-Encoding: Chunked" "POST / HTTP/1.1\r\n$H${K}Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n"
allowed "IPv6 Host" "GET / HTTP/1.1\r\nHost: [::1]:80\r\n$K\r\n"
out=$(raw "GET http://other:81/a HTTP/1.1\r\n$H$K\r\n" | tr -d '\r')
req -H 'Host: x' --request-target 'http://other:81/headers' /
like "$BODY" 'Host: other:81' "absolute form: its authority is the Host that goes on"
ok "and not the field's" eval '! grep -q "Host: x" "$TMP/body"'

# --- Connection cannot take away what frames or routes ---
out=$(raw "POST /headers HTTP/1.1\r\n${H}Connection: Host, Content-Length, close\r\nContent-Length: 3\r\n\r\nabc")
like "$out" 'Host: x' "Connection cannot name Host away"
like "$out" 'Content-Length: 3' "nor Content-Length"

# --- slow and silent clients ---
start=$(_now_ms)
out=$(raw 'GET / HTTP/1.1\r\n' -t 3000)
between $(($(_now_ms) - start)) 600 1800 "a head that does not end: after head-timeout"
like "$out" '^(HTTP/1.1 408 |$)' "408, or just closed"
start=$(_now_ms)
out=$(raw "GET / HTTP/1.1\r\nX-A: " -p 300 a -p 300 a -p 300 a -p 300 a -p 300 a -p 300 a -t 1000)
between $(($(_now_ms) - start)) 600 2900 "a head that drips: the deadline is for the whole head"
out=$(raw "POST /digest HTTP/1.1\r\n${H}Content-Length: 10\r\n\r\nabc" -t 3000)
rc=$?
ok "a body that does not come: closed" [ $rc = 0 -o $rc = 4 ]
like "$out" '^(HTTP/1.1 408 |$)' "408, or just closed"
raw -t 3000 >"$TMP/null"
ok "a connection without a request: closed" [ $? = 0 ]
raw "GET /a HTTP/1.1\r\n$H\r\n" -w '/a\n' -t 3000 >"$TMP/null"
ok "an idle kept connection: closed" [ $? = 0 ]
# the worker still serves, and the same one
like "$(load -n 200 -c 4 --mix --size 1000 --strict)" '"ok":200,"failed":0' "after all that everything works"
finish
