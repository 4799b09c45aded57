"""A value that one thread sets, and that others wait for."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import FrameType
from typing import Any

import pytest

from pytest_wisebot.engine.pending import Promise

LIMIT = 5.0


def interrupted_at(step: int, call: Callable[[], object]) -> bool:
    """Calls a function and raises a Ctrl-C before its n-th instruction; whether it came so far."""
    left = step

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        frame.f_trace_opcodes = True
        if event == "opcode":
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        return True
    except TimeoutError:
        return False
    finally:
        sys.settrace(None)
    return False


def ways(promise: Any) -> dict[str, Callable[[], object]]:
    return {
        "done": promise.done,
        "result": lambda: promise.result(0.0),
        "callback": lambda: promise.add_done_callback(lambda _: None),
    }


def sets_in_time(promise: Any) -> bool:
    thread = threading.Thread(target=promise.set_result, args=[1], daemon=True)
    thread.start()
    thread.join(0.2 if isinstance(promise, Future) else LIMIT)
    return not thread.is_alive()


@pytest.mark.parametrize("way", ["done", "result", "callback"])
def test_a_ctrl_c_at_any_instruction_holds_up_no_other_thread(way: str) -> None:
    """The thread that sets the value goes on, wherever the one that looks at it was interrupted."""
    step = 1
    while interrupted_at(step, ways(promise := Promise[int]())[way]):
        assert sets_in_time(promise)
        assert promise.result(LIMIT) == 1
        step += 1
    assert step > 3


def test_the_future_of_the_library_does_hold_it_up() -> None:
    """Otherwise the test above holds nothing: of some instruction this one does not recover."""
    futures = (Future[int]() for _ in range(100))
    assert any(
        interrupted_at(step, future.done) and not sets_in_time(future) for step, future in enumerate(futures, start=1)
    )


def test_each_callback_is_called_once_whoever_comes_first() -> None:
    """Added before, after, and while the value is set by another thread."""
    for _ in range(200):
        promise, called = Promise[int](), list[Promise[int]]()
        promise.add_done_callback(called.append)
        setting = threading.Thread(target=promise.set_result, args=[7])
        setting.start()
        promise.add_done_callback(called.append)
        setting.join()
        promise.add_done_callback(called.append)
        assert called == [promise] * 3


def test_a_wait_ends_with_its_limit() -> None:
    """And a later one with the value."""
    promise = Promise[int]()
    with pytest.raises(TimeoutError):
        promise.result(0.01)
    threading.Timer(0.05, promise.set_result, [3]).start()
    assert promise.result(LIMIT) == 3
