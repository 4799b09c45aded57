"""A worker that cannot reach the controller, such as one on another machine, says so where it matters."""

from __future__ import annotations

import platform
import socket

import pytest
from harness import Project

ALONE = ["-p", "xdist", "-p", "wisebot"]

SUITE = """
    @pytest.mark.wisebot("echo", {"n": 1})
    def test_declared(workflow_run):
        pass

    def test_called(trigger_workflow):
        trigger_workflow("echo", {"n": 2})

    def test_settings(wisebot_settings):
        pass

    def test_emulator(wisebot_emulator):
        pass

    @pytest.mark.parametrize("number", range(4))
    def test_unit(number):
        pass
"""

ELSEWHERE = """
    import json
    import pytest

    @pytest.hookimpl(trylast=True)
    def pytest_configure_node(node):
        door = json.loads(node.workerinput["wisebot_door"])
        node.workerinput["wisebot_door"] = json.dumps(door | {change})
"""


@pytest.fixture(autouse=True)
def _no_other_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def told(result: pytest.RunResult) -> set[str]:
    """What the errors of the tests say, whichever worker says it."""
    lines = [line for line in result.outlines if line.startswith("E   ")]
    return {line.removeprefix("E   ").strip().replace("gw1", "gw0") for line in lines}


def cannot(port: int, reason: str) -> str:
    return (
        f"pytest_wisebot.errors.ConfigurationError: worker gw0 on {platform.node()} cannot reach the controller's "
        f"engine at 127.0.0.1:{port} ({reason}). Runs are started by the controller, and only workers on its own "
        "machine can ask it: use -n, and no --tx to other machines."
    )


def test_each_test_that_needs_a_run_is_told_and_all_others_pass(project: Project) -> None:
    """Nobody answers there: one clear error for each test that needs the engine, and no test stops another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    project.write("conftest.py", ELSEWHERE.replace("{change}", f'{{"port": {port}}}'))
    project.test(SUITE)
    result = project.run_apart(*ALONE, "-n", "2")
    assert result.parseoutcomes() == {"passed": 4, "not": 4}
    assert told(result) == {cannot(port, "Connection refused")}
    assert "INTERNALERROR" not in result.stdout.str()


def test_another_service_that_listens_there_is_told_apart(project: Project) -> None:
    """What answers and is no engine is never taken for one, and gets nothing but the key it was shown."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        project.write("conftest.py", ELSEWHERE.replace("{change}", f'{{"port": {port}}}'))
        project.test(SUITE)
        import threading

        def answer() -> None:
            while True:
                try:
                    connection, _ = other.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        result = project.run_apart(*ALONE, "-n", "2")
        other.shutdown(socket.SHUT_RDWR)
    assert result.parseoutcomes() == {"passed": 4, "not": 4}
    assert told(result) == {cannot(port, "something else answers there")}


def test_a_wrong_key_opens_nothing(project: Project) -> None:
    """A process that knows the port and not the key is shut out, and the session goes on."""
    project.write("conftest.py", ELSEWHERE.replace("{change}", '{"key": "FAKE-key"}'))
    project.test(SUITE)
    result = project.run_apart(*ALONE, "-n", "2")
    assert result.parseoutcomes() == {"passed": 4, "not": 4}
    assert "(something else answers there)" in " ".join(told(result))
