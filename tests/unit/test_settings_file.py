"""``wisebot.toml``: where it is found, what it may say, and what each mistake in it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_wisebot.errors import ConfigurationError
from pytest_wisebot.gate_config import Gate, Limits, selected
from pytest_wisebot.runs import Api
from pytest_wisebot.settings.checks import checked_origin, is_loopback
from pytest_wisebot.settings.fields import ENVIRONMENT, FILE, WORKFLOW, Table
from pytest_wisebot.settings.load import find_file, read_file, resolve
from pytest_wisebot.settings.schema import TABLES, json_schema


def written(folder: Path, text: str) -> Path:
    path = folder / "wisebot.toml"
    path.write_text(text, "utf-8")
    return path


def gate_of(folder: Path, text: str) -> Gate:
    """The gate in force with this wisebot.toml."""
    written(folder, text)
    return resolve({}, start=folder, root=folder, cwd=folder, variables={}).gate


def told(folder: Path, text: str) -> str:
    """What a user is told of this wisebot.toml."""
    with pytest.raises(ConfigurationError) as caught:
        read_file(written(folder, text))
    return str(caught.value)


# --- what is right ------------------------------------------------------------------------------------------------

EVERYTHING = """
default-environment = "staging"
recordings = "kept"
max-age-days = 7

[environments.local]
emulator = "flows.of.mine:emulator"

[environments.staging]
origin = "https://happy-otter-123.convex.site/"
base-url = "https://Staging.Example.com:8443"
secret = "env:ANY_SECRET"
token = "file:token.txt"
api = "dashboard"
timeout = 60
connect-timeout = 2.5
concurrency = 16
retries = 0
max-runs = 100
max-response-mib = 1
secret-header = "x-workflow-secret"
allow-http = false
trace = false
ca-file = "company.pem"
client-cert = "client.pem"
client-key = "client.key"
client-key-password = "env:KEY_PASSWORD"
headers.x-gate = "env:GATE"
dashboard-headers = { x-other = "file:other.txt" }
workflow-url = "https://app.example.com/flows/{id}"
run-url = "https://app.example.com/flows/{workflow}/runs/{id}"
protected = true

[environments.staging.workflows.triage]
id = "k57c2m"
secret = "env:TRIAGE_SECRET"
idempotent = true
timeout = 5
concurrency = 2

[environments.staging.workflows."with space"]

[defaults]
timeout = 30

[workflows.triage]
concurrency = 1

[quarantine]
"tests/test_a.py::test_x" = "ann until 2026-12-31: the vendor is slow"
"""


def test_a_file_with_every_key_is_read(tmp_path: Path) -> None:
    """Every documented key is read as it was meant, hosts in one form."""
    assert read_file(written(tmp_path, EVERYTHING)) == {
        "default_environment": "staging",
        "recordings": "kept",
        "max_age_days": 7,
        "environments": {
            "local": {"emulator": "flows.of.mine:emulator"},
            "staging": {
                "origin": "https://happy-otter-123.convex.site",
                "base_url": "https://staging.example.com:8443",
                "secret": "env:ANY_SECRET",
                "token": "file:token.txt",
                "api": "dashboard",
                "timeout": 60.0,
                "connect_timeout": 2.5,
                "concurrency": 16,
                "retries": 0,
                "max_runs": 100,
                "max_response_mib": 1,
                "secret_header": "x-workflow-secret",
                "allow_http": False,
                "trace": False,
                "ca_file": "company.pem",
                "client_cert": "client.pem",
                "client_key": "client.key",
                "client_key_password": "env:KEY_PASSWORD",
                "headers": {"x-gate": "env:GATE"},
                "dashboard_headers": {"x-other": "file:other.txt"},
                "workflow_url": "https://app.example.com/flows/{id}",
                "run_url": "https://app.example.com/flows/{workflow}/runs/{id}",
                "protected": True,
                "workflows": {
                    "triage": {
                        "id": "k57c2m",
                        "secret": "env:TRIAGE_SECRET",
                        "idempotent": True,
                        "timeout": 5.0,
                        "concurrency": 2,
                    },
                    "with space": {},
                },
            },
        },
        "defaults": {"timeout": 30.0},
        "workflows": {"triage": {"concurrency": 1}},
        "quarantine": {"tests/test_a.py::test_x": "ann until 2026-12-31: the vendor is slow"},
    }


@pytest.mark.parametrize("table", [ENVIRONMENT, WORKFLOW, FILE], ids=lambda table: table.name)
def test_every_key_is_in_the_example_above(table: Table) -> None:
    """The example above leaves out no key of an environment or a workflow, and none at the top."""
    for field in table.fields:
        is_there = any(f"{field.key}{mark}" in EVERYTHING for mark in (" = ", ".", "]\n"))
        assert is_there or field.kind == "table"


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "[environments]\n", "[environments.staging]\n"])
def test_a_file_may_say_little(tmp_path: Path, text: str) -> None:
    """Nothing in the file is required."""
    assert "default_environment" not in read_file(written(tmp_path, text))


def test_the_schema_describes_every_key() -> None:
    """The JSON Schema for editors knows each key under the name that the file uses, with a description."""
    schema = json_schema()

    assert schema["title"] == "wisebot.toml"
    assert set(schema["properties"]) == {
        "default-environment",
        "recordings",
        "max-age-days",
        "defaults",
        "environments",
        "workflows",
        "redact",
        "snapshots",
        "gate",
        "report",
        "quarantine",
        "against",
    }
    for table in TABLES:
        properties = schema["$defs"][table.name]["properties"]
        assert set(properties) == {field.key for field in table.fields}
        assert all(item["description"] for item in properties.values())
        assert schema["$defs"][table.name]["additionalProperties"] is False


def test_what_is_redacted_and_what_snapshots_leave_out(tmp_path: Path) -> None:
    """Names of patterns are for people: a list of them means the same."""
    text = """
        [redact]
        keys = ["email"]
        patterns = { account = "ACC-[0-9]+", card = "[0-9]{16}" }
        paths = ["result.customer.name", "items[*].phone"]

        [snapshots]
        keys = { traceId = "trace" }
        patterns = { order = "ORD-[0-9]+" }
        keep = ["result.createdAt", "price"]
        volatile = ["result.charge.id"]

        [snapshots.workflows.triage]
        volatile = ["result.summary"]
    """
    table = read_file(written(tmp_path, text))
    listed = read_file(written(tmp_path, 'redact.patterns = ["ACC-[0-9]+", "[0-9]{16}"]'))

    assert table["redact"] == {
        "keys": ("email",),
        "patterns": ("ACC-[0-9]+", "[0-9]{16}"),
        "paths": ("result.customer.name", "items[*].phone"),
    }
    assert table["snapshots"] == {
        "keys": {"traceId": "trace"},
        "patterns": {"order": "ORD-[0-9]+"},
        "keep": ("result.createdAt", "price"),
        "volatile": ("result.charge.id",),
        "workflows": {"triage": {"volatile": ("result.summary",)}},
    }
    assert listed["redact"]["patterns"] == table["redact"]["patterns"]


def test_snapshots_of_one_workflow_have_what_holds_for_all_and_their_own(tmp_path: Path) -> None:
    """What stands under a workflow comes on top, and is no other workflow's."""
    text = """
        [snapshots]
        keys = { traceId = "trace", a = "b" }
        volatile = ["result.charge.id"]

        [snapshots.workflows.triage]
        keys = { a = "c" }
        keep = ["price"]
        volatile = ["result.summary"]
    """
    written(tmp_path, text)
    snapshots = resolve({}, start=tmp_path, root=tmp_path, cwd=tmp_path, variables={}).snapshots
    triage = snapshots.of(["triage"])
    assert triage.keys == {"traceId": "trace", "a": "c"}
    assert triage.keep == ("price",)
    assert triage.volatile == ("result.charge.id", "result.summary")
    assert snapshots.of(["refund"]).volatile == snapshots.of([]).volatile == ("result.charge.id",)


def test_a_wrong_path_of_one_workflow_is_told_with_its_place(tmp_path: Path) -> None:
    """As are keys that the table does not have."""
    said = told(tmp_path, '[snapshots.workflows.triage]\nvolatile = ["a..b"]\nvolatil = []')
    assert "snapshots.workflows.triage.volatile: [0]: 'a..b' is not a valid JSON path" in said
    assert 'snapshots.workflows.triage.volatil: unknown key, did you mean "volatile"?' in said


# --- one mistake at a time ----------------------------------------------------------------------------------------

REFERENCE = 'write a reference, "env:NAME" or "file:PATH": a credential is never written into this file'
NOT_AN_ORIGIN = 'is not an origin: write scheme and host, as in "https://example.com"'
USER_INFO = "a user name or password has no place in it: write scheme and host only"
KNOWN = (
    "default-environment, recordings, max-age-days, defaults, environments, workflows, redact, snapshots, gate, "
    "report, quarantine, against"
)
CHARACTERS = "a host has no spaces, control or non-ASCII characters"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('orgin = "https://x.test"', 'orgin: unknown key, did you mean "origin"?'),
        ('base_url = "https://x.test"', 'base_url: unknown key, did you mean "base-url"?'),
        (
            "zzz = 1",
            "zzz: unknown key, known: emulator, origin, base-url, secret, token, api, timeout, connect-timeout, "
            "concurrency, retries, max-runs, max-response-mib, secret-header, allow-http, trace, "
            "ca-file, client-cert, client-key, client-key-password, headers, dashboard-headers, workflow-url, run-url, "
            "protected, workflows",
        ),
        (
            '"a b" = 1',
            '"a b": unknown key, known: emulator, origin, base-url, secret, token, api, timeout, '
            "connect-timeout, concurrency, retries, max-runs, max-response-mib, secret-header, allow-http, trace, "
            "ca-file, client-cert, client-key, client-key-password, headers, dashboard-headers, workflow-url, run-url, "
            "protected, workflows",
        ),
        ('workflows.triage.ids = "x"', 'workflows.triage.ids: unknown key, did you mean "id"?'),
        (
            "workflows.triage.zzz = 1",
            "workflows.triage.zzz: unknown key, known: id, secret, idempotent, timeout, concurrency",
        ),
        (
            'workflows."a.b".zzz = 1',
            'workflows."a.b".zzz: unknown key, known: id, secret, idempotent, timeout, concurrency',
        ),
        ("origin = 1", "origin: expected a string, got 1"),
        ("origin = true", "origin: expected a string, got true"),
        ("workflows.triage.id = 5", "workflows.triage.id: expected a string, got 5"),
        ("workflows.triage.idempotent = 1", "workflows.triage.idempotent: expected true or false, got 1"),
        ('protected = "true"', 'protected: expected true or false, got "true"'),
        ('allow-http = "yes"', 'allow-http: expected true or false, got "yes"'),
        ('trace = "no"', 'trace: expected true or false, got "no"'),
        ('timeout = "60"', 'timeout: expected a number, got "60"'),
        ("timeout = true", "timeout: expected a number, got true"),
        ("timeout = 0", "timeout: expected a number of seconds above 0, got 0"),
        ("timeout = -1.5", "timeout: expected a number of seconds above 0, got -1.5"),
        ("timeout = nan", "timeout: expected a number of seconds above 0, got nan"),
        ("timeout = inf", "timeout: expected a number of seconds above 0, got inf"),
        ("connect-timeout = 0.0", "connect-timeout: expected a number of seconds above 0, got 0"),
        ("concurrency = 0", "concurrency: expected a whole number, at least 1, got 0"),
        ("concurrency = 1.5", "concurrency: expected a whole number, got 1.5"),
        ("concurrency = 8.0", "concurrency: expected a whole number, got 8.0"),
        ("concurrency = true", "concurrency: expected a whole number, got true"),
        ("retries = -1", "retries: expected a whole number, at least 0, got -1"),
        ("max-response-mib = 0", "max-response-mib: expected a whole number, at least 1, got 0"),
        (
            'workflow-url = "https://x.test/flows"',
            'workflow-url: expected an address with {id} after its host, as in "https://example.com/{id}", got '
            '"https://x.test/flows"',
        ),
        (
            'workflow-url = "https://x.test/{workflow}"',
            'workflow-url: "{workflow}" stands for nothing here: write {id}, as in "https://example.com/{id}"',
        ),
        (
            'run-url = "https://x.test/{runId}"',
            'run-url: "{runId}" stands for nothing here: write {id} and {workflow}, as in "https://example.com/{id}"',
        ),
        (
            'run-url = "https://{id}.x.test/"',
            'run-url: expected an address with {id} after its host, as in "https://example.com/{id}", got '
            '"https://{id}.x.test/"',
        ),
        (
            'run-url = "javascript:alert({id})"',
            'run-url: expected an address with {id} after its host, as in "https://example.com/{id}", got '
            '"javascript:alert({id})"',
        ),
        (
            'run-url = "https://me:FAKE-password@x.test/{id}"',
            "run-url: a user name or password has no place in an address",
        ),
        (
            'run-url = "https://x.test/{id} "',
            "run-url: an address has no spaces, quotes, control or non-ASCII characters",
        ),
        ('api = "both"', 'api: expected "webhook" or "dashboard", got "both"'),
        ("api = 1", 'api: expected "webhook" or "dashboard", got 1'),
        (
            'secret-header = "x-secret"',
            'secret-header: expected "authorization" or "x-workflow-secret", got "x-secret"',
        ),
        (
            'emulator = "flows"',
            'emulator: "flows" is not an emulator: write "module:attribute" of a module beside this file',
        ),
        (
            'emulator = "flows/x:emulator"',
            'emulator: "flows/x:emulator" is not an emulator: write "module:attribute" of a module beside this file',
        ),
        (
            'emulator = ":emulator"',
            'emulator: ":emulator" is not an emulator: write "module:attribute" of a module beside this file',
        ),
        (
            'emulator = "flows:a.b"',
            'emulator: "flows:a.b" is not an emulator: write "module:attribute" of a module beside this file',
        ),
        ('origin = "x.test"', f'origin: "x.test" {NOT_AN_ORIGIN}'),
        ('origin = ""', f'origin: "" {NOT_AN_ORIGIN}'),
        ('origin = "https://"', f'origin: "https://" {NOT_AN_ORIGIN}'),
        ('origin = "https://:8080"', f'origin: "https://:8080" {NOT_AN_ORIGIN}'),
        ('origin = "ftp://x.test"', f'origin: "ftp://x.test" {NOT_AN_ORIGIN}'),
        (
            'origin = "https://x.test/workflows/trigger"',
            'origin: has the path "/workflows/trigger": write scheme and host only, "https://x.test"',
        ),
        (
            'base-url = "https://X.test:81/api/"',
            'base-url: has the path "/api/": write scheme and host only, "https://x.test:81"',
        ),
        (
            'origin = "https://x.test?workflowId=CANARY"',
            'origin: has a query or a fragment: write scheme and host only, "https://x.test"',
        ),
        (
            'origin = "https://x.test/#CANARY"',
            'origin: has a query or a fragment: write scheme and host only, "https://x.test"',
        ),
        ('origin = "https://CANARY@x.test"', f"origin: {USER_INFO}"),
        ('origin = "https://user:CANARY@x.test"', f"origin: {USER_INFO}"),
        ('origin = "http://user:CANARY@x.test"', f"origin: {USER_INFO}"),
        ('origin = "user:CANARY@x.test"', f"origin: {USER_INFO}"),
        ('origin = "https://user:CANARY/CANARY@x.test"', f"origin: {USER_INFO}"),
        ('origin = "https://x.test:70000"', 'origin: "x.test:70000" has no valid port'),
        ('origin = "https://x.test:port"', 'origin: "x.test:port" has no valid port'),
        ('origin = "https://x.test:-1"', 'origin: "x.test:-1" has no valid port'),
        ('origin = "https://x.test:80:90"', 'origin: "x.test:80:90" has no valid port'),
        ('origin = " https://x.test"', f"origin: {CHARACTERS}"),
        ('origin = "https://x.test\\n"', f"origin: {CHARACTERS}"),
        ('origin = "https://x\\\\y.test"', f"origin: {CHARACTERS}"),
        ('origin = "https://exämple.test"', f"origin: {CHARACTERS}"),
        ('origin = "https://x.test\\u007f"', f"origin: {CHARACTERS}"),
        ('secret = "CANARY-secret"', f"secret: {REFERENCE}"),
        ('token = "wb_live_CANARY0123456789"', f"token: {REFERENCE}"),
        ('token = ""', f"token: {REFERENCE}"),
        ('token = "env:"', f"token: {REFERENCE}"),
        ('token = "file: "', f"token: {REFERENCE}"),
        ('token = "ENV:NAME"', f"token: {REFERENCE}"),
        ('token = "http:CANARY"', f"token: {REFERENCE}"),
        ('workflows.triage.secret = "CANARY-secret"', f"workflows.triage.secret: {REFERENCE}"),
        ('secret = ["CANARY"]', "secret: expected a string, got another type (list)"),
        ('token = { value = "CANARY" }', "token: expected a string, got another type (dict)"),
        ("workflows.triage.secret = 12345678", "workflows.triage.secret: expected a string, got another type (int)"),
        (
            'emulator = "flows:emulator"\norigin = "https://x.test"',
            ": an environment has an emulator or hosts of its own, not both",
        ),
        (
            'emulator = "flows:emulator"\nbase-url = "https://x.test"',
            ": an environment has an emulator or hosts of its own, not both",
        ),
    ],
)
def test_a_mistake_in_an_environment_is_told_with_its_place(tmp_path: Path, line: str, message: str) -> None:
    """A mistake is told by the file's name, the path of the key and what to write instead; a credential never shows."""
    separator = "" if message.startswith(":") else "."

    assert told(tmp_path, f"[environments.staging]\n{line}\n") == (
        f"wisebot.toml: environments.staging{separator}{message}"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('default-enviroment = "x"', 'default-enviroment: unknown key, did you mean "default-environment"?'),
        (
            "zzz = 1",
            f"zzz: unknown key, known: {KNOWN}",
        ),
        ("default-environment = 1", "default-environment: expected a string, got 1"),
        ("environments = 1", "environments: expected a table, got 1"),
        ("environments.staging = 1", "environments.staging: expected a table, got 1"),
        ('environments."a b" = true', 'environments."a b": expected a table, got true'),
        ("environments.staging.workflows = 1", "environments.staging.workflows: expected a table, got 1"),
        ('default-environment = "x"', 'default-environment: unknown environment "x", known: none'),
        ('redact.key = ["a"]', 'redact.key: unknown key, did you mean "keys"?'),
        ("snapshots.zzz = 1", "snapshots.zzz: unknown key, known: keys, patterns, keep, volatile, workflows"),
        (
            'quarantine = "ann"',
            'quarantine: expected a table of tests, as in {"tests/test_a.py::test_x" = "OWNER until YYYY-MM-DD: '
            'REASON"}, got a string',
        ),
        (
            'quarantine."tests/test_a.py" = "ann until 2026-12-31: why"',
            'quarantine: "tests/test_a.py" does not name a test: write its id, as in "tests/test_a.py::test_x"',
        ),
        (
            'quarantine = {"t.py::a" = "until 2026-12-31: why", "t.py::b" = 1}',
            'quarantine: t.py::a: expected "OWNER until YYYY-MM-DD: REASON", got "until 2026-12-31: why": it names no '
            'owner before "until"; t.py::b: expected "OWNER until YYYY-MM-DD: REASON", got 1',
        ),
        ("redact = 1", "redact: expected a table, got 1"),
        ('redact.keys = "email"', "redact.keys: expected a list of names of keys, got a string"),
        (
            'redact.keys = ["a", 1, ""]',
            "redact.keys: [1]: expected the name of a key, got a number; [2]: expected the "
            "name of a key, got an empty string",
        ),
        (
            "redact.patterns = true",
            "redact.patterns: expected a list of regular expressions, or a table that names them, got true or false",
        ),
        ('redact.patterns = ["a", "x*"]', "redact.patterns: [1]: 'x*' matches the empty string, and so everywhere"),
        (
            'redact.patterns = { digits = "[0-9" }',
            "redact.patterns: digits: '[0-9' is not a valid regular expression: unterminated character set at "
            "position 0",
        ),
        (
            'redact.patterns = ["a++b"]',
            "redact.patterns: [0]: 'a++b' has a possessive repetition, which RE2 does not have: leave out the \"+\" "
            "behind it",
        ),
        (
            'redact.paths = ["a..b"]',
            "redact.paths: [0]: 'a..b' is not a valid JSON path: not understood from '..b' on; expected "
            'keys and indices as in items[0].score, odd keys as in a["odd key"], [*], * and ** for any of them',
        ),
        ("redact.paths = [1]", "redact.paths: [0]: expected a JSON path, got a number"),
        (
            'snapshots.keys = ["traceId", "2nd key", "_"]',
            "snapshots.keys: expected a table of keys and the names of their placeholders, got a list: "
            'write {"traceId" = "traceId", "2nd key" = "nd-key", "_" = "value"}',
        ),
        (
            'snapshots.keys = "traceId"',
            "snapshots.keys: expected a table of keys and the names of their placeholders, got a string: "
            'as in {orderId = "order-id"}',
        ),
        (
            "snapshots.keys = [1]",
            "snapshots.keys: expected a table of keys and the names of their placeholders, got a "
            'list: as in {orderId = "order-id"}',
        ),
        (
            'defaults.origin = "https://x.test"',
            "defaults.origin: not in [defaults]: write it under [environments.NAME]",
        ),
        (
            'defaults.token = "env:TOKEN"',
            "defaults.token: not in [defaults]: write it under [environments.NAME]",
        ),
        ("defaults.workflows = {}", "defaults.workflows: not in [defaults]: write it under [environments.NAME]"),
        ("defaults.timout = 5", 'defaults.timout: unknown key, did you mean "timeout"?'),
        ("defaults = 5", "defaults: expected a table, got 5"),
        (
            'workflows.triage.id = "k57"',
            "workflows.triage.id: not in [workflows.NAME]: write it under [environments.NAME.workflows.NAME]",
        ),
        (
            "workflows.triage.concurrency = 0",
            "workflows.triage.concurrency: expected a whole number, at least 1, got 0",
        ),
        ("workflows.triage.timeout = 0", "workflows.triage.timeout: expected a number of seconds above 0, got 0"),
        ("workflows.triage = 1", "workflows.triage: expected a table, got 1"),
        (
            'snapshots.keys = { a = "order id" }',
            "snapshots.keys: a: 'order id' is not a valid name of a placeholder: write "
            'letters, digits and hyphens, as in "order-id"',
        ),
        (
            'snapshots.patterns = ["a"]',
            "snapshots.patterns: expected a table of placeholders and regular expressions, "
            'as in {order = "ORD-[0-9]+"}, got a list',
        ),
        (
            'snapshots.patterns = { "a b" = "c" }',
            "snapshots.patterns: 'a b' is not a valid name of a placeholder: write "
            'letters, digits and hyphens, as in "order-id"',
        ),
        ('snapshots.patterns = { a = "" }', "snapshots.patterns: a: '' matches the empty string, and so everywhere"),
        (
            "snapshots.keep = { a = 1 }",
            'snapshots.keep: expected a list of JSON paths, as in ["items[*].email"], got a table',
        ),
        ("report.history-sessions = 0", "report.history-sessions: expected a whole number, at least 1, got 0"),
        ("report.titel = 1", 'report.titel: unknown key, did you mean "title"?'),
        (
            'report.run-url = "x.test/{id}"',
            'report.run-url: expected an address with {id} after its host, as in "https://example.com/{id}", got '
            '"x.test/{id}"',
        ),
        ("gate.max-flaky-rate = 10", "gate.max-flaky-rate: expected a share from 0 to 1, as in 0.95 for 95%, got 10"),
        (
            'default-environment = "stagin"\nenvironments = { local = {}, staging = {} }',
            'default-environment: unknown environment "stagin", did you mean "staging"? known: local, staging',
        ),
        (
            'default-environment = "zzz"\nenvironments = { local = {}, staging = {} }',
            'default-environment: unknown environment "zzz", known: local, staging',
        ),
    ],
)
def test_a_mistake_at_the_top_is_told_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    """Mistakes outside of any environment are told like those within, and an unknown environment lists the known."""
    assert told(tmp_path, text) == f"wisebot.toml: {message}"


@pytest.mark.parametrize(
    "line",
    [
        'workflows.triage = "CANARY-secret"',
        'workflows = [{ secret = "CANARY-secret" }]',
        'workflows = "CANARY-secret"',
        'origin = { token = "CANARY-secret" }',
        'secrets = "CANARY-secret"',
        'workflows.triage.token = "CANARY-secret"',
        'origin = "https://user:CANARY@[::1"',
        'origin = "//user:CANARY@x.test"',
        'secret = "env"\ntoken = "CANARY-secret"',
    ],
)
def test_a_credential_in_the_wrong_place_is_not_shown(tmp_path: Path, line: str) -> None:
    """Whoever writes a credential into the file, in whatever wrong place, does not find it in the message."""
    message = told(tmp_path, f"[environments.staging]\n{line}\n")

    assert message.startswith("wisebot.toml: environments.staging.")
    assert "canary" not in message.lower()


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    """One wrong file is told in one message, a line for each mistake, so that nobody mends it one run at a time."""
    assert told(
        tmp_path,
        """
        default-environment = "stagign"
        [environments.staging]
        orgin = "https://x.test"
        base-url = "http://app.test"
        token = "CANARY-token"
        timeout = 0
        concurrency = "8"
        [environments.staging.workflows.triage]
        secret = "CANARY-secret"
        idempotent = "yes"
        nmae = "x"
        [environments.local]
        emulator = "flows:emulator"
        origin = "https://y.test"
        """,
    ).splitlines() == [
        f"wisebot.toml: environments.staging.token: {REFERENCE}",
        "wisebot.toml: environments.staging.timeout: expected a number of seconds above 0, got 0",
        'wisebot.toml: environments.staging.concurrency: expected a whole number, got "8"',
        f"wisebot.toml: environments.staging.workflows.triage.secret: {REFERENCE}",
        'wisebot.toml: environments.staging.workflows.triage.idempotent: expected true or false, got "yes"',
        "wisebot.toml: environments.staging.workflows.triage.nmae: unknown key, known: id, "
        "secret, idempotent, timeout, concurrency",
        'wisebot.toml: environments.staging.orgin: unknown key, did you mean "origin"?',
        'wisebot.toml: default-environment: unknown environment "stagign", did you mean "staging"? known: staging, '
        "local",
        "wisebot.toml: environments.staging.base-url: http://app.test would carry the credential unencrypted: write "
        "https, or set allow-http = true in the environment",
        "wisebot.toml: environments.local: an environment has an emulator or hosts of its own, not both",
    ]


# --- plain HTTP ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["origin", "base-url"])
@pytest.mark.parametrize("host", ["http://x.test", "http://10.0.0.1:8080", "http://localhost.x.test", "http://0.0.0.0"])
def test_plain_http_is_refused(tmp_path: Path, key: str, host: str) -> None:
    """A credential does not travel unencrypted to another machine, unless the environment says that it may."""
    line = f'[environments.staging]\n{key} = "{host}"\n'

    assert told(tmp_path, line) == (
        f"wisebot.toml: environments.staging.{key}: {host} would carry the credential unencrypted: write https, or set "
        "allow-http = true in the environment"
    )
    table = read_file(written(tmp_path, line + "allow-http = true\n"))["environments"]["staging"]
    assert table[key.replace("-", "_")] == host


def test_plain_http_is_refused_in_capitals_too(tmp_path: Path) -> None:
    """The scheme may be written in capitals; it is plain HTTP all the same."""
    assert told(tmp_path, '[environments.staging]\norigin = "HTTP://X.test"\n') == (
        "wisebot.toml: environments.staging.origin: http://x.test would carry the credential unencrypted: write https, "
        "or set allow-http = true in the environment"
    )


@pytest.mark.parametrize(
    "host",
    ["http://localhost", "http://LocalHost:8787", "http://127.0.0.1:1", "http://127.8.9.10", "http://[::1]:8787"],
)
def test_plain_http_to_this_machine_is_fine(tmp_path: Path, host: str) -> None:
    """What never leaves the machine needs no encryption."""
    table = read_file(written(tmp_path, f'[environments.local]\norigin = "{host}"\n'))

    assert table["environments"]["local"]["origin"] == host.lower()
    assert is_loopback(host)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://x.test", "https://x.test"),
        ("https://x.test/", "https://x.test"),
        ("HTTPS://X.Test:443", "https://x.test:443"),
        ("https://[2001:DB8::1]:8443/", "https://[2001:db8::1]:8443"),
        ("https://xn--exmple-cua.test", "https://xn--exmple-cua.test"),
    ],
)
def test_a_host_has_one_form(text: str, origin: str) -> None:
    """However a host is written, it is the same in lower case and without a trailing slash."""
    assert checked_origin(text) == origin
    assert checked_origin(origin) == origin


# --- a file that cannot be read -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("origin = ", "is not valid TOML: Invalid value (at end of document)"),
        ("[environments\n", "is not valid TOML: Expected ']' at the end of a table declaration (at line 1, column 14)"),
        ('a = "CANARY\n"', "is not valid TOML: Illegal character '\\n' (at line 1, column 12)"),
        ("a = 1\na = 2", "is not valid TOML: Cannot overwrite a value (at end of document)"),
    ],
)
def test_broken_toml_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    """A file that is not valid TOML is told with the place where it breaks, and without what stands there."""
    assert told(tmp_path, text) == f"wisebot.toml: {message}"


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 100_000, "a = " + "9" * 5000, "a = " + "{a=" * 100_000], ids=["deep", "long", "tables"]
)
def test_hostile_toml_is_a_configuration_error(tmp_path: Path, text: str) -> None:
    """Whatever breaks the parser, the user is told that the file is not valid TOML."""
    assert told(tmp_path, text).startswith("wisebot.toml: is not valid TOML: ")


def test_an_origin_with_a_broken_address_is_told_with_its_place(tmp_path: Path) -> None:
    """A bracket that is missing in an IPv6 address is a mistake in the file like any other."""
    for scheme in ("http", "https"):
        message = told(tmp_path, f'[environments.staging]\norigin = "{scheme}://[::1"\n')
        assert message.startswith("wisebot.toml: environments.staging.origin: ")
        assert len(message.splitlines()) == 1


def test_a_file_that_is_no_utf8_is_told_by_its_path(tmp_path: Path) -> None:
    """A file in another encoding is told by its whole path."""
    path = tmp_path / "wisebot.toml"
    path.write_bytes(b"# caf\xe9\n")

    with pytest.raises(ConfigurationError) as caught:
        read_file(path)

    assert str(caught.value) == f"{path}: is not UTF-8 text"


def test_a_file_that_cannot_be_read_is_told_by_its_path(tmp_path: Path) -> None:
    """A file that is not there, or a folder in its place, is told with the system's reason."""
    (tmp_path / "folder").mkdir()

    for name, reason in (("none.toml", "No such file or directory"), ("folder", "Is a directory")):
        with pytest.raises(ConfigurationError) as caught:
            read_file(tmp_path / name)
        assert str(caught.value) == f"{tmp_path / name}: cannot be read: {reason}"


# --- where it is found --------------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "root" / "tests" / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere" / "tests").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("files", "start", "found"),
    [
        (["root/tests/deep", "root/tests", "root"], "root/tests/deep", "root/tests/deep"),
        (["root/tests", "root"], "root/tests/deep", "root/tests"),
        (["root"], "root/tests/deep", "root"),
        (["root"], "root", "root"),
        ([], "root/tests/deep", None),
        (["."], "root/tests/deep", None),
        (["."], "root", None),
        (["root/tests"], "root", None),
        (["elsewhere"], "root/tests", None),
        (["root"], "elsewhere/tests", "root"),
        (["elsewhere/tests", "root"], "elsewhere/tests", "elsewhere/tests"),
        (["elsewhere", "root"], "elsewhere/tests", "root"),
        (["root/tests", "root"], ".", "root"),
    ],
)
def test_the_nearest_file_up_to_the_root_is_found(tree: Path, files: list[str], start: str, found: str | None) -> None:
    """The search goes from the tests' common folder up to pytest's root and not beyond; elsewhere it does not climb."""
    for folder in files:
        written(tree / folder, "")

    assert find_file(tree / start, tree / "root") == (None if found is None else tree / found / "wisebot.toml")


def test_a_folder_of_that_name_is_no_file(tree: Path) -> None:
    """A folder that happens to be called wisebot.toml is passed over."""
    (tree / "root" / "tests" / "wisebot.toml").mkdir()
    path = written(tree / "root", "")

    assert find_file(tree / "root" / "tests", tree / "root") == path


# --- the gate -----------------------------------------------------------------------------------------------------


def test_what_opens_the_gate(tmp_path: Path) -> None:
    """Limits for all tests and for those of single workflows, as plain values; what the file does not say is open."""
    gate = gate_of(
        tmp_path,
        """
        [gate]
        min-pass-rate = 0.95
        max-infrastructure-errors = 1
        max-flaky = 2
        min-runs = 10
        p95-seconds = 20
        max-seconds = 60.5
        max-pass-rate-drop = 0.05
        max-p95-growth = 1.5
        require-live = false
        allow-emulator = true
        select = "-m 'smoke and not slow' -k triage"

        [gate.workflows.summarise]
        min-pass-rate = 0.8
        """,
    )
    assert gate == Gate(
        Limits(0.95, 1, 2, 10, 20, 60.5, 0.05, 1.5),
        {"summarise": Limits(0.8)},
        require_live=False,
        allow_emulator=True,
        select="-m 'smoke and not slow' -k triage",
    )
    assert gate_of(tmp_path, "") == Gate()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("min-pass-rate = 95", "gate.min-pass-rate: expected a share from 0 to 1, as in 0.95 for 95%, got 95"),
        ("min-pass-rate = nan", "gate.min-pass-rate: expected a share from 0 to 1, as in 0.95 for 95%, got nan"),
        ('min-pass-rate = "95%"', 'gate.min-pass-rate: expected a number, got "95%"'),
        ("max-flaky = -1", "gate.max-flaky: expected a whole number, at least 0, got -1"),
        ("max-flaky = 0.5", "gate.max-flaky: expected a whole number, got 0.5"),
        ("p95-seconds = 0", "gate.p95-seconds: expected a number of seconds above 0, got 0"),
        ("max-p95-growth = -0.1", "gate.max-p95-growth: expected a share of at least 0, as in 0.25 for 25%, got -0.1"),
        ("max-flacky = 1", 'gate.max-flacky: unknown key, did you mean "max-flaky"?'),
        ('select = ""', 'gate.select: expected "-m EXPRESSION" or "-k EXPRESSION", got ""'),
        (
            'select = "smoke"',
            'gate.select: expected "-m EXPRESSION" or "-k EXPRESSION", got "smoke": write "-m smoke" '
            "for tests of these marks",
        ),
        ('select = "-m"', 'gate.select: expected "-m EXPRESSION" or "-k EXPRESSION", got "-m"'),
        ('select = "-x smoke"', 'gate.select: expected "-m EXPRESSION" or "-k EXPRESSION", got "-x smoke"'),
        ('select = "-m \'a"', 'gate.select: expected "-m EXPRESSION" or "-k EXPRESSION", got "-m \'a"'),
        ("workflows = 1", "gate.workflows: expected a table, got 1"),
        (
            "[gate.workflows.triage]\nselect = '-m a'",
            "gate.workflows.triage.select: unknown key, known: min-pass-rate,",
        ),
    ],
)
def test_a_mistake_about_the_gate_is_told(tmp_path: Path, line: str, message: str) -> None:
    """Each names the key, what is right and what is there."""
    assert told(tmp_path, f"[gate]\n{line}").startswith(f"wisebot.toml: {message}")


@pytest.mark.parametrize(
    ("text", "expressions"),
    [
        ("-m smoke", {"m": "smoke"}),
        ("-m 'smoke and not slow'", {"m": "smoke and not slow"}),
        ("-m smoke and not slow", {"m": "smoke and not slow"}),
        ("-k 'triage or refund' -m smoke", {"k": "triage or refund", "m": "smoke"}),
        ("-m \"wisebot(workflow='triage')\"", {"m": "wisebot(workflow='triage')"}),
    ],
)
def test_a_selection_is_an_option_of_pytest(text: str, expressions: dict[str, str]) -> None:
    """As one would write it on the command line, with or without quotes."""
    assert selected(text) == expressions


# --- [tool.wisebot] of pyproject.toml -----------------------------------------------------------------------------


def project_file(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "pyproject.toml"
    path.write_text(text, "utf-8")
    return path


TABLES_OF_A_PROJECT = """
[project]
name = "shop"

[tool.wisebot]
default-environment = "staging"
recordings = "kept"
gate.paths = ["e2e"]

[tool.wisebot.environments.staging]
origin = "https://hook.test"
secret = "file:secret.txt"
"""


def test_settings_may_stand_in_pyproject_toml(tmp_path: Path) -> None:
    """The keys are those of ``wisebot.toml``, paths are relative to the file, and messages carry its name and table."""
    (tmp_path / "secret.txt").write_text("FAKE-secret-of-a-file")
    (tmp_path / "e2e").mkdir()
    path = project_file(tmp_path, TABLES_OF_A_PROJECT)
    for given in ({}, {"config": path}):
        settings = resolve(given, start=tmp_path / "e2e", root=tmp_path, cwd=Path("/"), variables={})
        assert (settings.file, settings.environment) == (path, "staging")
        assert (settings.recordings, settings.gate.paths) == (tmp_path / "kept", ("e2e",))
        assert settings.secret is not None
        assert str(settings.secret) == (
            f"file:{tmp_path / 'secret.txt'} (set) from pyproject.toml: tool.wisebot.environments.staging.secret"
        )
        assert settings.source("origin") == "pyproject.toml: tool.wisebot.environments.staging.origin"
        with pytest.raises(
            ConfigurationError, match=r"under \[tool\.wisebot\.environments\.staging\] in pyproject\.toml$"
        ):
            settings.host(Api.DASHBOARD)


def test_the_nearest_file_holds_alone(tmp_path: Path) -> None:
    """Whichever of the two it is; a ``pyproject.toml`` without the table is none."""
    inner, inmost = tmp_path / "inner", tmp_path / "inner" / "inmost"
    project_file(tmp_path, TABLES_OF_A_PROJECT)
    project_file(inner, "[project]\nname = 'inner'\n[tool]\nother = 1\n")
    project_file(inmost, "tool = 1")
    assert find_file(inmost, tmp_path) == tmp_path / "pyproject.toml"
    assert find_file(inmost, tmp_path) == find_file(inner, inner.parent)
    near = written(inner, "")
    assert find_file(inmost, tmp_path) == near
    nearer = project_file(inmost, "[tool.wisebot]")
    assert find_file(inmost, tmp_path) == nearer


def test_two_files_in_one_folder_are_an_error_that_names_both(tmp_path: Path) -> None:
    """Neither wins in silence, unless ``--wisebot-config`` names one."""
    own, shared = written(tmp_path, ""), project_file(tmp_path, "[tool.wisebot]")
    with pytest.raises(ConfigurationError) as caught:
        find_file(tmp_path, tmp_path)
    assert str(caught.value) == (
        f"{own} and [tool.wisebot] in {shared}: settings have one place: move all of them into one of the two"
    )
    for path in (own, shared):
        assert resolve({"config": path}, start=tmp_path, root=tmp_path, cwd=tmp_path, variables={}).file == path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tool.wisebot.zzz = 1", f"tool.wisebot.zzz: unknown key, known: {KNOWN}"),
        ("tool.wisebot = 1", "tool.wisebot: expected a table, got 1"),
        (
            "tool.wisebot.gate.max-flaky = -1",
            "tool.wisebot.gate.max-flaky: expected a whole number, at least 0, got -1",
        ),
        (
            'tool.wisebot.default-environment = "x"',
            'tool.wisebot.default-environment: unknown environment "x", known: none',
        ),
        (
            'tool.wisebot.environments.e.origin = "http://x.test"',
            "tool.wisebot.environments.e.origin: http://x.test would carry the credential unencrypted: write https, or "
            "set allow-http = true in the environment",
        ),
        ("[tool.wisebot", "is not valid TOML: "),
    ],
)
def test_a_mistake_in_pyproject_toml_is_told_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    """With the file's name and the whole path of the key."""
    project_file(tmp_path, text)
    with pytest.raises(ConfigurationError) as caught:
        resolve({}, start=tmp_path, root=tmp_path, cwd=tmp_path, variables={})
    assert str(caught.value).startswith(f"pyproject.toml: {message}")


def test_a_pyproject_toml_without_the_table_cannot_be_chosen(tmp_path: Path) -> None:
    """``--wisebot-config`` never means nothing."""
    path = project_file(tmp_path, "[project]")
    with pytest.raises(ConfigurationError) as caught:
        resolve({"config": path}, start=tmp_path, root=tmp_path, cwd=tmp_path, variables={})
    assert str(caught.value) == f"--wisebot-config: there is no [tool.wisebot] in {path}"


MISPLACED = [
    '[quarantine]\n"test_a.py::test_x" = "CANARY"',
    '[quarantine]\n"test_a.py::test_x" = "me until CANARY: why"',
    '[quarantine]\nCANARY = "me until 2026-12-31: why"',
    "[defaults]\nCANARY = 1",
    '[defaults]\nconcurrency = "CANARY"',
    'default-environment = "CANARY"',
    '[environments.b]\norigin = "CANARY"',
    '[environments.b]\norigin = "https://x.test/CANARY"',
    '[environments.b]\napi = "CANARY"',
    '[environments.b]\nemulator = "CANARY"',
    '[gate]\nselect = "CANARY"',
    '[gate]\npaths = ["CANARY"]',
    '[report]\nrun-url = "CANARY"',
    '[snapshots]\nvolatile = ["CANARY["]',
    '[snapshots]\nkeys = {a = "CANARY x"}',
    '[redact]\npatterns = ["(CANARY"]',
]
"""Settings with a credential where another value belongs."""


@pytest.mark.parametrize("given_by", ["env:OF_A", "file:of-a.txt", "variable"])
@pytest.mark.parametrize("text", MISPLACED)
def test_a_credential_in_the_wrong_place_does_not_show(tmp_path: Path, text: str, given_by: str) -> None:
    """The error names the place and masks the value: of an environment that is not chosen, and of a variable, too."""
    credential = "FAKE-CANARY-secret-77"
    (tmp_path / "of-a.txt").write_text(f"{credential}\n", "utf-8")
    named = "" if given_by == "variable" else f'\n[environments.a]\ntoken = "{given_by}"\n'
    file = tmp_path / "wisebot.toml"
    file.write_text(f"{text.replace('CANARY', credential)}\n{named}", "utf-8")
    variables = {"WISEBOT_WORKFLOW_SECRET" if given_by == "variable" else "OF_A": credential}
    with pytest.raises(ConfigurationError) as caught:
        resolve({}, start=tmp_path, root=tmp_path, cwd=tmp_path, variables=variables)
    assert credential not in str(caught.value)
    assert "<secret>" in str(caught.value)
