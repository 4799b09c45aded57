"""Credentials that do not show, and text without them.

A `Secret` holds a credential and shows it only where code asks for it; a `Redactor` knows the credentials of a session,
and what a project redacts of its own (`Redact`), and takes them out of text and JSON; a scan looks for them in files.
"""

from __future__ import annotations

from .forms import MASK, REDACTED, SHORTEST_SECRET, Secret
from .redactor import Redactor
from .user_rules import Redact

__all__ = ["MASK", "REDACTED", "SHORTEST_SECRET", "Redact", "Redactor", "Secret"]
