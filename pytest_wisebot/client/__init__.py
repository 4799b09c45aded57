"""Runs one workflow over HTTP: deadline and retries (`client`), bytes (`exchange`), and their meaning (`response`)."""

from __future__ import annotations

from .attempt import AttemptGate, AttemptState, NoGate, Target
from .client import Client

__all__ = ["AttemptGate", "AttemptState", "Client", "NoGate", "Target"]
