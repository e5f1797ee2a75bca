"""What all scenarios share: their time, what they find, the table of it, a clean end."""

import shutil
import sys
import threading
import time
import traceback


# So many seconds without a change are rest.
REST = 1.6


class Tally:
    """How often something happened, and what the first few were."""

    KEPT = 20

    def __init__(self):
        self.lock = threading.Lock()
        self.count, self.first = 0, []

    def add(self, text):
        with self.lock:
            self.count += 1
            if len(self.first) < self.KEPT:
                self.first.append(text)


class Scenario:
    """One kind of disturbance, and clients that know every right answer meanwhile. A subclass has `go`."""

    name, about = "", ""
    # How long it takes; `--minutes` gives each a share of the time in proportion to this.
    seconds, quick = 120, 12
    # By how much a process may grow, in KiB, and how many descriptors more it may have.
    may_grow, may_open = 4096, 4

    def __init__(self, options, seconds):
        self.options, self.seconds = options, seconds
        self.stop = threading.Event()
        self.nginxes, self.threads = [], []
        self.requests = 0
        self.wrong, self.failures = Tally(), Tally()
        self.alerts = []
        self.rows = []
        self.sizes = {}
        self.growth = (0, 0)
        self.interrupted = False
        self.said = self.began = time.monotonic()

    def go(self):
        raise NotImplementedError

    def count(self):
        """Fills `requests` and `rows` from what the clients have counted."""

    @classmethod
    def missing(cls):
        """Why it cannot run here, if it cannot."""
        return None

    def run(self):
        """True where nothing was wrong."""
        print(f"\n== {self.name}: {self.about}, {self.seconds:.0f} s", flush=True)
        try:
            self.go()
        except KeyboardInterrupt:
            self.interrupted = True
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            self.wrong.add(f"broke off: {error!r}")
        finally:
            self.took = self.passed()
            self.finish()
        return self.report()

    def finish(self):
        self.stop.set()
        self.end(self.threads)
        for thread in self.threads:
            if getattr(thread, "error", None):
                self.wrong.add(f"a client broke off: {thread.error!r}")
        self.count()
        for nginx in self.nginxes:
            nginx.kill_all()
            self.alerts += nginx.complaints()
            nginx.clean()
            if self.options.keep:
                print(f"files in {nginx.dir}")
            else:
                shutil.rmtree(nginx.dir)

    # ---- While it runs ----

    def use(self, nginx):
        self.nginxes.append(nginx)
        return nginx

    def begin(self, *threads):
        for thread in threads:
            self.threads.append(thread)
            thread.start()

    def end(self, threads):
        """Has these clients stop by themselves."""
        for thread in threads:
            thread.stop.set()
        for thread in threads:
            thread.join(60)

    def passed(self):
        return time.monotonic() - self.began

    def remaining(self):
        return self.seconds - self.passed()

    def is_broken(self):
        return any(getattr(thread, "error", None) for thread in self.threads)

    def say(self, text):
        """Now and then, more often to a terminal."""
        now = time.monotonic()
        if now - self.said > (1 if sys.stdout.isatty() else 15):
            self.said = now
            print(f"{self.passed():7.1f} s  {text}  {self.wrong.count} wrong", flush=True)

    def warm_up(self, nginx, disturber):
        """While it reloads nginx has two configurations: what that takes is not given back."""
        for _ in range(4):
            disturber.reload()
        self.measure_at_rest("at the start", nginx)

    def measure_at_rest(self, when, nginx):
        """Workers read the users once more in their first second or two: what that takes counts as well."""
        nginx.settle()
        sizes, since = nginx.sizes(), time.monotonic()
        deadline = since + 10
        while time.monotonic() < deadline and time.monotonic() - since < REST:
            time.sleep(0.1)
            if (now := nginx.sizes()) != sizes:
                sizes, since = now, time.monotonic()
        self.sizes[when] = sizes

    def measure(self, when, nginx):
        self.sizes[when] = nginx.sizes()

    def compare(self, first, last):
        """What grew from one measurement to the other, at the most."""
        before, after = self.sizes[first], self.sizes[last]
        self.growth = max(after[0] - before[0], after[2] - before[2]), max(after[1] - before[1], after[3] - before[3])
        if self.growth[0] > self.may_grow:
            self.wrong.add(f"memory grew by {self.growth[0]} KiB from {first} to {last}")
        if self.growth[1] > self.may_open:
            self.wrong.add(f"{self.growth[1]} descriptors more {last} than {first}")

    # ---- At the end ----

    def report(self):
        print()
        rows = [("requests", self.requests), *self.rows, ("wrong verdicts, or worse", self.wrong.count),
                ("failures", self.failures.count), ("alert, emerg, crit", len(self.alerts))]
        for name, value in rows:
            print(f"  {name:36} {value:>12}")
        if self.sizes:
            print(f"\n  {'private memory, descriptors':36} {'master':>10} {'fds':>6} {'worker':>10} {'fds':>6}")
        for when, (master, master_fds, worker, worker_fds) in self.sizes.items():
            print(f"  {when:36} {master:8} k {master_fds:6} {worker:8} k {worker_fds:6}")
        for what, lines in (("wrong", self.wrong.first), ("failed", self.failures.first), ("log", self.alerts[:20])):
            for line in lines:
                print(f"  {what}: {line}")
        sys.stdout.flush()
        return not (self.wrong.count or self.failures.count or self.alerts)

    def line(self):
        """For the table over all scenarios."""
        kib, fds = self.growth
        return (f"  {self.name:12} {self.took:6.0f} s {self.requests:10} {self.wrong.count:8} "
                f"{self.failures.count:8} {len(self.alerts):8} {kib:+8} k {fds:+6}")
