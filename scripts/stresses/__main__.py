"""The work of scripts/stress; see its --help."""

import argparse
import random
import shutil
import signal
import sys
import threading
import time

from . import metrics
from .client import Client
from .disturber import Disturber
from .nginx import WORKERS, Nginx, wait_for
from .truth import Truth

CLIENTS = 6


class Run:
    def __init__(self, options):
        self.options = options
        self.nginx = Nginx(with_state=not options.no_state)
        self.truth = Truth(self.nginx)
        self.disturber = Disturber(self.nginx, self.truth)
        self.stop = threading.Event()
        self.sizes = {}
        self.began = 0.0

    def allowed(self):
        passed = (time.monotonic() - self.began) / self.options.seconds
        return min(self.options.logouts, int(self.options.logouts * passed) + 1)

    def is_done(self):
        return self.truth.counts["logouts"] >= self.options.logouts or self.stop.is_set()

    def go(self):
        self.nginx.start()
        self.disturber.reload()
        self.settle("at the start")
        self.began = time.monotonic()
        clients = [Client(self.truth, self.allowed, self.stop, random.random()) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        try:
            self.disturb()
        finally:
            self.stop.set()
            for client in clients:
                client.join(30)
        for client in clients:
            if client.error:
                raise client.error
        self.finish()

    def disturb(self):
        said = 0.0
        wait_for("sessions", lambda: self.is_done() or self.truth.counts["logouts"] > 5)
        while not self.is_done():
            kind = self.disturber.disturb()
            self.disturber.replay(self.nginx.workers())
            if sys.stdout.isatty() or time.monotonic() - said > 5:
                said = time.monotonic()
                counts = self.truth.counts
                wrong = counts["ended accepted"] + counts["live refused"]
                print(f"{said - self.began:6.1f} s  {counts['logouts']:6} logouts  {counts['replays']:7} replays  "
                      f"{wrong} wrong  ({kind})", flush=True)
            time.sleep(random.random() / 2)

    def finish(self):
        """All that has ever been, to every worker; then once more after a last restart."""
        self.truth.expect_failures_until = 0
        self.settle("at the end")
        self.disturber.replay(self.nginx.workers(), None, None, None)
        for _ in range(self.options.reloads):
            self.disturber.reload()
            self.truth.count("reloads")
        self.settle(f"{self.options.reloads} reloads later")
        self.disturber.kill_all()
        self.truth.count("kills of everything")
        self.disturber.replay(self.nginx.workers(), None, None, None)

    def settle(self, when):
        wait_for("old workers to go", lambda: len(self.nginx.processes()) == 1 + WORKERS)
        self.sizes[when] = self.nginx.sizes()

    def report(self):
        """Prints the table; false where something was wrong."""
        counts, complaints = self.truth.counts, self.nginx.complaints()
        mistakes = ("ended accepted", "live refused", "strange answers", "connections lost otherwise")
        rows = ["sign-ins", "logouts", "of these by signing in again", "logouts without an answer",
                *self.disturber.kinds, "replays", "connections lost, as expected", *mistakes]
        print(f"\n  {'live at the end':32} {len(self.truth.live):8}")
        for row in rows:
            print(f"  {row:32} {counts[row]:8}")
        print(f"  {'alert, emerg, crit':32} {len(complaints):8}")
        print(f"  {'longest unheard by another zone':32} {self.truth.lag:8.3f} s")
        print(f"\n  {'':32} {'master':>8} {'fds':>6} {'worker':>8} {'fds':>6}")
        for when, (master, master_fds, worker, worker_fds) in self.sizes.items():
            print(f"  {when:32} {master:6} k {master_fds:6} {worker:6} k {worker_fds:6}")
        for line in [*self.truth.wrong, *self.truth.strange[:20], *complaints[:20]]:
            print(f"  {line}")
        return not complaints and not any(counts[mistake] for mistake in mistakes)

    def clean(self):
        self.nginx.kill_all()
        if self.options.keep:
            print(f"files in {self.nginx.dir}")
        else:
            shutil.rmtree(self.nginx.dir)


def main():
    parser = argparse.ArgumentParser(prog="scripts/stress")
    parser.add_argument("--logouts", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--no-state", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    options.logouts = options.logouts or (500 if options.quick else 10_000)
    options.seconds = options.seconds or (20 if options.quick else 150)
    options.reloads = 5 if options.quick else 20
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    random.seed(options.seed)
    print(f"seed {options.seed}, {options.logouts} logouts in {options.seconds:g} s, "
          f"{'without' if options.no_state else 'with'} state", flush=True)
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


if "--metrics" in sys.argv:
    metrics.main()
else:
    main()
