"""A worker's end of the broker: an engine to look at, which is the controller's."""

from __future__ import annotations

import itertools
import json
import platform
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from ..engine.pending import EngineCallbacks, PendingRun
from ..engine.values import Ahead, CollectedTests, Ended
from ..errors import Cancelled, ConfigurationError, ConnectionLost, WisebotError
from ..redaction import Secret
from ..runs import RunRequest
from . import protocol
from .server import FAREWELL_SECONDS, WELCOME

CONNECT_SECONDS: Final = 10.0
"""How long the controller may take to answer at its door."""


class RemoteEngine:
    """What a worker sees of the controller's engine.

    Args:
        address: the broker's.
        key: what it wants to be shown.
        worker: the worker's name, for messages.
        collected: it is made while tests are collected, and not in the middle of one.
        voices: how many workers must declare a run alike before it starts ahead of its test.
        mask: told each credential that another worker was given for one call.

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
        voices: int = 1,
        mask: Callable[[Secret], None] | None = None,
    ) -> None:
        self._worker = worker
        self._mask = mask
        self._voices = voices
        self._numbers = itertools.count(1)
        self._futures: dict[int, Future[Ended]] = {}
        self._session: Future[dict[str, Any]] = Future()
        self._lock = threading.Lock()
        self._over = False
        self._connection = self._connected(address, {"key": key, "collected": collected})
        self._listener = threading.Thread(target=self._listen, name="wisebot-remote", daemon=True)
        self._listener.start()

    def describe(self) -> dict[str, Any]:
        """What the controller says of the session. Asked once; waits for the answer.

        Raises:
            WisebotError: why there is none.
        """
        self._tell({"do": "describe"})
        return self._session.result()

    def collected(self, census: CollectedTests) -> None:
        """Tells which tests there are: the controller collects none."""
        self._tell({"do": "collected", "census": asdict(census)})

    def ahead(self, runs: Iterable[Ahead], *, voices: int | None = None) -> None:
        """Starts declared runs before their tests ask; those that another worker has named are left out.

        Args:
            runs: the runs.
            voices: how many workers must declare each of them alike; None: as many as this one was made with.
        """
        named = [[one.key, protocol.request_to_dict(one.request), one.seconds] for one in runs]
        self._tell({"do": "ahead", "runs": named, "voices": voices or self._voices})

    def submit(self, request: RunRequest, key: str = "") -> PendingRun:
        """Starts a run, or takes the one that was started ahead for this key."""
        number, future = next(self._numbers), Future[Ended]()
        with self._lock:
            if self._over:
                raise Cancelled("the session has ended: no run is started any more")
            self._futures[number] = future
        self._tell({"do": "submit", "id": number, "request": protocol.request_to_dict(request), "key": key})
        strings = EngineCallbacks(
            awaited=partial(self._awaited, number),
            cancel=partial(self._cancel, number),
            forsaken=partial(self._forsaken, number),
        )
        return PendingRun(request, future, strings)

    def submit_all(self, requests: Iterable[RunRequest]) -> list[PendingRun]:
        """Starts these runs."""
        return [self.submit(request) for request in requests]

    def forget(self, key: str) -> None:
        """The test of this key is over and did not ask."""
        self._tell({"do": "forget", "key": key})

    def give_up_all(self) -> None:
        """Nothing: what is left is the controller's to give up, and it sees when this worker goes."""

    def close(self) -> None:
        """Leaves."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._listener.join(FAREWELL_SECONDS)
        self._connection.close()

    def _connected(self, address: tuple[str, int], hello: Mapping[str, Any]) -> socket.socket:
        problem: object = "something else answers there"
        try:
            connection = socket.create_connection(address, timeout=CONNECT_SECONDS)
        except OSError as error:
            problem = error.strerror or type(error).__name__
        else:
            if self._is_let_in(connection, hello):
                return connection
            connection.close()
        raise ConfigurationError(
            f"worker {self._worker} on {platform.node()} cannot reach the controller's engine at "
            f"{address[0]}:{address[1]} ({problem}). Runs are started by the controller, and only workers on its own "
            "machine can ask it: use -n, and no --tx to other machines."
        )

    def _is_let_in(self, connection: socket.socket, hello: Mapping[str, Any]) -> bool:
        self._lines = connection.makefile("rb")
        with suppress(OSError, ValueError, AttributeError, RecursionError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(protocol.line(hello))
            if json.loads(self._lines.readline(4096)).get("welcome") == WELCOME:
                connection.settimeout(None)
                return True
        self._lines.close()
        return False

    def _tell(self, message: Mapping[str, Any]) -> None:
        with self._lock, suppress(OSError):  # lost: the thread that listens settles what is open
            self._connection.sendall(protocol.line(message))

    def _awaited(self, number: int) -> None:
        self._tell({"do": "awaited", "id": number})

    def _forsaken(self, number: int) -> None:
        self._tell({"do": "forsaken", "id": number})

    def _cancel(self, number: int) -> WisebotError | None:
        self._tell({"do": "cancel", "id": number})
        return None

    def _listen(self) -> None:
        try:
            with suppress(OSError, ValueError), self._lines:
                for line in self._lines:
                    self._hear(json.loads(line))
        finally:
            self._settle()

    def _settle(self) -> None:
        """The controller says nothing more: nobody waits for it."""
        with self._lock:
            self._over = True
        lost = ConnectionLost("the session ended before the run did; whether it was sent is not known here")
        for future in list(self._futures.values()):
            future.set_result(Ended(lost))
        if not self._session.done():
            self._session.set_exception(Cancelled("the session has ended"))

    def _hear(self, message: Mapping[str, Any]) -> None:
        if "mask" in message:
            if self._mask is not None:
                self._mask(Secret(message["mask"]))
        elif "ended" in message:
            future = self._futures.pop(message["ended"], None)
            if future is not None:
                future.set_result(protocol.ended_from_dict(message))
        elif self._session.done():
            return
        elif "session" in message:
            self._session.set_result(message["session"])
        elif "refused" in message:
            self._session.set_exception(WisebotError.from_dict(message["refused"]))
