"""The command ``pytest-wisebot``: what a user who does not know it finds out by it alone."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from harness import Project

import pytest_wisebot
from pytest_wisebot.cli.completion import SHELLS
from pytest_wisebot.cli.main import COMMANDS, main, parser_of


def wisebot(*args: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs the command in a process of its own."""
    command = [sys.executable, "-m", "pytest_wisebot", *args]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself_by_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """``--help`` says what the command does, and shows a line that can be typed: one that the command accepts."""
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.startswith(f"usage: pytest-wisebot {command} ")
    parser = parser_of(command)
    assert parser.description
    assert parser.description[0].isupper()
    example = re.search(rf'for example.*: .*?pytest-wisebot {command}((?: [^ >)"]+)*)', shown)
    assert example is not None
    parser.parse_args(example[1].split())


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """``--help`` lists what there is, each in one line of a usual terminal; without a command the exit code is 2."""
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ") and "pytest-wisebot" not in line] == [*COMMANDS]
    assert max(map(len, lines)) <= 100
    assert main([]) == 2
    assert capsys.readouterr().out.splitlines() == lines


def test_help_of_a_command_is_asked_for_in_either_order(capsys: pytest.CaptureFixture[str]) -> None:
    """``help merge`` is ``merge --help``."""
    shown = []
    for words in (["help", "merge"], ["merge", "--help"]):
        with pytest.raises(SystemExit):
            main(words)
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    """``--version`` prints what ``pip`` calls it, and its version."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"pytest-wisebot {pytest_wisebot.__version__}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lern"], "unknown command 'lern', did you mean \"learn\"?"),
        (["run"], f"unknown command 'run', known: {', '.join(COMMANDS)}"),
        (["help", "mrege"], "unknown command 'mrege', did you mean \"merge\"?"),
        (
            ["--env=staging", "check"],
            "unknown option '--env=staging': the options of a command stand after it, "
            "as in pytest-wisebot check --env=staging",
        ),
    ],
    ids=str,
)
def test_a_typo_is_an_error_that_names_the_closest(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command that does not exist is one line on stderr, with exit code 2."""
    assert main(words) == 2
    assert capsys.readouterr().err == f"pytest-wisebot: {message}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["check", "--evn=local"], "check: unknown option '--evn', did you mean \"--env\"?"),
        (["merge", "--histroy", "x"], "merge: unknown option '--histroy', did you mean \"--history\"?"),
        (["init", "--ci=githb"], "init: unknown value 'githb', did you mean \"github\"?"),
        (["init", "--ci", "githb", "my-tests"], "init: unknown value 'githb', did you mean \"github\"?"),
        (["schema", "xyz"], "schema: unknown value 'xyz', known: wisebot.toml, suite"),
        (["completion", "bsh"], "completion: unknown value 'bsh', did you mean \"bash\"?"),
    ],
)
def test_a_typo_in_an_argument_is_an_error_that_names_the_closest(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An option or a choice that is mistyped ends with 2 and one line."""
    assert main(words) == 2
    assert capsys.readouterr().err == f"pytest-wisebot {message}\n"


def test_a_command_works_in_a_project_for_which_warnings_are_errors(empty_project: Project) -> None:
    """Commands configure pytest after they have loaded the plugin: pytest's warning of that ends none."""
    empty_project.write("pytest.ini", "[pytest]\nfilterwarnings = error\n")
    shown = wisebot("check", folder=empty_project.path)
    assert shown.stdout.splitlines()[0] == "no environment", shown.stderr
    assert "Traceback" not in shown.stderr


def test_both_ways_to_call_it_are_the_same() -> None:
    """``python -m pytest_wisebot`` is for where no script is on the path; ``-m pytest_wisebot.report`` stays."""
    script = Path(sys.executable).with_name("pytest-wisebot")
    if script.exists():
        done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
        assert done.stdout.startswith("pytest-wisebot ")
    assert "usage: pytest-wisebot COMMAND" in wisebot("--help").stdout
    for room, command in (("report", "report"), ("emulator", "emulator")):
        called = [sys.executable, "-m", f"pytest_wisebot.{room}", "--help"]
        done = subprocess.run(called, capture_output=True, text=True, check=True)
        assert done.stdout == wisebot(command, "--help").stdout
    merge = [sys.executable, "-m", "pytest_wisebot.report", "merge", "--help"]
    done = subprocess.run(merge, capture_output=True, text=True, check=True)
    assert done.stdout == wisebot("merge", "--help").stdout


def test_the_list_of_commands_loads_no_command() -> None:
    """Help and version come at once: no library and no room of the plugin is loaded for them."""
    code = (
        "import sys; from pytest_wisebot.cli.main import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr.split()
    assert not {"pytest", "pydantic", "httpx", "asyncio", "pytest_wisebot.redaction"} & {*loaded}


# --- completion

COMPLETE = """
eval "$SCRIPT"
COMP_WORDS=(%s) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_shtab_pytest_wisebot
printf '%%s\\n' "${COMPREPLY[@]}"
"""


@cache
def bash_script() -> str:
    return wisebot("completion", "bash").stdout


def completed(*words: str, folder: Path) -> list[str]:
    """What bash offers for the last of these words."""
    line = COMPLETE % " ".join(f"'{word}'" for word in ("pytest-wisebot", *words))
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, env={"SCRIPT": bash_script()}, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return sorted(done.stdout.split())


@pytest.mark.skipif(shutil.which("bash") is None, reason="without bash")
def test_a_shell_completes_commands_options_values_and_files(tmp_path: Path) -> None:
    """The printed script does it in bash, without starting Python."""
    (tmp_path / "reports").mkdir()
    (tmp_path / "review.txt").touch()
    assert completed("", folder=tmp_path) == sorted(COMMANDS)
    assert completed("s", folder=tmp_path) == ["scan", "schema"]
    assert completed("init", "--c", folder=tmp_path) == ["--ci"]
    assert completed("init", "--ci", "git", folder=tmp_path) == ["github", "gitlab"]
    assert completed("emulator", "--", folder=tmp_path) == ["--dashboard-port", "--fault", "--help", "--port"]
    assert completed("report", "re", folder=tmp_path) == ["reports"]
    assert completed("scan", "re", folder=tmp_path) == ["reports", "review.txt"]


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_a_script_with_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No command is left out of any shell's."""
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert [command for command in COMMANDS if not re.search(rf"\b{command}\b", script)] == []
    assert "--session" not in script


def test_without_its_library_completion_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error is the command that installs what is missing."""
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    expected = 'needs the library shtab: python -m pip install "pytest-wisebot[completion]"'
    assert expected in capsys.readouterr().err
