"""What travels between an engine and the workers that ask it, as plain JSON values.

ASCII and nothing else: what a workflow answers may hold lone surrogates, which no other channel of the session carries.
Credentials travel open, over an authenticated connection that does not leave the machine: a worker must know what to
mask.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..engine.values import Ended
from ..errors import WisebotError
from ..gate_config import Gate, Limits
from ..redaction import Redact, Secret
from ..runs import Api, Occurrence, RunRequest, WorkflowRun
from ..settings import Credential, Settings, Snapshots, Workflow

TAG = "$"
"""The key that tells what an object was, in what is no JSON of itself."""

_KINDS: tuple[type[Any], ...] = (Credential, Gate, Limits, Redact, Settings, Snapshots, Workflow)
_DATACLASSES = {kind.__name__: kind for kind in _KINDS}


def line(message: Mapping[str, Any]) -> bytes:
    """A message as one line."""
    return json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"


def request_to_dict(request: RunRequest) -> dict[str, Any]:
    """A request, its credential open."""
    data = {item.name: getattr(request, item.name) for item in dataclasses.fields(request)}
    secret = request.secret.reveal() if request.secret else None
    return data | {"api": str(request.api), "secret": secret, "occurrence": dataclasses.asdict(request.occurrence)}


def request_from_dict(data: Mapping[str, Any]) -> RunRequest:
    """The request that `request_to_dict` wrote down."""
    secret = Secret(data["secret"]) if data["secret"] is not None else None
    occurrence = Occurrence(**data["occurrence"])
    return RunRequest(**{**data, "api": Api(data["api"]), "secret": secret, "occurrence": occurrence})


def ended_to_dict(ended: Ended) -> dict[str, Any]:
    """How a run ended."""
    kind = "run" if isinstance(ended.outcome, WorkflowRun) else "error"
    said = {item.name: getattr(ended, item.name) for item in dataclasses.fields(ended) if item.name != "outcome"}
    return {kind: ended.outcome.to_dict(), **said}


def ended_from_dict(data: Mapping[str, Any]) -> Ended:
    """The end that `ended_to_dict` wrote down."""
    said = {item.name: data[item.name] for item in dataclasses.fields(Ended) if item.name in data}
    said["drift"] = tuple(said.get("drift", ()))
    if "run" in data:
        return Ended(WorkflowRun.from_dict(data["run"]), **said)
    return Ended(WisebotError.from_dict(data["error"]), **said)


def settings_to_dict(settings: Settings) -> dict[str, Any]:
    """Settings, their credentials open."""
    data: dict[str, Any] = _packed(settings)
    return data


def settings_from_dict(data: Mapping[str, Any]) -> Settings:
    """The settings that `settings_to_dict` wrote down."""
    settings: Settings = _unpacked(data)
    return settings


def _packed(value: Any) -> Any:
    if type(value).__name__ in _DATACLASSES:
        fields = {item.name: _packed(getattr(value, item.name)) for item in dataclasses.fields(value)}
        return {TAG: type(value).__name__, **fields}
    if isinstance(value, Secret):
        return {TAG: "Secret", "value": value.reveal()}
    if isinstance(value, Path):
        return {TAG: "Path", "value": str(value)}
    if isinstance(value, tuple):
        return {TAG: "tuple", "value": [_packed(item) for item in value]}
    if isinstance(value, Mapping):
        return {TAG: "dict", "value": {key: _packed(item) for key, item in value.items()}}
    return {TAG: "Api", "value": str(value)} if isinstance(value, Api) else value


def _unpacked(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    match value[TAG]:
        case "Secret":
            return Secret(value["value"])
        case "Path":
            return Path(value["value"])
        case "Api":
            return Api(value["value"])
        case "tuple":
            return tuple(map(_unpacked, value["value"]))
        case "dict":
            return {key: _unpacked(item) for key, item in value["value"].items()}
        case name:
            fields = {key: _unpacked(item) for key, item in value.items() if key != TAG}
            return _DATACLASSES[name](**fields)
