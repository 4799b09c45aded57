"""Functions of the standard library as they were when pytest started. No patch of a test reaches them.

Runs are in flight, and files are written, while any test is running, and that test may have replaced
``time.monotonic``, ``socket.socket``, ``open`` or ``json.dumps``. Libraries for tests replace more than the functions
themselves: freezegun every module's name for a clock, pyfakefs every module's name for ``os``, ``io`` or a path. What
an object holds is found by neither. The modules of this package that work while a test runs therefore write
``from .originals import time`` in place of ``import time``; `pinned` does the same for the classes of libraries.
"""

from __future__ import annotations

import datetime as dt
import io as _io
import json as _json
import os as _os
import socket as _socket
import subprocess as _subprocess
import sys
import threading as _threading
import time as _time
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, MethodDescriptorType, ModuleType
from typing import TYPE_CHECKING, Any, TypeVar, cast

T = TypeVar("T")


class Held:
    """The names of a module as they are now. No module itself: pyfakefs replaces those.

    Args:
        module: the module.
        instead: other objects, or those of names that the module makes when they are first asked for.
    """

    def __init__(self, module: ModuleType, **instead: Any) -> None:
        self.__dict__.update({name: value for name, value in vars(module).items() if not name.startswith("__")})
        self.__dict__.update(instead)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


_METHODS = (FunctionType, MethodDescriptorType, BuiltinFunctionType, property, classmethod, staticmethod)


def pinned(kind: type[T], **names: Any) -> type[T]:
    """A subclass with the methods that a class has now: a later patch of the class does not reach it.

    Args:
        kind: the class.
        names: held modules (see `Held`) that its functions find behind these global names.
    """
    scopes: dict[int, dict[str, Any]] = {}
    methods: dict[str, Any] = {}
    for base in reversed(kind.__mro__[:-1]):
        for name, value in vars(base).items():
            if isinstance(value, _METHODS) and name not in ("__new__", "__init_subclass__", "__class_getitem__"):
                methods[name] = _rebound(value, names, scopes) if names else value
    make: Any = type(kind)
    return cast("type[T]", make(kind.__name__, (kind,), {**methods, "__module__": kind.__module__}))


def rebound(function: Callable[..., T], **names: Any) -> Callable[..., T]:
    """A function that finds other objects behind some of its global names; itself, if it is none of Python's."""
    return cast("Callable[..., T]", _rebound(function, names, {}))


def _rebound(function: Any, names: dict[str, Any], scopes: dict[int, dict[str, Any]]) -> Any:
    if not isinstance(function, FunctionType):
        return function
    scope = scopes.setdefault(id(function.__globals__), {**function.__globals__, **names})
    copy = FunctionType(function.__code__, scope, function.__name__, function.__defaults__, function.__closure__)
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__qualname__ = function.__qualname__
    return copy


def copied(module: ModuleType, **names: Any) -> Any:
    """A module's functions, which call each other, and find other objects behind some of their global names."""
    scope = {**vars(module), **names}
    scopes = {id(vars(module)): scope}
    scope.update({name: _rebound(value, names, scopes) for name, value in scope.items()})
    return Held(module, **{name: value for name, value in scope.items() if not name.startswith("__")})


def held_sockets() -> Any:
    """The module ``socket`` as it is now, whose functions make sockets of the class that it has now.

    pytest-socket replaces the class ``socket.socket``, its method ``connect``, and the functions that look hosts up.
    """
    kind = pinned(_socket.socket)
    held = Held(_socket, socket=kind)
    for name in ("socketpair", "create_connection", "create_server"):
        setattr(held, name, rebound(getattr(_socket, name), socket=kind, getaddrinfo=_socket.getaddrinfo))
    return held


class _Clock:
    """The wall clock: that of the start, and the monotonic time since.

    time-machine moves the wall clock below Python, for functions that are held as well, and no monotonic clock.
    """

    def __init__(self) -> None:
        self._monotonic = _time.monotonic
        self._began = _time.time() - _time.monotonic()

    def time(self) -> float:
        return self._began + self._monotonic()


class Dates:
    """Dates of the class that there was at the start: freezegun replaces it by another one."""

    def __init__(self) -> None:
        self._kind, self._utc, self._clock = dt.datetime, dt.UTC, _CLOCK

    def now(self) -> dt.datetime:
        """The time of day, in UTC."""
        return self.at(self._clock.time())

    def at(self, seconds: float) -> dt.datetime:
        """A time of day in UTC, of seconds since the epoch; the nearest one that a date can hold."""
        try:
            return self._kind.fromtimestamp(seconds, self._utc)
        except (OverflowError, ValueError, OSError):
            return (self._kind.max if seconds > 0 else self._kind.min).replace(tzinfo=self._utc)

    def read(self, text: str) -> dt.datetime:
        """The time of day that a string in the format of ISO 8601 names. Raises `ValueError`."""
        return self._kind.fromisoformat(text)


_CLOCK = _Clock()

dates = Dates()

if TYPE_CHECKING:
    if sys.platform != "win32":
        import fcntl as fcntl
    import io as io
    import json as json
    import os as os
    import subprocess as subprocess
    import threading as threading
    import time as time
else:
    if sys.platform != "win32":
        import fcntl as _fcntl

        fcntl = Held(_fcntl)
    io = Held(_io)
    json = Held(_json)
    os = Held(_os, path=Held(_os.path))
    subprocess = Held(_subprocess)
    threading = Held(_threading)
    time = Held(_time, time=_CLOCK.time)
