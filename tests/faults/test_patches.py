"""What one test patches, in whatever way, reaches no other test's run: neither its clock, its sockets nor its files."""

from __future__ import annotations

import json
import textwrap
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from harness import Project

FLOWS = """
    import time
    from pytest_wisebot.emulator import Emulator

    emulator = Emulator()

    @emulator.workflow("nap", secret="FAKE-secret-of-nap")
    def nap(inputs):
        time.sleep(0.1)
        return inputs
"""

TOML = """
    [environments.local]
    emulator = "flows:emulator"

    [gate]
    allow-emulator = true
"""

INNOCENT = """
    import datetime, time

    NOW, EARLIER = datetime.datetime.now(datetime.UTC), 1000.0
    really_sleep = time.sleep

    @pytest.mark.wisebot("nap", {"first": True}, max_seconds=60)
    def test_first(workflow_run):
        assert_ok(workflow_run)

    def test_unit(patched):
        really_sleep(0.6)

    @pytest.mark.wisebot("nap", max_seconds=60, timeout=60)
    @pytest.mark.parametrize("inputs", [{"n": n} for n in range(9)])
    def test_innocent(workflow_run, inputs):
        assert_result(workflow_run, inputs)
        assert 0.09 < workflow_run.elapsed < 60
        assert abs((workflow_run.started_at - NOW).total_seconds()) < EARLIER

    def test_called(trigger_workflow):
        assert_result(trigger_workflow("nap", {"called": 1}), {"called": 1})
"""

PATCHES: dict[str, tuple[list[str], str]] = {
    "freezegun": ([], """
        @pytest.fixture
        def patched():
            from freezegun import freeze_time
            with freeze_time("2035-01-01"):
                yield
    """),
    "freezegun-past": ([], """
        @pytest.fixture
        def patched():
            from freezegun import freeze_time
            with freeze_time("1970-01-02", tick=True):
                yield
    """),
    "time_machine": ([], """
        @pytest.fixture
        def patched():
            import time_machine
            with time_machine.travel("2035-01-01", tick=False):
                yield
    """),
    "respx": (["-p", "respx"], "patched = pytest.fixture(lambda respx_mock: None)"),
    "pytest_socket": (["-p", "socket"], "patched = pytest.fixture(lambda socket_disabled: None)"),
    "pyfakefs": (["-p", "fakefs"], "patched = pytest.fixture(lambda fs: None)"),
    "time": ([], """
        @pytest.fixture
        def patched(monkeypatch):
            import asyncio, time

            async def no_sleep(*_):
                pass

            for name in ("monotonic", "perf_counter", "time", "time_ns"):
                monkeypatch.setattr(time, name, lambda: 0.0)
            monkeypatch.setattr(time, "sleep", lambda _: None)
            monkeypatch.setattr(asyncio, "sleep", no_sleep)
    """),
    "socket": ([], """
        @pytest.fixture
        def patched(monkeypatch):
            import asyncio, socket

            def refuse(*_, **__):
                raise RuntimeError("no network in unit tests")

            for name in ("socketpair", "getaddrinfo", "gethostbyname", "create_connection"):
                monkeypatch.setattr(socket, name, refuse)
            for name in ("connect", "send", "recv", "setblocking"):
                monkeypatch.setattr(socket.socket, name, refuse, raising=False)
            monkeypatch.setattr(socket, "socket", refuse)
    """),
    "open": ([], """
        @pytest.fixture
        def patched(monkeypatch):
            import builtins, io, os, pathlib

            def refuse(*_, **__):
                raise PermissionError(13, "no files in unit tests")

            monkeypatch.setattr(builtins, "open", refuse)
            monkeypatch.setattr(io, "open", refuse)
            for name in ("open", "write", "replace", "mkdir", "unlink"):
                monkeypatch.setattr(os, name, refuse)
            for name in ("open", "write_text", "read_bytes", "mkdir", "exists"):
                monkeypatch.setattr(pathlib.Path, name, refuse)
            yield
            monkeypatch.undo()  # pytest itself writes files
    """),
    "json": ([], """
        @pytest.fixture
        def patched(monkeypatch):
            import json

            monkeypatch.setattr(json, "dumps", lambda *_, **__: "{}")
            monkeypatch.setattr(json, "loads", lambda *_, **__: {})
    """),
}  # fmt: skip
"""By the name: the options that load a plugin, and the fixture ``patched``, in force for one test."""

ARGS = ("--wisebot-concurrency=2", "--wisebot-env=local", "--wisebot-gate", "--wisebot-report=out")


def is_absent(name: str) -> bool:
    """Whether a patch needs a package that is not installed: those of the extra ``test-patches``."""
    module = name.partition("-")[0]
    return module in ("freezegun", "time_machine", "respx", "pytest_socket", "pyfakefs") and find_spec(module) is None


def events(folder: Path) -> list[dict[str, Any]]:
    (log,) = folder.rglob("*.jsonl")
    return [json.loads(line) for line in log.read_text("utf-8").splitlines()]


def write(project: Project, *names: str) -> list[str]:
    """Writes a folder of tests for each patch, and returns the options that load its plugin."""
    project.write("flows.py", FLOWS)
    project.write("wisebot.toml", TOML)
    for name in names:
        project.write(f"{name}/conftest.py", "import pytest\n" + textwrap.dedent(PATCHES[name][1]))
        project.test(INNOCENT, f"{name}/test_{name}.py")
    return [option for name in names for option in PATCHES[name][0]]


def check(project: Project, result: pytest.RunResult, modules: int) -> None:
    assert result.ret == 0, result.stdout.str()
    result.assert_outcomes(passed=12 * modules)
    logged = events(project.path / "out")
    runs = [event for event in logged if event["event"] == "run"]
    assert [run["outcome"] for run in runs] == ["ok"] * 11 * modules
    assert all(0.09 < run["seconds"] < 60 for run in runs)
    assert all(0 <= event["seconds"] < 60 for event in logged if event["event"] == "test")
    kept = [event for event in events(project.path / ".wisebot") if event["event"] == "run"]
    assert [run["run"] for run in kept] == [run["run"] for run in runs]


@pytest.mark.parametrize("name", PATCHES)
def test_a_patch_of_one_test_reaches_no_run(project: Project, name: str) -> None:
    """Declared runs fly, end and are kept while another test has replaced clocks, sockets, files or libraries."""
    if is_absent(name):
        pytest.skip(f"needs {name.partition('-')[0]}: python -m pip install -e .[test-patches]")
    result = project.run_apart(*write(project, name), *ARGS)
    check(project, result, 1)


def test_no_patch_reaches_a_run_under_xdist(project: Project) -> None:
    """The same with workers: their own clocks, sockets and files are patched, and so are the messages' JSON."""
    names = [name for name in PATCHES if not is_absent(name)]
    result = project.run_apart(*write(project, *names), "-n", "2", *ARGS)
    check(project, result, len(names))
