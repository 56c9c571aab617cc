#!/bin/bash
# sandbox.sh [--systemd] COMMAND...: runs the command on a copy of this machine that vanishes afterwards: an overlay
# over its whole file system, with processes, mounts, network (loopback only), /run and shared memory of its own. As
# root. What is written lies in /run/sandbox/upper. With --systemd the machine's systemd is started in it, up to
# basic.target and without the machine's own units, and the command runs beside it.
systemd=
[ "$1" = --systemd ] && { systemd=1; shift; }
[ "$(id -u)" = 0 ] || { echo "sandbox.sh: root is needed" >&2; exit 2; }

inside() {	# in the new namespaces
	local n base=$1 root=$1/root
	shift
	mount --make-rprivate / && mount -t tmpfs sandbox "$base" && mkdir "$base"/{upper,work,root} &&
	    mount -t overlay overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" "$root" || return 1
	mount -t proc proc "$root/proc" && mount -o bind,ro "$root/proc/sys" "$root/proc/sys" &&
	    mount -t sysfs -o ro sysfs "$root/sys" && mount -t tmpfs -o mode=755 run "$root/run" &&
	    mount -t tmpfs -o mode=755 dev "$root/dev" || return 1
	for n in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0"; do
		# shellcheck disable=SC2086
		mknod -m 666 "$root/dev/${n%% *}" c ${n#* } || return 1
	done
	mkdir "$root"/dev/{pts,shm} "$root"/run/{lock,sandbox,sandbox/upper} && ln -s pts/ptmx "$root/dev/ptmx" && ln -s /proc/self/fd "$root/dev/fd" &&
	    mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts" && mount -t tmpfs -o mode=1777 shm "$root/dev/shm" &&
	    mount --bind "$base/upper" "$root/run/sandbox/upper" && ip link set lo up && hostname sandbox || return 1
	if [ "$systemd" ]; then
		mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup" || return 1
		# The machine's own services stay where they are.
		rm -rf "$root"/etc/systemd/system/* "$root"/etc/rc?.d/S*
		# /tmp stays what it is: a start would empty it.
		mkdir -p "$root/etc/tmpfiles.d" && ln -sf /dev/null "$root/etc/tmpfiles.d/tmp.conf"
	fi
	cd "$root" && mkdir -p old_root.sandbox && pivot_root . old_root.sandbox && umount -l /old_root.sandbox && rmdir /old_root.sandbox &&
	    cd "$PWD_BEFORE" || return 1
	if [ "$systemd" ]; then
		exec env -i container=sandbox PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=basic.target --show-status=no \
		    </dev/null >/dev/null 2>&1
	fi
	# The first process of its namespace: it collects orphans, and with it all others end.
	"$@" &
	wait $!
}

export PWD_BEFORE=$PWD
if [ "$SANDBOX_BASE" ]; then
	base=$SANDBOX_BASE
	unset SANDBOX_BASE
	inside "$base" "$@"
	exit
fi

base=$(mktemp -d "${TMPDIR:-/tmp}/sandbox.XXXXXX") || exit 2
cgroup=
init=
command=
clean() {
	trap - EXIT TERM INT
	[ -z "$command" ] || kill -TERM "$command" 2>/dev/null
	[ -z "$init" ] || kill -KILL "$init" 2>/dev/null
	wait
	rmdir "$base"
	[ -z "$cgroup" ] || for _ in {1..50}; do
		find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null
		[ -d "$cgroup" ] || break
		sleep 0.1
	done
}
trap clean EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
if [ -z "$systemd" ]; then
	SANDBOX_BASE=$base unshare -m -p -n -i -u --fork --kill-child "$0" "$@" &
	command=$!
	wait $command
	exit
fi

# The systemd that was started; nothing else will do, since who enters a wrong process is on the machine itself.
find_init() {
	local children pid comm
	read -r children <"/proc/$1/task/$1/children"
	for pid in $children; do
		read -r comm <"/proc/$pid/comm" && [ "$comm" = systemd ] && init=$pid
	done 2>/dev/null
	[ "$init" ]
}
enter() { nsenter -t "$init" -m -p -n -i -u -C -r "$@"; }

top=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
cgroup=$top/sandbox.$$
[ "$top" ] && mkdir "$cgroup" || { cgroup= && echo "sandbox.sh: no cgroup2 to write to" >&2; exit 2; }
# shellcheck disable=SC2016
SANDBOX_BASE=$base bash -c 'echo $$ >"$1/cgroup.procs" && shift && exec unshare -m -p -n -i -u -C --fork --kill-child "$@"' - \
    "$cgroup" "$0" --systemd "$@" 2> >(grep -v 'sigprocmask unblock' >&2) &
outer=$!
up=
for _ in {1..300}; do
	if { [ "$init" ] || find_init $outer; } && enter systemctl is-system-running 2>/dev/null | grep -Eq 'running|degraded'; then
		up=1
		break
	fi
	kill -0 $outer 2>/dev/null || break
	sleep 0.1
done
[ "$up" ] || { echo "sandbox.sh: systemd does not come up" >&2; exit 2; }
# shellcheck disable=SC2016
enter bash -c '[ -d /run/sandbox/upper ] && cd "$1" && shift && exec "$@"' - "$PWD" "$@" &
command=$!
wait $command
