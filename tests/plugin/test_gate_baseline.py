"""A gated session beside a baseline: what is gone shuts the gate, and so does a limit that cannot be judged."""

from __future__ import annotations

import json
from typing import Any

import pytest
from harness import Outside

from pytest_wisebot.report.__main__ import main

pytestmark = pytest.mark.usefixtures("wide_terminal")

TESTS = """
    @pytest.mark.wisebot("echo", {"n": 1})
    def test_stays(workflow_run):
        assert_ok(workflow_run)

    @pytest.mark.wisebot("echo", {"n": 2})
    def test_old_name(workflow_run):
        assert_ok(workflow_run)

    @pytest.mark.wisebot("nap", {"n": 3, "seconds": 0})
    def test_skipped_later(workflow_run):
        assert_ok(workflow_run)
"""


@pytest.fixture
def gated(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a gated session."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)

    def run(*args: str) -> pytest.RunResult:
        common = ("--wisebot-env=outside", "--wisebot-gate", "--wisebot-report=out")
        result: pytest.RunResult = outside.run(*common, *args)
        return result

    return run


def test_what_is_gone_shuts_the_gate(outside: Outside, gated: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Renamed or removed; one deployment may remove tests on purpose; a skipped test is there. Later reports agree."""
    outside.test(TESTS)
    assert gated("--wisebot-baseline=none").ret == 0
    (outside.project.path / "out").rename(outside.project.path / "before")
    changed = TESTS.replace("test_old_name", "test_new_name")
    outside.test(changed.replace('@pytest.mark.wisebot("nap"', '@pytest.mark.skip\n    @pytest.mark.wisebot("nap"'))
    result = gated("--wisebot-baseline=before", "-n", "2")  # the log is the controller's, whichever worker ran a test
    assert result.ret == 11
    renamed = "1: test_it.py::test_old_name -> test_it.py::test_new_name?"
    result.stdout.fnmatch_lines([f"  no verdict  tests missing * measured {renamed}", "  missing: 1 (*"])
    report = json.loads((outside.project.path / "out/report.json").read_text("utf-8"))
    assert report["baseline"]["missing"] == ["test_it.py::test_old_name"]
    assert report["baseline"]["renamed"] == [["test_it.py::test_old_name", "test_it.py::test_new_name"]]
    assert report["baseline"]["missing_workflows"] == []
    main([str(outside.project.path / "out")])
    assert "NO VERDICT: 2 passed, 1 skipped; " in capsys.readouterr().out
    assert gated("--wisebot-baseline=before", "--wisebot-max-missing-tests=1").ret == 0
    main([str(outside.project.path / "out")])
    assert "GATE OPEN: 2 passed, 1 skipped; " in capsys.readouterr().out


def test_a_relative_limit_takes_a_baseline(outside: Outside, gated: Any) -> None:
    """Or the statement that there is none yet."""
    toml = outside.project.path / "wisebot.toml"
    toml.write_text(f"{toml.read_text('utf-8')}\n[gate]\nmax-pass-rate-drop = 0.05\n", "utf-8")
    outside.test(TESTS)
    result = gated()
    assert result.ret == 11
    result.stdout.fnmatch_lines(["  no verdict  max-pass-rate-drop * measured no baseline"])
    result = gated("--wisebot-baseline=none")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["  not judged  max-pass-rate-drop * measured none yet (--wisebot-baseline=none)"])
    (outside.project.path / "none").mkdir()
    assert gated("--wisebot-baseline=./none").ret == 4
