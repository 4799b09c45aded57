"""Threads that nobody waits for at the end."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class DaemonThreads(ThreadPoolExecutor):
    """The event loop's executor, for looking up hosts and reading large answers: a daemon thread for each call.

    The library's own executor is joined when the loop ends, and once more when Python does: a name server that does not
    answer would hold pytest's prompt back for as long as it likes.
    """

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Calls ``function`` in a thread of its own.

        Raises:
            OSError: the system starts no more threads.
        """
        future: Future[T] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = function(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to who waits
                future.set_exception(error)
            else:
                future.set_result(result)

        try:
            threading.Thread(target=call, daemon=True, name="wisebot").start()
        except RuntimeError as error:  # for who looks up a host it is one of the system's errors
            raise OSError(errno.EAGAIN, str(error)) from error
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Waits for nothing."""
