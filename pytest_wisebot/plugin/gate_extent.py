"""Of which folders a session's tests are all, which test files of these it has collected whole, and what narrows them.

pytest drops tests without a word: by ``--ignore``, by an argument that names a file or a test, by ``--lf``. So it is
asked which test files its folders have, by its own hooks, and each narrowing option is reported by name.
"""

from __future__ import annotations

import glob
import importlib.util
import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from .collection import Collection
from .gate_selection import stated_paths
from .options import asks_for_report
from .session_state import state_of

BY_TESTS: Final = (
    ("keyword", ("-k",)),
    ("markexpr", ("-m",)),
    ("deselect", ("--deselect",)),
    ("stepwise", ("--stepwise", "--sw")),
    ("splits", ("--splits",)),
    ("group", ("--group",)),
    ("num_shards", ("--num-shards",)),
    ("shard_id", ("--shard-id",)),
    ("test_group_count", ("--test-group-count",)),
    ("test_group", ("--test-group",)),
)
"""Options that take out tests that were collected: where and how many can be seen."""

BY_FILES: Final = (("ignore", ("--ignore",)), ("ignore_glob", ("--ignore-glob",)))
"""Options that keep files from being collected: which files can be looked up."""

UNSEEN: Final = (
    ("noconftest", ("--noconftest",)),
    ("looponfail", ("-f", "--looponfail")),
    ("setuponly", ("--setup-only",)),
    ("testmon", ("--testmon",)),
    ("testmon_forceselect", ("--testmon-forceselect",)),
    ("picked", ("--picked",)),
)
"""Options whose effect cannot be observed."""

COLLECTING: Final = ("collect_imported_tests", "norecursedirs", "python_classes", "python_files", "python_functions")
"""Keys of pytest's configuration that decide what is collected, whatever the arguments are."""

COLLECTORS: Final = ("doctest", "python", "unittest")
"""pytest's own plugins that find tests."""


def extent_of(session: pytest.Session) -> dict[str, Any]:
    """What the event log keeps (see `report.extent.Extent`); empty where no report is asked for."""
    if not asks_for_report(session.config):
        return {}
    config = session.config
    arguments = list(_arguments(config))
    by, paths = _stated(config, arguments)
    folders = [one.path for one in arguments if one.is_folder]
    ignores = any(config.getoption(name, None) for name, _ in BY_FILES)
    files, whole = None, [one.path for one in arguments if one.is_file]
    if ignores or not all(_is_in(path, [*folders, *whole]) for path in paths):
        with _nothing_ignored(config):
            files = _relative(config, _files(session, paths))
        whole += _files(session, folders)
    return {
        "by": by,
        "paths": _relative(config, paths),
        "arguments": [one.said(config) for one in arguments if by == "arguments" and not _is_in(one.path, paths)],
        "named": [one.said(config) for one in arguments],
        "complete": [] if ignores else _relative(config, folders),
        "files": files,
        "whole": _relative(config, whole),
        "narrowed": [*narrowings(config), *_other_root(config, by)],
        "skipped": state_of(config).one(Collection).skipped,
    }


# --- what the arguments are


@dataclass(frozen=True, slots=True)
class _Argument:
    """One of pytest's arguments: a folder or file, and what it names of the tests in it."""

    path: Path
    tests: str = ""

    def said(self, config: pytest.Config) -> str:
        """As node ids have it."""
        return f"{_relative(config, [self.path])[0]}{self.tests}"

    @property
    def is_folder(self) -> bool:
        return self.path.is_dir()

    @property
    def is_file(self) -> bool:
        """Whether the file is collected whole."""
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
    """What a session speaks of, and what states it: its own file, its arguments, ``testpaths`` or the rootdir."""
    if paths := stated_paths(config):
        return "paths", paths
    testpaths = _testpaths(config)
    if config.args_source is pytest.Config.ArgsSource.ARGS:
        folders = [one.path for one in arguments if one.is_folder]
        named = [*folders, *(one.path for one in arguments if one.is_file)]
        if len(folders) < len(arguments) and testpaths and all(_is_in(path, named) for path in testpaths):
            return "testpaths", testpaths
        return "arguments", folders
    return ("testpaths", testpaths) if testpaths else ("rootdir", [config.rootpath])


def _testpaths(config: pytest.Config) -> list[Path]:
    """What ``testpaths`` leads to, found as pytest finds it."""
    patterns = (str(config.rootpath / pattern) for pattern in config.getini("testpaths"))
    found = (path for pattern in patterns for path in sorted(glob.iglob(pattern, recursive=True)))  # noqa: PTH207
    return [_absolute(Path(path)) for path in found]


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - as pytest's own, which follows no symbolic link


def _is_in(path: Path, others: Iterable[Path]) -> bool:
    return any(other == path or other in path.parents for other in others)


def _relative(config: pytest.Config, paths: Iterable[Path]) -> list[str]:
    """As node ids have them: from the rootdir."""
    found = (Path(os.path.relpath(path, config.rootpath)).as_posix() for path in paths)
    return list(dict.fromkeys(found))


# --- which test files there are


@contextmanager
def _nothing_ignored(config: pytest.Config) -> Iterator[None]:
    """As if no option ignored files."""
    given = {name: getattr(config.option, name, None) for name, _ in BY_FILES}
    try:
        for name in given:
            setattr(config.option, name, None)
        yield
    finally:
        for name, value in given.items():
            setattr(config.option, name, value)


def _files(session: pytest.Session, paths: Iterable[Path]) -> list[Path]:
    """The files that pytest takes for tests, without a look into them; where it fails, the folder in their place."""
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


def narrowings(config: pytest.Config) -> Iterator[dict[str, str]]:
    """Each option that leaves out tests: its name and value, where it was given, and what can be seen of its work."""
    yield from _last_failed(config)
    for kind, options in (("tests", BY_TESTS), ("files", BY_FILES), ("unseen", UNSEEN)):
        for name, spellings in options:
            yield from _given(config, kind, name, spellings)
    for override in config.getoption("override_ini", None) or ():
        key = override.partition("=")[0].strip()
        if key in COLLECTING or (key == "testpaths" and _counts(config)):
            yield _narrowing(config, "unseen", ("-o", "--override-ini"), override)
    for plugin in config.getoption("plugins", None) or ():
        if plugin.strip().removeprefix("no:") in COLLECTORS and plugin.strip().startswith("no:"):
            yield _narrowing(config, "unseen", ("-p",), plugin.strip())
    yield from _other_file(config)
    yield from _cut_conftests(config)


def _given(config: pytest.Config, kind: str, name: str, spellings: tuple[str, ...]) -> Iterator[dict[str, str]]:
    value = config.getoption(name, None)
    if not value or (kind == "tests" and value == 1 and name == "num_shards"):
        return
    for one in value if isinstance(value, list) else [value]:
        yield _narrowing(config, kind, spellings, "" if one is True else str(one))


def _narrowing(config: pytest.Config, kind: str, spellings: tuple[str, ...], value: str = "") -> dict[str, str]:
    option, where = _said(config, spellings, value)
    return {"kind": kind, "option": option, "value": value, "where": where}


def _said(config: pytest.Config, spellings: tuple[str, ...], value: str) -> tuple[str, str]:
    """How an option was written, and where: what comes last in pytest's order of precedence is asked first."""
    for where, words in _places(config):
        for spelling in spellings:
            if any(_says(word, spelling) for word in words) and value in " ".join(words):
                return spelling, where
    return spellings[0], "command line"


def _places(config: pytest.Config) -> Iterator[tuple[str, list[str]]]:
    yield "command line", [str(word) for word in config.invocation_params.args]
    yield "PYTEST_ADDOPTS", shlex.split(os.environ.get("PYTEST_ADDOPTS", ""))
    yield "addopts", list(config.getini("addopts"))


def _says(word: str, spelling: str) -> bool:
    short = len(spelling) == 2
    return word == spelling or word.startswith(spelling if short and not word.startswith("--") else f"{spelling}=")


def _last_failed(config: pytest.Config) -> Iterator[dict[str, str]]:
    """``--lf`` runs all where nothing is cached, unless ``--lfnf=none`` is given."""
    if not config.getoption("lf", False):
        return
    cache = getattr(config, "cache", None)
    if cache is not None and cache.get("cache/lastfailed", {}):
        yield _narrowing(config, "unseen", ("--lf", "--last-failed"))
    elif config.getoption("last_failed_no_failures", "all") == "none":
        yield _narrowing(config, "unseen", ("--lfnf", "--last-failed-no-failures"), "none")


def _counts(config: pytest.Config) -> bool:
    """Whether ``testpaths`` decides anything, and nothing else states what the session speaks of."""
    return config.args_source is not pytest.Config.ArgsSource.ARGS and not stated_paths(config)


def _other_file(config: pytest.Config) -> Iterator[dict[str, str]]:
    """``-c`` where pytest would have found another file, which collects other tests."""
    given = config.getoption("inifilename", None)
    if not given:
        return
    from _pytest.config.findpaths import locate_config

    paths = [one.path for one in _arguments(config)] if config.args_source is pytest.Config.ArgsSource.ARGS else []
    _, found, said, *_ = locate_config(config.invocation_params.dir, paths)
    own = vars(config).get("_inicfg") or vars(config).get("inicfg") or {}
    if found is None or found == config.inipath:
        return
    if any(_value(said.get(key)) != _value(own.get(key)) for key in (*COLLECTING, "testpaths")):
        yield _narrowing(config, "unseen", ("-c", "--config-file"), str(given))


def _value(entry: Any) -> str:
    """The value under a key of a configuration file, in whichever form pytest keeps it."""
    value = getattr(entry, "value", entry)
    return " ".join(value) if isinstance(value, list) else " ".join(str(value).split())


def _cut_conftests(config: pytest.Config) -> Iterator[dict[str, str]]:
    """``--confcutdir`` where a ``conftest.py`` above it, which may find tests, is not loaded."""
    given = config.getoption("confcutdir", None)
    if not given:
        return
    cut, root = _absolute(config.invocation_params.dir / given), config.rootpath
    folders = {folder for one in _arguments(config) for folder in (one.path, *one.path.parents)}
    between = [folder for folder in folders if _is_in(folder, [root]) and not _is_in(folder, [cut])]
    if any((folder / "conftest.py").is_file() for folder in between):
        yield _narrowing(config, "unseen", ("--confcutdir",), str(given))


def _other_root(config: pytest.Config, by: str) -> Iterator[dict[str, str]]:
    """``--rootdir`` where it is the extent, and the file of pytest's configuration lies outside of it."""
    given, file = config.getoption("rootdir", None), config.inipath
    if given and by in ("rootdir", "testpaths") and file is not None and config.rootpath not in file.parents:
        yield _narrowing(config, "unseen", ("--rootdir",), str(given))
