"""I103, I104, I108, I118: a storm of reloads under mixed load, beside the same storm without the module."""

import random
import threading
import time

from .aborts import Aborter
from .disturber import Disturber
from .metered import PEOPLE, MeteredNginx
from .mixed import Supply
from .plain import PlainNginx, UngatedNginx
from .scenario import Scenario
from .steady import Hangs, Probe, Steady, Ungated

# Asked for are a few more than there must be.
CLIENTS, RATE, LEAST = 16, 2200, 2000


class Listening:
    machines = 5_000
    listen = "backlog=2048"
    realm = "limit retries=5 find=5m ban=5m user_retries=100000; zone 32m;"


class GatedNginx(Listening, MeteredNginx):
    pass


class UngatedTwin(Listening, UngatedNginx):
    pass


class Fickle(Aborter):
    """Signs in and goes away at some moment of it."""

    def user(self):
        return f"person{self.random.randrange(PEOPLE)}"

    def kinds(self):
        return [self.fresh, self.kept, self.pipelined, self.half_closed]


class Reloads(Scenario):
    name = "reloads"
    about = "200 reloads at 2,000 requests a second of all kinds; first without the module"
    seconds, quick = 150, 20
    reloads = 200

    def __init__(self, options, seconds):
        super().__init__(options, seconds)
        share = self.seconds / (Reloads.quick if options.quick else Reloads.seconds)
        self.reloads = int((20 if options.quick else self.reloads) * max(1, share))
        self.gated, self.ungated = self.use(GatedNginx()), self.use(UngatedTwin())
        self.plain = self.use(PlainNginx())
        self.parts = {}

    def go(self):
        self.plain.start()
        self.part("without the module", self.ungated, Ungated)
        self.ungated.kill_all()
        self.part("with the module", self.gated, Steady)
        self.compare("with the module, 20 reloads", "with the module, at the end")

    def part(self, name, nginx, client):
        hangs, stop, supply = Hangs(), threading.Event(), Supply(nginx.machines)
        clients = [client(nginx, stop, random.random(), supply, RATE / CLIENTS, hangs) for _ in range(CLIENTS)]
        self.parts[name] = part = {"clients": clients, "hangs": hangs, "nginx": nginx, "reloads": 0, "aborted": 0,
                                   "seconds": 0.0}
        nginx.start()
        disturber = Disturber(nginx, None)
        probe, fickle = Probe(self.plain, stop, hangs), Fickle(nginx, stop, random.random())
        began = time.monotonic()
        for one in clients:
            one.next = began
        self.begin(probe, fickle, *clients)
        while part["reloads"] < self.reloads and not self.is_broken():
            due = began + part["reloads"] * self.seconds / 2 / self.reloads
            stop.wait(max(0, due - time.monotonic()))
            disturber.reload()
            part["reloads"] += 1
            if part["reloads"] == 20:
                self.measure(f"{name}, 20 reloads", nginx)
            part["seconds"] = time.monotonic() - began
            asked = sum(one.requests for one in clients)
            self.say(f"{name}: {part['reloads']:4} reloads  {asked:8} requests")
        self.end([probe, fickle, *clients])
        part["aborted"] = sum(fickle.done.values())
        part["seconds"] = time.monotonic() - began
        disturber.reload()
        self.measure_at_rest(f"{name}, at the end", nginx)

    def count(self):
        before = 0
        for name, part in self.parts.items():
            clients, hangs = part["clients"], part["hangs"]
            asked, lost = sum(one.requests for one in clients), [line for one in clients for line in one.lost]
            again = sum(one.again for one in clients)
            self.rows += [
                (name, ""), ("- requests", asked), ("- a second", f"{asked / max(part['seconds'], 0.001):.0f}"),
                ("- reloads", part["reloads"]), ("- aborted logins", part["aborted"]), ("- failures", len(lost)),
                ("- asked again, as a client may", again),
                *(("- " + row, value) for row, value in hangs.rows()),
            ]
            self.requests = asked
            for one in clients:
                for line in one.strange:
                    self.wrong.add(line)
            if part["nginx"] is self.gated:
                for line in [*lost[before:], *hangs.found()]:
                    self.failures.add(line)
                if not self.options.quick and not self.interrupted and asked < LEAST * part["seconds"]:
                    self.failures.add(f"no storm: {asked / part['seconds']:.0f} requests a second")
            before = len(lost)
