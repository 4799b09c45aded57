"""A worker that dies takes its one test with it, and nothing else."""

from __future__ import annotations

import random
import re
import signal
from collections.abc import Callable
from typing import Any

import pytest
from harness import Numbers, Outside

ALONE = ["-p", "xdist", "-p", "wisebot"]
"""No other plugin: a worker starts in half the time."""

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")

SUITE = """
    import os, signal, threading

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    @pytest.mark.wisebot("nap")
    @pytest.mark.parametrize("inputs", [{"n": n, "seconds": 0.1} for n in range(5)])
    def test_declared(workflow_run, inputs):
        assert workflow_run.result == inputs

    @pytest.mark.parametrize("n", range(5, 10))
    def test_called(trigger_workflow, n):
        assert trigger_workflow("nap", {"n": n, "seconds": 0.1}).result["n"] == n
"""

IN_THE_MIDDLE = """
    def test_killed(trigger_workflow):
        pending = trigger_workflow.start("nap", {"n": "killed", "seconds": 0.3})
        until(lambda: "killed" in arrived())
        die()
"""

WHILE_IT_WAITS = """
    @pytest.fixture
    def death():
        threading.Thread(target=lambda: (until(lambda: "killed" in arrived()), die()), daemon=True).start()

    @pytest.mark.wisebot("nap", {"n": "killed", "seconds": 1})
    def test_killed(death, workflow_run):
        pass
"""


@pytest.fixture(autouse=True)
def _no_other_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.fixture
def run(outside: Outside) -> Callable[..., pytest.RunResult]:
    """Runs pytest on the project of `outside` in a process of its own."""
    return lambda *args: outside.project.run_apart(*ALONE, *args)


def crashes(result: pytest.RunResult) -> list[str]:
    """What xdist says of workers that died."""
    return sorted(set(re.findall(r"^worker '\w+' (crashed while running '.+')$", result.stdout.str(), re.MULTILINE)))


@pytest.mark.parametrize("killed", [IN_THE_MIDDLE, WHILE_IT_WAITS], ids=["in the middle", "while it waits"])
def test_its_test_fails_and_nothing_else_is_lost(outside: Outside, run: Any, numbers: Numbers, killed: str) -> None:
    """Every other test has its one run and passes; the run of the lost test is told as sent and not awaited."""
    outside.test(SUITE, killed)
    result = run("-n", "2")
    assert result.parseoutcomes() == {"passed": 10, "failed": 1}
    assert crashes(result) == ["crashed while running 'test_it.py::test_killed'"]
    assert sorted(map(str, outside.arrived)) == [*map(str, range(10)), "killed"]
    assert numbers(result)[-1] == "1 run was sent and not awaited: it may have happened"
    assert "INTERNALERROR" not in result.stdout.str()


def test_what_it_had_not_sent_is_not_sent(outside: Outside, run: Any, numbers: Numbers) -> None:
    """Of the runs that its test had asked for, those in the queue are given up with it."""
    outside.test(
        SUITE,
        """
        def test_killed(trigger_workflow):
            pending = [trigger_workflow.start("nap", {"n": "killed", "seconds": 1}) for _ in range(30)]
            until(lambda: "killed" in arrived())
            die()
        """,
    )
    result = run("-n", "2", "--wisebot-concurrency", "2", "--wisebot-no-ahead")
    assert result.parseoutcomes() == {"passed": 10, "failed": 1}
    sent = outside.arrived.count("killed")
    assert 1 <= sent <= 10
    assert f"{30 - sent} runs not run: given up before being sent" in numbers(result)
    assert re.fullmatch(rf"{sent} runs? w\w+ sent and not awaited: \w+ may have happened", numbers(result)[-1])


def test_a_worker_that_is_not_replaced_ends_the_session_as_without_us(
    outside: Outside, run: Any, numbers: Numbers
) -> None:
    """``--max-worker-restart 0``: xdist's own words and exit code, and still what may have happened."""
    outside.test(SUITE, IN_THE_MIDDLE)
    result = run("-n", "2", "--max-worker-restart", "0", "test_it.py::test_killed", "test_it.py::test_called")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.re_match_lines([r"worker gw\d crashed and worker restarting disabled"])
    assert result.parseoutcomes()["failed"] == 1
    assert crashes(result) == ["crashed while running 'test_it.py::test_killed'"]
    assert numbers(result)[-1] == "1 run was sent and not awaited: it may have happened"
    assert "INTERNALERROR" not in result.stdout.str()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "workers"), [(0, 4), *(pytest.param(seed, 8, marks=pytest.mark.heavy) for seed in (1, 2))]
)
def test_the_cap_holds_whoever_dies(outside: Outside, run: Any, seed: int, workers: int) -> None:
    """Many workers, latencies at random, one worker killed: the emulator never sees more runs than the cap allows."""
    chance = random.Random(seed)
    bags = [{"n": n, "seconds": round(chance.uniform(0.01, 0.2), 3)} for n in range(40)]
    outside.test(
        f"BAGS = {bags!r}",
        """
        @pytest.mark.wisebot("nap")
        @pytest.mark.parametrize("inputs", BAGS[:20])
        def test_declared(workflow_run, inputs):
            assert workflow_run.result == inputs

        @pytest.mark.parametrize("bag", BAGS[20:])
        def test_called(trigger_workflow, bag):
            assert trigger_workflow("nap", bag).result == bag
        """,
        SUITE[: SUITE.index("    @pytest")],
        IN_THE_MIDDLE,
    )
    result = run("-n", str(workers), "--wisebot-concurrency", str(workers // 2))
    assert result.parseoutcomes() == {"passed": 40, "failed": 1}
    assert sorted(map(str, outside.arrived)) == sorted([*map(str, range(40)), "killed"])
    assert outside.handle.peak() == workers // 2
