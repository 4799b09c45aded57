"""Event loops of async workflow functions: what `asyncio.run` promises holds, without its descriptors."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest

from pytest_wisebot.emulator import loops

descriptors = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors in /proc")  # noqa: PTH112


def opened() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def ignored(place: str) -> None:
    """For runs whose blocking is not checked."""


def ran(function: Callable[[], Any], report: Callable[[str], None] = ignored) -> Any:
    """The result of an async function in a thread, as the emulator runs it; raises what it raised."""
    ended: list[tuple[Any, BaseException | None]] = []

    def call() -> None:
        try:
            ended.append((loops.run(function(), report), None))
        except BaseException as error:  # noqa: BLE001 - handed to the test
            ended.append((None, error))

    thread = threading.Thread(target=call)
    thread.start()
    thread.join(30)
    ((result, error),) = ended
    if error is not None:
        raise error
    return result


@descriptors
def test_a_run_that_waits_has_no_descriptor() -> None:
    """A hundred functions that wait at once, and are woken by time or by another thread, take no descriptor."""
    gc.collect()
    before, both, go_on = opened(), threading.Barrier(101), threading.Event()

    async def waits() -> None:
        await asyncio.sleep(0.01)
        await asyncio.to_thread(both.wait)
        await asyncio.to_thread(go_on.wait)

    threads = [threading.Thread(target=loops.run, args=(waits(), ignored)) for _ in range(100)]
    for thread in threads:
        thread.start()
    both.wait(30)
    during = opened()
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert during <= before
    assert not any(thread.is_alive() for thread in threads)


@descriptors
def test_sockets_pipes_and_subprocesses_work_and_are_closed() -> None:
    """A function that opens a server, a client and a subprocess gets their data, and its run leaves nothing open."""
    gc.collect()
    before = opened()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    async def talks() -> list[str]:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"sent\n")
            got = await reader.read()
            writer.close()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "print('printed')", stdout=asyncio.subprocess.PIPE
        )
        printed, _ = await process.communicate()
        return [got.decode().strip(), printed.decode().strip(), await asyncio.to_thread(str, 5)]

    assert ran(talks) == ["sent", "printed", "5"]
    gc.collect()
    assert opened() == before


def test_a_loop_with_a_socket_is_woken_by_other_threads() -> None:
    """A call from another thread ends a wait without limit, before a descriptor is registered and after."""

    async def woken() -> list[str]:
        got = [await asyncio.to_thread(str, "before")]
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        async with server:
            got.append(await asyncio.to_thread(str, "after"))
        return [*got, await asyncio.to_thread(str, "closed")]

    assert ran(woken) == ["before", "after", "closed"]


def test_what_a_run_leaves_behind_is_ended() -> None:
    """Tasks that are left when the function returns are cancelled, and async generators are closed."""
    ended: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("task")
            raise

    async def generator() -> Any:
        try:
            yield 1
            yield 2
        finally:
            ended.append("generator")

    async def leaves() -> str:
        task = asyncio.create_task(forever())
        async for _ in (left := generator()):
            break
        await asyncio.sleep(0)
        return f"{task.done()} {left is not None}"

    assert ran(leaves) == "False True"
    assert sorted(ended) == ["generator", "task"]


async def in_the_current_task() -> bool:
    return asyncio.current_task() is not None


async def in_time() -> bool:
    async with asyncio.timeout(5):
        await asyncio.sleep(0)
    return True


async def too_late() -> bool:
    try:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(5)
    except TimeoutError:
        return True
    return False


async def in_a_group() -> bool:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(in_time()) for _ in range(3)]
    return all(task.result() for task in tasks)


async def with_anyio() -> bool:
    with anyio.move_on_after(0.01) as scope:
        await anyio.sleep(5)
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, 0)
    return scope.cancelled_caught and await anyio.to_thread.run_sync(lambda: True)


async def with_no_loop_of_its_own() -> bool:
    inner = in_time()
    try:
        asyncio.run(inner)
    except RuntimeError as error:
        inner.close()
        return "running event loop" in str(error)
    return False


@pytest.mark.parametrize(
    "function", [in_the_current_task, in_time, too_late, in_a_group, with_anyio, with_no_loop_of_its_own]
)
def test_what_functions_rely_on(function: Callable[[], Any]) -> None:
    """Tasks, timeouts, groups and anyio work as under `asyncio.run`, and so does its refusal to run within a loop."""
    assert ran(function) is True


def test_the_context_of_the_caller_is_seen_and_kept() -> None:
    """A function sees the context variables of its caller, and what it sets does not leave the run."""
    variable = contextvars.ContextVar("variable", default="unset")

    async def sets() -> str:
        seen = variable.get()
        variable.set("inside")
        return seen

    variable.set("outside")
    assert loops.run(sets(), ignored) == "outside"
    assert variable.get() == "outside"


@pytest.mark.parametrize("kind", [ValueError, asyncio.CancelledError, SystemExit, KeyboardInterrupt])
def test_what_a_function_raises_comes_out(kind: type[BaseException]) -> None:
    """Exceptions, cancellation and exit leave the loop as they are."""

    async def raises() -> None:
        await asyncio.sleep(0)
        raise kind

    with pytest.raises(kind):
        ran(raises)


@pytest.fixture
def reports() -> Iterator[list[str]]:
    yield []
    deadline = time.monotonic() + 10
    while loops.WATCH._is_looking and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not loops.WATCH._is_looking  # its thread ends with the last loop


def test_a_step_that_blocks_is_reported_once_with_its_line(reports: list[str]) -> None:
    """A function that blocks its loop for more than a second is reported once, by file, line and source."""

    async def blocks() -> None:
        await asyncio.sleep(0.01)
        time.sleep(1.6)  # noqa: ASYNC251 - the fault itself

    ran(blocks, reports.append)
    (place,) = reports
    assert place.startswith(f"{__file__}, line ")
    assert ": time.sleep(1.6)" in place


def test_waiting_and_short_steps_are_not_reported(reports: list[str]) -> None:
    """A function that awaits for longer than a second, or blocks for less, is not reported."""

    async def waits() -> None:
        time.sleep(0.5)  # noqa: ASYNC251 - a short block
        await asyncio.sleep(1.3)
        time.sleep(0.5)  # noqa: ASYNC251 - a short block

    ran(waits, reports.append)
    assert reports == []


def test_a_run_goes_on_unwatched_where_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch fails no run: without a thread for it the function runs, and the next run starts the watch."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert loops.run(in_time(), ignored) is True
    assert not loops.WATCH._is_looking


def test_the_names_that_are_not_public_are_there() -> None:
    """The methods of asyncio's loop that are replaced exist in this version of Python, and so do the watch's frames."""
    for name in ("_make_self_pipe", "_close_self_pipe", "_write_to_self"):
        assert callable(getattr(asyncio.SelectorEventLoop, name))
    loop = asyncio.SelectorEventLoop()
    assert "_csock" in vars(loop)
    loop.close()
    assert sys._current_frames()
