"""Suites that need no Python: ``*.wisebot.yaml`` and ``*.wisebot.json``."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from harness import QUIET_NEIGHBOURS, Outside, Project
from jsonschema import Draft202012Validator

from pytest_wisebot.cases.schemas import suite_schema

SUITE = """
    workflow: triage
    cases:
      - id: T-1
        inputs: {ticketId: T-1, message: I was charged twice}
        expect:
          result: {category: billing}
      - id: T-2
        tags: [slow]
        inputs: {ticketId: T-2, message: Hi}
        expect:
          result: {category: billing}
"""


def test_each_case_is_a_test(project: Project) -> None:
    """A failure shows file, line and case, and no line of Python."""
    project.write("triage.wisebot.yaml", SUITE)
    result = project.run("-v")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines([
        "triage.wisebot.yaml::T-1 PASSED*", "triage.wisebot.yaml::T-2 FAILED*", "*_ T-2 _*", ">   *- id: T-2",
        'E   AssertionError: workflow "triage" over the webhook API: the result differs at 1 path',
        'E     $.category: expected "billing", got "other"', "triage.wisebot.yaml:8: AssertionError",
        "*- wisebot case -*", "triage.wisebot.yaml:8: T-2", "*- wisebot runs -*",
        "FAILED triage.wisebot.yaml::T-2 - $.category: *",
    ])  # fmt: skip
    assert ".py" not in result.stdout.str()


@pytest.mark.parametrize("style", ["short", "line", "native", "long"])
def test_every_style_of_traceback_names_the_line(project: Project, style: str) -> None:
    """``--tb``, and ``-l``, which shows local variables."""
    project.write("triage.wisebot.yaml", SUITE)
    result = project.run(f"--tb={style}", "-l")
    assert "triage.wisebot.yaml:8" in result.stdout.str() or 'triage.wisebot.yaml", line 8' in result.stdout.str()


def test_a_suite_in_json_is_the_same(project: Project) -> None:
    """With the schema that editors take."""
    suite = {"$schema": "https://example.com/wisebot-suite.schema.json", **yaml.safe_load(SUITE)}
    project.write("triage.wisebot.json", json.dumps(suite, indent=2))
    result = project.run("-v")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["triage.wisebot.json::T-1 PASSED*", "triage.wisebot.json:*: T-2"])


def run_with_cache(project: Project, *args: str) -> pytest.RunResult:
    """Runs pytest; what it writes into its cache, the next session reads."""
    return project.pytester.runpytest_inprocess(*QUIET_NEIGHBOURS, *args)


def test_selections_are_those_of_any_test(project: Project) -> None:
    """``-k``, ``-m``, ``--wisebot-workflow``, ``--wisebot-tag``, node ids, ``--lf`` and ``--collect-only``."""
    project.write("tests/triage.wisebot.yaml", SUITE)
    project.write(
        "tests/echo.wisebot.yaml", "workflow: echo\ncases:\n  - inputs: {n: 1}\n  - {api: both, id: two APIs}"
    )
    assert project.run("-k", "T-1").parseoutcomes() == {"passed": 1, "deselected": 4}
    assert project.run("-m", "wisebot(workflow='echo')").parseoutcomes() == {"passed": 3, "deselected": 2}
    assert run_with_cache(project, "--wisebot-workflow=triage").parseoutcomes() == {
        "passed": 1,
        "failed": 1,
        "deselected": 3,
    }
    assert run_with_cache(project, "--lf").parseoutcomes() == {"failed": 1}
    assert project.run("--wisebot-tag=slow").parseoutcomes() == {"failed": 1, "deselected": 4}
    assert project.run("tests/triage.wisebot.yaml::T-1").parseoutcomes() == {"passed": 1}
    assert project.run("tests/echo.wisebot.yaml::two APIs").parseoutcomes() == {"passed": 2}
    assert project.run("tests/echo.wisebot.yaml::two APIs[dashboard]").parseoutcomes() == {"passed": 1}
    result = project.run("--collect-only", "-q")
    assert [line for line in result.outlines if "::" in line] == [
        "tests/echo.wisebot.yaml::case-1",
        "tests/echo.wisebot.yaml::two APIs[webhook]",
        "tests/echo.wisebot.yaml::two APIs[dashboard]",
        "tests/triage.wisebot.yaml::T-1",
        "tests/triage.wisebot.yaml::T-2",
    ]


def test_what_a_case_expects(project: Project) -> None:
    """Success without a word; failure by a pattern, a result in part, a JSON Schema."""
    project.write(
        "echo.wisebot.yaml",
        """
        workflow: echo
        cases:
          - id: ok
          - {id: ok too, expect: {ok: true}}
          - {id: part, inputs: {a: {b: 1, c: 2}}, expect: {result: {a: {b: 1}}}}
          - {id: other, inputs: {a: {b: 1}}, expect: {result: {a: {b: 2}}}}
          - {id: true is not 1, inputs: {a: true}, expect: {result: {a: 1}}}
          - {id: schema, inputs: {a: 1}, expect: {schema: {properties: {a: {type: integer}}, required: [a]}}}
          - {id: not by schema, inputs: {a: x, b: 2}, expect: {schema: {additionalProperties: {type: boolean}}}}
          - {id: never, expect: {schema: false}}
          - {id: tree, inputs: {a: {a: 1}}, expect: {schema: {type: object, additionalProperties: {$ref: "#"}}}}
          - {id: of schemas, expect: {schema: {$ref: "https://json-schema.org/draft/2020-12/schema"}}}
          - {id: to fail, expect: {ok: false}}
        """,
    )
    project.write(
        "refund.wisebot.yaml",
        """
        workflow: refund
        cases:
          - {id: failed, expect: {failed: "unknown t[io]cket"}}
          - {id: failed somehow, expect: {ok: false}}
          - {id: otherwise, expect: {failed: no such reason}}
          - {id: ok}
        """,
    )
    result = project.run("-v")
    result.stdout.fnmatch_lines([
        "echo.wisebot.yaml::ok PASSED*", "*::ok too PASSED*", "*::part PASSED*", "*::other FAILED*",
        "*::true is not 1 FAILED*", "*::schema PASSED*", "*::not by schema FAILED*", "*::never FAILED*",
        "*::tree FAILED*", "*::of schemas PASSED*", "*::to fail FAILED*",
        "refund.wisebot.yaml::failed PASSED*", "*::failed somehow PASSED*", "*::otherwise FAILED*", "*::ok FAILED*",
        "E     $.a.b: expected 2, got 1", "E     $.a: expected 1, got true",
        "*the result does not satisfy the schema at 2 places", "E     $.a: 'x' is not of type 'boolean'",
        "E     $.b: 2 is not of type 'boolean'",
    ])  # fmt: skip


RULES = """
    workflow: echo
    cases:
      - id: ruled
        inputs: {summary: "%s", score: %s, kind: %s, items: %s, day: "2026-05-01"}
        expect:
          snapshot: true
          rules:
            summary: {str: {min: 10}, regex: wrong door}
            score: {number: {min: 0.5, max: 1}}
            kind: {one-of: [billing, 3, null]}
            items: {length: {max: 2}}
"""

RIGHT = ("it was the wrong door", "0.7", "billing", "[1]")


def test_rules_hold_in_the_place_of_equal_values(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """They stand in the snapshot; what breaks one fails, and the rest is compared."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # by which syrupy knows a worker
    project.write("a.wisebot.yaml", RULES % RIGHT)
    project.run("--snapshot-update").assert_outcomes(passed=1)
    assert json.loads((project.path / "__snapshots__" / "a.wisebot" / "ruled.json").read_text()) == {
        "ok": True,
        "result": {
            "day": "2026-05-01",
            "items": "length(max=2)",
            "kind": "one-of('billing', 3, None)",
            "score": "number(min=0.5, max=1)",
            "summary": "regex('wrong door') & str(min=10)",
        },
    }
    project.write("a.wisebot.yaml", RULES % ("through the wrong door", "1", "3", "[]"))
    project.run().assert_outcomes(passed=1)
    for place, value in enumerate(("wrong door" * 0 + "short", "0.4", "true", "[1, 2, 3]")):
        project.write("a.wisebot.yaml", RULES % (*RIGHT[:place], value, *RIGHT[place + 1 :]))
        result = project.run()
        result.assert_outcomes(failed=1)
        assert f"result.{('summary', 'score', 'kind', 'items')[place]}" in result.stdout.str()
        assert ".py" not in result.stdout.str()


def test_a_failed_run_has_a_snapshot_where_it_is_to_fail(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """And only there."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # by which syrupy knows a worker
    project.write("a.wisebot.yaml", "workflow: refund\ncases: [{id: a, expect: {failed: ticket, snapshot: true}}]")
    project.run("--snapshot-update").assert_outcomes(passed=1)
    project.run().assert_outcomes(passed=1)
    snapshot = project.path / "__snapshots__" / "a.wisebot" / "a.json"
    snapshot.write_text(snapshot.read_text("utf-8").replace("unknown", "other"), "utf-8")
    monkeypatch.setenv("FORCE_COLOR", "1")  # by which syrupy colours what it returns
    result = project.run("--color=no", "--junitxml=found.xml")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the run differs from its snapshot*", "E *other*"])
    found = (project.path / "found.xml").read_text("utf-8")
    assert "the run differs from its snapshot" in found
    assert not re.search(r"\x1b|#x1b\[", result.stdout.str() + found, re.IGNORECASE)


def test_trials_skips_limits_and_reports(project: Project) -> None:
    """The other keys of a row are those of the marker; the report of a session has these tests as any other."""
    project.write(
        "echo.wisebot.yaml",
        """
        workflow: echo
        api: dashboard
        cases:
          - {id: trials, trials: 4, min_passes: 2}
          - {id: later, skip: not ready}
          - {id: hook, api: webhook, max_seconds: 60}
        """,
    )
    result = project.run("-v", "-rs", "--wisebot-report=out", "--junit-xml=junit.xml")
    result.assert_outcomes(passed=2, skipped=1)
    result.stdout.fnmatch_lines(["*::trials PASSED 2/2*", "SKIPPED*not ready"])
    report = json.loads((project.path / "out" / "report.json").read_text("utf-8"))
    assert [test["id"] for test in report["tests"]] == [
        f"echo.wisebot.yaml::{name}" for name in ("trials", "later", "hook")
    ]
    assert 'name="hook"' in (project.path / "junit.xml").read_text("utf-8")


def test_two_workers_share_one_engine(project: Project) -> None:
    """Under xdist the tests are the same; and so is what a failure shows."""
    project.write("triage.wisebot.yaml", SUITE)
    result = project.run("-n", "2")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["triage.wisebot.yaml:8: AssertionError"])


def test_their_runs_start_ahead(outside: Outside) -> None:
    """All are sent at once: each waits in the workflow for a file that the last test in order cannot make."""
    cases = [{"id": f"n{n}", "inputs": {"n": n}} for n in range(3)]
    outside.project.write("a.wisebot.json", json.dumps({"workflow": "echo", "cases": cases}))
    outside.project.write(
        "conftest.py",
        """
        import outside, pytest

        @pytest.fixture(autouse=True)
        def all_have_arrived():
            outside.until(lambda: sorted(outside.arrived()) == [0, 1, 2])
        """,
    )
    outside.run().assert_outcomes(passed=3)


def test_fixtures_of_the_project_hold_for_them(project: Project) -> None:
    """An autouse fixture of ``conftest.py``, and hooks that add marks."""
    project.write("triage.wisebot.yaml", SUITE)
    project.write(
        "conftest.py",
        """
        import pytest

        @pytest.fixture(autouse=True)
        def skip_some(request):
            if request.node.name == "T-2":
                pytest.skip("by the fixture")
        """,
    )
    project.run().assert_outcomes(passed=1, skipped=1)


def test_an_unreachable_wisebot_is_no_verdict(project: Project) -> None:
    """As of any test, and with the place of the case."""
    project.write("wisebot.toml", '[environments.away]\norigin = "http://127.0.0.1:9"\nsecret = "file:s"\nretries = 0')
    project.write("s", "FAKE-secret-of-nothing")
    project.write("triage.wisebot.yaml", SUITE)
    result = project.run("--wisebot-env=away", "-v")
    result.stdout.fnmatch_lines(["*::T-1 INFRASTRUCTURE*", "triage.wisebot.yaml:4: T-1"])


MISTAKES: list[tuple[str, int, str]] = [
    ("cases: []", 0, "the key workflow is missing"),
    ("workflow: echo", 0, "the key cases is missing"),
    ("workflow: echo\ncases: []", 2, "cases: expected a list of at least one, got []"),
    ("workflow: echo\ncase: [{}]\ncases: [{}]", 2, 'case: unknown key, did you mean "cases"?'),
    ("workflow: 3\ncases: [{}]", 1, "workflow: expected a string that is not empty, got 3"),
    ("workflow: echo\napi: web\ncases: [{}]", 2, 'api: expected one of "webhook", "dashboard", "both", got "web"'),
    ("workflow: echo\ncases:\n  - expected: 1", 3, 'expected: unknown key, did you mean "expect"?'),
    ("workflow: echo\ncases:\n  - expect:\n      results: 1", 4, 'expect.results: unknown key, did you mean "result"?'),
    ("workflow: echo\ncases:\n  - expect: {}", 3, "expect: expected a mapping with the keys ok, failed, result"),
    ("workflow: echo\ncases:\n  - expect: {failed: '('}", 3, 'expect.failed: "(" is not a valid regular expression'),
    ("workflow: echo\ncases:\n  - expect: {ok: true, failed: a}", 3, "expect.failed: contradicts ok: true"),
    ("workflow: echo\ncases:\n  - expect: {ok: false, result: 1}", 3, "expect.result: a run that fails has no result"),
    ("workflow: echo\ncases:\n  - expect: {rules: {a: {str: {}}}}", 3, "expect.rules: hold in a snapshot"),
    ("workflow: echo\ncases:\n  - expect:\n      snapshot: true\n      rules:\n        a: {sr: {}}", 6,
     'expect.rules.a.sr: unknown key, did you mean "str"?'),
    ("workflow: echo\ncases:\n  - expect: {snapshot: true, rules: {'a[': {str: {}}}}", 3, "is not a valid JSON path"),
    ("workflow: echo\ncases:\n  - expect: {snapshot: true, rules: {a: {str: {min: 3, max: 2}}}}", 3,
     "expect.rules.a.str: min 3 is above max 2"),
    ("workflow: echo\ncases:\n  - expect: {schema: {type: number of}}", 3, "is not a valid JSON Schema at type"),
    *((f"workflow: echo\ncases:\n  - expect:\n      schema:\n        {schema}", 5, problem) for schema, problem in (
        ('$ref: "#/nope"', 'expect.schema["$ref"]: "#/nope" leads nowhere in this schema'),
        ('properties: {a: {$ref: "#nope"}}', 'schema.properties.a["$ref"]: "#nope" leads nowhere'),
        ('allOf: [{$ref: "#/allOf/x"}]', '"#/allOf/x" leads nowhere'),
        ('$ref: "https://example.invalid/s.json"', "is in another document, which is never fetched"),
        ('{$ref: "#/required", required: [a]}', 'leads to ["a"], which is not a JSON Schema'),
        ('{$ref: "#/x", x: {type: nope}}', "leads to what is not a valid JSON Schema"),
        ('{$ref: "#/$defs/a", $defs: {a: {anyOf: [{type: string}, {$ref: "#/$defs/a"}]}}}', "leads back to itself"),
        ('$schema: "https://json-schema.org/draft/2099/schema"', '/draft/2020-12/schema, got "https://json-schema.org'),
        ("$schema: [1]", "version of JSON Schema such as https://json-schema.org/draft/2020-12/schema, got [1]"),
        ('properties: {a: {pattern: "("}}', "is not a valid JSON Schema at properties.a.pattern"),
    )),
    ('workflow: echo\ncases:\n  - expect: {schema: {$ref: "#"}}', 3, "expect.schema: is a JSON Schema that leads back"),
    ("workflow: echo\ncases:\n  - {id: a}\n  - {id: a}", 4, 'id: "a" is also the id of the row in line 3'),
    ("workflow: echo\ncases:\n  - {min_passes: 2}", 3, "min_passes=2: of how many trials? trials=N says so"),
    ("- a", 1, "expected a mapping with the keys $schema, workflow, api, cases"),
    ("workflow: [", 2, "is not valid YAML"),
]  # fmt: skip


def test_every_mistake_is_listed_with_its_line(project: Project) -> None:
    """Each kind of mistake in a file of its own; all files are collected, and none of them runs a test."""
    for number, (text, _, _) in enumerate(MISTAKES):
        project.write(f"m{number}.wisebot.yaml", text)
    result = project.run()
    result.assert_outcomes(errors=len(MISTAKES))
    for number, (_, line, problem) in enumerate(MISTAKES):
        found = [one for one in result.outlines if one.startswith(f"m{number}.wisebot.yaml:{line or 1}: ")]
        assert [one for one in found if problem in one], (number, problem, found)
    assert ".py" not in result.stdout.str()


def test_several_mistakes_are_listed_at_once(project: Project) -> None:
    """Those that the schema finds, and those between keys of one row."""
    project.write(
        "a.wisebot.yaml",
        """
        workflow: echo
        apis: both
        cases:
          - id: a
            inputs: [1]
            trials: 0
            expect: {failed: "(", result: 1, snapshot: "yes"}
          - id: a
            expect:
              rules: {summary: {str: {min: 40, max: 3}, regx: x}}
        """,
    )
    result = project.run()
    lines = [line.partition(": ")[0] for line in result.outlines if line.startswith("a.wisebot.yaml")]
    assert lines == ["a.wisebot.yaml", *(f"a.wisebot.yaml:{line}" for line in (3, 6, 7, 8, 8, 8, 9, 11, 11, 11))]


def test_two_suites_that_would_share_snapshots_are_refused(project: Project) -> None:
    """Their names differ by the format alone."""
    project.write("a.wisebot.yaml", SUITE)
    project.write("a.wisebot.json", "{}")
    result = project.run()
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*a.wisebot.json and a.wisebot.yaml would share their snapshots: rename one of them"])


def schema_of_suites() -> Any:
    return Draft202012Validator(suite_schema())


IN_SCHEMA = [(text, problem) for text, _, problem in MISTAKES if re.search("unknown key|expected|missing", problem)]


@pytest.mark.parametrize(("text", "problem"), IN_SCHEMA)
def test_the_schema_finds_what_the_check_finds(text: str, problem: str) -> None:
    """An editor marks what the collection would refuse, for what a schema can say at all."""
    assert list(schema_of_suites().iter_errors(yaml.safe_load(text))), problem


@pytest.mark.parametrize("text", [SUITE, RULES % RIGHT])
def test_the_schema_accepts_what_the_check_accepts(text: str) -> None:
    """The suites of these tests are valid in an editor."""
    assert not list(schema_of_suites().iter_errors(yaml.safe_load(text)))
