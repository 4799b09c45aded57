"""Where a session may end at any failure, or is told so, no run is paid for before its test asks."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Numbers, Outside

TESTS = """
    @pytest.mark.wisebot("nap")
    @pytest.mark.parametrize("inputs", [{"n": n, "seconds": 0.02} for n in range(5)])
    def test_it(workflow_run, inputs):
        assert arrived() == list(range(inputs["n"] + 1))
        assert inputs["n"] not in (2, 3), "as it should"
"""

NEVER_AHEAD: list[Any] = [
    (["-x"], 3),
    (["--exitfirst"], 3),
    (["--maxfail=1"], 3),
    (["--maxfail=2"], 4),
    (["--maxfail=9"], 5),
    (["--wisebot-no-ahead"], 5),
]
"""Options, and how many of the five runs are sent with them: the third and the fourth test fail."""


@pytest.mark.parametrize(("args", "sent"), NEVER_AHEAD, ids=str)
def test_nothing_is_sent_before_its_test_nor_after_the_last(outside: Outside, args: list[str], sent: int) -> None:
    """Each test finds that its own run was the last to be sent; what the end of the session leaves is never sent."""
    outside.test(TESTS)
    result = outside.run(*args)
    result.assert_outcomes(passed=sent - min(sent - 2, 2), failed=min(sent - 2, 2))
    assert outside.arrived == list(range(sent))
    assert outside.handle.peak() == 1
    result.stdout.no_fnmatch_line("*not awaited*")


def test_stepwise_goes_on_where_it_stopped_and_pays_for_no_more(outside: Outside) -> None:
    """``--stepwise`` sends up to the first failure, and in the next session from it on."""
    outside.test(TESTS.replace("assert arrived() ==", "arrived() =="))
    outside.run_with_cache("--stepwise").assert_outcomes(passed=2, failed=1)
    assert outside.arrived == [0, 1, 2]
    outside.handle.reset(everywhere=True)
    outside.run_with_cache("--stepwise").assert_outcomes(failed=1, deselected=2)
    assert outside.arrived == [2]
    outside.handle.reset(everywhere=True)
    outside.run_with_cache("--stepwise", "--stepwise-skip").assert_outcomes(failed=2, deselected=2)
    assert outside.arrived == [2, 3]
    assert outside.handle.peak() == 1


def test_pytests_last_word_decides(outside: Outside) -> None:
    """``--maxfail=0`` sets no limit, and so the runs are ahead."""
    outside.test("""
        def test_first():
            until(lambda: answered() == [1])

        @pytest.mark.wisebot("echo", {"n": 1})
        def test_it(workflow_run):
            pass
    """)
    outside.run("-x", "--maxfail=0").assert_outcomes(passed=2)


def test_a_test_that_ends_the_session_leaves_the_rest_unsent(outside: Outside, numbers: Numbers) -> None:
    """What was waiting for its place is given up at once, what was flying is counted, and the exit code is pytest's."""
    outside.test("""
        def test_first():
            until(lambda: arrived() == ["flying"])
            pytest.exit("enough")

        @pytest.mark.wisebot("gate")
        @pytest.mark.parametrize("inputs", [{"n": n, "until": GATE} for n in ("flying", "waiting", "waiting, too")])
        def test_it(workflow_run, inputs):
            pass
    """)
    result = outside.run("--wisebot-concurrency", "1")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert outside.arrived == ["flying"]
    assert numbers(result) == [
        "2 runs not run: given up before being sent",
        "1 run was sent and not awaited: it may have happened",
    ]


@pytest.mark.parametrize("named", [True, False], ids=["by argument", "by name alone"])
def test_what_the_last_test_left_is_given_up_with_the_loop(outside: Outside, numbers: Numbers, named: bool) -> None:
    """Before the last lines, which say so; whenever the plugin had learnt that it was needed."""
    trigger = "trigger_workflow" if named else 'request.getfixturevalue("trigger_workflow")'
    outside.test(f"""
        def test_it(request{", trigger_workflow" if named else ""}):
            for n in range(3):
                {trigger}.start("gate", {{"n": n, "until": GATE}})
            until(lambda: arrived() == [0])
    """)
    result = outside.run("--wisebot-concurrency", "1")
    result.assert_outcomes(passed=1)
    assert numbers(result) == [
        "2 runs not run: given up before being sent",
        "1 run was sent and not awaited: it may have happened",
    ]
