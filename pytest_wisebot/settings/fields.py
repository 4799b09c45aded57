"""The one table of settings: option, key in ``wisebot.toml``, environment variables, default, bounds and help.

The options of pytest, the check of ``wisebot.toml``, its JSON Schema, the `Settings` and the tables of the manual are
made from it. ``[tool.wisebot]`` of a ``pyproject.toml`` has the same keys. pytest loads this module at every start: it
imports the standard library only. What a kind of value looks like stands in `checks.KINDS`.
"""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from typing import Any, Final

MODES: Final = ("live", "record", "replay", "last", "resume", "verify")
"""Where runs come from."""


@dataclass(slots=True, eq=False)
class Field:
    """One setting.

    Attributes:
        name: the name in the code; with hyphens the key and the option.
        kind: what its values look like, by a name in `checks.KINDS`.
        help: what it means.
        default: the value where none is given; None where a setting may be absent.
        default_text: the default for people, where ``default`` does not show it.
        least: the smallest whole number that is allowed.
        choices: the values that are allowed.
        table: the table of ``wisebot.toml`` that stands under this key.
        variables: the environment variables that give it where no environment is chosen; the first one set wins.
        unless: the options that put the environment's value out of force, since they give another host.
        metavar: what stands for the value in ``--help``; a setting with it has an option.
        option: the option's name where it is not the setting's own.
        option_help: what the option means, where ``help`` does not fit.
        option_choices: the values that the option allows beside ``choices``.
        flag: the value that the option sets; then the option takes no argument.
    """

    name: str
    kind: str
    help: str
    default: Any = None
    default_text: str = ""
    least: int | None = None
    choices: tuple[str, ...] = ()
    table: Table | None = None
    variables: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    metavar: str = ""
    option: str = ""
    option_help: str = ""
    option_choices: tuple[str, ...] = ()
    flag: bool | None = None

    @property
    def key(self) -> str:
        """The name in ``wisebot.toml``."""
        return self.name.replace("_", "-")

    @property
    def option_name(self) -> str:
        """The option that gives this setting."""
        return f"--wisebot-{self.option or self.key}"

    @property
    def has_option(self) -> bool:
        """Whether an option gives this setting."""
        return bool(self.metavar or self.flag is not None or self.option_choices)

    @property
    def shown_default(self) -> str:
        """The default in words; empty where the absence of a value says enough."""
        is_number = isinstance(self.default, int | float) and not isinstance(self.default, bool)
        return self.default_text or (f"{self.default:g}" if is_number else "")


@dataclass(slots=True, eq=False)
class Table:
    """One table of ``wisebot.toml``.

    Attributes:
        name: the name in the JSON Schema.
        place: where it stands in the file.
        help: what it is for.
        fields: its keys.
        part_of: the table that has these keys, and others that do not stand here; None where there is none.
    """

    name: str
    place: str
    help: str
    fields: tuple[Field, ...]
    part_of: Table | None = None


SHARED_KINDS: Final = ("certificates", "choice", "seconds", "switch", "whole")
"""The kinds of settings that environments may share: credentials belong to one host, and are not sent to another."""

_VALUE: Final = "env:NAME, file:PATH, or the value itself (which the process list and the shell's history then show)."

# One setting in two lines, as in a table.
# fmt: off

WORKFLOW: Final = Table(
    "WorkflowTable", "[environments.NAME.workflows.NAME]", "one workflow as this environment knows it.", (
        Field("id", "id", "The workflow's id in this environment.", default_text="its name"),
        Field("secret", "reference", 'The webhook secret, as "env:NAME" or "file:PATH".', unless=("origin",)),
        Field("idempotent", "switch", "A run may be repeated when the outcome of the first is unknown.", default=False),
        Field("timeout", "seconds", "Seconds for a whole run of this workflow, retries included.",
              default_text="the environment's"),
        Field("concurrency", "whole", "How many runs of this workflow may be in flight at once.", least=1,
              default_text="the environment's"),
    ),
)
WORKFLOW_ANYWHERE: Final = Table(
    "WorkflowDefaultsTable", "[workflows.NAME]", "one workflow in all environments that do not differ.",
    tuple(field for field in WORKFLOW.fields if field.name not in ("id", "secret")), part_of=WORKFLOW,
)
LINKS: Final = (
    Field("workflow_url", "workflow-link", 'The address of a workflow\'s editor, with "{id}" for its id there: reports '
          "link to it."),
    Field("run_url", "run-link", 'The address of a run, with "{id}" for its runId, and "{workflow}" for the '
          "workflow's id if needed: reports link to it."),
)
"""Addresses of all environments stand under ``[report]``."""

ENVIRONMENT: Final = Table(
    "EnvironmentTable", "[environments.NAME]", "one Wisebot to test against.", (
        Field("emulator", "emulator", 'The local emulator to start: "module:attribute" of a module beside this file.',
              unless=("origin", "base_url")),
        Field("origin", "origin", "Trigger origin of the webhook API: scheme and host.", metavar="URL",
              option_help="Trigger origin of the webhook API: scheme and host. Discards the environment's secrets.",
              variables=("WISEBOT_WORKFLOW_TRIGGER_ORIGIN", "WISEBOT_CONVEX_SITE", "CONVEX_SITE_URL")),
        Field("base_url", "origin", "Base URL of the dashboard API: scheme and host.", metavar="URL",
              option_help="Base URL of the dashboard API: scheme and host. Discards the environment's token.",
              variables=("WISEBOTAI_BASE_URL",)),
        Field("secret", "reference", "Webhook secret of the workflows that have none of their own, as \"env:NAME\" or "
              '"file:PATH".', metavar="CREDENTIAL", option_help=f"Webhook secret: {_VALUE}", unless=("origin",),
              variables=("WISEBOT_WORKFLOW_SECRET",)),
        Field("token", "reference", 'Token of the dashboard API, as "env:NAME" or "file:PATH".', metavar="CREDENTIAL",
              option_help=f"Dashboard JWT or wb_live_... key: {_VALUE}", unless=("base_url",),
              variables=("WISEBOT_ACCESS_TOKEN", "WISE_KEY", "WISEBOTAI_API_KEY")),
        Field("api", "choice", "The API of tests that name none.", choices=("webhook", "dashboard"),
              option_choices=("both",), option_help="The API of tests that name none; both: each test over both APIs."),
        Field("timeout", "seconds", "Seconds for a whole run, retries included.", default=300.0, metavar="SECONDS"),
        Field("connect_timeout", "seconds", "Seconds for making a connection.", default=10.0),
        Field("concurrency", "whole", "How many runs may be in flight at once.", default=8, least=1, metavar="N"),
        Field("retries", "whole", "How often a run that by the contract did not start is tried again.",
              default=2, least=0, metavar="N"),
        Field("max_runs", "whole", "How many requests for runs one session may send, retries included.",
              default_text="no limit", least=0, metavar="N"),
        Field("max_response_mib", "whole", "The largest answer that is read, in MiB.", default=16, least=1),
        Field("secret_header", "choice", "The header that carries the webhook secret.",
              default="authorization", choices=("authorization", "x-workflow-secret")),
        Field("allow_http", "switch", "Credentials may travel over plain HTTP to a host that is not loopback.",
              default=False),
        Field("trace", "switch", "Each request carries an id for servers' logs, the header traceparent.",
              default=True, default_text="true", flag=False, option="no-trace",
              option_help="Send no traceparent header, by which servers' logs name a run."),
        Field("ca_file", "certificates", "PEM file of certificates to trust, beside the system's."),
        Field("client_cert", "file", "The client certificate for the hosts of this environment, in PEM form."),
        Field("client_key", "file", "Its key, in PEM form.", default_text="client-cert holds it, too"),
        Field("client_key_password", "reference", 'The password of that key, as "env:NAME" or "file:PATH".'),
        Field("headers", "headers", 'Headers for origin alone, each as "env:NAME" or "file:PATH".', default={},
              unless=("origin",)),
        Field("dashboard_headers", "headers", "The same for base-url alone.", default={}, unless=("base_url",)),
        *LINKS,
        Field("protected", "switch", "Refuses to run without --wisebot-allow-protected.", default=False),
        Field("workflows", "tables", "The workflows of this environment, by the name that tests use.",
              default={}, table=WORKFLOW),
    ),
)
DEFAULTS: Final = Table(
    "DefaultsTable", "[defaults]", "what holds wherever the environment does not differ.",
    tuple(field for field in ENVIRONMENT.fields if field.kind in SHARED_KINDS), part_of=ENVIRONMENT,
)
REDACT: Final = Table(
    "RedactTable", "[redact]",
    "what is redacted although it is not a credential, such as customers' addresses in results.", (
        Field("keys", "keys", 'Names of keys, in any letter case: the value under them becomes "<redacted>".',
              default=[]),
        Field("patterns", "patterns", 'Regular expressions, and the ready-made "email", "iban", "phone", "card", in a '
              'list or a table: what they match becomes "<redacted>".', default=[]),
        Field("paths", "json-paths", 'JSON paths into result, error and inputs, such as "items[*].email".', default=[]),
    ),
)
WORKFLOW_SNAPSHOTS: Final = Table(
    "WorkflowSnapshotsTable", "[snapshots.workflows.NAME]",
    "what differs from run to run in the results of one workflow, beside what holds for all.", (
        Field("keys", "placeholders", "Names of keys, in any letter case, and the placeholder for the values under "
              "them.", default={}),
        Field("patterns", "named-patterns", "Placeholders, and the regular expression, or ready-made pattern, for "
              "what they stand for.", default={}),
        Field("keep", "json-paths", "JSON paths, or names of keys, whose values stay as they are.", default=[]),
        Field("volatile", "json-paths", 'JSON paths, such as "result.charge.id", or names of keys: the value there '
              'becomes "<volatile>", whatever it is; null stays.', default=[]),
    ),
)
SNAPSHOTS: Final = Table(
    "SnapshotsTable", "[snapshots]", "what differs from run to run in this project, and what does not.", (
        *WORKFLOW_SNAPSHOTS.fields,
        Field("workflows", "tables", "What holds for single workflows beside this, by the name that tests use.",
              default={}, table=WORKFLOW_SNAPSHOTS),
    ),
)
LIMITS: Final = Table(
    "LimitsTable", "[gate.workflows.NAME]", "what the tests of one workflow are held to.", (
        Field("min_pass_rate", "share", "The share of tests that must pass, of those with a verdict, from 0 to 1.",
              default_text="1"),
        Field("max_infrastructure_errors", "whole", "How many tests may be without a verdict for want of Wisebot.",
              default_text="0", least=0),
        Field("max_flaky", "whole", "How many tests may pass although some of their trials failed.",
              default_text="no limit", least=0),
        Field("min_runs", "whole", "How many live runs there must be at least.", least=0),
        Field("p95_seconds", "seconds", "Seconds that 95% of a workflow's runs may take at most."),
        Field("max_seconds", "seconds", "Seconds that each of a workflow's runs may take at most."),
        Field("max_pass_rate_drop", "share",
              "By how much a workflow's pass rate may be below the baseline's; 0.05 is five points."),
        Field("max_p95_growth", "growth",
              "By what share of it a workflow's p95 may be above the baseline's; 0.25 is a quarter more."),
        Field("max_flaky_rate", "share", "In which share of the last 30 sessions a test may have been flaky, or have "
              "passed after it had failed on the same commit; needs --wisebot-history."),
    ),
)
GATE: Final = Table(
    "GateTable", "[gate]",
    "what opens the gate. Limits in seconds, and those beside a baseline, hold for each workflow.", (
        *LIMITS.fields,
        Field("require_live", "switch", "A run that was made earlier opens no gate.", default=True),
        Field("allow_emulator", "switch", "An emulator may open the gate.", default=False),
        Field("select", "select", 'The tests that the gate is about: "-m EXPRESSION", "-k EXPRESSION" or both.'),
        Field("paths", "gate-paths", "The folders and files whose tests the gate must have collected, relative to "
              "this file. Default: the folders given as arguments, else testpaths, else the rootdir.", default=[]),
        Field("max_missing_tests", "count", "How many tests of the baseline a session may be without.",
              default_text="0", least=0, metavar="N"),
        Field("max_quarantined", "count", "How many quarantined tests may fail, drift or be flaky.",
              default_text="0", least=0, metavar="N"),
        Field("workflows", "tables", "What the tests of single workflows are held to, by the workflow's name.",
              default={}, table=LIMITS),
    ),
)
REPORT: Final = Table(
    "ReportTable", "[report]", "what reports show beside the session, and how long a history is.", (
        Field("title", "text", "The title of page and summary, such as the project's name."),
        *LINKS,
        Field("history_sessions", "whole", "How many sessions the file of --wisebot-history holds.",
              default=200, least=1),
    ),
)
AGAINST: Final = Table(
    "AgainstTable", "[against]", "how --wisebot-against compares two environments.", (
        Field("noise", "whole", "How many runs the first environment makes of each, the judged one included: what "
              "differs among them does not differ between the environments. 1: none is repeated.", default=1, least=1),
    ),
)
FILE: Final = Table(
    "FileTable", "wisebot.toml", "the environments that a suite can run against, and what its results show.", (
        Field("default_environment", "text", "The environment without --wisebot-env."),
        Field("recordings", "folder", "The folder of recorded runs, relative to this file.",
              default_text="recordings", metavar="DIR", option_help="The folder of recorded runs."),
        Field("max_age_days", "whole", "How old a recording may be that --wisebot-runs=replay gives.",
              default_text="no limit", least=1),
        Field("defaults", "table", "What holds wherever the environment does not differ.", table=DEFAULTS),
        Field("environments", "tables", "The environments, by name.", default={}, table=ENVIRONMENT),
        Field("workflows", "tables", "Workflows in all environments that do not differ, by the name that tests use.",
              default={}, table=WORKFLOW_ANYWHERE),
        Field("redact", "table", "What is redacted in results, as tests see them, and in texts.", table=REDACT),
        Field("snapshots", "table", "What snapshots leave out or keep.", table=SNAPSHOTS),
        Field("gate", "table", "What --wisebot-gate opens at.", table=GATE),
        Field("report", "table", "What reports show beside the session, and how long a history is.", table=REPORT),
        Field("quarantine", "quarantines", "Tests that are known to fail, by their ids, each with "
              '"OWNER until YYYY-MM-DD: REASON".', default={}),
        Field("against", "table", "How --wisebot-against compares two environments.", table=AGAINST),
    ),
)
TARGET: Final = (
    Field("env", "text", "The environment of wisebot.toml to run against.", metavar="NAME",
          default_text="default-environment"),
    Field("against", "text", "The environment to compare with: each run is made over both, and a difference is drift.",
          metavar="NAME"),
    Field("config", "text", "The wisebot.toml to read, or a pyproject.toml with [tool.wisebot].", metavar="FILE",
          default_text="the nearest one, from the tests' common folder up to the rootdir"),
    Field("allow_protected", "switch", "Run against an environment that is protected.", flag=True),
)
"""The options that choose where runs go, beside those of `ENVIRONMENT`."""

SESSION: Final = (
    Field("runs", "choice", "Where runs come from. live: from Wisebot. record: from Wisebot, and kept as recordings. "
          "replay: from the recordings, without any network. last: from the last session, judged again. resume: from "
          "the last session, the rest from Wisebot. verify: from Wisebot, compared with the recordings.",
          default="live", default_text="live", option_choices=MODES),
    Field("workflow", "texts", "Run only the tests of workflow NAME (repeatable), as far as markers and calls show.",
          metavar="NAME"),
    Field("tag", "texts", "Run only the tests of rows and cases that have tag NAME (repeatable).", metavar="NAME"),
    Field("trials", "count", "The number of trials of every test whose marker has trials, at the same pass rate, "
          "rounded up.", default_text="the marker's", least=1, metavar="N"),
    Field("session", "text", "With last and resume: the session to take runs from.", metavar="ID",
          default_text="the last one"),
    Field("prune", "switch", "With record: remove the recordings that no test asks for.", flag=True),
    Field("no_ahead", "switch", "Start no declared run before its test asks for it.", flag=True),
    Field("plan", "switch", "Show what the session would run, and run nothing.", flag=True),
    Field("gate", "switch", "Judge by [gate] in wisebot.toml whether this may be deployed, and end with the verdict's "
          "exit code.", flag=True),
    Field("baseline", "text", "Compare with an earlier session: its runs.jsonl, or its folder of reports; none: there "
          "is none yet.", metavar="FILE"),
    Field("report", "text", "Write runs.jsonl, report.json, summary.md and report.html there.", metavar="DIR"),
    Field("summary", "text", "Append summary.md to FILE, such as $GITHUB_STEP_SUMMARY.", metavar="FILE"),
    Field("history", "text", "Add a line about the session to FILE, and show the last 30 sessions of this environment.",
          metavar="FILE"),
    Field("scan", "texts", "Look for credentials in PATH (repeatable), and run no test.", metavar="PATH"),
)
"""The options that concern one session, and are not settings of a project."""

# fmt: on


def settings_fields() -> list[Field]:
    """The fields of which each is one value of `Settings`."""
    fields = (*ENVIRONMENT.fields, *FILE.fields)
    others = ("default_environment", "defaults")
    return [field for field in fields if field.kind != "tables" and field.name not in others]


def option_fields() -> list[Field]:
    """The fields that have an option, in the order of ``--help``."""
    fields = (*TARGET, *ENVIRONMENT.fields, *FILE.fields, *SESSION, *GATE.fields)
    return [field for field in fields if field.has_option]


def given_options(namespace: Namespace) -> dict[str, Any]:
    """The values that options give, by the names of their fields."""
    values = {field.name: getattr(namespace, f"wisebot_{field.name}") for field in option_fields()}
    return {name: value for name, value in values.items() if value is not None}
