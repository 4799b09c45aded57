"""Where each run is drawn in time: within the picture, apart from its neighbours, at a bounded height."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wisebot.report.format import MOST_TICKS, Axis
from pytest_wisebot.report.model import Model, Run, Session, Test
from pytest_wisebot.report.timeline import AREA, HIGHEST, MARK, Bar, Group, Stretch, bar_title, timeline

MOMENT = st.integers(0, 3000).map(lambda tenths: tenths / 10)


def run(number: int, queued: float, started: float | None, ended: float, **more: Any) -> Run:
    said: dict[str, Any] = {"reference": f"r{number}", "workflow": "w", "api": "webhook", "outcome": "ok"}
    said |= {"queued": queued, "started": started, "ended": ended, "source": "live", "attempts": 1}
    said |= {"seconds": ended - started if started is not None else None}
    return Run(**(said | more))


def group(*runs: Run) -> Group:
    (only,) = timeline(Model((Session(started=0.0),), (), runs)).groups
    return only


def right(bar: Bar) -> float:
    return bar.last.x + bar.last.width


@given(st.lists(st.tuples(MOMENT, MOMENT, MOMENT).map(sorted), min_size=1, max_size=60))
def test_no_bar_lies_on_another(times: list[list[float]]) -> None:
    """However runs overlap in time, each has its own place, within the picture."""
    runs = [run(number, *one) for number, one in enumerate(times)]
    found = group(*runs)
    by_lane: dict[float, list[Bar]] = {}
    for bar in found.bars:
        assert 0 <= bar.last.x <= right(bar) <= 100 + 1e-6
        assert 0 <= bar.y <= bar.y + bar.height <= found.height
        by_lane.setdefault(bar.y, []).append(bar)
    for bars in by_lane.values():
        spans = sorted((bar.run.queued or 0.0, bar.run.ended or 0.0) for bar in bars)
        assert all(one[1] <= other[0] for one, other in pairwise(spans))


def test_waiting_and_retries_are_parts_of_a_bar() -> None:
    """What a run waited, its earlier attempts, and its last one: three stretches that touch."""
    (bar,) = group(run(1, 0, 2, 10, attempts=3, seconds=4.0)).bars
    assert (bar.waited, bar.repeated, bar.last) == (Stretch(0.0, 20.0), Stretch(20.0, 40.0), Stretch(60.0, 40.0))


def test_a_run_that_never_got_an_answer_is_hatched_to_its_end() -> None:
    """If the start of the last attempt is unknown, all attempts are drawn alike; the end has the outcome's colour."""
    (bar,) = group(run(1, 0, 0, 10, attempts=3, seconds=None, outcome="infrastructure")).bars
    assert bar.repeated == Stretch(0.0, 100.0)
    assert right(bar) == 100


def test_thousands_of_runs_that_wait_keep_their_height() -> None:
    """Where a lane for each that waits would be too many, an area shows how many waited, and lanes what was sent."""
    found = group(*(run(number, 0, number, number + 8) for number in range(2000)))
    assert found.height <= HIGHEST + AREA
    assert found.waited_most == 1999
    assert found.area.startswith("M0 100H")
    assert all(bar.waited is None for bar in found.bars)
    assert len({bar.y for bar in found.bars}) == 8


def test_a_thousand_runs_at_once_keep_their_height() -> None:
    """Lanes become thinner than a pixel rather than the picture higher than a screen."""
    assert group(*(run(number, 0, 0, 5) for number in range(1000))).height <= HIGHEST + 1


def test_runs_that_took_no_time_are_marks_in_rows() -> None:
    """Kept, never sent, or without times: a mark each, kept ones hollow, a hundred in a row."""
    kept = [run(number, 0, 0, 0, source="recording") for number in range(150)]
    unsent = run(150, 0, None, 0, outcome="not run", source="")
    found = group(*kept, unsent)
    assert [mark.run.is_kept for mark in found.marks] == [True] * 150 + [False]
    assert found.height == 2 * MARK
    assert len({(mark.x, mark.y) for mark in found.marks}) == 151


def test_a_run_is_marked_when_its_test_failed() -> None:
    """A workflow that answers with a wrong result is not all green."""
    wrong = run(1, 0, 0, 5)
    tests = (Test("t", "failed", (wrong,), uses_runs=True),)
    assert timeline(Model((Session(started=0.0),), tests, (wrong,))).failed_in_test == {"r1"}


def test_each_session_counts_from_its_own_beginning() -> None:
    """Shards that ran at different hours are drawn beside each other."""
    runs = (run(1, 100, 100, 110), run(2, 9000, 9000, 9010, session=1))
    found = timeline(Model((Session(started=100.0), Session()), (), runs))
    assert found.span == 10
    assert {bar.last.x for bar in found.groups[0].bars} == {0.0}


def test_the_title_of_a_bar_describes_its_run() -> None:
    """The tooltip of a bar has workflow, outcome, time, waiting, attempts and test."""
    told = bar_title(run(1, 0, 2, 5.5, attempts=2, test="t.py::a"))
    assert told == "w · webhook · ok · 3.5 s · waited 2 s · 2 attempts · t.py::a"
    assert "made earlier (last)" in bar_title(run(1, 0, 0, 0, source="last"))


@pytest.mark.parametrize(
    ("span", "labels"),
    [
        (0.05, ["0", "0.01 s", "0.02 s", "0.03 s", "0.04 s", "0.05 s"]),
        (10, ["0", "2 s", "4 s", "6 s", "8 s", "10 s"]),
        (100, ["0", "15 s", "30 s", "45 s", "60 s", "75 s", "90 s"]),
        (200, ["0", "0:30", "1:00", "1:30", "2:00", "2:30", "3:00"]),
        (600, ["0", "2 min", "4 min", "6 min", "8 min", "10 min"]),
        (20_000, ["0", "1 h", "2 h", "3 h", "4 h", "5 h"]),
    ],
)
def test_an_axis_has_round_marks(span: float, labels: list[str]) -> None:
    """Marks stand at numbers that people count by, in one way of writing."""
    assert [tick.label for tick in Axis(span).ticks] == labels


@given(st.floats(1e-4, 1e7))
def test_an_axis_has_few_marks(span: float) -> None:
    """Of whatever length: at least two marks, no more than it bears, in order, within it."""
    ticks = Axis(span).ticks
    assert 2 <= len(ticks) <= MOST_TICKS + 1
    assert [tick.at for tick in ticks] == sorted({tick.at for tick in ticks})
    assert ticks[-1].at <= 100
