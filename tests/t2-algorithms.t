#!/bin/bash
# The other algorithms and weights, as the configuration file names them.
. "${0%/*}/lib.sh"

start_backend S1
start_backend S2
start_backend S3

# pool LINE...: a configuration with these lines in its pool
pool() {
	new_port PORT
	start_conf <<EOC
workers 3
pool app {
    check http /healthcheck every 60s
$(printf '    %s\n' "$@")
}
listen web {
    bind 127.0.0.1:$PORT
    to app
}
EOC
}

pool "balance round-robin" "server one 127.0.0.1:$S1" "server two 127.0.0.1:$S2 weight 2" "server three 127.0.0.1:$S3 weight 3"
line=$(load -n 60 --strict)
like "$line" '"S1":10' "round-robin: weight 1 of 6"
like "$line" '"S2":20' "weight 2 of 6"
like "$line" '"S3":30' "weight 3 of 6"
line=$(load -n 60 -c 6 --close --strict)
is "$(field S1 "$line") $(field S2 "$line") $(field S3 "$line")" "10 20 30" "exact over all workers, with 6 at a time"
for ((i = 0; i < 12; i++)); do req /; echo "${BODY%% *}"; done >"$TMP/order"
is "$(head -n 6 "$TMP/order" | sort | uniq -c | xargs)" "1 S1 2 S2 3 S3" "smooth: each six hold the whole pattern"
is "$(uniq -c "$TMP/order" | awk '$1 > 2' | xargs)" "" "and nobody gets three in a row"
stop_lb

pool "balance least-connections" "server one 127.0.0.1:$S1" "server two 127.0.0.1:$S2" "server three 127.0.0.1:$S3"
line=$(load -n 90 --strict)
diag "$line"
between "$(field S1 "$line")" 10 50 "least-connections: idle servers share by lot"
# Two that stay busy: what comes meanwhile goes to the third.
curl -s --max-time 20 "http://127.0.0.1:$PORT/delay/2500" >"$TMP/slow1" &
slow=($!)
curl -s --max-time 20 "http://127.0.0.1:$PORT/delay/2500" >"$TMP/slow2" &
slow+=($!)
wait_for 2 eval '[ "$(load -n 6 | grep -o "\"S[123]\":" | wc -l)" = 1 ]'
line=$(load -n 30 -c 1 --strict)
like "$line" '"backend":\{"S[123]":30\}' "with two servers busy all goes to the third"
wait "${slow[@]}"
busy1=$(cut -d' ' -f1 "$TMP/slow1") busy2=$(cut -d' ' -f1 "$TMP/slow2")
ok "the two slow requests went to two servers" [ "$busy1" != "$busy2" -a -n "$busy1" -a -n "$busy2" ]
line=$(load -n 300 -c 30 --path /delay/20 --strict)
diag "$line"
between "$(field S1 "$line")" 85 115 "30 in flight over three workers: level"
between "$(field S2 "$line")" 85 115 "level"
stop_lb

pool "balance random" "server one 127.0.0.1:$S1" "server two 127.0.0.1:$S2" "server three 127.0.0.1:$S3 weight 2"
line=$(load -n 1200 -c 4 --strict)
diag "$line"
between "$(field S1 "$line")" 220 380 "random: a quarter"	# 300, sigma 15
between "$(field S3 "$line")" 500 700 "weight 2: half"
stop_lb

pool "balance least-requests" "server one 127.0.0.1:$S1" "server two 127.0.0.1:$S2 weight 2"
line=$(load -n 90 --strict)
diag "$line"
is "$(field S1 "$line") $(field S2 "$line")" "30 60" "least-requests: weight 2 takes two thirds"
stop_lb

pool "balance round-robin" "server one 127.0.0.1:$S1" "server two 127.0.0.1:$S2 backup"
like "$(load -n 20 --strict)" '"backend":\{"S1":20\}' "a backup server gets nothing while another is up"
kill_backend S1
like "$(load -n 20 --strict)" '"backend":\{"S2":20\}' "and everything when none is"
stop_lb
finish
