"""What a process has run out of: file descriptors, threads or memory. Read from the error that came of it."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from typing import Final

from .originals import os

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]

OUT_OF: Final = "out of "
"""The beginning of what `shortage` returns: by it a reason is recognised as one of this machine and of no host."""

NO_DESCRIPTOR: Final = frozenset({errno.EMFILE, errno.ENFILE})

MOST_FILES: Final = 65536
"""Open files that a raised limit allows. Some containers allow a thousand million, over which programs loop."""

OPEN_MAX: Final = 10240
"""Open files that macOS grants at most where its hard limit is given as infinite."""


def shortage(error: BaseException) -> str | None:
    """What was lacking, in words that begin with `OUT_OF`; None if ``error`` and its causes have another reason."""
    return next(filter(None, map(_lacking, causes(error))), None)


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and all that it came from, through groups too: the system's own reason lies at the bottom."""
    seen: set[int] = set()
    open_errors = [error]
    while open_errors:
        current = open_errors.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        open_errors += [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            open_errors += current.exceptions


def raise_file_limit() -> None:
    """Raises this process's soft limit of open files to its hard limit, `MOST_FILES` at most. Windows has none."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for files in (MOST_FILES, OPEN_MAX):
        wanted = files if hard == resource.RLIM_INFINITY else min(files, hard)
        if soft == resource.RLIM_INFINITY or wanted <= soft:
            return
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):  # the system grants less than its hard limit promises
            continue
        return


def _lacking(error: BaseException) -> str | None:
    if _is_without_descriptor(error):
        return f"{OUT_OF}file descriptors: {_limit()}"
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return f"{OUT_OF}memory"
    if isinstance(error, RuntimeError) and str(error) == "can't start new thread":
        return f"{OUT_OF}threads: the system starts no more (ulimit -u, memory, or the container's limit of processes)"
    return None


def _is_without_descriptor(error: BaseException) -> bool:
    if isinstance(error, socket.gaierror):  # looking up a host takes descriptors, and its error does not tell
        return not _can_open()
    if isinstance(error, ImportError):  # of a library that the dynamic linker could not open
        return os.strerror(errno.EMFILE) in str(error) or os.strerror(errno.ENFILE) in str(error)
    return isinstance(error, OSError) and error.errno in NO_DESCRIPTOR


def _can_open() -> bool:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno not in NO_DESCRIPTOR
    return True


def _limit() -> str:
    if resource is None:
        return "too many are open"
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return "too many are open on this machine"
    return f"the limit is {soft} open files (ulimit -n)"
