"""What the files of this folder share: an emulator that no session under test has started, and that counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import hypothesis  # noqa: F401  # its plugin loads it at the end of every session, and pytester forgets what a run loads
import pytest
from harness import Numbers, Outside, Project, Recorded

if TYPE_CHECKING:
    from pytest_wisebot.emulator import EmulatorHandle

COUNTED_FLOWS = """
    import random
    import threading
    import time
    from pathlib import Path
    from pytest_wisebot.emulator import Emulator, WorkflowFailure

    emulator = Emulator(token="wb_live_FAKE_token_of_the_emulator")

    @emulator.workflow("echo", secret="FAKE-secret-of-all")
    def echo(inputs):
        return inputs

    @emulator.workflow("refund", secret="FAKE-secret-of-all")
    def refund(inputs):
        raise WorkflowFailure({"reason": "unknown ticket"})

    @emulator.workflow("nap", secret="FAKE-secret-of-all")
    def nap(inputs):
        time.sleep(inputs.get("seconds", 0.2))
        return inputs

    @emulator.workflow("gate", secret="FAKE-secret-of-all")
    def gate(inputs):
        ends_at = time.monotonic() + 10
        while not Path(inputs["until"]).exists() and time.monotonic() < ends_at:
            time.sleep(0.005)
        return inputs

    dice = {}
    throwing = threading.Lock()

    @emulator.workflow("dice", secret="FAKE-secret-of-all")
    def throw(inputs):
        with throwing:
            thrown = dice.setdefault(inputs["whose"], random.Random(inputs["seed"])).random()
        if thrown < inputs["chance"]:
            raise WorkflowFailure("the dice said so")
        return inputs

    @emulator.workflow("locked", secret="FAKE-secret-that-no-test-has")
    def locked(inputs):
        return inputs
"""

COUNTED_TOML = """
    default-environment = "outside"

    [environments.outside]
    origin = "{origin}"
    base-url = "{base_url}"
    secret = "file:secret.txt"
    token = "file:token.txt"
"""

OUTSIDE = """
    import pathlib, time
    from pytest_wisebot.emulator import EmulatorHandle
    from pytest_wisebot.emulator.handle import Ready

    HERE = pathlib.Path(__file__).parent
    GATE = str(HERE / "open")
    emulator = EmulatorHandle(Ready(**{ready!r}))

    def open_gate():
        pathlib.Path(GATE).touch()

    def arrived():
        return [(call.inputs or {{}}).get("n") for call in emulator.calls(everywhere=True)]

    def answered():
        return [(call.inputs or {{}}).get("n") for call in emulator.calls(everywhere=True) if call.status == 200]

    def until(condition):
        ends_at = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < ends_at, arrived()
            time.sleep(0.005)
"""


@pytest.fixture(scope="session")
def counting(serve: Callable[[str], EmulatorHandle]) -> list[EmulatorHandle]:
    """The one emulator of all `outside` projects; none while the next project needs a new one."""
    return []


@pytest.fixture
def outside(
    empty_project: Project, counting: list[EmulatorHandle], serve: Callable[[str], EmulatorHandle]
) -> Iterator[Outside]:
    """A project whose environment is an emulator of another process, which has seen nothing yet."""
    if not counting:
        counting.append(serve(COUNTED_FLOWS))
    (handle,) = counting
    handle.reset(everywhere=True)
    empty_project.write("wisebot.toml", COUNTED_TOML.format(origin=handle.origin, base_url=handle.base_url))
    empty_project.write("secret.txt", "FAKE-secret-of-all")
    empty_project.write("token.txt", handle.token)
    empty_project.write("outside.py", OUTSIDE.format(ready=handle._ready.to_dict()))
    outside = Outside(empty_project, handle)
    yield outside
    (empty_project.path / "open").touch()
    # A new emulator is there sooner than what this one still does has ended; and nothing comes late to it.
    if outside.may_be_late or not outside.is_idle:
        counting.clear()


@pytest.fixture
def numbers() -> Numbers:
    """Gives the lines of the block "wisebot" at a session's end, its seconds told by a letter."""
    return _numbers


def _numbers(result: pytest.RunResult) -> list[str]:
    lines = result.outlines
    starts = [index for index, line in enumerate(lines) if re.fullmatch(r"=+ wisebot =+", line)]
    if not starts:
        return []
    assert len(starts) == 1
    rest = lines[starts[0] + 1 :]
    end = next(index for index, line in enumerate(rest) if re.match(r"[=!]{5}|-{5} generated", line))
    return [re.sub(r"\d+\.\d+ s\b", "S s", line) for line in rest[:end]]


@pytest.fixture
def recorded(empty_project: Any, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """A project whose tests compare snapshots."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # by which syrupy knows a worker: this one starts its own
    return Recorded(empty_project)
