#!/bin/bash
# make install, and what it installs: the init script, logrotate's part, the unit, completions.
TEST_LIMIT=120
. "${0%/*}/lib.sh"
cd "${0%/*}/.." || exit 2
LB=$(realpath "$LB") LBCTL=$(realpath "${LBCTL:-build/default/lbctl}")

# --- make install: what was built goes where it is wanted; nothing is built again ---
ROOT=$TMP/root
install_lb() { make -s --no-print-directory BUILD="${LB%/*}" -o "$LB" -o "${LB%/*}/lbctl" -o "${LB%/*}/loadbalancer" "$@" >"$TMP/make" 2>&1; }
ok "make install" install_lb install DESTDIR="$ROOT" PREFIX=/opt/lb SYSCONFDIR=/opt/lb/etc || complain "$(< "$TMP/make")"
for f in sbin/loadbalancer sbin/lbctl etc/init.d/loadbalancer lib/systemd/system/loadbalancer.service \
    etc/logrotate.d/loadbalancer share/man/man8/lbctl.8 share/man/man8/loadbalancer.8 share/man/man5/loadbalancer.conf.5 \
    share/bash-completion/completions/lbctl share/zsh/site-functions/_lbctl share/doc/loadbalancer/loadbalancer.conf.example; do
	ok "installs $f" [ -s "$ROOT/opt/lb/$f" ]
done
is "$(stat -c %a "$ROOT/opt/lb/sbin/lbctl" "$ROOT/opt/lb/etc/init.d/loadbalancer" "$ROOT/opt/lb/share/man/man8/lbctl.8" | tr '\n' ' ')" \
    "755 755 644 " "with their modes"
is "$(find "$ROOT" -name loadbalancer.conf ! -path '*/examples/*' | wc -l)" 0 "no configuration"
is "$(grep -rl '@[A-Z]*DIR@' "$ROOT/opt/lb/etc" "$ROOT/opt/lb/lib" | wc -l)" 0 "paths are filled in"
SCRIPT=$ROOT/opt/lb/etc/init.d/loadbalancer

# --- the script ---
new_port PORT
start_backend B1
conf() {
	printf '%s\n' "workers 1" "log $TMP/lb.log" "$@" "pool app {" "    server s 127.0.0.1:$B1" "}" "listen web {" \
	    "    bind 127.0.0.1:$PORT" "    to app" "}" >"$TMP/lb.conf"
}
export DAEMON=$LB CONFIG=$TMP/lb.conf PIDFILE=$TMP/lb.pid DEFAULTS=$TMP/defaults
svc() { OUT=$(timeout 60 "$SCRIPT" "$@" 2>&1 8>&-); STATUS=$?; }
pid() { cat "$TMP/lb.pid" 2>/dev/null; }
started() { LB_PID=$(pid); LB_PIDS+=("$LB_PID"); }
LB_LOGS+=("$TMP/lb.log")
export LBCTL

conf "control $TMP/sock"
svc status
is "$STATUS" 3 "status: does not run"
svc stop
is "$STATUS" 0 "stop: nothing to do"
svc start
started
like "$STATUS|$OUT" "^0\|.*started, pid $LB_PID" "start"
req /
is "$CODE" 200 "it serves when start returns"
svc status
like "$STATUS|$OUT" "^0\|.*runs, pid $LB_PID" "status: runs"
svc start
is "$STATUS $(pid)" "0 $LB_PID" "start again: nothing to do"
svc configtest
like "$STATUS|$OUT" '^0\|.*good' "configtest"
svc reload
like "$STATUS|$OUT" '^0\|.*generation 2 serves' "reload, by the control socket, with the verdict"
svc force-reload
like "$STATUS|$OUT" '^0\|.*generation 3 serves' "force-reload"

svc upgrade
like "$STATUS|$OUT" '^0\|.*takes over.generation 4 serves' "upgrade"
is "$(pid)" "$LB_PID" "the same pid"

# --- a bad file ends nothing ---
echo bogus >>"$TMP/lb.conf"
for verb in configtest reload force-reload restart; do
	svc $verb
	like "$STATUS|$OUT" '^[16]\|.*unknown directive "bogus"' "$verb with a bad file: refused, with the reason"
done
ok "the same instance serves" kill -0 "$LB_PID"
req /
is "$CODE" 200 "really"
is "$(grep -c 'generation 5' "$TMP/lb.log")" 0 "it never heard of it"

# --- restart; without the control socket a signal does it ---
conf
svc restart
started
like "$STATUS|$OUT" "^0\|.*started, pid $LB_PID" "restart"
ok "another process" [ "${LB_PIDS[-1]}" != "${LB_PIDS[-2]}" ]
svc reload
like "$STATUS|$OUT" '^0\|.*reloads' "reload by signal"
ok "it does" wait_for 5 grep -q 'generation 2 serves, generation 1' "$TMP/lb.log"

# --- logrotate ---
if command -v logrotate >/dev/null; then
	sed "s|/var/log/loadbalancer.log|$TMP/lb.log|; s|/run/loadbalancer.pid|$TMP/lb.pid|g; s/^	compress/&\n	su root root/" \
	    "$ROOT/opt/lb/etc/logrotate.d/loadbalancer" >"$TMP/rotate"
	[ "$(id -u)" = 0 ] || sed -i '/su root/d' "$TMP/rotate"
	chmod 644 "$TMP/rotate"
	ok "logrotate takes its part" logrotate -f -s "$TMP/rotate.state" "$TMP/rotate"
	ok "the log begins anew" wait_for 5 grep -qs "opened anew" "$TMP/lb.log"
	ok "the old one is kept" [ -s "$TMP/lb.log.1" ]
else
	skip "no logrotate"
fi

# --- defaults; stop; a pid file that was left behind ---
svc stop
is "$STATUS|$(pid)" "0|" "stop"
wait_for 5 _gone "$LB_PID"
ok "it has ended" _gone "$LB_PID"
svc try-restart
is "$STATUS|$(pid)" "0|" "try-restart starts nothing"
echo bogus >>"$TMP/lb.conf"
svc start
like "$STATUS|$OUT" '^6\|.*unknown directive' "start with a bad file"
conf
echo 999999999 >"$TMP/lb.pid"
svc status
is "$STATUS" 1 "a pid file without a process"
echo $$ >"$TMP/lb.pid"
svc status
is "$STATUS" 1 "a pid that is somebody else's"
rm "$TMP/lb.pid"
echo 'OPTIONS="-N 2"' >"$TMP/defaults"
svc start
started
is "$STATUS $(count_workers)" "0 2" "options from the defaults"
svc stop
DAEMON=/nonexistent svc start
is "$STATUS|$OUT" "0|" "a package that was removed: nothing to start"
DAEMON=/nonexistent svc status
is "$STATUS|$OUT" "4|" "and nothing known"
svc dance
is "$STATUS" 2 "an action that is none"

# --- the script's head, the unit, completions ---
for key in Provides Required-Start Required-Stop Default-Start Default-Stop Short-Description; do
	ok "LSB: $key" grep -q "^# $key: *[^ ]" "$SCRIPT"
done
UNIT=$ROOT/opt/lb/lib/systemd/system/loadbalancer.service
for line in 'Type=notify-reload' 'Environment=CONFIG=/opt/lb/etc/loadbalancer/loadbalancer.conf' 'NotifyAccess=all' 'ExitType=cgroup' \
    'ExecStart=/opt/lb/sbin/loadbalancer -p /run/loadbalancer.pid -c ${CONFIG} $OPTIONS' 'KillMode=mixed' 'OOMPolicy=continue' \
    'ExecReload=/opt/lb/sbin/loadbalancer -t -c ${CONFIG} $OPTIONS' 'NoNewPrivileges=yes' 'ProtectSystem=strict'; do
	ok "unit: $line" grep -qxF "$line" "$UNIT"
done
complete_lbctl() {	# WORD...: what the last one may become
	bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lbctl; echo "${COMPREPLY[*]}"' - \
	    "$ROOT/opt/lb/share/bash-completion/completions/lbctl" "$LBCTL" "$@"
}
is "$(complete_lbctl re)" "ready reload" "completion: a command"
is "$(complete_lbctl show w)" "workers" "what to show"
is "$(complete_lbctl --json log level d)" "debug default" "a level, behind an option"
is "$(complete_lbctl top --sort p)" "p99" "a key"
if command -v zsh >/dev/null; then
	ok "zsh reads its part" zsh -n "$ROOT/opt/lb/share/zsh/site-functions/_lbctl"
else
	skip "no zsh"
fi
ok "make installcheck" install_lb installcheck DESTDIR="$ROOT" PREFIX=/opt/lb SYSCONFDIR=/opt/lb/etc
ok "make uninstall" install_lb uninstall DESTDIR="$ROOT" PREFIX=/opt/lb SYSCONFDIR=/opt/lb/etc
is "$(find "$ROOT" -type f | wc -l)" 0 "leaves nothing"
is "$(find "$ROOT" -type d -name loadbalancer | wc -l)" 0 "nor directories of its own"

# GNU's names; a path with its own prefix for what depends on the machine; stripped; OpenRC's script
ok "make install-strip, with GNU's names" install_lb install-strip DESTDIR="$ROOT/2" prefix=/usr exec_prefix=/x sysconfdir=/e \
    mandir=/m docdir=/d INIT=openrc || complain "$(< "$TMP/make")"
for f in x/sbin/lbctl e/init.d/loadbalancer m/man8/lbctl.8 d/README.md d/examples/loadbalancer.socket usr/lib/systemd/system/loadbalancer.service; do
	ok "installs $f" [ -s "$ROOT/2/$f" ]
done
is "$(head -n 1 "$ROOT/2/e/init.d/loadbalancer")" "#!/sbin/openrc-run" "OpenRC's script"
ok "the programs are smaller" [ "$(stat -c %s "$ROOT/2/x/sbin/lbctl")" -lt "$(stat -c %s "${LB%/*}/lbctl")" ]

# --- make dist ---
if [ -e .git ]; then
	dist() { make -s --no-print-directory -C "$1" dist 2>&1; }
	V=$("$LB" -v | cut -d' ' -f2)
	ok "make dist" dist . || complain "$(dist .)"
	cp "build/loadbalancer-$V.tar.gz" "$TMP/1.tar.gz"
	tar -C "$TMP" -xf "$TMP/1.tar.gz"
	(cd "$TMP/loadbalancer-$V" && find . -exec touch {} + && chmod -R go-rwx .)
	mv "$TMP/loadbalancer-$V" "$TMP/elsewhere"
	ok "and of what was unpacked, without git" dist "$TMP/elsewhere"
	ok "the same bytes" cmp "$TMP/1.tar.gz" "$TMP/elsewhere/build/loadbalancer-$V.tar.gz"
	is "$(tar -tf "$TMP/1.tar.gz" | grep -vc "^loadbalancer-$V/")" 0 "all of it in one directory"
	is "$(tar --numeric-owner -tvf "$TMP/1.tar.gz" | awk '{ print $2, $4, $5 }' | sort -u | wc -l)" 1 "of nobody in particular, and one time"
	is "$(git ls-files | while read -r f; do [ ! -e "$f" ] || echo "loadbalancer-$V/$f"; done | LC_ALL=C sort | cmp - <(tar -tf "$TMP/1.tar.gz"))" "" "all that is in git"
else
	skip "not a git checkout"
fi
finish
