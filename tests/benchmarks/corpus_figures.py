"""How well snapshots tell what differs from run to run, measured on realistic results.

``python tests/benchmarks/corpus_figures.py CORPUS`` prints the figures of a corpus: a Python file with
``results(seed)``, ``plain(result)``, ``labels(result)``, ``leaves(value)`` and a list ``WRONG`` of (result, path, wrong
value). Nothing is configured. Each result is recorded, and made anew with other seeds: at once, and some seconds later
(``--later``).

precision
    share of the masked leaves that are volatile.
recall
    share of the volatile leaves that are masked; the second one is over the clocks, UUIDs and ObjectIds.
green
    results whose snapshot is the same in all of the runs.
wrong
    wrong answers that turn the snapshot red.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from pytest_wisebot.runs import WorkflowRun
from pytest_wisebot.snapshots.assertion import is_same
from pytest_wisebot.snapshots.json_codec import loads
from pytest_wisebot.snapshots.serialize import (
    ComparisonContext,
    ComparisonOptions,
    SerializedValue,
    receive,
)

CLOCKS = {
    *("iso", "iso-offset", "iso-naive", "rfc2822", "http-date", "date hh:mm", "date hh:mm:ss", "us-date-ampm"),
    *("long-date-ampm", "de-date", "time-only", "jira-iso", "sf-iso", "pg-iso", "slack-ts"),
    *("s3-url", "gcs-url", "azure-url", "cloudfront-url", "objectid"),
}
"""Kinds of clocks and ids that must be found; those that begin with ``epoch`` or ``uuid``, too."""


def is_required(kind: str) -> bool:
    """Whether a kind of leaf is one of the clocks, UUIDs and ObjectIds."""
    return kind in CLOCKS or kind.startswith(("epoch", "uuid"))


class Recorder:
    """Records results as a test of a run with such a result does.

    Args:
        seconds: what a run takes.
    """

    def __init__(self, corpus: ModuleType, seconds: float) -> None:
        self._corpus = corpus
        self._seconds = seconds

    def results(self, seed: int) -> dict[str, Any]:
        """The results of a run that ends now."""
        made: dict[str, Any] = self._corpus.results(seed)
        return made

    def text(self, value: Any) -> SerializedValue:
        """The snapshot of a run that ends now, and answers this."""
        plain = json.loads(json.dumps(value))
        started = datetime.fromtimestamp(time.time() - self._seconds, UTC)
        run = WorkflowRun(ok=True, workflow="corpus", result=plain, started_at=started, elapsed=self._seconds)
        around = ComparisonContext(lambda value: value, lambda text: text, runs=lambda: [run])
        return receive(run, ComparisonOptions(), around)


def load(path: Path) -> ModuleType:
    """The corpus."""
    found = importlib.util.spec_from_file_location("corpus", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def judged(corpus: ModuleType, recorder: Recorder, seed: int) -> Iterator[tuple[str, str | None, Any, Any]]:
    """Each leaf of the results: its place, its kind where it is volatile, what was answered and what is recorded."""
    for name, result in recorder.results(seed).items():
        kinds = dict(corpus.labels(result))
        answered = dict(corpus.leaves(corpus.plain(result)))
        recorded = dict(corpus.leaves(loads(recorder.text(corpus.plain(result)))["result"]))
        for path, kind in kinds.items():
            yield f"{name}{path}", kind, answered[path], recorded.get(path)


def set_at(value: Any, path: str, item: Any) -> None:
    """Puts a value at a path such as ``lines[1].total``."""
    steps: list[Any] = []
    for part in path.split("."):
        name, *indices = part.replace("]", "").split("[")
        steps += [name, *map(int, indices)]
    for step in steps[:-1]:
        value = value[step]
    value[steps[-1]] = item


def leaves(corpus: ModuleType, recorder: Recorder, *, shows: bool) -> None:
    """Prints precision and recall."""
    counts: Counter[str] = Counter()
    for place, kind, answered, recorded in judged(corpus, recorder, 1):
        masked = recorded != answered
        counts["masked"] += masked
        counts["right"] += masked and kind is not None
        for group in ("volatile", *(["required"] if kind and is_required(kind) else [])) if kind else ():
            counts[group] += 1
            counts[f"{group} masked"] += masked
        if shows and masked is (kind is None):
            print(f"  {place}: {kind or 'an answer'} {answered!r} -> {recorded!r}")
    print(f"precision {counts['right'] / counts['masked']:.3f} ({counts['right']} of {counts['masked']})")
    for group, what in (("volatile", "all kinds"), ("required", "clocks, UUIDs and ObjectIds")):
        share = counts[f"{group} masked"] / counts[group]
        print(f"recall over {what} {share:.3f} ({counts[f'{group} masked']} of {counts[group]})")


def green(corpus: ModuleType, recorder: Recorder, seeds: int, later: float) -> None:
    """Prints how many results stay green."""
    stored = {name: str(recorder.text(corpus.plain(result))) for name, result in recorder.results(0).items()}
    red: set[str] = set()
    for seed in range(1, seeds + 1):
        time.sleep(later if seed % 2 == 0 else 0)
        for name, result in recorder.results(seed).items():
            if not is_same(recorder.text(corpus.plain(result)), stored[name]):
                red.add(name)
    print(f"green {len(stored) - len(red)} of {len(stored)}: {', '.join(sorted(stored.keys() - red))}")


def wrong(corpus: ModuleType, recorder: Recorder) -> None:
    """Prints how many wrong answers turn red, and which do not."""
    missed = []
    for name, path, item in corpus.WRONG:
        answered = corpus.plain(recorder.results(0)[name])
        stored = str(recorder.text(answered))
        set_at(answered, path, item)
        if is_same(recorder.text(answered), stored):
            missed.append(f"{name}.{path}")
    print(f"wrong answers that turn red {len(corpus.WRONG) - len(missed)} of {len(corpus.WRONG)}", *missed)


def main() -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--seconds", type=float, default=2.0, help="what a run takes")
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--later", type=float, default=2.5, help="seconds before each second run")
    parser.add_argument("--leaves", action="store_true", help="show each leaf that is judged wrongly")
    given = parser.parse_args()
    corpus = load(given.corpus)
    recorder = Recorder(corpus, given.seconds)
    leaves(corpus, recorder, shows=given.leaves)
    green(corpus, recorder, given.seeds, given.later)
    wrong(corpus, recorder)


if __name__ == "__main__":
    main()
