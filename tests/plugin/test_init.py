"""``pytest-wisebot init``: a first project that passes at once, beside whatever is there."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from harness import Project

from pytest_wisebot.cli.init import CI, main

ROOT = Path(__file__).parents[2]
WRITTEN = {"wisebot.toml", "flows.py", "tests/test_wisebot.py", ".gitignore"}
TESTS = 4


@pytest.fixture
def folder(empty_project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, which is the current one."""
    monkeypatch.chdir(empty_project.path)
    return empty_project.path


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def passed(project: Project, *args: str) -> int:
    """How many tests a bare ``python -m pytest`` passes, and no other."""
    result = project.pytester.run(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args)
    outcomes = result.parseoutcomes()
    assert outcomes.keys() == {"passed"}
    return outcomes["passed"]


def test_the_written_project_passes_at_once(
    folder: Path, empty_project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """One command and ``python -m pytest``; the command names each file, and what to type next."""
    assert main([]) == 0
    assert files(folder) == WRITTEN
    assert capsys.readouterr().out.splitlines() == [
        "wrote  wisebot.toml",
        "wrote  flows.py",
        f"wrote  {Path('tests/test_wisebot.py')}",
        "wrote  .gitignore",
        "next: python -m pytest",
    ]
    assert passed(empty_project, "-W", "error", "--strict-markers", "--strict-config") == TESTS
    assert passed(empty_project, "-n", "2", "--import-mode=importlib", "--wisebot-api=both") == 2 * TESTS


def test_another_folder_is_made(folder: Path, empty_project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder may have others above it that do not exist either."""
    assert main(["sub/my tests"]) == 0
    assert files(folder / "sub" / "my tests") == WRITTEN
    assert capsys.readouterr().out.splitlines()[-1] == "next: cd 'sub/my tests' && python -m pytest"
    assert passed(empty_project, "sub/my tests") == TESTS


def checked(folder: Path, *command: str) -> None:
    """Runs a checker on the written code, with no settings but these."""
    words = [sys.executable, "-m", *command, "flows.py", "tests"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_written_code_is_clean(folder: Path) -> None:
    """Ruff has nothing to say of it, at its own line length and at 120."""
    main([])
    checked(folder, "ruff", "check", "--isolated")
    rules = "--select=E,W,F,I,D,B,N,UP,ANN,RUF,PT", "--ignore=ANN401,D203,D213"
    checked(folder, "ruff", "check", "--isolated", *rules)
    checked(folder, "ruff", "format", "--isolated", "--check")
    checked(folder, "ruff", "format", "--isolated", "--check", "--line-length=120")


@pytest.mark.slow
def test_the_written_code_has_the_right_types(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor has mypy in strict mode.

    It runs in the checkout, where it has the types of all libraries in its cache: it runs there before the tests.
    """
    main([])
    monkeypatch.setenv("MYPYPATH", str(folder))
    words = [sys.executable, "-m", "mypy", "--strict", str(folder / "flows.py"), str(folder / "tests")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "in 2 source files" in done.stdout


def test_nothing_is_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second time changes no byte, and names each file that was there."""
    main(["--ci=github"])
    for name in files(folder):
        (folder / name).write_text(f"mine: {name}\n.wisebot\n", "utf-8")
    before = {name: (folder / name).read_bytes() for name in files(folder)}
    capsys.readouterr()
    assert main(["--ci=github"]) == 0
    assert {name: (folder / name).read_bytes() for name in files(folder)} == before
    kept = [line for line in capsys.readouterr().out.splitlines() if line.startswith("kept")]
    assert len(kept) == 4
    assert all(line.endswith(", which was there") for line in kept)


def test_what_is_missing_is_written_beside_what_is_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of one's own stays; the output says that it may not fit the new ones."""
    (folder / "flows.py").write_text("mine = 1\n", "utf-8")
    assert main([]) == 0
    assert files(folder) == WRITTEN
    assert (folder / "flows.py").read_text("utf-8") == "mine = 1\n"
    shown = capsys.readouterr().out
    assert "kept   flows.py, which was there\n" in shown
    assert "what was kept may not fit what was written: " in shown


@pytest.mark.parametrize(
    ("name", "text", "tests", "mine"),
    [
        ("pyproject.toml", '[tool.pytest.ini_options]\ntestpaths = ["checks", "tests"]\n', "checks", 1),
        ("pyproject.toml", '[tool.pytest.ini_options]\ntestpaths = "checks"\n', "checks", 0),
        ("pyproject.toml", "[project]\nname = 'mine'\nversion = '1'\n", "tests", 1),
        ("pytest.ini", "[pytest]\ntestpaths =\n    checks\n    tests\n", "checks", 1),
        ("setup.cfg", "[tool:pytest]\ntestpaths = checks\n", "checks", 0),
        ("tox.ini", "[pytest]\ntestpaths = **/checks tests\n", "tests", 1),
    ],
)
def test_a_project_that_has_tests_gets_one_more(
    folder: Path, empty_project: Project, name: str, text: str, tests: str, mine: int
) -> None:
    """The new test stands where a bare ``pytest`` looks, beside the tests that are there."""
    empty_project.write(name, text)
    empty_project.write("tests/__init__.py", "")
    empty_project.write("tests/test_mine.py", "def test_mine(): pass\n")
    assert main([]) == 0
    assert (folder / tests / "test_wisebot.py").is_file()
    assert passed(empty_project) == TESTS + mine


def test_settings_in_pyproject_stay_the_only_ones(
    folder: Path, empty_project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """A project whose ``pyproject.toml`` has ``[tool.wisebot]`` gets no second file of settings."""
    local = (
        '[tool.wisebot]\ndefault-environment = "local"\n[tool.wisebot.environments.local]\nemulator = "flows:emulator"'
    )
    empty_project.write("pyproject.toml", local)
    assert main([]) == 0
    assert files(folder) == {*WRITTEN, "pyproject.toml"} - {"wisebot.toml"}
    assert "kept   pyproject.toml, which was there" in capsys.readouterr().out
    assert passed(empty_project) == TESTS


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, b".wisebot/\n"),
        (b"*.pyc", b"*.pyc\n.wisebot/\n"),
        (b"*.pyc\r\n", b"*.pyc\r\n.wisebot/\r\n"),
        (b"/.wisebot\n*.pyc\n", b"/.wisebot\n*.pyc\n"),
    ],
)
def test_git_ignores_kept_runs(folder: Path, before: bytes | None, after: bytes) -> None:
    """``.gitignore`` gets one line, once, and keeps its own."""
    if before is not None:
        (folder / ".gitignore").write_bytes(before)
    main([])
    main([])
    assert (folder / ".gitignore").read_bytes() == after


def test_the_environment_to_fill_in_is_one_that_the_settings_accept(folder: Path, empty_project: Project) -> None:
    """With the "#" taken away, the commented part is read, and names the first credential that is missing."""
    main([])
    text = (folder / "wisebot.toml").read_text("utf-8")
    filled = re.sub(r"^# (?=\[|[\w-]+ = )", "", text, flags=re.MULTILINE)
    assert list(tomllib.loads(filled)["environments"]) == ["local", "staging"]
    (folder / "wisebot.toml").write_text(filled, "utf-8")
    result = empty_project.run("--wisebot-env=staging", "-k", "call")
    said = result.stdout.str() + result.stderr.str()
    assert "env:TRIAGE_SECRET: the environment variable TRIAGE_SECRET is not set" in said


@pytest.mark.parametrize("service", CI)
def test_what_the_gate_job_needs_is_printed(folder: Path, capsys: pytest.CaptureFixture[str], service: str) -> None:
    """With ``--ci``, the output names the table to fill in and the secrets to set."""
    assert main([f"--ci={service}"]) == 0
    assert (
        "for the gate job: fill in [environments.staging] in wisebot.toml, "
        "and set the secrets STAGING_WISE_KEY and TRIAGE_SECRET\n"
    ) in capsys.readouterr().out


def test_the_gate_job_needs_what_the_own_settings_name(
    folder: Path, empty_project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """Settings in ``pyproject.toml`` are named as they stand there."""
    empty_project.write("pyproject.toml", '[tool.wisebot.environments.staging]\ntoken = "env:MY_OWN_KEY"\n')
    assert main(["--ci=github"]) == 0
    assert (
        "for the gate job: fill in [tool.wisebot.environments.staging] in pyproject.toml, "
        "and set the secret MY_OWN_KEY\n"
    ) in capsys.readouterr().out


@pytest.mark.parametrize("service", CI)
def test_the_ci_file_names_what_the_project_has(folder: Path, service: str) -> None:
    """Each service gets its file, with the credentials that ``wisebot.toml`` names; YAML is YAML."""
    assert main([f"--ci={service}"]) == 0
    text = (folder / CI[service]).read_text("utf-8")
    assert text.count("STAGING_WISE_KEY") == text.count("TRIAGE_SECRET") >= 1
    assert "@" not in re.sub(r"uses: [\w/-]+@v\d", "", text)
    assert "pip install pytest-wisebot\n" in text.replace("'", "")
    if service != "jenkins":
        assert isinstance(yaml.safe_load(text), dict)
    assert service == "jenkins" or "  local:" in text or "wisebot-local:" in text


def test_the_ci_file_stands_at_the_root_of_the_repository(folder: Path) -> None:
    """In a repository the services look at its root alone; from there the commands name the folder of the tests."""
    (folder / ".git").mkdir()
    (folder / "e2e").mkdir()
    (folder / "e2e" / "wisebot.toml").write_text('[environments.staging]\ntoken = "env:MY_OWN_KEY"\n', "utf-8")
    assert main(["e2e", "--ci=github"]) == 0
    text = (folder / ".github" / "workflows" / "wisebot.yml").read_text("utf-8")
    assert "python -m pytest e2e --wisebot-env=staging --wisebot-gate" in text
    assert "          MY_OWN_KEY: ${{ secrets.MY_OWN_KEY }}\n" in text
    assert "TRIAGE_SECRET" not in text


@pytest.mark.parametrize(
    ("service", "line"),
    [
        ("github", "      - run: python -m pytest 'e2e/my tests' --junitxml=junit.xml\n"),
        ("gitlab", "    - python -m pytest 'e2e/my tests' --junitxml=junit.xml\n"),
        ("jenkins", "sh '''.venv/bin/python -m pytest 'e2e/my tests' --junitxml=junit-local.xml'''\n"),
    ],
)
def test_a_folder_with_a_blank_is_quoted(folder: Path, service: str, line: str) -> None:
    """The name stands within a command of the CI service's shell."""
    (folder / ".git").mkdir()
    assert main(["e2e/my tests", f"--ci={service}"]) == 0
    assert line in (folder / CI[service]).read_text("utf-8")


@pytest.mark.parametrize(("target", "named"), [("file", "file"), ("file/below", "file/below"), (".", "tests")])
def test_a_file_in_the_way_of_a_folder_is_an_error(
    folder: Path, capsys: pytest.CaptureFixture[str], target: str, named: str
) -> None:
    """One line on stderr that names it, and exit code 2."""
    (folder / "file").touch()
    (folder / "tests").touch()
    assert main([target]) == 2
    assert capsys.readouterr().err == f"pytest-wisebot init: {Path(named)}: a file is in the way of a folder\n"
    assert files(folder) <= {"file", "tests", "wisebot.toml", "flows.py"}


def test_an_unknown_service_is_an_error_with_the_known_ones(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A typo in ``--ci`` names the services, and writes nothing."""
    with pytest.raises(SystemExit):
        main(["--ci=gihtub"])
    assert re.search("github.*gitlab.*jenkins", capsys.readouterr().err)
    assert files(folder) == set()
