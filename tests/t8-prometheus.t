#!/bin/bash
# A Prometheus server scrapes the balancer and is asked for what it has; the rules and the dashboard of
# examples/monitoring hold for what it finds there.
TEST_LIMIT=120
. "${0%/*}/lib.sh"
MONITORING=$(realpath "$TESTDIR/../examples/monitoring")
export GOMAXPROCS=1	# of a machine that has other things to do

# --- the rules by themselves ---
cd "$MONITORING" || exit 2
tool() { promtool "$@" >"$TMP/tool.out" 2>&1 || { complain "$(cat "$TMP/tool.out")"; false; }; }
ok "the rules are sound" tool check rules alerts.yml
ok "so is the configuration" tool check config prometheus.yml
ok "each alert rings when it should, and not before" tool test rules alerts.test.yml
is "$(sed -n 's/.*alert: //p' alerts.yml | while read -r a; do grep -A2 "alertname: $a" alerts.test.yml | grep -q 'exp_labels\|exp_alerts:$' || echo "$a"; done)" "" "none is without a test"
cd "$OLDPWD" || exit 2

# --- a real one ---
start_backend B1
start_backend B2
new_port PORT
new_port STATUS_PORT
new_port PROM_PORT
start_conf <<E2
workers 2
pool app {
	check http /healthcheck every 200ms
	server app1 127.0.0.1:$B1
	server app2 127.0.0.1:$B2
}
listen web {
	bind 127.0.0.1:$PORT
	to app
}
listen status {
	bind 127.0.0.1:$STATUS_PORT
	serve status
}
E2
sed "s/127.0.0.1:8404/127.0.0.1:$STATUS_PORT/; s/_interval: 15s/_interval: 1s/" "$MONITORING/prometheus.yml" >"$TMP/prometheus.yml"
cp "$MONITORING/alerts.yml" "$TMP/"
prometheus --config.file="$TMP/prometheus.yml" --storage.tsdb.path="$TMP/data" --web.listen-address="127.0.0.1:$PROM_PORT" \
    --log.level=warn >"$TMP/prometheus.log" 2>&1 8>&- &
PROM=$!
# value QUERY: of its first series
value() {
	curl -sS --max-time 10 --data-urlencode "query=$1" "http://127.0.0.1:$PROM_PORT/api/v1/query" 2>"$TMP/curl.err" |
	    perl -MJSON::PP -e 'my $j = decode_json(join "", <STDIN>); my $r = $j->{data}{result}; print @$r ? $r->[0]{value}[1] : ""' 2>/dev/null
}
is_value() { [ "$(value "$1")" = "$2" ]; }
ok "it scrapes" wait_for 20 is_value 'up{job="loadbalancer"}' 1
"$TESTBIN/load" "127.0.0.1:$PORT" -c 2 -d 60 --rate 100 --path /delay/2 >"$TMP/load" 2>&1 &
LOAD=$!
is "$(value 'loadbalancer_build_info * 1')" 1 "build_info"
is "$(value 'count(loadbalancer_server_up == 1)')" 2 "two servers up"
rated() { perl -e 'exit !($ARGV[0] > 60 && $ARGV[0] < 140)' "$(value 'sum(rate(loadbalancer_server_dispatched_total[5s]))')"; }
ok "the rate of requests is what it is" wait_for 15 rated
quantile() { perl -e 'exit !($ARGV[0] > 0.001 && $ARGV[0] < 2)' "$(value 'histogram_quantile(0.5, sum by (le) (rate(loadbalancer_server_response_time_seconds_bucket[10s])))')"; }
ok "so is a quantile of the latency: $(value 'histogram_quantile(0.5, sum by (le) (rate(loadbalancer_server_response_time_seconds_bucket[10s])))')" wait_for 10 quantile
kill_backend B2
ok "a server is killed, and that is seen" wait_for 10 is_value 'count(loadbalancer_server_up == 0)' 1
ok "its alert is pending" wait_for 10 is_value 'count(ALERTS{alertname="LoadbalancerServerDown", alertstate="pending", pool="app", server="app2"})' 1
is "$(value 'count(ALERTS{alertstate="firing"})')" "" "and nothing rings yet"

# --- the dashboard: every question it asks is understood, and what must have an answer has one ---
cat >"$TMP/panels" <<'E2'
my $d = decode_json(join "", <STDIN>);
for my $p (@{$d->{panels}}) {
	for my $t (@{$p->{targets} || []}) {
		my $e = $t->{expr};
		$e =~ s/\$(instance|pool)/.*/g;
		$e =~ s/\$__rate_interval/10s/g;
		print "$p->{title}\t$e\n";
	}
}
E2
perl -MJSON::PP "$TMP/panels" <"$MONITORING/grafana-dashboard.json" >"$TMP/questions"
ok "the dashboard is JSON, with questions: $(wc -l <"$TMP/questions")" [ "$(wc -l <"$TMP/questions")" -ge 25 ]
bad='' silent=''
while IFS=$'\t' read -r title expr; do
	answer=$(curl -sS --max-time 10 --data-urlencode "query=$expr" "http://127.0.0.1:$PROM_PORT/api/v1/query")
	case $answer in
	*'"status":"success"'*'"result":[]'*) [[ $expr == *'> 0' ]] || silent="$silent$title; " ;;
	*'"status":"success"'*) ;;
	*) bad="$bad$title: $answer; " ;;
	esac
done <"$TMP/questions"
is "$bad" "" "all are understood"
is "$silent" "" "all have an answer, but those that ask for trouble"
is "$(grep -i 'level=\(warn\|error\)' "$TMP/prometheus.log")" "" "it has no complaint about what it scraped"
kill $LOAD $PROM; wait $LOAD $PROM 2>/dev/null
stop_lb
finish
