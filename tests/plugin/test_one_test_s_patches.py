"""What one test does to its own process reaches no other test's runs, although these fly while it runs."""

from __future__ import annotations

import pytest
from harness import Outside

DECLARED = """
    @pytest.mark.wisebot("gate", {"n": "declared", "until": GATE})
    def test_declared(workflow_run):
        assert workflow_run.result == {"n": "declared", "until": GATE}
"""


@pytest.mark.parametrize("ahead", [True, False])
def test_a_mock_of_httpx_answers_no_run(outside: Outside, ahead: bool) -> None:
    """What a test puts in the place of httpx' transports is asked for nothing of ours: the run is a real one."""
    outside.test(
        """
        import httpx

        async def never(self, request):
            return httpx.Response(200, json={"ok": True, "runId": "mocked"})

        def test_first(trigger_workflow):
            trigger_workflow("echo", {"n": "first"})

        @pytest.fixture(scope="module")
        def mocked():
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", never)
                patch.setattr(httpx.AsyncClient, "send", never)
                patch.setattr(httpx, "AsyncClient", None)
                yield

        def test_mocks(mocked):
            open_gate()
        """,
        DECLARED,
    )
    result = outside.run(*([] if ahead else ["--wisebot-no-ahead"]))
    result.assert_outcomes(passed=3)
    assert sorted(outside.arrived) == ["declared", "first"]


def test_what_no_network_answered_is_no_run(outside: Outside) -> None:
    """A mock in the place of httpcore's own class cannot be passed by: the test is not green without a run."""
    outside.test("""
        import httpcore

        class Mocked:
            def __init__(self, **options):
                pass

            async def __aenter__(self):
                return self

            async def __aexit__(self, *_):
                pass

            async def handle_async_request(self, request):
                return httpcore.Response(200, content=b'{"ok": true, "runId": "mocked"}')

        @pytest.mark.parametrize("api", ["webhook", "dashboard"])
        def test_it(trigger_workflow, monkeypatch, api):
            monkeypatch.setattr(httpcore, "AsyncConnectionPool", Mocked)
            trigger_workflow("echo", api=api)
    """)
    result = outside.run()
    assert result.parseoutcomes() == {"not": 2}
    assert outside.arrived == []
    result.stdout.fnmatch_lines([
        'E       pytest_wisebot.errors.ConfigurationError: workflow "echo": no request was sent to http://127.0.0.1:*, '
        "and yet an answer came: something in this process, such as a mock of httpx or httpcore, answers in the "
        "network's place; where it is another test's, --wisebot-no-ahead keeps this run out of it"
    ])  # fmt: skip


def test_proxies_are_those_of_the_session_s_beginning(outside: Outside) -> None:
    """A proxy that a test sets for its own code is not taken by the engine, not even when that begins in the test."""
    outside.setting('origin = "http://wisebot.example"\nallow-http = true')
    toml = (outside.project.path / "wisebot.toml").read_text("utf-8")
    lines = [line for line in toml.splitlines() if not line.startswith('origin = "http://127')]
    outside.project.write("wisebot.toml", "\n".join(lines))
    outside.test("""
        import socket

        def test_it(trigger_workflow, monkeypatch):
            with socket.create_server(("127.0.0.1", 0)) as proxy:
                monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.getsockname()[1]}")
                monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
                try:
                    trigger_workflow("echo", api="webhook", timeout=2)
                except Exception as error:
                    assert type(error).__name__ == "ConnectionFailed"
                proxy.setblocking(False)
                with pytest.raises(BlockingIOError):
                    proxy.accept()
    """)
    outside.run().assert_outcomes(passed=1)


def test_a_test_s_log_holds_no_records_of_other_tests_runs(outside: Outside) -> None:
    """``caplog`` sees what the test and its own libraries log, in whatever thread, and nothing of the engine's."""
    outside.test(
        """
        import logging, threading

        def test_logs(caplog):
            caplog.set_level("DEBUG")
            open_gate()
            until(lambda: answered() == ["declared"])
            thread = threading.Thread(target=logging.getLogger("httpcore.http11").debug, args=["mine"])
            thread.start()
            thread.join()
            assert caplog.messages == ["mine"]
        """,
        DECLARED,
    )
    outside.run("-p", "no:cacheprovider").assert_outcomes(passed=2)


def test_the_shared_random_numbers_are_the_tests_own(outside: Outside) -> None:
    """Pauses before another attempt take nothing from the generator that a test has seeded."""
    outside.handle.fail_next(outside.rate_limited(None), times=1, everywhere=True)
    outside.test("""
        import random

        def test_it(trigger_workflow):
            random.seed(7)
            expected = random.random()
            random.seed(7)
            trigger_workflow("echo")
            assert random.random() == expected
    """)
    outside.run("--wisebot-retries", "1").assert_outcomes(passed=1)


@pytest.mark.skipif("not hasattr(os, 'fork')", reason="needs fork")
def test_a_forked_child_is_refused(outside: Outside) -> None:
    """It has the engine's memory and not its thread: it is told so, and does not wait for ever."""
    outside.test("""
        import multiprocessing

        def child(trigger_workflow, queue):
            try:
                trigger_workflow("echo", {"n": "child"})
            except Exception as error:
                queue.put(f"{type(error).__name__}: {error}")

        def test_it(trigger_workflow):
            trigger_workflow("echo", {"n": "parent"})
            context = multiprocessing.get_context("fork")
            queue = context.Queue()
            process = context.Process(target=child, args=[trigger_workflow, queue])
            process.start()
            assert queue.get(timeout=10) == (
                "ConfigurationError: a process that a test has forked cannot start runs: start them in the test itself"
            )
            process.join(10)
    """)
    for args in ([], ["-n", "1"]):
        outside.run(*args).assert_outcomes(passed=1)
    assert outside.arrived == ["parent", "parent"]
