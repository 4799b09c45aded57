"""What an emulator prints when it is started by hand: where it listens, and how to call it, ready to paste."""

from __future__ import annotations

import json
import shlex
from urllib.parse import quote

from .functions import Workflow
from .workflows import Emulator


def welcome(target: str, emulator: Emulator, origin: str, base_url: str) -> str:
    """The text for an emulator that listens at these two origins."""
    parts = [_addresses(target, emulator, origin, base_url), _workflows(emulator)]
    if emulator.workflows:
        parts.append(_example(_chosen(emulator), emulator.token, origin, base_url))
    return "\n\n".join([*parts, "Ctrl-C ends it."])


def _addresses(target: str, emulator: Emulator, origin: str, base_url: str) -> str:
    return "\n".join(
        [
            f"Wisebot emulator: {target}",
            "",
            f"  webhook API    {origin}",
            f"  dashboard API  {base_url}",
            f"  token          {emulator.token}",
        ]
    )


def _workflows(emulator: Emulator) -> str:
    shown = {_printable(workflow.id): workflow for workflow in emulator.workflows.values()}
    width = max(map(len, ["id", *shown]))
    lines = [f"  {name:{width}}  {workflow.secret}{_remark(workflow)}" for name, workflow in shown.items()]
    return "\n".join(["Workflows and their webhook secrets", "", *(lines or ["  none"])])


def _remark(workflow: Workflow) -> str:
    return "" if workflow.webhook else "  (webhook switched off)"


def _printable(workflow_id: str) -> str:
    return workflow_id if workflow_id.isprintable() else json.dumps(workflow_id)


def _chosen(emulator: Emulator) -> Workflow:
    """The workflow to show: the first that both APIs start, else the first."""
    workflows = list(emulator.workflows.values())
    return next((workflow for workflow in workflows if workflow.webhook), workflows[0])


def _example(workflow: Workflow, token: str, origin: str, base_url: str) -> str:
    bag = dict.fromkeys(workflow.inputs, "...")
    webhook, dashboard = "$WISEBOT_WORKFLOW_TRIGGER_ORIGIN", "$WISEBOTAI_BASE_URL"
    segment = quote(workflow.id, safe="")
    return "\n".join(
        [
            f"To call {_printable(workflow.id)} from another shell:",
            "",
            _exports(workflow, token, origin, base_url),
            "",
            _curl(f"{webhook}/workflows/trigger?workflowId={segment}", "$WISEBOT_WORKFLOW_SECRET", bag),
            "",
            _curl(f"{dashboard}/api/v1/flow/{segment}", "$WISEBOT_ACCESS_TOKEN", {"inputs": bag}),
            "",
            _pytest(origin, base_url),
        ]
    )


def _exports(workflow: Workflow, token: str, origin: str, base_url: str) -> str:
    values = {
        "WISEBOT_WORKFLOW_TRIGGER_ORIGIN": origin,
        "WISEBOT_WORKFLOW_SECRET": workflow.secret,
        "WISEBOTAI_BASE_URL": base_url,
        "WISEBOT_ACCESS_TOKEN": token,
    }
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())


def _curl(url: str, credential: str, body: object) -> str:
    lines = [
        f'curl -sS -X POST "{url}"',  # in double quotes for the variable; a quoted id holds nothing that they expand
        f'  -H "Authorization: Bearer {credential}"',
        '  -H "Content-Type: application/json"',
        f"  -d {shlex.quote(json.dumps(body, ensure_ascii=False))}",
    ]
    return " \\\n".join(lines)


def _pytest(origin: str, base_url: str) -> str:
    lines = [
        f"pytest --wisebot-origin {shlex.quote(origin)} --wisebot-base-url {shlex.quote(base_url)}",
        "  --wisebot-secret env:WISEBOT_WORKFLOW_SECRET --wisebot-token env:WISEBOT_ACCESS_TOKEN",
    ]
    return " \\\n".join(lines)
