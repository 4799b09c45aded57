"""What an emulator prints when it is started by hand: where it listens, and how to call it, ready to paste."""

from __future__ import annotations

import json
import re
import shlex
from urllib.parse import quote

from .functions import Workflow
from .workflows import Emulator


def welcome(target: str, emulator: Emulator, origin: str, base_url: str) -> str:
    """The text for an emulator that listens at these two origins."""
    parts = [_addresses(target, emulator, origin, base_url), _workflows(emulator)]
    if emulator.workflows:
        parts.append(_example(_chosen(emulator), emulator.token, origin, base_url))
        parts.append(_for_pytest(emulator, origin, base_url))
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


def _for_pytest(emulator: Emulator, origin: str, base_url: str) -> str:
    """An environment with all the workflows, each with a secret of its own, and the variables that it names."""
    names = _variables(emulator)
    tables = [
        f"[environments.by-hand.workflows.{_key(name)}]\nsecret = {json.dumps(f'env:{variable}')}"
        for name, variable in names.items()
    ]
    hosts = [f"origin = {json.dumps(origin)}", f"base-url = {json.dumps(base_url)}", 'token = "env:EMULATOR_TOKEN"']
    secrets = {variable: emulator.workflows[name].secret for name, variable in names.items()}
    exports = [f"export {name}={shlex.quote(value)}" for name, value in secrets.items()]
    return "\n".join(
        [
            "To run tests against it, in wisebot.toml:",
            "",
            "[environments.by-hand]",
            *hosts,
            "",
            "\n\n".join(tables),
            "",
            "and in the shell:",
            "",
            f"export EMULATOR_TOKEN={shlex.quote(emulator.token)}",
            *exports,
            "pytest --wisebot-env by-hand",
        ]
    )


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)


def _variables(emulator: Emulator) -> dict[str, str]:
    """A variable for each workflow's secret, named after its id; ids that differ in punctuation alone get numbers."""
    names: dict[str, str] = {}
    for workflow_id in emulator.workflows:
        name = re.sub(r"[^A-Z0-9]+", "_", f"EMULATOR_{workflow_id.upper()}_SECRET")
        names[workflow_id] = name if name not in names.values() else f"{name}_{len(names) + 1}"
    return names
