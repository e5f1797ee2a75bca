"""Requests per second and the worker's CPU time per request, beside nginx's own ways."""

import re
import statistics
import subprocess
import sys

from .nginx import PASSWORD, QUICK, Nginx, basic, pin, put_first, users_file, wait_for
from .output import table, title

VARIANTS = """
    authgate_realm ops { users {users}; }
    server { listen 127.0.0.1:{ungated}; }
    server { listen 127.0.0.1:{authgate}; authgate ops; }
    server { listen 127.0.0.1:{auth_basic}; auth_basic ops; auth_basic_user_file {dir}/basic; }
    server {
        listen 127.0.0.1:{auth_request};
        auth_request /check;
        location = /check { internal; return 204; }
    }
"""


def wrk(nginx, name, headers, seconds):
    """One run: (requests per second, worker's CPU microseconds per request).

    Worker and client take turns on one core, ahead of everybody else. On two, the client sleeps now and then, and to
    wake a sleeping core can cost the worker more than the gate does: the less, the busier the client is.
    """
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", "--timeout", "60s", "-s", "scripts/wrk.lua"]
    for header in headers.items():
        command += ["-H", ": ".join(header)]
    wait_for("the worker to be idle", nginx.is_idle, 60)  # auth_basic still works for clients that have gone
    put_first(nginx.worker())
    before = nginx.cpu_ns()
    output = subprocess.run([*command, f"http://127.0.0.1:{nginx.port(name)}/file"], check=True,
                            capture_output=True, text=True, preexec_fn=lead).stdout
    used = nginx.cpu_ns() - before
    requests, duration, statuses, errors = map(int, re.search(r"result (.*)", output)[1].split())
    if statuses or errors or not requests:
        sys.exit(f"{name}: {statuses} refusals and {errors} errors in {requests} requests")
    return requests / duration * 1e6, used / requests / 1e3


def lead():
    pin()
    put_first()


def compare(subjects, rounds, seconds):
    """Runs the subjects in turn, `rounds` times; each against the first of the same round."""
    runs = {name: [] for name in subjects}
    for number in range(rounds):
        order = list(subjects)
        shift = number % len(order)
        for name in order[shift:] + order[:shift]:
            nginx, port, headers = subjects[name]
            runs[name].append(wrk(nginx, port, headers, seconds))
        print(f"\r  round {number + 1} of {rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    base = runs[next(iter(runs))]
    median = statistics.median
    return {
        name: {
            "requests_per_second": round(median(r for r, _ in mine), 1),
            "cpu_us_per_request": round(median(c for _, c in mine), 3),
            "requests_ratio": round(median(m[0] / b[0] for m, b in zip(mine, base)), 4),
            "cpu_ratio": round(median(m[1] / b[1] for m, b in zip(mine, base)), 4),
            "cpu_us_runs": [round(c, 3) for _, c in mine],
        }
        for name, mine in runs.items()
    }


def bench_requests():
    rounds, seconds = (2, 1) if QUICK else (15, 2)
    title(f"1 KiB static file, one worker, {rounds} interleaved rounds of {seconds} s")
    with Nginx(VARIANTS) as nginx, Nginx("server { listen 127.0.0.1:{plain}; }", with_module=False) as plain:
        (nginx.dir / "basic").write_text(users_file(10, 0))
        result = compare({
            "ungated": (nginx, "ungated", {}),
            "authgate": (nginx, "authgate", {"Cookie": nginx.sign_in("authgate")}),
            "refused": (nginx, "authgate", {"Accept": "text/html"}),
            "auth_basic": (nginx, "auth_basic", {"Authorization": basic(PASSWORD)}),
            "auth_request": (nginx, "auth_request", {}),
            "not loaded": (plain, "plain", {}),
        }, rounds, seconds)
    table(result, ["requests_per_second", "requests_ratio", "cpu_us_per_request", "cpu_ratio"])
    print("  ratios: medians of (this / ungated of the same round)")
    print("  refused: a page navigation without a cookie, 302; not loaded: nginx without module and thread pool")
    return {"rounds": rounds, "seconds": seconds, "variants": result}
