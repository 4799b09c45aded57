"""To find a test on the page: anchors that stay, the worst first, equal failures as one, and thousands of rows."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_wisebot.report import rows
from pytest_wisebot.report.gate import judge
from pytest_wisebot.report.html import html_report
from pytest_wisebot.report.log_reader import model_of
from pytest_wisebot.report.markdown import markdown_report
from pytest_wisebot.report.model import Model
from pytest_wisebot.report.output import append_summary, write_reports
from pytest_wisebot.report.page_budget import PAGE_BYTES, share_bytes

MADE_UP = Path(__file__).parents[2] / "benchmarks" / "made_up.py"

Log = Any
"""The log of `conftest.Log`."""


@pytest.fixture(scope="module")
def made_up() -> Callable[..., Iterator[dict[str, Any]]]:
    """Makes the events of a session of any size."""
    events: Callable[..., Iterator[dict[str, Any]]] = runpy.run_path(str(MADE_UP))["events"]
    return events


def page_of(model: Model) -> str:
    return html_report(model, judge(model))


def order(page: str) -> list[str]:
    """The tests of the page as they stand there."""
    return re.findall(r"<wbr><b>(test_\w+)</b>", page)


def test_equal_failures_are_one(log: type[Log]) -> None:
    """Eleven tests that failed for the same reason are one row, whatever their runs, ports, traces and durations."""
    one = log().test("test_alone", "failed", text="E   AssertionError: expected 3, came 4")
    for number in range(11):
        run = one.run(test=f"test_it.py::test_{number}", runId=f"jd7{number}")
        why = f"E   AssertionError: run jd7{number} at 127.0.0.1:4{number:04}, {number}.5 s, trace {number:032x}"
        one.test(f"test_{number}", "failed", run, text=f"{why}\nE     expected 3, came 4")
    one.test("test_other", "failed", text="E   AssertionError: expected 3, came 5")
    page = page_of(one.model())
    assert page.count("11 tests: the same reason") == page.count("the same reason") == 1
    assert order(page)[:3] == ["test_0", "test_1", "test_2"]
    assert order(page)[-2:] == ["test_alone", "test_other"]


def test_failures_without_a_reason_are_not_equal(log: type[Log]) -> None:
    """Tests that state no reason are not shown as one."""
    one = log()
    for number in range(5):
        one.test(f"test_{number}", "crashed")
    assert "the same reason" not in page_of(one.model())


def test_the_worst_stand_first(log: type[Log]) -> None:
    """Failures stand before what has no verdict, and that before flaky and passed tests; newly failing ones first."""
    outcomes = {"a": "passed", "b": "flaky", "c": "not run", "d": "infrastructure", "e": "drift", "f": "failed"}
    before = log().test("test_g").test("test_f", "failed")
    one = log()
    for name, outcome in outcomes.items():
        one.test(f"test_{name}", outcome)
    one.test("test_g", "failed", text="E   no")
    conclusion = one.concluded(before)
    page = html_report(conclusion.model, conclusion.verdict, conclusion.comparison)
    tests = order(page[page.index('<section id="tests"') :])
    assert tests == ["test_g", "test_f", "test_e", "test_d", "test_c", "test_b", "test_a"]


def test_the_summary_links_to_each_failed_test(log: type[Log], tmp_path: Path) -> None:
    """Where a page is written beside it, the summary links to the place of each failed test; else it has no link."""
    one = log().test("test_a", "failed", text="E   no").plain("test_b", "failed", text="E   no").test("test_c")
    conclusion = one.concluded()
    write_reports(tmp_path, conclusion)
    links = re.findall(r"\]\(report\.html#([\w-]+)\)", (tmp_path / "summary.md").read_text("utf-8"))
    page = (tmp_path / "report.html").read_text("utf-8")
    assert len(set(links)) == 2
    assert all(page.count(f'id="{link}"') == 1 for link in links)
    append_summary(tmp_path / "github.md", conclusion)
    assert "report.html" not in (tmp_path / "github.md").read_text("utf-8") + markdown_report(conclusion)


def test_a_link_stays_right(log: type[Log]) -> None:
    """The place of a test has the same name in each session, whatever else is on the page."""
    one, other = log().test("test_a", "failed"), log().test("test_b", "failed").test("test_a", "flaky")
    found = [re.findall(r'id="(test-\w+)"', page_of(each.model())) for each in (one, other)]
    assert found[0][0] in found[1]
    assert len(set(found[1])) == 2


def test_each_test_can_be_filtered(log: type[Log]) -> None:
    """Each outcome and each workflow has a button; one workflow of one outcome needs none."""
    one = log().test("test_a", "failed", run={"workflow": "a b"}).test("test_b", run={"workflow": "refund"})
    page = page_of(one.model())
    assert re.findall(r'type="radio" name="(\w+)" id="([\w-]+)"', page) == [
        ("outcome", "show-all"), ("outcome", "show-not-passed"), ("outcome", "show-passed"), ("outcome", "show-failed"),
        ("workflow", "of-all"), ("workflow", "of-w0"), ("workflow", "of-w1"),
    ]  # fmt: skip
    assert "radio" not in page_of(log().test("test_a").model()).partition("<body>")[2]


@pytest.fixture(params=[10, pytest.param(1, marks=pytest.mark.heavy)])
def part(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """All bounds of a page as they are, or a tenth of each, for a tenth of the tests."""
    part: int = request.param
    monkeypatch.setattr("pytest_wisebot.report.html.share_bytes", partial(share_bytes, total=PAGE_BYTES // part))
    for name in ("MOST_RUNS_WHOLE", "MOST_FAILING_WHOLE", "MOST_ROWS"):
        monkeypatch.setattr(rows, name, getattr(rows, name) // part)
    return part


def size(page: str) -> int:
    """The bytes of a page without those that each page has."""
    return len(page.encode()) - len(page_of(model_of([])).encode())


def test_five_thousand_runs_are_legible(made_up: Callable[..., Iterator[dict[str, Any]]], part: int) -> None:
    """Below 6 MB each test has its place; those that failed are whole, the others are rows, and no link is dead."""
    model = model_of(made_up(5000 // part, broken=1.6))
    page = page_of(model)
    assert size(page) < 5_900_000 / part
    names = re.findall(r'id="([^"]+)"', page)
    assert len(names) == len(set(names))
    used = [test for test in model.tests if test.uses_runs]
    assert sum(name.startswith("test-") and len(name) == 17 for name in names) >= len(used)
    assert {link[1:] for link in re.findall(r'href="(#[^"]+)"', page)} <= {*names}
    whole = page.count('<details class="test ')
    assert whole == sum(test.outcome not in ("passed", "skipped", "xfailed") for test in used)


def test_thousands_of_failures_and_of_tests_are_bounded(log: type[Log], part: int) -> None:
    """Where thousands fail, each for another reason, or there are more tests than a page shows, the rest is counted."""
    one = log()
    for number in range(8000 // part):
        one.test(f"test_{number}", "failed", text=f"E   AssertionError: {number} {'is wrong ' * 100}")
    page = page_of(one.model())
    assert size(page) < 9_900_000 / part
    assert f"and {2000 // part:,} more tests, in" in page
    assert page.count('<details class="test ') == 1000 // part
