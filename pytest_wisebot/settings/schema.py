"""The JSON Schema of ``wisebot.toml``, and the manual's tables of settings.

``pytest-wisebot schema`` prints the schema; the package ships a copy of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from .checks import KINDS
from .fields import (
    AGAINST,
    DEFAULTS,
    ENVIRONMENT,
    FILE,
    GATE,
    LIMITS,
    REDACT,
    REPORT,
    SNAPSHOTS,
    WORKFLOW,
    WORKFLOW_ANYWHERE,
    WORKFLOW_SNAPSHOTS,
    Field,
    Table,
    option_fields,
)

Row = tuple[str, ...]
KEY_HEAD = ("key", "meaning", "default")
TABLES = (
    AGAINST,
    DEFAULTS,
    ENVIRONMENT,
    GATE,
    LIMITS,
    REDACT,
    REPORT,
    SNAPSHOTS,
    WORKFLOW_ANYWHERE,
    WORKFLOW_SNAPSHOTS,
    WORKFLOW,
)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of ``wisebot.toml``, as it ships with this package."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {table.name: _table_schema(table) for table in TABLES},
        **_table_schema(FILE),
        "title": FILE.place,
    }


def _table_schema(table: Table) -> dict[str, Any]:
    return {
        "additionalProperties": False,
        "description": f"``{table.place}``: {table.help}",
        "properties": {field.key: dict(sorted(_field_schema(field).items())) for field in table.fields},
        "title": table.name,
        "type": "object",
    }


def _field_schema(field: Field) -> dict[str, Any]:
    described = {"description": field.help, "title": field.key.title()}
    if field.table is not None:
        reference = {"$ref": f"#/$defs/{field.table.name}"}
        if field.kind == "table":
            return {**reference, "description": field.help}
        return {"type": "object", "additionalProperties": reference, **described}
    values = {**KINDS[field.kind].schema, **({"enum": list(field.choices)} if field.choices else {})}
    if field.default is None or field.shown_default:
        if field.shown_default:
            described["description"] += f" Default: {field.shown_default}."
        return {"anyOf": [dict(sorted(values.items())), {"type": "null"}], "default": None, **described}
    return {**values, **({} if field.default == {} else {"default": field.default}), **described}


def reference_tables() -> dict[str, str]:
    """The tables of the manual in Markdown, by what they are about."""
    variables = (field for field in ENVIRONMENT.fields if field.variables)
    return {
        "options": _markdown(("option", "meaning", "default"), map(_option_row, option_fields())),
        **{table.place: _markdown(KEY_HEAD, map(_key_row, table.fields)) for table in (FILE, *TABLES)},
        "variables": _markdown(("variable", "setting"), map(_variable_row, variables)),
    }


def _markdown(head: Row, rows: Iterable[Row]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows))


def _option_row(field: Field) -> Row:
    choices = (*field.choices, *field.option_choices)
    value = f"{{{','.join(choices)}}}" if choices else field.metavar
    default = "" if field.flag is not None else field.shown_default
    return f"`{f'{field.option_name}={value}'.rstrip('=')}`", _prose(field.option_help or field.help), _prose(default)


def _key_row(field: Field) -> Row:
    default = field.shown_default or (json.dumps(field.default) if isinstance(field.default, bool | str) else "")
    return f"`{field.key}`", _prose(field.help), _prose(default)


def _variable_row(field: Field) -> Row:
    return ", then ".join(f"`{name}`" for name in field.variables), f"`{field.key}`"


def _prose(text: str) -> str:
    """Quoted strings, options and file names as code."""
    return re.sub(
        r'"[^"]+"|--[\w=-]+\w|\$?\b\w+\.(?:toml|jsonl|json|md|html)\b|\b(?:env|file):[A-Z]+', r"`\g<0>`", text
    )
