"""The history file: lines, bounds, and what others leave in it; and what the last sessions show."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from pytest_wisebot.errors import ConfigurationError
from pytest_wisebot.event_log import event_line, moment
from pytest_wisebot.report.build_info import BuildInfo
from pytest_wisebot.report.gate import Conclusion, build
from pytest_wisebot.report.history import (
    LONGEST_NAME,
    Entry,
    History,
    SameOutcome,
    SessionBrief,
    add_line,
    check_history,
    entry_of,
    failing_since,
    flaky_rate,
    name_of,
    past_of,
    read_history,
    tracked,
    write_entry,
)
from pytest_wisebot.report.log_reader import read_log

FILE = "history.jsonl"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE


def entry(number: int, outcome: str = "passed", **more: Any) -> Entry:
    """A session of one test."""
    tests = (SameOutcome(outcome, "test_it.py::", ("test_a",)),)
    known = {"environment": "staging", "started": 1_764_331_200.0 + 3600 * number, "tests": tests}
    return Entry(id=f"{number:016x}", **{**known, **more})


def of_commit(commit: str, *, is_changed: bool = False) -> BuildInfo:
    return BuildInfo(commit=commit * 40, is_changed=is_changed)


# --- a line


def test_a_line_tells_of_the_session_what_the_log_does(log: Any, path: Path) -> None:
    """Each value of the line is that of the session's log; inputs and results are not in it."""
    one = log(build={"commit": "a" * 40, "branch": "main", "job_url": "https://ci.test/1"}, mode="live", version="9")
    one.test("test_a", run={"seconds": 1.0, "inputs": {"k": "INPUT"}, "result": "RESULT"})
    one.test("test_b[1]", "failed", run={"seconds": 3.0, "workflow_id": "k1"}).test("test_c", "flaky")
    one.plain("test_d", "skipped").test(
        "test_e", "infrastructure", run={"outcome": "infrastructure", "class": "RunTimedOut"}
    )
    conclusion = one.concluded()
    write_entry(path, entry_of(conclusion.model, str(conclusion.verdict.word), conclusion.verdict.code), 200)

    text = path.read_text()
    line = json.loads(text)
    assert text.count("\n") == 1
    assert "INPUT" not in text
    assert "RESULT" not in text
    assert (line["format"], line["environment"], line["hosts"]) == (1, "staging", [])
    assert (line["verdict"], line["exitstatus"]) == ("GATE CLOSED", 1)
    assert line["build"] == {"commit": "a" * 40, "branch": "main", "job_url": "https://ci.test/1"}
    assert line["tests"] == [
        ["passed", "test_it.py::", ["test_a"]],
        ["failed", "test_it.py::", ["test_b[1]"]],
        ["flaky", "test_it.py::", ["test_c"]],
        ["skipped", "test_it.py::", ["test_d"]],
        ["infrastructure", "test_it.py::", ["test_e"]],
    ]
    assert line["workflows"] == [
        [
            "triage",
            {
                "tests": {"passed": 1, "flaky": 1, "failed": 1, "infrastructure": 1},
                "passed": 2,
                "judged": 3,
                "runs": 4,
                "live_runs": 3,
                "p50": 1.0,
                "p95": 3.0,
            },
        ]
    ]


def test_a_line_is_read_as_it_was_written(log: Any, path: Path) -> None:
    """Nothing of a session is lost on the way."""
    written = entry_of(log(build={"commit": "a" * 40}).test("test_a").test("test_b", "failed").model(), "GATE OPEN", 0)
    write_entry(path, written, 200)
    (found,) = read_history(path, FILE).entries
    assert found == written
    assert dict(found.letters) == {"test_it.py::test_a": ".", "test_it.py::test_b": "F"}


def test_a_very_long_id_stays_apart_from_others() -> None:
    """A parameter may be of any length: the name is bounded, and two tests do not become one."""
    one, other = "test_it.py::test_a[" + "x" * 5000, "test_it.py::test_a[" + "x" * 5001
    assert len(name_of(one)) <= LONGEST_NAME
    assert name_of(one) != name_of(other)
    assert name_of("test_it.py::test_a") == "test_it.py::test_a"


def test_200_sessions_of_500_tests_are_under_10_mb(path: Path) -> None:
    """With ids as long as those of real suites."""
    names = tuple(f"test_the_answer_to_a_customer_of_segment[language-{number}-reseller]" for number in range(500))
    tests = tuple(SameOutcome("passed", f"tests/e2e/test_{at}.py::", names[at::10]) for at in range(10))
    one = entry_of_size(tests)
    assert 200 * len(event_line(one.to_line())) < 10_000_000


def entry_of_size(tests: tuple[SameOutcome, ...]) -> Entry:
    return Entry("f" * 16, 0.0, 0.0, "1", "live", "staging", (), "GATE OPEN", 0, of_commit("a"), tests)


# --- the file


def test_the_file_is_bounded(path: Path) -> None:
    """The oldest sessions go."""
    for number in range(7):
        write_entry(path, entry(number), 3)
    assert [one.id for one in read_history(path, FILE).entries] == [f"{number:016x}" for number in (4, 5, 6)]
    write_entry(path, entry(8), 1)
    assert [one.id for one in read_history(path, FILE).entries] == [f"{8:016x}"]


def test_a_session_that_is_judged_again_has_one_line(path: Path) -> None:
    """``merge`` of the same shards, a second time, replaces their line."""
    for one in (entry(1), entry(2), entry(1, verdict="GATE OPEN")):
        write_entry(path, one, 200)
    assert [(one.id[-1], one.verdict) for one in read_history(path, FILE).entries] == [("2", ""), ("1", "GATE OPEN")]


def test_what_cannot_be_used_is_named_left_out_and_kept(path: Path) -> None:
    """A torn line, another program's, a wrong value and a later version's hide no session, and are not deleted."""
    write_entry(path, entry(1), 200)
    whole = path.read_bytes()
    wrong = json.loads(whole) | {"tests": [["passed", "a.py::", "test_a"]]}
    later = json.loads(whole) | {"format": 2, "tests": "another shape"}
    others = [b"{}", b"[1]", b"\xff\xfe", b"[" * 100_000, b'{"format": true, "tests": []}', b'{"format": 1}']
    lines = [*others, json.dumps(wrong).encode(), json.dumps(later).encode(), whole[:50]]
    path.write_bytes(whole + b"\n" + b"\n".join(lines))
    write_entry(path, entry(2), 200)

    found = read_history(path, FILE)
    assert [one.id for one in found.entries] == [f"{1:016x}", f"{2:016x}"]
    assert [one.split(" ", 2)[1] for one in found.left_out] == ["2", "3", "4", "5", "6", "7", "8", "9", "10"]
    assert [one.split(" ", 2)[2] for one in found.left_out] == [
        "is not a session of a history",
        "is not a session of a history",
        "is not valid JSON",
        "is not valid JSON",
        "is not a session of a history",
        "is not a session of a history",
        'has a wrong "tests": expected a list, got [["passed", "a.py::", "test_a"]]',
        "was written by a later version of pytest-wisebot (format 2)",
        "is not valid JSON",
    ]
    assert found.warning.startswith("history.jsonl: 9 lines left out: line 2 is not a session of a history; line 3 ")
    assert found.warning.endswith(" and 6 more")
    assert all(line in path.read_bytes() for line in lines)


@pytest.mark.parametrize("content", [b"a note\n", b'{"event":"session","format":1}\n', b"\xff\x00"])
def test_another_program_s_file_is_never_rewritten(path: Path, content: bytes) -> None:
    """However late it came there: adding a session is refused by name."""
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"^{FILE}: is not a history: line 1 "):
        write_entry(path, entry(1), 200, FILE)
    assert path.read_bytes() == content


def test_null_is_the_same_as_nothing(path: Path) -> None:
    """Another program may write null where this one writes nothing."""
    path.write_text('{"format":1,"id":"x","tests":null,"workflows":null,"build":null,"started":null,"mode":null}\n')
    assert read_history(path, FILE).entries == (Entry("x"),)


def test_a_file_that_is_not_there_yet_is_an_empty_history(tmp_path: Path) -> None:
    """The first session makes the file, and its folder."""
    path = tmp_path / "new" / FILE
    assert check_history(path, FILE, {}) == History(FILE)
    write_entry(path, entry(1), 200)
    assert len(read_history(path, FILE).entries) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"a note\n",
        b"# A project\n" + b"some words\n" * 50,
        b'[environments.staging]\norigin = "https://x.test"\n',
        b'{"event":"session","format":1}\n',
        b'{"format":1,"id":"torn\nand a note\n',
    ],
)
def test_another_programs_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """A wrong path is told before anything is written into the file, however few lines it has."""
    (tmp_path / "notes").write_bytes(content)
    with pytest.raises(
        ConfigurationError, match=r"^notes: is not a history: line 1 is not .* A history is a file of its"
    ):
        check_history(tmp_path / "notes", "notes", {})
    with pytest.raises(ConfigurationError, match=r"^out: is not a file$"):
        check_history(tmp_path, "out", {})


def test_a_history_of_torn_lines_alone_is_still_one(path: Path) -> None:
    """A disk that was full has cost its sessions, not the file."""
    path.write_bytes(b'{"format":1,"id":"torn\n' * 12)
    assert len(check_history(path, FILE, {}).left_out) == 12
    path.write_bytes(b"\n")
    assert check_history(path, FILE, {}) == History(FILE)


def test_a_file_that_the_session_uses_otherwise_is_refused(tmp_path: Path) -> None:
    """By whatever way to it; a file beside it is taken."""
    (tmp_path / "link").symlink_to(tmp_path / "out", target_is_directory=True)
    others = {"the summary": tmp_path / "summary.md", "the reports": tmp_path / "out", "the baseline": None}
    for name, what in (("summary.md", "summary"), ("out/history.jsonl", "reports"), ("link/x", "reports")):
        with pytest.raises(
            ConfigurationError, match=f"^{name}: is the {what}, or in it: a history is a file of its own"
        ):
            check_history(tmp_path / name, name, others)
    assert check_history(tmp_path / FILE, FILE, others) == History(FILE)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """A file in a cache of CI may be reached through one."""
    (tmp_path / "cache").mkdir()
    link = tmp_path / FILE
    link.symlink_to(tmp_path / "cache" / FILE)
    write_entry(link, entry(1), 200)
    write_entry(link, entry(2), 200)
    assert link.is_symlink()
    assert len(read_history(tmp_path / "cache" / FILE, FILE).entries) == 2


def _write_many(path: Path, first: int) -> None:
    for number in range(first, first + 25):
        add_line(path, event_line(entry(number).to_line()), f"{number:016x}", 1000)


def test_two_writers_lose_no_line(path: Path) -> None:
    """Sessions that end at the same moment each add their line."""
    writers = [multiprocessing.Process(target=_write_many, args=(path, first)) for first in (0, 100, 200)]
    for one in writers:
        one.start()
    for one in writers:
        one.join(60)
    found = read_history(path, FILE)
    assert not found.left_out
    assert len({one.id for one in found.entries}) == 75


# --- the last sessions


def history(*entries: Entry) -> History:
    return History(FILE, entries)


def test_only_sessions_of_the_environment_with_live_runs_count(log: Any) -> None:
    """Another environment, and runs that were made earlier, tell nothing of this one; the last 30 count."""
    others = [entry(100, "failed", environment="local"), entry(101, "failed", mode="replay")]
    past = past_of(history(*map(entry, range(40)), *others), log().test("test_a").model())
    assert [one.letters for one in past.tests] == ["." * 29]
    assert past.sessions[-1].started == entry(39).started


def test_without_a_name_the_hosts_tell_environments_apart(log: Any) -> None:
    """A session without ``wisebot.toml`` is compared with those that tested the same hosts."""
    model = log(environment=None).test("test_a").model()
    entries = [
        entry(1, environment=None, hosts=("https://a.example",)),
        entry(2, environment=None, hosts=("https://b",)),
    ]
    assert [one.letters for one in past_of(history(*entries), model).tests] == ["."]


def test_a_session_is_not_its_own_past(log: Any) -> None:
    """Judged again after its line was added, it sees the sessions before it, and not those after it."""
    model = log().test("test_a", "failed").model()
    entries = [entry(1), entry_of(model), entry(3, "failed"), entry(4, "failed")]
    assert [one.letters for one in past_of(history(*entries), model).tests] == ["."]


def test_a_test_that_is_new_or_was_away_has_gaps(log: Any) -> None:
    """A session in which a test did not end is not a session of it."""
    empty = entry(2, tests=())
    past = past_of(history(entry(1), empty, entry(3, "not run")), log().test("test_a").test("test_new").model())
    with_it = past.with_session(entry_of(log().test("test_a").test("test_new", "failed").model()))
    assert {one.name[12:]: one.letters for one in with_it.tests} == {"test_a": ". n.", "test_new": "   F"}


def test_a_workflow_has_the_worst_outcome_of_its_tests_and_its_p95(log: Any) -> None:
    """One letter and one p95 for each session; no p95 without a live run."""
    one = entry_of(log().test("test_a", run={"seconds": 2.0}).test("test_b", "failed").model())
    other = entry_of(log().test("test_a", "infrastructure", run={"outcome": "infrastructure"}).model())
    past = tracked([one, entry(2), other])
    assert [tuple(one) for one in past.workflows] == [("triage", "F i", (2.0, None, None))]


def test_the_log_carries_what_the_history_shows(log: Any, tmp_path: Path) -> None:
    """Read again from the log alone, the past is the same, whatever became of the file."""
    one = log().test("test_a", run={"seconds": 2.0})
    entries = [entry(1, "failed", build=of_commit("a")), entry_of(log().test("test_a", run={"seconds": 9.0}).model())]
    first = build(one.all(), history=history(*entries))
    path = tmp_path / "runs.jsonl"
    path.write_bytes(b"".join(map(event_line, one.all(history=first.history))))
    again = build(read_log(path))
    assert again.past == first.past
    assert again.trend == first.trend
    assert again.trend is not None
    assert again.trend.tests[0].letters == "F.."


def test_tracks_of_another_length_end_nothing(log: Any) -> None:
    """A log that another program has changed is still shown."""
    found = build(log().test("test_a").all(history={"sessions": [{}], "tests": [["test_it.py::test_a", "....F"]]}))
    assert found.trend is not None
    assert found.trend.tests[0].letters == ".."


def test_a_history_of_another_shape_in_a_log_is_told(log: Any, tmp_path: Path) -> None:
    """With file and line, as any other wrong line."""
    path = tmp_path / "runs.jsonl"
    path.write_bytes(b"".join(map(event_line, log().test("test_a").all(history={"tests": [["a"]]}))))
    with pytest.raises(ConfigurationError, match=r'line 4 has a wrong "history"'):
        build(read_log(path))


def test_what_became_known_as_a_credential_is_masked(log: Any) -> None:
    """The name of a branch in an old line may hold what is a credential by now."""
    old = entry(1, build=BuildInfo(branch="CANARY-branch"), verdict="GATE OPEN")
    known = History(FILE, (old,), ("line 2 has CANARY-x",), clean=lambda text: text.replace("CANARY", "<secret>"))
    text = json.dumps(past_of(known, log().test("test_a").model()).to_dict())
    assert "CANARY" not in text
    assert text.count("<secret>") == 2


# --- rates


def briefs(commits: str) -> list[SessionBrief]:
    """Sessions of these commits: a blank for an unknown one, an upper letter for a changed checkout."""
    made = {" ": BuildInfo()}
    for one in commits:
        made.setdefault(one, of_commit(one.lower(), is_changed=one.isupper()))
    return [SessionBrief(60.0 * number, "", made[one]) for number, one in enumerate(commits)]


@pytest.mark.parametrize(
    ("letters", "commits", "rate"),
    [
        ("....", "aaaa", (0, 4)),
        ("..~.", "abcd", (1, 4)),
        ("F.", "aa", (1, 2)),
        ("F.", "ab", (0, 2)),
        ("F.", "  ", (0, 2)),
        ("F.", "AA", (0, 2)),
        ("F.", "aA", (0, 2)),
        ("F...", "aaaa", (1, 4)),
        ("F.F.", "aaaa", (2, 4)),
        ("FF..", "abab", (2, 4)),
        ("d~", "aa", (1, 2)),
        ("Fi.", "aaa", (1, 2)),
        ("i.", "aa", (0, 1)),
        ("cnsxE ?", "aaaaaaa", (0, 0)),
        ("", "", (0, 0)),
    ],
)
def test_the_flaky_rate(letters: str, commits: str, rate: tuple[int, int]) -> None:
    """Flaky is a session that was flaky, or the first pass after a failure on the same commit; outages do not count."""
    assert flaky_rate(letters, briefs(commits)) == rate


@pytest.mark.parametrize(
    ("letters", "since"),
    [
        ("....", None),
        ("FF..", None),
        ("..FF", (2, True)),
        ("..FiF", (2, True)),
        ("..Fi", (2, True)),
        ("FFF", (0, False)),
        ("  F", (2, False)),
        (".dF", (1, True)),
        ("F~F", (2, True)),
        ("", None),
    ],
)
def test_since_when_a_test_fails(letters: str, since: tuple[int, bool] | None) -> None:
    """The first failure after the last pass; without a pass it may have failed for longer."""
    found = failing_since(letters, briefs("a" * len(letters)))
    assert (found and (found.session.started, found.has_passed)) == (since and (60.0 * since[0], since[1]))


def test_since_when_in_words() -> None:
    """Commit and date, as far as they are known."""
    one = SessionBrief(1_764_331_200.0, "", of_commit("a"))
    assert str(failing_since(".F", [one, one])) == "since commit aaaaaaaaaa, 2025-11-28"
    assert str(failing_since("F", [SessionBrief(1_764_331_200.0)])) == "since at least 2025-11-28"
    assert moment(1_764_331_200.0) == "2025-11-28T12:00:00.000+00:00"


# --- the gate


def gated(log: Any, outcomes: str, *, limit: float | None = 0.1, now: str = "passed", **limits: Any) -> Conclusion:
    """A session with this limit after sessions of these letters, each of a commit of its own."""
    words = {".": "passed", "F": "failed", "~": "flaky", "i": "infrastructure"}
    entries = [entry(number, words[letter]) for number, letter in enumerate(outcomes)]
    gate = {"overall": {"max_flaky_rate": limit}, "workflows": limits}
    return build(log(gate=gate).test("test_a", now).all(), history=history(*entries))


def rules(conclusion: Conclusion) -> list[tuple[str, str, int]]:
    return [(str(one.state), one.measured, one.code) for one in conclusion.verdict.rows if one.rule == "flaky rate"]


A = "test_it.py::test_a"


@pytest.mark.parametrize(
    ("outcomes", "now", "rule"),
    [
        ("." * 9, "passed", ("ok", "at most 0% (0 of 10 sessions)", 0)),
        ("~" + "." * 8, "passed", ("ok", "at most 10% (1 of 10 sessions)", 0)),
        ("~~" + "." * 7, "passed", ("closed", f"up to 20% (2 of 10 sessions), 1 test above: {A}", 1)),
        ("~" + "." * 8, "flaky", ("closed", f"up to 20% (2 of 10 sessions), 1 test above: {A}", 1)),
        ("~~~" + "." * 29, "passed", ("ok", "at most 0% (0 of 30 sessions)", 0)),
        ("~" * 8, "passed", ("not judged", f"1 test with a verdict in fewer than 10 sessions: {A}", 0)),
        ("~" * 5 + "i" * 20, "passed", ("not judged", f"1 test with a verdict in fewer than 10 sessions: {A}", 0)),
        ("", "passed", ("not judged", f"1 test with a verdict in fewer than 10 sessions: {A}", 0)),
    ],
)
def test_the_gate_judges_the_flaky_rate(log: Any, outcomes: str, now: str, rule: tuple[str, str, int]) -> None:
    """A limit closes the gate over a test that is flaky too often; of fewer than 10 sessions it judges nothing."""
    conclusion = gated(log, outcomes, now=now)
    assert rules(conclusion) == [rule]
    assert conclusion.verdict.code == rule[2]


def test_a_torn_history_opens_no_gate_that_the_whole_one_closes(log: Any, path: Path) -> None:
    """A test that may lack a session, because its line cannot be read, has no verdict, in a rebuilt report either."""
    for number in range(9):
        write_entry(path, entry(number, "flaky"), 200)
    whole = path.read_bytes()
    one = log(gate={"overall": {"max_flaky_rate": 0.1}}).test("test_a")
    assert build(one.all(), history=read_history(path, FILE)).verdict.code == 1

    path.write_bytes(whole[:-30])
    torn = build(one.all(), history=read_history(path, FILE))
    few = f"1 test with a verdict in fewer than 10 sessions: {A}"
    told = "history.jsonl: 1 line left out: line 9 is not valid JSON"
    assert rules(torn) == [("no verdict", f"{few}; {told}", 11)]
    assert rules(build(one.all(history=torn.history))) == rules(torn)
    assert torn.verdict.code == 11

    path.write_bytes(whole + whole[:30])
    assert build(one.all(), history=read_history(path, FILE)).verdict.code == 1  # enough sessions without it


def test_without_a_history_a_limit_gives_no_verdict(log: Any) -> None:
    """What the limit is measured by is missing: the gate stays shut, as beside a baseline that was not given."""
    conclusion = build(log(gate={"overall": {"max_flaky_rate": 0.1}}).test("test_a").all())
    assert rules(conclusion) == [("no verdict", "no history", 11)]
    assert conclusion.verdict.code == 11
    wanted = next(row.wanted for row in conclusion.verdict.rows if row.rule == "flaky rate")
    assert wanted == "at most 10% of a test's last 30 sessions: --wisebot-history=FILE"


def test_a_session_without_a_gate_is_not_told_of_a_limit(log: Any) -> None:
    """Without a history there is nothing to show either; with one the rule is shown."""
    one = log(gate={"overall": {"max_flaky_rate": 0.1}}, gated=False).test("test_a")
    assert rules(build(one.all())) == []
    assert len(rules(build(one.all(), history=history()))) == 1


def test_without_a_limit_a_history_judges_nothing(log: Any) -> None:
    """It is shown alone."""
    assert rules(gated(log, "~" * 20, limit=None)) == []


def test_a_workflow_has_a_limit_of_its_own(log: Any) -> None:
    """Of the tests of that workflow alone."""
    conclusion = gated(log, "~" * 9, limit=None, triage={"max_flaky_rate": 0.5}, refund={"max_flaky_rate": 0.0})
    found = [(one.title, str(one.state)) for one in conclusion.verdict.rows if one.rule == "flaky rate"]
    assert sorted(found) == [("refund: flaky rate", "not judged"), ("triage: flaky rate", "closed")]


def test_a_pass_after_a_failure_on_the_same_commit_counts_at_once(log: Any) -> None:
    """A job that is started again until it is green does not pass a limit of 0."""
    entries = [*(entry(number) for number in range(9)), entry(10, "failed", build=of_commit("a"))]
    one = log(gate={"overall": {"max_flaky_rate": 0.0}}, build={"commit": "a" * 40}).test("test_a")
    assert build(one.all(), history=history(*entries)).verdict.code == 1


def test_a_replayed_session_adds_nothing_to_a_rate(log: Any) -> None:
    """Runs that were made earlier show what they showed then."""
    gate = {"overall": {"max_flaky_rate": 0.0}, "require_live": False}
    one = log(gate=gate, mode="last").test("test_a", run={"source": "last"})
    entries = [entry(number, build=of_commit("a")) for number in range(9)]
    entries.append(entry(10, "failed", build=of_commit("a")))
    assert rules(build(one.all(), history=history(*entries))) == [("ok", "at most 0% (0 of 10 sessions)", 0)]
