"""From the options of a session to its settings, before the project's hook changes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from ..errors import ConfigurationError
from ..originals import os
from ..runs import Api
from ..settings import Settings, Workflow, resolve
from ..settings.fields import given_options
from ..settings.load import secrets_in_sight
from ..settings.settings import AGAINST_OPTION
from .session_state import state_of

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
    return resolve(given, **_folders(config), variables=variables, named_by=named_by)


def clean_usage_error(config: pytest.Config, error: pytest.UsageError) -> None:
    """Masks credentials in an error of usage: pytest shows it outside of its terminal, maybe without settings."""
    redactor = state_of(config).redactor
    redactor.add(*secrets_in_sight(given_options(config.option), **_folders(config), variables=os.environ))
    error.args = tuple(redactor.clean(str(one)) for one in error.args)


def _folders(config: pytest.Config) -> dict[str, Path]:
    return {"start": _common_folder(config), "root": config.rootpath, "cwd": config.invocation_params.dir}


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


# --- what is wrong with a second environment, before any run


def check_options(first: Settings, config: pytest.Config) -> None:
    """Refuses a second environment beside what it cannot go with.

    Raises:
        ConfigurationError: runs do not come from Wisebot alone, or the second environment is the first.
    """
    name, mode = config.option.wisebot_against, config.option.wisebot_runs
    if mode != "live":
        raise ConfigurationError(
            f"{AGAINST_OPTION}={name}: compares runs of two environments, which are made now: it goes with "
            f"--wisebot-runs=live alone, and this is --wisebot-runs={mode}"
        )
    if name == first.environment:
        others = ", ".join(one for one in first.environments if one != name) or "there is none"
        raise ConfigurationError(
            f'{AGAINST_OPTION}={name}: the session runs against environment "{name}" already '
            f"({first.source('environment')}); others to compare it with: {others}"
        )


def check_second(first: Settings, second: Settings, config: pytest.Config) -> None:
    """Refuses a second environment in which nothing could run, or that is the first under another name.

    Raises:
        ConfigurationError: with every credential that is missing, and where it belongs.
    """
    apis = tuple(Api) if config.option.wisebot_api == "both" else (first.api,)
    if problems := list(dict.fromkeys(_missing(first, second, apis))):
        others = ", ".join(one for one in first.environments if one not in (first.environment, second.environment))
        known = f"\nother environments to compare with: {others}" if others else ""
        lines = "\n".join(f"{AGAINST_OPTION}={second.environment}: {problem}" for problem in problems)
        raise ConfigurationError(lines + known)
    if second.emulated_by is None and _target(first) == _target(second):
        where = f'environment "{first.environment}"' if first.environment else "this session"
        raise ConfigurationError(
            f"{AGAINST_OPTION}={second.environment}: has the hosts, workflows and credentials of {where}: there is "
            "nothing to compare"
        )


def _missing(first: Settings, second: Settings, apis: Iterable[Api]) -> Iterator[str]:
    """What the second environment lacks: for the APIs of most tests, and for those that the first one can use."""
    if second.emulated_by is not None:
        return
    for api in Api:
        host = second.origin if api is Api.WEBHOOK else second.base_url
        if api not in apis and (host is None or not _can_run(first, api)):
            continue
        names: list[str | None] = [*second.workflows] if api is Api.WEBHOOK and second.workflows else [None]
        for name in names:
            workflow = second.workflows.get(name or "", Workflow("NAME", "NAME"))
            is_needed = _can_run(first, api, name)
            if api in apis or is_needed:
                yield from _problems(second, api, workflow, is_needed=is_needed)


def _problems(second: Settings, api: Api, workflow: Workflow, *, is_needed: bool) -> Iterator[str]:
    """Why no run of a workflow can be made; of a credential that the first environment lacks as well, nothing."""
    try:
        second.host(api)
        second.headers_of(api)
        if is_needed:
            second.credential(api, workflow)
    except ConfigurationError as error:
        yield str(error)


def _can_run(settings: Settings, api: Api, name: str | None = None) -> bool:
    """Whether a workflow, or any at all, can be run over an API, as far as settings show."""
    if settings.emulated_by is not None:
        return True
    names = [*settings.workflows] or ["NAME"] if name is None else [name]
    for one in names:
        try:
            settings.host(api)
            settings.credential(api, settings.workflows.get(one, Workflow(one, one)))
        except ConfigurationError:
            continue
        return True
    return False


def _target(settings: Settings) -> tuple[object, ...]:
    ids = {name: one.id for name, one in settings.workflows.items()}
    return settings.origin, settings.base_url, settings.emulated_by, ids, set(settings.credentials())
