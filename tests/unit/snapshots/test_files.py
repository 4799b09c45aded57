"""The name of a snapshot's file can be read, can be written on every system, and is no other test's."""

from __future__ import annotations

import os
import re
import stat
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from syrupy.location import PyTestLocation

from pytest_wisebot.snapshots.extension import WorkflowSnapshotExtension, read
from pytest_wisebot.snapshots.naming import stem, stem_of_test, stems_of_tests


class Item(SimpleNamespace):
    __hash__ = object.__hash__  # type: ignore[assignment]


IDS = st.text(st.characters(codec="utf-8"), max_size=300) | st.text("aAbB/-_.[]~ 1", max_size=8)
INDICES = st.integers(0, 30) | IDS.filter(bool)


@pytest.mark.parametrize(
    ("test", "index", "expected"),
    [
        ("test_it", 0, "test_it"),
        ("test_it", 1, "test_it.1"),
        ("test_it", "third one", "test_it[third one]"),
        ("TestRefund.TestLarge.test_it", 0, "TestRefund.TestLarge.test_it"),
        ("test_it[eur-3.5]", 2, "test_it[eur-3.5].2"),
        ("test_it[True-None]", 0, "test_it[True-None]"),
        ("test_café", 0, "test_café"),
        ("test_it[a/b]", 0, "test_it[a_b]~306b0382"),
        ("test_it[caf\\xe9]", 0, "test_it[caf_xe9]~e7f0555d"),
        ("test_it[EUR]", 1, "test_it[EUR]~8ba86f8f.1"),
        ("test_it[true]", 0, "test_it[true]~d53d6c8c"),
        ("test_GET", 0, "test_GET~f8f82f7b"),
        ("test_it", "a: b", "test_it[a_ b]~75cd1899"),
        ("Con.test_it", 0, "Con_.test_it~b4f24cce"),
    ],
)
def test_names_can_be_read(test: str, index: int | str, expected: str) -> None:
    """Classes, parameters and number are there as pytest shows them; what had to be changed ends in a hash."""
    assert stem(test, index) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("test_it[a/b]", "test_it[ab]"),
        ("test_it[a/b]", "test_it[a_b]"),
        ("test_it[a/b]", "test_it[a?b]"),
        ("test_it[a]", "test_it[A]"),
        ("test_it[true]", "test_it[True]"),
        ("test_it[é]", "test_it[e\u0301]"),
        ("test_it[" + "x" * 300 + "1]", "test_it[" + "x" * 300 + "2]"),
        ("test_get", "test_GET"),
        ("TestA.test_it", "testa.test_it"),
        ("test_it[a_b]", "test_it[a b]"),
    ],
)
def test_two_tests_never_share_a_file(one: str, other: str) -> None:
    """Not by a character that a file cannot have in its name, by case, by how an accent is written, or by length."""
    assert stem(one).casefold() != stem(other).casefold()


@given(IDS, IDS)
@example("a", "A")
@example("a", "a]")
@example("a]~12345678", "a")
def test_different_parameters_have_different_files(one: str, other: str) -> None:
    """Whatever the ids are: only equal ones share a file, also where case does not count."""
    same = stem(f"test_it[{one}]").casefold() == stem(f"test_it[{other}]").casefold()
    assert same == (one == other)


@given(INDICES, INDICES)
def test_the_snapshots_of_one_test_have_different_files(one: int | str, other: int | str) -> None:
    """Whatever a test calls them."""
    same = stem("test_it", one).casefold() == stem("test_it", other).casefold()
    assert same == (one == other)


@given(IDS, INDICES)
@example("p" * 300, "n" * 80)
@example("é" * 300, "A" * 60)
def test_names_are_safe_on_every_system(parameters: str, index: int | str) -> None:
    """Not longer than 255 bytes with the extension, and without what Windows refuses."""
    name = f"{stem(f'TestIt.test_it[{parameters}]', index)}.json"
    assert len(name.encode()) <= 255
    assert re.search(r'[\x00-\x1f<>:"/\\|?*]', name) is None


@given(IDS, INDICES)
def test_a_file_is_found_to_be_its_tests(parameters: str, index: int | str) -> None:
    """From the name of any of its snapshots."""
    test = f"TestIt.test_it[{parameters}]"
    assert stem_of_test(test) in stems_of_tests(stem(test, index))
    assert stem_of_test(f"TestIt.test_it[{parameters}x]") not in stems_of_tests(stem(test, index))


def write(location: str, text: str) -> None:
    """As syrupy does it."""
    test = Item(
        nodeid="test_it.py::test_it", name="test_it", path=Path(location),
        obj=SimpleNamespace(__module__="test_it", __name__="test_it"),
    )  # fmt: skip
    with warnings.catch_warnings(action="ignore"):  # of a name that is not the test's
        WorkflowSnapshotExtension.write_snapshot(
            snapshot_location=location,
            snapshots=[(text, PyTestLocation(test), 0)],  # type: ignore[arg-type]
        )


def test_a_file_is_written_at_once(tmp_path: Path) -> None:
    """With its folder, in UTF-8 with plain line ends, over what was there, with the usual permissions, alone."""
    path = tmp_path / "__snapshots__" / "test_it" / "test_é.json"
    write(str(path), "old, and longer\n")
    write(str(path), '"é\\n"\n')
    assert path.read_bytes() == '"é\\n"\n'.encode()
    assert [file.name for file in path.parent.iterdir()] == ["test_é.json"]
    (tmp_path / "usual").touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old one is as it was, and no temporary file stays."""

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    path = tmp_path / "test_it.json"
    path.write_text("old", "utf-8")
    monkeypatch.setattr("pytest_wisebot.files.os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        write(str(path), "new")
    assert os.listdir(tmp_path) == ["test_it.json"]  # noqa: PTH208 - names alone
    assert path.read_text("utf-8") == "old"


def test_files_are_read_as_they_may_be(tmp_path: Path) -> None:
    """CRLF of a checkout is a line end, what is no UTF-8 can be told from text, and no file is None."""
    path = tmp_path / "test_it.json"
    assert read(str(path)) is None
    path.write_bytes(b'{\r\n  "a": 1\r\n}\r\n')
    assert read(str(path)) == '{\n  "a": 1\n}\n'
    path.write_bytes(b'"caf\xe9"')
    assert read(str(path)) == '"caf\udce9"'
