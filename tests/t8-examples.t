#!/bin/bash
# The configurations of examples/: each is good as it stands, and does what its head says with this test's addresses
# in the place of its own. examples/keepalived: t9-keepalived.t.
TEST_LIMIT=120
. "${0%/*}/lib.sh"
. "$TESTDIR/dns.sh"
PATH=$PATH:/usr/sbin
EXAMPLES=$TESTDIR/../examples

for file in "$EXAMPLES"/*.conf "$EXAMPLES"/*/loadbalancer.conf; do
	run_lb -t -c "$file"
	like "$STATUS $OUT$ERR" '^0 .*the configuration is good' "${file#"$EXAMPLES"/}"
	ok "  says what it is for" eval 'head -n 1 "$file" | grep -q "^# "'
done

# What loadbalancer-migrate(7) makes of HAProxy's file.
awk '/^\.Bd/ { n++; inside = n == 2; next } /^\.Ed/ { inside = 0 } inside' "$TESTDIR/../man/loadbalancer-migrate.7" >"$TMP/migrated"
run_lb -t -c "$TMP/migrated"
like "$STATUS $OUT$ERR" '^0 .*the configuration is good' "the example of the migration"

# The file with ports of this test: AT_LISTENER is where it listens; an address of a server becomes that of what
# S[ADDRESS] names, and where nothing does, of a server started for it, called by its name here.
declare -A S=()
take() {	# FILE
	local line word listener='' port new old
	while IFS= read -r line; do
		read -r word name old _ <<<"$line"
		case $word in
		listen) listener=${name//-/_} ;;
		bind)
			new_port port
			printf -v "AT_$listener" %d "$port"
			PORT=$port
			line="	bind 127.0.0.1:$port"
			;;
		server)
			if [ -z "${S[$old]}" ]; then
				start_backend "${name//-/_}"
				new=${name//-/_}
				S[$old]=127.0.0.1:${!new}
			fi
			line=${line/"$old"/"${S[$old]}"}
			;;
		esac
		printf '%s\n' "$line"
	done <"$EXAMPLES/$1" >"$TMP/taken"
	sed -i "s|/run/|$TMP/|" "$TMP/taken"
	start_conf <"$TMP/taken"
}
ctl() { "$LBCTL" -i "$LB_PID" "$@"; }
get() { local at=AT_$1; shift; req "${@:2}" "http://127.0.0.1:${!at}$1"; }

# --- web-site.conf ---
take web-site.conf
get web / -H 'Host: www.example.org'
like "$CODE $BODY" '^200 app[12] GET /' "web site: an application server"
get web /static/x -H 'Host: www.example.org'
like "$CODE $BODY" '^200 files[12] GET /static/x' "web site: files"
get web /a/b -H 'Host: example.org'
like "$CODE $HEAD" $'^301 .*\n[Ll]ocation: https://www.example.org/a/b' "web site: the bare domain is sent on"
kill_backend app1; kill_backend app2
ok "web site: the spare one, when the others are down" wait_for 10 eval 'get web / && [[ $BODY == spare* ]]'
stop_lb

# --- api.conf ---
S=()
take api.conf
get api / -c "$TMP/jar" -b "$TMP/jar"
first=$BODY
like "$CODE $HEAD" $'^200 .*\n[Xx]-[Rr]equest-[Ii]d: [0-9a-f]{32}' "api: an id"
like "$HEAD" $'\n[Ss]et-[Cc]ookie: LB=' "api: a cookie"
same=0
for i in 1 2 3 4 5 6; do get api / -c "$TMP/jar" -b "$TMP/jar"; [ "$BODY" != "$first" ] || same=$((same + 1)); done
is "$same" 6 "api: who has the cookie stays"
OUT=$(ctl show servers)
is "$(grep -c 'at most 32 in flight' <<<"$OUT")" 3 "api: limits"
kill_backend api1
line=$(load -n 200 -c 4)
is "$(field failed "$line")" 0 "api: a server is killed, and nobody hears of it"
stop_lb

# --- blue-green.conf ---
S=()
take blue-green.conf
get web / -H 'X-Version: green'
like "$BODY" '^green ' "blue and green: who asks for green"
line=$(load -n 202 -c 1)
between "$(field blue "$line")" 195 202 "blue and green: blue serves"
ok "blue and green: a weight" ctl weight app/green 100
line=$(load -n 200 -c 1)
between "$(field green "$line")" 90 110 "blue and green: half and half"
ok "blue and green: blue drains" ctl drain --wait app/blue
line=$(load -n 50 -c 1)
is "$(field green "$line")" 50 "blue and green: all to green"
ok "blue and green: and back" eval 'ctl ready app/blue && ctl weight app/green 0'
line=$(load -n 50 -c 1)
is "$(field blue "$line") $(field failed "$line")" "50 0" "blue and green: all to blue"
stop_lb

# --- database.conf ---
for db in db1 db2 db3; do start_backend $db --tcp name; done
S=([10.0.1.1:5432]=127.0.0.1:$db1 [10.0.1.2:5432]=127.0.0.1:$db2 [10.0.1.3:5432]=127.0.0.1:$db3)
take database.conf
says() { local got=; exec 3<>"/dev/tcp/127.0.0.1/$1" && read -r -t 2 -N 3 got <&3; exec 3>&-; [[ $got =~ ^$2$ ]]; }
ok "database: writing goes to the primary" says "$AT_writing" db1
ok "database: reading to a replica" says "$AT_reading" 'db[23]'
kill_backend db1
ok "database: the stand-by takes over" wait_for 10 says "$AT_writing" db2
stop_lb

# --- discovery.conf ---
host D 4
start_backend api
names "127.0.1.4 app.test" "127.0.0.1 here.test"
dns_start --srv-host="_api._tcp.test,here.test,$api,1,1"
sed "s|resolver .*|resolver 127.0.0.1:$DNS|; s|service\.consul|test|; s|:8080|:$P|" "$EXAMPLES/discovery.conf" >"$TMP/discovery.conf"
EXAMPLES=$TMP take discovery.conf
ok "discovery: addresses" wait_for 10 eval 'get web / && [[ $BODY == "D "* ]]'
ok "discovery: services" wait_for 10 eval 'get web / -H "Host: api.example.org" && [[ $BODY == "api "* ]]'
stop_lb
dns_stop

# --- hitch ---
certificate() {	# NAME
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" \
	    -addext "subjectAltName=DNS:$1,DNS:*.$1" -keyout "$TMP/$1.key" -out "$TMP/$1.pem" 2>>"$TMP/openssl.log" || { cat "$TMP/openssl.log"; return 1; }
}
S=()
take hitch/loadbalancer.conf
certificate www.example.org
cat "$TMP/www.example.org.key" "$TMP/www.example.org.pem" >"$TMP/both.pem"
new_port TLS
sed "s|host = \"\\*\"|host = \"127.0.0.1\"|; s|\"443\"|\"$TLS\"|; s|127.0.0.1\]:8443|127.0.0.1]:$AT_https|; s|/etc/hitch/www.example.org.pem|$TMP/both.pem|" \
    "$EXAMPLES/hitch/hitch.conf" >"$TMP/hitch.conf"
if [ "$(id -u)" = 0 ]; then sed -i 's|^user .*|user = "nobody"|' "$TMP/hitch.conf"; else sed -i '/^user/d' "$TMP/hitch.conf"; fi
hitch --config "$TMP/hitch.conf" >"$TMP/hitch.out" 2>&1 8>&- &
BACKEND_PIDS+=($!)
disown
ok "hitch: up" wait_for 10 listening "$TLS"
req --cacert "$TMP/www.example.org.pem" --resolve "www.example.org:$TLS:127.0.0.1" "https://www.example.org:$TLS/headers"
like "$CODE ${BODY,,}" $'^200 .*x-forwarded-for: 127.0.0.1.*x-forwarded-proto: https' "hitch: by TLS, and the server knows it"
get plain /x?y -H 'Host: www.example.org'
like "$CODE $HEAD" $'^308 .*\n[Ll]ocation: https://www.example.org/x[?]y' "hitch: plain HTTP is sent on"
get plain /.well-known/acme-challenge/z
like "$BODY" '^certbot ' "hitch: but for certificates"
req "http://127.0.0.1:$AT_https/"
is "$CURL" 52 "hitch: who has no PROXY header is nobody"
stop_lb

# --- tls-passthrough.conf ---
certificate shop.example.org && certificate mail.example.org
new_port SHOP && new_port MAIL
mkdir "$TMP/ng"
cat >"$TMP/ng/conf" <<EOC
daemon off;
master_process off;
worker_processes 1;
pid $TMP/ng/pid;
error_log $TMP/ng/error;
events { }
http {
    access_log off;
    client_body_temp_path $TMP/ng/t1; proxy_temp_path $TMP/ng/t2; fastcgi_temp_path $TMP/ng/t3; uwsgi_temp_path $TMP/ng/t4; scgi_temp_path $TMP/ng/t5;
    server { listen 127.0.0.1:$SHOP ssl proxy_protocol; ssl_certificate $TMP/shop.example.org.pem; ssl_certificate_key $TMP/shop.example.org.key;
        location / { return 200 "shop \$ssl_server_name \$proxy_protocol_addr"; } }
    server { listen 127.0.0.1:$MAIL ssl; ssl_certificate $TMP/mail.example.org.pem; ssl_certificate_key $TMP/mail.example.org.key;
        location / { return 200 "mail \$ssl_server_name"; } }
}
EOC
chmod -R a+rwX "$TMP/ng" "$TMP"/*.key
nginx -p "$TMP/ng" -c "$TMP/ng/conf" >"$TMP/ng/out" 2>&1 8>&- &
BACKEND_PIDS+=($!)
disown
ok "sites with TLS" wait_for 10 listening "$SHOP"
S=([10.0.0.11:443]=127.0.0.1:$SHOP [10.0.0.12:443]=127.0.0.1:$SHOP [10.0.0.31:443]=127.0.0.1:$MAIL)
take tls-passthrough.conf
by_name() { req --cacert "$TMP/$2.pem" --resolve "$1:$AT_tls:127.0.0.1" "https://$1:$AT_tls/"; }
by_name shop.example.org shop.example.org
is "$BODY" "shop shop.example.org 127.0.0.1" "TLS: by name, and the server knows the client"
by_name www.shop.example.org shop.example.org
is "$BODY" "shop www.shop.example.org 127.0.0.1" "TLS: names below it"
by_name mail.example.org mail.example.org
is "$BODY" "mail mail.example.org" "TLS: another site"
stop_lb
finish
