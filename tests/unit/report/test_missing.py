"""What a baseline has and a session has not, and the limits that take a baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_wisebot.event_log import event_line
from pytest_wisebot.gate_config import Gate, Limits
from pytest_wisebot.report.__main__ import main
from pytest_wisebot.report.baseline import Comparison, compare
from pytest_wisebot.report.gate import build
from pytest_wisebot.report.markdown import markdown_report
from pytest_wisebot.report.output import beside

pytestmark = pytest.mark.usefixtures("wide_terminal")

PATHS = {"by": "paths", "paths": ["test_it.py"], "narrowed": []}


def compared(now: Any, then: Any) -> Comparison:
    """The one beside the other."""
    return compare(now.model(), then.model(), "before")


def shut(log: Any, baseline: Any = None) -> dict[str, str]:
    """The rows that keep the gate shut."""
    verdict = log.concluded(baseline).verdict
    assert verdict.code == (11 if verdict.reasons else 0)
    return {row.title: row.measured for row in verdict.reasons}


def suite(log: Any, *names: str, **facts: Any) -> Any:
    """A session of tests that passed, each with a run."""
    one = log(**facts)
    for name in names:
        one.test(name)
    return one


def test_tests_that_are_gone_shut_the_gate(log: Any) -> None:
    """By name, with the new name beside one that was renamed, in every report."""
    before = suite(log, "test_old", "test_gone", "test_stays")
    now = suite(log, "test_older", "test_stays")
    assert shut(now, before) == {
        "tests missing": "2: test_it.py::test_old -> test_it.py::test_older?, test_it.py::test_gone"
    }
    last = now.concluded(before)
    assert "  missing: 2 (test_it.py::test_old -> test_it.py::test_older?, test_it.py::test_gone)" in list(
        beside(last.comparison)
    )
    assert "- Missing: 2\n  - `test_it.py::test_old -> test_it.py::test_older?`" in markdown_report(last)


def test_a_test_that_moved_to_another_file_is_paired(log: Any) -> None:
    """By its name, which stayed."""
    now = log().plain("test_a")
    now.events[0]["test"] = "moved/test_new.py::test_b"
    found = compared(now, log().plain("test_b").plain("test_c"))
    assert found.renamed == (("test_it.py::test_b", "moved/test_new.py::test_b"),)
    assert found.missing == ("test_it.py::test_b", "test_it.py::test_c")


def test_what_was_collected_is_there(log: Any) -> None:
    """Skipped, xfailed, left out, without a report, or without a run: none of these is missing."""
    before = suite(log, *(f"test_{name}" for name in "abcdef"))
    ids = [f"test_it.py::test_{name}" for name in "abcdef"]
    now = log(selected=ids[:5], deselected=ids[5:]).test("test_a").plain("test_b", "skipped").plain("test_c", "xfailed")
    found = compared(now.plain("test_d"), before)
    assert (found.missing, found.missing_workflows) == ((), ())


@pytest.mark.parametrize(("allowed", "code"), [(None, 11), (0, 11), (1, 11), (2, 0), (3, 0)])
def test_so_many_tests_may_be_missing(log: Any, allowed: int | None, code: int) -> None:
    """None, where nothing else is stated; and what is allowed has its row all the same."""
    gate = Gate(max_missing_tests=allowed).to_dict()
    verdict = suite(log, "test_a", gate=gate).concluded(suite(log, "test_a", "test_b", "test_c")).verdict
    assert verdict.code == code
    (row,) = (row for row in verdict.rows if row.rule == "tests missing")
    assert row.measured == "2: test_it.py::test_b, test_it.py::test_c"
    assert row.wanted == f"at most {allowed or 0} of the baseline's"


def test_a_workflow_that_is_gone_has_a_row_of_its_own(log: Any) -> None:
    """Be it with its tests, or because these run another one; where its test was skipped it is there."""
    before = suite(log, "test_a").test("test_b", run={"workflow": "refund"})
    assert shut(suite(log, "test_a"), before) == {
        "tests missing": "1: test_it.py::test_b",
        "workflows missing": "1: refund",
    }
    assert shut(suite(log, "test_a", "test_b"), before) == {"workflows missing": "1: refund"}
    assert shut(suite(log, "test_a").plain("test_b", "skipped"), before) == {}
    allowed = Gate(max_missing_tests=1).to_dict()
    assert shut(suite(log, "test_a", gate=allowed), before) == {}
    assert shut(suite(log, "test_a", "test_b", gate=allowed), before) == {}


def test_compared_are_the_tests_that_the_gate_is_about(log: Any) -> None:
    """Others have a row; but what ``[gate]`` was about, and was taken out of it since, is missing."""
    before = log().test("test_a").test("test_b", run={"workflow": "refund"})
    before.events[-1]["test"] = before.events[-2]["test"] = "unit/test_u.py::test_b"
    now = suite(log, "test_a", extent=PATHS, gate=Gate(paths=("test_it.py",)).to_dict())
    assert shut(now, before) == {}
    (row,) = (row for row in now.concluded(before).verdict.rows if row.rule == "tests not compared")
    assert row.measured == "1 other: unit/test_u.py::test_b"
    was_about = log(extent={**PATHS, "paths": ["."]})
    was_about.events = before.events
    assert set(shut(now, was_about)) == {"tests missing", "workflows missing"}


def test_select_leaves_out_for_good(log: Any) -> None:
    """A test that it leaves out today is missing only where another ``select`` was about it."""
    slow = ["test_it.py::test_slow"]
    gate = Gate(select="-m smoke").to_dict()
    now = suite(log, "test_a", deselected=slow, deselected_by_gate=slow, gate=gate)
    assert shut(now, suite(log, "test_a", "test_slow")) == {}
    earlier = suite(log, "test_a", "test_slow", gate=Gate(select="-m 'smoke or slow'").to_dict())
    assert set(shut(now, earlier)) == {"tests missing"}
    assert shut(now, suite(log, "test_a", deselected=slow, deselected_by_gate=slow, gate=gate)) == {}


def test_nothing_is_judged_without_a_gate(log: Any) -> None:
    """A shard lacks what the others have."""
    verdict = suite(log, "test_a", gated=False).concluded(suite(log, "test_a", "test_b")).verdict
    assert (str(verdict.word), [row.rule for row in verdict.rows]) == (
        "NOT GATED",
        ["pass rate", "infrastructure errors"],
    )


# --- limits that take a baseline

RELATIVE = Gate(Limits(max_pass_rate_drop=0.05), {"triage": Limits(max_p95_growth=0.5)}).to_dict()


def test_a_relative_limit_without_a_baseline_shuts_the_gate(log: Any) -> None:
    """Each that is named, with a row that names what to give; with ``none`` it is not judged."""
    one = suite(log, "test_a", gate=RELATIVE)
    assert shut(one) == {"max-pass-rate-drop": "no baseline", "triage: max-p95-growth": "no baseline"}
    wanted = {row.wanted for row in one.concluded().verdict.reasons}
    assert wanted == {"--wisebot-baseline=FILE, or =none where there is no earlier session yet"}
    last = build(one.all(), "none")
    assert last.verdict.code == 0
    assert {row.title: (str(row.state), row.measured) for row in last.verdict.rows if row.rule.startswith("max-")} == {
        "max-pass-rate-drop": ("not judged", "none yet (--wisebot-baseline=none)"),
        "triage: max-p95-growth": ("not judged", "none yet (--wisebot-baseline=none)"),
    }


def test_missing_tests_are_counted_beside_a_baseline_alone(log: Any) -> None:
    """Without one the row gives that reason, and shuts nothing."""
    verdict = suite(log, "test_a", gate=Gate(max_missing_tests=3).to_dict()).concluded().verdict
    (row,) = (row for row in verdict.rows if row.rule == "max-missing-tests")
    assert (str(row.state), row.measured, verdict.code) == ("not judged", "no baseline", 0)


def test_a_workflow_that_only_one_of_both_ran_is_not_judged(log: Any) -> None:
    """A new one has nothing to be compared with, and its row gives that reason."""
    gate = Gate(Limits(max_p95_growth=0.5)).to_dict()
    now = suite(log, "test_a", gate=gate).test("test_new", run={"workflow": "refund"})
    rows = {row.title: row for row in now.concluded(suite(log, "test_a")).verdict.rows}
    assert str(rows["refund: max-p95-growth"].state) == "not judged"
    assert rows["refund: max-p95-growth"].measured == "no run of it in the baseline"


# --- reports that are made later


def write(folder: Path, events: Any) -> Path:
    """A folder of reports, as far as its log."""
    folder.mkdir()
    (folder / "runs.jsonl").write_bytes(b"".join(map(event_line, events)))
    return folder


def test_the_log_keeps_what_the_verdict_used_of_the_baseline(log: Any) -> None:
    """So that reports that are made of it later agree, without the baseline's file."""
    now, before = suite(log, "test_a", gate=RELATIVE), suite(log, "test_a", "test_b")
    for baseline in (build(before.all()).model, None):
        first = now.concluded(before) if baseline else build(now.all(), "none")
        again = build(now.all(baseline=first.compared))
        assert (again.verdict, again.comparison) == (first.verdict, first.comparison)


def test_a_merge_keeps_it_too(log: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the number of missing tests that it was given; what the shards were given counts for nothing."""
    before = write(tmp_path / "before", suite(log, "test_a", "test_b", "test_c").all())
    one = write(tmp_path / "1", suite(log, "test_a", gated=False).all(baseline="none"))
    two = write(tmp_path / "2", suite(log, "test_b", gated=False).all(baseline="none"))
    out = str(tmp_path / "out")
    args = ["merge", str(one), str(two), "-o", out, f"--baseline={before}"]
    assert main(args) == 11
    assert main([*args, "--max-missing-tests=1"]) == 0
    capsys.readouterr()
    main([out])
    told = capsys.readouterr().out
    assert "GATE OPEN" in told
    assert (
        " ".join(told.split()).count("tests missing wanted at most 1 of the baseline's measured 1: test_it.py::test_c")
        == 1
    )


def test_there_may_be_no_baseline_yet(log: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For ``merge`` and for one session; a file of that name is written with its folder."""
    monkeypatch.chdir(tmp_path)
    shard = write(tmp_path / "1", suite(log, "test_a", gate=RELATIVE).all())
    assert main(["merge", str(shard), "-o", "out"]) == 11
    assert main(["merge", str(shard), "-o", "out", "--baseline", "none"]) == 0
    assert main(["merge", str(shard), "-o", "out", "--baseline", "./none"]) == 2
    with pytest.raises(SystemExit):
        main(["merge", str(shard), "-o", "out", "--max-missing-tests=-1"])
