"""What one test patches, in whatever way, reaches no other test's run: neither its clock, its sockets nor its files."""

from __future__ import annotations

import json
import os
import shutil
import textwrap
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from harness import Project

from pytest_wisebot import ConfigurationError
from pytest_wisebot.event_log import EventLog
from pytest_wisebot.report.gate import build
from pytest_wisebot.report.log_reader import read_log
from pytest_wisebot.report.output import block, read_baseline, write_reports

if TYPE_CHECKING:
    from pytest_wisebot.emulator import EmulatorHandle

heavy = pytest.mark.heavy  # of several processes that cannot be forked, or of several sessions with workers

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
        really_sleep(0.3)

    @pytest.mark.wisebot("nap", max_seconds=60, timeout=60)
    @pytest.mark.parametrize("inputs", [{"n": n} for n in range(5)])
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
    result.assert_outcomes(passed=8 * modules)
    logged = events(project.path / "out")
    runs = [event for event in logged if event["event"] == "run"]
    assert [run["outcome"] for run in runs] == ["ok"] * 7 * modules
    assert all(0.09 < run["seconds"] < 60 for run in runs)
    assert all(0 <= event["seconds"] < 60 for event in logged if event["event"] == "test")
    kept = [event for event in events(project.path / ".wisebot") if event["event"] == "run"]
    assert [run["run"] for run in kept] == [run["run"] for run in runs]


PRESENT = [name for name in PATCHES if not is_absent(name)]


@pytest.mark.parametrize("name", PATCHES)
def test_each_patch_is_made(name: str) -> None:
    """None of the patches is left out of the sessions below without a word."""
    if is_absent(name):
        pytest.skip(f"needs {name.partition('-')[0]}: python -m pip install -e .[test-patches]")
    assert name in PRESENT


def test_a_patch_of_one_test_reaches_no_run(project: Project) -> None:
    """Declared runs fly, end and are kept while another test has replaced clocks, sockets, files or libraries."""
    # One run at once, so that in each folder some are still to be made while its patch is in force.
    result = project.run_apart(*write(project, *PRESENT), *ARGS, "--wisebot-concurrency=1")
    check(project, result, len(PRESENT))


def test_no_patch_reaches_a_run_under_xdist(project: Project) -> None:
    """The same with workers: their own clocks, sockets and files are patched, and so are the messages' JSON."""
    result = project.run_apart(*write(project, *PRESENT), "-n", "2", *ARGS)
    check(project, result, len(PRESENT))


FIRST = """
    def test_unit(patched, trigger_workflow):
        assert_result(trigger_workflow("nap", {"n": 1}), {"n": 1})
        with pytest.raises(RunTimedOut):
            trigger_workflow("nap", {"seconds": 20}, timeout=0.5)

    def test_called(trigger_workflow):
        assert_result(trigger_workflow("nap", {"n": 2}), {"n": 2})
"""


@pytest.mark.parametrize("name", ["freezegun", "pyfakefs", "socket"])
@heavy
@pytest.mark.usefixtures("real_processes")
def test_the_first_run_of_all_may_be_made_within_a_patch(project: Project, name: str) -> None:
    """Emulator and engine start within the patched test, a run there has its own deadline, and later runs are made."""
    if is_absent(name):
        pytest.skip(f"needs {name}: python -m pip install -e .[test-patches]")
    options = write(project, name)
    project.write("flows.py", FLOWS.replace("sleep(0.1)", 'sleep(inputs.get("seconds", 0.1))'))
    project.test(FIRST, f"{name}/test_{name}.py")
    result = project.run_apart(*options, "--wisebot-env=local")
    result.assert_outcomes(passed=2)
    assert "could not be kept" not in result.stdout.str()
    kept = [event for event in events(project.path / ".wisebot") if event["event"] == "run"]
    assert [run["outcome"] for run in kept] == ["ok", "infrastructure", "ok"]


COMPARED = """
    @pytest.mark.parametrize("n", [1, 2])
    def test_it(patched, trigger_workflow, workflow_snapshot, n):
        assert trigger_workflow("nap", {"n": n}) == workflow_snapshot
"""


OUTSIDE = """
    [environments.outside]
    origin = "{origin}"
    secret = "env:NAP_SECRET"
"""


def test_snapshots_and_kept_runs_are_read_within_a_patch(
    project: Project, serve: Callable[[str], EmulatorHandle], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test with its own clock, files or JSON compares with the real snapshot, and takes the last session's run."""
    names = [name for name in ("freezegun", "pyfakefs", "json") if name in PRESENT]
    monkeypatch.setenv("NAP_SECRET", "FAKE-secret-of-nap")
    options = [*write(project, *names), "--wisebot-env=outside"]
    # No emulator of the session's own: within a patch no process can be forked, and to start one takes a second.
    project.write("wisebot.toml", OUTSIDE.format(origin=serve(FLOWS).origin))

    def run(test: str, *args: str) -> None:
        for name in names:
            project.test(test, f"{name}/test_{name}.py")
        result = project.run_apart(*options, *args)
        result.assert_outcomes(passed=2 * len(names))
        assert result.ret == 0

    run(COMPARED.replace("patched, ", ""), "--snapshot-update")
    for mode in ("live", "last", "resume"):
        run(COMPARED, f"--wisebot-runs={mode}")
    folders = [*project.path.rglob("__snapshots__")]
    assert len(folders) == len(names)
    for folder in folders:
        shutil.rmtree(folder)
    run(COMPARED, "--snapshot-update")
    assert [len([*folder.rglob("*.json")]) for folder in folders] == [2] * len(names)


@heavy
@pytest.mark.usefixtures("real_processes")
def test_a_test_that_fails_without_sockets_shows_the_emulator_s_log(project: Project) -> None:
    """A guard of the failing test keeps neither the session nor the traceback of the workflow from being shown."""
    project.write("flows.py", FLOWS.replace("return inputs", "raise ZeroDivisionError('inside')"))
    project.write("wisebot.toml", TOML)
    fixture = textwrap.dedent(PATCHES["socket"][1])
    project.test(fixture + "\ndef test_it(patched, trigger_workflow):\n    assert_ok(trigger_workflow('nap'))\n")
    result = project.run_apart("--wisebot-env=local")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*raise ZeroDivisionError('inside')"])


GUARDED = """
    DECLARED = pytest.mark.wisebot("nap", {"n": 1})

    def test_called(trigger_workflow):
        assert trigger_workflow("nap", {"n": 2}).ok

    @DECLARED
    def test_declared(workflow_run):
        assert workflow_run.ok

    @DECLARED
    @pytest.mark.enable_socket
    def test_enabled(workflow_run, trigger_workflow):
        assert workflow_run.ok and trigger_workflow("nap").ok

    @pytest.mark.allow_hosts(["127.0.0.0/8"])
    def test_allowed(trigger_workflow):
        assert trigger_workflow("nap", {"n": 3}).ok

    @pytest.mark.allow_hosts(["192.0.2.1"])
    def test_of_another_host(trigger_workflow):
        assert trigger_workflow("nap", {"n": 4}).ok
"""


@pytest.mark.skipif(is_absent("pytest_socket"), reason="needs pytest-socket: python -m pip install -e .[test-patches]")
@pytest.mark.parametrize("workers", [[], pytest.param(["-n", "1"], marks=heavy)], ids=["one process", "a worker"])
def test_a_guard_of_the_whole_session_holds_for_runs(project: Project, workers: list[str]) -> None:
    """Only tests that are let out, and hosts that are allowed, get runs; the others' error names guard and way out."""
    project.write("flows.py", FLOWS)
    project.write("wisebot.toml", TOML)
    project.test(GUARDED)
    args = ["-p", "socket", "--wisebot-env=local", "--wisebot-report=out", *workers]
    result = project.run_apart(*args, "--disable-socket")
    why = "lets no run be made to 127.0.0.1: allow the host (--allow-hosts=127.0.0.1), or mark the test with"
    ends = {
        event["test"].partition("::")[2]: event for event in events(project.path / "out") if event["event"] == "test"
    }
    assert {name for name, end in ends.items() if end["outcome"] == "passed"} == {"test_enabled", "test_allowed"}
    assert "please report" not in result.stdout.str()
    assert f"ConfigurationError: --disable-socket {why} @pytest.mark.enable_socket" in result.stdout.str()
    assert sum(event["event"] == "run" and event["outcome"] == "ok" for event in events(project.path / "out")) == 3
    result = project.run_apart(*args, "--disable-socket", "--allow-hosts=192.0.2.9,localhost")
    assert result.parseoutcomes()["passed"] == 4  # the mark of one test names another host
    assert "ConfigurationError: --allow-hosts=192.0.2.9,localhost lets no run be made" in result.stdout.str()


@pytest.mark.skipif(is_absent("pytest_socket"), reason="needs pytest-socket: python -m pip install -e .[test-patches]")
@pytest.mark.parametrize("workers", [[], pytest.param(["-n", "1"], marks=heavy)], ids=["one process", "a worker"])
def test_kept_runs_need_no_socket(project: Project, workers: list[str]) -> None:
    """With ``--disable-socket`` the runs of recordings and of the last session are there, declared or called for."""
    project.write("flows.py", FLOWS)
    project.write("wisebot.toml", TOML)
    project.test(GUARDED)
    args = ["-p", "socket", "--wisebot-env=local", *workers]
    project.run_apart(*args, "--wisebot-runs=record").assert_outcomes(passed=5)
    for mode in ("replay", "last"):
        project.run_apart(*args, "--disable-socket", f"--wisebot-runs={mode}").assert_outcomes(passed=5)
    called = ["--disable-socket", "--wisebot-runs=replay", "-k", "test_called"]
    project.run_apart(*args, *called).assert_outcomes(passed=1)


def test_a_recording_that_is_gone_is_not_counted_as_made(project: Project) -> None:
    """A test that removes the folder leaves no line behind that says its runs were recorded."""
    project.write("flows.py", FLOWS)
    project.write("wisebot.toml", TOML)
    project.test("""
        import pathlib, shutil

        def test_it(trigger_workflow, request):
            trigger_workflow("nap", {"n": 1})
            shutil.rmtree(request.config.rootpath / "recordings")
            trigger_workflow("nap", {"n": 2})
    """)
    result = project.run("--wisebot-env=local", "--wisebot-runs=record")
    result.stdout.fnmatch_lines(["1 run recorded in recordings", "1 run recorded, and gone: something has removed *"])


CLOSES = """
    import os, stat, time

    def is_ours(descriptor):
        try:
            mode = os.fstat(descriptor).st_mode
        except OSError:
            return False
        return stat.S_ISSOCK(mode) or "eventpoll" in os.readlink(f"/proc/self/fd/{descriptor}")

    def test_closes(trigger_workflow):
        pending = trigger_workflow.start("nap", {"seconds": 30})
        time.sleep(0.3)
        for descriptor in filter(is_ours, range(3, 256)):
            os.close(descriptor)
        with pytest.raises(ConnectionLost, match="os.closerange"):
            pending.wait()

    def test_next(trigger_workflow):
        with pytest.raises(Cancelled, match="os.closerange"):
            trigger_workflow("nap")
"""


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to find the descriptors")
@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["one process", "a worker"])
@heavy
@pytest.mark.usefixtures("real_processes")  # a forked one has a descriptor more
def test_a_run_whose_descriptors_a_test_has_closed_ends(project: Project, workers: list[str]) -> None:
    """The run in flight and every later one end at once, in an error that names the reason, as does the session."""
    project.write("flows.py", FLOWS.replace("sleep(0.1)", 'sleep(inputs.get("seconds", 0.1))'))
    project.write("wisebot.toml", TOML)
    project.test(CLOSES)
    result = project.run_apart("--wisebot-env=local", *workers)
    result.assert_outcomes(passed=2)
    assert result.ret == 0


def test_a_log_whose_descriptor_a_test_has_closed_goes_on(tmp_path: Path) -> None:
    """It is opened anew, and nothing is written into a file that has its descriptor by now."""
    log = EventLog(tmp_path / "events.jsonl")
    log.write(b"1\n")
    os.close(log._descriptor)
    with (tmp_path / "another").open("wb") as another:
        assert another.fileno() == log._descriptor
        log.write(b"2\n")
        os.close(log._descriptor)
        with (tmp_path / "third").open("wb") as third:
            assert third.fileno() == log._descriptor
            log.replace_first(b"0\n")
            log.check()
            log.write(b"3\n")
            log.close()
        assert (tmp_path / "third").read_bytes() == b""
    assert (tmp_path / "events.jsonl").read_bytes() == b"0\n2\n3\n"
    assert (tmp_path / "another").read_bytes() == b""


def test_a_closed_log_is_not_written_into_another_file(tmp_path: Path) -> None:
    """Where the file has been replaced as well, the log ends in an error, and the other file stays as it is."""
    log = EventLog(tmp_path / "events.jsonl")
    os.close(log._descriptor)
    (tmp_path / "events.jsonl").rename(tmp_path / "moved")
    (tmp_path / "events.jsonl").write_bytes(b"another\n")
    with pytest.raises(OSError, match="another file stands in its place"):
        log.write(b"1\n")
    with pytest.raises(ConfigurationError, match="was removed or replaced during the session"):
        log.replace_first(b"1\n")
    log.close()
    assert (tmp_path / "events.jsonl").read_bytes() == b"another\n"


def test_the_last_session_is_the_last_one_by_whatever_clock(project: Project) -> None:
    """A session that was made under a moved clock has the place of its making among the others."""
    project.write("flows.py", FLOWS)
    project.write("wisebot.toml", TOML)
    test = """
        def test_it(trigger_workflow):
            assert_result(trigger_workflow("nap", {}), {})
    """
    project.test(test)
    project.run("--wisebot-env=local").assert_outcomes(passed=1)
    (first,) = (project.path / ".wisebot/sessions").iterdir()
    moved = first.rename(first.with_name(f"2099{first.name[4:]}"))
    project.run("--wisebot-env=local").assert_outcomes(passed=1)
    (second,) = {*(project.path / ".wisebot/sessions").iterdir()} - {moved}
    result = project.run("--wisebot-env=local", "--wisebot-runs=last")
    result.stdout.fnmatch_lines([f"*runs are those of session {second.name}:*"])


NUMBERS = {
    "negative": -2_051_220_489.5,
    "zero": 0,
    "smallest": 5e-324,
    "large": 1e15,
    "largest": 1.7e308,
    "lowest": -1.7e308,
    "huge": 10**400,
}
TIMES = ["0001-01-01T00:00:00.000+00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]


@pytest.mark.parametrize("when", TIMES)
@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS)
def test_reports_are_made_of_any_number(tmp_path: Path, number: float, when: str) -> None:
    """Seconds and times that a moved clock wrote into a log end no report; what no clock can write names its line."""
    common = {"outcome": "ok", "workflow": "nap", "api": "webhook", "inputs": {}, "source": "live", "ok": True}
    times = {"queued": when, "started": when, "ended": when, "made": when, "attempts": 1, "status": 200}
    log = [{"event": "session", "format": 1, "session": "s", "started": when, "selected": ["t"], "environment": "e"}]
    for reference, seconds in (("r1", number), ("r2", 1.0)):
        log.append(
            {"event": "run", "run": reference, "test": "t", "seconds": seconds, "lag": number, **common, **times}
        )
    log.append({"event": "test", "test": "t", "outcome": "passed", "runs": ["r1", "r2"], "seconds": number, **times})
    log.append({"event": "end", "ended": when, "exitstatus": 0})
    path = tmp_path / "runs.jsonl"
    path.write_text("".join(f"{json.dumps(event)}\n" for event in log), "utf-8")
    if number == NUMBERS["huge"]:
        with pytest.raises(ConfigurationError, match='line 2 has a wrong "seconds": expected a number, got 1000'):
            build(read_log(path))
        return
    for baseline in (None, read_baseline(path, "before")):
        last = build(read_log(path), baseline)
        write_reports(tmp_path, last)
        assert block(last, 80)
