"""The tables ``[gate]`` and ``[report]`` of ``wisebot.toml`` as plain values.

The settings read them, the event log carries them, the gate judges by the one, and reports show the other. Reports that
are made later need no ``wisebot.toml``.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

ALLOWED: Final = ("max_missing_tests", "max_quarantined")
"""The numbers that options allow: those of one session, and those of ``merge`` for all shards."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for all tests together, or for the tests of one workflow. None means unlimited.

    Attributes:
        min_pass_rate: smallest share of passed tests among the tests with a verdict, from 0 to 1.
        max_infrastructure_errors: most tests without a verdict because Wisebot was not reachable.
        max_flaky: most tests that passed although some of their trials failed.
        min_runs: fewest live runs.
        p95_seconds: largest 95th percentile of the seconds of a workflow's runs.
        max_seconds: most seconds of each of a workflow's runs.
        max_pass_rate_drop: largest drop of the pass rate below the baseline's; 0.05 is five of a hundred tests.
        max_p95_growth: largest growth of the p95 above the baseline's, as a share of it; 0.25 is a quarter more.
        max_flaky_rate: largest share of a test's last sessions in which it was flaky, or passed after it had failed on
            the same commit, from 0 to 1.
    """

    min_pass_rate: float | None = None
    max_infrastructure_errors: int | None = None
    max_flaky: int | None = None
    min_runs: int | None = None
    p95_seconds: float | None = None
    max_seconds: float | None = None
    max_pass_rate_drop: float | None = None
    max_p95_growth: float | None = None
    max_flaky_rate: float | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """The ``[gate]`` table.

    Attributes:
        overall: limits of all tests together. Limits in seconds, and limits that need a baseline, hold for each
            workflow.
        workflows: limits of single workflows, by name.
        require_live: whether a run that was made earlier keeps the gate shut.
        allow_emulator: whether runs against an emulator may open the gate.
        select: the tests that the gate is about, as ``-m EXPRESSION``, ``-k EXPRESSION`` or both; None for all tests.
        paths: folders and files that a session must collect whole, relative to ``wisebot.toml``; empty if not stated.
        max_missing_tests: how many tests of the baseline may be missing; None if not stated, which allows none.
        max_quarantined: how many failures of quarantined tests are forgiven; None if not stated, which forgives none.
    """

    overall: Limits = field(default_factory=Limits)
    workflows: Mapping[str, Limits] = field(default_factory=dict)
    require_live: bool = True
    allow_emulator: bool = False
    select: str | None = None
    paths: tuple[str, ...] = ()
    max_missing_tests: int | None = None
    max_quarantined: int | None = None

    def of(self, workflow: str, name: str) -> Any:
        """A limit of a workflow: its own, or else the one for all workflows."""
        own = getattr(self.workflows.get(workflow), name, None)
        return own if own is not None else getattr(self.overall, name)

    def to_dict(self) -> dict[str, Any]:
        """The table as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ReportConfig:
    """The ``[report]`` table, with the addresses of the environment.

    Attributes:
        title: the title of the page and of the summary; empty for none.
        workflow_url: the address of a workflow's editor, with ``{id}``; empty for none.
        run_url: the address of a run, with ``{id}``, and ``{workflow}`` for the workflow's id; empty for none.
        history_sessions: how many sessions a history file holds.
    """

    title: str = ""
    workflow_url: str = ""
    run_url: str = ""
    history_sessions: int = 200


def selected(text: str) -> dict[str, str]:
    """The expressions of ``[gate] select`` by the letter of pytest's option, ``m`` or ``k``.

    Raises:
        ValueError: the string is not of this form.
    """
    expected = f'expected "-m EXPRESSION" or "-k EXPRESSION", got "{text}"'
    try:
        words = shlex.split(text)
    except ValueError:
        raise ValueError(expected) from None
    found: dict[str, str] = {}
    if words and not words[0].startswith("-"):
        raise ValueError(f'{expected}: write "-m {text.strip()}" for tests of these marks')
    option = ""
    for word in words:
        if word in ("-m", "-k") and word[1] not in found:
            option = word[1]
            found[option] = ""
        elif not option or word.startswith("-"):
            raise ValueError(expected)
        else:
            found[option] = f"{found[option]} {word}".strip()
    if not found or not all(found.values()):
        raise ValueError(expected)
    return found
