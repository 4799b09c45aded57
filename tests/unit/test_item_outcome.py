"""The outcome of a test as a pure function of its phases: every combination of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from pytest_wisebot.outcomes import BAD, ERROR, GOOD, WORST_FIRST
from pytest_wisebot.plugin.item_outcome import ItemOutcome, Phase, Result, Step, item_outcome

PASSED = {step: Phase(step, Result.PASSED) for step in Step}
FAILS = (Result.FAILED, Result.STRICT, Result.CRASHED)
CATEGORIES = ("", "infrastructure", "not run", "drift")
STEPS = (Step.SETUP, Step.SUBTEST, Step.CALL, Step.TEARDOWN)

ALONE = {
    (Step.SETUP, Result.FAILED): "error",
    (Step.SETUP, Result.SKIPPED): "skipped",
    (Step.SETUP, Result.XFAILED): "xfailed",
    (Step.SETUP, Result.CRASHED): "crashed",
    (Step.SUBTEST, Result.FAILED): "failed",
    (Step.SUBTEST, Result.SKIPPED): "passed",
    (Step.SUBTEST, Result.XFAILED): "passed",
    (Step.CALL, Result.PASSED): "passed",
    (Step.CALL, Result.FAILED): "failed",
    (Step.CALL, Result.SKIPPED): "skipped",
    (Step.CALL, Result.XFAILED): "xfailed",
    (Step.CALL, Result.XPASSED): "xpassed",
    (Step.CALL, Result.STRICT): "failed",
    (Step.CALL, Result.RERUN): "failed",
    (Step.CALL, Result.CRASHED): "crashed",
    (Step.TEARDOWN, Result.FAILED): "error",
    (Step.TEARDOWN, Result.SKIPPED): "skipped",
    (Step.TEARDOWN, Result.XFAILED): "xfailed",
    (Step.TEARDOWN, Result.CRASHED): "crashed",
}
"""The outcome of a test of which one phase ends so, and all others pass."""


def passing_but(*odd: Phase) -> list[Phase]:
    """A test whose phases pass but for these."""
    by_step = {phase.step: phase for phase in odd}
    steps = (Step.SETUP, *([Step.SUBTEST] if Step.SUBTEST in by_step else []), Step.CALL, Step.TEARDOWN)
    return [by_step.get(step, PASSED[step]) for step in steps]


def combinations() -> Iterator[list[Phase]]:
    """Every combination of results and categories of the four steps of a test."""
    choices = [Phase(Step.CALL, result) for result in Result]
    choices += [Phase(Step.CALL, Result.FAILED, category) for category in CATEGORIES[1:]]
    for four in itertools.product(choices, repeat=len(STEPS)):
        yield [Phase(step, one.result, one.category) for step, one in zip(STEPS, four, strict=True)]


@pytest.mark.parametrize(("step", "result", "word"), [(*key, word) for key, word in ALONE.items()])
def test_one_phase_decides_a_test_whose_others_pass(step: Step, result: Result, word: str) -> None:
    """One row for each phase and each result that it can have."""
    assert item_outcome(passing_but(Phase(step, result))).word == word


@pytest.mark.parametrize("category", CATEGORIES[1:])
@pytest.mark.parametrize("step", STEPS)
def test_an_error_of_a_run_gives_its_category_wherever_it_arrives(step: Step, category: str) -> None:
    """In the setup, in the call, in a subtest or in the teardown."""
    assert item_outcome(passing_but(Phase(step, Result.FAILED, category))).word == category


def test_no_combination_is_better_than_its_worst_phase() -> None:
    """Of all combinations: the failures of pytest are failures here, and each failed phase is in the outcome."""
    for one in combinations():
        outcome = item_outcome(one)
        failed = {phase.word for phase in one if phase.result in FAILS}
        if failed:
            assert outcome.word in {*BAD, ERROR}, one
            assert failed <= {outcome.word, *outcome.also}, one
            assert outcome.word == min(failed, key=WORST_FIRST.index), one
        elif any(phase.result is Result.RERUN for phase in one):
            assert outcome.word not in ("passed", "xpassed", "skipped", "xfailed"), one
        elif outcome.word == "passed":
            assert all(phase.word == "passed" for phase in one), one


def test_no_order_of_phases_changes_an_outcome() -> None:
    """A report that arrives later than another makes nothing better."""
    for one in itertools.islice(combinations(), 0, None, 7):
        words = {item_outcome(order).word for order in (one, one[::-1], one[2:] + one[:2])}
        assert len(words) == 1, one


@pytest.mark.parametrize("category", ["", "infrastructure"])
def test_a_test_that_passes_after_a_repeated_attempt_is_flaky(category: str) -> None:
    """Whatever the failure of the attempt was, and in whichever phase."""
    for step in (Step.SETUP, Step.CALL, Step.TEARDOWN):
        first = passing_but(Phase(step, Result.RERUN, category))
        assert item_outcome([*first, *passing_but()]) == ItemOutcome("flaky")


@pytest.mark.parametrize(
    ("last", "word"),
    [
        (passing_but(Phase(Step.CALL, Result.FAILED)), "failed"),
        (passing_but(Phase(Step.CALL, Result.FAILED, "not run")), "not run"),
        (passing_but(Phase(Step.CALL, Result.SKIPPED)), "infrastructure"),
        (passing_but(Phase(Step.CALL, Result.XFAILED)), "infrastructure"),
        ([], "infrastructure"),
    ],
)
def test_a_repeated_attempt_that_never_passes_is_not_forgotten(last: list[Phase], word: str) -> None:
    """A skip in the second attempt does not make the first one's failure go away."""
    first = passing_but(Phase(Step.CALL, Result.RERUN, "infrastructure"))
    assert item_outcome([*first, *last]).word == word


def test_a_test_that_was_never_called_has_proved_nothing() -> None:
    """As with ``--setup-only``, or where a plugin keeps the report of a call for itself."""
    assert item_outcome([PASSED[Step.SETUP], PASSED[Step.TEARDOWN]]).word == "not run"
    assert item_outcome([]).word == "not run"


def test_a_failure_that_pytest_counts_is_a_failure_whatever_the_phases_look_like() -> None:
    """A report that another plugin changed after pytest had counted it."""
    for word in ("passed", "flaky", "skipped", "xfailed", "xpassed"):
        phases = passing_but() if word in GOOD else passing_but(Phase(Step.CALL, Result(word)))
        assert item_outcome(phases, flaky_trials=word == "flaky", failures=1).word == "failed"
    assert item_outcome(passing_but(Phase(Step.CALL, Result.FAILED, "drift")), failures=1).word == "drift"


def test_trials_of_which_some_failed_make_a_passed_test_flaky() -> None:
    """And no other: a teardown that failed stays one."""
    assert item_outcome(passing_but(), flaky_trials=True).word == "flaky"
    assert item_outcome(passing_but(Phase(Step.TEARDOWN, Result.FAILED)), flaky_trials=True).word == "error"


def test_the_error_of_an_outcome_is_that_of_the_phase_that_decided() -> None:
    """A test that failed and then met an outage names no error of the outage."""
    outage = Phase(Step.TEARDOWN, Result.FAILED, "infrastructure", "ConnectionFailed")
    assert item_outcome(passing_but(outage)) == ItemOutcome("infrastructure", (), "ConnectionFailed")
    assert item_outcome(passing_but(Phase(Step.CALL, Result.FAILED), outage)) == ItemOutcome(
        "failed", ("infrastructure",)
    )
