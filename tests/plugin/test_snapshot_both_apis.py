"""Two tests, two APIs, one snapshot: the APIs are held against each other."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Project, Recorded

ECHO = """
    @pytest.mark.wisebot("echo", {"n": 1}, api="both")
    def test_it(workflow_run, workflow_snapshot, wisebot_api):
        assert workflow_run == workflow_snapshot
        assert "same" == workflow_snapshot(name="named")
"""

DIFFERS = """
    @pytest.mark.parametrize("wisebot_api", ["webhook", "dashboard"])
    def test_it(workflow_snapshot, wisebot_api):
        assert {"api": wisebot_api} == workflow_snapshot
"""


@pytest.fixture
def flows(recorded: Recorded, project: Project) -> Any:
    """A project with an emulator."""
    del project
    return recorded


def test_both_apis_have_one_snapshot(flows: Any) -> None:
    """Recorded once, compared with both."""
    flows.test(ECHO)
    assert flows.said(flows.update()) == ["2 snapshots passed. 2 snapshots generated."]
    assert flows.names == ["test_it/test_it.json", "test_it/test_it[named].json"]
    assert flows.said(flows.run()) == ["2 snapshots passed."]


def test_a_failed_run_is_the_same_over_both(flows: Any) -> None:
    """One API says that there is no result, the other says nothing of it."""
    flows.test("""
        @pytest.mark.wisebot("refund", api="both")
        def test_it(workflow_run, workflow_snapshot):
            assert workflow_run == workflow_snapshot(failed=True)
    """)
    assert flows.update().ret == 0
    text = '{\n  "error": "unknown ticket",\n  "ok": false\n}\n'
    assert flows.files == {"__snapshots__/test_it/test_it.json": text}
    assert flows.run().ret == 0


@pytest.mark.parametrize(
    "chosen", [["-k", "dashboard"], ["-k", "webhook"], ["test_it.py::test_it[dashboard]"]], ids=str
)
def test_one_of_both_uses_it_as_well(flows: Any, chosen: list[str]) -> None:
    """Nothing is unused, and nothing deleted, where one of the two tests is run alone; also by a worker."""
    flows.test(ECHO)
    flows.update()
    before = flows.files
    for args in ([], ["--snapshot-update"], *([["-n", "1", "--snapshot-update"]] if "dashboard" in chosen else [])):
        result = flows.run(*chosen, *args)
        assert (result.ret, flows.said(result)) == (0, ["2 snapshots passed."])
    assert flows.files == before


@pytest.mark.parametrize(
    ("marks", "name"),
    [
        ('@pytest.mark.parametrize("x", ["webhook"])', "test_it[webhook].json"),
        ('@pytest.mark.parametrize("x, y", [("webhook", "dashboard")])', "test_it[webhook-dashboard].json"),
        (
            '@pytest.mark.parametrize("x", ["a-webhook"])\n@pytest.mark.parametrize("y", ["webhook"])',
            "test_it[webhook-a-webhook].json",
        ),
    ],
)
@pytest.mark.parametrize("below", [True, False])
def test_the_api_alone_leaves_the_name(recorded: Recorded, marks: str, name: str, below: bool) -> None:
    """Wherever it stands in the id, and no other parameter of the same value."""
    api = '@pytest.mark.parametrize("wisebot_api", ["webhook", "dashboard"])'
    stacked = "\n".join([api, marks] if below else [marks, api])
    arguments = ", ".join(letter for letter in "xy" if f'"{letter}' in marks or f" {letter}" in marks)
    recorded.test(
        f"{stacked}\ndef test_it(workflow_snapshot, wisebot_api, {arguments}):\n    assert 1 == workflow_snapshot\n"
    )
    assert recorded.said(recorded.update()) == ["1 snapshot passed. 1 snapshot generated."]
    assert recorded.names == [f"test_it/{name}"]


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=str)
@pytest.mark.parametrize("recorded_before", [False, True])
def test_apis_that_differ_fail_while_they_are_recorded(
    recorded: Recorded, workers: list[str], recorded_before: bool
) -> None:
    """The later of the two fails itself, and says whose value it is not; also where another worker was the first."""
    if recorded_before:
        recorded.test(DIFFERS.replace("wisebot_api}", "1}"))
        recorded.update()
    recorded.test(DIFFERS)
    result = recorded.update(*workers)
    assert result.ret == 1
    result.assert_outcomes(passed=1, failed=1)
    value = recorded.files["__snapshots__/test_it/test_it.json"]
    first, later = ("webhook", "dashboard") if "webhook" in value else ("dashboard", "webhook")
    assert value == f'{{\n  "api": "{first}"\n}}\n'
    assert recorded.shown(result) == [
        "assert [+ received] == [- test_it]",
        f"test_it.py::test_it[{first}] has given this snapshot another value in this session, and one file holds one "
        "value",
        *("api", f'- "{first}"', f'+ "{later}"'),
    ]


def test_the_value_that_was_there_holds_as_well(recorded: Recorded) -> None:
    """Where the first test matches what was recorded, an update by the second would break the first."""
    recorded.test(DIFFERS.replace('["webhook", "dashboard"]', '["webhook"]'))
    recorded.update()
    before = recorded.files
    recorded.test(DIFFERS)
    result = recorded.update()
    result.assert_outcomes(passed=1, failed=1)
    assert recorded.files == before


@pytest.mark.usefixtures("every_plugin")
def test_a_test_that_is_run_again_gives_its_last_value(recorded: Recorded) -> None:
    """A first execution that failed afterwards binds nobody."""
    recorded.test("""
        COUNT = []

        @pytest.mark.flaky(reruns=1)
        def test_it(workflow_snapshot):
            COUNT.append(1)
            assert len(COUNT) == workflow_snapshot
            assert len(COUNT) == 2
    """)
    result = recorded.update()
    assert result.ret == 0
    assert recorded.files == {"__snapshots__/test_it/test_it.json": "2\n"}
