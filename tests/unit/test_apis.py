"""What is sent for a run, to whom, with which credential, and the commands that send the same by hand."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wisebot.apis import Outgoing, Prepared, checked_id, prepare, status_check
from pytest_wisebot.errors import ConfigurationError
from pytest_wisebot.redaction import Secret
from pytest_wisebot.runs import TEST_HEADER, Api, Occurrence, RunRequest, json_inputs
from pytest_wisebot.settings import Credential, Settings, Workflow, read_credential

HOOK, APP = "https://hook.test", "https://app.test:8443"
SECRET, TOKEN = "CANARY-webhook-secret", "CANARY-dashboard-token"
LONE = "\ud800"

SETTINGS = Settings(
    origin=HOOK,
    base_url=APP,
    secret=Credential("x", "env:HOOK_SECRET", Secret(SECRET)),
    token=Credential("x", "env:APP_TOKEN", Secret(TOKEN)),
)
BOTH = pytest.mark.parametrize("api", list(Api))


def prepared(
    workflow: str = "triage",
    inputs: object = None,
    api: Api = Api.WEBHOOK,
    *,
    settings: Settings = SETTINGS,
    **more: Any,
) -> Prepared:
    return prepare(RunRequest(workflow, json_inputs(inputs), api, **more), settings)


def outgoing(
    workflow: str = "triage",
    inputs: object = None,
    api: Api = Api.WEBHOOK,
    *,
    settings: Settings = SETTINGS,
    **more: Any,
) -> Outgoing:
    return prepared(workflow, inputs, api, settings=settings, **more).outgoing


# --- the request --------------------------------------------------------------------------------------------------


def test_a_webhook_run_is_the_documented_request() -> None:
    """Over the webhook API a run is a POST to the trigger origin with the workflow's secret and a flat body."""
    settings = dataclasses.replace(SETTINGS, workflows={"triage": Workflow("triage", "k57")})
    sent = outgoing("triage", {"message": "Hello", "threadId": "t-1"}, settings=settings)

    assert (sent.method, sent.host, sent.url) == ("POST", HOOK, "https://hook.test/workflows/trigger?workflowId=k57")
    assert sent.open_headers() == {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "Authorization": f"Bearer {SECRET}",
    }
    assert sent.body == b'{"message": "Hello", "threadId": "t-1"}'


def test_a_dashboard_run_is_the_documented_request() -> None:
    """Over the dashboard API a run is a POST to the web app with the token and the inputs under ``inputs``."""
    sent = outgoing("k57", {"message": "Hello"}, Api.DASHBOARD)

    assert (sent.method, sent.host, sent.url) == ("POST", APP, "https://app.test:8443/api/v1/flow/k57")
    assert sent.open_headers() == {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "Authorization": f"Bearer {TOKEN}",
    }
    assert sent.body == b'{"inputs": {"message": "Hello"}}'


@BOTH
@pytest.mark.parametrize("inputs", [None, {}])
def test_a_run_without_inputs_has_no_body(api: Api, inputs: object) -> None:
    """Without inputs nothing is sent, and no content type that would speak of it."""
    sent = outgoing(inputs=inputs, api=api)

    assert sent.body is None
    assert set(sent.open_headers()) == {"Accept", "Accept-Encoding", "Authorization"}


def test_the_secret_may_travel_in_a_header_of_its_own() -> None:
    """With ``secret-header`` the webhook secret travels bare in ``X-Workflow-Secret``, and the token as ever."""
    settings = dataclasses.replace(SETTINGS, secret_header="x-workflow-secret")

    assert outgoing(settings=settings).open_headers() == {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "X-Workflow-Secret": SECRET,
    }
    assert outgoing(api=Api.DASHBOARD, settings=settings).open_headers()["Authorization"] == f"Bearer {TOKEN}"
    assert "X-Workflow-Secret" not in outgoing(api=Api.DASHBOARD, settings=settings).open_headers()


def test_the_status_check_asks_the_web_app_with_its_token() -> None:
    """A token is checked by a request that starts no run, to its own host."""
    check = status_check(SETTINGS)

    assert check is not None
    assert (check.method, check.url, check.body) == ("GET", "https://app.test:8443/api/v1/status", None)
    assert check.open_headers()["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "changes",
    [{"base_url": None}, {"token": None}, {"token": Credential("x", "env:NONE", None, "is not set")}],
    ids=["host", "token", "reference"],
)
def test_there_is_no_status_check_without_host_or_token(changes: dict[str, Any]) -> None:
    """Without a host or a token there is nothing to check."""
    assert status_check(dataclasses.replace(SETTINGS, **changes)) is None


# --- ids ----------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("id_", "quoted"),
    [
        ("k57c2m", "k57c2m"),
        ("a/b", "a%2Fb"),
        ("../x", "..%2Fx"),
        ("a/../../b", "a%2F..%2F..%2Fb"),
        ("...", "..."),
        ("%2e", "%252e"),
        ("%2e%2e", "%252e%252e"),
        ("a?b", "a%3Fb"),
        ("a#b", "a%23b"),
        ("a b", "a%20b"),
        (" ", "%20"),
        ("a+b", "a%2Bb"),
        ("a&workflowId=b", "a%26workflowId%3Db"),
        ("a;b@c:d\\e", "a%3Bb%40c%3Ad%5Ce"),
        ("é", "%C3%A9"),
        ("語🎉", "%E8%AA%9E%F0%9F%8E%89"),
        ("\u202e", "%E2%80%AE"),
        ("~-._", "~-._"),
    ],
)
def test_an_id_cannot_leave_its_place(api: Api, id_: str, quoted: str) -> None:
    """Whatever an id holds, it arrives as one part of the path or the query, and nothing else changes."""
    url = outgoing(f"id:{id_}", api=api).url

    assert url == (
        f"{HOOK}/workflows/trigger?workflowId={quoted}" if api is Api.WEBHOOK else f"{APP}/api/v1/flow/{quoted}"
    )


@BOTH
@pytest.mark.parametrize(
    ("id_", "message"),
    [
        ("", 'workflow id "": an id is not empty, "." or ".."'),
        (".", 'workflow id ".": an id is not empty, "." or ".."'),
        ("..", 'workflow id "..": an id is not empty, "." or ".."'),
        *(
            (text, f"workflow id {json.dumps(text)}: an id has no control characters and no lone surrogates")
            for text in ("a\nb", "\r", "a\0", "\t", "\x7f", "\x80", "\x9f", LONE, "a\udfffb", "\x1b[31m")
        ),
    ],
)
def test_an_id_that_no_url_can_carry_is_refused(api: Api, id_: str, message: str) -> None:
    """An id that clients and proxies would resolve away, or that has no form in a URL, is refused before sending."""
    with pytest.raises(ConfigurationError) as caught:
        prepared(f"id:{id_}", api=api)

    assert str(caught.value) == message


@given(st.text(st.characters(min_codepoint=32), min_size=1).filter(lambda text: text not in (".", "..")))
def test_any_id_is_quoted_whole_or_refused(id_: str) -> None:
    """Of any id nothing is left in the URL that could end the path or the query, or it is refused."""
    try:
        checked_id(id_)
    except ConfigurationError:
        assert any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or 0xD800 <= ord(char) < 0xE000 for char in id_)
        return
    tail = outgoing(f"id:{id_}", api=Api.DASHBOARD).path.removeprefix("/api/v1/flow/")
    assert tail.isascii()
    assert not set(tail) & set("/?#&+ \\;")


# --- credentials --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["authorization", "x-workflow-secret"])
@pytest.mark.parametrize("inputs", [None, {"a": 1}])
def test_the_credentials_never_cross(header: str, inputs: object) -> None:
    """The trigger origin never sees the token, and the web app never a webhook secret, in any part of a request."""
    settings = dataclasses.replace(SETTINGS, secret_header=header)
    for api, host, own, other in ((Api.WEBHOOK, HOOK, SECRET, TOKEN), (Api.DASHBOARD, APP, TOKEN, SECRET)):
        sent = outgoing(inputs=inputs, api=api, settings=settings, secret=None)
        everything = repr((sent.url, sent.open_headers(), sent.body))
        assert (sent.host, own in everything, other in everything) == (host, True, False)


def test_a_secret_of_the_call_is_for_the_webhook_alone() -> None:
    """A secret given with the call takes the settings' place over the webhook API; the web app never gets it."""
    secret = Secret("CANARY-of-the-call")

    assert outgoing(secret=secret).open_headers()["Authorization"] == "Bearer CANARY-of-the-call"
    assert outgoing(api=Api.DASHBOARD, secret=secret).open_headers()["Authorization"] == f"Bearer {TOKEN}"


def test_a_secret_of_the_call_needs_no_other() -> None:
    """With a secret of its own a call needs none in the settings."""
    settings = dataclasses.replace(SETTINGS, secret=None)

    assert outgoing(settings=settings, secret=Secret("CANARY-call")).secret == Secret("CANARY-call")


def test_each_workflow_has_its_own_secret() -> None:
    """One secret for one workflow: each gets its own, and the others the environment's."""
    own = Workflow("triage", "k57", Credential("x", "env:TRIAGE", Secret("CANARY-triage")))
    settings = dataclasses.replace(SETTINGS, workflows={"triage": own, "refund": Workflow("refund", "k58")})

    assert outgoing("triage", settings=settings).secret == Secret("CANARY-triage")
    assert outgoing("refund", settings=settings).secret == Secret(SECRET)
    assert outgoing("triage", api=Api.DASHBOARD, settings=settings).secret == Secret(TOKEN)


def test_the_emulators_secrets_fill_what_nothing_gives() -> None:
    """Against an emulator a workflow has the emulator's secret, one that it does not know a fallback to be told so."""
    settings = Settings(
        origin="http://127.0.0.1:1",
        emulated={"triage": Credential("emulator", None, Secret("CANARY-emulated"))},
        emulated_fallback=Credential("emulator", None, Secret("CANARY-fallback")),
    )

    sent = {name: outgoing(name, settings=settings).open_headers()["Authorization"] for name in ("triage", "other")}
    assert sent == {"triage": "Bearer CANARY-emulated", "other": "Bearer CANARY-fallback"}


@pytest.mark.parametrize("show", [repr, str], ids=["repr", "str"])
@BOTH
def test_what_is_prepared_shows_no_credential(api: Api, show: Any) -> None:
    """A request that stands in a traceback's locals shows no credential, and no more do its commands."""
    ready = prepared(inputs={"a": 1}, api=api)

    assert "CANARY" not in show(ready) + show(ready.outgoing) + "".join(ready.commands)


@BOTH
def test_a_credential_that_leads_nowhere_is_told(api: Api) -> None:
    """A run whose credential's reference leads nowhere is not sent."""
    nowhere = Credential("x", "env:NONE", None, "is not set")
    with pytest.raises(ConfigurationError) as caught:
        prepared(api=api, settings=dataclasses.replace(SETTINGS, secret=nowhere, token=nowhere))

    assert str(caught.value) == "x: env:NONE: is not set"


@BOTH
def test_only_an_emulator_is_told_which_test_asks(api: Api) -> None:
    """The header that names the test goes to an emulator, and never to Wisebot."""
    emulator = dataclasses.replace(SETTINGS, emulated_fallback=Credential("emulator", None, Secret("CANARY-fallback")))

    assert outgoing(api=api, settings=emulator, test="0123abcd").headers[TEST_HEADER] == "0123abcd"
    assert TEST_HEADER not in outgoing(api=api, settings=emulator).headers
    assert TEST_HEADER not in outgoing(api=api, test="0123abcd").headers


# --- bodies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "body"),
    [
        ({"a": "é 語 🎉"}, '{"a": "é 語 🎉"}'),
        ({"a": "\n\0\x7f\u2028"}, '{"a": "\\n\\u0000\x7f\u2028"}'),
        ({"a": f"x{LONE}y", "\udfff": 1}, '{"a": "x\\ud800y", "\\udfff": 1}'),
        ({"a": "\ud83d\ude00"}, '{"a": "\\ud83d\\ude00"}'),
        ({"a": "\\ud800"}, '{"a": "\\\\ud800"}'),
        ({"a": [1, 1.5, None, True, {"b": []}]}, '{"a": [1, 1.5, null, true, {"b": []}]}'),
        ({"b": 1, "a": 2}, '{"b": 1, "a": 2}'),
        ({"n": 10**30, "f": 1e308}, '{"n": 1000000000000000000000000000000, "f": 1e+308}'),
    ],
)
def test_a_body_is_json_as_utf8(inputs: dict[str, Any], body: str) -> None:
    """Inputs travel as JSON in UTF-8, in their order; a lone surrogate, which has no UTF-8, as its escape."""
    assert outgoing(inputs=inputs).body == body.encode()
    assert outgoing(inputs=inputs, api=Api.DASHBOARD).body == f'{{"inputs": {body}}}'.encode()


# --- the same by hand ---------------------------------------------------------------------------------------------

BASH = shutil.which("bash")
needs_bash = pytest.mark.skipif(BASH is None, reason="the commands are for a POSIX shell")

DUMP = """\
dump() { printf '%s\\0' "$WISEBOT_WORKFLOW_TRIGGER_ORIGIN" "$WISEBOT_WORKFLOW_SECRET" "$@"; }
curl() { dump curl "$@"; }
wisebot() { dump wisebot "$@"; }
"""


def typed(command: str, folder: Path, **variables: str) -> tuple[dict[str, str], list[str]]:
    """What a program is handed when someone types this command: Wisebot's variables and the arguments."""
    assert BASH is not None
    script = folder / "typed.sh"
    script.write_bytes(f"{DUMP}{command}\n".encode())
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **variables}
    done = subprocess.run([BASH, str(script)], env=environment, cwd=folder, capture_output=True, timeout=60, check=True)
    assert done.stderr == b""
    origin, secret, *arguments = done.stdout.decode().removesuffix("\0").split("\0")
    return {"origin": origin, "secret": secret}, arguments


INPUTS: dict[str, dict[str, Any]] = {
    "plain": {"message": "I was charged twice"},
    "single quotes": {"it's": "'quoted' '' '"},
    "double quotes": {'a"b': 'say "hello"', "b": "\"'\"'"},
    "newlines": {"a": "one\ntwo\r\nthree\n"},
    "expansions": {"a": "$HOME ${HOME} $(id) `id` $((1+1)) ~ * ? [a] {a,b} $'x' \\$x"},
    "history": {"a": "wow! !! !x"},
    "backslashes": {"a": "\\ \\\\ \\n C:\\temp\\"},
    "separators": {"a": "a; b & c | d > e < f # g"},
    "leading signs": {"-a": "-x --data @file", "@a": "@/etc/hostname"},
    "percent": {"a": "100% %s %n"},
    "letters": {"é": "語 ñ ß Ω"},
    "emoji": {"a": "🎉 👩‍👩‍👧 🇩🇪 \U0001f44d\U0001f3fd"},
    "control": {"a": "".join(map(chr, [*range(32), *range(127, 160)]))},
    "invisible": {"a": "\u200b\u200d\u00a0\ufeff\u2028\u2029\u00ad"},
    "bidi": {"a": "\u202eabc\u2066def\u2069\u202c"},
    "lone surrogates": {f"k{LONE}": f"x{LONE}y\udfff é"},
    "lone surrogates alone": {"a": LONE},
    "unassigned": {"a": "\U000e0001\U0010ffff\u0378"},
    "numbers": {"a": [1, -1.5, 1e308, 10**30, True, None, {"b": []}]},
}


@needs_bash
@pytest.mark.parametrize("inputs", INPUTS.values(), ids=INPUTS.keys())
@BOTH
def test_the_curl_command_sends_the_same(tmp_path: Path, api: Api, inputs: dict[str, Any]) -> None:
    """Who types the curl command sends the same JSON, to the same URL, with the credential of its variable."""
    ready = prepared("a b/é", inputs, api)
    assert ready.outgoing.body is not None

    _, arguments = typed(ready.commands[0], tmp_path, HOOK_SECRET="FAKE $x `y`", APP_TOKEN="FAKE 'z' \"")

    *options, body = arguments
    credential = "FAKE $x `y`" if api is Api.WEBHOOK else "FAKE 'z' \""
    assert options == [
        "curl", "-sS", "-X", "POST", ready.outgoing.url, "-H", f"Authorization: Bearer {credential}",
        "-H", "Content-Type: application/json", "--data-raw",
    ]  # fmt: skip
    assert json.loads(body) == (inputs if api is Api.WEBHOOK else {"inputs": inputs})
    assert json.loads(body) == json.loads(ready.outgoing.body)
    assert ready.commands[0].isprintable()


@needs_bash
@pytest.mark.parametrize("inputs", INPUTS.values(), ids=INPUTS.keys())
def test_the_wisebot_command_sends_the_same(tmp_path: Path, inputs: dict[str, Any]) -> None:
    """Who types the ``wisebot`` command sends the same JSON, for the same id, with the same origin and secret."""
    ready = prepared("a b/é", inputs)

    variables, arguments = typed(ready.commands[1], tmp_path, HOOK_SECRET="FAKE $x `y`")

    *options, body = arguments
    assert variables == {"origin": HOOK, "secret": "FAKE $x `y`"}
    assert options == ["wisebot", "workflow", "trigger", "a b/é", "--data"]
    assert json.loads(body) == inputs
    assert ready.commands[1].isprintable()


def test_each_api_has_its_commands() -> None:
    """A webhook run is repeated by curl and by Wisebot's own command, a dashboard run by curl."""
    assert prepared("k57", {"a": "it's"}).commands == (
        "curl -sS -X POST 'https://hook.test/workflows/trigger?workflowId=k57' "
        '-H "Authorization: Bearer $HOOK_SECRET" '
        "-H 'Content-Type: application/json' --data-raw '{\"a\": \"it'\"'\"'s\"}'",
        'WISEBOT_WORKFLOW_TRIGGER_ORIGIN=https://hook.test WISEBOT_WORKFLOW_SECRET="$HOOK_SECRET" '
        'wisebot workflow trigger k57 --data \'{"a": "it\'"\'"\'s"}\'',
    )
    assert prepared("k57", {"a": 1}, Api.DASHBOARD).commands == (
        'curl -sS -X POST https://app.test:8443/api/v1/flow/k57 -H "Authorization: Bearer $APP_TOKEN" '
        "-H 'Content-Type: application/json' --data-raw '{\"inputs\": {\"a\": 1}}'",
    )


def test_without_inputs_the_commands_send_no_body() -> None:
    """A run without inputs is repeated without a body."""
    assert prepared("k57").commands == (
        "curl -sS -X POST 'https://hook.test/workflows/trigger?workflowId=k57' "
        '-H "Authorization: Bearer $HOOK_SECRET"',
        'WISEBOT_WORKFLOW_TRIGGER_ORIGIN=https://hook.test WISEBOT_WORKFLOW_SECRET="$HOOK_SECRET" '
        "wisebot workflow trigger k57",
    )
    assert prepared("k57", api=Api.DASHBOARD).commands == (
        'curl -sS -X POST https://app.test:8443/api/v1/flow/k57 -H "Authorization: Bearer $APP_TOKEN"',
    )


@needs_bash
def test_the_curl_command_uses_the_header_that_was_used(tmp_path: Path) -> None:
    """With ``secret-header`` the command puts the secret into the same header, bare."""
    ready = prepared(settings=dataclasses.replace(SETTINGS, secret_header="x-workflow-secret"))

    _, arguments = typed(ready.commands[0], tmp_path, HOOK_SECRET="FAKE secret")

    assert arguments[-2:] == ["-H", "X-Workflow-Secret: FAKE secret"]


@needs_bash
@pytest.mark.parametrize("end", ["", "\n"], ids=["none", "newline"])
@pytest.mark.parametrize("name", ["secret.txt", "it's a $HOME `secret`.txt", 'a"b!.txt', "é 語.txt", "-n"])
def test_a_credential_in_a_file_is_read_by_the_commands(tmp_path: Path, name: str, end: str) -> None:
    """A credential that a file holds is read by the commands as the plugin reads it, whatever the file is called."""
    (tmp_path / name).write_bytes(f'FAKE $x `y` "secret"{end}'.encode())
    credential = read_credential(f"file:{name}", "x", tmp_path, {})
    ready = prepared(settings=dataclasses.replace(SETTINGS, secret=credential))

    for command in ready.commands:
        variables, arguments = typed(command, tmp_path)
        assert ready.outgoing.open_headers()["Authorization"] == 'Bearer FAKE $x `y` "secret"'
        if arguments[0] == "curl":
            assert arguments[-1] == 'Authorization: Bearer FAKE $x `y` "secret"'
        else:
            assert variables["secret"] == 'FAKE $x `y` "secret"'


@needs_bash
@pytest.mark.parametrize("name", ["MY-SECRET", "my.secret", "1SECRET", "MY SECRET", "SECRET_é", "A;B", "A$(B)"])
def test_a_variable_that_no_shell_knows_is_asked_otherwise(tmp_path: Path, name: str) -> None:
    """A variable whose name is none for a shell is still read, and nothing of the name is run."""
    credential = Credential("x", f"env:{name}", Secret(SECRET))
    (curl, cli) = prepared(settings=dataclasses.replace(SETTINGS, secret=credential)).commands

    assert typed(curl, tmp_path, **{name: "FAKE secret"})[1][-1] == "Authorization: Bearer FAKE secret"
    assert typed(cli, tmp_path, **{name: "FAKE secret"})[0]["secret"] == "FAKE secret"


@pytest.mark.parametrize(("api", "name"), [(Api.WEBHOOK, "FILL_IN_THE_SECRET"), (Api.DASHBOARD, "FILL_IN_THE_TOKEN")])
def test_a_credential_given_as_a_value_goes_by_no_name_of_the_users_shell(api: Api, name: str) -> None:
    """The variables that Wisebot's tools read may hold production's credential: a command does not send it."""
    value = Credential("x", None, Secret("CANARY-value"))
    commands = prepared(api=api, settings=dataclasses.replace(SETTINGS, secret=value, token=value)).commands

    assert all(f"${name}" in command and "CANARY" not in command for command in commands)


@pytest.mark.parametrize(
    ("reference", "shown"),
    [("env:CALL", "$CALL"), ("file:/s/call", "/s/call"), (None, "$FILL_IN_THE_SECRET")],
)
def test_a_secret_of_the_call_is_named_by_its_reference(reference: str | None, shown: str) -> None:
    """The commands name the secret that was given with the call, and not the settings'."""
    commands = prepared(secret=Secret("CANARY-call"), secret_reference=reference).commands

    assert all(shown in command and "HOOK_SECRET" not in command for command in commands)
    assert not any("$WISEBOT" in command for command in commands)


@needs_bash
@pytest.mark.parametrize("id_", ["a b", "it's", "$HOME", "`id`", "a;b", "é", "*", "a\\b", "!x", "~"])
def test_an_id_reaches_the_wisebot_command_as_it_is(tmp_path: Path, id_: str) -> None:
    """An id is one argument of the command, whatever a shell would make of it."""
    _, arguments = typed(prepared(f"id:{id_}").commands[1], tmp_path, HOOK_SECRET="FAKE")

    assert arguments == ["wisebot", "workflow", "trigger", id_]


def test_the_commands_can_be_typed_into_a_shell_with_history() -> None:
    """An exclamation mark stands in single quotes, where no interactive shell replaces it."""
    for command in prepared("a!b", {"a": "wow!"}).commands:
        outside = "".join(command.split("'")[::2])
        assert "!" not in outside


@needs_bash
def test_a_large_body_goes_through_standard_input(tmp_path: Path) -> None:
    """No system takes an argument of megabytes: curl reads it, and Wisebot's own command is left out."""
    inputs = {"text": "it's $5 `x` " * 20_000}
    (command,) = prepared("k57", inputs).commands
    first, body, last = command.splitlines()
    assert first.endswith(" --data-binary @- <<'END_OF_INPUTS'")
    assert last == "END_OF_INPUTS"
    assert json.loads(body) == inputs
    assert typed(command, tmp_path, HOOK_SECRET="FAKE")[1][-2:] == ["--data-binary", "@-"]


def test_a_run_of_the_session_s_emulator_is_repeated_by_its_test() -> None:
    """Its ports and secrets are gone with the session."""
    settings = dataclasses.replace(
        SETTINGS, emulator="flows:emulator", emulated_fallback=Credential("emulator", None, Secret("CANARY-fallback"))
    )
    request = RunRequest("triage", {}, occurrence=Occurrence("gw1:tests/test_a b.py::test_it[x]"))
    assert prepare(request, settings).commands == (
        "python -m pytest 'tests/test_a b.py::test_it[x]'",
        "python -m pytest_wisebot emulator flows:emulator  # serves its workflows by hand",
    )


def test_on_windows_a_test_is_named_for_powershell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quote within a test's id is doubled there; a plain word has none."""
    monkeypatch.setattr("sys.platform", "win32")
    fallback = Credential("emulator", None, Secret("CANARY-fallback"))
    settings = dataclasses.replace(SETTINGS, emulator="flows:emulator", emulated_fallback=fallback)
    request = RunRequest("triage", {}, occurrence=Occurrence("test_a.py::test_it[it's]"))
    assert prepare(request, settings).commands == (
        "python -m pytest 'test_a.py::test_it[it''s]'",
        "python -m pytest_wisebot emulator flows:emulator  # serves its workflows by hand",
    )


@BOTH
def test_on_windows_the_command_is_for_powershell(monkeypatch: pytest.MonkeyPatch, api: Api) -> None:
    """The credential by its variable, or by its file; the body in ASCII, whatever version reads it."""
    monkeypatch.setattr("sys.platform", "win32")
    url, name = ("https://hook.test/workflows/trigger?workflowId=k57", "HOOK_SECRET")
    body = '{"a": "it\'\'s \\\\u00e9"}'.replace("\\\\", "\\")
    if api is Api.DASHBOARD:
        url, name = "https://app.test:8443/api/v1/flow/k57", "APP_TOKEN"
        body = f'{{"inputs": {body}}}'
    headers = f"@{{ 'Authorization' = \"Bearer $env:{name}\" }}"
    expected = f"Invoke-RestMethod -Method Post -Uri '{url}' -Headers {headers}"
    assert prepared("k57", {"a": "it's é"}, api).commands == (
        f"{expected} -ContentType 'application/json' -Body '{body}'",
    )
    assert prepared("k57", api=api).commands == (expected,)
    file = Credential("x", "file:C:\\it's.txt", Secret(SECRET))
    settings = dataclasses.replace(SETTINGS, secret=file, token=file)
    (command,) = prepared("k57", api=api, settings=settings).commands
    assert "Bearer $((Get-Content -Raw -LiteralPath 'C:\\it''s.txt').TrimEnd())" in command
