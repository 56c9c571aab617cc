#!/bin/bash
# lbctl metrics: the text format of Prometheus, by its conventions, and figures that are true.
. "${0%/*}/lib.sh"
LBCTL=$(realpath "${LBCTL:-build/default/lbctl}")

metrics() { "$LBCTL" -i "$LB_PID" metrics >"$TMP/metrics"; }
# value 'NAME{LABELS}': of one series
value() { awk -v want="loadbalancer_$1 " 'index($0, want) == 1 { print $NF }' "$TMP/metrics"; }

start_backend B1
start_backend B2 --entries 7 --errors 2
new_port PORT
new_port NOBODY
start_conf <<E2
workers 2
pool app {
	server app1 127.0.0.1:$B1
	server [::1]:80 127.0.0.1:$NOBODY
}
pool reporting {
	check load
	server r1 127.0.0.1:$B2
}
listen web {
	bind 127.0.0.1:$PORT
	to app
}
E2
for ((i = 0; i < 12; i++)); do req /; done
req /status/404
req /status/500
req /delay/30
metrics

if command -v promtool >/dev/null; then
	OUT=$(promtool check metrics <"$TMP/metrics" 2>&1)
	is "$?|$OUT" "0|" "promtool has nothing to say"
else
	skip "no promtool (Debian: prometheus)"
fi

# --- true figures ---
is "$(value 'server_responses_total{pool="app",server="app1",code="2xx"}')" 13 "answers, by class"
is "$(value 'server_responses_total{pool="app",server="app1",code="4xx"}')" 1 "4xx"
is "$(value 'server_responses_total{pool="app",server="app1",code="5xx"}')" 1 "5xx"
is "$(value 'server_response_time_seconds_count{pool="app",server="app1"}')" 15 "times, as many"
is "$(value 'server_response_time_seconds_bucket{pool="app",server="app1",le="+Inf"}')" 15 "all below infinity"
ok "at least one above 16 ms" [ "$(value 'server_response_time_seconds_bucket{pool="app",server="app1",le="0.016384"}')" -lt 15 ]
ok "their sum is more than the delay" awk "BEGIN { exit !($(value 'server_response_time_seconds_sum{pool="app",server="app1"}') > 0.03) }"
is "$(value 'server_up{pool="app",server="app1"}')$(value 'server_up{pool="app",server="[::1]:80"}')" 10 "up and down"
is "$(value 'server_reported_entries{pool="reporting",server="r1"}') $(value 'server_reported_errors{pool="reporting",server="r1"}')" "7 2" \
    "what servers report"
is "$(grep -c '^loadbalancer_server_reported_entries{' "$TMP/metrics")" 1 "only where they do"
is "$(value 'connections_accepted_total')" 15 "connections"
is "$(value 'listener_accepted_total{listener="web"}') $(value 'listener_connections{listener="web"}')" "15 0" "of the listener"
is "$(value 'pool_queue_requests{pool="app"}') $(value 'pool_queued_requests_total{pool="app"}')" "0 0" "nobody waits"
is "$(value 'workers{state="serving"}')" 2 "workers"
is "$(value 'supervisor_up')" 1 "alive"
ok "time down" awk "BEGIN { exit !($(value 'server_down_seconds_total{pool="app",server="[::1]:80"}') > 0) }"

# --- form, by our own eyes: HELP, TYPE and series of a family together, no series twice, buckets that grow ---
cat >"$TMP/form" <<'E2'
my (%type, %help, %seen, %done, $family, %last);
while (<STDIN>) {
	chomp;
	if (/^# HELP (\w+) \S/) { print "HELP again: $1\n" if $help{$1}++; $family = $1; next }
	if (/^# TYPE (\w+) (counter|gauge|histogram)$/) { print "TYPE without HELP: $1\n" if $1 ne $family; $type{$1} = $2; next }
	/^(\w+)(\{(?:\w+="(?:[^"\\]|\\.)*",?)*\})? (\S+)$/ or print("not a series: $_\n"), next;
	my ($name, $labels, $value) = ($1, $2 || '', $3);
	my $base = $name;
	$base =~ s/_(bucket|sum|count)$// if $type{$family} eq 'histogram';
	print "$name outside of its family\n" if $base ne $family;
	print "twice: $name$labels\n" if $seen{"$name$labels"}++;
	print "a counter without _total: $name\n" if $type{$family} eq 'counter' && $name !~ /_total$/;
	print "_total is no counter: $name\n" if $type{$family} ne 'counter' && $name =~ /_total$/;
	print "not a number: $_\n" if $value !~ /^-?[0-9.]+(e[-+]?\d+)?$/;
	if ($name =~ /_bucket$/) {
		(my $key = $labels) =~ s/,le=.*//;
		print "buckets shrink: $_\n" if defined $last{$key} && $value < $last{$key};
		$last{$key} = $value;
	}
}
print "too few families\n" if keys %type < 25;
E2
is "$(perl "$TMP/form" <"$TMP/metrics")" "" "the form is right"
is "$(cut -d'{' -f1 <(grep _bucket "$TMP/metrics") | uniq -c | awk '{ print $1 }')" 39 "13 buckets a server"

# --- counters only grow: through a reload, and the death of a worker ---
total() { metrics; value 'server_responses_total{pool="app",server="app1",code="2xx"}'; }
kill -HUP "$LB_PID"
wait_for 10 grep -q 'generation 2 serves' "$LB_LOG"
wait_for 5 grep -q 'generation 1 is gone' "$LB_LOG"
is "$(total)" 13 "a reload loses nothing"
is "$(value generation)" 2 "and is counted"
kill -KILL "$(workers | head -n 1)"
restarted() { metrics; grep -q '^loadbalancer_worker_restarts_total.* 1$' "$TMP/metrics"; }
ok "a worker's death is counted" wait_for 5 restarted
is "$(total)" 13 "and loses nothing"
freeze "$LB_PID"
metrics
is "$(value supervisor_up)" 0 "a stopped supervisor shows"
kill -CONT "$LB_PID"
stop_lb
finish
