"""The tree of errors: who must act, and what each error says."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from collections.abc import Callable

import pytest

from pytest_wisebot import errors
from pytest_wisebot.errors import (
    Answer,
    Attempted,
    AuthenticationFailed,
    Cancelled,
    ConfigurationError,
    ConnectionFailed,
    ConnectionLost,
    GatewayFailed,
    InfrastructureError,
    NotRun,
    NotStarted,
    OutcomeUnknown,
    RateLimited,
    Redirected,
    Rejected,
    RequestRejected,
    RunNotFinished,
    RunTimedOut,
    ServiceUnavailable,
    UnexpectedResponse,
    WisebotError,
    WorkflowNotFound,
)

ASKED = Attempted("triage", "webhook", "https://wisebot.test", attempts=1)

# One row for each class that is raised with an answer or without: its promise about the run, as the user reads it.
OUTCOMES: list[tuple[type[InfrastructureError], str]] = [
    (InfrastructureError, "No verdict on the workflow is possible."),
    (NotStarted, "The run did not start."),
    (ConnectionFailed, "The run did not start."),
    (RateLimited, "The run did not start."),
    (Rejected, "The run was refused."),
    (AuthenticationFailed, "The run was refused."),
    (WorkflowNotFound, "The run was refused."),
    (Redirected, "The run was refused."),
    (RequestRejected, "The run was refused."),
    (OutcomeUnknown, "The workflow may have run; it was not started again."),
    (RunTimedOut, "The workflow may have run; it was not started again."),
    (ConnectionLost, "The workflow may have run; it was not started again."),
    (GatewayFailed, "The workflow may have run; it was not started again."),
    (ServiceUnavailable, "The workflow may have run; it was not started again."),
    (RunNotFinished, "The workflow may have run; it was not started again."),
    (UnexpectedResponse, "The workflow may have run, but its answer cannot be read."),
]


def drawn_tree(drawing: str) -> dict[str, str]:
    """Each class that a drawing names, with the one it hangs from."""
    parents: dict[str, str] = {}
    open_at: dict[int, str] = {}
    for line in drawing.splitlines():
        found = re.match(r"^(?P<lead>[ │]*(?:[├└]─ )?)(?P<name>[A-Z]\w+)(?:  |$)", line)
        if found is None or not (found["name"] == "WisebotError" or found["lead"].endswith("─ ")):
            continue
        column = found.start("name")
        above = [at for at in open_at if at < column]
        parents[found["name"]] = open_at[max(above)] if above else "Exception"
        open_at = {at: name for at, name in open_at.items() if at < column} | {column: found["name"]}
    return parents


def real_tree() -> dict[str, str]:
    """Each error class of the module, with its one base."""
    classes = [item for _, item in inspect.getmembers(errors, inspect.isclass) if issubclass(item, Exception)]
    assert all(len(item.__bases__) == 1 for item in classes)
    return {item.__name__: item.__base__.__name__ for item in classes if item.__base__ is not None}


def test_the_drawing_is_the_class_tree() -> None:
    """What the top of the module draws is the tree that ``except`` sees, no class more and none less."""
    drawn = drawn_tree(errors.__doc__ or "")

    assert drawn == real_tree()
    assert len(drawn) == 23


def test_the_drawing_reader_sees_levels() -> None:
    """The reader of the drawing tells a child from a sibling, so the comparison above means something."""
    drawing = "    WisebotError\n    ├─ One    text\n    │  └─ Two    text\n    └─ Three  Text\n       └─ Four"

    assert drawn_tree(drawing) == {
        "WisebotError": "Exception",
        "One": "WisebotError",
        "Two": "One",
        "Three": "WisebotError",
        "Four": "Three",
    }


@pytest.mark.parametrize(("kind", "outcome"), OUTCOMES, ids=[kind.__name__ for kind, _ in OUTCOMES])
def test_an_error_without_an_answer_says_what_became_of_the_run(kind: type[InfrastructureError], outcome: str) -> None:
    """Every infrastructure error says in two lines what happened, where, and whether the workflow may have run."""
    assert str(kind("nobody answered", ASKED)) == (
        f'nobody answered (workflow "triage" over the webhook API at https://wisebot.test)\n  {outcome}'
    )


def test_the_table_of_outcomes_has_every_infrastructure_error() -> None:
    """No infrastructure error is left out of the table above."""
    classes = [item for _, item in inspect.getmembers(errors, inspect.isclass)]

    assert {kind for kind, _ in OUTCOMES} == {item for item in classes if issubclass(item, InfrastructureError)}


def test_an_error_with_an_answer_shows_it() -> None:
    """An error says what was asked of whom, what was answered, and what became of the run; the report has the rest."""
    asked = Attempted(
        "triage",
        "dashboard",
        "https://app.wisebot.test",
        attempts=3,
        environment="staging",
        commands=("curl -sS one", "wisebot workflow trigger two"),
    )
    answer = Answer(429, "application/json", '{"error": "slow down"}', retry_after=2.5)

    assert str(RateLimited("too many requests", asked, answer)) == (
        'too many requests (workflow "triage" over the dashboard API at https://app.wisebot.test)\n'
        '  answer: status 429 (application/json), asks to wait 2.5 s: {"error": "slow down"}\n'
        "  The run did not start. Attempts: 3."
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(502), "status 502, empty"),
        (Answer(502, "text/html"), "status 502 (text/html), empty"),
        (Answer(502, "", "<h1>bad</h1>"), "status 502: <h1>bad</h1>"),
        (Answer(503, retry_after=0.0), "status 503, asks to wait 0 s, empty"),
        (Answer(503, retry_after=120.0), "status 503, asks to wait 120 s, empty"),
        (Answer(502, unread="is packed (br)"), "status 502, its body is packed (br)"),
        (Answer(502, "text/html", "<h1>", unread="is cut"), "status 502 (text/html), its body is cut: <h1>"),
    ],
)
def test_an_answer_is_told_as_far_as_it_goes(answer: Answer, words: str) -> None:
    """Of an answer is shown what there was: status, content type, the wish to wait, the text or that there is none."""
    assert str(GatewayFailed("no envelope", ASKED, answer)).splitlines()[1] == f"  answer: {words}"


@pytest.mark.parametrize(("attempts", "words"), [(0, ""), (1, ""), (2, " Attempts: 2."), (11, " Attempts: 11.")])
def test_attempts_are_counted_from_the_second(attempts: int, words: str) -> None:
    """One attempt is the rule and not worth a word; more are counted."""
    error = ConnectionFailed("unknown host", Attempted("w", "webhook", "https://h.test", attempts=attempts))

    assert str(error).splitlines()[-1] == f"  The run did not start.{words}"


def test_an_error_names_its_attempt_as_servers_do() -> None:
    """The header by which a gateway's log names the request stands at the end; without one, nothing does."""
    asked = Attempted("w", "webhook", "https://h.test", attempts=1, trace="00-0af7651916cd43dd8448eb211c80319c-1-01")
    error = RunNotFinished("accepted", asked)

    assert str(error).splitlines()[-1] == "  traceparent: 00-0af7651916cd43dd8448eb211c80319c-1-01"
    assert (error.trace, RunNotFinished("accepted", ASKED).trace) == (asked.trace, "")
    assert str(WisebotError.from_dict(error.to_dict())) == str(error)


def test_an_error_holds_what_it_says() -> None:
    """A caller finds the reason, the request and the answer as attributes, without parsing the message."""
    answer = Answer(404, "text/plain", "no such page")
    error = WorkflowNotFound("no such workflow", ASKED, answer)

    assert (error.reason, error.attempted, error.answer) == ("no such workflow", ASKED, answer)
    assert ConnectionFailed("unknown host", ASKED).answer is None


@pytest.mark.parametrize("kind", [ConfigurationError, NotRun, Cancelled, WisebotError])
def test_other_errors_say_their_text_alone(kind: type[WisebotError]) -> None:
    """An error about no request is its text, and no infrastructure error."""
    error = kind("the session ended")

    assert str(error) == "the session ended"
    assert not isinstance(error, InfrastructureError)


@pytest.mark.parametrize(
    "again", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy], ids=["pickle", "copy", "deep"]
)
@pytest.mark.parametrize("kind", [kind for kind, _ in OUTCOMES], ids=lambda kind: kind.__name__)
def test_an_infrastructure_error_survives_the_way_to_another_process(
    kind: type[InfrastructureError], again: Callable[[InfrastructureError], InfrastructureError]
) -> None:
    """An error that crosses a process, as a test run by several workers makes it do, keeps its class and its words."""
    error = kind("nobody answered", ASKED, Answer(500, "text/plain", "boom", retry_after=1.0))
    error.add_note("the first of two")

    other = again(error)

    assert type(other) is kind
    assert str(other) == str(error)
    assert (other.attempted, other.answer, other.__notes__) == (error.attempted, error.answer, ["the first of two"])


def test_an_error_gives_its_facts_one_by_one() -> None:
    """What was asked and what came back can be read from the error itself."""
    error = errors.RateLimited("too many", ASKED, errors.Answer(429, "text/plain", "slow down", 3.0))

    assert (error.workflow, error.api, error.host, error.attempts) == ("triage", "webhook", "https://wisebot.test", 1)
    assert (error.status_code, error.content_type, error.excerpt, error.retry_after) == (
        429,
        "text/plain",
        "slow down",
        3.0,
    )


def test_an_error_made_by_hand_needs_its_reason_alone() -> None:
    """A test of one's own code may raise one; nothing is then said of what was asked."""
    error = errors.RunTimedOut("no answer")

    assert str(error) == "no answer"
    assert (error.workflow, error.attempts, error.status_code, error.retry_after) == ("", 0, None, None)
