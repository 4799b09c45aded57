"""Under xdist: only the workers know whether a test uses the plugin, so they tell the controller where runs went."""

from __future__ import annotations

import json
from typing import Any

import pytest

KEY = "wisebot_lines"


def is_controller(config: pytest.Config) -> bool:
    """Whether this process hands the tests to workers."""
    return config.getoption("dist", "no") != "no" and not is_worker(config)


def is_worker(config: pytest.Config) -> bool:
    """Whether this process got its tests from a controller."""
    return hasattr(config, "workerinput")


def share_of(concurrency: int, config: pytest.Config) -> int:
    """This process's part of the cap: each worker runs what its own tests ask for, and may always run one."""
    workers = int(getattr(config, "workerinput", {}).get("workercount", 1))
    return max(1, concurrency // workers)


def tell(config: Any, lines: list[str]) -> None:
    """In a worker: leaves the lines for the controller, as text that any channel carries."""
    config.workeroutput[KEY] = json.dumps(lines)


class Controller:
    """Prints once what the workers tell. Registered only where xdist distributes."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker has ended; one that was killed has told nothing."""
        told = getattr(node, "workeroutput", {}).get(KEY)
        if told is not None and not self._lines:
            self._lines = json.loads(told)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """After the tests, since nobody knew before them."""
        for line in self._lines if terminalreporter.verbosity >= 0 else ():
            terminalreporter.write_line(line)
