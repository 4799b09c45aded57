"""A credential that a call names is taken out of what was written before anybody knew that it is one."""

from __future__ import annotations

import pytest
from harness import Outside

SECRET = "CANARY-of-a-call-that-comes-late"
SUITE = f"""
    import json

    def test_names_it(trigger_workflow):
        until(lambda: arrived() == [1])
        time.sleep(0.2)
        with pytest.raises(AuthenticationFailed):
            trigger_workflow("echo", {{"n": 2}}, secret="{SECRET}")

    @pytest.mark.wisebot("echo", {{"n": 1, "text": "{SECRET} and more"}})
    def test_ahead(workflow_run):
        pass
"""


@pytest.mark.parametrize("args", [[], ["-n", "1"]], ids=["one process", "xdist"])
@pytest.mark.parametrize("mode", ["live", "record"])
def test_it_is_nowhere_in_what_the_session_kept(
    outside: Outside, monkeypatch: pytest.MonkeyPatch, mode: str, args: list[str]
) -> None:
    """A run that started ahead had ended, and was written down, before the call."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    outside.test(SUITE)
    result = outside.run(f"--wisebot-runs={mode}", "--wisebot-report", "out", *args)
    assert result.parseoutcomes() == {"passed": 2}
    assert result.ret == 0
    written = [path for path in outside.project.path.rglob("*.json*") if path.is_file()]
    cleaned = sorted(path.name for path in written if "<secret> and more" in path.read_text("utf-8"))
    assert {"events.jsonl", "runs.jsonl"} <= {*cleaned}
    assert len(cleaned) == {"live": 2, "record": 3}[mode]
    assert not [path for path in written if SECRET in path.read_text("utf-8")]
    assert outside.run("--wisebot-runs=last", "-k", "ahead").ret == 0
