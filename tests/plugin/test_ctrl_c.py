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

RUNS = 200

SECONDS = 10.0
"""Allowed until the prompt is back. The promise is 2 s; the rest is for a machine that does other things besides."""

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
        time.sleep(30)
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
        pathlib.Path("flying").write_text(str(time.time()))
"""

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
    """A pytest session in a process group of its own, with every warning an error."""

    def __init__(self, folder: Path, *args: str, plugins: str = "wisebot") -> None:
        self.folder = folder
        loaded = [word for name in plugins.split() for word in ("-p", name)]
        self.process = subprocess.Popen(
            [sys.executable, "-X", "dev", "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", *loaded, *args],
            cwd=folder,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
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

    def interrupt(self, to: str) -> float:
        """Ctrl-C; gives the seconds until the prompt is back."""
        began = time.monotonic()
        if to == "the whole group":
            os.killpg(self.process.pid, signal.SIGINT)
        else:
            self.process.send_signal(signal.SIGINT)
        self.output = self.process.communicate(timeout=60)[0]
        return time.monotonic() - began

    def end(self) -> float:
        """Waits for the end; gives the seconds since all runs were flying."""
        self.output = self.process.communicate(timeout=60)[0]
        return time.time() - float((self.folder / "flying").read_text("utf-8"))

    @property
    def lines(self) -> list[str]:
        return self.output.splitlines()

    def emulator_ends(self) -> bool:
        """Whether the emulator is gone, or goes within seconds."""
        pid = int((self.folder / "emulator.pid").read_text("utf-8"))
        ends_at = time.monotonic() + 10
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
def begin(project: Any) -> Callable[..., Session]:
    """Begins a session on this suite."""
    project.write("flows.py", FLOWS)

    def begin(suite: str, *args: str, plugins: str = "wisebot") -> Session:
        project.test(suite)
        return Session(project.path, "--wisebot-concurrency", str(RUNS), *args, plugins=plugins)

    return begin


@pytest.mark.parametrize(
    ("suite", "to"),
    [(AHEAD, "the whole group"), (STARTED + WAITING, "pytest alone")],
    ids=["ahead, to the whole group", "started, to pytest alone"],
)
def test_ctrl_c_returns_at_once(begin: Any, suite: str, to: str) -> None:
    """With 200 runs in flight: pytest's words and exit code, how many runs may have happened, and no warning."""
    session = begin(suite)
    session.until_all_fly()
    assert session.interrupt(to) < SECONDS
    assert session.process.returncode == pytest.ExitCode.INTERRUPTED
    assert ALL in session.lines
    assert "KeyboardInterrupt" in session.output
    assert [word for word in UNWANTED if word in session.output] == []
    assert session.emulator_ends()


@pytest.mark.parametrize(
    ("last", "args", "code", "words"),
    [
        ("pytest.exit('enough')", [], pytest.ExitCode.INTERRUPTED, "Exit: enough"),
        ("pytest.exit('enough', 7)", [], 7, "Exit: enough"),
        ("assert not pending", ["-x"], pytest.ExitCode.TESTS_FAILED, "stopping after 1 failures"),
    ],
    ids=["pytest.exit", "with an exit code", "-x"],
)
def test_what_stops_a_session_stops_the_runs(begin: Any, last: str, args: list[str], code: int, words: str) -> None:
    """A session that is told to stop waits for none of the runs that its tests had started."""
    session = begin(STARTED + f"\n    def test_last(): {last}\n    def test_never(): assert 'never' == 0", *args)
    assert session.end() < SECONDS
    assert session.process.returncode == code
    assert words in session.output
    assert ALL in session.lines
    assert [word for word in (*UNWANTED, "never") if word in session.output] == []
    assert session.emulator_ends()


def test_another_plugins_broken_hook_stops_the_runs(begin: Any, project: Any) -> None:
    """A hook that raises is pytest's internal error, with its exit code; the runs do not hold it up, nor add to it."""
    project.write(
        "conftest.py",
        """
        def pytest_runtest_logreport(report):
            if report.nodeid.endswith("test_last") and report.when == "call":
                raise RuntimeError("the other plugin is broken")
        """,
    )
    session = begin(STARTED + "\n    def test_last(): pass")
    assert session.end() < SECONDS
    assert session.process.returncode == pytest.ExitCode.INTERNAL_ERROR
    errors = [line for line in session.lines if line.startswith("INTERNALERROR> ") and "Error:" in line]
    assert errors == ["INTERNALERROR> RuntimeError: the other plugin is broken"]
    assert ALL in session.lines
    assert [word for word in UNWANTED if word in session.output] == ["INTERNALERROR"]
    assert session.emulator_ends()


def test_pytest_timeout_by_signal_fails_the_one_test(begin: Any) -> None:
    """The waiting test fails as pytest-timeout says, the next one runs, and the session ends at once."""
    last = "\n    @pytest.mark.timeout(1, method='signal')" + WAITING + "\n    def test_next(): pass"
    session = begin(STARTED + last, plugins="wisebot timeout")
    assert session.end() < 1 + SECONDS
    assert session.process.returncode == pytest.ExitCode.TESTS_FAILED
    assert "FAILED test_it.py::test_wait - Failed: Timeout (>1.0s) from pytest-timeout." in session.lines
    assert any("1 failed, 2 passed" in line for line in session.lines)
    assert ALL in session.lines
    assert [word for word in UNWANTED if word in session.output] == []
    assert session.emulator_ends()


def test_pytest_timeout_by_thread_ends_the_process(begin: Any) -> None:
    """It ends the process where it stands, without a last line; the emulator sees that, and ends by itself."""
    session = begin(STARTED + "\n    @pytest.mark.timeout(1, method='thread')" + WAITING, plugins="wisebot timeout")
    assert session.end() < 1 + SECONDS
    assert session.process.returncode == 1
    assert "+ Timeout +" in session.output
    assert session.emulator_ends()


ASLEEP = """
    import pathlib, time

    @pytest.mark.parametrize("n", range(4))
    def test_it(n):
        pathlib.Path(f"asleep-{n}").touch()
        time.sleep(30)
"""


@pytest.mark.parametrize("to", ["the whole group", "pytest alone"])
def test_ctrl_c_under_xdist_takes_no_longer_than_without_us(begin: Any, empty_project: Any, to: str) -> None:
    """With 200 runs in flight, at most 1 s later than tests that sleep; with the same exit code, and our last line."""
    session = begin(AHEAD, "-n", "2", plugins="xdist wisebot")
    session.until_all_fly()
    ours = session.interrupt(to)
    assert session.process.returncode == pytest.ExitCode.INTERRUPTED
    assert ALL in session.lines
    assert [word for word in UNWANTED if word in session.output] == []
    assert session.emulator_ends()
    empty_project.test(ASLEEP)
    without = Session(empty_project.path, "-n", "2", plugins="xdist no:wisebot")
    without.until(lambda: len(list(empty_project.path.glob("asleep-*"))) == 2)
    theirs = without.interrupt(to)
    assert without.process.returncode == pytest.ExitCode.INTERRUPTED
    assert ours < theirs + 1 + (SECONDS - 2)
