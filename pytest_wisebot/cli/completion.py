"""``pytest-wisebot completion SHELL``: what a shell needs to complete commands, options and names of files.

The script stands for itself: a shell that has loaded it starts no Python to complete a word.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, Final

from .main import COMMANDS, PROGRAM, parser_of

SHELLS: Final = ("bash", "zsh", "fish", "tcsh", "powershell")

WITHOUT_LIBRARY: Final = 2

_FOLDERS: Final = ("DIR", "SHARD")
_FILES: Final = ("FILE", "PATH", "TARGET")


def parser() -> argparse.ArgumentParser:
    """The parser of the arguments."""
    made = argparse.ArgumentParser(
        prog=f"{PROGRAM} completion",
        description=f"Print what a shell needs to complete the commands and options of {PROGRAM}.",
        epilog=f'for example, in ~/.bashrc: eval "$({PROGRAM} completion bash)"',
    )
    made.add_argument("shell", metavar="SHELL", choices=SHELLS, help=", ".join(SHELLS))
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the script.

    Returns:
        0; 2 without the library that makes it.
    """
    options = parser().parse_args(arguments)
    try:
        import shtab
    except ImportError:
        needed = 'it needs the library shtab: python -m pip install "pytest-wisebot[completion]"'
        print(f"{PROGRAM} completion: {needed}", file=sys.stderr)
        return WITHOUT_LIBRARY
    print(shtab.complete(_all_commands(shtab), options.shell))
    return 0


def _all_commands(shtab: Any) -> argparse.ArgumentParser:
    """One parser with all commands, whose arguments name what completes them."""
    whole = argparse.ArgumentParser(prog=PROGRAM)
    whole.add_argument("--version", "-V", action="version", help="print the version")
    commands = whole.add_subparsers()
    for name, (_, about, *_) in COMMANDS.items():
        made = commands.add_parser(name, parents=[parser_of(name)], add_help=False, help=about)
        for action in made._actions:  # noqa: SLF001 (there is no public name)
            if action.metavar in _FOLDERS:
                action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
            elif action.metavar in _FILES:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    return whole
