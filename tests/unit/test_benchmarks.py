"""What the benchmarks make of their figures: they are run by hand, and their table stands in the manual."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("resource")  # by which they measure

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """What makes the table, a script that finds its helpers beside itself."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module("report")
    for name in set(sys.modules) - before:
        del sys.modules[name]


def suites() -> Any:
    plans: Any = sys.modules["plans"]
    return plans.suites(plans.Size())


def measured(report: ModuleType, kibibytes: float) -> Any:
    """The suite of runs of 0 s, each of which adds so much to the memory, and each empty test 2 KiB."""
    suite = next(suite for suite in suites() if suite.name == "nothing")
    found = report.Measured(suite)
    for variant in suite.variants:
        tests = len(suite.seconds) * variant.many
        each = 2 + (kibibytes if variant.returns else 0)
        peak = 50 + tests * each / 1024
        found.add(variant, report.Figures(1.0, before=0.1, process=2.0, cpu=1.5, cpu_of_tests=1.0, peak=peak))
    return found


@pytest.mark.parametrize(("kibibytes", "verdict"), [(15.5, "kept"), (16.5, "NOT KEPT")])
def test_memory_may_grow_by_what_the_runs_returned_and_no_more(
    report: ModuleType, kibibytes: float, verdict: str
) -> None:
    """It is a promise like the others, and is judged like them."""
    assert list(report.promises([measured(report, kibibytes)]))[1] == (
        f"{verdict}: 1000 of 0 s, pytest-wisebot, default (8), 16 KiB returned: {kibibytes:.2f} KiB of memory for each "
        "run, beyond an empty test's, promised 16"
    )


def test_the_table_says_what_was_extrapolated(report: ModuleType) -> None:
    """Seconds of a variant of which every tenth test was run are no measurement; none is run in smaller parts."""
    lines = report.table([measured(report, 1.0)]).splitlines()
    assert (
        lines[0] == "| runs | by | run loop, s | times the limit | times the best | process, s | CPU, s | peak, MiB |"
    )
    assert "| 1000 of 0 s | **pytest-wisebot, default (8)** | 1.00 | 0.50 |  | 2.00 | 1.50 | 52 |" in lines
    assert [line.split(" | ")[1] for line in lines if "from one test in" in line] == [
        "in series, plain httpx (from one test in 10)"
    ]
    assert {variant.part for suite in suites() for variant in suite.variants} == {1, 10}


CORPUS = """
import random
from datetime import datetime, timezone

def results(seed):
    at = datetime.now(timezone.utc).isoformat()
    return {"charge": {"id": ("id", f"ch-{random.Random(seed).random()}"), "at": ("clock", at), "rows": [{"n o": 5}]}}

def plain(x):
    if isinstance(x, tuple):
        return x[1]
    return {k: plain(v) for k, v in x.items()} if isinstance(x, dict) else x

def labels(x):
    return [(".id", "id"), (".at", "clock"), (".rows[0].n o", None)]

WRONG = [("charge", "rows[0].n o", 6)]
"""


def test_what_is_learned_of_a_corpus_is_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By the lines that the command prints: all that differs is masked, and a wrong answer is red."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parents[1]))
    (tmp_path / "made_corpus.py").write_text(CORPUS, "utf-8")
    learning = importlib.import_module("learning")
    figures = learning.measured(tmp_path / "made_corpus.py", runs=4, compared=2, seed=1)
    assert figures.lines() == ["precision 1.000, recall 1.000", "green 1 of 1", "wrong answers that are red 1 of 1"]
