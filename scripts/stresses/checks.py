"""E58 to E61: more logins than can be checked, over reloads and upgrades."""

import random
import threading
import time
from collections import Counter

from .aborts import AbortedNginx
from .client import Client
from .connection import Connection, Lost, login
from .mixed import Supply
from .nginx import PASSWORD, REALM, USERS, wait_for
from .plain import PlainNginx
from .sessions import Sessions
from .steady import Hangs, Probe

FLOOD, RETRIES = 32, 3


class CrowdedNginx(AbortedNginx):
    """Few checks run at once and few wait. Without worker_shutdown_timeout a worker answers all before it goes."""

    main = ""
    cost = 7

    def http(self, generation):
        return f"""
    authgate_realm {REALM} {{
        users {self.dir}/users;
        limit retries={RETRIES} find=10h ban=10h user_retries=100000;
        checks running=2 waiting=8;
        session idle=10h max=12h;
        zone 16m;
        state {self.dir}/state;
    }}
    set_real_ip_from 127.0.0.1;
    real_ip_header X-Real-IP;
    add_header X-Worker $pid always;
    add_header X-Generation {generation} always;
    server {{
        listen 127.0.0.1:{self.port} backlog=1024;
        listen 127.0.0.1:{self.replay_port} reuseport;
        root {self.dir}/html;
        authgate {REALM};
    }}
    server {{
        listen 127.0.0.1:{self.status_port};
        location /metrics {{ authgate_metrics; }}
        location /stub {{ stub_status; }}
    }}"""


class Crowd(threading.Thread):
    """Signs in with right and wrong passwords, from one network after the other. Each login is answered; turned away
    are those that too many others are before, and these do not count as failed."""

    def __init__(self, truth, stop, seed, supply):
        super().__init__(daemon=True)
        self.truth, self.stop, self.random, self.supply = truth, stop, random.Random(seed), supply
        self.counts = Counter()
        self.longest = 0.0
        self.error = None

    def run(self):
        try:
            while not self.stop.is_set():
                self.one_network()
        except Exception as error:
            self.error = error
            self.stop.set()

    def one_network(self):
        network = self.supply.network()
        failed = Counter()  # by the zone that counts it
        for _ in range(4 * RETRIES):
            if self.stop.is_set():
                return
            is_wrong = self.random.random() < 0.6
            answer = self.sign_in(network, self.supply.wrong() if is_wrong else PASSWORD)
            if answer is None:
                continue
            limited = failed[answer.generation] >= RETRIES
            expected = [429] if limited else [403, 503] if is_wrong else [303, 503]
            if answer.status not in expected:
                self.truth.wrong.add(f"a login was answered {answer.status}, not {expected}, after "
                                     f"{failed[answer.generation]} failures")
            if answer.status in (429, 503) and not answer.retry_after:
                self.truth.wrong.add(f"{answer.status} without Retry-After")
            failed[answer.generation] += answer.status == 403
            self.counts[f"logins answered {answer.status}"] += 1
            if answer.status == 503:
                self.stop.wait(self.random.uniform(0, 0.2))

    def sign_in(self, network, password):
        what = login(f"user{self.random.randrange(USERS)}", password=password, X_Real_IP=network)
        began = time.monotonic()
        try:
            answer, = Connection(self.truth.nginx.port).ask(what)
        except Lost as lost:
            self.truth.connection_failed(lost)
            return None
        self.longest = max(self.longest, time.monotonic() - began)
        return answer


class Checks(Sessions):
    name = "checks"
    about = "more logins at once than can be checked, over reloads and upgrades: each is answered, others do not wait"
    seconds, quick = 60, 8
    logouts_per_second = 1

    def __init__(self, options, seconds):
        super().__init__(options, seconds)
        self.plain, self.hangs, self.crowd = self.use(PlainNginx()), Hangs(), []

    def make_nginx(self):
        return CrowdedNginx()

    def go(self):
        self.plain.start()
        self.nginx.start()
        self.warm_up(self.nginx, self.disturber)
        self.began_work = time.monotonic()
        own, supply = threading.Event(), Supply(0)
        # It signs in before the crowd comes, and then only asks: that needs no check.
        witness = Client(self.truth, lambda: 0, own, random.random(), self.hangs)
        witness.live = 5
        self.begin(witness)
        wait_for("sessions", lambda: self.is_broken() or len(self.truth.live) >= witness.live)
        self.crowd = [Crowd(self.truth, own, random.random(), supply) for _ in range(FLOOD)]
        self.begin(Probe(self.plain, own, self.hangs), *self.crowd)
        while self.remaining() > 0 and not self.is_broken():
            own.wait(random.uniform(0.2, 2))
            kind = random.choice(["reloads", "reloads", "binary upgrades"])
            self.disturber.kinds[kind]()
            self.truth.count(kind)
            self.say(f"{sum(one.counts.total() for one in self.crowd):7} logins")
        self.end(self.threads)
        wait_for("nothing to be under way", self.nginx.is_idle)
        self.settle("at the end")
        self.compare("at the start", "at the end")

    def count(self):
        super().count()
        counts = sum((one.counts for one in self.crowd), Counter())
        self.requests += counts.total()
        self.rows += [*sorted(counts.items()),
                      ("longest login", f"{max((one.longest for one in self.crowd), default=0):.3f} s"),
                      *self.hangs.rows()]
        for hang in self.hangs.found():
            self.wrong.add(f"a hang: {hang}")
