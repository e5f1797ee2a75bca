"""I111: workers get no more memory, or no more descriptors."""

import os
import random
import resource
import socket
import subprocess
import threading
import time
from pathlib import Path

from .disturber import Disturber
from .metered import MeteredNginx
from .mixed import Supply
from .nginx import is_alive, read
from .scenario import Scenario
from .slow import UNFINISHED
from .steady import Hangs, Steady

CLIENTS, RATE, HOGS = 6, 600, 300
# How soon all is well again.
RECOVERY = 1.0


class LimitedNginx(MeteredNginx):
    machines = 5_000
    listen = "backlog=1024"
    realm = "limit retries=5 find=5m ban=5m user_retries=100000; zone 32m;"
    workers_wanted = 2
    limited_until = 0.0
    # What nginx says when there is no memory or no descriptor. A worker that cannot go on is replaced.
    expected = (rf"{MeteredNginx.expected}|Cannot allocate memory|Too many open files|Resource temporarily unavailable"
                r"|exited on signal 6|exited with (?:fatal )?code")


class Tolerant(Steady):
    """While the workers are limited a request may fail. What is answered is right."""

    failed = 0

    def send(self, request):
        return self.tolerate(super().send, request)

    def send_apart(self, request):
        return self.tolerate(super().send_apart, request)

    def tolerate(self, send, request):
        began, known = time.monotonic(), len(self.lost)
        answer = send(request)
        if began < self.nginx.limited_until and (answer is None or answer.status in (500, 503)):
            del self.lost[known:]
            self.failed += 1
            return None
        return answer

    def banned(self):
        """Failures that did not come through would be missing."""


class Memory(Scenario):
    name = "memory"
    about = "workers get no more memory, then no more descriptors: requests may fail, none is let in that should not be"
    seconds, quick = 90, 12

    def __init__(self, options, seconds):
        super().__init__(options, seconds)
        self.nginx = self.use(LimitedNginx())
        self.hangs, self.own = Hangs(), threading.Event()
        supply = Supply(self.nginx.machines)
        self.clients = [Tolerant(self.nginx, self.own, random.random(), supply, RATE / CLIENTS, self.hangs)
                        for _ in range(CLIENTS)]
        self.limits = dict.fromkeys(["memory", "descriptors"], 0)
        self.died = 0

    def go(self):
        self.nginx.start()
        disturber = Disturber(self.nginx, None)
        self.warm_up(self.nginx, disturber)
        for client in self.clients:
            client.next = time.monotonic()
        self.begin(*self.clients)
        while self.remaining() > 0 and not self.is_broken():
            self.limit(random.choice(list(self.limits)))
            self.say(f"{sum(self.limits.values()):5} limits  {self.asked():8} requests")
        self.own.wait(RECOVERY + 1)
        self.end(self.clients)
        disturber.reload()
        self.measure_at_rest("at the end", self.nginx)
        self.compare("at the start", "at the end")

    def asked(self):
        return sum(client.requests for client in self.clients)

    def limit(self, what):
        """For a second or two; then as much without."""
        workers = self.nginx.workers()
        self.nginx.limited_until = float("inf")
        for pid in workers:
            self.set_limit(pid, what)
        self.limits[what] += 1
        # The users are read anew meanwhile.
        os.utime(self.nginx.dir / "users")
        hogs = self.hog()
        self.own.wait(random.uniform(0.5, 2))
        for sock in hogs:
            sock.close()
        for pid in workers:
            self.lift(pid)
        self.nginx.wait_for_workers()
        self.died += len(set(workers) - set(self.nginx.workers()))
        self.nginx.limited_until = time.monotonic() + RECOVERY
        self.own.wait(RECOVERY + random.uniform(0.5, 1.5))

    def hog(self):
        """Posts that are not finished: what memory and descriptors there are is in use."""
        hogs = []
        for _ in range(HOGS):
            try:
                hogs.append(sock := socket.create_connection(("127.0.0.1", self.nginx.port), 1))
                sock.sendall(UNFINISHED)
            except OSError:
                pass
        return hogs

    def set_limit(self, pid, what):
        if what == "memory":
            size = int(read(f"/proc/{pid}/statm").split()[0] or 0) * resource.getpagesize()
            self.prlimit(pid, f"--as={size + random.choice([0, 1 << 16, 1 << 18, 1 << 20])}:")
        else:
            count = len(list(Path(f"/proc/{pid}/fd").glob("*")))
            self.prlimit(pid, f"--nofile={count + random.randrange(4)}:")

    def lift(self, pid):
        self.prlimit(pid, "--as=unlimited:", "--nofile=1024:")

    @staticmethod
    def prlimit(pid, *limits):
        """The soft limit alone, and as the worker's own user: then no privilege is needed to raise it again."""
        who = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
        done = subprocess.run(["prlimit", "--pid", str(pid), *limits], capture_output=True, text=True, **who)
        if done.returncode and is_alive(pid):
            raise RuntimeError(done.stderr)

    def count(self):
        self.requests = self.asked()
        self.rows = [(f"without {what}", times) for what, times in self.limits.items()]
        self.rows += [("requests that failed meanwhile", sum(client.failed for client in self.clients)),
                      ("workers that died of it", self.died), self.hangs.rows()[0],
                      ("times the log said so", self.nginx.logged("Cannot allocate memory|Too many open files"))]
        for client in self.clients:
            for line in client.strange:
                self.wrong.add(line)
            for line in client.lost:
                self.failures.add(line)
