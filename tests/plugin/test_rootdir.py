"""The value of an option that is a word of its own and a path: pytest takes it for a path of tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import Project

OPTIONS = ["summary", "report", "baseline", "config", "recordings", "scan", "env", "session", "secret"]


@pytest.fixture
def checkout(empty_project: Project) -> Project:
    """A project with a file of pytest's configuration, a level below what the option's value leads to."""
    empty_project.write("checkout/pyproject.toml", '[tool.pytest.ini_options]\nmarkers = ["ours"]\n')
    empty_project.write("checkout/test_it.py", "def test_it(pytestconfig): print(pytestconfig.rootpath)")
    empty_project.write("page.md", "")
    empty_project.write("checkout/inside.md", "")
    return empty_project


def run(checkout: Project, *args: str) -> pytest.RunResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(checkout.path / "checkout")
        return checkout.pytester.runpytest_inprocess("-q", "-s", "-p", "no:cacheprovider", *args)


@pytest.mark.parametrize("option", OPTIONS)
def test_a_value_that_moves_the_rootdir(checkout: Project, option: str) -> None:
    """The session ends before it runs anything, and names the form to write."""
    result = run(checkout, f"--wisebot-{option}", "../page.md")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    root, shown = checkout.path / "checkout", "…" if option == "secret" else "../page.md"
    assert [line for line in result.errlines if line] == [
        f"ERROR: --wisebot-{option} {shown}: pytest took the value for a path of tests, because it is a word of its "
        f"own and exists: its rootdir became {checkout.path}, and not {root}, and {root}/pyproject.toml was not read. "
        f"Write --wisebot-{option}={shown}"
    ]
    assert not result.outlines


@pytest.mark.usefixtures("every_plugin")
def test_a_value_that_moves_the_rootdir_from_the_environment(
    checkout: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``PYTEST_ADDOPTS`` counts like the command line; ``addopts`` in a file does not, and is refused for nothing."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly -p no:asyncio --wisebot-summary ../page.md")
    assert run(checkout).ret == pytest.ExitCode.USAGE_ERROR
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly -p no:asyncio")
    checkout.write("checkout/pyproject.toml", '[tool.pytest.ini_options]\naddopts = "--wisebot-summary ../page.md"\n')
    assert run(checkout).ret == pytest.ExitCode.OK


@pytest.mark.parametrize(
    "args",
    [
        ["--wisebot-summary=../page.md"],
        ["--wisebot-summary", "../not-there.md"],
        ["--wisebot-summary", "inside.md"],
        ["--wisebot-summary", "../page.md", "-c", "pyproject.toml"],
        ["--help", "--wisebot-summary", "../page.md"],
    ],
    ids=" ".join,
)
def test_a_value_that_moves_nothing(checkout: Project, args: list[str]) -> None:
    """The form with an equals sign, and a value that leaves the rootdir where it is, are right."""
    result = run(checkout, *args)
    assert result.ret == pytest.ExitCode.OK
    if "--help" not in args:
        assert str(checkout.path / "checkout") in result.outlines


@pytest.mark.usefixtures("every_plugin")
def test_a_rootdir_that_is_given(checkout: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``--rootdir`` the file of pytest's configuration would not be found all the same; workers go on as well."""
    assert run(checkout, "--rootdir=.", "--wisebot-summary", "../page.md").ret == pytest.ExitCode.USAGE_ERROR
    monkeypatch.chdir(checkout.path)
    page = Path("page.md").absolute()
    monkeypatch.setenv("PYTEST_ADDOPTS", f"-p no:randomly -p no:asyncio --wisebot-summary {page}")
    result = run(checkout, "-n", "1", "../checkout", "--rootdir=..", "-c", "pyproject.toml")
    assert result.ret == pytest.ExitCode.OK
