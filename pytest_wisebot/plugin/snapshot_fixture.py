"""Makes ``workflow_snapshot`` for a test, and puts what its failure is too long to say into the test's report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..errors import ConfigurationError, WisebotError
from ..runs import WorkflowRun
from ..settings import Snapshots
from ..snapshots.assertion import SnapshotContext, WorkflowSnapshot
from ..snapshots.normalise import NormaliserConfig
from ..snapshots.patches import one_kind_for_a_file
from ..snapshots.serialize import ComparisonContext
from ..snapshots.write_conflicts import Claims
from .session_metadata import identity
from .session_state import state_of
from .xdist import CLAIMS

if TYPE_CHECKING:
    from ..snapshots.remarks import KeptHistory
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
    shared = state_of(config).one(Shared)
    session = session_for(request)
    shared.desk.kept = lambda: shared.kept(session)
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
        config.add_cleanup(one_kind_for_a_file())
        self._habits: dict[frozenset[str], NormaliserConfig] = {}
        folder: str | None = getattr(config, "workerinput", {}).get(CLAIMS)
        self.desk = SnapshotContext(
            claims=Claims(Path(folder) if folder else None),
            whole=config.get_verbosity(pytest.Config.VERBOSITY_ASSERTIONS) >= 2,
            root=config.rootpath,
            sections=state_of(config).snapshot_sections,
            touched=state_of(config).written.add,
            notes=state_of(config).snapshot_notes,
            earlier=state_of(config).earlier_snapshots.add,
        )
        self._kept: KeptHistory | None = None

    def around(self, session: WisebotSession) -> ComparisonContext:
        """What a comparison takes from the session."""
        redactor = session.redactor
        return ComparisonContext(
            redactor.clean_json,
            redactor.clean,
            runs=lambda: _runs(session),
            began=session.tracker.began,
            habits_of=lambda workflows: self._habits_of(session, workflows),
        )

    def kept(self, session: WisebotSession) -> KeptHistory:
        """Earlier runs of the session's environment; read for a snapshot that is red or new.

        Raises:
            ConfigurationError: there are no settings.
        """
        if self._kept is None:
            from ..snapshots.remarks import KeptHistory
            from ..storage.sessions import PastRuns, Sessions
            from ..storage.store import RequestKeys

            settings = session.settings
            keys = RequestKeys(session.redactor, lambda name: settings.workflow(name).id)
            past = PastRuns(Sessions(self.desk.root), keys, identity(settings))
            self._kept = KeptHistory(past.of, settings.snapshots_place)
        return self._kept

    def _habits_of(self, session: WisebotSession, workflows: frozenset[str]) -> NormaliserConfig:
        """What the project says of volatile values. A plain value can be compared without any settings."""
        if workflows not in self._habits:
            try:
                said = session.settings.snapshots.of(sorted(workflows))
            except (WisebotError, pytest.UsageError):
                said = Snapshots()
            self._habits[workflows] = habits_of(said)
        return self._habits[workflows]


def habits_of(said: Snapshots) -> NormaliserConfig:
    """The settings of snapshots, as the normaliser takes them."""
    return NormaliserConfig(said.keys, said.patterns, said.keep, said.volatile)


def _runs(session: WisebotSession) -> Iterator[WorkflowRun]:
    """The runs that the test uses, and that have ended."""
    for asked in session.tracker.used:
        if isinstance(asked.pending.outcome, WorkflowRun):
            yield asked.pending.outcome
