"""What a history costs: the size of its file, and the seconds from the file and the log to the page.

``python tests/benchmarks/history_page.py`` makes a history of 200 sessions of 500 tests, then builds the page of one
more session in each round: the file is read, the session judged, and the page made. It prints what the project
promises beside it. ``--keep FILE`` writes the last page there, to be looked at.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from made_up import events

from pytest_wisebot.event_log import event_line, moment
from pytest_wisebot.report.gate import Conclusion, build
from pytest_wisebot.report.history import Entry, entry_of, read_history
from pytest_wisebot.report.html import html_report
from pytest_wisebot.report.log_reader import model_of

PROMISED_MB, PROMISED_SECONDS = 10.0, 4.0
DAY = 86_400.0


def session(number: int, tests: int) -> list[dict[str, Any]]:
    """The events of one of the sessions: each has the same tests, more or less, and some of them fail."""
    broken = random.Random(number).choice([0.0, 0.3, 1.0])
    made = list(events(tests, seed=number, broken=broken))
    commit = f"{number // 3:040x}"
    made[0] |= {"started": moment(1_760_000_000.0 + DAY * number), "build": {"commit": commit, "branch": "main"}}
    return made


def write_history(path: Path, sessions: int, runs: int) -> None:
    """A file of so many sessions."""
    entries = (entry_of(model_of(session(number, runs)), "GATE CLOSED", 1) for number in range(sessions))
    path.write_bytes(b"".join(map(_line, entries)))


def _line(entry: Entry) -> bytes:
    return event_line(entry.to_line())


def page_of(path: Path, log: list[dict[str, Any]]) -> str:
    """From the file and the log to the page."""
    found: Conclusion = build(log, history=read_history(path, path.name))
    return html_report(found.model, found.verdict, found.comparison, found.trend)


def main() -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--runs", type=int, default=630, help="of each session; 630 make about 500 tests")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", type=Path)
    size = parser.parse_args()
    path = Path(tempfile.mkdtemp()) / "history.jsonl"
    write_history(path, size.sessions, size.runs)
    megabytes, log = path.stat().st_size / 1e6, session(size.sessions, size.runs)
    tests = sum(event["event"] == "test" for event in log)
    found = []
    for _ in range(size.rounds):
        begun, cpu = time.perf_counter(), time.process_time()
        page = page_of(path, log)
        found.append(time.perf_counter() - begun)
        spent, page_size = time.process_time() - cpu, len(page.encode()) / 1e6
        print(
            f"{size.sessions} sessions of {tests} tests: {found[-1]:.2f} s, {spent:.2f} s CPU, page {page_size:.2f} MB"
        )
    print(f"median {statistics.median(found):.2f} s, slowest {max(found):.2f} s, file {megabytes:.2f} MB")
    kept = max(found) <= PROMISED_SECONDS and megabytes <= PROMISED_MB
    print(
        f"{'kept' if kept else 'NOT KEPT'}: page in at most {PROMISED_SECONDS:g} s, file of at most {PROMISED_MB:g} MB"
    )
    if size.keep:
        size.keep.write_text(page, "utf-8")


if __name__ == "__main__":
    main()
