"""What a log comes to: the session as a model, the verdict on it, and how it compares with a baseline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .baseline import NONE_YET, Comparison, compare
from .gate import headline, judge
from .log_reader import model_of
from .model import Model
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
    none_yet: bool = False
    """It was stated that there is no earlier session to compare with."""

    @property
    def compared(self) -> Any:
        """What the log keeps of the baseline, so that reports that are made of it later agree."""
        return self.comparison.to_dict() if self.comparison is not None else NONE_YET if self.none_yet else None

    @property
    def headline(self) -> str:
        """All of it in one line."""
        return headline(self.model, self.verdict)


def concluded(
    events: Iterable[Mapping[str, Any]],
    baseline: Baseline | Literal["none"] | None = None,
) -> Conclusion:
    """What a log comes to.

    Args:
        events: of one session, or of several that were one suite.
        baseline: an earlier session to compare with, or the statement that there is none yet; None takes what the log
            has of the baseline that was given to its session.
    """
    model = model_of(events)
    said = model.compared if baseline is None else baseline
    comparison = None
    if isinstance(said, Baseline):
        comparison = compare(model, said.model, said.name)
    elif isinstance(said, Mapping):
        comparison = Comparison.from_dict(said)
    none_yet = said == NONE_YET
    return Conclusion(model, judge(model, comparison, none_yet=none_yet), comparison, none_yet)
