"""The verdict: one rule after the other, each with what is wanted and what was measured; a status and an exit code.

========  ===========================================================================================================
code      of a gated session
========  ===========================================================================================================
``0``     the gate is open
``1``     closed: a workflow is wrong, or something other than a run has failed
``10``    no verdict: Wisebot was not reachable, or did not answer as it should
``11``    no verdict: something that a verdict needs was not run
========  ===========================================================================================================

Code 1 takes precedence over 10, and 10 over 11. Other exit codes of pytest stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Self

from .format import MOST_NAMED, named

OPEN_CODE: Final = 0
CLOSED_CODE: Final = 1
INFRASTRUCTURE_CODE: Final = 10
NOT_RUN_CODE: Final = 11

_WORST_FIRST: Final = (CLOSED_CODE, INFRASTRUCTURE_CODE, NOT_RUN_CODE, OPEN_CODE)


class RuleState(StrEnum):
    """What a rule decides."""

    OK = "ok"
    CLOSED = "closed"
    NO_VERDICT = "no verdict"
    NOT_JUDGED = "not judged"
    """There is too little data to judge by. The rule neither opens nor closes the gate."""


@dataclass(frozen=True, slots=True)
class GateRule:
    """One rule.

    Attributes:
        rule: its name.
        wanted: what is required, in words.
        measured: what was found, in words.
        state: what the rule decides.
        code: the exit code that the rule asks for.
        workflow: the workflow that the rule is about; empty for the whole session.
        names: the tests that ``measured`` ends with, all of them: reports have each on a line of its own.
    """

    rule: str
    wanted: str
    measured: str
    state: RuleState = RuleState.OK
    code: int = OPEN_CODE
    workflow: str = ""
    names: tuple[str, ...] = ()

    def naming(self, names: Iterable[str]) -> Self:
        """The same rule with the tests that it names."""
        return replace(self, names=tuple(names))

    @property
    def figure(self) -> str:
        """What was found, without the names that follow."""
        return self.measured.removesuffix(named(self.names)).removesuffix(": ") if self.names else self.measured

    @property
    def name_lines(self) -> Iterator[str]:
        """The first of the names, and how many more there are."""
        yield from self.names[:MOST_NAMED]
        if (rest := len(self.names) - MOST_NAMED) > 0:
            yield f"and {rest} more"

    @property
    def title(self) -> str:
        """The rule, with the workflow that it is about."""
        return f"{self.workflow}: {self.rule}" if self.workflow else self.rule


class GateStatus(StrEnum):
    """The verdict in a word or two."""

    OPEN = "GATE OPEN"
    CLOSED = "GATE CLOSED"
    NO_VERDICT = "NO VERDICT"
    NOT_GATED = "NOT GATED"
    """The session was not asked for a verdict."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the tested workflows may be deployed, and why not.

    Attributes:
        word: the verdict.
        code: the exit code of a gated session.
        rows: every rule; the rules that keep the gate shut come first.
    """

    word: GateStatus
    code: int
    rows: tuple[GateRule, ...]

    @classmethod
    def of(cls, rows: Iterable[GateRule], pytest_code: int | None) -> Self:
        """The verdict of these rules, with another code than 0 or 1 that pytest ended with."""
        rows = sorted(rows, key=lambda row: _WORST_FIRST.index(row.code))
        code = rows[0].code if rows else OPEN_CODE
        word = {OPEN_CODE: GateStatus.OPEN, CLOSED_CODE: GateStatus.CLOSED}.get(code, GateStatus.NO_VERDICT)
        if pytest_code is not None and pytest_code % 256:  # the system makes 0 of 256
            code = pytest_code
        return cls(word, code, tuple(rows))

    @property
    def is_gated(self) -> bool:
        """Whether the verdict decides the exit code."""
        return self.word is not GateStatus.NOT_GATED

    @property
    def reasons(self) -> tuple[GateRule, ...]:
        """The rules that keep the gate shut."""
        return tuple(row for row in self.rows if row.state in (RuleState.CLOSED, RuleState.NO_VERDICT))


def closed(rule: str, wanted: str, measured: str, workflow: str = "") -> GateRule:
    """A rule that was broken, and closes the gate."""
    return GateRule(rule, wanted, measured, RuleState.CLOSED, CLOSED_CODE, workflow)


def no_verdict(rule: str, wanted: str, measured: str, workflow: str = "") -> GateRule:
    """A rule without which there is no verdict: something was not run."""
    return GateRule(rule, wanted, measured, RuleState.NO_VERDICT, NOT_RUN_CODE, workflow)


def unreachable(rule: str, wanted: str, measured: str, workflow: str = "") -> GateRule:
    """A rule without which there is no verdict: Wisebot was not reachable."""
    return GateRule(rule, wanted, measured, RuleState.NO_VERDICT, INFRASTRUCTURE_CODE, workflow)


def not_judged(rule: str, wanted: str, measured: str, workflow: str = "") -> GateRule:
    """A rule that decides nothing."""
    return GateRule(rule, wanted, measured, RuleState.NOT_JUDGED, workflow=workflow)


def judged(
    kept: bool, rule: str, wanted: str, measured: str, workflow: str = "", broken: Callable[..., GateRule] = closed
) -> GateRule:
    """A rule that is kept, or else the row of a broken one."""
    return GateRule(rule, wanted, measured, workflow=workflow) if kept else broken(rule, wanted, measured, workflow)
