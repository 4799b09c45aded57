"""Tests of rows: ``cases=`` of the marker, and suites that need no Python. They are functions to pytest, as any other."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

from ..cases.documents import CasesError
from ..cases.expectations import judge
from ..cases.rows import MISSING, Case, read_rows, read_suite
from ..originals import os
from . import markers
from .markers import CASE, Declared

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
        path = Path(definition.path).parent / str(declaration.cases)
        cases = read_rows(path, _shown(path, config))
        options = _options(cases, declaration, config)
        _check_expected(metafunc, cases)
    except Exception as error:  # noqa: BLE001 - shown as the collection's error, without a traceback
        raise pytest.Collector.CollectError(str(error)) from None
    own_apis = markers.has_its_own_apis(metafunc)
    rows = [(case, one, api) for case, one in zip(cases, options, strict=True) for api in _apis(one, own_apis)]
    names = [CASE, *(name for name in ("inputs", "expected") if name in metafunc.fixturenames)]
    if any(api for _, _, api in rows):
        names.append("wisebot_api")
    metafunc.fixturenames.extend(name for name in names if name not in metafunc.fixturenames)
    indirect = [name for name in names if name == "wisebot_api"]
    metafunc.parametrize(names, [_parameter(names, *row) for row in rows], indirect=indirect)


def _shown(path: Path, config: pytest.Config) -> str:
    """The name of a file as node ids have it."""
    return Path(os.path.relpath(path, config.rootpath)).as_posix()


def _options(cases: list[Case], declaration: Declared, config: pytest.Config) -> list[dict[str, Any]]:
    """The marker's arguments for each row.

    Raises:
        CasesError: arguments of rows and of the marker do not fit together.
    """
    base = {name: value for name in INHERITED if (value := getattr(declaration, name)) not in (None, False)}
    named = config.option.wisebot_api
    found: list[dict[str, Any]] = []
    wrong: dict[str, list[tuple[int, str]]] = {}
    for case in cases:
        options = base | dict(case.options)
        if named == "both":
            options.setdefault("api", named)
        if declaration.workflow is not None:
            options["inputs"] = case.inputs
        try:
            if case.options:
                markers.wisebot(**options)
        except (TypeError, ValueError) as error:
            wrong.setdefault(case.file, []).append((case.line, f"{case.id}: {error}"))
        found.append(options)
    for file, mistakes in wrong.items():
        raise CasesError(file, mistakes)
    return found


def _check_expected(metafunc: pytest.Metafunc, cases: list[Case]) -> None:
    if "expected" in metafunc.fixturenames:
        lacking = [case for case in cases if case.expected is MISSING]
        if lacking:
            problem = "expected is missing, which the test takes as an argument"
            raise CasesError(lacking[0].file, [(case.line, f"{case.id}: {problem}") for case in lacking])


def _apis(options: Mapping[str, Any], own: bool) -> list[str]:
    """The parameters of a row: both APIs, or none where the marker alone says which."""
    return ["webhook", "dashboard"] if options.get("api") == "both" and not own else [""]


def _parameter(names: list[str], case: Case, options: dict[str, Any], api: str) -> Any:
    if options.get("api") == "both":  # which a mark on a parameter cannot be
        options = {name: value for name, value in options.items() if name != "api"}
    values = {CASE: case, "inputs": case.inputs, "expected": case.expected, "wisebot_api": api or None}
    marks = [pytest.mark.wisebot(**options), *_skip_marks(case)]
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
            suite = read_suite(self.path, _shown(self.path, self.config))
            declared = Declared(suite.workflow, api=suite.api)
            options = _options(suite.cases, declared, self.config)
        except CasesError as error:
            raise self.CollectError(str(error)) from None
        module = ModuleType(self.path.name)
        self.cases = {case.id: case for case in suite.cases}
        for case, one in zip(suite.cases, options, strict=True):
            setattr(module, case.id, _function(case, one, self.path, module.__name__))
        return module

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """The tests, in the order of the file."""
        module = self.obj
        for name in self.cases:
            made = self.ihook.pytest_pycollect_makeitem(collector=self, name=name, obj=getattr(module, name))
            yield from made or ()


def _refuse_twins(path: Path) -> None:
    """Two suites whose names differ by what follows the last point would have one folder of snapshots."""
    twins = sorted(one.name for one in path.parent.glob(f"{path.stem}.*") if one.name.endswith((".yaml", ".yml", ".json")))
    if len(twins) > 1:
        raise CasesError(path.name, [(1, f"{' and '.join(twins)} would share their snapshots: rename one of them")])


def _function(case: Case, options: Mapping[str, Any], path: Path, module: str) -> FunctionType:
    """The test of a case. To a traceback its one line is that of the case in the file."""
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
