"""The folder of reports belongs to one session: no other session's verdict is taken for its own."""

from __future__ import annotations

import sys

import pytest
from harness import Outside

GATED = ("--wisebot-env=outside", "--wisebot-gate")

OK = """
    @pytest.mark.wisebot("echo", {"n": 1})
    def test_ok(workflow_run):
        assert workflow_run.ok
"""


@pytest.mark.parametrize(
    "how", ["pytest.main(args)", "subprocess.run([sys.executable, '-m', 'pytest', *args]).returncode"]
)
def test_a_session_within_a_session_has_a_folder_of_its_own(outside: Outside, how: str) -> None:
    """It is refused, whatever it would have found; the outer session is judged by its own tests."""
    outside.project.write("pytest.ini", "[pytest]\nnorecursedirs = inner\n")
    outside.test(OK, name="inner/test_inner.py")
    outside.test(
        f"""
        import subprocess, sys

        def test_bad():
            assert 0

        def test_tool():
            args = ["-q", "-p", "no:cacheprovider", "inner", *{GATED}, "--wisebot-report=out"]
            assert {how} == 4
    """,
        OK,
    )
    result = outside.project.run_apart("-rP", "-p", "no:cacheprovider", *GATED, "--wisebot-report=out")
    result.assert_outcomes(passed=2, failed=1)
    assert result.ret == 1
    assert any(line.startswith("GATE CLOSED: ") for line in result.outlines)
    assert "another session, which has not ended, writes its reports there" in result.stdout.str() + result.stderr.str()
    told = outside.project.pytester.run(sys.executable, "-m", "pytest_wisebot.report", "out")
    assert told.ret == 1


def test_a_session_that_ends_before_it_begins_leaves_no_old_verdict(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ``conftest.py`` that ends Python takes the reports of the session before with it."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    outside.test(OK)
    assert outside.run(*GATED, "--wisebot-report=out").ret == 0
    outside.project.write("conftest.py", "import os\nos._exit(0)\n")
    assert outside.project.run_apart(*GATED, "--wisebot-report=out").ret == 0  # which nothing can change
    told = outside.project.pytester.run(sys.executable, "-m", "pytest_wisebot.report", "out")
    assert told.ret == 2
