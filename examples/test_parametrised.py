"""One test, many inputs: the runs of all parameters start at once, and each has a line of its own in the report."""

import pytest

from pytest_wisebot import TriggerWorkflow, WorkflowRun, assert_failed, assert_result


# The argument named "inputs" is the input bag of the run. Others are for the test.
@pytest.mark.wisebot("triage")
@pytest.mark.parametrize(
    ("inputs", "category"),
    [
        pytest.param({"ticketId": "T-1", "message": "My card was charged twice"}, "billing", id="billing"),
        pytest.param({"ticketId": "T-2", "message": "Where is my parcel?"}, "shipping", id="shipping"),
        # A marker on one parameter holds for that one alone.
        pytest.param(
            {"ticketId": "T-3", "message": "I forgot my password"},
            "account",
            id="account",
            marks=pytest.mark.wisebot("triage", max_seconds=20),
        ),
    ],
)
def test_the_category(workflow_run: WorkflowRun, inputs: dict[str, str], category: str) -> None:
    assert_result(workflow_run, {"category": category, "ticketId": inputs["ticketId"]})


# Where inputs are made of several parameters, a fixture named "inputs" puts them together: here for four runs. They
# start with the tests, because only a test's own start can make a fixture.
@pytest.fixture
def inputs(ticket: str, amount: float) -> dict[str, object]:
    return {"ticketId": ticket, "amount": amount}


@pytest.mark.wisebot("refund")
@pytest.mark.parametrize("ticket", ["T-1", "T-2"])
@pytest.mark.parametrize("amount", [5, 12.5])
def test_a_part_is_paid_back(workflow_run: WorkflowRun, inputs: dict[str, object]) -> None:
    assert_result(workflow_run, {"ticketId": inputs["ticketId"], "refunded": inputs["amount"]})


# A call takes parameters as any Python function does. Its run starts when the test asks for it.
@pytest.mark.parametrize("amount", [43, 1000])
def test_more_than_was_paid_is_not(trigger_workflow: TriggerWorkflow, amount: int) -> None:
    assert_failed(trigger_workflow("refund", {"ticketId": "T-1", "amount": amount}), match="too-much")
