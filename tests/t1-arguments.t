#!/bin/bash
# Every bad command line: one clear line and the usage on stderr, a status that tells, at once, nothing left.
. "${0%/*}/lib.sh"

new_port P

# bad "WHAT IS WRONG" ARGUMENT...
bad() {
	local want=$1 first usage
	shift
	run_lb "$@"
	{ read -r first; read -r usage; } <<<"$ERR"
	between "$STATUS" 1 2 "refused:$(printf ' %q' "$@")"
	is "$first" "loadbalancer: $want" "  with one line that says why"
	like "$usage" '^usage: loadbalancer ' '  and the usage'
	is "$OUT" '' '  and nothing on stdout'
}

servers='PORT, HOST:PORT, [IPV6]:PORT or unix:/PATH'
flags='one of -N -R -m -c -t -T -D -p -v -V -h'

bad 'no port; expected a port and at least one server, or -c file'
bad 'no server; expected at least one behind the port' "$P"
bad 'no server; expected at least one behind the port' -N 4 "$P" -R 3
bad '-N has no value; expected one behind it' "$P" 8080 -N
bad '-R has no value; expected one behind it' "$P" 8080 -R
bad 'bad value "many" for -N; expected a number from 1 to 64' "$P" 8080 -N many
bad 'bad value "0" for -N; expected a number from 1 to 64' "$P" 8080 -N 0
bad 'bad value "-2" for -N; expected a number from 1 to 64' -N -2 "$P" 8080
bad 'bad value "65" for -N; expected a number from 1 to 64' -N65 "$P" 8080
bad 'bad value "" for -N; expected a number from 1 to 64' -N '' "$P" 8080
bad 'bad value "0" for -R; expected a number from 1 to 9223372036854775807' "$P" -R 0 8080
bad 'bad value "-1" for -R; expected a number from 1 to 9223372036854775807' "$P" -R -1 8080
bad 'bad value "5x" for -R; expected a number from 1 to 9223372036854775807' "$P" -R 5x 8080
bad 'bad value "-N" for -R; expected a number from 1 to 9223372036854775807' "$P" 8080 -R -N 4
bad 'bad value "udp" for -m; expected http or tcp' "$P" -m udp 8080
bad 'bad port "0"; expected a number from 1 to 65535' 0 8080
bad 'bad port "65536"; expected a number from 1 to 65535' 65536 8080
bad 'bad port "http"; expected a number from 1 to 65535' http 8080
bad 'bad port ""; expected a number from 1 to 65535' '' 8080
bad "unknown flag \"-1\"; expected $flags" -1 8080
bad "bad server \"65536\": the port is not a number from 1 to 65535; expected $servers" "$P" 8080 65536
bad "bad server \"0\": the port is not a number from 1 to 65535; expected $servers" "$P" 0
bad "bad server \"localhost\": the port is missing; expected $servers" "$P" localhost
bad "bad server \"::1:80\": an IPv6 address stands in brackets; expected $servers" "$P" ::1:80
bad "bad server \"[::1]\": the port is missing; expected $servers" "$P" '[::1]'
bad "bad server \"10.0.0.256:80\": not an IPv4 address; expected $servers" "$P" 10.0.0.256:80
bad "bad server \"/run/x\": a unix socket begins with \"unix:\"; expected $servers" "$P" /run/x
bad "bad server \"\\x1b[31mx\": the port is missing; expected $servers" "$P" $'\e[31mx'
bad "unknown flag \"-q\"; expected $flags" "$P" 8080 -q
bad "unknown flag \"--quick\"; expected $flags" --quick "$P" 8080
bad '-c and a port; expected the one or the other' -c "$TMP/x" "$P" 8080
bad '-c and -R; expected check ... or NUMBER requests in the file' -c "$TMP/x" -R 5
bad '-c and -m; expected mode in the file' -m tcp -c "$TMP/x"

is "$(listening "$P" && echo "$P")" '' 'nobody listens'
finish
