"""Nothing is left of a credential, in whatever form a text has it, and a text that has none costs next to nothing."""

from __future__ import annotations

import base64
import html
import json
import pprint
import shlex
import textwrap
import time
import xml.sax.saxutils
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from pytest_wisebot.redaction import MASK, Redactor, Secret
from pytest_wisebot.redaction.forms import SearchText, forms_of


def in_lines(before: int, text: str) -> str:
    """Base64 as MIME and most tools write it, so many characters before the text."""
    return base64.encodebytes(b"-" * before + text.encode()).decode()


FORMS: dict[str, Callable[[str], str]] = {
    "raw": lambda text: text,
    "reversed": lambda text: text[::-1],
    "header": lambda text: f"Authorization: Bearer {text}",
    "header-reversed": lambda text: f"Bearer {text}"[::-1],
    "json": json.dumps,
    "json-twice": lambda text: json.dumps(json.dumps({"a": text})),
    "json-three-times": lambda text: json.dumps(json.dumps(json.dumps(text))),
    "json-with-slashes-escaped": lambda text: json.dumps(text).replace("/", "\\/"),
    "repr": repr,
    "ascii": ascii,
    "repr-of-json": lambda text: repr(json.dumps(text)),
    "repr-of-repr": lambda text: repr(repr(text)),
    "repr-of-bytes": lambda text: repr(text.encode()),
    "quote": quote,
    "quote-all": lambda text: quote(text, safe=""),
    "quote-plus": quote_plus,
    "quote-twice": lambda text: quote(quote(text, safe=""), safe=""),
    "quote-three-times": lambda text: quote(quote(quote(text, safe=""), safe=""), safe=""),
    "quote-of-json": lambda text: quote(json.dumps(text), safe=""),
    "json-of-quote": lambda text: json.dumps({"url": f"https://x.test/?key={quote(text)}"}),
    "quote-every-byte": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "html": html.escape,
    "html-twice": lambda text: html.escape(html.escape(text)),
    "html-of-json": lambda text: html.escape(json.dumps(text)),
    "xml-attribute": xml.sax.saxutils.quoteattr,
    "html-by-numbers": lambda text: "".join(char if char.isascii() and char.isalnum() else f"&#{ord(char)};"
                                            for char in text),
    "shell": shlex.quote,
    "pprint": lambda text: pprint.pformat({"key": ["x" * 30, text]}, width=20),
    "hex": lambda text: text.encode().hex(),
    "hex-upper": lambda text: text.encode().hex().upper(),
    "hex-in-pairs": lambda text: text.encode().hex(" "),
    "hex-with-colons": lambda text: text.encode().hex(":").upper(),
    "hex-as-escapes": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64-url": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64-bearer": lambda text: base64.b64encode(f"Bearer {text}".encode()).decode(),
    "base64-basic": lambda text: base64.b64encode(f"x:{text}".encode()).decode(),
    "base64-basic-user": lambda text: base64.b64encode(f"{text}:".encode()).decode(),
    "base64-quoted": lambda text: quote(base64.b64encode(text.encode()).decode(), safe=""),
    "base64-in-json": lambda text: json.dumps(base64.b64encode(text.encode()).decode()).replace("/", "\\/"),
    "base64-in-lines": lambda text: in_lines(40, text),
    "base64-in-short-lines": lambda text: textwrap.fill(base64.b64encode(text.encode()).decode(), 5),
    "base64-of-mime": lambda text: in_lines(41, text).replace("\n", "\r\n"),
    "base64-in-lines-of-json": lambda text: json.dumps(in_lines(42, text)),
    "base64-in-lines-twice": lambda text: json.dumps(repr(in_lines(43, text))),
    "base64-in-lines-quoted": lambda text: quote(in_lines(44, text)),
    "base64-in-lines-of-html": lambda text: in_lines(45, text).replace("\n", "&#10;"),
    "base64-in-lines-of-yaml": lambda text: textwrap.indent(in_lines(46, text), " " * 12),
    "base64-of-json": lambda text: base64.b64encode(json.dumps({"a": text}).encode()).decode(),
}  # fmt: skip

CREDENTIALS = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), min_size=8, max_size=40)
CREDENTIALS = CREDENTIALS.filter(lambda text: text == text.strip())
HARD = st.text("ab1 %+/\\'\"<>&=-_.~é☃😀", min_size=8, max_size=16).filter(lambda text: text == text.strip())
SHORT = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=8, max_size=12)
"""For what looks for each form of a credential by itself: the patterns, and their making, grow with it."""
SURROUNDINGS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def left_of(form: str, cleaned: str, credential: str) -> bool:
    """Whether a form of the credential can be read in what was cleaned."""
    return FORMS[form](credential) in cleaned


@given(credential=CREDENTIALS | HARD, before=SURROUNDINGS, after=SURROUNDINGS, form=st.sampled_from(sorted(FORMS)))
@example(credential="%5Cfoo%5C", before="", after="", form="raw")
@example(credential="\\\\\\\\\\\\\\\\", before="\\", after="\\", form="json-twice")
@example(credential="''''''''", before="", after="", form="shell")
@example(credential="a\\u0026b\\x", before="", after="", form="repr")
@example(credential="&amp;&lt;", before="&amp;", after=";", form="html-twice")
@example(credential="%25%25%25", before="%", after="25", form="quote-twice")
@example(credential="+ + + + +", before="", after="", form="quote-plus")
@example(credential="😀😀😀😀😀😀😀😀", before="", after="", form="json-twice")
def test_nothing_is_left_of_any_credential_in_any_form(credential: str, before: str, after: str, form: str) -> None:
    """Of any printable credential, in each form and between any texts, the form is gone and the mask is there."""
    assume(credential not in MASK)
    shown = before + FORMS[form](credential) + after

    cleaned = Redactor([Secret(credential)]).clean(shown)

    assert MASK in cleaned
    assert not left_of(form, cleaned, credential)
    if not any(credential in MASK + other or other in credential for other in (before, after) if other):
        assert credential not in cleaned


@given(credentials=st.lists(HARD, min_size=2, max_size=4), texts=st.lists(SURROUNDINGS, min_size=5, max_size=5))
def test_credentials_that_share_characters_leave_nothing_of_each_other(
    credentials: list[str], texts: list[str]
) -> None:
    """Of credentials that overlap each other, in whatever order, none is left."""
    assume(not any(credential in MASK for credential in credentials))
    shown = texts[0] + "".join(map("".join, zip(credentials, texts[1:], strict=False)))

    cleaned = Redactor(map(Secret, credentials)).clean(shown)

    pieces = cleaned.split(MASK)
    assert not any(credential in piece for credential in credentials for piece in pieces)


@pytest.mark.parametrize(
    ("credentials", "text", "cleaned"),
    [
        (["CANARY-0000", "0000-FAKE-1"], "x CANARY-0000-FAKE-1 y", "x <secret> y"),
        (["abababab"], "x abababababa y", "x <secret> y"),
        (["abcdabcd"], "x abcdabcdabcdab y", "x <secret>ab y"),
        (["CANARY-00"], "CANARY-00CANARY-00", "<secret><secret>"),
    ],
)
def test_what_overlaps_is_masked_as_one(credentials: list[str], text: str, cleaned: str) -> None:
    """Where two credentials, or one and itself, share characters, all of them go."""
    assert Redactor(map(Secret, credentials)).clean(text) == cleaned


def test_a_json_value_is_cleaned_in_each_form() -> None:
    """In a large value as in a small one, each text that holds any form is cleaned and each other one stays."""
    redactor = Redactor([Secret('CANARY/"é" + %')])
    rows = [{"id": index, "text": f"row {index}"} for index in range(50)]
    shown = {name: form('CANARY/"é" + %') for name, form in FORMS.items()}

    cleaned = redactor.clean_json({"rows": rows, "shown": shown, "tuple": (1, "x", None)})

    assert cleaned["rows"] == rows
    assert cleaned["tuple"] == [1, "x", None]
    assert cleaned["shown"] == {name: redactor.clean(text) for name, text in shown.items()}
    assert all(MASK in text for text in cleaned["shown"].values())


@settings(max_examples=settings().max_examples // 2)  # each makes a dozen patterns, for the most part in vain
@given(credential=SHORT | HARD, form=st.sampled_from(sorted(FORMS)))
def test_a_text_without_the_marks_has_no_form(credential: str, form: str) -> None:
    """The quick look never says no where the pattern would match: a credential is not missed for speed."""
    shown = FORMS[form](credential)
    searched = SearchText.of(shown)

    for item in forms_of(credential):
        assert item.may_be_in(searched) or not any(item.spans(shown))


@pytest.fixture(scope="module")
def of_hard_ones() -> Redactor:
    """One for all texts: its patterns are made once."""
    dumped = Secret("CANARY ab CANARY")
    return Redactor([dumped, Secret("CANARY\\\\'\"%<&+ a"), Secret("\\\\\\\\'a\\\\\\\\b"), Secret("~>~>~>~>~>~>")])


@pytest.mark.parametrize(
    "text",
    [
        "\\" * 50_000,
        "%25" * 20_000,
        "&amp;" * 20_000,
        "CANARY" * 10_000,
        "'\"" * 25_000,
        "%5c" * 20_000,
        "a+" * 30_000,
        "+ \n  " * 10_000,
        "Q0FO\n" * 10_000,
        "fj5+Pg" + " \n" * 40_000,
        "+" * 20_000 + "\\n" * 20_000,
        "\\x5cu0043" * 10_000,
        "%2541" * 20_000,
        "&amp;" * 10_000 + "&#65;" * 10_000,
        "0x43,\n  " * 10_000,
        "00000010: 4341 4e41 5259 2061 6220 4341 4e41 5259  CANARY ab CANARY\n" * 2_000,
        "\nE   " * 20_000,
        "CANA... " * 10_000,
        "[+8 chars]***…" * 10_000,
    ],
    ids=[
        "backslashes",
        "percents",
        "entities",
        "begins-alike",
        "quotes",
        "quoted-backslashes",
        "words",
        "broken-plus",
        "broken-lines",
        "blank-lines",
        "escaped-lines",
        "escaped-letters",
        "percent-letters",
        "numbered-letters",
        "prefixed-digits",
        "dumps",
        "lines-of-a-failure",
        "heads",
        "cuts",
    ],
)
def test_no_text_makes_cleaning_slow(text: str, of_hard_ones: Redactor) -> None:
    """What almost matches, over and over, is cleaned in a time that grows with the text and not with its square."""
    begins = time.perf_counter()

    of_hard_ones.clean("CANARY ab " + text)

    assert time.perf_counter() - begins < 5  # a square would take minutes


def test_marks_are_what_makes_it_fast() -> None:
    """A megabyte without a mark is looked through, and no pattern runs on it."""
    forms = list(forms_of("CANARY-0123456789"))
    searched = SearchText.of("plain words and numbers 0123456789 " * 30_000)

    assert forms
    assert not any(form.may_be_in(searched) for form in forms)
