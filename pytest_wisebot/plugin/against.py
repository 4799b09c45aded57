"""``--wisebot-against``: each run over a second environment, too, and what differs there is drift.

A test judges the run of the first environment. Once its body has passed, that run is compared with the one of the
second environment, as snapshots are compared; `[against] noise` repeats the first one to see what differs by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from ..errors import ConfigurationError, InfrastructureError, NotRun, WisebotError
from ..runs import AGAIN, AGAINST, Api, RunRequest, WorkflowRun
from ..settings import Settings, Workflow
from ..settings.settings import AGAINST_OPTION
from ..text import count, run_id_text
from .failure_category import Drifted

if TYPE_CHECKING:
    import pytest

    from ..engine.pending import PendingRun
    from .run_tracker import RequestedRun
    from .runtime import Comparison

OF_THE_CALL: Final = "its call has a secret= of its own, which is not sent to another environment"
GIVEN_UP: Final = "its test gave it up, or did not wait for its end"


# --- what is wrong with the second environment, before any run


def check_options(first: Settings, config: pytest.Config) -> None:
    """Refuses a second environment beside what it cannot go with.

    Raises:
        ConfigurationError: runs do not come from Wisebot alone, or the second environment is the first.
    """
    name, mode = config.option.wisebot_against, config.option.wisebot_runs
    if mode != "live":
        raise ConfigurationError(
            f"{AGAINST_OPTION}={name}: compares runs of two environments, which are made now: it goes with "
            f"--wisebot-runs=live alone, and this is --wisebot-runs={mode}"
        )
    if name == first.environment:
        others = ", ".join(one for one in first.environments if one != name) or "there is none"
        raise ConfigurationError(
            f'{AGAINST_OPTION}={name}: the session runs against environment "{name}" already '
            f"({first.source('environment')}); others to compare it with: {others}"
        )


def check_second(first: Settings, second: Settings, config: pytest.Config) -> None:
    """Refuses a second environment in which nothing could run, or that is the first under another name.

    Raises:
        ConfigurationError: with every credential that is missing, and where it belongs.
    """
    apis = tuple(Api) if config.option.wisebot_api == "both" else (first.api,)
    if problems := list(dict.fromkeys(_missing(first, second, apis))):
        others = ", ".join(one for one in first.environments if one not in (first.environment, second.environment))
        known = f"\nother environments to compare with: {others}" if others else ""
        lines = "\n".join(f"{AGAINST_OPTION}={second.environment}: {problem}" for problem in problems)
        raise ConfigurationError(lines + known)
    if second.emulated_by is None and _target(first) == _target(second):
        where = f'environment "{first.environment}"' if first.environment else "this session"
        raise ConfigurationError(
            f"{AGAINST_OPTION}={second.environment}: has the hosts, workflows and credentials of {where}: there is "
            "nothing to compare"
        )


def _missing(first: Settings, second: Settings, apis: Iterable[Api]) -> Iterator[str]:
    """What the second environment lacks: for the APIs of most tests, and for those that the first one can use."""
    if second.emulated_by is not None:
        return
    for api in Api:
        host = second.origin if api is Api.WEBHOOK else second.base_url
        if api not in apis and (host is None or not _can_run(first, api)):
            continue
        names: list[str | None] = [*second.workflows] if api is Api.WEBHOOK and second.workflows else [None]
        for name in names:
            workflow = second.workflows.get(name or "", Workflow("NAME", "NAME"))
            is_needed = _can_run(first, api, name)
            if api in apis or is_needed:
                yield from _problems(second, api, workflow, is_needed=is_needed)


def _problems(second: Settings, api: Api, workflow: Workflow, *, is_needed: bool) -> Iterator[str]:
    """Why no run of a workflow can be made; of a credential that the first environment lacks as well, nothing."""
    try:
        second.host(api)
        second.headers_of(api)
        if is_needed:
            second.credential(api, workflow)
    except ConfigurationError as error:
        yield str(error)


def _can_run(settings: Settings, api: Api, name: str | None = None) -> bool:
    """Whether a workflow, or any at all, can be run over an API, as far as settings show."""
    if settings.emulated_by is not None:
        return True
    names = [*settings.workflows] or ["NAME"] if name is None else [name]
    for one in names:
        try:
            settings.host(api)
            settings.credential(api, settings.workflows.get(one, Workflow(one, one)))
        except ConfigurationError:
            continue
        return True
    return False


def _target(settings: Settings) -> tuple[object, ...]:
    ids = {name: one.id for name, one in settings.workflows.items()}
    return settings.origin, settings.base_url, settings.emulated_by, ids, set(settings.credentials())


# --- the runs beside a run


@dataclass(slots=True)
class Compared:
    """How a run compares with that of the second environment.

    Attributes:
        run: its name in the event log; likewise ``beside``, the run of the second environment, and ``again``, the
            repetitions of the first.
        workflow: its workflow.
        diff: the differences, line by line; empty where there is none.
        noise: the paths that differ among the runs of the first environment.
        why_not: why it was not compared; empty for one that was.
    """

    run: str
    workflow: str
    beside: str = ""
    again: list[str] = field(default_factory=list)
    diff: list[str] = field(default_factory=list)
    noise: list[str] = field(default_factory=list)
    why_not: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Each value that is there, as plain JSON."""
        return {name: value for name, value in asdict(self).items() if value}


@dataclass(slots=True, eq=False)
class Counterparts:
    """The runs that one run is compared with.

    Attributes:
        second: that of the second environment; None where there is none.
        repetitions: those of the first.
        compared: the result; None before.
    """

    second: PendingRun | None = None
    repetitions: list[PendingRun] = field(default_factory=list)
    compared: Compared | None = None

    @property
    def all(self) -> list[PendingRun]:
        """All of them."""
        return [*([self.second] if self.second is not None else []), *self.repetitions]

    def release(self) -> None:
        """Announces that they are not needed: those that were not sent are not sent any more."""
        if self.compared is None:
            for pending in self.all:
                pending.release()


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
        drifted: list[str] = []
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
            if beside.compared.diff:
                drifted.append(self._in_words(one.pending, beside))
        if drifted:  # certain, whatever became of the other runs
            raise Drifted("\n\n".join(drifted))
        if errors:
            raise errors[0].with_traceback(None) from None

    def _compared(self, pending: PendingRun, beside: Counterparts) -> Compared:
        """The result for one run. Waits for the runs beside it."""
        ended = pending.ended
        known = Compared(ended.reference if ended is not None else "", pending.request.workflow)
        if beside.second is None:
            return replace(known, why_not=OF_THE_CALL)
        if ended is None or isinstance(pending.outcome, NotRun) or pending.is_cancelled:
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
