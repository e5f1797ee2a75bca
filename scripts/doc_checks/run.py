"""A page's commands: as a script whose lines are those of the page, for bash -n, shellcheck and to be run."""

import re
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
# What shellcheck says of fragments: no shebang, a `cd` that may fail, a file that is sourced, assigned and not used, a
# "$" in single quotes.
FRAGMENTS = "SC2148,SC2164,SC1090,SC1091,SC2034,SC2016"
# What a fence may be called. A name that is mistyped would be checked by nobody.
LANGUAGES = set(
    "sh console nginx yaml json ini toml htpasswd apacheconf caddyfile dockerfile make python text vector".split()
)
TIMEOUT = 120
NAMESPACES = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"]


def possible():
    """Root in a container need not have namespaces."""
    command = [*NAMESPACES, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(command, capture_output=True).returncode == 0


def check(page, sandbox):
    yield from fences(page)
    text, count = script(page, run=False)
    if not count:
        return
    mistakes = list(taken(page, text))
    yield from mistakes
    if not mistakes and sandbox:
        yield from ran(page, sandbox)


def fences(page):
    for block in page.blocks:
        if block.language and block.language not in LANGUAGES:
            yield page.path, block.first, f"no such language: {block.language}"
        if block.no_run == "":
            yield page.path, block.first, "no-run needs a reason: no-run: WHY"


def script(page, run):
    """The text, and how many blocks of commands it has."""
    lines = [""] * (page.lines + 2)
    count = 0
    for block in page.blocks:
        if block.file and run:
            lines[block.first - 1] = f"install -D /dev/stdin {block.file} <<'END_OF_BLOCK'"
            lines[block.last - 1] = "END_OF_BLOCK"
        elif block.language == "sh" and not (run and block.no_run is not None):
            count += 1
        else:
            continue
        lines[block.first : block.last - 1] = block.text.splitlines()
    return "\n".join(lines), count


def taken(page, text):
    result = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True)
    if result.returncode:
        line, mistake = re.search(r"line (\d+): (.*)", result.stderr).groups()
        yield page.path, int(line), f"bash: {mistake}"
        return
    command = ["shellcheck", "--shell=bash", "--format=gcc", f"--exclude={FRAGMENTS}", "-"]
    # In the first line, where a page has its heading: a "!" that would skip errexit is found then.
    result = subprocess.run(command, input=f"set -e{text}", capture_output=True, text=True)
    for line, mistake in re.findall(r"^-:(\d+):\d+: (.*)", result.stdout, re.MULTILINE):
        yield page.path, int(line), f"shellcheck: {mistake}"


def ran(page, sandbox):
    text, count = script(page, run=True)
    if not count:
        return
    command = [*NAMESPACES, HERE / "sandbox", *sandbox]
    try:
        result = subprocess.run(command, input=text, capture_output=True, text=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        yield page.path, 1, f"the commands do not end within {TIMEOUT} s"
        return
    if result.returncode:
        found = re.search(r"^check-docs: line (\d+): (.*)", result.stderr, re.MULTILINE)
        line, what = (int(found[1]), found[2]) if found else (1, f"fails with {result.returncode}")
        said = [text for text in result.stderr.splitlines() if not text.startswith("check-docs: line ")]
        yield page.path, line, "\n    ".join([what, *said[:6]])
