"""Starts Python processes by forking one that has imported everything already.

Most of what a session of pytest in a process of its own costs is imports: half a second for each worker of
pytest-xdist and for each emulator. The suite starts hundreds of them. A process forked from this server is a process
like any other, with its own id, streams, folder and environment; it has loaded its modules before it begins.

Not forked, but started as ever: commands that this file does not recognise, the children of a process that leads a
session of its own, and all of them on other systems than Linux.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import functools
import gc
import importlib
import importlib.metadata
import inspect
import io
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

_START_SECONDS = 60.0
_ROOTS = ("pytest_wisebot", "_pytest", "xdist", "syrupy", "anyio", "httpx", "httpcore", "pluggy", "execnet")
_PLUGINS = ("_pytest.", "xdist.", "syrupy", "anyio.pytest_plugin", "pytest_wisebot.plugin", "_hypothesis_pytestplugin")
_NEVER = ("__main__", "trio", "_win32_console", "looponfail", "__channelexec__", "script.", ".tests")
_AT_START = ("LANG", "LC_", "PYTHON")
"""Variables with these beginnings change how an interpreter starts, so that a fork cannot honour another value."""


def _is_at_start(name: str) -> bool:
    return name.startswith(_AT_START) and name not in ("PYTHONPATH", "PYTHONUNBUFFERED")


class Command:
    """What a command line asks of Python: to run a module or code, with arguments.

    Attributes:
        kind: ``-m`` or ``-c``.
        target: the module's name, or the code.
        args: the arguments after it.
        safe_path: whether the current folder stays off the import path (``-P``).
        unbuffered: whether the standard streams are not buffered (``-u``).
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self.safe_path = False
        self.unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
        rest = list(argv)
        while rest and rest[0] in ("-P", "-u"):
            self.safe_path |= rest[0] == "-P"
            self.unbuffered |= rest.pop(0) == "-u"
        first = rest.pop(0) if rest else ""
        self.kind, self.target = first[:2], first[2:] or (rest.pop(0) if rest else "")
        self.args = rest

    @property
    def is_known(self) -> bool:
        """Whether it is one of those that the suite starts often."""
        if self.kind == "-m":
            return self.target in ("pytest", "pytest_wisebot") or self.target.startswith("pytest_wisebot.")
        return self.kind == "-c" and self.target == "import sys;exec(eval(sys.stdin.readline()))"  # execnet's workers


_ASKED = list(inspect.signature(subprocess.Popen._execute_child).parameters)[2:]  # type: ignore[attr-defined]
"""The names of what `subprocess.Popen` hands over where it starts a process."""


class ForkedPopen(subprocess.Popen[Any]):
    """`subprocess.Popen`, whose known commands are forked by the server at `address`."""

    address: str | None = None

    def _execute_child(self, args: Any, *rest: Any) -> None:
        asked = dict(zip(_ASKED, rest, strict=True))
        self._status: socket.socket | None = None
        if self.address is None or not _is_forkable(args, asked):
            super()._execute_child(args, *rest)  # type: ignore[misc]
            return
        streams = [
            inherited if given == -1 else given
            for inherited, given in enumerate((asked["p2cread"], asked["c2pwrite"], asked["errwrite"]))
        ]
        environment = dict(os.environ if asked["env"] is None else asked["env"])
        order = {
            "argv": list(map(os.fspath, args)),
            "cwd": os.fspath(asked["cwd"] or Path.cwd()),
            "env": environment,
            # A process of its own group has its children in it, which this server cannot put there.
            "server": None if asked["start_new_session"] else self.address,
            "session": asked["start_new_session"],
        }
        self._status = _ordered(self.address, order, streams)
        self.pid = int(_line(self._status))
        self._child_created = True
        pipes = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(asked[name] for name in pipes))  # type: ignore[attr-defined]

    def _internal_poll(self, *args: Any, **kwargs: Any) -> int | None:
        if self._status is None:
            return super()._internal_poll(*args, **kwargs)  # type: ignore[misc,no-any-return]
        return self._ended_within(0)

    def _wait(self, timeout: float | None) -> int | None:
        if self._status is None:
            return super()._wait(timeout)  # type: ignore[misc,no-any-return]
        if self._ended_within(timeout) is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self.returncode

    def _ended_within(self, seconds: float | None) -> int | None:
        if self.returncode is None and self._status is not None:
            poll = select.poll()  # and not `select`, which takes no descriptor from 1024 on
            poll.register(self._status, select.POLLIN)
            if not poll.poll(None if seconds is None else 1000 * seconds):
                return None
            self.returncode = int(_line(self._status) or -signal.SIGKILL)
            self._status.close()
        return self.returncode


def _is_forkable(args: Any, asked: Mapping[str, Any]) -> bool:
    if isinstance(args, (str, bytes)) or not args or os.fspath(args[0]) != sys.executable:
        return False
    plain = all(not asked[name] for name in ("preexec_fn", "pass_fds", "shell"))
    if not plain or asked.get("process_group", -1) not in (-1, None):
        return False
    if asked["env"] is not None:
        names = {name for name in {**os.environ, **asked["env"]} if _is_at_start(name)}
        if any(os.environ.get(name) != asked["env"].get(name) for name in names):
            return False
    return Command([os.fspath(arg) for arg in args[1:]]).is_known


def _ordered(address: str, order: Mapping[str, Any], streams: Sequence[int]) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", streams).tobytes())]
    connection.sendmsg([b"x"], rights)
    connection.sendall(json.dumps(order).encode() + b"\n")
    return connection


def _line(connection: socket.socket) -> bytes:
    taken = b""
    while not taken.endswith(b"\n") and (part := connection.recv(1)):
        taken += part
    return taken


@contextlib.contextmanager
def forking() -> Iterator[None]:
    """While it lasts, the known commands of this process are forked by a server that starts now."""
    if sys.platform != "linux":  # macOS forks, but its libraries do not bear it
        yield
        return
    with tempfile.TemporaryDirectory(prefix="fork") as folder:
        address = str(Path(folder) / "server")
        server = subprocess.Popen([sys.executable, __file__, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert server.stdin is not None
        assert server.stdout is not None
        original = subprocess.Popen
        try:
            if select.select([server.stdout], [], [], _START_SECONDS)[0] and server.stdout.readline():
                ForkedPopen.address = address
                subprocess.Popen = ForkedPopen  # type: ignore[misc]
            yield
        finally:
            subprocess.Popen = original  # type: ignore[misc]
            ForkedPopen.address = None
            server.stdin.close()
            server.stdout.close()
            server.wait(_START_SECONDS)


def remember_what_is_installed() -> None:
    """Reads what is installed once: half of a small session is what pytest finds out about its plugins anew each time.

    Call it after the import of the plugins.
    """
    _remember_distributions()
    for module in list(sys.modules.values()):
        if module.__name__.startswith(_PLUGINS):
            _show_hooks_and_fixtures_alone(module)


def _remember_distributions() -> None:
    find = importlib.metadata.distributions
    kind = importlib.metadata.Distribution

    @functools.cache
    def installed(folder: str) -> list[importlib.metadata.Distribution]:
        return list(find(path=[folder]))

    def distributions(**asked: Any) -> Iterable[importlib.metadata.Distribution]:
        if asked:
            return find(**asked)
        # Folders of a project may change, those of Python's environment do not while tests run.
        kept = {folder for folder in sys.path if folder.startswith(sys.prefix)}
        return (one for folder in sys.path for one in (installed(folder) if folder in kept else find(path=[folder])))

    importlib.metadata.distributions = distributions
    for name in ("entry_points", "metadata"):
        read = getattr(kind, name).fget
        setattr(kind, name, property(functools.cache(read)))


def _show_hooks_and_fixtures_alone(module: ModuleType) -> None:
    """Leaves hooks and fixtures in the module's `dir()`, in which each session looks for them, twice at every name."""
    names = [
        name
        for name, value in vars(module).items()
        if name.startswith("pytest_") or type(value).__name__ == "FixtureFunctionDefinition"
    ]
    module.__dir__ = lambda: names  # type: ignore[method-assign]


# The server's own side, in a process of its own.


def load_everything() -> None:
    """Imports what sessions import, with pytest's own rewriting of plugins' assertions, as a session would."""
    import _pytest.config
    import pytest
    from _pytest.assertion import install_importhook

    config = _pytest.config.get_config()
    if pytest.version_tuple < (9,):  # which reads it from a command line alone, and there is none
        vars(config)["inicfg"] = {}
    hook = install_importhook(config)
    hook.mark_rewrite("pytest_wisebot")
    plugins = {point.dist.name for point in importlib.metadata.entry_points(group="pytest11") if point.dist is not None}
    for package, owners in importlib.metadata.packages_distributions().items():
        if plugins.intersection(owners):
            hook.mark_rewrite(package)
    for root in _ROOTS:
        _import_all(root)
    for name in ("_hypothesis_pytestplugin", "hypothesis", "pydantic", "jinja2", "http.server", "asyncio", "trio"):
        _imported(name)
    sys.meta_path.remove(hook)
    remember_what_is_installed()
    # Sessions would warn of each plugin that it came too late to rewrite, which here has been done already.
    type(hook)._warn_already_imported = lambda *_: None  # type: ignore[method-assign]


def _import_all(root: str) -> None:
    package = _imported(root)
    if package is not None and hasattr(package, "__path__"):
        for module in pkgutil.walk_packages(package.__path__, f"{root}.", onerror=lambda _: None):
            if not any(part in module.name for part in _NEVER):
                _imported(module.name)


def _imported(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except Exception:  # noqa: BLE001 # an optional part of a library: whoever needs it sees the reason
        return None


def serve(address: str) -> None:
    """Forks until its standard input ends."""
    load_everything()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the sessions, and not for what starts them
    signal.signal(signal.SIGCHLD, lambda *_: None)
    ended, wake = socket.socketpair()
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    running: dict[int, socket.socket] = {}
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(64)
        print("ready", flush=True)
        while True:
            readable, _, _ = select.select([listening, sys.stdin, ended], [], [])
            if sys.stdin in readable:
                return
            if ended in readable:
                ended.recv(1024)
                _tell_ends(running)
            if listening in readable:
                connection, _ = listening.accept()
                with contextlib.suppress(OSError, LookupError, ValueError):  # the one that asked has ended
                    _start(connection, running, (listening, ended, wake))


def _start(connection: socket.socket, running: dict[int, socket.socket], own: Sequence[socket.socket]) -> None:
    """Starts one process, whose end is told later."""
    _, rights, _, _ = connection.recvmsg(1, socket.CMSG_SPACE(3 * array.array("i").itemsize))
    streams = array.array("i")
    streams.frombytes(rights[0][2])
    order = json.loads(_line(connection))
    child = os.fork()
    if child == 0:
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for one in (connection, *own, *running.values()):
                one.close()
            _become(order, streams)
        finally:
            os._exit(1)
    running[child] = connection
    for stream in streams:
        os.close(stream)
    connection.sendall(f"{child}\n".encode())


def _tell_ends(running: dict[int, socket.socket]) -> None:
    """Sends the exit codes of the processes that have ended."""
    with contextlib.suppress(ChildProcessError):  # none is left
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            child, status = ended
            with running.pop(child) as connection, contextlib.suppress(OSError):
                connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _become(order: Mapping[str, Any], streams: Sequence[int]) -> None:
    """Turns this process into the one that was asked for. Never returns."""
    for standard, stream in enumerate(streams):
        os.dup2(stream, standard)
    for stream in set(streams) - {0, 1, 2}:
        os.close(stream)
    if order["session"]:
        os.setsid()
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    command = Command(order["argv"][1:])
    _open_streams(unbuffered=command.unbuffered)
    first = [] if command.safe_path else ["" if command.kind == "-c" else str(Path.cwd())]
    given = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:] = [*first, *given, *sys.path[1:]]  # the first of the server's own is the folder of this file
    if "xdist.workermanage" in sys.modules:
        sys.modules["xdist.workermanage"]._sys_path[:] = sys.path  # which xdist keeps from its import, for its workers
    importlib.invalidate_caches()
    sys.argv = [command.kind, *command.args]
    sys.orig_argv = list(order["argv"])
    ForkedPopen.address = order["server"]  # its own processes come from here, too
    subprocess.Popen = ForkedPopen  # type: ignore[misc]
    os._exit(_exit_code(lambda: _run(command)))


def _open_streams(*, unbuffered: bool) -> None:
    def text(number: int, **options: Any) -> io.TextIOWrapper:
        raw = open(number, "wb", 0, closefd=False)  # noqa: SIM115
        binary = raw if unbuffered else io.BufferedWriter(raw)
        return io.TextIOWrapper(binary, write_through=unbuffered, **options)

    sys.stdin = sys.__stdin__ = open(0, closefd=False)  # type: ignore[misc] # noqa: SIM115
    sys.stdout = sys.__stdout__ = text(1, line_buffering=os.isatty(1))  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = text(2, line_buffering=True, errors="backslashreplace")  # type: ignore[misc]


def _run(command: Command) -> None:
    main = ModuleType("__main__")
    main.__builtins__ = __builtins__  # type: ignore[attr-defined]
    sys.modules["__main__"] = main
    if command.kind == "-m":
        runpy.run_module(command.target, run_name="__main__", alter_sys=True)
    else:
        exec(compile(command.target, "<string>", "exec"), main.__dict__)


def _exit_code(run: Callable[[], None]) -> int:
    """What the interpreter would end with, after all that it does at its end."""
    code: object = 0
    try:
        run()
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        code = 1
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    with contextlib.suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    return int(code or 0) & 0xFF


if __name__ == "__main__":
    sys.modules["fork_server"] = sys.modules["__main__"]
    serve(sys.argv[1])
