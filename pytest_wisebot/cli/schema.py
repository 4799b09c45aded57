"""``pytest-wisebot schema [suite]``: prints a JSON Schema, of ``wisebot.toml`` or of suites that need no Python."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from ..cases.schemas import suite_schema
from ..settings.schema import json_schema

SCHEMAS = {"wisebot.toml": json_schema, "suite": suite_schema}


def parser() -> argparse.ArgumentParser:
    """The parser of the arguments."""
    made = argparse.ArgumentParser(
        prog="pytest-wisebot schema",
        description="Print the JSON Schema of wisebot.toml, or of the suites *.wisebot.yaml and *.wisebot.json.",
        epilog="for example: pytest-wisebot schema suite > wisebot-suite.schema.json",
    )
    made.add_argument("of", nargs="?", choices=[*SCHEMAS], default="wisebot.toml", help="default: wisebot.toml")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the schema."""
    print(json.dumps(SCHEMAS[parser().parse_args(arguments).of](), indent=2))
    return 0
