"""A test's outcome is never better than pytest's, whatever its phases do one after the other.

Every pair of a phase that decides and a phase after it, as whole sessions: gated and not, in one process and in two
workers, judged test by test from the log.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from harness import Outside

from pytest_wisebot.event_log import read_events
from pytest_wisebot.outcomes import WORST_FIRST

pytestmark = pytest.mark.usefixtures("wide_terminal")

HAS_SUBTESTS = pytest.version_tuple >= (9,) or importlib.util.find_spec("pytest_subtests") is not None
GATED = ("--wisebot-env", "outside", "--wisebot-gate")

RUN = 'assert trigger_workflow("echo", {"n": 1}).ok'
OUTAGE = 'trigger_workflow("nowhere")'
NOT_RUN = 'trigger_workflow("echo", secret="env:NO_SUCH_VARIABLE")'

DECIDES = {
    "call_passes": ("passed", "", "pass"),
    "call_fails": ("failed", "", "assert 1 == 2"),
    "call_meets_an_outage": ("infrastructure", "", OUTAGE),
    "call_is_not_run": ("not run", "", NOT_RUN),
    "call_skips": ("skipped", "", 'pytest.skip("later")'),
    "call_passes_strictly": ("failed", "@pytest.mark.xfail(strict=True)", "pass"),
    "call_passes_unexpectedly": ("xpassed", "@pytest.mark.xfail(strict=False)", "pass"),
    "call_fails_as_expected": ("xfailed", "@pytest.mark.xfail", "assert 1 == 2"),
    "setup_fails": ("error", "", "setup: assert 1 == 2"),
    "setup_meets_an_outage": ("infrastructure", "", f"setup: {OUTAGE}"),
    "setup_is_not_run": ("not run", "", f"setup: {NOT_RUN}"),
}
"""The outcome of a test that has this phase alone, its mark, and what happens."""

if HAS_SUBTESTS:
    DECIDES |= {
        "subtest_fails": ("failed", "", "subtest: assert 1 == 2"),
        "subtest_meets_an_outage": ("infrastructure", "", f"subtest: {OUTAGE}"),
        "subtest_skips": ("passed", "", 'subtest: pytest.skip("later")'),
        "unittest_subtest_fails": ("failed", "", "unittest: assert 1 == 2"),
    }

FOLLOWS = {
    "nothing": ("passed", "pass"),
    "failure": ("error", "assert 3 == 4"),
    "skip": ("skipped", 'pytest.skip("nothing to clean up")'),
    "xfail": ("xfailed", 'pytest.xfail("cleaning is broken")'),
    "outage": ("infrastructure", OUTAGE),
    "not_run": ("not run", NOT_RUN),
}
"""The outcome of a test of which only the teardown ends so, and what happens there."""

PAIRS = [(decides, follows) for decides in DECIDES for follows in FOLLOWS]

FIXTURES = "".join(
    f"""
@pytest.fixture
def after_{name}(trigger_workflow):
    yield
    {statement}
"""
    for name, (_, statement) in FOLLOWS.items()
)


def source(decides: str, follows: str) -> str:
    """The test of a pair."""
    _, mark, what = DECIDES[decides]
    where, _, statement = (
        what.rpartition(": ") if what.startswith(("setup:", "subtest:", "unittest:")) else ("", "", what)
    )
    where, statement = (where, statement) if where else ("call", what)
    name = f"{decides}_then_{follows}"
    if where == "unittest":
        return f"""
class Test_{name}(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _fixtures(self, after_{follows}, trigger_workflow):
        self.trigger_workflow = trigger_workflow

    def test_it(self):
        trigger_workflow = self.trigger_workflow
        {RUN}
        with self.subTest(n=1):
            {statement}
"""
    if where == "setup":
        return f"""
@pytest.fixture
def broken_{name}(trigger_workflow):
    {RUN}
    {statement}

def test_{name}(after_{follows}, broken_{name}):
    pass
"""
    inner = f"with subtests.test(msg='row'):\n        {statement}" if where == "subtest" else statement
    return f"""
{mark}
def test_{name}(after_{follows}, trigger_workflow{", subtests" if where == "subtest" else ""}):
    {RUN}
    {inner}
"""


def expected(decides: str, follows: str) -> str:
    """The outcome of a pair: the worse of both. To pytest the mark xfail expects a failure of the teardown as well."""
    is_expected = follows == "failure" and "xfail" in DECIDES[decides][1]
    after = "xfailed" if is_expected else FOLLOWS[follows][0]
    return min(DECIDES[decides][0], after, key=WORST_FIRST.index)


def write(outside: Outside, pairs: list[tuple[str, str]]) -> None:
    """Writes a module with these tests."""
    text = "import unittest\nimport pytest\n" + FIXTURES + "".join(source(*pair) for pair in pairs)
    outside.project.write("test_it.py", text)


def judged(log: Path) -> dict[str, str]:
    """The outcome of each test in a log, by its pair's name."""
    found = {event["test"]: event["outcome"] for event in read_events(log) if event["event"] == "test"}
    return {
        test.partition("::")[2].removeprefix("Test_").removeprefix("test_").partition("::")[0]: word
        for test, word in found.items()
    }


WHOLE = {f"{decides}_then_{follows}": expected(decides, follows) for decides, follows in PAIRS}


@pytest.mark.parametrize("args", [(), ("-n", "2", "--wisebot-gate")], ids=["ungated", "xdist"])
def test_the_log_has_the_worst_phase_of_each_test(
    outside: Outside, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]
) -> None:
    """All pairs in one session."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    write(outside, PAIRS)
    result = outside.run("--wisebot-env", "outside", "--wisebot-report=out", "--tb=no", *args)
    assert result.ret == 1
    assert judged(outside.project.path / "out/runs.jsonl") == WHOLE


TELLING = [(decides, follows) for decides, follows in PAIRS if decides == "call_passes" or follows == "failure"]
"""Each way to end before a failure that pytest tells, and each teardown after a test that had passed."""


@pytest.mark.slow
@pytest.mark.parametrize("pairs", [TELLING, pytest.param(PAIRS, marks=pytest.mark.heavy)], ids=["telling", "all"])
@pytest.mark.parametrize("decides", DECIDES)
def test_a_gate_opens_over_no_test_that_pytest_calls_failed(
    outside: Outside, decides: str, pairs: list[tuple[str, str]]
) -> None:
    """Pairs alone, with limits that forgive nothing."""
    outside.project.write(
        "conftest.py",
        """
        from pathlib import Path

        def pytest_runtest_logreport(report):
            if report.failed:
                Path(__file__).with_name("failed").touch()
        """,
    )
    failed = outside.project.path / "failed"
    for pair in (pair for pair in pairs if pair[0] == decides):
        failed.unlink(missing_ok=True)
        write(outside, [pair])
        result = outside.run(*GATED, "--tb=no", "-q")
        assert not (result.ret == 0 and failed.exists()), pair
        codes = {"passed": 0, "xpassed": 0, "infrastructure": 10, "not run": 11, "skipped": 11, "xfailed": 11}
        assert result.ret == codes.get(expected(*pair), 1), pair


def test_a_rule_that_forgives_by_number_names_what_it_forgives(outside: Outside) -> None:
    """Pairs under limits that forgive as much as they can: what is not run shuts the gate all the same."""
    toml = outside.project.path / "wisebot.toml"
    forgives = "[gate]\nmin-pass-rate = 0\nmax-infrastructure-errors = 999\n"
    toml.write_text(f"{toml.read_text('utf-8')}\n{forgives}", "utf-8")
    for forgiven in ("call_fails", "setup_meets_an_outage", *(["subtest_fails"] if HAS_SUBTESTS else [])):
        write(outside, [(forgiven, "nothing"), ("call_passes", "nothing")])
        result = outside.run(*GATED, "--tb=no")
        assert result.ret == 0
        assert any(line.startswith("  ok ") and f"test_{forgiven}_then_nothing" in line for line in result.outlines)
    write(outside, [(decides, "not_run") for decides in DECIDES])
    assert outside.run(*GATED, "--tb=no").ret == 11
    write(outside, [("call_fails", "not_run"), ("call_passes", "nothing")])
    assert outside.run(*GATED, "--tb=no").ret == 11


TWICE = ("--keep-duplicates", "test_it.py", "test_it.py", "--tb=no")


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["one process", "xdist"])
@pytest.mark.parametrize("fails", [1, 2])
def test_an_id_that_is_given_twice_is_two_tests(
    outside: Outside, monkeypatch: pytest.MonkeyPatch, fails: int, workers: tuple[str, ...]
) -> None:
    """The worse counts, whichever comes first."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    outside.project.write("count.txt", "")
    outside.test(f"""
        from pathlib import Path

        def test_it(trigger_workflow):
            assert trigger_workflow("echo", {{"n": 1}}).ok
            count = Path(__file__).with_name("count.txt")
            count.write_text(count.read_text() + "x")
            assert len(count.read_text()) != {fails}
    """)
    result = outside.run(*GATED, *TWICE, *workers)
    assert result.ret == 1
    assert any("measured 0% (0 of 1): test_it.py::test_it" in line for line in result.outlines)


def test_an_id_that_is_given_twice_and_run_once_opens_no_gate(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scheduler loadfile of xdist goes by ids, and hands one of the two to no worker."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    outside.test("""
        def test_it(trigger_workflow):
            assert trigger_workflow("echo", {"n": 1}).ok
    """)
    result = outside.run(*GATED, *TWICE, "-n", "1", "--dist=loadfile")
    assert result.ret == 11
    assert any("tests without a report" in line and "test_it.py::test_it" in line for line in result.outlines)
