"""Moments in texts and numbers, and whether one is a reading of the clock during a run.

A moment is volatile because it is near the run, and not because it looks like a moment: an appointment, a due date and
a flight's departure are answers. Near is what lies between two minutes before a run began and two minutes after it
ended. A server's clock may be wrong: the moment at which its answer says that it was sent shifts the span, too.

An expiry is a whole number of days from the run, to the second. At zero seconds nothing is an expiry: appointments have
zero seconds, and a nightly job starts at second 0.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cached_property, lru_cache

from ..originals import dates, time
from ..runs import WorkflowRun

NEAR = 120.0
"""Seconds before a run's start and after its end in which a moment is a reading of the clock."""

DAY = 86_400
MOST_DAYS = 3_660
"""The most days that an expiry may be away: ten years."""

_FIRST_IDS = 788_918_400
"""1995 in seconds of the epoch, before which no id that carries its moment was made."""

_OFFSETS = range(-14 * 3_600, 14 * 3_600 + 1, 15 * 60)
"""Seconds by which the local time of a zone can differ from UTC."""

UNITS = {"epoch": 1, "epoch-ms": 10**3, "epoch-us": 10**6, "epoch-ns": 10**9}
"""Placeholders of epochs, with how many of each there are in a second."""

# --- the notations

_YEAR = r"(?P<year>(?:19|20)\d\d)"
_MONTH = r"(?P<month>0[1-9]|1[0-2])"
_DAY = r"(?P<day>0[1-9]|[12]\d|3[01])"
_LOOSE_DAY = r"(?P<day>[12]\d|3[01]|0?[1-9])"
_ANYYEAR = rf"(?:{_YEAR}|(?P<short>[0-9]\d))"
_ONE_OF_BOTH = r"[12]\d|3[01]|0?[1-9]"
_LOOSE_MONTH = r"(?P<month>1[0-2]|0?[1-9])"
_TIME = r"(?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d)"
_LOOSE_TIME = r"(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)"
_SECOND = r":(?P<second>[0-5]\d|60)(?:[.,](?P<fraction>\d{1,9}))?"
_ZONE = r"(?P<zone>[Zz]|[+-]\d\d(?::?\d\d)?|[ ](?:UTC|GMT|[+-]\d\d:?\d\d))"
_ZONENAME = r"(?P<zone>GMT|UTC?|Z|[ECMP][SD]T|BST|[CEW]ES?T|[+-]\d{4})"
# Unicode's space within a time, which JavaScript writes before AM and PM, is a narrow one.
_HALF = r"[ \u00a0\u202f]?(?P<half>[AaPp])\.?[Mm]\b\.?"
_NAME = r"(?P<name>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_LONGNAME = (
    r"(?P<name>Jan(?:uary|uar)?|Feb(?:ruary|ruar)?|Mar(?:ch)?|März|Apr(?:il)?|May|Mai|Jun[ei]?|Jul[yi]?|Aug(?:ust)?"
    r"|Sep(?:t|tember)?|O[ck]t(?:ober)?|Nov(?:ember)?|De[cz](?:ember)?)\.?"
)
_DAYNAME = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONGDAY = r"(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)"
_ANYNAME = r"(?P<name>[^\W\d_]{3,10})\.?"
_ANYDAY = (
    r"(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|(?:Mon|Diens|Donners|Frei|Sams|Sonn)tag|Mittwoch|Sonnabend"
    r"|(?:Lun|Mar|Mercre|Jeu|Vendre|Same)di|Dimanche|Lunes|Martes|Miércoles|Jueves|Viernes|Sábado|Domingo"
    r"|(?:Lune|Marte|Mercole|Giove|Vener)dì|Sabato|Domenica|(?:Maan|Dins|Woens|Donder|Vrij)dag"
    r"|(?:Segunda|Terça|Quarta|Quinta|Sexta)-feira)"
)
_OF_DAY = r"(?:,[ ]?|,?[ ](?:at|um|à|às|om|alle|alle[ ]ore|a[ ]las?)[ ]|[ ])"
_LOCAL_TIME = _LOOSE_TIME.replace(":", "[:.h]")

NOTATIONS = (
    # ISO 8601, RFC 3339, Python's str()
    rf"{_YEAR}-{_MONTH}-{_DAY}(?:[Tt ]|,[ ]){_TIME}(?:{_SECOND})?(?:{_ZONE}|{_HALF})?",
    rf"{_YEAR}[/.]{_LOOSE_MONTH}[/.]{_LOOSE_DAY},?[ ]{_LOOSE_TIME}(?:{_SECOND})?(?:{_ZONE}|{_HALF})?",  # logs, Japan
    rf"{_YEAR}-?{_MONTH}-?{_DAY}[T_-]?(?P<hour>[01]\d|2[0-3])-?(?P<minute>[0-5]\d)-?(?P<second>[0-6]\d)"
    r"(?:\.(?P<fraction>\d{1,9}))?(?P<zone>Z|[+-]\d{4})?",  # ISO 8601, basic; names of files
    rf"(?:{_DAYNAME},[ ])?{_LOOSE_DAY}[ ]{_NAME}[ ]{_YEAR}[ ]{_TIME}"
    rf"(?:{_SECOND}(?:[ ]{_ZONENAME})?|[ ]{_ZONENAME.replace('<zone>', '<zone2>')})",  # RFC 5322 (e-mail), RFC 9110
    rf"{_LONGDAY},[ ]{_DAY}-{_NAME}-(?P<short>\d\d)[ ]{_TIME}{_SECOND}[ ](?P<zone>GMT)",  # RFC 850
    rf"{_DAYNAME}[ ]{_NAME}[ ](?P<day>[ \d]\d)[ ]{_TIME}{_SECOND}[ ](?:{_ZONENAME}[ ])?{_YEAR}",  # asctime, date
    rf"{_DAYNAME}[ ]{_NAME}[ ]{_DAY}[ ]{_YEAR}[ ]{_TIME}{_SECOND}[ ]GMT(?P<zone>[+-]\d{{4}})(?:[ ]\([\w ]+\))?",  # JS
    # The month first, as in the United States, or the day
    rf"(?P<first>{_ONE_OF_BOTH})(?:/{_LOOSE_DAY}/|-{_LOOSE_DAY.replace('<day>', '<day2>')}-){_ANYYEAR}{_OF_DAY}"
    rf"{_LOOSE_TIME.replace(':', '[:h]')}(?:{_SECOND})?(?:{_HALF})?",
    # German: "29.11.2026, 10:00 Uhr"
    rf"{_LOOSE_DAY}\.[ ]?{_LOOSE_MONTH}\.[ ]?{_ANYYEAR}{_OF_DAY}(?:um[ ])?{_LOCAL_TIME}(?:{_SECOND})?(?:[ ]Uhr)?",
    rf"(?:{_LONGDAY},[ ])?{_LONGNAME}[ ]{_LOOSE_DAY}(?:st|nd|rd|th)?,?[ ]{_YEAR}{_OF_DAY}{_LOOSE_TIME}(?:{_SECOND})?"
    rf"(?:{_HALF})?(?:[ ]{_ZONENAME})?",  # "November 29, 2026 at 10:00 AM"
    # "29. November 2026 um 10:00 Uhr", "29 novembre 2026 à 10h00", "29 de noviembre de 2026, 10:00"
    rf"(?:{_ANYDAY},?[ ])?{_LOOSE_DAY}\.?[ ](?:de[ ])?{_ANYNAME}[ ](?:de[ ])?{_YEAR}{_OF_DAY}(?:um[ ])?{_LOCAL_TIME}"
    rf"(?:{_SECOND})?(?:{_HALF}|[ ]Uhr)?(?:[ ]{_ZONENAME})?",
    rf"{_DAY}[/-]{_NAME}[/-]{_YEAR}[ :]{_TIME}{_SECOND}(?:[ ]{_ZONENAME})?",  # of web servers, IMAP, databases
    rf"{_YEAR}年{_LOOSE_MONTH}月{_LOOSE_DAY}日[ ]?(?P<hour>[01]?\d|2[0-3])[:時时点](?P<minute>[0-5]\d)分?"
    r"(?::?(?P<second>[0-5]\d)秒?)?",
    rf"{_TIME}{_SECOND}(?:{_HALF})?",  # a time of the day, with seconds
)
"""Each notation as a regular expression; all but the last have a date."""

_COMPILED = tuple(re.compile(notation) for notation in NOTATIONS)
_GROUP = re.compile(r"\(\?P<\w+>")

_DATED = [(f"(?P<moment{n}>{_GROUP.sub('(?:', notation)})", notation) for n, notation in enumerate(NOTATIONS[:-1])]
_OF_DIGITS = "|".join(group for group, notation in _DATED if notation.startswith("(?P"))
_OF_WORDS = "|".join(group for group, notation in _DATED if not notation.startswith("(?P"))
FINDS = rf"(?=\d)(?:{_OF_DIGITS})|(?=[\dA-W])(?:{_OF_WORDS})"
"""All notations with a date as one pattern, each a group with its number; searched within strings."""

_MONTHS = dict.fromkeys(("jan", "ene", "gen"), 1) | dict.fromkeys(("feb", "fév", "fev"), 2)
_MONTHS |= dict.fromkeys(("mar", "mär", "maa", "mrt"), 3) | dict.fromkeys(("apr", "avr", "abr"), 4)
_MONTHS |= dict.fromkeys(("may", "mai", "mag", "mei"), 5) | dict.fromkeys(("jun", "juin", "giu"), 6)
_MONTHS |= dict.fromkeys(("jul", "juil", "lug"), 7) | dict.fromkeys(("aug", "ago", "aoû", "aou"), 8)
_MONTHS |= dict.fromkeys(("sep", "set"), 9) | dict.fromkeys(("oct", "okt", "ott", "out"), 10)
_MONTHS |= {"nov": 11} | dict.fromkeys(("dec", "dez", "déc", "dic"), 12)
"""What the names of months begin with: English, German, French, Spanish, Italian, Portuguese, Dutch."""
_HOURS = {"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}
_HOURS |= {"BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "WET": 0, "WEST": 1}


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment as stated by a string or a number.

    Attributes:
        instants: seconds since the epoch that it may stand for; several where day and month may be exchanged, or where
            the text names no day.
        precision: seconds that it may be off, since it names nothing finer.
        has_zone: whether it names its time zone. One without is taken for UTC, for this machine's zone, and, where its
            seconds are not zero, for any zone.
        has_day: whether it names a day, and not the time alone.
    """

    instants: tuple[float, ...]
    precision: float = 1.0
    has_zone: bool = True
    has_day: bool = True

    @property
    def has_seconds(self) -> bool:
        """Whether it names a second other than zero, which people's appointments do not."""
        return self.precision <= 1 and int(self.instants[0]) % 60 != 0

    @property
    def may_expire(self) -> bool:
        """Whether it may be an expiry: at zero seconds, and at the last second of an hour, people set it."""
        return self.has_day and self.precision <= 1 and _is_odd(self.instants[0])

    def at_home(self) -> list[float]:
        """The instants that it stands for, in UTC and in this machine's zone where it names none."""
        shifts = [0.0] if self.has_zone else [0.0, -_local_offset()]
        return [instant + shift for instant in self.instants for shift in shifts]

    def anywhere(self) -> list[float]:
        """The instants that it stands for, in any zone where it names none."""
        if self.has_zone:
            return list(self.instants)
        return [instant + shift for instant in self.instants for shift in _OFFSETS]

    def is_same(self, instant: float) -> bool:
        """Whether it is this instant, which may be more exact."""
        return any(-1e-6 < instant - one < max(self.precision, 1e-6) for one in self.at_home())


@dataclass(frozen=True, slots=True)
class Span:
    """When a run began and ended, in seconds since the epoch.

    Attributes:
        ahead: how many seconds the server's clock is ahead of this machine's, by its answer; 0 where it did not say.
    """

    start: float
    end: float
    ahead: float = 0.0

    @classmethod
    def of(cls, run: WorkflowRun) -> Span:
        """The span of a run."""
        start = run.started_at.timestamp()
        return cls(start, start + run.elapsed, run.clock_ahead)

    @classmethod
    def until_now(cls, start: float) -> Iterator[Span]:
        """The span of what began at this time and goes on; a second one where a test has set the clock."""
        now, shown = time.time(), datetime.now(UTC).timestamp()
        yield cls(start, now)
        if abs(shown - now) > 1:
            yield cls(shown, shown)

    def ranges(self) -> Iterator[tuple[float, float]]:
        """From when to when the run lasted, by this machine's clock and by the server's."""
        yield self.start, self.end
        if self.ahead:
            yield self.start + self.ahead, self.end + self.ahead


class Nearness:
    """Decides whether a moment belongs to one of some runs.

    Args:
        spans: the runs. Without one no moment is near.
    """

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = list(spans)

    @cached_property
    def _ranges(self) -> list[tuple[float, float]]:
        ranges = (one for span in self._spans for one in span.ranges())
        return _merged((math.floor(start), math.floor(end)) for start, end in ranges)

    @cached_property
    def _near(self) -> list[tuple[float, float]]:
        return _merged((start - NEAR, end + NEAR) for span in self._spans for start, end in span.ranges())

    @cached_property
    def _starts(self) -> list[float]:
        return [start for start, _ in self._near]

    @cached_property
    def longest(self) -> float:
        """Seconds that the longest run lasted."""
        return max((span.end - span.start for span in self._spans), default=0.0)

    @cached_property
    def marks(self) -> frozenset[str]:
        """Strings of which one stands in each number of seconds near the runs, decimal or hexadecimal."""
        return frozenset(mark for start, end in self._near for mark in _marks(start, end))

    @cached_property
    def days(self) -> list[float]:
        """A moment within each of the days of the runs."""
        return list({start // DAY: start for start in self._starts}.values())

    def of(self, moment: Moment) -> str | None:
        """What a moment is to the runs: an empty string for their clock, ``+7d`` for an expiry, else None."""
        if moment.has_zone:
            instants: Sequence[float] = moment.instants
        else:
            instants = moment.anywhere() if moment.has_seconds and moment.has_day else moment.at_home()
        for instant in instants:
            if self.is_near(instant, moment.precision):
                return ""
        if not moment.may_expire:
            return None
        return next((f"{days:+}d" for instant in moment.at_home() if (days := self.days_to(instant))), None)

    def of_number(self, value: float, *, may_expire: bool = True) -> str | None:
        """The placeholder for an epoch that is a reading of the clock, or an expiry; None for any other number."""
        for name, per_second in UNITS.items():
            if self.is_near(value / per_second, 1.0 if per_second == 1 else 0.001):
                return name
        if may_expire:
            for name, per_second in UNITS.items():
                instant = value / per_second
                if _is_odd(instant) and (days := self.days_to(instant)):
                    return f"{name}{days:+}d"
        return None

    def is_near(self, instant: float, precision: float = 1.0) -> bool:
        """Whether an instant, which is exact to so many seconds, lies near one of the runs."""
        at = bisect_left(self._starts, instant + precision) - 1
        return at >= 0 and instant <= self._near[at][1]

    def cannot_be(self, instant: float) -> bool:
        """Whether an id cannot have been made then: after the runs, or before there were any."""
        return bool(self._near) and (instant > self._near[-1][1] or instant < _FIRST_IDS)

    def days_to(self, instant: float) -> int:
        """How many days an instant is away from a run, to the second; 0 where it is not a whole number of them."""
        second = math.floor(instant)
        for start, end in self._ranges:
            days = round((second - start) / DAY)
            if 0 < abs(days) <= MOST_DAYS and start <= second - days * DAY <= end:
                return days
        return 0


def _merged(ranges: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same ranges in order, those that overlap joined."""
    found: list[tuple[float, float]] = []
    for start, end in sorted(ranges):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _marks(start: float, end: float) -> Iterator[str]:
    """What the seconds of a range begin with, in decimal and hexadecimal digits."""
    first, last = math.floor(start), math.ceil(end)
    yield from (str(second) for second in range(first // 10**4, last // 10**4 + 1))
    yield from (f"{second:05x}" for second in range(first // 16**3, last // 16**3 + 1))


def _is_odd(instant: float) -> bool:
    """Whether it has a second that people's appointments do not have: neither zero nor the last one of an hour."""
    second = int(instant)
    return second % 60 != 0 and second % 3_600 != 3_599


def _local_offset() -> float:
    """Seconds by which this machine's local time is ahead of UTC."""
    return (dates.now().astimezone().utcoffset() or timedelta()).total_seconds()


def moment_of(text: str, today: float | None = None) -> Moment | None:
    """The moment that a whole text states; None where it states none, or one that no calendar has.

    Args:
        text: in any of the notations.
        today: seconds since the epoch within the day that a time without a day means; None: such a
            string is not taken for a moment.
    """
    for notation in _COMPILED if today is not None else _COMPILED[:-1]:
        if (found := notation.fullmatch(text)) is not None:
            return _moment(found.groupdict(), today)
    return None


@lru_cache(maxsize=4096)
def moment_found(group: str, text: str) -> Moment | None:
    """The moment stated by a string that matched a group of `FINDS`."""
    if group == "moment0" and (quick := _of_iso(text)) is not None:
        return quick
    found = _COMPILED[int(group.removeprefix("moment"))].fullmatch(text)
    return _moment(found.groupdict(), None) if found is not None else None


def _of_iso(text: str) -> Moment | None:
    """The moment of most texts of ISO 8601, several times faster than by parts."""
    try:
        moment = dates.read(text)
    except ValueError:
        return None
    has_zone = moment.tzinfo is not None
    instant = (moment if has_zone else moment.replace(tzinfo=UTC)).timestamp()
    digits = len(text) - len(text[20:].lstrip("0123456789")) - 20 if text[19:20] in (".", ",") else 0
    precision = 60.0 if text[16:17] != ":" else 10.0**-digits
    return Moment((instant,), precision, has_zone)


def _moment(parts: dict[str, str | None], today: float | None) -> Moment | None:
    zone = _zone(parts.get("zone") or parts.get("zone2") or "")
    second, fraction = parts.get("second"), parts.get("fraction")
    days = list(_days(parts)) or list(_days_around(today))
    instants = []
    for year, month, day in days:
        try:
            moment = datetime(year, month, day, _hour(parts), int(parts["minute"] or 0), tzinfo=zone or UTC)
        except ValueError:  # the thirtieth of February
            continue
        instants.append(moment.timestamp() + int(second or 0) + float(f"0.{fraction or 0}"))
    if not instants:
        return None
    precision = 60.0 if second is None else 1.0 if not fraction else 10.0 ** -len(fraction)
    return Moment(tuple(instants), precision, zone is not None, "day" in parts)


def _days(parts: dict[str, str | None]) -> Iterator[tuple[int, int, int]]:
    written = parts.get("day") or parts.get("day2")
    if written is None:
        return
    year = int(parts.get("year") or f"20{parts['short']}")
    name, day = parts.get("name"), int(written)
    month = _month(name.lower()) if name else int(parts.get("month") or parts["first"] or 0)
    yield year, month, day
    if "first" in parts:
        yield year, day, month


def _month(name: str) -> int:
    """The month of a name; 0, which no calendar has, for any other word."""
    return _MONTHS.get(name[:3], 0) or _MONTHS.get(name[:4], 0)


def _days_around(today: float | None) -> Iterator[tuple[int, int, int]]:
    """The day of a run, the one before and the one after it."""
    for days in (-1, 0, 1) if today is not None else ():
        moment = dates.at(today or 0.0) + timedelta(days=days)
        yield moment.year, moment.month, moment.day


def _hour(parts: dict[str, str | None]) -> int:
    hour, half = int(parts["hour"] or 0), (parts.get("half") or "").lower()
    return hour % 12 + 12 * (half == "p") if half else hour


@lru_cache(maxsize=64)
def _zone(text: str) -> tzinfo | None:
    """The zone of its name or offset; None for the empty text."""
    name = text.strip()
    if not name:
        return None
    if name[0] in "+-":
        digits = name[1:].replace(":", "").ljust(4, "0")
        minutes = int(digits[:2]) * 60 + int(digits[2:])
        return timezone(timedelta(minutes=minutes if name[0] == "+" else -minutes)) if minutes < 24 * 60 else UTC
    return timezone(timedelta(hours=_HOURS.get(name, 0)))
