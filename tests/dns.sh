# shellcheck shell=bash
# A name server for tests of discovery: dnsmasq on a port of its own, on loopback. Sourced behind lib.sh.
#
#	dns_start [OPTION...]	knows *.test alone: the addresses of names(), and what the options say
#	dns_stop		gone, without a word
#	names LINE...		like a hosts file; in its place at once, kept for a second by who asks

new_port DNS
DNS_PID=
dns_start() {	# OPTION...
	dnsmasq -k --conf-file=/dev/null --port="$DNS" --listen-address=127.0.0.1 --bind-interfaces --no-resolv --no-hosts \
	    --local=/test/ --addn-hosts="$TMP/names" --local-ttl=1 --user="$(id -un)" --pid-file= "$@" 2>>"$TMP/dns.log" 8>&- &
	DNS_PID=$!
	disown $!
	BACKEND_PIDS+=("$DNS_PID")
	wait_for 5 listening "$DNS"
}
dns_stop() { kill -KILL "$DNS_PID" 2>/dev/null; wait_for 5 _gone "$DNS_PID"; DNS_PID=; }
names() { printf '%s\n' "$@" >"$TMP/names"; [ -z "$DNS_PID" ] || kill -HUP "$DNS_PID"; }

# Servers that differ in their address: 127.0.1.N, one port.
new_port P
host() { start_backend "$1" --host "127.0.1.$2" --port "$P"; }

said() { grep -Eq "$1" "$LB_LOG"; }
answers() { req "/x" && [ "$CODE" = "$1" ]; }
# Which servers are up, name and address, after 12 requests on connections of their own.
serving() { load -n 12 -c 1 --close >/dev/null; "$LBCTL" -i "$LB_PID" --interval 0ms --json show | perl -MJSON::PP -e '
	my $j = decode_json(join "", <STDIN>); print join " ", map { "$_->{name}=$_->{address}" } grep { $_->{state} eq "up" } @{$j->{servers}};'; }
is_serving() { [ "$(serving)" = "$1" ]; }
LBCTL=$(realpath "${LBCTL:-build/default/lbctl}")
