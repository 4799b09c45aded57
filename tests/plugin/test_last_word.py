"""The verdict is given once, after every other plugin, and no way of ending a process opens a gate."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import Any

import pytest
from harness import Outside

pytestmark = pytest.mark.usefixtures("wide_terminal")

GATED = ("--wisebot-env", "outside", "--wisebot-gate")
FORGIVES = "\n[gate]\nmin-pass-rate = 0\nmax-infrastructure-errors = 9\n"

PASSES = """
    @pytest.mark.wisebot("echo", {"n": 1})
    def test_passes(workflow_run):
        assert_ok(workflow_run)
"""
FAILS = """
    @pytest.mark.wisebot("echo", {"n": 2})
    def test_fails(workflow_run):
        assert_failed(workflow_run)
"""


@pytest.fixture
def forgiving(outside: Outside) -> Any:
    """A project whose gate forgives every failed test of a workflow; one test passes, and one fails."""
    toml = outside.project.path / "wisebot.toml"
    toml.write_text(toml.read_text("utf-8") + FORGIVES, "utf-8")
    outside.test(PASSES, FAILS)
    return outside


def rows(result: pytest.RunResult, title: str) -> list[str]:
    """The lines of the verdict's block about this rule."""
    return [line.strip() for line in result.outlines if title in line and " wanted " in line]


def words(result: pytest.RunResult) -> list[str]:
    """Every verdict that was shown."""
    return [
        line.strip("= ") for line in result.outlines if line.strip("= ") in ("GATE OPEN", "GATE CLOSED", "NO VERDICT")
    ]


@pytest.mark.parametrize("args", [(), ("-n", "1")], ids=["one process", "xdist"])
def test_other_plugins_are_told_pytest_s_own_exit_status(
    forgiving: Any, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]
) -> None:
    """By each hook that is given one, and by the session's attributes; the gate's own code comes after them."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    forgiving.project.write("conftest.py", """
        import json, pathlib
        told = {}

        def pytest_sessionfinish(session, exitstatus):
            if not hasattr(session.config, "workerinput"):
                told["finish"] = [int(exitstatus), int(session.exitstatus), session.testsfailed]

        def pytest_terminal_summary(exitstatus, config):
            told["summary"] = int(exitstatus)

        def pytest_unconfigure(config):
            if not hasattr(config, "workerinput"):
                pathlib.Path(__file__).with_name("told.json").write_text(json.dumps(told))
    """)  # fmt: skip
    result = forgiving.run(*GATED, *args)
    assert (words(result), result.ret) == (["GATE OPEN"], 0)
    told = json.loads((forgiving.project.path / "told.json").read_text())
    assert told == {"finish": [1, 1, 1], "summary": 1}


PLUGINS = {
    "or-s a code to the status": "session.exitstatus |= 1",
    "sets the code that the status has": "session.exitstatus = 1",
    "sets a named code": "session.exitstatus = pytest.ExitCode.TESTS_FAILED",
    "counts a failure": "session.testsfailed += 1",
    "stops the session": "session.shouldfail = 'the coverage is too low'",
}


@pytest.mark.parametrize("how", PLUGINS)
def test_a_plugin_that_fails_a_session_is_not_forgiven(forgiving: Any, how: str) -> None:
    """Not even where pytest's status is that of a failed test already, which the gate forgives."""
    forgiving.project.write(
        "conftest.py",
        f"""
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_sessionfinish(session):
            {PLUGINS[how]}
    """,
    )
    result = forgiving.run(*GATED)
    assert (words(result), result.ret) == (["GATE CLOSED"], 1)
    assert len(rows(result, "other failures")) == 1


def test_a_plugin_that_takes_a_failure_back_opens_no_gate(outside: Outside) -> None:
    """What pytest has counted stays counted, whatever exit code a plugin puts in its place."""
    outside.project.write(
        "conftest.py",
        """
        def pytest_sessionfinish(session):
            session.exitstatus = session.testsfailed = 0
    """,
    )
    outside.test(PASSES, "\n    def test_plain():\n        assert 1 == 2\n")
    assert outside.run("--wisebot-env", "outside").ret == 0
    result = outside.run(*GATED)
    assert (words(result), result.ret) == (["GATE CLOSED"], 1)
    assert rows(result, "other failures")[0].endswith("measured 1 failure without a run: test_it.py::test_plain")


@pytest.mark.skipif(pytest.version_tuple < (9, 1), reason="pytest 9.1 has --max-warnings")
def test_one_verdict_is_shown_after_the_last_plugin(outside: Outside) -> None:
    """Too many warnings are found after every summary: there is one verdict, and it has seen them."""
    outside.test(
        PASSES,
        """
        def test_warns(trigger_workflow):
            import warnings

            warnings.warn("old")
            assert trigger_workflow("echo", {"n": 3}).ok
    """,
    )
    result = outside.run(*GATED, "-W", "default", "--max-warnings=0", "--wisebot-report=out")
    assert (words(result), result.ret) == (["NO VERDICT"], 6)
    assert json.loads((outside.project.path / "out/report.json").read_text())["verdict"]["word"] == "NO VERDICT"


ENDS = {
    "pytest.exit in a test": ("", "pytest.exit('enough', returncode=0)"),
    "pytest.exit at the end": ("def pytest_sessionfinish(): pytest.exit('enough', returncode=0)", "pass"),
    "sys.exit at the end": ("def pytest_sessionfinish(): sys.exit(0)", "pass"),
    "sys.exit after the end": ("def pytest_unconfigure(): sys.exit(0)", "pass"),
    "the end of a session's fixture": (
        "@pytest.fixture(scope='session', autouse=True)\n"
        "def last():\n    yield\n    pytest.exit('enough', returncode=0)",
        "pass",
    ),
}


@pytest.mark.parametrize("how", ENDS)
def test_a_session_that_is_ended_with_exit_code_0_has_no_verdict(outside: Outside, how: str) -> None:
    """By a test, a fixture or a hook: what would have come after is not known."""
    conftest, body = ENDS[how]
    (outside.project.path / "conftest.py").write_text(f"import sys\nimport pytest\n{conftest}\n")
    outside.test(PASSES, f"\n    def test_last(trigger_workflow):\n        {body}\n")
    result = outside.run(*GATED)
    assert (words(result), result.ret) == (["NO VERDICT"], 11)


@pytest.mark.parametrize("where", ["a test", "a module"])
def test_a_process_that_ends_without_a_word_leaves_no_verdict(outside: Outside, where: str) -> None:
    """Its exit code cannot be changed; the report says it, and so does the command that reads it."""
    outside.test(
        PASSES,
        """
        def test_ends(trigger_workflow):
            import os

            os._exit(0)

        def test_never(trigger_workflow):
            trigger_workflow("echo", {"n": 4})
    """,
    )
    if where == "a module":
        outside.project.write("test_it.py", "import os\nos._exit(0)")
    arguments = ["-p", "no:randomly", "-p", "no:cacheprovider", *GATED, "--wisebot-report=out"]
    ended = subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=outside.project.path, capture_output=True)
    assert ended.returncode == 0
    out = outside.project.path / "out"
    verdict = json.loads((out / "report.json").read_text())["verdict"]
    assert (verdict["word"], verdict["code"]) == ("NO VERDICT", 11)
    command = [sys.executable, "-m", "pytest_wisebot.report", str(out)]
    read = subprocess.run(command, capture_output=True, text=True)
    assert read.returncode == 11
    assert "NO VERDICT, killed: " in read.stdout


def test_the_command_that_reads_a_report_ends_as_the_session_did(forgiving: Any) -> None:
    """Open, closed by another plugin, and without a gate."""
    command = [sys.executable, "-m", "pytest_wisebot.report", "out"]

    def read() -> int:
        return subprocess.run(command, cwd=forgiving.project.path, capture_output=True).returncode

    assert forgiving.run(*GATED, "--wisebot-report=out").ret == read() == 0
    assert forgiving.run("--wisebot-report=out").ret == 1
    assert read() == 0
    forgiving.project.write("conftest.py", "def pytest_sessionfinish(session): session.exitstatus |= 1")
    assert forgiving.run(*GATED, "--wisebot-report=out").ret == read() == 1


def test_a_test_whose_call_is_left_out_has_proved_nothing(outside: Outside) -> None:
    """With ``--setup-only`` the run is made, and no test looks at it."""
    outside.test(PASSES)
    result = outside.run(*GATED, "--setup-only")
    assert result.ret == 11
    assert rows(result, "tests not run")


def test_a_test_whose_worker_dies_has_no_verdict(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its workflow did is unknown: no rule about rates forgives it."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    toml = outside.project.path / "wisebot.toml"
    toml.write_text(toml.read_text("utf-8") + FORGIVES, "utf-8")
    outside.test(
        PASSES,
        """
        def test_dies(trigger_workflow):
            import os

            trigger_workflow("echo", {"n": 5})
            os._exit(1)
    """,
    )
    result = outside.run(*GATED, "-n", "1", "--wisebot-report=out")
    assert (words(result), result.ret) == (["NO VERDICT"], 11)
    assert rows(result, "process died")[0].endswith("measured 1: test_it.py::test_dies")
    assert rows(result, "pass rate")[0].endswith("measured 100% (1 of 1)")
    told = json.loads((outside.project.path / "out/report.json").read_text())
    assert {test["id"]: test["outcome"] for test in told["tests"]}["test_it.py::test_dies"] == "crashed"


BEFORE = {
    "pytest.exit while it configures": "def pytest_configure(): pytest.exit('no gateway', returncode=0)",
    "a command line of its own": "@pytest.hookimpl(tryfirst=True)\ndef pytest_cmdline_main(): return 0",
}


@pytest.mark.parametrize("how", BEFORE)
def test_a_session_that_never_begins_has_no_verdict(outside: Outside, how: str) -> None:
    """A plugin that ends pytest before any test, with exit code 0, opens no gate."""
    (outside.project.path / "conftest.py").write_text(f"import pytest\n{BEFORE[how]}\n")
    outside.test(PASSES)
    result = outside.run(*GATED)
    assert result.ret == 11
    assert any("NO VERDICT" in line for line in (*result.outlines, *result.errlines))


COUNTS = {
    "one taken back, and another of a module": """
        def pytest_runtest_logfinish(nodeid):
            if "fails" in nodeid:
                S[0].testsfailed -= 1
    """,
    "one counted twice": """
        def pytest_runtest_logreport(report):
            if report.when == "call" and "fails" in report.nodeid:
                S[0].testsfailed += 1
    """,
    "one that pytest shows and does not count": """
        @pytest.hookimpl(trylast=True)
        def pytest_runtest_logreport(report):
            if report.failed and "plain" in report.nodeid:
                S[0].testsfailed -= 1
    """,
}


@pytest.mark.parametrize("how", COUNTS)
def test_no_failure_pays_for_another(forgiving: Any, how: str) -> None:
    """What a limit forgives is the report of its own test, once."""
    start = "import pytest\nS = []\ndef pytest_sessionstart(session):\n    S.append(session)\n"
    forgiving.project.write("conftest.py", start + textwrap.dedent(COUNTS[how]))
    if "module" in how:
        forgiving.project.write("test_broken.py", "import nothing_of_this_name")
    if "shows" in how:
        forgiving.project.write("test_plain.py", "def test_plain():\n    assert 1 == 2")
    result = forgiving.run(*GATED, "--continue-on-collection-errors")
    assert (words(result), result.ret) == (["GATE CLOSED"], 1)
    assert len(rows(result, "other failures")) == 1


def test_an_exit_code_that_the_system_makes_zero_opens_no_gate(outside: Outside) -> None:
    """Of 256 a process keeps nothing."""
    outside.project.write("conftest.py", "def pytest_sessionfinish(session): session.exitstatus = 256")
    outside.test(PASSES)
    result = outside.run(*GATED)
    assert (words(result), result.ret) == (["NO VERDICT"], 11)


def test_a_report_that_a_test_removes_leaves_no_verdict(outside: Outside) -> None:
    """Said in a line, and not by a traceback; without a gate pytest's own code stays."""
    outside.test(
        PASSES,
        """
        def test_removes(trigger_workflow):
            import shutil

            assert trigger_workflow("echo", {"n": 3}).ok
            shutil.rmtree("out")
    """,
    )
    result = outside.run(*GATED, "--wisebot-report=out")
    assert result.ret == 11
    assert any("out/runs.jsonl: was removed or replaced during the session" in line for line in result.outlines)
    assert outside.run("--wisebot-report=out").ret == 0


def test_the_status_that_plugins_see_is_as_pytest_s_own(forgiving: Any) -> None:
    """It can be copied, pickled and compared, and reading it is not setting it."""
    forgiving.project.write(
        "conftest.py",
        """
        import copy, pickle
        import pytest

        def pytest_sessionfinish(session):
            status = session.exitstatus
            assert isinstance(status, pytest.ExitCode)
            assert status in pytest.ExitCode
            assert copy.deepcopy(status) == pickle.loads(pickle.dumps(status)) == pytest.ExitCode.TESTS_FAILED
            assert (repr(status), status.name, status | 1) == ("<ExitCode.TESTS_FAILED: 1>", "TESTS_FAILED", 1)
    """,
    )
    result = forgiving.run(*GATED)
    assert (words(result), result.ret) == (["GATE OPEN"], 0)


def test_no_form_of_an_expected_failure_absorbs_an_outage(outside: Outside) -> None:
    """By a mark over another error, by ``pytest.xfail`` and by ``unittest.expectedFailure``."""
    outside.test(
        PASSES,
        """
        import unittest

        @pytest.mark.xfail
        def test_mark(trigger_workflow):
            try:
                trigger_workflow("nowhere")
            except Exception as error:
                raise AssertionError("no answer") from error

        def test_call(trigger_workflow):
            try:
                trigger_workflow("nowhere")
            except InfrastructureError:
                pytest.xfail("down")

        class TestCase(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _fixtures(self, trigger_workflow):
                self.trigger = trigger_workflow

            @unittest.expectedFailure
            def test_unittest(self):
                assert self.trigger("nowhere").ok
    """,
    )
    result = outside.run(*GATED)
    assert (words(result), result.ret) == (["NO VERDICT"], 10)
    assert rows(result, "infrastructure errors")[0].partition("measured ")[2].startswith("3: ")


@pytest.mark.parametrize("args", [(), ("-n", "1")], ids=["one process", "xdist"])
def test_a_module_that_skips_itself_is_named(
    outside: Outside, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]
) -> None:
    """How many tests it has is not known; like tests that are skipped, it shuts no gate."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    outside.test(PASSES)
    outside.project.write("test_other.py", "import pytest\npytest.importorskip('nothing_of_this_name')")
    result = outside.run(*GATED, *args)
    assert result.ret == 0
    assert rows(result, "modules skipped")[0].endswith("measured 1 module with unknown tests: test_other.py")
