"""Rows become cases, of which each is one test. Every mistake of a file is listed at once, with its line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ..text import brief, show_path
from .documents import CasesError, Document, Steps, read_document, read_json, read_json_lines
from .schemas import ROW, SUITE, Schema, fits, mistakes
from .tables import read_table
from .yaml_values import read_yaml

DATA: Final = {
    ".jsonl": read_json_lines, ".json": read_json, ".csv": read_table, ".yaml": read_yaml, ".yml": read_yaml,
}  # fmt: skip
SUITES: Final = {".yaml": read_yaml, ".yml": read_yaml, ".json": read_json}

OPTIONS: Final[tuple[str, ...]] = ("trials", "min_passes", "api", "max_seconds", "quarantine")
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
    options: dict[str, Any] = field(default_factory=dict)
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


@dataclass(frozen=True, slots=True)
class Demands:
    """What a test adds to the check of its rows.

    Attributes:
        fit: raises TypeError or ValueError where a row's options do not fit the marker's.
        needs_expected: the test takes ``expected``.
    """

    fit: Callable[[dict[str, Any]], object]
    needs_expected: bool = False


def read_rows(path: Path, shown: str, demands: Demands) -> list[Case]:
    """The cases of a data file.

    Args:
        path: the file.
        shown: its name for people.
        demands: what the test adds to the check.

    Raises:
        CasesError: something in it is wrong; the message has each mistake.
    """
    document = read_document(path, DATA, shown)
    rows = document.value
    if not isinstance(rows, list):
        problem = f"expected a list of rows, got {brief(rows, 80)}"
        raise CasesError(shown, [(1, problem)])
    if not rows and not document.mistakes:
        raise CasesError(shown, [(0, "has no rows: a file of cases has at least one")])
    _check(_Rows(document, (), rows, demands), {"type": "array", "items": ROW}, shown)
    return _cases(rows, document, (), shown)


def read_suite(path: Path, shown: str, fit: Callable[[dict[str, Any]], object]) -> Suite:
    """The suite of a file.

    Args:
        path: the file.
        shown: its name for people.
        fit: raises TypeError or ValueError where the options of a case do not fit together.

    Raises:
        CasesError: something in it is wrong; the message has each mistake.
    """
    document = read_document(path, SUITES, shown)
    value = document.value if isinstance(document.value, dict) else {}
    rows = value.get("cases")
    demands = Demands(fit)
    _check(_Rows(document, ("cases",), rows if isinstance(rows, list) else [], demands), SUITE, shown)
    return Suite(value["workflow"], value.get("api"), _cases(value["cases"], document, ("cases",), shown))


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a document, and the way to them."""

    document: Document
    around: Steps
    rows: list[Any]
    demands: Demands

    def placed(self, found: Iterable[tuple[Steps, str]]) -> Iterator[tuple[int, str]]:
        """Mistakes with their lines; that of a row shows the way from the row on."""
        for steps, text in found:
            is_of_row = steps[: len(self.around)] == self.around and len(steps) > len(self.around)
            inside = steps[len(self.around) + 1 :] if is_of_row else steps
            yield self.document.line_of(steps), f"{show_path(inside)}: {text}" if inside else text

    def mistakes(self) -> Iterator[tuple[Steps, str]]:
        """What no schema finds."""
        yield from self._mistakes_of_ids()
        for place, row in enumerate(self.rows):
            if isinstance(row, dict) and id(row) not in self.document.broken:
                steps = (*self.around, place)
                yield from self._mistakes_of_options(row, steps)
                if self.demands.needs_expected and "expected" not in row:
                    yield steps, "the key expected is missing, which the test takes as an argument"
                if isinstance(row.get("expect"), dict):
                    from .expectations import mistakes_of_expect

                    yield from mistakes_of_expect(row["expect"], (*steps, "expect"))

    def _mistakes_of_options(self, row: dict[str, Any], steps: Steps) -> Iterator[tuple[Steps, str]]:
        options = {key: row[key] for key in OPTIONS if key in row}
        if not options or not all(fits(ROW["properties"][key], value) for key, value in options.items()):
            return
        try:
            self.demands.fit(options)
        except (TypeError, ValueError) as error:
            yield steps, str(error)

    def _mistakes_of_ids(self) -> Iterator[tuple[Steps, str]]:
        seen: dict[str, Steps] = {}
        for place, row in enumerate(self.rows):
            if not isinstance(row, dict):
                continue
            given, steps = row.get("id"), (*self.around, place, "id")
            if isinstance(given, str) and given.strip() and (problem := _wrong_id(given)):
                yield steps, f"{brief(given, 80)} {problem}"
            name = str(given) if given is not None else _numbered(place)
            if (first := seen.setdefault(name, steps)) is not steps:
                line = self.document.line_of(first[:-1])
                yield steps, f"{brief(name, 80)} is also the id of the row in line {line}"


def _check(rows: _Rows, schema: Schema, shown: str) -> None:
    document = rows.document
    found = [*mistakes(schema, document.value), *rows.mistakes()]
    if found or document.mistakes:
        raise CasesError(shown, [*document.mistakes, *rows.placed(found)])


def _wrong_id(text: str) -> str:
    """What is wrong with an id, which is a part of the test's own; empty if nothing is."""
    if not text.isprintable() or text != text.strip():
        return "has spaces around it, or characters that do not print"
    if found := re.search(r"::|[\[\]]", text):
        return f"has {found[0]}, by which pytest finds the parts of a test's name"
    if text.startswith(("__", "pytest")):
        return "begins with __ or pytest, as names do that Python and pytest use themselves"
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
