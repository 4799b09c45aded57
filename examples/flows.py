"""The three workflows of these examples, as the local emulator runs them.

In Wisebot they are drawn, with models and HTTP calls in them. Here each is a Python function with the same inputs and
the same shape of result, so that tests can be written, and CI can run them, without an account and without cost.

By hand: ``pytest-wisebot emulator flows.py`` serves them until Ctrl-C and says how to call them.
"""

from __future__ import annotations

import random
from typing import Any

from pytest_wisebot.emulator import Emulator, WorkflowFailure

emulator = Emulator()

URGENT = ("immediately", "urgent", "today", "lawyer")
TOPICS = {
    "billing": ("charged", "invoice", "refund", "card"),
    "shipping": ("parcel", "delivery", "tracking"),
    "account": ("password", "log in", "login", "e-mail address"),
}


@emulator.workflow("triage", inputs=("ticketId", "message"), latency=0.05)
def triage(inputs: dict[str, Any]) -> dict[str, Any]:
    """Sorts a support ticket by topic and urgency."""
    message = str(inputs.get("message", "")).lower()
    if not message.strip():
        raise WorkflowFailure("the ticket has no message")
    category = next((topic for topic, words in TOPICS.items() if any(word in message for word in words)), "other")
    priority = 1 if any(word in message for word in URGENT) else 3
    return {"ticketId": inputs.get("ticketId"), "category": category, "priority": priority}


@emulator.workflow("summarise", inputs=("text",), latency=(0.05, 0.2))
def summarise(text: str) -> dict[str, Any]:
    """Sums a text up. Its words differ from run to run, as a model's do; what it says does not."""
    opening = random.choice(["In short:", "The gist:", "Summed up:", "To put it briefly:"])
    first = str(text).split(".")[0].strip()
    return {"summary": f"{opening} {first}.", "words": len(str(text).split()), "confidence": random.uniform(0.8, 0.95)}


ORDERS = {"T-1": 42.50, "T-2": 18.00, "T-9": 950.00}


@emulator.workflow("refund", inputs=("ticketId", "amount"), latency=0.05)
async def refund(ticketId: str, amount: float | None) -> dict[str, Any]:  # noqa: N803 - the field name of the Input step
    """Pays an order back, within limits; it fails for good reasons."""
    if ticketId not in ORDERS:
        raise WorkflowFailure(f"unknown ticket {ticketId!r}")
    paid = ORDERS[ticketId]
    wanted = paid if amount is None else amount
    if wanted > paid:
        raise WorkflowFailure({"code": "too-much", "paid": paid, "wanted": wanted})
    if wanted > 500:
        raise WorkflowFailure({"code": "needs-approval", "limit": 500})
    return {"ticketId": ticketId, "refunded": wanted, "currency": "EUR"}
