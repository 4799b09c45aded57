"""``pytest-wisebot report`` and ``merge``: make reports of event logs, of one session or of the shards of a suite.

``python -m pytest_wisebot.report DIR`` and ``python -m pytest_wisebot.report merge`` are the same.

``DIR``
    builds ``report.json``, ``summary.md`` and ``report.html`` from the ``runs.jsonl`` there, even if the session was
    killed, and exits with the code of the verdict: the gate's for a gated session, 0 for any other.

``merge SHARD… -o DIR``
    joins the folders of a suite that was split over machines, builds every report of the union, applies the gate and
    the baseline once, to the union, and exits with the gate's code.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ..errors import ConfigurationError
from ..gate_config import ALLOWED
from ..text import not_empty, print_any_letter
from .baseline import NONE_YET
from .gate import Baseline, Conclusion, build
from .history import History, check_history, entry_of, read_history, write_entry
from .log_reader import read_log
from .output import LOG, SUMMARY, add_event, append_summary, block, log_in, read_baseline, write_joined, write_reports

USAGE_ERROR = 2
"""The exit code if the arguments are wrong, or a log cannot be read."""

_ABOUT = {
    "report": ("Make the reports of a session from its event log; see also: pytest-wisebot merge.", "report out"),
    "merge": ("Join the shards of a suite, and judge the union.", "merge shard-1 shard-2 -o out --baseline=none"),
}
"""Of each command its description, and an example."""


def main(args: Sequence[str] | None = None) -> int:
    """Runs the command of these arguments, and returns the exit code."""
    words = list(sys.argv[1:] if args is None else args)
    command = "merge" if words[:1] == ["merge"] else "report"
    try:
        return _merge(words[1:]) if command == "merge" else _rebuild(words)
    except ConfigurationError as error:
        print(f"pytest-wisebot {command}: {error}", file=sys.stderr)
    except OSError as error:
        print(f"pytest-wisebot {command}: {error.filename}: {error.strerror}", file=sys.stderr)
    return USAGE_ERROR


def parser(command: str = "report") -> argparse.ArgumentParser:
    """The parser of the arguments of ``report``, or of ``merge``."""
    about, example = _ABOUT[command]
    made = argparse.ArgumentParser(
        prog=f"pytest-wisebot {command}", description=about, epilog=f"for example: pytest-wisebot {example}"
    )
    wanted = f"compare with an earlier session: its {LOG}; none: there is none yet"
    made.add_argument("--baseline", metavar="FILE", type=not_empty, help=wanted)
    if command == "merge":
        _add_merged(made)
    else:
        made.add_argument(
            "--history", metavar="FILE", type=_path, help="show, and judge by, this history; nothing is added"
        )
        made.add_argument("folder", metavar="DIR", type=_path, help=f"the folder that has the session's {LOG}")
    return made


def _add_merged(made: argparse.ArgumentParser) -> None:
    made.add_argument("shards", metavar="SHARD", nargs="+", type=_path, help="the report folder of a shard")
    made.add_argument("-o", "--output", metavar="DIR", type=_path, required=True, help="where the reports go")
    for key in (name.replace("_", "-") for name in ALLOWED):
        made.add_argument(f"--{key}", metavar="N", type=_natural, help=f"in the place of {key} in [gate]")
    made.add_argument("--summary", metavar="FILE", type=_path, help=f"append {SUMMARY} to this file")
    made.add_argument("--history", metavar="FILE", type=_path, help="judge by this history, and add one line for all")


def _rebuild(words: list[str]) -> int:
    options = parser().parse_args(words)
    events = list(read_log(log_in(options.folder)))
    if not events:
        raise ConfigurationError(f"{options.folder / LOG}: is empty: its session ended before it had begun")
    history = read_history(_existing(options.history), str(options.history)) if options.history is not None else None
    return _report(build(events, _baseline(options), history), options.folder)


def _merge(words: list[str]) -> int:
    options = parser("merge").parse_args(words)
    baseline = _baseline(options)
    history = _checked_history(options) if options.history is not None else None
    log = write_joined(options.shards, options.output, {name: getattr(options, name) for name in ALLOWED})
    conclusion = build(read_log(log), baseline, history)
    add_event(log, {"baseline": conclusion.compared, "history": conclusion.history})
    code = _report(conclusion, options.output, options.summary)
    if history is not None:
        try:
            _add_to_history(options.history, history, conclusion)
        except ConfigurationError as error:  # another program's by now
            print(f"pytest-wisebot merge: {error}. It stays as it is: nothing was added", file=sys.stderr)
    return code


def _checked_history(options: argparse.Namespace) -> History:
    baseline = Path(options.baseline) if options.baseline not in (None, NONE_YET) else None
    others = {"the file of --summary": options.summary, "the --baseline": baseline, "the folder of -o": options.output}
    return check_history(options.history, str(options.history), others)


def _add_to_history(path: Path, history: History, conclusion: Conclusion) -> None:
    """Adds one line for all shards."""
    entry = entry_of(conclusion.model, str(conclusion.verdict.word), conclusion.verdict.code)
    write_entry(path, entry, conclusion.model.report.history_sessions)
    print("\n".join(filter(None, (history.warning, f"history in {path}"))))


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ConfigurationError(f"{path}: there is no such file")
    return path


def _path(text: str) -> Path:
    return Path(not_empty(text))


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, got {text!r}")
    return int(text)


def _baseline(options: argparse.Namespace) -> Baseline | Literal["none"] | None:
    return read_baseline(Path(options.baseline), options.baseline) if options.baseline is not None else None


def _report(conclusion: Conclusion, folder: Path, summary: Path | None = None) -> int:
    """Writes the reports, prints the verdict, and returns its exit code."""
    write_reports(folder, conclusion)
    if summary is not None and not append_summary(summary, conclusion):
        print(f"{summary}: has no room for a summary")
    if conclusion.verdict.is_gated:
        print(f" {conclusion.verdict.word} ".center(80, "="))
    print("\n".join(map(str, block(conclusion, shutil.get_terminal_size().columns))))
    print(f"reports in {folder}")
    return conclusion.verdict.code


if __name__ == "__main__":
    print_any_letter()
    sys.exit(main())
