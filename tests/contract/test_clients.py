"""The clients that Wisebot's page names, against the emulator: both APIs, ok and failed runs, refusals, odd ids."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import requests

Start = Callable[..., tuple[int, Any]]
Calls = Callable[[], list[dict[str, Any]]]


def test_a_run_that_is_ok(start: Start, calls: Calls) -> None:
    """Every client gets the envelope of a successful run, and its inputs arrive as they were sent."""
    bag = {"ticketId": "T-1", "message": 'naïve ☃ "quoted"', "deep": {"list": [1, 2.5, None, True]}}
    status, envelope = start("triage", bag)
    assert (status, envelope["ok"], envelope["result"]) == (200, True, {"workflow": "triage", "inputs": bag})
    (call,) = calls()
    assert (call["inputs"], call["run_id"], call["status"]) == (bag, envelope["runId"], 200)


def test_a_run_without_a_body(start: Start, calls: Calls) -> None:
    """Every client may leave the body out."""
    assert start("triage", None)[1]["result"] == {"workflow": "triage", "inputs": {}}
    assert [call["body"] for call in calls()] == [""]


def test_a_run_that_fails(start: Start) -> None:
    """A failed run is a 200 with ``ok`` false, a runId and the error."""
    status, envelope = start("triage", {"message": "fail"})
    assert (status, envelope["ok"], envelope["error"]) == (200, False, {"code": "unknown ticket"})
    assert envelope["runId"].startswith("run_")


def test_a_wrong_credential(start: Start, calls: Calls) -> None:
    """A wrong credential is a 401 for every client; the workflow does not run."""
    status, envelope = start("triage", {}, "FAKE_credential")
    assert (status, envelope["ok"], "runId" in envelope) == (401, False, False)
    assert [(call["status"], call["ran"], call["inputs"]) for call in calls()] == [(401, False, None)]


def test_crossed_credentials(start: Start, variables: dict[str, str]) -> None:
    """The other API's credential is as wrong as any: one of the two is always the wrong one."""
    credentials = [variables["WISEBOT_WORKFLOW_SECRET"], variables["WISEBOT_ACCESS_TOKEN"]]
    assert sorted(start("triage", {}, credential)[0] for credential in credentials) == [200, 401]


def test_an_unknown_workflow(start: Start) -> None:
    """An id that is not there is a 404 that tells the ids that are."""
    status, envelope = start("unknown", {})
    assert status == 404
    assert "'triage'" in envelope["error"]


@pytest.mark.parametrize("workflow", ["a/b", "../x", "%2e", "?x=1", "#x", "a b", "a+b", "a&b=c", "naïve ☃", "it's"])
def test_odd_ids(start: Start, calls: Calls, workflow: str) -> None:
    """Whatever characters an id has, quoted by any client it names its workflow."""
    assert start(workflow, {"a": 1})[1]["result"] == {"workflow": workflow, "inputs": {"a": 1}}
    assert [call["workflow"] for call in calls()] == [workflow]


def test_the_secret_in_its_own_header(
    post: Callable[[str, dict[str, str], str | None], tuple[int, Any]], variables: dict[str, str]
) -> None:
    """``X-Workflow-Secret`` opens the webhook API as ``Authorization`` does, for every client."""
    url = f"{variables['WISEBOT_WORKFLOW_TRIGGER_ORIGIN']}/workflows/trigger?workflowId=triage"
    assert post(url, {"X-Workflow-Secret": variables["WISEBOT_WORKFLOW_SECRET"]}, "{}")[0] == 200
    assert post(url, {"X-Workflow-Secret": "FAKE_credential"}, "{}")[0] == 401


def test_a_session_of_requests_keeps_its_connection(variables: dict[str, str]) -> None:
    """Clients that keep connections alive may send many runs over one of them."""
    url = f"{variables['WISEBOTAI_BASE_URL']}/api/v1/flow/triage"
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {variables['WISEBOT_ACCESS_TOKEN']}"
        answers = [session.post(url, json={"inputs": {"n": n}}, timeout=10).json() for n in range(20)]
        status = session.get(f"{variables['WISEBOTAI_BASE_URL']}/api/v1/status", timeout=10)
    assert [answer["result"]["inputs"]["n"] for answer in answers] == list(range(20))
    assert (status.status_code, status.json()) == (200, {"ok": True})


def test_what_is_printed_runs_as_printed(printed: str, calls: Calls) -> None:
    """The lines that the emulator prints for a shell, pasted into one, start a run over each API."""
    if shutil.which("curl") is None or shutil.which("sh") is None:
        pytest.skip("there is no curl, or no sh, on this machine")
    exports = re.findall("^export .+$", printed, re.MULTILINE)
    curls = re.findall(r"^curl (?:.*\\\n)*.*$", printed, re.MULTILINE)
    script = "\n".join([*exports, *(f"{command}\necho" for command in curls)])
    ended = subprocess.run(["sh", "-e", "-c", script], capture_output=True, encoding="utf-8", check=True, timeout=30)
    example = {"ticketId": "...", "message": "..."}
    assert [json.loads(line)["result"]["inputs"] for line in ended.stdout.splitlines()] == [example, example]
    assert [(call["api"], call["inputs"]) for call in calls()] == [("webhook", example), ("dashboard", example)]
