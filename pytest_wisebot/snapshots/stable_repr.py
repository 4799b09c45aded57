"""Texts of rules that are the same in each session: a `repr` may hold addresses, the time, and sets in any order."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")
_NOW = re.compile(  # dirty_equals shows when the rule was made; what the parentheses hold, three deep
    r"\b(IsNow|IsToday)\(approx=datetime\.date(?:time)?\([^()]*(?:\([^()]*(?:\([^()]*\)[^()]*)*\)[^()]*)*\)(?:,\ )?"
)
_TOKEN = re.compile(
    r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|<[^<>()\[\]{}]*>|[()\[\]{},:]|[^'"<()\[\]{},:]+|.""", re.DOTALL
)


def steady(text: str) -> str:
    """The `repr` of a rule, without what differs from session to session."""
    text = _NOW.sub(r"\1(", _ADDRESS.sub("", text))
    return _with_sorted_sets(text) if "{" in text else text


@dataclass
class _Group:
    """What stands between two brackets."""

    opening: str = ""
    items: list[str] = field(default_factory=lambda: [""])
    pairs: bool = False

    def add(self, token: str) -> None:
        if token == ",":
            self.items.append("")
        else:
            self.items[-1] += token
            self.pairs = self.pairs or token == ":"

    def __str__(self) -> str:
        if self.opening == "{" and not self.pairs:
            return "{" + ", ".join(sorted(item.strip() for item in self.items))
        return self.opening + ",".join(self.items)


def _with_sorted_sets(text: str) -> str:
    groups = [_Group()]
    for token in _TOKEN.findall(text):
        if token in ("(", "[", "{"):
            groups.append(_Group(token))
        elif token in (")", "]", "}") and len(groups) > 1:
            closed = groups.pop()
            groups[-1].add(f"{closed}{token}")
        else:
            groups[-1].add(token)
    return "".join(group.opening + ",".join(group.items) for group in groups)  # what was not closed is no Python
