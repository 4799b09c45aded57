"""What a failing test shows of its runs."""

from __future__ import annotations

import re
import shlex
import xml.etree.ElementTree as ET

import pytest
from harness import Outside, Project

from pytest_wisebot.text import without_colours


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
        "  serve:    python -m pytest_wisebot emulator flows:emulator  # serves its workflows by hand",
        "",
        "refund over the dashboard API, environment local: failed (emulator)",
        "  runId:    RUN (SECONDS, status 200)",
        "  trace:    TRACE",
        "  inputs:   {}",
        '  error:    "unknown ticket"',
        "  repeat:   python -m pytest test_it.py::test_it",
        "  serve:    python -m pytest_wisebot emulator flows:emulator  # serves its workflows by hand",
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


# --- once, and legible ------------------------------------------------------------------------------------------------

ROWS = """
    from pydantic import BaseModel

    class Row(BaseModel):
        n: str

    class Table(BaseModel):
        rows: list[Row]

    ROWS = [{"n": n, "text": f"line {n} of größe"} for n in range(30)]

    def test_differs(trigger_workflow):
        run = trigger_workflow("echo", {"category": "billing", "rows": ROWS})
        assert_result(run, {"category": "other", "rows": ROWS})

    def test_model(trigger_workflow):
        assert_result(trigger_workflow("echo", {"rows": ROWS}), Table)

    def test_fails(trigger_workflow):
        assert_ok(trigger_workflow("refund", {"n": 1}))
"""


@pytest.mark.parametrize(
    "args", [[], ["-n", "1"], ["--tb=short"], ["--tb=native"], ["--show-capture=no"], ["-rA"]], ids=str
)
def test_the_command_that_repeats_stands_once(outside: Outside, args: list[str]) -> None:
    """With the error or with the run, whichever of them is shown."""
    outside.test("""
        def test_asserted(trigger_workflow):
            assert_ok(trigger_workflow("refund", {"n": 1}))

        def test_plainly(trigger_workflow):
            trigger_workflow("echo", {"n": 3})
            assert trigger_workflow("refund", {"n": 2}).ok
    """)
    lines = outside.run(*args).outlines
    repeats = [line for line in lines if re.match(r"(E )? +(repeat|or): ", line)]
    shown = 1 if args == ["--show-capture=no"] else 3
    assert len([line for line in repeats if "curl " in line]) == shown
    assert len([line for line in repeats if "wisebot workflow trigger" in line]) == shown
    assert len(set(repeats)) == len(repeats)


def test_a_result_is_laid_out_over_a_bounded_number_of_lines(project: Project) -> None:
    """What fits on a line stays on one; a narrow terminal shows each line whole; ``-vv`` shows all."""
    project.test(ROWS)
    told = section(project.run("-k", "differs"))
    start = told.index("  result:   {")
    assert told[start + 1 : start + 4] == [
        '              "category": "billing",',
        '              "rows": [',
        '                {"n": 0, "text": "line 0 of größe"},',
    ]
    assert told[start + 20 :] == ["            … and more, shown by -vv"]
    assert all(len(line) <= 80 for line in told)
    assert '                  "text": "line 29 of größe"' in section(project.run("-k", "differs", "-vv"))


@pytest.mark.parametrize("args", [[], ["-n", "1"], ["--color=yes"], ["-q"], ["--tb=no"]], ids=str)
def test_the_short_summary_begins_with_what_differs(
    project: Project, monkeypatch: pytest.MonkeyPatch, args: list[str]
) -> None:
    """The first of the differences, or the error, and how many more there are."""
    monkeypatch.setenv("COLUMNS", "200")
    project.test(ROWS)
    text = without_colours("\n".join(project.run(*args).outlines))
    summary = text[text.index("short test summary info") :]
    assert 'test_it.py::test_differs - $.category: expected "other", got "billing"\n' in summary
    assert "test_it.py::test_model - $.rows[0].n: Input should be a valid string, got 0 (and 29 more)\n" in summary
    assert 'test_it.py::test_fails - expected it to succeed, it failed: "unknown ticket"\n' in summary


def test_the_one_line_of_a_failure_begins_with_what_differs(project: Project) -> None:
    """As ``--tb=line`` shows it, with the place that editors know."""
    project.test(ROWS)
    line = project.run("--tb=line", "-k", "differs").stdout.str()
    assert re.search(r'test_it\.py:\d+: \$\.category: expected "other", got "billing"\n', line)


def test_junit_begins_with_what_differs(project: Project) -> None:
    """The attribute that servers show in their lists; the text below it has the whole message, once."""
    project.test(ROWS)
    project.run("--junitxml=out.xml", "-k", "differs")
    failure = ET.parse(project.path / "out.xml").find(".//failure")
    assert failure is not None
    assert failure.attrib["message"].splitlines()[:2] == [
        '$.category: expected "other", got "billing"',
        'AssertionError: workflow "echo" over the webhook API: the result differs at 1 path',
    ]
    assert (failure.text or "").count("$.category: expected") == 1


def test_ten_errors_of_a_model_are_shown_and_counted(project: Project) -> None:
    """A list of rows has an error for each."""
    project.test(ROWS)
    lines = project.run("-k", "model").outlines
    assert len([line for line in lines if re.match(r"E +\$\.rows", line)]) == 10
    assert 'E       AssertionError: workflow "echo" over the webhook API: the result is no Table: 30 errors' in lines
    assert "E         … and 20 more" in lines


@pytest.mark.parametrize("color", ["no", "yes"])
def test_a_terminal_of_ascii_alone_shows_line_by_line(
    outside: Outside, monkeypatch: pytest.MonkeyPatch, real_processes: None, color: str
) -> None:
    """What it cannot show is escaped, or spelt; the ends of lines stay."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    monkeypatch.setenv("LC_ALL", "C")
    outside.project.test(ROWS)
    result = outside.project.run_apart(f"--color={color}", "-k", "differs or model")
    text = without_colours(result.stdout.str())
    assert '\n                {"n": 0, "text": "line 0 of gr\\xf6\\xdfe"},\n' in text
    assert "\n            ... and more, shown by -vv\n" in text
    assert "E         ... and 20 more\n" in text
    assert "\\n" not in text


# --- frames of other plugins ------------------------------------------------------------------------------------------

DECLARED = """
    import pytest_asyncio

    @pytest.mark.wisebot("nowhere")
    def test_declared(workflow_run):
        pass

    @pytest_asyncio.fixture
    async def made(trigger_workflow):
        return await trigger_workflow.start("elsewhere", {"n": 1})

    @pytest.mark.asyncio
    async def test_made(made):
        pass
"""


@pytest.mark.parametrize(
    ("mode", "args"),
    [("strict", []), ("strict", ["-n", "1"]), ("strict", ["--tb=short"]), ("strict", ["-l"]), ("auto", [])],
    ids=str,
)
def test_no_frame_of_pytest_asyncio_stands_above_an_error(outside: Outside, mode: str, args: list[str]) -> None:
    """It wraps each fixture; the error of a run has nothing to do with it. The user's own lines stay."""
    pytest.importorskip("pytest_asyncio")
    outside.test(DECLARED)
    loop = ["-p", "asyncio", "-o", "asyncio_default_fixture_loop_scope=function", f"--asyncio-mode={mode}"]
    result = outside.project.run(*loop, *args)
    assert result.parseoutcomes()["infrastructure"] == 2
    text = result.stdout.str()
    shown = text[text.index("= INFRASTRUCTURE =") : text.index("= wisebot =")]
    assert "pytest_fixture_setup" not in shown
    assert not re.search(r"^\S*(pytest_asyncio|asyncio|pluggy)/", shown, re.MULTILINE)
    assert 'return await trigger_workflow.start("elsewhere", {"n": 1})' in shown
    assert "entries are hidden" not in shown


@pytest.mark.parametrize(
    ("option", "frame"), [("--full-trace", "def pytest_fixture_setup"), ("--tb=native", "plugin.py")]
)
def test_all_frames_are_there_where_they_are_asked_for(outside: Outside, option: str, frame: str) -> None:
    """Of pytest-asyncio, too."""
    pytest.importorskip("pytest_asyncio")
    outside.test(DECLARED)
    loop = ["-p", "asyncio", "-o", "asyncio_default_fixture_loop_scope=function"]
    assert frame in outside.project.run(*loop, option, "-k", "declared").stdout.str()


# --- equal reasons ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_equal_reasons_without_a_verdict_are_one(outside: Outside, workers: tuple[str, ...]) -> None:
    """One failure in full for each workflow that is not there, and the names of the others; ``-vv`` shows all."""
    outside.test("""
        @pytest.mark.parametrize("n", range(8))
        def test_it(trigger_workflow, n):
            trigger_workflow(f"nowhere-{n % 2}", {"n": n})
    """)
    result = outside.run(*workers)
    shown = result.outlines
    assert len([line for line in shown if re.match(r"_+ test_it\[\d\] _+", line)]) == 2
    assert shown.count("and for the same reason 3 more:") == 2
    assert len({line for line in shown if re.match(r"  test_it.py::test_it\[", line)}) == 6
    if not workers:
        assert "for the same reason" not in outside.run("-vv").stdout.str()


def test_equal_drift_is_one(outside: Outside) -> None:
    """Runs that differ by the same values are one entry; another difference is an entry of its own."""
    outside.test("""
        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", [{"n": n, "said": "now"} for n in range(4)])
        def test_it(workflow_run, inputs):
            pass
    """)
    outside.run("--wisebot-runs=record")
    for path in (outside.project.path / "recordings").rglob("*.json"):
        text = path.read_text("utf-8")
        said = '"once"' if '"n": 3' in text else '"then"'
        path.write_text(re.sub(r'("result": \{[^}]*"said": )"now"', rf"\g<1>{said}", text), "utf-8")
    result = outside.run("--wisebot-runs=verify")
    assert result.parseoutcomes() == {"drift": 4}
    lines = [line for line in result.outlines if re.match(r"_+ test_it|and for|  test_it\.py|DRIFT", line)]
    assert [re.sub("_{2,}", "_", line) for line in lines[:5]] == [
        "_ test_it[inputs0] _",
        "and for the same reason 2 more:",
        "  test_it.py::test_it[inputs1]",
        "  test_it.py::test_it[inputs2]",
        "_ test_it[inputs3] _",
    ]
    assert 'DRIFT test_it.py::test_it[inputs3] - result.said: expected "once", got "now"' in lines


# --- what next --------------------------------------------------------------------------------------------------------

ACCEPT = "to accept these results at no cost:"


def accepting(result: pytest.RunResult) -> list[str]:
    """The words behind ``python -m pytest`` of the command that accepts results."""
    lines = result.outlines
    return shlex.split(lines[lines.index(ACCEPT) + 1])[3:]


def test_accepting_touches_what_is_red_alone(outside: Outside) -> None:
    """The command names these tests and the environment, as seen from the folder where pytest was started."""
    outside.project.write(
        "sub dir/test_more.py",
        """
        import pytest

        @pytest.mark.wisebot("echo", {"n": 1})
        def test_fine(workflow_run):
            pass

        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", [{"n": 2}, {"n": 3}], ids=["a b", "c"])
        def test_red(workflow_run, inputs, workflow_snapshot):
            assert workflow_run == workflow_snapshot
        """,
    )
    result = outside.run("--wisebot-env=outside", "-k", "red", "--junitxml=junit.xml", "sub dir")
    assert accepting(result) == [
        "sub dir/test_more.py::test_red[a b]",
        "sub dir/test_more.py::test_red[c]",
        "--wisebot-env=outside",
        "--wisebot-runs=last",
        "--snapshot-update",
    ]
    again = outside.run(*accepting(result))
    again.assert_outcomes(passed=2)
    assert len(outside.calls) == 2
    assert not (outside.project.path / "__snapshots__").exists()


def test_a_failing_snapshot_names_the_way_to_accept_it(outside: Outside) -> None:
    """At no cost, once, whichever process has compared it; and the way does what it says."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1})
        def test_it(workflow_run, workflow_snapshot):
            assert workflow_run == workflow_snapshot
    """)
    for workers in ((), ("-n", "1")):
        assert outside.run(*workers).outlines.count(ACCEPT) == 1
    assert ACCEPT not in outside.run("-q").stdout.str()
    result = outside.run(*accepting(outside.run()))
    result.assert_outcomes(passed=1)
    assert "to accept" not in result.stdout.str()
    assert "to accept" not in outside.run().stdout.str()
    assert len(outside.calls) == 5


def test_a_replayed_snapshot_is_accepted_from_the_recordings(outside: Outside) -> None:
    """A replay keeps no session that could be the last."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1})
        def test_it(workflow_run, workflow_snapshot):
            assert workflow_run == workflow_snapshot
    """)
    outside.run("--wisebot-runs=record")
    result = outside.run("--wisebot-runs=replay")
    assert accepting(result)[-2:] == ["--wisebot-runs=replay", "--snapshot-update"]
    outside.run(*accepting(result)).assert_outcomes(passed=1)
    assert len(outside.calls) == 1


def test_after_ctrl_c_the_way_to_go_on_is_named(outside: Outside) -> None:
    """Only where a run has ended that can be taken over."""
    interrupted = "to go on: --wisebot-runs=resume keeps the runs that have ended"
    outside.test("""
        def test_it(trigger_workflow):
            trigger_workflow("echo", {"n": 1})

        def test_then():
            raise KeyboardInterrupt

        def test_rest(trigger_workflow):
            trigger_workflow("echo", {"n": 2})
    """)
    assert interrupted in outside.project.run_apart().outlines
    assert interrupted not in outside.project.run_apart("-k", "then").outlines
    outside.run("--wisebot-runs=resume", "--deselect", "test_it.py::test_then").assert_outcomes(passed=2)
    assert outside.arrived == [1, 2]
