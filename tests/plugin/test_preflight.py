"""Where each selected test needs a run, and none can be made, one message ends the session before the first test."""

from __future__ import annotations

import json
import textwrap

import pytest
from harness import Project

TOML = """
    default-environment = "staging"

    [environments.staging]
    origin = "http://127.0.0.1:9"
    base-url = "http://127.0.0.1:9"
    token = "env:FAKE_TOKEN"

    [environments.staging.workflows.triage]
    id = "k57"
    secret = "env:TRIAGE_FAKE_SECRET"

    [environments.staging.workflows.sort]
    id = "k58"
"""

MISSING = (
    "wisebot.toml: environments.staging.workflows.triage.secret: env:TRIAGE_FAKE_SECRET: "
    "the environment variable TRIAGE_FAKE_SECRET is not set"
)

DECLARED = """
    @pytest.mark.wisebot("triage", {"n": 1})
    @pytest.mark.parametrize("n", range(3))
    def test_declared(workflow_run, n):
        pass
"""

CALLED = """
    WORKFLOW = "triage"

    def test_called(trigger_workflow):
        print("before")
        run = trigger_workflow(WORKFLOW, {"n": 1})
        assert_ok(run)
        check(assert_result(run, {"category": "billing"}))

    def check(result):
        assert json.dumps(result)

    class TestGroup:
        @pytest.fixture
        def runs(self, trigger_workflow):
            with open(__file__):
                return trigger_workflow.map("triage", [{}, {}])

        def test_of_fixture(self, runs):
            pass

    async def test_awaits(trigger_workflow):
        run = await trigger_workflow.start(workflow="triage")

    @pytest.mark.skip(reason="later")
    def test_skipped():
        pass
"""


@pytest.fixture
def project(empty_project: Project) -> Project:
    """A project whose one secret and token are missing."""
    empty_project.write("wisebot.toml", TOML)
    return empty_project


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["one process", "xdist"])
def test_a_session_that_can_run_nothing_ends_before_its_first_test(project: Project, workers: tuple[str, ...]) -> None:
    """With exit code 4 and one message: each reason once, with a test that has it and the number of the others."""
    project.test(DECLARED + CALLED)
    project.test('@pytest.mark.wisebot("sotr")\ndef test_unknown(workflow_run): pass', "test_other.py")
    result = project.run(*workers)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in result.errlines if line] == [
        "ERROR: no test was started: all 7 tests need runs, and none can be made:",
        f"  test_it.py::test_declared[0] and 5 more tests: {MISSING}",
        '  test_other.py::test_unknown: unknown workflow "sotr" in environment "staging", did you mean "sort"? '
        'known: triage, sort (write "id:sotr" for an id that is not listed)',
    ]
    result.stdout.fnmatch_lines(
        ["wisebot:   secret of triage: env:TRIAGE_FAKE_SECRET, missing, *", "=* no tests ran *"]
    )
    result.stdout.no_fnmatch_line("*NOT RUN*")


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["one process", "xdist"])
def test_a_gated_session_that_can_run_nothing_has_no_verdict(project: Project, workers: tuple[str, ...]) -> None:
    """Its exit code is 4 as well, the block gives the reason, and so do the reports."""
    project.test(DECLARED)
    result = project.run("--wisebot-gate", "--wisebot-env=staging", "--wisebot-report=out", *workers)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(["=* NO VERDICT =*", "NO VERDICT: no test used a run; 0 live runs against staging*"])
    block = " ".join(" ".join(result.outlines).split())
    why = "no test was started: all 3 tests need runs, and none can be made: test_it.py::test_declared[0] and"
    assert f"measured 4 (used wrongly): {why} 2 more tests: {MISSING}" in block
    assert "all 3 tests: the session ended before the first one" in block
    report = json.loads((project.path / "out" / "report.json").read_text("utf-8"))
    assert report["verdict"]["word"] == "NO VERDICT"
    assert MISSING in (project.path / "out" / "report.html").read_text("utf-8").replace("<wbr>", "")


MAY_DO_WITHOUT = {
    "a test without a run": "def test_plain(): pass",
    "a run over the other API": """
        @pytest.mark.wisebot("triage", api="both")
        def test_both(workflow_run): pass
    """,
    "an error that is expected": """
        def test_refused(trigger_workflow):
            with pytest.raises(ConfigurationError):
                trigger_workflow("triage")
    """,
    "an error that a mark expects": """
        @pytest.mark.xfail(raises=ConfigurationError)
        @pytest.mark.wisebot("triage")
        def test_marked(workflow_run): pass
    """,
    "a test that skips itself": """
        def needs_secret():
            if "TRIAGE_FAKE_SECRET" not in os.environ:
                pytest.skip("no secret")

        def test_skips(trigger_workflow):
            needs_secret()
            trigger_workflow("triage")
    """,
    "a fixture that skips": """
        @pytest.fixture(autouse=True)
        def secret():
            pytest.skip("no secret")

        @pytest.mark.wisebot("triage")
        def test_declares(workflow_run): pass
    """,
    "a setup that skips": """
        class TestOne:
            def setup_method(self):
                pytest.skip("no secret")

            @pytest.mark.wisebot("triage")
            def test_declares(self, workflow_run): pass
    """,
    "a call that may not be made": """
        def test_maybe(trigger_workflow):
            if "TRIAGE_FAKE_SECRET" in os.environ:
                trigger_workflow("triage")
    """,
    "a call after a way out": """
        def test_leaves(trigger_workflow):
            if "TRIAGE_FAKE_SECRET" not in os.environ:
                return
            trigger_workflow("triage")
    """,
    "a call with a secret of its own": """
        def test_own(trigger_workflow):
            trigger_workflow("triage", secret="FAKE-secret-of-triage")
    """,
    "a name that the code computes": """
        def test_computed(trigger_workflow):
            trigger_workflow("tri" + "age")
    """,
    "a fixture of this name in the project": """
        @pytest.fixture
        def workflow_run(): return 1

        @pytest.mark.wisebot
        def test_own_fixture(workflow_run): pass
    """,
}


@pytest.mark.parametrize("other", MAY_DO_WITHOUT.values(), ids=MAY_DO_WITHOUT)
def test_one_test_that_may_do_without_is_enough(project: Project, monkeypatch: pytest.MonkeyPatch, other: str) -> None:
    """All tests go on as ever: each of the others has its own report."""
    monkeypatch.setenv("FAKE_TOKEN", "FAKE-token-of-staging")
    project.test(DECLARED)
    project.write("test_more.py", f"import os, pytest\nfrom pytest_wisebot import *\n{textwrap.dedent(other)}")
    result = project.run("--wisebot-retries=0")
    assert result.ret in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    assert len([line for line in result.outlines if line.startswith("NOT RUN test_it.py")]) == 3
    assert not [line for line in result.errlines if "no test was started" in line]


def test_a_hook_of_the_project_that_skips_is_enough_too(project: Project) -> None:
    """Such as one that skips all tests on a machine without the secret."""
    project.write("conftest.py", "import pytest\ndef pytest_runtest_setup(item): pytest.skip('no secret')\n")
    project.test(DECLARED)
    project.run().assert_outcomes(skipped=3)


@pytest.mark.parametrize(
    "args",
    [
        ["--collect-only"],
        ["--setup-plan"],
        ["--wisebot-plan"],
        ["--wisebot-runs=replay"],
        ["--deselect=test_it.py::test_declared"],
    ],
    ids=str,
)
def test_what_starts_no_run_does_not_end_for_a_missing_one(project: Project, args: list[str]) -> None:
    """Tests are listed, planned, replayed, or not selected at all: the message would be about nothing."""
    project.test(DECLARED)
    assert project.run(*args).ret != pytest.ExitCode.USAGE_ERROR


def test_an_emulator_that_does_not_start_ends_the_session(project: Project) -> None:
    """Its error stands once, and no test waits for it again."""
    project.write("wisebot.toml", '[environments.local]\nemulator = "nowhere:emulator"\n')
    project.test(DECLARED)
    result = project.run("--wisebot-env=local")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert sum("nowhere" in line for line in result.errlines) <= 2
    result.stderr.fnmatch_lines(["  test_it.py::test_declared?0? and 2 more tests: the emulator nowhere:emulator *"])


def test_a_broken_collection_is_what_ends_the_session(project: Project) -> None:
    """A module that does not import may hold the test that needs no run."""
    project.test(DECLARED)
    project.write("test_broken.py", "import no_such_module\n")
    assert project.run().ret == pytest.ExitCode.INTERRUPTED


def test_trials_without_a_run_end_the_session_too(project: Project) -> None:
    """A test with trials needs its runs as any other does."""
    project.test("""
        @pytest.mark.wisebot("triage", trials=3)
        def test_trials(workflow_run):
            pass
    """)
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines[0] == "ERROR: no test was started: the only test needs a run, and it cannot be made:"
