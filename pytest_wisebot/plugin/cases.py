"""Tests of rows: ``cases=`` of the marker, and suites that need no Python. To pytest they are functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

from ..cases.documents import CasesError
from ..cases.rows import SUITES, Case, Demands, read_rows, read_suite
from ..originals import os
from . import markers
from .markers import CASE, Declared

_MARK = pytest.mark.wisebot

INHERITED = ("workflow", "api", "timeout", "max_seconds", "trials", "min_passes", "share")
"""The arguments of the marker that hold for rows which do not name others."""


def parametrize_cases(metafunc: pytest.Metafunc) -> None:
    """Makes one test of each row, and of a row for both APIs two.

    Raises:
        pytest.Collector.CollectError: the marker or a row is wrong; the message has each mistake with its place.
    """
    definition, config = metafunc.definition, metafunc.config
    try:
        mark = definition.get_closest_marker("wisebot")
        declaration = markers.parsed(mark, definition.nodeid)
        base = _base(declaration, config)
        path = Path(definition.path).parent / str(declaration.cases)
        demands = Demands(lambda options: markers.wisebot(**base | options), "expected" in metafunc.fixturenames)
        cases = read_rows(path, _shown(path, config), demands)
    except Exception as error:  # noqa: BLE001 - shown as the collection's error, without a traceback
        raise pytest.Collector.CollectError(str(error)) from None
    own_apis = markers.has_its_own_apis(metafunc)
    rows = [(case, base | case.options, api) for case in cases for api in _apis(base | case.options, own_apis)]
    names = [CASE, *(name for name in ("inputs", "expected") if name in metafunc.fixturenames)]
    if any(api for _, _, api in rows):
        names.append("wisebot_api")
    metafunc.fixturenames.extend(name for name in names if name not in metafunc.fixturenames)
    indirect = [name for name in names if name == "wisebot_api"]
    metafunc.parametrize(names, [_parameter(names, *row) for row in rows], indirect=indirect)


def _shown(path: Path, config: pytest.Config) -> str:
    """The name of a file as node ids have it."""
    return Path(os.path.relpath(path, config.rootpath)).as_posix()


def _base(declaration: Declared, config: pytest.Config) -> dict[str, Any]:
    """The marker's arguments, which hold for rows that name no others."""
    base = {name: value for name in INHERITED if (value := getattr(declaration, name)) not in (None, False)}
    return base if config.option.wisebot_api != "both" else {"api": "both"} | base


def _apis(options: Mapping[str, Any], own: bool) -> list[str]:
    """The parameters of a row: both APIs, or none where the marker alone says which."""
    return ["webhook", "dashboard"] if options.get("api") == "both" and not own else [""]


def _parameter(names: list[str], case: Case, options: Mapping[str, Any], api: str) -> Any:
    if options.get("api") == "both":  # which a mark on a parameter cannot be
        options = {name: value for name, value in options.items() if name != "api"}
    if "workflow" in options:
        options = {**options, "inputs": case.inputs}
    values = {CASE: case, "inputs": case.inputs, "expected": case.expected, "wisebot_api": api or None}
    marks = [_MARK.with_args(**options), *_skip_marks(case)]
    return pytest.param(*(values[name] for name in names), id=f"{case.id}-{api}" if api else case.id, marks=marks)


def _skip_marks(case: Case) -> list[pytest.MarkDecorator]:
    reason = case.skip if isinstance(case.skip, str) else f"{case.file}:{case.line}"
    return [pytest.mark.skip(reason=reason)] if case.skip else []


# --- suites that need no Python


class SuiteFile(pytest.Module):
    """A suite. Its cases are functions of a module that no file has, so that everything about tests holds for them.

    Attributes:
        cases: by the name of their function.
    """

    cases: Mapping[str, Case]

    def _getobj(self) -> ModuleType:
        try:
            _refuse_twins(self.path)
            suite = read_suite(self.path, _shown(self.path, self.config), lambda options: markers.wisebot(**options))
        except CasesError as error:
            raise self.CollectError(str(error)) from None
        base = _base(Declared(suite.workflow, api=suite.api), self.config)
        module = ModuleType(self.path.name)
        self.cases = {case.id: case for case in suite.cases}
        for case in suite.cases:
            options = base | case.options | {"inputs": case.inputs}
            setattr(module, case.id, _function(case, options, self.path, module.__name__))
        return module

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """The tests, in the order of the file."""
        module = self.obj
        for name in self.cases:
            made = self.ihook.pytest_pycollect_makeitem(collector=self, name=name, obj=getattr(module, name))
            yield from made or ()


def _refuse_twins(path: Path) -> None:
    """Two suites whose names differ by what follows the last point would have one folder of snapshots."""
    twins = sorted(one.name for one in path.parent.iterdir() if one.stem == path.stem and one.suffix in SUITES)
    if len(twins) > 1:
        raise CasesError(path.name, [(0, f"{' and '.join(twins)} would share their snapshots: rename one of them")])


def _function(case: Case, options: Mapping[str, Any], path: Path, module: str) -> FunctionType:
    """The test of a case. To a traceback its one line is that of the case in the file."""
    from ..cases.expectations import judge

    takes, passes = "workflow_run", "workflow_run"
    if case.expect.get("snapshot"):
        takes, passes = f"{takes}, workflow_snapshot", f"{passes}, snapshot=workflow_snapshot"
    tree = ast.parse(f"lambda {takes}: judge({passes})", mode="eval")
    for node in ast.walk(tree):
        if hasattr(node, "lineno"):
            vars(node).update(lineno=case.line, end_lineno=case.line, col_offset=-1, end_col_offset=-1)
    known = {"__name__": module, "judge": partial(judge, expect=case.expect)}
    function: FunctionType = eval(compile(tree, path, "eval"), known)
    function.__name__ = function.__qualname__ = case.id
    vars(function)["__test__"] = True
    for mark in [pytest.mark.wisebot(**options), *_skip_marks(case)]:
        mark(function)
    return function
