#!/bin/bash
# sticky cookie: set once, kept to, taken out of what servers get; another server when its own cannot.
TEST_LIMIT=90
. "${0%/*}/lib.sh"

for i in 1 2 3; do start_backend "B$i" --log "$TMP/b.log"; done
# conf STICKY-OPTIONS SERVER-OPTIONS
conf() {
	local i var
	printf 'workers 3\npool app {\n\tbalance round-robin\n\tcheck tcp every 500ms\n\tsticky cookie LB %s\n' "$1"
	for i in 1 2 3; do var=B$i; printf '\tserver s%s 127.0.0.1:%s %s\n' "$i" "${!var}" "$2"; done
	printf '}\nlisten web {\n\tbind 127.0.0.1:%s\n\tto app\n}\n' "$PORT"
}
up() { grep -q '3 of 3 servers up' "$LB_LOG"; }
cookie() { sed -n 's/^[Ss]et-[Cc]ookie: LB=\([^;]*\).*/\1/p' <<<"$HEAD"; }

new_port PORT
start_conf < <(conf "")
ok "up" wait_for 5 up
req /a
like "$HEAD" $'\nSet-Cookie: LB=[0-9a-f]{16}; Path=/; HttpOnly; SameSite=Lax($|\n)' "the first answer sets a cookie"
C=$(cookie) S=${BODY%% *}
port=B${S#B}
ok "which does not tell the address" eval '! grep -q "${!port}\|127\|$S" <<<"$C"'
same=0 set=0
for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
	req -H "Cookie: LB=$C" /a
	[ "${BODY%% *}" = "$S" ] && same=$((same + 1))
	[ -n "$(cookie)" ] && set=$((set + 1))
done
is "$same $set" "12 0" "with it, 12 requests go there, over all workers, and it is not set again"
# Each server has a cookie of its own, and always the same one.
for _ in {1..40}; do req /; echo "${BODY%% *} $(cookie)"; done | sort -u >"$TMP/cookies"
is "$(wc -l <"$TMP/cookies") $(cut -d' ' -f 2 "$TMP/cookies" | sort -u | wc -l)" "3 3" "three servers, three cookies"
req -H 'Cookie: LB=0123456789abcdef' /
like "$HEAD" $'\nSet-Cookie: LB=' "an unknown one is replaced"
req -H "Cookie: LB=${C^^}x" /
like "$HEAD" $'\nSet-Cookie: LB=' "so is one that is none"
req -H 'Cookie: LB=' /
is "$CODE" 200 "an empty one does no harm"

# --- what the server sees ---
seen() { req "$@" /headers; grep -i '^cookie' <<<"$BODY" | tr -d '\r'; }
is "$(seen -H "Cookie: LB=$C")" "" "alone: the field is gone"
is "$(seen -H "Cookie: a=1; LB=$C; b=2")" "Cookie: a=1; b=2" "in the middle"
is "$(seen -H "Cookie: LB=$C; a=1")" "Cookie: a=1" "at the front"
is "$(seen -H "Cookie: a=1; LB=$C")" "Cookie: a=1" "at the end"
is "$(seen -H "Cookie: a=1;LB=$C;LB=x;b=\"2 3\"")" 'Cookie: a=1; b="2 3"' "twice, and without blanks"
is "$(seen -H 'Cookie: xLB=1; LBx=2; lb=3; LB2=LB')" 'Cookie: xLB=1; LBx=2; lb=3; LB2=LB' "names that are like it stay"
is "$(seen -H 'Cookie: a=1;b=2;;c')" 'Cookie: a=1;b=2;;c' "a field without it stays to the byte"
is "$(seen -H "Cookie: a=1; LB=$C" -H 'Cookie: b=2')" $'Cookie: a=1\nCookie: b=2' "two fields"
req -H "Cookie: LB=$C" "/?header=Set-Cookie:app=1"
like "$HEAD" $'\nSet-Cookie: ?app=1' "the server's own cookies pass"

# --- pipelined, HEAD, errors of the server ---
raw 'GET /a HTTP/1.1\r\nHost: x\r\n\r\nHEAD /b HTTP/1.1\r\nHost: x\r\n\r\nGET /status/404 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >"$TMP/raw"
is "$(grep -c '^Set-Cookie: LB=' "$TMP/raw")" 3 "on one connection each answer to a request without it brings one"

# --- its server is lost, and comes back ---
N=${S#B}
kill_backend "B$N"
req -H "Cookie: LB=$C" /a
is "$CODE" 200 "its server has died: another one answers"
like "$(cookie)" '^[0-9a-f]{16}$' "and the cookie changes"
ok "it is another one" [ "$(cookie)" != "$C" ]
D=$(cookie) T=${BODY%% *}
restart_backend "B$N"
ok "all up again" wait_for 5 up
same=0
for _ in 1 2 3 4 5 6; do req -H "Cookie: LB=$D" /a; [ "${BODY%% *}" = "$T" ] && same=$((same + 1)); done
is "$same" 6 "who moved stays where it went"
wait_for 5 eval 'req -H "Cookie: LB=$C" /a; [ "${BODY%% *}" = "$S" ]'
is "${BODY%% *}" "$S" "who kept the old cookie finds its server again"
stop_lb

# --- a server that is full ---
new_port PORT
start_conf < <(conf "samesite strict secure max-age 1h" "maxconn 1")
wait_for 5 up
req /a
like "$HEAD" $'\nSet-Cookie: LB=[0-9a-f]{16}; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Strict($|\n)' "all options"
is "$(cookie)" "$(awk -v s="${BODY%% *}" '$1 == s { print $2 }' "$TMP/cookies")" "another balancer names the server alike"
C=$(cookie) S=${BODY%% *}
curl -sS -o "$TMP/slow" -H "Cookie: LB=$C" "http://127.0.0.1:$PORT/delay/700" & P=$!
ok "it is busy" wait_for 3 grep -q delay/700 "$TMP/b.log"
req -H "Cookie: LB=$C" /a
is "$CODE" 200 "its server is at its maxconn: another one answers at once"
ok "another one" [ "${BODY%% *}" != "$S" ]
wait $P
req -H "Cookie: LB=$C" /a
is "${BODY%% *}" "$S" "there is room again: back to its own"
finish
