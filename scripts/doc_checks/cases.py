"""scripts/cases: see there. Needs nothing but Python, so that it is quick."""

import argparse
import re
import signal
import sys
from collections import defaultdict
from pathlib import Path

from . import case_samples, links

CATALOGUE = "docs/cases.md"

# Numbers go on from letter to letter: those of one digit are A's, and H2 or K1 is something else.
CASE = r"(?:A[1-9]|[A-N][1-9]\d{1,2}[a-d]?)(?!\w)"
SEVERAL = rf"{CASE}(?:(?:, | and | to |–| ){CASE})*"
SPAN = re.compile(rf"({CASE})(?: to |–)({CASE})")
# At the beginning of a string or of a comment.
BEGINNING = re.compile(rf"""(?:["'`]|^ *(?:#|//)[- ]*)({SEVERAL})(?=[\s:.,;]|$)""", re.MULTILINE)
# The attribute may have others, and comments, behind it.
TEST = re.compile(r"#\[test\]\s*(?:(?:#\[.*|//.*)\s*)*fn (\w+)")
PREFIX = re.compile(SEVERAL, re.IGNORECASE)
HEAD = re.compile(r"\A(?:(?:#|//!).*\n)+")
# In prose, where %C37 is a byte.
WORD = re.compile(rf"(?<![\w%/\\+.-]){CASE}(?![%/+-])")
LINE = re.compile(r"\| (([A-Z])(\d+)([a-z]?)) \| (.+) \|")


def canonical(case):
    return case[0].upper() + case[1:].lower()


def of_test(path, text):
    """The texts in which a file of tests names cases, each with its place."""
    if path.endswith(".rs"):
        for test in TEST.finditer(text):
            if several := PREFIX.match(test[1].replace("_", " ")):
                yield test.start(1), re.sub(rf"(?i){CASE}", lambda case: canonical(case[0]), several[0])
    else:
        yield from ((found.start(1), found[1]) for found in BEGINNING.finditer(text))
    if head := HEAD.match(text):
        yield from of_prose(path, head[0])


def of_prose(_, text):
    for pattern in (SPAN, WORD):
        yield from ((found.start(), found[0]) for found in pattern.finditer(text))


def cases_in(several):
    """All that a text of nothing but cases names: of a span, those in between as well."""
    yield from re.findall(CASE, several)
    for first, last in SPAN.findall(several):
        start, end = (int(re.sub(r"\D", "", case)) for case in (first, last))
        yield from (f"{first[0]}{number}" for number in range(start + 1, end))


def named(files, texts):
    """By case, where it is named: path and line."""
    found = defaultdict(list)
    for path, text in sorted(files.items()):
        for start, several in texts(path, text):
            for case in cases_in(several):
                found[case].append((path, text.count("\n", 0, start) + 1))
    return found


def is_test(path):
    """What is checked here is none: it shows what names look like."""
    folders = ("t/", "crates/", "src/", "fuzz/", "scripts/")
    return path.startswith(folders) and not path.startswith(("scripts/doc_checks/", "scripts/cases"))


class Cases:
    def __init__(self, files):
        """Of a tree with these files: their texts by path."""
        self.mistakes, self.lines = [], {}
        self.read(files.get(CATALOGUE, ""))
        pages = {path: text for path, text in files.items() if path.endswith(".md") and path != CATALOGUE}
        self.pages = named(pages, of_prose)
        self.tests = named({path: text for path, text in files.items() if is_test(path) and path not in pages}, of_test)

    def read(self, text):
        heading, last = "", (0, "")
        for number, line in enumerate(text.splitlines(), 1):
            if line.startswith("## "):
                heading = line[3]
            if found := LINE.fullmatch(line):
                case, letter, *place, what = found.groups()
                place = int(place[0]), place[1]
                if letter != heading:
                    self.mistakes.append((CATALOGUE, number, f"{case} stands under {heading}: move it to {letter}"))
                if place <= last:
                    self.mistakes.append((CATALOGUE, number, f"{case} stands behind a later one: put them in order"))
                last = place
                self.lines[case] = number, what

    def check(self):
        yield from self.mistakes
        for case, (line, _) in self.lines.items():
            if case not in self.tests:
                yield CATALOGUE, line, f"no test names {case}: begin the name of one with it, or take the line out"
        for case, places in [*self.tests.items(), *self.pages.items()]:
            if case not in self.lines:
                yield from ((*place, f"{case} is not in {CATALOGUE}: {self.mend(case)}") for place in places)

    def mend(self, case):
        same = next((other for other in self.lines if other[1:] == case[1:]), None)
        return f"is {same} meant?" if same else "add its line, or correct the number"

    def show(self, case):
        paths = sorted({path for path, _ in self.tests[case]})
        return "\n    ".join([f"{case}  {self.lines[case][1]}", *paths])


def read(root):
    """What may name a case: seeds of the fuzzing and the like are none of it."""
    kinds = re.compile(r".*\.(t|pm|rs|py|mjs|md)|(t/browser|scripts(/\w+)?)/[\w-]+")
    return {path: (root / path).read_text() for path in links.shipped(root)[0] if kinds.fullmatch(path)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--no-self-test", action="store_true")
    parser.add_argument("cases", nargs="*")
    options = parser.parse_args()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # scripts/cases | head
    if options.check and not options.no_self_test:
        case_samples.check(Cases)
    cases = Cases(read(Path.cwd()))
    if options.check:
        check(cases)
    else:
        show(cases, [canonical(case) for case in options.cases])


def check(cases):
    mistakes = sorted(set(cases.check()))
    for path, line, mistake in mistakes:
        print(f"{path}:{line}: {mistake}", file=sys.stderr)
    if mistakes:
        sys.exit(f"cases: mistakes: {len(mistakes)}")
    files = {path for places in cases.tests.values() for path, _ in places}
    print(f"{len(cases.lines)} cases are named by tests in {len(files)} files")


def show(cases, wanted):
    for case in wanted or cases.lines:
        if case not in cases.lines:
            sys.exit(f"cases: {case} is not in {CATALOGUE}: scripts/cases shows all that are")
        print(cases.show(case))


if __name__ == "__main__":
    main()
