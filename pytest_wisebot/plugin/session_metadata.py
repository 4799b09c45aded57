"""What the event log holds of a session as a whole: its first line, and the snapshots in its last.

The first line has the session's origin: by the variables of its CI server, else by one call of git.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from ..originals import dates, os, subprocess
from ..report.build_info import COMMIT, LONGEST_VALUE, BuildInfo, web_address
from ..text import truncate
from .session_state import state_of

if TYPE_CHECKING:
    from ..settings import Settings

_VERSION: Final = version("pytest-wisebot")
"""Read when this module is loaded: files that are read later may be those of a fake file system."""


def beginning(config: pytest.Config, began: float) -> dict[str, Any]:
    """What every session has, whatever its settings.

    Args:
        config: the session's.
        began: when, in seconds since the epoch.
    """
    option = config.option
    return {
        "version": _VERSION,
        "mode": option.wisebot_runs,
        "started": dates.at(began).isoformat(timespec="milliseconds"),
        "gated": option.wisebot_gate,
        "named": any(getattr(option, f"wisebot_{name}") is not None for name in ("env", "origin", "base_url")),
        "updates_snapshots": bool(config.getoption("update_snapshots", False)),
        "each": config.getoption("dist", "no") == "each",
        "split": _split(config),
        "build": _build(config),
    }


def target(settings: Settings) -> dict[str, Any]:
    """The Wisebot that the session tests, and the rules that judge it."""
    return {
        **identity(settings),
        "protected": settings.protected,
        "gate": settings.gate.to_dict(),
        "report": asdict(settings.report_config),
    }


def against(second: Settings, first: Settings) -> dict[str, Any]:
    """The second environment that each run is made over, too."""
    return {**identity(second), "protected": second.protected, "noise": first.against.noise}


def identity(settings: Settings) -> dict[str, Any]:
    """Equal for two sessions that test the same Wisebot. An emulator has other ports each time.

    Args:
        settings: with or without hosts and credentials of the emulator; those of a worker of xdist have them.
    """
    has_started = settings.emulated_fallback is not None
    return {
        "environment": settings.environment,
        "origin": None if has_started else settings.origin,
        "base_url": None if has_started else settings.base_url,
        "emulator": settings.emulator if has_started else settings.emulated_by,
    }


def _build(config: pytest.Config) -> dict[str, Any]:
    """Where the session comes from, if a report or a verdict is made of it: what is known."""
    known = asdict(state_of(config).one(build_info)) if is_wanted(config) else {}
    return {name: value for name, value in known.items() if value}


def snapshots_written(config: pytest.Config) -> int:
    """How many snapshots the session has made or changed. Syrupy counts those of its workers, too."""
    if not (config.getoption("update_snapshots", False) or config.getoption("update_new_snapshots_only", False)):
        return 0
    report = getattr(getattr(config, "_syrupy", None), "report", None)
    return sum(int(getattr(report, name, 0)) for name in ("num_created", "num_updated"))


def _split(config: pytest.Config) -> list[int] | None:
    """The group that pytest-split runs here, and the number of groups."""
    group, splits = config.getoption("group", None), config.getoption("splits", None)
    return [group, splits] if isinstance(group, int) and isinstance(splits, int) else None


GIT_SECONDS: Final = 1.0
"""Deadline for git."""

_GIT: Final = (
    *("git", "-c", "core.fsmonitor=false", "status", "--porcelain=v2", "--branch"),
    *("--untracked-files=no", "--ignore-submodules=all"),
)
"""One call that tells commit and branch, and whether a file has changed."""


@dataclass(frozen=True, slots=True)
class _Ci:
    """The variables of a CI server; of several, the first that is set counts.

    Attributes:
        name: for people.
        mark: the variable by which it is known.
        job_url: addresses with the names of variables in braces; the first of which all are set counts.
    """

    name: str
    mark: str
    commit: tuple[str, ...]
    branch: tuple[str, ...]
    pull_request: tuple[str, ...]
    job: tuple[str, ...]
    job_url: tuple[str, ...]


_GITHUB_RUN: Final = "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}"
_AZURE_BUILD: Final = "{SYSTEM_COLLECTIONURI}{SYSTEM_TEAMPROJECT}/_build/results?buildId={BUILD_BUILDID}"

_SERVERS: Final = (
    _Ci(
        "GitHub Actions", "GITHUB_ACTIONS",
        commit=("GITHUB_SHA",),
        branch=("GITHUB_HEAD_REF", "GITHUB_REF_NAME"),
        pull_request=("GITHUB_REF",),
        job=("GITHUB_JOB",),
        job_url=(f"{_GITHUB_RUN}/attempts/{{GITHUB_RUN_ATTEMPT}}", _GITHUB_RUN),
    ),
    _Ci(
        "GitLab CI", "GITLAB_CI",
        commit=("CI_COMMIT_SHA",),
        branch=("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_REF_NAME"),
        pull_request=("CI_MERGE_REQUEST_IID",),
        job=("CI_JOB_NAME",),
        job_url=("{CI_JOB_URL}",),
    ),
    _Ci(
        "Azure Pipelines", "TF_BUILD",
        commit=("BUILD_SOURCEVERSION",),
        branch=("SYSTEM_PULLREQUEST_SOURCEBRANCH", "BUILD_SOURCEBRANCH"),
        pull_request=("SYSTEM_PULLREQUEST_PULLREQUESTNUMBER", "SYSTEM_PULLREQUEST_PULLREQUESTID"),
        job=("SYSTEM_JOBDISPLAYNAME", "AGENT_JOBNAME", "SYSTEM_JOBNAME"),
        job_url=(f"{_AZURE_BUILD}&view=logs&j={{SYSTEM_JOBID}}", _AZURE_BUILD),
    ),
    _Ci(
        "CircleCI", "CIRCLECI",
        commit=("CIRCLE_SHA1",),
        branch=("CIRCLE_BRANCH", "CIRCLE_TAG"),
        pull_request=("CIRCLE_PULL_REQUEST", "CIRCLE_PR_NUMBER"),
        job=("CIRCLE_JOB",),
        job_url=("{CIRCLE_BUILD_URL}",),
    ),
    _Ci(
        "Buildkite", "BUILDKITE",
        commit=("BUILDKITE_COMMIT",),
        branch=("BUILDKITE_BRANCH", "BUILDKITE_TAG"),
        pull_request=("BUILDKITE_PULL_REQUEST",),
        job=("BUILDKITE_LABEL", "BUILDKITE_STEP_KEY"),
        job_url=("{BUILDKITE_BUILD_URL}#{BUILDKITE_JOB_ID}", "{BUILDKITE_BUILD_URL}"),
    ),
    _Ci(
        "Jenkins", "JENKINS_URL",
        commit=("GIT_COMMIT",),
        branch=("CHANGE_BRANCH", "BRANCH_NAME", "GIT_BRANCH"),
        pull_request=("CHANGE_ID",),
        job=("JOB_NAME",),
        job_url=("{BUILD_URL}",),
    ),
)  # fmt: skip

_PULL_REQUEST: Final = re.compile(
    r"(?:.*/)?(?:pull|pulls|pull-requests|pullrequest|merge_requests)/(\d+)(?:/.*)?|(\d+)"
)


def build_info(config: pytest.Config) -> BuildInfo:
    """Where the session comes from. It takes at most `GIT_SECONDS`, and fails nothing.

    Args:
        config: the session's.
    """
    found = of_variables(os.environ)
    if found.commit:
        return found
    of_git = _git_info(config.rootpath)
    branch = found.branch or of_git.branch
    return replace(found, commit=of_git.commit, branch=branch, is_changed=of_git.is_changed)


def is_wanted(config: pytest.Config) -> bool:
    """Whether anything of the session shows it."""
    option = config.option
    return bool(option.wisebot_gate) or any(
        one is not None for one in (option.wisebot_report, option.wisebot_summary, option.wisebot_history)
    )


def of_variables(variables: Mapping[str, str]) -> BuildInfo:
    """What the variables of a CI server tell; empty without a server."""
    ci = next((one for one in _SERVERS if variables.get(one.mark)), None)
    if ci is None:
        return BuildInfo()

    def value(names: tuple[str, ...]) -> str:
        return next((text for name in names if (text := variables.get(name, "").strip())), "")

    commit = value(ci.commit)
    return BuildInfo(
        ci=ci.name,
        commit=commit if COMMIT.fullmatch(commit) else "",  # Buildkite has HEAD where a build was started by hand
        branch=_bounded(re.sub(r"\A(?:refs/(?:heads|tags)|origin)/", "", value(ci.branch))),
        pull_request=_pull_request(value(ci.pull_request)),
        job=_bounded(value(ci.job)),
        job_url=next(filter(None, (_address(template, variables) for template in ci.job_url)), ""),
    )


def _pull_request(text: str) -> str:
    """The number of a pull request in a reference, an address or a number; empty for a branch, and for ``false``."""
    found = _PULL_REQUEST.fullmatch(text) if not text.startswith("refs/heads/") else None
    return (found[1] or found[2])[:20] if found is not None else ""


def _address(template: str, variables: Mapping[str, str]) -> str:
    names = re.findall(r"\{(\w+)\}", template)
    known = {name: text for name in names if (text := variables.get(name, "").strip())}
    return web_address(template.format(**known)) if len(known) == len({*names}) else ""


def _git_info(folder: Path) -> BuildInfo:
    """Commit and branch of a folder's repository; empty without git, without a repository, and after the deadline."""
    commit = branch = ""
    is_changed = False
    for line in _git_lines(folder):
        if line.startswith("# branch.oid "):
            commit = line.removeprefix("# branch.oid ")
        elif line.startswith("# branch.head "):
            branch = line.removeprefix("# branch.head ")
        is_changed |= not line.startswith("#")
    if not COMMIT.fullmatch(commit):  # "(initial)", before the first one
        return BuildInfo()
    return BuildInfo(commit=commit, is_changed=is_changed, branch=_bounded("" if branch == "(detached)" else branch))


def _git_lines(folder: Path) -> list[str]:
    """What git prints. It asks nothing, and changes nothing."""
    quiet = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    with suppress(OSError, ValueError):  # there is no git, or no such folder
        process = subprocess.Popen(_GIT, cwd=folder, stdin=nothing, stdout=pipe, stderr=nothing, env=quiet)
        try:
            out, _ = process.communicate(timeout=GIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            with suppress(subprocess.TimeoutExpired):
                process.wait(GIT_SECONDS)
            if process.stdout is not None:
                process.stdout.close()  # and no wait for its end, which a process of git's own may hold open
            return []
        return out.decode("utf-8", "replace").splitlines() if process.returncode == 0 else []
    return []


def _bounded(text: str) -> str:
    return truncate(text, LONGEST_VALUE)
