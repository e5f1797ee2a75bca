"""Clients that do all that a gate counts, and count it themselves."""

import base64
import itertools
import random
import threading
import urllib.parse
from collections import Counter, deque

from .connection import Connection, Lost
from .metered import PEOPLE
from .nginx import PASSWORD
from .token import METHOD, PATH

AT_ONCE = 8  # equal credentials


class Supply:
    """What several clients take their requests from. No two that fail come from one network, or it would be banned;
    and no two bring the same wrong credential, which is checked once from one network."""

    def __init__(self, machines):
        self.networks, self.mistakes = itertools.count(1), itertools.count(1)
        # Those that have not been seen yet: what they ask first is checked.
        self.machines = iter(range(machines))
        # Those that have shown their password lately, and the network that they did so from, where it needs no check;
        # `append` and reading one are atomic.
        self.known = deque(maxlen=100)

    def network(self):
        number = next(self.networks)
        return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"

    def wrong(self):
        return f"wrong {next(self.mistakes)}"

    def machine(self):
        number = next(self.machines, None)
        return None if number is None else f"machine{number}"


def basic(user, password=PASSWORD):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Mixed(threading.Thread):
    """One client. `counts` is what the gate has to say at the end."""

    always = {"Connection": "close"}

    def __init__(self, nginx, stop, seed, supply):
        super().__init__(daemon=True)
        self.nginx, self.tokens, self.stop = nginx, nginx.tokens, stop
        self.random, self.supply = random.Random(seed), supply
        self.requests = 0
        self.counts, self.actions = Counter(), Counter()
        self.strange, self.lost = [], []
        self.live, self.ended = [], deque(maxlen=50)
        self.error = None

    def run(self):
        actions = {getattr(self, name): weight for name, weight in WEIGHTS.items()}
        try:
            while not self.stop.is_set():
                action, = self.random.choices(list(actions), actions.values())
                self.actions[action.__name__] += 1
                action()
        except Exception as error:  # a mistake of this script ends the run
            self.error = error
            self.stop.set()

    # ---- One request ----

    def ask(self, status, verdict, path="/file", method="GET", body=None, login=None, **headers):
        """Asks on a connection of its own and counts what the gate has to count: a verdict, and a login as
        (method, result)."""
        answer = self.send(self.request(path, method, body, headers))
        self.judge(answer, status, verdict, f"{method} {path} {headers}", login)
        return answer

    def request(self, path, method, body, headers):
        headers = {"Host": "127.0.0.1", **self.always, "X_Real_IP": self.supply.network(), **headers}
        if body is not None:
            headers |= {"Content_Type": "application/x-www-form-urlencoded", "Content_Length": len(body)}
        head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        return f"{method} {path} HTTP/1.1\r\n{head}\r\n{body or ''}".encode()

    def send(self, request):
        self.requests += 1
        return self.send_apart(request)

    def send_apart(self, request):
        """On a connection of its own."""
        try:
            answer, = Connection(self.nginx.port).ask(request)
            return answer
        except Lost as lost:
            self.lost.append(f"{lost}: {request.decode()!r}")
            return None

    def judge(self, answer, status, verdict, what, login=None):
        if answer is None:
            return
        if answer.status != status or verdict and answer.gate != verdict:
            self.strange.append(f"{answer.status} {answer.gate}, not {status} {verdict}: {what}")
        if verdict:
            self.counts[f"verdicts {verdict}"] += 1
        if login:
            self.counts[f"logins {login[0]} {login[1]}"] += 1
            if login[1] not in ("limited", "busy"):
                self.counts["checks"] += 1

    def person(self, parity=None):
        number = self.random.randrange(PEOPLE // 2) * 2 + (self.random.randrange(2) if parity is None else parity)
        return f"person{number}"

    # ---- The page ----

    def form(self, status, result, user, password=PASSWORD, **headers):
        body = urllib.parse.urlencode({"username": user, "password": password, "rd": "/"})
        return self.ask(status, None, "/authgate/login", "POST", body, ("form", result), **headers)

    def sign_in(self, parity=None):
        user = self.person(parity)
        answer = self.form(303, "ok", user)
        if answer and answer.cookie:
            self.live.append((user, answer.cookie))
        while len(self.live) > 20:
            self.sign_out()

    def sign_out(self):
        if self.live:
            _, cookie = self.live.pop(self.random.randrange(len(self.live)))
            if self.ask(303, None, "/authgate/logout", "POST", "", Cookie=f"authgate={cookie}"):
                self.counts["logouts"] += 1
                self.ended.append(cookie)

    def sign_out_of_nothing(self):
        headers = {"Cookie": f"authgate={self.random.choice(self.ended)}"} if self.ended else {}
        self.ask(303, None, "/authgate/logout", "POST", "", **headers)

    def form_wrong(self):
        self.form(403, "bad_password", self.person(), self.supply.wrong())

    def form_nobody(self):
        self.form(403, "unknown_user", "nobody", self.supply.wrong())

    def pages(self):
        self.ask(200, None, "/authgate/login")
        self.ask(401, None, "/authgate/session")
        user, headers = self.session()
        self.ask(200, None, "/authgate/session", **headers)

    # ---- Cookies ----

    def session(self, parity=None):
        mine = [one for one in self.live if parity is None or int(one[0][6:]) % 2 == parity]
        while not mine:
            self.sign_in(parity)
            mine = [one for one in self.live if parity is None or int(one[0][6:]) % 2 == parity]
        user, cookie = self.random.choice(mine)
        return user, {"Cookie": f"authgate={cookie}"}

    def valid(self):
        self.ask(200, "ok", **self.session()[1])

    def missing(self):
        self.ask(401, "missing")
        self.ask(302, "missing", Accept="text/html")

    def revoked(self):
        if self.ended:
            self.ask(401, "revoked", Cookie=f"authgate={self.random.choice(self.ended)}")

    def garbage(self):
        good = self.tokens.session(self.person())
        head, _, mac = good.rpartition(".")
        altered = f"{head}.{'B' if mac[0] == 'A' else 'A'}{mac[1:]}"
        for verdict, cookie in {
            "malformed": "garbage", "unknown_key": good.replace("v1.stress.", "v1.other."), "bad_signature": altered,
            "expired": self.tokens.session(self.person(), -self.random.randrange(1, 10_000)),
            "password_changed": good, "unknown_user": self.tokens.session("nobody"),
        }.items():
            self.ask(401, verdict, Cookie=f"authgate={cookie}")

    # ---- Rules, verify, and locations that are counted once or not at all ----

    def forbidden(self):
        self.ask(200, "ok", "/sre", **self.session(0)[1])
        self.ask(403, "forbidden", "/sre", **self.session(1)[1])
        self.ask(401, "missing", "/sre")

    def verify(self):
        headers = self.session()[1]
        self.ask(204, "ok", "/verify", **headers)
        self.ask(401, "missing", "/verify")
        # The main request's own location has no gate.
        for status, verdict, login, headers in [
            (200, "ok", None, headers), (401, "missing", None, {}),
            (401, "bad_password", ("basic", "bad_password"), {"Authorization": self.wrong_basic(self.person())}),
        ]:
            answer = self.send(self.request("/by-request", "GET", None, headers))
            if answer:
                answer.gate = verdict
            self.judge(answer, status, verdict, f"GET /by-request {headers}", login)

    def elsewhere(self):
        self.ask(200, None, "/open")
        self.ask(200, "missing", "/optional")
        self.ask(200, "missing", "/dry-run")
        headers = self.session()[1]
        self.ask(200, "ok", "/optional", **headers)
        self.ask(200, "ok", "/again", **headers)  # an internal redirect, and one request

    # ---- Basic ----

    def wrong_basic(self, user):
        return basic(user, self.supply.wrong())

    def basic_known(self):
        if self.supply.known:
            user, here = self.random.choice(self.supply.known)
            self.ask(200, "ok", Authorization=basic(user), **here)

    def basic_cold(self):
        if user := self.supply.machine():
            here = self.here()
            self.ask(200, "ok", login=("basic", "ok"), Authorization=basic(user), **here)
            self.supply.known.append((user, here))

    def here(self):
        return {"X_Real_IP": self.supply.network()}

    def basic_at_once(self):
        """Equal credentials that nobody knows: one of them is checked."""
        if user := self.supply.machine():
            here = self.here()
            request = self.request("/file", "GET", None, {"Authorization": basic(user), **here})
            answers = []
            send = lambda: answers.append(self.send_apart(request))
            threads = [threading.Thread(target=send) for _ in range(AT_ONCE)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.requests += AT_ONCE
            for answer in answers:
                self.judge(answer, 200, "ok", "equal at once")
            self.counts["logins basic ok"] += 1
            self.counts["checks"] += 1
            self.supply.known.append((user, here))

    def basic_wrong(self):
        self.ask(401, "bad_password", login=("basic", "bad_password"), Authorization=self.wrong_basic(self.person()))

    def basic_nobody(self):
        self.ask(401, "unknown_user", login=("basic", "unknown_user"), Authorization=self.wrong_basic("nobody"))

    def basic_malformed(self):
        self.ask(401, "malformed", Authorization="Basic ?")

    def banned(self):
        """Five failures of one network; who has signed in from there by Basic still passes, and nobody else."""
        here, machine = self.here(), self.supply.machine()
        if machine:
            self.ask(200, "ok", login=("basic", "ok"), Authorization=basic(machine), **here)
        for _ in range(3):
            self.form(403, "bad_password", self.person(), self.supply.wrong(), **here)
        for _ in range(2):
            credential = self.wrong_basic(self.person())
            self.ask(401, "bad_password", login=("basic", "bad_password"), Authorization=credential, **here)
        self.form(429, "limited", self.person(), **here)
        if user := self.supply.machine():
            self.ask(429, "limited", login=("basic", "limited"), Authorization=basic(user), **here)
        if self.supply.known:
            user, _ = self.random.choice(self.supply.known)
            self.ask(429, "limited", login=("basic", "limited"), Authorization=basic(user), **here)
        if machine:
            self.ask(200, "ok", Authorization=basic(machine), **here)

    # ---- API tokens ----

    def bearer(self, status, verdict, token, **more):
        self.ask(status, verdict, Authorization=f"Bearer {token}", **more)

    def bearer_valid(self):
        self.bearer(200, "ok", self.tokens.api(self.person()))
        self.bearer(200, "ok", self.tokens.api(self.person(), limits=[(METHOD, "GET"), (PATH, "/file")]))

    def bearer_refused(self):
        tokens = self.tokens
        self.bearer(401, "expired", tokens.api(self.person(), -5))
        self.bearer(401, "unknown_user", tokens.api("nobody"))
        self.bearer(401, "malformed", "agt_garbage")
        self.bearer(403, "forbidden", tokens.api(self.person(), limits=[(PATH, "/sre")]))
        self.bearer(403, "forbidden", tokens.api(self.person(), limits=[(METHOD, "POST")]))
        self.bearer(403, "forbidden", tokens.api("person1"), path="/sre")


WEIGHTS = {
    "valid": 20, "missing": 5, "revoked": 4, "garbage": 3, "sign_in": 4, "sign_out": 3, "sign_out_of_nothing": 1,
    "form_wrong": 2, "form_nobody": 1, "pages": 2, "forbidden": 3, "verify": 3, "elsewhere": 3, "basic_known": 15,
    "basic_cold": 5, "basic_at_once": 1, "basic_wrong": 2, "basic_nobody": 1, "basic_malformed": 1, "banned": 0.5,
    "bearer_valid": 5, "bearer_refused": 2,
}
