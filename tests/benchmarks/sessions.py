"""Runs one process that is measured: a pytest session, or the bare gather. What it costs is read off from outside.

This process starts them and must stay small: on Linux a child's peak memory begins with its parent's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from common import environment

from pytest_wisebot.emulator.handle import Ready

CONFTEST = """
import json
import os
import resource
import time
from pathlib import Path

import pytest


class Clock:
    def __init__(self):
        self.start = self.first = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self):
        self.start = time.perf_counter()
        result = yield
        now, cpu = time.perf_counter(), time.process_time()
        first, cpu_first = self.first or (now, cpu)
        self.figures = {"loop": now - self.start, "before": first - self.start, "cpu": cpu - cpu_first}
        return result

    def pytest_runtest_logstart(self):
        if self.first is None:
            self.first = time.perf_counter(), time.process_time()

    def pytest_unconfigure(self):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        name = os.environ.get("PYTEST_XDIST_WORKER", "main")
        Path(f"figures-{name}.json").write_text(json.dumps({**self.figures, "peak": peak}))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session):
    result = yield
    session.config.pluginmanager.register(Clock(), "clock")  # the last one of all: its wrapper is the outermost
    return result
"""
"""Leaves a process's figures in its folder: among them the seconds before the first test, and the CPU seconds since."""

_BAGS = """
import json
from pathlib import Path

import pytest

BAGS = json.loads(Path(__file__).with_name("bags.json").read_text())
"""

OURS = f"""{_BAGS}
@pytest.mark.wisebot("wait")
@pytest.mark.parametrize("inputs", BAGS)
def test_run(workflow_run, inputs):
    assert workflow_run.result.items() >= inputs.items()
"""

PLAIN = f"""{_BAGS}
import os

import httpx

URL = os.environ["BENCHMARK_ORIGIN"] + "/workflows/trigger?workflowId=wait"


@pytest.fixture(scope="session")
def client():
    with httpx.Client(timeout=60, headers={{"Authorization": "Bearer " + os.environ["BENCHMARK_SECRET"]}}) as client:
        yield client


@pytest.mark.parametrize("inputs", BAGS)
def test_run(client, inputs):
    assert client.post(URL, json=inputs).json()["result"] == inputs
"""

EMPTY = f"""{_BAGS}
@pytest.mark.parametrize("inputs", BAGS)
def test_run(inputs):
    pass
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a process took.

    Attributes:
        loop: seconds of the run loop.
        before: those of them that passed before the first test.
        process: seconds of the whole process, from its start.
        cpu: seconds of CPU, user and system, of the process and its children.
        cpu_of_tests: those of them that were spent since the first test.
        peak: the most memory that it held, in MiB; of all its processes together.
    """

    loop: float
    before: float
    process: float
    cpu: float
    cpu_of_tests: float
    peak: float

    def times(self, factor: float) -> Figures:
        """With so many times the tests: what a session pays once is not multiplied. Nothing is known of the memory."""
        more = factor - 1
        of_tests = self.loop - self.before
        return replace(
            self,
            loop=self.loop + more * of_tests,
            process=self.process + more * of_tests,
            cpu=self.cpu + more * self.cpu_of_tests,
            cpu_of_tests=self.cpu_of_tests * factor,
        )


def bare(ready: Ready, folder: Path, bags: Sequence[Any], cap: int) -> Figures:
    """The bare gather."""
    return _measured(ready, folder, bags, [str(Path(__file__).with_name("bare_gather.py")), str(cap)])


def session(ready: Ready, folder: Path, bags: Sequence[Any], test: str, *options: str) -> Figures:
    """A session over a test module of this text, with a test for each bag.

    Args:
        ready: the emulator.
        folder: for the session's files.
        bags: the input bags, each with the seconds that its run takes.
        test: the module.
        options: of pytest; ``{BENCHMARK_ORIGIN}`` stands for the emulator's origin.
    """
    (folder / "pytest.ini").write_text("[pytest]\n", "utf-8")
    (folder / "conftest.py").write_text(CONFTEST, "utf-8")
    (folder / "test_runs.py").write_text(test, "utf-8")
    return _measured(ready, folder, bags, ["-m", "pytest", "-p", "no:randomly", *options])


def _measured(ready: Ready, folder: Path, bags: Sequence[Any], arguments: Sequence[str]) -> Figures:
    (folder / "bags.json").write_text(json.dumps(bags), "utf-8")
    for left in folder.glob("figures-*.json"):
        left.unlink()
    variables = {"BENCHMARK_ORIGIN": ready.origin, "BENCHMARK_SECRET": ready.secrets["wait"]}
    command = [sys.executable, *(argument.format(**variables) for argument in arguments)]
    process, cpu = run_process(command, folder, environment() | variables)
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("figures-*.json")}
    main = found["figures-main"]
    return Figures(
        loop=main["loop"],
        before=main["before"],
        process=process,
        cpu=cpu,
        cpu_of_tests=sum(one["cpu"] for one in found.values()),
        peak=sum(one["peak"] for one in found.values()),
    )


def run_process(command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> tuple[float, float]:
    """Seconds from the process's start to its end, and its seconds of CPU."""
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=variables, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            output.seek(0)
            raise SystemExit(output.read().decode(errors="replace")[-5000:])
    return seconds, usage.ru_utime + usage.ru_stime
