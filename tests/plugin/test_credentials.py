"""Credentials that are wrong, missing, swapped or expired: the named error, and the credential nowhere."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from harness import ByHand, Project

NOISY = ["-vv", "-l", "--showlocals", "--setup-show", "--log-level=DEBUG", "--junitxml=junit.xml", "--tb=long", "-rA"]

SECRET = "FAKE-secret-of-echo"
TOKEN = "wb_live_FAKE_token_of_the_emulator"
WRONG = 'CANARY-wrong/secret+"1"'

TEST = """
    def test_it(trigger_workflow, wisebot_settings):
        run = trigger_workflow("echo", {"a": 1})
        assert run.ok is None, (run, wisebot_settings)
"""


def everything(result: pytest.RunResult, folder: Path) -> str:
    """All that a session printed and wrote."""
    return result.stdout.str() + result.stderr.str() + (folder / "junit.xml").read_text("utf-8")


def assert_nowhere(credential: str, text: str) -> None:
    forms = {
        credential,
        quote(credential, safe=""),
        repr(credential)[1:-1],
        base64.b64encode(credential.encode()).decode(),
    }
    assert [form for form in forms if form in text] == []


CASES = [
    pytest.param("webhook", WRONG, TOKEN, "AuthenticationFailed", id="wrong-secret"),
    pytest.param("dashboard", SECRET, WRONG, "AuthenticationFailed", id="wrong-token"),
    pytest.param("webhook", TOKEN, SECRET, "AuthenticationFailed", id="swapped-webhook"),
    pytest.param("dashboard", TOKEN, SECRET, "AuthenticationFailed", id="swapped-dashboard"),
    pytest.param("dashboard", SECRET, None, "AuthenticationFailed", id="expired-token"),
    pytest.param("webhook", SECRET, TOKEN, "AssertionError", id="right-webhook"),
    pytest.param("dashboard", SECRET, TOKEN, "AssertionError", id="right-dashboard"),
]


IN_WORKERS = ("wrong-secret", "expired-token", "right-webhook")
"""The cases that a worker shows, too: each API, and a failure."""


@pytest.mark.parametrize(
    ("api", "secret", "token", "error", "xdist"),
    [
        *(pytest.param(*case.values, [], id=f"{case.id}-one-process") for case in CASES),
        *(
            pytest.param(*case.values, ["-n", "1"], id=f"{case.id}-xdist", marks=pytest.mark.slow)
            for case in CASES
            if case.id in IN_WORKERS
        ),
    ],
)
def test_the_named_error_and_the_credential_nowhere(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    emulator_by_hand: ByHand,
    api: str,
    secret: str,
    token: str | None,
    error: str,
    xdist: list[str],
) -> None:
    """The noisiest flags show neither credential, whether it is right or wrong, swapped or expired."""
    token = token or emulator_by_hand.expired
    monkeypatch.setenv("MY_SECRET", secret)
    monkeypatch.setenv("MY_TOKEN", token)
    project.test(TEST)
    given = ["--wisebot-secret", "env:MY_SECRET", "--wisebot-token", "env:MY_TOKEN", "--wisebot-api", api]
    run = project.run_apart if xdist else project.run
    result = run(*NOISY, *xdist, *emulator_by_hand.hosts, *given)
    assert result.parseoutcomes() == {"failed" if error == "AssertionError" else "infrastructure": 1}
    text = everything(result, project.path)
    assert f"{error}: " in text
    assert_nowhere(secret, text)
    assert_nowhere(token, text)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["--wisebot-api=webhook"],
            'there is no webhook secret for workflow "echo": give it by --wisebot-secret env:NAME '
            "or the variable WISEBOT_WORKFLOW_SECRET "
            "(no wisebot.toml, and no pyproject.toml with [tool.wisebot], was found beside the tests)",
        ),
        (
            ["--wisebot-api=dashboard"],
            "there is no token for the dashboard API: give it by --wisebot-token env:NAME "
            "or the variable WISEBOT_ACCESS_TOKEN "
            "(no wisebot.toml, and no pyproject.toml with [tool.wisebot], was found beside the tests)",
        ),
        (
            ["--wisebot-api=webhook", "--wisebot-secret=env:NOT_SET"],
            "--wisebot-secret: env:NOT_SET: the environment variable NOT_SET is not set",
        ),
        (
            ["--wisebot-api=dashboard", "--wisebot-token=file:nowhere"],
            "--wisebot-token: file:{path}/nowhere: cannot be read: No such file or directory",
        ),
    ],
)
def test_a_missing_credential_says_how_to_give_it(
    empty_project: Project, emulator_by_hand: ByHand, args: list[str], message: str
) -> None:
    """The ways to give it stand with the test that needs it; where all need it, in what ends the session."""
    empty_project.test(f"{TEST}\n    def test_plain():\n        pass\n")
    result = empty_project.run(*emulator_by_hand.hosts, *args)
    assert result.parseoutcomes() == {"passed": 1, "not": 1}
    expected = message.format(path=empty_project.path)
    assert f"E       pytest_wisebot.errors.ConfigurationError: {expected}" in result.outlines
    result = empty_project.run(*emulator_by_hand.hosts, *args, "--deselect", "test_it.py::test_plain")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"  test_it.py::test_it: {expected}" in result.errlines


def test_a_refused_token_is_found_out_before_any_run(project: Project) -> None:
    """``GET /api/v1/status`` checks the token once per session; no run is started with one that is refused."""
    project.test("""
        def test_it(trigger_workflow, wisebot_emulator):
            with pytest.raises(AuthenticationFailed) as caught:
                trigger_workflow.map("echo", [{}] * 5, api="dashboard")
            refused = "the token (--wisebot-token) was refused by GET /api/v1/status; no run was started (workflow"
            assert str(caught.value).startswith(refused)
            assert wisebot_emulator.calls() == []
    """)
    project.run("--wisebot-token", "CANARY-not-the-token").assert_outcomes(passed=1)


def test_a_value_on_the_command_line_leaves_the_options(project: Project) -> None:
    """``config.option`` holds an object that never shows it, also for other plugins that print options."""
    project.test("""
        def test_it(pytestconfig, trigger_workflow):
            assert "CANARY" not in repr(vars(pytestconfig.option))
            assert "CANARY" not in str(pytestconfig.option.wisebot_secret)
    """)
    project.run("--wisebot-secret", "CANARY-secret", "--wisebot-token", "CANARY-token").assert_outcomes(passed=1)


@pytest.mark.parametrize("flags", [[], NOISY[:-2]], ids=["plain", "noisy"])
def test_the_secret_of_one_call_is_masked_too(project: Project, flags: list[str]) -> None:
    """A credential in the test's own source, locals, output and logs is masked in what the test's report shows."""
    project.test("""
        import logging

        def test_it(trigger_workflow, capsys, record_property):
            mine = "CANARY-of-one-call"
            print("printed", mine)
            logging.getLogger("mine").warning("logged %s", mine)
            record_property("mine", mine)
            trigger_workflow("echo", secret=mine)
    """)
    result = project.run_apart("--junitxml=junit.xml", *flags)
    assert {word: count for word, count in result.parseoutcomes().items() if word != "warnings"} == {
        "infrastructure": 1
    }
    text = everything(result, project.path)
    assert "AuthenticationFailed" in text
    assert "<secret>" in text
    assert_nowhere("CANARY-of-one-call", text)


PER_CALL = """
    import os, pathlib, time

    CALL = "-".join(["CANARY", "of", "one", "call"])
    GIVEN = pathlib.Path(__file__).with_name("given")

    def test_gives(trigger_workflow):
        with pytest.raises(AuthenticationFailed):
            trigger_workflow("echo", {"n": 1}, secret=CALL)
        GIVEN.touch()
        time.sleep(0.5)  # the other worker takes the other test

    def test_shows(trigger_workflow, workflow_snapshot):
        ends_at = time.monotonic() + 10
        while not GIVEN.exists() and time.monotonic() < ends_at:
            time.sleep(0.01)
        if "told" in os.environ["WHEN"]:
            trigger_workflow("echo", {"n": 2})
        print("printed", CALL)
        if "told" in os.environ["WHEN"]:
            assert {"k": CALL} == workflow_snapshot
        value = CALL
        assert value == "a"
"""


DEAF = """
    import os

    def pytest_configure(config):
        if hasattr(config, "workerinput") and os.environ["WHEN"] == "too early":
            from pytest_wisebot.workers.remote_engine import RemoteEngine

            hear = RemoteEngine._receive
            RemoteEngine._receive = lambda self, message: None if "mask" in message else hear(self, message)
"""


@pytest.mark.parametrize("when", ["told", "too early"])
def test_what_one_worker_was_given_for_one_call_no_worker_shows(
    project: Project, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Neither in its reports nor in snapshots; and what a worker could not know yet, the controller masks."""
    monkeypatch.setenv("WHEN", when)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    project.write("conftest.py", DEAF)
    project.test(PER_CALL)
    result = project.run(*NOISY, "-n", "2", "--snapshot-update")
    result.assert_outcomes(passed=1, failed=1)
    assert "printed <secret>" in everything(result, project.path)
    written = [path.read_text("utf-8") for path in project.path.rglob("__snapshots__/**/*.json")]
    assert_nowhere("CANARY-of-one-call", "\n".join([everything(result, project.path), *written]))
    assert len(written) == (1 if when == "told" else 0)


@pytest.mark.parametrize("flags", [[], ["-n", "1"]], ids=["one process", "xdist"])
@pytest.mark.parametrize(
    ("variable", "user", "password"),
    [
        ("HTTPS_PROXY", "bob", "CANARY-of%2Fthe+proxy"),
        ("all_proxy", "bob", "CANARY-of-all"),
        ("http_proxy", "robert", "CANAR"),
    ],
)
def test_the_password_of_a_proxy_is_masked(
    project: Project, monkeypatch: pytest.MonkeyPatch, variable: str, user: str, password: str, flags: list[str]
) -> None:
    """It is a credential that this plugin reads, whichever variable names it; a short one is masked beside its user."""
    monkeypatch.setenv(variable, f"http://{user}:{password}@proxy.example:3128")
    project.test(f"""
        import base64, logging, os
        from urllib.parse import unquote

        def test_it(trigger_workflow):
            given = os.environ["{variable}"]
            pair = unquote(given.split("//")[1].split("@")[0])
            header = "Proxy-Authorization: Basic " + base64.b64encode(pair.encode()).decode()
            run = trigger_workflow("echo", {{"given": given, "pair": pair, "sent": pair.encode().hex()}})
            print(header, given)
            logging.getLogger("mine").warning("%s", run.result)
            assert run.result == {{"pair": pair, "header": header}}, given
    """)
    result = project.run(*NOISY, "--wisebot-report=report", *flags)
    result.assert_outcomes(failed=1)
    written = [path.read_text("utf-8") for path in project.path.glob("report/*")]
    said = "\n".join([everything(result, project.path), *written])
    pair = unquote(f"{user}:{password}")
    assert "CANAR" not in said
    assert base64.b64encode(pair.encode()).decode() not in said
    assert pair.encode().hex() not in said
    assert "http://<secret>" in said


@pytest.mark.parametrize(
    "option",
    ["env", "against", "origin", "config", "workflow", "tag", "baseline", "scan", "history=wisebot.toml/", "session"],
)
def test_a_credential_as_the_value_of_an_option_does_not_show(
    empty_project: Project, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    """Where it stands in the place of a name, a host or a file, the error of usage masks it."""
    monkeypatch.setenv("OF_STAGING", "FAKE-CANARY-secret-77")
    empty_project.write(
        "wisebot.toml", '[environments.staging]\norigin = "https://x.test"\nsecret = "env:OF_STAGING"\n'
    )
    empty_project.test(TEST)
    begin = f"--wisebot-{option}" + ("" if "=" in option else "=")
    mode = ["--wisebot-runs=last"] if option == "session" else []
    result = empty_project.run_apart(*mode, begin + "FAKE-CANARY-secret-77")
    shown = result.stdout.str() + result.stderr.str()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "FAKE-CANARY" not in shown
    assert f"--wisebot-{option.partition('=')[0]}" in shown
    assert "<secret>" in shown
