"""``--wisebot-max-runs``: no more requests than that are sent, and what it stops is told apart and is never green."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from harness import Numbers, Outside

from pytest_wisebot.emulator import Fault

DECLARED = """
    @pytest.mark.wisebot("echo")
    @pytest.mark.parametrize("inputs", [{"n": n} for n in range(TESTS)])
    def test_declared(workflow_run, inputs):
        assert workflow_run.ok
"""

ALONE = ["--wisebot-concurrency", "1"]
"""One run at once, so that the first ones get the budget."""


def over(limit: int) -> str:
    return f"as many requests for runs as allowed have been sent: {limit} (--wisebot-max-runs)"


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_the_emulator_counts_exactly_as_many(outside: Outside, numbers: Numbers, limit: int) -> None:
    """Ahead, many at once: the limit is reserved before sending, and the rest of the tests are not run."""
    outside.test("TESTS = 5", DECLARED)
    result = outside.run("--wisebot-max-runs", str(limit))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes() == {"not": 5 - limit, **({"passed": limit} if limit else {})}
    assert len(outside.calls) == limit
    assert f"{5 - limit} runs not run: {over(limit)}" in numbers(result)


def test_the_whole_screen(outside: Outside, numbers: Numbers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A letter, a word, a category of their own, the reason once, and the tests by name; no traceback for any."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("BUILD_NUMBER", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    outside.test("TESTS = 4", DECLARED)
    result = outside.run(*ALONE, "--wisebot-max-runs", "2", "-ra")
    assert "test_it.py ..nn" in " ".join(result.outlines)
    assert numbers(result) == [
        "2 runs, S s of run time in S s of wall time",
        "  echo  2 runs, p50 S s, p95 S s",
        f"2 runs not run: {over(2)}",
        "  test_it.py::test_declared[inputs2]",
        "  test_it.py::test_declared[inputs3]",
    ]
    result.stdout.re_match_lines(["=+ 2 passed, 2 not run in .*=+"])
    result.stdout.no_re_match_line("=+ (FAILURES|ERRORS|NOT RUN) =+|E   .*")
    assert result.outlines[-4:-1] == [
        "=========================== short test summary info ============================",
        "NOT RUN test_it.py::test_declared[inputs2] - BudgetExhausted: as many request...",
        "NOT RUN test_it.py::test_declared[inputs3] - BudgetExhausted: as many request...",
    ]
    assert "wisebot: at most 2 requests for runs in all (--wisebot-max-runs)" in result.outlines


def test_the_word_of_each_test(outside: Outside) -> None:
    """With ``-v`` a test that was not run says so in its line."""
    outside.test("TESTS = 2", DECLARED, """
        def test_called(trigger_workflow):
            trigger_workflow("echo")
    """)  # fmt: skip
    result = outside.run(*ALONE, "--wisebot-max-runs", "1", "-v")
    result.stdout.fnmatch_lines(
        [
            "test_it.py::test_declared[[]inputs0] PASSED*",
            "test_it.py::test_declared[[]inputs1] NOT RUN*",
            "test_it.py::test_called NOT RUN*",
        ]
    )


def test_many_tests_are_named_up_to_a_bound(outside: Outside, numbers: Numbers) -> None:
    """Ten of them, and all with ``-v``; with ``-q`` what is missing is still said."""
    outside.test("TESTS = 13", DECLARED)
    limit = [*ALONE, "--wisebot-max-runs", "1"]
    names = [f"  test_it.py::test_declared[inputs{number}]" for number in range(1, 13)]
    first = f"12 runs not run: {over(1)}"
    assert numbers(outside.run(*limit))[2:] == [first, *names[:10], "  and 2 more tests, shown by -v"]
    assert numbers(outside.run(*limit, "-v"))[2:] == [first, *names]
    quiet = outside.run(*limit, "-q").outlines
    short = [f"wisebot: {line}" for line in (first, *names[:10], "  and 2 more tests, shown by -v")]
    assert quiet[quiet.index(short[0]) :][:12] == short


def test_map_is_stopped_in_the_middle(outside: Outside, numbers: Numbers) -> None:
    """What was sent comes home, the rest is never sent, and the test is not run: it has no whole answer."""
    outside.test("""
        def test_it(trigger_workflow):
            with pytest.raises(BudgetExhausted) as caught:
                trigger_workflow.map("nap", [{"n": n, "seconds": 0.01} for n in range(6)])
            assert caught.value.__notes__ == ["2 of 6 runs have no verdict; this is the first of them."]
            trigger_workflow("echo", {"n": "late"})
    """)
    result = outside.run("--wisebot-max-runs", "4")
    assert result.parseoutcomes() == {"not": 1}
    assert sorted(outside.arrived) == [0, 1, 2, 3]
    assert numbers(result)[2:] == [f"3 runs not run: {over(4)}", "  test_it.py::test_it"]


def test_a_retry_costs_as_much_as_a_first_attempt(outside: Outside, numbers: Numbers) -> None:
    """Three requests for the first run leave one for the second; the third, refused once, is not tried again."""
    outside.handle.fail_next(Fault.rate_limited(retry_after=0.01), times=2, everywhere=True)
    outside.test("TESTS = 3", DECLARED)
    result = outside.run(*ALONE, "--wisebot-max-runs", "4", "--wisebot-no-ahead")
    assert result.parseoutcomes() == {"passed": 2, "not": 1}
    assert [call.status for call in outside.calls] == [429, 429, 200, 200]
    assert outside.arrived == [0, 0, 0, 1]
    assert "2 retries, S s of back-off" in numbers(result)


def test_what_was_refused_and_may_not_come_again_is_not_run(outside: Outside, numbers: Numbers) -> None:
    """The run provably did not start, and the budget has no second request for it."""
    outside.handle.fail_next(Fault.rate_limited(retry_after=0.01), everywhere=True)
    outside.test("TESTS = 1", DECLARED)
    result = outside.run("--wisebot-max-runs", "1")
    assert result.parseoutcomes() == {"not": 1}
    assert [call.status for call in outside.calls] == [429]
    assert numbers(result) == [f"1 run not run: {over(1)}", "  test_it.py::test_declared[inputs0]"]


def test_a_gateways_failure_counts_and_is_no_budget_matter(outside: Outside) -> None:
    """What may have run has used its part of the budget up, and its test errs as it does without a budget."""
    outside.handle.fail_next(Fault.html(502), everywhere=True)
    outside.test("TESTS = 3", DECLARED)
    result = outside.run(*ALONE, "--wisebot-max-runs", "2")
    assert result.parseoutcomes() == {"passed": 1, "infrastructure": 1, "not": 1}
    result.stdout.re_match_lines([r"_+ test_declared\[inputs0\] at setup _+"])
    assert len(outside.calls) == 2


def test_what_is_never_sent_costs_nothing(outside: Outside) -> None:
    """A run that is given up in the queue, a request that cannot be made, a token that is checked, a shared run."""
    outside.test("""
        def test_it(trigger_workflow):
            flying = trigger_workflow.start("gate", {"n": 1, "until": GATE})
            assert trigger_workflow.start("echo", {"n": "given up"}).cancel()
            open_gate()
            flying.wait()
            with pytest.raises(ConfigurationError):
                trigger_workflow("..")

        @pytest.mark.wisebot("echo", {"n": 2}, api="both", share=True)
        @pytest.mark.parametrize("number", [1, 2])
        def test_shared(workflow_run, number):
            pass
    """)
    outside.run(*ALONE, "--wisebot-max-runs", "3", "--wisebot-no-ahead").assert_outcomes(passed=5)
    assert outside.arrived == [1, 2, 2]


@pytest.mark.parametrize(
    ("args", "sent", "source"),
    [([], 2, "wisebot.toml: environments.outside.max-runs"), (["--wisebot-max-runs", "3"], 3, "--wisebot-max-runs")],
)
def test_the_environment_may_set_it(outside: Outside, args: list[str], sent: int, source: str) -> None:
    """``max-runs`` in ``wisebot.toml`` holds unless the option says otherwise; the header says which did."""
    outside.setting("max-runs = 2")
    outside.test("TESTS = 5", DECLARED)
    result = outside.run(*args)
    assert result.parseoutcomes() == {"passed": sent, "not": 5 - sent}
    assert len(outside.calls) == sent
    assert f"wisebot: at most {sent} requests for runs in all ({source})" in result.outlines


def test_no_expected_failure_absorbs_it(outside: Outside) -> None:
    """That nothing was run is no failure that anybody expected, unless the mark names the error."""
    outside.test("""
        @pytest.mark.xfail
        def test_expected(trigger_workflow):
            trigger_workflow("echo")

        @pytest.mark.xfail(raises=NotRun)
        def test_named(trigger_workflow):
            trigger_workflow("echo")
    """)
    result = outside.run("--wisebot-max-runs", "0")
    assert result.parseoutcomes() == {"not": 1, "xfailed": 1}
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_the_file_for_ci_has_failures(outside: Outside) -> None:
    """For a reader of ``--junitxml`` a test that was not run has not passed, and the reason is in it."""
    outside.test("TESTS = 2", DECLARED, """
        def test_called(trigger_workflow):
            trigger_workflow("echo")
    """)  # fmt: skip
    outside.run(*ALONE, "--wisebot-max-runs", "1", "--junitxml=out.xml")
    (suite,) = ET.parse(outside.project.path / "out.xml").getroot()
    assert [suite.get(name) for name in ("tests", "errors", "failures", "skipped")] == ["3", "1", "1", "0"]
    told = {case.get("name"): [child.get("message") for child in case if child.tag != "properties"] for case in suite}
    assert told == {
        "test_declared[inputs0]": [],
        "test_declared[inputs1]": [f'failed on setup with "pytest_wisebot.errors.BudgetExhausted: {over(1)}"'],
        "test_called": [f"pytest_wisebot.errors.BudgetExhausted: {over(1)}"],
    }
    properties = {
        case.get("name"): {one.get("name"): one.get("value") for one in case.iter("property")} for case in suite
    }
    assert properties["test_declared[inputs0]"]["wisebot_outcome"] == "passed"
    assert properties["test_declared[inputs1]"]["wisebot_outcome"] == "not run"
    assert properties["test_called"]["wisebot_outcome"] == "not run"


def test_the_next_session_runs_what_was_not_run(outside: Outside) -> None:
    """``--lf`` takes them for failed, and with ``-x`` the first of them ends a session."""
    outside.test("TESTS = 4", DECLARED)
    outside.run_with_cache(*ALONE, "--wisebot-max-runs", "2")
    outside.handle.reset(everywhere=True)
    outside.run_with_cache("--lf").assert_outcomes(passed=2)
    assert sorted(outside.arrived) == [2, 3]
    outside.handle.reset(everywhere=True)
    result = outside.run("-x", "--wisebot-max-runs", "1")
    assert result.parseoutcomes() == {"passed": 1, "not": 1}
    assert outside.arrived == [0]


@pytest.mark.parametrize("mark", ["", "@pytest.mark.xfail"], ids=["plain", "xfail"])
def test_a_group_of_runs_that_were_not_run_is_not_run(outside: Outside, mark: str) -> None:
    """Several runs awaited at once end as a group of errors; neither that nor a plain xfail hides the budget."""
    outside.test(f"""
        import anyio

        {mark}
        @pytest.mark.anyio
        async def test_it(trigger_workflow):
            async def one(n):
                await trigger_workflow.start("echo", {{"n": n}})

            async with anyio.create_task_group() as tasks:
                for n in range(3):
                    tasks.start_soon(one, n)

        @pytest.fixture
        def anyio_backend():
            return "asyncio"
    """)
    result = outside.run("--wisebot-max-runs", "0")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes() == {"not": 1}
