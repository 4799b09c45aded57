"""Latencies as dots: what is marked, what the numbers say, and that captions do not stand on each other."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pytest_wisebot.gate_config import Gate, Limits
from pytest_wisebot.report.baseline import Beside, Comparison
from pytest_wisebot.report.latency_plot import BAND, TOP, Figure, Strip, strips
from pytest_wisebot.report.model import Model, PassRate, Run, Session


def strip(*seconds: float, p95: float | None = None, most: float | None = None, then: float | None = None) -> Strip:
    runs = tuple(
        Run(f"r{number}", "w", "webhook", "ok", seconds=took, source="live") for number, took in enumerate(seconds)
    )
    gate = Gate(workflows={"w": Limits(p95_seconds=p95, max_seconds=most)})
    beside = Beside("w", PassRate(1, 1), PassRate(1, 1), None, then, len(seconds), 30)
    found = strips(Model((Session(gate=gate),), (), runs), Comparison("b", (), (), (), (), (beside,)))
    return found[0]


def test_the_numbers_stand_beside_their_limits_and_the_baseline() -> None:
    """What was measured, what is allowed, what it was then, and which of them is over."""
    assert strip(1.0, 2.0, 3.0, p95=2.5, most=9.0, then=2.0).figures == (
        Figure("p50", "2 s", "", "", over=False),
        Figure("p95", "3 s", "2.5 s", "2 s", over=True),
        Figure("slowest", "3 s", "9 s", "", over=False),
    )


def test_a_limit_far_beyond_the_runs_is_said_and_not_drawn() -> None:
    """A limit of minutes does not press the dots of a fast workflow together."""
    found = strip(1.0, 2.0, most=300.0)
    assert found.far == "each at most 300 s"
    assert "most" not in {line.kind for line in found.lines}
    assert max(dot.x for dot in found.dots) > 90


def test_a_workflow_without_a_live_run_has_no_strip() -> None:
    """A kept run is not a measurement of how fast a workflow is now."""
    kept = Run("r1", "w", "webhook", "ok", seconds=1.0, source="recording")
    assert strips(Model((Session(),), (), (kept,)), None) == ()


def test_dots_are_at_the_same_place_in_each_report() -> None:
    """A report of the same session is the same, to the byte."""
    assert strip(1.0, 2.0, 2.0).dots == strip(1.0, 2.0, 2.0).dots


SECONDS = st.floats(0.0, 1000, allow_subnormal=False)


@given(st.lists(SECONDS, min_size=1, max_size=40), *[st.none() | SECONDS.filter(bool)] * 3)
def test_everything_is_within_the_strip_and_no_caption_on_another(
    seconds: list[float], p95: float | None, most: float | None, then: float | None
) -> None:
    """Whatever was measured and demanded: dots in their band, lines on the axis, captions apart and inside."""
    found = strip(*seconds, p95=p95, most=most, then=then)
    assert all(0 <= dot.x <= 100 and TOP <= dot.y <= TOP + BAND for dot in found.dots)
    places = []
    for line in found.lines:
        assert 0 <= line.x <= 100
        if line.caption:
            left = line.x - 16 if line.to_left else line.x
            places.append((line.row, left, left + 16))
    assert all(left >= 0 and right <= 100 for _, left, right in places)
    places.sort()
    assert all(one[0] != other[0] or one[2] <= other[1] for one, other in pairwise(places))
