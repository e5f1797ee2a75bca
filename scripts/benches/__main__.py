"""The measurements of scripts/bench; see its --help."""

import json
import sys

from .basic import bench_basic
from .flat import bench_flat
from .instructions import bench_instructions
from .latency import bench_latency
from .nginx import QUICK, TARGET
from .output import machine
from .requests import bench_requests
from .unused import bench_unused
from .users import bench_users

RESULT = TARGET / "bench.json"


def main():
    parts = {"requests": bench_requests, "instructions": bench_instructions,
             "latency": bench_latency, "users": bench_users, "flat": bench_flat, "basic": bench_basic,
             "unused": bench_unused}
    asked = [name for name in parts if f"--{name}" in sys.argv or "--all" in sys.argv] or ["requests"]
    results = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    for name in asked:
        results[name] = {**parts[name](), "machine": machine(), "quick": QUICK}
        RESULT.write_text(json.dumps(results, indent=2) + "\n")
    print(f"\nwritten to {RESULT}")


main()
