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
