"""``pytest-wisebot init``: a first project that passes at once. It asks nothing, and overwrites nothing."""

from __future__ import annotations

import argparse
import configparser
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from ..errors import ConfigurationError
from ..files import make_folder, read_bytes, write_new
from ..settings.load import find_file
from ..text import not_empty

FAILED: Final = 2

CI: Final = {"github": ".github/workflows/wisebot.yml", "gitlab": ".gitlab-ci.yml", "jenkins": "Jenkinsfile"}
"""The file of each ``--ci``, seen from the root of the repository."""

_TEMPLATES: Final = Path(__file__).with_name("templates")
_TEST: Final = "test_wisebot.py"
_KEPT_RUNS: Final = ".wisebot/"


def parser() -> argparse.ArgumentParser:
    """The parser of the arguments."""
    made = argparse.ArgumentParser(
        prog="pytest-wisebot init",
        description="Write a first project that passes: wisebot.toml, flows.py and a test. Nothing is overwritten.",
        epilog="for example: pytest-wisebot init my-tests --ci=github",
    )
    made.add_argument(
        "folder",
        metavar="DIR",
        nargs="?",
        default=".",
        type=not_empty,
        help="the project's folder; by default this",
    )
    made.add_argument("--ci", choices=CI, help="write a file for this CI service, too: tests, gate, deployment")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the files that are not there, and names each.

    Returns:
        0, also if all are there; 2 if one cannot be written.
    """
    options = parser().parse_args(arguments)
    folder = Path(options.folder)
    try:
        make_folder(folder)
        written = [_write(path, text) for path, text in _files(folder, options.ci)]
        _ignore(folder / ".gitignore")
    except (FileExistsError, NotADirectoryError) as error:
        return _fail(f"{error.filename}: a file is in the way of a folder")
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}")
    except ConfigurationError as error:
        return _fail(str(error))
    if any(written) and not all(written):
        print("what was kept may not fit what was written: pytest-wisebot init DIR writes all of it into a new folder")
    if options.ci:
        print(_needs_of_the_gate(_settings_of(folder)))
    print(f"next: {'' if options.folder == '.' else f'cd {shlex.quote(options.folder)} && '}python -m pytest")
    return 0


def _fail(reason: str) -> int:
    print(f"pytest-wisebot init: {reason}", file=sys.stderr)
    return FAILED


def _files(folder: Path, service: str | None) -> Iterator[tuple[Path, str]]:
    """The files and their content, in the order of writing: that of the CI service names what the settings name."""
    settings = _settings_of(folder)
    yield settings, _template("wisebot.toml")
    yield folder / "flows.py", _template("flows.py")
    yield _tests_of(folder) / _TEST, _template(_TEST)
    if service is not None:
        here = folder.resolve()
        root = next((one for one in (here, *here.parents) if (one / ".git").exists()), here)
        tests = "" if root == here else f"{shlex.quote(here.relative_to(root).as_posix())} "
        text = read_bytes(settings).decode("utf-8", "replace")
        yield (root if tests else folder) / CI[service], ci_file(service, text, tests)


def _settings_of(folder: Path) -> Path:
    return find_file(folder, folder) or folder / "wisebot.toml"


def _credentials(settings: str) -> list[str]:
    """The variables that the text of the settings file names."""
    return list(dict.fromkeys(re.findall(r'"env:(\w+)"', settings))) or ["STAGING_WISE_KEY"]


def _needs_of_the_gate(settings: Path) -> str:
    """What the written CI file cannot do by itself."""
    table = f"{'tool.wisebot.' if settings.name == 'pyproject.toml' else ''}environments.staging"
    names = _credentials(read_bytes(settings).decode("utf-8", "replace"))
    secrets = f"secret{'s' if len(names) > 1 else ''} {' and '.join(names)}"
    return f"for the gate job: fill in [{table}] in {settings.name}, and set the {secrets}"


def _template(name: str) -> str:
    return (_TEMPLATES / f"{name}.txt").read_text("utf-8")


def ci_file(service: str, settings: str, tests: str = "", needs: str = "") -> str:
    """The file of a CI service.

    Args:
        service: a key of `CI`.
        settings: the text of the settings file; the variables that it names are the secrets of the CI service.
        tests: the folder of the tests and a blank; empty for all tests.
        needs: a blank and the packages that the tests import beside this one; empty for none.
    """
    names = _credentials(settings)
    template = _template({"github": "github.yml", "gitlab": "gitlab.yml", "jenkins": "Jenkinsfile"}[service])
    text = template.replace("@tests@", tests).replace("@needs@", needs)
    lines = text.splitlines(keepends=True)
    return "".join(line.replace("@NAME@", name) for line in lines for name in (names if "@NAME@" in line else [""]))


def _tests_of(folder: Path) -> Path:
    """The folder of tests into which a bare ``pytest`` looks: the first of ``testpaths``, else ``tests``."""
    names = [name for name in _testpaths(folder) if not re.search(r"[*?\[]", name)]
    return folder / (names[0] if names else "tests")


def _testpaths(folder: Path) -> list[str]:
    given: Any = None
    with suppress(OSError, ValueError):
        table = tomllib.loads((folder / "pyproject.toml").read_text("utf-8")).get("tool", {}).get("pytest", {})
        given = table.get("ini_options", table).get("testpaths")
    for name, section in (("pytest.ini", "pytest"), ("tox.ini", "pytest"), ("setup.cfg", "tool:pytest")):
        with suppress(OSError, ValueError, configparser.Error):
            file = configparser.ConfigParser(interpolation=None)
            file.read_string((folder / name).read_text("utf-8"))
            given = given or file.get(section, "testpaths")
    return given.split() if isinstance(given, str) else list(given or [])


def _write(path: Path, text: str) -> bool:
    """Writes a file that is not there, and tells which of both; whether it was written."""
    make_folder(path.parent)
    try:
        write_new(str(path), text.encode())
    except FileExistsError:
        print(f"kept   {path}, which was there")
        return False
    print(f"wrote  {path}")
    return True


def _ignore(path: Path) -> None:
    """Has git ignore kept runs."""
    before = read_bytes(path) if path.exists() else b""
    if any(line.strip(b" /\r") == _KEPT_RUNS.strip("/").encode() for line in before.split(b"\n")):
        return
    end = b"\r\n" if b"\r\n" in before else b"\n"
    with path.open("ab") as file:
        file.write((end if before and not before.endswith(b"\n") else b"") + _KEPT_RUNS.encode() + end)
    print(f"{'added' if before else 'wrote'}  {path}{f': {_KEPT_RUNS}' if before else ''}")
