#!/bin/bash
# Weights that change while requests come, and backup servers, with each algorithm.
TEST_LIMIT=90
. "${0%/*}/lib.sh"

LBCTL=${LBCTL:-build/default/lbctl}
start_backend S1
start_backend S2
start_backend S3
start_backend SPARE
got() { echo "$(field S1 "$line") $(field S2 "$line") $(field S3 "$line")"; }
weight() { "$LBCTL" -i "$LB_PID" weight "app/$1" "$2" >"$TMP/ctl" 2>&1 || complain "$(cat "$TMP/ctl")"; }

for algorithm in round-robin least-connections random adaptive least-requests "hash path" first; do
	new_port PORT
	start_conf <<-E2
	workers 2
	control $TMP/ctl.sock
	pool app {
		balance $algorithm
		check   http /healthcheck every 200ms timeout 190ms fall 20
		server  one 127.0.0.1:$S1 maxconn 1000
		server  two 127.0.0.1:$S2 maxconn 1000
		server  three 127.0.0.1:$S3 maxconn 1000
		server  spare 127.0.0.1:$SPARE backup
	}
	listen web {
		bind 127.0.0.1:$PORT
		to   app
	}
	E2
	# adaptive compares times, and what it took with four at a time is another one than with one.
	many=4
	[ "$algorithm" = adaptive ] && many=1
	load -n 3000 -c $many >"$TMP/null"
	weight two 0
	line=$(load -n 200 -c $many --strict)
	is "$(field S2 "$line") $(field SPARE "$line") $(field ok "$line")" "0 0 200" "$algorithm: weight 0, nothing new, and no backup for it"
	weight two 3
	weight three 2
	case $algorithm in
	round-robin)
		# What it was given before is no debt: the health process puts it at the others' level.
		ok "$algorithm: a change of weights holds at once" wait_for 3 eval 'line=$(load -n 60 -c 1 --strict); [ "$(got)" = "10 30 20" ]'
		line=$(load -n 600 -c 8 --strict)
		is "$(got)" "100 300 200" "$algorithm: 1, 3 and 2, exactly" ;;
	least-requests)
		ok "$algorithm: a change of weights holds" wait_for 5 eval 'line=$(load -n 60 -c 1 --strict); n=$(field S2 "$line"); [ "$n" -ge 25 ] && [ "$n" -le 35 ]' ;;
	adaptive)
		# A pause of the machine may have taught it something that wears off in seconds.
		shares() { line=$(load -n 300 -c 1 --strict); [ "$(field S1 "$line")" -ge 20 ] && [ "$(field S2 "$line")" -ge 110 ] && [ "$(field S3 "$line")" -ge 60 ]; }
		ok "$algorithm: by weight" wait_for 20 shares
		diag "$algorithm: $(got)" ;;
	least-connections|random)
		line=$(load -n 1200 -c 1 --strict)
		diag "$algorithm: $(got)"
		between "$(field S1 "$line")" 130 270 "$algorithm: weight 1 of 6"
		between "$(field S2 "$line")" 500 700 "$algorithm: 3"
		between "$(field S3 "$line")" 310 490 "$algorithm: 2" ;;
	first)
		line=$(load -n 60 --strict)
		is "$(got)" "60 0 0" "$algorithm: weights do not count"
		weight one 0
		line=$(load -n 60 --strict)
		is "$(got)" "0 60 0" "but 0 does"
		weight one 1 ;;
	hash*)
		# Each worker sees a change within a tenth of a second.
		one() { line=$(load -n 60 --path /one --strict); grep -Eq '^(60 0 0|0 60 0|0 0 60)$' <<<"$(got)"; }
		ok "$algorithm: a path has one server" wait_for 5 one ;;
	esac
	weight one 0
	weight two 0
	weight three 0
	line=$(load -n 50 -c 2 --strict)
	is "$(field SPARE "$line")" 50 "$algorithm: all at weight 0: the backup"
	weight three 1
	line=$(load -n 50 -c 2 --strict)
	is "$(field S3 "$line")" 50 "$algorithm: and back"
	stop_lb
done
finish
