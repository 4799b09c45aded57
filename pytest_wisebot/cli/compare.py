"""``pytest-wisebot compare A B``: two sessions beside each other. Nothing is run, and no host is asked.

The settings are those of a session: ``[snapshots]`` of ``wisebot.toml`` states which values differ each time.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from ..errors import ConfigurationError
from ..files import write_whole
from ..originals import dates
from ..plugin.runtime import LocalRuntime
from ..plugin.snapshot_fixture import habits_of
from ..redaction import Redactor
from ..report.changes import Changes, Difference, Side, compare_sessions
from ..report.changes_text import Line, terminal_lines
from ..report.html import changes_page, style_sheet
from ..report.log_reader import model_of, read_log
from ..report.markdown import changes_markdown
from ..report.model import Run
from ..report.output import log_in
from ..runs import Api, WorkflowRun
from ..settings import Settings
from ..snapshots.diff import diff_lines
from ..snapshots.json_codec import loads
from ..snapshots.serialize import ComparisonContext, ComparisonOptions, receive
from ..storage.sessions import FILE_NAME, Sessions
from ..text import count, not_empty
from . import WITHOUT_SESSION
from .check import without_session

REGRESSION: Final = 1
USAGE_ERROR: Final = 2

MOST_NAMED: Final = 5
"""Kept sessions that an error names."""

_ANSI: Final = {"red": 31, "green": 32, "yellow": 33}

EPILOG: Final = """\
A and B are each a folder of reports, an event log (runs.jsonl), the name of a session that is kept in .wisebot/,
"last" for the newest of these, or "last-1" for the one before it, and so on.

for example: pytest-wisebot compare last-1 last --fail-on-regression"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Compares, and prints.

    Returns:
        0; 1 with ``--fail-on-regression`` and a regression; 2 if a session cannot be read, or an argument is wrong.
    """
    options = parser().parse_args(arguments)
    config = [f"--wisebot-config={options.config}"] if options.config is not None else []
    compare = _Compare(options)
    pytest.main([*WITHOUT_SESSION, *config], plugins=[compare])  # without A and B: they are not tests
    return compare.code


def parser() -> argparse.ArgumentParser:
    """The parser of the arguments."""
    made = argparse.ArgumentParser(
        prog="pytest-wisebot compare",
        description="Show two sessions beside each other: tests, results, pass rates and latencies.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("a", metavar="A", type=not_empty, help="the earlier session")
    made.add_argument("b", metavar="B", type=not_empty, help="the later session")
    made.add_argument("--markdown", metavar="FILE", type=not_empty, help="write it as Markdown; - prints that alone")
    made.add_argument("--html", metavar="FILE", type=_page, help="write it as a page")
    made.add_argument(
        "--fail-on-regression",
        action="store_true",
        help="exit with code 1 if a test newly fails, lost its verdict, or cannot be known not to have failed before",
    )
    made.add_argument("--config", metavar="FILE", help="the settings file in place of the nearest wisebot.toml")
    return made


def _page(text: str) -> Path:
    if text == "-":
        raise argparse.ArgumentTypeError("expected a file, got '-': only --markdown prints")
    return Path(not_empty(text))


class _Compare:
    """Takes the place of a session in a pytest that is configured."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self.code = USAGE_ERROR  # as long as pytest has not got as far as to ask

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int:
        self.code = self._compared(config)
        return self.code

    def _compared(self, config: pytest.Config) -> int:
        without_session(config)
        runtime = LocalRuntime(config)
        try:
            settings, sessions = runtime.unguarded, Sessions(config.rootpath)
            a, b = (_side(letter, getattr(self._options, letter.lower()), sessions) for letter in "AB")
            changes = compare_sessions(a, b, difference(settings, runtime.redactor))
            self._show(changes, runtime.redactor)
        except (ConfigurationError, pytest.UsageError, pytest.exit.Exception) as error:
            return _failed(runtime.redactor.clean(str(error)))
        except OSError as error:
            return _failed(f"{error.filename or 'standard output'}: {error.strerror}")
        finally:
            runtime.close()
        return REGRESSION if self._options.fail_on_regression and changes.regressions else 0

    def _show(self, changes: Changes, redactor: Redactor) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        markdown, page = self._options.markdown, self._options.html
        if page is not None:
            text = redactor.clean_credentials(changes_page(changes), "&lt;secret&gt;")
            write_whole(str(page), text.encode())
            write_whole(str(page.with_name("report.css")), style_sheet().encode())
        if markdown is not None:
            text = redactor.clean_credentials(changes_markdown(changes), r"\<secret\>")
            if markdown == "-":
                print(text, end="")
                return
            write_whole(markdown, text.encode())
        lines = terminal_lines(changes, shutil.get_terminal_size().columns)
        print(redactor.clean("\n".join(map(_painter(), lines))))


def _failed(message: str) -> int:
    print(f"pytest-wisebot compare: {message}", file=sys.stderr)
    return USAGE_ERROR


def _painter() -> Callable[[Line], str]:
    """Adds a line's colour, where the terminal shows colours."""
    if os.environ.get("NO_COLOR") or not (sys.stdout.isatty() or os.environ.get("FORCE_COLOR")):
        return lambda line: line.text
    return lambda line: f"\x1b[{_ANSI[line.colour]}m{line.text}\x1b[0m" if line.colour else line.text


# --- which session


def _side(letter: str, given: str, sessions: Sessions) -> Side:
    """A session.

    Raises:
        ConfigurationError: there is none of this name, or its log cannot be read, or holds no test.
    """
    log = _log(letter, given, sessions)
    model = model_of(read_log(log))
    if not (model.tests or model.unreported):
        errors = [entry for one in model.sessions for entry in one.not_collected]
        why = f": {errors[0]}" if errors else ""
        raise ConfigurationError(f"{letter}: {log}: holds no test{why}")
    return Side(letter, given, model)


def _log(letter: str, given: str, sessions: Sessions) -> Path:
    path = Path(given)
    if path.is_dir():
        if not (log := log_in(path)).is_file():
            raise ConfigurationError(f"{letter}: {given}: has no {log.name}: it is not a folder of reports")
        return log
    if path.exists():
        return path
    kept = sessions.all()
    back = given.removeprefix("last-") if given.startswith("last-") else "0" if given == "last" else ""
    found = next((one for one in kept if one.name == given), None)
    if back.isdecimal() and int(back) < len(kept):
        found = kept[int(back)]
    if found is None:
        raise ConfigurationError(
            f"{letter}: there is no file, folder or kept session {given!r}; {_known(kept, sessions)}"
        )
    return found / FILE_NAME


def _known(kept: Iterable[Path], sessions: Sessions) -> str:
    names = [one.name for one in kept]
    if not names:
        return f"no session is kept in {sessions.folder}"
    more = f" and {count(len(names) - MOST_NAMED, 'more session')}" if len(names) > MOST_NAMED else ""
    return f"kept, the newest (last) first: {', '.join(names[:MOST_NAMED])}{more}"


# --- what differs between two results


def difference(settings: Settings, redactor: Redactor) -> Difference:
    """Compares two runs as ``workflow_snapshot`` would, each by its own inputs and times."""

    def differences(before: Run, after: Run) -> list[str]:
        if (before.outcome, before.result, before.error) == (after.outcome, after.result, after.error):
            return []
        habits = habits_of(settings.snapshots.of([after.workflow]))
        around = ComparisonContext(redactor.clean_json, redactor.clean, habits)
        # An id or a moment stays as it is where a result repeats an input: not where the inputs differ in it.
        inputs = after.inputs if before.inputs == after.inputs and isinstance(after.inputs, dict) else {}
        texts = [receive(_workflow_run(run, inputs), ComparisonOptions(), around) for run in (before, after)]
        return diff_lines(*map(loads, texts))

    return differences


def _workflow_run(run: Run, inputs: Mapping[str, Any]) -> WorkflowRun:
    began = run.made if run.made is not None else run.started
    return WorkflowRun(
        ok=run.outcome == "ok",
        workflow=run.workflow,
        api=next((api for api in Api if api == run.api), Api.WEBHOOK),
        run_id=run.run_id,
        result=run.result,
        has_result=run.has_result,
        error=run.error,
        inputs=inputs,
        started_at=dates.at(began or 0.0),
        elapsed=run.seconds or 0.0,
        clock_ahead=run.clock_ahead,
    )
