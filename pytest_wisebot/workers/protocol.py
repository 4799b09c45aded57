"""Requests and settings as plain JSON values, for the messages between the controller and its workers.

Credentials travel open, over an authenticated connection that does not leave the machine: a worker must mask them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..gate_config import Gate, Limits, ReportConfig
from ..redaction import Redact, Secret
from ..runs import Api, RunRequest
from ..settings import Against, Credential, Settings, Snapshots, Workflow

TAG = "$"
"""The key for the kind of an object that is not plain JSON."""

_KINDS: tuple[type[Any], ...] = (
    Against, Credential, Gate, Limits, Redact, ReportConfig, Settings, Snapshots, Workflow,
)  # fmt: skip
_DATACLASSES = {kind.__name__: kind for kind in _KINDS}


def request_to_dict(request: RunRequest) -> dict[str, Any]:
    """A request, its credential open."""
    return request.to_dict() | ({"secret": request.secret.reveal()} if request.secret else {})


def request_from_dict(data: Mapping[str, Any]) -> RunRequest:
    """The request of `request_to_dict`."""
    return RunRequest.from_dict(data, Secret(data["secret"]) if "secret" in data else None)


def settings_to_dict(settings: Settings) -> dict[str, Any]:
    """Settings, their credentials open."""
    data: dict[str, Any] = _packed(settings)
    return data


def settings_from_dict(data: Mapping[str, Any]) -> Settings:
    """The settings of `settings_to_dict`."""
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
