"""images SCRATCH ROOT: the image is mounted at ROOT, and SCRATCH/image.json says what it says of itself."""

import contextlib
import http.cookiejar
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import yaml

from images.container import Image, Service, wait_for

FOLDER = Path("container").resolve()
ORIGIN = "http://127.0.0.1:8080"
PROMETHEUS = "<title>Prometheus"
passed = 0


def ok(condition, what):
    global passed
    print(f"{'ok' if condition else 'not ok'} - {what}", flush=True)
    if not condition:
        raise SystemExit("the image does not do what it should")
    passed += 1


def main(scratch, root):
    scratch = Path(scratch)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    image = Image(root, scratch / "image.json")
    compose = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    said_of_itself(image)
    services = compose["services"]
    gate, authgate = (Service(name, FOLDER, services[name], image, scratch) for name in ("gate", "authgate"))
    with prometheus(services["prometheus"], scratch):
        try:
            try_all(gate, authgate)
        except BaseException:
            print(gate.log.read_text() if gate.log.exists() else "", file=sys.stderr)
            raise
        finally:
            gate.kill()
    print(f"{passed} passed, 0 failed")


def said_of_itself(image):
    ok(image.config["User"] == "101:101", "the image's user is not root")
    ok("8080/tcp" in image.config["ExposedPorts"], "its port is 8080")
    ok(image.health(), "it has a health check")
    files = ["/usr/lib/nginx/modules/ngx_http_authgate_module.so", "/usr/local/bin/authgate"]
    ok(all((image.root / file[1:]).exists() for file in files), "module and command are there")
    licences = "".join((image.root / "usr/share/doc/authgate" / name).read_text() for name in ("module", "command"))
    ok("==== hmac " in licences and "==== clap " in licences, "and the licences of what is linked into them")
    ok(not (image.root / "authgate").exists(), "what built them is not")


@contextlib.contextmanager
def prometheus(said, scratch):
    """The machine's own in place of the example's image, with the example's configuration."""
    assert said["volumes"][0] == "./prometheus.yml:/etc/prometheus/prometheus.yml:ro"
    with (scratch / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            ["prometheus", f"--config.file={FOLDER}/prometheus.yml", f"--storage.tsdb.path={scratch}/metrics",
             "--web.listen-address=127.0.0.1:9090"], stdout=log, stderr=log)
    try:
        wait_for("Prometheus", lambda: status("http://127.0.0.1:9090/-/ready") == 200)
        yield
    finally:
        process.terminate()
        process.wait()


def try_all(gate, authgate):
    without_users(gate)
    authgate.run("user", "set", "/etc/nginx/authgate/users", "alice", given="correct horse\n")
    start(gate)
    ok(gate.processes() == {101}, "no process is root's")
    ok(gate.exec("touch", "/file") != 0, "the root file system is read-only")
    ok(gate.exec("touch", "/tmp/file") == 0, "/tmp is not")
    ok(gate.exec("touch", "/etc/nginx/authgate/users") != 0, "nginx cannot write the users")
    ok(status(f"{ORIGIN}/graph", {"Accept": "*/*"}) == 401, "a program without a credential gets 401")

    alice = Browser()
    ok("<form" in alice.get("/graph"), "a browser is led to the login page")
    ok("<form" in alice.sign_in("alice", "wrong", "/graph"), "a wrong password leads back to it")
    ok(PROMETHEUS in alice.sign_in("alice", "correct horse", "/graph"), "the right one to the page asked for")
    ok(PROMETHEUS in alice.get("/graph"), "which shows Prometheus from then on")

    authgate.run("user", "set", "/etc/nginx/authgate/users", "bob", given="battery staple\n")
    wait_for("the gate to read the users again", lambda: "read again, users: 2" in gate.log.read_text())
    ok(PROMETHEUS in Browser().sign_in("bob", "battery staple", "/graph"), "a new user can sign in at once")

    ok(gate.stop(), "it stops when asked to")
    start(gate)
    ok(PROMETHEUS in alice.get("/graph"), "a session survives a new container")
    ok(gate.stop(), "it stops again")
    log = gate.log.read_text()
    ok(" - alice [" in log, "the access log says who it was")
    ok("correct horse" not in log and "battery staple" not in log, "and no password")
    ok("[alert]" not in log and "[crit]" not in log, "nothing was logged that should not be")


def without_users(gate):
    gate.start()
    ok(gate.process.wait(20) != 0, "without a users file it does not start")
    log = gate.log.read_text()
    ok("[emerg]" in log and "/etc/nginx/authgate/users" in log, "and says which file is missing")
    gate.log.unlink()


def start(gate):
    gate.start()
    wait_for("the gate to be healthy", lambda: gate.exec(*gate.image.health()) == 0)
    ok(True, "the health check passes")


class Browser:
    """Keeps cookies and follows redirects."""

    def __init__(self):
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def get(self, path, form=None):
        data = urllib.parse.urlencode(form).encode() if form else None
        fields = {"Accept": "text/html", "Origin": ORIGIN, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document",
                  "Sec-Fetch-Site": "same-origin"}
        try:
            with self.opener.open(urllib.request.Request(ORIGIN + path, data, fields), timeout=20) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def sign_in(self, user, password, path):
        return self.get("/authgate/login", {"username": user, "password": password, "rd": path})


def status(address, fields=None):
    try:
        return urllib.request.urlopen(urllib.request.Request(address, headers=fields or {}), timeout=5).status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


main(*sys.argv[1:])
