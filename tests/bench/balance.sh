#!/bin/bash
# The four scenarios of tests/bench/balance.c for real, each balancer in turn: balance.sh LOADBALANCER BALANCE
#
# ROUNDS (3) runs of SECONDS_EACH (30) for each; what is printed is the median of each figure. SCENARIOS and
# BALANCERS (adaptive adaptive+hedge least-connections
# nginx haproxy) choose some; "+hedge" adds `hedge on`, "+limits"
# learned limits and a queue-target. Two workers or threads each.
# Do not run it beside other work.
set -u
lb=$1 bin=$2
rounds=${ROUNDS:-3} seconds=${SECONDS_EACH:-30}
dir=$(mktemp -d) || exit 1
pids=()
stop() { [ ${#pids[@]} -eq 0 ] || { kill "${pids[@]}"; wait "${pids[@]}"; } 2>/dev/null; pids=(); }
trap 'stop; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

# A port that is free now.
port() { perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1:0")->sockport'; }
listens() {
	local tries
	for ((tries = 0; tries < 300; tries++)); do
		[ "$(curl -s -o /dev/null -w '%{http_code}' --max-time 1 "http://127.0.0.1:$1/healthcheck")" = 200 ] && return
		read -r -t 0.03 <>/dev/fd/9
	done
	echo "balance.sh: $balancer does not listen: $(cat "$dir/err" "$dir/nginx.log" 2>/dev/null | head -n 3)" >&2
	exit 1
}
exec 9<>"$(mkfifo "$dir/never" && echo "$dir/never")"

start() {	# BALANCER PORT SERVER-PORT...: in front of these
	local kind=$1 at=$2 s
	shift 2
	case $kind in
	nginx)
		{ echo "daemon off; worker_processes 2; pid $dir/nginx.pid; error_log $dir/nginx.log;"
		echo "events { worker_connections 4096; }"
		echo "http { access_log off; client_body_temp_path $dir; proxy_temp_path $dir; fastcgi_temp_path $dir; uwsgi_temp_path $dir; scgi_temp_path $dir;"
		echo "upstream app { zone app 256k; least_conn; keepalive 64;"
		for s; do echo "server 127.0.0.1:$s;"; done
		echo "} server { listen 127.0.0.1:$at; location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection \"\"; } } }"
		} >"$dir/nginx.conf"
		nginx -c "$dir/nginx.conf" 2>"$dir/err" & ;;
	haproxy)
		{ printf 'global\n\tnbthread 2\n\tmaxconn 4096\ndefaults\n\tmode http\n\ttimeout connect 5s\n\ttimeout client 60s\n\ttimeout server 60s\n'
		printf 'frontend web\n\tbind 127.0.0.1:%s\n\tdefault_backend app\n' "$at"
		printf 'backend app\n\tbalance leastconn\n\thttp-reuse always\n\toption httpchk GET /healthcheck\n\tdefault-server check inter 500\n'
		for s; do printf '\tserver s%s 127.0.0.1:%s\n' "$s" "$s"; done
		} >"$dir/haproxy.conf"
		haproxy -f "$dir/haproxy.conf" >"$dir/err" 2>&1 & ;;
	*)
		{ printf 'workers 2\npool app {\n\tbalance %s\n\tcheck load /healthcheck every 500ms timeout 400ms\n' "${kind%%+*}"
		limits=
		case $kind in *+hedge) printf '\thedge on\n' ;; *+limits) printf '\tqueue-target 50ms\n'; limits=' maxconn learned' ;; esac
		for s; do printf '\tserver s%s 127.0.0.1:%s%s\n' "$s" "$s" "$limits"; done
		printf '}\nlisten web {\n\tbind 127.0.0.1:%s\n\tto app\n}\n' "$at"
		} >"$dir/lb.conf"
		"$lb" -c "$dir/lb.conf" 2>"$dir/err" & ;;
	esac
	pids+=($!)
	listens "$at"
}

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

for scenario in ${SCENARIOS:-stall skew holes cold}; do
	printf '%s\n  %-20s %8s %8s %8s %10s %10s %8s\n' "$scenario" "" "p50 ms" "p99" "p99.9" "> 1 s %" "failed %" "good/s"
	for ((round = 0; round < rounds; round++)); do
		for balancer in ${BALANCERS:-adaptive adaptive+hedge least-connections nginx haproxy}; do
			mkfifo "$dir/end"
			"$bin" serve "$scenario" "$seconds" <>"$dir/end" >"$dir/ports" &
			pids+=($!)
			until [ -s "$dir/ports" ]; do read -r -t 0.03 <>/dev/fd/9; done
			read -ra ports <"$dir/ports"
			at=$(port)
			start "$balancer" "$at" "${ports[@]}"
			"$bin" load "$scenario" "$at" "$seconds" >>"$dir/$scenario.$balancer"
			stop
			rm -f "$dir/end" "$dir/ports"
		done
	done
	for balancer in ${BALANCERS:-adaptive adaptive+hedge least-connections nginx haproxy}; do
		printf '  %-20s' "$balancer"
		for figure in p50:8.1f p99:8.1f p999:8.1f slow:10.4f failed:10.4f good:8.1f; do
			# shellcheck disable=SC2059
			printf " %${figure#*:}" "$(grep -o "${figure%:*}=[0-9.]*" "$dir/$scenario.$balancer" | cut -d= -f2 | median)"
		done
		echo
	done
done
