"""The forms in which a credential may stand in a text: the one list, by which it is tested and which the manual shows.

It imports the standard library alone: a project under test gets a copy of this file.
"""

from __future__ import annotations

import base64
import html
import json
import shlex
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, quote_plus


@dataclass(frozen=True)
class CredentialForm:
    """One form.

    Attributes:
        words: what the manual calls it.
        write: writes a credential of printable ASCII in this form.
    """

    words: str
    write: Callable[[str], str]


def each(template: str, *, letters: bool = True) -> Callable[[str], str]:
    """Writes each character by its number, or each that is neither a letter nor a digit."""
    return lambda text: "".join(char if char.isalnum() and not letters else template.format(ord(char)) for char in text)


def in_hex(between: str, width: int = 0) -> Callable[[str], str]:
    """Writes pairs of hexadecimal digits, broken into lines."""
    return lambda text: "\n".join(
        text.encode()[at : at + (width or len(text))].hex(between) for at in range(0, len(text), width or len(text))
    )


def dumped(text: str) -> str:
    """As ``hexdump -C`` writes it, behind other bytes."""
    lines = []
    data = b"Bearer: " + text.encode()
    for at in range(0, len(data), 16):
        part = data[at : at + 16]
        pairs = f"{part[:8].hex(' ')}  {part[8:].hex(' ')}"
        lines.append(f"{at:08x}  {pairs:<49} |{part.decode()}|")
    return "\n".join([*lines, f"{len(data):08x}"])


def xxd(text: str) -> str:
    """As ``xxd`` writes it, behind other bytes."""
    data = b"Bearer: " + text.encode()
    lines = []
    for at in range(0, len(data), 16):
        part = data[at : at + 16]
        pairs = " ".join(part[place : place + 2].hex() for place in range(0, len(part), 2))
        lines.append(f"{at:08x}: {pairs:<39}  {part.decode()}")
    return "\n".join(lines)


def in_base64(before: str, after: str = "") -> Callable[[str], str]:
    """Writes base64 of the credential and of what stands beside it."""
    return lambda text: base64.b64encode(f"{before}{text}{after}".encode()).decode()


FORMS = (
    CredentialForm("as it is", lambda text: text),
    CredentialForm("backwards", lambda text: text[::-1]),
    CredentialForm("with its blanks as ends of lines", lambda text: text.replace(" ", "\n    ")),
    CredentialForm("in JSON", json.dumps),
    CredentialForm("in JSON within JSON, up to three times", lambda text: json.dumps(json.dumps(json.dumps(text)))),
    CredentialForm("in JSON with `\\/`", lambda text: json.dumps(text).replace("/", "\\/")),
    CredentialForm("as Python's `repr`", lambda text: repr([text])),
    CredentialForm("as Python's `repr` of bytes", lambda text: repr(text.encode())),
    CredentialForm("quoted for a shell", shlex.quote),
    CredentialForm("quoted for a URL", lambda text: quote(text, safe="")),
    CredentialForm("quoted for a URL, up to three times", lambda text: quote(quote(quote(text, safe=""), safe=""))),
    CredentialForm("as a value of an HTML form (`a+b`)", quote_plus),
    CredentialForm("each character as `%58`", each("%{:02X}")),
    CredentialForm("each character as `%2558`", each("%25{:02x}")),
    CredentialForm("with HTML entities (`&lt;`)", html.escape),
    CredentialForm("with HTML entities, up to three times", lambda text: html.escape(html.escape(html.escape(text)))),
    CredentialForm("each character as `&#88;`", each("&#{};")),
    CredentialForm("each character as `&#x58;`", each("&#x{:X};")),
    CredentialForm("each character as `\\x58`", each("\\x{:02x}")),
    CredentialForm("each character as `\\u0058`", each("\\u{:04x}")),
    CredentialForm("each character as `\\U00000058`", each("\\U{:08x}")),
    CredentialForm("each character as `\\u{58}`", each("\\u{{{:x}}}")),
    CredentialForm("each character as `\\130`", each("\\{:03o}")),
    CredentialForm("each sign as `\\u002d`", each("\\u{:04x}", letters=False)),
    CredentialForm("each character as `\\u0058`, in JSON", lambda text: json.dumps(each("\\u{:04x}")(text))),
    CredentialForm("each sign as `\\u002d`, its backslash as `\\x5c`", each("\\x5cu{:04x}", letters=False)),
    CredentialForm("each sign as `\\u002d`, its backslash as `\\u005c`", each("\\u005cu{:04x}", letters=False)),
    CredentialForm("each sign as `\\u002d`, its backslash as `\\134`", each("\\134u{:04x}", letters=False)),
    CredentialForm("each character as `\\u0058`, its backslash as `\\x5c`", each("\\x5cu{:04x}")),
    CredentialForm("each character as `\\u0058`, its backslash as `\\u005c`", each("\\u005cu{:04x}")),
    CredentialForm("each character as `\\u0058`, its backslash as `\\134`", each("\\134u{:04x}")),
    CredentialForm("hexadecimal", lambda text: text.encode().hex()),
    CredentialForm("hexadecimal in capitals", lambda text: text.encode().hex().upper()),
    CredentialForm("hexadecimal, as `43 41`", in_hex(" ")),
    CredentialForm("hexadecimal, as `43:41`", in_hex(":")),
    CredentialForm("hexadecimal, as `43-41`", in_hex("-")),
    CredentialForm("hexadecimal in lines, as of `xxd -p`", lambda text: textwrap.fill(text.encode().hex(), 12)),
    CredentialForm("hexadecimal in lines of pairs", in_hex(" ", 6)),
    CredentialForm("hexadecimal, as `0x43, 0x41`", lambda text: ", ".join(f"0x{byte:02x}" for byte in text.encode())),
    CredentialForm(
        "hexadecimal in lines of `0x43, 0x41`, as of `xxd -i`",
        lambda text: textwrap.fill(", ".join(f"0x{byte:02x}" for byte in text.encode()), 30, initial_indent="  ",
                                   subsequent_indent="  "),
    ),
    CredentialForm("a dump, as of `hexdump -C`", dumped),
    CredentialForm("a dump, as of `xxd`", xxd),
    CredentialForm("base64", in_base64("")),
    CredentialForm("base64 of a longer text", in_base64("Bearer ", " and more")),
    CredentialForm("base64 of `user:credential`", in_base64("user:")),
    CredentialForm("base64 for URLs", lambda text: base64.urlsafe_b64encode(text.encode()).decode()),
    CredentialForm("base64 quoted for a URL", lambda text: quote(in_base64("x")(text), safe="")),
    CredentialForm("base64 in lines", lambda text: base64.encodebytes(b"-" * 50 + text.encode()).decode()),
    CredentialForm("base64 in indented lines", lambda text: textwrap.fill(in_base64("")(text), 9).replace("\n", "\n ")),
    CredentialForm("base64 of its JSON", lambda text: in_base64("")(json.dumps({"key": text}))),
)  # fmt: skip
"""All of which a credential is masked in, whole."""

CUTS = (
    CredentialForm("`head...`", lambda text: f"{text[:12]}..."),
    CredentialForm("`head…`", lambda text: f"{text[:12]}…"),
    CredentialForm("`...tail`", lambda text: f"...{text[-12:]}"),
    CredentialForm("`head***tail`", lambda text: f"{text[:6]}***{text[-6:]}"),
    CredentialForm("`head[+8 chars]`", lambda text: f"{text[:12]}[+8 chars]"),
    CredentialForm("`head[8 chars]tail`", lambda text: f"{text[:9]}[8 chars]{text[-9:]}"),
    CredentialForm("`head [truncated]`", lambda text: f"{text[:12]} [truncated]"),
    CredentialForm("`head .. tail`", lambda text: f"{text[:9]} .. {text[-9:]}"),
)
"""What a truncation leaves of it, from four characters on."""


def parts_of(form: CredentialForm, credential: str) -> list[str]:
    """What of a form must not be left: each of its lines, where it has several; of a cut its head and its tail."""
    written = form.write(credential)
    if form in CUTS:
        return [part for part in (credential[:6], credential[-6:]) if part in written]
    if form.words.startswith("a dump"):  # the characters beside the bytes, and the bytes
        texts = [credential[at : at + 8] for at in range(0, len(credential) - 7, 8)]
        return [*texts, *(text.encode().hex(" ") for text in texts), credential[:4]]
    return [line.strip() for line in written.splitlines() if len(line.strip()) >= 8] if "\n" in written else [written]
