from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_wisebot.emulator import EmulatorHandle
from pytest_wisebot.engine.engine import Engine
from pytest_wisebot.redaction import Redactor
from pytest_wisebot.runs import Api, RunRequest, WorkflowRun
from pytest_wisebot.settings import Settings, Workflow

FLOWS = """
    from pytest_wisebot.emulator import Emulator

    emulator = Emulator(token="wb_live_FAKE_token_of_the_emulator")

    @emulator.workflow("echo", secret="FAKE-secret-of-echo")
    def echo(inputs):
        return inputs
"""

Ask = Callable[..., WorkflowRun]


@pytest.fixture(scope="session")
def emulator(serve: Callable[[str], EmulatorHandle]) -> EmulatorHandle:
    """One emulator in a process of its own."""
    return serve(FLOWS)


@pytest.fixture
def settings(emulator: EmulatorHandle) -> Settings:
    """Settings for both APIs of the emulator, with short limits."""
    emulator.reset(everywhere=True)
    settings = Settings(
        timeout=5.0, connect_timeout=1.0, max_response_mib=1, workflows={"echo": Workflow("echo", "echo")}
    )
    return settings.replace(
        origin=emulator.origin, base_url=emulator.base_url, secret="FAKE-secret-of-echo", token=emulator.token
    )


@pytest.fixture
def ask(settings: Settings) -> Iterator[Ask]:
    """Runs ``echo`` once through a real engine; keyword arguments change the settings."""
    engines: list[Engine] = []

    def run(api: Api = Api.WEBHOOK, timeout: float | None = None, **changes: Any) -> WorkflowRun:
        idempotent = changes.pop("idempotent", False)
        workflows = {"echo": Workflow("echo", "echo", idempotent=idempotent)}
        changed = settings.replace(**changes) if changes else settings
        engine = Engine(dataclasses.replace(changed, workflows=workflows), Redactor())
        engines.append(engine)
        return engine.submit(RunRequest("echo", {"a": 1}, api, timeout)).wait(30)

    yield run
    for engine in engines:
        engine.close()
