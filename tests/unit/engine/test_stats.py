"""The numbers of a session: what they count, and what they do not."""

from __future__ import annotations

import pytest

from pytest_wisebot import (
    AuthenticationFailed,
    BudgetExhausted,
    Cancelled,
    CircuitOpen,
    ConfigurationError,
    ConnectionFailed,
    ConnectionLost,
    RateLimited,
    WorkflowRun,
)
from pytest_wisebot.engine.jobs import Job
from pytest_wisebot.engine.stats import Stats, StatsSnapshot
from pytest_wisebot.runs import Ended, Outcome, RunRequest


def run(workflow: str, elapsed: float) -> WorkflowRun:
    return WorkflowRun(ok=True, workflow=workflow, elapsed=elapsed)


def end(
    ledger: Stats,
    outcome: Outcome,
    *,
    job: Job | None = None,
    now: float = 0.0,
    cancelled: bool = False,
    begun: bool = False,
) -> None:
    if not begun:
        ledger.begin(now)
    ledger.end(job or Job(RunRequest("a")), Ended(outcome), now, cancelled=cancelled)


def sent(ledger: Stats, *, awaited: bool = False) -> Job:
    """A run that has been sent, and that a test waits for or not."""
    job = Job(RunRequest("a"))
    job.delivery.awaited = awaited
    ledger.sent(job)
    return job


def test_a_session_without_runs_has_no_numbers() -> None:
    """All of them are nothing."""
    numbers = Stats().numbers(0.0)
    assert numbers == StatsSnapshot()
    assert (numbers.runs, numbers.run_time) == (0, 0)


def test_runs_with_a_verdict_are_counted_by_workflow() -> None:
    """Those that failed at Wisebot are verdicts, too."""
    ledger = Stats()
    end(ledger, run("a", 2.0))
    end(ledger, run("b", 0.5))
    end(ledger, WorkflowRun(ok=False, workflow="a", elapsed=1.0))
    numbers = ledger.numbers(0.0)
    assert numbers.seconds == {"a": [2.0, 1.0], "b": [0.5]}
    assert (numbers.runs, numbers.run_time) == (3, 3.5)


def test_durations_are_those_of_declared_tests() -> None:
    """By the test's key, for the next session; what a test called for by itself has none."""
    ledger = Stats()
    end(ledger, run("a", 2.0), job=Job(RunRequest("a"), "test-1"))
    end(ledger, run("a", 3.0), job=Job(RunRequest("a")))
    end(ledger, ConnectionLost("x"), job=Job(RunRequest("b"), "test-2"))
    assert ledger.numbers(0.0).durations == {"test-1": ("a", 2.0)}


def test_wall_time_is_the_time_in_which_a_run_is_asked_for() -> None:
    """Neither the session's beginning, nor what tests do between their runs, nor now."""
    ledger = Stats()
    ledger.begin(10.0, runs=2)
    assert ledger.numbers(11.0).wall == 1.0
    end(ledger, run("a", 5.0), now=15.0, begun=True)
    end(ledger, run("a", 5.0), now=20.0, begun=True)
    assert ledger.numbers(30.0).wall == 10.0
    ledger.begin(42.0)
    ledger.begin(43.0)
    ledger.leave(44.0)
    end(ledger, run("a", 2.0), now=45.0, begun=True)
    assert ledger.numbers(50.0).wall == 13.0


def test_retries_are_the_attempts_beyond_each_run_s_first() -> None:
    """A run that made none has none, and not one too few."""
    ledger = Stats()
    for attempts in (0, 1, 3, 2):
        job = Job(RunRequest("a"))
        job.flight.attempts = attempts
        end(ledger, run("a", 1.0), job=job)
    assert ledger.numbers(0.0).retries == 3


def test_what_was_not_run_is_counted_by_its_reason() -> None:
    """Everything that was given up has one reason; the workflow's name is not part of it."""
    ledger = Stats()
    for error in (BudgetExhausted("3 runs"), BudgetExhausted("3 runs"), CircuitOpen("all failed")):
        end(ledger, error)
    end(ledger, Cancelled('the run of workflow "a" was given up'), cancelled=True)
    end(ledger, Cancelled('the run of workflow "b" was given up'), cancelled=True)
    numbers = ledger.numbers(0.0)
    assert numbers.not_run == {"3 runs": 2, "all failed": 1, "given up before being sent": 2}
    assert (numbers.runs, numbers.without_verdict, ledger.done) == (0, 0, 5)


def test_without_verdict_are_those_that_the_infrastructure_failed() -> None:
    """Neither the user's mistakes, which sent nothing, nor what was given up."""
    ledger = Stats()
    end(ledger, ConnectionFailed("x"))
    end(ledger, ConnectionLost("x"))
    end(ledger, ConfigurationError("no host"))
    end(ledger, ConnectionLost("the run was given up after it had been sent"), cancelled=True)
    assert ledger.numbers(0.0).without_verdict == 2
    assert ledger.done == 4


def test_not_awaited_are_runs_that_were_sent_and_whose_end_no_test_saw() -> None:
    """Those that a test waited for to their end are seen; those given up are not, even while a test waited."""
    ledger = Stats()
    seen, unseen, cancelled = sent(ledger, awaited=True), sent(ledger), sent(ledger, awaited=True)
    assert ledger.numbers(0.0).not_awaited == 3
    end(ledger, run("a", 1.0), job=seen)
    end(ledger, run("a", 1.0), job=unseen)
    end(ledger, ConnectionLost("x"), job=cancelled, cancelled=True)
    assert ledger.numbers(0.0).not_awaited == 2
    unseen.delivery.awaited = True  # its test asks late
    assert ledger.numbers(0.0).not_awaited == 1


def test_trials_that_were_not_needed_are_no_runs_that_may_have_happened() -> None:
    """They are counted apart, with those that had not ended; one that a test has seen after all is none of them."""
    ledger = Stats()
    ended, under_way, seen, other = sent(ledger), sent(ledger), sent(ledger, awaited=True), sent(ledger)
    for job in (ended, under_way, seen):
        job.delivery.not_needed = True
    for job in (ended, seen, other):
        end(ledger, run("a", 1.0), job=job)
    numbers = ledger.numbers(0.0)
    assert (numbers.not_awaited, numbers.not_needed, numbers.unfinished) == (1, 2, 1)


def test_what_was_never_sent_was_not_missed() -> None:
    """Whether anybody waited for it or not."""
    ledger = Stats()
    end(ledger, Cancelled("x"), cancelled=True)
    end(ledger, ConnectionFailed("x"))
    assert ledger.numbers(0.0).not_awaited == 0


@pytest.mark.parametrize("outcome", [RateLimited("x"), AuthenticationFailed("x"), BudgetExhausted("x"), Cancelled("x")])
def test_what_was_sent_and_came_to_no_run_was_not_missed(outcome: Outcome) -> None:
    """It provably did not happen."""
    ledger = Stats()
    end(ledger, outcome, job=sent(ledger))
    assert ledger.numbers(0.0).not_awaited == 0


def test_a_run_with_several_attempts_counts_once() -> None:
    """Each attempt is sent; the run is one."""
    ledger = Stats()
    job = sent(ledger)
    ledger.sent(job)
    assert ledger.numbers(0.0).not_awaited == 1
