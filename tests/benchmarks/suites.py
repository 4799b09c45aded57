"""How long suites take: with this plugin, at best, with plain httpx in series, and under pytest-xdist.

``python tests/benchmarks/suites.py`` prints one table, and beneath it what the project promises. A round is every
variant of every suite once, so that a busy machine slows all of them; seconds are medians over the rounds, ratios
medians of the rounds' ratios. ``--rounds`` says how many, ``--suite`` names one suite alone, ``--small`` makes them
tiny: then they show that the benchmark runs, and nothing else.

The emulator is a process of its own, which forgets what it saw before each variant; its start is in no figure. The
largest suite needs some thousand open files: the limit is raised as far as the system allows.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from common import emulator
from plans import DEFAULT_CAP, SMALL, Size, Suite, Variant, Way, suites
from report import Measured, notes, promises, table
from sessions import EMPTY, OURS, PLAIN, Figures, bare, session

from pytest_wisebot.emulator import EmulatorHandle
from pytest_wisebot.emulator.handle import Ready

NO_CACHE = ("-p", "no:cacheprovider")
WITHOUT_US = (*NO_CACHE, "-p", "no:wisebot")
TARGET = ("--wisebot-origin={BENCHMARK_ORIGIN}", "--wisebot-secret=env:BENCHMARK_SECRET")


def measured(variant: Variant, seconds: Sequence[float], ready: Ready, folder: Path) -> Figures:
    """What a variant takes, once."""
    EmulatorHandle(ready).reset(everywhere=True)
    returns = {"kibibytes": variant.returns} if variant.returns else {}
    bags = [{"n": number, "seconds": each, **returns} for number, each in enumerate([*seconds] * variant.many)]
    some = bags[:: variant.part]
    match variant.way:
        case Way.GATHER:
            found = bare(ready, folder, some, variant.cap)
        case Way.OURS:
            found = session(ready, folder, some, OURS, *TARGET, *_ours(variant))
        case Way.EMPTY:
            found = session(ready, folder, some, EMPTY, *WITHOUT_US)
        case Way.SERIES:
            found = session(ready, folder, some, PLAIN, *WITHOUT_US)
        case Way.XDIST:
            found = session(ready, folder, some, PLAIN, *WITHOUT_US, "-n", str(variant.cap))
    return found.times(len(bags) / len(some))


def _ours(variant: Variant) -> list[str]:
    cache = {None: list(NO_CACHE), False: ["--cache-clear"], True: []}[variant.cache]
    return cache if variant.cap == DEFAULT_CAP else [*cache, f"--wisebot-concurrency={variant.cap}"]


def rounds(chosen: Sequence[Suite], count: int) -> list[Measured]:
    """What all variants of these suites take, in so many rounds."""
    found = [Measured(suite) for suite in chosen]
    with tempfile.TemporaryDirectory() as name:
        for number in range(count):
            for one in found:
                folder = Path(name) / one.suite.name
                folder.mkdir(exist_ok=True)
                with emulator(folder) as ready:
                    for variant in one.suite.variants:
                        print(f"round {number + 1}: {one.suite.title}, {variant.name}", file=sys.stderr)
                        one.add(variant, measured(variant, one.suite.seconds, ready, folder))
    return found


def _open_files() -> int:
    """Raises the limit as far as the system allows, for the processes that are started here, too."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def main() -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="tiny suites, one round")
    parser.add_argument("--rounds", type=int, help="how many (3)")
    parser.add_argument("--suite", choices=[suite.name for suite in suites(Size())], help="this one alone")
    given = parser.parse_args()
    chosen = [suite for suite in suites(SMALL if given.small else Size()) if given.suite in (None, suite.name)]
    open_files = _open_files()
    found = rounds(chosen, given.rounds or (1 if given.small else 3))
    print(table(found), notes(found, open_files), sep="\n\n")
    if not given.small:
        print("\n".join(["", *promises(found)]))


if __name__ == "__main__":
    main()
