"""What a project says of its own values in ``[snapshots]`` of ``wisebot.toml``: what is noise, and what is not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ..redaction.jsonpath import Pattern, Wild
from ..redaction.user_rules import Matcher, matcher
from .patterns import BUILT_IN, MASKS, scanner


@dataclass(frozen=True)
class NormaliserConfig:
    """What a project says of its own values in ``[snapshots]`` of ``wisebot.toml``.

    Attributes:
        keys: names of keys, in any case, with the name of the placeholder for the values under them. Null and the empty
            text stay: that nothing is there is no noise.
        patterns: names of placeholders, with a regular expression, or the name of a ready-made one, for the texts, or
            parts of texts, that they replace.
        keep: JSON paths, or names of keys at any depth, whose values stay as they are with all they hold.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    patterns: Mapping[str, str] = field(default_factory=dict)
    keep: tuple[str, ...] = ()

    @cached_property
    def compiled(self) -> Compiled:
        """The same, ready for use: a session normalises thousands of values by one set of habits."""
        names = tuple(dict.fromkeys((*BUILT_IN, *MASKS, *self.keys.values(), *self.patterns)))
        kept = [Pattern.parse(text) for text in self.keep]
        return Compiled(
            keys={key.casefold(): name for key, name in self.keys.items()},
            patterns=tuple((name, _expression(name, text)) for name, text in self.patterns.items()),
            kept_keys=frozenset(str(pattern.steps[-1]) for pattern in kept if _is_name(pattern)),
            kept_paths=tuple(pattern for pattern in kept if not _is_name(pattern)),
            placeholder=re.compile(rf"<({'|'.join(map(re.escape, names))})(?::(\d+))?>"),
            plain=scanner(names, urls=False),
            with_urls=scanner(names, urls=True),
        )


@dataclass(frozen=True)
class Compiled:
    """What `NormaliserConfig` say, as `normalise` asks for it."""

    keys: Mapping[str, str]
    patterns: tuple[tuple[str, Matcher], ...]
    kept_keys: frozenset[str]
    kept_paths: tuple[Pattern, ...]
    placeholder: re.Pattern[str]
    plain: re.Pattern[str]
    with_urls: re.Pattern[str]


def _is_name(pattern: Pattern) -> bool:
    """Whether a pattern is a key at any depth, written as its name alone or behind ``**``."""
    *before, last = pattern.steps or [None]
    return isinstance(last, str) and before in ([], [Wild.DEPTH])


def _expression(name: str, text: str) -> Matcher:
    try:
        return matcher(text)
    except ValueError as error:
        raise ValueError(f"the pattern {name!r}: {error}") from None
