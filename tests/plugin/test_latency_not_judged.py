"""A latency limit that was missed by less than the engine itself was late is not judged, and not failed."""

from __future__ import annotations

import re

import pytest
from harness import Numbers, Outside

STALLING = """
    import threading, time
    from outside import HERE

    def pytest_sessionstart(session):
        if not hasattr(session.config, "workerinput"):
            threading.Thread(target=stall, args=[session.config], daemon=True).start()

    def stall(config):
        from pytest_wisebot.plugin.runtime import local_runtime

        ends_at = time.monotonic() + 20
        while not (HERE / "stall").exists() and time.monotonic() < ends_at:
            time.sleep(0.005)
        local_runtime(config).engine._loop.call_soon_threadsafe(sleep, float((HERE / "stall").read_text()))

    def sleep(seconds):
        (HERE / "stalled").touch()
        time.sleep(seconds)
"""
"""Once the file ``stall`` is there, the engine's loop does nothing for so many seconds, and says so by ``stalled``."""

LATE = """
    def stalled(seconds):
        (HERE / "stalling").write_text(str(seconds))
        (HERE / "stalling").rename(HERE / "stall")
        until((HERE / "stalled").exists)
        open_gate()

    @pytest.mark.wisebot(max_seconds=1)
    def test_late(trigger_workflow):
        pending = trigger_workflow.start("gate", {"n": 1, "until": GATE})
        until(lambda: arrived() == [1])
        stalled(1.3)
        assert pending.wait().elapsed > 1
"""

NOTE = re.compile(
    r"not judged: test_it.py::\S+: gate \(webhook\) took \d\.\d\d s, more than max_seconds=\S+, runId \S+; "
    r"the engine itself was up to \d\.\d\d s late"
)


@pytest.mark.parametrize("args", [[], ["-n", "1"]], ids=["one process", "xdist"])
def test_a_limit_missed_by_less_than_the_engine_was_late(outside: Outside, numbers: Numbers, args: list[str]) -> None:
    """The test passes, and the last lines say which limit was not judged, and by how much the engine was late."""
    outside.project.write("conftest.py", STALLING)
    outside.test(LATE)
    result = outside.run(*args)
    result.assert_outcomes(passed=1)
    assert NOTE.fullmatch(re.sub(r"\bS s\b", "0.00 s", numbers(result)[-1]))


def test_many_at_once(outside: Outside, numbers: Numbers) -> None:
    """The engine's delay is every run's that flew meanwhile: none of them is judged."""
    outside.project.write("conftest.py", STALLING)
    outside.test(
        LATE[: LATE.index("    @pytest")],
        """
        @pytest.fixture(scope="session")
        def late():
            until(lambda: len(arrived()) == 40)
            stalled(2.5)

        @pytest.mark.wisebot("gate", max_seconds=2)
        @pytest.mark.parametrize("inputs", [{"n": n, "until": GATE} for n in range(40)])
        def test_late(late, workflow_run, inputs):
            assert workflow_run.elapsed > 2
        """,
    )
    result = outside.run("--wisebot-concurrency", "40", "-v")
    result.assert_outcomes(passed=40)
    assert len([line for line in result.outlines if NOTE.fullmatch(line)]) == 40
