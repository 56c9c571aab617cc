#!/bin/bash
# The status page and what lies behind it, by HTTP: answers, limits, slow readers, a thousand servers, and a history
# that outlives reloads and deaths.
. "${0%/*}/lib.sh"
LBCTL=$(realpath "${LBCTL:-build/default/lbctl}")

# json EXPRESSION: of $j, the JSON in $BODY; points LIST: how many are not null
json() { perl -MJSON::PP -e 'sub points { scalar grep { defined } @{$_[0]} } my $j = decode_json(join "", <STDIN>); my $r = eval $ARGV[0]; die $@ if $@; print $r' "$1" <<<"$BODY"; }
get() { local path=${!#}; req "${@:1:$#-1}" "http://127.0.0.1:$STATUS_PORT$path"; }	# [CURL ARG...] /PATH

start_backend B1
start_backend B2
new_port PORT
new_port STATUS_PORT
new_port CLOSED_PORT
start_conf <<E2
workers 2
pool app {
	check http /healthcheck every 200ms
	server app1 127.0.0.1:$B1
	server app2 127.0.0.1:$B2
}
listen web {
	bind 127.0.0.1:$PORT
	route path /state serve status
	route path /below/ serve status
	to app
}
listen status {
	bind 127.0.0.1:$STATUS_PORT
	serve status
	send-timeout 1s
}
listen closed {
	bind 127.0.0.1:$CLOSED_PORT
	serve status
	serve-to 10.0.0.0/8 unix
}
E2
for ((i = 0; i < 10; i++)); do req /; done

# --- what there is, and what there is not ---
get /
is "$CODE $(grep -i ^content-type <<<"$HEAD")" "200 Content-Type: text/html; charset=utf-8" "the page"
is "$(grep -ic -e '^cache-control: no-store$' -e '^x-content-type-options: nosniff$' -e '^referrer-policy: no-referrer$' <<<"$HEAD")" 3 "is not kept, nor guessed at"
policy=$(grep -i ^content-security-policy <<<"$HEAD")
inline() { perl -0777 -ne "print \$1 if m{<$1>(.*?)</$1>}s" "$TMP/body" | openssl dgst -sha256 -binary | base64; }
like "$policy" "default-src 'none'" "nothing from elsewhere"
ok "its style is what the policy allows" grep -qF "style-src 'sha256-$(inline style)'" <<<"$policy"
ok "its script too" grep -qF "script-src 'sha256-$(inline script)'" <<<"$policy"
is "$(grep -oE '(https?:)?//[a-z0-9.]+\.[a-z]+' "$TMP/body" | grep -v '^http://www.w3.org$' | sort -u)" "" "it names no other place"
get /status.json
is "$CODE $(grep -i ^content-type <<<"$HEAD")" "200 Content-Type: application/json" "status.json"
is "$(json '$j->{instance}{pid}')" "$LB_PID" "is of this instance"
is "$(json 'join " ", map { "$_->{pool}/$_->{name} $_->{state}" } @{$j->{servers}}')" "app/app1 up app/app2 up" "with its servers"
is "$(json '$j->{servers}[0]{requests} + $j->{servers}[1]{requests}')" 10 "and their requests"
is "$(json 'join " ", sort map { $_->{name} } @{$j->{listeners}}')" "closed status web" "listeners"
is "$(json 'scalar @{$j->{workers}}')" 2 "workers"
get /metrics
is "$CODE $(grep -i ^content-type <<<"$HEAD")" "200 Content-Type: text/plain; version=0.0.4; charset=utf-8" "metrics"
cp "$TMP/body" "$TMP/metrics"
is "$(promtool check metrics <"$TMP/metrics" 2>&1)" "" "promtool has nothing to say"
"$LBCTL" -i "$LB_PID" metrics | sed 's/[{ ].*//' >"$TMP/names"
is "$(grep -v '^#' "$TMP/metrics" | sed 's/[{ ].*//' | sort -u)" "$(grep -v '^#' "$TMP/names" | sort -u)" "the same as lbctl's"
for u in /x /status /index.html /metrics/ //metrics /status.json/x; do get --path-as-is $u; is "$CODE" 404 "nothing at $u"; done
for q in range=5m since=x since= event=-1 pool=$(printf %070d 0) range; do get "/history.json?$q"; is "$CODE" 400 "not understood: ${q:0:20}"; done
get "/history.json?range=24h&since=18446744073709551615"
is "$CODE" 400 "nor a number that is too long"
get "/history.json?since=9999999999999999999&pool=none&x=y&&=&z"
is "$CODE" 200 "what is only useless does no harm"
get "/status.json?x=%00%ff"
is "$CODE" 200 "and where no query counts it is left alone"
for m in POST PUT DELETE OPTIONS FROB; do get -X $m /metrics; is "$CODE $(grep -i ^allow <<<"$HEAD")" "405 Allow: GET, HEAD" "$m is not for this"; done
for u in / /metrics /status.json /history.json; do
	get $u; want=$(grep -iv -e ^date -e ^content-length <<<"$HEAD")
	OUT=$("$TESTBIN/raw" "127.0.0.1:$STATUS_PORT" "HEAD $u HTTP/1.1\r\nHost: x\r\n\r\n" 'HEAD /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' | tr -d '\r')
	is "$(sed -n '1,/^$/p' <<<"$OUT" | grep -iv -e ^date -e ^content-length)$(sed '1,/^$/d' <<<"$OUT" | head -n 1)" "${want}HTTP/1.1 404 Not Found" "HEAD of $u: the head, and no body"
done
get -0 /metrics
is "$CODE $CURL $(grep -ic '^transfer-encoding' <<<"$HEAD")" "200 0 0" "HTTP/1.0: until the connection ends"
is "$(tail -n 1 "$TMP/body" | cut -c 1-2)" "# " "and whole"
out=$(curl -sS -o "$TMP/o1" -o "$TMP/o2" -o "$TMP/o3" -w '%{num_connects} ' "http://127.0.0.1:$STATUS_PORT/"{metrics,history.json,status.json})
is "$out" "1 0 0 " "one connection for many answers"

# --- by a route; who may ---
req -L "http://127.0.0.1:$PORT/state"
is "$CODE $(grep -i ^location <<<"$HEAD")" "200 Location: /state/" "a route: into its folder"
like "$BODY" '^<!DOCTYPE html>' "and there is the page"
req "http://127.0.0.1:$PORT/state/status.json"
is "$CODE" 200 "and what lies beside it"
req "http://127.0.0.1:$PORT/below/metrics"
is "$CODE" 200 "a route that ends with a slash"
req "http://127.0.0.1:$PORT/state/%6detrics"
like "$CODE" '^40[04]$' "written otherwise it is not there"
req "http://127.0.0.1:$PORT/metrics"
is "$(json 1 2>/dev/null || echo "$BODY" | head -c 20 | grep -c '# HELP')" 0 "elsewhere the pool answers"
req "http://127.0.0.1:$CLOSED_PORT/metrics"
is "$CODE" 403 "whom serve-to does not name gets nothing"

# --- a history, and what happened ---
hist() { get "/history.json?pool=*"; }
full() { hist && [ "$(json 'points($j->{pools}[0]{requests})')" -ge "$1" ]; }
ok "a history begins" wait_for 8 full 3
is "$(json '"$j->{span} $j->{step_seconds} " . scalar(@{$j->{pools}[0]{requests}}) . " " . ($j->{end} - $j->{first})')" "10m 1 600 600" "of ten minutes, a step a second"
# These are rates: the first step is shorter than a second, and the next ones are not always just that long.
rates() { json 'my $n = 0; $n += $_ for grep { defined } @{$j->{pools}[0]{requests}}; $n'; }
before=$(rates)
for ((i = 0; i < 30; i++)); do req /; done
counted() { hist && more "$(rates)" "$before" 15 60; }
more() { perl -e 'exit !($ARGV[0] - $ARGV[1] > $ARGV[2] && $ARGV[0] - $ARGV[1] < $ARGV[3])' "$@"; }
ok "requests are in it" wait_for 5 counted
like "$(json 'join " ", map { $_->[0] // "-" } @{$j->{servers}[0]{states}}')" '^- (.* )?up' "states"
is "$(json 'scalar @{$j->{workers}}')" 2 "workers"
kill_backend B2
down() { hist && [ "$(json '(grep { $_->{kind} eq "server" && $_->{to} eq "down" && $_->{name} eq "app2" && $_->{why} =~ /refused|reset|closed/ } @{$j->{events}}) ? 1 : 0')" = 1 ]; }
ok "a server goes down: told, with why" wait_for 8 down
shown() { hist && [ "$(json '$j->{servers}[1]{states}[-1][0]')" = down ]; }
ok "and its state is down from then on" wait_for 5 shown
restart_backend B2
back() { hist && [ "$(json '(grep { $_->{kind} eq "server" && $_->{to} eq "up" && $_->{from} eq "down" } @{$j->{events}}) ? 1 : 0')" = 1 ]; }
ok "it comes back" wait_for 8 back
since=$(json '$j->{end} - 2') event=$(json '$j->{events}[-1]{number}')
get "/history.json?since=$since&event=$event"
is "$(json '$j->{first} - '"$since")" 1 "since: only what is new"
is "$(json 'scalar grep { $_->{number} <= '"$event"' } @{$j->{events}}')" 0 "events too"
is "$(json 'scalar(@{$j->{pools}[0]{requests}}) == $j->{end} - $j->{first} ? 1 : 0')" 1 "as many numbers as steps"
for r in 1h 24h; do get "/history.json?range=$r"; is "$(json '$j->{span}')" $r "range $r"; done

hist; had=$(json 'points($j->{pools}[0]{requests})') number=$(json '$j->{events}[-1]{number}')
# kept WHAT: at least what there was, and it goes on
kept() { hist && [ "$(json 'points($j->{pools}[0]{requests})')" -ge "$had" ]; }
kill -HUP "$LB_PID"
wait_for 10 grep -q 'generation 2 serves' "$LB_LOG"
ok "a reload keeps the history" wait_for 5 kept
told() { hist && [ "$(json '(grep { $_->{kind} eq "generation" && $_->{generation} == 2 } @{$j->{events}}) ? 1 : 0')" = 1 ]; }
ok "and is told" wait_for 5 told
kill -KILL "$(health_pid)"
had=$((had + 2))
ok "the death of the health process too, and it goes on" wait_for 10 kept
kill -KILL "$(workers | head -n 1)"
died() { hist && [ "$(json '(grep { $_->{kind} eq "worker" } @{$j->{events}}) ? 1 : 0')" = 1 ]; }
ok "the death of a worker is told" wait_for 8 died
is "$(json '$j->{events}[-1]{number} > '"$number"' ? 1 : 0')" 1 "numbers go on"
get /metrics
is "$(promtool check metrics <"$TMP/body" 2>&1)" "" "metrics are sound after all that"
stop_lb
finish
