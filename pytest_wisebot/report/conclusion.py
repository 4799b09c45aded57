"""What a log comes to: the session as a model, the verdict on it, and how it compares with a baseline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .baseline import Comparison, compare
from .gate import headline, judge
from .model import Model
from .reading import model_of
from .verdict import Verdict


@dataclass(frozen=True)
class Baseline:
    """An earlier session, and what to call it."""

    model: Model
    name: str


@dataclass(frozen=True)
class Conclusion:
    """All that a report is made of."""

    model: Model
    verdict: Verdict
    comparison: Comparison | None = None

    @property
    def headline(self) -> str:
        """All of it in one line."""
        return headline(self.model, self.verdict)


def concluded(
    events: Iterable[Mapping[str, Any]],
    baseline: Baseline | None = None,
) -> Conclusion:
    """What a log comes to.

    Args:
        events: of one session, or of several that were one suite.
        baseline: an earlier session to compare with.
    """
    model = model_of(events)
    comparison = compare(model, baseline.model, baseline.name) if baseline is not None else None
    return Conclusion(model, judge(model, comparison), comparison)
