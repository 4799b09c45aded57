"""Hook functions; each hands over to the room that does the work."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from . import gate_selection, markers, session_end, xdist
from .collection import Collection, keep_tagged, keep_workflows
from .options import (
    asks_for_report,
    check_root,
    hide_credentials,
    only_lists,
    refuse_ini_keys,
    refuse_without_parts,
    wants_report,
)
from .report_facts import status_of
from .session_state import state_of
from .snapshot_retention import retain_snapshots, retention_of

if TYPE_CHECKING:
    from ..settings import Settings

OURS = frozenset({"trigger_workflow", "wisebot_emulator", "wisebot_settings", "workflow_run"})
"""The fixtures by which a test uses this plugin."""


SUITES = (".wisebot.yaml", ".wisebot.yml", ".wisebot.json")
"""How the names of suites end that need no Python."""


class HookSpecs:
    """The hook that a project may implement in its ``conftest.py``."""

    @pytest.hookspec(firstresult=True)
    def pytest_wisebot_settings(self, config: pytest.Config, settings: Settings) -> Settings | None:
        """Changes the settings before anything runs: a preview deployment's address, a credential from a vault.

        Runs once in a session, and only when a selected test uses this plugin. Under xdist it runs on the controller,
        which loads the ``conftest.py`` files of the folders that pytest was given, and not those further down. Returns
        ``settings.replace(…)``, or None to leave them as they are. With ``--wisebot-against`` it runs once for each of
        the two environments: ``settings.environment`` is the one whose settings these are.
        """


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declares the hook of `HookSpecs`, and registers the object around all of a session."""
    pluginmanager.add_hookspecs(HookSpecs)
    config: Any = pluginmanager.get_plugin("pytestconfig")
    pluginmanager.register(session_end.session_end_of(config), session_end.NAME)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Before any file of a wrong rootdir is read. A ``conftest.py`` that ends pytest leaves no old verdict behind."""
    check_root(early_config, parser, args)
    options = early_config.known_args_namespace
    if wants_report(options) and options.wisebot_report is not None and not xdist.starts_as_worker():
        from .reporting import clear_early

        clear_early(early_config, options.wisebot_report, options.wisebot_baseline)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Declares the marker, hides credentials that were given as values, and follows collection and snapshots."""
    config.addinivalue_line("markers", markers.LINE)
    hide_credentials(config)
    refuse_ini_keys(config)
    refuse_without_parts(config)
    config.pluginmanager.register(state_of(config).one(Collection), "wisebot-collection")
    retain_snapshots(config)
    if config.option.wisebot_plan:
        xdist.keep_to_one_process(config)
    is_controller, reports = xdist.is_controller(config), asks_for_report(config) and not xdist.is_worker(config)
    if is_controller:
        from .xdist_server import Controller

        if config.option.wisebot_gate:
            gate_selection.in_gate(config)  # a wrong selection would end the workers, which do not say why
        config.pluginmanager.register(Controller(config), "wisebot-controller")
    if reports:
        session_end.session_end_of(config).report()
    if reports or (is_controller and retention_of(config) is not None):
        from .item_lifecycle import follow_items

        follow_items(config)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> pytest.ExitCode | None:
    """With ``--wisebot-scan`` a session looks for credentials in files, and runs no test."""
    if not config.option.wisebot_scan:
        return None
    hide_credentials(config)
    from .leak_scan import scan

    return scan(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Makes a test of each row of ``cases=``, and runs a test once over each API where both are named."""
    mark = metafunc.definition.get_closest_marker("wisebot")
    if mark is not None and mark.kwargs.get("cases") is not None:
        from .cases import parametrize_cases

        parametrize_cases(metafunc)
    else:
        markers.parametrize_api(metafunc)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A suite that needs no Python: ``*.wisebot.yaml`` or ``*.wisebot.json``."""
    if not file_path.name.endswith(SUITES):
        return None
    from .cases import SuiteFile

    suite: pytest.Collector = SuiteFile.from_parent(parent, path=file_path)
    return suite


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Nothing in the folder of kept sessions is a test, whatever ``norecursedirs`` is."""
    return True if collection_path.name == ".wisebot" and collection_path.parent == config.rootpath else None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, object, object]:
    """After every other plugin: removes tests of other workflows or tags, and those that the gate does not judge.

    The marks of the rest are checked.
    """
    if "wisebot" in config.option.markexpr:
        markers.name_workflows(items)
    result = yield
    if config.option.wisebot_workflow:
        keep_workflows(session, items)
    if config.option.wisebot_tag:
        keep_tagged(session, items)
    if config.option.wisebot_gate:
        gate_selection.deselect_others(config, items)
    if any(map(markers.mark_of, items)):
        from .item_lifecycle import follow_items
        from .mark_use import check_marks

        follow_items(config)
        check_marks(items)
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Wakes the plugin up when a selected test uses it, or has trials, and tests are to run at all."""
    config, retention = session.config, retention_of(session.config)
    if only_lists(config):
        return
    if _concerns_us(config, session.items) or state_of(config).collection_problems:
        from .item_lifecycle import wake
        from .quarantined import find_quarantines

        find_quarantines(session)
        from .network_guard import is_guarded_from_the_start

        state_of(config).is_guarded = is_guarded_from_the_start()
        ours = wake(config, collected=True)
        if xdist.is_worker(config):  # its controller cannot collect
            ours.check_runs(session)
        elif any(map(_uses_ours, session.items)):
            from .runtime import load_engine

            load_engine()
    elif retention is not None and retention.concerns(session.items):
        from .item_lifecycle import follow_items
        from .redact_pytest import clean_terminal

        follow_items(config)
        clean_terminal(config, state_of(config).redactor)


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """Shows where the runs will go, before the first one. Under xdist the controller does."""
    if xdist.is_worker(config) or not _concerns_us(config, items):
        return []
    ids = [item.nodeid for item in items]
    if only_lists(config):
        from .redact_pytest import check_listed_ids

        check_listed_ids(config, ids)
        return []
    from .header import header

    return header(config, ids)


def _concerns_us(config: pytest.Config, items: list[pytest.Item]) -> bool:
    """Whether a test uses the plugin, or a verdict or a report is wanted, of whatever there is."""
    return asks_for_report(config) or any(map(_uses_ours, items))


def _uses_ours(item: pytest.Item) -> bool:
    uses = not OURS.isdisjoint(getattr(item, "fixturenames", ()))
    return uses or markers.says_trials(item) or markers.declares_its_own_run(item)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """With ``--wisebot-plan`` the loop over the tests shows what they would run."""
    broken = session.testsfailed and not session.config.option.continue_on_collection_errors
    if not session.config.option.wisebot_plan or broken:  # half a collection makes no plan, and pytest fails it
        return None
    from .plan import show_plan

    show_plan(session)
    return True


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: Any) -> Generator[None, object, object]:
    """Below pytest's own short summary: the outcomes of this plugin's own, and the block of a session without runs."""
    result = yield
    from .terminal import show_block, show_short_summary, unused_marks

    if not session_end.session_end_of(terminalreporter.config).has_runs:
        show_block(terminalreporter, unused_marks(terminalreporter))
    show_short_summary(terminalreporter)
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(
    report: pytest.TestReport, config: pytest.Config
) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """Letters and words of the outcomes that only tests with runs have."""
    return status_of(report, state_of(config).began)
