"""What is unused is told where it can be known, and only there."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Recorded

UNUSED = ["1 snapshot unused.", "Re-run pytest with --snapshot-update to delete unused snapshots."]


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """The snapshots of the suite, once one of its tests has recorded them."""
    return {}


@pytest.fixture
def suite(recorded: Any, made: dict[str, str]) -> Any:
    """Three modules whose snapshots are recorded, with marks and parameters."""
    recorded.write = recorded.project.write
    recorded.write("pytest.ini", "[pytest]\nmarkers = slow\n")
    for name in ("one", "two"):
        recorded.test(
            f"""
            @pytest.mark.slow
            def test_it(workflow_snapshot):
                assert "{name}" == workflow_snapshot

            class TestThat:
                @pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.slow), "a/b"])
                def test_it(self, workflow_snapshot, n):
                    assert n == workflow_snapshot
                    assert n == workflow_snapshot(name="again")
            """,
            f"test_{name}.py",
        )
    recorded.update_once(made)
    assert len(recorded.names) == 14
    return recorded


@pytest.mark.parametrize(
    "chosen",
    [
        ["-k", "not test_two"],
        ["-k", "test_one"],
        ["-k", "slow"],
        ["-k", "not slow"],
        ["-k", "TestThat and not slow"],
        ["-m", "slow"],
        ["-m", "not slow"],
        ["test_one.py"],
        ["test_one.py::TestThat"],
        ["test_one.py::TestThat::test_it[2]"],
        ["test_one.py::TestThat::test_it[a/b]", "test_two.py::test_it"],
        ["--ignore=test_two.py"],
        ["--deselect=test_one.py::TestThat"],
    ],
    ids=" ".join,
)
def test_a_part_of_the_tests_leaves_the_others_alone(suite: Any, chosen: list[str]) -> None:
    """Whatever chooses them: a name, a module's, a mark, a node id, a file; an update deletes nothing."""
    before = suite.files
    plainly = chosen[0] != "-k" or "and" in chosen[1]  # by more expressions alike an update alone: it tells the same
    for args in ([], ["--snapshot-update"]) if plainly else (["--snapshot-update"],):
        result = suite.run(*chosen, *args)
        assert result.ret == 0
        assert [line for line in suite.said(result) if "passed." not in line] == []
    assert suite.files == before


def test_the_tests_that_failed_last_are_such_a_part(suite: Any) -> None:
    """``--lf`` keeps the rest out of the session altogether."""
    before = suite.files
    suite.write("conftest.py", "def pytest_runtest_call(item):\n    assert '[1]' not in item.nodeid")
    suite.project.pytester.runpytest_inprocess("-q")
    suite.write("conftest.py", "")
    result = suite.project.pytester.runpytest_inprocess("-q", "--lf", "--snapshot-update")
    result.assert_outcomes(passed=2)
    assert (suite.said(result), suite.files) == (["4 snapshots passed."], before)


@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=" ".join)
def test_what_a_selected_test_leaves_over_is_told(suite: Any, workers: list[str]) -> None:
    """A test that compares less than it did, in a session of its module alone."""
    text = (suite.path / "test_one.py").read_text("utf-8")
    suite.write("test_one.py", text.replace('name="again"', 'name="once more"'))
    result = suite.update("test_one.py", "--snapshot-details", *workers)
    assert sorted(suite.said(result)) == [
        "4 snapshots passed. 3 snapshots generated. 3 unused snapshots deleted.",
        "Deleted TestThat.test_it[1][again] (__snapshots__/test_one/TestThat.test_it[1][again].json)",
        "Deleted TestThat.test_it[2][again] (__snapshots__/test_one/TestThat.test_it[2][again].json)",
        "Deleted TestThat.test_it[a_b]~31d4737e[again] "
        "(__snapshots__/test_one/TestThat.test_it[a_b]~31d4737e[again].json)",
        "Generated TestThat.test_it[1][once more] (__snapshots__/test_one/TestThat.test_it[1][once more].json)",
        "Generated TestThat.test_it[2][once more] (__snapshots__/test_one/TestThat.test_it[2][once more].json)",
        "Generated TestThat.test_it[a_b]~31d4737e[once more] "
        "(__snapshots__/test_one/TestThat.test_it[a_b]~31d4737e[once more].json)",
    ]
    assert len(suite.names) == 14


def test_a_file_that_is_nobodys_is_told(recorded: Recorded) -> None:
    """Such as one that was left behind by a merge; other files in the folder are other people's."""
    recorded.test("def test_it(workflow_snapshot):\n    assert 1 == workflow_snapshot")
    recorded.update()
    folder = recorded.path / "__snapshots__"
    (folder / "test_it" / "test_it_BACKUP.json").write_text("1")
    (folder / "test_it" / "notes.txt").write_text("notes")
    (folder / "README.json").write_text("1")
    result = recorded.run()
    assert (result.ret, recorded.said(result)) == (1, ["1 snapshot passed. " + UNUSED[0], UNUSED[1]])
    recorded.update()
    assert recorded.names == ["README.json", "test_it/notes.txt", "test_it/test_it.json"]


@pytest.mark.parametrize(
    ("path", "workers"),
    [
        ("tests", []),
        (".", []),
        ("tests/test_it.py", []),
        ("tests/test_it.py tests/test_other.py", []),
        ("tests", ["-n", "1"]),
        ("tests/test_it.py tests/test_other.py", ["-n", "1"]),
    ],
    ids=str,
)
def test_any_path_finds_what_is_unused(recorded: Recorded, path: str, workers: list[str]) -> None:
    """A file of no test is reported, and deleted by an update, also where pytest is called with a folder or a file."""
    recorded.test("def test_it(workflow_snapshot):\n    assert 1 == workflow_snapshot", "tests/test_it.py")
    recorded.test("def test_other(): pass", "tests/test_other.py")
    recorded.update()
    orphan = recorded.path / "tests" / "__snapshots__" / "test_it" / "test_gone.json"
    orphan.write_text("1")
    result = recorded.run(*path.split(), *workers)
    assert (result.ret, recorded.said(result)) == (1, ["1 snapshot passed. " + UNUSED[0], UNUSED[1]])
    assert recorded.update(*path.split(), *workers).ret == 0
    assert recorded.names == ["test_it/test_it.json"]


@pytest.mark.parametrize(("path", "workers"), [([], []), (["."], []), (["."], ["-n", "1"])], ids=str)
def test_tests_that_vanish_from_the_collection_keep_their_snapshots(
    recorded: Recorded, path: list[str], workers: list[str]
) -> None:
    """A module that skips itself, by ``importorskip`` or a call, and tests that a ``conftest.py`` removes silently."""
    one = "def test_{n}(workflow_snapshot):\n    assert 1 == workflow_snapshot\n"
    for name in ("skips", "imports", "stays"):
        recorded.test(one.format(n=1) + one.format(n=2), f"test_{name}.py")
    recorded.update()
    before = recorded.files
    assert len(before) == 6
    recorded.test("pytest.skip('not here', allow_module_level=True)", "test_skips.py")
    recorded.test("pytest.importorskip('no_such_module')", "test_imports.py")
    recorded.project.write(
        "conftest.py",
        "def pytest_collection_modifyitems(items):\n    items[:] = [i for i in items if i.name[-1] > '1']",
    )
    result = recorded.run(*path, *workers)
    assert (result.ret, recorded.said(result)) == (0, ["1 snapshot passed."])
    assert recorded.update(*path, *workers).ret == 0
    assert recorded.files == before


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_a_file_of_two_extensions_is_an_error(recorded: Recorded, first: str) -> None:
    """Syrupy's JSON extension gives its snapshots the same names: the second comparison names the file, and raises."""
    recorded.test(f"""
        from syrupy.extensions.json import JSONSnapshotExtension

        def test_it(workflow_snapshot, snapshot):
            sides = {{"ours": workflow_snapshot, "theirs": snapshot.use_extension(JSONSnapshotExtension)}}
            assert 1 == sides.pop("{first}")
            for other in sides.values():
                assert 2 == other

        def test_that(workflow_snapshot, snapshot):
            assert 1 == workflow_snapshot(name="n")
            assert 1 == snapshot.use_extension(JSONSnapshotExtension)
            assert 1 == snapshot
    """)
    result = recorded.update()
    result.assert_outcomes(failed=1, passed=1)
    assert "workflow_snapshot and another extension of syrupy would both write this file" in result.stdout.str()
    recorded.run("-k", "that").assert_outcomes(passed=1)
    assert recorded.files["__snapshots__/test_it/test_it.json"].strip() == "1"
