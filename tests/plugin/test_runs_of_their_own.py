"""Each test and fixture has runs of its own among those that were kept, and nobody is given another's."""

from __future__ import annotations

import json

import pytest
from harness import Outside

from pytest_wisebot.event_log import read_events
from tests.plugin.test_runs_kept import RUNS, SUITE, recordings, sessions


def test_no_two_runs_are_kept_as_one(outside: Outside) -> None:
    """Of a fixture that is made anew, for another parameter or another time, and of those who share within a limit."""
    outside.test("""
        @pytest.fixture(scope="session", params=["x", "y"])
        def base(request):
            return request.param

        @pytest.fixture(scope="session")
        def seeded(base, trigger_workflow):
            return trigger_workflow("echo", {"n": 1})

        @pytest.fixture(scope="module")
        def of_module(trigger_workflow):
            return trigger_workflow("echo", {"n": 1})

        def test_seeded(seeded, base):
            print("seeded", base, seeded.run_id)

        @pytest.mark.wisebot("echo", {"n": 1}, share=True, timeout=20)
        def test_20(workflow_run):
            print("within 20", workflow_run.run_id)

        @pytest.mark.wisebot("echo", {"n": 1}, share=True, timeout=30)
        def test_30(workflow_run):
            print("within 30", workflow_run.run_id)

        def test_first(of_module):
            print("first", of_module.run_id)

        def test_second(of_module):
            print("second", of_module.run_id)
    """)
    outside.project.test("def test_between(): pass", "test_between.py")
    names = [f"test_it.py::test_{name}" for name in ("seeded", "20", "30", "first")]
    names += ["test_between.py", "test_it.py::test_second"]

    def told(result: pytest.RunResult) -> list[str]:
        assert result.ret == 0
        return sorted(line.removeprefix("test_it.py ").lstrip(".") for line in result.outlines if " run_" in line)

    recorded = told(outside.run("--wisebot-runs=record", "-s", *names))
    assert len({line.split()[-1] for line in recorded}) == len(outside.calls) == 6
    assert told(outside.run("--wisebot-runs=replay", "-s", *names)) == recorded
    assert told(outside.run("--wisebot-runs=last", "-s", *names)) == recorded
    seeded = told(outside.run("--wisebot-runs=replay", "-s", "test_it.py::test_seeded[y]"))
    assert seeded == [line for line in recorded if line.startswith("seeded y")]
    assert len(outside.calls) == 6


@pytest.mark.usefixtures("every_plugin")
def test_a_fixture_that_is_set_up_again_counts_anew(outside: Outside) -> None:
    """As a test does: of a set-up that failed nothing is kept beside the one that took its place."""
    outside.test("""
        tries = []

        @pytest.fixture(scope="module")
        def wide(trigger_workflow):
            tries.append(trigger_workflow("echo", {"n": 1}))
            assert len(tries) == 2

        def test_it(wide):
            pass
    """)
    assert outside.run("--wisebot-runs=record", "--reruns", "1").parseoutcomes() == {"passed": 1, "rerun": 1}
    (path,) = (outside.project.path / "recordings" / "echo").iterdir()
    assert [one["call"] for one in json.loads(path.read_text("utf-8"))["occurrences"]] == [1]


WAKES_LATE = """
    @pytest.fixture(autouse=True)
    def call(request):
        trigger_workflow = request.getfixturevalue("trigger_workflow")
        return lambda: trigger_workflow("echo", {"n": 1})
"""


def test_tests_that_ask_for_the_fixture_by_name_are_known_too(outside: Outside) -> None:
    """By ``request.getfixturevalue`` alone: the log names them, none is given another's run, and none is unused."""
    outside.test(WAKES_LATE, "def test_b(call): call()\n", "def test_c(call): call()\n")
    outside.run("--wisebot-runs=record").assert_outcomes(passed=2)
    session = next(read_events(sessions(outside)[0] / "events.jsonl"))
    assert session["selected"] == ["test_it.py::test_b", "test_it.py::test_c"]
    outside.test(
        WAKES_LATE, *(f"def test_{name}(call): print('of', '{name}', call().run_id)\n" for name in ("a_new", "b", "c"))
    )
    for args in ((), ("-n", "1")):
        result = outside.run("--wisebot-runs=replay", *args)
        assert result.parseoutcomes() == {"passed": 2, "not": 1}
        assert "NOT RUN test_it.py::test_a_new" in result.stdout.str()
    result = outside.run("--wisebot-runs=record", "--wisebot-prune", "-k", "test_b")
    assert "not asked for any more" not in result.stdout.str()
    assert len(recordings(outside)) == 1


def test_no_new_test_is_given_what_a_fixture_or_who_shares_will_ask_for(outside: Outside) -> None:
    """Whichever of them comes first, on one worker or several: the new one has no recording."""
    body = """
        @pytest.fixture(scope="module")
        def wide(trigger_workflow):
            return trigger_workflow("echo", {"n": 1})

        def test_b(wide):
            assert wide.ok

        @pytest.mark.wisebot("echo", {"n": 2}, share=True)
        def test_shares(workflow_run):
            assert workflow_run.ok
    """
    outside.test(body)
    outside.run("--wisebot-runs=record").assert_outcomes(passed=2)
    new = (
        "@pytest.mark.parametrize('n', [1, 2])\ndef test_new(trigger_workflow, n): trigger_workflow('echo', {'n': n})\n"
    )
    for parts in ((new, body), (body, new)):
        outside.test(*parts)
        for args in ((), ("-k", "new"), *([("-n", "2")] if parts[0] is new else [])):
            result = outside.run("--wisebot-runs=replay", *args)
            said = result.stdout.str()
            assert said.count("no recording of workflow") >= 2
            assert "NOT RUN test_it.py::test_new[1]" in said
            assert "NOT RUN test_it.py::test_new[2]" in said
            assert "was given that of" not in said
            assert args[:1] == ("-k",) or "2 passed" in said


def test_each_worker_replays_every_run(outside: Outside) -> None:
    """Under ``--dist each``, what one process recorded, wider fixtures and shared runs included; nothing is asked."""
    outside.test(SUITE)
    outside.run("--wisebot-runs=record").assert_outcomes(passed=7)
    for mode in ("replay", "last"):
        result = outside.run(f"--wisebot-runs={mode}", "--dist", "each", "--tx", "2*popen")
        result.assert_outcomes(passed=14)
        assert "was given that of" not in result.stdout.str()
    assert len(outside.calls) == RUNS


def test_tests_that_a_conftest_leaves_out_keep_their_recordings(outside: Outside) -> None:
    """Also where nobody has told pytest that they are deselected."""
    outside.test("""
        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", [{"n": n} for n in range(4)])
        def test_it(workflow_run, inputs):
            assert workflow_run.ok
    """)
    outside.run("--wisebot-runs=record").assert_outcomes(passed=4)
    outside.project.write("conftest.py", "def pytest_collection_modifyitems(items): items[:] = items[:2]")
    result = outside.run("--wisebot-runs=record", "--wisebot-prune")
    result.assert_outcomes(passed=2)
    assert "not asked for any more" not in result.stdout.str()
    assert len(recordings(outside)) == 4
    session = next(read_events(sessions(outside)[-1] / "events.jsonl"))
    assert session["deselected"] == [f"test_it.py::test_it[inputs{n}]" for n in (2, 3)]
