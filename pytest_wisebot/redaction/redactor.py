"""Text and JSON without the credentials of a session, in whatever form a header, a URL or a log line gives them.

`TruncatedSecrets` finds what a truncation leaves of a credential: its head before the dots, its tail behind them.
"""

from __future__ import annotations

import re
import string
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate
from typing import Any, Final

from ..originals import threading
from .formats import FORMATS, HEADERS, header_spans, header_value
from .forms import (
    MASK,
    REDACTED,
    SHORTEST_SECRET,
    Form,
    FormsByView,
    SearchText,
    Secret,
    Span,
    by_view,
    candidate_forms,
    forms_of,
    is_in,
    literal_forms,
)
from .linear import Stop, StoppedError, never
from .user_rules import PARTS, Redact, UserRules

SHORTEST_FRAGMENT: Final = 4
"""Characters beside a truncation from which on they are taken for a part of a credential."""

_CUTS: Final = (
    (("..",), re.compile(r"\.\.(?:\.[\])>]?|(?<=\s\.\.)(?=\s))")),
    (("…",), re.compile(r"…[\])>]?")),
    (("\\", "\\u2026"), re.compile(r"\\u2026[\])>]?")),
    (("]", " chars]"), re.compile(r"\[\+?\d{1,9} chars\]")),
    (("truncated",), re.compile(r"truncated(?<=[\[(<]truncated)[\])>]")),
    (("*", "***"), re.compile(r"\*{3,64}")),
)
"""Patterns of truncation marks, each with substrings of every match: single characters are found fastest."""

_OPEN: Final = frozenset("[(<")
_SHAPED_HEAD: Final = re.compile(r"eyJ[A-Za-z0-9_.-]{4,}\Z|wb_live_[A-Za-z0-9_-]*\Z")
_SHAPED_TAIL: Final = re.compile(r"[A-Za-z0-9_.-]*")
_OF_SHAPES: Final = f"{string.ascii_letters}{string.digits}_.-"
_LONGEST_SHAPE: Final = 2048


class TruncatedSecrets:
    """Finds parts of these credentials beside the truncation marks in a string.

    Attributes:
        has_escapes: a form of a credential has a backslash, so that JSON writes its parts in another way.
    """

    def __init__(self, credentials: Iterable[str]) -> None:
        forms = sorted({form for credential in credentials for form in literal_forms(credential)})
        self._joined = "\0".join(forms)
        self._longest = max(map(len, forms), default=0)
        self._heads: dict[str, set[str]] = {}
        self._tails: dict[str, set[str]] = {}
        self.has_escapes = "\\" in self._joined

    @cached_property
    def _parts(self) -> frozenset[str]:
        """All parts of the shortest length: few of the many cuts in ordinary texts have one beside them."""
        joined = self._joined
        return frozenset(joined[at : at + SHORTEST_FRAGMENT] for at in range(len(joined) - SHORTEST_FRAGMENT + 1))

    def may_be_in(self, data: bytes) -> bool:
        """Whether a part may stand in JSON. False is certain."""
        text = data.decode("utf-8")
        return bool(_cuts(text)) if self.has_escapes else any(self.spans(text))

    def spans(self, text: str) -> Iterator[Span]:
        """Where heads, tails and middles stand."""
        cuts = _cuts(text)
        shaped = bool(cuts) and ("eyJ" in text or "wb_live_" in text)
        for index, (start, end) in enumerate(cuts):
            if not (shaped or self._is_beside(text, start, end)):
                continue
            first = cuts[index - 1][1] if index else 0
            last = cuts[index + 1][0] if index + 1 < len(cuts) else len(text)
            if first < start:
                yield from self._head(text, first, start)
                if shaped and (head := _shaped_head(text, max(first, start - _LONGEST_SHAPE), start)):
                    yield head
                    yield end, _end_of_shape(text, end, last)
            if end < last:
                yield from self._tail(text, end, last)
                yield from self._middle(text, end, last, index + 1 < len(cuts))

    def _is_beside(self, text: str, start: int, end: int) -> bool:
        """Whether anything beside a cut, or behind a blank there, may be a part of a credential."""
        parts, size = self._parts, SHORTEST_FRAGMENT
        before, after = text[max(0, start - size - 1) : start], text[end : end + size + 1]
        return before[-size:] in parts or before[:size] in parts or after[:size] in parts or after[-size:] in parts

    def _head(self, text: str, first: int, last: int) -> Iterator[Span]:
        for end in {last, _stripped_end(text, first, last)}:
            part = text[max(first, end - self._longest) : end]
            longest = max(filter(part.endswith, self._heads_to(part[-SHORTEST_FRAGMENT:])), key=len, default="")
            if longest:
                yield end - len(longest), end

    def _tail(self, text: str, first: int, last: int) -> Iterator[Span]:
        for start in {first, _stripped_start(text, first, last)}:
            part = text[start : min(last, start + self._longest)]
            longest = max(filter(part.startswith, self._tails_from(part[:SHORTEST_FRAGMENT])), key=len, default="")
            if longest:
                yield start, start + len(longest)

    def _heads_to(self, end: str) -> Iterable[str]:
        """The beginnings of the forms that end so, looked for once."""
        if end not in self._heads and end in self._joined:
            starts = ((self._joined.rfind("\0", 0, at) + 1, at + len(end)) for at in self._places(end))
            self._heads[end] = {self._joined[start:stop] for start, stop in starts}
        return self._heads.get(end, ())

    def _tails_from(self, begin: str) -> Iterable[str]:
        """The ends of the forms that begin so, looked for once."""
        if begin not in self._tails and begin in self._joined:
            stops = ((at, self._joined.find("\0", at)) for at in self._places(begin))
            self._tails[begin] = {self._joined[at : stop if stop >= 0 else None] for at, stop in stops}
        return self._tails.get(begin, ())

    def _places(self, part: str) -> Iterator[int]:
        at = self._joined.find(part) if part in self._parts else -1
        while at >= 0:
            yield at
            at = self._joined.find(part, at + 1)

    def _middle(self, text: str, first: int, last: int, cut: bool) -> Iterator[Span]:
        """What stands between two cuts, when the whole of it is a part of a credential."""
        start, end = _stripped_start(text, first, last), _stripped_end(text, first, last)
        if cut and SHORTEST_FRAGMENT <= end - start <= self._longest and text[start:end] in self._joined:
            yield start, end


def _cuts(text: str) -> list[Span]:
    """Where something was cut out, brackets around it included."""
    found = [cuts for signs, cuts in _CUTS if all(text.rfind(sign) >= 0 for sign in signs)]
    spans = [cut.span() for cuts in found for cut in cuts.finditer(text)]
    return sorted((start - (text[max(0, start - 1) : start] in _OPEN), end) for start, end in spans)


def _shaped_head(text: str, first: int, last: int) -> Span | None:
    part = text[first:last]
    if "eyJ" not in part and "wb_live_" not in part:
        return None
    # From the last character on that cannot be part of it: else the part is read again from each "eyJ" in it.
    found = _SHAPED_HEAD.search(part, len(part.rstrip(_OF_SHAPES)))
    return (first + found.start(), last) if found else None


def _end_of_shape(text: str, first: int, last: int) -> int:
    found = _SHAPED_TAIL.match(text, first, last)
    return found.end() if found else first


def _stripped_end(text: str, first: int, last: int) -> int:
    return last - 1 if last > first and text[last - 1] in " \t\n" else last


def _stripped_start(text: str, first: int, last: int) -> int:
    return first + 1 if first < last and text[first] in " \t\n" else first


__all__ = ["SHORTEST_SECRET", "Redactor"]

_Replacement = tuple[int, int, str]

_HEADERS: Final = by_view(HEADERS)

_TELLING_ESCAPES: Final = (b"\\u", b"\\t", b"\\nE ")
"""By which JSON may write letters, and blanks, that are a part of a credential, or the lines of a failure."""

_ESCAPED_LINES: Final = (b"\\n", b"\\r")

_LONGEST_CLEAN: Final = 4096
_MOST_CLEAN: Final = 2**20
"""Characters, of one text and of all together, that are remembered as holding nothing."""


class _CleanCache:
    """Texts that hold no credential, as far as the credentials are known now.

    Most texts of a session are cleaned several times: an answer goes into the result of its run, the store and the log,
    the id of a test into each line about it.
    """

    def __init__(self) -> None:
        self._characters = 0
        self.texts: dict[str, bool] = {}
        """Each with whether it names a header that carries a credential: then the text beside it matters.

        A full cache is replaced by an empty one; a caller that reads it twice keeps the old one.
        """

    def __contains__(self, text: str) -> bool:
        return text in self.texts

    def add(self, text: str, *, names_header: bool) -> None:
        """Remembers a string, unless it is long; and forgets all of them where they have become too many."""
        if len(text) > _LONGEST_CLEAN:
            return
        if self._characters > _MOST_CLEAN:
            self.texts, self._characters = {}, 0
        self.texts[text] = names_header
        self._characters += len(text)


@dataclass(frozen=True, slots=True)
class _State:
    """Credentials and rules at one moment. It is replaced as a whole, so that threads that clean need no lock."""

    values: frozenset[str]
    forms: tuple[Form, ...]
    views: FormsByView
    truncated: TruncatedSecrets
    rules: UserRules
    clean_texts: _CleanCache = field(default_factory=_CleanCache)


_NOTHING: Final = _State(frozenset(), (), by_view(FORMATS), TruncatedSecrets(()), UserRules(Redact()))


class Redactor:
    """Takes known credentials, and everything in a credential's format, out of text and JSON.

    The project's own rules (see `Redact`) hold as well. Safe to use from several threads: one may add credentials while
    others clean.
    """

    def __init__(self, secrets: Iterable[Secret] = (), redact: Redact | None = None) -> None:
        self._lock = threading.Lock()
        self._state = _NOTHING
        self.add(*secrets)
        if redact is not None:
            self.follow(redact)

    def add(self, *secrets: Secret) -> None:
        """Masks these credentials from now on."""
        with self._lock:
            values = {value for secret in secrets if len(value := secret.reveal()) >= SHORTEST_SECRET}
            fresh = values - self._state.values
            if fresh:
                every = self._state.values | fresh
                forms = (*self._state.forms, *(form for value in fresh for form in forms_of(value)))
                views = by_view((*forms, *FORMATS))
                truncated = TruncatedSecrets(every)
                self._state = _State(every, forms, views, truncated, self._state.rules)

    @property
    def count(self) -> int:
        """How many credentials are known. A string that was written while it was lower may need to be cleaned again."""
        return len(self._state.values)

    def follow(self, redact: Redact) -> None:
        """Follows the project's rules from now on, in place of earlier ones."""
        with self._lock:
            self._state = replace(self._state, rules=UserRules(redact), clean_texts=_CleanCache())

    def clean(self, text: str, stop: Stop = never) -> str:
        """``text`` with `MASK` in the place of every credential, and `REDACTED` in that of the project's patterns.

        Where ``...``, ``…``, ``***`` or ``[+12 chars]`` stands, a `repr`, pytest or a workflow has cut something out:
        the head and the tail of a credential beside it are masked as well.
        """
        state = self._state
        if text in state.clean_texts:
            return text
        forms = _candidate_forms(state, SearchText.of(text), _HEADERS)
        cleaned = _cleaned(text, forms, state, stop)
        if cleaned == text:
            state.clean_texts.add(text, names_header=_names_header(forms))
        return cleaned

    def clean_json(self, value: Any, stop: Stop = never) -> Any:
        """A copy of a JSON value whose texts, keys included, are clean, and whose redacted keys hold `REDACTED`."""
        return _Walk(self._state, value, stop).copied(value)

    def clean_answer(self, answer: Mapping[str, Any], stop: Stop = never) -> dict[str, Any]:
        """An answer, cleaned as a whole; the project's paths are looked for in it and in its parts.

        Args:
            answer: ``result`` and ``error``, and the keys beside them.
            stop: whether to give up.

        Raises:
            StoppedError: ``stop`` asked for it.
        """
        redacted = self._state.rules.without_paths(answer)
        # The keys of the parts are Wisebot's: a project that redacts a key of such a name means its own, further in.
        ours = [part for part in PARTS if part in redacted]
        rest = {key: item for key, item in redacted.items() if key not in ours}
        cleaned, parts = self.clean_json([rest, [redacted[part] for part in ours]], stop)
        return {**cleaned, **dict(zip(ours, parts, strict=True))}

    def clean_inputs(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """An input bag as it is published, cleaned; the project's paths are looked for in it."""
        bag = self._state.rules.without_paths({"inputs": inputs}, ("inputs",))["inputs"]
        (cleaned,) = self.clean_json([bag])
        return cleaned if isinstance(cleaned, dict) else self.clean_json(dict.fromkeys(inputs, REDACTED))

    def is_clean_json(self, data: bytes) -> bool:
        """Whether JSON as a whole needs no cleaning; False where only its parts can show it.

        For lines of a log and for answers: nearly all are clean, and to parse them would cost many times more.
        """
        state = self._state
        if not state.rules.is_empty or any(is_in(data, escape) for escape in _TELLING_ESCAPES):
            return False
        searched = SearchText(data)
        if _candidate_forms(state, searched):
            return False
        if state.truncated.may_be_in(data):
            return False
        if not candidate_forms(_HEADERS, searched):
            return True
        # Between a header's name and its value lines may end, which JSON writes in another way.
        return not any(is_in(data, escape) for escape in _ESCAPED_LINES) and not any(header_spans(data.decode("utf-8")))

    def credential_spans(self, text: str) -> list[Span]:
        """Where credentials stand, by value or by their looks, in order; those that overlap are one."""
        state = self._state
        if text in state.clean_texts:
            return []
        found = _found(text, _candidate_forms(state, SearchText.of(text)))
        return [(start, end) for start, end, _ in _merged(found)]

    def clean_credentials(self, text: str, mask: str) -> str:
        """Another mask in the place of every credential; what only the project redacts stays."""
        return _replaced(text, ((start, end, mask) for start, end in self.credential_spans(text)))

    def may_hold_credential(self, searched: SearchText) -> bool:
        """Whether a string may hold a credential. A quick look: False is certain, True is not."""
        return bool(_candidate_forms(self._state, searched))

    @property
    def has_patterns(self) -> bool:
        """Whether the project redacts by patterns, which take longer."""
        return bool(self._state.rules.patterns)

    @property
    def longest(self) -> int:
        """Characters of the longest known credential."""
        return max(map(len, self._state.values), default=0)


def _candidate_forms(state: _State, searched: SearchText, more: FormsByView = ()) -> list[Form]:
    """The forms that may be in a string."""
    return candidate_forms(state.views, searched) + candidate_forms(more, searched)


def _names_header(forms: Iterable[Form]) -> bool:
    return any(form in HEADERS for form in forms)


def _cleaned(text: str, forms: Iterable[Form], state: _State, stop: Stop = never) -> str:
    if stop():
        raise StoppedError
    found = _found(text, forms)
    if state.rules.patterns:
        found += [(start, end, REDACTED) for start, end in state.rules.spans(text, stop)]
    cleaned = _replaced(text, found) if found else text
    # Of what is still there: a credential that stands whole beside a cut is not the head of one.
    cut = [(start, end, MASK) for start, end in state.truncated.spans(cleaned)]
    return _replaced(cleaned, cut) if cut else cleaned


def _found(text: str, forms: Iterable[Form]) -> list[_Replacement]:
    return [(start, end, MASK) for form in forms for start, end in form.spans(text)]


def _replaced(text: str, found: Iterable[_Replacement]) -> str:
    pieces: list[str] = []
    at = 0
    for start, end, mask in _merged(found):
        pieces += (text[at:start], mask)
        at = end
    return "".join((*pieces, text[at:]))


def _merged(found: Iterable[_Replacement]) -> Iterator[_Replacement]:
    """In order, and those that overlap as one: of two credentials that share characters nothing may stay."""
    current: _Replacement | None = None
    for start, end, mask in sorted(found):
        if end <= start:
            continue
        if current is None:
            current = (start, end, mask)
        elif start < current[1]:
            current = (current[0], max(end, current[1]), MASK if MASK in (mask, current[2]) else mask)
        else:
            yield current
            current = (start, end, mask)
    if current is not None:
        yield current


class _Walk:
    """One way through a JSON value.

    All its texts are cleaned before, each once and as one long text: pattern by pattern for each of a hundred thousand
    short texts would take seconds.
    """

    def __init__(self, state: _State, value: Any, stop: Stop) -> None:
        texts: dict[str, None] = {}
        _collect(value, texts)
        self._clean, self._headers = _cleaned_texts(texts, state, stop)
        self._keys = state.rules.keys
        self._by_key = bool(self._keys) or self._headers

    def copied(self, value: Any) -> Any:
        """A clean copy."""
        if isinstance(value, str):
            return self._clean.get(value, value)
        if isinstance(value, dict | Mapping):
            copied = self._under_key if self._by_key else self._under_any_key
            clean = self._clean.get
            found = {clean(key, key): copied(key, item) for key, item in value.items()}
            return found if len(found) == len(value) else self._apart(value, copied)
        if isinstance(value, list | tuple):
            return [self.copied(item) for item in value]
        return value

    def _apart(self, value: Mapping[Any, Any], copied: Callable[[Any, Any], Any]) -> dict[Any, Any]:
        """A copy of an object whose keys look alike once they are clean: numbered, so that no value is lost."""
        apart: dict[Any, Any] = {}
        for key, item in value.items():
            shown = clean = self._clean.get(key, key)
            number = 1
            while shown in apart or (shown != key and shown in value):
                number += 1
                shown = f"{clean} ({number})"
            apart[shown] = copied(key, item)
        return apart

    def _under_any_key(self, _: Any, item: Any) -> Any:
        return self.copied(item)

    def _under_key(self, key: Any, item: Any) -> Any:
        if isinstance(key, str):
            if key.casefold() in self._keys:
                return REDACTED
            if self._headers and isinstance(item, str) and (span := header_value(key, item)):
                return self.copied(item[: span[0]]) + MASK + self.copied(item[span[1] :])
        return self.copied(item)


_BETWEEN_TEXTS: Final = "\n\0\n"
"""What no form of a credential goes across."""


def _collect(value: Any, texts: dict[str, None]) -> None:
    if isinstance(value, str):
        texts[value] = None
    elif isinstance(value, dict | Mapping):  # a `dict` first: to ask an abstract class takes its time
        for key, item in value.items():
            if isinstance(key, str):
                texts[key] = None
            _collect(item, texts)
    elif isinstance(value, list | tuple):
        for item in value:
            _collect(item, texts)


def _cleaned_texts(texts: Collection[str], state: _State, stop: Stop) -> tuple[dict[str, str], bool]:
    """The texts that hold something, cleaned; and whether any of all names a header that carries a credential."""
    remembered = state.clean_texts.texts
    fresh = [text for text in texts if text not in remembered]
    named = any(remembered.get(text) for text in texts)
    if not fresh:
        return {}, named
    joined = _BETWEEN_TEXTS.join(fresh)
    forms = _candidate_forms(state, SearchText.of(joined), _HEADERS)
    hit = set(_hit(fresh, (form.spans(joined) for form in forms)))
    hit |= set(_hit(fresh, [state.truncated.spans(joined)]))
    if state.rules.patterns:
        hit.update(range(len(fresh)))  # "^" and "$" are the ends of each text
    changed = {fresh[index]: _cleaned(fresh[index], forms, state, stop) for index in hit}
    changed = {text: clean for text, clean in changed.items() if clean != text}
    name_header = _names_header(forms)
    for text in fresh:
        if text not in changed:
            state.clean_texts.add(
                text, names_header=name_header and _names_header(candidate_forms(_HEADERS, SearchText.of(text)))
            )
    return changed, named or name_header


def _hit(texts: Sequence[str], found: Iterable[Iterable[Span]]) -> Iterator[int]:
    """Which of the texts, that are one here, something was found in."""
    starts: list[int] = []
    for spans in found:
        for start, _ in spans:
            starts = starts or list(accumulate((len(text) + len(_BETWEEN_TEXTS) for text in texts), initial=0))
            yield bisect_right(starts, start) - 1
