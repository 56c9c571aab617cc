#!/bin/bash
# OpenRC's script under OpenRC itself, on a copy of this machine that vanishes. Part of `make check-package`.
[ -n "$SANDBOX" ] || SANDBOX=1 exec "${0%/*}/house/sandbox.sh" "$0"
[ -d /run/sandbox/upper ] || { echo "Bail out! this is no copy, but the machine itself"; exit 2; }
TEST_LIMIT=120
. "${0%/*}/lib.sh"
cd "${0%/*}/.." || exit 2
LB=$(realpath "$LB")
install_lb() { make -s --no-print-directory BUILD="${LB%/*}" -o "$LB" -o "${LB%/*}/lbctl" install PREFIX=/usr INIT=openrc >"$TMP/make" 2>&1; }
ok "make install INIT=openrc" install_lb || complain "$(< "$TMP/make")"
mkdir -p /run/openrc/{daemons,exclusive,failed,hotplugged,inactive,options,scheduled,started,starting,stopping,tmp,wasinactive} /etc/loadbalancer
touch /run/openrc/softlevel	# as a machine that OpenRC has started

start_backend B1
new_port PORT
CONF=/etc/loadbalancer/loadbalancer.conf
printf '%s\n' "workers 1" "control /run/loadbalancer.sock" "log $TMP/lb.log" "pool app {" "    server s 127.0.0.1:$B1" "}" "listen web {" \
    "    bind 127.0.0.1:$PORT" "    to app" "}" >$CONF
cp $CONF "$TMP/good"
svc() { OUT=$(timeout 60 rc-service -D loadbalancer "$@" 2>&1 8>&-); STATUS=$?; }
pid() { cat /run/loadbalancer.pid 2>/dev/null; }
LB_LOGS+=("$TMP/lb.log")

svc describe
like "$OUT" 'TCP and HTTP load balancer.*configtest.*reload.*upgrade' "describe"
svc status
is "$STATUS" 3 "status: stopped" || complain "$OUT"
svc start
LB_PID=$(pid)
is "$STATUS" 0 "start" || complain "$OUT"
req /
is "$CODE" 200 "it serves when start returns"
svc status
like "$STATUS|$OUT" '^0\|.*started' "status: started"
svc configtest
like "$STATUS|$OUT" '^0\|.*is good' "configtest"
svc reload
is "$STATUS $(pid)" "0 $LB_PID" "reload" || complain "$OUT"
like "$OUT" 'generation 2 serves' "with the verdict"

# --- killed: the heir is the one that the script knows then ---
wait_for 5 eval '[ -n "$(_children "loadbalancer: heir")" ]'
kill -KILL "$LB_PID"
other() { [ -n "$(pid)" ] && [ "$(pid)" != "$LB_PID" ]; }
ok "killed: the heir takes over" wait_for 5 other
LB_PID=$(pid)
ok "and serves" wait_for 5 grep -qs "generation 3 serves" "$TMP/lb.log"
svc status
like "$STATUS|$OUT" '^0\|.*started' "status: started"

# --- another program in its place ---
cp /usr/sbin/loadbalancer /usr/sbin/loadbalancer.new && mv /usr/sbin/loadbalancer.new /usr/sbin/loadbalancer
svc upgrade
is "$STATUS $(pid)" "0 $LB_PID" "upgrade: the same process" || complain "$OUT"
is "$(readlink "/proc/$LB_PID/exe")" "/usr/sbin/loadbalancer" "another program"

# --- a bad file ends nothing ---
echo bogus >>$CONF
for verb in configtest reload; do
	svc $verb
	like "$STATUS|$OUT" '^[^0].*unknown directive "bogus"' "$verb with a bad file: refused, with the reason"
done
svc restart	# OpenRC itself answers 0, since the service is started
like "$OUT" 'unknown directive "bogus"' "restart with a bad file: refused, with the reason"
is "$(pid)" "$LB_PID" "the same process"
req /
is "$CODE" 200 "serves"
cp "$TMP/good" $CONF

# --- replaced, and not told yet: restart and stop know it all the same ---
cp /usr/sbin/loadbalancer /usr/sbin/loadbalancer.new && mv /usr/sbin/loadbalancer.new /usr/sbin/loadbalancer
svc restart
ok "restart" wait_for 5 other
is "$STATUS" 0 "with status 0" || complain "$OUT"
LB_PID=$(pid)
req /
is "$CODE" 200 "it serves"
# Without the control socket a signal does it.
sed -i /^control/d $CONF
svc restart
LB_PID=$(pid)
svc reload
is "$STATUS" 0 "reload by signal" || complain "$OUT"
ok "it does" wait_for 5 eval '[ "$(grep -c "generation 2 serves" "$TMP/lb.log")" = 2 ]'
svc stop
is "$STATUS$(pid)" 0 "stop" || complain "$OUT"
ok "it has ended" _gone "$LB_PID"
echo bogus >>$CONF
svc start
like "$STATUS|$OUT" '^1\|.*unknown directive' "start with a bad file"
is "$(pid)" "" "nothing runs"
finish
