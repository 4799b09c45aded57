"""What differs from run to run: by its shape, whole or within a text, and by what the key above a value says.

A shape is taken only where hardly anything else can have it. Clock readings (ULIDs, timestamps, epochs) count from 2010
to 2099 alone: what lies outside is a sentinel ("9999-12-31T23:59:59Z") or a date of birth. A date without a
time is business data, since no clock gives one and due dates, invoices and birthdays have no other form. So is a date
with hours and minutes in prose ("2024-05-01 10:30"): clocks that write a space there write seconds too.

A number alone is never volatile: 1714550400 may be a phone number. Under ``createdAt`` it is a reading of a clock, and
under ``elapsedMs`` a small one is a measurement. What sets a bound (``maxDuration``, ``timeoutMs``) measures nothing
and stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

EARLIEST = 1_262_304_000
"""2010-01-01 in seconds of the epoch, before which a number is no reading of a clock."""
LATEST = 4_102_444_800
"""2100-01-01, from which on it is none either."""

BUILT_IN = (
    *("uuid", "ulid", "timestamp", "url", "epoch", "epoch-ms", "epoch-us", "epoch-ns", "duration", "run-id"),
    "traceparent",
)
"""The names of placeholders that this package gives."""
MASKS = ("secret", "redacted")
"""The names that redaction leaves in the place of what it took out."""

# --- the shapes

_DAY = r"(?:0[1-9]|[12]\d|3[01])"
_MONTH = r"(?:0[1-9]|1[0-2])"
_HOUR_MINUTE = r"(?:[01]\d|2[0-3]):[0-5]\d"
_SECOND = r":(?:[0-5]\d|60)(?:[.,]\d+)?"
_YEAR = r"20[1-9]\d"
_ZONE = r"(?:[Zz]|[+-]\d\d(?::?\d\d)?|[ ](?:UTC|GMT|[+-]\d\d:?\d\d))"
_DAYNAME = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTHNAME = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_ZONENAME = r"(?:GMT|UTC?|Z|[ECMP][SD]T|BST|[CEW]ES?T|[+-]\d{4})"

_TIMESTAMPS = (
    rf"{_YEAR}-{_MONTH}-{_DAY}[Tt]{_HOUR_MINUTE}(?:{_SECOND})?{_ZONE}?",  # ISO 8601, RFC 3339
    rf"{_YEAR}-{_MONTH}-{_DAY}[ ]{_HOUR_MINUTE}{_SECOND}{_ZONE}?",  # the same for people, and Python's str()
    rf"{_YEAR}{_MONTH}{_DAY}T(?:[01]\d|2[0-3])[0-5]\d[0-6]\d(?:\.\d+)?(?:Z|[+-]\d{{4}})?",  # ISO 8601, basic
    rf"(?:{_DAYNAME},[ ])?\d{{1,2}}[ ]{_MONTHNAME}[ ]{_YEAR}[ ]{_HOUR_MINUTE}"
    rf"(?:{_SECOND}(?:[ ]{_ZONENAME})?|[ ]{_ZONENAME})",  # RFC 5322 (e-mail), RFC 9110 (HTTP)
    rf"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day,[ ]\d\d-{_MONTHNAME}-\d\d[ ]{_HOUR_MINUTE}{_SECOND}[ ]GMT",  # RFC 850
    rf"{_DAYNAME}[ ]{_MONTHNAME}[ ][ \d]\d[ ]{_HOUR_MINUTE}{_SECOND}[ ](?:{_ZONENAME}[ ])?{_YEAR}",  # asctime, date
    rf"{_DAYNAME}[ ]{_MONTHNAME}[ ]\d\d[ ]{_YEAR}[ ]{_HOUR_MINUTE}{_SECOND}[ ]GMT[+-]\d{{4}}(?:[ ]\([\w ]+\))?",  # JS
)
_UUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
# The first ten characters are milliseconds in base 32, which in our years begin with 01, 02 or 03; a number of 26
# digits may begin so too, and `is_volatile` sorts it out. In small letters only as a whole, or behind a prefix as in
# TypeIDs.
_ULID = r"0[1-3][0-9A-HJKMNP-TV-Z]{24}|(?<![^_])0[1-3][0-9a-hjkmnp-tv-z]{24}(?!.)"
# The header of W3C trace context, which an error of this package names, too.
_TRACEPARENT = r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"
_AFTER_URL = ".,;:!?)]}"


def scanner(names: tuple[str, ...], *, urls: bool) -> re.Pattern[str]:
    """What finds placeholders of these names and volatile shapes in a text, each as a group of its kind's name.

    Placeholders are the group ``placeholder``: found first, so that nothing inside of one is taken for something else.
    URLs make the search slower, and most texts hold none.
    """
    known = rf"<(?:{'|'.join(map(re.escape, names))})(?::\d+)?>"
    link = rf"""(?P<url>[A-Za-z][A-Za-z0-9+.-]{{0,15}}://(?>(?:[^\s"'`<>]++|{known})+))|"""
    shapes = rf"(?P<uuid>{_UUID})|(?P<timestamp>{'|'.join(_TIMESTAMPS)})|(?P<ulid>{_ULID})"
    shapes = rf"{shapes}|(?P<traceparent>{_TRACEPARENT})"
    return re.compile(
        rf"(?P<placeholder>{known})|(?<![0-9A-Za-z])(?:{link if urls else ''}(?:{shapes})(?![0-9A-Za-z]))", re.DOTALL
    )


def may_hold(text: str) -> bool:
    """Whether a text could hold a volatile shape: a cheap look that spares most texts the search."""
    if len(text) < 15:  # a basic timestamp; all other shapes but URLs are longer
        return "://" in text
    return ":" in text or text.count("-") >= 4 or "T" in text or "0" in text


def is_volatile(kind: str, text: str) -> bool:
    """Whether a text of this kind's shape is what it looks like."""
    check = _CHECKS.get(kind)
    return check is None or check(text)


def without_stop(url: str) -> str:
    """A URL without the full stop, comma or bracket that ends the sentence around it."""
    return url.rstrip(_AFTER_URL)


def identity(kind: str, text: str) -> str:
    """What two spellings of one value have in common: the case of UUIDs and ULIDs says nothing."""
    return text.lower() if kind in ("uuid", "ulid") else text


def _is_uuid(text: str) -> bool:
    """The nil and the max UUID stand for no value, and are the same in each run."""
    return text.strip("0-") != "" and text.strip("fF-") != ""


_CROCKFORD = str.maketrans("JKMNPQRSTVWXYZ", "IJKLMNOPQRSTUV")
"""From Crockford's base 32, which leaves out I, L, O and U, to that of Python."""


def _is_ulid(text: str) -> bool:
    milliseconds = int(text[:10].upper().translate(_CROCKFORD), 32)
    return EARLIEST <= milliseconds / 1000 < LATEST and not text.isdigit()


# --- URLs that are good for a time or for one reader only

_AUTHORITY = re.compile(r"[^:]+://(?P<user>[^\s/?#@:]*)(?P<password>:[^\s/?#@]*)?@")
_PARAMETER = re.compile(r"[?#&;]([^=?#&;]{1,80})=(?=[^&#;])")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SIGNING = {"signature", "sig", "sign", "signed", "token", "jwt", "hmac", "nonce", "credential", "secret", "password"}
_SIGNING |= {"apikey", "authkey", "accesskey", "accesstoken", "idtoken", "authtoken", "sas"}
_SIGNING_PAIRS = {("api", "key"), ("access", "key"), ("auth", "key")}
_LONG_USER = 20  # a token in the place of a user; git@ and the like are shorter


def _is_signed(url: str) -> bool:
    """Whether a URL carries a signature or a token in its user part, its query or its fragment."""
    if not ("?" in url or "#" in url or "@" in url):
        return False
    user = _AUTHORITY.match(url)
    if user and (user["password"] or len(user["user"]) >= _LONG_USER):
        return True
    return any(_signs(name) for name in _PARAMETER.findall(url))


def _signs(parameter: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(parameter)]
    return not _SIGNING.isdisjoint(words) or not _SIGNING_PAIRS.isdisjoint(pairwise(words))


_CHECKS: dict[str, Callable[[str], bool]] = {"uuid": _is_uuid, "ulid": _is_ulid, "url": _is_signed}


# --- what the name of a key says of the value under it

_UNITS = {"ms", "millis", "milliseconds", "msec", "msecs", "s", "sec", "secs", "seconds"}
_UNITS |= {"us", "micros", "microseconds", "ns", "nanos", "nanoseconds"}

_MOMENTS = {"at", "timestamp", "timestamps", "ts", "time", "date", "datetime", "epoch", "when", "now", "since", "until"}
_MOMENTS |= {"expires", "expiry", "expiration", "exp", "iat", "nbf", "mtime", "ctime", "atime", "start", "end"}
_MOMENTS |= {"created", "updated", "modified", "started", "finished", "completed", "ended", "deleted", "seen"}

_DURATIONS = {"duration", "durations", "elapsed", "latency", "latencies", "took", "runtime", "walltime", "uptime"}
_MEASURED_TIMES = {"response", "processing", "execution", "exec", "run", "running", "elapsed", "wall", "cpu", "queue"}
_MEASURED_TIMES |= {"wait", "waiting", "compute", "inference", "generation", "query", "render", "load", "trip"}
_BOUNDS = {"max", "min", "maximum", "minimum", "limit", "expected", "planned", "target", "default", "allowed"}
_BOUNDS |= {"timeout"}

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
