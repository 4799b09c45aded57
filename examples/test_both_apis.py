"""One test, two APIs: the webhook and the dashboard API must agree about a workflow."""

import pytest

from pytest_wisebot import Api, TriggerWorkflow, WorkflowRun, assert_envelope, assert_failed, assert_result


# Runs twice, as test_a_refund_is_paid[webhook] and [dashboard].
@pytest.mark.wisebot("refund", {"ticketId": "T-1"}, api="both")
def test_a_refund_is_paid(workflow_run: WorkflowRun) -> None:
    assert_result(workflow_run, {"refunded": 42.5, "currency": "EUR"})
    # The documented shape exactly: tells when the API itself has changed.
    assert_envelope(workflow_run)


# On a class (or a whole module) the marker holds for every test in it. It names no workflow here, so it speaks of what
# the tests call by trigger_workflow.
@pytest.mark.wisebot(api="both", timeout=60)
class TestRefusals:
    def test_more_than_was_paid(self, trigger_workflow: TriggerWorkflow, wisebot_api: Api) -> None:
        run = trigger_workflow("refund", {"ticketId": "T-2", "amount": 1000})

        assert run.api is wisebot_api
        assert_failed(run, match="too-much")

    def test_no_ticket(self, trigger_workflow: TriggerWorkflow) -> None:
        assert_failed(trigger_workflow("refund"))
