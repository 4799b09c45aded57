"""Assertions about a run. A failure says what was asked, what came, where they differ, and how to repeat the run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import GenericAlias, UnionType
from typing import Any, Final, NewType, NoReturn, TypeVar, get_origin, overload

from .errors import DIFFERENCE, ConfigurationError
from .runs import WorkflowRun, labelled
from .text import LONGEST_NAME, brief, printable, run_id_text

T = TypeVar("T")

MOST_DIFFERENCES: Final = 60
"""Lines of differences that a failure shows before it only counts them."""

MOST_ERRORS: Final = 10
"""Errors of a type that a failure shows before it only counts them: a list of rows may have thousands."""

_MISSING: Final = object()


def assert_ok(run: WorkflowRun) -> None:
    """The workflow ran and succeeded: the envelope's ``ok`` is true, and nothing in the answer contradicts it.

    Raises:
        AssertionError: it failed, or has a `WorkflowRun.contradiction`; the message has its error and the command that
            repeats the run.
    """
    __tracebackhide__ = True
    _checked(run)
    if not run.ok:
        fail(run, "expected it to succeed, it failed")
    if run.contradiction:
        fail(run, f"expected it to succeed, {_contradicted(run)}")


def assert_failed(run: WorkflowRun, match: str | None = None) -> None:
    """The workflow ran and failed: the envelope's ``ok`` is false.

    Args:
        run: the run.
        match: a regular expression that is found somewhere in the error (`re.search`); an error that is not a string is
            searched as JSON.

    Raises:
        AssertionError: it succeeded, or failed with another error.
    """
    __tracebackhide__ = True
    _checked(run)
    if run.ok:
        fail(run, f"expected it to fail, {_contradicted(run) if run.contradiction else 'it succeeded'}")
    if match is not None and not _found(match, run.error):
        fail(run, f"it failed, but not with an error that matches {match!r}")


@overload
def assert_result(run: WorkflowRun, expected: type[T]) -> T: ...
@overload
def assert_result(run: WorkflowRun, expected: object) -> Any: ...
def assert_result(run: WorkflowRun, expected: object) -> Any:
    """The workflow succeeded, and its result is what is expected.

    Args:
        run: the run.
        expected: a type that pydantic knows (a model, ``list[int]``, …): the result is validated. A mapping: its keys
            must be there and match, others may be there too. A list: as long as the result's, its items compared one
            by one in the same manner. Anything else: ``==``, so that dirty_equals values work, inside of mappings and
            lists too.

    Returns:
        The validated value for a type, else the result as it came.

    Raises:
        AssertionError: it failed, or the result differs; the message has the differing paths alone.
    """
    __tracebackhide__ = True
    assert_ok(run)
    if not run.has_result:
        fail(run, f"expected the result {brief(expected)}, the answer has none")
    if _is_type(expected):
        return _validated(run, expected)
    differences = list(_differences(expected, run.result, "$"))
    if differences:
        fail(run, _counted(differences), differences)
    return run.result


def assert_envelope(run: WorkflowRun) -> None:
    """The answer has the documented shape exactly: it catches a drift of the API itself.

    Documented are ``ok``, a ``runId``, and ``result`` or ``error``, and no other key.

    Raises:
        AssertionError: it has another shape; every deviation is listed.
    """
    __tracebackhide__ = True
    _checked(run)
    deviations = list(_deviations(run))
    if deviations:
        fail(run, "the answer is not the documented envelope", deviations)


def _checked(run: object) -> None:
    __tracebackhide__ = True
    if not isinstance(run, WorkflowRun):
        hint = ": wait() for it first" if hasattr(run, "wait") else ""
        raise TypeError(f"expected a WorkflowRun, got {type(run).__name__}{hint}")


def fail(run: WorkflowRun, what: str, details: Sequence[str] = (), number: int | None = None) -> NoReturn:
    """Fails a test: what is wrong with a run, in detail, and the facts of the run.

    Args:
        run: the run.
        what: what is wrong with it.
        details: where, line by line.
        number: how many details there are, where only the first of them are given.

    Raises:
        AssertionError: always.
    """
    __tracebackhide__ = True
    shown, number = details[:MOST_DIFFERENCES], len(details) if number is None else number
    head = f'workflow "{run.workflow}" over the {run.api} API: {what}'
    error = AssertionError("\n".join([head, *_lines(run, shown, number)]))
    setattr(error, DIFFERENCE, _first(run, what, shown, number))
    raise error


def _first(run: WorkflowRun, what: str, details: Sequence[str], number: int) -> str:
    if details:
        return f"{details[0]} (and {number - 1} more)" if number > 1 else details[0]
    return what if run.error is None else f"{what}: {brief(run.error)}"


def _contradicted(run: WorkflowRun) -> str:
    return f"its answer contradicts itself: ok: true, beside {run.contradiction}"


def _lines(run: WorkflowRun, details: Sequence[str], number: int) -> Iterator[str]:
    yield from (f"  {line}" for line in details)
    if number > len(details):
        yield f"  … and {number - len(details)} more"
    if run.error is not None:
        yield f"  error: {brief(run.error, 1000)}"
    elif not details:
        yield f"  result: {brief(run.result, 1000) if run.has_result else 'none'}"
    yield f"  runId: {run_id_text(run.run_id)}, inputs: {brief(run.inputs, 1000)}"
    for label, command in labelled(run.commands):
        yield f"  {label}: {command if len(command) <= 10_000 else 'see run.commands'}"


def _found(match: str, error: object) -> bool:
    text = error if isinstance(error, str) else brief(error, 100_000)
    try:
        return re.search(match, text) is not None and error is not None
    except re.error as problem:
        raise ConfigurationError(f"match={match!r} is not a valid regular expression: {problem}") from None


def _is_type(expected: object) -> bool:
    # A dirty_equals class is a type that answers to ==; it is compared, not validated.
    if isinstance(expected, type):
        return type(expected).__eq__ is type.__eq__
    return isinstance(expected, GenericAlias | UnionType | NewType) or get_origin(expected) is not None


def _validated(run: WorkflowRun, kind: Any) -> Any:
    __tracebackhide__ = True
    from pydantic import TypeAdapter, ValidationError  # a tenth of a second, for the tests that validate types alone

    try:
        return TypeAdapter(kind).validate_python(run.result)
    except ValidationError as error:
        found, number = error.errors(include_url=False), error.error_count()
    name = getattr(kind, "__name__", str(kind)) if isinstance(kind, type) else str(kind)
    details = [
        f"{_path(item['loc'], run.result)}: {printable(item['msg'], 300)}, got {brief(item['input'])}"
        for item in found[:MOST_ERRORS]
    ]
    fail(run, f"the result is no {name}{f': {number} errors' if number > MOST_ERRORS else ''}", details, number)


def _path(location: tuple[int | str, ...], value: Any) -> str:
    """The place in the result; pydantic's steps go on with the names of the types that it tried there."""
    path = "$"
    for at, step in enumerate(location):
        inside = isinstance(value, Mapping) and (step in value or at == len(location) - 1)
        if not inside and not (isinstance(value, list) and isinstance(step, int)):
            break
        value = value.get(step) if isinstance(value, Mapping) else value[step]
        path = f"{path}[{step}]" if isinstance(step, int) else _step(path, step)
    return path


def _step(path: str, key: object) -> str:
    is_name = isinstance(key, str) and len(key) <= LONGEST_NAME and key.isidentifier()
    return f"{path}.{key}" if is_name else f"{path}[{brief(key)}]"


def _counted(differences: list[str]) -> str:
    return f"the result differs at {len(differences)} path{'s' if len(differences) > 1 else ''}"


def _differences(expected: Any, actual: Any, path: str) -> Iterator[str]:
    """The paths at which ``actual`` is not what is expected of it."""
    if actual is _MISSING:
        yield f"{path}: expected {_shown(expected)}, is missing"
    elif isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for key, item in expected.items():
            yield from _differences(item, actual.get(key, _MISSING), _step(path, key))
    elif isinstance(expected, list | tuple) and isinstance(actual, list):
        yield from _differences_of_lists(expected, actual, path)
    else:
        wanted = _shown(expected)  # before comparing: dirty_equals shows the value it matched from then on
        if not _equal(expected, actual):
            yield f"{path}: expected {wanted}, got {brief(actual)}"


def _differences_of_lists(expected: list[Any] | tuple[Any, ...], actual: list[Any], path: str) -> Iterator[str]:
    if len(expected) != len(actual):
        yield f"{path}: expected {len(expected)} items, got {len(actual)}"
    for index, (wanted, item) in enumerate(zip(expected, actual, strict=False)):
        yield from _differences(wanted, item, f"{path}[{index}]")


def _equal(expected: Any, actual: Any) -> bool:
    # JSON keeps true and 1 apart, Python does not.
    if isinstance(actual, bool) != isinstance(expected, bool) and isinstance(expected, bool | int | float):
        return False
    return bool(expected == actual)


def _shown(expected: object) -> str:
    if expected is None or isinstance(expected, str | int | float | Mapping | list | tuple):
        return brief(expected)
    _ = expected == _MISSING  # a dirty_equals value shows what it matched last, which may be of another comparison
    return repr(expected)


def _deviations(run: WorkflowRun) -> Iterator[str]:
    if "runId" in run.extra:
        yield f"runId: expected a string, got {brief(run.extra['runId'])}"
    elif not run.run_id:
        yield f"runId: expected a string, got {'none' if run.run_id is None else 'an empty one'}"
    if run.ok and not run.has_result:
        yield "result: is missing, though the run succeeded"
    if run.ok and run.error is not None:
        yield f"error: the run succeeded, got {brief(run.error)}"
    if not run.ok and not isinstance(run.error, str | Mapping):
        yield f"error: expected a string or an object, got {'none' if run.error is None else brief(run.error)}"
    if run.ok and run.status_code >= 400:
        yield f"ok: true, beside HTTP status {run.status_code}"
    for key in run.extra:
        if key != "runId":
            yield f"{printable(key)}: is not documented, got {brief(run.extra[key])}"
