"""What the benchmarks share: an emulator that takes as long as it is told, and the environment of what they measure."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_wisebot.emulator.handle import EmulatorProcess, Ready

FLOWS = """
import asyncio
import time

from pytest_wisebot.emulator import Emulator

emulator = Emulator()

@emulator.workflow("wait")
def wait(inputs):
    time.sleep(inputs.get("seconds", 0))
    return inputs | {"text": "x" * 1024 * inputs["kibibytes"]} if "kibibytes" in inputs else inputs

@emulator.workflow("async")
async def wait_async(inputs):
    await asyncio.sleep(inputs.get("seconds", 0))
    return inputs
"""
"""The module ``flows``: a run takes as many seconds, and returns as much beyond its input bag, as that says."""


LIMIT = """
import resource

resource.setrlimit(resource.RLIMIT_NOFILE, ({0}, {0}))
"""


@contextmanager
def emulator(folder: Path, descriptors: int | None = None) -> Iterator[Ready]:
    """A fresh emulator, which keeps no calls of others, in a process of its own that may open so many files."""
    limit = "" if descriptors is None else LIMIT.format(descriptors)
    (folder / "flows.py").write_text(limit + FLOWS, "utf-8")
    process = EmulatorProcess.start("flows:emulator", folder)
    try:
        yield process.ready
    finally:
        process.stop()


def environment() -> dict[str, str]:
    """The variables of a measured process: it may keep its bytecode, and nobody adds options to it."""
    unwanted = ("PYTHONDONTWRITEBYTECODE", "PYTEST_ADDOPTS", "PYTEST_PLUGINS")
    return {name: value for name, value in os.environ.items() if name not in unwanted}
