#!/bin/bash
# Servers that are discovered: a real name server (dnsmasq) whose answers change under load, falls silent, loses its
# names, has more than fits a datagram; one that lies; and the system's own files.
TEST_LIMIT=120
. "${0%/*}/lib.sh"
LBCTL=$(realpath "${LBCTL:-build/default/lbctl}")

said() { grep -Eq "$1" "$LB_LOG"; }
answers() { req "/x" && [ "$CODE" = "$1" ]; }
# Which servers answer, by name: from 12 requests, each on a connection of its own.
serving() { load -n 12 -c 1 --close >/dev/null; "$LBCTL" -i "$LB_PID" --interval 0ms --json show | perl -MJSON::PP -e '
	my $j = decode_json(join "", <STDIN>); print join " ", map { "$_->{name}=$_->{address}" } grep { $_->{state} eq "up" } @{$j->{servers}};'; }
is_serving() { [ "$(serving)" = "$1" ]; }

# --- the name server: addresses from a file that is read again on SIGHUP, the rest by options ---
new_port DNS
DNS_PID=
dns_start() {	# OPTION...
	dnsmasq -k --conf-file=/dev/null --port="$DNS" --listen-address=127.0.0.1 --bind-interfaces --no-resolv --no-hosts \
	    --local=/test/ --addn-hosts="$TMP/names" --local-ttl=1 --user="$(id -un)" --pid-file= "$@" 2>>"$TMP/dns.log" 8>&- &
	DNS_PID=$!
	BACKEND_PIDS+=("$DNS_PID")
	wait_for 5 listening "$DNS"
}
dns_stop() { kill -KILL "$DNS_PID" 2>/dev/null; wait_for 5 _gone "$DNS_PID"; }
names() { printf '%s\n' "$@" >"$TMP/names"; [ -z "$DNS_PID" ] || kill -HUP "$DNS_PID"; }

# Servers that differ in their address: 127.0.1.N, one port.
new_port P
host() { start_backend "$1" --host "127.0.1.$2" --port "$P"; }
host A 1 && host B 2 && host C 3 && host D 4

new_port PORT
names "127.0.1.1 app.test" "127.0.1.2 app.test"
ok "a name server" dns_start
start_conf <<EOC
workers 2
resolver 127.0.0.1:$DNS
grace-timeout 3s
pool app {
	check    http /healthcheck every 1s
	discover app app.test:$P places 4 hold 1s
}
listen web {
	bind 127.0.0.1:$PORT
	to   app
}
EOC
is "$(serving)" "app-1=127.0.1.1:$P app-2=127.0.1.2:$P" "two addresses of a name are two servers, there from the start"
ok "as the log says" said "server app/app-2 is 127.0.1.2:$P, found by app.test"

# --- they come and go ---
load -d 4 -c 8 --strict >"$TMP/kept" 2>&1 &
LOAD1=$!
load -d 4 -c 4 --close --strict >"$TMP/once" 2>&1 &
LOAD2=$!
curl -s --max-time 10 -o "$TMP/long" "http://127.0.1.1:$P/count"
curl -s --max-time 10 -o "$TMP/slow" -w '%{http_code}' "http://127.0.0.1:$PORT/delay/2500?header=X-From:A" >"$TMP/slow.code" &
SLOW=$!
names "127.0.1.2 app.test" "127.0.1.3 app.test" "127.0.1.4 app.test"
ok "who is new gets a place" wait_for 4 said "server app/app-[34] is 127.0.1.3:$P, found by app.test"
ok "who is gone leaves his" wait_for 2 said "server app/app-1, 127.0.1.1:$P, is not behind app.test any more"
ok "and gets nothing more" wait_for 2 eval 'n=$(curl -s 127.0.1.1:'"$P"'/count); sleep 0.3; [ "$n" = "$(($(curl -s 127.0.1.1:'"$P"'/count) - 1))" ]'
kill_backend A
names "127.0.1.3 app.test"
ok "another one goes" wait_for 4 said "server app/app-2, 127.0.1.2:$P, is not behind"
names "127.0.1.3 app.test" "127.0.1.2 app.test"
ok "and comes back, in whichever place" wait_for 4 eval 'grep -q "is 127.0.1.2:'"$P"', found" <(tail -n +8 "$LB_LOG")'
wait "$LOAD1" "$LOAD2" "$SLOW"
is "$(field failed "$(< "$TMP/kept")") $(field failed "$(< "$TMP/once")")" "0 0" "no request is lost, on kept connections nor on their own"
between "$(field ok "$(< "$TMP/kept")")" 100 10000000 "of many"
diag "kept: $(< "$TMP/kept")"
diag "once: $(< "$TMP/once")"

# --- what an operator sees ---
OUT=$("$LBCTL" -i "$LB_PID" --interval 0ms show)
like "$OUT" '2 of 2 servers up' "empty places are no servers"
like "$OUT" 'pool app: .*; 2 of 2 up, 2 places empty' "and are counted"
is "$(grep -c '^!' <<<"$OUT")" 0 "nothing is wrong"

# --- a reload changes nothing ---
before=$(serving) lines=$(wc -l <"$LB_LOG")
kill -HUP "$LB_PID"
ok "reload" wait_for 10 said "generation 2 serves"
ok "the places are kept" wait_for 3 is_serving "$before"
is "$(tail -n +$((lines + 1)) "$LB_LOG" | grep -c 'found by\|not behind')" 0 "nobody moved"

# --- a health process that is killed finds them again ---
lines=$(wc -l <"$LB_LOG")
kill -KILL "$(health_pid)"
ok "health comes back" wait_for 5 eval '[ -n "$(health_pid)" ]'
ok "the places are kept" wait_for 3 is_serving "$before"
is "$(tail -n +$((lines + 1)) "$LB_LOG" | grep -c 'found by\|not behind')" 0 "nobody moved"

# --- silence, trouble ---
kill -STOP "$DNS_PID"
ok "a silent name server is told of" wait_for 8 said "name app.test does not resolve: no answer from a name server in time; its last addresses stay"
ok "and changes nothing" is_serving "$before"
OUT=$("$LBCTL" -i "$LB_PID" --interval 0ms show)
like "$OUT" '! pool app: a name has not resolved since [0-9:]{8} .*; the last servers stay' "it is on the screen"
kill -CONT "$DNS_PID"
ok "it is heard again" wait_for 8 said "name app.test resolves again"
dns_stop
ok "a name server that is gone changes nothing either" wait_for 3 eval '[ $(grep -c "does not resolve: no answer" "$LB_LOG") = 2 ]'
ok "requests go on" is_serving "$before"
dns_start
ok "heard again" wait_for 8 eval '[ $(grep -c "resolves again" "$LB_LOG") = 2 ]'

# --- the name is gone: after a while its servers are, too ---
names "127.0.1.9 other.test"
ok "no such name" wait_for 8 said "name app.test does not resolve: there is no such name; its servers stay for a while"
ok "they stay for a while" answers 200
ok "then they go" wait_for 8 said "name app.test has been gone for [1-9].* s: its servers go, too"
ok "nobody is left, and the log says so" wait_for 3 said "pool app: no server is left"
ok "clients hear it" answers 503
names "127.0.1.4 app.test"
ok "until there is one again" wait_for 8 answers 200
stop_lb
is "$LB_STATUS" 0 "an orderly end"

# --- SRV: ports, weights, priorities; more than a datagram holds ---
dns_stop
many=() services=()
for ((i = 1; i <= 100; i++)); do many+=("127.0.2.$i many.test"); done
start_backend S1
start_backend S2
start_backend S3
names "${many[@]}" "127.0.0.1 one.test" "127.0.0.1 two.test" "127.0.1.4 www.other.test"
for ((i = 1; i <= 100; i++)); do start_port=$((20000 + i)); services+=("--srv-host=_x._tcp.test,one.test,$start_port,1,1"); done
dns_start "${services[@]}" --srv-host="_http._tcp.app.test,one.test,$S1,10,60" --srv-host="_http._tcp.app.test,two.test,$S2,10,20" \
    --srv-host="_http._tcp.app.test,two.test,$S3,20,7" --cname=alias.test,www.other.test
new_port PORT
start_conf <<EOC
workers 1
resolver 127.0.0.1:$DNS
pool app {
	balance  random
	check    tcp every 1s
	discover web srv _http._tcp.app.test places 4 weight 9
}
pool many {
	check    none
	discover many many.test:$P places 99
}
pool services {
	check    none
	discover x srv _x._tcp.test places 100
}
pool alias {
	discover a alias.test:$P places 2
	discover b nothing.test:$P places 2
	server   c 127.0.0.1:$S1 backup
}
listen web {
	bind 127.0.0.1:$PORT
	route path /many to many
	route path /services to services
	route path /alias to alias
	to   app
}
EOC
rows() { "$LBCTL" -i "$LB_PID" --interval 0ms --json show | perl -MJSON::PP -e 'my $j = decode_json(join "", <STDIN>);
	print join " ", map { "$_->{address}/$_->{weight}" . ($_->{backup} ? "b" : "") } grep { $_->{pool} eq $ARGV[0] && $_->{state} ne "empty" } @{$j->{servers}}' "$1"; }
sorted_rows() { [ "$(rows app | tr ' ' '\n' | sort | tr '\n' ' ')" = "$(printf '%s\n' "$@" | sort | tr '\n' ' ')" ]; }
ok "ports, weights and priorities of SRV records" wait_for 5 sorted_rows "127.0.0.1:$S1/60" "127.0.0.1:$S2/20" "127.0.0.1:$S3/7b"
line=$(load -n 400 -c 1 --strict)
like "$line" '"S1":[0-9]+' "the first gets requests"
between "$(field S1 "$line")" 250 350 "three in four"
is "$(field S3 "$line")" 0 "a later priority gets none"
kill_backend S1; kill_backend S2
ok "until the first are down" wait_for 5 eval 'answers 200; [[ $BODY == S3* ]]'
ok "a hundred addresses came, by TCP; 99 have a place" wait_for 5 said "name many.test has 100 addresses, and many/many has 99 places: 1 servers are not used"
is "$(rows many | wc -w)" 99 "99 servers"
is "$(rows services | wc -w)" 100 "a hundred services"
ok "an alias is followed" eval '[ "$(rows alias | cut -d" " -f1)" = "127.0.1.4:$P/1" ]'
req /alias
is "$CODE $BODY" "200 D GET /alias" "and serves"
kill -HUP "$LB_PID"
ok "reload" wait_for 10 said "generation 2 serves"
ok "what SRV records say outlives a reload" sorted_rows "127.0.0.1:$S1/60" "127.0.0.1:$S2/20" "127.0.0.1:$S3/7b"
stop_lb
dns_stop

# --- a name server that lies: only the answer to the question counts ---
cat >"$TMP/liar.pl" <<'EOP'
use strict; use Socket;
my ($port, $file) = @ARGV;
socket(my $s, PF_INET, SOCK_DGRAM, 0) && bind($s, sockaddr_in($port, inet_aton("127.0.0.1"))) or die $!;
socket(my $l, PF_INET, SOCK_STREAM, 0) && setsockopt($l, SOL_SOCKET, SO_REUSEADDR, 1) && bind($l, sockaddr_in($port, inet_aton("127.0.0.1"))) && listen($l, 5) or die $!;
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
ok "a lying name server" wait_for 5 listening "$LIAR"
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
	liar $mode
	n=$(grep -c 'does not resolve' "$LB_LOG")
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
		ok "the system's way: $pair" wait_for 8 eval 'req '"${pair% *}"'; [ "$BODY" = "'"${pair#* } GET ${pair% *}"'" ]'
	done
	stop_lb
else
	diag "no mount namespace of our own: the system's files are left to the unit test"
fi
finish
