"""Shards joined: the joined log, and the messages for wrong arguments."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pytest_wisebot.event_log import event_line
from pytest_wisebot.gate_config import Gate, Limits
from pytest_wisebot.report.__main__ import main
from pytest_wisebot.report.output import names

pytestmark = pytest.mark.usefixtures("wide_terminal")


def shard(folder: Path, log: Any, *, half: bytes = b"") -> Path:
    """Writes a shard's log, and what a kill left of its last line."""
    folder.mkdir(parents=True)
    (folder / "runs.jsonl").write_bytes(b"".join(map(event_line, log)) + half)
    return folder


def test_three_shards_one_of_them_killed(log: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The union of what ended is there, the tests that never reported are named, and the gate does not open."""
    one = shard(tmp_path / "shard-1", log(split=[1, 3], gated=False).test("test_a").all())
    selected = ["test_it.py::test_b", "test_it.py::test_c"]
    killed = log(split=[2, 3], gated=False, selected=selected).test("test_b").all(ended=False)
    two = shard(tmp_path / "shard-2", killed, half=b'{"event":"te')
    three = shard(tmp_path / "shard-3", log(split=[3, 3], gated=False).test("test_d").all())
    assert main(["merge", *map(str, (one, two, three)), "-o", str(tmp_path / "out")]) == 11
    told = capsys.readouterr().out.splitlines()
    assert told[0].strip("= ") == "NO VERDICT"
    assert [" ".join(line.split()) for line in told[1:]] == [
        "NO VERDICT, killed: 1 test never reported; 3 passed; 3 live runs against staging (https://a.example)",
        "no verdict session (shard-2) wanted an end measured it was ended before its end",
        "no verdict tests without a report wanted none measured 1: test_it.py::test_c",
        "ok pass rate wanted at least 100% measured 100% (3 of 3)",
        "ok infrastructure errors wanted at most 0 measured 0",
        f"reports in {tmp_path / 'out'}",
    ]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "runs.jsonl", "report.json", "summary.md", "report.html", "report.css",
    }  # fmt: skip


def test_whole_shards_open_the_gate(log: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each of which could not have: it has left out what the others ran."""
    ids = [f"test_it.py::test_{name}" for name in "ab"]
    one = shard(tmp_path / "1", log(split=[1, 2], deselected=ids[1:]).test("test_a").all())
    two = shard(tmp_path / "2", log(split=[2, 2], deselected=ids[:1]).test("test_b").all())
    summary = tmp_path / "page.md"
    args = ["merge", str(one), str(two), "-o", str(tmp_path / "out"), "--summary", str(summary)]
    assert main(args) == 0
    assert summary.read_text("utf-8").startswith("# GATE OPEN\n")
    # The joined log is one that reports can be made of again, and a baseline for the next time.
    assert main([str(tmp_path / "out"), "--baseline", str(tmp_path / "out")]) == 0
    assert "newly failing: none" in capsys.readouterr().out


def test_a_shard_that_left_nothing_is_missing(log: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its machine never came up, or its artifact was lost."""
    one = shard(tmp_path / "1", log(gated=False).test("test_a").all())
    empty = shard(tmp_path / "2", [])
    assert main(["merge", str(one), str(empty), str(tmp_path / "3"), "-o", str(tmp_path / "out")]) == 11
    assert "measured missing: 2, 3\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nowhere"], "nowhere/runs.jsonl: cannot be read: No such file or directory"),
        (["merge", "nowhere", "-o", "out"], "none of nowhere has a runs.jsonl"),
        (["merge", "shard", "-o", "shard"], "shard: is a shard itself: write the union somewhere else"),
        (["shard", "--baseline", "nowhere"], "nowhere: cannot be read: No such file or directory"),
        (["shard", "--baseline", "empty"], "empty: holds no test that has ended: a runs.jsonl of an earlier session"),
        (["later"], "later/runs.jsonl: has format 2, and this version of pytest-wisebot reads 1: install a newer one"),
        (["torn"], "torn/runs.jsonl: line 1 is not valid JSON"),
        (["merge", "shard", "-o", "empty"], "empty: File exists"),
    ],
)
def test_bad_arguments_are_told(
    log: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    args: list[str], message: str,
) -> None:  # fmt: skip
    """By name; and nothing is written for them."""
    monkeypatch.chdir(tmp_path)
    shard(tmp_path / "shard", log().test("test_a").all())
    shard(tmp_path / "later", [{"event": "session", "format": 2}])
    shard(tmp_path / "torn", [], half=b"{\n{}\n")
    (tmp_path / "empty").touch()
    assert main(args) == 2
    assert capsys.readouterr().err.startswith(f"pytest-wisebot {'merge' if 'merge' in args else 'report'}: {message}")
    assert not (tmp_path / "out").exists()


def test_shards_of_one_name_are_told_by_their_paths() -> None:
    """As artifacts often are, each in a folder of its own."""
    assert names([Path("/a/out"), Path("/b/out"), Path("/c/3")]) == ["/a/out", "/b/out", "3"]


@pytest.mark.parametrize(
    "args", [[""], ["out", "--baseline="], ["merge", "", "-o", "out"], ["merge", "a", "-o", ""], ["merge", "a", "-o",
    "out", "--summary="]],
)  # fmt: skip
def test_an_argument_without_a_value(
    args: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An argument that a variable leaves empty is an error, and never means the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "report.html").write_text("of the user")
    with pytest.raises(SystemExit, match=r"^2$"):
        main(args)
    assert "expected a value, got ''" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"seconds": "soon"}, 'has a wrong "seconds": expected a number, got "soon"'),
        ({"seconds": [1.0]}, 'has a wrong "seconds": expected a number, got [1.0]'),
        ({"started": "yesterday"}, 'has a wrong "started": expected a time with its zone, got "yesterday"'),
        ({"trial": True}, 'has a wrong "trial": expected a whole number, got true'),
        ({"attempts": 10**400}, 'has a wrong "attempts": expected a whole number, got 1000'),
        ({"diff": "none"}, 'has a wrong "diff": expected a list, got "none"'),
        ({"commands": {"curl": 1}}, 'has a wrong "commands": expected a list, got {"curl": 1}'),
        ({"workflow": ["a"]}, 'has a wrong "workflow": expected a string, got ["a"]'),
        ({"event": 5}, 'is not an event: expected an object with "event"'),
        ({"event": "session", "split": [1]}, 'has a wrong "split": expected a list, got [1]'),
        ({"event": "session", "gate": {"workflows": []}}, 'has a wrong "gate": expected an object'),
        ({"event": "session", "extent": {"narrowed": [1]}}, 'has a wrong "extent": expected an object'),
        ({"event": "end", "baseline": {"name": "b"}}, 'has a wrong "baseline": expected an object'),
        ({"event": "test", "test": "a", "runs": {"r": 1}}, 'has a wrong "runs": expected a list, got {"r": 1}'),
        ({"event": "test", "test": "a", "item": "1"}, 'has a wrong "item": expected a whole number, got "1"'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_a_line_of_another_shape_is_named(
    log: Any, change: dict[str, Any], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report of a session, of a union, and a comparison name the file and the line."""
    events = log(gated=False).test("test_a").all()
    wrong = shard(tmp_path / "wrong", [events[0], {**events[1], **change}, *events[2:]])
    good = shard(tmp_path / "good", events)
    union = ["-o", str(tmp_path / "out")]
    for args in ([str(wrong)], ["merge", str(good), str(wrong), *union], [str(good), f"--baseline={wrong}"]):
        assert main(args) == 2
        assert f": {wrong / 'runs.jsonl'}: line 2 {why}" in capsys.readouterr().err


@pytest.mark.parametrize("line", [b"[]", b"5", b"null", b'"a"', b'{"event": "run", "seconds": NaN}', b"\xff\xfe"])
def test_a_line_that_is_no_event_is_named(line: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON that is not an object, a number that JSON does not have, and bytes that are not text."""
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "runs.jsonl").write_bytes(b'{"event":"session","format":1}\n' + line + b"\n")
    assert main([str(folder)]) == 2
    assert re.search(r"a/runs.jsonl: line 2 is not (an event|valid JSON)", capsys.readouterr().err)


def rows(log: Any, folder: Path, *logs: list[dict[str, Any]]) -> tuple[int, dict[str, str]]:
    """The exit code over the union of these logs, and its rows that are not "ok"."""
    shards = [shard(folder / f"s{number}", one) for number, one in enumerate(logs)]
    code = main(["merge", *map(str, shards), "-o", str(folder / "out"), "--baseline=none"])
    told = json.loads((folder / "out/report.json").read_text("utf-8"))["verdict"]["rules"]
    return code, {rule["rule"]: rule["measured"] for rule in told if rule["state"] != "ok"}


def test_select_holds_for_the_union(log: Any, tmp_path: Path) -> None:
    """Shards run the tests that the gate is not about as well: they neither mend a pass rate nor shut the gate."""
    other = ["test_it.py::test_other"]
    limits = {"gate": Gate(Limits(min_pass_rate=0.5)).to_dict()}
    judged = log(split=[1, 2], gated=False, **limits).test("test_gate", "failed", failures=1)
    good = log(split=[2, 2], gated=False, deselected_by_gate=other, **limits).test("test_other")
    code, found = rows(log, tmp_path / "a", judged.all(without_gate=1), good.all())
    assert (code, found["pass rate"]) == (1, "0% (0 of 1): test_it.py::test_gate")
    judged = log(split=[1, 2], gated=False, **limits).test("test_gate")
    bad = log(split=[2, 2], gated=False, deselected_by_gate=other, **limits).test("test_other", "failed", failures=1)
    assert rows(log, tmp_path / "b", judged.all(), bad.all(without_gate=1)) == (0, {})


def test_shards_that_do_not_belong_together_have_no_verdict(log: Any, tmp_path: Path) -> None:
    """One of another version, or one that an earlier job left behind."""
    new = log(split=[1, 2], gated=False).test("test_a").all()
    other = log(split=[2, 2], gated=False, version="0.0.1").test("test_b").all()
    assert rows(log, tmp_path / "a", new, other) == (11, {"pytest-wisebot": "0.0.1, 1"})
    old = log(split=[2, 2], gated=False, started="2025-11-26T12:00:00.000+00:00").test("test_b").all()
    assert rows(log, tmp_path / "b", new, old) == (11, {"shards": "s1 is older"})


def test_shards_of_two_commits_have_no_verdict(log: Any, tmp_path: Path) -> None:
    """Half of a suite says nothing of the other half's commit; one whose commit is unknown is no contradiction."""
    one = log(split=[1, 2], gated=False, build={"commit": "a" * 40}).test("test_a").all()
    other = log(split=[2, 2], gated=False, build={"commit": "b" * 40}).test("test_b").all()
    assert rows(log, tmp_path / "a", one, other) == (11, {"commit": "aaaaaaaaaa, bbbbbbbbbb"})
    unknown = log(split=[2, 2], gated=False).test("test_b").all()
    assert rows(log, tmp_path / "b", one, unknown) == (0, {})


def test_a_shard_whose_part_is_empty_is_harmless(log: Any, tmp_path: Path) -> None:
    """Pytest's exit code 5 says that there was nothing to run; collected, its tests are in another shard."""
    one = log(split=[1, 2], gated=False).test("test_a").all()
    empty = log(split=[2, 2], gated=False, deselected=["test_it.py::test_a"]).all(without_gate=5)
    assert rows(log, tmp_path / "a", one, empty) == (0, {})
    nothing = log(split=[2, 2], gated=False).all(without_gate=5)
    assert rows(log, tmp_path / "b", one, nothing)[0] == 11
