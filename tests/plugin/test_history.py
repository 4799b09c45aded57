"""``--wisebot-history``, ``merge --history`` and ``pytest-wisebot history``: what sessions leave, and what it shows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from harness import Outside

from pytest_wisebot.cli.main import main as command
from pytest_wisebot.report.__main__ import main
from pytest_wisebot.report.history import Entry, SameOutcome, read_history, write_entry

pytestmark = pytest.mark.usefixtures("wide_terminal")

ENV = "--wisebot-env=outside"
HISTORY = "--wisebot-history=history.jsonl"

TESTS = """
    @pytest.mark.wisebot("echo", {"n": 1})
    def test_stays(workflow_run):
        assert_ok(workflow_run)

    @pytest.mark.wisebot("echo", {"n": 2})
    def test_changes(workflow_run):
        assert workflow_run.ok is WANTED

    @pytest.mark.skip
    def test_skipped(workflow_run):
        pass
"""


class Suite:
    """A project whose test ``test_changes`` passes or fails, on a commit."""

    def __init__(self, outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
        self.outside = outside
        self.path: Path = outside.project.path
        self.file = self.path / "history.jsonl"
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("CIRCLECI", "true")

    def run(self, *args: str, passes: bool = True, commit: str = "a") -> pytest.RunResult:
        self._monkeypatch.setenv("CIRCLE_SHA1", commit * 40)
        self.outside.test(f"WANTED = {passes}\n", TESTS)
        return self.outside.run(ENV, HISTORY, *args)

    def gate(self, line: str) -> None:
        toml = self.path / "wisebot.toml"
        toml.write_text(f"{toml.read_text('utf-8')}\n[gate]\n{line}\n", "utf-8")

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.file.read_text("utf-8").splitlines()]

    def report(self, folder: str = "out") -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.path / folder / "report.json").read_text("utf-8"))
        return found

    def fill(self, outcomes: str, commit: str = "b") -> None:
        """Adds sessions in which ``test_changes`` had these outcomes."""
        words = {".": "passed", "F": "failed", "~": "flaky"}
        for number, letter in enumerate(outcomes):
            tests = (
                SameOutcome("passed", "test_it.py::", ("test_stays",)),
                SameOutcome(words[letter], "test_it.py::", ("test_changes",)),
            )
            one = Entry(f"{len(outcomes)}{number:06}", 1e9 + number, environment="outside", tests=tests)
            write_entry(self.file, one, 200)


@pytest.fixture
def suite(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> Suite:
    return Suite(outside, monkeypatch)


@pytest.mark.parametrize("args", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_each_session_adds_one_line(suite: Suite, args: tuple[str, ...]) -> None:
    """With and without workers, with a verdict or not: outcomes, workflows and commit, as the log has them."""
    suite.run(*args)
    result = suite.run("--wisebot-report=out", "--wisebot-gate", *args, passes=False, commit="c")
    result.stdout.fnmatch_lines(["wisebot: reports in out", "wisebot: history in history.jsonl"])
    first, second = suite.lines
    assert (first["verdict"], first["exitstatus"], first["build"]["commit"]) == ("NOT GATED", 0, "a" * 40)
    assert (second["verdict"], second["exitstatus"], second["build"]["commit"]) == ("GATE CLOSED", 1, "c" * 40)
    outcomes = {f"{file}{name}": word for word, file, names in second["tests"] for name in names}
    assert outcomes == {one["id"]: one["outcome"] for one in suite.report()["tests"]}
    assert sorted(outcomes.values()) == ["failed", "passed", "skipped"]
    ((name, figures),) = second["workflows"]
    known = suite.report()["workflows"][name]
    assert (name, figures["live_runs"], figures["passed"], figures["judged"]) == ("echo", 2, 1, 2)
    assert figures["p95"] == pytest.approx(known["p95"], abs=0.001)
    assert {one["mode"] for one in suite.lines} == {"live"}


@pytest.mark.parametrize(
    ("args", "passes", "verdict"),
    [
        (("--wisebot-gate", "-k", "stays"), True, "NO VERDICT"),
        (("--wisebot-gate", "--wisebot-max-runs=0"), True, "NO VERDICT"),
        (("-x",), False, "NOT GATED"),
    ],
    ids=["a part of the suite", "no runs", "ended early"],
)
def test_a_session_without_a_verdict_is_written_too(
    suite: Suite, args: tuple[str, ...], passes: bool, verdict: str
) -> None:
    """With its outcomes as they are."""
    result = suite.run(*args, "--wisebot-report=out", passes=passes)
    (line,) = suite.lines
    assert (line["verdict"], line["exitstatus"]) == (verdict, result.ret)
    outcomes = {f"{file}{name}": word for word, file, names in line["tests"] for name in names}
    assert outcomes == {one["id"]: one["outcome"] for one in suite.report()["tests"]}


def test_page_json_and_terminal_show_the_same(suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    """Each strip is that of the file; since when a test fails, and how often it was flaky, stands beside it."""
    suite.fill("..~F.FF")
    suite.run("--wisebot-report=out", passes=False)
    history = suite.report()["history"]
    changes, stays = history["tests"]["test_it.py::test_changes"], history["tests"]["test_it.py::test_stays"]
    words = ["passed", "passed", "flaky", "failed", "passed", "failed", "failed", "failed"]
    assert (changes["outcomes"], changes["flaky"], changes["judged"]) == (words, 1, 8)
    assert changes["failing_since"] == {"commit": "", "started": "2001-09-09T01:46:45.000+00:00"}
    assert (stays["outcomes"], stays["failing_since"]) == (["passed"] * 8, None)
    assert history["workflows"]["echo"]["outcomes"] == [None] * 7 + ["failed"]
    assert [one["started"] for one in history["sessions"]][:2] == [
        "2001-09-09T01:46:40.000+00:00",
        "2001-09-09T01:46:41.000+00:00",
    ]
    page = (suite.path / "out/report.html").read_text("utf-8")
    section = page.partition('id="history"')[2].partition("</section>")[0]
    assert "<script" not in page
    (row,) = re.findall(r"<li>(?:(?!<li>).)*?test_changes</a>.*?</li>", section, re.DOTALL)
    assert 'aria-label="4 failed, 3 passed, 1 flaky"' in row
    drawn = re.findall(r'<path class="([a-z-]+)" d="M(\d+) 8h(\d+)"', row)
    assert drawn == [
        ("passed", "0", "16"),
        ("flaky", "16", "8"),
        ("failed", "24", "8"),
        ("passed", "32", "8"),
        ("failed", "40", "24"),
    ]
    notes = ["failing since 2001-09-09", "flaky 12.5% (1 of 8 sessions)"]
    assert all(note in row for note in notes)
    summary = (suite.path / "out/summary.md").read_text("utf-8")
    assert "- failing since 2001-09-09; flaky 12.5% (1 of 8 sessions)\n" in summary

    capsys.readouterr()
    assert command(["history", str(suite.file)]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    at = lines.index("..~F.FFF  test_it.py::test_changes")
    assert lines[at + 1 : at + 3] == notes
    assert lines[0] == "outside: 8 sessions, the latest on the right"
    assert "1 test passed in each of its sessions; -v shows them" in lines
    assert "s  test_it.py::test_skipped" in lines


def test_a_flaky_test_closes_the_gate_and_again_later(suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    """The verdict is in the log: it is the same without the file, and when more sessions are in it."""
    suite.gate("max-flaky-rate = 0.1")
    suite.fill("~~.......")
    result = suite.run("--wisebot-gate", "--wisebot-report=out")
    assert result.ret == 1
    measured = "up to 20% (2 of 10 sessions), 1 test above: test_it.py::test_changes"
    wanted = "wanted at most 10% of a test's last 30 sessions"
    result.stdout.fnmatch_lines([f"  closed  flaky rate * {wanted} * measured {measured}"])
    suite.fill("." * 40)
    assert main([str(suite.path / "out")]) == 1
    assert measured in capsys.readouterr().out
    assert main([str(suite.path / "out"), f"--history={suite.file}"]) == 1
    suite.file.unlink()
    assert main([str(suite.path / "out")]) == 1
    assert suite.report()["history"]["tests"]["test_it.py::test_changes"]["flaky"] == 2
    assert not suite.file.exists()


def test_a_job_that_is_started_again_until_it_is_green(suite: Suite) -> None:
    """A pass after a failure on the same commit is flaky at once; on a new commit it is a repair."""
    suite.gate("max-flaky-rate = 0")
    suite.fill("........")
    assert suite.run("--wisebot-gate", passes=False).ret == 1
    assert suite.run("--wisebot-gate", passes=True).ret == 1
    suite.file.write_bytes(b"".join(suite.file.read_bytes().splitlines(keepends=True)[:-1]))
    assert suite.run("--wisebot-gate", passes=True, commit="d").ret == 0


def test_the_first_sessions_are_not_judged(suite: Suite) -> None:
    """Fewer than ten shut nothing; a limit without ``--wisebot-history`` does."""
    suite.gate("max-flaky-rate = 0")
    result = suite.run("--wisebot-gate")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["  not judged  flaky rate * measured 2 tests with a verdict in fewer than 10 sessions*"]
    )
    result = suite.outside.run(ENV, "--wisebot-gate")
    assert result.ret == 11
    result.stdout.fnmatch_lines(["  no verdict  flaky rate * wanted *: --wisebot-history=FILE * measured no history"])


def test_what_others_left_in_the_file_is_named(suite: Suite) -> None:
    """A torn line costs its own session alone, and each report tells of it."""
    suite.fill("..")
    suite.file.write_bytes(suite.file.read_bytes() + b'{"format":1,"id":"torn')
    result = suite.run("--wisebot-report=out")
    told = "wisebot: --wisebot-history: history.jsonl: 1 line left out: line 3 is not valid JSON"
    result.stdout.fnmatch_lines([told])
    assert suite.report()["history"]["left_out"] == ["line 3 is not valid JSON"]
    assert "line 3 is not valid JSON" in (suite.path / "out/report.html").read_text("utf-8")
    assert len(suite.report()["history"]["sessions"]) == 3
    found = read_history(suite.file, "")
    assert (len(found.entries), len(found.left_out)) == (3, 1)


def test_the_number_of_sessions_is_a_setting(suite: Suite) -> None:
    """``[report] history-sessions`` bounds the file."""
    toml = suite.path / "wisebot.toml"
    toml.write_text(f"{toml.read_text('utf-8')}\n[report]\nhistory-sessions = 3\n", "utf-8")
    suite.fill("....")
    suite.run()
    assert [one["environment"] for one in suite.lines] == ["outside"] * 3
    assert suite.lines[-1]["build"]["commit"] == "a" * 40


UNUSABLE = {
    "test_it.py": "is not a history: line 1 is not valid JSON, and no other line is a session's either.*",
    "notes.txt": "is not a history: line 1 is not valid JSON, and no other line is a session's either.*",
    ".": "is not a file",
    "secret.txt/history.jsonl": "cannot be written: File exists",
    "wisebot.toml": "is the settings file, or in it: *",
    "steps.md": "is the file of --wisebot-summary, or in it: *",
    "first.jsonl": "is the --wisebot-baseline, or in it: *",
    "out/history.jsonl": "is the folder of --wisebot-report, or in it: *",
}


def test_a_file_that_cannot_be_used_is_told_before_any_run(suite: Suite) -> None:
    """A wrong path is an error of usage, and nothing is written there."""
    suite.outside.test("WANTED = True\n", TESTS)
    (suite.path / "notes.txt").write_text("a note\n", "utf-8")
    suite.outside.run(ENV, "--wisebot-report=first", "-k", "stays")
    (suite.path / "first/runs.jsonl").rename(suite.path / "first.jsonl")
    asked, before = len(suite.outside.calls), {one: one.read_bytes() for one in suite.path.iterdir() if one.is_file()}
    others = ["--wisebot-summary=steps.md", "--wisebot-report=out", "--wisebot-baseline=first.jsonl"]
    for name, message in UNUSABLE.items():
        result = suite.outside.run(ENV, *others, f"--wisebot-history={name}")
        assert result.ret == pytest.ExitCode.USAGE_ERROR, name
        result.stderr.fnmatch_lines([f"ERROR: --wisebot-history: {name}: {message}"])
        assert {one: one.read_bytes() for one in suite.path.iterdir() if one.is_file()} == before, name
        assert len(suite.outside.calls) == asked, name


FOREIGN = {
    "another program's": (b"a note of another program\n", "is not a history: line 1 is not valid JSON, and no other *"),
    "replaced by a folder": (None, "is not a file"),
}


@pytest.mark.parametrize("how", FOREIGN)
def test_a_history_that_becomes_another_program_s_during_a_session_stays_as_it_is(suite: Suite, how: str) -> None:
    """What another program has written there meanwhile is not lost; one line names the file, and the tests count."""
    content, message = FOREIGN[how]
    suite.fill("..")
    change = f"file.write_bytes({content!r})" if content else "file.mkdir()"
    suite.outside.project.write(
        "conftest.py",
        f"""
        from pathlib import Path

        def pytest_runtest_logfinish(nodeid):
            file = Path({str(suite.file)!r})
            if nodeid.endswith("test_stays"):
                file.unlink()
                {change}
        """,
    )
    result = suite.run()
    result.assert_outcomes(passed=2, skipped=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [f"wisebot: --wisebot-history: history.jsonl: {message}. It stays as it is: nothing was added"]
    )
    assert result.stdout.str().count("It stays as it is") == 1
    result.stdout.no_fnmatch_line("wisebot: history in *")
    assert suite.file.read_bytes() == content if content else [*suite.file.iterdir()] == []


def test_merge_writes_no_history_over_another_file(suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor over what it writes itself; before it writes anything."""
    suite.outside.test("WANTED = True\n", TESTS)
    suite.outside.run(ENV, "--wisebot-report=shard")
    (suite.path / "notes.txt").write_text("a note\n", "utf-8")
    for name, message in (("notes.txt", "is not a history"), ("all/history.jsonl", "is the folder of -o, or in it")):
        merge = ["merge", str(suite.path / "shard"), "-o", str(suite.path / "all"), "--history", str(suite.path / name)]
        assert main(merge) not in (0, 1)
        assert f"{name}: {message}" in capsys.readouterr().err
    assert (suite.path / "notes.txt").read_text("utf-8") == "a note\n"
    assert not (suite.path / "all").exists()


def test_merge_adds_one_line_for_all_shards(suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    """And judges by the history; a second merge of the same shards adds none, and comes to the same verdict."""
    suite.gate("max-flaky-rate = 0.1")
    suite.fill("~~.......")
    for number, test in enumerate(("stays", "changes or skipped")):
        suite.outside.test("WANTED = True\n", TESTS)
        suite.outside.run(ENV, f"--wisebot-report=shard-{number}", "-k", test)
    shards = [str(suite.path / f"shard-{number}") for number in range(2)]
    merge = ["merge", *shards, "-o", str(suite.path / "all"), "--history", str(suite.file)]
    assert main(merge) == 1
    assert "up to 20% (2 of 10 sessions), 1 test above: test_it.py::test_changes" in capsys.readouterr().out
    assert len(suite.lines) == 10
    line = suite.lines[-1]
    assert (line["verdict"], line["environment"]) == ("GATE CLOSED", "outside")
    assert sum(len(names) for _, _, names in line["tests"]) == 3
    assert main(merge) == main([str(suite.path / "all")]) == 1
    assert [one["id"] for one in suite.lines][-1] == line["id"]
    assert len(suite.lines) == 10
    assert main(merge[:-2]) == 11
    assert "no history" in capsys.readouterr().out


def test_a_shard_of_pytest_split_leaves_its_line_to_merge(suite: Suite) -> None:
    """It is judged by the history, and adds nothing to it; a line tells so."""
    suite.outside.project.write(
        "conftest.py",
        """
        def pytest_addoption(parser):
            parser.addoption("--group", type=int)
            parser.addoption("--splits", type=int)
        """,
    )
    suite.fill("..")
    result = suite.run("--group=1", "--splits=4", "--wisebot-report=out")
    result.stdout.fnmatch_lines(
        ["wisebot: shard 1 of 4 adds nothing to history.jsonl: pytest-wisebot merge --history does"]
    )
    assert len(suite.lines) == 2
    assert len(suite.report()["history"]["sessions"]) == 3


def test_runs_that_were_made_earlier_change_no_trend(suite: Suite) -> None:
    """A session with ``--wisebot-runs=last`` is written, and is in no strip."""
    suite.run()
    suite.run("--wisebot-runs=last", passes=False)
    suite.run("--wisebot-report=out")
    assert [one["mode"] for one in suite.lines] == ["live", "last", "live"]
    assert suite.report()["history"]["tests"]["test_it.py::test_changes"]["outcomes"] == ["passed", "passed"]


# --- the command


def run_command(suite: Suite, *args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "pytest_wisebot", "history", *args]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii:strict", **variables}
    return subprocess.run(
        program, cwd=suite.path, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_a_terminal_of_ascii_shows_it_all(suite: Suite) -> None:
    """Names of other scripts, and control characters, are escaped; the strips are ASCII."""
    tests = (SameOutcome("failed", "test_é.py::", ("test_a[\x1b[2J→]",)),)
    write_entry(suite.file, Entry("1", 1e9, environment="schön", tests=tests), 200)
    done = run_command(suite, "history.jsonl")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "sch\\xf6n: 1 session, the latest on the right\n"
        "  latest: 2001-09-09 01:46:40 UTC\n"
        "\n"
        "  tests\n"
        "    F  test_\\xe9.py::test_a[\\x1b[2J\\u2192]\n"
        "       failing since at least 2001-09-09\n"
        "\n"
        "  F failed\n"
        "\n"
    )


def test_options_choose_environment_and_sessions(suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    """All environments by default, the latest first; ``-v`` shows the steady tests."""
    suite.fill("FFF....")
    write_entry(suite.file, Entry("x", 1e9, environment="production", tests=()), 200)
    assert command(["history", str(suite.file)]) == 0
    heads = [line for line in capsys.readouterr().out.splitlines() if line and not line.startswith(" ")]
    assert heads == [
        "production: 1 session, the latest on the right",
        "outside: 7 sessions, the latest on the right",
    ]
    assert command(["history", str(suite.file), "--env=outside", "--last", "3", "-v"]) == 0
    out = capsys.readouterr().out
    assert "outside: 3 sessions of 7, the latest on the right" in out
    assert "    ...  test_it.py::test_changes\n" in out
    assert "production" not in out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nothing.jsonl"], "nothing.jsonl: there is no such file"),
        (["."], ".: is not a file"),
        (["empty.jsonl"], "empty.jsonl: is empty: it has no session"),
        (["torn.jsonl"], "torn.jsonl: 1 line left out: line 1 is not valid JSON: it has no session"),
        (["history.jsonl", "--environment", "outsid"], 'no session of environment "outsid", did you mean "outside"?'),
        (["history.jsonl", "--last", "0"], "argument --last: expected a whole number of at least 1, got '0'"),
    ],
)
def test_what_cannot_be_read_is_told(
    suite: Suite, capsys: pytest.CaptureFixture[str], args: list[str], message: str
) -> None:
    """With exit code 2."""
    suite.fill("..")
    (suite.path / "empty.jsonl").write_text("")
    (suite.path / "torn.jsonl").write_text('{"format":1')
    try:
        code = command(["history", *args])
    except SystemExit as ended:
        code = int(str(ended.code))
    done = capsys.readouterr()
    assert (code, done.out) == (2, "")
    assert message in done.err


def test_the_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    """As each command's."""
    with pytest.raises(SystemExit):
        command(["history", "--help"])
    assert "for example: pytest-wisebot history history.jsonl --env=staging --last=10" in capsys.readouterr().out
