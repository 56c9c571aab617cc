#!/bin/bash
# What good command lines stand for: -t, -T, -h, -v, -V; flags anywhere; what -T prints is a file that means the same.
. "${0%/*}/lib.sh"

new_port P

# good TEXT ARGUMENT...: -t says so and starts nothing; -T's output reads back and prints the same.
good() {
	local text=$1 first
	shift
	run_lb -t "$@"
	like "$STATUS $ERR" '^0 .*good$' "$text: it is good"
	run_lb -T "$@"
	first=$OUT
	is "$STATUS$ERR" 0 '  and can be printed'
	printf '%s\n' "$first" >"$TMP/printed"
	run_lb -T -c "$TMP/printed"
	is "$STATUS $OUT" "0 $first" '  so that it reads back as the same'
	OUT=$first
}
line() { grep -Ec "^[[:blank:]]*$1\$" <<<"$OUT"; }

good 'the least' "$P" 8080
is "$(line 'workers 4')" 1 'four workers'
is "$(line 'check load /healthcheck every 5s or 5 requests .*timeout 2s rise 1 fall 1')" 1 'checks every 5 s and 5 requests'
is "$(line 'balance least-requests')" 1 'least requests'
is "$(line '(connect|answer)-timeout 5s')" 2 'servers have 5 s'
is "$(line 'error-status 500')" 1 'errors are the 57 bytes'
is "$(line 'mode http')" 1 'mode http'
is "$(line "bind 0.0.0.0:$P")$(line "bind \[::\]:$P optional")" 11 'all addresses, IPv4 and IPv6'

good 'flags between the positionals' -N 7 "$P" 8080 -R 3 8081
is "$(line 'workers 7')$(line '.* or 3 requests .*')$(line 'server .*')" 112 'all were seen'
good 'flags behind them' "$P" 1235 -R 2 1236 -N 11
is "$(line 'workers 11')$(line '.* or 2 requests .*')$(line 'server .*')" 112 'all were seen'
good 'values without a blank' -N7 -R3 "$P" 8080
is "$(line 'workers 7')$(line '.* or 3 requests .*')" 11 'both were seen'
good '-- ends flags' -N 2 -- "$P" 8080
good 'the bounds' -N 64 -R 9223372036854775807 65535 1 65535
good 'the same server again' "$P" 8080 8081 8080 8080
is "$(line 'server (8080|8081|"8080#2"|"8080#3") localhost:808[01] weight 1 maxconn unlimited')" 4 'is another row'
good 'all forms of servers' "$P" 1 localhost:2 127.0.0.1:3 '[::1]:4' app.example.org:5 unix:/run/x.sock "unix:/run/a b"
is "$(line 'server .*')" 7 'all are there'
good 'tcp' -m tcp "$P" 8080
is "$(line 'mode tcp')" 1 'mode tcp'
good 'a pid file' -p "$TMP/pid" "$P" 8080
is "$(line "pid $TMP/pid")" 1 'is told'
is "$(cd "$TMP" && "$LB" -p here "$P" 8080 -T | grep ^pid)" "pid $TMP/here" 'a relative one is made absolute'
ok 'it was not written' test ! -e "$TMP/pid"

run_lb -h
is "$STATUS$ERR" 0 '-h is no error'
like "$OUT" '^usage: loadbalancer ' 'and prints the usage'
like "$OUT" '-N workers .*-R requests .*-c file' 'with each flag'
run_lb -v
is "$STATUS$ERR" 0 '-v is no error'
like "$OUT" '[0-9]+\.[0-9]+' 'and prints the version'
run_lb -V
is "$STATUS$ERR" 0 '-V is no error'
like "$OUT" '[0-9]+\.[0-9]+' 'and prints it too'

is "$(listening "$P" && echo "$P")" '' 'nobody listens'
finish
