"""Rules by name, which a suite gives in the place of equal values."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from pytest_wisebot.cases.expectations import rule_of


@pytest.mark.parametrize(
    ("rule", "right", "wrong"),
    [
        ({"str": {}}, ["", "a"], [1, None, ["a"]]),
        ({"str": {"min": 2, "max": 3}}, ["ab", "abc"], ["a", "abcd", 2, [1, 2]]),
        ({"regex": "wr[o0]ng"}, ["the wrong door"], ["right", None, 3]),
        ({"number": {}}, [0, -1.5], ["0", True, None]),
        ({"number": {"min": 0.5, "max": 1}}, [0.5, 1, 1.0], [0.49, 1.1, True, "1"]),
        ({"number": {"max": 0}}, [-3, 0], [1]),
        ({"one-of": ["a", 1, None, [2]]}, ["a", 1, 1.0, None, [2]], ["b", True, False, [3]]),
        ({"one-of": [True]}, [True], [1, "true"]),
        ({"length": 2}, ["ab", [1, 2], {"a": 1, "b": 2}], ["a", [1], 2, None]),
        ({"length": {"min": 1}}, ["a", [1], {"a": 1}], ["", [], {}, 1]),
        ({"str": {"min": 2}, "regex": "^a"}, ["ab"], ["a", "ba"]),
    ],
    ids=str,
)
def test_a_rule_holds_for_what_it_names(rule: dict[str, Any], right: list[Any], wrong: list[Any]) -> None:
    """Bounds are included, true is no number, and several rules of one path must all hold."""
    made = rule_of(rule)
    assert [value for value in right if made != value] == []
    assert [value for value in wrong if made == value] == []


def test_a_rule_s_text_does_not_depend_on_the_order_of_its_keys() -> None:
    """It stands in the snapshot: a suite whose keys are sorted otherwise is the same suite; and copies are equal."""
    one = rule_of({"str": {"min": 1, "max": 9}, "regex": "a"})
    other = rule_of({"regex": "a", "str": {"max": 9, "min": 1}})
    assert repr(one) == repr(other) == "regex('a') & str(min=1, max=9)"
    assert one == other == copy.deepcopy(one) == pickle.loads(pickle.dumps(one))
