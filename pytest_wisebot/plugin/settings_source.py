"""From the options of a session to its settings, before the project's hook changes them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from ..runs import Api
from ..settings import CliOptions, Settings, resolve


def resolved(config: pytest.Config, variables: Mapping[str, str] = os.environ, env: str | None = None) -> Settings:
    """The settings as options, ``wisebot.toml`` and variables give them, before the project's hook.

    Args:
        config: for the options.
        variables: environment variables.
        env: the environment, in place of the one that is chosen.

    Raises:
        ConfigurationError: something in them is wrong.
    """
    option, cwd = config.option, config.invocation_params.dir
    given = CliOptions(
        env=env or option.wisebot_env,
        config=cwd / option.wisebot_config if option.wisebot_config is not None else None,
        origin=option.wisebot_origin,
        base_url=option.wisebot_base_url,
        secret=option.wisebot_secret,
        token=option.wisebot_token,
        api=Api(option.wisebot_api) if option.wisebot_api in ("webhook", "dashboard") else None,
        allow_protected=option.wisebot_allow_protected,
        timeout=option.wisebot_timeout,
        concurrency=option.wisebot_concurrency,
        retries=option.wisebot_retries,
        max_runs=option.wisebot_max_runs,
        no_trace=option.wisebot_no_trace,
        max_missing_tests=option.wisebot_max_missing_tests,
        recordings=(cwd / option.wisebot_recordings).absolute() if option.wisebot_recordings is not None else None,
    )
    return resolve(given, start=_common_folder(config), root=config.rootpath, cwd=cwd, variables=variables)


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
