"""The options, made from the table of settings."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from ..settings.fields import Field, option_fields

if TYPE_CHECKING:
    from ..redaction import Secret

OFFLINE = ("replay", "last")
"""The modes of ``--wisebot-runs`` in which no network is used."""

ALL_GIVEN = "wisebot_all_given"
"""Holds all credentials that options gave, a later one of the same option included, until they are hidden."""


class _Credential(argparse.Action):
    """Stores the last credential that is given, and keeps all of them in a list, since each must be hidden."""

    def __call__(
        self, parser: object, namespace: argparse.Namespace, values: object, option: str | None = None
    ) -> None:
        del parser, option
        setattr(namespace, self.dest, values)
        setattr(namespace, ALL_GIVEN, [*getattr(namespace, ALL_GIVEN, ()), values])


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options. Most values are checked when a selected test needs them, and not before."""
    group = parser.getgroup("wisebot", "Wisebot workflows")
    for field in option_fields():
        default = f" Default: {field.shown_default}." if field.shown_default and field.flag is None else ""
        text = f"{field.option_help or field.help}{default}".replace("%", "%%")
        group.addoption(field.option_name, dest=f"wisebot_{field.name}", help=text, **_arguments(field))


def _arguments(field: Field) -> dict[str, Any]:
    """The arguments of argparse for a field's kind of values."""
    if field.flag is not None:
        return {"action": "store_const", "const": field.flag}
    if field.option_choices:
        return {"choices": (*field.choices, *field.option_choices), "default": field.default}
    kinds: dict[str, dict[str, Any]] = {
        "reference": {"action": _Credential},
        "texts": {"action": "append"},
        "seconds": {"type": _seconds},
        "whole": {"type": _whole},
        "count": {"type": partial(_whole, least=field.least)},
    }
    return {"metavar": field.metavar, **kinds.get(field.kind, {})}


def asks_for_report(config: pytest.Config) -> bool:
    """Whether the session is judged or reported on, which concerns sessions without any run as well."""
    option = config.option
    asked = (option.wisebot_report, option.wisebot_summary, option.wisebot_baseline)
    if not option.wisebot_gate and all(one is None for one in asked):
        return False
    others = ("wisebot_plan", "wisebot_scan", "help", "version", "markers", "cacheshow")
    return not (only_lists(config) or any(config.getoption(name, False) for name in others))


def only_lists(config: pytest.Config) -> bool:
    """Whether tests are only listed."""
    names = ("collectonly", "setupplan", "showfixtures", "show_fixtures_per_test")
    return any(config.getoption(name, False) for name in names)


def is_offline(config: pytest.Config) -> bool:
    """Whether this session uses no network."""
    return config.option.wisebot_runs in OFFLINE


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number of seconds, got {text!r}") from None


def _whole(text: str, least: int | None = None) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}") from None
    if least is not None and number < least:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, got {text!r}")
    return number


def hide_credentials(config: pytest.Config) -> None:
    """Puts credentials that were given as values into objects that never show them, and out of what pytest stores."""
    hidden = [_hidden(value) for value in vars(config.option).pop(ALL_GIVEN, ()) if _is_value(value)]
    for name in ("wisebot_secret", "wisebot_token"):
        given: Any = getattr(config.option, name, None)
        if _is_value(given):
            hidden.append(_hidden(given))
            setattr(config.option, name, hidden[-1])
    if hidden or config.option.debug:
        from .redact_pytest import hide_given

        hide_given(config, hidden)


def _is_value(given: object) -> bool:
    return isinstance(given, str) and not given.startswith(("env:", "file:"))


def _hidden(given: str) -> Secret:
    from ..redaction import Secret

    return Secret(given)
