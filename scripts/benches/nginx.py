"""One nginx with one worker, for the time of a measurement."""

import base64
import http.client
import itertools
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

TARGET = Path(os.environ["AUTHGATE_TARGET"])
MODULE = TARGET / "nginx/ngx_http_authgate_module.so"
QUICK = "--quick" in sys.argv
USER, PASSWORD = "alice", "correct horse"
CPU = 0

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


def pin(process=0):
    if CPU in os.sched_getaffinity(0):
        os.sched_setaffinity(process, {CPU})


def put_first(process=0):
    """Has a process run before all others of its core, where that is allowed."""
    try:
        os.sched_setscheduler(process, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        pass


class Nginx:
    """One nginx, with one worker unless told. In `http`, {port…}, {dir} and {users} are filled in."""

    def __init__(self, http, main="", users_cost=4, users_lines=0, with_module=True, wrapper=(), pinned=True,
                 workers=1, level="warn"):
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
worker_processes {workers};
pid {self.dir}/pid;
error_log {self.dir}/error.log {level};
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
            stdin=subprocess.DEVNULL, preexec_fn=pin if self.pinned else None)
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
        return self.cpu_ns() - before < 1_000_000 and not self.wants_to_run()

    def wants_to_run(self):
        """Whether a thread of the worker has work, though other processes may have the processor now."""
        stats = [stat.read_text() for stat in Path(f"/proc/{self.worker()}/task").glob("*/stat")]
        return any(stat.rpartition(") ")[2].startswith("R") for stat in stats)

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


def form(password, user=USER):
    return urllib.parse.urlencode({"username": user, "password": password, "rd": "/"})


def users_file(cost, lines, hashes={}):
    if cost not in hashes:
        line = subprocess.run(["htpasswd", "-niBC", str(cost), USER], input=PASSWORD, text=True,
                              check=True, capture_output=True).stdout
        hashes[cost] = line.strip().split(":", 1)[1]
    names = itertools.chain((f"user{i}" for i in range(lines - 1)), [USER])
    return "".join(f"{name}:{hashes[cost]}\n" for name in names)


def basic(password):
    return "Basic " + base64.b64encode(f"{USER}:{password}".encode()).decode()
