#!/bin/bash
# The package under this machine's own systemd, started on a copy of the machine that vanishes: who is killed and who
# goes on, reloads, upgrades, the watchdog. Part of `make check-package`, which builds the package before.
[ -n "$SANDBOX" ] || SANDBOX=1 exec "${0%/*}/house/sandbox.sh" --systemd "$0"
[ -d /run/sandbox/upper ] || { echo "Bail out! this is no copy, but the machine itself"; exit 2; }
TEST_LIMIT=240
. "${0%/*}/lib.sh"
cd "${0%/*}/.." || exit 2
VERSION=$(sed -n '1s/^[^ ]* (\([^)]*\)).*/\1/p' init/debian/changelog)
DEB=$(ls build/deb/loadbalancer_"$VERSION"_*.deb 2>/dev/null)
ok "there is a package: $DEB" [ -s "$DEB" ] || finish
SYSTEMD=$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
diag "systemd $SYSTEMD"
CONF=/etc/loadbalancer/loadbalancer.conf

unit() { systemctl show -P "$1" loadbalancer; }
main() { unit MainPID; }
state() { echo "$(unit ActiveState) $(unit SubState) $(unit NRestarts)"; }
in_state() { [ "$(state)" = "$1" ]; }
svc() { OUT=$(timeout 60 systemctl "$1" loadbalancer 2>&1 8>&-); STATUS=$?; }
dpkg_() { timeout 100 dpkg "$@" >"$TMP/dpkg" 2>&1 8>&-; }
journal() { journalctl -u loadbalancer -o short-monotonic --no-hostname --no-pager; }

# --- installed: enabled and started ---
rm -f /usr/sbin/policy-rc.d
ok "dpkg -i" dpkg_ -i "$DEB" || complain "$(< "$TMP/dpkg")"
is "$(state) $(unit UnitFileState)" "active running 0 enabled" "it runs, and will with the machine"
like "$(unit StatusText)" '^generation 1 serves' "and says so itself"
PORT=8888
req /
is "$CODE" 503 "it answers"
[ "$SYSTEMD" -ge 253 ] && want=notify-reload || want=notify
is "$(unit Type)" $want "Type=$want with systemd $SYSTEMD"
systemd-analyze verify loadbalancer.service >"$TMP/verify" 2>&1
is "$(grep -v 'Failed to parse service type, ignoring: notify-reload' "$TMP/verify")" "" "systemd-analyze verify finds nothing else"
exposure=$(systemd-analyze security --no-pager loadbalancer.service | sed -n 's/.*exposure level.*: \([0-9.]*\) .*/\1/p')
diag "systemd-analyze security: $exposure"
between "${exposure/./}" 1 35 "systemd-analyze security: $exposure of 10"
is "$(main)" "$(cat /run/loadbalancer.pid)" "the pid file says the same"
OUT=$(timeout 20 /etc/init.d/loadbalancer status 2>&1 8>&-)
like "$OUT" 'Active: active \(running\)' "the init script leads to systemd"

# --- a real configuration ---
start_backend B1
start_backend B2
new_port PORT
cat >$CONF <<X
user    loadbalancer
workers 2
hang-timeout 1s
control /run/loadbalancer.sock
pool app {
	check  load /healthcheck every 1s
	server b1 127.0.0.1:$B1
	server b2 127.0.0.1:$B2
}
listen web {
	bind 127.0.0.1:$PORT
	to   app
}
X
cp $CONF "$TMP/good"
svc reload
is "$STATUS" 0 "reload" || complain "$OUT"
ok "is done" wait_for 5 eval '[[ "$(unit StatusText)" == "generation 2 serves"* ]]'

# --- killed, upgraded, reloaded, under load ---
FIRST=$(main)
# For as long as it takes, in runs of two seconds.
hammer() { while [ -e "$TMP/hammer" ]; do load -d 2 --strict "${@:2}" >>"$1" 2>&1 || echo failed >>"$1"; done; }
touch "$TMP/hammer"
hammer "$TMP/kept" -c 8 --mix &
KEPT=$!
hammer "$TMP/once" -c 4 --close &
ONCE=$!
heir() { _children 'loadbalancer: heir' "$(main)"; }
has_heir() { [ -n "$(heir)" ]; }
for n in 1 2 3; do
	wait_for 5 has_heir
	old=$(main) new=$(heir)
	kill -KILL "$old"
	ok "killed, the $n. time: its heir is the main process" wait_for 5 eval '[ "$(main)" = "$new" ]'
	ok "and serves" wait_for 5 eval "[[ \"\$(unit StatusText)\" == 'generation $((n + 2)) serves'* ]]"
done
is "$(state)" "active running 0" "the service was not restarted" || complain "$(journal | tail -n 20)"
LB_PID=$(main)
ok "dpkg -i: an upgrade" dpkg_ -i "$DEB" || complain "$(< "$TMP/dpkg")"
ok "in place" [ "/proc/$LB_PID/exe" -ef /usr/sbin/loadbalancer ]
is "$(main) $(state)" "$LB_PID active running 0" "the same process"
svc reload
is "$STATUS $(main)" "0 $LB_PID" "reload"
rm "$TMP/hammer"
wait $KEPT $ONCE
for how in kept once; do
	is "$(grep -vc '"failed":0,"closed":0,' "$TMP/$how")" 0 "no request lost: $how" || complain "$(< "$TMP/$how")"
	n=$(sed 's/.*"ok":\([0-9]*\).*/\1/' "$TMP/$how" | awk '{ n += $1 } END { print n + 0 }')
	diag "$how: $n requests"
	ok "many" [ "$n" -gt 1000 ]
done

# --- a bad file ---
echo bogus >>$CONF
svc reload
is "$STATUS" 1 "reload with a bad file fails"
like "$(journal | tail -n 20)" 'unknown directive "bogus"' "and the journal has the reason"
is "$(main) $(state)" "$LB_PID active running 0" "nothing has happened"
req /
is "$CODE" 200 "it serves"
cp "$TMP/good" $CONF

# --- a worker that hangs: the sandbox lets the supervisor see what it does ---
kill -STOP "$(workers "$(main)" | head -n 1)"
asked() { curl -s -m 1 -o /dev/null "http://127.0.0.1:$PORT/"; journal | grep -q 'hanging for .* it was stopped by a signal'; }
ok "a worker that hangs is found and the journal says what it did" wait_for 15 asked
two() { [ "$(workers "$(main)" | wc -l)" = 2 ]; }
ok "and it is replaced" wait_for 10 two
is "$(main) $(state)" "$LB_PID active running 0" "by the same supervisor"

# --- the watchdog ends what hangs; so it does with what an heir has become. And when all are killed it starts anew. ---
mkdir -p /run/systemd/system/loadbalancer.service.d
printf '[Service]\nWatchdogSec=1s\nTimeoutAbortSec=1s\nRestartSec=100ms\n' >/run/systemd/system/loadbalancer.service.d/test.conf
systemctl daemon-reload
svc restart
wait_for 5 has_heir
new=$(heir)
kill -KILL "$(main)"
ok "killed" wait_for 5 eval '[ "$(main)" = "$new" ]'
sleep 2.5 # time itself is tested: twice the watchdog's patience
is "$(main) $(state)" "$new active running 0" "what the heir has become gives signs of life"
wait_for 5 has_heir
kill -STOP "$(main)"
ok "a supervisor that hangs is found and the service started anew" wait_for 15 in_state "active running 1"
wait_for 5 has_heir
kill -KILL "$(main)" "$(heir)"
ok "so it is when the heir was killed too" wait_for 15 in_state "active running 2"
wait_for 5 req / && is "$CODE" 200 "it serves"
is "$(find /dev/shm -name 'loadbalancer.*' | wc -l)" 1 "what was left in shared memory is gone"

# --- an end in order is final ---
wait_for 5 has_heir
kill -TERM "$(main)"
ok "TERM by hand: it stays down" wait_for 5 eval '[[ "$(state)" == "inactive dead"* ]]'
svc start
is "$STATUS $(state)" "0 active running 0" "start"
svc stop
is "$STATUS $(state)" "0 inactive dead 0" "stop"
is "$(find /dev/shm /run -maxdepth 1 -name '*loadbalancer*')" "" "nothing is left"

# --- socket activation, by the example: started by the first client; nobody is refused while it is restarted ---
sed "s/^ListenStream=.*:80/ListenStream=127.0.0.1:$PORT/; /^ListenStream=.*8888/d" /usr/share/doc/loadbalancer/examples/loadbalancer.socket \
    >/run/systemd/system/loadbalancer.socket
systemctl daemon-reload
systemctl start loadbalancer.socket
is "$(state)" "inactive dead 0" "systemd listens alone"
req /
is "$CODE $(state)" "200 active running 0" "the first client starts the service, and is served"
hold() { while [ -e "$TMP/hammer" ]; do load -n 1 --close --timeout 15000 >>"$TMP/activated" 2>&1; done; }
touch "$TMP/hammer"
: >"$TMP/activated"
hold &
HOLD=$!
wait_for 10 eval '[ "$(grep -c . "$TMP/activated")" -ge 20 ]'
svc restart
is "$STATUS" 0 "restart" || complain "$OUT"
old=$(grep -c . "$TMP/activated")
wait_for 10 eval '[ "$(grep -c . "$TMP/activated")" -ge "$((old + 20))" ]'
rm "$TMP/hammer"
wait $HOLD
is "$(grep -c -v '"ok":1,"failed":0' "$TMP/activated")" 0 "nobody is refused, before, meanwhile, or after" || complain "$(tail -n 5 "$TMP/activated")"
between "$(grep -c . "$TMP/activated")" $((old + 20)) 1000000 "and it goes on"
systemctl stop loadbalancer.socket loadbalancer
rm /run/systemd/system/loadbalancer.socket
systemctl daemon-reload

svc start
ok "dpkg -P" dpkg_ -P loadbalancer || complain "$(< "$TMP/dpkg")"
is "$(pgrep -f 'loadbalancer: ' | wc -l)" 0 "has ended it"
rm -r /run/systemd/system/loadbalancer.service.d
is "$(find /etc /lib/systemd /var/lib/systemd /run -name '*loadbalancer*')" "" "and leaves no trace"
finish
