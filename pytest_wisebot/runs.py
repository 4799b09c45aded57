"""The values that cross this package's rooms: what to run goes down, what came back comes up.

Each turns itself into plain JSON values and back, field by field, so that a field that is added is in the event log, in
reports, in sessions and on the wire to the workers of pytest-xdist.
"""

from __future__ import annotations

import hashlib
import importlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from enum import Enum, StrEnum
from typing import Any, Final, Literal, NoReturn, Protocol, Self, TypeVar, get_type_hints

from .errors import ConfigurationError, OutcomeUnknown, UnexpectedResponse, WisebotError
from .originals import dates, json
from .text import brief, printable, run_id_text

T = TypeVar("T")

MAX_DEPTH = 200
"""The deepest nesting of lists and objects that is sent or accepted, in levels."""


TEST_HEADER = "X-Wisebot-Test"
"""The header that names the asking test to an emulator, and to no other host: calls and faults are told apart by it."""


class Api(StrEnum):
    """The two APIs that start a run; they share neither host nor credential."""

    WEBHOOK = "webhook"
    DASHBOARD = "dashboard"


ApiName = Api | Literal["webhook", "dashboard"]
"""An API, or its name: a type checker finds a name that is misspelled."""


class Closed(Protocol):
    """A credential that is shown on demand alone, such as `redaction.Secret`."""

    def reveal(self) -> str:
        """The credential itself."""
        ...


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Identifies one run of a suite: a stored run is found again by it, and never by its order of arrival.

    Attributes:
        test: the test's id; of a higher-scoped fixture, the id of its scope.
        fixture: the name of a higher-scoped fixture; empty where the test itself asks.
        call: the n-th time the test issues this exact request, from 1; 0 for a declared run.
        trial: the trial of the test, from 1; 0 without trials.
        timeout: the limit in seconds of a run that tests share; another limit makes another run.
    """

    test: str = ""
    fixture: str = ""
    call: int = 0
    trial: int = 0
    timeout: float = 0.0

    @property
    def is_shared(self) -> bool:
        """Whether the run belongs to no single test."""
        return not (self.test or self.fixture or self.call)

    def __str__(self) -> str:
        if self.is_shared:
            return "a run that tests share" + (f" with timeout={self.timeout:g}" if self.timeout else "")
        name = f"{self.test or 'the session'}, fixture {self.fixture}" if self.fixture else self.test or "no test"
        call = f", call {self.call}" if self.call else ""
        return f"{name}{call}" + (f", trial {self.trial}" if self.trial else "")

    def to_dict(self) -> dict[str, Any]:
        """The test, and each other field that is set."""
        return {name: value for name, value in asdict(self).items() if value or name == "test"}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The occurrence of `to_dict`. Unknown keys are left out."""
        return cls(**{item.name: data[item.name] for item in fields(cls) if item.name in data})


SHARED = Occurrence()
"""The one occurrence of a request that its tests share, where they set no limit."""


def shared_occurrence(timeout: float | None) -> Occurrence:
    """The occurrence of a request that its tests share."""
    return Occurrence(timeout=timeout) if timeout else SHARED


AGAINST: Final = "against"
"""The side of a run over the second environment (``--wisebot-against``)."""

AGAIN: Final = "repetition"
"""The side of a repetition over the first environment, with its number: what differs there differs by itself."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What to run.

    Attributes:
        workflow: the name as the test wrote it; the settings turn it into an id.
        inputs: the input bag, plain JSON (see `json_inputs`); empty means that no body is sent.
        api: the API to ask.
        timeout: seconds for the whole run; None takes the environment's.
        secret: the webhook secret of this call alone, in place of the settings'.
        secret_reference: where that secret came from, ``env:NAME`` or ``file:PATH``; None for a value.
        test: a tag of the asking test, sent to an emulator alone.
        share: equal requests of a session use one run.
        occurrence: identifies the run within the suite; no part of what is run.
        guard: why a guard of the session against the network lets no live run be made; empty where it does.
        side: empty for a run that its test judges; `AGAINST` or `AGAIN` for one that is compared with that.
    """

    workflow: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    api: Api = Api.WEBHOOK
    timeout: float | None = None
    secret: Closed | None = None
    secret_reference: str | None = None
    test: str = ""
    share: bool = False
    occurrence: Occurrence = SHARED
    guard: str = ""
    side: str = ""

    @property
    def key(self) -> str:
        """A digest of what is run: one run can answer two requests of the same key.

        A secret given for one call is not part of it: it may not be written down, not even as a digest.
        """
        values = [self.workflow, str(self.api), self.inputs, self.timeout, *([self.side] if self.side else [])]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

    @property
    def trial(self) -> int:
        """The trial of the asking test, from 1."""
        return max(1, self.occurrence.trial)

    @property
    def is_repetition(self) -> bool:
        """Whether it repeats a run of the first environment."""
        return self.side.startswith(AGAIN)

    def equals(self, other: RunRequest) -> bool:
        """Whether one run can answer both."""
        return self.key == other.key and self.secret == other.secret and self.guard == other.guard

    def to_dict(self) -> dict[str, Any]:
        """This request as plain JSON values, without the secret."""
        data = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "secret"}
        return data | {"api": str(self.api), "inputs": dict(self.inputs), "occurrence": self.occurrence.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], secret: Closed | None = None) -> Self:
        """The request of `to_dict`. Unknown keys are left out."""
        known = {item.name: data[item.name] for item in fields(cls) if item.name in data}
        occurrence = Occurrence.from_dict(known.get("occurrence", {}))
        return cls(**{**known, "api": Api(known["api"]), "occurrence": occurrence, "secret": secret})

    def to_event(self) -> dict[str, Any]:
        """This request in the event log: its occurrence, and every field that describes the run."""
        data = self.to_dict()
        left_out = _NOT_LOGGED if self.side else (*_NOT_LOGGED, "side")
        described = {_EVENT_NAMES.get(name, name): data[name] for name in data if name not in left_out}
        return {"fixture": "", "call": 0, "trial": 0, **self.occurrence.to_dict(), **described}

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """The request of `to_event`."""
        named = {_EVENT_NAMES.get(item.name, item.name): item.name for item in fields(cls)}
        data = {named[key]: value for key, value in event.items() if key in named and named[key] not in _NOT_LOGGED}
        return cls.from_dict({**data, "occurrence": event})


_EVENT_NAMES: Final = {
    "share": "shared",
    "run_id": "runId",
    "status_code": "status",
    "started_at": "made",
    "elapsed": "seconds",
}
"""Fields of requests and runs that have another name in the event log."""

_NOT_LOGGED: Final = ("test", "timeout", "secret", "secret_reference", "occurrence", "guard")
"""Fields of a request that do not describe its run. Test and limit are logged as those of the occurrence."""

_OF_REQUEST: Final = ("workflow", "api", "inputs", "trial")
"""Fields of a run that the event log has from the request."""


UNFINISHED = frozenset(
    {
        *("accepted", "deferred", "delayed", "enqueued", "executing", "initialising", "initializing", "inprogress"),
        *("inqueue", "notstarted", "ongoing", "paused", "pending", "preparing", "processing", "queued", "queueing"),
        *("queuing", "received", "requested", "retrying", "running", "scheduled", "started", "starting", "submitted"),
        *("suspended", "waiting", "working"),
    }
)
"""Words for ``status`` of a run that has not ended, in letters alone. From job APIs: Wisebot documents none."""

FAILED = frozenset(
    {
        *("abort", "aborted", "canceled", "cancelled", "crashed", "denied", "error", "errored", "expired", "fail"),
        *("failed", "failure", "halted", "incomplete", "interrupted", "killed", "rejected", "terminated", "timedout"),
        *("timeout", "unsuccessful"),
    }
)
"""Words for ``status`` of a run that did not end well, in letters alone."""


def says_unfinished(status: object) -> bool:
    """Whether an answer's ``status`` names a run that has not ended: "queued", "In progress", "waiting for input"."""
    words = _words_of(status)
    return "".join(words) in UNFINISHED or words[:1] in (["pending"], ["queued"], ["running"], ["waiting"])


def says_failed(status: object) -> bool:
    """Whether an answer's ``status`` names a run that failed, be it in part: "partial", "completed with errors"."""
    words = _words_of(status)
    letters = "".join(words)
    in_part = letters.startswith("partial") or letters.endswith(("witherrors", "withfailures"))
    is_denied = not {"no", "not", "never", "without", "0"}.isdisjoint(words)
    return in_part or letters in FAILED or not (is_denied or {"failed", "failure", "error"}.isdisjoint(words))


def _words_of(status: object) -> list[str]:
    """The words of a status in lower case; none where it is not a string."""
    return re.findall(r"[^\W_]+", status.casefold()) if isinstance(status, str) else []


def is_no_error(error: object) -> bool:
    """Whether an answer's ``error`` stands for no error: null, false, 0, or an empty string, list or object."""
    return not (error.strip() if isinstance(error, str) else error)


KEPT = ("recording", "last")
"""The sources of runs that were made earlier and kept."""


@dataclass(frozen=True, slots=True, repr=False)
class WorkflowRun:
    """A run that ended with an answer: the answer's envelope, and the facts of its attempts.

    ``ok`` false means that Wisebot ran the workflow and the workflow failed. A run that was not possible is never
    a `WorkflowRun`: it is an `InfrastructureError`.

    Attributes:
        ok: the envelope's ``ok``.
        run_id: the envelope's ``runId``; None when there was none.
        result: the envelope's ``result``; None also when it was absent, which ``has_result`` tells apart.
        error: the envelope's ``error``, of whatever JSON type it came in.
        extra: the envelope's keys beyond these four, kept as they came.
        workflow: the name as the test wrote it.
        workflow_id: the id that was sent.
        api: the API that was asked.
        inputs: the input bag that was sent.
        status_code: the HTTP status.
        started_at: when the last attempt's first byte was sent, UTC.
        elapsed: seconds from the first byte sent to the last received, of the last attempt alone: without
            queueing and back-off.
        clock_ahead: seconds that the server's clock was ahead of this machine's, by the answer's ``Date``; 0 where both
            agree to two seconds, or the answer had none. Negative where it was behind.
        attempts: how many attempts it took, the last one included.
        source: where the run comes from: ``live`` or ``emulator``; ``recording`` or ``last`` for one that was made
            earlier and kept, whose ``started_at`` is still when it was made.
        first_source: where a run that was kept came from when it was made: ``live`` or ``emulator``.
        trial: which trial of its test this was, from 1.
        environment: the environment of ``wisebot.toml`` that was in force, if any.
        commands: what repeats this run by hand, with the credential named by its reference.
    """

    # JSON values cannot be hashed: they are left out of the hash.
    ok: bool
    workflow: str
    api: Api = Api.WEBHOOK
    run_id: str | None = None
    result: Any = field(default=None, hash=False)
    has_result: bool = False
    error: Any = field(default=None, hash=False)
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)
    workflow_id: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    status_code: int = 200
    started_at: datetime = field(default_factory=dates.now)
    elapsed: float = 0.0
    clock_ahead: float = 0.0
    attempts: int = 1
    source: str = "live"
    first_source: str | None = None
    trial: int = 1
    environment: str | None = None
    commands: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "api", Api(self.api))
        if self.result is not None:
            object.__setattr__(self, "has_result", True)

    @property
    def is_kept(self) -> bool:
        """Whether it was made earlier and kept, and not in this session."""
        return self.source in KEPT

    @property
    def contradiction(self) -> str:
        """The facts of the answer that contradict its own ``ok: true``, in a few words; empty without any.

        An ``error``, a ``status`` beyond the four documented keys that means failed or partial, or an HTTP status of
        400 or more. Computed, so that kept runs have it, too; ``ok`` stays what was sent.
        """
        return "; ".join(self._against_ok()) if self.ok else ""

    def _against_ok(self) -> Iterator[str]:
        if not is_no_error(self.error):
            yield f"error {brief(self.error)}"
        if says_failed(self.extra.get("status")):
            yield f"status {brief(self.extra['status'])}"
        if self.status_code >= 400:
            yield f"HTTP status {self.status_code}"

    def __repr__(self) -> str:
        against = f", contradicted by {self.contradiction}" if self.contradiction else ""
        verdict = f"ok{against}" if self.ok else f"failed: {brief(self.error)}"
        run_id = printable(self.run_id) if self.run_id else "no runId"
        return f"<WorkflowRun {printable(self.workflow)} ({self.api}, {run_id}, {self.elapsed:.2f} s) {verdict}>"

    def __bool__(self) -> NoReturn:
        """A run is neither true nor false: ``assert run`` would hold for one that failed.

        Raises:
            TypeError: always.
        """
        __tracebackhide__ = True
        raise TypeError("a run is neither true nor false: write assert_ok(run), or run.ok")

    def result_as(self, kind: type[T]) -> T:
        """The result, validated by pydantic as ``kind``: a model, a dataclass, ``list[int]``, any type of pydantic.

        Raises:
            AssertionError: the workflow failed; the message has its error.
            pydantic.ValidationError: the result is of another shape.
        """
        __tracebackhide__ = True
        if not self.ok:
            why = f"{brief(self.error)}, runId {run_id_text(self.run_id)}"
            raise AssertionError(f"workflow {brief(self.workflow)} failed: {why}")
        # By name: this module is loaded where pydantic must not be.
        adapter = importlib.import_module("pydantic").TypeAdapter(kind)
        validated: T = adapter.validate_python(self.result)
        return validated

    def to_dict(self) -> dict[str, Any]:
        """This run as plain JSON values, of which `from_dict` makes an equal one."""
        data = {item.name: getattr(self, item.name) for item in fields(self)}
        changed = {"api": str(self.api), "started_at": self.started_at.isoformat(), "commands": list(self.commands)}
        return data | changed | {"extra": dict(self.extra), "inputs": dict(self.inputs)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The run of `to_dict`. Unknown keys are left out, missing ones take the default."""
        known = {item.name: data[item.name] for item in fields(cls) if item.name in data}
        if "started_at" in known:
            known["started_at"] = dates.read(known["started_at"])
        return cls(**{**known, "commands": tuple(known.get("commands", ()))})

    def to_event(self) -> dict[str, Any]:
        """This run in the event log, beside `RunRequest.to_event`: times are rounded, what is not there is left out."""
        made = self.started_at.astimezone(UTC).isoformat(timespec="milliseconds")
        data = self.to_dict() | {"started_at": made, "elapsed": round(self.elapsed, 6)}
        odd = ("first_source", "extra", "clock_ahead")
        left_out = {*_OF_REQUEST, "has_result", *(name for name in odd if not data[name])}
        if not self.has_result:
            left_out.add("result")
        event = {_EVENT_NAMES.get(name, name): value for name, value in data.items() if name not in left_out}
        return event | ({"contradiction": self.contradiction} if self.contradiction else {})

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """The run of an event that has both the request's part and the run's."""
        named = {_EVENT_NAMES.get(item.name, item.name): item.name for item in fields(cls)}
        data = {named[key]: value for key, value in event.items() if key in named}
        return cls.from_dict({**data, "has_result": "result" in event, "trial": max(1, event.get("trial", 1))})


def logged_types() -> dict[str, Any]:
    """The types of a run's values in the event log, by their names there."""
    types = {**get_type_hints(Occurrence), **get_type_hints(WorkflowRun)}
    return {_EVENT_NAMES.get(name, name): kind for name, kind in types.items() if name != "has_result"}


class EngineError(WisebotError):
    """A defect of this package, not of the workflow, the settings or the network; please report it."""


Outcome = WorkflowRun | WisebotError


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a run.

    Attributes:
        outcome: the run, or the error in its place.
        lag: seconds that the engine itself may have added to the run's ``elapsed``.
        reference: the run's name in the session's event log; empty without one.
        kept_in: the file that a kept run was read from, as messages name it.
        note: a remark on the run that was read from there.
        drift: the difference from the recording, line by line, where runs are compared.
        trace: the header ``traceparent`` of the attempt with this outcome; empty where none went out. No part of a run,
            so that no recording and no snapshot has it.
        queued: when the run was asked for, in seconds since the epoch; likewise ``started``, when it was admitted, and
            ``ended``.
        attempts: how many attempts were made.
    """

    outcome: Outcome
    lag: float = 0.0
    reference: str = ""
    kept_in: str = ""
    note: str = ""
    drift: tuple[str, ...] = ()
    trace: str = ""
    queued: float | None = None
    started: float | None = None
    ended: float | None = None
    attempts: int = 0

    @property
    def may_have_run(self) -> bool:
        """Whether the workflow ran, or may have run."""
        return isinstance(self.outcome, WorkflowRun | OutcomeUnknown | UnexpectedResponse)

    def to_dict(self) -> dict[str, Any]:
        """This end as plain JSON values, of which `from_dict` makes an equal one."""
        data = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "outcome"}
        kind = "outcome" if isinstance(self.outcome, WorkflowRun) else "error"
        return {**data, "drift": list(self.drift), kind: self.outcome.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The end of `to_dict`. Unknown keys are left out."""
        known = {item.name: data[item.name] for item in fields(cls) if item.name in data}
        if "outcome" in known:
            outcome: Outcome = WorkflowRun.from_dict(known["outcome"])
        else:
            outcome = WisebotError.from_dict(data["error"])
        return cls(**{**known, "outcome": outcome, "drift": tuple(known.get("drift", ()))})


def json_inputs(inputs: object) -> dict[str, Any]:
    """An input bag as plain JSON values: a copy, which later changes of the test's objects do not reach.

    Raises:
        ConfigurationError: ``inputs`` is not a mapping, or something in it is not JSON: NaN, an infinity, a key that is
            not a string, an object of another type, or nesting beyond `MAX_DEPTH`. The message names the path.
    """
    if inputs is None:
        return {}
    if not isinstance(inputs, Mapping):
        raise ConfigurationError(
            f"inputs: expected a mapping of field names to values, got {_kind(inputs)}: {brief(inputs)}"
        )
    copied: dict[str, Any] = _plain(inputs, "inputs", 1)
    return copied


def _plain(value: object, path: str, depth: int) -> Any:
    if isinstance(value, Enum):
        return _plain(value.value, path, depth)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return _writable(value, path)
    if isinstance(value, float):
        return _finite(value, path)
    if depth > MAX_DEPTH and isinstance(value, Mapping | list | tuple):
        raise ConfigurationError(f"inputs: nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        return {_key(key, path): _plain(item, _step(path, key), depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    raise ConfigurationError(f"{path}: {_kind(value)} is not a JSON value: {brief(value)}")


def _text(value: str) -> str:
    """The string itself, of a subclass too: an enum member's `str` is its name, a masking class's its mask."""
    return "".join(value) if type(value) is not str else value


def _writable(value: int, path: str) -> int:
    number = int(value)
    try:
        str(number)
    except ValueError:
        raise ConfigurationError(
            f"{path}: an integer of {number.bit_length()} bits is too long to be written"
        ) from None
    return number


def _finite(value: float, path: str) -> float:
    if not math.isfinite(value):
        raise ConfigurationError(f"{path}: {value} is not a JSON number")
    return float(value)


def _key(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise ConfigurationError(f"{path}: a key must be a string, got {_kind(key)}: {brief(key)}")
    return _text(key)


def _step(path: str, key: object) -> str:
    return f"{path}.{key}" if isinstance(key, str) and key.isidentifier() else f"{path}[{key!r}]"


def _kind(value: object) -> str:
    return type(value).__name__


EMULATOR_COMMAND: Final = "python -m pytest_wisebot emulator "


def labelled(commands: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The commands of a run, each under a word: ``repeat``, ``or`` for another way to do that, ``serve``."""
    for number, command in enumerate(commands):
        yield "serve" if command.startswith(EMULATOR_COMMAND) else "or" if number else "repeat", command
