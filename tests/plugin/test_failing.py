"""What a failing test shows of its runs."""

from __future__ import annotations

import re

import pytest
from harness import Outside, Project


def section(result: pytest.RunResult) -> list[str]:
    """The lines of the section "wisebot runs", with what differs between sessions told by a name."""
    lines = result.outlines
    start = next(index for index, line in enumerate(lines) if re.fullmatch(r"-+ wisebot runs -+", line))
    end = next(index for index in range(start + 1, len(lines)) if re.match(r"[=_-]{5}", lines[index]))
    text = "\n".join(lines[start + 1 : end])
    told = {"RUN": r"run_[0-9a-f]{24}", "HOST": r"127\.0\.0\.1:\d+", "SECONDS": r"\d+\.\d\d s"}
    told["TRACE"] = r"00-[0-9a-f]{32}-[0-9a-f]{16}-01"
    for name, pattern in told.items():
        text = re.sub(pattern, name, text)
    return text.split("\n")


def test_the_section_has_all_that_is_known_of_each_run(project: Project) -> None:
    """Workflow, API, environment, runId, seconds, inputs, response, and the command that repeats the run."""
    project.test("""
        def test_it(trigger_workflow):
            trigger_workflow("triage", {"ticketId": "it's $5", "message": "charged\\ntwice"})
            run = trigger_workflow("refund", api="dashboard")
            assert run.ok
    """)
    result = project.run()
    result.stdout.fnmatch_lines(
        [
            "E       assert False",
            'E        +  where False = <WorkflowRun refund (dashboard, run_*, * s) failed: "unknown ticket">.ok',
        ]
    )
    assert section(result) == [
        "triage over the webhook API, environment local: ok (emulator)",
        "  runId:    RUN (SECONDS, status 200)",
        "  trace:    TRACE",
        '  inputs:   {"ticketId": "it\'s $5", "message": "charged\\ntwice"}',
        '  result:   {"ticketId": "it\'s $5", "category": "billing"}',
        "  repeat:   python -m pytest test_it.py::test_it",
        "  repeat:   python -m pytest_wisebot.emulator flows:emulator  # serves its workflows by hand",
        "",
        "refund over the dashboard API, environment local: failed (emulator)",
        "  runId:    RUN (SECONDS, status 200)",
        "  trace:    TRACE",
        "  inputs:   {}",
        '  error:    "unknown ticket"',
        "  repeat:   python -m pytest test_it.py::test_it",
        "  repeat:   python -m pytest_wisebot.emulator flows:emulator  # serves its workflows by hand",
    ]


def test_the_command_names_the_credential_by_its_reference(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the settings name by ``env:`` or ``file:`` is named so in the command, and never shown."""
    monkeypatch.setenv("ECHO_SECRET", "FAKE-secret-of-all")
    project = outside.project
    secret = project.write("my secret.txt", "FAKE-secret-of-all\n")
    project.write(
        "wisebot.toml",
        f"""
        default-environment = "local"
        [environments.local]
        origin = "{outside.handle.origin}"
        secret-header = "x-workflow-secret"
        [environments.local.workflows.sort]
        id = "echo"
        secret = "env:ECHO_SECRET"
        [environments.local.workflows.repeat]
        id = "echo"
        secret = "file:my secret.txt"
        """,
    )
    project.test("""
        def test_it(trigger_workflow):
            assert trigger_workflow("sort").ok and trigger_workflow("repeat").ok
            assert False
    """)
    commands = [line for line in section(project.run()) if "curl" in line]
    assert commands == [
        "  repeat:   curl -sS -X POST 'http://HOST/workflows/trigger?workflowId=echo' "
        '-H "X-Workflow-Secret: $ECHO_SECRET"',
        "  repeat:   curl -sS -X POST 'http://HOST/workflows/trigger?workflowId=echo' "
        f"-H \"X-Workflow-Secret: $(cat '{secret}')\"",
    ]


def test_a_run_without_a_verdict_shows_what_was_answered(project: Project) -> None:
    """An infrastructure error's section has host, attempts and answer; no frame of this package is in the traceback."""
    project.test("""
        from pytest_wisebot.emulator import Fault

        def test_it(trigger_workflow, wisebot_emulator):
            wisebot_emulator.fail_next(Fault.html(502))
            trigger_workflow("echo", {"a": 1})
    """)
    result = project.run("--tb=long")
    page = (
        "<!doctype html> <html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
    )
    result.stdout.fnmatch_lines(
        [
            ">       trigger_workflow(*",
            "E       pytest_wisebot.errors.GatewayFailed: a gateway or the server failed "
            '(workflow "echo" over the webhook API at http://127.0.0.1:*)',
            f"E         answer: status 502 (text/html; charset=utf-8): {page}",
            "E         The workflow may have run; it was not started again.",
            "",
            "test_it.py:8: GatewayFailed",
        ]
    )
    assert section(result)[:5] == [
        "echo over the webhook API, environment local: no verdict, GatewayFailed",
        "  host:     http://HOST (attempts: 1)",
        "  trace:    TRACE",
        f"  response: status 502 (text/html; charset=utf-8): {page}",
        '  inputs:   {"a": 1}',
    ]
    assert "pytest_wisebot/" not in result.stdout.str()


def test_long_values_are_cut_until_one_asks_for_them(project: Project) -> None:
    """A long result is cut in the middle; ``-vv`` shows it whole."""
    project.test("""
        def test_it(trigger_workflow):
            trigger_workflow("echo", {"text": "a" * 5000})
            assert False
    """)
    assert "a" * 5000 not in project.run("--tb=no", "-rN").stdout.str()
    assert max(len(line) for line in section(project.run()) if "result:" in line) < 3100
    assert "a" * 5000 in project.run("-vv").stdout.str()


def test_a_passing_test_shows_nothing(project: Project) -> None:
    """No section, no line for what went well."""
    project.test("def test_it(trigger_workflow): assert trigger_workflow('echo').ok")
    assert "wisebot runs" not in project.run("-rA").stdout.str()


def test_a_run_in_a_fixture_is_in_the_section_of_its_tests_error(project: Project) -> None:
    """A fixture that fails after its run shows the run."""
    project.test("""
        @pytest.fixture
        def order(trigger_workflow):
            run = trigger_workflow("refund")
            assert_ok(run)

        def test_it(order):
            pass
    """)
    result = project.run()
    result.assert_outcomes(errors=1)
    assert section(result)[0] == "refund over the webhook API, environment local: failed (emulator)"


def test_the_runs_that_failed_come_first_and_the_rest_is_counted(project: Project) -> None:
    """Of many runs the section shows five in full, those that failed first; ``-vv`` shows all."""
    project.write(
        "flows.py",
        """
        from pytest_wisebot.emulator import Emulator, WorkflowFailure
        emulator = Emulator()

        @emulator.workflow("picky")
        def picky(inputs):
            if inputs["n"] == 7:
                raise WorkflowFailure("not seven")
            return inputs["n"]
        """,
    )
    project.test("""
        def test_it(trigger_workflow):
            assert all(run.ok for run in trigger_workflow.map("picky", [{"n": n} for n in range(12)]))
    """)
    shown = section(project.run())
    heads = [line for line in shown if line.startswith("picky")]
    assert heads == [
        f"picky over the webhook API, environment local: {end} (emulator)" for end in ["failed", *["ok"] * 4]
    ]
    assert shown[-1] == "and 7 more runs (7 succeeded), shown by -vv"
    assert len([line for line in section(project.run("-vv")) if line.startswith("picky")]) == 12


def test_what_an_emulated_workflow_raised_is_shown(project: Project) -> None:
    """The answer has a neutral error, as Wisebot's has; the traceback is in the section of the test that met it."""
    project.write(
        "flows.py",
        """
        from pytest_wisebot.emulator import Emulator
        emulator = Emulator()

        @emulator.workflow("broken")
        def broken(inputs):
            return {}["nope"]
        """,
    )
    project.test("""
        def test_it(trigger_workflow):
            first = trigger_workflow("broken")
            assert first.error == "The workflow failed with an internal error."
            assert_ok(first)
    """)
    shown = section(project.run())
    assert "  emulator: workflow 'broken', RUN:" in shown
    assert '                return {}["nope"]' in shown
    assert "            KeyError: 'nope'" in shown


def test_a_mistake_of_the_users_is_no_expected_failure(project: Project) -> None:
    """A missing credential does not turn a suite with a known bug green."""
    project.test("""
        @pytest.mark.xfail
        def test_it(trigger_workflow):
            trigger_workflow("echo", secret="env:NOT_SET")
    """)
    result = project.run()
    assert result.parseoutcomes() == {"not": 1}
    assert "wisebot runs" not in result.stdout.str()


@pytest.mark.parametrize(
    ("mark", "outcomes"),
    [
        ("pytest.mark.xfail", {"infrastructure": 1, "xfailed": 1}),
        ("pytest.mark.xfail(raises=AssertionError)", {"infrastructure": 1, "xfailed": 1}),
        ("pytest.mark.xfail(raises=(InfrastructureError, AssertionError))", {"xfailed": 2}),
    ],
)
def test_an_outage_is_no_expected_failure(project: Project, mark: str, outcomes: dict[str, int]) -> None:
    """``xfail`` absorbs a wrong workflow, and that Wisebot was not reachable only when ``raises`` names it."""
    project.test(f"""
        from pytest_wisebot.emulator import Fault

        @{mark}
        def test_outage(trigger_workflow, wisebot_emulator):
            wisebot_emulator.fail_next(Fault.html(502))
            trigger_workflow("echo")

        @{mark}
        def test_wrong(trigger_workflow):
            assert_ok(trigger_workflow("refund"))
    """)
    assert project.run().parseoutcomes() == outcomes


def test_an_error_of_a_declared_run_is_shown_alone(project: Project) -> None:
    """None of the frames between the test and the error is worth a line, nor is pytest's note that it hides them."""
    project.test("""
        from pytest_wisebot.emulator import Fault

        @pytest.mark.wisebot("echo", timeout=2)
        def test_declared(workflow_run, wisebot_emulator):
            pass

        @pytest.fixture(autouse=True)
        def down(wisebot_emulator):
            wisebot_emulator.fail_next(Fault.status(502))
    """)
    result = project.run()
    assert result.parseoutcomes() == {"infrastructure": 1}
    result.stdout.fnmatch_lines(["_* test_declared at setup _*", "E   pytest_wisebot.errors.GatewayFailed: *"])
    result.stdout.no_fnmatch_line("*entries are hidden*")
    result.stdout.no_fnmatch_line("*.py:*: GatewayFailed*")
