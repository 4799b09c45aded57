"""A session whose emulator, or which itself, lacks descriptors; and workflow functions that block."""

from __future__ import annotations

import sys

import pytest
from harness import Project

FLOWS = """
    import asyncio, os, resource, time
    from pytest_wisebot.emulator import Emulator

    emulator = Emulator(token="wb_live_FAKE_token_of_the_emulator")

    @emulator.workflow("limit")
    def limit(inputs):
        return resource.getrlimit(resource.RLIMIT_NOFILE)

    @emulator.workflow("opens")
    async def opens(inputs):
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
        files = []
        while True:
            files.append(open(os.devnull))

    @emulator.workflow("blocks")
    async def blocks(inputs):
        time.sleep(1.4)
"""

LOWERED = """
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (90, 200))
"""


@pytest.fixture
def limited(project: Project) -> Project:
    """A project with the workflows above."""
    if sys.platform == "win32":
        pytest.skip("Windows has no limit of open files to set")
    project.write("flows.py", FLOWS)
    return project


@pytest.mark.usefixtures("real_processes")  # a forked one has the limits of the process that it is forked from
@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["one process", "xdist"])
def test_the_emulator_alone_has_a_raised_limit(limited: Project, workers: tuple[str, ...]) -> None:
    """Whichever process starts the emulator, its soft limit is the hard one, and that of the tests is left alone."""
    limited.write("conftest.py", LOWERED)
    limited.test(
        """
        import resource

        @pytest.mark.wisebot("limit", {})
        def test_limit(workflow_run):
            assert workflow_run.result == [200, 200]
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == (90, 200)
        """
    )
    limited.run_apart(*workers).assert_outcomes(passed=1)


def test_what_the_emulator_lacks_is_no_verdict_and_is_shown(limited: Project) -> None:
    """A function that fails for want of a descriptor ends its test as infrastructure, in words that name the limit."""
    limited.test(
        """
        @pytest.mark.wisebot("opens", {})
        def test_opens(workflow_run):
            assert_ok(workflow_run)
        """
    )
    result = limited.run()
    result.stdout.re_match_lines(
        [
            r"E +pytest_wisebot\.errors\.(GatewayFailed|ServiceUnavailable): .*",
            r" +answer: status 503 \(text/plain; charset=utf-8\): The emulator is out of file descriptors: the limit "
            r"is 100 open files \(ulimit -n\)\. Raise the limit in the shell that starts pytest or the emulator, or "
            r"run fewer at once \(--wisebot-concurrency\)\.",
            r" +The workflow may have run; it was not started again\.",
        ]
    )
    result.stdout.fnmatch_lines(["*1 infrastructure in *"])


def test_a_function_that_blocks_is_named_in_the_section(limited: Project) -> None:
    """The section of a failing test names the line in which an async function blocked, of a run that was ok, too."""
    limited.test(
        """
        @pytest.mark.wisebot("blocks", {}, max_seconds=0.5)
        def test_blocks(workflow_run):
            assert_ok(workflow_run)
        """
    )
    result = limited.run()
    result.stdout.fnmatch_lines(["*has blocked its event loop for more than a second at *flows.py, line *: time.s*"])


@pytest.mark.usefixtures("real_processes")
def test_a_session_that_lacks_descriptors_opens_no_circuit(limited: Project) -> None:
    """Runs for which pytest lacks descriptors are infrastructure errors that name its limit; later ones are tried."""
    limited.write("conftest.py", LOWERED)
    limited.test(
        """
        import os

        kept = []

        @pytest.fixture
        def without_descriptors(request):
            trigger = request.getfixturevalue("trigger_workflow")
            trigger("limit", {})
            try:
                while True:
                    kept.append(open(os.devnull))
            except OSError:
                pass
            yield trigger
            for file in kept:
                file.close()

        def test_lacking(without_descriptors):
            for _ in range(7):
                with pytest.raises(ConnectionFailed) as caught:
                    without_descriptors("limit", {})
            for file in kept:
                file.close()
            raise caught.value

        def test_later(trigger_workflow):
            assert_ok(trigger_workflow("limit", {}))
        """
    )
    result = limited.run_apart("--wisebot-retries", "0", "-p", "no:cacheprovider")
    result.stdout.re_match_lines(
        [
            r"E +pytest_wisebot\.errors\.ConnectionFailed: out of file descriptors: the limit is 90 open files "
            r"\(ulimit -n\); raise the limit for pytest, or run fewer at once \(--wisebot-concurrency\) .*",
            r"E +The run did not start\.",
        ]
    )
    result.stdout.fnmatch_lines(["*1 passed, 1 infrastructure in *"])
