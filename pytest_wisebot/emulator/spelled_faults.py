"""Faults as the command line spells them: ``triage=status:503:2`` is status 503 for the next 2 requests of triage."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from ..errors import ConfigurationError
from ..text import count
from .faults import Fault
from .workflows import Emulator

ALWAYS: Final = 10**9
"""Requests that a fault without a number is for: more than any emulator answers."""

KINDS: Final[dict[str, Callable[..., Fault]]] = {
    name: getattr(Fault, name)
    for name, method in vars(Fault).items()
    if isinstance(method, classmethod) and not name.startswith("_") and name != "from_dict"
}
"""The class methods of `Fault`, by the name of what each makes."""

_NUMBER: Final = re.compile(r"-?\d+")


class SpelledFault(NamedTuple):
    """A fault as it was written, the workflow that it is for (None: all), and for how many requests."""

    text: str
    fault: Fault
    workflow: str | None
    times: int

    def __str__(self) -> str:
        number = "every request" if self.times == ALWAYS else f"the first {count(self.times, 'request')}"
        return f"{self.text}  {number} for {self.workflow or 'any workflow'}"


def spellings() -> list[str]:
    """How each kind is spelled."""
    return [_spelling(kind) for kind in KINDS]


def read_fault(text: str, emulator: Emulator) -> SpelledFault:
    """The fault of ``[WORKFLOW=]KIND[:VALUE[,NAME=VALUE…]][:TIMES]``.

    Args:
        text: as it was written.
        emulator: has the workflows.

    Raises:
        ConfigurationError: the workflow, the kind, a value or the number is wrong; the message has the right ones.
    """
    ids = sorted(emulator.workflows, key=len, reverse=True)
    workflow = next((one for one in ids if text.startswith(f"{one}=")), None)
    spelled = text if workflow is None else text[len(workflow) + 1 :]
    kind, _, rest = spelled.partition(":")
    if (name := kind.replace("-", "_")) in KINDS:
        fault, times = _fault(text, name, rest)
        return SpelledFault(text, fault, workflow, times)
    unknown, equals, _ = spelled.partition("=")
    if equals and workflow is None:
        raise ConfigurationError(f"--fault {text}: there is no workflow {unknown!r}; there are {_named(emulator)}")
    raise ConfigurationError(f"--fault {text}: there is no fault {kind!r}; there are {', '.join(KINDS)}")


def _named(emulator: Emulator) -> str:
    return ", ".join(map(repr, emulator.workflows)) or "none"


def _fault(text: str, kind: str, rest: str) -> tuple[Fault, int]:
    """The fault, and for how many requests."""
    parameters = _parameters(kind)
    value, times = _split(rest, parameters[0]) if parameters else ("", rest)
    try:
        if times and not (_NUMBER.fullmatch(times) and 0 < int(times) < ALWAYS):
            raise ConfigurationError(f"expected a number of requests of at least 1, got {times!r}")
        given = _values(value, parameters) if parameters else {}
        return KINDS[kind](**given), int(times or ALWAYS)
    except (ConfigurationError, TypeError) as error:
        said = "it takes a value" if isinstance(error, TypeError) else str(error).removeprefix(f"Fault.{kind}: ")
        raise ConfigurationError(f"--fault {text}: {said}; write {_spelling(kind)}") from None


def _split(rest: str, first: inspect.Parameter) -> tuple[str, str]:
    """The value, and for how many requests. A value that is a string may have colons of its own."""
    head, colon, tail = rest.rpartition(":")
    ends = colon and (_NUMBER.fullmatch(tail) or not tail or "str" not in str(first.annotation))
    return (head, tail) if ends else (rest, "")


def _parameters(kind: str) -> list[inspect.Parameter]:
    return list(inspect.signature(KINDS[kind]).parameters.values())


def _spelling(kind: str) -> str:
    """``status:CODE[,retry_after=…][:TIMES]``: a part in brackets may be left out."""
    value = ""
    for number, one in enumerate(_parameters(kind)):
        part = f",{one.name}=…" if number else f":{one.name.upper()}"
        value += part if one.default is one.empty else f"[{part}]"
    return f"{kind}{value}[:TIMES]"


def _values(text: str, parameters: list[inspect.Parameter]) -> dict[str, Any]:
    """The values of a fault by name: that of the first parameter, and after it those of others."""
    names = "|".join(one.name for one in parameters[1:]) or "(?!)"
    value, *named = re.split(rf",({names})=", text)
    given = {parameters[0].name: value} if value else {}
    given |= dict(zip(named[::2], named[1::2], strict=True))
    hints = {one.name: str(one.annotation) for one in parameters}
    return {name: _value(name, hints[name], value) for name, value in given.items()}


def _value(name: str, hint: str, text: str) -> Any:
    """A string as the type of its parameter."""
    if "Mapping" in hint:
        return _read(name, text, json.loads, "a JSON object, or true")
    if hint == "int":
        return _read(name, text, int, "a whole number")
    if "float" in hint and not ("str" in hint and not re.match(r"[-\d.]", text)):
        return _read(name, text, float, "a number of seconds")
    return text


def _read(name: str, text: str, reader: Callable[[str], Any], expected: str) -> Any:
    try:
        return reader(text)
    except ValueError:
        raise ConfigurationError(f"{name}: expected {expected}, got {text!r}") from None
