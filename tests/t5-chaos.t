#!/bin/bash
# Everything at once, in short: a load that checks every byte and never tries twice, while the balancer is reloaded,
# replaced by another version, and its processes are killed. `make chaos` is the long form.
TEST_LIMIT=150
. "${0%/*}/lib.sh"
. "${0%/*}/chaos/chaos.sh"

# What each worker that is killed, or hangs, may cost at most: what it was answering, what it was sending to a server and
# cannot send again, and tunnels. Of the others that is slow readers, bodies, and few besides.
WORKER_MAY_LOSE=10		# requests
WORKER_MAY_CLOSE=$((CHAOS_SLOW + 10))	# kept connections under a request
WORKER_MAY_CUT=$((2 * CHAOS_TUNNELS + 2))	# tunnels, downloads, uploads
# How long an old generation may live, where no server lets it wait. Sanitizers take their time.
OLD_LIVES_MS=2000
sanitized && OLD_LIVES_MS=6000

told() { diag "$1: $CHAOS_EVENTS events, $ASKED asked, $LOST lost, $CLOSED closed, $CUT cut, $MOVED moved, old generations at most $LIVED ms;${WHY:- nothing lost}"; }

chaos_backends
ok "starts" chaos_start lb

# --- what nobody may notice ---
chaos_load 7
ok "$((CHAOS_IDLE + CHAOS_KEPT)) kept connections, $((2 * CHAOS_TUNNELS)) tunnels, a download" chaos_loaded
for e in reload upgrade badfile health supervisor storm heir upgrade reload; do
	ok "event: $e" chaos_event $e
done
chaos_end
told "reload, upgrade, downgrade, bad file, health, supervisor, heir"
between "$ASKED" 1000 100000000 "there was a load"
is "$((LOST - ONESHOT_LOST))" 0 "no request is lost;$WHY"
between "$ONESHOT_LOST" 0 "$SUPERVISOR_MAY_LOSE" "nor a connection, but for what the supervisor had in its hands when it was killed"
is "$CLOSED" 0 "no kept connection is closed"
is "$CUT" 0 "no tunnel, no download, no upload is cut"
between "${MOVED/-/0}" "$CHAOS_IDLE" 100000000 "connections moved"
between "${LIVED/-/0}" 0 "$OLD_LIVES_MS" "old generations are gone soon"

# --- servers ---
CHAOS_EVENTS=0
chaos_load 3
chaos_loaded
for e in backend backend backend; do ok "event: $e" chaos_event $e; done
chaos_end
told "servers killed"
is "$LOST $CLOSED $CUT" "0 0 0" "requests that can be repeated are;$WHY"

# --- workers ---
CHAOS_EVENTS=0
chaos_load 4
chaos_loaded
for e in worker worker hang worker; do ok "event: $e" chaos_event $e; done
chaos_end
told "workers killed, one hangs"
between "$LOST" 0 $((CHAOS_EVENTS * WORKER_MAY_LOSE)) "what workers held is lost, no more;$WHY"
is "$IDLE_CLOSED" 0 "of $CHAOS_IDLE idle connections none is"
between "$CLOSED" 0 $((CHAOS_EVENTS * WORKER_MAY_CLOSE)) "closed"
between "$CUT" 0 $((CHAOS_EVENTS * WORKER_MAY_CUT)) "cut"
ok "who hangs says where" grep -Eq 'worker [0-9]+\[[0-9]+\] error: hanging at' "$LB_LOG"
ok "and the kernel's view of it is told" grep -Eq 'hanging for [0-9]+ ms and is killed; it was stopped by a signal' "$LB_LOG"

# --- afterwards ---
line=$(load -n 200 -c 4 --close)
like "$line" '"ok":200,"failed":0' "all is well afterwards"
chaos_leaks
is "$LEAKS" "" "no descriptor, process, shared memory is left over"
chaos_stop
is "$LEAKS" "" "nor anything at the end"
finish
