"""Who asks for a run: a test, or a fixture that is wider than one test; and what each test asked for."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from ..runs import Api, Occurrence, RunRequest, shared_occurrence
from .arguments import parameters
from .markers import Declared, declared, first_trial, not_parametrised, says_share

if TYPE_CHECKING:
    from ..engine.pending import PendingRun


@dataclass(frozen=True, slots=True)
class RequestedRun:
    """A run that a test, or a fixture during its setup, asked for."""

    pending: PendingRun
    max_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class _HigherScopedFixture:
    """What a fixture asked for that is wider than one test: all the tests that use it use these runs."""

    fixture: str
    baseid: str
    asked: list[RequestedRun] = field(default_factory=list)

    def serves(self, item: pytest.Item) -> bool:
        """Whether a test uses the fixture, be it by ``request.getfixturevalue``."""
        names = getattr(getattr(item, "_request", item), "fixturenames", ())
        return self.fixture in names and item.nodeid.startswith(self.baseid)


def tag_of(item: pytest.Item, each: str = "") -> str:
    """Names a test without telling its name: to an emulator, and to the engine.

    Args:
        item: the test.
        each: tells this process's tests from the same ones of another.
    """
    return hashlib.sha256((each + item.nodeid).encode("utf-8", "backslashreplace")).hexdigest()[:16]


def declared_occurrence(item: pytest.Item, each: str = "", trial: int = 0) -> Occurrence:
    """Which of the suite's runs the one is that a test declares."""
    return Occurrence(each + item.nodeid, trial=trial)


def key_of(tag: str, trial: int = 0) -> str:
    """By which the engine knows the declared run of a test, or of one of its trials."""
    return f"{tag}#{trial}" if trial else tag


def of_trial(request: RunRequest, trial: int) -> RunRequest:
    """The same request, as one trial of its test asks for it."""
    return replace(request, occurrence=replace(request.occurrence, trial=trial))


def tag_in(key: str) -> str:
    """The test that a key belongs to."""
    return key.partition("#")[0]


class RunTracker:
    """Follows the tests as they run. Registered once a test uses the plugin.

    Args:
        forget: told the tag of each test that is over.
        each: tells this process's tests from the same ones of another.
    """

    def __init__(self, forget: Callable[[str], None], each: str = "") -> None:
        self._forget = forget
        self._each = each
        self._item: pytest.Item | None = None
        self._wider: list[Occurrence] = []
        """The wider fixtures that are being set up or torn down, the innermost last."""
        self._calls: Counter[tuple[Occurrence, str]] = Counter()
        """How often each of them, or the test, has asked for a request so far."""
        self._of_wider: dict[Occurrence, _HigherScopedFixture] = {}
        self.asked: list[RequestedRun] = []
        self.trial = 0
        """Which trial of its test asks, from 1; 0 without trials."""

    @property
    def test(self) -> pytest.Item | None:
        """The test that asks; None between tests and while a wider fixture is set up or torn down."""
        return None if self._wider else self._item

    @property
    def used(self) -> list[RequestedRun]:
        """What the running test has asked for, and what the wider fixtures did that it uses, whoever set them up."""
        asked = [kept for kept in self._of_wider.values() if kept.asked]
        if not asked or self._item is None:
            return self.asked
        wider = [one for kept in asked if kept.serves(self._item) for one in kept.asked]
        return [*wider, *(one for one in self.asked if one not in wider)]

    @property
    def tag(self) -> str:
        """Names the asking test to an emulator, without telling its name; empty for a wider fixture."""
        return tag_of(self.test, self._each) if self.test is not None else ""

    @property
    def declaration(self) -> Declared:
        """What the asking test's marker says."""
        return declared(self.test) if self.test is not None else Declared()

    @property
    def api(self) -> Api | None:
        """The API of the asking test, where it has one of its own."""
        if self.test is None:
            return None
        chosen = getattr(self.test, "funcargs", {}).get("wisebot_api") or parameters(self.test).get("wisebot_api")
        chosen = chosen or self.declaration.api
        if chosen == "both":
            raise not_parametrised(self.test)
        return Api(chosen) if chosen in (Api.WEBHOOK, Api.DASHBOARD) else None

    def occurrence(self, request: RunRequest) -> Occurrence:
        """Which of the suite's runs a request is, that the test or fixture asks for now.

        Numbered for each request by itself: a call that is added before it makes no other one of it.
        """
        if request.share:
            return shared_occurrence(request.timeout)
        asks = self._asks
        wanted = json.dumps([request.workflow, str(request.api), request.inputs], sort_keys=True)
        self._calls[asks, wanted] += 1
        return replace(asks, call=self._calls[asks, wanted])

    def declares(self, item: pytest.Item) -> Occurrence:
        """Which of the suite's runs the one is that a test declares."""
        return declared_occurrence(item, self._each, self.trial)

    @property
    def _asks(self) -> Occurrence:
        if self._wider:
            return self._wider[-1]
        return Occurrence(self._each + self._item.nodeid if self._item is not None else "", trial=self.trial)

    def notice(self, item: object) -> None:
        """Learns of the running test when its protocol began before this plugin was awake."""
        if self._item is None and isinstance(item, pytest.Item):
            self._item = item

    def remember(self, started: list[PendingRun], max_seconds: float | None) -> None:
        """Keeps what was asked for until the test's reports are made."""
        asked = [RequestedRun(pending, max_seconds) for pending in started]
        self.asked += asked
        for kept in filter(None, map(self._of_wider.get, self._wider)):
            kept.asked.extend(asked)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """One test after the other."""
        self._item = item
        self.trial = first_trial(item)
        try:
            return (yield)
        finally:
            self._item = None
            self.trial = 0
            self._begin_anew()
            self._forget(tag_of(item, self._each))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Generator[None, Any, Any]:
        """A test that is run again asks anew: what it asked for the last time is no part of this execution."""
        __tracebackhide__ = True
        self._begin_anew()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, Any, Any]:
        """While a wider fixture is set up, and again while it is torn down, it is the fixture that asks."""
        __tracebackhide__ = True
        if fixturedef.scope == "function":
            return (yield)
        asks = Occurrence(self._each + (request.node.nodeid or fixturedef.baseid), _named(fixturedef, request))
        # finalizers run last in, first out: this one after the fixture's own
        fixturedef.addfinalizer(lambda: self._leave(asks, over=True))
        self._wider.append(asks)
        self._of_wider.setdefault(asks, _HigherScopedFixture(fixturedef.argname, fixturedef.baseid))
        try:
            return (yield)
        except BaseException:
            self._forget_calls(asks)  # set up again, it asks anew; one that was made goes on counting
            raise
        finally:
            self._leave(asks)
            fixturedef.addfinalizer(lambda: self._wider.append(asks))

    def _leave(self, asks: Occurrence, *, over: bool = False) -> None:
        """A fixture has been set up, or is over."""
        if asks in self._wider:
            self._wider.remove(asks)
        if over:
            self._of_wider.pop(asks, None)

    def _begin_anew(self) -> None:
        """What a test has asked for the last time is no part of what it asks for now."""
        self.asked = []
        self._calls = Counter({key: calls for key, calls in self._calls.items() if key[0].fixture})

    def _forget_calls(self, asks: Occurrence) -> None:
        self._calls = Counter({key: calls for key, calls in self._calls.items() if key[0] != asks})


def askers(items: Iterable[pytest.Item]) -> list[str]:
    """Who asks for runs besides the tests: the names of wider fixtures that they use, and an empty one if any share."""
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


def _named(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> str:
    """A fixture's name, with the numbers of its parameter and of those of the fixtures that it is made from."""
    own: Any = [request.param_index] if hasattr(request, "param") else []  # type: ignore[attr-defined]
    numbers = ", ".join([*map(str, own), *_parameters_beneath(fixturedef, getattr(request, "_pyfuncitem", None))])
    return f"{fixturedef.argname}[{numbers}]" if numbers else str(fixturedef.argname)


def _parameters_beneath(fixturedef: pytest.FixtureDef[Any], item: object) -> list[str]:
    """The parameters of the fixtures that a fixture is made from, as far as its arguments tell."""
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
