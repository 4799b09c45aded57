"""Start here: call a workflow, look at what came back.

``trigger_workflow`` is a fixture. Calling it runs the workflow and waits for its end; what it returns is the answer's
envelope with a few facts about the run. Where the run goes is not in the test: ``wisebot.toml`` and the options say it.
"""

from pydantic import BaseModel

from pytest_wisebot import TriggerWorkflow, assert_failed, assert_ok, assert_result


class Triage(BaseModel):
    """What the triage workflow promises to return."""

    ticketId: str  # noqa: N815 - the workflow's own spelling
    category: str
    priority: int


def test_a_billing_ticket_is_sorted(trigger_workflow: TriggerWorkflow) -> None:
    run = trigger_workflow("triage", {"ticketId": "T-1", "message": "I was charged twice"})

    # The workflow ran and succeeded. A failure shows its error, its runId, and the command that repeats the run.
    assert_ok(run)
    # A pydantic model (or any type that pydantic knows) validates the result and gives it back, parsed.
    assert assert_result(run, Triage).category == "billing"


def test_an_urgent_ticket_goes_first(trigger_workflow: TriggerWorkflow) -> None:
    run = trigger_workflow("triage", {"ticketId": "T-2", "message": "Where is my parcel? I need it today!"})

    # A mapping is compared in part: other keys may be there, too.
    assert_result(run, {"category": "shipping", "priority": 1})
    # The envelope is there as it came.
    assert run.run_id
    assert run.result["ticketId"] == "T-2"


def test_a_ticket_without_words_is_refused(trigger_workflow: TriggerWorkflow) -> None:
    run = trigger_workflow("triage", {"ticketId": "T-3", "message": ""})

    # A workflow that fails is a result like any other: ok is false. Only when there is no verdict at all, because
    # Wisebot was not reachable or refused the credential, an error is raised, and it says who must act.
    assert_failed(run, match="no message")
