"""Which regular expressions of a project are taken, what they find, and what is said of the others."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_wisebot.redaction.linear import LinearPattern, StoppedError
from pytest_wisebot.redaction.ready_made import READY_MADE
from pytest_wisebot.redaction.user_rules import checked_pattern


@pytest.mark.parametrize(
    "pattern",
    [
        r"[\w.+-]+@(?:[\w-]+\.)+[A-Za-z]{2,}",
        r"\b\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}\b",
        r"(?i)acc-[0-9]+",
        r"[A-Z]{2}[0-9]{2}(?:[ ]?[0-9A-Z]{4}){3,7}(?:[ ]?[0-9A-Z]{1,4})?",
        r"(?:\+|00)[1-9][0-9 \-().]{7,}",
        r"(?s)-----BEGIN.*?END-----",
        "é☃+",
        "x|yy",
        r"(?:\d+,){30}",
        r"[0-9a-f]{32,64}",
        r"(?x) a b  # blanks and remarks",
        r"(?P<name>\w+)=\N{EURO SIGN}\u0041",
        "(a+)+b",
        "^(?m:^a$)$",
        "(?s:.)x[^\\W\\d_]",
        "email",
    ],
)
def test_an_ordinary_expression_is_taken(pattern: str) -> None:
    """What people write for addresses, cards, phone numbers and ids is taken as it is."""
    assert checked_pattern(pattern) == pattern


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        (1, "expected a regular expression, or email, iban, phone, card, as a string, got int"),
        ("", "'' matches the empty string, and so everywhere"),
        ("x*", "'x*' matches the empty string, and so everywhere"),
        ("a|", "'a|' matches the empty string, and so everywhere"),
        (r"\b", r"'\\b' matches the empty string, and so everywhere"),
        ("(?=x)", "'(?=x)' matches the empty string, and so everywhere"),
        ("(", "'(' is not a valid regular expression: missing ), unterminated subpattern at position 0"),
        ("[0-9", "'[0-9' is not a valid regular expression: unterminated character set at position 0"),
        (
            "(?<=id=)x",
            "'(?<=id=)x' looks ahead or behind, which cannot be matched in linear time: match what stands there, too, "
            r"or write \b for the border of a word",
        ),
        (
            "x(?!y)",
            "'x(?!y)' looks ahead or behind, which cannot be matched in linear time: match what stands there, too, or "
            r"write \b for the border of a word",
        ),
        (
            r"(a)\1",
            r"'(a)\\1' refers back to a group, which cannot be matched in linear time: write out what the group "
            "matches",
        ),
        (
            "(a)?b(?(1)c|d)",
            "'(a)?b(?(1)c|d)' has a condition on a group, which cannot be matched in linear time: write both cases "
            "with |",
        ),
        (
            "a++b",
            "'a++b' has a possessive repetition, which RE2 does not have: leave out the \"+\" behind it",
        ),
        ("(?>a)b", "'(?>a)b' has an atomic group, which RE2 does not have: write (?:…) in place of (?>…)"),
        (
            "(?:a*)*b",
            "'(?:a*)*b' repeats what may be empty, which matches in many ways: repeat what is not empty",
        ),
        ("a$\nb", "'a$\\nb' has a \"$\" that is not at its end: write it last, or (?m) where it ends a line"),
        (
            "a{1001}",
            "'a{1001}' is too large for RE2 (invalid repetition size: {1001,1001}): write fewer repetitions, of which "
            "it takes 1000",
        ),
        (
            r"\b(?a:\b)x",
            r"'\\b(?a:\\b)x' has \b for ASCII and for all letters: write one of the two, (?a) or none",
        ),
        (
            r"\b" + "".join(map(chr, range(0x4E00, 0x4E00 + 64))),
            "… tells too many kinds of characters apart: write two patterns",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(pattern: object, problem: str) -> None:
    """An expression that is not one, matches everywhere, or is not linear: the message has the reason and a way out."""
    with pytest.raises(ValueError, match=r".") as caught:
        checked_pattern(pattern)

    assert str(caught.value).endswith(problem.removeprefix("… "))


def test_without_re2_an_expression_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ready-made ones need nothing."""
    monkeypatch.setitem(sys.modules, "re2", None)

    with pytest.raises(ValueError, match="RE2") as caught:
        checked_pattern("ACC-[0-9]+")

    assert str(caught.value) == (
        "'ACC-[0-9]+' needs RE2, which is not installed: pip install 'pytest-wisebot[redact]'; the ready-made patterns "
        "(email, iban, phone, card) need nothing"
    )
    assert [checked_pattern(name) for name in READY_MADE] == ["email", "iban", "phone", "card"]


# --- what they find: what Python's `re` finds -----------------------------------------------------------------------


def found(pattern: str, text: str) -> list[str]:
    return [text[start:end] for start, end in LinearPattern(pattern).spans(text)]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"\w+", "Zoë Ωmega_1 Ⅷ ² \U0001d4b3 ১২ 日本"),
        (r"\d{2}", "12 ١٢ १२ ²²"),
        (r"a\sb", "a b a\xa0b a\u2003b a\x1cb a\x85b"),
        (r"\bü\w*\b", "über süß ü"),
        (r"\Bx\B", "éxé x"),
        ("(?a)\\bx\\w*", "éxyzé"),
        ("(?i)straße|k", "STRAßE STRASSE STRAẞE K \u212a"),
        ("(?i)\u017f+", "s S \u017f"),
        ("(?i)[i-j]", "i I İ \u0131"),
        ("(?i:a)b", "Ab AB"),
        ("a.b", "a\ud800b a\0b a\nb"),
        ("[^x]+", "\ud800\udfff\0x\U0010ffff"),
        ("\ud800+", "a\ud800\ud800"),
        ("\0", "a\0"),
        (r"[\ud7ff-\ue000]", "\ud834 \ue001"),
        ("word$", "word\nword\n"),
        ("(?m)^a.$", "ab\nac\nbb\nad"),
        (r"word\Z", "word\n"),
        (r"\Aa+?", "aaa"),
        (r"\w$", "x\n"),
        ("\n$|a$", "a\n"),
        (r"[^\W\d_]+", "a1_é"),
        ("a{2,3}?", "aaaaa"),
        ("(?:ab|a)(?:c|bcd)", "abcd"),
    ],
)
def test_an_expression_finds_what_it_finds_in_python(pattern: str, text: str) -> None:
    """Classes, borders and letter case are Unicode's; lone surrogates and NUL are searched."""
    assert list(LinearPattern(pattern).spans(text)) == [match.span() for match in re.finditer(pattern, text)]


LETTERS = "aAbkK\u212a\u017fsSß\u0131İiI\xb5μéÉ12²٣_ -\n\x1c\xa0\0\ud800\U0010ffff.@"
ATOMS = st.one_of(
    st.sampled_from(LETTERS).map(re.escape),
    st.sampled_from([r"\w", r"\W", r"\d", r"\D", r"\s", r"\S", ".", "(?s:.)", r"[^\W\d]", r"[\d.@-]", "[^a-k]"]),
    st.sampled_from(
        ["[a-s]", "(?i:[a-k])", "(?i:\u017f)", "(?a:\\w)", "(?ai:[^k])", "[\x00-\u2030]", "[^\ud800-\udfff]"]
    ),
)
BORDERS = st.sampled_from([r"\b", r"\B", "^", r"\A", "(?m:^)", "(?m:$)", r"\Z"])
TIMES = st.sampled_from(["?", "{2}", "{1,3}", "+", "??", "+?", "{1,2}?"])


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, TIMES).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
        st.lists(inner | BORDERS, min_size=2, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda options: f"({'|'.join(options)})"),
    )


EXPRESSIONS = st.tuples(
    st.sampled_from(["", "", "(?i)", "(?s)", "(?m)", "(?is)"]),
    st.recursive(ATOMS, larger, max_leaves=6),
    st.sampled_from(["", "", "$"]),
).map("".join)


@given(pattern=EXPRESSIONS, texts=st.lists(st.text(LETTERS, max_size=12), min_size=3, max_size=6))
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_no_expression_finds_less_than_in_python(pattern: str, texts: Iterable[str]) -> None:
    """Every character that Python's `re` finds is found, for each expression that is taken."""
    try:
        linear = LinearPattern(pattern)
    except ValueError:
        return
    for text in texts:
        covered = {at for start, end in linear.spans(text) for at in range(start, end)}
        expected = {at for match in re.finditer(pattern, text) for at in range(*match.span())}
        assert expected <= covered, text


def test_an_expression_that_python_takes_years_for_is_matched() -> None:
    """A repetition inside of a repetition, and the e-mail pattern of every tutorial, are matched in linear time."""
    assert found(r"(\w+\s?)+!", "a" * 100_000) == []
    assert found(r"[\w.+-]+@[\w-]+\.[\w.-]+", "a" * 1_000_000 + " me@example.com") == ["me@example.com"]


def test_a_search_is_given_up_when_its_time_is_over() -> None:
    """Some expressions search the rest of the text again after each match: the run's deadline ends that."""
    asked = iter([False] * 10 + [True])
    spans = LinearPattern("x(?:.*y)?").spans("x" * 10_000, lambda: next(asked))

    with pytest.raises(StoppedError):
        list(spans)


# --- ready-made ones ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("email", "Anna Müller <anna.m+x@mail.example.com>, x", ["anna.m+x@mail.example.com"]),
        ("email", "mailto:ü@bücher.example?x a@b@c.de x@a.b.museum.", ["ü@bücher.example", "b@c.de", "x@a.b.museum"]),
        ("email", "a@b @x.de a@1.2 git@host:repo user @ home. @home", []),
        ("iban", "DE89 3704 0044 0532 0130 00 AND MORE, GB29NWBK60161331926819.",
         ["DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819"]),
        ("iban", "AB12 NO9386011117947 (MT84MALT011000012345MTLCAST001S)",
         ["NO9386011117947", "MT84MALT011000012345MTLCAST001S"]),
        ("iban", "DE88 3704 0044 0532 0130 00 xDE89370400440532013000 DE89 3704", []),
        ("phone", "+49 30 123456, 0049 30 1234567, +1 (555) 234-5678", ["+49 30 123456", "0049 30 1234567",
         "+1 (555) 234-5678"]),
        ("phone", "(555) 234-5678 or 555-234-5678", ["(555) 234-5678", "555-234-5678"]),
        ("phone", "2024-01-01 123456789 0012345678 +1 1.5+20000000 192.168.100.1000 ORD-555-234-5678", []),
        ("card", "4111 1111 1111 1111 123, 5500-0000-0000-0004 or 340000000000009",
         ["4111 1111 1111 1111", "5500-0000-0000-0004", "340000000000009"]),
        ("card", "4111111111111111 4111 1111 1111 1111", ["4111111111111111", "4111 1111 1111 1111"]),
        ("card", "4111 1111 1111 1112 1700000000000 x4111111111111111 0004111111111111111 3.4111111111111111", []),
    ],
)  # fmt: skip
def test_a_ready_made_pattern_finds_its_kind_and_little_else(name: str, text: str, expected: list[str]) -> None:
    """Cards and accounts have their check digit, phone numbers a country's code or North America's form."""
    assert [text[start:end] for start, end in READY_MADE[name].spans(text)] == expected
