"""Numbers and names as lines show them."""

from __future__ import annotations

from ..report.format import counted

__all__ = ["column", "counted", "readable"]

LONGEST_NAME = 60
"""Characters of a name that a column shows."""


def readable(text: str) -> str:
    """A text on one line: what a terminal would obey and not show is written as its escape."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def column(name: str) -> str:
    """A name in a table: on one line, and no wider than the table bears."""
    shown = readable(name)
    return shown if len(shown) <= LONGEST_NAME else f"{shown[: LONGEST_NAME - 1]}…"
