"""The types of the fixtures: projects on disk, on which pytest is run."""

from __future__ import annotations

import json
import os
import re
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_wisebot.emulator import Call, EmulatorHandle, Fault

Numbers = Callable[[pytest.RunResult], list[str]]
"""Gives the lines of the block "wisebot" at a session's end."""

QUIET_NEIGHBOURS = tuple(
    f"-pno:{name}" for name in ("randomly", "asyncio", "fakefs", "respx", "socket", "time_machine")
)
"""Tests run in the order in which they are written, and errors show no foreign frames, whatever else is installed."""


class Project:
    """A user's project: files, and pytest run on them."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.path = pytester.path
        self._written = 0

    def write(self, name: str, text: str) -> Path:
        """Writes a file, its indentation taken out."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), "utf-8")
        # Python, and pytest before 9.2, know bytecode by its source's size and full second, which two texts may share.
        self._written += 1
        os.utime(path, (now := time.time() + self._written, now))
        return path

    def edit(self, name: str, old: str, new: str) -> Path:
        """Changes a part of a file."""
        text = (self.path / name).read_text("utf-8")
        assert old in text
        return self.write(name, text.replace(old, new))

    def test(self, text: str, name: str = "test_it.py") -> Path:
        """Writes a test module with this package's names and pytest in scope."""
        return self.write(name, "import pytest\nfrom pytest_wisebot import *\n" + textwrap.dedent(text))

    def run(self, *args: str) -> pytest.RunResult:
        """Runs pytest in this process."""
        return self.pytester.runpytest_inprocess("-p", "no:cacheprovider", *args)

    def run_apart(self, *args: str) -> pytest.RunResult:
        """Runs pytest in a process of its own."""
        return self.pytester.runpytest_subprocess(*args)


@dataclass(frozen=True)
class ByHand:
    """An emulator that serves `FLOWS` and that the session under test knows by its hosts alone."""

    origin: str
    base_url: str
    expired: str

    @property
    def hosts(self) -> list[str]:
        """The options that point a session at it."""
        return ["--wisebot-origin", self.origin, "--wisebot-base-url", self.base_url]


class Outside:
    """A project that runs against an emulator of another process.

    Sessions come and go; what arrived there stays countable. The project's tests may look at it, too, and stay what
    they are: ``from outside import ...`` gives them ``arrived()`` and ``answered()`` (the input ``n`` of each call),
    ``until(condition)``, ``open_gate()`` and ``GATE`` (what the workflow ``gate`` waits for).
    """

    def __init__(self, project: Project, handle: EmulatorHandle) -> None:
        self.project = project
        self.handle = handle
        self.may_be_late = False
        """A session has ended while its requests were on their way: they may arrive when it is over."""

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
        return self._noted(self.project.run(*QUIET_NEIGHBOURS, *args))

    def run_with_cache(self, *args: str) -> pytest.RunResult:
        """Runs pytest in this process; what it writes into its cache, the next session reads."""
        return self._noted(self.project.pytester.runpytest_inprocess(*QUIET_NEIGHBOURS, *args))

    def _noted(self, result: pytest.RunResult) -> pytest.RunResult:
        self.may_be_late |= any(
            re.search("sent (and not awaited|ahead and not needed)", one) for one in result.outlines
        )
        return result


class Recorded:
    """A project whose tests compare snapshots, without any environment: pytest is run on it, and its files are read."""

    def __init__(self, project: Project) -> None:
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

    def update_once(self, made: dict[str, str]) -> None:
        """Records the snapshots, or writes those that an equal project has recorded, which `made` keeps."""
        if not made:
            self.update()
            made.update(self.files)
        for name, text in made.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")

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
