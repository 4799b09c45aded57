"""How long the emulator takes for many runs at once: ``python tests/benchmarks/emulator_at_once.py``.

The client is bare sockets in one event loop, so that it is the emulator that is measured. ``--runs``, ``--seconds`` and
``--rounds`` change the size. Needs as many open files as runs (``ulimit -n``).
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from pytest_wisebot.emulator import EmulatorHandle
from pytest_wisebot.emulator.handle import EmulatorProcess, Ready

FLOWS = """
from pytest_wisebot.emulator import Emulator

emulator = Emulator()

@emulator.workflow("wait", latency={seconds})
def wait(inputs):
    return inputs
"""


async def one(ready: Ready) -> None:
    """One run on a connection of its own."""
    host, _, port = ready.origin.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = ["POST /workflows/trigger?workflowId=wait HTTP/1.1", f"Host: {host}", "Connection: close"]
    head += [f"Authorization: Bearer {ready.secrets['wait']}", "Content-Length: 2"]
    writer.write("\r\n".join([*head, "", "{}"]).encode())
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200 "), answer[:200]


async def all_at_once(ready: Ready, runs: int) -> float:
    """Seconds until the last run has ended."""
    start = time.perf_counter()
    await asyncio.gather(*(one(ready) for _ in range(runs)))
    return time.perf_counter() - start


def main() -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=1.0, help="that each run takes")
    parser.add_argument("--rounds", type=int, default=5)
    size = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "flows.py").write_text(FLOWS.format(seconds=size.seconds), "utf-8")
        for number in range(size.rounds):
            process = EmulatorProcess.start("flows:emulator", Path(name))
            try:
                took = asyncio.run(all_at_once(process.ready, size.runs))
                peak = EmulatorHandle(process.ready).peak()
            finally:
                process.stop()
            print(f"round {number + 1}: {size.runs} runs of {size.seconds:g} s took {took:.2f} s, {peak} at once")


if __name__ == "__main__":
    main()
