"""The answer to a run on the wire: bytes in, a checked `Envelope` out.

Wisebot documents four keys, ``ok``, ``runId``, ``result`` and ``error``, and neither the types of the last three nor
that there are no more. So this is liberal in what it accepts: an envelope is a JSON object with a boolean ``ok``.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from .originals import json
from .runs import MAX_DEPTH
from .text import json_number

KEYS: Final = frozenset({"ok", "runId", "result", "error"})

_STRUCTURE: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
"""A string, also one that never ends, or a bracket."""


_LONGEST_KEY: Final = 60


class NoEnvelopeError(ValueError):
    """The bytes are not an envelope; the message gives the reason, in words that follow "the answer …"."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A run's answer.

    Attributes:
        run_id: the ``runId`` as text; another type than text is kept in ``extra``, too.
        has_result: whether the key ``result`` was there at all.
        extra: what came beyond the four documented keys.
    """

    ok: bool
    run_id: str | None = None
    result: Any = None
    error: Any = None
    has_result: bool = False
    extra: dict[str, Any] = field(default_factory=dict)


def parse(body: bytes) -> Envelope:
    """The envelope in an answer's body.

    Raises:
        NoEnvelopeError: it is empty, not UTF-8, not JSON (which NaN, infinities and ``1e400``, which becomes one, are
            not), has a key twice in one object, is nested deeper than `MAX_DEPTH` levels, or of another shape.
    """
    data = _load(body)
    if not isinstance(data, dict):
        raise NoEnvelopeError(f"is JSON, but no object: {type(data).__name__}")
    if type(data.get("ok")) is not bool:
        raise NoEnvelopeError('is a JSON object without a boolean "ok"')
    extra = {key: value for key, value in data.items() if key not in KEYS}
    run_id = data.get("runId")
    if run_id is not None and not isinstance(run_id, str):
        extra["runId"] = run_id
        run_id = json.dumps(run_id)
    return Envelope(data["ok"], run_id, data.get("result"), data.get("error"), "result" in data, extra)


def _load(body: bytes) -> Any:
    if not body.strip():
        raise NoEnvelopeError("is empty")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NoEnvelopeError(f"is not UTF-8 text (byte {error.start})") from None
    if _depth(text) > MAX_DEPTH:
        raise NoEnvelopeError(f"is nested deeper than {MAX_DEPTH} levels")
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise NoEnvelopeError(f"is not valid JSON ({error.msg}, line {error.lineno} column {error.colno})") from None
    except NoEnvelopeError:
        raise
    except ValueError:  # an integer of more digits than Python converts
        raise NoEnvelopeError("has a number that is too long") from None


def _refuse(constant: str) -> NoReturn:
    raise NoEnvelopeError(f"is not valid JSON: {constant} is not a JSON number")


def _finite(text: str) -> float:
    value = json_number(text)
    if math.isinf(value):
        raise NoEnvelopeError(f"has the number {text[:20]}, which is beyond what a float holds")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        named = f"the key {json.dumps(twice)}" if len(twice) <= _LONGEST_KEY else "a key"
        raise NoEnvelopeError(f"gives {named} twice in one object, of which a reader would see one value alone")
    return found


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_object)


def _depth(text: str) -> int:
    """How deeply brackets nest outside of strings, before a parser whose recursion a deep text would exhaust."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return 0
    deepest = depth = 0
    for token in _STRUCTURE.finditer(text):
        character = token.group()[0]
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
            if deepest > MAX_DEPTH:  # enough is known, and the loop that all runs share waits
                break
        elif character in "]}":
            depth -= 1
    return deepest
