"""``[redact]``: what a project redacts of its own is redacted in what its tests see, and in what pytest shows."""

from __future__ import annotations

import pytest
from harness import Outside, Project

REDACT = """
[redact]
keys = ["email"]
patterns = { account = "ACC-[0-9]+" }
paths = ["result.customer.name", "items[*].phone"]
"""

INPUTS = {
    "email": "a@example.com",
    "customer": {"name": "Ada", "note": "pays by ACC-1234"},
    "items": [{"phone": "555-1"}, {"n": 1}],
}

SEEN = {
    "email": "<redacted>",
    "customer": {"name": "<redacted>", "note": "pays by <redacted>"},
    "items": [{"phone": "<redacted>"}, {"n": 1}],
}


@pytest.mark.parametrize("flags", [[], ["-n", "1"]], ids=["one-process", "xdist"])
@pytest.mark.parametrize("api", ["webhook", "dashboard"])
def test_a_test_sees_the_redacted_result(outside: Outside, flags: list[str], api: str) -> None:
    """By key, by pattern and by path, over both APIs, in one process and in workers; what was sent stays as it was."""
    outside.setting(REDACT)
    outside.test(f"""
        @pytest.mark.wisebot("echo", {INPUTS!r}, api="{api}")
        def test_it(workflow_run):
            assert workflow_run.result == {SEEN!r}
            assert workflow_run.inputs == {INPUTS!r}
    """)

    outside.run(*flags).assert_outcomes(passed=1)


@pytest.mark.parametrize("flags", [[], ["-n", "1"]], ids=["one-process", "xdist"])
def test_what_a_test_prints_shows_no_match(outside: Outside, flags: list[str]) -> None:
    """A pattern holds for every text of a report, whatever made it: output, messages and values."""
    outside.setting(REDACT)
    outside.test("""
        def test_it(trigger_workflow):
            trigger_workflow("echo", {"n": 1})
            print("it is ACC-" + "98765")
            raise AssertionError("of ACC-" + "98765")
    """)

    result = outside.run("-vv", "--showlocals", *flags)

    result.assert_outcomes(failed=1)
    assert "98765" not in result.stdout.str().replace('"98765"', "")
    result.stdout.fnmatch_lines(["E * AssertionError: of <redacted>", "it is <redacted>"])


SENT = {
    "email": "ada@example.com",
    "age": 4711,
    "customer": {"name": "Ada", "code": "XK77", "note": "pays by ACC-1234"},
    "items": [{"phone": "555-123456"}, {"n": 1}],
}


@pytest.mark.parametrize("flags", [[], ["-n", "1"]], ids=["one-process", "xdist"])
def test_what_is_redacted_in_inputs_is_published_nowhere(outside: Outside, flags: list[str]) -> None:
    """Not in source, locals, assertions, sections and commands, nor in JUnit XML, the log, reports and recordings."""
    outside.setting(
        REDACT.replace('"items[*].phone"', '"items[*].phone", "inputs.customer.code"')
        .replace('"email"', '"email", "AGE"')
        .replace("result.customer.name", "customer.name")
    )
    outside.test(f"""
        def test_it(trigger_workflow):
            run = trigger_workflow("refund", {SENT!r})
            assert run.inputs["email"].endswith("@example.com")
            assert_ok(run)

        @pytest.mark.wisebot("refund", {SENT!r}, api="dashboard")
        def test_declared(workflow_run):
            assert workflow_run.inputs == {{}}

        def test_error(trigger_workflow):
            trigger_workflow("no-such-workflow", {SENT!r})
    """)

    result = outside.run(
        "-l", "-vv", "--junitxml=junit.xml", "--wisebot-report=report", "--wisebot-runs=record", *flags
    )

    written = {"terminal": result.stdout.str() + result.stderr.str()}
    for path in outside.project.path.rglob("*"):
        if path.is_file() and path.suffix in (".xml", ".jsonl", ".json", ".html", ".md"):
            written[path.name] = path.read_text("utf-8")
    assert {"junit.xml", "runs.jsonl", "report.html", "events.jsonl"} <= written.keys()
    assert any(name.startswith("webhook-") for name in written)
    leaked = ("ada@example", "4711", "Ada", "XK77", "1234", "555-123")
    assert [(name, value) for name, text in written.items() for value in leaked if value in text] == []
    said = written["terminal"]
    assert '--data-raw \'{"email": "<redacted>", "age": "<redacted>", "customer": {' in said
    assert "  # fill in: email, age, customer.name, customer.code, customer.note, items[0].phone" in said


def test_ordinary_text_of_a_report_stays_beside_redacted_inputs(outside: Outside) -> None:
    """A short value, a number or a flag is a part of many words: it is removed beside its key, or in quotes, alone."""
    outside.setting('[redact]\nkeys = ["n", "flag", "name", "word"]')
    outside.test("""
        def test_it(trigger_workflow):
            run = trigger_workflow("refund", {"n": 1, "flag": True, "name": "it", "word": "number"})
            raise ValueError("it is 1, True, and numbers of it")
    """)

    result = outside.run()

    result.stdout.fnmatch_lines(
        [
            "E * ValueError: it is 1, True, and numbers of it",
            "  inputs: *",
            '*"n": "<redacted>",',
            '*"flag": "<redacted>",',
        ]
    )


def test_a_mistake_names_the_file_and_the_pattern(outside: Outside) -> None:
    """A pattern that cannot be used ends the session, in words that say which one."""
    outside.setting('[redact]\npatterns = ["ok", "(?<=a)b"]')
    outside.test("def test_it(trigger_workflow): trigger_workflow('echo')")

    result = outside.run()

    assert (
        "wisebot.toml: redact.patterns: [1]: '(?<=a)b' looks ahead or behind, which cannot be matched in linear time: "
        r"match what stands there, too, or write \b for the border of a word"
    ) in (result.stdout.str() + result.stderr.str()).replace("\n", " ").replace("  ", " ")


@pytest.mark.parametrize(("patterns", "works"), [('["email", "card"]', True), ('["email", "ACC-[0-9]+"]', False)])
def test_without_re2_a_session_with_ready_made_patterns_works(project: Project, patterns: str, works: bool) -> None:
    """Where RE2 has no wheel, only a regular expression of the project's own is refused, with what to install."""
    project.write(
        "wisebot.toml", (project.path / "wisebot.toml").read_text("utf-8") + f"[redact]\npatterns = {patterns}"
    )
    project.write("conftest.py", "import sys\nsys.modules['re2'] = None")
    project.test("""
        def test_it(trigger_workflow):
            assert trigger_workflow("echo", {"to": "me@example.com"}).result == {"to": "<redacted>"}
    """)

    result = project.run_apart()

    assert result.parseoutcomes().get("passed", 0) == works
    said = " ".join((result.stdout.str() + result.stderr.str()).split())
    needs = "redact.patterns: [1]: 'ACC-[0-9]+' needs RE2, which is not installed: pip install 'pytest-wisebot[redact]'"
    assert (needs in said) is not works
