"""CSV as spreadsheets write it."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wisebot.cases.documents import CasesError
from pytest_wisebot.cases.rows import Case, Demands, read_rows


def read(tmp_path: Path, data: str | bytes, **demands: Any) -> list[Case]:
    path = tmp_path / "rows.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read_rows(
        path, "rows.csv", Demands(demands.get("fit", lambda _: None), demands.get("needs_expected", False))
    )


def mistakes(tmp_path: Path, data: str | bytes, **demands: Any) -> list[str]:
    with pytest.raises(CasesError) as caught:
        read(tmp_path, data, **demands)
    return str(caught.value).splitlines()


def test_cells_become_inputs_of_the_type_of_their_column(tmp_path: Path) -> None:
    """Without a type a cell is a string, so that leading zeros stay; a typed cell that is empty is left out."""
    found = read(
        tmp_path,
        "id,inputs.no,inputs.amount:number,inputs.n:integer,inputs.ok:boolean,inputs.x:json,inputs.a.b\n"
        'a,007,12.5,3,TRUE,"{""k"": [1, null]}",deep\n'
        "b,,,,,,\n"
        "c, 1 ,-4,0,false,2026,x\n",
    )
    assert [case.inputs for case in found] == [
        {"no": "007", "amount": 12.5, "n": 3, "ok": True, "x": {"k": [1, None]}, "a": {"b": "deep"}},
        {"no": "", "a": {"b": ""}},
        {"no": " 1 ", "amount": -4, "n": 0, "ok": False, "x": 2026, "a": {"b": "x"}},
    ]
    assert type(found[2].inputs["amount"]) is int


def test_the_other_columns_are_the_keys_of_a_row(tmp_path: Path) -> None:
    """Each has its own type; an empty cell gives nothing."""
    first, second = read(
        tmp_path,
        "id;tags;trials;min_passes;api;max_seconds;skip;quarantine;expected.category;expected.n:integer\n"
        "a;slow, money;5;4;both;2.5;not yet;ana until 2030-01-01: known;billing;2\n"
        ";;;;;;false;;;\n",
    )
    assert first.tags == ("slow", "money")
    assert first.options == {
        "trials": 5, "min_passes": 4, "api": "both", "max_seconds": 2.5, "quarantine": "ana until 2030-01-01: known"
    }  # fmt: skip
    assert (first.skip, first.expected) == ("not yet", {"category": "billing", "n": 2})
    assert (second.id, second.options, second.tags, second.skip) == ("case-2", {}, (), False)


SPREADSHEETS = {
    "as is": "{0}",
    "a byte order mark": "\ufeff{0}",
    "empty rows": "{0};;\n;;\n\n\n",
    "Excel's line": "sep=;\n{0}",
}


@pytest.mark.parametrize("form", SPREADSHEETS.values(), ids=SPREADSHEETS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("separator", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
def test_a_spreadsheet_s_file_is_read(tmp_path: Path, form: str, end: str, separator: str) -> None:
    """Whatever program has saved it: the same rows, with quotes and line breaks in cells, and the lines of the file."""
    text = form.format('id;inputs.text;expected\nT-1;"one, ""two""; three\nfour";a\n"T-2";x,y;b\n')
    cells = text.replace("one, ", "one, ").replace(";", separator).replace("sep=" + separator, f"sep={separator}")
    found = read(tmp_path, cells.replace("x,y", '"x,y"').replace("\n", end).encode())
    text_of_first = f'one, "two"{separator} three\nfour'
    assert [(case.id, case.inputs["text"], case.expected) for case in found] == [
        ("T-1", text_of_first, "a"), ("T-2", "x,y", "b")
    ]  # fmt: skip
    first = 3 if form.startswith("sep=") else 2
    assert [case.line for case in found] == [first, first + 2]


def test_the_separator_is_that_of_the_header(tmp_path: Path) -> None:
    """Commas in cells, however many, do not make a table of semicolons one of commas."""
    (case,) = read(tmp_path, "id;inputs.text\na;one, two, three, four\n")
    assert case.inputs == {"text": "one, two, three, four"}


def test_each_wrong_cell_is_one_line_with_its_place(tmp_path: Path) -> None:
    """Line of the file, column, what was expected, and the cell; consequences of it are not listed."""
    found = mistakes(
        tmp_path,
        "id,inputs.text,inputs.amount:number,inputs.n:integer,inputs.ok:boolean,inputs.x:json,trials,min_passes,"
        "api,max_seconds,expected:integer\n"
        'a,"one\ntwo","12,50",1.5,yes,{,zero,2,webhok,0,many\n'
        "b,x,1,1,true,1,2,2,webhook,1,1\n"
        "b,x,NaN,01,1,[1,,,,,1\n",
        needs_expected=True,
    )
    assert [found[0], *sorted(found[1:])] == [
        "rows.csv: 13 mistakes",
        'rows.csv:3: api: expected one of "webhook", "dashboard", "both", got "webhok"',
        "rows.csv:3: expected: expected a whole number such as 12, got \"many\"",
        'rows.csv:3: inputs.amount: expected a number such as 12.5, with a point, got "12,50"',
        'rows.csv:3: inputs.n: expected a whole number such as 12, got "1.5"',
        'rows.csv:3: inputs.ok: expected true or false, got "yes"',
        'rows.csv:3: inputs.x: expected JSON such as {"a": 1}: is not valid JSON at column 2: Expecting property name '
        'enclosed in double quotes, got "{"',
        "rows.csv:3: max_seconds: expected a number above 0, got 0",
        'rows.csv:3: trials: expected a whole number such as 12, got "zero"',
        'rows.csv:5: id: "b" is also the id of the row in line 4',
        'rows.csv:5: inputs.amount: expected a number such as 12.5, got "NaN"',
        'rows.csv:5: inputs.n: expected a whole number such as 12, got "01"',
        'rows.csv:5: inputs.ok: expected true or false, got "1"',
        "rows.csv:5: inputs.x: expected JSON such as {\"a\": 1}: is not valid JSON at column 3: Expecting ',' "
        'delimiter, got "[1"',
    ]  # fmt: skip


@pytest.mark.parametrize("word", ["no", "N", "0", "Nein", "off", "f", "FALSCH", "yes", "1", " no "])
def test_a_word_for_a_boolean_skips_no_row(tmp_path: Path, word: str) -> None:
    """It is neither true nor false, and not taken for a reason; a reason that begins so is one."""
    found = mistakes(tmp_path, f"id,skip,inputs.x\na,{word},1\n")
    assert found == [f'rows.csv:2: skip: expected true, false, or the reason, got "{word}"']
    (case,) = read(tmp_path, "id,skip,inputs.x\na,no answer yet,1\n")
    assert case.skip == "no answer yet"


@pytest.mark.parametrize("kind", ["number", "integer", "json"])
def test_a_number_that_is_too_long_is_told_in_plain_words(tmp_path: Path, kind: str) -> None:
    """Without the name of a function of Python that would change its limit."""
    (found,) = mistakes(tmp_path, f"id,inputs.x:{kind}\na,{'9' * 5000}\n")
    assert found.startswith("rows.csv:2: inputs.x: ")
    assert "a number of 5,000 digits is too long" in found
    assert "sys." not in found


def test_every_wrong_column_is_listed(tmp_path: Path) -> None:
    """Unknown names and types name the right ones."""
    found = mistakes(
        tmp_path,
        "idd,inputs.amount:numbr,amount,inputs,inputs.a,inputs.a.b,trials:json,inputs.a,inputs.,expected.x:int\n",
    )
    assert [line.partition(": ")[2].partition(", ")[0] for line in found[1:]] == [
        'column 1: unknown column "idd"',
        'column 2: unknown type "numbr" of inputs.amount',
        'column 3: unknown column "amount"',
        "column 4: inputs as a whole is JSON: write inputs:json",
        "column 6: inputs.a.b would stand inside of inputs.a",
        'column 7: unknown type "json" of trials',
        "column 8: inputs.a stands there twice",
        'column 9: unknown column "inputs."',
        'column 10: unknown type "int" of expected.x',
    ]
    assert 'did you mean "id"?' in found[1]
    assert 'did you mean "number"? known: number, integer, boolean, json' in found[2]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("", "rows.csv:1: has no header"),
        ("\n\n", "rows.csv:1: has no header"),
        ("id,inputs.a\n", "rows.csv: has no rows"),
        ("id,inputs.a\n,\n", "rows.csv: has no rows"),
        ("id,inputs.a\na,b,c\n", "rows.csv:2: column 3 has no name in the header, got \"c\""),
        ("id,,inputs.a\na,b,c\n", "rows.csv:2: column 2 has no name in the header, got \"b\""),
        ("id,inputs.a\na\n", "rows.csv:2: expected 2 cells, as in the header, got 1"),
        ('id,inputs.a\na,b\nc,"d\n', "rows.csv:3: is not valid CSV"),
        ('id,inputs.a\na,"b"c\n', "rows.csv:2: is not valid CSV"),
        ("id,inputs.a\na,ä\n".encode("cp1252"), "rows.csv:2: the byte 0xe4 is not UTF-8: save it as UTF-8"),
        ("id,inputs.a\na,b\n".encode("utf-16"), "rows.csv:1: is not UTF-8, but UTF-16"),
        ("id,inputs.a\na,b\n".encode("utf-16-le"), "rows.csv:1: is not UTF-8, but UTF-16"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_table_is_one_line(tmp_path: Path, data: str | bytes, problem: str) -> None:
    """Empty files, cells without a column, rows that are too short, open quotes, other encodings."""
    (found,) = mistakes(tmp_path, data)
    assert found.startswith(problem)


def test_columns_and_cells_that_are_empty_at_the_end_are_left_out(tmp_path: Path) -> None:
    """A spreadsheet writes separators for cells that once had something in them."""
    (case,) = read(tmp_path, "id,inputs.a,,\na,b,,,,\n")
    assert case.inputs == {"a": "b"}


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r")), min_size=1))
def test_any_text_survives_its_way_through_a_table(tmp_path_factory: Any, texts: list[str]) -> None:
    """What Python's own writer of CSV puts into a cell arrives as it was."""
    out = io.StringIO(newline="")
    table = csv.writer(out, quoting=csv.QUOTE_ALL)
    table.writerow(["id", "inputs.text"])
    table.writerows([str(number), text] for number, text in enumerate(texts))
    found = read(tmp_path_factory.mktemp("table"), out.getvalue())
    assert [case.inputs["text"] for case in found] == texts
