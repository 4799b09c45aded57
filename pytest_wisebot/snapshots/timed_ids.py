"""Ids that carry the moment of their making: UUIDs of versions 1, 6 and 7, ULIDs, KSUIDs, ObjectIds, snowflakes.

Such an id is of this run if it was made near it. One that was made long ago names a thing that exists already, such
as a customer, and is an answer.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from typing import Final

_UUID: Final = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[167][0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}", re.IGNORECASE)
_ULID: Final = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", re.IGNORECASE)
_KSUID: Final = re.compile(r"[0-9A-Za-z]{27}")
_OBJECT_ID: Final = re.compile(r"[0-9a-f]{24}", re.IGNORECASE)
_SNOWFLAKE: Final = re.compile(r"\d{17,19}")

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase

_GREGORIAN: Final = 12_219_292_800
"""Seconds from the beginning of the Gregorian calendar, from which UUIDs count, to that of the epoch."""

_KSUID_EPOCH: Final = 1_400_000_000
_SNOWFLAKE_EPOCHS: Final = (1_288_834_974.657, 1_420_070_400.0)
"""When the snowflakes of Twitter and of Discord begin."""


def _of_uuid(text: str) -> list[float]:
    digits = text.replace("-", "")
    if digits[12] == "7":
        return [int(digits[:12], 16) / 1000]
    if digits[12] == "1":
        ticks = int(digits[13:16] + digits[8:12] + digits[:8], 16)
    else:
        ticks = int(digits[:12] + digits[13:16], 16)
    return [ticks / 10**7 - _GREGORIAN]


def _in_base(text: str, alphabet: str) -> int:
    number = 0
    for char in text:
        number = number * len(alphabet) + alphabet.index(char)
    return number


def _of_ulid(text: str) -> list[float]:
    return [_in_base(text[:10].upper(), _CROCKFORD) / 1000]


def _of_ksuid(text: str) -> list[float]:
    return [(_in_base(text, _BASE62) >> 128) + _KSUID_EPOCH]


def _of_object_id(text: str) -> list[float]:
    return [int(text[:8], 16)]


def _of_snowflake(text: str) -> list[float]:
    return [(int(text) >> 22) / 1000 + epoch for epoch in _SNOWFLAKE_EPOCHS]


KINDS: Final[dict[str, tuple[re.Pattern[str], Callable[[str], list[float]]]]] = {
    "uuid": (_UUID, _of_uuid),
    "ulid": (_ULID, _of_ulid),
    "ksuid": (_KSUID, _of_ksuid),
    "objectid": (_OBJECT_ID, _of_object_id),
    "snowflake": (_SNOWFLAKE, _of_snowflake),
}
"""By the name of the placeholder: the shape of a whole id, and the seconds since the epoch at which it may be made."""


def made_at(kind: str, text: str) -> list[float]:
    """When an id of this kind was made, in seconds since the epoch; empty if the string is not a valid id of that kind.

    Args:
        kind: one of `KINDS`.
        text: the whole id.
    """
    shape, read = KINDS[kind]
    return read(text) if shape.fullmatch(text) else []
