"""The section "wisebot runs" of a failing test: requests, responses, and the commands that repeat them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError, InfrastructureError, WisebotError
from ..originals import dates
from ..runs import RunRequest, WorkflowRun, labelled
from ..text import brief, laid_out, readable_json, run_id_text
from .run_storage import age

if TYPE_CHECKING:
    from ..runs import Ended
    from .run_tracker import RequestedRun

SECTION = "wisebot runs"

LONGEST = 1000
"""Characters of a string or a number, as an input bag or a response, that the section shows."""

MOST_LINES = 20
"""Lines of an input bag or a response that the section shows; ``-vv`` shows them whole."""

WIDTH = 68
"""Characters of such a line: with what stands before it, as many as a narrow terminal has."""

LONGEST_COMMAND = 10_000
"""Characters of a command that the section shows. Linux takes 128 KiB for an argument, which is too much to read."""

MOST_RUNS = 5
"""Runs of one test that the section shows in full, those that failed first; ``-vv`` shows all."""

CleanInputs = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Makes of an input bag what is published of it."""

TracebackOf = Callable[[WorkflowRun], str]
"""What a workflow function of the emulator raised in a run; empty when it is not known."""


def render(
    requested: Iterable[RequestedRun],
    traceback_of: TracebackOf,
    clean_inputs: CleanInputs,
    above: str = "",
    *,
    whole: bool,
) -> str:
    """The section's text; empty when nothing was sent.

    Args:
        requested: the runs of the test.
        traceback_of: tells what a workflow function of the emulator raised.
        clean_inputs: makes of an input bag what is published of it.
        above: the text of the failure. The section does not repeat the commands that stand there already.
        whole: show everything.
    """
    # The error of a run that could not be sent is complete in itself.
    sent = [one for one in requested if not isinstance(one.pending.outcome, ConfigurationError)]
    shown = sent if whole or len(sent) <= MOST_RUNS else sorted(sent, key=_succeeded)[:MOST_RUNS]
    blocks = ["\n".join(_lines(one, traceback_of, clean_inputs, None if whole else LONGEST, above)) for one in shown]
    if len(shown) < len(sent):
        succeeded = sum(map(_succeeded, sent)) - sum(map(_succeeded, shown))
        blocks.append(f"and {len(sent) - len(shown)} more runs ({succeeded} succeeded), shown by -vv")
    return "\n\n".join(blocks)


def _succeeded(requested: RequestedRun) -> bool:
    outcome = requested.pending.outcome
    return isinstance(outcome, WorkflowRun) and outcome.ok and not outcome.contradiction


def _lines(
    requested: RequestedRun, traceback_of: TracebackOf, clean_inputs: CleanInputs, limit: int | None, above: str
) -> Iterator[str]:
    outcome, request = requested.pending.outcome, requested.pending.request
    inputs = _json(clean_inputs(request.inputs), limit)
    if not isinstance(outcome, WorkflowRun):
        yield from _no_run_lines(request, outcome, inputs, limit, above)
        return
    yield from _run_lines(outcome, requested.pending.ended, inputs, limit, above)
    if raised := traceback_of(outcome):
        yield "  emulator: " + raised.replace("\n", "\n            ")


def _no_run_lines(
    request: RunRequest, error: WisebotError | None, inputs: str, limit: int | None, above: str = ""
) -> Iterator[str]:
    """A run that has not ended, or that ended without a verdict; the error itself stands above."""
    attempted = error.attempted if isinstance(error, InfrastructureError) else None
    where = f", environment {attempted.environment}" if attempted and attempted.environment else ""
    what = f"no verdict, {type(error).__name__}" if error is not None else "not ended yet"
    yield f"{request.workflow} over the {request.api} API{where}: {what}"
    if attempted is not None:
        yield f"  host:     {attempted.host} (attempts: {attempted.attempts})"
        yield from _trace_line(attempted.trace)
    if isinstance(error, InfrastructureError) and error.answer is not None:
        yield f"  response: {error.answer}"
    yield f"  inputs:   {inputs}"
    yield from _command_lines(attempted.commands if attempted else (), limit, above)


def _run_lines(run: WorkflowRun, ended: Ended | None, inputs: str, limit: int | None, above: str = "") -> Iterator[str]:
    where = f", environment {run.environment}" if run.environment else ""
    attempts = f", {run.attempts} attempts" if run.attempts > 1 else ""
    yield f"{run.workflow} over the {run.api} API{where}: {'ok' if run.ok else 'failed'} ({run.source})"
    yield f"  runId:    {run_id_text(run.run_id)} ({run.elapsed:.2f} s{attempts}, status {run.status_code})"
    yield from _trace_line(ended.trace if ended is not None else "")
    if run.contradiction:
        yield f"  but:      ok: true, beside {run.contradiction}"
    if run.is_kept:
        kept_in = f", kept in {ended.kept_in}" if ended is not None and ended.kept_in else ""
        ago = age(run.started_at, dates.now())
        yield f"  made:     {run.started_at:%Y-%m-%d %H:%M:%S} UTC, {ago} ago ({run.first_source}){kept_in}"
    if ended is not None and ended.note:
        yield f"  note:     {ended.note}"
    yield f"  inputs:   {inputs}"
    if run.has_result and (run.ok or run.result is not None):
        yield f"  result:   {_json(run.result, limit)}"
    if run.error is not None:
        yield f"  error:    {_json(run.error, limit)}"
    if ended is not None and ended.drift:
        yield "  drift:    " + "\n            ".join(ended.drift)
    if run.extra:
        yield f"  extra:    {_json(run.extra, limit)}"
    yield from _command_lines(run.commands, limit, above)


def _trace_line(trace: str) -> Iterator[str]:
    """By which the logs of gateways and servers name the attempt, be there a runId or not."""
    if trace:
        yield f"  trace:    {trace}"


def _command_lines(commands: Iterable[str], limit: int | None, above: str) -> Iterator[str]:
    """A command is whole or not there: one that was cut would do something else."""
    for label, command in labelled(commands):
        if limit is not None and len(command) > LONGEST_COMMAND:
            yield f"  {label + ':':9} {len(command)} characters, shown by -vv (and in run.commands)"
        elif command not in above:
            yield f"  {label + ':':9} {command}"


def _json(value: Any, limit: int | None) -> str:
    if limit is None:
        lines = readable_json(value, indent=2).split("\n")
    elif not isinstance(value, dict | list):
        return brief(value, limit)
    else:
        lines = list(islice(laid_out(value, WIDTH), MOST_LINES + 1))
        lines[MOST_LINES:] = ["… and more, shown by -vv"] if len(lines) > MOST_LINES else []
    return "\n            ".join(lines)
