"""Every block of code in the manual and the README is run, as it stands there; and what they name exists."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

import jsonschema
import pytest
from harness import Project
from manual import DOCS, PAGES, ROOT, Reader, blocks, commands

import pytest_wisebot
from pytest_wisebot.cli.main import COMMANDS
from pytest_wisebot.settings import reference_tables
from pytest_wisebot.settings.fields import option_fields

MOST_BLOCKS_NOT_RUN = 10
README = ROOT / "README.md"
MARKDOWN = [*PAGES, *(ROOT / name for name in ("ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md"))]
EXAMPLES = [path for path in (ROOT / "examples").rglob("*") if path.suffix in (".md", ".yml", ".toml", ".py")]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=name_of)
def test_a_reader_can_do_what_the_page_says(
    empty_project: Project, serve: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, page: Path
) -> None:
    """The files can be written, the commands end as they should, and the screens are those of the page."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # by which syrupy knows a worker
    Reader(empty_project, serve, monkeypatch, page).read()


WRONG_PAGES = {
    "a command that fails": "```console\ntest 1 = 2\n```\n",
    "a command that should fail": "<!-- exit: 1 -->\n```console\ntrue\n```\n",
    "another program": "```console\ncurl example.com\n```\n",
    "another screen": "```console\necho one\n```\n\n```text\ntwo\n```\n",
    "a screen in another order": "```console\necho -e 'one\\ntwo'\n```\n\n```text\ntwo\n…\none\n```\n",
    "an extra that is not there": "```console\npip install 'pytest-wisebot[nonsense]'\n```\n",
    "a file without a name": "```python\nprint()\n```\n",
    "a key that is not there": "```toml\n[gate]\nmin-pas-rate = 1\n```\n",
    "a block of no kind": "```\nanything\n```\n",
    "a reason that is none": "<!-- not run: no -->\n```console\nfalse\n```\n",
}


@pytest.mark.parametrize("text", WRONG_PAGES.values(), ids=WRONG_PAGES)
def test_a_page_that_is_wrong_is_found(
    empty_project: Project, serve: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """What a page gets wrong does not pass."""
    page = empty_project.write("page.md", text)
    with pytest.raises((AssertionError, ValueError, jsonschema.ValidationError)):
        Reader(empty_project, serve, monkeypatch, page).read()


def test_few_blocks_are_not_run() -> None:
    """A block that is not run has a reason, and there are few of them."""
    skipped = [f"{name_of(page)}:{block.line}" for page in PAGES for block in blocks(page) if "not run" in block.notes]
    assert len(skipped) <= MOST_BLOCKS_NOT_RUN, skipped


# --- the README's commands


def the_command(words: str) -> list[str]:
    found = [line for block in blocks(README) for line in commands(block.text) if words in line]
    assert len(found) == 1
    return found[0].split(" && ")


@pytest.mark.slow
def test_the_command_for_the_examples() -> None:
    """Its second half runs from the checkout; both are what CI begins with."""
    install, run = the_command("pytest -q examples")
    assert f"{install} && {run} )" in (ROOT / ".ci" / "run").read_text("utf-8")
    done = subprocess.run(
        [sys.executable, *run.split()[1:], "-p", "no:cacheprovider"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_command_for_the_tests() -> None:
    """The command that runs this very suite is the one that CI ends with."""
    last = (ROOT / ".ci" / "run").read_text("utf-8").strip().splitlines()[-1]
    assert last == f'( . "$work/newest/bin/activate" && {" && ".join(the_command("not heavy"))} )'


def test_the_command_for_the_manual() -> None:
    """CI builds the manual by the command that the README shows."""
    _, build = the_command("sphinx")
    assert build.partition(" -m ")[2] in (ROOT / ".ci" / "run").read_text("utf-8")


def test_the_readme_is_short() -> None:
    """It has what the project is for, an example, a picture, the commands and links; all else is in the manual."""
    assert len(README.read_text("utf-8").splitlines()) <= 150


# --- what pages name


def test_every_option_exists() -> None:
    """Manual, README, examples and changelog name no option that pytest does not take."""
    ours = {field.option_name for field in option_fields()}
    for path in [*MARKDOWN, *EXAMPLES]:
        named = set(re.findall(r"--wisebot-[a-z-]*[a-z]", path.read_text("utf-8")))
        assert named <= ours, path


def test_every_command_of_the_program_exists() -> None:
    """``pytest-wisebot COMMAND`` in a page is one that the program has."""
    for path in PAGES:
        for command in re.findall(r"(?:^|`)pytest-wisebot ([a-z]+)\b", path.read_text("utf-8"), re.MULTILINE):
            assert command in COMMANDS, (path, command)


def test_each_value_is_written_with_its_option() -> None:
    """All documents, examples and help texts show ``--option=value``, the one form that moves no rootdir."""
    code = [path for path in (ROOT / "pytest_wisebot").rglob("*") if path.suffix in (".py", ".html", ".md")]
    github = list((ROOT / ".github").rglob("*.yml"))
    names = "|".join(field.option_name for field in option_fields() if field.flag is None)
    apart = re.compile(rf"(?:{names}) +(?:[A-Z]{{1,}}\b|\d|[\"'${{<]|[\w./-]+[:/.]\w|staging|both|out\b)")
    allowed = "--wisebot-report out"  # in the message's own row of the page that explains it
    found = [
        f"{name_of(path)}: {one[0]}"
        for path in [*MARKDOWN, *EXAMPLES, *code, *github]
        for one in apart.finditer(path.read_text("utf-8").replace(allowed, ""))
    ]
    assert not found


def test_the_reference_has_every_table_of_settings() -> None:
    """Options, variables and each table of ``wisebot.toml`` stand in the reference, made from the table of settings."""
    text = "".join(path.read_text("utf-8") for path in (DOCS / "reference").glob("*.md"))
    named = set(re.findall(r"^```\{wisebot\} table (.+)$", text, re.MULTILINE))
    assert set(reference_tables()) - named == {"[defaults]"}  # whose keys are those of an environment, as the page says
    assert named <= set(reference_tables())


def test_the_reference_has_every_public_name() -> None:
    """Each public function and class that is not an error has its part of the reference; errors have a page."""
    text = "".join(path.read_text("utf-8") for path in (DOCS / "reference").glob("*.md"))
    public = [getattr(pytest_wisebot, name) for name in pytest_wisebot.__all__]
    others = [one.__name__ for one in public if not (isinstance(one, type) and issubclass(one, Exception))]
    without = {"Api", "Settings"}  # plain values, which the pages of run and fixtures name
    assert [name for name in others if f"{{wisebot}} api {name}" not in text and name not in without] == []
    page = (DOCS / "reference" / "errors.md").read_text("utf-8")
    for one in public:
        if isinstance(one, type) and issubclass(one, Exception):
            assert (
                any(f"{{wisebot}} errors {branch.__name__}\n" in page for branch in one.__mro__) or one.__subclasses__()
            )


# --- links


def links(path: Path) -> Iterator[tuple[str, str]]:
    """The links of a page within the repository: the path, and the heading; code is left out."""
    text = re.sub(r"^```.*?^```$|`[^`]*`", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in target:
            file, _, anchor = target.partition("#")
            yield file, anchor


def anchors(path: Path) -> set[str]:
    text = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", MARKDOWN, ids=name_of)
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    """The file of each link exists, and so does the heading."""
    for file, anchor in links(page):
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), file
        assert not anchor or anchor in anchors(target), f"{file}#{anchor}"


# --- troubleshooting


def strings_of_the_code() -> str:
    """The constant parts of all strings of the package, a line each."""
    paths = (ROOT / "pytest_wisebot").rglob("*.py")
    codes = [SourceFileLoader(path.stem, str(path)).get_code(path.stem) for path in paths]
    return "\n".join(string for code in codes for string in _strings(code))


def _strings(constant: object) -> Iterator[str]:
    """The strings of code that is compiled already, which takes less time than to parse it."""
    if isinstance(constant, str):
        yield constant
    elif isinstance(constant, (tuple, frozenset, CodeType)):
        for one in constant.co_consts if isinstance(constant, CodeType) else constant:
            yield from _strings(one)


def test_the_messages_of_troubleshooting_are_real() -> None:
    """Each message that the page explains is one that the code has."""
    rows = re.findall(r"^\| (.+?) \| ", (DOCS / "troubleshooting.md").read_text("utf-8"), re.MULTILINE)
    messages = [message for row in rows for message in re.findall(r"`([^`]+)`", row)]
    assert len(messages) > 50
    strings = strings_of_the_code()
    for message in messages:
        for part in (part.strip() for part in message.split("…")):
            assert part in strings, message


def test_install_commands_name_extras_that_exist() -> None:
    """``pip install 'pytest-wisebot[EXTRA]'`` in a page names an extra of the package."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for path in MARKDOWN:
        for extra in re.findall(r"pytest-wisebot\[(\w+)\]|-e \"\.\[([\w-]+)\]\"", path.read_text("utf-8")):
            assert "".join(extra) in extras, path
