"""The ids of a test's runs: the one that is compared becomes ``<run-id>``, the others are numbered, ``<run-id:1>``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cached_property

from .patterns import identity

SHORTEST_RUN_ID = 6
"""Characters that a run id needs to be known within texts: a shorter one ("42") would stand in prices too."""

Give = Callable[[str, str], str]
"""The placeholder for a value of a kind."""

_FEW = 4
_WORD = re.compile(r"[0-9A-Za-z]+")


class RunIds:
    """The ids that are known in one comparison.

    Args:
        own: the id of the run that is compared, or that a part is of.
        others: those of the test's other runs.
    """

    def __init__(self, own: str | None = None, others: Iterable[str] = ()) -> None:
        self._own = own or ""
        self._all = dict.fromkeys(filter(None, (own, *others)))
        self._long = sorted((one for one in self._all if len(one) >= SHORTEST_RUN_ID), key=len, reverse=True)
        self.any_long = bool(self._long)
        self._words = {word[0] for one in self._long if (word := _WORD.search(one))}
        self._by_kind: dict[str, dict[str, str]] = {}
        self.may_be_numbers = any(map(str.isdecimal, self._all))

    def __contains__(self, text: str) -> bool:
        return text in self._all

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What finds those in a text that are long enough for that."""
        return re.compile(rf"(?<![0-9A-Za-z])(?:{'|'.join(map(re.escape, self._long))})(?![0-9A-Za-z])")

    def may_be_in(self, text: str) -> bool:
        """Whether the pattern is worth while: it takes long for a thousand ids, and their first words do not."""
        if len(self._long) <= _FEW:
            return any(run_id in text for run_id in self._long)
        return not self._words.isdisjoint(_WORD.findall(text))

    def another_in(self, text: str) -> bool:
        """Whether the id of another run stands in a text."""
        return self.may_be_in(text) and any(found != self._own for found in self.pattern.findall(text))

    def placeholder(self, give: Give, run_id: str) -> str:
        """What takes the place of an id."""
        return "<run-id>" if run_id == self._own else give("run-id", run_id)

    def same_as(self, kind: str, value: str) -> str | None:
        """The id that is this value of its kind: that of a UUID may stand there in another case."""
        if kind not in self._by_kind:
            self._by_kind[kind] = {identity(kind, run_id): run_id for run_id in self._all}
        return self._by_kind[kind].get(value)
