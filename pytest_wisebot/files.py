"""Files that are written whole or not at all, locks between processes, and names that every file system takes."""

from __future__ import annotations

import hashlib
import importlib
import ntpath
import re
import secrets
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from .originals import io, os, time

if sys.platform != "win32":
    from .originals import fcntl

T = TypeVar("T")

_PLAIN: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")
_DEVICES: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
"""Names that are devices on Windows, whatever their endings."""

WINDOWS: Final = sys.platform == "win32"

_TEMPORARY: Final = re.compile(r"\.(\d+)(-[0-9a-f]+)?\.wisebot-tmp")

NOT_FOLLOWED: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
"""Flags for a file of this package: another user may have put a link there. Windows has no such flag."""

REPLACE_SECONDS: Final = 2.0
"""Deadline for a scanner or an indexer that holds a file on Windows, which takes a moment."""

LONGEST_PATH: Final = 247
"""Characters of a path that each call of Windows takes; a name alone may have 255."""

STALE_SECONDS: Final = 3600.0
"""Age from which on a temporary file is one that a killed process has left behind."""


def safe_name(name: str) -> str:
    """A name that is safe in a path: itself where it is plain, else a readable part of it and a digest."""
    if _PLAIN.fullmatch(name) and not name.endswith(".") and not _DEVICES.fullmatch(name):
        return name
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:40].strip("-").lower()
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{readable or 'run'}-{digest}"


def reachable(path: str | Path) -> str:
    """A path for the system's calls: with the prefix by which Windows takes one that is longer than `LONGEST_PATH`."""
    given = os.fspath(path)
    if not WINDOWS or given.startswith("\\\\?\\") or len(absolute := ntpath.abspath(given)) <= LONGEST_PATH:
        return given
    return f"\\\\?\\UNC{absolute[1:]}" if absolute.startswith("\\\\") else f"\\\\?\\{absolute}"


def write_whole(path: str, data: bytes, mode: int = 0o666) -> None:
    """Replaces the content of a file: a reader sees the old bytes or the new ones, and never a part.

    A process that is killed loses nothing by it: what it has written is the system's to keep.
    """
    temporary = _temporary_name(os.path.dirname(path))
    try:
        write_new(temporary, data, mode)
        try:
            _patiently(os.replace, reachable(temporary), reachable(path))
        except BaseException:
            _discard(temporary)
            raise
    except OSError as error:
        error.filename, error.filename2 = path, None
        raise


def write_new(path: str, data: bytes, mode: int = 0o666) -> None:
    """Writes a file that must not exist, and not even as a link; without a part of one where it fails.

    Raises:
        OSError: it exists (`FileExistsError`), or cannot be written.
    """
    descriptor = os.open(reachable(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | NOT_FOLLOWED, mode)
    try:
        try:
            write_all(descriptor, data)
        finally:
            os.close(descriptor)
    except BaseException:
        _discard(path)
        raise


def _discard(path: str) -> None:
    with suppress(OSError):  # with its folder; the first error is the one to show
        os.unlink(reachable(path))


def check_writable(folder: Path) -> None:
    """Makes a folder, and checks that a file can be written into it.

    Raises:
        OSError: it cannot.
    """
    make_folder(folder)
    path = _temporary_name(str(folder))
    write_new(path, b"\n")
    os.unlink(path)


def _temporary_name(folder: str) -> str:
    return os.path.join(folder, f".{os.getpid()}-{secrets.token_hex(8)}.wisebot-tmp")


def _patiently(step: Callable[..., T], *args: Any) -> T:
    """Takes a step that Windows refuses for as long as a scanner holds the file, or its removal is pending."""
    ends_at = time.monotonic() + REPLACE_SECONDS
    while True:
        try:
            return step(*args)
        except PermissionError:
            if not WINDOWS or time.monotonic() >= ends_at:
                raise
            time.sleep(0.02)


def write_all(descriptor: int, data: bytes) -> None:
    """Writes all of it: by one call, unless the system takes less at once."""
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, data[written:])


LOCK_SECONDS: Final = 10.0
"""Deadline for another session's write, which takes a few milliseconds unless that session has been stopped."""


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Lets one process at a time write into a folder, where its system has locks for it."""
    ends_at = time.monotonic() + LOCK_SECONDS
    descriptor = _opened(folder)
    try:
        while not _try_lock(descriptor) and time.monotonic() < ends_at:
            time.sleep(0.002)
        yield
    finally:
        os.close(descriptor)  # and with it goes the lock
        if WINDOWS:
            with suppress(OSError):  # another process has it open
                os.unlink(_lock_file(folder))


def _opened(folder: Path) -> int:
    path, flags = (_lock_file(folder), os.O_RDWR | os.O_CREAT) if WINDOWS else (folder, os.O_RDONLY)
    try:
        return _patiently(os.open, path, flags, 0o600)
    except FileNotFoundError:
        make_folder(folder)
        return _patiently(os.open, path, flags, 0o600)


def _lock_file(folder: Path) -> Path:
    """Beside the folder: Windows opens no folder, and one with a file in it cannot be removed."""
    return folder.with_name(f".{folder.name}.wisebot-lock")


def _try_lock(descriptor: int) -> bool:
    """Whether this process has locked an open file, or its file system has no locks."""
    try:
        if WINDOWS:
            msvcrt: Any = importlib.import_module("msvcrt")
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        return not (WINDOWS and isinstance(error, PermissionError))
    return True


Seen = tuple[int, int, int]
"""Identifies the state of a file: each writer replaces the file by another one."""


def seen(path: Path) -> Seen | None:
    """The state of a file; None where there is none."""
    try:
        found = os.stat(reachable(path))
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def lock(descriptor: int) -> None:
    """Lets others see, by `is_locked`, that an open file is in use, for as long as it is open and its process lives."""
    if not WINDOWS:  # there an open file cannot be replaced, which is enough
        _try_lock(descriptor)


def is_locked(path: Path) -> bool:
    """Whether a process that lives holds a file."""
    try:
        if WINDOWS:
            os.replace(path, path)  # refused while it is open
            return False
        with open_to_read(path) as file:
            return not _try_lock(file.fileno())
    except PermissionError:
        return True
    except OSError:
        return False


def foreign_owner(folder: Path) -> str:
    """Whose a folder is that belongs to another user, and that others may write into; empty for any other one.

    Raises:
        OSError: it cannot be looked at.
    """
    found = os.stat(folder)
    if WINDOWS or found.st_uid == os.geteuid() or not found.st_mode & 0o022:
        return ""
    by = "all users" if found.st_mode & 0o002 else "its group"
    return f"belongs to another user (uid {found.st_uid}) and may be written by {by}"


def sweep(folders: Iterable[Path]) -> None:
    """Takes away the temporary files that killed processes have left in these folders."""
    for folder in folders:
        for path in _temporary(folder):
            with suppress(OSError):
                os.unlink(path)


def _temporary(folder: Path) -> Iterator[Path]:
    with suppress(OSError):
        for path in entries_of(folder):
            named = _TEMPORARY.fullmatch(path.name)
            if named and (_is_gone(int(named[1])) or time.time() - os.stat(path).st_mtime > STALE_SECONDS):
                yield path


def _is_gone(process: int) -> bool:
    """Whether a process has ended, where asking does it no harm."""
    if os.name != "posix":
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


# --- files by the functions of the start (see `originals`): the methods of a `Path` open a fake file system's


def read_bytes(path: Path) -> bytes:
    """The content of a file. Raises `OSError`."""
    with open_to_read(path) as file:
        return file.read()


def open_to_read(path: Path) -> BinaryIO:
    """A file, open for reading. Raises `OSError`."""
    return io.open(reachable(path), "rb")


def is_there(path: Path) -> bool:
    """Whether a file or folder exists."""
    try:
        os.stat(reachable(path))
    except (OSError, ValueError):
        return False
    return True


def is_folder(path: Path) -> bool:
    """Whether this is a folder, and no link to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False


def make_folder(path: Path, mode: int = 0o777) -> None:
    """Makes a folder, and those above it, where they do not exist. Raises `OSError`."""
    try:
        os.mkdir(reachable(path), mode)
    except FileNotFoundError:
        if path.parent == path:
            raise
        make_folder(path.parent)
        make_folder(path, mode)  # another process may have made it by now
    except FileExistsError:
        if not stat.S_ISDIR(os.stat(reachable(path)).st_mode):
            raise


def entries_of(path: Path) -> list[Path]:
    """The entries of a folder; none where it cannot be read."""
    try:
        return [path / name for name in os.listdir(reachable(path))]
    except OSError:
        return []


def remove_file(path: Path) -> None:
    """Removes a file, if it exists. Raises `OSError`."""
    with suppress(FileNotFoundError):
        _patiently(os.unlink, reachable(path))


def remove_folder(path: Path) -> None:
    """Removes a folder and all that is in it, as far as that is possible."""
    for place, folders, files in os.walk(path, topdown=False):
        for name in files:
            with suppress(OSError):
                os.unlink(os.path.join(place, name))
        for name in folders:
            with suppress(OSError):
                os.rmdir(os.path.join(place, name))
    with suppress(OSError):
        os.rmdir(path)


def file_of(descriptor: int) -> tuple[int, int] | None:
    """Identifies the file of a descriptor, which a test may have closed, and another file got; None where closed."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def file_of_socket(number: int) -> tuple[int, int] | None:
    """The same of a socket. On Windows None: its number is none of a file, and may be equal to that of one."""
    return None if WINDOWS else file_of(number)
