"""Rows become cases, of which each is one test. Every mistake of a file is listed at once, with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ..text import brief, show_path
from .documents import CasesError, Document, Steps, read_document, read_json, read_json_lines
from .schemas import ROW, SUITE, Schema, mistakes
from .tables import read_table
from .yaml_values import read_yaml

DATA: Final = {
    ".jsonl": read_json_lines, ".json": read_json, ".csv": read_table, ".yaml": read_yaml, ".yml": read_yaml,
}  # fmt: skip
SUITES: Final = {".yaml": read_yaml, ".yml": read_yaml, ".json": read_json}

OPTIONS: Final = ("trials", "min_passes", "api", "max_seconds", "quarantine")
"""The keys of a row that are arguments of the marker ``wisebot``."""

LONGEST_ID: Final = 120

MISSING: Final[Any] = object()
"""In the place of what a row does not have."""


@dataclass(frozen=True, slots=True)
class Case:
    """One row.

    Attributes:
        id: names the test.
        file: for people.
        line: where the row begins.
        inputs: the input bag.
        expected: what the test takes as an argument; `MISSING` without one.
        expect: what a suite holds the run to.
        options: arguments of the marker.
        tags: words that select the test.
        skip: whether the test is skipped, or the reason.
    """

    id: str
    file: str
    line: int
    inputs: dict[str, Any] = field(default_factory=dict)
    expected: Any = MISSING
    expect: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    skip: bool | str = False

    def __repr__(self) -> str:
        return f"{self.file}:{self.line}: {self.id}"


@dataclass(frozen=True, slots=True)
class Suite:
    """A file of cases that needs no Python."""

    workflow: str
    api: str | None
    cases: list[Case]


def read_rows(path: Path, shown: str) -> list[Case]:
    """The cases of a data file.

    Args:
        path: the file.
        shown: its name for people.

    Raises:
        CasesError: something in it is wrong; the message has each mistake.
    """
    document = read_document(path, DATA, shown)
    rows = document.value
    if not isinstance(rows, list):
        problem = f"expected a list of rows, got {brief(rows, 80)}"
        raise CasesError(shown, [(1, problem)])
    if not rows and not document.mistakes:
        raise CasesError(shown, [(1, "has no rows: a file of cases has at least one")])
    _check(document, {"type": "array", "items": ROW}, rows, (), shown)
    return _cases(rows, document, (), shown)


def read_suite(path: Path, shown: str) -> Suite:
    """The suite of a file; as `read_rows`."""
    from .expectations import mistakes_of_expect

    document = read_document(path, SUITES, shown)
    rows = document.value.get("cases") if isinstance(document.value, dict) else None
    rows = rows if isinstance(rows, list) else []
    for place, row in enumerate(rows):
        if isinstance(row, dict) and next(mistakes(SUITE["properties"]["cases"]["items"], row), None) is None:
            found = mistakes_of_expect(row.get("expect", {}), ("cases", place, "expect"))
            document.mistakes.extend(_placed(document, found, ("cases",)))
    _check(document, SUITE, rows, ("cases",), shown)
    value = document.value
    return Suite(value["workflow"], value.get("api"), _cases(rows, document, ("cases",), shown))


def _check(document: Document, schema: Schema, rows: list[Any], around: Steps, shown: str) -> None:
    found = [*document.mistakes, *_placed(document, mistakes(schema, document.value), around)]
    found += _placed(document, _mistakes_of_ids(rows, around, document), around)
    if found:
        raise CasesError(shown, found)


def _placed(document: Document, found: Iterator[tuple[Steps, str]], around: Steps) -> Iterator[tuple[int, str]]:
    """Mistakes with their lines; that of a row shows the way from the row on."""
    for steps, text in found:
        is_of_row = steps[: len(around)] == around and len(steps) > len(around)
        inside = steps[len(around) + 1 :] if is_of_row else steps
        yield document.line_of(steps), f"{show_path(inside)}: {text}" if inside else text


def _mistakes_of_ids(rows: list[Any], around: Steps, document: Document) -> Iterator[tuple[Steps, str]]:
    seen: dict[str, Steps] = {}
    for place, row in enumerate(rows):
        if not isinstance(row, dict):
            continue
        given, steps = row.get("id"), (*around, place, "id")
        if isinstance(given, str) and given.strip() and (problem := _wrong_id(given)):
            yield steps, f"{brief(given, 80)} {problem}"
        name = str(given) if given is not None else _numbered(place)
        if (first := seen.setdefault(name, steps)) is not steps:
            yield steps, f"{brief(name, 80)} is also the id of the row in line {document.line_of(first[:-1])}"


def _wrong_id(text: str) -> str:
    """What is wrong with an id, which is a part of the test's own; empty if nothing is."""
    if not text.isprintable() or text != text.strip():
        return "has spaces around it, or characters that do not print"
    if found := re.search(r"::|[\[\]]", text):
        return f"has {found[0]}, by which pytest finds the parts of a test's name"
    if text.startswith(("__", "pytest")):
        return f"begins with {text[:6] if text.startswith('pytest') else '__'}: such names are those of Python and pytest"
    return f"is longer than {LONGEST_ID} characters" if len(text) > LONGEST_ID else ""


def _numbered(place: int) -> str:
    return f"case-{place + 1}"


def _cases(rows: list[dict[str, Any]], document: Document, around: Steps, shown: str) -> list[Case]:
    return [
        Case(
            id=str(row["id"]) if row.get("id") is not None else _numbered(place),
            file=shown,
            line=document.line_of((*around, place)),
            inputs=row.get("inputs", {}),
            expected=row.get("expected", MISSING),
            expect=row.get("expect", {}),
            options={key: row[key] for key in OPTIONS if key in row},
            tags=_tags(row.get("tags", ())),
            skip=row.get("skip", False),
        )
        for place, row in enumerate(rows)
    ]


def _tags(given: str | list[str] | tuple[()]) -> tuple[str, ...]:
    """A string has tags with commas or spaces between them, as a cell of a table."""
    texts = [given] if isinstance(given, str) else given
    return tuple(tag for text in texts for tag in re.split(r"[\s,;]+", text) if tag)
