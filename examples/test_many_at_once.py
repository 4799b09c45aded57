"""Runs take seconds to minutes, so ask for many at once: ``map`` and ``start``."""

import pytest
from dirty_equals import IsFloat, IsStr

from pytest_wisebot import TriggerWorkflow, assert_ok, assert_result

TEXT = "The parcel was left at the wrong door. The neighbour found it on Tuesday. The customer is content."


def test_a_summary_says_the_same_in_other_words(trigger_workflow: TriggerWorkflow) -> None:
    # Five runs of the same text at once; the results come in the order of the inputs.
    runs = trigger_workflow.map("summarise", [{"text": TEXT}] * 5)

    for run in runs:
        # What a model writes differs from run to run. dirty_equals says what must hold all the same.
        assert_result(run, {"summary": IsStr(regex=".*wrong door.*"), "words": 18, "confidence": IsFloat(ge=0.8, le=1)})


def test_two_workflows_side_by_side(trigger_workflow: TriggerWorkflow) -> None:
    # start() does not wait; both runs are under way before the first is looked at.
    triage = trigger_workflow.start("triage", {"ticketId": "T-7", "message": "Please refund my card"})
    summary = trigger_workflow.start("summarise", {"text": TEXT})

    assert_result(triage.wait(), {"category": "billing"})
    assert_ok(summary.wait())


# A fixture of wider scope pays for a run once, and many tests look at it.
@pytest.fixture(scope="module")
def summary(trigger_workflow: TriggerWorkflow) -> str:
    run = trigger_workflow("summarise", {"text": TEXT})
    assert_ok(run)
    return str(run.result["summary"])


def test_a_summary_is_short(summary: str) -> None:
    assert len(summary) < len(TEXT)


def test_a_summary_is_a_sentence(summary: str) -> None:
    assert summary.endswith(".")
