#!/bin/bash
# The supervisor is killed, or becomes another program: nobody notices.
TEST_LIMIT=120
. "${0%/*}/lib.sh"

start_backend B1
start_backend B2
start_backend E1 --tcp echo
new_port PORT
new_port RAW
cp "$LB" "$TMP/lb"
OLD=$("$LB" -v | cut -d' ' -f2)
NEW=${OLD%?}$(((${OLD: -1} + 1) % 10))
conf() {
	cat <<EOC
workers 2
pid $TMP/lb.pid
$1
pool app {
    check load /healthcheck every 2s
    server b1 127.0.0.1:$B1
    server b2 127.0.0.1:$B2
}
pool echo {
    server e1 127.0.0.1:$E1
}
listen web {
    bind 127.0.0.1:$PORT
    bind unix:$TMP/web.sock
    to app
}
listen raw {
    bind 127.0.0.1:$RAW
    mode tcp
    to echo
}
EOC
}
# What a supervisor may have accepted and not yet handed over when it is killed: a hundredth of a millisecond each.
MAY_LOSE_PER_KILL=2
supervisor() { cat "$TMP/lb.pid"; }
heir() { _children 'loadbalancer: heir' "$(supervisor)"; }
settled() {	# what took over has reloaded, and has an heir of its own
	[ "$(tail -n 40 "$LB_LOG" | grep -c "supervisor\[$(supervisor)\].*serves, generation")" -ge 1 ] && [ -n "$(heir)" ] &&
	    ! grep -q Z "/proc/$(heir)/stat"
}
kill_supervisor() {
	local old
	old=$(supervisor)
	kill -KILL "$old"
	wait_for 5 eval "[ \"\$(supervisor)\" != $old ]" && wait_for 8 settled && LB_PIDS+=("$(supervisor)")
}
upgrade() {	# VERSION that takes over
	local n
	n=$(grep -c "version $1 takes over" "$LB_LOG")
	kill -USR2 "$(supervisor)"
	wait_for 8 eval "[ \"\$(grep -c 'version $1 takes over' '$LB_LOG')\" -gt $n ]" && wait_for 8 settled
}
lossless() {	# FILE: thousands of requests, none failed, no kept connection closed by the other side
	local got
	got=$(<"$1")
	[ "$(field ok "$got")" -gt 2000 ] && [ "$(field failed "$got")" = 0 ] && [ "$(field closed "$got")" = 0 ]
}

nearly_lossless() {	# FILE KILLS
	local got
	got=$(<"$1")
	[ "$(field ok "$got")" -gt 2000 ] && [ "$(field failed "$got")" -le $(($2 * MAY_LOSE_PER_KILL)) ]
}

saved=$LB
LB=$TMP/lb
conf >"$TMP/first"
start_conf <"$TMP/first"
ok "there is an heir" wait_for 5 eval '[ -n "$(heir)" ]'
is "$(awk '/^Uid/ { print $2 }' "/proc/$(heir)/status")" "$(id -u)" "which kept the privileges"
first=$LB_PID

# --- killed, again and again, under load ---
load -d 6 -c 16 >"$TMP/kept" &
kept=$!
load -d 6 -c 4 --close >"$TMP/oneshot" &
oneshot=$!
"$TESTBIN/tunnel" "127.0.0.1:$RAW" -c 10 -d 6000 >"$TMP/tunnels" 2>&1 &
tunnels=$!
for i in 1 2 3; do
	ok "killed supervisor $i is succeeded by its heir" kill_supervisor
done
ok "the pid file names another process" test "$(supervisor)" != "$first"
old=$(heir)
kill -KILL "$old"
ok "a killed heir is replaced" wait_for 5 eval "[ -n \"\$(heir)\" ] && [ \"\$(heir)\" != $old ]"
wait $kept $oneshot
wait $tunnels
is $? 0 "no tunnel is cut"
diag "$(cat "$TMP/kept" "$TMP/oneshot" "$TMP/tunnels")"
ok "kept connections: no request lost, none closed" lossless "$TMP/kept"
ok "one connection a request: none lost but what the dead had in their hands" nearly_lossless "$TMP/oneshot" 3

# --- another program ---
load -d 5 -c 16 >"$TMP/kept" &
kept=$!
load -d 5 -c 4 --close >"$TMP/oneshot" &
oneshot=$!
"$TESTBIN/tunnel" "127.0.0.1:$RAW" -c 10 -d 5000 >"$TMP/tunnels" 2>&1 &
tunnels=$!
before=$(supervisor)
sed "s/$OLD/$NEW/g" "$saved" >"$TMP/lb.new"
chmod +x "$TMP/lb.new"
mv "$TMP/lb.new" "$TMP/lb"
ok "an upgrade to version $NEW" upgrade "$NEW"
is "$(supervisor)" "$before" "is the same process"
printf '#!/bin/sh\necho this one does not work >&2\nexit 1\n' >"$TMP/bad"
chmod +x "$TMP/bad"
mv "$TMP/bad" "$TMP/lb"
kill -USR2 "$(supervisor)"
ok "a program that fails is refused" wait_for 8 grep -q 'upgrade: refused' "$LB_LOG"
ok "and the log has its words" grep -q 'upgrade: this one does not work' "$LB_LOG"
cp "$saved" "$TMP/lb.old"
mv "$TMP/lb.old" "$TMP/lb"
ok "a downgrade to $OLD" upgrade "$OLD"
wait $kept $oneshot
wait $tunnels
is $? 0 "no tunnel is cut"
diag "$(cat "$TMP/kept" "$TMP/oneshot" "$TMP/tunnels")"
ok "kept connections: no request lost, none closed" lossless "$TMP/kept"
ok "one connection a request: none lost" lossless "$TMP/oneshot"

# --- a program that accepts the configuration, and then dies ---
load -d 3 -c 16 >"$TMP/kept" &
kept=$!
before=$(supervisor)
cat >"$TMP/bad" <<EOC
#!/bin/sh
case " \$* " in *" -t "*) exec "$saved" "\$@" ;; esac
exit 7
EOC
chmod +x "$TMP/bad"
mv "$TMP/bad" "$TMP/lb"
n=$(grep -c "version $OLD takes over" "$LB_LOG")
kill -USR2 "$before"
[ "$before" != "$LB_PID" ] || wait "$LB_PID" 2>/dev/null
ok "a program that dies when it should take over" wait_for 8 grep -q 'the new program is gone before it served; the old one takes over' "$LB_LOG"
cp "$saved" "$TMP/lb.old"
mv "$TMP/lb.old" "$TMP/lb"
ok "is followed by the old one" wait_for 8 eval "[ \"\$(grep -c 'version $OLD takes over' '$LB_LOG')\" -gt $n ] && [ \"\$(supervisor)\" != $before ]"
LB_PIDS+=("$(supervisor)")
ok "which settles" wait_for 8 settled
wait $kept
diag "$(<"$TMP/kept")"
ok "kept connections: no request lost, none closed" lossless "$TMP/kept"
sed "s/$OLD/$NEW/g" "$saved" >"$TMP/lb.new"
chmod +x "$TMP/lb.new"
mv "$TMP/lb.new" "$TMP/lb"
ok "and can be upgraded, since it knows its place" upgrade "$NEW"

# --- a file that the new program does not take ---
conf 'wokers 2' >"$LB_CONF"
n=$(grep -c 'upgrade: refused' "$LB_LOG")
kill -USR2 "$(supervisor)"
ok "a bad file stops an upgrade" wait_for 8 eval "[ \"\$(grep -c 'upgrade: refused' '$LB_LOG')\" -gt $n ]"
req /
is "$CODE" 200 "and the old one serves on"

# --- the end ---
pids="$(supervisor) $(heir) $(_children 'loadbalancer: worker' "$(supervisor)")"
ok "the table is still the first one's" test -e "/dev/shm/loadbalancer.$first"
kill -TERM "$(supervisor)"
for p in $pids; do ok "process $p ends" wait_for 5 _gone "$p"; done
ok "no pid file is left" test ! -e "$TMP/lb.pid"
ok "nor the socket" test ! -e "$TMP/web.sock"
ok "nor shared memory" test ! -e "/dev/shm/loadbalancer.$first"
finish
