"""The same without a call: the marker declares the run, the fixture ``workflow_run`` is its result."""

import pytest

from pytest_wisebot import WorkflowRun, assert_failed, assert_ok, assert_result


# max_seconds is a limit for the run itself, without the time that it waited for its turn.
@pytest.mark.wisebot("triage", {"ticketId": "T-1", "message": "My card was charged twice"}, max_seconds=20)
def test_billing(workflow_run: WorkflowRun) -> None:
    assert_result(workflow_run, {"category": "billing"})


# Without inputs in the marker, the parameter named "inputs" is the input bag.
@pytest.mark.wisebot("triage")
@pytest.mark.parametrize(
    ("inputs", "category"),
    [
        ({"ticketId": "T-4", "message": "I cannot log in"}, "account"),
        ({"ticketId": "T-5", "message": "Do you sell gift cards?"}, "billing"),
        ({"ticketId": "T-6", "message": "What a lovely shop"}, "other"),
    ],
    ids=["account", "billing", "other"],
)
def test_every_ticket_gets_its_category(workflow_run: WorkflowRun, inputs: dict[str, str], category: str) -> None:
    assert_ok(workflow_run)
    assert workflow_run.inputs == inputs
    assert workflow_run.result["category"] == category


# The refund workflow fails for good reasons, and a test can hold it to them.
@pytest.mark.wisebot("refund", {"ticketId": "none"})
def test_an_unknown_ticket_is_not_paid(workflow_run: WorkflowRun) -> None:
    assert_failed(workflow_run, match="unknown ticket")


@pytest.mark.wisebot("refund", {"ticketId": "T-9"})
def test_a_large_refund_needs_a_person(workflow_run: WorkflowRun) -> None:
    assert_failed(workflow_run)
    assert workflow_run.error["code"] == "needs-approval"
