"""What pytest itself writes and stores holds no credential."""

from __future__ import annotations

import pytest
from harness import Outside

CANARY = "FAKE-secret-of-all"


TWICE = [
    f"--wisebot-secret={CANARY}-of-old",
    "--wisebot-token",
    f"{CANARY}-of-old-too",
    "--wisebot-token=file:token.txt",
]


@pytest.mark.parametrize(
    "given",
    [["--wisebot-secret", CANARY], [f"--wisebot-secret={CANARY}"], [*TWICE, f"--wisebot-secret={CANARY}"]],
    ids=["two", "one", "twice"],
)
@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=str)
def test_a_value_on_the_command_line_is_not_stored(outside: Outside, given: list[str], workers: list[str]) -> None:
    """Neither options nor arguments show it, in no process; the ``--debug`` log, which had it already, is masked."""
    outside.test("""
        import re

        def test_it(request, trigger_workflow):
            assert trigger_workflow("echo").ok
            config = request.config
            workerinput = getattr(config, "workerinput", {})
            assert "FAKE-secret" not in repr([vars(config.option), config.invocation_params, workerinput])
    """)
    result = outside.run(*given, "--debug=debug.log", *workers)
    result.assert_outcomes(passed=1)
    log = (outside.project.path / "debug.log").read_text("utf-8", "replace")  # workers write into it, too
    assert "args=(" in log
    assert "pytest_runtest_protocol" in log or workers
    assert CANARY not in log


@pytest.mark.parametrize(
    "args",
    [[], ["-n", "1"], ["--collect-only", "--wisebot-secret", CANARY], ["--collect-only"], ["--setup-plan"], ["-q"]],
    ids=" ".join,
)
def test_a_test_id_that_holds_a_credential_ends_the_session(outside: Outside, args: list[str]) -> None:
    """Ids are shown and stored everywhere, by every plugin: before any test the session ends, and shows none."""
    outside.project.write("secret.txt", CANARY)
    outside.test(f"""
        @pytest.mark.parametrize("value", ["{CANARY}", "other"])
        def test_it(trigger_workflow, value):
            trigger_workflow("echo")
    """)
    result = outside.run_with_cache(*args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    cached = [path.read_text("utf-8") for path in (outside.project.path / ".pytest_cache").rglob("*") if path.is_file()]
    assert CANARY not in "".join(cached)
    assert args or "test_it[other]" in "".join(cached)
    said = result.stdout.str() + result.stderr.str()
    assert CANARY not in said
    assert (
        "ERROR: a test's id holds a credential, and ids are shown and stored everywhere:\n"
        "  test_it.py::test_it[<secret>]\n"
        'give the parameter an id of its own, as in pytest.param(..., id="name")\n'
    ) in said
    assert outside.calls == []


def test_ids_are_listed_whatever_is_wrong_with_the_settings(outside: Outside) -> None:
    """As editors do all the time: what is wrong with the settings is not their matter."""
    outside.project.write("wisebot.toml", "this is no TOML")
    outside.test("""
        @pytest.mark.parametrize("value", ["short", "a longer text"])
        @pytest.mark.wisebot("echo", {}, api="both")
        def test_it(workflow_run, value):
            pass
    """)
    outside.run("--collect-only", "-q").stdout.fnmatch_lines(["*test_it[[]dashboard-a longer text[]]"])


def test_what_pytest_shows_of_fixtures_is_clean(outside: Outside) -> None:
    """``--setup-show`` writes parameters by itself, past every report."""
    outside.project.write("secret.txt", CANARY)
    outside.test(f"""
        @pytest.mark.parametrize("value", ["{CANARY}"], ids=["named"])
        def test_it(trigger_workflow, value):
            pass
    """)
    result = outside.run("--setup-show")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*SETUP    F value?'<secret>'?"])
    assert CANARY not in result.stdout.str()


LONG = "FAKE-secret-of-all-%s-" + "-".join(f"part{number}" for number in range(20))
"""Too long for most of what pytest shows of a value."""


@pytest.mark.parametrize(
    ("flags", "body"),
    [
        ("--color=yes", 'assert {"got": secret, "b": 1} == {"got": 1, "b": 2}'),
        ("-vv", 'assert secret.encode() == b"none"'),
        ("-vv -l", 'shown = {"got": [{"deep": secret.encode()}]}; raise ValueError'),
        ("", "assert secret == twin"),
        ("", 'assert secret not in "before " * 20 + secret'),
    ],
)
def test_a_value_that_pytest_cuts_or_colours_stays_masked(outside: Outside, flags: str, body: str) -> None:
    """Neither colours in the middle of it, nor ends of lines, nor what is left out lets a part of it through."""
    outside.project.write("secret.txt", LONG)
    outside.project.write("token.txt", LONG.replace("part15", "twin15"))
    outside.test(f"""
        from pathlib import Path

        def test_it(trigger_workflow):
            secret, twin = Path("secret.txt").read_text(), Path("token.txt").read_text()
            {body}
    """)
    result = outside.run("--junitxml=junit.xml", *flags.split())
    result.assert_outcomes(failed=1)
    said = result.stdout.str() + (outside.project.path / "junit.xml").read_text("utf-8")
    assert [part for part in (LONG[:12], LONG[-20:-8], "part9-part10", "part16-part17") if part in said] == []


def test_what_setup_show_cuts_stays_masked(outside: Outside) -> None:
    """Of a long parameter pytest shows the beginning and the end."""
    outside.project.write("secret.txt", LONG)
    outside.test(f"""
        @pytest.mark.parametrize("value", ["{LONG}"], ids=["named"])
        def test_it(trigger_workflow, value):
            pass
    """)
    result = outside.run("--setup-show")
    result.stdout.fnmatch_lines(["*SETUP    F value?'<secret>...<secret>'?"])


def test_what_does_not_come_with_a_report_is_clean_in_junit_xml(outside: Outside) -> None:
    """Properties of the suite, and attributes of a test."""
    outside.project.write("secret.txt", CANARY)
    outside.test(f"""
        @pytest.mark.filterwarnings("ignore:record_xml_attribute")
        def test_it(trigger_workflow, record_testsuite_property, record_xml_attribute):
            record_testsuite_property("got", "{CANARY}")
            record_xml_attribute("got", "{CANARY}")
    """)
    outside.run("--junitxml=junit.xml", "-o", "junit_family=xunit1").assert_outcomes(passed=1)
    written = (outside.project.path / "junit.xml").read_text("utf-8")
    assert '<property name="got" value="&lt;secret&gt;" />' in written
    assert 'got="&lt;secret&gt;"' in written
    assert CANARY not in written


@pytest.mark.parametrize("args", [[], ["-n", "1"]], ids=str)
def test_an_error_of_collection_is_clean(outside: Outside, args: list[str]) -> None:
    """Though no test has used the plugin, and nobody has asked for the settings."""
    outside.project.write("secret.txt", CANARY)
    outside.test(f"print('{CANARY}'); raise ValueError('it said {CANARY}')")
    result = outside.run("--debug", "--junitxml=junit.xml", *args)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E   ValueError: it said <secret>"])
    written = [(outside.project.path / name).read_text("utf-8") for name in ("junit.xml", "pytestdebug.log")]
    assert [CANARY in text for text in (result.stdout.str(), *written)] == [False] * 3


def test_an_error_of_collection_loads_no_more_where_tests_are_only_listed(outside: Outside) -> None:
    """As editors do, over modules that are half written: values that were given are masked all the same."""
    outside.test(f"raise ValueError('it said {CANARY}')")
    result = outside.run("--collect-only", "--wisebot-secret", CANARY)
    result.stdout.fnmatch_lines(["E   ValueError: it said <secret>"])
