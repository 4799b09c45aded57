"""``pytest-wisebot scan PATH…``: looks for the credentials of all environments in files, and runs no test."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import pytest


def parser() -> argparse.ArgumentParser:
    """The parser of the arguments."""
    made = argparse.ArgumentParser(
        prog="pytest-wisebot scan",
        description="Look for the credentials of all environments of wisebot.toml in files and folders.",
        epilog="for example: pytest-wisebot scan report __snapshots__",
    )
    made.add_argument("paths", metavar="PATH", nargs="+", help="a file or a folder")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Scans, and returns the exit code: 0, 1 where a credential was found, 4 for wrong settings."""
    options = parser().parse_args(arguments)
    return int(pytest.main(["-Wignore", *(f"--wisebot-scan={path}" for path in options.paths)]))
