"""Where a session came from: commit, branch, pull request and job; and the addresses that reports link to.

All of it is foreign: variables of a CI server, names in git, ids in answers. It is bounded where it is read, escaped
where it is shown, and an address is a link only if it leads to a host over HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Final
from urllib.parse import quote, urlsplit

from ..gate_config import ReportConfig

LONGEST_VALUE: Final = 200
"""Characters of a value."""

LONGEST_ADDRESS: Final = 2000

COMMIT: Final = re.compile(r"[0-9a-fA-F]{7,64}")
_SHORT: Final = 10
"""Characters of a commit that people see."""


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """The commit and the job of a session. A value is empty if it is unknown.

    Attributes:
        ci: the name of the CI server.
        commit: its hash.
        is_changed: whether files of the checkout differed from the commit; only git tells that.
        branch: a branch, or a tag. Of a pull request, the one that is to be merged.
        pull_request: its number.
        job: the job's name.
        job_url: the job's page.
    """

    ci: str = ""
    commit: str = ""
    is_changed: bool = False
    branch: str = ""
    pull_request: str = ""
    job: str = ""
    job_url: str = ""

    @property
    def short_commit(self) -> str:
        """The beginning of the hash."""
        return self.commit[:_SHORT] if COMMIT.fullmatch(self.commit) else self.commit

    @property
    def where(self) -> list[tuple[str, str]]:
        """What is known besides the job, by name."""
        changed = ", changed since" if self.commit and self.is_changed else ""
        known = (
            ("commit", f"{self.short_commit}{changed}"),
            ("branch", self.branch),
            ("pull request", self.pull_request),
        )
        return [(name, value) for name, value in known if value]

    @property
    def job_words(self) -> str:
        """The job, and the CI server."""
        if self.job and self.ci:
            return f"{self.job} ({self.ci})"
        return self.job or self.ci

    def __str__(self) -> str:
        job = [f"job {self.job_words}"] if self.job else [self.ci] if self.ci else []
        return ", ".join([*(f"{name} {value}" for name, value in self.where), *job])


def common(builds: Iterable[BuildInfo]) -> BuildInfo:
    """The values that several sessions have in common."""
    known = [asdict(one) for one in builds]
    names = [one.name for one in fields(BuildInfo)] if known else []
    return BuildInfo(**{name: known[0][name] for name in names if all(one[name] == known[0][name] for one in known)})


# --- addresses


def web_address(text: str) -> str:
    """An address as a link has it; empty if it does not lead to a host over HTTP, or holds a password."""
    if len(text) > LONGEST_ADDRESS:
        return ""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
        return quote(text, safe="%/:=&?~#+!$,;@") if usable else ""
    except ValueError:  # brackets, and lone surrogates
        return ""


def workflow_link(config: ReportConfig, workflow_id: str) -> str:
    """The address of a workflow's editor; empty without one."""
    return _filled(config.workflow_url, id=workflow_id)


def run_link(config: ReportConfig, run_id: str | None, workflow_id: str) -> str:
    """The address of a run; empty without one."""
    return _filled(config.run_url, id=run_id or "", workflow=workflow_id)


def _filled(template: str, **ids: str) -> str:
    """A template with these ids in it. An id that a browser would resolve as a part of the path makes no address."""
    for name, value in ids.items():
        if f"{{{name}}}" in template and (value in ("", ".", "..") or len(value) > LONGEST_VALUE):
            return ""
        template = template.replace(f"{{{name}}}", quote(value, safe="", errors="replace"))
    return web_address(template) if template else ""
