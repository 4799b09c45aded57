"""What a project redacts of its own: keys, patterns and paths."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from pytest_wisebot.redaction import Redact, Redactor, Secret

ANSWER: dict[str, Any] = {
    "result": {
        "customer": {"email": "a@example.com", "name": "A", "Age": 42},
        "items": [{"email": "b@example.com", "n": 1}, {"n": 2}, {"email": None}],
        "odd key": {"x": "CANARY-0123"},
    },
    "error": {"message": "mail to a@example.com failed", "email": ["c@example.com"]},
    "trace": {"email": 5},
}


def redacted(answer: dict[str, Any] = ANSWER, **redact: tuple[str, ...]) -> dict[str, Any]:
    """The answer as a test sees it; the one that came stays as it was."""
    before = copy.deepcopy(answer)
    cleaned = Redactor([Secret("CANARY-0123")], Redact(**redact)).clean_answer(answer)
    assert answer == before
    return cleaned


def changed(answer: dict[str, Any], **places: Any) -> dict[str, Any]:
    """The answer with these values, each under a path of keys joined by two underscores."""
    answer = copy.deepcopy(answer)
    answer["result"]["odd key"]["x"] = "<secret>"
    for place, value in places.items():
        *steps, last = [int(step) if step.isdigit() else step for step in place.split("__")]
        target: Any = answer
        for step in steps:
            target = target[step]
        target[last] = value
    return answer


def test_what_stands_under_a_key_is_redacted_whatever_it_is() -> None:
    """Texts, numbers, lists and null go alike, at every depth, and letter case does not matter."""
    assert redacted(keys=("EMail", "age")) == changed(
        ANSWER,
        result__customer__email="<redacted>",
        result__customer__Age="<redacted>",
        result__items__0__email="<redacted>",
        result__items__2__email="<redacted>",
        error__email="<redacted>",
        trace__email="<redacted>",
    )


def test_what_a_pattern_matches_is_redacted_in_every_text() -> None:
    """Of a text the match goes and the rest stays; keys are texts, too."""
    assert redacted(patterns=(r"[\w.]+@example\.com",)) == changed(
        ANSWER,
        result__customer__email="<redacted>",
        result__items__0__email="<redacted>",
        error__message="mail to <redacted> failed",
        error__email=["<redacted>"],
    )
    assert redacted({"result": {"a@x.test": 1}}, patterns=(r"\w+@x\.test",)) == {"result": {"<redacted>": 1}}


@pytest.mark.parametrize(
    ("path", "places"),
    [
        ("result.customer.email", ["result__customer__email"]),
        ("$.result.customer.email", ["result__customer__email"]),
        ("customer.email", ["result__customer__email"]),
        ("items[*].email", ["result__items__0__email", "result__items__2__email"]),
        ("items[1]", ["result__items__1"]),
        ("message", ["error__message"]),
        ('result["odd key"]', ["result__odd key"]),
        ("**.email", ["result__customer__email", "result__items__0__email", "result__items__2__email", "error__email",
                      "trace__email"]),
        ("trace.email", ["trace__email"]),
        ("result.*.name", ["result__customer__name"]),
        ("result", ["result"]),
        ("nothing.here", []),
    ],
)  # fmt: skip
def test_a_path_is_looked_for_in_the_answer_and_in_its_parts(path: str, places: list[str]) -> None:
    """A path begins at the answer, at its result or at its error; what is not there is no mistake."""
    assert redacted(paths=(path,)) == changed(ANSWER, **dict.fromkeys(places, "<redacted>"))


def test_of_two_paths_the_one_that_takes_more_wins() -> None:
    """A path to a whole and one into it redact the whole, in whatever order they stand."""
    for paths in (("customer", "customer.email"), ("customer.email", "customer")):
        assert redacted(paths=paths) == changed(ANSWER, result__customer="<redacted>")


def test_the_whole_result_may_be_redacted() -> None:
    """``$`` is the whole result, and the whole error; where there is none, none appears."""
    assert redacted({"result": None, "x": 1}, paths=("$",)) == {"result": "<redacted>", "x": 1}
    assert redacted({"x": 1}, paths=("$",)) == {"x": 1}


def test_texts_are_redacted_by_pattern_alone() -> None:
    """A log line or a traceback has no keys: what patterns match goes, and credentials as ever."""
    redactor = Redactor([Secret("CANARY-0123")], Redact(keys=("email",), patterns=("ACC-[0-9]+", "^a")))

    assert redactor.clean("a: email=ACC-12 x CANARY-0123") == "<redacted>: email=<redacted> x <secret>"
    assert redactor.clean_json(["a", "ba", "CANARY-0123"]) == ["<redacted>", "ba", "<secret>"]


def test_where_a_pattern_meets_a_credential_the_credential_is_named() -> None:
    """What overlaps is masked as one, as the secret that it is."""
    redactor = Redactor([Secret("CANARY-0123")], Redact(patterns=(r"\w+-0123-\w+",)))

    assert redactor.clean("CANARY-0123-x y-0123-z") == "<secret> <redacted>"


def test_cleaning_twice_changes_nothing() -> None:
    """A recorded run that is cleaned again is the same run."""
    redact = Redact(keys=("email",), patterns=(r"[\w.]+@example\.com",), paths=("customer.name",))
    redactor = Redactor([Secret("CANARY-0123")], redact)

    once = redactor.clean_answer(ANSWER)

    assert redactor.clean_answer(once) == once


def test_the_last_word_on_what_is_redacted_holds() -> None:
    """What a hook says takes the place of what the file said, and no credential is forgotten over it."""
    redactor = Redactor([Secret("CANARY-0123")], Redact(patterns=("one",)))
    redactor.follow(Redact(patterns=("two",)))

    assert redactor.clean("one two CANARY-0123") == "one <redacted> <secret>"
