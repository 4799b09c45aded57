"""Options, ``wisebot.toml`` and environment variables become one `Settings`, which says where each value came from."""

from __future__ import annotations

from typing import Any

from ..redaction import Redact, Secret
from .credentials import Credential, as_credential, read_credential
from .file_values import FILE_NAME
from .resolve import CliOptions, resolve
from .values import Settings, Snapshots, Workflow

__all__ = [
    "FILE_NAME",
    "CliOptions",
    "Credential",
    "Redact",
    "Secret",
    "Settings",
    "Snapshots",
    "Workflow",
    "as_credential",
    "json_schema",
    "read_credential",
    "resolve",
]


def json_schema() -> dict[str, Any]:
    """The JSON Schema of ``wisebot.toml``, as it ships with this package."""
    from .file import json_schema as made  # which loads pydantic

    return made()
