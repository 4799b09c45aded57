"""An outage opens no gate, however a test hides it: by a skip, by another failure, by a trial that fails."""

from __future__ import annotations

import textwrap

import pytest
from harness import Project

pytestmark = pytest.mark.usefixtures("wide_terminal")

GATED = ("--wisebot-env=local", "--wisebot-gate", "--tb=no", "-q")

HEAD = """
    from pytest_wisebot.emulator import Fault

    @pytest.mark.wisebot("echo", {"a": 1})
    def test_ok(workflow_run):
        assert_ok(workflow_run)
"""

HIDDEN = {
    "skipped": """
        @pytest.fixture
        def answer(trigger_workflow, wisebot_emulator):
            wisebot_emulator.fail_next(Fault.html(502), times=9)
            try:
                return trigger_workflow("echo")
            except InfrastructureError as error:
                pytest.skip(f"down: {error}")

        def test_it(answer):
            assert_ok(answer)
    """,
    "failed": """
        def test_it(trigger_workflow, wisebot_emulator):
            wisebot_emulator.fail_next(Fault.html(502), times=9)
            try:
                run = trigger_workflow("echo")
            except Exception:
                run = None
            assert run is not None
    """,
    "trial": """
        @pytest.mark.wisebot(trials=3, min_passes=2)
        def test_it(trigger_workflow, wisebot_emulator, wisebot_trial=[]):
            wisebot_trial.append(1)
            if len(wisebot_trial) == 1:
                wisebot_emulator.fail_next(Fault.html(502), times=1)
            run = None
            try:
                run = trigger_workflow("echo")
            except InfrastructureError:
                pass
            assert run is not None
    """,
}


EXPECTED = """
    def test_it(trigger_workflow, wisebot_emulator):
        wisebot_emulator.fail_next(Fault.html(502))
        with pytest.raises(InfrastructureError):
            trigger_workflow("echo")
"""


@pytest.mark.parametrize(
    ("how", "workers"), [*((how, []) for how in HIDDEN), ("skipped", ["-n", "1"]), ("trial", ["-n", "1"])], ids=str
)
def test_an_outage_that_a_test_hides_is_counted(project: Project, how: str, workers: list[str]) -> None:
    """Under limits that forgive failed tests and no outage: exit code 10, and the test by name."""
    toml = (project.path / "wisebot.toml").read_text("utf-8")
    project.write("wisebot.toml", f"{toml}\n[gate]\nallow-emulator = true\nmin-pass-rate = 0\n")
    project.test(textwrap.dedent(HEAD) + textwrap.dedent(HIDDEN[how]))
    result = project.run(*GATED, *workers)
    assert result.ret == 10
    told = [line for line in result.outlines if "infrastructure errors" in line]
    assert any("measured 1: test_it.py::test_it" in line for line in told), told


def test_an_outage_that_a_test_expects_is_none(project: Project) -> None:
    """A test of one's own error handling passes, and shuts no gate."""
    toml = (project.path / "wisebot.toml").read_text("utf-8")
    project.write("wisebot.toml", f"{toml}\n[gate]\nallow-emulator = true\n")
    project.test(textwrap.dedent(HEAD) + textwrap.dedent(EXPECTED))
    assert project.run(*GATED).ret == 0
