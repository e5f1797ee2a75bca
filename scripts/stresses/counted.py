"""What the gate has counted is what its clients have."""

import random
from collections import Counter

from .disturber import Disturber
from .metered import MACHINES, MeteredNginx
from .mixed import Mixed, Supply
from .scenario import Scenario

CLIENTS = 6


class Counted(Scenario):
    name = "metrics"
    # A copy of its users takes 7 MiB; how many of them the heap has held at once depends on reloads that overlap.
    may_grow = 16_000
    about = "what the gate has counted is what its clients have, over reloads"
    seconds, quick = 120, 10

    def __init__(self, options, seconds):
        super().__init__(options, seconds)
        self.nginx = self.use(MeteredNginx())
        self.disturber = Disturber(self.nginx, None)
        supply = Supply(MACHINES)
        self.clients = [Mixed(self.nginx, self.stop, random.random(), supply) for _ in range(CLIENTS)]
        self.reloads = 0
        self.table = []

    def go(self):
        self.nginx.start()
        self.last = self.nginx.counted()
        if any(self.last.values()):
            self.wrong.add(f"not zero at the start: {self.last}")
        self.warm_up(self.nginx, self.disturber)
        self.begin(*self.clients)
        self.disturb()
        self.end(self.clients)
        self.agree()
        self.disturber.reload()
        self.measure_at_rest("at the end", self.nginx)
        self.compare("at the start", "at the end")

    def disturb(self):
        while self.remaining() > 0 and not self.is_broken():
            self.stop.wait(random.uniform(0.5, 5))
            self.disturber.reload()
            self.reloads += 1
            self.look()
            self.say(f"{sum(self.total().values()):9} counted  {self.reloads:5} reloads")

    def look(self):
        """No counter ever falls, whichever worker is asked, whatever was reloaded."""
        now = self.nginx.counted()
        for name in now:
            if now[name] < self.last[name]:
                self.wrong.add(f"{name} fell from {self.last[name]} to {now[name]}")
        self.last = now

    def total(self):
        return sum((client.counts for client in self.clients), Counter())

    def agree(self):
        ours, theirs = self.total(), self.nginx.counted()
        for name in sorted({*ours, *theirs}):
            mine, its = ours[name], theirs.get(name, 0)
            if mine or its:
                self.table.append(f"  {name:36} {mine:12} {its:10}{'' if mine == its else '  differs'}")
            if mine != its:
                self.wrong.add(f"{name}: {mine} at the clients, {its} at the gate")

    def count(self):
        self.requests = sum(client.requests for client in self.clients)
        self.rows = [("reloads", self.reloads)]
        for client in self.clients:
            for line in client.strange:
                self.wrong.add(line)
            for line in client.lost:
                self.failures.add(f"lost: {line}")

    def report(self):
        if self.table:
            print(f"\n  {'':36} {'clients':>12} {'gate':>10}", *self.table, sep="\n")
        return super().report()
