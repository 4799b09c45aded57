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

import pytest

from pytest_wisebot.emulator import Emulator
from pytest_wisebot.emulator.__main__ import ports, welcome
from pytest_wisebot.emulator.loading import load
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
