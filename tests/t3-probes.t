#!/bin/bash
# Which answers to a probe make a server good, and what the log says of the others.
. "${0%/*}/lib.sh"

said() { grep -q "$1" "$LB_LOG"; }

# --- /healthcheck with load figures: every way of getting it wrong, all in one pool ---
good="ok nonewline chunked close"
bad="silent refuse empty garbage 404 500 302 drip negative letters overflow extra oneline nobody long short"
declare -A why=(
	[silent]="no answer in time" [refuse]="connection refused|connection reset|closed without an answer"
	[empty]="closed without an answer" [garbage]="answer is not HTTP" [404]="unwanted status 404"
	[500]="unwanted status 500" [302]="unwanted status 302" [drip]="no answer in time"
	[negative]="body is not errors and entries" [letters]="body is not errors and entries"
	[overflow]="body is not errors and entries" [extra]="body is not errors and entries"
	[oneline]="body is not errors and entries" [nobody]="body is not errors and entries|no answer in time"
	[long]="body too long|body is not errors and entries|no answer in time" [short]="answer cut short|no answer in time"
)
lines=
for mode in $good $bad; do
	start_backend "H_$mode" --health "$mode"
	port=H_$mode
	lines+="    server $mode 127.0.0.1:${!port}"$'\n'
done
new_port PORT
start_conf <<EOC
workers 2
pool app {
    balance round-robin
    check load /healthcheck every 2s down-every 300ms timeout 700ms
$lines
}
listen web {
    bind 127.0.0.1:$PORT
    to app
}
EOC
for mode in $good; do
	ok "$mode: up" wait_for 5 said "server app/$mode is up"
done
for mode in $bad; do
	ok "$mode: down" wait_for 5 said "server app/$mode is down"
	like "$(grep "server app/$mode is down" "$LB_LOG" | head -n 1)" "is down: (${why[$mode]});" "$mode: says why"
done
line=$(load -n 40 --strict)
is "$(for mode in $good; do port=H_$mode; field "$port" "$line"; done | xargs)" "10 10 10 10" "only the good ones get requests"

# a good server that goes bad is found by the next round, and found again
change() { curl -s "http://127.0.0.1:$H_ok/control/health/$1" >"$TMP/null"; }
change letters
ok "a server that turns bad is taken out" wait_for 4 said "server app/ok is down: body is not errors and entries; 3 of 20 servers up"
like "$(load -n 30 --strict)" '"ok":30,"failed":0' "the others serve"
change ok
start=$(_now_ms)
ok "and is taken back" wait_for 4 said "server app/ok is up after .* 4 of 20 servers up"
between "$(($(_now_ms) - start))" 0 1000 "within a second"
is "$(grep -c "server app/ok is down" "$LB_LOG")" 1 "each change is told once"
stop_lb
for mode in $good $bad; do kill_backend "H_$mode"; done

# --- check http: any 2xx or 3xx; tcp: a connection; none: nothing ---
start_backend W1 --health 302
start_backend W2 --health 404
start_backend W3 --health garbage
start_backend W4 --health letters
start_backend W5 --health silent
new_port W6
new_port PORT
new_port PORT_TCP
new_port PORT_NONE
start_conf <<EOC
workers 2
pool web {
    balance round-robin
    check http /healthcheck every 2s timeout 500ms
    server w1 127.0.0.1:$W1
    server w2 127.0.0.1:$W2
    server w3 127.0.0.1:$W3
    server w4 127.0.0.1:$W4
    server w5 127.0.0.1:$W5
}
pool plain {
    balance round-robin
    check tcp every 2s
    server w2 127.0.0.1:$W2
    server w5 127.0.0.1:$W5
    server w6 127.0.0.1:$W6
}
pool free {
    balance round-robin
    check none
    server w2 127.0.0.1:$W2
    server w6 127.0.0.1:$W6
}
listen web {
    bind 127.0.0.1:$PORT
    to web
}
listen plain {
    bind 127.0.0.1:$PORT_TCP
    to plain
}
listen free {
    bind 127.0.0.1:$PORT_NONE
    to free
}
EOC
wait_for 3 said "server web/w5 is down"
line=$(load -n 20 --strict)
is "$(field W1 "$line") $(field W4 "$line")" "10 10" "check http: 302, and 200 with any body, are up; nothing else is"
PORT=$PORT_TCP
line=$(load -n 20 --path /count --strict)
is "$(field W2 "$line") $(field W5 "$line")" "10 10" "check tcp: whoever accepts is up"
PORT=$PORT_NONE
line=$(load -n 20 --strict)
is "$(field ok "$line") $(field W2 "$line")" "20 20" "check none: a server that refuses costs no request"
ok "and is left alone for a while" said "server free/w6 is down: refused a worker's connection"
stop_lb

# --- rise and fall ---
start_backend R1 --log "$TMP/r1.log"
start_backend R2
new_port PORT
start_conf <<EOC
pool app {
    check load /healthcheck every 200ms down-every 100ms timeout 150ms rise 3 fall 3
    server r1 127.0.0.1:$R1
    server r2 127.0.0.1:$R2
}
listen web {
    bind 127.0.0.1:$PORT
    to app
}
EOC
ok "rise 3: the first probe of all decides alone" wait_for 2 said "server app/r1 is up"
probes() { grep -c ' /healthcheck ' "$TMP/r1.log"; }
before=$(probes)
curl -s "http://127.0.0.1:$R1/control/health/500" >"$TMP/null"
ok "fall 3: goes down" wait_for 3 said "server app/r1 is down: unwanted status 500"
between "$(($(probes) - before))" 3 4 "at the third bad probe"
before=$(probes)
curl -s "http://127.0.0.1:$R1/control/health/ok" >"$TMP/null"
ok "rise 3: comes up" wait_for 3 said "server app/r1 is up after"
between "$(($(probes) - before))" 3 4 "at the third good one"
stop_lb
finish
