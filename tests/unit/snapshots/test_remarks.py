"""What is remarked of a compared value, whatever a test compares of its runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pytest_wisebot import WorkflowRun
from pytest_wisebot.snapshots.json_codec import dumps
from pytest_wisebot.snapshots.normalise import NormaliserConfig
from pytest_wisebot.snapshots.remarks import Compared, KeptHistory, of_a_difference, of_a_recording
from pytest_wisebot.snapshots.serialize import ComparisonContext, ComparisonOptions, receive

HEAD = ["what is volatile, for wisebot.toml:", "  [snapshots.workflows.triage]"]


def run(number: int, **values: Any) -> WorkflowRun:
    """A run with an id that differs, and a total that is the same."""
    result = {"charge": {"id": f"ch-no{number}", "total": 5}, "rows": [{"ref": number, "sku": "A"}], **values}
    began = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(minutes=number)
    return WorkflowRun(True, "triage", run_id=f"run-{number}", result=result, started_at=began)


RUNS = [run(number) for number in range(1, 5)]
KEPT = KeptHistory(lambda _: RUNS[::-1], lambda name: (("snapshots", "workflows", name), None))


def remarks(value: Any, was: Any = None, *, runs: tuple[WorkflowRun, ...] = (), **options: Any) -> list[str]:
    """The lines on a value whose snapshot is another one, or new."""
    volatile = options.pop("volatile", ())
    asked = ComparisonOptions(**options)
    around = ComparisonContext(lambda data: data, str, NormaliserConfig(volatile=volatile), lambda: runs)
    compared = Compared(value, receive(value, asked, around), asked, around)
    return of_a_recording(compared, KEPT) if was is None else of_a_difference(compared, dumps(was), KEPT)


def stored(total: int = 5, **values: Any) -> dict[str, Any]:
    return {
        "ok": True,
        "result": {"charge": {"id": "ch-no0", "total": total}, "rows": [{"ref": 0, "sku": "A"}], **values},
    }


DIFFERED = "differed in 4 of the last 5 runs of these inputs: volatile?"
SAME = "has been the same in the last 5 runs of these inputs: a real change"


def test_a_run_a_result_and_a_part_of_it_have_the_paths_of_the_run_in_their_lines() -> None:
    """The remark has the path of the compared value."""
    one = run(9)
    lines = [*HEAD, '  volatile = ["result.charge.id", "result.rows[*].ref"]']
    assert remarks(one, stored(total=6)) == [
        f"result.charge.id {DIFFERED}",
        f"result.rows[*].ref {DIFFERED}",
        f"result.charge.total {SAME}",
        *lines,
    ]
    assert remarks(one.result, stored()["result"], runs=(one,)) == [
        f"charge.id {DIFFERED}",
        f"rows[*].ref {DIFFERED}",
        *lines,
    ]
    assert remarks(one.result["charge"], stored()["result"]["charge"], runs=(one,)) == [
        f"id {DIFFERED}",
        *HEAD,
        '  volatile = ["result.charge.id"]',
    ]


def test_each_run_of_a_list_has_its_own_history() -> None:
    """As `map` gives it; the lines are those of the workflow, once."""
    told = remarks([run(8), run(9)], [stored(), stored()])
    assert told[:2] == [f"[0].result.charge.id {DIFFERED}", f"[0].result.rows[*].ref {DIFFERED}"]
    assert told[-1] == '  volatile = ["result.charge.id", "result.rows[*].ref"]'


def test_the_compared_run_counts_once() -> None:
    """It is in the log of the session before its test sees it."""
    assert remarks(RUNS[-1], stored())[0] == (
        "result.charge.id differed in 3 of the last 4 runs of these inputs: volatile?"
    )


def test_nothing_is_said_of_what_is_masked_left_out_or_judged_by_a_rule() -> None:
    """Nor of a value that no run made, and of a verdict."""
    one = run(9)
    volatile = ("result.charge.id", "result.rows[*].ref")
    assert remarks(one, volatile=volatile) == []
    assert not any("charge" in line for line in remarks(one, exclude=("charge.id",)))
    broken = remarks(one, stored(), rules={"charge.id": "ch-no0"})
    assert not any("charge" in line for line in broken)
    assert remarks({"a": 1}, {"a": 2}, runs=(one,)) == []
    assert remarks(one, {"ok": False, "result": one.result}) == []


def test_a_new_snapshot_names_what_is_volatile_alone() -> None:
    """What changed once is no remark on a new snapshot."""
    assert remarks(run(9, plan="pro")) == [
        f"result.charge.id {DIFFERED}",
        f"result.rows[*].ref {DIFFERED}",
        *HEAD,
        '  volatile = ["result.charge.id", "result.rows[*].ref"]',
    ]


def test_many_paths_are_counted() -> None:
    """The first ten are named, and all of them are in the lines."""
    was = {"ok": True, "result": {**stored()["result"], **{f"k{at}": 0 for at in range(20)}}}
    told = remarks(run(9), was)
    assert "and 12 more paths: pytest-wisebot learn lists what is volatile" in told
