"""From the options of a session to its settings, before the project's hook changes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from ..originals import os
from ..settings import Settings, resolve
from ..settings.fields import given_options
from ..settings.settings import AGAINST_OPTION

_OF_ONE_HOST = ("origin", "base_url", "secret", "token")
"""The options that concern the first environment alone: a credential of one host is not sent to another."""


def resolved(
    config: pytest.Config,
    variables: Mapping[str, str] = os.environ,
    env: str | None = None,
    against: str | None = None,
) -> Settings:
    """The settings as options, ``wisebot.toml`` and variables give them, before the project's hook.

    Args:
        config: for the options.
        variables: environment variables.
        env: the environment, in place of the one that is chosen.
        against: the second environment, whose settings these are then.

    Raises:
        ConfigurationError: something in them is wrong.
    """
    given = given_options(config.option) | ({"env": env} if env is not None else {})
    named_by = "--wisebot-env"
    if against is not None:
        given = {name: given[name] for name in given if name not in _OF_ONE_HOST} | {"env": against}
        named_by = AGAINST_OPTION
    folders = {"start": _common_folder(config), "root": config.rootpath, "cwd": config.invocation_params.dir}
    return resolve(given, **folders, variables=variables, named_by=named_by)


def settings_hooks(config: pytest.Config) -> list[str]:
    """The files of this process that implement ``pytest_wisebot_settings``."""
    found = (getattr(one.plugin, "__file__", None) for one in config.hook.pytest_wisebot_settings.get_hookimpls())
    return sorted(file for file in found if file is not None)


def _common_folder(config: pytest.Config) -> Path:
    """The folder that the arguments have in common; pytest's root where they are not paths."""
    cwd = config.invocation_params.dir
    paths = [path for argument in config.args if (path := cwd / argument.partition("::")[0]).exists()]
    if not paths:
        return config.rootpath
    common = Path(os.path.commonpath([path.absolute() for path in paths]))
    return common if common.is_dir() else common.parent
