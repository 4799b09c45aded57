"""A session that never was: the events of one of any size, with something of everything that may happen."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from typing import Any

from pytest_wisebot.event_log import FORMAT, moment

START = 1_777_888_999.0
"""When every session of this kind began, in seconds since the epoch."""

WORKFLOWS = {"classify": 1.1, "refund": 2.4, "summarise": 7.5, "triage": 3.2}
"""Each with the seconds that its runs take, more or less."""

GATE = {
    "overall": {"min_pass_rate": 0.97, "max_infrastructure_errors": 2, "max_p95_growth": 0.25},
    "workflows": {
        "classify": {"max_seconds": 6.0},
        "summarise": {"p95_seconds": 14.0, "max_seconds": 30.0, "max_flaky": 1},
        "triage": {"p95_seconds": 6.0, "min_pass_rate": 0.98},
    },
}

WHY = """\
    def test_{workflow}(workflow_run):
>       assert_result(workflow_run, {{"category": "billing"}})
E       AssertionError: workflow "{workflow}" over the webhook API, run {run_id}
E         $.category
E           expected "billing"
E           came     "shipping"

tests/test_{workflow}.py:31: AssertionError"""


def events(runs: int, *, seed: int = 7, concurrency: int = 8, broken: float = 1.0) -> Iterator[dict[str, Any]]:
    """A session's event log.

    Args:
        runs: how many runs it has, more or less.
        seed: what tells it from another session of this size.
        concurrency: runs at once.
        broken: how much goes wrong; 0 is nothing.
    """
    yield from _Session(runs, random.Random(seed), concurrency, broken).events()


def in_every_way(runs: int = 60) -> Iterator[dict[str, Any]]:
    """The event log of a session in which some tests fail in each way there is, a dozen for the same reason."""
    ways = iter([*[_same_reason] * 12, *_WAYS, *_WAYS])
    made: dict[str, dict[str, Any]] = {}
    for event in events(runs, broken=1.6):
        if event["event"] == "run":
            made[event["run"]] = event
        if event["event"] == "test" and event["outcome"] == "passed" and len(event["runs"]) == 1:
            own = made.pop(event["runs"][0])
            change = next(ways, None)
            yield from [own, event] if change is None else change(own, event)
        elif event["event"] == "test":
            yield from [*(made.pop(name) for name in event["runs"]), event]
        elif event["event"] != "run":
            yield event


Events = list[dict[str, Any]]


def _same_reason(run: dict[str, Any], test: dict[str, Any]) -> Events:
    said = f"E   AssertionError: run {run.get('runId')}, asked at {run['ended']}: no priority\nE     $.priority"
    return [run, test | {"outcome": "failed", "text": said}]


def _drift(run: dict[str, Any], test: dict[str, Any]) -> Events:
    diff = ["result.score", "  - 0.87", "  + 0.52", "result.tags[1]", '  + "urgent"']
    return [run | {"diff": diff}, test | {"outcome": "drift", "text": "E   drift: the run is not what was recorded"}]


def _away(run: dict[str, Any], test: dict[str, Any]) -> Events:
    text = f"E   pytest_wisebot.errors.ServiceUnavailable: {_NO_ANSWER['message']}"
    lost = {**run, **_NO_ANSWER, "outcome": "infrastructure", "source": ""}
    lost.pop("result", None)
    return [lost, test | {"outcome": "infrastructure", "class": "ServiceUnavailable", "text": text}]


def _crashed(run: dict[str, Any], test: dict[str, Any]) -> Events:
    return [run, test | {"outcome": "crashed", "text": "worker 'gw1' crashed while running the test"}]


def _fixture(run: dict[str, Any], test: dict[str, Any]) -> Events:
    return [run, test | {"outcome": "error", "text": "E   fixture 'database' not found"}]


def _skipped(run: dict[str, Any], test: dict[str, Any]) -> Events:
    return [run, test | {"outcome": "skipped"}]


def _xfailed(run: dict[str, Any], test: dict[str, Any]) -> Events:
    return [run, test | {"outcome": "xfailed"}]


def _against_itself(run: dict[str, Any], test: dict[str, Any]) -> Events:
    return [run | {"contradiction": 'status "failed"'}, test]


def _in_trials(run: dict[str, Any], test: dict[str, Any]) -> Events:
    each = [{"outcome": "passed"}] * 4 + [{"outcome": "failed", "why": "assert 0.4 > 0.8"}] * 3
    runs = [run | {"run": f"{run['run']}-{number}", "trial": number} for number in range(1, 11)]
    said = {"trials": 10, "min_passes": 8, "passes": 4, "failures": 3, "why": "assert 0.4 > 0.8", "each": each}
    return [*runs, test | {"outcome": "failed", "runs": [one["run"] for one in runs], "trials": said}]


def _flaky(run: dict[str, Any], test: dict[str, Any]) -> Events:
    each = [{"outcome": "passed"}, {"outcome": "failed", "why": "assert 0.4 > 0.8"}, {"outcome": "passed"}]
    runs = [run | {"run": f"{run['run']}-{number}", "trial": number} for number in range(1, 4)]
    said = {"trials": 3, "min_passes": 2, "passes": 2, "failures": 1, "why": "assert 0.4 > 0.8", "each": each}
    return [*runs, test | {"outcome": "flaky", "runs": [one["run"] for one in runs], "trials": said}]


def _long(run: dict[str, Any], test: dict[str, Any]) -> Events:
    name = f"{test['test'][:-1]}-{'a-very-long-parameter-' * 6}end]"
    text = "\n".join(f"E   line {number} of what a model did not like about an answer" for number in range(60))
    return [run | {"test": name}, test | {"test": name, "outcome": "failed", "text": text}]


_WAYS = (
    *(_drift, _away, _crashed, _fixture, _skipped, _xfailed, _against_itself, _in_trials, _flaky, _long, _away, _away),
)


class _Session:
    def __init__(self, runs: int, chance: random.Random, concurrency: int, broken: float) -> None:
        self._runs, self._chance, self._broken = runs, chance, broken
        self._free = [0.4 + number / 100 for number in range(concurrency)]
        self._made = 0
        self._plan = random.Random(1)  # the same tests in each session
        self._bad_spell = self._free[0] + 0.42 * runs * 3.5 / concurrency

    def events(self) -> Iterator[dict[str, Any]]:
        tests = list(self._tests())
        others = [f"tests/test_helpers.py::test_parse[{number}]" for number in range(12)]
        selected = [*(one[-1]["test"] for one in tests), *others]
        lost = ["tests/test_triage.py::test_that_was_cut_off"] if self._broken > 1.5 else []
        yield self._first([*selected, *lost])
        for several in tests:
            yield from several
        for number, nodeid in enumerate(others):
            outcome = "skipped" if number % 6 == 5 else "passed"
            yield {"event": "test", "test": nodeid, "outcome": outcome, "seconds": 0.01, "runs": []}
        ended = moment(START + max(self._free) + 1.1)
        yield {"event": "end", "ended": ended, "exitstatus": 1 if self._broken else 0}

    def _first(self, selected: list[str]) -> dict[str, Any]:
        return {
            "event": "session", "format": FORMAT, "session": "nightly", "version": "0.2.0", "mode": "live",
            "started": moment(START), "environment": "staging", "origin": "https://happy-otter-123.convex.site",
            "base_url": "https://staging.example.com", "selected": selected, "gate": GATE, "gated": True, "named": True,
        }  # fmt: skip

    def _tests(self) -> Iterator[list[dict[str, Any]]]:
        number = 0
        while self._made < self._runs:
            workflow = self._plan.choices([*WORKFLOWS], weights=[5, 2, 2, 5])[0]
            number += 1
            trials = 10 if workflow == "summarise" and number % 4 == 0 else 0
            yield self._test(f"tests/test_{workflow}.py::test_{workflow}[T-{number}]", workflow, trials)

    def _test(self, nodeid: str, workflow: str, trials: int) -> list[dict[str, Any]]:
        runs = [self._run(nodeid, workflow, trial) for trial in ([*range(1, trials + 1)] if trials else [0])]
        test = {
            "event": "test", "test": nodeid, "outcome": "passed", "runs": [run["run"] for run in runs],
            "seconds": round(self._chance.uniform(0.1, 6), 2), "ended": runs[-1]["ended"],
        }  # fmt: skip
        unanswered = [run for run in runs if run["outcome"] not in ("ok", "failed")]
        if unanswered:
            return [*runs, test | self._without_verdict(unanswered[0])]
        return [*runs, test | (self._tried(runs) if trials else self._judged(workflow, runs[0]))]

    def _without_verdict(self, run: dict[str, Any]) -> dict[str, Any]:
        problem = run["class"]
        word = "not run" if problem == "CircuitOpen" else "infrastructure"
        return {"outcome": word, "class": problem, "text": f"E       pytest_wisebot.errors.{problem}: {run['message']}"}

    def _judged(self, workflow: str, run: dict[str, Any]) -> dict[str, Any]:
        rolled = self._chance.random() / max(self._broken, 1e-9)
        if rolled < 0.018 or run["outcome"] == "failed":
            return {"outcome": "failed", "text": WHY.format(workflow=workflow, run_id=run["runId"])}
        if rolled < 0.026:
            run["diff"] = ["result.score", "  - 0.87", "  + 0.52", "result.tags[1]", '  + "urgent"']
            return {"outcome": "drift", "text": "E       drift: the run is not what was recorded"}
        return {}

    def _tried(self, runs: list[dict[str, Any]]) -> dict[str, Any]:
        failures = sum(run["outcome"] == "failed" for run in runs)
        said = {"trials": len(runs), "min_passes": 8, "passes": len(runs) - failures, "failures": failures}
        return {"outcome": "failed" if failures > 2 else "flaky" if failures else "passed", "trials": said}

    def _run(self, nodeid: str, workflow: str, trial: int) -> dict[str, Any]:
        self._made += 1
        started = heapq.heappop(self._free)
        took = self._chance.lognormvariate(0, 0.38) * WORKFLOWS[workflow]
        attempts, outcome = self._luck(started)
        ended = started + took + sum(self._chance.uniform(0.8, 2.5) for _ in range(attempts - 1))
        heapq.heappush(self._free, ended)
        inputs = {"ticketId": f"T-{self._made}", "message": "I was charged twice in March."}
        event = {
            "event": "run", "run": f"r{self._made}", "test": nodeid, "trial": trial, "workflow": workflow,
            "api": self._chance.choice(["webhook", "webhook", "dashboard"]), "outcome": outcome, "inputs": inputs,
            "queued": moment(START + 0.35), "started": moment(START + started), "ended": moment(START + ended),
            "attempts": attempts, "seconds": round(took, 3),
            "commands": [_curl(workflow, inputs["ticketId"]), f"wisebot workflow trigger {workflow} --data '…'"],
        }  # fmt: skip
        return event | (
            {"not run": _NOT_SENT, "infrastructure": _NO_ANSWER}.get(outcome) or self._answer(outcome, ended)
        )

    def _luck(self, started: float) -> tuple[int, str]:
        """How many attempts a run takes, and how it ends: for some seconds of the session, badly."""
        spell = self._broken and abs(started - self._bad_spell) < 6
        again = self._chance.random() < (0.5 if spell else 0.02 * self._broken)
        attempts = 1 + again * self._chance.randint(1, 2)
        if self._broken > 1.5 and self._chance.random() < 0.01:
            return attempts, "not run"
        if self._chance.random() < 0.012 * self._broken:
            return attempts, "failed"
        return attempts, "infrastructure" if spell and self._chance.random() < 0.12 else "ok"

    def _answer(self, outcome: str, ended: float) -> dict[str, Any]:
        kept = self._broken > 1.5 and self._chance.random() < 0.04
        known = {
            "runId": f"jd7{self._chance.getrandbits(64):016x}", "status": 200, "environment": "staging",
            "source": "recording" if kept else "live", "made": moment(START + ended - (90_000 if kept else 1)),
        }  # fmt: skip
        if outcome == "failed":
            return known | {"error": {"code": "unknown_ticket", "message": "there is no such ticket"}}
        result = {
            "category": self._chance.choice(["billing", "shipping", "other"]), "priority": 2, "score": 0.87,
            "reply": "We are sorry for the double charge. The second payment is on its way back to you. " * 4,
            "sources": [{"id": number, "title": f"article {number}", "rank": 1 / number} for number in range(1, 6)],
        }  # fmt: skip
        return known | {"result": result}


_NOT_SENT: dict[str, Any] = {
    "class": "CircuitOpen",
    "message": "not sent: 3 runs in a row were refused",
    "started": None,
    "seconds": None,
    "attempts": 0,
    "commands": [],
}

_NO_ANSWER: dict[str, Any] = {
    "class": "ServiceUnavailable",
    "message": "staging answered status 503 (text/plain), asks to wait 2 s: upstream connect error",
    "status": 503,
    "seconds": None,
}


def _curl(workflow: str, ticket: str) -> str:
    body = f'{{"inputs": {{"ticketId": "{ticket}", "message": "I was charged twice in March, …"}}}}'
    url = f"https://happy-otter-123.convex.site/workflows/{workflow}/trigger"
    return f"curl -sS -X POST {url} -H \"X-Workflow-Secret: $TRIAGE_SECRET\" --data-raw '{body}'"
