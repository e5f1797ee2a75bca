"""An nginx with some workers, and what can be seen of it from outside."""

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from benches.nginx import MODULE, free_port, wait_for

REALM, WORKERS, USERS, PASSWORD = "ops", 4, 100, "correct horse"


def read(path):
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def is_alive(pid):
    return is_running(read(f"/proc/{pid}/stat").rpartition(") ")[2].split())


def is_running(stat):
    """What follows the name in a process's stat. A zombie with threads that are still on their way out has its files
    and its memory."""
    return len(stat) > 17 and (stat[0] not in "ZX" or int(stat[17]) > 1)


def bcrypt(cost):
    """The hash of PASSWORD."""
    line = subprocess.run(["htpasswd", "-niBC", str(cost), "u"], input=PASSWORD, text=True, check=True,
                          capture_output=True).stdout
    return line.strip().partition(":")[2]


class Nginx:
    """An nginx in the background. Each zone has a number, its generation, which every answer carries."""

    main = "worker_shutdown_timeout 5s;"
    events = "worker_connections 1024;"
    workers_wanted = WORKERS
    with_module, cost = True, 4
    zone_unit, limit = "m", "off"
    environment = None
    # A killed process is what we did.
    expected = r"exited on signal 9|shared memory zone .* was locked by"

    def __init__(self, with_state=True):
        self.dir = Path(tempfile.mkdtemp(prefix="authgate-stress-"))
        self.dir.chmod(0o755)
        (self.dir / "html").mkdir()
        (self.dir / "html/file").write_text("behind the gate\n")
        self.write_files()
        self.with_state = with_state
        self.program = shutil.which("nginx") or sys.exit("no nginx")
        self.port, self.replay_port, self.status_port = free_port(), free_port(), free_port()
        self.zone_size = 4
        self.generation = 0
        self.numbers = itertools.count(1)
        self.began = {}
        self.group = None

    def write_files(self):
        hashed = bcrypt(self.cost)
        (self.dir / "users").write_text("".join(f"user{n}:{hashed}\n" for n in range(USERS)))

    def new_generation(self):
        """What is started or reloaded next has a new zone, and a number that none ever had: an upgrade that was
        taken back leaves sessions of its own zone."""
        self.generation = next(self.numbers)
        self.began[self.generation] = time.monotonic()
        self.configure(self.generation)

    def configure(self, generation):
        user = "user nobody nogroup;" if os.geteuid() == 0 else ""
        (self.dir / "nginx.conf").write_text(f"""
{f"load_module {MODULE};" if self.with_module else ""}
{user}
worker_processes {self.workers_wanted};
{self.main}
pid {self.dir}/nginx.pid;
error_log {self.dir}/error.log notice;
events {{ {self.events} }}
http {{
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path {self.dir}/body;
    proxy_temp_path {self.dir}/proxy;
    fastcgi_temp_path {self.dir}/fastcgi;
    uwsgi_temp_path {self.dir}/uwsgi;
    scgi_temp_path {self.dir}/scgi;
{self.http(generation)}
}}
""")

    def http(self, generation):
        # One port's connections go where a worker is free; the other's to all workers alike.
        state = f"state {self.dir}/state;" if self.with_state else ""
        return f"""
    authgate_realm {REALM} {{
        users {self.dir}/users;
        limit {self.limit};
        session idle=10h max=12h;
        zone {self.zone_size}{self.zone_unit};
        {state}
    }}
    server {{
        listen 127.0.0.1:{self.port};
        listen 127.0.0.1:{self.replay_port} reuseport;
        root {self.dir}/html;
        authgate {REALM};
        add_header X-Worker $pid always;
        add_header X-Generation {generation} always;
    }}
    server {{
        listen 127.0.0.1:{self.status_port};
        location / {{ authgate_status {REALM}; }}
    }}"""

    def status(self):
        """What authgate_status says."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.status_port}/", timeout=20) as answer:
            return json.load(answer)

    def command(self):
        return [self.program, "-e", f"{self.dir}/error.log", "-p", f"{self.dir}/", "-c", f"{self.dir}/nginx.conf"]

    def start(self):
        self.new_generation()
        started = subprocess.run(self.command(), capture_output=True, text=True, stdin=subprocess.DEVNULL,
                                 env=self.environment)
        if started.returncode:
            raise RuntimeError(f"nginx did not start: {started.stderr}")
        self.wait_for_workers()
        self.group = os.getpgid(self.master())

    def master(self):
        return self.pid_in("nginx.pid") or wait_for("the pid file", lambda: self.pid_in("nginx.pid"))

    def pid_in(self, name):
        text = read(self.dir / name).strip()
        return int(text) if text.isdigit() else None

    @staticmethod
    def workers_of(master):
        children = read(f"/proc/{master}/task/{master}/children").split()
        return [int(pid) for pid in children
                if read(f"/proc/{pid}/cmdline").rstrip("\0") == "nginx: worker process"]

    def workers(self):
        return self.workers_of(self.master())

    def wait_for_workers(self, without=()):
        """Until all workers are there, and none of those."""
        def are_there():
            workers = self.workers()
            return len(workers) == self.workers_wanted and not set(workers) & set(without)
        wait_for("workers", are_there)

    def settle(self):
        """Until only one master and its workers are left."""
        wait_for("old workers to go", lambda: len(self.processes()) == 1 + self.workers_wanted)

    def processes(self):
        """All of this nginx, old masters too: they share the process group."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            fields = read(stat).rpartition(") ")[2].split()
            if is_running(fields) and int(fields[2]) == self.group:
                found.append(int(stat.parent.name))
        return found

    def kill_all(self):
        if self.group and self.processes():
            os.killpg(self.group, signal.SIGKILL)
        wait_for("nginx to die", lambda: not self.processes())

    def clean(self):
        """What has to be undone before the files can go."""

    def sizes(self):
        """Private memory and descriptors of the master and of its largest worker."""
        def of(pid):
            return self.memory(pid), len(os.listdir(f"/proc/{pid}/fd"))
        workers = [of(pid) for pid in self.workers()]
        return (*of(self.master()), max(w[0] for w in workers), max(w[1] for w in workers))

    @staticmethod
    def memory(pid):
        """Without what processes share, in KiB."""
        found = re.search(r"RssAnon:\s+(\d+)", read(f"/proc/{pid}/status"))
        return int(found[1]) if found else 0

    def zone_word(self, pid):
        """The first word of the realm's shared memory, as this process has it."""
        size = self.zone_size << {"k": 10, "m": 20}[self.zone_unit]
        for line in read(f"/proc/{pid}/maps").splitlines():
            begin, _, end = line.split()[0].partition("-")
            if " rw-s " in line and int(end, 16) - int(begin, 16) == size:
                with open(f"/proc/{pid}/mem", "rb") as memory:
                    memory.seek(int(begin, 16))
                    return int.from_bytes(memory.read(8), sys.byteorder)
        return None

    def complaints(self):
        """What must not be logged."""
        lines = re.findall(r".*\[(?:alert|emerg|crit)\].*", read(self.dir / "error.log"))
        return [line for line in lines if not re.search(self.expected, line)]

    def logged(self, pattern):
        return len(re.findall(pattern, read(self.dir / "error.log")))
