"""A wrong value is answered with itself and with the right ones, before anything is sent."""

from __future__ import annotations

import pytest
from harness import Outside

TEST = """
    @pytest.mark.wisebot("echo", {"n": 1})
    def test_it(workflow_run):
        pass
"""


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--wisebot-max-runs", "x"], "argument --wisebot-max-runs: expected a whole number, got 'x'"),
        (["--wisebot-max-runs", "1.5"], "argument --wisebot-max-runs: expected a whole number, got '1.5'"),
        (["--wisebot-max-runs", ""], "argument --wisebot-max-runs: expected a whole number, got ''"),
        (["--wisebot-max-runs"], "argument --wisebot-max-runs: expected one argument"),
        (["--wisebot-concurrency", "many"], "argument --wisebot-concurrency: expected a whole number, got 'many'"),
        (["--wisebot-retries", "1e3"], "argument --wisebot-retries: expected a whole number, got '1e3'"),
        (["--wisebot-trials", "x"], "argument --wisebot-trials: expected a whole number, got 'x'"),
        (["--wisebot-trials", "0"], "argument --wisebot-trials: expected a whole number of at least 1, got '0'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_option_that_is_no_number(outside: Outside, args: list[str], message: str) -> None:
    """Pytest's own kind of usage error, which names the option."""
    outside.test(TEST)
    result = outside.run(*args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert any(line.endswith(f"error: {message}") for line in result.errlines)
    assert outside.calls == []


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--wisebot-max-runs", "-1"], "--wisebot-max-runs: expected a whole number, at least 0, got -1"),
        (["--wisebot-max-runs=-1"], "--wisebot-max-runs: expected a whole number, at least 0, got -1"),
        (["--wisebot-concurrency", "0"], "--wisebot-concurrency: expected a whole number, at least 1, got 0"),
        (["--wisebot-concurrency=-8"], "--wisebot-concurrency: expected a whole number, at least 1, got -8"),
        (["--wisebot-retries=-1"], "--wisebot-retries: expected a whole number, at least 0, got -1"),
        (["--wisebot-retries=-1", "--wisebot-plan"], "--wisebot-retries: expected a whole number, at least 0, got -1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_number_that_is_too_small(outside: Outside, args: list[str], message: str) -> None:
    """One line that ends the session before any test, also where only a plan was asked for."""
    outside.test(TEST)
    result = outside.run(*args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in result.errlines if line] == [f"ERROR: {message}"]
    assert outside.calls == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("max-runs = -1", "max-runs: expected a whole number, at least 0, got -1"),
        ("max-runs = 1.5", "max-runs: expected a whole number, got 1.5"),
        ('max-runs = "5"', 'max-runs: expected a whole number, got "5"'),
        ("concurrency = 0", "concurrency: expected a whole number, at least 1, got 0"),
        ("max_runs = 5", 'max_runs: unknown key, did you mean "max-runs"?'),
    ],
)
def test_a_setting_in_the_file(outside: Outside, line: str, message: str) -> None:
    """The same words for the same mistake in ``wisebot.toml``, with its place."""
    outside.setting(line)
    outside.test(TEST)
    result = outside.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in result.errlines if line] == [f"ERROR: wisebot.toml: environments.outside.{message}"]
    assert outside.calls == []


SIGNATURE = (
    "it is wisebot(workflow=None, inputs=None, *, api=None, timeout=None, max_seconds=None, trials=1, min_passes=None, "
    "share=False, cases=None, quarantine=None)"
)


WRONG = [
    ('share="yes"', "share: expected True or False, got 'yes'"),
    ("share=1", "share: expected True or False, got 1"),
    ("share=None", "share: expected True or False, got None"),
    ('api="dashbord"', "api: expected one of 'webhook', 'dashboard', 'both', got 'dashbord'"),
    ("timeout=0", "timeout: expected a number of seconds above 0, got 0"),
    ("max_seconds=float('nan')", "max_seconds: expected a number of seconds above 0, got nan"),
    ("shared=True", "wisebot() got an unexpected keyword argument 'shared'; did you mean share?"),
    ("{}, {}, {}", "wisebot() takes from 0 to 2 positional arguments but 4 were given"),
]
"""Arguments of a marker, and what is told of them."""


def test_a_marker_on_a_function(outside: Outside) -> None:
    """Pytest points at the module, the message at the test, the argument and the signature; nothing else runs."""
    for number, (arguments, _) in enumerate(WRONG):
        test = f"""
            @pytest.mark.wisebot("echo", {arguments})
            def test_wrong(workflow_run):
                pass

            @pytest.mark.wisebot("echo", {{"n": 1}})
            def test_right(workflow_run):
                pass
        """
        outside.test(test, name=f"test_{number}.py")
    result = outside.run()
    result.assert_outcomes(errors=len(WRONG))
    for number, (_, message) in enumerate(WRONG):
        assert f"test_{number}.py::test_wrong: the wisebot marker: {message}; {SIGNATURE}" in result.outlines
    assert outside.calls == []


def test_a_marker_that_shares_calls(outside: Outside) -> None:
    """A marker without a workflow is checked as strictly."""
    outside.test("""
        @pytest.mark.wisebot(share="yes")
        def test_it(trigger_workflow):
            pass
    """)
    result = outside.run()
    result.assert_outcomes(errors=1)
    message = f"share: expected True or False, got 'yes'; {SIGNATURE}"
    assert f"test_it.py::test_it: the wisebot marker: {message}" in result.outlines


TEXT_OPTIONS = ["env", "config", "origin", "base-url", "secret", "token", "recordings", "session"]
TEXT_OPTIONS += ["baseline", "report", "summary", "scan"]


@pytest.mark.parametrize("option", TEXT_OPTIONS)
def test_an_option_without_a_value(outside: Outside, option: str) -> None:
    """An option that a variable leaves empty ends the session before any run, and never means the current folder."""
    outside.test(TEST)
    ways = [[f"--wisebot-{option}="], [f"--wisebot-{option}", ""], [f"--wisebot-{option}= "]]
    for args in ways if option == "env" else [ways[TEXT_OPTIONS.index(option) % 3]]:
        result = outside.run(*args)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        (line,) = [line for line in result.errlines if "error:" in line]
        assert f"error: argument --wisebot-{option}: expected a value, got '" in line
        assert line.endswith("set the variable that it was to come from, or leave the option out")
    assert outside.calls == []
    assert not (outside.project.path / "runs.jsonl").exists()
