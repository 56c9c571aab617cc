#!/bin/bash
# lbctl why: each choice can tell by what rule it was made, against whom, and who was passed over.
TEST_LIMIT=90
. "${0%/*}/lib.sh"
LBCTL=$(realpath "${LBCTL:-build/default/lbctl}")

ctl() { OUT=$("$LBCTL" -i "$LB_PID" "$@" 2>"$TMP/ctl.err"); STATUS=$?; ERR=$(< "$TMP/ctl.err"); }
# last PATTERN [WHO]: the last choice that is told has it
last() { ctl why -n 1 ${2:+"$2"} && [[ $OUT =~ $1 ]] || { diag "$OUT"; false; }; }
json() { perl -MJSON::PP -e 'my $j = decode_json(join "", <STDIN>); my $r = eval $ARGV[0]; die $@ if $@; print $r' "$1" <<<"$OUT"; }

start_backend B1 --name one
start_backend B2 --name two
start_backend B3 --name three
new_port PORT
new_port NOBODY
start_conf <<E2
workers 1
control $TMP/control.sock
pool app {
	balance least-requests
	check http /healthcheck every 200ms
	server app1 127.0.0.1:$B1
	server app2 127.0.0.1:$B2 weight 2
	server spare 127.0.0.1:$B3 backup
}
pool turns {
	balance round-robin
	check none
	server t1 127.0.0.1:$B1
	server t2 127.0.0.1:$B2
}
pool fit {
	balance adaptive
	check none
	server f1 127.0.0.1:$B1
	server f2 127.0.0.1:$B2
	server f3 127.0.0.1:$B3
}
pool keyed {
	balance hash path
	check none
	server k1 127.0.0.1:$B1
	server k2 127.0.0.1:$B2
}
pool few {
	balance least-connections
	check none
	server w1 127.0.0.1:$B1
	server w2 127.0.0.1:$NOBODY
}
pool line {
	check none
	server l1 127.0.0.1:$B1 maxconn 1
}
pool home {
	balance least-connections
	check none
	sticky cookie WHERE
	server h1 127.0.0.1:$B1
	server h2 127.0.0.1:$B2
}
pool large {
	balance adaptive
	check none
$(for i in {1..40}; do echo "	server b$i 127.0.0.1:$B1"; done)
}
listen web {
	bind 127.0.0.1:$PORT
	route path /large to large
	route path /turns/ to turns
	route path /fit/ to fit
	route path /keyed/ to keyed
	route path /few/ to few
	route path /line to line
	route path /home/ to home
	to app
}
E2
ctl why
is "$STATUS|$OUT" "0|no request has been given to a server yet" "nothing yet"

# --- by rule; at this pace each choice is told ---
slowly() { req "$@"; sleep 0.06; }
slowly '/delay/0?secret=1'
ctl why
like "$OUT" '^[0-9:]{8}\.[0-9]{3} app: app[12] of 2: least requests \(app[12] 0 entries.*; app[12] 0.*\); not spare \(a backup\)' "least requests, with figures"
like "$OUT" $'\n  *for 127.0.0.1:[0-9]+ GET /delay/0.secret=1$' "and for whom"
slowly /x; slowly /y
ctl why -n 1 app
like "$OUT" 'least requests \(app[12] [0-9]+ entries.*weight 2' "weights"
slowly /turns/a
ok "round-robin" last 'turns: t1 of 2: its turn \(t1; t2 0 turns later\)'
slowly /fit/a
ok "adaptive" last 'fit: f[123] of 3: adaptive \(f[123] 0 in flight[^;]*; f[123] 0 in flight[^;]*: as good; f[123] '
slowly /keyed/a
ok "hash" last 'keyed: k[12] of 2: its key.s own \(k[12] 0 in flight\)'
key=$(sed -n 's/.*keyed: \(k.\) of.*/\1/p' <<<"$OUT")
slowly -c "$TMP/jar" /home/a
slowly -b "$TMP/jar" /home/a
ok "sticky" last 'home: h[12] of 2: its cookie.s \(h[12] 0 in flight\)'
home=$(sed -n 's/.*home: \(h.\) of.*/\1/p' <<<"$OUT")

slowly /large
ok "some of many" last 'large: b[0-9]+ of [3-9] drawn from 40: adaptive \(b[0-9]+ 0 in flight' large

# --- special ones ---
slowly /few/a
for ((i = 0; i < 20; i++)); do ctl why few; [[ $OUT == *"try 2"* ]] && break; slowly /few/$i; done
like "$OUT" 'few: w1: the only one \(w1 0 in flight\); not w2 \(has failed it: connection refused\); try 2' "a retry: who had failed, and how"
like "$OUT" 'few: w2 of 2: least connections \(w2 0 in flight; w1 0\)' "the first try is told too"
req "/line?delay=300" &
FIRST=$!
held() { "$LBCTL" -i "$LB_PID" --interval 0ms show pools | grep -Eq '^line .* 1 of 1  *1 '; }
wait_for 3 held
req /line
wait $FIRST
ok "one that had to wait" last 'line: l1: the only one \(l1 0 in flight\); it had waited [0-9.]+ms for room' line
ctl drain "$home" "$key"
slowly /turns/b
slowly -b "$TMP/jar" /home/a
ok "its cookie's server is drained" last "home: h[12]: the only one .*not $home \(drained\).*; its cookie.s server could not be chosen"
slowly /keyed/a
ok "so is its key's" last "keyed: k[12].*not $key \(drained\)"
ctl ready "$home" "$key"
kill_backend B1
gone() { req /x; last 'not app1 \(down: (connection refused|closed without an answer|.*)\), spare \(a backup\)' app; }
ok "a server that is down, and why" wait_for 5 gone
ctl why app1
like "$OUT" $'\napp1: in [0-9]+ choices? that (was|were) written down, chosen [0-9]+ times?.* down [0-9]+ times?' "a server in all of them"
kill_backend B2
spare() { req /x; last 'app: spare: the only one .*a backup: no ordinary server could be chosen' app; }
ok "a backup, because nobody else is there" wait_for 5 spare
# --- as JSON ---
settled() { slowly /x; ctl --json why -n 1 app; [ "$(json '@{$j->[0]{special}} + 0')" = 1 ]; }
wait_for 5 settled
is "$(json '"$j->[0]{pool} $j->[0]{rule} " . join ",", @{$j->[0]{special}}')" "app only backup" "as JSON"
is "$(json 'join " ", map { $_->{standing} } @{$j->[0]{candidates}}')" "compared down down" "candidates"
is "$(json '$j->[0]{request}')" "GET /x HTTP/1.1" "the request"
is "$(json 'abs($j->[0]{time_unix_ms} / 1000 - time) < 60')" 1 "when"

restart_backend B1
restart_backend B2

# --- not all of them when there are many ---
load -c 4 -d 1 >"$TMP/load"
ctl --json why -n 1000
between "$(json 'scalar grep { $_->{time_unix_ms} > 1000 * (time - 3) } @$j')" 4 90 "of many only some are told"

# --- wrong ones; who may ---
ctl why ap1
like "$STATUS|$ERR" '^1\|lbctl: there is no pool and no server ap1; did you mean app1\?' "a name that is nearly right"
ctl why a b
is "$STATUS" 2 "too many"
is "$(stat -c %a "/dev/shm/loadbalancer-seen.$LB_PID")" 600 "requests are kept where not everybody may read"
if [ "$(id -u)" = 0 ] && setpriv --reuid 65534 --regid 65534 --clear-groups true 2>/dev/null; then
	chmod 711 "$TMP"
	ok "there are requests" last 'GET'
	OUT=$(setpriv --reuid 65534 --regid 65534 --clear-groups "$LBCTL" -i "$LB_PID" why -n 1 2>"$TMP/err")
	like "$OUT $(< "$TMP/err")" '^[0-9:.]+ app: .* of [0-9]: .*what the requests were may see only root' "others see choices, not requests"
	is "$(setpriv --reuid 65534 --regid 65534 --clear-groups "$LBCTL" -i "$LB_PID" why 2>&1 | grep -c GET)" 0 "not a single one"
fi
freeze "$LB_PID"
ok "it answers while the supervisor is stopped" last .
kill -CONT "$LB_PID"

# --- it outlives a worker ---
for W in $(workers); do kill -KILL "$W"; done
req /x
ok "and while a worker is replaced" last .
ctl why -n 1000
between "$(wc -l <<<"$OUT")" 20 100000 "nothing is lost with it"
finish
