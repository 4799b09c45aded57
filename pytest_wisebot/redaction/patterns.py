"""Regular expressions of the project's own: which are taken, and why another is refused.

Python's `re` cannot be stopped, and an expression like ``(a+)+b`` takes years for a line of text that almost matches.
Whether one is like that is tried out here: on texts that its own parts would match over and over, short ones first.
"""

from __future__ import annotations

import importlib
import re
import time
import warnings
from collections.abc import Iterator
from typing import Any, Final

_LONGEST_TRY: Final = 0.05
_SIZES: Final = (*range(4, 41, 2), 120, 240)
"""Repetitions. What doubles the time with each is found among the first, what cubes it among the last."""

_MOST_TRIES: Final = 24
_ENDINGS: Final = ("\x00", "!")


def checked_pattern(text: object) -> str:
    """``text`` if it is a regular expression that can be used on any text.

    Raises:
        ValueError: it is no text, does not compile, matches the empty text, or takes time beyond reason. The last is
            the best that can be told without a proof.
    """
    if not isinstance(text, str):
        raise ValueError(f"expected a regular expression as a text, got {type(text).__name__}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled = re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from None
    parsed = _parsed(text)
    if compiled.search("") or (parsed is not None and parsed.getwidth()[0] == 0):
        raise ValueError(f"{text!r} matches the empty text, and so everywhere")
    if parsed is not None and _takes_too_long(compiled, parsed):
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


def _takes_too_long(compiled: re.Pattern[str], parsed: Any) -> bool:
    tries = list(dict.fromkeys(_pumps(parsed, "")))[:_MOST_TRIES]
    return any(_grows(compiled, before, part, ending) for before, part in tries for ending in _ENDINGS)


def _grows(compiled: re.Pattern[str], before: str, part: str, ending: str) -> bool:
    for size in _SIZES:
        text = before + part * size + ending
        # The fastest of three: the machine may have been busy with something else.
        if all(_seconds(compiled, text) > _LONGEST_TRY for _ in range(3)):
            return True
    return False


def _seconds(compiled: re.Pattern[str], text: str) -> float:
    begins = time.perf_counter()
    compiled.search(text)
    return time.perf_counter() - begins


# --- texts that the parts of an expression match -------------------------------------------------------------------


def _pumps(parsed: Any, before: str) -> Iterator[tuple[str, str]]:
    """What leads to each repetition, and what it matches once."""
    for name, value in _parts(parsed):
        for inner in _inner(name, value):
            if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT") and value[1] > 10:
                yield from ((before, sample) for sample in _samples(inner) if sample)
            yield from _pumps(inner, before)
        before += next(iter(_samples_of(name, value)), "")


def _parts(parsed: Any) -> Iterator[tuple[str, Any]]:
    return ((str(name), value) for name, value in parsed)


def _inner(name: str, value: Any) -> list[Any]:
    """The expressions inside of a part."""
    if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
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
    if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
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
