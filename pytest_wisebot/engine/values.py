"""Plain values for the engine. Nothing heavy: the workers of pytest-xdist hold these, too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..runs import RunRequest


@dataclass(frozen=True, slots=True)
class CollectedTests:
    """The tests of a session, as the process that collected them sends them.

    Attributes:
        selected: the ids of those that are to run, in order.
        deselected: those that are left out.
        by_gate: those among them that do not belong to the gate.
        askers: the fixtures that start runs besides these tests.
        extent: the folders of which these tests are all, and the options that narrow them, as JSON (see
            `report.extent`); empty where no report is asked for.
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
        key: the key by which the test will ask; one for each execution.
        request: what to run.
        seconds: the duration in the last session; None where it is unknown.
    """

    key: str
    request: RunRequest
    seconds: float | None = None
