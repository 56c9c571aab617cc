#!/bin/bash
# Two balancers and a virtual address, as examples/keepalived has them: in network namespaces of this test, with a
# real keepalived. The active one dies, its machine goes off, it is stopped in order; clients see how long it takes.
TEST_LIMIT=120
. "${0%/*}/lib.sh"

[ "$(id -u)" = 0 ] || skip_all "namespaces and VRRP take root"
NET=lbt$$
ip netns add "$NET-sw" 2>"$TMP/ip.err" || skip_all "no network namespaces here: $(< "$TMP/ip.err")"
leave() {
	[ -z "$(jobs -p)" ] || kill -KILL $(jobs -p) 2>/dev/null
	for x in a b sw; do
		for pid in $(ip netns pids "$NET-$x" 2>/dev/null); do kill -KILL "$pid"; done
		ip netns del "$NET-$x"
	done 2>/dev/null
	_cleanup
}
trap leave EXIT

# A switch with the clients and the servers on it (10.99.0.1), and two machines, .11 and .12.
vip=10.99.0.100
machine() {	# NAME LAST
	ip netns add "$NET-$1" && ip -n "$NET-sw" link add "to-$1" type veth peer name eth0 netns "$NET-$1" &&
	ip -n "$NET-sw" link set "to-$1" master sw0 && ip -n "$NET-sw" link set "to-$1" up &&
	ip -n "$NET-$1" link set lo up && ip -n "$NET-$1" link set eth0 up && ip -n "$NET-$1" addr add "10.99.0.$2/24" dev eth0
}
network() {
	ip -n "$NET-sw" link add sw0 type bridge && ip -n "$NET-sw" link set sw0 up && ip -n "$NET-sw" link set lo up &&
	ip -n "$NET-sw" addr add 10.99.0.1/24 dev sw0 && machine a 11 && machine b 12
}
network 2>"$TMP/ip.err" || skip_all "no virtual network here: $(< "$TMP/ip.err")"
in_net() { local n=$NET-$1; shift; ip netns exec "$n" "$@"; }

for i in 1 2; do
	in_net sw "$TESTBIN/backend" --host 10.99.0.1 --port 808$i --name B$i >"$TMP/b$i" 2>&1 8>&- &
	disown
	ok "server $i" wait_for 5 grep -qs ^listening "$TMP/b$i"
done

# The examples, with addresses and files of this test.
for x in a b; do
	sed -e "s|/run/|$TMP/$x-|; s|10\.0\.0\.11:8080|10.99.0.1:8081|; s|10\.0\.0\.12:8080|10.99.0.1:8082|" \
	    "$TESTDIR/../examples/keepalived/loadbalancer.conf" >"$TMP/$x.conf"
	sed -e "s|203\.0\.113\.80|$vip|; s|script_user nobody|script_user root|" "$TESTDIR/../examples/keepalived/keepalived.conf" >"$TMP/$x.ka"
done
sed -i 's/priority 100/priority 90/' "$TMP/b.ka"
cat >"$TMP/in" <<EOC
#!/bin/sh
exec ip netns exec "$NET-\$MACHINE" "$LB" "\$@"
EOC
chmod 755 "$TMP/in"
REAL=$LB
answers() { in_net "$1" curl -fs -m 1 -o /dev/null http://127.0.0.1:8081/alive; }
balancer() {	# MACHINE
	PORT='' MACHINE=$1 LB=$TMP/in
	export MACHINE
	_lb -c "$TMP/$1.conf"
	LB=$REAL
	disown "$LB_PID"	# it is to be killed without a word
	printf -v "LB_$1" %d "$LB_PID"
	wait_for 10 answers "$1"
}
guard() {	# MACHINE
	in_net "$1" keepalived -n -l -f "$TMP/$1.ka" -p "$TMP/$1.pid" -r "$TMP/$1.vrrp" >"$TMP/$1.kalog" 2>&1 8>&- &
	disown
	wait_for 5 test -s "$TMP/$1.pid"
}
holds() { ip -n "$NET-$1" addr show dev eth0 | grep -q "inet $vip/"; }
serves() { in_net sw curl -fs -m 1 -o /dev/null "http://$vip/"; }

ok "a balancer on either machine" eval 'balancer a && balancer b'
ok "keepalived on either" eval 'guard a && wait_for 10 holds a && guard b'
ok "the first holds the address" eval 'wait_for 5 serves && holds a && ! holds b'

# Who asks every 5 ms, and waits 50 ms for an answer: the longest time without one is the takeover.
cat >"$TMP/probe.pl" <<'EOP'
use strict; use IO::Socket::INET; use Time::HiRes qw(time);
my ($to, $stop) = @ARGV; my ($last, $longest, $n) = (time, 0, 0);
until (-e $stop) {
	my $s = IO::Socket::INET->new(PeerAddr => $to, PeerPort => 80, Timeout => 0.05);
	my ($good, $got) = (0, "");
	if ($s) {
		print $s "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"; $s->flush;
		my $r = ""; vec($r, fileno $s, 1) = 1;
		$good = select($r, undef, undef, 0.05) && (sysread($s, $got, 4096) || 0) > 0 && $got =~ /^HTTP\/1.1 200/;
	}
	if ($good) { my $gap = time - $last; $longest = $gap if $gap > $longest; $last = time; $n++ }
	select undef, undef, undef, 0.005;	# every 5 ms
}
printf "%d %d\n", $longest * 1000, $n;
EOP
# What clients see of a change: change NAME SECONDS COMMAND...; sets GAP (ms) and LOST.
change() {
	local name=$1 seconds=$2 line prober
	shift 2
	rm -f "$TMP/stop"
	in_net sw perl "$TMP/probe.pl" "$vip" "$TMP/stop" >"$TMP/gap" &
	prober=$!
	in_net sw "$TESTBIN/load" "$vip:80" -d "$seconds" -c 4 --rate 200 --close --timeout 10000 >"$TMP/load" 2>&1 8>&- &
	loader=$!
	wait_for 1 test -e "$TMP/stop"	# traffic flows before the change
	"$@"
	wait "$loader"
	touch "$TMP/stop"
	wait "$prober"
	read -r GAP _ <"$TMP/gap"
	line=$(< "$TMP/load")
	LOST=$(field failed "$line")
	diag "$name: $GAP ms without an answer; of $(($(field ok "$line") + LOST)) requests on connections of their own $LOST were lost"
}
die() {	# MACHINE: all of the balancer's processes, the heir first
	local pid=LB_$1
	kill -KILL $(_children "loadbalancer: heir" "${!pid}") $(_children . "${!pid}") "${!pid}" 2>/dev/null
	rm -f /dev/shm/loadbalancer*."${!pid}"
}
off() {	# MACHINE: its cable is drawn, and nothing on it says goodbye
	ip -n "$NET-sw" link set "to-$1" down
	kill -KILL $(ip netns pids "$NET-$1") 2>/dev/null
	local pid=LB_$1
	rm -f /dev/shm/loadbalancer*."${!pid}"
}

change "the active balancer is killed" 5 die a
ok "the other machine has the address" eval 'holds b && ! holds a && serves'
between "$GAP" 1 5000 "clients were without an answer for the time of two checks"
between "$LOST" 0 1000 "only those of that time were lost"

ok "it comes back" balancer a
ok "its keepalived sees it" wait_for 6 eval 'tail -n 2 "$TMP/a.kalog" | grep -q "Entering BACKUP STATE"'
ok "and does not interrupt" eval 'holds b && ! holds a'

change "the active machine is off" 4 off b
ok "the first machine has the address again" eval 'holds a && serves'
between "$GAP" 1 3000 "three advertisements missed"
between "$LOST" 0 50 "few requests were lost"

ip -n "$NET-sw" link set to-b up
ok "the second comes back" eval 'balancer b && guard b'
change "keepalived is stopped in order" 3 kill -TERM "$(< "$TMP/a.pid")"
ok "the second has the address" eval 'holds b && serves'
between "$GAP" 1 1500 "at once"
between "$LOST" 0 50 "few requests were lost"
kill -TERM "$(< "$TMP/b.pid")"
finish
