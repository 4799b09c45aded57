"""What it takes to build ``report.html``: seconds and megabytes, of the events of a session with so many runs.

``python tests/benchmarks/report_page.py`` prints a line for each round, and what the project promises of 1,000 and of
5,000 runs. The seconds are those of the processor: other processes make no difference.
``--runs`` and ``--rounds`` change its size, and ``--keep FILE`` writes the last page there, to be looked at.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from made_up import events

from pytest_wisebot.report.baseline import compare
from pytest_wisebot.report.gate import judge
from pytest_wisebot.report.html import html_report
from pytest_wisebot.report.log_reader import model_of

PROMISED = {1000: (3.0, 5.0), 5000: (5.0, 6.0)}
"""By the number of runs: the seconds and the megabytes that a page takes at most."""


def measure(runs: int) -> tuple[float, str]:
    """Seconds from the model to the page, and the page."""
    model, then = model_of(events(runs)), model_of(events(runs, seed=8))
    baseline = compare(model, then, "the last deployment")
    begun = time.process_time()
    page = html_report(model, judge(model, baseline), baseline)
    return time.process_time() - begun, page


def main() -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", type=Path)
    size = parser.parse_args()
    for runs in size.runs:
        found = []
        for _ in range(size.rounds):
            seconds, page = measure(runs)
            found.append(seconds)
            megabytes = len(page.encode()) / 1e6
            print(f"{runs:,} runs: {seconds:.2f} s, {megabytes:.2f} MB")
        median = statistics.median(found)
        print(f"{runs:,} runs: median {median:.2f} s, slowest {max(found):.2f} s, {megabytes:.2f} MB")
        if runs in PROMISED:
            most_seconds, most_megabytes = PROMISED[runs]
            kept = max(found) <= most_seconds and megabytes <= most_megabytes
            print(f"{'kept' if kept else 'NOT KEPT'}: at most {most_seconds:g} s and {most_megabytes:g} MB")
    if size.keep:
        size.keep.write_text(page, "utf-8")


if __name__ == "__main__":
    main()
