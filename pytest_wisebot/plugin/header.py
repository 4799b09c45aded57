"""The lines after collection: where the runs will go, and which setting determines it. Credentials are not shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from ..errors import ConfigurationError
from ..runs import Api
from ..settings import Credential, Settings
from ..text import count
from .options import is_offline
from .redact_pytest import refuse_ids
from .runtime import local_runtime


def header(config: pytest.Config, ids: Sequence[str]) -> list[str]:
    """The lines; none with ``-q``.

    Args:
        config: of the process that owns the engine.
        ids: of the tests that were collected.

    Raises:
        pytest.UsageError: the settings are wrong, or an id holds a credential; pytest ends with the message, before
            any test.
    """
    runtime = local_runtime(config)
    try:
        settings = runtime.unguarded if config.option.wisebot_plan else runtime.settings  # a plan runs nothing
        against = runtime.unguarded_against
        kept = [] if config.option.wisebot_plan else list(runtime.storage.header())
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from None
    refuse_ids(config, ids)
    both, offline = config.option.wisebot_api == "both", is_offline(config)
    if config.get_verbosity() < 0:
        beside = f", against {_hosts(against, offline=offline)}" if against is not None else ""
        return [f"wisebot: {_hosts(settings, offline=offline)}{beside}"] if config.get_verbosity() == -1 else []
    gate = _gate(settings) if config.option.wisebot_gate else ()
    second = _against(settings, against) if against is not None else ()
    return [f"wisebot: {line}" for line in [*_lines(settings, both=both, offline=offline), *second, *kept, *gate]]


def _hosts(settings: Settings, *, offline: bool) -> str:
    """Where the runs will go, in one line."""
    hosts = [host for host in (settings.origin, settings.base_url) if host is not None]
    target = " and ".join(hosts) or (f"the emulator {settings.emulated_by}" if settings.emulated_by else "no host yet")
    environment = f"environment {settings.environment}: " if settings.environment is not None else ""
    return f"{environment}{'no host is asked' if offline else target}"


def _against(first: Settings, second: Settings) -> Iterator[str]:
    """The second environment, and how often the runs of the first are repeated."""
    protected = ", protected" if second.protected else ""
    yield f"each run also over environment {second.environment}{protected} ({second.source('environment')})"
    yield from (f"  {line}" for line in [*_target_lines(second), *_limit_lines(second)])
    if (noise := first.against.noise) > 1:
        of = first.environment or "the first environment"
        yield f"{noise} runs of each over {of}, for what differs by itself (noise under {first.table('against')})"


def _gate(settings: Settings) -> Iterator[str]:
    if settings.gate == type(settings.gate)():
        yield f"the gate opens if every test passes: there is no {settings.table('gate')}"
        return
    about = f", for the tests of {settings.gate.select}" if settings.gate.select is not None else ""
    paths = f", for all of {', '.join(settings.gate.paths)}" if settings.gate.paths else ""
    yield f"the gate opens by {settings.table('gate')}{paths}{about}"


def _lines(settings: Settings, *, both: bool, offline: bool) -> Iterator[str]:
    if settings.environment is not None:
        protected = ", protected" if settings.protected else ""
        yield f"environment {settings.environment}{protected} ({settings.source('environment')})"
    api = "both APIs" if both else f"the {settings.api} API"
    for_others = f"{api} for tests that name none ({'--wisebot-api' if both else settings.source('api')})"
    if offline:  # nothing is sent: hosts, credentials and limits do not matter
        yield for_others
        return
    yield from _target_lines(settings)
    yield for_others
    yield from _limit_lines(settings)


def _target_lines(settings: Settings) -> Iterator[str]:
    """The hosts, and the credentials that they get."""
    if settings.emulated_by is not None:
        source = settings.source("emulator")
        yield f"both APIs at the emulator {settings.emulated_by}, started with the first run ({source})"
        return
    yield from _webhook(settings)
    yield from _dashboard(settings)
    if settings.origin is None and settings.base_url is None:
        yield _no_host(settings)


def _limit_lines(settings: Settings) -> Iterator[str]:
    yield f"{count(settings.concurrency, 'run')} at once ({settings.source('concurrency')})"
    yield from _limits(settings)
    if settings.max_runs is not None:
        yield f"at most {count(settings.max_runs, 'request')} for runs in all ({settings.source('max-runs')})"


def _no_host(settings: Settings) -> str:
    if settings.environments and settings.environment is None:
        known = ", ".join(settings.environments)
        where = f"default-environment in {settings.table()}"
        return f"no environment is chosen: --wisebot-env, or {where}; known: {known}"
    return "no host yet: give --wisebot-origin or --wisebot-base-url, or an environment in wisebot.toml"


def _limits(settings: Settings) -> Iterator[str]:
    """The workflows that are held to fewer runs at once, or were until an option put that out of force."""
    for workflow in settings.workflows.values():
        if workflow.concurrency is not None:
            off = settings.limit_of(workflow) is None
            source = f"out of force by {settings.source('concurrency')}" if off else workflow.source("concurrency")
            yield f"  {count(workflow.concurrency, 'run')} of {workflow.name} at once ({source})"


def _webhook(settings: Settings) -> Iterator[str]:
    if settings.origin is None:
        return
    yield f"webhook API at {settings.origin} ({settings.source('origin')})"
    if settings.secret is not None:
        yield f"  secret: {_given(settings.secret)}"
    for workflow in settings.workflows.values():
        if workflow.secret is not None:
            yield f"  secret of {workflow.name}: {_given(workflow.secret)}"
    yield from _guarded(settings, Api.WEBHOOK)


def _dashboard(settings: Settings) -> Iterator[str]:
    if settings.base_url is None:
        return
    yield f"dashboard API at {settings.base_url} ({settings.source('base-url')})"
    if settings.token is not None:
        yield f"  token: {_given(settings.token)}"
    yield from _guarded(settings, Api.DASHBOARD)


def _guarded(settings: Settings, api: Api) -> Iterator[str]:
    """What a host gets beside its credential."""
    for name, credential in settings.header_references(api).items():
        yield f"  header {name}: {_given(credential)}"
    if (certificate := settings.certificate_for(settings.host(api))) is not None:
        yield f"  client certificate: {certificate} ({settings.source('client-cert')})"


def _given(credential: Credential) -> str:
    if credential.reference is None and credential.given_by.startswith("--"):
        return f"set by {credential.given_by}, visible in the process list and the shell's history: env:NAME is not"
    state = "set" if credential.secret is not None else f"missing, {credential.problem}"
    what = credential.reference or "a value"
    return f"{what}, {state} ({credential.given_by})"
