"""Credentials do not show, and text is cleaned of them in each form that they take."""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
import logging
import pickle
import re
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pytest_wisebot.redaction import MASK, REDACTED, Redact, Redactor, Secret

CANARY = "CANARY-0123456789"

PRINTABLE = "".join(map(chr, range(32, 127)))
CREDENTIALS = st.text(PRINTABLE, min_size=8, max_size=40).filter(lambda text: text == text.strip())
SURROUNDINGS = st.text(max_size=12).filter(lambda text: text.encode("utf-8", "ignore").decode() == text)


# --- a secret does not show ---------------------------------------------------------------------------------------


@dataclasses.dataclass
class Holder:
    name: str
    secret: Secret


@pytest.mark.parametrize(
    "shown",
    [
        repr,
        str,
        format,
        ascii,
        lambda secret: f"{secret}",
        lambda secret: f"{secret!s}{secret!r}{secret!a}",
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031 - the form that logging uses
        lambda secret: "{0} {0!r}".format(secret),  # noqa: UP032 - a format of its own
        lambda secret: repr([secret, {"k": secret}, (secret,)]),
        lambda secret: repr(Holder("x", secret)),
        lambda secret: repr(dataclasses.asdict(Holder("x", secret))),
        lambda secret: repr(dataclasses.astuple(Holder("x", secret))),
        lambda secret: repr(copy.deepcopy({"k": [secret]})),
        lambda secret: repr(copy.copy(Holder("x", secret))),
        lambda secret: json.dumps({"k": secret}, default=str),
        lambda secret: logging.LogRecord("n", 10, "p", 1, "%s %r", (secret, secret), None).getMessage(),
        lambda secret: str(ValueError(secret)) + repr(ValueError(secret)),
    ],
)
def test_a_secret_shows_a_mask(shown: Callable[[Secret], str]) -> None:
    """However a secret is turned into text, alone or inside of something, the mask stands in its place."""
    text = shown(Secret(CANARY))

    assert MASK in text
    assert "CANARY" not in text


def test_a_secret_says_what_it_is() -> None:
    """A secret shows as the mask, and its `repr` says that it is a secret."""
    assert (str(Secret(CANARY)), repr(Secret(CANARY))) == ("<secret>", "Secret(<secret>)")


def test_a_secret_tells_what_it_is_only_when_asked() -> None:
    """``reveal`` gives the credential itself."""
    assert Secret(CANARY).reveal() == CANARY


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("wrapped", [lambda secret: secret, lambda secret: Holder("x", secret)], ids=["bare", "held"])
def test_a_secret_is_not_pickled(wrapped: Callable[[Secret], object], protocol: int) -> None:
    """A secret does not travel to another process by pickle, not even inside of something."""
    with pytest.raises(TypeError) as caught:
        pickle.dumps(wrapped(Secret(CANARY)), protocol)

    assert str(caught.value) == "a Secret is not pickled: it would leave the process readable"


def test_a_secret_has_no_fields_to_list() -> None:
    """``vars`` and a listing of attributes find nothing that shows the credential."""
    secret = Secret(CANARY)

    with pytest.raises(TypeError):
        vars(secret)
    assert "CANARY" not in repr([getattr(secret, name) for name in dir(secret)])


@pytest.mark.parametrize("wrong", [lambda secret: f"{secret:d}", lambda secret: f"{secret:>40}", json.dumps, len])
def test_a_wrong_use_of_a_secret_does_not_show_it(wrong: Callable[[Any], object]) -> None:
    """What a secret cannot do fails without showing it."""
    with pytest.raises((TypeError, ValueError)) as caught:
        wrong(Secret(CANARY))

    assert "CANARY" not in str(caught.value)


def test_a_deep_copy_is_the_secret_itself() -> None:
    """Copying what holds a secret makes no second one."""
    secret = Secret(CANARY)

    assert copy.deepcopy([secret])[0] is secret


def test_a_shallow_copy_is_the_secret_itself() -> None:
    """Copying a secret is no pickling: it gives the secret."""
    secret = Secret(CANARY)

    assert copy.copy(secret) is secret


def test_secrets_are_equal_by_what_they_hold() -> None:
    """Equal credentials are equal secrets; nothing else equals a secret, its own text included."""
    assert Secret(CANARY) == Secret(CANARY)
    assert Secret(CANARY) != Secret(CANARY + "x")
    assert Secret(CANARY) != CANARY
    assert Secret(CANARY) != MASK
    assert {Secret(CANARY), Secret(CANARY)} == {Secret(CANARY)}


# --- text without credentials -------------------------------------------------------------------------------------

FORMS: dict[str, Callable[[str], str]] = {
    "raw": lambda text: text,
    "header": lambda text: f"Authorization: Bearer {text}",
    "json": json.dumps,
    "json-latin": lambda text: json.dumps(text, ensure_ascii=False),
    "repr": repr,
    "repr-of-bytes": lambda text: repr(text.encode("utf-8")),
    "quote-all": lambda text: quote(text, safe=""),
    "quote": quote,
    "quote-plus": quote_plus,
    "urlencode": lambda text: urlencode({"a": "b", "secret": text}),
    "lower-case-quote": lambda text: re.sub("%..", lambda found: found[0].lower(), quote(text, safe="")),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64-url": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "basic-auth": lambda text: base64.b64encode(f"user:{text}".encode()).decode(),
}


@pytest.mark.parametrize("credential", [CANARY, 'CANARY"\\/+=&?#%', "CANARY k7/x+y==", "CANARY'%{}<>"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_each_form_of_a_credential_is_masked(form: Callable[[str], str], credential: str) -> None:
    """A credential is masked as a header, a URL, JSON, a traceback or base64 show it; what stands around it stays."""
    shown = form(credential)

    cleaned = Redactor([Secret(credential)]).clean(f"before {shown} after")

    assert cleaned.startswith("before ")
    assert cleaned.endswith(" after")
    assert MASK in cleaned
    assert shown not in cleaned
    assert "CANARY" not in cleaned


def test_what_is_cleaned_reads_as_before() -> None:
    """The mask alone takes the credential's place: the rest of a text stays as it is, and twice makes no difference."""
    redactor = Redactor([Secret(CANARY)])
    cleaned = redactor.clean(f"GET /x?a={CANARY}&b=1\nAuthorization: Bearer {CANARY}\n")

    assert cleaned == "GET /x?a=<secret>&b=1\nAuthorization: Bearer <secret>\n"
    assert redactor.clean(cleaned) == cleaned


def test_text_without_credentials_is_left_alone() -> None:
    """Nothing is masked that is no credential: not a part of one, not one in other letters."""
    text = "CANARY-012345678 canary-0123456789 eyJ.a.b wb_live_ wb_test_0123456789 plain words"

    assert Redactor([Secret(CANARY)]).clean(text) == text


def test_of_two_credentials_the_longer_wins() -> None:
    """A credential that contains another is masked whole, in whatever order they were given."""
    longer, shorter = "CANARY-12345678-rest-of-it", "CANARY-12345678"

    for secrets in ([longer, shorter], [shorter, longer]):
        redactor = Redactor(map(Secret, secrets))
        assert redactor.clean(f"{longer} {shorter}") == "<secret> <secret>"


def test_a_credential_is_no_pattern() -> None:
    """The characters of a credential stand for themselves, whatever they mean in a regular expression."""
    redactor = Redactor([Secret("CANARY.*[a-z]+(|")])

    assert redactor.clean("CANARY.*[a-z]+(| CANARYxxxx") == "<secret> CANARYxxxx"


def test_a_short_credential_is_not_masked() -> None:
    """A credential under 8 characters would mask ordinary words wherever they stand, so it is left alone."""
    assert Redactor([Secret("service")]).clean("the service is up") == "the service is up"
    assert Redactor([Secret("services")]).clean("the services are up") == "the <secret> are up"


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJGQUtFIn0.FAKE-signature_0123"
KEY = "wb_live_FAKE0123456789-abc_DEF"


@pytest.mark.parametrize("unknown", [JWT, KEY], ids=["jwt", "organisation-key"])
@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "Bearer {}",
        "token={}&x=1",
        '{{"token": "{}"}}',
        "({})",
        "{}.",
        "Bearer%20{}",
        "one\\n{}\\ntwo",
        "key_{}",
        "é{}",
        "b'{}'",
    ],
)
def test_what_has_a_credentials_shape_is_masked_though_nobody_gave_it(unknown: str, around: str) -> None:
    """A JWT or an organisation key is masked without being known, whatever stands before it."""
    assert "FAKE" not in Redactor().clean(around.format(unknown))
    assert Redactor().clean(around.format(unknown)).rstrip(".") == around.format(MASK).rstrip(".")


# --- JSON without credentials -------------------------------------------------------------------------------------


def test_json_is_cleaned_in_texts_and_keys() -> None:
    """Every text of a JSON value is cleaned, keys included; everything else is as it was."""
    value = {"a": [CANARY, 1, None, True, 1.5, (CANARY,)], f"key {CANARY}": {"b": f"x{CANARY}y"}, "empty": {}}

    assert Redactor([Secret(CANARY)]).clean_json(value) == {
        "a": [MASK, 1, None, True, 1.5, [MASK]],
        f"key {MASK}": {"b": f"x{MASK}y"},
        "empty": {},
    }


def test_keys_that_look_alike_once_they_are_clean_are_numbered() -> None:
    """No value is lost because another one's key held a credential, too."""
    redactor = Redactor([Secret(CANARY), Secret(f"{CANARY}-2")], Redact(keys=("mail",)))
    value = {CANARY: 1, f"{CANARY}-2": 2, f"{MASK} (2)": 3, MASK: {"mail": 4}}
    assert redactor.clean_json(value) == {
        f"{MASK} (3)": 1,
        f"{MASK} (4)": 2,
        f"{MASK} (2)": 3,
        MASK: {"mail": "<redacted>"},
    }
    assert redactor.clean_json(redactor.clean_json(value)) == redactor.clean_json(value)


def test_the_parts_of_an_answer_are_no_keys_of_the_project() -> None:
    """A project that redacts a key called result means one within its results."""
    redactor = Redactor(redact=Redact(keys=("result", "error", "ok")))
    answer = {"result": {"n": 1, "result": "a", "ok": 1}, "error": [{"error": "b"}], "more": {"result": "c"}}
    assert redactor.clean_answer(answer) == {
        "result": {"n": 1, "result": "<redacted>", "ok": "<redacted>"},
        "error": [{"error": "<redacted>"}],
        "more": {"result": "<redacted>"},
    }


def test_cleaning_json_makes_a_copy() -> None:
    """The value that is cleaned stays as it was."""
    value = {"a": [CANARY]}
    cleaned = Redactor([Secret(CANARY)]).clean_json(value)

    assert value == {"a": [CANARY]}
    assert cleaned == {"a": [MASK]}


# --- credentials come and go --------------------------------------------------------------------------------------


def test_a_credential_that_is_added_later_is_masked_from_then_on() -> None:
    """Credentials may come one by one; those of before stay masked."""
    redactor = Redactor([Secret(CANARY)])
    assert redactor.clean("FAKE-98765432") == "FAKE-98765432"

    redactor.add(Secret("FAKE-98765432"), Secret(CANARY))
    redactor.add()

    assert redactor.clean(f"FAKE-98765432 {CANARY}") == "<secret> <secret>"


def test_credentials_may_be_added_while_others_clean() -> None:
    """Threads that add and threads that clean do not disturb each other, and no added credential is lost."""
    redactor = Redactor([Secret(CANARY)])
    start, problems = threading.Barrier(8), list[object]()

    def add(number: int) -> None:
        start.wait()
        for index in range(20):
            redactor.add(Secret(f"FAKE-{number:02}-{index:04}-end"))

    def clean() -> None:
        start.wait()
        for _ in range(200):
            if redactor.clean(f"a {CANARY} b") != "a <secret> b":
                problems.append("seen")

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    threads += [threading.Thread(target=clean) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert problems == []
    everything = " ".join(f"FAKE-{number:02}-{index:04}-end" for number in range(4) for index in range(20))
    assert set(redactor.clean(everything).split()) == {MASK}


# --- for any credential -------------------------------------------------------------------------------------------


@given(credential=CREDENTIALS, before=SURROUNDINGS, after=SURROUNDINGS, form=st.sampled_from(sorted(FORMS)))
@example(credential="ab/cd+ef==", before="", after="", form="quote")
@example(credential="<>&'\"\\ %+/", before="'", after='"', form="repr")
def test_nothing_is_left_of_any_credential(credential: str, before: str, after: str, form: str) -> None:
    """Of any credential of printable characters, in each form and between any texts, nothing is left."""
    assume(credential not in MASK + before + MASK)
    shown = FORMS[form](credential)

    cleaned = Redactor([Secret(credential)]).clean(before + shown + after)

    assert MASK in cleaned
    assert shown not in cleaned


@given(credential=CREDENTIALS, before=SURROUNDINGS, after=SURROUNDINGS)
@example(credential="it's CANARY", before='"', after="")
@example(credential='say "CANARY', before="it's ", after='"')
@example(credential="C:\\CANARY", before="", after="")
def test_nothing_is_left_of_a_credential_within_a_larger_text_that_is_escaped(
    credential: str, before: str, after: str
) -> None:
    """A message that holds a credential may be escaped as a whole: its quotes decide how. It is masked."""
    redactor = Redactor([Secret(credential)])
    whole = before + credential + after

    for escaped in (repr(whole), json.dumps(whole), json.dumps(whole, ensure_ascii=False), repr(whole.encode())):
        assert MASK in redactor.clean(escaped)


@given(credential=CREDENTIALS, before=st.binary(max_size=7), after=st.binary(max_size=7))
def test_nothing_is_left_of_a_credential_within_base64(credential: str, before: bytes, after: bytes) -> None:
    """A credential that was encoded together with other bytes is masked wherever it begins, in both alphabets."""
    redactor = Redactor([Secret(credential)])
    whole = before + credential.encode() + after

    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        cleaned = redactor.clean(encode(whole).decode())
        first, last = cleaned.split(MASK, 1)
        # What is left beside the mask decodes to what stood beside the credential, and two characters at most of it.
        assert len(first) * 6 <= len(before) * 8 + 8
        assert len(last.rstrip("=")) * 6 <= len(after) * 8 + 12


@given(credential=CREDENTIALS)
def test_cleaning_json_leaves_nothing_of_any_credential(credential: str) -> None:
    """A JSON value that holds a credential anywhere holds it nowhere once it is cleaned."""
    assume(credential not in MASK)
    value = {credential: [credential, {"a": f"x {credential}"}]}

    assert credential not in json.dumps(Redactor([Secret(credential)]).clean_json(value))


HEADERS = [
    "Authorization: Bearer {}",
    "authorization=bearer {}",
    "X-Workflow-Secret:\n{}",
    "-H 'x-workflow-secret: {}'",
]


@given(
    credential=CREDENTIALS,
    before=SURROUNDINGS,
    after=SURROUNDINGS,
    form=st.sampled_from([*sorted(FORMS), *HEADERS, "in lines"]),
    ascii_only=st.booleans(),
    known=st.booleans(),
)
@example(credential="CANARY/in/lines++", before="", after="", form="in lines", ascii_only=True, known=True)
@example(credential="CANARY-é-letters", before="", after="", form="raw", ascii_only=True, known=True)
def test_a_json_text_that_is_called_clean_is_clean_in_all_its_parts(
    credential: str, before: str, after: str, form: str, ascii_only: bool, known: bool
) -> None:
    """Whatever a value holds, known or by its looks alone, and however JSON writes it."""
    if form == "in lines":
        shown = "\n\t".join(re.findall(".{1,8}", base64.b64encode(credential.encode()).decode()))
    else:
        shown = FORMS[form](credential) if form in FORMS else form.format(credential)
    redactor = Redactor([Secret(credential)] if known else [])
    text = before + shown + after
    for value in (text, {"a": [text]}, {text: 1}, {"Authorization": f"Bearer {text}"}, ["x-workflow-secret", text]):
        written = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
        if redactor.is_clean_json(written):
            assert redactor.clean_json(value) == value


def test_letters_that_json_escapes_are_no_way_past() -> None:
    """An answer may write any letter as its number: then its parts are looked at."""
    redactor = Redactor([Secret(CANARY)])
    escaped = "".join(f"\\u{ord(char):04x}" for char in CANARY)
    assert json.loads(f'"{escaped}"') == CANARY
    assert not redactor.is_clean_json(f'"{escaped}"'.encode())
    assert redactor.is_clean_json(b'{"nothing": "of note"}')


def test_what_a_project_redacts_is_looked_for_in_the_parts() -> None:
    """Its keys, paths and patterns mean values, and not the text of a line."""
    for redact in (Redact(keys=("email",)), Redact(patterns=("@",)), Redact(paths=("$.email",))):
        assert not Redactor([], redact).is_clean_json(b'{"a": 1}')


def test_what_was_harmless_is_looked_at_again_when_more_is_known() -> None:
    """Texts are remembered as clean only for as long as nothing else is a credential, or redacted by the rules."""
    redactor = Redactor()
    value = {"Authorization": f"is {CANARY}", "mail": "me@example.com"}
    for _ in range(2):
        assert redactor.clean_json(value) == value
        assert redactor.clean(CANARY) == CANARY
        assert redactor.credential_spans(CANARY) == []
    redactor.add(Secret(CANARY))
    assert redactor.clean(CANARY) == MASK
    assert redactor.clean_json(value) == {**value, "Authorization": f"is {MASK}"}
    redactor.follow(Redact(patterns=(r"\S+@\S+",)))
    assert redactor.clean_json(value)["mail"] == REDACTED


def test_a_header_s_name_and_value_that_were_harmless_alone_are_none_together() -> None:
    """The value is masked by the name that stands beside it, whichever of them was seen before."""
    redactor = Redactor()
    redactor.clean_json(["Authorization", "Bearer FAKE-token-of-somebody"])
    for _ in range(2):
        assert redactor.clean_json({"Authorization": "Bearer FAKE-token-of-somebody"}) == {
            "Authorization": f"Bearer {MASK}"
        }


def test_no_more_is_remembered_than_has_room() -> None:
    """Ten megabytes of texts that hold nothing leave a fraction of them in memory."""
    redactor = Redactor()
    for number in range(10_000):
        redactor.clean(f"{number} " + "x" * 1000)
    remembered = redactor._state.clean_texts.texts
    assert sum(map(len, remembered)) < 2_200_000
