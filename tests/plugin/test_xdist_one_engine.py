"""Under xdist all workers ask one engine, on the controller: what it holds, it holds for all of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from harness import Numbers, Outside, Project

ALONE = ["-p", "xdist", "-p", "wisebot"]
"""No other plugin: a worker starts in half the time."""

SUITE_ONE = """
    @pytest.mark.wisebot("nap")
    @pytest.mark.parametrize("inputs", [{"n": n, "seconds": 0.1} for n in range(6)])
    def test_declared(workflow_run, inputs):
        assert workflow_run.result == inputs

    @pytest.mark.xdist_group("callers")
    class TestCalls:
        @pytest.mark.parametrize("n", range(6, 9))
        def test_it(self, trigger_workflow, n):
            assert trigger_workflow("nap", {"n": n, "seconds": 0.1}).result["n"] == n
"""

SUITE_TWO = """
    @pytest.mark.wisebot("nap", {"n": "shared", "seconds": 0.1}, share=True)
    @pytest.mark.parametrize("number", range(3))
    def test_shared(workflow_run, number):
        assert workflow_run.ok
"""

HOOK = """
    from pathlib import Path

    def pytest_wisebot_settings():
        with Path(__file__).with_name("asked").open("a") as file:
            file.write("asked ")
"""


@pytest.fixture(autouse=True)
def _no_other_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.fixture
def run(outside: Outside) -> Callable[..., pytest.RunResult]:
    """Runs pytest on the project of `outside` in a process of its own."""
    return lambda *args: outside.project.run_apart(*ALONE, *args)


@pytest.mark.parametrize(
    "args",
    [
        ["-n", "2", "--dist", "loadscope"],
        ["-n", "2", "--dist", "loadfile"],
        ["-n", "2", "--dist", "loadgroup"],
        ["-n", "2", "--dist", "worksteal"],
        ["-n", "2", "--dist", "load", "--maxschedchunk", "1", "--wisebot-no-ahead"],
        ["-n", "auto", "--maxprocesses", "2"],
        ["-n", "0"],
        ["--tx", "2*popen", "--dist", "load"],
    ],
    ids=" ".join,
)
def test_each_test_has_one_run_and_all_keep_one_cap(
    outside: Outside, run: Any, monkeypatch: pytest.MonkeyPatch, args: list[str]
) -> None:
    """However xdist hands the tests out: one run for each test, one for all that share, one cap, one settings hook."""
    monkeypatch.setenv("PYTEST_XDIST_AUTO_NUM_WORKERS", "3")
    outside.project.write("conftest.py", HOOK)
    outside.test(SUITE_ONE, name="test_one.py")
    outside.test(SUITE_TWO, name="test_two.py")
    result = run("--wisebot-concurrency", "2", *args)
    assert result.parseoutcomes() == {"passed": 12}
    assert sorted(map(str, outside.arrived)) == [*map(str, range(9)), "shared"]
    assert outside.handle.peak() == 2
    assert (outside.project.path / "asked").read_text("utf-8") == "asked "


def test_the_longest_of_the_last_session_goes_first(outside: Outside) -> None:
    """However many workers had the runs: the controller keeps how long they took, and orders what is ahead by it."""
    outside.test("""
        @pytest.fixture(scope="session", autouse=True)
        def none_is_asked_for_yet():
            until(lambda: len(answered()) == 4)

        @pytest.mark.wisebot("nap")
        @pytest.mark.parametrize("inputs", [{"n": n, "seconds": 0.01} for n in range(4)])
        def test_it(workflow_run, inputs):
            assert workflow_run.ok
    """)
    durations = outside.project.path / ".pytest_cache/v/wisebot/durations"
    for order in ([0, 1, 2, 3], [3, 2, 1, 0]):
        outside.handle.reset(everywhere=True)
        outside.run_with_cache(*ALONE, "-n", "2", "--wisebot-concurrency", "1").assert_outcomes(passed=4)
        assert outside.arrived == order
        kept = json.loads(durations.read_text("utf-8"))
        assert [workflow for workflow, _ in kept.values()] == ["nap"] * 4
        # As if each had taken a second more than the one before: what was measured depends on the machine.
        durations.write_text(json.dumps({test: ("nap", n) for n, test in enumerate(kept)}), "utf-8")


def test_each_worker_has_its_own_runs_where_each_runs_every_test(outside: Outside, run: Any) -> None:
    """With ``--dist each`` a test is one of each worker: a run each, still under one cap, and shared ones are one."""
    outside.test(SUITE_ONE, name="test_one.py")
    outside.test(SUITE_TWO, name="test_two.py")
    result = run("--wisebot-concurrency", "2", "-n", "2", "--dist", "each")
    assert result.parseoutcomes() == {"passed": 24}
    assert sorted(map(str, outside.arrived)) == [*map(str, sorted([*range(9)] * 2)), "shared"]
    assert outside.handle.peak() == 2


def test_the_emulator_is_one_for_all_workers(project: Project) -> None:
    """The controller starts it, once; every worker's tests find it at the same address, and it counts for all."""
    project.write(
        "flows.py",
        """
        from pathlib import Path
        from pytest_wisebot.emulator import Emulator

        emulator = Emulator()
        with Path(__file__).with_name("started").open("a") as file:
            file.write("started ")

        @emulator.workflow("echo")
        def echo(inputs):
            return inputs
        """,
    )
    project.test("""
        import os

        @pytest.mark.parametrize("n", range(4))
        def test_it(trigger_workflow, wisebot_emulator, wisebot_settings, n):
            assert trigger_workflow("echo", {"n": n}).source == "emulator"
            assert [call.inputs for call in wisebot_emulator.calls()] == [{"n": n}]
            assert wisebot_settings.origin == wisebot_emulator.origin
            with open("seen", "a") as file:
                print(os.getpid(), wisebot_emulator.origin, wisebot_emulator.base_url, file=file)
    """)
    assert project.run_apart(*ALONE, "-n", "2").parseoutcomes() == {"passed": 4}
    seen = [line.split() for line in (project.path / "seen").read_text("utf-8").splitlines()]
    assert len({worker for worker, *_ in seen}) == 2
    assert len({tuple(where) for _, *where in seen}) == 1
    assert (project.path / "started").read_text("utf-8") == "started "


def test_the_budget_is_one_for_all_workers(outside: Outside, run: Any, numbers: Numbers) -> None:
    """``--wisebot-max-runs`` counts what all workers start, to the run: what it stops is told once, with its tests."""
    outside.test("""
        @pytest.mark.parametrize("n", range(8))
        def test_it(trigger_workflow, n):
            assert trigger_workflow("nap", {"n": n, "seconds": 0.05}).ok
    """)
    result = run("-n", "2", "--wisebot-max-runs", "3")
    assert result.parseoutcomes() == {"passed": 3, "not": 5}
    assert len(outside.arrived) == 3
    told = numbers(result)
    assert told[2] == "5 runs not run: as many requests for runs as allowed have been sent: 3 (--wisebot-max-runs)"
    assert len(told) == 8


def test_the_circuit_is_one_for_all_workers(outside: Outside, run: Any, numbers: Numbers) -> None:
    """After five refusals in a row, whichever workers they came from, the rest of all workers is not run."""
    outside.test("""
        @pytest.mark.parametrize("n", range(12))
        def test_it(trigger_workflow, n):
            trigger_workflow("locked", {"n": n})
    """)
    result = run("-n", "2", "--wisebot-concurrency", "1")
    assert result.parseoutcomes() == {"infrastructure": 5, "not": 7}
    assert len(outside.arrived) == 5
    secret = f"file:{outside.project.path / 'secret.txt'} (wisebot.toml: environments.outside.secret)"
    refused = f"5 runs in a row had failed at {outside.handle.origin}: the webhook secret {secret} was refused"
    assert numbers(result)[:2] == ["5 runs without a verdict", f"7 runs not run: {refused}"]


@pytest.mark.usefixtures("real_processes")
def test_the_connection_is_on_no_command_line_and_in_no_variable(outside: Outside, run: Any) -> None:
    """Who may look at the machine's processes finds neither the key nor the port by which workers ask the engine."""
    if not outside.project.path.joinpath("/proc/self/environ").exists():
        pytest.skip("needs /proc")
    outside.test("""
        import json, os, re

        def test_it(trigger_workflow, request):
            assert trigger_workflow("echo", {"n": 1}).ok
            door = json.loads(request.config.workerinput["wisebot_door"])
            for process in ("self", str(os.getppid())):
                for name in ("cmdline", "environ"):
                    shown = open(f"/proc/{process}/{name}", "rb").read().decode(errors="replace")
                    assert len(shown) > 10
                    assert door["key"] not in shown
                    assert not re.search(rf"\\\\b{door['port']}\\\\b", shown)
            assert door["key"] not in str(os.environ)
            assert not any(re.search(rf"\\\\b{door['port']}\\\\b", value) for value in os.environ.values())
    """)
    assert run("-n", "1").parseoutcomes() == {"passed": 1}


def test_whatever_is_json_arrives_whole(outside: Outside, run: Any) -> None:
    """What xdist's own channel cannot carry, a worker gets all the same: results, inputs, errors and extra keys."""
    outside.test("""
        def nested(depth):
            value = "the bottom"
            for _ in range(depth):
                value = [value, {"deeper": None}]
            return value

        BAGS = [
            {"surrogate": "\\\\ud800 and \\\\udfff", "\\\\udc80": 1},
            {"int": [-(2**31) - 1, -(2**63), -(10**30), 10**30], "float": [1e-300, -0.0, 1.7976931348623157e308]},
            {"nested": nested(90)},
            {"text": "\\\\u00e9\\\\u2028 \\\\x00 \\\\U0001f642" * 2**13},
            {"keys": {str(n): n for n in range(2_000)}, "$": "Secret", "null": None, "empty": [{}, [], ""]},
        ]

        @pytest.mark.parametrize("number", range(len(BAGS)))
        @pytest.mark.parametrize("api", ["webhook", "dashboard"])
        def test_it(trigger_workflow, number, api):
            run = trigger_workflow("echo", BAGS[number], api=api)
            assert run.result == BAGS[number]
            assert run.inputs == BAGS[number]

        def test_many(trigger_workflow):
            assert [run.result for run in trigger_workflow.map("echo", BAGS * 2)] == BAGS * 2
    """)
    assert run("-n", "2").parseoutcomes() == {"passed": 11}


def test_an_error_is_the_same_as_in_one_process(outside: Outside, run: Any) -> None:
    """What a worker's test catches has the class, the words and the details that it has without xdist."""
    outside.test("""
        def test_other(trigger_workflow):
            with pytest.raises(RunTimedOut) as caught:
                trigger_workflow("gate", {"until": GATE}, timeout=1.0)
            open_gate()
            print("told:", caught.value)
            until(lambda: 200 in [call.status for call in emulator.calls(everywhere=True)])
            pathlib.Path(GATE).unlink()

        def test_it(trigger_workflow):
            with pytest.raises(AuthenticationFailed) as caught:
                trigger_workflow("locked", {"n": 1})
            error = caught.value
            print("told:", error, error.status_code, error.attempted.attempts, error.answer)

        def test_failed(trigger_workflow):
            run = trigger_workflow("refund")
            print("told:", run.ok, run.error)
    """)
    told = []
    for args in (["-n", "2"], []):
        result = run("-rP", *args)
        assert result.parseoutcomes() == {"passed": 3}
        told.append(sorted(line for line in result.outlines if line.startswith("told:")))
    assert told[0] == told[1]
    assert len(told[0]) == 3


@pytest.mark.usefixtures("every_plugin")
@pytest.mark.usefixtures("real_processes")
def test_without_the_plugin_xdist_is_as_before(empty_project: Project) -> None:
    """Left out by ``-p no:wisebot``, nothing of it is missed on the controller or in the workers."""
    empty_project.write("test_it.py", "import sys\ndef test_it(): assert 'pytest_wisebot.plugin' not in sys.modules")
    unneeded = ["-p", "no:hypothesispytest", "-p", "no:anyio", "-p", "no:pytest_cov"]  # which take a second to load
    assert empty_project.run_apart("-p", "no:wisebot", "-n", "1", *unneeded).parseoutcomes() == {"passed": 1}


SUITE_WITHOUT = """
    import pytest

    def test_nothing():
        pass

    @pytest.mark.wisebot("echo")
    class TestMarked:
        def test_a_marker_alone_is_no_use(self):
            pass
"""

HEAVY = {"httpx", "httpcore", "pydantic", "pydantic_core", "anyio", "asyncio", "ssl", "http.server"}


@pytest.mark.usefixtures("real_processes")
@pytest.mark.parametrize("wrong", [False, True], ids=["", "with a broken wisebot.toml"])
def test_a_session_without_our_fixtures_stays_light_on_controller_and_workers(
    empty_project: Project, monkeypatch: pytest.MonkeyPatch, wrong: bool
) -> None:
    """No test uses the plugin: nothing heavy is loaded through it in any process, not even at the end."""
    monkeypatch.delenv("PYTEST_ADDOPTS")
    if wrong:
        empty_project.write("wisebot.toml", "this is no TOML")
    empty_project.write(
        "conftest.py",
        f"""
        import os, pathlib, sys
        import pytest

        @pytest.hookimpl(trylast=True)
        def pytest_unconfigure(config):
            who = "worker" if hasattr(config, "workerinput") else "controller"
            heavy = sorted({HEAVY!r} & set(sys.modules))
            pathlib.Path(__file__).with_name(f"{{who}}-{{os.getpid()}}").write_text(str(heavy))
        """,
    )
    empty_project.write("test_it.py", SUITE_WITHOUT)
    result = empty_project.run_apart(*ALONE, "-n", "1")
    assert result.parseoutcomes() == {"passed": 2}
    found = {file.name.partition("-")[0]: file.read_text("utf-8") for file in empty_project.path.glob("*er-*")}
    assert found == {"controller": "[]", "worker": "[]"}


def test_inputs_that_each_worker_makes_anew_cost_no_second_run(outside: Outside, run: Any) -> None:
    """Fresh ids differ from worker to worker: nothing is ahead of such tests, and each has one run."""
    outside.test("""
        import uuid

        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", [{"id": str(uuid.uuid4())} for _ in range(12)], ids=range(12))
        def test_it(workflow_run, inputs):
            assert workflow_run.result == inputs
    """)
    run("-n", "2").assert_outcomes(passed=12)
    assert len(outside.calls) == 12
