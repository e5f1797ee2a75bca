"""A15: the machine's clock steps by up to an hour, forth and back."""

import base64
import os
import random
import struct
import time
from pathlib import Path

from .connection import Connection, login, logout, request
from .disturber import Disturber
from .mixed import basic
from .nginx import REALM, USERS, Nginx
from .scenario import Scenario
from .token import Maker

LIBRARY = Path(f"/usr/lib/{os.uname().machine}-linux-gnu/faketime/libfaketime.so.1")
STEP = 3600
IDLE, MAX, BAN, RETRIES, SKEW = 600, 1800, 6, 3, 60
# Around the second in which a verdict changes either is right.
EDGE = 2


class SteppedNginx(Nginx):
    """Its clock is the machine's and an offset, which a file says; the monotonic clock stays as it is."""

    main = "env LD_PRELOAD; env FAKETIME_TIMESTAMP_FILE; env FAKETIME_NO_CACHE; env FAKETIME_DONT_FAKE_MONOTONIC; " \
           "env DONT_FAKE_MONOTONIC; env NO_FAKE_STAT;"
    workers_wanted = 2

    def __init__(self):
        super().__init__()
        self.clock = self.dir / "clock"
        self.environment = os.environ | {
            "LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(self.clock), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1",
        }
        self.tokens = Maker(REALM)
        (self.dir / "keys").write_text(self.tokens.keys_file())
        (self.dir / "keys").chmod(0o600)
        self.step(0)

    def step(self, offset):
        new = self.dir / "clock.new"
        new.write_text(f"{offset:+d}\n")
        new.rename(self.clock)
        self.offset = offset
        self.tokens.offset = offset

    def now(self):
        return time.time() + self.offset

    def http(self, generation):
        return f"""
    authgate_realm {REALM} {{
        users {self.dir}/users;
        keys {self.dir}/keys;
        state {self.dir}/state;
        accept cookie bearer basic;
        session idle={IDLE}s max={MAX}s;
        limit retries={RETRIES} find=1h ban={BAN}s user_retries=100000;
        zone 16m;
    }}
    server {{
        listen 127.0.0.1:{self.port};
        listen 127.0.0.1:{self.replay_port} reuseport;
        root {self.dir}/html;
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Real-IP;
        authgate {REALM};
        add_header X-Worker $pid always;
        add_header X-Clock $msec always;
    }}"""


class Token:
    """What can be read in one, and what has become of its session."""

    def __init__(self, cookie, session=None):
        self.cookie = cookie
        payload = cookie.removeprefix("agt_").split(".")[2]
        fields = struct.unpack(">4s16sQQQQ", base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))[:52])
        self.id, self.issued_at, self.expires_at, self.ends_at = fields[1:5]
        self.session = session or {"ended": False}

    def holds(self, now):
        """As docs/TOKEN.md says it; None where it changes in this second."""
        if self.session["ended"]:
            return False
        holds = {self.issued_at <= at + SKEW and at < min(self.expires_at, self.ends_at)
                 for at in (now - EDGE, now, now + EDGE)}
        return holds.pop() if len(holds) == 1 else None


class Clock(Scenario):
    name = "clock"
    about = "the clock steps by up to an hour, forth and back: no token outlives its end, a ban lasts its time"
    seconds, quick = 60, 8

    @classmethod
    def missing(cls):
        return None if LIBRARY.exists() else f"no {LIBRARY} (Debian's package libfaketime)"

    def __init__(self, options, seconds):
        super().__init__(options, seconds)
        self.nginx = self.use(SteppedNginx())
        self.disturber = Disturber(self.nginx, None)
        self.sessions, self.apis = [], []
        self.banned = []
        self.counts = dict.fromkeys(["steps", "restarts", "tokens taken", "tokens refused", "renewals", "sign-ins",
                                     "sign-outs", "bans", "Basic"], 0)
        self.networks = self.mistakes = 0

    def go(self):
        self.nginx.start()
        self.sign_in()
        self.warm_up(self.nginx, self.disturber)
        while self.remaining() > 0:
            self.round()
            self.say(f"{self.counts['steps']:5} steps  {self.requests:8} requests")
        self.nginx.step(0)
        self.disturber.reload()
        self.measure_at_rest("at the end", self.nginx)
        self.compare("at the start", "at the end")

    def round(self):
        """One step, and what everybody says of it."""
        self.counts["steps"] += 1
        if random.random() < 0.1:
            self.nginx.kill_all()
            self.nginx.start()
            self.banned.clear()
            self.counts["restarts"] += 1
        self.nginx.step(random.choice([0, 1, SKEW, IDLE, MAX, STEP - 1, *(random.randrange(STEP) for _ in range(6))]))
        workers = self.disturber.connect(self.nginx.workers())
        for connection in workers.values():
            self.look(connection)
            for token in random.sample(self.sessions, min(len(self.sessions), 60)):
                self.try_cookie(connection, token)
            for token in random.sample(self.apis, min(len(self.apis), 20)):
                self.try_api(connection, token)
        self.limiter(random.choice(list(workers.values())))
        for connection in workers.values():
            connection.close()
        for _ in range(3):
            self.sign_in()
            self.sign_out()
            self.make_api()
        self.sessions, self.apis = self.sessions[-3000:], self.apis[-1000:]

    def ask(self, connection, what):
        self.requests += 1
        answer, = connection.ask(what)
        return answer

    def look(self, connection):
        answer = self.ask(connection, request("GET", "/file"))
        if abs(answer.clock - self.nginx.now()) > EDGE:
            raise RuntimeError(f"nginx's clock is {answer.clock}, not {self.nginx.now()}: libfaketime does not work")

    # ---- Tokens ----

    def judge(self, what, token, answer):
        now = self.nginx.now()
        expected = token.holds(now)
        taken = answer.status == 200
        self.counts["tokens taken" if taken else "tokens refused"] += 1
        if answer.status not in (200, 401):
            self.failures.add(f"{what}: {answer.status}")
        elif expected is not None and taken != expected:
            self.wrong.add(f"{what}: {answer.status} at {now:.0f}: issued {token.issued_at - now:+.0f}, expires "
                           f"{token.expires_at - now:+.0f}, ends {token.ends_at - now:+.0f} s, {token.session}")
        return taken

    def try_cookie(self, connection, token):
        answer = self.ask(connection, request("GET", "/file", token.cookie))
        if self.judge("a session", token, answer) and answer.cookie:
            self.renewed(token, Token(answer.cookie, token.session))

    def renewed(self, old, new):
        self.counts["renewals"] += 1
        self.sessions.append(new)
        if (new.id, new.ends_at) != (old.id, old.ends_at) or new.expires_at > new.ends_at:
            self.wrong.add(f"a renewal moved the end from {old.ends_at} to {new.ends_at}, {new.expires_at}")

    def sign_in(self):
        answer = self.ask(Connection(self.nginx.port), login(f"user{random.randrange(USERS)}"))
        if answer.status != 303 or not answer.cookie:
            return self.failures.add(f"a login: {answer.status}")
        self.counts["sign-ins"] += 1
        token, now = Token(answer.cookie), self.nginx.now()
        self.sessions.append(token)
        if token.ends_at > now + MAX + EDGE or token.expires_at > now + IDLE + EDGE:
            self.wrong.add(f"a session ends {token.ends_at - now:.0f} s, expires {token.expires_at - now:.0f} s after")

    def sign_out(self):
        live = [token for token in self.sessions if token.holds(self.nginx.now())]
        if live and random.random() < 0.5:
            token = random.choice(live)
            answer = self.ask(Connection(self.nginx.port), logout(token))
            if answer.status != 303:
                return self.failures.add(f"a logout: {answer.status}")
            token.session["ended"] = True
            self.counts["sign-outs"] += 1

    def make_api(self):
        token = self.nginx.tokens.api(f"user{random.randrange(USERS)}", random.randrange(-STEP, STEP))
        self.apis.append(Token(token))

    def try_api(self, connection, token):
        self.judge("an API token", token, self.ask(connection, get_as(f"Bearer {token.cookie}")))

    # ---- What goes by the monotonic clock ----

    def limiter(self, connection):
        """A ban lasts so many seconds of anybody's life, whatever the clock says."""
        now = time.monotonic()
        for network, since in list(self.banned):
            if BAN - 1 < now - since < BAN + 1:
                continue
            status = self.wrong_login(connection, network)
            if status != (429 if now - since < BAN else 403):
                self.wrong.add(f"{now - since:.1f} s after a ban of {BAN} s: {status}")
            if status != 429:
                self.banned.remove((network, since))
        self.networks += 1
        network = f"10.9.{self.networks >> 8 & 255}.{self.networks & 255}"
        statuses = [self.wrong_login(connection, network) for _ in range(RETRIES + 1)]
        if statuses != [403] * RETRIES + [429]:
            self.wrong.add(f"{RETRIES} retries: {statuses}")
        self.counts["bans"] += 1
        self.banned.append((network, time.monotonic()))
        credential = basic(f"user{random.randrange(USERS)}")
        if (status := self.ask(connection, get_as(credential)).status) != 200:
            self.wrong.add(f"Basic: {status}")
        self.counts["Basic"] += 1

    def wrong_login(self, connection, network):
        self.mistakes += 1
        return self.ask(connection, login("nobody", password=f"wrong {self.mistakes}", X_Real_IP=network)).status

    def count(self):
        self.rows = list(self.counts.items())


def get_as(credential):
    return request("GET", "/file", Authorization=credential)
