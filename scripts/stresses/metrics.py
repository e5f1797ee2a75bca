"""scripts/stress --metrics: what the gate has counted is what its clients have."""

import argparse
import random
import shutil
import signal
import sys
import threading
import time
from collections import Counter

from .disturber import Disturber
from .metered import MeteredNginx
from .mixed import Mixed

CLIENTS = 6


class Run:
    def __init__(self, options):
        self.options = options
        self.nginx = MeteredNginx()
        self.disturber = Disturber(self.nginx, None)
        self.stop = threading.Event()
        self.clients = [Mixed(self.nginx, self.stop, random.random()) for _ in range(CLIENTS)]
        self.reloads = 0
        self.wrong = []

    def go(self):
        self.nginx.start()
        self.last = self.nginx.counted()
        if any(self.last.values()):
            self.wrong.append(f"not zero at the start: {self.last}")
        self.began = time.monotonic()
        for client in self.clients:
            client.start()
        try:
            self.disturb()
        finally:
            self.stop.set()
            for client in self.clients:
                client.join(60)
        for client in self.clients:
            if client.error:
                raise client.error

    def disturb(self):
        said = 0.0
        while (passed := time.monotonic() - self.began) < self.options.seconds and not self.stop.is_set():
            self.stop.wait(random.uniform(0.5, 5))
            self.disturber.reload()
            self.reloads += 1
            self.look()
            if passed - said > 10:
                said = passed
                print(f"{passed:6.1f} s  {sum(self.total().values()):9} counted  {self.reloads:5} reloads", flush=True)

    def look(self):
        """No counter ever falls, whichever worker is asked, whatever was reloaded."""
        now = self.nginx.counted()
        fell = [name for name in now if now[name] < self.last[name]]
        self.wrong += [f"{name} fell from {self.last[name]} to {now[name]}" for name in fell]
        self.last = now

    def total(self):
        return sum((client.counts for client in self.clients), Counter())

    def report(self):
        """Prints the table; false where something was wrong."""
        ours, theirs = self.total(), self.nginx.counted()
        names = sorted({*ours, *theirs})
        print(f"\n  {'':32} {'clients':>10} {'gate':>10}")
        for name in names:
            mine, its = ours[name], theirs.get(name, 0)
            if mine or its:
                print(f"  {name:32} {mine:10} {its:10}{'' if mine == its else '  differs'}")
            if mine != its:
                self.wrong.append(f"{name}: {mine} at the clients, {its} at the gate")
        print(f"\n  {self.reloads} reloads in {time.monotonic() - self.began:.0f} s")
        print(f"  none came of: {', '.join(name for name in names if not ours[name])}")
        for client in self.clients:
            self.wrong += [*client.strange[:5], *(f"lost: {line}" for line in client.lost)]
        self.wrong += self.nginx.complaints()
        for line in self.wrong[:30]:
            print(f"  {line}")
        return not self.wrong

    def clean(self):
        self.nginx.kill_all()
        if self.options.keep:
            print(f"files in {self.nginx.dir}")
        else:
            shutil.rmtree(self.nginx.dir)


def main():
    parser = argparse.ArgumentParser(prog="scripts/stress --metrics")
    parser.add_argument("--metrics", action="store_true")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    options.seconds = options.minutes * 60 if options.minutes else 20 if options.quick else 600
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    random.seed(options.seed)
    print(f"seed {options.seed}, {options.seconds:g} s", flush=True)
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
