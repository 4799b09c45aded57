"""Finds the emulator that a target names: ``flows.py``, ``flows.py:attribute``, ``package.module:attribute``."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType, TracebackType

from ..errors import ConfigurationError
from .workflows import Emulator

_PACKAGE = str(Path(__file__).resolve().parents[1])


def load(target: str, folder: Path) -> Emulator:
    """The emulator that ``target`` names, seen from ``folder``.

    The folder in which the module lies is put first on ``sys.path``, so that it can import its neighbours.

    Raises:
        ConfigurationError: the file, module or emulator does not exist, or it raised while it was loaded. The message
            of the latter ends with the traceback, from the user's file on.
    """
    split = re.fullmatch(r"(?P<where>.+?\.py|[\w.]+)(?::(?P<attribute>\w+))?", target)
    if split is None:
        raise ConfigurationError(f"expected flows.py, flows.py:attribute or package.module:attribute, got {target!r}")
    where, attribute = split["where"], split["attribute"]
    try:
        module = _from_file(folder / where) if where.endswith(".py") else _by_name(where, folder)
    except ConfigurationError as error:
        raise ConfigurationError(f"{_place(error)}{error}") from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 (any exception of the user's file is shown)
        trace = _from_user_code_on(error.__traceback__)
        shown = "".join(traceback.format_exception(type(error), error, trace)).rstrip()
        raise ConfigurationError(f"{where} raised while it was loaded:\n{shown}") from None
    return _chosen(module, where, attribute)


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigurationError(f"there is no file {path}")
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(path.stem, path.resolve())
    assert spec is not None  # the name ends with .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)  # its neighbours may import it; a library's module keeps its name
    spec.loader.exec_module(module)
    return module


def _by_name(name: str, folder: Path) -> ModuleType:
    sys.path.insert(0, str(folder.resolve()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise ConfigurationError(f"there is no module {name} in {folder.resolve()} or on the import path") from None
        raise


def _chosen(module: ModuleType, where: str, attribute: str | None) -> Emulator:
    """The emulator under this attribute, or the only one of the module."""
    found = {name: value for name, value in vars(module).items() if isinstance(value, Emulator)}
    if attribute in found:
        return found[attribute]
    if attribute:
        fault = "is not there"
        if hasattr(module, attribute):
            fault = f"is not an Emulator but a {type(getattr(module, attribute)).__name__}"
        problem = f"{attribute} {fault}; the emulators in it: {', '.join(found) or 'none'}"
    elif not found:
        problem = "there is no Emulator in it; write: emulator = Emulator()"
    elif len(set(map(id, found.values()))) > 1:
        problem = f"there are several emulators in it: {', '.join(found)}; write {where}:NAME"
    else:
        return next(iter(found.values()))
    raise ConfigurationError(f"{where}: {problem}")


def _place(error: ConfigurationError) -> str:
    """The line of the user's file that raised an error; empty if no file of the user was running."""
    frames = traceback.extract_tb(error.__traceback__)
    users = [frame for frame in frames if not _is_machinery(frame.filename)]
    return f"{Path(users[-1].filename).name}, line {users[-1].lineno}: " if users else ""


def _from_user_code_on(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and _is_machinery(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace


def _is_machinery(filename: str) -> bool:
    return filename.startswith((_PACKAGE, "<frozen importlib")) or filename == importlib.__file__
