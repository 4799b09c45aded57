"""How a session ends: the emulator goes with it, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from harness import Project

FLOWS = """
    import os, pathlib
    from pytest_wisebot.emulator import Emulator
    emulator = Emulator()
    pathlib.Path(__file__).with_name("emulator.pid").write_text(str(os.getpid()))

    @emulator.workflow("slow", latency=30)
    def slow(inputs):
        return None
"""


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def ends(pid: int, seconds: float = 10.0) -> bool:
    """Whether a process is gone within so many seconds."""
    until = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not is_alive(pid)


def flying(project: Project, *args: str) -> tuple[subprocess.Popen[str], int]:
    """A session with three runs in flight, and its emulator's process id."""
    project.write("flows.py", FLOWS)
    project.test("""
        import pathlib, time

        def test_it(trigger_workflow, wisebot_emulator):
            pending = [trigger_workflow.start("slow") for _ in range(3)]
            while len(wisebot_emulator.calls()) < 3:
                time.sleep(0.01)
            pathlib.Path("flying").touch()
            pending[0].wait()
    """)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *args]
    process = subprocess.Popen(
        command, cwd=project.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    until = time.monotonic() + 30
    while not (project.path / "flying").exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < until
        time.sleep(0.02)
    return process, int((project.path / "emulator.pid").read_text("utf-8"))


posix = pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs POSIX signals")


def test_the_emulator_ends_with_the_session(project: Project) -> None:
    """When pytest has returned, nothing of it is left behind."""
    project.write("flows.py", FLOWS)
    project.test("def test_it(wisebot_emulator): assert wisebot_emulator.calls() == []")
    project.run_apart().assert_outcomes(passed=1)
    assert ends(int((project.path / "emulator.pid").read_text("utf-8")))


@posix
def test_the_emulator_ends_when_the_session_is_killed(project: Project) -> None:
    """SIGKILL leaves the session no time to clean up; the emulator notices by itself."""
    process, emulator = flying(project)
    process.kill()
    process.communicate()
    assert ends(emulator)


@posix
@pytest.mark.parametrize("to", ["the whole group", "pytest alone"])
def test_ctrl_c_ends_the_session_and_the_emulator(project: Project, to: str) -> None:
    """Ctrl-C with runs in flight: pytest's own words and exit code, and no warning about what was left open."""
    process, emulator = flying(project)
    if to == "the whole group":
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    assert "KeyboardInterrupt" in output
    for word in ("Warning", "never retrieved", "was destroyed", "INTERNALERROR"):
        assert word not in output
    assert ends(emulator)
