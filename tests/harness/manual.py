"""Runs a page of the manual as a reader would: it writes the files, types the commands, and compares the screens.

What a page's blocks mean:

- A block whose first line is ``# NAME`` (``// NAME``) is that file; ``# add to NAME`` goes to its end. TOML without a
  name is a part of ``wisebot.toml``, which is held against its schema.
- Each line of a ``console`` block (or each that begins with ``$ ``) is a command, run in the page's folder. Hosts of a
  real Wisebot are those of an emulator, and its credentials the values of the variables that ``wisebot.toml`` names.
- A ``text`` block is a part of the screen of the command before it. A line ``…`` leaves lines out, and ``…`` at the end
  of a line its rest; seconds, ports and ids may differ.
- ``{project}`` stands for the two files of ``docs/_project``.

Comments above a block: ``<!-- exit: 1 -->`` (the exit code of the last command; else 0), ``<!-- columns: 160 -->``,
``<!-- file: NAME -->`` (the block is that file, where a first line with its name would be a part of it),
``<!-- until: WORDS -->`` (a command that does not end: until it has printed this), ``<!-- not run: REASON -->``. A step
of its own is ``<!-- edit: FILE: OLD => NEW -->``, for what the words beside it ask the reader to change.

With the variable ``MANUAL_SCREENS`` each page's screens are written into that folder, for a new page to quote.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from harness import Project

from pytest_wisebot.settings import json_schema

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)]

FENCE = re.compile(
    r"^(?P<indent> *)(?P<ticks>`{3,})(?P<kind>[^\s`]*)[^\n]*\n(?P<text>.*?)^(?P=indent)(?P=ticks)$"
    r"|^<!-- (?P<note>[a-z ]+): (?P<value>.*?) -->$",
    re.MULTILINE | re.DOTALL,
)
ORIGIN, BASE_URL = "https://happy-otter-123.convex.site", "https://staging.example.com"
OTHER_ORIGIN = "https://brisk-finch-789.convex.site"
"""That of a second emulator, of the same workflows."""
SECRET, TOKEN = "FAKE-secret-of-the-manual", "wb_live_FAKE_token_of_the_manual"
FILE_KINDS = ("python", "toml", "yaml", "json", "groovy", "ini", "csv")
SHELL = ("cat", "cp", "echo", "ls", "mkdir", "mv", "rm", "rmdir", "test", "true")
"""The commands beside those of Python that a page may use."""


@dataclass
class Block:
    """A block of a page, or a step that stands in a comment (``kind`` is then ``edit``)."""

    kind: str
    text: str
    line: int
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def file(self) -> tuple[str, bool]:
        """The file that the block is, and whether it goes to the file's end; an empty name without one."""
        if name := self.notes.get("file"):
            return name, False
        found = re.match(r"(?:#|//) (add to )?([\w./-]*\w)$", self.text.partition("\n")[0])
        return (found[2], bool(found[1])) if found and self.kind in FILE_KINDS else ("", False)


def blocks(path: Path) -> list[Block]:
    """The blocks of a page, in order."""
    text, found, notes = path.read_text("utf-8"), [], dict[str, str]()
    for one in FENCE.finditer(text):
        line = text.count("\n", 0, one.start()) + 1
        if one["note"] == "edit":
            found.append(Block("edit", one["value"], line))
        elif one["note"]:
            notes[one["note"]] = one["value"]
        else:
            indent = len(one["indent"])
            body = "".join(each[indent:] for each in one["text"].splitlines(keepends=True))
            found.append(Block(one["kind"], body, line, notes))
            notes = {}
    return found


def commands(text: str) -> list[str]:
    """The commands of a ``console`` block, each whole; where lines begin with ``$ ``, the others are its screen."""
    lines = text.replace("\\\n", " ").splitlines()
    if any(line.startswith("$ ") for line in lines):
        return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [line for line in lines if line.strip() and not line.startswith("#")]


class Reader:
    """Does what a page says."""

    def __init__(
        self, project: Project, serve: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, page: Path
    ) -> None:
        self.project, self.page = project, page
        self._serve, self._monkeypatch = serve, monkeypatch
        self._hosts: dict[str, str] = {}
        self.screen: list[str] = []

    def read(self) -> None:
        """Goes through the page from its beginning to its end."""
        for block in blocks(self.page):
            try:
                self._do(block)
            except BaseException as error:
                error.add_note(f"{self.page}:{block.line}")
                raise

    def _do(self, block: Block) -> None:
        if "not run" in block.notes:
            assert len(block.notes["not run"].split()) > 3, "a block that is not run has its reason"
        elif block.kind == "{project}":
            for name in ("flows.py", "wisebot.toml"):
                self._write(name, (DOCS / "_project" / name).read_text("utf-8"))
        elif block.kind == "edit":
            name, _, change = block.text.partition(": ")
            self.project.edit(name, *change.split(" => "))
        elif block.kind == "console":
            for command in commands(block.text):
                code = self._type(command, block.notes)
            shown = [line for line in block.text.splitlines() if not line.startswith("$ ")]
            if len(shown) < len(block.text.splitlines()):
                self._compare("\n".join(shown))
            assert code == int(block.notes.get("exit", "0")), "\n".join(self.screen)
        elif block.kind == "text":
            self._compare(block.text)
        elif block.kind in FILE_KINDS:
            self._file(block)
        else:
            assert block.kind in ("{wisebot}", "{toctree}", "{image}", "{note}", "{tip}", "{warning}"), block.kind

    # --- files

    def _file(self, block: Block) -> None:
        name, adds = block.file
        if not name and block.kind == "toml":  # a part of wisebot.toml that the page goes on about
            jsonschema.validate(tomllib.loads(block.text), json_schema())
            return
        assert name, f"the first line of a block of {block.kind} is a comment that names its file"
        before = (self.project.path / name).read_text("utf-8") + "\n" if adds else ""
        self._write(name, before + block.text)
        check_file(name, block.kind, before + block.text)

    def _write(self, name: str, text: str) -> None:
        if ORIGIN in text or BASE_URL in text:
            self._stage()
        if OTHER_ORIGIN in text:
            self._hosts[OTHER_ORIGIN] = self._served().origin
        for variable in re.findall(r'"env:(\w+)"', text):
            self._monkeypatch.setenv(variable, _credential(variable))
        self.project.write(name, self._with_hosts(text))

    def _stage(self) -> None:
        """Serves the workflows of ``flows.py`` in place of a real Wisebot."""
        handle = self._served()
        self._hosts = {ORIGIN: handle.origin, BASE_URL: handle.base_url}

    def _served(self) -> Any:
        own = self.project.path / "flows.py"
        flows = (own if own.exists() else DOCS / "_project" / "flows.py").read_text("utf-8")
        flows = flows.replace("Emulator()", f'Emulator(token="{TOKEN}")')
        return self._serve(re.sub(r'(\.workflow\("\w+")', rf'\1, secret="{SECRET}"', flows))

    def _with_hosts(self, text: str) -> str:
        for shown, real in self._hosts.items():
            text = text.replace(shown, real)
        return text

    # --- commands

    def _type(self, command: str, notes: dict[str, str]) -> int:
        words = shlex.split(self._with_hosts(command))
        if words[0] == "export":
            name, _, value = words[1].partition("=")
            self._monkeypatch.setenv(name, _credential(name) if value == "…" else value)
            return 0
        if words[:4] == ["python", "-m", "pip", "install"] or words[:2] == ["pip", "install"]:
            check_install(words)
            return 0
        with self._monkeypatch.context() as patch:
            patch.setenv("COLUMNS", notes.get("columns", "88"))
            code, text = self._run(words, command, notes)
        for shown, real in self._hosts.items():
            text = text.replace(real, shown)
        self.screen = text.splitlines()
        if folder := os.environ.get("MANUAL_SCREENS"):
            with (Path(folder) / f"{self.page.stem}.txt").open("a", encoding="utf-8") as file:
                print(f"##### {command} (exit code {code})", *self.screen, sep="\n", file=file)
        return code

    def _run(self, words: list[str], command: str, notes: dict[str, str]) -> tuple[int, str]:
        words = words[2:] if words[:3] == ["python", "-m", "pytest"] else words
        if words[0] == "pytest":
            result = self.project.run(*words[1:])
            return int(result.ret), "\n".join([*result.outlines, *result.errlines])
        if words[-2:-1] == [">"]:
            code, text = self._run(words[:-2], command, notes)
            self.project.write(words[-1], text)
            return code, ""
        if words[0] == "pytest-wisebot":
            words = ["python", "-m", "pytest_wisebot", *words[1:]]
        if words[0] == "python":
            return self._process([sys.executable, *words[1:]], notes)
        assert words[0] in SHELL, f"{words[0]} is not a command that a page may use"
        return self._process(["bash", "-c", self._with_hosts(command)], notes)

    def _process(self, words: list[str], notes: dict[str, str]) -> tuple[int, str]:
        place, both = self.project.path, subprocess.STDOUT
        if "until" not in notes:
            done = subprocess.run(words, cwd=place, stdout=subprocess.PIPE, stderr=both, text=True, timeout=60)
            return done.returncode, done.stdout
        words = [re.sub(r"^(--[a-z-]*port=)?\d+$", r"\g<1>0", word) for word in words]  # a free port
        unbuffered = {**os.environ, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(words, cwd=place, stdout=subprocess.PIPE, stderr=both, text=True, env=unbuffered)
        text, deadline = "", time.monotonic() + 30
        try:
            assert process.stdout is not None
            while notes["until"] not in text and time.monotonic() < deadline and process.poll() is None:
                text += process.stdout.readline()
        finally:
            process.terminate()
            text += process.communicate()[0]
        assert notes["until"] in text
        return 0, text

    # --- screens

    def _compare(self, shown: str) -> None:
        lines = [_same(line) for line in self.screen]
        at = 0
        for part in _parts(shown):
            starts = range(at, len(lines) - len(part) + 1)
            found = next((start for start in starts if _fits(part, lines[start : start + len(part)])), None)
            assert found is not None, "not on the screen:\n{}\nbut:\n{}".format("\n".join(part), "\n".join(lines))
            at = found + len(part)


def _credential(variable: str) -> str:
    return SECRET if "SECRET" in variable else TOKEN


def _parts(shown: str) -> Iterator[list[str]]:
    part: list[str] = []
    for line in [*map(_same, shown.rstrip("\n").splitlines()), "…"]:
        if line != "…":
            part.append(line)
        elif part:
            yield part
            part = []


def _fits(part: list[str], lines: list[str]) -> bool:
    return all(
        line.startswith(wanted[:-1].rstrip()) if wanted.endswith("…") else line == wanted
        for wanted, line in zip(part, lines, strict=True)
    )


def _same(line: str) -> str:
    """A line without what differs from session to session."""
    ids = r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22,}|\b00-[0-9a-f]{32}-[0-9a-f]{16}-01|run_[0-9a-f]{24}"
    line = re.sub(ids, "ID", line)
    line = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", line)
    line = re.sub(r"\b\d+(?:\.\d+)? ?(m?s|min|seconds? ago)\b", lambda found: f"N {found[1][:2]}", line)
    line = re.sub(r"\b\d{8}T\d{6}\.\d+Z-\w+", "SESSION", line)
    line = re.sub(r"\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z|\+00:00)?", "TIME", line)
    return line.strip("= ") if line.startswith("==") else line.rstrip()


# --- what is looked at without being run


def check_file(name: str, kind: str, text: str) -> None:
    """A file of each kind is one of its kind; a CI file has steps with commands."""
    if kind == "python":
        ast.parse(text)
    elif kind == "toml":
        tomllib.loads(text)
    elif kind == "yaml":
        assert list(steps(yaml.safe_load(text))) or not name.startswith("."), "a file of CI has commands"


def steps(value: Any) -> Iterator[str]:
    """The commands of a CI file: what stands under ``run`` or ``script``, at any depth."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("run", "script"):
                yield from [item] if isinstance(item, str) else item
            else:
                yield from steps(item)
    elif isinstance(value, list):
        for item in value:
            yield from steps(item)


def check_install(words: list[str]) -> None:
    """What a page asks the reader to install is this package with extras that it has, or a package that CI has."""
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = metadata["optional-dependencies"]
    known = {re.split(r"[\[<>=;]", one)[0] for group in (metadata["dependencies"], *extras.values()) for one in group}
    for word in words[words.index("install") + 1 :]:
        name, _, rest = word.partition("[")
        if name in (".", "pytest-wisebot"):
            assert not rest or rest.rstrip("]") in extras, word
        else:
            assert name.startswith("-") or name in known, word
