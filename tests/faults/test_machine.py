"""Faults of the machine: a full disk, a folder that a test removes, one that is open to others, and planted links."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from harness import Outside, Recorded

from pytest_wisebot import files
from pytest_wisebot.event_log import EventLog, event_line, read_events
from pytest_wisebot.redaction import Redactor, Secret
from tests.plugin.conftest import counting, numbers, outside, recorded  # noqa: F401 - fixtures
from tests.plugin.test_runs_kept import sessions

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")

FULL = """
    import resource

    def limit_files(size):
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))

    def big(trigger_workflow, n):
        assert trigger_workflow("echo", {"n": n, "text": "x" * 40_000}).ok

    def test_0(trigger_workflow):
        big(trigger_workflow, 0)

    def test_full(trigger_workflow):
        limit_files(100_000)  # of bytes in a file: a disk that is full for logs, and has room for the screen
        big(trigger_workflow, 1)

    def test_2(trigger_workflow):
        big(trigger_workflow, 2)

    def test_free(trigger_workflow):
        limit_files(resource.getrlimit(resource.RLIMIT_FSIZE)[1])
        big(trigger_workflow, 3)
"""


@POSIX
@pytest.mark.parametrize("gate", [[], ["--wisebot-env=outside", "--wisebot-gate"]], ids=["", "gated"])
def test_a_full_disk_ends_no_session(outside: Outside, gate: list[str]) -> None:  # noqa: F811
    """Every test runs; what is missing is one line at the end, opens no gate, and is paid for again alone."""
    outside.test(FULL)
    result = outside.project.run_apart("--wisebot-report=out", "-p", "no:cacheprovider", *gate)
    assert result.ret == (11 if gate else 0)
    assert result.parseoutcomes() == {"passed": 4}
    log = outside.project.path / "out/runs.jsonl"
    (line,) = [line for line in result.outlines if "the event log is not whole" in line]
    assert line.endswith(f" of it failed: {log} cannot be written: File too large")
    assert sum("could not be kept" in line for line in result.outlines) == 1
    if gate:
        assert any("NO VERDICT" in line for line in result.outlines)
    assert [event.get("lost_events", 0) > 0 for event in read_events(log)][-1]
    made = subprocess.run(
        [sys.executable, "-m", "pytest_wisebot.report", str(log.parent)], capture_output=True, text=True, check=False
    )
    assert made.returncode == result.ret, made.stderr
    (folder,) = sessions(outside)
    kept = sum("ok" in event for event in read_events(folder / "events.jsonl"))
    assert 0 < kept < 4
    resumed = outside.project.run_apart("--wisebot-runs=resume", "-p", "no:cacheprovider")
    told = f"{4 - kept} run{'s' if kept < 3 else ''} of session {folder.name} could not be written when they ended"
    assert any(told in line for line in resumed.outlines)
    assert len(outside.calls) == 4 + 4 - kept


@POSIX
def test_a_full_disk_of_recordings(outside: Outside) -> None:  # noqa: F811
    """The run that could not be recorded is told, and is not among those that were."""
    outside.test("""
        import resource

        def test_small(trigger_workflow):
            assert trigger_workflow("echo", {"n": 1}).ok

        def test_full(trigger_workflow):
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
            assert trigger_workflow("echo", {"n": 1, "text": "x" * 120_000}).ok
    """)
    result = outside.project.run_apart("--wisebot-runs=record", "-p", "no:cacheprovider")
    assert (result.ret, result.parseoutcomes()) == (0, {"passed": 2})
    assert "1 run recorded in recordings" in result.outlines
    assert any("1 run could not be kept: " in line and "File too large" in line for line in result.outlines)
    assert not list(outside.project.path.rglob("*.wisebot-tmp"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_summary_on_a_full_disk(outside: Outside) -> None:  # noqa: F811
    """One line at the end, and the exit code is that of the tests."""
    outside.test("def test_it(trigger_workflow): assert trigger_workflow('echo').ok")
    result = outside.run("--wisebot-summary=/dev/full")
    assert result.ret == 0
    (line,) = [line for line in result.outlines if line.startswith("wisebot: --")]
    assert line == "wisebot: --wisebot-summary=/dev/full: cannot be written: No space left on device"


@pytest.mark.parametrize("name", ["runs.jsonl", "report.json", "report.html", "summary.md"])
def test_a_folder_where_a_report_is_wanted(outside: Outside, name: str) -> None:  # noqa: F811
    """It is found out before any run; one that a test makes is one line at the end."""
    outside.test(f"""
        def test_it(trigger_workflow):
            (HERE / "out/{name}").unlink(missing_ok=True)
            (HERE / "out/{name}").mkdir()
            assert trigger_workflow('echo').ok
    """)
    result = outside.run("--wisebot-report=out")
    assert (result.ret, result.parseoutcomes()) == (0, {"passed": 1})
    assert len([line for line in result.outlines if f"out/{name}" in line]) == 1
    result = outside.run("--wisebot-report=out")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert any("ERROR: --wisebot-report=out: cannot be written: " in line for line in result.errlines)
    assert len(outside.calls) == 1


def test_a_log_that_was_put_into_the_place_of_the_session_s(outside: Outside) -> None:  # noqa: F811
    """A session that a test runs into the same folder opens no gate of this one."""
    outside.test("""
        def test_it(trigger_workflow):
            assert trigger_workflow('echo').ok
            text = (HERE / "out/runs.jsonl").read_bytes()
            (HERE / "out/runs.jsonl").unlink()
            (HERE / "out/runs.jsonl").write_bytes(text)
    """)
    result = outside.run("--wisebot-report=out", "--wisebot-gate", "--wisebot-env=outside")
    assert result.ret == 11
    assert any("out/runs.jsonl: was removed or replaced during the session" in line for line in result.outlines)


def test_kept_sessions_that_a_test_removes(outside: Outside) -> None:  # noqa: F811
    """The runs are lost, and the end of the session tells it."""
    outside.test("""
        import shutil

        def test_it(trigger_workflow):
            assert trigger_workflow("echo", {"n": 1}).ok
            shutil.rmtree(HERE / ".wisebot")
            assert trigger_workflow("echo", {"n": 2}).ok
    """)
    result = outside.run()
    assert (result.ret, result.parseoutcomes()) == (0, {"passed": 1})
    (line,) = [line for line in result.outlines if "not kept" in line]
    assert line.startswith("the runs of this session are not kept: ")
    assert line.endswith("events.jsonl: was removed or replaced during the session")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
@POSIX
@pytest.mark.parametrize(
    ("mode", "by"), [(0o777, "all users"), (0o770, "its group"), (0o755, "")], ids=["all", "group", "none"]
)
def test_kept_sessions_of_another_user(
    outside: Outside,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    mode: int,
    by: str,
) -> None:
    """A folder of another user that others may write into is told: the runs in it may be theirs."""
    outside.test("def test_it(trigger_workflow): assert trigger_workflow('echo').ok")
    folder = outside.project.path / ".wisebot"
    folder.mkdir()
    folder.chmod(mode)
    assert not any("belongs to" in line for line in outside.run().outlines)
    uid = os.geteuid()
    monkeypatch.setattr("pytest_wisebot.files.os.geteuid", lambda: uid + 1)
    told = [line for line in outside.run("-q").outlines if "belongs to another user" in line]
    why = f"{folder} belongs to another user (uid {uid}) and may be written by {by}: what is kept there may be read"
    assert [line.removeprefix("wisebot: ").startswith(why) for line in told] == ([True] if by else [])


@POSIX
def test_a_planted_link_is_not_followed(outside: Outside, tmp_path: Path) -> None:  # noqa: F811
    """Whatever name of a file can be guessed: what the link leads to stays as it is, and the file is there."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    root = outside.project.path
    links = [root / ".wisebot/.gitignore", root / "recordings/.writable"]
    links += [root / "out" / name for name in ("runs.jsonl", "report.json", "summary.md", "report.html")]
    for link in links:
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(victim)
    outside.test("def test_it(trigger_workflow): assert trigger_workflow('echo').ok")
    assert outside.run("--wisebot-report=out", "--wisebot-runs=record").ret == 0
    assert victim.read_text() == "mine"
    assert not any((root / "out" / path.name).is_symlink() for path in links[2:])
    (root / ".wisebot/.gitignore").unlink()
    (root / ".wisebot/.gitignore").symlink_to(tmp_path / "not there")
    outside.run()
    assert not (tmp_path / "not there").exists()


@POSIX
def test_a_log_that_is_a_link_is_not_written(tmp_path: Path) -> None:
    """Neither one that is new, nor one that is added to."""
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "log").symlink_to(tmp_path / "victim")
    for new in (True, False):
        with pytest.raises(OSError, match=r"File exists|symbolic link"):
            EventLog(tmp_path / "log", new=new)
    assert (tmp_path / "victim").read_text() == "mine"


def test_the_name_of_a_temporary_file_cannot_be_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is another one, and must not exist: not even as a link."""
    names, opened, real = [], [], os.open

    def watch(path: Any, flags: int, mode: int = 0o777) -> int:
        names.append(Path(path).name)
        opened.append(flags)
        return real(path, flags, mode)

    monkeypatch.setattr("pytest_wisebot.files.os.open", watch)
    for _ in range(3):
        files.write_whole(str(tmp_path / "a"), b"text")
    assert len(set(names)) == 3
    assert all(
        flags & os.O_EXCL and flags & getattr(os, "O_NOFOLLOW", 0) == getattr(os, "O_NOFOLLOW", 0) for flags in opened
    )
    assert len({name.partition("-")[2] for name in names}) == 3


def full(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_log_that_cannot_be_written_anew_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk while the first line is completed, or a credential masked, takes away no line."""
    log = EventLog(tmp_path / "log")
    lines = [event_line({"event": "session"}), event_line({"event": "run", "text": "FAKE-secret-of-all"})]
    for line in lines:
        log.write(line)
    redactor = Redactor([Secret("FAKE-secret-of-all")])
    with monkeypatch.context() as patch:
        patch.setattr("pytest_wisebot.files.os.write", full)
        with pytest.raises(OSError, match="No space"):
            log.replace_first(lines[0])
        with pytest.raises(OSError, match="No space"):
            log.clean_again(redactor)
        with pytest.raises(OSError, match="No space"):
            log.write(b"x")
    assert (tmp_path / "log").read_bytes() == b"".join(lines)
    log.clean_again(redactor)
    log.write(event_line({"event": "end"}))
    assert [event["event"] for event in read_events(tmp_path / "log")] == ["session", "run", "end"]
    assert "FAKE-secret" not in (tmp_path / "log").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_durations_that_cannot_be_kept(outside: Outside) -> None:  # noqa: F811
    """A full disk below pytest's cache is one line at the end."""
    outside.project.write(
        "conftest.py",
        """
        import errno, pytest

        def full(self, key, value):
            if "wisebot" in key:
                raise OSError(errno.ENOSPC, "No space left on device")

        pytest.Cache.set = full
        """,
    )
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1})
        def test_it(workflow_run):
            assert workflow_run.ok
    """)
    result = outside.project.run_apart()
    assert result.ret == 0
    assert "wisebot: the durations of runs were not kept: No space left on device" in result.outlines


def test_snapshots_that_cannot_be_written_or_removed(recorded: Recorded) -> None:  # noqa: F811
    """The test of a snapshot fails, the session goes on, and a file that stays where it should go fails the session."""
    recorded.project.write(
        "conftest.py",
        """
        import errno, os, pathlib
        import pytest_wisebot.files

        real = os.open

        def full(path, *args, **kwargs):
            if "__snapshots__/test_it/." in str(path) and (pathlib.Path(path).parents[2] / "full").exists():
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(path, *args, **kwargs)

        pytest_wisebot.files.os.open = full

        def refused(self, missing_ok=False):
            raise PermissionError(errno.EACCES, "Permission denied")

        pathlib.Path.unlink = refused
        """,
    )
    suite = """
        @pytest.mark.parametrize("n", [1, 2, 3])
        def test_it(workflow_snapshot, n):
            assert {"n": n} == workflow_snapshot
    """
    recorded.test(suite)
    assert recorded.project.run_apart("-q", "-p", "no:cacheprovider", "--snapshot-update").ret == 0
    recorded.test(suite.replace("1, 2, 3", "1"))
    result = recorded.project.run_apart("-q", "-p", "no:cacheprovider", "--snapshot-update")
    assert (result.ret, result.parseoutcomes()) == (1, {"passed": 1})
    folder = recorded.path / "__snapshots__/test_it"
    told = sorted(line for line in result.outlines if line.startswith("wisebot: "))
    assert told == [f"wisebot: {folder}/test_it[{n}].json cannot be removed: Permission denied" for n in (2, 3)]
    recorded.project.write("full", "")
    recorded.test(suite.replace('{"n": n}', '{"n": n + 1}'))
    result = recorded.project.run_apart("-q", "-p", "no:cacheprovider", "--snapshot-update")
    assert (result.ret, result.parseoutcomes()) == (1, {"failed": 3})
    assert "test_it[1].json: OSError: [Errno 28] No space left on device" in result.stdout.str()


# --- Windows


def test_a_file_that_a_scanner_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows it is replaced as soon as it is let go, and elsewhere a refusal is an error at once."""
    real, refusals = os.replace, [3]

    def held(source: str, target: str) -> None:
        if refusals[0]:
            refusals[0] -= 1
            raise PermissionError(errno.EACCES, "held by a scanner")
        real(source, target)

    monkeypatch.setattr("pytest_wisebot.files.os.replace", held)
    monkeypatch.setattr(files, "WINDOWS", False)
    with pytest.raises(PermissionError):
        files.write_whole(str(tmp_path / "a"), b"text")
    monkeypatch.setattr(files, "WINDOWS", True)
    files.write_whole(str(tmp_path / "a"), b"text")
    assert (refusals[0], (tmp_path / "a").read_bytes()) == (0, b"text")
    refusals[0] = 10**6
    monkeypatch.setattr(files, "REPLACE_SECONDS", 0.1)
    with pytest.raises(PermissionError):
        files.write_whole(str(tmp_path / "a"), b"other")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"text"]


def test_two_recorders_on_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one waits for the lock of the first, and no file of the lock is left."""
    held: list[int] = []
    refused: list[int] = []

    def locking(descriptor: int, mode: int, size: int) -> None:
        assert (mode, size) == (2, 1)
        if held and len(refused) < 3:
            refused.append(descriptor)
            raise PermissionError(errno.EACCES, "Permission denied")
        held.append(descriptor)

    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(LK_NBLCK=2, locking=locking))
    monkeypatch.setattr(files, "WINDOWS", True)
    folder = tmp_path / "recordings" / "triage"
    with files.folder_lock(folder):
        assert len(held) == 1
        with files.folder_lock(folder):
            assert (len(held), len(refused)) == (2, 3)
    assert [path.name for path in folder.parent.iterdir()] == ["triage"]
    shutil.rmtree(folder)
