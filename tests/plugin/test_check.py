"""``pytest-wisebot check``: what is wrong is found before the first run, and no run is started to find it."""

from __future__ import annotations

import re
import socket
import sys

import pytest
from harness import Outside, Project

HINT = "webhook secrets cannot be checked without a run: the first test finds out whether one is wrong"


def check(project: Project, *args: str) -> pytest.RunResult:
    """Runs the command in the project's folder."""
    return project.pytester.run(sys.executable, "-m", "pytest_wisebot", "check", *args)


def table(result: pytest.RunResult) -> list[str]:
    """The lines of all environments, columns separated by one blank."""
    return [re.sub(r"  +", " ", line.strip()) for line in result.outlines if line.startswith("  ")]


def test_what_is_right_is_listed_and_nothing_is_run(outside: Outside) -> None:
    """Both hosts are reached, the token is tried, the secret is only looked for; no test is imported."""
    outside.project.write("test_it.py", "raise RuntimeError('imported')")
    result = check(outside.project)
    origin, base_url = outside.handle.origin, outside.handle.base_url
    assert table(result) == [
        f"ok settings {outside.project.path / 'wisebot.toml'}",
        f"ok webhook API {origin} answers (status 404 for HEAD /)",
        f"ok dashboard API {base_url} accepts file:{outside.project.path / 'token.txt'}",
        f"ok secret file:{outside.project.path / 'secret.txt'}, set (wisebot.toml: environments.outside.secret)",
    ]
    assert result.outlines[0] == "environment outside"
    assert result.outlines[-1] == HINT
    assert result.ret == 0
    assert not any(call.ran or call.method == "POST" for call in outside.calls)
    assert outside.handle.status_checks() == 1


def test_a_token_that_is_refused_is_wrong_settings(outside: Outside) -> None:
    """Exit code 4; the token is not shown."""
    outside.project.write("token.txt", "FAKE-CANARY-of-the-old-token")
    result = check(outside.project)
    assert result.ret == 4
    (line,) = [line for line in table(result) if line.startswith("failed")]
    assert "was refused by GET /api/v1/status; no run was started" in line
    assert "CANARY" not in result.stdout.str() + result.stderr.str()


@pytest.fixture
def closed_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def test_each_environment_is_checked_and_the_worst_decides(empty_project: Project, closed_port: int) -> None:
    """Wrong settings come before an unreachable host: 4, else 10."""
    empty_project.write(
        "wisebot.toml",
        f"""
        [environments.gone]
        origin = "http://127.0.0.1:{closed_port}"

        [environments.cloudy]
        origin = "https://happy-otter-123.convex.cloud.invalid"
        token = "env:NO_SUCH_TOKEN"
        base-url = "http://127.0.0.1:{closed_port}"

        [environments.cloudy.workflows.triage]
        id = "wf_1"
        secret = "env:NO_SUCH_SECRET"
        """,
    )
    result = check(empty_project)
    assert result.ret == 4
    names = [line for line in result.outlines if line.startswith("environment ")]
    assert names == ["environment gone", "environment cloudy"]
    failed = [line for line in table(result) if line.startswith("failed")]
    unset = "the environment variable NO_SUCH_{0} is not set (wisebot.toml: environments.cloudy.{1})"
    assert failed == [
        f"failed webhook API http://127.0.0.1:{closed_port} cannot be reached: connection refused",
        "failed webhook API https://happy-otter-123.convex.cloud.invalid cannot be reached: host not found",
        f"failed dashboard API http://127.0.0.1:{closed_port} cannot be reached: connection refused",
        f"failed token env:NO_SUCH_TOKEN: {unset.format('TOKEN', 'token')}",
        f"failed secret of triage env:NO_SUCH_SECRET: {unset.format('SECRET', 'workflows.triage.secret')}",
    ]
    assert check(empty_project, "--env", "gone").ret == 10


def test_the_host_of_the_functions_is_named_in_the_place_of_that_of_the_database(empty_project: Project) -> None:
    """A webhook at ``.convex.cloud`` never arrives: the right host ends with ``.convex.site``."""
    empty_project.write("wisebot.toml", '[environments.cloudy]\norigin = "https://no-such-otter-0.convex.cloud"\n')
    result = check(empty_project, "--env", "cloudy")
    assert result.ret == 4
    assert any("serves no webhooks: write https://no-such-otter-0.convex.site" in line for line in table(result))


def test_mistakes_are_errors_with_the_right_names(project: Project) -> None:
    """An unknown environment, a mistake in the file, an unknown command: each names what is right."""
    unknown = check(project, "--env", "lokal")
    assert unknown.ret == 4
    assert table(unknown) == [
        'failed settings --wisebot-env: unknown environment "lokal", did you mean "local"? known: local'
    ]
    project.write("wisebot.toml", 'defualt-environment = "local"')
    wrong = check(project)
    assert wrong.ret == 4
    assert table(wrong) == [
        'failed settings wisebot.toml: defualt-environment: unknown key, did you mean "default-environment"?'
    ]
    command = project.pytester.run(sys.executable, "-m", "pytest_wisebot", "chekc")
    assert command.ret == 2
    assert command.errlines == ["pytest-wisebot: unknown command 'chekc', did you mean \"check\"?"]


def test_an_emulator_is_started_and_ended(project: Project) -> None:
    """Whatever options the project has for its sessions: no gate, no report, no workers."""
    project.write("pytest.ini", "[pytest]\naddopts = -n 2 --wisebot-gate --wisebot-report=out\n")
    result = check(project)
    assert result.ret == 0
    assert "ok emulator flows:emulator has started, with 6 workflows" in table(result)
    assert not (project.path / "out").exists()
    assert HINT not in result.outlines


def test_the_settings_hook_is_taken_along(outside: Outside) -> None:
    """That of the ``conftest.py`` beside ``wisebot.toml``: the host that it gives is checked."""
    outside.project.write(
        "conftest.py",
        f"""
        def pytest_wisebot_settings(settings):
            return settings.replace(origin="{outside.handle.base_url}", secret="FAKE-CANARY-of-the-hook")
        """,
    )
    result = check(outside.project)
    assert result.ret == 0
    assert f"ok webhook API {outside.handle.base_url} answers (status 404 for HEAD /)" in table(result)
    assert "CANARY" not in result.stdout.str() + result.stderr.str()
