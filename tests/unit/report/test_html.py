"""The page of a session: its sections as snapshots, odd sessions, hostile strings, and its size."""

from __future__ import annotations

import re
import runpy
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from syrupy.assertion import SnapshotAssertion

from pytest_wisebot.report.baseline import compare
from pytest_wisebot.report.gate import judge
from pytest_wisebot.report.html import html_report
from pytest_wisebot.report.log_reader import model_of
from pytest_wisebot.report.model import Model
from pytest_wisebot.report.page_budget import PAGE_BYTES, share_bytes

MADE_UP = Path(__file__).parents[2] / "benchmarks" / "made_up.py"

Event = dict[str, Any]


def at(seconds: float) -> str:
    return f"2026-05-04T10:00:{seconds:06.3f}+00:00"


def session(**more: Any) -> Event:
    said = {
        "event": "session", "format": 1, "session": "s-1", "version": "0.2.0", "started": at(0), "named": True,
        "environment": "staging", "origin": "https://happy-otter-123.convex.site", "gated": True,
        "gate": {"overall": {"min_pass_rate": 0.9}, "workflows": {"triage": {"p95_seconds": 2.0, "max_seconds": 9.0}}},
    }  # fmt: skip
    return said | more


def run(name: str, test: str, *times: float, **more: Any) -> Event:
    queued, started, ended = times or (0.1, 0.2, 1.2)
    said = {
        "event": "run", "run": name, "test": test, "workflow": "triage", "api": "webhook", "outcome": "ok",
        "queued": at(queued), "started": at(started), "ended": at(ended), "seconds": round(ended - started, 3),
        "attempts": 1, "source": "live", "runId": f"jd-{name}", "status": 200, "inputs": {"ticketId": name},
        "result": {"category": "billing"}, "commands": [f"curl -sS https://example.com/{name}"],
    }  # fmt: skip
    return said | more


def reported(name: str, outcome: str = "passed", *runs: str, **more: Any) -> Event:
    return {"event": "test", "test": name, "outcome": outcome, "runs": list(runs), "seconds": 1.5} | more


END = {"event": "end", "ended": at(12), "exitstatus": 1}

WHY = """\
    def test_wrong(workflow_run):
>       assert_result(workflow_run)
E       AssertionError: no
E         $.category"""

TRIALS = {"trials": 3, "min_passes": 2, "passes": 2, "failures": 1}
AWAY = {"class": "ServiceUnavailable"}
KEPT = "2026-05-01T08:00:00+00:00"

FIXED = [
    session(selected=["t.py::ok", "t.py::wrong", "t.py::away", "t.py::often", "t.py::parse", "t.py::lost"]),
    run("r1", "t.py::ok", 0.1, 0.1, 1.1),
    reported("t.py::ok", "passed", "r1"),
    run("r2", "t.py::wrong", 0.1, 1.1, 5.1, attempts=2, seconds=2.5, diff=["result.score", "  - 0.9", "  + 0.5"]),
    reported("t.py::wrong", "failed", "r2", text=WHY),
    run("r3", "t.py::away", 0.1, 2, 3, outcome="infrastructure", source="", seconds=None, message="status 503") | AWAY,
    reported("t.py::away", "infrastructure", "r3", text="E   ServiceUnavailable: status 503") | AWAY,
    run("r4", "t.py::often", 3, 3, 6, workflow="summarise", api="dashboard", trial=1),
    run("r5", "t.py::often", 3, 4, 8, workflow="summarise", trial=2, outcome="failed", error="no ticket"),
    run("r6", "t.py::often", 3, 3, 3, workflow="summarise", trial=3, source="recording", made=KEPT),
    reported("t.py::often", "flaky", "r4", "r5", "r6", trials=TRIALS),
    reported("t.py::parse"),
    END,
]  # fmt: skip

BEFORE = [
    session(),
    *(run(f"b{number}", "t.py::wrong", 0, 0, 1 + number / 50) for number in range(20)),
    reported("t.py::wrong", "passed", *(f"b{number}" for number in range(20))),
    END,
]


def page_of(*events: Event, then: list[Event] | None = None) -> str:
    model = model_of(events)
    baseline = compare(model, model_of(then), "release 41") if then else None
    return html_report(model, judge(model, baseline), baseline)


def section(page: str, name: str) -> str:
    if name == "banner":
        found = re.search(r"<header>.*?</nav>", page, re.DOTALL)
    else:
        found = re.search(rf'<section id="{name}".*?</section>', page, re.DOTALL)
    assert found, name
    return re.sub(r"\n\s*\n", "\n", found[0])


class Elements(HTMLParser):
    """The elements of a page, each with its attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def having(self, name: str) -> Iterator[str]:
        """The values of an attribute, wherever it stands."""
        return (attrs[name] or "" for _, attrs in self.elements if name in attrs)


def bars(page: str) -> Counter[str]:
    """How often each run has a bar."""
    elements = Elements(page).elements
    found = [attrs["data-run"] for _, attrs in elements if "bar" in (attrs.get("class") or "").split()]
    return Counter(map(str, found))


# --- as a whole


@pytest.mark.parametrize("name", ["banner", "rules", "baseline", "timeline", "latency", "tests"])
def test_each_section_of_a_fixed_session_is_held(name: str, snapshot: SnapshotAssertion) -> None:
    """A change of the page is a change of a snapshot, which a reviewer sees."""
    assert section(page_of(*FIXED, then=BEFORE), name) == snapshot


def test_the_page_loads_nothing() -> None:
    """No script, no style but its own, no image but of the page itself, and a policy that forbids all of it."""
    page = page_of(*FIXED, then=BEFORE)
    found = Elements(page)
    assert {tag for tag, _ in found.elements}.isdisjoint({"script", "img", "iframe", "object", "embed", "base", "form"})
    assert all(href.startswith(("#", "data:")) or href == "report.css" for href in found.having("href"))
    assert not [*found.having("src")]
    assert "@import" not in page
    assert {*re.findall(r"url\((.*?)\)", page)} <= {"#hatch", "#cross", "#dots"}
    assert "default-src 'none'; style-src 'unsafe-inline' 'self'; img-src data:" in page


def test_every_link_leads_somewhere_and_every_name_is_given_once() -> None:
    """A bar leads to its run, a name to its row; no two elements have the same name."""
    found = Elements(page_of(*FIXED, then=BEFORE))
    names = Counter(found.having("id"))
    assert [name for name, many in names.items() if many > 1] == []
    assert {href[1:] for href in found.having("href") if href.startswith("#")} <= names.keys()


def test_every_element_is_closed() -> None:
    """The page is nested as it should be; a browser has nothing to guess."""
    open_ones: list[str] = []
    page = page_of(*FIXED, then=BEFORE)
    for slash, tag, void in re.findall(r"<(/?)([a-z][a-z0-9]*)\b(?:\"[^\"]*\"|[^>\"])*?(/?)>", page):
        if slash:
            assert open_ones.pop() == tag
        elif not void and tag not in ("meta", "link", "wbr", "input"):
            open_ones.append(tag)
    assert open_ones == []


# --- the timeline


def test_every_run_has_one_bar() -> None:
    """Sent or not, live or kept, with times or without: a run is drawn once."""
    odd = [
        run("kept", "t.py::a", source="last", made="2026-05-01T08:00:00+00:00"),
        run("unsent", "t.py::b", outcome="not run", started=None, source=""),
        run("timeless", "t.py::c", queued=None, started=None, ended=None),
        run("of a later version", "t.py::d", outcome="evaporated"),
        run("of a fixture", "t.py::e", fixture="ticket"),
    ]
    assert bars(page_of(*FIXED[:-1], *odd, END)) == Counter(
        ["r1", "r2", "r3", "r4", "r5", "r6", "kept", "unsent", "timeless", "of a later version", "of a fixture"]
    )


def test_a_run_that_tests_share_is_shown_once() -> None:
    """The row of the second test that used it has a link to it."""
    tests = [reported(name, "passed", "r1") for name in ("t.py::a", "t.py::b")]
    page = page_of(session(), run("r1", ""), *tests, END)
    assert page.count("jd-r1") == 1
    assert 'a run that another test used, too: <a href="#run-1">' in page


def test_the_runs_of_a_wide_fixture_are_shown() -> None:
    """The page has the details of a run that no test used."""
    page = page_of(session(), run("r1", "t.py", fixture="ticket"), reported("t.py::a"), END)
    assert "fixture ticket" in section(page, "tests")


# --- odd sessions


def test_a_session_without_a_run_has_a_page() -> None:
    """The page states that there was no run, and has no empty sections, nor links to them."""
    page = page_of(session(selected=[]), END)
    assert "NO VERDICT" in page
    assert "No test used a run." in page
    for name in ("timeline", "latency", "tests"):
        assert f'id="{name}"' not in page
        assert f'href="#{name}"' not in page


def test_no_event_at_all_makes_a_page() -> None:
    """A session that was killed before its log's first line has a page with that fact."""
    assert "ended before its end" in page_of()


def test_an_ungated_session_has_no_verdict_to_be_taken_for_one() -> None:
    """The banner has the outcomes of its tests, and states that the session was not gated."""
    page = section(page_of(session(gated=False), run("r1", "t"), reported("t", "passed", "r1"), END), "banner")
    assert "Workflow tests, not gated" in page
    assert "<h1>1 passed</h1>" in page
    assert "barrier" not in page
    assert "exit code" not in page


def test_shards_have_a_row_each() -> None:
    """The page of a split suite has a row for each shard, and marks the one that did not end."""
    first = [session(selected=["a"], shard="shard-1"), run("r1", "a"), reported("a", "passed", "r1"), END]
    second = [session(selected=["b"], shard="shard-2"), run("r1", "b"), reported("b", "passed", "r1")]
    model = model_of([*first, *second])
    page = html_report(model, judge(model))
    banner = section(page, "banner")
    assert '<th scope="row">shard-1</th>' in banner
    assert banner.count("unknown: ended before its end") == 1
    assert banner.count("<b>ended before its end</b>") == 1
    assert bars(page) == Counter(["1:r1", "2:r1"])


def test_tests_that_used_no_run_are_counted_and_folded() -> None:
    """They are one line; those that failed come first."""
    page = page_of(session(), reported("t.py::a"), reported("t.py::b", "failed"), reported("t.py::c", "skipped"), END)
    assert "3 tests used no run: 1 failed, 1 passed, 1 skipped" in page


# --- hostile texts


HOSTILE = (
    "<script>alert(1)</script>\"'&]]><!-- {{ 7 * 7 }} {% raw %} "
    "\x1b[31mred\x1b[0m \u202egnp.exe\u2066 \0 \ud800 \x85\u2028@all **b**"
)


def test_hostile_texts_are_shown_and_do_nothing() -> None:
    """In every field a hostile string is text on the page, and each of its characters is visible."""
    said = run(HOSTILE, HOSTILE, workflow=HOSTILE, api=HOSTILE, runId=HOSTILE, inputs={HOSTILE: HOSTILE})
    said |= {"result": [HOSTILE], "error": HOSTILE, "message": HOSTILE, "class": HOSTILE, "note": HOSTILE}
    said |= {"commands": [HOSTILE], "diff": [HOSTILE, f"- {HOSTILE}"], "fixture": "", "source": HOSTILE}
    first = session(
        environment=HOSTILE, origin=HOSTILE, version=HOSTILE, mode=HOSTILE, selected=[HOSTILE, f"lost {HOSTILE}"]
    )
    ended = reported(HOSTILE, "failed", HOSTILE, text=HOSTILE)
    page = page_of(first, said, ended, reported(f"plain {HOSTILE}", HOSTILE), END, then=BEFORE)
    page.encode("utf-8")
    found = Elements(page)
    assert {tag for tag, _ in found.elements}.isdisjoint({"script", "all", "img"})
    assert not any(name.startswith("on") for _, attrs in found.elements for name in attrs)
    assert {char for char in page if not char.isprintable()} == {"\n"}
    for shown in (r"\x1b[31mred\x1b[0m", r"\u202egnp.exe\u2066", r"\x00", r"\ud800", r"\x85\u2028", "{{ 7 * 7 }}"):
        assert shown in "".join(found.text)


@pytest.mark.parametrize("field", ["result", "error", "inputs"])
def test_a_megabyte_is_cut_and_counted(field: str) -> None:
    """What is too long for a page is cut with a note of how long it is, and where the whole is."""
    value: Any = {"text": "é" * 1_000_000} if field == "inputs" else "é" * 1_000_000
    page = page_of(session(), run("r1", "t", **{field: value}), reported("t", "failed", "r1", text="E   no"), END)
    assert re.search(r"1,000,0\d\d characters in all; whole in <code>runs.jsonl</code>", page)
    assert len(page.encode()) < 400_000


def test_a_deeply_nested_result_is_shown() -> None:
    """The deepest value that a run may have does not end the report."""
    value: Any = "bottom"
    for _ in range(199):
        value = [value]
    page = page_of(session(), run("r1", "t", result=value), reported("t", "passed", "r1"), END)
    assert "bottom" in page


# --- size


@pytest.fixture(scope="module")
def made_up() -> Callable[..., Iterator[Event]]:
    """Events of a session of any size."""
    events: Callable[..., Iterator[Event]] = runpy.run_path(str(MADE_UP))["events"]
    return events


class Huge(NamedTuple):
    """A session of which every result is long, and its page: all by a part of the usual size, that of strings, too."""

    part: int
    model: Model
    page: str


@pytest.fixture(scope="module", params=[10, pytest.param(1, marks=pytest.mark.heavy)])
def huge(made_up: Callable[..., Iterator[Event]], request: pytest.FixtureRequest) -> Huge:
    """A thousand runs, or a tenth of them on a tenth of the room."""
    long = {"result": [{"text": '"<&' * 20, "n": n} for n in range(300)]}
    model = model_of(event | long if event["event"] == "run" else event for event in made_up(1000 // request.param))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            "pytest_wisebot.report.html.share_bytes", partial(share_bytes, total=PAGE_BYTES // request.param)
        )
        return Huge(request.param, model, html_report(model, judge(model)))


def test_a_thousand_runs_make_less_than_five_megabytes(huge: Huge) -> None:
    """However long the results are, the page stays one that a browser opens; each run has its bar still."""
    style = len(html_report(empty := model_of([]), judge(empty)).encode())
    assert len(huge.page.encode()) - style < (5_000_000 - style) / huge.part
    assert bars(huge.page) == Counter(run.reference for run in huge.model.runs)
    assert huge.page.count("characters in all; whole in") > 900 / huge.part


def test_what_failed_is_cut_last(huge: Huge) -> None:
    """On a page that is short of room, one who looks for a cause finds it."""
    lengths: dict[bool, list[int]] = {True: [], False: []}
    for row in huge.page.split('<details class="test ')[1:]:
        result = re.search(r"<summary>result.*?<pre>(.*?)</pre>", row, re.DOTALL)
        if result:
            lengths["failing" in row[:40]].append(len(result[1]))
    assert max(lengths[False]) * 2 < max(lengths[True])
