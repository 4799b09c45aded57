"""The command ``pytest-wisebot``: each of its commands is a module, which is loaded when it is asked for."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from .. import __version__
from ..text import print_any_letter

if TYPE_CHECKING:
    import argparse

PROGRAM: Final = "pytest-wisebot"

COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "init": ("pytest_wisebot.cli.init", "write a first project that passes: settings, workflows, a test, a CI file"),
    "capture": ("pytest_wisebot.cli.capture", "make a row of a data file, or a test, of a kept run"),
    "check": ("pytest_wisebot.cli.check", "check settings, hosts and credentials without a run"),
    "compare": ("pytest_wisebot.cli.compare", "show two sessions beside each other"),
    "emulator": ("pytest_wisebot.emulator.__main__", "serve the workflows of a Python file as Wisebot would"),
    "history": ("pytest_wisebot.cli.history", "show how tests and workflows have been in the last sessions"),
    "learn": ("pytest_wisebot.cli.learn", "print the lines of wisebot.toml for what differs from run to run"),
    "report": ("pytest_wisebot.report.__main__", "make the reports of a session from its event log"),
    "merge": ("pytest_wisebot.report.__main__", "join the reports of shards, and judge the union", "merge"),
    "scan": ("pytest_wisebot.cli.scan", "look for credentials in files"),
    "schema": ("pytest_wisebot.cli.schema", "print the JSON Schema of wisebot.toml, or of suites"),
    "completion": ("pytest_wisebot.cli.completion", "print what a shell needs to complete these commands"),
}
"""Of each command its module and its help, and where a module has several commands, the word for this one.

The module's ``parser`` makes the parser of the arguments. Its ``main`` takes the arguments and returns the exit code.
"""

USAGE_ERROR: Final = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: the command and its arguments; by default those of the process.

    Returns:
        The command's exit code; 2 for a command that does not exist.
    """
    print_any_letter()
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["help"] and words[1:]:
        words = [words[1], "--help"]
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help())
        return 0 if words else USAGE_ERROR
    if words[0] in ("-V", "--version"):
        print(f"{PROGRAM} {__version__}")
        return 0
    if words[0] not in COMMANDS:
        print(f"{PROGRAM}: {_unknown(words[0])}", file=sys.stderr)
        return USAGE_ERROR
    if mistake := _mistake(parser_of(words[0]), words[1:]):
        print(f"{PROGRAM} {words[0]}: {mistake}", file=sys.stderr)
        return USAGE_ERROR
    module, within = _loaded(words[0])
    code: int = module.main([*within, *words[1:]])
    return code


def parser_of(command: str) -> argparse.ArgumentParser:
    """The parser of a command's arguments."""
    module, within = _loaded(command)
    parser: argparse.ArgumentParser = module.parser(*within)
    return parser


def _loaded(command: str) -> tuple[Any, Sequence[str]]:
    """A command's module, and the word for the command within it."""
    module, _, *within = COMMANDS[command]
    return importlib.import_module(module), within


def _unknown(word: str) -> str:
    if word.startswith("-"):
        return f"unknown option {word!r}: the options of a command stand after it, as in {PROGRAM} check --env=staging"
    return _wrong("command", word, COMMANDS)


def _mistake(parser: argparse.ArgumentParser, words: Sequence[str]) -> str:
    """A mistyped option or choice, with the one that may be meant: argparse names none. Empty without one."""
    actions = parser._actions  # noqa: SLF001 # by no public way does a parser list its arguments
    options = {name: action for action in actions for name in action.option_strings}
    chosen = next((one.choices for one in actions if not one.option_strings), None)
    for place, word in enumerate(words[: [*words, "--"].index("--")]):
        name, separator, value = word.partition("=")
        known: Iterable[str] | None = None
        if not word.startswith("-"):
            value, known, chosen = word, chosen, None
        elif word.startswith("--"):
            if not (meant := [one for one in options if one.startswith(name)]):
                return _wrong("option", name, options)
            known = options[meant[0]].choices
            value = value if separator else "".join(words[place + 1 : place + 2])
        if known and value and value not in known:
            return _wrong("value", value, known)
    return ""


def _wrong(kind: str, word: str, known: Iterable[str]) -> str:
    from ..settings.checks import nearest  # 0.1 s, for what is mistyped

    return f"unknown {kind} {word!r}, {nearest(word, [one for one in known if len(one) > len('-h')])}"


def _help() -> str:
    lines = [f"  {name:12}{about}" for name, (_, about, *_) in COMMANDS.items()]
    return "\n".join(
        [
            f"usage: {PROGRAM} COMMAND [-h] …",
            f"       {PROGRAM} --version",
            "",
            *lines,
            "",
            f"for example: {PROGRAM} init my-tests",
            f"             {PROGRAM} check --help",
        ]
    )
