"""Text and JSON without the credentials of a session, in whatever form a header, a URL or a log line gives them."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any, Final

from .formats import HEADERS, SHAPES, header_spans, header_value
from .forms import SHORTEST_SECRET, Form, Lanes, SearchText, Span, by_lane, forms_of, suspects
from .secret import MASK, REDACTED, Secret
from .truncated import TruncatedSecrets
from .user_rules import PARTS, Project, Redact

__all__ = ["SHORTEST_SECRET", "Redactor"]

_Marked = tuple[int, int, str]

_HEADERS: Final = by_lane(HEADERS)

_TELLING_ESCAPES: Final = (b"\\u", b"\\t")
"""By which JSON may write letters, and blanks, that are a part of a credential."""

_ESCAPED_LINES: Final = (b"\\n", b"\\r")

_LONGEST_HARMLESS: Final = 4096
_MOST_HARMLESS: Final = 2**20
"""Characters, of one text and of all together, that are remembered as holding nothing."""


class _CleanCache:
    """Texts that hold nothing, as far as is known now.

    Most texts of a session are cleaned several times: what a run answered goes into its result, the store and the log,
    a test's id into each line about it.
    """

    def __init__(self) -> None:
        self._characters = 0
        self.texts: dict[str, bool] = {}
        """Each with whether it names a header that carries a credential: then what stands beside it matters.

        Another one in its place when they have become too many: who asks twice keeps to the one that he has.
        """

    def __contains__(self, text: str) -> bool:
        return text in self.texts

    def add(self, text: str, *, names_header: bool) -> None:
        """Remembers a text, unless it is long; and forgets all of them where they have become too many."""
        if len(text) > _LONGEST_HARMLESS:
            return
        if self._characters > _MOST_HARMLESS:
            self.texts, self._characters = {}, 0
        self.texts[text] = names_header
        self._characters += len(text)


@dataclass(frozen=True, slots=True)
class _State:
    """All that is known at one moment; replaced as a whole, so that who cleans meanwhile needs no lock."""

    values: frozenset[str]
    forms: tuple[Form, ...]
    lanes: Lanes
    fragments: TruncatedSecrets
    project: Project
    harmless: _CleanCache = field(default_factory=_CleanCache)


_NOTHING: Final = _State(frozenset(), (), by_lane(SHAPES), TruncatedSecrets(()), Project(Redact()))


class Redactor:
    """Takes the credentials it knows, and whatever has a credential's shape, out of text and JSON.

    What a project redacts of its own (see `Redact`) goes with them. Safe to use from several threads: credentials may
    be added while others clean.
    """

    def __init__(self, secrets: Iterable[Secret] = (), redact: Redact | None = None) -> None:
        self._lock = threading.Lock()
        self._known = _NOTHING
        self.add(*secrets)
        if redact is not None:
            self.follow(redact)

    def add(self, *secrets: Secret) -> None:
        """Masks these credentials from now on."""
        with self._lock:
            values = {value for secret in secrets if len(value := secret.reveal()) >= SHORTEST_SECRET}
            fresh = values - self._known.values
            if fresh:
                every = self._known.values | fresh
                forms = (*self._known.forms, *(form for value in fresh for form in forms_of(value)))
                lanes = by_lane((*forms, *SHAPES))
                fragments = TruncatedSecrets(every)
                self._known = _State(every, forms, lanes, fragments, self._known.project)

    @property
    def count(self) -> int:
        """How many credentials it knows: who has written something while it knew fewer may clean it again."""
        return len(self._known.values)

    def follow(self, redact: Redact) -> None:
        """Redacts what the project says from now on, and no longer what it said before."""
        with self._lock:
            self._known = replace(self._known, project=Project(redact), harmless=_CleanCache())

    def clean(self, text: str) -> str:
        """``text`` with `MASK` in the place of every credential, and `REDACTED` in that of the project's patterns."""
        known = self._known
        if text in known.harmless:
            return text
        forms = _suspects(known, SearchText.of(text), _HEADERS)
        cleaned = _cleaned(text, forms, known.project)
        if cleaned == text:
            known.harmless.add(text, names_header=_names_header(forms))
        return cleaned

    def clean_cut(self, text: str) -> str:
        """Like `clean`, and without the heads and tails of credentials that a truncation has left.

        Where ``...``, ``…`` or ``[12 chars]`` stands, a `repr`, pytest or a shortener has cut something out.
        """
        cleaned = self.clean(text)
        return _replaced(cleaned, ((start, end, MASK) for start, end in self._known.fragments.spans(cleaned)))

    def clean_json(self, value: Any) -> Any:
        """A copy of a JSON value whose texts, keys included, are clean, and whose redacted keys hold `REDACTED`."""
        return _Walk(self._known, value).copied(value)

    def clean_answer(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """What a run answered, cleaned as a whole; the project's paths are looked for in it and in its parts.

        Args:
            answer: ``result`` and ``error``, and what came beside them.
        """
        known = self._known.project.without_paths(answer)
        # The keys of the parts are Wisebot's: a project that redacts a key of such a name means its own, further in.
        ours = [part for part in PARTS if part in known]
        rest = {key: item for key, item in known.items() if key not in ours}
        cleaned, parts = self.clean_json([rest, [known[part] for part in ours]])
        return {**cleaned, **dict(zip(ours, parts, strict=True))}

    def is_clean_json(self, data: bytes) -> bool:
        """Whether a look at a JSON text as a whole tells that it needs no cleaning; False where only its parts can.

        For lines of a log and answers, of which nearly all hold nothing: a fraction of what taking them apart costs.
        """
        known = self._known
        if not known.project.is_empty or any(escape in data for escape in _TELLING_ESCAPES):
            return False
        hay = SearchText(data)
        if _suspects(known, hay):
            return False
        if not suspects(_HEADERS, hay):
            return True
        # Between a header's name and its value lines may end, which JSON writes in another way.
        return not any(escape in data for escape in _ESCAPED_LINES) and not any(header_spans(data.decode("utf-8")))

    def credential_spans(self, text: str) -> list[Span]:
        """Where credentials stand, by value or by their looks, in order; those that overlap are one."""
        known = self._known
        if text in known.harmless:
            return []
        found = _found(text, _suspects(known, SearchText.of(text)))
        return [(start, end) for start, end, _ in _merged(found)]

    def suspects(self, hay: SearchText) -> bool:
        """Whether a text may hold a credential, as a quick look tells; where it says no, there is none."""
        return bool(_suspects(self._known, hay))

    @property
    def longest(self) -> int:
        """Characters of the longest credential that is known."""
        return max(map(len, self._known.values), default=0)


def _suspects(known: _State, hay: SearchText, more: Lanes = ()) -> list[Form]:
    """The forms that may be in a text."""
    return suspects(known.lanes, hay) + suspects(more, hay)


def _names_header(forms: Iterable[Form]) -> bool:
    return any(form in HEADERS for form in forms)


def _cleaned(text: str, forms: Iterable[Form], project: Project) -> str:
    found = _found(text, forms)
    if project.patterns:
        found += [(start, end, REDACTED) for start, end in project.spans(text)]
    return _replaced(text, found) if found else text


def _found(text: str, forms: Iterable[Form]) -> list[_Marked]:
    return [(start, end, MASK) for form in forms for start, end in form.spans(text)]


def _replaced(text: str, found: Iterable[_Marked]) -> str:
    pieces: list[str] = []
    at = 0
    for start, end, mask in _merged(found):
        pieces += (text[at:start], mask)
        at = end
    return "".join((*pieces, text[at:]))


def _merged(found: Iterable[_Marked]) -> Iterator[_Marked]:
    """In order, and those that overlap as one: of two credentials that share characters nothing may stay."""
    current: _Marked | None = None
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

    def __init__(self, known: _State, value: Any) -> None:
        texts: dict[str, None] = {}
        _collect(value, texts)
        self._clean, self._headers = _cleaned_texts(texts, known)
        self._keys = known.project.keys
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


def _cleaned_texts(texts: Collection[str], known: _State) -> tuple[dict[str, str], bool]:
    """The texts that hold something, cleaned; and whether any of all names a header that carries a credential."""
    remembered = known.harmless.texts
    fresh = [text for text in texts if text not in remembered]
    named = any(remembered.get(text) for text in texts)
    if not fresh:
        return {}, named
    joined = _BETWEEN_TEXTS.join(fresh)
    forms = _suspects(known, SearchText.of(joined), _HEADERS)
    hit = set(_hit(fresh, joined, forms)) if forms else set()
    if known.project.patterns:
        hit.update(range(len(fresh)))  # what says "^" or "$" means the ends of each text
    changed = {fresh[index]: _cleaned(fresh[index], forms, known.project) for index in hit}
    changed = {text: clean for text, clean in changed.items() if clean != text}
    name_header = _names_header(forms)
    for text in fresh:
        if text not in changed:
            known.harmless.add(
                text, names_header=name_header and _names_header(suspects(_HEADERS, SearchText.of(text)))
            )
    return changed, named or name_header


def _hit(texts: Sequence[str], joined: str, forms: Iterable[Form]) -> Iterator[int]:
    """Which of the texts, that are one here, a form stands in."""
    starts = list(accumulate((len(text) + len(_BETWEEN_TEXTS) for text in texts), initial=0))
    return (bisect_right(starts, start) - 1 for form in forms for start, _ in form.spans(joined))
