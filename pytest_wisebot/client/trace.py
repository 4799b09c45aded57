"""The ids by which requests are found in the logs of gateways and servers: W3C trace context, version 00.

After an outcome that is unknown there is no ``runId`` to look for.
"""

from __future__ import annotations

from secrets import token_hex  # and not random, whose numbers a test may count on


class Trace:
    """One trace, with a span for each request.

    Args:
        sends: whether requests carry an id at all.
    """

    def __init__(self, *, sends: bool = True) -> None:
        self._trace_id = token_hex(16) if sends else ""

    def span(self) -> str:
        """The header ``traceparent`` of a new request; empty where none is sent. Flags: sampled."""
        return f"00-{self._trace_id}-{token_hex(8)}-01" if self._trace_id else ""
