"""From options, ``wisebot.toml`` and variables to `Settings`, in the order of precedence.

A named environment is closed: a variable never fills its hosts or credentials, so that a shell prepared for production
can neither redirect a staging run nor hand it a secret. And a host given as an option takes out of force the credential
that the environment has for its own host.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..errors import ConfigurationError
from ..gate_config import Gate
from ..redaction import Secret
from ..runs import Api
from .checks import nearest_of_all
from .credentials import Credential, read_credential
from .file_values import Environment, FileValues, WorkflowEntry, find_file
from .values import (
    BASE_URL_VARIABLES,
    ORIGIN_VARIABLES,
    SECRET_VARIABLES,
    TOKEN_VARIABLES,
    Settings,
    Workflow,
    hostname,
)

NUMBERS: Final = ("timeout", "connect_timeout", "concurrency", "retries", "max_runs", "max_response_mib")


@dataclass(frozen=True, slots=True)
class CliOptions:
    """What the command line said. A credential is ``env:NAME``, ``file:PATH``, or a value: a `Secret` already."""

    env: str | None = None
    config: Path | None = None
    origin: str | None = None
    base_url: str | None = None
    secret: str | Secret | None = None
    token: str | Secret | None = None
    api: Api | None = None
    allow_protected: bool = False
    timeout: float | None = None
    concurrency: int | None = None
    retries: int | None = None
    max_runs: int | None = None
    recordings: Path | None = None
    no_trace: bool = False
    max_missing_tests: int | None = None


def resolve(given: CliOptions, *, start: Path, root: Path, cwd: Path, variables: Mapping[str, str]) -> Settings:
    """The settings in force.

    Args:
        given: the options.
        start: the folder where the search for ``wisebot.toml`` begins: the one that the tests have in common.
        root: the folder where it ends.
        cwd: what a path given as an option is relative to.
        variables: the environment variables.

    Raises:
        ConfigurationError: with every mistake that was found, one a line, in the user's terms.
    """
    path = given.config or find_file(start, root)
    if path is not None and not path.is_file():
        raise ConfigurationError(f"--wisebot-config: there is no file {path}")
    file = _read(path) if path else FileValues()
    if given.env is not None and path is None:
        raise ConfigurationError(f"--wisebot-env {given.env}: no wisebot.toml was found from {start} up to {root}")
    return _Resolution(given, file, path, root, cwd, variables).settings()


def _read(path: Path) -> FileValues:
    from .file import read_file  # loaded where there is one: it costs a tenth of a second

    return read_file(path).contents()


class _Resolution:
    """One pass over everything that was given, which collects the mistakes and tells them at once."""

    def __init__(
        self,
        given: CliOptions,
        file: FileValues,
        path: Path | None,
        root: Path,
        cwd: Path,
        variables: Mapping[str, str],
    ) -> None:
        self.given = given
        self.file = file
        self.path = path
        self.root = root
        self.cwd = cwd
        self.variables = variables
        self.name = given.env if given.env is not None else file.default_environment
        self.table = self._environment()
        self.sources: dict[str, str] = {}
        self.problems: list[str] = []

    def _environment(self) -> Environment:
        if self.name is None:
            return Environment()
        if self.name not in self.file.environments:
            known = nearest_of_all(self.name, self.file.environments)
            raise ConfigurationError(f'--wisebot-env: unknown environment "{self.name}", {known}')
        return self.file.environments[self.name]

    def settings(self) -> Settings:
        given, table = self.given, self.table
        emulated = table.emulator is not None and given.origin is None and given.base_url is None
        values: dict[str, Any] = {
            "origin": self._host("origin", ORIGIN_VARIABLES),
            "base_url": self._host("base_url", BASE_URL_VARIABLES),
            "secret": self._credential("secret", SECRET_VARIABLES, discarded=given.origin is not None),
            "token": self._credential("token", TOKEN_VARIABLES, discarded=given.base_url is not None),
            "workflows": self._workflows(),
            "recordings": self._recordings(),
            "max_age_days": self._max_age_days(),
            "trace": self._trace(),
            **self._numbers(),
        }
        values["api"] = self._api(values["origin"], values["base_url"], emulated)
        self._say_where_environment_is_from()
        settings = Settings(
            environment=self.name,
            environments=tuple(self.file.environments),
            file=self.path,
            emulator=table.emulator if emulated else None,
            secret_header=table.secret_header,
            allow_http=table.allow_http,
            protected=table.protected,
            protected_hosts=_protected_hosts(self.file),
            allow_protected=given.allow_protected,
            redact=self.file.redact,
            snapshots=self.file.snapshots,
            gate=self._gate(),
            sources=self.sources,
            **values,
        )
        return self._without_problems(settings)

    def _without_problems(self, settings: Settings) -> Settings:
        try:
            settings = settings.checked("default")
        except ConfigurationError as error:
            self.problems.insert(0, str(error))
        if self.problems:
            raise ConfigurationError("\n".join(self.problems))
        return settings

    def _say_where_environment_is_from(self) -> None:
        if self.name is not None:
            self.sources["environment"] = (
                "--wisebot-env" if self.given.env is not None else self._place("default-environment")
            )

    def _place(self, key: str) -> str:
        return f"{self.path.name if self.path else 'wisebot.toml'}: {key}"

    def _key(self, key: str) -> str:
        return self._place(f"environments.{self.name}.{key}")

    def _host(self, name: str, variables: tuple[str, ...]) -> str | None:
        key = name.replace("_", "-")
        if (option := getattr(self.given, name)) is not None:
            self.sources[key] = f"--wisebot-{key}"
            return str(option)
        if (value := getattr(self.table, name)) is not None:
            self.sources[key] = self._key(key)
            return str(value)
        variable = self._variable(variables)
        if variable is not None:
            self.sources[key] = variable
            return self.variables[variable]
        return None

    def _variable(self, names: tuple[str, ...]) -> str | None:
        """The first of these variables that is set, where no environment was chosen."""
        return None if self.name is not None else next((name for name in names if self.variables.get(name)), None)

    def _credential(self, key: str, variables: tuple[str, ...], *, discarded: bool) -> Credential | None:
        option = getattr(self.given, key)
        if option is not None:
            self.sources[key] = f"--wisebot-{key}"
            return self._referenced(option, f"--wisebot-{key}", self.cwd)
        reference = getattr(self.table, key)
        if reference is not None and not discarded:
            self.sources[key] = self._key(key)
            return self._referenced(reference, self._key(key), self._folder())
        variable = self._variable(variables)
        if variable is not None:
            self.sources[key] = variable
            return self._referenced(f"env:{variable}", variable, self.cwd)
        return None

    def _folder(self) -> Path:
        return self.path.parent if self.path else self.cwd

    def _referenced(self, given: str | Secret, given_by: str, folder: Path) -> Credential:
        try:
            return read_credential(given, given_by, folder, self.variables)
        except ConfigurationError as error:
            self.problems.append(str(error))
            return Credential(given_by, problem=str(error))

    def _workflows(self) -> dict[str, Workflow]:
        return {name: self._workflow(name, item) for name, item in self.table.workflows.items()}

    def _workflow(self, name: str, item: WorkflowEntry) -> Workflow:
        secret = None
        if item.secret is not None and self.given.origin is None:
            secret = self._referenced(item.secret, self._key(f"workflows.{name}.secret"), self._folder())
        return Workflow(name, item.id if item.id is not None else name, secret, item.idempotent)

    def _recordings(self) -> Path:
        """Beside ``wisebot.toml``, where a project is; without one at pytest's root."""
        if self.given.recordings is not None:
            self.sources["recordings"] = "--wisebot-recordings"
            return self.given.recordings
        if self.file.recordings is not None:
            self.sources["recordings"] = self._place("recordings")
        return (self.path.parent if self.path else self.root) / (self.file.recordings or "recordings")

    def _gate(self) -> Gate:
        """As the file has it, for this one session with the missing tests that an option allows."""
        gate = self.file.gate
        for path in gate.paths:
            if not (self._folder() / path).exists():
                known = nearest_of_all(path, _beside(self._folder(), path))
                self.problems.append(f'{self._place("gate.paths")}: there is no "{path}" beside the file, {known}')
        allowed = self.given.max_missing_tests
        return gate if allowed is None else dataclasses.replace(gate, max_missing_tests=allowed)

    def _max_age_days(self) -> int | None:
        if self.file.max_age_days is not None:
            self.sources["max-age-days"] = self._place("max-age-days")
        return self.file.max_age_days

    def _trace(self) -> bool:
        if self.given.no_trace:
            self.sources["trace"] = "--wisebot-no-trace"
        elif self.table.trace is not None:
            self.sources["trace"] = self._key("trace")
        return not self.given.no_trace and self.table.trace is not False

    def _numbers(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in NUMBERS:
            key = name.replace("_", "-")
            option, value = getattr(self.given, name, None), getattr(self.table, name)
            if option is not None:
                found[name], self.sources[key] = option, f"--wisebot-{key}"
            elif value is not None:
                found[name], self.sources[key] = value, self._key(key)
        return found

    def _api(self, origin: str | None, base_url: str | None, emulated: bool) -> Api:
        if self.given.api is not None:
            self.sources["api"] = "--wisebot-api"
            return self.given.api
        if self.table.api is not None:
            self.sources["api"] = self._key("api")
            return Api(self.table.api)
        only_dashboard = base_url is not None and origin is None and not emulated
        return Api.DASHBOARD if only_dashboard else Api.WEBHOOK


def _beside(folder: Path, missing: str) -> list[str]:
    """What there is in the nearest folder that exists of those that lead to a missing path."""
    parent = next(one for one in (folder / missing).parents if one.is_dir())
    names = (os.path.relpath(one, folder) for one in parent.iterdir() if not one.name.startswith((".", "__")))
    return sorted(Path(name).as_posix() for name in names)


def _protected_hosts(file: FileValues) -> dict[str, str]:
    return {
        hostname(host): name
        for name, table in file.environments.items()
        if table.protected
        for host in (table.origin, table.base_url)
        if host is not None
    }
