#!/bin/bash
# lbctl, what it shows: from the table alone, whatever state the supervisor is in.
TEST_LIMIT=120
. "${0%/*}/lib.sh"
LBCTL=$(realpath "${LBCTL:-build/default/lbctl}")

ctl() { OUT=$("$LBCTL" -i "$LB_PID" --interval 0ms "$@" 2>"$TMP/ctl.err"); STATUS=$?; ERR=$(< "$TMP/ctl.err"); }
# json EXPRESSION: of $j, the JSON that `ctl --json` printed; $s->{NAME} are its servers
json() { perl -MJSON::PP -e 'my $j = decode_json(join "", <STDIN>); my $s = {map { $_->{name} => $_ } @{$j->{servers} || []}}; my $r = eval $ARGV[0]; die $@ if $@; print $r' "$1" <<<"$OUT"; }
shows() { ctl show && [[ $OUT =~ $1 ]]; }

start_backend B1
start_backend B2 --entries 41 --errors 3
new_port PORT
new_port NOBODY
start_conf <<E2
workers 2
pool app {
	check http /healthcheck every 200ms
	server app1 127.0.0.1:$B1
	server app2 127.0.0.1:$B2 weight 2
	server spare 127.0.0.1:$NOBODY backup
}
pool reporting {
	check load every 60s
	server r1 127.0.0.1:$B2
}
listen web {
	bind 127.0.0.1:$PORT
	to app
}
E2

# --- the screen ---
for ((i = 0; i < 20; i++)); do req /; done
ok "a screen" shows "loadbalancer .*, pid $LB_PID, up "
like "$OUT" '3 of 4 servers up; 2 workers;.* 20 requests' "what there is, in a line"
like "$OUT" '! app/spare is down since [0-9:]{8} \([0-9a-z]*\): connection refused' "who is sick, since when, and why"
like "$OUT" 'pool app: adaptive, check http; 2 of 3 up' "the pool"
like "$OUT" 'app1  *up  *[0-9a-z]* *1  *0  *[0-9]+ .* ok [0-9.]*ms, [0-9a-z]* ago' "a server"
like "$OUT" 'r1 .*; 41 entries, 3 errors' "entries and errors where they are reported"
is "$(grep -c entries <<<"$OUT")" 1 "and nowhere else"
is "$(grep -c '^!' <<<"$OUT")" 1 "nothing else is wrong"
is "$(grep -c $'\033' <<<"$OUT")" 0 "no colours where no terminal is"

# --- the same as JSON ---
ctl --json show
is "$STATUS" 0 "as JSON"
is "$(json '$s->{app1}{requests} + $s->{app2}{requests}')" 20 "requests"
is "$(json '$s->{app1}{responses}{"2xx"} + $s->{app2}{responses}{"2xx"}')" 20 "answers"
is "$(json '"$s->{spare}{state} $s->{spare}{why} $s->{spare}{backup}"')" "down connection refused 1" "state and why"
is "$(json '$s->{app1}{since_unix} > time - 60 && $s->{app1}{since_unix} <= time')" 1 "since when"
is "$(json '$s->{app1}{latency_seconds}{p50} > 0 && $s->{app1}{latency_seconds}{p99} >= $s->{app1}{latency_seconds}{p50}')" 1 "latencies"
is "$(json '"$s->{r1}{reported}{entries} $s->{r1}{reported}{errors} " . exists $s->{app1}{reported}')" "41 3 " "reports"
is "$(json '$j->{instance}{pid}')" "$LB_PID" "the pid"
is "$(json 'join " ", map { "$_->{name} $_->{servers_up}/$_->{servers}" } @{$j->{pools}}')" "app 2/3 reporting 1/1" "pools"
is "$(json 'scalar @{$j->{workers}}')" 2 "workers"
is "$(json '$s->{spare}{availability_percent} < 50 && $s->{app1}{availability_percent} > 99')" 1 "availability"
for what in servers pools listeners workers errors; do
	ctl --json show $what
	is "$(json "ref \$j->{$([ $what = errors ] && echo servers || echo $what)}")" ARRAY "show $what as JSON"
	ctl show $what
	like "$STATUS $OUT" '^0 .' "and as text"
done
ctl show servers
like "$OUT" 'reports       41 entries' "all that is known of a server"
ctl --json show 'app/app*'
is "$(json 'join " ", sort keys %$s')" "app1 app2" "a pattern chooses"
ctl show app2
like "$OUT" "^app/app2  127.0.0.1:$B2" "so does a name"

ctl show listeners
like "$OUT" $'\nweb  *0  *-  *20  ' "connections of a listener"

# --- rates ---
load -c 4 -d 2 >"$TMP/load" &
LOAD=$!
busy() { OUT=$("$LBCTL" -i "$LB_PID" --interval 200ms --json show) && [ "$(json '$j->{instance}{rate} > 20')" = 1 ]; }
ok "a rate, sampled" wait_for 3 busy
wait $LOAD

# --- what happens is seen; errors are told ---
kill_backend B1
ok "a server that dies" wait_for 5 shows '! app/app1 is down since .*: '
restart_backend B1
ok "and comes back" wait_for 5 eval '! shows "! app/app1"'
ctl show ap1
is "$STATUS|$ERR" '1|lbctl: there is no server ap1; did you mean app1?' "a name that is nearly right"
ctl show sevrers
like "$STATUS|$ERR" '^1\|.*did you mean show servers\?' "what to show"
ctl show app/spar
like "$STATUS|$ERR" '^1\|.*did you mean app/spare\?' "with its pool, too"
ctl shwo
is "$STATUS|$ERR" '2|lbctl: there is no command shwo; did you mean show?' "a command that is nearly right"
ctl
like "$STATUS|$ERR" '^2\|usage: lbctl' "no command"
ctl top --sort p9
like "$STATUS|$ERR" '^2\|.*did you mean p99\?' "a key that is nearly right"
ctl show --interval 5
like "$STATUS|$ERR" '^2\|.*--interval 5: expected a time' "a time without its unit"
ctl show pools app
is "$STATUS" 2 "one word too many"
OUT=$("$LBCTL" -i 1 show 2>&1)
like "$?|$OUT" '^3\|lbctl: there is no instance 1' "an instance that is none"
"$LBCTL" --help >"$TMP/out" && grep -q 'drain' "$TMP/out"
is $? 0 "help"
"$LBCTL" -i "$LB_PID" show >/dev/full 2>"$TMP/ctl.err"
is "$?" 1 "output that cannot be written is a failure"

# --- the supervisor is stopped ---
freeze "$LB_PID"
ok "a stopped supervisor: everything is shown" shows 'the supervisor is stopped'
like "$OUT" 'pool app' "as before"
ctl --json show
is "$(json '$j->{instance}{stopped} ? 1 : 0')" 1 "and JSON says so"
kill -CONT "$LB_PID"

# --- top ---
ctl top -n 2 --interval 50ms
is "$STATUS|$(grep -c '^pool app' <<<"$OUT")|$(grep -c $'\033' <<<"$OUT")" "0|2|0" "top without a terminal: screen after screen, plain"
tty() { timeout 10 script -qec "stty rows $2 cols $3; $LBCTL -i $LB_PID top $4; echo status \$?" /dev/null <<<"$1" | tr -d '\r'; }
if command -v script >/dev/null; then
	OUT=$(tty q 24 100 '--interval 10s')
	like "$OUT" 'status 0$' "top on a terminal: q quits, at once"
	like "$OUT" $'\033\\[\\?1049h' "on a screen of its own"
	like "$OUT" $'\033\\[\\?1049l' "and leaves it"
	OUT=$(tty '' 8 50 '-n 2 --interval 50ms')
	is "$(sed -n '1,/1049l/{s/1049l.*/1049l/;p}' <<<"$OUT" | sed $'s/\033\\[[0-9;]*H/\\n/g; s/\033\\[[?0-9;]*[a-zA-Z]//g' | awk 'length > m { m = length } END { print (m <= 50) }')" 1 \
	    "no line is longer than a terminal of 50 columns"
	like "$(tty s 24 100 '-n 2 --interval 300ms')" 'by state' "s sorts by state"
else
	skip "no script(1)"
fi

# --- watch ---
"$LBCTL" -i "$LB_PID" --interval 20ms watch >"$TMP/watch" 2>&1 &
WATCH=$!
watched() { grep -Eq "$1" "$TMP/watch"; }
ok "watch begins with what is wrong" wait_for 5 watched 'is down  app/spare: connection refused'
wait_for 5 watched '^watching'
kill_backend B2
ok "a server goes down: told, and why" wait_for 5 watched '[0-9:]{8}  down  *app/app2: down: (connection re|.*refused)'
restart_backend B2
ok "it comes back: told, and after how long" wait_for 5 watched 'up  *app/app2: up, after [0-9a-z]* down'
kill -KILL "$(workers | head -n 1)"
ok "a worker dies" wait_for 5 watched 'worker  *worker [0-9]*: pid [0-9]* died; pid [0-9]* is its successor'
kill -HUP "$LB_PID"
ok "a reload" wait_for 10 watched 'generation 2 serves'
sed -i 's/^listen web {/&\n	max-connections 77/; 1s/^/max-connections 88\n/' "$LB_CONF"
kill -HUP "$LB_PID"
ok "another one" wait_for 10 watched 'generation 3 serves'
req /
limits() { ctl show listeners; [[ $OUT =~ web\ +[0-9]+\ +77\ +[0-9]+ ]]; }
ok "listeners are still there, with their new limits" wait_for 5 limits
ctl --json show listeners
is "$(json '"$j->{instance}{max_connections} $j->{listeners}[0]{max_connections}"')" "88 77" "the one for all, too"

# --- in a place of its own: one instance is found alone; what is not a table does no harm ---
sed "s/$PORT/@PORT@/" "$LB_CONF" >"$TMP/other"
cat >"$TMP/alone" <<'E2'
mount -t tmpfs none /dev/shm || exit 99
"$1" -c "$3" 2>"$4" &
lb=$!
n=0; until "$2" show >/dev/null 2>&1; do n=$((n + 1)); [ $n -lt 500 ] || break; sleep 0.02; done
"$2" --interval 0ms show | head -n 1
echo garbage >/dev/shm/loadbalancer.$$	# a process, but no supervisor
: >/dev/shm/loadbalancer.1x
head -c 4096 /dev/urandom >/dev/shm/loadbalancer.4194300
"$2" --interval 0ms show >/dev/null; echo "beside garbage $?"
perl -e '$0 = "lb: supervisor"; $SIG{ALRM} = sub { exit }; alarm 60; sleep 1 while 1' &
fake=$!
until [ "$(cat /proc/$fake/comm)" = "lb: supervisor" ]; do sleep 0.02; done
"$2" show >/dev/null 2>&1; echo "no table yet $?"
head -c 100 /dev/shm/loadbalancer.$lb >/dev/shm/loadbalancer.$fake
"$2" -i $fake show >/dev/null 2>&1; echo "too short $?"
sed s/LBALANCE/XXXXXXXX/ /dev/shm/loadbalancer.$lb | sed s/ECNALABL/XXXXXXXX/ >/dev/shm/loadbalancer.$fake
"$2" -i $fake show >/dev/null 2>&1; echo "not a table $?"
"$2" show 2>&1 | grep -c -e "^  $lb .*up " -e "^  $fake .*another version"
# Rows full of noise behind a sound header: figures are wrong, and that is all.
bad=0
for seed in 1 2 3 4 5 6 7 8; do
	perl -e 'srand shift; local $/; my $t = <STDIN>; for (1 .. 4000) { substr($t, 512 + int rand(length($t) > 400000 ? 400000 : length($t) - 520), 1) = chr rand 256 } print $t' $seed \
	    </dev/shm/loadbalancer.$lb >/dev/shm/loadbalancer.$fake
	for what in "show" "show servers" "show listeners" "show workers" "show errors" "--json show" metrics "top -n 1"; do
		timeout 20 "$2" --interval 1ms -i $fake $what >/tmp/lbt.$$ 2>&1 </dev/null
		case $? in 0) ;; *) bad=1; echo "seed $seed, $what: $?"; tail -n 5 /tmp/lbt.$$ ;; esac
		LC_ALL=C grep -q "[^[:print:][:space:]]" /tmp/lbt.$$ && { bad=1; echo "seed $seed, $what: control bytes"; }
	done
done
rm -f /tmp/lbt.$$
echo "noise $bad"
kill $fake $lb; wait $fake; wait $lb
"$2" show >/dev/null 2>&1; echo "none left $?"
E2
new_port OTHER
sed -i "s/@PORT@/$OTHER/" "$TMP/other"
OUT=$(unshare -m bash "$TMP/alone" "$(realpath "$LB")" "$LBCTL" "$TMP/other" "$TMP/alone.log" 2>&1)
if [ "$?" = 99 ] || [[ $OUT == unshare:* ]]; then
	skip "no mount namespaces here"
else
	like "$OUT" '^loadbalancer .*, pid ' "the only instance is found by itself"
	like "$OUT" 'beside garbage 0' "also beside what is none"
	like "$OUT" 'no table yet 0' "a process without a table is no instance"
	like "$OUT" 'too short 4' "a table that is cut short: status 4"
	like "$OUT" 'not a table 4' "something else: status 4"
	like "$OUT" $'\n2\n' "several are listed, with what tells them apart"
	like "$OUT" 'noise 0' "noise in the rows does no harm" || complain "$OUT"
	like "$OUT" 'none left 3' "none runs: status 3"
fi

stop_lb
is "$LB_STATUS" 0 "it was not disturbed"
wait $WATCH
is "$?" 3 "watch ends with the instance, status 3"
ok "and says so" watched 'ended'
finish
