"""The emulator without its sockets: workflows, credentials, calls and faults; a request in, a reply out.

Its answers follow Wisebot's page "Triggering workflows": two APIs, two kinds of credential, two shapes of body, one
envelope. The page does not document the status codes of refusals: here they are the usual ones of HTTP, with a reason.
"""

from __future__ import annotations

import base64
import inspect
import json
import math
import re
import secrets
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from urllib.parse import parse_qs, unquote

from ..errors import ConfigurationError
from ..exhaustion import causes, shortage
from ..runs import TEST_HEADER, Api
from . import arguments
from .calls import KEPT_INPUTS, Call, Record, Traffic, redacted
from .faults import ArmedFault, Fault, check_fault
from .functions import Workflow, WorkflowFailure, signature_of
from .http import JSON, Manner, Refused, Reply, Request, is_same, json_bytes, json_reply, unavailable

if TYPE_CHECKING:
    from ..redaction import Redactor

INTERNAL_ERROR = "The workflow failed with an internal error."
"""The error of a run whose function raised. The exception itself is logged and never part of an answer."""

DEEPEST_BODY = 500
"""Maximum levels of lists and objects in a body. The answer that lists the calls holds it, too, and Python's own limit
for JSON is below a thousand levels on some versions."""

MOST_ARRIVED = 100
"""Number of the last requests' credentials that are remembered, so that no call shows them."""

F = TypeVar("F", bound=Callable[..., Any])


class Log:
    """Lines from many threads, of which the last 1,000 are kept.

    Attributes:
        sink: called with each entry as it is written; by default without effect.
    """

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=1000)
        self._lock = threading.Lock()
        self.sink: Callable[[str], object] = str

    def write(self, entry: str) -> None:
        """Adds an entry of one or more lines. Entries of several threads do not mix."""
        with self._lock:
            self._lines.extend(entry.splitlines())
            self.sink(entry)

    def text(self) -> str:
        """The last lines, oldest first."""
        with self._lock:
            return "\n".join(self._lines)


class Emulator:
    """Workflows as Python functions, with the answers of Wisebot. Thread-safe.

    Attributes:
        token: the organisation key of the dashboard API.
        log: the tracebacks of workflow functions, and the places where async ones block.
    """

    def __init__(self, *, token: str | None = None) -> None:
        self.token = arguments.credential("Emulator: token", token, "wb_live")
        self.log = Log()
        self._workflows: dict[str, Workflow] = {}
        self._traffic = Traffic()
        self._jwts: dict[str, float] = {}
        self._arrived: deque[str] = deque(maxlen=MOST_ARRIVED)
        self._blocking: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def workflow(
        self,
        workflow_id: str,
        *,
        secret: str | None = None,
        inputs: Iterable[str] = (),
        latency: float | tuple[float, float] = 0.0,
        webhook: bool = True,
        allow_ips: Iterable[str] = (),
        block_ips: Iterable[str] = (),
    ) -> Callable[[F], F]:
        """Declares the decorated function, plain or async, as a workflow and returns it unchanged.

        A sole parameter that is not a declared field, or is named ``inputs``, gets the whole input bag. Any other
        parameter gets its field of the bag, else its default, else None. The return value is the result;
        ``raise WorkflowFailure(error)`` fails the run.

        Args:
            workflow_id: any non-empty string.
            secret: the webhook secret; by default a random one for each process.
            inputs: the field names of its Input steps.
            latency: the duration of a run in seconds, or (low, high) for a random one in between.
            webhook: False disables the webhook, so that only the dashboard API starts it.
            allow_ips: the only addresses or networks that may start it over the dashboard API, as documented.
            block_ips: addresses or networks that may not.

        Raises:
            ConfigurationError: an argument is wrong, or the id is already declared.
        """
        name = f"workflow {arguments.identifier('workflow id', workflow_id)!r}"
        if workflow_id in self._workflows:
            raise ConfigurationError(f"{name}: is declared already; each id once, there are {self._known_ids()}")
        settings: dict[str, Any] = {
            "secret": arguments.credential(f"{name}: secret", secret, "whsec"),
            "inputs": arguments.strings(f"{name}: inputs", inputs),
            "latency": arguments.span(f"{name}: latency", latency),
            "webhook": arguments.check(
                f"{name}: webhook", webhook, "True or False", is_right=isinstance(webhook, bool)
            ),
            "allow_ips": arguments.networks(f"{name}: allow_ips", allow_ips),
            "block_ips": arguments.networks(f"{name}: block_ips", block_ips),
        }

        def declare(function: F) -> F:
            signature = signature_of(name, function)
            self._workflows[workflow_id] = Workflow(workflow_id, function, signature, **settings)
            return function

        return declare

    @property
    def workflows(self) -> Mapping[str, Workflow]:
        """The declared workflows by id."""
        return MappingProxyType(self._workflows)

    @property
    def peak(self) -> int:
        """The maximum of requests for runs in progress at once."""
        return self._traffic.peak

    @property
    def status_checks(self) -> int:
        """The number of requests for ``GET /api/v1/status``, with any credential."""
        return self._traffic.status_checks

    def new_jwt(self, expires_in: float = 3600.0) -> str:
        """A dashboard JWT that expires after so many seconds; with a negative number it has already expired.

        It has the form of a JWT. The emulator accepts it because it has made it, and not by its signature.
        """
        now = time.time()
        is_right = arguments.is_finite(expires_in)
        expires_at = now + arguments.check("new_jwt: expires_in", expires_in, "a finite number", is_right=is_right)
        claims = {"iss": "wisebot-emulator", "iat": now, "exp": expires_at}
        token = f"{_jwt_part({'alg': 'HS256', 'typ': 'JWT'})}.{_jwt_part(claims)}.{secrets.token_urlsafe(32)}"
        self._jwts[token] = expires_at
        return token

    def calls(self, workflow: str | None = None, test: str | None = None) -> list[Call]:
        """The calls of this workflow and test tag, oldest first and without credentials; None stands for any."""
        return redacted(self._traffic.calls(workflow, test), self._redactor())

    def log_text(self) -> str:
        """The last lines of the log, without any credential, even one that arrived after the line was written."""
        return self._redactor().clean(self.log.text())

    def fail_next(self, fault: Fault, times: int = 1, workflow: str | None = None, test: str | None = None) -> None:
        """Applies this fault to the next ``times`` matching requests for a run, before any credential is checked.

        Args:
            fault: the failure; faults are used up in the order in which they were set.
            times: the number of requests.
            workflow: the id whose requests match; None stands for any.
            test: the tag whose requests match, the empty string for requests without one; None stands for any.

        Raises:
            ConfigurationError: ``fault`` is not a fault, ``times`` is below 1, or the workflow does not exist.
        """
        check_fault(fault)
        if workflow is not None and workflow not in self._workflows:
            raise ConfigurationError(f"fail_next: workflow: there is no {workflow!r}, only {self._known_ids()}")
        times = arguments.whole_number("fail_next: times", times, 1, 10**9)
        self._traffic.arm(ArmedFault(fault, times, workflow, test))

    def reset(self, test: str | None = None) -> None:
        """Forgets the faults and calls of this test tag; None forgets all, the peak and the status checks too."""
        self._traffic.reset(test)

    def answer(self, api: Api, request: Request) -> Reply:
        """Answers a request that was sent to this API's origin. Its call is recorded before anything else happens."""
        if api is Api.DASHBOARD and request.path == "/api/v1/status":
            return self._answer_status(request)
        workflow, test = _workflow_id(api, request), request.headers.get(TEST_HEADER.lower(), "")
        self._remember_credentials(request)
        record = self._traffic.open(Call.arrived(workflow or "", api, request, test))
        try:
            _check_address(api, workflow, request)
            reply = self._answer_run(request, record)
        except Refused as refused:
            reply = refused.reply
        record.note(status=None if reply.manner is Manner.RESET else reply.status)
        return reply

    def _answer_status(self, request: Request) -> Reply:
        self._traffic.count_status_check()
        try:
            _require_method(request, "GET")
            self._check_token(request.bearer)
        except Refused as refused:
            return refused.reply
        return json_reply({"ok": True})

    def _answer_run(self, request: Request, record: Record) -> Reply:
        with self._traffic.progress():
            fault = self._traffic.take_fault(record.call.workflow, record.call.test)
            if fault is None:
                return self._answer_without_fault(request, record)
            record.note(fault=fault.kind)
            return fault.reply(lambda: self._answer_without_fault(request, record))

    def _answer_without_fault(self, request: Request, record: Record) -> Reply:
        api = record.call.api
        try:
            workflow = self._known(record.call.workflow)
            self._check_credential(api, request, workflow)
            _check_admission(api, request, workflow)
            bag = _input_bag(api, request)
            record.note(inputs=bag if len(request.body) <= KEPT_INPUTS else None)
        except Refused as refused:
            return refused.reply
        # Read again, so that the function's changes to its bag do not change the record.
        return self._run(workflow, record, _input_bag(api, request))

    def _known(self, workflow_id: str) -> Workflow:
        if workflow_id not in self._workflows:
            raise Refused(404, f"There is no workflow {workflow_id!r}. This emulator has {self._known_ids()}.")
        return self._workflows[workflow_id]

    def _known_ids(self) -> str:
        return ", ".join(map(repr, self._workflows)) or "none"

    def _check_credential(self, api: Api, request: Request, workflow: Workflow) -> None:
        if api is Api.DASHBOARD:
            self._check_token(request.bearer)
        elif not is_same(_webhook_secret(request), workflow.secret):
            raise Refused(401, f"The webhook secret of workflow {workflow.id!r} is wrong or missing.")

    def _check_token(self, token: str) -> None:
        if not is_same(token, self.token) and time.time() >= self._jwts.get(token, 0.0):
            raise Refused(401, "The token is wrong, missing or expired.")

    def _run(self, workflow: Workflow, record: Record, bag: dict[str, Any]) -> Reply:
        run_id, api = f"run_{secrets.token_hex(12)}", record.call.api
        record.note(ran=True, run_id=run_id)
        try:
            envelope = self._outcome(api, run_id, workflow, bag)
        except BaseException as error:  # noqa: BLE001 (SystemExit and CancelledError too: each run is answered)
            self._report(f"workflow {workflow.id!r}, {run_id}:\n{traceback.format_exc()}")
            reason = _fault_of_the_emulator(error)
            _clear_frames(error)
            if reason is not None:
                return unavailable(reason)
            envelope = _envelope(api, run_id, ok=False, value=INTERNAL_ERROR)
        return Reply(200, envelope, {"Content-Type": JSON})

    def _outcome(self, api: Api, run_id: str, workflow: Workflow, bag: dict[str, Any]) -> bytes:
        try:
            result = workflow.run(bag, partial(self._report_blocked, workflow, run_id))
            return _envelope(api, run_id, ok=True, value=result)
        except WorkflowFailure as failure:
            if shortage(failure) is not None:  # raised by the function from a shortage of the emulator
                raise
            return _envelope(api, run_id, ok=False, value=failure.error)

    def _report_blocked(self, workflow: Workflow, run_id: str, place: str) -> None:
        with self._lock:
            if (workflow.id, place) in self._blocking:
                return
            self._blocking.add((workflow.id, place))
        self._report(
            f"workflow {workflow.id!r}, {run_id}:\nhas blocked its event loop for more than a second at {place}\n"
            "Other runs go on. Declare the function with def in place of async def, or await the blocking call in "
            "asyncio.to_thread. This place is reported once."
        )

    def _report(self, entry: str) -> None:
        for credential in self._credentials():
            entry = entry.replace(credential, "[masked]")
        self.log.write(self._redactor().clean(entry))

    def _credentials(self) -> list[str]:
        return [self.token, *(workflow.secret for workflow in self._workflows.values())]

    def _remember_credentials(self, request: Request) -> None:
        """Remembers a request's credentials, right or wrong, so that they are shown nowhere."""
        with self._lock:
            for given in {request.bearer, request.headers.get("x-workflow-secret", "")} - {""}:
                if given in self._arrived:
                    self._arrived.remove(given)
                self._arrived.append(given)

    def _redactor(self) -> Redactor:
        from ..redaction import Redactor, Secret  # not needed to answer a request

        with self._lock:
            return Redactor(map(Secret, [*self._credentials(), *self._arrived]))


def load_modules_of_runs(emulator: Emulator) -> None:
    """Loads modules that are otherwise loaded late: at a thousand runs no descriptor may be left to read one."""
    from .. import redaction  # noqa: F401

    if any(inspect.iscoroutinefunction(workflow.function) for workflow in emulator.workflows.values()):
        from . import loops  # noqa: F401


def _jwt_part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=").decode()


def _clear_frames(error: BaseException) -> None:
    """Releases the variables of a function that has failed, its open files among them.

    An exception of an async function refers to itself through its task, and would keep them until garbage collection.
    """
    for cause in causes(error):
        traceback.clear_frames(cause.__traceback__)


_OTHER_LOOP = re.compile("(bound|attached|belongs) to a different (event )?loop|^Event loop is closed$")

_SHARED = (
    "unable to share asyncio objects between runs, since each run has an event loop of its own: make locks, queues and "
    "clients inside the workflow function"
)


def _fault_of_the_emulator(error: BaseException) -> str | None:
    """Why the emulator, and not the function, is the cause of an exception; None if the function is."""
    is_shared = any(isinstance(cause, RuntimeError) and _OTHER_LOOP.search(str(cause)) for cause in causes(error))
    return shortage(error) or (_SHARED if is_shared else None)


def _workflow_id(api: Api, request: Request) -> str | None:
    """The id in the request's address; None if the address starts no run."""
    if api is Api.WEBHOOK:
        given = parse_qs(request.query, keep_blank_values=True).get("workflowId", [""])
        return given[0] if request.path == "/workflows/trigger" else None
    found = re.fullmatch("/api/v1/flow/([^/]+)", request.path)
    return unquote(found[1]) if found else None


def _check_address(api: Api, workflow: str | None, request: Request) -> None:
    if workflow is None:
        raise Refused(404, f"The emulator's {api} API has no {request.path}.")
    _require_method(request, "POST")
    if not workflow:
        raise Refused(400, "The query has no workflowId.")


def _require_method(request: Request, method: str) -> None:
    if request.method != method:
        raise Refused(405, f"{request.path} takes {method}, not {request.method}.", {"Allow": method})


def _webhook_secret(request: Request) -> str:
    if "authorization" in request.headers:  # it must be right even beside the other header: it may be a misplaced token
        return request.bearer
    return request.headers.get("x-workflow-secret", "")


def _check_admission(api: Api, request: Request, workflow: Workflow) -> None:
    if api is Api.WEBHOOK and not workflow.webhook:
        raise Refused(403, f"The webhook of workflow {workflow.id!r} is switched off.")
    if api is Api.DASHBOARD and not workflow.admits(request.client):
        raise Refused(403, f"The IP rules of workflow {workflow.id!r} do not admit {request.client}.")


def _input_bag(api: Api, request: Request) -> dict[str, Any]:
    body = _json_object("The body", _parsed(request.body))
    return body if api is Api.WEBHOOK else _json_object('The body\'s "inputs"', body.get("inputs", {}))


def _json_object(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused(400, f"{name} is not a JSON object.")
    return value


def _parsed(body: bytes) -> Any:
    try:
        value = json.loads(body.decode() or "{}", parse_constant=_refuse_number, parse_float=_finite)
        _check_depth(value)
    except ValueError as error:
        raise Refused(400, f"The body is not JSON in UTF-8: {error}.") from None
    except RecursionError:
        raise Refused(400, f"The body is nested deeper than {DEEPEST_BODY} levels.") from None
    return value


def _check_depth(value: Any) -> None:
    """Raises a `RecursionError` for a body that is too deep. Goes level by level, without a recursion of its own."""
    level = [value]
    for _ in range(DEEPEST_BODY):
        level = [inner for item in level for inner in _items(item)]
    if any(isinstance(item, dict | list) for item in level):
        raise RecursionError


def _items(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _refuse_number(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is not a JSON number")


def _finite(literal: str) -> float:
    number = float(literal)
    return number if math.isfinite(number) else _refuse_number(literal)


def _envelope(api: Api, run_id: str, *, ok: bool, value: Any) -> bytes:
    """The documented envelope: the dashboard API always sends all four keys."""
    empty = {} if api is Api.WEBHOOK else {"result": None, "error": None}
    return json_bytes({"ok": ok, "runId": run_id, **empty, "result" if ok else "error": value})
