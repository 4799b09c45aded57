"""Tables that people without Python keep: one test of each row, over CSV, YAML and JSON lines."""

from typing import Any

import pytest
from dirty_equals import IsStr

from pytest_wisebot import WorkflowRun, assert_result


# tickets.csv comes from a spreadsheet. The columns inputs.NAME are the input bag, expected.NAME what the test takes.
@pytest.mark.wisebot("triage", cases="tickets.csv")
def test_ticket(workflow_run: WorkflowRun, expected: dict[str, Any]) -> None:
    assert_result(workflow_run, expected)


@pytest.mark.wisebot("summarise", cases="texts.yaml")
def test_text(workflow_run: WorkflowRun, expected: dict[str, Any]) -> None:
    assert_result(workflow_run, {**expected, "summary": IsStr(min_length=20)})


# `pytest --wisebot-tag=money` runs the rows with this tag.
@pytest.mark.wisebot("refund", cases="refunds.jsonl")
def test_refund(workflow_run: WorkflowRun, expected: dict[str, Any]) -> None:
    assert_result(workflow_run, expected)
