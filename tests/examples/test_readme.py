"""Every block of code in the README is run, as it stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from harness import ByHand, Project

from pytest_wisebot.settings.fields import option_fields

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)

# Where each block is run, in their order; a new block needs its line, and its run.
PLACES = [
    ("console", "test_the_examples_command"),
    ("console", "test_the_tests_command"),
    ("python", "first"),
    ("toml", "first"),
    ("python", "first"),
    ("console", "test_the_first_tests_pass"),
    ("toml", "test_the_same_tests_against_staging"),
    ("console", "test_the_same_tests_against_staging"),
    ("console", "test_an_origin_and_a_secret_are_enough"),
    ("text", "test_the_same_tests_against_staging"),
    ("text", "test_the_numbers_at_the_end"),
    ("python", "test_the_snapshots"),
    ("console", "test_the_snapshots"),
    ("text", "test_the_snapshots"),
    ("toml", "test_what_a_project_says_of_its_values"),
    ("text", "test_what_earlier_runs_show"),
    ("console", "test_nothing_is_paid_for_twice"),
    ("python", "test_the_trials"),
    ("toml", "test_the_gate"),
    ("console", "test_the_gate"),
    ("text", "test_the_gate"),
    ("yaml", "test_the_gate_in_ci"),
    ("console", "test_the_gate_over_shards"),
    ("python", "test_the_hook"),
    ("console", "test_the_emulator_by_hand"),
]


def block(kind: str, place: str, number: int = 0) -> str:
    found = [text for (_, text), named in zip(BLOCKS, PLACES, strict=True) if named == (kind, place)]
    return found[number]


def options(command: str) -> list[str]:
    """The arguments of a line that begins with ``pytest``."""
    line = next(line for line in command.splitlines() if line.startswith("pytest"))
    return line.split()[1:]


@pytest.fixture
def first(empty_project: Project) -> Any:
    """The project of "A first test"."""
    for kind, number in (("python", 0), ("toml", 0), ("python", 1)):
        text = block(kind, "first", number)
        empty_project.write(text.partition("\n")[0].removeprefix("# "), text)
    return empty_project


def test_the_trials(first: Any) -> None:
    """The test passes as soon as eight of its ten trials have."""
    imports = "import pytest\nfrom pytest_wisebot import assert_result\n"
    first.write("test_trials.py", imports + block("python", "test_the_trials"))
    result = first.run("-v", "test_trials.py")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["test_trials.py::test_mostly_right PASSED 8/8 (2 not needed)*"])


def test_every_block_has_its_place() -> None:
    """No block is left out."""
    assert [kind for kind, _ in BLOCKS] == [kind for kind, _ in PLACES]


@pytest.mark.slow
def test_the_examples_command() -> None:
    """The second half of the first command, run from the checkout; its first half is what CI begins with."""
    install, run = block("console", "test_the_examples_command").strip().split(" && ")
    assert f"{install} -q".replace(" -q", "").replace("install ", "install -q ") in (ROOT / ".ci" / "run").read_text(
        "utf-8"
    )
    done = subprocess.run(
        [sys.executable, *run.split()[1:], "-q", "-p", "no:cacheprovider"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tests_command() -> None:
    """The command that runs this very suite is the one that CI ends with."""
    install, run = block("console", "test_the_tests_command").strip().split(" && ")
    last = (ROOT / ".ci" / "run").read_text("utf-8").strip().splitlines()[-1]
    assert last.replace("install -q ", "install ") == f'( . "$work/newest/bin/activate" && {install} && {run} )'


def test_the_first_tests_pass(first: Any) -> None:
    """The three files, and the command below them."""
    result = first.run_apart(*options(block("console", "test_the_first_tests_pass")))
    result.assert_outcomes(passed=5)


def test_the_same_tests_against_staging(first: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The staging block is a valid file, its command says what the README shows, and production is protected."""
    monkeypatch.setenv("STAGING_WISE_KEY", "FAKE-staging-key")
    monkeypatch.setenv("TRIAGE_SECRET", "FAKE-triage-secret")
    with (first.path / "wisebot.toml").open("a", encoding="utf-8") as file:
        file.write("\n" + block("toml", "test_the_same_tests_against_staging"))
    first.test("def test_where(wisebot_settings): pass", "test_where.py")
    command = options(block("console", "test_the_same_tests_against_staging"))
    result = first.run("test_where.py", *command)
    result.assert_outcomes(passed=1)
    shown = [line for line in result.outlines if line.startswith("wisebot: ")]
    assert shown == block("text", "test_the_same_tests_against_staging").splitlines()
    assert first.run("test_where.py", "--wisebot-env", "production").ret == pytest.ExitCode.USAGE_ERROR


def test_the_numbers_at_the_end(first: Any) -> None:
    """The block is what the end of such a session looks like, but for its numbers."""
    first.test(
        """
        import time

        @pytest.fixture
        def unlucky(request):
            if request.node.callspec.params["inputs"]["n"] < 2:
                time.sleep(2)  # until its run has been sent, on a busy machine too
                pytest.skip("the test does not need its run after all")

        @pytest.mark.wisebot("triage")
        @pytest.mark.parametrize("inputs", [{"ticketId": "T-1", "n": n} for n in range(30)])
        def test_triage(unlucky, workflow_run, inputs):
            assert not workflow_run.ok
        """,
        "test_triage.py",
    )
    flows = (first.path / "flows.py").read_text("utf-8").replace('"triage", ', '"triage", latency=0.05, ')
    first.write("flows.py", flows)
    result = first.run()
    result.assert_outcomes(passed=28, skipped=2)
    start = next(index for index, line in enumerate(result.outlines) if re.fullmatch("=+ wisebot =+", line))
    shown = block("text", "test_the_numbers_at_the_end").splitlines()
    assert without_numbers(result.outlines[start : start + len(shown)]) == without_numbers(shown)


def test_the_snapshots(first: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite is recorded by the command, holds, and fails in the words of the block below it."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # by which syrupy knows a worker
    first.write("test_snapshots.py", block("python", "test_the_snapshots"))
    command = options(block("console", "test_the_snapshots"))
    first.run(*command).assert_outcomes(passed=4)
    folder = first.path / "__snapshots__" / "test_snapshots"
    assert sorted(path.name for path in folder.iterdir()) == [
        "test_parts.2.json",
        "test_parts.3.json",
        "test_parts.json",
        "test_parts[without its number].json",
        "test_refused.json",
        "test_triage.json",
    ]
    first.run("test_snapshots.py").assert_outcomes(passed=4)
    first.write("flows.py", (first.path / "flows.py").read_text("utf-8").replace("charged", "overcharged"))
    result = first.run("test_snapshots.py", "-k", "triage and webhook")
    shown = [line for line in result.outlines if line.startswith((">", "E "))]
    assert shown == block("text", "test_the_snapshots").splitlines()


def test_what_a_project_says_of_its_values(first: Any) -> None:
    """The table belongs into ``wisebot.toml``, and does what its comments say."""
    toml = (first.path / "wisebot.toml").read_text("utf-8")
    first.write("wisebot.toml", toml + "\n" + block("toml", "test_what_a_project_says_of_its_values"))
    first.test(
        """
        def test_it(workflow_snapshot):
            result = {"items": [{"id": "2026-05-01T10:00:00Z"}], "charge": {"id": 7}}
            created = {"createdAt": "2026-05-01T10:00:00Z", "result": result}
            assert {"orderNumber": "A-7", "text": "in sess_0a1b2c3d", **created} == workflow_snapshot
        """,
        "test_it.py",
    )
    first.run("test_it.py", "--snapshot-update").assert_outcomes(passed=1)
    assert json.loads((first.path / "__snapshots__" / "test_it" / "test_it.json").read_text("utf-8")) == {
        "createdAt": "2026-05-01T10:00:00Z",
        "orderNumber": "<order:1>",
        "result": {"charge": {"id": "<volatile>"}, "items": [{"id": "2026-05-01T10:00:00Z"}]},
        "text": "in <session:1>",
    }


BILLING = """
import threading
from pathlib import Path
from pytest_wisebot.emulator import Emulator

emulator, lock = Emulator(), threading.Lock()

@emulator.workflow("billing", secret="FAKE-secret")
def billing(inputs):
    with lock, (Path(__file__).parent / "count").open("a") as file:
        file.write("x")
        return {"charge": {"id": f"ch-no{file.tell()}"}, "total": int(Path(__file__).with_name("total").read_text())}
"""


def test_what_earlier_runs_show(first: Any) -> None:
    """The lines below a red snapshot, of ten runs of which the last one has another total."""
    first.write("flows.py", BILLING)
    first.write("total", "5")
    first.test(
        """
        def test_before(trigger_workflow):
            trigger_workflow.map("billing", [{}] * 8)

        @pytest.mark.wisebot("billing")
        def test_it(workflow_run, workflow_snapshot):
            assert workflow_run == workflow_snapshot
        """,
        "test_it.py",
    )
    first.run("test_it.py::test_before").assert_outcomes(passed=1)
    first.run("test_it.py::test_it", "--snapshot-update").assert_outcomes(passed=1)
    first.write("total", "6")
    lines = first.run("test_it.py::test_it").outlines
    start = lines.index("result.charge.id differed in 9 of the last 10 runs of these inputs: volatile?")
    assert lines[start : start + 5] == block("text", "test_what_earlier_runs_show").splitlines()


def without_numbers(lines: list[str]) -> list[str]:
    return [re.sub(r"[\d.]+", "N", line) for line in lines]


def test_nothing_is_paid_for_twice(first: Any) -> None:
    """Each command does what the table says, in the order in which they stand there."""
    first.run().assert_outcomes(passed=5)
    flows = (first.path / "flows.py").read_text("utf-8")
    for command in block("console", "test_nothing_is_paid_for_twice").splitlines():
        offline = "=last" in command or "=replay" in command
        first.write("flows.py", "raise RuntimeError('asked')" if offline else flows)
        first.run(*command.split()[1:]).assert_outcomes(passed=5)


def test_an_origin_and_a_secret_are_enough(
    empty_project: Project, emulator_by_hand: ByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another host and secret the command runs a test without any file."""
    command = block("console", "test_an_origin_and_a_secret_are_enough")
    monkeypatch.setenv(re.findall(r"export (\w+)=", command)[0], "FAKE-secret-of-echo")
    given = [re.sub(r"https:.*", emulator_by_hand.origin, item) for item in options(command)]
    empty_project.test("def test_it(trigger_workflow): assert trigger_workflow('echo').source == 'live'")
    empty_project.run(*given).assert_outcomes(passed=1)


def test_the_hook(empty_project: Project, emulator_by_hand: ByHand, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook sends the runs to the preview deployment that a variable names."""
    empty_project.write("conftest.py", block("python", "test_the_hook"))
    monkeypatch.setenv("PREVIEW_URL", emulator_by_hand.base_url)
    monkeypatch.setenv("PREVIEW_TOKEN", "wb_live_FAKE_token_of_the_emulator")
    empty_project.test("def test_it(trigger_workflow): assert trigger_workflow('echo', api='dashboard').ok")
    empty_project.run().assert_outcomes(passed=1)


def test_the_emulator_by_hand(first: Any) -> None:
    """The command serves ``flows.py`` until it is ended; on a free port here."""
    command = block("console", "test_the_emulator_by_hand").strip().replace("8787", "0").split()
    process = subprocess.Popen(
        [sys.executable, *command[1:]],
        cwd=first.path,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        until = time.monotonic() + 20
        text = ""
        while "triage" not in text and time.monotonic() < until:
            text += process.stdout.readline()
        assert "http://127.0.0.1:" in text
    finally:
        process.terminate()
        process.communicate()


@pytest.fixture
def staged(first: Any, serve: Any) -> Any:
    """The project of "A first test", whose staging is its own emulator, served apart."""
    handle = serve((first.path / "flows.py").read_text("utf-8"))
    with (first.path / "wisebot.toml").open("a", encoding="utf-8") as file:
        lines = [f'origin = "{handle.origin}"', f'base-url = "{handle.base_url}"', 'secret = "file:secret.txt"']
        file.write("\n".join(["[environments.staging]", *lines, 'token = "file:token.txt"', ""]))
        file.write(block("toml", "test_the_gate"))
    (first.path / "secret.txt").write_text(handle._ready.secrets["triage"], "utf-8")
    (first.path / "token.txt").write_text(handle.token, "utf-8")
    first.hosts = f"{handle.origin} and {handle.base_url}"
    return first


def test_the_gate(staged: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The block is what such a session ends with where a test fails; and the gate is open where none does."""
    monkeypatch.setenv("COLUMNS", "160")
    command = options(block("console", "test_the_gate"))
    result = staged.run(*command)
    assert result.ret == 0
    assert any(line.startswith("GATE OPEN: 5 passed; ") for line in result.outlines)
    staged.edit("test_triage.py", '== "billing"', '== "other"')
    result = staged.run(*command)
    assert result.ret == 1
    start = next(at for at, line in enumerate(result.outlines) if "= GATE CLOSED =" in line)
    shown = block("text", "test_the_gate").splitlines()
    told = [line.replace(staged.hosts, HOSTS) for line in result.outlines[start : start + len(shown)]]
    assert [re.sub(r"\d+\.\d+ s", "S s", line).strip("=") for line in told] == [
        re.sub(r"\d+\.\d+ s", "S s", line).strip("=") for line in shown
    ]


HOSTS = "https://happy-otter-123.convex.site and https://staging.example.com"


def test_the_gate_in_ci() -> None:
    """The step has the options of the command above it, and those that CI adds; its folder is the one it uploads."""
    step = block("yaml", "test_the_gate_in_ci").replace("\\\n", " ")
    for option in options(block("console", "test_the_gate")):
        assert option in step
    assert "path: report }" in step


def test_the_gate_over_shards(staged: Any) -> None:
    """Each part of the suite opens no gate, and all of them together do."""
    staged.run("--wisebot-env", "staging", "--wisebot-report", "shard-1", "-k", "call")
    staged.run("--wisebot-env", "staging", "--wisebot-report", "shard-2", "-k", "declared")
    staged.run("--wisebot-env", "staging", "--wisebot-report", "shard-3", "-k", "not call and not declared")
    command = block("console", "test_the_gate_over_shards").split()
    merged = subprocess.run([sys.executable, *command[1:]], cwd=staged.path, capture_output=True, text=True)
    assert merged.returncode == 0, merged.stdout
    assert merged.stdout.splitlines()[1].startswith("GATE OPEN: 5 passed; ")


def test_the_manual_writes_each_value_with_its_option() -> None:
    """All documents, examples and help texts show ``--option=value``, the one form that moves no rootdir."""
    files = [path for name in ("README.md", "CHANGELOG.md", "ARCHITECTURE.md", "examples", "pytest_wisebot", ".github")
             for path in ([ROOT / name] if (ROOT / name).is_file() else sorted((ROOT / name).rglob("*")))]  # fmt: skip
    texts = [path for path in files if path.suffix in (".md", ".py", ".toml", ".yml", ".txt", ".html")]
    names = "|".join(field.option_name for field in option_fields() if field.flag is None)
    apart = re.compile(rf"(?:{names}) +(?:[A-Z]{{1,}}\b|\d|[\"'${{<]|[\w./-]+[:/.]\w|staging|both|out\b)")
    found = [f"{path.name}: {one[0]}" for path in texts for one in apart.finditer(path.read_text("utf-8"))]
    assert not found
