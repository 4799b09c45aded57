"""Each cell of page, summary, block, ``report.json`` and JUnit XML against the log, for a session of every outcome."""

from __future__ import annotations

import json
import re
import textwrap
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from harness import Project

from pytest_wisebot.event_log import read_events
from pytest_wisebot.report.format import duration, seconds_text

SUITE = """
    import os

    CALLS = {}
    TIMEOUT = 0.05 if os.environ.get("CRASH") else 30

    def nth(name):
        CALLS[name] = CALLS.get(name, 0) + 1
        return CALLS[name]

    @pytest.mark.parametrize("n", range(14))
    def test_triage(trigger_workflow, n):
        assert trigger_workflow("triage", {"ticketId": str(n), "message": "charged"}).ok

    @pytest.mark.parametrize("n", range(14))
    def test_echo(trigger_workflow, n):
        assert trigger_workflow("echo", {"n": n}).ok

    @pytest.mark.parametrize("n", range(8))
    def test_refund_fails(trigger_workflow, n):
        assert not trigger_workflow("refund", {"n": n}).ok

    @pytest.mark.parametrize("n", range(2))
    def test_slow(trigger_workflow, n):
        assert trigger_workflow("slow", {"n": n}).ok

    @pytest.mark.wisebot("echo", {"n": "wrong"})
    def test_wrong_result(workflow_run):
        assert workflow_run.result == {"n": "right", "line": "another"}

    @pytest.mark.wisebot("refund", {"n": "wrong"})
    def test_workflow_fails(workflow_run):
        assert_ok(workflow_run)

    @pytest.mark.wisebot("slow", {"n": "limit"}, max_seconds=0.05)
    def test_too_slow(workflow_run):
        pass

    @pytest.mark.wisebot("echo", {"n": "trials"}, trials=10, min_passes=8)
    def test_trials_failed(workflow_run):
        assert nth("failed") % 2, "every other trial fails"

    @pytest.mark.wisebot("echo", {"n": "flaky"}, trials=5, min_passes=3)
    def test_trials_flaky(workflow_run):
        assert nth("flaky") > 1, "the first one fails"

    @pytest.mark.wisebot("echo", {"n": "well"}, trials=3, min_passes=2)
    def test_trials_passed(workflow_run):
        pass

    @pytest.mark.wisebot(trials=3)
    def test_trials_not_judged(trigger_workflow):
        trigger_workflow("echo", {"n": "not judged"})
        if nth("not judged") > 1:
            trigger_workflow("slow", {"n": "trial"}, timeout=TIMEOUT)

    def test_subtests(trigger_workflow, subtests):
        for n in range(3):
            with subtests.test("language", n=n):
                trigger_workflow("echo", {"n": f"language {n}"})
                assert n != 1, "the second language is wrong"

    @pytest.mark.wisebot("triage", {"ticketId": "drift", "message": "charged"})
    def test_drifts(workflow_run):
        pass

    def test_infrastructure(trigger_workflow):
        trigger_workflow("slow", {"n": "outage"}, timeout=TIMEOUT)

    def test_not_run(trigger_workflow):
        trigger_workflow("echo", secret="env:NO_SUCH_VARIABLE")

    @pytest.mark.skip(reason="later")
    @pytest.mark.wisebot("slow", {"n": "skipped"})
    def test_skipped(workflow_run):
        pass

    def test_skips_itself(trigger_workflow):
        trigger_workflow("echo", {"n": "skips"})
        pytest.skip("after a run")

    @pytest.mark.xfail
    @pytest.mark.wisebot("refund", {"n": "xfails"})
    def test_xfails(workflow_run):
        assert_ok(workflow_run)

    @pytest.mark.xfail(strict=False)
    @pytest.mark.wisebot("echo", {"n": "xpasses"})
    def test_xpasses(workflow_run):
        pass

    @pytest.fixture
    def broken_end():
        yield
        raise RuntimeError("a broken teardown")

    @pytest.mark.wisebot("echo", {"n": "teardown"})
    def test_teardown(workflow_run, broken_end):
        pass

    @pytest.fixture
    def broken():
        raise RuntimeError("a broken setup")

    def test_setup(broken):
        pass

    def test_plain():
        pass

    def test_plain_failure():
        assert {"a": 1} == {"a": 2}

    def test_crashes(trigger_workflow):
        trigger_workflow("echo", {"n": "crashes"})
        if os.environ.get("CRASH"):
            os._exit(3)
"""

BY_REPORT = {"error": "failed", "xpassed": "passed"}
"""Outcomes of the log that are another word in reports, if the test used runs."""


@dataclass
class Logged:
    """What the log says, read without the code that makes reports of it."""

    session: dict[str, Any]
    end: dict[str, Any]
    runs: dict[str, dict[str, Any]]
    tests: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path) -> Logged:
        """The log of this file."""
        events = list(read_events(path))
        one = cls(events[0], events[-1], {event["run"]: event for event in events if event["event"] == "run"})
        one.tests = {event["test"]: event for event in events if event["event"] == "test"}
        for name, test in one.tests.items():
            used = {*test["runs"], *(ref for ref, run in one.runs.items() if run["test"] == name)}
            in_order = sorted(used, key=lambda ref: (one.runs[ref].get("trial", 0), one.runs[ref]["queued"], ref))
            test["used"] = [one.runs[ref] for ref in in_order]
            test["uses"] = bool(used or test.get("class"))
            test["word"] = BY_REPORT.get(test["outcome"], test["outcome"]) if test["uses"] else test["outcome"]
        return one

    @property
    def counts(self) -> Counter[str]:
        """Tests by outcome, those without a run apart."""
        return Counter(
            test["word"] if test["uses"] or test["word"] in ("skipped", "xfailed") else "without a run"
            for test in self.tests.values()
        )

    @property
    def live(self) -> int:
        """Runs that a workflow answered."""
        return sum(run.get("source") in ("live", "emulator") for run in self.runs.values())


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    """The session, made by the first test that needs it."""
    return {}


@pytest.fixture
def folder(made: dict[str, Any], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the reports of the session, its screen and its JUnit XML."""
    if not made:
        project: Project = request.getfixturevalue("project")
        project.write("wisebot.toml", f"{(project.path / 'wisebot.toml').read_text('utf-8')}\n[gate]\nmax-flaky = 0\n")
        project.test(SUITE)
        project.run("--wisebot-runs=record", "-q")
        for path in (project.path / "recordings").rglob("*.json"):
            if '"drift"' in (text := path.read_text("utf-8")):
                path.write_text(text.replace('"billing"', '"another"'), "utf-8")
        monkeypatch.setenv("CRASH", "yes")
        options = ("--wisebot-gate", "--wisebot-env=local", "--wisebot-runs=verify", "--color=yes", "-n2")
        result = project.run(*options, "--wisebot-report=out", "--junitxml=out.xml", "-o", "junit_family=xunit1")
        made["folder"] = project.path
        (project.path / "screen.txt").write_text(result.stdout.str(), "utf-8")
    found: Path = made["folder"]
    return found


def in_folder(folder: Path, name: str) -> str:
    return (folder / name).read_text("utf-8")


def logged(folder: Path) -> Logged:
    return Logged.of(folder / "out" / "runs.jsonl")


def words(markup: str) -> str:
    """What a reader sees of HTML, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", markup)).split())


def test_the_session_has_every_outcome(folder: Path) -> None:
    """More than fifty tests of four workflows, which end in every way there is."""
    log = logged(folder)
    assert len(log.tests) >= 55
    assert {run["workflow"] for run in log.runs.values()} == {"echo", "triage", "refund", "slow"}
    assert {test["word"] for test in log.tests.values()} == {
        "passed", "flaky", "failed", "error", "drift", "infrastructure", "crashed", "not run", "skipped", "xfailed",
    }  # fmt: skip


def test_no_report_has_a_colour_of_pytest(folder: Path) -> None:
    """What ``--color=yes`` writes for terminals stands in none of the reports."""
    for name in ("runs.jsonl", "report.json", "summary.md", "report.html"):
        text = in_folder(folder, f"out/{name}")
        assert not re.search(r"\x1b|\\x1b|\\u001b", text), name


def test_the_json_is_as_the_log(folder: Path) -> None:
    """Outcome, runs, seconds and trials of each test, and the numbers of each workflow."""
    log, document = logged(folder), json.loads(in_folder(folder, "out/report.json"))
    assert Counter(document["all_counts"]) == log.counts
    assert {test["id"] for test in document["tests"]} == {*log.tests}
    for test in document["tests"]:
        event = log.tests[test["id"]]
        assert test["outcome"] == event["word"], test["id"]
        assert (test["seconds"], test["uses_runs"]) == (event["seconds"], event["uses"])
        assert test["runs"] == [run["run"] for run in event["used"]]
        if event.get("trials"):
            each = [{"outcome": one["outcome"], "why": one.get("why", "")} for one in event["trials"]["each"]]
            assert test["trials"]["each"] == each
    outcomes = {"test_it.py::test_trials_failed": ["passed", "failed"] * 3 + ["not needed"] * 4}
    for name, expected in outcomes.items():
        used = {run["run"] for run in log.tests[name]["used"]}
        found = [run["trial_outcome"] for run in document["runs"] if run["reference"] in used]
        assert Counter(found) <= Counter(expected)
        assert [word for word in found if word != "not needed"].count("failed") == 3
    for name, workflow in document["workflows"].items():
        runs = [run for run in log.runs.values() if run["workflow"] == name]
        live = sorted(run["seconds"] for run in runs if run.get("source") in ("live", "emulator"))
        assert (workflow["runs"], workflow["live_runs"]) == (len(runs), len(live))
        assert workflow["slowest"] == (live[-1] if live else None)


def test_the_page_is_as_the_log(folder: Path) -> None:
    """Each row of a test has its outcome, its runs with their seconds, its own seconds, and its trials."""
    log, page = logged(folder), in_folder(folder, "out/report.html")
    rows = re.findall(r'<details class="test .*?</summary>', page, re.DOTALL)
    shown = {words(re.search(r'class="id">(.*?)</span>\n', row, re.DOTALL)[1]).replace(" ", ""): row for row in rows}  # type: ignore[index]
    assert {*shown} == {name for name, test in log.tests.items() if test["uses"]}
    for name, row in shown.items():
        test = log.tests[name]
        badge, *numbers = re.findall(r'class="(?:badge|number)[^>]*>(.*?)</span>\n', row, re.DOTALL)
        assert words(badge).endswith(test["word"]), name
        took = [run["seconds"] for run in test["used"] if "seconds" in run and run.get("source") == "emulator"]
        count = f"{len(test['used'])} run{'' if len(test['used']) == 1 else 's'}"
        time = f"run time {seconds_text(sum(took) if took else None, '-')}"
        assert list(map(words, numbers)) == [count, time, f"test took {duration(test['seconds'])}"], name
        assert ('class="counted"' in row) == bool(test.get("trials"))
    legend = Counter(
        {word: int(number) for number, word in re.findall(r"<b>(\d+)</b> <span><span[^>]*>.</span> ([a-z ]+)<", page)}
    )
    assert legend == Counter(test["word"] for test in log.tests.values() if test["uses"])
    others = re.search(r"<dt>Other tests</dt><dd>(.*?)</dd>", page)
    assert others is not None
    rest = log.counts - legend
    assert Counter({word: int(number) for number, word in re.findall(r"(\d+) ([a-z ]+)", others[1])}) == rest


def test_each_trial_has_its_own_word(folder: Path) -> None:
    """A trial that failed, one that was not needed and one without a verdict look like no trial that passed."""
    log, page, summary = logged(folder), in_folder(folder, "out/report.html"), in_folder(folder, "out/summary.md")
    kinds = {"passed": "passed", "failed": "failed", "no verdict": "infrastructure"}
    for name in ("failed", "flaky", "passed", "not_judged"):
        test = log.tests[f"test_it.py::test_trials_{name}"]
        for run in test["used"]:
            each = test["trials"]["each"]
            word = each[run["trial"] - 1]["outcome"] if run["trial"] <= len(each) else "not needed"
            bar = re.search(rf'<a class="bar ([^"]*)" data-run="{run["run"]}"[^>]*><title>(.*?)</title>', page)
            assert bar is not None
            assert f"trial-{kinds.get(word, 'not-run')}" in bar[1]
            assert f"trial {run['trial']} {word}" in bar[2]
            assert f"trial {run['trial']} {word}</span> run" in page
    assert "passed 3/6, 8 of 10 wanted; 4 not needed" in words(page)
    assert "- trials: passed 3/6, 8 of 10 wanted; 4 not needed\n" in summary
    assert "  - failed: trials 2, 4, 6: AssertionError: every other trial fails" in summary
    assert "  - not needed: trials 7 to 10\n" in summary
    assert "- trials: passed 1/1, then no verdict in trial 2, 3 of 3 wanted\n" in summary


def test_the_summary_is_as_the_log(folder: Path) -> None:
    """It names each test that did not pass with its inputs, and its table of workflows adds up."""
    log, summary = logged(folder), in_folder(folder, "out/summary.md")
    failing = {name for name, test in log.tests.items() if test["word"] not in ("passed", "skipped", "xfailed")}
    assert {*re.findall(r"^### [a-z ]+: `(.*)`$", summary, re.MULTILINE)} == failing
    assert 'inputs `{"n": "wrong"}`' in summary
    header, _, *rows = re.findall(r"^\|.*\|$", summary.partition("## Workflows\n")[2], re.MULTILINE)
    names = [cell.strip() for cell in header.split("|")][1:-1]
    for row in rows:
        cells = dict(zip(names, [cell.strip() for cell in row.split("|")][1:-1], strict=True))
        workflow = cells["workflow"].strip("`")
        tests = [one for one in log.tests.values() if any(run["workflow"] == workflow for run in one["used"])]
        numbers = [0 if cells[name] == "-" else int(cells[name]) for name in names[2 : names.index("pass rate")]]
        assert int(cells["tests"]) == sum(numbers) == len(tests), workflow
        found = Counter(test["word"] for test in tests)
        assert {name: found[name] for name in names[2 : names.index("pass rate")]} == dict(
            zip(names[2 : names.index("pass rate")], numbers, strict=True)
        )


def test_the_block_is_as_the_log(folder: Path) -> None:
    """The numbers of its first line, and the tests of each rule."""
    log, screen = logged(folder), re.sub(r"\x1b\[[\d;]*m", "", in_folder(folder, "screen.txt"))
    block = screen.rpartition("= GATE CLOSED =")[2].splitlines()[1:]
    assert [line for line in block if len(line) > 80] == []
    screen = " ".join(" ".join(block).split())
    headline = re.search(r"GATE CLOSED: (.*); (\d+) live runs against local", screen)
    assert headline is not None
    assert Counter({word: int(number) for number, word in re.findall(r"(\d+) ([a-z ]+)", headline[1])}) == log.counts
    assert int(headline[2]) == log.live
    judged = [
        test["word"]
        for test in log.tests.values()
        if test["word"] in ("passed", "flaky", "failed", "drift") and test["uses"]
    ]
    good = sum(word in ("passed", "flaky") for word in judged)
    assert f"({good} of {len(judged)})" in screen
    assert "test_it.py::test_setup" in screen.partition("other failures")[2].partition("pass rate")[0]


def test_the_junit_is_as_the_log(folder: Path) -> None:
    """Each test that used runs has its outcome and their ids among its properties."""
    log = logged(folder)
    cases = {}
    for case in ET.fromstring(in_folder(folder, "out.xml")).iter("testcase"):
        found = [(one.get("name"), one.get("value")) for one in case.iter("property")]
        if found:
            cases[f"test_it.py::{case.get('name')}"] = found
    used = {name: test for name, test in log.tests.items() if test["uses"] and test["word"] != "crashed"}
    assert {*used} <= {*cases}
    for name, test in used.items():
        assert ("wisebot_outcome", test["word"]) in cases[name], name
        ids = {value for key, value in cases[name] if key == "wisebot_runId"}
        assert ids <= {run.get("runId") for run in test["used"]}
        assert len(ids) == len({run["runId"] for run in map(log.runs.get, test["runs"]) if run and run.get("runId")})


# --- sessions that tell little ----------------------------------------------------------------------------------------

DECLARES = """
    @pytest.mark.wisebot("echo")
    def test_declared(workflow_run):
        pass
"""

SESSIONS: dict[str, tuple[str, list[str], int, str]] = {
    "no runs at all": ("def test_plain(): pass", [], 11, "at least 1 that used a run"),
    "nothing collected": ("", [], 5, "5 (no tests)"),
    "all skipped": ("@pytest.mark.skip\ndef test_later(workflow_run): pass", [], 11, "at least 1 that used a run"),
    "wrong environment": (DECLARES, ["--wisebot-env=nowhere"], 4, '"nowhere", known: local, away'),
    "wrong module": ("import no_such_module", [], 2, "No module named 'no_such_module'"),
    "nothing can run": (DECLARES, ["--wisebot-env=away"], 4, "no test was started: the only test needs a run"),
}
"""Of each session its tests, its options, its exit code, and what every report says of it."""


@pytest.mark.parametrize("session", SESSIONS)
def test_a_session_without_runs_is_as_its_log(project: Project, session: str) -> None:
    """Page, summary, block and JSON have the one reason and no test that the log does not have; so has JUnit XML."""
    tests, options, code, reason = SESSIONS[session]
    away = '[environments.away]\norigin = "http://127.0.0.1:9"\nsecret = "env:FAKE_NOT_SET"\n'
    toml = (project.path / "wisebot.toml").read_text("utf-8")
    project.write("wisebot.toml", f"{textwrap.dedent(toml)}\n{away}")
    project.test(textwrap.dedent(tests))
    given = ("--wisebot-gate", "--wisebot-env=local", "--wisebot-report=out", "--junitxml=out.xml", *options)
    result = project.run(*given)
    log = Logged.of(project.path / "out" / "runs.jsonl")
    document = json.loads(in_folder(project.path, "out/report.json"))
    assert (result.ret, document["verdict"]["code"], log.end["exitstatus"]) == (code, code, code)
    verdict = "GATE CLOSED" if session == "wrong module" else "NO VERDICT"
    assert (document["verdict"]["word"], log.end["verdict"]) == (verdict, verdict)
    assert Counter(document["all_counts"]) == log.counts
    assert {test["id"] for test in document["tests"]} == {*log.tests}
    assert document["workflows"] == {}
    block = " ".join(" ".join(result.outlines).rpartition(f"= {verdict} =")[2].split())
    page, summary = words(in_folder(project.path, "out/report.html")), in_folder(project.path, "out/summary.md")
    for told in (block, page, summary.replace("\\", ""), json.dumps(document, ensure_ascii=False).replace("\\", "")):
        assert verdict in told
        assert reason in " ".join(told.split())
    assert "0 live runs" in block
    assert "0 live runs" in summary
    cases = list(ET.fromstring(in_folder(project.path, "out.xml")).iter("testcase"))
    assert len(cases) == len(log.tests) + len(log.end["not_collected"])
