"""How well ``pytest-wisebot learn`` finds what differs from run to run, on a corpus of results with labels.

``python tests/benchmarks/learning.py CORPUS.py`` prints the figures. The corpus is a module: ``results(seed)``
makes the results of all workflows anew, with the clocks of ``datetime.now``; ``plain`` and ``labels``, which give the
values, and of each leaf its kind, None where it is an answer; and ``WRONG``, answers that must turn a snapshot red.

``--runs`` of each result, ten by default, each at another time, are written into the log of a session. The lines that
the command prints are the settings of what follows: a snapshot of one more run is compared with ``--compared`` further
ones, and with each wrong answer. Leaves that the settings or the plugin itself mask are held against the labels. A
sentence that is one of three needs several runs to be seen.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib.util
import json
import random
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from common import environment

from pytest_wisebot import WorkflowRun
from pytest_wisebot.event_log import run_event
from pytest_wisebot.redaction import Redactor
from pytest_wisebot.redaction.jsonpath import Path as Place
from pytest_wisebot.runs import Ended, RunRequest
from pytest_wisebot.snapshots.json_codec import loads
from pytest_wisebot.snapshots.learning import at
from pytest_wisebot.snapshots.normalise import NormaliserConfig
from pytest_wisebot.snapshots.rules import replaced_at
from pytest_wisebot.snapshots.serialize import ComparisonContext, ComparisonOptions, receive
from pytest_wisebot.storage.sessions import Session, Sessions
from pytest_wisebot.storage.store import RequestKeys
from pytest_wisebot.text import show_path

Kinds = dict[Place, str | None]


class Corpus:
    """Results that are made anew for each run."""

    def __init__(self, path: Path, seed: int) -> None:
        spec = importlib.util.spec_from_file_location("corpus", path)
        if spec is None or spec.loader is None:
            raise SystemExit(f"{path} is not a Python file")
        self._module: Any = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self._module)
        self._random = random.Random(seed)
        self._seed = 1000 * seed
        self._now = dt.datetime.now(dt.UTC) - dt.timedelta(days=30)

    def runs(self) -> dict[str, tuple[WorkflowRun, Kinds]]:
        """One more run of each workflow, and what its leaves are; some hours after the one before."""
        self._seed += 1
        self._now = now = self._now + dt.timedelta(seconds=self._random.uniform(7_200, 86_400))
        self._module.datetime = _clock(now)
        found = {}
        for name, result in self._module.results(self._seed).items():
            value = json.loads(json.dumps(self._module.plain(result)))
            run = WorkflowRun(True, name, run_id=f"run_{self._seed}_{name}", result=value, started_at=now, elapsed=0.4)
            found[name] = run, {_place(path, value): kind for path, kind in self._module.labels(result)}
        return found

    def wrong(self, runs: dict[str, tuple[WorkflowRun, Kinds]]) -> list[tuple[WorkflowRun, Place]]:
        """These runs with each of the wrong answers."""
        found = []
        for name, path, value in self._module.WRONG:
            run, _ = runs[name]
            place = _place(f".{path}", run.result)
            found.append((replace(run, result=replaced_at(run.result, {place: value})), place))
        return found


def _place(path: str, value: Any) -> Place:
    """A path of the corpus, whose keys may hold any characters."""
    steps: list[str | int] = []
    while path:
        if isinstance(value, dict):
            key = max((key for key in value if path.startswith(f".{key}")), key=len)
            steps, path, value = [*steps, key], path[len(key) + 1 :], value[key]
        else:
            index, _, path = path[1:].partition("]")
            steps, value = [*steps, int(index)], value[int(index)]
    return tuple(steps)


def _clock(now: dt.datetime) -> type[dt.datetime]:
    class Clock(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            return now.astimezone(tz)

    return Clock


def learned(runs: list[WorkflowRun]) -> dict[str, tuple[str, ...]]:
    """What the command prints once these runs are kept, as paths by workflow."""
    with tempfile.TemporaryDirectory() as folder:
        redactor = Redactor()
        keys = RequestKeys(redactor)
        session = Session(Sessions(Path(folder)), redactor, keys, dict)
        session.open()
        for run in runs:
            request = RunRequest(run.workflow, {"n": 1})
            moment = run.started_at.timestamp()
            ended = Ended(run, queued=moment, started=moment, ended=moment + run.elapsed)
            session.write({**run_event(request, ended), "key": session.key(request)})
        session.close()
        command = [sys.executable, "-m", "pytest_wisebot", "learn"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment(), check=True)
    tables = tomllib.loads(done.stdout).get("snapshots", {}).get("workflows", {})
    return {name: tuple(table["volatile"]) for name, table in tables.items()}


@dataclass
class Figures:
    """What is counted."""

    masked: int = 0
    rightly: int = 0
    volatile: int = 0
    results: int = 0
    red: set[str] = field(default_factory=set)
    wrong: int = 0
    unseen: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        """The share of the masked leaves that differ from run to run."""
        return self.rightly / max(1, self.masked)

    @property
    def recall(self) -> float:
        """The share of the leaves that differ from run to run that are masked."""
        return self.rightly / max(1, self.volatile)

    def leaves(self, run: WorkflowRun, kinds: Kinds, text: str) -> None:
        """Counts the leaves of one run."""
        shown = loads(text)["result"]
        for place, kind in kinds.items():
            is_masked = at(shown, place) != at(run.result, place)
            self.masked += is_masked
            self.volatile += kind is not None
            self.rightly += is_masked and kind is not None
            if is_masked is not (kind is not None):
                self.mistakes.append(
                    f"{'masked' if is_masked else 'not masked'}: {run.workflow} {show_path(place)} ({kind})"
                )

    def lines(self) -> list[str]:
        """The figures."""
        return [
            *sorted(set(self.mistakes)),
            f"precision {self.precision:.3f}, recall {self.recall:.3f}",
            f"green {self.results - len(self.red)} of {self.results}{': red are ' if self.red else ''}"
            f"{', '.join(sorted(self.red))}",
            f"wrong answers that are red {self.wrong - len(self.unseen)} of {self.wrong}"
            f"{': green are ' if self.unseen else ''}{', '.join(self.unseen)}",
        ]


def measured(path: Path, *, runs: int, compared: int, seed: int) -> Figures:
    """The figures of a corpus."""
    corpus, figures, redactor = Corpus(path, seed), Figures(), Redactor()
    volatile = learned([run for _ in range(runs) for run, _ in corpus.runs().values()])

    def text(run: WorkflowRun) -> str:
        habits = NormaliserConfig(volatile=volatile.get(run.workflow, ()))
        around = ComparisonContext(redactor.clean_json, redactor.clean, habits, lambda: [run])
        return receive(run, ComparisonOptions(), around)

    first = corpus.runs()
    recorded = {name: text(run) for name, (run, _) in first.items()}
    figures.results = len(recorded)
    for name, (run, kinds) in first.items():
        figures.leaves(run, kinds, recorded[name])
    for _ in range(compared):
        later = corpus.runs()
        figures.red |= {name for name, (run, _) in later.items() if text(run) != recorded[name]}
    for run, place in corpus.wrong(corpus.runs()):
        figures.wrong += 1
        figures.unseen += [f"{run.workflow} {show_path(place)}"] if text(run) == recorded[run.workflow] else []
    return figures


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description="measure pytest-wisebot learn on a corpus")
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--compared", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("\n".join(measured(options.corpus, runs=options.runs, compared=options.compared, seed=options.seed).lines()))


if __name__ == "__main__":
    main()
