"""What a truncation leaves of a credential goes as well."""

from __future__ import annotations

import json
import reprlib
import textwrap
import unittest.util
from urllib.parse import quote

import pytest
from _pytest._io.saferepr import saferepr
from hypothesis import given
from hypothesis import strategies as st

from pytest_wisebot.redaction import Redactor, Secret
from pytest_wisebot.redaction.redactor import SHORTEST_FRAGMENT
from pytest_wisebot.text import brief

CANARY = "CANARY-" + "".join(f"{index:03}" for index in range(100)) + "-FAKE"
JWT = f"eyJ{'hbGciOiJIUzI1NiJ9' * 9}.eyJ{'zdWIiOiJGQUtFIn0' * 9}.FAKE-signature_0123"


@pytest.mark.parametrize(
    "cut",
    [
        lambda text: f"{text[:20]}...{text[-20:]}",
        lambda text: f"before {text[:9]}... after",
        lambda text: f"...{text[-9:]} after",
        lambda text: f"{text[:20]} … {text[-20:]}",
        lambda text: f"{text[:20]}…",
        lambda text: f"{text[:20]}[...]",
        lambda text: f"...{text[100:120]}...",
        lambda text: f"'{text[:5]}[290 chars]{text[-5:]}'",
        lambda text: f"{text[:30]}[truncated]...",
        lambda text: f"{text[:30]}*** and ***{text[-9:]}",
        lambda text: f"{text[:8]}{'*' * 300}{text[-8:]}",
        lambda text: f"{text[:30]} (truncated)",
        lambda text: f"{text[:30]}<truncated>",
        lambda text: f"{text[:30]} .. {text[-9:]}",
        lambda text: f"{text[:30]}[+290 chars]",
        lambda text: json.dumps(f"{text[:20]}…{text[-20:]}"),
        lambda text: saferepr({"key": text}),
        lambda text: saferepr(text, maxsize=60),
        lambda text: reprlib.repr(text),
        lambda text: brief({"a": text}),
        lambda text: textwrap.shorten(f"a {text} b", 40, placeholder="...") + text[:12] + "...",
        lambda text: unittest.util._common_shorten_repr(text, text[:150] + "x" * 200)[0],
        lambda text: f"{text[:11]}...Full output truncated (2 lines hidden), use '-vv' to show",
    ],
)  # fmt: skip
@pytest.mark.parametrize("credential", [CANARY, CANARY.replace("-", "\\'\"%")], ids=["plain", "to-be-escaped"])
def test_heads_and_tails_go(cut: object, credential: str) -> None:
    """Whoever cut it out, and however the cut is written, neither the head nor the tail of a credential stays."""
    assert callable(cut)
    cleaned = Redactor([Secret(credential)]).clean(cut(credential))

    assert "CANA" not in cleaned
    assert "FAKE" not in cleaned
    assert "034035" not in cleaned


def test_what_is_cut_in_another_form_goes() -> None:
    """A fragment of the quoted, escaped or encoded credential is one of the credential."""
    credential = 'CANARY/é"0123456789012345678901234567890'
    redactor = Redactor([Secret(credential)])

    for shown in (quote(credential, safe=""), json.dumps(credential)[1:-1], repr(credential.encode())[2:-1],
                  credential.encode().hex(), credential[::-1]):  # fmt: skip
        assert redactor.clean(f"a {shown[:18]}... b") == "a <secret>... b"
        assert redactor.clean(f"a ...{shown[-18:]} b") == "a ...<secret> b"


def test_what_looks_like_a_credential_goes_in_parts_too() -> None:
    """The head of an unknown token, and what follows directly behind the cut, are masked."""
    redactor = Redactor()

    assert redactor.clean(f"'{JWT[:60]}...{JWT[-60:]}' and so on") == "'<secret>...<secret>' and so on"
    assert redactor.clean("wb_live_FAKE... rest") == "<secret>... rest"


def test_other_words_beside_dots_stay() -> None:
    """Dots are ordinary: what stands beside them stays, unless it is a part of a credential that is long enough."""
    text = "Loading... done. CAN... a ...KE 'x' [...] and so on … (12 chars) [truncated]... wait.... ...."

    assert Redactor([Secret(CANARY)]).clean(text) == text


@given(
    credential=st.text(
        st.characters(exclude_categories=["C", "Z"], exclude_characters=".…[]<>()"),
        min_size=2 * SHORTEST_FRAGMENT,
        max_size=60,
    ),
    head=st.integers(SHORTEST_FRAGMENT, 60),
    tail=st.integers(SHORTEST_FRAGMENT, 60),
    sign=st.sampled_from(["...", "…", " … ", "[...]", "[12 chars]", "...\n"]),
)
def test_of_any_credential_no_part_is_left_beside_a_cut(credential: str, head: int, tail: int, sign: str) -> None:
    """Any head and any tail, from a few characters on, is masked where something was cut out."""
    first = credential[: min(head, len(credential) - SHORTEST_FRAGMENT)]
    last = credential[-min(tail, len(credential) - len(first)) :]

    cleaned = Redactor([Secret(credential)]).clean(f"a {first}{sign}{last} b")

    assert cleaned == f"a <secret>{sign}<secret> b"
