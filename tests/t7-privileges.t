#!/bin/bash
# Who the processes are, what they may, and which descriptors they hold.
. "${0%/*}/lib.sh"

start_backend S1
status() { awk -v k="$2:" '$1 == k { $1 = ""; sub(/^ /, ""); print }' "/proc/$1/status"; }
ids() { echo "$1 $1 $1 $1"; }
# The balancer must be found by other users when it drops its privileges and when a test runs as nobody.
chmod a+rx "$TMP"

start_lb -N 3 @ "$S1"
req /
wait_for 5 eval '[ "$(count_workers)" = 3 ] && [ -n "$(health_pid)" ]'
is "$(count_workers)" 3 "three workers"
ok "one health process" [ -n "$(health_pid)" ]
is "$(tr '\0' ' ' <"/proc/$LB_PID/cmdline" | sed 's/ *$//')" "loadbalancer: supervisor" "the supervisor's title"
is "$(for p in $(workers); do tr '\0' ' ' <"/proc/$p/cmdline" | sed 's/ *$//'; echo; done | sort | xargs -n 3)" \
    $'loadbalancer: worker 1\nloadbalancer: worker 2\nloadbalancer: worker 3' "workers are numbered"
like "$(cat "/proc/$(health_pid)/comm")" '^(loadbalancer|lb|health)' "comm has what fits"

if [ "$(id -u)" = 0 ]; then
	uid=$(id -u nobody) gid=$(id -g nobody)
	is "$(status "$LB_PID" Uid | xargs)" "$(ids 0)" "the supervisor keeps root"
	for p in $(workers) $(health_pid); do
		title=$(tr '\0' ' ' <"/proc/$p/cmdline")
		is "$(status "$p" Uid | xargs)" "$(ids "$uid")" "$title is nobody: uids"
		is "$(status "$p" Gid | xargs)" "$(ids "$gid")" "$title: gids"
		like "$(status "$p" Groups | xargs)" "^($gid)?$" "$title: no group of root's"
		is "$(status "$p" NoNewPrivs)" 1 "$title: no_new_privs"
		is "$(status "$p" CapEff)$(status "$p" CapPrm)$(status "$p" CapInh)$(status "$p" CapAmb)" \
		    "$(printf '0%.0s' {1..64})" "$title: no capabilities"
		# Not dumpable (but for the leak checker): what other processes of the same user hold stays out of reach.
		sanitized || is "$(stat -c %u "/proc/$p/environ")" 0 "$title: not dumpable"
	done
else
	for p in $(workers) $(health_pid); do
		is "$(status "$p" Uid | xargs)" "$(ids "$(id -u)")" "not root: stays who it is"
		is "$(status "$p" NoNewPrivs)" 1 "no_new_privs"
	done
fi

# --- descriptors: only its own ---
# What one is: "listen", "socket", "[eventfd]", ...
kinds() {
	local f target
	for f in "/proc/$1/fd"/*; do
		target=$(readlink "$f") || continue
		case $target in
		socket:*) grep -q " 0A .* ${target//[^0-9]/} " /proc/net/tcp /proc/net/tcp6 && echo listen || echo socket ;;
		anon_inode:*) echo "${target#anon_inode:}" ;;
		pipe:*) echo pipe ;;
		*) echo "$target" ;;
		esac
	done | sort | uniq -c | xargs
}
diag "supervisor: $(kinds "$LB_PID")"
for p in $(workers) $(health_pid); do
	k=$(kinds "$p")
	diag "$(tr '\0' ' ' <"/proc/$p/cmdline"): $k"
	ok "no listener in a child" eval '[[ "$k" != *listen* ]]'
	ok "no file of the supervisor's" eval '[[ "$k" != *.pid* && "$k" != *.conf* ]]'
done
for p in $(workers); do
	# its channel, and what is kept to servers
	ok "worker: sockets are its channel and kept connections" [ "$(find "/proc/$p/fd" -lname "socket:*" | wc -l)" -le 4 ]
done

# --- no leak: 10,000 connections ---
all_fds() { count_fds $LB_PID $(workers) $(health_pid); }
load -n 2000 -c 64 --close --strict >"$TMP/null"
before=$(all_fds)
line=$(load -n 10000 -c 32 --close --strict)
like "$line" '"ok":10000,"failed":0' "10,000 connections"
# How many connections to servers are kept is not the same each time.
ok "no descriptor stayed behind: $before before" wait_for 5 eval '[ "$(all_fds)" -le $((before + 64)) ]'
diag "after: $(all_fds)"
stop_lb
is "$LB_STATUS" 0 "ends with 0"

# --- a user of one's own choice ---
if [ "$(id -u)" = 0 ]; then
	new_port PORT
	conf() { printf 'workers 1\nuser %s\n%s\npool app {\n    server s1 127.0.0.1:%d\n}\nlisten web {\n    bind 127.0.0.1:%d\n    to app\n}\n' "$1" "$2" "$S1" "$PORT"; }
	start_conf < <(conf daemon "group nogroup")
	req /
	is "$CODE" 200 "serves as user daemon, group nogroup"
	w=$(workers)
	is "$(status "$w" Uid | xargs)" "$(ids "$(id -u daemon)")" "uids"
	is "$(status "$w" Gid | xargs)" "$(ids "$(id -g nobody)")" "gids"
	stop_lb
	start_conf < <(conf daemon "")
	wait_for 5 eval '[ -n "$(workers)" ]'
	is "$(status "$(workers)" Gid | xargs)" "$(ids "$(id -g daemon)")" "without group: the user's own"
	stop_lb
	conf no-such-user "" >"$TMP/bad.conf"
	run_lb -c "$TMP/bad.conf"
	ok "a user that does not exist is refused at the start" [ "$STATUS" != 0 -a "$STATUS" != 124 ]
	like "$ERR" no-such-user "by name"

	# started as nobody: it stays nobody, and everything works
	cp "$LB" "$TMP/lb" && chmod 755 "$TMP/lb"
	new_port PORT
	setpriv --reuid=nobody --regid=nogroup --clear-groups "$TMP/lb" -N 2 "$PORT" "$S1" >"$TMP/nobody.log" 2>&1 8>&- &
	LB_PID=$! LB_PIDS+=($!)
	LB_LOGS+=("$TMP/nobody.log")
	ok "started as nobody: listens" wait_for 10 listening "$PORT"
	req /
	is "$CODE" 200 "serves"
	wait_for 5 eval '[ -n "$(workers)" ]'
	is "$(status "$(workers | head -n 1)" NoNewPrivs)" 1 "no_new_privs there too"
	line=$(load -n 500 -c 4 --close --strict)
	like "$line" '"ok":500,"failed":0' "500 requests"
	stop_lb
	is "$LB_STATUS" 0 "ends with 0"
fi
finish
