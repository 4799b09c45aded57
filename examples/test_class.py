"""Tests in a class: its marker holds for all of them, its fixtures are shared, and a test may say something else."""

import pytest

from pytest_wisebot import TriggerWorkflow, WorkflowRun, assert_failed, assert_result

TICKET = {"ticketId": "T-1", "message": "My card was charged twice, I need it back today"}


# The tests of this class look at one run, because of share=True; without it, each would have a run of its own. The run
# must take less than 20 seconds, without the time in the queue.
@pytest.mark.wisebot("triage", TICKET, share=True, max_seconds=20)
class TestTriage:
    def test_the_category(self, workflow_run: WorkflowRun) -> None:
        assert_result(workflow_run, {"category": "billing"})

    def test_the_priority(self, workflow_run: WorkflowRun) -> None:
        assert_result(workflow_run, {"priority": 1})

    # The closest marker holds, and it alone: this test has other inputs, a run of its own, and no limit.
    @pytest.mark.wisebot("triage", {"ticketId": "T-2"})
    def test_a_ticket_without_words(self, workflow_run: WorkflowRun) -> None:
        assert_failed(workflow_run, match="no message")


# The same by a call: a fixture of the class makes the run when the first of its tests needs it.
@pytest.fixture(scope="class")
def refund(trigger_workflow: TriggerWorkflow) -> WorkflowRun:
    return trigger_workflow("refund", {"ticketId": "T-1", "amount": 10})


class TestRefund:
    def test_the_amount(self, refund: WorkflowRun) -> None:
        assert_result(refund, {"refunded": 10})

    def test_the_currency(self, refund: WorkflowRun) -> None:
        assert_result(refund, {"currency": "EUR"})
