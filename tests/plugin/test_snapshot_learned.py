"""Kept runs show what differs from run to run: below a red snapshot, of a new one, and by ``pytest-wisebot learn``."""

from __future__ import annotations

import sys
import tomllib

import pytest
from harness import Project

FLOWS = """
    import threading
    from pathlib import Path
    from pytest_wisebot.emulator import Emulator

    emulator = Emulator(token="wb_live_FAKE_token_of_the_emulator")
    HERE, LOCK = Path(__file__).parent, threading.Lock()

    def counted():
        with LOCK:
            with (HERE / "count").open("a") as file:
                file.write("x")
            return (HERE / "count").stat().st_size

    @emulator.workflow("charge", secret="FAKE-secret-of-charge")
    def charge(inputs):
        n, total = counted(), (HERE / "total").read_text()
        return {"charge": {"id": f"ch-no{n}", "total": total}, "rows": [{"ref": f"r-no{n}", "sku": "A"}]}
"""

TEST = """
    @pytest.mark.wisebot("charge", inputs={"n": 1})
    def test_it(workflow_run, workflow_snapshot):
        assert workflow_run == workflow_snapshot

    def test_result(trigger_workflow, workflow_snapshot):
        assert trigger_workflow("charge", {"n": 1}).result == workflow_snapshot
"""

ONE = "test_it.py::test_it"

LINES = [
    "[snapshots.workflows.charge]",
    'volatile = ["result.charge.id", "result.rows[*].ref"]',
]


@pytest.fixture
def charges(project: Project) -> Project:
    """A workflow of which two values differ in each run, and one when the file says so."""
    project.write("flows.py", FLOWS)
    project.write("total", "5")
    project.test(TEST)
    return project


def runs_of(project: Project, count: int, *args: str) -> None:
    """Makes runs of equal inputs, in a session without snapshots."""
    text = f'def test_all(trigger_workflow):\n    trigger_workflow.map("charge", [{{"n": 1}}] * {count})\n'
    project.test(text, name="test_runs.py")
    assert project.run("-q", "test_runs.py", *args).ret == 0
    (project.path / "test_runs.py").unlink()


def learn(project: Project, *args: str) -> pytest.RunResult:
    """The command, in the project's folder."""
    return project.pytester.run(sys.executable, "-m", "pytest_wisebot", "learn", *args)


def test_a_red_snapshot_tells_what_is_volatile_and_what_is_a_real_change(charges: Project) -> None:
    """With the lines to paste, after which it is green; a changed value stays red, under xdist's workers too."""
    runs_of(charges, 4)
    assert charges.run("-q", ONE, "--snapshot-update").ret == 0
    charges.write("total", "9")
    for args, total in ((), 6), (("-n", "2"), 7):
        red = charges.run("-q", ONE, "-vv", *args).stdout.str()
        assert f"result.charge.id differed in {total - 1} of the last {total} runs of these inputs: volatile?" in red
        assert f"result.rows[*].ref differed in {total - 1} of the last {total} runs" in red
        same = (
            f"result.charge.total has been the same in the last {5 if total == 6 else 2} runs of these inputs: a real"
        )
        assert same in red
        assert all(line in red for line in LINES)


def test_pasted_lines_make_unchanged_workflows_green_and_changed_ones_red(charges: Project) -> None:
    """For a run and for its result, and whatever the type of the value."""
    with (charges.path / "wisebot.toml").open("a") as file:
        file.write("\n".join(["", *LINES]))
    assert charges.run("-q", "--snapshot-update").ret == 0
    assert charges.run("-q").ret == 0
    stored = next(charges.path.rglob("test_result.json")).read_text()
    assert '"id": "<volatile>"' in stored
    charges.write("total", "9")
    red = charges.run("-q")
    red.assert_outcomes(failed=2)
    assert "volatile?" not in red.stdout.str()
    assert "result.charge.total has been the same in the last" in red.stdout.str()
    assert "\ncharge.total has been the same" not in red.stdout.str()


def test_a_new_snapshot_tells_it_at_once(charges: Project) -> None:
    """Where there are runs of these inputs: two APIs, trials, earlier sessions. Nothing is said of what never ran."""
    first = charges.run("-q", ONE, "--snapshot-update").stdout.str()
    assert "volatile" not in first
    runs_of(charges, 2)
    (charges.path / "__snapshots__" / "test_it" / "test_it.json").unlink()
    again = charges.run("-q", ONE, "--snapshot-update").stdout.str()
    assert "recorded __snapshots__/test_it/test_it.json, of which" in again
    assert "result.charge.id differed in 3 of the last 4 runs of these inputs: volatile?" in again
    assert all(line in again for line in LINES)
    (charges.path / "__snapshots__" / "test_it" / "test_it.json").unlink()
    workers = charges.run("-q", ONE, "--snapshot-update", "-n", "1", "-W", "error").stdout.str()
    assert "result.charge.id differed in 4 of the last 5 runs of these inputs: volatile?" in workers
    assert "1 passed" in workers


def test_a_path_with_a_rule_is_not_suggested(charges: Project) -> None:
    """The rule states already how the value may differ: neither a new nor a red snapshot repeats it as volatile."""
    runs_of(charges, 4)
    charges.test("""
        class Any:
            def __eq__(self, other):
                return True

            def __repr__(self):
                return "any"

        @pytest.mark.wisebot("charge", inputs={"n": 1})
        def test_it(workflow_run, workflow_snapshot):
            assert workflow_run == workflow_snapshot(rules={"charge.id": Any(), "rows[*]": Any()})
    """)
    assert "volatile" not in charges.run("--snapshot-update").stdout.str()
    charges.write("total", "6")
    red = charges.run().stdout.str()
    assert "result.charge.total" in red
    assert "volatile" not in red


def test_trials_and_both_apis_are_runs_of_these_inputs(charges: Project) -> None:
    """In the session that records them."""
    charges.test(
        """
        @pytest.mark.wisebot("charge", inputs={"n": 1}, trials=3, min_passes=1)
        def test_it(workflow_run, workflow_snapshot):
            assert workflow_run == workflow_snapshot
        """
    )
    red = charges.run("--wisebot-api=both", "--snapshot-update", "-vv", "-rA").stdout.str()
    assert "of these inputs: volatile?" in red
    assert LINES[1] in red


def test_other_inputs_and_other_environments_are_no_runs_of_these_inputs(charges: Project) -> None:
    """What differs between them is an answer."""
    text = (charges.path / "wisebot.toml").read_text()
    charges.write("wisebot.toml", text + '\n[environments.other]\nemulator = "flows:emulator"\n')
    runs_of(charges, 3, "--wisebot-env=other")
    charges.run("-q", ONE, "--snapshot-update")
    red = charges.run("-q", ONE).stdout.str()
    assert "differed in 1 of the last 2 runs of these inputs" in red


@pytest.mark.parametrize("log", [b"\x00\xff not json\n", b'{"event":"run","key":"charge/webhook-1"}\n', b""])
def test_a_log_that_cannot_be_read_says_nothing(charges: Project, log: bytes) -> None:
    """The comparison stays what it is."""
    charges.run("-q", ONE, "--snapshot-update")
    for path in charges.path.rglob("events.jsonl"):
        path.write_bytes(log)
    red = charges.run("-q", ONE)
    red.assert_outcomes(failed=1)
    assert "result.charge.id" in red.stdout.str()
    assert "INTERNALERROR" not in red.stdout.str()


def test_learn_prints_lines_that_can_be_pasted(charges: Project) -> None:
    """With how often each path differed; pasted, unchanged workflows are green, and nothing more is listed."""
    runs_of(charges, 5)
    printed = learn(charges)
    assert printed.ret == 0
    text = printed.stdout.str()
    assert printed.outlines == [
        "# charge: 5 runs of 1 input",
        "[snapshots.workflows.charge]",
        "volatile = [",
        '    "result.charge.id",  # differed in 4 of 5 runs',
        '    "result.rows[*].ref",  # differed in 4 of 5 runs',
        "]",
    ]
    paths = ["result.charge.id", "result.rows[*].ref"]
    assert tomllib.loads(text) == {"snapshots": {"workflows": {"charge": {"volatile": paths}}}}
    with (charges.path / "wisebot.toml").open("a") as file:
        file.write(f"\n{text}")
    assert charges.run("-q", "--snapshot-update").ret == charges.run("-q").ret == 0
    assert learn(charges).outlines == [
        "# charge: 9 runs of 1 input: nothing differs again and again but what is masked already"
    ]


def test_learn_names_what_it_cannot_learn_from(charges: Project) -> None:
    """Too few runs, no runs, and an environment that does not exist."""
    (nothing,) = learn(charges).outlines
    assert nothing.startswith("# no runs are kept in ")
    runs_of(charges, 2)
    assert learn(charges, "--env", "local").outlines == [
        "# charge: 1 input with fewer than 3 runs, too few to learn from"
    ]
    wrong = learn(charges, "--env", "lokal")
    assert wrong.ret == 4
    assert 'unknown environment "lokal", did you mean "local"?' in wrong.stderr.str()


def test_learn_adds_to_what_the_file_has(charges: Project) -> None:
    """TOML allows no second table of a name; `[tool.wisebot]` has its own."""
    (charges.path / "wisebot.toml").unlink()
    charges.write(
        "pyproject.toml",
        """
        [tool.wisebot]
        default-environment = "local"
        [tool.wisebot.environments.local]
        emulator = "flows:emulator"
        [tool.wisebot.snapshots.workflows.charge]
        volatile = ["result.charge.id"]
        """,
    )
    runs_of(charges, 3)
    lines = learn(charges).outlines
    assert lines[1].startswith("[tool.wisebot.snapshots.workflows.charge]  # is there already")
    assert lines[2:5] == [
        "volatile = [",
        '    "result.charge.id",',
        '    "result.rows[*].ref",  # differed in 2 of 3 runs',
    ]


def test_what_is_volatile_is_no_drift_from_a_recording(charges: Project) -> None:
    """By the same lines; a total that differs is drift still."""
    with (charges.path / "wisebot.toml").open("a") as file:
        file.write("\n".join(["", *LINES]))
    charges.test('@pytest.mark.wisebot("charge")\ndef test_it(workflow_run):\n    assert_ok(workflow_run)\n')
    assert charges.run("-q", "--wisebot-runs=record").ret == 0
    assert charges.run("-q", "--wisebot-runs=verify").ret == 0
    charges.write("total", "9")
    drift = charges.run("-q", "--wisebot-runs=verify").stdout.str()
    assert "result.charge.total" in drift
    assert "result.charge.id" not in drift
