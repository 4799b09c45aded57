"""The emulator by hand: ``python -m pytest_wisebot.emulator flows.py``."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

import httpx
import pytest

from pytest_wisebot.emulator import Emulator, Fault
from pytest_wisebot.emulator.__main__ import ports, welcome
from pytest_wisebot.emulator.loading import load
from pytest_wisebot.emulator.spelled_faults import ALWAYS, KINDS, read_fault
from pytest_wisebot.errors import ConfigurationError

ONE = """
from pytest_wisebot.emulator import Emulator
emulator = Emulator(token="wb_live_CANARY_token")
emulator.workflow("triage", secret="whsec_CANARY_secret", inputs=("ticketId",))(lambda inputs: inputs)
"""

COMMAND = [sys.executable, "-m", "pytest_wisebot.emulator"]

WELCOME = """\
Wisebot emulator: flows.py

  webhook API    http://127.0.0.1:1
  dashboard API  http://127.0.0.1:2
  token          wb_live_CANARY_token

Workflows and their webhook secrets

  internal   whsec_CANARY_internal  (webhook switched off)
  it's a/b?  whsec_CANARY_$(secret)
  "a\\nb"     whsec_CANARY_line

To call it's a/b? from another shell:

export WISEBOT_WORKFLOW_TRIGGER_ORIGIN=http://127.0.0.1:1
export WISEBOT_WORKFLOW_SECRET='whsec_CANARY_$(secret)'
export WISEBOTAI_BASE_URL=http://127.0.0.1:2
export WISEBOT_ACCESS_TOKEN=wb_live_CANARY_token

curl -sS -X POST "$WISEBOT_WORKFLOW_TRIGGER_ORIGIN/workflows/trigger?workflowId=it%27s%20a%2Fb%3F" \\
  -H "Authorization: Bearer $WISEBOT_WORKFLOW_SECRET" \\
  -H "Content-Type: application/json" \\
  -d '{"who'"'"'s": "...", "b": "..."}'

curl -sS -X POST "$WISEBOTAI_BASE_URL/api/v1/flow/it%27s%20a%2Fb%3F" \\
  -H "Authorization: Bearer $WISEBOT_ACCESS_TOKEN" \\
  -H "Content-Type: application/json" \\
  -d '{"inputs": {"who'"'"'s": "...", "b": "..."}}'

To run tests against it, in wisebot.toml:

[environments.by-hand]
origin = "http://127.0.0.1:1"
base-url = "http://127.0.0.1:2"
token = "env:EMULATOR_TOKEN"

[environments.by-hand.workflows.internal]
secret = "env:EMULATOR_INTERNAL_SECRET"

[environments.by-hand.workflows."it's a/b?"]
secret = "env:EMULATOR_IT_S_A_B_SECRET"

[environments.by-hand.workflows."a\\nb"]
secret = "env:EMULATOR_A_B_SECRET"

and in the shell:

export EMULATOR_TOKEN=wb_live_CANARY_token
export EMULATOR_INTERNAL_SECRET=whsec_CANARY_internal
export EMULATOR_IT_S_A_B_SECRET='whsec_CANARY_$(secret)'
export EMULATOR_A_B_SECRET=whsec_CANARY_line
pytest --wisebot-env=by-hand

Ctrl-C ends it.
"""


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets what a test loads be forgotten."""
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.setattr(sys, "modules", sys.modules.copy())


def started(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs the command line in a folder until it ends by itself, which only errors do."""
    return subprocess.run([*COMMAND, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=30)


@contextmanager
def serving(*arguments: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Runs the command line in a folder; gives the process and what it printed when it began to serve."""
    with subprocess.Popen(
        [*COMMAND, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process, "".join(takewhile("Ctrl-C ends it.\n".__ne__, process.stdout))
        finally:
            process.kill()


def test_the_printed_text() -> None:
    """What is printed names the origins, the credentials and all workflows, and can be pasted into a shell."""
    emulator = Emulator(token="wb_live_CANARY_token")
    emulator.workflow("internal", secret="whsec_CANARY_internal", webhook=False)(lambda: None)
    emulator.workflow("it's a/b?", secret="whsec_CANARY_$(secret)", inputs=("who's", "b"))(lambda: None)
    emulator.workflow("a\nb", secret="whsec_CANARY_line")(lambda: None)
    assert welcome("flows.py", emulator, "http://127.0.0.1:1", "http://127.0.0.1:2") == WELCOME


def test_the_printed_text_without_workflows() -> None:
    """The output of an emulator without workflows shows that there are none."""
    text = welcome("flows.py", Emulator(token="wb_live_CANARY_token"), "http://127.0.0.1:1", "http://127.0.0.1:2")
    assert text.endswith("Workflows and their webhook secrets\n\n  none\n\nCtrl-C ends it.\n")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals to another process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_by_hand_until_ctrl_c(tmp_path: Path, number: signal.Signals) -> None:
    """It prints its text, serves, and ends by Ctrl-C or SIGTERM with code 0 and without a traceback."""
    (tmp_path / "flows.py").write_text(ONE)
    with serving("flows.py", "--port", "0", folder=tmp_path) as (process, text):
        (port,) = re.findall(r"webhook API +http://127.0.0.1:(\d+)", text)
        socket.create_connection(("127.0.0.1", int(port)), timeout=10).close()
        process.send_signal(number)
        assert process.communicate(timeout=10) == ("", "")
        assert process.returncode == 0


@pytest.mark.parametrize(
    ("given", "taken"),
    [((8787, None), (8787, 8788)), ((0, None), (0, 0)), ((0, 5), (0, 5)), ((5, 0), (5, 0))],
)
def test_the_dashboard_port_follows_the_webhook_port(given: tuple[int, int | None], taken: tuple[int, int]) -> None:
    """Without a port of its own the dashboard API takes the next one; where one port is free to choose, so is it."""
    assert ports(*given) == taken


@pytest.mark.parametrize("name", ["webhook", "dashboard"])
def test_a_port_in_use_is_named(tmp_path: Path, name: str) -> None:
    """A port that another program has is named in one line on stderr, with the code 2."""
    (tmp_path / "flows.py").write_text(ONE)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        webhook, dashboard = (port, "0") if name == "webhook" else ("0", port)
        ended = started("flows.py", "--port", webhook, "--dashboard-port", dashboard, folder=tmp_path)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    expected = f"pytest-wisebot emulator: error: {name} port: cannot listen on 127.0.0.1:{port}: "
    assert ended.stderr.startswith(expected)


@pytest.mark.parametrize(
    ("target", "text", "message"),
    [
        ("nowhere.py", "", "there is no file "),
        ("flows.py:", "", "expected flows.py, flows.py:attribute or package.module:attribute, got 'flows.py:'"),
        ("flows.py", "", "flows.py: there is no Emulator in it; write: emulator = Emulator()"),
        (
            "flows.py",
            f"{ONE}\nb = Emulator()",
            "flows.py: there are several emulators in it: emulator, b; write flows.py:NAME",
        ),
        ("flows.py:b", ONE, "flows.py: b is not there; the emulators in it: emulator"),
        (
            "flows.py",
            f"{ONE}\nemulator.workflow('x', latency=-1)",
            "flows.py, line 6: workflow 'x': latency: expected ",
        ),
    ],
)
def test_errors_are_one_line(tmp_path: Path, target: str, text: str, message: str) -> None:
    """An error is one line on stderr, with the code 2."""
    (tmp_path / "flows.py").write_text(text)
    ended = started(target, "--port", "0", folder=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert ended.stderr.startswith(f"pytest-wisebot emulator: error: {message}")


def test_an_exception_in_the_file_is_shown_from_the_file_on(tmp_path: Path) -> None:
    """A file that raises is shown by its own traceback, without the emulator's frames, with the code 2."""
    flows = tmp_path / "flows.py"
    flows.write_text("def load():\n    raise KeyError('cause')\n\nload()\n")
    ended = started("flows.py", folder=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith(
        "pytest-wisebot emulator: error: flows.py raised while it was loaded:\n"
        f'Traceback (most recent call last):\n  File "{flows.resolve()}", line 4, in <module>\n    load()\n'
    )
    assert ended.stderr.endswith("KeyError: 'cause'\n")


def test_a_syntax_error_shows_its_line(tmp_path: Path) -> None:
    """A file with invalid Python is shown with the wrong line."""
    (tmp_path / "flows.py").write_text("x = = 1\n")
    ended = started("flows.py", folder=tmp_path)
    assert ended.returncode == 2
    assert re.search(r'flows.py", line 1\n    x = = 1\n', ended.stderr)


@pytest.mark.parametrize(
    ("spelled", "message"),
    [
        ("tirage=status:503", "there is no workflow 'tirage'; there are 'triage'"),
        ("triage=stauts:503", "there is no fault 'stauts'; there are status, rate_limited, html, redirect, delay, "),
        ("triage=", "there is no fault ''; there are status, "),
        ("triage=status", "it takes a value; write status:CODE[,envelope=…]"),
        ("triage=status:99", "code: expected a whole number from 200 to 599, got 99; write status:CODE"),
        ("status:503:two", "expected a number of requests of at least 1, got 'two'; write status:CODE"),
        ("status:503:0", "expected a number of requests of at least 1, got '0'; write status:CODE"),
        ("reset_after:-1", "expected a number of requests of at least 1, got '-1'; write reset_after[:TIMES]"),
        ("delay:soon", "seconds: expected a number of seconds, got 'soon'; write delay:SECONDS[:TIMES]"),
        ("status:503,retry=3", "code: expected a whole number, got '503,retry=3'; write status:CODE"),
        ("status:503,envelope=no", "envelope: expected a JSON object, or true, got 'no'; write status:CODE"),
    ],
)
def test_a_wrong_fault_is_refused_before_anything_listens(tmp_path: Path, spelled: str, message: str) -> None:
    """A fault with a wrong workflow, kind, value or number is one line that has the right ones, with the code 2."""
    (tmp_path / "flows.py").write_text(ONE)
    ended = started("flows.py", "--port", "0", "--fault", spelled, folder=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert ended.stderr.startswith(f"pytest-wisebot emulator: error: --fault {spelled}: {message}")


@pytest.mark.parametrize(
    ("spelled", "fault", "workflow", "times"),
    [
        ("triage=status:503:2", Fault.status(503), "triage", 2),
        ("status:503", Fault.status(503), None, ALWAYS),
        ("status:503,retry_after=30:1", Fault.status(503, retry_after=30), None, 1),
        ("status:500,envelope=true", Fault.status(500, envelope=True), None, ALWAYS),
        (
            'status:500,envelope={"ok": false, "a": [1, 2]}:3',
            Fault.status(500, envelope={"ok": False, "a": [1, 2]}),
            None,
            3,
        ),
        ("rate_limited", Fault.rate_limited(), None, ALWAYS),
        ("rate-limited::4", Fault.rate_limited(), None, 4),
        ("rate_limited:2", Fault.rate_limited(2), None, ALWAYS),
        (
            "rate_limited:Wed, 21 Oct 2026 07:28:00 GMT:2",
            Fault.rate_limited("Wed, 21 Oct 2026 07:28:00 GMT"),
            None,
            2,
        ),
        ("html:504", Fault.html(504), None, ALWAYS),
        ("redirect:https://a.example:8443/:2", Fault.redirect("https://a.example:8443/"), None, 2),
        ("redirect::2", Fault.redirect(), None, 2),
        ("delay:1.5:2", Fault.delay(1.5), None, 2),
        ("reset_before:2", Fault.reset_before(), None, 2),
        ("reset-after", Fault.reset_after(), None, ALWAYS),
        ("cut_short", Fault.cut_short(), None, ALWAYS),
        ("invalid_utf8", Fault.invalid_utf8(), None, ALWAYS),
        ("endless", Fault.endless(), None, ALWAYS),
        ("drip:0.5", Fault.drip(0.5), None, ALWAYS),
        ('raw:{"a": 1},status=500:2', Fault.raw('{"a": 1}', status=500), None, 2),
        ("raw:12:30:", Fault.raw("12:30"), None, ALWAYS),
        ("a=b=raw:x=y", Fault.raw("x=y"), "a=b", ALWAYS),
    ],
)
def test_each_fault_has_a_spelling(spelled: str, fault: Fault, workflow: str | None, times: int) -> None:
    """Each fault of `Fault`, with each of its values, can be written on the command line."""
    emulator = Emulator()
    for workflow_id in ("a", "a=b", "triage"):
        emulator.workflow(workflow_id)(lambda: None)
    assert read_fault(spelled, emulator) == (spelled, fault, workflow, times)


def test_the_help_spells_each_fault(tmp_path: Path) -> None:
    """The help lists all faults: no class method of `Fault` is missing."""
    shown = started("--help", folder=tmp_path).stdout
    public = [name for name, method in vars(Fault).items() if isinstance(method, classmethod) and name[0] != "_"]
    assert [*KINDS] == [name for name in public if name != "from_dict"]
    assert all(f"\n  {name}" in shown for name in KINDS)


def test_faults_by_hand_answer_as_often_as_asked(tmp_path: Path) -> None:
    """The first requests of a workflow meet the fault, the next ones and those of other workflows do not."""
    (tmp_path / "flows.py").write_text(
        f'{ONE}emulator.workflow("other", secret="whsec_CANARY_secret")(lambda inputs: inputs)\n'
    )
    with serving("flows.py", "--port", "0", "--fault", "triage=status:503:2", folder=tmp_path) as (_, text):
        (origin,) = re.findall(r"webhook API +(http://127.0.0.1:\d+)", text)
        assert "\nFaults\n\n  triage=status:503:2  the first 2 requests for triage\n\nTo call" in text
        asked = ["other", "triage", "triage", "triage"]
        assert [status_of(origin, workflow) for workflow in asked] == [200, 503, 503, 200]


def status_of(origin: str, workflow: str) -> int:
    return httpx.post(
        f"{origin}/workflows/trigger?workflowId={workflow}",
        headers={"X-Workflow-Secret": "whsec_CANARY_secret"},
        json={"ticketId": "T-1"},
        trust_env=False,
    ).status_code


def test_the_session_option_is_hidden(tmp_path: Path) -> None:
    """The help shows what is meant for people."""
    shown = started("--help", folder=tmp_path).stdout
    assert "--dashboard-port" in shown
    assert "--session" not in shown


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("target", ["flows.py", "flows.py:emulator", "flows", "flows:emulator", "kit.deep:emulator"])
def test_targets(tmp_path: Path, target: str) -> None:
    """An emulator is named by its file or its module, with its attribute or as the only one there."""
    (tmp_path / "kit").mkdir()
    for name in ("flows.py", "kit/deep.py"):
        (tmp_path / name).write_text(f"{ONE}\nalias = emulator")
    assert list(load(target, tmp_path).workflows) == ["triage"]


@pytest.mark.usefixtures("path")
def test_a_file_finds_its_neighbours_and_they_find_it(tmp_path: Path) -> None:
    """A file's folder is put first on the path, and its neighbours that import it get the same emulator."""
    folder = tmp_path / "inner"
    folder.mkdir()
    (folder / "wise_flows.py").write_text(f"{ONE}\nimport more_flows")
    (folder / "more_flows.py").write_text("from wise_flows import emulator\nemulator.workflow('more')(lambda: 1)")
    assert list(load("inner/wise_flows.py", tmp_path).workflows) == ["triage", "more"]


@pytest.mark.usefixtures("path")
def test_a_file_takes_no_name_of_a_library(tmp_path: Path) -> None:
    """A file that is called like a loaded module of a library does not take that module's place."""
    (tmp_path / "json.py").write_text(ONE)
    load("json.py", tmp_path)
    assert sys.modules["json"] is json


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("target", ["", "a-b", "a b:c", "flows.py:a.b", "flows:"])
def test_what_names_nothing_is_refused(tmp_path: Path, target: str) -> None:
    """A target of another form is an error that shows the forms there are."""
    with pytest.raises(ConfigurationError, match=r"^expected flows.py, flows.py:attribute or package.module:attribute"):
        load(target, tmp_path)
