"""Runs one workflow over HTTP: deadline and retries (`client`), bytes (`exchange`), and what they say (`verdict`)."""

from __future__ import annotations

from .client import Client
from .flight import AtOnce, Flight, Target, Turns

__all__ = ["AtOnce", "Client", "Flight", "Target", "Turns"]
