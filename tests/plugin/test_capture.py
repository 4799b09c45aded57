"""``pytest-wisebot capture``: a kept run becomes a row or a test, which passes at once by its recording."""

from __future__ import annotations

import json
import shutil
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

FLOWS = """
    import time
    import uuid
    from datetime import UTC, datetime

    from pytest_wisebot.emulator import Emulator, WorkflowFailure

    emulator = Emulator()

    @emulator.workflow("triage")
    def triage(inputs):
        text = 'a "quote"\\n\\u200b and \\U0001f600'
        return {"category": inputs.get("c", "billing"), "text": text, "n": [1, 2.5, None, True]}

    @emulator.workflow("order")
    def order(inputs):
        now = datetime.now(UTC).isoformat()
        return {"total": 3, "id": str(uuid.uuid4()), "at": now, "log": [{"at": now, "step": "paid"}], "times": [now]}

    @emulator.workflow("clock")
    def clock(inputs):
        return datetime.now(UTC).isoformat()

    @emulator.workflow("refund")
    def refund(inputs):
        raise WorkflowFailure("unknown ticket")
"""
SUITE = """
    @pytest.mark.wisebot("triage", {"c": "größe"})
    def test_triage(workflow_run):
        assert workflow_run.ok

    @pytest.mark.wisebot("triage", api="both")
    @pytest.mark.parametrize("inputs", [{"n": 1}, {"n": 2}], ids=["one", "two"])
    def test_rows(workflow_run, inputs):
        assert workflow_run.ok

    @pytest.mark.wisebot("order", {})
    def test_order(workflow_run):
        assert workflow_run.ok

    @pytest.mark.wisebot("clock", {})
    def test_clock(workflow_run):
        assert workflow_run.ok

    @pytest.mark.wisebot("refund", {})
    def test_refund(workflow_run):
        assert not workflow_run.ok

    @pytest.mark.wisebot("triage", {"email": "ann@x.example", "c": "other"})
    def test_personal(workflow_run):
        assert workflow_run.ok
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test that needs the kept session leaves it for the others."""
    return tmp_path_factory.mktemp("kept") / "project"


@pytest.fixture
def kept(project: Any, made: Path) -> Any:
    """A project with one kept session."""
    if made.exists():
        shutil.copytree(made, project.path, dirs_exist_ok=True)
        return project
    project.write("flows.py", FLOWS)
    toml = (project.path / "wisebot.toml").read_text("utf-8")
    project.write("wisebot.toml", f'{toml}\n[redact]\nkeys = ["email"]\n')
    project.test(SUITE)
    assert project.run("-q").ret == 0
    shutil.copytree(project.path, made, ignore=shutil.ignore_patterns("__pycache__"))
    return project


@dataclass(frozen=True)
class Done:
    """What the command printed, and its exit code."""

    ret: int
    out: str
    err: str

    @property
    def outlines(self) -> list[str]:
        """Its lines."""
        return self.out.splitlines()

    @property
    def errlines(self) -> list[str]:
        """Its remarks and errors."""
        return self.err.splitlines()


def capture(_project: Any, *args: str) -> Done:
    """The command, in the project's folder, which is the current one."""
    from pytest_wisebot.cli.main import main

    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        try:
            code = main(["capture", *args])
        except SystemExit as end:
            code = int(str(end.code))
    return Done(code, out.getvalue(), err.getvalue())


def replay(project: Any, *args: str) -> Any:
    """A session of recordings alone."""
    return project.run("-q", "--wisebot-runs=replay", *args)


def recordings(project: Any) -> list[Path]:
    """The files of recordings."""
    return sorted((project.path / "recordings").rglob("*.json"))


def files(project: Any) -> dict[str, bytes]:
    """The project's own files."""
    found = (path for path in project.path.iterdir() if path.suffix in (".py", ".jsonl", ".toml", ".txt", ".csv"))
    return {path.name: path.read_bytes() for path in found}


def run_id(project: Any, test: str) -> str:
    """The runId of a test's run in the kept session."""
    (log,) = (project.path / ".wisebot/sessions").glob("*/events.jsonl")
    events = map(json.loads, log.read_text("utf-8").splitlines())
    return next(str(one["runId"]) for one in events if one["event"] == "run" and one["test"].endswith(test))


CHANGES = {
    "test_triage": ('"category": "größe"', '"category": "other"'),
    "test_order": ('"total": 3', '"total": 4'),
    "test_clock": ('"result": "20', '"result": "19'),
    "test_refund": ("unknown ticket", "unknown order"),
}


@pytest.mark.parametrize("test", CHANGES)
def test_a_captured_test_passes_at_once_and_fails_when_its_answer_is_changed(kept: Any, test: str) -> None:
    """By its own recording; a failed run and a result that is one string are captured as well."""
    done = capture(kept, "last", f"test_it.py::{test}", "--test", "tests/test_captured.py")
    assert done.ret == 0, done.err
    (recording,) = recordings(kept)
    assert done.outlines == [
        f"test {test} in tests/test_captured.py",
        f"its recording in {recording.relative_to(kept.path).as_posix()}",
        "run it: pytest tests/test_captured.py --wisebot-runs=replay",
    ]
    assert replay(kept, "tests/test_captured.py").parseoutcomes() == {"passed": 1}
    old, new = CHANGES[test]
    text = recording.read_text("utf-8")
    assert old in text
    recording.write_text(text.replace(old, new), "utf-8")
    assert replay(kept, "tests/test_captured.py").parseoutcomes() == {"failed": 1}


@pytest.mark.parametrize("key", ["n", "category", "text"])
def test_each_key_of_the_answer_is_expected(kept: Any, key: str) -> None:
    """A key that is gone from the recorded answer fails the test."""
    assert capture(kept, "last", "test_triage", "--test", "test_captured.py").ret == 0
    (recording,) = recordings(kept)
    data = json.loads(recording.read_text("utf-8"))
    del data["occurrences"][0]["envelope"]["result"][key]
    recording.write_text(json.dumps(data), "utf-8")
    assert replay(kept, "test_captured.py").parseoutcomes() == {"failed": 1}


def test_what_differs_from_run_to_run_is_not_expected(kept: Any) -> None:
    """Times and ids are left out, and named; the test then passes against Wisebot, too."""
    done = capture(kept, "last", "test_order", "--test", "test_captured.py")
    left_out, so_kept = done.errlines
    assert left_out == "# left out of what is expected, as it differs from run to run: log[0].at, id, at"
    assert so_kept == "# expected as it was, although it may differ from run to run: times[0]"
    text = (kept.path / "test_captured.py").read_text("utf-8")
    assert '"log": [{"step": "paid"}]' in text
    row = json.loads(capture(kept, "last", "test_order", "--exact").outlines[0])
    assert row["expected"].keys() == {"total", "id", "at", "log", "times"}
    kept.write("test_captured.py", text.partition(', "times"')[0] + "}\n" + text.partition("]}\n")[2])
    assert kept.run("-q", "test_captured.py").parseoutcomes() == {"passed": 1}


def test_a_row_is_printed_or_appended(kept: Any) -> None:
    """As one line of JSON, with letters as they are, and beside what the file holds already."""
    row = {"id": "test_triage", "inputs": {"c": "größe"}}
    expected = {"category": "größe", "text": 'a "quote"\n\u200b and \U0001f600', "n": [1, 2.5, None, True]}
    printed = capture(kept, "last", "test_triage")
    assert json.loads(printed.outlines[0]) == {**row, "expected": expected}
    assert "größe" in printed.outlines[0]
    assert not recordings(kept)
    kept.write("rows.jsonl", '\ufeff{"id": "first"}')
    assert capture(kept, "last", "test_triage", "--row", "rows.jsonl").ret == 0
    first, second = (kept.path / "rows.jsonl").read_text("utf-8").splitlines()
    assert first == '\ufeff{"id": "first"}'
    assert json.loads(second) == {**row, "expected": expected}
    again = capture(kept, "last", "test_triage", "--row", "rows.jsonl")
    assert (again.ret, again.errlines) == (
        2,
        ['pytest-wisebot capture: rows.jsonl: has a row "test_triage" already: name another id by --id'],
    )


def test_a_captured_row_passes_at_once_and_fails_when_its_answer_is_changed(kept: Any) -> None:
    """In a test that reads the file, whatever the test's name is."""
    for test, name in (("test_triage", "a"), ("test_order", "b")):
        assert capture(kept, "last", test, "--row", f"{test}.jsonl", "--id", name).ret == 0
    kept.test(
        """
        import json
        from pathlib import Path

        def rows(name):
            return [json.loads(line) for line in (Path(__file__).parent / name).read_text("utf-8").splitlines()]

        @pytest.mark.parametrize("row", rows("test_triage.jsonl"), ids=["a"])
        def test_cases(trigger_workflow, row):
            assert_result(trigger_workflow("triage", row["inputs"]), row["expected"])

        @pytest.mark.wisebot("order")
        @pytest.mark.parametrize("inputs, expected", [tuple(one.values())[1:] for one in rows("test_order.jsonl")])
        def test_orders(workflow_run, inputs, expected):
            assert_result(workflow_run, expected)
        """,
        "test_rows.py",
    )
    assert replay(kept, "test_rows.py").parseoutcomes() == {"passed": 2}
    for recording in recordings(kept):
        text = recording.read_text("utf-8")
        recording.write_text(text.replace('"category": "größe"', '"category": ""').replace('"total": 3', '"total": 4'))
    assert replay(kept, "test_rows.py").parseoutcomes() == {"failed": 2}


def test_a_row_names_its_api_where_tests_have_another_one(kept: Any) -> None:
    """The run was made over one API, and its recording is for that one."""
    row = json.loads(capture(kept, "last", "test_it.py::test_rows[dashboard-two]").outlines[0])
    assert (row["id"], row["api"]) == ("dashboard-two", "dashboard")
    assert "api" not in json.loads(capture(kept, "last", "test_it.py::test_rows[webhook-two]").outlines[0])


def test_without_a_run_the_kept_ones_are_listed(kept: Any) -> None:
    """With runId, workflow, API, outcome, test and inputs."""
    listed = capture(kept, "last")
    assert listed.ret == 0
    assert listed.outlines[0].startswith("9 runs of session ")
    assert f"  {run_id(kept, 'test_refund')}  refund  webhook  failed  test_it.py::test_refund  {{}}" in listed.outlines
    session = listed.outlines[0].removeprefix("9 runs of session ").removesuffix(":")
    assert capture(kept, session).outlines == listed.outlines


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["last", "test_rows"], 'has 4 runs of "test_rows": name one by its runId'),
        (["last", "test_triag"], 'has no run of "test_triag"'),
        (["2020"], 'there is no session "2020"; kept: '),
        (["last", "--env", "local", "nothing"], 'has no run of "nothing"'),
        (["last", "test_personal"], "something in the inputs is masked at inputs.email: the log does not hold"),
        (["last", "test_refund"], "the run failed, and a row expects a result: capture it as a test, by --test FILE"),
        (["last", "test_triage", "--row", "rows.csv"], 'expected a name that ends with ".jsonl", got "rows.csv"'),
        (["last", "test_triage", "--test", "captured.py"], "pytest collects files named test_*.py or *_test.py"),
        (["last", "test_triage", "--test", "test_it.py"], "test_it.py: exists already, and is not overwritten"),
        (
            ["last", "test_triage", "--row", "wrong.jsonl"],
            "wrong.jsonl: line 2 is not a row of JSON: nothing was added",
        ),
        (["last", "test_triage", "--row", "latin.jsonl"], "latin.jsonl: is not UTF-8 text: nothing was added"),
    ],
)
def test_what_cannot_be_captured_is_named(kept: Any, args: list[str], told: str) -> None:
    """With exit code 2, and nothing is written."""
    kept.write("wrong.jsonl", '{"id": "a"}\n{"id"\n')
    (kept.path / "latin.jsonl").write_bytes(b'{"id": "gr\xf6\xdfe"}')
    before = files(kept)
    done = capture(kept, *args)
    assert done.ret == 2
    assert told in done.err
    assert not recordings(kept)
    assert files(kept) == before


def test_several_runs_of_a_test_are_told_apart_by_their_ids(kept: Any) -> None:
    """The message lists them, and one of them is captured by its runId."""
    several = capture(kept, "last", "test_rows")
    name = run_id(kept, "test_rows[webhook-two]")
    assert any(name in line for line in several.errlines)
    assert json.loads(capture(kept, "last", name).outlines[0])["inputs"] == {"n": 2}


def test_a_recording_is_not_overwritten(kept: Any) -> None:
    """That of a test that was removed stays."""
    assert capture(kept, "last", "test_triage", "--test", "test_captured.py").ret == 0
    (kept.path / "test_captured.py").unlink()
    (recording,) = recordings(kept)
    before = recording.read_bytes()
    done = capture(kept, "last", "test_triage", "--test", "test_captured.py")
    assert done.ret == 2
    assert "has a recording of test_captured.py::test_triage, which is not overwritten" in done.err
    assert not (kept.path / "test_captured.py").exists()
    assert recording.read_bytes() == before


def test_no_session_is_kept(project: Any) -> None:
    """The message names the folder; no folder is made."""
    done = capture(project, "last")
    assert done.ret == 2
    assert "no session with runs is kept in " in done.err
    assert not (project.path / ".wisebot").exists()


def test_a_run_that_is_too_old_to_be_replayed_is_refused(kept: Any) -> None:
    """By `max-age-days`: the test would fail at once."""
    toml = (kept.path / "wisebot.toml").read_text("utf-8")
    kept.write("wisebot.toml", f"max-age-days = 1\n{toml}")
    (log,) = (kept.path / ".wisebot/sessions").glob("*/events.jsonl")
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    for event in lines:
        event.update({"made": "2026-01-01T00:00:00.000+00:00"} if "made" in event else {})
    log.write_text("".join(json.dumps(event) + "\n" for event in lines), "utf-8")
    done = capture(kept, "last", "test_triage", "--test", "test_captured.py")
    assert done.ret == 2
    assert "more than max-age-days = 1 lets a replay give" in done.err


def test_a_wrong_setting_has_its_own_exit_code(kept: Any) -> None:
    """As for the other commands."""
    kept.write("wisebot.toml", "zzz = 1")
    assert capture(kept, "last", "test_triage").ret == 4


@pytest.mark.parametrize("args", [["--id=CANARY"], ["--id=CANARY", "--row=rows.jsonl"], ["--row=CANARY.jsonl"]])
def test_no_credential_is_written_as_a_name(kept: Any, monkeypatch: pytest.MonkeyPatch, args: list[str]) -> None:
    """An id, or a name of a file, that holds a credential of the settings is refused, and nothing is written."""
    secret = "FAKE-CANARY-secret-77"
    monkeypatch.setenv("CANARY_TOKEN", secret)
    kept.edit("wisebot.toml", 'emulator = "flows:emulator"', 'emulator = "flows:emulator"\ntoken = "env:CANARY_TOKEN"')
    before = files(kept)
    result = capture(kept, "last", "test_triage", *(one.replace("CANARY", secret) for one in args))
    assert result.ret == 2
    option = args[0].partition("=")[0]
    assert result.errlines == [
        f"pytest-wisebot capture: {option}: holds a credential, or what [redact] masks: nothing was written"
    ]
    assert secret not in str(result.outlines)
    assert files(kept) == before


def test_no_credential_is_captured(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result that holds one holds its mask, in the test and in the recording; inputs with one are refused."""
    monkeypatch.setenv("CANARY_TOKEN", "CANARY-5b2e9d7710")
    kept.edit("wisebot.toml", 'emulator = "flows:emulator"', 'emulator = "flows:emulator"\ntoken = "env:CANARY_TOKEN"')
    kept.edit("flows.py", 'return {"category"', 'return {"canary": "uses CANARY-5b2e9d7710", "category"')
    kept.test(
        """
        @pytest.mark.wisebot("triage", {})
        def test_result(workflow_run):
            assert workflow_run.ok

        @pytest.mark.wisebot("triage", {"c": "CANARY-5b2e9d7710"})
        def test_inputs(workflow_run):
            assert workflow_run.ok
        """
    )
    assert kept.run("-q").ret == 0
    assert capture(kept, "last", "test_result", "--test", "test_captured.py").ret == 0
    (recording,) = recordings(kept)
    for path in (recording, kept.path / "test_captured.py"):
        assert "CANARY-5b2e9d7710" not in path.read_text("utf-8")
    assert "uses <secret>" in (kept.path / "test_captured.py").read_text("utf-8")
    assert replay(kept, "test_captured.py").parseoutcomes() == {"passed": 1}
    refused = capture(kept, "last", "test_inputs")
    assert refused.ret == 2
    assert "is masked at inputs.c" in refused.err
