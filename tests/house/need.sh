#!/bin/sh
# need.sh COMMAND...: what is missing is installed when root has apt-get, else named. Silent when all is there.
missing=
for command; do
	command -v "$command" >/dev/null 2>&1 || [ -x "/usr/sbin/$command" ] || [ -f "$command" ] && continue
	case $command in
	dnsmasq) package=dnsmasq-base ;;
	ip) package=iproute2 ;;
	prove) package=perl ;;
	promtool) package=prometheus ;;
	*ngx_stream_module.so) package=libnginx-mod-stream ;;
	dpkg-buildpackage) package="dpkg-dev build-essential" ;;
	dh) package=debhelper ;;
	man) package=man-db ;;
	/lib/systemd/systemd) package="systemd systemd-sysv" ;;
	*/websockets/__init__.py) package=python3-websockets ;;
	*) package=$command ;;
	esac
	missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "installing:$missing"
	# Nothing is started by the packages: a policy that forbids it is in place meanwhile.
	# shellcheck disable=SC2086
	(apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y -qq --no-install-recommends $missing) >/tmp/need.log 2>&1 && exit 0
	tail -n 20 /tmp/need.log
fi
echo "please install (Debian's names):$missing" >&2
exit 1
