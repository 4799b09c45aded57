"""The emulator's process: ``python -m pytest_wisebot.emulator flows.py``, by hand or for a session.

By hand it prints its addresses and how to call them, and serves until Ctrl-C. A session starts it with ``--session``
and reads one line of JSON from its standard output. Then the process ends when its standard input ends.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import secrets
import shlex
import signal
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import IO, NoReturn
from urllib.parse import quote

from ..errors import ConfigurationError
from ..exhaustion import raise_file_limit
from ..text import not_empty, print_any_letter
from .functions import Workflow
from .handle import Ready
from .loading import load
from .server import EmulatorServer
from .spelled_faults import SpelledFault, read_fault, spellings
from .workflows import Emulator, load_modules_of_runs

PROGRAM = "pytest-wisebot emulator"

FAULT_HELP = """\
With --fault=triage=status:503:2 the first 2 requests for triage get status 503, and with --fault=html:502
every request for any workflow gets that page. A value in brackets may be left out: html::2. A request that
a client repeats counts again.

for example: pytest-wisebot emulator flows.py --fault=triage=status:503:2"""

STACK_SIZE = 4 * 1024 * 1024
"""Bytes of stack for each thread, of which a thousand may run at once. The usual 8 MiB each are more than some
containers grant; with 1 MiB, deeply nested JSON overflows the stack of Python 3.13 and ends the process."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code: 0 when it was ended, 2 when it could not start."""
    options = parser().parse_args(arguments)
    threading.stack_size(STACK_SIZE)
    raise_file_limit()  # here, and not in the session's process, from which every test inherits
    try:
        if options.session:
            _serve_session(options.target, Path(options.session))
        _serve_by_hand(options.target, options.fault, *ports(options.port, options.dashboard_port))
    except ConfigurationError as error:
        print(f"{PROGRAM}: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0


def parser() -> argparse.ArgumentParser:
    """The parser of the arguments."""
    made = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Serve the workflows of a Python file as Wisebot would: both APIs, on two local ports.",
        epilog="faults:\n  " + "\n  ".join(spellings()) + f"\n\n{FAULT_HELP}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "target", metavar="TARGET", type=not_empty, help="flows.py, flows.py:attribute or package.module:attribute"
    )
    made.add_argument("--port", type=int, default=8787, help="port of the webhook API; 0 takes a free one (8787)")
    made.add_argument("--dashboard-port", type=int, help="port of the dashboard API (the webhook API's, plus 1)")
    made.add_argument(
        "--fault",
        metavar="[WORKFLOW=]FAULT[:TIMES]",
        action="append",
        default=[],
        type=not_empty,
        help="answer requests for a workflow, or for all, with a fault; may be given several times",
    )
    made.add_argument("--session", metavar="FOLDER", help=argparse.SUPPRESS)
    return made


def ports(webhook: int, dashboard: int | None) -> tuple[int, int]:
    """The ports of the two APIs. The dashboard API's default is the next port, or a free one beside a free one."""
    return webhook, dashboard if dashboard is not None else webhook + 1 if webhook else 0


def _serve_by_hand(target: str, spelled: Sequence[str], webhook: int, dashboard: int) -> NoReturn:
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell's background job starts with it ignored
        signal.signal(number, signal.default_int_handler)
    print_any_letter()
    emulator = load(target, Path.cwd())
    faults = [read_fault(one, emulator) for one in spelled]
    for fault in faults:
        emulator.fail_next(fault.fault, fault.times, fault.workflow)
    with EmulatorServer(emulator, webhook, dashboard) as server:
        print(welcome(target, emulator, server.origin, server.base_url, faults), end="", flush=True)
        _serve(emulator)


def _serve_session(target: str, folder: Path) -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal; the session ends us
    stdin, answer = _take_streams()
    threading.Thread(target=_end_with, args=(stdin,), daemon=True).start()
    emulator, key = load(target, folder), secrets.token_urlsafe(32)
    server = EmulatorServer(emulator, key=key)
    ready = Ready(
        origin=server.origin,
        base_url=server.base_url,
        control=str(server.control),
        key=key,
        token=emulator.token,
        secrets={workflow.id: workflow.secret for workflow in emulator.workflows.values()},
        fallback_secret=f"whsec_emulator_{secrets.token_urlsafe(24)}",
    )
    with answer:
        answer.write(json.dumps(ready.to_dict()) + "\n")
    _serve(emulator)


def _serve(emulator: Emulator) -> NoReturn:
    emulator.log.sink = partial(print, file=sys.stderr, flush=True)
    load_modules_of_runs(emulator)  # some milliseconds, which a session does not wait for
    while True:  # in short steps: a signal just before a sleep is handled only after it
        time.sleep(0.1)


def _take_streams() -> tuple[IO[bytes], IO[str]]:
    """Reserves standard input and output for the session.

    From now on the prints of workflow functions go to standard error, and their input is empty.
    """
    # The input has no buffer: a thread that waits in a buffer's lock when Python ends makes it end with a crash.
    stdin, answer = os.fdopen(os.dup(0), "rb", buffering=0), os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(
            stream, io.TextIOWrapper
        ):  # else a workflow's print might fail by its letters, and with it the run
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    return stdin, answer


def _end_with(stdin: IO[bytes]) -> None:
    """Ends this process when its input ends: the session has closed it, or has died."""
    while stdin.read(1):
        pass
    os._exit(0)


def welcome(target: str, emulator: Emulator, origin: str, base_url: str, faults: Sequence[SpelledFault] = ()) -> str:
    """The output of an emulator that listens at these two origins: how to call it, to be pasted into a shell."""
    rows = {_printable(workflow.id): workflow for workflow in emulator.workflows.values()}
    width = max(map(len, ["id", *rows]))
    remarks = {True: "", False: "  (webhook switched off)"}
    lines = [f"  {name:{width}}  {workflow.secret}{remarks[workflow.webhook]}" for name, workflow in rows.items()]
    examples = f"\n{_examples(emulator, origin, base_url)}" if rows else ""
    armed = "\n".join(["\nFaults\n", *(f"  {_printable(str(one))}" for one in faults), ""]) if faults else ""
    addresses = {"origin": origin, "base_url": base_url, "token": emulator.token}
    parts = {"workflows": "\n".join(lines or ["  none"]), "faults": armed, "examples": examples}
    return _filled("welcome.txt", target=target, **parts, **addresses)


def _examples(emulator: Emulator, origin: str, base_url: str) -> str:
    workflows = list(emulator.workflows.values())
    shown = next((workflow for workflow in workflows if workflow.webhook), workflows[0])
    bag = dict.fromkeys(shown.inputs, "...")
    variables = _variables(workflows)
    return _filled(
        "examples-powershell.txt" if sys.platform == "win32" else "examples.txt",
        id=_printable(shown.id),
        origin=origin,
        base_url=base_url,
        secret=_quoted(shown.secret),
        token=_quoted(emulator.token),
        segment=quote(shown.id, safe=""),  # in double quotes, whose special characters it quotes
        bag=_shell_json(bag),
        inputs=_shell_json({"inputs": bag}),
        tables="\n\n".join(_table(workflow, name) for name, workflow in variables.items()),
        exports="\n".join(
            f"{'$env:' if sys.platform == 'win32' else 'export '}{name}={_quoted(workflow.secret)}"
            for name, workflow in variables.items()
        ),
    )


def _filled(template: str, **values: str) -> str:
    return Path(__file__).with_name(template).read_text("utf-8").format(**values)


def _table(workflow: Workflow, variable: str) -> str:
    key = workflow.id if re.fullmatch(r"[A-Za-z0-9_-]+", workflow.id) else json.dumps(workflow.id)
    return f'[environments.by-hand.workflows.{key}]\nsecret = "env:{variable}"'


def _variables(workflows: Sequence[Workflow]) -> dict[str, Workflow]:
    """A variable for each workflow's secret, named after its id, with a number where the names would be equal."""
    names: dict[str, Workflow] = {}
    for workflow in workflows:
        name = re.sub(r"[^A-Z0-9]+", "_", f"EMULATOR_{workflow.id.upper()}_SECRET")
        names[f"{name}_{len(names) + 1}" if name in names else name] = workflow
    return names


def _printable(workflow_id: str) -> str:
    return workflow_id if workflow_id.isprintable() else json.dumps(workflow_id)


def _shell_json(value: object) -> str:
    return _quoted(json.dumps(value, ensure_ascii=sys.platform == "win32"))


def _quoted(text: str) -> str:
    """One word for the shell of this system, PowerShell on Windows."""
    return "'" + text.replace("'", "''") + "'" if sys.platform == "win32" else shlex.quote(text)


if __name__ == "__main__":
    sys.exit(main())
