"""The options, made from the table of settings."""

from __future__ import annotations

import argparse
import inspect
import os
import re
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import pytest

from ..settings.fields import DEFAULTS, ENVIRONMENT, FILE, GATE, SESSION, TARGET, Field, option_fields

if TYPE_CHECKING:
    from ..redaction import Secret

OFFLINE = ("replay", "last")
"""The modes of ``--wisebot-runs`` in which no network is used."""

_PREFIX = re.compile("wisebot[_-]")
_NOT_HERE = "pytest's configuration has no settings of Wisebot"
_FILES = "in wisebot.toml, or in [tool.wisebot] of pyproject.toml"

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
        "reference": {"action": _Credential, "type": _not_empty},
        "texts": {"action": "append", "type": _not_empty},
        "seconds": {"type": _seconds},
        "whole": {"type": _whole},
        "count": {"type": partial(_whole, least=field.least)},
    }
    return {"metavar": field.metavar, **kinds.get(field.kind, {"type": _not_empty})}


# --- the rootdir


def check_root(config: pytest.Config, parser: pytest.Parser, args: Sequence[str]) -> None:
    """Refuses a session whose rootdir came of the value of one of these options.

    pytest looks for its rootdir before it loads a plugin. The value of an option that it does not have yet is then a
    path of tests, if it is a word of its own and exists (`_pytest.config.findpaths.get_dirs_from_args`).

    Args:
        config: the session's, with the rootdir that was found.
        parser: has the options by now.
        args: all words: those of ``addopts``, which count for no rootdir, those of ``PYTEST_ADDOPTS``, and the rest.

    Raises:
        pytest.UsageError: the rootdir, or the file of pytest's configuration, would be another one without the values.
    """
    fields = {field.option_name: field for field in option_fields() if field.flag is None}
    if fields.keys().isdisjoint(args) or config.known_args_namespace.help or config.known_args_namespace.version:
        return
    words = args[len(config.getini("addopts")) :]
    taken = [(fields[name], value) for name, value in pairwise(words) if name in fields and _is_path(value)]
    given, found = parser.parse_known_args(words), (config.rootpath, config.inipath)
    wanted = _root(config, given, given.file_or_dir)
    if wanted == found or wanted == _root(config, given, [*given.file_or_dir, *(value for _, value in taken)]):
        return
    raise pytest.UsageError("\n".join(_moved_root(field, value, config, wanted) for field, value in taken))


def _is_path(value: str) -> bool:
    return os.path.exists(value.partition("::")[0])  # noqa: PTH110 - False for what no path can be


def _root(config: pytest.Config, given: argparse.Namespace, paths: list[str]) -> tuple[Any, ...]:
    """The rootdir that pytest finds for these paths, and the file of its configuration."""
    from _pytest.config.findpaths import determine_setup

    older = {"inifile": given.inifilename, "rootdir_cmd_arg": given.rootdir or None, "args": paths}
    arguments: dict[str, Any] = {**older, "override_ini": None, "invocation_dir": config.invocation_params.dir}
    known = inspect.signature(determine_setup).parameters
    return tuple(determine_setup(**{name: value for name, value in arguments.items() if name in known})[:2])


def _moved_root(field: Field, value: str, config: pytest.Config, wanted: tuple[Any, ...]) -> str:
    root, file = wanted
    shown = "…" if field.kind == "reference" else value
    moved = [f"its rootdir became {config.rootpath}, and not {root}"] if root != config.rootpath else []
    unread = [f"{file} was not read"] if file is not None and file != config.inipath else []
    return (
        f"{field.option_name} {shown}: pytest took the value for a path of tests, because it is a word of its own and "
        f"exists: {', and '.join(moved + unread)}. Write {field.option_name}={shown}"
    )


# --- values


_LISTING: Final = ("collectonly", "setupplan", "showfixtures", "show_fixtures_per_test")
_WITHOUT_TESTS: Final = ("wisebot_plan", "wisebot_scan", "help", "version", "markers", "cacheshow")


def asks_for_report(config: pytest.Config) -> bool:
    """Whether the session is judged or reported on, which concerns sessions without any run as well."""
    return wants_report(config.option)


def wants_report(option: argparse.Namespace) -> bool:
    """The same by the options alone, before they are all known."""
    asked = (option.wisebot_report, option.wisebot_summary, option.wisebot_baseline, option.wisebot_history)
    if not option.wisebot_gate and all(one is None for one in asked):
        return False
    return not any(getattr(option, name, False) for name in (*_LISTING, *_WITHOUT_TESTS))


def only_lists(config: pytest.Config) -> bool:
    """Whether tests are only listed."""
    return any(config.getoption(name, False) for name in _LISTING)


def is_offline(config: pytest.Config) -> bool:
    """Whether this session uses no network."""
    return config.option.wisebot_runs in OFFLINE


def _not_empty(text: str) -> str:
    from ..text import not_empty  # loaded where a value is given

    return not_empty(text)


def ini_values(config: pytest.Config) -> Mapping[str, Any]:
    """The keys of pytest's own configuration, with values in the form of pytest's version."""
    found: Mapping[str, Any] = vars(config).get("_inicfg") or vars(config).get("inicfg") or {}
    return found


def refuse_ini_keys(config: pytest.Config) -> None:
    """Refuses keys in pytest's own configuration that look like settings of Wisebot, and would have no effect.

    Raises:
        pytest.UsageError: with every such key, and where it belongs. Values are not shown: one may be a credential.
    """
    if config.getoption("help", False):
        return
    overridden = [one.partition("=")[0].strip() for one in config.getoption("override_ini", None) or ()]
    file = config.inipath.name if config.inipath is not None else "pytest's configuration"
    places = {**dict.fromkeys(ini_values(config), file), **dict.fromkeys(overridden, "-o")}
    wrong = {key: place for key, place in places.items() if _PREFIX.match(key) and _is_unknown(config, key)}
    if wrong:
        raise pytest.UsageError("\n".join(f"{wrong[key]}: {key}: {_where_it_belongs(key)}" for key in wrong))


def refuse_without_parts(config: pytest.Config) -> None:
    """Refuses ``-p no:NAME`` for one of the objects that this plugin registers: a gate without it would not be one.

    Raises:
        pytest.UsageError: with what switches off all of the plugin.
    """
    for plugin in map(str.strip, config.getoption("plugins", None) or ()):
        if plugin.startswith("no:wisebot-"):
            raise pytest.UsageError(f"-p {plugin}: is a part of pytest-wisebot; -p no:wisebot switches off all of it")


def _is_unknown(config: pytest.Config, key: str) -> bool:
    """Whether no plugin has declared the key."""
    try:
        config.getini(key)
    except ValueError:
        return True
    return False


def _where_it_belongs(key: str) -> str:
    name = _PREFIX.sub("", key).replace("-", "_")
    name = "default_environment" if name in ("env", "environment") else name
    setting = name.replace("_", "-")
    tables = {"at the top": FILE, **{f"under {table.place}": table for table in (DEFAULTS, ENVIRONMENT, GATE)}}
    # A table of the file, such as [report], is not a value that stands in one line: then an option is meant.
    places = [
        place for place, table in tables.items() if any(one.name == name and one.table is None for one in table.fields)
    ]
    if places:
        return f"{_NOT_HERE}: write {setting} {' or '.join(places)} {_FILES}"
    if (option := next((one for one in (*SESSION, *TARGET) if one.name == name), None)) is not None:
        return f"{_NOT_HERE}: write {option.option_name} into addopts"
    from ..settings.checks import nearest

    known = dict.fromkeys(field.key for table in tables.values() for field in table.fields)
    return f"{_NOT_HERE}, and wisebot.toml has no {setting}, {nearest(setting, known)}"


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
