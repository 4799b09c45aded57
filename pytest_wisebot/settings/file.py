"""``wisebot.toml``: what it may say, and what a mistake in it is told."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, ValidationError, WithJsonSchema

from ..errors import ConfigurationError
from ..gate_config import Gate, Limits
from ..redaction import Redact
from .checks import (
    at_least,
    checked_emulator,
    checked_gate_paths,
    checked_growth,
    checked_id,
    checked_origin,
    checked_reference,
    checked_seconds,
    checked_select,
    checked_share,
    nearest,
    nearest_of_all,
    plain_http,
)
from .file_values import FILE_NAME, Environment, FileValues, WorkflowEntry
from .redact_tables import checked_keys, checked_named_patterns, checked_paths, checked_patterns, checked_placeholders
from .values import Snapshots

Origin = Annotated[str, AfterValidator(checked_origin)]
Reference = Annotated[str, AfterValidator(checked_reference)]
Seconds = Annotated[float, AfterValidator(checked_seconds)]
Share = Annotated[float, AfterValidator(checked_share)]
Growth = Annotated[float, AfterValidator(checked_growth)]
Most = Annotated[int, AfterValidator(at_least(0))]


class _Table(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        hide_input_in_errors=True,
        alias_generator=lambda name: name.replace("_", "-"),
    )


class WorkflowTable(_Table):
    """``[environments.NAME.workflows.NAME]``: one workflow as this environment knows it."""

    id: Annotated[str, AfterValidator(checked_id)] | None = Field(
        None, description="The workflow's id in this environment. Default: its name."
    )
    secret: Reference | None = Field(None, description='The webhook secret, as "env:NAME" or "file:PATH".')
    idempotent: bool = Field(False, description="A run may be repeated when the outcome of the first is unknown.")


class EnvironmentTable(_Table):
    """``[environments.NAME]``: one Wisebot to test against."""

    emulator: Annotated[str, AfterValidator(checked_emulator)] | None = Field(
        None, description='The local emulator to start: "module:attribute" of a module beside this file.'
    )
    origin: Origin | None = Field(None, description="Trigger origin of the webhook API: scheme and host.")
    base_url: Origin | None = Field(None, description="Base URL of the dashboard API: scheme and host.")
    secret: Reference | None = Field(
        None, description='Webhook secret of the workflows that have none of their own, as "env:NAME" or "file:PATH".'
    )
    token: Reference | None = Field(None, description='Token of the dashboard API, as "env:NAME" or "file:PATH".')
    api: Literal["webhook", "dashboard"] | None = Field(None, description="The API of tests that name none.")
    timeout: Seconds | None = Field(None, description="Seconds for a whole run, retries included. Default: 300.")
    connect_timeout: Seconds | None = Field(None, description="Seconds for making a connection. Default: 10.")
    concurrency: Annotated[int, AfterValidator(at_least(1))] | None = Field(
        None, description="How many runs may be in flight at once. Default: 8."
    )
    retries: Annotated[int, AfterValidator(at_least(0))] | None = Field(
        None, description="How often a run that by the contract did not start is tried again. Default: 2."
    )
    max_runs: Annotated[int, AfterValidator(at_least(0))] | None = Field(
        None, description="How many requests for runs one session may send, retries included. Default: no limit."
    )
    max_response_mib: Annotated[int, AfterValidator(at_least(1))] | None = Field(
        None, description="The largest answer that is read, in MiB. Default: 16."
    )
    secret_header: Literal["authorization", "x-workflow-secret"] = Field(
        "authorization", description="The header that carries the webhook secret."
    )
    allow_http: bool = Field(
        False, description="Credentials may travel over plain HTTP to a host that is not loopback."
    )
    trace: bool | None = Field(
        None, description="Each request carries an id for servers' logs, the header traceparent. Default: true."
    )
    protected: bool = Field(False, description="Refuses to run without --wisebot-allow-protected.")
    workflows: dict[str, WorkflowTable] = Field(
        default_factory=dict, description="The workflows of this environment, by the name that tests use."
    )

    def environment(self) -> Environment:
        """The same as plain values."""
        workflows = {name: WorkflowEntry(**table.model_dump()) for name, table in self.workflows.items()}
        return Environment(**self.model_dump(exclude={"workflows"}), workflows=workflows)


_TEXTS: Final = {"type": "array", "items": {"type": "string"}}
_SOME_TEXTS: Final = {**_TEXTS, "minItems": 1}
_NAMED_TEXTS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
_EITHER: Final = {"anyOf": [_TEXTS, _NAMED_TEXTS]}


class RedactTable(_Table):
    """``[redact]``: what is redacted although it is no credential, such as customers' addresses in results."""

    keys: Annotated[tuple[str, ...], PlainValidator(checked_keys), WithJsonSchema(_TEXTS)] = Field(
        (), description='Names of keys, in any letter case: the value under them becomes "<redacted>".'
    )
    patterns: Annotated[tuple[str, ...], PlainValidator(checked_patterns), WithJsonSchema(_EITHER)] = Field(
        (), description='Regular expressions, named or not: what they match becomes "<redacted>".'
    )
    paths: Annotated[tuple[str, ...], PlainValidator(checked_paths), WithJsonSchema(_TEXTS)] = Field(
        (), description='JSON paths into result and error, such as "items[*].email".'
    )


class SnapshotsTable(_Table):
    """``[snapshots]``: what differs from run to run in this project, and what does not."""

    keys: Annotated[dict[str, str], PlainValidator(checked_placeholders), WithJsonSchema(_EITHER)] = Field(
        default_factory=dict,
        description="Names of keys, in any letter case, and the placeholder for the values under them. As a list, the "
        "key's name is the placeholder's.",
    )
    patterns: Annotated[dict[str, str], PlainValidator(checked_named_patterns), WithJsonSchema(_NAMED_TEXTS)] = Field(
        default_factory=dict, description="Placeholders, and the regular expression for what they stand for."
    )
    keep: Annotated[tuple[str, ...], PlainValidator(checked_paths), WithJsonSchema(_TEXTS)] = Field(
        (), description="JSON paths, or names of keys, whose values stay as they are."
    )


class LimitsTable(_Table):
    """``[gate.workflows.NAME]``: what the tests of one workflow are held to."""

    min_pass_rate: Share | None = Field(
        None, description="The share of tests that must pass, of those with a verdict, from 0 to 1. Default: 1."
    )
    max_infrastructure_errors: Most | None = Field(
        None, description="How many tests may be without a verdict for want of Wisebot. Default: 0."
    )
    max_flaky: Most | None = Field(
        None, description="How many tests may pass although some of their trials failed. Default: no limit."
    )
    min_runs: Most | None = Field(None, description="How many live runs there must be at least.")
    p95_seconds: Seconds | None = Field(None, description="Seconds that 95% of a workflow's runs may take at most.")
    max_seconds: Seconds | None = Field(None, description="Seconds that each of a workflow's runs may take at most.")
    max_pass_rate_drop: Share | None = Field(
        None, description="By how much a workflow's pass rate may be below the baseline's; 0.05 is five points."
    )
    max_p95_growth: Growth | None = Field(
        None, description="By what share of it a workflow's p95 may be above the baseline's; 0.25 is a quarter more."
    )


class GateTable(LimitsTable):
    """``[gate]``: what opens the gate. Limits in seconds, and those beside a baseline, hold for each workflow."""

    require_live: bool = Field(True, description="A run that was made earlier opens no gate.")
    allow_emulator: bool = Field(False, description="An emulator may open the gate.")
    select: Annotated[str, AfterValidator(checked_select)] | None = Field(
        None, description='The tests that the gate is about: "-m EXPRESSION", "-k EXPRESSION" or both.'
    )
    paths: Annotated[tuple[str, ...], PlainValidator(checked_gate_paths), WithJsonSchema(_SOME_TEXTS)] = Field(
        (),
        description="The folders and files whose tests the gate must have collected, relative to this file. Default: "
        "the folders given as arguments, else testpaths, else the rootdir.",
    )
    max_missing_tests: Most | None = Field(
        None, description="How many tests of the baseline a session may be without. Default: 0."
    )
    workflows: dict[str, LimitsTable] = Field(
        default_factory=dict, description="What the tests of single workflows are held to, by the workflow's name."
    )

    def gate(self) -> Gate:
        """The same as plain values."""
        limits = self.model_dump(include=set(LimitsTable.model_fields))
        own = {name: Limits(**table.model_dump()) for name, table in self.workflows.items()}
        others = self.model_dump(exclude={*LimitsTable.model_fields, "workflows"})
        return Gate(Limits(**limits), own, **others)


class FileTable(_Table):
    """``wisebot.toml``: the environments that a suite can run against, and what its results show."""

    default_environment: str | None = Field(None, description="The environment without --wisebot-env.")
    recordings: str | None = Field(
        None, description="The folder of recorded runs, relative to this file. Default: recordings."
    )
    max_age_days: Annotated[int, AfterValidator(at_least(1))] | None = Field(
        None, description="How old a recording may be that --wisebot-runs=replay gives. Default: no limit."
    )
    environments: dict[str, EnvironmentTable] = Field(default_factory=dict, description="The environments, by name.")
    redact: RedactTable = Field(
        default_factory=lambda: RedactTable.model_validate({}),
        description="What is redacted in results, as tests see them, and in texts.",
    )
    snapshots: SnapshotsTable = Field(
        default_factory=lambda: SnapshotsTable.model_validate({}), description="What snapshots leave out or keep."
    )
    gate: GateTable = Field(
        default_factory=lambda: GateTable.model_validate({}), description="What --wisebot-gate opens at."
    )

    def contents(self) -> FileValues:
        """The same as plain values."""
        return FileValues(
            default_environment=self.default_environment,
            recordings=self.recordings,
            max_age_days=self.max_age_days,
            environments={name: table.environment() for name, table in self.environments.items()},
            redact=Redact(**self.redact.model_dump()),
            snapshots=Snapshots(**self.snapshots.model_dump()),
            gate=self.gate.gate(),
        )


def json_schema() -> dict[str, Any]:
    """The JSON Schema of ``wisebot.toml``, as it ships with this package."""
    schema = FileTable.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": FILE_NAME}


def read_file(path: Path) -> FileTable:
    """``wisebot.toml``, validated as a whole.

    Raises:
        ConfigurationError: it cannot be read, is no TOML, or says something wrong; every mistake is listed.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: is no UTF-8 text") from None
    except RecursionError:
        raise ConfigurationError(f"{path.name}: is no TOML: nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, and an integer of more digits than Python converts
        raise ConfigurationError(f"{path.name}: is no TOML: {error}") from None
    mistakes = list(_contradictions(data))
    try:
        table = FileTable.model_validate(data)
    except ValidationError as error:
        mistakes[:0] = [_mistake(dict(item), data) for item in error.errors(include_url=False, include_input=False)]
    if mistakes:
        raise ConfigurationError("\n".join(f"{path.name}: {mistake}" for mistake in mistakes))
    return table


def _mistake(error: dict[str, Any], data: Any) -> str:
    """One of pydantic's errors, in the words of ``wisebot.toml``."""
    location = error["loc"]
    value = _value_at(location, data)
    words: dict[str, Callable[[], str]] = {
        "extra_forbidden": lambda: f"unknown key, {nearest(location[-1], _known_keys(location))}",
        "value_error": lambda: str(error["ctx"]["error"]),
        "literal_error": lambda: (
            f"expected {error['ctx']['expected'].replace(chr(39), chr(34))}, got {_shown(location, value)}"
        ),
    }
    expected = {
        "string_type": "a text", "int_type": "a whole number", "float_type": "a number", "bool_type": "true or false",
        "dict_type": "a table", "model_type": "a table", "model_attributes_type": "a table",
    }  # fmt: skip
    kind = error["type"]
    if kind in expected:
        # A text where a table belongs may be a credential: "triage = SECRET".
        shown = "a text" if expected[kind] == "a table" and isinstance(value, str) else _shown(location, value)
        return f"{_dotted(location)}: expected {expected[kind]}, got {shown}"
    return f"{_dotted(location)}: {words[kind]() if kind in words else error['msg']}"


def _value_at(location: tuple[int | str, ...], data: Any) -> Any:
    for step in location:
        data = data[step] if isinstance(data, dict) and step in data else None
    return data


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    """The keys that the table of this location has."""
    tables: dict[int, type[_Table]] = {1: FileTable, 3: EnvironmentTable, 4: LimitsTable, 5: WorkflowTable}
    named: dict[int | str, type[_Table]] = {"redact": RedactTable, "snapshots": SnapshotsTable, "gate": GateTable}
    table = named[location[0]] if len(location) == 2 else tables[len(location)]
    return [str(item.alias) for item in table.model_fields.values()]


def _shown(location: tuple[int | str, ...], value: Any) -> str:
    if location[-1] in ("secret", "token"):
        return f"another type ({type(value).__name__})"
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    return json.dumps(value, default=str)


def _dotted(location: tuple[int | str, ...]) -> str:
    return ".".join(str(step) if re.fullmatch(r"[\w-]+", str(step)) else json.dumps(str(step)) for step in location)


def _contradictions(data: dict[str, Any]) -> Iterator[str]:
    """What is wrong between values that are right one by one; from the raw table, to be told with all the rest."""
    environments = data.get("environments", {})
    environments = environments if isinstance(environments, dict) else {}
    default = data.get("default-environment")
    if isinstance(default, str) and default not in environments:
        yield f'default-environment: unknown environment "{default}", {nearest_of_all(default, environments)}'
    for name, table in environments.items():
        if isinstance(table, dict):
            yield from (f"{_dotted(('environments', name))}{mistake}" for mistake in _contradictions_of(table))


def _contradictions_of(table: dict[str, Any]) -> Iterator[str]:
    if "emulator" in table and ("origin" in table or "base-url" in table):
        yield ": an environment has an emulator or hosts of its own, not both"
    if table.get("allow-http") is not True:
        for key in ("origin", "base-url"):
            problem = _unencrypted(table.get(key))
            if problem is not None:
                yield f".{key}: {problem}"


def _unencrypted(host: object) -> str | None:
    try:
        return plain_http(checked_origin(host)) if isinstance(host, str) else None
    except ValueError:  # told as itself, by the table
        return None
