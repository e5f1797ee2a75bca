"""Many users."""

import statistics
import subprocess
import time

from .nginx import QUICK, Nginx
from .output import table, title
from .requests import compare

USERS = """
    authgate_realm ops { users {users}; }
    server { listen 127.0.0.1:{authgate}; authgate ops; }
"""


def bench_users():
    rounds, seconds, lines = (2, 1, 100_000) if QUICK else (10, 2, 100_000)
    title(f"a users file of {lines} lines")
    with Nginx(USERS) as few, Nginx(USERS, users_lines=lines) as many:
        loads = {"1 user": [], f"{lines} users": []}
        for _ in range(3 if QUICK else 7):
            for name, nginx in zip(loads, (few, many)):
                began = time.perf_counter()
                subprocess.run(nginx.command("-t"), check=True, capture_output=True)
                loads[name].append(time.perf_counter() - began)
        subjects = {name: (nginx, "authgate", {"Cookie": nginx.sign_in("authgate")})
                    for name, nginx in zip(loads, (few, many))}
        result = compare(subjects, rounds, seconds)
        for name, nginx in zip(loads, (few, many)):
            result[name]["nginx_t_ms"] = round(statistics.median(loads[name]) * 1000, 1)
            result[name]["worker_rss_kib"] = nginx.rss_kib()
    table(result, ["nginx_t_ms", "worker_rss_kib", "requests_per_second", "cpu_us_per_request", "cpu_ratio"])
    return {"lines": lines, "variants": result}
