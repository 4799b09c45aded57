"""Values that differ from run to run: by shape, whole or within a string, and by the key above a value.

A shape is taken only where hardly anything else can have it. What carries a moment (timestamps, epochs, ULIDs,
ObjectIds, some UUIDs) is volatile if that moment is near the run (`moments`); any other one is an answer. What a key
says is a hint: the value must be able to be what the key speaks of. What sets a bound (``maxDuration``, ``timeoutMs``)
measures nothing and stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from .moments import FINDS, UNITS

BUILT_IN = (
    *("uuid", "ulid", "ksuid", "objectid", "snowflake", "timestamp", "url", "duration", "run-id", "traceparent"),
    *("token", "nonce", "cookie", "session-id", "trace-id", "request-id", "relative-time", *UNITS),
)
"""The names of placeholders that this package gives."""
MOMENTS = ("timestamp", "relative-time", "duration", *UNITS)
"""Those of them that have no number: two readings of a clock are equal in one run and differ in the next."""
MASKS = ("secret", "redacted")
"""The names that redaction leaves in the place of what it took out."""

# --- the shapes

_UUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
# The first ten characters are milliseconds in base 32, which in our years begin with 01, 02 or 03. In small letters
# only as a whole, or behind a prefix as in TypeIDs.
_ULID = r"0[1-3][0-9A-HJKMNP-TV-Z]{24}|(?<![^_])0[1-3][0-9a-hjkmnp-tv-z]{24}(?!.)"
# The header of W3C trace context, which an error of this package names, too.
_TRACEPARENT = r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"
# A JSON web token: its first two parts are JSON objects in base 64.
_TOKEN = r"eyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,}"
SHAPES_OF_IDS = {"uuid": rf"{_UUID}|[0-9A-Fa-f]{{32}}", "ulid": rf"(?i:{_ULID.partition('|')[0]})"}
"""What a placeholder of an id may stand for that is masked near the run alone."""
_AGO = r"[ ](?:second|sec|minute|min)s?[ ]ago"
_COUNT = r"(?:an?|one|a[ ]few|a[ ]couple[ ]of|several|\d{1,3})"
_MINUTES = r"[ ](?:seg|segundo|minuto|second[eoi]|minut[eoi]|secondes|minutes|segundos|minutos|seconden|minuten|min)"
_SOME = r"(?:\d{1,3}|une?|unos?|unas?|uma?|quelques|pocos|alguns)"
# Each alternative begins with one character or a set, by which the search spares most words of prose the rest.
_RELATIVE = (
    rf"\d{{1,3}}(?:{_AGO}|[ ]?(?:s|m|min)[ ]ago|{_MINUTES}[ ](?:fa|geleden|atrás))"
    rf"|[Aa](?:n|[ ]few|[ ]couple[ ]of)?{_AGO}|[Oo]ne{_AGO}|[Ss]everal{_AGO}"
    r"|[Jj]ust[ ]now|[Rr]ight[ ]now|[Mm]oments?[ ]ago"
    rf"|[Ll]ess[ ]than[ ]{_COUNT}{_AGO}|[Aa](?:bout|lmost)[ ]{_COUNT}{_AGO}|[Oo]ver[ ]{_COUNT}{_AGO}"
    r"|[Vv]or[ ](?:\d{1,3}|ein(?:er|igen)|wenigen)[ ](?:Sekunde|Minute)n?|[Gg]erade[ ]eben"
    rf"|[Ii]l[ ]y[ ]a[ ]{_SOME}{_MINUTES}|[Hh](?:ace|á)[ ]{_SOME}{_MINUTES}|[Àà][ ]l['\u2019]instant|[Aa]hora[ ]mismo"
)
_CLOCK = r"(?<![:.])(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:[ ][AaPp][Mm])?(?![:.]\d)"
_EPOCH = r"[12]\d{9}(?:\d{3}){0,3}(?:\.\d{1,9})?"
_AFTER_URL = ".,;:!?)]}"


def scanner(names: tuple[str, ...], *, urls: bool) -> re.Pattern[str]:
    """What finds placeholders of these names and volatile shapes in a string, each as a group of its kind's name.

    Placeholders are the group ``placeholder``: found first, so that nothing inside of one is taken for something else.
    URLs make the search slower, and most texts hold none.
    """
    known = rf"<(?:{'|'.join(map(re.escape, names))})(?:[+-]\d+d)?(?::\d+)?>"
    link = rf"""(?P<url>[A-Za-z][A-Za-z0-9+.-]{{0,15}}://(?>(?:[^\s"'`<>]++|{known})+))|"""
    # The looks ahead spare most words of prose the alternatives.
    digits = rf"(?P<ulid>{_ULID})|(?P<epoch>{_EPOCH})|(?P<clock>{_CLOCK})|(?P<traceparent>{_TRACEPARENT})"
    shapes = rf"(?=[0-9A-Fa-f]{{8}})(?:(?P<uuid>{_UUID})|(?P<objectid>[0-9a-f]{{24}}))|{FINDS}|(?=\d)(?:{digits})"
    shapes = rf"{shapes}|(?=e)(?P<token>{_TOKEN})|(?P<relative>{_RELATIVE})"
    shapes = rf"{shapes}|(?P<marked>[A-Za-z]{_EPOCH})"  # v1796093481, a version of a file
    return re.compile(
        rf"(?P<placeholder>{known})|(?<![0-9A-Za-z])(?:{link if urls else ''}(?:{shapes})(?![0-9A-Za-z]))", re.DOTALL
    )


def may_hold(text: str) -> bool:
    """Whether a string could hold a volatile shape: a cheap look that spares most texts the search."""
    if len(text) < 14:  # a timestamp of digits; all other shapes but URLs and relative times are longer
        return "://" in text or (" " in text and not _RELATIVE_WORDS.isdisjoint(text.rstrip(".!)").split()))
    if ":" in text or text.count("-") >= 4 or "T" in text or "0" in text or "eyJ" in text:
        return True
    return " " in text and _MAY_BE_RELATIVE.search(text) is not None


_RELATIVE_WORDS = {
    "ago", "now", "eben", "vor", "Vor", "fa", "geleden", "atrás", "mismo", "hace", "Hace", "há", "Há", "y",
    "l'instant", "l\u2019instant",
}  # fmt: skip
_MAY_BE_RELATIVE = re.compile(r"[ ](?:ago|now|a|fa|geleden|atrás|mismo|eben)\b|(?i:vor|hace|há)[ ]|instant")


def is_volatile(kind: str, text: str) -> bool:
    """Whether a string of this kind's shape is what it looks like."""
    check = _CHECKS.get(kind)
    return check is None or check(text)


def without_stop(url: str) -> str:
    """A URL without the full stop, comma or bracket that ends the sentence around it."""
    return url.rstrip(_AFTER_URL)


def identity(kind: str, text: str) -> str:
    """What two spellings of one value have in common: case and hyphens of UUIDs and ULIDs say nothing."""
    return text.lower().replace("-", "") if kind in ("uuid", "ulid") else text


def _is_uuid(text: str) -> bool:
    """The nil and the max UUID stand for no value, and are the same in each run."""
    return text.strip("0-") != "" and text.strip("fF-") != ""


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


_CHECKS: dict[str, Callable[[str], bool]] = {"uuid": _is_uuid, "url": _is_signed}


# --- what the name of a key says of the value under it

_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "sec": 1.0, "secs": 1.0, "seconds": 1.0}
_UNITS |= {
    "millis": 1e-3,
    "milliseconds": 1e-3,
    "millisecond": 1e-3,
    "msec": 1e-3,
    "msecs": 1e-3,
    "micros": 1e-6,
    "microseconds": 1e-6,
}
_UNITS |= {"nanos": 1e-9, "nanoseconds": 1e-9}
"""Seconds in each unit of a measured time."""

_MOMENTS = {"at", "timestamp", "timestamps", "ts", "time", "date", "datetime", "epoch", "when", "now", "since", "until"}
_MOMENTS |= {"expires", "expiry", "expiration", "exp", "iat", "nbf", "mtime", "ctime", "atime", "start", "end"}
_MOMENTS |= {"from", "to", "till", "due", "deadline", "renewal", "renews"}
_MOMENTS |= {"created", "updated", "modified", "started", "finished", "completed", "ended", "deleted", "seen"}

_MEASURED = {"elapsed", "took"}
"""What measures without doubt; the others may be planned as well, as that of a meeting."""
_LENGTHS = {"duration", "durations", "runtime"}
_DURATIONS = _MEASURED | _LENGTHS | {"latency", "latencies", "walltime"}
_MEASURED_TIMES = {"response", "processing", "execution", "exec", "run", "running", "elapsed", "wall", "cpu", "queue"}
_MEASURED_TIMES |= {"wait", "waiting", "compute", "inference", "generation", "query", "render", "load", "trip"}
_BOUNDS = {"max", "min", "maximum", "minimum", "limit", "limits", "expected", "planned", "target", "targets", "default"}
_BOUNDS |= {"timeout", "allowed", "sla", "slo", "policy"}

_CHECKSUMS = {"hash", "md", "md5", "sha", "sha1", "sha256", "etag", "checksum", "digest", "commit", "fingerprint"}
_OPAQUE = {"token": "token", "csrf": "token", "xsrf": "token", "jwt": "token", "nonce": "nonce", "cookie": "cookie"}
_OPAQUE |= {
    "session": "session-id",
    "phpsessid": "session-id",
    "jsessionid": "session-id",
    "traceparent": "trace-id",
    "trace": "trace-id",
}
_OPAQUE_IDS = {"session": "session-id", "trace": "trace-id", "span": "trace-id", "request": "request-id"}
_OPAQUE_IDS |= {"correlation": "request-id"}
_OPAQUE |= {f"{word}{end}": name for word, name in _OPAQUE_IDS.items() for end in ("id", "token")}

_MEASURED_TEXT = re.compile(
    r"(?:(?P<h>\d+)[ ]?h[ ]?)?(?:(?P<m>\d+)[ ]?m(?:in)?[ ]?)?(?P<s>\d+(?:[.,]\d+)?)[ ]?"
    r"(?P<unit>[nuµm]s|s|secs?|seconds?|milliseconds?|Sek\.?|Sekunden?)"
    r"|PT(?:(?P<h2>\d+)H)?(?:(?P<m2>\d+)M)?(?P<s2>\d+(?:\.\d+)?)S"
    r"|(?P<h3>\d\d):(?P<m3>\d\d):(?P<s3>\d\d(?:\.\d+)?)"
)
_BARE_TEXT = re.compile(r"\d{1,9}\.\d{3,9}")
_UUID_TEXT = re.compile(r"[0-9a-f]{32}|[0-9A-F]{32}")
_BY_ITS_VERSION = re.compile(r".{12}[1467].{3}[89ab].{15}", re.IGNORECASE)
_NO_UUIDS = ("0" * 32, "f" * 32, "F" * 32)


def is_uuid_of_digits(text: str) -> bool:
    """Whether a whole text is a UUID without its hyphens, by its version."""
    return _UUID_TEXT.fullmatch(text) is not None and _BY_ITS_VERSION.fullmatch(text) is not None


@dataclass(frozen=True)
class KeyHint:
    """What a key's name says of the value under it.

    Attributes:
        moment: a number may be an epoch that lies days away from the run, as an expiry does.
        units: the units, in seconds, that a measured time may be in; empty where the key speaks of none.
        is_measured: such a time is measured without doubt.
        is_length: it may be the length of a thing as well.
        uuid: 32 hexadecimal digits are a UUID, whatever their version.
        checksum: 32 hexadecimal digits are none.
        identity: a long integer may be an id that carries its moment.
        opaque: the placeholder's name for a token, or an id of a session, trace or request.
    """

    moment: bool = False
    units: tuple[float, ...] = ()
    is_measured: bool = False
    is_length: bool = False
    uuid: bool = False
    checksum: bool = False
    identity: bool = False
    opaque: str = ""

    def lasted(self, value: float, longest: float) -> bool:
        """Whether a number may be a time that was measured within a run of so many seconds.

        One without a unit in its key, and without doubt as to who measured it, has decimals that no plan has. A length,
        as that of a film, may be exact to the millisecond.
        """
        if not self.units or value < 0:
            return False
        most = longest * 1.1 + 0.1
        if len(self.units) == 1 or self.is_measured:
            return value * self.units[-1] <= most
        if _has_decimals(value, 1) and value <= most:
            return True
        return value * 1e-3 <= most and _has_decimals(value, 3 if self.is_length else 2)

    def measured(self, text: str, longest: float) -> bool:
        """Whether a string may be such a time: it has seconds or a finer unit ("350 ms", "PT3.2S"), unlike "P3D"."""
        if not self.units:
            return False
        if _BARE_TEXT.fullmatch(text):
            return self.lasted(float(text), longest)
        found = _MEASURED_TEXT.fullmatch(text)
        if found is None:
            return False
        parts: list[str] = [next(filter(None, found.group(*names)), "0") for names in _PARTS]
        hours, minutes, seconds = (float(part.replace(",", ".")) for part in parts)
        unit: str = (found["unit"] or "s").replace("µ", "u")
        seconds *= _UNITS.get(unit, 1.0)
        return bool(hours * 3_600 + minutes * 60 + seconds <= longest * 1.1 + 0.1)


_PARTS = (("h", "h2", "h3"), ("m", "m2", "m3"), ("s", "s2", "s3"))


def _has_decimals(value: float, more_than: int) -> bool:
    scaled = value * 10.0**more_than
    return isinstance(value, float) and abs(scaled - round(scaled)) > 1e-6


NOTHING = KeyHint()


@lru_cache(maxsize=4096)
def says(key: str) -> KeyHint:
    """What the name of a key says, in whatever way its words are joined (createdAt, created_at, CREATED-AT)."""
    words = [word.lower() for word in _WORDS.findall(key[:200])]
    unit = words.pop() if words and words[-1] in _UNITS else ""
    if unit and words and words[-1] == "in":
        words.pop()
    last, joined = _without_unit(words[-1]) if words else ("", "")
    unit = unit or joined
    units: tuple[float, ...] = ()
    if _says_duration(words, last) and _BOUNDS.isdisjoint(words):
        units = (_UNITS[unit],) if unit else (1.0, 1e-3, 1e-6, 1e-9)
    found = KeyHint(
        moment=last in _MOMENTS or _UNITS.get(unit) == 1e-3,
        units=units,
        is_measured=last in _MEASURED,
        is_length=last in _LENGTHS,
        uuid=last in ("uuid", "guid"),
        checksum=not _CHECKSUMS.isdisjoint(words),
        identity=last in ("id", "ids"),
        opaque=_opaque(words, last),
    )
    return NOTHING if found == NOTHING else found


def says_of_duration(key: str) -> KeyHint:
    """What a key says within an object that stands under one of durations: ``{"duration": {"ms": 12}}``."""
    unit = _UNITS.get(key.lower())
    return KeyHint(units=(unit,)) if unit is not None else says(key)


def says_of_bound(key: str) -> KeyHint:
    """What a key says within an object that sets bounds: ``{"sla": {"responseTimeMs": 240}}``."""
    return replace(says(key), units=())


@lru_cache(maxsize=4096)
def sets_bounds(key: str) -> bool:
    """Whether an object under this key sets bounds."""
    return not _BOUNDS.isdisjoint(word.lower() for word in _WORDS.findall(key[:200]))


def _without_unit(word: str) -> tuple[str, str]:
    """The word and the unit of a name that joins its words by nothing: ``durationms``."""
    for ending in ("ms", "millis", "seconds", "secs"):
        if word.removesuffix(ending) in _DURATIONS | {"timestamp", "epoch"} and word.endswith(ending):
            return word.removesuffix(ending), ending
    return word, ""


def _says_duration(words: list[str], last: str) -> bool:
    if last in _DURATIONS:
        return True
    before = words[-2] if len(words) > 1 else ""
    return (last == "time" and before in _MEASURED_TIMES) or (before == "time" and last in ("taken", "spent"))


def _opaque(words: list[str], last: str) -> str:
    before = words[-2] if len(words) > 1 else ""
    if last == "sid":  # alone, or of a cookie; "account_sid" names what exists
        return "session-id" if before in ("", "connect", "session") else ""
    return _OPAQUE_IDS.get(before, "") if last == "id" else _OPAQUE.get(last, "")


_SHORTEST_OPAQUE, _SHORTEST_MIXED = 12, 8
_SHORTEST_NUMBER = 16
"""Digits of a random number, of 64 bits or more; shorter ones count something, or tell a time."""
_MOST_SPACES = 1
_MIXED = re.compile(r"[A-Z](?=[a-z])|[a-z](?=[A-Z])")
_UNSPEAKABLE = re.compile(r"[b-df-hj-np-tv-z]{9}", re.IGNORECASE)  # German words have eight: "Angstschweiß"


def is_opaque(text: str, *, is_cookie: bool = False) -> bool:
    """Whether a string looks like a token, an id, or a cookie with one: letters and digits without words."""
    if not is_cookie and text.count(" ") > _MOST_SPACES:
        return False  # a stack trace
    return any(_is_random(part) for part in re.findall(r"[0-9A-Za-z+/]+", text))


def _is_random(part: str) -> bool:
    """Whether letters and digits form no words. Random ones hardly ever do: an id must not stay in one run of many."""
    letters, numbers = re.sub(r"\d+", "", part), re.findall(r"\d+", part)
    if not letters:
        return len(part) >= _SHORTEST_NUMBER
    if len(numbers) > 1:
        return len(part) >= _SHORTEST_MIXED
    if len(part) < _SHORTEST_OPAQUE:
        return False
    return (
        (bool(numbers) and not part[-1].isdigit())  # words have their number behind them
        or len(_MIXED.findall(letters)) > 0.35 * len(letters)
        or _UNSPEAKABLE.search(letters) is not None
    )
