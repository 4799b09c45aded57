"""Is all of the suite there that the verdict speaks of? What was left out keeps the gate shut, by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ..text import count
from .format import named
from .model import Extent, Model, Narrowing
from .paths import file_of, is_under
from .shards import left_out
from .verdict import GateRule, RuleState, no_verdict

_BY: Final = {
    "paths": "[gate] paths",
    "arguments": "the folders given as arguments",
    "testpaths": "testpaths",
    "rootdir": "the rootdir",
}
"""What states the folders, in words."""

_WORKER: Final = re.compile(r"^gw\d+:")
"""Stands before the ids of a session in which each worker of xdist ran all tests."""

TO_WRITE: Final = 'whole folders, or paths = ["FOLDER"] under [gate] in wisebot.toml'
"""What the arguments have to be."""


def extent_rows(model: Model) -> Iterator[GateRule]:
    """Of which folders the verdict speaks and how many tests they hold, and a row for all that narrows them."""
    extents = [one.extent for one in model.begun if one.extent is not None]
    if not extents:
        return
    yield from _narrowed(model)
    yield from _about_arguments(extents)
    if absent := files_left_out(extents):
        yield no_verdict(
            "test files in no shard" if model.is_joined else "test files left out",
            f"none of {_in_words(extents)}",
            f"{len(absent)}: {named(absent)}{_instead(extents)}",
        )
    if skipped := sorted({module for one in extents for module in one.skipped}):
        measured = f"{count(len(skipped), 'module')} with unknown tests: {named(skipped)}"
        yield GateRule("modules skipped", "none", measured, RuleState.NOT_JUDGED)
    paths = _paths(extents)
    held = {path: sum(is_under(file_of(test), [path]) for test in _in_gate(model)) for path in paths}
    measured = ", ".join(f"{count(many, 'test')} in {_shown(path)}" for path, many in held.items())
    if all(one.by == "paths" for one in extents) and (empty := [path for path in paths if not held[path]]):
        yield no_verdict("extent", _in_words(extents), f"no test in {named(empty)}; {measured}")
    elif paths:
        yield GateRule("extent", _in_words(extents), measured)


def files_left_out(extents: Sequence[Extent]) -> list[str]:
    """The test files of the extents that none of the sessions has collected whole."""
    files = {file for one in extents for file in one.files or ()}
    whole = {file for one in extents for file in one.whole}
    complete = [folder for one in extents for folder in one.complete]
    return sorted(file for file in files - whole if not is_under(file, complete))


def _narrowed(model: Model) -> Iterator[GateRule]:
    """A row for each option: of those whose work can be seen, only where they have left out something."""
    tests = left_out(model)
    files = files_left_out([one.extent for one in model.begun if one.extent is not None])
    for one in model.begun:
        which = f" ({one.shard})" if one.shard else ""
        for narrowing in one.extent.narrowed if one.extent is not None else ():
            if {"tests": bool(tests), "files": bool(files)}.get(narrowing.kind, True):
                yield _row(narrowing, which)


def _row(narrowing: Narrowing, which: str) -> GateRule:
    return no_verdict(f"narrowed by {narrowing.option}{which}", "nothing left out", str(narrowing))


def _about_arguments(extents: Sequence[Extent]) -> Iterator[GateRule]:
    """Arguments that name files or tests outside of every folder that the verdict is about."""
    paths = _paths(extents)
    loose = [argument for one in extents for argument in one.arguments]
    unknown = [argument for argument in dict.fromkeys(loose) if not is_under(file_of(argument), paths)]
    if unknown:
        yield no_verdict("narrowed by arguments", TO_WRITE, f"{count(len(unknown), 'part')}: {named(unknown)}")


def _instead(extents: Sequence[Extent]) -> str:
    """What was asked for, where it is another part of the suite than the one that the verdict speaks of."""
    given = list(dict.fromkeys(argument for one in extents for argument in one.named))
    return f"; asked for: {named(given)}" if given and {*given} != {*_paths(extents)} else ""


def _paths(extents: Sequence[Extent]) -> list[str]:
    """All that is spoken of, each once, without what lies in another."""
    found = list(dict.fromkeys(path for one in extents for path in one.paths))
    return [path for path in found if not is_under(path, [other for other in found if other != path])]


def _in_gate(model: Model) -> set[str]:
    """The tests that were collected, without those that ``[gate]`` is not about."""
    by_gate = {test for one in model.sessions for test in one.deselected_by_gate}
    return {_WORKER.sub("", test) for test in {*model.collected} - by_gate}


def _in_words(extents: Iterable[Extent]) -> str:
    return " and ".join(dict.fromkeys(_BY.get(one.by, one.by) for one in extents))


def _shown(path: str) -> str:
    return "the rootdir" if path == "." else path
