"""The limit: a bare ``asyncio.gather`` over httpx, tuned as the plugin's client is, without tests and without a plugin.

As a script (``python bare_gather.py CAP``, started by ``suites.py``) it sends what ``bags.json`` in the current folder
holds, and leaves its figures there as `sessions.CONFTEST` does.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

TRIGGER = "/workflows/trigger?workflowId=wait"


async def gathered(origin: str, secret: str, bags: Sequence[Any], cap: int, context: Any) -> float:
    """Seconds that these runs take, ``cap`` of them at once: a client for each, one TLS context for all."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    headers = {"Authorization": f"Bearer {secret}", "Accept-Encoding": "identity"}
    places = asyncio.Semaphore(cap)

    async def one(bag: Any) -> None:
        async with (
            places,
            httpx.AsyncClient(verify=context, timeout=None, trust_env=False, limits=limits) as client,
        ):
            answer = await client.post(origin + TRIGGER, json=bag, headers=headers)
        assert answer.json()["result"] == bag

    start = time.perf_counter()
    await asyncio.gather(*map(one, bags))
    return time.perf_counter() - start


def warm(origin: str, secret: str, bags: Sequence[Any], cap: int) -> float:
    """The same, once httpx has loaded what it loads with its first request."""
    context = httpx.create_ssl_context()
    asyncio.run(gathered(origin, secret, [{}], 1, context))
    return asyncio.run(gathered(origin, secret, bags, cap, context))


def main() -> None:
    """Measures once."""
    bags = json.loads(Path("bags.json").read_text("utf-8"))
    origin, secret = os.environ["BENCHMARK_ORIGIN"], os.environ["BENCHMARK_SECRET"]
    loop = warm(origin, secret, bags, int(sys.argv[1]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {"loop": loop, "before": 0.0, "cpu": 0.0, "peak": peak}
    Path("figures-main.json").write_text(json.dumps(figures), "utf-8")


if __name__ == "__main__":
    main()
