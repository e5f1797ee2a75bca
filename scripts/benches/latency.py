"""How long others wait while passwords are checked."""

import http.client
import itertools
import json
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

from .nginx import FORM, QUICK, Nginx, basic, form
from .output import table, title

LATENCY = """
    authgate_realm shared { users {users}; limit off; path /shared/; cookie shared; }
    authgate_realm own { users {users}; limit off; checks pool=passwords; path /own/; cookie own; }
    server { listen 127.0.0.1:{ungated}; }
    server { listen 127.0.0.1:{shared}; authgate shared; }
    server { listen 127.0.0.1:{own}; authgate own; }
    server { listen 127.0.0.1:{auth_basic}; auth_basic ops; auth_basic_user_file {users}; }
"""


class Attackers:
    """Clients that send wrong passwords as fast as they are answered, in a process of their own."""

    def __init__(self, port, method, path, body, headers, clients=8):
        self.stop = threading.Event()
        self.statuses = {}
        self.threads = [threading.Thread(target=self.attack, args=(port, method, path, body, headers))
                        for _ in range(clients)]

    def attack(self, *request):
        port, method, path, body, headers = request
        while not self.stop.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            try:
                connection.request(method, path, body and body(), headers)
                response = connection.getresponse()
                response.read()
                status = response.status
            except OSError as error:
                status = type(error).__name__
            connection.close()
            self.statuses[status] = self.statuses.get(status, 0) + 1

    def __enter__(self):
        for thread in self.threads:
            thread.daemon = True
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)


@contextmanager
def busy_processes(count):
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


PROBE = r"""
import json, os, socket, sys, time
port, seconds = int(sys.argv[1]), float(sys.argv[2])
try:  # so that what is measured is the server, not when the probe itself gets a processor
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    realtime = True
except PermissionError:
    realtime = False
request = b"GET /file HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
s = socket.create_connection(("127.0.0.1", port), 60)
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
times, start = [], time.perf_counter()
for i in range(int(seconds * 100)):
    due = start + i / 100
    while (left := due - time.perf_counter()) > 0:
        time.sleep(left)
    if time.perf_counter() > start + seconds:  # never got to ask: it would have waited at least this long
        times.append((start + seconds - due) * 1000)
        continue
    s.sendall(request)
    got = b""
    while True:
        chunk = s.recv(65536)
        if not chunk:
            sys.exit("the connection was closed")
        got += chunk
        head, end, body = got.partition(b"\r\n\r\n")
        if end and len(body) >= 1024:
            break
    assert got.startswith(b"HTTP/1.1 200"), got[:200]
    times.append((time.perf_counter() - due) * 1000)  # from when it was due: queueing counts
print(json.dumps({"realtime": realtime, "times": times}))
"""


def probe(port, seconds):
    output = subprocess.run([sys.executable, "-c", PROBE, str(port), str(seconds)], check=True,
                            capture_output=True, text=True).stdout
    probed = json.loads(output)
    times = sorted(probed["times"])
    at = lambda share: round(times[min(len(times) - 1, int(len(times) * share))], 2)
    return {"p50_ms": at(0.50), "p99_ms": at(0.99), "max_ms": round(times[-1], 2),
            "probes": len(times), "probe_realtime": probed["realtime"]}


def bench_latency():
    seconds = 2 if QUICK else 25
    title(f"an ungated file, 100 times a second for {seconds} s, while 8 clients send wrong passwords (bcrypt, cost 12)")
    result = {}
    main = "thread_pool passwords threads=2;"
    with Nginx(LATENCY, main=main, users_cost=12, pinned=False) as nginx:
        port = nginx.port("ungated")

        def measured(name, load):
            with load as attackers:
                time.sleep(0 if QUICK else 2)  # let the load build up
                result[name] = probe(port, seconds)
            if isinstance(attackers, Attackers):
                if set(attackers.statuses) - {401, 403}:
                    sys.exit(f"{name}: not every password was checked: {attackers.statuses}")
                result[name]["passwords_checked"] = sum(attackers.statuses.values())

        def posts(name):
            # One that has failed is not checked again.
            wrong = itertools.count()
            return Attackers(nginx.port(name), "POST", f"/{name}/login", lambda: form(f"wrong {next(wrong)}"),
                             {**FORM, "Accept": "text/html"})

        measured("nobody else", busy_processes(0))
        measured("two busy processes", busy_processes(2))
        measured("authgate", posts("shared"))
        measured("authgate, own pool", posts("own"))
        measured("auth_basic", Attackers(nginx.port("auth_basic"), "GET", "/file", None,
                                         {"Authorization": basic("wrong")}))
    table(result, ["p50_ms", "p99_ms", "max_ms", "passwords_checked"])
    return {"seconds": seconds, "variants": result}
