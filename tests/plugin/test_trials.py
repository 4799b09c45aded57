"""Trials: one test, judged once for each run, with one verdict and one set of reports."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from harness import Numbers, Outside, Project

PLAN = """
    import itertools
    SEEN = itertools.count(1)

    def fails(*numbers):
        assert next(SEEN) not in numbers
"""
"""For tests whose trials fail by their number alone."""


def lines_of(result: pytest.RunResult, title: str) -> list[str]:
    """A section of a failure, from its title to the next one; run ids and seconds told by a letter."""
    lines = result.outlines
    start = next(index for index, line in enumerate(lines) if re.fullmatch(rf"-+ {title} -+", line))
    end = next(index for index in range(start + 1, len(lines)) if re.match(r"[-=_]{10}", lines[index]))
    return [re.sub(r"run_\w+", "RUN", re.sub(r"\d+\.\d\d s", "S s", line)) for line in lines[start + 1 : end]]


def test_enough_passes_are_a_pass(outside: Outside, numbers: Numbers) -> None:
    """As soon as they are reached: one test passed, and what was not needed is not run."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1}, trials=5, min_passes=2)
        def test_it(workflow_run):
            pass
    """)
    result = outside.run("-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["test_it.py::test_it PASSED 2/2 (3 not needed)*"])
    assert outside.arrived == [1, 1]
    assert "1 test with trials: 1 passed; 2 trials judged" in numbers(result)


def test_passed_with_some_failures_is_flaky(outside: Outside, numbers: Numbers) -> None:
    """A category, a letter and a word of its own; for the exit code it has passed."""
    outside.test(PLAN, """
        @pytest.mark.wisebot("echo", {"n": 1}, trials=10, min_passes=8)
        def test_it(workflow_run):
            fails(3)
    """)  # fmt: skip
    result = outside.run("-v")
    assert (result.ret, result.parseoutcomes()) == (0, {"flaky": 1})
    result.stdout.fnmatch_lines(["test_it.py::test_it FLAKY passed 8/9 (1 not needed) *"])
    assert numbers(result)[2:4] == [
        "1 test with trials: 1 flaky; 9 trials judged",
        "  test_it.py::test_it: passed 8/9 (1 not needed); trial 3: assert 3 not in (3,)",
    ]


def test_the_letter_of_a_flaky_test(outside: Outside) -> None:
    """A tilde among the dots."""
    outside.test(PLAN, """
        def test_before(wisebot_settings):
            pass

        @pytest.mark.wisebot("echo", trials=3, min_passes=2)
        def test_it(workflow_run):
            fails(1)
    """)  # fmt: skip
    outside.run().stdout.fnmatch_lines(["test_it.py .~ *"])


def test_a_failure_shows_the_trials_and_the_first_that_failed(outside: Outside) -> None:
    """A table with each trial, the interval of the pass rate, and the whole output of the first trial that failed."""
    outside.test(PLAN, """
        @pytest.mark.wisebot("echo", {"n": 1}, trials=10, min_passes=8)
        def test_it(workflow_run):
            print("this is trial", workflow_run.trial)
            fails(2, 4, 5)
    """)  # fmt: skip
    result = outside.run()
    result.assert_outcomes(failed=1)
    assert lines_of(result, "wisebot trials") == [
        "passed 2/5 (5 not needed); 8 of 10 must pass",
        "pass rate 40%, 95% interval 11.8% to 76.9% (Wilson)",
        "warning: 80% is demanded, and 10 passes in 10 trials show no more than 72.2% (95% confidence); "
        "it takes 16 trials",
        "  1  passed  S s  RUN",
        "  2  failed  S s  RUN  assert 2 not in (2, 4, 5)",
        "  3  passed  S s  RUN",
        "  4  failed  S s  RUN  assert 4 not in (2, 4, 5)",
        "  5  failed  S s  RUN  assert 5 not in (2, 4, 5)",
        "the failure that is shown is that of trial 2",
    ]
    assert lines_of(result, "Captured stdout call") == ["this is trial 2"]
    assert result.stdout.str().count("over the webhook API, environment outside: ok (live)") == 1
    # pytest cuts the line to the terminal's width, and on CI it does not.
    result.stdout.fnmatch_lines(["FAILED test_it.py::test_it - passed 2/5 (5 not needed), 8 must; trial 2: asse*"])


def test_default_is_that_all_must_pass(outside: Outside) -> None:
    """Without ``min_passes`` the first failure is the verdict."""
    outside.test(PLAN, """
        @pytest.mark.wisebot(trials=4)
        def test_it(trigger_workflow):
            trigger_workflow("echo", {"n": 1})
            fails(2)
    """)  # fmt: skip
    result = outside.run()
    result.assert_outcomes(failed=1)
    assert lines_of(result, "wisebot trials")[0] == "passed 1/2 (2 not needed); 4 of 4 must pass"
    assert outside.arrived == [1, 1]


def test_a_test_that_calls_has_trials_too(outside: Outside) -> None:
    """Each trial calls anew, and its runs and calls know which trial it is."""
    outside.test("""
        @pytest.mark.wisebot(trials=3, api="dashboard", inputs={"n": 7})
        def test_it(trigger_workflow, seen=[]):
            seen.append(trigger_workflow("echo").trial)
            runs = trigger_workflow.map("echo", [{"n": 8}, {"n": 9}])
            assert [run.trial for run in runs] == seen[-1:] * 2
            assert seen == [*range(1, len(seen) + 1)]
    """)
    outside.run().assert_outcomes(passed=1)
    assert sorted(outside.arrived) == [7] * 3 + [8] * 3 + [9] * 3


def test_a_marker_on_a_parameter_or_a_class_has_trials(outside: Outside) -> None:
    """Wherever the marker stands that holds, and one test each for both APIs."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": "class"}, trials=2)
        class TestIt:
            def test_class(self, workflow_run):
                pass

            @pytest.mark.parametrize("by", [1, pytest.param(2, marks=pytest.mark.wisebot("echo", {"n": 2}, trials=3))])
            def test_parameter(self, workflow_run, by):
                pass

        @pytest.mark.wisebot("echo", {"n": "both"}, api="both", trials=2)
        def test_both(workflow_run):
            pass
    """)
    outside.run().assert_outcomes(passed=5)
    assert sorted(map(str, outside.arrived)) == ["2"] * 3 + ["both"] * 4 + ["class"] * 4


@pytest.mark.parametrize(("number", "runs"), [(20, 16), (3, 3), (1, 1)])
def test_another_number_by_option(outside: Outside, number: int, runs: int) -> None:
    """``--wisebot-trials N`` holds for all tests that have trials, at the same rate rounded up, and for no other."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": "trials"}, trials=10, min_passes=8)
        def test_trials(workflow_run):
            pass

        @pytest.mark.wisebot("echo", {"n": "one"}, trials=1)
        def test_one(workflow_run):
            pass

        @pytest.mark.wisebot("echo", {"n": "none"})
        def test_none(workflow_run):
            pass
    """)
    outside.run("--wisebot-trials", str(number)).assert_outcomes(passed=3)
    assert sorted(outside.arrived) == ["none"] + ["one"] * number + ["trials"] * runs


def test_a_rate_that_the_trials_cannot_show_is_told_where_it_matters(outside: Outside, numbers: Numbers) -> None:
    """By the plan, whether the number comes from the marker or from the option, and by a failure; else by nothing."""
    outside.test("""
        @pytest.mark.parametrize("n", range(3))
        @pytest.mark.wisebot(trials=10, min_passes=8)
        def test_it(trigger_workflow, n):
            trigger_workflow("echo", {"n": n})

        @pytest.mark.wisebot("echo", trials=5, min_passes=5)
        def test_all(workflow_run):
            pass
    """)
    which = "wisebot plan: warning: a pass rate that its trials cannot show (and 2 more tests likewise): "
    why = "80% is demanded, and {0} passes in {0} trials show no more than {1}% (95% confidence); it takes 16 trials"
    told = which + "test_it.py::test_it[0]: " + why
    assert told.format(10, 72.2) in outside.run("--wisebot-plan").outlines
    assert told.format(5, 56.6) in outside.run("--wisebot-plan", "--wisebot-trials", "5", "-n", "1").outlines
    assert "warning" not in outside.run("--wisebot-plan", "--wisebot-trials", "20").stdout.str()
    result = outside.run()
    result.assert_outcomes(passed=4)
    assert "warning" not in result.stdout.str()
    outside.project.edit("test_it.py", '{"n": n})', '{"n": n})\n    assert n')
    result = outside.run()
    result.assert_outcomes(passed=3, failed=1)
    assert result.outlines.count(f"warning: {why.format(10, 72.2)}") == 1


def test_no_verdict_is_no_failed_trial(outside: Outside) -> None:
    """An infrastructure error ends the trials, and the test has that error, however many had passed."""
    outside.test("""
        @pytest.mark.wisebot(trials=10, min_passes=3)
        def test_it(trigger_workflow, seen=[]):
            seen.append(1)
            trigger_workflow("echo", {"n": len(seen)})
            if len(seen) == 2:
                trigger_workflow("nap", {"n": "late", "seconds": 2}, timeout=0.7)
    """)
    result = outside.run()
    assert result.parseoutcomes() == {"infrastructure": 1}
    head, _, first, second = lines_of(result, "wisebot trials")
    assert head == "no verdict in trial 2 (passed 1/1 before); 3 of 10 must pass"
    assert first == "  1  passed      S s  RUN"
    late = "pytest_wisebot.errors.RunTimedOut: no whole answer within 0.7 s"
    assert second.startswith(f"  2  no verdict  S s  RUN  {late}")
    assert any(re.match(rf"E +{late}", line) for line in result.outlines)
    assert outside.arrived == [1, 2, "late"]


def test_what_was_not_run_is_no_failed_trial_either(outside: Outside, numbers: Numbers) -> None:
    """The budget stops the trials: the test is one that was not run."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1}, trials=5)
        def test_it(workflow_run):
            pass
    """)
    result = outside.run("--wisebot-max-runs", "3")
    assert result.parseoutcomes() == {"not": 1}
    assert outside.arrived == [1, 1, 1]
    assert "1 test with trials: 1 no verdict; 3 trials judged" in numbers(result)


def test_a_limit_holds_for_each_trial(outside: Outside) -> None:
    """``max_seconds`` fails the trial whose run took longer."""
    outside.test("""
        @pytest.mark.wisebot(trials=3, min_passes=2, max_seconds=0.25)
        def test_it(trigger_workflow, seen=[]):
            seen.append(1)
            trigger_workflow("nap", {"n": 1, "seconds": 0.6 if len(seen) == 2 else 0})
    """)
    result = outside.run()
    assert result.parseoutcomes() == {"flaky": 1}


def test_the_emulator_s_handle_sees_all_trials(project: Project) -> None:
    """``calls()`` are those of the test, and its trials are the test's."""
    project.test("""
        @pytest.mark.wisebot("echo", {"n": 1}, trials=3)
        def test_it(workflow_run, wisebot_emulator):
            assert len(wisebot_emulator.calls()) == workflow_run.trial

        def test_other(wisebot_emulator):
            assert wisebot_emulator.calls() == []
    """)
    project.run().assert_outcomes(passed=2)


def test_junit_xml_has_one_case(outside: Outside) -> None:
    """With the numbers as a property, the table in the failure, and the time of all trials."""
    outside.test(PLAN, """
        @pytest.mark.wisebot(trials=3, min_passes=2)
        def test_it(trigger_workflow, record_property):
            record_property("mine", trigger_workflow("nap", {"seconds": 0.2}).trial)
            fails(1, 3)

        @pytest.mark.wisebot(trials=3, min_passes=2)
        def test_flaky(trigger_workflow):
            fails(4)
    """)  # fmt: skip
    outside.run("--junitxml", "junit.xml", "-o", "junit_family=xunit1")
    suite = ET.parse(outside.project.path / "junit.xml").getroot()[0]
    assert {name: suite.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "2", "failures": "1", "errors": "0",
    }  # fmt: skip
    failed, flaky = suite
    properties = [(str(one.get("name")), str(one.get("value"))) for one in failed.iter("property")]
    assert properties[:3] == [("mine", "1"), ("wisebot_trials", "passed 1/3"), ("wisebot_outcome", "failed")]
    names = [f"wisebot_{name}" for name in ("workflow", "api", "runId", "attempts", "seconds", "source")]
    assert [name for name, _ in properties[3:]] == names * 3
    assert [value for name, value in properties if name in names[:2]] == ["nap", "webhook"] * 3
    assert len({value for name, value in properties if name == "wisebot_runId"}) == 3
    assert [value for name, value in properties if name in (names[3], names[5])] == ["1", "live"] * 3
    assert all(float(value) >= 0.2 for name, value in properties if name == "wisebot_seconds")
    assert [one.get("value") for one in flaky.iter("property")] == ["passed 2/3"]
    (failure,) = failed.iter("failure")
    assert str(failure.get("message")).startswith("passed 1/3, 2 must; trial 1: assert 1 not in (1, 3)")
    assert "pass rate 33.3%, 95% interval 6.15% to 79.2% (Wilson)" in str(failure.text)
    assert float(str(failed.get("time"))) >= 0.6
    assert [child.tag for child in flaky] == ["properties"]


def test_last_failed_and_maxfail_count_one_test(outside: Outside) -> None:
    """A test that fails by its trials is one failure; a flaky one is none."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1}, trials=3)
        def test_failed(workflow_run):
            assert workflow_run.trial == 9

        @pytest.mark.wisebot("echo", {"n": 2}, trials=3, min_passes=2)
        def test_flaky(workflow_run):
            assert workflow_run.trial != 1

        def test_last():
            pass
    """)
    assert outside.run_with_cache("--maxfail=2").parseoutcomes() == {"failed": 1, "flaky": 1, "passed": 1}
    assert outside.run_with_cache("--lf").parseoutcomes() == {"failed": 1}
    assert outside.run_with_cache("-x").parseoutcomes() == {"failed": 1}
    assert outside.run_with_cache("--ff", "--maxfail=2").parseoutcomes() == {"failed": 1, "flaky": 1, "passed": 1}


def test_durations_are_those_of_all_trials(outside: Outside) -> None:
    """The test's setup, call and teardown took as long as all of them together."""
    outside.test("""
        import time

        @pytest.fixture
        def slow():
            time.sleep(0.1)
            yield
            time.sleep(0.05)

        @pytest.mark.wisebot(trials=4)
        def test_it(trigger_workflow, slow):
            time.sleep(0.15)
    """)
    durations = dict(re.findall(r"(?m)^(\d\.\d\d)s (\w+)", outside.run("--durations=3").stdout.str()))
    took = {phase: float(seconds) for seconds, phase in durations.items()}
    assert took["call"] >= 0.6
    assert took["setup"] >= 0.4
    assert took["teardown"] >= 0.2


def test_long_tables_show_what_failed(outside: Outside) -> None:
    """Fifty rows, those that did not pass first; ``-vv`` shows all."""
    outside.test(PLAN, """
        @pytest.mark.wisebot(trials=80, min_passes=79)
        def test_it(trigger_workflow):
            fails(70, 75)
    """)  # fmt: skip
    rows = lines_of(outside.run(), "wisebot trials")[3:-1]
    assert [row.split()[0] for row in rows] == [*map(str, range(1, 49)), "70", "75", "and"]
    assert rows[-1] == "  and 25 more trials, shown by -vv"
    assert len(lines_of(outside.run("-vv"), "wisebot trials")[3:-1]) == 75


def test_nothing_secret_is_in_the_table(outside: Outside) -> None:
    """The reason of a trial is cleaned like the failure itself."""
    outside.test("""
        @pytest.mark.wisebot(trials=2)
        def test_it(trigger_workflow):
            secret = (HERE / "secret.txt").read_text()
            trigger_workflow("echo", secret=secret)
            raise ValueError(f"it was {secret}")
    """)
    result = outside.run("--junitxml", "junit.xml")
    assert lines_of(result, "wisebot trials")[2].endswith("  ValueError: it was <secret>")
    assert "FAKE-secret" not in result.stdout.str() + (outside.project.path / "junit.xml").read_text()
