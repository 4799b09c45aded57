"""What every folder of tests shares: a project on disk with workflows in it, on which pytest is run."""

from __future__ import annotations

import gc
import importlib.util
import os
import pkgutil
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Loaded before any project is run in this process: pytester forgets what a run loads, and these are slow to load anew.
import anyio.from_thread  # noqa: F401
import fork_server
import httpx  # noqa: F401
import pydantic  # noqa: F401
import pytest
from harness import QUIET_NEIGHBOURS, ByHand, Project
from hypothesis import settings

import pytest_wisebot

if TYPE_CHECKING:
    from pytest_wisebot.emulator import EmulatorHandle

pytest_plugins = ["pytester"]

for _module in pkgutil.walk_packages(pytest_wisebot.__path__, "pytest_wisebot."):
    if not _module.name.endswith("__main__"):
        importlib.import_module(_module.name)

fork_server.remember_what_is_installed()
if pytest.version_tuple < (9,):  # which collects garbage five times at each session's end; later ones do not, in tests
    importlib.import_module("_pytest.unraisableexception").gc_collect_harder = lambda: None  # type: ignore[attr-defined]

ROOT = Path(__file__).parents[1]

# A few examples of each property at each commit, always the same; many and new ones by --hypothesis-profile=nightly.
settings.register_profile("quick", max_examples=20, deadline=None, derandomize=True, database=None)
settings.register_profile("nightly", max_examples=500, deadline=None)
settings.load_profile("quick")

# Subtests are pytest's own from version 9 on.
SUBTESTS = ("subtests",) if pytest.version_tuple < (9,) and importlib.util.find_spec("pytest_subtests") else ()

LOADED = ("wisebot", "xdist", "syrupy", "anyio", *SUBTESTS)
"""The plugins of the projects' sessions."""

CI_SERVERS = ("GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD", "CIRCLECI", "BUILDKITE", "JENKINS_URL")
"""The variables by which a session knows the CI server that it runs on."""

FLOWS = """
    import time
    from pytest_wisebot.emulator import Emulator, WorkflowFailure

    emulator = Emulator(token="wb_live_FAKE_token_of_the_emulator")

    @emulator.workflow("echo", secret="FAKE-secret-of-echo")
    def echo(inputs):
        return inputs

    @emulator.workflow("triage", secret="FAKE-secret-of-triage", inputs=("ticketId", "message"))
    def triage(ticketId, message):
        return {"ticketId": ticketId, "category": "billing" if "charged" in (message or "") else "other"}

    @emulator.workflow("refund", secret="FAKE-secret-of-refund")
    def refund(inputs):
        raise WorkflowFailure("unknown ticket")

    @emulator.workflow("slow", secret="FAKE-secret-of-slow", latency=0.2)
    def slow(inputs):
        return "slow"

    @emulator.workflow("endless", secret="FAKE-secret-of-endless", latency=30)
    def endless(inputs):
        return None

    @emulator.workflow("dashboard-only", webhook=False)
    def dashboard_only(inputs):
        return "seen"
"""

LOCAL = """
    default-environment = "local"

    [environments.local]
    emulator = "flows:emulator"
"""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two workers for each processor with ``-n auto``: half of the time a test waits for what it has started."""
    return 2 * (os.cpu_count() or 1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A worker that has run its tests takes some of another's, so that all end at about the same time."""
    from xdist.scheduler import WorkStealingScheduling  # type: ignore[import-untyped]

    return WorkStealingScheduling(config, log) if config.getoption("dist") == "load" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes seconds begins first: at the end it would have a processor for itself."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    """Modules and collected tests stay: no collection of garbage has to look at them, and those of sessions are few."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


@pytest.fixture(scope="session", autouse=True)
def _forked_processes() -> Iterator[None]:
    """Processes that sessions start are forked from one that has loaded its modules; see `fork_server`."""
    with fork_server.forking():
        yield


@pytest.fixture
def real_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of how a process starts, or of what can be seen of it from outside: none is forked."""
    monkeypatch.setattr(fork_server.ForkedPopen, "address", None)


@pytest.fixture(autouse=True)
def _no_wisebot_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on what the shell that runs it has to say about Wisebot, or about pytest."""
    for name in list(os.environ):
        # With CI or BUILD_NUMBER pytest shortens no line of its summary.
        if name.startswith(("WISE", "CONVEX", "PYTEST_ADDOPTS")) or name in ("CI", "BUILD_NUMBER", *CI_SERVERS):
            monkeypatch.delenv(name)


@pytest.fixture
def empty_project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project without a ``wisebot.toml``, in whose sessions only this plugin and those that it needs are loaded."""
    # Half of the time of a small session is the loading of plugins that it does not use. See `every_plugin`.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(f"-p {name}" for name in LOADED))
    return Project(pytester)


@pytest.fixture
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of the gate's block: in a terminal of this width each rule of it is one line."""
    monkeypatch.setenv("COLUMNS", "1000")


@pytest.fixture
def every_plugin(empty_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests beside other plugins: everything that is installed is loaded, as for users, but for what reorders."""
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(QUIET_NEIGHBOURS))


@pytest.fixture
def project(empty_project: Project) -> Project:
    """A project whose default environment is an emulator with the workflows of `FLOWS`."""
    empty_project.write("flows.py", FLOWS)
    empty_project.write("wisebot.toml", LOCAL)
    return empty_project


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], EmulatorHandle]]:
    """Serves the text of a ``flows.py`` from a process of its own until the session ends."""
    from pytest_wisebot.emulator import EmulatorHandle
    from pytest_wisebot.emulator.handle import EmulatorProcess

    with ExitStack() as started:

        def start(flows: str) -> EmulatorHandle:
            folder = tmp_path_factory.mktemp("flows")
            (folder / "flows.py").write_text(textwrap.dedent(flows), "utf-8")
            process = EmulatorProcess.start("flows:emulator", folder)
            started.callback(process.stop)
            return EmulatorHandle(process.ready)

        yield start


@pytest.fixture(scope="session")
def emulator_by_hand(serve: Callable[[str], EmulatorHandle]) -> ByHand:
    """One emulator for the whole session, of a process that no session under test has started."""
    handle = serve(FLOWS)
    return ByHand(handle.origin, handle.base_url, handle.new_jwt(-60))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Says aloud that the page was not tested in a browser: a letter among thousands is soon overlooked."""
    skipped = [one for one in terminalreporter.stats.get("skipped", ()) if one.nodeid.startswith("tests/browser/")]
    reasons = sorted({str(one.longrepr[2]).removeprefix("Skipped: ") for one in skipped})
    for reason in reasons:
        line = f"THE REPORT'S PAGE WAS NOT TESTED IN A BROWSER, OR NOT ALL OF IT: {reason}"
        terminalreporter.write_line(line, yellow=True, bold=True)
