"""RPC server for one xdist worker: starts its runs, and sends the end of each.

No worker waits for an answer, apart from the description of the session at its start.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from ..engine.engine import Engine
from ..engine.pending import PendingRun, Promise
from ..engine.values import Ahead, CollectedTests
from ..errors import WisebotError
from ..originals import threading
from ..redaction import Secret
from ..runs import Ended
from .protocol import request_from_dict
from .server import Channel, SecretBroadcast

if TYPE_CHECKING:
    from ..engine.two_engines import TwoEngines


class Host(Protocol):
    """The owner of the engine."""

    @property
    def engine(self) -> Engine | TwoEngines:
        """The engine, made on first use. Raises `WisebotError` when that fails."""
        ...

    @property
    def masks(self) -> SecretBroadcast:
        """The credentials that all workers must mask."""
        ...

    def described(self) -> dict[str, Any]:
        """The session, for a worker. Raises `WisebotError`."""
        ...

    def ahead(self, runs: list[Ahead], confirmations: int) -> None:
        """Starts declared runs before their tests ask."""
        ...

    def collect(self, census: CollectedTests) -> None:
        """Takes over the collected tests."""
        ...

    def refuse(self, problem: str) -> None:
        """Takes a worker's reason why no test can run; an empty string where one may."""
        ...

    def mask(self, secret: Secret) -> None:
        """Masks this credential from now on."""
        ...


def serve(host: Host, channel: Channel) -> None:
    """Serves a worker until it leaves, or dies."""
    worker = _Worker(host, channel)
    host.masks.join(worker.mask)
    try:
        for message in channel.messages():
            worker.do(**message)
    finally:
        host.masks.leave(worker.mask)
        worker.release_all()


class _Worker:
    """The runs of one worker."""

    def __init__(self, host: Host, channel: Channel) -> None:
        self._host = host
        self._channel = channel
        self._pending: dict[int, PendingRun] = {}
        self._awaited: set[int] = set()
        # Sent by a thread of its own: ends come from the engine's loop, which a slow worker must not delay.
        self._outbox: queue.SimpleQueue[Callable[[], Mapping[str, Any]] | None] = queue.SimpleQueue()
        threading.Thread(target=self._send, name="wisebot-outbox", daemon=True).start()
        self._calls: dict[str, Callable[..., None]] = {
            "describe": self._describe,
            "mask": self._mask,
            "collect": lambda **census: host.collect(CollectedTests(**census)),
            "refuse": lambda problem: host.refuse(problem),
            "ahead": self._start_ahead,
            "submit": self._submit,
            "awaited": self._await,
            "wait_abandoned": self._abandon_wait,
            "cancel": self._cancel,
            "release": self._release,
            "forget": self._forget,
            "take_back_refusals": self._take_back_refusals,
        }

    def do(self, call: str, **arguments: Any) -> None:
        """Executes one message."""
        self._calls[call](**arguments)

    def mask(self, secret: Secret) -> None:
        """Has the worker mask a credential."""
        self._outbox.put(lambda: {"mask": secret.reveal()})

    def release_all(self) -> None:
        """The worker has gone: its runs that were not sent are not sent any more."""
        self._outbox.put(None)
        for pending in list(self._pending.values()):
            pending.release()

    def _mask(self, secret: str) -> None:
        self._host.mask(Secret(secret))
        self._host.masks.add(Secret(secret))

    def _describe(self) -> None:
        try:
            answer = {"session": self._host.described()}
        except WisebotError as error:
            answer = {"refused": error.to_dict()}
        self._outbox.put(lambda: answer)

    def _start_ahead(self, runs: list[Any], confirmations: int) -> None:
        declared = [Ahead(key, request_from_dict(request), seconds) for key, request, seconds in runs]
        self._host.ahead(declared, confirmations)

    def _submit(self, number: int, request: Mapping[str, Any], key: str) -> None:
        asked = request_from_dict(request)
        if asked.secret is not None:
            self._mask(asked.secret.reveal())
        try:
            pending = self._host.engine.submit(asked, key)
        except WisebotError as error:
            self._end(number, Ended(error))
            return
        self._pending[number] = pending
        pending.future.add_done_callback(partial(self._ended, number))

    def _forget(self, key: str) -> None:
        with suppress(WisebotError):  # without an engine nothing was started
            self._host.engine.forget(key)

    def _take_back_refusals(self, references: list[str]) -> None:
        with suppress(WisebotError):
            self._host.engine.take_back_refusals(references)

    def _await(self, number: int) -> None:
        if (pending := self._pending.get(number)) is not None:
            pending.awaited()
            self._awaited.add(number)
            self._forget_result(number)

    def _abandon_wait(self, number: int) -> None:
        if (pending := self._pending.get(number)) is not None:
            self._awaited.discard(number)
            pending.wait_abandoned()

    def _cancel(self, number: int) -> None:
        if (pending := self._pending.get(number)) is not None:
            pending.cancel()
            if pending.outcome is not None and not pending.future.done():  # its part in a shared run is over
                self._end(number, Ended(pending.outcome))

    def _release(self, number: int) -> None:
        if (pending := self._pending.pop(number, None)) is not None:
            pending.release()

    def _ended(self, number: int, future: Promise[Ended]) -> None:
        self._end(number, future.result())
        self._forget_result(number)

    def _end(self, number: int, ended: Ended) -> None:
        self._outbox.put(lambda: {"number": number, "ended": ended.to_dict()})

    def _forget_result(self, number: int) -> None:
        """Keeps no result of a run for which no further message can come."""
        pending = self._pending.get(number)
        if pending is not None and pending.future.done() and number in self._awaited:
            self._awaited.discard(number)
            self._pending.pop(number, None)

    def _send(self) -> None:
        with suppress(OSError):  # the worker has gone; the thread that reads sees so, too
            while (message := self._outbox.get()) is not None:
                self._channel.send(message())
