"""What a whole process of pytest takes beside one of ``node --test`` that has the same runs at the same concurrency.

``python tests/benchmarks/beside_node.py`` prints, for 100 runs of 1 s at 100 at once and for 1,000 runs of 0 s at 8,
the seconds of each process from its start to its end. They are medians over the rounds, in which both take turns;
``--rounds`` says how many. Node must be installed. Its test file fetches and compares, as the Python one does.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from common import emulator, environment
from sessions import OURS, run_process, session

from pytest_wisebot.emulator import EmulatorHandle

NODE = """
import test from "node:test";
import assert from "node:assert";
import { readFileSync } from "node:fs";

const bags = JSON.parse(readFileSync(new URL("bags.json", import.meta.url)));
const url = `${process.env.BENCHMARK_ORIGIN}/workflows/trigger?workflowId=wait`;
const headers = { authorization: `Bearer ${process.env.BENCHMARK_SECRET}`, "content-type": "application/json" };

test("runs", { concurrency: Number(process.env.BENCHMARK_CAP) }, async (t) => {
  await Promise.all(bags.map((inputs) => t.test(String(inputs.n), async () => {
    const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(inputs) });
    assert.deepStrictEqual((await answer.json()).result, inputs);
  })));
});
"""

TARGET = ("--wisebot-origin={BENCHMARK_ORIGIN}", "--wisebot-secret=env:BENCHMARK_SECRET")
OPTIONS = ("-q", "-p", "no:cacheprovider", *TARGET)


def measure(count: int, seconds: float, cap: int, rounds: int) -> None:
    """Measures both processes in turns, and prints."""
    bags = [{"n": number, "seconds": seconds} for number in range(count)]
    ours: list[float] = []
    node: list[float] = []
    with tempfile.TemporaryDirectory() as folder, emulator(Path(folder)) as ready:
        place = Path(folder) / "tests"
        place.mkdir()
        (place / "runs.test.mjs").write_text(NODE, "utf-8")
        variables = {
            "BENCHMARK_ORIGIN": ready.origin,
            "BENCHMARK_SECRET": ready.secrets["wait"],
            "BENCHMARK_CAP": str(cap),
        }
        for _ in range(rounds):
            EmulatorHandle(ready).reset(everywhere=True)
            ours.append(session(ready, place, bags, OURS, *OPTIONS, f"--wisebot-concurrency={cap}").process)
            EmulatorHandle(ready).reset(everywhere=True)
            node.append(run_process(["node", "--test", "runs.test.mjs"], place, environment() | variables)[0])
    pytest_s, node_s = statistics.median(ours), statistics.median(node)
    print(
        f"{count} runs of {seconds:g} s, {cap} at once: pytest {pytest_s:.2f} s, node --test {node_s:.2f} s; "
        f"{pytest_s - node_s:+.2f} s, {pytest_s / node_s:.2f} times"
    )


def main() -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    measure(100, 1.0, 100, rounds)
    measure(1000, 0.0, 8, rounds)


if __name__ == "__main__":
    main()
