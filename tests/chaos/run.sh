#!/bin/bash
# The long form: each event by itself, then all of them mixed, and a line for each. `make chaos` calls it.
#
#	EVENTS="reload upgrade ..."	some only; "mixed" is all of them at random
#	SECONDS_EACH=N			of one event (8); MINUTES=N: of the mixed ones (1)
#	PERIOD=S			between two events (1); they come faster where one is over sooner than that
#	PEERS=1				nginx and HAProxy beside it, as far as they have the events
#	CHAOS_IDLE=N|most		idle kept connections (1000); other numbers: see chaos.sh
#	CHAOS_LONG_UPLOAD=1		an upload that lasts as long as the load
#
# Ends with 1 when something was lost, closed or cut that should not have been, or something is left over.
LIMIT=$((${MINUTES:-1} * 60 + 1800))
TEST_LIMIT=$LIMIT
. "${0%/*}/../lib.sh"
. "${0%/*}/chaos.sh"
. "${0%/*}/peers.sh"

EVENTS=${EVENTS:-reload upgrade storm badfile health heir supervisor backend worker hang torn mixed}
EACH=${SECONDS_EACH:-8}
PERIOD=${PERIOD:-1}
ALL="reload upgrade storm badfile health heir supervisor backend worker hang torn"
RESULT=0

# What an event may cost. A worker that dies takes with it what it was answering, and tunnels.
free_of_loss() { [ "$LOST" = 0 ] && [ "$CLOSED" = 0 ] && [ "$CUT" = 0 ]; }
may_be() {	# EVENT
	case $1 in
	worker | hang | mixed | torn) return 0 ;;
	supervisor) [ $((LOST - ONESHOT_LOST)) = 0 ] && [ "$ONESHOT_LOST" -le $((CHAOS_EVENTS * SUPERVISOR_MAY_LOSE)) ] && [ "$CLOSED" = 0 ] && [ "$CUT" = 0 ] ;;
	*) free_of_loss ;;
	esac
}

one_event() {	# NAME
	local e=$1 of
	if [ "$e" = mixed ]; then
		read -ra of <<<"$ALL"
		e=${of[RANDOM % ${#of[@]}]}
	fi
	if [ "$CHAOS_KIND" = lb ]; then
		chaos_event "$e"
	else
		"peer_$e"
		CHAOS_EVENTS=$((CHAOS_EVENTS + 1))
	fi
}

scenario() {	# KIND EVENT
	local s=$EACH end next now
	[ "$2" != mixed ] || s=$((${MINUTES:-1} * 60))
	chaos_start "$1" || { RESULT=1; return; }
	chaos_load $((s + 3))
	chaos_loaded 30 || complain "$1: not all clients came in"
	end=$(($(_now_ms) + s * 1000))
	while now=$(_now_ms) && [ "$now" -lt "$end" ]; do
		next=$((now + ${PERIOD%.*} * 1000))
		one_event "$2"
		now=$(_now_ms)
		[ "$now" -ge "$next" ] || read -r -t "$(printf '%d.%03d' $(((next - now) / 1000)) $(((next - now) % 1000)))" <> <(:)
	done
	chaos_end
	LEAKS=
	[ "$1" != lb ] || chaos_leaks
	chaos_row "$2"
	if [ "$1" = lb ]; then
		[ -z "$LEAKS" ] && may_be "$2" || RESULT=1
	fi
	chaos_stop
	[ -z "$LEAKS" ] || { echo "  left over at the end: $LEAKS"; RESULT=1; }
	if [ "$1" = lb ] && grep -E 'killed by signal (4|6|7|8|11) |AddressSanitizer|LeakSanitizer|runtime error:' "$LB_LOG" | head -5 | grep .; then
		echo "  a process crashed, or a sanitizer complains: see above"
		RESULT=1
	fi
}

chaos_backends
echo "$CHAOS_IDLE idle, $CHAOS_KEPT kept and $CHAOS_ONESHOT one-shot clients, $CHAOS_SLOW slow readers, $((2 * CHAOS_TUNNELS)) tunnels, a download, uploads;"
echo "$CHAOS_WORKERS workers; every ${PERIOD} s an event, for $EACH s; $("$LB" -v), $(nproc) processors"
chaos_head
for e in $EVENTS; do scenario lb "$e"; done
if [ -n "$PEERS" ]; then
	for kind in nginx haproxy; do
		for e in $EVENTS; do
			[[ " $(peer_events $kind) " != *" $e "* ]] || scenario $kind "$e"
		done
	done
fi
for pid in "${LB_PIDS[@]}"; do _no_shm "$pid" || { echo "of balancer $pid something is left in /dev/shm"; RESULT=1; }; done
exit $RESULT
