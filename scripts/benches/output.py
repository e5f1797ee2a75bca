"""Tables, and on which machine."""

import os
import platform
import re
import shutil
import subprocess
import time
from pathlib import Path


def title(text):
    print(f"\n{text}\n")


def table(rows, columns):
    lines = [["", *(c.replace("_", " ") for c in columns)]]
    lines += [[name, *(str(row.get(c, "")) for c in columns)] for name, row in rows.items()]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns) + 1)]
    for line in lines:
        print("  " + line[0].ljust(widths[0]) + "".join("  " + c.rjust(w) for c, w in zip(line[1:], widths[1:])))


def machine():
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    version = subprocess.run(["nginx", "-v"], capture_output=True, text=True).stderr.strip()
    return {"cpu": cpu[1] if cpu else platform.machine(), "cores": os.cpu_count(), "kernel": platform.release(),
            "nginx": version.rpartition("/")[2], "commit": commit(),
            "date": time.strftime("%Y-%m-%d", time.gmtime())}


def commit():
    """That of the tree; none where it came without git, or git is not there."""
    if not shutil.which("git"):
        return ""
    return subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
