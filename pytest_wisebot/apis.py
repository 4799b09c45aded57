"""The two APIs as data: what is sent for a run. No I/O.

Facts are from Wisebot's page "Triggering workflows (HTTPS & CLI)".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote

from .commands import Sent, commands_for
from .errors import ConfigurationError
from .originals import json
from .redaction import Secret
from .runs import TEST_HEADER, Api, RunRequest
from .settings import Credential, Settings, Workflow
from .settings.checks import checked_id as checked
from .text import show_path

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
