#!/bin/bash
# How connections end in mode tcp: halves, resets, bytes on their way; copied and spliced. The two ends are one
# program, which also plays each case without the balancer in between.
TEST_LIMIT=180
. "${0%/*}/lib.sh"
PYTHON=/usr/bin/python3
[ -x $PYTHON ] || skip_all "no $PYTHON"

cat >"$TMP/ends.py" <<'EOP'
import hashlib, random, socket, struct, sys, threading, time
listen, connect, case = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
BIG = random.Random(1).randbytes(3000000)
FULL = hashlib.md5(BIG).hexdigest()

def read(s, pause=0, limit=None):
    """All that comes, and how it ends."""
    h, n = hashlib.md5(), 0
    s.settimeout(20)
    while limit is None or n < limit:
        try:
            d = s.recv(65536 if limit is None else min(65536, limit - n))
        except ConnectionResetError:
            return n, "reset"
        except socket.timeout:
            return n, "timeout"
        if not d:
            return n, "whole" if h.hexdigest() == FULL else "end"
        h.update(d)
        n += len(d)
        if pause:
            time.sleep(pause)
    return n, "so far"

def send(s, data):
    s.settimeout(20)
    try:
        s.sendall(data)
        return "sent"
    except (ConnectionResetError, BrokenPipeError):
        return "refused"

def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()

class ends:
    # each pair: what the server does, what the client does; each returns what it saw
    def server_answers_and_closes_unread():
        return lambda s: (read(s, limit=1), send(s, BIG), s.close()), lambda c: (send(c, b"x" * 100000), read(c))[1][1]
    def both_at_once():
        def play(s):
            t = threading.Thread(target=lambda: (send(s, BIG), s.shutdown(1)))
            t.start()
            r = read(s)
            t.join()
            return r
        return play, play
    def client_resets():
        return lambda s: read(s)[1], lambda c: (send(c, BIG), reset(c))[0]
    def client_resets_before_a_byte():
        return lambda s: read(s)[1], lambda c: (read(c, limit=0), reset(c))[0][1]
    def server_resets():
        return lambda s: (read(s, limit=1), send(s, BIG), time.sleep(0.2), reset(s)), lambda c: (send(c, b"x"), read(c))[1][1]
    def client_ends_then_resets():
        return lambda s: (read(s, limit=1), read(s, limit=1), s.settimeout(5), wait_gone(s))[-1], \
            lambda c: (send(c, b"x"), c.shutdown(1), time.sleep(0.2), reset(c))[0]
    def server_ends_then_client_sends():
        return lambda s: (send(s, b"hello"), s.shutdown(1), read(s))[-1], \
            lambda c: (read(c)[0], send(c, BIG), c.close())[:2]
    def client_ends_then_server_sends():
        return lambda s: (read(s), time.sleep(0.1), send(s, BIG), s.close())[0], \
            lambda c: (send(c, BIG), c.shutdown(1), read(c))[-1]
    def slow_client():
        return lambda s: (read(s, limit=1), send(s, BIG), s.close())[1], lambda c: (send(c, b"x"), c.shutdown(1), time.sleep(0.5), read(c, 0.001))[-1]
    def slow_server():
        return lambda s: (time.sleep(0.5), read(s, 0.001))[-1], lambda c: (send(c, BIG), c.close())[0]
    def server_leaves_then_client_talks():
        def client(c):
            r = read(c)
            for i in range(100):
                if send(c, b"x") == "refused":
                    return r, "refused"
                time.sleep(0.05)
            return r, "never refused"
        return lambda s: (send(s, BIG), s.close())[0], client

def wait_gone(s):
    """How long until nobody is at the other end, who has said all: a write fails then."""
    end = time.time() + 5
    while time.time() < end:
        e = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if e:
            return "gone"
        time.sleep(0.02)
    return "still there"

server, client = getattr(ends, case)()
l = socket.create_server(("127.0.0.1", listen))
saw = []
def serve():
    s, _ = l.accept()
    saw.append(server(s))
    s.close()
t = threading.Thread(target=serve)
t.start()
c = socket.create_connection(("127.0.0.1", connect))
seen = client(c)
t.join(25)
c.close()
print("server:", saw[0] if saw else "did not end", "client:", seen)
EOP

for name in SERVER SPLICE COPY; do new_port "$name"; done
PORT=$SPLICE
start_conf <<EOC
workers 1
pool ends {
    check none
    server ends 127.0.0.1:$SERVER
}
listen splice {
    bind 127.0.0.1:$SPLICE
    mode tcp
    to ends
}
listen copy {
    bind 127.0.0.1:$COPY
    mode tcp
    splice off
    to ends
}
EOC
worker_fds() { count_fds $(workers); }
play() { timeout 60 $PYTHON "$TMP/ends.py" "$SERVER" "$@" 2>&1 | tail -n 1; }
play "$SPLICE" slow_client >"$TMP/null"
base=$(worker_fds)

for case in client_resets client_resets_before_a_byte server_resets client_ends_then_resets server_ends_then_client_sends \
	client_ends_then_server_sends slow_client slow_server server_leaves_then_client_talks both_at_once \
	server_answers_and_closes_unread; do
	direct=$(play "$SERVER" $case)
	diag "$case, without the balancer: $direct"
	is "$(play "$SPLICE" $case)" "$direct" "splice: $case"
	is "$(play "$COPY" $case)" "$direct" "copy: $case"
done
ok "descriptors are given back" wait_for 5 eval '[ "$(worker_fds)" -le '$((base + 4))' ]'
diag "worker descriptors: before $base, after $(worker_fds)"
finish
