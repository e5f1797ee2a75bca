"""The measurements of scripts/bench; see its --help."""

import base64
import http.client
import itertools
import json
import os
import platform
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from contextlib import contextmanager
from pathlib import Path

TARGET = Path(os.environ["AUTHGATE_TARGET"])
MODULE = TARGET / "nginx/ngx_http_authgate_module.so"
RESULT = TARGET / "bench.json"
QUICK = "--quick" in sys.argv
USER, PASSWORD = "alice", "correct horse"
NAVIGATION = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-origin"}
SERVER_CPU, CLIENT_CPU = 0, 1


# ---- nginx -------------------------------------------------------------------------------------


def free_port():
    for port in random.sample(range(20_000, 32_000), 200):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    sys.exit("no free port")


def wait_for(what, condition, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.02)
    sys.exit(f"gave up waiting for {what}")


def pin(cpu):
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {cpu})


class Nginx:
    """One nginx with one worker. In `http`, {port…}, {dir} and {users} are filled in."""

    def __init__(self, http, main="", users_cost=4, users_lines=0, with_module=True, wrapper=(), pinned=True):
        self.dir = Path(tempfile.mkdtemp(prefix="authgate-bench-"))
        self.dir.chmod(0o755)
        (self.dir / "html").mkdir()
        (self.dir / "html/file").write_bytes(b"x" * 1023 + b"\n")
        (self.dir / "users").write_text(users_file(users_cost, users_lines))
        self.ports = {}
        self.wrapper = wrapper
        names = {"dir": self.dir, "users": self.dir / "users"}
        fill = lambda text: re.sub(
            r"\{(\w+)\}", lambda m: str(names[m[1]] if m[1] in names else self.port(m[1])), text)
        user = "user nobody nogroup;" if os.geteuid() == 0 else ""
        self.conf = self.dir / "nginx.conf"
        self.conf.write_text(f"""
{f"load_module {MODULE};" if with_module else ""}
{user if not wrapper else ""}
worker_processes 1;
pid {self.dir}/pid;
error_log {self.dir}/error.log warn;
{fill(main)}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    keepalive_requests 100000000;
    client_body_temp_path {self.dir}/body;
    proxy_temp_path {self.dir}/proxy;
    fastcgi_temp_path {self.dir}/fastcgi;
    uwsgi_temp_path {self.dir}/uwsgi;
    scgi_temp_path {self.dir}/scgi;
    root {self.dir}/html;
{fill(http)}
}}
""")
        self.pinned = pinned
        self.process = None

    def port(self, name):
        return self.ports.setdefault(name, free_port())

    def command(self, *more):
        return ["nginx", "-e", f"{self.dir}/error.log", "-p", f"{self.dir}/", "-c", str(self.conf), *more]

    def __enter__(self):
        mode = "daemon off; master_process off;" if self.wrapper else "daemon off;"
        output = open(self.dir / "output", "wb")
        self.process = subprocess.Popen(
            [*self.wrapper, *self.command("-g", mode)], stdout=output, stderr=output,
            stdin=subprocess.DEVNULL, preexec_fn=(lambda: pin(SERVER_CPU)) if self.pinned else None)
        wait_for("nginx to start", self.is_up)
        return self

    def is_up(self):
        if self.process.poll() is not None:
            sys.exit("nginx did not start:\n" + (self.dir / "output").read_text())
        try:
            for port in self.ports.values():
                socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False

    def __exit__(self, *_):
        wait_for("nginx to stop", self.has_stopped, 60)
        errors = (self.dir / "error.log").read_text()
        if bad := re.findall(r".*\[(?:alert|emerg|crit)\].*", errors):
            sys.exit("nginx logged:\n" + "\n".join(bad[:5]))
        shutil.rmtree(self.dir)

    def has_stopped(self):
        # Without a master nginx only looks at a signal that interrupts its waiting: send it until it does.
        try:
            os.kill(int((self.dir / "pid").read_text()), signal.SIGTERM)
        except OSError:
            pass  # the pid file or the process has gone: nginx is on its way out
        try:
            return self.process.wait(0.5) is not None
        except subprocess.TimeoutExpired:
            return False

    def worker(self):
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(wait_for("the worker", children.read_text).split()[0])

    def cpu_ns(self):
        """CPU time of the worker with all its threads, as the scheduler counts it."""
        tasks = Path(f"/proc/{self.worker()}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)

    def is_idle(self):
        before = self.cpu_ns()
        time.sleep(0.05)
        return self.cpu_ns() - before < 1_000_000

    def rss_kib(self):
        status = Path(f"/proc/{self.worker()}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def sign_in(self, name):
        """The Cookie header of a signed-in user."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port(name), timeout=60)
        connection.request("POST", "/authgate/login", form(PASSWORD), FORM)
        response = connection.getresponse()
        cookies = response.headers.get_all("Set-Cookie") or []
        if response.status != 303 or not cookies:
            sys.exit(f"could not sign in: {response.status} {response.read()[:200]!r}")
        session = [c.split(";")[0] for c in cookies if "-device=" not in c.split(";")[0]]
        return session[0]


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def form(password):
    return urllib.parse.urlencode({"username": USER, "password": password, "rd": "/"})


def users_file(cost, lines, hashes={}):
    if cost not in hashes:
        line = subprocess.run(["htpasswd", "-niBC", str(cost), USER], input=PASSWORD, text=True,
                              check=True, capture_output=True).stdout
        hashes[cost] = line.strip().split(":", 1)[1]
    names = itertools.chain((f"user{i}" for i in range(lines - 1)), [USER])
    return "".join(f"{name}:{hashes[cost]}\n" for name in names)


def basic(password):
    return "Basic " + base64.b64encode(f"{USER}:{password}".encode()).decode()


# ---- requests per second, CPU per request --------------------------------------------------------

VARIANTS = """
    authgate_realm ops { users {users}; }
    server { listen 127.0.0.1:{ungated}; }
    server { listen 127.0.0.1:{authgate}; authgate ops; }
    server { listen 127.0.0.1:{auth_basic}; auth_basic ops; auth_basic_user_file {dir}/basic; }
    server {
        listen 127.0.0.1:{auth_request};
        auth_request /check;
        location = /check { internal; return 204; }
    }
"""


def wrk(nginx, name, headers, seconds):
    """One run: (requests per second, worker's CPU microseconds per request)."""
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", "-s", "scripts/wrk.lua"]
    for header in headers.items():
        command += ["-H", ": ".join(header)]
    wait_for("the worker to be idle", nginx.is_idle)  # auth_basic still works for clients that have gone
    before = nginx.cpu_ns()
    output = subprocess.run([*command, f"http://127.0.0.1:{nginx.port(name)}/file"], check=True,
                            capture_output=True, text=True, preexec_fn=lambda: pin(CLIENT_CPU)).stdout
    used = nginx.cpu_ns() - before
    requests, duration, statuses, errors = map(int, re.search(r"result (.*)", output)[1].split())
    if statuses or errors or not requests:
        sys.exit(f"{name}: {statuses} refusals and {errors} errors in {requests} requests")
    return requests / duration * 1e6, used / requests / 1e3


def compare(subjects, rounds, seconds):
    """Runs the subjects in turn, `rounds` times; each against the first of the same round."""
    runs = {name: [] for name in subjects}
    for number in range(rounds):
        order = list(subjects)
        shift = number % len(order)
        for name in order[shift:] + order[:shift]:
            nginx, port, headers = subjects[name]
            runs[name].append(wrk(nginx, port, headers, seconds))
        print(f"\r  round {number + 1} of {rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    base = runs[next(iter(runs))]
    median = statistics.median
    return {
        name: {
            "requests_per_second": round(median(r for r, _ in mine), 1),
            "cpu_us_per_request": round(median(c for _, c in mine), 3),
            "requests_ratio": round(median(m[0] / b[0] for m, b in zip(mine, base)), 4),
            "cpu_ratio": round(median(m[1] / b[1] for m, b in zip(mine, base)), 4),
            "cpu_us_runs": [round(c, 3) for _, c in mine],
        }
        for name, mine in runs.items()
    }


def bench_requests():
    rounds, seconds = (2, 1) if QUICK else (15, 2)
    title(f"1 KiB static file, one worker, {rounds} interleaved rounds of {seconds} s")
    with Nginx(VARIANTS) as nginx, Nginx("server { listen 127.0.0.1:{plain}; }", with_module=False) as plain:
        (nginx.dir / "basic").write_text(users_file(10, 0))
        result = compare({
            "ungated": (nginx, "ungated", {}),
            "authgate": (nginx, "authgate", {"Cookie": nginx.sign_in("authgate")}),
            "refused": (nginx, "authgate", {"Accept": "text/html"}),
            "auth_basic": (nginx, "auth_basic", {"Authorization": basic(PASSWORD)}),
            "auth_request": (nginx, "auth_request", {}),
            "not loaded": (plain, "plain", {}),
        }, rounds, seconds)
    table(result, ["requests_per_second", "requests_ratio", "cpu_us_per_request", "cpu_ratio"])
    print("  ratios: medians of (this / ungated of the same round)")
    print("  refused: a page navigation without a cookie, 302; not loaded: nginx without module and thread pool")
    return {"rounds": rounds, "seconds": seconds, "variants": result}


# ---- instructions and system calls per request -----------------------------------------------------


def run_requests(port, headers, count):
    """`count` requests on one connection, one after the other."""
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"GET /file HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), 120) as s:
        answers = s.makefile("rb")
        for _ in range(count):
            s.sendall(request)
            if b" 200 " not in answers.readline():
                sys.exit("a request was refused")
            while answers.readline() != b"\r\n":
                pass
            answers.read(1024)


def counted(tool, name, count):
    """What the tool counted in a whole life of nginx with `count` requests to the named server."""
    out = Path(tempfile.mkstemp(prefix="authgate-count-")[1])
    wrapper = {
        "callgrind": ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"],
        "strace": ["strace", "-f", "-c", "-U", "calls,name", "-o", str(out)],
    }[tool]
    with Nginx(VARIANTS, wrapper=wrapper, pinned=False) as nginx:
        headers = {}
        if name == "authgate":
            headers["Cookie"] = nginx.sign_in("authgate")
        elif name == "auth_basic":
            (nginx.dir / "basic").write_text(users_file(4, 0))
            headers["Authorization"] = basic(PASSWORD)
        run_requests(nginx.port(name), headers, count)
    text = out.read_text()
    out.unlink()
    if tool == "callgrind":
        return {"instructions": int(re.search(r"^(?:totals|summary): (\d+)", text, re.M)[1])}
    # Idle threads of the pool yield and wait while nginx stops, a different number of times each time.
    return {call: int(n) for n, call in re.findall(r"^\s*(\d+) (\w+)$", text, re.M)
            if call not in ("total", "sched_yield", "futex")}


def per_request(tool, name, count):
    """The difference of a run with 2N and one with N requests, divided by N."""
    once, twice = counted(tool, name, count), counted(tool, name, 2 * count)
    each = {what: round((twice[what] - once.get(what, 0)) / count, 2) for what in twice}
    # A worker that ends waits for its threads by yielding, as often as that takes.
    each.pop("sched_yield", None)
    return {what: n for what, n in each.items() if abs(n) >= 0.05}


def bench_instructions():
    count = 50 if QUICK else 1000
    title(f"per request, from the difference of {count} and {2 * count} requests")
    result = {}
    for name in ["ungated", "authgate", "auth_request"]:
        calls = per_request("strace", name, count)
        result[name] = {
            **per_request("callgrind", name, count),
            "system_calls": round(sum(calls.values()), 1),
            "calls": calls,
        }
    added = {
        what: round(result["authgate"][what] - result["ungated"][what], 1)
        for what in ["instructions", "system_calls"]
    }
    result["added by authgate"] = added
    table(result, ["instructions", "system_calls"])
    print("  callgrind's processor has no SHA extensions: on a real one the MAC takes a fraction")
    return {"requests": count, "variants": result}


# ---- latency of others while passwords are checked ---------------------------------------------------

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
                connection.request(method, path, body, headers)
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
            return Attackers(nginx.port(name), "POST", f"/{name}/login", form("wrong"), {**FORM, "Accept": "text/html"})

        measured("nobody else", busy_processes(0))
        measured("two busy processes", busy_processes(2))
        measured("authgate", posts("shared"))
        measured("authgate, own pool", posts("own"))
        measured("auth_basic", Attackers(nginx.port("auth_basic"), "GET", "/file", None,
                                         {"Authorization": basic("wrong")}))
    table(result, ["p50_ms", "p99_ms", "max_ms", "passwords_checked"])
    return {"seconds": seconds, "variants": result}


# ---- many users ----------------------------------------------------------------------------------------

USERS = """
    authgate_realm ops { users {users}; }
    server { listen 127.0.0.1:{authgate}; authgate ops; }
"""


def bench_users():
    rounds, seconds, lines = (2, 1, 100_000) if QUICK else (10, 2, 100_000)
    title(f"a users file of {lines} lines")
    with Nginx(USERS) as few, Nginx(USERS, users_lines=lines) as many:
        loads = {"1 user": [], f"{lines} users": []}
        for _ in range(3 if QUICK else 7):
            for name, nginx in zip(loads, (few, many)):
                began = time.perf_counter()
                subprocess.run(nginx.command("-t"), check=True, capture_output=True)
                loads[name].append(time.perf_counter() - began)
        subjects = {name: (nginx, "authgate", {"Cookie": nginx.sign_in("authgate")})
                    for name, nginx in zip(loads, (few, many))}
        result = compare(subjects, rounds, seconds)
        for name, nginx in zip(loads, (few, many)):
            result[name]["nginx_t_ms"] = round(statistics.median(loads[name]) * 1000, 1)
            result[name]["worker_rss_kib"] = nginx.rss_kib()
    table(result, ["nginx_t_ms", "worker_rss_kib", "requests_per_second", "cpu_us_per_request", "cpu_ratio"])
    return {"lines": lines, "variants": result}


# ---- output --------------------------------------------------------------------------------------------


def title(text):
    print(f"\n{text}\n")


def table(rows, columns):
    lines = [["", *(c.replace("_", " ") for c in columns)]]
    lines += [[name, *(str(row.get(c, "")) for c in columns)] for name, row in rows.items()]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns) + 1)]
    for line in lines:
        print("  " + line[0].ljust(widths[0]) + "".join("  " + c.rjust(w) for c, w in zip(line[1:], widths[1:])))


def machine():
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    version = subprocess.run(["nginx", "-v"], capture_output=True, text=True).stderr.strip()
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    return {"cpu": cpu[1] if cpu else platform.machine(), "cores": os.cpu_count(), "kernel": platform.release(),
            "nginx": version.rpartition("/")[2], "commit": commit,
            "date": time.strftime("%Y-%m-%d", time.gmtime())}


def main():
    parts = {"requests": bench_requests, "instructions": bench_instructions,
             "latency": bench_latency, "users": bench_users}
    asked = [name for name in parts if f"--{name}" in sys.argv or "--all" in sys.argv] or ["requests"]
    results = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    for name in asked:
        results[name] = {**parts[name](), "machine": machine(), "quick": QUICK}
        RESULT.write_text(json.dumps(results, indent=2) + "\n")
    print(f"\nwritten to {RESULT}")


main()
