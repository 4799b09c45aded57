"""Prints the lowest versions that pyproject.toml allows, as requirements for pip: CI tests what it promises."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
for requirement in project["dependencies"]:
    found = re.match(r"([A-Za-z0-9._-]+)>=([0-9.]+)", requirement)
    if found is None:
        raise SystemExit(f"no lower bound: {requirement}")
    print(f"{found[1]}=={found[2]}")
