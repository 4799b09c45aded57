"""``--wisebot-against``: each run over two environments, and what differs is drift."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from harness import QUIET_NEIGHBOURS, Project

if TYPE_CHECKING:
    from pytest_wisebot.emulator import EmulatorHandle

FLOWS = """
    import datetime, itertools, random, uuid
    from pytest_wisebot.emulator import Emulator, WorkflowFailure

    NAME, SECRET = {name!r}, {secret!r}
    emulator = Emulator(token="wb_live_" + SECRET)
    clock = itertools.count(random.randrange(10**6))

    @emulator.workflow("echo", secret=SECRET)
    def echo(inputs):
        return {{**inputs, "id": str(uuid.uuid4()), "at": datetime.datetime.now(datetime.timezone.utc).isoformat()}}

    @emulator.workflow("triage", secret=SECRET)
    def triage(inputs):
        return {{"category": "billing" if NAME == "staging" else "shipping", "priority": 1}}

    @emulator.workflow("draws", secret=SECRET)
    def draws(inputs):
        return {{"draw": next(clock) * 1.5, "side": NAME if "side" in inputs else "any"}}

    @emulator.workflow("fails-there", secret=SECRET)
    def fails_there(inputs):
        if NAME == "production":
            raise WorkflowFailure("no such ticket")
        return "done"

    if NAME == "staging":
        @emulator.workflow("only-here", secret=SECRET)
        def only_here(inputs):
            return "here"

    @emulator.workflow("endless", secret=SECRET, latency=30)
    def endless(inputs):
        return None
"""

TOML = """
    [environments.staging]
    origin = "{0.origin}"
    base-url = "{0.base_url}"
    secret = "file:staging.txt"
    token = "file:staging-token.txt"

    [environments.production]
    origin = "{1.origin}"
    base-url = "{1.base_url}"
    secret = "file:production.txt"
    token = "file:production-token.txt"
"""

SECRETS = {"staging": "FAKE-secret-of-staging", "production": "CANARY-FAKE-secret-of-production"}


@dataclass
class Sides:
    """A project with two environments, whose calls can be counted."""

    project: Project
    staging: EmulatorHandle
    production: EmulatorHandle

    def toml(self, text: str) -> None:
        """Adds to ``wisebot.toml``."""
        path = self.project.path / "wisebot.toml"
        path.write_text(f"{path.read_text('utf-8')}\n{text}\n", "utf-8")

    def run(self, *args: str) -> pytest.RunResult:
        """Runs pytest against staging, beside production."""
        against = () if any("--wisebot-against" in one for one in args) else ("--wisebot-against=production",)
        result: pytest.RunResult = self.project.run(*QUIET_NEIGHBOURS, "--wisebot-env=staging", *against, *args)
        return result

    @property
    def calls(self) -> tuple[dict[str, int], dict[str, int]]:
        """By workflow, the requests for runs that arrived at each side."""
        first, second = (
            Counter(call.workflow for call in one.calls(everywhere=True)) for one in (self.staging, self.production)
        )
        return dict(first), dict(second)

    def log(self, kind: str, folder: str = "out") -> list[dict[str, Any]]:
        """The events of a kind in the log of the reports."""
        lines = (self.project.path / folder / "runs.jsonl").read_text("utf-8").splitlines()
        return [event for line in lines if (event := json.loads(line))["event"] == kind]


_SERVED: list[Any] = []


@pytest.fixture
def sides(empty_project: Project, serve: Callable[[str], EmulatorHandle]) -> Sides:
    """Staging and production, which have seen nothing yet."""
    if not _SERVED:
        _SERVED.extend(serve(FLOWS.format(name=name, secret=secret)) for name, secret in SECRETS.items())
    for handle in _SERVED:
        handle.reset(everywhere=True)
    empty_project.write("wisebot.toml", TOML.format(*_SERVED))
    for name, secret in SECRETS.items():
        empty_project.write(f"{name}.txt", secret)
        empty_project.write(f"{name}-token.txt", f"wb_live_{secret}")
    return Sides(empty_project, *_SERVED)


EVERY_WAY = """
    @pytest.mark.wisebot("echo", {"n": 1})
    def test_declared(workflow_run):
        assert_ok(workflow_run)

    def test_called(trigger_workflow):
        assert_ok(trigger_workflow("echo", {"n": 2}))

    def test_map(trigger_workflow):
        assert len(trigger_workflow.map("echo", [{"n": 3}, {"n": 4}])) == 2

    @pytest.mark.parametrize("time", [1, 2])
    @pytest.mark.wisebot("echo", {"n": 5}, share=True)
    def test_shared(workflow_run, time):
        assert_ok(workflow_run)

    @pytest.mark.wisebot("echo", {"n": 6}, api="both")
    def test_both(workflow_run):
        assert_ok(workflow_run)

    @pytest.mark.wisebot("echo", {"n": 7}, trials=3, min_passes=3)
    def test_trials(workflow_run):
        assert_ok(workflow_run)

    @pytest.fixture(scope="module")
    def made_once(trigger_workflow):
        return trigger_workflow("echo", {"n": 8})

    def test_fixture(made_once):
        assert_ok(made_once)
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_every_way_to_run_runs_over_both_sides(sides: Sides, workers: tuple[str, ...]) -> None:
    """Declared, called, mapped, shared, over both APIs, in trials and in fixtures; clocks and ids are no difference."""
    sides.project.test(EVERY_WAY)
    result = sides.run("--wisebot-report=out", *workers)
    assert result.parseoutcomes() == {"passed": 9}
    first, second = sides.calls
    assert first == second == {"echo": 11}
    result.stdout.fnmatch_lines(["against production: 11 runs compared, 0 of them drifted"])
    assert len(sides.log("run")) == len(sides.log("beside")) == 11
    assert {event["environment"] for event in sides.log("beside")} == {"production"}


DIFFERENT = """
    @pytest.mark.wisebot("triage", {"n": 1})
    def test_differs(workflow_run):
        assert_ok(workflow_run)

    def test_fails_there(trigger_workflow):
        assert_ok(trigger_workflow("fails-there"))

    @pytest.mark.wisebot("triage", {"n": 2})
    def test_fails_here(workflow_run):
        assert workflow_run.result["category"] == "other"

    @pytest.mark.wisebot("triage", {"n": 3}, trials=2, min_passes=2)
    def test_trials(workflow_run):
        assert_ok(workflow_run)

    @pytest.mark.xfail
    @pytest.mark.wisebot("triage", {"n": 4})
    def test_expected(workflow_run):
        assert_ok(workflow_run)
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_difference_is_drift_with_its_paths(sides: Sides, workers: tuple[str, ...]) -> None:
    """So is a workflow that fails on one side alone; the test's own failure stays a failure; xfail absorbs no drift."""
    sides.project.test(DIFFERENT)
    result = sides.run(*workers)
    assert result.ret == 1
    assert result.parseoutcomes() == {"drift": 4, "failed": 1}
    result.stdout.fnmatch_lines_random(
        [
            "triage (webhook) differs between staging (-, runId run_*) and production (+, runId run_*)",
            "  result.category",
            '    - "billing"',
            '    + "shipping"',
            "  ok",
            "    - true",
            "    + false",
            "DRIFT test_it.py::test_differs*",
            "against production: 5 runs compared, 5 of them drifted",
        ]
    )


def test_what_is_volatile_is_no_difference(sides: Sides) -> None:
    """The lines of the workflow in ``wisebot.toml`` hold for the comparison as they do for snapshots."""
    sides.project.test("""
        def test_it(trigger_workflow):
            assert_ok(trigger_workflow("triage"))
    """)
    sides.toml('[snapshots.workflows.triage]\nvolatile = ["result.category"]')
    assert sides.run().parseoutcomes() == {"passed": 1}


DRAWS = """
    @pytest.mark.wisebot("draws", {})
    def test_draws(workflow_run):
        assert_ok(workflow_run)

    def test_sides(trigger_workflow):
        assert_ok(trigger_workflow("draws", {"side": True}))
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_what_differs_by_itself_is_no_difference(sides: Sides, workers: tuple[str, ...]) -> None:
    """With ``noise = 2`` the first side runs twice. What differs there is left out; the rest is compared still."""
    sides.project.test(DRAWS)
    assert sides.run(*workers).parseoutcomes() == {"drift": 2}
    assert sides.calls == ({"draws": 2}, {"draws": 2})
    sides.toml("[against]\nnoise = 2")
    result = sides.run("--wisebot-report=out", *workers)
    assert result.parseoutcomes() == {"passed": 1, "drift": 1}
    assert sides.calls == ({"draws": 6}, {"draws": 4})
    result.stdout.fnmatch_lines_random(
        [
            "  result.side",
            "  left out, since it differs among 2 runs of staging: result.draw",
            "  2 repetitions of the first environment's runs, for what differs by itself",
        ]
    )
    assert sorted(event["side"] for event in sides.log("beside")) == ["against"] * 2 + ["repetition 1"] * 2
    assert len(sides.log("run")) == 2


def test_each_side_has_its_budget(sides: Sides) -> None:
    """Repetitions count for the first one's; a run that the second one's leaves no room for is no verdict."""
    sides.project.test(DRAWS)
    text = (sides.project.path / "wisebot.toml").read_text("utf-8")
    budget = text.replace("[environments.production]", "[environments.production]\nmax-runs = 1")
    (sides.project.path / "wisebot.toml").write_text(budget, "utf-8")
    result = sides.run()
    assert result.parseoutcomes() == {"drift": 1, "not": 1}
    assert sides.calls == ({"draws": 2}, {"draws": 1})
    result.stdout.fnmatch_lines(["*no comparison with environment production: as many requests*: 1 (*max-runs)*"])
    sides.toml("[against]\nnoise = 2\n[defaults]\nmax-runs = 3")
    sides.staging.reset(everywhere=True)
    sides.run()
    assert sides.calls[0] == {"draws": 3}


def test_the_plan_has_the_runs_of_each_side(sides: Sides) -> None:
    """``--wisebot-plan`` counts the repetitions, and what is over the budget; it runs nothing."""
    sides.project.test(DRAWS)
    sides.toml("[against]\nnoise = 3\n[defaults]\nmax-runs = 2")
    result = sides.run("--wisebot-plan")
    result.stdout.fnmatch_lines_random(
        [
            "*with --wisebot-against=production: 3 runs over staging (3 of each: noise under [[]against] in "
            "wisebot.toml), 1 over production",
            "*at least 1 run over max-runs 2 (*",
        ]
    )
    assert sides.calls == ({}, {})


def test_a_run_that_was_not_possible_there_is_no_verdict(sides: Sides, unused_tcp_port: int) -> None:
    """The outcome is infrastructure, and its message names the environment; drift of another run is certain."""
    sides.toml(f'[environments.dead]\norigin = "http://127.0.0.1:{unused_tcp_port}"\nsecret = "file:staging.txt"')
    sides.project.test("""
        def test_it(trigger_workflow):
            assert_ok(trigger_workflow("triage"))

        def test_wrong(trigger_workflow):
            assert trigger_workflow("triage").result == 0
    """)
    result = sides.run("--wisebot-against=dead", "--wisebot-retries=0")
    assert result.parseoutcomes() == {"infrastructure": 1, "failed": 1}
    result.stdout.fnmatch_lines(["*ConnectionFailed: no comparison with environment dead: connection refused*"])


@pytest.fixture
def unused_tcp_port() -> int:
    """A port on which nothing listens."""
    import socket

    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


def test_an_error_that_a_test_expects_must_come_on_both_sides(sides: Sides) -> None:
    """Of the same kind: then the test passes. Where one side alone makes the run, there is no verdict."""
    sides.project.test("""
        def test_nowhere(trigger_workflow):
            with pytest.raises(WorkflowNotFound):
                trigger_workflow("id:nowhere")

        def test_only_here(trigger_workflow):
            assert_ok(trigger_workflow("only-here"))
    """)
    result = sides.run()
    assert result.parseoutcomes() == {"passed": 1, "infrastructure": 1}
    result.stdout.fnmatch_lines(
        [
            "  1 run not compared: neither environment made a run: WorkflowNotFound",
        ]
    )


def test_what_is_not_compared_is_counted(sides: Sides) -> None:
    """A call with a secret of its own is not sent to the other side; a run that no test awaits has nothing to show."""
    sides.project.test("""
        def test_own_secret(trigger_workflow):
            assert_ok(trigger_workflow("triage", secret="file:staging.txt"))

        def test_not_awaited(trigger_workflow):
            trigger_workflow.start("endless")

        def test_cancelled(trigger_workflow):
            pending = trigger_workflow.start("endless")
            pending.cancel()
            with pytest.raises(WisebotError):
                pending.wait()
    """)
    result = sides.run("--wisebot-report=out")
    assert result.parseoutcomes() == {"passed": 3}
    assert "triage" not in sides.calls[1]
    result.stdout.fnmatch_lines_random(
        [
            "against production: 0 runs compared, 0 of them drifted",
            "  1 run not compared: its call has a secret= of its own, which is not sent to another environment",
            "  1 run not compared: its test gave it up",
        ]
    )


def test_a_fixture_s_run_is_compared_by_the_first_test_that_passes(sides: Sides) -> None:
    """A test that fails before leaves the comparison to the next one."""
    sides.project.test("""
        @pytest.fixture(scope="module")
        def run(trigger_workflow):
            return trigger_workflow("triage")

        def test_fails(run):
            assert 0

        def test_passes(run):
            pass

        def test_after(run):
            pass
    """)
    assert sides.run().parseoutcomes() == {"failed": 1, "drift": 1, "passed": 1}
    assert sides.calls == ({"triage": 1}, {"triage": 1})


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--wisebot-against=prod"], 'unknown environment "prod", known: staging, production'),
        (["--wisebot-against=productoin"], 'unknown environment "productoin", did you mean "production"?*'),
        (["--wisebot-against=staging"], 'the session runs against environment "staging" already*: production*'),
        (["--wisebot-runs=record"], "*goes with --wisebot-runs=live alone, and this is --wisebot-runs=record"),
        (["--wisebot-runs=last"], "*goes with --wisebot-runs=live alone, and this is --wisebot-runs=last"),
        (["--wisebot-runs=verify"], "*goes with --wisebot-runs=live alone, and this is --wisebot-runs=verify"),
        (["--wisebot-against=twin"], "has the hosts, workflows and credentials of environment *staging*"),
        (["--wisebot-against=bare"], "there is no webhook secret*write secret = *under [[]environments.bare]*"),
        (["--wisebot-against=lost"], "*environments.lost.secret: env:NOWHERE: *NOWHERE is not set"),
        (["--wisebot-against=hostless"], "there is no trigger origin*under [[]environments.hostless]*"),
        (["--wisebot-against=safe"], '*environment "safe" is protected: add --wisebot-allow-protected*'),
    ],
    ids=lambda one: one[0] if isinstance(one, list) else "",
)
def test_what_cannot_be_compared_is_refused_before_any_run(sides: Sides, args: list[str], message: str) -> None:
    """With an error that names the option, the environment and the choices, alone and under xdist."""
    sides.project.test(DRAWS)
    origin = sides.staging.origin
    staging = f'origin = "{origin}"\nbase-url = "{sides.staging.base_url}"\nsecret = "file:staging.txt"\n'
    sides.toml(f'[environments.twin]\n{staging}token = "file:staging-token.txt"')
    sides.toml('[environments.bare]\norigin = "https://bare.example.com"')
    sides.toml('[environments.lost]\norigin = "https://lost.example.com"\nsecret = "env:NOWHERE"')
    sides.toml('[environments.hostless]\nsecret = "file:staging.txt"')
    sides.toml(
        '[environments.safe]\norigin = "https://safe.example.com"\nsecret = "file:staging.txt"\nprotected = true'
    )
    result = sides.run(*args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: *{message.removeprefix('*')}*"])
    assert sides.calls == ({}, {})


def test_both_environments_must_be_allowed(sides: Sides) -> None:
    """``--wisebot-allow-protected`` lets a session compare with a protected environment."""
    sides.project.edit(
        "wisebot.toml", "[environments.production]", "[environments.production]\n        protected = true"
    )
    sides.project.test(DRAWS)
    refused = sides.run()
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    assert sides.calls == ({}, {})
    assert sides.run("--wisebot-allow-protected").parseoutcomes() == {"drift": 2}
    assert sides.calls == ({"draws": 2}, {"draws": 2})


def test_a_workflow_that_the_other_side_does_not_list_is_not_run_at_all(sides: Sides) -> None:
    """Nothing is paid for on the first side where the second one cannot follow."""
    sides.toml('[environments.production.workflows.triage]\nid = "triage"')
    sides.project.test(DRAWS)
    result = sides.run()
    assert result.parseoutcomes() == {"not": 2}
    result.stdout.fnmatch_lines(['*: unknown workflow "draws" in environment "production"*'])
    assert sides.calls == ({}, {})


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_the_credentials_of_both_sides_are_masked(sides: Sides, workers: tuple[str, ...]) -> None:
    """On the screen, in reports, and in what is kept."""
    sides.project.test("""
        from pathlib import Path

        def test_it(trigger_workflow):
            trigger_workflow("echo", {"n": Path("production.txt").read_text()})
            print(Path("production.txt").read_text(), Path("production-token.txt").read_text())
            assert 0, Path("production.txt").read_text()
    """)
    result = sides.run("--wisebot-report=out", *workers)
    assert result.parseoutcomes() == {"failed": 1}
    assert "CANARY" not in result.stdout.str() + result.stderr.str()
    written = [path for folder in ("out", ".wisebot") for path in (sides.project.path / folder).rglob("*")]
    assert [path.name for path in written if path.name == "runs.jsonl"]
    assert not [path for path in written if path.is_file() and b"CANARY" in path.read_bytes()]


def test_a_kept_session_has_the_runs_of_the_first_side_alone(sides: Sides) -> None:
    """``last`` and ``resume`` take no run of the second side, and no repetition, for one that a test judges."""
    sides.toml("[against]\nnoise = 2")
    sides.project.test("""
        def test_it(trigger_workflow):
            assert trigger_workflow("triage").result["category"] == "billing"

        def test_more(trigger_workflow):
            assert trigger_workflow("draws").ok
    """)
    assert sides.run().parseoutcomes() == {"drift": 1, "passed": 1}
    for mode in ("last", "resume"):
        before = sides.calls
        result = sides.project.run(*QUIET_NEIGHBOURS, "--wisebot-env=staging", f"--wisebot-runs={mode}")
        assert result.parseoutcomes() == {"passed": 2}
        assert sides.calls == before


def test_reports_show_both_sides_and_mix_no_figures(sides: Sides) -> None:
    """Log, ``report.json``, summary, page, header and gate name the second side; the first has its own figures."""
    sides.toml("[against]\nnoise = 2\n[gate]\nmin-runs = 3")
    sides.project.test("""
        @pytest.mark.wisebot("echo", {"n": 1})
        def test_alike(workflow_run):
            assert_ok(workflow_run)

        def test_differs(trigger_workflow):
            assert_ok(trigger_workflow("triage"))
    """)
    result = sides.run("--wisebot-report=out", "--wisebot-gate")
    result.stdout.fnmatch_lines_random(
        [
            "wisebot: each run also over environment production (--wisebot-against)",
            "wisebot: 2 runs of each over staging, for what differs by itself (noise under [[]against] in *)",
            "GATE CLOSED: 1 passed, 1 drift; 2 live runs against staging*",
        ]
    )
    report = json.loads((sides.project.path / "out" / "report.json").read_text("utf-8"))
    assert report["sessions"][0]["against"]["environment"] == "production"
    assert report["sessions"][0]["against"]["noise"] == 2
    assert {name: one["live_runs"] for name, one in report["workflows"].items()} == {"echo": 1, "triage": 1}
    assert len(report["runs"]) == 2
    assert sorted(run["side"] for run in report["beside"]) == ["against"] * 2 + ["repetition 1"] * 2
    alike, differs = sorted(report["tests"], key=lambda test: str(test["id"]))
    assert (alike["outcome"], alike["compared"][0]["drift"]) == ("passed", [])
    assert differs["outcome"] == "drift"
    assert differs["compared"][0]["drift"] == ["result.category", '  - "billing"', '  + "shipping"']
    beside = {run["reference"]: run for run in report["beside"]}
    assert beside[differs["compared"][0]["beside"]]["environment"] == "production"
    assert [beside[one]["side"] for one in differs["compared"][0]["again"]] == ["repetition 1"]
    rules = {rule["rule"]: rule for rule in report["verdict"]["rules"]}
    assert rules["live runs"]["measured"] == "2"
    assert rules["compared with production"]["measured"] == "1 of 2 runs drifted"
    words = "2 live runs there, 2 here and 2 repetitions; 2 runs compared, 1 drifted"
    page = (sides.project.path / "out" / "report.html").read_text("utf-8")
    assert words in page
    assert "differs from that of production" in page
    assert words in (sides.project.path / "out" / "summary.md").read_text("utf-8")


def test_the_project_s_hook_sees_both_environments(sides: Sides) -> None:
    """``pytest_wisebot_settings`` gets the settings of each, and may change those of one."""
    sides.project.write(
        "conftest.py",
        """
        def pytest_wisebot_settings(config, settings):
            with open("seen.txt", "a") as file:
                file.write(f"{settings.environment} ")
    """,
    )
    sides.project.test(DRAWS)
    sides.run()
    assert (sides.project.path / "seen.txt").read_text("utf-8").split() == ["staging", "production"]


def test_two_emulators_are_started_and_ended(project: Project) -> None:
    """Each environment may have an emulator of its own, with its own credentials."""
    project.write(
        "wisebot.toml",
        """
        [environments.one]
        emulator = "flows:emulator"

        [environments.two]
        emulator = "flows:emulator"
    """,
    )
    project.test("""
        @pytest.mark.wisebot("triage", {"ticketId": "T-1"})
        def test_it(workflow_run):
            assert_ok(workflow_run)

        def test_calls(trigger_workflow, wisebot_emulator):
            assert_ok(trigger_workflow("triage"))
            assert len(wisebot_emulator.calls()) == 1
    """)
    project.edit("wisebot.toml", "[environments.one]", "[against]\nnoise = 2\n[environments.one]")
    for workers in ((), ("-n", "2")):
        result = project.run("--wisebot-env=one", "--wisebot-against=two", *workers)
        assert result.parseoutcomes() == {"passed": 2}


def test_a_session_that_stops_early_leaves_nothing_waiting(sides: Sides) -> None:
    """With ``-x`` the comparison of later tests is not made, and nothing of it holds the session up."""
    sides.project.test("""
        def test_slow_there(trigger_workflow):
            trigger_workflow.start("endless")
            assert 0

        def test_later(trigger_workflow):
            trigger_workflow("echo")
    """)
    result = sides.run("-x")
    assert result.parseoutcomes() == {"failed": 1}
    assert "echo" not in sides.calls[1]
