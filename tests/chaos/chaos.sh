# shellcheck shell=bash
# The proof of succession: a load that checks every byte, and events under it. Sourced after tests/lib.sh by
# tests/t5-chaos.t (short, asserted) and tests/chaos/run.sh (long, printed; peers beside it).
#
#	chaos_backends			B1 B2 B3 (small answers), BULK (bodies, WebSocket), E1 (echo)
#	chaos_start lb|nginx|haproxy	CHAOS_KIND; ports WEB, BIG, RAW; under $CHAOS
#	chaos_load SECONDS		begins; chaos_loaded waits until all clients are there
#	chaos_event NAME...		one event, see event_* below; counts in CHAOS_EVENTS
#	chaos_end			waits for the load; sets ASKED LOST CLOSED CUT MOVED LIVED WHY, and of these
#					IDLE_CLOSED: connections that were idle all along; ONESHOT_LOST: requests on their own
#	chaos_leaks			sets LEAKS: what is left over that was not there before; empty: nothing
#	chaos_row NAME			prints all of it as one line
#
# lost: requests without a whole right answer, of those that wait for one. closed: kept connections that ended under
# a request or while idle. cut: tunnels, downloads and uploads that did not come to their end, or not with every byte.
# moved: connections that went from one worker to another. lived: longest life of an old generation, ms after it was
# told to retire. No client ever tries a second time.

# What a supervisor that is killed may lose at most: connections that it had accepted and not yet handed over. It is about
# a hundredth of a millisecond for each, and nobody else has them; more than one only where several came at once.
SUPERVISOR_MAY_LOSE=2

CHAOS=$TMP/chaos
mkdir -p "$CHAOS"
chmod 755 "$CHAOS"

# How many clients of each kind. Idle ones as many as the descriptor limit allows, if told "most".
CHAOS_KEPT=${CHAOS_KEPT:-24} CHAOS_ONESHOT=${CHAOS_ONESHOT:-8} CHAOS_IDLE=${CHAOS_IDLE:-1000} CHAOS_TUNNELS=${CHAOS_TUNNELS:-8}
CHAOS_SLOW=${CHAOS_SLOW:-12}
CHAOS_BULK_RATE=${CHAOS_BULK_RATE:-40000}	# bytes of a download, and of an upload, in 10 ms
CHAOS_WORKERS=${CHAOS_WORKERS:-2}
if [ "$CHAOS_IDLE" = most ]; then
	CHAOS_IDLE=$(ulimit -Hn)
	[ "$CHAOS_IDLE" != unlimited ] && [ "$CHAOS_IDLE" -le 100000 ] || CHAOS_IDLE=100000
	# A port for each, and each may have a copy in the supervisor, which needs some hundred for itself.
	CHAOS_IDLE=$((CHAOS_IDLE - 1500))
	[ "$CHAOS_IDLE" -le 20000 ] || CHAOS_IDLE=20000
fi

chaos_backends() {
	local b
	for b in B1 B2 B3; do start_backend $b; done
	start_backend BULK
	start_backend E1 --tcp echo
}

# --- this program ---

# What stands in front of the rest is free for events: a bad line, say.
chaos_conf() {
	cat <<EOC
$1
workers $CHAOS_WORKERS
hang-timeout 1s
pid $CHAOS/lb.pid
control $CHAOS/lb.sock
pool app {
    check load /healthcheck every 1s
    server b1 127.0.0.1:$B1
    server b2 127.0.0.1:$B2
    server b3 127.0.0.1:$B3
}
pool bulk {
    check load /healthcheck every 1s
    server bulk 127.0.0.1:$BULK
}
pool echo {
    server e1 127.0.0.1:$E1
}
listen web {
    bind 127.0.0.1:$WEB
    to app
}
listen big {
    bind 127.0.0.1:$BIG
    to bulk
}
listen raw {
    bind 127.0.0.1:$RAW
    mode tcp
    to echo
}
EOC
}

chaos_main() { cat "$CHAOS/lb.pid" 2>/dev/null; }
chaos_heir() { _children 'loadbalancer: heir' "$(chaos_main)"; }

# The serving generation has all its workers, nothing older is left, an heir waits. What an event may need first.
chaos_settled() {
	local main
	main=$(chaos_main)
	[ -n "$main" ] && [ -n "$(chaos_heir)" ] && [ "$(workers "$main" | wc -l)" = "$CHAOS_WORKERS" ] && [ -n "$(health_pid "$main")" ]
}

chaos_start() {
	local v
	CHAOS_KIND=$1
	for v in WEB BIG RAW; do new_port $v; done
	PORT=$WEB
	CHAOS_EVENTS=0 CHAOS_MAINS=()
	if [ "$1" != lb ]; then
		chaos_start_peer "$1"
		return
	fi
	cp "$LB" "$CHAOS/lb"
	CHAOS_LB=$LB CHAOS_OLD=$("$LB" -v | cut -d' ' -f2)
	CHAOS_NEW=${CHAOS_OLD%?}$(((${CHAOS_OLD: -1} + 1) % 10))
	chaos_conf >"$CHAOS/first"
	LB=$CHAOS/lb
	start_conf <"$CHAOS/first"
	LB=$CHAOS_LB
	CHAOS_FIRST=$LB_PID
	CHAOS_MAINS=("$LB_PID")
	# Once through all that an event does, so that what is counted now is what there is afterwards.
	kill -HUP "$LB_PID"
	wait_for 10 grep -q 'generation 1 is gone' "$LB_LOG" && wait_for 10 chaos_settled || return 1
	CHAOS_FDS=$(count_fds "$LB_PID") CHAOS_HEIR_FDS=$(count_fds "$(chaos_heir)")
}

# --- the load ---

chaos_one() {	# NAME COMMAND...: in the background, what it prints in a file of that name
	local name=$1
	shift
	"$@" >"$CHAOS/load.$name" 2>"$CHAOS/load.$name.err" 8>&- &
	CHAOS_LOADS+=("$name:$!")
}
chaos_load() {
	local s=$1 ms size
	ms=$((s * 1000))
	# Long answers and long uploads last nearly as long as the load.
	size=$((CHAOS_BULK_RATE * 90 * s))
	CHAOS_LOADS=()
	CHAOS_BEFORE=$(wc -l <"${LB_LOG:-/dev/null}")
	rm -f "$CHAOS"/load.*
	[ "$CHAOS_IDLE" = 0 ] || chaos_one idle "$TESTBIN/load" "127.0.0.1:$WEB" -c "$CHAOS_IDLE" -d "$s" --pause 600000 --last --rate 4000
	chaos_one kept "$TESTBIN/load" "127.0.0.1:$WEB" -c "$CHAOS_KEPT" -d "$s" --pause 4 --last
	chaos_one oneshot "$TESTBIN/load" "127.0.0.1:$WEB" -c "$CHAOS_ONESHOT" -d "$s" --pause 4 --close
	chaos_one slow "$TESTBIN/load" "127.0.0.1:$BIG" -c "$CHAOS_SLOW" -d "$s" --only bytes --size 60000 --slow 1000 --pause 10
	chaos_one mix "$TESTBIN/load" "127.0.0.1:$BIG" -c 4 -d "$s" --mix --size 100000 --pause 20
	chaos_one download "$TESTBIN/load" "127.0.0.1:$BIG" -c 1 -n 1 --only bytes --exact --size "$size" --slow "$CHAOS_BULK_RATE" --timeout $((ms * 3))
	if [ -n "$CHAOS_LONG_UPLOAD" ]; then
		chaos_one upload "$TESTBIN/load" "127.0.0.1:$BIG" -c 1 -n 1 --only digest --exact --size "$size" --slow "$CHAOS_BULK_RATE" --timeout $((ms * 3))
	else
		chaos_one uploads "$TESTBIN/load" "127.0.0.1:$BIG" -c 2 -d "$s" --only digest --exact --size 2000000 --slow 40000
	fi
	chaos_one websocket "$TESTBIN/tunnel" "127.0.0.1:$BIG" -c "$CHAOS_TUNNELS" -d "$ms" -u /upgrade -w 20000 -e
	chaos_one raw "$TESTBIN/tunnel" "127.0.0.1:$RAW" -c "$CHAOS_TUNNELS" -d "$ms" -w 20000 -e
}
_chaos_there() {	# idle clients all have had an answer; tunnels are open
	{ [ "$CHAOS_IDLE" = 0 ] || grep -qs open "$CHAOS/load.idle.err"; } &&
	    grep -qs open "$CHAOS/load.kept.err" &&
	    [ "$(ss -Htn state established "sport = :$RAW" | wc -l)" -ge "$CHAOS_TUNNELS" ]
}
chaos_loaded() { wait_for "${1:-15}" _chaos_there; }

chaos_end() {
	local l name pid line why n
	ASKED=0 LOST=0 CLOSED=0 IDLE_CLOSED=0 ONESHOT_LOST=0 CUT=0 WHY=
	for l in "${CHAOS_LOADS[@]}"; do
		name=${l%%:*} pid=${l##*:}
		wait "$pid"
		line=$(<"$CHAOS/load.$name")
		case $name in
		websocket | raw)
			n=$((CHAOS_TUNNELS - $(field ok "$line")))
			CUT=$((CUT + n))
			;;
		download | upload)
			n=$(($(field ok "$line") == 1 ? 0 : 1))
			CUT=$((CUT + n))
			;;
		*)
			ASKED=$((ASKED + $(field ok "$line") + $(field failed "$line") + $(field closed "$line")))
			LOST=$((LOST + $(field failed "$line")))
			CLOSED=$((CLOSED + $(field closed "$line") + $(field idle_closed "$line")))
			n=$(($(field failed "$line") + $(field closed "$line") + $(field idle_closed "$line")))
			[ "$name" != idle ] || IDLE_CLOSED=$n
			[ "$name" != oneshot ] || ONESHOT_LOST=$n
			;;
		esac
		why=${line##*\"why\":}
		[ "$n" = 0 ] || WHY="$WHY $name:$n$([[ $why == *'{}'* ]] || [ "$why" = "$line" ] || echo "$why" | tr -d '"}\n' | tr '{' '=')"
		printf '%s %s\n' "$name" "$line" >>"$CHAOS/loads.log"
	done
	chaos_lived
}

# From the log: what moved, and how long old generations lived. Generations that were adopted by a successor count from then.
chaos_lived() {
	if [ "$CHAOS_KIND" != lb ]; then
		chaos_lived_peer
		return
	fi
	wait_for 10 chaos_none_retiring
	read -r MOVED LIVED < <(tail -n "+$((CHAOS_BEFORE + 1))" "$LB_LOG" |
	    sed -n 's/.*is gone: \([0-9]*\) connections moved, \([0-9]*\) ms.*/\1 \2/p' |
	    awk '{ n++; m += $1; if ($2 + 0 > l) l = $2 + 0 } END { print n ? m + 0 : "-", n ? l + 0 : "-" }')
}
chaos_none_retiring() { chaos_settled; }

# --- events ---

chaos_event() {
	local e
	for e; do
		"event_$e" || complain "event $e did not come to its end"
		CHAOS_EVENTS=$((CHAOS_EVENTS + 1))
	done
}

_lines() { grep -c -- "$1" "$LB_LOG"; }
_more() { [ "$(_lines "$1")" -gt "$2" ]; }
_changed() { [ -n "$($1)" ] && [ "$($1)" != "$2" ]; }
_chaos_signal() { kill "-$1" "$(chaos_main)" 2>/dev/null; }

event_reload() {
	local n
	n=$(_lines 'serves, generation')
	_chaos_signal HUP
	wait_for 10 _more 'serves, generation' "$n"
}
# Ten in a second; whoever comes while one is under way joins those that wait.
event_storm() {
	local i n
	n=$(_lines 'serves, generation')
	for ((i = 0; i < 10; i++)); do
		_chaos_signal HUP
		read -r -t 0.1 <> <(:)	# ten in a second is what is tested
	done
	wait_for 10 _more 'serves, generation' "$n"
}
event_badfile() {
	local n
	n=$(_lines 'reload: refused')
	chaos_conf 'wokers 2' >"$LB_CONF.new" && mv "$LB_CONF.new" "$LB_CONF"
	_chaos_signal HUP
	wait_for 10 _more 'reload: refused' "$n"
	n=$?
	cp "$CHAOS/first" "$LB_CONF.new" && mv "$LB_CONF.new" "$LB_CONF"
	return $n
}
_chaos_become() {	# VERSION
	local n
	wait_for 10 chaos_settled || return 1
	sed "s/$CHAOS_OLD/$1/g" "$CHAOS_LB" >"$CHAOS/lb.next" && chmod 755 "$CHAOS/lb.next" && mv "$CHAOS/lb.next" "$CHAOS/lb"
	n=$(_lines "version $1 takes over")
	_chaos_signal USR2
	wait_for 10 _more "version $1 takes over" "$n" && wait_for 10 chaos_settled
}
# To another version, the next time back.
event_upgrade() {
	CHAOS_IS=${CHAOS_IS:-$CHAOS_OLD}
	if [ "$CHAOS_IS" = "$CHAOS_OLD" ]; then CHAOS_IS=$CHAOS_NEW; else CHAOS_IS=$CHAOS_OLD; fi
	_chaos_become "$CHAOS_IS"
}
_chaos_some_worker() { workers "$(chaos_main)" | shuf -n 1; }
event_worker() {
	local w
	wait_for 10 chaos_settled
	w=$(_chaos_some_worker)
	[ -n "$w" ] && kill -KILL "$w" && wait_for 10 chaos_settled
}
# Past hang-timeout the supervisor kills it.
event_hang() {
	local w
	wait_for 10 chaos_settled
	w=$(_chaos_some_worker)
	[ -n "$w" ] && kill -STOP "$w" && wait_for 10 _gone "$w" && wait_for 10 chaos_settled
}
event_health() {
	local h
	wait_for 10 chaos_settled
	h=$(health_pid "$(chaos_main)")
	[ -n "$h" ] && kill -KILL "$h" && wait_for 10 _gone "$h"
}
event_heir() {
	local h
	wait_for 10 chaos_settled
	h=$(chaos_heir)
	[ -n "$h" ] && kill -KILL "$h" && wait_for 10 _changed chaos_heir "$h"
}
# One process at a time: not while there is no heir yet.
event_supervisor() {
	local m
	wait_for 10 chaos_settled || return 1
	m=$(chaos_main)
	kill -KILL "$m"
	[ "$m" != "$CHAOS_FIRST" ] || wait "$m" 2>/dev/null	# the shell need not tell of it
	wait_for 10 _changed chaos_main "$m" && wait_for 10 chaos_settled || return 1
	CHAOS_MAINS+=("$(chaos_main)")
	LB_PIDS+=("$(chaos_main)")
}
# In the middle of a reload somebody is killed: the supervisor, health, or a worker, old or new.
event_torn() {
	local who
	wait_for 10 chaos_settled || return 1
	_chaos_signal HUP
	read -r -t "0.0$((RANDOM % 4))$((RANDOM % 10))" <> <(:)	# at any moment of it
	case ${CHAOS_TORN:-$((RANDOM % 3))} in
	0)
		who=$(chaos_main)
		kill -KILL "$who"
		[ "$who" != "$CHAOS_FIRST" ] || wait "$who" 2>/dev/null
		wait_for 10 _changed chaos_main "$who" || return 1
		CHAOS_MAINS+=("$(chaos_main)")
		LB_PIDS+=("$(chaos_main)")
		;;
	1) who=$(_chaos_some_worker) ;;
	2) who=$(health_pid "$(chaos_main)") ;;
	esac
	[ -z "$who" ] || kill -KILL "$who" 2>/dev/null
	wait_for 10 chaos_settled
}
# How often the log says of an app server that it is down, or up.
chaos_told() { grep -c "server app/b$1 is $2" "$LB_LOG"; }

event_backend() {
	local n=$((RANDOM % 3 + 1)) down
	down=$(chaos_told $n down)
	kill_backend B$n KILL
	_backend B$n
	# The next one dies when this one is known to be back: all three at a time are another event.
	[ "$CHAOS_KIND" = lb ] || return 0
	wait_for 2 eval "[ \$(chaos_told $n down) -gt $down ]"
	wait_for 5 eval "[ \$(chaos_told $n up) -gt \$(chaos_told $n down) ]"
}

# --- what is left ---

chaos_leaks() {
	local main heir n
	LEAKS=
	main=$(chaos_main) heir=$(chaos_heir)
	wait_for 15 chaos_as_before || {
		n=$(_children . "$main" | wc -l)
		LEAKS="supervisor: $(count_fds "$main") descriptors, before $CHAOS_FDS; heir: $(count_fds "$(chaos_heir)"), before $CHAOS_HEIR_FDS; $n children"
	}
	[ "$(cat "/dev/shm/loadbalancer.$CHAOS_FIRST" 2>/dev/null | head -c 8 | wc -c)" = 8 ] || LEAKS="$LEAKS; the first table is not there"
	for n in "${CHAOS_MAINS[@]:1}"; do
		[ ! -e "/dev/shm/loadbalancer.$n" ] || LEAKS="$LEAKS; loadbalancer.$n in shared memory"
	done
}
# No more descriptors than in the beginning, and the same children. Who took over has let go of what the first one's
# parent had left open.
chaos_as_before() {
	local main
	main=$(chaos_main)
	chaos_settled && [ "$(_children . "$main" | wc -l)" = $((CHAOS_WORKERS + 2)) ] &&
	    [ "$(count_fds "$main")" -le "$CHAOS_FDS" ] && [ "$(count_fds "$(chaos_heir)")" -le "$CHAOS_HEIR_FDS" ]
}

# Stops it and looks for what stays. Sets LEAKS.
chaos_stop() {
	local pids p main
	LEAKS=
	if [ "$CHAOS_KIND" != lb ]; then
		chaos_stop_peer
		return
	fi
	main=$(chaos_main)
	pids="$main $(_children . "$main")"
	kill -TERM "$main"
	for p in $pids; do wait_for 12 _gone "$p" || LEAKS="$LEAKS; process $p is left"; done
	for p in "${CHAOS_MAINS[@]}"; do [ ! -e "/dev/shm/loadbalancer.$p" ] || LEAKS="$LEAKS; loadbalancer.$p in shared memory"; done
	[ ! -e "$CHAOS/lb.pid" ] || LEAKS="$LEAKS; the pid file"
	[ ! -e "$CHAOS/lb.sock" ] || LEAKS="$LEAKS; the control socket"
}

chaos_head() { printf '%-10s %-22s %6s %8s %6s %7s %5s %8s %8s  %s\n' program event times asked lost closed cut moved 'old, ms' 'left over; what was lost'; }
chaos_row() {	# NAME
	printf '%-10s %-22s %6d %8d %6d %7d %5d %8s %8s  %s\n' "$CHAOS_KIND" "$1" "$CHAOS_EVENTS" "$ASKED" "$LOST" "$CLOSED" "$CUT" "$MOVED" "$LIVED" "${LEAKS:-nothing};${WHY:- nothing}"
}
