# shellcheck shell=bash disable=SC2120
# Helpers for shell tests (bash). Start a test file with
#
#	#!/bin/bash
#	. "${0%/*}/lib.sh"
#
# and end it with `finish`. Assertions print TAP. Programs: $LB (the balancer) and $TESTBIN (backend,
# load, raw, ... from tests/); `make check` sets both. A file runs at most $TEST_LIMIT seconds (set it
# before sourcing; default 120) under tests/tools/guard.c, which also fails it when a process is left.
#
#	new_port VAR			a free port on loopback that nobody else in this suite uses
#	start_backend VAR OPTION...	VAR: its port, VAR_PID: its pid; options: tests/demo/backend.c
#	start_nth_backend VAR ...	the same with --name VAR
#	start_full VAR			a port that takes no connection and refuses none
#	kill_backend VAR [SIGNAL]	KILL unless told otherwise; waits until it is gone
#	restart_backend VAR [OPTION..]	same port, same options and further ones
#	start_lb ARG...			"@" stands for a new port: start_lb -N 2 @ $B1 $B2. Sets PORT, LB_PID, LB_LOG
#	start_conf [ARG...] <<EOF	the same from a configuration file; set PORT before (new_port PORT)
#	stop_lb [SIGNAL]		TERM unless told otherwise; sets LB_STATUS to its exit status
#	run_lb ARG...			runs it to its end (10 s): sets STATUS, OUT, ERR; for bad arguments
#	workers, health_pid		pids, from the process titles
#	req [CURL ARG...] URL|/PATH	curl, to the balancer: sets CODE, BODY, HEAD, CURL (curl's exit status)
#	freeze PID			SIGSTOP, and it is stopped
#	wait_for SECONDS COMMAND...	until it succeeds; false after SECONDS
#	ok TEXT COMMAND... / is GOT WANT TEXT / like GOT REGEX TEXT / skip TEXT / diag TEXT

LB=${LB:-build/default/loadbalancer}
TESTBIN=${TESTBIN:-build/default/tools}
TEST_LIMIT=${TEST_LIMIT:-120}
: "${TESTDIR:=$(cd "${BASH_SOURCE[0]%/*}" && pwd)}"

if [ -z "$UNDER_GUARD" ]; then
	[ -x "$TESTBIN/guard" ] || { echo "Bail out! no $TESTBIN/guard: run make check, or make tools"; exit 2; }
	UNDER_GUARD=1 exec "$TESTBIN/guard" "$TEST_LIMIT" bash "$0" "$@"
fi
unset UNDER_GUARD

TMP=$(mktemp -d "${TMPDIR:-/tmp}/lbtest.XXXXXX") || exit 2
chmod 755 "$TMP"
export LC_ALL=C
TESTS=0 FAILED=0
LB_PIDS=() LB_LOGS=() BACKEND_PIDS=()
# Sanitizers: leaks are looked for in children too, a finding ends the process with a status of its own.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0:exitcode=99}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}

# --- assertions ---

diag() { printf '%s\n' "$*" | sed 's/^/# /'; }
# The same where people see it under prove: what went wrong.
complain() { diag "$@" >&2; }

_result() {	# 0|1 TEXT
	TESTS=$((TESTS + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $TESTS - $2"
	else
		echo "not ok $TESTS - $2"
		echo "# $0: not ok $TESTS - $2" >&2
		FAILED=$((FAILED + 1))
	fi
	return "$1"
}

ok() {
	local text=$1 rc=0
	shift
	"$@" || rc=1
	_result $rc "$text" || { complain "failed: $(head -n 1 <<<"$*" | cut -c 1-200)"; return 1; }
}

is() {
	[ "$1" = "$2" ]
	_result $? "$3" || { complain "got:  $(printf %q "$1")"; complain "want: $(printf %q "$2")"; return 1; }
}

like() {
	[[ $1 =~ $2 ]]
	_result $? "$3" || { complain "got:  $(printf %q "$1")"; complain "want: $2"; return 1; }
}

# between GOT LOW HIGH TEXT
between() {
	[ "$1" -ge "$2" ] 2>/dev/null && [ "$1" -le "$3" ]
	_result $? "$4" || { complain "got $1, want $2..$3"; return 1; }
}

skip() { TESTS=$((TESTS + 1)); echo "ok $TESTS # SKIP $1"; }
skip_all() { echo "1..0 # SKIP $1"; exit 0; }

# The last assertions of every file, and the plan.
finish() {
	local pid log
	for pid in "${LB_PIDS[@]}"; do
		kill -0 "$pid" 2>/dev/null && { LB_PID=$pid; stop_lb TERM 15; }
		ok "nothing of balancer $pid in /dev/shm" _no_shm "$pid"
	done
	for log in "${LB_LOGS[@]}"; do
		grep -Eqs "killed by signal (4|6|7|8|11) " "$log" && { _result 1 "no child crashed"; grep -E "killed by signal" "$log" | head -5 | sed "s/^/# /" >&2; }
		grep -Eqs "is not taken note of|io_uring (takes|has taken)" "$log" &&
		    { _result 1 "no write was lost sight of"; grep -E "is not taken note of|io_uring (takes|has taken)" "$log" | head -5 | sed "s/^/# /" >&2; }
		if grep -Eqs 'AddressSanitizer|LeakSanitizer|runtime error:' "$log"* ; then
			_result 1 "no complaint of a sanitizer"
			grep -Ehs -A25 'AddressSanitizer|LeakSanitizer|runtime error:' "$log"* | head -60 | sed 's/^/# /' >&2
		fi
	done
	echo "1..$TESTS"
	[ "$FAILED" -eq 0 ]
	exit
}

_no_shm() { ! ls /dev/shm/*loadbalancer*."$1" >/dev/null 2>&1; }

_cleanup() {
	local rc=$?
	trap - EXIT TERM INT
	[ "$FAILED" -gt 0 ] && for log in "${LB_LOGS[@]}"; do complain "--- $log"; tail -n 10 "$log" | sed 's/^/# /'; done >&2
	kill -TERM "${LB_PIDS[@]}" "${BACKEND_PIDS[@]}" 2>/dev/null
	for pid in "${LB_PIDS[@]}"; do wait_for 3 _gone "$pid" || { kill -KILL $(_children "loadbalancer: heir" "$pid") "$pid"; rm -f /dev/shm/loadbalancer*".$pid"; }; done 2>/dev/null
	rm -rf "$TMP"
	exit $rc
}
trap _cleanup EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

# --- waiting ---

_now_ms() { local t=$EPOCHREALTIME; echo $((${t%[.,]*} * 1000 + 10#${t#*[.,]} / 1000)); }

wait_for() {
	local end=$(($(_now_ms) + $1 * 1000))
	shift
	until "$@"; do
		[ "$(_now_ms)" -lt "$end" ] || return 1
		sleep 0.02
	done
}

# Dead, or a zombie that only waits for us.
_gone() {
	local stat
	{ stat=$(< "/proc/$1/stat"); } 2>/dev/null || return 0
	[[ ${stat##*) } == Z* ]]
}

# SIGSTOP comes when it comes: stops a process, and waits until it is.
freeze() { kill -STOP "$1" && wait_for 5 _frozen "$1"; }
_frozen() { [[ $(< "/proc/$1/stat") == *") T "* ]]; }

# Whether anybody listens on a TCP port of this machine; asks the kernel, so nothing is connected.
listening() {
	local hex
	printf -v hex '%04X' "$1"
	cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -Eq "^ *[0-9]+: [0-9A-F]+:$hex [0-9A-F]+:[0-9A-F]+ 0A "
}

# --- ports: a block for each test file, held by a lock for its life; below what the kernel gives to
# outgoing connections, so that a restarted server finds its port free. The kernel is asked for each. ---

_PORT_NEXT=0 _PORT_END=0
_port_block() {
	local dir=${TMPDIR:-/tmp}/lbtest-ports n
	mkdir -p "$dir" && chmod 1777 "$dir" 2>/dev/null
	for ((n = 12000 + RANDOM % 100 * 200; ; n = 12000 + (n - 12000 + 200) % 20000)); do
		exec 8>"$dir/$n" && flock -n 8 && break
	done
	_PORT_NEXT=$n _PORT_END=$((n + 200))
}

new_port() {
	[ "$_PORT_NEXT" -lt "$_PORT_END" ] || _port_block
	while ! "$TESTBIN/portfree" "$_PORT_NEXT"; do _PORT_NEXT=$((_PORT_NEXT + 1)); done
	printf -v "$1" %d "$_PORT_NEXT"
	_PORT_NEXT=$((_PORT_NEXT + 1))
}

# --- backends ---

_backend() {	# VAR
	local -n options=$1_OPTIONS
	local out=$TMP/$1.out
	"$TESTBIN/backend" "${options[@]}" >"$out" 2>>"$TMP/$1.err" 8>&- &
	printf -v "$1_PID" %d $!
	disown $! 2>/dev/null
	BACKEND_PIDS+=($!)
	wait_for 5 _backend_up "$out" "$!" || { complain "backend $1 did not start: $(cat "$TMP/$1.err")"; return 1; }
}
_backend_up() { _gone "$2" || grep -qs ^listening "$1"; }

start_backend() {
	local var=$1 port
	shift
	new_port port
	printf -v "$var" %d "$port"
	declare -ga "${var}_OPTIONS=()"
	local -n start_options=${var}_OPTIONS
	start_options=(--port "$port" --name "$var" "$@")
	_backend "$var"
}

# It never accepts, and its backlog is full: nobody can connect, or is refused.
start_full() {
	perl -MIO::Socket::INET -e 'my $l = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1) or die;
		my @c = map { IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $l->sockport, Blocking => 0) } 1 .. 5;
		open my $f, ">", "$ARGV[0].new"; print $f $l->sockport; close $f; rename "$ARGV[0].new", $ARGV[0]; sleep 100' "$TMP/$1.full" 8>&- &
	BACKEND_PIDS+=($!)
	wait_for 10 [ -e "$TMP/$1.full" ]
	printf -v "$1" %d "$(< "$TMP/$1.full")"
}

kill_backend() {
	local pid=$1_PID
	kill "-${2:-KILL}" "${!pid}" 2>/dev/null
	wait_for 5 _gone "${!pid}"
}

restart_backend() {
	local var=$1
	shift
	kill_backend "$var"
	local -n restart_options=${var}_OPTIONS
	restart_options+=("$@")
	_backend "$var"
}

# --- the balancer ---

_lb() {
	LB_LOG=$TMP/lb.${#LB_PIDS[@]}.log
	: >"$LB_LOG"
	"$LB" "$@" >>"$LB_LOG" 2>&1 8>&- &
	LB_PID=$!
	LB_PIDS+=("$LB_PID") LB_LOGS+=("$LB_LOG")
	[ -z "$PORT" ] || wait_for 10 _lb_up || { complain "the balancer did not start: $(tail -n 5 "$LB_LOG")"; return 1; }
	! _gone "$LB_PID" || { complain "the balancer ended: $(tail -n 5 "$LB_LOG")"; return 1; }
	# Its other ports and its control socket come after that one; where the log goes elsewhere, they have long come.
	[ -z "$PORT" ] || wait_for 2 grep -q 'info: ready: ' "$LB_LOG" || :
}
_lb_up() { _gone "$LB_PID" || listening "$PORT"; }

start_lb() {
	local args=() a
	PORT=
	for a; do
		[ "$a" = @ ] && { new_port PORT; a=$PORT; }
		args+=("$a")
	done
	_lb "${args[@]}"
}

start_conf() {
	cat >"$TMP/lb.${#LB_PIDS[@]}.conf"
	LB_CONF=$TMP/lb.${#LB_PIDS[@]}.conf
	_lb -c "$LB_CONF" "$@"
}

stop_lb() {
	kill "-${1:-TERM}" "$LB_PID" 2>/dev/null
	if wait_for "${2:-10}" _gone "$LB_PID"; then
		wait "$LB_PID" 2>/dev/null
		LB_STATUS=$?
	else
		complain "balancer $LB_PID did not end"
		LB_STATUS=timeout
		return 1
	fi
}

run_lb() {
	timeout -k 2 10 "$LB" "$@" >"$TMP/run.out" 2>"$TMP/run.err" 8>&-
	STATUS=$?
	OUT=$(< "$TMP/run.out") ERR=$(< "$TMP/run.err")
}

# Children of the balancer whose title matches; one pid a line.
_children() {
	local c pid
	read -r c 2>/dev/null <"/proc/${2:-$LB_PID}/task/${2:-$LB_PID}/children" || [ -n "$c" ] || return 0
	for pid in $c; do
		tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q "$1" && echo "$pid"
	done
	return 0
}
workers() { _children 'loadbalancer: worker' "$@"; }
health_pid() { _children 'loadbalancer: health' "$@"; }
count_workers() { workers | wc -l; }
# Whether the balancer was built with sanitizers: slower, and its memory says nothing.
sanitized() { grep -qa __asan_init "$LB"; }
# How many descriptors these processes hold.
count_fds() { local p all=() f; for p; do f=("/proc/$p/fd"/*); all+=("${f[@]}"); done; echo ${#all[@]}; }

# --- clients ---

req() {
	local args=("$@") last=${!#}
	[[ $last == /* ]] && args[-1]=http://127.0.0.1:$PORT$last
	CODE=$(curl -sS --max-time 20 -o "$TMP/body" -D "$TMP/head" -w '%{http_code}' "${args[@]}" 2>"$TMP/curl.err")
	CURL=$?
	BODY=$(tr -d '\0' 2>/dev/null <"$TMP/body") HEAD=$(tr -d '\r' 2>/dev/null <"$TMP/head")
	return 0
}

# Exact bytes of the answers to exact bytes sent; see tests/tools/raw.c.
raw() { "$TESTBIN/raw" "127.0.0.1:$PORT" "$@"; }
load() { "$TESTBIN/load" "127.0.0.1:$PORT" "$@"; }
# One figure of load's line: field NAME LINE
field() {
	local v=${2##*\"$1\":}
	[ "$v" = "$2" ] && { echo 0; return; }
	v=${v%%[,\}]*}
	echo "${v//\"/}"
}

ALL_DOWN=$'HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n'
