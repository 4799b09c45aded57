"""Options, ``wisebot.toml`` and environment variables become one `Settings`, each value with its source.

Each name is loaded on first use: pytest loads `fields` at every start, and nothing else of this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .credentials import Credential, read_credential
    from .load import resolve
    from .schema import json_schema, reference_tables
    from .settings import Against, Settings, Snapshots, Workflow

__all__ = ["Against", "Credential", "Settings", "Snapshots", "Workflow", "json_schema", "read_credential"]
__all__ += ["reference_tables", "resolve"]

_HOMES = {"Credential": "credentials", "read_credential": "credentials", "resolve": "load"}
_HOMES |= {"json_schema": "schema", "reference_tables": "schema"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES.get(name, 'settings')}", __name__), name)
