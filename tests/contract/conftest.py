"""An emulator started by hand, and clients that this package did not write."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import Any
from urllib.parse import quote

import pytest
import requests

Post = Callable[[str, dict[str, str], str | None], tuple[int, Any]]

FLOWS = """
from pytest_wisebot.emulator import Emulator, WorkflowFailure

emulator = Emulator(token="wb_live_CANARY_token")

@emulator.workflow("triage", secret="whsec_CANARY_secret", inputs=("ticketId", "message"))
def triage(inputs):
    if inputs.get("message") == "fail":
        raise WorkflowFailure({"code": "unknown ticket"})
    return {"workflow": "triage", "inputs": inputs}

@emulator.workflow("calls")
def calls():
    return [call.to_dict() for call in emulator.calls() if call.workflow != "calls"]

def odd(workflow):
    emulator.workflow(workflow, secret="whsec_CANARY_secret")(lambda inputs: {"workflow": workflow, "inputs": inputs})

for workflow in ("a/b", "../x", "%2e", "?x=1", "#x", "a b", "a+b", "a&b=c", "naïve ☃", "it's"):
    odd(workflow)
"""

FETCH = """
import { createInterface } from "node:readline";
for await (const line of createInterface({ input: process.stdin })) {
    const { url, headers, body } = JSON.parse(line);
    const response = await fetch(url, { method: "POST", headers, body, signal: AbortSignal.timeout(30000) });
    console.log(JSON.stringify([response.status, await response.json()]));
}
"""
"""Answers a request a line: to start Node takes longer than all else here."""


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clients here call loopback addresses, which no proxy reaches."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Starts an emulator by hand; gives what it printed."""
    folder = tmp_path_factory.mktemp("flows")
    (folder / "flows.py").write_text(FLOWS, encoding="utf-8")
    command = [sys.executable, "-m", "pytest_wisebot.emulator", "flows.py", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        try:
            yield "".join(takewhile("Ctrl-C ends it.\n".__ne__, process.stdout))
        finally:
            process.kill()


@pytest.fixture(scope="module")
def variables(printed: str) -> dict[str, str]:
    """The variables that the emulator printed, as a shell reads them."""
    exports = re.findall("^export (.+)$", printed, re.MULTILINE)
    return dict(shlex.split(line)[0].split("=", 1) for line in exports)


@pytest.fixture
def calls(variables: dict[str, str]) -> Callable[[], list[dict[str, Any]]]:
    """What has arrived at the emulator since the test began, as plain values."""

    def arrived() -> list[dict[str, Any]]:
        url = f"{variables['WISEBOTAI_BASE_URL']}/api/v1/flow/calls"
        token = variables["WISEBOT_ACCESS_TOKEN"]
        found = requests.post(url, headers={"Authorization": f"Bearer {token}"}, timeout=10).json()["result"]
        assert isinstance(found, list)
        return found

    before = len(arrived())
    return lambda: arrived()[before:]


def _by_curl(url: str, headers: dict[str, str], body: str | None) -> tuple[int, Any]:
    options = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    data = [] if body is None else ["-d", body]
    command = ["curl", "-sS", "-X", "POST", url, *options, *data, "-w", "\n%{http_code}"]
    ended = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=30)
    answer, _, status = ended.stdout.rpartition("\n")
    return int(status), json.loads(answer)


@pytest.fixture(scope="module")
def fetch() -> Iterator[Post]:
    """The client that Node has, in one process for all tests."""
    command = ["node", "--input-type=module", "-e", FETCH]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8") as process:

        def post(url: str, headers: dict[str, str], body: str | None) -> tuple[int, Any]:
            assert process.stdin is not None
            assert process.stdout is not None
            print(json.dumps({"url": url, "headers": headers, "body": body}), file=process.stdin, flush=True)
            line = process.stdout.readline()
            if not line:
                pytest.fail(f"Node ended: {process.communicate()[1]}")
            status, answer = json.loads(line)
            return status, answer

        yield post
        process.kill()


def _by_requests(url: str, headers: dict[str, str], body: str | None) -> tuple[int, Any]:
    response = requests.post(url, headers=headers, data=None if body is None else body.encode(), timeout=30)
    return response.status_code, response.json()


@pytest.fixture(params=["curl", "node", "requests"])
def post(request: pytest.FixtureRequest) -> Post:
    """Sends a POST by one of the clients; gives the status and the JSON that it got."""
    if request.param != "requests" and shutil.which(request.param) is None:
        pytest.skip(f"there is no {request.param} on this machine")
    if request.param == "node":
        by_fetch: Post = request.getfixturevalue("fetch")
        return by_fetch
    return {"curl": _by_curl, "requests": _by_requests}[request.param]


@pytest.fixture(params=["webhook", "dashboard"])
def start(
    request: pytest.FixtureRequest,
    variables: dict[str, str],
    post: Post,
) -> Callable[..., tuple[int, Any]]:
    """Starts a run over one of the APIs, as documented: ``start(workflow, bag, credential=None)``."""
    origin, base_url = variables["WISEBOT_WORKFLOW_TRIGGER_ORIGIN"], variables["WISEBOTAI_BASE_URL"]
    is_webhook = request.param == "webhook"
    right = variables["WISEBOT_WORKFLOW_SECRET" if is_webhook else "WISEBOT_ACCESS_TOKEN"]

    def send(workflow: str, bag: dict[str, Any] | None, credential: str | None = None) -> tuple[int, Any]:
        segment = quote(workflow, safe="")
        address = f"{origin}/workflows/trigger?workflowId=" if is_webhook else f"{base_url}/api/v1/flow/"
        headers = {"Authorization": f"Bearer {credential or right}", "Content-Type": "application/json"}
        body = None if bag is None else json.dumps(bag if is_webhook else {"inputs": bag}, ensure_ascii=False)
        return post(address + segment, headers, body)

    return send
