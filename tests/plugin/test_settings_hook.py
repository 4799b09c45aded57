"""``pytest_wisebot_settings`` in a project's ``conftest.py``."""

from __future__ import annotations

import pytest
from harness import ByHand, Outside, Project

SEEN = """
    def test_it(wisebot_settings, trigger_workflow):
        print("origin", wisebot_settings.origin)
        assert trigger_workflow("echo", {"a": 1}).result == {"a": 1}
"""


def test_it_changes_where_runs_go(empty_project: Project, emulator_by_hand: ByHand) -> None:
    """A host and a credential that only a program knows, such as a preview deployment's, come from the hook."""
    empty_project.write(
        "conftest.py",
        f"""
        asked = []

        def pytest_wisebot_settings(config, settings):
            asked.append(settings)
            assert settings.origin is None and len(asked) == 1
            return settings.replace(origin="{emulator_by_hand.origin}/", secret="FAKE-secret-of-echo")
        """,
    )
    empty_project.test(SEEN + "\n    def test_again(trigger_workflow): assert trigger_workflow('echo').ok")
    result = empty_project.run()
    result.assert_outcomes(passed=2)
    hook = "the pytest_wisebot_settings hook"
    assert f"wisebot: webhook API at {emulator_by_hand.origin} ({hook})" in result.outlines
    assert f"wisebot:   secret: a value, set ({hook})" in result.outlines


@pytest.mark.parametrize("how", ["settings.replace", "dataclasses.replace(settings, "], ids=["replace", "dataclasses"])
def test_a_replaced_host_gets_no_credential_of_the_old_one(outside: Outside, how: str) -> None:
    """Nothing is sent there; the error says how the hook gives a credential for the new host, or keeps the old one."""
    call = how if how.endswith(" ") else f"{how}("
    outside.project.write(
        "conftest.py",
        f"""
        import dataclasses

        def pytest_wisebot_settings(settings):
            return {call}origin="{outside.handle.base_url}")
        """,
    )
    outside.test('def test_it(trigger_workflow): trigger_workflow("echo", {"n": 1})')
    result = outside.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert outside.calls == []
    result.stderr.fnmatch_lines(["*settings.replace(origin=..., secret=*keep_credentials=True keeps them*"])


def test_it_may_use_dataclasses_replace(empty_project: Project, emulator_by_hand: ByHand) -> None:
    """Settings are a dataclass: the standard way to change a copy is checked just as well."""
    empty_project.write(
        "conftest.py",
        f"""
        import dataclasses

        def pytest_wisebot_settings(settings):
            return dataclasses.replace(settings, origin="{emulator_by_hand.origin}", secret="FAKE-secret-of-echo")
        """,
    )
    empty_project.test(SEEN)
    empty_project.run().assert_outcomes(passed=1)


def test_it_may_leave_them_as_they_are(project: Project) -> None:
    """None keeps the settings, and an emulator's environment its emulator."""
    project.write("conftest.py", "def pytest_wisebot_settings(settings): assert settings.environment == 'local'")
    project.test(SEEN)
    project.run().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("'https://a.example'", "pytest_wisebot_settings: expected Settings or None, got str"),
        (
            "settings.replace(origin='https://a.example/x')",
            'the pytest_wisebot_settings hook: has the path "/x": write scheme and host only, "https://a.example"',
        ),
        (
            "settings.replace(orgin='https://a.example')",
            'the pytest_wisebot_settings hook: unknown setting "orgin", did you mean "origin"?',
        ),
        (
            "settings.replace(token='CANARY' + chr(10))",
            "the pytest_wisebot_settings hook: the credential has a newline in it",
        ),
    ],
)
def test_what_it_returns_is_checked(project: Project, returned: str, message: str) -> None:
    """A wrong value ends the session before any test, in the user's terms."""
    project.write("conftest.py", f"def pytest_wisebot_settings(settings): return {returned}")
    project.test(SEEN)
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: {message}" in result.errlines


def test_a_protected_host_is_protected_from_the_hook_too(empty_project: Project) -> None:
    """The hook cannot lead a session to a protected environment's host by mistake."""
    empty_project.write("wisebot.toml", '[environments.production]\nprotected = true\norigin = "https://prod.example"')
    empty_project.write(
        "conftest.py", "def pytest_wisebot_settings(settings): return settings.replace(origin='https://prod.example')"
    )
    empty_project.test(SEEN)
    result = empty_project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines[-2:-1] == [
        'ERROR: https://prod.example belongs to the protected environment "production": '
        "add --wisebot-allow-protected to run there"
    ]


def test_it_is_not_asked_by_a_session_that_does_not_use_the_plugin(empty_project: Project) -> None:
    """A hook that talks to a vault is not called for unit tests."""
    empty_project.write("conftest.py", "def pytest_wisebot_settings(settings): raise RuntimeError('the vault is shut')")
    empty_project.test("def test_unit(): pass")
    empty_project.run().assert_outcomes(passed=1)


def test_what_it_raises_is_told_in_one_line_and_without_its_frames(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vault that is shut ends the session with its words; the frames, which hold what was fetched, stay out."""
    monkeypatch.setenv("MY_TOKEN", "CANARY-token-of-the-file")
    project.write(
        "conftest.py",
        """
        import os

        def pytest_wisebot_settings(settings):
            token = os.environ["MY_TOKEN"]
            raise RuntimeError(f"the vault is shut for {token}")
        """,
    )
    project.test(SEEN)
    result = project.run("-l", "--full-trace", "--wisebot-token", "env:MY_TOKEN")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    told = "ERROR: pytest_wisebot_settings: conftest.py, line 6: RuntimeError: the vault is shut for <secret>"
    assert told in result.errlines
    assert "CANARY" not in result.stdout.str() + result.stderr.str()


def test_it_may_end_the_session_in_pytests_own_ways(project: Project) -> None:
    """``pytest.exit`` and ``pytest.UsageError`` in the hook mean what they mean everywhere else."""
    project.test(SEEN)
    project.write("conftest.py", "import pytest\ndef pytest_wisebot_settings(): pytest.exit('vault is shut', 7)")
    assert project.run().ret == 7
    project.write("conftest.py", "import pytest\ndef pytest_wisebot_settings(): raise pytest.UsageError('no vault')")
    result = project.run()
    assert (result.ret, result.errlines[-2:-1]) == (pytest.ExitCode.USAGE_ERROR, ["ERROR: no vault"])


def test_under_xdist_the_controller_must_know_the_hook(project: Project) -> None:
    """A hook that only workers find would be passed over in silence: each test that asks is told where to put it."""
    project.write("deep/conftest.py", "def pytest_wisebot_settings(settings): return settings")
    project.test("def test_it(trigger_workflow): assert trigger_workflow('echo').ok", "deep/test_it.py")
    result = project.run_apart("-n", "1")
    assert result.parseoutcomes() == {"not": 1}
    message = (
        f"pytest_wisebot_settings in {project.path / 'deep/conftest.py'} is not known to xdist's controller, which "
        "starts the runs and collects no tests: put it into the conftest.py of the rootdir, or of a folder that pytest "
        "is given"
    )
    assert f"E   pytest_wisebot.errors.ConfigurationError: {message}" in result.outlines
    project.run_apart("-n", "1", "deep").assert_outcomes(passed=1)


def test_under_xdist_the_hook_runs_once(project: Project) -> None:
    """It runs on the controller, before the first test, and all workers see what it changed."""
    project.write(
        "conftest.py",
        """
        import pathlib

        def pytest_wisebot_settings(config, settings):
            with open(config.rootpath / "asked", "a") as file:
                file.write("worker " if hasattr(config, "workerinput") else "controller ")
            return settings.replace(timeout=77.0)
        """,
    )
    project.test("""
        @pytest.mark.parametrize("n", range(4))
        def test_it(wisebot_settings, n):
            assert wisebot_settings.timeout == 77.0
    """)
    project.run_apart("-n", "2").assert_outcomes(passed=4)
    assert (project.path / "asked").read_text("utf-8") == "controller "
