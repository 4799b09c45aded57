"""``python -m pytest_wisebot.report``: makes reports of event logs, of one session or of the shards of a suite.

``DIR``
    builds ``report.json``, ``summary.md`` and ``report.html`` from the ``runs.jsonl`` there, also when its session was
    killed before it could, and ends with the exit code of the verdict: of a gated session the gate's, of any other 0.

``merge SHARD… -o DIR``
    joins the folders of a suite that was split over machines, builds every report of the union, applies the gate and
    the baseline once, to the union, and ends with the gate's exit code.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ..errors import ConfigurationError
from .conclusion import Baseline, Conclusion, concluded
from .merge import add_event, joined, write_joined
from .output import LOG, SUMMARY, read_baseline, write_reports
from .terminal import block
from .verdict import GateStatus

WRONGLY_USED = 2
"""The exit code where there is nothing to report on, as that of wrong arguments."""


def main(args: Sequence[str] | None = None) -> int:
    """Does what the arguments say, and gives the exit code."""
    words = list(sys.argv[1:] if args is None else args)
    try:
        return _merge(words[1:]) if words[:1] == ["merge"] else _rebuild(words)
    except ConfigurationError as error:
        print(f"pytest_wisebot.report: {error}", file=sys.stderr)
    except OSError as error:
        print(f"pytest_wisebot.report: {error.filename}: {error.strerror}", file=sys.stderr)
    return WRONGLY_USED


def _rebuild(words: list[str]) -> int:
    parser = _parser("makes the reports of a session from its event log; see also: merge --help")
    parser.usage = "%(prog)s [-h] [--baseline FILE] DIR\n       %(prog)s merge [-h] SHARD [SHARD ...] -o DIR"
    parser.add_argument("folder", metavar="DIR", type=Path, help=f"the folder that has the session's {LOG}")
    given = parser.parse_args(words)
    events = list(joined([given.folder]))
    if not events:
        raise ConfigurationError(f"{given.folder / LOG}: is empty: its session ended before it had begun")
    last = concluded(events, _baseline(given))
    write_reports(given.folder, last)
    _tell(last, given.folder)
    return last.verdict.code


def _merge(words: list[str]) -> int:
    parser = _parser("joins the shards of a suite, and judges the union", prog="merge")
    parser.add_argument("shards", metavar="SHARD", nargs="+", type=Path, help="the report folder of a shard")
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, required=True, help="where the reports go")
    parser.add_argument(
        "--max-missing-tests", metavar="N", type=_natural, help="in the place of max-missing-tests in [gate]"
    )
    parser.add_argument("--summary", metavar="FILE", type=Path, help=f"append {SUMMARY} to this file")
    given = parser.parse_args(words)
    baseline = _baseline(given)
    log = write_joined(given.shards, given.output, {"max_missing_tests": given.max_missing_tests})
    last = concluded(joined([log.parent]), baseline)
    add_event(log, {"baseline": last.compared})
    write_reports(given.output, last)
    if given.summary is not None:
        with given.summary.open("a", encoding="utf-8") as file:
            file.write((given.output / SUMMARY).read_text("utf-8"))
    _tell(last, given.output)
    return last.verdict.code


def _parser(description: str, prog: str = "") -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m pytest_wisebot.report {prog}".strip(), description=description)
    wanted = f"compare with an earlier session: its {LOG}; none: there is none yet"
    parser.add_argument("--baseline", metavar="FILE", help=wanted)
    return parser


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, got {text!r}")
    return int(text)


def _baseline(given: argparse.Namespace) -> Baseline | Literal["none"] | None:
    return read_baseline(Path(given.baseline), given.baseline) if given.baseline is not None else None


def _tell(last: Conclusion, folder: Path) -> None:
    if last.verdict.word is not GateStatus.NOT_GATED:
        print(f" {last.verdict.word} ".center(80, "="))
    print("\n".join(block(last)))
    print(f"reports in {folder}")


if __name__ == "__main__":
    sys.exit(main())
