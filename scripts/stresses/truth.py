"""What has become of each session, and what a gate must say of it therefore."""

import random
import threading
import time
from collections import Counter

from .connection import get

# How long, in seconds, another zone may take a session that has ended: a second, and what a busy machine adds.
GRACE = 1.0 + 0.3


class Session:
    __slots__ = ("cookie", "user", "generation", "state", "ended_at", "ended_in", "is_saved")

    def __init__(self, cookie, user, generation):
        self.cookie, self.user, self.generation = cookie, user, generation
        self.state = "live"  # then "ending" before the logout is sent; "ended" or "unknown" after it
        self.ended_at = self.ended_in = None
        self.is_saved = True


class Truth:
    """All sessions, what has become of them, and the verdicts that contradict it."""

    def __init__(self, nginx, wrong, failures):
        self.nginx, self.wrong, self.failures = nginx, wrong, failures
        self.lock = threading.Lock()
        self.live, self.ended, self.lost = [], [], []
        self.counts = Counter()
        self.lag = 0.0
        self.expect_failures_until = 0.0
        # While it is, and a moment longer: a logout may be answered 500.
        self.is_disk_full = False
        # Whether some that are live may be refused, since the zone is full.
        self.may_be_coarse = lambda: False

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

    def has_ended(self, session, generation, is_saved=True):
        with self.lock:
            session.is_saved = is_saved
            session.ended_in, session.ended_at = generation, time.monotonic()
            session.state = "ended"
            self.ended.append(session)
            self.counts["logouts"] += 1

    def all_is_saved(self, before):
        """What had ended before that moment would survive a restart by now."""
        with self.lock:
            for session in self.ended:
                session.is_saved = session.is_saved or session.ended_at < before

    def forget_unsaved(self):
        """After a restart: what was not saved may live again."""
        with self.lock:
            for session in self.ended:
                if not session.is_saved:
                    session.state = "unknown"
                    self.counts["unsaved at a restart"] += 1
            self.ended = [session for session in self.ended if session.is_saved]

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
            if self.may_be_coarse():
                return self.count("live refused, since it is coarse")
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
        said = f"{what}: {session.user}, signed in with zone {session.generation}, asked zone {answer.generation}"
        self.wrong.add(f"{said}, worker {answer.worker}, ended in zone {session.ended_in}, {detail}")

    def is_strange(self, what, answer):
        self.failures.add(f"{what}: {answer.status} of zone {answer.generation}")

    def connection_failed(self, lost):
        expected = lost.idle or time.monotonic() < self.expect_failures_until
        if expected:
            self.count("connections lost, as expected")
        else:
            self.failures.add(str(lost))

    def ask(self, connection, sessions):
        """Replays these cookies on one connection."""
        known = [session.ended_at for session in sessions]
        sent_at = time.monotonic()
        answers = connection.ask(*map(get, sessions))
        for session, ended_at, answer in zip(sessions, known, answers):
            self.judge(session, sent_at, ended_at, answer)
        self.count("replays", len(sessions))
