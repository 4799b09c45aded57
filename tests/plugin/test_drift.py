"""Drift: a run that is not what was recorded is told wherever it happens, and fails the session."""

from __future__ import annotations

import re

from harness import Numbers, Outside


def test_drift_is_told_wherever_it_happens(outside: Outside, numbers: Numbers) -> None:
    """In a teardown, in a test that skips or that fails as expected, and in a run that nobody waits for."""
    outside.test("""
        import time

        @pytest.fixture
        def cleans_up(trigger_workflow):
            yield
            trigger_workflow("echo", {"n": "teardown"})

        def test_teardown(cleans_up):
            pass

        def test_skips(trigger_workflow):
            trigger_workflow("echo", {"n": "skips"})
            pytest.skip("for no reason")

        @pytest.mark.xfail
        def test_expected(trigger_workflow):
            trigger_workflow("echo", {"n": "expected"})
            assert 0

        def test_fails(trigger_workflow):
            trigger_workflow("echo", {"n": "fails"})
            assert 0

        def test_nobody_waits(trigger_workflow):
            trigger_workflow.start("nap", {"n": "alone", "seconds": 0.3})

        def test_later(trigger_workflow):
            until(lambda: "alone" in answered())
            time.sleep(0.2)
    """)
    outside.run("--wisebot-runs=record")
    for path in (outside.project.path / "recordings").rglob("*.json"):
        text = path.read_text("utf-8")
        path.write_text(re.sub(r'("result": \{\s+"n": ")', r"\g<1>another ", text), "utf-8")
    for args in ((), ("-n", "2")):
        outside.handle.reset(everywhere=True)
        result = outside.run("--wisebot-runs=verify", *args)
        assert result.parseoutcomes() == {"passed": 3, "skipped": 1, "xfailed": 1, "failed": 1, "drift": 3}
        *_, title, first, second, third, alone, whose = numbers(result)
        assert title == "3 tests with drift:"
        drifted = [f"  test_it.py::test_{name}" for name in ("expected", "skips", "teardown")]
        assert sorted([first, second, third]) == drifted
        assert (alone, whose) == (
            "1 run drifted, and no test failed by it:",
            "  nap: test_it.py::test_nobody_waits, call 1",
        )
    outside.handle.reset(everywhere=True)
    result = outside.run("--wisebot-runs=verify", "-k", "nobody_waits or later")
    assert (result.ret, result.parseoutcomes()) == (1, {"passed": 2, "deselected": 4})
