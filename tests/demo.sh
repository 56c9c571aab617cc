#!/bin/bash
# make demo: three small servers, the balancer before them, a few hundred requests, a server killed in the
# middle and started again; then a table of who answered what. With ONCE=1 it ends there, else the balancer
# stays for curl until Ctrl-C. Ends non-zero when a request was lost.
LB=${LB:-build/default/loadbalancer}
TOOLS=${TOOLS:-build/default/tools}
REQUESTS=${REQUESTS:-300}
tmp=$(mktemp -d) || exit 1
declare -A pid port

end() {
	local rc=$?
	trap - EXIT INT TERM
	kill "${pid[@]}" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$tmp"
	exit $rc
}
trap end EXIT
trap 'echo; exit 0' INT TERM

until_true() { local i; for i in {1..250}; do "$@" && return 0; sleep 0.02; done; echo "demo: gave up: $*" >&2; exit 1; }

# server NAME [OPTION...]: starts it, on the port it had before if it had one.
server() {
	"$TOOLS/backend" --name "$1" --port "${port[$1]:-0}" "${@:2}" >"$tmp/$1" &
	pid[$1]=$!
	disown
	until_true grep -qs listening "$tmp/$1"
	port[$1]=$(awk '{ print $2 }' "$tmp/$1")
}

answered() { curl -s "http://127.0.0.1:${port[$1]}/healthcheck" | tail -n 1; }
has_answered() { [ "$(answered "$1")" -ge "$2" ]; }

# row TEXT: sends REQUESTS while what stands in the function `meanwhile` happens; prints a line of the table.
lost=0
row() {
	local line n
	"$TOOLS/load" "$front" -c 8 -n "$REQUESTS" --path /hello >"$tmp/load" &
	local load=$!
	meanwhile
	wait $load
	line=$(<"$tmp/load")
	printf '  %-34s' "$1"
	for n in east west north; do printf '%7d' "$(sed -n "s/.*\"$n\":\([0-9]*\).*/\1/p" <<<"$line" | grep . || echo 0)"; done
	n=$((REQUESTS - $(sed 's/.*"ok":\([0-9]*\).*/\1/' <<<"$line")))
	printf '%7d\n' "$n"
	lost=$((lost + n))
}

for front in 8888 8887 8886 18888 18887 18886; do "$TOOLS/portfree" "$front" && break; done
server east --delay 1
server west --delay 1 --entries 40 --errors 2
server north --delay 2
echo "servers:   east 127.0.0.1:${port[east]}   west 127.0.0.1:${port[west]} (starts with 40 requests on its count)   north 127.0.0.1:${port[north]} (slower)"
echo "balancer:  $LB -N 2 -R 50 $front ${port[east]} ${port[west]} ${port[north]}"
"$LB" -N 2 -R 50 "$front" "${port[east]}" "${port[west]}" "${port[north]}" 2>"$tmp/log" >&2 &
pid[lb]=$!
disown
until_true curl -s -o "$tmp/first" "http://127.0.0.1:$front/hello"
echo "first:     $(cat "$tmp/first")"
echo
printf '  %-34s%7s%7s%7s%7s\n' "$REQUESTS requests each" east west north lost
meanwhile() { :; }
row "all three up"
meanwhile() {
	until_true has_answered north $((before + 20))
	kill -KILL "${pid[north]}"
}
before=$(answered north)
row "north killed meanwhile"
meanwhile() { :; }
row "north still down"
server north --delay 2 --entries "$(answered east)"
found() { curl -s "http://127.0.0.1:$front/" | grep -q north; }
until_true found
row "north back"
echo
echo "what the balancer said:"
sed 's/^/  /' "$tmp/log"
echo
if [ "$lost" -eq 0 ]; then
	echo "nothing was lost: $((4 * REQUESTS)) requests, every answer matched to its request."
else
	echo "LOST: $lost of $((4 * REQUESTS)) requests"
	exit 1
fi
[ -z "$ONCE" ] || exit 0
cat <<EOT

The balancer stays until Ctrl-C. Try, from another terminal:
  curl -i http://localhost:$front/
  kill ${pid[west]}          # one server dies; requests go on
  kill -HUP ${pid[lb]}       # new workers, same pid, same clients
EOT
tail -n 0 -F "$tmp/log" &
pid[tail]=$!
while kill -0 "${pid[lb]}" 2>/dev/null; do sleep 1; done
