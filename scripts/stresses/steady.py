"""The mixed load at a steady rate, over connections that stay, and what else nginx serves meanwhile."""

import threading
import time

from .connection import Connection, Lost, request
from .mixed import Mixed

# Whatever takes so many seconds is a hang, unless another nginx on the same machine was as slow in that moment.
HANG = 1.0


class Steady(Mixed):
    """Asks so often in a second. A GET that met a connection which nginx closed between two requests is asked again,
    as a client may; a POST goes over a new connection, since it may not."""

    always = {}

    def __init__(self, nginx, stop, seed, supply, rate, hangs):
        super().__init__(nginx, stop, seed, supply)
        self.rate, self.hangs = rate, hangs
        self.kept = Connection(nginx.port)
        self.again = 0
        self.next = time.monotonic()

    def send(self, request):
        self.wait()
        self.requests += 1
        if not request.startswith(b"GET "):
            self.kept.close()
        began = time.monotonic()
        try:
            answer, = self.kept.ask(request)
        except Lost as lost:
            if lost.idle:
                self.again += 1
                return self.send(request)
            answer = None
            self.lost.append(f"{lost}: {request.decode()!r}")
        self.hangs.took(began, request)
        return answer

    def wait(self):
        """What a hang has delayed is made up for, so that the rate holds on the average."""
        self.next += 1 / self.rate
        if (early := self.next - time.monotonic()) > 0:
            time.sleep(early)

    def judge(self, answer, status, verdict, what, login=None):
        if answer and answer.status >= 500:
            self.lost.append(f"{answer.status}: {what}")
        else:
            super().judge(answer, status, verdict, what, login)


class Ungated(Steady):
    """The same requests to an nginx that has no gate: what it answers says nothing, that it answers does."""

    def judge(self, answer, status, verdict, what, login=None):
        if answer and answer.status >= 500:
            self.lost.append(f"{answer.status}: {what}")

    def sign_in(self, parity=None):
        user = self.person(parity)
        self.form(303, "ok", user)
        self.live.append((user, self.tokens.session(user)))
        while len(self.live) > 20:
            self.sign_out()


class Hangs:
    """What took long, and whether it was the machine that was slow."""

    def __init__(self):
        self.slow, self.slow_elsewhere = [], []
        self.longest = self.longest_elsewhere = 0.0

    def took(self, began, what):
        now = time.monotonic()
        self.longest = max(self.longest, now - began)
        if now - began > HANG:
            self.slow.append((began, now, what))

    def took_elsewhere(self, began):
        now = time.monotonic()
        self.longest_elsewhere = max(self.longest_elsewhere, now - began)
        if now - began > HANG / 4:
            self.slow_elsewhere.append((began, now))

    def found(self):
        """Of each that was slow where the machine was not, a line."""
        for began, ended, what in self.slow:
            elsewhere = max((end - start for start, end in self.slow_elsewhere if start < ended and end > began),
                            default=0)
            if ended - began > HANG + 2 * elsewhere:
                yield f"{ended - began:.2f} s, another nginx {elsewhere:.2f} s: {what[:60]!r}"

    def rows(self):
        return [("longest answer", f"{self.longest:.3f} s"),
                ("of another nginx meanwhile", f"{self.longest_elsewhere:.3f} s")]


class Probe(threading.Thread):
    """Asks an nginx without the module all the while."""

    def __init__(self, nginx, stop, hangs):
        super().__init__(daemon=True)
        self.connection, self.stop, self.hangs = Connection(nginx.port), stop, hangs
        self.error = None

    def run(self):
        try:
            while not self.stop.wait(0.02):
                self.connection.close()
                began = time.monotonic()
                self.connection.ask(request("GET", "/file"))
                self.hangs.took_elsewhere(began)
        except Exception as error:
            self.error = error
