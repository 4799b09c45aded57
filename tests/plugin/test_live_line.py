"""While a test waits, a terminal shows how far the runs are, in one line that leaves nothing behind."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from harness import Outside

from pytest_wisebot.emulator import Fault
from pytest_wisebot.engine.stats import Status
from pytest_wisebot.plugin.terminal import line_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")

QUICK = """
    import pytest_wisebot.plugin.terminal as live

    live.REFRESH_SECONDS, live.PATIENCE_SECONDS = 0.05, 0.1
"""

OFTEN = f"""{QUICK}
    import pathlib

    live.REFRESH_SECONDS, live.PLAIN_SECONDS = 0.005, 0.15
    write, may_wait, looks = live.StatusLine._write, live.StatusLine._may_wait, []
    lines = []

    def counted(self, text):
        write(self, text)
        lines.append(text)
        if len(lines) == 2:
            pathlib.Path("open").touch()

    def looked(self):
        looks.append(1)
        return may_wait(self)

    live.StatusLine._write, live.StatusLine._may_wait = counted, looked

    def pytest_sessionfinish(session):
        if not hasattr(session.config, "workerinput"):
            pathlib.Path("looks").write_text(str(len(looks)))
"""
"""Thirty looks at the runs for one line; the runs of the workflow ``gate`` end after the second line."""

WAITING = """
    def test_first():
        pass

    def test_wait(trigger_workflow):
        assert len(trigger_workflow.map("nap", [{"seconds": 1.3}] * 3)) == 3

    def test_last():
        pass
"""

LINE = re.compile(
    r"wisebot: \d+ done, \d+ running(, \d+ waiting \((cap \d+|back-off until \d\d:\d\d:\d\d)\))?"
    r"(, oldest \d+ s: [^\s,]+)?(, about \d+ (s|min) left)?"
)


@dataclass
class Screens:
    """What a person sees of a session: each screen that stood for a moment, and the last one."""

    seen: list[list[str]] = field(default_factory=list)
    code: int = -1

    @property
    def last(self) -> list[str]:
        """The screen at the end, its numbers told by a letter, however many digits they have."""
        numbers = [re.sub(r"\d+", "N", line) for line in self.seen[-1]]
        return [re.sub(r"=+|, N.N s saved", "", line).strip() for line in numbers]

    @property
    def lines(self) -> list[str]:
        """What the line said, each text once, in its order."""
        found = [line for screen in self.seen for line in screen if re.match(r"wisebot: \d+ done", line)]
        return list(dict.fromkeys(found))

    @property
    def above(self) -> set[str]:
        """What stood right above the line."""
        return {screen[i - 1] for screen in self.seen for i, line in enumerate(screen) if line in self.lines}


def watched(
    folder: Path, *args: str, rows: int = 40, columns: int = 100, sized: bool = True, term: str = "xterm"
) -> Screens:
    """Runs pytest on a terminal of that size, which may not say how large it is."""
    import fcntl
    import pty
    import struct
    import termios

    import pyte

    screens = Screens()
    master, slave = pty.openpty()
    said = (rows, columns) if sized else (0, 0)
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *said, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no", *args],
        cwd=folder,
        env={**os.environ, "TERM": term},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    screen = pyte.Screen(columns, rows)
    stream = pyte.ByteStream(screen)
    ends_at = time.monotonic() + 60
    ended = False
    while not ended and time.monotonic() < ends_at:
        if not select.select([master], [], [], 1)[0]:
            continue
        try:
            data = os.read(master, 65536)
        except OSError:  # the other end is closed
            data = b""
        stream.feed(data)
        ended = not data
        shown = [line.rstrip() for line in screen.display]
        if not screens.seen or screens.seen[-1] != shown:
            screens.seen.append(shown)
    os.close(master)
    screens.code = process.wait(10)
    return screens


@pytest.fixture(autouse=True)
def _no_other_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.fixture
def watch(outside: Outside) -> Callable[..., Screens]:
    """Runs pytest on the project of `outside`, two runs at once, on a terminal."""
    return lambda *args, **how: watched(
        outside.project.path, "-p", "wisebot", "--wisebot-concurrency", "2", *args, **how
    )


def test_it_stands_below_the_dots_while_a_test_waits_and_leaves_nothing(outside: Outside, watch: Any) -> None:
    """Done, running, waiting and why, the oldest; written anew in its place; gone with the wait."""
    outside.test(WAITING)
    screens = watch()
    assert screens.code == 0
    assert [line for line in screens.lines if not LINE.fullmatch(line)] == []
    assert "wisebot: 0 done, 2 running, 1 waiting (cap 2), oldest 1 s: nap" in screens.lines
    assert any(line.startswith("wisebot: 2 done, 1 running, oldest 1 s: nap, about ") for line in screens.lines)
    assert screens.above == {"test_it.py ."}
    assert max(sum(line in screens.lines for line in screen) for screen in screens.seen) == 1
    assert [line for line in screens.seen[-1] if line in screens.lines] == []


@pytest.mark.parametrize(
    ("args", "how", "above"),
    [
        (["-v"], {"columns": 41}, {"test_it.py::test_wait"}),
        ([], {"rows": 6}, {"test_it.py ."}),
        (["-s"], {}, {"test_it.py .before"}),
        (["-p", "xdist", "-n", "2"], {}, {".", ".."}),
    ],
    ids=["-v on a narrow terminal", "at the bottom of the screen", "-s", "xdist"],
)
def test_whatever_stands_there_stays(
    outside: Outside, watch: Any, args: list[str], how: dict[str, Any], above: set[str]
) -> None:
    """However pytest writes, and wherever its cursor is: the final screen is that of a session without the line."""
    outside.test("""
        def test_first():
            pass

        def test_wait(trigger_workflow):
            print("before", end="", flush=True)
            assert len(trigger_workflow.map("nap", [{"seconds": 0.4}] * 3)) == 3
            print(" after")

        def test_last():
            pass
    """)
    outside.project.write("conftest.py", QUICK)
    screens = watch(*args, **how)
    assert screens.code == 0
    assert screens.lines
    assert screens.above <= above
    assert screens.last == watch(*args, **how, term="dumb").last


@pytest.mark.parametrize("args", [[], ["-s"], ["--capture=sys"]], ids=" ".join)
def test_it_is_there_for_a_test_that_asks_by_name_alone(outside: Outside, watch: Any, args: list[str]) -> None:
    """Nobody knew before the loop that it would be needed; by then pytest captures all that is written."""
    outside.project.write("conftest.py", QUICK)
    outside.test("""
        @pytest.mark.parametrize("capture", ["capsys", "capfd"])
        def test_wait(request, capture):
            captured = request.getfixturevalue(capture)
            print("mine")
            request.getfixturevalue("trigger_workflow")("nap", {"seconds": 0.4})
            assert captured.readouterr() == ("mine\\n", "")
    """)
    screens = watch(*args)
    assert screens.code == 0
    assert [line for line in screens.lines if not LINE.fullmatch(line)] == []
    assert "wisebot: 0 done, 1 running, oldest 0 s: nap" in screens.lines
    assert [line for line in screens.seen[-1] if line in screens.lines] == []


@pytest.mark.parametrize("args", [[], ["-p", "xdist", "-n", "1"]], ids=["one process", "xdist"])
def test_it_goes_when_a_wait_is_given_up(outside: Outside, watch: Any, args: list[str]) -> None:
    """The test goes on, and the run does: nobody waits, and nothing is said."""
    outside.project.write("conftest.py", QUICK)
    outside.test("""
        def test_it(trigger_workflow):
            pending = trigger_workflow.start("gate", {"until": GATE})
            with pytest.raises(TimeoutError):
                pending.wait(0.5)
            time.sleep(2)
            open_gate()
    """)
    screens = watch(*args)
    assert screens.code == 0
    assert screens.lines
    assert [line for line in screens.lines if re.search("oldest [2-9] s", line)] == []


def test_it_is_there_where_a_terminal_does_not_know_its_size(outside: Outside, watch: Any) -> None:
    """One that has just been made says that it has no columns: it is taken for one of 80."""
    outside.project.write("conftest.py", QUICK)
    outside.test(WAITING.replace("1.3", "0.4"))
    screens = watch(sized=False)
    assert screens.code == 0
    assert "wisebot: 0 done, 2 running, 1 waiting (cap 2), oldest 0 s: nap" in screens.lines


def test_it_tells_of_back_off(outside: Outside, watch: Any) -> None:
    """Where Wisebot asked for less, the line says until when nobody is let in."""
    outside.project.write("conftest.py", QUICK)
    outside.handle.fail_next(Fault.rate_limited(1), times=2, everywhere=True)
    outside.test(WAITING.replace("1.3", "0.1"))
    lines = watch().lines
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert re.match(r"wisebot: 0 done, 0 running, 3 waiting \(back-off until \d\d:\d\d:\d\d\), oldest", lines[0])


def test_it_tells_what_waits_for_the_limit_of_a_workflow() -> None:
    """By the workflow, whose runs are not started however much room there is."""
    status = Status(done=1, running=2, waiting=9, cap=8, held={"triage": 5, "refund": 1})
    line = "wisebot: 1 done, 2 running, 9 waiting (cap 8; 5 until a run of triage ends, 1 until a run of refund ends)"
    assert line_of(status) == line


def test_what_is_left_is_said_in_seconds_or_minutes() -> None:
    """Where the durations are known."""
    assert line_of(Status(done=1, running=2, left=41.6)) == "wisebot: 1 done, 2 running, about 42 s left"
    assert line_of(Status(done=1, running=2, left=400.0)) == "wisebot: 1 done, 2 running, about 7 min left"


def test_it_is_off_where_pytest_is_quiet(outside: Outside, watch: Any) -> None:
    """With ``-q`` nothing is said on a terminal while a test waits."""
    outside.project.write("conftest.py", QUICK)
    outside.test(WAITING.replace("1.3", "0.4"))
    screens = watch("-q")
    assert screens.code == 0
    assert screens.lines == []


LOGGING = """
    def test_wait(trigger_workflow):
        logging.info("now")
        trigger_workflow("nap", {"seconds": 0.4})
"""


def test_live_logs_are_not_written_over(outside: Outside, watch: Any) -> None:
    """Where pytest shows log records as they come, the line would be in their way: it is not rewritten in place."""
    outside.project.write("conftest.py", QUICK)
    outside.test("import logging\n\nlogging.getLogger().setLevel('INFO')\n" + textwrap.dedent(LOGGING))
    screens = watch("-o", "log_cli=true", "-o", "log_cli_level=INFO")
    assert screens.code == 0
    assert any("live log call" in line for line in screens.seen[-1])
    assert screens.lines == []


CAPTURED = """
    import pytest

    @pytest.mark.parametrize("capture", ["capsys", "capfd"])
    def test_wait(trigger_workflow, request, capture):
        captured = request.getfixturevalue(capture)
        print("mine")
        trigger_workflow.map("nap", [{"seconds": 0.3}] * 2)
        assert captured.readouterr() == ("mine\\n", "")

    def test_fail(trigger_workflow):
        trigger_workflow("nap", {"seconds": 0.3})
        pytest.fail("now")
"""


def test_no_test_finds_it_in_its_output(outside: Outside, watch: Any) -> None:
    """On a terminal the line is there, and yet in nothing that a test captured, nor in a failure's sections."""
    outside.project.write("conftest.py", QUICK)
    outside.test(CAPTURED)
    screens = watch()
    assert screens.lines
    assert "1 failed, 2 passed" in "".join(screens.seen[-1])
    assert [line for line in screens.seen[-1] if line in screens.lines or "Captured" in line] == []


def looks(outside: Outside) -> int:
    """How often the line has looked for a waiting test, which is twice for each look at the runs."""
    return int((outside.project.path / "looks").read_text("utf-8"))


@pytest.mark.parametrize("args", [[], ["-p", "xdist", "-n", "2"]], ids=["one process", "xdist"])
def test_without_a_terminal_it_is_a_plain_line_now_and_then(outside: Outside, args: list[str]) -> None:
    """In a CI log: a line of its own every so many seconds of waiting, and still in nothing that a test captured."""
    outside.project.write("conftest.py", OFTEN)
    gated = CAPTURED.replace("nap", "gate").replace('{"seconds": 0.3}', '{"until": GATE}')
    outside.test("from outside import GATE\n", gated)
    result = outside.project.run_apart("-p", "wisebot", *args)
    assert result.parseoutcomes() == {"passed": 2, "failed": 1}
    said = [line for line in result.outlines if "done," in line]
    assert 2 <= len(said) <= looks(outside) / 60
    assert [line for line in said if not LINE.fullmatch(line)] == []
    assert "\x1b" not in result.stdout.str()
    assert result.stderr.str() == ""
    (outside.project.path / "open").unlink()
    quiet = outside.project.run_apart("-p", "wisebot", "-q", *args)
    said = [line for line in quiet.outlines if "done," in line]  # else a CI job that is silent for long is ended
    assert 2 <= len(said) <= looks(outside) / 60


def test_without_a_terminal_nothing_is_said_for_half_a_minute(outside: Outside) -> None:
    """A wait of seconds leaves a CI log as it is."""
    outside.test(WAITING.replace("1.3", "0.6"))
    result = outside.project.run_apart("-p", "wisebot")
    assert result.parseoutcomes() == {"passed": 3}
    assert [line for line in result.outlines if "done," in line] == []
