"""The normaliser under random JSON with volatile values planted in it: identity is kept, nothing else is touched."""

from __future__ import annotations

import json
import re
import string
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_wisebot.snapshots import normalise as module
from pytest_wisebot.snapshots.json_codec import dumps
from pytest_wisebot.snapshots.moments import Nearness, Span
from pytest_wisebot.snapshots.normalise import NormaliserConfig

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

# --- volatile values

NOON = datetime(2024, 5, 1, 10, 30, 12, tzinfo=UTC)
RUN = Span(NOON.timestamp(), NOON.timestamp() + 5)
MOMENTS = st.builds(lambda seconds: NOON + timedelta(seconds=seconds), st.floats(-100, 100))


def normalise(value: Any, spans: Any = (RUN,), **given: Any) -> Any:
    """The normalised value of a run."""
    return module.normalise(value, near=Nearness(spans), **given)


def ulid(moment: datetime, rest: str) -> str:
    milliseconds = int(moment.timestamp() * 1000)
    return "".join(CROCKFORD[(milliseconds >> shift) & 31] for shift in range(45, -1, -5)) + rest


VOLATILE = {
    "uuid": st.uuids(version=4).map(str) | st.uuids(version=4).map(lambda value: str(value).upper()),
    "ulid": st.builds(ulid, MOMENTS, st.text(CROCKFORD, min_size=16, max_size=16)).filter(
        lambda text: not text.isdigit()
    ),
    "url": st.builds(
        "https://{}.example/{}?{}={}".format,
        st.text(string.ascii_lowercase, min_size=1, max_size=5),
        st.text(string.ascii_letters + "/-", max_size=8),
        st.sampled_from(["token", "X-Amz-Signature", "sig", "access_token", "accessToken"]),
        st.text(string.ascii_letters + string.digits + "%-_", min_size=1, max_size=12),
    ),
}


@dataclass(frozen=True)
class Planted:
    """A volatile value: the n-th of a kind, of which a test has several."""

    kind: str
    number: int


@st.composite
def volatile_values(draw: st.DrawFn) -> dict[Planted, str]:
    """Four different values of each kind."""
    values: dict[Planted, str] = {}
    for kind, strategy in VOLATILE.items():
        drawn = draw(st.lists(strategy, min_size=4, max_size=4, unique_by=str.lower))
        values |= {Planted(kind, number): text for number, text in enumerate(drawn)}
    return values


# --- JSON with places for them: a text is a list of words and of planted values

PLANTS = st.builds(Planted, st.sampled_from(list(VOLATILE)), st.integers(0, 3))
WORDS = st.text("abz ,.()=é✓", max_size=6).map(lambda text: f" {text} ")
TEXTS = st.one_of(
    PLANTS.map(lambda plant: [plant]),
    st.lists(st.tuples(WORDS, PLANTS, WORDS), min_size=1, max_size=3).map(
        lambda parts: [item for part in parts for item in part]
    ),
    WORDS.map(lambda word: [word]),
).map(tuple)
NAMES = st.text("xyz_", min_size=1, max_size=3).map(lambda text: (text,))


@dataclass(frozen=True)
class Text:
    """A text of a skeleton."""

    parts: tuple[str | Planted, ...]

    def filled(self, fill: Callable[[Planted], str]) -> str:
        return "".join(fill(part) if isinstance(part, Planted) else part for part in self.parts)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(-1e6, 1e6) | TEXTS.map(Text)
SKELETONS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(st.tuples((NAMES | TEXTS).map(Text), inner), max_size=4, unique_by=lambda pair: pair[0]).map(tuple)
    ),
    max_leaves=20,
)


def filled(skeleton: Any, fill: Callable[[Planted], str]) -> Any:
    """The JSON of a skeleton: tuples are objects, as pairs in order."""
    if isinstance(skeleton, Text):
        return skeleton.filled(fill)
    if isinstance(skeleton, tuple):
        return {key.filled(fill): filled(item, fill) for key, item in skeleton}
    if isinstance(skeleton, list):
        return [filled(item, fill) for item in skeleton]
    return skeleton


def texts(skeleton: Any) -> Iterator[Text]:
    if isinstance(skeleton, Text):
        yield skeleton
    elif isinstance(skeleton, tuple):
        for key, item in skeleton:
            yield key
            yield from texts(item)
    elif isinstance(skeleton, list):
        for item in skeleton:
            yield from texts(item)


def strings(value: Any) -> Iterator[str]:
    """All texts of a value, keys among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


# --- texts that are out to break it

PIECES = [
    "6f1c2d3e-1111-4222-8333-444455556666",
    "01HX5JZ9QK8R7T6W5V4N3M2P1A",
    "01hx5jz9qk8r7t6w5v4n3m2p1a",
    "run_abc123",
]
PIECES += [
    "2024-05-01T10:30:00Z",
    "2024-05-01 10:30:00",
    "20240501T103000Z",
    "Wed, 01 May 2024 10:30:00 GMT",
    "2024-05-01",
]
PIECES += [
    "https://",
    "a.example/",
    "?token=",
    "?sig=x",
    "u:p@",
    "#",
    "&",
    "=",
    "@",
    "<",
    ">",
    "<uuid:1>",
    "<uuid:2>",
    "<url:1>",
]
PIECES += [
    "<secret>",
    "<run-id>",
    "<duration>",
    "<word:1>",
    "<timestamp:",
    "1>",
    " ",
    ".",
    ",",
    "-",
    "_",
    ":",
    "T",
    "Z",
    "+02:00",
]
PIECES += ["7", "0", "x", "F", "350ms", "word", "\n", '"', "é"]
NASTY_TEXTS = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
NASTY_KEYS = st.sampled_from(["createdAt", "durationMs", "took", "runId", "requestId", "kept", "x"]) | NASTY_TEXTS
NUMBERS = st.sampled_from([0, 1, 2.5, -1, 1299, 1714550400, 1714550400000, 1714550400.5, True])
NASTY = st.recursive(
    NASTY_TEXTS | NUMBERS | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NASTY_KEYS, inner, max_size=4),
    max_leaves=15,
)
HABITS = st.sampled_from(
    [
        NormaliserConfig(),
        NormaliserConfig(
            keys={"requestid": "request"}, patterns={"word": "wor(d)", "seven": "7+"}, keep=("kept", "[0].x")
        ),
    ]
)


# --- the properties


@given(NASTY, st.none() | NASTY, st.sampled_from([None, "run_abc123", "7", PIECES[0]]), HABITS)
def test_what_is_normalised_stays_as_it_is(
    value: Any, inputs: Any, run_id: str | None, habits: NormaliserConfig
) -> None:
    """Normalising twice is normalising once, whatever stands beside what, for any inputs, run id and habits."""
    once = normalise(value, inputs=inputs, run_id=run_id, habits=habits)

    assert dumps(normalise(once, inputs=inputs, run_id=run_id, habits=habits)) == dumps(once)


@given(SKELETONS, volatile_values())
def test_equal_values_and_they_alone_have_equal_placeholders(skeleton: Any, values: dict[Planted, str]) -> None:
    """Each planted value has one placeholder of its kind, in all texts and keys, and no other value has the same."""
    normalised, *given_to = normalise([filled(skeleton, values.__getitem__), *values.values()])

    placeholders = dict(zip(values, given_to, strict=True))
    assert len(set(given_to)) == len(values)
    assert all(re.fullmatch(rf"<{plant.kind}:\d+>", text) for plant, text in placeholders.items())
    assert dumps(normalised) == dumps(filled(skeleton, placeholders.__getitem__))


@given(SKELETONS, volatile_values(), volatile_values())
def test_two_runs_that_differ_in_volatile_values_alone_agree(
    skeleton: Any, first: dict[Planted, str], second: dict[Planted, str]
) -> None:
    """The snapshot of one run is that of the next, whatever ids and times the next one got."""
    assert dumps(normalise(filled(skeleton, first.__getitem__))) == dumps(
        normalise(filled(skeleton, second.__getitem__))
    )


@given(SKELETONS, volatile_values())
def test_numbers_begin_with_one_and_leave_none_out(skeleton: Any, values: dict[Planted, str]) -> None:
    """A value that is planted alone or often takes one number, and the numbers of a kind are 1, 2, 3 and so on."""
    normalised = normalise(filled(skeleton, values.__getitem__))

    planted = {part for text in texts(skeleton) for part in text.parts if isinstance(part, Planted)}
    found = {item for text in strings(normalised) for item in re.findall(r"<([a-z]+):(\d+)>", text)}
    for kind in VOLATILE:
        numbers = sorted(int(number) for name, number in found if name == kind)
        assert numbers == list(range(1, 1 + len([plant for plant in planted if plant.kind == kind])))


@given(SKELETONS, volatile_values(), st.sets(PLANTS))
def test_what_the_run_was_told_stays(skeleton: Any, values: dict[Planted, str], told: set[Planted]) -> None:
    """Of the planted values those that the inputs hold are in the result as they were, and no other is."""
    inputs = {"asked": [values[plant] for plant in told]}

    normalised = normalise(filled(skeleton, values.__getitem__), inputs=inputs)

    kept = {plant for plant in values if any(values[plant] in text for text in strings(normalised))}
    planted = {part for text in texts(skeleton) for part in text.parts if isinstance(part, Planted)}
    assert kept == planted & told


@given(NASTY)
def test_a_run_that_says_what_it_was_told_is_unchanged(value: Any) -> None:
    """When every text and number of a result stands in the inputs, nothing of it is volatile."""
    assert dumps(normalise(value, inputs=value)) == dumps(value)


def harmless(text: str) -> bool:
    """A text in which not even a piece of a volatile value stands: by other means than the normaliser's own."""
    return not re.search(r"\d\d:\d\d|\d{8}T\d{6}|[\da-fA-F]{4}-[\da-fA-F]{4}-|[\dA-Za-z]{26}|://", text)


HARMLESS = st.text(max_size=20).filter(harmless) | st.text(string.hexdigits + "-:T ", max_size=40).filter(harmless)
HARMLESS |= st.floats(0, 1e6).map("{:.2f}".format) | st.integers(0, 10**20).map(str) | st.dates().map(str)
HARMLESS |= st.from_regex(r"v?\d{1,4}\.\d{1,3}\.\d{1,3}(-rc\.\d)?", fullmatch=True)
HARMLESS |= st.from_regex(r"\+\d{2} \d{2,4}[ -]\d{4,8}", fullmatch=True) | st.emails()
HARMLESS |= st.from_regex(r"https://[a-z]{3,8}\.example/[a-z]{0,8}(\?page=\d{1,3})?", fullmatch=True)
SILENT_KEYS = st.text("xyzXYZ_ é9-", max_size=4) | st.sampled_from(["price", "phone", "version", "id", "format"])
UNRECOGNISED = st.recursive(
    HARMLESS | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SILENT_KEYS, inner, max_size=4),
    max_leaves=20,
)


@given(UNRECOGNISED, st.sampled_from([None, "run_abc123"]))
def test_what_is_not_recognised_is_never_changed(value: Any, run_id: str | None) -> None:
    """Prices, telephone numbers, versions, dates, addresses, numbers under keys that say nothing, any other text."""
    assert dumps(normalise(value, run_id=run_id)) == dumps(value)


@given(st.uuids(version=4), st.text(string.printable, max_size=5), st.text(string.printable, max_size=5))
def test_an_id_is_known_between_any_two_marks(value: uuid.UUID, before: str, after: str) -> None:
    """Whatever stands beside an id, it is found, unless a letter or a digit makes it part of a longer word."""
    text = f"{before}{value}{after}"
    apart = not before[-1:].isalnum() and not after[:1].isalnum()

    assert (str(value) not in normalise(text)) is apart


@given(st.lists(st.dictionaries(st.sampled_from("abc"), NASTY_TEXTS | NUMBERS), max_size=5))
def test_the_copy_shares_nothing_that_changes(rows: list[dict[str, Any]]) -> None:
    """What was received stays as it was, to its last key."""
    before = json.dumps(rows)

    for row in normalise(rows):
        row["changed"] = True
    assert json.dumps(rows) == before


WRITERS: list[Callable[[datetime], Any]] = [
    lambda moment: moment.isoformat(timespec="seconds"),
    lambda moment: moment.astimezone(timezone(timedelta(hours=5, minutes=30))).isoformat(),
    lambda moment: moment.strftime("%Y-%m-%d %H:%M:%S"),
    lambda moment: moment.strftime("%Y%m%dT%H%M%SZ"),
    lambda moment: format_datetime(moment, usegmt=True),
    lambda moment: moment.strftime("%H:%M:%S"),
    lambda moment: moment.strftime("%d.%m.%Y, %H:%M Uhr"),
    lambda moment: moment.strftime("%B %d, %Y at %I:%M %p"),
    lambda moment: moment.strftime("done %m/%d/%Y, %I:%M:%S %p."),
    lambda moment: int(moment.timestamp()),
    lambda moment: int(moment.timestamp() * 1000),
    lambda moment: moment.timestamp(),
    lambda moment: str(int(moment.timestamp())),
]


def _answer(started: datetime, elapsed: float, writers: list[int]) -> Any:
    """What a workflow with two clocks answers, and its snapshot."""
    ended = started + timedelta(seconds=elapsed)
    value = {"clocks": [[WRITERS[one](started), WRITERS[one](ended)] for one in writers], "due": "2026-12-24T10:05:00Z"}
    return normalise(value, spans=[Span(started.timestamp(), ended.timestamp())])


@given(
    st.datetimes(datetime(2023, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001
    st.lists(st.tuples(st.integers(0, 10**6), st.floats(0, 90)), min_size=3, max_size=3),
    st.lists(st.integers(0, len(WRITERS) - 1), min_size=1),
)
def test_clocks_are_the_same_in_all_sessions(
    first: datetime, sessions: list[tuple[int, float]], writers: list[int]
) -> None:
    """Two readings of a clock, in whole seconds or finer, whatever second a session starts at and how long it takes."""
    starts = [first.replace(tzinfo=UTC) + timedelta(seconds=after) for after, _ in sessions]
    found = [_answer(at, elapsed, writers) for at, (_, elapsed) in zip(starts, sessions, strict=True)]
    nightly = _answer(first.replace(hour=2, minute=0, second=0, microsecond=0, tzinfo=UTC), 0.4, writers)
    assert found == [nightly] * 3
