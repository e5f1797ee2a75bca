"""Links lead to what is shipped, or are well-formed and https."""

import posixpath
import re
import subprocess
from urllib.parse import unquote, urlsplit

HOST = re.compile(r"([a-z0-9-]+\.)+[a-z]{2,}")


def shipped(tree):
    """The files of the tree: what git knows or would take; without git all but what is built."""
    if (tree / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=tree, check=True, capture_output=True, text=True,
        ).stdout.split("\0")
        files = {path for path in listed if path and (tree / path).exists()}
    else:
        found = (path.relative_to(tree) for path in tree.rglob("*") if path.is_file())
        files = {str(path) for path in found if path.parts[0] != "target"}
    folders = {folder for path in files for folder in parents(path)}
    return files, folders


def parents(path):
    while path := posixpath.dirname(path):
        yield path


def check(pages, files, folders):
    for page in pages.values():
        for line, url in page.links:
            if mistake := wrong(page, url, pages, files, folders):
                yield page.path, line, f"{url}: {mistake}"


def wrong(page, url, pages, files, folders):
    parts = urlsplit(url)
    if parts.scheme or parts.netloc:
        return wrong_outside(parts)
    path = target(page, parts.path)
    if path not in files and path not in folders:
        return "there is no such file in the tree"
    if parts.fragment and (path not in pages or unquote(parts.fragment) not in pages[path].anchors):
        return "there is no such heading"
    return None


def wrong_outside(parts):
    if parts.scheme != "https":
        return "not https"
    if not HOST.fullmatch(parts.hostname or "") or re.search(r"[\s<>\"\\^`{|}]", parts.geturl()):
        return "not an address"
    return None


def target(page, path):
    return posixpath.normpath(posixpath.join(posixpath.dirname(page.path), unquote(path))) if path else page.path


def outside(pages):
    return sorted({url for page in pages.values() for _, url in page.links if urlsplit(url).scheme})


def unreached(pages, files, start="README.md"):
    """Every page is reached from the first one, and what stands beside the pages from one of them."""
    reached, next_ones, targets = set(), [start], set()
    while next_ones:
        path = next_ones.pop()
        if path in pages and path not in reached:
            reached.add(path)
            here = {target(pages[path], urlsplit(url).path) for _, url in pages[path].links if "://" not in url}
            targets |= here
            next_ones += here
    beside = {path for path in files if path.startswith(("docs/", "nginx-conf/"))} - targets
    for path in sorted(set(pages) - reached | beside):
        yield path, 1, f"no link from {start} leads here"
