"""Hook functions; each hands over to the room that does the work."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from . import failure_sections, gate_selection, hookspecs, markers, report_facts, session_end, xdist
from .collected import follow_collection
from .collection_redaction import CollectionRedaction
from .options import asks_for_report, hide_credentials, only_lists
from .snapshot_retention import keep_snapshots

OURS = frozenset({"trigger_workflow", "wisebot_emulator", "wisebot_settings", "workflow_run"})
"""The fixtures by which a test uses this plugin."""


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declares `hookspecs.pytest_wisebot_settings`, and the one hook that goes around all of a session."""
    pluginmanager.add_hookspecs(hookspecs)
    pluginmanager.register(session_end.VerdictLast(), "wisebot-verdict-last")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Declares the marker, hides credentials that were given as values, and watches over snapshots."""
    config.addinivalue_line("markers", markers.LINE)
    hide_credentials(config)
    config.pluginmanager.register(CollectionRedaction(config), "wisebot-early")
    config.pluginmanager.register(failure_sections.FailureSections(), "wisebot-shown")
    follow_collection(config)
    keep_snapshots(config)
    if config.option.wisebot_plan:
        xdist.keep_to_one_process(config)
    if xdist.is_controller(config):
        from .xdist_server import Controller

        config.pluginmanager.register(Controller(config), "wisebot-controller")
    if asks_for_report(config) and not xdist.is_worker(config):
        from .reporting import report_session

        report_session(config)
    elif config.option.wisebot_gate and not xdist.is_worker(config):
        from .unjudged import Unjudged

        config.pluginmanager.register(Unjudged(), "wisebot-unjudged")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> pytest.ExitCode | None:
    """With ``--wisebot-scan`` a session is a look at files."""
    if not config.option.wisebot_scan:
        return None
    hide_credentials(config)
    from .leak_scan import scan

    return scan(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs a test once over each API where both are asked for."""
    markers.parametrize_api(metafunc)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Nothing in the folder of kept sessions is a test, whatever ``norecursedirs`` says."""
    return True if collection_path.name == ".wisebot" and collection_path.parent == config.rootpath else None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, object, object]:
    """After every other plugin: the gate leaves out what is not its own, and the marks of the rest are checked."""
    result = yield
    if config.option.wisebot_gate:
        gate_selection.keep_to_gate(config, items)
    if any(map(markers.mark_of, items)):
        from .mark_use import check_marks

        check_marks(config, items)
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Wakes the plugin up when a selected test uses it, or has trials, and tests are to run at all."""
    if _concerns_us(session.config, session.items) and not only_lists(session.config):
        from .item_session import session_of

        session_of(session.config, collected=True)


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """Says where the runs will go, before the first one. Under xdist the controller does."""
    if xdist.is_worker(config) or not _concerns_us(config, items):
        return []
    ids = [item.nodeid for item in items]
    if only_lists(config):
        from .node_ids import check_ids

        check_ids(config, ids)
        return []
    from .header import header

    return header(config, ids)


def _concerns_us(config: pytest.Config, items: list[pytest.Item]) -> bool:
    """Whether a test uses the plugin, or a verdict or a report is asked for, of whatever there is."""
    return asks_for_report(config) or any(map(_uses_ours, items))


def _uses_ours(item: pytest.Item) -> bool:
    uses = not OURS.isdisjoint(getattr(item, "fixturenames", ()))
    return uses or markers.says_trials(item) or markers.declares_its_own_run(item)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """With ``--wisebot-plan`` the loop over the tests is a look at them."""
    broken = session.testsfailed and not session.config.option.continue_on_collection_errors
    if not session.config.option.wisebot_plan or broken:  # half a collection makes no plan: pytest says so
        return None
    from .plan import show_plan

    show_plan(session)
    return True


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: Any) -> Generator[None, object, object]:
    """Lists what ended in an outcome of this plugin's own below pytest's own short summary."""
    result = yield
    failure_sections.unused_marks_alone(terminalreporter)
    failure_sections.short_summary(terminalreporter)
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """Letters and words of the outcomes that only tests with runs have."""
    return report_facts.shown(report)
