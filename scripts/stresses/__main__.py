"""The work of scripts/stress; see its --help."""

import argparse
import random
import signal
import sys

from .aborts import Aborts
from .checks import Checks
from .clock import Clock
from .counted import Counted
from .disk import DiskFull
from .kills import Kills
from .memory import Memory
from .reloads import Reloads
from .sessions import NoState, Sessions
from .slow import Slow
from .zone import FullZone

SCENARIOS = {one.name: one for one in (
    Sessions, NoState, Counted, Reloads, Kills, Aborts, Checks, DiskFull, Clock, Slow, FullZone, Memory)}


def options():
    parser = argparse.ArgumentParser(prog="scripts/stress")
    parser.add_argument("scenarios", nargs="*", choices=[[], *SCENARIOS], default=[], metavar="SCENARIO")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--list", action="store_true")
    return parser.parse_args()


def length(scenario, chosen, given):
    """In seconds. The minutes that were given are shared out."""
    usual = scenario.quick if given.quick else scenario.seconds
    if not given.minutes:
        return usual
    return given.minutes * 60 * usual / sum(one.quick if given.quick else one.seconds for one in chosen)


def run(chosen, given):
    """Those that ran, and the exit code."""
    done, code = [], 0
    for scenario in chosen:
        if why := scenario.missing():
            print(f"\n== {scenario.name} cannot run here: {why}")
            # Who asks for it by name wants to have it run.
            code = max(code, int(scenario.name in given.scenarios))
            continue
        # Each by itself gives the same run with the same seed.
        random.seed(f"{given.seed} {scenario.name}")
        one = scenario(given, length(scenario, chosen, given))
        done.append(one)
        if not one.run():
            code = 1
        if one.interrupted:
            print("  stopped")
            return done, 130
    return done, code


def main():
    given = options()
    if given.list:
        for name, scenario in SCENARIOS.items():
            print(f"{name:10} {scenario.about}")
        return
    chosen = [SCENARIOS[name] for name in given.scenarios] or list(SCENARIOS.values())
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"seed {given.seed}", flush=True)
    done, code = run(chosen, given)
    if len(done) > 1:
        heads = ("requests", 10), ("wrong", 8), ("failures", 8), ("alerts", 8), ("memory", 10), ("fds", 6)
        print("\n" + " " * 23, *(f"{head:>{width}}" for head, width in heads))
        for one in done:
            print(one.line())
    sys.exit(code)


main()
