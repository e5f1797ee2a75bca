"""What Basic costs: a credential that is known to hold, and 200 equal ones at once that are not."""

import re
import socket
import time
import urllib.request
from collections import Counter

from .instructions import counted_by, run_requests
from .nginx import PASSWORD, QUICK, Nginx, basic
from .output import table, title
from .requests import compare

COST, EQUAL = 12, 200
# What Basic may add to an ungated request: CPU time, and instructions.
MOST_CPU, MOST_INSTRUCTIONS = 1.10, 22_000

BASIC = """
    authgate_realm ops { users {users}; accept cookie bearer basic; basic_cache 1h; }
    server { listen 127.0.0.1:{ungated}; }
    server { listen 127.0.0.1:{basic}; authgate ops; }
    server { listen 127.0.0.1:{auth_basic}; auth_basic ops; auth_basic_user_file {users}; }
"""

# The same users, at a cost that valgrind lives through; the gate's own work does not depend on it.
CHEAP = 4


def bench_basic():
    cpu, instructions = bench_cpu(), bench_added()
    title(f"{EQUAL} equal requests at once, bcrypt cost {COST}, not known to hold")
    at_once = {f"workers: {workers}": bench_at_once(workers) for workers in (1, 4)}
    table(at_once, ["requests", "answered_200", "password_checks", "login_ok_lines", "seconds", "one_check_seconds"])
    print("  one check: a single request with a wrong password, just before")
    exceeded = [*broken(cpu, instructions, at_once)]
    for what in exceeded:
        print(f"  over the limit: {what}")
    return {"cost": COST, "cpu": cpu, "instructions": instructions, "at_once": at_once, "over_the_limit": exceeded}


def broken(cpu, instructions, at_once):
    """What is not as it has to be; the CPU time of a few short rounds means nothing."""
    if (ratio := cpu["basic"]["cpu_ratio"]) > MOST_CPU and not QUICK:
        yield f"CPU time of {ratio} ungated requests, {MOST_CPU} at most"
    if (added := instructions["basic"]["added"]) > MOST_INSTRUCTIONS:
        yield f"{added} instructions added, {MOST_INSTRUCTIONS} at most"
    for name, run in at_once.items():
        if (run["answered_200"], run["password_checks"], run["login_ok_lines"]) != (EQUAL, 1, 1):
            yield f"{name}: {EQUAL} equal requests are to be answered after one check"


def bench_cpu():
    rounds, seconds = (2, 1) if QUICK else (15, 2)
    title(f"Basic, bcrypt cost {COST}, known to hold; one worker, {rounds} interleaved rounds of {seconds} s")
    with Nginx(BASIC, users_cost=COST) as nginx:
        credential = {"Authorization": basic(PASSWORD)}
        run_requests(nginx.port("basic"), credential, 1)
        result = compare({
            "ungated": (nginx, "ungated", {}),
            "same request": (nginx, "ungated", credential),
            "basic": (nginx, "basic", credential),
            "cookie": (nginx, "basic", {"Cookie": nginx.sign_in("basic")}),
            "auth_basic": (nginx, "auth_basic", credential),
        }, rounds, seconds)
    table(result, ["requests_per_second", "requests_ratio", "cpu_us_per_request", "cpu_ratio"])
    print("  same request: with the credential, where there is no gate to look at it")
    return result


def bench_added():
    count = 50 if QUICK else 1000
    title(f"instructions per request, from the difference of {count} and {2 * count} requests")
    make = lambda **options: Nginx(BASIC, users_cost=CHEAP, **options)
    variants = {
        "ungated": ("ungated", {}),
        "basic": ("basic", {"Authorization": basic(PASSWORD)}),
        "cookie": ("basic", lambda nginx: {"Cookie": nginx.sign_in("basic")}),
    }
    result = {}
    for name, (port, headers) in variants.items():
        once, twice = (counted_by("callgrind", make, port, headers, n)["instructions"] for n in (count, 2 * count))
        each = round((twice - once) / count, 1)
        result[name] = {"instructions": each}
        result[name]["added"] = round(each - result["ungated"]["instructions"], 1)
    table(result, ["instructions", "added"])
    print("  callgrind's processor has no SHA extensions: on a real one the MAC takes a fraction")
    return result


AT_ONCE = """
    authgate_realm ops { users {users}; accept basic; }
    server { listen 127.0.0.1:{basic} reuseport; authgate ops; }
    server { listen 127.0.0.1:{metrics}; location / { authgate_metrics; } }
"""


def bench_at_once(workers):
    """Nobody knows the credential yet, and so many requests bring it."""
    with Nginx(AT_ONCE, users_cost=COST, workers=workers, level="info", pinned=False) as nginx:
        _, one_check = ask_at_once(nginx.port("basic"), "wrong", 1)
        before = checks(nginx)
        statuses, seconds = ask_at_once(nginx.port("basic"), PASSWORD, EQUAL)
        return {
            "requests": statuses.total(),
            "answered_200": statuses["200"],
            "password_checks": checks(nginx) - before,
            "login_ok_lines": (nginx.dir / "error.log").read_text().count("login ok"),
            "seconds": round(seconds, 3),
            "one_check_seconds": round(one_check, 3),
        }


def ask_at_once(port, password, count):
    """All are connected before the first asks. The statuses, and how long the last answer took."""
    request = f"GET /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {basic(password)}\r\n\r\n".encode()
    connections = [socket.create_connection(("127.0.0.1", port), 60) for _ in range(count)]
    began = time.perf_counter()
    for connection in connections:
        connection.sendall(request)
    statuses = Counter(connection.makefile("rb").readline().split()[1].decode() for connection in connections)
    seconds = time.perf_counter() - began
    for connection in connections:
        connection.close()
    return statuses, seconds


def checks(nginx):
    with urllib.request.urlopen(f"http://127.0.0.1:{nginx.port('metrics')}/", timeout=60) as answer:
        text = answer.read().decode()
    return int(re.search(r"^authgate_password_check_duration_seconds_count\S* (\d+)$", text, re.M)[1])
