"""What rows and suites look like, as JSON Schemas, and a check that finds each mistake and names what was expected.

The check reads as much of JSON Schema as the schemas of this module use. So the check, and the schema that editors
take, are one thing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ..text import brief
from .documents import Steps

Schema = Mapping[str, Any]

_TEXT: Final = {"type": "string", "minLength": 1}
_COUNT: Final = {"type": "integer", "minimum": 1}
_SIZE: Final = {"type": "integer", "minimum": 0}
_ANY: Final[Schema] = {}


def _object(properties: Mapping[str, Schema], **more: Any) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


def _either(*schemas: Schema, **more: Any) -> Schema:
    return {"anyOf": list(schemas), **more}


APIS: Final = {"enum": ["webhook", "dashboard", "both"], "description": "The API of the run; both: a test over each."}

RULE: Final = _object(
    {
        "str": _object({"min": _SIZE, "max": _SIZE}, description="A string, and how many characters it has."),
        "regex": {**_TEXT, "description": "A string in which this regular expression is found."},
        "number": _object(
            {"min": {"type": "number"}, "max": {"type": "number"}}, description="A number, and its bounds."
        ),
        "one-of": {"type": "array", "minItems": 1, "description": "One of these values."},
        "length": _either(
            _SIZE, _object({"min": _SIZE, "max": _SIZE}, minProperties=1),
            description="How long a string, list or mapping is.",
        ),
    },
    minProperties=1,
    description="What must hold, in the place of an equal value.",
)  # fmt: skip

EXPECT: Final = _object(
    {
        "ok": {"type": "boolean", "description": "Whether the workflow succeeds. Default: true, without failed."},
        "failed": {**_TEXT, "description": "The workflow fails, and this regular expression is found in its error."},
        "result": {"description": "The result, compared in part: other keys of mappings may be there, too."},
        "schema": _either({"type": "object"}, {"type": "boolean"}, description="A JSON Schema of the result."),
        "snapshot": {"type": "boolean", "description": "Whether the run is compared with its snapshot."},
        "rules": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": RULE,
            "description": "With snapshot: paths of values, and the rules that hold there.",
        },
    },
    minProperties=1,
    description="What the run is held to. Default: ok: true.",
)

_COMMON: Final[Mapping[str, Schema]] = {
    "id": _either(_TEXT, {"type": "integer"}, description="Names the test. Default: case-1, case-2, …"),
    "inputs": {"type": "object", "description": "The input bag. Default: an empty one."},
    "tags": _either(
        _TEXT, {"type": "array", "items": _TEXT}, description="Words by which --wisebot-tag selects the test."
    ),
    "trials": {**_COUNT, "description": "How many trials the test has."},
    "min_passes": {**_COUNT, "description": "How many of the trials must pass. Default: all."},
    "api": APIS,
    "max_seconds": {
        "type": "number", "exclusiveMinimum": 0, "description": "Seconds that the run itself may take.",
    },
    "skip": _either(
        {"type": "boolean"}, _TEXT, description="Whether the test is skipped, or the reason for which it is."
    ),
    "quarantine": {**_TEXT, "description": "OWNER until YYYY-MM-DD: REASON. Until then a failure closes no gate."},
}  # fmt: skip

ROW: Final = _object({**_COMMON, "expected": {"description": "Any value, which the test takes as an argument."}})
CASE: Final = _object({**_COMMON, "expect": EXPECT})
SUITE: Final = _object(
    {
        "$schema": {"type": "string", "description": "The schema of this file, for editors."},
        "workflow": {**_TEXT, "description": "The workflow's name, as in wisebot.toml."},
        "api": APIS,
        "cases": {"type": "array", "minItems": 1, "items": CASE, "description": "The tests."},
    },
    required=["workflow", "cases"],
)


def suite_schema() -> dict[str, Any]:
    """The JSON Schema of ``*.wisebot.yaml`` and ``*.wisebot.json``, as it ships with this package."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "a suite of pytest-wisebot: *.wisebot.yaml or *.wisebot.json",
        **SUITE,
    }


# --- the check


def mistakes(schema: Schema, value: Any, steps: Steps = ()) -> Iterator[tuple[Steps, str]]:
    """Each mistake of a value: where it is, and words that name what was expected."""
    if not _fits(schema, value):
        yield steps, f"expected {words(schema)}, got {brief(value, 80)}"
    elif isinstance(value, dict):
        yield from _mistakes_of_object(schema, value, steps)
    elif isinstance(value, list) and "items" in schema:
        for place, item in enumerate(value):
            yield from mistakes(schema["items"], item, (*steps, place))


def fits(schema: Schema, value: Any) -> bool:
    """Whether a value has no mistake."""
    return next(mistakes(schema, value), None) is None


def _mistakes_of_object(schema: Schema, value: dict[str, Any], steps: Steps) -> Iterator[tuple[Steps, str]]:
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for key in schema.get("required", ()):
        if key not in value:
            yield steps, f"the key {key} is missing: expected {words(properties[key])}"
    for key, item in value.items():
        if key in properties:
            if properties[key] is not _ANY:
                yield from mistakes(properties[key], item, (*steps, key))
        elif others is False:
            from ..settings.checks import nearest_of_all

            yield (*steps, key), f"unknown key, {nearest_of_all(key, properties)}"
        elif others is not True:
            yield from mistakes(others, item, (*steps, key))


def _fits(schema: Schema, value: Any) -> bool:
    """Whether a value is right, apart from what a mapping or list holds."""
    if "enum" in schema:
        return bool(value in schema["enum"])
    if "anyOf" in schema:
        return any(fits(one, value) for one in schema["anyOf"])
    kind = schema.get("type")
    return kind is None or (_is_a(kind, value) and all(_holds(bound, schema[bound], value) for bound in schema))


def _is_a(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "number":
        return isinstance(value, int | float) and math.isfinite(value)
    return isinstance(value, _TYPES[kind])


def _holds(bound: str, limit: Any, value: Any) -> bool:
    if bound in ("minLength", "minItems", "minProperties"):
        return bool(len(value.strip() if isinstance(value, str) else value) >= limit)
    if bound == "minimum":
        return bool(value >= limit)
    return bound != "exclusiveMinimum" or bool(value > limit)


_TYPES: Final[Mapping[str, Any]] = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}


def words(schema: Schema) -> str:
    """What a schema expects."""
    if "enum" in schema:
        return f"one of {', '.join(map(json.dumps, schema['enum']))}"
    if "anyOf" in schema:
        return " or ".join(map(words, schema["anyOf"]))
    return _WORDS[schema["type"]](schema)


def _of_string(schema: Schema) -> str:
    return "a string that is not empty" if "minLength" in schema else "a string"


def _of_integer(schema: Schema) -> str:
    return f"a whole number of at least {schema['minimum']}" if "minimum" in schema else "a whole number"


def _of_number(schema: Schema) -> str:
    return "a number above 0" if "exclusiveMinimum" in schema else "a number"


def _of_array(schema: Schema) -> str:
    return f"a list{' of at least one' if 'minItems' in schema else ' of strings' if 'items' in schema else ''}"


def _of_object(schema: Schema) -> str:
    known = schema.get("properties")
    return f"a mapping with the keys {', '.join(known)}" if known else "a mapping of names to values"


_WORDS: Final = {
    "string": _of_string,
    "boolean": lambda _: "true or false",
    "integer": _of_integer,
    "number": _of_number,
    "array": _of_array,
    "object": _of_object,
}
