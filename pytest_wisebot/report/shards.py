"""Several sessions that were one suite, split over machines: is it all there, and only once?"""

from __future__ import annotations

from collections import Counter

from .model import Model


def gaps(model: Model) -> list[str]:
    """Tests that a shard has collected and none was to run, those apart that the gate's own expression leaves out."""
    selected = {test for one in model.sessions for test in one.selected or ()}
    by_gate = {test for one in model.sessions for test in one.deselected_by_gate}
    return sorted(model.collected - selected - by_gate)


def left_out(model: Model) -> list[str]:
    """Tests that were collected and that no session was to run, those apart that the gate is not about."""
    if model.is_joined:
        return gaps(model)
    one = model.sessions[0]
    by_gate = {*one.deselected_by_gate}
    return [test for test in one.deselected if test not in by_gate]


def overlaps(model: Model) -> list[str]:
    """Tests that more than one shard was to run."""
    times = Counter(test for one in model.sessions for test in set(one.selected or ()))
    return sorted(test for test, many in times.items() if many > 1)


def missing(model: Model) -> list[str]:
    """Groups of a suite that pytest-split has divided of which there is no shard; and shards that were never begun."""
    absent = [one.shard for one in model.sessions if not one.has_begun]
    unknown = [f"what {one.shard} was to run" for one in model.begun if one.selected is None]
    splits = {one.split for one in model.sessions if one.split is not None}
    groups = {group for group, _ in splits}
    of = max((many for _, many in splits), default=0)
    return [*absent, *unknown, *(f"group {group} of {of}" for group in range(1, of + 1) if group not in groups)]
