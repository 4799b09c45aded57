"""Ids that carry their moment: each kind is read as its specification says."""

from __future__ import annotations

import pytest

from pytest_wisebot.snapshots.timed_ids import KINDS, made_at


@pytest.mark.parametrize(
    ("kind", "text", "moment"),
    [
        ("uuid", "C232AB00-9414-11EC-B3C8-9F6BDECED846", 1645557742.0),  # RFC 9562, A.1
        ("uuid", "1EC9414C-232A-6B00-B3C8-9F6BDECED846", 1645557742.0),  # RFC 9562, A.5
        ("uuid", "017F22E2-79B0-7CC3-98C4-DC0C0C07398F", 1645557742.0),  # RFC 9562, A.6
        ("uuid", "017f22e279b07cc398c4dc0c0c07398f", 1645557742.0),
        ("ulid", "01ARZ3NDEKTSV4RRFFQ69G5FAV", 1469922850.259),
        ("ksuid", "0ujtsYcgvSTl8PAuAdqWYSMnLOv", 1507608047.0),
        ("objectid", "507f1f77bcf86cd799439011", 1350508407.0),
        ("snowflake", "1541815603606036480", 1656432460.105),
        ("snowflake", "175928847299117063", 1462015105.796),
    ],
)
def test_the_moment_of_an_id_is_read(kind: str, text: str, moment: float) -> None:
    """Examples of the specifications and of the services' own documentation."""
    assert any(abs(found - moment) < 1 for found in made_at(kind, text))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "text", ["", "1", "no id", "01ARZ3NDEKTSV4RRFFQ69G5FAU ", "9b2f7c1e-4d3a-4f6b-8c5d-1e2f3a4b5c6d"]
)
def test_what_is_no_such_id_has_no_moment(kind: str, text: str) -> None:
    """Random UUIDs among them."""
    assert made_at(kind, text) == []
