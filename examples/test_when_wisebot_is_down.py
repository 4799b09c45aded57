"""What a test sees when there is no verdict: the emulator can be asked to misbehave.

You will not need such tests for your workflows. They show the difference that this plugin makes between "the workflow
is wrong" (a run with ``ok`` false) and "no verdict is possible" (an error). And they show that a run is never repeated
behind your back.
"""

import pytest

from pytest_wisebot import GatewayFailed, Settings, TriggerWorkflow, assert_ok
from pytest_wisebot.emulator import EmulatorHandle, Fault

INPUTS = {"ticketId": "T-1", "message": "I was charged twice"}


@pytest.fixture
def emulator(wisebot_settings: Settings, request: pytest.FixtureRequest) -> EmulatorHandle:
    """The emulator; against a real Wisebot these tests are skipped."""
    if wisebot_settings.emulator is None:
        pytest.skip("needs the emulator")
    handle: EmulatorHandle = request.getfixturevalue("wisebot_emulator")
    return handle


def test_too_many_requests_is_waited_out(trigger_workflow: TriggerWorkflow, emulator: EmulatorHandle) -> None:
    emulator.fail_next(Fault.rate_limited(retry_after=0.1))

    run = trigger_workflow("triage", INPUTS)

    # 429 without a runId means that no run was made, so it is safe to try again: two requests, one run.
    assert_ok(run)
    assert run.attempts == 2
    assert [call.ran for call in emulator.calls("triage")] == [False, True]


def test_a_failed_gateway_is_not_tried_again(trigger_workflow: TriggerWorkflow, emulator: EmulatorHandle) -> None:
    emulator.fail_next(Fault.html(502))

    # 502 may come after the run has happened, with its cost and its side effects: it is reported, not repeated.
    with pytest.raises(GatewayFailed):
        trigger_workflow("triage", INPUTS)
    assert len(emulator.calls("triage")) == 1
