"""E57: clients go away at every moment of a login."""

import itertools
import random
import re
import socket
import struct
import threading
import time
import urllib.parse
import urllib.request

from benches.nginx import free_port

from . import frames
from .client import Client
from .connection import Connection, login, logout, request
from .nginx import PASSWORD, REALM, USERS, Nginx, wait_for
from .plain import PlainNginx
from .sessions import Sessions
from .steady import Hangs, Probe
from .truth import Session

# A check takes some milliseconds: long enough to be hit at any moment.
COST, CHECK = 7, 0.012
ABORTERS, WITNESSES = 4, 2


class AbortedNginx(Nginx):
    workers_wanted = 2
    cost = COST

    def write_files(self):
        super().write_files()
        self.h2_port = free_port()

    def http(self, generation):
        # Limited: a login that is aborted must neither count nor keep what it has reserved.
        return f"""
    authgate_realm {REALM} {{
        users {self.dir}/users;
        limit retries=5 find=10h ban=10h user_retries=5;
        session idle=10h max=12h;
        zone 16m;
        state {self.dir}/state;
    }}
    client_body_timeout 5s;
    add_header X-Worker $pid always;
    add_header X-Generation {generation} always;
    server {{
        listen 127.0.0.1:{self.port} backlog=1024;
        listen 127.0.0.1:{self.replay_port} reuseport;
        listen 127.0.0.1:{self.h2_port} http2 backlog=1024;
        root {self.dir}/html;
        authgate {REALM};
    }}
    server {{
        listen 127.0.0.1:{self.status_port};
        location /metrics {{ authgate_metrics; }}
        location /stub {{ stub_status; }}
    }}"""

    def ask_status(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.status_port}/{path}", timeout=20) as answer:
            return answer.read().decode()

    def checks(self):
        """How many run or wait."""
        checks = r"^authgate_password_checks_(?:running|waiting)\{.*\} (\d+)$"
        return sum(map(int, re.findall(checks, self.ask_status("metrics"), re.M)))

    def is_idle(self):
        """Nobody is there but who asks."""
        return self.checks() == 0 and "Active connections: 1 " in self.ask_status("stub")


class Aborter(threading.Thread):
    """Goes away after each byte of a request, and at any moment of its check."""

    def __init__(self, nginx, stop, seed):
        super().__init__(daemon=True)
        self.nginx, self.stop, self.random = nginx, stop, random.Random(seed)
        self.done = {}
        self.unknown = []
        self.error = None
        self.cuts = itertools.count(self.random.randrange(1000))

    def kinds(self):
        return [self.fresh, self.kept, self.pipelined, self.half_closed, self.sign_out, self.stream, self.streams,
                self.h2_cut]

    def run(self):
        kinds = self.kinds()
        try:
            while not self.stop.is_set():
                kind = self.random.choice(kinds)
                self.done[kind.__name__] = self.done.get(kind.__name__, 0) + 1
                try:
                    kind()
                except OSError:
                    pass  # nginx may be the first to close
        except Exception as error:
            self.error = error
            self.stop.set()

    def user(self):
        return f"user{self.random.randrange(USERS)}"

    def connect(self, port=None):
        sock = socket.create_connection(("127.0.0.1", port or self.nginx.port), 20)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def part(self, data):
        """One byte more each time; all of it as often as a part."""
        return data[:next(self.cuts) % (2 * len(data))]

    def leave(self, sock, whole):
        """At once, or at some moment of the check; by FIN or by RST."""
        if whole and self.random.random() < 0.8:
            time.sleep(self.random.uniform(0, 2 * CHECK))
        if self.random.random() < 0.5:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    def send_part(self, sock, data):
        part = self.part(data)
        sock.sendall(part)
        self.leave(sock, len(part) == len(data))

    # ---- HTTP/1.1 ----

    def fresh(self):
        self.send_part(self.connect(), login(self.user()))

    def kept(self):
        sock = self.connect()
        sock.sendall(request("GET", "/file"))
        sock.recv(4096)
        self.send_part(sock, login(self.user()))

    def pipelined(self):
        self.send_part(self.connect(), login(self.user()) + request("GET", "/file") + login(self.user()))

    def half_closed(self):
        """Closes its half, and waits or does not."""
        sock = self.connect()
        sock.sendall(self.part(login(self.user())))
        sock.shutdown(socket.SHUT_WR)
        if self.random.random() < 0.5:
            sock.recv(4096)
        sock.close()

    def sign_out(self):
        """Whether it has ended nobody can say, but all workers have to say the same."""
        answer, = Connection(self.nginx.port).ask(login(self.user()))
        if answer.cookie:
            session = Session(answer.cookie, None, answer.generation)
            self.unknown.append(session)
            self.send_part(self.connect(), logout(session))

    # ---- HTTP/2 ----

    def body(self):
        return urllib.parse.urlencode({"username": self.user(), "password": PASSWORD, "rd": "/"})

    def stream(self):
        """A reset between two frames, or in the check."""
        sock = self.connect(self.nginx.h2_port)
        sent = self.random.randrange(1, 4)
        sock.sendall(frames.opening() + b"".join(frames.post(1, "/authgate/login", self.body())[:sent]))
        if sent == 3:
            time.sleep(self.random.uniform(0, 2 * CHECK))
        sock.sendall(frames.reset(1))
        self.leave(sock, True)

    def streams(self):
        """Several on one connection, half of them reset."""
        sock = self.connect(self.nginx.h2_port)
        sock.sendall(frames.opening())
        for stream in range(1, 9, 2):
            sock.sendall(b"".join(frames.post(stream, "/authgate/login", self.body())))
        for stream in self.random.sample(range(1, 9, 2), 2):
            time.sleep(self.random.uniform(0, CHECK))
            sock.sendall(frames.reset(stream))
        self.leave(sock, True)

    def h2_cut(self):
        data = frames.opening() + b"".join(frames.post(1, "/authgate/login", self.body()))
        self.send_part(self.connect(self.nginx.h2_port), data)


class Aborts(Sessions):
    name = "aborts"
    about = "clients go away after each byte of a login and at any moment of its check"
    seconds, quick = 120, 8

    def __init__(self, options, seconds):
        super().__init__(options, seconds)
        self.plain = self.use(PlainNginx())
        self.hangs = Hangs()
        self.logouts_per_second = 10
        self.aborters, self.ended = [], 0

    def make_nginx(self):
        return AbortedNginx()

    def go(self):
        self.plain.start()
        self.nginx.start()
        workers = self.nginx.workers()
        own = threading.Event()
        self.aborters = [Aborter(self.nginx, own, random.random()) for _ in range(ABORTERS)]
        self.began_work = time.monotonic()
        clients = [Client(self.truth, self.allowed, own, random.random(), self.hangs) for _ in range(WITNESSES)]
        for client in clients:
            client.live = 20
        self.begin(Probe(self.plain, own, self.hangs), *self.aborters, *clients)
        self.first_part()
        while self.remaining() > 0 and not self.is_broken():
            own.wait(0.5)
            self.say(f"{sum(self.aborted().values()):7} aborted")
        self.end(self.threads)
        self.settle("at the end")
        self.compare("warmed up", "at the end")
        self.judge(workers)

    def first_part(self):
        """The memory that is there once everything has happened."""
        own = self.aborters[0].stop
        while self.passed() < self.seconds / 3 and not self.is_broken():
            own.wait(0.5)
            self.say(f"{sum(self.aborted().values()):7} aborted")
        self.measure("warmed up", self.nginx)

    def settle(self, when):
        wait_for("nothing to be under way", self.nginx.is_idle)
        super().settle(when)

    def judge(self, workers):
        if self.nginx.workers() != workers:
            self.wrong.add(f"workers died: {workers}, now {self.nginx.workers()}")
        self.disturber.replay(self.nginx.workers(), None, None, None)
        self.all_agree([session for aborter in self.aborters for session in aborter.unknown])
        # Nothing of it was counted as a failure: here are the first five, and the sixth is one too many.
        statuses = [self.nginx_says(login("nobody", password=f"wrong {n}")) for n in range(6)]
        if statuses != [403] * 5 + [429]:
            self.wrong.add(f"wrong logins after all were answered {statuses}")

    def nginx_says(self, what):
        answer, = Connection(self.nginx.port).ask(what)
        return answer.status

    def all_agree(self, sessions):
        """A session whose sign-out was aborted has ended in every worker or in none."""
        verdicts = {}
        for connection in self.disturber.connect(self.nginx.workers()).values():
            for session in sessions:
                answer, = connection.ask(request("GET", "/file", session.cookie))
                verdicts.setdefault(session.cookie, set()).add(answer.status)
        self.ended = sum(seen == {401} for seen in verdicts.values())
        for seen in verdicts.values():
            if len(seen) > 1:
                self.wrong.add(f"a session whose sign-out was aborted: {seen}, by the worker")

    def aborted(self):
        done = {}
        for aborter in self.aborters:
            for kind, count in list(aborter.done.items()):
                done[kind] = done.get(kind, 0) + count
        return done

    def count(self):
        super().count()
        done = self.aborted()
        self.requests += sum(done.values())
        signed = ("sign-ins", "logouts", "replays")
        self.rows = [(f"aborted: {kind}", number) for kind, number in sorted(done.items())]
        self.rows += [(row, self.truth.counts[row]) for row in signed] + self.hangs.rows()
        self.rows.append(("aborted sign-outs that ended it", self.ended))
        for hang in self.hangs.found():
            self.wrong.add(f"a hang: {hang}")
