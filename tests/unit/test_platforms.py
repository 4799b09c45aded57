"""Windows and macOS, as far as a fake shows them: CI runs the rest there."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from harness import Project

from pytest_wisebot import files
from pytest_wisebot.emulator import Emulator
from pytest_wisebot.emulator.__main__ import welcome
from pytest_wisebot.engine.loop import NOTICED
from pytest_wisebot.plugin.terminal import StatusLine
from pytest_wisebot.settings.credentials import read_credential
from pytest_wisebot.settings.load import read_file

PACKAGE = Path(files.__file__).parent
LONG = "n" * 240


# --- paths


@pytest.mark.parametrize(
    ("given", "reached"),
    [
        ("C:\\tests\\a.json", "C:\\tests\\a.json"),
        (f"C:\\tests\\{LONG}.json", f"\\\\?\\C:\\tests\\{LONG}.json"),
        (f"C:/tests/../here/{LONG}.json", f"\\\\?\\C:\\here\\{LONG}.json"),
        (f"\\\\server\\share\\{LONG}.json", f"\\\\?\\UNC\\server\\share\\{LONG}.json"),
        (f"\\\\?\\C:\\{LONG}.json", f"\\\\?\\C:\\{LONG}.json"),
    ],
)
def test_a_long_path_is_reached_on_windows(monkeypatch: pytest.MonkeyPatch, given: str, reached: str) -> None:
    """Windows takes 259 characters, unless a path is whole and has a prefix; elsewhere it stays as it is."""
    assert files.reachable(given) == given
    monkeypatch.setattr(files, "WINDOWS", True)
    assert files.reachable(given) == reached
    assert files.reachable(Path("a.json")) == "a.json"


@pytest.fixture
def short_paths_alone(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A Windows that refuses each path of more than 259 characters without the prefix; the calls, by their names."""
    called: list[str] = []

    def checked(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def reach(*args: Any, **kwargs: Any) -> Any:
            called.append(name)
            plain = [_without_prefix(arg) if isinstance(arg, str | Path) else arg for arg in args]
            return call(*plain, **kwargs)

        return reach

    monkeypatch.setattr(files, "WINDOWS", True)
    for name in ("open", "replace", "unlink", "stat", "mkdir", "listdir"):
        monkeypatch.setattr(f"pytest_wisebot.files.os.{name}", checked(name, getattr(os, name)))
    monkeypatch.setattr("pytest_wisebot.files.io.open", checked("io.open", open))
    return called


def _without_prefix(path: str | Path) -> str:
    text = os.fspath(path)
    assert len(text) <= 259 or text.startswith("\\\\?\\"), text
    return text.removeprefix("\\\\?\\").replace("\\", "/")


def test_files_with_the_longest_names_are_written_and_read_on_windows(
    tmp_path: Path, short_paths_alone: list[str]
) -> None:
    """Folders are made, files replaced, read, listed and removed, in whichever folder the project lies."""
    folder = tmp_path / ("d" * 120) / ("e" * 120)
    path = folder / f"{LONG}.json"
    files.make_folder(folder)
    for text in (b"one", b"two"):
        files.write_whole(str(path), text)
        assert files.read_bytes(path) == text
    assert files.entries_of(folder) == [path]
    assert files.is_there(path)
    assert files.seen(path) is not None
    files.remove_file(path)
    files.remove_file(path)
    assert not files.is_there(path)
    assert {"open", "replace", "unlink", "stat", "mkdir", "listdir", "io.open"} == {*short_paths_alone}


def test_a_file_that_a_scanner_holds_is_removed_once_it_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a report of an earlier session, or an unused snapshot."""
    path, real, refusals = tmp_path / "a", os.unlink, [3]
    path.touch()

    def held(target: str) -> None:
        if refusals[0]:
            refusals[0] -= 1
            raise PermissionError("held by a scanner")
        real(target)

    monkeypatch.setattr("pytest_wisebot.files.os.unlink", held)
    with pytest.raises(PermissionError):
        files.remove_file(path)
    monkeypatch.setattr(files, "WINDOWS", True)
    files.remove_file(path)
    assert not path.exists()


def test_the_number_of_a_socket_is_none_of_a_file_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is opened later may get the same number, and is not taken for the socket's."""
    with Path(os.devnull).open("rb") as file:
        assert files.file_of_socket(file.fileno()) == files.file_of(file.fileno()) is not None
        monkeypatch.setattr(files, "WINDOWS", True)
        assert files.file_of_socket(file.fileno()) is None


# --- letters


def test_files_that_an_editor_of_windows_has_marked_are_read(tmp_path: Path) -> None:
    """Notepad begins a file of UTF-8 with a mark, which is no part of a setting or a credential."""
    (tmp_path / "wisebot.toml").write_text('default-environment = "a"\n[environments.a]\n', "utf-8-sig")
    assert read_file(tmp_path / "wisebot.toml")["default_environment"] == "a"
    (tmp_path / "secret.txt").write_text("FAKE-secret-of-notepad\r\n", "utf-8-sig")
    credential = read_credential("file:secret.txt", "a test", tmp_path, {})
    assert credential.secret is not None
    assert credential.secret.reveal() == "FAKE-secret-of-notepad"


@pytest.mark.usefixtures("real_processes")
def test_a_workflow_of_the_emulator_may_print_any_letter(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its output is a file, for which Windows has an encoding of few letters."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    project.write(
        "flows.py",
        """
        import sys
        from pytest_wisebot.emulator import Emulator

        emulator = Emulator()

        @emulator.workflow("echo")
        def echo(inputs):
            print("→ ü")
            print("→ ü", file=sys.stderr)
            return "ran"
        """,
    )
    project.test("def test_it(trigger_workflow): assert trigger_workflow('echo').ok")
    project.run_apart().assert_outcomes(passed=1)


@pytest.mark.parametrize("module", ["pytest_wisebot", "pytest_wisebot.report"])
def test_the_commands_print_letters_that_the_output_lacks_as_escapes(tmp_path: Path, module: str) -> None:
    """A pipe of Windows, or of a system without a locale: the output is there, and no traceback."""
    (tmp_path / "→").mkdir()
    (tmp_path / "→" / "runs.jsonl").write_bytes(b'{"event":"session","format":1}\n')
    arguments = ["→"] if module.endswith("report") else ["--help"]
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "\\u" in done.stdout


def test_the_status_line_is_in_the_encoding_of_the_output() -> None:
    """The log of a CI job on Windows is rarely UTF-8."""
    line: Any = StatusLine(None, lambda: None, None)  # type: ignore[arg-type]
    reading, line._fd = os.pipe()
    line._file, line._encoding = files.file_of(line._fd), "cp1252"
    line._write("é→")
    os.close(line._fd)
    with os.fdopen(reading, "rb") as output:
        assert output.read() == b"\xe9?"


# --- shells, clocks and modules


def test_on_windows_the_emulator_shows_how_to_call_it_from_powershell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lines can be pasted there as they are elsewhere into a POSIX shell."""
    monkeypatch.setattr("sys.platform", "win32")
    emulator = Emulator(token="wb_live_CANARY_token")
    emulator.workflow("it's", secret="whsec_CANARY_it's", inputs=("who's",))(lambda: None)
    lines = welcome("flows.py", emulator, "http://127.0.0.1:1", "http://127.0.0.1:2").splitlines()
    assert "$env:WISEBOT_WORKFLOW_TRIGGER_ORIGIN='http://127.0.0.1:1'" in lines
    assert "$env:WISEBOT_WORKFLOW_SECRET='whsec_CANARY_it''s'" in lines
    assert "$env:EMULATOR_IT_S_SECRET='whsec_CANARY_it''s'" in lines
    assert """  -ContentType "application/json" -Body '{"who''s": "..."}'""" in lines
    assert not [line for line in lines if "curl" in line or "export " in line or line.endswith("\\")]


def test_a_tick_of_the_clock_is_no_lag() -> None:
    """The clock of Windows may tick 64 times a second: a loop is late only by more than that."""
    assert time.get_clock_info("monotonic").resolution < NOTICED < 0.03


POSIX_ONLY = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "posix", "syslog"}
OF_FILES = ("read_text", "write_text", "open", "fdopen")


@cache
def calls_and_imports() -> list[tuple[str, ast.Import | ast.Call, bool]]:
    """Of the package, with the place of each, and whether it stands behind a condition or a ``try``."""

    def walk(node: ast.AST, guarded: bool) -> Iterator[tuple[ast.Import | ast.Call, bool]]:
        if isinstance(node, ast.Import | ast.Call):
            yield node, guarded
        for child in ast.iter_child_nodes(node):
            yield from walk(child, guarded or isinstance(node, ast.If | ast.Try))

    texts = [(path, path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py"))]
    # To parse all takes seconds: what has none of these words has nothing that the tests look for.
    words = re.compile(rf"\b(?:{'|'.join(POSIX_ONLY)}|{'|'.join(OF_FILES)})\b")
    parsed = [(path.name, ast.parse(text)) for path, text in texts if words.search(text)]
    return [(f"{name}:{node.lineno}", node, guarded) for name, tree in parsed for node, guarded in walk(tree, False)]


def test_modules_that_windows_lacks_are_imported_behind_a_condition() -> None:
    """The package can be imported there."""
    found = [
        place
        for place, node, guarded in calls_and_imports()
        if isinstance(node, ast.Import) and not guarded and POSIX_ONLY & {alias.name for alias in node.names}
    ]
    assert not found


def test_text_is_read_and_written_in_a_named_encoding() -> None:
    """Without one, Windows has another encoding than the machine that wrote the file."""
    found = [place for place, node, _ in calls_and_imports() if isinstance(node, ast.Call) and not _is_encoded(node)]
    assert not found


def _is_encoded(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    of_os = isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "os"
    given = any(keyword.arg == "encoding" for keyword in call.keywords)
    if name == "read_text":
        return given or len(call.args) > 0
    if name == "write_text":
        return given or len(call.args) > 1
    if name in ("open", "fdopen") and not (of_os and name == "open"):
        modes = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        return given or not modes or any("b" in mode for mode in modes)
    return True
