"""Where a session comes from: by the variables of CI servers, else by git, and what becomes of hostile values."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_wisebot.gate_config import ReportConfig
from pytest_wisebot.plugin import session_metadata as finder
from pytest_wisebot.report.build_info import BuildInfo, common, run_link, web_address, workflow_link

COMMIT = "83a20ec058e2fb00e7fa4558c4c6e81e2dcf253d"

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SHA": COMMIT,
    "GITHUB_REF": "refs/heads/main",
    "GITHUB_REF_NAME": "main",
    "GITHUB_HEAD_REF": "",
    "GITHUB_JOB": "e2e",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/shop",
    "GITHUB_RUN_ID": "77",
    "GITHUB_RUN_ATTEMPT": "2",
}
GITHUB_PULL = {
    "GITHUB_REF": "refs/pull/12/merge",
    "GITHUB_REF_NAME": "12/merge",
    "GITHUB_HEAD_REF": "fix/triage",
}
GITLAB = {
    "GITLAB_CI": "true",
    "CI_COMMIT_SHA": COMMIT,
    "CI_COMMIT_REF_NAME": "main",
    "CI_JOB_NAME": "e2e",
    "CI_JOB_URL": "https://gitlab.com/acme/shop/-/jobs/77",
}
GITLAB_PULL = {"CI_MERGE_REQUEST_IID": "12", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "fix/triage"}
JENKINS = {
    "JENKINS_URL": "https://ci.example.com/",
    "GIT_COMMIT": COMMIT,
    "GIT_BRANCH": "origin/main",
    "JOB_NAME": "e2e",
    "BUILD_URL": "https://ci.example.com/job/e2e/77/",
}
JENKINS_PULL = {"BRANCH_NAME": "PR-12", "CHANGE_ID": "12", "CHANGE_BRANCH": "fix/triage"}
AZURE = {
    "TF_BUILD": "True",
    "BUILD_SOURCEVERSION": COMMIT,
    "BUILD_SOURCEBRANCH": "refs/heads/main",
    "SYSTEM_JOBDISPLAYNAME": "e2e",
    "SYSTEM_COLLECTIONURI": "https://dev.azure.com/acme/",
    "SYSTEM_TEAMPROJECT": "the shop",
    "BUILD_BUILDID": "77",
    "SYSTEM_JOBID": "1a2b",
}
AZURE_PULL = {
    "BUILD_SOURCEBRANCH": "refs/pull/12/merge",
    "SYSTEM_PULLREQUEST_PULLREQUESTID": "900",
    "SYSTEM_PULLREQUEST_PULLREQUESTNUMBER": "12",
    "SYSTEM_PULLREQUEST_SOURCEBRANCH": "refs/heads/fix/triage",
}
CIRCLE = {
    "CIRCLECI": "true",
    "CIRCLE_SHA1": COMMIT,
    "CIRCLE_BRANCH": "main",
    "CIRCLE_JOB": "e2e",
    "CIRCLE_BUILD_URL": "https://circleci.com/gh/acme/shop/77",
}
CIRCLE_PULL = {"CIRCLE_BRANCH": "fix/triage", "CIRCLE_PULL_REQUEST": "https://github.com/acme/shop/pull/12"}
BUILDKITE = {
    "BUILDKITE": "true",
    "BUILDKITE_COMMIT": COMMIT,
    "BUILDKITE_BRANCH": "main",
    "BUILDKITE_PULL_REQUEST": "false",
    "BUILDKITE_LABEL": "e2e",
    "BUILDKITE_BUILD_URL": "https://buildkite.com/acme/shop/builds/77",
    "BUILDKITE_JOB_ID": "e44f-9784",
}
BUILDKITE_PULL = {"BUILDKITE_BRANCH": "fix/triage", "BUILDKITE_PULL_REQUEST": "12"}

SERVERS = [
    (GITHUB, GITHUB_PULL, "GitHub Actions", "https://github.com/acme/shop/actions/runs/77/attempts/2"),
    (GITLAB, GITLAB_PULL, "GitLab CI", "https://gitlab.com/acme/shop/-/jobs/77"),
    (JENKINS, JENKINS_PULL, "Jenkins", "https://ci.example.com/job/e2e/77/"),
    (
        AZURE,
        AZURE_PULL,
        "Azure Pipelines",
        "https://dev.azure.com/acme/the%20shop/_build/results?buildId=77&view=logs&j=1a2b",
    ),
    (CIRCLE, CIRCLE_PULL, "CircleCI", "https://circleci.com/gh/acme/shop/77"),
    (BUILDKITE, BUILDKITE_PULL, "Buildkite", "https://buildkite.com/acme/shop/builds/77#e44f-9784"),
]
NAMES = [name for _, _, name, _ in SERVERS]


@pytest.mark.parametrize(("variables", "pull", "name", "url"), SERVERS, ids=NAMES)
def test_a_branch_on_each_ci_server(variables: dict[str, str], pull: object, name: str, url: str) -> None:
    """Commit, branch, job and its page are found on each server that is supported."""
    assert finder.of_variables(variables) == BuildInfo(name, COMMIT, False, "main", "", "e2e", url)


@pytest.mark.parametrize(("variables", "pull", "name", "url"), SERVERS, ids=NAMES)
def test_a_pull_request_on_each_ci_server(variables: dict[str, str], pull: dict[str, str], name: str, url: str) -> None:
    """Of a pull request the number is found, and the branch that is to be merged, not the merge itself."""
    found = finder.of_variables({**variables, **pull})
    assert (found.branch, found.pull_request) == ("fix/triage", "12")


def test_a_branch_with_the_name_of_a_pull_request_is_none() -> None:
    """A branch ``pull/12`` of GitHub is a branch."""
    assert finder.of_variables({**GITHUB, "GITHUB_REF": "refs/heads/pull/12"}).pull_request == ""


def test_a_job_without_an_attempt_has_a_page_all_the_same() -> None:
    """Older servers have no number of the attempt."""
    variables = {name: value for name, value in GITHUB.items() if name != "GITHUB_RUN_ATTEMPT"}
    assert finder.of_variables(variables).job_url == "https://github.com/acme/shop/actions/runs/77"


# --- git


class Repository:
    """A folder with one commit on a branch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "a.txt").write_text("a")
        self.git("init", "-q", "-b", "topic")
        self.git("add", "a.txt")
        self.git("-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "-m", "a")
        self.commit = self.git("rev-parse", "HEAD")

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def found(self) -> BuildInfo:
        config: Any = SimpleNamespace(rootpath=self.folder)
        return finder.build_info(config)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_without_a_ci_server_git_tells_commit_and_branch(repository: Repository) -> None:
    """On a laptop the checkout tells where a session comes from."""
    assert repository.found() == BuildInfo(commit=repository.commit, branch="topic")


def test_a_checkout_that_was_changed_is_not_its_commit(repository: Repository) -> None:
    """A session over changed files states so; a new file that git does not follow changes nothing."""
    (repository.folder / "report.json").write_text("{}")
    assert not repository.found().is_changed
    (repository.folder / "a.txt").write_text("b")
    assert repository.found().is_changed
    assert str(repository.found()) == f"commit {repository.commit[:10]}, changed since, branch topic"


def test_a_detached_checkout_has_no_branch(repository: Repository) -> None:
    """No branch is made up."""
    repository.git("checkout", "-q", "--detach")
    assert repository.found() == BuildInfo(commit=repository.commit)


def test_a_server_without_a_commit_gets_that_of_git(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build of Buildkite that was started by hand has HEAD for a commit; job and branch stay those of the server."""
    for name, value in {**BUILDKITE, "BUILDKITE_COMMIT": "HEAD"}.items():
        monkeypatch.setenv(name, value)
    found = repository.found()
    assert (found.commit, found.branch, found.job) == (repository.commit, "main", "e2e")


@pytest.mark.parametrize("state", ["no repository", "no commit", "no git", "a broken git"])
def test_what_git_does_not_tell_stays_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    """Without git, a repository or a commit nothing is known, and nothing fails."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    if state == "no commit":
        subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    if state == "no git":
        monkeypatch.setenv("PATH", str(tmp_path))
    if state == "a broken git":
        program(tmp_path / "bin" / "git", "echo '# branch.oid nonsense'; exit 3")
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    config: Any = SimpleNamespace(rootpath=tmp_path)
    assert finder.build_info(config) == BuildInfo()


def test_a_slow_git_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A git that does not answer in time is killed, and the session goes on without it."""
    program(tmp_path / "git", f"echo $$ > {tmp_path}/pid; exec sleep 600")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(finder, "GIT_SECONDS", 0.5)
    config: Any = SimpleNamespace(rootpath=tmp_path)
    assert finder.build_info(config) == BuildInfo()
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def program(path: Path, script: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


# --- hostile values


def changed(**values: str) -> BuildInfo:
    return finder.of_variables({**GITHUB, **values})


def test_values_are_bounded() -> None:
    """A branch or a job of any length takes no more than a line or two."""
    found = changed(GITHUB_REF_NAME="b" * 10_000, GITHUB_JOB="j" * 10_000, GITHUB_REF=f"refs/pull/{'9' * 99}/merge")
    assert len(found.branch) == len(found.job) == 200
    assert len(found.pull_request) == 20


@pytest.mark.parametrize("commit", ["", "HEAD", "main", "83a20e", "83a20ec058\n", "<script>", "z" * 40])
def test_a_commit_is_a_hash(commit: str) -> None:
    """Nothing else is shown as a commit."""
    assert changed(GITHUB_SHA=commit).commit == commit.strip() * (commit == "83a20ec058\n")


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//example.com/x",
        "https:///x",
        "https://me:FAKE-password@example.com/",
        "https://[::1/x",
        "file:///etc/passwd",
        f"https://example.com/{'x' * 3000}",
        "https://example.com/\ud800",
        "",
    ],
)
def test_only_an_address_of_a_host_is_a_link(address: str) -> None:
    """What a browser would run, or what holds a password, is no link."""
    assert web_address(address) == ""
    assert finder.of_variables({**GITLAB, "CI_JOB_URL": address}).job_url == ""


def test_an_address_cannot_end_what_it_stands_in() -> None:
    """Quotes, brackets, bars and blanks of an address are written as escapes."""
    assert web_address('https://x.test/"><b> |`)]\n') == "https://x.test/%22%3E%3Cb%3E%20%7C%60%29%5D%0A"


def test_links_lead_to_the_editor_and_to_the_run() -> None:
    """Ids are quoted, so that none leads elsewhere; without an id, or a template, there is no link."""
    config = ReportConfig(workflow_url="https://x.test/{id}", run_url="https://x.test/{workflow}/runs/{id}?q={id}")
    assert workflow_link(config, "a/../b") == "https://x.test/a%2F..%2Fb"
    assert run_link(config, "r 1", "{id}") == "https://x.test/%7Bid%7D/runs/r%201?q=r%201"
    assert [workflow_link(config, one) for one in ("", ".", "..", "x" * 300)] == [""] * 4
    assert (run_link(config, None, "k1"), run_link(config, "r1", "")) == ("", "")
    assert (workflow_link(ReportConfig(), "k1"), run_link(ReportConfig(), "r1", "k1")) == ("", "")
    assert run_link(ReportConfig(run_url="https://x.test/{id}"), "r1", "") == "https://x.test/r1"
    assert workflow_link(ReportConfig(workflow_url="javascript:{id}"), "k1") == ""


def test_shards_have_what_they_share() -> None:
    """The jobs of shards differ, and their commit does not."""
    one, other = (
        BuildInfo(commit=COMMIT, branch="main", job="e2e 1"),
        BuildInfo(commit=COMMIT, branch="main", job="e2e 2"),
    )
    assert common([one, other]) == BuildInfo(commit=COMMIT, branch="main")
    assert common([]) == BuildInfo()


@pytest.mark.parametrize(
    ("words", "build"),
    [
        ("", BuildInfo()),
        (
            f"commit {COMMIT[:10]}, branch main, pull request 12, job e2e (GitHub Actions)",
            BuildInfo("GitHub Actions", COMMIT, False, "main", "12", "e2e"),
        ),
        ("job e2e", BuildInfo(job="e2e")),
        ("branch main, Jenkins", BuildInfo("Jenkins", branch="main")),
    ],
)
def test_what_is_known_stands_in_one_line(words: str, build: BuildInfo) -> None:
    """Nothing stands for what is not known."""
    assert str(build) == words
