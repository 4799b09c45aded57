"""What a workflow answers is only text, wherever a session shows or writes it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from harness import Project

pytestmark = pytest.mark.slow

HOSTILE = {
    "script": "<script>alert(1)</script><img src=https://evil.example/x onerror=alert(1)>",
    "cdata": "]]> <![CDATA[ &amp; </failure>",
    "ansi": "\x1b[2J\x1b[31mred\x1b]0;title\x07 \x9b1m",
    "bidi": "\u202eright to left\u2066 \u200b",
    "nul": "a\x00b",
    "surrogate": "\ud800 alone",
    "markdown": "``` @octocat #1 | cell | <!-- -->\n# heading\n- [ ] task",
    "long": "x" * 400_000,  # three of them do not fit into a summary
}
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2066\ud800-\udfff]")
"""What a terminal or an editor obeys, or cannot write."""

SUITE = f"""
    import json
    HOSTILE = json.loads({json.dumps(json.dumps(HOSTILE))})

    @pytest.mark.parametrize("name", HOSTILE)
    def test_result(trigger_workflow, workflow_snapshot, name):
        run = trigger_workflow("echo", {{"text": HOSTILE[name]}})
        assert_result(run, {{"text": "harmless"}})

    @pytest.mark.parametrize("name", [name for name in HOSTILE if name != "surrogate"])
    def test_snapshot(trigger_workflow, workflow_snapshot, name):
        assert trigger_workflow("echo", {{"text": HOSTILE[name]}}).result == workflow_snapshot

    @pytest.mark.parametrize("name", HOSTILE)
    def test_error(trigger_workflow, name):
        assert_ok(trigger_workflow("fails", {{"text": HOSTILE[name]}}))
"""
FLOWS = """
    from pytest_wisebot.emulator import Emulator, WorkflowFailure

    emulator = Emulator()

    @emulator.workflow("echo")
    def echo(inputs):
        return inputs

    @emulator.workflow("fails")
    def fails(inputs):
        raise WorkflowFailure({"why": inputs["text"]})
"""


class _Elements(HTMLParser):
    """Collects the elements of a page, and where they lead."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[tuple[str, str]] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self.found.add((tag, said.get("href") or said.get("src") or ""))


def elements(page: str) -> set[tuple[str, str]]:
    """The elements that a browser sees, with what they would ask for."""
    parser = _Elements()
    parser.feed(page)
    return parser.found


@pytest.mark.parametrize("args", [[], ["-vv"], ["-n", "2"]], ids=["one process", "noisy", "xdist"])
def test_it_is_harmless_everywhere(project: Project, monkeypatch: pytest.MonkeyPatch, args: list[str]) -> None:
    """In the terminal, in Markdown, HTML, JUnit XML and JSON; and none of it is lost."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    project.write("flows.py", FLOWS)
    project.test(SUITE)
    result = project.run("--wisebot-report", "out", "--junitxml=junit.xml", "--tb=short", "--color=no", *args)
    assert result.ret == 1
    assert not OBEYED.search(result.stdout.str())
    out = project.path / "out"
    page, summary = ((out / name).read_text("utf-8") for name in ("report.html", "summary.md"))
    for text in (page, summary):
        assert not OBEYED.search(text)
    assert elements(page) >= {("h1", ""), ("svg", "")}
    assert not {name for name, _ in elements(page)} & {"script", "img", "iframe", "object", "embed"}
    assert {target for _, target in elements(page) if not target.startswith("#")} == {"", "data:,", "report.css"}
    assert len(summary.encode()) <= 900 * 1024
    ET.parse(project.path / "junit.xml")
    document = json.loads((out / "report.json").read_text("ascii"))
    assert len(document["tests"]) == 8 + 7 + 8
    log = (out / "runs.jsonl").read_text("ascii").splitlines()
    told = [event["result"]["text"] for event in map(json.loads, log) if "result" in event]
    assert set(HOSTILE.values()) <= set(told)
