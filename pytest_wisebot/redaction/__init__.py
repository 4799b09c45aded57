"""Credentials that do not show, and text without them.

A `Secret` holds a credential and shows it to nobody who does not ask; a `Redactor` knows the credentials of a session
and takes them out of text and JSON.
"""

from __future__ import annotations

from .redactor import SHORTEST_SECRET, Redactor
from .secret import MASK, Secret

__all__ = ["MASK", "SHORTEST_SECRET", "Redactor", "Secret"]
