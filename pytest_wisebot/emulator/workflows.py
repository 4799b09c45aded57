"""The emulator without its sockets: workflows, credentials, calls and faults; a request in, a reply out.

What it answers follows Wisebot's page "Triggering workflows": two APIs, two kinds of credential, two shapes of body,
one envelope. Where the page is silent (the status codes of refusals) it gives the usual HTTP status and says why.
"""

from __future__ import annotations

import inspect
import json
import math
import re
import secrets
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from urllib.parse import parse_qs, unquote

from ..errors import ConfigurationError
from ..exhaustion import causes, shortage
from ..runs import TEST_HEADER, Api
from . import arguments
from .calls import KEPT_INPUTS, Call, CallBook, Gauge, cleaned
from .faults import Fault, FaultQueue
from .functions import Workflow, WorkflowFailure, parameters
from .http import JSON, Manner, Refused, Reply, Request, json_bytes, json_reply, same, unavailable
from .log import Log
from .tokens import TokenMaker

if TYPE_CHECKING:
    from ..redaction import Redactor

INTERNAL_ERROR = "The workflow failed with an internal error."
"""The error of a run whose function raised; the exception itself goes to the log and never into an answer."""

DEEPEST_BODY = 500
"""Levels of lists and objects in a body, beyond which it is refused: what came in must also fit into the answer that
tells a test of its calls, and Python's own bound for JSON lies below a thousand levels on some versions."""

MOST_ARRIVED = 100
"""Credentials of requests that are remembered, so that no call shows them; those of the last requests."""

MOST_BLOCKING = 100
"""Places in async functions that block their event loops and are reported, each of them once."""

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class _Visit:
    """A request for a run while it is being answered; ``number`` is its record's."""

    number: int
    api: Api
    workflow: str
    request: Request


class Emulator:
    """Workflows as Python functions, answered as Wisebot answers. Safe to use from several threads.

    Attributes:
        token: the organisation key that the dashboard API takes.
        log: the tracebacks of workflow functions, and the places where async ones block.
    """

    def __init__(self, *, token: str | None = None) -> None:
        random_token = f"wb_live_emulator_{secrets.token_urlsafe(24)}"
        self.token = random_token if token is None else arguments.credential("Emulator: token", token)
        self.log = Log()
        self._workflows: dict[str, Workflow] = {}
        self._jwts = TokenMaker()
        self._faults = FaultQueue()
        self._book = CallBook()
        self._in_progress = Gauge()
        self._status_checks = 0
        self._arrived: dict[str, None] = {}
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
        """Declares the decorated function, plain or async, as a workflow; the function itself stays as it is.

        A function with one parameter that is no declared field, or is named ``inputs``, gets the whole input bag.
        Any other gets each parameter by its name from the bag, else its default, else None. What it returns is the
        result; ``raise WorkflowFailure(error)`` fails the run.

        Args:
            workflow_id: any non-empty text.
            secret: the webhook secret; without it a random one is made for this process.
            inputs: the field names of its Input steps.
            latency: seconds that a run takes, or (low, high) for a random time between.
            webhook: false switches the webhook off, so that only the dashboard API starts it.
            allow_ips: addresses or networks that alone may start it; the dashboard API honours this, as documented.
            block_ips: addresses or networks that may not.

        Raises:
            ConfigurationError: an argument is wrong, or the id is declared already.
        """
        name = f"workflow {arguments.identifier('workflow id', workflow_id)!r}"
        if workflow_id in self._workflows:
            raise ConfigurationError(f"{name}: is declared already; each id once, there are {self._known_ids()}")
        random_secret = f"whsec_emulator_{secrets.token_urlsafe(24)}"
        settings: dict[str, Any] = {
            "secret": random_secret if secret is None else arguments.credential(f"{name}: secret", secret),
            "inputs": arguments.texts(f"{name}: inputs", inputs),
            "latency": arguments.span(f"{name}: latency", latency),
            "webhook": arguments.flag(f"{name}: webhook", webhook),
            "allow_ips": arguments.networks(f"{name}: allow_ips", allow_ips),
            "block_ips": arguments.networks(f"{name}: block_ips", block_ips),
        }

        def declare(function: F) -> F:
            found = parameters(name, function)
            self._workflows[workflow_id] = Workflow(workflow_id, function, found, **settings)
            return function

        return declare

    @property
    def workflows(self) -> Mapping[str, Workflow]:
        """The declared workflows by id."""
        return MappingProxyType(self._workflows)

    @property
    def peak(self) -> int:
        """The most requests for runs that were in progress at once."""
        return self._in_progress.peak

    @property
    def status_checks(self) -> int:
        """How often ``GET /api/v1/status`` was asked, with whatever credential."""
        return self._status_checks

    def new_jwt(self, expires_in: float = 3600.0) -> str:
        """A dashboard JWT that expires in so many seconds; a negative number makes one that has expired."""
        return self._jwts.make(arguments.number("new_jwt: expires_in", expires_in))

    def calls(self, workflow: str | None = None, test: str | None = None) -> list[Call]:
        """The calls of this workflow and test tag, oldest first and without credentials; None means any."""
        return cleaned(self._book.calls(workflow, test), self._redactor())

    def log_text(self) -> str:
        """The last lines of the log, without credentials, those included that arrived after a line was written."""
        return self._redactor().clean(self.log.text())

    def fail_next(self, fault: Fault, times: int = 1, workflow: str | None = None, test: str | None = None) -> None:
        """Gives the next ``times`` matching requests for a run this fault, before any credential is looked at.

        Args:
            fault: what goes wrong; faults are used up in the order in which they were asked for.
            times: how many requests get it.
            workflow: the id whose requests match; None means any.
            test: the tag whose requests match, the empty text standing for none; None means any.

        Raises:
            ConfigurationError: ``fault`` is no fault, ``times`` is below 1, or there is no such workflow.
        """
        if not isinstance(fault, Fault):
            raise arguments.wrong("fail_next: fault", "a Fault, such as Fault.html()", fault)
        if workflow is not None and workflow not in self._workflows:
            raise ConfigurationError(f"fail_next: workflow: there is no {workflow!r}, only {self._known_ids()}")
        self._faults.add(fault, arguments.whole_number("fail_next: times", times, 1, 10**9), workflow, test)

    def reset(self, test: str | None = None) -> None:
        """Forgets the faults and calls of this test tag; None forgets all, the peak and the status checks too."""
        self._faults.forget(test)
        self._book.forget(test)
        if test is None:
            self._in_progress.restart()
            with self._lock:
                self._status_checks = 0

    def answer(self, api: Api, request: Request) -> Reply:
        """Answers a request that came to this API's origin. Its call is recorded before anything else happens."""
        if api is Api.DASHBOARD and request.path == "/api/v1/status":
            return self._answer_status(request)
        workflow, test = _workflow_id(api, request), request.headers.get(TEST_HEADER.lower(), "")
        self._remember(request)
        number = self._book.open(Call.arrived(workflow or "", api, request, test))
        try:
            reply = self._answer_run(_Visit(number, api, _addressed(api, workflow, request), request), test)
        except Refused as refused:
            reply = refused.reply
        self._book.note(number, status=None if reply.manner is Manner.RESET else reply.status)
        return reply

    def _answer_status(self, request: Request) -> Reply:
        with self._lock:
            self._status_checks += 1
        try:
            _require_method(request, "GET")
            self._check_token(request.bearer)
        except Refused as refused:
            return refused.reply
        return json_reply({"ok": True})

    def _answer_run(self, visit: _Visit, test: str) -> Reply:
        with self._in_progress:
            fault = self._faults.take(visit.workflow, test)
            if fault is None:
                return self._answer_ordinarily(visit)
            self._book.note(visit.number, fault=fault.kind)
            return fault.reply(lambda: self._answer_ordinarily(visit))

    def _answer_ordinarily(self, visit: _Visit) -> Reply:
        try:
            workflow = self._known(visit.workflow)
            self._check_credential(visit, workflow)
            _check_admission(visit, workflow)
            bag = _input_bag(visit)
            self._book.note(visit.number, inputs=bag if len(visit.request.body) <= KEPT_INPUTS else None)
        except Refused as refused:
            return refused.reply
        return self._run(visit, workflow)

    def _known(self, workflow_id: str) -> Workflow:
        if workflow_id not in self._workflows:
            raise Refused(404, f"There is no workflow {workflow_id!r}. This emulator knows {self._known_ids()}.")
        return self._workflows[workflow_id]

    def _known_ids(self) -> str:
        return ", ".join(map(repr, self._workflows)) or "none"

    def _check_credential(self, visit: _Visit, workflow: Workflow) -> None:
        if visit.api is Api.DASHBOARD:
            self._check_token(visit.request.bearer)
        elif not same(_webhook_secret(visit.request), workflow.secret):
            raise Refused(401, f"The webhook secret of workflow {workflow.id!r} is wrong or missing.")

    def _check_token(self, token: str) -> None:
        if not same(token, self.token) and not self._jwts.accepts(token):
            raise Refused(401, "The token is wrong, missing or expired.")

    def _run(self, visit: _Visit, workflow: Workflow) -> Reply:
        run_id = f"run_{secrets.token_hex(12)}"
        self._book.note(visit.number, ran=True, run_id=run_id)
        try:
            # Read again, so that what the function does to its bag leaves the record as it arrived.
            return _answer(self._outcome(visit.api, run_id, workflow, _input_bag(visit)))
        except BaseException as error:  # noqa: BLE001 (SystemExit and CancelledError too: all that a function does is answered)
            self._report(f"workflow {workflow.id!r}, {run_id}:\n{traceback.format_exc()}")
            reason = _fault_of_the_emulator(error)
            _close_what_it_held(error)
        if reason is not None:
            return unavailable(reason)
        return _answer(_envelope(visit.api, run_id, ok=False, value=INTERNAL_ERROR))

    def _outcome(self, api: Api, run_id: str, workflow: Workflow, bag: dict[str, Any]) -> bytes:
        try:
            return _envelope(api, run_id, ok=True, value=workflow.run(bag, partial(self._blocked, workflow, run_id)))
        except WorkflowFailure as failure:
            if shortage(failure) is not None:  # the function has put it into words of its own
                raise
            return _envelope(api, run_id, ok=False, value=failure.error)

    def _blocked(self, workflow: Workflow, run_id: str, place: str) -> None:
        with self._lock:
            if (workflow.id, place) in self._blocking or len(self._blocking) >= MOST_BLOCKING:
                return
            self._blocking.add((workflow.id, place))
        self._report(
            f"workflow {workflow.id!r}, {run_id}:\nhas blocked its event loop for more than a second at {place}\n"
            "Other runs go on. Declare the function with def in place of async def, or await what blocks in "
            "asyncio.to_thread. This place is reported once."
        )

    def _report(self, text: str) -> None:
        for credential in (self.token, *(workflow.secret for workflow in self._workflows.values())):
            text = text.replace(credential, "[masked]")
        self.log.write(self._redactor().clean(text))

    def _remember(self, request: Request) -> None:
        """What a request gave as its credential, be it right or wrong, is shown nowhere."""
        with self._lock:
            for given in {request.bearer, request.headers.get("x-workflow-secret", "")} - {""}:
                self._arrived.pop(given, None)
                self._arrived[given] = None
            while len(self._arrived) > MOST_ARRIVED:
                del self._arrived[next(iter(self._arrived))]

    def _redactor(self) -> Redactor:
        from ..redaction import Redactor, Secret  # not needed to answer a request

        with self._lock:
            known = [self.token, *(workflow.secret for workflow in self._workflows.values()), *self._arrived]
        return Redactor(map(Secret, known))


def load_what_runs_need(emulator: Emulator) -> None:
    """Loads now what is else loaded late: at a thousand runs there may be no descriptor left to read a module."""
    from .. import redaction  # noqa: F401

    if any(inspect.iscoroutinefunction(workflow.function) for workflow in emulator.workflows.values()):
        from . import loops  # noqa: F401


def _answer(envelope: bytes) -> Reply:
    return Reply(200, envelope, {"Content-Type": JSON})


def _close_what_it_held(error: BaseException) -> None:
    """Lets go of the variables of a function that has failed, its open files among them.

    An exception of an async function refers to itself through its task, and would keep them until garbage is collected.
    """
    for cause in causes(error):
        traceback.clear_frames(cause.__traceback__)


_ANOTHER_LOOP = re.compile("(bound|attached|belongs) to a different (event )?loop|^Event loop is closed$")


_SHARED = (
    "unable to share asyncio objects between runs, since each run has an event loop of its own: make locks, queues and "
    "clients inside the workflow function"
)


def _fault_of_the_emulator(error: BaseException) -> str | None:
    """Why a function raised this through no fault of its own; None if that is its own affair."""
    if (lacking := shortage(error)) is not None:
        return lacking
    if any(isinstance(cause, RuntimeError) and _ANOTHER_LOOP.search(str(cause)) for cause in causes(error)):
        return _SHARED
    return None


def _workflow_id(api: Api, request: Request) -> str | None:
    """The id in the request's address; None where the address starts no run."""
    if api is Api.WEBHOOK:
        given = parse_qs(request.query, keep_blank_values=True).get("workflowId", [""])
        return given[0] if request.path == "/workflows/trigger" else None
    found = re.fullmatch("/api/v1/flow/([^/]+)", request.path)
    return unquote(found[1]) if found else None


def _addressed(api: Api, workflow: str | None, request: Request) -> str:
    if workflow is None:
        raise Refused(404, f"The emulator's {api} API has no {request.path}.")
    _require_method(request, "POST")
    if not workflow:
        raise Refused(400, "The query has no workflowId.")
    return workflow


def _require_method(request: Request, method: str) -> None:
    if request.method != method:
        raise Refused(405, f"{request.path} takes {method}, not {request.method}.", {"Allow": method})


def _webhook_secret(request: Request) -> str:
    if "authorization" in request.headers:  # what a client sends there must be right: it may be a token gone astray
        return request.bearer
    return request.headers.get("x-workflow-secret", "")


def _check_admission(visit: _Visit, workflow: Workflow) -> None:
    if visit.api is Api.WEBHOOK and not workflow.webhook:
        raise Refused(403, f"The webhook of workflow {workflow.id!r} is switched off.")
    if visit.api is Api.DASHBOARD and not workflow.admits(visit.request.client):
        raise Refused(403, f"The IP rules of workflow {workflow.id!r} do not admit {visit.request.client}.")


def _input_bag(visit: _Visit) -> dict[str, Any]:
    body = _json_object("The body", _parsed(visit.request.body))
    return body if visit.api is Api.WEBHOOK else _json_object('The body\'s "inputs"', body.get("inputs", {}))


def _parsed(body: bytes) -> Any:
    try:
        value = json.loads(body.decode(), parse_constant=_no_number, parse_float=_finite) if body else {}
    except ValueError as error:
        raise Refused(400, f"The body is not JSON in UTF-8: {error}.") from None
    except RecursionError:
        raise _too_deep() from None
    if _is_too_deep(value):
        raise _too_deep()
    return value


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST_BODY):  # level by level, since a function that calls itself would go too deep itself
        level = [inner for item in level for inner in _inside(item)]
    return any(isinstance(item, dict | list) for item in level)


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _too_deep() -> Refused:
    return Refused(400, f"The body is nested deeper than {DEEPEST_BODY} levels.")


def _json_object(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused(400, f"{name} is not a JSON object.")
    return value


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _envelope(api: Api, run_id: str, *, ok: bool, value: Any) -> bytes:
    """The documented envelope: the dashboard API always gives all four keys."""
    empty = {} if api is Api.WEBHOOK else {"result": None, "error": None}
    return json_bytes({"ok": ok, "runId": run_id, **empty, "result" if ok else "error": value})
