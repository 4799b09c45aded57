"""Text and JSON without the credentials of a session, in whatever form a header, a URL or a log line gives them."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .secret import MASK, Secret

SHORTEST_SECRET = 8
"""Characters that a credential has at least: a shorter one would mask ordinary words wherever they stand."""

_SHAPES = (
    r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",  # a JWT
    r"wb_live_[A-Za-z0-9_-]{8,}",  # an organisation key
)


class Redactor:
    """Takes the credentials it knows, and whatever has a credential's shape, out of text and JSON.

    Safe to use from several threads: credentials may be added while others clean.
    """

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._lock = threading.Lock()
        self._forms: set[str] = set()
        self._long: set[Secret] = set()
        self._pattern = _compiled(self._forms)
        self.add(*secrets)

    def add(self, *secrets: Secret) -> None:
        """Masks these credentials from now on."""
        with self._lock:
            self._long |= {secret for secret in secrets if len(secret.reveal()) > SHORTEST_SECRET}
            fresh = {form for secret in secrets for form in _forms(secret.reveal())} - self._forms
            if fresh:
                self._forms |= fresh
                self._pattern = _compiled(self._forms)

    def clean(self, text: str) -> str:
        """``text`` with `MASK` in the place of every credential."""
        return self._pattern.sub(MASK, text)

    def clean_cut(self, text: str) -> str:
        """Like `clean`, and without the head or tail of a credential that a `repr` has cut in the middle by ``...``."""
        pieces = self.clean(text).split("...")
        with self._lock:
            known = [secret.reveal() for secret in self._long] if len(pieces) > 1 else []
        for value in known:
            for at in range(len(pieces) - 1):
                pieces[at] = _without_end(pieces[at], value)
                pieces[at + 1] = _without_start(pieces[at + 1], value)
        return "...".join(pieces)

    def clean_json(self, value: Any) -> Any:
        """A copy of a JSON value whose texts, keys included, are clean."""
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, Mapping):
            return {
                self.clean(key) if isinstance(key, str) else key: self.clean_json(item) for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.clean_json(item) for item in value]
        return value


def _without_end(text: str, secret: str) -> str:
    for size in range(min(len(text), len(secret)), SHORTEST_SECRET - 1, -1):
        if text.endswith(secret[:size]):
            return text[:-size] + MASK
    return text


def _without_start(text: str, secret: str) -> str:
    for size in range(min(len(text), len(secret)), SHORTEST_SECRET - 1, -1):
        if text.startswith(secret[-size:]):
            return MASK + text[size:]
    return text


def _compiled(forms: set[str]) -> re.Pattern[str]:
    # Longest first: a form that contains another must win, or the rest of it would stay.
    known = sorted(forms, key=len, reverse=True)
    return re.compile("|".join([*known, *_SHAPES]))


def _forms(value: str) -> Iterator[str]:
    if len(value) < SHORTEST_SECRET:
        return
    yield "".join(map(_any_form_of, value))
    yield from map(re.escape, _base64_forms(value.encode()))


def _any_form_of(char: str) -> str:
    """A pattern of one character as it is, or escaped by a URL, JSON or `repr`: each caller escapes others."""
    if char.isascii() and char.isalnum():
        return char
    forms = [rf"\\*{re.escape(char)}", *(f"(?i:{re.escape(form)})" for form in (_percent(char), *_unicode(char)))]
    forms += [r"\+"] if char == " " else []
    return f"(?:{'|'.join(forms)})"


def _percent(char: str) -> str:
    return "".join(f"%{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))


def _unicode(char: str) -> list[str]:
    return [json.dumps(char)[1:-1], repr(char)[1:-1], *([f"\\u{ord(char):04x}"] if ord(char) < 0x10000 else [])]


def _base64_forms(value: bytes) -> Iterator[str]:
    """The characters of a base64 text that the value alone decides, at each of the three places it can begin."""
    for offset in range(3):
        padded = base64.b64encode(b"\0" * offset + value).decode()
        first = -(-offset * 8 // 6)  # the first characters hold bits of what stands before
        last = (offset + len(value)) * 8 // 6  # and the last ones of what comes after
        core = padded[first:last]
        if len(core) >= SHORTEST_SECRET:
            yield core
            yield core.translate(str.maketrans("+/", "-_"))
