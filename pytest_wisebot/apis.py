"""The two APIs as data: what is sent for a run, and the commands that repeat it by hand. No I/O.

A command is for the shell of the system where the session runs. It names a credential by its reference, and never
holds it. Facts are from Wisebot's page "Triggering workflows (HTTPS & CLI)".
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote

from .errors import ConfigurationError
from .originals import json
from .redaction import Secret
from .runs import EMULATOR_COMMAND, TEST_HEADER, Api, RunRequest
from .settings import Credential, Settings, Workflow
from .settings.checks import checked_id as checked
from .text import readable_json, show_path

LARGEST_ARGUMENT: Final = 100 * 1024
"""Bytes of the largest body that is an argument of a command; Linux takes 128 KiB. Others go through standard input."""

_END: Final = "END_OF_INPUTS"
"""The line that ends a body on standard input. A body is one line of JSON."""

_WORKER: Final = re.compile(r"^gw\d+:")


@dataclass(frozen=True, slots=True)
class Sent:
    """What a run has sent, as far as a command shows it.

    Attributes:
        request: the run, with the inputs that may be shown.
        host: the origin.
        url: where it was sent.
        header: the header of the credential, with what stands before it there: ``"Authorization: Bearer "``.
        workflow_id: the workflow's id.
        credential: how the credential was given.
        body: the JSON object that was sent; None without one.
        hidden: the paths of inputs that are not shown.
    """

    request: RunRequest
    host: str
    url: str
    header: str
    workflow_id: str
    credential: Credential
    body: Mapping[str, Any] | None
    hidden: tuple[str, ...] = ()


def commands_for(sent: Sent, settings: Settings) -> Iterator[str]:
    """The commands that send the same again; of a run of the session's own emulator those that make it anew.

    Args:
        sent: the run.
        settings: its headers and certificates, and the emulator.
    """
    if settings.emulated_fallback is not None:
        yield from _of_emulator(sent.request, settings)
    elif sys.platform == "win32":
        yield _powershell(sent, settings)
    else:
        options = list(_options(sent.request.api, sent.host, settings))
        yield _curl(sent, options)
        # No way to give headers, certificates or a large body to Wisebot's own command is documented.
        if sent.request.api is Api.WEBHOOK and not options and not _is_large(sent):
            yield _cli(sent)


def _of_emulator(request: RunRequest, settings: Settings) -> Iterator[str]:
    """The test, whose session starts an emulator of its own; and the emulator for oneself."""
    if request.occurrence.test:
        yield f"python -m pytest {in_any_shell(_WORKER.sub('', request.occurrence.test))}"
    if settings.emulator is not None:
        yield f"{EMULATOR_COMMAND}{in_any_shell(settings.emulator)}  # serves its workflows by hand"


def in_any_shell(word: str) -> str:
    """One word for the shell of this system."""
    return _quoted(word) if sys.platform == "win32" and shlex.quote(word) != word else shlex.quote(word)


# --- for a POSIX shell


def _curl(sent: Sent, options: list[str]) -> str:
    parts = ["curl -sS -X POST", shlex.quote(sent.url), f'-H "{sent.header}{_in_shell(sent)}"', *options]
    if sent.body is None:
        return " ".join(parts)
    body = readable_json(sent.body)
    parts.append("-H 'Content-Type: application/json'")
    if _is_large(sent):
        return f"{' '.join(parts)} --data-binary @- <<'{_END}'{_fill_in(sent)}\n{body}\n{_END}"
    return f"{' '.join(parts)} --data-raw {shlex.quote(body)}{_fill_in(sent)}"


def _is_large(sent: Sent) -> bool:
    return sent.body is not None and len(readable_json(sent.body).encode()) > LARGEST_ARGUMENT


def _options(api: Api, host: str, settings: Settings) -> Iterator[str]:
    """The options of curl for the headers and certificates of a host: headers and passwords by their references."""
    for name, one in settings.header_references(api).items():
        yield f'-H "{name}: {_referred(one) if one.reference else "$FILL_IN_THE_HEADER"}"'
    if host.startswith("https:") and settings.ca_file is not None:
        yield f"--cacert {shlex.quote(str(settings.ca_file))}"
    if host.startswith("https:") and (certificate := settings.certificate_for(host)) is not None:
        yield f"--cert {shlex.quote(str(certificate))}"
        if settings.client_key is not None:
            yield f"--key {shlex.quote(str(settings.client_key))}"
        if (password := settings.client_key_password) is not None:
            yield f'--pass "{_referred(password) if password.reference else "$FILL_IN_THE_PASSWORD"}"'


def _cli(sent: Sent) -> str:
    parts = [
        f"WISEBOT_WORKFLOW_TRIGGER_ORIGIN={shlex.quote(sent.host)}",
        f'WISEBOT_WORKFLOW_SECRET="{_in_shell(sent)}"',  # a shell need not have exported it
        "wisebot workflow trigger",
        shlex.quote(sent.workflow_id),
    ]
    if sent.body is not None:
        parts += ["--data", shlex.quote(readable_json(sent.body))]
    return " ".join(parts) + _fill_in(sent)


def _fill_in(sent: Sent) -> str:
    return f"  # fill in: {', '.join(sent.hidden)}" if sent.hidden else ""


def _in_shell(sent: Sent) -> str:
    """The credential by its reference, for within double quotes; a value has a name that no shell holds another under.

    Not the name that Wisebot's own tools read: in the user's shell, that may be production's.
    """
    return _referred(sent.credential) if sent.credential.reference else f"${_name_of_value(sent)}"


def _name_of_value(sent: Sent) -> str:
    return f"FILL_IN_THE_{'SECRET' if sent.request.api is Api.WEBHOOK else 'TOKEN'}"


def _referred(credential: Credential) -> str:
    """What a reference leads to, for within double quotes."""
    kind, _, name = (credential.reference or "").partition(":")
    if kind == "file":
        return f"$(cat {shlex.quote(name)})"
    return f"${name}" if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) else f"$(printenv {shlex.quote(name)})"


# --- for PowerShell, of any version


def _powershell(sent: Sent, settings: Settings) -> str:
    """One command. The body is ASCII: before version 6 PowerShell sends other letters in another encoding."""
    name, _, scheme = sent.header.partition(": ")
    value = _in_powershell(sent.credential) if sent.credential.reference else f"$env:{_name_of_value(sent)}"
    headers = [f'{_quoted(name)} = "{scheme}{value}"']
    for header, one in settings.header_references(sent.request.api).items():
        headers.append(f'{_quoted(header)} = "{_in_powershell(one) if one.reference else "$env:FILL_IN_THE_HEADER"}"')
    parts = ["Invoke-RestMethod -Method Post -Uri", _quoted(sent.url), "-Headers", f"@{{ {'; '.join(headers)} }}"]
    if sent.body is not None:
        parts += ["-ContentType 'application/json' -Body", _quoted(json.dumps(sent.body))]
    return " ".join(parts) + _fill_in(sent)


def _quoted(text: str) -> str:
    return "'" + re.sub("(['\u2018\u2019\u201a\u201b])", r"\1\1", text) + "'"


def _in_powershell(credential: Credential) -> str:
    """What a reference leads to, for within double quotes."""
    kind, _, name = (credential.reference or "").partition(":")
    if kind == "file":
        return f"$((Get-Content -Raw -LiteralPath {_quoted(name)}).TrimEnd())"
    return (
        f"$env:{name}"
        if re.fullmatch(r"\w+", name, re.ASCII)
        else f"$((Get-Item -LiteralPath {_quoted(f'env:{name}')}).Value)"
    )


STATUS_PATH: Final = "/api/v1/status"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One HTTP request, its credential still closed.

    Attributes:
        host: the origin that it goes to, and the only one that may see ``secret``.
        secret: the credential; None for a request that needs none, and starts nothing.
        headers: all but the credential's.
        guarded: the headers of the project for this host alone, closed like the credential.
        secret_header: the header that carries the credential.
        scheme: what stands before the credential in that header: ``"Bearer "`` or nothing.
    """

    method: str
    host: str
    path: str
    secret: Secret | None
    secret_header: str = "Authorization"
    scheme: str = "Bearer "
    headers: Mapping[str, str] = field(default_factory=dict)
    guarded: Mapping[str, Secret] = field(default_factory=dict)
    body: bytes | None = None

    @property
    def url(self) -> str:
        """Where it goes."""
        return self.host + self.path

    def open_headers(self) -> dict[str, str]:
        """Every header, the credential's included: for the wire alone."""
        guarded = {name: secret.reveal() for name, secret in self.guarded.items()}
        credential = {} if self.secret is None else {self.secret_header: self.scheme + self.secret.reveal()}
        return {**guarded, **self.headers, **credential}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run that is ready to be sent: the request, and what its result and errors will say of it.

    Attributes:
        credential: what an error calls the credential: its reference, and what gave it.
        commands: what sends the same by hand.
    """

    request: RunRequest
    workflow: Workflow
    outgoing: Outgoing
    credential: str
    commands: tuple[str, ...]


def prepare(
    request: RunRequest, settings: Settings, clean_inputs: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict
) -> Prepared:
    """The request of a run, and its host.

    Args:
        request: the run.
        settings: hosts and credentials.
        clean_inputs: makes of an input bag what the commands show of it.

    Raises:
        ConfigurationError: no such workflow, an id that no URL can carry, no host, or no value for its credential
            or a header.
    """
    workflow = settings.workflow(request.workflow)
    path = _path(request.api, workflow.id)
    host = settings.host(request.api)
    credential = _credential(request, settings, workflow)
    outgoing = Outgoing(
        method="POST",
        host=host,
        path=path,
        secret=_opened(credential),
        headers=_headers(request, settings),
        guarded=settings.headers_of(request.api),
        body=_body(request),
        **_secret_header(request.api, settings),
    )
    shown = replace(request, inputs=clean_inputs(request.inputs))
    hidden = [show_path(path) for path in _hidden(request.inputs, shown.inputs)]
    body = _wrapped(shown) if request.inputs else None
    header = f"{outgoing.secret_header}: {outgoing.scheme}"
    sent = Sent(shown, host, outgoing.url, header, workflow.id, credential, body, tuple(hidden))
    commands = tuple(commands_for(sent, settings))
    return Prepared(request, workflow, outgoing, _called(credential, request.api), commands)


def status_check(settings: Settings) -> Outgoing | None:
    """``GET /api/v1/status``, which checks a dashboard token and starts no run; None without a host or a token."""
    if settings.base_url is None or settings.token is None or settings.token.secret is None:
        return None
    guarded = settings.headers_of(Api.DASHBOARD)
    return Outgoing("GET", settings.base_url, STATUS_PATH, settings.token.secret, headers=_ACCEPT, guarded=guarded)


def reachability_check(host: str) -> Outgoing:
    """``HEAD /``, by which a host is reached without a credential. Neither API has this address: no run starts."""
    return Outgoing("HEAD", host, "/", None)


def checked_id(workflow_id: str) -> str:
    """A workflow's id, if a URL can carry it.

    Raises:
        ConfigurationError: it is empty, ``.`` or ``..`` (which clients and proxies resolve, even quoted, to another
            path), or holds a control character or a lone surrogate.
    """
    try:
        return checked(workflow_id)
    except ValueError as error:
        raise ConfigurationError(f"workflow id {json.dumps(workflow_id)}: {error}") from None


_ACCEPT: Final = {"Accept": "application/json", "Accept-Encoding": "identity"}


def _path(api: Api, workflow_id: str) -> str:
    quoted = quote(checked_id(workflow_id), safe="")
    return f"/workflows/trigger?workflowId={quoted}" if api is Api.WEBHOOK else f"/api/v1/flow/{quoted}"


def _credential(request: RunRequest, settings: Settings, workflow: Workflow) -> Credential:
    if request.secret is not None and request.api is Api.WEBHOOK:
        return Credential("secret=", request.secret_reference, Secret(request.secret.reveal()))
    return settings.credential(request.api, workflow)


def _called(credential: Credential, api: Api) -> str:
    what = "the webhook secret" if api is Api.WEBHOOK else "the token"
    reference = f" {credential.reference}" if credential.reference else ""
    return f"{what}{reference} ({credential.given_by})"


def _opened(credential: Credential) -> Secret:
    if credential.secret is None:
        raise ConfigurationError(f"{credential.given_by}: {credential.problem}")
    return credential.secret


def _secret_header(api: Api, settings: Settings) -> dict[str, str]:
    if api is Api.WEBHOOK and settings.secret_header == "x-workflow-secret":
        return {"secret_header": "X-Workflow-Secret", "scheme": ""}
    return {}


def _headers(request: RunRequest, settings: Settings) -> dict[str, str]:
    headers = dict(_ACCEPT)
    if request.inputs:
        headers["Content-Type"] = "application/json"
    if settings.emulated_fallback is not None and request.test:
        headers[TEST_HEADER] = request.test
    return headers


def _wrapped(request: RunRequest) -> Mapping[str, Any]:
    """The body's object: flat for the webhook, under ``inputs`` for the dashboard."""
    return request.inputs if request.api is Api.WEBHOOK else {"inputs": request.inputs}


def _body(request: RunRequest) -> bytes | None:
    if not request.inputs:
        return None
    # A lone surrogate has no UTF-8; its escape is what JSON itself would write, since it can only stand in a string.
    return json.dumps(_wrapped(request), ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace")


def _hidden(sent: Any, shown: Any) -> Iterator[tuple[str | int, ...]]:
    """The paths of the inputs that the commands do not show."""
    if isinstance(sent, Mapping) and isinstance(shown, Mapping):
        for (key, value), other in zip(sent.items(), shown.values(), strict=True):
            yield from ((key, *path) for path in _hidden(value, other))
    elif isinstance(sent, list) and isinstance(shown, list):
        for index, (value, other) in enumerate(zip(sent, shown, strict=True)):
            yield from ((index, *path) for path in _hidden(value, other))
    elif sent != shown:
        yield ()
