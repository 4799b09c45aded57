"""In what a run differs from its recording, once what differs from run to run has a placeholder."""

from __future__ import annotations

from typing import Any

from ..redaction import Redactor
from ..runs import WorkflowRun
from ..settings import Settings


class Comparing:
    """Compares runs with recordings, for ``--wisebot-runs=verify``, as snapshots are compared.

    Args:
        settings: for what the project says of its own volatile values.
        redactor: cleans both: a recording was written clean.
    """

    def __init__(self, settings: Settings, redactor: Redactor) -> None:
        self._said = settings.snapshots
        self._redactor = redactor

    def __call__(self, recorded: WorkflowRun, run: WorkflowRun) -> list[str]:
        """The differences, line by line; none for two that say the same."""
        from ..snapshots.diff import diff_lines

        return diff_lines(self._normal(recorded), self._normal(run))

    def _normal(self, run: WorkflowRun) -> Any:
        from ..snapshots.normalise import NormaliserConfig, normalise

        said: dict[str, Any] = {"ok": run.ok}
        said |= {"result": run.result} if run.has_result else {}
        said |= {"error": run.error} if run.error is not None else {}
        said |= {"extra": extra} if (extra := {key: run.extra[key] for key in run.extra if key != "runId"}) else {}
        habits = NormaliserConfig(self._said.keys, self._said.patterns, self._said.keep)
        clean = dict(zip(said, self._redactor.clean_json(list(said.values())), strict=True))
        return normalise(clean, inputs=run.inputs, run_id=run.run_id, habits=habits)
