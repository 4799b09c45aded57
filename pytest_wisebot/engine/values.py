"""What goes into the engine ahead of a test, and what comes out of it. Nothing heavy: workers hold these, too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..errors import OutcomeUnknown, UnexpectedResponse, WisebotError
from ..runs import RunRequest, WorkflowRun


class EngineError(WisebotError):
    """A defect of this package, not of the workflow, the settings or the network; please report it."""


Outcome = WorkflowRun | WisebotError


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended.

    Attributes:
        outcome: the run, or why there is none.
        lag: seconds that the engine itself may have added to the run's ``elapsed``.
        reference: by which the session's event log names it; empty where there is none.
        kept_in: the file that a run was read from, as messages name it.
        note: what is odd about the run that was read from there.
        drift: in what it differs from its recording, line by line, where somebody compares.
        trace: the header ``traceparent`` of the attempt that it is about; empty where none went out. No part of a run,
            so that it is in no recording and no snapshot.
    """

    outcome: Outcome
    lag: float = 0.0
    reference: str = ""
    kept_in: str = ""
    note: str = ""
    drift: tuple[str, ...] = ()
    trace: str = ""

    @property
    def worth_keeping(self) -> bool:
        """Whether a session in which this happened has run something, or may have."""
        return isinstance(self.outcome, WorkflowRun | OutcomeUnknown | UnexpectedResponse)


@dataclass(frozen=True, slots=True)
class CollectedTests:
    """Which tests a session has, as whoever collected them tells it.

    Attributes:
        selected: the ids of those that are to run, in order.
        deselected: those that are left out.
        by_gate: those among them that are none of the gate's.
        askers: who asks for runs besides these tests.
        extent: of which folders these tests are all, and what narrows them, as JSON (see `report.extent`); empty where
            no report is asked for.
    """

    selected: list[str]
    deselected: list[str]
    by_gate: list[str]
    askers: list[str]
    extent: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ahead:
    """A declared run that may start before its test asks for it.

    Attributes:
        key: by which the test will ask; one for each execution.
        request: what to run.
        seconds: how long it took in the last session; None when nobody knows.
    """

    key: str
    request: RunRequest
    seconds: float | None = None
