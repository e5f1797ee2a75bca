"""Who signs in, out, in again, and asks."""

import random
import threading
import time

from .connection import Connection, Lost, login, logout
from .nginx import USERS

class Client(threading.Thread):
    """Works at full speed on one connection. `allowed` says how many logouts there may be by now."""

    live = 300  # so many sessions at a time

    def __init__(self, truth, allowed, stop, seed, hangs=None):
        super().__init__(daemon=True)
        self.truth, self.allowed, self.stop = truth, allowed, stop
        self.random, self.hangs = random.Random(seed), hangs
        self.connection = Connection(truth.nginx.port)
        self.error = None

    def run(self):
        while not self.stop.is_set():
            began = time.monotonic()
            try:
                self.work()
            except Lost as lost:
                self.truth.connection_failed(lost)
                time.sleep(0.01)
            except Exception as error:  # a mistake of this script ends the run
                self.error = error
                self.stop.set()
            if self.hangs:
                self.hangs.took(began, "a client's step")
        self.connection.close()

    def work(self):
        truth = self.truth
        if len(truth.live) < self.live:
            self.sign_in()
        elif truth.counts["logouts"] < self.allowed():
            session = truth.take_live()
            if session:
                self.end(session)
        else:
            sessions = self.random.choice((truth.live, truth.ended, truth.lost))
            truth.ask(self.connection, truth.sample(sessions, 4) or truth.sample(truth.live, 1))
        if self.random.random() < 0.01:
            self.connection.close()

    def sign_in(self):
        user = f"user{self.random.randrange(USERS)}"
        answer, = self.connection.ask(login(user))
        if answer.status == 303 and answer.cookie:
            self.truth.began(answer.cookie, user, answer.generation)
        else:
            self.truth.is_strange("login", answer)

    def end(self, session):
        """Mostly by a logout, now and then by signing in again with the session's cookie."""
        again = self.random.random() < 0.1
        try:
            answer, = self.connection.ask(login(session.user, session.cookie) if again else logout(session))
        except Lost:
            self.truth.may_have_ended(session)
            raise
        if answer.status == 500 and self.truth.is_disk_full:
            self.truth.count("logouts answered 500")
            return self.truth.has_ended(session, answer.generation, is_saved=False)
        if answer.status != 303:
            self.truth.may_have_ended(session)
            return self.truth.is_strange("login again" if again else "logout", answer)
        if not self.truth.nginx.with_state and answer.generation != session.generation:
            session.state = "unknown"  # the zone changed under it: nothing was ended, nor needed to be
            return
        # Signing in works with a full disk as well, so that its answer says nothing about the disk.
        self.truth.has_ended(session, answer.generation, is_saved=not (again and self.truth.is_disk_full))
        if again:
            self.truth.count("of these by signing in again")
            self.truth.began(answer.cookie, session.user, answer.generation)
