"""End-to-end tests of Wisebot workflows: the public names of `pytest_wisebot`.

Each name is loaded on first use. pytest imports this package at every start, also for suites that never ask Wisebot, so
nothing heavy may be imported here.
"""

# ruff: noqa: F403, F405 (for type checkers, the errors come all at once)

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .assertions import assert_envelope, assert_failed, assert_ok, assert_result
    from .engine.pending import PendingRun
    from .errors import *  # the whole tree: `__all__` names its classes
    from .plugin.trigger import TriggerWorkflow
    from .runs import Api, WorkflowRun
    from .settings.settings import Settings
    from .snapshots.assertion import WorkflowSnapshot

__version__ = "0.1.0"

_HOMES = {
    ".assertions": "assert_envelope assert_failed assert_ok assert_result",
    ".engine.pending": "PendingRun",
    ".plugin.trigger": "TriggerWorkflow",
    ".runs": "Api WorkflowRun",
    ".settings.settings": "Settings",
    ".snapshots.assertion": "WorkflowSnapshot",
}
"""The modules of the public names; all others are errors."""

__all__ = [
    "Api",
    "AuthenticationFailed",
    "BudgetExhausted",
    "Cancelled",
    "CircuitOpen",
    "ConfigurationError",
    "ConnectionFailed",
    "ConnectionLost",
    "GatewayFailed",
    "InfrastructureError",
    "NotRun",
    "NotStarted",
    "OutcomeUnknown",
    "PendingRun",
    "RateLimited",
    "RecordingNotFound",
    "Redirected",
    "Rejected",
    "RequestRejected",
    "RunNotFinished",
    "RunTimedOut",
    "ServiceUnavailable",
    "Settings",
    "TriggerWorkflow",
    "UnexpectedResponse",
    "WisebotError",
    "WorkflowNotFound",
    "WorkflowRun",
    "WorkflowSnapshot",
    "assert_envelope",
    "assert_failed",
    "assert_ok",
    "assert_result",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = next((home for home, names in _HOMES.items() if name in names.split()), ".errors")
    # Not kept: where pytest runs pytest in one process, rooms are loaded anew, and a kept class would be the old one.
    return getattr(import_module(home, __name__), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
