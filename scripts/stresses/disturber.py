"""All that can happen to an nginx that runs."""

import fcntl
import os
import random
import signal
import time

from .connection import Connection, request
from .nginx import REALM, is_alive, wait_for


class Disturber:
    def __init__(self, nginx, truth):
        self.nginx, self.truth = nginx, truth
        self.kinds = {
            "reloads": self.reload, "workers killed": self.kill_worker, "restarts": self.restart,
            "kills of everything": self.kill_all, "binary upgrades": self.upgrade,
            "upgrades taken back": self.upgrade_and_back, "zone changes": self.change_zone,
        }
        if nginx.with_state:
            self.kinds["journals rewritten"] = self.rewrite_journal
        self.next = []

    def disturb(self):
        if not self.next:
            # Cheap ones more often.
            self.next = [*self.kinds, *["reloads", "workers killed"] * 2]
            random.shuffle(self.next)
        kind = self.next.pop()
        self.kinds[kind]()
        self.truth.count(kind)
        return kind

    def failures_are_expected(self, until):
        self.truth.expect_failures_until = until

    def reload(self):
        old = self.nginx.workers()
        os.kill(self.nginx.master(), signal.SIGHUP)
        self.nginx.wait_for_workers(without=old)

    def kill_worker(self):
        victim = random.choice(self.nginx.workers())
        self.failures_are_expected(float("inf"))
        os.kill(victim, signal.SIGKILL)
        self.nginx.wait_for_workers(without=[victim])
        self.failures_are_expected(time.monotonic() + 1)

    def kill_with_lock(self, seconds=2.0):
        """Kills a worker in the moment in which it has locked the realm's zone; false where none was met so. The
        lock is the zone's first word: the process that has it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            victim = random.choice(self.nginx.workers())
            os.kill(victim, signal.SIGSTOP)
            if self.nginx.zone_word(victim) == victim:
                self.failures_are_expected(float("inf"))
                os.kill(victim, signal.SIGKILL)
                self.nginx.wait_for_workers(without=[victim])
                self.failures_are_expected(time.monotonic() + 1)
                return True
            os.kill(victim, signal.SIGCONT)
            time.sleep(random.uniform(0, 0.001))
        return False

    def restart(self):
        self.failures_are_expected(float("inf"))
        os.kill(self.nginx.master(), signal.SIGQUIT)
        wait_for("nginx to go", lambda: not self.nginx.processes())
        self.nginx.start()
        self.failures_are_expected(time.monotonic() + 1)

    def kill_all(self, meanwhile=lambda: None):
        self.failures_are_expected(float("inf"))
        self.nginx.kill_all()
        meanwhile()
        self.nginx.start()
        self.failures_are_expected(time.monotonic() + 1)

    def change_zone(self):
        self.nginx.zone_size = 4 + (self.nginx.zone_size - 3) % 3
        old = self.nginx.workers()
        self.nginx.new_generation()
        os.kill(self.nginx.master(), signal.SIGHUP)
        self.nginx.wait_for_workers(without=old)

    def start_upgrade(self):
        """Two masters, each with its workers and its zone."""
        old = self.nginx.master()
        former = self.nginx.generation
        self.nginx.new_generation()
        os.kill(old, signal.SIGUSR2)
        wait_for("the new master", lambda: self.nginx.pid_in("nginx.pid.oldbin") == old
                 and self.nginx.pid_in("nginx.pid") not in (None, old))
        self.nginx.wait_for_workers()
        self.replay(self.nginx.workers_of(old) + self.nginx.workers())
        time.sleep(random.random())
        return old, former

    def upgrade(self):
        old, _ = self.start_upgrade()
        if random.random() < 0.5:
            workers = self.nginx.workers_of(old)
            os.kill(old, signal.SIGWINCH)
            wait_for("old workers to go", lambda: not any(map(is_alive, workers)))
        os.kill(old, signal.SIGQUIT)
        wait_for("the old master to go", lambda: not is_alive(old))

    def upgrade_and_back(self):
        old, former = self.start_upgrade()
        new, workers = self.nginx.master(), self.nginx.workers()
        self.nginx.configure(former)
        os.kill(new, signal.SIGQUIT)
        wait_for("the new master to go", lambda: not is_alive(new) and not any(map(is_alive, workers)))
        wait_for("the old pid file", lambda: self.nginx.pid_in("nginx.pid") == old)
        self.nginx.generation = former

    def rewrite_journal(self):
        """Everything once more and again, as the command would append it: far longer than need be."""
        journal = self.nginx.dir / f"state/{REALM}.ended"
        with open(self.nginx.dir / f"state/{REALM}.lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            inode, records = journal.stat().st_ino, journal.read_bytes()
            if not records:
                return
            with open(journal, "ab", buffering=0) as file:
                file.write(records * (3 + 60_000 // len(records)))
        wait_for("the journal to be written anew", lambda: journal.exists() and journal.stat().st_ino != inode)

    def replay(self, workers, ended=200, live=50, lost=50):
        """So many of each to each of these workers; all, where that is None."""
        truth = self.truth
        connections = self.connect(workers)
        for connection in connections.values():
            sessions = []
            for which, count in ((truth.ended, ended), (truth.live, live), (truth.lost, lost)):
                sessions += truth.sample(which, len(which) if count is None else count)
            for at in range(0, len(sessions), 50):
                truth.ask(connection, sessions[at:at + 50])
            connection.close()

    def connect(self, workers):
        """A connection to each of these workers."""
        found, deadline = {}, time.monotonic() + 20
        while missing := set(workers) - set(found):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no connection comes to the workers {missing}")
            connection = Connection(self.nginx.replay_port)
            answer, = connection.ask(request("GET", "/file"))
            if answer.worker in missing:
                found[answer.worker] = connection
            else:
                connection.close()
        return found
