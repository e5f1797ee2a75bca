"""scripts/check-docs: see there."""

import argparse
import os
import sys
from pathlib import Path

from . import links, run, samples
from .tree import Tree


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--external", action="store_true")
    parser.add_argument("--no-self-test", action="store_true")
    parser.add_argument("pages", nargs="*")
    options = parser.parse_args()
    target = Path(os.environ["AUTHGATE_TARGET"])
    tree = Tree(Path.cwd(), target)
    if options.external:
        print("\n".join(links.outside(tree.pages)))
        return
    can_run = run.possible()
    if not options.no_self_test:
        samples.check(target, Tree, can_run)
    mistakes = tree.mistakes(options.pages or None, can_run)
    for path, line, mistake in mistakes:
        print(f"{path}:{line}: {mistake}", file=sys.stderr)
    if mistakes:
        sys.exit(f"check-docs: mistakes: {len(mistakes)}")
    if not can_run:
        print("commands were looked at and not run: that needs root and mount namespaces")
    print(f"{len(options.pages or tree.pages)} pages are right")


main()
