"""Reads files of JSON values, each with its line: JSON and JSON lines here, YAML in `yaml_values`, CSV in `tables`."""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from json import scanner
from json.decoder import JSONArray, JSONObject  # type: ignore[attr-defined]
from pathlib import Path
from typing import Any, Final, NoReturn

from ..text import brief, count, escape, json_number

MOST_MISTAKES: Final = 1000
"""Mistakes of one file that are listed before the rest is only counted."""

INSTALL: Final = "pip install pytest-wisebot[cases]"

Steps = tuple[str | int, ...]
"""The way to a value: keys, and places in lists."""

Lines = dict[int, dict[str | int, int]]
"""By the identity of a mapping or list: the line of each of its values."""


class CasesError(Exception):
    """A file of cases is wrong. The message has one line for each mistake, with its place; line 0 is the whole file."""

    def __init__(self, file: str, mistakes: Iterable[tuple[int, str]]) -> None:
        found = sorted(mistakes, key=lambda one: one[0])
        lines = [f"{file}{f':{line}' if line else ''}: {escape(text)}" for line, text in found[:MOST_MISTAKES]]
        if len(found) > 1:
            lines.insert(0, f"{file}: {count(len(found), 'mistake')}")
        if len(found) > MOST_MISTAKES:
            lines.append(f"… and {len(found) - MOST_MISTAKES:,} more")
        super().__init__("\n".join(lines))


class MistakeError(ValueError):
    """What is wrong at a line of a file, which cannot be read further."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(line, text)
        self.line = line
        self.text = text


@dataclass(frozen=True)
class Document:
    """A file's value.

    Attributes:
        value: it consists of JSON's types alone.
        lines: where its parts stand.
        mistakes: what is wrong so far: lines, and words.
        broken: by their identity, the rows with such mistakes, which lack what is wrong.
    """

    value: Any
    lines: Lines = field(default_factory=dict)
    mistakes: list[tuple[int, str]] = field(default_factory=list)
    broken: set[int] = field(default_factory=set)

    def line_of(self, steps: Steps) -> int:
        """The line of a value, or else of the nearest one around it."""
        value, line = self.value, 1
        for step in steps:
            line = self.lines.get(id(value), {}).get(step, line)
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                break
        return line


def read_document(path: Path, readers: Mapping[str, Callable[[str], Document]], shown: str) -> Document:
    """Reads a file by its suffix.

    Raises:
        CasesError: there is no such file, or it cannot be read any further; the message has the place.
    """
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise CasesError(shown, [(0, f"expected a file named {_any_of(f'*{one}' for one in readers)}")])
    if path.exists() and not path.is_file():  # reading a pipe would wait for ever
        raise CasesError(shown, [(0, "is not a regular file")])
    try:
        return reader(_decoded(path.read_bytes()))
    except MistakeError as error:
        raise CasesError(shown, [(error.line, error.text)]) from None
    except RecursionError:
        raise CasesError(shown, [(0, "is nested too deeply")]) from None
    except OSError as error:
        raise CasesError(shown, [(0, _missing(path) or f"cannot be read: {error.strerror}")]) from None


def _any_of(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}"


def _missing(path: Path) -> str:
    if path.exists():
        return ""
    there = [one.name for one in path.parent.iterdir() if one.suffix == path.suffix] if path.parent.is_dir() else []
    near = get_close_matches(path.name, there, n=1)
    return f"no such file{f', did you mean {near[0]}?' if near else ': a path is relative to the file of the test'}"


def _decoded(data: bytes) -> str:
    """The text, with a line feed alone at the end of each line."""
    advice = 'save it as UTF-8 (in a spreadsheet: "CSV UTF-8")'
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:4]:
        raise MistakeError(1, f"is not UTF-8, but UTF-16 or another encoding: {advice}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise MistakeError(line, f"the byte 0x{data[error.start]:02x} is not UTF-8: {advice}") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


# --- JSON


def finite(text: str) -> float:
    """The number of a string with a point or an exponent."""
    value = json_number(text)
    if math.isinf(value):
        raise ValueError(f"{text[:40]} is beyond what a number holds")
    return value


def whole(text: str) -> int:
    """The number of a string of digits; Python has a limit for their number."""
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"a number of {len(text.lstrip('-')):,} digits is too long") from None


def _refused(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


class _Lines(json.JSONDecoder):
    """Decodes JSON, and keeps the line of each value."""

    def __init__(self, text: str) -> None:
        super().__init__(parse_float=finite, parse_int=whole, parse_constant=_refused)
        self.lines: Lines = {}
        self._ends = [found.start() for found in re.finditer("\n", text)]
        self.parse_object = self._object
        self.parse_array = self._array
        self.scan_once = scanner.py_make_scanner(self)  # type: ignore[attr-defined]

    def _object(self, at: Any, strict: bool, scan: Any, _hook: Any, _pairs: Any, memo: Any) -> tuple[Any, int]:
        starts: list[int] = []
        pairs, end = JSONObject(at, strict, _noting(scan, starts), None, list, memo)
        found: dict[str, Any] = {}
        for (key, value), start in zip(pairs, starts, strict=True):
            if key in found:
                raise MistakeError(self.line(start), f"the key {brief(key)} stands twice in one object")
            found[key] = value
        self.lines[id(found)] = {key: self.line(start) for (key, _), start in zip(pairs, starts, strict=True)}
        return found, end

    def _array(self, at: Any, scan: Any) -> tuple[Any, int]:
        starts: list[int] = []
        found, end = JSONArray(at, _noting(scan, starts))
        self.lines[id(found)] = {place: self.line(start) for place, start in enumerate(starts)}
        return found, end

    def line(self, offset: int) -> int:
        """The line of a place in the text, from 1."""
        return bisect_left(self._ends, offset) + 1


def _noting(scan: Callable[[str, int], Any], starts: list[int]) -> Callable[[str, int], Any]:
    def noting(text: str, start: int) -> Any:
        starts.append(start)
        return scan(text, start)

    return noting


def read_json(text: str) -> Document:
    """One JSON value.

    Raises:
        MistakeError: it is not JSON, or gives a key twice.
    """
    decoder = _Lines(text)
    return Document(_decoded_json(decoder, text, 1), decoder.lines)


def _decoded_json(decoder: json.JSONDecoder, text: str, line: int) -> Any:
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as error:
        column = f" at column {error.colno}"
        raise MistakeError(line + error.lineno - 1, f"is not valid JSON{column}: {error.msg}") from None
    except MistakeError:
        raise
    except ValueError as error:  # a number
        raise MistakeError(line, f"is not valid JSON: {error}") from None


def read_json_lines(text: str) -> Document:
    """A list of JSON values, one a line; empty lines are left out. What is wrong with single lines is listed."""
    decoder = json.JSONDecoder(parse_float=finite, parse_int=whole, parse_constant=_refused, object_pairs_hook=_once)
    document = Document([])
    places = document.lines[id(document.value)] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                value = _decoded_json(decoder, line, number)
            except MistakeError as error:
                document.mistakes.append((error.line, error.text))
                continue
            places[len(document.value)] = number
            document.value.append(value)
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {brief(twice)} stands twice in one object")
    return found
