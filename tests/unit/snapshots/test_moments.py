"""Moments: every notation is understood, and what is near a run is its clock, whatever the notation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wisebot.snapshots.moments import DAY, NEAR, Moment, Nearness, Span, moment_of

NOON = datetime(2026, 11, 29, 14, 3, 27, tzinfo=UTC)
AT = NOON.timestamp()
RUN = Nearness([Span(AT, AT + 0.5)])

WRITTEN = [
    "2026-11-29T14:03:27Z",
    "2026-11-29T14:03:27.250Z",
    "2026-11-29t14:03:27z",
    "2026-11-29T15:03:27+01:00",
    "2026-11-29T15:03:27.000+0100",
    "2026-11-29 14:03:27",
    "2026-11-29 14:03:27.123456+00",
    "2026-11-29 14:03:27 UTC",
    "2026-11-29, 14:03:27",
    "2026-11-29 14:03",
    "2026-11-29T14:03:27",
    "2026/11/29 14:03:27",
    "20261129T140327Z",
    "Sun, 29 Nov 2026 14:03:27 +0000",
    "Sun, 29 Nov 2026 14:03:27 GMT",
    "29 Nov 2026 09:03 EST",
    "Sunday, 29-Nov-26 14:03:27 GMT",
    "Sun Nov 29 14:03:27 2026",
    "Sun Nov 29 15:03:27 CET 2026",
    "Sun Nov 29 2026 15:03:27 GMT+0100 (Central European Standard Time)",
    "11/29/2026, 02:03:27 PM",
    "11/29/2026 2:03 pm",
    "29.11.2026, 14:03 Uhr",
    "29.11.26, 14:03",
    "11/29/2026, 2:03:27\u202fPM",
    "11/29/26, 2:03 PM",
    "29/11/2026 14:03:27",
    "29-11-2026 14:03",
    "2026/11/29, 14:03:27",
    "2026-11-29 02:03:27 PM",
    "2026-11-29T14-03-27",
    "20261129_140327",
    "20261129140327",
    "29.11.2026 um 14:03:27",
    "November 29, 2026 at 02:03 PM",
    "Nov 29, 2026, 2:03:27 PM",
    "Sunday, November 29th, 2026 at 2:03 p.m.",
    "29 November 2026 14:03",
    "29. November 2026 um 14:03 Uhr",
    "2026.11.29 14:03:27",
    "29.11.2026 14.03 Uhr",
    "29/11/2026 à 14h03",
    "29 novembre 2026 à 14h03",
    "Dimanche 29 novembre 2026 à 14:03",
    "29 de noviembre de 2026, 14:03",
    "29 de novembro de 2026 às 14:03",
    "Domenica 29 novembre 2026 alle ore 14:03",
    "29 november 2026 om 14:03",
    "29/Nov/2026:14:03:27 +0000",
    "29-Nov-2026 14:03:27",
    "2026年11月29日 14:03:27",
    "2026年11月29日14時03分",
]


@pytest.mark.parametrize("text", WRITTEN)
def test_a_clock_is_known_in_every_notation(text: str) -> None:
    """The moment of the run itself, as services and people write it."""
    moment = moment_of(text)
    assert moment is not None
    assert RUN.of(moment) == ""


@pytest.mark.parametrize("text", WRITTEN)
def test_the_same_moment_of_another_day_is_an_answer(text: str) -> None:
    """In the notations that an appointment has, it stays; with seconds it is so many days away."""
    moment = moment_of(text)
    assert moment is not None
    later = Nearness([Span(AT - 3 * DAY - 600, AT - 3 * DAY - 599)])
    if moment.has_zone or not moment.has_seconds:
        assert later.of(moment) is None


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30T14:03:27Z",
        "31.02.2026 10:00",
        "2026-11-29",
        "14:03",
        "v2.14.0",
        "1 of 2",
        "2026-W48",
        "29 brumaire 2026 à 14h03",
        "",
    ],
)
def test_what_is_no_moment_is_none(text: str) -> None:
    """A day or a month that no calendar has, a date alone, a time without seconds."""
    assert moment_of(text) is None
    assert moment_of(text, AT) is None


@pytest.mark.parametrize(
    ("name", "month"),
    [
        ("janvier", 1), ("enero", 1), ("gennaio", 1), ("février", 2), ("fevereiro", 2), ("März", 3), ("maart", 3),
        ("avril", 4), ("abril", 4), ("Mai", 5), ("mayo", 5), ("maggio", 5), ("mei", 5), ("juin", 6), ("Juni", 6),
        ("giugno", 6), ("juillet", 7), ("julio", 7), ("luglio", 7), ("août", 8), ("agosto", 8), ("setembro", 9),
        ("septembre", 9), ("Oktober", 10), ("outubro", 10), ("ottobre", 10), ("novembre", 11), ("décembre", 12),
        ("diciembre", 12), ("dezembro", 12), ("Dezember", 12),
    ],
)  # fmt: skip
def test_months_are_known_by_name(name: str, month: int) -> None:
    """In English, German, French, Spanish, Italian, Portuguese and Dutch."""
    moment = moment_of(f"9 {name} 2026, 14:03")
    assert moment is not None
    assert datetime.fromtimestamp(moment.instants[0], UTC).month == month


def test_a_time_alone_is_of_the_day_of_the_run() -> None:
    """With seconds it is a reading of the clock; opening hours have none."""
    moment = moment_of("14:03:27", AT)
    assert moment is not None
    assert RUN.of(moment) == ""
    other = moment_of("09:30:00", AT)
    assert other is not None
    assert RUN.of(other) is None
    midnight = datetime(2026, 11, 30, tzinfo=UTC).timestamp()
    over = moment_of("00:00:01", midnight - 1)
    assert over is not None
    assert Nearness([Span(midnight - 1, midnight + 2)]).of(over) == ""


@pytest.mark.parametrize(("seconds", "is_near"), [(-121, False), (-119, True), (0, True), (120, True), (122, False)])
def test_near_is_two_minutes_before_and_after(seconds: int, is_near: bool) -> None:
    """Before the run's start and after its end."""
    moment = moment_of((NOON + timedelta(seconds=seconds)).isoformat())
    assert moment is not None
    assert (RUN.of(moment) == "") is is_near


def test_an_expiry_is_a_whole_number_of_days_away() -> None:
    """To the second, before or after; an appointment has zero seconds, and so has every run at second zero."""

    def at(**later: int) -> str | None:
        moment = moment_of((NOON + timedelta(**later)).isoformat())
        assert moment is not None
        return RUN.of(moment)

    assert at(days=7) == "+7d"
    assert at(days=-30) == "-30d"
    assert at(days=7, seconds=2) is None
    assert at(days=7, seconds=-27) is None
    nightly = datetime(2026, 11, 29, 2, tzinfo=UTC)
    moment = moment_of((nightly + timedelta(days=7)).isoformat())
    assert moment is not None
    assert Nearness([Span(nightly.timestamp(), nightly.timestamp() + 1)]).of(moment) is None


def test_a_server_whose_clock_is_wrong_is_understood() -> None:
    """Its answer says what its clock shows: moments by either clock are near."""
    ahead = Nearness([Span(AT, AT + 0.5, ahead=3_600)])
    for text in ("2026-11-29T14:03:27Z", "2026-11-29T15:03:27Z"):
        moment = moment_of(text)
        assert moment is not None
        assert ahead.of(moment) == ""
    later = moment_of("2026-11-29T15:03:27Z")
    assert later is not None
    assert RUN.of(later) is None


def test_without_a_zone_seconds_decide() -> None:
    """Local time with seconds may be that of any zone; without them it is that of UTC, or of this machine."""
    local = moment_of("2026-11-29 19:33:27")  # in India
    assert local is not None
    assert RUN.of(local) == ""
    appointment = moment_of("2026-11-29 19:33")
    assert appointment is not None
    assert RUN.of(appointment) is None


@pytest.mark.parametrize(
    ("value", "name"),
    [(1, "epoch"), (1_000, "epoch-ms"), (10**6, "epoch-us"), (10**9, "epoch-ns"), (0, None), (10**12, None)],
)
def test_epochs_are_known_by_their_unit(value: int, name: str | None) -> None:
    """Seconds to nanoseconds; a telephone number, a version and a price are far from the run."""
    assert RUN.of_number(int(AT) * value) == name
    assert RUN.of_number((int(AT) + 200) * value) is None


def test_epochs_expire_too() -> None:
    """A whole number of days away, and not at second zero."""
    assert RUN.of_number(int(AT) + 30 * DAY) == "epoch+30d"
    assert RUN.of_number(int(AT) - 27 + 30 * DAY) is None


def test_without_a_run_nothing_is_near() -> None:
    """Where nothing is known of the moment of the run, every moment stays."""
    assert Nearness([]).of(Moment((AT,))) is None
    assert Nearness([]).of_number(AT) is None


def _formats(moment: datetime) -> list[str]:
    return [
        moment.isoformat(),
        moment.strftime("%Y-%m-%d %H:%M:%S"),
        moment.strftime("%Y%m%dT%H%M%SZ"),
        format_datetime(moment),
        moment.strftime("%a %b %d %H:%M:%S %Y"),
        moment.strftime("%m/%d/%Y, %I:%M:%S %p"),
        moment.strftime("%d.%m.%Y, %H:%M Uhr"),
        moment.strftime("%B %d, %Y at %I:%M %p"),
    ]


@given(st.datetimes(datetime(2001, 1, 1), datetime(2049, 12, 31), timezones=st.just(UTC)), st.integers(130, 1_000_000))  # noqa: DTZ001
def test_a_run_knows_its_clock_and_no_other(moment: datetime, away: int) -> None:
    """At every second of every year: the same moment is near, and one with a zone that is further away is not."""
    near = Nearness([Span(moment.timestamp(), moment.timestamp() + 1)])
    for text in _formats(moment):
        found = moment_of(text)
        assert found is not None, text
        assert near.of(found) == "", text
    other = moment_of((moment + timedelta(seconds=NEAR + away)).isoformat())
    assert other is not None
    assert near.of(other) != ""


@given(st.integers(-14 * 4, 14 * 4), st.integers(0, 59))
def test_offsets_are_counted(quarters: int, second: int) -> None:
    """A moment in any zone is the same moment."""
    zone = timezone(timedelta(minutes=15 * quarters))
    moment = moment_of(NOON.replace(second=second).astimezone(zone).isoformat())
    assert moment is not None
    assert moment.instants == (NOON.replace(second=second).timestamp(),)
