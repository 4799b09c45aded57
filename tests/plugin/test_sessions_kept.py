"""Which session is the last one, what of it is there, and what its files are called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Outside

from pytest_wisebot.event_log import read_events
from tests.plugin.test_runs_kept import header, sessions


@pytest.mark.parametrize("outage", ["a wrong secret", "no room"])
def test_a_session_that_ran_nothing_is_none(outside: Outside, outage: str) -> None:
    """After an outage that let no run begin the last session is the one before: nothing is paid for twice."""
    outside.test("""
        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", [{"n": n} for n in range(3)])
        def test_it(workflow_run, inputs):
            assert workflow_run.ok
    """)
    outside.run().assert_outcomes(passed=3)
    (live,) = sessions(outside)
    if outage == "a wrong secret":
        outside.project.write("secret.txt", "FAKE-secret-of-another")
    else:
        outside.handle.fail_next(outside.rate_limited(0), times=3, everywhere=True)
    assert outside.run("--wisebot-retries", "0").ret == pytest.ExitCode.TESTS_FAILED
    outside.project.write("secret.txt", "FAKE-secret-of-all")
    assert sessions(outside) == [live]
    calls = len(outside.calls)
    outside.run("--wisebot-runs=last").assert_outcomes(passed=3)
    outside.run("--wisebot-runs=resume").assert_outcomes(passed=3)
    assert len(outside.calls) == calls


def test_only_last_goes_back_to_the_runs_of_an_earlier_session(outside: Outside) -> None:
    """What may have run and has no verdict is run anew by ``resume``, and no older run is taken for it."""
    from pytest_wisebot.emulator import Fault

    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1})
        def test_it(workflow_run):
            assert workflow_run.ok
    """)
    outside.run().assert_outcomes(passed=1)
    outside.handle.fail_next(Fault.html(502), everywhere=True)
    outside.run("--wisebot-retries", "0")
    assert len(sessions(outside)) == len(outside.calls) == 2
    outside.run("--wisebot-runs=last").assert_outcomes(passed=1)
    assert len(outside.calls) == 2
    outside.run("--wisebot-runs=resume").assert_outcomes(passed=1)
    assert len(outside.calls) == 3


def test_resume_of_a_session_by_its_name(outside: Outside) -> None:
    """And not of the last one: what the named one has is taken, and the rest is run."""
    outside.test("""
        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", [{"n": n} for n in range(4)])
        def test_it(workflow_run, inputs):
            assert workflow_run.result == inputs
    """)
    outside.run("-k", "inputs0 or inputs1 or inputs2")
    outside.run("-k", "inputs3")
    first, _ = sessions(outside)
    result = outside.run("--wisebot-runs=resume", "--wisebot-session", first.name)
    result.assert_outcomes(passed=4)
    assert f"runs are those of session {first.name}: 3 runs" in header(result)[-1]
    assert sorted(outside.arrived) == [0, 1, 2, 3, 3]
    assert next(read_events(sessions(outside)[-1] / "events.jsonl"))["carried_from"] == first.name


def test_an_interrupted_session_is_judged_again(outside: Outside) -> None:
    """What had ended is there; the rest is "not run"."""
    outside.test("""
        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", [{"n": n} for n in range(4)])
        def test_it(workflow_run, inputs):
            if inputs == {"n": 1} and not (HERE / "calm").exists():
                raise KeyboardInterrupt
    """)
    assert outside.project.run_apart("--wisebot-no-ahead").ret == pytest.ExitCode.INTERRUPTED
    (outside.project.path / "calm").touch()
    assert outside.run("--wisebot-runs=last").parseoutcomes() == {"passed": 2, "not": 2}
    assert outside.arrived == [0, 1]


THREE = """
    @pytest.mark.wisebot("echo")
    @pytest.mark.parametrize("inputs", [{"n": n} for n in range(3)])
    def test_it(workflow_run, inputs):
        assert workflow_run.result == inputs
"""


def runs_in(path: Path) -> list[int]:
    """The indexes of the lines of a log that hold runs."""
    return [at for at, line in enumerate(path.read_bytes().splitlines()) if b'"event":"run"' in line]


HARMS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "torn": (lambda line: line[:40], "is not valid JSON"),
    "garbage": (lambda line: b"\xff\x00{garbage", "is not valid JSON"),
    "a list": (lambda line: b"[1, 2]", 'is not an event: expected an object with "event"'),
    "a list for true": (
        lambda line: line.replace(b'"ok":true', b'"ok":[]'),
        'has a wrong "ok": expected true or false, got []',
    ),
    "NaN": (lambda line: line.replace(b'"status":200', b'"status":NaN'), "is not valid JSON"),
    "a list for an object": (
        lambda line: line.replace(b'"inputs":{', b'"extra":[],"inputs":{'),
        'has a wrong "extra": expected an object',
    ),
    "a key less": (lambda line: line.replace(b'"made":', b'"mode":'), 'has no "made"'),
}
"""What may have become of a line of a log, and the reason that is told of it."""


def test_each_whole_line_of_a_log_is_used(outside: Outside) -> None:
    """A line that is not whole is told by its number and costs its own run alone, also with a name and with ``-q``."""
    outside.test(THREE)
    outside.run().assert_outcomes(passed=3)
    (folder,) = sessions(outside)
    path = folder / "events.jsonl"
    lines = path.read_bytes().splitlines()
    at = runs_in(path)[1]

    def judged(name: str, *args: str) -> None:
        harm, why = HARMS[name]
        broken = b"\n".join([*lines[:at], harm(lines[at]), *lines[at + 1 :]]) + b"\n"
        path.write_bytes(broken)
        result = outside.run("--wisebot-runs=last", *args)
        assert result.parseoutcomes() == {"passed": 2, "not": 1}, name
        told = f"1 line of {path} cannot be used: {at + 1}; line {at + 1} {why}"
        (line,) = [line for line in result.outlines if told in line]
        assert line.endswith("; the other lines hold 2 runs"), name
        assert path.read_bytes() == broken, name

    for name in HARMS:
        judged(name)
    judged("torn", f"--wisebot-session={folder.name}")
    judged("torn", "-q")
    assert len(outside.calls) == 3
    for _ in range(2):
        outside.run("--wisebot-runs=resume").assert_outcomes(passed=3)
        assert len(outside.calls) == 4


def test_a_log_without_its_first_line_is_used(outside: Outside) -> None:
    """Its last line has the environment and the hosts, too; without both it is passed over, and that is told."""
    outside.test(THREE)
    outside.run().assert_outcomes(passed=3)
    (folder,) = sessions(outside)
    path = folder / "events.jsonl"
    _, *others = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([b'{"event":"sess\n', *others]))
    outside.run("--wisebot-runs=last").assert_outcomes(passed=3)
    path.write_bytes(b"".join([b'{"event":"sess\n', *others[:-1]]))
    result = outside.run("--wisebot-runs=last", f"--wisebot-session={folder.name}")
    result.assert_outcomes(passed=3)
    assert len(outside.calls) == 3
    result = outside.run("--wisebot-runs=resume")
    assert len(outside.calls) == 6
    told = f"session {folder.name} was passed over: its log does not tell its environment; --wisebot-session="
    assert any(told in line for line in result.outlines)


def test_a_log_of_garbage_is_told(outside: Outside) -> None:
    """Nothing of it can be used: its session is named before the runs are made again."""
    outside.test(THREE)
    outside.run().assert_outcomes(passed=3)
    (folder,) = sessions(outside)
    (folder / "events.jsonl").write_bytes(bytes(range(256)) * 40)
    for options in ([], ["-q"]):
        lines = outside.run("--wisebot-runs=resume", *options).outlines
        assert any(f"session {folder.name} was passed over" in line for line in lines) is (options == [])
        named = outside.run("--wisebot-runs=last", f"--wisebot-session={folder.name}", *options)
        assert any("cannot be used: 1, 2, 3" in line for line in named.outlines)


def test_a_session_of_the_format_before_is_refused(outside: Outside) -> None:
    """By its name, and nothing is paid for again unasked."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1})
        def test_it(workflow_run):
            assert workflow_run.ok
    """)
    outside.run().assert_outcomes(passed=1)
    path = sessions(outside)[0] / "events.jsonl"
    path.write_text(path.read_text("utf-8").replace('"storage":2,', ""), "utf-8")
    result = outside.run("--wisebot-runs=resume")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"session {path.parent.name} was kept by an earlier version of pytest-wisebot" in result.stderr.str()
    assert len(outside.calls) == 1
