"""In what a run differs from its recording, once what differs from run to run has a placeholder."""

from __future__ import annotations

from typing import Any

from ..redaction import Redactor
from ..runs import WorkflowRun, brief


class Comparing:
    """Compares runs with recordings, for ``--wisebot-runs=verify``.

    Args:
        redactor: cleans both: a recording was written clean.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def __call__(self, recorded: WorkflowRun, run: WorkflowRun) -> list[str]:
        """The differences, line by line; none for two that say the same."""
        expected, received = self._normal(recorded), self._normal(run)
        if expected == received:
            return []
        return [f"expected {brief(expected, 1000)}", f"received {brief(received, 1000)}"]

    def _normal(self, run: WorkflowRun) -> Any:
        said: dict[str, Any] = {"ok": run.ok}
        said |= {"result": run.result} if run.has_result else {}
        said |= {"error": run.error} if run.error is not None else {}
        return self._redactor.clean_json(said)
