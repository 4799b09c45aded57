"""The fixtures. Each uses the session's one object, which is made on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ..emulator import EmulatorHandle
    from ..runs import Api, WorkflowRun
    from ..settings import Settings
    from ..snapshots.assertion import WorkflowSnapshot
    from .item_session import WisebotSession
    from .trigger import TriggerWorkflow


def _session(request: pytest.FixtureRequest) -> WisebotSession:
    __tracebackhide__ = True
    from .item_lifecycle import session_for

    return session_for(request)


@pytest.fixture(scope="session")
def trigger_workflow(request: pytest.FixtureRequest) -> TriggerWorkflow:
    """Runs a workflow: call it with a name and inputs, or use its ``start`` and ``map``.

    Called in a test it uses that test's API, called in a fixture of higher scope the default one.
    """
    __tracebackhide__ = True
    from .trigger import TriggerWorkflow

    return TriggerWorkflow(_session(request))


@pytest.fixture
def workflow_run(request: pytest.FixtureRequest, wisebot_api: Api) -> WorkflowRun:
    """The run that the test's ``wisebot`` marker declares, ended."""
    __tracebackhide__ = True
    from .trigger import run_declared

    return run_declared(_session(request), request, wisebot_api)


@pytest.fixture
def workflow_snapshot(request: pytest.FixtureRequest) -> WorkflowSnapshot:
    """What was recorded: ``assert run == workflow_snapshot`` compares a run, or any JSON value, with its snapshot.

    Call it to say more of one comparison: ``name=``; ``rules=``, paths and what the values there must equal;
    ``exclude=``, paths that are left out. ``shape=True`` compares types alone; ``failed=True`` records a failed run.
    ``--snapshot-update`` records.
    """
    __tracebackhide__ = True
    from .snapshot_fixture import snapshot_for

    return snapshot_for(request, _session)


@pytest.fixture
def wisebot_api(request: pytest.FixtureRequest) -> Api:
    """The API of this test: ``Api.WEBHOOK`` or ``Api.DASHBOARD``; a parameter where both are named."""
    __tracebackhide__ = True
    from ..runs import Api
    from .markers import declared, not_parametrised

    named = getattr(request, "param", None) or declared(request.node).api
    if named == "both":
        raise not_parametrised(request.node)
    return Api(named) if named else _session(request).settings.api


@pytest.fixture(scope="session")
def wisebot_settings(request: pytest.FixtureRequest) -> Settings:
    """The settings in force, after options, ``wisebot.toml`` and environment variables; read-only."""
    __tracebackhide__ = True
    return _session(request).target


@pytest.fixture(scope="session")
def wisebot_emulator(request: pytest.FixtureRequest) -> EmulatorHandle:
    """The running emulator: what arrived there, and faults on demand.

    ``calls``, ``fail_next`` and ``reset`` concern the requesting test's own runs unless ``everywhere=True``.
    """
    __tracebackhide__ = True
    return _session(request).emulator()
