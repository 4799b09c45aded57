"""How pytest's terminal tells the outcomes that only tests with runs have: letters, words, counts, lists, sections."""

from __future__ import annotations

import re
import textwrap
import xml.etree.ElementTree as ET

import pytest
from harness import Numbers, Outside

SUITE = """
    def test_passes(trigger_workflow):
        assert trigger_workflow("echo").ok

    def test_wrong(trigger_workflow):
        assert not trigger_workflow("echo").ok

    def test_call(trigger_workflow):
        trigger_workflow("nowhere")

    @pytest.mark.wisebot("nowhere", {"n": 1})
    def test_setup(workflow_run):
        pass

    @pytest.fixture
    def cleaned_up(trigger_workflow):
        yield
        trigger_workflow("nowhere", {"n": 2})

    def test_teardown(cleaned_up):
        pass

    @pytest.fixture
    def broken():
        assert not "broken"

    def test_broken(broken, trigger_workflow):
        pass

    def test_credential(trigger_workflow):
        trigger_workflow("echo", secret="env:NOT_SET")

    @pytest.mark.wisebot(trials=3, min_passes=2)
    def test_flaky(trigger_workflow):
        assert trigger_workflow("echo").trial != 2
"""

FAILED = ["FAILED test_it.py::test_wrong - AssertionError: assert not True"]
ERROR = ["ERROR test_it.py::test_broken - AssertionError: assert not 'broken'"]
NO_VERDICT = [
    "INFRASTRUCTURE test_it.py::test_call - WorkflowNotFound: no such workflow at ...",
    "INFRASTRUCTURE test_it.py::test_setup - WorkflowNotFound: no such workflow at...",
    "INFRASTRUCTURE test_it.py::test_teardown - WorkflowNotFound: no such workflow...",
    "NOT RUN test_it.py::test_credential - ConfigurationError: secret=: the enviro...",
]
PASSED = ["PASSED test_it.py::test_passes", "PASSED test_it.py::test_teardown"]
FLAKY = ["FLAKY test_it.py::test_flaky - passed 2/3"]
COUNTS = {"failed": 1, "passed": 2, "error": 1, "infrastructure": 3, "not run": 1, "flaky": 1}


@pytest.fixture(autouse=True)
def _terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pytest cuts its lists to the terminal, and not at all where CI is."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("BUILD_NUMBER", raising=False)


def counts(result: pytest.RunResult) -> dict[str, int]:
    """What the last line counts, by words that may be two."""
    told = re.fullmatch(r"=+ (.+) in [\d.:()ms ]+ =+", result.outlines[-1])
    assert told, result.outlines[-1]
    pairs = (one.split(" ", 1) for one in told[1].split(", "))
    return {word: int(number) for number, word in pairs}


def listed(result: pytest.RunResult) -> list[str]:
    """The lines of the short summary; none where there is none."""
    starts = [number for number, line in enumerate(result.outlines) if "= short test summary info =" in line]
    if not starts:
        return []
    (start,) = starts
    return result.outlines[start + 1 : -1]


def section(result: pytest.RunResult, title: str) -> list[str]:
    """The lines of a section, from its title to the next one; hosts, run ids and seconds told by a letter."""
    lines = [line for line in result.outlines if line]
    if not any(starts := [bool(re.fullmatch(rf"=+ {title} =+", line)) for line in lines]):
        return []
    assert starts.count(True) == 1
    start = starts.index(True) + 1
    end = next(n for n in range(start, len(lines)) if re.match(r"={5}", lines[n]))
    found = []
    for line in lines[start:end]:
        told = re.sub(r"^(_+) (.*?) _+$", r"_ \2 _", re.sub(r"^(-+) (.*?) -+$", r"- \2 -", line))
        told = re.sub(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", "TRACE", told)
        found.append(re.sub(r"127\.0\.0\.1:\d+", "HOST", re.sub(r"\d+\.\d\d s", "S s", told)))
    return found


def test_letters_and_counts(outside: Outside) -> None:
    """A letter, and a count of its own, for infrastructure, not run and flaky, beside pytest's own.

    A test without a verdict counts neither as failed nor as an error, and a flaky one does not count as passed.
    """
    outside.test(SUITE)
    result = outside.run()
    assert listed(result) == [*FAILED, *ERROR, *NO_VERDICT]
    assert counts(result) == COUNTS
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert [line for line in result.outlines if line.startswith("test_it.py ")] == [
        f"{'test_it.py .Fii.iEn~':<73}[100%]"
    ]


def test_words(outside: Outside) -> None:
    """With ``-v`` a line for each phase that pytest tells of, with the outcome in a word."""
    outside.test(SUITE)
    result = outside.run("-v")
    words = [
        line.partition("test_it.py::")[2] for line in result.outlines if re.match(r"test_it.py::.*\[ *\d+%]", line)
    ]
    assert [re.sub(r" +\[ *\d+%]", "", line) for line in words] == [
        "test_passes PASSED",
        "test_wrong FAILED",
        "test_call INFRASTRUCTURE",
        "test_setup INFRASTRUCTURE",
        "test_teardown PASSED",
        "test_teardown INFRASTRUCTURE",
        "test_broken ERROR",
        "test_credential NOT RUN",
        "test_flaky FLAKY passed 2/3",
    ]


@pytest.mark.parametrize(
    ("flag", "lists"),
    [
        ("-rA", [*PASSED, *ERROR, *FAILED, *NO_VERDICT, *FLAKY]),
        ("-ra", [*ERROR, *FAILED, *NO_VERDICT, *FLAKY]),
        ("-rN", []),
        ("-rf", [*FAILED, *NO_VERDICT]),
        ("-rE", ERROR),
        ("-rX", FLAKY),
        ("-rp", PASSED),
        ("-rs", []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_lists(outside: Outside, flag: str, lists: list[str]) -> None:
    """With the failed what is no pass, with odd passes the flaky: below pytest's own lines, cut like those."""
    outside.test(SUITE)
    result = outside.run(flag)
    assert listed(result) == lists
    assert ("short test summary info" in result.stdout.str()) == bool(lists)


def test_workers_tests_are_told_alike(outside: Outside) -> None:
    """Letters, and words behind the worker, come in the order in which tests end; counts and lists are the same."""
    outside.test(SUITE)
    result = outside.run("-n", "2", "-rA")
    (line,) = [line for line in result.outlines if line.endswith("[100%]")]
    assert sorted(line.removesuffix("[100%]").strip()) == sorted(".Fii.iEn~")
    assert counts(result) == COUNTS
    assert sorted(listed(result)) == sorted([*PASSED, *ERROR, *FAILED, *NO_VERDICT, *FLAKY])
    result = outside.run("-v", "-n", "2", "-rN", "--tb=no")
    words = [told[1] for line in result.outlines if (told := re.fullmatch(r"\[gw\d] \[ *\d+%] (.+?) *", line))]
    assert sorted(words) == [
        "ERROR test_it.py::test_broken",
        "FAILED test_it.py::test_wrong",
        "FLAKY passed 2/3 test_it.py::test_flaky",
        "INFRASTRUCTURE test_it.py::test_call",
        "INFRASTRUCTURE test_it.py::test_setup",
        "INFRASTRUCTURE test_it.py::test_teardown",
        "NOT RUN test_it.py::test_credential",
        "PASSED test_it.py::test_passes",
        "PASSED test_it.py::test_teardown",
    ]
    assert counts(result) == COUNTS
    assert listed(result) == []


def test_a_list_of_ones_own_alone_has_a_heading(outside: Outside) -> None:
    """Where pytest has nothing to list, what is ours is listed all the same, and once."""
    outside.test("""
        def test_call(trigger_workflow):
            trigger_workflow("nowhere")
    """)
    result = outside.run("-rA")
    assert result.outlines[-3:-1] == [
        "=========================== short test summary info ============================",
        "INFRASTRUCTURE test_it.py::test_call - WorkflowNotFound: no such workflow at ...",
    ]
    assert counts(result) == {"infrastructure": 1}


@pytest.mark.parametrize(("args", "variables"), [(["-vv"], {}), ([], {"CI": "true"})], ids=["verbose", "CI"])
def test_lines_are_whole_where_pytest_cuts_none(
    outside: Outside, monkeypatch: pytest.MonkeyPatch, args: list[str], variables: dict[str, str]
) -> None:
    """With ``-vv``, and in CI."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    outside.test("""
        def test_call(trigger_workflow):
            trigger_workflow("nowhere")
    """)
    assert listed(outside.run(*args)) == [
        "INFRASTRUCTURE test_it.py::test_call - WorkflowNotFound: no such workflow at this host (workflow "
        f'"nowhere" over the webhook API at {outside.handle.origin})'
    ]


ANSWER = (
    'status 404 (application/json): {"ok": false, "error": "There is no workflow \'nowhere\'. '
    "This emulator has 'echo', 'refund', 'nap', 'gate', 'dice', 'locked'.\"}"
)


def test_infrastructure_in_full(outside: Outside) -> None:
    """A section of its own with each test as pytest shows a failure, and the phase where it is not the call."""
    outside.test(SUITE)
    result = outside.run("--tb=short", "-k", "call or setup or teardown")
    secret = f"$(cat {outside.project.path / 'secret.txt'})"
    curl = f"curl -sS -X POST 'http://HOST/workflows/trigger?workflowId=nowhere' -H \"Authorization: Bearer {secret}\""
    cli = f'WISEBOT_WORKFLOW_TRIGGER_ORIGIN=http://HOST WISEBOT_WORKFLOW_SECRET="{secret}" wisebot workflow trigger'

    def error(begin: str) -> list[str]:
        return [
            "E   pytest_wisebot.errors.WorkflowNotFound: no such workflow at this host "
            '(workflow "nowhere" over the webhook API at http://HOST)',
            f"{begin}   answer: {ANSWER}",
            f"{begin}   The run was refused.",
            f"{begin}   traceparent: TRACE",
        ]

    def runs(inputs: str) -> list[str]:
        return [
            "- wisebot runs -",
            "nowhere over the webhook API, environment outside: no verdict, WorkflowNotFound",
            "  host:     http://HOST (attempts: 1)",
            "  trace:    TRACE",
            f"  response: {ANSWER}",
            f"  inputs:   {inputs}",
            f"  repeat:   {curl}"
            + (f" -H 'Content-Type: application/json' --data-raw '{inputs}'" if inputs != "{}" else ""),
            f"  or:       {cli} nowhere" + (f" --data '{inputs}'" if inputs != "{}" else ""),
        ]

    assert section(result, "INFRASTRUCTURE") == [
        "_ test_call _",
        "test_it.py:12: in test_call",
        '    trigger_workflow("nowhere")',
        *error("E  "),
        *runs("{}"),
        "_ test_setup at setup _",
        *error("   "),
        *runs('{"n": 1}'),
        "_ test_teardown at teardown _",
        "test_it.py:21: in cleaned_up",
        '    trigger_workflow("nowhere", {"n": 2})',
        *error("E  "),
        *runs('{"n": 2}'),
    ]
    result.stdout.no_re_match_line("=+ (FAILURES|ERRORS|NOT RUN) =+")


def test_not_run_in_full(outside: Outside) -> None:
    """A section of its own with the failure, below that of what had no verdict."""
    outside.test(SUITE)
    result = outside.run("--tb=short", "-k", "credential or call")
    assert section(result, "NOT RUN") == [
        "_ test_credential _",
        "test_it.py:34: in test_credential",
        '    trigger_workflow("echo", secret="env:NOT_SET")',
        "E   pytest_wisebot.errors.ConfigurationError: secret=: the environment variable NOT_SET is not set",
    ]
    titles = [told[1] for line in result.outlines if (told := re.fullmatch(r"=+ ([A-Za-z ]+) =+", line))]
    assert titles == ["test session starts", "INFRASTRUCTURE", "NOT RUN", "wisebot", "short test summary info"]


@pytest.mark.parametrize(("style", "shown"), [("no", []), ("line", ["E   SAID", "HERE:6: SAID"])])
def test_as_short_as_tb_says(outside: Outside, style: str, shown: list[str]) -> None:
    """``--tb=no`` shows none, and ``--tb=line`` ends each with a line that editors know."""
    outside.test("""
        def test_credential(trigger_workflow):
            trigger_workflow("echo", secret="env:NOT_SET")
    """)
    result = outside.run(f"--tb={style}")
    said = "pytest_wisebot.errors.ConfigurationError: secret=: the environment variable NOT_SET is not set"
    here = str(outside.project.path / "test_it.py")
    assert section(result, "NOT RUN") == [line.replace("SAID", said).replace("HERE", here) for line in shown]
    assert counts(result) == {"not run": 1}


def test_what_its_end_printed_is_shown_with_it(outside: Outside) -> None:
    """The captured output of the teardown stands below the failure of the call, as with pytest's own."""
    outside.test("""
        @pytest.fixture
        def loud():
            yield
            print("cleaned up")

        def test_credential(loud, trigger_workflow):
            print("begun")
            trigger_workflow("echo", secret="env:NOT_SET")
    """)
    assert section(outside.run(), "NOT RUN")[-4:] == [
        "- Captured stdout call -", "begun", "- Captured stdout teardown -", "cleaned up",
    ]  # fmt: skip


INFRASTRUCTURE, NOT_RUN, FAILURE = {"infrastructure": 1}, {"not run": 1}, {"failed": 1}

DOWN = "try: trigger_workflow('nowhere')\nexcept InfrastructureError: "
GROUP = "try: raise ExceptionGroup('g', [BudgetExhausted('a'), {other}])\nexcept ExceptionGroup as group: "

ENDS = {
    "caught and failed": (f"{DOWN}pytest.fail('down')", INFRASTRUCTURE),
    "caught and wrong": (f"{DOWN}assert not 'down'", INFRASTRUCTURE),
    "caught and another": (f"{DOWN}raise ValueError('mine')", INFRASTRUCTURE),
    "cause": ("raise ValueError('mine') from RateLimited('slow down')", INFRASTRUCTURE),
    "from None": (f"{DOWN}raise ValueError('mine') from None", FAILURE),
    "caught and over": (f"{DOWN}pass\nassert not 'over'", FAILURE),
    "one of a group": (
        "raise ExceptionGroup('g', [AssertionError('a'), RateLimited('b'), KeyError('c')])",
        INFRASTRUCTURE,
    ),
    "one of an inner group": (
        "raise ExceptionGroup('g', [ValueError('a'), ExceptionGroup('h', [KeyError('b'), RateLimited('c')])])",
        INFRASTRUCTURE,
    ),
    "a cause in a group": (
        "one = ValueError('a')\none.__cause__ = RateLimited('b')\nraise ExceptionGroup('g', [KeyError('c'), one])",
        INFRASTRUCTURE,
    ),
    "a group as the cause": (
        "raise ValueError('a') from ExceptionGroup('g', [KeyError('b'), RateLimited('c')])",
        INFRASTRUCTURE,
    ),
    "the cause of a group": ("raise ExceptionGroup('g', [KeyError('a')]) from RateLimited('b')", INFRASTRUCTURE),
    "beside what was not run": ("raise ExceptionGroup('g', [BudgetExhausted('a'), RateLimited('b')])", INFRASTRUCTURE),
    "not run beside a failure": ("raise ExceptionGroup('g', [BudgetExhausted('a'), AssertionError('b')])", FAILURE),
    "a failure out of its group": (
        f"{GROUP}raise group.exceptions[1]".replace("{other}", "AssertionError('b')"),
        FAILURE,
    ),
    "all not run": (
        "raise ExceptionGroup('g', [BudgetExhausted('a'), Cancelled('b'), RecordingNotFound('c')])",
        NOT_RUN,
    ),
    "all not run and caught": (f"{GROUP}pytest.fail('none')".replace("{other}", "ConfigurationError('b')"), NOT_RUN),
    "not run and caught": ("try: raise CircuitOpen('a')\nexcept CircuitOpen: assert not 'open'", NOT_RUN),
    "errors that name each other": (
        "one, two = ValueError('a'), KeyError('b')\none.__context__, two.__context__ = two, one\nraise one",
        FAILURE,
    ),
}
"""How a test ends, and what it is then."""


def test_what_reached_a_test_decides(outside: Outside) -> None:
    """Whatever came of it: one error without a verdict is enough, and not run is what nothing else failed."""
    answered = """
        from pytest_wisebot.errors import *

        @pytest.fixture(autouse=True)
        def answered(trigger_workflow):  # between two that were not, so that no circuit opens
            assert trigger_workflow("echo").ok
    """
    tests = (
        f"\ndef test_{number}(trigger_workflow):\n{textwrap.indent(code, '    ')}\n"
        for number, (code, _) in enumerate(ENDS.values())
    )
    outside.test(answered, *tests)
    ends = (
        re.match(r"(FAILED|INFRASTRUCTURE|NOT RUN) test_it\.py::test_(\d+)\b", line) for line in listed(outside.run())
    )
    words = {int(end[2]): end[1].lower() for end in ends if end}
    assert {name: words.get(number) for number, name in enumerate(ENDS)} == {
        name: word for name, (_, outcome) in ENDS.items() for word in outcome
    }


def test_a_trial_that_an_error_reached_is_no_failed_trial(outside: Outside) -> None:
    """Also where it caught the error and failed by another: the trials end without a verdict."""
    outside.test("""
        @pytest.mark.wisebot(trials=3, min_passes=2)
        def test_it(trigger_workflow):
            try:
                trigger_workflow("nowhere")
            except InfrastructureError:
                pytest.fail("down")
    """)
    result = outside.run()
    assert counts(result) == INFRASTRUCTURE
    shown = section(result, "INFRASTRUCTURE")
    start = shown.index("- wisebot trials -")
    assert shown[start + 1 : shown.index("- wisebot runs -")] == [
        "no verdict in trial 1; 2 of 3 must pass",
        "warning: 66.7% is demanded, and 3 passes in 3 trials show no more than 43.9% (95% confidence); "
        "it takes 8 trials",
        "  1  no verdict  S s  no run  Failed: down",
    ]
    assert len(outside.calls) == 1


def test_no_verdict_for_one_reason_is_shown_for_each(outside: Outside) -> None:
    """What else is in a group does not make two failures one."""
    outside.test("""
        from pytest_wisebot.errors import BudgetExhausted, RateLimited

        @pytest.mark.parametrize("number", [1, 2])
        def test_it(wisebot_settings, number):
            raise ExceptionGroup("both", [RateLimited(f"said {number}"), BudgetExhausted("the same")])
    """)
    text = "\n".join(section(outside.run(), "INFRASTRUCTURE"))
    assert re.findall(r"RateLimited: (said \d)", text) == ["said 1", "said 2"]
    assert "for the same reason" not in text


def test_what_a_test_lacks_is_shown_beside_what_stopped_many(outside: Outside) -> None:
    """A group of both is not left to the block at the end, which would say of the budget alone."""
    outside.test("""
        from pytest_wisebot.errors import BudgetExhausted, ConfigurationError

        @pytest.mark.parametrize("turn", [1, -1])
        def test_it(wisebot_settings, turn):
            raise ExceptionGroup("both", [ConfigurationError("no key"), BudgetExhausted("too many")][::turn])
    """)
    result = outside.run()
    shown = section(result, "NOT RUN")
    assert [line for line in shown if "Error: " in line] == ["    | pytest_wisebot.errors.ConfigurationError: no key"]
    assert shown[-2:] == ["and for the same reason 1 more:", "  test_it.py::test_it[-1]"]
    assert counts(result) == {"not run": 2}


def test_each_kind_of_not_run(outside: Outside, numbers: Numbers) -> None:
    """A missing credential, recording, or budget: told apart by their words, and only the first two shown in full."""
    outside.test("""
        @pytest.mark.wisebot("echo")
        @pytest.mark.parametrize("inputs", [{"n": n} for n in range(3)])
        def test_budget(workflow_run, inputs):
            pass

        def test_credential(trigger_workflow):
            trigger_workflow("echo", secret="env:NOT_SET")
    """)
    result = outside.run("--wisebot-concurrency", "1", "--wisebot-max-runs", "1", "--tb=line")
    assert counts(result) == {"passed": 1, "not run": 3}
    assert listed(result) == [
        "NOT RUN test_it.py::test_budget[inputs1] - BudgetExhausted: as many requests ...",
        "NOT RUN test_it.py::test_budget[inputs2] - BudgetExhausted: as many requests ...",
        "NOT RUN test_it.py::test_credential - ConfigurationError: secret=: the enviro...",
    ]
    assert [line for line in section(result, "NOT RUN") if "BudgetExhausted" in line] == []
    assert len(section(result, "NOT RUN")) == 2
    assert numbers(result)[-3:] == [
        "2 runs not run: as many requests for runs as allowed have been sent: 1 (--wisebot-max-runs)",
        "  test_it.py::test_budget[inputs1]",
        "  test_it.py::test_budget[inputs2]",
    ]
    result = outside.run("--wisebot-runs=replay", "--tb=line", "-k", "budget")
    assert counts(result) == {"not run": 3, "deselected": 1}
    assert listed(result) == [
        f"NOT RUN test_it.py::test_budget[inputs{n}] - RecordingNotFound: no recording of..." for n in range(3)
    ]
    shown = section(result, "NOT RUN")
    assert [line for line in shown if line.startswith("_ ")] == ["_ test_budget[inputs0] at setup _"]
    others = [f"  test_it.py::test_budget[inputs{n}]" for n in (1, 2)]
    assert shown[-3:] == ["and for the same reason 2 more:", *others]
    whole = outside.run("--wisebot-runs=replay", "--tb=line", "-k", "budget", "-vv")
    assert [line for line in section(whole, "NOT RUN") if line.startswith("_ ")] == [
        f"_ test_budget[inputs{n}] at setup _" for n in range(3)
    ]


MANY = """
    @pytest.mark.parametrize("n", range(13))
    def test_it(trigger_workflow, n):
        trigger_workflow("echo", secret="env:NOT_SET")
"""


@pytest.mark.parametrize("verbose", [False, True])
def test_one_reason_is_shown_once(outside: Outside, verbose: bool) -> None:
    """And ten of the other tests are named; ``-v`` names all. The list names them in any case."""
    outside.test(MANY)
    result = outside.run("--tb=short", *(["-v"] if verbose else []))
    named = [f"  test_it.py::test_it[{n}]" for n in range(1, 13)]
    assert section(result, "NOT RUN") == [
        "_ test_it[0] _",
        "test_it.py:7: in test_it",
        '    trigger_workflow("echo", secret="env:NOT_SET")',
        "E   pytest_wisebot.errors.ConfigurationError: secret=: the environment variable NOT_SET is not set",
        "and for the same reason 12 more:",
        *(named if verbose else [*named[:10], "  and 2 more, shown by -v"]),
    ]
    assert listed(result) == [
        f"{f'NOT RUN test_it.py::test_it[{n}] - ConfigurationError: secret=: the environment '[:77]}..."
        for n in range(13)
    ]
    assert counts(result) == {"not run": 13}


def test_one_reason_is_shown_once_whichever_worker_says_it(outside: Outside) -> None:
    """Each test is in the section by its name, and one of them in full."""
    outside.test(MANY)
    result = outside.run("-n", "2", "-v", "--tb=short")
    shown = section(result, "NOT RUN")
    (first,) = [line.strip("_ ") for line in shown if line.startswith("_ ")]
    at = shown.index("and for the same reason 12 more:")
    assert sorted([f"  test_it.py::{first}", *shown[at + 1 :]]) == sorted(
        f"  test_it.py::test_it[{n}]" for n in range(13)
    )
    assert counts(result) == {"not run": 13}


def test_each_of_several_reasons_is_shown(outside: Outside) -> None:
    """Tests that lack different things are no group, also where others lack the one or the other."""
    outside.test("""
        @pytest.mark.parametrize("n", range(4))
        def test_it(trigger_workflow, n):
            trigger_workflow("echo", secret=f"env:NOT_SET_{n % 2}")
    """)
    shown = section(outside.run(), "NOT RUN")
    assert [line for line in shown if re.match(r"_ test|E  .*Error:|and for|  test", line)] == [
        "_ test_it[0] _",
        "E       pytest_wisebot.errors.ConfigurationError: secret=: the environment variable NOT_SET_0 is not set",
        "and for the same reason 1 more:",
        "  test_it.py::test_it[2]",
        "_ test_it[1] _",
        "E       pytest_wisebot.errors.ConfigurationError: secret=: the environment variable NOT_SET_1 is not set",
        "and for the same reason 1 more:",
        "  test_it.py::test_it[3]",
    ]


def test_for_all_others_they_are_failures(outside: Outside) -> None:
    """For the exit code, ``--last-failed``, ``--maxfail`` and JUnit XML, which tell setup and call apart."""
    outside.test(SUITE)
    selected = ["-k", "call or setup or credential or passes"]
    result = outside.run_with_cache(*selected, "--junitxml=out.xml")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    (suite,) = ET.parse(outside.project.path / "out.xml").getroot()
    assert [suite.get(name) for name in ("tests", "errors", "failures", "skipped")] == ["4", "1", "2", "0"]
    result = outside.run_with_cache("--lf")
    assert counts(result) == {"infrastructure": 2, "not run": 1}
    result = outside.run("-x", *selected)
    assert counts(result) == {"passed": 1, "deselected": 4, "infrastructure": 1}
    assert any("stopping after 1 failures" in line for line in result.outlines)


def test_what_a_report_keeps_of_a_reason_holds_no_part_of_a_credential(outside: Outside) -> None:
    """Reports travel between processes, and xdist's own trace shows them: also of a credential that was cut."""
    outside.project.write("conftest.py", """
        def pytest_runtest_logreport(report):
            with open("kept.txt", "a") as file:
                file.write(repr({name: value for name, value in vars(report).items() if name.startswith("wisebot")}))
    """)  # fmt: skip
    outside.test("""
        SECRET = "-".join(f"part{number}of{number * 7919 % 1000}" for number in range(40))

        def test_it(trigger_workflow):
            with pytest.raises(AuthenticationFailed):
                trigger_workflow("echo", secret=SECRET)
            trigger_workflow("echo", api=SECRET)
    """)
    assert counts(outside.run()) == {"not run": 1}
    kept = (outside.project.path / "kept.txt").read_text("utf-8")
    assert "ConfigurationError" in kept
    assert re.findall(r"part\d+of", kept) == []


def test_a_reason_that_no_channel_carries_ends_no_worker(outside: Outside) -> None:
    """Half a surrogate pair in an error's text is told escaped."""
    outside.test("""
        def test_it(trigger_workflow):
            raise ConfigurationError("odd: \\ud800")
    """)
    result = outside.run("-n", "1")
    assert counts(result) == {"not run": 1}
    assert listed(result) == [r"NOT RUN test_it.py::test_it - ConfigurationError: odd: \ud800"]
