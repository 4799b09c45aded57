"""``summary.md``: the verdict first, what did not pass next, the figures last; never too large, and always harmless."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pytest_wisebot.gate_config import Gate, Limits
from pytest_wisebot.report.markdown import MOST_BYTES, markdown_report

WHOLE = """\
# GATE CLOSED

**2 passed, 1 flaky, 1 failed, 1 infrastructure**; 5 live runs against `staging (https://a.example)`

| | rule | wanted | measured |
|---|---|---|---|
| ❌ closed | pass rate | at least 100% | 75% (3 of 4)<br>`test_it.py::test_wrong` |
| ⚠️ no verdict | infrastructure errors | at most 0 | 1<br>`test_it.py::test_out` |
| ✅ ok | flaky tests | any number (no max-flaky) | 1<br>`test_it.py::test_flaky` |
| ✅ ok | `triage`: p95 | at most 5 s | 1 s (5 runs) |

## Beside `before.jsonl`

- Newly failing: 1
  - `test_it.py::test_wrong`
- Failing before, too: 0
- Newly fixed: 1
  - `test_it.py::test_a`

| workflow | pass rate | p95 |
|---|---|---|
| `triage` | 75% (3 of 4), baseline 50% (1 of 2) | 1 s, baseline 1 s (+0%) |

## What did not pass

### failed: `test_it.py::test_wrong`

- `triage` (webhook) ok, runId `run_1`, 1 s, 2 attempts

```text
AssertionError: the result differs at 1 path
  $.category: expected "billing", got "other"
```

### infrastructure: `test_it.py::test_out`

- `triage` (webhook) RunTimedOut

### flaky: `test_it.py::test_flaky`

- trials: passed 1/2, 1 of 3 wanted; 1 not needed
  - failed: trial 1: it failed
  - passed: trial 2
  - not needed: trial 3
- trial 1 failed: `triage` (webhook) failed, 1 s
- trial 2 passed: `triage` (webhook) ok, 1 s

```text
trial 1: it failed
```

## Workflows

| workflow | tests | passed | flaky | failed | drift | infrastructure | crashed | not run | skipped | xfailed \
| pass rate | live runs | p50 | p95 | slowest |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
| `triage` | 5 | 2 | 1 | 1 | - | 1 | - | - | - | - | 75% | 5 | 1 s | 1 s | 1 s |
"""


def test_the_whole_page(log: Any) -> None:
    """Of a session with something of everything, beside a baseline."""
    before = log().test("test_a", "failed").test("test_wrong")
    one = log(gate=Gate(Limits(p95_seconds=5.0)).to_dict()).test("test_a").test("test_b")
    text = 'E   AssertionError: the result differs at 1 path\nE     $.category: expected "billing", got "other"'
    one.test("test_wrong", "failed", text=text, run={"runId": "run_1", "attempts": 2})
    one.test("test_out", "infrastructure", run={"outcome": "infrastructure", "class": "RunTimedOut"})
    trials = {"trials": 3, "min_passes": 1, "passes": 1, "failures": 1, "why": "trial 1: it failed"}
    trials["each"] = [{"outcome": "failed", "why": "it failed"}, {"outcome": "passed"}]
    runs = [one.run(trial=1, outcome="failed"), one.run(trial=2)]
    one.test("test_flaky", "flaky", *runs, trials=trials)
    page = markdown_report(one.concluded(before))
    assert page == WHOLE


def test_a_session_that_nobody_judges_has_a_page_too(log: Any) -> None:
    """Without a word that would be taken for a verdict."""
    page = markdown_report(log(gated=False).test("test_a").concluded())
    assert page.startswith("# Wisebot workflows\n\n**1 passed**; 1 live run against")


def test_it_trims_itself(log: Any) -> None:
    """GitHub drops a page over 1 MiB as a whole: what has no room is counted, and the tables at the end stay."""
    one = log()
    for number in range(3_000):
        one.test(f"test_{number}", "failed", text="E   " + "é" * 5_000)
    page = markdown_report(one.concluded())
    assert MOST_BYTES - 20_000 < len(page.encode()) <= MOST_BYTES
    shown = page.count("### failed: ")
    assert f"**{3_000 - shown:,} more tests did not pass, and this page has no room for it**" in page
    assert page.endswith("| `triage` | 3000 | - | - | 3000 | - | - | - | - | - | - | 0% | 3000 | 1 s | 1 s | 1 s |\n")


def test_lists_without_end_are_cut(log: Any) -> None:
    """Thousands of workflows, and of tests that never reported."""
    one = log(selected=[f"test_it.py::test_{number}" * 20 for number in range(5_000)])
    for number in range(1_000):
        one.test(f"test_{number}", run={"workflow": f"workflow-{number:04}" + "x" * 400})
    page = markdown_report(one.concluded())
    assert len(page.encode()) <= MOST_BYTES
    assert "- and 4,700 more tests" in page
    assert "- and 700 more workflows" in page


HOSTILE = [
    "</code><script>alert(1)</script>",
    "``` \n# heading\n```",
    "`code` | cell | @octocat #1 https://evil.example",
    "\x1b[2J\x1b]0;title\x07",
    "\u202eright to left\u2066",
    "NUL \x00 and \ud800 alone",
    "]]> &amp; <!-- -->",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_workflow_says_is_only_text(log: Any, text: str) -> None:
    """Neither a mention, nor HTML, nor a heading, nor a control sequence, wherever it stands."""
    one = log(environment=text, gate=Gate(workflows={text: Limits(max_flaky=0)}).to_dict())
    one.test("test_a", "failed", text=f"E   {text}", run={"workflow": text, "runId": text})
    one.test(text, "failed", text=text)
    page = markdown_report(one.concluded())
    page.encode()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e\u2066]", page)
    outside = _without_code(page)
    assert not re.search(r"(?<!\\)<(?!!-- -->|br>)", outside)
    assert "@octocat" not in outside
    assert "https://evil" not in outside
    assert not re.search(r"^# heading", outside, re.MULTILINE)


def _without_code(page: str) -> str:
    """What is left of a page where code is taken out, as CommonMark tells it."""
    page = re.sub(r"^(`{3,})text\n.*?\n\1$", "", page, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", page)
