"""Which room may look into which: the table is the design, these tests keep it true."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pytest_wisebot"

EVERY_ROOM = {
    "text", "files", "originals", "shapes", "errors", "exhaustion", "runs", "outcomes", "event_log", "gate_config",
    "quarantine", "redaction", "settings", "envelope", "apis", "client", "assertions", "engine", "storage",
    "workers", "emulator", "snapshots", "report", "plugin", "cli", "cases", "__main__",
}  # fmt: skip

ANY_ROOM_MAY = {"text", "files", "originals"}
"""What every room may import: strings, files and held functions, which know no room."""

# room -> (own rooms it may import, third-party packages it may import)
RULES: dict[str, tuple[set[str], set[str]]] = {
    "errors": (set(), set()),
    "exhaustion": (set(), set()),
    "text": (set(), set()),
    "files": (set(), set()),
    "originals": (set(), set()),
    "shapes": (set(), set()),
    "runs": ({"errors"}, set()),
    "outcomes": (set(), set()),
    "event_log": ({"errors", "runs", "redaction"}, set()),
    "gate_config": (set(), set()),
    "quarantine": (set(), set()),
    "redaction": (set(), set()),
    "settings": ({"errors", "runs", "gate_config", "quarantine", "redaction"}, set()),
    "envelope": ({"errors", "runs"}, set()),
    "apis": ({"errors", "runs", "redaction", "settings"}, set()),
    "client": (
        {"errors", "exhaustion", "runs", "settings", "redaction", "envelope", "apis"},
        {"httpx", "httpcore", "anyio", "truststore"},
    ),
    "assertions": ({"errors", "runs"}, {"pydantic"}),
    "engine": (
        {"errors", "exhaustion", "runs", "settings", "redaction", "client", "storage"},
        {"anyio"},
    ),
    "storage": ({"errors", "runs", "shapes", "event_log", "redaction"}, set()),
    "workers": (
        {"errors", "runs", "gate_config", "settings", "redaction", "engine"},
        set(),
    ),
    "snapshots": ({"runs", "redaction"}, {"syrupy"}),
    "cases": (
        {"runs", "redaction", "settings", "assertions", "snapshots"},
        {"yaml", "jsonschema", "jsonschema_specifications", "referencing"},
    ),
    "emulator": ({"runs", "errors", "exhaustion", "redaction"}, set()),
    "report": (
        {"errors", "runs", "shapes", "outcomes", "event_log", "gate_config", "quarantine", "redaction"},
        {"jinja2"},
    ),
    "__main__": ({"cli"}, set()),
    "cli": (
        {"errors", "runs", "redaction", "settings", "client", "storage", "snapshots", "report", "emulator", "plugin"}
        | {"assertions", "cases", "__version__"},
        {"pytest", "shtab"},
    ),
    "plugin": (
        EVERY_ROOM - {"cli", "__main__"},
        {"pytest", "_pytest"},
    ),  # _pytest: whether marks skip a test, which nothing public tells
}

# What pytest loads at its every start: the standard library and pytest only.
ENTRY_CHAIN = ["__init__", "originals", "outcomes", "settings/__init__", "settings/fields", "plugin/__init__"]
ENTRY_CHAIN += [f"plugin/{name}" for name in ("options", "hooks", "fixtures", "markers", "report_facts", "xdist")]
ENTRY_CHAIN += [f"plugin/{name}" for name in ("collection", "redact_pytest", "session_state", "exit_status")]
ENTRY_CHAIN += [f"plugin/{name}" for name in ("session_end", "snapshot_retention", "gate_selection")]


def rooms() -> list[str]:
    return sorted({path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")})


def imports(path: Path, *, top_level_only: bool = False) -> Iterator[tuple[list[str], int]]:
    """What a file imports, as dotted parts; relative names are made absolute."""
    folder = ("pytest_wisebot", *path.relative_to(PACKAGE).parent.parts)
    tree = ast.parse(path.read_text("utf-8"))
    for node in _run_on_import(tree) if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split("."), node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(folder[: len(folder) - node.level + 1]) if node.level else []
            module = base + (node.module.split(".") if node.module else [])
            named = module == ["pytest_wisebot"]
            yield from (([*module, alias.name] if named else module, node.lineno) for alias in node.names)


def _run_on_import(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported: not those of functions, nor those for type checkers."""
    for node in tree.body:
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield node


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_table(path: Path) -> None:
    """No room looks into another, or into a library, that the table does not allow it."""
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if room == "__init__":
        return
    own, third = RULES[room]
    own = own | ANY_ROOM_MAY
    for module, line in imports(path):
        if module[0] == "pytest_wisebot":
            target = module[1] if len(module) > 1 else "__init__"
            assert target == room or target in own, f"{path.name}:{line} looks into {target}"
        elif module[0] not in sys.stdlib_module_names:
            assert module[0] in third, f"{path.name}:{line} imports {module[0]}"


@pytest.mark.parametrize("name", ENTRY_CHAIN)
def test_the_entry_chain_loads_the_standard_library_and_pytest_only(name: str) -> None:
    """What every pytest start pays for imports nothing else, at least not at its top level."""
    path = PACKAGE / f"{name}.py"
    chain = {"pytest_wisebot." + entry.replace("/__init__", "").replace("/", ".") for entry in ENTRY_CHAIN}
    for module, line in imports(path, top_level_only=True):
        if module[0] == "pytest_wisebot":
            assert ".".join(module) in chain or ".".join(module[:2]) == "pytest_wisebot.plugin", f"{name}:{line}"
        else:
            assert module[0] in {*sys.stdlib_module_names, "pytest"}, f"{name}:{line} imports {module[0]}"


def test_the_table_names_every_room() -> None:
    """A new room needs its row."""
    assert set(rooms()) == {*RULES, "__init__"}
