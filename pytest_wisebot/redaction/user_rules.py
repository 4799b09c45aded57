"""What a project redacts of its own, beside the credentials: the ``[redact]`` table of ``wisebot.toml``."""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..originals import time
from .forms import Span
from .jsonpath import Path, Pattern, Wild
from .secret import REDACTED

PARTS: Final = ("result", "error")
"""The parts of an answer from which a path is looked for, before it is from the answer itself."""


@dataclass(frozen=True, slots=True)
class Redact:
    """What is redacted although it is no credential, a customer's e-mail address for instance.

    It is redacted once, when an answer is read: a test sees `REDACTED` itself in its place, a number's and a null's
    included, and so do the recording, the report and the snapshot. What a test sends stays as it is.

    Attributes:
        keys: names of keys, in any letter case: what stands under them is redacted, whatever it is.
        patterns: regular expressions: what they match is redacted, in every text.
        paths: places in a run's answer, such as ``result.customer.email`` or ``items[*].email``.
    """

    keys: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


class UserRules:
    """A project's `Redact`, ready for use."""

    def __init__(self, redact: Redact) -> None:
        self.keys = frozenset(key.casefold() for key in redact.keys)
        self._paths = tuple(Pattern.parse(path) for path in redact.paths)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sets that a later Python may read otherwise
            self.patterns = tuple(re.compile(pattern) for pattern in redact.patterns)

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing at all."""
        return not (self.keys or self._paths or self.patterns)

    def spans(self, text: str) -> Iterator[Span]:
        """Where a pattern matches something."""
        for pattern in self.patterns:
            yield from (found.span() for found in pattern.finditer(text) if found.end() > found.start())

    def without_paths(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """An answer with the values at the paths redacted; what they do not meet is shared, not copied."""
        meant: set[Path] = set()
        for pattern in self._paths:
            meant |= {path for path in pattern.found_in(answer) if path}
            if pattern.steps[:1] != (Wild.DEPTH,):  # which looks into the parts already
                meant |= {(part, *path) for part in PARTS if part in answer for path in pattern.found_in(answer[part])}
        redacted: dict[str, Any] = _redacted(answer, _tree(meant))
        return redacted


def _tree(paths: Iterable[Path]) -> dict[str | int, Any]:
    """The paths as one tree; where a path leads through another's end, the shorter one decides."""
    tree: dict[str | int, Any] = {}
    for path in sorted(paths, key=len, reverse=True):
        place = tree
        for step in path[:-1]:
            place = place.setdefault(step, {})
        place[path[-1]] = {}
    return tree


def _redacted(value: Any, tree: Mapping[str | int, Any]) -> Any:
    """A copy with the ends of the tree redacted."""
    copied: Any = dict(value) if isinstance(value, Mapping) else list(value)
    for step, below in tree.items():
        copied[step] = _redacted(copied[step], below) if below else REDACTED
    return copied


# --- which regular expressions are allowed ---

_LONGEST_TRY: Final = 0.05
_SIZES: Final = range(4, 241)
"""Repetitions, in small steps: what doubles the time with each must be found out before it takes a minute."""

_MOST_TRIES: Final = 12
_REPEATS: Final = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
_OFTEN: Final = 10
_FEW: Final = 6
_ENDINGS: Final = ("\x00", "!")


def checked_pattern(text: object) -> str:
    """``text`` if it is a regular expression that can be used on any text.

    Raises:
        ValueError: it is no text, does not compile, matches the empty text, or takes time beyond reason. The last is
            the best that can be told without a proof.
    """
    if not isinstance(text, str):
        raise ValueError(f"expected a regular expression as a string, got {type(text).__name__}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled = re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{text!r} is not a valid regular expression: {error}") from None
    parsed = _parsed(text)
    if compiled.search("") or (parsed is not None and parsed.getwidth()[0] == 0):
        raise ValueError(f"{text!r} matches the empty string, and so everywhere")
    if parsed is not None and (_repeats_nothing(parsed) or _takes_too_long(_few(text))):
        raise ValueError(f"{text!r} takes time beyond reason: a repetition inside of a repetition matches in many ways")
    return text


def _parsed(text: str) -> Any:
    """The expression in parts; None where this Python does not show them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module("re._parser").parse(text)
    except ImportError:
        return None


def _few(text: str) -> str:
    """The expression with few repetitions where it demands many: ``(a+){60}b`` is endless from 60 letters on."""
    return re.sub(r"\{(\d{2,}|[7-9])(?=,\d*\}|\})", f"{{{_FEW}", text)


def _takes_too_long(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled = re.compile(text)
    except re.error:  # it was another thing that looked like a number of repetitions
        return False
    tries = list(dict.fromkeys(_pumps(_parsed(text), "")))[:_MOST_TRIES]
    return any(_grows(compiled, before, part, ending) for before, part in tries for ending in _ENDINGS)


def _grows(compiled: re.Pattern[str], before: str, part: str, ending: str) -> bool:
    for size in _SIZES:
        text = before + part * size + ending
        # Twice: the machine may have been busy with something else.
        if all(_seconds(compiled, text) > _LONGEST_TRY for _ in range(2)):
            return True
    return False


def _seconds(compiled: re.Pattern[str], text: str) -> float:
    begins = time.perf_counter()
    compiled.search(text)
    return time.perf_counter() - begins


# --- texts that the parts of an expression match -------------------------------------------------------------------


def _repeats_nothing(parsed: Any) -> bool:
    """Whether something that may be empty is repeated often."""
    return any(
        (name in _REPEATS and value[1] > _OFTEN and inner.getwidth()[0] == 0) or _repeats_nothing(inner)
        for name, value in _parts(parsed)
        for inner in _inner(name, value)
    )


def _pumps(parsed: Any, before: str) -> Iterator[tuple[str, str]]:
    """What leads to each repetition, and what it matches once."""
    for name, value in _parts(parsed):
        for inner in _inner(name, value):
            if name in _REPEATS and value[1] > _OFTEN:
                yield from ((before, sample) for sample in _samples(inner) if sample)
            yield from _pumps(inner, before)
        before += next(iter(_samples_of(name, value)), "")


def _parts(parsed: Any) -> Iterator[tuple[str, Any]]:
    return ((str(name), value) for name, value in parsed)


def _inner(name: str, value: Any) -> list[Any]:
    """The expressions inside of a part."""
    if name in _REPEATS:
        return [value[2]]
    if name == "SUBPATTERN":
        return [value[3]]
    if name == "BRANCH":
        return list(value[1])
    return [value] if name == "ATOMIC_GROUP" else []


def _samples(parsed: Any) -> list[str]:
    """A few texts that an expression matches."""
    texts = [""]
    for name, value in _parts(parsed):
        texts = [text + more for text in texts for more in _samples_of(name, value)][:4]
    return texts


def _samples_of(name: str, value: Any) -> list[str]:
    if name == "LITERAL":
        return [chr(value)]
    if name == "ANY":
        return ["a"]
    if name == "NOT_LITERAL":
        return ["b" if value == ord("a") else "a"]
    if name == "IN":
        return [_one_of(value)]
    inner = [sample for item in _inner(name, value) for sample in _samples(item)]
    if name in _REPEATS:
        return [sample * max(1, min(value[0], 20)) for sample in inner]
    return inner or [""]


def _one_of(members: Any) -> str:
    """A character of a class: one of the ordinary ones, where it has such."""
    named = [str(value) for name, value in _parts(members) if str(name) == "CATEGORY"]
    if any("NOT" in str(name) for name, _ in _parts(members)) or "CATEGORY_WORD" in named:
        return "a"
    if "CATEGORY_DIGIT" in named:
        return "1"
    if "CATEGORY_SPACE" in named:
        return " "
    name, value = next(_parts(members))
    return chr(value[0] if name == "RANGE" else value) if name in ("RANGE", "LITERAL") else "a"
