#!/bin/bash
# Configuration files by -t: bad ones are refused with file, line and column; good ones, the examples of the
# documents among them, are taken. (Each message in detail: tests/unit/t1-conf.c.)
. "${0%/*}/lib.sh"

file=$TMP/lb.conf
pool=$'pool app {\n\tserver a 127.0.0.1:8080\n}\n'
listen=$'listen web {\n\tbind 127.0.0.1:8888\n\tto app\n}\n'

# bad "LINE:COLUMN: WORDS" TEXT
bad() {
	printf '%s' "$2" >"$file"
	run_lb -t -c "$file"
	between "$STATUS" 1 2 "refused: $1"
	is "$ERR" "$file:$1" '  with these words'
	is "$OUT" '' '  and nothing on stdout'
}

# good TEXT <FILE
good() {
	cat >"$file"
	run_lb -t -c "$file"
	like "$STATUS $ERR" '^0 .*good$' "good: $1"
	run_lb -T -c "$file"
	first=$OUT
	printf '%s\n' "$first" >"$TMP/printed"
	run_lb -T -c "$TMP/printed"
	is "$STATUS $OUT" "0 $first" '  prints what reads back as the same'
}

bad '1:1: there is nothing to listen on; expected a block listen NAME {' ''
bad '8:1: unknown directive "wokers" outside of blocks; did you mean "workers"?' "$pool${listen}wokers 4"
bad '8:9: "0" is out of range; expected a number from 1 to 64 or auto' "$pool${listen}workers 0"
bad '8:15: "30" is not a time; expected a time from 0s to 168h with its unit (ms, s, m or h)' "$pool${listen}grace-timeout 30"
bad '9:1: "workers" again; expected it once, it is already on line 8' "$pool$listen"$'workers 2\nworkers 2'
bad '6:5: there is no pool "ap"; did you mean "app"?' "$pool"$'listen web {\n\tbind *:80\n\tto ap\n}\n'
bad '1:6: pool "app" has no servers; expected a line server NAME ADDRESS or discover NAME HOST:PORT in it' $'pool app {\n}\n'"$listen"
bad '4:8: listener "web" has no address; expected a line bind ADDRESS in it' "$pool"$'listen web {\n\tto app\n}\n'
bad '4:8: listener "web" has no pool; expected a line to POOL in it' "$pool"$'listen web {\n\tbind *:80\n}\n'
bad '9:7: address 127.0.0.1:8888 is taken, line 5 has 127.0.0.1:8888; expected each address once' \
	"$pool${listen}${listen/web/two}"
bad '4:25: the check'\''s timeout is not below its interval; expected less than 1s' \
	"$(printf 'pool app {\n\tserver a 1\n\n\tcheck load /h every 1s timeout 2s\n}\n%s\n' "$listen")"
bad '1:6: the block is not closed; expected "}" before the end of the file' $'pool app {\n\tserver a 127.0.0.1:8080\n'
bad '2:11: bad address "10.0.0.1": the port is missing; expected PORT, HOST:PORT, [IPV6]:PORT or unix:/PATH' \
	$'pool app {\n\tserver a 10.0.0.1\n}\n'"$listen"
bad '3:10: "best" is not known; expected least-connections, least-requests, round-robin, random, hash, adaptive or first' \
	$'pool app {\n\tserver a 1\n\tbalance best\n}\n'"$listen"
bad '1:1: "server" stands outside of blocks; expected it in a pool' "server a 1"$'\n'"$pool$listen"

bad '8:9: "lb.sock" is not an absolute path; expected an absolute path' "$pool${listen}control lb.sock"
bad '8:1: the path is too long for a socket; expected at most 107 bytes' "$pool${listen}control /$(printf 'x%.0s' {1..107})"
bad '8:1: a group for a control socket that is not there; expected a line control PATH as well' \
	"$pool${listen}control-group adm"
run_lb -t -c <(printf '%s' "$pool${listen}"$'control /tmp/x\ncontrol-group no-such-group')
like "$STATUS $ERR" '^1 .*control-group no-such-group: there is no such group' 'a group that does not exist is told by -t'
good 'a control socket and its group' <<<"$pool${listen}control /$(printf 'x%.0s' {1..106})"$'\ncontrol-group root'

# Several errors in one file are told together, ten at most.
printf '%s\n' "$pool" 'listen web {' 'bind 127.0.0.1' 'to app' 'mode udp' '}' 'log x' >"$file"
run_lb -t -c "$file"
is "$(wc -l <<<"$ERR")" 3 'three errors, three lines'
printf 'wrong\n%.0s' {1..30} >"$file"
run_lb -t -c "$file"
is "$(wc -l <<<"$ERR")" 11 'of many, ten'
printf 'pool a {\0\n' >"$file"
run_lb -t -c "$file"
like "$ERR" ':1:9: control character; expected printable text' 'a NUL byte is told'
head -c 100000 /dev/urandom >"$file"
run_lb -t -c "$file"
between "$STATUS" 1 2 'noise is refused'

run_lb -t -c "$TMP/none"
between "$STATUS" 1 2 'a file that is not there'
like "$ERR" "none:1:1: cannot read it: No such file" 'is told'
run_lb -t -c "$TMP"
between "$STATUS" 1 2 'a directory'
like "$ERR" "cannot read it: Is a directory" 'is told'

good 'the least' <<<"$pool$listen"
good 'line ends of another system' <<<"${pool//$'\n'/$'\r\n'}${listen//$'\n'/$'\r\n'}"
good 'quotation marks, comments' <<'END'
# a comment
pool "app" {			# another
	server "a" "127.0.0.1:8080"
	server b#2 "unix:/run/with blank"
	check http "/a{b}" every 1s or 10 requests timeout 900ms rise 2 fall 3 down-every 100ms
}
listen web {
	bind 127.0.0.1:8888
	route host *.Example.org to app
	route path "/static/" to app
	to app
}
END
like "$first" 'route host \*\.example\.org to app' 'hosts are lower case'

# The example that is installed, and those of the manual.
sed "s/^user .*/user nobody/" "$TESTDIR/../init/loadbalancer.conf.example" >"$TMP/example"
good 'the example file' <"$TMP/example"
# What it has in comments must be good as well: blocks behind "#".
sed -En 's/^# ?((listen|pool) .*\{|	.*|\})$/\1/p' "$TMP/example" | grep -v '^	loadbalancer' >"$TMP/comments"
good 'with what it has in comments' < <(cat "$TMP/example" "$TMP/comments")
is "$(grep -c '^pool\|^listen' <<<"$first")" 12 'all of it'

manual=$TESTDIR/../man/loadbalancer.conf.5
n=0
while IFS= read -r line; do
	case $line in
	'.Bd -literal'*) n=$((n + 1)); : >"$TMP/manual.$n"; inside=1 ;;
	.Ed) inside= ;;
	*) [ -z "$inside" ] || printf '%s\n' "$line" | sed 's/^user .*/user nobody/' >>"$TMP/manual.$n" ;;
	esac
done <"$manual"
is "$n" 6 'examples in the manual'
while [ "$n" -gt 0 ]; do
	good "example $n of the manual" <"$TMP/manual.$n"
	n=$((n - 1))
done

# Each directive and option that -T prints is explained in the manual.
run_lb -T -c "$TMP/example"
missing=
for word in $(sed -n 's/^[[:blank:]]*\([a-z][a-z-]*\) .*/\1/p' <<<"$OUT" | sort -u) every down-every timeout rise fall weight backup \
	user group pid optional route; do
	grep -Eq "^\.It.*(Ic|Cm|Op Cm) $word( |$)" "$manual" || missing="$missing $word"
done
is "$missing" '' 'the manual has every word'
finish
