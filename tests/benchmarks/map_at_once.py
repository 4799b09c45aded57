"""How long ``trigger_workflow.map`` takes inside a test, beside a bare ``asyncio.gather`` over httpx.

``python tests/benchmarks/map_at_once.py`` prints a line for each round and the medians. ``--runs``, ``--seconds`` and
``--rounds`` change its size; ``--warm`` leaves out what a session pays once. Both sides of a round ask the same kind of
emulator, in a process of its own; they take turns, so that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bare_gather import warm
from common import FLOWS, emulator, environment

TEST = """
import time

def test_map(trigger_workflow):
    bags = [{{"n": n, "seconds": {seconds}}} for n in range({runs})]
    if {warm}:
        trigger_workflow("wait")  # loads what a session loads once: the emulator, httpx, the engine's thread
    start = time.perf_counter()
    runs = trigger_workflow.map("wait", bags)
    print(f"inside: {{time.perf_counter() - start:.4f}} s")
    assert [run.result for run in runs] == bags
"""

CONFIG = """
default-environment = "local"
[environments.local]
emulator = "flows:emulator"
"""


def inside_a_test(folder: Path, runs: int) -> float:
    """Seconds that ``map`` takes in a session of its own."""
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", f"--wisebot-concurrency={runs}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment())
    found = re.search(r"inside: ([\d.]+) s", done.stdout)
    if done.returncode != 0 or found is None:
        raise SystemExit(done.stdout + done.stderr)
    return float(found[1])


def main() -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=1.0, help="that each run takes")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warm", action="store_true", help="start the emulator and the engine before the clock")
    size = parser.parse_args()
    pairs = []
    bags = [{"n": number, "seconds": size.seconds} for number in range(size.runs)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "flows.py").write_text(FLOWS, "utf-8")
        (folder / "wisebot.toml").write_text(CONFIG, "utf-8")
        (folder / "test_map.py").write_text(TEST.format(runs=size.runs, seconds=size.seconds, warm=size.warm), "utf-8")
        for number in range(size.rounds):
            ours = inside_a_test(folder, size.runs)
            with emulator(folder) as ready:
                limit = warm(ready.origin, ready.secrets["wait"], bags, size.runs)
            pairs.append((ours, limit))
            print(f"round {number + 1}: map {ours:.2f} s, bare gather {limit:.2f} s, ratio {ours / limit:.2f}")
    ours, limit = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    print(f"medians of {size.rounds}: map {ours:.2f} s, bare gather {limit:.2f} s, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
