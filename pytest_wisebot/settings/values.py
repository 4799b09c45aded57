"""What the rest of the package sees of the settings: plain values that say where they came from."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

from ..errors import ConfigurationError
from ..gate_config import Gate
from ..redaction import Redact, Secret
from ..runs import Api
from .checks import (
    at_least,
    checked_api,
    checked_header,
    checked_origin,
    checked_seconds,
    checked_switch,
    nearest,
    nearest_of_all,
    plain_http,
    unless_none,
)
from .credentials import Credential, read_credential
from .redact_tables import checked_keys, checked_named_patterns, checked_paths, checked_patterns, checked_placeholders

HOOK: Final = "the pytest_wisebot_settings hook"

ORIGIN_VARIABLES: Final = ("WISEBOT_WORKFLOW_TRIGGER_ORIGIN", "WISEBOT_CONVEX_SITE", "CONVEX_SITE_URL")
BASE_URL_VARIABLES: Final = ("WISEBOTAI_BASE_URL",)
SECRET_VARIABLES: Final = ("WISEBOT_WORKFLOW_SECRET",)
TOKEN_VARIABLES: Final = ("WISEBOT_ACCESS_TOKEN", "WISE_KEY", "WISEBOTAI_API_KEY")


@dataclass(frozen=True, slots=True)
class Workflow:
    """One workflow as the settings know it: its name in tests, its id at Wisebot, its own secret."""

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
    timeout: float = 300.0
    connect_timeout: float = 10.0
    concurrency: int = 8
    retries: int = 2
    max_runs: int | None = None
    max_response_mib: int = 16
    recordings: Path | None = None
    max_age_days: int | None = None
    secret_header: str = "authorization"
    allow_http: bool = False
    trace: bool = True
    protected: bool = False
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

        ``secret`` and ``token`` may be texts: the credential itself, ``env:NAME`` or ``file:PATH``. What is not changed
        stays, a credential for a host that is changed included: the project's own code knows which host it leads to.

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
        """These settings with their hosts in one form, once every value is found right.

        Raises:
            ConfigurationError: with every value that is wrong, and where it came from.
        """
        problems: list[str] = []
        credential = partial(_checked_credential, folder=self.file.parent if self.file else Path.cwd())
        values: dict[str, Any] = {
            "origin": self._checked_host("origin", given_by, problems),
            "base_url": self._checked_host("base_url", given_by, problems),
            "secret": self._checked_by(credential, "secret", given_by, problems),
            "token": self._checked_by(credential, "token", given_by, problems),
            "api": self._checked_by(checked_api, "api", given_by, problems),
            "recordings": self._checked_by(_checked_folder, "recordings", given_by, problems),
            "secret_header": self._checked_by(checked_header, "secret_header", given_by, problems),
        }
        for name, check in _UNCHANGED.items():
            self._checked_by(check, name, given_by, problems)
        if problems:
            raise ConfigurationError("\n".join(problems))
        return dataclasses.replace(self, **values)

    def _checked_by(self, check: Callable[[Any], Any], name: str, given_by: str, problems: list[str]) -> Any:
        value = getattr(self, name)
        try:
            return check(value)
        except ValueError as error:
            problems.append(f"{self.source(name, given_by)}: {error}")
            return value

    def _checked_host(self, name: str, given_by: str, problems: list[str]) -> str | None:
        host = getattr(self, name)
        if host is None:
            return None
        try:
            if not isinstance(host, str):
                raise ValueError(f"expected a text, got {type(host).__name__}")
            host = checked_origin(host)
            if not self.allow_http and (problem := plain_http(host)):
                raise ValueError(problem)
        except ValueError as error:
            problems.append(f"{self.source(name, given_by)}: {error}")
        return str(host)

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
        for host in (self.origin, self.base_url):
            name = self.protected_hosts.get(hostname(host)) if host else None
            if name is not None:
                return (
                    f'{host} belongs to the protected environment "{name}": add --wisebot-allow-protected to run there'
                )
        return None

    def workflow(self, name: str) -> Workflow:
        """The workflow that a test calls ``name``; ``id:ID`` is always that id.

        Raises:
            ConfigurationError: the environment lists its workflows, and this is none of them.
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
        """The origin that an API is asked at.

        Raises:
            ConfigurationError: there is none; the message says the ways to give it.
        """
        host = self.origin if api is Api.WEBHOOK else self.base_url
        if host is not None:
            return host
        if api is Api.WEBHOOK:
            raise ConfigurationError(
                self._missing("trigger origin for the webhook API", "origin", "URL", ORIGIN_VARIABLES[0])
            )
        raise ConfigurationError(
            self._missing("base URL for the dashboard API", "base-url", "URL", BASE_URL_VARIABLES[0])
        )

    def credential(self, api: Api, workflow: Workflow) -> Credential:
        """The credential for a run, of this API alone.

        Raises:
            ConfigurationError: there is none, or its reference leads nowhere; the message says the ways to give it.
        """
        found = self._secret_of(workflow) if api is Api.WEBHOOK else self.token
        if found is None and api is Api.WEBHOOK:
            what = f'webhook secret for workflow "{workflow.name}"'
            raise ConfigurationError(self._missing(what, "secret", "env:NAME", SECRET_VARIABLES[0]))
        if found is None:
            raise ConfigurationError(
                self._missing("token for the dashboard API", "token", "env:NAME", TOKEN_VARIABLES[0])
            )
        if found.secret is None:
            raise ConfigurationError(f"{found.given_by}: {found.reference}: {found.problem}")
        return found

    def _secret_of(self, workflow: Workflow) -> Credential | None:
        first = self.source("secret").startswith("--") or self.source("secret") == HOOK
        return (
            (self.secret if first else None)
            or workflow.secret
            or self.secret
            or self.emulated.get(workflow.id)
            or self.emulated_fallback
        )

    def _missing(self, what: str, key: str, value: str, variable: str) -> str:
        given = f"there is no {what}: give it by --wisebot-{key} {value}"
        options = [f"--wisebot-{name}" for name in ("origin", "base-url") if self.source(name).startswith("--")]
        if self.environment is not None and options:
            return f'{given} (with {options[0]}, environment "{self.environment}" lends its hosts no credential)'
        if self.environment is not None:
            name = self.file.name if self.file else "wisebot.toml"
            return f'{given} or {key} = "{value}" under [environments.{self.environment}] in {name}'
        given = f"{given} or the variable {variable}"
        if self.file is None:
            return f"{given} (no wisebot.toml was found beside the tests)"
        known = ", ".join(self.environments)
        return f"{given}, or choose an environment by --wisebot-env: {known}" if known else given

    def environment_of(self, api: Api) -> str | None:
        """The environment that a run over this API goes to: none where an option gave the host."""
        host = "origin" if api is Api.WEBHOOK else "base-url"
        return None if self.source(host).startswith("--") else self.environment

    def credentials(self) -> list[Secret]:
        """Every credential in force, for who must mask them."""
        return [credential.secret for credential in self._named() if credential.secret]

    def missing_credentials(self) -> list[Credential]:
        """Those that are named, and lead nowhere."""
        return [credential for credential in self._named() if not credential.secret]

    def _named(self) -> list[Credential]:
        found = [self.secret, self.token, self.emulated_fallback, *self.emulated.values()]
        found += [workflow.secret for workflow in self.workflows.values()]
        return [credential for credential in found if credential is not None]


def _checked_redact(value: object) -> object:
    if not isinstance(value, Redact):
        raise ValueError(f"redact: expected a Redact, got {type(value).__name__}")
    checks = {"keys": checked_keys, "patterns": checked_patterns, "paths": checked_paths}
    return _checked_parts("redact", value, checks)


def _checked_snapshots(value: object) -> object:
    if not isinstance(value, Snapshots):
        raise ValueError(f"snapshots: expected a Snapshots, got {type(value).__name__}")
    checks = {"keys": checked_placeholders, "patterns": checked_named_patterns, "keep": checked_paths}
    return _checked_parts("snapshots", value, checks)


def _checked_gate(value: object) -> object:
    if not isinstance(value, Gate):
        raise ValueError(f"gate: expected a Gate, got {type(value).__name__}")
    return value


def _checked_parts(name: str, value: object, checks: Mapping[str, Callable[[Any], Any]]) -> object:
    for part, check in checks.items():
        try:
            check(getattr(value, part))
        except ValueError as error:
            raise ValueError(f"{name}.{part}: {error}") from None
    return value


_UNCHANGED: Final[Mapping[str, Callable[[Any], Any]]] = {
    "redact": _checked_redact,
    "snapshots": _checked_snapshots,
    "gate": _checked_gate,
    "trace": checked_switch,
    "timeout": checked_seconds,
    "connect_timeout": checked_seconds,
    "concurrency": at_least(1),
    "retries": at_least(0),
    "max_runs": unless_none(at_least(0)),
    "max_response_mib": at_least(1),
    "max_age_days": unless_none(at_least(1)),
}


def hostname(origin: str) -> str:
    """The host of an origin, without its port, and without the final dot that changes nothing about where it leads."""
    return (urlsplit(origin).hostname or "").rstrip(".")


def _checked_folder(value: object) -> Path | None:
    if value is not None and not isinstance(value, str | Path):
        raise ValueError(f"expected a path, got {type(value).__name__}")
    return None if value is None else Path(value).absolute()


def _checked_credential(value: object, folder: Path) -> Credential | None:
    if value is None or isinstance(value, Credential):
        return value
    if not isinstance(value, str | Secret):
        raise ValueError(f"expected a text, got {type(value).__name__}")
    try:
        return read_credential(value, HOOK, folder, os.environ)
    except ConfigurationError as error:
        raise ValueError(str(error).removeprefix(f"{HOOK}: ")) from None
