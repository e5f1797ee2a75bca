"""A23, A26, I106, I107, I113a: sessions that are ended while nginx is disturbed. None may be taken that has ended, none
refused that has not."""

import random
import time

from .client import Client
from .disturber import Disturber
from .nginx import Nginx, wait_for
from .scenario import Scenario
from .truth import Truth


class Sessions(Scenario):
    name = "sessions"
    about = "sessions end while nginx is reloaded, killed, restarted, upgraded, its zone and journal made anew"
    seconds, quick = 150, 8
    with_state = True
    clients, hangs = 6, None
    # So many sessions are ended in a second.
    logouts_per_second = 60
    reloads = 20

    def __init__(self, options, seconds):
        super().__init__(options, seconds)
        self.nginx = self.use(self.make_nginx())
        self.truth = Truth(self.nginx, self.wrong, self.failures)
        self.disturber = Disturber(self.nginx, self.truth)

    def make_nginx(self):
        return Nginx(self.with_state)

    def go(self):
        self.nginx.start()
        self.warm_up(self.nginx, self.disturber)
        seeds = [random.random() for _ in range(self.clients)]
        clients = [Client(self.truth, self.allowed, self.stop, seed, self.hangs) for seed in seeds]
        self.began_work = time.monotonic()
        self.begin(*clients)
        wait_for("sessions", lambda: self.is_broken() or self.truth.counts["logouts"] > 5)
        self.disturb()
        self.end(clients)
        self.at_the_end()

    def allowed(self):
        """How many logouts there may be by now."""
        return 1 + int(self.logouts_per_second * (time.monotonic() - self.began_work))

    def disturb(self):
        while self.remaining() > 0 and not self.is_broken():
            kind = self.disturber.disturb()
            self.disturber.replay(self.nginx.workers())
            self.say_counts(kind)
            time.sleep(random.random() / 2)

    def say_counts(self, kind):
        counts = self.truth.counts
        self.say(f"{counts['logouts']:6} logouts  {counts['replays']:7} replays  ({kind})")

    def at_the_end(self):
        """All that has ever been, to every worker; then once more after a last restart."""
        self.truth.expect_failures_until = 0
        self.settle("at the end")
        self.disturber.replay(self.nginx.workers(), None, None, None)
        reloads = 5 if self.options.quick else self.reloads
        for _ in range(reloads):
            self.disturber.reload()
            self.truth.count("reloads")
        self.settle(f"{reloads} reloads later")
        self.compare("at the start", f"{reloads} reloads later")
        self.disturber.kill_all()
        self.truth.count("kills of everything")
        self.disturber.replay(self.nginx.workers(), None, None, None)

    def settle(self, when):
        self.measure_at_rest(when, self.nginx)

    def count(self):
        counts = self.truth.counts
        self.requests = counts["sign-ins"] + counts["logouts"] + counts["logouts without an answer"] + counts["replays"]
        first = ["sign-ins", "logouts", "of these by signing in again", "logouts without an answer", "replays"]
        self.rows = [(row, counts[row]) for row in first]
        self.rows += [(row, number) for row, number in counts.items() if number and row not in first]
        self.rows += [("live at the end", len(self.truth.live)),
                      ("longest unheard by another zone", f"{self.truth.lag:.3f} s")]


class NoState(Sessions):
    name = "no-state"
    about = "the same in a realm without state: what makes a new zone ends every session, nothing else does"
    seconds, quick = 60, 8
    with_state = False
