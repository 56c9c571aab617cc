#!/bin/bash
# The status page in a browser: what an operator sees while a server is killed under traffic, and when the balancer
# itself goes away and comes back. SHOTS=DIR keeps the pictures.
TEST_LIMIT=120
. "${0%/*}/lib.sh"

js() { "$TESTDIR/tools/browser.py" "$DEBUG_PORT" "$1" 2>"$TMP/js.err"; }
# picture NAME WIDTH HEIGHT light|dark
picture() {
	"$TESTDIR/tools/browser.py" "$DEBUG_PORT" --shot "$TMP/$1.png" "$2" "$3" "$4" || return 1
	[ -z "$SHOTS" ] || cp "$TMP/$1.png" "$SHOTS/"
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

new_port DEBUG_PORT
PROFILE=$(mktemp -d "$TMP/profile.XXXXXX")
chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync \
    --disable-dev-shm-usage --hide-scrollbars --enable-logging=stderr "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1" --user-data-dir="$PROFILE" \
    --remote-debugging-port="$DEBUG_PORT" "$URL/" >"$TMP/live.out" 2>"$TMP/live.log" 8>&- &
CHROMIUM=$!
is_live() { [ "$(js 'document.documentElement.dataset.state + (document.documentElement.dataset.rounds > 1)')" = livetrue ]; }
ok "a browser shows the page" wait_for 40 is_live
# A browser that starts at once finds few seconds to draw.
drawn() {
	js 'document.documentElement.outerHTML' >"$TMP/page.out"
	[ "$(dom 'print scalar(grep { (() = /[ML][0-9]/g) >= 3 } /<path class="curve [^"]*" d="([^"]*)"/g)')" -ge 6 ]
}
ok "plots have points" wait_for 20 drawn
is "$(dom 'print $1 if /<html[^>]* data-state="(\w+)"/')" live "the page is live"
like "$(dom 'print $1 if m{id="headline"[^>]*>(.*?)<}s')" '^1 thing is wrong: 3 of 4 servers up$' "the headline"
like "$(dom 'print $1 if m{id="problems"[^>]*>(.*?)</ul>}s')" 'app/app2 is down since [0-9:]{8} \([0-9]+s\): [a-z]' "who, since when, and why"
like "$(dom 'print $1 if m{<title>(.*?)</title>}')" '^✕ 1 wrong' "even in the title"
is "$(dom 'print scalar(() = /<section class="pool"/g)')" 2 "a part for each pool"
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
is "$(picture light 1400 2300 light)" 1400 "a picture"
is "$(head -c 8 "$TMP/light.png" | od -An -tx1 | tr -d ' ')" 89504e470d0a1a0a "is a PNG"
ok "with something on it: $(wc -c <"$TMP/light.png") bytes" [ "$(wc -c <"$TMP/light.png")" -gt 60000 ]

is "$(picture dark 400 1800 dark)" 400 "on a narrow screen nothing sticks out"
ok "narrow and dark: another picture" eval '[ "$(wc -c <"$TMP/dark.png")" -gt 20000 ] && ! cmp -s "$TMP/light.png" "$TMP/dark.png"'
is "$(grep CONSOLE "$TMP/live.log")" "" "the browser has nothing to complain of"

# --- a page that is opened after a reload, and stays open: sorted, filtered, by keys; the balancer goes away, and comes back ---
kill -HUP "$LB_PID"
wait_for 10 grep -q 'generation 2 serves' "$LB_LOG"
told() { OUT=$(curl -sS "$URL/history.json") && grep -q '"generation": 2' <<<"$OUT"; }
wait_for 5 told
kill $LOAD; wait $LOAD 2>/dev/null
js 'location.reload()'
ok "the page, opened anew" wait_for 30 is_live
like "$(js 'document.querySelector(".lane svg[aria-label^=app2]").getAttribute("aria-label")')" '^app2: now down; down from' "opened after a reload it shows what was before"
like "$(js 'document.getElementById("events").textContent')" 'configuration 2 serves.*app/app2 is down' "and what happened"
is "$(js 'document.querySelectorAll("#servers thead button")[5].click(); const h = document.querySelectorAll("#servers thead th"); [...h].map(t => t.getAttribute("aria-sort")).filter(s => s).join() + h[5].getAttribute("aria-sort")')" \
    "descendingdescending" "a heading that is pressed sorts, and says so; the others do not"
is "$(js 'document.querySelectorAll("#servers thead button")[0].click(); const b = document.querySelectorAll("#servers thead button")[0]; b.click(); [...document.querySelectorAll("#servers tbody th > span")].map(t => t.firstChild.data).join()')" \
    "quiet/q1,app/app3,app/app2,app/app1" "pressed twice: the other way round"
is "$(js 'const f = document.getElementById("filter"); f.value = "DOWN app"; f.dispatchEvent(new Event("input")); document.querySelectorAll("#servers tbody tr").length + " " + document.getElementById("filtered").textContent')" \
    "1 1 of 4 servers" "a filter"
like "$(js 'const p = document.querySelector(".plot"); p.focus(); for (const key of ["ArrowLeft", "PageUp", "ArrowRight"]) p.dispatchEvent(new KeyboardEvent("keydown", { key })); document.getElementById("spoken").textContent')" \
    '^Requests and errors per second, [0-9:]{8}: requests [0-9.k–]+, errors [0-9.–]+$' "keys move along a plot, and it is told"
is "$(js 'document.querySelector("input[value=\"1h\"]").click(); new Promise(r => { const t = setInterval(() => { const l = document.querySelector(".plot svg").getAttribute("aria-label"); if (/last [0-9]+m/.test(l) && !/last [0-9]m/.test(l)) { clearInterval(t); r("another range"); } }, 50); setTimeout(() => r("none"), 8000); })')" \
    "another range" "the hour"
stop_lb
lost() { [ "$(js 'document.documentElement.dataset.state')" = lost ]; }
ok "the balancer is away: the page is lost" wait_for 20 lost
like "$(js 'document.getElementById("headline").textContent')" '^No contact with the balancer since [0-9:]{8}; trying again$' "and says so"
is "$(js 'document.querySelectorAll("#servers tbody tr").length')" 1 "what was known stays"
restart_backend B2
start_conf <"$LB_CONF"
ok "it is there again, and so is the page" wait_for 20 is_live
well() { [[ $(js 'document.getElementById("headline").textContent') == "All is well: 4 of 4 servers up" ]]; }
ok "all is well" wait_for 10 well
is "$(grep CONSOLE "$TMP/live.log" | grep -v 'net::ERR_\|Failed to load resource')" "" "no complaint but that it could not connect"
kill $CHROMIUM; wait $CHROMIUM 2>/dev/null
closed() { ! grep -lsF "$PROFILE" /proc/[0-9]*/cmdline >/dev/null; }
wait_for 10 closed
stop_lb
finish
