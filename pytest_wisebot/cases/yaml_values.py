"""YAML as JSON's types alone, from the events of PyYAML's parser.

Dates, ``no``, ``0o17`` and ``007`` are strings: only ``true``, ``false``, ``null``, and numbers as JSON writes them are
more. Nothing is constructed, so that a tag does nothing; it is an error. What aliases repeat is bounded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from ..text import brief
from .documents import INSTALL, Document, Lines, MistakeError, finite, whole

MOST_REPEATED: Final = 100_000
"""Values of one file that aliases repeat."""

MOST_DEPTH: Final = 200

_WORDS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_WHOLE: Final = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")

_FIRST: Final = frozenset(["", *"~nNtTfF-0123456789"])
"""How a scalar begins that may be more than a string."""

_NO_KEY: Final[Any] = object()


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not come yet."""

    value: Any
    anchor: str | None
    key: Any = _NO_KEY
    size: int = 1
    lines: dict[str | int, int] = field(default_factory=dict)


def read_yaml(text: str) -> Document:
    """One YAML document.

    Raises:
        MistakeError: it is not YAML, has more than JSON's types, gives a key twice, or repeats too much.
    """
    try:
        import yaml
    except ImportError:
        raise MistakeError(1, f"YAML needs PyYAML, which is not installed: {INSTALL}") from None
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CLoader", yaml.Loader)):  # which makes events alone here
            builder.take(type(event).__name__, event)
    except yaml.MarkedYAMLError as error:
        mark, around = error.problem_mark or error.context_mark, error.context_mark
        line = mark.line + 1 if mark is not None else 1
        begun = f", {error.context} from line {around.line + 1} on" if error.context and around is not None else ""
        raise MistakeError(line, f"is not valid YAML: {error.problem or ''}{begun}") from None
    except yaml.YAMLError as error:
        raise MistakeError(1, f"is not valid YAML: {' '.join(str(error).split())}") from None
    return Document(builder.value, builder.lines)


class _Builder:
    """Makes values of events."""

    def __init__(self) -> None:
        self.value: Any = None
        self.lines: Lines = {}
        self._open: list[_Open] = []
        self._anchored: dict[str, tuple[Any, int]] = {}
        self._repeated = 0
        self._documents = 0

    def take(self, kind: str, event: Any) -> None:
        line = event.start_mark.line + 1
        if kind == "ScalarEvent":
            self._scalar(event, line)
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            self._end()
        elif kind in ("MappingStartEvent", "SequenceStartEvent"):
            _refuse_tag(event.tag, line)
            self._start({} if kind == "MappingStartEvent" else [], event.anchor, line)
        elif kind == "AliasEvent":
            self._alias(event.anchor, line)
        elif kind == "DocumentStartEvent":
            self._documents += 1
            if self._documents > 1:
                raise MistakeError(line, "a second document begins: write one document in a file")

    def _scalar(self, event: Any, line: int) -> None:
        if event.tag is not None:
            _refuse_tag(event.tag, line)
        around = self._open[-1] if self._open else None
        if around is not None and around.key is _NO_KEY and isinstance(around.value, dict):
            self._key(around, event, line)
            return
        value = event.value if event.style else _plain(event.value, line)
        if event.anchor is not None:
            self._anchored[event.anchor] = value, 1
        self._add(value, 1, line)

    def _key(self, around: _Open, event: Any, line: int) -> None:
        if event.value == "<<" and not event.style:
            raise MistakeError(line, "<< would merge a mapping, which JSON does not have: write its keys out")
        if event.value in around.value:
            raise MistakeError(line, f"the key {brief(event.value)} stands twice in one mapping")
        around.key = event.value
        around.lines[event.value] = line

    def _start(self, value: Any, anchor: str | None, line: int) -> None:
        if len(self._open) >= MOST_DEPTH:
            raise MistakeError(line, f"is nested deeper than {MOST_DEPTH} levels")
        self._add(value, 0, line)
        self._open.append(_Open(value, anchor))

    def _end(self) -> None:
        ended = self._open.pop()
        self.lines[id(ended.value)] = ended.lines
        if ended.anchor is not None:
            self._anchored[ended.anchor] = ended.value, ended.size
        if self._open:
            self._open[-1].size += ended.size

    def _alias(self, name: str, line: int) -> None:
        if any(one.anchor == name for one in self._open):
            raise MistakeError(line, f"*{name} stands inside of &{name}, which would never end")
        if name not in self._anchored:
            raise MistakeError(line, f"*{name} refers to nothing: no value before it has the anchor &{name}")
        value, size = self._anchored[name]
        self._repeated += size
        if self._repeated > MOST_REPEATED:
            raise MistakeError(line, f"*{name}: aliases repeat more than {MOST_REPEATED:,} values in this file")
        self._add(value, size, line)

    def _add(self, value: Any, size: int, line: int) -> None:
        if not self._open:
            self.value = value
            return
        around = self._open[-1]
        around.size += size
        if isinstance(around.value, list):
            around.lines[len(around.value)] = line
            around.value.append(value)
        elif around.key is _NO_KEY:
            raise MistakeError(line, "a key is a string: a mapping or a list cannot be one")
        else:
            around.value[around.key] = value
            around.key = _NO_KEY


def _refuse_tag(tag: str | None, line: int) -> None:
    if tag is not None:
        raise MistakeError(line, f"the tag {tag} has no meaning here: values have JSON's types alone")


def _plain(text: str, line: int) -> Any:
    """The value of a scalar without quotes."""
    if text[:1] not in _FIRST:
        return text
    if text in _WORDS:
        return _WORDS[text]
    try:
        if _WHOLE.fullmatch(text):
            return whole(text)
        return finite(text) if _NUMBER.fullmatch(text) else text
    except ValueError as error:
        raise MistakeError(line, str(error)) from None
