"""A local emulator of Wisebot: workflows are Python functions, and both APIs speak over real loopback sockets.

Write the workflows into a file, say ``flows.py``::

    from pytest_wisebot.emulator import Emulator, WorkflowFailure

    emulator = Emulator()

    @emulator.workflow("triage", inputs=("ticketId", "message"))
    def triage(ticketId, message):
        if ticketId is None:
            raise WorkflowFailure("unknown ticket")
        return {"priority": "high" if "down" in message else "low"}

and start it by hand (``pytest-wisebot emulator flows.py``), or name it in ``wisebot.toml``.
"""

from __future__ import annotations

from .calls import Call
from .faults import Fault
from .functions import WorkflowFailure
from .handle import EmulatorHandle
from .workflows import Emulator

__all__ = ["Call", "Emulator", "EmulatorHandle", "Fault", "WorkflowFailure"]
