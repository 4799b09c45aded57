"""``trigger_workflow``: call it, start, map."""

from __future__ import annotations

from harness import Project


def test_a_call_gives_the_envelope_and_what_is_known_of_the_run(project: Project) -> None:
    """A call waits for the run's end and returns everything a test may want to know of it."""
    project.test("""
        def test_it(trigger_workflow):
            run = trigger_workflow("triage", {"ticketId": "T-1", "message": "charged twice"})
            assert run.ok is True
            assert run.run_id.startswith("run_")
            assert run.result == {"ticketId": "T-1", "category": "billing"}
            assert run.has_result and run.error is None and run.extra == {}
            assert (run.workflow, run.workflow_id, run.api) == ("triage", "triage", Api.WEBHOOK)
            assert run.inputs == {"ticketId": "T-1", "message": "charged twice"}
            assert (run.status_code, run.attempts, run.source, run.trial) == (200, 1, "emulator", 1)
            assert 0 < run.elapsed < 5 and run.started_at.tzinfo is not None
            assert run.environment == "local"
    """)
    project.run().assert_outcomes(passed=1)


def test_a_failed_workflow_is_a_result(project: Project) -> None:
    """``ok`` false is returned, not raised."""
    project.test("""
        def test_it(trigger_workflow):
            run = trigger_workflow("refund")
            assert (run.ok, run.error, run.has_result) == (False, "unknown ticket", False)
            assert run.run_id
    """)
    project.run().assert_outcomes(passed=1)


def test_map_keeps_the_order_and_runs_at_once(project: Project) -> None:
    """``map`` returns the results in the order of its inputs, however many were in flight."""
    project.test("""
        def test_it(trigger_workflow, wisebot_emulator):
            bags = [{"n": n} for n in range(20)]
            assert [run.result for run in trigger_workflow.map("echo", bags)] == bags
            assert len(trigger_workflow.map("slow", [{}] * 4)) == 4
            assert wisebot_emulator.peak() > 1
    """)
    project.run("--wisebot-concurrency", "4").assert_outcomes(passed=1)


def test_no_more_runs_are_in_flight_than_the_cap_allows(project: Project) -> None:
    """The emulator never sees more runs at once than ``--wisebot-concurrency``."""
    project.test("""
        def test_it(trigger_workflow, wisebot_emulator):
            trigger_workflow.map("slow", [{}] * 9)
            assert wisebot_emulator.peak() == 3
    """)
    project.run("--wisebot-concurrency", "3").assert_outcomes(passed=1)


def test_map_without_inputs_runs_nothing(project: Project) -> None:
    """An empty list of inputs is an empty list of runs."""
    project.test("""
        def test_it(trigger_workflow, wisebot_emulator):
            assert trigger_workflow.map("echo", []) == []
            assert wisebot_emulator.calls() == []
    """)
    project.run().assert_outcomes(passed=1)


def test_map_raises_the_first_error_once_all_runs_have_ended(project: Project) -> None:
    """One run without a verdict does not leave the others flying behind the error."""
    project.test("""
        from pytest_wisebot.emulator import Fault

        def test_it(trigger_workflow, wisebot_emulator):
            wisebot_emulator.fail_next(Fault.html(502), times=2)
            with pytest.raises(GatewayFailed) as caught:
                trigger_workflow.map("echo", [{"n": n} for n in range(5)])
            assert caught.value.__notes__ == ["2 of 5 runs have no verdict; this is the first of them."]
            assert [call.status for call in wisebot_emulator.calls()].count(200) == 3
    """)
    project.run().assert_outcomes(passed=1)


def test_start_does_not_wait(project: Project) -> None:
    """A pending run says whether it is done, can be waited for again and again, and given up."""
    project.test("""
        def test_it(trigger_workflow):
            pending = trigger_workflow.start("slow")
            assert not pending.done
            with pytest.raises(TimeoutError, match="after 0.01 s of waiting; the run goes on"):
                pending.wait(0.01)
            assert pending.wait(10) is pending.wait()
            assert pending.done and pending.cancel() is False
    """)
    project.run().assert_outcomes(passed=1)


def test_a_run_that_is_given_up_says_whether_it_had_been_sent(project: Project) -> None:
    """Given up before it was sent, a run is `Cancelled`; after that, its outcome is unknown."""
    project.test("""
        import time

        def test_it(trigger_workflow, wisebot_emulator):
            flying = trigger_workflow.start("slow")
            while not wisebot_emulator.calls():
                time.sleep(0.01)
            waiting = trigger_workflow.start("slow")
            assert waiting.cancel() and flying.cancel()
            assert not waiting.cancel() and not flying.cancel()  # given up already
            with pytest.raises(Cancelled, match="given up before it was sent"):
                waiting.wait()
            with pytest.raises(ConnectionLost, match="given up after it had been sent"):
                flying.wait()
            assert len(wisebot_emulator.calls()) == 1
    """)
    project.run("--wisebot-concurrency", "1").assert_outcomes(passed=1)


def test_pending_runs_can_be_awaited_under_asyncio_and_trio(project: Project) -> None:
    """Async tests await many runs at once without blocking their own event loop."""
    project.test("""
        import anyio

        @pytest.fixture(params=["asyncio", "trio"])
        def anyio_backend(request):
            return request.param

        @pytest.mark.anyio
        async def test_it(trigger_workflow, wisebot_emulator):
            pending = [trigger_workflow.start("slow") for _ in range(4)]
            ticks = 0
            async def tick():
                nonlocal ticks
                while True:
                    await anyio.sleep(0.01)
                    ticks += 1
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(tick)
                assert [(await one).result for one in pending] == ["slow"] * 4
                tasks.cancel_scope.cancel()
            assert ticks > 3

        @pytest.mark.anyio
        async def test_errors_arrive(trigger_workflow):
            with pytest.raises(WorkflowNotFound):
                await trigger_workflow.start("nope")

        @pytest.mark.anyio
        async def test_who_stops_waiting_does_not_give_the_run_up(trigger_workflow):
            pending = trigger_workflow.start("slow")
            with anyio.move_on_after(0.01):
                await pending
            assert (await pending).ok
    """)
    project.run().assert_outcomes(passed=6)


def test_a_wider_fixture_uses_the_default_api_and_pays_once(project: Project) -> None:
    """A module's fixture runs its workflow once, over the default API, whatever the tests that look at it use."""
    project.test("""
        @pytest.fixture(scope="module")
        def wide(trigger_workflow):
            yield trigger_workflow("echo", {"from": "setup"})
            assert trigger_workflow("echo", {"from": "teardown"}).api is Api.WEBHOOK

        @pytest.fixture
        def narrow(trigger_workflow):
            return trigger_workflow("echo", {"from": "narrow"})

        @pytest.mark.wisebot(api="dashboard")
        def test_one(wide, narrow, trigger_workflow):
            assert (wide.api, narrow.api, trigger_workflow("echo").api) == (Api.WEBHOOK, Api.DASHBOARD, Api.DASHBOARD)

        @pytest.mark.wisebot(api="both")
        def test_both(wide, narrow, wisebot_api):
            assert (wide.api, narrow.api) == (Api.WEBHOOK, wisebot_api)

        @pytest.mark.wisebot(api="both")
        def test_a_test_that_only_looks_is_one_test(wide):
            assert wide.ok

        def test_count(wisebot_emulator):
            sources = [call.inputs.get("from") for call in wisebot_emulator.calls(everywhere=True)]
            assert (sources.count("setup"), sources.count("narrow")) == (1, 3)
    """)
    project.run("-v").assert_outcomes(passed=5)


def test_a_test_that_asks_for_the_fixture_by_name_only_is_known_all_the_same(project: Project) -> None:
    """``request.getfixturevalue`` in a test's body: its marker, its tag and its failing section work."""
    project.test("""
        @pytest.mark.wisebot(api="dashboard")
        def test_it(request):
            run = request.getfixturevalue("trigger_workflow")("echo")
            assert run.api is Api.DASHBOARD
            assert len(request.getfixturevalue("wisebot_emulator").calls()) == 1
            assert not run.ok
    """)
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*- wisebot runs -*", "echo over the dashboard API, environment local: ok (emulator)"])


def test_a_call_that_can_send_nothing_says_what_is_wrong(project: Project) -> None:
    """Each bad argument is refused in the user's terms, before anything is sent."""
    project.test("""
        WRONG = [
            (lambda run: run(7), "workflow: expected a name or id, got int: 7"),
            (lambda run: run(""), 'workflow id "": an id is not empty, "." or ".."'),
            (lambda run: run("."), 'workflow id ".": an id is not empty, "." or ".."'),
            (lambda run: run("id:.."), 'workflow id "..": an id is not empty, "." or ".."'),
            (lambda run: run("a\\nb"), 'workflow id "a\\\\nb": an id has no control characters and no lone surrogates'),
            (lambda run: run("echo", [1]), "inputs: expected a mapping of field names to values, got list: [1]"),
            (lambda run: run("echo", {"a": {1: 2}}), "inputs.a: a key must be a string, got int: 1"),
            (lambda run: run("echo", {"a": [0.5, float("nan")]}), "inputs.a[1]: nan is not a JSON number"),
            (lambda run: run("echo", {"a b": float("-inf")}), "inputs['a b']: -inf is not a JSON number"),
            (lambda run: run("echo", {"a": {1, 2}}), "inputs.a: set is not a JSON value: {1, 2}"),
            (lambda run: run("echo", api="both"), 'api: expected "webhook" or "dashboard", got "both"'),
            (lambda run: run("echo", timeout=0), "timeout: expected a number of seconds above 0, got 0"),
            (lambda run: run("echo", timeout="5"), 'timeout: expected a number of seconds above 0, got "5"'),
            (lambda run: run.map("echo", {"a": 1}), 'map: expected a list of input bags, got one: {"a": 1}'),
            (lambda run: run("echo", secret="FAKE"), "secret=: the credential has 4 characters: "
                "at least 8 are needed, fewer cannot be masked"),
            (lambda run: run("echo", secret="env:NOT_SET"), "secret=: the environment variable NOT_SET is not set"),
        ]

        @pytest.mark.parametrize("call, message", WRONG)
        def test_it(trigger_workflow, wisebot_emulator, call, message):
            with pytest.raises(ConfigurationError) as caught:
                call(trigger_workflow)
            assert str(caught.value) == message
            assert wisebot_emulator.calls() == []
    """)
    project.run().assert_outcomes(passed=16)


def test_a_list_of_runs_is_neither_true_nor_false(project: Project) -> None:
    """``assert trigger_workflow.map(…)`` would hold for runs that failed; it is a list in every other way."""
    project.test("""
        def test_it(trigger_workflow):
            runs = trigger_workflow.map("refund", [{}, {}])
            assert isinstance(runs, list)
            assert len(runs) == 2
            assert [run.ok for run in runs] == [False, False]
            assert runs == list(runs)
            with pytest.raises(TypeError, match="neither true nor false: write all"):
                assert runs
    """)
    project.run().assert_outcomes(passed=1)
