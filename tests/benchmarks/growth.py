"""How the time grows with which hostile texts are searched: by every built-in pattern, and by a project's own.

``python tests/benchmarks/growth.py`` prints the worst text of each pattern, and ends with 1 where a text of 1 MB takes
more than ``--factor`` (3) times as long as a hundred of 10 KB. ``--small`` ends at 100 KB. It measures CPU time: other
processes on the machine change little.
"""

from __future__ import annotations

import argparse
import base64
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

from pytest_wisebot.envelope import NoEnvelopeError, parse
from pytest_wisebot.redaction import Redactor, Secret
from pytest_wisebot.redaction.formats import FORMATS, HEADERS
from pytest_wisebot.redaction.forms import forms_of
from pytest_wisebot.redaction.linear import LinearPattern
from pytest_wisebot.redaction.ready_made import READY_MADE
from pytest_wisebot.redaction.redactor import TruncatedSecrets
from pytest_wisebot.snapshots.normalise import normalise
from pytest_wisebot.text import escape

SIZES = (10_000, 100_000, 1_000_000)
LEAST_SECONDS = 0.001
"""CPU seconds that one measurement takes at least, by repetition."""

MEASURABLE = 0.0005
"""CPU seconds that the smallest text counts as, at least: what is faster may be noise."""

CREDENTIAL = "FAKE/aaaa aaaa\\\\'aaaaaaaa\"+&%FAKE"
"""With all that has several spellings, and much that repeats itself."""

_BASE64 = base64.b64encode(CREDENTIAL.encode()).decode()
_HEX = CREDENTIAL.encode().hex()

UNITS = {
    "letters": "abcdefgh",
    "words": "abcd ",
    "digits": "1",
    "blanks": " ",
    "lines": "\n",
    "nul": "\0",
    "letter": "é",
    "surrogates": "\ud800",
    "quotes": "'",
    "both quotes": "\"'",
    "backslashes": "\\",
    "percents": "%",
    "%25": "%25",
    "&amp;": "&amp;",
    "&#": "&#",
    "line breaks": "\\n",
    "escapes": "\\u0041",
    "dots": ".",
    "ellipses": "…",
    "...": "...",
    "stars": "*",
    "[1 chars]": "[1 chars]",
    "open [": "[",
    "braces": "{[",
    "<": "<",
    "<url": "<url:1",
    "runs": "<run-id",
    "header": "x-workflow-secret:",
    "header and blank": "x-workflow-secret: a ",
    "bearer": "authorization:bearer+",
    "quoted bearer": 'authorization:"bearer ',
    "escaped bearer": 'authorization: \\"bearer ',
    "é bearer": "é authorization:basic ",
    "items": '"authorization", b"',
    "$ bearer": "authorization:bearer $a",
    "authorization": "authorization",
    "names": "proxy-",
    "eyJ": "eyJ",
    "eyJ.": "eyJ.",
    "jwt": "eyJaaaaaaaaaaaa.",
    "jwts": "eyJaaaaaaaaaaaa.aaaaaaaa.aaaaaaaa ",
    "cut jwt": "eyJa…",
    "cut eyJ": "eyJ" * 600 + "!…",
    "key": "wb_live_",
    "keys": "wb_live_aaaaaaa ",
    "cut key": "wb_live_…",
    "@": "@",
    "a@": "a@",
    "a@b.": "a@b.",
    "a@a.a.": "a@" + "a." * 100,
    "address": "me@example.com ",
    "iban": "DE89 ",
    "ibans": "DE89370400440532013000 ",
    "card": "4111 ",
    "cards": "4111111111111111 ",
    "phone": "+49 ",
    "phones": "+49 30 123456, ",
    "00": "00",
    "(555)": "(555) ",
    "url": "a://",
    "urls": "https://x.example/?a=b&sig=",
    "user": "a://b:",
    "parameters": "https://x?" + "&a=" * 300 + " ",
    "time": "2024-01-01T00:00:00.",
    "date": "Mon Jan 01 2024 00:00:00 GMT+0000 (",
    "uuid": "0123abcd-0123-0123-0123-",
    "ulid": "01HZZZZZZZZZZZZZZZZZZZZZZZ",
    "hex": "0123456789abcdef",
    "trace": "00-" + "0" * 32 + "-",
    "credential": CREDENTIAL,
    "its head": CREDENTIAL[:12],
    "its head, cut": CREDENTIAL[:12] + "…",
    "its tail, cut": "…aaaa",
    "its letters": "FAKE aaaa ",
    "its base64": _BASE64,
    "half its base64": _BASE64[:20],
    "wrapped base64": f"{_BASE64[:9]}\\n{_BASE64[9:]}",
    "its hex": _HEX,
    "half its hex": _HEX[:20],
    "hex pairs": "46:41:4b:45:",
    "escaped": json.dumps(json.dumps(CREDENTIAL)),
}
SAID = f" {CREDENTIAL} {_BASE64} {_HEX} authorization eyJ wb_live_ … @ "
"""What makes each pattern look closer at the rest of the text."""


def texts(size: int) -> Iterator[tuple[str, str]]:
    for name, unit in UNITS.items():
        yield name, (unit * (size // len(unit) + 1))[:size]
        yield f"{name}, with all signs", (unit * (size // len(unit) + 1))[: size - len(SAID)] + SAID


def consumed(find: Callable[[str], Iterator[object]], text: str) -> None:
    for _ in find(text):
        pass


def parsed(text: str) -> None:
    try:
        parse(json.dumps({"ok": True, "result": text}).encode())
        parse(text.encode("utf-8", "replace"))
    except NoEnvelopeError:
        pass


def patterns() -> Iterator[tuple[str, Callable[[str], object]]]:
    redactor = Redactor([Secret(CREDENTIAL), Secret("FAKE-credential-2")])
    for number, form in enumerate([*FORMATS, *HEADERS], start=1):
        yield f"format {number}", partial(consumed, form.spans)
    for number, form in enumerate(forms_of(CREDENTIAL), start=1):
        yield f"form {number} of a credential", partial(consumed, form.spans)
    yield "truncated credentials", partial(consumed, TruncatedSecrets([CREDENTIAL]).spans)
    yield "redactor", lambda text: Redactor.clean(redactor, text)
    yield "redactor, JSON", lambda text: redactor.clean_answer({"result": {text[:9]: text}})
    for name, ready in READY_MADE.items():
        yield name, partial(consumed, ready.spans)
    if importlib.util.find_spec("re2") is not None:
        for expression in (r"[\w.+-]+@[\w-]+\.[\w.-]+", r"(\w+\s?)+!", r"\b\d{4}[ -]?\d{4}\b", "(?i)[a-z]+é$"):
            yield expression, partial(consumed, LinearPattern(expression).spans)
    yield "envelope", parsed
    yield "escape", escape
    yield "snapshots", normalise


def seconds(work: Callable[[str], object], text: str, rounds: int) -> float:
    """CPU seconds of one call."""
    best = float("inf")
    for _ in range(rounds):
        begins = time.process_time()
        calls, spent = 0, 0.0
        while spent < LEAST_SECONDS:
            work(text)
            calls += 1
            spent = time.process_time() - begins
        best = min(best, spent / calls)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--factor", type=float, default=3.0)
    parser.add_argument("--only", default="", help="patterns whose names hold this")
    options = parser.parse_args()
    sizes = SIZES[:2] if options.small else SIZES
    failed = False
    for name, work in patterns():
        if options.only not in name:
            continue
        growths: list[tuple[float, str, list[float]]] = []
        for (what, smallest), *larger in zip(*map(texts, sizes), strict=True):
            took = [seconds(work, smallest, 1), *(seconds(work, text, 1) for _, text in larger)]
            floor = max(took[0], MEASURABLE)
            grown = took[-1] / floor / (sizes[-1] / sizes[0])
            if grown > options.factor:  # once more: a pause of the machine is no growth
                took[-1] = min(took[-1], seconds(work, larger[-1][1], 2))
                grown = took[-1] / max(floor, seconds(work, smallest, 3)) / (sizes[-1] / sizes[0])
            growths.append((grown, what, took))
        grown, what, took = max(growths)
        slowest = max(took[-1] for _, _, took in growths)
        failed |= grown > options.factor
        figures = ", ".join(f"{1000 * one:.1f} ms" for one in took)
        print(f"{name:32} {grown:6.2f} times linear at worst: {what!r} ({figures}); the slowest text {slowest:.2f} s")
        sys.stdout.flush()
    raise SystemExit(int(failed))


if __name__ == "__main__":
    main()
