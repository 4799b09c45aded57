"""Credentials that do not show."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import NoReturn

MASK = "<secret>"
"""What stands in the place of a credential."""

REDACTED = "<redacted>"
"""What stands in the place of a value that the project redacts."""


class Secret:
    """A credential that no `repr`, format, comparison, pickle or copy shows; only `reveal` does."""

    __slots__ = ("_reveal",)

    def __init__(self, value: str) -> None:
        self._reveal: Callable[[], str] = lambda: value  # in a closure, where no debugger's listing of fields looks

    def reveal(self) -> str:
        """The credential itself. Ask as late as possible and let go at once."""
        return self._reveal()

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.reveal().encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash(self.reveal())

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: it would leave the process readable")
