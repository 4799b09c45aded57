"""``share=True``: equal requests of a session are one run."""

from __future__ import annotations

from harness import Numbers, Outside


def test_tests_that_declare_the_same_share_one_run(outside: Outside, numbers: Numbers) -> None:
    """One request, one id, one line in the summary; each test has its own marker, time limit included."""
    outside.test("""
        IDS = set()

        @pytest.mark.wisebot("echo", {"n": 1, "other": [True]}, share=True)
        @pytest.mark.parametrize("number", range(3))
        def test_many(workflow_run, number):
            IDS.add(workflow_run.run_id)

        @pytest.mark.wisebot("echo", {"other": [True], "n": 1}, share=True, max_seconds=10)
        def test_in_another_order(workflow_run):
            IDS.add(workflow_run.run_id)
            assert len(IDS) == 1
    """)
    result = outside.run()
    result.assert_outcomes(passed=4)
    assert outside.arrived == [1]
    assert numbers(result) == ["1 run, S s of run time in S s of wall time", "  echo  1 run, p50 S s, p95 S s"]


def test_what_is_not_equal_is_not_shared(outside: Outside) -> None:
    """Another workflow, API, input (a number and a text are two) or timeout, and a test that does not share."""
    marks = [
        '"echo", {"n": 1}, share=True',
        '"nap", {"n": 1}, share=True',
        '"echo", {"n": 1}, share=True, api="dashboard"',
        '"echo", {"n": 1}, share=True, timeout=20',
        '"echo", {"n": "1"}, share=True',
        '"echo", {"n": 1.5}, share=True',
        '"echo", {"n": 1, "m": None}, share=True',
        '"echo", {"n": 1}',
        '"echo", {"n": 1}, share=False',
    ]
    tests = [
        f"@pytest.mark.wisebot({mark})\ndef test_{number}(workflow_run): pass\n" for number, mark in enumerate(marks)
    ]
    outside.test("\n".join(tests))
    outside.run().assert_outcomes(passed=len(marks))
    assert len(outside.arrived) == len(marks)


def test_calls_share_under_a_marker_that_says_so(outside: Outside) -> None:
    """``trigger_workflow`` under ``wisebot(share=True)``: calls, ``start``, ``map``, and a declared run."""
    outside.test("""
        @pytest.mark.wisebot(share=True)
        def test_called(trigger_workflow):
            first = trigger_workflow("echo", {"n": 1})
            assert trigger_workflow.start("echo", {"n": 1}).wait().run_id == first.run_id
            runs = trigger_workflow.map("echo", [{"n": 1}, {"n": 2}, {"n": 2}])
            assert [run.run_id == first.run_id for run in runs] == [True, False, False]
            assert runs[1].run_id == runs[2].run_id
            assert trigger_workflow("echo", {"n": 1}, api="dashboard").run_id != first.run_id

        @pytest.mark.wisebot("echo", {"n": 1}, share=True)
        def test_declared(workflow_run, trigger_workflow):
            assert workflow_run.result == {"n": 1}
            trigger_workflow("echo", {"n": 1}), trigger_workflow("echo", {"n": 1})

        def test_that_says_nothing(trigger_workflow):
            trigger_workflow("echo", {"n": 1})
    """)
    outside.run().assert_outcomes(passed=3)
    # one shared over each API and one for n=2; then two calls beside a declared run, and one without a marker
    assert sorted(outside.arrived) == [1, 1, 1, 1, 1, 2]


def test_a_secret_of_a_call_is_a_difference(outside: Outside) -> None:
    """A run under one credential says nothing of what another one would get."""
    outside.test("""
        @pytest.mark.wisebot(share=True)
        def test_it(trigger_workflow):
            assert trigger_workflow("echo", {"n": 1}).ok
            for _ in range(2):
                with pytest.raises(AuthenticationFailed):
                    trigger_workflow("echo", {"n": 1}, secret="FAKE-secret-that-is-wrong")
            assert trigger_workflow("echo", {"n": 1}, secret="FAKE-secret-of-all").ok
    """)
    outside.run().assert_outcomes(passed=1)
    assert [call.status for call in outside.calls] == [200, 401, 200]


def test_what_one_test_changes_no_other_test_sees(outside: Outside) -> None:
    """Results, errors and inputs of a shared run are each test's own copy."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": {"list": [1]}}, share=True)
        @pytest.mark.parametrize("number", range(2))
        def test_declared(workflow_run, number):
            assert workflow_run.result == workflow_run.inputs == {"n": {"list": [1]}}
            workflow_run.result["n"]["list"].append("spoilt")
            workflow_run.inputs["n"]["list"].append("spoilt")

        @pytest.mark.wisebot(share=True)
        @pytest.mark.parametrize("number", range(2))
        def test_called(trigger_workflow, number):
            runs = trigger_workflow.map("refund", [{}, {}])
            for run in runs:
                assert run.error == {"reason": "unknown ticket"}
                run.error["reason"] = "spoilt"
    """)
    outside.run().assert_outcomes(passed=4)
    assert len(outside.calls) == 2


def test_a_shared_run_that_failed_has_failed_for_all(outside: Outside) -> None:
    """A workflow's failure is a result like any other, and every failing test shows it."""
    outside.test("""
        @pytest.mark.wisebot("refund", {"n": 1}, share=True)
        @pytest.mark.parametrize("number", range(3))
        def test_it(workflow_run, number):
            assert_ok(workflow_run)
    """)
    result = outside.run()
    result.assert_outcomes(failed=3)
    assert outside.arrived == [1]
    assert result.outlines.count("refund over the webhook API, environment outside: failed (live)") == 3


def test_an_error_of_a_shared_run_is_told_to_all_and_counted_once(outside: Outside, numbers: Numbers) -> None:
    """Where there was no verdict, no test that shares the run has one; and nobody tries again behind the others."""
    from pytest_wisebot.emulator import Fault

    outside.handle.fail_next(Fault.html(502), everywhere=True)
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1}, share=True)
        @pytest.mark.parametrize("number", range(3))
        def test_it(workflow_run, number):
            pass
    """)
    result = outside.run("-vv")
    assert result.parseoutcomes() == {"infrastructure": 3}
    assert result.stdout.str().count(" at setup __") == 3
    assert outside.arrived == [1]
    assert numbers(result) == ["1 run without a verdict"]


def test_a_test_that_ends_early_leaves_the_shared_run_to_the_others(outside: Outside) -> None:
    """A fixture that fails, or a call that is given up, takes nothing from those who share."""
    outside.test("""
        @pytest.fixture
        def broken():
            until(lambda: arrived() == [1])
            raise OSError("no database")

        @pytest.mark.wisebot("gate", {"n": 1, "until": GATE}, share=True)
        def test_broken(broken, workflow_run):
            pass

        @pytest.mark.wisebot(share=True)
        def test_given_up(trigger_workflow):
            pending = trigger_workflow.start("gate", {"n": 1, "until": GATE})
            assert pending.cancel()
            with pytest.raises(Cancelled, match='^the shared run of workflow "gate" was given up by this test alone$'):
                pending.wait()
            open_gate()

        @pytest.mark.wisebot("gate", {"n": 1, "until": GATE}, share=True)
        def test_it(workflow_run):
            assert workflow_run.ok
    """)
    result = outside.run()
    result.assert_outcomes(passed=2, errors=1)
    assert outside.arrived == [1]
    result.stdout.no_fnmatch_line("*not awaited*")


def test_the_error_of_a_shared_run_is_each_tests_own(outside: Outside) -> None:
    """What one test's error is annotated with does not show in another's."""
    outside.test("""
        @pytest.mark.wisebot(share=True)
        @pytest.mark.parametrize("n", range(2))
        def test_it(trigger_workflow, n):
            with pytest.raises(AuthenticationFailed) as caught:
                trigger_workflow.map("locked", [{}] * 3)
            assert caught.value.__notes__ == ["3 of 3 runs have no verdict; this is the first of them."]
    """)
    outside.run().assert_outcomes(passed=2)
