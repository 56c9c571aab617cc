#!/bin/bash
# The Debian package's life, on a copy of this machine that vanishes: installed with dpkg, started by its script,
# reloaded, upgraded under load, removed, purged. `make check-package` builds it before.
# RUNLEVEL: of a machine that has been started; invoke-rc.d asks.
[ -n "$SANDBOX" ] || SANDBOX=1 RUNLEVEL=2 PREVLEVEL=N exec "${0%/*}/house/sandbox.sh" "$0"
[ -d /run/sandbox/upper ] || { echo "Bail out! this is no copy, but the machine itself"; exit 2; }
TEST_LIMIT=240
. "${0%/*}/lib.sh"
cd "${0%/*}/.." || exit 2
V1=$(sed -n '1s/^[^ ]* (\([^)]*\)).*/\1/p' init/debian/changelog)
V2=${V1%-*}.1-1
TREE=build/deb/loadbalancer-${V1%-*}
DEB1=$(ls build/deb/loadbalancer_"$V1"_*.deb 2>/dev/null)
ok "there is a package: $DEB1" [ -s "$DEB1" ] || finish

# --- lint: what it complains of stands in init/debian/loadbalancer.lintian-overrides, or is no complaint ---
lintian --allow-root --fail-on error,warning build/deb/loadbalancer_"$V1"_*.changes >"$TMP/lintian" 2>&1 &
LINTIAN=$!

# --- the next version, from the same tree ---
build() {
	sed -i "1s/(.*)/($V2)/" "$TREE/debian/changelog" "$TREE/init/debian/changelog" && rm -f "$TREE"/debian/{debhelper-build-stamp,*.debhelper.log} &&
	    (cd "$TREE" && DEB_BUILD_OPTIONS='nocheck noautodbgsym' dpkg-buildpackage -us -uc -b -nc) >"$TMP/build" 2>&1
}
ok "a package of the next version" build || complain "$(tail -n 20 "$TMP/build")"
DEB2=$(ls build/deb/loadbalancer_"$V2"_*.deb)
is "$(dpkg-deb -f "$DEB2" Version)" "$V2" "of version $V2"
wait $LINTIAN
is "$?" 0 "lintian is content" || complain "$(< "$TMP/lintian")"

# What is there that was not there before, or is gone; without what dpkg and the accounts remember.
changed() {
	(cd /run/sandbox/upper && find . ! -type d -o -name '*loadbalancer*' | grep -vE '^\./(tmp|var/tmp|root|run)(/|$)') |
	    grep -vE '^\./var/lib/dpkg/(status|available|diversions|statoverride|lock|triggers/|updates/)|^\./var/(log/dpkg.log|cache/(ldconfig|man)/)|^\./etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$' |
	    grep -vE '^\./etc/(ld.so.cache|mailcap|init.d/\.depend\..*|\.pwd\.lock)$|^\./var/lib/(systemd/deb-systemd-helper-enabled|logrotate|insserv/.*)$|^\./usr/sbin/policy-rc\.d$|\.pyc$' |
	    grep -v "^\.$PWD/" | sort
}
dpkg_i() { timeout 60 dpkg "$@" >"$TMP/dpkg" 2>&1 8>&-; }
svc() { OUT=$(timeout 60 service loadbalancer "$@" 2>&1 8>&-); STATUS=$?; }
pid() { cat /run/loadbalancer.pid 2>/dev/null; }
version() { lbctl show 2>/dev/null | sed -n '1s/^loadbalancer \([^,]*\),.*/\1/p'; }
CONF=/etc/loadbalancer/loadbalancer.conf

# --- a policy that forbids services is obeyed ---
mkdir -p "$TMP/before"
is "$(changed)" "" "a machine without a trace of it"
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d
ok "install, where the policy forbids services" dpkg_i -i "$DEB1" || complain "$(< "$TMP/dpkg")"
is "$(pid)" "" "nothing is started"
like "$(getent passwd loadbalancer)" ':/nonexistent:/usr/sbin/nologin$' "without a home or a shell"
ok "purge" dpkg_i -P loadbalancer || complain "$(< "$TMP/dpkg")"
is "$(changed)" "" "nothing is left, though it never ran"

# --- installed, and started by the package: harmless until it is told what to do ---
rm -f /usr/sbin/policy-rc.d
: >/usr/sbin/policy-rc.d	# not executable: no policy
ok "install" dpkg_i -i "$DEB1" || complain "$(< "$TMP/dpkg")"
svc status
like "$STATUS|$OUT" "^0\|.*runs, pid $(pid)" "it runs"
LB_PID=$(pid)
PORT=8888
req /
is "$CODE" 503 "it answers on loopback, and serves nobody"
is "$(ss -Hltn | awk '{ print $4 }' | grep -v ':0$' | tr '\n' ' ')" "127.0.0.1:8888 " "nowhere else"
is "$(ps -o user= -p "$(workers | tr '\n' , | sed 's/,$//')" | sort -u | cut -c 1-7)" "loadbal" "workers run as the package's user"
is "$(ls /etc/rc2.d/S??loadbalancer /etc/rc0.d/K??loadbalancer 2>&1 | wc -l)" 2 "it starts and ends with the machine"
is "$(logrotate -d /etc/logrotate.d/loadbalancer 2>&1 | grep -c '^error')" 0 "its logrotate part is understood"
is "$(man -w loadbalancer loadbalancer.conf lbctl 2>&1 | grep -c '^/usr/share/man/.*\.gz$')" 3 "man pages"

# --- a real configuration ---
start_backend B1
start_backend B2
new_port PORT
cat >$CONF <<X
user    loadbalancer
workers 2
control /run/loadbalancer.sock
log     /var/log/loadbalancer.log
access-log /var/log/loadbalancer-access.log
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
svc configtest
like "$STATUS|$OUT" '^0\|.*is good' "configtest"
svc reload
like "$STATUS|$OUT" '^0\|.*generation 2 serves' "reload"
LB_LOG=/var/log/loadbalancer.log LB_LOGS+=(/var/log/loadbalancer.log)
req /
is "$CODE $(pid)" "200 $LB_PID" "it serves; the same process"
svc start
is "$STATUS $(pid)" "0 $LB_PID" "start: it runs already"

cp $CONF "$TMP/good"
echo bogus >>$CONF
for verb in reload force-reload restart; do
	svc $verb
	like "$STATUS|$OUT" '^6\|.*unknown directive "bogus"' "$verb with a bad file: refused, with the reason"
done
is "$(pid)" "$LB_PID" "the same process"
req /
is "$CODE" 200 "serves"
cp "$TMP/good" $CONF

# --- the package is upgraded under load, and back, and again ---
is "$(version)" "${V1%-*}" "version ${V1%-*} runs"
# For as long as it takes, in runs of two seconds.
hammer() { while [ -e "$TMP/hammer" ]; do load -d 2 --strict "${@:2}" >>"$1" 2>&1 || echo failed >>"$1"; done; }
touch "$TMP/hammer"
hammer "$TMP/kept" -c 8 --mix &
KEPT=$!
hammer "$TMP/once" -c 4 --close &
ONCE=$!
loaded() { lbctl --json show 2>/dev/null | grep -q '"requests": *[1-9][0-9][0-9]'; }
wait_for 5 loaded
for to in 2 1 2; do
	deb=DEB$to v=V$to
	ok "dpkg -i ${!v}, under load" dpkg_i --force-confold -i "${!deb}" || complain "$(< "$TMP/dpkg")"
	is "$(version) $(pid)" "${!v%-*} $LB_PID" "it is what runs, in the same process"
	ok "from the file that is installed" [ "/proc/$LB_PID/exe" -ef /usr/sbin/loadbalancer ]
done
rm "$TMP/hammer"
wait $KEPT $ONCE
for how in kept once; do
	is "$(grep -vc '"failed":0,"closed":0,' "$TMP/$how")" 0 "no request lost: $how" || complain "$(< "$TMP/$how")"
	n=$(sed 's/.*"ok":\([0-9]*\).*/\1/' "$TMP/$how" | awk '{ n += $1 } END { print n + 0 }')
	diag "$how: $n requests"
	ok "many" [ "$n" -gt 1000 ]
done

# --- a bad configuration at the time of an upgrade; by signal, without the control socket ---
echo bogus >>$CONF
ok "dpkg -i with a bad configuration" dpkg_i --force-confold -i "$DEB1"
like "$(< "$TMP/dpkg")" 'unknown directive "bogus".*goes on running' "it says so"
is "$(version) $(pid)" "${V2%-*} $LB_PID" "the old program goes on"
req /
is "$CODE" 200 "and serves"
cp "$TMP/good" $CONF
svc upgrade
is "$STATUS $(version) $(pid)" "0 ${V1%-*} $LB_PID" "upgrade, when the file is good again"
sed -i /^control/d $CONF
svc restart
LB_PID=$(pid)
ok "dpkg -i without a control socket" dpkg_i --force-confold -i "$DEB2"
is "$(version) $(pid)" "${V2%-*} $LB_PID" "a signal does it"

# --- a stopped service's package is upgraded with a bad file; removed; purged ---
svc stop
is "$STATUS$(pid)" 0 "stop"
echo bogus >>$CONF
ok "dpkg -i of a stopped service with a bad file" dpkg_i --force-confold -i "$DEB1" || complain "$(< "$TMP/dpkg")"
like "$(< "$TMP/dpkg")" 'was not started' "which is not started, and said so"
cp "$TMP/good" $CONF
svc start
LB_PID=$(pid)
is "$STATUS" 0 "start"
ok "dpkg -r" dpkg_i -r loadbalancer || complain "$(< "$TMP/dpkg")"
ok "it has ended" _gone "$LB_PID"
is "$(pgrep -f 'loadbalancer: ' | wc -l)" 0 "all of it"
is "$(find /dev/shm /run -maxdepth 1 -name "*loadbalancer*")" "" "nothing of it in /run or /dev/shm"
ok "so are the logs" [ -s /var/log/loadbalancer-access.log ]
ok "the configuration is kept" cmp -s "$TMP/good" $CONF
is "$(/etc/init.d/loadbalancer start 2>/dev/null; echo $?)" 126 "its script cannot be run by accident"
is "$(sh /etc/init.d/loadbalancer start 2>&1; echo $?)" 0 "or does nothing"
ok "dpkg -P" dpkg_i -P loadbalancer || complain "$(< "$TMP/dpkg")"
LB_LOGS=()
is "$(changed)" "" "no trace is left"
like "$(getent passwd loadbalancer; getent shadow loadbalancer)" 'nologin.*loadbalancer:[!*]' "but the user, locked"
finish
