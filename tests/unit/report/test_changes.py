"""Two sessions beside each other: each test in its list, results beside results, shown in three ways."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_wisebot.report.changes import HEADINGS, Changes, Side, compare_sessions
from pytest_wisebot.report.changes_text import terminal_lines
from pytest_wisebot.report.html import changes_page
from pytest_wisebot.report.markdown import changes_markdown
from pytest_wisebot.report.model import Run

Log = Any
"""The log of `conftest.Log`."""


def differs(before: Run, after: Run) -> list[str]:
    return [] if before.result == after.result else [f"- {before.result}", f"+ {after.result}"]


def compared(a: Log, b: Log, **end: Any) -> Changes:
    return compare_sessions(Side("A", "before", a.model()), Side("B", "after", b.model(**end)), differs)


def text_of(changes: Changes) -> str:
    return "\n".join(line.text for line in terminal_lines(changes, 80))


def names(changes: Changes, kind: str) -> list[str]:
    return [one.id.removeprefix("test_it.py::") for one in changes.lists[kind]]


BECOMES = {
    ("passed", "failed"): "newly failing",
    ("flaky", "drift"): "newly failing",
    ("passed", "crashed"): "no verdict any more",
    ("passed", "infrastructure"): "no verdict any more",
    ("failed", "not run"): "no verdict any more",
    ("infrastructure", "failed"): "failing, unknown before",
    ("skipped", "failed"): "failing, unknown before",
    ("failed", "drift"): "still failing",
    ("failed", "flaky"): "fixed",
    ("crashed", "passed"): "passing, unknown before",
    ("passed", "skipped"): "left out",
    ("passed", "flaky"): "",
    ("skipped", "xfailed"): "",
    ("not run", "crashed"): "",
    ("passed", "a word of a later version"): "no verdict any more",
}


@pytest.mark.parametrize(("before", "after"), BECOMES)
def test_each_test_is_in_one_list(before: str, after: str, log: type[Log]) -> None:
    """By its outcome in both sessions a test is in the list where it belongs, and in no other."""
    changes = compared(log().test("test_a", before), log().test("test_a", after))
    expected = BECOMES[before, after]
    assert [kind for kind in HEADINGS if names(changes, kind)] == ([expected] if expected else [])


def test_what_opens_nothing_is_a_regression(log: type[Log]) -> None:
    """A test that passed, and failed or is not known now, fails a comparison; one that is fixed or gone does not."""
    regressions = {
        pair for pair in BECOMES if compared(log().test("test_a", pair[0]), log().test("test_a", pair[1])).regressions
    }
    assert regressions == {
        ("passed", "failed"), ("flaky", "drift"), ("passed", "crashed"), ("passed", "infrastructure"),
        ("infrastructure", "failed"), ("skipped", "failed"), ("passed", "a word of a later version"),
    }  # fmt: skip
    a = log().test("test_a").test("test_b", "failed")
    assert not compared(a, log().test("test_b")).regressions


def test_tests_that_were_not_run_are_not_missing_silently(log: type[Log]) -> None:
    """A killed session, a module that cannot be imported and a run that contradicts itself leave no verdict."""
    a = log().test("test_a").test("test_b").test("test_c")
    killed = log(selected=["test_it.py::test_a", "test_it.py::test_b", "test_it.py::test_c"]).test("test_a")
    changes = compare_sessions(Side("A", "a", a.model()), Side("B", "b", killed.model(ended=False)), differs)
    assert names(changes, "no verdict any more") == ["test_b", "test_c"]
    assert changes.regressions == ("2 tests passed in A and without a verdict in B",)
    assert "B: ended before its end: 2 tests never reported" in changes.remarks
    broken = log().test("test_x")
    broken.events = [{**event, "test": "test_other.py::test_x"} for event in broken.events]
    changes = compared(a, broken, not_collected=["test_it.py: ImportError: no module"])
    assert [one.words for one in changes.lists["no verdict any more"]] == [
        "A passed -> B its module could not be collected"
    ] * 3
    against = log().test("test_a", run={"contradiction": "status failed"}).test("test_b").test("test_c")
    assert names(compared(a, against), "no verdict any more") == ["test_a"]


@pytest.mark.parametrize(
    ("facts", "end", "gap"),
    [
        ({"selected": None}, {}, "B: it is not known which tests s was to run: tests may be missing"),
        ({}, {"lost_events": 2}, "B: 2 lines of its log could not be written: tests may be missing"),
    ],
)
def test_a_session_with_gaps_is_no_proof(facts: Any, end: Any, gap: str, log: type[Log]) -> None:
    """Where tests of B may be missing without a trace, as those of a lost shard, B fails a comparison."""
    changes = compared(log().test("test_a").test("test_b"), log(**facts).test("test_a"), **end)
    assert changes.regressions == (gap,)
    assert gap in changes.remarks


def test_gone_and_new_tests_are_held_beside_each_other(log: type[Log]) -> None:
    """A test that is gone is named with the new one that it may be now; a deselected one is not gone."""
    a = log().test("test_billing").test("test_b")
    b = log(deselected=["test_it.py::test_b"]).test("test_billing_tickets", "failed")
    changes = compared(a, b)
    assert (names(changes, "gone"), names(changes, "new")) == (["test_billing"], ["test_billing_tickets"])
    assert changes.lists["gone"][0].maybe == "test_it.py::test_billing_tickets"
    assert names(changes, "left out") == ["test_b"]
    assert not changes.regressions


def test_runs_are_compared_with_their_own_kind(log: type[Log]) -> None:
    """A run is held beside that of equal inputs, whatever came first; then beside the next one; the rest is named."""

    def runs(one: Log, *answers: tuple[dict[str, Any], str]) -> Log:
        made = [one.run(test="test_it.py::test_a", inputs=inputs, result=answer) for inputs, answer in answers]
        return one.test("test_a", "passed", *made)

    a = runs(log(), ({"n": 1}, "one"), ({"n": 2}, "two"), ({"n": 3}, "three"), ({"n": 4}, "four"))
    b = runs(log(), ({"n": 2}, "two"), ({"n": 1}, "ONE"), ({"n": 5}, "five"))
    (found,) = compared(a, b).differing
    assert found.results == (
        ("triage (webhook)", ("- one", "+ ONE")),
        ('triage (webhook): inputs were {"n": 3}, now {"n": 5}', ("- three", "+ five")),
        ("triage (webhook): a run in A alone", ()),
    )


def test_a_run_without_an_answer_is_named(log: type[Log]) -> None:
    """Where one of both has no answer, the error stands in the place of a difference."""
    a = log().test("test_a", run={"result": 1})
    b = log().test("test_a", "infrastructure", run={"outcome": "infrastructure", "class": "RunTimedOut"})
    (found,) = compared(a, b).differing
    assert found.results == (("triage (webhook): A ok -> B RunTimedOut", ()),)


def test_figures_of_workflows_say_what_is_more_than_chance(log: type[Log]) -> None:
    """Each workflow of both has its pass rate with the interval, p50 and p95, each with what its change is."""
    a, b = log(), log()
    for number in range(24):
        a.test(f"test_{number}", run={"seconds": 1 + number / 100})
        b.test(f"test_{number}", "failed" if number % 2 else "passed", run={"seconds": 3 + number / 100})
    (found,) = compared(a, b).workflows
    assert [(one.name, str(one.chance)) for one in found.measures] == [
        ("pass rate", "more than chance"), ("p50", "more than chance"), ("p95", "more than chance"),
    ]  # fmt: skip
    assert found.measures[0].after == "50% (12 of 24), 95% interval 31.4% to 68.6%"
    assert found.measures[2][1:3] == ("1.22 s (24 runs)", "3.22 s (24 runs)")


def test_different_targets_and_workflows_are_remarked(log: type[Log]) -> None:
    """That A and B ran against different hosts, or other workflows, stands above everything else."""
    a, b = log().test("test_a"), log(environment="production").test("test_a", run={"workflow": "refund"})
    assert compared(a, b).remarks == (
        "A and B ran against different targets: staging (https://a.example); production (https://a.example)",
        "workflows in A alone: triage",
        "workflows in B alone: refund",
    )


def shown(changes: Changes) -> dict[str, str]:
    return {"terminal": text_of(changes), "markdown": changes_markdown(changes), "page": changes_page(changes)}


def test_all_three_show_the_same(log: type[Log]) -> None:
    """Terminal, Markdown and page have each list, each difference and each figure."""
    a = log().test("test_a", run={"result": "old"}).test("test_b", "failed").test("test_c").test("test_d")
    b = log().test("test_a", "failed", run={"result": "new"}, text="E   AssertionError: it is new")
    b.test("test_b").test("test_d", "crashed").test("test_e")
    for text in shown(compared(a, b)).values():
        for word in ("test_a", "test_b", "test_c", "test_d", "test_e", "it is new", "within chance", "- old", "+ new"):
            assert word in text
        for kind in ("ewly failing", "o verdict any more", "ixed", "one", "ew"):
            assert kind in text


def test_hostile_names_are_text(log: type[Log]) -> None:
    """An id with HTML, Markdown, or an escape sequence is shown as it is, and does nothing."""
    name = "test_a[<script>alert(1)</script> `|* \x1b[2J]"
    changes = compared(log().test(name), log().test(name, "failed", text="E   <b>no</b>\x1b[2J"))
    found = shown(changes)
    assert "\x1b" not in "".join(found.values())
    assert "<script>" not in found["page"]
    assert "<b>no" not in found["page"]
    assert "`` test_it.py::test_a[<script>alert(1)</script> `|* \\x1b[2J] ``" in found["markdown"]


def test_thousands_of_tests_make_bounded_reports(log: type[Log]) -> None:
    """Of thousands of tests that changed, the first ones are shown and the rest is counted."""
    a, b = log(), log()
    for number in range(1000):
        a.test(f"test_{number}", run={"result": "x" * 300})
        b.test(f"test_{number}", "failed", run={"result": "y" * 300}, text=f"E   {'why ' * 500}")
    found = shown(compared(a, b))
    assert len(found["terminal"].splitlines()) < 200
    assert "and 980 more tests" in found["terminal"]
    assert len(found["markdown"].encode()) < 1024 * 1024
    assert len(found["page"].encode()) < 2_000_000
