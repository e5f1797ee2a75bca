"""C48: a thousand posts that send a byte every five seconds."""

import random
import resource
import select
import socket
import threading
import time

from .client import Client
from .connection import Connection, login
from .nginx import REALM, Nginx, wait_for
from .plain import PlainNginx
from .sessions import Sessions
from .steady import Hangs, Probe

POSTS, EVERY, TIMEOUT = 1000, 5, 4
# What nginx may take longer, on a busy machine, and what memory each may take.
LATE, KIB_EACH = 4, 64
UNFINISHED = (b"POST /authgate/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
              b"Content-Length: 8000\r\n\r\nu")


class PatientNginx(Nginx):
    workers_wanted = 2
    main = "worker_shutdown_timeout 5s; worker_rlimit_nofile 8192;"
    events = "worker_connections 4096;"

    def http(self, generation):
        return f"""
    authgate_realm {REALM} {{
        users {self.dir}/users;
        limit off;
        session idle=10h max=12h;
        zone 16m;
        state {self.dir}/state;
    }}
    client_body_timeout {TIMEOUT}s;
    add_header X-Worker $pid always;
    add_header X-Generation {generation} always;
    server {{
        listen 127.0.0.1:{self.port} backlog=2048;
        listen 127.0.0.1:{self.replay_port} reuseport;
        root {self.dir}/html;
        authgate {REALM};
    }}"""


class Slow(Sessions):
    name = "slow"
    about = f"{POSTS} posts at a time send a byte every {EVERY} s: dropped, cheap, and nobody else waits for them"
    seconds, quick = 60, 10
    logouts_per_second = 20
    # A worker may get more of the posts than it ever had; were they kept, it would be seventeen for each thousand.
    may_grow = 14_000
    clients = 3

    def __init__(self, options, seconds):
        super().__init__(options, seconds)
        self.plain = self.use(PlainNginx())
        self.hangs, self.quiet = Hangs(), Hangs()
        self.posts = self.finished = 0
        self.each = self.soonest = self.latest = None

    def make_nginx(self):
        return PatientNginx()

    def go(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
        self.plain.start()
        self.nginx.start()
        own = threading.Event()
        self.began_work = time.monotonic()
        clients = [Client(self.truth, self.allowed, own, random.random(), self.hangs) for _ in range(self.clients)]
        for client in clients:
            client.live = 50
        self.begin(Probe(self.plain, own, self.hangs), *clients)
        wait_for("sessions", lambda: self.is_broken() or self.truth.counts["logouts"] > 5)
        rounds = 0
        while not rounds or self.remaining() > TIMEOUT and not self.is_broken():
            self.round()
            rounds += 1
            if rounds == 1 or self.passed() < self.seconds / 2:
                self.measure("warmed up", self.nginx)
            self.say(f"{self.posts:6} slow posts  {self.truth.counts['replays']:8} replays")
        self.end(self.threads)
        self.measure("at the end", self.nginx)
        self.compare("warmed up", "at the end")
        self.disturber.replay(self.nginx.workers(), None, None, None)

    def round(self):
        before = self.anonymous()
        sockets = {}
        for _ in range(POSTS):
            sock = socket.create_connection(("127.0.0.1", self.nginx.port), 20)
            sock.sendall(UNFINISHED)
            sockets[sock] = time.monotonic()
        self.posts += POSTS
        # One more that has the whole of it: by its answer nginx has read what came before on that worker.
        self.patient()
        used = (self.anonymous() - before) / POSTS
        self.each = max(self.each or 0, used)
        if used > KIB_EACH:
            self.wrong.add(f"a slow post takes {used:.0f} KiB")
        self.watch(sockets)

    def anonymous(self):
        """Private memory of all workers, in KiB."""
        return sum(self.nginx.memory(pid) for pid in self.nginx.workers())

    def watch(self, sockets):
        """Until all are dropped, each so long after its last byte."""
        poll = select.poll()
        by_number = {sock.fileno(): sock for sock in sockets}
        for number in by_number:
            poll.register(number, select.POLLIN)
        deadline = time.monotonic() + TIMEOUT + EVERY + 2 * LATE
        while by_number and time.monotonic() < deadline:
            for number, _ in poll.poll(200):
                sock = by_number.pop(number)
                poll.unregister(number)
                self.dropped(sock, time.monotonic() - sockets[sock])
            for sock in by_number.values():
                if time.monotonic() - sockets[sock] > EVERY:
                    self.wrong.add(f"a post that sent nothing for {EVERY} s was not dropped")
                    sock.send(b"u")
                    sockets[sock] = time.monotonic()
        for sock in by_number.values():
            self.wrong.add("a slow post was never dropped")
            sock.close()

    def dropped(self, sock, after):
        try:
            answer = sock.recv(4096)
        except OSError:
            answer = b""
        sock.close()
        self.soonest = min(after, self.soonest or after)
        self.latest = max(after, self.latest or after)
        if answer:
            self.wrong.add(f"a slow post was answered {answer[:40]!r}")
        if not TIMEOUT - 0.5 < after < TIMEOUT + LATE:
            self.wrong.add(f"a slow post was dropped after {after:.1f} s")

    def patient(self):
        """One that takes its time, and comes to its end."""
        connection = Connection(self.nginx.port)
        answer, = connection.ask(login("user1"))
        if answer.status != 303:
            self.failures.add(f"a login beside the slow ones: {answer.status}")
        self.finished += 1

    def count(self):
        super().count()
        signed = ("sign-ins", "logouts", "replays")
        self.rows = [("slow posts", self.posts), *((row, self.truth.counts[row]) for row in signed)]
        if self.each is not None:
            self.rows += [("memory of each, at the most", f"{self.each:.1f} KiB"),
                          ("dropped after", f"{self.soonest:.1f} to {self.latest:.1f} s")]
        self.rows += self.hangs.rows()
        self.requests += self.posts
        for hang in self.hangs.found():
            self.wrong.add(f"a hang: {hang}")
