"""Whole results, as they were recorded: every later run is held to them.

``pytest --snapshot-update`` records, into ``__snapshots__/`` beside this file: commit what it writes, and review what
it changes. What differs from run to run (ids, timestamps, durations) becomes a placeholder by itself.
"""

import pytest
from dirty_equals import IsFloat, IsStr

from pytest_wisebot import TriggerWorkflow, WorkflowRun, WorkflowSnapshot

TEXT = "The parcel was left at the wrong door. The neighbour found it on Tuesday. The customer is content."


# Both APIs are held to one snapshot, and so to each other.
@pytest.mark.wisebot("triage", {"ticketId": "T-1", "message": "I was charged twice"}, api="both")
def test_a_ticket_is_sorted(workflow_run: WorkflowRun, workflow_snapshot: WorkflowSnapshot) -> None:
    assert workflow_run == workflow_snapshot


# What a model writes differs in each run. A rule says what must hold, and stands in the snapshot in its place.
@pytest.mark.wisebot("summarise", {"text": TEXT})
def test_a_text_is_summed_up(workflow_run: WorkflowRun, workflow_snapshot: WorkflowSnapshot) -> None:
    rules = {"summary": IsStr(min_length=40, regex=".*wrong door.*"), "confidence": IsFloat(ge=0.8, le=1)}
    assert workflow_run == workflow_snapshot(rules=rules)


# A part of a result is a value like any other; a test may have several snapshots, by name.
def test_an_order_is_paid_back(trigger_workflow: TriggerWorkflow, workflow_snapshot: WorkflowSnapshot) -> None:
    whole, part = trigger_workflow.map("refund", [{"ticketId": "T-1"}, {"ticketId": "T-1", "amount": 10}])

    assert whole == workflow_snapshot(name="whole")
    assert part.result["refunded"] == workflow_snapshot(name="part")


# A run that failed is only recorded where the test says that it is to fail.
@pytest.mark.wisebot("refund", {"ticketId": "T-9"})
def test_a_large_refund_is_refused(workflow_run: WorkflowRun, workflow_snapshot: WorkflowSnapshot) -> None:
    assert workflow_run == workflow_snapshot(failed=True)
