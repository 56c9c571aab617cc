#!/bin/bash
# Servers that are discovered: a real name server (dnsmasq) whose answers change under load; SRV records; more
# answers than fit a datagram. What happens when the DNS is in trouble: t3-discovery-trouble.t.
TEST_LIMIT=120
. "${0%/*}/lib.sh"
. "$TESTDIR/dns.sh"

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
SLOW=()
for i in 1 2 3 4 5 6; do
	curl -s --max-time 10 -o "$TMP/slow.$i" -w '%{http_code}\n' "http://127.0.0.1:$PORT/delay/5000" >"$TMP/slow.code.$i" &
	SLOW+=($!)
done
at_work() { [ "$("$LBCTL" -i "$LB_PID" --interval 0ms --json show | perl -MJSON::PP -e 'my @n = map { $_->{in_flight} } @{decode_json(join "", <STDIN>)->{servers}}; print $n[0] + $n[1], @n == 2 && $n[0] && $n[1] ? " both" : ""')" = "$1" ]; }
ok "both have something in hand" wait_for 10 at_work "6 both"
load -d 4 -c 8 --strict >"$TMP/kept" 2>&1 &
LOAD1=$!
load -d 4 -c 4 --close --strict >"$TMP/once" 2>&1 &
LOAD2=$!
names "127.0.1.2 app.test" "127.0.1.3 app.test" "127.0.1.4 app.test"
ok "who is new gets a place" wait_for 10 said "server app/app-[34] is 127.0.1.3:$P, found by app.test"
ok "who is gone leaves his" wait_for 10 said "server app/app-1, 127.0.1.1:$P, is not behind app.test any more"
OUT=$("$LBCTL" -i "$LB_PID" --interval 0ms show)
like "$OUT" 'app-1  *leaving ' "it is on its way out, as long as it has something in hand"
ok "and gets nothing more" wait_for 10 eval 'n=$(curl -s 127.0.1.1:'"$P"'/count); sleep 0.3; [ "$n" = "$(($(curl -s 127.0.1.1:'"$P"'/count) - 1))" ]'
wait "${SLOW[@]}"
is "$(sort "$TMP"/slow.code.* | uniq -c | tr -s ' ')" " 6 200" "what was in flight ends in peace"
like "$(cat "$TMP"/slow.[1-6])" "A GET /delay" "there, too"
kill_backend A
names "127.0.1.3 app.test"
ok "another one goes" wait_for 10 said "server app/app-2, 127.0.1.2:$P, is not behind"
names "127.0.1.3 app.test" "127.0.1.2 app.test"
ok "and comes back, in whichever place" wait_for 10 eval 'grep -q "is 127.0.1.2:'"$P"', found" <(tail -n +8 "$LB_LOG")'
wait "$LOAD1" "$LOAD2"
is "$(field failed "$(< "$TMP/kept")") $(field failed "$(< "$TMP/once")")" "0 0" "no request is lost, on kept connections nor on their own"
between "$(field ok "$(< "$TMP/kept")")" 100 10000000 "of many"
diag "kept: $(< "$TMP/kept")"
diag "once: $(< "$TMP/once")"

# --- what an operator sees ---
OUT=$("$LBCTL" -i "$LB_PID" --interval 0ms show)
like "$OUT" '2 of 2 servers up' "empty places are no servers"
like "$OUT" 'pool app: .*; 2 of 2 up, 2 of 4 places empty' "and are counted"
like "$OUT" "app-[0-9] .* ok .*; 127.0.1.3:$P" "who holds a place is told by his address"
is "$(grep -c '^!' <<<"$OUT")" 0 "nothing is wrong"

# --- a reload changes nothing ---
before=$(serving) lines=$(wc -l <"$LB_LOG")
kill -HUP "$LB_PID"
ok "reload" wait_for 10 said "generation 2 serves"
ok "the places are kept" wait_for 10 is_serving "$before"
is "$(tail -n +$((lines + 1)) "$LB_LOG" | grep -c 'found by\|not behind')" 0 "nobody moved"

# --- a health process that is killed finds them again ---
lines=$(wc -l <"$LB_LOG")
kill -KILL "$(health_pid)"
ok "health comes back" wait_for 10 eval '[ -n "$(health_pid)" ]'
ok "the places are kept" wait_for 10 is_serving "$before"
is "$(tail -n +$((lines + 1)) "$LB_LOG" | grep -c 'found by\|not behind')" 0 "nobody moved"
stop_lb
is "$LB_STATUS" 0 "an orderly end"

# --- SRV: ports, weights, priorities; more than a datagram holds ---
dns_stop
many=() services=()
for ((i = 1; i <= 100; i++)); do many+=("127.0.2.$i many.test"); done
start_backend S1
start_backend S2
start_backend S3
names "${many[@]}" "127.0.0.1 one.test" "127.0.0.1 two.test" "127.0.1.4 www.other.test" "127.0.1.4 six.test" "::1 six.test"
for ((i = 1; i <= 100; i++)); do start_port=$((20000 + i)); services+=("--srv-host=_x._tcp.test,one.test,$start_port,1,1"); done
dns_start "${services[@]}" --srv-host="_http._tcp.app.test,one.test,$S1,10,60" --srv-host="_http._tcp.app.test,two.test,$S2,10,20" \
    --srv-host="_http._tcp.app.test,two.test,$S3,20,7" --cname=alias.test,www.other.test \
    --host-record=long.test,127.0.1.4,600 --log-queries --log-facility=-
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
pool six {
	check    none
	discover s six.test:$P family ipv6
}
pool both {
	check    none
	discover b six.test:$P family both
}
pool any {
	check    none
	discover y six.test:$P
}
pool long {
	check    none
	discover l long.test:$P
}
pool often {
	check    none
	discover o long.test:$P every 300ms family ipv4
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
	route path /six to six
	route path /both to both
	route path /any to any
	route path /long to long
	route path /often to often
	to   app
}
EOC
rows() { "$LBCTL" -i "$LB_PID" --interval 0ms --json show | perl -MJSON::PP -e 'my $j = decode_json(join "", <STDIN>);
	print join " ", map { "$_->{address}/$_->{weight}" . ($_->{backup} ? "b" : "") } grep { $_->{pool} eq $ARGV[0] && $_->{state} ne "empty" } @{$j->{servers}}' "$1"; }
sorted_rows() { [ "$(rows app | tr ' ' '\n' | sort | tr '\n' ' ')" = "$(printf '%s\n' "$@" | sort | tr '\n' ' ')" ]; }
ok "ports, weights and priorities of SRV records" wait_for 10 sorted_rows "127.0.0.1:$S1/60" "127.0.0.1:$S2/20" "127.0.0.1:$S3/7b"
line=$(load -n 400 -c 1 --strict)
like "$line" '"S1":[0-9]+' "the first gets requests"
between "$(field S1 "$line")" 250 350 "three in four"
is "$(field S3 "$line")" 0 "a later priority gets none"
kill_backend S1; kill_backend S2
ok "until the first are down" wait_for 10 eval 'answers 200; [[ $BODY == S3* ]]'
ok "a hundred addresses came, by TCP; 99 have a place" wait_for 10 said "name many.test has 100 addresses, and many/many has 99 places: 1 servers are not used"
is "$(rows many | wc -w)" 99 "99 servers"
is "$(rows services | wc -w)" 100 "a hundred services"
ok "IPv6 where that is wanted" wait_for 10 eval '[ "$(rows six)" = "[::1]:$P/1" ]'
is "$(rows both | tr ' ' '\n' | sort | tr '\n' ' ')" "127.0.1.4:$P/1 [::1]:$P/1 " "both, where those are"
is "$(rows any)" "127.0.1.4:$P/1" "else IPv4, where there is any"
ok "an alias is followed" eval '[ "$(rows alias | cut -d" " -f1)" = "127.0.1.4:$P/1" ]'
req /alias
is "$CODE $BODY" "200 D GET /alias" "and serves"
asked() { grep -c "query\\[$1\\] $2 " "$TMP/dns.log"; }
ok "an answer that may be kept for a second is asked for again each second" wait_for 10 eval '[ "$(asked A six.test)" -ge 4 ]'
is "$(asked AAAA long.test)" 1 "one that may be kept for ten minutes is not"
ok "unless that is wanted" eval '[ "$(asked A long.test)" -ge 5 ]'
kill -HUP "$LB_PID"
ok "reload" wait_for 10 said "generation 2 serves"
ok "what SRV records say outlives a reload" sorted_rows "127.0.0.1:$S1/60" "127.0.0.1:$S2/20" "127.0.0.1:$S3/7b"
stop_lb
dns_stop
finish
