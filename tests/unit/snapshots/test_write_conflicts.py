"""While snapshots are updated, one file gets one value in a session, whoever comes first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_wisebot.snapshots.write_conflicts import Claim, Claims

FIRST = Claim("/s/test_it.json", "test_it[webhook]", "1\n")
SAME = Claim("/s/test_it.json", "test_it[dashboard]", "1\n")
OTHER = Claim("/s/test_it.json", "test_it[dashboard]", "2\n")


@pytest.fixture(params=["alone", "with others"])
def claims(request: pytest.FixtureRequest, tmp_path: Path) -> Claims:
    """The claims of a session in one process, and of one in several."""
    return Claims(tmp_path if request.param == "with others" else None)


def test_the_first_value_holds(claims: Claims) -> None:
    """The same value from another test is welcome; another one is told whose the first is, each time."""
    assert claims.made(FIRST, 1) is None
    assert claims.made(SAME, 2) is None
    assert claims.made(OTHER, 3) == FIRST
    assert claims.made(OTHER, 3) == FIRST
    assert claims.made(FIRST, 1) is None


def test_other_files_are_others(claims: Claims) -> None:
    """Each file has its own value; but for case, which is none on Windows and macOS."""
    assert claims.made(FIRST, 1) is None
    assert claims.made(Claim("/s/test_that.json", "test_that", "2\n"), 1) is None
    assert claims.made(Claim("/s/Test_It.json", "Test_It", "2\n"), 1) == FIRST


def test_one_execution_gives_one_value(claims: Claims) -> None:
    """A test that gives two of its snapshots one name gives it one value."""
    assert claims.made(FIRST, 1) is None
    assert claims.made(Claim(FIRST.location, FIRST.test, "2\n"), 1) == FIRST


def test_a_test_that_is_run_again_may_give_another_value(claims: Claims) -> None:
    """What counts then is the last execution's."""
    again = Claim(FIRST.location, FIRST.test, "3\n")
    assert claims.made(FIRST, 1) is None
    assert claims.made(again, 2) is None
    assert claims.made(SAME, 3) == again


def test_processes_meet_in_a_folder(tmp_path: Path) -> None:
    """What one process has claimed another one finds, and a test that is run again replaces it for both."""
    one, other = Claims(tmp_path), Claims(tmp_path)
    assert one.made(FIRST, 1) is None
    assert other.made(OTHER, 1) == FIRST
    again = Claim(FIRST.location, FIRST.test, "2\n")
    assert one.made(again, 2) is None
    assert Claims(tmp_path).made(SAME, 1) == again


def test_a_folder_that_is_not_there_is_no_folder(tmp_path: Path) -> None:
    """A worker on another machine claims for itself."""
    claims = Claims(tmp_path / "elsewhere")
    assert claims.made(FIRST, 1) is None
    assert claims.made(OTHER, 2) == FIRST


def wins(folder: Path, number: int) -> list[int]:
    claims = Claims(folder)
    made = [claims.made(Claim(f"/s/{name}.json", f"test[{number}]", str(number)), 1) for name in range(50)]
    return [name for name, earlier in enumerate(made) if earlier is None]


def test_of_many_at_once_one_comes_first(tmp_path: Path) -> None:
    """However many claim at the same moment, each file has exactly one value."""
    with ThreadPoolExecutor(8) as pool:
        won = pool.map(wins, [tmp_path] * 8, range(8))
    assert sorted(name for names in won for name in names) == list(range(50))


def test_claims_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk below the temporary files fails no comparison: a process sees its own claims."""
    claims = Claims(tmp_path)

    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    assert claims.made(SAME, 1) is None
    assert list(tmp_path.iterdir()) == []
