"""The last look: a session that wrote a credential anywhere fails, and says where."""

from __future__ import annotations

import pytest
from harness import Outside, Project

CANARY = "FAKE-secret-of-all"
RUNNING = """
    def test_it(trigger_workflow):
        assert trigger_workflow("echo").ok
"""
LEAKING = f"""
    import pytest

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(session):
        if not hasattr(session.config, "workerinput"):
            path = session.config.rootpath / "junit.xml"
            path.write_text(path.read_text() + "<!-- {CANARY} -->")
"""
"""A plugin that is not as careful."""


@pytest.mark.parametrize("args", [[], ["-n", "2"]], ids=str)
def test_a_junit_file_with_a_credential_fails_the_session(outside: Outside, args: list[str]) -> None:
    """All tests have passed, and yet the exit code is 1, and the place is shown, the credential masked."""
    outside.project.write("secret.txt", CANARY)
    outside.project.write("conftest.py", LEAKING)
    outside.test(RUNNING)
    result = outside.run("--junitxml=junit.xml", *args)
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["=* wisebot: credentials in what this session wrote *=", "junit.xml:*<secret>*"])
    assert CANARY not in result.stdout.str()


WRITES_INTO = f"""
    import os
    import pytest

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(session):
        for path in session.config.rootpath.glob(os.environ["INTO"]):
            with path.open("a") as file:
                file.write("\\n{CANARY}\\n")
"""


@pytest.mark.parametrize(
    ("args", "into", "told"),
    [
        (["--junitxml=~/home.xml"], "home.xml", "home.xml"),
        (["-o", "log_file=by-ini.txt"], "by-ini.txt", "by-ini.txt"),
        (["--log-file=log.txt"], "log.txt", "log.txt"),
        (["--wisebot-runs=record"], "recordings/**/*.json", "recordings/*.json"),
        (["--wisebot-summary=summary.md"], "summary.md", "summary.md"),
        (["--wisebot-baseline=old.jsonl"], "old.jsonl", "old.jsonl"),
        (["--wisebot-report=report"], "report/runs.jsonl", "report/runs.jsonl"),
        ([], ".wisebot/sessions/*/events.jsonl", ".wisebot/sessions/*/events.jsonl"),
    ],
    ids=str,
)
def test_all_that_a_session_writes_is_looked_through(
    outside: Outside, monkeypatch: pytest.MonkeyPatch, args: list[str], into: str, told: str
) -> None:
    """Whatever named the file: an option, a setting, or this plugin itself."""
    monkeypatch.setenv("HOME", str(outside.project.path))
    monkeypatch.setenv("INTO", into)
    outside.project.write("secret.txt", CANARY)
    outside.project.write("conftest.py", WRITES_INTO)
    outside.project.write("summary.md", "of an earlier step\n")
    outside.project.write("old.jsonl", '{"event": "test", "test": "a", "outcome": "passed", "runs": []}')
    outside.test(RUNNING)
    result = outside.run(*args)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["=* wisebot: credentials in what this session wrote *=", f"{told}:*<secret>*"])


@pytest.mark.slow
@pytest.mark.parametrize("dies", ["in the same test", "in the next test"])
def test_what_a_killed_worker_has_written_is_looked_through(
    outside: Outside, monkeypatch: pytest.MonkeyPatch, dies: str
) -> None:
    """It says so with each report; of the test that it died in, the module's snapshots are looked through."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    outside.project.write("secret.txt", CANARY)
    outside.test(f"""
        import os

        def test_it(trigger_workflow, workflow_snapshot):
            trigger_workflow("echo")
            assert {{"n": 1}} == workflow_snapshot
            if {dies!r} == "in the same test":
                os._exit(3)

        def test_next():
            os._exit(3)
    """)
    outside.project.write("__snapshots__/test_it/test_it.json", f'{{"n": "{CANARY}"}}')
    result = outside.run("-n", "1", "--max-worker-restart=1")
    result.stdout.fnmatch_lines(["=* wisebot: credentials in what this session wrote *=", "*test_it.json:*<secret>*"])


def test_a_session_that_wrote_none_is_not_disturbed(outside: Outside) -> None:
    """No line, and no other exit code, for files that hold none; nor for those that it did not write."""
    outside.project.write("secret.txt", CANARY)
    outside.project.write("other.txt", CANARY)
    outside.test(RUNNING)
    result = outside.run("--junitxml=junit.xml", "--debug")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("*credentials in what*")


def test_another_exit_code_stays(outside: Outside) -> None:
    """What pytest itself had to say is not overwritten; the place is told all the same."""
    outside.project.write("secret.txt", CANARY)
    outside.project.write("conftest.py", LEAKING)
    outside.test(RUNNING, "import pytest\n\ndef test_end():\n    pytest.exit('enough', returncode=7)\n")
    result = outside.run("--junitxml=junit.xml")
    assert result.ret == 7
    result.stdout.fnmatch_lines(["junit.xml:*<secret>*"])


# --- --wisebot-scan ---------------------------------------------------------------------------------------------------


def test_a_scan_looks_and_runs_nothing(outside: Outside) -> None:
    """Folders and files, each form of each credential of the settings, and what merely looks like one."""
    outside.project.write("secret.txt", CANARY)
    outside.project.write("out/deep/log.txt", f"first\nBearer {CANARY}\n")
    outside.project.write("out/page.html", "https://x.example/?s=FAKE%2Dsecret%2Dof%2Dall")
    outside.project.write("key.txt", "wb_live_FAKEFAKEFAKEFAKE")
    outside.project.write("clean.txt", "nothing")
    outside.test("raise AssertionError('collected')")
    result = outside.run("--wisebot-scan", "out", "--wisebot-scan", "key.txt", "--wisebot-scan", "clean.txt")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.outlines[-4:] == [
        "out/page.html:1: https://x.example/?s=<secret>",
        "out/deep/log.txt:2: Bearer <secret>",
        "key.txt:1: <secret>",
        "wisebot scan: 2 credentials known, and all that looks like one: found in 3 places",
    ]
    clean = outside.run("--wisebot-scan", "clean.txt")
    assert clean.ret == pytest.ExitCode.OK
    assert clean.outlines[-1] == "wisebot scan: 2 credentials known, and all that looks like one: none found"


def test_a_scan_knows_the_credentials_of_every_environment(empty_project: Project) -> None:
    """Those of staging and of production, whichever is the default; an environment may be protected."""
    empty_project.write("staging.txt", f"{CANARY}-1")
    empty_project.write("production.txt", f"{CANARY}-2")
    empty_project.write(
        "wisebot.toml",
        '[environments.staging]\norigin = "https://a.example"\nsecret = "file:staging.txt"\n'
        '[environments.production]\nprotected = true\norigin = "https://b.example"\nsecret = "file:production.txt"\n',
    )
    empty_project.write("out/log.txt", f"{CANARY}-1\n{CANARY}-2\n")
    result = empty_project.run("--wisebot-scan", "out")
    assert result.outlines == [
        "out/log.txt:1: <secret>",
        "out/log.txt:2: <secret>",
        "wisebot scan: 2 credentials known, and all that looks like one: found in 2 places",
    ]


def test_a_scan_says_what_it_cannot_look_for(empty_project: Project) -> None:
    """A credential that leads nowhere is not known: then nothing found is no good news, and no success."""
    empty_project.write(
        "wisebot.toml",
        '[environments.staging]\norigin = "https://a.example"\nsecret = "env:FAKE_UNSET"\n'
        '[environments.production]\norigin = "https://b.example"\ntoken = "file:nowhere.txt"\n',
    )
    empty_project.write("out/log.txt", "nothing")
    result = empty_project.run("--wisebot-scan", "out")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.outlines == [
        "not looked for: env:FAKE_UNSET (the environment variable FAKE_UNSET is not set), given by "
        "wisebot.toml: environments.staging.secret",
        f"not looked for: file:{empty_project.path}/nowhere.txt (cannot be read: No such file or directory), given by "
        "wisebot.toml: environments.production.token",
        "wisebot scan: 0 credentials known, and all that looks like one: none found",
    ]
    empty_project.write("out/log.txt", "wb_live_FAKEFAKEFAKEFAKE")
    assert empty_project.run("--wisebot-scan", "out").ret == pytest.ExitCode.TESTS_FAILED


def test_a_scan_by_settings_that_are_wrong_is_a_mistake(outside: Outside) -> None:
    """Nobody knows what to look for."""
    outside.project.write("wisebot.toml", "this is no TOML")
    result = outside.run("--wisebot-scan", ".")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --wisebot-scan: *wisebot.toml*"])


def test_a_scan_of_nothing_is_a_mistake(outside: Outside) -> None:
    """A typo in the path must not look like a clean folder."""
    result = outside.run("--wisebot-scan", "nowhere")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --wisebot-scan: there is no */nowhere"])


@pytest.mark.parametrize("args", [[], ["-n", "1"]], ids=str)
def test_snapshots_that_were_compared_are_looked_through(outside: Outside, args: list[str]) -> None:
    """One that somebody has edited by hand, or that another tool has written, may hold what ours never would."""
    outside.project.write("secret.txt", CANARY)
    outside.test("""
        def test_it(trigger_workflow, workflow_snapshot):
            assert trigger_workflow("echo", {"n": 1}) == workflow_snapshot
    """)
    outside.run("--snapshot-update").assert_outcomes(passed=1)
    file = outside.project.path / "__snapshots__/test_it/test_it.json"
    file.write_text(f"{file.read_text('utf-8')}\n\n{' ' * len(CANARY)}\n", "utf-8")
    outside.run(*args).assert_outcomes(passed=1)
    file.write_text(file.read_text("utf-8").replace('"n": 1', f'"{CANARY}": 1'), "utf-8")
    result = outside.run(*args)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["=* wisebot: credentials in what this session wrote *=", "*test_it.json:*<secret>*"])
    assert CANARY not in result.stdout.str()
