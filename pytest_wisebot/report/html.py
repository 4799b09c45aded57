"""The page for people."""

from __future__ import annotations

from .baseline import Comparison
from .model import Model
from .verdict import Verdict


def html_report(model: Model, verdict: Verdict, baseline: Comparison | None = None) -> str:
    """The page."""
    return ""
