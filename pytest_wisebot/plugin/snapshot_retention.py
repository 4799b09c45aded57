"""Keeps the snapshots of tests that did not pass.

For syrupy a snapshot that no test has compared is unused: it fails the session, and an update deletes it. A test that
failed before it compared has compared nothing either, so that an update during an outage would empty the folder. The
same holds for tests that were left out or never run, for those of a worker that died, and for modules that could not be
collected or that skip themselves. syrupy judges which files are unused, and those of such tests are taken out.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ..originals import json
from . import xdist
from .collection import Collection
from .session_state import state_of

FIXTURE = "workflow_snapshot"
_OUTPUT = "wisebot_snapshots"
_NAME = "wisebot-snapshot-retention"

Owner = tuple[str, str, str]
"""A test's node id, the folder of its snapshots, and what the names of their files begin with; ``*`` for all files."""


def retain_snapshots(config: pytest.Config) -> None:
    """Keeps the session's snapshots, if syrupy is there to judge them."""
    if config.pluginmanager.has_plugin("syrupy"):
        config.pluginmanager.register(SnapshotRetention(config), _NAME)


def retention_of(config: pytest.Config) -> SnapshotRetention | None:
    """What keeps the session's snapshots; None without syrupy."""
    retention: SnapshotRetention | None = config.pluginmanager.get_plugin(_NAME)
    return retention


class SnapshotRetention:
    """Follows which tests pass, and which files are theirs."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._passed: set[str] = set()
        self._failed: set[str] = set()
        self._owners: set[Owner] = set()  # modules that were not read, and what workers have sent
        self._claims: Path | None = None
        self._kept: set[tuple[str, str]] | None = None
        self._has_snapshots = cache(Path.is_dir)

    def folder_of(self, module: Path) -> Path:
        """The folder of a test module's snapshots."""
        return module.parent / str(self._config.option.snapshot_dirname) / module.stem

    def concerns(self, items: Iterable[pytest.Item]) -> bool:
        """Whether one of these tests uses the fixture, or may have snapshots from an earlier session."""
        return any(FIXTURE in getattr(item, "fixturenames", ()) or self._may_own_files(item) for item in items)

    def _may_own_files(self, item: pytest.Item) -> bool:
        """Whether there are files that may be the test's: what one of syrupy's own fixture leaves, syrupy judges."""
        names = getattr(item, "fixturenames", ())
        is_ours = hasattr(item, "obj") and (FIXTURE in names or "snapshot" not in names)
        return is_ours and self._has_snapshots(self.folder_of(item.path))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that cannot be imported, or skips itself, has lost none of its tests."""
        if not report.passed:
            module = self._config.rootpath / report.nodeid.partition("::")[0]
            self._owners.add((report.nodeid, str(self.folder_of(module)), "*"))

    def follow(self, report: pytest.TestReport) -> None:
        """Takes the report of a phase, or of a subtest. Under xdist the controller sees those of all workers."""
        if report.when == "call" and report.passed:
            self._passed.add(report.nodeid)
        elif report.failed and report.when != "teardown":
            self._failed.add(report.nodeid)

    # --- under xdist

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Where snapshots are written, a worker that is about to start must see what others write."""
        option = self._config.option
        if option.update_snapshots or option.update_new_snapshots_only:
            if self._claims is None:
                with suppress(OSError):  # no room for temporary files: each worker sees its own claims alone
                    folder = self._claims = Path(tempfile.mkdtemp(prefix="pytest-wisebot-"))
                    self._config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
            node.workerinput[xdist.CLAIMS] = str(self._claims or "")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker has ended, and has sent whose files there are unless it died."""
        output = getattr(node, "workeroutput", None) or {}
        self._owners.update(map(tuple, json.loads(output.get(_OUTPUT, "[]"))))

    # --- syrupy's judgement

    @contextmanager
    def around_syrupy(self) -> Iterator[None]:
        """While syrupy ends the session, however that was ended, also by Ctrl-C."""
        if xdist.is_worker(self._config):
            output: dict[str, Any] = getattr(self._config, "workeroutput")  # noqa: B009 - xdist's, no type knows it
            output[_OUTPUT] = json.dumps([*self._all_owners()])  # ASCII: xdist's channel does not carry every path
            yield
            return
        from ..snapshots.patches import kept_from_unused

        with kept_from_unused(self._is_kept):
            yield

    def _all_owners(self) -> Iterator[Owner]:
        from ..snapshots.naming import place_of

        yield from self._owners
        for item in filter(self._may_own_files, state_of(self._config).one(Collection).items.values()):
            yield item.nodeid, *place_of(item)

    def _is_kept(self, report: Any, location: str) -> bool:
        """Whether a file is one of a test that did not pass. What a worker has compared is lost if it died."""
        from ..snapshots.naming import stems_of_tests

        if self._kept is None:
            self._kept = {
                (folder, stem)
                for nodeid, folder, stem in self._all_owners()
                if not self._has_passed(nodeid, report.selected_items)
            }
        path = Path(location)
        return any((str(path.parent), stem) in self._kept for stem in ("*", *stems_of_tests(path.stem)))

    def _has_passed(self, nodeid: str, statuses: dict[str, Any]) -> bool:
        seen = nodeid in statuses and statuses[nodeid].value == "passed"
        return seen and nodeid in self._passed and nodeid not in self._failed
