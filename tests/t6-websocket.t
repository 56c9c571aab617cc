#!/bin/bash
# Tunnels after 101: a WebSocket server and clients of python3-websockets, 1000 messages through one tunnel;
# deadlines of their own, half-close, cuts, in copy and in splice mode.
TEST_LIMIT=180
. "${0%/*}/lib.sh"
PYTHON=/usr/bin/python3
$PYTHON -c 'import websockets' 2>/dev/null || skip_all "no python3-websockets"

cat >"$TMP/server.py" <<'EOP'
import asyncio, signal, sys, websockets
async def serve(ws, path=None):
    async for m in ws:
        if m == "close":
            await ws.close(4001, "as you wish")
            return
        await ws.send(m)
async def main():
    end = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set_result, None)
    async with websockets.serve(serve, "127.0.0.1", int(sys.argv[1]), max_size=None, ping_interval=None):
        await end
asyncio.run(main())
EOP
cat >"$TMP/client.py" <<'EOP'
import asyncio, hashlib, random, sys, websockets
url, clients, messages, largest = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
async def client(n):
    r = random.Random(n)
    async with websockets.connect(url, max_size=None, ping_interval=None) as ws:
        sent = []
        async def send():
            for i in range(messages):
                size = r.randrange(largest) if i % 10 == 0 else r.randrange(200)
                m = r.randbytes(size) if i % 2 else r.randbytes(size).hex()
                sent.append(m)
                await ws.send(m)
        task = asyncio.create_task(send())
        good = 0
        for i in range(messages):
            m = await asyncio.wait_for(ws.recv(), 60)
            good += m == sent[i]
            sent[i] = None
        await task
        await ws.ping()
        await ws.send("close")
        try:
            await ws.recv()
        except websockets.ConnectionClosed as e:
            return good if e.code == 4001 and e.reason == "as you wish" else -1
    return -2
async def main():
    got = await asyncio.gather(*(client(n) for n in range(clients)))
    print(sum(got), "of", clients * messages)
asyncio.run(main())
EOP
new_port WS
$PYTHON "$TMP/server.py" "$WS" >"$TMP/server.out" 2>&1 8>&- &
WS_PID=$!
BACKEND_PIDS+=("$WS_PID")
disown
wait_for 20 listening "$WS" || { cat "$TMP/server.out"; exit 1; }
start_backend B1
for name in SPLICE COPY IDLE TCP; do new_port "$name"; done
PORT=$SPLICE
start_conf <<EOC
workers 2
pool ws {
    check tcp every 1s
    server ws 127.0.0.1:$WS
}
pool app {
    check load every 1s
    server b1 127.0.0.1:$B1
}
listen splice {
    bind 127.0.0.1:$SPLICE
    to ws
}
listen copy {
    bind 127.0.0.1:$COPY
    splice off
    to ws
}
listen tcp {
    bind 127.0.0.1:$TCP
    mode tcp
    to ws
}
listen idle {
    bind 127.0.0.1:$IDLE
    tunnel-timeout 800ms
    idle-timeout 60s
    to app
}
EOC

for name in SPLICE COPY TCP; do
	PORT=${!name}
	is "$($PYTHON "$TMP/client.py" "ws://127.0.0.1:$PORT/chat" 1 1000 60000 2>&1 | tail -n 1)" "1000 of 1000" "$name: 1000 messages there and back, and a close with its code"
	is "$($PYTHON "$TMP/client.py" "ws://127.0.0.1:$PORT/chat" 30 40 3000 2>&1 | tail -n 1)" "1200 of 1200" "$name: 30 clients at a time"
done
PORT=$SPLICE
is "$($PYTHON "$TMP/client.py" "ws://127.0.0.1:$PORT/chat" 2 40 3000000 2>&1 | tail -n 1)" "80 of 80" "messages of megabytes"
req -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' /
is "$CODE" 400 "a handshake that the server refuses is answered, and is no tunnel"

# A tunnel's own deadline, and its ends.
PORT=$IDLE
UPGRADE='GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n'
start=$(_now_ms)
out=$(raw "$UPGRADE" -w '\r\n\r\n' hello -w hello -t 10000)
rc=$?
like "$out" '^HTTP/1.1 101 .*hello$' "101, and what follows comes back"
ok "an idle tunnel is closed" [ $rc = 0 -o $rc = 4 ]
between $(($(_now_ms) - start)) 700 5000 "after tunnel-timeout, not after idle-timeout"
start=$(_now_ms)
out=$(raw "$UPGRADE" -w '\r\n\r\n' a -w a -p 400 b -w b -p 400 c -w c -p 400 d -w d -s)
like "$out" 'abcd$' "every byte begins it anew; half-close comes through"
between $(($(_now_ms) - start)) 1200 10000 "so it lives as long as there is something"
like "$(raw "${UPGRADE}early" -w early -s)" 'early$' "bytes sent before 101 has come go through the tunnel"
"$TESTBIN/pattern" 3000000 6 >"$TMP/big"
raw "$UPGRADE" -w '\r\n\r\n' -f "$TMP/big" -s >"$TMP/out"
ok "3 MB through an upgraded connection, and its end" eval 'tail -c 3000000 "$TMP/out" | cmp -s - "$TMP/big"'
raw "$UPGRADE" -w '\r\n\r\n' x -w x -r >"$TMP/null"
kill -KILL "$WS_PID"
req /plain
is "$CODE" 200 "and the balancer serves on"
finish
