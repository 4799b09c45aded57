"""A test that is known to fail now and then: it has an owner and an end, and closes no gate until then."""

import pytest

from pytest_wisebot import WorkflowRun, assert_result


# `[gate] max-quarantined` in wisebot.toml states how many failures of such tests a gate forgives.
@pytest.mark.wisebot(
    "triage",
    {"ticketId": "T-4", "message": "My tracking number does not log in"},
    quarantine="support team until 2099-12-31: two topics in one message, and the model picks either",
)
def test_two_topics(workflow_run: WorkflowRun) -> None:
    assert_result(workflow_run, {"category": "shipping"})
