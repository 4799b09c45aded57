"""A test in quarantine: its session, its gate, and every report of it."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("wide_terminal")

SUITE = """
    @pytest.mark.wisebot("refund", {{"n": 1}}{quarantine})
    def test_broken(workflow_run):
        assert_ok(workflow_run)

    @pytest.mark.wisebot("echo", {{"n": 2}})
    def test_fine(workflow_run):
        assert_ok(workflow_run)
"""
BROKEN = "test_it.py::test_broken"


def day(days: int) -> date:
    """A day, counted from today."""
    return datetime.now(UTC).date() + timedelta(days=days)


def by_marker(days: int, reason: str = "the model guesses") -> str:
    """A marker's argument: a quarantine whose last day is in so many days."""
    return f', quarantine="ann until {day(days)}: {reason}"'


@pytest.fixture
def project(project: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A project with a gate that an emulator may open, and forgives one failure in quarantine."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    text = (project.path / "wisebot.toml").read_text("utf-8")
    project.write("wisebot.toml", f"{text}\n[gate]\nallow-emulator = true\nmax-quarantined = 1\n")
    return project


def append(project: Any, *lines: str) -> None:
    """Adds lines to wisebot.toml."""
    path = project.path / "wisebot.toml"
    path.write_text("\n".join([path.read_text("utf-8"), *lines, ""]), "utf-8")


def gated(project: Any, *args: str) -> Any:
    """A session with a gate and all its reports."""
    options = ("--wisebot-gate", "--wisebot-env=local", "--wisebot-report=out", "--junitxml=junit.xml")
    return project.run(*options, "-p", "no:randomly", *args)


def report(project: Any) -> Any:
    """The report for programs."""
    return json.loads((project.path / "out/report.json").read_text("utf-8"))


def rules(project: Any) -> dict[str, str]:
    """The gate's rules about quarantine in the report for programs: what each measured."""
    found = {rule["rule"]: rule["measured"] for rule in report(project)["verdict"]["rules"]}
    return {rule: measured for rule, measured in found.items() if "quarantine" in rule}


def files(project: Any) -> str:
    """The summary and the page."""
    return "\n".join((project.path / "out" / name).read_text("utf-8") for name in ("summary.md", "report.html"))


@pytest.mark.parametrize("args", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_on_its_last_day(project: Any, args: tuple[str, ...]) -> None:
    """The test runs and fails, the gate is open, and block, page, summary, JSON and JUnit XML show why."""
    project.test(SUITE.format(quarantine=by_marker(0)))
    result = gated(project, *args)
    assert result.ret == 0
    ends = f"1 on {day(0)}: {BROKEN}"
    assert rules(project) == {"quarantined failures": f"1: {BROKEN}", "quarantine ends today": ends}
    shown = f"ann until {day(0)}: the model guesses"
    result.stdout.fnmatch_lines(
        [
            f"  {BROKEN}: failed; {shown} (ends today)",
            f"FAILED (quarantined) {BROKEN} - *",
            "GATE OPEN: 1 passed, 1 failed (1 of them in quarantine); *",
            f"  ok *quarantined failures *wanted at most 1 (max-quarantined) *measured 1: {BROKEN}",
            f"  not judged *quarantine ends today *measured {ends}",
        ]
    )
    (test,) = (one for one in report(project)["tests"] if one["id"] == BROKEN)
    assert (test["outcome"], test["quarantine"]["in_force"], test["quarantine"]["owner"]) == ("failed", True, "ann")
    assert f'name="wisebot_quarantine" value="{shown}"' in (project.path / "junit.xml").read_text("utf-8")
    text = files(project)
    assert f"in quarantine, {shown}" in text
    assert "<dt>In quarantine</dt><dd>1 test</dd>" in text
    assert "**1 passed, 1 failed (1 of them in quarantine)**" in text
    assert f"| `{BROKEN}` | failed | ann | {day(0)} (ends today) | the model guesses |" in text


@pytest.mark.parametrize("args", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_on_the_day_after(project: Any, args: tuple[str, ...]) -> None:
    """The gate is closed by the pass rate, and every report tells that the quarantine has ended."""
    project.test(SUITE.format(quarantine=by_marker(-1)))
    result = gated(project, *args)
    assert result.ret == 1
    assert rules(project) == {"quarantined failures": "0", "quarantine ended": f"1: {BROKEN}"}
    result.stdout.fnmatch_lines(
        [
            f"  {BROKEN}: failed; ann until {day(-1)}: the model guesses (ended on {day(-1)})",
            f"FAILED {BROKEN} - *",
            f"  closed *pass rate *measured 50% (1 of 2): {BROKEN}",
            f"  not judged *quarantine ended *measured 1: {BROKEN}",
        ]
    )
    assert f"quarantine ended, ann until {day(-1)}" in files(project)
    assert [one["quarantine"]["in_force"] for one in report(project)["tests"] if one["quarantine"]] == [False]


def test_with_nothing_failing(project: Any) -> None:
    """The gate is open, and every report tells that the quarantine may be lifted."""
    append(project, "[quarantine]", f'"test_it.py::test_fine" = "team b until {day(30)}: slow"')
    project.test(SUITE.format(quarantine="").replace('"refund"', '"echo"'))
    result = gated(project, "-v", "--wisebot-max-quarantined=0")
    assert result.ret == 0
    assert rules(project) == {"quarantined failures": "0", "quarantined and passed": "1: test_it.py::test_fine"}
    result.stdout.fnmatch_lines(
        [
            "test_it.py::test_fine PASSED (quarantined) *",
            f"  test_it.py::test_fine: passed, may be lifted; team b until {day(30)}: slow",
            "  ok *pass rate *measured 100% (1 of 1)",
        ]
    )
    assert f"| `test_it.py::test_fine` | passed | team b | {day(30)} | slow |" in files(project)


@pytest.mark.parametrize("how", ["toml", "option", "default"])
def test_over_the_limit(project: Any, how: str) -> None:
    """One failure more than `max-quarantined` closes the gate by that rule, which names the tests."""
    if how == "default":
        project.edit("wisebot.toml", "max-quarantined = 1\n", "")
    if how == "toml":
        project.edit("wisebot.toml", "max-quarantined = 1", "max-quarantined = 0")
    project.test(SUITE.format(quarantine=by_marker(30)))
    result = gated(project, *(["--wisebot-max-quarantined=0"] if how == "option" else []))
    assert result.ret == 1
    (closed,) = (one for one in report(project)["verdict"]["rules"] if one["state"] == "closed")
    assert (closed["rule"], closed["measured"]) == ("quarantined failures", f"1: {BROKEN}")
    result.stdout.fnmatch_lines([f"  closed *quarantined failures *at most 0 (max-quarantined) *measured 1: {BROKEN}"])
    assert "❌ closed | quarantined failures" in files(project)


def test_in_shards(project: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each shard's log carries the quarantine: the union is judged as one session would be."""
    from pytest_wisebot.cli.main import main

    project.test(SUITE.format(quarantine=by_marker(3)))
    monkeypatch.chdir(project.path)
    for group in ("1", "2"):
        split = ("-p", "pytest-split", "--splits=2", f"--group={group}")
        project.run("--wisebot-env=local", f"--wisebot-report=s{group}", *split)
    capsys.readouterr()
    assert main(["merge", "s1", "s2", "-o", "out"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"ok quarantined failures wanted at most 1 (max-quarantined) measured 1: {BROKEN} not judged" in shown
    assert list(rules(project)) == ["quarantined failures", "quarantine ends in 3 days"]
    assert f"| `{BROKEN}` | failed | ann | {day(3)} (ends in 3 days) |" in files(project)


def test_in_a_row(project: Any) -> None:
    """The mark on one parameter is about that parameter alone."""
    project.test(
        f"""
        @pytest.mark.wisebot("refund")
        @pytest.mark.parametrize("inputs", [
            pytest.param({{"n": 1}}, id="one", marks=pytest.mark.wisebot("refund"{by_marker(30)})),
            pytest.param({{"n": 2}}, id="two"),
        ])
        def test_rows(workflow_run, inputs):
            assert_ok(workflow_run)
        """
    )
    assert gated(project).ret == 1
    found = {rule["rule"]: rule["measured"] for rule in report(project)["verdict"]["rules"]}
    assert found["pass rate"] == "0% (0 of 1): test_it.py::test_rows[two]"
    assert found["quarantined failures"] == "1: test_it.py::test_rows[one]"


@pytest.mark.parametrize("name", ["test_rows", "test_rows[one]"])
def test_in_wisebot_toml(project: Any, name: str) -> None:
    """A name without brackets is that of all parameters of a test; one with brackets is that of one."""
    append(project, "[quarantine]", f'"test_it.py::{name}" = "ann until {day(30)}: why"')
    project.test(
        """
        @pytest.mark.wisebot("refund")
        @pytest.mark.parametrize("inputs", [{"n": 1}, {"n": 2}], ids=["one", "two"])
        def test_rows(workflow_run, inputs):
            assert_ok(workflow_run)

        @pytest.mark.wisebot("echo", {"n": 2})
        def test_fine(workflow_run):
            assert_ok(workflow_run)
        """
    )
    assert gated(project, "--wisebot-max-quarantined=2").ret == ("[" in name)
    names = ["test_it.py::test_rows[one]", "test_it.py::test_rows[two]"][: 1 if "[" in name else 2]
    assert rules(project)["quarantined failures"] == f"{len(names)}: {', '.join(names)}"


@pytest.mark.parametrize("args", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_a_name_that_matches_no_test_is_an_error_of_a_whole_session(project: Any, args: tuple[str, ...]) -> None:
    """It names the key, and the test that may be meant; a session of one file, or of some tests, is not concerned."""
    append(project, "[quarantine]", f'"test_it.py::test_brken" = "ann until {day(30)}: why"')
    project.test(SUITE.format(quarantine=""))
    result = gated(project, *args)
    assert result.ret == 4
    told = f'wisebot.toml: quarantine."test_it.py::test_brken": there is no such test, did you mean "{BROKEN}"?'
    assert f"ERROR: {told}" in result.errlines
    assert "passed" not in result.parseoutcomes()
    narrowed = [["test_it.py"], ["-k", "fine"], [BROKEN], ["--deselect", BROKEN]]
    for narrow in narrowed[: 2 if args else 4]:  # what the controller has in its arguments, and what workers leave out
        result = project.run(*args, *narrow)
        assert "there is no such test" not in result.stdout.str() + result.stderr.str()


def test_a_wrong_name_that_one_worker_alone_finds_fails_the_session(project: Any) -> None:
    """Whichever worker the controller hears first: tests may run, and the session still fails, and names it."""
    project.write("conftest.py", """
        import pytest

        @pytest.hookimpl(trylast=True)  # the controller has been told that nothing is wrong
        def pytest_collection_finish(session):
            from pytest_wisebot.plugin.session_state import state_of

            if hasattr(session.config, "workerinput"):
                state_of(session.config).collection_problems.append("a name is wrong here")
    """)  # fmt: skip
    project.test("""
        def test_fine(trigger_workflow):
            assert trigger_workflow("echo", {"n": 1}).ok
    """)
    result = project.run("-n", "1")
    assert result.ret == 1
    assert "a name is wrong here" in result.outlines


def test_a_test_has_one_quarantine(project: Any) -> None:
    """In its marker or in wisebot.toml: two may differ."""
    append(project, "[quarantine]", f'"{BROKEN}" = "ben until {day(9)}: why"')
    project.test(SUITE.format(quarantine=by_marker(30)))
    result = project.run()
    assert result.ret == 4
    result.stderr.fnmatch_lines(
        [f'*wisebot.toml: quarantine."{BROKEN}": the test\'s marker has a quarantine, too: leave one of the two']
    )


@pytest.mark.parametrize("quarantine", ['"until 2026-12-31: why"', "3"])
def test_a_wrong_quarantine_in_a_marker_is_an_error_of_the_collection(project: Any, quarantine: str) -> None:
    """With the test's name and what is wrong, also where the marker stands on a class."""
    text = f"""
        @pytest.mark.wisebot(quarantine={quarantine})
        class TestIt:
            @pytest.mark.wisebot("echo", {{}})
            def test_it(self, workflow_run):
                assert_ok(workflow_run)
    """
    project.test(text)
    result = project.run()
    assert result.ret == 2
    wrong = 'the wisebot marker: quarantine: expected "OWNER until YYYY-MM-DD: REASON", got '
    assert f"test_it.py::TestIt::test_it: {wrong}" in result.stdout.str()


def test_a_marker_on_a_class_quarantines_all_of_it(project: Any) -> None:
    """Also tests whose own marker names the workflow."""
    project.test(
        f"""
        @pytest.mark.wisebot({by_marker(30)[2:]})
        class TestIt:
            @pytest.mark.wisebot("refund", {{}})
            def test_broken(self, workflow_run):
                assert_ok(workflow_run)

            def test_called(self, trigger_workflow):
                assert_ok(trigger_workflow("refund"))

        @pytest.mark.wisebot("echo", {{"n": 2}})
        def test_fine(workflow_run):
            assert_ok(workflow_run)
        """
    )
    assert gated(project, "--wisebot-max-quarantined=2").ret == 0
    assert rules(project)["quarantined failures"].startswith("2: ")


NEVER = {
    "not run": ('    trigger_workflow("echo", secret="env:NO_SUCH_VARIABLE")', 11),
    "infrastructure": ('    trigger_workflow("endless", timeout=0.2)', 10),
    "error in a fixture's end": ('    assert_ok(trigger_workflow("echo"))', 1),
    "failure beside an error": ('    assert_ok(trigger_workflow("refund"))', 1),
    "failure without a run": ("    assert not trigger_workflow", 1),
}


@pytest.mark.parametrize("how", NEVER)
def test_what_is_never_forgiven(project: Any, how: str) -> None:
    """An outage, a test that was not run, an error of the test itself; a row of the gate tells so."""
    body, code = NEVER[how]
    breaks = "raise KeyError(1)" if how in ("error in a fixture's end", "failure beside an error") else "pass"
    project.test(
        f"""
        @pytest.fixture
        def around():
            yield
            {breaks}

        @pytest.mark.wisebot({by_marker(30)[2:]})
        def test_broken(trigger_workflow, around):
        {body.strip()}

        @pytest.mark.wisebot("echo", {{}})
        def test_fine(workflow_run):
            assert_ok(workflow_run)
        """.replace(f"        {body.strip()}", f"            {body.strip()}")
    )
    result = gated(project, "--wisebot-max-quarantined=9")
    assert result.ret == code, result.stdout.str()
    assert BROKEN in rules(project)["not forgiven by quarantine"]


@pytest.mark.parametrize(
    ("body", "code"),
    [("undefined_name", 1), ("pytest.fail('wrong')", 0), ("assert workflow_run.result == 2", 0), ("1 / 0", 1)],
)
def test_an_error_of_the_test_itself_is_never_forgiven(project: Any, body: str, code: int) -> None:
    """A failed assertion is a judgement of the workflow; any other exception of the test is none."""
    project.test(f"""
        @pytest.mark.wisebot("echo", {{"n": 1}}{by_marker(3)})
        def test_broken(workflow_run):
            {body}

        @pytest.mark.wisebot("echo", {{"n": 2}})
        def test_fine(workflow_run):
            assert_ok(workflow_run)
    """)
    assert gated(project).ret == code


def test_a_failed_run_behind_an_exception_is_forgiven(project: Any) -> None:
    """A test that reads the result of a failed run ends in a TypeError, and the workflow is the cause."""
    project.test(
        SUITE.format(quarantine=by_marker(3)).replace("assert_ok(workflow_run)", 'workflow_run.result["n"]', 1)
    )
    assert gated(project).ret == 0


def test_no_credential_leaves_by_a_name_in_quarantine(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message about a test that does not exist masks it."""
    monkeypatch.setenv("CANARY", "CANARY-token-of-the-project")
    append(project, "[environments.other]", 'origin = "https://other.example"', 'token = "env:CANARY"')
    append(project, "[quarantine]", '"test_it.py::test_CANARY-token-of-the-project" = "ann until 2099-12-31: x"')
    project.test(SUITE.format(quarantine=""))
    result = project.run("--wisebot-env=other", "-p", "no:randomly")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "there is no such test" in result.stderr.str()
    assert "CANARY-token" not in result.stdout.str() + result.stderr.str()


def test_a_crash_is_never_forgiven(project: Any) -> None:
    """The process of a test in quarantine dies: no verdict."""
    project.test(
        SUITE.format(quarantine=by_marker(30)).replace("assert_ok(workflow_run)", "__import__('os')._exit(9)", 1)
    )
    assert gated(project, "-n", "2").ret == 11


@pytest.mark.parametrize(("fails_in", "code"), [("call", 0), ("teardown", 1)])
def test_trials(project: Any, fails_in: str, code: int) -> None:
    """A test with too few trials that pass is forgiven, unless the fixtures of a trial broke."""
    project.test(
        f"""
        @pytest.fixture
        def around():
            yield
            assert {fails_in == "call"}

        @pytest.mark.wisebot("echo", {{}}, trials=3, min_passes=2{by_marker(30)})
        def test_broken(workflow_run, around):
            assert {fails_in == "teardown"}

        @pytest.mark.wisebot("echo", {{}})
        def test_fine(workflow_run):
            assert_ok(workflow_run)
        """
    )
    result = gated(project)
    assert result.ret == code, result.stdout.str()
    assert rules(project)["quarantined failures"] == ("0" if code else f"1: {BROKEN}")


def test_a_session_without_a_gate_keeps_pytests_exit_code(project: Any) -> None:
    """A quarantine is a matter of the gate: the test fails, and shows that it is in quarantine."""
    project.test(SUITE.format(quarantine=by_marker(30)))
    result = project.run("-v", "-p", "no:randomly")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [f"{BROKEN} FAILED (quarantined) *", "test_it.py::test_fine PASSED *", "*1 failed, 1 p*"]
    )
    letters = project.run("-p", "no:randomly")
    letters.stdout.fnmatch_lines(["test_it.py q. *"])


def test_the_clock_of_a_test_moves_no_end(project: Any) -> None:
    """A test that lives in another year by time-machine is judged by the day of the session."""
    project.test(
        SUITE.format(quarantine=by_marker(0)).replace(
            "assert_ok(workflow_run)",
            "import time_machine\n        with time_machine.travel(0):\n            assert_ok(workflow_run)",
            1,
        )
    )
    assert gated(project).ret == 0


def test_no_credential_leaves_by_a_quarantine(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A credential in a reason is masked in the block and in every file."""
    monkeypatch.setenv("CANARY_SECRET", "CANARY-8d1f0c2a77")
    project.edit(
        "wisebot.toml", 'emulator = "flows:emulator"', 'emulator = "flows:emulator"\ntoken = "env:CANARY_SECRET"'
    )
    project.test(SUITE.format(quarantine=by_marker(30, "uses CANARY-8d1f0c2a77")))
    result = gated(project, "--tb=no")
    assert "ann until" in result.stdout.str()
    assert "CANARY-8d1f0c2a77" not in result.stdout.str()
    written = [*(project.path / "out").iterdir(), project.path / "junit.xml"]
    assert all("CANARY-8d1f0c2a77" not in path.read_text("utf-8") for path in written)
    assert "uses &lt;secret&gt;" in (project.path / "out/report.html").read_text("utf-8")


def test_a_hook_changes_no_quarantine(project: Any) -> None:
    """It is told so: tests are looked up before the hook runs."""
    project.write(
        "conftest.py",
        """
        def pytest_wisebot_settings(config, settings):
            return settings.replace(quarantine={"test_it.py::test_broken": "ann until 2099-12-31: why"})
        """,
    )
    project.test(SUITE.format(quarantine=""))
    told = "the pytest_wisebot_settings hook: quarantine: is read from wisebot.toml, and from markers, alone"
    assert told in project.run().stderr.str()


def test_rebuilt_reports_judge_by_the_day_of_the_session(project: Any) -> None:
    """Reports that are made later give the verdict of the session."""
    from pytest_wisebot.report.__main__ import main

    project.test(SUITE.format(quarantine=by_marker(0)))
    assert gated(project).ret == 0
    log = project.path / "out/runs.jsonl"
    long_ago = log.read_text("utf-8").replace(str(day(0)), "2020-02-29")
    log.write_text(long_ago, "utf-8")
    assert main([str(project.path / "out")]) == 0
