"""End-to-end tests of Wisebot workflows: the public names of `pytest_wisebot`.

Each name is loaded on first use. pytest imports this package at every start, also for suites that never ask Wisebot, so
nothing heavy may be imported here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .engine.pending import PendingRun as PendingRun
    from .errors import (
        AuthenticationFailed as AuthenticationFailed,
    )
    from .errors import (
        BudgetExhausted as BudgetExhausted,
    )
    from .errors import (
        Cancelled as Cancelled,
    )
    from .errors import (
        CircuitOpen as CircuitOpen,
    )
    from .errors import (
        ConfigurationError as ConfigurationError,
    )
    from .errors import (
        ConnectionFailed as ConnectionFailed,
    )
    from .errors import (
        ConnectionLost as ConnectionLost,
    )
    from .errors import (
        GatewayFailed as GatewayFailed,
    )
    from .errors import (
        InfrastructureError as InfrastructureError,
    )
    from .errors import (
        NotRun as NotRun,
    )
    from .errors import (
        NotStarted as NotStarted,
    )
    from .errors import (
        OutcomeUnknown as OutcomeUnknown,
    )
    from .errors import (
        RateLimited as RateLimited,
    )
    from .errors import (
        RecordingNotFound as RecordingNotFound,
    )
    from .errors import (
        Redirected as Redirected,
    )
    from .errors import (
        Rejected as Rejected,
    )
    from .errors import (
        RequestRejected as RequestRejected,
    )
    from .errors import (
        RunNotFinished as RunNotFinished,
    )
    from .errors import (
        RunTimedOut as RunTimedOut,
    )
    from .errors import (
        ServiceUnavailable as ServiceUnavailable,
    )
    from .errors import (
        UnexpectedResponse as UnexpectedResponse,
    )
    from .errors import (
        WisebotError as WisebotError,
    )
    from .errors import (
        WorkflowNotFound as WorkflowNotFound,
    )
    from .expect import (
        assert_envelope as assert_envelope,
    )
    from .expect import (
        assert_failed as assert_failed,
    )
    from .expect import (
        assert_ok as assert_ok,
    )
    from .expect import (
        assert_result as assert_result,
    )
    from .plugin.trigger import TriggerWorkflow as TriggerWorkflow
    from .runs import Api as Api
    from .runs import WorkflowRun as WorkflowRun
    from .settings.values import Settings as Settings
    from .snapshots.assertion import WorkflowSnapshot as WorkflowSnapshot

__version__ = "0.1.0"

_HOMES = {
    "Api": ".runs",
    "AuthenticationFailed": ".errors",
    "BudgetExhausted": ".errors",
    "Cancelled": ".errors",
    "CircuitOpen": ".errors",
    "ConfigurationError": ".errors",
    "ConnectionFailed": ".errors",
    "ConnectionLost": ".errors",
    "GatewayFailed": ".errors",
    "InfrastructureError": ".errors",
    "NotRun": ".errors",
    "NotStarted": ".errors",
    "OutcomeUnknown": ".errors",
    "PendingRun": ".engine.pending",
    "RateLimited": ".errors",
    "RecordingNotFound": ".errors",
    "Redirected": ".errors",
    "Rejected": ".errors",
    "RequestRejected": ".errors",
    "RunNotFinished": ".errors",
    "RunTimedOut": ".errors",
    "ServiceUnavailable": ".errors",
    "Settings": ".settings.values",
    "TriggerWorkflow": ".plugin.trigger",
    "UnexpectedResponse": ".errors",
    "WisebotError": ".errors",
    "WorkflowNotFound": ".errors",
    "WorkflowRun": ".runs",
    "WorkflowSnapshot": ".snapshots.assertion",
    "assert_envelope": ".expect",
    "assert_failed": ".expect",
    "assert_ok": ".expect",
    "assert_result": ".expect",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Not kept: where pytest runs pytest in one process, rooms are loaded anew, and a kept class would be the old one.
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
