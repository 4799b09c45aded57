"""``--wisebot-runs``: every run is kept, and can be judged again without being paid for again."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from harness import Numbers, Outside, Project

from pytest_wisebot.event_log import read_events

SUITE = """
    @pytest.fixture(scope="module")
    def wide(trigger_workflow):
        yield trigger_workflow("echo", {"n": "setup"})
        trigger_workflow("echo", {"n": "teardown"})

    @pytest.mark.wisebot("echo", {"n": 1})
    @pytest.mark.parametrize("k", range(3))
    def test_declared(workflow_run, k, wide):
        assert workflow_run.ok and wide.ok

    def test_called(trigger_workflow):
        runs = [trigger_workflow("echo", {"n": 1}), *trigger_workflow.map("echo", [{"n": 1}, {"n": 2}])]
        assert len({run.run_id for run in runs}) == 3

    @pytest.mark.wisebot("echo", {"n": "shared"}, share=True)
    @pytest.mark.parametrize("k", range(2))
    def test_shared(workflow_run, k):
        assert workflow_run.ok

    @pytest.mark.wisebot("refund", {"n": "refund"}, api="dashboard")
    def test_failed(workflow_run):
        assert_failed(workflow_run, match="unknown ticket")
"""
RUNS = 10
"""What the suite pays for."""

REFUSES_CONNECTIONS = """
    import socket
    from pytest_wisebot.plugin.session_state import state_of

    def refuse(self, address):
        raise AssertionError(f"connected to {address}")

    def pytest_configure(config):
        for kind in (socket.socket, state_of(config).sockets.socket):  # tests', and that of runs
            kind.connect = kind.connect_ex = refuse
"""

REMEMBERS = """
    import json, pathlib, pytest
    from pytest_wisebot.runs import WorkflowRun

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(item):
        run = getattr(item, "funcargs", {}).get("workflow_run")
        if run is not None:
            path = pathlib.Path(__file__).with_name("seen.txt")
            with path.open("a") as file:
                file.write(json.dumps([item.nodeid, run.run_id, run.source]) + "\\n")
"""


def seen(outside: Outside) -> dict[str, tuple[str, str]]:
    """Which run each test saw in the last session, and its source."""
    path = outside.project.path / "seen.txt"
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    path.unlink()
    return {nodeid: (run_id, source) for nodeid, run_id, source in lines}


def header(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if line.startswith("wisebot: ")]


def ages(text: str) -> str:
    return re.sub(r"\d+ \w+( to \d+ \w+)? ago", "AGO", text)


def recordings(outside: Outside) -> dict[str, bytes]:
    folder = outside.project.path / "recordings"
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def sessions(outside: Outside) -> list[Path]:
    return sorted((outside.project.path / ".wisebot" / "sessions").glob("*"))


def without_access(outside: Outside) -> None:
    """No host, and no credential."""
    (outside.project.path / "secret.txt").unlink()
    (outside.project.path / "token.txt").unlink()
    toml = outside.project.path / "wisebot.toml"
    lines = toml.read_text("utf-8").splitlines()
    toml.write_text("\n".join(line for line in lines if "origin" not in line and "base-url" not in line), "utf-8")


def test_recorded_runs_are_replayed_without_any_network(outside: Outside, numbers: Numbers) -> None:
    """Every connection is refused, host and credentials are gone: green, each test with its own run."""
    outside.project.write("conftest.py", REMEMBERS)
    outside.test(SUITE)
    result = outside.run("--wisebot-runs=record")
    result.assert_outcomes(passed=7)
    assert len(outside.calls) == RUNS
    assert numbers(result)[-1] == f"{RUNS} runs recorded in recordings"
    before, recorded = recordings(outside), seen(outside)
    without_access(outside)
    outside.project.write("conftest.py", REMEMBERS + REFUSES_CONNECTIONS)
    result = outside.project.run_apart("--wisebot-runs=replay")
    result.assert_outcomes(passed=7)
    assert [ages(line) for line in header(result)] == [
        "wisebot: environment outside (wisebot.toml: default-environment)",
        "wisebot: the webhook API for tests that name none (default)",
        f"wisebot: runs are replayed from recordings: {RUNS} runs, made AGO",
    ]
    assert numbers(result) == [f"{RUNS} runs from recordings"]
    assert seen(outside) == {nodeid: (run_id, "recording") for nodeid, (run_id, _) in recorded.items()}
    assert recordings(outside) == before
    assert len(outside.calls) == RUNS
    assert len(sessions(outside)) == 1


def test_a_secret_of_one_call_is_not_needed_either(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a call names by ``secret=`` may lead nowhere where nothing is asked of any network; live it is an error."""
    outside.test("""
        @pytest.mark.parametrize("secret", ["env:MINE", "file:mine.txt"])
        def test_it(trigger_workflow, secret):
            assert trigger_workflow("echo", {"n": 1}, secret=secret).ok
    """)
    monkeypatch.setenv("MINE", "FAKE-secret-of-all")
    mine = outside.project.write("mine.txt", "FAKE-secret-of-all")
    outside.run("--wisebot-runs=record").assert_outcomes(passed=2)
    monkeypatch.delenv("MINE")
    mine.unlink()
    outside.run("--wisebot-runs=replay").assert_outcomes(passed=2)
    outside.run("--wisebot-runs=replay", "-n", "1").assert_outcomes(passed=2)
    outside.run("--wisebot-runs=last").assert_outcomes(passed=2)
    result = outside.run("--wisebot-runs=resume")
    result.stdout.fnmatch_lines(["E*ConfigurationError: secret=: *"])
    assert len(outside.calls) == 2


ONLY_LOOPBACK = """
    import socket
    from pytest_wisebot.plugin.session_state import state_of

    def only(connect):
        def connect_there(self, address):
            assert self.family == socket.AF_UNIX or address[0] == "127.0.0.1", address
            assert address[1] not in PORTS, "the emulator was asked"
            return connect(self, address)
        return connect_there

    def resolve(*args, **kwargs):
        assert args[0] in ("127.0.0.1", "localhost", None), args
        return getaddrinfo(*args, **kwargs)

    getaddrinfo = socket.getaddrinfo

    def pytest_configure(config):
        for module in (socket, state_of(config).sockets):  # tests', and that of runs
            module.getaddrinfo, kind = resolve, module.socket
            kind.connect, kind.connect_ex = only(kind.connect), only(kind.connect_ex)
"""


def test_a_replay_by_several_workers_asks_the_engine_alone(outside: Outside) -> None:
    """Recorded and replayed by two workers: wider fixtures, shared runs and all; no host, no name, no credential."""
    outside.project.write("conftest.py", REMEMBERS)
    outside.test(SUITE, """
        @pytest.mark.wisebot("echo", {"n": "both"}, api="both")
        def test_both(workflow_run):
            assert workflow_run.ok

        @pytest.mark.wisebot("echo", {"n": "both"}, api="both", trials=2)
        def test_both_in_trials(workflow_run):
            assert workflow_run.ok
    """)  # fmt: skip
    outside.run("--wisebot-runs=record", "-n", "2", "--dist", "loadfile").assert_outcomes(passed=11)
    recorded, calls = seen(outside), len(outside.calls)
    assert calls == RUNS + 2 + 4
    ports = [int(url.rpartition(":")[2]) for url in (outside.handle.origin, outside.handle.base_url)]
    without_access(outside)
    outside.project.write("conftest.py", f"{REMEMBERS}\n    PORTS = {ports}\n{ONLY_LOOPBACK}")
    result = outside.project.run_apart("--wisebot-runs=replay", "-n", "2")
    result.assert_outcomes(passed=11)
    assert seen(outside) == {nodeid: (run_id, "recording") for nodeid, (run_id, _) in recorded.items()}
    assert len(outside.calls) == calls


def test_snapshots_of_a_replay_are_the_same_bytes(outside: Outside) -> None:
    """What was accepted live is what a replay writes."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1, "text": "ünï", "at": "2026-11-24T01:02:03Z", "f": 0.1})
        def test_it(workflow_run, workflow_snapshot):
            assert workflow_run == workflow_snapshot
    """)
    outside.run("--wisebot-runs=record", "--snapshot-update").assert_outcomes(passed=1)
    (folder,) = outside.project.path.glob("*snap*")
    live = {path.name: path.read_bytes() for path in folder.rglob("*.json")}
    assert live
    outside.run("--wisebot-runs=replay").assert_outcomes(passed=1)
    shutil.rmtree(folder)
    outside.run("--wisebot-runs=replay", "--snapshot-update").assert_outcomes(passed=1)
    assert {path.name: path.read_bytes() for path in folder.rglob("*.json")} == live


def test_what_failed_is_judged_again_at_no_cost(outside: Outside, numbers: Numbers) -> None:
    """``last --snapshot-update`` after a failing session: green, with no run; the live session stays the last one."""
    outside.test("""
        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", [{"n": n} for n in range(5)])
        def test_it(workflow_run, inputs, workflow_snapshot):
            assert workflow_run == workflow_snapshot
    """)
    outside.run().assert_outcomes(failed=5)
    (live,) = sessions(outside)
    calls = len(outside.calls)
    result = outside.run("--wisebot-runs=last", "--snapshot-update")
    result.assert_outcomes(passed=5)
    assert ages(header(result)[-1]) == f"wisebot: runs are those of session {live.name}: 5 runs, made AGO; none is made"
    assert numbers(result)[0] == "5 runs of an earlier session"
    outside.run("--wisebot-runs=last").assert_outcomes(passed=5)
    outside.run("--wisebot-runs=last", "-n", "1").assert_outcomes(passed=5)
    assert len(outside.calls) == calls == 5
    assert sessions(outside) == [live]


def test_what_the_last_session_did_not_run_is_not_run(outside: Outside, numbers: Numbers) -> None:
    """One message for all of them, the letter and word of "not run", and a session by its name."""
    outside.test(SUITE)
    outside.run("-k", "test_called").assert_outcomes(passed=1, deselected=6)
    (live,) = sessions(outside)
    result = outside.run("--wisebot-runs=last", "--wisebot-session", live.name)
    assert result.parseoutcomes() == {"passed": 1, "not": 6}
    assert f"6 runs not run: it is not among the runs of session {live.name}" in numbers(result)
    assert len(outside.calls) == 3


def test_resume_pays_for_the_rest_alone(outside: Outside, numbers: Numbers) -> None:
    """What ended with an envelope is taken over with its time and source; what had no verdict is run."""
    from pytest_wisebot.emulator import Fault

    outside.project.write("conftest.py", REMEMBERS)
    outside.test("""
        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", [{"n": n} for n in range(6)])
        def test_it(workflow_run, inputs):
            assert workflow_run.result == inputs
    """)
    outside.handle.fail_next(Fault.html(502), times=2, everywhere=True)
    result = outside.run("--wisebot-no-ahead")
    assert result.parseoutcomes() == {"passed": 4, "infrastructure": 2}
    assert result.stdout.str().count(" at setup __") == 1
    result.stdout.fnmatch_lines(["and for the same reason 1 more:", "  test_it.py::test_it[[]inputs1[]]"])
    first = seen(outside)
    result = outside.run("--wisebot-runs=resume")
    result.assert_outcomes(passed=6)
    assert len(outside.calls) == 8
    assert numbers(result)[-1] == "4 runs of an earlier session"
    resumed = seen(outside)
    assert {nodeid: run for nodeid, (run, source) in resumed.items() if source == "last"} == {
        nodeid: run for nodeid, (run, _) in first.items()
    }
    outside.run("--wisebot-runs=last").assert_outcomes(passed=6)
    assert {nodeid: run for nodeid, (run, _) in seen(outside).items()} == {n: run for n, (run, _) in resumed.items()}
    events = [event for event in read_events(sessions(outside)[-1] / "events.jsonl") if "ok" in event]
    assert sorted((event["event"], event["source"]) for event in events) == [
        *[("carried", "live")] * 4,
        *[("run", "last")] * 4,
        *[("run", "live")] * 2,
    ]


def test_resume_without_a_session_runs_everything(outside: Outside) -> None:
    """The first job of a pipeline need not know that it is the first."""
    outside.test(SUITE)
    result = outside.run("--wisebot-runs=resume")
    result.assert_outcomes(passed=7)
    assert header(result)[-1] == "wisebot: there is no session to resume: every run is made"
    assert len(outside.calls) == RUNS


def test_drift_is_an_outcome_of_its_own(outside: Outside, numbers: Numbers) -> None:
    """A letter, a word and a count; the differing paths; still a failed test; and the recordings stay as they are."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1})
        def test_same(workflow_run):
            assert workflow_run.ok

        @pytest.mark.wisebot("echo", {"n": 2})
        @pytest.mark.xfail
        def test_other(workflow_run):
            assert workflow_run.ok

        @pytest.mark.wisebot("echo", {"n": 3})
        def test_of_its_own(workflow_run):
            assert workflow_run.result["n"] == 4
    """)
    outside.run("--wisebot-runs=record")
    folder = outside.project.path / "recordings"
    for path in folder.rglob("*.json"):
        text = path.read_text("utf-8")
        if '"n": 1' not in text:
            path.write_text(re.sub(r'("result": \{\s+"n": )(\d)', r"\g<1>\g<2>0", text), "utf-8")
    before = recordings(outside)
    result = outside.run("--wisebot-runs=verify")
    assert result.parseoutcomes() == {"passed": 1, "drift": 1, "failed": 1}
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert any(line.startswith("test_it.py .dF") for line in result.outlines)
    at = next(index for index, line in enumerate(result.outlines) if re.fullmatch("=+ DRIFT =+", line))
    shown = result.outlines[at + 1 : at + 8]
    assert "test_other" in shown[0]
    assert re.sub(r"run_\w+", "RUN", shown[1]) == "echo (webhook) drifted from its recording, runId RUN"
    assert re.sub(r"[0-9a-f]{8}(?=\.)|\d{4}-\S+ \S+ UTC", "X", shown[2]) == (
        "  recording: recordings/echo/webhook-test_other-X.json, of X"
    )
    assert [line.strip() for line in shown[3:6]] == ["result.n", "- 20", "+ 2"]
    assert numbers(result)[-2:] == ["1 test with drift:", "  test_it.py::test_other"]
    result = outside.run("--wisebot-runs=verify", "-n", "1")
    assert result.parseoutcomes() == {"passed": 1, "drift": 1, "failed": 1}
    assert "  result.n" in result.outlines
    assert recordings(outside) == before
    assert sorted(outside.arrived) == [1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_verify_pays_for_nothing_that_it_could_not_compare(outside: Outside) -> None:
    """A run without a recording is not made."""
    outside.test(SUITE)
    result = outside.run("--wisebot-runs=verify", "-k", "test_failed")
    assert result.parseoutcomes() == {"not": 1, "deselected": 6}
    result.stdout.fnmatch_lines(
        [
            "_* test_failed at setup _*",
            'E*RecordingNotFound: no recording of workflow "refund" over the dashboard API for test_it.py::test_failed',
            "*recordings holds no run of this workflow: --wisebot-runs=record makes recordings",
        ]
    )
    assert outside.calls == []


def test_a_missing_recording_names_the_nearest(outside: Outside) -> None:
    """With its file, whose it is, and in which inputs it differs."""
    outside.test("""
        def test_one(trigger_workflow):
            trigger_workflow("echo", {"n": 1, "text": "hello", "only": "there"})
    """)
    outside.run("--wisebot-runs=record").assert_outcomes(passed=1)
    outside.test("""
        def test_one(trigger_workflow):
            trigger_workflow("echo", {"n": 1, "text": "hallo"})
    """)
    result = outside.run("--wisebot-runs=replay")
    assert result.parseoutcomes() == {"not": 1}
    (name,) = (path.name for path in (outside.project.path / "recordings" / "echo").iterdir())
    assert [line.removeprefix("E ").strip() for line in result.outlines if line.startswith("E ")] == [
        'pytest_wisebot.errors.RecordingNotFound: no recording of workflow "echo" over the webhook API for '
        "test_it.py::test_one, call 1",
        f"nearest: recordings/echo/{name}, of test_it.py::test_one, call 1",
        'only: recorded "there", asked nothing',
        'text: recorded "hello", asked "hallo"',
        "record it with --wisebot-runs=record",
    ]


def test_a_renamed_test_gets_the_run_that_nobody_claims(outside: Outside, numbers: Numbers) -> None:
    """With a note; and a test that is new, and asks for what others ask for, does not get theirs."""
    outside.test("""
        @pytest.mark.parametrize("k", range(2))
        def test_it(trigger_workflow, k):
            trigger_workflow("echo", {"n": 1})
    """)
    outside.run("--wisebot-runs=record").assert_outcomes(passed=2)
    outside.test("""
        @pytest.mark.parametrize("k", range(1))
        def test_it(trigger_workflow, k):
            trigger_workflow("echo", {"n": 1})

        def test_renamed(trigger_workflow):
            trigger_workflow("echo", {"n": 1})

        def test_new(trigger_workflow):
            trigger_workflow("echo", {"n": 1})
    """)
    result = outside.run("--wisebot-runs=replay")
    assert result.parseoutcomes() == {"passed": 2, "not": 1}
    result.stdout.fnmatch_lines(["*the same inputs, and each of its runs belongs to another request of this session"])
    note = (
        "echo: test_it.py::test_renamed, call 1 has no run of its own and was given that of test_it.py::test_it[[]1], "
    )
    result.stdout.fnmatch_lines([f"{note}call 1"])
    for mode in ("resume", "verify"):
        outside.run(f"--wisebot-runs={mode}").stdout.fnmatch_lines([f"{note}call 1"])


def two_environments(outside: Outside, staging: str) -> None:
    """In each of them the workflow ``triage`` has another id."""
    toml = outside.project.path / "wisebot.toml"
    text = toml.read_text("utf-8")
    head, _, table = text.partition("[environments.outside]")
    toml.write_text(
        f'{head}[environments.outside]{table}workflows = {{triage = {{id = "echo"}}}}\n'
        f'[environments.staging]{table}workflows = {{triage = {{id = "{staging}"}}}}\n',
        "utf-8",
    )


def test_recordings_of_one_environment_serve_another(outside: Outside) -> None:
    """Where the workflow has another id: does staging do what production did, and a replay without either."""
    two_environments(outside, "nap")
    outside.test("""
        @pytest.mark.wisebot("triage", {"n": 1, "seconds": 0})
        def test_is_sorted(workflow_run):
            assert workflow_run.source
    """)
    outside.run("--wisebot-runs=record").assert_outcomes(passed=1)
    (name,) = recordings(outside)
    assert re.fullmatch(r"triage/webhook-test_is_sorted-[0-9a-f]{8}\.json", name)
    for mode in ("verify", "replay"):
        outside.run("--wisebot-env=staging", f"--wisebot-runs={mode}").assert_outcomes(passed=1)
    assert [call.workflow for call in outside.calls] == ["echo", "nap"]
    outside.project.edit("wisebot.toml", '"nap"', '"refund"')
    result = outside.run("--wisebot-env=staging", "--wisebot-runs=verify")
    assert result.parseoutcomes() == {"drift": 1}
    (line,) = (line for line in result.outlines if line.startswith("  recording: "))
    assert re.fullmatch(rf"  recording: recordings/{name}, of \S+ \S+ UTC, environment outside", line)
    outside.run("--wisebot-env=staging", "--wisebot-runs=record")
    assert list(recordings(outside)) == [name]
    assert '"workflow_id": "refund"' in recordings(outside)[name].decode()


def test_a_session_of_another_environment_is_judged_and_not_resumed(outside: Outside) -> None:
    """Named by its id: ``last`` judges its runs, and ``resume`` would pass them off as those of this environment."""
    two_environments(outside, "nap")
    outside.test("""
        @pytest.mark.wisebot("triage", {"n": 1, "seconds": 0})
        def test_it(workflow_run):
            assert workflow_run.ok
    """)
    outside.run().assert_outcomes(passed=1)
    (made,) = sessions(outside)
    args = ("--wisebot-env=staging", f"--wisebot-session={made.name}")
    outside.run(*args, "--wisebot-runs=last").assert_outcomes(passed=1)
    result = outside.run(*args, "--wisebot-runs=resume")
    assert [line for line in result.errlines if line] == [
        f'ERROR: --wisebot-session={made.name}: its runs are those of environment "outside", and this session has '
        'environment "staging": resume it with --wisebot-env=outside, or judge its runs alone with --wisebot-runs=last'
    ]
    assert len(outside.calls) == 1


def test_a_renamed_test_keeps_its_recording_and_the_name_of_the_file(outside: Outside, numbers: Numbers) -> None:
    """It is replayed; recorded anew it stands beside the old one, which goes with ``--wisebot-prune``."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1})
        def test_old(workflow_run):
            assert workflow_run.ok
    """)
    outside.run("--wisebot-runs=record").assert_outcomes(passed=1)
    (name,) = recordings(outside)
    outside.project.edit("test_it.py", "test_old", "test_a_new_name")
    outside.run("--wisebot-runs=replay").assert_outcomes(passed=1)
    result = outside.run("--wisebot-runs=record")
    assert numbers(result)[-2:] == [
        "1 recording in recordings not asked for any more (--wisebot-prune removes what is unused):",
        f"  test_it.py::test_old (recordings/{name})",
    ]
    outside.run("--wisebot-runs=record", "--wisebot-prune").assert_outcomes(passed=1)
    assert list(recordings(outside)) == [name]
    assert "test_old" not in recordings(outside)[name].decode()


def test_files_are_named_by_the_first_test_of_a_suite(outside: Outside, numbers: Numbers) -> None:
    """With workers or without, and whichever run ends first; nothing that was recorded in between is unused."""
    outside.test("""
        import time

        @pytest.mark.parametrize("email", ["ann@example.com"])
        def test_second(trigger_workflow, email):
            trigger_workflow("echo", {"n": 1, "email": email})

        def test_first(trigger_workflow):
            until(lambda: 1 in answered())
            trigger_workflow("echo", {"n": 1, "email": "ann@example.com"})
    """)
    for args in (("-n", "2", "--dist", "loadscope"), ("-p", "no:xdist")):
        outside.handle.reset(everywhere=True)
        result = outside.run("--wisebot-runs=record", *args)
        result.assert_outcomes(passed=2)
        assert numbers(result)[-1] == "2 runs recorded in recordings"
        (name,) = recordings(outside)
        assert re.fullmatch(r"echo/webhook-test_first-[0-9a-f]{8}\.json", name)
        shutil.rmtree(outside.project.path / "recordings")


def test_a_kept_run_says_so_and_has_no_latency(outside: Outside, numbers: Numbers) -> None:
    """The section says where it came from and when it was made; ``max_seconds`` is neither held nor broken."""
    outside.test("""
        @pytest.mark.wisebot("nap", {"n": 1, "seconds": 0.2}, max_seconds=60)
        def test_slow(workflow_run):
            assert workflow_run.source == "nothing of the kind"
    """)
    outside.run("--wisebot-runs=record")
    outside.project.edit("test_it.py", "max_seconds=60", "max_seconds=0.001")
    for mode, source, where in (
        ("replay", "recording", r"recordings/nap/webhook-test_slow-\w{8}\.json"),
        ("last", "last", rf"session {sessions(outside)[0].name}"),
    ):
        result = outside.run(f"--wisebot-runs={mode}")
        result.assert_outcomes(failed=1)
        assert f"nap over the webhook API, environment outside: ok ({source})" in result.outlines
        made = next(line for line in result.outlines if line.startswith("  made: "))
        assert re.fullmatch(rf"  made:     \S+ \S+ UTC, \d+ seconds? ago \(live\), kept in {where}", made)
        assert "not judged: max_seconds of 1 test, whose run was made earlier" in numbers(result)
    assert len(outside.calls) == 1


def test_old_recordings_are_an_error_where_the_project_says_so(outside: Outside) -> None:
    """``max-age-days``: the message says how old, and what to do."""
    toml = outside.project.path / "wisebot.toml"
    toml.write_text("max-age-days = 30\n" + toml.read_text("utf-8"), "utf-8")
    outside.test("""
        def test_it(trigger_workflow):
            trigger_workflow("echo", {"n": 1})
    """)
    outside.run("--wisebot-runs=record").assert_outcomes(passed=1)
    result = outside.run("--wisebot-runs=replay")
    result.assert_outcomes(passed=1)
    assert header(result)[-1] == "wisebot:   none that is older than 30 days (wisebot.toml: max-age-days)"
    (path,) = (outside.project.path / "recordings" / "echo").iterdir()
    path.write_text(re.sub(r'"started_at": "....', '"started_at": "2020', path.read_text("utf-8")), "utf-8")
    result = outside.run("--wisebot-runs=replay")
    assert result.parseoutcomes() == {"not": 1}
    assert re.search(
        rf"RecordingNotFound: the recording of test_it.py::test_it, call 1 in recordings/echo/{path.name} is \d+ days "
        r"old, more than max-age-days = 30 allows: record it anew with --wisebot-runs=record",
        result.stdout.str(),
    )


@pytest.mark.parametrize("mode", ["replay", "record", "verify"])
def test_a_recording_that_cannot_be_read_costs_nothing(outside: Outside, mode: str) -> None:
    """The error names the file, nothing is paid for, and nothing is deleted."""
    outside.test("""
        def test_it(trigger_workflow):
            trigger_workflow("echo", {"n": 1})
    """)
    outside.run("--wisebot-runs=record").assert_outcomes(passed=1)
    (path,) = (outside.project.path / "recordings" / "echo").iterdir()
    path.write_text('{"format": 7}', "utf-8")
    result = (
        outside.run(f"--wisebot-runs={mode}", "--wisebot-prune")
        if mode == "record"
        else outside.run(f"--wisebot-runs={mode}")
    )
    assert result.parseoutcomes() == {"not": 1}
    assert f"ConfigurationError: recordings/echo/{path.name}: has format 7, and this version" in result.stdout.str()
    assert path.read_text("utf-8") == '{"format": 7}'
    assert len(outside.calls) == 1


def test_recording_a_part_leaves_the_rest(outside: Outside, numbers: Numbers) -> None:
    """Only what was run is replaced; what no test asks for is told, and goes with ``--wisebot-prune`` alone."""
    outside.test(SUITE)
    outside.run("--wisebot-runs=record").assert_outcomes(passed=7)
    before = recordings(outside)
    result = outside.run("--wisebot-runs=record", "-k", "test_called")
    assert numbers(result)[-1] == "3 runs recorded in recordings"
    changed = {name for name, data in recordings(outside).items() if data != before[name]}
    assert len(changed) == 2
    assert recordings(outside).keys() == before.keys()
    outside.project.edit("test_it.py", "range(3)", "range(2)")
    result = outside.run("--wisebot-runs=record")
    told = numbers(result)[-2:]
    assert told[0] == "1 recording in recordings not asked for any more (--wisebot-prune removes what is unused):"
    assert told[1].startswith("  test_it.py::test_declared[2] (recordings/echo/webhook-")
    outside.run("--wisebot-runs=replay").assert_outcomes(passed=6)
    result = outside.run("--wisebot-runs=record", "--wisebot-prune", "-n", "1")
    assert numbers(result)[-2] == "1 recording in recordings not asked for any more, removed:"
    assert "test_declared[2]" not in b"".join(recordings(outside).values()).decode()
    result = outside.run("--wisebot-runs=record", "--wisebot-prune")
    assert numbers(result)[-1] == f"{RUNS - 1} runs recorded in recordings"


def test_recording_anew_changes_only_the_last_lines(outside: Outside) -> None:
    """In every file, what stands before "about" is the same bytes."""
    outside.test(SUITE)
    outside.run("--wisebot-runs=record").assert_outcomes(passed=7)
    before = recordings(outside)
    outside.run("--wisebot-runs=record", "--wisebot-concurrency=1").assert_outcomes(passed=7)
    after = recordings(outside)
    assert before != after
    assert {name: data.partition(b'"about"')[0] for name, data in before.items()} == {
        name: data.partition(b'"about"')[0] for name, data in after.items()
    }


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["--wisebot-session", "x"],
            "--wisebot-session=x: names the session that --wisebot-runs=last or resume takes runs from, and this is "
            "--wisebot-runs=live",
        ),
        (
            ["--wisebot-prune", "--wisebot-runs=replay"],
            "--wisebot-prune: removes what --wisebot-runs=record finds unused, and this is --wisebot-runs=replay",
        ),
        (
            ["--wisebot-runs=last"],
            '--wisebot-runs=last: no session of environment "outside" is kept in .wisebot/sessions',
        ),
        (
            ["--wisebot-runs=resume", "--wisebot-session", "x"],
            '--wisebot-session: there is no session "x"; kept: none',
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_that_contradict_each_other(outside: Outside, args: list[str], message: str) -> None:
    """One line before any test, and nothing is sent."""
    outside.test(SUITE)
    result = outside.run(*args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in result.errlines if line] == [f"ERROR: {message}"]
    assert outside.calls == []


def test_an_unknown_mode_is_told_the_known(outside: Outside) -> None:
    """A typo is a usage error of pytest's own kind."""
    outside.test(SUITE)
    result = outside.run("--wisebot-runs=reply")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "argument --wisebot-runs: invalid choice: 'reply' (choose from" in result.stderr.str()


def test_the_event_log_tells_the_session(outside: Outside) -> None:
    """What was collected, each run, each test with the runs that it used, and the end."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1})
        def test_passes(workflow_run, trigger_workflow):
            assert trigger_workflow("echo", {"n": 2}).ok

        @pytest.mark.wisebot("locked", {"n": 3})
        def test_is_refused(workflow_run):
            pass

        @pytest.mark.wisebot("refund", {"n": 4})
        def test_fails(workflow_run):
            assert_ok(workflow_run)

        def test_without_runs():
            pytest.skip("for no reason")

        def test_deselected():
            pass
    """)
    result = outside.run("-k", "not deselected")
    assert result.parseoutcomes() == {"passed": 1, "failed": 1, "infrastructure": 1, "skipped": 1, "deselected": 1}
    result.stdout.re_match_lines(["_+ test_is_refused at setup _+"])
    (folder,) = sessions(outside)
    session, *events, end = list(read_events(folder / "events.jsonl"))
    assert (session["session"], session["mode"], session["environment"]) == (folder.name, "live", "outside")
    names = ["test_passes", "test_is_refused", "test_fails", "test_without_runs"]
    assert session["selected"] == [f"test_it.py::{name}" for name in names]
    assert session["deselected"] == ["test_it.py::test_deselected"]
    assert end["exitstatus"] == 1
    runs = {event["run"]: event for event in events if event["event"] == "run"}
    tests = {event["test"].partition("::")[2]: event for event in events if event["event"] == "test"}
    assert {name: test["outcome"] for name, test in tests.items()} == {
        "test_passes": "passed",
        "test_is_refused": "infrastructure",
        "test_fails": "failed",
        "test_without_runs": "skipped",
    }
    assert [runs[name]["inputs"]["n"] for name in tests["test_passes"]["runs"]] == [1, 2]
    refused, failed = (runs[tests[name]["runs"][0]] for name in ("test_is_refused", "test_fails"))
    assert (refused["outcome"], refused["class"]) == ("infrastructure", "AuthenticationFailed")
    assert tests["test_is_refused"]["class"] == "AuthenticationFailed"
    assert (failed["outcome"], failed["error"], failed["source"]) == ("failed", {"reason": "unknown ticket"}, "live")
    assert failed["queued"] <= failed["started"] <= failed["made"] <= failed["ended"]
    assert failed["commands"]
    assert "unknown ticket" in tests["test_fails"]["text"]
    assert "CANARY" not in json.dumps(events)
    assert "FAKE-secret" not in json.dumps(events)


def test_the_run_of_a_wider_fixture_is_named_for_each_test_that_uses_it(outside: Outside) -> None:
    """Whichever of them set the fixture up, or saw it end."""
    outside.test("""
        @pytest.fixture(scope="module")
        def shared(trigger_workflow):
            return trigger_workflow("echo", {"n": 1})

        @pytest.mark.parametrize("n", [2, 3])
        def test_it(shared, trigger_workflow, n):
            trigger_workflow("echo", {"n": n})

        def test_other(trigger_workflow):
            trigger_workflow("echo", {"n": 4})
    """)
    outside.run().assert_outcomes(passed=3)
    (folder,) = sessions(outside)
    _, *events, _ = list(read_events(folder / "events.jsonl"))
    runs = {event["run"]: event["inputs"]["n"] for event in events if event["event"] == "run"}
    used = [sorted(runs[name] for name in event["runs"]) for event in events if event["event"] == "test"]
    assert used == [[1, 2], [1, 3], [4]]


@pytest.mark.usefixtures("every_plugin")
def test_a_rerun_counts_anew(outside: Outside) -> None:
    """The last execution is the one that is kept."""
    outside.test("""
        tries = []

        def test_it(trigger_workflow):
            tries.append(trigger_workflow("echo", {"n": 1}))
            assert len(tries) == 3
    """)
    result = outside.run("--wisebot-runs=record", "--reruns", "2")
    assert result.parseoutcomes() == {"passed": 1, "rerun": 2}
    (path,) = (outside.project.path / "recordings" / "echo").iterdir()
    occurrences = json.loads(path.read_text("utf-8"))["occurrences"]
    assert [(one["test"], one["call"]) for one in occurrences] == [("test_it.py::test_it", 1)]


def test_an_emulator_is_not_started_for_what_is_there_already(project: Project) -> None:
    """And a test that needs it is told why there is none."""
    project.test("""
        @pytest.mark.wisebot("echo", {"n": 1})
        def test_it(workflow_run):
            assert workflow_run.ok

        def test_emulator(wisebot_emulator):
            pass
    """)
    project.run("--wisebot-runs=record").assert_outcomes(passed=2)
    project.write("flows.py", "raise RuntimeError('started')")
    for mode in ("replay", "last"):
        result = project.run(f"--wisebot-runs={mode}")
        assert result.parseoutcomes() == {"passed": 1, "not": 1}
        result.stdout.re_match_lines(["_+ test_emulator at setup _+"])
        assert (
            f"ConfigurationError: wisebot_emulator: no emulator runs with --wisebot-runs={mode}, which asks nothing of "
            "any network"
        ) in result.stdout.str()


def test_a_protected_environment_may_be_replayed(outside: Outside) -> None:
    """Nothing runs there."""
    outside.test(SUITE)
    outside.run("--wisebot-runs=record").assert_outcomes(passed=7)
    outside.setting("protected = true")
    assert outside.run().ret == pytest.ExitCode.USAGE_ERROR
    outside.run("--wisebot-runs=replay").assert_outcomes(passed=7)


def test_a_root_that_cannot_be_written_is_told(outside: Outside, numbers: Numbers) -> None:
    """One line at the end, and the tests are what they are."""
    outside.project.write(".wisebot", "in the way")
    outside.test(SUITE)
    result = outside.run()
    result.assert_outcomes(passed=7)
    folder = outside.project.path / ".wisebot" / "sessions"
    assert numbers(result)[-1] == f"the runs of this session are not kept: {folder} cannot be written: File exists"


def test_recordings_that_cannot_be_written_cost_nothing(outside: Outside) -> None:
    """It is found out before any run."""
    outside.project.write("recordings", "in the way")
    outside.test(SUITE)
    result = outside.run("--wisebot-runs=record")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --wisebot-runs=record: *recordings cannot be written: File exists"])
    assert outside.calls == []


def test_another_folder_of_recordings(outside: Outside) -> None:
    """By ``wisebot.toml``, relative to it, and by an option, relative to where pytest was called."""
    outside.test(SUITE)
    toml = outside.project.path / "wisebot.toml"
    toml.write_text('recordings = "kept/runs"\n' + toml.read_text("utf-8"), "utf-8")
    outside.run("--wisebot-runs=record").assert_outcomes(passed=7)
    (outside.project.path / "kept" / "runs").rename(outside.project.path / "elsewhere")
    result = outside.run("--wisebot-runs=replay", "--wisebot-recordings", "elsewhere")
    result.assert_outcomes(passed=7)
    assert header(result)[-1].startswith(f"wisebot: runs are replayed from elsewhere: {RUNS} runs, made ")


def test_the_folder_of_sessions_is_never_collected(outside: Outside) -> None:
    """Also where a project collects folders whose names begin with a dot."""
    outside.test(SUITE)
    outside.run().assert_outcomes(passed=7)
    (sessions(outside)[0] / "test_within.py").write_text("def test_it(): pass", "utf-8")
    outside.project.write("pytest.ini", "[pytest]\nnorecursedirs = nothing\n")
    outside.run("--wisebot-runs=last").assert_outcomes(passed=7)


def test_the_cache_may_be_cleared(outside: Outside) -> None:
    """``--cache-clear`` burns no run that was paid for."""
    outside.test(SUITE)
    outside.run_with_cache().assert_outcomes(passed=7)
    outside.run_with_cache("--cache-clear", "--wisebot-runs=last").assert_outcomes(passed=7)
    assert len(outside.calls) == RUNS


def test_a_session_without_runs_writes_nothing(outside: Outside) -> None:
    """Not even a folder."""
    outside.test("""
        @pytest.mark.wisebot("echo")
        @pytest.mark.skip
        def test_it(workflow_run):
            pass
    """)
    outside.run("--wisebot-runs=record", "--collect-only")
    outside.run()
    assert not (outside.project.path / ".wisebot").exists()


def test_two_patched_tests_replay(outside: Outside) -> None:
    """A call that is added before others in a test leaves their recordings theirs."""
    outside.test("""
        def test_it(trigger_workflow):
            assert trigger_workflow("echo", {"n": 1}).result["n"] == 1
            assert trigger_workflow("echo", {"n": 2}).result["n"] == 2
    """)
    outside.run("--wisebot-runs=record").assert_outcomes(passed=1)
    outside.test("""
        def test_it(trigger_workflow):
            assert trigger_workflow("echo", {"n": 2}).result["n"] == 2
    """)
    outside.run("--wisebot-runs=replay").assert_outcomes(passed=1)
