"""What a failed comparison shows: the changed paths, rows and words alone, bounded, harmless, and in no time."""

from __future__ import annotations

import copy
import itertools
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wisebot.snapshots.diff import diff_lines
from pytest_wisebot.snapshots.json_codec import dumps

TICKETS = [
    {"id": f"T-{number}", "category": ("billing", "shipping", "other")[number % 3], "score": number / 10}
    for number in range(8)
]
PARAGRAPH = "The customer was charged twice in March and wants the second payment back as soon as possible. "


def shown(expected: Any, received: Any, **options: Any) -> str:
    return "\n".join(diff_lines(expected, received, **options))


def lines(*text: str) -> str:
    return "\n".join(text)


# --- values and keys


def test_equal_values_show_nothing() -> None:
    """Nothing is said where nothing changed, whatever the order of the keys."""
    assert diff_lines({"a": [1, {"b": None}], "c": "x"}, {"c": "x", "a": [1, {"b": None}]}) == []


def test_a_changed_value_is_shown_under_its_path() -> None:
    """Path, what was expected, what was received, and which row it is in; its neighbours are not shown."""
    received = copy.deepcopy(TICKETS)
    received[2]["score"] = 0.51
    assert shown({"result": {"items": TICKETS}}, {"result": {"items": received}}) == lines(
        'result.items[2].score   (id "T-2")',
        "  - 0.2",
        "  + 0.51",
    )


def test_the_whole_value_has_a_path_too() -> None:
    """A value without keys or rows is ``$``."""
    assert shown(1, None) == lines("$", "  - 1", "  + null")


@pytest.mark.parametrize(
    ("expected", "received", "as_shown"),
    [
        (1, "1", ["a   (int, now str)", "  - 1", '  + "1"']),
        (1, 1.0, ["a   (int, now float)", "  - 1", "  + 1.0"]),
        (1, True, ["a   (int, now bool)", "  - 1", "  + true"]),
        (0.0, -0.0, ["a", "  - 0.0", "  + -0.0"]),
        ([], {}, ["a", "  - []", "  + {}"]),
        ("", None, ["a", '  - ""', "  + null"]),
        ({"b": 1}, [1], ["a", '  - {"b": 1}', "  + [1]"]),
    ],
)
def test_values_of_another_kind_are_other_values(expected: Any, received: Any, as_shown: list[str]) -> None:
    """What Python holds for equal, JSON may not: the kinds are named where they are easily overlooked."""
    assert diff_lines({"a": expected}, {"a": received}) == as_shown


def test_a_key_that_is_new_or_gone_is_no_null() -> None:
    """Absent and null are two things, and the words say which it is."""
    assert shown({"gone": None, "was": None}, {"new": None, "was": 1}) == lines(
        "gone: key removed",
        "  - null",
        "new: key added",
        "  + null",
        "was",
        "  - null",
        "  + 1",
    )


def test_a_renamed_key_is_shown_as_such() -> None:
    """The same value under another name is not shown twice; a number that happens to be there again is no rename."""
    answer = {"text": "yes", "sources": [1, 2]}
    assert shown({"a": {"answer": answer, "n": 1}}, {"a": {"reply": answer, "m": 1}}) == lines(
        "a.reply: key renamed, its value is the same",
        '  - "answer"',
        '  + "reply"',
        "a.m: key added",
        "  + 1",
        "a.n: key removed",
        "  - 1",
    )


def test_odd_keys_are_quoted() -> None:
    """A path can be copied into a rule, and a key does no harm."""
    assert shown({"a b": {"\u202e": 1}}, {"a b": {"\u202e": 2}}) == lines(r'["a b"]["\u202e"]', "  - 1", "  + 2")


# --- rows


def test_inserted_and_removed_rows_are_shown_as_such() -> None:
    """One row more at the head is one row more, not a change of all the others; a changed row is still that row."""
    received = copy.deepcopy(TICKETS)
    received[2]["score"] = 0.51
    del received[5]
    received.insert(0, {"id": "T-99", "category": "new", "score": 0})
    assert shown({"items": TICKETS}, {"items": received}) == lines(
        "items: 1 row removed, 1 row added",
        '  + [0] {"id": "T-99", "category": "new", "score": 0}',
        '  - [5] {"id": "T-5", "category": "other", "score": 0.5}',
        'items[3].score   (id "T-2"; was items[2].score)',
        "  - 0.2",
        "  + 0.51",
    )


def test_moved_rows_are_shown_as_such() -> None:
    """Rows in another order are neither new nor gone."""
    received = [TICKETS[7], *TICKETS[:7]]
    assert shown({"items": TICKETS}, {"items": received}) == lines(
        "items: 1 row moved",
        '  ~ [7] -> [0] {"id": "T-7", "category": "shipping", "score": 0.7}',
    )


def test_a_moved_row_that_changed_is_still_that_row() -> None:
    """It is known by its id, wherever it stands."""
    received = [{**TICKETS[7], "score": 1}, *TICKETS[:7]]
    assert shown(TICKETS, received) == lines(
        '[0].score   (id "T-7"; was [7].score; float, now int)', "  - 0.7", "  + 1"
    )


def test_the_id_of_a_row_says_more_than_all_its_values() -> None:
    """Two rows that have exchanged their values are two changed rows, not two that have moved and changed their ids."""
    expected = [{"id": 1, "a": "x", "b": "y"}, {"id": 2, "a": "z", "b": "w"}, {"id": 3, "a": "u", "b": "v"}]
    received = [{"id": 2, "a": "x", "b": "y"}, {"id": 3, "a": "u", "b": "v"}, {"id": 1, "a": "z", "b": "w"}]
    assert [line for line in diff_lines(expected, received) if not line.startswith("  ")] == [
        "[0].a   (id 2; was [1].a)",
        "[0].b   (id 2; was [1].b)",
        "[2].a   (id 1; was [0].a)",
        "[2].b   (id 1; was [0].b)",
    ]


def test_a_row_with_nothing_in_common_is_another_row() -> None:
    """A replaced row is shown whole, not as so many changed paths."""
    received = [*TICKETS[:3], {"id": "T-9", "category": "new", "score": 7}, *TICKETS[4:]]
    assert shown(TICKETS, received) == lines(
        "$: 1 row removed, 1 row added",
        '  - [3] {"id": "T-3", "category": "billing", "score": 0.3}',
        '  + [3] {"id": "T-9", "category": "new", "score": 7}',
    )


def test_equal_rows_are_counted() -> None:
    """Of rows that are there several times, the missing one is missing once."""
    assert shown([{"a": 1}] * 4, [{"a": 1}] * 3) == lines("$: 1 row removed", '  - [3] {"a": 1}')


def test_a_list_of_plain_values() -> None:
    """Words and numbers in a list are items; a few changed ones have their paths, many stand together."""
    assert shown(["a", "b", "c"], ["b", "c", "d"]) == lines(
        "$: 1 item removed, 1 item added", '  - [0] "a"', '  + [2] "d"'
    )
    assert shown([1, 2, 3], [3, 1, 2]) == lines("$: 1 item moved", "  ~ [2] -> [0] 3")
    assert shown([1, 2, 3], [1, 5, 3]) == lines("[1]", "  - 2", "  + 5")
    assert shown([1, 2, 3, 4, 5], [1, 9, 9, 9, 9]) == lines(
        "$: 4 items changed",
        *(line for at in range(1, 5) for line in (f"  - [{at}] {at + 1}", f"  + [{at}] 9")),
    )


def test_rows_that_would_look_the_same_are_told_apart() -> None:
    """Long rows are cut so that one sees where they differ."""
    expected = [{"text": "x" * 150, "more": [{"deep": {"deeper": ["a", "b", "c"]}}]}]
    received = [{"text": "x" * 150, "more": [{"deep": {"deeper": ["d", "e", "f"]}}]}]
    for one, other in ((expected, received), ([*expected, 1], [2, *received])):
        minus = {line.split("]", 1)[-1] for line in diff_lines(one, other) if line.startswith("  - ")}
        plus = {line.split("]", 1)[-1] for line in diff_lines(one, other) if line.startswith("  + ")}
        assert minus
        assert not minus & plus


# --- placeholders


def numbered(start: int, names: range) -> list[dict[str, str]]:
    return [
        {"id": f"<uuid:{number}>", "at": f"<timestamp:{number}>", "text": f"row {name}"}
        for number, name in enumerate(names, start)
    ]


def test_other_numbers_of_placeholders_are_no_changes() -> None:
    """A row more at the head gives new numbers to all placeholders behind it: that is one line, not eighty."""
    received = [{"id": "<uuid:1>", "at": "<timestamp:1>", "text": "new"}, *numbered(2, range(40))]
    assert shown(numbered(1, range(40)), received) == lines(
        "$: 1 row added",
        '  + [0] {"id": "<uuid:1>", "at": "<timestamp:1>", "text": "new"}',
        "80 values are the same but for the number of a placeholder: <timestamp:1> is now <timestamp:2>, "
        "<uuid:1> is now <uuid:2>, <timestamp:2> is now <timestamp:3>, …",
    )


def test_placeholders_of_the_project_are_placeholders() -> None:
    """They have whatever name it gave them, and may stand inside of a text."""
    assert shown([{"n": "order <Order No.:1>"}], [{"n": "new"}, {"n": "order <Order No.:2>"}]) == lines(
        "$: 1 row added",
        '  + [0] {"n": "new"}',
        "1 value is the same but for the number of a placeholder: <Order No.:1> is now <Order No.:2>",
    )


def test_a_reference_to_another_row_is_a_change() -> None:
    """The numbers keep identity: one that stands for two others is shown."""
    ids = ["<uuid:1>", "<uuid:2>"]
    assert shown({"ids": ids, "of": "<uuid:1>"}, {"ids": ids, "of": "<uuid:2>"}) == lines(
        "of", '  - "<uuid:1>"', '  + "<uuid:2>"'
    )


def test_rows_that_changed_places_have_moved_whatever_their_numbers() -> None:
    """Two rows in another order are shown though the numbers in them follow the order."""
    expected, received = numbered(1, range(2)), numbered(1, range(1, -1, -1))
    assert diff_lines(expected, received)[0] == "$: 1 row moved"


def scored(*names: str, by: int = 0) -> list[dict[str, Any]]:
    return [
        {"id": f"<uuid:{number}>", "name": name, "note": f"paid for {name}", "score": len(name) + by}
        for number, name in enumerate(names, 1)
    ]


def test_the_number_of_a_placeholder_tells_no_row() -> None:
    """Rows with fresh ids that moved up and changed as well are still the same rows."""
    names = ["one", "two", "three", "four"]
    assert shown(scored(*names), scored(*names[1:], "five", by=1)) == lines(
        "$: 1 row removed, 1 row added",
        '  - [0] {"id": "<uuid:1>", "name": "one", "note": "paid for one", "score": 3}',
        '  + [3] {"id": "<uuid:4>", "name": "five", "note": "paid for five", "score": 5}',
        *('[0].score   (name "two"; was [1].score)', "  - 3", "  + 4"),
        *('[1].score   (name "three"; was [2].score)', "  - 5", "  + 6"),
        *('[2].score   (name "four"; was [3].score)', "  - 4", "  + 5"),
        "3 values are the same but for the number of a placeholder: <uuid:2> is now <uuid:1>, "
        "<uuid:3> is now <uuid:2>, <uuid:4> is now <uuid:3>",
    )


def test_the_number_of_a_placeholder_speaks_for_no_pair_of_rows() -> None:
    """Rows that are much alike are told apart by what they alone have, and not by the order of their ids."""
    expected, received = ([{**row, "kind": "a", "unit": "x"} for row in rows] for rows in _of_labels())
    changed = shown(expected, received)
    assert lines("[0].score   (was [1].score)", "  - 2", "  + 11") in changed
    assert lines("[1].score   (was [2].score)", "  - 3", "  + 12") in changed


def _of_labels() -> Iterator[list[dict[str, Any]]]:
    for labels, by in ((["one", "two", "three"], 0), (["two", "three", "four"], 10)):
        yield [{"id": f"<uuid:{at}>", "label": label, "score": at + by} for at, label in enumerate(labels, 1)]


def test_rows_that_share_placeholders_are_alike_whatever_their_numbers() -> None:
    """A row of which but one value is no placeholder has changed there, and is no other row."""
    expected = [{"of": "<uuid:1>", "at": "<timestamp:1>", "n": 1}, {"k": 1}]
    received = [{"of": "<uuid:5>", "at": "<timestamp:5>", "n": 2}, {"k": 1}]
    assert shown(expected, received).startswith(lines("[0].n", "  - 1", "  + 2"))


# --- texts


def test_long_texts_are_shown_by_their_changed_words() -> None:
    """A few words around each change, the changed ones marked, and how many they are."""
    expected = PARAGRAPH * 4
    received = expected.replace("charged", "billed", 1).replace("back as soon as possible. The", "back. The", 1)
    assert shown({"summary": expected}, {"summary": received}) == lines(
        "summary   (6 of 68 words differ)",
        '  "The customer was [-charged-]{+billed+} twice in March and wants …',
        "  … and wants the second payment [-back as soon as possible.-]{+back.+} The customer was charged twice …",
    )


def test_a_sign_at_the_beginning_of_a_text_is_no_sign_of_the_diff() -> None:
    """The caller colours lines by their first character."""
    [_, line] = diff_lines("- item " + PARAGRAPH, "- point " + PARAGRAPH)
    assert line == '  "- [-item-]{+point+} The customer was charged twice …'


def test_texts_of_several_lines_are_shown_by_lines_then_words() -> None:
    """Lines that are new or gone are shown whole, changed ones by their words."""
    expected = ["# Report", "", PARAGRAPH.strip(), "one", "last"]
    received = ["# Report", "", PARAGRAPH.strip().replace("twice", "once"), "last", "more"]
    assert shown("\n".join(expected), "\n".join(received)) == lines(
        "$   (2 of 5 lines differ)",
        '  line 3: "The customer was charged [-twice-]{+once+} in March and wants the …',
        '  - line 4: "one"',
        '  + line 5: "more"',
    )


def test_codes_are_shown_around_the_change() -> None:
    """What has no words is cut to the characters that differ, with their number."""
    expected, received = "A" * 500 + "x" + "B" * 500, "A" * 500 + "yy" + "B" * 500
    header, minus, plus = diff_lines(expected, received)
    assert header == "$   (from character 501 on; 1,001 characters, now 1,002)"
    assert minus.startswith('  - "…AAA')
    assert "AxB" in minus
    assert "AyyB" in plus


def test_a_long_code_among_words_is_cut_down_to_the_change() -> None:
    """A long address is not shown twice for one character of it."""
    [_, line] = diff_lines(f"{PARAGRAPH}see {'a' * 90}1{'b' * 90}", f"{PARAGRAPH}see {'a' * 90}2{'b' * 90}")
    assert "a[-1-]{+2+}b" in line
    assert len(line) < 120


def test_what_does_not_print_is_escaped() -> None:
    """Control characters, right-to-left marks and lone surrogates can neither change a terminal nor hide."""
    assert shown("a\x1b[2J\u202eb\x00", 'a\ud800\U000e0001\u2028"\\') == lines(
        "$", r'  - "a\u001b[2J\u202eb\u0000"', r'  + "a\ud800\udb40\udc01\u2028\"\\"'
    )


def test_texts_that_print_alike_are_shown_in_ascii() -> None:
    """An accent that is written in another way is a difference, and can be seen."""
    assert shown("caf\u00e9", "cafe\u0301") == lines("$", r'  - "caf\u00e9"', r'  + "cafe\u0301"')


# --- rules


def test_a_broken_rule_stands_beside_the_value() -> None:
    """The rule is what was expected, without quotes; what broke it says so."""
    expected = {"summary": "IsStr(min_length=40)", "n": 3, "same": "x"}
    received = {"summary": "too short", "n": 5, "same": "x"}
    broken = {("summary",): "IsStr(min_length=40)", ("n",): "IsInt(lt=4)", ("same",): "IsUUID()"}
    assert shown(expected, received, broken=broken) == lines(
        "n",
        "  - 3",
        "  + 5   (breaks IsInt(lt=4))",
        "same",
        '  + "x"   (breaks IsUUID())',
        "summary",
        "  - IsStr(min_length=40)",
        '  + "too short"   (breaks IsStr(min_length=40))',
    )


def test_a_rule_broken_inside_of_a_new_row_is_shown() -> None:
    """Nor is it lost in a new key, or in a value that a rule was given for as a whole."""
    received = {"rows": [{"s": 0.8}, {"s": 9}], "tags": ["a"]}
    broken = {("rows", 1, "s"): "IsApprox(0.8)", ("tags",): "IsList(length=2)"}
    assert shown({"rows": [{"s": 0.8}], "tags": ["a"]}, received, broken=broken) == lines(
        "rows: 1 row added",
        '  + [1] {"s": 9}',
        "tags",
        '  + ["a"]   (breaks IsList(length=2))',
        "rows[1].s",
        "  + 9   (breaks IsApprox(0.8))",
    )


# --- bounds


def test_what_does_not_fit_is_counted() -> None:
    """At most 60 lines, and one that counts the rest."""
    expected = {"items": [{"id": at, "score": at} for at in range(500)]}
    received = {"items": [{"id": at, "score": -at - 1} for at in range(500)]}
    found = diff_lines(expected, received)
    assert len(found) == 61
    assert found[:3] == ["items[0].score   (id 0)", "  - 0", "  + -1"]
    assert found[-1] == "... and 480 more changed paths (-vv shows all)"


def test_no_kind_of_change_hides_the_others() -> None:
    """A few of five hundred equal paths are shown before the rest of them, so that the one that matters is seen."""
    expected = {"items": [{"id": at, "score": at} for at in range(500)], "ok": True, "rows": []}
    received = {"items": [{"id": at, "score": -at - 1} for at in range(500)], "ok": False, "rows": TICKETS * 50}
    found = diff_lines(expected, received)
    assert len(found) <= 61
    assert found[found.index("ok") :][:4] == ["ok", "  - true", "  + false", "rows: 400 rows added"]


def test_on_vv_nothing_is_cut() -> None:
    """Texts stand whole under their changed words, rows over as many lines as they need, and all of them."""
    row = {"id": 1, "note": "x" * 300}
    found = diff_lines({"rows": [], "text": PARAGRAPH * 9}, {"rows": [row] * 80, "text": PARAGRAPH * 8}, whole=True)
    assert found[:5] == [
        "rows: 80 rows added",
        "  + [0] {",
        '  +   "id": 1,',
        f'  +   "note": "{"x" * 300}"',
        "  + }",
    ]
    assert len(found) == 1 + 80 * 4 + 4
    assert found[-2:] == [f'  - "{PARAGRAPH * 9}"', f'  + "{PARAGRAPH * 8}"']


def test_one_line_where_one_is_asked_for() -> None:
    """Even where nothing fits, the changes are counted."""
    assert diff_lines({"a": 1, "b": 1}, {"a": 2, "b": 2}, most=0) == ["... and 2 more changed paths (-vv shows all)"]
    assert diff_lines({"a": 1}, {"a": 2}, most=2) == ["... and 1 more changed path (-vv shows all)"]
    assert diff_lines("<uuid:1>", "<uuid:2>", most=0) == [
        "1 value is the same but for the number of a placeholder: <uuid:1> is now <uuid:2>"
    ]


# --- whatever comes

PLACEHOLDERS = st.builds("<uuid:{}>".format, st.integers(1, 4))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats()
    | st.sampled_from(
        ["", "a", "b", "\ud800", "\u202e", PARAGRAPH * 2, PARAGRAPH + "b", "x\ny" * 30, "e\u0301", "\u00e9"]
    )
    | PLACEHOLDERS
    | st.text(max_size=200)
)
KEYS = st.sampled_from(["id", "name", "a", "b", "a b", "é"]) | st.text(max_size=3)
VALUES = st.recursive(
    SCALARS, lambda inside: st.lists(inside, max_size=9) | st.dictionaries(KEYS, inside, max_size=5), max_leaves=40
)
ROWS = st.lists(st.sampled_from([*TICKETS, *({**row, "score": 9} for row in TICKETS), *numbered(1, range(3)), 1, "a"]))


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@given(VALUES, VALUES, st.integers(0, 70))
def test_different_values_show_at_least_one_line_and_never_too_many(expected: Any, received: Any, most: int) -> None:
    """For any two values: lines if and only if they differ, bounded in number and width, all of them printable."""
    found = diff_lines(expected, received, most=most)
    assert bool(found) is (canonical(expected) != canonical(received))
    assert len(found) <= most + 1
    assert all(len(line) <= 200 and line.isprintable() for line in found)
    assert found == diff_lines(copy.deepcopy(expected), copy.deepcopy(received), most=most)


@given(ROWS, ROWS)
def test_lists_of_rows_differ_where_they_differ(expected: list[Any], received: list[Any]) -> None:
    """The same for rows, which are paired, moved and renumbered; and for these ``-vv`` says it too."""
    differ = canonical(expected) != canonical(received)
    assert bool(diff_lines(expected, received)) is differ
    assert bool(diff_lines(expected, received, whole=True)) is differ


@given(VALUES, VALUES)
def test_a_value_is_never_shown_like_its_counterpart(expected: Any, received: Any) -> None:
    """Where one value stands against another, their lines are not the same."""
    found = diff_lines(expected, received)
    for minus, plus in itertools.pairwise(found):
        if minus.startswith("  - ") and plus.startswith("  + ") and not minus.startswith("  - ["):  # no rows
            assert minus[4:] != plus[4:]


@given(VALUES)
def test_all_is_shown_of_a_value_that_takes_the_place_of_nothing(value: Any) -> None:
    """A value is not changed by showing it, and what JSON can hold can be shown."""
    text = canonical(value)
    assert diff_lines({}, {"a": value}, whole=True)[0] == "a: key added"
    assert canonical(value) == text


# --- speed

N = 26_000
"""So many rows are 5 MB."""


def rows(number: int) -> list[dict[str, Any]]:
    chance = random.Random(7)
    return [
        {
            "id": f"T-{number}",
            "category": chance.choice(["billing", "shipping", "other"]),
            "score": round(chance.random(), 4),
            "n": chance.randrange(10_000),
            "tags": ["a", "b", chance.choice("xyz")],
            "note": "the customer was charged " + chance.choice("abcdef") * 30,
            "at": "2024-05-01T12:00:00Z",
        }
        for number in range(number)
    ]


def nested(value: Any, depth: int) -> Any:
    for level in range(depth):
        value = {"a": value} if level % 2 else [level, value]
    return value


def shuffled(items: list[Any]) -> list[Any]:
    return random.Random(8).sample(items, len(items))


def shifted(items: list[int]) -> list[int]:
    chance, items = random.Random(9), list(items)
    for _ in range(200):
        items.insert(chance.randrange(len(items)), -1)
        del items[chance.randrange(len(items))]
    return items


BIG: dict[str, Callable[[int], tuple[Any, Any]]] = {
    "all rows differ": lambda n: (rows(n), [{**row, "score": row["score"] + 1} for row in rows(n)]),
    "a row inserted at the head": lambda n: (rows(n), [{"id": "new"}, *rows(n)]),
    "a permutation": lambda n: (rows(n), shuffled(rows(n))),
    "a permutation of rows with fresh ids, all of them changed": lambda n: (
        [{**row, "id": f"<uuid:{at}>", "name": f"row {row['id']}"} for at, row in enumerate(rows(n))],
        [
            {**row, "id": f"<uuid:{at}>", "name": f"row {row['id']}", "score": row["score"] + 1}
            for at, row in enumerate(shuffled(rows(n)))
        ],
    ),
    "nothing in common": lambda n: (rows(n), [{"k": number, "l": -number} for number in range(n)]),
    "an object of rows under other keys": lambda n: (
        {str(at): row for at, row in enumerate(rows(n))},
        {f"k{at}": row for at, row in enumerate(rows(n))},
    ),
    "one long code": lambda n: ("ab" * (96 * n), "ab" * (48 * n) + "!" + "ba" * (48 * n)),
    "one long text": lambda n: (PARAGRAPH * (2 * n), "First. " + PARAGRAPH * (2 * n) + "Last."),
    "deep nesting": lambda n: (nested(rows(n), 96), nested([*rows(n), 1], 96)),
    "numbers, shifted": lambda n: (list(range(19 * n)), shifted(list(range(19 * n)))),
    "numbers of a few, shifted": lambda n: (
        [at * at % 977 for at in range(19 * n)],
        shifted([at * at % 977 for at in range(19 * n)]),
    ),
}


def steps(expected: Any, received: Any) -> tuple[int, list[str]]:
    """How many lines of Python a comparison takes, and what it shows."""
    taken, before = 0, sys.gettrace()

    def count(*_: object) -> Any:
        nonlocal taken
        taken += 1
        return count

    sys.settrace(count)
    try:
        found = diff_lines(expected, received)
    finally:
        sys.settrace(before)
    return taken, found


@pytest.mark.parametrize("case", BIG)
def test_what_is_four_times_as_large_takes_four_times_as_long(case: str) -> None:
    """Whatever changed, the work grows with the values and not with their square, and what is shown is bounded."""
    number = 60 if case == "deep nesting" else 250  # each level is written out: that is not counted, and takes long
    few, _ = steps(*BIG[case](number))
    many, found = steps(*BIG[case](4 * number))
    assert 0 < few < many < 5 * few
    assert 0 < len(found) <= 61


@pytest.mark.heavy
@pytest.mark.slow
@pytest.mark.parametrize("case", BIG)
def test_megabytes_take_no_time(case: str) -> None:
    """5 MB, whatever changed in them: bounded output, and seconds rather than minutes."""
    expected, received = BIG[case](N)
    began = time.process_time()
    found = diff_lines(expected, received)
    assert time.process_time() - began < 10
    assert 0 < len(found) <= 61


def test_the_values_of_the_tests_are_large() -> None:
    """The rows are what they are meant to be: about 5 MB as a snapshot."""
    assert 5_000_000 < len(dumps(rows(N // 100))) * 100 < 10_000_000
