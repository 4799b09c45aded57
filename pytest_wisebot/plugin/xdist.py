"""The role of this process under xdist, and what the controller leaves for its workers."""

from __future__ import annotations

from typing import Any

import pytest

from ..originals import json, os
from .session_state import state_of

KEY = "wisebot_door"
"""Where in ``workerinput`` the controller leaves the address of its engine: on no command line, and in no variable."""

CLAIMS = "wisebot_claims"
"""The key in ``workerinput`` under which the controller names the folder where workers note what they have recorded."""


def is_controller(config: pytest.Config) -> bool:
    """Whether this process hands the tests to workers."""
    distributes = config.getoption("dist", "no") != "no" and bool(config.getoption("tx", None))
    return distributes and not is_worker(config) and not config.getoption("collectonly", False)


def is_worker(config: pytest.Config) -> bool:
    """Whether this process got its tests from a controller."""
    return hasattr(config, "workerinput")


def starts_as_worker() -> bool:
    """Whether this process was started by a controller, before pytest's configuration shows it."""
    return "PYTEST_XDIST_WORKER" in os.environ


def worker_name(config: Any) -> str:
    """What xdist calls this worker, such as ``gw0``."""
    return str(config.workerinput["workerid"])


def worker_count(config: Any) -> int:
    """How many workers the session began with."""
    return int(config.workerinput["workercount"])


def leave_door(workerinput: dict[str, Any], door: dict[str, Any]) -> None:
    """In the controller: leaves the address of the engine for a worker that is about to start."""
    workerinput[KEY] = json.dumps(door)


def door(config: Any) -> dict[str, Any]:
    """In a worker: the address that the controller left."""
    found: dict[str, Any] = json.loads(config.workerinput[KEY])
    return found


def keep_to_one_process(config: pytest.Config) -> None:
    """Has xdist distribute nothing. Called before xdist is configured."""
    if hasattr(config.option, "tx"):
        each = config.option.dist == "each"
        state_of(config).workers_with_every_test = max(1, len(config.option.tx)) if each else 1
        config.option.dist, config.option.tx, config.option.numprocesses = "no", [], None
