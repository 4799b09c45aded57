"""What a deployment is held to: the ``[gate]`` table of ``wisebot.toml`` as plain values.

The settings read it, the event log carries it, and the gate judges by it, also where reports are made much later and
``wisebot.toml`` is not there.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Limits:
    """What is demanded of all tests together, or of those of one workflow. None demands nothing.

    Attributes:
        min_pass_rate: the share of tests that must pass, of those with a verdict, from 0 to 1.
        max_infrastructure_errors: how many tests may be without a verdict because Wisebot was not reachable.
        max_flaky: how many tests may have passed although some of their trials failed.
        min_runs: how many live runs there must be at least.
        p95_seconds: what 95 % of a workflow's runs may take at most.
        max_seconds: what each of a workflow's runs may take at most.
        max_pass_rate_drop: by how much the pass rate may be below the baseline's; 0.05 is five of a hundred tests.
        max_p95_growth: by what share of it the p95 may be above the baseline's; 0.25 is a quarter more.
    """

    min_pass_rate: float | None = None
    max_infrastructure_errors: int | None = None
    max_flaky: int | None = None
    min_runs: int | None = None
    p95_seconds: float | None = None
    max_seconds: float | None = None
    max_pass_rate_drop: float | None = None
    max_p95_growth: float | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """The ``[gate]`` table.

    Attributes:
        overall: of all tests together; its limits in seconds, and those beside a baseline, hold for each workflow.
        workflows: of the tests of single workflows, by name.
        require_live: a run that was made earlier opens no gate.
        allow_emulator: an emulator may open it.
        select: the tests that the gate is about, as ``-m EXPRESSION``, ``-k EXPRESSION`` or both; None: all.
        paths: the folders and files that a session must have collected whole, relative to ``wisebot.toml``; empty: not
            stated.
        max_missing_tests: how many tests of the baseline may be missing; None: not stated, and none may.
    """

    overall: Limits = field(default_factory=Limits)
    workflows: Mapping[str, Limits] = field(default_factory=dict)
    require_live: bool = True
    allow_emulator: bool = False
    select: str | None = None
    paths: tuple[str, ...] = ()
    max_missing_tests: int | None = None

    def of(self, workflow: str, name: str) -> Any:
        """One of a workflow's limits: its own, or the one for all workflows."""
        own = getattr(self.workflows.get(workflow), name, None)
        return own if own is not None else getattr(self.overall, name)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """What `to_dict` gave, by this version or another one."""
        known = {item.name: data[item.name] for item in fields(cls) if item.name in data}
        known["overall"] = _limits(known.get("overall", {}))
        known["workflows"] = {name: _limits(one) for name, one in known.get("workflows", {}).items()}
        known["paths"] = tuple(known.get("paths", ()))
        return cls(**known)


def selected(text: str) -> dict[str, str]:
    """The expressions of ``[gate] select``, by pytest's option for each: ``m`` and ``k``. One without any is for ``m``.

    Raises:
        ValueError: it is written otherwise.
    """
    expected = f'expected "-m EXPRESSION" or "-k EXPRESSION", got "{text}"'
    try:
        words = shlex.split(text)
    except ValueError:
        raise ValueError(expected) from None
    found: dict[str, str] = {}
    if not text.strip().startswith("-"):
        words = ["-m", *words]
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


def _limits(data: Mapping[str, Any]) -> Limits:
    return Limits(**{item.name: data[item.name] for item in fields(Limits) if item.name in data})
