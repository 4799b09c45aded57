"""Texts of others made harmless to look at: what does not show, or turns a line around, is written as its escape."""

from __future__ import annotations

import re
from typing import Final

_OTHER: Final = re.compile(r"[^\x20-\x7e\n\t]")
"""All but plain ASCII, of which a text mostly consists."""


def visible(text: str) -> str:
    r"""A text of which every character shows, and which is valid UTF-8.

    Control characters, ANSI escapes, marks of direction, spaces without a width, NUL and lone surrogates become
    ``\x1b``, ``\u202e`` and the like. Letters of every script, line ends and tabs stay.
    """
    return text if text.isprintable() else _OTHER.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    return char if char.isprintable() else char.encode("unicode_escape").decode("ascii")


def brief(text: str, most: int) -> str:
    """A name that may be of any length, cut in its middle: its head says where, its tail says which."""
    if len(text) <= most:
        return text
    head = most // 2
    return f"{text[:head]}…{text[len(text) - (most - head - 1) :]}"
