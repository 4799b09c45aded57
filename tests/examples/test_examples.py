"""The examples, run as a reader would run them: as they stand, and copied out of the checkout."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import Project

from pytest_wisebot.cli.init import ci_file
from pytest_wisebot.cli.main import parser_of
from pytest_wisebot.settings.fields import option_fields

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
CI_FILES = sorted((EXAMPLES / "ci").iterdir())


@pytest.fixture
def copied(empty_project: Project) -> Any:
    """The examples in a folder of their own."""
    shutil.copytree(EXAMPLES, empty_project.path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    return empty_project


@pytest.mark.parametrize(
    ("args", "passed"),
    [
        (["-n", "2"], 64),
        (["-p", "no:xdist", "-p", "no:syrupy", "--ignore=test_snapshots.py", "--ignore-glob=*.wisebot.yaml"], 50),
    ],
    ids=str,
)
def test_they_pass_anywhere(copied: Any, args: list[str], passed: int) -> None:
    """No account, no credential, no checkout; without syrupy all but the snapshots."""
    result = copied.run_apart(*args)
    assert result.ret == 0
    assert result.parseoutcomes() == {"passed": passed}


def test_their_snapshots_hold_time_after_time(copied: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty times they are green, although a model's words differ in each; and an update changes nothing."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # by which syrupy knows a worker, which says nothing
    folder = copied.path / "__snapshots__" / "test_snapshots"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert len(before) == 5
    for number in range(19):  # a folder each, since a session compares each snapshot once
        again = copied.path / f"again_{number}"
        shutil.copytree(folder, again / "__snapshots__" / "test_snapshots")
        shutil.copy(copied.path / "test_snapshots.py", again)
    folders = [f"again_{number}" for number in range(19)]
    result = copied.run("-q", "--import-mode=importlib", "test_snapshots.py", *folders)
    assert result.ret == 0
    assert "100 snapshots passed." in result.outlines
    copied.run("-q", "test_snapshots.py", "--snapshot-update")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_each_workflow_has_a_snapshot() -> None:
    """A workflow that ``flows.py`` gains needs one, too."""
    text = (EXAMPLES / "test_snapshots.py").read_text("utf-8")
    workflows = re.findall(r'^@emulator\.workflow\("(\w+)"', (EXAMPLES / "flows.py").read_text("utf-8"), re.MULTILINE)
    assert len(workflows) == 3
    assert [workflow for workflow in workflows if f'"{workflow}"' not in text] == []


def test_each_workflow_has_a_data_file_and_a_suite() -> None:
    """In the formats that people without Python keep."""
    assert sorted(path.name for path in EXAMPLES.glob("*.wisebot.yaml")) == [
        "refund.wisebot.yaml",
        "summarise.wisebot.yaml",
        "triage.wisebot.yaml",
    ]
    text = (EXAMPLES / "test_cases.py").read_text("utf-8")
    found = re.findall(r'wisebot\("(\w+)", cases="(\S+)"\)', text)
    assert found == [("triage", "tickets.csv"), ("summarise", "texts.yaml"), ("refund", "refunds.jsonl")]


READ_AS_FILES = ("*.py", "*.toml", "*.yaml", "*.csv", "*.jsonl")
GATED = ("--wisebot-gate", "--wisebot-env=local")
WITHOUT_PYTHON = ("test_cases.py", "triage.wisebot.yaml", "summarise.wisebot.yaml", "refund.wisebot.yaml")


def test_cases_and_suites_are_replayed(copied: Any) -> None:
    """Their runs are recorded as those of any test, and replayed without a Wisebot, by one process and by two."""
    copied.run(*WITHOUT_PYTHON, "--wisebot-runs=record").assert_outcomes(passed=20)
    copied.write("flows.py", "raise RuntimeError('no emulator is started')")
    for workers in ((), ("-n", "2")):
        copied.run_apart(*WITHOUT_PYTHON, "--wisebot-runs=replay", *workers).assert_outcomes(passed=20)


def test_cases_and_suites_stand_under_a_gate(copied: Any) -> None:
    """A gate opens over them; it closes where a cell of the table is changed, and where a tag narrows them."""
    toml = (copied.path / "wisebot.toml").read_text("utf-8").partition("[gate]")[0]
    copied.write("wisebot.toml", f"{toml}\n[gate]\nallow-emulator = true\n")
    for path in {*copied.path.glob("test_*.py")} - {copied.path / f"test_{name}.py" for name in ("cases", "snapshots")}:
        path.unlink()
    for workers in ((), ("-n", "2")):
        opened = copied.run_apart(*GATED, *workers)
        assert opened.ret == 0
        assert any(line.startswith("GATE OPEN: 25 passed; ") for line in opened.outlines)
    narrowed = copied.run_apart(*GATED, "--wisebot-tag=money", "-n", "2")
    assert narrowed.ret == 11
    assert "--wisebot-tag" in narrowed.stdout.str()
    copied.edit("tickets.csv", "shipping,1", "billing,1")
    for workers in ((), ("-n", "2")):
        closed = copied.run_apart(*GATED, *workers)
        assert closed.ret == 1
        assert any(line.startswith("GATE CLOSED") or "= GATE CLOSED" in line for line in closed.outlines)


def test_they_run_over_both_apis(copied: Any) -> None:
    """What they promise holds over either API, in a copy too, by one process."""
    result = copied.run_apart("--wisebot-api", "both")
    assert result.ret == 0
    assert result.parseoutcomes()["passed"] > 64


def test_they_run_against_a_wisebot_that_is_named_by_options(copied: Any) -> None:
    """With hosts, a secret and a token the same tests run elsewhere; those that need an emulator are skipped."""
    from pytest_wisebot.emulator.handle import EmulatorProcess

    flows = (copied.path / "flows.py").read_text("utf-8")
    same = re_secret(flows)
    folder = copied.path / "elsewhere"
    folder.mkdir()
    (folder / "flows.py").write_text(same, "utf-8")
    process = EmulatorProcess.start("flows:emulator", folder)
    try:
        hosts = ["--wisebot-origin", process.ready.origin, "--wisebot-base-url", process.ready.base_url]
        credentials = ["--wisebot-secret", "FAKE-one-secret-for-all", "--wisebot-token", process.ready.token]
        result = copied.run_apart(*hosts, *credentials)
    finally:
        process.stop()
    assert result.parseoutcomes() == {"passed": 62, "skipped": 2}


def re_secret(flows: str) -> str:
    """The same workflows with one secret, since one option gives one."""
    return flows.replace("inputs=(", 'secret="FAKE-one-secret-for-all", inputs=(')


def test_their_staging_and_production_are_what_the_comments_say(copied: Any) -> None:
    """Without its variables staging fails for want of a credential; production refuses to run."""
    staging = copied.run_apart("--wisebot-env", "staging", "test_first.py")
    assert "env:TRIAGE_SECRET: the environment variable TRIAGE_SECRET is not set" in staging.stderr.str()
    assert copied.run_apart("--wisebot-env", "production").ret == pytest.ExitCode.USAGE_ERROR


def test_the_ci_files_name_every_variable_of_the_file() -> None:
    """A variable that ``wisebot.toml`` names and the CI files forget would fail the first real session."""
    staging = tomllib.loads((EXAMPLES / "wisebot.toml").read_text("utf-8"))["environments"]["staging"]
    named = {staging["token"], *(workflow["secret"] for workflow in staging["workflows"].values())}
    for file in CI_FILES:
        text = file.read_text("utf-8")
        assert [name for name in named if name.removeprefix("env:") not in text] == []


@pytest.mark.parametrize(
    ("service", "name"),
    [("github", "github-actions.yml"), ("gitlab", "gitlab-ci.yml"), ("jenkins", "Jenkinsfile")],
)
def test_the_ci_files_are_what_init_writes(service: str, name: str) -> None:
    """There is one source for both: `pytest_wisebot/cli/templates`."""
    settings = (EXAMPLES / "wisebot.toml").read_text("utf-8")
    expected = ci_file(service, settings, tests="examples ", needs=" dirty-equals")
    assert (EXAMPLES / "ci" / name).read_text("utf-8") == expected


@pytest.mark.parametrize("file", CI_FILES, ids=lambda file: file.name)
def test_the_ci_files_can_be_read_by_their_service(file: Path) -> None:
    """YAML is YAML with jobs in it; what Groovy opens it closes, in the right order."""
    text = file.read_text("utf-8")
    if file.suffix == ".yml":
        jobs = yaml.safe_load(text)
        jobs = jobs.get("jobs", jobs)
        assert any("script" in job or "steps" in job for job in jobs.values() if isinstance(job, dict))
        return
    open_brackets = ""
    for bracket in re.findall(
        r"[(){}\[\]]", re.sub(r"//.*|'''.*?'''|'[^'\n]*'|\"[^\"\n]*\"", "", text, flags=re.DOTALL)
    ):
        if bracket in "({[":
            open_brackets += bracket
        else:
            assert open_brackets[-1:] + bracket in ("()", "{}", "[]")
            open_brackets = open_brackets[:-1]
    assert open_brackets == ""


@pytest.mark.parametrize("file", CI_FILES, ids=lambda file: file.name)
def test_the_commands_of_the_ci_files_exist(file: Path) -> None:
    """Each option of pytest and each command of `pytest-wisebot` is there, and is written as ``--option=value``."""
    text = re.sub(r" \\\n +|\n +(?=--)", " ", file.read_text("utf-8"))
    fields = {field.option_name: field for field in option_fields()}
    used = re.findall(r"(--wisebot-[a-z0-9-]+)(=?)", text)
    assert used
    assert [name for name, _ in used if name not in fields] == []
    assert [name for name, equals in used if bool(equals) != (fields[name].flag is None)] == []
    for command, rest in re.findall(r"(?<=pytest-wisebot )(report|merge)( [^\n]*)", text):
        arguments = [word.strip('"') for word in rest.split()]
        assert [word for word in arguments if word.startswith("--") and "=" not in word] == []
        parser_of(command).parse_args(arguments)


def test_the_ci_files_keep_history_baseline_and_summary() -> None:
    """Each one compares with the last deployment, remembers how tests were before, and shows the summary."""
    for file in CI_FILES:
        text = file.read_text("utf-8")
        for option in ("baseline", "history", "summary"):
            assert re.search(rf"--(wisebot-)?{option}=", text), f"{file.name}: {option}"


def test_the_tour_leads_to_every_file() -> None:
    """`examples/README.md` names each example, and leads nowhere else."""
    links = re.findall(r"\]\(([^)]+)\)", (EXAMPLES / "README.md").read_text("utf-8"))
    files = {path.relative_to(EXAMPLES).as_posix() for pattern in READ_AS_FILES for path in EXAMPLES.glob(pattern)}
    assert set(links) == files | {path.relative_to(EXAMPLES).as_posix() for path in CI_FILES}


def test_the_help_of_the_emulator_names_no_internals() -> None:
    """``--help`` of the emulator shows what a person may use."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest_wisebot.emulator", "--help"], capture_output=True, text=True, check=True
    )
    assert "--port" in done.stdout
    assert "--session" not in done.stdout
