"""The engine of an xdist worker: a client of the controller's."""

from __future__ import annotations

import errno
import itertools
import platform
import socket
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from ..engine.pending import EngineCallbacks, PendingRun, Promise
from ..engine.values import Ahead, CollectedTests
from ..errors import Cancelled, ConfigurationError, ConnectionLost, WisebotError
from ..originals import threading
from ..redaction import Secret
from ..runs import Ended, RunRequest
from .protocol import request_to_dict
from .server import FAREWELL_SECONDS, LONGEST_HELLO, WELCOME, Channel

CONNECT_SECONDS: Final = 10.0
"""Deadline for the controller's answer to a new connection."""

DESCRIBE_SECONDS: Final = 120.0
"""Deadline for the description of the session: the controller may have to start an emulator first."""


class RemoteEngine:
    """The controller's engine, as its worker sees it.

    Args:
        address: the controller's server.
        key: the server's key.
        worker: the worker's name, for messages.
        collected: it is made while tests are collected, and not in the middle of one.
        confirmations: how many workers must submit the same request before it is started ahead of its test.
        mask: called with each credential of one call of another worker.

    Raises:
        ConfigurationError: the controller cannot be reached from here.
    """

    def __init__(
        self,
        address: tuple[str, int],
        key: str,
        worker: str,
        *,
        collected: bool,
        confirmations: int = 1,
        mask: Callable[[Secret], None] = lambda _: None,
    ) -> None:
        self._mask = mask
        self._confirmations = confirmations
        self._numbers = itertools.count(1)
        self._futures: dict[int, Promise[Ended]] = {}
        self._session: Future[dict[str, Any]] = Future()
        self._lock = threading.Lock()
        self._over = False
        self._leaves = False
        self._why = "the session has ended"
        self._channel = _connected(address, {"key": key, "collected": collected}, worker)
        self._listener = threading.Thread(target=self._listen, name="wisebot-remote", daemon=True)
        self._listener.start()

    def describe(self) -> dict[str, Any]:
        """The controller's description of the session. Asked once; waits for the answer.

        Raises:
            WisebotError: the reason why there is none.
        """
        self._call("describe")
        try:
            return self._session.result(DESCRIBE_SECONDS)
        except TimeoutError:
            raise ConfigurationError(
                f"the xdist controller has not described the session within {DESCRIBE_SECONDS:g} s"
            ) from None

    def collected(self, census: CollectedTests) -> None:
        """Sends the collected tests: the controller collects none."""
        self._call("collect", **asdict(census))

    def refuse(self, problem: str) -> None:
        """Sends why no test can run; an empty string where one may."""
        self._call("refuse", problem=problem)

    def ahead(self, runs: Iterable[Ahead], *, confirmations: int | None = None) -> None:
        """Starts declared runs before their tests ask; those that another worker has named are left out.

        Args:
            runs: the runs.
            confirmations: how many workers must submit each of them alike; None: as many as this engine was made with.
        """
        declared = [[one.key, request_to_dict(one.request), one.seconds] for one in runs]
        self._call("ahead", runs=declared, confirmations=confirmations or self._confirmations)

    def submit(self, request: RunRequest, key: str = "") -> PendingRun:
        """Starts a run, or takes the one that was started ahead for this key."""
        number, future = next(self._numbers), Promise[Ended]()
        with self._lock:
            if self._over:
                raise Cancelled(f"{self._why}: no run is started any more")
            self._futures[number] = future
        self._call("submit", number=number, request=request_to_dict(request), key=key)
        callbacks = EngineCallbacks(
            awaited=partial(self._call, "awaited", number=number),
            cancel=partial(self._call, "cancel", number=number),
            wait_abandoned=partial(self._call, "wait_abandoned", number=number),
            release=partial(self._release, number),
        )
        return PendingRun(request, future, callbacks)

    def _release(self, number: int) -> None:
        """Sends that no test of this worker waits for a run any more; its end is not waited for either."""
        self._call("release", number=number)

    def submit_all(self, requests: Iterable[RunRequest]) -> list[PendingRun]:
        """Starts these runs."""
        return [self.submit(request) for request in requests]

    def mask(self, secret: Secret) -> None:
        """Has all processes mask a credential of one call, before anything uses it."""
        self._call("mask", secret=secret.reveal())

    def forget(self, key: str) -> None:
        """The test of this key is over and has not asked."""
        self._call("forget", key=key)

    def take_back_refusals(self, references: Collection[str]) -> None:
        """The refusals of these runs were what their test expected: they open no circuit."""
        self._call("take_back_refusals", references=list(references))

    def close(self) -> None:
        """Leaves the controller."""
        self._leaves = True
        self._channel.hang_up()
        self._listener.join(FAREWELL_SECONDS)

    def _call(self, call: str, **arguments: Any) -> None:
        try:
            self._channel.send({"call": call, **arguments})
        except OSError as error:
            # What is closed in this process the thread that listens does not notice.
            if error.errno == errno.EBADF and not self._leaves:
                self._why = "a test has closed the connection of its worker to the controller, as os.closerange does"
                self._settle(self._why)

    def _listen(self) -> None:
        try:
            for message in self._channel.messages():
                self._receive(message)
        finally:
            self._settle()
            self._channel.close()

    def _settle(self, why: str = "the session ended before the run did") -> None:
        """No message will come any more: ends all that waits for one."""
        with self._lock:
            self._over = True
            open_runs, self._futures = list(self._futures.values()), {}
        lost = ConnectionLost(f"{why}; whether it was sent is not known here")
        for future in open_runs:
            future.set_result(Ended(lost))
        if not self._session.done():
            self._session.set_exception(Cancelled("the session has ended"))

    def _receive(self, message: Mapping[str, Any]) -> None:
        if "mask" in message:
            self._mask(Secret(message["mask"]))
        elif "ended" in message:
            future = self._futures.pop(message["number"], None)
            if future is not None:
                future.set_result(Ended.from_dict(message["ended"]))
        elif self._session.done():
            return
        elif "session" in message:
            self._session.set_result(message["session"])
        elif "refused" in message:
            self._session.set_exception(WisebotError.from_dict(message["refused"]))


def _connected(address: tuple[str, int], hello: Mapping[str, Any], worker: str) -> Channel:
    problem = "something else answers there"
    try:
        channel = Channel(_connect(address), CONNECT_SECONDS)
    except OSError as error:
        problem = error.strerror or type(error).__name__
    else:
        with suppress(OSError, ValueError):
            channel.send(hello)
            if channel.receive(LONGEST_HELLO).get("welcome") == WELCOME:
                return channel
        channel.close()
    raise ConfigurationError(
        f"worker {worker} on {platform.node()} cannot reach the controller's engine at "
        f"{address[0]}:{address[1]} ({problem}). Runs are started by the controller, and only workers on its own "
        "machine can ask it: use -n, and no --tx to other machines."
    )


def _connect(address: tuple[str, int]) -> socket.socket:
    """A connection that `pytest-socket` does not refuse: it replaces the class, or its method, while a test runs."""
    unpatched: type[socket.socket] = next(kind for kind in socket.socket.__mro__ if kind.__module__ == "socket")
    connection = unpatched(socket.AF_INET, socket.SOCK_STREAM)
    connection.settimeout(CONNECT_SECONDS)
    try:
        socket.SocketType.connect(connection, address)
    except OSError:
        connection.close()
        raise
    return connection
