"""An event log as plain data."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_wisebot.event_log import moment
from pytest_wisebot.gate_config import Gate, Limits
from pytest_wisebot.report.log_reader import model_of
from pytest_wisebot.report.model import Trial, Trials, outcome_counts, pass_rate


def test_a_test_has_the_runs_that_it_named_and_those_that_were_made_for_it(log: Any) -> None:
    """In the order of its trials: a test that was retried by trials names some, a killed one none."""
    one = log()
    two = one.run(test="test_it.py::test_a", trial=2)
    first = one.run(test="test_it.py::test_a", trial=1)
    shared = one.run(test="", shared=True)
    one.test("test_a", "passed", shared)
    (test,) = one.model().tests
    assert [run.reference for run in test.runs] == [shared, first, two]
    assert test.workflows == ("triage",)


def test_what_a_wider_fixture_ran_is_no_test_s_that_did_not_name_it(log: Any) -> None:
    """A module's fixture is wide for a module, and its run has the module's id."""
    one = log()
    one.run(test="test_it.py::test_a", fixture="seeded")
    one.plain("test_a")
    (test,) = one.model().tests
    assert (test.runs, test.uses_runs) == ((), False)


@pytest.mark.parametrize(
    ("word", "used", "unused"), [("error", "failed", "error"), ("xpassed", "passed", "xpassed"), ("skipped",) * 3]
)
def test_the_words_of_pytest_are_those_of_reports(log: Any, word: str, used: str, unused: str) -> None:
    """What breaks around a run is its test's failure; a test without runs is none of this plugin's business."""
    model = log().test("test_a", word).plain("test_b", word).model()
    assert [test.outcome for test in model.tests] == [used, unused]


def test_a_test_that_asked_in_vain_used_runs(log: Any) -> None:
    """A missing credential is reported for a test without any run, and fails no other test."""
    (test,) = log().plain("test_a", "not run", **{"class": "ConfigurationError"}).model().tests
    assert (test.uses_runs, test.counts, test.problem) == (True, True, "ConfigurationError")


def test_the_last_execution_of_a_test_counts(log: Any) -> None:
    """A test that was repeated has its last outcome, and the report has the number of executions."""
    (test,) = log().test("test_a", "rerun").test("test_a", "passed").model().tests
    assert (test.outcome, test.executions, len(test.runs)) == ("passed", 2, 2)


def test_workers_that_run_every_test_are_told_apart(log: Any) -> None:
    """With ``--dist each`` a test ends once for each worker."""
    one = log(each=True)
    for worker in ("gw0", "gw1"):
        one.test("test_a", "passed", one.run(test=f"{worker}:test_it.py::test_a"), worker=worker)
    assert [(test.worker, len(test.runs)) for test in one.model().tests] == [("gw0", 1), ("gw1", 1)]


def test_a_worker_is_no_part_of_a_test_otherwise(log: Any) -> None:
    """A test that a dead worker left, and another has run, is one test."""
    one = log().test("test_a", "failed", worker="gw0").test("test_a", "passed", worker="gw1")
    assert [test.outcome for test in one.model().tests] == ["passed"]


def test_tests_that_never_reported_are_known(log: Any) -> None:
    """Of a killed session: those that were to run and have not ended."""
    model = log(selected=["test_it.py::test_a", "test_it.py::test_b"]).test("test_a").model(ended=False)
    assert model.unreported == ("test_it.py::test_b",)
    assert model.sessions[0].ended is None


def test_figures_of_a_workflow(log: Any) -> None:
    """Latencies are those of live runs alone; a test counts for each workflow that it ran."""
    one = log()
    for seconds in (1, 2, 3, 4):
        one.test(f"test_{seconds}", run={"seconds": float(seconds)})
    one.test("test_kept", run={"seconds": 99.0, "source": "recording"})
    one.test("test_out", "infrastructure", run={"outcome": "infrastructure"})
    one.test("test_both", "failed", one.run("refund"), one.run("triage", seconds=5.0))
    triage, refund = one.model().workflows["triage"], one.model().workflows["refund"]
    assert (triage.seconds, triage.p50, triage.p95) == ((1.0, 2.0, 3.0, 4.0, 5.0), 3.0, 5.0)
    assert outcome_counts(triage.tests) == {"passed": 5, "failed": 1, "infrastructure": 1}
    assert pass_rate(triage.tests) == (5, 6)
    assert pass_rate(refund.tests) == (0, 1)


def test_a_failure_has_the_lines_of_the_section_that_it_refers_to(log: Any) -> None:
    """Reports do not have the section of pytest: its lines stand in the place of the reference."""
    text = (
        "E   AssertionError: assert it\nE     a.b:\nE       - 1\n"
        'E     ... all 4 lines are below, in the section "snapshot x/y.json"\n\ntest_it.py:3: AssertionError\n'
        "------------ snapshot x/y.json ------------\na.b:\n  - 1\n  + 2\nc: new\n-------- wisebot trials -------\nrows"
    )
    (test,) = log().test("test_a", "failed", text=text).model().tests
    assert test.said == "AssertionError: assert it\n  a.b:\n    - 1\n    + 2\n  c: new"


def test_trials_in_words() -> None:
    """Those that ended alike stand together: first those that failed, last those that were not needed."""
    each = [
        Trial(word, "no" if word == "failed" else "") for word in ("passed", "failed", "passed", "failed", "failed")
    ]
    trials = Trials(8, 6, 2, 3, "trial 2: no", each=tuple(each))
    assert str(trials) == "passed 2/5, 6 of 8 wanted; 3 not needed"
    assert trials.alike == [
        ("failed", "trials 2, 4 to 5", "no"),
        ("passed", "trials 1, 3", ""),
        ("not needed", "trials 6 to 8", ""),
    ]
    assert [trials.outcome_of(number) for number in (0, 1, 2, 6)] == ["", "passed", "failed", "not needed"]
    assert str(Trials(3, 3, 1, 0, ended="no verdict")) == "passed 1/1, then no verdict in trial 2, 3 of 3 wanted"


def test_what_a_failure_says(log: Any) -> None:
    """Without the source around it, and without the indent that pytest gives it."""
    text = (
        "def test_a():\n>       assert x\nE       AssertionError: no\nE         $.n: expected 2\n\ntest_it.py:3: Error"
    )
    trials = {"trials": 3, "min_passes": 1, "passes": 1, "failures": 1, "met": True, "why": "trial 1: no"}
    one = (
        log()
        .test("test_a", "failed", text=text)
        .test("test_b", "flaky", trials=trials)
        .test("test_c", text="a\nb\n\nc")
    )
    tests = one.model().tests
    assert [test.said for test in tests] == ["AssertionError: no\n  $.n: expected 2", "trial 1: no", "a\nb"]
    assert tests[1].trials == Trials(3, 1, 1, 1, "trial 1: no")


def test_a_log_of_a_later_version_is_read_as_far_as_it_is_known() -> None:
    """Unknown events and keys are ignored, and missing keys have a default."""
    events: list[dict[str, Any]] = [
        {"event": "session", "format": 1, "gate": {"overall": {"min_pass_rate": 0.5, "zzz": 1}, "zzz": 1}, "zzz": 1},
        {"event": "zzz"},
        {"event": "run", "run": "r1", "zzz": 1},
        {"event": "test", "test": "t"},
        {},
    ]
    model = model_of(events)
    assert model.gate == Gate(Limits(min_pass_rate=0.5))
    assert (model.runs[0].outcome, model.tests[0].outcome) == ("error", "error")


def test_an_empty_log_is_a_session_that_never_began() -> None:
    """Not even its first line was written."""
    model = model_of([])
    assert (len(model.sessions), model.tests, model.sessions[0].has_begun) == (1, (), False)


def test_shards_are_one_suite(log: Any) -> None:
    """Runs of the same name are told apart, and a test that both have run is what it was in the worse."""
    first = log(shard="one").test("test_a").test("test_b", "failed")
    second = log(shard="two").test("test_b").test("test_c", run={"workflow": "refund"})
    model = model_of([*first.all(), *second.all()])
    assert [(test.id[-1], test.outcome, [run.reference for run in test.runs]) for test in model.tests] == [
        ("a", "passed", ["1:r1"]),
        ("b", "failed", ["1:r2", "2:r1"]),
        ("c", "passed", ["2:r2"]),
    ]
    assert [one.name for one in model.sessions] == ["one", "two"]
    assert model.is_joined


def test_moments_are_seconds(log: Any) -> None:
    """Since the epoch, in whatever zone they were written."""
    one = log()
    one.test("test_a", run={"made": "2025-11-28T13:00:00.500+01:00", "queued": moment(5.0)})
    (run,) = one.model().runs
    assert (run.made, run.queued) == (1764331200.5, 5.0)
