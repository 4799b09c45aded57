"""``python -m pytest_wisebot.settings`` prints the JSON Schema of ``wisebot.toml``; the package ships a copy of it."""

from __future__ import annotations

import json

from .file import json_schema

print(json.dumps(json_schema(), indent=2))
