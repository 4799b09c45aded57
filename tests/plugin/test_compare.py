"""``pytest-wisebot compare A B``: two sessions by folder, log or name; exit codes; what cannot be read is named."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from harness import Project

CANARY = "CANARY-credential-of-echo"

SUITE = """
    @pytest.mark.wisebot("triage", {{"message": "{message}"}})
    def test_triage(workflow_run):
        assert workflow_run.result["category"] == "billing"

    @pytest.mark.wisebot("echo", {{"at": "{moment}", "text": "{text}"}})
    def test_echo(workflow_run):
        assert workflow_run.ok
"""


def compare(project: Project, *args: str) -> pytest.RunResult:
    """Runs the command in the project's folder."""
    return project.pytester.run(sys.executable, "-m", "pytest_wisebot", "compare", *args)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test that needs the two sessions leaves them for the others."""
    return tmp_path_factory.mktemp("sessions") / "project"


@pytest.fixture
def sessions(project: Project, made: Path) -> Project:
    """Two sessions: in the second one a result differs, and its test fails."""
    if made.exists():
        shutil.copytree(made, project.path, dirs_exist_ok=True)
        return project
    for folder, message in (("before", "charged twice"), ("after", "where is it?")):
        project.test(SUITE.format(message=message, moment="2026-11-30T10:00:00Z", text="same"))
        project.run("--wisebot-report", folder)
    shutil.copytree(project.path, made, ignore=shutil.ignore_patterns("__pycache__"))
    return project


def test_folders_logs_and_kept_sessions(sessions: Project) -> None:
    """A and B are folders of reports, logs, or kept sessions by name, ``last`` and ``last-1``: all show the same."""
    newest, oldest = sorted((one.name for one in (sessions.path / ".wisebot/sessions").iterdir()), reverse=True)
    for a, b in [("before", "after/runs.jsonl"), (oldest, newest), ("last-1", "last")]:
        result = compare(sessions, a, b)
        assert result.ret == 0
        result.stdout.fnmatch_lines(
            [
                f"A  {a}: local (emulator flows:emulator), *",
                f"B  {b}: local (emulator flows:emulator), *",
                "newly failing: 1 test",
                "  test_it.py::test_triage",
                "    A passed -> B failed: AssertionError*",
                "unchanged: 1 test",
                "results: 1 of 2 tests with runs in both differ",
                "  test_it.py::test_triage",
                '    triage (webhook): inputs were {"message": "charged twice"}, now *',
                "      result.category",
                '        - "billing"',
                '        + "other"',
                "  pass rate  A  100% (1 of 1), 95% interval 20.7% to 100%",
                "             B  100% (1 of 1), 95% interval 20.7% to 100%: too few to say",
                "regression: 1 test newly failing",
            ]
        )


def test_exit_codes(sessions: Project) -> None:
    """0; 1 with ``--fail-on-regression`` and a newly failing test; 0 the other way round; 2 for what is not there."""
    assert compare(sessions, "before", "after", "--fail-on-regression").ret == 1
    assert compare(sessions, "after", "before", "--fail-on-regression").ret == 0
    assert compare(sessions, "before", "nowhere", "--fail-on-regression").ret == 2


WRONG = [
    (("before", "lats"), "B: there is no file, folder or kept session 'lats'; kept, the newest (last) first: 2*"),
    (("last-7", "after"), "A: there is no file, folder or kept session 'last-7'; kept, the newest (last) first: 2*"),
    (("before", "empty"), "B: empty: has no runs.jsonl: it is not a folder of reports"),
    (("before", "torn.jsonl"), "torn.jsonl: line 1 is not valid JSON"),
    (("before", "none.jsonl"), "B: none.jsonl: holds no test"),
    (("before", "after", "--html", "nowhere/page.html"), "nowhere/*: No such file or directory"),
    (("before", "after", "--config", "other.toml"), "--wisebot-config: there is no file *other.toml"),
]


def test_what_cannot_be_read_is_named(sessions: Project) -> None:
    """A session, a log or a file that is wrong is one line on stderr with the code 2."""
    (sessions.path / "empty").mkdir()
    sessions.write("torn.jsonl", "not JSON\n")
    sessions.write("none.jsonl", '{"event": "session", "format": 1}\n')
    for args, message in WRONG:
        result = compare(sessions, *args)
        assert (result.ret, result.outlines) == (2, [])
        result.stderr.fnmatch_lines([f"pytest-wisebot compare: {message}"])


def test_without_a_project(project: Project) -> None:
    """Where no session is kept, and no wisebot.toml lies, folders are compared all the same."""
    project.test(SUITE.format(message="charged", moment="now", text="same"))
    project.run("--wisebot-report", "before")
    project.write("wisebot.toml", "[environments.broken]\nemulater = 'flows'\n")
    result = compare(project, "before", "before")
    assert result.ret == 2
    result.stderr.fnmatch_lines(["*emulater*"])
    (project.path / "wisebot.toml").unlink()
    assert compare(project, "before", "before").ret == 0


def test_values_that_differ_each_time_are_no_difference(project: Project) -> None:
    """Moments and ids are made alike, and what ``[snapshots] volatile`` names."""
    for folder, text in (("before", "one"), ("after", "two")):
        project.test(
            """
            import datetime, uuid

            def test_echo(trigger_workflow):
                now = datetime.datetime.now(datetime.timezone.utc).isoformat()
                trigger_workflow("echo", {"at": now, "id": str(uuid.uuid4()), "text": "TEXT"})
        """.replace("TEXT", text)
        )
        project.run("--wisebot-report", folder)
    compare(project, "before", "after").stdout.fnmatch_lines(
        ["      result.text", '        - "one"', '        + "two"']
    )
    project.edit(
        "wisebot.toml", "[environments.local]", '[snapshots]\nvolatile = ["result.text"]\n\n[environments.local]'
    )
    compare(project, "before", "after").stdout.fnmatch_lines(["results: 0 of 1 test with runs in both differ"])


def test_markdown_and_page(sessions: Project) -> None:
    """``--markdown -`` prints Markdown alone; files are written, the style of the page beside it."""
    printed = compare(sessions, "before", "after", "--markdown", "-")
    assert printed.outlines[0] == "# 1 newly failing"
    result = compare(sessions, "before", "after", "--markdown", "it.md", "--html", "it.html")
    assert result.outlines[0].startswith("A  before: ")
    assert (sessions.path / "it.md").read_text("utf-8").splitlines() == printed.outlines
    page = (sessions.path / "it.html").read_text("utf-8")
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert (sessions.path / "report.css").is_file()


def test_no_credential_is_shown(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A credential that became one of the settings after the log was written is masked everywhere."""
    project.test(SUITE.format(message="charged", moment="now", text="same"))
    project.run("--wisebot-report", "before")
    log = (project.path / "before/runs.jsonl").read_text("utf-8")
    project.edit("wisebot.toml", "[environments.local]", '[environments.local]\nsecret = "env:CANARY"')
    monkeypatch.setenv("CANARY", CANARY)
    for name, text in (("one", "first"), ("two", "second")):
        project.write(f"{name}.jsonl", log.replace("same", f"{text} {CANARY}"))
    result = compare(project, "one.jsonl", "two.jsonl", "--html", "it.html", "--markdown", "it.md")
    written = [(project.path / name).read_text("utf-8") for name in ("it.html", "it.md")]
    for text in (result.stdout.str(), *written):
        assert CANARY not in text
        assert "second" in text
