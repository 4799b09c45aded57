"""The tests that the gate judges, and what a session leaves out of them.

``[gate] select`` in ``wisebot.toml`` names them, in pytest's own selection expressions. pytest drops tests in silence:
by ``--ignore``, by an argument that names a file or a test, by ``--lf``. So `extent_of` finds the folders whose tests a
session covers, the files of these that it has collected whole, and each option that narrows them.
"""

from __future__ import annotations

import glob
import importlib.util
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from ..originals import os
from .collection import Collection
from .markers import name_workflows
from .options import asks_for_report, ini_values
from .session_state import state_of

if TYPE_CHECKING:
    from ..gate_config import Gate


def in_gate(config: pytest.Config) -> Callable[[pytest.Item], bool]:
    """A function that decides whether the gate judges a test: without ``select`` and ``paths`` it judges all.

    Raises:
        pytest.UsageError: the selection is not valid.
    """
    selects, paths = in_select(config), stated_paths(config)

    def is_inside(item: pytest.Item) -> bool:
        return not paths or any(path == item.path or path in item.path.parents for path in paths)

    return lambda item: is_inside(item) and selects(item)


def deselect_others(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects the tests that ``[gate] select`` leaves out, as an option would. Tests outside ``paths`` stay.

    Raises:
        pytest.UsageError: the selection is not valid.
    """
    selects = in_select(config)
    rest = [item for item in items if not selects(item)]
    if rest:
        items[:] = [item for item in items if selects(item)]
        config.hook.pytest_deselected(items=rest)


def stated_paths(config: pytest.Config) -> list[Path]:
    """The folders and files of ``[gate] paths``."""
    gate, folder = _gate(config)
    paths = gate.paths if gate is not None else ()
    return [Path(os.path.abspath(folder / path)) for path in paths]


def _gate(config: pytest.Config) -> tuple[Gate | None, Path]:
    """From the file: a worker of xdist collects before it has the controller's settings."""
    if not asks_for_report(config):
        return None, config.rootpath
    from ..errors import ConfigurationError
    from .settings_source import resolved

    try:
        settings = resolved(config)
    except ConfigurationError:  # every session that runs tests reports it, at the header
        return None, config.rootpath
    return settings.gate, settings.file.parent if settings.file is not None else config.rootpath


def in_select(config: pytest.Config) -> Callable[[pytest.Item], bool]:
    """A function that decides by ``[gate] select`` alone; compiled once in a session.

    Raises:
        pytest.UsageError: the selection is not valid.
    """
    state = state_of(config)
    if state.in_selection is None:
        gate, _ = _gate(config)
        state.in_selection = _compiled(gate.select) if gate is not None and gate.select is not None else lambda _: True
    return state.in_selection


def _compiled(select: str) -> Callable[[pytest.Item], bool]:
    from _pytest.mark import KeywordMatcher, MarkMatcher
    from _pytest.mark.expression import Expression

    from ..gate_config import selected

    compiled: dict[str, Callable[..., bool]] = {}
    for option, expression in selected(select).items():
        try:
            compiled[option] = Expression.compile(expression).evaluate
        except Exception as error:  # noqa: BLE001 - its class is pytest's own, and another one in each version
            raise pytest.UsageError(f"[gate] select: -{option} {expression}: {error}") from None

    def selects(item: pytest.Item) -> bool:
        name_workflows([item])
        marked = "m" not in compiled or compiled["m"](MarkMatcher.from_markers(item.iter_markers()))
        return marked and ("k" not in compiled or compiled["k"](KeywordMatcher.from_item(item)))

    return selects


NARROWING: Final = (
    ("tests", "keyword", "-k"),
    ("tests", "markexpr", "-m"),
    ("tests", "wisebot_workflow", "--wisebot-workflow"),
    ("tests", "wisebot_tag", "--wisebot-tag"),
    ("tests", "deselect", "--deselect"),
    ("tests", "stepwise", "--stepwise --sw"),
    ("tests", "splits", "--splits"),
    ("tests", "group", "--group"),
    ("tests", "num_shards", "--num-shards"),
    ("tests", "shard_id", "--shard-id"),
    ("tests", "test_group_count", "--test-group-count"),
    ("tests", "test_group", "--test-group"),
    ("files", "ignore", "--ignore"),
    ("files", "ignore_glob", "--ignore-glob"),
    ("unseen", "noconftest", "--noconftest"),
    ("unseen", "looponfail", "-f --looponfail"),
    ("unseen", "setuponly", "--setup-only"),
    ("unseen", "testmon", "--testmon"),
    ("unseen", "testmon_forceselect", "--testmon-forceselect"),
    ("unseen", "picked", "--picked"),
)
"""Options that narrow a session: what they leave out, their names in ``config.option``, and their spellings.

Those of tests leave out tests that were collected, which can be counted; those of files prevent a collection that can
be looked up; the effect of the unseen ones cannot be observed.
"""

IGNORING: Final = ("ignore", "ignore_glob")

COLLECTING: Final = ("collect_imported_tests", "norecursedirs", "python_classes", "python_files", "python_functions")
"""Keys of pytest's configuration that decide what is collected, whatever the arguments are."""

COLLECTORS: Final = ("doctest", "python", "unittest")
"""pytest's own plugins that find tests."""


def extent_of(session: pytest.Session) -> dict[str, Any]:
    """The extent for the event log (see `report.extent.Extent`); empty where no report is wanted."""
    config = session.config
    if not asks_for_report(config):
        return {}
    arguments = list(_arguments(config))
    by, paths = _stated(config, arguments)
    folders = [one.path for one in arguments if one.path.is_dir()]
    ignores = any(config.getoption(name, None) for name in IGNORING)
    files, whole = None, [one.path for one in arguments if one.is_file]
    if ignores or not all(_is_in(path, [*folders, *whole]) for path in paths):
        with _nothing_ignored(config):
            files = _relative(config, _files(session, paths))
        whole += _files(session, folders)
    return {
        "by": by,
        "paths": _relative(config, paths),
        "arguments": [one.node_id(config) for one in arguments if by == "arguments" and not _is_in(one.path, paths)],
        "named": [one.node_id(config) for one in arguments],
        "complete": [] if ignores else _relative(config, folders),
        "files": files,
        "whole": _relative(config, whole),
        "narrowed": [*_narrowings(config, arguments), *_other_root(config, by)],
        "skipped": state_of(config).one(Collection).skipped,
    }


def collects_whole(session: pytest.Session) -> Callable[[str], bool]:
    """A function that decides whether a session has collected all tests of a file, which need not exist.

    It takes the file's path from the rootdir. Of a session that an option narrows, or of single files, none counts.
    Without arguments a session is about all files. What ``addopts`` deselects was collected.
    """
    config = session.config
    arguments = list(_arguments(config))
    skipped = state_of(config).one(Collection).skipped
    options = [(one["kind"], one["where"]) for one in _narrowings(config, arguments)]
    narrowed = session.testsfailed or any(one != ("tests", "addopts") for one in options)
    by_arguments = config.args_source is pytest.Config.ArgsSource.ARGS
    folders = [one.path for one in arguments if one.path.is_dir()] if by_arguments else [config.rootpath]

    def is_whole(file: str) -> bool:
        return not narrowed and file not in skipped and _is_in(_absolute(config.rootpath / file), folders)

    return is_whole


# --- the arguments


@dataclass(frozen=True, slots=True)
class _Argument:
    """One of pytest's arguments: a folder or file, and the tests that it names."""

    path: Path
    tests: str = ""

    def node_id(self, config: pytest.Config) -> str:
        return f"{_relative(config, [self.path])[0]}{self.tests}"

    @property
    def is_file(self) -> bool:
        """Whether it is a file, collected whole."""
        return self.path.is_file() and not self.tests


def _arguments(config: pytest.Config) -> Iterator[_Argument]:
    for text in map(str, config.args):
        name = text.partition("[")[0].partition("::")[0]
        path = (_module(name) if config.getoption("pyargs", False) else None) or config.invocation_params.dir / name
        yield _Argument(_absolute(path), text.removeprefix(name))


def _module(name: str) -> Path | None:
    """The file of a module, or the folder of a package, as ``--pyargs`` finds it."""
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, AttributeError, ValueError):
        return None
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent if found.submodule_search_locations else Path(found.origin)


def _stated(config: pytest.Config, arguments: Sequence[_Argument]) -> tuple[str, list[Path]]:
    """The folders and files that a session covers, after what states them: [gate] paths, arguments, testpaths, root."""
    if paths := stated_paths(config):
        return "paths", paths
    # What testpaths leads to, found as pytest finds it.
    patterns = (str(config.rootpath / pattern) for pattern in config.getini("testpaths"))
    found = (path for pattern in patterns for path in sorted(glob.iglob(pattern, recursive=True)))  # noqa: PTH207
    testpaths = [_absolute(Path(path)) for path in found]
    if config.args_source is pytest.Config.ArgsSource.ARGS:
        folders = [one.path for one in arguments if one.path.is_dir()]
        named = [*folders, *(one.path for one in arguments if one.is_file)]
        if len(folders) < len(arguments) and testpaths and all(_is_in(path, named) for path in testpaths):
            return "testpaths", testpaths
        return "arguments", folders
    return ("testpaths", testpaths) if testpaths else ("rootdir", [config.rootpath])


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))


def _is_in(path: Path, others: Iterable[Path]) -> bool:
    return any(other == path or other in path.parents for other in others)


def _relative(config: pytest.Config, paths: Iterable[Path]) -> list[str]:
    """As node ids have them: from the rootdir."""
    return list(dict.fromkeys(Path(os.path.relpath(path, config.rootpath)).as_posix() for path in paths))


# --- the test files


@contextmanager
def _nothing_ignored(config: pytest.Config) -> Iterator[None]:
    """As if no option ignored files."""
    given = {name: getattr(config.option, name, None) for name in IGNORING}
    vars(config.option).update(dict.fromkeys(IGNORING))
    try:
        yield
    finally:
        vars(config.option).update(given)


def _files(session: pytest.Session, paths: Iterable[Path]) -> list[Path]:
    """The files that pytest collects as tests, without a look into them; where it fails, the folder in their place."""
    found: list[Path] = []
    for path in paths:
        if path.is_file():
            found.append(path)
            continue
        hook = session.gethookproxy(path.parent)
        found += _files_of(hook.pytest_collect_directory(path=path, parent=session), path)
    return found


def _files_of(folder: pytest.Collector | None, path: Path) -> list[Path]:
    if folder is None:
        return []
    try:
        nodes = list(folder.collect())
    except Exception:  # noqa: BLE001 - of any plugin: what cannot be looked up was not collected whole
        return [path]
    found: list[Path] = []
    for node in nodes:
        found += _files_of(node, node.path) if isinstance(node, pytest.Directory) else [node.path]
    return found


# --- what narrows the session


def _narrowings(config: pytest.Config, arguments: Sequence[_Argument]) -> Iterator[dict[str, str]]:
    """Each option that leaves out tests: its name and value, where it was given, and what can be seen of its effect."""
    yield from _last_failed(config)
    for kind, name, spellings in NARROWING:
        value = config.getoption(name, None)
        if value and (name, value) != ("num_shards", 1):
            for one in value if isinstance(value, list) else [value]:
                yield _narrowing(config, kind, spellings, "" if one is True else str(one))
    by_arguments = config.args_source is pytest.Config.ArgsSource.ARGS
    for override in config.getoption("override_ini", None) or ():
        key = override.partition("=")[0].strip()
        narrows = key == "addopts" and ini_values(config).get("addopts")
        if narrows or key in COLLECTING or (key == "testpaths" and not by_arguments and not stated_paths(config)):
            yield _narrowing(config, "unseen", "-o --override-ini", override)
    yield from _switched_off(config, [one.path for one in arguments])
    yield from _weakened(config)
    if not by_arguments and not stated_paths(config):
        where = config.inipath.name if config.inipath is not None else "testpaths"
        for pattern in _leading_nowhere(config):
            yield {"kind": "unseen", "option": "testpaths", "value": pattern, "where": where}
    yield from _other_file(config, [one.path for one in arguments] if by_arguments else [])
    yield from _cut_conftests(config, arguments)


def _switched_off(config: pytest.Config, paths: list[Path]) -> Iterator[dict[str, str]]:
    """``-p no:NAME`` for a plugin that finds tests: one of pytest's own, or one that the project itself switches on."""
    plugins = [str(plugin).strip() for plugin in config.getoption("plugins", None) or ()]
    for plugin in plugins:
        name = plugin.removeprefix("no:")
        if plugin.startswith("no:") and (name in COLLECTORS or name in plugins):
            found = _narrowing(config, "unseen", "-p", plugin)
            if found["where"] != "addopts" or name in plugins or _finds_tests(name, paths):
                yield found


def _finds_tests(plugin: str, paths: Iterable[Path]) -> bool:
    """Whether one of pytest's own plugins would find tests there, as far as names and words of files tell."""
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]
    if plugin == "doctest":
        return any(file.name.startswith("test") and file.suffix == ".txt" for file in files)
    if plugin == "unittest":
        return any(file.suffix == ".py" and b"TestCase" in file.read_bytes() for file in files)
    return True


def _weakened(config: pytest.Config) -> Iterator[dict[str, str]]:
    """Options that run less of each test than ``addopts`` has it: over one API in place of two."""
    given = [word.partition("=")[2] for word in config.getini("addopts") if word.startswith("--wisebot-api=")]
    api = config.option.wisebot_api
    if "both" in given and api != "both":
        yield _narrowing(config, "unseen", "--wisebot-api", str(api))


def _leading_nowhere(config: pytest.Config) -> list[str]:
    """The entries of ``testpaths`` without a file or folder, which pytest drops without a word."""
    root = config.rootpath
    return [one for one in config.getini("testpaths") if not glob.glob(str(root / one), recursive=True)]  # noqa: PTH207


def _narrowing(config: pytest.Config, kind: str, spellings: str, value: str = "") -> dict[str, str]:
    option, where = _spelling(config, spellings.split(), value)
    return {"kind": kind, "option": option, "value": value, "where": where}


def _spelling(config: pytest.Config, spellings: list[str], value: str) -> tuple[str, str]:
    """How an option was written, and where: what comes last in pytest's order of precedence is tried first."""
    places = {
        "command line": [str(word) for word in config.invocation_params.args],
        "PYTEST_ADDOPTS": shlex.split(os.environ.get("PYTEST_ADDOPTS", "")),
        "addopts": list(config.getini("addopts")),
    }
    for where, words in places.items():
        for spelling in spellings:
            if any(_is_spelled(word, spelling) for word in words) and value in " ".join(words):
                return spelling, where
    return spellings[0], "command line"


def _is_spelled(word: str, spelling: str) -> bool:
    short = len(spelling) == 2
    return word == spelling or word.startswith(spelling if short and not word.startswith("--") else f"{spelling}=")


def _last_failed(config: pytest.Config) -> Iterator[dict[str, str]]:
    """``--lf`` runs all where nothing is cached, unless ``--lfnf=none`` is given."""
    if not config.getoption("lf", False):
        return
    cache = getattr(config, "cache", None)
    if cache is not None and cache.get("cache/lastfailed", {}):
        yield _narrowing(config, "unseen", "--lf --last-failed")
    elif config.getoption("last_failed_no_failures", "all") == "none":
        yield _narrowing(config, "unseen", "--lfnf --last-failed-no-failures", "none")


def _other_file(config: pytest.Config, paths: list[Path]) -> Iterator[dict[str, str]]:
    """``-c`` where pytest would have found another file, which collects other tests."""
    given = config.getoption("inifilename", None)
    if not given:
        return
    from _pytest.config.findpaths import locate_config

    _, found, other, *_ = locate_config(config.invocation_params.dir, paths)
    own = ini_values(config)
    if found is None or found == config.inipath:
        return
    if any(_ini_value(other.get(key)) != _ini_value(own.get(key)) for key in (*COLLECTING, "testpaths", "addopts")):
        yield _narrowing(config, "unseen", "-c --config-file", str(given))


def _ini_value(entry: Any) -> str:
    """The value under a key of a configuration file, in whichever form pytest keeps it."""
    value = getattr(entry, "value", entry)
    return " ".join(value) if isinstance(value, list) else " ".join(str(value).split())


def _cut_conftests(config: pytest.Config, arguments: Sequence[_Argument]) -> Iterator[dict[str, str]]:
    """``--confcutdir`` where a ``conftest.py`` above it, which may find tests, is not loaded."""
    given = config.getoption("confcutdir", None)
    if not given:
        return
    cut, root = _absolute(config.invocation_params.dir / given), config.rootpath
    folders = {folder for one in arguments for folder in (one.path, *one.path.parents)}
    between = [folder for folder in folders if _is_in(folder, [root]) and not _is_in(folder, [cut])]
    if any((folder / "conftest.py").is_file() for folder in between):
        yield _narrowing(config, "unseen", "--confcutdir", str(given))


def _other_root(config: pytest.Config, by: str) -> Iterator[dict[str, str]]:
    """``--rootdir`` where it is the extent, and the file of pytest's configuration lies outside of it."""
    given, file = config.getoption("rootdir", None), config.inipath
    if given and by in ("rootdir", "testpaths") and file is not None and config.rootpath not in file.parents:
        yield _narrowing(config, "unseen", "--rootdir", str(given))
