"""``pytest-wisebot check``: whether settings, hosts, TLS, proxies and credentials are right, before the first run.

The settings are those of a session: pytest reads its configuration, ``conftest.py`` of the root folder and its hook
``pytest_wisebot_settings`` included, and ends before it collects a test. No run is started, and no webhook is called.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import pytest

from ..client.probe import Probe, UnreachableError
from ..errors import AuthenticationFailed, ConfigurationError
from ..plugin.runtime import LocalRuntime
from ..settings import Credential, Settings
from ..text import count, escape
from . import WITHOUT_SESSION

SETTINGS_WRONG: Final = 4
UNREACHABLE: Final = 10

_SWITCHED_OFF: Final = {
    "wisebot_gate": False,
    "wisebot_report": None,
    "wisebot_summary": None,
    "wisebot_baseline": None,
    "wisebot_history": None,
    "wisebot_runs": "live",
}
"""Options of a project's ``addopts`` that concern sessions with tests."""

_HINT: Final = "webhook secrets cannot be checked without a run: the first test finds out whether one is wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table.

    Attributes:
        code: the exit code that it stands for; 0 where nothing is wrong.
        about: what was checked.
        text: what was found, and where it is wrong what to do.
    """

    code: int
    about: str
    text: str

    @property
    def is_secret(self) -> bool:
        """Whether it is about a webhook secret."""
        return self.about.startswith("secret")


def parser() -> argparse.ArgumentParser:
    """The parser of the arguments."""
    made = argparse.ArgumentParser(
        prog="pytest-wisebot check",
        description="Check settings, hosts, TLS, proxies and credentials. It starts no run and calls no webhook.",
        epilog="for example: pytest-wisebot check --env=staging --env=production",
    )
    made.add_argument(
        "--env", metavar="NAME", action="append", default=[], help="an environment of wisebot.toml; by default all"
    )
    made.add_argument("--config", metavar="FILE", help="the settings file in place of the nearest wisebot.toml")
    made.add_argument("paths", metavar="PATH", nargs="*", help="where the tests are; by default as for pytest")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Checks, and prints a table.

    Returns:
        0 if all is right; 4 if settings are wrong, or a credential is missing or refused; else 10 if a host, TLS or a
        proxy does not let through.
    """
    options = parser().parse_args(arguments)
    config = [f"--wisebot-config={options.config}"] if options.config is not None else []
    return int(pytest.main([*WITHOUT_SESSION, *config, *options.paths], plugins=[_Check(options.env)]))


def without_session(config: pytest.Config) -> None:
    """Switches off the options that concern sessions with tests."""
    for option, value in _SWITCHED_OFF.items():
        setattr(config.option, option, value)


class _Check:
    """Takes the place of a session in a pytest that is configured."""

    def __init__(self, environments: list[str]) -> None:
        self._environments = environments

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int:
        without_session(config)
        codes, has_webhook = {0}, False
        names: Sequence[str | None] = self._environments or _environments_of(config)
        for name in names:
            config.option.wisebot_env = name
            runtime = LocalRuntime(config)
            try:
                findings = list(_findings(runtime))
            finally:
                runtime.close()
            codes |= {finding.code for finding in findings}
            has_webhook |= any(finding.is_secret for finding in findings)
            print(runtime.redactor.clean("\n".join(_table(name, findings))))
        if has_webhook:
            print(_HINT)
        return next(code for code in (SETTINGS_WRONG, UNREACHABLE, 0) if code in codes)


def _environments_of(config: pytest.Config) -> list[str | None]:
    """All environments of ``wisebot.toml``; a None where there is none, for the settings of options and variables."""
    if config.option.wisebot_env is not None:
        return [config.option.wisebot_env]
    try:
        return [*LocalRuntime(config).unguarded.environments] or [None]
    except ConfigurationError:  # told with its environment
        return [None]


def _table(name: str | None, findings: list[Finding]) -> Iterator[str]:
    yield f"environment {escape(name)}" if name is not None else "no environment"
    width = max(len(finding.about) for finding in findings)
    for finding in findings:
        first, *more = finding.text.splitlines()
        yield f"  {'failed' if finding.code else 'ok':6}  {finding.about:{width}}  {first}"
        yield from (f"  {'':6}  {'':{width}}  {line}" for line in more)
    yield ""


def _findings(runtime: LocalRuntime) -> Iterator[Finding]:
    try:
        settings = runtime.unguarded
        if settings.emulated_by is not None:
            settings = runtime.target
    except (ConfigurationError, pytest.UsageError, pytest.exit.Exception) as error:
        yield Finding(SETTINGS_WRONG, "settings", str(error))
        return
    yield Finding(0, "settings", str(settings.file) if settings.file else "options and variables, without a file")
    if settings.emulated_fallback is not None:
        workflows = count(len(settings.emulated), "workflow")
        yield Finding(0, "emulator", f"{settings.emulator} has started, with {workflows}")
    probe = Probe(settings, runtime.redactor, os.environ)
    yield from _webhook(settings, probe)
    yield from _dashboard(settings, probe)
    yield from _secrets(settings)


def _webhook(settings: Settings, probe: Probe) -> Iterator[Finding]:
    if settings.origin is None:
        yield Finding(0, "webhook API", "has no origin: tests over this API cannot run")
        return
    yield _reached("webhook API", settings.origin, probe)
    if (urlsplit(settings.origin).hostname or "").rstrip(".").endswith(".convex.cloud"):
        right = settings.origin.replace(".convex.cloud", ".convex.site")
        yield Finding(SETTINGS_WRONG, "webhook API", f"{settings.origin} serves no webhooks: write {right}")


def _reached(about: str, host: str, probe: Probe) -> Finding:
    try:
        return Finding(0, about, f"{host} answers (status {probe.status_of(host)} for HEAD /)")
    except UnreachableError as error:
        return Finding(UNREACHABLE, about, f"{host} cannot be reached: {error}")
    except ConfigurationError as error:
        return Finding(SETTINGS_WRONG, about, str(error))


def _dashboard(settings: Settings, probe: Probe) -> Iterator[Finding]:
    if settings.base_url is None:
        yield Finding(0, "dashboard API", "has no base URL: tests over this API cannot run")
    elif settings.token is None:
        yield _reached("dashboard API", settings.base_url, probe)
        yield Finding(SETTINGS_WRONG, "token", "there is none: give token in wisebot.toml, or WISEBOT_ACCESS_TOKEN")
    elif settings.token.secret is None:
        yield _reached("dashboard API", settings.base_url, probe)
        yield _missing("token", settings.token)
    else:
        yield _token(settings.base_url, settings.token, probe)


def _token(host: str, token: Credential, probe: Probe) -> Finding:
    name = token.reference or "the token"
    try:
        refusal = probe.refusal_of_token(f"the token {token.reference or ''} ({token.given_by})".replace("  ", " "))
    except UnreachableError as error:
        return Finding(UNREACHABLE, "dashboard API", f"{host} cannot be reached: {error}")
    except ConfigurationError as error:
        return Finding(SETTINGS_WRONG, "dashboard API", str(error))
    if refusal is None:
        return Finding(0, "dashboard API", f"{host} accepts {name}")
    if isinstance(refusal, int):
        return Finding(UNREACHABLE, "dashboard API", f"{host} answers GET /api/v1/status with status {refusal}")
    code = SETTINGS_WRONG if isinstance(refusal, AuthenticationFailed) else UNREACHABLE
    return Finding(code, "dashboard API", f"{host}: {refusal.reason}")


def _secrets(settings: Settings) -> Iterator[Finding]:
    """Which workflows have a webhook secret, and which headers a value. A secret for all is named once."""
    for name, workflow in settings.workflows.items():
        if workflow.secret is not None:
            yield _credential(f"secret of {escape(name)}", workflow.secret)
        elif settings.secret is None and settings.origin is not None:
            yield Finding(0, f"secret of {escape(name)}", "there is none: only the dashboard API can start it")
    if settings.secret is not None:
        yield _credential("secret", settings.secret)
    for header, credential in (*settings.headers.items(), *settings.dashboard_headers.items()):
        yield _credential(f"header {header}", credential)


def _credential(about: str, credential: Credential) -> Finding:
    if credential.secret is None:
        return _missing(about, credential)
    return Finding(0, about, f"{credential.reference or 'a value'}, set ({credential.given_by})")


def _missing(about: str, credential: Credential) -> Finding:
    return Finding(SETTINGS_WRONG, about, f"{credential.reference}: {credential.problem} ({credential.given_by})")
