"""I105: workers are killed at random under logins and logouts."""

import random
import threading
import time

from .nginx import Nginx
from .plain import PlainNginx
from .sessions import Sessions
from .steady import Hangs, Probe

KILLED = "workers killed"


class Kills(Sessions):
    name = "kills"
    about = "100 workers killed at random under logins and logouts"
    seconds, quick = 60, 8
    kills = 100
    clients = 8
    logouts_per_second = 150

    def __init__(self, options, seconds):
        super().__init__(options, seconds)
        share = self.seconds / (Kills.quick if options.quick else Kills.seconds)
        self.kills = int((15 if options.quick else self.kills) * max(1, share))
        self.plain = self.use(PlainNginx())
        self.hangs = Hangs()

    def make_nginx(self):
        nginx = Nginx()
        nginx.zone_size, nginx.limit = 16, "retries=100000 user_retries=100000"
        return nginx

    def go(self):
        self.plain.start()
        self.begin(Probe(self.plain, self.stop, self.hangs))
        super().go()

    def disturb(self):
        counts, began = self.truth.counts, self.passed()
        while counts[KILLED] < self.kills and not self.is_broken():
            due = began + counts[KILLED] * (self.seconds - began) / self.kills
            time.sleep(max(0, due - self.passed()) * random.uniform(0.5, 1))
            # Every other one with the zone locked, where it can be met so.
            if not (counts[KILLED] % 2 and self.kill_with_lock()):
                self.disturber.kill_worker()
            self.truth.count(KILLED)
            self.disturber.replay(self.nginx.workers())
            self.say_counts(f"{counts[KILLED]} killed")

    def kill_with_lock(self):
        """Showing how many counters there are takes the lock for long."""
        met = threading.Event()

        def show():
            while not met.is_set():
                try:
                    self.nginx.status()
                except OSError:
                    pass  # it was the worker that was killed

        threads = [threading.Thread(target=show) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            return self.disturber.kill_with_lock()
        finally:
            met.set()
            for thread in threads:
                thread.join()

    def count(self):
        super().count()
        locked = self.nginx.logged(r"shared memory zone .* was locked by")
        self.rows += [("killed with the zone locked", locked), *self.hangs.rows()]
        for hang in self.hangs.found():
            self.wrong.add(f"a hang: {hang}")
