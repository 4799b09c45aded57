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
from .xdist import CLAIMS

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
    state_of(config).on_snapshot(item)
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
            leaves_out=LeavesOut(),
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
    """Snapshot files whose tests were collected but not run.

    syrupy selects by names alone; ``-k`` and ``-m`` also select by marks, modules, and keywords.
    """

    def __init__(self) -> None:
        self._known: set[tuple[str, str]] = set()

    def __call__(self, location: str) -> bool:
        """Whether the file belongs to such a test; before the session's end to none."""
        path = Path(location)
        folder = str(path.parent)
        return any((folder, stem) in self._known for stem in (*stems_of_tests(path.stem), "*"))

    def complete(self, deselected: Iterable[pytest.Item], folders: Iterable[Path]) -> None:
        """Adds the tests that were left out, and the snapshot folders of modules that could not be collected."""
        self._known = {*map(place_of, deselected), *((str(folder), "*") for folder in folders)}


def look_around(
    config: pytest.Config,
    syrupy: Any,
    items: Iterable[pytest.Item],
    *,
    deselected: Iterable[pytest.Item],
    folders: Iterable[Path],
) -> None:
    """Registers the snapshot folders of these tests with syrupy, although none of them may have compared anything."""
    desk = state_of(config).one(Shared).desk
    if isinstance(desk.leaves_out, LeavesOut):
        desk.leaves_out.complete(deselected, folders)
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
