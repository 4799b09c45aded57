"""What pytest itself writes and stores holds no credential."""

from __future__ import annotations

from typing import Any

import pytest

CANARY = "FAKE-secret-of-all"


@pytest.mark.parametrize("given", [["--wisebot-secret", CANARY], [f"--wisebot-secret={CANARY}"]], ids=["two", "one"])
@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=str)
def test_a_value_on_the_command_line_is_not_stored(outside: Any, given: list[str], workers: list[str]) -> None:
    """Neither options nor arguments show it, in no process; the ``--debug`` log, which had it already, is masked."""
    outside.test("""
        import re

        def test_it(request, trigger_workflow):
            assert trigger_workflow("echo").ok
            config = request.config
            workerinput = getattr(config, "workerinput", {})
            assert "FAKE-secret" not in repr([vars(config.option), config.invocation_params, workerinput])
    """)
    result = outside.run(*given, "--debug=debug.log", *workers)
    result.assert_outcomes(passed=1)
    log = (outside.project.path / "debug.log").read_text("utf-8")
    assert "args=(" in log
    assert "pytest_runtest_protocol" in log or workers
    assert CANARY not in log


@pytest.mark.parametrize("args", [[], ["-n", "1"], ["--collect-only", "--wisebot-secret", CANARY], ["-q"]], ids=str)
def test_a_test_id_that_holds_a_credential_ends_the_session(outside: Any, args: list[str]) -> None:
    """Ids are shown and stored everywhere, by every plugin: before any test the session ends, and shows none."""
    outside.project.write("secret.txt", CANARY)
    outside.test(f"""
        @pytest.mark.parametrize("value", ["{CANARY}", "other"])
        def test_it(trigger_workflow, value):
            trigger_workflow("echo")
    """)
    result = outside.run(*args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = result.stdout.str() + result.stderr.str()
    assert CANARY not in said
    assert (
        "ERROR: a test's id holds a credential, and ids are shown and stored everywhere:\n"
        "  test_it.py::test_it[<secret>]\n"
        'give the parameter an id of its own, as in pytest.param(..., id="name")\n'
    ) in said
    assert outside.calls == []


def test_what_pytest_shows_of_fixtures_is_clean(outside: Any) -> None:
    """``--setup-show`` writes parameters by itself, past every report."""
    outside.project.write("secret.txt", CANARY)
    outside.test(f"""
        @pytest.mark.parametrize("value", ["{CANARY}"], ids=["named"])
        def test_it(trigger_workflow, value):
            pass
    """)
    result = outside.run("--setup-show")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*SETUP    F value?'<secret>'?"])
    assert CANARY not in result.stdout.str()
