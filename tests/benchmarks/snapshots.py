"""What matching snapshots costs with ``workflow_snapshot``, beside the JSON extension that syrupy brings.

``python tests/benchmarks/snapshots.py`` prints a line for each round, and the ratio of the medians. ``--snapshots`` and
``--rounds`` change its size. A session is a process of its own with one test for each snapshot, all of which match.
What is measured is its CPU time, of which that of the same session without snapshots is taken away; the three take
turns. The last line is one large result in one test: seconds to match it, and to show that one of its values differs.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from common import environment

HEAD = """
import json
from pathlib import Path

import pytest
from syrupy.extensions.json import JSONSnapshotExtension

@pytest.fixture
def theirs(snapshot):
    return snapshot.use_extension(JSONSnapshotExtension)

@pytest.fixture
def none():
    return None
"""

SMALL = """
@pytest.mark.parametrize("n", range({snapshots}))
def test_it(n, {fixture}):
    value = {{"id": n, "name": f"row {{n}}", "tags": ["a", "b"], "price": 12.5, "inner": {{"x": None, "y": True}}}}
    assert value {operator} {fixture}
"""

LARGE = """
def test_large(workflow_snapshot):
    assert json.loads(Path("large.json").read_text()) == workflow_snapshot
"""

SIDES = {"none": "!=", "theirs": "==", "workflow_snapshot": "=="}


def cpu(folder: Path, *args: str, expected: int = 0) -> float:
    """CPU seconds of a session."""
    before = _children()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *args]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment())
    if done.returncode != expected:
        raise SystemExit(done.stdout + done.stderr)
    return _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def small(folder: Path, snapshots: int, rounds: int) -> None:
    """Measures many small snapshots, and prints."""
    places = {fixture: folder / fixture for fixture in SIDES}
    for fixture, place in places.items():
        place.mkdir()
        text = HEAD + SMALL.format(snapshots=snapshots, fixture=fixture, operator=SIDES[fixture])
        (place / "test_it.py").write_text(text, "utf-8")
        cpu(place, "--snapshot-update")
    found: dict[str, list[float]] = {fixture: [] for fixture in SIDES}
    for _ in range(rounds):
        for fixture, place in places.items():
            found[fixture].append(cpu(place))
        print("  ".join(f"{fixture} {seconds[-1]:.2f} s" for fixture, seconds in found.items()))
    none, theirs, ours = (statistics.median(seconds) for seconds in found.values())
    print(f"{snapshots} snapshots: ours {ours - none:.2f} s, syrupy's JSON {theirs - none:.2f} s of CPU time")
    print(f"ratio {(ours - none) / (theirs - none):.2f} (at most 1.1)")


def large(folder: Path, rows: int) -> None:
    """Measures one large result, and prints."""
    text = HEAD + LARGE
    (folder / "test_it.py").write_text(text, "utf-8")
    row = {"at": "2026-05-01T10:00:00Z", "tags": ["a", "b"], "note": "x" * 60}
    value = [{**row, "id": n, "name": f"customer {n}", "price": n / 4} for n in range(rows)]
    (folder / "large.json").write_text(json.dumps(value), "utf-8")
    size = (folder / "large.json").stat().st_size / 1e6
    cpu(folder, "--snapshot-update")
    nothing = cpu(folder, "--collect-only", "-q")
    match = cpu(folder)
    value[rows // 2]["price"] = -1.0
    (folder / "large.json").write_text(json.dumps(value), "utf-8")
    differs = cpu(folder, expected=1)
    print(
        f"{rows} rows, {size:.1f} MB: match {match - nothing:.2f} s, difference {differs - nothing:.2f} s of CPU time"
    )


def main() -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--snapshots", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=26_000)
    parser.add_argument("--rounds", type=int, default=5)
    size = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        small(Path(folder), size.snapshots, size.rounds)
    with tempfile.TemporaryDirectory() as folder:
        large(Path(folder), size.rows)


if __name__ == "__main__":
    main()
