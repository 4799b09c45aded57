"""The emulator from the session's point of view: starts its process, sends it commands, and ends it.

It is a separate process, so that its server and the tests do not share an interpreter lock. Under xdist the controller
starts it for all workers.
"""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

from ..errors import ConfigurationError, ConnectionFailed
from ..exhaustion import shortage
from ..originals import copied, held_sockets, io, json, os, pinned, threading
from .calls import Call, redacted
from .faults import Fault, check_fault

if TYPE_CHECKING:
    from ..redaction import Redactor

ASK_SECONDS = 30.0
"""Maximum time of a command; the answer may hold many calls."""

STOP_SECONDS = 2.0
"""Time after which a process that does not end by itself is killed."""

_SHOWN_LINES = 20


@dataclass(frozen=True, slots=True)
class Ready:
    """The message of the emulator's process when it listens. Its `repr` shows no credential.

    Attributes:
        origin: the webhook API's origin.
        base_url: the dashboard API's base URL.
        control: the control address.
        key: the key of the control address.
        token: the organisation key that the dashboard API takes.
        secrets: the webhook secret of each workflow id.
        fallback_secret: an invalid secret for ids that the emulator does not have: with it a client gets the
            emulator's 404 and not its own error about a missing credential.
    """

    origin: str
    base_url: str
    control: str
    key: str = field(repr=False)
    token: str = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)
    fallback_secret: str = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """This value as plain JSON values, from which `from_dict` makes an equal one."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The value that `to_dict` serialised."""
        return cls(**data)


_TEMPFILE: Final = copied(tempfile, _os=os, _io=io)
"""An emulator may be started within a test whose file system is a fake."""

_SOCKETS: Final = held_sockets()
"""An emulator may be asked for its log when a test fails that has forbidden sockets."""


@dataclass(frozen=True, slots=True)
class EmulatorProcess:
    """An emulator in a process of its own, which ends with `stop`, or by itself when the starting process dies.

    Attributes:
        ready: its addresses and credentials.
    """

    ready: Ready
    _process: subprocess.Popen[bytes]
    _output: IO[bytes]

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @classmethod
    def start(cls, target: str, folder: Path, *, timeout: float = 20.0) -> Self:
        """Starts the emulator that ``target`` (``module:attribute``) names and waits until it listens.

        Args:
            target: the module and its attribute.
            folder: the folder of the module.
            timeout: maximum time of the start in seconds.

        Raises:
            ConfigurationError: it did not start. The message holds the last lines of its output.
            ConnectionFailed: this process lacks a descriptor for it.
        """
        with ExitStack() as unless_ready:
            try:
                output = unless_ready.enter_context(_TEMPFILE.TemporaryFile())
                process = _launched(target, folder, output)
            except OSError as error:
                _raise_shortage(error, f"the emulator {target} was not started")
                raise
            unless_ready.callback(_end, process)
            line = _first_line(process, timeout)
            if not line:
                _end(process)
                reason = "ended" if line is not None else f"was not ready within {timeout:g} s"
                raise ConfigurationError(f"the emulator {target} did not start: it {reason}.{_last_lines(output)}")
            unless_ready.pop_all()
        return cls(Ready(**json.loads(line)), process, output)

    def stop(self) -> None:
        """Ends the process. It may be called again."""
        _end(self._process)
        with suppress(OSError):  # closed by a test, with its descriptor
            self._output.close()


class EmulatorHandle:
    """A running emulator, as a test sees it.

    By default each method concerns the requests of the calling test alone; with ``everywhere=True`` all requests.

    Attributes:
        origin: the webhook API's origin.
        base_url: the dashboard API's base URL.
        token: the organisation key of the dashboard API.

    Args:
        ready: the addresses and credentials of the emulator.
        test: returns the tag of the calling test. Requests carry it in the header ``X-Wisebot-Test``.
        redactor: removes the credentials of the session, which the emulator may not have.
    """

    def __init__(self, ready: Ready, test: Callable[[], str] = lambda: "", redactor: Redactor | None = None) -> None:
        self.origin = ready.origin
        self.base_url = ready.base_url
        self.token = ready.token
        self._ready = ready
        self._test = test
        self._redactor = redactor

    def __repr__(self) -> str:
        return f"<EmulatorHandle webhook {self.origin} dashboard {self.base_url}>"

    def calls(self, workflow: str | None = None, *, everywhere: bool = False) -> list[Call]:
        """The calls that arrived, oldest first; with a workflow id those of this workflow."""
        found = self._ask("calls", workflow=workflow, test=self._tag(everywhere))
        calls = [Call.from_dict(call) for call in found]
        return redacted(calls, self._redactor) if self._redactor is not None else calls

    def fail_next(self, fault: Fault, times: int = 1, workflow: str | None = None, *, everywhere: bool = False) -> None:
        """Applies this fault to the next ``times`` requests for a run, of this workflow id or of any.

        Faults are used up in the order in which they were set, before any credential is checked.

        Raises:
            ConfigurationError: ``fault`` is not a fault, ``times`` is below 1, or the workflow does not exist.
        """
        check_fault(fault)
        self._ask("fail_next", fault=fault.to_dict(), times=times, workflow=workflow, test=self._tag(everywhere))

    def reset(self, *, everywhere: bool = False) -> None:
        """Forgets faults and calls; with ``everywhere=True`` the peak and the status checks too."""
        self._ask("reset", test=self._tag(everywhere))

    def log(self, run_id: str | None = None) -> str:
        """The last 1,000 lines of the log, or those of one run: tracebacks, and places that block event loops."""
        text = str(self._ask("log"))
        if self._redactor is not None:
            text = self._redactor.clean(text)
        if run_id is None:
            return text
        entries = re.split(r"^(?=workflow .+, run_[0-9a-f]{24}:$)", text, flags=re.MULTILINE)
        return "\n".join(entry.strip() for entry in entries if entry.partition("\n")[0].endswith(f", {run_id}:"))

    def new_jwt(self, expires_in: float = 3600.0) -> str:
        """A dashboard JWT that expires after so many seconds; with a negative number it has already expired."""
        return str(self._ask("new_jwt", expires_in=expires_in))

    def peak(self) -> int:
        """The maximum of requests for runs, of all tests, that were in progress at once."""
        return int(self._ask("peak"))

    def status_checks(self) -> int:
        """The number of requests for ``GET /api/v1/status``, of all tests."""
        return int(self._ask("status_checks"))

    def _tag(self, everywhere: bool) -> str | None:
        return None if everywhere else self._test()

    def _ask(self, command: str, **arguments: Any) -> Any:
        answer = _post(self._ready, command, arguments)
        if not answer["ok"]:
            raise ConfigurationError(answer["error"])
        return answer["value"]


def _post(ready: Ready, command: str, arguments: Mapping[str, Any]) -> Any:
    # http.client uses no proxy. None may be between a session and a loopback address.
    connection = http.client.HTTPConnection(urlsplit(ready.control).netloc, timeout=ASK_SECONDS)
    try:
        connection.sock = _SOCKETS.create_connection((connection.host, connection.port), ASK_SECONDS)
        headers = {"Authorization": f"Bearer {ready.key}"}
        connection.request("POST", f"/{command}", json.dumps(arguments).encode(), headers)
        response = connection.getresponse()
        answer = response.read()
        if response.status == HTTPStatus.SERVICE_UNAVAILABLE:
            raise ConnectionFailed(f"the emulator could not answer {command!r}: {answer.decode()}")
        return json.loads(answer)
    except TimeoutError:
        raise ConfigurationError(f"the emulator did not answer {command!r} within {ASK_SECONDS:g} s") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        _raise_shortage(error, f"the emulator was not asked {command!r}")
        raise ConfigurationError(
            f"the emulator has ended, or another program answers in its place: {command!r} failed at {ready.control}"
        ) from None
    finally:
        connection.close()


def _raise_shortage(error: Exception, failure: str) -> None:
    """Raises an error that blames this process, and not the emulator, if this process lacks a resource."""
    if (lacking := shortage(error)) is not None:
        raise ConnectionFailed(
            f"{lacking}; {failure}; raise the limit for pytest, or run fewer at once (--wisebot-concurrency)"
        ) from None


def _launched(target: str, folder: Path, output: IO[bytes]) -> subprocess.Popen[bytes]:
    # -P: the current folder must not be first on the import path.
    command = [sys.executable, "-P", "-m", "pytest_wisebot.emulator", target, "--session", str(folder)]
    variables = os.environ | {"PYTHONPATH": _import_path()}
    start: Any = subprocess.Popen
    if isinstance(start, type):  # else a test has replaced it
        start = pinned(start, os=os, io=io, threading=threading)
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": output}
    process: subprocess.Popen[bytes] = start(command, env=variables, **streams)
    return process


def _import_path() -> str:
    """This process's import path, in its order, so that the child finds the same modules, this package included."""
    ours = str(Path(__file__).resolve().parents[2])
    entries = [str(Path(entry).absolute()) for entry in (*sys.path, ours) if os.pathsep not in entry]
    return os.pathsep.join(dict.fromkeys(entries))


def _first_line(process: subprocess.Popen[bytes], timeout: float) -> bytes | None:
    """The line that the process writes when it listens; empty if it ended without one; None if the time was up."""
    assert process.stdout is not None  # it is a pipe
    lines: list[bytes] = []
    # In a thread, because not every system can read a pipe with a time limit.
    reader = threading.Thread(target=lambda read: lines.append(read()), args=(process.stdout.readline,), daemon=True)
    reader.start()
    reader.join(timeout)
    return lines[0] if lines else None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the process by closing its input, and by force if it takes too long."""
    try:
        process.communicate(timeout=STOP_SECONDS)
    except (subprocess.TimeoutExpired, OSError, ValueError):  # the latter: a test has closed the pipes
        process.kill()
        process.wait()


def _last_lines(output: IO[bytes]) -> str:
    """The last lines of an ended process. While it runs, it shares the position in the file with this process."""
    output.seek(0)
    lines = output.read().decode(errors="replace").splitlines()[-_SHOWN_LINES:]
    return "".join(f"\n  {line}" for line in lines)
