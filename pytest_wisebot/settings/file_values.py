"""``wisebot.toml`` as plain values: where it is found, what it says, and what holds where it says nothing.

Without pydantic, which `file` checks it with: a project that has none does not wait for that to load.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..gate_config import Gate
from ..redaction import Redact
from .values import Snapshots

FILE_NAME: Final = "wisebot.toml"


@dataclass(frozen=True, slots=True)
class WorkflowEntry:
    """One workflow as an environment knows it; see `file.WorkflowTable`."""

    id: str | None = None
    secret: str | None = None
    idempotent: bool = False


@dataclass(frozen=True, slots=True)
class Environment:
    """One Wisebot to test against; see `file.EnvironmentTable`."""

    emulator: str | None = None
    origin: str | None = None
    base_url: str | None = None
    secret: str | None = None
    token: str | None = None
    api: str | None = None
    timeout: float | None = None
    connect_timeout: float | None = None
    concurrency: int | None = None
    retries: int | None = None
    max_runs: int | None = None
    max_response_mib: int | None = None
    secret_header: str = "authorization"
    allow_http: bool = False
    trace: bool | None = None
    protected: bool = False
    workflows: Mapping[str, WorkflowEntry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileValues:
    """The environments that a suite can run against, and what its results show; see `file.FileTable`."""

    default_environment: str | None = None
    recordings: str | None = None
    max_age_days: int | None = None
    environments: Mapping[str, Environment] = field(default_factory=dict)
    redact: Redact = field(default_factory=Redact)
    snapshots: Snapshots = field(default_factory=Snapshots)
    gate: Gate = field(default_factory=Gate)


def find_file(start: Path, root: Path) -> Path | None:
    """The nearest ``wisebot.toml`` from ``start`` up to ``root``; outside ``root`` only these two folders are asked."""
    between = [start, *start.parents]
    folders = between[: between.index(root) + 1] if root in between else [start, root]
    return next((folder / FILE_NAME for folder in folders if (folder / FILE_NAME).is_file()), None)
