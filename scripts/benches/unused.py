"""What a request costs that no gate looks at: without the module, beside it, and beside a realm of another server."""

import sys

from .instructions import per_request
from .nginx import QUICK, Nginx
from .output import table, title

# What the module may add where nothing uses it, as a ratio.
MOST = 1.01

NGINX = {
    "not loaded": ("", False),
    "loaded, not used": ("", True),
    "a realm elsewhere": ("authgate_realm ops { users {users}; } server { listen 127.0.0.1:{gated}; authgate ops; }", True),
}


def bench_unused():
    count = 500 if QUICK else 1000
    title(f"instructions per request, from the difference of {count} and {2 * count} requests")
    result = {name: per_request("callgrind", "plain", count, make(*how)) for name, how in NGINX.items()}
    base = result["not loaded"]["instructions"]
    for row in result.values():
        row["ratio"] = round(row["instructions"] / base, 4)
    table(result, ["instructions", "ratio"])
    if (ratio := result["loaded, not used"]["ratio"]) > MOST:
        sys.exit(f"the module, loaded and not used, costs {ratio} times the instructions, {MOST} at most")
    return {"requests": count, "variants": result}


def make(http, with_module):
    server = " server { listen 127.0.0.1:{plain}; }"
    return lambda **options: Nginx(http + server, with_module=with_module, **options)
