"""Hook functions; each hands over to the room that does the work."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from . import hookspecs, markers, outcomes, xdist
from .early import Early
from .keeping import keep_snapshots
from .options import hide_credentials

OURS = frozenset({"trigger_workflow", "wisebot_emulator", "wisebot_settings", "workflow_run"})
"""The fixtures by which a test uses this plugin."""


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declares `hookspecs.pytest_wisebot_settings`."""
    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Declares the marker, hides credentials that were given as values, and watches over snapshots."""
    config.addinivalue_line("markers", markers.LINE)
    hide_credentials(config)
    config.pluginmanager.register(Early(config), "wisebot-early")
    keep_snapshots(config)
    if config.option.wisebot_plan:
        xdist.keep_to_one_process(config)
    if xdist.is_controller(config):
        from .controller import Controller

        config.pluginmanager.register(Controller(config), "wisebot-controller")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> pytest.ExitCode | None:
    """With ``--wisebot-scan`` a session is a look at files."""
    if not config.option.wisebot_scan:
        return None
    hide_credentials(config)
    from .lastlook import scan

    return scan(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs a test once over each API where both are asked for."""
    markers.parametrize_api(metafunc)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Nothing in the folder of kept sessions is a test, whatever ``norecursedirs`` says."""
    return True if collection_path.name == ".wisebot" and collection_path.parent == config.rootpath else None


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Remembers what the session will leave out: its event log says so."""
    if items:
        outcomes.deselect(items[0].config, items)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Wakes the plugin up when a selected test uses it, or has trials, and tests are to run at all."""
    if _uses_ours(session.items) and not _only_looks(session.config):
        from .session import session_of

        session_of(session.config, collected=True)


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """Says where the runs will go, before the first one. Under xdist the controller does."""
    if xdist.is_worker(config) or not _uses_ours(items):
        return []
    ids = [item.nodeid for item in items]
    if _only_looks(config):
        from .listing import check_ids

        check_ids(config, ids)
        return []
    from .header import header

    return header(config, ids)


def _uses_ours(items: list[pytest.Item]) -> bool:
    return any(OURS.intersection(getattr(item, "fixturenames", ())) or markers.says_trials(item) for item in items)


def _only_looks(config: pytest.Config) -> bool:
    """Whether tests are only listed."""
    looks_only = ("collectonly", "setupplan", "showfixtures", "show_fixtures_per_test")
    return any(config.getoption(name, False) for name in looks_only)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """With ``--wisebot-plan`` the loop over the tests is a look at them."""
    broken = session.testsfailed and not session.config.option.continue_on_collection_errors
    if not session.config.option.wisebot_plan or broken:  # half a collection makes no plan: pytest says so
        return None
    from .plan import show_plan

    show_plan(session)
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """Letters and words of the outcomes that only tests with runs have."""
    return outcomes.shown(report)
