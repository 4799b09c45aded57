"""Dataclasses from JSON by the types of their fields."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pytest_wisebot.gate_config import Gate, Limits
from pytest_wisebot.report.baseline import Beside, Comparison
from pytest_wisebot.report.model import Extent, Narrowing, PassRate
from pytest_wisebot.shapes import Moment, read


@dataclass(frozen=True)
class Example:
    """A field of each simple type."""

    word: str = "none"
    number: int = 0
    names: tuple[str, ...] = ()
    moment: Moment | None = None
    seconds: float | None = None


def test_values_have_the_types_of_their_fields() -> None:
    """A moment is a string in the log, and seconds since the epoch in the model."""
    data = {"word": "a", "number": 3, "names": ["b", "c"], "moment": "1970-01-01T00:00:05+00:00", "seconds": 2}
    assert read(Example, data) == Example("a", 3, ("b", "c"), 5.0, 2)


def test_what_is_unknown_or_missing_has_no_effect() -> None:
    """Unknown keys are ignored; None is the same as a missing key; given values take precedence."""
    assert read(Example, {"zzz": 1, "word": None}) == Example()
    assert read(Example, {"word": "a", "number": 1}, word="b", number=None) == Example("b")


def test_values_inside_of_values_are_read_too() -> None:
    """A comparison, a gate and an extent come back as they were written."""
    beside = Beside("w", PassRate(1, 2), PassRate(2, 2), 1.0, None, 1, 0)
    comparison = Comparison("b", ("t",), (), (), (), (beside,), renamed=(("a", "b"),))
    assert read(Comparison, json.loads(json.dumps(comparison.to_dict()))) == comparison
    gate = Gate(Limits(max_flaky=1), {"w": Limits(p95_seconds=2)}, paths=("a", "b"), max_missing_tests=0)
    assert read(Gate, json.loads(json.dumps(gate.to_dict()))) == gate
    assert read(Extent, {"narrowed": [{"option": "-k"}]}) == Extent(narrowed=(Narrowing(option="-k"),))
