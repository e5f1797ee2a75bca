"""Commands and files of our own that a page names: they are there, and so are their options."""

import os
import re
import shlex
import subprocess
from functools import cache

OURS = re.compile(r"(?:src|crates|t|docs|scripts|nginx-conf|fuzz|\.ci)/[\w./*-]*[\w*]/?")
# What comes behind `authgate` where it is the directive, or the text that docs/TOKEN.md signs.
DIRECTIVE = re.compile(r"(off|optional|ops|NAME|v1.*);?|.*;")


class Ours:
    def __init__(self, tree, files, folders, authgate):
        self.tree, self.files, self.folders, self.authgate = tree, files, folders, authgate
        self.source = "\n".join((tree / path).read_text() for path in files if path.endswith(".rs"))
        ignored = tree / ".gitignore"
        self.made = {line.strip("/\n") for line in ignored.read_text().splitlines()} if ignored.exists() else set()

    def check(self, page):
        for line, code in page.codes:
            yield from ((page.path, line, mistake) for mistake in self.mistakes(code))
        for block in page.blocks:
            if block.language == "sh" and block.no_run is not None:
                for number, code in enumerate(block.text.replace("\\\n", "  ").splitlines(), block.first + 1):
                    yield from ((page.path, number, mistake) for mistake in self.mistakes(code))

    def check_comments(self, path):
        """Commands in the comments of an example stand apart, by five blanks."""
        text = (self.tree / path).read_text()
        for found in re.finditer(r"^ *#     ((?:.*\\\n *# )*.*)", text, re.MULTILINE):
            line = text.count("\n", 0, found.start()) + 1
            yield from ((path, line, mistake) for mistake in self.mistakes(re.sub(r"\\\n *# ", "", found[1])))

    def mistakes(self, code):
        yield from self.paths(code)
        yield from self.names(code)
        for words in commands(code):
            if words[0] == "authgate" and len(words) > 1:
                yield from self.of_authgate(words)
            elif words[0].startswith("scripts/") and os.access(self.tree / words[0], os.X_OK):
                yield from unknown(words[0], words[1:], script_help(self.tree, words[0]))

    def paths(self, code):
        for path in re.findall(rf"(?<![\w./*$-]){OURS.pattern}", code):
            if not self.there(path):
                yield f"{path}: there is no such file in the tree"

    def names(self, code):
        """Directives, variables and metrics: they are in the source."""
        for name in re.findall(r"(?<![\w.])authgate_[a-z_]*[a-z]", code):
            if not re.search(rf"\b{re.sub('_(bucket|sum|count)$', '', name)}\b", self.source):
                yield f"{name}: there is no such directive, variable or metric"

    def there(self, path):
        if "*" in path:
            return any(self.tree.glob(path))
        return path.rstrip("/") in self.folders | self.made or path in self.files

    def of_authgate(self, words):
        if DIRECTIVE.fullmatch(words[1]):
            return
        name, rest = ["authgate"], words[1:]
        while subcommands := commands_of(self.help_of(name)):
            if not rest:
                return
            for word in rest[0].split("|"):
                if word not in subcommands and not word.startswith("-"):
                    yield f"{' '.join(name)}: there is no command {word}"
                    return
            if rest[0].startswith("-") or "|" in rest[0]:
                break
            name.append(rest.pop(0))
        yield from unknown(" ".join(name), rest, self.help_of(name))

    def help_of(self, name):
        return run_help(self.authgate, *name[1:])


def commands(code):
    """The simple commands of a line, roughly: what bash itself makes of it is seen when it is run."""
    code = re.sub(r"(?<!\S)#.*", "", code)
    # A bar with white space around it is a pipe, one between words a choice.
    for part in re.split(r"\s\|\s|&&|;\s|\(|\)", code):
        try:
            words = shlex.split(part)
        except ValueError:
            words = part.split()
        if words:
            yield words


def unknown(name, words, text):
    for word in words:
        if word == "--":
            return
        option = re.match(r"\[?(--?[a-zA-Z][\w-]*)", word)
        if option and not re.search(rf"(?<![\w-]){re.escape(option[1])}(?![\w-])", text):
            yield f"{name}: there is no option {option[1]}"


def commands_of(text):
    found = re.search(r"^Commands:\n((?:  .*\n)+)", text, re.MULTILINE)
    return set(re.findall(r"^  (\S+)", found[1], re.MULTILINE)) if found else set()


def script_help(tree, path):
    return run_help(str(tree / path))


@cache
def run_help(*command):
    result = subprocess.run([*command, "--help"], capture_output=True, text=True)
    return result.stdout if result.returncode == 0 else ""
