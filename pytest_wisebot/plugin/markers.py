"""The ``wisebot`` marker: its arguments, the one that holds for a test, and what the test itself passes beside it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, Literal, TypeGuard

import pytest

if TYPE_CHECKING:
    from ..cases.rows import Case
    from ..quarantine import Quarantine

FIELDS: Final = {
    "workflow": "its name in wisebot.toml, or its id; left out: the rest holds for what trigger_workflow runs",
    "inputs": "the input bag, {} for none; left out: the test's argument 'inputs'",
    "api": "'webhook', 'dashboard' or 'both'; left out: that of the settings",
    "timeout": "seconds for the whole run, its retries included; left out: those of the settings",
    "max_seconds": "seconds that the run itself may take",
    "trials": "how many times the test is executed, each time with a run of its own",
    "min_passes": "how many of the trials must pass; left out: all",
    "share": "True: equal requests of the session use one run",
    "cases": "a file of which each row is a test: JSONL, JSON, CSV or YAML, relative to the test's file",
    "quarantine": "of a test that is known to fail: 'OWNER until YYYY-MM-DD: REASON'",
}
"""What each argument is, in one line of ``pytest --markers``."""

LINE: Final = "\n".join(
    [
        "wisebot(workflow=None, inputs=None, *, api=None, timeout=None, max_seconds=None, trials=1, min_passes=None, "
        "share=False, cases=None, quarantine=None): the run that the fixture workflow_run gives",
        *(f"    {name}: {text}" for name, text in FIELDS.items()),
    ]
)

APIS = ("webhook", "dashboard", "both")

UNKNOWN: Final[Any] = object()
"""An argument that only a fixture can make."""


@dataclass(frozen=True)
class Declared:
    """The arguments of a test's marker. Without ``trials``, `--wisebot-trials` does not concern the test."""

    workflow: str | None = None
    inputs: Any = None
    api: str | None = None
    timeout: float | None = None
    max_seconds: float | None = None
    trials: int | None = None
    min_passes: int | None = None
    share: bool = False
    cases: str | PurePath | None = None


def wisebot(
    workflow: str | None = None,
    inputs: Any = None,
    *,
    api: Literal["webhook", "dashboard", "both"] | None = None,
    timeout: float | None = None,
    max_seconds: float | None = None,
    trials: int | None = None,
    min_passes: int | None = None,
    share: bool = False,
    cases: str | PurePath | None = None,
    quarantine: str | None = None,
) -> Declared:
    """The marker's arguments, checked.

    Raises:
        TypeError, ValueError: an argument is unknown or wrong; the message names it.
    """
    if workflow is not None and not isinstance(workflow, str):
        raise TypeError(f"workflow: expected a workflow's name, got {workflow!r}")
    if api is not None and api not in APIS:
        raise ValueError(f"api: expected one of {', '.join(map(repr, APIS))}, got {api!r}")
    for name, seconds in (("timeout", timeout), ("max_seconds", max_seconds)):
        is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if seconds is not None and not (is_number and 0 < seconds < float("inf")):
            raise ValueError(f"{name}: expected a number of seconds above 0, got {seconds!r}")
    _check_trials(trials, min_passes)
    if not isinstance(share, bool):
        raise TypeError(f"share: expected True or False, got {share!r}")
    if share and trials is not None:
        raise ValueError("share=True and trials: every trial would judge the same run")
    _parse_quarantine(quarantine)
    _check_cases(cases, inputs)
    return Declared(workflow, inputs, api, timeout, max_seconds, trials, min_passes, share, cases)


def _check_cases(cases: object, inputs: object) -> None:
    if cases is not None and (not isinstance(cases, str | PurePath) or not str(cases).strip()):
        raise TypeError(f"cases: expected the path of a file, relative to the test's own, got {cases!r}")
    if cases is not None and inputs is not None:
        raise ValueError("inputs and cases: each row of cases has its own inputs")


def _check_trials(trials: object, min_passes: object) -> None:
    if trials is not None and not (_is_whole(trials) and trials >= 1):
        raise ValueError(f"trials: expected a whole number of at least 1, got {trials!r}")
    if min_passes is None:
        return
    if trials is None:
        raise ValueError(f"min_passes={min_passes!r}: of how many trials? trials=N says so")
    if not (_is_whole(min_passes) and 1 <= min_passes <= trials):
        raise ValueError(f"min_passes: expected a whole number from 1 to trials={trials}, got {min_passes!r}")


def _parse_quarantine(text: object) -> Quarantine | None:
    if text is None:
        return None
    from ..quarantine import parse

    try:
        return parse(text)
    except ValueError as error:
        raise ValueError(f"quarantine: {error}") from None


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


# --- the marker that holds for a test


def declared(item: pytest.Item) -> Declared:
    """The arguments that hold for a test: of the closest marker; one on a parameter is closer than the function's own.

    Raises:
        ConfigurationError: the marker is wrong, or one on a parameter names both APIs.
    """
    __tracebackhide__ = True
    on_parameter = next(_marks_on_parameters(item), None)
    declaration = parsed(on_parameter or item.get_closest_marker("wisebot"), item.nodeid)
    if declaration.cases is not None:
        raise _without_cases(item)
    if on_parameter is not None and declaration.api == "both":
        from ..errors import ConfigurationError

        raise ConfigurationError(
            f"{item.nodeid}: the wisebot marker: api='both' on one parameter alone: "
            "put it on the function, the class or the module"
        )
    return declaration


def _without_cases(item: pytest.Item) -> Exception:
    """The error for a marker whose cases made no tests."""
    from ..errors import ConfigurationError

    return ConfigurationError(
        f"{item.nodeid}: the wisebot marker: cases= makes tests of a test function alone: "
        "put it on a function that is not of a unittest.TestCase, and not on one parameter of it"
    )


CASE: Final = "wisebot_case"
"""The parameter of the tests that ``cases=`` makes, which holds their row."""


def case_of(item: pytest.Item) -> Case | None:
    """The row of a data file, or the case of a suite, that a test was made of; None for other tests."""
    suite: Any = item.parent
    if type(suite).__module__ != f"{__package__}.cases":
        return parameters(item).get(CASE)
    found: Case | None = suite.cases.get(getattr(item, "originalname", None))
    return found


def mark_of(item: pytest.Item) -> pytest.Mark | None:
    """The mark that holds for a test; None without one."""
    return next(_marks_on_parameters(item), None) or item.get_closest_marker("wisebot")


def says_trials(item: pytest.Item) -> bool:
    """Whether a test's marker names trials, rightly or wrongly."""
    mark = mark_of(item)
    return mark is not None and not {"trials", "min_passes"}.isdisjoint(mark.kwargs)


def says_share(item: pytest.Item) -> bool:
    """Whether a test's marker shares its run, rightly or wrongly."""
    mark = mark_of(item)
    return mark is not None and bool(mark.kwargs.get("share"))


def quarantine_of(item: pytest.Item) -> Quarantine | None:
    """The quarantine that a test's markers name: that of the closest one that names any, on whatever it stands.

    Raises:
        ValueError: it is wrong.
    """
    marks = [*_marks_on_parameters(item), *item.iter_markers("wisebot")]
    return _parse_quarantine(
        next((text for mark in marks if (text := mark.kwargs.get("quarantine")) is not None), None)
    )


def declares_its_own_run(item: pytest.Item) -> bool:
    """Whether the mark that holds names a workflow, and stands on the test's function or on its parameter.

    The mark of a class or a module is inherited, and so is one that a hook adds to many tests.
    """
    mark = mark_of(item)
    return mark is not None and names_workflow(mark) and any(mark is one for one in _own_marks(item))


def names_workflow(mark: pytest.Mark) -> bool:
    """Whether a mark declares a run, rightly or wrongly."""
    return workflow_named(mark) is not None


def workflow_named(mark: pytest.Mark) -> object:
    """The workflow that a mark names, by position or by keyword; None where it names none."""
    return mark.args[0] if mark.args else mark.kwargs.get("workflow")


class _Keywords(dict[str, Any]):
    """The keyword arguments of a mark. Only `get` also answers with a workflow that was given by position."""

    def __init__(self, mark: pytest.Mark) -> None:
        super().__init__(mark.kwargs)
        self._workflow = workflow_named(mark)

    def get(self, key: str, default: Any = None) -> Any:
        """As of a dict; `-m` asks so."""
        return self._workflow if key == "workflow" and self._workflow is not None else super().get(key, default)


def name_workflows(items: Iterable[pytest.Item]) -> None:
    """Lets ``-m "wisebot(workflow='NAME')"`` find a workflow that a mark names by position.

    pytest compares the keyword arguments of marks alone. The marks stay the same objects, with the same arguments.
    """
    for item in items:
        for mark in item.iter_markers("wisebot"):
            if mark.args and not isinstance(mark.kwargs, _Keywords):
                object.__setattr__(mark, "kwargs", _Keywords(mark))


def first_trial(item: pytest.Item) -> int:
    """The number of a test's first trial; 0 for a test without trials.

    A single trial, as with ``--wisebot-trials=1``, uses the first of the runs that were kept of more.
    """
    return 1 if says_trials(item) else 0


def will_be_skipped(item: pytest.Item) -> bool:
    """Whether the test's marks prevent its body from running."""
    if any(getattr(getattr(item, name, None), "__unittest_skip__", False) for name in ("obj", "cls")):
        return True
    try:
        from _pytest.skipping import evaluate_skip_marks, evaluate_xfail_marks

        if evaluate_skip_marks(item) is not None:
            return True
        expected = evaluate_xfail_marks(item)
        return expected is not None and not expected.run and not item.config.getoption("runxfail", False)
    except (Exception, pytest.fail.Exception):  # noqa: BLE001 - a broken condition, which the test itself reports
        return True


def _own_marks(item: pytest.Item) -> Iterator[object]:
    yield from _marks_on_parameters(item)
    on_function = getattr(getattr(item, "obj", None), "pytestmark", ())
    for mark in on_function if isinstance(on_function, list | tuple) else (on_function,):
        yield getattr(mark, "mark", mark)


def _marks_on_parameters(item: pytest.Item) -> Iterator[pytest.Mark]:
    callspec = getattr(item, "callspec", None)
    return (mark for mark in getattr(callspec, "marks", ()) if mark.name == "wisebot")


_last_parsed: tuple[pytest.Mark | None, Declared] = (None, Declared())
"""The last valid mark: a test's mark is read several times, and its neighbours have the same one."""


def parsed(mark: pytest.Mark | None, nodeid: str) -> Declared:
    """The arguments of a mark.

    Raises:
        ConfigurationError: an argument is unknown or wrong; the message names it.
    """
    __tracebackhide__ = True
    global _last_parsed
    known, declaration = _last_parsed
    if mark is known:
        return declaration
    if mark is None:
        return Declared()
    try:
        declaration = wisebot(*mark.args, **mark.kwargs)
        _last_parsed = (mark, declaration)
        return declaration
    except (TypeError, ValueError) as error:
        from ..errors import ConfigurationError

        signature = LINE.partition(":")[0]
        raise ConfigurationError(
            f"{nodeid}: the wisebot marker: {error}{_meant(mark.kwargs)}; it is {signature}"
        ) from None


def _meant(given: Iterable[str]) -> str:
    """The arguments that mistyped ones may have meant. Python 3.11 names none."""
    import difflib

    close = (difflib.get_close_matches(name, FIELDS, n=1) for name in given if name not in FIELDS)
    return "".join(f"; did you mean {name}?" for near in close for name in near)


# --- both APIs


def not_parametrised(item: pytest.Item) -> Exception:
    """The error for a test that names both APIs and yet is one test: it would run over one of them in silence."""
    from ..errors import ConfigurationError

    return ConfigurationError(
        f"{item.nodeid}: the wisebot marker: api='both' needs a test function with trigger_workflow, workflow_run or "
        "wisebot_api among its arguments; in a unittest.TestCase, or by request.getfixturevalue, name one API"
    )


def parametrize_api(metafunc: pytest.Metafunc) -> None:
    """Gives a test that is to run over both APIs a parameter with each of them."""
    if not _starts_runs(metafunc):
        return
    try:
        declaration = parsed(metafunc.definition.get_closest_marker("wisebot"), metafunc.definition.nodeid)
    except Exception as error:  # noqa: BLE001 - shown as the collection's error, in one line
        raise pytest.Collector.CollectError(str(error)) from None
    if (declaration.api or metafunc.config.option.wisebot_api) == "both" and not has_its_own_apis(metafunc):
        if "wisebot_api" not in metafunc.fixturenames:
            metafunc.fixturenames.append("wisebot_api")
        metafunc.parametrize("wisebot_api", ["webhook", "dashboard"], indirect=True)


def has_its_own_apis(metafunc: pytest.Metafunc) -> bool:
    """Whether the project chooses the APIs of a test itself: by a parametrize mark, or a ``wisebot_api`` of its own."""
    flat = [name for mark in metafunc.definition.iter_markers("parametrize") for name in _names_in(mark)]
    nearest = _nearest(metafunc.definition, "wisebot_api")
    return "wisebot_api" in flat or (nearest is not None and nearest.func.__module__ != f"{__package__}.fixtures")


def _starts_runs(metafunc: pytest.Metafunc) -> bool:
    """Whether a test starts runs itself, or by its own fixtures: that of a higher-scoped one has one API."""
    info = getattr(metafunc.definition, "_fixtureinfo", None)
    todo = list(getattr(info, "initialnames", metafunc.fixturenames))
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        if name in ("trigger_workflow", "workflow_run", "wisebot_api"):
            return True
        definition = _nearest(metafunc.definition, name) if name not in seen else None
        seen.add(name)
        todo += definition.argnames if definition is not None and definition.scope == "function" else ()
    return False


# --- the arguments of a test, as far as pytest shows them before it makes them


def inputs_of(item: pytest.Item) -> Any:
    """The input bag that the parameter ``inputs`` gives; None without one; `UNKNOWN` where a fixture makes it.

    `UNKNOWN`, too, where another plugin puts a value in its place when the test runs, as pytest-lazy-fixtures does.
    """
    name = inputs_name(item)
    if name is None:
        return None
    bag = parameters(item).get(name, UNKNOWN) if is_parameter(item, name) else UNKNOWN
    return bag if bag is UNKNOWN or is_plain(bag) else UNKNOWN


def made_inputs(request: pytest.FixtureRequest) -> Any:
    """The input bag as fixtures and other plugins make it.

    pytest-cases resolves its ``lazy_value`` only when all fixtures of a test are there, which is too late for a run.
    """
    bag = request.getfixturevalue(inputs_name(request.node) or "inputs")
    return bag.get(request.node) if type(bag).__module__.startswith("pytest_cases.") else bag


def inputs_name(item: pytest.Item) -> str | None:
    """The fixture or parameter that gives a test its ``inputs``; None without one.

    With a ``fixture_ref`` pytest-cases puts a fixture in the place of the parameter, and names it after the test.
    """
    if "inputs" in fixture_names(item):
        return "inputs"
    by_cases = f"{getattr(item, 'originalname', item.name)}_inputs"
    definition = _definition(item, by_cases)
    return by_cases if definition is not None and definition.func.__module__.startswith("pytest_cases.") else None


def fixture_names(item: pytest.Item) -> Any:
    """The fixtures that a test uses, those that it has requested by ``request.getfixturevalue`` so far included."""
    return getattr(getattr(item, "_request", item), "fixturenames", ())


def is_plain(value: object) -> bool:
    """Whether a value is JSON by its types, and holds nothing that another plugin may resolve."""
    todo, seen = [value], set()
    for one in todo:  # which grows as it is read
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, Mapping):
            todo += [*one, *one.values()]
        elif isinstance(one, list | tuple):
            todo += one
        elif not isinstance(one, str | int | float | Enum | None):
            return False
    return True


def parameters(item: pytest.Item) -> Mapping[str, Any]:
    """The values of a test's parameters, those of its fixtures included."""
    found: Mapping[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    return found


def parameter_names(item: pytest.Item) -> Iterator[str]:
    """The names by which a test itself is parametrised, without those of fixtures with ``params``."""
    by_marks = [name for mark in item.iter_markers("parametrize") for name in _names_in(mark)]
    by_hooks = [name for name in parameters(item) if is_parameter(item, name)]
    yield from dict.fromkeys([*by_marks, *by_hooks])


def is_parameter(item: pytest.Item, name: str) -> bool:
    """Whether an argument is a parameter's value as it stands, and not what a fixture makes of it (``indirect``)."""
    definition = _definition(item, name)
    return definition is None or definition.func.__module__.startswith("_pytest.")


def uses_ours(item: pytest.Item, name: str) -> bool:
    """Whether a test uses this plugin's fixture of that name, and not one that a project put in its place."""
    definition = _definition(item, name)
    return definition is not None and definition.func.__module__ == f"{__package__}.fixtures"


def functions_of(item: pytest.Item) -> Iterator[Any]:
    """The function of a test, and those of the fixtures that it uses."""
    definitions = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    functions = [getattr(item, "function", None), *(found[-1].func for found in definitions.values() if found)]
    return (inspect.unwrap(function) for function in functions if function is not None)


def _names_in(mark: pytest.Mark) -> list[str]:
    """The names to which a ``parametrize`` mark gives values."""
    names = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
    return [name.strip() for name in (names.split(",") if isinstance(names, str) else names)]


def _definition(item: pytest.Item, name: str) -> Any:
    """The definition of a fixture that a test uses, where pytest shows it."""
    return _nearest(item, name) if name in getattr(item, "fixturenames", ()) else None


def _nearest(item: Any, name: str) -> Any:
    definitions = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    return next(iter(definitions.get(name, ())[-1:]), None)
