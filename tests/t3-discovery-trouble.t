#!/bin/bash
# Discovery when the DNS is in trouble: silent, gone, without the name, lying. And the system's own files.
TEST_LIMIT=120
. "${0%/*}/lib.sh"
. "$TESTDIR/dns.sh"

host B 2 && host C 3 && host D 4
new_port PORT
names "127.0.1.2 app.test" "127.0.1.3 app.test"
ok "a name server" dns_start
start_conf <<EOC
workers 1
resolver 127.0.0.1:$DNS
pool app {
	check    http /healthcheck every 1s
	discover app app.test:$P places 4 every 200ms hold 2s
}
listen web {
	bind 127.0.0.1:$PORT
	to   app
}
EOC
before="app-1=127.0.1.2:$P app-2=127.0.1.3:$P"
is "$(serving)" "$before" "two servers"

# --- silence, trouble ---
kill -STOP "$DNS_PID"
ok "a silent name server is told of" wait_for 10 said "name app.test does not resolve: no answer from a name server in time; its last addresses stay"
ok "and changes nothing" is_serving "$before"
OUT=$("$LBCTL" -i "$LB_PID" --interval 0ms show)
like "$OUT" '! pool app: a name has not resolved since [0-9:]{8} .*; the last servers stay' "it is on the screen"
OUT=$("$LBCTL" -i "$LB_PID" metrics)
like "$OUT" 'loadbalancer_pool_unresolved_seconds\{pool="app"\} [0-9.]*[1-9]' "and among the metrics"
like "$OUT" $'loadbalancer_pool_places\\{pool="app"\\} 4\n' "with the places"
kill -CONT "$DNS_PID"
ok "it is heard again" wait_for 10 said "name app.test resolves again"
dns_stop
ok "a name server that is gone changes nothing either" wait_for 10 eval '[ $(grep -c "does not resolve: no answer" "$LB_LOG") = 2 ]'
ok "requests go on" is_serving "$before"
dns_start
ok "heard again" wait_for 10 eval '[ $(grep -c "resolves again" "$LB_LOG") = 2 ]'

# --- the name is gone: after a while its servers are, too ---
names "127.0.1.9 other.test"
ok "no such name" wait_for 10 said "name app.test does not resolve: there is no such name; its servers stay for a while"
ok "they stay for a while" answers 200
ok "then they go" wait_for 10 said "name app.test has been gone for [1-9].* s: its servers go, too"
ok "nobody is left, and the log says so" wait_for 10 said "pool app: no server is left"
ok "clients hear it" answers 503
names "127.0.1.4 app.test"
ok "until there is one again" wait_for 10 answers 200
stop_lb
is "$LB_STATUS" 0 "an orderly end"
dns_stop

# --- a name server that lies: only the answer to the question counts ---
cat >"$TMP/liar.pl" <<'EOP'
use strict; use Socket;
my ($port, $file) = @ARGV;
my ($s, $l);
socket($s, PF_INET, SOCK_DGRAM, 0) && bind($s, sockaddr_in($port, inet_aton("127.0.0.1"))) or die $!;
socket($l, PF_INET, SOCK_STREAM, 0) && setsockopt($l, SOL_SOCKET, SO_REUSEADDR, 1) && bind($l, sockaddr_in($port, inet_aton("127.0.0.1"))) && listen($l, 5) or die $!;
while (defined(my $from = recv($s, my $q, 2000, 0))) {
	my ($id) = unpack "n", $q;
	open my $f, "<", $file or die; chomp(my $mode = <$f>); close $f;
	my $question = substr($q, 12, index($q, "\0", 12) - 12 + 5);
	my $type = unpack "n", substr($question, -4, 2);
	my $answer = sub { my ($i, $ask, $address) = @_; pack("nnnnnn", $i, 0x8180, 1, 1, 0, 0) . $ask . pack("nnnNn", 0xc00c, 1, 1, 1, 4) . inet_aton($address) };
	if ($type != 1) { send $s, pack("nnnnnn", $id, 0x8180, 1, 0, 0, 0) . $question, 0, $from; next }
	(my $other = $question) =~ s/app/bad/;
	send $s, $_, 0, $from for "", "x" x 11, $answer->($id ^ 1, $question, "127.0.1.3"), $answer->($id, $other, "127.0.1.3"),
	    substr($q, 0, 12), pack("nnnnnn", $id, 0x0100, 1, 1, 0, 0) . $question;
	send $s, $answer->($id, $question, "127.0.1.4"), 0, $from if $mode eq "true";
	send $s, pack("nnnnnn", $id, 0x8180, 1, 1, 0, 0) . $question . "\xc0" . chr(12 + length $question), 0, $from if $mode eq "loop";
	send $s, pack("nnnnnn", $id, 0x8380, 1, 0, 0, 0) . $question, 0, $from if $mode eq "cut";
	send $s, pack("nnnnnn", $id, 0x8185, 1, 0, 0, 0) . $question, 0, $from if $mode eq "refuse";
}
EOP
liar() { echo "$1" >"$TMP/mode.new" && mv "$TMP/mode.new" "$TMP/mode"; }
liar true
new_port LIAR
perl "$TMP/liar.pl" "$LIAR" "$TMP/mode" 8>&- &
BACKEND_PIDS+=($!)
ok "a lying name server" wait_for 10 listening "$LIAR"
new_port PORT
start_conf <<EOC
workers 1
resolver 127.0.0.1:$LIAR
pool app {
	discover app app.test:$P every 200ms
}
listen web {
	bind 127.0.0.1:$PORT
	to   app
}
EOC
ok "forged answers are passed over" is_serving "app-1=127.0.1.4:$P"
for mode in loop cut refuse nothing; do
	n=$(grep -c 'does not resolve' "$LB_LOG")
	liar $mode
	ok "$mode: told" wait_for 10 eval '[ $(grep -c "does not resolve" "$LB_LOG") -gt '"$n"' ]'
	ok "$mode: changes nothing" is_serving "app-1=127.0.1.4:$P"
	liar true
	ok "$mode: over" wait_for 10 eval '[ "$(grep -c "does not resolve" "$LB_LOG")" = "$(grep -c "resolves again" "$LB_LOG")" ]'
done
ok "a refusal is told as one" said "the name server says: refused"
stop_lb

# --- the system's way: hosts, search domains, name servers of resolv.conf ---
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	names "127.0.1.4 deep.inner.test" "127.0.1.3 app.outer.test"
	DNS=53
	wait_for 1 true
	dnsmasq -k --conf-file=/dev/null --port=53 --listen-address=127.71.7.53 --bind-interfaces --no-resolv --no-hosts \
	    --local=/test/ --addn-hosts="$TMP/names" --local-ttl=1 --user=root --pid-file= 2>>"$TMP/dns.log" 8>&- &
	BACKEND_PIDS+=($!)
	echo "127.0.1.2 filed.test filed" >"$TMP/hosts"
	printf 'nameserver 127.71.7.53\nsearch none.test outer.test inner.test\noptions ndots:2 timeout:1\n' >"$TMP/resolv.conf"
	cat >"$TMP/wrapped" <<-EOC
		#!/bin/sh
		exec unshare -m sh -c 'mount --bind $TMP/hosts /etc/hosts && mount --bind $TMP/resolv.conf /etc/resolv.conf && exec "$LB" "\$@"' sh "\$@"
	EOC
	chmod 755 "$TMP/wrapped"
	REAL=$LB LB=$TMP/wrapped
	new_port PORT
	start_conf <<-EOC
		pool a {
			discover f filed:$P places 2
		}
		pool b {
			discover s app:$P places 2
		}
		pool c {
			server one deep.inner.test.:$P
		}
		pool d {
			server two deep:$P
		}
		listen web {
			bind 127.0.0.1:$PORT
			route path /b to b
			route path /c to c
			route path /d to d
			to   a
		}
	EOC
	LB=$REAL
	for pair in "/a B" "/b C" "/c D" "/d D"; do
		ok "the system's way: $pair" wait_for 10 eval 'req '"${pair% *}"'; [ "$BODY" = "'"${pair#* } GET ${pair% *}"'" ]'
	done
	stop_lb
else
	diag "no mount namespace of our own: the system's files are left to the unit test"
fi
finish
