"""What a snapshot file holds is exactly what was compared, and what no JSON can hold is an error with a path."""

from __future__ import annotations

import dataclasses
import enum
import itertools
import json
import math
from collections import namedtuple
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from pytest_wisebot.snapshots.json_codec import MAX_DEPTH, NotJsonError, dumps, loads

TEXTS = st.text(st.characters(exclude_categories=())).filter(lambda text: not joined(text))
SEEN = st.text('ab "\\\n\té✓😀')
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=20)


def joined(text: str) -> bool:
    """Whether two lone surrogates stand side by side: JSON has one way to write them and the letter they make."""
    return any("\ud800" <= a <= "\udbff" and "\udc00" <= b <= "\udfff" for a, b in itertools.pairwise(text))


def nested(depth: int, inner: Any = 1) -> Any:
    for level in range(depth):
        inner = [inner] if level % 2 else {"a": inner}
    return inner


class Model(BaseModel):
    name: str = "x"


@dataclasses.dataclass
class Row:
    name: str = "x"


class Colour(enum.Enum):
    RED = "red"


class Word(enum.StrEnum):
    YES = "yes"


class Number(enum.IntEnum):
    TWO = 2


class Half(float):
    def __repr__(self) -> str:
        return "a half"


Pair = namedtuple("Pair", "left right")


# --- what is written


def test_the_text_of_a_value() -> None:
    """Keys are sorted, two spaces indent a level, letters stay as they are, and the file ends with a newline."""
    value = {"b": [1, 2.5, -0.0, True, None, 'Grüße "quoted"\n'], "a": {}, "ü": [], "Z": {"x": [{"y": 1}]}}

    assert dumps(value) == (
        "{\n"
        '  "Z": {\n'
        '    "x": [\n'
        "      {\n"
        '        "y": 1\n'
        "      }\n"
        "    ]\n"
        "  },\n"
        '  "a": {},\n'
        '  "b": [\n'
        "    1,\n"
        "    2.5,\n"
        "    -0.0,\n"
        "    true,\n"
        "    null,\n"
        '    "Grüße \\"quoted\\"\\n"\n'
        "  ],\n"
        '  "ü": []\n'
        "}\n"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((1, (2,)), "[\n  1,\n  [\n    2\n  ]\n]\n"),
        (Pair("l", "r"), '[\n  "l",\n  "r"\n]\n'),
        (MappingProxyType({"a": 1}), '{\n  "a": 1\n}\n'),
        (Word.YES, '"yes"\n'),
        (Number.TWO, "2\n"),
        (Half(0.5), "0.5\n"),
        ({Word.YES: 1}, '{\n  "yes": 1\n}\n'),
    ],
    ids=["tuple", "namedtuple", "mapping", "str-enum", "int-enum", "float-subclass", "str-enum-key"],
)
def test_what_derives_from_a_json_type_is_written_as_that_type(value: object, text: str) -> None:
    """Tuples are lists, mappings are objects, and a subclass of a text or number is that text or number."""
    assert dumps(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("\ud800", '"\\ud800"\n'),
        ({"\udfff": "a\ud83d"}, '{\n  "\\udfff": "a\\ud83d"\n}\n'),
        ("a\u202eb\u2066c\u200fd", '"a\\u202eb\\u2066c\\u200fd"\n'),
        ("a\u2028b\u2029c\x85d", '"a\\u2028b\\u2029c\\u0085d"\n'),
        ("\x7f\x00\ufeff", '"\\u007f\\u0000\\ufeff"\n'),
        ("😀 \u00a0é", '"😀 \u00a0é"\n'),
    ],
    ids=["lone-surrogate", "surrogate-in-key", "direction-marks", "line-separators", "controls", "letters"],
)
def test_what_no_reader_would_see_is_escaped(value: object, text: str) -> None:
    """Lone surrogates, marks of direction, foreign line ends and controls stand as escapes in the file."""
    assert dumps(value) == text
    assert dumps(value).encode("utf-8")
    assert loads(text) == value


@given(JSON)
def test_what_is_written_is_read_back(value: Any) -> None:
    """Reading a file gives the value that was written, with its types, and writing that again gives the same file."""
    text = dumps(value)

    assert loads(text) == value
    assert dumps(loads(text)) == text
    assert text.encode("utf-8").decode("utf-8") == text


@given(
    st.recursive(st.integers() | st.floats(-9, 9) | SEEN, lambda inner: st.lists(inner) | st.dictionaries(SEEN, inner))
)
def test_the_layout_is_that_of_the_standard_library(value: Any) -> None:
    """The text is what `json.dumps` writes with sorted keys, two spaces and letters as they are."""
    assert dumps(value) == json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def test_numbers_of_different_types_are_different_texts() -> None:
    """1, 1.0 and true are equal in Python and three different snapshots."""
    assert [dumps(value) for value in (1, 1.0, True, "1")] == ["1\n", "1.0\n", "true\n", '"1"\n']


# --- what is refused


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [{1: 2}]}, "a[0]: a key must be a string, got int 1"),
        ({None: 2}, "$: a key must be a string, got NoneType"),
        ({"a": {True: 1, "b": 2}}, "a: a key must be a string, got bool True"),
        ({b"CANARY": 2}, "$: a key must be a string, got bytes"),
        ({"score": [1.0, math.nan]}, "score[1]: nan is not a JSON number"),
        (-math.inf, "$: -inf is not a JSON number"),
        ({"odd key": math.inf}, '["odd key"]: inf is not a JSON number'),
        ({"at": datetime(2024, 5, 1, tzinfo=UTC)}, "at: datetime.datetime is not a JSON value"),
        ([b"CANARY"], "[0]: bytes is not a JSON value"),
        ([Decimal("1.5")], "[0]: decimal.Decimal is not a JSON value"),
        ({"c": Colour.RED}, f"c: {__name__}.Colour is not a JSON value"),
        ({"m": Model()}, f'm: {__name__}.Model is not a JSON value; compare its .model_dump(mode="json")'),
        ({"r": Row()}, f"r: {__name__}.Row is not a JSON value; compare its dataclasses.asdict(...)"),
        ({"s": {1, 2}}, "s: set is not a JSON value; compare it sorted, as a list"),
        ({"n": 10**5000}, "n: an integer of 16610 bits is too long to be written"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_json_is_refused_with_its_path(value: object, message: str) -> None:
    """Nothing is dropped, cut or turned into something else: the error names the path and the type."""
    with pytest.raises(NotJsonError) as raised:
        dumps(value)

    assert str(raised.value) == message


def test_what_is_99_levels_deep_is_written() -> None:
    """The deepest value allowed is written whole, down to its innermost scalar, and read back."""
    value = nested(MAX_DEPTH)

    assert loads(dumps(value)) == value


@pytest.mark.parametrize("value", [nested(100), nested(99, []), nested(99, {}), nested(500)])
def test_what_is_deeper_is_refused_and_not_cut(value: Any) -> None:
    """From the hundredth level on a difference could not be held, so the value is refused, an empty list there too."""
    with pytest.raises(NotJsonError, match=r"nested deeper than 99 levels$"):
        dumps(value)


def test_a_value_that_holds_itself_is_refused() -> None:
    """A ring of lists is an error with a short path, and ends."""
    ring: list[Any] = []
    ring.append({"next": ring})

    with pytest.raises(NotJsonError) as raised:
        dumps(ring)

    assert str(raised.value) == "[0].next[0].next[0]…: nested deeper than 99 levels"


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}'])
def test_numbers_that_are_none_are_not_read(text: str) -> None:
    """Python's reader takes NaN and infinities; a snapshot file with them is no JSON."""
    with pytest.raises(ValueError, match=r"is not a JSON number$"):
        loads(text)


@pytest.mark.parametrize("text", ["", "{", "{'a': 1}", "[1,]", "<<<<<<< HEAD"])
def test_a_torn_text_is_not_read(text: str) -> None:
    """What is no JSON is a ValueError, an empty file and a conflict of a merge among them."""
    with pytest.raises(ValueError, match="line 1 column"):
        loads(text)


def test_a_key_that_stands_twice_is_an_error_of_the_file() -> None:
    """A merge may leave both lines of a key, of which Python would take the last."""
    with pytest.raises(ValueError, match='the key "n" stands twice in an object'):
        loads('{"a": [{"n": 1, "n": 2}]}')
