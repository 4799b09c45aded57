"""What a comparison that failed shows: what is wrong with the file, and the differences; short, and never cut."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from syrupy.terminal import received_style, snapshot_style
from syrupy.types import SerializedData

from ..text import LONGEST_PATH, show_path, truncate_middle
from .acceptance import without_numbers
from .diff import diff_lines
from .json_codec import loads
from .serialize import SerializedValue

MOST_LINES = 7
MOST_CHARACTERS = 560
"""What pytest shows of a failing assertion at its default verbosity, less syrupy's own line."""

MOST_NEW_LINES = 40
"""Lines that are shown of a value that has no snapshot yet."""

MOST_BROKEN = 10
"""Broken rules that are shown of such a value."""


def of_the_file(expected: SerializedData | None, received: SerializedValue, where: str, *, refused: bool) -> list[str]:
    """What is wrong with the snapshot's file, if anything.

    Args:
        expected: what is in the file; None if there is none.
        received: what was compared with it.
        where: the file.
        refused: it was said already why the value is not recorded.
    """
    if expected is None and received.broken:
        breaks = [
            f"{truncate_middle(show_path(path), LONGEST_PATH)} breaks {rule}"
            for path, rule in sorted(received.broken.items(), key=str)
        ]
        return [f"there is no {where}, and nothing is recorded that breaks its rule", *breaks[:MOST_BROKEN]]
    if expected is None:
        return [f"there is no {where}" if refused else f"there is no {where}: --snapshot-update writes it"]
    if problem := _parsed(str(expected))[1]:
        return [f"{where} is not valid JSON ({problem}): mend it, or have --snapshot-update write it anew"]
    return []


def differences(expected: SerializedData | None, received: SerializedValue, *, whole: bool) -> list[str]:
    """The changed paths; the whole value where there is nothing to compare it with."""
    stored, problem = _parsed(without_numbers(str(expected))) if expected is not None else (None, "there is none")
    if not problem:
        shown = loads(without_numbers(received.accepted or str(received)))
        return diff_lines(stored, shown, broken=received.broken, whole=whole)
    lines = [f"+ {line}" for line in received.splitlines()]
    if whole or len(lines) <= MOST_NEW_LINES:
        return lines
    return [*lines[:MOST_NEW_LINES], f"... and {len(lines) - MOST_NEW_LINES} more lines (-vv shows all)"]


def fits(lines: list[str]) -> bool:
    """Whether pytest shows these lines without cutting them."""
    return len(lines) <= MOST_LINES and sum(map(len, styled(lines))) <= MOST_CHARACTERS


def first(lines: list[str]) -> list[str]:
    """As many lines as surely fit, with one more below them."""
    left = MOST_CHARACTERS // 2
    for number, line in enumerate(styled(lines[: MOST_LINES - 1])):
        left -= len(line)
        if left < 0:
            return lines[:number]
    return lines[: MOST_LINES - 1]


def styled(lines: list[str]) -> list[str]:
    """The lines in syrupy's colours, where it has them switched on."""
    return [_style(line.lstrip()[:1])(line) for line in lines]


def shown(location: str, root: Path) -> str:
    """A file for people: relative to the root of the tests, with slashes."""
    path = Path(location)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else location


def _style(sign: str) -> Callable[[str], str]:
    return {"-": snapshot_style, "+": received_style}.get(sign, str)


def _parsed(text: str) -> tuple[Any, str]:
    """The value of a JSON text, and why it is not valid; empty if it is."""
    try:
        text.encode("utf-8")
        return loads(text), ""
    except UnicodeEncodeError:
        return None, "it is not UTF-8"
    except (ValueError, RecursionError) as error:
        return None, str(error)
