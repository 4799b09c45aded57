"""What is refused again and again is not tried any more: one message, and no five hundred failures."""

from __future__ import annotations

import socket

import pytest
from harness import Numbers, Outside

from pytest_wisebot.emulator import Fault

MANY = """
    @pytest.mark.wisebot(WORKFLOW)
    @pytest.mark.parametrize("inputs", [{"n": n} for n in range(TESTS)])
    def test_many(workflow_run, inputs):
        pass
"""


def named(start: int, end: int) -> list[str]:
    return [f"  test_it.py::test_many[inputs{number}]" for number in range(start, end)]


@pytest.fixture
def free_port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


@pytest.mark.parametrize("at_once", [1, 8])
def test_a_host_where_nobody_listens_is_tried_five_times(
    outside: Outside, numbers: Numbers, free_port: int, at_once: int
) -> None:
    """Five tests say so, the others are not run, and the reason stands once at the end, however many fly at once."""
    host = f"http://127.0.0.1:{free_port}"
    outside.test("WORKFLOW, TESTS = 'echo', 12", MANY)
    args = ["--wisebot-retries", "0", "--wisebot-concurrency", str(at_once), "--wisebot-secret", "env:CANARY"]
    result = outside.run("-vv", *args, "--wisebot-origin", host)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes() == {"infrastructure": 5, "not": 7}
    assert result.stdout.str().count(" at setup __") == 5
    message = f'connection refused (workflow "echo" over the webhook API at {host})'
    assert result.outlines.count(f"E   pytest_wisebot.errors.ConnectionFailed: {message}") == 5
    assert numbers(result) == [
        "5 runs without a verdict",
        f"7 runs not run: 5 runs in a row had failed at {host}: connection refused",
        *named(5, 12),
    ]


def test_a_host_that_is_not_found_stops_all_workflows(
    outside: Outside, numbers: Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names, too, are asked for five times: what is wrong is the host, whatever the workflow."""

    def no_such_host(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    outside.test("WORKFLOW, TESTS = 'echo', 4", MANY, """
        @pytest.mark.wisebot("nap", {})
        @pytest.mark.parametrize("n", range(4))
        def test_other(workflow_run, n):
            pass
    """)  # fmt: skip
    host = "https://wisebot.invalid"
    args = ["--wisebot-retries", "0", "--wisebot-concurrency", "1", "--wisebot-secret", "env:CANARY"]
    with monkeypatch.context() as names:
        names.setattr(socket, "getaddrinfo", no_such_host)
        result = outside.run("-vv", *args, "--wisebot-origin", host)
    assert result.parseoutcomes() == {"infrastructure": 5, "not": 3}
    assert result.stdout.str().count(" at setup __") == 5
    assert numbers(result) == [
        "5 runs without a verdict",
        f"3 runs not run: 5 runs in a row had failed at {host}: host not found",
        *[f"  test_it.py::test_other[{number}]" for number in (1, 2, 3)],
    ]


@pytest.fixture(autouse=True)
def _canary(monkeypatch: pytest.MonkeyPatch) -> None:
    """A credential for hosts that are given as options."""
    monkeypatch.setenv("CANARY", "CANARY-secret")


def test_the_secret_of_one_workflow_stops_that_workflow_alone(outside: Outside, numbers: Numbers) -> None:
    """Seven runs of it are not run, and all of another workflow with the same secret pass, before and after."""
    outside.test("WORKFLOW, TESTS = 'locked', 12", MANY, """
        @pytest.mark.wisebot("echo", {})
        @pytest.mark.parametrize("n", range(6))
        def test_other(workflow_run, n):
            assert workflow_run.ok
    """)  # fmt: skip
    result = outside.run("-vv", "--wisebot-concurrency", "1", "--wisebot-no-ahead")
    assert result.parseoutcomes() == {"passed": 6, "infrastructure": 5, "not": 7}
    assert result.stdout.str().count(" at setup __") == 5
    assert [call.workflow for call in outside.calls] == ["locked"] * 5 + ["echo"] * 6
    reason = (
        f"the webhook secret file:{outside.project.path / 'secret.txt'} "
        "(wisebot.toml: environments.outside.secret) was refused"
    )
    assert numbers(result)[2:] == [
        "5 runs without a verdict",
        f"7 runs not run: 5 runs in a row had failed at {outside.handle.origin}: {reason}",
        *named(5, 12),
    ]


def test_a_wrong_dashboard_token_stops_all_that_needs_it(outside: Outside, numbers: Numbers) -> None:
    """The token is checked once, before any run, and what goes over the webhook API is run all the same."""
    outside.project.write("token.txt", "FAKE-token-that-is-wrong")
    outside.test("WORKFLOW, TESTS = 'echo', 3", MANY, """
        @pytest.mark.wisebot("nap", {"n": 1, "seconds": 0})
        @pytest.mark.parametrize("n", range(5))
        def test_other(workflow_run, n):
            pass

        @pytest.mark.wisebot("echo", {"n": "webhook"}, api="webhook")
        def test_webhook(workflow_run):
            assert workflow_run.ok
    """)  # fmt: skip
    result = outside.run("-vv", "--wisebot-api", "dashboard")
    assert result.parseoutcomes() == {"passed": 1, "infrastructure": 5, "not": 3}
    assert result.stdout.str().count(" at setup __") == 5
    assert outside.arrived == ["webhook"]
    assert outside.handle.status_checks() == 1
    reason = (
        f"the token file:{outside.project.path / 'token.txt'} (wisebot.toml: environments.outside.token) "
        "was refused by GET /api/v1/status; no run was started"
    )
    assert numbers(result)[2:] == [
        "5 runs without a verdict",
        f"3 runs not run: 5 runs in a row had failed at {outside.handle.base_url}: {reason}",
        *[f"  test_it.py::test_other[{number}]" for number in (2, 3, 4)],
    ]


def test_what_is_no_refusal_stops_nothing(outside: Outside) -> None:
    """Gateways that fail, workflows that fail or are not known: each run is tried, as many as there are."""
    outside.handle.fail_next(Fault.html(502), times=8, everywhere=True)
    outside.test("WORKFLOW, TESTS = 'echo', 8", MANY, """
        @pytest.mark.wisebot("nowhere", {})
        @pytest.mark.parametrize("n", range(8))
        def test_unknown(workflow_run, n):
            pass

        @pytest.mark.wisebot("refund", {})
        @pytest.mark.parametrize("n", range(8))
        def test_failing(workflow_run, n):
            assert_failed(workflow_run)
    """)  # fmt: skip
    result = outside.run("-vv", "--wisebot-no-ahead")
    assert result.parseoutcomes() == {"passed": 8, "infrastructure": 16}
    assert result.stdout.str().count(" at setup __") == 16
    assert len(outside.calls) == 24


def test_one_success_in_between_begins_the_count_anew(outside: Outside) -> None:
    """Only refusals in a row are a reason to stop, and only of one kind."""
    outside.test("""
        from pytest_wisebot.emulator import Fault

        @pytest.mark.parametrize("status", [401, 403, 401])
        def test_it(trigger_workflow, status):
            emulator.fail_next(Fault.status(status), times=4, everywhere=True)
            for _ in range(4):
                with pytest.raises(AuthenticationFailed):
                    trigger_workflow("echo")
            assert trigger_workflow("echo").ok
    """)
    outside.run().assert_outcomes(passed=3)
    assert len(outside.calls) == 15


def test_each_secret_of_a_call_is_a_credential_of_its_own(outside: Outside) -> None:
    """Tests that try wrong secrets on purpose do not stop one another, nor the right one."""
    outside.test("""
        @pytest.mark.parametrize("n", range(7))
        def test_wrong(trigger_workflow, n):
            with pytest.raises(AuthenticationFailed):
                trigger_workflow("locked", secret=f"FAKE-secret-number-{n}")

        def test_right(trigger_workflow):
            assert trigger_workflow("locked", secret="FAKE-secret-that-no-test-has").ok
    """)
    outside.run().assert_outcomes(passed=8)


@pytest.mark.parametrize("api", ["webhook", "dashboard"])
@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["one process", "xdist"])
def test_refusals_that_tests_expect_open_no_circuit(outside: Outside, api: str, workers: list[str]) -> None:
    """Seven tests of a refused credential pass one after the other; each of them asks for itself."""
    outside.project.write("secret.txt", "FAKE-secret-of-old")
    outside.project.write("token.txt", "wb_live_FAKE_token_of_old")
    outside.test(f"""
        @pytest.mark.parametrize("n", range(7))
        def test_refused(trigger_workflow, n):
            with pytest.raises(AuthenticationFailed):
                trigger_workflow("echo", {{"n": n}}, api="{api}")
    """)
    outside.run(*workers).assert_outcomes(passed=7)


def test_within_one_test_five_refusals_stop_the_rest(outside: Outside) -> None:
    """They count when they happen: what a test expects, it need not ask for a hundred times."""
    outside.project.write("secret.txt", "FAKE-secret-of-old")
    outside.test("""
        def test_refused(trigger_workflow):
            for _ in range(5):
                with pytest.raises(AuthenticationFailed):
                    trigger_workflow("echo", {"n": 1})
            with pytest.raises(CircuitOpen):
                trigger_workflow("echo", {"n": 1})

        def test_after(trigger_workflow):
            with pytest.raises(AuthenticationFailed):
                trigger_workflow("echo", {"n": 1})

        @pytest.mark.parametrize("n", range(6))
        def test_that_fails(trigger_workflow, n):
            trigger_workflow("echo", {"n": n})
    """)
    assert outside.run().parseoutcomes() == {"passed": 2, "infrastructure": 5, "not": 1}
