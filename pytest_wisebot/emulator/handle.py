"""The session's end of an emulator: starts its process, ends it, and asks it questions.

The process is a Python of its own, so that its server shares no interpreter lock with the tests. Under xdist the
controller starts it, for all workers.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from ..errors import ConfigurationError, ConnectionFailed
from ..exhaustion import shortage
from .calls import Call, cleaned
from .faults import Fault

if TYPE_CHECKING:
    from ..redaction import Redactor

ASK_SECONDS = 30.0
"""How long the emulator may take to answer a question; it may have to send many calls."""

STOP_SECONDS = 2.0
"""How long the process may take to end by itself before it is killed."""

_SHOWN_LINES = 20


@dataclass(frozen=True, slots=True)
class Ready:
    """What the emulator's process says when it listens. Its `repr` shows no credential.

    Attributes:
        origin: the webhook API's origin.
        base_url: the dashboard API's base URL.
        control: the control address.
        key: the key of the control address.
        token: the organisation key that the dashboard API takes.
        secrets: the webhook secret of each workflow id.
        fallback_secret: a secret that opens nothing, for ids that the emulator does not know: with it a client
            gets the emulator's 404 and not its own complaint about a missing credential.
    """

    origin: str
    base_url: str
    control: str
    key: str = field(repr=False)
    token: str = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)
    fallback_secret: str = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """This value as plain JSON values, of which `from_dict` makes an equal one."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The value that `to_dict` wrote down."""
        return cls(**data)


@dataclass(frozen=True, slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    orders: IO[bytes]
    answer: IO[bytes]
    output: IO[bytes]


class EmulatorProcess:
    """An emulator in a process of its own, which ends with `stop`, or by itself when the starting process dies.

    Attributes:
        ready: where it listens, and its credentials.
        pid: the process's id.
    """

    def __init__(self, child: _Child, ready: Ready) -> None:
        self._child = child
        self.ready = ready
        self.pid = child.process.pid

    @classmethod
    def start(cls, target: str, folder: Path, *, timeout: float = 20.0) -> Self:
        """Starts the emulator that ``target`` (``module:attribute``) names and waits until it listens.

        Args:
            target: the module and its attribute.
            folder: where the module lies.
            timeout: seconds that it may take.

        Raises:
            ConfigurationError: it did not start. The message holds the last lines that it wrote.
            ConnectionFailed: this process lacks a descriptor for it.
        """
        with ExitStack() as unless_ready:
            try:
                output = unless_ready.enter_context(tempfile.TemporaryFile())
                child = _launched(target, output)
            except OSError as error:
                _raise_shortage(error, f"the emulator {target} was not started")
                raise
            unless_ready.callback(_end, child)
            line = _first_line(child, _order(folder), timeout)
            if not line:
                reason = "ended" if line is not None else f"was not ready within {timeout:g} s"
                _end(child)
                raise ConfigurationError(f"the emulator {target} did not start: it {reason}.{_last_lines(output)}")
            unless_ready.pop_all()
        return cls(child, Ready.from_dict(json.loads(line)))

    def stop(self) -> None:
        """Ends the process. Asking again does nothing."""
        _end(self._child)
        self._child.output.close()

    def __repr__(self) -> str:
        return f"<EmulatorProcess {self.pid} {self.ready!r}>"


class EmulatorHandle:
    """A running emulator, as a test sees it.

    By default everything concerns the asking test's own requests alone; ``everywhere=True`` concerns all.

    Args:
        ready: what the emulator's process said when it was ready.
        test: gives the tag of the test that is asking. Requests carry it in the header ``X-Wisebot-Test``.
        redactor: knows the credentials of the session, of which the emulator may not know.
    """

    def __init__(self, ready: Ready, test: Callable[[], str] = lambda: "", redactor: Redactor | None = None) -> None:
        self._ready = ready
        self._test = test
        self._redactor = redactor

    def __repr__(self) -> str:
        return f"<EmulatorHandle webhook {self.origin} dashboard {self.base_url}>"

    @property
    def origin(self) -> str:
        """The webhook API's origin."""
        return self._ready.origin

    @property
    def base_url(self) -> str:
        """The dashboard API's base URL."""
        return self._ready.base_url

    @property
    def token(self) -> str:
        """The organisation key that the dashboard API takes."""
        return self._ready.token

    def calls(self, workflow: str | None = None, *, everywhere: bool = False) -> list[Call]:
        """What arrived, oldest first: all of it, or what named this workflow id."""
        found = self._ask("calls", workflow=workflow, test=self._concerned(everywhere))
        calls = [Call.from_dict(call) for call in found]
        return cleaned(calls, self._redactor) if self._redactor is not None else calls

    def fail_next(self, fault: Fault, times: int = 1, workflow: str | None = None, *, everywhere: bool = False) -> None:
        """Gives the next ``times`` requests for a run, of this workflow id or of any, this fault.

        Faults are used up in the order in which they were asked for, before any credential is looked at.

        Raises:
            ConfigurationError: ``fault`` is no fault, ``times`` is below 1, or there is no such workflow.
        """
        if not isinstance(fault, Fault):
            raise ConfigurationError(f"fail_next: fault: expected a Fault, such as Fault.html(), got {fault!r}")
        test = self._concerned(everywhere)
        self._ask("fail_next", fault=fault.to_dict(), times=times, workflow=workflow, test=test)

    def reset(self, *, everywhere: bool = False) -> None:
        """Forgets faults and calls; everywhere, it forgets the peak too."""
        self._ask("reset", test=self._concerned(everywhere))

    def log(self, run_id: str | None = None) -> str:
        """The last 1,000 lines of the emulator's log, or those of one run: tracebacks, and what blocks event loops."""
        text = str(self._ask("log"))
        if self._redactor is not None:
            text = self._redactor.clean(text)
        if run_id is None:
            return text
        entries = re.split(r"^(?=workflow .+, run_[0-9a-f]{24}:$)", text, flags=re.MULTILINE)
        return "\n".join(entry.strip() for entry in entries if entry.partition("\n")[0].endswith(f", {run_id}:"))

    def new_jwt(self, expires_in: float = 3600.0) -> str:
        """A dashboard JWT that expires in so many seconds; a negative number makes one that has expired."""
        return str(self._ask("new_jwt", expires_in=expires_in))

    def peak(self) -> int:
        """The most requests for runs, of all tests, that were in progress at once."""
        return int(self._ask("peak"))

    def status_checks(self) -> int:
        """How often, by all tests together, ``GET /api/v1/status`` was asked."""
        return int(self._ask("status_checks"))

    def _concerned(self, everywhere: bool) -> str | None:
        return None if everywhere else self._test()

    def _ask(self, command: str, **arguments: Any) -> Any:
        answer = _posted(self._ready, command, json.dumps(arguments).encode())
        if not answer["ok"]:
            raise ConfigurationError(answer["error"])
        return answer["value"]


def _posted(ready: Ready, command: str, body: bytes) -> Any:
    # http.client knows nothing of proxies, which must not come between a session and a loopback address.
    connection = http.client.HTTPConnection(urlsplit(ready.control).netloc, timeout=ASK_SECONDS)
    try:
        connection.request("POST", f"/{command}", body, {"Authorization": f"Bearer {ready.key}"})
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
            f"the emulator has ended, or something else answers in its place: {command!r} failed at {ready.control}"
        ) from None
    finally:
        connection.close()


def _raise_shortage(error: Exception, what: str) -> None:
    """Raises what says that this process, and not the emulator, lacks something."""
    if (lacking := shortage(error)) is not None:
        raise ConnectionFailed(
            f"{lacking}; {what}; raise the limit for pytest, or run fewer at once (--wisebot-concurrency)"
        ) from None


def _launched(target: str, output: IO[bytes]) -> _Child:
    # -P: the current folder would come first on the path, and with it whatever lies there.
    command = [sys.executable, "-P", "-m", "pytest_wisebot.emulator", target, "--session"]
    variables = os.environ | {"PYTHONPATH": _path()}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output, env=variables)
    assert process.stdin is not None  # both are pipes, as asked for
    assert process.stdout is not None
    return _Child(process, process.stdin, process.stdout, output)


def _path() -> str:
    """This process's import path, in its order, for the child: it finds the same modules, this package included."""
    ours = str(Path(__file__).resolve().parents[2])
    entries = [str(Path(entry).absolute()) for entry in (*sys.path, ours) if os.pathsep not in entry]
    return os.pathsep.join(dict.fromkeys(entries))


def _order(folder: Path) -> dict[str, str]:
    return {"key": secrets.token_urlsafe(32), "folder": str(folder)}


def _first_line(child: _Child, order: Mapping[str, str], timeout: float) -> bytes | None:
    """Gives the process its order and waits for the line with which it answers.

    Returns:
        the line; empty when the process ended without one; None when the time was up.
    """
    with suppress(OSError):  # it may have died already
        child.orders.write(json.dumps(order).encode() + b"\n")
        child.orders.flush()
    lines: list[bytes] = []
    # In a thread, because a pipe cannot be read with a time limit on every system.
    reader = threading.Thread(target=lambda: lines.append(child.answer.readline()), daemon=True)
    reader.start()
    reader.join(timeout)
    return lines[0] if lines else None


def _end(child: _Child) -> None:
    """Ends the process by closing its input, and by force if it takes too long."""
    with suppress(OSError):
        child.orders.close()
    try:
        child.process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.process.kill()
        child.process.wait()
    child.answer.close()


def _last_lines(output: IO[bytes]) -> str:
    """What an ended process wrote last. While it lives, it shares the place in the file with us."""
    output.seek(0)
    lines = output.read().decode(errors="replace").splitlines()[-_SHOWN_LINES:]
    return "".join(f"\n  {line}" for line in lines)
