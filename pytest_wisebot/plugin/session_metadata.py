"""What the event log holds of a session as a whole: its first line, and the snapshots in its last."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import pytest

from ..originals import dates
from .build_info import build_info, is_wanted
from .session_state import state_of

if TYPE_CHECKING:
    from ..settings import Settings


_VERSION: Final = version("pytest-wisebot")
"""Read when this module is loaded: files that are read later may be those of a fake file system."""


def beginning(config: pytest.Config, began: float) -> dict[str, Any]:
    """What every session has, whatever its settings.

    Args:
        config: the session's.
        began: when, in seconds since the epoch.
    """
    option = config.option
    return {
        "version": _VERSION,
        "mode": option.wisebot_runs,
        "started": dates.at(began).isoformat(timespec="milliseconds"),
        "gated": option.wisebot_gate,
        "named": any(getattr(option, f"wisebot_{name}") is not None for name in ("env", "origin", "base_url")),
        "updates_snapshots": bool(config.getoption("update_snapshots", False)),
        "each": config.getoption("dist", "no") == "each",
        "split": _split(config),
        "build": _build(config),
    }


def target(settings: Settings) -> dict[str, Any]:
    """The Wisebot that the session tests, and the rules that judge it."""
    return {
        **identity(settings),
        "protected": settings.protected,
        "gate": settings.gate.to_dict(),
        "report": asdict(settings.report_config),
    }


def against(second: Settings, first: Settings) -> dict[str, Any]:
    """The second environment that each run is made over, too."""
    return {**identity(second), "protected": second.protected, "noise": first.against.noise}


def identity(settings: Settings) -> dict[str, Any]:
    """Equal for two sessions that test the same Wisebot. An emulator has other ports each time.

    Args:
        settings: with or without hosts and credentials of the emulator; those of a worker of xdist have them.
    """
    has_started = settings.emulated_fallback is not None
    return {
        "environment": settings.environment,
        "origin": None if has_started else settings.origin,
        "base_url": None if has_started else settings.base_url,
        "emulator": settings.emulator if has_started else settings.emulated_by,
    }


def _build(config: pytest.Config) -> dict[str, Any]:
    """Where the session comes from, if a report or a verdict is made of it: what is known."""
    known = asdict(state_of(config).one(build_info)) if is_wanted(config) else {}
    return {name: value for name, value in known.items() if value}


def snapshots_written(config: pytest.Config) -> int:
    """How many snapshots the session has made or changed. Syrupy counts those of its workers, too."""
    if not (config.getoption("update_snapshots", False) or config.getoption("update_new_snapshots_only", False)):
        return 0
    report = getattr(getattr(config, "_syrupy", None), "report", None)
    return sum(int(getattr(report, name, 0)) for name in ("num_created", "num_updated"))


def _split(config: pytest.Config) -> list[int] | None:
    """The group that pytest-split runs here, and the number of groups."""
    group, splits = config.getoption("group", None), config.getoption("splits", None)
    return [group, splits] if isinstance(group, int) and isinstance(splits, int) else None
