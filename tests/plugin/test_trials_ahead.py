"""What trials cost: they go ahead of their turn, and never more of them than can still count."""

from __future__ import annotations

import random

import pytest
from harness import Numbers, Outside

from pytest_wisebot.plugin.item_session import TrialsAhead
from pytest_wisebot.plugin.trial_policy import TrialPolicy
from pytest_wisebot.runs import RunRequest

DICE = """
    @pytest.mark.wisebot(
        "dice", {{"whose": str(HERE), "seed": {seed}, "chance": {chance}}}, trials={trials}, min_passes={needed}
    )
    def test_it(workflow_run):
        with (HERE / "outcomes").open("a") as file:
            file.write("+" if workflow_run.ok else "-")
        assert workflow_run.ok
"""


def judged_by_hand(outcomes: list[bool], trials: int, needed: int) -> tuple[bool, int]:
    """The verdict of all trials, and how many it takes until no rest of them could give another one."""
    verdict = sum(outcomes[:trials]) >= needed
    for count in range(trials + 1):
        worst, best = sum(outcomes[:count]), sum(outcomes[:count]) + trials - count
        if (worst >= needed) is (best >= needed):
            return verdict, count
    raise AssertionError("unreachable")


def most_sent(outcomes: list[bool], needed: int, cap: int) -> int:
    """How many runs the rule lets go out, at most: at each moment those judged, and as many as may be open."""
    return max(count + min(cap, needed - sum(outcomes[:count])) for count in range(len(outcomes)))


@pytest.mark.parametrize(
    ("seed", "chance", "trials", "needed"),
    [(1, 0.3, 10, 7), (2, 0.3, 10, 7), (3, 0.5, 12, 6), (4, 0.1, 8, 8), (5, 0.9, 9, 3), (6, 0.0, 5, 5), (7, 1.0, 6, 2)],
)
def test_one_at_a_time_costs_the_fewest_runs(
    outside: Outside, seed: int, chance: float, trials: int, needed: int
) -> None:
    """A workflow that fails by chance, and a seed: the verdict is the exact one, at the least cost there is."""
    dice = random.Random(seed)
    outcomes = [dice.random() >= chance for _ in range(trials)]
    verdict, fewest = judged_by_hand(outcomes, trials, needed)
    outside.test(DICE.format(seed=seed, chance=chance, trials=trials, needed=needed))
    result = outside.run("--wisebot-concurrency", "1")
    assert (result.ret == 0) is verdict
    assert (outside.project.path / "outcomes").read_text() == "".join("+" if one else "-" for one in outcomes[:fewest])
    assert len(outside.calls) == fewest


@pytest.mark.parametrize(
    ("seed", "cap", "args"),
    [
        *(pytest.param(seed, cap, [], id=f"{seed}-{cap}-one process") for seed in (11, 12, 13) for cap in (2, 3, 8)),
        *(pytest.param(seed, cap, ["-n", "2"], id=f"{seed}-{cap}-xdist") for seed, cap in ((11, 2), (12, 3), (13, 8))),
    ],
)
def test_at_once_they_cost_what_can_still_count(outside: Outside, seed: int, cap: int, args: list[str]) -> None:
    """At any cap: the verdict of the runs in the order in which they were judged, and no run beyond the rule."""
    trials, needed = 12, 8
    outside.test(DICE.format(seed=seed, chance=0.3, trials=trials, needed=needed))
    result = outside.run("--wisebot-concurrency", str(cap), *args)
    outcomes = [mark == "+" for mark in (outside.project.path / "outcomes").read_text()]
    assert (result.ret == 0) is (sum(outcomes) >= needed)
    assert judged_by_hand([*outcomes, *[False] * trials], trials, needed)[1] == len(outcomes)
    outside.let_it_come_to_rest()
    assert len(outcomes) <= len(outside.calls) <= min(trials, most_sent(outcomes, needed, cap))
    assert outside.handle.peak() <= cap


@pytest.mark.parametrize(("cap", "trials", "needed"), [(1, 5, 3), (2, 10, 8), (8, 10, 8), (100, 10, 8), (3, 4, 4)])
def test_as_many_as_may_be_open_are_open(cap: int, trials: int, needed: int) -> None:
    """After each trial that is judged, so many more are started that the rule is used up."""
    dice = random.Random(cap)
    demand = TrialPolicy(trials, needed)
    started: list[int] = []
    request = RunRequest("echo", test="t")
    ahead = TrialsAhead(request, cap)
    passes = judged = sent = 0
    while demand.verdict(passes, judged - passes) is None:
        started.extend(run.request.trial for run in ahead.next(demand, passes, judged))
        assert started == [*range(1, len(started) + 1)]
        sent = max(sent, min(trials, judged + min(cap, needed - passes)))
        assert len(started) == sent
        judged += 1
        passes += dice.random() < 0.7
    assert len(started) <= trials


def test_the_first_ones_are_under_way_before_the_first_test(outside: Outside) -> None:
    """As many as the cap allows, and not more than must pass."""
    outside.test("""
        def test_first():
            until(lambda: sorted(arrived()) == ["a"] * 3 + ["b"] * 2)
            open_gate()

        @pytest.mark.wisebot("gate", {"n": "a", "until": GATE}, trials=5, min_passes=3)
        def test_a(workflow_run):
            pass

        @pytest.mark.wisebot("gate", {"n": "b", "until": GATE}, trials=2)
        def test_b(workflow_run):
            pass
    """)
    outside.run().assert_outcomes(passed=3)
    assert outside.handle.peak() == 5
    assert len(outside.arrived) == 5


def test_a_failed_trial_makes_room_for_another(outside: Outside) -> None:
    """While the test judges one trial, those that may still count are under way."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1}, trials=6, min_passes=4)
        def test_it(workflow_run):
            if workflow_run.trial == 1:
                until(lambda: len(answered()) == 4)
                raise AssertionError
            if workflow_run.trial == 2:
                until(lambda: len(answered()) == 5)
    """)
    assert outside.run("--wisebot-concurrency", "4").parseoutcomes() == {"flaky": 1}
    assert len(outside.arrived) == 5


@pytest.mark.parametrize("option", ["-x", "--maxfail=2", "--wisebot-no-ahead"])
def test_where_nothing_is_ahead_no_trial_is(outside: Outside, option: str) -> None:
    """Each run waits until its trial asks: the fewest runs, at whatever cap."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1}, trials=10, min_passes=8)
        def test_it(workflow_run):
            assert len(arrived()) == workflow_run.trial
            assert workflow_run.trial not in (2, 4, 5)
    """)
    outside.run(option).assert_outcomes(failed=1)
    assert len(outside.arrived) == 5


def test_what_was_sent_and_not_needed_is_told(outside: Outside, numbers: Numbers) -> None:
    """As what it is, whether it had ended or not: not among the runs that may have happened."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1}, trials=4)
        def test_it(workflow_run):
            until(lambda: len(answered()) == 4)
            assert workflow_run.trial != 1
    """)
    result = outside.run()
    result.assert_outcomes(failed=1)
    told = "3 runs of trials were sent ahead and not needed: their tests ended without them"
    assert numbers(result)[-1] == told
    outside.handle.reset(everywhere=True)
    outside.test("""
        @pytest.mark.wisebot("gate", {"n": 1, "until": GATE}, trials=2)
        def test_it(workflow_run):
            assert 0

        @pytest.fixture(autouse=True)
        def fails():
            until(lambda: len(arrived()) == 2)
            assert 0
    """)
    result = outside.run("-n", "2")
    assert "not awaited" not in result.stdout.str()
    told = "2 runs of trials were sent ahead and not needed: their tests ended without them, and 2 had not ended"
    assert numbers(result)[-1] == told


def test_another_bag_for_each_trial_is_never_ahead(outside: Outside) -> None:
    """A fixture makes the inputs anew for each trial, and each trial has the run of its own."""
    outside.test("""
        @pytest.fixture
        def inputs(seen=[]):
            seen.append(1)
            return {"n": len(seen)}

        @pytest.mark.wisebot("echo", trials=4)
        def test_it(workflow_run, inputs):
            assert workflow_run.result == inputs
    """)
    outside.run().assert_outcomes(passed=1)
    assert outside.arrived == [1, 2, 3, 4]


def test_no_trial_changes_the_bag_of_another(outside: Outside) -> None:
    """A test may change its parameter: the next trial, which has been paid for, finds it as it was."""
    outside.test("""
        @pytest.mark.wisebot("echo", trials=8)
        @pytest.mark.parametrize("inputs", [{"n": 0}])
        def test_it(workflow_run, inputs):
            assert workflow_run.result == inputs
            inputs["n"] += 1
    """)
    outside.run("--wisebot-concurrency", "2").assert_outcomes(passed=1)
    assert outside.arrived == [0] * 8


def test_where_a_trial_asks_for_something_else_nothing_further_is_ahead(outside: Outside) -> None:
    """What was sent is lost; as soon as a trial asks for another bag, no more are started for the first one."""
    outside.test("""
        BAG = {"n": 0}

        @pytest.mark.wisebot("echo", BAG, trials=8)
        def test_it(workflow_run):
            assert workflow_run.result == BAG
            BAG["n"] += 1
    """)
    outside.run("--wisebot-concurrency", "2").assert_outcomes(passed=1)
    assert [n for n in outside.arrived if n] == [*range(1, 8)]
    assert outside.arrived.count(0) <= 3


def test_the_budget_counts_each_trial(outside: Outside, numbers: Numbers) -> None:
    """What it does not let out is not run, for trials as for all else."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": "a"}, trials=4)
        def test_a(workflow_run):
            pass

        @pytest.mark.wisebot("echo", {"n": "b"})
        def test_b(workflow_run):
            pass
    """)
    result = outside.run("--wisebot-max-runs", "4")
    assert result.parseoutcomes() == {"passed": 1, "not": 1}
    assert outside.arrived == ["a"] * 4


def test_the_longest_goes_first_also_of_trials(outside: Outside) -> None:
    """How long its trials took is kept of a test, and orders them in the next session."""
    outside.test("""
        def test_first():
            until(lambda: len(answered()) == 4)

        @pytest.mark.wisebot("nap", {"n": "short", "seconds": 0}, trials=2)
        def test_short(workflow_run):
            pass

        @pytest.mark.wisebot("nap", {"n": "long", "seconds": 1}, trials=2)
        def test_long(workflow_run):
            pass
    """)
    alone = ["--wisebot-concurrency", "2"]
    outside.run_with_cache(*alone).assert_outcomes(passed=3)
    outside.handle.reset(everywhere=True)
    outside.run_with_cache(*alone).assert_outcomes(passed=3)
    assert outside.arrived == ["long", "long", "short", "short"]


def test_the_plan_says_at_least_and_at_most(outside: Outside) -> None:
    """Counted as if all passed, with what comes on top where some fail; nothing is run."""
    outside.test("""
        @pytest.mark.wisebot("echo", trials=10, min_passes=9)
        def test_a(workflow_run):
            pass

        @pytest.mark.wisebot("echo", trials=4, min_passes=2)
        def test_b(workflow_run):
            pass

        @pytest.mark.wisebot(trials=4)
        def test_c(trigger_workflow):
            pass
    """)
    lines = [line for line in outside.run("--wisebot-plan").outlines if line.startswith("wisebot plan: ")]
    assert [line.removeprefix("wisebot plan: ") for line in lines] == [
        "11 runs known, 10 of them ahead of their tests",
        "  echo  webhook       11 known,    10 ahead, no duration known yet",
        "trials of 2 tests: counted as if all passed; where some fail, up to 3 more runs",
        "warning: a pass rate that its trials cannot show: test_it.py::test_a: 90% is demanded, and 10 passes in 10 "
        "trials show no more than 72.2% (95% confidence); it takes 35 trials",
        "trials of 1 test below: each trial starts those runs anew",
        "not known: the runs of 1 test, which trigger_workflow or fixtures of the project start:",
        "  test_it.py::test_c",
    ]
    assert outside.calls == []
