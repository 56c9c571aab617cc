#!/bin/bash
# How the kernel schedules the workers, and that they notice when that was the wrong choice. And that they send together
# what they have to send, where it lets them.
. "${0%/*}/lib.sh"

start_backend S1
conf() {	# DIRECTIVE...
	local d
	for d in 'workers 2' "$@"; do echo "$d"; done
	echo "pool p {
		check none
		server s1 127.0.0.1:$S1
	}
	listen l {
		bind 127.0.0.1:$PORT
		to p
	}"
}
# SCHED_OTHER 0, SCHED_BATCH 3, SCHED_IDLE 5: field 41 of proc_pid_stat(5). Of all given, once each.
policy() { sed 's/.*) //' "${@/#/\/proc\/}" 2>/dev/null | cut -d' ' -f39 | sort -u | xargs; }
policies() { local p=("$@"); policy "${p[@]/%//stat}"; }
worker_policies() { policies $(workers); }
settled() { [ "$(count_workers)" = 2 ] && [ "$(worker_policies)" = "$1" ]; }

new_port PORT
start_conf < <(conf)
req /
is "$CODE" 200 "it serves"
is "$(worker_policies)" 3 "workers begin with SCHED_BATCH"
is "$(policies "$LB_PID")" 0 "the supervisor stays with SCHED_OTHER"
is "$(policies "$(health_pid)")" 0 "and so does the health process"

conf 'scheduling normal' >"$LB_CONF"
kill -HUP "$LB_PID"
ok "scheduling normal: after a reload workers have SCHED_OTHER" wait_for 10 settled 0
conf 'scheduling batch' >"$LB_CONF"
kill -HUP "$LB_PID"
ok "scheduling batch: SCHED_BATCH" wait_for 10 settled 3
conf 'scheduling realtime' >"$LB_CONF"
run_lb -t -c "$LB_CONF"
is "$STATUS" 1 "what is not known is refused"
like "$ERR" 'conf:2:12: .*auto, batch or normal' "with place and choice"

# --- io-uring ---
rings() { local p; for p in $(workers); do find "/proc/$p/fd" -lname 'anon_inode:\[io_uring\]'; done | wc -l; }
# Requests of many at a time; how many of the workers' system calls were io_uring_enter(2), and how many sendto(2).
calls() {
	local p tracers=()
	for p in $(workers); do
		strace -f -qq -e trace=io_uring_enter,sendto -o "$TMP/calls.$p" -p "$p" 2>"$TMP/null" &
		tracers+=($!)
	done
	wait_for 5 eval '! grep -L "^TracerPid:.[1-9]" $(workers | sed "s|.*|/proc/&/status|") | grep -q .'
	LOAD=$(load -n 4000 -c 32)
	kill "${tracers[@]}"
	wait "${tracers[@]}" 2>"$TMP/null"
	ENTERS=$(cat "$TMP"/calls.* | grep -c io_uring_enter) SENDS=$(cat "$TMP"/calls.* | grep -c sendto)
	rm -f "$TMP"/calls.*
}
conf >"$LB_CONF"
kill -HUP "$LB_PID"
wait_for 10 settled 3
if [ "$(rings)" = 2 ]; then
	ok "each worker has an io_uring" true
	calls
	like "$LOAD" '"ok":4000,"failed":0' "what it sends arrives"
	ok "several things to send go in one call ($ENTERS calls; $SENDS sends by themselves)" [ "$ENTERS" -gt 20 -a "$((ENTERS + SENDS))" -lt 6000 ]
else
	skip "no io_uring on this machine"
fi
conf 'io-uring off' 'scheduling normal' >"$LB_CONF"
kill -HUP "$LB_PID"
wait_for 10 settled 0
is "$(rings)" 0 "io-uring off: they have none"
calls
like "$LOAD" '"ok":4000,"failed":0' "it serves without"
ok "each send is a call ($SENDS)" [ "$ENTERS" = 0 -a "$SENDS" -ge 8000 ]
stop_lb

# What it was given by whoever started it and is neither of both, it keeps.
LB_BUILT=$LB LB="$TMP/idle"
printf '#!/bin/sh\nexec chrt -i 0 %s "$@"\n' "$LB_BUILT" >"$LB"
chmod +x "$LB"
new_port PORT
start_conf < <(conf)
LB=$LB_BUILT
is "$(worker_policies)" 5 "SCHED_IDLE, which it was started with, stays"
stop_lb

# --- beside programs that do not let go of the processors ---
new_port PORT
start_conf < <(conf)
wait_for 10 settled 3
is "$(worker_policies)" 3 "again with SCHED_BATCH"
hogs=()
for cpu in $(taskset -pc $$ | sed 's/.*: //' | tr ',' '\n' | while IFS=- read -r a b; do seq "$a" "${b:-$a}"; done); do
	nice -n 19 taskset -c "$cpu" timeout 30 sh -c 'while :; do :; done' &
	hogs+=($!)
done
slow() { grep -q 'scheduling is normal for [0-9]* s: with batch, others keep the processors for too long, [0-9]* us' "$LB_LOG"; }
pester() {	# a request every few milliseconds until it has noticed, 25 s at most
	local end=$((SECONDS + 25))
	until slow || [ $SECONDS -ge $end ]; do
		curl -s -o /dev/null -m 5 $(printf "http://127.0.0.1:$PORT/ %.0s" {1..50})
	done
}
pester
ok "a worker notices that it waits too long, and says so" slow
ok "and has SCHED_OTHER now" eval '[[ "$(worker_policies)" = *0* ]]'
kill "${hogs[@]}"
wait "${hogs[@]}" 2>/dev/null
ok "after a while it tries batch again" wait_for 20 eval 'curl -s -o /dev/null -m 5 $(printf "http://127.0.0.1:$PORT/ %.0s" {1..20}); grep -q "scheduling is batch again" "$LB_LOG"'
stop_lb
finish
