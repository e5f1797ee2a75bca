"""Whether the gate's cost stays the same: many ended sessions, many users, many keys."""

import base64
import http.client
import json
import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path

from .instructions import counted_by
from .nginx import PASSWORD, QUICK, USER, FORM, Nginx, form
from .output import table, title
from .requests import compare

FEW, MANY = 10, 100_000
ENDED = 2_000 if QUICK else 100_000
KEYS = 16

FLAT = """
    authgate_realm ops {
        users {dir}/plain; allow_weak on; limit off;
        keys {dir}/keys; state {dir}/state; zone 16m;
    }
    server { listen 127.0.0.1:{authgate}; authgate ops; }
    server { listen 127.0.0.1:{status}; location / { authgate_status ops; } }
"""


class Subject:
    """A realm with so many users, keys and ended sessions; its files outlive each nginx."""

    def __init__(self, users=FEW, keys=1, state=None):
        self.files = Path(tempfile.mkdtemp(prefix="authgate-flat-"))
        self.files.chmod(0o755)
        names = [f"user{i}" for i in range(users - 1)] + [USER]
        (self.files / "plain").write_text("".join(f"{name}:{{PLAIN}}{PASSWORD}\n" for name in names))
        # The key that signs is the last that verifies: the others stand before it in the file.
        others = [base64.b64encode(os.urandom(32)).decode() for _ in range(keys - 1)]
        signs = base64.b64encode(b"the key that signs in all of them").decode()
        (self.files / "keys").write_text("\n".join([*others, signs]) + "\n")
        (self.files / "keys").chmod(0o600)
        self.state = state

    def nginx(self, **options):
        nginx = Nginx(FLAT, **options)
        for name in ["plain", "keys"]:
            shutil.copy(self.files / name, nginx.dir / name)
        if self.state:
            shutil.copytree(self.state, nginx.dir / "state")
            give_to_worker(nginx.dir / "state")
        return nginx


def give_to_worker(folder):
    if os.geteuid() == 0:
        for path in [folder, *folder.iterdir()]:
            shutil.chown(path, "nobody", "nogroup")


def ended(count):
    """The files of a realm in which so many sessions have ended, of many users."""
    kept = Path(tempfile.mkdtemp(prefix="authgate-state-")) / "state"
    with Subject(users=1000).nginx() as nginx:
        threads = [threading.Thread(target=sign_in_and_out, args=(nginx, n, count // 4)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seen = status(nginx)["ended"]
        if seen["sessions"] != count or seen["coarsened"]:
            sys.exit(f"{count} sessions were to end: {seen}")
        shutil.copytree(nginx.dir / "state", kept)
    return kept


def sign_in_and_out(nginx, number, count):
    connection = http.client.HTTPConnection("127.0.0.1", nginx.port("authgate"), timeout=60)
    for n in range(count):
        user = f"user{(number + 4 * n) % 999}"
        cookie = post(connection, "/authgate/login", form(PASSWORD, user), FORM)
        post(connection, "/authgate/logout", "", {**FORM, "Cookie": cookie})


def post(connection, path, body, headers):
    connection.request("POST", path, body, headers)
    response = connection.getresponse()
    response.read()
    if response.status != 303:
        sys.exit(f"{path}: {response.status}")
    return response.headers.get_all("Set-Cookie")[0].split(";")[0]


def status(nginx):
    connection = http.client.HTTPConnection("127.0.0.1", nginx.port("status"), timeout=60)
    connection.request("GET", "/")
    return json.loads(connection.getresponse().read())


def bench_flat():
    count, rounds, seconds = (50, 2, 1) if QUICK else (1000, 10, 2)
    title(f"a gated request beside many ended sessions ({ENDED}), users ({MANY}), keys ({KEYS})")
    state = ended(ENDED)
    subjects = {
        f"{FEW} users, 1 key, 0 ended": Subject(),
        f"{ENDED} ended": Subject(state=state),
        f"{MANY} users": Subject(users=MANY),
        f"{KEYS} keys": Subject(keys=KEYS),
    }
    cookie = signed_in(Subject())
    result = cpu(subjects, cookie, rounds, seconds)
    base = None
    for name, subject in subjects.items():
        one, two = (counted_by("callgrind", subject.nginx, "authgate", {"Cookie": cookie}, n)["instructions"]
                    for n in (count, 2 * count))
        result[name]["instructions"] = round((two - one) / count, 1)
        base = base or result[name]["instructions"]
        result[name]["instructions_ratio"] = round(result[name]["instructions"] / base, 4)
    table(result, ["cpu_us_per_request", "cpu_ratio", "instructions", "instructions_ratio"])
    print("  the cookie is signed by the last key; nothing of the time before the first request is counted")
    return {"requests": count, "rounds": rounds, "variants": result}


def signed_in(subject):
    with subject.nginx() as nginx:
        return nginx.sign_in("authgate")


def cpu(subjects, cookie, rounds, seconds):
    running = {name: subject.nginx().__enter__() for name, subject in subjects.items()}
    try:
        return compare({name: (nginx, "authgate", {"Cookie": cookie}) for name, nginx in running.items()},
                       rounds, seconds)
    finally:
        for nginx in running.values():
            nginx.__exit__()
