"""Where a session comes from, in the log, on the terminal, in summary, JSON and page; and the links of reports."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from harness import Outside, Project

ENV = "--wisebot-env=outside"

COMMIT = "83a20ec058e2fb00e7fa4558c4c6e81e2dcf253d"
JOB = "https://github.com/acme/shop/actions/runs/77"

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SHA": COMMIT,
    "GITHUB_REF": "refs/pull/12/merge",
    "GITHUB_HEAD_REF": "fix/triage",
    "GITHUB_JOB": "e2e",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/shop",
    "GITHUB_RUN_ID": "77",
}

TESTS = """
    @pytest.mark.wisebot("echo", {"n": 1})
    def test_stays(workflow_run):
        assert_ok(workflow_run)

    @pytest.mark.wisebot("echo", {"n": 2})
    def test_fails(workflow_run):
        assert not workflow_run.ok
"""


@pytest.fixture
def on_github(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GITHUB.items():
        monkeypatch.setenv(name, value)


def events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def page_text(path: Path) -> str:
    """The words of the page, without its markup."""
    body = path.read_text("utf-8").partition("<body>")[2]
    return html.unescape(" ".join(re.sub(r"<[^>]*>", "", body).split()))


@pytest.mark.usefixtures("on_github")
@pytest.mark.parametrize("args", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_each_report_shows_where_a_session_comes_from(outside: Outside, args: tuple[str, ...]) -> None:
    """Commit, branch, pull request, job and its link: in the log's first line, and from there everywhere."""
    outside.test(TESTS)
    result = outside.run(ENV, "--wisebot-gate", "--wisebot-report=out", "--wisebot-summary=page.md", *args)
    out = outside.project.path / "out"
    first = events(out / "runs.jsonl")[0]
    assert first["build"] == {
        "ci": "GitHub Actions",
        "commit": COMMIT,
        "branch": "fix/triage",
        "pull_request": "12",
        "job": "e2e",
        "job_url": JOB,
    }
    words = f"commit {COMMIT[:10]}, branch fix/triage, pull request 12, job e2e (GitHub Actions)"
    result.stdout.fnmatch_lines([f"from {words.replace(', job', '*')[:60]}*"])
    assert words in page_text(out / "report.html")
    assert f'<a href="{JOB}">e2e (GitHub Actions)</a>' in (out / "report.html").read_text("utf-8")
    summary = (outside.project.path / "page.md").read_text("utf-8")
    known = f"From commit `{COMMIT[:10]}`, branch `fix/triage`, pull request `12`"
    assert f"{known}, job [`e2e (GitHub Actions)`](<{JOB}>)" in summary
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert report["sessions"][0]["build"] == {"is_changed": False, **first["build"]}


@pytest.mark.usefixtures("on_github")
def test_hostile_values_end_nothing(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    """A branch may have any name: it is text on the page, in the summary and on the terminal."""
    name = "</p><script>alert(1)</script>`|[x](javascript:1)\x1b[2J\u202e@team"
    monkeypatch.setenv("GITHUB_HEAD_REF", name)
    monkeypatch.setenv("GITHUB_SERVER_URL", "javascript:alert(1)//")
    outside.test(TESTS)
    result = outside.run(ENV, "--wisebot-gate", "--wisebot-report=out", "--color=no")
    out = outside.project.path / "out"
    page, summary = (out / "report.html").read_text("utf-8"), (out / "summary.md").read_text("utf-8")
    assert "<script>alert" not in page
    assert "javascript:alert" not in page + summary
    assert "\x1b" not in page + summary + result.stdout.str()
    assert "`` </p><script>alert(1)</script>`|[x](javascript:1)\\x1b[2J\\u202e@team ``" in summary


@pytest.mark.usefixtures("on_github")
def test_a_credential_in_a_branch_is_masked(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that only the settings name, which are read later than the branch."""
    outside.project.write("secret.txt", "CANARY-of-the-secret")
    monkeypatch.setenv("GITHUB_HEAD_REF", "fix/CANARY-of-the-secret")
    outside.test(TESTS)
    result = outside.run(ENV, "--wisebot-gate", "--wisebot-report=out", "--wisebot-history=history.jsonl")
    path = outside.project.path
    written = [one.read_text("utf-8") for one in [*(path / "out").iterdir(), path / "history.jsonl"]]
    assert "CANARY" not in "".join([*written, result.stdout.str()])
    assert events(path / "history.jsonl")[0]["build"]["branch"] == "fix/<secret>"


def test_without_a_report_git_is_not_asked(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that shows it nowhere does not pay for it; one with a summary, a gate or a history does."""
    asked: list[object] = []

    def git_lines(folder: object) -> list[str]:
        asked.append(folder)
        return []

    monkeypatch.setattr("pytest_wisebot.plugin.session_metadata._git_lines", git_lines)
    outside.test(TESTS)
    outside.run(ENV)
    outside.run(ENV, "--wisebot-baseline=none")
    assert asked == []
    for number, option in enumerate(
        ("--wisebot-summary=page.md", "--wisebot-gate", "--wisebot-report=out", "--wisebot-history=history.jsonl"), 1
    ):
        outside.run(ENV, option)
        assert len(asked) == number


def test_a_title_stands_over_page_and_summary(outside: Outside) -> None:
    """It is text, whatever is in it."""
    toml = outside.project.path / "wisebot.toml"
    toml.write_text(toml.read_text("utf-8") + '\n[report]\ntitle = "Shop <b> & *co*"\n', "utf-8")
    outside.test(TESTS)
    outside.run(ENV, "--wisebot-gate", "--wisebot-report=out")
    page = (outside.project.path / "out/report.html").read_text("utf-8")
    assert "<title>Shop &lt;b&gt; &amp; *co* · GATE CLOSED · " in page
    assert '<p class="kicker"><b>Shop &lt;b&gt; &amp; *co*</b> · May this be deployed?' in page
    summary = (outside.project.path / "out/summary.md").read_text("utf-8")
    assert summary.startswith("# Shop \\<b\\> \\& \\*co\\*: GATE CLOSED\n")


def test_workflows_and_runs_are_links(outside: Outside) -> None:
    """By the addresses of the environment: to the workflow's editor, and to the run."""
    outside.setting('workflow-url = "https://app.test/flows/{id}"')
    outside.setting('run-url = "https://app.test/flows/{workflow}/runs/{id}"')
    outside.test(TESTS)
    outside.run(ENV, "--wisebot-report=out", "--wisebot-history=history.jsonl")
    out = outside.project.path / "out"
    report = json.loads((out / "report.json").read_text("utf-8"))
    editor = "https://app.test/flows/echo"
    assert report["workflows"]["echo"]["url"] == editor
    runs = {one["url"] for one in report["runs"]}
    assert runs == {f"{editor}/runs/{one['runId']}" for one in report["runs"]}
    page, summary = (out / "report.html").read_text("utf-8"), (out / "summary.md").read_text("utf-8")
    assert all(f'<a href="{url}">' in page for url in runs)
    sections = [
        page.partition(f'id="{name}"')[2].partition("</section>")[0] for name in ("latency", "history", "tests")
    ]
    assert all(f'<a href="{editor}">echo</a>' in one for one in sections)
    failed = next(one["url"] for one in report["runs"] if one["reference"] in report["tests"][-1]["runs"])
    assert f"](<{failed}>)" in summary
    assert f"| [`echo`](<{editor}>) |" in summary


def test_a_wrong_address_is_told_before_any_run(outside: Outside) -> None:
    """With the place, and what to write."""
    outside.setting('run-url = "https://app.test/runs/{runId}"')
    outside.test(TESTS)
    result = outside.run(ENV, "--wisebot-report=out")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            'ERROR: wisebot.toml: environments.outside.run-url: "{runId}" stands for nothing here: write {id} and '
            '{workflow}, as in "https://example.com/{id}"'
        ]
    )
    assert outside.calls == []


def test_a_session_without_any_knowledge_shows_nothing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of a repository, and without a CI server, no report has a line about it."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.path.parent))
    project.test('@pytest.mark.wisebot("echo")\ndef test_it(workflow_run):\n    assert workflow_run.ok\n')
    project.run("--wisebot-report=out", "--wisebot-gate")
    out = project.path / "out"
    assert events(out / "runs.jsonl")[0]["build"] == {}
    assert 'class="target from"' not in (out / "report.html").read_text("utf-8")
    assert "\nFrom " not in (out / "summary.md").read_text("utf-8")
