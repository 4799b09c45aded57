"""``--wisebot-gate``: every mix of outcomes with its verdict, its exit code and its block, with xdist and without.

Each case in which the gate fails closed has its row, and opens once its cause is taken away.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from harness import Outside

pytestmark = pytest.mark.usefixtures("wide_terminal")

PASSES = """
    @pytest.mark.wisebot("echo", {"n": 1})
    def test_passes(workflow_run):
        assert_ok(workflow_run)
"""
PASSES_TWICE = """
    @pytest.mark.wisebot("echo")
    @pytest.mark.parametrize("inputs", [{"n": 1}, {"n": 2}], ids=["one", "two"])
    def test_passes(workflow_run, inputs):
        assert_ok(workflow_run)
"""
FAILS = """
    @pytest.mark.wisebot("refund", {"n": 3})
    def test_fails(workflow_run):
        assert_ok(workflow_run)
"""
FLAKY = """
    @pytest.fixture
    def trial(count=[0]):
        count[0] += 1
        return count[0]

    @pytest.mark.wisebot("echo", {"n": 4}, trials=3, min_passes=1)
    def test_flaky(trial, workflow_run):
        assert trial > 1
"""
REFUSED = """
    @pytest.mark.wisebot("locked", {"n": 5})
    def test_refused(workflow_run):
        assert_ok(workflow_run)
"""
NOT_RUN = """
    def test_without_a_credential(trigger_workflow):
        trigger_workflow("echo", secret="env:NO_SUCH_VARIABLE")
"""
PLAIN = """
    def test_plain():
        assert 1 == 2
"""
SKIPPED = """
    def test_skipped(trigger_workflow):
        pytest.skip("later")
"""
MARKED = """
    @pytest.mark.smoke
    @pytest.mark.wisebot("echo", {"n": 6})
    def test_smoke(workflow_run):
        assert_ok(workflow_run)
"""
SNAPSHOT = """
    def test_snapshot(trigger_workflow, workflow_snapshot):
        assert trigger_workflow("echo", {"n": 7}) == workflow_snapshot
"""

ENV = ("--wisebot-env", "outside")
OPEN = [
    "GATE OPEN: 1 passed; 1 live run against TARGET",
    "ok  pass rate              wanted at least 100%  measured 100% (1 of 1)",
    "ok  infrastructure errors  wanted at most 0      measured 0",
]


@dataclass(frozen=True)
class Case:
    """A session, and what the gate says of it.

    Attributes:
        suite: the tests.
        block: the lines of the verdict, of which the columns' width is no matter.
        code: the session's exit code.
        gate: lines of ``[gate]``.
        args: of pytest.
        before: of a session before it.
        opens: what takes the cause away: other ``suite``, ``gate`` or ``args``, with which the gate is open.
    """

    suite: tuple[str, ...]
    block: list[str]
    code: int
    gate: str = ""
    args: tuple[str, ...] = ENV
    before: tuple[str, ...] | None = None
    opens: dict[str, Any] = field(default_factory=dict)

    @property
    def word(self) -> str:
        """The verdict."""
        return self.block[0].partition(":")[0]


CASES = {
    # --- what tests that used runs ended as
    "passed": Case((PASSES,), OPEN, 0),
    "failed": Case(
        (PASSES, FAILS),
        [
            "GATE CLOSED: 1 passed, 1 failed; 2 live runs against TARGET",
            "closed  pass rate              wanted at least 100%  measured 50% (1 of 2): test_it.py::test_fails",
            "ok      infrastructure errors  wanted at most 0      measured 0",
        ],
        1,
        opens={"gate": "min-pass-rate = 0.5"},
    ),
    "failed, of one workflow": Case(
        (PASSES, FAILS),
        [
            "GATE CLOSED: 1 passed, 1 failed; 2 live runs against TARGET",
            "closed  refund: pass rate             wanted at least 50%   measured 0% (0 of 1): test_it.py::test_fails",
            "ok      pass rate of the other tests  wanted at least 100%  measured 100% (1 of 1)",
            "ok      infrastructure errors         wanted at most 0      measured 0",
        ],
        1,
        gate="workflows.refund.min-pass-rate = 0.5",
        opens={"gate": "workflows.refund.min-pass-rate = 0"},
    ),
    "flaky": Case(
        (PASSES, FLAKY),
        [
            "GATE CLOSED: 1 passed, 1 flaky; 3 live runs against TARGET",
            "closed  flaky tests            wanted at most 0      measured 1: test_it.py::test_flaky",
            "ok      pass rate              wanted at least 100%  measured 100% (2 of 2)",
            "ok      infrastructure errors  wanted at most 0      measured 0",
        ],
        1,
        gate="max-flaky = 0",
        opens={"gate": "max-flaky = 1"},
    ),
    "infrastructure": Case(
        (PASSES, REFUSED),
        [
            "NO VERDICT: 1 passed, 1 infrastructure; 1 live run against TARGET",
            "no verdict  infrastructure errors  wanted at most 0      measured 1: test_it.py::test_refused",
            "ok          pass rate              wanted at least 100%  measured 100% (1 of 1)",
        ],
        10,
        opens={"gate": "max-infrastructure-errors = 1"},
    ),
    "not run": Case(
        (PASSES, NOT_RUN),
        [
            "NO VERDICT: 1 passed, 1 not run; 1 live run against TARGET",
            "no verdict  tests not run          wanted none           measured 1 (1 ConfigurationError): "
            "test_it.py::test_without_a_credential",
            "ok          pass rate              wanted at least 100%  measured 100% (1 of 1)",
            "ok          infrastructure errors  wanted at most 0      measured 0",
        ],
        11,
        opens={"suite": (PASSES,)},
    ),
    "not run, by the budget": Case(
        (PASSES_TWICE,),
        [
            "NO VERDICT: 1 passed, 1 not run; 1 live run against TARGET",
            "no verdict  tests not run          wanted none           measured 1 (1 BudgetExhausted): "
            "test_it.py::test_passes[ONE OF BOTH]",
            "ok          pass rate              wanted at least 100%  measured 100% (1 of 1)",
            "ok          infrastructure errors  wanted at most 0      measured 0",
        ],
        11,
        args=(*ENV, "--wisebot-max-runs=1", "--wisebot-no-ahead"),
        opens={"args": (*ENV, "--wisebot-max-runs=2")},
    ),
    "closed beats 10 beats 11": Case(
        (FAILS, REFUSED, NOT_RUN),
        [
            "GATE CLOSED: 1 failed, 1 infrastructure, 1 not run; 1 live run against TARGET",
            "closed      pass rate              wanted at least 100%  measured 0% (0 of 1): test_it.py::test_fails",
            "no verdict  infrastructure errors  wanted at most 0      measured 1: test_it.py::test_refused",
            "no verdict  tests not run          wanted none           measured 1 (1 ConfigurationError): "
            "test_it.py::test_without_a_credential",
        ],
        1,
    ),
    "10 beats 11": Case(
        (PASSES, REFUSED, NOT_RUN),
        [
            "NO VERDICT: 1 passed, 1 infrastructure, 1 not run; 1 live run against TARGET",
            "no verdict  infrastructure errors  wanted at most 0      measured 1: test_it.py::test_refused",
            "no verdict  tests not run          wanted none           measured 1 (1 ConfigurationError): "
            "test_it.py::test_without_a_credential",
            "ok          pass rate              wanted at least 100%  measured 100% (1 of 1)",
        ],
        10,
    ),
    # --- failures that are none of the gate's
    "a test without a run": Case(
        (PASSES, PLAIN),
        [
            "GATE CLOSED: 1 passed, 1 without a run; 1 live run against TARGET",
            "closed  other failures  wanted none  measured 1 failure without a run: test_it.py::test_plain",
            "ok      pass rate              wanted at least 100%  measured 100% (1 of 1)",
            "ok      infrastructure errors  wanted at most 0      measured 0",
        ],
        1,
        opens={"suite": (PASSES,)},
    ),
    # --- where it fails closed
    "no test": Case(
        (PLAIN.replace("2", "1"),),
        [
            "NO VERDICT: no test used a run, 1 without a run; 0 live runs against TARGET",
            "no verdict  tests  wanted at least 1 that used a run  measured none",
        ],
        11,
        opens={"suite": (PASSES,)},
    ),
    "everything skipped": Case(
        (SKIPPED,),
        [
            "NO VERDICT: no test used a run, 1 skipped; 0 live runs against TARGET",
            "no verdict  tests  wanted at least 1 that used a run  measured none (1 test skipped)",
        ],
        11,
        opens={"suite": (PASSES, SKIPPED)},
    ),
    "the environment is a default": Case(
        (PASSES,),
        [
            OPEN[0].replace("GATE OPEN", "NO VERDICT"),
            "no verdict  target                 wanted named by --wisebot-env or an origin  measured environment "
            "outside, by default",
            "ok          pass rate              wanted at least 100%                        measured 100% (1 of 1)",
            "ok          infrastructure errors  wanted at most 0                            measured 0",
        ],
        11,
        args=(),
        opens={"args": ENV},
    ),
    "deselected": Case(
        (PASSES, MARKED),
        [
            OPEN[0].replace("GATE OPEN", "NO VERDICT"),
            "no verdict  tests deselected       wanted none           measured 1: test_it.py::test_passes",
            "no verdict  narrowed by -m  wanted nothing left out  measured -m smoke (command line)",
            "ok          pass rate              wanted at least 100%  measured 100% (1 of 1)",
            "ok          infrastructure errors  wanted at most 0      measured 0",
        ],
        11,
        args=(*ENV, "-m", "smoke"),
        opens={"gate": 'select = "-m smoke"'},
    ),
    "deselected beyond its selection": Case(
        (PASSES, MARKED, MARKED.replace("test_smoke", "test_other")),
        [
            OPEN[0].replace("GATE OPEN", "NO VERDICT"),
            "no verdict  tests deselected       wanted none but by [gate] select (-m smoke)  measured 1: "
            "test_it.py::test_other",
            "no verdict  narrowed by -k  wanted nothing left out  measured -k not other (command line)",
            "ok          pass rate              wanted at least 100%                         measured 100% (1 of 1)",
            "ok          infrastructure errors  wanted at most 0                             measured 0",
        ],
        11,
        gate='select = "-m smoke"',
        args=(*ENV, "-k", "not other"),
        opens={"args": ENV},
    ),
    "snapshots updated": Case(
        (SNAPSHOT,),
        [
            OPEN[0].replace("GATE OPEN", "NO VERDICT"),
            "no verdict  snapshots  wanted compared  measured --snapshot-update accepts whatever comes",
            "no verdict  snapshots              wanted none written   measured 1 written by this session",
            "ok          pass rate              wanted at least 100%  measured 100% (1 of 1)",
            "ok          infrastructure errors  wanted at most 0      measured 0",
        ],
        11,
        args=(*ENV, "--snapshot-update"),
        opens={"args": ENV},
    ),
    "snapshots that are new": Case(
        (SNAPSHOT,),
        [
            OPEN[0].replace("GATE OPEN", "NO VERDICT"),
            "no verdict  snapshots              wanted none written   measured 1 written by this session",
            "ok          pass rate              wanted at least 100%  measured 100% (1 of 1)",
            "ok          infrastructure errors  wanted at most 0      measured 0",
        ],
        11,
        args=(*ENV, "--snapshot-update-new-only"),
        opens={},  # once more, with the same option: nothing is new any more
    ),
    "replayed": Case(
        (PASSES,),
        [
            "NO VERDICT: 1 passed; 0 live runs against TARGET",
            "no verdict  mode                   wanted one that asks Wisebot (require-live)  measured "
            "--wisebot-runs=replay",
            "no verdict  live runs              wanted all (require-live)                    measured 1 of 1 run made "
            "earlier",
            "ok          pass rate              wanted at least 100%                         measured 100% (1 of 1)",
            "ok          infrastructure errors  wanted at most 0                             measured 0",
        ],
        11,
        args=(*ENV, "--wisebot-runs=replay"),
        before=("--wisebot-runs=record",),
        opens={"gate": "require-live = false"},
    ),
    "judged again": Case(
        (PASSES,),
        [
            "NO VERDICT: 1 passed; 0 live runs against TARGET",
            "no verdict  mode                   wanted one that asks Wisebot (require-live)  measured "
            "--wisebot-runs=last",
            "no verdict  live runs              wanted all (require-live)                    measured 1 of 1 run made "
            "earlier",
            "ok          pass rate              wanted at least 100%                         measured 100% (1 of 1)",
            "ok          infrastructure errors  wanted at most 0                             measured 0",
        ],
        11,
        args=(*ENV, "--wisebot-runs=last"),
        before=(),
        opens={"args": (*ENV, "--wisebot-runs=live")},
    ),
    "too few runs": Case(
        (PASSES,),
        [
            OPEN[0].replace("GATE OPEN", "NO VERDICT"),
            "no verdict  live runs              wanted at least 2     measured 1",
            "ok          pass rate              wanted at least 100%  measured 100% (1 of 1)",
            "ok          infrastructure errors  wanted at most 0      measured 0",
        ],
        11,
        gate="min-runs = 2",
        opens={"gate": "min-runs = 1"},
    ),
    "a workflow that was not run": Case(
        (PASSES,),
        [
            OPEN[0].replace("GATE OPEN", "NO VERDICT"),
            "no verdict  ecko: runs             wanted at least 1     measured none; workflows that ran: echo",
            "ok          pass rate              wanted at least 100%  measured 100% (1 of 1)",
            "ok          infrastructure errors  wanted at most 0      measured 0",
        ],
        11,
        gate="workflows.ecko.max-flaky = 0",
        opens={"gate": "workflows.echo.max-flaky = 0"},
    ),
    # --- how long runs took
    "too slow": Case(
        (PASSES,),
        [
            OPEN[0].replace("GATE OPEN", "GATE CLOSED"),
            "closed  echo: p95              wanted at most 0 s    measured S s (1 run)",
            "ok      pass rate              wanted at least 100%  measured 100% (1 of 1)",
            "ok      infrastructure errors  wanted at most 0      measured 0",
            "ok      echo: slowest run      wanted at most 60 s   measured S s (1 run)",
        ],
        1,
        gate="p95-seconds = 0.00001\nmax-seconds = 60",
        opens={"gate": "p95-seconds = 60"},
    ),
}


def session(outside: Outside, case: Case, *, workers: int) -> pytest.RunResult:
    """Runs the case's session."""
    toml = outside.project.path / "wisebot.toml"
    outside.project.write("wisebot.toml", f"{toml.read_text('utf-8').partition('[gate]')[0]}\n[gate]\n{case.gate}\n")
    outside.project.write("pytest.ini", "[pytest]\nmarkers = smoke")
    outside.test(*case.suite)
    if case.before is not None:
        outside.run(*case.before)
    xdist = ("-n", str(workers)) if workers else ()
    result: pytest.RunResult = outside.run("--wisebot-gate", *case.args, *xdist)
    return result


def block(outside: Outside, result: pytest.RunResult) -> list[str]:
    """The lines of the verdict, told of which host and how long once."""
    lines = result.outlines
    start = next(at for at, line in enumerate(lines) if re.fullmatch(r"=+ (GATE OPEN|GATE CLOSED|NO VERDICT) =+", line))
    end = next((at for at in range(start + 1, len(lines)) if lines[at].startswith("=")), len(lines))
    target = f"outside ({outside.handle.origin} and {outside.handle.base_url})"
    told = [line.strip().replace(target, "TARGET") for line in lines[start + 1 : end]]
    told = [re.sub(r"\[(one|two)\]", "[ONE OF BOTH]", line) for line in told]  # whichever asks first
    told = [line for line in told if not re.match(r"ok +extent ", line)]  # in each of them: see test_gate_extent.py
    return [re.sub(r"measured [\d.]+ s", "measured S s", line) for line in told]


def alike(told: list[str], wanted: list[str]) -> bool:
    """Whether these are the same lines, whatever the width of their columns."""
    return [" ".join(line.split()) for line in told] == [" ".join(line.split()) for line in wanted]


OF_WORKERS = {
    "passed",
    "flaky",
    "infrastructure",
    "not run, by the budget",
    "a test without a run",
    "everything skipped",
    "deselected beyond its selection",
    "snapshots that are new",
    "replayed",
}
"""Of each kind of fact that workers tell the controller one case: the rules are judged by the log, whose ever it is."""


@pytest.mark.parametrize(
    ("name", "workers"),
    [*((name, 0) for name in CASES), *((name, 2) for name in CASES if name in OF_WORKERS)],
    ids=lambda one: {0: "one process", 2: "xdist"}.get(one, one),
)
def test_a_verdict_for_each_session(outside: Outside, monkeypatch: pytest.MonkeyPatch, name: str, workers: int) -> None:
    """Its word, its exit code and its whole block; and, in one process, with its cause taken away it opens."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    case = CASES[name]
    result = session(outside, case, workers=workers)
    told = block(outside, result)
    assert alike(told, case.block), "\n".join(told)
    assert result.ret == case.code
    if workers or case.code == 0 or not (case.opens or name == "snapshots that are new"):
        return
    changed = {key: getattr(case, key) for key in ("suite", "block", "code", "gate", "args")} | case.opens
    result = session(outside, Case(**changed), workers=workers)
    assert block(outside, result)[0].startswith("GATE OPEN: ")
    assert result.ret == 0
