"""Who gives up waiting for a run has not waited for it: the last lines say that it was sent and not awaited."""

from __future__ import annotations

import signal

import pytest
from harness import Numbers, Outside

NOT_AWAITED = "1 run was sent and not awaited: it may have happened"

WITH_A_LIMIT = """
    def test_it(trigger_workflow):
        pending = trigger_workflow.start("nap", {"seconds": 0.5})
        with pytest.raises(TimeoutError):
            pending.wait(0.05)
        until(lambda: pending.done)
"""

UNDER_ASYNCIO = """
    import asyncio

    def test_it(trigger_workflow):
        async def main():
            pending = trigger_workflow.start("nap", {"seconds": 0.5})
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(pending, 0.05)
            return pending

        pending = asyncio.run(main())
        until(lambda: pending.done)
"""

AND_AGAIN = """
        assert pending.wait().ok
"""

XDIST = pytest.mark.parametrize("args", [[], ["-n", "1"]], ids=["one process", "xdist"])


@XDIST
@pytest.mark.parametrize("test", [WITH_A_LIMIT, UNDER_ASYNCIO], ids=["wait with a limit", "asyncio"])
def test_a_run_that_ends_after_its_wait_is_not_awaited(
    outside: Outside, numbers: Numbers, test: str, args: list[str]
) -> None:
    """Although the session lasts until the run has ended, nobody has looked at it."""
    outside.test(test)
    result = outside.run(*args)
    result.assert_outcomes(passed=1)
    assert numbers(result)[-1] == NOT_AWAITED


@XDIST
def test_who_waits_again_has_waited(outside: Outside, numbers: Numbers, args: list[str]) -> None:
    """Also when the run has ended in between."""
    outside.test(WITH_A_LIMIT + AND_AGAIN)
    result = outside.run(*args)
    result.assert_outcomes(passed=1)
    assert NOT_AWAITED not in numbers(result)


@pytest.mark.usefixtures("every_plugin")
@XDIST
@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs SIGALRM")
def test_a_test_that_was_timed_out_has_not_waited(outside: Outside, numbers: Numbers, args: list[str]) -> None:
    """Its run ends while the next test runs."""
    outside.test("""
        @pytest.mark.timeout(0.3)
        @pytest.mark.wisebot("nap", {"n": 1, "seconds": 1})
        def test_late(workflow_run):
            pass

        def test_next():
            until(lambda: answered() == [1])
            time.sleep(0.2)  # the answer has arrived by then
    """)
    result = outside.run(*args)
    result.assert_outcomes(passed=1, errors=1)
    assert numbers(result)[-1] == NOT_AWAITED
