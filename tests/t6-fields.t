#!/bin/bash
# Fields on their way through: who the client is, whom to believe, ids, Via, and what the configuration edits.
. "${0%/*}/lib.sh"

start_backend A
start_backend B --unix "$TMP/b.sock"
for name in PORT STRICT ALLSET KEEP UNTRUSTED; do new_port $name; done
start_conf <<EOC
workers 1
pool a {
    check none
    server a 127.0.0.1:$A
    request-field set X-Pool a
    request-field remove X-Listener-Only
    response-field set X-Answer-Pool "pool {request-id}"
}
pool b {
    check none
    server b unix:$TMP/b.sock
}
listen plain {
    bind 127.0.0.1:$PORT
    bind [::1]:$PORT optional
    bind unix:$TMP/lb.sock
    request-field set X-Client "<{client}>"
    request-field add X-Many 1
    request-field add X-Many 2
    request-field remove X-Secret
    request-field remove Cookie
    request-field add X-Listener-Only 1
    request-field set Host app.internal
    request-field add X-Asked {host}
    response-field remove Server
    response-field set X-Frame-Options DENY
    response-field add X-Host {host}
    response-field add X-Json "{{\"a\":1}"
    to a
}
listen all {
    bind 127.0.0.1:$ALLSET
    forwarded-for set
    forwarded-proto set
    forwarded-host set
    forwarded set
    scheme https
    request-id on
    via lb.example
    response-field set X-Request-Id {request-id}
    to a
}
listen strict {
    bind 127.0.0.1:$STRICT
    trusted-proxies 127.0.0.0/8
    forwarded-proto append
    forwarded-host append
    forwarded append
    request-id on
    to b
}
listen keep {
    bind 127.0.0.1:$KEEP
    trusted-proxies 127.0.0.1
    forwarded-for keep
    forwarded-proto keep
    forwarded-host keep
    forwarded keep
    to b
}
listen untrusted {
    bind 127.0.0.1:$UNTRUSTED
    trusted-proxies 192.0.2.0/24 unix
    forwarded-for append
    forwarded-proto keep
    request-id on
    to b
}
EOC

GOT=
ask() {	# PORT CURL-ARG...: GOT: the request as the server saw it
	local port=$1
	shift
	req "$@" "http://127.0.0.1:$port/headers"
	GOT=$BODY
}
got() {	# NAME WANT TEXT: all values of a field, joined by |
	is "$(grep -i "^$1:" <<<"$GOT" | tr -d '\r' | sed 's/^[^:]*: *//' | paste -sd '|')" "$2" "$3"
}
answer() { grep -i "^$1:" "$TMP/head" | tr -d '\r' | sed 's/^[^:]*: *//' | paste -sd '|'; }

# --- edits ---
ask $PORT -H 'Host: www.example.org:81' -H 'X-Secret: 1' -H 'x-secret: 2' -H 'Cookie: a=b' -H 'X-Client: forged' -H 'X-Many: 0' \
    -H 'X-Pool: forged' -H 'X-Listener-Only: 0'
got X-Secret '' "removed"
got Cookie '' "removed, one that the balancer knows"
got X-Client '<127.0.0.1>' "set, with the client's address"
got X-Many '0|1|2' "added, in order, behind theirs"
got X-Pool a "set by the pool"
got X-Listener-Only '' "the pool takes back what the listener put in"
got Host app.internal "Host is set"
got X-Asked www.example.org "the host that was asked for, without port"
got X-Forwarded-For 127.0.0.1 "X-Forwarded-For as ever"
is "$(answer X-Frame-Options) $(answer X-Host) $(answer X-Json)" 'DENY www.example.org {"a":1}' "fields of the answer"
is "$(answer X-Answer-Pool)" '' "one with an id that there is not is left out"
req "http://127.0.0.1:$PORT/bytes/3?header=Server:%20secret"
is "$CODE $(answer Server)" "200 " "removed from the answer"
is "$(curl -g -s "http://[::1]:$PORT/headers" | grep ^X-Client: | tr -d '\r')" 'X-Client: <::1>' "the client over IPv6"
is "$(curl -s --unix-socket "$TMP/lb.sock" http://h/headers | grep -E '^X-(Client|Forwarded-For):' | tr -d '\r')" 'X-Client: <unknown>' \
    "the client over a unix socket"
out=$(raw 'GET /headers HTTP/1.0\r\n\r\n')
like "$out" 'Host: app.internal' "Host is set for a client that said none"
ok "and a value with its host is left out" eval '! grep -qi "x-asked\|x-host" <<<"$out"'
req "http://127.0.0.1:$PORT/103"
is "$CODE $(grep -c ^HTTP "$TMP/head") $(answer X-Frame-Options)" "200 2 DENY" "an interim answer is left as it is"

# --- all set ---
ask $ALLSET -H 'Host: www.example.org:81' -H 'X-Forwarded-For: 6.6.6.6' -H 'X-Forwarded-Proto: ftp' -H 'X-Forwarded-Host: evil' \
    -H 'Forwarded: for=6.6.6.6' -H 'Forwarded: for=7.7.7.7' -H 'X-Request-Id: mine-1' -H 'Via: 1.0 fred'
got X-Forwarded-For 127.0.0.1 "set: X-Forwarded-For"
got X-Forwarded-Proto https "set: X-Forwarded-Proto"
got X-Forwarded-Host www.example.org:81 "set: X-Forwarded-Host"
got Forwarded 'for=127.0.0.1;host="www.example.org:81";proto=https' "set: Forwarded"
got X-Request-Id mine-1 "a request id is passed on"
is "$(answer X-Request-Id) $(answer X-Answer-Pool)" 'mine-1 pool mine-1' "and can be told to the client"
got Via '1.0 fred, 1.1 lb.example' "Via is continued"
is "$(answer Via)" '1.1 lb.example' "and said in the answer"
ask $ALLSET
first=$(answer X-Request-Id)
like "$first" '^[0-9a-f]{32}$' "a request without an id gets one"
got X-Request-Id "$first" "the same that the server sees"
for bad in 'X-Request-Id: a b' "X-Request-Id: $(head -c 129 /dev/zero | tr '\0' x)" 'X-Request-Id;'; do
	ask $ALLSET -H "$bad"
	like "$(answer X-Request-Id)" '^[0-9a-f]{32}$' "an id that is none is replaced: ${bad:0:24}"
done
ask $ALLSET -H 'X-Request-Id: a' -H 'X-Request-Id: b'
like "$(answer X-Request-Id)" '^[0-9a-f]{32}$' "two ids are replaced by one"
is "$(grep -ci '^x-request-id' <<<"$GOT")" 1 "  indeed one"
for ((i = 0; i < 300; i++)); do printf 'url = "http://127.0.0.1:%s/bytes/0"\n' "$ALLSET"; done >"$TMP/urls"
is "$(curl -s -D - -K "$TMP/urls" | grep -i ^x-request-id | sort -u | wc -l)" 300 "300 requests, 300 ids"

# --- trusted: this machine ---
ask $STRICT -H 'Host: h' -H 'X-Forwarded-For: 192.0.2.1' -H 'X-Forwarded-Proto: https' -H 'X-Forwarded-Host: www' -H 'Forwarded: for=192.0.2.1' -H 'X-Request-Id: r'
got X-Forwarded-For '192.0.2.1, 127.0.0.1' "trusted: X-Forwarded-For is continued"
got X-Forwarded-Proto 'https, http' "  X-Forwarded-Proto"
got X-Forwarded-Host 'www, h' "  X-Forwarded-Host"
got Forwarded 'for=192.0.2.1, for=127.0.0.1;host="h";proto=http' "  Forwarded"
got X-Request-Id r "  X-Request-Id"
ask $KEEP -H 'Host: h' -H 'X-Forwarded-For: 192.0.2.1' -H 'X-Forwarded-Proto: https' -H 'X-Forwarded-Host: www' -H 'Forwarded: for=192.0.2.1'
got X-Forwarded-For 192.0.2.1 "keep: what a trusted one says stays"
got X-Forwarded-Proto https "  the scheme"
got X-Forwarded-Host www "  the host"
got Forwarded 'for=192.0.2.1' "  Forwarded"
ask $KEEP -H 'Host: h'
got X-Forwarded-For 127.0.0.1 "keep: what it does not say is set"
got X-Forwarded-Proto http "  the scheme"
got X-Forwarded-Host h "  the host"
got Forwarded 'for=127.0.0.1;host="h";proto=http' "  Forwarded"

# --- not trusted ---
ask $UNTRUSTED -H 'X-Forwarded-For: 6.6.6.6' -H 'X-Forwarded-For: 7.7.7.7' -H 'X-Forwarded-Proto: https' -H 'X-Forwarded-Host: evil' \
    -H 'Forwarded: for=6.6.6.6' -H 'X-Request-Id: mine'
got X-Forwarded-For 127.0.0.1 "not trusted: X-Forwarded-For is replaced"
got X-Forwarded-Proto http "  the scheme"
got X-Forwarded-Host '' "  what we do not say ourselves is taken out"
got Forwarded '' "  Forwarded as well"
like "$(grep -i ^x-request-id <<<"$GOT" | tr -d '\r')" ': [0-9a-f]{32}$' "  the id"

# --- a field that Connection names is not there, nor can it take ours away ---
ask $STRICT -H 'Connection: x-forwarded-for, x-request-id, forwarded' -H 'X-Forwarded-For: 192.0.2.1' -H 'X-Request-Id: r'
got X-Forwarded-For 127.0.0.1 "named in Connection: only ours"
like "$(grep -i ^x-request-id <<<"$GOT" | tr -d '\r')" ': [0-9a-f]{32}$' "  the id"

# --- bodies pass as before ---
"$TESTBIN/pattern" 200000 3 >"$TMP/body.in"
is "$(curl -s -T "$TMP/body.in" "http://127.0.0.1:$ALLSET/echo" | cksum)" "$(cksum <"$TMP/body.in")" "a body passes"
load -n 500 -c 8 --mix --strict >"$TMP/line"
like "$(cat "$TMP/line")" '"ok":500,"failed":0' "500 mixed requests with edited fields"
finish
