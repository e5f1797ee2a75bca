"""The work of scripts/stress; see its --help."""

import argparse
import fcntl
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from collections import Counter
from pathlib import Path

MODULE = Path(os.environ["AUTHGATE_TARGET"]) / "nginx/ngx_http_authgate_module.so"
PASSWORD = "correct horse"
USERS, CLIENTS, WORKERS, LIVE = 100, 6, 4, 300
# How long, in seconds, another zone may take a session that has ended: a second, and what a busy machine adds.
GRACE = 1.0 + 0.3
REALM = "ops"


# ---- nginx -------------------------------------------------------------------------------------


def free_port():
    for port in random.SystemRandom().sample(range(20_000, 32_000), 200):
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
        time.sleep(0.01)
    raise TimeoutError(f"gave up waiting for {what}")


def read(path):
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def is_alive(pid):
    stat = read(f"/proc/{pid}/stat")
    return bool(stat) and stat.rpartition(") ")[2][0] not in "ZX"


def users_file():
    line = subprocess.run(["htpasswd", "-niBC", "4", "u"], input=PASSWORD, text=True, check=True,
                          capture_output=True).stdout
    hashed = line.strip().partition(":")[2]
    return "".join(f"user{n}:{hashed}\n" for n in range(USERS))


class Nginx:
    """An nginx in the background. Each zone has a number, its generation, which every answer carries."""

    def __init__(self, with_state):
        self.dir = Path(tempfile.mkdtemp(prefix="authgate-stress-"))
        self.dir.chmod(0o755)
        (self.dir / "html").mkdir()
        (self.dir / "html/file").write_text("behind the gate\n")
        (self.dir / "users").write_text(users_file())
        self.with_state = with_state
        self.program = shutil.which("nginx") or sys.exit("no nginx")
        self.port, self.replay_port = free_port(), free_port()
        self.zone_size = 4
        self.generation = 0
        self.began = {}
        self.group = None

    def new_generation(self):
        """What is started or reloaded next has a new zone."""
        self.generation += 1
        self.began[self.generation] = time.monotonic()
        self.configure(self.generation)

    def configure(self, generation):
        state = f"state {self.dir}/state;" if self.with_state else ""
        user = "user nobody nogroup;" if os.geteuid() == 0 else ""
        # One port's connections go where a worker is free; the other's to all workers alike.
        (self.dir / "nginx.conf").write_text(f"""
load_module {MODULE};
{user}
worker_processes {WORKERS};
worker_shutdown_timeout 5s;
pid {self.dir}/nginx.pid;
error_log {self.dir}/error.log notice;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path {self.dir}/body;
    proxy_temp_path {self.dir}/proxy;
    fastcgi_temp_path {self.dir}/fastcgi;
    uwsgi_temp_path {self.dir}/uwsgi;
    scgi_temp_path {self.dir}/scgi;
    authgate_realm {REALM} {{
        users {self.dir}/users;
        limit off;
        session idle=10h max=12h;
        zone {self.zone_size}m;
        {state}
    }}
    server {{
        listen 127.0.0.1:{self.port};
        listen 127.0.0.1:{self.replay_port} reuseport;
        root {self.dir}/html;
        authgate {REALM};
        add_header X-Worker $pid always;
        add_header X-Generation {generation} always;
    }}
}}
""")

    def command(self):
        return [self.program, "-e", f"{self.dir}/error.log", "-p", f"{self.dir}/", "-c", f"{self.dir}/nginx.conf"]

    def start(self):
        self.new_generation()
        started = subprocess.run(self.command(), capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if started.returncode:
            raise RuntimeError(f"nginx did not start: {started.stderr}")
        self.wait_for_workers()
        self.group = os.getpgid(self.master())

    def master(self):
        return self.pid_in("nginx.pid") or wait_for("the pid file", lambda: self.pid_in("nginx.pid"))

    def pid_in(self, name):
        text = read(self.dir / name).strip()
        return int(text) if text.isdigit() else None

    @staticmethod
    def workers_of(master):
        children = read(f"/proc/{master}/task/{master}/children").split()
        return [int(pid) for pid in children
                if read(f"/proc/{pid}/cmdline").rstrip("\0") == "nginx: worker process"]

    def workers(self):
        return self.workers_of(self.master())

    def wait_for_workers(self, without=()):
        """Until all workers are there, and none of those."""
        def are_there():
            workers = self.workers()
            return len(workers) == WORKERS and not set(workers) & set(without)
        wait_for("workers", are_there)

    def processes(self):
        """All of this nginx, old masters too: they share the process group."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            fields = read(stat).rpartition(") ")[2].split()
            if len(fields) > 2 and fields[0] not in "ZX" and int(fields[2]) == self.group:
                found.append(int(stat.parent.name))
        return found

    def kill_all(self):
        if self.group and self.processes():
            os.killpg(self.group, signal.SIGKILL)
        wait_for("nginx to die", lambda: not self.processes())

    def sizes(self):
        """Memory and descriptors of the master and of its largest worker."""
        def of(pid):
            rss = re.search(r"VmRSS:\s+(\d+)", read(f"/proc/{pid}/status"))
            return int(rss[1]) if rss else 0, len(os.listdir(f"/proc/{pid}/fd"))
        workers = [of(pid) for pid in self.workers()]
        return (*of(self.master()), max(w[0] for w in workers), max(w[1] for w in workers))

    def complaints(self):
        """What must not be logged; a killed process is what we did."""
        expected = r"exited on signal 9|shared memory zone .* was locked by"
        lines = re.findall(r".*\[(?:alert|emerg|crit)\].*", read(self.dir / "error.log"))
        return [line for line in lines if not re.search(expected, line)]


# ---- HTTP ----------------------------------------------------------------------------------------


class Answer:
    def __init__(self, head):
        fields = {}
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1])
        for line in lines[1:]:
            name, _, value = line.partition(": ")
            if name == "Set-Cookie" and not value.startswith("authgate="):
                continue
            fields[name] = value
        self.worker = int(fields.get("X-Worker", 0))
        self.generation = int(fields.get("X-Generation", 0))
        self.length = int(fields.get("Content-Length", 0))
        self.chunked = "Transfer-Encoding" in fields
        self.closes = fields.get("Connection") == "close"
        self.cookie = fields.get("Set-Cookie", "").partition(";")[0].partition("=")[2]


class Lost(Exception):
    """A connection that ended before the answer; `idle` where nginx may do so: between two requests."""

    def __init__(self, error, idle):
        super().__init__(f"{type(error).__name__}: {error}")
        self.idle = idle


class Connection:
    def __init__(self, port):
        self.port = port
        self.socket = None

    def ask(self, *requests):
        """Sends them all at once and gives their answers."""
        reused = self.socket is not None
        answers = []
        try:
            if not reused:
                self.socket = socket.create_connection(("127.0.0.1", self.port), 20)
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.file = self.socket.makefile("rb")
            self.socket.sendall(b"".join(requests))
            for _ in requests:
                answers.append(self.answer())
        except OSError as error:
            self.close()
            raise Lost(error, answers[-1].closes if answers else reused) from None
        if answers[-1].closes:
            self.close()
        return answers

    def answer(self):
        head = []
        while (line := self.file.readline()) != b"\r\n":
            if not line.endswith(b"\r\n"):
                raise ConnectionResetError("closed")
            head.append(line)
        answer = Answer(b"".join(head).rstrip())
        if answer.chunked:
            raise RuntimeError("an answer in chunks")
        if len(self.file.read(answer.length)) < answer.length:
            raise ConnectionResetError("closed")
        return answer

    def close(self):
        if self.socket:
            self.file.close()
            self.socket.close()
            self.socket = None


def request(method, path, cookie=None, body=None):
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    if cookie:
        head += f"Cookie: authgate={cookie}\r\n"
    if body is not None:
        head += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n{body or ''}".encode()


def get(session):
    return request("GET", "/file", session.cookie)


def login(user, cookie=None):
    form = urllib.parse.urlencode({"username": user, "password": PASSWORD, "rd": "/"})
    return request("POST", "/authgate/login", cookie, form)


def logout(session):
    return request("POST", "/authgate/logout", session.cookie, "")


# ---- what is true --------------------------------------------------------------------------------


class Session:
    __slots__ = ("cookie", "user", "generation", "state", "ended_at", "ended_in")

    def __init__(self, cookie, user, generation):
        self.cookie, self.user, self.generation = cookie, user, generation
        self.state = "live"  # then "ending" before the logout is sent; "ended" or "unknown" after it
        self.ended_at = self.ended_in = None


class Truth:
    """All sessions, what has become of them, and the verdicts that contradict it."""

    def __init__(self, nginx):
        self.nginx = nginx
        self.lock = threading.Lock()
        self.live, self.ended, self.lost = [], [], []
        self.counts = Counter()
        self.wrong, self.strange = [], []
        self.lag = 0.0
        self.expect_failures_until = 0.0

    def count(self, what, number=1):
        with self.lock:
            self.counts[what] += number

    def began(self, cookie, user, generation):
        with self.lock:
            self.counts["sign-ins"] += 1
            self.live.append(Session(cookie, user, generation))

    def take_live(self):
        """A session for one client to end; in a realm without state those of former zones have ended."""
        with self.lock:
            while self.live:
                at = random.randrange(len(self.live))
                self.live[at], self.live[-1] = self.live[-1], self.live[at]
                session = self.live.pop()
                if self.nginx.with_state or session.generation == self.nginx.generation:
                    session.state = "ending"
                    return session
                self.lost.append(session)
        return None

    def has_ended(self, session, generation):
        with self.lock:
            session.ended_in, session.ended_at = generation, time.monotonic()
            session.state = "ended"
            self.ended.append(session)
            self.counts["logouts"] += 1

    def may_have_ended(self, session):
        session.state = "unknown"
        self.count("logouts without an answer")

    def sample(self, sessions, count):
        with self.lock:
            return random.sample(sessions, min(count, len(sessions)))

    def judge(self, session, sent_at, ended_at, answer):
        """`ended_at` is what was known when the request was sent."""
        accepted = answer.status == 200
        if answer.status not in (200, 401):
            return self.is_strange("GET", answer)
        if not self.nginx.with_state and answer.generation != session.generation:
            if accepted:
                self.is_wrong("ended accepted", session, answer, "its zone is gone")
        elif ended_at is not None:
            if accepted:
                self.ended_accepted(session, sent_at - ended_at, answer)
        elif session.state == "live" and not accepted:
            self.is_wrong("live refused", session, answer, "")

    def ended_accepted(self, session, lag, answer):
        elsewhere = answer.generation != session.ended_in
        if elsewhere and self.nginx.began[answer.generation] > session.ended_at:
            elsewhere = False
        if elsewhere:
            with self.lock:
                self.lag = max(self.lag, lag)
        if lag > (GRACE if elsewhere else 0):
            self.is_wrong("ended accepted", session, answer, f"{lag:.3f} s after its logout was answered")

    def is_wrong(self, what, session, answer, detail):
        with self.lock:
            self.counts[what] += 1
            if len(self.wrong) < 20:
                said = f"{what}: {session.user}, signed in with zone {session.generation}, asked zone {answer.generation}"
                self.wrong.append(f"{said}, worker {answer.worker}, ended in zone {session.ended_in}, {detail}")

    def is_strange(self, what, answer):
        with self.lock:
            self.counts["strange answers"] += 1
            if len(self.strange) < 20:
                self.strange.append(f"{what}: {answer.status} of zone {answer.generation}")

    def connection_failed(self, lost):
        expected = lost.idle or time.monotonic() < self.expect_failures_until
        self.count("connections lost, as expected" if expected else "connections lost otherwise")
        if not expected:
            with self.lock:
                self.strange.append(str(lost))

    def ask(self, connection, sessions):
        """Replays these cookies on one connection."""
        known = [session.ended_at for session in sessions]
        sent_at = time.monotonic()
        answers = connection.ask(*map(get, sessions))
        for session, ended_at, answer in zip(sessions, known, answers):
            self.judge(session, sent_at, ended_at, answer)
        self.count("replays", len(sessions))


# ---- clients -------------------------------------------------------------------------------------


class Client(threading.Thread):
    """Works at full speed on one connection. `allowed` says how many logouts there may be by now."""

    def __init__(self, truth, allowed, stop, seed):
        super().__init__(daemon=True)
        self.truth, self.allowed, self.stop = truth, allowed, stop
        self.random = random.Random(seed)
        self.connection = Connection(truth.nginx.port)
        self.error = None

    def run(self):
        while not self.stop.is_set():
            try:
                self.work()
            except Lost as lost:
                self.truth.connection_failed(lost)
                time.sleep(0.01)
            except Exception as error:  # a mistake of this script ends the run
                self.error = error
                self.stop.set()

    def work(self):
        truth = self.truth
        if len(truth.live) < LIVE:
            self.sign_in()
        elif truth.counts["logouts"] < self.allowed():
            session = truth.take_live()
            if session:
                self.end(session)
        else:
            sessions = self.random.choice((truth.live, truth.ended, truth.lost))
            truth.ask(self.connection, truth.sample(sessions, 4) or truth.sample(truth.live, 1))
        if self.random.random() < 0.01:
            self.connection.close()

    def sign_in(self):
        user = f"user{self.random.randrange(USERS)}"
        answer, = self.connection.ask(login(user))
        if answer.status == 303 and answer.cookie:
            self.truth.began(answer.cookie, user, answer.generation)
        else:
            self.truth.is_strange("login", answer)

    def end(self, session):
        """Mostly by a logout, now and then by signing in again with the session's cookie."""
        again = self.random.random() < 0.1
        try:
            answer, = self.connection.ask(login(session.user, session.cookie) if again else logout(session))
        except Lost:
            self.truth.may_have_ended(session)
            raise
        if answer.status != 303:
            self.truth.may_have_ended(session)
            return self.truth.is_strange("login again" if again else "logout", answer)
        if not self.truth.nginx.with_state and answer.generation != session.generation:
            session.state = "unknown"  # the zone changed under it: nothing was ended, nor needed to be
            return
        self.truth.has_ended(session, answer.generation)
        if again:
            self.truth.count("of these by signing in again")
            self.truth.began(answer.cookie, session.user, answer.generation)


# ---- disturbances --------------------------------------------------------------------------------


class Disturber:
    def __init__(self, nginx, truth):
        self.nginx, self.truth = nginx, truth
        self.kinds = {
            "reloads": self.reload, "workers killed": self.kill_worker, "restarts": self.restart,
            "kills of everything": self.kill_all, "binary upgrades": self.upgrade,
            "upgrades taken back": self.upgrade_and_back, "zone changes": self.change_zone,
        }
        if nginx.with_state:
            self.kinds["journals rewritten"] = self.rewrite_journal
        self.next = []

    def disturb(self):
        if not self.next:
            # Cheap ones more often.
            self.next = [*self.kinds, *["reloads", "workers killed"] * 2]
            random.shuffle(self.next)
        kind = self.next.pop()
        self.kinds[kind]()
        self.truth.count(kind)
        return kind

    def failures_are_expected(self, until):
        self.truth.expect_failures_until = until

    def reload(self):
        old = self.nginx.workers()
        os.kill(self.nginx.master(), signal.SIGHUP)
        self.nginx.wait_for_workers(without=old)

    def kill_worker(self):
        victim = random.choice(self.nginx.workers())
        self.failures_are_expected(float("inf"))
        os.kill(victim, signal.SIGKILL)
        self.nginx.wait_for_workers(without=[victim])
        self.failures_are_expected(time.monotonic() + 1)

    def restart(self):
        self.failures_are_expected(float("inf"))
        os.kill(self.nginx.master(), signal.SIGQUIT)
        wait_for("nginx to go", lambda: not self.nginx.processes())
        self.nginx.start()
        self.failures_are_expected(time.monotonic() + 1)

    def kill_all(self):
        self.failures_are_expected(float("inf"))
        self.nginx.kill_all()
        self.nginx.start()
        self.failures_are_expected(time.monotonic() + 1)

    def change_zone(self):
        self.nginx.zone_size = 4 + (self.nginx.zone_size - 3) % 3
        old = self.nginx.workers()
        self.nginx.new_generation()
        os.kill(self.nginx.master(), signal.SIGHUP)
        self.nginx.wait_for_workers(without=old)

    def start_upgrade(self):
        """Two masters, each with its workers and its zone."""
        old = self.nginx.master()
        former = self.nginx.generation
        self.nginx.new_generation()
        os.kill(old, signal.SIGUSR2)
        wait_for("the new master", lambda: self.nginx.pid_in("nginx.pid.oldbin") == old
                 and self.nginx.pid_in("nginx.pid") not in (None, old))
        self.nginx.wait_for_workers()
        self.replay(self.nginx.workers_of(old) + self.nginx.workers())
        time.sleep(random.random())
        return old, former

    def upgrade(self):
        old, _ = self.start_upgrade()
        if random.random() < 0.5:
            workers = self.nginx.workers_of(old)
            os.kill(old, signal.SIGWINCH)
            wait_for("old workers to go", lambda: not any(map(is_alive, workers)))
        os.kill(old, signal.SIGQUIT)
        wait_for("the old master to go", lambda: not is_alive(old))

    def upgrade_and_back(self):
        old, former = self.start_upgrade()
        new, workers = self.nginx.master(), self.nginx.workers()
        self.nginx.configure(former)
        os.kill(new, signal.SIGQUIT)
        wait_for("the new master to go", lambda: not is_alive(new) and not any(map(is_alive, workers)))
        wait_for("the old pid file", lambda: self.nginx.pid_in("nginx.pid") == old)
        self.nginx.generation = former

    def rewrite_journal(self):
        """Everything once more and again, as the command would append it: far longer than need be."""
        journal = self.nginx.dir / f"state/{REALM}.ended"
        with open(self.nginx.dir / f"state/{REALM}.lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            inode, records = journal.stat().st_ino, journal.read_bytes()
            if not records:
                return
            with open(journal, "ab", buffering=0) as file:
                file.write(records * (3 + 60_000 // len(records)))
        wait_for("the journal to be written anew", lambda: journal.exists() and journal.stat().st_ino != inode)

    def replay(self, workers, ended=200, live=50, lost=50):
        """So many of each to each of these workers; all, where that is None."""
        truth = self.truth
        connections = self.connect(workers)
        for connection in connections.values():
            sessions = []
            for which, count in ((truth.ended, ended), (truth.live, live), (truth.lost, lost)):
                sessions += truth.sample(which, len(which) if count is None else count)
            for at in range(0, len(sessions), 50):
                truth.ask(connection, sessions[at:at + 50])
            connection.close()

    def connect(self, workers):
        """A connection to each of these workers."""
        found, deadline = {}, time.monotonic() + 20
        while missing := set(workers) - set(found):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no connection comes to the workers {missing}")
            connection = Connection(self.nginx.replay_port)
            answer, = connection.ask(request("GET", "/file"))
            if answer.worker in missing:
                found[answer.worker] = connection
            else:
                connection.close()
        return found


# ---- the run -------------------------------------------------------------------------------------


class Run:
    def __init__(self, options):
        self.options = options
        self.nginx = Nginx(with_state=not options.no_state)
        self.truth = Truth(self.nginx)
        self.disturber = Disturber(self.nginx, self.truth)
        self.stop = threading.Event()
        self.sizes = {}
        self.began = 0.0

    def allowed(self):
        passed = (time.monotonic() - self.began) / self.options.seconds
        return min(self.options.logouts, int(self.options.logouts * passed) + 1)

    def is_done(self):
        return self.truth.counts["logouts"] >= self.options.logouts or self.stop.is_set()

    def go(self):
        self.nginx.start()
        self.disturber.reload()
        self.settle("at the start")
        self.began = time.monotonic()
        clients = [Client(self.truth, self.allowed, self.stop, random.random()) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        try:
            self.disturb()
        finally:
            self.stop.set()
            for client in clients:
                client.join(30)
        for client in clients:
            if client.error:
                raise client.error
        self.finish()

    def disturb(self):
        said = 0.0
        wait_for("sessions", lambda: self.is_done() or self.truth.counts["logouts"] > 5)
        while not self.is_done():
            kind = self.disturber.disturb()
            self.disturber.replay(self.nginx.workers())
            if sys.stdout.isatty() or time.monotonic() - said > 5:
                said = time.monotonic()
                counts = self.truth.counts
                wrong = counts["ended accepted"] + counts["live refused"]
                print(f"{said - self.began:6.1f} s  {counts['logouts']:6} logouts  {counts['replays']:7} replays  "
                      f"{wrong} wrong  ({kind})", flush=True)
            time.sleep(random.random() / 2)

    def finish(self):
        """All that has ever been, to every worker; then once more after a last restart."""
        self.truth.expect_failures_until = 0
        self.settle("at the end")
        self.disturber.replay(self.nginx.workers(), None, None, None)
        for _ in range(self.options.reloads):
            self.disturber.reload()
            self.truth.count("reloads")
        self.settle(f"{self.options.reloads} reloads later")
        self.disturber.kill_all()
        self.truth.count("kills of everything")
        self.disturber.replay(self.nginx.workers(), None, None, None)

    def settle(self, when):
        wait_for("old workers to go", lambda: len(self.nginx.processes()) == 1 + WORKERS)
        self.sizes[when] = self.nginx.sizes()

    def report(self):
        """Prints the table; false where something was wrong."""
        counts, complaints = self.truth.counts, self.nginx.complaints()
        mistakes = ("ended accepted", "live refused", "strange answers", "connections lost otherwise")
        rows = ["sign-ins", "logouts", "of these by signing in again", "logouts without an answer",
                *self.disturber.kinds, "replays", "connections lost, as expected", *mistakes]
        print(f"\n  {'live at the end':32} {len(self.truth.live):8}")
        for row in rows:
            print(f"  {row:32} {counts[row]:8}")
        print(f"  {'alert, emerg, crit':32} {len(complaints):8}")
        print(f"  {'longest unheard by another zone':32} {self.truth.lag:8.3f} s")
        print(f"\n  {'':32} {'master':>8} {'fds':>6} {'worker':>8} {'fds':>6}")
        for when, (master, master_fds, worker, worker_fds) in self.sizes.items():
            print(f"  {when:32} {master:6} k {master_fds:6} {worker:6} k {worker_fds:6}")
        for line in [*self.truth.wrong, *self.truth.strange[:20], *complaints[:20]]:
            print(f"  {line}")
        return not complaints and not any(counts[mistake] for mistake in mistakes)

    def clean(self):
        self.nginx.kill_all()
        if self.options.keep:
            print(f"files in {self.nginx.dir}")
        else:
            shutil.rmtree(self.nginx.dir)


def main():
    parser = argparse.ArgumentParser(prog="scripts/stress")
    parser.add_argument("--logouts", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--no-state", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    options.logouts = options.logouts or (500 if options.quick else 10_000)
    options.seconds = options.seconds or (20 if options.quick else 150)
    options.reloads = 5 if options.quick else 20
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    random.seed(options.seed)
    print(f"seed {options.seed}, {options.logouts} logouts in {options.seconds:g} s, "
          f"{'without' if options.no_state else 'with'} state", flush=True)
    run = Run(options)
    try:
        run.go()
        well = run.report()
    except KeyboardInterrupt:
        print("stopped")
        sys.exit(130)
    finally:
        run.clean()
    sys.exit(0 if well else 1)


main()
