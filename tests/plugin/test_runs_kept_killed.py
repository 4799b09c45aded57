"""However a session ends, what had ended is kept, whole; and ``--wisebot-runs=resume`` pays for the rest alone."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from harness import Outside

from pytest_wisebot.event_log import read_events
from pytest_wisebot.redaction import Redactor
from pytest_wisebot.runs import Occurrence
from pytest_wisebot.storage.sessions import LoggedRuns
from pytest_wisebot.storage.store import RequestKeys, Store

RUNS = 60
HELD = 16
"""The last of them, which end once the file ``open`` is there; twice as many as may be under way."""

SUITE = f"""
    import random

    chance = random.Random(3)
    BAGS = [{{"n": n, "seconds": round(chance.uniform(0.0, 0.08), 3)}} for n in range({RUNS - HELD})]

    @pytest.mark.wisebot("nap")
    @pytest.mark.parametrize("inputs", BAGS[::2])
    def test_declared(workflow_run, inputs):
        assert workflow_run.result == inputs
        told(inputs)

    @pytest.mark.wisebot("gate")
    @pytest.mark.parametrize("inputs", [{{"n": n, "until": GATE}} for n in range({RUNS - HELD}, {RUNS})])
    def test_held(workflow_run, inputs):
        assert workflow_run.result == inputs
        told(inputs)

    @pytest.mark.parametrize("bag", BAGS[1::2])
    def test_called(trigger_workflow, bag):
        assert trigger_workflow("nap", bag).result == bag
        told(bag)

    def told(bag):
        with (HERE / "told.txt").open("a") as file:
            file.write(f"{{bag['n']}}\\n")
"""

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals"),
    pytest.mark.slow,
]


def occurrences(folder: Path) -> list[Occurrence]:
    """The runs that a session has kept."""
    if not (folder / "events.jsonl").exists():
        return []
    runs = LoggedRuns(folder, RequestKeys(Redactor()))
    return [Occurrence.from_dict(event) for event in runs.events()]


class Killed:
    """A project whose sessions end before their time."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self.path: Path = outside.project.path

    def begin(self, *args: str, plugins: str = "wisebot", grouped: bool = False) -> subprocess.Popen[str]:
        """Begins a session; one in a group of its own has processes that cannot be forked."""
        loaded = [word for name in plugins.split() for word in ("-p", name)]
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *loaded, *args],
            cwd=self.path,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=grouped,
        )

    def until_runs_arrive(self, process: subprocess.Popen[str], count: int) -> None:
        ends_at = time.monotonic() + 60
        while len(self._outside.calls) < count:
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < ends_at
            time.sleep(0.005)

    def check(self, *args: str, plugins: str = "wisebot", at_most: int = RUNS) -> int:
        """Looks at what the session left, and resumes it; gives how many runs were kept."""
        self._outside.let_it_come_to_rest()
        (folder,) = (self.path / ".wisebot" / "sessions").iterdir()
        kept = occurrences(folder)
        assert len(kept) == len(set(kept))
        told = self.path / "told.txt"
        seen = told.read_text("utf-8").split() if told.exists() else []
        names = "".join(f"{one}\n" for one in kept)
        for number in map(int, seen):
            kind = "declared[inputs" if number % 2 == 0 else "called[bag"
            name = f"{kind}{number // 2}" if number < RUNS - HELD else f"held[inputs{number - RUNS + HELD}"
            assert f"test_{name}]" in names
        log = folder / "events.jsonl"
        assert log.exists() or not seen  # killed between the folder and its log: no test had seen a run by then
        events = list(read_events(log)) if log.exists() else []
        assert sum(event["event"] == "run" and "ok" in event for event in events) <= len(kept)
        paid = len(self._outside.calls)
        assert len(kept) <= paid <= at_most
        resumed = self.begin("--wisebot-runs=resume", *args, plugins=plugins)
        output = resumed.communicate(timeout=120)[0]
        assert resumed.returncode == 0, output
        assert len(self._outside.calls) == paid + RUNS - len(kept), output
        return len(kept)

    def forget(self) -> None:
        shutil.rmtree(self.path / ".wisebot", ignore_errors=True)
        (self.path / "told.txt").unlink(missing_ok=True)
        self._outside.handle.reset(everywhere=True)


@pytest.fixture
def killed(outside: Outside) -> Killed:
    outside.test(SUITE)
    outside.setting("concurrency = 8")
    (outside.project.path / "open").touch()
    return Killed(outside)


@pytest.mark.heavy
def test_killed_at_any_moment(killed: Killed) -> None:
    """Twenty times ``kill -9`` during sixty runs: nothing that had ended is lost, torn, or paid for twice."""
    chance = random.Random(20)
    kept = []
    for _ in range(20):
        killed.forget()
        process = killed.begin()
        killed.until_runs_arrive(process, chance.randrange(1, RUNS))
        time.sleep(chance.uniform(0, 0.02))
        process.kill()
        process.communicate()
        if (killed.path / ".wisebot").exists():
            kept.append(killed.check())
    assert len(kept) >= 15
    assert len(set(kept)) > 3


@pytest.mark.parametrize("args", [(), ("-n", "2")], ids=["one process", "xdist"])
@pytest.mark.parametrize("to", ["the process", "the whole group"])
def test_interrupted(killed: Killed, to: str, args: tuple[str, ...]) -> None:
    """Ctrl-C, at different moments."""
    plugins = "xdist wisebot" if args else "wisebot"
    (killed.path / "open").unlink()  # so that the session cannot end by itself
    process = killed.begin(*args, plugins=plugins, grouped=to == "the whole group")
    killed.until_runs_arrive(process, 26)
    if to == "the process":
        process.send_signal(signal.SIGINT)
    else:
        os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert 10 < killed.check(*args, plugins=plugins) < RUNS


def test_a_worker_is_killed(killed: Killed, outside: Outside) -> None:
    """Its test is lost, and no run: those that came home are kept, whoever had asked for them."""
    dies = """
        def test_dies(trigger_workflow):
            import os, signal
            if not (HERE / "died").exists():
                (HERE / "died").touch()
                os.kill(os.getpid(), signal.SIGKILL)
    """
    outside.test(dies, SUITE)
    process = killed.begin("-n", "2", plugins="xdist wisebot")
    output = process.communicate(timeout=120)[0]
    assert "crashed while running 'test_it.py::test_dies'" in output
    assert killed.check("-n", "2", plugins="xdist wisebot") == RUNS


TRIALS = """
    @pytest.mark.wisebot("nap", {"n": 1, "seconds": 0.05}, trials=60, min_passes=58)
    def test_declared(workflow_run):
        assert workflow_run.trial != 2

    @pytest.mark.wisebot(trials=20)
    def test_called(trigger_workflow):
        assert trigger_workflow("nap", {"n": 2, "seconds": 0.01}).ok
"""


def test_killed_in_the_middle_of_trials(killed: Killed, outside: Outside) -> None:
    """Each trial that had ended is taken over with its verdict, and the others alone are paid for."""
    outside.test(TRIALS)
    process = killed.begin("--wisebot-concurrency", "3")
    killed.until_runs_arrive(process, 15)
    process.kill()
    process.communicate()
    outside.let_it_come_to_rest()
    (folder,) = (killed.path / ".wisebot" / "sessions").iterdir()
    kept = len(occurrences(folder))
    paid = len(outside.calls)
    assert 0 < kept <= paid
    resumed = killed.begin("--wisebot-runs=resume", "--wisebot-concurrency", "3")
    output = resumed.communicate(timeout=60)[0]
    assert (resumed.returncode, "1 passed, 1 flaky" in output) == (0, True), output
    # 58 passes of at most 60 trials of which one fails, and 20 of 20.
    assert len(outside.calls) == paid + 59 + 20 - kept


EIGHT = """
    @pytest.mark.parametrize("k", range(150))
    def test_equal(trigger_workflow, k):
        run = trigger_workflow("echo", {"n": 0})
        seen(k, run)

    @pytest.mark.wisebot("echo")
    @pytest.mark.parametrize("inputs", [{"n": n} for n in range(150)])
    def test_own(workflow_run, inputs):
        assert workflow_run.result == inputs
        seen(inputs["n"] + 150, workflow_run)

    def seen(number, run):
        with (HERE / "seen.txt").open("a") as file:
            file.write(f"{number} {run.run_id}\\n")
"""


@pytest.mark.heavy
def test_eight_workers_record_at_once(killed: Killed, outside: Outside) -> None:
    """300 runs, 300 occurrences; replayed in random order, and by four workers, each test gets its own."""
    outside.test(EIGHT)

    def seen() -> dict[str, str]:
        path = killed.path / "seen.txt"
        lines = [line.split() for line in path.read_text("utf-8").splitlines()]
        path.unlink()
        assert len(lines) == 300
        return {line[0]: line[1] for line in lines}

    def run(*args: str, plugins: str) -> None:
        process = killed.begin(*args, plugins=plugins)
        output = process.communicate(timeout=200)[0]
        assert process.returncode == 0, output

    run("-n", "8", "--wisebot-runs=record", plugins="xdist wisebot")
    recorded = seen()
    assert len(set(recorded.values())) == len(outside.calls) == 300
    kept = [occurrence for _, occurrence in Store(killed.path / "recordings", Redactor()).everything()]
    assert len(kept) == len(set(kept)) == 300
    run("--wisebot-runs=replay", "-p", "randomly", plugins="wisebot")
    assert seen() == recorded
    run("-n", "4", "--wisebot-runs=replay", "-p", "randomly", plugins="xdist wisebot")
    assert seen() == recorded
    run("-n", "4", "--wisebot-runs=last", plugins="xdist wisebot")
    assert seen() == recorded
    assert len(outside.calls) == 300
