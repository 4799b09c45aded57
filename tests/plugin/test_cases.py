"""``cases=`` of the marker: one test of each row of a data file."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import pytest
from harness import Outside, Project, Recorded

USES_CASES = """
    @pytest.mark.wisebot("triage", cases="{}")
    def test_ticket(workflow_run, expected):
        assert_result(workflow_run, expected)
"""

HEADER = "id;inputs.ticketId;inputs.message;expected.category;expected.ticketId\n"


def written(project: Project, name: str, text: str, newline: str = "\n") -> None:
    (project.path / name).write_bytes(text.replace("\n", newline).encode())


def test_200_tickets_of_a_spreadsheet_are_200_tests(project: Project) -> None:
    """With a byte order mark, semicolons, CRLF, quotes and line breaks in cells, and empty rows at the end."""
    rows = "".join(
        f'T-{n};{n:03};"I was charged ""twice"";\nticket {n}";billing;{n:03}\n'
        if n % 2
        else f"T-{n};{n:03};Hi;other;{n:03}\n"
        for n in range(200)
    )
    written(project, "tickets.csv", f"\ufeff{HEADER}{rows};;;;\n;;;;\n", "\r\n")
    project.test(USES_CASES.format("tickets.csv"))
    project.run().assert_outcomes(passed=200)


def test_each_wrong_cell_of_200_tickets_is_one_line(project: Project) -> None:
    """The lines are those of the file, where cells before them have line breaks, too; the collection fails."""
    head = "id,inputs.ticketId,inputs.message,inputs.amount:number,expected:json\n"
    rows = "".join(f'T-{n},{n},"one\ntwo",{"many" if n % 20 == 0 else n},{{}}\n' for n in range(200))
    written(project, "tickets.csv", head + rows)
    project.test(USES_CASES.format("tickets.csv"))
    result = project.run()
    result.assert_outcomes(errors=1)
    places = [f"tickets.csv:{3 + 2 * n}: inputs.amount: " for n in range(0, 200, 20)]
    found = [line for line in result.outlines if "inputs.amount" in line]
    assert found == [f'{place}expected a number such as 12.5, got "many"' for place in places]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.yaml"])
def test_the_path_is_relative_to_the_test_s_file(project: Project, name: str) -> None:
    """Wherever pytest is started; each format gives the same tests."""
    rows = [{"id": "a", "inputs": {"message": "charged"}, "expected": {"category": "billing"}}, {"expected": {}}]
    text = "\n".join(map(json.dumps, rows)) if name == "rows.jsonl" else json.dumps(rows)
    project.write(f"deep/data/{name}", text)
    project.test(USES_CASES.format(f"data/{name}"), "deep/test_it.py")
    result = project.run("-v", "deep/test_it.py")
    result.stdout.fnmatch_lines(["*::test_ticket?a? PASSED*", "*::test_ticket?case-2? PASSED*"])


def test_what_a_test_takes_of_its_row(project: Project) -> None:
    """``inputs`` and ``expected`` are arguments where a test takes them, beside other parameters; none is needed."""
    project.write("rows.jsonl", '{"id": "a", "inputs": {"n": 1}, "expected": null}\n{"id": "b", "expected": [2]}')
    project.test("""
        @pytest.mark.wisebot("echo", cases="rows.jsonl")
        class TestAll:
            def test_none(self, workflow_run):
                assert workflow_run.ok

            @pytest.mark.parametrize("other", ["x", "y"])
            def test_both(self, workflow_run, inputs, expected, other):
                assert workflow_run.result == inputs
                assert expected in (None, [2])

        @pytest.mark.wisebot(cases="rows.jsonl")
        def test_called(trigger_workflow, inputs):
            assert trigger_workflow("echo", inputs).result == inputs
    """)
    project.run().assert_outcomes(passed=8)


def test_only_tests_with_cases_have_expected(project: Project) -> None:
    """Elsewhere ``expected`` is a fixture that is not there."""
    project.test("def test_it(expected): pass")
    result = project.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'expected' not found*"])


def test_the_keys_of_a_row_are_those_of_the_marker(project: Project) -> None:
    """Trials, limits, APIs and skips hold for one row; what the row does not name, the marker says."""
    project.write(
        "rows.yaml",
        """
        - id: usual
        - {id: trials, trials: 3, min_passes: 2}
        - {id: both, api: both, inputs: {n: 1}}
        - {id: board, api: dashboard}
        - {id: late, max_seconds: 0.000001, skip: false}
        - {id: later, skip: not ready}
        - {id: never, skip: true}
        """,
    )
    project.test("""
        @pytest.mark.wisebot("echo", cases="rows.yaml", max_seconds=60, api="webhook")
        def test_it(workflow_run, wisebot_api, request):
            expected = {"board": "dashboard", "both-dashboard": "dashboard"}
            assert wisebot_api == expected.get(request.node.callspec.id, "webhook") == workflow_run.api
    """)
    result = project.run("-v", "-rs")
    found = result.parseoutcomes()  # a limit missed by less than the engine's own delay is not judged, and named
    assert (found["passed"] + found.get("failed", 0), found["skipped"]) == (6, 2)
    result.stdout.fnmatch_lines_random([
        "*test_it?trials? PASSED 2/2*", "*test_it?both-webhook? PASSED*", "*test_it?both-dashboard? PASSED*",
        "*not ready", "*rows.yaml:8", "*took * s, more than max_seconds=1e-06*",
    ])  # fmt: skip


def test_the_option_for_both_apis_runs_each_row_over_both(project: Project) -> None:
    """As it does with any test; a row that names one API keeps it."""
    project.write("rows.jsonl", '{"id": "a"}\n{"id": "b", "api": "dashboard"}')
    project.test("""
        @pytest.mark.wisebot("echo", cases="rows.jsonl")
        def test_it(workflow_run):
            assert workflow_run.ok
    """)
    result = project.run("-v", "--wisebot-api=both")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*?a-webhook? *", "*?a-dashboard? *", "*?b? *"])


def test_both_apis_of_a_row_have_one_snapshot(recorded: Recorded) -> None:
    """The API is a part of the test's id, and none of the snapshot's name; other rows keep their ids."""
    recorded.project.write("flows.py", FLOWS_OF_ROWS)
    recorded.project.write("wisebot.toml", '[environments.local]\nemulator = "flows:emulator"\n')
    recorded.project.write("rows.jsonl", '{"id": "a-webhook", "api": "both"}\n{"id": "b-webhook"}')
    recorded.project.test("""
        @pytest.mark.wisebot("echo", cases="rows.jsonl")
        def test_it(workflow_run, workflow_snapshot):
            assert workflow_run == workflow_snapshot
    """)
    recorded.project.run("--wisebot-env=local", "--snapshot-update").assert_outcomes(passed=3)
    folder = recorded.project.path / "__snapshots__" / "test_it"
    assert sorted(path.name for path in folder.iterdir()) == ["test_it[a-webhook].json", "test_it[b-webhook].json"]
    recorded.project.run("--wisebot-env=local").assert_outcomes(passed=3)


FLOWS_OF_ROWS = """
    from pytest_wisebot.emulator import Emulator

    emulator = Emulator()

    @emulator.workflow("echo")
    def echo(inputs):
        return inputs
"""


def test_their_runs_start_ahead(outside: Outside) -> None:
    """The runs of all rows are on their way before the first test, as those of any mark."""
    outside.project.write("rows.jsonl", "\n".join(json.dumps({"inputs": {"n": n}}) for n in range(3)))
    outside.test("""
        import outside

        @pytest.fixture
        def all_have_arrived():
            outside.until(lambda: sorted(outside.arrived()) == [0, 1, 2])

        @pytest.mark.wisebot("echo", cases="rows.jsonl")
        def test_it(all_have_arrived, workflow_run, inputs):
            assert workflow_run.result == inputs
    """)
    outside.run().assert_outcomes(passed=3)
    assert len(outside.calls) == 3


def test_a_failure_names_the_file_the_line_and_the_row(project: Project) -> None:
    """Below the failure, for people who have only the table."""
    written(project, "tickets.csv", f'{HEADER}a;1;"charged\nand\nso";billing;1\nb;2;Hi;billing;2\n')
    project.test(USES_CASES.format("tickets.csv"))
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*- wisebot case -*", "tickets.csv:5: b", "*- wisebot runs -*"])


TAGGED = """
    {"id": "a", "tags": ["slow", "money"]}
    {"id": "b", "tags": "money"}
    {"id": "c"}
"""


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["one process", "xdist"])
def test_a_tag_selects_rows(project: Project, workers: tuple[str, ...]) -> None:
    """Several tags add up; tests without rows have none; a tag that no row has names those that there are."""
    project.write("rows.jsonl", TAGGED)
    project.test("""
        @pytest.mark.wisebot("echo", cases="rows.jsonl")
        def test_it(workflow_run):
            assert workflow_run.ok

        def test_other():
            pass
    """)
    project.run("--wisebot-tag=money", *workers).assert_outcomes(passed=2, deselected=0 if workers else 2)
    if not workers:
        project.run("--wisebot-tag=money", "--wisebot-tag=slow").assert_outcomes(passed=2, deselected=2)
    result = project.run("--wisebot-tag=mony", *workers)
    assert result.ret != 0
    assert '--wisebot-tag: no row or case has the tag "mony", did you mean "money"? known: money, slow' in (
        result.stdout.str() + result.stderr.str()
    )


def test_a_session_that_a_tag_narrows_opens_no_gate(project: Project, wide_terminal: None) -> None:
    """The gate's block names the option; without it the gate opens."""
    project.write("wisebot.toml", (project.path / "wisebot.toml").read_text() + "\n[gate]\nallow-emulator = true\n")
    project.write("rows.jsonl", TAGGED)
    project.test("""
        @pytest.mark.wisebot("echo", cases="rows.jsonl")
        def test_it(workflow_run):
            assert workflow_run.ok
    """)
    assert project.run("--wisebot-gate", "--wisebot-env=local").ret == 0
    result = project.run("--wisebot-gate", "--wisebot-env=local", "--wisebot-tag=slow")
    assert result.ret == 11
    result.stdout.fnmatch_lines(
        ["NO VERDICT: 1 passed*", "*narrowed by --wisebot-tag *--wisebot-tag slow (command line)"]
    )


def test_a_tag_that_selects_all_opens_the_gate(project: Project) -> None:
    """Nothing was left out: what an option could have narrowed and did not is no reason."""
    project.write("wisebot.toml", (project.path / "wisebot.toml").read_text() + "\n[gate]\nallow-emulator = true\n")
    project.write("rows.jsonl", '{"tags": "money"}')
    project.test("""
        @pytest.mark.wisebot("echo", cases="rows.jsonl")
        def test_it(workflow_run):
            assert workflow_run.ok
    """)
    assert project.run("--wisebot-gate", "--wisebot-env=local", "--wisebot-tag=money").ret == 0


WRONG = [
    ('"echo", cases=5', "cases: expected the path of a file, relative to the test's own, got 5"),
    ('"echo", cases=" "', "cases: expected the path of a file, relative to the test's own, got ' '"),
    ('"echo", {"n": 1}, cases="rows.jsonl"', "inputs and cases: each row of cases has its own inputs"),
    ('"echo", cases="rows.jsnl"', "rows.jsnl: expected a file named *.jsonl, *.json, *.csv, *.yaml or *.yml"),
    ('"echo", cases="row.jsonl"', "row.jsonl: no such file, did you mean rows.jsonl?"),
    ('"echo", cases="rows.jsonl"', "rows.jsonl:1: min_passes=2: of how many trials? trials=N says so"),
    ('"echo", trials=1, cases="rows.jsonl"', "rows.jsonl:1: min_passes: expected a whole number from 1 to"),
    ('"echo", share=True, cases="more.jsonl"', "more.jsonl:1: share=True and trials"),
]  # fmt: skip
"""Arguments of a marker, and what is told of them."""


def test_a_wrong_marker_or_row_is_an_error_of_the_collection(project: Project) -> None:
    """What is wrong with the marker, and rows whose options do not fit it, without a traceback."""
    project.write("rows.jsonl", '{"min_passes": 2}')
    project.write("more.jsonl", '{"trials": 2}')
    for number, (marker, _) in enumerate(WRONG):
        project.test(f"@pytest.mark.wisebot({marker})\ndef test_it(workflow_run): pass", f"test_{number}.py")
    result = project.run()
    result.assert_outcomes(errors=len(WRONG))
    told = re.split(r"^_+ ERROR collecting test_\d+\.py _+$", result.stdout.str(), flags=re.MULTILINE)[1:]
    for (_, problem), text in zip(WRONG, told, strict=True):
        assert problem in text
    assert "Traceback" not in result.stdout.str()
    assert "parametrize_cases" not in result.stdout.str()


def test_a_row_without_what_the_test_takes_is_an_error(project: Project) -> None:
    """A test that compares with nothing would be green."""
    project.write("rows.jsonl", '{"id": "a", "expected": null}\n{"id": "b"}')
    project.test(USES_CASES.format("rows.jsonl"))
    result = project.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["rows.jsonl:2: the key expected is missing, which the test takes as an argument"])


def test_cases_that_make_no_tests_are_an_error(project: Project) -> None:
    """Methods of a unittest.TestCase have no parameters: their rows would be left out in silence."""
    project.write("rows.jsonl", '{"id": "a"}')
    project.test("""
        import unittest

        class TestOld(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def run_of_test(self, workflow_run):
                self.run_ = workflow_run

            @pytest.mark.wisebot("echo", cases="rows.jsonl")
            def test_it(self):
                assert self.run_.ok

        @pytest.mark.parametrize("a", [pytest.param(1, marks=pytest.mark.wisebot("echo", cases="rows.jsonl"))])
        def test_parameter(workflow_run, a):
            pass
    """)
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "no test was started" in result.stderr.str()
    assert "the wisebot marker: cases= makes tests of a test function alone" in result.stderr.str()
    assert result.parseoutcomes().get("passed", 0) == 0


def test_a_missing_library_is_named_with_its_extra(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The collection fails, and names the command that installs it."""
    for missing in ("yaml", "jsonschema"):
        monkeypatch.setitem(sys.modules, missing, None)
    project.write("rows.yaml", "- id: a")
    project.test(USES_CASES.format("rows.yaml"))
    project.write("rows.wisebot.yaml", "workflow: echo")
    project.write("other.wisebot.json", '{"workflow": "echo", "cases": [{"expect": {"schema": {}}}]}')
    result = project.run()
    result.assert_outcomes(errors=3)
    told = re.split(r"^_+ ERROR collecting \S+ _+$", result.stdout.str(), flags=re.MULTILINE)[1:]
    assert len(told) == 3
    assert all("pip install pytest-wisebot[cases]" in text for text in told)


def test_a_credential_in_a_wrong_row_is_masked(project: Project) -> None:
    """An error of the collection shows cells, and none of the project's credentials."""
    project.write("rows.jsonl", '{"id": "a", "trials": "CANARY-FAKE-0123456789"}')
    project.test(USES_CASES.format("rows.jsonl"))
    result = project.run("--wisebot-secret=CANARY-FAKE-0123456789")
    result.assert_outcomes(errors=1)
    assert "CANARY" not in result.stdout.str() + result.stderr.str()


def test_ids_with_any_letters_can_be_named_on_the_command_line(project: Project) -> None:
    """As pytest shows them."""
    rows: list[dict[str, Any]] = [{"id": "Zürich 3/4"}, {"id": "a.b"}, {"id": 12}]
    project.write("rows.jsonl", "\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    project.test("""
        @pytest.mark.wisebot("echo", cases="rows.jsonl")
        def test_it(workflow_run):
            assert workflow_run.ok
    """)
    listed = [line for line in project.run("--collect-only", "-q").outlines if "::" in line]
    assert len(listed) == 3
    for nodeid in listed:
        project.run(nodeid).assert_outcomes(passed=1)
