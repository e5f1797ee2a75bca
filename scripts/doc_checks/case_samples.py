"""Trees with one mistake each: a check of cases that does not find its own is a defect."""

import sys

CATALOGUE = """# Cases

## A: letters

| Case | What must hold |
| --- | --- |
| A1 | The first letter is taken. |
| A2 | So is the second. |

## B: others

| Case | What must hold |
| --- | --- |
| B30 | The third one is refused. |
| B31 | So is the fourth, `x|y` or not. |
| B31a | So is what comes with it. |
| B32 | So is the fifth. |
"""
PERL = """# A1, A2: letters. What is refused has a file of its own (B30).

use v5.36;

# A1 a comment
is 1, 1, 'A1 a string';
is 2, 2, "A2 B30 two of them: $_";
is 3, 3, 'B2 and H2 are none, nor is 30B, UTF8, E2E, X11 or \\xA40';
is 4, 4, 'C1 control' if '%C37' ne "\\A40[01]\\z"; # as I77 says
"""
RUST = """//! What B31a is about.

const K1: &str = "J99 in a string of Rust";

fn b64_is_no_test() {}

#[test]
#[cfg(unix)]
// With a word on it.
fn b30_to_b32_are_refused() {}

#[test]
fn h2_is_a_protocol() {}
"""
RIGHT = {
    "docs/cases.md": CATALOGUE,
    "docs/page.md": "See `A1`, B30–B32, and %C3%BC.\n",
    "t/100-letters.t": PERL,
    "crates/core/tests/letters.rs": RUST,
    "scripts/stresses/letters.py": '"""A1: letters under load."""\n',
    "t/browser/gate.test.mjs": "test(`B31a: ${x}`, () => {})\n",
}

# What is found, and where what has become what else.
WRONG = [
    ("docs/cases.md:8: no test names A3: begin", "docs/cases.md", "A2 | So is", "A3 | So is"),
    ("docs/cases.md:17: no test names B33: begin", "docs/cases.md", "| B32 |", "| B33 |"),
    ("t/100-letters.t:1: A2 is not in docs/cases.md: add its line", "docs/cases.md", "| A2 |", "|"),
    ("crates/core/tests/letters.rs:10: B31 is not in", "docs/cases.md", "| B31 |", "|"),
    ("docs/page.md:1: B31 is not in", "docs/cases.md", "| B31 |", "|"),
    ("t/100-letters.t:6: B99 is not in docs/cases.md: add its line", "t/100-letters.t", "'A1", "'B99"),
    ("t/100-letters.t:6: A30 is not in docs/cases.md: is B30 meant?", "t/100-letters.t", "'A1", "'A30"),
    ("t/100-letters.t:7: B99 is not in", "t/100-letters.t", "B30 two", "B99 two"),
    ("t/100-letters.t:5: B99 is not in", "t/100-letters.t", "# A1 a", "# B99 a"),
    ("t/100-letters.t:1: B99 is not in", "t/100-letters.t", "(B30)", "(B99)"),
    ("crates/core/tests/letters.rs:10: B33 is not in", "crates/core/tests/letters.rs", "to_b32", "to_b33"),
    ("crates/core/tests/letters.rs:1: B39a is not in", "crates/core/tests/letters.rs", "B31a", "B39a"),
    ("scripts/stresses/letters.py:1: B99 is not in", "scripts/stresses/letters.py", "A1", "B99"),
    ("t/browser/gate.test.mjs:1: B99 is not in", "t/browser/gate.test.mjs", "B31a", "B99"),
    ("docs/page.md:1: B99 is not in", "docs/page.md", "`A1`", "`B99`"),
    ("docs/cases.md:15: B31 stands behind a later one", "docs/cases.md", "| B30 | The", "| B32 | The"),
    ("docs/cases.md:14: A30 stands under B: move it to A", "docs/cases.md", "| B30 | The", "| A30 | The"),
]


def check(cases_of):
    if found := mistakes(cases_of, RIGHT):
        sys.exit(f"cases: the sample without a mistake has some:\n{found}")
    for wanted, path, old, new in WRONG:
        found = mistakes(cases_of, RIGHT | {path: RIGHT[path].replace(old, new, 1)})
        if wanted not in found:
            sys.exit(f"cases: {old!r} of {path} made {new!r}: {wanted!r} is not found, but:\n{found}")


def mistakes(cases_of, files):
    return "\n".join(f"{path}:{line}: {mistake}" for path, line, mistake in cases_of(files).check())
