"""Rows of JSON, JSON lines and YAML, and what is wrong with them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pytest_wisebot.cases.documents import MOST_MISTAKES, CasesError
from pytest_wisebot.cases.rows import MISSING, Demands, read_rows

NO_DEMANDS = Demands(lambda _: None)

ROWS = [
    {"id": "T-1", "inputs": {"n": 1}, "expected": None, "tags": ["a", "b"], "trials": 3, "min_passes": 2},
    {"id": 7, "inputs": {"day": "2026-05-01"}, "expected": [1], "api": "both", "max_seconds": 2, "skip": True},
    {"tags": "c d"},
]


def written(tmp_path: Path, name: str, rows: object = ROWS) -> Path:
    texts = {
        ".jsonl": lambda: "\n\n".join(map(json.dumps, rows)) + "\n",  # type: ignore[call-overload]
        ".json": lambda: json.dumps(rows, indent=2),
        ".yaml": lambda: json.dumps(rows, indent=2),
    }
    path = tmp_path / name
    path.write_text(texts[path.suffix](), "utf-8")
    return path


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.yaml"])
def test_the_same_rows_are_the_same_cases_in_every_format(tmp_path: Path, name: str) -> None:
    """A number is an id, too; without one it is the row's own number."""
    cases = read_rows(written(tmp_path, name), name, NO_DEMANDS)
    assert [case.id for case in cases] == ["T-1", "7", "case-3"]
    assert [case.inputs for case in cases] == [{"n": 1}, {"day": "2026-05-01"}, {}]
    assert [case.expected for case in cases] == [None, [1], MISSING]
    assert [case.tags for case in cases] == [("a", "b"), (), ("c", "d")]
    assert [case.options for case in cases] == [{"trials": 3, "min_passes": 2}, {"api": "both", "max_seconds": 2}, {}]
    assert [case.skip for case in cases] == [False, True, False]


def test_a_row_has_the_line_where_it_begins(tmp_path: Path) -> None:
    """In JSON lines, and in JSON over many lines."""
    assert [one.line for one in read_rows(written(tmp_path, "a.jsonl"), "a", NO_DEMANDS)] == [1, 3, 5]
    lines = written(tmp_path, "a.json").read_text("utf-8").splitlines()
    begins = [number for number, line in enumerate(lines, 1) if line == "  {"]
    assert [one.line for one in read_rows(tmp_path / "a.json", "a", NO_DEMANDS)] == begins


def mistakes(path: Path, demands: Demands = NO_DEMANDS) -> list[str]:
    with pytest.raises(CasesError) as caught:
        read_rows(path, path.name, demands)
    return str(caught.value).splitlines()


def test_every_mistake_is_listed_with_its_line(tmp_path: Path) -> None:
    """Unknown keys name the right ones, and wrong values what was expected."""
    path = tmp_path / "rows.jsonl"
    path.write_text(
        '{"id": "a", "inputs": [1], "expcted": 1}\n{"id": }\n[]\n{"id": "a", "trials": true, "tags": [1]}\n'
        '{"id": "", "api": "web", "max_seconds": 0, "skip": 1, "quarantine": ""}\n{"id": "b", "id": "c"}\n{"x": NaN}\n',
        "utf-8",
    )
    head, *rest = mistakes(path)
    found = [head, *sorted(rest)]
    assert head == "rows.jsonl: 14 mistakes"
    assert found[1].startswith('rows.jsonl:1: expcted: unknown key, did you mean "expected"? known: id, inputs, ')
    assert found[2] == "rows.jsonl:1: inputs: expected a mapping of names to values, got [1]"
    assert found[3] == "rows.jsonl:2: is not valid JSON at column 8: Expecting value"
    assert found[4].startswith("rows.jsonl:3: expected a mapping with the keys id, inputs, ")
    assert (
        found[5:]
        == [
            'rows.jsonl:4: id: "a" is also the id of the row in line 1',
            "rows.jsonl:4: tags: expected a string that is not empty or a list of strings, got [1]",
            "rows.jsonl:4: trials: expected a whole number of at least 1, got true",
            'rows.jsonl:5: api: expected one of "webhook", "dashboard", "both", got "web"',
            'rows.jsonl:5: id: expected a string that is not empty or a whole number, got ""',
            "rows.jsonl:5: max_seconds: expected a number above 0, got 0",
            'rows.jsonl:5: quarantine: expected a string that is not empty, got ""',
            "rows.jsonl:5: skip: expected true or false or a string that is not empty, got 1",
            'rows.jsonl:6: is not valid JSON: the key "id" stands twice in one object',
            "rows.jsonl:7: is not valid JSON: NaN is not a number of JSON",
        ][: len(found) - 5]
    )


@pytest.mark.parametrize(
    "id_", ["a[1]", "a::b", " a", "a\nb", "\u202eabc", "x" * 121, "__init__", "pytest_generate_tests"]
)
def test_an_id_that_cannot_be_a_part_of_a_test_s_is_refused(tmp_path: Path, id_: str) -> None:
    """Brackets, colons, spaces around it, what does not print, and names that pytest uses itself."""
    (found,) = mistakes(written(tmp_path, "rows.json", [{"id": id_}]))
    assert found.startswith("rows.json:3: id: ")


@pytest.mark.parametrize("id_", ["Zürich 3/4", "a.b", "日本", "v1.2 (beta)", "x" * 120, "-1"])
def test_other_ids_stay_as_they_are(tmp_path: Path, id_: str) -> None:
    """Letters of any script, spaces, points and slashes."""
    (case,) = read_rows(written(tmp_path, "rows.json", [{"id": id_}]), "x", NO_DEMANDS)
    assert case.id == id_


def test_a_number_of_a_row_may_not_be_another_s_id(tmp_path: Path) -> None:
    """The id that a row without one gets is held against those that are given."""
    (found,) = mistakes(written(tmp_path, "rows.jsonl", [{"id": "case-2"}, {}]))
    assert found == 'rows.jsonl:3: id: "case-2" is also the id of the row in line 1'


def test_what_the_test_demands_is_part_of_the_check(tmp_path: Path) -> None:
    """Options that do not fit together, and rows without what the test takes, have their lines."""

    def fit(options: dict[str, object]) -> None:
        raise ValueError(f"cannot be: {options}")

    found = mistakes(written(tmp_path, "rows.jsonl", [{"trials": 2}, {"expected": 1}]), Demands(fit, True))
    assert found[1:] == [
        "rows.jsonl:1: cannot be: {'trials': 2}",
        "rows.jsonl:1: the key expected is missing, which the test takes as an argument",
    ]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("a.json", "{}", "a.json:1: expected a list of rows, got {}"),
        ("a.json", "[]", "a.json: has no rows"),
        ("a.jsonl", "", "a.jsonl: has no rows"),
        ("a.yaml", "", "a.yaml:1: expected a list of rows, got null"),
        ("a.json", "[\n{'a': 1}]", "a.json:2: is not valid JSON at column 2"),
        ("a.json", '[\n{"a": 1,\n"a": 2}]', 'a.json:3: the key "a" stands twice'),
        ("a.json", "[1e999]", "a.json:1: is not valid JSON: 1e999 is beyond what a number holds"),
        ("a.json", f"[{'9' * 5000}]", "a.json:1: is not valid JSON: a number of 5,000 digits is too long"),
        ("a.yaml", f"- a: -{'9' * 5000}", "a.yaml:1: a number of 5,000 digits is too long"),
        ("a.json", "[" * 5000, "a.json: is nested too deeply"),
        ("a.txt", "", "a.txt: expected a file named *.jsonl, *.json, *.csv, *.yaml or *.yml"),
    ],
)
def test_a_file_that_has_no_rows_is_one_line(tmp_path: Path, name: str, text: str, problem: str) -> None:
    """Another value, nothing at all, or what is not of its format."""
    (tmp_path / name).write_text(text, "utf-8")
    (found,) = mistakes(tmp_path / name)
    assert found.startswith(problem)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_not_a_regular_file_is_one_line(tmp_path: Path) -> None:
    """A named pipe would be waited for without an end; a folder has no rows."""
    os.mkfifo(tmp_path / "a.csv")
    (tmp_path / "a.json").mkdir()
    for name in ("a.csv", "a.json"):
        assert mistakes(tmp_path / name) == [f"{name}: is not a regular file"]


def test_a_missing_file_names_the_one_that_was_meant(tmp_path: Path) -> None:
    """Of the same format, in the same folder."""
    (tmp_path / "tickets.csv").touch()
    assert mistakes(tmp_path / "ticket.csv") == ["ticket.csv: no such file, did you mean tickets.csv?"]
    assert mistakes(tmp_path / "x.json") == ["x.json: no such file: a path is relative to the file of the test"]


def test_thousands_of_mistakes_are_counted(tmp_path: Path) -> None:
    """A file whose every row is wrong does not flood the screen."""
    found = mistakes(written(tmp_path, "rows.jsonl", [{"x": 1}] * (MOST_MISTAKES + 5)))
    assert (found[0], found[-1]) == (f"rows.jsonl: {MOST_MISTAKES + 5:,} mistakes", "… and 5 more")
    assert len(found) == MOST_MISTAKES + 2
