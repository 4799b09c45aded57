"""What is masked though nobody gave it: tokens by their looks, and the values of headers that carry credentials."""

from __future__ import annotations

import json
import time

import pytest

from pytest_wisebot.redaction import Redactor


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Authorization: Bearer X", "Authorization: Bearer <secret>"),
        ("authorization: bearer x\r\nHost: a", "authorization: bearer <secret>\r\nHost: a"),
        ("> Authorization: Basic eDp5 and more", "> Authorization: Basic <secret> and more"),
        ("Proxy-Authorization: Bearer a'b\"c\\d e", "Proxy-Authorization: Bearer <secret> e"),
        ("{'authorization': 'Bearer a b'}", "{'authorization': 'Bearer <secret>'}"),
        ("{'authorization': 'Bearer a\\'b\"c', 'x': 1}", "{'authorization': 'Bearer <secret>', 'x': 1}"),
        ('{"Authorization":"Bearer x","y":2}', '{"Authorization":"Bearer <secret>","y":2}'),
        ('{\\"Authorization\\": \\"Bearer x\\"}', '{\\"Authorization\\": \\"Bearer <secret>\\"}'),
        ("[(b'authorization', b'Bearer x y'), (b'a', b'b')]",
         "[(b'authorization', b'Bearer <secret>'), (b'a', b'b')]"),
        ("curl -H 'Authorization: Bearer x y' https://a.test", "curl -H 'Authorization: Bearer <secret>' https://a.test"),
        ("Authorization=Bearer+x&b=1", "Authorization=Bearer+<secret>"),
        ("Authorization%3A%20Bearer%20x", "Authorization%3A%20Bearer%20<secret>"),
        ("x-workflow-secret: a;b", "x-workflow-secret: <secret>"),
        ("{'X-Workflow-Secret': 'a b'}", "{'X-Workflow-Secret': '<secret>'}"),
        ("Headers([('x-workflow-secret', 'x')])", "Headers([('x-workflow-secret', '<secret>')])"),
    ],
)  # fmt: skip
def test_the_value_of_a_header_is_masked_whatever_it_is(text: str, cleaned: str) -> None:
    """A header that carries a credential shows no value: in a request, a `repr`, JSON, a command or a URL."""
    redactor = Redactor()

    assert redactor.clean(text) == cleaned
    assert redactor.clean(cleaned) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        'curl -H "Authorization: Bearer $TRIAGE_SECRET" https://a.test',
        'curl -H "Authorization: Bearer $(cat /run/secrets/a)" https://a.test',
        "curl -H \"X-Workflow-Secret: $(printenv 'a b')\"",
        'headers={"Authorization": f"Bearer {token}"}',
        'expected "authorization" or "x-workflow-secret", got 1',
        '["x-workflow-secret", "authorization"]',
        "a Bearer of bad news, without authorization",
        "authorization: granted",
        "'authorization': 'Bearer [masked]'",
        'secret-header = "x-workflow-secret"\ntimeout = 60',
    ],
)
def test_what_names_a_credential_stays(text: str) -> None:
    """References, lines of source and sentences about headers hold no credential, and stay readable."""
    assert Redactor().clean(text) == text


def test_a_header_in_json_is_masked_by_its_key() -> None:
    """Where JSON holds headers, name and value are apart: the value goes, what else stands under the key stays."""
    value = {
        "headers": {"Authorization": "Bearer x y", "X-Workflow-Secret": "z", "host": "Bearer of news"},
        "authorization": ["granted", {"x-workflow-secret": 5}],
        "text": "Authorization: Bearer x",
    }

    assert Redactor().clean_json(value) == {
        "headers": {"Authorization": "Bearer <secret>", "X-Workflow-Secret": "<secret>", "host": "Bearer of news"},
        "authorization": ["granted", {"x-workflow-secret": 5}],
        "text": "Authorization: Bearer <secret>",
    }


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a.eyJhbGciOiJ9.eyJzdWIiOiJ9.FAKE0123-_ b", "a.<secret> b"),
        ("eyJeyJhbGciOiJ9.eyJzdWIiOiJ9.FAKE0123.com", "<secret>.com"),
        ("eyJhbGci.eyJzdWIiOiJ9.FAKE0123", "eyJhbGci.eyJzdWIiOiJ9.FAKE0123"),
        ("eyJhbGciOiJ9.short.eyJhbGciOiJ9.eyJzdWIiOiJ9.FAKE0123", "eyJhbGciOiJ9.short.<secret>"),
    ],
)
def test_a_token_is_known_by_its_three_segments(text: str, cleaned: str) -> None:
    """A JWT is three long segments of which the first begins as JSON does; less is none."""
    assert Redactor().clean(text) == cleaned


@pytest.mark.parametrize("unit", ["eyJ", "eyJaaaaaaaaaa.", "authorization'", "'authorization: bearer ", "wb_live_"])
def test_no_text_makes_looking_for_shapes_slow(unit: str) -> None:
    """What begins like a token over and over is read once, and not again from each beginning."""
    begins = time.perf_counter()

    Redactor().clean(json.dumps(unit * (300_000 // len(unit))))

    assert time.perf_counter() - begins < 5  # a square would take minutes
