"""The one table of settings: a field that is added to it appears everywhere by construction."""

from __future__ import annotations

import argparse
import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from pytest_wisebot.errors import ConfigurationError
from pytest_wisebot.gate_config import Gate, Limits
from pytest_wisebot.plugin.options import pytest_addoption
from pytest_wisebot.redaction import Redact
from pytest_wisebot.settings import Settings, Snapshots, Workflow, json_schema, load, reference_tables
from pytest_wisebot.settings.checks import KINDS
from pytest_wisebot.settings.fields import (
    DEFAULTS,
    ENVIRONMENT,
    FILE,
    GATE,
    LIMITS,
    REDACT,
    SNAPSHOTS,
    WORKFLOW,
    WORKFLOW_ANYWHERE,
    Field,
    Table,
    given_options,
    option_fields,
    settings_fields,
)


class Parser:
    """What `pytest_addoption` needs of pytest's parser."""

    def __init__(self) -> None:
        self.parser = argparse.ArgumentParser(prog="pytest")

    def getgroup(self, name: str, description: str) -> Parser:
        del name, description
        return self

    def addoption(self, *names: str, **attributes: Any) -> None:
        self.parser.add_argument(*names, **attributes)


def parser() -> argparse.ArgumentParser:
    """A parser with the options of this package."""
    ours: Any = Parser()
    pytest_addoption(ours)
    return ours.parser  # type: ignore[no-any-return]


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> Field:
    """A setting that is added to the table: one row, and one attribute of `Settings` for type checkers."""
    field = Field(
        "most_tries", "whole", "How often to try.", default=7, least=1, metavar="N", variables=("MOST_TRIES",)
    )
    monkeypatch.setattr(ENVIRONMENT, "fields", (*ENVIRONMENT.fields, field))
    extended = dataclasses.make_dataclass("Extended", [("most_tries", int, 7)], bases=(Settings,), frozen=True)
    monkeypatch.setattr(load, "Settings", extended)
    return field


def resolved(folder: Path, toml: str = "", variables: dict[str, str] | None = None, **given: Any) -> Any:
    (folder / "wisebot.toml").write_text(f'default-environment = "e"\n[environments.e]\n{toml}', "utf-8")
    return load.resolve(given, start=folder, root=folder, cwd=folder, variables=variables or {})


def test_a_setting_of_the_table_is_an_option(made_up: Field) -> None:
    """It has an option with its help and its default, whose value is handed on under its name."""
    text = " ".join(parser().format_help().split())
    assert f"{made_up.option_name} N How often to try. Default: 7." in text
    assert given_options(parser().parse_args([made_up.option_name, "3"])) == {"runs": "live", "most_tries": 3}


def test_a_setting_of_the_table_is_a_key_of_the_file(made_up: Field, tmp_path: Path) -> None:
    """The file may set it, and the check of its kind and its bounds holds for it."""
    settings = resolved(tmp_path, "most-tries = 2")
    assert (settings.most_tries, settings.source("most_tries")) == (2, "wisebot.toml: environments.e.most-tries")
    for value, message in (("0", "a whole number, at least 1, got 0"), ('"2"', 'a whole number, got "2"')):
        with pytest.raises(ConfigurationError) as caught:
            resolved(tmp_path, f"most-tries = {value}")
        assert str(caught.value) == f"wisebot.toml: environments.e.most-tries: expected {message}"


def test_a_setting_of_the_table_is_in_the_settings(made_up: Field, tmp_path: Path) -> None:
    """The option wins over the file, the file over the default; the project's hook is checked as well."""
    default, option = resolved(tmp_path), resolved(tmp_path, "most-tries = 2", most_tries=3)
    assert (default.most_tries, default.source("most_tries")) == (7, "default")
    assert (option.most_tries, option.source("most_tries")) == (3, "--wisebot-most-tries")
    with pytest.raises(ConfigurationError, match="expected a whole number, at least 1, got 0"):
        default.replace(most_tries=0)


def test_a_setting_of_the_table_is_in_schema_and_reference(made_up: Field) -> None:
    """Editors complete it, and the manual's tables describe it."""
    assert json_schema()["$defs"]["EnvironmentTable"]["properties"][made_up.key] == {
        "anyOf": [{"type": "integer"}, {"type": "null"}],
        "default": None,
        "description": "How often to try. Default: 7.",
        "title": "Most-Tries",
    }
    tables = reference_tables()
    assert "| `--wisebot-most-tries=N` | How often to try. | 7 |" in tables["options"].splitlines()
    assert "| `most-tries` | How often to try. | 7 |" in tables["[environments.NAME]"].splitlines()
    assert "| `MOST_TRIES` | `most-tries` |" in tables["variables"].splitlines()


@pytest.mark.parametrize("field", settings_fields(), ids=lambda field: field.name)
def test_the_default_of_a_setting_is_that_of_the_table(field: Field) -> None:
    """Each setting of the table is an attribute of `Settings`, with its default where it has one."""
    value = getattr(Settings(), field.name)
    assert field.default is None or value == field.default


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        (WORKFLOW, Workflow),
        (WORKFLOW_ANYWHERE, Workflow),
        (DEFAULTS, Settings),
        (REDACT, Redact),
        (SNAPSHOTS, Snapshots),
        (LIMITS, Limits),
        (GATE, Gate),
    ],
    ids=lambda item: getattr(item, "name", ""),
)
def test_the_values_of_a_table_have_its_names(table: Table, kind: type[Any]) -> None:
    """Each key of a nested table is an attribute of the value that is made of it."""
    names = {item.name for item in dataclasses.fields(kind)}
    own = [field for field in table.fields if kind is not Gate or field not in LIMITS.fields]
    assert {field.name for field in own} <= names


def test_no_environment_shares_a_host_or_a_credential() -> None:
    """A credential of one host never reaches another one by ``[defaults]`` or ``[workflows.NAME]``."""
    shared = {field.name for table in (DEFAULTS, WORKFLOW_ANYWHERE) for field in table.fields}
    assert shared.isdisjoint({"emulator", "origin", "base_url", "id", "workflows"})
    assert not [name for name in shared if re.search("secret$|token|password|headers", name)]


def test_the_reference_has_every_option_key_and_variable() -> None:
    """The tables that the manual is built from have a row for each option, key and environment variable."""
    tables = reference_tables()
    options = re.findall(r"^\| `(--[\w-]+)", tables["options"], re.MULTILINE)
    assert options == [field.option_name for field in option_fields()]
    for table in (FILE, DEFAULTS, ENVIRONMENT, WORKFLOW, WORKFLOW_ANYWHERE, REDACT, SNAPSHOTS, LIMITS, GATE):
        keys = re.findall(r"^\| `([\w-]+)` \|", tables[table.place], re.MULTILINE)
        assert keys == [field.key for field in table.fields]
    variables = [re.findall(r"`(\w+)`", row.partition(" | ")[0]) for row in tables["variables"].splitlines()[2:]]
    assert variables == [list(field.variables) for field in ENVIRONMENT.fields if field.variables]


def test_every_field_has_a_check() -> None:
    """The kind of each field of the file has a check and a JSON Schema."""
    tables = (FILE, ENVIRONMENT, WORKFLOW, REDACT, SNAPSHOTS, GATE)
    assert {field.kind for table in tables for field in table.fields if field.table is None} <= set(KINDS)
