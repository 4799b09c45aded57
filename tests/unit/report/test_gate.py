"""The gate as a function: rules that need many runs, and those of several shards.

What a single session can show is in `tests/plugin/test_gate.py`.
"""

from __future__ import annotations

from typing import Any

import pytest

from pytest_wisebot.gate_config import Gate, Limits
from pytest_wisebot.report.gate import judge
from pytest_wisebot.report.log_reader import model_of
from pytest_wisebot.report.verdict import GateRule, GateStatus, RuleState


def row(log: Any, title: str, baseline: Any = None, **end: Any) -> GateRule:
    """The one rule of this title."""
    (found,) = (one for one in log.concluded(baseline, **end).verdict.rows if one.title == title)
    assert isinstance(found, GateRule)
    return found


def gate(**limits: Any) -> dict[str, Any]:
    """A gate with these limits overall, as the log has it."""
    return Gate(Limits(**limits)).to_dict()


@pytest.mark.parametrize(
    ("code", "words"),
    [(2, "2 (interrupted)"), (3, "3 (an internal error)"), (4, "4 (used wrongly)"), (5, "5 (no tests)"), (77, "77")],
)
def test_pytest_s_own_codes_stay(log: Any, code: int, words: str) -> None:
    """An interrupted session has no verdict, whatever passed before."""
    verdict = log().test("test_a").concluded(exitstatus=code, without_gate=code).verdict
    assert (verdict.word, verdict.code) == (GateStatus.NO_VERDICT, code)
    assert verdict.reasons[0].measured == words


def test_a_session_that_was_killed_has_no_verdict(log: Any) -> None:
    """Its log has no end, and tests that never reported."""
    one = log(selected=["test_it.py::test_a", "test_it.py::test_b"]).test("test_a")
    verdict = one.concluded(ended=False).verdict
    assert (verdict.word, verdict.code) == (GateStatus.NO_VERDICT, 11)
    assert [reason.rule for reason in verdict.reasons] == ["session", "tests without a report"]


def test_an_emulator_opens_no_gate(log: Any) -> None:
    """Unless ``allow-emulator`` is set."""
    one = log(emulator="flows:emulator").test("test_a")
    assert one.concluded().verdict.code == 11
    assert row(one, "target").measured == "emulator flows:emulator"
    allowed = log(emulator="flows:emulator", gate=Gate(allow_emulator=True).to_dict()).test("test_a")
    assert allowed.concluded().verdict.code == 0


def test_one_kept_run_among_many_opens_no_gate(log: Any) -> None:
    """A session that was resumed has proved only in part what is there today."""
    one = log(mode="resume").test("test_a").test("test_b", run={"source": "last"})
    assert row(one, "live runs").measured == "1 of 2 runs made earlier"
    assert one.concluded().verdict.code == 11
    assert (
        log(gate=Gate(require_live=False).to_dict()).test("test_b", run={"source": "last"}).concluded().verdict.code
        == 0
    )


def test_a_session_without_a_gate_is_not_judged(log: Any) -> None:
    """Its rules are measured all the same."""
    verdict = log(gated=False).test("test_a", "failed").concluded().verdict
    assert (verdict.word, verdict.code) == (GateStatus.NOT_GATED, 0)
    assert [str(one.state) for one in verdict.rows] == ["closed", "ok"]


@pytest.mark.parametrize(("passed", "of", "state"), [(19, 20, "ok"), (18, 20, "closed"), (95, 100, "ok")])
def test_a_rate_is_held_to_exactly(log: Any, passed: int, of: int, state: str) -> None:
    """What is just enough is enough, whatever a floating point makes of it."""
    one = log(gate=gate(min_pass_rate=0.95))
    for number in range(of):
        one.test(f"test_{number}", "passed" if number < passed else "failed")
    assert row(one, "pass rate").state == state


def test_drift_is_no_pass(log: Any) -> None:
    """A run that is not what was recorded keeps the gate shut as a failure does."""
    one = log(mode="verify").test("test_a").test("test_b", "drift")
    assert row(one, "pass rate").measured == "50% (1 of 2): test_it.py::test_b"
    assert one.concluded().verdict.code == 1


def test_drift_that_fails_no_test_closes_the_gate(log: Any) -> None:
    """As that of a test which skipped once it had its run."""
    one = log(mode="verify").test("test_a").test("test_b", "skipped", run={"diff": ["$.x"]})
    assert row(one, "drift that failed no test").measured == "1 run: test_it.py::test_b"
    assert one.concluded().verdict.code == 1


AGAINST = {"contradiction": 'error "no"'}


def test_an_answer_that_contradicts_itself_opens_no_gate(log: Any) -> None:
    """Where its test passed or skipped, or no test used it. A test that failed by it has a row of its own."""
    flaky = {"trials": {"trials": 2, "min_passes": 1, "passes": 1, "failures": 1}}
    one = log().test("test_a").test("test_b", run=AGAINST).test("test_c", "flaky", run=AGAINST, **flaky)
    one.test("test_d", "skipped", run=AGAINST)
    one.run(test="test_it.py", fixture="made", **AGAINST)
    found = row(one, "contradictory answers")
    assert (found.wanted, found.measured) == (
        "none",
        "4 runs: test_it.py::test_b, test_it.py::test_c, test_it.py::test_d, test_it.py",
    )
    assert one.concluded().verdict.code == 11
    for outcome in ("failed", "xfailed"):
        other = log().test("test_a").test("test_b", outcome, run=AGAINST)
        assert not any(rule.rule == "contradictory answers" for rule in other.concluded().verdict.rows)


def test_a_contradictory_run_of_two_tests_names_those_that_passed(log: Any) -> None:
    """One of them saw it; the others did not."""
    one = log()
    shared = one.run(test="test_it.py", fixture="made", **AGAINST)
    one.test("test_a", "failed", shared).test("test_b", "passed", shared)
    assert row(one, "contradictory answers").measured == "1 run: test_it.py::test_b"
    assert one.concluded().verdict.code == 1


def test_the_slowest_runs_are_few(log: Any) -> None:
    """The p95 of twenty runs leaves out the slowest one; the limit for each does not."""
    one = log(gate=gate(p95_seconds=2.0, max_seconds=2.0))
    for number in range(20):
        one.test(f"test_{number}", run={"seconds": 9.0 if number == 7 else 1.0})
    assert row(one, "triage: p95") == GateRule("p95", "at most 2 s", "1 s (20 runs)", workflow="triage")
    assert row(one, "triage: slowest run").measured == "9 s (20 runs)"
    assert one.concluded().verdict.code == 1


def test_a_workflow_s_own_limit_goes_before_the_one_for_all(log: Any) -> None:
    """In seconds, too."""
    own = Gate(Limits(max_seconds=2.0), {"summarise": Limits(max_seconds=30.0)}).to_dict()
    one = (
        log(gate=own).test("test_a", run={"seconds": 1.0}).test("test_b", run={"workflow": "summarise", "seconds": 9.0})
    )
    assert one.concluded().verdict.code == 0


def test_what_this_package_itself_has_delayed_closes_no_gate(log: Any) -> None:
    """A limit that was missed by less than its own lag is not judged."""
    one = log(gate=gate(max_seconds=2.0)).test("test_a", run={"seconds": 2.1, "lag": 0.3})
    late = row(one, "triage: slowest run")
    assert (late.state, late.code) == (RuleState.NOT_JUDGED, 0)
    assert late.measured == "2.1 s (1 run); pytest-wisebot itself was up to 0.3 s late"


# --- beside a baseline


def suite(log: Any, tests: int, failing: int = 0, **facts: Any) -> Any:
    """So many tests of one run each, of which so many fail."""
    one = log(**facts)
    for number in range(tests):
        one.test(f"test_{number}", "failed" if number < failing else "passed")
    return one


def test_a_drop_is_told_where_there_are_enough_tests(log: Any) -> None:
    """Twenty tests can show five points; three cannot, and that is what is said."""
    held: dict[str, Any] = {"gate": gate(min_pass_rate=0.5, max_pass_rate_drop=0.05)}
    dropped = row(suite(log, 20, 2, **held), "triage: pass rate", suite(log, 20))
    assert (dropped.state, dropped.wanted) == (RuleState.CLOSED, "at most 5 points below the baseline's")
    assert dropped.measured == "90% (18 of 20), baseline 100% (20 of 20)"
    assert row(suite(log, 20, 1, **held), "triage: pass rate", suite(log, 20)).state == RuleState.OK
    few = row(suite(log, 3, 1, **held), "triage: pass rate", suite(log, 3))
    assert few.state == RuleState.NOT_JUDGED
    assert few.measured.endswith("; too few to say: 3 tests, and it takes 20 to tell 5 points")
    assert row(suite(log, 3, **held), "triage: pass rate", suite(log, 3)).state == RuleState.OK


def test_growth_is_told_where_there_are_enough_runs(log: Any) -> None:
    """A p95 takes twenty runs on both sides."""
    held: dict[str, Any] = {"gate": gate(max_p95_growth=0.25)}
    slow, few = log(**held), log(**held)
    for number in range(20):
        slow.test(f"test_{number}", run={"seconds": 1.3})
    few.test("test_0", run={"seconds": 9.0})
    assert row(slow, "triage: p95", suite(log, 20)).measured == "1.3 s, baseline 1 s (+30%)"
    assert slow.concluded(suite(log, 20)).verdict.code == 1
    doubtful = row(few, "triage: p95", suite(log, 20))
    assert doubtful.state == RuleState.NOT_JUDGED
    assert doubtful.measured.endswith("too few to say: 1 live run, and a p95 takes 20")


# --- shards


def joined(*logs: Any, **end: Any) -> list[dict[str, Any]]:
    """The log of all of them."""
    return [event for one in logs for event in one.all(**end)]


def test_shards_are_judged_once(log: Any) -> None:
    """Each of them failed a quarter; all together, an eighth."""
    held: dict[str, Any] = {"gate": gate(min_pass_rate=0.875), "gated": False}
    first = log(shard="one", **held)
    second = log(shard="two", **held)
    for number in range(4):
        first.test(f"test_{number}", "passed" if number else "failed")
        second.test(f"test_{number + 4}")
    assert judge(model_of(joined(first, second))).code == 0
    assert judge(model_of(joined(first))).code == 1


def test_shards_of_which_one_is_missing_have_no_verdict(log: Any) -> None:
    """By name, and by the numbers that pytest-split goes by."""
    first = log(shard="one", split=[1, 3]).test("test_a")
    events = [*joined(first), {"event": "session", "format": 1, "shard": "two"}]
    verdict = judge(model_of(events))
    assert verdict.code == 11
    assert [(one.rule, one.measured) for one in verdict.reasons] == [
        ("shards", "missing: two, group 2 of 3, group 3 of 3")
    ]


def test_gaps_and_overlaps_are_named(log: Any) -> None:
    """A test that no shard was to run keeps the gate shut; a test that two shards ran has a row."""
    first = log(shard="one", deselected=["test_it.py::test_c", "test_it.py::test_d"]).test("test_a").test("test_b")
    second = log(shard="two", deselected=["test_it.py::test_a"]).test("test_b").test("test_c")
    rows = {one.rule: one for one in judge(model_of(joined(first, second))).rows}
    assert (rows["tests in no shard"].code, rows["tests in no shard"].measured) == (11, "1: test_it.py::test_d")
    assert (rows["tests in several shards"].code, rows["tests in several shards"].measured) == (
        0,
        "1: test_it.py::test_b",
    )


def test_what_the_gate_s_own_expression_leaves_out_is_no_gap(log: Any) -> None:
    """``[gate] select`` is the suite."""
    left = ["test_it.py::test_slow"]
    one = log(shard="one", deselected=left, deselected_by_gate=left).test("test_a")
    assert judge(model_of(joined(one))).code == 0


def test_shards_must_have_asked_the_same_wisebot(log: Any) -> None:
    """And be held to the same limits."""
    first = log(shard="one").test("test_a")
    second = log(shard="two", environment="production", gate=gate(max_flaky=1)).test("test_b")
    verdict = judge(model_of(joined(first, second)))
    assert verdict.code == 11
    assert {one.rule for one in verdict.reasons} == {"target", "[gate]"}


def test_marks_that_no_run_was_used_under_are_counted(log: Any) -> None:
    """Tests of an inherited mark that passed without a run have their names in the block; they shut nothing."""
    one = log().test("test_a").plain("test_b", unused_mark=True).plain("test_c", unused_mark=True).plain("test_d")
    found = row(one, "wisebot marks")
    assert found.measured == "2 tests under a wisebot mark used no run: test_it.py::test_b, test_it.py::test_c"
    assert found.state is RuleState.NOT_JUDGED
    assert one.concluded().verdict.code == 0
    alone = log().plain("test_b", unused_mark=True).concluded().verdict
    assert (alone.word, alone.code) == (GateStatus.NO_VERDICT, 11)


def test_a_test_that_used_a_run_in_one_shard_is_not_counted(log: Any) -> None:
    """Only one that used none in any."""
    shards = [log(shard="1").plain("test_a", unused_mark=True).plain("test_b", unused_mark=True)]
    shards += [log(shard="2").test("test_a").plain("test_b", unused_mark=True)]
    model = model_of([event for shard in shards for event in shard.all()])
    assert [test.id for test in model.tests if test.unused_mark] == ["test_it.py::test_b"]
