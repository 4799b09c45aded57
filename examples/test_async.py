"""Async tests: a run that was started can be awaited, under asyncio and under trio.

These tests use the plugin of anyio, which is installed with pytest-wisebot. Under pytest-asyncio the tests look the
same, with ``@pytest.mark.asyncio`` in the place of ``@pytest.mark.anyio``, and without the first fixture.
"""

import asyncio

import pytest

from pytest_wisebot import TriggerWorkflow, WorkflowRun, assert_ok, assert_result

pytestmark = pytest.mark.anyio

TEXT = "The parcel was left at the wrong door. The neighbour found it on Tuesday. The customer is content."


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_run_is_awaited(trigger_workflow: TriggerWorkflow) -> None:
    # start() returns at once, and the event loop goes on while the run does. A call without start() would block it.
    run = await trigger_workflow.start("triage", {"ticketId": "T-1", "message": "I was charged twice"})

    assert_result(run, {"category": "billing"})


async def test_runs_beside_other_work(trigger_workflow: TriggerWorkflow) -> None:
    async def shop() -> str:
        await asyncio.sleep(0.01)
        return "open"

    triage = trigger_workflow.start("triage", {"ticketId": "T-2", "message": "Where is my parcel?"})
    summary = trigger_workflow.start("summarise", {"text": TEXT})

    assert await shop() == "open"
    assert_result(await triage, {"category": "shipping"})
    assert_ok(await summary)


# A declared run needs no await: it has ended when the test begins.
@pytest.mark.wisebot("refund", {"ticketId": "T-2"})
async def test_a_declared_run(workflow_run: WorkflowRun) -> None:
    assert_result(workflow_run, {"refunded": 18})
