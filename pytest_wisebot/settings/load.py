"""From options, ``wisebot.toml`` (or ``[tool.wisebot]``) and variables to `Settings`, in the order of precedence.

A named environment is closed: a variable never fills its hosts or credentials, so that a shell prepared for production
can neither redirect a staging run nor hand it a secret. And a host given as an option takes out of force the credential
that the environment has for its own host.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from ..errors import ConfigurationError
from ..gate_config import ALLOWED, Gate, Limits, ReportConfig
from ..originals import os
from ..redaction import Redact, Redactor, Secret
from ..runs import Api
from ..text import toml_key
from .checks import check, checked_origin, describe, nearest, nearest_of_all, plain_http
from .credentials import Credential, proxy_credentials, read_credential
from .fields import DEFAULTS, ENVIRONMENT, FILE, LIMITS, LINKS, WORKFLOW, Field, Table, settings_fields
from .settings import FILE_NAME, PROJECT_FILE_NAME, Against, Settings, Snapshots, Workflow, key_place, table_place


def find_file(start: Path, root: Path) -> Path | None:
    """The nearest ``wisebot.toml``, or ``pyproject.toml`` with ``[tool.wisebot]``, from ``start`` up to ``root``.

    Outside ``root`` only these two folders count.

    Raises:
        ConfigurationError: both stand in one folder, or a ``pyproject.toml`` is not valid.
    """
    return next(filter(None, map(_file_in, _searched(start, root))), None)


def _searched(start: Path, root: Path) -> list[Path]:
    between = [start, *start.parents]
    return between[: between.index(root) + 1] if root in between else [start, root]


def _file_in(folder: Path) -> Path | None:
    own, shared = folder / FILE_NAME, folder / PROJECT_FILE_NAME
    has_table = shared.is_file() and _tool_wisebot(_parsed(shared)) is not None
    if own.is_file() and has_table:
        raise ConfigurationError(
            f"{own} and [tool.wisebot] in {shared}: settings have one place: move all of them into one of the two"
        )
    return own if own.is_file() else shared if has_table else None


def read_file(path: Path) -> dict[str, Any]:
    """The values of ``wisebot.toml``, or of ``[tool.wisebot]``, by the names of their fields.

    Keys that the file leaves out are absent.

    Raises:
        ConfigurationError: the file cannot be read, is not valid TOML, or holds wrong values; every mistake is listed.
    """
    data, place = _parsed(path), table_place(path)
    if place:
        data = _tool_wisebot(data)
        if data is None:
            raise ConfigurationError(f"--wisebot-config: there is no [tool.wisebot] in {path}")
    mistakes: list[str] = []
    values = _read_table(FILE, data, place, mistakes)
    mistakes += (f"{toml_key(*place, *where)}: {mistake}" for where, mistake in _contradictions(values))
    if mistakes:
        raise ConfigurationError("\n".join(f"{path.name}: {mistake}" for mistake in mistakes))
    return values


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))  # an editor of Windows may begin a file with its mark
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: is not UTF-8 text") from None
    except RecursionError:
        raise ConfigurationError(f"{path.name}: is not valid TOML: nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, and an integer of more digits than Python converts
        raise ConfigurationError(f"{path.name}: is not valid TOML: {error}") from None


def _tool_wisebot(data: Mapping[str, Any]) -> Any:
    """What stands under ``tool.wisebot``, a table or not; None where nothing does."""
    tool = data.get("tool")
    return tool.get("wisebot") if isinstance(tool, dict) else None


def _read_table(table: Table, data: Any, place: tuple[str, ...], mistakes: list[str]) -> dict[str, Any]:
    if not _is_table(data, place, mistakes):
        return {}
    keys = {field.key: field for field in table.fields}
    values = {}
    for key, field in keys.items():
        if key in data:
            values[field.name] = _read_value(field, data[key], (*place, key), mistakes)
    mistakes += [f"{toml_key(*place, key)}: {_unknown(key, table)}" for key in data if key not in keys]
    return values


def _unknown(key: str, table: Table) -> str:
    if table.part_of is not None and key in (field.key for field in table.part_of.fields):
        return f"not in {table.place}: write it under {table.part_of.place}"
    return f"unknown key, {nearest(key, (field.key for field in table.fields))}"


def _read_value(field: Field, value: Any, place: tuple[str, ...], mistakes: list[str]) -> Any:
    if field.kind == "table" and field.table is not None:
        return _read_table(field.table, value, place, mistakes)
    if field.table is not None:
        named = value.items() if _is_table(value, place, mistakes) else ()
        return {name: _read_table(field.table, item, (*place, name), mistakes) for name, item in named}
    try:
        return check(field, value)
    except ValueError as error:
        mistakes.append(f"{toml_key(*place)}: {error}")
        return None


def _is_table(value: Any, place: tuple[str, ...], mistakes: list[str]) -> bool:
    if not isinstance(value, dict):
        shown = "a string" if isinstance(value, str) else describe(value)  # it may be a credential: "triage = SECRET"
        mistakes.append(f"{toml_key(*place)}: expected a table, got {shown}")
    return isinstance(value, dict)


def _contradictions(values: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """What is wrong between values that are right one by one, and where. A value that is wrong itself is None."""
    environments: Mapping[str, Any] = values.get("environments", {})
    default, shared = values.get("default_environment"), values.get("defaults", {})
    if default is not None and default not in environments:
        known = nearest_of_all(default, environments)
        yield ("default-environment",), f'unknown environment "{default}", {known}'
    for name, table in environments.items():
        of = ("environments", name)
        if "emulator" in table and ("origin" in table or "base_url" in table):
            yield of, "an environment has an emulator or hosts of its own, not both"
        for key in ("origin", "base_url"):
            allowed = table.get("allow_http", shared.get("allow_http"))
            if table.get(key) and not allowed and (problem := plain_http(table[key])):
                yield (*of, key.replace("_", "-")), problem


def secrets_in_sight(
    given: Mapping[str, Any], *, start: Path, root: Path, cwd: Path, variables: Mapping[str, str]
) -> Iterator[Secret]:
    """The credentials that a message about wrong settings may repeat, whether they are in force or not.

    They are those of options and of variables that a field has, and those that a settings file names, valid or not.

    Args:
        given: the values that options give, by the names of their fields.
        start: the folder where the search for the file begins.
        root: the folder where it ends.
        cwd: what a path given as an option is relative to.
        variables: the environment variables.
    """
    fields = [field for field in (*ENVIRONMENT.fields, *WORKFLOW.fields) if field.kind == "reference"]
    named = [(f"env:{name}", cwd) for field in fields for name in field.variables]
    named += [(given[field.name], cwd) for field in fields if field.name in given]
    files = [cwd / given["config"]] if given.get("config") else []
    files += (folder / name for folder in _searched(start, root) for name in (FILE_NAME, PROJECT_FILE_NAME))
    for path in files:
        with suppress(OSError, ValueError):
            named += [(one, path.parent) for one in _REFERENCE.findall(path.read_text("utf-8-sig"))]
    for reference, folder in named:
        with suppress(ConfigurationError):
            if (secret := read_credential(reference, "", folder, variables).secret) is not None:
                yield secret
    yield from proxy_credentials(variables)


_REFERENCE: Final = re.compile(r"""(?<=["'])(?:env|file):[^"'\n]+(?=["'])""")
"""A reference in a settings file, of which the rest need not be valid TOML."""


def resolve(
    given: Mapping[str, Any],
    *,
    start: Path,
    root: Path,
    cwd: Path,
    variables: Mapping[str, str],
    named_by: str = "--wisebot-env",
) -> Settings:
    """The settings in force.

    Args:
        given: the values that options give, by the names of their fields.
        start: the folder where the search for the file begins: the one that the tests have in common.
        root: the folder where it ends.
        cwd: what a path given as an option is relative to.
        variables: the environment variables.
        named_by: the option that names the environment.

    Raises:
        ConfigurationError: with every mistake that was found, one a line, in the user's terms. A wrong value may be a
            credential that stands in the wrong place: it is masked.
    """
    try:
        return _resolved(given, start, root, cwd, variables, named_by)
    except ConfigurationError as error:
        secrets = secrets_in_sight(given, start=start, root=root, cwd=cwd, variables=variables)
        raise ConfigurationError(Redactor(secrets).clean(str(error))) from None


def _resolved(
    given: Mapping[str, Any], start: Path, root: Path, cwd: Path, variables: Mapping[str, str], named_by: str
) -> Settings:
    given = {name: value for name, value in given.items() if value is not None and (name, value) != ("api", "both")}
    path = cwd / given["config"] if "config" in given else find_file(start, root)
    if path is not None and not path.is_file():
        raise ConfigurationError(f"--wisebot-config: there is no file {path}")
    if path is None and "env" in given:
        searched = f"no wisebot.toml, and no pyproject.toml with [tool.wisebot], was found from {start} up to {root}"
        raise ConfigurationError(f"{named_by}={given['env']}: {searched}")
    return _Resolution(given, path, root, cwd, variables, named_by).settings()


class _Resolution:
    """One pass over all that is given. It collects the mistakes and reports them at once."""

    def __init__(
        self,
        given: Mapping[str, Any],
        path: Path | None,
        root: Path,
        cwd: Path,
        variables: Mapping[str, str],
        named_by: str,
    ) -> None:
        self.given = given
        self.named_by = named_by
        self.path = path
        self.folder = path.parent if path else root
        self.cwd = cwd
        self.variables = variables
        self.file = read_file(path) if path else {}
        self.environments: Mapping[str, Mapping[str, Any]] = self.file.get("environments", {})
        self.name = given.get("env", self.file.get("default_environment"))
        if self.name is not None and self.name not in self.environments:
            known = nearest_of_all(self.name, self.environments)
            raise ConfigurationError(f'{named_by}: unknown environment "{self.name}", {known}')
        self.table = self.environments.get(self.name or "", {})
        self.shared: Mapping[str, Any] = self.file.get("defaults", {})
        self.sources: dict[str, str] = {}
        self.problems: list[str] = []

    def settings(self) -> Settings:
        values = {field.name: value for field in settings_fields() if (value := self._value(field)) is not None}
        if self.name is not None:
            self.sources["environment"] = self.named_by if "env" in self.given else self._place("default-environment")
        if "origin" not in values and "base_url" in values and "emulator" not in values:
            values.setdefault("api", Api.DASHBOARD)
        values.setdefault("recordings", self.folder / "recordings")
        values["gate"] = self._gate(values.get("gate", {}))
        settings = Settings(
            environment=self.name,
            environments=tuple(self.environments),
            file=self.path,
            protected_hosts=self._protected_hosts(),
            allow_protected=self.given.get("allow_protected", False),
            workflows=self._workflows(),
            sources=self.sources,
            **values,
        )
        try:
            settings = settings.checked("default")
        except ConfigurationError as error:
            self.problems.insert(0, str(error))
        if self.problems:
            raise ConfigurationError("\n".join(self.problems))
        return settings

    def _value(self, field: Field) -> Any:
        """The value of a field; None where the default holds."""
        found = self._found(field)
        if found is None:
            return None
        self.sources[field.key] = found[1]
        return self._converted(field, *found)

    def _found(self, field: Field) -> tuple[Any, str, Path] | None:
        """The value by precedence, its source, and the folder that a path in it is relative to."""
        if field.has_option and field.name in self.given:
            return self.given[field.name], field.option_name, self.cwd
        table, place = (self.table, f"environments.{self.name}.") if field in ENVIRONMENT.fields else (self.file, "")
        if field.name in table and not self._is_out_of_force(field):
            return table[field.name], self._place(place + field.key), self.folder
        if field in DEFAULTS.fields and field.name in self.shared:
            return self.shared[field.name], self._place(f"defaults.{field.key}"), self.folder
        if field in LINKS and field.name in (report := self.file.get("report", {})):
            return report[field.name], self._place(f"report.{field.key}"), self.folder
        variable = self._variable(field)
        if variable is None or self.name is not None:
            return None
        if other := self._other_host(field):
            self.sources[field.key] = f"{variable} is not used: the variables are for {other}"
            return None
        return f"env:{variable}" if field.kind == "reference" else self.variables[variable], variable, self.cwd

    def _variable(self, field: Field) -> str | None:
        """The variable that gives a field: the first one that is set."""
        return next((name for name in field.variables if self.variables.get(name)), None)

    def _is_out_of_force(self, field: Field) -> bool:
        return any(host in self.given for host in field.unless)

    def _other_host(self, field: Field) -> str | None:
        """The host that the variables name for their credential, where an option gives another one."""
        for host in ENVIRONMENT.fields:
            if host.name in field.unless and host.name in self.given and (name := self._variable(host)):
                named = self.variables[name]
                return named if _host(named) != _host(self.given[host.name]) else None
        return None

    def _converted(self, field: Field, value: Any, source: str, folder: Path) -> Any:
        if field.kind == "reference":
            return self._credential(value, source, folder)
        if field.kind == "headers":
            return {name: self._credential(one, f"{source}.{name}", folder) for name, one in value.items()}
        if field.kind in ("folder", "file", "certificates"):
            return folder / os.path.expanduser(value)
        if field.name == "snapshots":
            workflows = {name: Snapshots(**own) for name, own in value.get("workflows", {}).items()}
            return Snapshots(**{**value, "workflows": workflows})
        kinds: dict[str, type[Any]] = {"redact": Redact, "report": ReportConfig, "against": Against}
        return kinds[field.name](**value) if field.name in kinds else value

    def _credential(self, value: Any, source: str, folder: Path) -> Credential:
        try:
            return read_credential(value, source, folder, self.variables)
        except ConfigurationError as error:
            self.problems.append(str(error))
            return Credential(source, problem=str(error))

    def _workflows(self) -> dict[str, Workflow]:
        """Those of the environment; and of all environments, where this one does not list its own."""
        own, shared = self.table.get("workflows", {}), self.file.get("workflows", {})
        is_closed = any(not {"id", "secret"}.isdisjoint(entry) for entry in own.values())
        names = own if is_closed else {**own, **shared}
        return {name: self._workflow(name, own.get(name, {}), shared.get(name, {})) for name in names}

    def _workflow(self, name: str, own: Mapping[str, Any], shared: Mapping[str, Any]) -> Workflow:
        values: dict[str, Any] = {"id": name}
        sources: dict[str, str] = {}
        for field in WORKFLOW.fields:
            is_own = field.name in own
            if (is_own or field.name in shared) and not self._is_out_of_force(field):
                place = f"environments.{self.name}.workflows.{name}" if is_own else f"workflows.{name}"
                sources[field.name] = self._place(f"{place}.{field.key}")
                value = (own if is_own else shared)[field.name]
                values[field.name] = self._converted(field, value, sources[field.name], self.folder)
        return Workflow(name, **values, is_listed=not {"id", "secret"}.isdisjoint(own), sources=sources)

    def _gate(self, table: Mapping[str, Any]) -> Gate:
        """The gate of the file, for this one session with the numbers that options allow."""
        for path in table.get("paths", ()):
            if not (self.folder / path).exists():
                known = nearest_of_all(path, _beside(self.folder, path))
                self.problems.append(f'{self._place("gate.paths")}: there is no "{path}" beside the file, {known}')
        allowed = {name: self.given[name] for name in ALLOWED if name in self.given}
        values = {**table, **allowed}
        overall = {field.name: values.pop(field.name) for field in LIMITS.fields if field.name in values}
        workflows = {name: Limits(**limits) for name, limits in values.pop("workflows", {}).items()}
        return Gate(Limits(**overall), workflows, **values)

    def _protected_hosts(self) -> dict[str, str]:
        return {
            table[key]: name
            for name, table in self.environments.items()
            for key in ("origin", "base_url")
            if table.get("protected", self.shared.get("protected")) and key in table
        }

    def _place(self, key: str) -> str:
        return key_place(self.path, key)


def _host(text: str) -> str:
    """An origin in its one form; one that is not valid as it is, since it is refused elsewhere."""
    try:
        return checked_origin(text)
    except ValueError:
        return text


def _beside(folder: Path, missing: str) -> list[str]:
    """What there is in the nearest folder that exists of those that lead to a missing path."""
    parent = next(one for one in (folder / missing).parents if one.is_dir())
    names = (os.path.relpath(one, folder) for one in parent.iterdir() if not one.name.startswith((".", "__")))
    return sorted(Path(name).as_posix() for name in names)
