"""A test that did not pass keeps its snapshots: an outage empties no folder, and is no second red line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harness import Recorded

SUITE = """
    import os, signal
    from pathlib import Path

    TROUBLE = Path(__file__).with_name("trouble").read_text()

    def test_first(workflow_snapshot):
        assert 1 == workflow_snapshot

    @pytest.fixture
    def service():
        if TROUBLE == "no service":
            raise OSError("no service")

    @pytest.mark.parametrize("n", ["a/b", "c"])
    def test_it(service, n, workflow_snapshot):
        if TROUBLE == "failure":
            assert not "any service"
        if TROUBLE == "skip":
            pytest.skip("no service")
        if TROUBLE == "xfail":
            pytest.xfail("no service")
        if TROUBLE == "Ctrl-C":
            raise KeyboardInterrupt
        if TROUBLE == "killed" and n == "c":
            os.kill(os.getpid(), signal.SIGKILL)
        if TROUBLE == "exit":
            pytest.exit("no service")
        assert n == workflow_snapshot
        assert n == workflow_snapshot(name="again")

    def test_no_more(workflow_snapshot):
        if TROUBLE == "none":
            assert 2 == workflow_snapshot

    def test_last(workflow_snapshot):
        assert 3 == workflow_snapshot
"""

ALL = [
    "test_it/test_first.json",
    "test_it/test_it[a_b]~306b0382.json",
    "test_it/test_it[a_b]~306b0382[again].json",
    "test_it/test_it[c].json",
    "test_it/test_it[c][again].json",
    "test_it/test_last.json",
    "test_it/test_no_more.json",
]
KEPT = [name for name in ALL if "no_more" not in name]
DELETED = "Deleted test_no_more (__snapshots__/test_it/test_no_more.json)"


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """The snapshots of the suite, once one of its tests has recorded them."""
    return {}


@pytest.fixture
def suite(recorded: Recorded, made: dict[str, str]) -> Any:
    """A project whose snapshots are recorded, and one of which nobody will use."""
    recorded.test(SUITE)
    trouble(recorded, "none")
    recorded.update_once(made)
    assert recorded.names == ALL
    return recorded


def trouble(recorded: Recorded, what: str) -> None:
    (recorded.path / "trouble").write_text(what)


@pytest.mark.parametrize(
    ("what", "workers"),
    [("no service", []), ("failure", []), ("skip", []), ("xfail", []), ("no service", ["-n", "1"])],
    ids=str,
)
def test_a_test_that_did_not_compare_keeps_its_snapshots(suite: Any, what: str, workers: list[str]) -> None:
    """Whatever kept it from comparing; what a test that passed has left over is still told, and removed."""
    trouble(suite, what)
    if not workers:
        result = suite.run()
        assert suite.said(result) == [
            "2 snapshots passed. 1 snapshot unused.",
            "Re-run pytest with --snapshot-update to delete unused snapshots.",
        ]
    result = suite.update(*workers)
    assert suite.said(result) == ["2 snapshots passed. 1 unused snapshot deleted.", DELETED]
    assert suite.names == KEPT


@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=" ".join)
def test_an_outage_is_no_matter_of_snapshots(recorded: Recorded, workers: list[str]) -> None:
    """Where no test has come so far as to compare anything, nothing is unused, and nothing deleted."""
    recorded.test("""
        from pathlib import Path

        @pytest.fixture
        def service():
            if Path(__file__).with_name("trouble").exists():
                raise OSError("no service")

        @pytest.mark.parametrize("n", ["a/b", "c"])
        def test_it(service, n, workflow_snapshot):
            assert n == workflow_snapshot
    """)
    recorded.update()
    before = recorded.files
    assert len(before) == 2
    (recorded.path / "trouble").touch()
    for args in ([], ["--snapshot-update"]):
        result = recorded.run(*args, *workers)
        result.assert_outcomes(errors=2)
        assert recorded.said(result) == []
        assert recorded.files == before


def test_tests_that_were_never_run_keep_theirs(suite: Any) -> None:
    """Where the first failure ends the session."""
    trouble(suite, "failure")
    for args in ([], ["--snapshot-update"]):
        result = suite.run("-x", *args)
        result.assert_outcomes(passed=1, failed=1)
        assert suite.said(result) == ["1 snapshot passed."]
        assert suite.names == ALL


def test_tests_that_no_worker_has_run_keep_theirs(suite: Any) -> None:
    """Where the first failure ends the session of several workers, of which none knows what the others did."""
    trouble(suite, "failure")
    result = suite.update("-n", "2", "--maxfail=1")
    assert result.ret != 0
    assert set(suite.names) >= set(KEPT)


@pytest.mark.parametrize("what", ["Ctrl-C", "exit"])
def test_a_session_that_was_broken_off_keeps_all(suite: Any, what: str) -> None:
    """By a person or by a test; nobody can say then what the rest would have used."""
    trouble(suite, what)
    for args in ([], ["--snapshot-update"]):
        result = suite.project.pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider", *args)
        assert result.ret == pytest.ExitCode.INTERRUPTED
        assert suite.said(result) == ["1 snapshot passed."]
        assert suite.names == ALL


def test_a_worker_that_dies_takes_no_snapshot_with_it(suite: Any) -> None:
    """Neither of the test that killed it nor of those that it had run: what they have compared, nobody knows."""
    trouble(suite, "killed")
    result = suite.update("-n", "2")
    result.assert_outcomes(passed=4, failed=1)
    assert "worker 'gw" in result.stdout.str()
    assert set(suite.names) >= set(KEPT)
    assert [line for line in suite.said(result) if line.startswith("Deleted")] in ([], [DELETED])


@pytest.mark.parametrize(
    "args", [[], ["--continue-on-collection-errors"], ["--continue-on-collection-errors", "-n", "1"]], ids=" ".join
)
def test_a_module_that_cannot_be_imported_keeps_its_own(suite: Any, args: list[str]) -> None:
    """A missing comma is no reason to delete anything, where the session goes on without the module too."""
    suite.test("def test_it(workflow_snapshot):\n    assert 1 == workflow_snapshot", "test_other.py")
    suite.update("test_other.py")
    suite.test("def test_it(workflow_snapshot)", "test_other.py")
    before = suite.names
    assert "test_other/test_it.json" in before
    for update in ([], ["--snapshot-update"]):
        result = suite.run(*args, *update)
        assert result.ret != 0
        assert not any("unused" in line or "eleted" in line for line in suite.said(result))
        assert suite.names == before


def test_a_module_that_cannot_be_imported_is_safe_beside_plain_tests(recorded: Recorded) -> None:
    """Also where no other test uses these snapshots, and syrupy knows nothing of them."""
    recorded.test("def test_it(workflow_snapshot):\n    assert 1 == workflow_snapshot")
    recorded.test("def test_plain(): pass", "test_plain.py")
    recorded.update()
    recorded.test("def test_it(workflow_snapshot)")
    recorded.update("--continue-on-collection-errors")
    assert recorded.names == ["test_it/test_it.json"]


def test_a_test_that_asks_at_runtime_keeps_its_own(recorded: Recorded) -> None:
    """By ``request.getfixturevalue``, once it has asked."""
    recorded.test("""
        from pathlib import Path

        def test_it(request):
            workflow_snapshot = request.getfixturevalue("workflow_snapshot")
            assert not Path(__file__).with_name("trouble").exists()
            assert 1 == workflow_snapshot
    """)
    recorded.update()
    (recorded.path / "trouble").touch()
    result = recorded.update()
    assert (recorded.said(result), recorded.names) == ([], ["test_it/test_it.json"])


LONG = "test_" + "x" * 200


@pytest.mark.parametrize(("name", "workers"), [(LONG, []), ("test_ids", ["-n", "1"])], ids=["long", "ids"])
def test_names_that_syrupy_cannot_read_are_kept_too(recorded: Recorded, name: str, workers: list[str]) -> None:
    """A failed test keeps its file whatever the name of that is, and a test that passed leaves its own unused."""
    recorded.test(f"""
        from pathlib import Path

        TROUBLE = Path(__file__).with_name("trouble").exists()

        @pytest.mark.parametrize("wisebot_api", ["webhook", "dashboard"], ids=["over-1", "over-2"])
        def {name}(workflow_snapshot, wisebot_api):
            assert not TROUBLE
            assert 1 == workflow_snapshot

        def test_left(workflow_snapshot):
            if not TROUBLE:
                assert 1 == workflow_snapshot
    """)
    recorded.update("-W", "ignore::UserWarning")
    before = recorded.names
    assert len(before) == 2
    (recorded.path / "trouble").touch()
    for args in ([], ["--snapshot-update"]):
        result = recorded.run(*workers, *args)
        result.assert_outcomes(failed=2, passed=1)
        assert "1 snapshot unused." in recorded.said(result) or args
    assert recorded.names == [name for name in before if "left" not in name]


def test_other_extensions_keep_their_ways(recorded: Recorded) -> None:
    """What a test without the fixture leaves unused is syrupy's to judge, as ever."""
    recorded.test("""
        from pathlib import Path

        def test_plain(snapshot):
            if not Path(__file__).with_name("trouble").exists():
                assert "plain" == snapshot

        def test_it(workflow_snapshot):
            assert 1 == workflow_snapshot
    """)
    recorded.update()
    (recorded.path / "trouble").touch()
    assert recorded.said(recorded.run())[0] == "1 snapshot passed. 1 snapshot unused."
    assert recorded.said(recorded.update())[0] == "1 snapshot passed. 1 unused snapshot deleted."
    assert recorded.names == ["test_it/test_it.json"]


def test_what_a_killed_session_has_left_is_no_snapshot(suite: Any) -> None:
    """A half-written temporary file is neither unused nor in the way."""
    folder: Path = suite.path / "__snapshots__" / "test_it"
    (folder / ".1-00ff.tmp").write_text('{"half": ')
    result = suite.run()
    assert (result.ret, suite.said(result)) == (0, ["7 snapshots passed."])


@pytest.mark.parametrize("option", ["--collect-only", "--setup-plan", "--wisebot-plan"])
def test_a_session_that_only_looks_deletes_nothing(suite: Any, option: str) -> None:
    """Although no test has compared anything, and an update is asked for."""
    result = suite.update(option)
    assert (result.ret, suite.said(result), suite.names) == (0, [], ALL)


ASKS_LATE = """
    import os
    from pathlib import Path

    def test_first():
        assert not Path(__file__).with_name("trouble").exists()

    def test_it(request):
        if Path(__file__).with_name("trouble").exists():
            raise OSError("no service")
        assert 1 == request.getfixturevalue("workflow_snapshot")

    def test_foreign(request, snapshot):
        pass
"""


@pytest.mark.parametrize(
    "args",
    [[], ["-n", "2"], ["-x"], ["--co"], ["-k", "first"], ["-m", "slow"]],
    ids=" ".join,
)
def test_a_test_that_did_not_come_so_far_as_to_ask_keeps_its_snapshots(recorded: Recorded, args: list[str]) -> None:
    """It asks for the fixture by ``request.getfixturevalue``, so that nothing but its files tells of them."""
    recorded.test(ASKS_LATE)
    recorded.update()
    before = recorded.files
    assert list(before) == ["__snapshots__/test_it/test_it.json"]
    (recorded.path / "trouble").touch()
    recorded.update("-W", "ignore", *args)
    assert recorded.files == before


def test_a_test_that_asks_no_more_leaves_an_unused_snapshot(recorded: Recorded) -> None:
    """It passed, and has compared nothing: that is told, and removed, though no test uses the fixture any more."""
    recorded.test(ASKS_LATE)
    recorded.update()
    recorded.test("def test_it():\n    pass")
    assert recorded.said(recorded.run())[0] == "1 snapshot unused."
    recorded.update()
    assert recorded.files == {}
