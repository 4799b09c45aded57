"""A test that its marks keep from running has no run ahead of it, and one that skips itself pays as late as it can."""

from __future__ import annotations

from harness import Numbers, Outside


def test_what_marks_skip_is_never_sent(outside: Outside) -> None:
    """``skip`` and ``skipif``, with a value or a text, on functions, classes, modules and parameters."""
    outside.test("""
        import sys

        @pytest.mark.skip
        @pytest.mark.wisebot("echo", {"n": "skip"})
        def test_skip(workflow_run):
            pass

        @pytest.mark.skipif(sys.maxsize > 1, reason="always")
        @pytest.mark.wisebot("echo", {"n": "skipif"})
        def test_skipif(workflow_run):
            pass

        @pytest.mark.skipif("sys.maxsize > 1 and config.option.verbose >= 0")
        @pytest.mark.wisebot("echo", {"n": "skipif text"})
        def test_skipif_text(workflow_run):
            pass

        @pytest.mark.skip("the class")
        @pytest.mark.wisebot("echo", {"n": "class"})
        class TestClass:
            def test_it(self, workflow_run):
                pass

        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", [
            {"n": "sent"},
            pytest.param({"n": "parameter"}, marks=pytest.mark.skip("this one")),
            pytest.param({"n": "parameter, by condition"}, marks=pytest.mark.skipif(True, reason="this one")),
        ])
        def test_parameter(workflow_run, inputs):
            pass

        @pytest.mark.skipif(False, reason="never")
        @pytest.mark.skipif("sys.maxsize < 1")
        @pytest.mark.wisebot("echo", {"n": "sent, too"})
        def test_not_skipped(workflow_run):
            pass
    """)
    outside.test("""
        pytestmark = pytest.mark.skip("the module")

        @pytest.mark.wisebot("echo", {"n": "module"})
        def test_it(workflow_run):
            pass
    """, name="test_module.py")  # fmt: skip
    outside.run("--wisebot-concurrency", "1").assert_outcomes(passed=2, skipped=7)
    assert outside.arrived == ["sent", "sent, too"]


def test_what_is_skipped_at_collection_is_never_sent(outside: Outside) -> None:
    """A module that asks for what is not installed, or that skips itself as a whole."""
    for name, line in [("import", 'pytest.importorskip("nothing_that_is_there")'), ("skip", SKIP_MODULE)]:
        outside.test(line, ONE_TEST, name=f"test_{name}.py")
    outside.run().assert_outcomes(skipped=2)
    assert outside.arrived == []


SKIP_MODULE = 'pytest.skip("not here", allow_module_level=True)'

ONE_TEST = """
@pytest.mark.wisebot("echo", {"n": 1})
def test_it(workflow_run):
    pass
"""


def test_a_broken_condition_is_told_by_its_test_and_costs_nothing(outside: Outside) -> None:
    """Nobody knows whether such a test would have run."""
    outside.test("""
        @pytest.mark.skipif("no_such_name")
        @pytest.mark.wisebot("echo", {"n": "name"})
        def test_name(workflow_run):
            pass

        @pytest.mark.skipif(1 == 1)
        @pytest.mark.wisebot("echo", {"n": "reason"})
        def test_reason(workflow_run):
            pass

        @pytest.mark.xfail("no_such_name", run=False)
        @pytest.mark.wisebot("echo", {"n": "xfail"})
        def test_xfail(workflow_run):
            pass

        @pytest.mark.wisebot("echo", {"n": "sent"})
        def test_other(workflow_run):
            pass
    """)
    result = outside.run()
    result.assert_outcomes(passed=1, errors=3)
    result.stdout.fnmatch_lines(
        [
            "Error evaluating 'skipif' condition",
            "NameError: name 'no_such_name' is not defined",
            "Error evaluating 'skipif': you need to specify reason=STRING when using booleans as conditions.",
            "Error evaluating 'xfail' condition",
        ]
    )
    assert outside.arrived == ["sent"]


EXPECTED_TO_FAIL = """
    @pytest.mark.xfail(run=False)
    @pytest.mark.wisebot("echo", {"n": "not run"})
    def test_not_run(workflow_run):
        pass

    @pytest.mark.xfail(True, run=False, reason="by condition")
    @pytest.mark.wisebot("echo", {"n": "not run, by condition"})
    def test_not_run_by_condition(workflow_run):
        pass

    @pytest.mark.xfail(False, run=False, reason="never")
    @pytest.mark.wisebot("echo", {"n": "condition is false"})
    def test_condition_is_false(workflow_run):
        pass

    @pytest.mark.xfail
    @pytest.mark.wisebot("echo", {"n": "run"})
    def test_run(workflow_run):
        assert workflow_run.result is None
"""


def test_what_is_expected_to_fail_is_sent_unless_it_says_not_to_run(outside: Outside) -> None:
    """``xfail(run=False)`` costs nothing; any other ``xfail`` does run."""
    outside.test(EXPECTED_TO_FAIL)
    outside.run("--wisebot-concurrency", "1").assert_outcomes(passed=1, xfailed=3)
    assert outside.arrived == ["condition is false", "run"]


def test_runxfail_sends_them_all_ahead(outside: Outside) -> None:
    """``--runxfail`` runs what ``run=False`` forbids, and so it is ahead like all else."""
    first = "\n    def test_first():\n        until(lambda: len(answered()) == 4)\n"
    outside.test(first, EXPECTED_TO_FAIL)
    outside.run("--runxfail", "--wisebot-concurrency", "1").assert_outcomes(passed=4, failed=1)
    assert outside.arrived == ["not run", "not run, by condition", "condition is false", "run"]


def test_a_test_that_skips_itself_has_had_its_run(outside: Outside) -> None:
    """By the time that a test's body skips, or asks for what is not installed, its run is an ordinary one."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": "skip"})
        def test_skip(workflow_run):
            pytest.skip("after all")

        @pytest.mark.wisebot("echo", {"n": "importorskip"})
        def test_importorskip(workflow_run):
            pytest.importorskip("nothing_that_is_there")

        @pytest.mark.wisebot("echo", {"n": "xfail"})
        def test_xfail(workflow_run):
            pytest.xfail("after all")
    """)
    result = outside.run()
    result.assert_outcomes(skipped=2, xfailed=1)
    assert sorted(outside.arrived) == ["importorskip", "skip", "xfail"]
    result.stdout.no_fnmatch_line("*not awaited*")


def test_a_fixture_that_skips_before_leaves_a_run_that_is_counted(outside: Outside, numbers: Numbers) -> None:
    """What had been sent by then may have happened, and the summary says so; what had not been is not sent any more."""
    outside.test("""
        @pytest.fixture
        def needs_luck():
            until(lambda: arrived() == ["sent"])
            pytest.skip("no luck")

        @pytest.mark.wisebot("gate", {"n": "sent", "until": GATE})
        def test_sent(needs_luck, workflow_run):
            pass

        @pytest.mark.wisebot("echo", {"n": "not sent"})
        def test_not_sent(needs_luck, workflow_run):
            pass

        def test_last():
            open_gate()
            until(lambda: answered() == ["sent"])
    """)
    result = outside.run("--wisebot-concurrency", "1")
    result.assert_outcomes(passed=1, skipped=2)
    assert outside.arrived == ["sent"]
    assert numbers(result)[-1] == "1 run was sent and not awaited: it may have happened"


def test_unittests_skip_is_heard(outside: Outside) -> None:
    """A method that ``unittest.skip`` decorates is not ahead, in a class of pytest's or of unittest's."""
    outside.test("""
        import unittest

        def test_first():
            until(lambda: answered() == ["witness"])

        @unittest.skip("not today")
        @pytest.mark.wisebot("echo", {"n": "function"})
        def test_function(workflow_run):
            pass

        class TestOld(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def run_it(self, workflow_run):
                pass

            @unittest.skip("not today")
            @pytest.mark.wisebot("echo", {"n": "method"})
            def test_method(self):
                pass

            @pytest.mark.wisebot("echo", {"n": "witness"})
            def test_witness(self):
                pass
    """)
    outside.run("--wisebot-concurrency", "1", "-rs").assert_outcomes(passed=2, skipped=2)


def test_a_skip_on_a_unittest_class_is_seen(outside: Outside) -> None:
    """Nothing is ahead of it; whether its fixtures ask for the run all the same is each pytest's own affair."""
    outside.test("""
        import unittest

        @unittest.skip("not today")
        @pytest.mark.wisebot("echo", {"n": "skipped"})
        class TestOld(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def asks(self, workflow_run):
                pass

            def test_old(self):
                pass
    """)
    outside.run("--wisebot-no-ahead").assert_outcomes(skipped=1)
    asked_for = len(outside.arrived)
    outside.run().assert_outcomes(skipped=1)
    assert len(outside.arrived) == 2 * asked_for
