"""The values that cross this package's rooms: what to run goes down, what came back comes up."""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from enum import Enum, StrEnum
from typing import Any, NoReturn, Protocol, Self, TypeVar

from .errors import ConfigurationError
from .text import brief

T = TypeVar("T")

MAX_DEPTH = 200
"""The deepest nesting of lists and objects that is sent or accepted, in levels."""


TEST_HEADER = "X-Wisebot-Test"
"""The header that tells an emulator, and nobody else, which test asks, so that it can tell calls and faults apart."""


class Api(StrEnum):
    """The two APIs that start a run; they share neither host nor credential."""

    WEBHOOK = "webhook"
    DASHBOARD = "dashboard"


class Closed(Protocol):
    """A credential that only shows when it is asked to, as `redaction.Secret` is."""

    def reveal(self) -> str:
        """The credential itself."""
        ...


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Which of a suite's runs one is: by it a run that was written down is found again, and never by order of arrival.

    Attributes:
        test: the test's id; of a fixture that is wider than one test, the id of what it is wide for.
        fixture: the name of such a fixture; empty where the test itself asks.
        call: the how-manieth time that it asks for this very request, from 1; 0 for a declared run.
        trial: which trial of its test asks, from 1; 0 without trials.
        timeout: seconds that a run which tests share may take, where they say so: with another limit it is another one.
    """

    test: str = ""
    fixture: str = ""
    call: int = 0
    trial: int = 0
    timeout: float = 0.0

    @property
    def is_shared(self) -> bool:
        """Whether it is nobody's own."""
        return not (self.test or self.fixture or self.call)

    def __str__(self) -> str:
        if self.is_shared:
            return "a run that tests share" + (f" with timeout={self.timeout:g}" if self.timeout else "")
        name = f"{self.test or 'the session'}, fixture {self.fixture}" if self.fixture else self.test or "no test"
        call = f", call {self.call}" if self.call else ""
        return f"{name}{call}" + (f", trial {self.trial}" if self.trial else "")


SHARED = Occurrence()
"""The one occurrence of a request that its tests share, where they set no limit."""


def shared_occurrence(timeout: float | None) -> Occurrence:
    """The occurrence of a request that its tests share."""
    return Occurrence(timeout=timeout) if timeout else SHARED


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
        test: who asks, as a tag that only an emulator is told.
        share: equal requests of a session use one run.
        occurrence: which of the suite's runs it is; no part of what is run.
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

    @property
    def key(self) -> str:
        """What two requests have in common when one run could answer both: a digest of all but who asks.

        A secret given for one call is no part of it: it may not be written down, not even as a digest.
        """
        said = [self.workflow, str(self.api), self.inputs, self.timeout]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    @property
    def trial(self) -> int:
        """Which trial of its test asks, from 1."""
        return max(1, self.occurrence.trial)

    def equals(self, other: RunRequest) -> bool:
        """Whether one run could answer both."""
        return self.key == other.key and self.secret == other.secret


UNFINISHED = frozenset(
    {
        *("accepted", "deferred", "delayed", "enqueued", "executing", "initialising", "initializing", "inprogress"),
        *("inqueue", "notstarted", "ongoing", "paused", "pending", "preparing", "processing", "queued", "queueing"),
        *("queuing", "received", "requested", "retrying", "running", "scheduled", "started", "starting", "submitted"),
        *("suspended", "waiting", "working"),
    }
)
"""What ``status`` says of a run that has not ended, in letters alone. Words of job APIs: Wisebot documents none."""

FAILED = frozenset(
    {
        *("abort", "aborted", "canceled", "cancelled", "crashed", "denied", "error", "errored", "expired", "fail"),
        *("failed", "failure", "halted", "incomplete", "interrupted", "killed", "rejected", "terminated", "timedout"),
        *("timeout", "unsuccessful"),
    }
)
"""What ``status`` says of a run that did not end well, in letters alone."""


def says_unfinished(status: object) -> bool:
    """Whether an answer's ``status`` says that the run has not ended: "queued", "In progress", "waiting for input"."""
    letters, first = _letters_of(status)
    return letters in UNFINISHED or first in ("pending", "queued", "running", "waiting")


def says_failed(status: object) -> bool:
    """Whether an answer's ``status`` says that the run failed, be it in part: "partial", "completed with errors"."""
    letters, first = _letters_of(status)
    in_part = letters.startswith("partial") or letters.endswith(("witherrors", "withfailures"))
    return in_part or letters in FAILED or first in ("failed", "failure", "error")


def _letters_of(status: object) -> tuple[str, str]:
    """A status without case and what stands between its words, and its first word; empty where it is not a string."""
    words = re.findall(r"[^\W_]+", status.casefold()) if isinstance(status, str) else []
    return "".join(words), words[0] if words else ""


def is_no_error(error: object) -> bool:
    """Whether an answer's ``error`` says that there is none: null, false, 0, or an empty string, list or object."""
    return not (error.strip() if isinstance(error, str) else error)


KEPT = ("recording", "last")
"""The sources of runs that were made earlier and kept."""


@dataclass(frozen=True, slots=True, repr=False)
class WorkflowRun:
    """A run that ended and said how: the answer's envelope, and how it was got.

    ``ok`` false means that Wisebot ran the workflow and the workflow failed. That no run was possible is never
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
        attempts: how many attempts it took, the last one included.
        source: where the run comes from: ``live`` or ``emulator``; ``recording`` or ``last`` for one that was made
            earlier and kept, whose ``started_at`` is still when it was made.
        first_source: where a run that was kept came from when it was made: ``live`` or ``emulator``.
        trial: which trial of its test this was, from 1.
        environment: the environment of ``wisebot.toml`` that was in force, if any.
        commands: what repeats this run by hand, with the credential named by its reference.
    """

    # Left out of the hash: what JSON brings cannot be hashed.
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
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    elapsed: float = 0.0
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
        """What the answer says against its own ``ok: true``, in a few words; empty where it says nothing against it.

        An ``error``, a ``status`` beyond the four documented keys that says failed or partial, or an HTTP status of
        400 or more. Computed, so that runs that were kept have it, too; ``ok`` stays what was sent.
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
        return (
            f"<WorkflowRun {self.workflow} ({self.api}, {self.run_id or 'no runId'}, {self.elapsed:.2f} s) {verdict}>"
        )

    def __bool__(self) -> NoReturn:
        """A run is neither true nor false: ``assert run`` would hold for one that failed.

        Raises:
            TypeError: always.
        """
        __tracebackhide__ = True
        raise TypeError("a run is neither true nor false: write assert_ok(run), or run.ok")

    def result_as(self, kind: type[T]) -> T:
        """The result, validated by pydantic as ``kind``: a model, a dataclass, ``list[int]``, any type it knows.

        Raises:
            AssertionError: the workflow failed; the message has its error.
            pydantic.ValidationError: the result is of another shape.
        """
        __tracebackhide__ = True
        if not self.ok:
            run_id = self.run_id or "none"
            raise AssertionError(f"workflow {brief(self.workflow)} failed: {brief(self.error)}, runId {run_id}")
        # By name: this room holds plain values, and is loaded where pydantic must not be.
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
        """The run that `to_dict` wrote down. Unknown keys are left out, missing ones take the default."""
        known = {item.name: data[item.name] for item in fields(cls) if item.name in data}
        if "started_at" in known:
            known["started_at"] = datetime.fromisoformat(known["started_at"])
        return cls(**{**known, "commands": tuple(known.get("commands", ()))})


def json_inputs(inputs: object) -> dict[str, Any]:
    """An input bag as plain JSON values: a copy that later changes of the test's objects do not reach.

    Raises:
        ConfigurationError: ``inputs`` is no mapping, or something in it is not JSON: NaN, an infinity, a key that is
            no text, an object of another type, or nesting beyond `MAX_DEPTH`. The message names the path.
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
    raise ConfigurationError(f"{path}: {_kind(value)} is no JSON value: {brief(value)}")


def _text(value: str) -> str:
    """The text itself, of a subclass too: an enum member's `str` is its name, a masking class's its mask."""
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
        raise ConfigurationError(f"{path}: {value} is no JSON number")
    return float(value)


def _key(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise ConfigurationError(f"{path}: a key must be a text, got {_kind(key)}: {brief(key)}")
    return _text(key)


def _step(path: str, key: object) -> str:
    return f"{path}.{key}" if isinstance(key, str) and key.isidentifier() else f"{path}[{key!r}]"


def _kind(value: object) -> str:
    return type(value).__name__
