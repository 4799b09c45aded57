"""The public names, the package's version, and what ships with it."""

from __future__ import annotations

import ast
import importlib
import json
import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

import pytest_wisebot
from pytest_wisebot.cli.main import main
from pytest_wisebot.settings import json_schema

PACKAGE = Path(pytest_wisebot.__file__).parent
ROOT = Path(__file__).parents[1]


def public_errors() -> set[str]:
    """The classes of the tree in ``errors.py``."""
    errors = importlib.import_module("pytest_wisebot.errors")
    return {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}


def test_lazy_names_static_names_and_all_agree() -> None:
    """What type checkers see, what ``import *`` gives, and what is resolved on first use are the same names."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    static = {
        name
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        for name in (sorted(public_errors()) if alias.name == "*" else [alias.name])
    }
    assert static == set(pytest_wisebot.__all__)


@pytest.mark.parametrize("name", pytest_wisebot.__all__)
def test_every_name_resolves_and_is_explained(name: str) -> None:
    """Each public name is there, and says in a sentence what it is."""
    value = getattr(pytest_wisebot, name)
    assert value.__name__ == name
    assert value.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A typo in an import fails as Python says it does."""
    with pytest.raises(AttributeError, match="module 'pytest_wisebot' has no attribute 'trigger'"):
        _ = pytest_wisebot.trigger
    assert set(pytest_wisebot.__all__) < set(dir(pytest_wisebot))


def test_the_errors_that_are_public_are_all_of_them() -> None:
    """Every class of the tree in ``errors.py`` can be imported from the package."""
    assert public_errors() <= set(pytest_wisebot.__all__)


def test_the_emulators_names() -> None:
    """What a file of emulated workflows imports."""
    emulator = importlib.import_module("pytest_wisebot.emulator")
    assert {"Emulator", "Fault", "WorkflowFailure"} <= set(emulator.__all__)


def test_the_schema_that_ships_is_current() -> None:
    """``wisebot.schema.json`` is made from the table; `pytest-wisebot schema` prints it anew."""
    shipped = json.loads((PACKAGE / "wisebot.schema.json").read_text("utf-8"))
    assert shipped == json_schema()


def test_the_schema_of_suites_that_ships_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    """``wisebot-suite.schema.json`` is what `pytest-wisebot schema suite` prints, and is itself a valid schema."""
    shipped = json.loads((PACKAGE / "wisebot-suite.schema.json").read_text("utf-8"))
    assert main(["schema", "suite"]) == 0
    assert shipped == json.loads(capsys.readouterr().out)
    Draft202012Validator.check_schema(shipped)


def test_the_schema_accepts_the_examples_file() -> None:
    """The keys of the example's ``wisebot.toml`` are all keys of the schema."""
    definitions = json_schema()["$defs"]
    data = tomllib.loads((ROOT / "examples" / "wisebot.toml").read_text("utf-8"))
    for table in data["environments"].values():
        assert set(table) <= set(definitions["EnvironmentTable"]["properties"])
        for workflow in table.get("workflows", {}).values():
            assert set(workflow) <= set(definitions["WorkflowTable"]["properties"])


def test_one_version_everywhere() -> None:
    """The package, its metadata and the newest entry of the changelog agree."""
    newest = re.search(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest is not None
    assert pytest_wisebot.__version__ == version("pytest-wisebot") == newest.group(1)


def test_the_classifiers_are_what_ci_shows() -> None:
    """A Python or a system that the metadata names has a job that runs the tests there, and each job is named."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    classifiers = [one.split(" :: ") for one in project["classifiers"]]
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))["jobs"]
    pythons = jobs["test"]["strategy"]["matrix"]["python-version"]
    assert pythons == [one[-1] for one in classifiers if one[0] == "Programming Language" and "." in one[-1]]
    assert project["requires-python"] == f">={pythons[0]}"
    elsewhere = jobs["platforms"]["strategy"]["matrix"]
    assert {pythons[0], pythons[-1]} == {*elsewhere["python-version"]}
    systems = {one.partition("-")[0] for one in (*elsewhere["os"], jobs["test"]["runs-on"])}
    named = {"Linux": "ubuntu", "MacOS": "macos", "Windows": "windows"}
    assert systems == {named[one[-1]] for one in classifiers if one[0] == "Operating System"}


def test_the_package_is_typed() -> None:
    """Type checkers are told that the annotations can be relied on."""
    assert (PACKAGE / "py.typed").exists()
