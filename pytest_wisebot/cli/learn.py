"""``pytest-wisebot learn``: the lines of ``wisebot.toml`` for what differs between kept runs of equal inputs.

Nothing is masked by it: a person pastes the lines. Nothing is run, and no host is asked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pytest

from ..errors import ConfigurationError
from ..plugin.runtime import LocalRuntime
from ..plugin.snapshot_fixture import habits_of
from ..redaction import Redactor
from ..runs import WorkflowRun
from ..settings import Settings
from ..snapshots.json_codec import loads
from ..snapshots.learning import FEWEST, learn, toml_lines
from ..snapshots.serialize import ComparisonContext, ComparisonOptions, receive
from ..storage.sessions import Sessions, all_equal
from ..text import count, escape
from . import WITHOUT_SESSION
from .check import without_session

SETTINGS_WRONG: Final = 4


def parser() -> argparse.ArgumentParser:
    """The parser of the arguments."""
    made = argparse.ArgumentParser(
        prog="pytest-wisebot learn",
        description="Print the lines of wisebot.toml for what differs between kept runs of equal inputs.",
        epilog="for example: pytest-wisebot learn --env=staging",
    )
    made.add_argument("--env", metavar="NAME", help="an environment of wisebot.toml; by default the runs of all")
    made.add_argument("--config", metavar="FILE", help="the settings file in place of the nearest wisebot.toml")
    made.add_argument("paths", metavar="PATH", nargs="*", help="where the tests are; by default as for pytest")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the lines for all workflows.

    Returns:
        0; 4 if settings are wrong.
    """
    options = parser().parse_args(arguments)
    config = [f"--wisebot-config={options.config}"] if options.config is not None else []
    return int(pytest.main([*WITHOUT_SESSION, *config, *options.paths], plugins=[_Learn(options.env)]))


class _Learn:
    """Takes the place of a session in a pytest that is configured."""

    def __init__(self, environment: str | None) -> None:
        self._environment = environment

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int:
        without_session(config)
        if self._environment is not None:
            config.option.wisebot_env = self._environment
        runtime = LocalRuntime(config)
        try:
            settings = runtime.unguarded
            text = "\n".join(_lines(settings, runtime.redactor, Sessions(config.rootpath), self._environment))
        except (ConfigurationError, pytest.UsageError, pytest.exit.Exception) as error:
            print(f"pytest-wisebot learn: {runtime.redactor.clean(str(error))}", file=sys.stderr)
            return SETTINGS_WRONG
        finally:
            runtime.close()
        print(runtime.redactor.clean(text))
        return 0


def _lines(settings: Settings, redactor: Redactor, sessions: Sessions, environment: str | None) -> Iterator[str]:
    def wanted(session: Mapping[str, Any]) -> bool:
        return environment is None or session.get("environment") == environment

    runs: dict[str, list[list[WorkflowRun]]] = {}
    for group in all_equal(sessions, wanted):
        runs.setdefault(group.workflow, []).append(group.runs)
    if not runs:
        of = f' of environment "{environment}"' if environment is not None else ""
        yield f"# no runs{of} are kept in {sessions.folder}: each session with runs adds its own"
    for number, (workflow, groups) in enumerate(sorted(runs.items())):
        yield from [""] if number else []
        yield from _of_workflow(workflow, groups, settings, redactor)


def _of_workflow(
    workflow: str, groups: list[list[WorkflowRun]], settings: Settings, redactor: Redactor
) -> Iterator[str]:
    """What there is to paste, and comments."""
    name, enough = escape(workflow), [group for group in groups if len(group) >= FEWEST]
    habits = habits_of(settings.snapshots.of([workflow]))
    around = ComparisonContext(redactor.clean_json, redactor.clean, habits)
    found = learn([loads(receive(run, ComparisonOptions(), around)) for run in group] for group in enough)
    if enough:
        of = f"{count(sum(map(len, enough)), 'run')} of {count(len(enough), 'input')}"
        nothing = "" if found.volatile else ": nothing differs again and again but what is masked already"
        yield f"# {name}: {of}{nothing}"
    if few := len(groups) - len(enough):
        yield f"# {name}: {count(few, 'input')} with fewer than {FEWEST} runs, too few to learn from"
    if found.volatile:
        place, present = settings.snapshots_place(workflow)
        yield from toml_lines(place, found.volatile, present)
    yield from (f"# {line}" for line in found.others)
