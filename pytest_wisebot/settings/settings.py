"""The settings in force, as the rest of the package sees them: plain values, each with its source."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from ..errors import ConfigurationError
from ..gate_config import Gate
from ..originals import os
from ..redaction import Redact, Secret
from ..runs import Api
from .checks import check, hostname, nearest, nearest_of_all, plain_http
from .credentials import Credential, read_credential
from .fields import ENVIRONMENT, Field, Table, settings_fields

HOOK: Final = "the pytest_wisebot_settings hook"

_DEFAULTS: Final[Mapping[str, Any]] = {item.name: item.default for item in ENVIRONMENT.fields}
_VARIABLE: Final = {item.key: item.variables[0] for item in ENVIRONMENT.fields if item.variables}


@dataclass(frozen=True, slots=True)
class Workflow:
    """One workflow: its name in tests, its id at Wisebot, its own secret."""

    name: str
    id: str
    secret: Credential | None = None
    idempotent: bool = False


@dataclass(frozen=True, slots=True)
class Snapshots:
    """What differs from run to run in this project's results, and what stays.

    Attributes:
        keys: names of keys, in any letter case, and the placeholder for the values under them.
        patterns: placeholders, and the regular expression for what they stand for.
        keep: JSON paths, or names of keys, whose values stay as they are.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    patterns: Mapping[str, str] = field(default_factory=dict)
    keep: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """What is in force, after options, ``wisebot.toml`` and environment variables. Read-only.

    A ``pytest_wisebot_settings`` hook returns a changed copy, made with `replace`.

    Attributes:
        environment: the chosen environment's name; None when none was chosen.
        environments: the names of those that ``wisebot.toml`` has.
        file: the ``wisebot.toml`` that was read.
        emulator: ``module:attribute`` of the emulator beside ``file``, when this environment has one.
        origin: trigger origin of the webhook API: scheme and host.
        base_url: base URL of the dashboard API: scheme and host.
        secret: webhook secret of the workflows that have none of their own.
        token: token of the dashboard API.
        api: the API of tests that name none.
        timeout: seconds for a whole run, its retries and back-off included.
        connect_timeout: seconds for making a connection.
        concurrency: how many runs may be in flight at once.
        retries: how often a run that by the contract did not start is tried again.
        max_runs: how many requests for runs may be sent in one session, retries included; None sets no limit.
        max_response_mib: the largest answer that is read, in MiB.
        recordings: the folder of recorded runs.
        max_age_days: how old a recording may be that is replayed; None sets no limit.
        secret_header: the header that carries the webhook secret: ``authorization`` or ``x-workflow-secret``.
        allow_http: credentials may travel over plain HTTP to a host that is not loopback.
        trace: each request carries an id of its own for servers' logs, the header ``traceparent``.
        protected: the environment refuses to run without ``--wisebot-allow-protected``.
        protected_hosts: the hosts that any protected environment names, with that environment.
        allow_protected: ``--wisebot-allow-protected`` was given.
        workflows: the workflows that the environment lists, by name. Where it lists none, a name is an id.
        emulated: the secrets of the running emulator's workflows, by id.
        emulated_fallback: what is sent to the emulator for a workflow that it does not have.
        redact: what is redacted in results and texts although it is no credential.
        snapshots: what snapshots leave out or keep.
        gate: what opens the gate.
        sources: where each value came from, by its name in ``wisebot.toml``.
    """

    environment: str | None = None
    environments: tuple[str, ...] = ()
    file: Path | None = None
    emulator: str | None = None
    origin: str | None = None
    base_url: str | None = None
    secret: Credential | None = None
    token: Credential | None = None
    api: Api = Api.WEBHOOK
    timeout: float = _DEFAULTS["timeout"]
    connect_timeout: float = _DEFAULTS["connect_timeout"]
    concurrency: int = _DEFAULTS["concurrency"]
    retries: int = _DEFAULTS["retries"]
    max_runs: int | None = None
    max_response_mib: int = _DEFAULTS["max_response_mib"]
    recordings: Path | None = None
    max_age_days: int | None = None
    secret_header: str = _DEFAULTS["secret_header"]
    allow_http: bool = _DEFAULTS["allow_http"]
    trace: bool = _DEFAULTS["trace"]
    protected: bool = _DEFAULTS["protected"]
    protected_hosts: Mapping[str, str] = field(default_factory=dict)
    allow_protected: bool = False
    workflows: Mapping[str, Workflow] = field(default_factory=dict)
    emulated: Mapping[str, Credential] = field(default_factory=dict)
    emulated_fallback: Credential | None = None
    redact: Redact = field(default_factory=Redact)
    snapshots: Snapshots = field(default_factory=Snapshots)
    gate: Gate = field(default_factory=Gate)
    sources: Mapping[str, str] = field(default_factory=dict)

    def replace(self, **changes: Any) -> Self:
        """A copy with these values changed, checked like those of ``wisebot.toml``.

        ``secret`` and ``token`` may be strings: the credential itself, ``env:NAME`` or ``file:PATH``. Every other value
        stays, a credential for a host that is changed included: the hook decides which host its credentials are for.

        Raises:
            ConfigurationError: a value is wrong.
        """
        known = [item.name for item in dataclasses.fields(self)]
        if unknown := [f'unknown setting "{name}", {nearest(name, known)}' for name in changes if name not in known]:
            raise ConfigurationError("\n".join(f"{HOOK}: {problem}" for problem in unknown))
        return dataclasses.replace(self, **changes).changed_by_hook(self)

    def changed_by_hook(self, before: Self) -> Self:
        """These settings, checked, with the hook as the source of all that differs from those before it.

        Raises:
            ConfigurationError: a value is wrong.
        """
        names = [item.name for item in dataclasses.fields(self) if item.name != "sources"]
        changed = {name.replace("_", "-"): HOOK for name in names if getattr(self, name) != getattr(before, name)}
        return dataclasses.replace(self, sources={**before.sources, **self.sources, **changed}).checked(HOOK)

    def checked(self, given_by: str) -> Self:
        """These settings with each value in its one form.

        Raises:
            ConfigurationError: with every value that is wrong, and where it came from.
        """
        problems: list[str] = []
        values: dict[str, Any] = {}
        for item in settings_fields():
            try:
                values[item.name] = self._checked_value(item, getattr(self, item.name))
            except ValueError as error:
                problems.append(f"{self.source(item.name, given_by)}: {error}")
        if problems:
            raise ConfigurationError("\n".join(problems))
        return dataclasses.replace(self, **values)

    def _checked_value(self, item: Field, value: Any) -> Any:
        if value is None and self.__dataclass_fields__[item.name].default is None:
            return None
        if item.table is not None:
            return _checked_table(item.name, item.table, value)
        if item.kind == "folder":
            if not isinstance(value, str | Path):
                raise ValueError(f"expected a path, got {type(value).__name__}")
            return Path(value).absolute()
        if item.kind == "reference":
            return _checked_credential(value, self.file.parent if self.file else Path.cwd())
        value = check(item, value)
        if item.kind == "origin" and not self.allow_http and (problem := plain_http(value)):
            raise ValueError(problem)
        return Api(value) if item.name == "api" else value

    @property
    def emulated_by(self) -> str | None:
        """The emulator that the session starts; None where hosts are given, by a hook for instance."""
        return self.emulator if self.origin is None and self.base_url is None else None

    def source(self, name: str, otherwise: str = "default") -> str:
        """Where the value of a setting came from, in the user's words."""
        return self.sources.get(name.replace("_", "-"), otherwise)

    def refusal(self) -> str | None:
        """Why nothing may run without ``--wisebot-allow-protected``; None when it may."""
        if self.allow_protected:
            return None
        if self.protected:
            return f'environment "{self.environment}" is protected: add --wisebot-allow-protected to run against it'
        for host in filter(None, (self.origin, self.base_url)):
            if name := self.protected_hosts.get(hostname(host)):
                owner = f'belongs to the protected environment "{name}"'
                return f"{host} {owner}: add --wisebot-allow-protected to run there"
        return None

    def workflow(self, name: str) -> Workflow:
        """The workflow that a test calls ``name``; ``id:ID`` is always that id.

        Raises:
            ConfigurationError: the environment lists its workflows, and not this one.
        """
        if name.startswith("id:"):
            return Workflow(name, name.removeprefix("id:"))
        if name in self.workflows:
            return self.workflows[name]
        if not self.workflows:
            return Workflow(name, name)
        raise ConfigurationError(
            f'unknown workflow "{name}" in environment "{self.environment}", {nearest_of_all(name, self.workflows)} '
            f'(write "id:{name}" for an id that is not listed)'
        )

    def host(self, api: Api) -> str:
        """The origin that requests of an API go to.

        Raises:
            ConfigurationError: none is given; the message names the ways to give it.
        """
        webhook = api is Api.WEBHOOK
        host = self.origin if webhook else self.base_url
        if host is None:
            what = "trigger origin for the webhook API" if webhook else "base URL for the dashboard API"
            raise ConfigurationError(self._missing(what, "origin" if webhook else "base-url", "URL"))
        return host

    def credential(self, api: Api, workflow: Workflow) -> Credential:
        """The credential for a run, of this API alone.

        Raises:
            ConfigurationError: none is given, or its reference leads nowhere; the message names the ways to give it.
        """
        webhook = api is Api.WEBHOOK
        found = self._secret_of(workflow) if webhook else self.token
        if found is None:
            what = f'webhook secret for workflow "{workflow.name}"' if webhook else "token for the dashboard API"
            raise ConfigurationError(self._missing(what, "secret" if webhook else "token", "env:NAME"))
        if found.secret is None:
            raise ConfigurationError(f"{found.given_by}: {found.reference}: {found.problem}")
        return found

    def _secret_of(self, workflow: Workflow) -> Credential | None:
        for_all = self.source("secret").startswith("--") or self.source("secret") == HOOK
        own = (self.secret, workflow.secret) if for_all else (workflow.secret, self.secret)
        return own[0] or own[1] or self.emulated.get(workflow.id) or self.emulated_fallback

    def _missing(self, what: str, key: str, value: str) -> str:
        given = f"there is no {what}: give it by --wisebot-{key} {value}"
        options = [f"--wisebot-{name}" for name in ("origin", "base-url") if self.source(name).startswith("--")]
        if self.environment is not None and options:
            return f'{given} (with {options[0]}, environment "{self.environment}" lends its hosts no credential)'
        if self.environment is not None:
            name = self.file.name if self.file else "wisebot.toml"
            return f'{given} or {key} = "{value}" under [environments.{self.environment}] in {name}'
        given = f"{given} or the variable {_VARIABLE[key]}"
        if self.file is None:
            return f"{given} (no wisebot.toml was found beside the tests)"
        known = ", ".join(self.environments)
        return f"{given}, or choose an environment by --wisebot-env: {known}" if known else given

    def environment_of(self, api: Api) -> str | None:
        """The environment that a run over this API goes to: none where an option gave the host."""
        host = "origin" if api is Api.WEBHOOK else "base-url"
        return None if self.source(host).startswith("--") else self.environment

    def credentials(self) -> list[Secret]:
        """Every credential in force, to be masked."""
        return [credential.secret for credential in self._named() if credential.secret]

    def missing_credentials(self) -> list[Credential]:
        """Those whose reference leads nowhere."""
        return [credential for credential in self._named() if not credential.secret]

    def _named(self) -> list[Credential]:
        found = [self.secret, self.token, self.emulated_fallback, *self.emulated.values()]
        found += [workflow.secret for workflow in self.workflows.values()]
        return [credential for credential in found if credential is not None]


_TABLES: Final[Mapping[str, type[Any]]] = {"redact": Redact, "snapshots": Snapshots, "gate": Gate}


def _checked_table(name: str, table: Table, value: object) -> object:
    kind = _TABLES[name]
    if not isinstance(value, kind):
        raise ValueError(f"{name}: expected a {kind.__name__}, got {type(value).__name__}")
    for item in () if kind is Gate else table.fields:  # no hook has a reason to build a gate by hand
        try:
            check(item, getattr(value, item.name))
        except ValueError as error:
            raise ValueError(f"{name}.{item.name}: {error}") from None
    return value


def _checked_credential(value: Any, folder: Path) -> Credential:
    try:
        return read_credential(value, HOOK, folder, os.environ)
    except ConfigurationError as error:
        raise ValueError(str(error).removeprefix(f"{HOOK}: ")) from None
