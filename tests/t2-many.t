#!/bin/bash
# Pools that are too large to be looked at as a whole for each request: the shares are those that weights say.
. "${0%/*}/lib.sh"
LBCTL=$(realpath "${LBCTL:-build/default/lbctl}")
N=60

start_backend B1
ctl() { "$LBCTL" --socket "$TMP/control" -i "$LB_PID" "$@"; }
# served EXPRESSION: of $s->{NAME}{requests}; @n are all servers' but that of weight 5
served() {
	ctl --interval 0ms --json show | perl -MJSON::PP -e 'my $j = decode_json(join "", <STDIN>); my $s = {map { $_->{name} => $_ } @{$j->{servers}}};
		my @n = sort { $a <=> $b } map { $_->{requests} } grep { $_->{name} !~ /^(heavy|spare)$/ } @{$j->{servers}}; print eval $ARGV[0]; die $@ if $@' "$1"
}

# pool ALGORITHM [OPTIONS]: N servers of weight 1, one of 5, one backup; all are the same program
pool() {
	new_port PORT
	start_conf <<EOC
workers 2
control $TMP/control
pool app {
    balance $1
    check tcp every 1s
$(for ((i = 1; i <= N; i++)); do echo "    server s$i 127.0.0.1:$B1 $2"; done)
    server heavy 127.0.0.1:$B1 weight 5 $2
    server spare 127.0.0.1:$B1 backup
}
listen web {
    bind 127.0.0.1:$PORT
    to app
}
EOC
	wait_for 5 grep -q "$((N + 2)) of $((N + 2)) servers up" "$LB_LOG"
}

for algorithm in least-connections round-robin least-requests random; do
	pool $algorithm
	like "$(load -n 1300 -c 8 --strict)" '"ok":1300' "$algorithm: 1300 requests to $((N + 1)) servers"
	diag "$(served '"least $n[0], most $n[-1], heavy $s->{heavy}{requests}"')"
	case $algorithm in
	round-robin)	# each worker takes its turns alone, so twice as far off as one
		between "$(served '$n[0]')" 18 20 "nobody is behind its 20"
		between "$(served '$n[-1]')" 20 22 "nor ahead"
		between "$(served '$s->{heavy}{requests}')" 98 102 "weight 5: 100" ;;
	least-requests)
		between "$(served '$n[0]')" 15 20 "nobody is far behind its 20"
		between "$(served '$n[-1]')" 20 25 "nor far ahead"
		between "$(served '$s->{heavy}{requests}')" 80 125 "weight 5: about 100" ;;
	*)	# by lot: sigma 4.5 and 10
		between "$(served '$n[0]')" 1 20 "all are used"
		between "$(served '$s->{heavy}{requests}')" 50 150 "weight 5: about 100" ;;
	esac
	is "$(served '$s->{spare}{requests}')" 0 "none for the backup"
	ctl drain app/s1 app/s2 app/heavy >/dev/null
	before=$(served '"$s->{s1}{requests} $s->{s2}{requests} $s->{heavy}{requests}"')
	like "$(load -n 300 -c 4 --strict)" '"ok":300' "three are drained"
	is "$(served '"$s->{s1}{requests} $s->{s2}{requests} $s->{heavy}{requests}"')" "$before" "and get nothing more"
	stop_lb
done

# With a limit nobody waits while somebody has room, and nobody gets more than its limit.
for algorithm in least-connections round-robin; do
	pool $algorithm "maxconn 1"
	like "$(load -n 600 -c 50 --path /delay/20 --strict)" '"ok":600' "$algorithm, maxconn 1: 50 at a time to $((N + 1)) servers"
	between "$(served '$n[-1]')" 1 60 "nobody took it all"
	like "$(load -n 300 -c 80 --path /delay/5 --strict)" '"ok":300' "$algorithm: 80 at a time, so some wait"
	stop_lb
done

# Nearly all are out: those that are left are found.
pool least-connections
ctl drain $(for ((i = 3; i <= N; i++)); do echo "app/s$i"; done) app/heavy >/dev/null
like "$(load -n 200 -c 4 --strict)" '"ok":200' "two of $((N + 1)) are left"
is "$(served '$s->{s1}{requests} + $s->{s2}{requests}')" 200 "and get everything"
between "$(served '$s->{s1}{requests}')" 60 140 "in halves"
stop_lb
finish
