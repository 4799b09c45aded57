"""Which test or fixture requests a run, and what each test has requested."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import pytest

from ..originals import json, time
from ..runs import Api, Occurrence, RunRequest, shared_occurrence
from .markers import Declared, declared, first_trial, not_parametrised, parameters, says_share

if TYPE_CHECKING:
    from ..engine.pending import PendingRun


@dataclass(slots=True)
class Compared:
    """How a run compares with that of the second environment.

    Attributes:
        run: its name in the event log; likewise ``beside``, the run of the second environment, and ``again``, the
            repetitions of the first.
        workflow: its workflow.
        diff: the differences, line by line; empty where there is none.
        noise: the paths that differ among the runs of the first environment.
        why_not: why it was not compared; empty for one that was.
    """

    run: str
    workflow: str
    beside: str = ""
    again: list[str] = field(default_factory=list)
    diff: list[str] = field(default_factory=list)
    noise: list[str] = field(default_factory=list)
    why_not: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Each value that is there, as plain JSON."""
        return {name: value for name, value in asdict(self).items() if value}


@dataclass(slots=True, eq=False)
class Counterparts:
    """The runs that one run is compared with.

    Attributes:
        second: that of the second environment; None where there is none.
        repetitions: those of the first.
        compared: the result; None before.
    """

    second: PendingRun | None = None
    repetitions: list[PendingRun] = field(default_factory=list)
    compared: Compared | None = None
    _is_released: bool = False

    @property
    def all(self) -> list[PendingRun]:
        """All of them."""
        return [*([self.second] if self.second is not None else []), *self.repetitions]

    def release(self) -> None:
        """Announces, once, that they are not needed: those that were not sent are not sent any more."""
        if self.compared is None and not self._is_released:
            self._is_released = True
            for pending in self.all:
                pending.release()


@dataclass(frozen=True, slots=True)
class RequestedRun:
    """A run that a test, or a fixture during its setup, has requested."""

    pending: PendingRun
    max_seconds: float | None = None
    beside: Counterparts | None = None
    """The runs that it is compared with; None without a second environment."""


def references(requested: Iterable[RequestedRun]) -> list[str]:
    """The names that the session's event log has for runs which have ended."""
    return [ended.reference for one in requested if (ended := one.pending.ended)]


def with_second(requested: Iterable[RequestedRun]) -> Iterator[RequestedRun]:
    """What a test has requested, and beside each run the one of a second environment that differs or was not made."""
    for one in requested:
        yield one
        if one.beside is not None and one.beside.second is not None and one.beside.second.done:
            compared = one.beside.compared
            if compared is None or compared.diff:
                yield RequestedRun(one.beside.second)


@dataclass(frozen=True, slots=True)
class _HigherScopedFixture:
    """The runs that a fixture of a higher scope has requested: all tests that use the fixture use them."""

    fixture: str
    baseid: str
    requested: list[RequestedRun] = field(default_factory=list)

    def serves(self, item: pytest.Item) -> bool:
        """Whether a test uses the fixture, be it by ``request.getfixturevalue``."""
        names = getattr(getattr(item, "_request", item), "fixturenames", ())
        return self.fixture in names and item.nodeid.startswith(self.baseid)


def test_tag(item: pytest.Item, worker_prefix: str) -> str:
    """Identifies a test to an emulator and to the engine, without its name.

    Args:
        item: the test.
        worker_prefix: tells this process's tests from the same ones of another.
    """
    return hashlib.sha256((worker_prefix + item.nodeid).encode("utf-8", "backslashreplace")).hexdigest()[:16]


def declared_occurrence(item: pytest.Item, worker_prefix: str = "", trial: int = 0) -> Occurrence:
    """The place of a test's declared run among the runs of the suite."""
    return Occurrence(worker_prefix + item.nodeid, trial=trial)


def declared_run_key(tag: str, trial: int = 0) -> str:
    """Identifies the declared run of a test, or of one of its trials, to the engine."""
    return f"{tag}#{trial}" if trial else tag


def beside_key(key: str, side: str) -> str:
    """Identifies, to the engine, a run beside the declared one of this key."""
    return f"{key}@{side}"


def tag_in(key: str) -> str:
    """The tag of the test that a key belongs to."""
    return key.partition("@")[0].partition("#")[0]


def for_trial(request: RunRequest, trial: int) -> RunRequest:
    """The same request, as one trial of its test issues it."""
    return replace(request, occurrence=replace(request.occurrence, trial=trial))


class RunTracker:
    """Follows the tests as they run, and the fixtures of higher scopes.

    Attributes:
        worker_prefix: tells this process's tests from the same ones of another.
        requested: the runs that the running test has requested.
        trial: the trial of the test that runs, from 1; 0 without trials.
        began: when the test, or its present execution, began, in seconds since the epoch.
    """

    def __init__(self) -> None:
        self.worker_prefix = ""
        self.requested: list[RequestedRun] = []
        self.trial = 0
        self.began = time.time()
        self._item: pytest.Item | None = None
        self._has_begun = False
        self._setting_up: list[Occurrence] = []
        """The higher-scoped fixtures that are being set up or torn down, the innermost last."""
        self._calls: Counter[tuple[Occurrence, str]] = Counter()
        """How often each of them, or the test, has issued a request so far."""
        self._fixtures: dict[Occurrence, _HigherScopedFixture] = {}

    @property
    def test(self) -> pytest.Item | None:
        """The test that requests; None between tests and while a higher-scoped fixture is set up or torn down."""
        return None if self._setting_up else self._item

    @property
    def running(self) -> pytest.Item | None:
        """The test that runs, also while a higher-scoped fixture is set up or torn down for it."""
        return self._item

    @property
    def used(self) -> list[RequestedRun]:
        """What the running test has requested, and what the higher-scoped fixtures have that it uses."""
        fixtures = [one for one in self._fixtures.values() if one.requested]
        if not fixtures or self._item is None:
            return self.requested
        shared = [run for one in fixtures if one.serves(self._item) for run in one.requested]
        return [*shared, *(run for run in self.requested if run not in shared)]

    @property
    def tag(self) -> str:
        """Identifies the requesting test; empty for a higher-scoped fixture."""
        return test_tag(self.test, self.worker_prefix) if self.test is not None else ""

    @property
    def declaration(self) -> Declared:
        """The arguments of the requesting test's marker."""
        return declared(self.test) if self.test is not None else Declared()

    @property
    def api(self) -> Api | None:
        """The API of the requesting test, where it has one of its own."""
        if self.test is None:
            return None
        chosen = getattr(self.test, "funcargs", {}).get("wisebot_api") or parameters(self.test).get("wisebot_api")
        chosen = chosen or self.declaration.api
        if chosen == "both":
            raise not_parametrised(self.test)
        return Api(chosen) if chosen in (Api.WEBHOOK, Api.DASHBOARD) else None

    def occurrence(self, request: RunRequest) -> Occurrence:
        """The place of a request, that the test or fixture issues now, among the runs of the suite.

        Each request has its own numbers: a call that is added before it does not change them.
        """
        if request.share:
            return shared_occurrence(request.timeout)
        requester = self._requester
        content = json.dumps([request.workflow, str(request.api), request.inputs], sort_keys=True)
        self._calls[requester, content] += 1
        return replace(requester, call=self._calls[requester, content])

    @property
    def _requester(self) -> Occurrence:
        if self._setting_up:
            return self._setting_up[-1]
        return Occurrence(self.worker_prefix + self._item.nodeid if self._item is not None else "", trial=self.trial)

    def remember(
        self, started: list[PendingRun], max_seconds: float | None, beside: Iterable[Counterparts | None] = ()
    ) -> None:
        """Keeps what was requested, and what it is compared with, until the test's reports are made."""
        requested = [
            RequestedRun(pending, max_seconds, counterparts) for pending, counterparts in zip_longest(started, beside)
        ]
        self.requested += requested
        for fixture in filter(None, map(self._fixtures.get, self._setting_up)):
            fixture.requested.extend(requested)

    def begin(self, item: pytest.Item) -> None:
        """A test begins."""
        self._item = item
        self.trial = first_trial(item)
        self.began = time.time()

    def notice(self, item: object) -> None:
        """A test requests runs that began before the plugin was awake."""
        if self._item is None and isinstance(item, pytest.Item):
            self._item = item

    def end(self) -> pytest.Item | None:
        """The test, if one runs, is over."""
        item, self._item = self._item, None
        self.trial = 0
        self._begin_anew()
        self._has_begun = False
        return item

    def begin_execution(self) -> None:
        """A test is run, or run again: earlier requests do not belong to this execution."""
        if self._has_begun:
            self._begin_anew()
            self.began = time.time()
        self._has_begun = True

    def _begin_anew(self) -> None:
        self._release_beside(self.requested)
        self.requested = []
        if self._calls:
            self._calls = Counter({key: calls for key, calls in self._calls.items() if key[0].fixture})

    def _release_beside(self, requested: Iterable[RequestedRun]) -> None:
        """What was not compared by now is not needed, unless another test may compare it that uses the same fixture."""
        for one in requested:
            if one.beside is not None and not any(one in fixture.requested for fixture in self._fixtures.values()):
                one.beside.release()

    @contextmanager
    def fixture(self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> Iterator[None]:
        """While a higher-scoped fixture is set up, and again while it is torn down, the fixture requests the runs."""
        __tracebackhide__ = True
        if fixturedef.scope == "function":
            yield
            return
        requester = Occurrence(
            self.worker_prefix + (request.node.nodeid or fixturedef.baseid), _fixture_name(fixturedef, request)
        )
        # finalizers run last in, first out: this one after the fixture's own
        fixturedef.addfinalizer(lambda: self._leave(requester, over=True))
        self._setting_up.append(requester)
        self._fixtures.setdefault(requester, _HigherScopedFixture(fixturedef.argname, fixturedef.baseid))
        try:
            yield
        except BaseException:  # set up again, it counts anew; one that was made goes on counting
            self._calls = Counter({key: calls for key, calls in self._calls.items() if key[0] != requester})
            raise
        finally:
            self._leave(requester)
            fixturedef.addfinalizer(lambda: self._setting_up.append(requester))

    def _leave(self, requester: Occurrence, *, over: bool = False) -> None:
        """A fixture has been set up, or is over."""
        if requester in self._setting_up:
            self._setting_up.remove(requester)
        if over and (fixture := self._fixtures.pop(requester, None)) is not None:
            self._release_beside(one for one in fixture.requested if one not in self.requested)


def fixtures_that_start_runs(items: Iterable[pytest.Item]) -> list[str]:
    """The names of the higher-scoped fixtures that tests use, and an empty one if any test shares its run."""
    names: set[str] = set()
    seen: set[int] = set()
    for item in items:
        names |= {""} if says_share(item) else set()
        info = getattr(item, "_fixtureinfo", None)
        if info is not None and id(info) not in seen:  # the same for all parameters of a function
            seen.add(id(info))
            found = info.name2fixturedefs.items()
            names |= {name for name, definitions in found if any(one.scope != "function" for one in definitions)}
    return sorted(names)


def _fixture_name(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> str:
    """A fixture's name, with the numbers of its parameter and of those of the fixtures that it depends on."""
    own: Any = [request.param_index] if hasattr(request, "param") else []  # type: ignore[attr-defined]
    item: Any = getattr(request, "_pyfuncitem", None)
    numbers = ", ".join([*map(str, own), *_parameters_beneath(fixturedef, item)])
    return f"{fixturedef.argname}[{numbers}]" if numbers else str(fixturedef.argname)


def _parameters_beneath(fixturedef: pytest.FixtureDef[Any], item: object) -> list[str]:
    """The parameters of the fixtures that a fixture depends on, as far as its arguments show."""
    indices: dict[str, int] = getattr(getattr(item, "callspec", None), "indices", {})
    if not indices:
        return []
    definitions = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    todo, beneath = list(fixturedef.argnames), {fixturedef.argname}
    while todo:
        name = todo.pop()
        if name not in beneath:
            beneath.add(name)
            todo += [needed for one in definitions.get(name, ())[-1:] for needed in one.argnames]
    return [f"{name}={indices[name]}" for name in sorted(beneath - {fixturedef.argname}) if name in indices]
