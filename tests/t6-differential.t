#!/bin/bash
# Random sequences of valid and broken messages, by a seed that is said: what a second reader finds in the same bytes
# is what the servers must get and the clients be answered; see tests/tools/strict_random.pl. LB_RANDOM_SECONDS for
# longer than a few seconds, LB_RANDOM_SEED to repeat, LB_RANDOM_COUNT for how many connections at most.
TEST_LIMIT=$((2 * ${LB_RANDOM_SECONDS:-8} + 100))
. "${0%/*}/lib.sh"
. "$TESTDIR/tools/strict_http.sh"

start_backend S1 --log "$TMP/s1.log"
start_backend S2 --log "$TMP/s2.log"
new_port COPY
new_port SPLICE
PORT=$COPY
start_conf <<EOC
workers 2
pool app {
    balance round-robin
    check none
    server s1 127.0.0.1:$S1
    server s2 127.0.0.1:$S2
}
listen copy {
    bind 127.0.0.1:$COPY
    splice off
    linger-timeout 500ms
    to app
}
listen splice {
    bind 127.0.0.1:$SPLICE
    linger-timeout 500ms
    to app
}
EOC
seed=${LB_RANDOM_SEED:-$(date +%s)000}
diag "LB_RANDOM_SEED=$seed"
random_messages() { perl -I"$TESTDIR/tools" "$TESTDIR/tools/strict_random.pl" "$@"; }
results < <(random_messages "$seed" "${LB_RANDOM_SECONDS:-8}" "${LB_RANDOM_COUNT:-1000000}" "$TMP/s1.log" "$TMP/s2.log" -- "$COPY" "$SPLICE")
wait_for 5 eval '[ "$(count_workers)" = 2 ]'
is "$(count_workers)" 2 "both workers are there"
ok "and none was replaced" eval '! grep -q "killed by signal" "$LB_LOG"'
stop_lb

new_port SERVER
new_port PORT
start_conf <<EOC
workers 1
pool app {
    check none
    retries 0
    server s1 127.0.0.1:$SERVER
}
listen web {
    bind 127.0.0.1:$PORT
    to app
}
EOC
random_answers() { perl -I"$TESTDIR/tools" "$TESTDIR/tools/strict_answers.pl" "$@"; }
results < <(random_answers "$seed" "${LB_RANDOM_SECONDS:-6}" "${LB_RANDOM_COUNT:-1000000}" "$SERVER" "$PORT")
ok "no worker was replaced" eval '! grep -q "killed by signal" "$LB_LOG"'
finish
