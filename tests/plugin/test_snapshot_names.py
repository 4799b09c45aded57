"""Which file holds what: one for each snapshot, named after its test, and never shared by accident."""

from __future__ import annotations

import os

import pytest
from harness import Recorded


def test_each_snapshot_of_a_test_has_its_file(recorded: Recorded) -> None:
    """By number in their order, or by a name of their own; classes and parameters are in the name."""
    recorded.test("""
        def test_several(workflow_snapshot):
            assert "first" == workflow_snapshot
            assert "second" == workflow_snapshot
            assert "named" == workflow_snapshot(name="what it says")
            assert "fourth" == workflow_snapshot

        class TestRefund:
            class TestLarge:
                @pytest.mark.parametrize("amount", [1.5, 1000])
                def test_it(self, workflow_snapshot, amount):
                    assert amount == workflow_snapshot
    """)
    recorded.update()
    assert recorded.names == [
        "test_it/TestRefund.TestLarge.test_it[1.5].json",
        "test_it/TestRefund.TestLarge.test_it[1000].json",
        "test_it/test_several.1.json",
        "test_it/test_several.3.json",
        "test_it/test_several.json",
        "test_it/test_several[what it says].json",
    ]
    result = recorded.run()
    assert (result.ret, recorded.said(result)) == (0, ["6 snapshots passed."])


def test_parameters_that_look_alike_are_kept_apart(recorded: Recorded) -> None:
    """A character that no file may have, case, and length: each parameter has its own value, and an update its file."""
    recorded.test("""
        IDS = ["a/b", "ab", "a_b", "A", "a", "True", "true", "x" * 300 + "1", "x" * 300 + "2", "..", "é", "a:b"]

        @pytest.mark.parametrize("n", range(len(IDS)), ids=IDS)
        def test_it(workflow_snapshot, n):
            assert n == workflow_snapshot
    """)
    assert recorded.said(recorded.update()) == ["12 snapshots generated."]
    assert sorted(map(int, recorded.files.values())) == list(range(12))
    result = recorded.run()
    assert (result.ret, recorded.said(result)) == (0, ["12 snapshots passed."])


def test_a_hidden_id_and_a_name_are_no_other_id(recorded: Recorded) -> None:
    """What a test calls a snapshot of its own is no other parameter's file."""
    if not hasattr(pytest, "HIDDEN_PARAM"):
        pytest.skip("this pytest hides no ids")
    recorded.test("""
        @pytest.mark.parametrize("n", [pytest.param(1, id=pytest.HIDDEN_PARAM), pytest.param(2, id="x")])
        def test_it(workflow_snapshot, n):
            assert n == workflow_snapshot(**({"name": "x"} if n == 1 else {}))
    """)
    assert recorded.said(recorded.update()) == ["2 snapshots generated."]
    assert recorded.names == ["test_it/test_it[][x].json", "test_it/test_it[x].json"]
    assert recorded.said(recorded.run()) == ["2 snapshots passed."]
    assert recorded.said(recorded.run("-n", "1")) == ["2 snapshots passed."]


def test_a_long_id_and_a_long_name_fit_into_one_file_s(recorded: Recorded) -> None:
    """Both are cut so far that every system can write the file."""
    recorded.test("""
        @pytest.mark.parametrize("n", [1], ids=["p" * 300])
        def test_it(workflow_snapshot, n):
            assert n == workflow_snapshot(name="N" * 300)
            assert n == workflow_snapshot(name="N" * 301)
    """)
    assert recorded.said(recorded.update()) == ["2 snapshots generated."]
    assert recorded.said(recorded.run()) == ["2 snapshots passed."]


def test_snapshots_stand_beside_their_module(recorded: Recorded) -> None:
    """Modules of one name in two folders have two; ``--snapshot-dirname`` names the folder."""
    recorded.test("def test_it(workflow_snapshot):\n    assert 1 == workflow_snapshot", "one/test_it.py")
    recorded.test("def test_it(workflow_snapshot):\n    assert 2 == workflow_snapshot", "two/test_it.py")
    recorded.update("--import-mode=importlib")
    assert recorded.files == {
        "one/__snapshots__/test_it/test_it.json": "1\n",
        "two/__snapshots__/test_it/test_it.json": "2\n",
    }
    recorded.update("--import-mode=importlib", "--snapshot-dirname=recorded", "one")
    assert (recorded.path / "one" / "recorded" / "test_it" / "test_it.json").read_text("utf-8") == "1\n"


@pytest.mark.parametrize("order", ["", "-p randomly"])
def test_the_order_of_tests_changes_nothing(recorded: Recorded, monkeypatch: pytest.MonkeyPatch, order: str) -> None:
    """Recorded in one order, matched in another."""
    monkeypatch.setenv("PYTEST_ADDOPTS", f"{os.environ['PYTEST_ADDOPTS']} {order}")
    tests = [f"def test_{n}(workflow_snapshot):\n    assert {n} == workflow_snapshot" for n in range(10)]
    recorded.test("\n".join(tests))
    recorded.update()
    tests.reverse()
    recorded.test("\n".join(tests))
    assert recorded.said(recorded.run()) == ["10 snapshots passed."]


def test_one_name_is_one_value(recorded: Recorded) -> None:
    """A test that gives two values one name fails while it is recorded, not in the next session."""
    recorded.test("""
        def test_it(workflow_snapshot):
            assert 1 == workflow_snapshot(name="n")
            assert 2 == workflow_snapshot(name="n")
    """)
    result = recorded.update()
    assert result.ret == 1
    assert recorded.shown(result) == [
        "assert [+ received] == [- test_it[n]]",
        "test_it.py::test_it has given this snapshot another value in this session, and one file holds one value",
        *("$", "- 1", "+ 2"),
    ]
    assert recorded.files == {"__snapshots__/test_it/test_it[n].json": "1\n"}


def test_classes_that_differ_by_case_alone_are_told(recorded: Recorded) -> None:
    """Their snapshots would be one file on Windows and macOS: an update says so, on every system."""
    recorded.test("""
        class TestIt:
            def test_it(self, workflow_snapshot):
                assert 1 == workflow_snapshot

        class Testit:
            def test_it(self, workflow_snapshot):
                assert 2 == workflow_snapshot
    """)
    result = recorded.update()
    assert result.ret == 1
    assert recorded.shown(result)[1] == (
        "test_it.py::TestIt::test_it has a snapshot whose name differs by case alone: on Windows and macOS they are "
        "one file"
    )


def test_other_kinds_of_tests_have_snapshots_too(recorded: Recorded) -> None:
    """Doctests, and unittest's by a fixture of their own."""
    recorded.test("""
        import unittest

        class TestOld(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def take(self, workflow_snapshot):
                self.workflow_snapshot = workflow_snapshot

            def test_it(self):
                assert 1 == self.workflow_snapshot
    """)
    recorded.project.write(
        "told.py",
        '''
        """
        >>> 2 == getfixture("workflow_snapshot")
        True
        """
    ''',
    )
    for args in (["--snapshot-update"], []):
        recorded.run("--doctest-modules", *args).assert_outcomes(passed=2)
    assert recorded.files == {
        "__snapshots__/test_it/TestOld.test_it.json": "1\n",
        "__snapshots__/told/told.json": "2\n",
    }
