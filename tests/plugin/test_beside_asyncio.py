"""Beside pytest-asyncio and anyio's own plugin: ``await`` what ``trigger_workflow.start`` gives, in either's tests."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Outside

AWAITING = """
    import asyncio

    {marks}
    async def test_many_at_once(trigger_workflow):
        runs = await asyncio.gather(*(trigger_workflow.start("nap", {{"n": n, "seconds": 0.5}}) for n in range(4)))
        assert [run.result["n"] for run in runs] == [0, 1, 2, 3]
        assert emulator.peak() >= 4

    {marks}
    async def test_the_loop_goes_on_meanwhile(trigger_workflow):
        pending = trigger_workflow.start("nap", {{"n": 4, "seconds": 0.3}})
        ticks = 0
        while not pending.done:
            ticks += 1
            await asyncio.sleep(0.01)
        assert ticks > 5
        assert (await pending).ok
        assert (await pending) == pending.wait()

    {marks}
    async def test_who_stops_waiting_does_not_stop_the_run(trigger_workflow):
        pending = trigger_workflow.start("nap", {{"n": 5, "seconds": 0.4}})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await pending
        assert (await pending).ok

    {marks}
    async def test_errors_come_as_they_are(trigger_workflow):
        with pytest.raises(RunTimedOut):
            await trigger_workflow.start("nap", {{"n": 6, "seconds": 2}}, timeout=1.0)

    {marks}
    @pytest.mark.wisebot("nap", {{"n": 7}})
    async def test_declared(workflow_run):
        assert workflow_run.ok

    {marks}
    async def test_failed(trigger_workflow):
        assert_ok(await trigger_workflow.start("refund", {{"n": 8}}))
"""

WITH_TRIO = """
    import anyio

    pytestmark = pytest.mark.anyio

    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(request):
        return request.param

    async def test_many_at_once(trigger_workflow):
        runs = []

        async def one(n):
            runs.append(await trigger_workflow.start("nap", {"n": n, "seconds": 0.3}))

        async with anyio.create_task_group() as tasks:
            for n in range(4):
                tasks.start_soon(one, n)
        assert sorted(run.result["n"] for run in runs) == [0, 1, 2, 3]

    async def test_who_stops_waiting_does_not_stop_the_run(trigger_workflow):
        pending = trigger_workflow.start("nap", {"n": 4, "seconds": 0.3})
        with anyio.move_on_after(0.05) as scope:
            await pending
        assert scope.cancelled_caught
        assert (await pending).ok

    async def test_failed(trigger_workflow):
        assert_ok(await trigger_workflow.start("refund", {"n": 5}))
"""


@pytest.fixture
def run(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the project of `outside` with every warning an error, in one process or two."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS")
    return lambda *args: outside.project.run_apart("-p", "xdist", "-W", "error", *args)


FAILED = "refund over the webhook API, environment outside: failed (live)"


@pytest.mark.parametrize(
    ("mode", "marks", "args"),
    [("strict", "@pytest.mark.asyncio", []), ("auto", "", ["-n", "2"])],
    ids=["strict, one process", "auto, xdist"],
)
def test_pytest_asyncio(outside: Outside, run: Any, mode: str, marks: str, args: list[str]) -> None:
    """In both its modes: at once, beside the test's own tasks, with the errors and sections that other tests have."""
    outside.test(AWAITING.format(marks=marks))
    loop = ["-o", "asyncio_default_fixture_loop_scope=function", "--asyncio-mode", mode]
    result = run("-p", "asyncio", *loop, "-p", "wisebot", *args)
    assert result.parseoutcomes() == {"passed": 5, "failed": 1}
    assert result.outlines.count(FAILED) == 1
    assert sorted(outside.arrived) == [*range(9)]


@pytest.mark.parametrize("args", [[], ["-n", "2"]], ids=["one process", "xdist"])
def test_anyio(outside: Outside, run: Any, args: list[str]) -> None:
    """Under asyncio and trio alike."""
    outside.test(WITH_TRIO)
    result = run("-p", "anyio", "-p", "wisebot", *args)
    assert result.parseoutcomes() == {"passed": 4, "failed": 2}
    assert result.outlines.count(FAILED) == 2
    assert sorted(outside.arrived) == sorted([*range(6)] * 2)
