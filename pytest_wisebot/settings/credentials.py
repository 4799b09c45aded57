"""A credential: what it may look like, and how it is given. Nothing of it shows."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from ..errors import ConfigurationError
from ..files import read_bytes
from ..redaction import SHORTEST_SECRET, Secret

_KINDS = ("env", "file")

PROXY_VARIABLES: Final = ("http_proxy", "https_proxy", "all_proxy")
"""The environment variables that name proxies; in upper case as well."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential and how it was given. It shows whether it is set, and by what, and no more.

    Attributes:
        given_by: the option, the key in ``wisebot.toml`` or the variable that gave it.
        reference: ``env:NAME`` or ``file:PATH`` (absolute); None when the value itself was given.
        secret: the credential; None when the reference leads nowhere, for the reason in ``problem``.
    """

    given_by: str
    reference: str | None = None
    secret: Secret | None = None
    problem: str | None = None

    def __str__(self) -> str:
        state = "set" if self.secret else f"missing: {self.problem}"
        return f"{self.reference or 'a value'} ({state}) from {self.given_by}"


def read_credential(
    given: str | Secret | Credential, given_by: str, folder: Path, variables: Mapping[str, str]
) -> Credential:
    """The credential that ``env:NAME`` or ``file:PATH`` names (relative to ``folder``), or that a value is.

    A reference that leads nowhere is not an error yet: not every test needs every credential. One trailing newline of a
    file is not part of the credential, since most editors write one.

    Raises:
        ConfigurationError: the value cannot be a credential; the message does not show it.
    """
    if isinstance(given, Credential):
        return given
    if isinstance(given, Secret):
        return _checked(given, given_by)
    if not isinstance(given, str):  # from a caller without types; bytes would show in the traceback
        raise ConfigurationError(f"{given_by}: expected a string, got a value of type {type(given).__name__}")
    kind, colon, name = given.partition(":")
    if colon and (not name or kind not in _KINDS) and difflib.get_close_matches(kind.lower(), _KINDS, 1, 0.6):
        raise ConfigurationError(f"{given_by}: looks like a reference, but names nothing: write env:NAME or file:PATH")
    if kind == "env" and name:
        if not variables.get(name):
            return Credential(given_by, given, problem=f"the environment variable {name} is not set")
        return _checked(Secret(variables[name]), given_by, given)
    if kind == "file" and name:
        return _from_file(name, given_by, folder)
    return _checked(Secret(given), given_by)


def proxy_credentials(variables: Mapping[str, str]) -> list[Secret]:
    """The passwords in the proxies that the environment variables name, alone and with what stands beside them.

    A password that is too short to be masked by itself is masked beside its user, as it stands in the address.
    """
    found: list[Secret] = []
    for name in PROXY_VARIABLES:
        for given in filter(None, (variables.get(name), variables.get(name.upper()))):
            user, colon, password = given.rpartition("@")[0].rpartition("//")[2].partition(":")
            if colon and password:
                texts = {f"{user}:{password}", password, f"{user}:{password}@{given.rpartition('@')[2]}"}
                found += [Secret(text) for one in texts for text in {one, unquote(one)}]
    return found


def _from_file(name: str, given_by: str, folder: Path) -> Credential:
    reference = f"file:{name}"
    try:
        path = folder / Path(name).expanduser()
        reference = f"file:{path.absolute()}"
        text = read_bytes(path).decode("utf-8-sig")  # an editor of Windows may begin a file with its mark
    except RuntimeError:
        return Credential(given_by, reference, problem="no such home folder")
    except OSError as error:
        return Credential(given_by, reference, problem=f"cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{given_by}: {reference} is not UTF-8 text") from None
    except ValueError:
        return Credential(given_by, reference, problem="is not a valid path")
    return _checked(Secret(text.removesuffix("\n").removesuffix("\r")), given_by, reference)


def _checked(secret: Secret, given_by: str, reference: str | None = None) -> Credential:
    if problem := _what_is_wrong_with(secret.reveal()):
        of = f" of {reference}" if reference else ""
        raise ConfigurationError(f"{given_by}: the credential{of} {problem}")
    return Credential(given_by, reference, secret)


def _what_is_wrong_with(credential: str) -> str | None:
    """What is wrong with a credential, in words that do not show it; None when nothing is."""
    if "\n" in credential or "\r" in credential:
        return "has a newline in it"
    if re.search(r"[\x00-\x1f\x7f]", credential):
        return "has a control character in it"
    if not credential.isascii():
        return "has a non-ASCII character in it, which no HTTP header can carry"
    if credential != credential.strip():
        return "begins or ends with a space"
    if not credential:
        return "is empty"
    if len(credential) < SHORTEST_SECRET:
        return f"has {len(credential)} characters: at least {SHORTEST_SECRET} are needed, fewer cannot be masked"
    return None
