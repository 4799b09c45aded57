"""``pytest-wisebot history FILE``: the last sessions of each environment, for a terminal. Nothing is run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, TextIO

from ..errors import ConfigurationError
from ..report.format import time_of_day
from ..report.history import ABSENT, LETTERS, WINDOW, Entry, History, read_history, tracked
from ..report.trends import Trend, WorkflowTrend, trends_of_tests, trends_of_workflows
from ..settings.checks import nearest
from ..text import count, escape

UNREADABLE: Final = 2
"""The exit code of a file that cannot be read, and of wrong arguments."""


def parser() -> argparse.ArgumentParser:
    """The parser of the arguments."""
    made = argparse.ArgumentParser(
        prog="pytest-wisebot history",
        description="Show how tests and workflows have been: the file that --wisebot-history has written.",
        epilog="for example: pytest-wisebot history history.jsonl --environment=staging --last=10",
    )
    made.add_argument("file", metavar="FILE", help="the history")
    made.add_argument("--environment", metavar="NAME", help="the sessions of this environment; by default of each")
    made.add_argument(
        "--last", metavar="N", type=_number, default=WINDOW, help="sessions to show; default: %(default)s"
    )
    made.add_argument("-v", "--verbose", action="store_true", help="show the tests that always passed, too")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the strips.

    Returns:
        0; 2 if the file cannot be read, or has no session of the environment.
    """
    options = parser().parse_args(arguments)
    try:
        history = _read(options.file)
        targets = _targets(history, options.environment)
    except ConfigurationError as error:
        _print(f"pytest-wisebot history: {error}", sys.stderr)
        return UNREADABLE
    if history.warning:
        _print(history.warning, sys.stderr)
    lines = (line for name in targets for line in _section(history, name, options.last, verbose=options.verbose))
    _print("\n".join(lines))
    return 0


def _number(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def _print(text: str, stream: TextIO | None = None) -> None:
    """Prints in whatever encoding the terminal has."""
    out = stream or sys.stdout
    encoding = out.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=out)


def _read(name: str) -> History:
    path = Path(name)
    if not path.is_file():
        raise ConfigurationError(f"{name}: {'is not a file' if path.exists() else 'there is no such file'}")
    history = read_history(path, name)
    if not history.entries:
        raise ConfigurationError(f"{history.warning or f'{name}: is empty'}: it has no session")
    return history


def _targets(history: History, environment: str | None) -> list[str]:
    """The environments to show, that of the latest session first.

    Raises:
        ConfigurationError: there is no session of the one that is named.
    """
    known = list(dict.fromkeys(one.target for one in reversed(history.entries)))
    if environment is None:
        return known
    if environment not in known:
        named = [name for name in known if name]
        raise ConfigurationError(
            f'{history.file}: no session of environment "{environment}", {nearest(environment, named)}'
        )
    return [environment]


def _section(history: History, target: str, last: int, *, verbose: bool) -> Iterator[str]:
    of_target = [one for one in history.entries if one.target == target]
    entries = [one for one in of_target if one.counts]
    shown, name = entries[-last:], escape(target) or "no environment"
    of = f" of {len(entries)}" if len(entries) > len(shown) else ""
    yield f"{name}: {count(len(shown), 'session')}{of}, the latest on the right"
    if kept := len(of_target) - len(entries):
        yield f"  not shown: {count(kept, 'session')} without live runs (replay, last)"
    if not shown:
        yield ""
        return
    yield f"  latest: {_about(shown[-1])}"
    yield from _trends(shown, verbose=verbose)
    yield ""


def _about(entry: Entry) -> str:
    started = time_of_day(entry.started) if entry.started is not None else "at an unknown time"
    return escape(", ".join(filter(None, (started, entry.verdict, str(entry.build)))))


def _trends(entries: Sequence[Entry], *, verbose: bool) -> Iterator[str]:
    past = tracked(entries)
    workflows, tests = trends_of_workflows(past, {}), trends_of_tests(past)
    if workflows:
        yield from ("", "  workflows")
        yield from (line for one in workflows for line in _track(one))
    shown = [one for one in map(_of_now, tests) if verbose or not one.is_steady]
    if shown:
        yield from ("", "  tests")
        yield from (line for one in shown for line in _track(one))
    if rest := len(tests) - len(shown):
        yield f"  {count(rest, 'test')} passed in each of {'its' if rest == 1 else 'their'} sessions; -v shows them"
    letters = dict.fromkeys("".join(one.letters for one in (*workflows, *shown)))
    known = [f"{letter} {word}" for word, letter in LETTERS.items() if letter in letters]
    if known:
        yield from ("", f"  {', '.join(known)}")


def _of_now(trend: Trend) -> Trend:
    """A test that the latest session has not does not fail now."""
    return replace(trend, since=None) if trend.letters.endswith(ABSENT) else trend


def _track(trend: Trend) -> Iterator[str]:
    """A strip beside its name, and a line for each note."""
    yield f"    {trend.letters}  {escape(trend.name)}"
    p95 = trend.p95_words if isinstance(trend, WorkflowTrend) else ""
    gone = "not in the latest session" if trend.letters.endswith(ABSENT) else ""
    for note in filter(None, (p95, trend.failing, trend.flaky, gone)):
        yield f"    {' ' * len(trend.letters)}  {escape(note)}"
