"""The commands that repeat a run by hand, for the shell of the system where the session runs.

A credential is named by its reference, and never written. Facts are from Wisebot's page "Triggering workflows (HTTPS &
CLI)".
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .originals import json
from .runs import EMULATOR_COMMAND, Api, RunRequest
from .settings import Credential, Settings
from .text import readable_json

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
