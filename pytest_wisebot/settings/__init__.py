"""Options, ``wisebot.toml`` and environment variables become one `Settings`, which says where each value came from."""

from __future__ import annotations

from ..redaction import Redact, Secret
from .credentials import Credential, as_credential, read_credential
from .file import FILE_NAME, json_schema
from .resolve import Given, resolve
from .values import Settings, Snapshots, Workflow

__all__ = [
    "FILE_NAME",
    "Credential",
    "Given",
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
