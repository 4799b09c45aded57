"""``--wisebot-against``: each run over a second environment, too, and what differs there is drift.

A test judges the run of the first environment. Once its body has passed, that run is compared with the one of the
second environment, as snapshots are compared; `[against] noise` repeats the first one to see what differs by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ..errors import ConfigurationError, InfrastructureError, NotRun, WisebotError
from ..runs import AGAIN, AGAINST, RunRequest, WorkflowRun
from ..settings import Settings
from ..settings.settings import AGAINST_OPTION
from ..text import count, run_id_text
from .failure_category import Drifted
from .run_tracker import Compared, Counterparts, RequestedRun

if TYPE_CHECKING:
    from ..engine.pending import PendingRun
    from .runtime import Comparison

OF_THE_CALL: Final = "its call has a secret= of its own, which is not sent to another environment"
GIVEN_UP: Final = "its test gave it up"


class Beside:
    """The second environment of a session.

    Args:
        first: the settings of the first.
        second: those of the second.
        compare: compares two runs.
    """

    def __init__(self, first: Settings, second: Settings, compare: Comparison) -> None:
        self.second = second
        self._first = first
        self._compare = compare

    def check(self, request: RunRequest) -> None:
        """Checks that the second environment can make a run, before the first one is paid for.

        Raises:
            ConfigurationError: it cannot; the message names the environment.
        """
        if request.secret is None:
            try:
                workflow = self.second.workflow(request.workflow)
                self.second.host(request.api)
                self.second.credential(request.api, workflow)
            except ConfigurationError as error:
                raise ConfigurationError(f"{AGAINST_OPTION}={self.second.environment}: {error}") from None

    def requests(self, request: RunRequest) -> list[RunRequest]:
        """The requests of the runs beside a run: that of the second environment, and repetitions of the first.

        None for a call with a secret of its own: a credential of one environment is not sent to another. Repetitions
        have no tag: the faults and counts of an emulator are about the test's own runs.
        """
        if request.secret is not None:
            return []
        numbers = range(1, self._first.against.noise)
        again = [replace(request, side=f"{AGAIN} {number}", test="") for number in numbers]
        return [replace(request, side=AGAINST), *again]

    def compare(self, used: Iterable[RequestedRun]) -> None:
        """Compares the runs that a test has used, those that were not compared yet.

        Raises:
            Drifted: some differ from those of the second environment.
            WisebotError: a run could not be made there, and there is no verdict.
        """
        __tracebackhide__ = True
        drifted: list[tuple[str, str]] = []
        errors: list[WisebotError] = []
        for one in used:
            beside = one.beside
            if beside is None or beside.compared is not None:
                continue
            try:
                beside.compared = self._compared(one.pending, beside)
            except WisebotError as error:
                errors.append(error)
                continue
            if beside.compared is not None and beside.compared.diff:
                drifted.append((self._in_words(one.pending, beside), "\n".join(beside.compared.diff)))
        if drifted:  # certain, whatever became of the other runs
            raise Drifted(*("\n\n".join(texts) for texts in zip(*drifted, strict=True)))
        if errors:
            raise errors[0].with_traceback(None) from None

    def _compared(self, pending: PendingRun, beside: Counterparts) -> Compared | None:
        """The result for one run, for which this waits; None where its test did not wait for the run itself."""
        if (ended := pending.ended) is None:
            beside.release()
            return None
        known = Compared(ended.reference, pending.request.workflow)
        if beside.second is None:
            return replace(known, why_not=OF_THE_CALL)
        if isinstance(pending.outcome, NotRun) or pending.is_cancelled:
            beside.release()
            return replace(known, why_not=GIVEN_UP)
        second, again = _outcome(beside.second), [_outcome(one) for one in beside.repetitions]
        known.beside, *known.again = (one.ended.reference if one.ended else "" for one in beside.all)
        first = pending.outcome
        if not isinstance(first, WorkflowRun):
            self._check_alike(first, second)
            return replace(known, why_not=f"neither environment made a run: {type(first).__name__}")
        if not isinstance(second, WorkflowRun):
            raise _named(second, f"no comparison with environment {self.second.environment}")
        made = [run for run in again if isinstance(run, WorkflowRun)]
        known.diff, known.noise = self._compare.beside(first, second, made)
        failed = next((one for one in again if isinstance(one, WisebotError)), None)
        if known.diff and failed is not None and first.ok == second.ok:  # it may differ by itself
            raise _named(failed, f"a repetition of the run failed, and it differs from {self.second.environment}")
        return known

    def _check_alike(self, first: object, second: object) -> None:
        """A test expects that a run is not possible: it must not be possible there either, for the same reason.

        Raises:
            WisebotError: the first's error, or the second's, where that environment did not make a run either.
        """
        if type(first) is type(second):
            return
        environment = self.second.environment
        if isinstance(second, WisebotError):
            raise _named(second, f"no comparison with environment {environment}, where the run failed otherwise")
        assert isinstance(first, WisebotError)
        raise _named(first, f"no comparison: environment {environment} made the run, and this one did not")

    def _in_words(self, pending: PendingRun, beside: Counterparts) -> str:
        assert beside.second is not None
        run, other, compared = pending.outcome, beside.second.outcome, beside.compared
        assert isinstance(run, WorkflowRun)
        assert isinstance(other, WorkflowRun)
        assert compared is not None
        first, second = self._first.environment or "the first environment", self.second.environment
        lines = [
            f"{run.workflow} ({run.api}) differs between {first} (-, runId {run_id_text(run.run_id)}) and {second} "
            f"(+, runId {run_id_text(other.run_id)})",
            *(f"  {line}" for line in compared.diff),
        ]
        if compared.noise:
            runs = count(1 + sum(isinstance(one.outcome, WorkflowRun) for one in beside.repetitions), "run")
            lines.append(f"  left out, since it differs among {runs} of {first}: {', '.join(compared.noise)}")
        return "\n".join(lines)


def _outcome(pending: PendingRun) -> WorkflowRun | WisebotError:
    """The end of a run, for which this waits; an error is an outcome here."""
    __tracebackhide__ = True
    try:
        return pending.wait()
    except WisebotError as error:
        return error


def _named(error: WisebotError, what: str) -> WisebotError:
    """The same error, and first of all what it stops. Its class stays: it says who must act."""
    if isinstance(error, InfrastructureError):
        return type(error)(f"{what}: {error.reason}", error.attempted, error.answer)
    return type(error)(f"{what}: {error}")
