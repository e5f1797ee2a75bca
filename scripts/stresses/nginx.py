"""An nginx with four workers, and what can be seen of it from outside."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benches.nginx import MODULE, free_port, wait_for

REALM, WORKERS, USERS, PASSWORD = "ops", 4, 100, "correct horse"


def read(path):
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def is_alive(pid):
    stat = read(f"/proc/{pid}/stat")
    return bool(stat) and stat.rpartition(") ")[2][0] not in "ZX"


def users_file():
    line = subprocess.run(["htpasswd", "-niBC", "4", "u"], input=PASSWORD, text=True, check=True,
                          capture_output=True).stdout
    hashed = line.strip().partition(":")[2]
    return "".join(f"user{n}:{hashed}\n" for n in range(USERS))


class Nginx:
    """An nginx in the background. Each zone has a number, its generation, which every answer carries."""

    main = "worker_shutdown_timeout 5s;"

    def __init__(self, with_state=True):
        self.dir = Path(tempfile.mkdtemp(prefix="authgate-stress-"))
        self.dir.chmod(0o755)
        (self.dir / "html").mkdir()
        (self.dir / "html/file").write_text("behind the gate\n")
        self.write_files()
        self.with_state = with_state
        self.program = shutil.which("nginx") or sys.exit("no nginx")
        self.port, self.replay_port = free_port(), free_port()
        self.zone_size = 4
        self.generation = 0
        self.began = {}
        self.group = None

    def write_files(self):
        (self.dir / "users").write_text(users_file())

    def new_generation(self):
        """What is started or reloaded next has a new zone."""
        self.generation += 1
        self.began[self.generation] = time.monotonic()
        self.configure(self.generation)

    def configure(self, generation):
        user = "user nobody nogroup;" if os.geteuid() == 0 else ""
        (self.dir / "nginx.conf").write_text(f"""
load_module {MODULE};
{user}
worker_processes {WORKERS};
{self.main}
pid {self.dir}/nginx.pid;
error_log {self.dir}/error.log notice;
events {{ worker_connections 1024; }}
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
        limit off;
        session idle=10h max=12h;
        zone {self.zone_size}m;
        {state}
    }}
    server {{
        listen 127.0.0.1:{self.port};
        listen 127.0.0.1:{self.replay_port} reuseport;
        root {self.dir}/html;
        authgate {REALM};
        add_header X-Worker $pid always;
        add_header X-Generation {generation} always;
    }}"""

    def command(self):
        return [self.program, "-e", f"{self.dir}/error.log", "-p", f"{self.dir}/", "-c", f"{self.dir}/nginx.conf"]

    def start(self):
        self.new_generation()
        started = subprocess.run(self.command(), capture_output=True, text=True, stdin=subprocess.DEVNULL)
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
            return len(workers) == WORKERS and not set(workers) & set(without)
        wait_for("workers", are_there)

    def processes(self):
        """All of this nginx, old masters too: they share the process group."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            fields = read(stat).rpartition(") ")[2].split()
            if len(fields) > 2 and fields[0] not in "ZX" and int(fields[2]) == self.group:
                found.append(int(stat.parent.name))
        return found

    def kill_all(self):
        if self.group and self.processes():
            os.killpg(self.group, signal.SIGKILL)
        wait_for("nginx to die", lambda: not self.processes())

    def sizes(self):
        """Memory and descriptors of the master and of its largest worker."""
        def of(pid):
            rss = re.search(r"VmRSS:\s+(\d+)", read(f"/proc/{pid}/status"))
            return int(rss[1]) if rss else 0, len(os.listdir(f"/proc/{pid}/fd"))
        workers = [of(pid) for pid in self.workers()]
        return (*of(self.master()), max(w[0] for w in workers), max(w[1] for w in workers))

    def complaints(self):
        """What must not be logged; a killed process is what we did."""
        expected = r"exited on signal 9|shared memory zone .* was locked by"
        lines = re.findall(r".*\[(?:alert|emerg|crit)\].*", read(self.dir / "error.log"))
        return [line for line in lines if not re.search(expected, line)]
