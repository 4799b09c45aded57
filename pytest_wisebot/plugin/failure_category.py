"""From the error that ended a test to the category of the failure. A pure function of exceptions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from _pytest.outcomes import Failed

from ..errors import (
    ConfigurationError,
    InfrastructureError,
    NotRun,
    NotStarted,
    RecordingNotFound,
    WisebotError,
)
from ..outcomes import DRIFT, INFRASTRUCTURE, NOT_RUN

_UNSENT = (NotRun, ConfigurationError, RecordingNotFound)
"""The errors of a test that lacks something, for want of which nothing was sent."""


class Drifted(Failed):
    """A test passed with a run that differs from its recording."""

    __module__ = "builtins"  # as pytest's own: shown without the path to this file

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(text, pytrace=False)
        self.reason = reason


def category_of(error: BaseException) -> str:
    """The category of a failure without a verdict on a workflow; empty for a failure that is a verdict.

    One error among several that allows no verdict is enough, also where a test has caught it and failed by another.
    """
    causes = list(_causes(error))
    if any(isinstance(one, Drifted) for one in causes):
        return DRIFT
    if any(isinstance(one, WisebotError) and not isinstance(one, _UNSENT) for one in causes):
        return INFRASTRUCTURE
    return NOT_RUN if _is_unsent(error) else ""


def is_error_of_test(error: BaseException) -> bool:
    """Whether an exception is an error of the test itself, and not its judgement of a workflow.

    Judgements are failed assertions, `pytest.fail`, results that do not fit a model, and the errors of runs. Of a
    group one error is enough.
    """
    if isinstance(error, BaseExceptionGroup):
        return any(map(is_error_of_test, error.exceptions))
    if isinstance(error, AssertionError | WisebotError | Failed | pytest.skip.Exception):
        return False
    return not type(error).__module__.startswith("pydantic")  # named by its module: pydantic may not be loaded


def is_without_verdict(error: BaseException) -> bool:
    """Whether a test that ended with this error allows no verdict on a workflow."""
    return category_of(error) in (INFRASTRUCTURE, NOT_RUN)


def reason_of(error: BaseException) -> str:
    """Why a test has no verdict, or drifted, in words that tests have in common; empty where it is that test's own."""
    category = category_of(error)
    if category == NOT_RUN:
        first = min((one for one in _causes(error) if isinstance(one, _UNSENT)), key=_rank)
        return first.reason if isinstance(first, NotRun | RecordingNotFound) else str(first)
    if category == INFRASTRUCTURE and isinstance(error, InfrastructureError):
        # What stops a connection stops it for all workflows of a host; what was answered concerns one of them.
        workflow = "" if isinstance(error, NotStarted) else error.workflow
        parts = (type(error).__name__, error.reason, error.host, error.api, workflow, error.status_code)
        return " ".join(map(str, parts))
    return error.reason if isinstance(error, Drifted) else ""


def error_class_of(error: BaseException) -> str:
    """The class of this package's error that failed a test; empty where another failed it."""
    own = [one for one in members(error) if isinstance(one, WisebotError)]
    return type(min(own, key=_rank)).__name__ if own else ""


def members(error: BaseException) -> list[BaseException]:
    """An error, or each one of a group."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [member for one in reversed(error.exceptions) for member in members(one)]


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, those in whose handling it was raised, and each one of a group."""
    seen: set[int] = set()
    todo = [error]
    while todo:
        for one in _chain(todo.pop(0)):
            if id(one) in seen:
                break
            seen.add(id(one))
            yield one
            todo += one.exceptions if isinstance(one, BaseExceptionGroup) else ()


def _is_unsent(error: BaseException, above: tuple[BaseException, ...] = ()) -> bool:
    """Whether an error, or one in whose handling it was raised, means that nothing was sent; each one of a group."""
    for one in _chain(error):
        if any(one is other for other in above):
            return False
        if isinstance(one, _UNSENT):
            return True
        if isinstance(one, BaseExceptionGroup) and all(_is_unsent(member, (*above, one)) for member in one.exceptions):
            return True
    return False


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those in whose handling it was raised."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _rank(error: BaseException) -> int:
    """Of several errors the first is the one that is shown: what stopped many runs at once is told at the end."""
    if isinstance(error, InfrastructureError):
        return 0
    return 1 if isinstance(error, ConfigurationError | RecordingNotFound) else 2
