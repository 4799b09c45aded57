"""``OWNER until YYYY-MM-DD: REASON``: its parts, its mistakes, and its days."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pytest_wisebot.quarantine import Quarantine, days_left, parse


def at(day: str) -> float:
    """A moment, in seconds since the epoch."""
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("ann until 2026-12-31: the model guesses", ("ann", "2026-12-31", "the model guesses")),
        ("Team B  until 2026-12-31 :\n  slow until noon: again", ("Team B", "2026-12-31", "slow until noon: again")),
        ("ann@x.example until 2028-02-29:why", ("ann@x.example", "2028-02-29", "why")),
    ],
)
def test_three_parts(text: str, parts: tuple[str, ...]) -> None:
    """Owner, last day and reason may hold any words; blanks and line ends count as one blank."""
    one = parse(text)
    assert (one.owner, one.until, one.reason) == parts


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", 'it names no end, "until YYYY-MM-DD"'),
        ("ann: why", 'it names no end, "until YYYY-MM-DD"'),
        ("until 2026-12-31: why", 'it names no owner before "until"'),
        ("ann until: why", 'it names no day after "until"'),
        ("ann until tomorrow: why", '"tomorrow" is not a day, as in "2026-12-31"'),
        ("ann until 2026-02-30: why", '"2026-02-30" is not a day, as in "2026-12-31"'),
        ("ann until 31.12.2026: why", '"31.12.2026" is not a day, as in "2026-12-31"'),
        ("ann until 20261231: why", '"20261231" is not a day, as in "2026-12-31"'),
        ("ann until 2026-12-31 why", "a colon is missing between the day and the reason"),
        ("ann until 2026-12-31", "a colon is missing between the day and the reason"),
        ("ann until 2026-12-31: ", "it names no reason after the day"),
    ],
)
def test_a_part_that_is_missing_or_wrong_is_named(text: str, problem: str) -> None:
    """The message has the form, the string, and the part."""
    with pytest.raises(ValueError, match='expected "OWNER until YYYY-MM-DD: REASON", got') as caught:
        parse(text)
    assert str(caught.value).endswith(f": {problem}")


def test_the_last_day_is_included_in_utc() -> None:
    """A quarantine is in force until midnight of its last day."""
    days = [days_left("2026-12-31", at(day)) for day in ("2026-12-24", "2026-12-31T23:59:59", "2027-01-01")]
    assert days == [7, 0, -1]
    assert [Quarantine(days_left=day).in_force for day in days] == [True, True, False]


def test_a_day_that_is_unknown_leaves_nothing_in_force() -> None:
    """A session without a beginning, or an end that is not a day, forgives nothing."""
    assert days_left("2026-12-31", None) is None
    assert days_left("<redacted>", at("2026-12-24")) is None
    assert not Quarantine("ann", "<redacted>", "why").in_force


def test_the_end_is_announced_a_week_before() -> None:
    """From seven days before the last day on."""
    ends = [Quarantine("ann", "2026-12-31", "why", days).end_in_words for days in (8, 7, 1, 0, -1)]
    assert ends == ["", "ends in 7 days", "ends tomorrow", "ends today", "ended on 2026-12-31"]


def test_what_is_shown_is_bounded() -> None:
    """An owner or a reason of any length fits into a report."""
    assert len(str(Quarantine("a" * 1_000, "2026-12-31", "b" * 10_000))) < 450
