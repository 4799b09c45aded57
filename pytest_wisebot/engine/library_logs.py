"""Keeps the log records of the engine's thread out of the tests' logs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_LOGGERS: Final = ("asyncio", "httpcore.connection", "httpcore.http11", "httpcore.proxy", "httpcore.socks", "httpx")
"""What the engine's libraries write to. A filter holds for one logger, not for those below it."""


@contextmanager
def quiet() -> Iterator[None]:
    """Drops what this thread logs through the libraries that it uses.

    Runs fly while any test is running: that test's ``caplog``, and its report, would hold records of a run that is
    none of its own. What a run did is in the failure section of the test that asked for it.
    """
    thread = threading.get_ident()

    def is_of_another_thread(record: logging.LogRecord) -> bool:
        return record.thread != thread

    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(is_of_another_thread)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(is_of_another_thread)
