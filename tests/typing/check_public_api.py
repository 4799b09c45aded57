"""Type-checked, never run: what a user's annotations may rely on."""

from __future__ import annotations

from typing import Any, assert_type

import pytest
from pydantic import BaseModel

from pytest_wisebot import (
    Api,
    InfrastructureError,
    PendingRun,
    Settings,
    TriggerWorkflow,
    WorkflowRun,
    WorkflowSnapshot,
    assert_envelope,
    assert_failed,
    assert_ok,
    assert_result,
)
from pytest_wisebot.emulator import Emulator, EmulatorHandle, Fault, WorkflowFailure


class Triage(BaseModel):
    category: str


def check_runs(trigger_workflow: TriggerWorkflow, workflow_run: WorkflowRun, wisebot_api: Api) -> None:
    run = trigger_workflow("triage", {"a": 1}, api="dashboard", timeout=5, secret="env:TRIAGE_SECRET")
    assert_type(run, WorkflowRun)
    assert_type(trigger_workflow.start("triage", api=wisebot_api), PendingRun)
    assert_type(trigger_workflow.start("triage").wait(timeout=1.0), WorkflowRun)
    assert_type(trigger_workflow.map("triage", [{"a": 1}, None]), list[WorkflowRun])
    trigger_workflow("triage", api="webhok")  # type: ignore[arg-type]
    trigger_workflow.start("triage", api="both")  # type: ignore[arg-type]
    trigger_workflow.map("triage", [], api="Dashboard")  # type: ignore[arg-type]
    assert_type(run.result_as(Triage), Triage)
    assert_type(run.result_as(list[int]), list[int])
    assert_type(workflow_run.run_id, str | None)
    assert_type(WorkflowRun.from_dict(run.to_dict()), WorkflowRun)


async def check_await(trigger_workflow: TriggerWorkflow) -> None:
    assert_type(await trigger_workflow.start("triage"), WorkflowRun)


def check_assertions(run: WorkflowRun) -> None:
    assert_type(assert_result(run, Triage), Triage)
    assert_type(assert_result(run, list[int]), list[int])
    assert_type(assert_result(run, {"category": "billing"}), Any)
    assert_ok(run)
    assert_failed(run, match="unknown")
    assert_envelope(run)


def check_snapshots(run: WorkflowRun, workflow_snapshot: WorkflowSnapshot) -> None:
    assert run == workflow_snapshot
    assert_type(workflow_snapshot(name="n", rules={"a": object()}, exclude=["b"], failed=True), WorkflowSnapshot)
    assert_type(workflow_snapshot(exclude="b", shape=True), WorkflowSnapshot)
    workflow_snapshot(rule={})  # type: ignore[arg-type]


def check_errors(error: InfrastructureError) -> None:
    assert_type(error.attempted.attempts, int)
    if error.answer is not None:
        assert_type(error.answer.status_code, int)


def pytest_wisebot_settings(config: pytest.Config, settings: Settings) -> Settings | None:
    assert_type(settings.origin, str | None)
    return settings.replace(origin="https://preview.example", secret="FAKE-secret")


emulator = Emulator(token="wb_live_FAKE_token")


@emulator.workflow("triage", secret="FAKE-secret", inputs=("ticketId",), latency=0.1)
def triage(ticketId: str) -> dict[str, str]:  # noqa: N803
    raise WorkflowFailure("no")


assert_type(triage("T-1"), dict[str, str])


def check_emulator(wisebot_emulator: EmulatorHandle) -> None:
    wisebot_emulator.fail_next(Fault.rate_limited(retry_after=1), times=2, workflow="triage", everywhere=True)
    assert_type([call.ran for call in wisebot_emulator.calls("triage")], list[bool])
