"""Runs many requests at once: the only owner of concurrency."""

from __future__ import annotations

from .engine import Engine
from .pending import PendingRun

__all__ = ["Engine", "PendingRun"]
