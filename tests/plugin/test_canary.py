"""A suite that fails in every way there is, as loudly as pytest can: no credential stands in anything it leaves behind.

What a credential looks like once it was quoted, escaped, encoded or cut is worked out here, and not by the package.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus, unquote, urlsplit

import pytest
from harness import Project

pytestmark = pytest.mark.slow

# --- the credentials, and what they look like ------------------------------------------------------------------------

CANARIES = {
    "env": r'CANARY"of\the+variable"&%s{x}/==',
    "file": "a CANARY of one workflow's own file",
    "option": "CANARY~option~0123456789~token",
    "call": "CANARYofOneCall-" + "-".join(f"part{number}of{number * 7919 % 1000}" for number in range(40)) + "-itsEnd",
    "jwt": f"eyJhbGciOiJIUzI1NiJ9.{'CANARYinJwt' * 12}.CANARYsignature0123456789",
    "twin": f"eyJhbGciOiJIUzI1NiJ9.{'CANARYinJwt' * 6}{'CANARYinTwin' * 6}.CANARYsignatureOfTheTwin",
}

SOURCES = ("call", "env", "file", "jwt")
"""The credentials that each test shows in turn; the session with the option has its own, and the twin is compared."""

SHORTEST_PART = 12
"""Characters from which on the beginning or the end of a credential gives it away."""


def looks(credential: str) -> dict[str, str]:
    """Every look of a credential, by name; parts of each, as a truncation leaves them, among them."""
    whole = {
        "raw": credential,
        "quoted": quote(credential, safe=""),
        "quoted path": quote(credential),
        "quoted form": quote_plus(credential),
        "quoted twice": quote(quote(credential, safe=""), safe=""),
        "json": json.dumps(credential)[1:-1],
        "json twice": json.dumps(json.dumps(credential))[3:-3],
        "repr": repr(credential)[1:-1],
        "html": html.escape(credential),
        "xml": html.escape(credential, quote=False),
        "hex": credential.encode().hex(),
        "HEX": credential.encode().hex().upper(),
        "reversed": credential[::-1],
    }
    for place in range(3):
        encoded = base64.b64encode(b"-" * place + credential.encode()).decode()
        first, last = (0, 2, 3)[place], (place + len(credential)) * 8 // 6
        whole[f"base64 at {place}"] = encoded[first:last]
        whole[f"urlsafe base64 at {place}"] = encoded[first:last].translate(str.maketrans("+/", "-_"))
    parts = {f"head of {name}": text[:SHORTEST_PART] for name, text in whole.items()}
    parts |= {f"tail of {name}": text[-SHORTEST_PART:] for name, text in whole.items()}
    return whole | parts


LOOKS = {text: f"{name}, {look}" for name, value in CANARIES.items() for look, text in reversed(looks(value).items())}


def found_in(text: str) -> list[str]:
    """Which credentials a text shows, how, and what stands around the first of them."""
    found = [(name, text.index(look)) for look, name in LOOKS.items() if look in text]
    return [f"{name}: {text[max(0, at - 60) : at + 100]!r}" for name, at in found]


# --- a server that gives back what it got -----------------------------------------------------------------------------


class Echo(BaseHTTPRequestHandler):
    """Answers as the workflow's name says, with the credential of the request wherever an answer has room for one."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._send(200, b'{"ok": true}')

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        url = urlsplit(self.path)
        named = parse_qs(url.query).get("workflowId") or [unquote(url.path.rpartition("/")[2])]
        got = self.headers["Authorization"].partition(" ")[2]
        kind = named[0]
        if kind.startswith("status-"):
            status = int(kind.removeprefix("status-"))
            self._send(status, f"<html>{html.escape(got)} was sent: {got}, {quote(got)}".encode(), got)
        elif kind == "hangs":
            threading.Event().wait(1.0)
        elif kind == "cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + got.encode())
            self.close_connection = True
        elif kind == "garbage":
            self._send(200, f'{{"ok": {got}'.encode(), got)
        elif kind == "odd":
            self._send(200, json.dumps({"ok": True, "runId": [got], got: got, "error": got}).encode(), got)
        elif kind == "fails":
            error = {"reason": got, "of": json.dumps({"key": got}), "sent": body}
            self._send(200, json.dumps({"ok": False, "runId": got, "error": error}).encode(), got)
        else:
            self._send(200, json.dumps({"ok": True, "runId": "run_1", "result": _forms(got, body)}).encode(), got)

    def _send(self, status: int, body: bytes, got: str = "") -> None:
        self.send_response(status)
        for name in ("X-Echo", "Set-Cookie", "Location", "X-Workflow-Secret") if got else ():
            self.send_header(name, f"/{got}")
        self.send_header("Content-Type", f"text/html; got={got}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""


def _forms(got: str, body: str) -> dict[str, Any]:
    return {
        "raw": got,
        "url": f"https://host.example/?key={quote(got, safe='')}&form={quote_plus(got)}",
        "text": json.dumps({"Authorization": f"Bearer {got}"}),
        "base64": [base64.b64encode(b"-" * place + got.encode() + b"!").decode() for place in range(3)],
        "hex": got.encode().hex(),
        "reversed": got[::-1],
        "headers": {"Authorization": f"Bearer {got}", "X-Workflow-Secret": got},
        "long": f"{'before ' * 60}{got}{' after' * 60}",
        got: "as a key",
        "sent": body,
    }


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    """The origin of the server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


# --- the suite --------------------------------------------------------------------------------------------------------

TOML = """
    default-environment = "canary"

    [environments.canary]
    origin = "{origin}"
    base-url = "{origin}"
    secret = "env:CANARY_OF_ENV"
    retries = 0

    [environments.canary.workflows.of-file]
    secret = "file:file.txt"

    [environments.canary.workflows.of-jwt]
    secret = "env:CANARY_OF_JWT"

    [environments.canary.workflows.of-twin]
    secret = "env:CANARY_OF_TWIN"
"""

CONFTEST = """
    import json, os, pathlib, time
    import pytest

    @pytest.fixture(scope="session", autouse=True)
    def of_one_call(trigger_workflow):
        # One worker gives it, and the others must mask it as well.
        given = pathlib.Path("given-" + os.environ.get("PYTEST_XDIST_TESTRUNUID", "once"))
        if os.environ.get("PYTEST_XDIST_WORKER", "gw0") != "gw0":
            ends_at = time.monotonic() + 30
            while not given.exists() and time.monotonic() < ends_at:
                time.sleep(0.02)
            trigger_workflow("id:echo")  # the connection has room for one message after the other
        elif secret := json.loads(os.environ["LEAKS"]).get("call"):
            trigger_workflow("id:echo", secret=secret)
            given.touch()
"""

SWITCHED_OFF = """
    from pytest_wisebot.redaction import Redactor

    Redactor.clean = Redactor.clean_json = lambda self, value, *_: value
    Redactor.clean_answer = Redactor.clean_inputs = lambda self, answer, *_: dict(answer)
"""

NAMES = """
    import dataclasses, json, logging, os, re, signal, sys, threading, time, unittest, warnings
    import pytest
    from pydantic import BaseModel
    from pytest_wisebot import *
    from pytest_wisebot import errors

    KNOWN = json.loads(os.environ["LEAKS"])
    ALL = "; ".join(KNOWN.values())
    KNOWN_AT_ONCE = ALL.replace(KNOWN.get("call", ALL), "")  # what starts ahead is done before a test makes a call
    log = logging.getLogger("mine")

    @pytest.fixture(params=os.environ["LEAKING"].split())
    def leak(request):
        return KNOWN[request.param]
"""

RUNS = """
    KINDS = ["status-302", "status-400", "status-401", "status-403", "status-404", "status-418", "status-429",
             "status-500", "status-502", "status-503", "cut", "garbage", "hangs"]

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("api", ["webhook", "dashboard"])
    def test_error(trigger_workflow, kind, api):
        pending = trigger_workflow.start("id:" + kind, {"sent": ALL}, api=api, timeout=0.3 if kind == "hangs" else 30)
        pending.wait()

    def test_error_of_one_call(trigger_workflow, leak):
        trigger_workflow("id:status-401", {"sent": leak}, secret=leak)

    def test_errors_at_once(trigger_workflow):
        trigger_workflow.map("id:fails", [{"n": n} for n in range(2)])
        trigger_workflow.map("id:status-404", [{"n": n} for n in range(2)])

    @pytest.mark.parametrize("workflow", ["id:echo", "of-file", "of-jwt"])
    @pytest.mark.parametrize("api", ["webhook", "dashboard"])
    def test_results(trigger_workflow, wisebot_settings, workflow, api):
        run = trigger_workflow(workflow, {"sent": ALL}, api=api)
        print(run, run.commands, wisebot_settings)
        log.warning("%s", run.result)
        assert run.result == ALL, (run, wisebot_settings)

    def test_swapped(trigger_workflow, leak):
        trigger_workflow("id:" + leak, {})

    def test_swapped_by_name(trigger_workflow, leak):
        trigger_workflow(leak)

    @pytest.mark.parametrize("wrong", ["api", "timeout", "inputs"])
    def test_wrong_argument(trigger_workflow, leak, wrong):
        trigger_workflow("id:echo", **{wrong: leak})

    def test_secret_that_leads_nowhere(trigger_workflow, leak):
        trigger_workflow("id:echo", secret="file:" + leak)

    @pytest.mark.wisebot("id:fails", {"sent": KNOWN_AT_ONCE}, api="both")
    def test_declared(workflow_run):
        assert_ok(workflow_run)

    @pytest.mark.wisebot("id:echo", {"sent": KNOWN_AT_ONCE}, max_seconds=0.000001)
    def test_declared_too_slow(workflow_run):
        pass

    def test_cancelled(trigger_workflow):
        pending = trigger_workflow.start("id:hangs", {"sent": ALL})
        pending.cancel()
        pending.wait()
"""

HELPERS = """
    def test_assert_ok(trigger_workflow):
        assert_ok(trigger_workflow("id:fails", {"sent": ALL}))

    def test_assert_failed(trigger_workflow):
        assert_failed(trigger_workflow("id:echo", {"sent": ALL}))

    def test_assert_failed_otherwise(trigger_workflow, leak):
        assert_failed(trigger_workflow("id:fails", {"sent": leak}), match="^" + re.escape(leak))

    @pytest.mark.parametrize("expected", [dict(raw=ALL), [ALL], ALL, str, dict[str, int]], ids=list("abcde"))
    def test_assert_result(trigger_workflow, expected):
        assert_result(trigger_workflow("id:echo", {"sent": ALL}), expected)

    def test_assert_result_of_a_model(trigger_workflow):
        class Model(BaseModel):
            raw: int
            base64: list[int]
        assert_result(trigger_workflow("id:echo", {"sent": ALL}), Model)

    def test_assert_envelope(trigger_workflow):
        assert_envelope(trigger_workflow("id:odd", {"sent": ALL}))
"""

ERRORS = """
    def tree(kind):
        yield kind
        for one in kind.__subclasses__():
            yield from tree(one)

    @pytest.mark.parametrize("kind", list(tree(errors.WisebotError)))
    def test_raised_by_hand(kind):
        raise kind("it said " + ALL)

    def test_raised_with_an_answer():
        asked = errors.Attempted(ALL, "webhook", ALL, commands=(ALL,))
        raise errors.GatewayFailed(ALL, asked, errors.Answer(502, ALL, ALL))

    def test_plain(leak):
        raise ValueError(leak)

    def test_two_arguments(leak):
        raise OSError(5, leak, leak)

    def test_group(leak):
        raise ExceptionGroup(leak, [ValueError(leak), ExceptionGroup("inner " + leak, [KeyError(leak)])])

    def test_chain(leak):
        try:
            try:
                raise ValueError(leak)
            except ValueError as error:
                raise KeyError(leak) from error
        except KeyError:
            raise RuntimeError(leak)

    def test_notes(leak):
        error = ValueError("see the notes")
        error.add_note("a note: " + leak)
        raise error

    def test_fail(leak):
        pytest.fail("it said " + leak)

    def test_fail_without_a_traceback(leak):
        pytest.fail("it said " + leak, pytrace=False)

    def test_skip(leak):
        pytest.skip("it said " + leak)

    @pytest.mark.skip(reason="it said " + ALL)
    def test_skip_mark():
        pass

    def test_xfail(leak):
        pytest.xfail("it said " + leak)

    @pytest.mark.xfail(reason="it said " + ALL, strict=True)
    def test_xfail_that_passes():
        pass

    @pytest.mark.xfail(reason="it said " + ALL)
    def test_xfail_mark():
        raise ValueError(ALL)

    @pytest.mark.xfail(reason="it said " + ALL)
    def test_xpass():
        pass

    def test_raises(leak):
        with pytest.raises(ValueError, match="something else"):
            raise ValueError(leak)
"""

ASSERTS = """
    @dataclasses.dataclass
    class Box:
        one: str
        two: object

    def test_texts(leak):
        assert leak == "something else"

    def test_texts_that_begin_alike(leak):
        assert leak + "!" == leak + "?"

    def test_texts_that_share_a_beginning():
        assert KNOWN["jwt"] == KNOWN["twin"]

    def test_texts_that_share_an_end(leak):
        assert "x" + leak + "y" * 100 == "z" + leak + "y" * 100

    def test_long_texts(leak):
        assert "x" * 300 + leak + "y" * 300 == "x" * 300 + leak + "z" * 300

    def test_many_lines(leak):
        assert (leak + "\\n") * 30 == "none"

    def test_not_in(leak):
        assert leak not in "before " * 50 + leak + " after" * 50

    def test_in(leak):
        assert leak in ["x" * 300, "y"]

    def test_lists(leak):
        assert [leak, [leak]] * 20 == [leak, [leak]] * 19

    def test_dicts(leak):
        assert {"a": leak, leak: {"b": [leak]}} == {"a": leak + "!", "c": 1}

    def test_sets(leak):
        assert {leak} == {leak + "!"}

    def test_bytes():
        assert KNOWN["env"].encode() == b"none"

    def test_boxes(leak):
        assert Box(leak, [leak]) == Box(leak, {leak: leak})

    def test_message(leak):
        assert not leak, leak

    def test_call(leak):
        assert leak.startswith("x" + leak)

    def test_locals(leak, trigger_workflow, wisebot_settings):
        text, data, many = leak, leak.encode(), [leak] * 50
        shown, box, hexed = {"Authorization": "Bearer " + leak}, Box(leak, leak), leak.encode().hex()
        long = "x" * 500 + leak + "x" * 500
        pending = trigger_workflow.start("id:echo", {"sent": leak})
        run = pending.wait()
        raise ValueError
"""

AROUND = """
    @pytest.fixture
    def breaks(leak):
        print("setup", leak)
        raise ValueError(leak)

    @pytest.fixture
    def breaks_at_its_end(leak):
        yield
        log.error("teardown %s", leak)
        raise ValueError(leak)

    @pytest.fixture(scope="module")
    def breaks_for_all():
        yield ALL
        print(ALL)
        raise ExceptionGroup(ALL, [ValueError(ALL)])

    @pytest.fixture(scope="class", params=list(KNOWN.values()), ids=sorted(KNOWN))
    def shown(request):
        return request.param

    def test_setup(breaks):
        pass

    def test_teardown(breaks_at_its_end):
        raise ValueError

    def test_module(breaks_for_all):
        assert breaks_for_all is None

    def test_setup_show(shown):
        pass

    @pytest.mark.parametrize("value", [*KNOWN.values(), ["in a list", ALL]], ids=[*sorted(KNOWN), "list"])
    def test_parametrised(value):
        assert value == 1

    def test_output(leak, record_property, capfd):
        with capfd.disabled():
            pass
        record_property("got", leak)
        record_property(leak, {"got": leak})

    def test_printed(leak, record_property):
        print("printed", leak)
        print("printed", leak, file=sys.stderr)
        os.write(1, leak.encode())
        record_property("got", leak)
        assert False

    def test_logs(leak):
        log.debug("debug %s", leak)
        log.error("error %r", [leak], extra={"more": leak})
        try:
            raise ValueError(leak)
        except ValueError:
            log.exception("with a traceback")
        raise ValueError

    @pytest.mark.filterwarnings("ignore:record_xml_attribute")
    def test_attributes(leak, record_xml_attribute, record_testsuite_property):
        record_xml_attribute("got", leak)
        record_testsuite_property("got-" + leak[:3], leak)

    class Loud(UserWarning):
        def __init__(self, text, more):
            super().__init__(text, more)

    def test_warnings(leak):
        warnings.warn("it said " + leak)
        warnings.warn(Loud(leak, [leak]))
        warnings.warn_explicit(leak, UserWarning, "elsewhere.py", 1)

    def test_thread(leak):
        thread = threading.Thread(target=lambda: {}[leak])
        thread.start()
        thread.join()

    def test_unraisable(leak):
        class Broken:
            def __del__(self):
                raise ValueError(leak)
        Broken()

    def test_subtests(subtests, leak):
        with subtests.test(leak, value=leak):
            print("printed", leak)
            log.error("logged %s", leak)
            assert leak == 1
        with subtests.test(msg="skipped"):
            pytest.skip(leak)
        with subtests.test(msg="expected"):
            pytest.xfail(leak)

    class Old(unittest.TestCase):
        def test_it(self):
            for name, value in KNOWN.items():
                with self.subTest(value, value=value):
                    print(value)
                    self.assertEqual(value, "none")

        def test_expected(self):
            self.skipTest(ALL)
"""

SNAPSHOTS = """
    VALUE = os.environ.get("VALUE", "new")

    def test_run(trigger_workflow, workflow_snapshot, leak):
        run = trigger_workflow("id:echo", {"sent": leak, "value": VALUE})
        assert run == workflow_snapshot

    def test_failed_run(trigger_workflow, workflow_snapshot, leak):
        assert trigger_workflow("id:fails", {"sent": leak, "value": VALUE}) == workflow_snapshot(failed=True)

    def test_failed_run_unsaid(trigger_workflow, workflow_snapshot, leak):
        assert trigger_workflow("id:fails", {"sent": leak, "value": VALUE}) == workflow_snapshot

    def test_value(workflow_snapshot, leak):
        assert {"got": leak, leak: VALUE, "long": leak + " of " + VALUE} == workflow_snapshot

    def test_rules(workflow_snapshot, leak):
        assert {"got": leak, "more": VALUE} == workflow_snapshot(rules={"more": "x" + leak})

    def test_path_of_nothing(workflow_snapshot, leak):
        assert {leak: leak} == workflow_snapshot(exclude=[leak])

    def test_no_json(workflow_snapshot, leak):
        assert {leak: {leak}} == workflow_snapshot

    def test_name(workflow_snapshot, leak):
        assert [leak, VALUE] == workflow_snapshot(name="of a value")
"""

DIES = """
    @pytest.mark.parametrize("name", ["env", "file"])
    def test_dies(name):
        leak = KNOWN[name]
        print(leak, flush=True)
        if os.environ.get("PYTEST_XDIST_WORKER") and name == "env":
            os._exit(3)
        if os.environ.get("PYTEST_XDIST_WORKER") and name == "file":
            os.kill(os.getpid(), signal.SIGKILL)
        assert False
"""

NOISY = ["-vv", "-l", "--showlocals", "--tb=long", "--setup-show", "--log-level=DEBUG", "--log-cli-level=DEBUG"]
NOISY += ["--log-file=log.txt", "--debug", "--junitxml=junit.xml", "-o", "junit_logging=all", "-rA", "--durations=0"]
NOISY += ["--color=yes", "--wisebot-gate", "--wisebot-report=out", "--wisebot-summary=page.md"]
NOISY += ["--wisebot-history=history.jsonl"]
UNTRACED = [flag for flag in NOISY if flag != "--debug"]
"""Without pytest's own trace, which takes a third of a session."""


@dataclass
class Left:
    """What a session has left behind, by place: parts of its terminal, and the files that it wrote."""

    code: int
    places: dict[str, str]

    @property
    def shown(self) -> list[str]:
        """Every look of every credential, with its place."""
        return [f"{place}: {one}" for place, text in self.places.items() for one in found_in(text)]

    @property
    def leaking(self) -> set[str]:
        """The places that show one."""
        return {place for place, text in self.places.items() if found_in(text)}

    @property
    def whole(self) -> str:
        """Everything."""
        return "\n".join(self.places.values())

    @property
    def outcomes(self) -> dict[str, int]:
        """What the last line of the session counts."""
        return {name: int(number) for number, name in re.findall(r"(\d+) (\w+)", _plain(self.places["end"]))}


@dataclass
class Suite:
    """A project whose credentials come from everywhere."""

    project: Any
    origin: str
    switched_off: bool = False
    leaking: str = " ".join(SOURCES)
    before: set[Path] = field(default_factory=set)

    def write(self, **files: str) -> None:
        """Writes the project with these modules."""
        self.project.write("wisebot.toml", TOML.format(origin=self.origin))
        self.project.write("file.txt", CANARIES["file"])
        off = SWITCHED_OFF if self.switched_off else ""
        self.project.write("switch.py", off)
        self.project.write("conftest.py", CONFTEST)
        for name, text in files.items():
            self.project.write(f"{name}.py", NAMES + text)
        self.before = {path for path in self.project.path.rglob("*") if path.is_file() and found_in(_text(path))}

    def run(self, *args: str, **variables: str) -> Left:
        """Runs pytest in a process of its own."""
        given = {f"CANARY_OF_{name.upper()}": CANARIES[name] for name in ("env", "jwt", "twin")}
        given |= {"LEAKS": json.dumps(CANARIES), "LEAKING": self.leaking}
        option = f"--wisebot-token={CANARIES['option']}"
        result = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "switch", option, *args],
            cwd=self.project.path,
            env={
                **os.environ,
                **given,
                **variables,
                "PYTHONPATH": os.pathsep.join(
                    [str(self.project.path), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
                ),
            },
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
        )
        return Left(result.returncode, _parts(result.stdout) | {"stderr": result.stderr} | dict(self._written()))

    def _written(self) -> Iterator[tuple[str, str]]:
        for path in sorted(self.project.path.rglob("*")):
            if path.is_file() and path not in self.before:
                name = path.relative_to(self.project.path).as_posix()
                yield name, name + "\n" + _text(path)


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "surrogateescape")


def _plain(text: str) -> str:
    """A text without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _parts(stdout: str) -> dict[str, str]:
    """The terminal by its headings; what tests say as they run apart from it."""
    parts: dict[str, list[str]] = {"start": []}
    name = "start"
    for line in stdout.splitlines():
        plain = _plain(line)
        if heading := re.fullmatch(r"=+ (.+?) =+", plain):
            name = "end" if re.search(r" in \d", heading[1]) else heading[1]
        part = "setup" if re.match(r" *(SETUP|TEARDOWN) ", plain) else name
        parts.setdefault(part, []).append(line)
    return {name: "\n".join(lines) for name, lines in parts.items()}


@pytest.fixture(autouse=True)
def _in_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suites see which process is a worker: those of this test's own xdist are none of theirs."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)


@pytest.fixture
def suite(empty_project: Project, echo: str) -> Suite:
    """The project, with the redactor at work."""
    return Suite(empty_project, echo)


@pytest.fixture
def switched_off(empty_project: Project, echo: str) -> Suite:
    """The project, with a redactor that does nothing."""
    return Suite(empty_project, echo, switched_off=True)


def write_all(suite: Suite) -> None:
    # Each traceback parses the module of its test: small ones take half of the time.
    suite.write(test_runs=RUNS, test_helpers=HELPERS, test_errors=ERRORS, test_asserts=ASSERTS, test_around=AROUND)
    suite.write(test_snapshots=SNAPSHOTS, test_dies=DIES)


# --- all that a suite may do ------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("leaking", "xdist"), [("env jwt", []), ("call file", ["-n", "2"])], ids=["one-process", "xdist"]
)
def test_a_suite_that_fails_in_every_way_shows_no_credential(suite: Suite, leaking: str, xdist: list[str]) -> None:
    """With the noisiest flags, in one process and in workers that die: nothing in terminal, files and snapshots."""
    suite.leaking = leaking  # each test shows two of the four in one process, and the other two in workers
    write_all(suite)
    recorded = suite.run("--snapshot-update", "-q", "-k", "test_snapshots", VALUE="old")
    assert recorded.shown == []
    left = suite.run(*UNTRACED, *xdist)
    assert left.shown == []
    assert left.code == pytest.ExitCode.TESTS_FAILED
    assert left.outcomes["failed"] > 100
    assert left.outcomes["infrastructure"] > 40
    assert left.outcomes["not"] > 15  # "not run"
    assert left.outcomes["failed"] + left.outcomes["infrastructure"] + left.outcomes["not"] > 165
    assert left.outcomes["errors"] > 4
    assert left.outcomes["xfailed"] > 4
    assert "wisebot: credentials in what this session wrote" not in left.places
    assert left.whole.count("<secret>") > 1000
    died = re.findall(r"worker 'gw\d+' crashed while running '(.+)'", left.places["FAILURES"])
    assert sorted(set(died)) == ([f"test_dies.py::test_dies[{name}]" for name in ("env", "file")] if xdist else [])
    for place in ("FAILURES", "INFRASTRUCTURE", "NOT RUN"):
        assert "site-packages/httpx" not in left.places[place]


@pytest.mark.slow
@pytest.mark.parametrize("xdist", [[], ["-n", "2"]], ids=["one-process", "xdist"])
def test_pytests_trace_of_its_hooks_shows_no_credential(suite: Suite, xdist: list[str]) -> None:
    """With ``--debug`` the arguments of each hook are written to a file, and by xdist to the terminal."""
    suite.leaking = "env"
    suite.write(test_helpers=HELPERS, test_around=AROUND, test_snapshots=SNAPSHOTS)
    left = suite.run("--debug", "-rA", *xdist)
    assert left.shown == []
    assert left.code == pytest.ExitCode.TESTS_FAILED
    assert left.places["pytestdebug.log"].count("<secret>") > 10


@pytest.mark.heavy
@pytest.mark.parametrize("xdist", [[], ["-n", "2"]], ids=["one-process", "xdist"])
def test_the_same_suite_without_the_redactor_shows_them_everywhere(switched_off: Suite, xdist: list[str]) -> None:
    """Where nothing is cleaned, each place shows credentials: the check above can fail. And the last look sees it."""
    write_all(switched_off)
    recorded = switched_off.run("--snapshot-update", "-q", "-k", "test_snapshots", VALUE="old")
    assert recorded.leaking >= {"FAILURES", "__snapshots__/test_snapshots/test_run[env].json"}
    left = switched_off.run(*NOISY, *xdist)
    # Workers show no fixtures, and leave the log file to the controller, which runs no test.
    assert left.leaking >= ({"log.txt", "setup"} if not xdist else set()) | {
        "test session starts",
        "ERRORS",
        "FAILURES",
        "INFRASTRUCTURE",
        "NOT RUN",
        "PASSES",
        "warnings summary",
        "wisebot",
        "short test summary info",
        "junit.xml",
        "pytestdebug.log",
        "__snapshots__/test_snapshots/test_value[env].json",
        "out/runs.jsonl",
        "out/report.json",
        "out/report.html",
        "out/summary.md",
        "page.md",
    }
    last_look = left.places["wisebot: credentials in what this session wrote"]
    assert re.findall(r"^[\w.]+(?=:\d+: )", last_look, re.MULTILINE)[:1] == ["junit.xml"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("leaking", "flags"),
    [
        ("call env", ["-l", "--tb=short", "-ra"]),
        ("file jwt", ["-v", "--tb=native"]),
        ("call env file jwt", ["-q", "--tb=line", "--color=yes"]),
    ],
    ids=str,
)
def test_what_pytest_leaves_out_leaves_no_part_of_a_credential(suite: Suite, leaking: str, flags: list[str]) -> None:
    """With less noise values are cut: to their ends, to what differs, to a line."""
    suite.leaking = leaking
    suite.write(test_errors=ERRORS, test_asserts=ASSERTS)
    left = suite.run(*flags, "--junitxml=junit.xml")
    assert left.shown == []
    assert left.whole.count("<secret>") > 100


# --- how a session ends before its time -------------------------------------------------------------------------------

ENDS = {
    "collection": "print(ALL); raise ValueError(ALL)",
    "skip": "pytest.skip(KNOWN['option'], allow_module_level=True)",
    "exit": "def test_it(trigger_workflow): pytest.exit(ALL)",
    "interrupt": "def test_it(trigger_workflow, value=ALL): raise KeyboardInterrupt(ALL)",
    "hook": """
        class Broken:
            def pytest_runtest_logfinish(self):
                known = ALL
                raise ValueError(ALL)

        def test_it(trigger_workflow, pytestconfig):
            pytestconfig.pluginmanager.register(Broken())
    """,
}
"""How a session ends before its time."""

SETTINGS = {
    "error": "raise ValueError(ALL)",
    "usage error": "raise pytest.UsageError(ALL)",
    "configuration error": "raise ConfigurationError(ALL)",
    "exit": "pytest.exit(ALL)",
}
"""How a project's settings hook fails."""

BEFORE_ANY_CALL = json.dumps({name: value for name, value in CANARIES.items() if name != "call"})


@pytest.mark.slow
@pytest.mark.parametrize("end", ENDS)
def test_a_session_that_ends_before_its_time_shows_no_credential(
    suite: Suite, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors of collection and of hooks, exits and interrupts; and all of it where nothing is cleaned."""
    leaks = BEFORE_ANY_CALL if end in ("collection", "skip") else json.dumps(CANARIES)
    suite.write(test_it=_indented(ENDS[end]))
    assert suite.run(*NOISY, LEAKS=leaks).shown == []
    if end in ("collection", "hook"):
        assert suite.run(*UNTRACED, "-n", "1", LEAKS=leaks).shown == []  # xdist traces values, too: see the manual
    suite.switched_off = True
    suite.write(test_it=_indented(ENDS[end]))
    assert suite.run("-rA", LEAKS=leaks).leaking


@pytest.mark.slow
@pytest.mark.parametrize("end", SETTINGS)
def test_a_settings_hook_that_fails_shows_no_credential(suite: Suite, end: str) -> None:
    """Whatever it raises, and whoever shows it."""
    test = _indented("def test_it(trigger_workflow): trigger_workflow('id:echo')")
    hook = f"{NAMES}\n    def pytest_wisebot_settings(config, settings): {SETTINGS[end]}\n"
    suite.write(test_it=test, conftest=hook.removeprefix(NAMES))
    assert suite.run(*NOISY, LEAKS=BEFORE_ANY_CALL).shown == []
    suite.switched_off = True
    suite.write(test_it=test, conftest=hook.removeprefix(NAMES))
    leaking = suite.run("-rA", LEAKS=BEFORE_ANY_CALL).leaking
    assert leaking
    assert end == "exit" or "stderr" in leaking  # where pytest tells of mistakes in how it is used


def _indented(text: str) -> str:
    return textwrap.indent(textwrap.dedent(text).strip(), "    ") + "\n"


# --- the emulator -----------------------------------------------------------------------------------------------------


def test_the_emulator_tells_no_credential(project: Project) -> None:
    """Neither its calls, nor how they print, nor its log: headers, addresses, bodies, inputs, tracebacks."""
    project.write(
        "flows.py",
        """
        from pytest_wisebot.emulator import Emulator
        emulator = Emulator(token="CANARY-token-of-the-emulator")

        @emulator.workflow("breaks", secret="CANARY-secret-of-the-workflow")
        def breaks(inputs):
            raise ValueError(f"it said {inputs}")
        """,
    )
    project.test("""
        import http.client, json

        SECRETS = ["CANARY-token-of-the-emulator", "CANARY-secret-of-the-workflow", "CANARY-of-one-call/+"]
        SECRETS.append("CANARY-else")

        def test_it(trigger_workflow, wisebot_emulator):
            sent = {"all": SECRETS, SECRETS[2]: "as a key"}
            trigger_workflow("breaks", sent)
            trigger_workflow("breaks", sent, api="dashboard")
            with pytest.raises(AuthenticationFailed):
                trigger_workflow("breaks", sent, secret=SECRETS[2])
            host = wisebot_emulator.origin.removeprefix("http://")
            connection = http.client.HTTPConnection(host)
            path = f"/workflows/trigger?workflowId={SECRETS[1]}&key=CANARY-of-one-call%2F%2B"
            headers = {"X-Other": SECRETS[1], "X-Workflow-Secret": SECRETS[3], "Cookie": SECRETS[0]}
            connection.request("POST", path, json.dumps(sent), headers)
            assert connection.getresponse().status == 404
            connection.close()
            calls = wisebot_emulator.calls(everywhere=True)
            told = [repr(calls), str([call.to_dict() for call in calls]), wisebot_emulator.log()]
            assert len(calls) == 4
            assert ["CANARY" in text for text in told] == [False] * 3
            assert calls[0].inputs == {"all": ["<secret>"] * 4, "<secret>": "as a key"}
    """)
    project.run().assert_outcomes(passed=1)
