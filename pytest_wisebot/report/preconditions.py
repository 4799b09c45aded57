"""What must be so that there can be a verdict at all. The gate fails closed: each row here keeps it shut.

Whatever is missing, was replayed, left out or changed on the way makes no open gate. There is a row only for what is
not as it must be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import Final

from ..outcomes import BAD, CRASHED, ERROR, FAILED, NOT_RUN
from ..text import count
from .extent import extent_rows
from .format import named
from .model import Model, Session, Test
from .shards import gaps, left_out, missing, overlaps
from .verdict import GateRule, RuleState, closed, no_verdict


def conditions(model: Model) -> Iterator[GateRule]:
    """What keeps the gate shut, whatever its rules say."""
    yield from _about_sessions(model)
    yield from _about_targets(model)
    yield from _about_selection(model)
    yield from extent_rows(model)
    yield from _about_failures(model)
    if not model.counted:
        skipped = sum(test.outcome == "skipped" for test in model.tests)
        measured = f"none ({count(skipped, 'test')} skipped)" if skipped else "none"
        yield no_verdict("tests", "at least 1 that used a run", measured)
    elif not any(run.has_envelope for run in model.runs):
        yield no_verdict("runs", "at least 1", "none")
    if model.gate.require_live and (kept := sum(run.is_kept for run in model.runs)):
        measured = f"{kept} of {count(len(model.runs), 'run')} made earlier"
        yield no_verdict("live runs", "all (require-live)", measured)
    if contradictory := _contradictory_in_silence(model):
        whose = list(dict.fromkeys(chain.from_iterable(contradictory.values())))
        yield no_verdict("contradictory answers", "none", f"{count(len(contradictory), 'run')}: {named(whose)}")
    if drifted := _drifted_in_silence(model):
        yield closed("drift that failed no test", "none", f"{count(len(drifted), 'run')}: {named(drifted)}")
    if crashed := [test.id for test in model.tests if test.is_also(CRASHED)]:
        yield no_verdict("tests whose process died", "none", f"{len(crashed)}: {named(crashed)}")
    if not_run := [test for test in model.counted if test.is_also(NOT_RUN)]:
        classes = Counter(test.problem or "NotRun" for test in not_run)
        kinds = ", ".join(f"{many} {name}" for name, many in sorted(classes.items()))
        yield no_verdict("tests not run", "none", f"{len(not_run)} ({kinds}): {named([one.id for one in not_run])}")


def _drifted_in_silence(model: Model) -> list[str]:
    """Runs that are not what was recorded, of tests that skipped, failed as expected, or are none."""
    answered = {run.reference for test in model.tests if test.outcome in BAD for run in test.runs}
    return [run.test or run.reference for run in model.runs if run.diff and run.reference not in answered]


def _about_failures(model: Model) -> Iterator[GateRule]:
    """What pytest counts as failed, and no rule that forgives by number has counted."""
    others = [test for test in model.tests if not test.counts and test.outcome != CRASHED]
    failed = sum(one.failures_elsewhere for one in model.sessions) + sum(test.failures for test in others)
    names = [test.id for test in others if test.outcome in (FAILED, ERROR)]
    failed = max(failed, len(names))
    whose = f": {named(names)}" if names else ""
    measured = [f"{count(failed, 'failure')} without a run{whose}"] if failed > 0 else []
    measured += [why for one in model.sessions for why in one.failed_by]
    if any(one.other_failures for one in model.sessions):
        measured.append("tests without a run, or another plugin, failed: pytest's exit code 1")
    if measured:
        yield closed("other failures", "none", "; ".join(measured))


def _contradictory_in_silence(model: Model) -> dict[str, list[str]]:
    """Runs whose answers contradict their own ``ok: true``, and whose tests have not failed, as expected or not.

    By their references, with the tests that used each; the run's own name where none has.
    """
    of: dict[str, list[Test]] = {run.reference: [] for run in model.runs if run.contradiction}
    for test in model.tests:
        for run in test.runs:
            if run.contradiction:
                of[run.reference].append(test)
    names = {run.reference: run.test or run.reference for run in model.runs}
    silent = {run: [one.id for one in tests if one.outcome not in {*BAD, "xfailed"}] for run, tests in of.items()}
    return {run: tests or [names[run]] for run, tests in silent.items() if tests or not of[run]}


def _about_sessions(model: Model) -> Iterator[GateRule]:
    for one in model.begun:
        which = f" ({one.shard})" if one.shard else ""
        if one.ended is None or one.exitstatus is None:
            yield no_verdict(f"session{which}", "an end", "it was ended before its end")
        elif one.exitstatus not in (0, 1):
            yield no_verdict(f"session{which}", "pytest's exit code 0 or 1", _exit_in_words(one.exitstatus))
        elif one.interrupted:
            yield no_verdict(f"session{which}", "an end", f"it was ended before its end by {one.interrupted}")
        if not one.named:
            where = f"environment {one.environment}" if one.environment else "no environment"
            yield no_verdict(f"target{which}", "named by --wisebot-env or an origin", f"{where}, by default")
        if one.mode in ("replay", "last") and model.gate.require_live:
            yield no_verdict(f"mode{which}", "one that asks Wisebot (require-live)", f"--wisebot-runs={one.mode}")
        yield from _about_snapshots(one, which)


def _about_snapshots(one: Session, which: str) -> Iterator[GateRule]:
    """A snapshot that was written by the session that is to be judged by it has judged nothing."""
    if one.updates_snapshots:
        yield no_verdict(f"snapshots{which}", "compared", "--snapshot-update accepts whatever comes")
    if one.snapshots_written:
        yield no_verdict(f"snapshots{which}", "none written", f"{one.snapshots_written} written by this session")


def _about_targets(model: Model) -> Iterator[GateRule]:
    emulated = sorted({one.emulator for one in model.begun if one.emulator})
    if not emulated and any(run.source == "emulator" for run in model.runs):
        emulated = ["a run's own"]
    if emulated and not model.gate.allow_emulator:
        yield no_verdict("target", "no emulator (allow-emulator)", f"emulator {', '.join(emulated)}")
    if len(model.targets) > 1:
        yield no_verdict("target", "one for all shards", "; ".join(model.targets))
    if any(one.gate != model.begun[0].gate for one in model.begun):
        yield no_verdict("[gate]", "one for all shards", "they differ")


_EXITS: Final = {2: "interrupted", 3: "an internal error", 4: "used wrongly", 5: "no tests"}


def _exit_in_words(code: int) -> str:
    return f"{code} ({_EXITS[code]})" if code in _EXITS else str(code)


def _about_selection(model: Model) -> Iterator[GateRule]:
    if unreported := model.unreported:
        yield no_verdict("tests without a report", "none", f"{len(unreported)}: {named(unreported)}")
    if not model.is_joined:
        if other := left_out(model):
            but = f"none but by [gate] select ({model.gate.select})" if model.gate.select else "none"
            yield no_verdict("tests deselected", but, f"{len(other)}: {named(other)}")
        return
    if absent := missing(model):
        yield no_verdict("shards", "all", f"missing: {', '.join(absent)}")
    if twice := overlaps(model):
        yield GateRule("tests in several shards", "none", f"{len(twice)}: {named(twice)}", RuleState.NOT_JUDGED)
    if gap := gaps(model):
        yield no_verdict("tests in no shard", "none", f"{len(gap)}: {named(gap)}")
