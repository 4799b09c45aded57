"""What was measured: one table, what stands behind its figures, and beside them what the project promises."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from plans import Promise, Suite, Variant, Way, best
from sessions import Figures

COLUMNS = ("runs", "by", "run loop, s", "times the limit", "times the best", "process, s", "CPU, s", "peak, MiB")

WORDS = {
    "limit": "times the limit",
    "best": "times the best possible",
    "peak": "MiB at most",
    "growth": "KiB of memory for each run, beyond an empty test's",
}
"""What a promise's figure is called."""

NOTES = """\
Medians of {rounds}, {date}, {cores} cores ({machine}, load {load:.1f}), Python {python}, httpx {httpx},
pytest {pytest}, {files} open files allowed. Everything ran in turn, against an emulator in a process of its own. The
limit is the suite's bare gather: for this plugin that of the same concurrency, for plain httpx that of 8, 16 or 500;
for runs of 0 s it is the gather and the same tests empty, added. The best is what no schedule of this concurrency can
do without. Where it says "from one test in 10", only these were run: seconds, of CPU too, are extrapolated, memory is
not. Memory is that of all the session's processes together."""


class Measured:
    """The figures of one suite, round by round."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self._figures: dict[str, list[Figures]] = {variant.name: [] for variant in suite.variants}

    def add(self, variant: Variant, figures: Figures) -> None:
        """A variant was measured once more."""
        self._figures[variant.name].append(figures)

    @property
    def rounds(self) -> int:
        """How many there were."""
        return min(map(len, self._figures.values()))

    def median(self, variant: Variant, figure: str) -> float:
        """The median of one of a variant's figures."""
        return statistics.median(self._all(variant.name, figure))

    def over_limit(self, variant: Variant) -> float | None:
        """The median of the rounds' ratios: the variant's run loop over its limit's."""
        if not variant.limit:
            return None
        limits = map(sum, zip(*(self._all(name, "loop") for name in variant.limit), strict=True))
        return statistics.median(
            loop / limit for loop, limit in zip(self._all(variant.name, "loop"), limits, strict=True)
        )

    def over_best(self, variant: Variant) -> float | None:
        """The run loop over the seconds that no schedule of this concurrency can do without."""
        shortest = best(self.suite.seconds, variant.cap)
        return self.median(variant, "loop") / shortest if shortest and variant.way in (Way.GATHER, Way.OURS) else None

    def growth(self, variant: Variant) -> float:
        """KiB that each of a variant's runs adds to the memory, beyond what an empty test adds."""
        return self._kibibytes_a_test(variant.way, variant.returns) - self._kibibytes_a_test(Way.EMPTY)

    def _kibibytes_a_test(self, way: Way, returns: int = 0) -> float:
        alike = [one for one in self.suite.variants if (one.way, one.returns) == (way, returns)]
        few, most = min(alike, key=lambda one: one.many), max(alike, key=lambda one: one.many)
        more = (most.many - few.many) * len(self.suite.seconds)
        return (self.median(most, "peak") - self.median(few, "peak")) * 1024 / more

    def _all(self, name: str, figure: str) -> list[float]:
        return [getattr(one, figure) for one in self._figures[name]]


def table(found: Sequence[Measured]) -> str:
    """All of it, as Markdown."""
    head = f"| {' | '.join(COLUMNS)} |\n|---|---|{'---:|' * (len(COLUMNS) - 2)}"
    lines = [_line(one, variant) for one in found for variant in one.suite.variants]
    return "\n".join([head, *lines])


def notes(found: Sequence[Measured], open_files: int) -> str:
    """What stands behind the figures."""
    count = found[0].rounds
    return NOTES.format(
        rounds="one round" if count == 1 else f"{count} rounds",
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        cores=os.cpu_count(),
        machine=f"{platform.system()}, {platform.machine()}",
        python=platform.python_version(),
        httpx=version("httpx"),
        pytest=version("pytest"),
        files=open_files,
        load=os.getloadavg()[1],
    )


def promises(found: Iterable[Measured]) -> Iterator[str]:
    """What the project promises, beside what was found."""
    for one in found:
        for promise in one.suite.promises:
            value = _value(one, promise)
            verdict = "kept" if value <= promise.most else "NOT KEPT"
            what = f"{one.suite.title}, {promise.variant.name}"
            yield f"{verdict}: {what}: {value:.2f} {WORDS[promise.figure]}, promised {promise.most:g}"


def _value(one: Measured, promise: Promise) -> float:
    derived = {"limit": one.over_limit, "best": one.over_best, "growth": one.growth}.get(promise.figure)
    found = derived(promise.variant) if derived else one.median(promise.variant, promise.figure)
    assert found is not None
    return found


def _line(one: Measured, variant: Variant) -> str:
    name = f"**{variant.name}**" if variant.way is Way.OURS else variant.name
    name += f" (from one test in {variant.part})" if variant.part > 1 else ""
    cells = [
        one.suite.title,
        name,
        f"{one.median(variant, 'loop'):.2f}",
        _ratio(one.over_limit(variant)),
        _ratio(one.over_best(variant)),
        f"{one.median(variant, 'process'):.2f}",
        f"{one.median(variant, 'cpu'):.2f}",
        f"{one.median(variant, 'peak'):.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _ratio(value: float | None) -> str:
    return f"{value:.2f}" if value is not None else ""
