"""The lines after collection, and the one message about wrong settings."""

from __future__ import annotations

import pytest
from harness import Project

USES = """
    def test_it(wisebot_settings):
        pass
"""


def lines_of(result: pytest.RunResult) -> list[str]:
    return [line.removeprefix("wisebot: ") for line in result.outlines if line.startswith("wisebot: ")]


STAGING = """
    [environments.staging]
    origin = "https://staging.convex.example"
    base-url = "https://staging.example.com"
    token = "env:STAGING_KEY"
    concurrency = 16

    [environments.staging.workflows.triage]
    id = "k57"
    secret = "env:TRIAGE_SECRET"

    [environments.staging.workflows.refund]
    secret = "file:refund.txt"
"""


def test_they_say_where_runs_go_and_what_said_so(empty_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment, hosts, API, each with its source; of credentials only that they are set, and by what."""
    monkeypatch.setenv("TRIAGE_SECRET", "CANARY-triage")
    empty_project.write("wisebot.toml", STAGING)
    empty_project.test(USES)
    result = empty_project.run("--wisebot-env", "staging", "--wisebot-token", "CANARY-token-1")
    result.assert_outcomes(passed=1)
    assert lines_of(result) == [
        "environment staging (--wisebot-env)",
        "webhook API at https://staging.convex.example (wisebot.toml: environments.staging.origin)",
        "  secret of triage: env:TRIAGE_SECRET, set (wisebot.toml: environments.staging.workflows.triage.secret)",
        f"  secret of refund: file:{empty_project.path / 'refund.txt'}, missing, "
        "cannot be read: No such file or directory (wisebot.toml: environments.staging.workflows.refund.secret)",
        "dashboard API at https://staging.example.com (wisebot.toml: environments.staging.base-url)",
        "  token: set by --wisebot-token, visible in the process list and the shell's history: env:NAME is not",
        "the webhook API for tests that name none (default)",
        "16 runs at once (wisebot.toml: environments.staging.concurrency)",
    ]
    assert "CANARY" not in result.stdout.str()


def test_variables_of_wisebots_own_tools_serve_where_no_environment_is_chosen(
    empty_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a ``wisebot.toml``, the variables that Wisebot's CLI reads are enough."""
    monkeypatch.setenv("WISEBOTAI_BASE_URL", "https://app.example.com/")
    monkeypatch.setenv("WISE_KEY", "CANARY-key-1")
    empty_project.test(USES)
    assert lines_of(empty_project.run()) == [
        "dashboard API at https://app.example.com (WISEBOTAI_BASE_URL)",
        "  token: env:WISE_KEY, set (WISE_KEY)",
        "the dashboard API for tests that name none (default)",
        "8 runs at once (default)",
    ]


def test_an_emulator_is_named(project: Project) -> None:
    """An environment with an emulator says so, and that it starts with the first run."""
    project.test(USES)
    assert lines_of(project.run("--wisebot-api", "both")) == [
        "environment local (wisebot.toml: default-environment)",
        "both APIs at the emulator flows:emulator, started with the first run "
        "(wisebot.toml: environments.local.emulator)",
        "both APIs for tests that name none (--wisebot-api)",
        "8 runs at once (default)",
    ]


def test_quiet_names_the_hosts_alone(project: Project) -> None:
    """``-q`` has one line, ``-qq`` none."""
    project.test(USES)
    assert lines_of(project.run("-q")) == ["environment local: the emulator flows:emulator"]
    assert lines_of(project.run("-qq")) == []
    hosts = ("--wisebot-origin=http://127.0.0.1:1", "--wisebot-base-url=http://127.0.0.1:2")
    assert lines_of(project.run("-q", *hosts)) == ["environment local: http://127.0.0.1:1 and http://127.0.0.1:2"]
    assert lines_of(project.run("-q", "--wisebot-runs=replay")) == ["environment local: no host is asked"]


@pytest.mark.parametrize("args", [[], ["--collect-only"]])
def test_a_session_that_does_not_use_the_plugin_reads_no_settings(empty_project: Project, args: list[str]) -> None:
    """A broken ``wisebot.toml`` is no business of a suite, or a selection, that never asks Wisebot."""
    empty_project.write("wisebot.toml", "this is no TOML")
    empty_project.test("def test_other(): pass\n" + "def test_it(trigger_workflow): pass")
    result = empty_project.run("-k", "other", *args)
    assert result.ret == 0
    assert lines_of(result) == []


def test_wrong_settings_end_the_session_before_any_test(empty_project: Project) -> None:
    """One message lists every mistake; no test has run, and the exit code is pytest's for wrong usage."""
    empty_project.write(
        "wisebot.toml",
        """
        [environments.staging]
        orgin = "https://a.example"
        token = "CANARY-in-the-file"
        timeout = "long"
        """,
    )
    empty_project.test(USES)
    result = empty_project.run("--wisebot-env", "staging")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines[-4:-1] == [
        'ERROR: wisebot.toml: environments.staging.token: write a reference, "env:NAME" or "file:PATH": '
        "a credential is never written into this file",
        'wisebot.toml: environments.staging.timeout: expected a number, got "long"',
        'wisebot.toml: environments.staging.orgin: unknown key, did you mean "origin"?',
    ]
    assert "CANARY" not in result.stdout.str() + result.stderr.str()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["--wisebot-env", "stagin"],
            '--wisebot-env: unknown environment "stagin", did you mean "staging"? known: staging',
        ),
        (
            ["--wisebot-origin", "https://a.example/workflows"],
            '--wisebot-origin: has the path "/workflows": write scheme and host only, "https://a.example"',
        ),
        (
            ["--wisebot-origin", "http://a.example"],
            "--wisebot-origin: http://a.example would carry the credential unencrypted: write https, "
            "or set allow-http = true in the environment",
        ),
        (["--wisebot-timeout", "0"], "--wisebot-timeout: expected a number of seconds above 0, got 0"),
        (["--wisebot-concurrency", "0"], "--wisebot-concurrency: expected a whole number, at least 1, got 0"),
        (["--wisebot-retries", "-1"], "--wisebot-retries: expected a whole number, at least 0, got -1"),
        (
            ["--wisebot-secret", "CANARY\n1"],
            "--wisebot-secret: the credential has a newline in it",
        ),
        (
            ["--wisebot-token", "CANARY-ü1"],
            "--wisebot-token: the credential has a non-ASCII character in it, which no HTTP header can carry",
        ),
    ],
)
def test_a_wrong_option_is_told_in_the_users_terms(empty_project: Project, args: list[str], message: str) -> None:
    """Every option names itself, the wrong value (a credential's excepted), and what would be right."""
    empty_project.write("wisebot.toml", STAGING)
    empty_project.test(USES)
    result = empty_project.run(*args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: {message}" in result.errlines
    assert "CANARY" not in result.stdout.str() + result.stderr.str()


def test_the_nearest_file_to_the_tests_is_read(empty_project: Project) -> None:
    """The search goes from the arguments' common folder up to the rootdir, unless ``--wisebot-config`` names one."""
    empty_project.write("pytest.ini", "[pytest]")
    for folder, name in (("", "root"), ("e2e/", "e2e"), ("other/", "other")):
        empty_project.write(f"{folder}wisebot.toml", f'default-environment = "at-{name}"\n[environments.at-{name}]')
    for name in ("e2e/a/test_a.py", "e2e/b/test_b.py", "unit/test_c.py"):
        empty_project.test(USES, name)
    read = {}
    for args in (["e2e/a/test_a.py::test_it"], ["e2e/a", "e2e/b"], ["unit"], []):
        read[" ".join(args)] = lines_of(empty_project.run("--import-mode=importlib", *args))[0]
    read["config"] = lines_of(empty_project.run("--wisebot-config", "other/wisebot.toml", "unit"))[0]
    source = "(wisebot.toml: default-environment)"
    assert read == {
        "e2e/a/test_a.py::test_it": f"environment at-e2e {source}",
        "e2e/a e2e/b": f"environment at-e2e {source}",
        "unit": f"environment at-root {source}",
        "": f"environment at-root {source}",
        "config": f"environment at-other {source}",
    }


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["--wisebot-env", "production"], 'environment "production" is protected'),
        (
            ["--wisebot-origin", "https://PROD.example"],
            'https://prod.example belongs to the protected environment "production"',
        ),
        (
            ["--wisebot-base-url", "https://app.example"],
            'https://app.example belongs to the protected environment "production"',
        ),
    ],
)
def test_a_protected_environment_needs_to_be_allowed(empty_project: Project, args: list[str], reason: str) -> None:
    """Its hosts are protected however they are given, until ``--wisebot-allow-protected``."""
    empty_project.write(
        "wisebot.toml",
        """
        [environments.production]
        protected = true
        origin = "https://prod.example"
        base-url = "https://app.example"
        """,
    )
    empty_project.test(USES)
    result = empty_project.run(*args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert any(line.startswith(f"ERROR: {reason}: add --wisebot-allow-protected to run ") for line in result.errlines)
    empty_project.run(*args, "--wisebot-allow-protected").assert_outcomes(passed=1)


def test_help_names_every_option(project: Project) -> None:
    """``pytest --help`` has them all in one group, the safe ways to give a credential first."""
    text = project.run("--help").stdout.str()
    group = text.partition("Wisebot workflows")[2].partition("\n\n")[0]
    options = ["env", "config", "origin", "base-url", "secret", "token", "api"]
    for name in [*options, "allow-protected", "timeout", "concurrency", "retries"]:
        assert f"--wisebot-{name}" in group
    assert " ".join(group.split()).count("env:NAME, file:PATH, or the value itself") == 2


def test_lines_and_mistakes_name_the_table_of_pyproject_toml(empty_project: Project) -> None:
    """Where it is pytest's own file, too: the header, what to write, and the gate."""
    empty_project.write(
        "pyproject.toml",
        """
        [tool.pytest.ini_options]
        testpaths = ["e2e"]

        [tool.wisebot.environments.staging]
        origin = "https://staging.convex.example"

        [tool.wisebot.gate]
        max-flaky = 1
        """,
    )
    empty_project.test(USES, "e2e/test_it.py")
    gated = empty_project.run("--wisebot-env", "staging", "--wisebot-gate")
    assert lines_of(gated)[1] == (
        "webhook API at https://staging.convex.example (pyproject.toml: tool.wisebot.environments.staging.origin)"
    )
    assert "the gate opens by [tool.wisebot.gate] in pyproject.toml" in lines_of(gated)
    none = "no environment is chosen: --wisebot-env, or default-environment in [tool.wisebot] in pyproject.toml"
    assert f"{none}; known: staging" in lines_of(empty_project.run("--wisebot-config", "pyproject.toml"))
    empty_project.write("wisebot.toml", "")
    both = empty_project.run()
    assert both.ret == pytest.ExitCode.USAGE_ERROR
    assert any("wisebot.toml and [tool.wisebot] in " in line for line in both.errlines)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("wisebot_timeout", "write timeout under [defaults] or under [environments.NAME] in wisebot.toml, or in "),
        ("wisebot-max-runs", "write max-runs under [defaults] or under [environments.NAME] in wisebot.toml, or in "),
        ("wisebot_token", "write token under [environments.NAME] in wisebot.toml, or in [tool.wisebot] of "),
        ("wisebot_env", "write default-environment at the top in wisebot.toml, or in "),
        ("wisebot_recordings", "write recordings at the top in wisebot.toml, or in "),
        ("wisebot_max_missing_tests", "write max-missing-tests under [gate] in wisebot.toml, or in "),
        ("wisebot_report", "write --wisebot-report into addopts"),
    ],
)
def test_a_setting_in_pytests_own_configuration_is_an_error(empty_project: Project, key: str, message: str) -> None:
    """It would have no effect: the message has the place where it belongs, and not the value, which may be a secret."""
    empty_project.write("pytest.ini", f"[pytest]\n{key} = CANARY-value")
    empty_project.test("def test_it():\n    pass")
    result = empty_project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    expected = f"ERROR: pytest.ini: {key}: pytest's configuration has no settings of Wisebot: {message}"
    assert any(line.startswith(expected) for line in result.errlines)
    assert "CANARY" not in result.stdout.str() + result.stderr.str()


def test_every_wrong_key_of_pytests_configuration_is_told_at_once(empty_project: Project) -> None:
    """With the likely name for one that is misspelt, for ``-o``, and under xdist; a plugin's own key is left alone."""
    empty_project.write(
        "conftest.py", "def pytest_addoption(parser):\n    parser.addini('wisebot_flows', 'a key of this project')"
    )
    empty_project.write("pyproject.toml", '[tool.pytest.ini_options]\nwisebot_tmeout = "3"\nwisebot_flows = "x"')
    empty_project.test("def test_it():\n    pass")
    for args in ((), ("-n", "1")):
        result = empty_project.run("-o", "wisebot_retries=3", *args)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        told = [
            line.removeprefix("ERROR: ").split(":")[:2] for line in result.errlines if "configuration has no" in line
        ]
        assert sorted(told) == [["-o", " wisebot_retries"], ["pyproject.toml", " wisebot_tmeout"]]
        assert any('wisebot.toml has no tmeout, did you mean "timeout"?' in line for line in result.errlines)
    assert empty_project.run("-o", "wisebot_retries=3", "--help").ret == 0
    empty_project.write("pyproject.toml", '[tool.pytest.ini_options]\nwisebot_flows = "x"')
    empty_project.run().assert_outcomes(passed=1)
