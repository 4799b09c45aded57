"""Credentials that were given for one call, in one process: all the others must mask them, too."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..redaction import Secret


class SecretBroadcast:
    """What the workers of a session are told to mask; its methods may be called by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given: dict[Secret, None] = {}
        self._workers: list[Callable[[Secret], None]] = []

    def add(self, secret: Secret) -> None:
        """Tells all workers of a credential, those that are still to come included."""
        with self._lock:
            if secret not in self._given:
                self._given[secret] = None
                for tell in self._workers:
                    tell(secret)

    def joins(self, tell: Callable[[Secret], None]) -> None:
        """A worker has come."""
        with self._lock:
            self._workers.append(tell)
            for secret in self._given:
                tell(secret)

    def leaves(self, tell: Callable[[Secret], None]) -> None:
        """A worker has gone."""
        with self._lock:
            self._workers.remove(tell)
