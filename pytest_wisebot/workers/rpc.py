"""Behind the door: a worker says what it wants, and is told, as each run ends, how it ended.

One connection for each worker, a line of ASCII JSON for each message. Nobody waits for an answer but at the start: a
worker hands over what it wants and goes on.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from ..engine.engine import Engine
from ..engine.pending import PendingRun
from ..engine.values import Ahead, CollectedTests, Ended
from ..errors import WisebotError
from ..redaction import Secret
from . import protocol
from .secret_broadcast import SecretBroadcast
from .server import WELCOME, WorkerConnection


class Host(Protocol):
    """Who owns the engine."""

    @property
    def engine(self) -> Engine:
        """The engine, which may begin with this. Raises `WisebotError` when it cannot."""
        ...

    @property
    def masks(self) -> SecretBroadcast:
        """What all workers are told to mask."""
        ...

    def described(self, *, collected: bool) -> dict[str, Any]:
        """What a worker must know of the session. Raises `WisebotError`.

        Args:
            collected: the worker came while it collected tests, and not in the middle of one.
        """
        ...

    def collect(self, census: CollectedTests) -> None:
        """Learns which tests there are."""
        ...

    def mask(self, secret: Secret) -> None:
        """Masks this credential from now on."""
        ...


def serve(host: Host, visitor: WorkerConnection) -> None:
    """Does what a worker wants until it leaves, or dies."""
    worker = _Worker(host, visitor)
    worker.tell({"welcome": WELCOME})
    host.masks.joins(worker.mask)
    try:
        with suppress(OSError, ValueError):  # gone, in the middle of a line perhaps
            for line in visitor.lines:
                worker.hear(json.loads(line))
    finally:
        host.masks.leaves(worker.mask)
        worker.gone()


class _Worker:
    """One worker's connection."""

    def __init__(self, host: Host, visitor: WorkerConnection) -> None:
        self._host = host
        self._visitor = visitor
        self._pending: dict[int, PendingRun] = {}
        self._awaited: set[int] = set()
        # Sent by a thread of its own: outcomes come from the engine's loop, which a slow worker must not hold up.
        self._outbox: queue.SimpleQueue[Callable[[], Mapping[str, Any]] | None] = queue.SimpleQueue()
        threading.Thread(target=self._send, name="wisebot-outbox", daemon=True).start()

    def tell(self, message: Mapping[str, Any]) -> None:
        """Sends a message soon."""
        self._outbox.put(lambda: message)

    def mask(self, secret: Secret) -> None:
        """Has the worker mask a credential."""
        self.tell({"mask": secret.reveal()})

    def hear(self, message: Mapping[str, Any]) -> None:
        """Does what a worker wants."""
        match message["do"]:
            case "describe":
                self._describe()
            case "collected":
                self._host.collect(CollectedTests(**message["census"]))
            case "ahead":
                self._start_ahead(message["runs"], message["voices"])
            case "submit":
                self._submit(message["id"], protocol.request_from_dict(message["request"]), message["key"])
            case "awaited":
                self._await(message["id"])
            case "forsaken":
                self._forsake(message["id"])
            case "cancel":
                self._cancel(message["id"])
            case "forget":
                with suppress(WisebotError):  # without an engine nothing was started
                    self._host.engine.forget(message["key"])

    def gone(self) -> None:
        """The worker has ended, or died: what it asked for and was not sent is not sent any more."""
        self._outbox.put(None)
        for pending in list(self._pending.values()):
            pending.let_go()

    def _describe(self) -> None:
        try:
            self.tell({"session": self._host.described(collected=self._visitor.collected)})
        except WisebotError as error:
            self.tell({"refused": error.to_dict()})

    def _start_ahead(self, runs: list[Any], voices: int) -> None:
        with suppress(WisebotError):  # each test that asks will be told
            named = [Ahead(key, protocol.request_from_dict(request), seconds) for key, request, seconds in runs]
            self._host.engine.ahead(named, voices=voices)

    def _submit(self, number: int, request: Any, key: str) -> None:
        if request.secret is not None:
            self._host.mask(request.secret)
            self._host.masks.add(request.secret)
        try:
            pending = self._host.engine.submit(request, key)
        except WisebotError as error:
            self._end(number, Ended(error))
            return
        self._pending[number] = pending
        pending.future.add_done_callback(partial(self._ended, number))

    def _await(self, number: int) -> None:
        if (pending := self._pending.get(number)) is not None:
            pending.awaited()
            self._awaited.add(number)
            self._let_go_of(number)

    def _forsake(self, number: int) -> None:
        if (pending := self._pending.get(number)) is not None:
            self._awaited.discard(number)
            pending.forsaken()

    def _ended(self, number: int, future: Future[Ended]) -> None:
        self._end(number, future.result())
        self._let_go_of(number)

    def _end(self, number: int, ended: Ended) -> None:
        self._outbox.put(lambda: {"ended": number, **protocol.ended_to_dict(ended)})

    def _let_go_of(self, number: int) -> None:
        """Keeps no result of a run about which the worker will say nothing more."""
        pending = self._pending.get(number)
        if pending is not None and pending.future.done() and number in self._awaited:
            self._awaited.discard(number)
            self._pending.pop(number, None)

    def _cancel(self, number: int) -> None:
        pending = self._pending.get(number)
        if pending is None:
            return
        pending.cancel()
        if pending.outcome is not None and not pending.future.done():  # its part in a shared run is over
            self._end(number, Ended(pending.outcome))

    def _send(self) -> None:
        while (message := self._outbox.get()) is not None:
            try:
                self._visitor.connection.sendall(protocol.line(message()))
            except OSError:  # the worker has gone; the thread that listens to it sees so, too
                return
