"""The gate's rules about quarantined tests: how many failures are forgiven, which are not, and which ends are near."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from ..gate_config import Gate
from ..outcomes import BAD, DRIFT, ERROR, FAILED, FLAKY, PASSED, WITHOUT_RUN
from .format import count_named, named
from .model import Model, Test, pass_rate
from .verdict import GateRule, judged, no_verdict, not_judged

_WANTED: Final = "mended, or a later end"


def quarantine_rules(model: Model) -> Iterator[GateRule]:
    """The rules; none where no test is quarantined, and nothing is said of a number.

    A failure that is not forgiven is not counted here: other rules do, as if there were no quarantine.
    """
    tests = [test for test in model.tests if test.quarantine is not None]
    most = model.gate.max_quarantined
    if any(test.is_quarantined for test in tests) or most is not None:
        found = [test.id for test in tests if is_forgiven(test, model.gate)]
        wanted = f"at most {most or 0} (max-quarantined)"
        yield judged(len(found) <= (most or 0), "quarantined failures", wanted, count_named(found)).naming(found)
        if model.counted and not pass_rate(model.counted).judged:
            yield no_verdict("tests outside of quarantine", "at least 1", "none")
    yield from _not_forgiven(tests)
    passed = [test.id for test in tests if test.is_quarantined and test.outcome == PASSED]
    if passed:
        yield not_judged("quarantined and passed", "lifted, if mended", count_named(passed)).naming(passed)
    yield from _ends(tests)


def is_forgiven(test: Test, gate: Gate) -> bool:
    """Whether its quarantine forgives what would close the gate. A flaky test closes one that has a limit for it."""
    if test.outcome == FLAKY:
        limits = [gate.overall, *(gate.workflows[name] for name in test.workflows if name in gate.workflows)]
        return test.is_quarantined and any(one.max_flaky is not None for one in limits)
    return test.is_quarantined and test.outcome in (FAILED, DRIFT)


def _not_forgiven(tests: Sequence[Test]) -> Iterator[GateRule]:
    """Tests in quarantine that ended in a way that no quarantine is about."""
    why: dict[str, str] = {}
    for test in tests:
        if test.quarantine is None or not test.quarantine.in_force:
            continue
        if not test.is_quarantined and test.outcome in (ERROR, *BAD):
            own = ERROR if test.broke else test.outcome
            why[test.id] = own if test.uses_runs else WITHOUT_RUN
        elif others := [word for word in test.also if word not in (FAILED, DRIFT)]:
            why[test.id] = others[0]
        elif test.met_outage:
            why[test.id] = "infrastructure"
    if why:
        kinds = ", ".join(f"{number} {word}" for word, number in sorted(Counter(why.values()).items()))
        measured = f"{len(why)} ({kinds}): {named(list(why))}"
        yield not_judged("not forgiven by quarantine", "failed, flaky or drift", measured).naming(why)


def _ends(tests: Sequence[Test]) -> Iterator[GateRule]:
    """Ends that are near or past, the earliest first."""
    by_end: dict[tuple[int, str, str], list[str]] = defaultdict(list)
    for test in tests:
        one = test.quarantine
        if one is not None and one.days_left is not None and one.end_in_words:
            is_over = one.days_left < 0
            ends = "ended" if is_over else one.end_in_words
            by_end[-1 if is_over else one.days_left, ends, "" if is_over else one.until].append(test.id)
    for (_, ends, day), names in sorted(by_end.items()):
        on = f" on {day}" if day else ""
        yield not_judged(f"quarantine {ends}", _WANTED, f"{len(names)}{on}: {named(names)}").naming(names)
