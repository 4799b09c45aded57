"""Rows of a CSV file, as spreadsheets write them: any of their separators, quotes, line breaks in cells, empty rows."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..text import brief
from .documents import Document, MistakeError, finite, read_json, whole
from .schemas import ROW

SEPARATORS: Final = (",", ";", "\t")

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LEFT_OUT: Final[Any] = object()

_LIKE_BOOLEANS: Final = {
    "no", "n", "0", "off", "f", "none", "null", "nein", "falsch", "falso", "faux", "non",
    "yes", "y", "1", "on", "t", "ja", "j", "wahr", "vero", "verdadero", "vrai", "oui", "si",
}  # fmt: skip
"""What people, and spreadsheets of other languages, write for false and true."""


def _number(text: str) -> int | float:
    if not _NUMBER.fullmatch(text):
        hint = ", with a point" if re.fullmatch(r"-?[0-9]+,[0-9]+", text) else ""
        raise ValueError(f"expected a number such as 12.5{hint}")
    return finite(text) if re.search("[.eE]", text) else _integer(text)


def _integer(text: str) -> int:
    if not re.fullmatch("-?(?:0|[1-9][0-9]*)", text):
        raise ValueError("expected a whole number such as 12")
    return whole(text)


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("expected true or false")
    return text.lower() == "true"


def _json(text: str) -> Any:
    try:
        return read_json(text).value
    except (MistakeError, RecursionError) as error:
        reason = error.text if isinstance(error, MistakeError) else "is nested too deeply"
        raise ValueError(f'expected JSON such as {{"a": 1}}: {reason}') from None


def _skip(text: str) -> bool | str:
    word = text.lower()
    if word in _LIKE_BOOLEANS:  # as a reason, "no" would skip the row
        raise ValueError("expected true, false, or the reason")
    return word == "true" if word in ("true", "false") else text


TYPES: Final[Mapping[str, Callable[[str], Any]]] = {
    "number": _number, "integer": _integer, "boolean": _boolean, "json": _json,
}  # fmt: skip
"""What a column's header may name behind a colon. An empty cell of such a column is left out."""

_KEYS: Final[Mapping[str, Callable[[str], Any]]] = {
    "id": str, "tags": str, "trials": _integer, "min_passes": _integer, "api": str, "max_seconds": _number,
    "skip": _skip, "quarantine": str,
}  # fmt: skip
"""The columns that are not values of inputs or of what is expected. An empty cell is left out."""


@dataclass(frozen=True, slots=True)
class _Column:
    """A column: its name without its type, the keys that lead to its value, and what makes the value of a cell."""

    name: str
    steps: tuple[str, ...]
    read: Callable[[str], Any]
    is_text: bool

    def value(self, cell: str) -> Any:
        """The value of a cell.

        Raises:
            ValueError: it has another form; the message names the form that was expected, and the cell.
        """
        if self.is_text:
            return cell
        if not cell.strip():
            return _LEFT_OUT
        try:
            return self.read(cell.strip())
        except ValueError as error:
            raise ValueError(f"{error}, got {brief(cell, 80)}") from None


def read_table(text: str) -> Document:
    """A list of rows. What is wrong with single cells is listed.

    Raises:
        MistakeError: the header is wrong, or the file is not CSV.
    """
    rows = _rows(text)
    document = Document([])
    at, header = next(rows, (1, []))
    if not any(name.strip() for name in header):
        raise MistakeError(1, "has no header: the first row names the columns, as in id,inputs.message,expected")
    columns = _columns(header, at, document)
    if document.mistakes:
        return document
    places = document.lines[id(document.value)] = {}
    for line, cells in rows:
        places[len(document.value)] = line
        document.value.append(_row(columns, cells, line, document))
    return document


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not empty, each with its first line."""
    first, begins = text.split("\n", 1)[0], 0
    if named := re.fullmatch("sep=(.)", first):  # Excel's own line, which is not a row
        separator, text, begins = named[1], text.partition("\n")[2], 1
    else:
        bare = re.sub('"[^"]*"?', "", first)  # of values that stand in quotes
        separator = max(SEPARATORS, key=bare.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = begins + 1
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                yield line, cells
            line = begins + reader.line_num + 1
    except csv.Error as error:
        raise MistakeError(line, f"is not valid CSV: {error}, in the row that begins here") from None


def _columns(header: list[str], line: int, document: Document) -> list[_Column | None]:
    """The columns; None for one without a name."""
    found: list[_Column | None] = []
    for place, title in enumerate(map(str.strip, header), 1):
        try:
            column = _column(title) if title else None
            if column is not None:
                _check_beside(column, [one for one in found if one is not None])
        except ValueError as error:
            document.mistakes.append((line, f"column {place}: {error}"))
            column = None
        found.append(column)
    return found


def _column(title: str) -> _Column:
    name, colon, kind = map(str.strip, title.partition(":"))
    head, *rest = steps = name.split(".")
    is_value = head in ("inputs", "expected")
    if not all(steps) or head not in ROW["properties"] or (rest and not is_value):
        raise ValueError(_unknown(name))
    if colon and (kind not in TYPES if is_value else TYPES.get(kind) is not _KEYS[head]):
        from ..settings.checks import nearest_of_all

        known = nearest_of_all(kind, TYPES) if is_value else f"{head} takes no type"
        raise ValueError(f"unknown type {brief(kind)} of {name}, {known}")
    if head == "inputs" and not rest and kind != "json":
        raise ValueError("inputs as a whole is JSON: write inputs:json, or a column inputs.NAME for each input")
    read = TYPES[kind] if colon else str if is_value else _KEYS[head]
    return _Column(name, tuple(steps), read, is_value and not colon)


def _unknown(name: str) -> str:
    from ..settings.checks import nearest_of_all

    keys = ["id", "inputs.NAME", "expected", "expected.NAME", *(key for key in _KEYS if key != "id")]
    return f"unknown column {brief(name)}, {nearest_of_all(name, keys)}; an input is a column inputs.NAME"


def _check_beside(column: _Column, others: list[_Column]) -> None:
    for other in others:
        if other.steps == column.steps:
            raise ValueError(f"{column.name} stands there twice")
        shorter, longer = sorted((other, column), key=lambda one: len(one.steps))
        if longer.steps[: len(shorter.steps)] == shorter.steps:
            raise ValueError(f"{longer.name} would stand inside of {shorter.name}, which is a value")


def _row(columns: list[_Column | None], cells: list[str], line: int, document: Document) -> dict[str, Any]:
    row: dict[str, Any] = {}
    lines = document.lines[id(row)] = {}
    for place, cell in enumerate(cells):
        column = columns[place] if place < len(columns) else None
        if column is not None:
            try:
                value = column.value(cell)
            except ValueError as error:
                document.mistakes.append((line, f"{column.name}: {error}"))
                document.broken.add(id(row))
                value = _LEFT_OUT
            if value is not _LEFT_OUT:
                _put(row, column.steps, value)
                lines.setdefault(column.steps[0], line)
        elif cell.strip():
            problem = f"column {place + 1} has no name in the header, got {brief(cell, 80)}"
            document.mistakes.append((line, problem))
        line += cell.count("\n")
    if len(cells) < len(columns):
        problem = f"expected {len(columns)} cells, as in the header, got {len(cells)}"
        document.mistakes.append((line, problem))
    return row


def _put(row: dict[str, Any], steps: tuple[str, ...], value: Any) -> None:
    for step in steps[:-1]:
        row = row.setdefault(step, {})
    row[steps[-1]] = value
