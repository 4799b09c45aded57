"""One workflow of the emulator: a Python function, and how an input bag becomes its arguments."""

from __future__ import annotations

import inspect
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import BoundArguments, Parameter, Signature
from ipaddress import ip_address
from typing import Any

from ..errors import ConfigurationError
from .arguments import Network


class WorkflowFailure(Exception):
    """Raised by a workflow function: the run failed. It is answered with ``ok`` false, a ``runId`` and this error.

    Attributes:
        error: the envelope's ``error``: a string, or any other JSON value. Wisebot does not document its type.
    """

    def __init__(self, error: Any = "The workflow failed.") -> None:
        super().__init__(error)
        self.error = error


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow as it was declared. Everything in it has been checked.

    Attributes:
        inputs: the field names of its Input steps.
        latency: minimum and maximum duration of a run in seconds, before its function is called.
        webhook: whether the webhook API starts it.
        allow_ips: the addresses that may start it over the dashboard API; empty means any.
        block_ips: the addresses that may not, even if ``allow_ips`` holds them.
    """

    id: str
    function: Callable[..., Any]
    signature: Signature
    secret: str = field(repr=False)
    inputs: tuple[str, ...]
    latency: tuple[float, float]
    webhook: bool
    allow_ips: tuple[Network, ...]
    block_ips: tuple[Network, ...]

    def admits(self, address: str) -> bool:
        """Whether the IP lists admit this address."""
        ip = ip_address(address)
        allowed = not self.allow_ips or any(ip in network for network in self.allow_ips)
        return allowed and not any(ip in network for network in self.block_ips)

    def run(self, bag: dict[str, Any], report_blocked: Callable[[str], None]) -> Any:
        """Waits for the declared latency, calls the function with the bag, and returns its result.

        Each run of an async function has an event loop of its own. ``report_blocked`` is called with each place at
        which the function blocks this loop.
        """
        time.sleep(random.uniform(*self.latency))
        bound = bind(self.signature, self.inputs, bag)
        result = self.function(*bound.args, **bound.kwargs)
        if not inspect.isawaitable(result):
            return result
        from . import loops  # with asyncio 14 ms, which emulators without async workflows need not wait for

        return loops.run(result, report_blocked)


def signature_of(name: str, function: Callable[..., Any]) -> Signature:
    """The signature of a workflow function.

    Raises:
        ConfigurationError: it is not callable, or takes ``*args``, which no field name can fill.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{name}: expected a function, got {function!r} ({error})") from None
    if any(parameter.kind is Parameter.VAR_POSITIONAL for parameter in signature.parameters.values()):
        raise ConfigurationError(f"{name}: expected parameters named after input fields, or **kwargs, got *args")
    return signature


def bind(signature: Signature, fields: Sequence[str], bag: dict[str, Any]) -> BoundArguments:
    """The arguments with which a function of this signature is called for a bag.

    A sole parameter gets the whole bag if its name is ``inputs``, or if it is neither a declared field nor evidently a
    single value. Otherwise each parameter gets the field of its name, or its default, or None. ``**kwargs`` gets the
    remaining fields.
    """
    bound = signature.bind_partial()
    parameters = list(signature.parameters.values())
    if len(parameters) == 1 and _takes_whole_bag(parameters[0], fields):
        bound.arguments[parameters[0].name] = bag
        return bound
    for parameter in parameters:
        if parameter.kind is Parameter.VAR_KEYWORD:
            rest = {name: value for name, value in bag.items() if name not in bound.arguments}
            bound.arguments[parameter.name] = rest
        else:
            default = None if parameter.default is Parameter.empty else parameter.default
            bound.arguments[parameter.name] = bag.get(parameter.name, default)
    return bound


def _takes_whole_bag(sole: Parameter, fields: Sequence[str]) -> bool:
    """Whether the only parameter takes the whole bag: not a field, nor by default or annotation a single value."""
    if sole.kind in (Parameter.VAR_KEYWORD, Parameter.KEYWORD_ONLY):
        return False
    if sole.default is Parameter.empty or sole.default is None:
        is_one_value = sole.annotation in _ONE_VALUE
    else:
        is_one_value = not isinstance(sole.default, Mapping)
    return sole.name == "inputs" or not (sole.name in fields or is_one_value)


_ONE_VALUE = frozenset({str, int, float, bool, list, "str", "int", "float", "bool", "list"})
"""Annotations of one value, as types and as the strings of ``from __future__ import annotations``."""
