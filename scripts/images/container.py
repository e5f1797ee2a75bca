"""A service of a compose file as a container of runc."""

import contextlib
import json
import shutil
import subprocess
import time
from pathlib import Path

SETTINGS = {"image", "build", "ports", "volumes", "tmpfs", "read_only", "cap_drop", "security_opt", "depends_on",
            "restart", "profiles", "entrypoint", "network_mode"}


class Image:
    """The root file system and what the image says of itself."""

    def __init__(self, root, inspected):
        self.root = Path(root)
        self.config = json.loads(Path(inspected).read_text())["Docker"]["config"]

    def command(self):
        return (self.config.get("Entrypoint") or []) + (self.config.get("Cmd") or [])

    def health(self):
        kind, *command = self.config["Healthcheck"]["Test"]
        assert kind == "CMD", kind
        return command


class Service:
    """What the compose file says of one service."""

    def __init__(self, name, folder, said, image, scratch):
        unknown = said.keys() - SETTINGS
        assert not unknown, f"the service {name} has settings that this test does not know: {unknown}"
        self.name, self.folder, self.said, self.image = name, Path(folder), said, image
        self.bundle = Path(scratch, name)
        self.volumes = Path(scratch, "volumes")
        self.log = Path(scratch, f"{name}.log")
        self.process = None

    def runc(self, *arguments, **options):
        return subprocess.run(["runc", "--root", self.bundle.parent / "runc", *arguments], **options)

    def command(self, arguments):
        if "entrypoint" in self.said:
            return self.said["entrypoint"] + list(arguments)
        return self.image.command()

    def mounts(self):
        for mount in self.said.get("volumes", []):
            source, destination, *options = mount.split(":")
            source = self.folder / source if source.startswith(".") else self.volume(source, destination)
            yield bind(source, destination, *options)
        for destination in self.said.get("tmpfs", []):
            yield {"destination": destination, "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777", "nosuid"]}
        # The engine's name service.
        hosts = self.bundle / "hosts"
        hosts.write_text("127.0.0.1 localhost prometheus\n")
        yield bind(hosts, "/etc/hosts", "ro")

    def volume(self, name, destination):
        """A named volume begins as a copy of what the image has there."""
        path = self.volumes / name
        if not path.exists():
            self.volumes.mkdir(exist_ok=True)
            subprocess.run(["cp", "--archive", self.image.root / destination.lstrip("/"), path], check=True)
        return path

    def spec(self, arguments):
        """An OCI bundle's config.json."""
        self.runc("spec", "--bundle", self.bundle, check=True)
        spec = json.loads(Path(self.bundle, "config.json").read_text())
        user, _, group = self.image.config["User"].partition(":")
        process = spec["process"]
        process["terminal"] = False
        process["user"] = {"uid": int(user), "gid": int(group)}
        process["args"] = self.command(arguments)
        process["env"] = self.image.config["Env"]
        process["cwd"] = self.image.config.get("WorkingDir") or "/"
        process["noNewPrivileges"] = "no-new-privileges:true" in self.said.get("security_opt", [])
        assert self.said["cap_drop"] == ["ALL"]
        process["capabilities"] = {}
        spec["root"] = {"path": str(self.image.root), "readonly": self.said.get("read_only", False)}
        # Whatever cgroups this machine has, none is looked at. The network is that of this test, unless there is none.
        apart = {"cgroup"} if self.said.get("network_mode") == "none" else {"cgroup", "network"}
        linux = spec["linux"]
        linux["namespaces"] = [each for each in linux["namespaces"] if each["type"] not in apart]
        spec["mounts"] = [mount for mount in spec["mounts"] if mount["type"] != "cgroup"
                          and mount["destination"] != "/sys/fs/cgroup"] + list(self.mounts())
        return spec

    def write(self, arguments=()):
        shutil.rmtree(self.bundle, ignore_errors=True)
        self.bundle.mkdir()
        spec = self.spec(arguments)
        Path(self.bundle, "config.json").write_text(json.dumps(spec))

    def run(self, *arguments, given=""):
        """docker compose run --rm NAME ARGUMENT…: what it printed."""
        self.write(arguments)
        done = self.runc("run", "--bundle", self.bundle, self.name, input=given, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def start(self):
        self.write()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(["runc", "--root", self.bundle.parent / "runc", "run", "--bundle",
                                             self.bundle, self.name], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def exec(self, *command):
        """The exit status of a command in the container."""
        return self.runc("exec", self.name, *command, stdin=subprocess.DEVNULL, capture_output=True).returncode

    def stop(self, seconds=10):
        """As an engine does: the image's signal; whether the container was gone in time."""
        self.runc("kill", self.name, self.image.config.get("StopSignal") or "SIGTERM", check=True)
        try:
            return self.process.wait(seconds) == 0
        except subprocess.TimeoutExpired:
            self.kill()
            return False

    def kill(self):
        if self.process and self.process.poll() is None:
            self.runc("delete", "--force", self.name, capture_output=True)
            self.process.wait()

    def processes(self):
        """The real user of each of its processes."""
        return {user_of(pid) for pid in self.pids()}

    def pids(self):
        state = json.loads(self.runc("state", self.name, check=True, capture_output=True).stdout)
        found, left = [], [state["pid"]]
        while left:
            pid = left.pop()
            found.append(pid)
            with contextlib.suppress(FileNotFoundError):
                left += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return found


def bind(source, destination, *options):
    return {"destination": destination, "type": "bind", "source": str(source), "options": ["rbind", *options]}


def user_of(pid):
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("Uid:"))
    return int(line.split()[1])


def wait_for(what, condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"gave up waiting for {what}"
        time.sleep(0.1)
