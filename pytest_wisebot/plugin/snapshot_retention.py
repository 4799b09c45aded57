"""Keeps the snapshots of tests that did not pass.

For syrupy a snapshot that no test has compared is unused: it fails the session, and an update deletes it. A test that
failed before it compared has compared nothing either, so that an update during an outage would empty the folder. The
same holds for tests that were never run, for those of a worker that died, and of modules that could not be collected.
Here syrupy is told before it judges that such tests were skipped, whose snapshots it keeps.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from . import xdist
from .session_state import state_of

FIXTURE = "workflow_snapshot"
_OUTPUT = "wisebot_snapshots"
_NAME = "wisebot-keeping"


def keep_snapshots(config: pytest.Config) -> None:
    """Watches over the session's snapshots, if syrupy is there to judge them."""
    if config.pluginmanager.has_plugin("syrupy"):
        keeping = Keeping(config)
        state_of(config).on_snapshot = keeping.notice
        config.pluginmanager.register(keeping, _NAME)


def keeping_of(config: pytest.Config) -> Keeping | None:
    """What watches over the session's snapshots; None without syrupy."""
    keeping: Keeping | None = config.pluginmanager.get_plugin(_NAME)
    return keeping


class Keeping:
    """Follows which tests pass. In a session without snapshots of this package it does nothing more.

    Attributes:
        using: the tests that use the fixture or have snapshots, and are to be run, by node id.
        deselected: those that do and are not to be run.
        uncollected: modules whose tests are not known.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.using: dict[str, pytest.Item | None] = {}
        self.deselected: list[pytest.Item] = []
        self.uncollected: set[Path] = set()
        self._passed: dict[str, set[str]] = {}
        self._failed: set[str] = set()
        self._lost: set[str] = set()
        self._untold = False
        self._claims: Path | None = None
        self._stems: dict[Path, frozenset[str]] = {}

    def notice(self, item: pytest.Item) -> None:
        """Learns of a test that asks for the fixture by ``request.getfixturevalue``."""
        self.using[item.nodeid] = item

    def folder_of(self, module: Path) -> Path:
        """Where the snapshots of a test module stand."""
        return module.parent / str(self._config.option.snapshot_dirname) / module.stem

    # --- what is to be run

    def pytest_deselected(self, items: Iterable[pytest.Item]) -> None:
        """These tests are in the session's files, and not in the session."""
        self.deselected += filter(self._concerns, items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that cannot be imported has lost none of its tests."""
        if report.failed:
            self.uncollected.add(self._config.rootpath / report.nodeid.partition("::")[0])

    def collect(self, items: Iterable[pytest.Item]) -> None:
        """Takes the selected tests."""
        self.using.update((item.nodeid, item) for item in items if self._concerns(item))

    def _concerns(self, item: pytest.Item) -> bool:
        """Whether a test uses the fixture, or has snapshots and may ask for it by ``request.getfixturevalue``."""
        names = getattr(item, "fixturenames", ())
        if FIXTURE in names:
            return True
        stems = self._stems_in(self.folder_of(item.path)) if "snapshot" not in names else ()
        if not stems:
            return False
        from ..snapshots.naming import place_of

        return place_of(item)[1] in stems

    def _stems_in(self, folder: Path) -> frozenset[str]:
        """What the names of the tests are, in files, of which there may be snapshots in a folder."""
        if folder not in self._stems:
            files = list(folder.glob("*.json")) if folder.is_dir() else []
            if files:
                from ..snapshots.files import stems_of_tests
            self._stems[folder] = frozenset(stem for file in files for stem in stems_of_tests(file.stem))
        return self._stems[folder]

    # --- what became of it

    def follow(self, report: pytest.TestReport) -> None:
        """Under xdist the controller sees the reports of all workers."""
        if report.when == "call" and report.passed:
            self._passed.setdefault(report.nodeid, set()).add(getattr(report, "worker_id", ""))
        elif report.failed and report.when != "teardown":
            self._failed.add(report.nodeid)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """A worker is about to start; where snapshots are written, it has to know what others write."""
        option = self._config.option
        if option.update_snapshots or option.update_new_snapshots_only:
            node.workerinput[xdist.CLAIMS] = str(self._claims_folder() or "")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker has ended, with what it knows of its tests or, if it died, without."""
        output = getattr(node, "workeroutput", None)
        if output is None:
            self._lost.add(node.gateway.id)
        elif _OUTPUT in output:
            self.using.update(dict.fromkeys(output[_OUTPUT]["using"]))
            self._untold = self._untold or output[_OUTPUT]["untold"]

    # --- before syrupy judges

    def before_syrupy(self) -> None:
        """However the session ends, also by Ctrl-C."""
        syrupy = getattr(self._config, "_syrupy", None)
        if syrupy is None:
            return
        if any(map(self._may_have_snapshots, self.uncollected)):
            self._config.option.no_cleanup = True
        if xdist.is_controller(self._config):
            self._skip_in_reports(syrupy)
        elif self.using:
            from .snapshot_fixture import look_around, untold

            items = [item for item in self.using.values() if item is not None]
            folders = list(map(self.folder_of, self.uncollected))
            look_around(self._config, syrupy, items, deselected=self.deselected, folders=folders)
            if not xdist.is_worker(self._config):
                self._skip(syrupy, untold(items, by_name=False))
            else:
                output: dict[str, Any] = getattr(self._config, "workeroutput")  # noqa: B009 - xdist's, no type knows it
                output[_OUTPUT] = {"using": [*self.using], "untold": untold(items, by_name=True)}

    def _kept(self) -> list[str]:
        return [nodeid for nodeid in self.using if not self._has_passed(nodeid)]

    def _has_passed(self, nodeid: str) -> bool:
        """Whether a test passed, and what it compared is known: what a worker has seen dies with it."""
        workers = self._passed.get(nodeid, set())
        return bool(workers) and nodeid not in self._failed and self._lost.isdisjoint(workers)

    def _skip(self, syrupy: Any, untold: bool) -> None:
        kept = self._kept()
        if kept and (untold or not hasattr(syrupy, "ran_item")):
            self._keep_all()
            return
        for nodeid in kept:
            syrupy.ran_item(nodeid, "skipped")

    def _skip_in_reports(self, syrupy: Any) -> None:
        """On the controller: in what the workers have reported of their tests."""
        kept = self._kept()
        if not kept:
            return
        reports = getattr(syrupy, "_worker_reports", None)
        told = isinstance(reports, list) and all(isinstance(report.get("selected"), dict) for report in reports)
        if self._untold or not told:
            self._keep_all()
            return
        for report in reports or ():
            report["selected"].update((nodeid, "skipped") for nodeid in kept if nodeid in report["selected"])

    def _keep_all(self) -> None:
        """Where syrupy could not be told of single tests, nothing is deleted, and what is unused fails nothing."""
        self._config.option.no_cleanup = True
        self._config.option.warn_unused_snapshots = True

    def _may_have_snapshots(self, module: Path) -> bool:
        folder = self.folder_of(module)
        return folder.is_dir() and any(folder.glob("*.json"))

    def _claims_folder(self) -> Path | None:
        """Where the workers meet; None without room for temporary files: each sees its own claims alone then."""
        if self._claims is None:
            with suppress(OSError):
                folder = self._claims = Path(tempfile.mkdtemp(prefix="pytest-wisebot-"))
                self._config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
        return self._claims
