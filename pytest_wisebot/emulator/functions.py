"""One workflow of the emulator: a Python function, and how it is called with an input bag."""

from __future__ import annotations

import inspect
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import Parameter
from ipaddress import ip_address
from typing import Any

from ..errors import ConfigurationError
from .arguments import Network


class WorkflowFailure(Exception):
    """Raised by a workflow function: the run failed. It is answered with ``ok`` false, a ``runId`` and this error.

    Attributes:
        error: the envelope's ``error``: a text, or any other JSON value. Wisebot does not document its type.
    """

    def __init__(self, error: Any = "The workflow failed.") -> None:
        super().__init__(error)
        self.error = error


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow as it was declared. Everything in it has been checked.

    Attributes:
        inputs: the field names of its Input steps.
        latency: the least and the most seconds that a run takes before its function is called.
        webhook: whether the webhook API starts it.
        allow_ips: where the dashboard API may be asked from; empty means anywhere.
        block_ips: where it may not, whatever ``allow_ips`` says.
    """

    id: str
    function: Callable[..., Any]
    parameters: Sequence[Parameter]
    secret: str = field(repr=False)
    inputs: tuple[str, ...]
    latency: tuple[float, float]
    webhook: bool
    allow_ips: tuple[Network, ...]
    block_ips: tuple[Network, ...]

    def admits(self, address: str) -> bool:
        """Whether the IP lists let this address in."""
        ip = ip_address(address)
        allowed = not self.allow_ips or any(ip in network for network in self.allow_ips)
        return allowed and not any(ip in network for network in self.block_ips)

    def run(self, bag: dict[str, Any], blocked: Callable[[str], None]) -> Any:
        """Takes the declared time, calls the function with the bag, and returns what it returned.

        An async function has an event loop of its own. ``blocked`` is called with the place where it blocks it.
        """
        time.sleep(random.uniform(*self.latency))
        positional, named = arguments(self.parameters, self.inputs, bag)
        result = self.function(*positional, **named)
        return _awaited(result, blocked) if inspect.isawaitable(result) else result


def parameters(name: str, function: Callable[..., Any]) -> list[Parameter]:
    """The parameters of a workflow function.

    Raises:
        ConfigurationError: it cannot be called, or takes ``*args``, which no field name could fill.
    """
    try:
        found = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{name}: expected a function, got {function!r} ({error})") from None
    if any(parameter.kind is Parameter.VAR_POSITIONAL for parameter in found):
        raise ConfigurationError(f"{name}: expected parameters named after input fields, or **kwargs, got *args")
    return found


def arguments(
    parameters: Sequence[Parameter], fields: Sequence[str], bag: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """The positional and the named arguments with which a function of these parameters takes the bag.

    A sole parameter that is named ``inputs``, or is no declared field and not plainly one value, gets the whole bag.
    Else each parameter gets the field of its name, or its default, or None, and ``**kwargs`` gets the rest.
    """
    if _takes_whole_bag(parameters, fields):
        return _placed(parameters, {parameters[0].name: bag})
    named = [parameter for parameter in parameters if parameter.kind is not Parameter.VAR_KEYWORD]
    values = {parameter.name: bag.get(parameter.name, _default(parameter)) for parameter in named}
    positional, by_name = _placed(named, values)
    rest = bag if len(named) < len(parameters) else {}
    return positional, {field: value for field, value in rest.items() if field not in values} | by_name


def _takes_whole_bag(parameters: Sequence[Parameter], fields: Sequence[str]) -> bool:
    if len(parameters) != 1 or parameters[0].kind in (Parameter.VAR_KEYWORD, Parameter.KEYWORD_ONLY):
        return False
    (sole,) = parameters
    return sole.name == "inputs" or (sole.name not in fields and not _is_one_field(sole))


def _is_one_field(parameter: Parameter) -> bool:
    """Whether a parameter cannot be meant for the whole bag: its default, or its annotation, is that of one value."""
    if parameter.default is not Parameter.empty and parameter.default is not None:
        return not isinstance(parameter.default, Mapping)
    return parameter.annotation in _ONE_VALUE


_ONE_VALUE = frozenset({str, int, float, bool, list, "str", "int", "float", "bool", "list"})
"""Annotations of one value, as types and as the texts that ``from __future__ import annotations`` makes of them."""


def _placed(parameters: Sequence[Parameter], values: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    positional = [p.name for p in parameters if p.kind is Parameter.POSITIONAL_ONLY]
    return [values[name] for name in positional], {name: values[name] for name in values if name not in positional}


def _default(parameter: Parameter) -> Any:
    return None if parameter.default is Parameter.empty else parameter.default


def _awaited(result: Awaitable[Any], blocked: Callable[[str], None]) -> Any:
    from . import loops  # with asyncio 14 ms, which emulators without async workflows need not wait for

    return loops.run(result, blocked)
