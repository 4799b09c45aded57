"""What a quarantine forgives, by number and until a day, and what it never forgives."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_wisebot.event_log import event_line, moment
from pytest_wisebot.gate_config import Gate, Limits
from pytest_wisebot.report.__main__ import main
from pytest_wisebot.report.document import json_report
from pytest_wisebot.report.html import html_report
from pytest_wisebot.report.markdown import markdown_report
from tests.unit.report.conftest import NOON

pytestmark = pytest.mark.usefixtures("wide_terminal")

TODAY = "2025-11-28"
YESTERDAY = "2025-11-27"
FAR = "2026-06-30"


def quarantined(until: str = FAR, owner: str = "ann", reason: str = "why") -> dict[str, Any]:
    """The keys of a test's event."""
    return {"quarantine": {"owner": owner, "reason": reason}, "quarantined_until": until}


def gate(most: int | None = 1, **limits: Any) -> dict[str, Any]:
    """The gate in a session's first line."""
    return Gate(Limits(**limits), max_quarantined=most).to_dict()


def rows(conclusion: Any) -> dict[str, tuple[str, str]]:
    """State and measured value by rule."""
    return {row.title: (str(row.state), row.measured) for row in conclusion.verdict.rows}


@pytest.mark.parametrize("outcome", ["failed", "drift"])
def test_a_failure_in_quarantine_does_not_close_the_gate(log: Any, outcome: str) -> None:
    """The pass rate leaves it out, and the rule by number names it."""
    last = log(gate=gate()).test("test_a", outcome, failures=1, **quarantined(TODAY)).test("test_b").concluded()
    assert last.verdict.code == 0
    assert rows(last)["pass rate"] == ("ok", "100% (1 of 1)")
    assert rows(last)["quarantined failures"] == ("ok", "1: test_it.py::test_a")


def test_the_day_after_the_last_one_it_closes_the_gate(log: Any) -> None:
    """As if there were no quarantine, and a row tells that it has ended."""
    last = log(gate=gate()).test("test_a", "failed", **quarantined(YESTERDAY)).test("test_b").concluded()
    assert last.verdict.code == 1
    assert rows(last)["pass rate"] == ("closed", "50% (1 of 2): test_it.py::test_a")
    assert rows(last)["quarantine ended"] == ("not judged", "1: test_it.py::test_a")
    assert rows(last)["quarantined failures"] == ("ok", "0")


@pytest.mark.parametrize("most", [None, 0, 1])
def test_more_failures_than_the_number_close_the_gate(log: Any, most: int | None) -> None:
    """By the one rule that names the tests; without a number none is forgiven."""
    one = log(gate=gate(most)).test("test_c")
    for name in ("test_a", "test_b"):
        one.test(name, "failed", **quarantined())
    last = one.concluded()
    assert last.verdict.code == 1
    assert [row.title for row in last.verdict.reasons] == ["quarantined failures"]
    assert rows(last)["quarantined failures"] == ("closed", "2: test_it.py::test_a, test_it.py::test_b")


@pytest.mark.parametrize("outcome", ["passed", "failed"])
def test_a_session_whose_tests_are_all_in_quarantine_has_no_verdict(log: Any, outcome: str) -> None:
    """Nothing is left that the gate could open for."""
    last = log(gate=gate()).test("test_a", outcome, **quarantined()).concluded()
    assert last.verdict.code == 11
    assert rows(last)["tests outside of quarantine"] == ("no verdict", "none")


def test_an_outage_beside_quarantined_tests_is_no_verdict_either(log: Any) -> None:
    """A test that Wisebot did not answer says nothing of the workflow, also where the gate forgives it."""
    one = log(gate=gate(max_infrastructure_errors=1)).test("test_a", "failed", **quarantined())
    assert one.test("test_b", "infrastructure").concluded().verdict.code == 11


@pytest.mark.parametrize("limit", [{"min_pass_rate": 1.0}, {"max_flaky": 0}, {"max_infrastructure_errors": 0}])
def test_a_limit_of_a_workflow_whose_tests_are_all_in_quarantine_has_no_verdict(log: Any, limit: Any) -> None:
    """It cannot be measured, whatever the tests of other workflows show; a limit of outages is."""
    own = Gate(workflows={"triage": Limits(**limit)}, max_quarantined=1).to_dict()
    one = log(gate=own).test("test_a", "failed", **quarantined()).test("test_b", run={"workflow": "refund"})
    last, title = one.concluded(), "triage: tests outside of quarantine"
    by_verdicts = "max_infrastructure_errors" not in limit
    assert last.verdict.code == (11 if by_verdicts else 0)
    assert rows(last).get(title) == (("no verdict", "none") if by_verdicts else None)
    assert title not in rows(one.test("test_c").concluded())


def test_a_quarantined_test_that_passes_uses_up_no_number(log: Any) -> None:
    """It opens and shuts nothing, and a row tells that its quarantine may be lifted."""
    last = log(gate=gate(0)).test("test_a", **quarantined()).test("test_b").concluded()
    assert last.verdict.code == 0
    assert rows(last)["quarantined failures"] == ("ok", "0")
    assert rows(last)["quarantined and passed"] == ("not judged", "1: test_it.py::test_a")
    assert rows(last)["pass rate"] == ("ok", "100% (1 of 1)")


def test_a_pass_in_quarantine_does_not_raise_the_pass_rate(log: Any) -> None:
    """The others alone must reach it."""
    one = log(gate=gate(min_pass_rate=0.6)).test("test_a", "failed").test("test_b")
    for number in range(8):
        one.test(f"test_{number}", **quarantined())
    assert rows(one.concluded())["pass rate"] == ("closed", "50% (1 of 2): test_it.py::test_a")


@pytest.mark.parametrize(
    ("outcome", "more", "code"),
    [
        ("infrastructure", {"run": {"outcome": "infrastructure"}}, 10),
        ("not run", {"class": "BudgetExhausted"}, 11),
        ("crashed", {}, 11),
        ("error", {}, 1),
        ("failed", {"also": ["error"]}, 1),
        ("failed", {"broke": True}, 1),
        ("failed", {"also": ["infrastructure"]}, 10),
        ("failed", {"also": ["not run"]}, 11),
        ("failed", {"also": ["crashed"]}, 11),
        ("flaky", {"run": {"outcome": "infrastructure"}}, 10),
    ],
)
def test_what_is_no_verdict_on_the_workflow_is_never_forgiven(
    log: Any, outcome: str, more: dict[str, Any], code: int
) -> None:
    """An outage, a test that was not run, a crash, or an error of the test itself; a row tells so."""
    last = log(gate=gate(9)).test("test_a", outcome, **more, **quarantined()).test("test_b").concluded()
    assert last.verdict.code == code
    assert "test_it.py::test_a" in rows(last)["not forgiven by quarantine"][1]


def test_a_failure_without_a_run_is_not_forgiven(log: Any) -> None:
    """No workflow was asked: the test itself is wrong."""
    last = log(gate=gate(9)).plain("test_a", "failed", failures=1, **quarantined()).test("test_b").concluded()
    assert last.verdict.code == 1
    assert rows(last)["not forgiven by quarantine"] == ("not judged", "1 (1 without a run): test_it.py::test_a")


def test_a_flaky_test_needs_forgiveness_only_beside_a_limit(log: Any) -> None:
    """Without `max-flaky` nothing would close the gate over it, and it uses up no number."""
    one = log(gate=gate(0)).test("test_a", "flaky", **quarantined()).test("test_b")
    assert rows(one.concluded())["quarantined failures"] == ("ok", "0")
    limited = log(gate=gate(1, max_flaky=0)).test("test_a", "flaky", **quarantined()).test("test_b").concluded()
    assert limited.verdict.code == 0
    assert rows(limited)["flaky tests"] == ("ok", "0")
    assert rows(limited)["quarantined failures"] == ("ok", "1: test_it.py::test_a")


def test_limits_of_single_workflows_leave_it_out_too(log: Any) -> None:
    """Pass rate and flaky tests of the workflow, and its drop below the baseline."""
    own = {"triage": Limits(min_pass_rate=1.0, max_flaky=0, max_pass_rate_drop=0.0)}
    one = log(gate=Gate(workflows=own, max_quarantined=2).to_dict()).test("test_c")
    one.test("test_a", "failed", **quarantined()).test("test_b", "flaky", **quarantined())
    last = one.concluded(log().test("test_a").test("test_b").test("test_c"))
    assert last.verdict.code == 0, last.verdict.reasons
    assert rows(last)["triage: pass rate"][0] == "ok"
    assert rows(last)["quarantined failures"] == ("ok", "2: test_it.py::test_a, test_it.py::test_b")


def test_the_end_is_announced_from_a_week_before(log: Any) -> None:
    """A row for each day on which a quarantine ends."""
    days = {"test_a": TODAY, "test_b": "2025-11-29", "test_c": "2025-12-05", "test_d": "2025-12-06"}
    one = log(gate=gate(9)).test("test_e")
    for name, until in days.items():
        one.test(name, "failed", **quarantined(until))
    found = {title: measured for title, (_, measured) in rows(one.concluded()).items() if title[:11] == "quarantine "}
    assert found == {
        "quarantine ends today": "1 on 2025-11-28: test_it.py::test_a",
        "quarantine ends tomorrow": "1 on 2025-11-29: test_it.py::test_b",
        "quarantine ends in 7 days": "1 on 2025-12-05: test_it.py::test_c",
    }


def test_a_day_that_cannot_be_read_forgives_nothing(log: Any) -> None:
    """As a log that another program has edited."""
    last = log(gate=gate(9)).test("test_a", "failed", **quarantined("soon")).test("test_b").concluded()
    assert last.verdict.code == 1


def test_two_tests_of_one_id_share_the_weaker_quarantine(log: Any) -> None:
    """A failure of the one that is not in quarantine is not forgiven."""
    one = log(gate=gate()).test("test_b").test("test_a", "failed", item=1, **quarantined())
    assert one.test("test_a", "failed", item=2).concluded().verdict.code == 1


def shard(log: Any, folder: Any, name: str, until: str, **facts: Any) -> Any:
    """The folder of a shard with one test in quarantine that failed, and one that passed."""
    one = log(gate=gate(), **facts).test(f"test_{name}").test(f"test_{name}_broken", "failed", **quarantined(until))
    path = folder / name
    path.mkdir()
    (path / "runs.jsonl").write_bytes(b"".join(map(event_line, one.all())))
    return path


def test_the_number_holds_for_all_shards_together(log: Any, tmp_path: Any, capsys: Any) -> None:
    """Each shard has one failure, which is as many as may be; together they are too many."""
    first, second = (shard(log, tmp_path, name, FAR) for name in ("a", "b"))
    assert main(["merge", str(first), "-o", str(tmp_path / "one")]) == 0
    capsys.readouterr()
    assert main(["merge", str(first), str(second), "-o", str(tmp_path / "out")]) == 1
    (row,) = (line for line in capsys.readouterr().out.splitlines() if "quarantined failures" in line)
    assert row.strip().startswith("closed")
    assert row.endswith("measured 2: test_it.py::test_a_broken, test_it.py::test_b_broken")


def test_merge_has_the_number_as_an_option(log: Any, tmp_path: Any, capsys: Any) -> None:
    """It takes the place of the one of the shards, also where reports are made anew; the wrong kind is refused."""
    shards = [str(shard(log, tmp_path, name, FAR)) for name in ("a", "b")]
    merge = ["merge", *shards, "-o", str(tmp_path / "out")]
    assert main([*merge, "--max-quarantined=2"]) == main([str(tmp_path / "out")]) == 0
    assert "wanted at most 2 (max-quarantined)" in " ".join(capsys.readouterr().out.split())
    assert main([*merge, "--max-quarantined=0"]) == 1
    with pytest.raises(SystemExit):
        main([*merge, "--max-quarantined=some"])
    assert "--max-quarantined: expected a whole number of at least 0, got 'some'" in capsys.readouterr().err


def test_each_shard_is_judged_by_the_day_on_which_it_began(log: Any, tmp_path: Any, capsys: Any) -> None:
    """One began on the last day, the other a second after it."""
    midnight = NOON + 43_200
    first = shard(log, tmp_path, "a", TODAY, started=moment(midnight - 1))
    second = shard(log, tmp_path, "b", TODAY, started=moment(midnight))
    assert main(["merge", str(first), str(second), "-o", str(tmp_path / "out")]) == 1
    shown = capsys.readouterr().out
    assert "measured 1: test_it.py::test_a_broken" in shown
    assert "test_it.py::test_b_broken" in next(line for line in shown.splitlines() if "pass rate" in line)


def test_every_report_names_owner_end_and_reason(log: Any) -> None:
    """Escaped as its format demands."""
    long = "<b>|x|</b> " + "very " * 400
    one = log(gate=gate()).test("test_a", "failed", **quarantined(TODAY, "ann|b", long)).test("test_b")
    last = one.concluded()
    page = html_report(last.model, last.verdict)
    assert "in quarantine, ann|b until 2025-11-28: &lt;b&gt;|x|&lt;/b&gt; very" in page
    assert "<b>|x|</b>" not in page
    text = markdown_report(last)
    assert "### failed (quarantined): `test_it.py::test_a`" in text
    (row,) = (line for line in text.splitlines() if line.startswith("| `test_it.py::test_a` |"))
    assert row.startswith(
        "| `test_it.py::test_a` | failed | ann\\|b | 2025-11-28 (ends today) | \\<b\\>\\|x\\|\\</b\\> very "
    )
    assert len(row) < 500
    assert '"owner": "ann|b"' in json_report(last)
