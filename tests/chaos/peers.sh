# shellcheck shell=bash
# nginx and HAProxy under the same load and the same events, each by its own means. Sourced by run.sh after chaos.sh.
#
# Each is configured as well as we know for this: connections to servers kept, safe retries where the program has them,
# listeners handed from one HAProxy process to the next. What an event means for it:
#
#	reload		nginx: SIGHUP; HAProxy: SIGUSR2 to the master
#	upgrade		nginx: SIGUSR2, then SIGQUIT to the old master; HAProxy: its reload, which execs the program anew
#	worker		kill -9 of a worker process		supervisor	kill -9 of the master process
#	backend		kill -9 of a server, which is started again

peer_events() {	# KIND: those that exist there
	echo reload upgrade storm badfile worker supervisor backend
}

_peer_nginx_conf() {
	local module=
	[ -e /usr/lib/nginx/modules/ngx_stream_module.so ] && module="load_module /usr/lib/nginx/modules/ngx_stream_module.so;"
	cat <<EOC
$1
$module
$([ "$(id -u)" != 0 ] || echo "user nobody nogroup;")
worker_processes $CHAOS_WORKERS;
worker_rlimit_nofile $(ulimit -Hn);
daemon off;
pid $CHAOS/nginx.pid;
error_log $CHAOS/nginx.log notice;
events { worker_connections 20000; }
http {
	access_log off;
	keepalive_requests 1000000000;
	keepalive_timeout 1h;
	client_max_body_size 0;
	client_body_temp_path $CHAOS/nginx-1; proxy_temp_path $CHAOS/nginx-2; fastcgi_temp_path $CHAOS/nginx-3;
	uwsgi_temp_path $CHAOS/nginx-4; scgi_temp_path $CHAOS/nginx-5;
	upstream app { server 127.0.0.1:$B1; server 127.0.0.1:$B2; server 127.0.0.1:$B3; keepalive 64; }
	upstream bulk { server 127.0.0.1:$BULK; keepalive 64; }
	map \$http_upgrade \$hop { default upgrade; '' ''; }
	server {
		listen 127.0.0.1:$WEB backlog=4096;
		location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; }
	}
	server {
		listen 127.0.0.1:$BIG backlog=4096;
		location / {
			proxy_pass http://bulk;
			proxy_http_version 1.1;
			proxy_set_header Upgrade \$http_upgrade;
			proxy_set_header Connection \$hop;
			proxy_request_buffering off;
			proxy_max_temp_file_size 0;
		}
	}
}
stream {
	server { listen 127.0.0.1:$RAW backlog=4096; proxy_pass 127.0.0.1:$E1; }
}
EOC
}

_peer_haproxy_conf() {
	cat <<EOC
$1
global
	nbthread $CHAOS_WORKERS
	maxconn $(($(ulimit -Hn) / 2))
	no strict-limits
	$([ "$(id -u)" != 0 ] || printf 'user nobody\n\tgroup nogroup')
	stats socket $CHAOS/haproxy.sock expose-fd listeners level admin
defaults
	mode http
	timeout client 1h
	timeout server 60s
	timeout connect 3s
	timeout tunnel 1h
	timeout http-keep-alive 1h
	retries 3
	option redispatch 1
	retry-on conn-failure empty-response 0rtt-rejected
	http-reuse always
	maxconn $(($(ulimit -Hn) / 2))
frontend web
	bind 127.0.0.1:$WEB backlog 4096
	default_backend app
frontend big
	bind 127.0.0.1:$BIG backlog 4096
	default_backend bulk
frontend raw
	mode tcp
	bind 127.0.0.1:$RAW backlog 4096
	default_backend echo
backend app
	balance leastconn
	option httpchk GET /healthcheck
	server b1 127.0.0.1:$B1 check inter 1s
	server b2 127.0.0.1:$B2 check inter 1s
	server b3 127.0.0.1:$B3 check inter 1s
backend bulk
	server bulk 127.0.0.1:$BULK check inter 1s
backend echo
	mode tcp
	server e1 127.0.0.1:$E1
EOC
}

_peer_put() { "_peer_${CHAOS_KIND}_conf" "$1" >"$CHAOS/$CHAOS_KIND.conf"; }
_peer_main() {
	case $CHAOS_KIND in
	nginx) cat "$CHAOS/nginx.pid" 2>/dev/null ;;
	haproxy) echo "$PEER_PID" ;;
	esac
}
_peer_workers() {
	local main
	main=$(_peer_main)
	case $CHAOS_KIND in
	nginx) [ -z "$main" ] || _children 'nginx: worker' "$main" ;;
	haproxy) _children . "$PEER_PID" ;;
	esac
}

chaos_start_peer() {
	local port
	: >"$CHAOS/$CHAOS_KIND.log"
	rm -f "$CHAOS"/lived.* "$CHAOS/nginx.pid"
	PEER_WATCHERS=()
	_peer_put ""
	case $CHAOS_KIND in
	nginx) "$(PATH=$PATH:/usr/sbin command -v "${NGINX:-nginx}")" -p "$CHAOS" -c "$CHAOS/nginx.conf" >>"$CHAOS/nginx.log" 2>&1 8>&- & ;;
	haproxy) "$(PATH=$PATH:/usr/sbin command -v "${HAPROXY:-haproxy}")" -W -db -f "$CHAOS/haproxy.conf" >>"$CHAOS/haproxy.log" 2>&1 8>&- & ;;
	esac
	PEER_PID=$!
	disown "$PEER_PID"
	LB_LOG=$CHAOS/$CHAOS_KIND.log
	for port in "$WEB" "$BIG" "$RAW"; do
		wait_for 5 listening "$port" || { complain "$CHAOS_KIND did not start: $(tail -n 5 "$LB_LOG")"; return 1; }
	done
	wait_for 5 _peer_settled
}
_peer_settled() { [ -n "$(_peer_main)" ] && [ -n "$(_peer_workers)" ]; }

# How long the workers of this moment live on, told to go; in the background, until the load is over.
_peer_watch() {
	local old=$1 begun
	begun=$(_now_ms)
	(
		trap - EXIT TERM INT
		while kill -0 $old 2>/dev/null; do read -r -t 0.05 <> <(:); done
		echo $(($(_now_ms) - begun)) >"$CHAOS/lived.$begun"
	) 2>/dev/null 8>&- &
	PEER_WATCHERS+=($!)
}
chaos_lived_peer() {
	local p
	MOVED=- LIVED=0
	wait_for 3 _peer_all_lived
	for p in "${PEER_WATCHERS[@]}"; do
		_gone "$p" || { LIVED="until the end"; kill "$p"; }
		wait "$p" 2>/dev/null
	done
	PEER_WATCHERS=()
	[ "$LIVED" != 0 ] || LIVED=$(cat "$CHAOS"/lived.* 2>/dev/null | sort -n | tail -n 1)
	LIVED=${LIVED:--}
	rm -f "$CHAOS"/lived.*
	[ "$(curl -s -o /dev/null -m 3 -w '%{http_code}' "http://127.0.0.1:$WEB/")" = 200 ] || WHY="$WHY; the service is gone"
}
_peer_all_lived() { local p; for p in "${PEER_WATCHERS[@]}"; do _gone "$p" || return 1; done; }

_peer_reload() {
	local old
	old=$(_peer_workers | tr '\n' ' ')
	case $CHAOS_KIND in
	nginx) kill -HUP "$(_peer_main)" ;;
	haproxy) kill -USR2 "$PEER_PID" ;;
	esac
	_peer_watch "$old"
}
_peer_other_workers() { [ -n "$(_peer_workers)" ] && [ "$(_peer_workers | sort -n | tail -n 1)" != "$1" ]; }

peer_reload() {
	local last
	last=$(_peer_workers | sort -n | tail -n 1)
	_peer_reload
	wait_for 5 _peer_other_workers "$last"
}
peer_storm() {
	local i
	for ((i = 0; i < 10; i++)); do
		_peer_reload
		read -r -t 0.1 <> <(:)
	done
}
peer_badfile() {
	_peer_put "nonsense here"
	case $CHAOS_KIND in
	nginx) kill -HUP "$(_peer_main)" ;;
	haproxy) kill -USR2 "$PEER_PID" ;;
	esac
	read -r -t 0.5 <> <(:)	# it says in its own way, or not at all, that it has seen it
	_peer_put ""
}
peer_upgrade() {
	local old
	[ "$CHAOS_KIND" = nginx ] || { peer_reload; return; }
	old=$(_peer_main)
	_peer_watch "$(_peer_workers | tr '\n' ' ')"
	kill -USR2 "$old"
	wait_for 5 _changed _peer_main "$old" && wait_for 5 _peer_settled && kill -QUIT "$old"
}
peer_worker() {
	local w
	w=$(_peer_workers | shuf -n 1)
	[ -n "$w" ] && kill -KILL "$w"
}
peer_supervisor() {	# once: nobody follows
	local m
	m=$(_peer_main)
	[ -n "$m" ] && [ "$PEER_KILLED" != "$m" ] || return 0
	PEER_KILLED=$m PEER_ORPHANS=$(_peer_workers | tr '\n' ' ')
	kill -KILL "$m"
}
peer_backend() { event_backend; }

chaos_stop_peer() {
	local main all p
	main=$(_peer_main)
	all="$main $PEER_PID $(_peer_workers | tr '\n' ' ') $PEER_ORPHANS"
	PEER_ORPHANS=''
	for p in $all; do kill -TERM "$p" 2>/dev/null; done
	for p in $all; do wait_for 3 _gone "$p" || kill -KILL "$p" 2>/dev/null; done
	# Old workers that a tunnel kept.
	for p in $(pgrep -f "$CHAOS/$CHAOS_KIND.conf"); do kill -KILL "$p" 2>/dev/null; done
	LEAKS=
}
