"""The options and their help texts."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from .markers import APIS

if TYPE_CHECKING:
    from ..redaction import Secret

MODES = ("live", "record", "replay", "last", "resume", "verify")
"""Where runs come from."""

OFFLINE = ("replay", "last")
"""The modes in which nothing is asked of any network."""

ALL_GIVEN = "wisebot_all_given"
"""Where all credentials are, until they are hidden, that were given by options; a later one replaces an earlier one."""

_CREDENTIAL = "env:NAME, file:PATH, or the value itself (which the process list and the shell's history then show)"


class _Given(argparse.Action):
    """Takes the last credential that is given, and remembers all of them: each is to be hidden."""

    def __call__(
        self, parser: object, namespace: argparse.Namespace, values: object, option: str | None = None
    ) -> None:
        del parser, option
        setattr(namespace, self.dest, values)
        setattr(namespace, ALL_GIVEN, [*getattr(namespace, ALL_GIVEN, ()), values])


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options. Their values are checked when a selected test needs them, and not before."""
    add = parser.getgroup("wisebot", "Wisebot workflows").addoption
    _add_target(add)
    _add_runs(add)
    _add_results(add)


def _add_target(add: Callable[..., None]) -> None:
    """Whom to ask, and by which credentials."""
    add("--wisebot-env", metavar="NAME", help="the environment of wisebot.toml to run against")
    add("--wisebot-config", metavar="FILE", help="the wisebot.toml to read; by default the nearest one to the tests")
    add("--wisebot-origin", metavar="URL", help="trigger origin of the webhook API: scheme and host")
    add("--wisebot-base-url", metavar="URL", help="base URL of the dashboard API: scheme and host")
    add("--wisebot-secret", action=_Given, metavar="CREDENTIAL", help=f"webhook secret: {_CREDENTIAL}")
    add("--wisebot-token", action=_Given, metavar="CREDENTIAL", help=f"dashboard JWT or wb_live_... key: {_CREDENTIAL}")
    add("--wisebot-api", choices=APIS, help="the API of tests that name none; 'both' runs each of them over both")
    add("--wisebot-allow-protected", action="store_true", help="run against an environment that is protected")


def _add_runs(add: Callable[..., None]) -> None:
    """How runs are made, how many, and where they come from."""
    add("--wisebot-timeout", type=_seconds, metavar="SECONDS", help="for a whole run, its retries included (300)")
    add("--wisebot-concurrency", type=_whole, metavar="N", help="how many runs may be in flight at once (8)")
    add("--wisebot-retries", type=_whole, metavar="N", help="how often to retry what by the contract did not start (2)")
    add("--wisebot-max-runs", type=_whole, metavar="N", help="send at most N requests for runs, retries included")
    add("--wisebot-trials", type=_count, metavar="N", help="so many trials for tests that have some, same rate")
    add(
        "--wisebot-runs",
        choices=MODES,
        default="live",
        help="live: ask Wisebot (default); record: and keep recordings; replay: recordings, without any network; "
        "last: the last session's runs, judged again; resume: these, and ask for the rest; verify: ask, and compare "
        "with the recordings",
    )
    add("--wisebot-recordings", metavar="DIR", help="the folder of recordings (recordings, beside wisebot.toml)")
    add("--wisebot-session", metavar="ID", help="with last and resume: another session than the last one")
    add("--wisebot-prune", action="store_true", help="with record: remove the recordings that no test asks for")
    add("--wisebot-no-ahead", action="store_true", help="start no declared run before its test asks for it")
    add("--wisebot-no-trace", action="store_true", help="send no traceparent header, by which servers' logs name a run")
    add("--wisebot-plan", action="store_true", help="say what the session would run, and run nothing")


def _add_results(add: Callable[..., None]) -> None:
    """What is made of the results."""
    add("--wisebot-gate", action="store_true", help="judge by [gate] in wisebot.toml whether this may be deployed")
    add("--wisebot-baseline", metavar="FILE", help="compare with an earlier session: its runs.jsonl, or none")
    add("--wisebot-max-missing-tests", type=_natural, metavar="N", help="so many of the baseline's may be gone (0)")
    add("--wisebot-report", metavar="DIR", help="write runs.jsonl, report.json, summary.md and report.html there")
    add("--wisebot-summary", metavar="FILE", help="append summary.md to FILE, such as $GITHUB_STEP_SUMMARY")
    add("--wisebot-scan", action="append", metavar="PATH", help="look for credentials in PATH, and run no test")


def asks_for_report(config: pytest.Config) -> bool:
    """Whether the session is judged or reported on, and so of interest even where no test uses a run."""
    option = config.option
    asked = (option.wisebot_report, option.wisebot_summary, option.wisebot_baseline)
    if not option.wisebot_gate and all(one is None for one in asked):
        return False
    others = ("wisebot_plan", "wisebot_scan", "help", "version", "markers", "cacheshow")
    return not (only_lists(config) or any(config.getoption(name, False) for name in others))


def only_lists(config: pytest.Config) -> bool:
    """Whether tests are only listed."""
    names = ("collectonly", "setupplan", "showfixtures", "show_fixtures_per_test")
    return any(config.getoption(name, False) for name in names)


def is_offline(config: pytest.Config) -> bool:
    """Whether nothing is asked of any network in this session."""
    return config.option.wisebot_runs in OFFLINE


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number of seconds, got {text!r}") from None


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}") from None


def _count(text: str) -> int:
    number = _whole(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return number


def _natural(text: str) -> int:
    number = _whole(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, got {text!r}")
    return number


def hide_credentials(config: pytest.Config) -> None:
    """Puts credentials that were given as values into objects that never show them, and out of what pytest stores."""
    hidden = [_hidden(value) for value in vars(config.option).pop(ALL_GIVEN, ()) if _is_value(value)]
    for name in ("wisebot_secret", "wisebot_token"):
        given: Any = getattr(config.option, name, None)
        if _is_value(given):
            hidden.append(_hidden(given))
            setattr(config.option, name, hidden[-1])
    if hidden or config.option.debug:
        from .redact_pytest import hide_given

        hide_given(config, hidden)


def _is_value(given: object) -> bool:
    return isinstance(given, str) and not given.startswith(("env:", "file:"))


def _hidden(given: str) -> Secret:
    from ..redaction import Secret

    return Secret(given)
