"""The settings in force: which value wins, what is refused, and that no credential shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_wisebot.errors import ConfigurationError
from pytest_wisebot.redaction import Redact, Secret
from pytest_wisebot.runs import Api
from pytest_wisebot.settings import (
    Credential,
    Settings,
    Snapshots,
    Workflow,
    read_credential,
    resolve,
)

HOOK = "the pytest_wisebot_settings hook"
TOO_SHORT = "has 7 characters: at least 8 are needed, fewer cannot be masked"

STAGING = """
default-environment = "staging"

[environments.staging]
origin = "https://hook.staging.test"
base-url = "https://app.staging.test"
secret = "env:STAGING_SECRET"
token = "env:STAGING_TOKEN"
timeout = 60

[environments.staging.workflows.triage]
id = "k57"
secret = "env:TRIAGE_SECRET"

[environments.staging.workflows.refund]
idempotent = true

[environments.local]
emulator = "flows:emulator"

[environments.bare]

[environments.production]
origin = "https://hook.prod.test:8443"
base-url = "https://app.prod.test"
protected = true
"""

VARIABLES = {
    "STAGING_SECRET": "CANARY-staging-secret",
    "STAGING_TOKEN": "CANARY-staging-token",
    "TRIAGE_SECRET": "CANARY-triage-secret",
}

SHELL = {
    "WISEBOT_WORKFLOW_TRIGGER_ORIGIN": "https://hook.shell.test",
    "WISEBOTAI_BASE_URL": "https://app.shell.test",
    "WISEBOT_WORKFLOW_SECRET": "CANARY-shell-secret",
    "WISEBOT_ACCESS_TOKEN": "CANARY-shell-token",
}
"""A shell that Wisebot's own tools find prepared."""


class Suite:
    """A folder with or without a wisebot.toml, to be resolved with these options and variables."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, text: str, name: str = "wisebot.toml") -> Suite:
        """Writes a file of the suite."""
        (self.folder / name).write_bytes(text.encode())
        return self

    def settings(self, variables: Mapping[str, str] = VARIABLES, **given: Any) -> Settings:
        """The settings in force with these variables and options."""
        return resolve(given, start=self.folder, root=self.folder, cwd=self.folder / "cwd", variables=variables)

    def told(self, variables: Mapping[str, str] = VARIABLES, **given: Any) -> str:
        """What the user is told of them, which are wrong."""
        with pytest.raises(ConfigurationError) as caught:
            self.settings(variables, **given)
        return str(caught.value)


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    (tmp_path / "cwd").mkdir()
    return Suite(tmp_path)


@pytest.fixture
def staging(suite: Suite) -> Suite:
    return suite.write(STAGING)


def text_of(credential: Credential | None) -> str | None:
    return credential.secret.reveal() if credential is not None and credential.secret is not None else None


def secret_of(settings: Settings, name: str) -> str | None:
    return text_of(settings.credential(Api.WEBHOOK, settings.workflow(name)))


# --- which environment --------------------------------------------------------------------------------------------


def test_the_default_environment_is_in_force(staging: Suite) -> None:
    """Without an option the file's default environment is in force, whole."""
    settings = staging.settings()

    assert (settings.environment, settings.file) == ("staging", staging.folder / "wisebot.toml")
    assert (settings.origin, settings.base_url) == ("https://hook.staging.test", "https://app.staging.test")
    assert (text_of(settings.secret), text_of(settings.token)) == ("CANARY-staging-secret", "CANARY-staging-token")
    assert (settings.timeout, settings.connect_timeout, settings.concurrency, settings.retries) == (60.0, 10.0, 8, 2)
    assert settings.source("environment") == "wisebot.toml: default-environment"
    assert settings.source("timeout") == "wisebot.toml: environments.staging.timeout"
    assert settings.source("retries") == "default"


def test_an_option_chooses_another_environment(staging: Suite) -> None:
    """``--wisebot-env`` wins over the file's default, and nothing of the default environment remains."""
    settings = staging.settings(env="bare")

    assert (settings.environment, settings.origin, settings.base_url) == ("bare", None, None)
    assert (settings.secret, settings.token, settings.workflows, settings.timeout) == (None, None, {}, 300.0)
    assert settings.source("environment") == "--wisebot-env"


@pytest.mark.parametrize(
    ("name", "hint"),
    [("stagin", 'did you mean "staging"? '), ("zzz", ""), ("", "")],
)
def test_an_unknown_environment_is_told_the_known(staging: Suite, name: str, hint: str) -> None:
    """An unknown environment is told every known one, the likely one first."""
    assert staging.told(env=name) == (
        f'--wisebot-env: unknown environment "{name}", {hint}known: staging, local, bare, production'
    )


def test_an_unknown_environment_in_a_file_without_any(suite: Suite) -> None:
    """A file without environments says so."""
    assert suite.write("").told(env="staging") == '--wisebot-env: unknown environment "staging", known: none'


def test_an_unknown_default_environment_is_told_whatever_is_chosen(suite: Suite) -> None:
    """A wrong default is a mistake of the file, also in a session that chooses another environment."""
    suite.write('default-environment = "x"\n[environments.staging]\n')

    for env in (None, "staging"):
        assert suite.told(env=env) == 'wisebot.toml: default-environment: unknown environment "x", known: staging'


def test_an_environment_without_a_file(suite: Suite) -> None:
    """An environment is asked for where no file was found: the message says where it was looked for."""
    assert suite.told(env="staging") == (
        "--wisebot-env=staging: no wisebot.toml, and no pyproject.toml with [tool.wisebot], was found "
        f"from {suite.folder} up to {suite.folder}"
    )


def test_a_file_that_is_named_and_not_there(suite: Suite) -> None:
    """``--wisebot-config`` is never replaced by another file."""
    suite.write(STAGING)
    path = suite.folder / "other.toml"

    assert suite.told(config=path) == f"--wisebot-config: there is no file {path}"


def test_a_file_of_another_name_is_told_by_its_name(suite: Suite) -> None:
    """The messages of a file that ``--wisebot-config`` names carry that file's name."""
    suite.write("zzz = 1", "other.toml").write(STAGING)

    assert suite.told(config=suite.folder / "other.toml") == (
        "other.toml: zzz: unknown key, known: default-environment, recordings, max-age-days, defaults, environments, "
        "workflows, redact, snapshots, gate, report, quarantine, against"
    )


# --- precedence ---------------------------------------------------------------------------------------------------

OPTIONS: dict[str, Any] = {
    "origin": "https://hook.option.test/",
    "base_url": "https://app.option.test",
    "secret": "env:OPTION_SECRET",
    "token": Secret("CANARY-option-token"),
    "timeout": 5.0,
    "concurrency": 1,
    "retries": 0,
    "api": Api.DASHBOARD,
}


def test_an_option_wins_over_the_environment_and_its_variables(staging: Suite) -> None:
    """What the command line says is in force, and the settings say that it came from there."""
    settings = staging.settings({**VARIABLES, **SHELL, "OPTION_SECRET": "CANARY-option-secret"}, **OPTIONS)

    assert (settings.origin, settings.base_url) == ("https://hook.option.test", "https://app.option.test")
    assert (text_of(settings.secret), text_of(settings.token)) == ("CANARY-option-secret", "CANARY-option-token")
    assert (settings.timeout, settings.concurrency, settings.retries, settings.api) == (5.0, 1, 0, Api.DASHBOARD)
    assert {key: settings.source(key) for key in OPTIONS} == {
        key: f"--wisebot-{key.replace('_', '-')}" for key in OPTIONS
    }


LAYERS = {
    "defaults": "timeout = 10\nconcurrency = 10",
    "environments.e": "timeout = 11\nconcurrency = 11",
    "workflows.triage": "timeout = 12\nconcurrency = 2",
    "environments.e.workflows.triage": "timeout = 13\nconcurrency = 3",
}


@pytest.mark.parametrize(
    ("layers", "options", "timeout", "limit", "cap", "source"),
    [
        (0, {}, 300.0, None, 8, "default"),
        (1, {}, 10.0, None, 10, "wisebot.toml: defaults.{}"),
        (2, {}, 11.0, None, 11, "wisebot.toml: environments.e.{}"),
        (3, {}, 12.0, 2, 11, "wisebot.toml: workflows.triage.{}"),
        (4, {}, 13.0, 3, 11, "wisebot.toml: environments.e.workflows.triage.{}"),
        (4, {"timeout": 14.0, "concurrency": 14}, 14.0, None, 14, "--wisebot-{}"),
    ],
    ids=["default", "[defaults]", "environment", "[workflows.NAME]", "the environment's workflow", "option"],
)
def test_the_closest_timeout_and_concurrency_hold(
    suite: Suite, layers: int, options: dict[str, Any], timeout: float, limit: int | None, cap: int, source: str
) -> None:
    """Option, environment's workflow, ``[workflows.NAME]``, environment, ``[defaults]``: the first that gives one."""
    tables = [f"[{place}]\n{lines}" for place, lines in list(LAYERS.items())[:layers]]
    suite.write("\n".join(['default-environment = "e"', "[environments.e]\n" if layers < 2 else "", *tables]))
    settings = suite.settings(**options)
    triage, other = settings.workflow("triage"), settings.workflow("other")
    assert (settings.timeout_of(triage), settings.limit_of(triage), settings.concurrency) == (timeout, limit, cap)
    assert settings.limit_of(other) is None
    assert settings.timeout_of(other) == (timeout if layers < 3 or options else 11.0)
    for name in ("timeout", "concurrency"):
        of_all = limit is None
        assert (settings.source(name) if of_all else triage.source(name)) == source.format(name)
    by_hook = settings.replace(timeout=15.0, concurrency=15)
    assert (by_hook.timeout_of(triage), by_hook.limit_of(triage)) == (15.0, None)


def test_defaults_hold_for_every_environment_and_for_none(suite: Suite) -> None:
    """What an environment gives itself goes before; a variable has no part in them."""
    suite.write("""
        [defaults]
        api = "dashboard"
        retries = 5
        trace = false
        max-runs = 7
        [environments.a]
        retries = 1
        [environments.b]
    """)
    a, b, none = suite.settings(env="a"), suite.settings(env="b"), suite.settings()
    assert [(one.retries, one.api, one.trace, one.max_runs) for one in (a, b, none)] == [
        (1, Api.DASHBOARD, False, 7),
        (5, Api.DASHBOARD, False, 7),
        (5, Api.DASHBOARD, False, 7),
    ]
    assert none.source("max_runs") == "wisebot.toml: defaults.max-runs"


def test_an_environments_addresses_win_over_those_of_all(suite: Suite) -> None:
    """Links lead to the environment's editor and runs, else to those under ``[report]``; a hook may give others."""
    suite.write("""
        [report]
        title = "Shop"
        workflow-url = "https://app.test/{id}"
        run-url = "https://app.test/runs/{id}"
        [environments.staging]
        workflow-url = "https://staging.test/{id}"
        [environments.local]
    """)
    staging, local = suite.settings(env="staging"), suite.settings(env="local")

    assert staging.report_config.workflow_url == "https://staging.test/{id}"
    assert staging.source("workflow-url") == "wisebot.toml: environments.staging.workflow-url"
    assert local.report_config.workflow_url == "https://app.test/{id}"
    assert local.source("workflow-url") == "wisebot.toml: report.workflow-url"
    assert staging.report_config.run_url == "https://app.test/runs/{id}"
    assert (staging.report_config.title, staging.report_config.history_sessions) == ("Shop", 200)
    changed = local.replace(run_url="https://preview.test/{workflow}/{id}")
    assert changed.report_config.run_url == "https://preview.test/{workflow}/{id}"
    with pytest.raises(ConfigurationError, match=r"expected an address with \{id\}"):
        local.replace(run_url="https://preview.test/")


def test_defaults_protect_and_allow_as_an_environment_does(suite: Suite) -> None:
    """A host of an environment that only ``[defaults]`` protects is protected, however it is given."""
    suite.write("""
        [defaults]
        protected = true
        allow-http = true
        [environments.a]
        origin = "http://hook.test"
        [environments.b]
        origin = "https://open.test"
        protected = false
    """)
    assert suite.settings(env="a").refusal() is not None
    assert suite.settings(env="b").refusal() is None
    given = suite.settings(env="b", origin="https://hook.test").refusal()
    assert given == (
        'https://hook.test belongs to the protected environment "a", which names http://hook.test: '
        "add --wisebot-allow-protected to run there"
    )


def test_a_table_without_id_and_secret_closes_no_environment(suite: Suite) -> None:
    """It is a setting: other names are ids still, until the environment lists a workflow by its id or secret."""
    suite.write("""
        [workflows.triage]
        concurrency = 1
        [environments.open.workflows.refund]
        idempotent = true
        [environments.closed.workflows.refund]
        idempotent = true
        [environments.closed.workflows.sort]
        id = "k57"
    """)
    settings = suite.settings(env="open")
    assert [settings.workflow(name).id for name in ("refund", "triage", "other")] == ["refund", "triage", "other"]
    assert (settings.workflow("refund").idempotent, settings.workflow("triage").concurrency) == (True, 1)
    closed = suite.settings(env="closed")
    assert (closed.workflow("refund").idempotent, closed.workflow("sort").id) == (True, "k57")
    with pytest.raises(
        ConfigurationError, match=r'^unknown workflow "triage" in environment "closed", known: refund, sort'
    ):
        closed.workflow("triage")


def test_a_workflow_has_its_limits_under_its_id_too(suite: Suite) -> None:
    """``id:…`` is the same workflow; its secret is the environment's, as ever."""
    suite.write("""
        [workflows.triage]
        concurrency = 1
        timeout = 5
        [environments.e.workflows.triage]
        id = "k57"
    """)
    settings = suite.settings(env="e")
    by_id = settings.workflow("id:k57")
    assert (by_id.id, settings.limit_of(by_id), settings.timeout_of(by_id)) == ("k57", 1, 5.0)
    assert settings.limit_of(settings.workflow("id:other")) is None


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"concurrency": 0}, "workflows: triage: concurrency: expected a whole number, at least 1, got 0"),
        ({"timeout": "5"}, 'workflows: triage: timeout: expected a number, got "5"'),
    ],
)
def test_a_limit_that_the_hook_gives_a_workflow_is_checked(limits: dict[str, Any], message: str) -> None:
    """A limit of 0 would let no run begin, for ever."""
    with pytest.raises(ConfigurationError) as caught:
        Settings().replace(workflows={"triage": Workflow("triage", "k57", **limits)})
    assert str(caught.value) == f"{HOOK}: {message}"


def test_an_option_wins_over_a_workflows_own_secret(staging: Suite) -> None:
    """A secret given as an option holds for every workflow, those with secrets of their own included."""
    settings = staging.settings(secret=Secret("CANARY-option-secret"))

    assert [secret_of(settings, name) for name in ("triage", "refund")] == ["CANARY-option-secret"] * 2


def test_a_workflows_own_secret_wins_over_the_environments(staging: Suite) -> None:
    """A workflow's own secret is sent for it, the environment's for the others."""
    settings = staging.settings()

    assert secret_of(settings, "triage") == "CANARY-triage-secret"
    assert secret_of(settings, "refund") == "CANARY-staging-secret"
    assert secret_of(settings, "id:k57") == "CANARY-staging-secret"


@pytest.mark.parametrize("text", [None, "", "[environments.staging]\norigin = 'https://x.test'\n"])
def test_variables_fill_what_no_environment_says(suite: Suite, text: str | None) -> None:
    """Where no environment is chosen, the variables of Wisebot's own tools are in force."""
    if text is not None:
        suite.write(text)
    settings = suite.settings(SHELL)

    assert (settings.environment, settings.origin, settings.base_url) == (
        None,
        "https://hook.shell.test",
        "https://app.shell.test",
    )
    assert (text_of(settings.secret), text_of(settings.token)) == ("CANARY-shell-secret", "CANARY-shell-token")
    assert settings.source("origin") == "WISEBOT_WORKFLOW_TRIGGER_ORIGIN"
    assert str(settings.secret) == "env:WISEBOT_WORKFLOW_SECRET (set) from WISEBOT_WORKFLOW_SECRET"


@pytest.mark.parametrize(
    ("order", "value", "of"),
    [
        (("WISEBOT_WORKFLOW_TRIGGER_ORIGIN", "WISEBOT_CONVEX_SITE", "CONVEX_SITE_URL"), "https://h{}.test", "origin"),
        (("WISEBOTAI_BASE_URL",), "https://h{}.test", "base_url"),
        (("WISEBOT_WORKFLOW_SECRET",), "CANARY-{}-secret", "secret"),
        (("WISEBOT_ACCESS_TOKEN", "WISE_KEY", "WISEBOTAI_API_KEY"), "CANARY-{}-token", "token"),
    ],
)
def test_the_first_variable_that_is_set_wins(suite: Suite, order: tuple[str, ...], value: str, of: str) -> None:
    """Of several variables the first wins, as it does for Wisebot's own tools; an empty one is none."""
    for first in range(len(order)):
        variables = {name: value.format(at) for at, name in enumerate(order) if at >= first}
        variables |= dict.fromkeys(order[:first], "")
        found = getattr(suite.settings(variables), of)
        assert (found if isinstance(found, str) else text_of(found)) == value.format(first)


@pytest.mark.parametrize("given", [{}, {"env": "bare"}], ids=["default", "named"])
def test_an_environment_is_closed_to_variables(suite: Suite, given: dict[str, Any]) -> None:
    """A shell prepared for production neither redirects a session in another environment nor hands it a credential."""
    settings = suite.write('default-environment = "bare"\n[environments.bare]\n').settings(SHELL, **given)

    assert (settings.origin, settings.base_url, settings.secret, settings.token) == (None, None, None, None)


@pytest.mark.parametrize("given", [{"origin": "https://o.test"}, {"base_url": "https://b.test"}])
def test_an_option_does_not_open_an_environment(staging: Suite, given: dict[str, Any]) -> None:
    """A host given as an option does not let variables into a chosen environment."""
    settings = staging.settings({**VARIABLES, **SHELL}, env="bare", **given)

    assert (settings.secret, settings.token) == (None, None)
    assert "shell" not in f"{settings.origin} {settings.base_url}"


# --- hosts and the credentials that are for them ------------------------------------------------------------------


def test_an_origin_option_discards_the_environments_secrets(staging: Suite) -> None:
    """The environment's webhook secrets are for its own host; another host does not get them. The token stays."""
    settings = staging.settings(origin="https://other.test")

    assert settings.secret is None
    assert {name: workflow.secret for name, workflow in settings.workflows.items()} == {"triage": None, "refund": None}
    assert text_of(settings.token) == "CANARY-staging-token"
    assert [secret.reveal() for secret in settings.credentials()] == ["CANARY-staging-token"]


def test_a_base_url_option_discards_the_environments_token(staging: Suite) -> None:
    """The environment's token is for its own host; another host does not get it. The webhook secrets stay."""
    settings = staging.settings(base_url="https://other.test")

    assert settings.token is None
    assert (secret_of(settings, "triage"), secret_of(settings, "refund")) == (
        "CANARY-triage-secret",
        "CANARY-staging-secret",
    )


@pytest.mark.parametrize(
    ("given", "variables", "found"),
    [
        ({"origin": "https://other.test"}, SHELL, (None, "CANARY-shell-token")),
        ({"base_url": "https://other.test"}, SHELL, ("CANARY-shell-secret", None)),
        ({"origin": "https://HOOK.shell.test/"}, SHELL, ("CANARY-shell-secret", "CANARY-shell-token")),
        ({"origin": "https://o.test", "secret": Secret("CANARY-given")}, SHELL, ("CANARY-given", "CANARY-shell-token")),
        ({"origin": "https://other.test"}, {"WISEBOT_WORKFLOW_SECRET": "CANARY-alone"}, ("CANARY-alone", None)),
    ],
    ids=["another origin", "another base URL", "the same", "a secret of its own", "no host in variables"],
)  # fmt: skip
def test_a_variables_credential_does_not_go_to_another_host_than_theirs(
    suite: Suite, given: dict[str, Any], variables: dict[str, str], found: tuple[str | None, str | None]
) -> None:
    """A shell that names a host and its credential has not given it to the host of an option."""
    settings = suite.settings(variables, **given)

    assert (settings.secret and text_of(settings.secret), settings.token and text_of(settings.token)) == found


def test_a_variable_that_is_not_used_is_named_where_it_is_missed(suite: Suite) -> None:
    """The error says for which host the variables are."""
    settings = suite.settings(SHELL, origin="https://other.test")
    with pytest.raises(ConfigurationError) as caught:
        settings.credential(Api.WEBHOOK, settings.workflow("triage"))
    assert str(caught.value) == (
        'there is no webhook secret for workflow "triage": give it by --wisebot-secret env:NAME or the variable '
        "WISEBOT_WORKFLOW_SECRET (WISEBOT_WORKFLOW_SECRET is not used: the variables are for https://hook.shell.test)"
    )


@pytest.mark.parametrize("given", [{"origin": "https://o.test"}, {"base_url": "https://b.test"}])
def test_a_host_option_takes_the_emulators_place(staging: Suite, given: dict[str, Any]) -> None:
    """A host given as an option is asked instead of the emulator."""
    assert staging.settings(env="local").emulator == "flows:emulator"
    assert staging.settings(env="local", **given).emulator is None


@pytest.mark.parametrize(
    ("given", "api"),
    [
        ({}, Api.WEBHOOK),
        ({"env": "local"}, Api.WEBHOOK),
        ({"env": "bare"}, Api.WEBHOOK),
        ({"env": "bare", "base_url": "https://b.test"}, Api.DASHBOARD),
        ({"env": "local", "base_url": "https://b.test"}, Api.DASHBOARD),
        ({"env": "bare", "origin": "https://o.test", "base_url": "https://b.test"}, Api.WEBHOOK),
        ({"env": "bare", "base_url": "https://b.test", "api": Api.WEBHOOK}, Api.WEBHOOK),
    ],
)
def test_the_api_follows_the_hosts(staging: Suite, given: dict[str, Any], api: Api) -> None:
    """The webhook API is the default, unless the dashboard's host alone is known."""
    assert staging.settings(**given).api is api


def test_the_environments_api_is_in_force(suite: Suite) -> None:
    """An environment names the API of the tests that name none."""
    settings = suite.write('default-environment = "e"\n[environments.e]\napi = "dashboard"\n').settings()

    assert settings.api is Api.DASHBOARD
    assert settings.source("api") == "wisebot.toml: environments.e.api"


# --- protected ----------------------------------------------------------------------------------------------------


def test_a_protected_environment_is_refused(staging: Suite) -> None:
    """Nothing runs against a protected environment by accident."""
    assert staging.settings(env="production").refusal() == (
        'environment "production" is protected: add --wisebot-allow-protected to run against it'
    )
    assert staging.settings(env="production", allow_protected=True).refusal() is None
    assert staging.settings().refusal() is None


HOOK_HOST = ", which names https://hook.prod.test:8443"


@pytest.mark.parametrize(
    ("given", "host", "named"),
    [
        ({"origin": "https://hook.prod.test:8443"}, "https://hook.prod.test:8443", ""),
        ({"origin": "https://hook.prod.test"}, "https://hook.prod.test", HOOK_HOST),
        ({"origin": "https://HOOK.Prod.Test:99/"}, "https://hook.prod.test:99", HOOK_HOST),
        ({"base_url": "https://hook.prod.test"}, "https://hook.prod.test", HOOK_HOST),
        ({"origin": "https://app.prod.test"}, "https://app.prod.test", ""),
        ({"base_url": "https://App.prod.test:1"}, "https://app.prod.test:1", ", which names https://app.prod.test"),
    ],
)
def test_a_protected_host_is_protected_however_it_was_given(
    staging: Suite, given: dict[str, Any], host: str, named: str
) -> None:
    """A host that a protected environment names is refused as an option too, in any case, form and with any port."""
    assert staging.settings(**given).refusal() == (
        f'{host} belongs to the protected environment "production"{named}: add --wisebot-allow-protected to run there'
    )
    assert staging.settings(**given, allow_protected=True).refusal() is None


@pytest.mark.parametrize(
    ("origin", "is_refused"),
    [
        ("http://127.0.0.1:8787", True),
        ("http://localhost:8787", True),
        ("http://[::1]:8787", True),
        ("http://127.0.0.1:8797", False),
        ("http://localhost", False),
    ],
)
def test_on_this_machine_the_port_belongs_to_a_protected_host(suite: Suite, origin: str, is_refused: bool) -> None:
    """Another port of the own machine is another server; the machine's other names lead to the same one."""
    suite.write('[environments.production]\norigin = "http://127.0.0.1:8787"\nprotected = true\n')
    refusal = suite.settings(origin=origin).refusal()

    assert (refusal is not None) is is_refused
    names = ", which names http://127.0.0.1:8787" if origin != "http://127.0.0.1:8787" else ""
    assert refusal is None or refusal.startswith(f'{origin} belongs to the protected environment "production"{names}: ')


@pytest.mark.parametrize("key", ["origin", "base_url"])
def test_a_protected_host_is_protected_with_a_final_dot(staging: Suite, key: str) -> None:
    """A final dot leads to the same host, and so to the same refusal."""
    given: dict[str, Any] = {key: "https://hook.prod.test."}
    refusal = staging.settings(**given).refusal()

    assert refusal is not None
    assert 'belongs to the protected environment "production"' in refusal


def test_a_protected_host_is_protected_in_a_variable(suite: Suite) -> None:
    """A host that a protected environment names is refused when a variable gives it."""
    suite.write('[environments.production]\norigin = "https://hook.prod.test"\nprotected = true\n')

    assert suite.settings({"CONVEX_SITE_URL": "https://hook.prod.test"}).refusal() == (
        'https://hook.prod.test belongs to the protected environment "production": add --wisebot-allow-protected to '
        "run there"
    )


def test_a_protected_host_is_protected_from_the_hook(staging: Suite) -> None:
    """A host that a protected environment names is refused when the project's hook gives it."""
    changes: list[dict[str, Any]] = [{"origin": "https://hook.prod.test"}, {"base_url": "https://APP.prod.test"}]
    for change in changes:
        refusal = staging.settings().replace(**change).refusal()
        assert refusal is not None
        assert 'belongs to the protected environment "production"' in refusal


# --- workflows ----------------------------------------------------------------------------------------------------


def test_a_listed_workflow_has_its_id(staging: Suite) -> None:
    """A workflow is called by its name and sent by its id; without an id its name is one."""
    settings = staging.settings()

    assert (settings.workflow("triage").id, settings.workflow("triage").idempotent) == ("k57", False)
    assert (settings.workflow("refund").id, settings.workflow("refund").idempotent) == ("refund", True)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("triag", 'did you mean "triage"? '), ("Triage", 'did you mean "triage"? '), ("zzz", ""), ("k57", "")],
)
def test_an_unknown_workflow_is_told_the_known(staging: Suite, name: str, hint: str) -> None:
    """Where workflows are listed, another name is a mistake: the message has the known names and the way around."""
    with pytest.raises(ConfigurationError) as caught:
        staging.settings().workflow(name)

    assert str(caught.value) == (
        f'unknown workflow "{name}" in environment "staging", {hint}known: triage, refund '
        f'(write "id:{name}" for an id that is not listed)'
    )


@pytest.mark.parametrize(
    ("env", "name", "id_"), [("staging", "id:k99", "k99"), ("bare", "k99", "k99"), ("bare", "id:a:b", "a:b")]
)
def test_an_id_may_be_asked_for(staging: Suite, env: str, name: str, id_: str) -> None:
    """``id:ID`` is always that id; where no workflows are listed, a name is an id."""
    assert staging.settings(env=env).workflow(name) == Workflow(name, id_)


# --- what is missing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("api", "message"),
    [
        (
            Api.WEBHOOK,
            "there is no trigger origin for the webhook API: give it by --wisebot-origin URL or "
            'origin = "URL" under [environments.bare] in wisebot.toml',
        ),
        (
            Api.DASHBOARD,
            "there is no base URL for the dashboard API: give it by --wisebot-base-url URL or "
            'base-url = "URL" under [environments.bare] in wisebot.toml',
        ),
    ],
)
def test_a_missing_host_in_an_environment(staging: Suite, api: Api, message: str) -> None:
    """In an environment a missing host is told with the option and the key, and no variable."""
    with pytest.raises(ConfigurationError) as caught:
        staging.settings(env="bare").host(api)

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("api", "message"),
    [
        (
            Api.WEBHOOK,
            "there is no trigger origin for the webhook API: give it by --wisebot-origin URL or the variable "
            "WISEBOT_WORKFLOW_TRIGGER_ORIGIN "
            "(no wisebot.toml, and no pyproject.toml with [tool.wisebot], was found beside the tests)",
        ),
        (
            Api.DASHBOARD,
            "there is no base URL for the dashboard API: give it by --wisebot-base-url URL or the variable "
            "WISEBOTAI_BASE_URL "
            "(no wisebot.toml, and no pyproject.toml with [tool.wisebot], was found beside the tests)",
        ),
    ],
)
def test_a_missing_host_without_an_environment(suite: Suite, api: Api, message: str) -> None:
    """Without an environment a missing host is told with the option and the variable."""
    with pytest.raises(ConfigurationError) as caught:
        suite.settings().host(api)

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("env", "api", "message"),
    [
        (
            "bare",
            Api.WEBHOOK,
            'there is no webhook secret for workflow "w": give it by --wisebot-secret env:NAME or '
            'secret = "env:NAME" under [environments.bare] in wisebot.toml',
        ),
        (
            "bare",
            Api.DASHBOARD,
            "there is no token for the dashboard API: give it by --wisebot-token env:NAME or "
            'token = "env:NAME" under [environments.bare] in wisebot.toml',
        ),
        (
            None,
            Api.WEBHOOK,
            'there is no webhook secret for workflow "w": give it by --wisebot-secret env:NAME or the variable '
            "WISEBOT_WORKFLOW_SECRET, or choose an environment by --wisebot-env: bare",
        ),
        (
            None,
            Api.DASHBOARD,
            "there is no token for the dashboard API: give it by --wisebot-token env:NAME or the variable "
            "WISEBOT_ACCESS_TOKEN, or choose an environment by --wisebot-env: bare",
        ),
    ],
)
def test_a_missing_credential_is_told_with_the_ways_to_give_it(
    suite: Suite, env: str | None, api: Api, message: str
) -> None:
    """A missing credential is told with the API it is for and the ways to give it that hold here."""
    settings = suite.write("[environments.bare]\n").settings(env=env)

    with pytest.raises(ConfigurationError) as caught:
        settings.credential(api, settings.workflow("w"))

    assert str(caught.value) == message


def test_the_other_apis_credential_is_never_taken(staging: Suite) -> None:
    """A token is not a secret and a secret is no token: what one API lacks, the other does not lend."""
    settings = staging.settings(env="bare", secret=Secret("CANARY-secret"))
    with pytest.raises(ConfigurationError):
        settings.credential(Api.DASHBOARD, settings.workflow("w"))

    settings = staging.settings(env="bare", token=Secret("CANARY-token"))
    with pytest.raises(ConfigurationError):
        settings.credential(Api.WEBHOOK, settings.workflow("w"))


@pytest.mark.parametrize("value", [None, ""], ids=["unset", "empty"])
def test_a_reference_that_leads_nowhere_is_told_when_it_is_needed(staging: Suite, value: str | None) -> None:
    """A variable that is not set, or empty, disturbs no test but those that need it."""
    variables = {name: text for name, text in VARIABLES.items() if name != "TRIAGE_SECRET"}
    settings = staging.settings(variables if value is None else {**variables, "TRIAGE_SECRET": value})

    assert secret_of(settings, "refund") == "CANARY-staging-secret"
    with pytest.raises(ConfigurationError) as caught:
        secret_of(settings, "triage")
    assert str(caught.value) == (
        "wisebot.toml: environments.staging.workflows.triage.secret: env:TRIAGE_SECRET: the environment variable "
        "TRIAGE_SECRET is not set"
    )


def test_a_file_that_is_not_there_is_told_when_it_is_needed(suite: Suite) -> None:
    """A file that cannot be read is told by its whole path and the system's reason."""
    suite.write('default-environment = "e"\n[environments.e]\ntoken = "file:none.txt"\n')
    settings = suite.settings()

    with pytest.raises(ConfigurationError) as caught:
        settings.credential(Api.DASHBOARD, settings.workflow("w"))

    assert str(caught.value) == (
        f"wisebot.toml: environments.e.token: file:{suite.folder / 'none.txt'}: cannot be read: "
        "No such file or directory"
    )


# --- what a credential may look like ------------------------------------------------------------------------------

BAD = [
    ("CANARY7", TOO_SHORT),
    ("CANARY-12\nx", "has a newline in it"),
    ("CANARY-12\rx", "has a newline in it"),
    ("CANARY-12\tx", "has a control character in it"),
    ("CANARY-12\0x", "has a control character in it"),
    ("CANARY-12\x7f", "has a control character in it"),
    ("CANARY-12é", "has a non-ASCII character in it, which no HTTP header can carry"),
    ("CANARY-12\udc80", "has a non-ASCII character in it, which no HTTP header can carry"),
    (" CANARY-12", "begins or ends with a space"),
    ("CANARY-12 ", "begins or ends with a space"),
    ("        ", "begins or ends with a space"),
]
WRITABLE = [(text, problem) for text, problem in BAD if "\udc80" not in text]


@pytest.mark.parametrize(("text", "problem"), BAD)
def test_a_bad_credential_in_a_variable_is_refused(suite: Suite, text: str, problem: str) -> None:
    """A variable that holds no possible credential is told by name, and what it holds is not."""
    suite.write('default-environment = "e"\n[environments.e]\nsecret = "env:MINE"\n')

    assert suite.told({"MINE": text}) == (f"wisebot.toml: environments.e.secret: the credential of env:MINE {problem}")


@pytest.mark.parametrize(("text", "problem"), [*WRITABLE, ("", "is empty"), ("\n", "is empty")])
def test_a_bad_credential_in_a_file_is_refused(suite: Suite, text: str, problem: str) -> None:
    """A file that holds no possible credential is told by its path, and what it holds is not."""
    suite.write('default-environment = "e"\n[environments.e]\ntoken = "file:mine.txt"\n').write(text, "mine.txt")

    assert suite.told() == (
        f"wisebot.toml: environments.e.token: the credential of file:{suite.folder / 'mine.txt'} {problem}"
    )


@pytest.mark.parametrize(("text", "problem"), [*BAD, ("", "is empty")])
@pytest.mark.parametrize("key", ["secret", "token"])
def test_a_bad_credential_as_an_option_is_refused(suite: Suite, key: str, text: str, problem: str) -> None:
    """An option that holds no possible credential is told by its name, and its value is not."""
    given: dict[str, Any] = {key: Secret(text)}

    assert suite.told(**given) == f"--wisebot-{key}: the credential {problem}"


@pytest.mark.parametrize(("text", "problem"), BAD)
@pytest.mark.parametrize(
    ("name", "key"),
    [("WISEBOT_WORKFLOW_SECRET", "secret"), ("WISE_KEY", "token"), ("WISEBOTAI_API_KEY", "token")],
)
def test_a_bad_credential_in_wisebots_own_variable_is_refused(
    suite: Suite, name: str, key: str, text: str, problem: str
) -> None:
    """A variable of Wisebot's own tools that holds no possible credential is told by its name."""
    assert suite.told({name: text}) == f"{name}: the credential of env:{name} {problem}"


def test_all_bad_credentials_are_told_at_once(staging: Suite) -> None:
    """Every credential that cannot be one is told in the same message, beside every other wrong value."""
    variables = {"STAGING_SECRET": "CANARY7", "STAGING_TOKEN": "CANARY é", "TRIAGE_SECRET": "CANARY\n\n"}

    assert staging.told(variables, retries=-1).splitlines() == [
        "--wisebot-retries: expected a whole number, at least 0, got -1",
        f"wisebot.toml: environments.staging.secret: the credential of env:STAGING_SECRET {TOO_SHORT}",
        "wisebot.toml: environments.staging.token: the credential of env:STAGING_TOKEN has a non-ASCII character in "
        "it, which no HTTP header can carry",
        "wisebot.toml: environments.staging.workflows.triage.secret: the credential of env:TRIAGE_SECRET has a newline "
        "in it",
    ]


@pytest.mark.parametrize("text", ["CANARY-8", "CANARY 8", "x" * 5000, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"])
def test_a_credential_of_printable_characters_is_fine(suite: Suite, text: str) -> None:
    """Any eight or more printable ASCII characters are a credential, spaces within included."""
    assert text_of(suite.settings(secret=Secret(text)).secret) == text


@pytest.mark.parametrize("end", ["", "\n", "\r\n"], ids=["none", "unix", "dos"])
def test_one_trailing_newline_of_a_file_is_stripped(suite: Suite, end: str) -> None:
    """The newline that an editor writes at the end of a file is not part of the credential."""
    suite.write('default-environment = "e"\n[environments.e]\ntoken = "file:mine.txt"\n')
    token = suite.write(f"CANARY-token{end}", "mine.txt").settings().token

    assert text_of(token) == "CANARY-token"


@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n", "\n\r\n", "\r\r"])
def test_a_second_newline_is_refused(suite: Suite, end: str) -> None:
    """A second newline is no editor's doing: it is told instead of guessed about."""
    suite.write('default-environment = "e"\n[environments.e]\ntoken = "file:mine.txt"\n')

    assert suite.write(f"CANARY-token{end}", "mine.txt").told() == (
        f"wisebot.toml: environments.e.token: the credential of file:{suite.folder / 'mine.txt'} has a newline in it"
    )


def test_a_file_is_relative_to_who_names_it(suite: Suite) -> None:
    """``file:`` in wisebot.toml is relative to it, on the command line to the current folder; absolute is absolute."""
    suite.write('default-environment = "e"\n[environments.e]\ntoken = "file:sub/t"\nsecret = "file:s"\n')
    (suite.folder / "sub").mkdir()
    suite.write("CANARY-beside", "s").write("CANARY-below", "sub/t").write("CANARY-cwd", "cwd/s")

    assert [text_of(suite.settings().secret), text_of(suite.settings().token)] == ["CANARY-beside", "CANARY-below"]
    option = suite.settings(secret="file:s").secret
    assert text_of(option) == "CANARY-cwd"
    assert str(option) == f"file:{suite.folder / 'cwd' / 's'} (set) from --wisebot-secret"
    assert text_of(suite.settings(secret=f"file:{suite.folder / 's'}").secret) == "CANARY-beside"


def test_a_file_that_is_no_text_is_told_by_its_path(suite: Suite) -> None:
    """A file that is not UTF-8 text holds no credential."""
    (suite.folder / "cwd" / "s").write_bytes(b"CANARY-\xff\xfe-secret")

    assert suite.told(secret="file:s") == f"--wisebot-secret: file:{suite.folder / 'cwd' / 's'} is not UTF-8 text"


@pytest.mark.parametrize("given", ["file:~no-such-user-here/token", "file:a\0b"], ids=["home", "zero"])
def test_a_path_that_no_system_knows_leads_nowhere(tmp_path: Path, given: str) -> None:
    """A path with an unknown home folder or a zero byte is a reference that leads nowhere, and no crash."""
    found = read_credential(given, "--wisebot-secret", tmp_path, {})

    assert found.secret is None
    assert found.problem


def test_a_credential_as_itself_is_checked(tmp_path: Path) -> None:
    """A value that is given as a string or a secret is checked like the rest; a credential stays as it is."""
    ready = Credential("somewhere", None, Secret("CANARY-ready"))

    assert read_credential(ready, "x", tmp_path, {}) is ready
    assert read_credential("CANARY-text", "x", tmp_path, {}) == Credential("x", None, Secret("CANARY-text"))
    for wrong in ("CANARY7", Secret("CANARY7")):
        with pytest.raises(ConfigurationError) as caught:
            read_credential(wrong, "x", tmp_path, {})
        assert str(caught.value) == f"x: the credential {TOO_SHORT}"


# --- hosts as options and variables -------------------------------------------------------------------------------

UNENCRYPTED = "would carry the credential unencrypted: write https, or set allow-http = true in the environment"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x.test", '"x.test" is not an origin: write scheme and host, as in "https://example.com"'),
        ("https://x.test/p", 'has the path "/p": write scheme and host only, "https://x.test"'),
        ("https://x.test?a=CANARY", 'has a query or a fragment: write scheme and host only, "https://x.test"'),
        ("https://u:CANARY@x.test", "a user name or password has no place in it: write scheme and host only"),
        ("https://x.test:99999", '"x.test:99999" has no valid port'),
        ("http://x.test", f"http://x.test {UNENCRYPTED}"),
    ],
)
def test_a_wrong_host_is_told_with_the_option_or_variable(suite: Suite, text: str, problem: str) -> None:
    """A wrong host is told with what gave it: the option, or the variable."""
    assert suite.told(origin=text) == f"--wisebot-origin: {problem}"
    assert suite.told(base_url=text) == f"--wisebot-base-url: {problem}"
    assert suite.told({"CONVEX_SITE_URL": text}) == f"CONVEX_SITE_URL: {problem}"
    assert suite.told({"WISEBOTAI_BASE_URL": text}) == f"WISEBOTAI_BASE_URL: {problem}"


def test_an_environment_may_allow_plain_http(suite: Suite) -> None:
    """Where the environment allows plain HTTP, an option may give such a host as well."""
    suite.write('default-environment = "e"\n[environments.e]\nallow-http = true\norigin = "http://x.test"\n')

    assert suite.settings().origin == "http://x.test"
    assert suite.settings(origin="http://y.test").origin == "http://y.test"


def test_a_trace_is_sent_unless_the_file_or_the_option_says_no(suite: Suite) -> None:
    """The option wins over the environment, and the header can say which of them it was."""
    suite.write('default-environment = "e"\n[environments.e]\ntrace = true\n[environments.off]\ntrace = false\n')
    found = [suite.settings(), suite.settings(env="off"), suite.settings(trace=False)]
    assert [settings.trace for settings in found] == [True, False, False]
    assert [settings.source("trace") for settings in found] == [
        "wisebot.toml: environments.e.trace",
        "wisebot.toml: environments.off.trace",
        "--wisebot-no-trace",
    ]
    assert found[0].replace(trace=False).trace is False


def test_every_wrong_option_is_told_at_once(suite: Suite) -> None:
    """Several wrong options make one message, a line for each."""
    assert suite.told(origin="x", base_url="y", timeout=0.0, concurrency=0, retries=-1).splitlines() == [
        '--wisebot-origin: "x" is not an origin: write scheme and host, as in "https://example.com"',
        '--wisebot-base-url: "y" is not an origin: write scheme and host, as in "https://example.com"',
        "--wisebot-timeout: expected a number of seconds above 0, got 0",
        "--wisebot-concurrency: expected a whole number, at least 1, got 0",
        "--wisebot-retries: expected a whole number, at least 0, got -1",
    ]


# --- the project's hook -------------------------------------------------------------------------------------------


def test_replace_gives_a_changed_copy(staging: Suite) -> None:
    """A hook's change makes a copy that says where the new values came from; the old settings stay as they were."""
    before = staging.settings()
    after = before.replace(timeout=1.5, token="CANARY-vault-token", concurrency=3)

    assert (after.timeout, after.concurrency, text_of(after.token)) == (1.5, 3, "CANARY-vault-token")
    assert after.source("timeout") == after.source("token") == HOOK
    assert after.source("origin") == before.source("origin")
    assert (before.timeout, text_of(before.token)) == (60.0, "CANARY-staging-token")


HOSTS: dict[str, Any] = {"origin": "https://Preview.test/", "base_url": "https://p.test"}


@pytest.mark.parametrize("keep", [False, True], ids=["dropped", "kept"])
def test_the_credentials_of_a_replaced_host_do_not_go_to_the_new_one(staging: Suite, keep: bool) -> None:
    """Those of the environment and of each workflow are dropped, unless the hook states that they are for it, too."""
    after = staging.settings().replace(**HOSTS, keep_credentials=keep)

    assert (after.origin, after.base_url) == ("https://preview.test", "https://p.test")
    assert after.source("origin") == after.source("base_url") == HOOK
    known = sorted(secret.reveal() for secret in after.credentials())
    assert known == (["CANARY-staging-secret", "CANARY-staging-token", "CANARY-triage-secret"] if keep else [])
    assert after.returned_by_hook(staging.settings()).credentials() == after.credentials()


def test_a_host_that_stays_keeps_its_credentials(staging: Suite) -> None:
    """One host replaced drops its own credentials alone, and the same host written otherwise is the same one."""
    settings = staging.settings()
    assert text_of(settings.replace(origin="https://preview.test").token) == "CANARY-staging-token"
    assert secret_of(settings.replace(base_url="https://p.test"), "triage") == "CANARY-triage-secret"
    assert secret_of(settings.replace(origin=f"{settings.origin}/", timeout=3.0), "triage") == "CANARY-triage-secret"
    assert secret_of(settings.replace(origin="https://x.test", secret=settings.secret), "triage") == text_of(
        settings.secret
    )


def test_a_host_from_the_hook_where_there_was_none_takes_the_credentials(suite: Suite) -> None:
    """An environment that names a credential and leaves the host to the hook has named it for that host."""
    text = 'default-environment = "e"\n[environments.e]\nsecret = "env:MINE"\n'
    settings = suite.write(text).settings({"MINE": "CANARY-mine"})

    assert text_of(settings.replace(origin="https://preview.test").secret) == "CANARY-mine"


def test_dataclasses_replace_in_the_hook_drops_them_likewise(staging: Suite) -> None:
    """Whatever made the copy: a credential stays if it was changed together with the host."""
    before = staging.settings()
    bare = dataclasses.replace(before, **HOSTS).returned_by_hook(before)
    given: dict[str, Any] = {**HOSTS, "token": "CANARY-p-token"}

    assert bare.credentials() == []
    assert text_of(dataclasses.replace(before, **given).returned_by_hook(before).token) == "CANARY-p-token"


def test_what_was_dropped_is_told_where_it_is_missed(staging: Suite) -> None:
    """The error of a run without its credential names the call that gives one, and the argument that keeps the old."""
    settings = staging.settings().replace(**HOSTS)
    with pytest.raises(ConfigurationError) as caught:
        settings.credential(Api.WEBHOOK, settings.workflow("triage"))
    assert str(caught.value) == (
        'there is no webhook secret for workflow "triage": give it by --wisebot-secret env:NAME, or in '
        'the pytest_wisebot_settings hook by settings.replace(origin=..., secret="env:NAME"): it gave the origin, and '
        "the credentials of another one are not sent there (keep_credentials=True keeps them)"
    )


def test_a_credential_from_the_hook_is_the_one(staging: Suite) -> None:
    """A secret that the hook gives beats those that the file has for single workflows, as an option does."""
    given = staging.settings().replace(origin="https://preview.test", secret="CANARY-preview", token="CANARY-p-token")

    assert secret_of(given, "triage") == "CANARY-preview"
    assert text_of(given.token) == "CANARY-p-token"


def test_a_reference_from_the_hook_is_followed(staging: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """``env:`` and ``file:`` mean in the hook what they mean everywhere else."""
    monkeypatch.setenv("PREVIEW_SECRET", "CANARY-preview")
    settings = staging.settings()

    assert secret_of(settings.replace(secret="env:PREVIEW_SECRET"), "triage") == "CANARY-preview"
    given: Any = "env:PREVIEW_SECRET"
    changed = dataclasses.replace(settings, secret=given).changed_by_hook(settings)
    assert secret_of(changed, "triage") == "CANARY-preview"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"origin": "x"}, '"x" is not an origin: write scheme and host, as in "https://example.com"'),
        ({"base_url": "http://x.test"}, f"http://x.test {UNENCRYPTED}"),
        ({"secret": "CANARY7"}, f"the credential {TOO_SHORT}"),
        ({"token": Secret("CANARY\n-token")}, "the credential has a newline in it"),
        ({"timeout": 0}, "expected a number of seconds above 0, got 0"),
        ({"connect_timeout": float("inf")}, "expected a number of seconds above 0, got inf"),
        ({"concurrency": 0}, "expected a whole number, at least 1, got 0"),
        ({"retries": -1}, "expected a whole number, at least 0, got -1"),
        ({"max_response_mib": 0}, "expected a whole number, at least 1, got 0"),
    ],
)
def test_a_wrong_value_from_the_hook_is_told(staging: Suite, changes: dict[str, Any], message: str) -> None:
    """What a hook changes is checked like what stands in the file, by both ways to make a copy."""
    with pytest.raises(ConfigurationError) as caught:
        staging.settings().replace(**changes)
    assert str(caught.value) == f"{HOOK}: {message}"

    with pytest.raises(ConfigurationError) as caught:
        dataclasses.replace(staging.settings(), sources={}, **changes).checked("given")
    assert str(caught.value) == f"given: {message}"


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": 5},
        {"secret": 12345678},
        {"timeout": "60"},
        {"timeout": True},
        {"concurrency": 2.5},
        {"concurrency": True},
        {"retries": "2"},
        {"api": "bogus"},
        {"secret_header": "x-secret"},
        {"trace": "no"},
        {"orgin": "https://x.test"},
    ],
    ids=str,
)
def test_a_value_of_a_wrong_type_from_the_hook_is_a_configuration_error(
    staging: Suite, changes: dict[str, Any]
) -> None:
    """A hook's mistake of any kind is told as its mistake, and neither crashes nor passes."""
    with pytest.raises(ConfigurationError) as caught:
        staging.settings().replace(**changes)

    assert str(caught.value).startswith(f"{HOOK}: ")


def test_the_api_may_be_a_plain_text(staging: Suite) -> None:
    """A hook may write the API as a text; it is the same API and not by accident the other one."""
    settings = staging.settings().replace(api="webhook")

    assert settings.api is Api.WEBHOOK
    assert settings.host(settings.api) == "https://hook.staging.test"


def test_the_hook_may_say_what_is_redacted(staging: Suite) -> None:
    """What the hook redacts, and what it leaves out of snapshots, is in force like what the file says."""
    changed = staging.settings().replace(redact=Redact(keys=("email",)), snapshots=Snapshots(keep=("price",)))

    assert changed.redact == Redact(keys=("email",))
    assert changed.snapshots == Snapshots(keep=("price",))
    assert changed.source("redact") == "the pytest_wisebot_settings hook"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"redact": {"keys": ["a"]}}, "redact: expected a Redact, got dict"),
        ({"snapshots": None}, "snapshots: expected a Snapshots, got NoneType"),
        (
            {"redact": Redact(patterns=("x*",))},
            "redact.patterns: [0]: 'x*' matches the empty string, and so everywhere",
        ),
        (
            {"snapshots": Snapshots(keys={"a": "<x>"})},
            "snapshots.keys: a: '<x>' is not a valid name of a placeholder: write letters, digits and hyphens, as in "
            '"order-id"',
        ),
    ],
)
def test_a_wrong_redaction_from_the_hook_is_told(staging: Suite, changes: dict[str, Any], message: str) -> None:
    """What the hook redacts is checked as the file is."""
    with pytest.raises(ConfigurationError) as caught:
        staging.settings().replace(**changes)

    assert str(caught.value) == f"{HOOK}: {message}"


def test_what_the_file_redacts_is_in_force_whatever_the_environment(suite: Suite) -> None:
    """``[redact]`` and ``[snapshots]`` hold for every environment, and without one."""
    suite.write('[redact]\nkeys = ["email"]\n[snapshots]\npatterns = { order = "ORD-[0-9]+" }\n')

    settings = suite.settings()

    assert settings.redact == Redact(keys=("email",))
    assert settings.snapshots == Snapshots(patterns={"order": "ORD-[0-9]+"})


def test_every_wrong_value_from_the_hook_is_told_at_once(staging: Suite) -> None:
    """Several wrong values make one message, a line for each, credentials among them."""
    with pytest.raises(ConfigurationError) as caught:
        staging.settings().replace(origin="x", secret="CANARY7", token="CANARY\n-token", timeout=0)

    assert sorted(str(caught.value).splitlines()) == sorted(
        [
            f'{HOOK}: "x" is not an origin: write scheme and host, as in "https://example.com"',
            f"{HOOK}: the credential {TOO_SHORT}",
            f"{HOOK}: the credential has a newline in it",
            f"{HOOK}: expected a number of seconds above 0, got 0",
        ]
    )


def test_a_copy_made_by_hand_is_put_right_by_the_check(staging: Suite) -> None:
    """`dataclasses.replace` with plain texts gives the same settings once they are checked."""
    changes: dict[str, Any] = {"base_url": "https://APP.staging.test/", "secret": "CANARY-plain-text"}
    changed = dataclasses.replace(staging.settings(), **changes).checked("the hook")

    assert changed.base_url == "https://app.staging.test"
    assert text_of(changed.secret) == "CANARY-plain-text"
    assert "CANARY" not in repr(changed)


# --- nothing shows ------------------------------------------------------------------------------------------------


def test_no_credential_shows_in_the_settings(staging: Suite) -> None:
    """Whatever is printed of the settings, no credential is in it."""
    settings = staging.settings({**VARIABLES, **SHELL})
    changed = settings.replace(token="CANARY-vault", secret=Secret("CANARY-vault-secret"))
    option = staging.settings(secret=Secret("CANARY-option"), token="env:STAGING_TOKEN")

    for one in (settings, changed, option):
        shown = [one, one.secret, one.token, one.workflows, one.sources, one.credentials(), dataclasses.asdict(one)]
        assert "CANARY" not in "".join(f"{item!r}{item!s}" for item in shown)
        assert one.credentials()


@pytest.mark.parametrize(
    ("credential", "shown"),
    [
        (Credential("--wisebot-secret", None, Secret("CANARY-1")), "a value (set) from --wisebot-secret"),
        (Credential("WISE_KEY", "env:WISE_KEY", Secret("CANARY-1")), "env:WISE_KEY (set) from WISE_KEY"),
        (
            Credential("wisebot.toml: x", "file:/s", None, "cannot be read: No such file"),
            "file:/s (missing: cannot be read: No such file) from wisebot.toml: x",
        ),
    ],
)
def test_a_credential_says_how_it_was_given(credential: Credential, shown: str) -> None:
    """Of a credential is shown how it was given and whether it is there."""
    assert str(credential) == shown


def test_every_credential_in_force_can_be_masked(staging: Suite) -> None:
    """Who masks credentials learns of each: the environment's, the workflows' own and the emulator's."""
    emulated = dataclasses.replace(
        staging.settings(),
        emulated={"a": Credential("emulator", None, Secret("CANARY-emulated"))},
        emulated_fallback=Credential("emulator", None, Secret("CANARY-fallback")),
    )

    assert {secret.reveal() for secret in emulated.credentials()} == {
        "CANARY-staging-secret",
        "CANARY-staging-token",
        "CANARY-triage-secret",
        "CANARY-emulated",
        "CANARY-fallback",
    }


def test_a_hook_s_paths_of_one_workflow_are_checked() -> None:
    """With the place of the wrong one."""
    with pytest.raises(
        ConfigurationError, match=r"snapshots\.workflows\.triage\.volatile: \[0\]: 'a\.\.b' is not a valid"
    ):
        Settings().replace(snapshots=Snapshots(workflows={"triage": Snapshots(volatile=("a..b",))}))
