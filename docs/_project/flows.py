# flows.py
import random
from datetime import UTC, datetime
from uuid import uuid4

from pytest_wisebot.emulator import Emulator, WorkflowFailure

emulator = Emulator()


@emulator.workflow("triage", inputs=("ticketId", "message"), latency=0.05)
def triage(inputs):
    if not inputs.get("message"):
        raise WorkflowFailure("the ticket has no message")
    category = "billing" if "charged" in inputs["message"] else "other"
    return {"ticketId": inputs["ticketId"], "category": category}


@emulator.workflow("summarise", inputs=("text",), latency=0.05)
def summarise(text):
    # Other words in each run, as of a model.
    opening = random.choice(["In short:", "The gist:", "Summed up:"])
    return {"summary": f"{opening} {text.split('. ')[0].rstrip('.')}.", "words": len(text.split())}


@emulator.workflow("refund", inputs=("ticketId", "amount"), latency=0.05)
def refund(inputs):
    if inputs["amount"] > 500:
        raise WorkflowFailure({"code": "needs-approval", "limit": 500})
    return {
        "refundId": f"rf-{uuid4()}",
        "ticketId": inputs["ticketId"],
        "amount": inputs["amount"],
        "paidAt": datetime.now(UTC).isoformat(),
    }
