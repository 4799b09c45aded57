"""The snippets of Wisebot's page "Triggering workflows", cut from the page and run against the emulator.

They are changed in nothing but host, id and secret, and in what is stated beside each test.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT.parent / "shared" / "wisebot-docs-triggering-workflows.txt"

Calls = Callable[[], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def page() -> str:
    if not PAGE.is_file():
        pytest.skip(f"Wisebot's page does not lie beside the checkout, as {PAGE.relative_to(ROOT.parent)}")
    return PAGE.read_text(encoding="utf-8")


def cut(page: str, start: str, end: str) -> str:
    """The text from ``start`` on, which the page has once, to just before the next ``end``."""
    assert page.count(start) == 1
    snippet = start + page.partition(start)[2]
    assert end in snippet
    return snippet.partition(end)[0]


def substituted(snippet: str, **changes: str) -> str:
    """The snippet with stated changes, each of which must find its place."""
    for old, new in changes.items():
        assert old in snippet
        snippet = snippet.replace(old, new)
    return snippet


def output(command: list[str], variables: dict[str, str]) -> str:
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no {command[0]} on this machine")
    environment = os.environ | variables | {"WISEBOT_WORKFLOW_ID": "triage"}
    ended = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=30, env=environment)
    return ended.stdout


def arrived(calls: Calls) -> list[tuple[str, Any, Any]]:
    return [(call["api"], call["inputs"], call["status"]) for call in calls()]


def test_the_curl_snippet(page: str, variables: dict[str, str], calls: Calls) -> None:
    """The page's curl block starts a run over the webhook API."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl on this machine")
    snippet = cut(page, 'export WISEBOT_WORKFLOW_TRIGGER="https://<host>"\n', "Copy <host> from the workflow screen")
    changes = {
        "https://<host>": variables["WISEBOT_WORKFLOW_TRIGGER_ORIGIN"],
        "your_workflow_id": "triage",
        "your_webhook_secret": variables["WISEBOT_WORKFLOW_SECRET"],
    }
    assert '"ok": true' in output(["sh", "-e", "-c", substituted(snippet, **changes)], {})
    assert arrived(calls) == [("webhook", {"message": "From curl"}, 200)]


def test_the_node_snippet(page: str, variables: dict[str, str], calls: Calls) -> None:
    """The page's Node snippet starts a run over the webhook API.

    It is TypeScript, which not every Node strips of its types: the assertions that a variable is set (``!``) and the
    cast of the answer are taken out. Neither has an effect when the program runs.
    """
    snippet = cut(page, "const origin = process.env.WISEBOT_WORKFLOW_TRIGGER_ORIGIN!;", "Python (requests)\nimport os")
    types = {
        "WISEBOT_WORKFLOW_TRIGGER_ORIGIN!;": "WISEBOT_WORKFLOW_TRIGGER_ORIGIN;",
        "WISEBOT_WORKFLOW_SECRET!;": "WISEBOT_WORKFLOW_SECRET;",
        "WISEBOT_WORKFLOW_ID!;": "WISEBOT_WORKFLOW_ID;",
        " as Record<string, unknown>": "",
    }
    output(["node", "--input-type=module", "-e", substituted(snippet, **types)], variables)
    assert arrived(calls) == [("webhook", {"message": "from Node"}, 200)]


def test_the_python_snippet_for_the_webhook(page: str, variables: dict[str, str], calls: Calls) -> None:
    """The page's Python snippet for the webhook API starts a run and prints its envelope."""
    snippet = cut(page, "import os\nimport requests\n", "Other languages\n")
    envelope = ast.literal_eval(output([sys.executable, "-c", snippet], variables))
    assert (envelope["ok"], envelope["result"]["inputs"]) == (True, {"message": "from Python"})
    assert arrived(calls) == [("webhook", {"message": "from Python"}, 200)]


PRELUDE = """
import os, requests
BASE = os.environ["WISEBOTAI_BASE_URL"]
H = {"Authorization": f"Bearer {os.environ['WISEBOT_ACCESS_TOKEN']}"}
workflow_id = os.environ["WISEBOT_WORKFLOW_ID"]
"""


def test_the_python_snippet_for_the_dashboard(page: str, variables: dict[str, str], calls: Calls) -> None:
    """The page's Python snippet for the dashboard API starts a run and prints its envelope.

    It takes ``BASE``, ``H`` and ``workflow_id`` from another page; the lines before it give them their values.
    """
    snippet = cut(
        page, 'r = requests.post(\nf"{BASE}/api/v1/flow/{workflow_id}",', "Webhook contract\nWhen the workflow"
    )
    envelope = ast.literal_eval(output([sys.executable, "-c", PRELUDE + snippet], variables))
    assert set(envelope) == {"ok", "runId", "result", "error"}
    assert (envelope["ok"], envelope["result"]["inputs"]) == (True, {"ticketId": "T-1"})
    assert arrived(calls) == [("dashboard", {"ticketId": "T-1"}, 200)]
