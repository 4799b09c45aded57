"""The command ``pytest-wisebot``: each of its commands is a module, which is loaded when it is asked for."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Final

from ..settings.checks import nearest

PROGRAM: Final = "pytest-wisebot"

COMMANDS: Final = {
    "check": ("pytest_wisebot.cli.check", "check settings, hosts and credentials without a run"),
    "compare": ("pytest_wisebot.cli.compare", "show two sessions beside each other"),
    "emulator": ("pytest_wisebot.emulator.__main__", "serve the workflows of a Python file as Wisebot would"),
    "learn": ("pytest_wisebot.cli.learn", "print the lines of wisebot.toml for what differs from run to run"),
    "report": ("pytest_wisebot.report.__main__", "make the reports of a session from its event log"),
    "merge": ("pytest_wisebot.report.__main__", "join the reports of shards, and judge the union"),
    "scan": ("pytest_wisebot.cli.scan", "look for credentials in files"),
    "schema": ("pytest_wisebot.settings.schema", "print the JSON Schema of wisebot.toml"),
}
"""The module of each command, whose ``main`` takes the arguments and returns the exit code; and its help."""

USAGE_ERROR: Final = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: the command and its arguments; by default those of the process.

    Returns:
        The command's exit code; 2 for a command that does not exist.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help())
        return 0 if words else USAGE_ERROR
    if words[0] not in COMMANDS:
        print(f"{PROGRAM}: unknown command {words[0]!r}, {nearest(words[0], COMMANDS)}", file=sys.stderr)
        return USAGE_ERROR
    module = importlib.import_module(COMMANDS[words[0]][0])
    code: int = module.main(words if words[0] == "merge" else words[1:])
    return code


def _help() -> str:
    lines = [f"  {name:10}{about}" for name, (_, about) in COMMANDS.items()]
    example = f"for example: {PROGRAM} check --env staging"
    return "\n".join([f"usage: {PROGRAM} COMMAND [-h] …", "", *lines, "", example])
