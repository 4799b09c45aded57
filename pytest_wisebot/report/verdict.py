"""What a verdict is: rule after rule, with what is wanted and what was measured; and a word and a code for all.

========  ===========================================================================================================
code      of a gated session
========  ===========================================================================================================
``0``     the gate is open
``1``     closed: a workflow is wrong (or something else than a run has failed)
``10``    no verdict: Wisebot was not reachable, or did not answer as it should
``11``    no verdict: something that a verdict needs was not run
========  ===========================================================================================================

Closed beats 10, and 10 beats 11. Pytest's own other codes stay what they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

OPEN_CODE: Final = 0
CLOSED_CODE: Final = 1
INFRASTRUCTURE_CODE: Final = 10
NOT_RUN_CODE: Final = 11


class RuleState(StrEnum):
    """What one rule says."""

    OK = "ok"
    CLOSED = "closed"
    NO_VERDICT = "no verdict"
    NOT_JUDGED = "not judged"
    """There is too little to say anything by; it opens and closes nothing."""


@dataclass(frozen=True, slots=True)
class GateRule:
    """One rule: what is wanted, and what was measured.

    Attributes:
        rule: its name.
        wanted: in words.
        measured: in words.
        state: what it says.
        code: the exit code that it asks for.
        workflow: whose it is; empty for a rule about the whole session.
    """

    rule: str
    wanted: str
    measured: str
    state: RuleState = RuleState.OK
    code: int = OPEN_CODE
    workflow: str = ""

    @property
    def title(self) -> str:
        """The rule, and whose it is."""
        return f"{self.workflow}: {self.rule}" if self.workflow else self.rule


class GateStatus(StrEnum):
    """The verdict in a word or two."""

    OPEN = "GATE OPEN"
    CLOSED = "GATE CLOSED"
    NO_VERDICT = "NO VERDICT"
    NOT_GATED = "NOT GATED"
    """Nobody asked whether this may be deployed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether what was tested may be deployed, and why not.

    Attributes:
        word: the verdict.
        code: the exit code of a gated session.
        rows: every rule, those that keep the gate shut first.
    """

    word: GateStatus
    code: int
    rows: tuple[GateRule, ...]

    @property
    def reasons(self) -> tuple[GateRule, ...]:
        """The rules that keep the gate shut."""
        return tuple(row for row in self.rows if row.state in (RuleState.CLOSED, RuleState.NO_VERDICT))


def closed(rule: str, wanted: str, measured: str, workflow: str = "") -> GateRule:
    """A rule that a workflow broke."""
    return GateRule(rule, wanted, measured, RuleState.CLOSED, CLOSED_CODE, workflow)


def no_verdict(rule: str, wanted: str, measured: str, workflow: str = "", code: int = NOT_RUN_CODE) -> GateRule:
    """A rule by which nobody can say."""
    return GateRule(rule, wanted, measured, RuleState.NO_VERDICT, code, workflow)
