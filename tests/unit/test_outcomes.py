"""The table of outcomes: every order and every set is made of it."""

from __future__ import annotations

from pytest_wisebot import outcomes


def test_the_sets_are_those_of_the_table() -> None:
    """A verdict is good or wrong; a failed test that is not a verdict is neither."""
    assert {"passed", "flaky"} == outcomes.GOOD
    assert {"passed", "flaky", "failed", "drift"} == outcomes.JUDGED
    assert {"infrastructure", "crashed", "not run"} == outcomes.NO_VERDICT
    assert {"failed", "drift", "infrastructure", "crashed", "not run"} == outcomes.BAD


def test_the_orders_have_the_same_words() -> None:
    """Reports differ from the order of phases only in that xfailed and skipped come last."""
    assert sorted(outcomes.REPORT_ORDER) == sorted(outcomes.WORST_FIRST) == sorted(outcomes.TABLE)
    assert outcomes.REPORT_ORDER[-2:] == ("xfailed", "skipped")
    assert outcomes.OUTCOMES == ("passed", "flaky", "failed", "drift", "infrastructure", "crashed", "not run")


def test_an_unknown_word_counts_as_a_failure() -> None:
    """A word of a later version does not open a gate."""
    assert outcomes.rank("evaporated") == outcomes.rank("failed") == 0
    assert outcomes.worst(["passed", "evaporated"]) == "evaporated"


def test_letters_are_unique() -> None:
    """Two outcomes with one letter could not be told apart in the line of progress."""
    letters = [outcome.letter for outcome in outcomes.TABLE.values() if outcome.letter]
    assert len(letters) == len({*letters})
