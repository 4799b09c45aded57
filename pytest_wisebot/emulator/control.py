"""The control address: how the session that started an emulator asks it for calls, faults and its log.

Every command is a JSON POST to a path of its name, answered by ``{"ok": true, "value": …}`` or the usual refusal. Only
who holds the key is heard, so that another program on the machine, or a page in a browser, cannot steer a test.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import ConfigurationError
from .faults import Fault
from .http import Refused, Reply, Request, json_reply, same
from .workflows import Emulator


class Control:
    """The commands of one emulator, for those who hold its key."""

    def __init__(self, emulator: Emulator, key: str) -> None:
        self._emulator = emulator
        self._key = key
        self._commands: Mapping[str, Callable[..., Any]] = {
            "calls": self._calls,
            "fail_next": self._fail_next,
            "reset": emulator.reset,
            "log": emulator.log_text,
            "new_jwt": emulator.new_jwt,
            "peak": lambda: emulator.peak,
            "status_checks": lambda: emulator.status_checks,
        }

    def answer(self, request: Request) -> Reply:
        """Carries out the command that a request's path names, with its JSON body as arguments."""
        try:
            command = self._command(request)
            return json_reply({"ok": True, "value": command(**json.loads(request.body or b"{}"))})
        except ConfigurationError as error:
            return Refused(400, str(error)).reply
        except Refused as refused:
            return refused.reply

    def _command(self, request: Request) -> Callable[..., Any]:
        if not same(request.bearer, self._key):
            raise Refused(401, "The key is wrong or missing.")
        if request.method != "POST":
            raise Refused(405, "Commands are sent by POST.", {"Allow": "POST"})
        name = request.path.removeprefix("/")
        if name not in self._commands:
            raise Refused(404, f"There is no command {name!r}.")
        return self._commands[name]

    def _calls(self, workflow: str | None, test: str | None) -> list[dict[str, Any]]:
        return [call.to_dict() for call in self._emulator.calls(workflow, test)]

    def _fail_next(self, fault: dict[str, Any], times: int, workflow: str | None, test: str | None) -> None:
        self._emulator.fail_next(Fault.from_dict(fault), times, workflow, test)
