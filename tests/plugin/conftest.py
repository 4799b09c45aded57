"""What the files of this folder share: an emulator that no session under test has started, and that counts."""

from __future__ import annotations

import json
import re
import textwrap
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import hypothesis  # noqa: F401  # its plugin loads it at the end of every session, and pytester forgets what a run loads
import pytest

from ..conftest import Project

if TYPE_CHECKING:
    from pytest_wisebot.emulator import Call, EmulatorHandle, Fault

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


QUIET_NEIGHBOURS = ("-p", "no:randomly", "-p", "no:asyncio")
"""Tests run in the order in which they are written, and errors show no foreign frames, whatever else is installed."""


class Outside:
    """A project that runs against an emulator of another process.

    Sessions come and go; what arrived there stays countable. The project's tests may look at it, too, and stay what
    they are: ``from outside import ...`` gives them ``arrived()`` and ``answered()`` (the input ``n`` of each call),
    ``until(condition)``, ``open_gate()`` and ``GATE`` (what the workflow ``gate`` waits for).
    """

    def __init__(self, project: Any, handle: EmulatorHandle) -> None:
        self.project = project
        self.handle = handle

    @property
    def calls(self) -> list[Call]:
        """Every request for a run, oldest first."""
        return self.handle.calls(everywhere=True)

    @property
    def arrived(self) -> list[Any]:
        """The input ``n`` of every request for a run, oldest first; None where there was none."""
        bags = [json.loads(call.body or "{}") for call in self.calls]
        return [bag.get("inputs", bag).get("n") for bag in bags]

    @staticmethod
    def rate_limited(seconds: float | None) -> Fault:
        """429, with so many seconds to wait; with None it does not say how many."""
        from pytest_wisebot.emulator import Fault

        return Fault.rate_limited(seconds)

    @property
    def is_idle(self) -> bool:
        """Whether no request for a run is under way in the emulator."""
        return not any(call.ran and call.status is None and call.fault is None for call in self.calls)

    def let_it_come_to_rest(self) -> None:
        """Ends what a session left behind in the emulator, and waits for it."""
        (self.project.path / "open").touch()
        ends_at = time.monotonic() + 5
        while not self.is_idle:
            assert time.monotonic() < ends_at, self.calls
            time.sleep(0.01)

    def test(self, *parts: str, name: str = "test_it.py") -> None:
        """Writes a test module of these parts, with this package's names and those of ``outside.py`` in scope."""
        self.project.test("from outside import *\n" + "".join(map(textwrap.dedent, parts)), name)

    def setting(self, line: str) -> None:
        """Adds a line to the environment in ``wisebot.toml``."""
        toml = self.project.path / "wisebot.toml"
        toml.write_text(f"{toml.read_text('utf-8')}{line}\n", "utf-8")

    def run(self, *args: str) -> pytest.RunResult:
        """Runs pytest in this process, without a cache."""
        result: pytest.RunResult = self.project.run(*QUIET_NEIGHBOURS, *args)
        return result

    def run_with_cache(self, *args: str) -> pytest.RunResult:
        """Runs pytest in this process; what it writes into its cache, the next session reads."""
        result: pytest.RunResult = self.project.pytester.runpytest_inprocess(*QUIET_NEIGHBOURS, *args)
        return result


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
    if not outside.is_idle:  # a new emulator is there sooner than what this one still does has ended
        counting.clear()


@pytest.fixture
def numbers() -> Callable[[pytest.RunResult], list[str]]:
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


class Recorded:
    """A project whose tests compare snapshots, without any environment: pytest is run on it, and its files are read."""

    def __init__(self, project: Any) -> None:
        self.project = project
        self.path = project.path

    def test(self, text: str, name: str = "test_it.py") -> None:
        """Writes a test module."""
        self.project.write(name, "import pytest\n" + textwrap.dedent(text))

    def run(self, *args: str) -> pytest.RunResult:
        """Runs pytest in this process, quietly."""
        result: pytest.RunResult = self.project.run("-q", *args)
        return result

    def update(self, *args: str) -> pytest.RunResult:
        """Runs pytest with ``--snapshot-update``."""
        return self.run("--snapshot-update", *args)

    @property
    def files(self) -> dict[str, str]:
        """The text of each snapshot, by its path."""
        found = sorted(self.path.rglob("__snapshots__/**/*"))
        return {path.relative_to(self.path).as_posix(): path.read_text("utf-8") for path in found if path.is_file()}

    @property
    def names(self) -> list[str]:
        """The paths of all snapshots below ``__snapshots__``."""
        return [path.partition("__snapshots__/")[2] for path in self.files]

    @staticmethod
    def said(result: pytest.RunResult) -> list[str]:
        """What syrupy says at the end."""
        lines = result.outlines
        start = next((at for at, line in enumerate(lines) if "snapshot report summary" in line), None)
        if start is None:
            return []
        end = next(at for at in range(start + 1, len(lines)) if re.match(r"={5}|!{5}|\d+ \w+|no tests ran", lines[at]))
        # A line "10 snapshots passed." begins with a number, too.
        while "snapshot" in lines[end]:
            end = next(at for at in range(end + 1, len(lines)) if re.match(r"={5}|!{5}|\d+ \w+", lines[at]))
        return [line for line in lines[start + 1 : end] if line]

    @staticmethod
    def shown(result: pytest.RunResult) -> list[str]:
        """The lines of the failures that begin with E, and those of the sections about snapshots."""
        lines, kept, section = result.outlines, [], False
        for line in lines:
            if re.match(r"-+ snapshot __", line):
                section = True
                kept.append(line.strip("- "))
            elif re.match(r"[-=_]{5}", line):
                section = False
            elif section:
                kept.append(line)
            elif line.startswith("E  "):
                kept.append(line.removeprefix("E  ").strip().removeprefix("AssertionError: "))
        return kept


@pytest.fixture
def recorded(empty_project: Any, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """A project whose tests compare snapshots."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # by which syrupy knows a worker: this one starts its own
    return Recorded(empty_project)
