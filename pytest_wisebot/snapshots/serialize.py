"""From what a test compares to the text that a snapshot file holds: cleaned, exact, and without what differs each time.

What no JSON can hold, and a rule or an exclusion that speaks of nothing, is an error and no difference.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self

from ..redaction.jsonpath import Path, Pattern
from ..runs import WorkflowRun, says_failed
from ..text import brief
from .acceptance import Received, accepted
from .json_codec import dumps
from .moments import Nearness, Span
from .normalise import NormaliserConfig, normalise
from .rules import apply_rules, exclude
from .shape import shape_of
from .volatile import without_volatile

ASKABLE = "name=, rules=, exclude=, shape= and failed="
"""What a test may say of one comparison."""


@dataclass(frozen=True)
class ComparisonOptions:
    """What a test says of one comparison.

    Attributes:
        rules: paths and what the values there must equal; the rule's text is stored in their place.
        exclude: paths of values that are not part of the snapshot.
        shape: structure and types are compared alone.
        failed: a run that failed may be recorded.
    """

    rules: Mapping[str, object] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    shape: bool = False
    failed: bool = False

    @classmethod
    def checked(cls, *, rules: object, exclude: object, shape: object, failed: object) -> Self:
        """The arguments of a call.

        Raises:
            TypeError: one is of another type than it has to be; the message names it.
        """
        for name, value in (("shape", shape), ("failed", failed)):
            if not isinstance(value, bool):
                raise TypeError(f"workflow_snapshot: {name}= is True or False, got {value!r}")
        if shape and rules:
            raise TypeError("workflow_snapshot: shape=True compares no values, so that rules= has nothing to judge")
        return cls(_checked_rules(rules), _checked_paths(exclude), bool(shape), bool(failed))


def _checked_rules(rules: object) -> Mapping[str, object]:
    if rules is None:
        return {}
    if not isinstance(rules, Mapping):
        raise TypeError(f"workflow_snapshot: rules= maps paths to what the values there must equal, got {rules!r}")
    for path in rules:
        if not isinstance(path, str):
            raise TypeError(f"workflow_snapshot: a path in rules= is a string such as 'items[*].score', got {path!r}")
    return rules


def _checked_paths(given: object) -> tuple[str, ...]:
    paths = (given,) if isinstance(given, str) else given if given is not None else ()
    if not isinstance(paths, Sequence | set | frozenset) or not all(isinstance(path, str) for path in paths):
        raise TypeError(
            f"workflow_snapshot: exclude= is a path such as 'items[*].id', or a list of them, got {given!r}"
        )
    return tuple(paths)


@dataclass(frozen=True)
class ComparisonContext:
    """What a comparison takes from the session.

    Attributes:
        clean: a copy of a JSON value without credentials.
        clean_text: a string without credentials.
        habits: what the project says about volatile values.
        runs: the runs that the test uses, as far as they have ended.
        habits_of: what the project says about those of runs of these workflows; None: nothing of its own.
        began: when the test began, in seconds since the epoch.
    """

    clean: Callable[[Any], Any]
    clean_text: Callable[[str], str]
    habits: NormaliserConfig = field(default_factory=NormaliserConfig)
    runs: Callable[[], Iterable[WorkflowRun]] = tuple
    began: float = field(default_factory=time.time)
    habits_of: Callable[[frozenset[str]], NormaliserConfig] | None = None

    def of(self, value: object) -> NormaliserConfig:
        """What the project says about a value that a test compares."""
        if self.habits_of is None:
            return self.habits
        return self.habits_of(frozenset(run.workflow for run in _runs_in(value) or self.runs()))


class SerializedValue(str):
    """The text of a value that a test compares.

    Attributes:
        broken: the path of each value that breaks its rule, and the rule's text.
        failed: the run that failed, in words; empty if none did.
        received: the value that the text is of, while it is compared.
        takes_earlier: placeholders of an earlier version accept it; not where snapshots are updated.
        accepted: the text with each part as it is stored that the snapshot accepts; None where that was not asked.
        is_earlier: a placeholder of an earlier version accepted it.
    """

    __slots__ = ("accepted", "broken", "failed", "is_earlier", "received", "takes_earlier")

    broken: Mapping[Path, str]
    failed: str
    received: Received | None
    takes_earlier: bool
    accepted: str | None
    is_earlier: bool

    @classmethod
    def of(
        cls,
        text: str,
        broken: Mapping[Path, str] = MappingProxyType({}),
        failed: str = "",
        received: Received | None = None,
    ) -> Self:
        """The text, and what is known of it."""
        found = cls(text)
        found.broken = broken
        found.failed = failed
        found.received = received
        found.takes_earlier = True
        found.accepted = None
        found.is_earlier = False
        return found

    def is_accepted(self, stored: Any, text: str) -> bool:
        """Whether a snapshot, of which the text as this package writes it is another one, accepts the value."""
        if self.received is None:
            return False
        found = accepted(stored, self.received)
        self.accepted = dumps(found.value)
        if self.accepted != text or (found.is_earlier and not self.takes_earlier):
            return False
        self.is_earlier = found.is_earlier
        return True


def receive(value: object, asked: ComparisonOptions, around: ComparisonContext) -> SerializedValue:
    """The text of what a test compares.

    Raises:
        NotJsonError: no JSON can hold it.
        RuleError: a rule, or an exclusion, speaks of a path that is not there.
        ValueError: a path cannot be read.
    """
    data = _plain(value)
    try:
        return _received(value, _clean(value, data, around), asked, around)
    except RecursionError:
        dumps(data)  # which says where it is nested too deep
        raise


def as_stored(value: object, stored: str) -> SerializedValue | None:
    """The text of a value that equals its snapshot as it is, so that there is nothing to clean and to replace.

    Args:
        value: what a test compares, without options.
        stored: the text of its snapshot.

    Returns:
        None: it does not equal it, or JSON cannot hold it.
    """
    try:
        text = dumps(_plain(value))
    except (ValueError, RecursionError):  # `receive` finds the same, and where
        return None
    return SerializedValue.of(text) if text == stored else None


def _received(value: object, data: Any, asked: ComparisonOptions, around: ComparisonContext) -> SerializedValue:
    failed, habits = _failed(value, around), around.of(value)
    if asked.exclude:
        data = exclude(data, [address_of(path, data, value) for path in asked.exclude])
    known = _known(value, around)
    near = known["near"]
    if asked.shape:  # keys may be as volatile as values
        raw = _shape(value, _steady(value, data, around, habits))
        shape = normalise(raw, **known, habits=habits)
        return SerializedValue.of(dumps(shape), failed=failed, received=Received(shape, raw, near))
    broken: Mapping[Path, str] = {}
    kept: frozenset[Path] = frozenset()
    if asked.rules:
        ruled = apply_rules(data, {address_of(path, data, value): rule for path, rule in asked.rules.items()})
        data, kept = ruled.value, ruled.kept
        broken = {path: around.clean_text(rule) for path, rule in ruled.broken.items()}
    data = _steady(value, data, around, habits, {*kept, *broken})
    normal = normalise(data, **known, habits=habits, skip=kept)
    text = dumps(normal)
    if kept and (clean := around.clean_text(text)) != text:  # a rule's text was not there to be cleaned before
        return SerializedValue.of(clean, broken, failed)
    return SerializedValue.of(text, broken, failed, Received(normal, data, near))


def _shape(value: object, data: Any) -> Any:
    """The shape of what is compared, in which ``ok`` of a run is its value: a shape of a failed run is another one."""
    shape, runs = shape_of(data), _runs_in(value)
    of_runs = isinstance(value, WorkflowRun) or (isinstance(value, list | tuple) and len(runs) == len(value))
    if runs and of_runs and len({run.ok for run in runs}) == 1:
        held = shape if isinstance(value, WorkflowRun) else shape[0]
        held.update({name: runs[0].ok for name in ("ok",) if name in held})
    return shape


def _steady(
    value: object, data: Any, around: ComparisonContext, habits: NormaliserConfig, ruled: Collection[Path] = ()
) -> Any:
    """The data without what the project calls volatile; a rule of the test is closer."""
    if not habits.volatile:
        return data
    origins = [(origin.at, origin.within) for origin in origins_of(value, around.runs)]
    return without_volatile(data, habits.volatile_paths, origins, ruled)


def _plain(value: object) -> Any:
    """A run, or each run of a list, as what a snapshot holds of it."""
    if isinstance(value, WorkflowRun):
        held: dict[str, Any] = {"ok": value.ok}
        # Of a run that failed one API says that its result is null, the other says nothing: neither has one.
        if value.has_result and (value.ok or value.result is not None):
            held["result"] = value.result
        if value.error is not None:
            held["error"] = value.error
        if value.ok and says_failed(status := value.extra.get("status")):  # of a run that did not go well
            held["status"] = status
        return held
    if isinstance(value, list | tuple) and any(isinstance(item, WorkflowRun) for item in value):
        return [_plain(item) for item in value]
    return value


def _clean(value: object, data: Any, around: ComparisonContext) -> Any:
    """The data without credentials; a project that redacts a key called ``ok`` means none of a run's own keys."""
    if isinstance(value, WorkflowRun):
        return dict(zip(data, around.clean(list(data.values())), strict=True))
    if _runs_in(value):
        assert isinstance(value, list | tuple)
        return [_clean(item, part, around) for item, part in zip(value, data, strict=True)]
    return around.clean(data)


def _runs_in(value: object) -> list[WorkflowRun]:
    items = value if isinstance(value, list | tuple) else [value]
    return [item for item in items if isinstance(item, WorkflowRun)]


def _failed(value: object, around: ComparisonContext) -> str:
    """The run that failed, in words: one that is compared, or one of the test that may have made a part what it is."""
    runs = _runs_in(value)
    items = value if runs and isinstance(value, list | tuple) else [value]
    parts = [item for item in items if not isinstance(item, WorkflowRun)]
    asked = list(around.runs()) if parts else []
    if not all(map(_went_well, asked)) and not all(_comes_from_a_good_one(part, asked) for part in parts):
        runs += asked
    run = next((run for run in runs if not _went_well(run)), None)
    if run is None:
        return ""
    which = "the run" if run in _runs_in(value) else "a run of this test"
    if run.contradiction:
        return f"{which} contradicts itself (runId {run.run_id or 'none'}, ok: true beside {run.contradiction})"
    return f"{which} failed (runId {run.run_id or 'none'}, error {brief(around.clean(run.error))})"


def _went_well(run: WorkflowRun) -> bool:
    return run.ok and not run.contradiction


def _comes_from_a_good_one(part: object, asked: list[WorkflowRun]) -> bool:
    """Whether a value says by itself that it is of a run that did not fail: null, true and false are too common."""
    if part is None or isinstance(part, bool):
        return False
    return any(_went_well(run) and (_holds(run.result, part) or part == run.run_id) for run in asked)


def _holds(whole: object, part: object) -> bool:
    """Whether a value is the other one, or holds it somewhere."""
    if whole is part or (type(whole) is type(part) and whole == part):
        return True
    inner = whole.values() if isinstance(whole, Mapping) else whole if isinstance(whole, list | tuple) else ()
    return any(_holds(item, part) for item in inner)


def _known(value: object, around: ComparisonContext) -> dict[str, Any]:
    """What the workflow was asked, and the ids of the test's runs: of a part it may be any of them that it is of."""
    asked = list(around.runs())
    compared = _runs_in(value) or asked
    spans = [Span.of(run) for run in (*compared, *asked)]
    if not _is_of_runs(value, asked):
        spans += Span.until_now(around.began)
    if not compared:
        return {"near": Nearness(spans)}
    ids = dict.fromkeys(run.run_id for run in (*compared, *asked) if run.run_id)
    own = {run.run_id for run in compared}
    run_id = own.pop() if len(own) == 1 else None
    return {
        "inputs": around.clean([dict(run.inputs) for run in compared]),
        "run_id": run_id,
        "other_runs": [other for other in ids if other != run_id],
        "near": Nearness(spans),
    }


def _is_of_runs(value: object, asked: list[WorkflowRun]) -> bool:
    """Whether a value is a run, or is held by one: any other one was made while the test ran."""
    if isinstance(value, WorkflowRun):
        return True
    items = value if _runs_in(value) and isinstance(value, list | tuple) else [value]
    return all(isinstance(item, WorkflowRun) or any(_holds(run.result, item) for run in asked) for item in items)


def address_of(path: str, data: Any, value: object) -> str:
    """A path into the result of a run may leave that out: it is looked for there first, unless it begins with ``$``."""
    if not isinstance(value, WorkflowRun) or path.startswith("$") or "result" not in data:
        return path
    pattern = Pattern.parse(path)
    if not pattern.steps or not pattern.found_in(data["result"]):
        return path
    return f"result{path}" if path.startswith("[") else f"result.{path}"


# --- where in the answer of a run a compared value stands


@dataclass(frozen=True, slots=True)
class Origin:
    """A run that a compared value, or a part of it, comes from.

    Attributes:
        at: the place of that part in the compared value.
        run: the run.
        within: the place of that part in what a snapshot holds of the run: ``()`` for the whole of it.
    """

    at: Path
    run: WorkflowRun
    within: Path


def origins_of(value: object, runs: Callable[[], Iterable[WorkflowRun]]) -> list[Origin]:
    """The runs that a compared value comes from.

    Args:
        value: what a test compares: a run, a list with runs, a result, or a part of one.
        runs: the runs of the test, asked for where the value is not a run itself.
    """
    if isinstance(value, WorkflowRun):
        return [Origin((), value, ())]
    if isinstance(value, list | tuple) and any(isinstance(item, WorkflowRun) for item in value):
        return [Origin((at,), item, ()) for at, item in enumerate(value) if isinstance(item, WorkflowRun)]
    for run in () if _is_everywhere(value) else runs():
        places = _places(run.result, value)
        if (place := next(places, None)) is not None and next(places, None) is None:
            return [Origin((), run, ("result", *place))]
    return []


def _is_everywhere(value: object) -> bool:
    """Whether Python has one object for all values that equal it."""
    return value is None or isinstance(value, bool) or (isinstance(value, int) and -5 <= value <= 256) or value == ""


def _places(whole: object, part: object) -> Iterator[Path]:
    """Where the very object stands, by identity."""
    waiting: list[tuple[Path, object]] = [((), whole)]
    while waiting:
        path, item = waiting.pop()
        if item is part:
            yield path
        elif isinstance(item, Mapping):
            waiting += [((*path, key), child) for key, child in item.items()]
        elif isinstance(item, list | tuple):
            waiting += [((*path, at), child) for at, child in enumerate(item)]
