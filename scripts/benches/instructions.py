"""Instructions and system calls per request."""

import re
import socket
import sys
import tempfile
from pathlib import Path

from .nginx import PASSWORD, QUICK, Nginx, basic, users_file
from .output import table, title
from .requests import VARIANTS


def run_requests(port, headers, count):
    """`count` requests on one connection, one after the other."""
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"GET /file HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), 120) as s:
        answers = s.makefile("rb")
        for _ in range(count):
            s.sendall(request)
            if b" 200 " not in answers.readline():
                sys.exit("a request was refused")
            while answers.readline() != b"\r\n":
                pass
            answers.read(1024)


def headers_for(nginx, name):
    if name == "authgate":
        return {"Cookie": nginx.sign_in("authgate")}
    if name == "auth_basic":
        (nginx.dir / "basic").write_text(users_file(4, 0))
        return {"Authorization": basic(PASSWORD)}
    return {}


def variants(**options):
    return Nginx(VARIANTS, **options)


def counted_by(tool, make, name, headers, count):
    """What the tool counted in a whole life of the nginx that `make` gives, with `count` requests to the named server.
    `headers` are a dictionary, or what gives one."""
    out = Path(tempfile.mkstemp(prefix="authgate-count-")[1])
    wrapper = {
        "callgrind": ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"],
        "strace": ["strace", "-f", "-c", "-U", "calls,name", "-o", str(out)],
    }[tool]
    with make(wrapper=wrapper, pinned=False) as nginx:
        run_requests(nginx.port(name), headers(nginx) if callable(headers) else headers, count)
    text = out.read_text()
    out.unlink()
    if tool == "callgrind":
        return {"instructions": int(re.search(r"^(?:totals|summary): (\d+)", text, re.M)[1])}
    # Idle threads of the pool yield and wait while nginx stops, a different number of times each time.
    return {call: int(n) for n, call in re.findall(r"^\s*(\d+) (\w+)$", text, re.M)
            if call not in ("total", "sched_yield", "futex")}


def per_request(tool, name, count, make=variants):
    """The difference of a run with 2N and one with N requests, divided by N."""
    once, twice = (counted_by(tool, make, name, lambda nginx: headers_for(nginx, name), n)
                   for n in (count, 2 * count))
    each = {what: round((twice[what] - once.get(what, 0)) / count, 2) for what in twice}
    # A worker that ends waits for its threads by yielding, as often as that takes.
    each.pop("sched_yield", None)
    return {what: n for what, n in each.items() if abs(n) >= 0.05}


def bench_instructions():
    count = 50 if QUICK else 1000
    title(f"per request, from the difference of {count} and {2 * count} requests")
    result = {}
    for name in ["ungated", "authgate", "auth_request"]:
        calls = per_request("strace", name, count)
        result[name] = {
            **per_request("callgrind", name, count),
            "system_calls": round(sum(calls.values()), 1),
            "calls": calls,
        }
    added = {
        what: round(result["authgate"][what] - result["ungated"][what], 1)
        for what in ["instructions", "system_calls"]
    }
    result["added by authgate"] = added
    table(result, ["instructions", "system_calls"])
    print("  callgrind's processor has no SHA extensions: on a real one the MAC takes a fraction")
    return {"requests": count, "variants": result}
