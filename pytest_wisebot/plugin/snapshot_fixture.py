"""Makes ``workflow_snapshot`` for a test, and puts what its failure is too long to say into the test's report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..errors import ConfigurationError, WisebotError
from ..runs import WorkflowRun
from ..snapshots.assertion import SnapshotContext, WorkflowSnapshot
from ..snapshots.files import stems_of_tests
from ..snapshots.naming import is_told, place_of
from ..snapshots.normalise import NormaliserConfig
from ..snapshots.serialize import ComparisonContext
from ..snapshots.write_conflicts import Claims
from .session_state import state_of
from .snapshot_retention import CLAIMS, Keeping, keeping_of

if TYPE_CHECKING:
    from .item_session import WisebotSession


def snapshot_for(
    request: pytest.FixtureRequest, session_for: Callable[[pytest.FixtureRequest], WisebotSession]
) -> WorkflowSnapshot:
    """The snapshots of a test.

    Args:
        request: of the fixture ``workflow_snapshot``.
        session_for: gives the session's runs to a test.

    Raises:
        ConfigurationError: syrupy is switched off.
    """
    __tracebackhide__ = True
    config, item = request.config, request.node
    syrupy = getattr(config, "_syrupy", None)
    if syrupy is None:
        raise ConfigurationError(
            "workflow_snapshot needs the plugin syrupy, which is switched off (by -p no:syrupy, or by "
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD without -p syrupy)"
        )
    if (keeping := keeping_of(config)) is not None:
        keeping.notice(item)
    shared = state_of(config).one(Shared)
    session = session_for(request)
    return WorkflowSnapshot(
        syrupy,
        item,
        desk=shared.desk,
        around=lambda: shared.around(session),
        update_snapshots=config.option.update_snapshots,
        update_new_snapshots_only=config.option.update_new_snapshots_only,
        execution=session.execution,
    )


class Shared:
    """What the snapshots of a process share."""

    def __init__(self, config: pytest.Config) -> None:
        self._habits: NormaliserConfig | None = None
        folder: str | None = getattr(config, "workerinput", {}).get(CLAIMS)
        self.desk = SnapshotContext(
            claims=Claims(Path(folder) if folder else None),
            leaves_out=LeavesOut(keeping_of(config)),
            whole=config.get_verbosity(pytest.Config.VERBOSITY_ASSERTIONS) >= 2,
            root=config.rootpath,
            sections=state_of(config).snapshot_sections,
            touched=state_of(config).written.add,
        )

    def around(self, session: WisebotSession) -> ComparisonContext:
        """What a comparison takes from the session."""
        if self._habits is None:
            self._habits = _habits(session)
        redactor = session.redactor
        return ComparisonContext(redactor.clean_json, redactor.clean, self._habits, lambda: _runs(session))


def _habits(session: WisebotSession) -> NormaliserConfig:
    """What the project says of volatile values. A plain value can be compared without any settings."""
    try:
        said = session.settings.snapshots
    except (WisebotError, pytest.UsageError):
        return NormaliserConfig()
    return NormaliserConfig(said.keys, said.patterns, said.keep)


def _runs(session: WisebotSession) -> Iterator[WorkflowRun]:
    """The runs that the test uses, and that have ended."""
    for asked in session.tracker.used:
        if isinstance(asked.pending.outcome, WorkflowRun):
            yield asked.pending.outcome


class LeavesOut:
    """Which snapshot files this session can say nothing of: their tests are there, and were not to be run.

    syrupy goes by names alone, of which ``-k`` and ``-m`` know more: marks, modules, and keywords.
    """

    def __init__(self, keeping: Keeping | None) -> None:
        self._keeping = keeping
        self._known: set[tuple[str, str]] | None = None

    def __call__(self, location: str) -> bool:
        """Whether the file belongs to such a test; before the session's end of none."""
        path = Path(location)
        if self._known is None:
            return False
        folder = str(path.parent)
        return any((folder, stem) in self._known for stem in (*stems_of_tests(path.stem), "*"))

    def learn(self) -> None:
        """By now all tests are known."""
        assert self._keeping is not None
        self._known = set(map(place_of, self._keeping.deselected))
        self._known |= {(str(self._keeping.folder_of(module)), "*") for module in self._keeping.uncollected}


def look_around(config: pytest.Config, syrupy: Any, items: Iterable[pytest.Item]) -> None:
    """Has syrupy know whose files these are, although no test may have come so far as to compare."""
    desk = state_of(config).one(Shared).desk
    if isinstance(desk.leaves_out, LeavesOut):
        desk.leaves_out.learn()
    for item in {item.path.parent: item for item in items}.values():
        WorkflowSnapshot(syrupy, item, desk=desk, around=_nothing)


def _nothing() -> ComparisonContext:
    raise AssertionError("this one compares nothing")


def untold(items: Iterable[pytest.Item], *, by_name: bool) -> bool:
    """Whether there is a test whose snapshots syrupy cannot find by its name.

    Args:
        items: the tests.
        by_name: syrupy will know their node ids alone, as on xdist's controller.
    """
    return not all(is_told(item, by_name=by_name) for item in items)
