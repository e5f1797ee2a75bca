"""I113a: the disk that `state` is on becomes full, and is not any more."""

import os
import random
import shutil
import subprocess
import time

from .nginx import Nginx, wait_for
from .sessions import Sessions

SAID = "ended session cannot be written down|state cannot be kept"


class SmallDiskNginx(Nginx):
    """Its state is on a file system of 4 MiB."""

    expected = rf"{Nginx.expected}|{SAID}"

    def __init__(self):
        super().__init__()
        self.state = self.dir / "state"
        self.filler = self.state / "filler"
        self.state.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", self.state], check=True)
        self.state.chmod(0o700)
        shutil.chown(self.state, "nobody", "nogroup")
        self.zone_size = 16

    def fill(self):
        with open(self.filler, "ab", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass

    def make_room(self):
        self.filler.unlink(missing_ok=True)

    def clean(self):
        subprocess.run(["umount", self.state], check=True)


class DiskFull(Sessions):
    name = "disk-full"
    about = "no room for what has ended: sign-outs are answered 500 and hold, and are written down later"
    seconds, quick = 90, 10
    clients = 4
    logouts_per_second = 25

    @classmethod
    def missing(cls):
        return None if os.geteuid() == 0 else "only root can mount the small file system"

    def make_nginx(self):
        return SmallDiskNginx()

    def disturb(self):
        while self.remaining() > 0 and not self.is_broken():
            self.full(kill=random.random() < 0.4)
            self.say_counts("full disk")

    def full(self, kill):
        """Full for a while; what was answered 303 holds whatever comes, what was answered 500 once it is saved."""
        truth, nginx = self.truth, self.nginx
        truth.count("full disks")
        before, complaints = truth.counts["logouts answered 500"], nginx.logged(SAID)
        truth.is_disk_full = True
        nginx.fill()
        # Up to a page of the journal may be left.
        wait_for("sign-outs that are answered 500", lambda: self.is_broken()
                 or truth.counts["logouts answered 500"] > before + 5)
        self.disturber.replay(nginx.workers())
        time.sleep(random.uniform(0, 2))
        if nginx.logged(SAID) == complaints:
            self.wrong.add("a full disk was not logged")
        if kill:
            self.kill("kills while it was full")
        self.disturber.replay(nginx.workers())
        nginx.make_room()
        self.save()
        self.disturber.replay(nginx.workers())
        self.kill("kills after it was full")
        self.disturber.replay(nginx.workers(), 1000)

    def save(self):
        """There is room again: within seconds all is written down."""
        def is_saved():
            now = time.monotonic()
            if not self.nginx.status()["state"]["saved"]:
                return False
            self.truth.is_disk_full = False
            self.truth.all_is_saved(now)
            return True
        wait_for("all to be saved", is_saved, 15)

    def kill(self, kind):
        self.truth.count(kind)
        self.disturber.kill_all(self.truth.forget_unsaved)

    def count(self):
        super().count()
        self.rows.append(("times the log said so", self.nginx.logged(SAID)))
