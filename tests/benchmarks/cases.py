"""What it takes to collect the rows of a data file, beside a plain ``parametrize`` of as many values.

``python tests/benchmarks/cases.py`` prints, for each format, the seconds that pytest itself names ("10000 tests
collected in …") and the processor time of the whole process, each as a multiple of the plain one's. The sessions of a
round run one after the other; the table has the median, the lowest and the highest of the rounds' ratios. ``--rows``
and ``--rounds`` change its size.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import yaml
from common import environment

PROMISED: Final = 2.0
FORMATS: Final = ("jsonl", "json", "csv", "yaml")

PLAIN: Final = """
import pytest

ROWS = [({{"ticketId": f"T-{{n}}", "message": "I was charged twice", "amount": n}}, n) for n in range({0})]

@pytest.mark.parametrize(("inputs", "expected"), ROWS, ids=[f"T-{{n}}" for n in range({0})])
def test_it(inputs, expected):
    pass
"""

OURS: Final = """
import pytest

@pytest.mark.wisebot("triage", cases="rows.{0}")
def test_it(workflow_run, expected):
    pass
"""


def write(folder: Path, rows: int) -> None:
    """Writes the same rows in every format, and the tests."""
    found: list[dict[str, Any]] = [
        {"id": f"T-{n}", "inputs": {"ticketId": f"T-{n}", "message": "I was charged twice", "amount": n}, "expected": n}
        for n in range(rows)
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, found)), "utf-8")
    (folder / "rows.json").write_text(json.dumps(found, indent=1), "utf-8")
    (folder / "rows.yaml").write_text(yaml.safe_dump(found), "utf-8")
    with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["id", "inputs.ticketId", "inputs.message", "inputs.amount:integer", "expected:integer"])
        table.writerows([row["id"], *row["inputs"].values(), row["expected"]] for row in found)
    (folder / "test_plain.py").write_text(PLAIN.format(rows), "utf-8")
    for kind in FORMATS:
        (folder / f"test_{kind}.py").write_text(OURS.format(kind), "utf-8")


def collect(folder: Path, kind: str, rows: int) -> tuple[float, float]:
    """The seconds that pytest names, and the processor time of the process."""
    before = os.times()
    words = ["-q", "--collect-only", "-p", "no:cacheprovider", f"test_{kind}.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    after = os.times()
    named = re.search(rf"{rows} tests collected in ([\d.]+)s", done.stdout)
    if named is None:
        raise SystemExit(done.stdout)
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return float(named[1]), cpu


def main() -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    size = parser.parse_args()
    ratios: dict[str, list[tuple[float, float]]] = {kind: [] for kind in FORMATS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, size.rows)
        collect(folder, "plain", size.rows)  # writes the bytecode
        for _ in range(size.rounds):
            plain = collect(folder, "plain", size.rows)
            for kind in FORMATS:
                ours = collect(folder, kind, size.rows)
                ratios[kind].append((ours[0] / plain[0], ours[1] / plain[1]))
                print(f"{kind}: {ours[0]:.2f} s beside {plain[0]:.2f} s", flush=True)
    for kind, found in ratios.items():
        named, cpu = zip(*found, strict=True)
        kept = "kept" if statistics.median(named) <= PROMISED else "NOT KEPT"
        print(
            f"{kind}: {_spread(named)} times the plain one's seconds, {_spread(cpu)} times its processor time: {kept}"
        )


def _spread(found: tuple[float, ...]) -> str:
    return f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"


if __name__ == "__main__":
    main()
