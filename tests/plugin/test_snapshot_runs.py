"""A run's snapshot: its verdict, its result and its error, without what differs each time."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import pytest
from harness import Project, Recorded

FLOWS = """
    import time, uuid
    from pytest_wisebot.emulator import Emulator, WorkflowFailure

    emulator = Emulator(token="wb_live_FAKE_token_of_the_emulator")

    @emulator.workflow("order", secret="FAKE-secret-of-order")
    def order(inputs):
        return {
            "orderId": str(uuid.uuid4()),
            "items": [{"score": 0.8}, {"score": 0.81}],
            "summary": f"Ordered at {time.time()}",
            "about": inputs.get("about"),
            "key": "FAKE-secret-of-order",
        }

    @emulator.workflow("refund", secret="FAKE-secret-of-refund")
    def refund(inputs):
        raise WorkflowFailure({"reason": "unknown ticket"})

    @emulator.workflow("nothing", secret="FAKE-secret-of-nothing")
    def nothing(inputs):
        return None
"""


@pytest.fixture
def flows(recorded: Recorded, project: Project) -> Any:
    """A project with an emulator, whose results differ from run to run."""
    project.write("flows.py", FLOWS)
    return recorded


def test_a_run_is_compared_by_verdict_result_and_error(flows: Any) -> None:
    """Volatile values are placeholders, what differs otherwise is a rule's, and the next run is the same."""
    flows.test("""
        from dirty_equals import IsApprox, IsStr

        @pytest.mark.wisebot("order", {"about": "2026-05-01T10:00:00Z"})
        def test_it(workflow_run, workflow_snapshot):
            assert workflow_run == workflow_snapshot(
                rules={"summary": IsStr(min_length=12), "items[*].score": IsApprox(0.8, delta=0.1)}
            )
    """)
    assert flows.said(flows.update()) == ["1 snapshot generated."]
    assert json.loads(flows.files["__snapshots__/test_it/test_it.json"]) == {
        "ok": True,
        "result": {
            "orderId": "<uuid:1>",
            "items": [{"score": "IsApprox(approx=0.8, delta=0.1)"}, {"score": "IsApprox(approx=0.8, delta=0.1)"}],
            "summary": "IsStr(min_length=12)",
            "about": "2026-05-01T10:00:00Z",  # what the workflow was asked about stays
            "key": "<secret>",
        },
    }
    assert flows.said(flows.run()) == ["1 snapshot passed."]


def test_a_path_is_one_into_the_result_first(flows: Any) -> None:
    """It may be written from the stored object's root, too, and must be where a ``$`` stands before it."""
    flows.test("""
        from dirty_equals import AnyThing, IsStr

        def test_it(trigger_workflow, workflow_snapshot):
            run = trigger_workflow("order")
            rest = ["items", "about", "key"]
            assert run == workflow_snapshot(exclude=["orderId", *rest], rules={"result.summary": IsStr()})
            assert run == workflow_snapshot(exclude=["$.result.orderId", *rest], rules={"summary": IsStr(), "ok": True})
            assert run == workflow_snapshot(exclude=["result.**.score", "**.orderId"], rules={"$.result": AnyThing()})
    """)
    flows.update()
    assert {path[-9:]: json.loads(text) for path, text in flows.files.items()} == {
        "t_it.json": {"ok": True, "result": {"summary": "IsStr()"}},
        "it.1.json": {"ok": "True", "result": {"summary": "IsStr()"}},
        "it.2.json": {"ok": True, "result": "AnyThing()"},
    }


def test_a_path_that_is_nowhere_lists_those_there_are(flows: Any) -> None:
    """An error, also while snapshots are recorded."""
    flows.test("""
        def test_it(trigger_workflow, workflow_snapshot):
            assert trigger_workflow("order") == workflow_snapshot(rules={"sumary": "x"})
    """)
    result = flows.update()
    assert result.ret == 1
    shown = "\n".join(flows.shown(result))
    assert "RuleError: " in shown
    assert "sumary" in shown
    assert "result.summary" in shown
    assert flows.files == {}


def test_any_part_of_a_run_can_be_compared(flows: Any) -> None:
    """What the test's runs were asked stays in a part, too; several runs are one snapshot."""
    flows.test("""
        def test_parts(trigger_workflow, workflow_snapshot):
            run = trigger_workflow("order", {"about": "2026-05-01T10:00:00Z"})
            assert run.result["about"] == workflow_snapshot
            assert run.run_id == workflow_snapshot
            assert run.result["items"] == workflow_snapshot(exclude="[1]")

        def test_runs(trigger_workflow, workflow_snapshot):
            assert trigger_workflow.map("nothing", [{}, {}]) == workflow_snapshot
    """)
    flows.update()
    assert {path.rpartition("/")[2]: json.loads(text) for path, text in flows.files.items()} == {
        "test_parts.json": "2026-05-01T10:00:00Z",
        "test_parts.1.json": "<run-id>",
        "test_parts.2.json": [{"score": 0.8}],
        "test_runs.json": [{"ok": True, "result": None}, {"ok": True, "result": None}],
    }
    assert flows.said(flows.run()) == ["4 snapshots passed."]


FAILED = """
    @pytest.mark.wisebot("refund")
    def test_it(workflow_run, workflow_snapshot):
        assert workflow_run == workflow_snapshot(CALL)
"""
REFUSED = (
    'the run failed (runId ID, error {"reason": "unknown ticket"}): this snapshot is recorded only by '
    "workflow_snapshot(failed=True)"
)


def without_id(lines: list[str]) -> list[str]:
    import re

    return [re.sub(r"runId [^,]+,", "runId ID,", line) for line in lines]


@pytest.mark.parametrize("args", [[], ["--snapshot-update"], ["--snapshot-update-new-only"]], ids=" ".join)
def test_a_failed_run_is_not_recorded_by_accident(flows: Any, args: list[str]) -> None:
    """Else an outage became tomorrow's expectation; the message names run and error, and what records it."""
    flows.test(FAILED.replace("CALL", ""))
    result = flows.run(*args)
    assert result.ret == 1
    assert without_id(flows.shown(result))[:3] == [
        "assert [+ received] == [- test_it]",
        REFUSED,
        "there is no __snapshots__/test_it/test_it.json",
    ]
    assert flows.files == {}


def test_a_failed_run_is_recorded_where_the_test_says_so(flows: Any) -> None:
    """By ``failed=True``; then it is compared like any other."""
    flows.test(FAILED.replace("CALL", "failed=True"))
    assert flows.said(flows.update()) == ["1 snapshot generated."]
    stored = {"ok": False, "error": {"reason": "unknown ticket"}}
    assert json.loads(flows.files["__snapshots__/test_it/test_it.json"]) == stored
    assert flows.said(flows.run()) == ["1 snapshot passed."]
    flows.test(FAILED.replace("CALL", ""))
    assert flows.said(flows.update()) == ["1 snapshot passed."]  # nothing is recorded here
    flows.project.write("flows.py", textwrap.dedent(FLOWS).replace("unknown ticket", "too late"))
    flows.test(FAILED.replace("CALL", "failed=True"))
    assert flows.shown(flows.run()) == [
        "assert [+ received] == [- test_it]",
        *("error.reason", '- "unknown ticket"', '+ "too late"'),
        "error.reason has been the same in the last 3 runs of these inputs: a real change",
    ]


@pytest.mark.parametrize("update", [False, True])
def test_a_run_that_fails_now_differs(flows: Any, update: bool) -> None:
    """The difference says which run failed, and an update does not accept it."""
    flows.test(FAILED.replace("CALL", "").replace("refund", "nothing"))
    flows.update()
    before = flows.files
    flows.test(FAILED.replace("CALL", ""))
    result = flows.update() if update else flows.run()
    assert result.ret == 1
    assert without_id(flows.shown(result))[:2] == [
        "assert [+ received] == [- test_it]",
        REFUSED if update else REFUSED.partition(": this")[0],
    ]
    assert flows.files == before


SHARED = """
    @pytest.fixture(scope="module")
    def shared(trigger_workflow):
        return trigger_workflow("order", {"about": "2026-05-01T10:00:00Z"})

    @pytest.fixture(scope="module")
    def other(trigger_workflow):
        return trigger_workflow("order", {"about": "2026-05-02T10:00:00Z"})

    def test_other(other, workflow_snapshot):
        assert [other.result["about"], other.run_id] == workflow_snapshot

    @pytest.mark.parametrize("ask", ["one", "two"])
    def test_it(shared, workflow_snapshot, ask):
        assert [shared.result["about"], shared.run_id] == workflow_snapshot

    def test_late(request, workflow_snapshot):
        assert request.getfixturevalue("shared").result["about"] == workflow_snapshot
"""


def test_the_runs_of_a_wider_fixture_are_each_test_s_that_uses_it(flows: Any) -> None:
    """Which test ran first, and set the fixture up, makes no other snapshot of the same part."""
    flows.test(SHARED)
    flows.update()
    assert {path.rpartition("/")[2]: json.loads(text) for path, text in flows.files.items()} == {
        "test_other.json": ["2026-05-02T10:00:00Z", "<run-id>"],
        "test_it[one].json": ["2026-05-01T10:00:00Z", "<run-id>"],
        "test_it[two].json": ["2026-05-01T10:00:00Z", "<run-id>"],
        "test_late.json": "2026-05-01T10:00:00Z",
    }
    for name in ("two", "late", "one or other"):
        flows.run("-k", name).assert_outcomes(passed=2 if "or" in name else 1, deselected=2 if "or" in name else 3)


PARTS = ["run.result", "[run.result]", "run.error", '{"r": run.result}', 'run.to_dict()["ok"]', "[good, run.result]"]


def test_a_part_of_a_failed_run_is_not_recorded_by_accident(flows: Any) -> None:
    """An update keeps what a good run has left, whatever part of the failed one is compared."""

    def compared(workflow: str, call: str) -> pytest.RunResult:
        test = """
            def test_{number}(trigger_workflow, workflow_snapshot):
                good, run = trigger_workflow("nothing"), trigger_workflow("{workflow}")
                assert {part} == workflow_snapshot({call})
        """
        told = enumerate(PARTS)
        flows.test("".join(test.format(number=at, part=part, workflow=workflow, call=call) for at, part in told))
        result: pytest.RunResult = flows.update()
        return result

    compared("order", "")
    before = flows.files
    assert len(before) == len(PARTS)
    result = compared("refund", "")
    result.assert_outcomes(failed=len(PARTS))
    refused = REFUSED.replace("the run", "a run of this test")
    assert without_id(flows.shown(result)).count(refused) == len(PARTS)
    assert flows.files == before
    assert flows.said(compared("refund", "failed=True")) == [f"{len(PARTS)} snapshots updated."]


def test_a_part_of_a_good_run_is_recorded_beside_a_failed_one(flows: Any) -> None:
    """A test may expect one of its runs to fail, and hold another one to a snapshot."""
    flows.test("""
        def test_it(trigger_workflow, workflow_snapshot):
            run, refused = trigger_workflow("order", {"about": "a ticket"}), trigger_workflow("refund")
            assert run.result["items"][1] == workflow_snapshot
            assert run.result["about"] == workflow_snapshot
            assert run == workflow_snapshot(exclude="summary")
    """)
    assert flows.said(flows.update()) == ["3 snapshots generated."]


SHAPED = {"run": "", "[run, run]": "[\n  ", "(run,)": "[\n  "}
"""What is compared by its shape, and how its snapshot begins before the run."""


def test_a_shape_of_a_run_keeps_whether_it_went_well(flows: Any) -> None:
    """Alone or in a list: the shape of a run that failed is not the one of a run that went well."""

    def shaped(workflow: str) -> None:
        test = """
            def test_{number}(trigger_workflow, workflow_snapshot):
                run = trigger_workflow("{workflow}")
                assert {what} == workflow_snapshot(shape=True, failed=True)
        """
        flows.test("".join(test.format(number=at, workflow=workflow, what=what) for at, what in enumerate(SHAPED)))

    shaped("order")
    flows.update().assert_outcomes(passed=3)
    for text, opening in zip(flows.files.values(), SHAPED.values(), strict=True):
        assert text.startswith(f"{opening}{{\n")
        assert '"ok": true' in text
        assert "<bool>" not in text
    flows.run().assert_outcomes(passed=3)
    shaped("refund")
    flows.run().assert_outcomes(failed=3)
    flows.update()
    assert all('"ok": false' in text for text in flows.files.values())


def test_a_shape_has_no_volatile_keys(recorded: Recorded) -> None:
    """An object that is keyed by fresh ids has the same shape in the next session."""
    recorded.test("""
        import uuid

        def test_it(workflow_snapshot):
            assert {str(uuid.uuid4()): {"n": 1}} == workflow_snapshot(shape=True)
    """)
    recorded.update().assert_outcomes(passed=1)
    recorded.run().assert_outcomes(passed=1)
    assert '"<uuid:1>": {\n    "n": "<int>"\n  }' in recorded.files["__snapshots__/test_it/test_it.json"]
