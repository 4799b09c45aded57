"""Preconditions of a verdict. The gate fails closed: each row here keeps it shut, with two exceptions that only inform.

A missing session, a replayed run, a test that was left out, a setting that changed on the way: none of them opens the
gate. There is a row only for a precondition that is not met, and for the extent of the suite.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from ..outcomes import BAD, CRASHED, ERROR, FAILED, NOT_RUN, SKIPPED, XFAILED
from ..text import count
from .format import count_named, named
from .model import Extent, Model, Second, Session, Test, file_of, is_under
from .verdict import GateRule, closed, no_verdict, not_judged, unreachable

NO_TESTS: Final = 5
_EXIT_CODES = {2: "interrupted", 3: "an internal error", 4: "used wrongly", NO_TESTS: "no tests"}
_EXIT_CODES |= {6: "more warnings than --max-warnings allows"}

MOST_APART: Final = 86_400.0
"""Seconds between the beginnings of the shards of one suite at most: older ones were left behind by another job."""

_STATED_BY: Final = {
    "paths": "[gate] paths",
    "arguments": "the folders given as arguments",
    "testpaths": "testpaths",
    "rootdir": "the rootdir",
}
"""What states the folders of the suite, in words."""

_WORKER: Final = re.compile(r"^gw\d+:")
"""Prefix of the ids of a session in which each worker of xdist ran all tests."""

MOST_MODULES: Final = 3
"""Modules that were not collected, and are named with their errors."""

MOST_GROUPS: Final = 1_000
"""Groups of pytest-split that are looked for."""

_WHOLE_FOLDERS: Final = 'whole folders, or paths = ["FOLDER"] under [gate] in wisebot.toml'


def lost_events(model: Model) -> Iterator[GateRule]:
    """A row for each session whose log is not whole."""
    for one in model.begun:
        if one.lost_events:
            which = f" ({one.shard})" if one.shard else ""
            yield no_verdict(f"event log{which}", "whole", f"{count(one.lost_events, 'change')} of it failed")


def preconditions(model: Model) -> Iterator[GateRule]:
    """The rows that keep the gate shut, whatever its limits are."""
    for session in model.begun:
        yield from _session(session, f" ({session.shard})" if session.shard else "", model)
    yield from _targets(model)
    yield from _selection(model)
    yield from _extent(model)
    yield from _other_failures(model)
    yield from _runs(model)
    skipped = [test.id for test in model.tests if test.outcome == SKIPPED and test.met_outage]
    yield from _none("infrastructure errors in skipped tests", skipped, broken=unreachable)
    yield from _none("tests whose process died", [test.id for test in model.tests if test.is_also(CRASHED)])
    if not_run := [test for test in model.counted if test.is_also(NOT_RUN)]:
        classes = Counter(test.problem or "NotRun" for test in not_run)
        kinds = ", ".join(f"{number} {name}" for name, number in sorted(classes.items()))
        names = [one.id for one in not_run]
        yield no_verdict("tests not run", "none", f"{len(not_run)} ({kinds}): {named(names)}").naming(names)


def _none(
    rule: str, found: Sequence[str], noun: str = "", broken: Callable[..., GateRule] = no_verdict
) -> Iterator[GateRule]:
    """A row if anything was found of which there must be none."""
    if found:
        yield broken(rule, "none", count_named(found, noun)).naming(found)


def _session(one: Session, which: str, model: Model) -> Iterator[GateRule]:
    if one.ended is None or one.exitstatus is None:
        yield no_verdict(f"session{which}", "an end", "it was ended before its end")
    elif one.exitstatus not in (0, 1) and not (one.exitstatus == NO_TESTS and _is_empty_shard(one)):
        code = one.exitstatus
        words = f"{code} ({_EXIT_CODES[code]})" if code in _EXIT_CODES else str(code)
        words += (
            f": {one.interrupted.removeprefix('UsageError: ').removeprefix('Interrupted: ')}" if one.interrupted else ""
        )
        yield no_verdict(f"session{which}", "pytest's exit code 0 or 1", words)
    elif one.interrupted:
        yield no_verdict(f"session{which}", "an end", f"it was ended before its end by {one.interrupted}")
    if not one.named:
        where = f"environment {one.environment}" if one.environment else "no environment"
        yield no_verdict(f"target{which}", "named by --wisebot-env or an origin", f"{where}, by default")
    if one.mode in ("replay", "last") and model.gate.require_live:
        yield no_verdict(f"mode{which}", "one that asks Wisebot (require-live)", f"--wisebot-runs={one.mode}")
    # A snapshot that this session has written is not a reference that the session can be judged by.
    if one.updates_snapshots:
        yield no_verdict(f"snapshots{which}", "compared", "--snapshot-update accepts whatever comes")
    if one.snapshots_written:
        yield no_verdict(f"snapshots{which}", "none written", f"{one.snapshots_written} written by this session")


def _is_empty_shard(one: Session) -> bool:
    """Whether a shard had nothing to run, because its part of the collected tests is empty."""
    return bool(one.shard) and one.selected == () and bool(one.deselected)


def _targets(model: Model) -> Iterator[GateRule]:
    emulated = sorted({name for name in (*_emulators(model.begun), *_emulators(model.second_environments)) if name})
    if not emulated and any(run.source == "emulator" for run in model.runs):
        emulated = ["a run's own"]
    if emulated and not model.gate.allow_emulator:
        yield no_verdict("target", "no emulator (allow-emulator)", f"emulator {', '.join(emulated)}")
    if len(model.targets) > 1:
        yield no_verdict("target", "one for all shards", "; ".join(model.targets))
    if len({one.against for one in model.begun}) > 1:
        named_there = [one.against.target if one.against is not None else "none" for one in model.begun]
        yield no_verdict("second environment", "one for all shards", "; ".join(sorted({*named_there})))
    if any(one.gate != model.begun[0].gate for one in model.begun):
        yield no_verdict("[gate]", "one for all shards", "they differ")
    versions = sorted({one.version for one in model.begun})
    if len(versions) > 1:
        yield no_verdict("pytest-wisebot", "one version for all shards", ", ".join(versions))
    commits = sorted({one.build.short_commit for one in model.begun if one.build.commit})
    if len(commits) > 1:
        yield no_verdict("commit", "one for all shards", ", ".join(commits))
    began = {one.shard: one.started for one in model.begun if one.started is not None}
    if began and max(began.values()) - min(began.values()) > MOST_APART:
        oldest = min(began, key=lambda shard: began[shard])
        yield no_verdict("shards", "begun within a day of each other", f"{oldest} is older")


def _emulators(several: Iterable[Session | Second]) -> Iterator[str | None]:
    return (one.emulator for one in several)


def _selection(model: Model) -> Iterator[GateRule]:
    ended_early = any(one.interrupted or one.exitstatus not in (0, 1) for one in model.begun)
    if (
        model.unreported and not model.tests and ended_early
    ):  # what ended the session has a row of its own: the tests are innocent
        before = f"all {count(len(model.unreported), 'test')}: the session ended before the first one"
        yield no_verdict("tests without a report", "none", before)
    else:
        yield from _none("tests without a report", model.unreported)
    left_out = _left_out(model)
    if not model.is_joined:
        if left_out:
            wanted = f"none but by [gate] select ({model.gate.select})" if model.gate.select else "none"
            yield no_verdict("tests deselected", wanted, count_named(left_out)).naming(left_out)
        return
    if missing := _missing_shards(model):
        yield no_verdict("shards", "all", f"missing: {', '.join(missing)}")
    times = Counter(test for one in model.sessions for test in set(one.selected or ()))
    overlaps = sorted(test for test, number in times.items() if number > 1)
    yield from _none("tests in several shards", overlaps, broken=not_judged)
    yield from _none("tests in no shard", left_out)


def _left_out(model: Model) -> list[str]:
    """Collected tests that no session was to run, without the tests that the gate is not about."""
    if model.is_joined:
        selected = {test for one in model.sessions for test in one.selected or ()}
        return sorted(model.collected - selected - model.deselected_by_gate)
    by_gate = {*model.sessions[0].deselected_by_gate}
    return [test for test in model.sessions[0].deselected if test not in by_gate]


def _missing_shards(model: Model) -> list[str]:
    """Shards that never began or did not collect their tests, and groups of pytest-split that no shard ran."""
    absent = [one.shard for one in model.sessions if not one.has_begun]
    unknown = [f"what {one.shard} was to run" for one in model.begun if one.selected is None]
    splits = {one.split for one in model.sessions if one.split is not None}
    groups = {group for group, _ in splits}
    of = max((number for _, number in splits), default=0)
    return [
        *absent,
        *unknown,
        *(f"group {group} of {of}" for group in range(1, min(of, MOST_GROUPS) + 1) if group not in groups),
    ]


# --- the extent: whether all of the suite is there


def _extent(model: Model) -> Iterator[GateRule]:
    """The folders that the verdict is about with their number of tests, and a row for each thing that narrows them."""
    extents = model.extents
    if not extents:
        return
    paths = _outermost(extents)
    by = " and ".join(dict.fromkeys(_STATED_BY.get(one.by, one.by) for one in extents))
    files = _files_left_out(extents)
    yield from _narrowed(model, files)
    loose = dict.fromkeys(argument for one in extents for argument in one.arguments)
    if unknown := [argument for argument in loose if not is_under(file_of(argument), paths)]:
        yield no_verdict("narrowed by arguments", _WHOLE_FOLDERS, count_named(unknown, "part"))
    if files:
        rule = "test files in no shard" if model.is_joined else "test files left out"
        given = list(dict.fromkeys(argument for one in extents for argument in one.named))
        asked = f"; asked for: {named(given)}" if given and {*given} != {*paths} else ""
        yield no_verdict(rule, f"none of {by}", f"{count_named(files)}{asked}")
    if skipped := sorted({module for one in extents for module in one.skipped}):
        measured = f"{count(len(skipped), 'module')} with unknown tests: {named(skipped)}"
        yield not_judged("modules skipped", "none", measured)
    tests = {_WORKER.sub("", test) for test in model.collected - model.deselected_by_gate}
    held = {path: sum(is_under(file_of(test), [path]) for test in tests) for path in paths}
    shown = {path: "the rootdir" if path == "." else path for path in paths}
    measured = ", ".join(f"{count(number, 'test')} in {shown[path]}" for path, number in held.items())
    without_select = {_WORKER.sub("", test) for test in model.collected}
    by_paths = all(one.by == "paths" for one in extents)
    empty = [path for path in paths if not (held[path] if by_paths else _holds(path, without_select))]
    if empty and not any(one.by == "rootdir" for one in extents):
        yield no_verdict("extent", by, f"no test in {named(empty)}; {measured}")
    elif paths:
        yield GateRule("extent", by, measured)


def _holds(path: str, tests: Iterable[str]) -> bool:
    return any(is_under(file_of(test), [path]) for test in tests)


def _files_left_out(extents: Sequence[Extent]) -> list[str]:
    """The test files of the extents that none of the sessions has collected whole."""
    files = {file for one in extents for file in one.files or ()}
    whole = {file for one in extents for file in one.whole}
    complete = [folder for one in extents for folder in one.complete]
    return sorted(file for file in files - whole if not is_under(file, complete))


def _narrowed(model: Model, files: Sequence[str]) -> Iterator[GateRule]:
    """A row for each option that narrows the suite; if its effect can be seen, only where it left out something."""
    has_effect = {"tests": bool(_left_out(model)), "files": bool(files)}
    for one in model.begun:
        which = f" ({one.shard})" if one.shard else ""
        for option in one.extent.narrowed if one.extent is not None else ():
            if has_effect.get(option.kind, True):
                yield no_verdict(f"narrowed by {option.option}{which}", "nothing left out", str(option))


def _outermost(extents: Iterable[Extent]) -> list[str]:
    """The folders and files of the extents, each once, without those inside another one."""
    found = list(dict.fromkeys(path for one in extents for path in one.paths))
    return [path for path in found if not is_under(path, [other for other in found if other != path])]


# --- failures and runs that no other rule counts


def _other_failures(model: Model) -> Iterator[GateRule]:
    """Failures that pytest counts, and that no rule with a limit counts."""
    others = [test for test in model.tests if not test.counts and test.outcome != CRASHED]
    names = [test.id for test in others if test.outcome in (FAILED, ERROR)]
    failed = sum(one.failures_elsewhere for one in model.sessions) + sum(test.failures for test in others)
    modules = list(dict.fromkeys(module for one in model.sessions for module in one.not_collected))
    failed = max(failed - sum(len(one.not_collected) for one in model.sessions), len(names))
    whose = f": {named(names)}" if names else ", of no test: a plugin has counted it" if failed > 0 else ""
    measured = [f"{count(len(modules), 'error')} of collection: {named(modules, MOST_MODULES)}"] if modules else []
    measured += [f"{count(failed, 'failure')} without a run{whose}"] if failed > 0 else []
    measured += [why for one in model.sessions for why in one.failed_by]
    if any(one.other_failures for one in model.sessions):
        measured.append("tests without a run, or another plugin, failed: pytest's exit code 1")
    if measured:
        yield closed("other failures", "none", "; ".join(measured)).naming(
            names if measured[-1].endswith(whose) else ()
        )


def _runs(model: Model) -> Iterator[GateRule]:
    if not model.counted:
        yield no_verdict("tests", "at least 1 that used a run", f"none{_why_none(model)}")
    elif not any(run.has_envelope for run in model.runs):
        yield no_verdict("runs", "at least 1", "none")
    if model.gate.require_live and (kept := sum(run.is_kept for run in model.runs)):
        measured = f"{kept} of {count(len(model.runs), 'run')} made earlier"
        yield no_verdict("live runs", "all (require-live)", measured)
    if contradictory := list(_contradictory(model)):
        tests = list(dict.fromkeys(test for several in contradictory for test in several))
        measured = f"{count(len(contradictory), 'run')}: {named(tests)}"
        yield no_verdict("contradictory answers", "none", measured).naming(tests)
    failed = {run.reference for test in model.tests if test.outcome in BAD for run in test.runs}
    drifted = [run.test or run.reference for run in model.runs if run.diff and run.reference not in failed]
    drifted += [test.id for test in model.drifted_tests if test.outcome not in BAD]
    yield from _none("drift that failed no test", drifted, "run", closed)
    if model.second_environments:
        yield from _comparison(model)


def _comparison(model: Model) -> Iterator[GateRule]:
    """The comparison with a second environment: drift counts as the failure of its test, in the rules about these."""
    rule = f"compared with {'; '.join(one.environment or one.target for one in model.second_environments)}"
    done = [one for one in model.compared_runs if not one.why_not]
    if not done:
        yield no_verdict(rule, "at least 1 run", "none")
    elif drifted := sum(bool(one.diff) for one in done):
        measured = f"{drifted} of {count(len(done), 'run')} drifted"
        yield not_judged(rule, "each run alike; drift fails its test", measured)
    else:
        yield GateRule(rule, "each run alike", f"{count(len(done), 'run')} alike")
    reasons = Counter(one.why_not for one in model.compared_runs if one.why_not)
    for why, number in reasons.items():
        yield not_judged(rule, "each run", f"{count(number, 'run')} not compared: {why}")


def _why_none(model: Model) -> str:
    """Why no test used a run, as far as it is known."""
    if not model.tests and model.deselected_by_gate:
        collected = count(len(model.collected), "collected test")
        return f": [gate] select ({model.gate.select}) picks none of {collected}"
    skipped = sum(test.outcome == SKIPPED for test in model.tests)
    return f" ({count(skipped, 'test')} skipped)" if skipped else ""


def _contradictory(model: Model) -> Iterator[list[str]]:
    """For each run whose answer contradicts its own ``ok: true``: the tests that used it and did not fail.

    A run without a test counts with its own name. A run whose tests all failed, or xfailed, does not count.
    """
    users: dict[str, list[Test]] = defaultdict(list)
    for test in model.tests:
        for run in test.runs:
            users[run.reference].append(test)
    for run in model.runs:
        tests = users[run.reference]
        silent = [test.id for test in tests if test.outcome not in (*BAD, XFAILED)]
        if run.contradiction and (silent or not tests):
            yield silent or [run.test or run.reference]
