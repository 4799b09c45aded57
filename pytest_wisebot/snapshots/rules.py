"""Rules for values that differ from run to run: any object with ``==`` states what must hold; its text is stored.

A rule's text is its `repr` without addresses, the time, and the order of sets. It is taken before anything is compared,
and each value meets a fresh copy, because dirty_equals shows the value that it matched in its `repr` from then on.
"""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from typing import Any

from ..redaction.jsonpath import Path, Pattern, all_paths
from ..text import LONGEST_PATH, show_path, truncate_middle

MOST_PATHS = 20
"""How many paths an error lists."""


class RuleError(ValueError):
    """A rule or an exclusion has a path that is not valid or matches nothing; the message lists the paths there are."""


@dataclass(frozen=True)
class Ruled:
    """A value that was held to its rules.

    Attributes:
        value: a copy with the rule's text in the place of each value that satisfies it.
        kept: the paths of these texts.
        broken: the path of each value that breaks a rule, with that rule's text; such a value stands as it came, and so
            does all around it.
    """

    value: Any
    kept: frozenset[Path]
    broken: Mapping[Path, str]


def apply_rules(value: Any, rules: Mapping[str, object]) -> Ruled:
    """Holds a value to rules by path.

    Every rule is judged, against the value as it was received. Where several find one path, all must hold, and their
    texts stand joined by ``&``. Where rules hold for a value and for what is inside of it, the outer one's text stands
    for the whole; if something inside is broken, the value stays, so that it can be shown.

    Args:
        value: what was received.
        rules: what must hold, by path or pattern of paths; compared by ``==`` alone: a type does not hold for its
            instances. One that the test itself has compared before may show what it matched: make it where it is used.

    Raises:
        RuleError: a path is not valid, or matches nothing.
    """
    judged: dict[Path, list[tuple[str, bool]]] = {}  # of each rule its text, and whether it holds
    for text, rule in rules.items():
        shown, fresh = _text_of(rule, text), _copier(rule)
        for path, item in _found(value, text, "rules"):
            judged.setdefault(path, []).append(_judged(fresh, shown, item))
    broken = {path: _joined(text for text, holds in found if not holds) for path, found in judged.items()}
    broken = {path: text for path, text in broken.items() if text}
    texts = {path: _joined(text for text, _ in found) for path, found in judged.items()}
    kept = _outermost(texts, broken)
    return Ruled(replaced_at(value, {path: texts[path] for path in kept}), kept, broken)


def exclude(value: Any, patterns: str | Iterable[str]) -> Any:
    """A copy of a value without what stands at these paths; the elements behind an excluded one move up.

    Raises:
        RuleError: a path is not valid, matches nothing, or is the whole value.
    """
    paths = {path for text in _several(patterns) for path, _ in _found(value, text, "exclude")}
    if () in paths:
        raise RuleError("exclude: the whole value would be excluded, and nothing be compared")
    return replaced_at(value, dict.fromkeys(paths, _GONE))


def _several(patterns: str | Iterable[str]) -> Iterable[str]:
    return [patterns] if isinstance(patterns, str) else patterns


# --- one rule, one value


def _text_of(rule: object, path: str) -> str:
    """A rule's text, the same in each session."""
    try:
        return steady(repr(rule))
    except Exception as error:
        raise RuleError(f"rules: the repr of the rule for {path!r} raised {type(error).__name__}: {error}") from error


def _judged(fresh: Callable[[], object], text: str, value: Any) -> tuple[str, bool]:
    try:
        return text, bool(fresh() == value)
    except Exception as error:  # noqa: BLE001 - anyone's == may raise anything
        return f"{text} (== raised {type(error).__name__}: {error!s:.200})", False


def _copier(rule: object) -> Callable[[], object]:
    """What makes fresh copies of a rule: by pickle where that can, several times faster than `copy` for many rows."""
    if not hasattr(rule, "__deepcopy__"):
        try:
            data = pickle.dumps(rule, pickle.HIGHEST_PROTOCOL)
            pickle.loads(data)
        except Exception:  # noqa: BLE001 - lambdas, local classes, and what else cannot be found by its name
            pass
        else:
            return partial(pickle.loads, data)
    try:
        copy.deepcopy(rule)
    except Exception:  # noqa: BLE001 - some objects cannot be copied at all, for reasons of their own
        return lambda: rule
    return partial(copy.deepcopy, rule)


def _joined(texts: Iterable[str]) -> str:
    return " & ".join(dict.fromkeys(texts))


def _outermost(texts: Mapping[Path, str], broken: Mapping[Path, str]) -> frozenset[Path]:
    """The paths whose text stands in the value: no text within another one, and none around what is broken."""
    around = {path[:size] for path in broken for size in range(len(path) + 1)}
    standing: set[Path] = set()
    for path in sorted(texts, key=len):
        if path not in around and not any(path[:size] in standing for size in range(len(path))):
            standing.add(path)
    return frozenset(standing)


# --- paths


def _found(value: Any, text: str, what: str) -> list[tuple[Path, Any]]:
    try:
        pattern = Pattern.parse(text)
    except ValueError as error:
        raise RuleError(f"{what}: {error}") from None
    paths = pattern.found_in(value)
    if not paths:
        raise RuleError(_nothing_found(value, text, what))
    return [(path, value_at(value, path)) for path in paths]


def value_at(value: Any, path: Path) -> Any:
    """What stands at a path that is there."""
    for step in path:
        value = value[step]
    return value


def _nothing_found(value: Any, text: str, what: str) -> str:
    there = list(dict.fromkeys(map(_without_indices, all_paths(value))))
    near = get_close_matches(text, there[:1000], n=1)
    listed = "".join(f"\n  {truncate_middle(path, LONGEST_PATH)}" for path in there[:MOST_PATHS])
    more = f"\n  … and {len(there) - MOST_PATHS} more" if len(there) > MOST_PATHS else ""
    asked = f"; did you mean {near[0]!r}?" if near else "."
    return f"{what}: {text!r} matches nothing{asked} The paths there are:{listed}{more}"


def _without_indices(path: Path) -> str:
    """A path that stands for the same place in all rows, so that a long list does not fill the error."""
    shown = (show_path((step,)) if isinstance(step, str) else "[*]" for step in path)
    return "".join(step if step.startswith("[") else f".{step}" for step in shown).removeprefix(".") or "$"


_GONE = object()
"""In the place of a value that is taken out."""


def replaced_at(value: Any, new: Mapping[Path, Any]) -> Any:
    """A value with others at these paths, none of which lies within another; what is on no path is not copied."""
    if () in new:
        return new[()]
    within: dict[Any, dict[Path, Any]] = {}
    for path, item in new.items():
        within.setdefault(path[0], {})[path[1:]] = item
    copied: Any = dict(value) if isinstance(value, Mapping) else list(value)
    for step in sorted(within, reverse=True):  # from the end, so that what is taken out moves nothing still to come
        item = replaced_at(copied[step], within[step])
        if item is _GONE:
            del copied[step]
        else:
            copied[step] = item
    return copied


# --- the text of a rule, the same in each session

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
    # An unclosed group would not be valid Python: its text comes back as it was.
    return "".join(group.opening + ",".join(group.items) for group in groups)
