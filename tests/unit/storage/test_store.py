"""A folder of runs: each found again by whose it is, in files that people can read and review."""

from __future__ import annotations

import hashlib
import json
import random
import re
import subprocess
import sys
import textwrap
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wisebot import Api, ConfigurationError, WorkflowRun, files
from pytest_wisebot.redaction import Redact, Redactor, Secret
from pytest_wisebot.runs import SHARED, Occurrence, RunRequest
from pytest_wisebot.storage.store import Store

CANARY = "CANARY-secret-of-triage"
MADE = datetime(2026, 11, 20, 8, 30, 0, 123000, UTC)


def request(test: str = "test_it.py::test_one", inputs: dict[str, Any] | None = None, **changes: Any) -> RunRequest:
    occurrence = changes.pop("occurrence", Occurrence(test, call=1))
    given = {"n": 1} if inputs is None else inputs
    return RunRequest(changes.pop("workflow", "triage"), given, occurrence=occurrence, **changes)


def run(asked: RunRequest, **changes: Any) -> WorkflowRun:
    said: dict[str, Any] = {"ok": True, "result": {"category": "billing"}, "run_id": "run-1", "started_at": MADE}
    return WorkflowRun(workflow=asked.workflow, api=asked.api, inputs=asked.inputs, **{**said, **changes})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


@pytest.fixture
def store(folder: Path) -> Store:
    return Store(folder, Redactor([Secret(CANARY)]))


def anew(store: Store) -> Store:
    """What another session sees of the same folder."""
    return Store(store.folder, Redactor())


def text(folder: Path) -> str:
    """The one file of a folder."""
    (path,) = folder.glob("*/*.json")
    return path.read_text("utf-8")


def test_a_run_is_found_as_it_was(store: Store) -> None:
    """Every part of a run comes back: envelope, time, attempts, where it came from."""
    asked = request(api=Api.DASHBOARD)
    made = run(
        asked,
        ok=False,
        result=None,
        has_result=True,
        error={"reason": "ü \ud800 \u202e"},
        extra={"took": 3},
        status_code=500,
        elapsed=1.25,
        attempts=2,
        source="emulator",
        environment="staging",
    )
    store.put(asked, made, "s-1")
    found = anew(store).find(asked)
    assert found is not None
    assert found.run == replace(made, first_source="emulator", workflow_id="triage")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(result=VALUES, inputs=st.dictionaries(st.text(max_size=5), VALUES, max_size=3), name=st.text(min_size=1))
def test_whatever_json_holds_is_found_again(
    tmp_path_factory: pytest.TempPathFactory, result: Any, inputs: dict[str, Any], name: str
) -> None:
    """No value, input or name of a workflow is lost, or found for another one."""
    store = Store(tmp_path_factory.mktemp("any") / "recordings", Redactor())
    asked = request(inputs=inputs, workflow=name)
    path, _ = store.put(asked, run(asked, result=result, has_result=True))
    assert path.parent.parent == store.folder
    found = anew(store).find(asked)
    assert found is not None
    assert json.dumps(found.run.result) == json.dumps(result)
    assert anew(store).find(request(inputs={**inputs, "one more": 1}, workflow=name)) is None


def test_the_file_is_readable_and_keeps_what_varies_apart(store: Store, folder: Path) -> None:
    """The whole file: what was asked, the answers in the order of their tests, one line about each at the end."""
    for test in ("test_it.py::test_two", "test_it.py::test_one"):
        asked = request(test)
        store.put(asked, run(asked, run_id=f"run-of-{test[-3:]}"), "s-1")
    about = '"started_at": "2026-11-20T08:30:00.123+00:00", "elapsed": 0.0, "attempts": 1, "status": 200, '
    about += '"source": "live", "environment": null, "workflow_id": "triage", "session": "s-1"}'
    digest = store.key(request())[1].removeprefix("webhook-")
    assert text(folder) == textwrap.dedent("""\
        {
          "format": 1,
          "request": {
            "workflow": "triage",
            "api": "webhook",
            "digest": "DIGEST",
            "inputs": {
              "n": 1
            }
          },
          "occurrences": [
            {
              "test": "test_it.py::test_one",
              "call": 1,
              "envelope": {
                "ok": true,
                "result": {
                  "category": "billing"
                }
              }
            },
            {
              "test": "test_it.py::test_two",
              "call": 1,
              "envelope": {
                "ok": true,
                "result": {
                  "category": "billing"
                }
              }
            }
          ],
          "about": [
            {"runId": "run-of-one", ABOUT,
            {"runId": "run-of-two", ABOUT
          ]
        }
        """).replace("ABOUT", about).replace("DIGEST", digest)


def test_recorded_anew_unchanged_only_the_last_lines_differ(store: Store, folder: Path) -> None:
    """Whatever the order of arrival, a review that looks away from "about" sees nothing."""
    requests = [request(f"test_it.py::test[{n}]") for n in range(20)]
    for asked in requests:
        store.put(asked, run(asked), "s-1")
    before = text(folder)
    again = anew(store)
    random.Random(1).shuffle(requests)
    for asked in requests:
        again.put(asked, run(asked, run_id="another", started_at=MADE + timedelta(days=1), elapsed=2.0), "s-2")
    after = text(folder)
    assert before != after
    assert before.partition('  "about"')[0] == after.partition('  "about"')[0]


def test_a_changed_value_changes_its_own_line(store: Store, folder: Path) -> None:
    """Of ten recordings one has another answer: one line differs."""
    requests = [request(f"test_it.py::test[{n}]") for n in range(10)]
    for asked in requests:
        store.put(asked, run(asked), "s-1")
    before = text(folder).splitlines()
    store.put(requests[3], run(requests[3], result={"category": "other"}), "s-1")
    after = text(folder).splitlines()
    assert [(a, b) for a, b in zip(before, after, strict=True) if a != b] == [
        ('          "category": "billing"', '          "category": "other"')
    ]


@pytest.mark.parametrize(
    "occurrences",
    [
        [Occurrence("a", call=1), Occurrence("a", call=2), Occurrence("b", call=1)],
        [Occurrence("a", trial=n) for n in range(1, 6)],
        [SHARED, Occurrence("a"), Occurrence("", "wide", 1), Occurrence("a", "wide", 1)],
    ],
    ids=["calls", "trials", "shared and fixtures"],
)
def test_occurrences_of_one_request_are_apart(store: Store, occurrences: list[Occurrence]) -> None:
    """Calls, trials, fixtures and the shared run of equal requests each have their own run."""
    for number, occurrence in enumerate(occurrences):
        asked = request(occurrence=occurrence)
        store.put(asked, run(asked, run_id=f"run-{number}"))
    again = anew(store)
    found = [again.find(request(occurrence=occurrence)) for occurrence in occurrences]
    assert [one.run.run_id for one in found if one] == [f"run-{n}" for n in range(len(occurrences))]
    assert len(again.paths()) == 1


def test_many_equal_requests_stay_in_order(store: Store, folder: Path) -> None:
    """Hundreds in random order: one file, at any time in the order of the tests, and each run is found."""
    requests = [request(f"test_it.py::test[{n:04}]") for n in range(300)]
    arriving = random.Random(7).sample(requests, len(requests))
    for number, asked in enumerate(arriving):
        store.put(asked, run(asked, run_id=asked.occurrence.test))
        if number % 100 == 99:
            tests = [one["test"] for one in json.loads(text(folder))["occurrences"]]
            assert tests == sorted(tests)
    again = anew(store)
    assert all((found := again.find(asked)) and found.run.run_id == asked.occurrence.test for asked in arriving)


EARLIER = """\
{
  "format": 1,
  "request": {
    "workflow": "triage",
    "workflow_id": "k-production",
    "api": "webhook",
    "inputs": {
      "n": 1
    }
  },
  "occurrences": [
    {
      "test": "test_it.py::test_one",
      "call": 1,
      "envelope": {
        "ok": true,
        "result": {
          "category": "billing"
        }
      }
    }
  ],
  "about": [
    {"runId": "run-1", "started_at": "2026-11-20T08:30:00.123+00:00", "elapsed": 0.0, "attempts": 1, "status": 200, \
"source": "live", "environment": null, "session": "s-1"}
  ]
}
"""
"""What an earlier version wrote, with the id in its digest, into ``webhook-3fb20487e053ff863f50.json``."""


def by_an_earlier_version(path: Path, workflow_id: str, number: str = "") -> Path:
    """Gives a file the name and the content of an earlier version."""
    data = json.loads(path.read_text("utf-8"))
    asked = data["request"]
    sent = json.dumps([asked["api"], workflow_id, asked["inputs"]], sort_keys=True, ensure_ascii=False)
    names = ("workflow", "workflow_id", "api", "inputs")
    data["request"] = {name: {**asked, "workflow_id": workflow_id}[name] for name in names}
    for about in data["about"]:
        del about["workflow_id"]
    path.unlink()
    path = path.with_name(f"{asked['api']}-{hashlib.sha256(sent.encode()).hexdigest()[:20]}{number}.json")
    path.write_text(json.dumps(data, indent=2), "utf-8")
    return path


def spill(folder: Path, *, stale: bool = False) -> tuple[list[RunRequest], Path]:
    """Three recordings of one request in two files, as earlier versions left many; or one of them in both."""
    requests = [request(f"test_it.py::test[{n}]") for n in range(3)]
    one, other = Store(folder, Redactor()), Store(folder.parent / "other", Redactor())
    for asked in requests[:2]:
        main, _ = one.put(asked, run(asked, run_id=asked.occurrence.test))
    for asked in requests[1 if stale else 2 :]:
        path, _ = other.put(asked, run(asked, run_id="stale" if asked is requests[1] else asked.occurrence.test))
    main = by_an_earlier_version(main, "triage")
    path = by_an_earlier_version(path, "triage", ".2")
    return requests, path.rename(main.with_name(path.name))


@pytest.mark.parametrize("stale", [False, True])
def test_numbered_files_of_an_earlier_version_are_read(folder: Path, stale: bool) -> None:
    """The first file decides; the next recording joins them."""
    requests, numbered = spill(folder, stale=stale)
    store = Store(folder, Redactor())
    found = [store.find(asked) for asked in requests]
    assert [one.run.run_id for one in found if one] == [asked.occurrence.test for asked in requests]
    assert store.occurrences(requests[0]) == [asked.occurrence for asked in requests]
    store.put(requests[0], run(requests[0], run_id="new"))
    assert not numbered.exists()
    found = [anew(store).find(asked) for asked in requests]
    assert [one.run.run_id for one in found if one] == ["new", *(asked.occurrence.test for asked in requests[1:])]


def test_no_credential_is_written(store: Store, folder: Path) -> None:
    """Not in inputs, answers, names and ids, and not as a digest: the request without it has the same file."""
    asked = request(f"test_it.py::test[{CANARY}]", {"token": CANARY}, workflow=CANARY)
    made = run(asked, result={CANARY: CANARY}, run_id=CANARY, extra={"more": CANARY}, commands=(CANARY,))
    path, _ = store.put(asked, made)
    assert "CANARY" not in str(path.relative_to(folder))
    assert "CANARY" not in path.read_text("utf-8")
    other = Store(folder, Redactor([Secret("CANARY-secret-of-another")]))
    assert other.key(request(inputs={"token": "CANARY-secret-of-another"})) == store.key(
        request(inputs={"token": CANARY})
    )


def test_what_a_project_redacts_tells_requests_apart(folder: Path) -> None:
    """It is not written, and yet the recording of one customer is not that of another."""
    store = Store(folder, Redactor(redact=Redact(keys=("email",))))
    asked = request(inputs={"email": "ann@example.com"})
    store.put(asked, run(asked))
    assert "ann@" not in text(folder)
    assert store.find(asked) is not None
    assert store.find(request(inputs={"email": "bob@example.com"})) is None


def test_what_a_project_redacts_is_none_of_ours(folder: Path) -> None:
    """A project may redact keys that are called like those of the file."""
    store = Store(
        folder, Redactor(redact=Redact(keys=("ok", "started_at", "test", "call", "envelope", "inputs", "result")))
    )
    asked = request(inputs={"test": "hidden"})
    store.put(asked, run(asked, extra={"call": "hidden"}), "s-1")
    found = store.find(asked)
    assert found is not None
    assert (found.run.ok, found.run.started_at, found.run.result) == (True, MADE, {"category": "billing"})
    assert "hidden" not in text(folder).replace('"call": 1', "")


def test_the_order_of_keys_is_no_difference(store: Store) -> None:
    """An input bag is an object; numbers, texts and booleans in it are what they are."""
    asked = request(inputs={"a": 1, "b": {"c": 1, "d": 2}})
    store.put(asked, run(asked))
    assert store.find(request(inputs={"b": {"d": 2, "c": 1}, "a": 1}))
    others: list[dict[str, Any]] = [{"a": "1", "b": {"c": 1, "d": 2}}, {"a": True, "b": {"c": 1, "d": 2}}]
    assert [store.find(request(inputs=other)) for other in others] == [None, None]


def of(folder: Path, environment: str) -> Store:
    """The recordings as an environment sees them, whose workflow has an id of its own."""
    return Store(folder, Redactor(), {"triage": f"k-{environment}", "other": f"k-{environment}"}.__getitem__)


def test_a_recording_belongs_to_a_workflow_and_not_to_a_deployment(folder: Path) -> None:
    """Where ids differ the name decides; the API is a part of the request, and each run keeps the id that was sent."""
    asked = request()
    path, _ = of(folder, "production").put(asked, run(asked, workflow_id="k-production"))
    found = of(folder, "staging").find(asked)
    assert found is not None
    assert (found.path, found.run.workflow_id) == (path, "k-production")
    assert of(folder, "staging").find(replace(asked, api=Api.DASHBOARD)) is None
    assert of(folder, "production").find(replace(asked, workflow="other")) is None
    before = text(folder)
    of(folder, "staging").put(asked, run(asked, workflow_id="k-staging"))
    assert before.replace("k-production", "k-staging") == text(folder)


def test_a_recording_of_an_earlier_version_is_found_by_the_id_that_it_holds(folder: Path) -> None:
    """In any environment; recorded anew, its file gets the name of today, and the runs that it has stay."""
    asked, other = request(), request("test_it.py::test_other")
    old = folder / "triage" / "webhook-3fb20487e053ff863f50.json"
    old.parent.mkdir(parents=True)
    old.write_text(EARLIER, "utf-8")
    for environment in ("production", "staging"):
        store = of(folder, environment)
        found = store.find(asked)
        assert found is not None
        assert (found.path, found.run.workflow_id) == (old, "k-production")
        assert store.occurrences(other) == [asked.occurrence]
        assert [(path, one) for path, one in store.everything()] == [(old, asked.occurrence)]
        assert store.find(request(inputs={"n": 2})) is None
    store = of(folder, "staging")
    path, _ = store.put(other, run(other, run_id="new", workflow_id="k-staging"))
    assert [one.name for one in folder.glob("*/*")] == [path.name]
    assert path.name.startswith("webhook-test_one-")
    runs = [found.run for one in (asked, other) if (found := anew(store).find(one))]
    assert [(one.run_id, one.workflow_id) for one in runs] == [("run-1", "k-production"), ("new", "k-staging")]


def test_recordings_of_two_environments_become_one(folder: Path) -> None:
    """Of an earlier version, one for each id: that of the present environment comes first, until one file holds all."""
    asked, other = request(), request("test_it.py::test_other")
    for environment, tests in (("production", (asked, other)), ("staging", (asked,))):
        store = of(folder.with_name(environment), environment)
        for one in tests:
            path, _ = store.put(one, run(one, run_id=environment))
        path = by_an_earlier_version(path, f"k-{environment}")
        (folder / "triage").mkdir(parents=True, exist_ok=True)
        path.rename(folder / "triage" / path.name)

    def found(environment: str) -> list[str | None]:
        return [found.run.run_id for one in (asked, other) if (found := of(folder, environment).find(one))]

    assert found("production") == ["production", "production"]
    assert found("staging") == found("staging") == ["staging", "production"]
    of(folder, "staging").put(asked, run(asked, run_id="new"))
    assert len(list(folder.glob("*/*"))) == 1
    assert found("production") == found("staging") == ["new", "production"]


def test_an_earlier_file_that_cannot_be_read_hides_no_other(folder: Path) -> None:
    """Its own request is an error that names it; others are found by the ids of the other files."""
    asked, other = request(), request(inputs={"n": 2})
    paths = [of(folder, "production").put(one, run(one))[0] for one in (asked, other)]
    paths = [by_an_earlier_version(path, "k-production") for path in paths]
    paths[0].write_bytes(b"{")
    assert of(folder, "staging").find(other)
    with pytest.raises(ConfigurationError, match=paths[0].name):
        of(folder, "production").find(asked)


@pytest.mark.parametrize(
    ("occurrence", "name"),
    [
        (Occurrence("tests/test_pay.py::test_was_charged", call=1), "test_was_charged"),
        (Occurrence("tests/[old]/test_pay.py::TestPay::test_was_Charged[ann@example.com::[x]-2]"), "test_was_charged"),
        (Occurrence("gw0:test_pay.py::test_was_charged", trial=2), "test_was_charged"),
        (Occurrence("test_pay.py", "customer[ann@example.com]", call=1), "customer"),
        (Occurrence("", "customer", call=1), "customer"),
        (SHARED, "shared"),
        (Occurrence("cases/refund.yaml::ann@example.com"), "refund"),
        (Occurrence("test_pay.py::test_größe"), "test_gr-e"),
        (Occurrence("test_pay.py::支払い"), "run"),
        (Occurrence("test_pay.py::con"), "con"),
        (Occurrence("test_pay.py::test_" + "x" * 300), "test_" + "x" * 55),
        (Occurrence(call=1), "run"),
    ],
)
def test_a_file_has_a_name_that_a_reviewer_can_read(store: Store, occurrence: Occurrence, name: str) -> None:
    """The API, the test or fixture without its parameters, and some digits: safe, and of bounded length."""
    asked = request(occurrence=occurrence)
    path, _ = store.put(asked, run(asked))
    assert path.name == f"webhook-{name}-{store.key(asked)[1][8:16]}.json"
    assert anew(store).find(asked)


@pytest.mark.parametrize("seed", range(3))
def test_the_first_test_names_the_file_in_whatever_order_they_ask(folder: Path, seed: int) -> None:
    """As the file has them: by their ids, tests before fixtures and shared runs; no other file is left over."""
    names = ["a.py::test_b", "a.py::test_c", "b.py::test_a"]
    occurrences = [SHARED, Occurrence("a.py", "wide", call=1), *(Occurrence(name, call=1) for name in names)]
    store = Store(folder, Redactor())
    for occurrence in random.Random(seed).sample(occurrences, len(occurrences)):
        asked = request(occurrence=occurrence)
        path, _ = store.put(asked, run(asked))
        assert list(folder.glob("*/*")) == [path]
        found = store.find(asked)
        assert found is not None
        assert found.path == path
    assert path.name.startswith("webhook-test_b-")


def test_a_file_that_is_there_keeps_its_name(store: Store, folder: Path) -> None:
    """Whatever test asks in a later session, and whatever name a person gave it."""
    asked = request("test_it.py::test_old")
    path, _ = store.put(asked, run(asked))
    renamed = request("test_it.py::test_a_new_name")
    assert anew(store).put(renamed, run(renamed))[0] == path
    mine = path.rename(path.with_name(f"webhook-What I call it-{path.stem[-8:]}.json"))
    assert anew(store).put(renamed, run(renamed))[0] == mine
    assert [bool(anew(store).find(one)) for one in (asked, renamed)] == [True, True]
    assert len(list(folder.glob("*/*"))) == 1


@pytest.mark.parametrize(
    "change", [lambda request: request.pop("digest"), lambda request: request.update(digest="***")]
)
def test_a_file_without_its_digest_is_found_by_its_name(store: Store, folder: Path, change: Any) -> None:
    """As it may be after an edit, or where a pattern of the project hits it; the next run restores it."""
    asked = request()
    store.put(asked, run(asked), "s-1")
    before = text(folder)
    broken(folder, lambda data: change(data["request"]))
    assert anew(store).find(asked)
    anew(store).put(asked, run(asked), "s-1")
    assert text(folder) == before


def test_requests_of_one_test_whose_digests_begin_alike_have_two_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second name has the whole digest, and none is found for the other."""
    monkeypatch.setattr("pytest_wisebot.storage.recording_names.SHORT", 1)
    monkeypatch.setattr(
        "pytest_wisebot.storage.recording_names._NAME",
        re.compile(r"(webhook|dashboard)-.+-([0-9a-f]{20}|[0-9a-f])\.json"),
    )
    requests = [request(inputs={"n": n}) for n in range(40)]
    store = Store(folder, Redactor())
    for number, asked in enumerate(requests):
        store.put(asked, run(asked, run_id=f"run-{number}"))
    assert len(list(folder.glob("*/*"))) == 40
    assert len([path for path in folder.glob("*/*") if len(path.stem) > 30]) >= 24
    again = anew(store)
    found = [again.find(asked) for asked in requests]
    assert [one.run.run_id for one in found if one] == [f"run-{n}" for n in range(40)]
    assert again.find(request(inputs={"n": 40})) is None


def test_the_nearest_recording_is_named_with_what_differs(store: Store) -> None:
    """Of several the one that has most in common with what is asked."""
    bags: tuple[dict[str, Any], ...] = ({"id": "T-1", "message": "hello"}, {"id": "T-9", "other": [1, 2]})
    for number, inputs in enumerate(bags):
        asked = request(f"test_it.py::test[{number}]", inputs)
        store.put(asked, run(asked))
    nearest = anew(store).nearest(request(inputs={"id": "T-1", "message": "hallo"}))
    assert nearest is not None
    assert nearest.occurrences == (Occurrence("test_it.py::test[0]", call=1),)
    assert nearest.differences == ('message: recorded "hello", asked "hallo"',)
    assert store.nearest(request(workflow="another")) is None


@pytest.mark.parametrize("earlier", [False, True])
def test_the_nearest_recording_may_be_another_environment_s(folder: Path, earlier: bool) -> None:
    """The id of its workflow is no difference: the API and the inputs are."""
    asked = request()
    path, _ = of(folder, "production").put(asked, run(asked))
    path = by_an_earlier_version(path, "k-production") if earlier else path
    nearest = of(folder, "staging").nearest(request(inputs={"n": 2}, api=Api.DASHBOARD))
    assert nearest is not None
    assert (nearest.path, nearest.differences) == (
        path,
        ("api: recorded webhook, asked dashboard", "n: recorded 1, asked 2"),
    )


def broken(folder: Path, change: Any) -> Path:
    """The one file of a folder, its data changed."""
    (path,) = folder.glob("*/*.json")
    data = json.loads(path.read_text("utf-8"))
    change(data)
    path.write_text(json.dumps(data), "utf-8")
    return path


TOUCHED = "it was not touched: mend it, or remove it and make its runs anew"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda data: data.update(format=2),
            "has format 2, and this version of pytest-wisebot reads 1: install a newer one; it was not touched",
        ),
        (lambda data: data.pop("format"), f'has no "format": 1; {TOUCHED}'),
        (lambda data: data.update(format=True), f'has no "format": 1; {TOUCHED}'),
        (lambda data: data.pop("request"), f'has no "request" that is an object; {TOUCHED}'),
        (lambda data: data.pop("about"), f'has no lists "occurrences" and "about"; {TOUCHED}'),
        (lambda data: data["about"].clear(), f'has 1 "occurrences" and 0 lines "about" them; {TOUCHED}'),
        (
            lambda data: data["occurrences"][0].update(envelope={"ok": "yes"}),
            f'occurrence 1 has no valid envelope: an object with a boolean "ok"; {TOUCHED}',
        ),
        (
            lambda data: data["occurrences"][0].update(envelope=[]),
            f'occurrence 1 has no valid envelope: an object with a boolean "ok"; {TOUCHED}',
        ),
        (lambda data: data["occurrences"].__setitem__(0, 3), f"occurrence 1 is not an object; {TOUCHED}"),
        (
            lambda data: data["occurrences"][0].update(call="1"),
            f"occurrence 1 does not name a test or fixture; {TOUCHED}",
        ),
        (
            lambda data: data["about"][0].update(started_at="today"),
            f'line 1 "about" has no "started_at" that is a time with its zone; {TOUCHED}',
        ),
    ],
)
def test_what_cannot_be_read_is_named_and_stays(store: Store, folder: Path, change: Any, message: str) -> None:
    """From another version, or edited: reading and writing say which file, and neither changes it."""
    asked = request()
    store.put(asked, run(asked))
    path = broken(folder, change)
    before = path.read_bytes()
    name = f"recordings/triage/{path.name}"
    for use in (
        lambda: anew(store).find(asked),
        lambda: anew(store).check(asked),
        lambda: anew(store).put(asked, run(asked)),
        lambda: anew(store).remove(path, {asked.occurrence}),
    ):
        with pytest.raises(ConfigurationError) as caught:
            use()
        assert str(caught.value) == f"{name}: {message}"
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_torn_file_is_named_and_stays(store: Store, folder: Path) -> None:
    """Such as a merge, or another tool, may leave."""
    asked = request()
    path, _ = store.put(asked, run(asked))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(
        ConfigurationError, match=rf"^recordings/triage/{path.name}: is not valid JSON \(.+\); it was not"
    ):
        anew(store).find(asked)
    assert len(path.read_bytes()) == 100


def test_what_is_removed_leaves_the_others(store: Store, folder: Path) -> None:
    """Occurrences go one by one, their file and folder with the last of them."""
    requests = [request(f"test_it.py::test[{n}]") for n in range(3)]
    for asked in requests:
        store.put(asked, run(asked))
    store.remove(store.paths()[0], {requests[1].occurrence})
    assert [bool(store.find(asked)) for asked in requests] == [True, False, True]
    assert [bool(anew(store).find(asked)) for asked in requests] == [True, False, True]
    store.remove(store.paths()[0], {requests[0].occurrence, requests[2].occurrence})
    assert list(folder.iterdir()) == []
    store.put(requests[0], run(requests[0]))
    assert anew(store).find(requests[0])


READS_ITS_CODE = "import sys;exec(eval(sys.stdin.readline()))"
"""What execnet starts: by it the process is forked from one that has loaded its modules, where that can be done."""


def process_of(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Starts a process that runs this code."""
    command = [sys.executable, "-c", READS_ITS_CODE, *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write(f"{textwrap.dedent(code)!r}\n")
    process.stdin.flush()
    return process


WRITES_FOR_EVER = """
    import itertools, sys
    from pathlib import Path
    from pytest_wisebot import WorkflowRun
    from pytest_wisebot.storage.store import Store
    from pytest_wisebot.redaction import Redactor
    from pytest_wisebot.runs import Occurrence, RunRequest

    store = Store(Path(sys.argv[1]), Redactor())
    for number in itertools.count():
        asked = RunRequest("triage", {"n": number % 3}, occurrence=Occurrence(f"test[{number}]"))
        store.put(asked, WorkflowRun(ok=True, workflow="triage", result="x" * 5_000))
        print(number, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_writer_leaves_whole_files(folder: Path) -> None:
    """At five moments: each run that was written is found, and what lies around is swept away later."""
    for moment in range(5):
        process = process_of(WRITES_FOR_EVER, str(folder))
        assert process.stdout is not None
        for _ in range(20 + 13 * moment):
            last = int(process.stdout.readline())
        process.kill()
        last = max([last, *map(int, process.communicate()[0].split())])
        store = Store(folder, Redactor())
        for number in range(last + 1):
            asked = RunRequest("triage", {"n": number % 3}, occurrence=Occurrence(f"test[{number}]"))
            assert store.find(asked), (moment, number, last)
    left = folder / "triage" / ".999999999.wisebot-tmp"
    left.touch()
    files.sweep([folder / "triage"])
    assert [path for path in (folder / "triage").iterdir() if path.suffix != ".json"] == []


def test_two_sessions_that_take_turns_lose_nothing(folder: Path) -> None:
    """Each writes into the file that the other has left."""
    stores = [Store(folder, Redactor()), Store(folder, Redactor())]
    asked = [request(f"test_it.py::test[{n:03}]") for n in range(120)]
    for number, one in enumerate(asked):
        stores[number // 7 % 2].put(one, run(one, run_id=one.occurrence.test))
    stores[0].remove(folder / "triage" / text_file(folder), {asked[0].occurrence})
    stores[1].put(asked[-1], run(asked[-1], run_id="again"))
    kept = Store(folder, Redactor())
    found = {one.occurrence: found.run.run_id for one in asked if (found := kept.find(one))}
    expected = {one.occurrence: one.occurrence.test for one in asked[1:-1]}
    assert found == {**expected, asked[-1].occurrence: "again"}
    assert len(list(kept.everything())) == len(asked) - 1


def text_file(folder: Path) -> str:
    """The first file of a folder's one request."""
    return min((path.name for path in folder.glob("*/*.json")), key=len)


WRITES_ITS_OWN = """
    import sys
    from pathlib import Path
    from pytest_wisebot.storage.store import Store
    from pytest_wisebot.redaction import Redactor
    from pytest_wisebot.runs import Occurrence, RunRequest, WorkflowRun

    store = Store(Path(sys.argv[1]), Redactor())
    for number in range(150):
        asked = RunRequest("triage", {"n": number % 2}, occurrence=Occurrence(f"{sys.argv[2]}[{number}]"))
        store.put(asked, WorkflowRun(ok=True, workflow="triage"))
"""


def test_two_sessions_at_once_lose_nothing(folder: Path) -> None:
    """Both write the same files, as fast as they can."""
    processes = [process_of(WRITES_ITS_OWN, str(folder), name) for name in "ab"]
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0, 0]
    kept = [occurrence.test for _, occurrence in Store(folder, Redactor()).everything()]
    assert sorted(kept) == sorted(f"{name}[{number}]" for name in "ab" for number in range(150))


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX locks")
def test_a_session_that_was_stopped_holds_nobody_up_for_ever(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock has a deadline: the run is written all the same."""
    monkeypatch.setattr(files, "LOCK_SECONDS", 0.05)
    store, asked = Store(folder, Redactor()), request()
    with files.folder_lock(folder / "triage"):
        store.put(asked, run(asked))
    assert store.find(asked)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("triage", "triage"),
        ("k57c2m.v2_x-y", "k57c2m.v2_x-y"),
        ("Triage", "triage-"),
        ("../../etc/passwd", "etc-passwd-"),
        ("con", "con-"),
        ("a" * 300, "a" * 40 + "-"),
        ("ärger", "rger-"),
        ("id:k57", "id-k57-"),
        (".", "run-"),
    ],
)
def test_names_are_safe_everywhere(name: str, expected: str) -> None:
    """A plain name is itself; any other is told apart by a digest, also where case does not count."""
    made = files.safe_name(name)
    assert made == expected or (made.startswith(expected) and len(made) == len(expected) + 10)
    assert files.safe_name(f"{name}x") != made
