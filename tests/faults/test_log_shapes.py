"""Logs whose lines are JSON of another shape: what reads them uses them, or names the file and the line."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import Outside
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_wisebot import ConfigurationError
from pytest_wisebot.event_log import read_events
from pytest_wisebot.redaction import Redactor
from pytest_wisebot.report.__main__ import main
from pytest_wisebot.runs import RunRequest
from pytest_wisebot.storage.sessions import LoggedRuns, Sessions
from pytest_wisebot.storage.store import RequestKeys
from tests.plugin.conftest import counting, outside  # noqa: F401 - fixtures
from tests.plugin.test_runs_kept import sessions

SUITE = """
    @pytest.mark.wisebot("echo", {"n": 1}, trials=3, min_passes=2)
    def test_trials(workflow_run):
        assert workflow_run.trial != 2

    def test_fails(trigger_workflow):
        assert not trigger_workflow("echo", {"n": 2}).ok

    def test_not_there(trigger_workflow):
        trigger_workflow("locked")

    @pytest.mark.skip
    def test_skipped(): pass
"""

JUNK: list[Any] = [None, True, 0, -1, 2**62, 2**70, 10**400, 1e-320, 1e308, -1e308, float("nan"), float("inf")]
JUNK += ["", "x", "\ud800\u2028", "2027-01-15T08:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
JUNK += [[], {}, [[]], [1], {"a": 1}, ["x", None], {"workflows": []}, [["a", "b"]], json.loads("[" * 300 + "]" * 300)]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values in a line."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in items:
        yield from places(one, (*path, key))


def changed(line: bytes, draw: st.DrawFn) -> bytes:
    """A line with one of its values replaced, wrapped, or gone; or one that is torn."""
    event = json.loads(line)
    *above, last = draw(st.sampled_from(list(places(event))[1:]))
    holder = event
    for key in above:
        holder = holder[key]
    how = draw(st.sampled_from(["junk", "junk", "junk", "gone", "list", "torn", "whole"]))
    if how == "torn":
        return line[: draw(st.integers(0, len(line) - 2))]
    if how == "whole":
        return json.dumps(draw(st.sampled_from(JUNK))).encode()
    if how == "gone":
        del holder[last]
    else:
        holder[last] = [holder[last]] if how == "list" else draw(st.sampled_from(JUNK))
    return json.dumps(event).encode()


@st.composite
def logs(draw: st.DrawFn, lines: list[bytes]) -> bytes:
    """A log of which one or two lines are changed."""
    lines = [*lines]
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(lines) - 1))
        with contextlib.suppress(ValueError, IndexError, TypeError):  # it has been changed into something else before
            lines[at] = changed(lines[at], draw)
    return b"\n".join(lines) + b"\n"


def told(args: list[str], log: Path) -> None:
    """Runs the command, which ends in a verdict or in an error that names file and line."""
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
        code = main(args)
    assert code in (0, 1, 2, 3, 4, 5, 10, 11) or errors.getvalue() == ""
    if code == 2 and errors.getvalue():
        known = rf"{re.escape(str(log))}: (line \d+ |has format |holds no test that has ended|is empty)"
        assert re.search(known, errors.getvalue()), errors.getvalue()


def test_a_line_of_another_shape(outside: Outside) -> None:  # noqa: F811
    """The reports, the union, the baseline and a resumed session end in no traceback, whatever a line has become."""
    outside.test(SUITE)
    outside.run("--wisebot-report=before")
    outside.run("--wisebot-report=out", "--wisebot-baseline=before", "--wisebot-gate", "--wisebot-env=outside")
    root = outside.project.path
    log, kept = root / "out/runs.jsonl", sessions(outside)[-1] / "events.jsonl"
    requests = [
        RunRequest("echo", {"n": n}, occurrence=RunRequest.from_event(event).occurrence)
        for event in read_events(kept)
        if event["event"] == "run" and (n := event["inputs"].get("n")) is not None
    ]
    keys = RequestKeys(Redactor())

    @settings(suppress_health_check=list(HealthCheck))
    @given(logs(log.read_bytes().splitlines()), logs(kept.read_bytes().splitlines()))
    def hold(changed_log: bytes, changed_kept: bytes) -> None:
        log.write_bytes(changed_log)
        told([str(log.parent)], log)
        told([str(root / "before"), f"--baseline={log}"], log)
        told(["merge", str(log.parent), str(root / "before"), "-o", str(root / "union")], log)
        kept.write_bytes(changed_kept)
        earlier = Sessions(root)
        with contextlib.suppress(ConfigurationError):
            earlier.last_of({}, with_runs=True)
            runs = LoggedRuns(earlier.named(kept.parent.name), keys)
            list(runs.not_whole())
            runs.dates()
            for request in requests:
                runs.find(request)
                runs.find(replace(request), next(iter(runs.occurrences(request)), None))

    hold()
