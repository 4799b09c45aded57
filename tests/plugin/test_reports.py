"""``--wisebot-report``, ``--wisebot-summary`` and ``--wisebot-baseline``: what is written, when, and by whom."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from harness import Outside

from pytest_wisebot.event_log import read_events
from pytest_wisebot.report.markdown import MOST_BYTES

SUITE = """
    @pytest.mark.wisebot("echo", {"n": 1})
    def test_passes(workflow_run):
        assert_ok(workflow_run)

    @pytest.mark.wisebot("refund", {"n": 2})
    def test_fails(workflow_run):
        assert_ok(workflow_run)

    @pytest.mark.wisebot("echo", {"n": 3}, trials=3, min_passes=1)
    def test_flaky(workflow_run, count=[]):
        count.append(1)
        assert len(count) > 1

    def test_plain():
        pass

    def test_deselected(trigger_workflow):
        pass
"""
FILES = {"runs.jsonl", "report.json", "summary.md", "report.html", "report.css"}


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)


def document(outside: Outside, folder: str = "out") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((outside.project.path / folder / "report.json").read_text("utf-8"))
    return found


@pytest.mark.parametrize("args", [[], ["-n", "2"]], ids=["one process", "xdist"])
def test_every_report_is_written(outside: Outside, args: list[str]) -> None:
    """On the controller under xdist, with the tests and runs of all workers; the exit code stays pytest's."""
    outside.test(SUITE)
    result = outside.run("--wisebot-report", "out/of here", "-k", "not deselected", *args)
    assert result.ret == 1
    assert "wisebot: reports in out/of here" in result.outlines
    assert {path.name for path in (outside.project.path / "out/of here").iterdir()} == FILES
    told = document(outside, "out/of here")
    assert told["verdict"]["word"] == "NOT GATED"
    assert told["counts"] == {"passed": 1, "flaky": 1, "failed": 1}
    assert {test["id"]: (test["outcome"], len(test["runs"])) for test in told["tests"]} == {
        "test_it.py::test_passes": ("passed", 1),
        "test_it.py::test_fails": ("failed", 1),
        "test_it.py::test_flaky": ("flaky", 2),
        "test_it.py::test_plain": ("passed", 0),
    }
    session, *_, end = read_events(outside.project.path / "out/of here" / "runs.jsonl")
    assert session["deselected"] == ["test_it.py::test_deselected"]
    assert (end["exitstatus"], end["failures_elsewhere"], end["failed_by"]) == (1, 0, [])


def test_what_an_earlier_session_reported_is_not_taken_for_this_one_s(outside: Outside) -> None:
    """Not even where this one is killed, or fails before its first test."""
    folder = outside.project.path / "out"
    folder.mkdir()
    for name in (*FILES, "of-the-user.txt"):
        (folder / name).write_text("old")
    outside.project.write("test_it.py", "import nothing_of_this_name")
    outside.run("--wisebot-report", "out")
    assert (folder / "of-the-user.txt").read_text() == "old"
    assert document(outside)["sessions"][0]["exitstatus"] == 2


def test_a_session_without_any_run_is_reported_too(outside: Outside) -> None:
    """And leaves nothing under ``.wisebot``, as before."""
    outside.project.write("test_it.py", "def test_plain(): pass")
    result = outside.run("--wisebot-report", "out")
    assert result.ret == 0
    assert [test["outcome"] for test in document(outside)["tests"]] == ["passed"]
    assert not (outside.project.path / ".wisebot").exists()


@pytest.mark.parametrize("mode", ["replay", "last"])
def test_a_session_that_asks_nobody_is_reported_too(outside: Outside, mode: str) -> None:
    """Of runs that were made earlier, and says so."""
    outside.test(SUITE)
    outside.run("--wisebot-runs=record")
    outside.run(f"--wisebot-runs={mode}", "--wisebot-report", "out", "-k", "test_passes")
    (run,) = document(outside)["runs"]
    assert run["source"] == {"replay": "recording", "last": "last"}[mode]


@pytest.mark.parametrize(
    "option",
    [
        "--collect-only",
        "--wisebot-plan",
        "--setup-plan",
        "--fixtures",
        "--help",
        "--markers",
        "--cache-show",
        "--version",
    ],
)
def test_where_nothing_runs_nothing_is_reported(outside: Outside, option: str) -> None:
    """A plan, or a look at the help, makes no folder, and takes away no report."""
    outside.test(SUITE)
    outside.run_with_cache("--wisebot-report", "out", "--wisebot-gate", option)
    assert not (outside.project.path / "out").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--wisebot-report", "a-file"], "--wisebot-report=a-file: cannot be written: File exists"),
        (["--wisebot-baseline", "nowhere"], "--wisebot-baseline: {path}/nowhere: cannot be read: No such file or"),
        (["--wisebot-baseline", "a-file"], "--wisebot-baseline: {path}/a-file: holds no test that has ended: a runs"),
    ],
)
def test_what_cannot_be_is_told_before_any_run(outside: Outside, args: list[str], message: str) -> None:
    """A run that was paid for would be lost to a report that cannot be written."""
    outside.test(SUITE)
    (outside.project.path / "a-file").touch()
    result = outside.run(*args)
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"ERROR: {message.format(path=outside.project.path)}*"])
    assert outside.arrived == []


def test_the_summary_is_added_to_a_file(outside: Outside) -> None:
    """As CI services want it: what others wrote there stays, and the summary begins on a line of its own."""
    outside.test(SUITE)
    page = outside.project.path / "page.md"
    for text in ("# Of another step\n", "# Of another step"):
        page.write_text(text)
        outside.run("--wisebot-summary", "page.md", "-k", "test_passes")
        assert page.read_text("utf-8").startswith("# Of another step\n# Wisebot workflows\n\n**1 passed**; 1 live run")
    assert not list(outside.project.path.glob("**/summary.md"))


def test_a_summary_reckons_with_what_its_file_holds(outside: Outside) -> None:
    """GitHub drops a file of more than 1 MiB as a whole: the summary gets shorter, or is left out, which is told."""
    outside.test(SUITE)
    page = outside.project.path / "page.md"
    told = "wisebot: --wisebot-summary=page.md: has no room for more: GitHub shows at most 1 MiB"
    for size, ends in ((MOST_BYTES - 300, "**This page has no room for more.**\n"), (MOST_BYTES, "x\n")):
        page.write_text(f"{'x' * (size - 1)}\n")
        result = outside.run("--wisebot-summary", "page.md", "-k", "test_passes or test_fails")
        assert page.read_text("utf-8").endswith(ends)
        assert len(page.read_bytes()) <= MOST_BYTES
        assert (told in result.outlines) == (size == MOST_BYTES)


def test_a_summary_that_cannot_be_written_is_told(outside: Outside) -> None:
    """At the session's end, and without changing its exit code."""
    outside.test(SUITE)
    result = outside.run("--wisebot-summary", "nowhere/page.md", "-k", "test_passes")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["wisebot: --wisebot-summary=nowhere/page.md: cannot be written: No such file or*"])


def test_a_session_beside_an_earlier_one(outside: Outside) -> None:
    """What fails that did not, apart from what failed before, and what is fixed."""
    outside.test("""
        @pytest.mark.parametrize("n", [1, 2, 3, 4])
        def test_it(trigger_workflow, n):
            run = trigger_workflow("echo", {"n": n})
            assert run.result["n"] not in FAILS

        FAILS = [1, 2]
    """)
    outside.run("--wisebot-report", "before")
    outside.project.edit("test_it.py", "FAILS = [1, 2]", "FAILS = [2, 3]")
    result = outside.run("--wisebot-baseline", "before/runs.jsonl", "--wisebot-report", "out")
    start = result.outlines.index("wisebot: beside before/runs.jsonl:")
    lines = result.outlines[start + 1 : start + 5]
    assert lines[:3] == [
        "wisebot:   newly failing: 1 (test_it.py::test_it[3])",
        "wisebot:   failing before, too: 1 (test_it.py::test_it[2])",
        "wisebot:   newly fixed: 1 (test_it.py::test_it[1])",
    ]
    assert lines[3].startswith("wisebot:   echo: pass rate 50% (2 of 4), baseline 50% (2 of 4); p95 ")
    assert document(outside)["baseline"]["newly_failing"] == ["test_it.py::test_it[3]"]


def test_the_report_folder_may_be_its_own_baseline(outside: Outside) -> None:
    """It is read before it is written anew."""
    outside.test(SUITE)
    outside.run("--wisebot-report", "out", "-k", "test_passes")
    result = outside.run("--wisebot-report", "out", "--wisebot-baseline", "out", "-k", "test_passes")
    assert "wisebot:   newly failing: none" in result.outlines


# --- a session that is killed


@pytest.fixture
def killed(outside: Outside) -> Path:
    """The report folder of a session that was killed while its third test waited."""
    outside.test("""
        @pytest.mark.parametrize("n", [1, 2])
        def test_ends(trigger_workflow, n):
            assert_ok(trigger_workflow("echo", {"n": n}))

        def test_waits(trigger_workflow):
            trigger_workflow("gate", {"until": GATE, "n": 3})

        def test_never(trigger_workflow):
            trigger_workflow("echo", {"n": 4})
    """)
    args = [sys.executable, "-m", "pytest", "-p", "no:randomly", "--wisebot-report", "out", "--wisebot-env", "outside"]
    with (outside.project.path / "log.txt").open("wb") as log:
        process = subprocess.Popen(args, cwd=outside.project.path, stdout=log, stderr=log)
    try:
        ends_at = time.monotonic() + 60
        while 3 not in outside.arrived:
            assert time.monotonic() < ends_at, (outside.project.path / "log.txt").read_text()
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait(30)
    path: Path = outside.project.path / "out"
    return path


def test_nothing_is_lost_when_a_session_is_killed(killed: Path) -> None:
    """What had ended is in the log, and the rest is built from it."""
    assert {path.name for path in killed.iterdir()} == {"runs.jsonl"}
    command = [sys.executable, "-m", "pytest_wisebot.report", str(killed)]
    built = subprocess.run(command, capture_output=True, text=True, check=True)
    assert built.stdout.startswith("NOT GATED, killed: 2 tests never reported; 2 passed; 2 live runs against outside\n")
    assert built.stdout.splitlines()[-1] == f"reports in {killed}"
    assert {path.name for path in killed.iterdir()} == FILES
    told = json.loads((killed / "report.json").read_text("utf-8"))
    assert [test["outcome"] for test in told["tests"]] == ["passed", "passed"]
    assert told["unreported"] == ["test_it.py::test_waits", "test_it.py::test_never"]
    assert told["sessions"][0]["ended"] is None
