"""How long the emulator takes for many runs at once: ``python tests/benchmarks/emulator_at_once.py``.

The client is bare sockets in one event loop, so that it is the emulator that is measured. ``--runs``, ``--seconds`` and
``--rounds`` change the size, ``--workflow async`` has an async function run, and ``--descriptors`` limits the open
files of the emulator's process. This process raises its own limit, since it needs as many open files as runs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path

from common import emulator

from pytest_wisebot.emulator import EmulatorHandle
from pytest_wisebot.emulator.handle import Ready
from pytest_wisebot.exhaustion import raise_file_limit


async def one(ready: Ready, workflow: str, seconds: float) -> None:
    """One run on a connection of its own."""
    body = json.dumps({"seconds": seconds})
    host, _, port = ready.origin.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = [f"POST /workflows/trigger?workflowId={workflow} HTTP/1.1", f"Host: {host}", "Connection: close"]
    head += [f"Authorization: Bearer {ready.secrets[workflow]}", f"Content-Length: {len(body)}"]
    writer.write("\r\n".join([*head, "", body]).encode())
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200 "), answer[:200]


async def all_at_once(ready: Ready, workflow: str, runs: int, seconds: float) -> float:
    """Seconds until the last run has ended."""
    start = time.perf_counter()
    await asyncio.gather(*(one(ready, workflow, seconds) for _ in range(runs)))
    return time.perf_counter() - start


def main() -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=1.0, help="that each run takes")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--workflow", choices=["wait", "async"], default="wait", help="a plain function, or an async one"
    )
    parser.add_argument("--descriptors", type=int, help="that the emulator's process may have open; not on Windows")
    size = parser.parse_args()
    raise_file_limit()
    with tempfile.TemporaryDirectory() as name:
        for number in range(size.rounds):
            with emulator(Path(name), size.descriptors) as ready:
                took = asyncio.run(all_at_once(ready, size.workflow, size.runs, size.seconds))
                peak = EmulatorHandle(ready).peak()
            print(f"round {number + 1}: {size.runs} runs of {size.seconds:g} s took {took:.2f} s, {peak} at once")


if __name__ == "__main__":
    main()
