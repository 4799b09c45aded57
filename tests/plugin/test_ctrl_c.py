"""However a session is made to end, it returns to the prompt at once, and says what may have happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import Project

RUNS = 40

AT_MOST = 90.0
"""Seconds until a session is given up. The runs that are not waited for take longer."""

FLOWS = """
    import os, pathlib, time
    from pytest_wisebot.emulator import Emulator

    emulator = Emulator()
    here = pathlib.Path(__file__).parent
    (here / "emulator.pid").write_text(str(os.getpid()))

    @emulator.workflow("slow")
    def slow(inputs):
        with (here / "arrived").open("a") as file:
            file.write(".")
        time.sleep(120)
        (here / "waited").touch()
"""

AHEAD = f"""
    @pytest.mark.wisebot("slow")
    @pytest.mark.parametrize("inputs", [{{"n": n}} for n in range({RUNS})])
    def test_declared(workflow_run, inputs):
        pass
"""

STARTED = f"""
    import pathlib, time

    pending = []

    def test_start(trigger_workflow):
        pending.extend(trigger_workflow.start("slow") for _ in range({RUNS}))
        while not pathlib.Path("arrived").exists() or pathlib.Path("arrived").stat().st_size < {RUNS}:
            time.sleep(0.02)
"""

IDLE = """
    import threading

    pending = [threading.Event()]

    def test_start():
        pass
"""
"""The same session without a run; its only one never ends."""

WHOLE_GROUP = "the whole group"
"""To which a terminal sends what Ctrl-C means."""

WAITING = """
    def test_wait():
        pending[0].wait()
"""

UNWANTED = ("Warning", "never retrieved", "was destroyed", "INTERNALERROR", "Exception ignored")

ALL = f"{RUNS} runs were sent and not awaited: they may have happened"

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs POSIX signals"),
    pytest.mark.slow,
]


class Session:
    """A pytest session with every warning an error; in a process group of its own, its processes cannot be forked."""

    def __init__(self, folder: Path, *args: str, plugins: str = "wisebot", grouped: bool = False) -> None:
        self.folder = folder
        loaded = [word for name in plugins.split() for word in ("-p", name)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", *loaded, *args],
            cwd=folder,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=grouped,
        )

    def until(self, condition: Callable[[], bool]) -> None:
        ends_at = time.monotonic() + 60
        while not condition():
            assert self.process.poll() is None, self.process.communicate()[0]
            assert time.monotonic() < ends_at
            time.sleep(0.02)

    def until_all_fly(self) -> None:
        arrived = self.folder / "arrived"
        self.until(lambda: arrived.exists() and arrived.stat().st_size >= RUNS)

    def interrupt(self, to: str) -> None:
        """Ctrl-C, until the prompt is back."""
        if to == WHOLE_GROUP:
            os.killpg(self.process.pid, signal.SIGINT)
        else:
            self.process.send_signal(signal.SIGINT)
        self.end()

    def end(self) -> None:
        """Waits for the end, which comes before that of the runs."""
        self.output = self.process.communicate(timeout=AT_MOST)[0]
        assert not (self.folder / "waited").exists()

    @property
    def lines(self) -> list[str]:
        return self.output.splitlines()

    def emulator_ends(self) -> bool:
        """Whether the emulator is gone, or goes within seconds."""
        pid = int((self.folder / "emulator.pid").read_text("utf-8"))
        ends_at = time.monotonic() + 60
        while _is_alive(pid) and time.monotonic() < ends_at:
            time.sleep(0.02)
        return not _is_alive(pid)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text("utf-8").rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def begin(project: Project) -> Callable[..., Session]:
    """Begins a session on this suite."""
    project.write("flows.py", FLOWS)

    def begin(suite: str, *args: str, plugins: str = "wisebot", grouped: bool = False) -> Session:
        for left in ("arrived", "emulator.pid"):
            (project.path / left).unlink(missing_ok=True)
        project.test(suite)
        ours = ["--wisebot-concurrency", str(RUNS)] if "no:wisebot" not in plugins else []
        return Session(project.path, *ours, *args, plugins=plugins, grouped=grouped)

    return begin


def ends(session: Session, code: int, *words: str, unwanted: tuple[str, ...] = UNWANTED) -> None:
    """It said what pytest says of such an end, and how many runs may have happened, and left nothing behind."""
    assert session.process.returncode == code, session.output
    assert [word for word in words if word not in session.output] == []
    assert [word for word in unwanted if word in session.output] == []
    assert ALL in session.lines
    assert session.emulator_ends()


@pytest.mark.parametrize(
    ("suite", "to"),
    [(AHEAD, WHOLE_GROUP), (STARTED + WAITING, "pytest alone")],
    ids=["ahead, to the whole group", "started, to pytest alone"],
)
def test_ctrl_c_returns_at_once(begin: Any, suite: str, to: str) -> None:
    """With many runs in flight: pytest's words and exit code, how many runs may have happened, and no warning."""
    session = begin(suite, grouped=to == WHOLE_GROUP)
    session.until_all_fly()
    session.interrupt(to)
    ends(session, pytest.ExitCode.INTERRUPTED, "KeyboardInterrupt")


STOPPED = [
    ("pytest.exit('enough', 7)", [], 7, "Exit: enough"),
    ("assert not pending", ["-x"], pytest.ExitCode.TESTS_FAILED, "stopping after 1 failures"),
]


@pytest.mark.parametrize(("last", "args", "code", "words"), STOPPED, ids=["with an exit code", "-x"])
def test_what_stops_a_session_stops_the_runs(begin: Any, last: str, args: list[str], code: int, words: str) -> None:
    """A session that is told to stop waits for none of the runs that its tests had started."""
    rest = f"\n    def test_last(): {last}\n    def test_never(): assert 'never' == 0"

    session = begin(STARTED + rest, *args)
    session.end()
    ends(session, code, words, unwanted=(*UNWANTED, "never"))


def test_two_failures_stop_the_runs_where_two_may(begin: Any) -> None:
    """``--maxfail=2`` goes on after the first, and waits for nothing after the second."""
    rest = "".join(f"\n    def test_{name}(): assert not pending" for name in ("one", "two", "never"))

    session = begin(STARTED + rest, "--maxfail=2")
    session.end()
    ends(session, pytest.ExitCode.TESTS_FAILED, "stopping after 2 failures", "2 failed, 1 passed")


BROKEN = """
    def pytest_runtest_logreport(report):
        if report.nodeid.endswith("test_last") and report.when == "call" and WHERE:
            raise RuntimeError("the other plugin is broken")
"""


def test_another_plugins_broken_hook_stops_the_runs(begin: Any, project: Project) -> None:
    """A hook that raises is pytest's internal error, with its exit code; the runs do not hold it up, nor add to it."""
    project.write("conftest.py", BROKEN.replace("WHERE", "True"))
    rest = "\n    def test_last(): pass"

    session = begin(STARTED + rest)
    session.end()
    ends(session, pytest.ExitCode.INTERNAL_ERROR, unwanted=tuple(one for one in UNWANTED if one != "INTERNALERROR"))
    errors = [line for line in session.lines if line.startswith("INTERNALERROR> ") and "Error:" in line]
    assert errors == ["INTERNALERROR> RuntimeError: the other plugin is broken"]


def test_pytest_timeout_by_signal_fails_the_one_test(begin: Any) -> None:
    """The waiting test fails as pytest-timeout says, the next one runs, and the session ends at once."""
    rest = "\n    @pytest.mark.timeout(1, method='signal')" + WAITING + "\n    def test_next(): pass"
    failed = "FAILED test_it.py::test_wait - Failed: Timeout (>1.0s) from pytest-timeout."

    session = begin(STARTED + rest, plugins="wisebot timeout")
    session.end()
    ends(session, pytest.ExitCode.TESTS_FAILED, failed, "1 failed, 2 passed")


def test_pytest_timeout_by_thread_ends_the_process(begin: Any) -> None:
    """It ends the process where it stands, without a last line; the emulator sees that, and ends by itself."""
    rest = "\n    @pytest.mark.timeout(1, method='thread')" + WAITING

    session = begin(STARTED + rest, plugins="wisebot timeout")
    session.end()
    assert session.process.returncode == 1
    assert "+ Timeout +" in session.output
    assert session.emulator_ends()


@pytest.mark.parametrize("to", [WHOLE_GROUP, "pytest alone"])
def test_ctrl_c_returns_at_once_under_xdist(begin: Any, to: str) -> None:
    """With many runs in flight: the same exit code, and our last line."""
    session = begin(AHEAD, "-n", "2", plugins="xdist wisebot", grouped=to == WHOLE_GROUP)
    session.until_all_fly()
    session.interrupt(to)
    ends(session, pytest.ExitCode.INTERRUPTED)


UNDER_XDIST = ["-n", "2", "--dist", "loadfile"]
"""One worker runs all tests of a file, one after the other."""


@pytest.mark.parametrize(
    ("last", "args", "where"),
    [
        ("pytest.exit('enough', 7)", [], "False"),
        ("assert not pending", ["--maxfail=1"], "False"),
        ("pass", [], "not hasattr(report, 'node')"),
    ],
    ids=["with an exit code", "--maxfail", "a hook of a worker"],
)
def test_what_stops_a_session_stops_the_runs_under_xdist(
    begin: Any, project: Project, last: str, args: list[str], where: str
) -> None:
    """As xdist ends the same session without a run, whatever it makes of it."""
    project.write("conftest.py", BROKEN.replace("WHERE", where))
    rest = f"\n    def test_last(): {last}\n    def test_never(): assert 'never' == 0"
    without = begin(IDLE + rest, *UNDER_XDIST, *args, plugins="xdist no:wisebot")
    without.end()
    code, unwanted = without.process.returncode, [word for word in UNWANTED if word not in without.output]
    assert code != 0

    session = begin(STARTED + rest, *UNDER_XDIST, *args, plugins="xdist wisebot")
    session.end()
    ends(session, code, unwanted=tuple(unwanted))
