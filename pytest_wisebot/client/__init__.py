"""Runs one workflow over HTTP: deadline and retries (`client`), bytes (`exchange`), and their meaning (`response`)."""

from __future__ import annotations

from .client import Client
from .exchange import AttemptGate, AttemptState, NoGate, Target

__all__ = ["AttemptGate", "AttemptState", "Client", "NoGate", "Target"]
