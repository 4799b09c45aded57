"""YAML as JSON's types alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_wisebot.cases.documents import MistakeError
from pytest_wisebot.cases.yaml_values import MOST_DEPTH, read_yaml


@pytest.mark.parametrize(
    "text",
    [
        "2026-05-01", "2026-05-01T10:00:00Z", "no", "No", "yes", "on", "off", "y", "n", "017", "0o17", "0x1F", "1_000",
        "1:30", "+1", ".5", "1.", ".inf", "-.inf", ".nan", "NaN", "007", "1e", "-x", "nullable", "truely",
    ],
)  # fmt: skip
def test_what_json_does_not_have_is_a_string(text: str) -> None:
    """Dates, words for yes and no, octal and other spellings of numbers arrive as they were written."""
    assert read_yaml(f"a: {text}").value == {"a": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None), ("12", 12), ("-3", -3), ("0", 0),
        ("1.5", 1.5), ("1e3", 1000.0), ("'12'", "12"), ('"true"', "true"), ("[1, {b: c}]", [1, {"b": "c"}]),
        ("|\n  one\n  two\n", "one\ntwo\n"), (">\n  one\n  two\n", "one two\n"),
    ],
)  # fmt: skip
def test_json_types_are_read_as_such(text: str, value: Any) -> None:
    """Numbers, true, false and null are those of JSON; in quotes they are strings."""
    found = read_yaml(f"a: {text}").value["a"]
    assert (found, type(found)) == (value, type(value))


def test_json_is_read_as_the_same_value() -> None:
    """A JSON text is YAML, of the same value."""
    value = {"a": [1, 2.5, None, True, "x", {"b": "2026-01-01"}], "12": {"no": "no"}}
    assert read_yaml(json.dumps(value, indent=2)).value == value


def test_keys_are_strings() -> None:
    """A number or a word before a colon is a key of JSON."""
    assert read_yaml("1: a\nno: b\nnull: c\n2026-01-01: d").value == {
        "1": "a",
        "no": "b",
        "null": "c",
        "2026-01-01": "d",
    }


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: 1\na: 2", 2, 'the key "a" stands twice'),
        ("a:\n  b: 1\n  'b': 2", 3, 'the key "b" stands twice'),
        ("a: !!python/object/apply:os.system [x]", 1, "the tag tag:yaml.org,2002:python/object/apply:os.system"),
        ("a: !!str 12", 1, "the tag tag:yaml.org,2002:str"),
        ("- 1\n- !x\n  a: 1", 2, "the tag !x"),
        ("b: &b {c: 1}\na:\n  <<: *b", 3, "<< would merge a mapping"),
        ("a: &a\n  - *a", 2, "*a stands inside of &a"),
        ("a: *b", 1, "*b"),
        ("? [1, 2]\n: 3", 1, "a key is a string"),
        ("? {a: 1}\n: 3", 1, "a key is a string"),
        ("a: 1\n---\nb: 2", 2, "a second document"),
        ("a: 1e999", 1, "is beyond what a number holds"),
        (f"a: {'1' * 5000}", 1, "digits"),
        ("a: [1, 2\nb: 3", 2, "while parsing a flow sequence from line 1 on"),
        ("a: 'x", 1, "is not valid YAML"),
        ("a:\n\t- b", 2, "is not valid YAML"),
        ("[" * (MOST_DEPTH + 1) + "]" * (MOST_DEPTH + 1), 1, f"deeper than {MOST_DEPTH} levels"),
        ("a: \x07", 1, "is not valid YAML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(text: str, line: int, problem: str) -> None:
    """Duplicate keys, tags, merges, endless aliases, and what is not YAML at all."""
    with pytest.raises(MistakeError) as caught:
        read_yaml(text)
    assert problem in caught.value.text
    assert caught.value.line == line


def test_aliases_repeat_a_value_and_not_without_end() -> None:
    """An anchor may be used again; a few lines do not become millions of values."""
    assert read_yaml("a: &a {x: 1}\nb: [*a, *a]").value == {"a": {"x": 1}, "b": [{"x": 1}, {"x": 1}]}
    bomb = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    bomb += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    with pytest.raises(MistakeError, match="aliases repeat more than 100,000 values"):
        read_yaml("\n".join(bomb))


def test_lines_are_those_of_the_file() -> None:
    """A value's line is where it begins, and that of a key where the key stands."""
    document = read_yaml("cases:\n  - id: a\n    inputs:\n      x: 1\n\n  -\n    id: b")
    assert document.line_of(("cases", 0)) == 2
    assert document.line_of(("cases", 0, "inputs", "x")) == 4
    assert document.line_of(("cases", 1, "id")) == 7
    assert document.line_of(("cases", 0, "absent")) == 2
