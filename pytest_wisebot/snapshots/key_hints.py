"""What the name of a key says of the number under it: a moment, a duration, or nothing.

A number alone is never volatile: 1714550400 may be a phone number. Under ``createdAt`` it is a reading of a clock, and
under ``elapsedMs`` a small one is a measurement. What sets a bound (``maxDuration``, ``timeoutMs``) measures
nothing and stays.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from .patterns import EARLIEST, LATEST

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_UNITS = {"ms", "millis", "milliseconds", "msec", "msecs", "s", "sec", "secs", "seconds"}
_UNITS |= {"us", "micros", "microseconds", "ns", "nanos", "nanoseconds"}

_MOMENTS = {"at", "timestamp", "timestamps", "ts", "time", "date", "datetime", "epoch", "when", "now", "since", "until"}
_MOMENTS |= {"expires", "expiry", "expiration", "exp", "iat", "nbf", "mtime", "ctime", "atime", "start", "end"}
_MOMENTS |= {"created", "updated", "modified", "started", "finished", "completed", "ended", "deleted", "seen"}

_DURATIONS = {"duration", "durations", "elapsed", "latency", "latencies", "took", "runtime", "walltime", "uptime"}
_MEASURED_TIMES = {"response", "processing", "execution", "exec", "run", "running", "elapsed", "wall", "cpu", "queue"}
_MEASURED_TIMES |= {"wait", "waiting", "compute", "inference", "generation", "query", "render", "load", "trip"}
_BOUNDS = {
    "max",
    "min",
    "maximum",
    "minimum",
    "limit",
    "expected",
    "planned",
    "target",
    "default",
    "allowed",
    "timeout",
}

_LONGEST = 1e15
"""Above it a number under a key of durations is none: eleven days of nanoseconds."""
_MEASURED_TEXT = re.compile(
    r"(?:\d+[ ]?h[ ]?)?(?:\d+[ ]?m(?:in)?[ ]?)?\d+(?:\.\d+)?[ ]?(?:[nuµm]s|s|sec|secs|seconds?|milliseconds?)"
    r"|PT(?:\d+H)?(?:\d+M)?\d+(?:\.\d+)?S"
)
_EPOCH_TEXT = re.compile(r"\d{10,19}(?:\.\d+)?")
_UUID_TEXT = re.compile(r"[0-9a-f]{32}|[0-9A-F]{32}")
_BY_ITS_VERSION = re.compile(r".{12}[47].{3}[89ab].{15}", re.IGNORECASE)
_SHORTEST = 10
_NO_UUIDS = ("0" * 32, "f" * 32, "F" * 32)


@dataclass(frozen=True)
class KeyHint:
    """What a key's name says of the value under it.

    Attributes:
        moment: a number may be seconds, milliseconds, microseconds or nanoseconds of the epoch.
        milliseconds: the name ends in a unit of milliseconds, so that an epoch in them needs no other word.
        duration: a number may be a measured time.
        uuid: 32 hexadecimal digits may be a UUID, which are a checksum under other names.
        identity: so may those that say by their version that they are one.
    """

    moment: bool = False
    milliseconds: bool = False
    duration: bool = False
    uuid: bool = False
    identity: bool = False

    def kind(self, value: float) -> str | None:
        """The placeholder's name for a number, if it is of the magnitude that the key speaks of."""
        epoch = _epoch(value)
        if epoch is not None and (self.moment or (self.milliseconds and epoch == "epoch-ms")):
            return epoch
        return "duration" if self.duration and 0 <= value < _LONGEST else None

    def measured(self, text: str) -> bool:
        """Whether a text is a measured duration: it has seconds or what is finer ("350 ms", "PT3.2S"), unlike "P3D"."""
        return self.duration and _MEASURED_TEXT.fullmatch(text) is not None

    def kind_of_text(self, text: str) -> str | None:
        """The placeholder's name for a text that has no such shape by itself."""
        if len(text) < _SHORTEST:
            return None
        if (self.moment or self.milliseconds) and _EPOCH_TEXT.fullmatch(text):
            kind = self.kind(float(text) if "." in text else int(text))
            return None if kind == "duration" else kind
        if (self.uuid or self.identity) and _UUID_TEXT.fullmatch(text) and text not in _NO_UUIDS:
            return "uuid" if self.uuid or _BY_ITS_VERSION.fullmatch(text) else None
        return None


NOTHING = KeyHint()
_MEASURED = KeyHint(duration=True)


@lru_cache(maxsize=4096)
def says(key: str) -> KeyHint:
    """What the name of a key says, in whatever way its words are joined (createdAt, created_at, CREATED-AT)."""
    words = [word.lower() for word in _WORDS.findall(key[:200])]
    unit = words.pop() if words and words[-1] in _UNITS else ""
    if unit and words and words[-1] == "in":
        words.pop()
    last = _without_unit(words[-1]) if words else ""
    duration = _says_duration(words, last) and _BOUNDS.isdisjoint(words)
    milliseconds = unit in ("ms", "millis", "milliseconds", "msec", "msecs")
    found = KeyHint(last in _MOMENTS, milliseconds, duration, last in ("uuid", "guid"), last == "id")
    return NOTHING if found == NOTHING else found


def says_of_duration(key: str) -> KeyHint:
    """What a key says within an object that stands under one of durations: ``{"duration": {"ms": 12}}``."""
    return _MEASURED if key.lower() in _UNITS else says(key)


def _without_unit(word: str) -> str:
    """The word of a name that joins its words by nothing: ``durationms``."""
    for ending in ("ms", "millis", "seconds", "secs"):
        if word.removesuffix(ending) in _DURATIONS | {"timestamp", "epoch"}:
            return word.removesuffix(ending)
    return word


def _says_duration(words: list[str], last: str) -> bool:
    if last in _DURATIONS:
        return True
    before = words[-2] if len(words) > 1 else ""
    return (last == "time" and before in _MEASURED_TIMES) or (before == "time" and last in ("taken", "spent"))


def _epoch(value: float) -> str | None:
    for kind, unit in (("epoch", 1), ("epoch-ms", 10**3), ("epoch-us", 10**6), ("epoch-ns", 10**9)):
        if EARLIEST * unit <= value < LATEST * unit:
            return kind
    return None
