from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pytest_wisebot.emulator import EmulatorHandle
from pytest_wisebot.engine.engine import Engine
from pytest_wisebot.redaction import Redactor
from pytest_wisebot.runs import Api, RunRequest, WorkflowRun
from pytest_wisebot.settings import Settings, Workflow

FLOWS = """
    from pytest_wisebot.emulator import Emulator

    emulator = Emulator(token="wb_live_FAKE_token_of_the_emulator")

    @emulator.workflow("echo", secret="FAKE-secret-of-echo")
    def echo(inputs):
        return inputs
"""

Ask = Callable[..., WorkflowRun]


@pytest.fixture(scope="session")
def emulator(serve: Callable[[str], EmulatorHandle]) -> EmulatorHandle:
    """One emulator in a process of its own."""
    return serve(FLOWS)


class Gateway:
    """A server that gives every request one answer, as gateways do in Wisebot's place, and keeps what it got.

    Attributes:
        answer: status, headers and body of a run.
        check: the same of ``GET /api/v1/status``.
        got: the headers of each request for a run, oldest first; ``checks``: of each check.
    """

    def __init__(self) -> None:
        self.answer: tuple[int, Mapping[str, str], bytes] = (200, {}, b"")
        self.check: tuple[int, Mapping[str, str], bytes] = (200, {}, b"{}")
        self.got: list[Mapping[str, str]] = []
        self.checks: list[Mapping[str, str]] = []
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                gateway.got.append({name.lower(): value for name, value in self.headers.items()})
                self._reply(*gateway.answer)

            def do_GET(self) -> None:
                gateway.checks.append({name.lower(): value for name, value in self.headers.items()})
                self._reply(*gateway.check)

            def _reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
                self.send_response(status, "-")
                for name, value in headers.items():
                    self.send_header(name, value)
                if status not in (204, 304):
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(b"" if status in (204, 304) else body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def answers(self, status: int, body: object = b"", **headers: str) -> None:
        """Sets the answer; a body that is not bytes is sent as JSON, ``content_type`` is ``Content-Type``."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        usual = {} if isinstance(body, bytes) else {"Content-Type": "application/json"}
        self.answer = (status, usual | {name.replace("_", "-").title(): value for name, value in headers.items()}, sent)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """A server in Wisebot's place."""
    gateway = Gateway()
    yield gateway
    gateway.close()


@pytest.fixture
def settings(emulator: EmulatorHandle) -> Settings:
    """Settings for both APIs of the emulator, with short limits."""
    emulator.reset(everywhere=True)
    settings = Settings(
        timeout=5.0, connect_timeout=1.0, max_response_mib=1, workflows={"echo": Workflow("echo", "echo")}
    )
    return settings.replace(
        origin=emulator.origin, base_url=emulator.base_url, secret="FAKE-secret-of-echo", token=emulator.token
    )


@pytest.fixture
def ask(settings: Settings) -> Iterator[Ask]:
    """Runs ``echo`` once through a real engine; keyword arguments change the settings."""
    engines: list[Engine] = []

    def run(api: Api = Api.WEBHOOK, timeout: float | None = None, **changes: Any) -> WorkflowRun:
        idempotent = changes.pop("idempotent", False)
        workflows = {"echo": Workflow("echo", "echo", idempotent=idempotent)}
        changed = settings.replace(**changes) if changes else settings
        engine = Engine(dataclasses.replace(changed, workflows=workflows), Redactor())
        engines.append(engine)
        return engine.submit(RunRequest("echo", {"a": 1}, api, timeout)).wait(30)

    yield run
    for engine in engines:
        engine.close()
