#!/bin/bash
# nginx from Debian behind the balancer, curl before it.
. "${0%/*}/lib.sh"
PATH=$PATH:/usr/sbin
command -v nginx >/dev/null || skip_all "no nginx"

# start_nginx VAR: a server of its own directory on a new port
start_nginx() {
	local port dir=$TMP/$1
	new_port port
	printf -v "$1" %d "$port"
	mkdir -p "$dir/www" "$dir/tmp"
	"$TESTBIN/pattern" 2000000 9 >"$dir/www/big"
	echo "hello from $1" >"$dir/www/index.html"
	printf '0\n0\n' >"$dir/www/healthcheck"
	chmod -R a+rX "$TMP"
	cat >"$dir/conf" <<EOC
daemon off;
master_process off;
worker_processes 1;
pid $dir/pid;
error_log $dir/error;
events { worker_connections 512; }
http {
    access_log $dir/access;
    client_body_temp_path $dir/tmp/a; proxy_temp_path $dir/tmp/b; fastcgi_temp_path $dir/tmp/c;
    uwsgi_temp_path $dir/tmp/d; scgi_temp_path $dir/tmp/e;
    keepalive_timeout 65;
    keepalive_requests 50;
    client_max_body_size 10m;
    gzip on; gzip_types *; gzip_min_length 1;
    server {
        listen 127.0.0.1:$port;
        root $dir/www;
        location /moved { return 301 /index.html; }
        location /empty { return 204; }
        location /cut { return 444; }
        location /put { dav_methods PUT DELETE; create_full_put_path on; }
    }
}
EOC
	nginx -p "$dir" -c "$dir/conf" >"$dir/out" 2>&1 8>&- &
	printf -v "$1_PID" %d $!
	BACKEND_PIDS+=($!)
	disown
	wait_for 10 listening "$port" || { cat "$dir/out" "$dir/error"; exit 1; }
}

start_nginx N1
start_nginx N2
start_lb -N 2 -R 50 @ "$N1" "$N2"
req /
is "$CODE" 200 "GET /"
like "$BODY" '^hello from N[12]$' "its page"
req /big
ok "two megabytes, to the byte" cmp -s "$TMP/body" "$TMP/N1/www/big"
req --compressed /big
ok "gzip, chunked" cmp -s "$TMP/body" "$TMP/N1/www/big"
req -I /big
like "$HEAD" 'Content-Length: 2000000' "HEAD"
req -r 1000-1999 /big
is "$CODE $(cksum <"$TMP/body")" "206 $(tail -c +1001 "$TMP/N1/www/big" | head -c 1000 | cksum)" "a range"
req /nothing
is "$CODE" 404 "404"
req /moved
is "$CODE" 301 "301"
req /empty
is "$CODE" 204 "204"
etag=$(curl -sI "http://127.0.0.1:$PORT/" | tr -d '\r' | sed -n 's/^[Ee][Tt]ag: //p')
req -H "If-None-Match: $etag" /
ok "If-None-Match: 304 or, from the other server, 200" [ "$CODE" = 304 -o "$CODE" = 200 ]
req -T "$TMP/N1/www/big" /put/copy
is "$CODE" 201 "PUT through WebDAV"
ok "and what it stored is the same" cmp -s "$TMP/N1/www/big" "$(ls "$TMP"/N?/www/put/copy)"
line=$(load -n 1000 -c 8 --strict)
like "$line" '"ok":1000,"failed":0' "1000 GETs on kept connections; nginx closes its own every 50 requests"
line=$(load -n 300 -c 8 --close --path /big --strict)
like "$line" '"ok":300,"failed":0' "300 times 2 MB"
if command -v wrk >/dev/null; then
	out=$(wrk -t 1 -c 20 -d 1s "http://127.0.0.1:$PORT/" 2>&1)
	ok "wrk: no errors" eval '! grep -Eq "Socket errors|Non-2xx" <<<"$out"' || diag "$out"
else
	skip "no wrk"
fi
if command -v h2load >/dev/null; then
	out=$(h2load --h1 -n 1000 -c 10 "http://127.0.0.1:$PORT/" 2>&1)
	like "$out" '1000 succeeded, 0 failed' "h2load --h1"
else
	skip "no h2load"
fi
kill -KILL "$N1_PID"
line=$(load -n 200 -c 4 --close --strict)
like "$line" '"ok":200,"failed":0' "one nginx killed: nothing is lost"
kill -KILL "$N2_PID"
wait_for 5 _gone "$N2_PID"
raw 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >"$TMP/answer"
ok "both killed: the 57 bytes" eval 'printf %s "$ALL_DOWN" | cmp -s - "$TMP/answer"'
finish
