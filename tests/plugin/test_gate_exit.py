"""The exit code of a gated session, whatever other plugins, options and accidents make of it."""

from __future__ import annotations

import html
import json
from typing import Any

import pytest
from harness import Outside

pytestmark = pytest.mark.usefixtures("wide_terminal")

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
REFUSED = """
    @pytest.mark.wisebot("locked", {"n": 3})
    def test_refused(workflow_run):
        assert_ok(workflow_run)
"""
FORGIVES = "[gate]\nmin-pass-rate = 0\nmax-infrastructure-errors = 9\n"


WITH_AND_WITHOUT_XDIST = pytest.mark.parametrize(
    "gated", [(), ("-n", "2")], ids=["one process", "xdist"], indirect=True
)
"""For what workers tell the controller; the verdict and the code are the controller's alone."""


@pytest.fixture
def gated(outside: Outside, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a gated session whose limits forgive all that tests with runs may fail by."""
    workers = getattr(request, "param", ())
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    toml = outside.project.path / "wisebot.toml"
    toml.write_text(f"{toml.read_text('utf-8')}\n{FORGIVES}", "utf-8")

    def run(*args: str) -> pytest.RunResult:
        result: pytest.RunResult = outside.run("--wisebot-env", "outside", "--wisebot-gate", *workers, *args)
        return result

    return run


def word(result: pytest.RunResult) -> str:
    """The verdict that was shown; empty without one."""
    shown = [line.strip("= ") for line in result.outlines if line.startswith("==")]
    return next((line for line in shown if line in ("GATE OPEN", "GATE CLOSED", "NO VERDICT")), "")


@WITH_AND_WITHOUT_XDIST
def test_what_the_limits_forgive_is_no_failed_session(outside: Outside, gated: Any) -> None:
    """Pytest's own code would be 1."""
    outside.test(PASSES, FAILS, REFUSED)
    result = gated()
    assert (word(result), result.ret) == ("GATE OPEN", 0)
    assert result.parseoutcomes() == {"passed": 1, "failed": 1, "infrastructure": 1}


@pytest.mark.parametrize(
    ("where", "gated"),
    [
        ("trylast=True", ()),
        ("tryfirst=True", ()),
        ("wrapper=True, tryfirst=True", ()),
        ("wrapper=True, tryfirst=True", ("-n", "1")),
    ],
    ids=lambda one: one if isinstance(one, str) else "xdist" if one else "one process",
    indirect=["gated"],
)
def test_the_code_is_set_after_every_other_plugin_s(outside: Outside, gated: Any, where: str) -> None:
    """A plugin that fails the session keeps the gate shut, wherever it stands among the others."""
    body = "yield\n        " if "wrapper" in where else ""
    outside.project.write("conftest.py", f"""
        import pytest

        @pytest.hookimpl({where})
        def pytest_sessionfinish(session):
            {body and "result = "}{body}session.exitstatus = session.exitstatus or 1
            return {"result" if body else "None"}
    """.replace("result = yield\n        ", "result = yield\n            "))  # fmt: skip
    outside.test(PASSES)
    result = gated()
    assert result.ret == 1
    assert any(line.startswith("GATE CLOSED: 1 passed") for line in result.outlines)


@WITH_AND_WITHOUT_XDIST
def test_an_unused_snapshot_keeps_pytest_s_code(outside: Outside, gated: Any) -> None:
    """Syrupy ors its own code into pytest's, and forgives nothing."""
    outside.test(
        PASSES,
        FAILS,
        """
        def test_snapshot(trigger_workflow, workflow_snapshot):
            assert trigger_workflow("echo") == workflow_snapshot
    """,
    )
    outside.run("--snapshot-update")
    outside.test(PASSES, FAILS)
    outside.project.write("__snapshots__/test_it/test_it.json", "{}")
    result = gated()
    assert (word(result), result.ret) == ("GATE CLOSED", 1)


def test_a_test_without_a_run_is_forgiven_by_nobody(outside: Outside, gated: Any) -> None:
    """Neither is a fixture of one, nor its teardown."""
    outside.test(
        PASSES,
        """
        @pytest.fixture
        def broken():
            yield
            assert 1 == 2

        def test_plain(broken):
            pass
    """,
    )
    result = gated()
    assert (word(result), result.ret) == ("GATE CLOSED", 1)


def test_a_teardown_after_a_run_is_the_run_s_test(outside: Outside, gated: Any) -> None:
    """What breaks after a run may be its doing: the gate judges it as a failure of that test."""
    outside.test("""
        @pytest.fixture
        def broken():
            yield
            assert 1 == 2

        @pytest.mark.wisebot("echo", {"n": 1})
        def test_it(broken, workflow_run):
            assert_ok(workflow_run)
    """)
    result = gated()
    assert (word(result), result.ret) == ("GATE OPEN", 0)
    assert (
        "  ok  pass rate              wanted at least 0%  measured 0% (0 of 1): test_it.py::test_it" in result.outlines
    )


@WITH_AND_WITHOUT_XDIST
def test_a_module_that_cannot_be_collected_keeps_pytest_s_code(outside: Outside, gated: Any) -> None:
    """Nobody knows what was in it."""
    outside.test(PASSES)
    outside.project.write("test_broken.py", "import nothing_of_this_name")
    result = gated()
    assert result.ret in (1, 2)  # xdist has a code of its own for it
    assert word(result) in ("NO VERDICT", "GATE CLOSED")
    why = "1 error of collection: test_broken.py: ModuleNotFoundError: No module named 'nothing_of_this_name'"
    assert why in result.stdout.str()
    assert "1 failure without a run" not in result.stdout.str()


@pytest.mark.parametrize(
    ("conftest", "args", "measured"),
    [
        ("", ("--wisebot-env=nowhere",), '4 (used wrongly): --wisebot-env: unknown environment "nowhere"'),
        ("", ("--wisebot-env=guarded",), '4 (used wrongly): environment "guarded" is protected: add --wisebot-allow-'),
        (
            "def pytest_runtest_protocol(item): raise RuntimeError('a hook\\nbroke')",
            ("--wisebot-env=outside",),
            "3 (an internal error): RuntimeError: a hook broke",
        ),
        (
            "def pytest_sessionfinish(session): session.exitstatus = 1",
            ("--wisebot-env=outside",),
            "another plugin set exit code 1 (conftest.py)",
        ),
    ],
    ids=["option", "protected", "internal error", "plugin"],
)
def test_no_verdict_has_its_reason(outside: Outside, conftest: str, args: tuple[str, ...], measured: str) -> None:
    """In the block, the summary, the page and the JSON, and without a list of the tests that never began."""
    toml = outside.project.path / "wisebot.toml"
    guarded = '[environments.guarded]\norigin = "http://127.0.0.1:1"\nprotected = true\n'
    toml.write_text(f"{toml.read_text('utf-8')}\n{guarded}", "utf-8")
    outside.project.write("conftest.py", conftest)
    outside.test(PASSES)
    result = outside.run("--wisebot-gate", "--wisebot-report=out", *args)
    out = outside.project.path / "out"
    assert f"measured {measured}" in result.stdout.str()
    rules = json.loads((out / "report.json").read_text("utf-8"))["verdict"]["rules"]
    assert any(measured in rule["measured"] for rule in rules)
    page = html.unescape((out / "report.html").read_text("utf-8"))
    assert measured in page.partition('class="because">')[2].partition("</p>")[0]
    summary = (out / "summary.md").read_text("utf-8").replace("\\", "").replace("@<!-- -->", "@")
    assert measured in summary
    assert "tests without a report | none | 1:" not in summary


def test_a_selection_of_nothing_is_why_there_is_no_verdict(outside: Outside) -> None:
    """The expression, and how many tests it leaves out."""
    outside.test(PASSES)
    toml = outside.project.path / "wisebot.toml"
    toml.write_text(f'{toml.read_text("utf-8")}\n[gate]\nselect = "-k nothing"\n', "utf-8")
    result = outside.run("--wisebot-env", "outside", "--wisebot-gate")
    assert word(result) == "NO VERDICT"
    assert "none: [gate] select (-k nothing) picks none of 1 collected test" in result.stdout.str()


@WITH_AND_WITHOUT_XDIST
def test_a_session_that_is_stopped_early_has_no_verdict(outside: Outside, gated: Any) -> None:
    """The tests that never ran may be the ones that fail."""
    outside.test(REFUSED, PASSES, FAILS)
    result = gated("-x", "-p", "no:randomly")
    # Under xdist pytest's own code is that of an interruption.
    assert (word(result), result.ret) == ("NO VERDICT", 2 if "xdist.dsession" in result.stdout.str() else 11)
    assert any(line.split()[2:6] == ["tests", "without", "a", "report"] for line in result.outlines)


def test_an_interrupted_session_has_no_verdict(outside: Outside) -> None:
    """Pytest's own code stays, and the block says why; the tests that had ended are in it."""
    outside.test(PASSES, """
        def test_interrupts(trigger_workflow):
            raise KeyboardInterrupt
    """)  # fmt: skip
    result = outside.project.run_apart("-p", "no:randomly", "--wisebot-env", "outside", "--wisebot-gate")
    assert (word(result), result.ret) == ("NO VERDICT", 2)
    assert any(line.startswith("NO VERDICT: 1 passed; 1 live run") for line in result.outlines)
    assert any("measured 2 (interrupted)" in line for line in result.outlines)


def test_the_header_says_what_the_gate_goes_by(outside: Outside, gated: Any) -> None:
    """Before the first run, so that nobody waits for a verdict by other rules."""
    outside.test(PASSES)
    assert "wisebot: the gate opens by [gate] in wisebot.toml" in gated().outlines
    toml = outside.project.path / "wisebot.toml"
    toml.write_text(toml.read_text("utf-8").partition("[gate]")[0], "utf-8")
    shown = "wisebot: the gate opens if every test passes: there is no [gate] in wisebot.toml"
    assert shown in gated().outlines


def test_a_code_of_somebody_s_own_stays(outside: Outside, gated: Any) -> None:
    """As ``pytest.exit`` gives it; there is no verdict then."""
    outside.project.write(
        "conftest.py",
        """
        import pytest

        @pytest.hookimpl(trylast=True)
        def pytest_sessionfinish(session):
            if not hasattr(session.config, "workerinput"):
                session.exitstatus = 77
    """,
    )
    outside.test(PASSES)
    result = gated()
    assert result.ret == 77
    assert word(result) in ("NO VERDICT", "")


@WITH_AND_WITHOUT_XDIST
def test_a_credential_in_what_was_written_shuts_the_gate(outside: Outside, gated: Any) -> None:
    """The last look comes after the verdict, and is heard."""
    folder = outside.project.path / "__snapshots__" / "test_it"
    outside.test(
        PASSES,
        """
        def test_leaks(trigger_workflow, workflow_snapshot):
            assert trigger_workflow("echo", {"n": 9}) == workflow_snapshot
    """,
    )
    outside.run("--snapshot-update")
    (snapshot,) = folder.glob("*.json")
    snapshot.write_text(snapshot.read_text("utf-8") + "\n" * 3 + "FAKE-secret-of-all\n", "utf-8")
    result = gated()
    assert result.ret == 1
    assert word(result) == "GATE CLOSED"


def test_without_a_gate_nothing_changes(outside: Outside) -> None:
    """Pytest's codes are pytest's."""
    outside.test(PASSES, FAILS)
    assert outside.run("--wisebot-report", "out").ret == 1


@pytest.mark.parametrize(
    ("select", "message"),
    [
        ("-m 'smoke and'", "[gate] select: -m smoke and: "),
        ("-k '('", "[gate] select: -k (: "),
        ("smoke", "wisebot.toml: gate.select: expected "),
    ],
)
def test_a_selection_that_is_none_is_told(outside: Outside, select: str, message: str) -> None:
    """Before any run, with the expression and what pytest makes of it."""
    outside.test(PASSES)
    toml = outside.project.path / "wisebot.toml"
    toml.write_text(f'{toml.read_text("utf-8")}\n[gate]\nselect = "{select}"\n', "utf-8")
    for workers in ((), ("-n", "2")) if select == "-k '('" else ((),):
        result = outside.run("--wisebot-env", "outside", "--wisebot-gate", *workers)
        assert result.ret == 4
        assert any(line.startswith(f"ERROR: {message}") for line in result.errlines)


def test_the_selection_is_what_a_gated_session_runs(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to repeat it on the command line; without a gate it does nothing."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    outside.test(PASSES, FAILS)
    toml = outside.project.path / "wisebot.toml"
    toml.write_text(f'{toml.read_text("utf-8")}\n[gate]\nselect = "-k passes"\n', "utf-8")
    for args in ((), ("-n", "2")):
        result = outside.run("--wisebot-env", "outside", "--wisebot-gate", *args)
        assert (word(result), result.ret) == ("GATE OPEN", 0)
        assert result.parseoutcomes()["passed"] == 1
    assert outside.run("--wisebot-env", "outside").parseoutcomes() == {"passed": 1, "failed": 1}


RENAMES = """
    import pytest

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(item, call):
        report = yield
        report.nodeid = f"a test with words: {item.name}"
        return report
"""


def test_reports_under_other_names_are_those_of_their_tests(outside: Outside) -> None:
    """As a ``conftest.py`` gives them for a page of its own: no test is without a report. xdist refuses it."""
    toml = outside.project.path / "wisebot.toml"
    toml.write_text(f"{toml.read_text('utf-8')}\n{FORGIVES}", "utf-8")
    outside.project.write("conftest.py", RENAMES)
    outside.test(PASSES, FAILS)
    result = outside.run("--wisebot-env=outside", "--wisebot-gate")
    assert result.ret == 0  # forgiven by number, and by its own name
    assert any("test_it.py::test_fails" in line for line in result.outlines if line.startswith("  ok "))
