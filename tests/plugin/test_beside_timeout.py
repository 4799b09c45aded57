"""Beside pytest-timeout: a test that waits too long fails alone. How whole sessions end is in ``test_ctrl_c.py``."""

from __future__ import annotations

import signal

import pytest
from harness import Numbers, Outside

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="needs SIGALRM")


@pytest.mark.parametrize("args", [[], ["-n", "2"]], ids=["one process", "xdist"])
def test_a_test_that_waits_too_long_fails_alone(
    outside: Outside, numbers: Numbers, monkeypatch: pytest.MonkeyPatch, args: list[str]
) -> None:
    """Its failure shows the run as not ended; its run goes on and is told at the end; the next test has its own."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    outside.test("""
        @pytest.mark.timeout(0.5)
        @pytest.mark.wisebot("nap", {"n": 1, "seconds": 2})
        def test_late(workflow_run):
            pass

        @pytest.mark.wisebot("nap", {"n": 2, "seconds": 0.7})
        def test_next(workflow_run):
            assert workflow_run.ok
    """)
    result = outside.project.run_apart("-p", "xdist", "-p", "timeout", "-p", "wisebot", "--timeout", "30", *args)
    assert result.parseoutcomes() == {"passed": 1, "errors": 1}
    result.stdout.re_match_lines([r"E +Failed: Timeout \(>0.5s\) from pytest-timeout."])
    assert "nap over the webhook API: not ended yet" in result.outlines
    assert sorted(outside.arrived) == [1, 2]
    assert numbers(result)[-1] == "1 run was sent and not awaited: it may have happened"
