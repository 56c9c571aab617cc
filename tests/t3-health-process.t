#!/bin/bash
# The health process: killed, stopped, idle; names; rounds after so many requests.
. "${0%/*}/lib.sh"

said() { grep -q "$1" "$LB_LOG"; }

# --- it dies: a successor goes on from what the table says ---
start_backend A --log "$TMP/a.log"
start_backend B
start_lb -N 2 @ "$A" "$B"
wait_for 2 said "2 of 2 servers up"
probes() { grep -c ' /healthcheck ' "$TMP/a.log"; }
more() { [ "$(probes)" -gt "$before" ]; }
first=$(health_pid)
before=$(probes)
ok "there is one" [ -n "$first" ]
kill -KILL "$first"
line=$(load -n 200 --strict)
like "$line" '"ok":200,"failed":0,' "killed: requests go on"
other() { local p; p=$(health_pid); [ -n "$p" ] && [ "$p" != "$first" ]; }
ok "another takes its place" wait_for 3 other
ok "and probes" wait_for 3 more
kill_backend B
line=$(load -n 50 --strict)
like "$line" '"failed":0,.*"backend":\{"A":50\}' "it finds a server down"
restart_backend B
both() { load -n 10 | grep -q '"A":.*"B":\|"B":.*"A":'; }
ok "and up again" wait_for 3 both

# --- it hangs: workers find dead servers by themselves ---
kill -STOP "$(health_pid)"
kill_backend B
line=$(load -n 50 --strict)
like "$line" '"failed":0,.*"backend":\{"A":50\}' "stopped: nothing is lost with a server that dies meanwhile"
kill -CONT "$(health_pid)"
restart_backend B
ok "continued: the server is found" wait_for 10 both

# --- killed again and again: back-off, and service all the while ---
for ((i = 0; i < 5; i++)); do
	pid=$(health_pid)
	[ -n "$pid" ] && kill -KILL "$pid"
	line=$(load -n 20 --strict)
	[[ $line == *'"failed":0,'* ]] || diag "round $i: $line"
done
like "$line" '"failed":0,' "killed five times: requests go on"
ok "and it is there in the end" wait_for 15 other
stop_lb
is "$LB_STATUS" 0 "ends with status 0"

# --- after so many requests: extra rounds, but no storm ---
start_lb -N 3 -R 5 @ "$A" "$B"
wait_for 2 said "2 of 2 servers up"
before=$(probes)
load -n 5 --strict >"$TMP/null"
ok "-R 5: five requests bring a round" wait_for 1 more
before=$(probes)
start=$(_now_ms)
line=$(load -d 2 -c 8 --strict)
took=$((($(_now_ms) - start) / 100))
diag "$line"
between "$(($(probes) - before))" 5 $((22 + took)) "thousands of requests a second: 20 rounds, then ten a second"
stop_lb

# --- names ---
new_port PORT
start_conf <<EOC
workers 1
pool app {
    check load /healthcheck every 5s
    server named localhost:$A
    server nobody nosuch.invalid:$A
}
listen web {
    bind 127.0.0.1:$PORT
    to app
}
EOC
ok "a name that resolves is up" wait_for 3 said "server app/named is up"
ok "one that does not is down, and says so" wait_for 8 said "server app/nobody is down: name does not resolve"
line=$(load -n 20 --strict)
like "$line" '"backend":\{"A":20\}' "requests go to the one"
resolvers() { _children 'loadbalancer: resolver' "$(health_pid)"; }
ok "no resolver stays behind" wait_for 8 eval '[ -z "$(resolvers)" ]'
stop_lb

# --- idle means idle ---
start_lb -N 2 @ "$A" "$B"
wait_for 2 said "2 of 2 servers up"
cpu() {	# of all processes of the balancer, ticks
	local pid stat sum=0
	for pid in $LB_PID $(health_pid) $(workers); do
		stat=$(< "/proc/$pid/stat")
		read -r -a stat <<<"${stat##*) }"
		sum=$((sum + stat[11] + stat[12]))
	done
	echo $sum
}
before=$(cpu)
sleep 3	# time itself is tested
between "$(($(cpu) - before))" 0 1 "3 s of idleness cost at most one tick of CPU in all"
kill_backend B
before=$(cpu)
sleep 3	# time itself is tested
between "$(($(cpu) - before))" 0 2 "and hardly more with a server to look for"
stop_lb
finish
