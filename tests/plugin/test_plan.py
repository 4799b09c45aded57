"""``--wisebot-plan``: says what a session would run, and runs nothing."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from harness import Outside, Project

SUITE = """
    @pytest.mark.wisebot("nap")
    @pytest.mark.parametrize("inputs", [{"n": n, "seconds": 0} for n in range(4)])
    def test_naps(workflow_run, inputs):
        pass

    @pytest.mark.wisebot("echo", {"n": "both"}, api="both")
    def test_both(workflow_run):
        pass

    @pytest.mark.wisebot("echo", {"n": "shared"}, share=True)
    @pytest.mark.parametrize("number", [1, 2, 3])
    def test_shared(workflow_run, number):
        pass

    @pytest.mark.skip
    @pytest.mark.wisebot("nap")
    def test_skipped(workflow_run):
        pass

    def test_called(trigger_workflow):
        trigger_workflow("echo")

    @pytest.fixture(scope="module")
    def wide(trigger_workflow):
        return trigger_workflow("echo")

    def test_wide(wide):
        pass

    @pytest.mark.wisebot("echo")
    @pytest.mark.parametrize("inputs", ["x"], indirect=True)
    def test_indirect(workflow_run, inputs):
        pass

    @pytest.fixture
    def inputs(request):
        return {"n": request.param}

    @pytest.mark.wisebot("nap")
    class TestClass:
        def test_marked(self):
            pass

    def test_unrelated():
        pass
"""

DURATIONS = ".pytest_cache/v/wisebot/durations"

UNKNOWN = [
    "not known: the runs of 3 tests, which trigger_workflow or fixtures of the project start:",
    "  test_it.py::test_called",
    "  test_it.py::test_wide",
    "  test_it.py::test_indirect[x]",
]


def plan(result: pytest.RunResult, start: str = "wisebot plan: ") -> list[str]:
    """The plan's lines, each seen to start as all of them do."""
    return [line.removeprefix(start) for line in result.outlines if line.startswith(start)]


@pytest.fixture
def suite(outside: Outside) -> Any:
    """A suite with something of everything."""
    outside.test(SUITE)
    return outside


def test_the_whole_plan(suite: Any) -> None:
    """Runs by workflow and API, which are ahead, what is skipped, what nobody can know; and exit code 0."""
    result = suite.run("--wisebot-plan")
    assert result.ret == pytest.ExitCode.OK
    assert plan(result) == [
        "7 runs known, 7 of them ahead of their tests",
        "  echo  dashboard      1 known,     1 ahead, no duration known yet",
        "  echo  webhook        2 known,     2 ahead, no duration known yet",
        "  nap   webhook        4 known,     4 ahead, no duration known yet",
        "1 test skipped by marks",
        *UNKNOWN,
    ]
    lines = result.outlines
    assert lines[lines.index("collected 15 items") + 1].startswith("wisebot: environment outside")
    assert re.fullmatch(r"=+ no tests ran in \d+\.\d\ds =+", lines[-1])
    assert suite.calls == []
    assert suite.handle.status_checks() == 0


def test_the_plan_keeps_its_word(suite: Any) -> None:
    """The session sends what was planned, and one run each for the three tests that could not be known."""
    suite.run().assert_outcomes(passed=14, skipped=1)
    assert len(suite.calls) == 7 + 3


def test_no_emulator_starts_for_a_plan(project: Project) -> None:
    """The module that declares the workflows is not even loaded."""
    project.write("flows.py", "raise AssertionError('loaded')")
    project.test("""
        @pytest.mark.wisebot("echo")
        def test_it(workflow_run):
            pass

        @pytest.mark.wisebot("echo")
        def test_with_the_emulator(workflow_run, wisebot_emulator):
            pass
    """)
    result = project.run("--wisebot-plan")
    assert result.ret == pytest.ExitCode.OK
    assert plan(result) == [
        "2 runs known, 1 of them ahead of their tests",
        "  echo  webhook        2 known,     1 ahead, no duration known yet",
        "1 run not ahead because of wisebot_emulator",
    ]


def last_session(suite: Any, *, took: float) -> None:
    """Runs three of the naps, and lets the cache say that each took so many seconds."""
    suite.run_with_cache("-k", "test_naps and not inputs3").assert_outcomes(passed=3, deselected=12)
    path = suite.project.path / DURATIONS
    known = json.loads(path.read_text("utf-8"))
    assert [workflow for workflow, _ in known.values()] == ["nap"] * 3
    path.write_text(json.dumps({tag: [workflow, took] for tag, (workflow, _) in known.items()}), "utf-8")


def test_the_last_session_gives_the_durations(suite: Any) -> None:
    """Seconds of each workflow, of all together, and the least that the cap allows; a new run counts as its fellows."""
    last_session(suite, took=1.5)
    before = (suite.project.path / DURATIONS).read_text("utf-8")
    result = suite.run_with_cache("--wisebot-plan", "--wisebot-concurrency", "2", "-k", "test_naps or test_both")
    assert plan(result) == [
        "6 runs known, 6 of them ahead of their tests",
        "  echo  dashboard      1 known,     1 ahead, no duration known yet",
        "  echo  webhook        1 known,     1 ahead, no duration known yet",
        "  nap   webhook        4 known,     4 ahead, about 6.0 s",
        "together about 6.0 s, and 2 of unknown duration; at least 3.0 s with 2 runs at once",
    ]
    assert (suite.project.path / DURATIONS).read_text("utf-8") == before
    roomy = suite.run_with_cache("--wisebot-plan", "-k", "test_naps")
    assert plan(roomy)[-1] == "together about 6.0 s; at least 1.5 s with 8 runs at once"
    suite.setting("workflows.nap.concurrency = 2")
    limited = suite.run_with_cache("--wisebot-plan", "-k", "test_naps")
    assert plan(limited)[-2:] == [
        "2 runs of nap at once (wisebot.toml: environments.outside.workflows.nap.concurrency): 2 wait for their turn",
        "together about 6.0 s; at least 3.0 s with 8 runs at once",
    ]


@pytest.mark.parametrize("damaged", ["[1, 2]", '{"x": 1}', '{"x": ["nap", "long"]}', "no JSON"])
def test_durations_that_something_else_wrote_are_none(suite: Any, damaged: str) -> None:
    """They give an order and an estimate: nothing is lost with them."""
    suite.run_with_cache("-k", "test_both and webhook")
    (suite.project.path / DURATIONS).write_text(damaged, "utf-8")
    result = suite.run_with_cache("--wisebot-plan", "-k", "test_both and webhook")
    assert plan(result)[1:] == ["  echo  webhook        1 known,     1 ahead, no duration known yet"]


def test_what_keeps_runs_from_being_ahead_is_named(suite: Any) -> None:
    """Under ``-x`` and its like nothing is ahead, and the estimate is that of one run after the other."""
    last_session(suite, took=2)
    held_by = {"-x": "-x or --maxfail", "--maxfail=3": "-x or --maxfail", "--stepwise": "--stepwise"}
    for option, because in {**held_by, "--wisebot-no-ahead": "--wisebot-no-ahead"}.items():
        assert plan(suite.run_with_cache("--wisebot-plan", option, "-k", "test_naps")) == [
            f"4 runs known, 0 of them ahead of their tests ({because})",
            "  nap  webhook        4 known,     0 ahead, about 8.0 s",
            "together about 8.0 s; at least 8.0 s with 1 run at once",
        ]


def test_a_limit_that_is_too_low_is_foreseen(suite: Any) -> None:
    """With ``--wisebot-max-runs`` the plan says how many would be left, and nothing where it suffices."""
    left = "at least 2 runs over max-runs 5 (--wisebot-max-runs)"
    assert left in plan(suite.run("--wisebot-plan", "--wisebot-max-runs", "5"))
    assert not any("not run" in line for line in plan(suite.run("--wisebot-plan", "--wisebot-max-runs", "7")))


def test_only_what_is_selected_is_planned(suite: Any) -> None:
    """By ``-k`` as by all else; with nothing selected there is nothing to run, and pytest's exit code says so."""
    result = suite.run("--wisebot-plan", "-k", "test_both and webhook")
    assert result.ret == pytest.ExitCode.OK
    assert plan(result) == [
        "1 run known, 1 of them ahead of their tests",
        "  echo  webhook        1 known,     1 ahead, no duration known yet",
    ]
    result = suite.run("--wisebot-plan", "-k", "nothing")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert plan(result) == ["no selected test names workflow_run or trigger_workflow"]
    result = suite.run("--wisebot-plan", "-k", "test_unrelated or test_marked")
    assert result.ret == pytest.ExitCode.OK
    assert plan(result) == ["no selected test names workflow_run or trigger_workflow"]


def test_a_test_that_asks_by_name_alone_is_not_known(suite: Any) -> None:
    """What a test or its fixture asks ``request.getfixturevalue`` for stands in its code: the plan looks there."""
    suite.test(
        """
        import functools

        def decorated(function):
            @functools.wraps(function)
            def call(*args, **kwargs):
                return function(*args, **kwargs)
            return call

        @pytest.fixture
        def triage(request):
            return request.getfixturevalue("trigger_workflow")("echo")

        @pytest.mark.wisebot("echo")
        @decorated
        def test_in_its_body(request):
            assert request.getfixturevalue("workflow_run").ok

        def test_by_its_fixture(triage):
            assert triage.ok

        def test_something_else(request):
            assert request.getfixturevalue("tmp_path"), "and no workflow_run"

        def test_the_word_alone():
            assert "workflow_run"
        """,
        name="test_by_name.py",
    )
    assert plan(suite.run("--wisebot-plan", "test_by_name.py")) == [
        "0 runs known, 0 of them ahead of their tests",
        "not known: the runs of 2 tests, which trigger_workflow or fixtures of the project start:",
        "  test_by_name.py::test_in_its_body",
        "  test_by_name.py::test_by_its_fixture",
    ]


@pytest.mark.parametrize("args", [["-n", "2"], ["-n", "2", "--dist", "loadscope"], ["-d", "--tx", "2*popen"]], ids=str)
def test_under_xdist_the_plan_is_made_once_and_without_workers(suite: Any, args: list[str]) -> None:
    """Nobody needs two processes to look at tests."""
    result = suite.run("--wisebot-plan", *args)
    assert result.ret == pytest.ExitCode.OK
    assert plan(result)[0] == "7 runs known, 7 of them ahead of their tests"
    assert plan(result)[5:] == UNKNOWN
    result.stdout.no_re_match_line(r"(created: )?\d+(/\d+)? workers.*|.*\[gw\d\].*")


def test_with_dist_each_every_worker_s_runs_are_planned(outside: Outside) -> None:
    """Each worker runs every test; what tests share is one run for all of them."""
    outside.test("""
        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", [{"n": 1}, {"n": 2}])
        def test_it(workflow_run, inputs):
            pass

        @pytest.mark.wisebot("nap", share=True)
        def test_shared(workflow_run):
            pass
    """)
    result = outside.run("--wisebot-plan", "-n", "3", "--dist", "each")
    assert plan(result) == [
        "7 runs known, 7 of them ahead of their tests",
        "  echo  webhook        6 known,     6 ahead, no duration known yet",
        "  nap   webhook        1 known,     1 ahead, no duration known yet",
        "each of 3 workers runs every test (--dist each)",
    ]


def test_a_protected_environment_can_be_looked_at(outside: Outside) -> None:
    """The plan runs nothing: it is shown, and says that without the option nothing would be run."""
    outside.setting("protected = true")
    outside.test("""
        @pytest.mark.wisebot("echo")
        def test_it(workflow_run):
            pass
    """)
    result = outside.run("--wisebot-plan")
    assert result.ret == pytest.ExitCode.OK
    lines = plan(result)
    assert lines[0] == "1 run known, 1 of them ahead of their tests"
    assert lines[-1] == (
        'and now nothing at all would be run: environment "outside" is protected: '
        "add --wisebot-allow-protected to run against it"
    )
    assert plan(outside.run("--wisebot-plan", "--wisebot-allow-protected")) == lines[:-1]


def test_long_lists_are_cut_and_v_shows_them_whole(outside: Outside) -> None:
    """Twenty tests whose runs nobody can know are named, and the rest counted."""
    outside.test("""
        @pytest.mark.parametrize("n", range(23))
        def test_it(trigger_workflow, n):
            pass
    """)
    first = "not known: the runs of 23 tests, which trigger_workflow or fixtures of the project start:"
    names = [f"  test_it.py::test_it[{number}]" for number in range(23)]
    nothing = "0 runs known, 0 of them ahead of their tests"
    short = [nothing, first, *names[:20], "  and 3 more, shown by -v"]
    assert plan(outside.run("--wisebot-plan")) == plan(outside.run("--wisebot-plan", "-q")) == short
    assert plan(outside.run("--wisebot-plan", "-v")) == [nothing, first, *names]


def test_both_apis_by_option_are_planned(outside: Outside) -> None:
    """``--wisebot-api`` says over which API a test runs that names none, and so does the plan."""
    outside.test("""
        @pytest.mark.wisebot("echo")
        def test_it(workflow_run):
            pass
    """)
    for api, apis in {"both": ["dashboard", "webhook"], "dashboard": ["dashboard"]}.items():
        lines = plan(outside.run("--wisebot-plan", "--wisebot-api", api))
        assert lines[1:] == [f"  echo  {one:<9}      1 known,     1 ahead, no duration known yet" for one in apis]


def test_wrong_settings_are_told_as_before_any_session(suite: Any) -> None:
    """A plan against an environment that there is not is no plan."""
    result = suite.run("--wisebot-plan", "--wisebot-env", "nowhere")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert 'ERROR: --wisebot-env: unknown environment "nowhere", known: outside' in result.errlines
    assert plan(result) == []


def test_a_test_that_cannot_run_is_told_before(outside: Outside) -> None:
    """A wrong marker, a workflow that the environment does not list, inputs that are no JSON."""
    outside.setting('workflows = { echo = { id = "echo" } }')
    outside.test("""
        @pytest.mark.wisebot("ecko")
        def test_misspelt(workflow_run):
            pass

        def test_undeclared(workflow_run):
            pass

        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", [{"n": float("nan")}], ids=["nan"])
        def test_inputs(workflow_run, inputs):
            pass
    """)
    assert plan(outside.run("--wisebot-plan")) == [
        "0 runs known, 0 of them ahead of their tests",
        "3 tests with nothing that can be run:",
        '  test_it.py::test_misspelt: unknown workflow "ecko" in environment "outside", did you mean "echo"? known: '
        'echo (write "id:ecko" for an id that is not listed)',
        "  test_it.py::test_undeclared: workflow_run needs a marker that names a workflow: "
        '@pytest.mark.wisebot("NAME", {...})',
        "  test_it.py::test_inputs[nan]: inputs.n: nan is not a JSON number",
    ]


def test_wrong_settings_are_told_as_ever(outside: Outside) -> None:
    """By the plan, too, and where no selected test needs them they are not looked at."""
    outside.test(SUITE)
    wrong = outside.run("--wisebot-plan", "--wisebot-env", "nope")
    assert wrong.ret == pytest.ExitCode.USAGE_ERROR
    fine = outside.run("--wisebot-plan", "--wisebot-env", "nope", "-k", "test_unrelated")
    assert fine.ret == pytest.ExitCode.OK


def test_half_a_collection_makes_no_plan(outside: Outside) -> None:
    """A module that cannot be imported ends the session as it does without a plan."""
    outside.test(SUITE)
    outside.project.write("test_broken.py", "import nowhere")
    result = outside.run("--wisebot-plan", ".")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert plan(result) == []
