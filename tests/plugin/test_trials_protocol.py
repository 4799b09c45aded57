"""Each trial is the test's whole protocol: what is made anew for it, what stays, and when that ends."""

from __future__ import annotations

import re
import textwrap

import pytest
from harness import Numbers, Outside

LOG = """
    def log(text):
        with (HERE / "log").open("a") as file:
            file.write(f"{text}\\n")
"""


def log_of(outside: Outside) -> list[str]:
    """What the project's tests and fixtures wrote down."""
    lines: list[str] = (outside.project.path / "log").read_text().splitlines()
    return lines


def test_fixtures_of_the_function_are_made_anew_and_wider_ones_stay(outside: Outside) -> None:
    """Those of the class, the module and the session end after the last trial, as after any test."""
    outside.test(LOG, """
        @pytest.fixture(scope="session")
        def of_session():
            log("session up")
            yield
            log("session down")

        @pytest.fixture(scope="module")
        def of_module(of_session):
            log("module up")
            yield
            log("module down")

        @pytest.fixture(scope="class")
        def of_class(of_module):
            log("class up")
            yield
            log("class down")

        @pytest.fixture
        def of_function(of_class, request):
            log("up")
            request.addfinalizer(lambda: log("finalised"))
            yield
            log("down")

        class TestIt:
            @pytest.mark.wisebot(trials=3, min_passes=2)
            def test_it(self, of_function, trigger_workflow):
                log("test")
                assert trigger_workflow("echo").trial != 1

        def test_after(of_module, wisebot_settings):
            log("after")
    """)  # fmt: skip
    outside.project.test("def test_last(): pass", "test_last.py")
    assert outside.run().parseoutcomes() == {"flaky": 1, "passed": 2}
    trial = ["up", "test", "down", "finalised"]
    assert log_of(outside) == [
        "session up", "module up", "class up", *trial, *trial, *trial, "class down", "after", "module down",
        "session down",
    ]  # fmt: skip


@pytest.mark.parametrize("last", ["passes", "fails"])
def test_the_last_test_of_all_tears_everything_down(outside: Outside, last: str) -> None:
    """Once, and within the test: what a fixture prints there is the test's."""
    outside.test(LOG, f"LAST = {last!r}", """
        @pytest.fixture(scope="module")
        def of_module():
            yield
            print("the module ends")
            log("module down")
            assert LAST == "passes", "broken in the end"

        @pytest.mark.wisebot(trials=4, min_passes=2)
        def test_it(of_module, trigger_workflow):
            log("test")
    """)  # fmt: skip
    result = outside.run("-rE")
    assert log_of(outside) == ["test", "test", "module down"]
    if last == "passes":
        assert result.parseoutcomes() == {"passed": 1}
        return
    assert result.parseoutcomes() == {"passed": 1, "errors": 1}
    result.stdout.fnmatch_lines(
        ["*ERROR at teardown of test_it*", "E*AssertionError: broken in the end", "*Captured stdout teardown*",
         "the module ends", "ERROR test_it.py::test_it - AssertionError: broken in the end*"]
    )  # fmt: skip
    assert "trials.py" not in result.stdout.str()


def test_a_teardown_that_fails_fails_its_trial(outside: Outside) -> None:
    """A trial is judged once its own fixtures are torn down; the test has failed, and not passed with an error."""
    outside.test("""
        @pytest.fixture
        def fragile(request, seen=[]):
            seen.append(1)
            yield
            assert len(seen) not in FAILS, "broken in the end"

        @pytest.mark.wisebot(trials=3, min_passes=2)
        def test_it(fragile, trigger_workflow):
            trigger_workflow("echo")

        FAILS = [1]
    """)
    assert outside.run().parseoutcomes() == {"flaky": 1}
    outside.project.edit("test_it.py", "[1]\n", "[1, 2]\n")
    result = outside.run("-rA")
    assert result.parseoutcomes() == {"failed": 1}
    result.stdout.fnmatch_lines(
        ["E*AssertionError: broken in the end", "passed 0/2 (1 not needed); 2 of 3 must pass",
         "FAILED test_it.py::test_it - passed 0/2 (1 not needed), 2 must; trial 1: *"]
    )  # fmt: skip


OTHERS = """
    import pytest

    class Other:
        trial = 0

        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_runtest_teardown(self, item):
            self.trial += 1
            if BEFORE and self.trial == 2:
                raise RuntimeError("of another plugin")
            result = yield
            if not BEFORE and self.trial in (1, 2):
                raise RuntimeError("of another plugin")
            return result

    def pytest_configure(config):
        config.pluginmanager.register(Other())
"""


def test_another_plugin_may_fail_a_teardown_after_its_end(outside: Outside) -> None:
    """Such as one that looks for threads that were left behind: the trial has failed."""
    outside.project.write("conftest.py", f"BEFORE = False\n{textwrap.dedent(OTHERS)}")
    outside.test(LOG, """
        @pytest.fixture(scope="module")
        def of_module():
            yield
            log("module down")

        @pytest.mark.wisebot(trials=5, min_passes=NEEDED)
        def test_it(of_module, trigger_workflow):
            log("test")
    """.replace("NEEDED", "3"))  # fmt: skip
    assert outside.run().parseoutcomes() == {"flaky": 1}
    assert log_of(outside) == [*["test"] * 5, "module down"]
    outside.project.edit("test_it.py", "min_passes=3", "min_passes=4")
    result = outside.run()
    assert result.parseoutcomes() == {"failed": 1}
    assert "passed 0/2 (3 not needed); 4 of 5 must pass" in result.outlines
    assert log_of(outside)[6:] == ["test", "test", "module down"]


def test_another_plugin_may_fail_a_teardown_before_its_begin(outside: Outside) -> None:
    """Nobody tore the trial down, and nobody can judge it: the trials end, and do not go on for ever."""
    outside.project.write("conftest.py", f"BEFORE = True\n{textwrap.dedent(OTHERS)}")
    outside.test(LOG, """
        @pytest.fixture
        def of_function():
            yield
            log("down")

        @pytest.mark.wisebot(trials=5, min_passes=3)
        def test_it(of_function, trigger_workflow):
            log("test")

        def test_after(wisebot_settings):
            log("after")
    """)  # fmt: skip
    result = outside.run()
    assert result.parseoutcomes() == {"failed": 1, "passed": 1}
    assert "error in trial 2 (passed 1/1 before); 3 of 5 must pass" in result.outlines
    assert log_of(outside) == ["test", "down", "test", "down", "after"]


def test_a_setup_that_fails_ends_the_trials(outside: Outside) -> None:
    """It is the test's error, and would be that of each further trial."""
    outside.test("""
        @pytest.fixture
        def fragile(seen=[]):
            seen.append(1)
            assert len(seen) != 2, "not even begun"

        @pytest.mark.wisebot(trials=5, min_passes=2)
        def test_it(fragile, trigger_workflow):
            trigger_workflow("echo", {"n": 1})

        def test_after(trigger_workflow):
            pass
    """)
    result = outside.run("--wisebot-no-ahead")
    assert result.parseoutcomes() == {"errors": 1, "passed": 1}
    assert "error in trial 2 (passed 1/1 before); 2 of 5 must pass" in result.outlines
    assert outside.arrived == [1]


def test_built_in_fixtures_begin_anew(outside: Outside) -> None:
    """A folder, captured output and log records, environment variables, the object of the class, properties, marks."""
    outside.test("""
        import logging, os

        class TestIt:
            @pytest.mark.wisebot(trials=3)
            @pytest.mark.parametrize("n", [1, 2])
            def test_it(self, n, tmp_path, capsys, caplog, monkeypatch, request, trigger_workflow):
                (tmp_path / "only").mkdir()
                print("printed")
                assert capsys.readouterr().out == "printed\\n"
                logging.warning("logged")
                assert caplog.messages == ["logged"]
                assert "OF_A_TRIAL" not in os.environ
                monkeypatch.setenv("OF_A_TRIAL", "1")
                assert not hasattr(self, "mine")
                self.mine = True
                assert request.node.user_properties == []
                request.node.user_properties.append(("a", 1))
                assert request.node.get_closest_marker("dynamic") is None
                request.node.add_marker(pytest.mark.dynamic)
                assert request.node.name == f"test_it[{n}]"
                assert request.node.stash.get("key", None) is None
    """)
    outside.run("-o", "markers=dynamic").assert_outcomes(passed=2)


def test_what_a_trial_printed_is_shown_with_that_trial_alone(outside: Outside) -> None:
    """Output and log of the trial that is shown, of all its phases, and of no other."""
    outside.test("""
        import logging

        @pytest.fixture
        def loud(seen=[]):
            seen.append(1)
            print("setup of", len(seen))
            yield len(seen)
            print("teardown of", len(seen))

        @pytest.mark.wisebot(trials=4, min_passes=3)
        def test_it(loud, trigger_workflow):
            logging.warning("log of %d", loud)
            assert loud == 1
    """)
    text = outside.run().stdout.str()
    assert re.findall(r"(?m)^(\w+) of (\d)$", text) == [("setup", "2"), ("teardown", "2")]
    assert re.findall(r"log of \d", text) == ["log of 2"]


def test_a_skip_in_the_body_skips_the_test(outside: Outside) -> None:
    """In whichever trial; a mark does so before the first, and nothing is paid for."""
    outside.test("""
        @pytest.mark.wisebot(trials=5)
        def test_body(trigger_workflow, seen=[]):
            seen.append(1)
            if len(seen) == 3:
                pytest.skip("enough seen")
            trigger_workflow("echo", {"n": len(seen)})

        @pytest.mark.skip(reason="by mark")
        @pytest.mark.wisebot("echo", trials=5)
        def test_mark(workflow_run):
            pass
    """)
    result = outside.run("-rs")
    assert result.parseoutcomes() == {"skipped": 2}
    assert [line for line in result.outlines if line.startswith("SKIPPED")] == [
        "SKIPPED [1] test_it.py:9: enough seen",
        "SKIPPED [1] test_it.py:12: by mark",
    ]
    assert outside.arrived == [1, 2]


def test_what_is_expected_to_fail(outside: Outside) -> None:
    """An xfail mark speaks of the verdict: eight of ten are expected not to pass; strictly, or else."""
    outside.test("""
        @pytest.fixture
        def number(request):
            seen = request.module.__dict__.setdefault("SEEN", {})
            seen[request.node.name] = seen.get(request.node.name, 0) + 1
            return seen[request.node.name]

        @pytest.mark.xfail(reason="too often wrong")
        @pytest.mark.wisebot(trials=3, min_passes=2)
        def test_xfailed(trigger_workflow, number):
            assert number == 1

        @pytest.mark.xfail(reason="too often wrong")
        @pytest.mark.wisebot(trials=3, min_passes=2)
        def test_xpassed(trigger_workflow, number):
            assert number != 1

        @pytest.mark.xfail(strict=True, reason="too often wrong")
        @pytest.mark.wisebot(trials=3, min_passes=2)
        def test_strict(trigger_workflow, number):
            assert number != 1

        @pytest.mark.xfail(raises=ValueError, reason="too often wrong")
        @pytest.mark.wisebot(trials=3, min_passes=2)
        def test_wrong(trigger_workflow, number):
            raise ValueError if number == 1 else TypeError("another one")

        @pytest.mark.xfail(run=False, reason="never run")
        @pytest.mark.wisebot("echo", trials=3, min_passes=2)
        def test_never(workflow_run):
            pass

        @pytest.mark.wisebot(trials=3, min_passes=2)
        def test_in_the_body(trigger_workflow):
            pytest.xfail("said by the test")

        @pytest.mark.xfail(reason="no verdict is none")
        @pytest.mark.wisebot(trials=3)
        def test_no_verdict(trigger_workflow):
            trigger_workflow("locked")
    """)
    result = outside.run("-rfxX")
    assert result.parseoutcomes() == {"xfailed": 3, "xpassed": 1, "failed": 2, "infrastructure": 1}
    summary = re.findall(
        r"(?m)^((?:FAILED|XFAIL|XPASS|INFRASTRUCTURE)\b.*?::\w+)", result.stdout.str().replace(" at setup of", "")
    )
    assert summary == [
        "FAILED test_it.py::test_strict",
        "FAILED test_it.py::test_wrong",
        "XFAIL test_it.py::test_xfailed",
        "XFAIL test_it.py::test_never",
        "XFAIL test_it.py::test_in_the_body",
        "XPASS test_it.py::test_xpassed",
        "INFRASTRUCTURE test_it.py::test_no_verdict",
    ]
    assert "[XPASS(strict)] too often wrong" in result.outlines
    assert "E       TypeError: another one" in result.outlines
    assert len(outside.calls) == 1


def test_unittest_has_trials(outside: Outside) -> None:
    """A TestCase is made anew for each trial, with its setUp and tearDown."""
    outside.test(LOG, """
        import unittest

        @pytest.mark.wisebot("echo", {"n": 1}, trials=3, min_passes=2)
        class TestOld(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def take(self, workflow_run):
                self.run_of_it = workflow_run

            def setUp(self):
                assert not hasattr(self, "mine")
                self.mine = True
                log("setUp")

            def tearDown(self):
                log("tearDown")

            def test_it(self):
                self.assertNotEqual(self.run_of_it.trial, 2)

            def test_wrong(self):
                self.assertEqual(self.run_of_it.trial, 9)
    """)  # fmt: skip
    result = outside.run()
    assert result.parseoutcomes() == {"flaky": 1, "failed": 1}
    assert log_of(outside) == ["setUp", "tearDown"] * 5


SUBTESTS = [
    """
    @pytest.mark.wisebot(trials=3)
    def test_it(subtests, trigger_workflow):
        with subtests.test("one"):
            assert trigger_workflow("echo", {"n": 1}).ok
    """,
    """
    @pytest.mark.wisebot(trials=3)
    def test_it(request, trigger_workflow):
        with request.getfixturevalue("subtests").test("one"):
            pass
    """,
    """
    import unittest

    class TestOld(unittest.TestCase):
        @pytest.mark.wisebot(trials=3)
        def test_it(self):
            with self.subTest("one"):
                pass
    """,
]


@pytest.mark.skipif(pytest.version_tuple < (9,), reason="pytest has subtests from 9.0")
@pytest.mark.parametrize("test", SUBTESTS, ids=["fixture", "by name", "unittest"])
def test_subtests_are_refused(outside: Outside, test: str) -> None:
    """Each of them is reported as it ends, and would count whatever the verdict."""
    outside.test(test)
    result = outside.run()
    assert result.parseoutcomes() == {"not": 1}
    assert "subtests are reported one by one, as they end, and those of a single trial are no verdict" in (
        result.stdout.str()
    )
    assert outside.calls == []


@pytest.mark.parametrize("args", [["--reruns", "2"], []], ids=["option", "mark"])
def test_reruns_are_refused(outside: Outside, monkeypatch: pytest.MonkeyPatch, args: list[str]) -> None:
    """Together with pytest-rerunfailures on one test: with the reason, once, and at no cost; other tests have both."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    outside.test("FLAKY = pytest.mark.flaky(reruns=2)" if not args else "FLAKY = lambda test: test", """
        @FLAKY
        @pytest.mark.wisebot("echo", {"n": 1}, trials=3)
        def test_it(workflow_run):
            pass

        @FLAKY
        @pytest.mark.wisebot("echo", {"n": 2})
        def test_rerun(workflow_run, seen=[]):
            seen.append(1)
            assert len(seen) == 2

        @pytest.mark.flaky(reruns=0)
        @pytest.mark.wisebot("echo", {"n": 3}, trials=3)
        def test_no_rerun(workflow_run):
            pass
    """)  # fmt: skip
    result = outside.project.run_apart("-p", "rerunfailures", "-p", "wisebot", *args)
    assert result.parseoutcomes() == {"not": 1, "passed": 2, "rerun": 1}
    result.stdout.re_match_lines(["_+ test_it at setup _+"])
    assert (
        "E   pytest_wisebot.errors.ConfigurationError: test_it.py::test_it: trials=3: pytest-rerunfailures runs this "
        "test again when it fails (--reruns, or the mark flaky), and the pass rate would be that of the reruns: use "
        "one of the two"
    ) in result.outlines
    assert sorted(outside.arrived) == [2, 2, 3, 3, 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("trials=0", "trials: expected a whole number of at least 1, got 0"),
        ("trials=True", "trials: expected a whole number of at least 1, got True"),
        ("trials=2.0", "trials: expected a whole number of at least 1, got 2.0"),
        ("trials=3, min_passes=4", "min_passes: expected a whole number from 1 to trials=3, got 4"),
        ("trials=3, min_passes=0", "min_passes: expected a whole number from 1 to trials=3, got 0"),
        ("trials=3, min_passes=True", "min_passes: expected a whole number from 1 to trials=3, got True"),
        ("min_passes=2", "min_passes=2: of how many trials? trials=N says so"),
        ("trials=3, share=True", "share=True and trials: every trial would judge the same run"),
    ],
)
def test_wrong_numbers_are_told(outside: Outside, arguments: str, message: str) -> None:
    """Each with the wrong value and the right ones, also where the test uses no fixture of this plugin."""
    outside.test(f"""
        @pytest.mark.wisebot("echo", {arguments})
        def test_declared(workflow_run):
            pass
    """)
    outside.project.test(f"""
        @pytest.mark.wisebot({arguments})
        def test_alone():
            pass

        def test_without():
            pass
    """, "test_alone.py")  # fmt: skip
    result = outside.run("--continue-on-collection-errors")
    assert result.parseoutcomes() == {"errors": 1, "not": 1, "passed": 1}
    result.stdout.re_match_lines(["_+ ERROR collecting test_it.py _+", "_+ test_alone at setup _+"])
    assert result.stdout.str().count(f": the wisebot marker: {message}; it is wisebot(") >= 2
    assert outside.calls == []


def test_a_test_without_any_fixture_of_ours_has_trials(outside: Outside) -> None:
    """The marker says so: it is never passed over in silence."""
    outside.test("""
        @pytest.mark.wisebot(trials=3, min_passes=2)
        def test_by_name(request, seen=[]):
            seen.append(request.getfixturevalue("trigger_workflow")("echo", {"n": len(seen)}).trial)
            assert len(seen) != 2

        @pytest.mark.wisebot(trials=2)
        def test_alone(seen=[]):
            seen.append(1)
            assert len(seen) == 1
    """)
    assert outside.run().parseoutcomes() == {"flaky": 1, "failed": 1}
    assert outside.arrived == [0, 1, 2]


def test_xdist_shows_the_same(outside: Outside, numbers: Numbers) -> None:
    """Words, counts, the table and the numbers of the end travel from the workers."""
    outside.test("""
        @pytest.mark.wisebot("echo", trials=10, min_passes=8)
        @pytest.mark.parametrize("inputs", [{"n": n} for n in range(4)])
        def test_it(workflow_run, inputs):
            assert workflow_run.trial > inputs["n"]
    """)
    result = outside.run("-n", "2", "-v")
    assert result.parseoutcomes() == {"passed": 1, "flaky": 2, "failed": 1}
    shown = re.findall(r"(?m)^\[gw\d\] \[ *\d+%\] (.*?) test_it", result.stdout.str())
    assert sorted(shown) == [
        "FAILED", "FLAKY passed 8/10", "FLAKY passed 8/9 (1 not needed)", "PASSED 8/8 (2 not needed)",
    ]  # fmt: skip
    assert "passed 0/3 (7 not needed); 8 of 10 must pass" in result.outlines
    assert "4 tests with trials: 1 passed, 2 flaky, 1 failed; 30 trials judged" in numbers(result)
    assert outside.run("-n", "2", "--dist", "each").parseoutcomes() == {"passed": 2, "flaky": 4, "failed": 2}


@pytest.mark.parametrize("args", [[], ["-n", "2"]], ids=["one process", "xdist"])
def test_async_tests_have_trials(outside: Outside, monkeypatch: pytest.MonkeyPatch, args: list[str]) -> None:
    """Under pytest-asyncio and anyio alike, with async fixtures that are made anew."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS")
    outside.test(LOG, """
        import asyncio
        import pytest_asyncio

        @pytest_asyncio.fixture
        async def of_asyncio():
            log("up")
            yield asyncio.get_running_loop()
            log("down")

        @pytest.mark.asyncio
        @pytest.mark.wisebot(trials=3, min_passes=2)
        async def test_asyncio(of_asyncio, trigger_workflow):
            run = await trigger_workflow.start("echo", {"n": 1})
            assert run.trial != 1

        @pytest.fixture(params=["asyncio", "trio"])
        def anyio_backend(request):
            return request.param

        @pytest.fixture
        async def of_anyio(anyio_backend):
            log("up")
            yield
            log("down")

        @pytest.mark.anyio
        @pytest.mark.wisebot("echo", {"n": 2}, trials=3, min_passes=2)
        async def test_anyio(of_anyio, workflow_run):
            assert workflow_run.trial != 1
    """)  # fmt: skip
    loop = ["-o", "asyncio_default_fixture_loop_scope=function"]
    plugins = ["-p", "xdist", "-p", "asyncio", "-p", "anyio", "-p", "wisebot"]
    result = outside.project.run_apart(*plugins, *loop, "-W", "error", *args)
    assert result.parseoutcomes() == {"flaky": 3}
    assert sorted(outside.arrived) == [1] * 3 + [2] * 6
    assert sorted(log_of(outside)) == ["down"] * 9 + ["up"] * 9


def test_setup_only_runs_no_trials(outside: Outside) -> None:
    """Fixtures are set up once, and the test is none."""
    outside.test("""
        @pytest.mark.wisebot("echo", {"n": 1}, trials=3)
        def test_it(workflow_run):
            pass
    """)
    outside.run("--setup-only")
    assert outside.arrived == [1]


def test_ctrl_c_in_the_middle_of_trials(outside: Outside, numbers: Numbers) -> None:
    """The session ends as with any test; what was ahead and had not been sent is not sent."""
    outside.test("""
        @pytest.fixture(scope="module")
        def of_module():
            yield
            (HERE / "module down").touch()

        @pytest.mark.wisebot("nap", {"n": 1, "seconds": 0}, trials=9)
        def test_it(of_module, workflow_run):
            if workflow_run.trial == 2:
                raise KeyboardInterrupt
    """)
    result = outside.project.run_apart("--wisebot-concurrency", "2")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert (outside.project.path / "module down").exists()
    assert 2 <= len(outside.arrived) <= 3


@pytest.mark.parametrize(
    ("body", "teardown", "outcome", "told"),
    [
        ("assert 0", "trigger_workflow('nap', {'seconds': 3}, timeout=0.3)", "failed", "its call failed, too"),
        ("assert 0", "assert 1 == 2", "failed", "its teardown failed, too"),
        ("assert 0", "pytest.skip('in the end')", "failed", None),
        ("pass", "pytest.skip('in the end')", "skipped", None),
        ("pytest.skip('at once')", "assert 1 == 2", "failed", None),
    ],
)
def test_one_test_has_one_verdict(outside: Outside, body: str, teardown: str, outcome: str, told: str | None) -> None:
    """Whatever its call and its teardown say: the worse of the two, and the other one's failure is told with it."""
    outside.test(f"""
        @pytest.fixture
        def ends(trigger_workflow):
            yield
            {teardown}

        @pytest.mark.wisebot(trials=3)
        def test_it(ends):
            {body}
    """)
    result = outside.run("--junitxml", "junit.xml")
    assert 'tests="1"' in (outside.project.path / "junit.xml").read_text("utf-8")
    counted = [f"{count}" for count in result.parseoutcomes().values()]
    assert counted == ["1"]
    assert (result.ret == 0) is (outcome == "skipped")
    sections = [line.strip("- ") for line in result.outlines if line.strip("- ").endswith("failed, too")]
    assert sections == ([told] if told else [])


def test_the_reason_of_no_verdict_is_the_error(outside: Outside) -> None:
    """And not the assertion that failed before it."""
    outside.test("""
        @pytest.fixture
        def ends(trigger_workflow):
            yield
            trigger_workflow("nap", {"seconds": 3}, timeout=0.3)

        @pytest.mark.wisebot(trials=3)
        def test_it(ends):
            assert 0
    """)
    result = outside.run()
    result.stdout.fnmatch_lines(["  1  no verdict *RunTimedOut: no whole answer within 0.3 s*"])
    assert len(outside.arrived) == 1


def test_parameters_that_a_trial_changes_begin_anew(outside: Outside) -> None:
    """Lists and mappings of plain values, whatever their name; all else is the very object that was given."""
    outside.test("""
        GIVEN = object()

        @pytest.fixture(scope="module")
        def wide(request, seen=[]):
            seen.append(request.param)
            assert len(seen) == 1
            return request.param

        @pytest.mark.parametrize("given", [GIVEN])
        @pytest.mark.parametrize("wide", [[1]], indirect=True)
        @pytest.mark.parametrize(("bag", "other"), [({"a": [1]}, [1])])
        @pytest.mark.wisebot(trials=3)
        def test_it(trigger_workflow, bag, other, given, wide):
            assert (bag, other, given is GIVEN) == ({"a": [1]}, [1], True)
            bag["a"].append(2)
            other.append(2)
    """)
    outside.run().assert_outcomes(passed=1)
