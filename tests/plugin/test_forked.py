"""pytest-forked runs tests in processes of their own, which can start and use no run: none is sent for them."""

from __future__ import annotations

import os
from typing import Any

import pytest
from harness import Outside

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes are forked here")

FORKED = """
    import json, os, warnings
    import pytest
    from _pytest.runner import runtestprotocol

    def pytest_addoption(parser):
        parser.addoption("--forked", action="store_true", dest="forked", default=False)

    def pytest_configure(config):
        config.addinivalue_line("markers", "forked: run this test in a process of its own")

    def reports_of(item, nextitem):
        read, write = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that this process has threads
            child = os.fork()
        if child == 0:
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
            hook = item.config.hook.pytest_report_to_serializable
            os.write(write, json.dumps([hook(config=item.config, report=one) for one in reports]).encode())
            os._exit(0)
        os.close(write)
        told = b"".join(iter(lambda: os.read(read, 65536), b""))
        os.close(read)
        os.waitpid(child, 0)
        hook = item.config.hook.pytest_report_from_serializable
        return [hook(config=item.config, data=one) for one in json.loads(told)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(item, nextitem):
        if not item.config.option.forked and item.get_closest_marker("forked") is None:
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in reports_of(item, nextitem):
            item.ihook.pytest_runtest_logreport(report=report)
        item.session._setupstate.teardown_exact(nextitem)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True
"""
"""What pytest-forked does: itself it does not send reports of pytest 9.2 back."""


@pytest.fixture
def forking(outside: Outside) -> Any:
    """A project whose tests may be forked."""
    outside.project.write("conftest.py", FORKED)
    return outside


SUITE = """
    @pytest.mark.wisebot("echo")
    @pytest.mark.parametrize("inputs", [{"n": n} for n in range(3)])
    def test_declared(workflow_run, inputs):
        pass

    def test_called(trigger_workflow):
        trigger_workflow("echo", {"n": "called"})

    def test_unrelated():
        pass
"""


def test_under_forked_nothing_is_sent_and_the_error_names_the_option(forking: Any) -> None:
    """Whether a run is declared or called for; the plan gives the same reason."""
    forking.test(SUITE)
    result = forking.run("--forked")
    assert result.parseoutcomes() == {"not": 4, "passed": 1}
    error = "--forked runs each test in a process that cannot start or use runs: leave the option out"
    result.stdout.fnmatch_lines([f"E*ConfigurationError: {error}", "and for the same reason 3 more:"])
    assert forking.arrived == []
    forking.run("--forked", "--wisebot-plan").stdout.fnmatch_lines(
        ["*3 runs known, 0 of them ahead of their tests (--forked)"]
    )


def test_nothing_is_ahead_of_a_test_with_the_mark(forking: Any) -> None:
    """``@pytest.mark.forked`` does the same to one test: the runs of the others are ahead."""
    forking.test(SUITE, """
    @pytest.mark.forked
    @pytest.mark.wisebot("echo", {"n": "forked"})
    def test_forked(workflow_run):
        pass
    """)  # fmt: skip
    result = forking.run()
    assert result.parseoutcomes() == {"passed": 5, "not": 1}
    error = "the mark forked runs this test in a process that cannot start or use runs: leave the mark out"
    assert f"ConfigurationError: {error}" in result.stdout.str()
    assert sorted(map(str, forking.arrived)) == ["0", "1", "2", "called"]
