#!/bin/bash
# The status page in a browser: what an operator sees while a server is killed under traffic, and when the balancer
# itself is away. SHOTS=DIR keeps the pictures.
TEST_LIMIT=120
. "${0%/*}/lib.sh"

# browse NAME URL OPTION...: after some seconds of the page's own time, what the browser has is in $TMP/NAME.out (with
# --dump-dom) or NAME.png (with --screenshot), and in NAME.log what it had to say
browse() {
	local name=$1 url=$2 common
	shift 2
	rm -f "$TMP/$name.png"
	common=(--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update
	    --disable-sync --disable-dev-shm-usage --hide-scrollbars --enable-logging=stderr --virtual-time-budget=6000
	    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
	(cd "$TMP" && timeout -k 5 60 chromium "${common[@]}" --user-data-dir="$(mktemp -d "$TMP/profile.XXXXXX")" "$@" "$url" >"$name.out" 2>"$name.log" 8>&-)
	[ ! -e "$TMP/screenshot.png" ] || mv "$TMP/screenshot.png" "$TMP/$name.png"
	[ -z "$SHOTS" ] || cp "$TMP"/*.png "$SHOTS/" 2>/dev/null
}
dom() { perl -0777 -ne "$1" "$TMP/page.out"; }	# a script over the page as the browser has it

start_backend B1
start_backend B2
start_backend B3
new_port PORT
new_port STATUS_PORT
start_conf <<E2
workers 2
pool app {
	check http /healthcheck every 200ms
	server app1 127.0.0.1:$B1
	server app2 127.0.0.1:$B2 weight 2
	server app3 127.0.0.1:$B3
}
pool quiet {
	server q1 127.0.0.1:$B1
}
listen web {
	bind 127.0.0.1:$PORT
	route path /quiet to quiet
	to app
}
listen status {
	bind 127.0.0.1:$STATUS_PORT
	serve status
}
E2
URL=http://127.0.0.1:$STATUS_PORT
"$TESTBIN/load" "127.0.0.1:$PORT" -c 3 -d 100 --rate 300 --path /delay/5 >"$TMP/load" 2>&1 &
LOAD=$!
seconds() { [ "$(curl -sS "$URL/history.json" | sed -n '/"pools"/,/"in_flight"/s/"requests": //p' | tr ',' '\n' | grep -vc null)" -ge "$1" ]; }
wait_for 10 seconds 4
kill_backend B2
is_down() { OUT=$(curl -sS "$URL/status.json") && grep -q '"servers_up": 2,' <<<"$OUT"; }
ok "a server is killed under traffic" wait_for 5 is_down

browse page "$URL/" --dump-dom --window-size=1400,2300
is "$(grep CONSOLE "$TMP/page.log")" "" "the browser has nothing to complain of"
is "$(dom 'print $1 if /<html[^>]* data-state="(\w+)"/')" live "the page is live"
like "$(dom 'print $1 if m{id="headline"[^>]*>(.*?)<}s')" '^1 thing is wrong: 3 of 4 servers up$' "the headline"
like "$(dom 'print $1 if m{id="problems"[^>]*>(.*?)</ul>}s')" 'app/app2 is down since [0-9:]{8} \([0-9]+s\): [a-z]' "who, since when, and why"
like "$(dom 'print $1 if m{<title>(.*?)</title>}')" '^✕ 1 wrong' "even in the title"
is "$(dom 'print scalar(() = /<section class="pool"/g)')" 2 "a part for each pool"
ok "plots have points" [ "$(dom 'print scalar(grep { (() = /[ML][0-9]/g) >= 3 } /<path class="curve [^"]*" d="([^"]*)"/g)')" -ge 6 ]
is "$(dom 'print scalar(grep { /NaN|undefined|null|Infinity/ } /<path[^>]* d="([^"]*)"/g)')" 0 "and no nonsense"
is "$(dom 'print scalar(() = m{<svg[^>]*role="img"(?![^>]*aria-label="[^"]{20})}g)')" 0 "each is told in words as well"
like "$(dom 'print $1 if m{aria-label="(Requests and errors[^"]*)"}')" 'requests: now [0-9.k]+, at most [0-9.k]+; errors: now' "with its figures"
like "$(dom 'print $1 if m{aria-label="(app2: [^"]*)"}')" '^app2: now down; down from [0-9:]{8}' "the timeline says how app2 is"
is "$(dom 'print scalar(() = /url\(#p-down\)/g) > 0')" 1 "not by colour alone"
row() { dom 'for (m{<tr[^>]*>(.*?)</tr>}gs) { next unless m{^<th scope="row"><span>'"$1"'<}; s/<small>.*?<\/small>//; s/<\/t[hd]>/|/g; s/<[^>]*>//g; print; last }'; }
like "$(row app/app2)" '^app/app2\|✕down\|[0-9]+s\|[a-z].*\|2\|' "its row in the table: state, since, why, weight"
like "$(row app/app1)" '^app/app1\|●up\|[0-9m]+s\|\|1\|[0-9]+\|[0-9.k]+\|[0-9.]+\|[0-9.]+ [^|]*s\|[0-9.]+ [^|]*s\|' "a server that works: rate, errors, p50, p99"
is "$(dom '@t = m{<table[^>]*>(.*?)</table>}gs; print scalar(@t), " ", scalar(grep { /<caption>/ && /<th scope="col"/ && /aria-sort=/ && /<th scope="row"/ } @t)')" "4 4" \
    "four tables with captions, headings, and how they are sorted"
like "$(dom 'print $1 if m{id="events"[^>]*>(.*?)</ol>}s')" 'app/app2 is down' "it is among what happened"
is "$(dom 'print scalar(() = /<(?:script|link|img|iframe)[^>]*(?:src|href)="(?!data:)/g)')" 0 "nothing from elsewhere is in it"
browse light "$URL/" --screenshot --window-size=1400,2300 --blink-settings=preferredColorScheme=1
is "$(head -c 8 "$TMP/light.png" | od -An -tx1 | tr -d ' ')" 89504e470d0a1a0a "a picture"
ok "with something on it: $(wc -c <"$TMP/light.png") bytes" [ "$(wc -c <"$TMP/light.png")" -gt 60000 ]

browse dark "$URL/" --screenshot --window-size=500,1800 --blink-settings=preferredColorScheme=0
ok "narrow and dark: another picture" eval '[ "$(wc -c <"$TMP/dark.png")" -gt 20000 ] && ! cmp -s "$TMP/light.png" "$TMP/dark.png"'
is "$(grep CONSOLE "$TMP/dark.log")" "" "without complaints"

# --- the page stands alone: where nothing answers it says so, and shows no trouble of its own ---
curl -sS "$URL/" >"$TMP/page.saved"
new_port OTHER
sed "s/^pool quiet {/listen other {\n\tbind 127.0.0.1:$OTHER\n\troute path \/page answer 200 ${TMP//\//\\/}\/page.saved type text\/html\n\tto app\n}\n&/" "$LB_CONF" >"$LB_CONF.new" && mv "$LB_CONF.new" "$LB_CONF"
chmod 644 "$TMP/page.saved"
kill -HUP "$LB_PID"
wait_for 10 listening "$OTHER"
browse page "http://127.0.0.1:$OTHER/page" --dump-dom
is "$(dom 'print $1 if /<html[^>]* data-state="(\w+)"/')" lost "without an answer the page is lost"
like "$(dom 'print $1 if m{id="headline"[^>]*>(.*?)<}s')" '^No contact with the balancer since [0-9:]{8}; trying again$' "and says so"

# --- after a reload, freshly opened: the minutes before are there ---
wait_for 10 grep -q 'generation 2 serves' "$LB_LOG"
browse page "$URL/" --dump-dom
like "$(dom 'print $1 if m{aria-label="(app2: [^"]*)"}')" '^app2: now down; down from' "after a reload it shows what was before"
like "$(dom 'print $1 if m{id="events"[^>]*>(.*?)</ol>}s')" 'configuration 2 serves.*app/app2 is down' "and what happened"
kill $LOAD; wait $LOAD 2>/dev/null
stop_lb
finish
