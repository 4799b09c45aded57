"""The settings in force, as the rest of the package sees them: plain values, each with its source."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from ..errors import ConfigurationError
from ..gate_config import Gate, ReportConfig
from ..originals import os
from ..redaction import Redact, Secret
from ..runs import Api
from .checks import check, checked_headers, host_identity, nearest, nearest_of_all, plain_http
from .credentials import Credential, read_credential
from .fields import ENVIRONMENT, WORKFLOW_ANYWHERE, Field, Table, settings_fields

HOOK: Final = "the pytest_wisebot_settings hook"

AGAINST_OPTION: Final = "--wisebot-against"

FILE_NAME: Final = "wisebot.toml"
PROJECT_FILE_NAME: Final = "pyproject.toml"

_DEFAULTS: Final[Mapping[str, Any]] = {item.name: item.default for item in ENVIRONMENT.fields}
_CERTIFICATE: Final = ("client_cert", "client_key", "client_key_password")
_CREDENTIALS: Final[Mapping[str, tuple[str, ...]]] = {
    "origin": ("secret", "headers", *_CERTIFICATE, "workflows"),
    "base-url": ("token", "dashboard_headers", *_CERTIFICATE),
}
"""The settings that hold the credentials of each host."""

_VARIABLE: Final = {item.key: item.variables[0] for item in ENVIRONMENT.fields if item.variables}


@dataclass(frozen=True, slots=True)
class Workflow:
    """One workflow, as the environment and the project's file describe it.

    Attributes:
        name: its name in tests.
        id: its id at Wisebot.
        secret: its own webhook secret.
        idempotent: a run may be repeated when the outcome of the first is unknown.
        timeout: seconds for a whole run of it; None: as for every workflow.
        concurrency: how many of its runs may be in flight at once; None: as many as of all workflows together.
        is_listed: the environment lists it, by an id or a secret; then it has no other workflows than those it names.
        sources: where each value came from, by its attribute.
    """

    name: str
    id: str
    secret: Credential | None = None
    idempotent: bool = False
    timeout: float | None = None
    concurrency: int | None = None
    is_listed: bool = True
    sources: Mapping[str, str] = field(default_factory=dict)

    def source(self, name: str) -> str:
        """Where a value came from, in the user's words."""
        return self.sources.get(name, HOOK)


@dataclass(frozen=True, slots=True)
class Snapshots:
    """What differs from run to run in this project's results, and what stays.

    Attributes:
        keys: names of keys, in any letter case, and the placeholder for the values under them.
        patterns: placeholders, and the regular expression for what they stand for.
        keep: JSON paths, or names of keys, whose values stay as they are.
        volatile: JSON paths, or names of keys, whose values become ``<volatile>``.
        workflows: the same for the results of single workflows, by name.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    patterns: Mapping[str, str] = field(default_factory=dict)
    keep: tuple[str, ...] = ()
    volatile: tuple[str, ...] = ()
    workflows: Mapping[str, Snapshots] = field(default_factory=dict)

    def of(self, workflows: Iterable[str]) -> Snapshots:
        """What holds for the results of these workflows: what holds for all, and what holds for each of them."""
        joined = dataclasses.replace(self, workflows={})
        for own in (self.workflows[name] for name in dict.fromkeys(workflows) if name in self.workflows):
            joined = Snapshots(
                {**joined.keys, **own.keys},
                {**joined.patterns, **own.patterns},
                (*joined.keep, *own.keep),
                (*joined.volatile, *own.volatile),
            )
        return joined


@dataclass(frozen=True, slots=True)
class Against:
    """How ``--wisebot-against`` compares two environments.

    Attributes:
        noise: how many runs the first environment makes of each, the judged one included.
    """

    noise: int = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """What is in force, after options, ``wisebot.toml`` and environment variables. Read-only.

    A ``pytest_wisebot_settings`` hook returns a changed copy, made with `replace`.

    Attributes:
        environment: the chosen environment's name; None when none was chosen.
        environments: the names of those that ``wisebot.toml`` has.
        file: the ``wisebot.toml`` that was read, or the ``pyproject.toml``.
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
        ca_file: certificates to trust beside the system's.
        client_cert: the client certificate for the environment's hosts.
        client_key: its key; None where ``client_cert`` holds it, too.
        client_key_password: the password of that key.
        headers: headers for ``origin`` alone.
        dashboard_headers: headers for ``base_url`` alone.
        workflow_url: the address of a workflow's editor, with ``{id}``.
        run_url: the address of a run, with ``{id}``, and ``{workflow}`` for the workflow's id.
        protected: the environment refuses to run without ``--wisebot-allow-protected``.
        protected_hosts: the origins that any protected environment names, with that environment.
        allow_protected: ``--wisebot-allow-protected`` was given.
        workflows: the workflows that the file names, by name. Where the environment lists none, a name is an id.
        emulated: the secrets of the running emulator's workflows, by id.
        emulated_fallback: what is sent to the emulator for a workflow that it does not have.
        redact: what is redacted in results and texts although it is not a credential.
        snapshots: what snapshots leave out or keep.
        gate: what opens the gate.
        report: what reports show beside the session.
        quarantine: the quarantines of tests that the file names, by the tests' ids.
        against: how ``--wisebot-against`` compares another environment with this one.
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
    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    client_key_password: Credential | None = None
    headers: Mapping[str, Credential] = field(default_factory=dict)
    dashboard_headers: Mapping[str, Credential] = field(default_factory=dict)
    workflow_url: str | None = None
    run_url: str | None = None
    protected: bool = _DEFAULTS["protected"]
    protected_hosts: Mapping[str, str] = field(default_factory=dict)
    allow_protected: bool = False
    workflows: Mapping[str, Workflow] = field(default_factory=dict)
    emulated: Mapping[str, Credential] = field(default_factory=dict)
    emulated_fallback: Credential | None = None
    redact: Redact = field(default_factory=Redact)
    snapshots: Snapshots = field(default_factory=Snapshots)
    gate: Gate = field(default_factory=Gate)
    report: ReportConfig = field(default_factory=ReportConfig)
    quarantine: Mapping[str, str] = field(default_factory=dict)
    against: Against = field(default_factory=Against)
    sources: Mapping[str, str] = field(default_factory=dict)

    def replace(self, *, keep_credentials: bool = False, **changes: Any) -> Self:
        """A copy with these values changed, checked like those of ``wisebot.toml``.

        ``secret`` and ``token`` may be strings: the credential itself, ``env:NAME`` or ``file:PATH``. The credentials
        of a host that another one replaces are dropped, those of single workflows, headers and client certificates as
        well, unless the same call gives them.

        Args:
            keep_credentials: the credentials of a replaced host are for the new host, too.
            **changes: values by the names of their settings.

        Raises:
            ConfigurationError: a value is wrong.
        """
        known = [item.name for item in dataclasses.fields(self)]
        if unknown := [f'unknown setting "{name}", {nearest(name, known)}' for name in changes if name not in known]:
            raise ConfigurationError("\n".join(f"{HOOK}: {problem}" for problem in unknown))
        changed = dataclasses.replace(self, **changes).changed_by_hook(self)
        return changed if keep_credentials else changed.without_credentials_of(self, changes)

    def returned_by_hook(self, before: Self) -> Self:
        """These settings as a hook returned them, checked.

        `replace` has dropped the credentials of a replaced host; where `dataclasses.replace` was used, this does.

        Raises:
            ConfigurationError: a value is wrong.
        """
        given = [name for host, names in _CREDENTIALS.items() if self.source(host) == HOOK for name in names]
        alone = {name for names in _CREDENTIALS.values() for name in names if name != "workflows"}
        given += [name for name in alone if getattr(self, name) != getattr(before, name)]
        return self.changed_by_hook(before).without_credentials_of(before, given)

    def without_credentials_of(self, before: Self, given: Iterable[str]) -> Self:
        """A copy without the credentials of hosts that were replaced since; those that were given for new ones stay."""
        dropped: dict[str, Any] = {}
        for host, names in _CREDENTIALS.items():
            old = getattr(before, host.replace("-", "_"))
            if old is None or getattr(self, host.replace("-", "_")) == old:
                continue
            dropped |= {name: _DEFAULTS[name] for name in names if name != "workflows" and name not in given}
            if "workflows" in names and "workflows" not in given:
                bare = {name: dataclasses.replace(one, secret=None) for name, one in self.workflows.items()}
                dropped["workflows"] = bare
        return dataclasses.replace(self, **dropped)

    def changed_by_hook(self, before: Self) -> Self:
        """These settings, checked, with the hook as the source of all that differs from those before it.

        Raises:
            ConfigurationError: a value is wrong.
        """
        if self.quarantine != before.quarantine:
            raise ConfigurationError(f"{HOOK}: quarantine: is read from {FILE_NAME}, and from markers, alone")
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
        if values.get("client_cert") is None:
            alone = [name for name in _CERTIFICATE if values.get(name) is not None]
            problems += [f"{self.source(name, given_by)}: there is no client-cert that it belongs to" for name in alone]
        problems += _wrong_limits(self.workflows)
        if problems:
            raise ConfigurationError("\n".join(problems))
        return dataclasses.replace(self, **values)

    def _checked_value(self, item: Field, value: Any) -> Any:
        if value is None and self.__dataclass_fields__[item.name].default is None:
            return None
        if item.table is not None:
            return _checked_table(item.name, item.table, value)
        if item.kind == "headers":
            folder = self.file.parent if self.file else Path.cwd()
            return {name: _checked_credential(one, folder) for name, one in checked_headers(value).items()}
        if item.kind in ("folder", "file", "certificates"):
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
    def report_config(self) -> ReportConfig:
        """What reports show beside the session, with the addresses of this environment."""
        return dataclasses.replace(self.report, workflow_url=self.workflow_url or "", run_url=self.run_url or "")

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
            for protected, name in self.protected_hosts.items():
                if host_identity(protected) == host_identity(host):
                    names = f", which names {protected}" if protected != host else ""
                    owner = f'belongs to the protected environment "{name}"{names}'
                    return f"{host} {owner}: add --wisebot-allow-protected to run there"
        return None

    def workflow(self, name: str) -> Workflow:
        """The workflow that a test calls ``name``; ``id:ID`` is always that id.

        Raises:
            ConfigurationError: the environment lists its workflows, and not this one.
        """
        if name.startswith("id:"):
            return self._by_id(name, name.removeprefix("id:"))
        if name in self.workflows:
            return self.workflows[name]
        if not any(one.is_listed for one in self.workflows.values()):
            return Workflow(name, name)
        raise ConfigurationError(
            f'unknown workflow "{name}" in environment "{self.environment}", {nearest_of_all(name, self.workflows)} '
            f'(write "id:{name}" for an id that is not listed)'
        )

    def _by_id(self, name: str, workflow_id: str) -> Workflow:
        """A workflow that only its id names, with the limits of the same one under another name, and no secret."""
        same = next((one for one in self.workflows.values() if one.id == workflow_id), None)
        if same is None:
            return Workflow(name, workflow_id)
        return Workflow(name, workflow_id, timeout=same.timeout, concurrency=same.concurrency, sources=same.sources)

    def timeout_of(self, workflow: Workflow) -> float:
        """Seconds for a whole run of a workflow, where neither call nor marker gives them."""
        own = workflow.timeout
        return self.timeout if own is None or self._is_for_all("timeout") else own

    def limit_of(self, workflow: Workflow) -> int | None:
        """How many runs of a workflow may be in flight at once; None: as many as of all workflows together."""
        return None if self._is_for_all("concurrency") else workflow.concurrency

    def _is_for_all(self, name: str) -> bool:
        """Whether the value comes from an option or the hook, which are closer than the file's table of a workflow."""
        source = self.source(name)
        return source.startswith("--") or source == HOOK

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
        own = (self.secret, workflow.secret) if self._is_for_all("secret") else (workflow.secret, self.secret)
        return own[0] or own[1] or self.emulated.get(workflow.id) or self.emulated_fallback

    def _missing(self, what: str, key: str, value: str) -> str:
        if self.source("environment") == AGAINST_OPTION:  # options give credentials of the first environment alone
            return (
                f'there is no {what}: write {key} = "{value}" under {self.table("environments", str(self.environment))}'
            )
        given = f"there is no {what}: give it by --wisebot-{key} {value}"
        options = [f"--wisebot-{name}" for name in ("origin", "base-url") if self.source(name).startswith("--")]
        if self.source(host := {"secret": "origin", "token": "base-url"}.get(key, "")) == HOOK:
            name = host.replace("-", "_")
            return (
                f'{given}, or in {HOOK} by settings.replace({name}=..., {key}="{value}"): it gave the {host}, and '
                "the credentials of another one are not sent there (keep_credentials=True keeps them)"
            )
        if self.environment is None and (unused := self.source(key, "")):
            return f"{given} or the variable {_VARIABLE[key]} ({unused})"
        if self.environment is not None and options:
            return f'{given} (with {options[0]}, environment "{self.environment}" lends its hosts no credential)'
        if self.environment is not None:
            where = self.table("environments", self.environment)
            return f'{given} or {key} = "{value}" under {where}'
        given = f"{given} or the variable {_VARIABLE[key]}"
        if self.file is None:
            return f"{given} (no wisebot.toml, and no pyproject.toml with [tool.wisebot], was found beside the tests)"
        known = ", ".join(self.environments)
        return f"{given}, or choose an environment by --wisebot-env: {known}" if known else given

    def headers_of(self, api: Api) -> Mapping[str, Secret]:
        """The headers of its own that the host of an API gets.

        Raises:
            ConfigurationError: a reference leads nowhere.
        """
        found: dict[str, Secret] = {}
        for name, credential in self.header_references(api).items():
            if credential.secret is None:
                raise ConfigurationError(f"{credential.given_by}: {credential.reference}: {credential.problem}")
            found[name] = credential.secret
        return found

    def header_references(self, api: Api) -> Mapping[str, Credential]:
        """The same, each by its reference."""
        return self.headers if api is Api.WEBHOOK else self.dashboard_headers

    def certificate_for(self, host: str) -> Path | None:
        """The client certificate that a host gets; None for a host that an option gave, which is not this one's."""
        own = [getattr(self, name) for name in ("origin", "base_url") if not self.source(name).startswith("--")]
        return self.client_cert if host in own or self.source("client_cert") == HOOK else None

    def table(self, *names: str) -> str:
        """A table of the file, for messages: ``[gate] in wisebot.toml``, ``[tool.wisebot.gate] in pyproject.toml``."""
        place, file = ".".join([*table_place(self.file), *names]), self.file.name if self.file else FILE_NAME
        return f"[{place}] in {file}" if place else file

    def snapshots_place(self, workflow: str) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
        """A workflow's table under ``[snapshots]``: its names, and the volatile paths there; None without a table."""
        own = self.snapshots.workflows.get(workflow)
        return (*table_place(self.file), "snapshots", "workflows", workflow), own.volatile if own is not None else None

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
        found += [self.client_key_password, *self.headers.values(), *self.dashboard_headers.values()]
        return [credential for credential in found if credential is not None]


def _wrong_limits(workflows: Mapping[str, Workflow]) -> Iterator[str]:
    """What is wrong with the limits of workflows that a hook has made: those of a file were checked as it was read."""
    for name, workflow in workflows.items():
        for item in WORKFLOW_ANYWHERE.fields:
            value = getattr(workflow, item.name)
            try:
                _ = value if value is None else check(item, value)
            except ValueError as error:
                yield f"{workflow.source(item.name)}: workflows: {name}: {item.name}: {error}"


def table_place(path: Path | None) -> tuple[str, ...]:
    """Where the settings stand in their file: nothing, or ``tool.wisebot`` in a ``pyproject.toml``."""
    return ("tool", "wisebot") if path is not None and path.name == PROJECT_FILE_NAME else ()


def key_place(path: Path | None, key: str) -> str:
    """A key of the file, for messages: ``wisebot.toml: gate.paths``, ``pyproject.toml: tool.wisebot.gate.paths``."""
    return f"{path.name if path is not None else FILE_NAME}: {'.'.join([*table_place(path), key])}"


_TABLES: Final[Mapping[str, type[Any]]] = {
    "redact": Redact, "snapshots": Snapshots, "gate": Gate, "report": ReportConfig, "against": Against,
}  # fmt: skip


def _checked_table(name: str, table: Table, value: object) -> object:
    kind = _TABLES[name.partition(".")[0]]
    if not isinstance(value, kind):
        raise ValueError(f"{name}: expected a {kind.__name__}, got {type(value).__name__}")
    for item in () if kind is Gate else table.fields:  # no hook has a reason to build a gate by hand
        try:
            own = getattr(value, item.name, "")
            if item.table is None and own != "":
                check(item, own)
        except ValueError as error:
            raise ValueError(f"{name}.{item.name}: {error}") from None
    for workflow, own in value.workflows.items() if isinstance(value, Snapshots) else ():
        _checked_table(f"{name}.workflows.{workflow}", table, own)
    return value


def _checked_credential(value: Any, folder: Path) -> Credential:
    try:
        return read_credential(value, HOOK, folder, os.environ)
    except ConfigurationError as error:
        raise ValueError(str(error).removeprefix(f"{HOOK}: ")) from None
