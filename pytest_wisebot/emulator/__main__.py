"""The emulator's process: ``python -m pytest_wisebot.emulator flows.py``, by hand or for a session.

By hand it prints where it listens and how to call it, and serves until Ctrl-C. A session starts it with ``--session``,
sends one line of JSON through its standard input and reads one back; when that input ends, so does the process.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NoReturn

from ..errors import ConfigurationError
from ..exhaustion import raise_file_limit
from .handle import Ready
from .loading import load
from .server import EmulatorServer, Ports
from .welcome import welcome
from .workflows import load_what_runs_need

PROGRAM = "python -m pytest_wisebot.emulator"

STACK_SIZE = 4 * 1024 * 1024
"""Bytes of stack for each thread, of which a thousand may run at once. The usual 8 MiB each are more than some
containers grant; with 1 MiB, deeply nested JSON overflows the stack of Python 3.13, and the process is gone."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code: 0 when it was ended, 2 when it could not start."""
    options = _parser().parse_args(arguments)
    threading.stack_size(STACK_SIZE)
    raise_file_limit()  # here, and not in the session's process, from which every test inherits
    try:
        if options.session:
            _serve_session(options.target)
        _serve_by_hand(options.target, _ports(options.port, options.dashboard_port))
    except ConfigurationError as error:
        print(f"{PROGRAM}: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Serve the workflows of a Python file as Wisebot would: both APIs, on two local ports.",
    )
    parser.add_argument("target", help="flows.py, flows.py:attribute or package.module:attribute")
    parser.add_argument("--port", type=int, default=8787, help="port of the webhook API; 0 takes a free one (8787)")
    parser.add_argument("--dashboard-port", type=int, help="port of the dashboard API (the webhook API's, plus 1)")
    parser.add_argument("--session", action="store_true", help=argparse.SUPPRESS)
    return parser


def _ports(webhook: int, dashboard: int | None) -> Ports:
    return Ports(webhook, dashboard if dashboard is not None else webhook + 1 if webhook else 0)


def _serve_by_hand(target: str, ports: Ports) -> NoReturn:
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell's background job starts with it ignored
        signal.signal(number, signal.default_int_handler)
    emulator = load(target, Path.cwd())
    emulator.log.sink = _to_stderr
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a workflow's id may hold letters that a terminal lacks
    with EmulatorServer(emulator, ports) as server:
        print(welcome(target, emulator, server.origin, server.base_url), flush=True)
        load_what_runs_need(emulator)
        _wait()


def _serve_session(target: str) -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal; the session ends us
    orders, answer = _taken_streams()
    order = json.loads(orders.readline())
    threading.Thread(target=_end_with, args=(orders,), daemon=True).start()
    emulator = load(target, Path(order["folder"]))
    emulator.log.sink = _to_stderr
    server = EmulatorServer(emulator, key=order["key"])
    ready = Ready(
        origin=server.origin,
        base_url=server.base_url,
        control=str(server.control),
        key=order["key"],
        token=emulator.token,
        secrets={workflow.id: workflow.secret for workflow in emulator.workflows.values()},
        fallback_secret=f"whsec_emulator_{secrets.token_urlsafe(24)}",
    )
    with answer:
        answer.write(json.dumps(ready.to_dict()) + "\n")
    load_what_runs_need(emulator)  # when the session goes on already: it takes some milliseconds
    _wait()


def _taken_streams() -> tuple[IO[bytes], IO[str]]:
    """Standard input and output, for the session alone.

    What a workflow function prints goes to standard error from now on, and what it reads is empty.
    """
    # Orders without a buffer: a thread that waits in a buffer's lock when Python ends makes it end with a crash.
    orders, answer = os.fdopen(os.dup(0), "rb", buffering=0), os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # so that what was printed last is not lost when the process ends
    return orders, answer


def _end_with(orders: IO[bytes]) -> None:
    """Ends this process when the session closes our input, which its death, however sudden, does too."""
    while orders.read(1):
        pass
    os._exit(0)


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _wait() -> NoReturn:
    while True:  # in short steps: a signal that comes just before a sleep begins is only heard when it ends
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
