"""What a stored snapshot accepts beyond its own text.

A value that is the stored one stays equal, also where it is a clock this time: an appointment at the hour at which
the test runs. A placeholder of an earlier version, which numbered moments and masked those far from the run, accepts
what it stood for. Numbers of ids may then differ, but equal ids stay equal and different ones different.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .json_codec import MAX_DEPTH, dumps
from .moments import FINDS, Nearness, moment_of
from .normalise import Renamed
from .patterns import MOMENTS, SHAPES_OF_IDS

_PLAIN: Final = (str, int, bool, type(None))
_NAMES: Final = r"[a-zA-Z][\w .-]*?"
_PLACEHOLDER: Final = re.compile(rf"<(?P<name>{_NAMES})(?P<days>[+-]\d+d)?(?::(?P<number>\d+))?>")
_NUMBERED_MOMENT: Final = re.compile(rf"<({'|'.join(MOMENTS)}):\d+>")
_GROUP: Final = re.compile(r"\(\?P<\w+>")
_DATED: Final = _GROUP.sub("(?:", FINDS)
_NUMBER: Final = r"\d+(?:\.\d+)?(?:e[+-]?\d+)?"
_MEASURED: Final = rf"{_NUMBER}|PT[\dHM.]+S|[\d.:hmin ]+[ ]?(?:[nuµm]?s|secs?|seconds?|milliseconds?)?"


@dataclass(frozen=True, slots=True)
class Received:
    """A value as it came, and with placeholders.

    Attributes:
        value: the normalised one.
        raw: the same before.
        near: the runs of its test.
    """

    value: Any
    raw: Any
    near: Nearness


@dataclass(slots=True)
class Accepted:
    """A received value, with each part as it is stored that the stored one accepts.

    Attributes:
        value: the value.
        is_earlier: a placeholder of an earlier version accepted a part.
    """

    value: Any = None
    is_earlier: bool = False


def without_numbers(text: str) -> str:
    """The text of a snapshot with the moments of earlier versions as this one writes them."""
    return _NUMBERED_MOMENT.sub(r"<\1>", text)


def accepted(stored: Any, received: Received) -> Accepted:
    """The received value as the stored one accepts it.

    Args:
        stored: the JSON of a snapshot file.
        received: what was compared with it.
    """
    walk = _Walk(received.near)
    value = walk.value(stored, received.value, received.raw, 0)
    return Accepted(received.value) if walk.has_other_ids else Accepted(value, walk.is_earlier)


def reconciled(one: Received, other: Received) -> tuple[Any, Any]:
    """Two received values of which neither is stored: each as the other one accepts it."""
    first = accepted(other.value, one).value
    return first, accepted(first, other).value


class _Walk:
    """Compares a stored value with a received one, side by side."""

    def __init__(self, near: Nearness) -> None:
        self._near = near
        self._received: dict[tuple[str, str], str] = {}
        self._stored: dict[tuple[str, str], str] = {}
        self.is_earlier = False
        self.has_other_ids = False
        """Ids that were equal are not, or the other way round."""

    def value(self, stored: Any, received: Any, raw: Any, depth: int) -> Any:
        kind = type(stored)
        if kind is type(received) and (
            repr(stored) == repr(received)  # -0.0 is not 0.0
            if kind is float
            else kind in _PLAIN and stored == received and (kind is not str or "<" not in stored)
        ):
            return stored  # as most of a large value is
        if depth > MAX_DEPTH:
            return received
        if isinstance(stored, Mapping) and isinstance(received, Mapping) and isinstance(raw, Mapping):
            return self._object(stored, received, raw, depth)
        if isinstance(stored, list) and isinstance(received, list | tuple) and len(stored) == len(received):
            return [self.value(*one, depth + 1) for one in zip(stored, received, raw, strict=True)]
        return stored if self._accepts(stored, received, raw) else received

    def _object(
        self, stored: Mapping[str, Any], received: Mapping[str, Any], raw: Mapping[str, Any], depth: int
    ) -> Any:
        came_as = received.origin if isinstance(received, Renamed) else {}
        left = {key: key for key in received if key in stored}
        for name in [key for key in stored if key not in received] if len(stored) == len(received) else ():
            found = next((key for key in received if key not in stored and self._accepts(name, key, key)), None)
            if found is not None and found not in left:
                left[found] = name
        return {
            left.get(key, key): self.value(stored[left[key]], item, raw[came_as.get(key, key)], depth + 1)
            if key in left
            else item
            for key, item in received.items()
        }

    def _accepts(self, stored: Any, received: Any, raw: Any) -> bool:
        if _is_scalar(stored) and _is_scalar(raw) and dumps(stored) == dumps(raw):
            return True
        if not isinstance(stored, str) or "<" not in stored or isinstance(received, bool) or not _is_scalar(received):
            return isinstance(stored, str) and stored == received
        return self._matches(stored, received if isinstance(received, str) else dumps(received).strip())

    def _matches(self, stored: str, received: str) -> bool:
        """Whether a string with placeholders accepts another string."""
        places = list(_PLACEHOLDER.finditer(stored))
        if not places:
            return stored == received
        pattern, end = "", 0
        for place in places:
            pattern += f"{re.escape(stored[end : place.start()])}({_accepted_by(place)})"
            end = place.end()
        found = re.fullmatch(pattern + re.escape(stored[end:]), received, re.DOTALL)
        if found is None:
            return False
        return all(self._stands_for(*one) for one in zip(places, found.groups(), strict=True))

    def _stands_for(self, place: re.Match[str], text: str) -> bool:
        name, days, number = place["name"], place["days"], place["number"]
        if name in MOMENTS:
            if text == place[0]:
                return True
            if number is None and name == "timestamp":
                return text in self._clock(text, days)
            self.is_earlier = True
            return True
        if number is None:
            return text == place[0]
        self.is_earlier |= text != place[0]
        one_way = self._received.setdefault((name, place[0]), text) == text
        is_same = one_way and self._stored.setdefault((name, text), place[0]) == place[0]
        self.has_other_ids |= not is_same
        return is_same

    def _clock(self, text: str, days: str | None) -> Iterator[str]:
        """The text, if it is a moment that stays at a second zero alone: in another zone, or days away."""
        for day in self._near.days:
            moment = moment_of(text, day)
            if moment is None:
                continue
            if not days and any(self._near.is_near(one, moment.precision) for one in moment.anywhere()):
                yield text
            if days and any(f"{self._near.days_to(one):+}d" == days for one in moment.at_home()):
                yield text


def _accepted_by(place: re.Match[str]) -> str:
    """What a placeholder may stand for, as a regular expression."""
    name, number = place["name"], place["number"]
    same = re.escape(place[0])
    if name == "timestamp":
        return rf"<timestamp(?:[+-]\d+d)?>|{_DATED}" if number else rf"{same}|{_DATED}|[\d:., APMapm]{{8,21}}"
    if name == "duration":
        return rf"<duration>|{same}|{_MEASURED}"
    if name in MOMENTS:
        return rf"<{name}(?:[+-]\d+d)?>|{_NUMBER}" if number else same
    if number is None:
        return same
    return rf"<{re.escape(name)}:\d+>" + (f"|{SHAPES_OF_IDS[name]}" if name in SHAPES_OF_IDS else "")


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)
