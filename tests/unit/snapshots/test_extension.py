"""The extension by itself, as syrupy asks it: with tests, and on a controller with what is known of them there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from syrupy.data import Snapshot, SnapshotCollection
from syrupy.location import PyTestLocation

from pytest_wisebot.snapshots.extension import WorkflowSnapshotExtension
from pytest_wisebot.snapshots.json_codec import NotJsonError
from pytest_wisebot.snapshots.naming import name_of_test, place_of
from pytest_wisebot.snapshots.serialize import SerializedValue


class Item(SimpleNamespace):
    __hash__ = object.__hash__  # type: ignore[assignment]


def item(name: str, parts: list[str] | None = None, params: list[str] | None = None, *marks: str) -> Any:
    """A test as pytest has it."""
    nodeid = f"tests/test_it.py::{name}"
    *_, last = name.split("::")
    found = Item(
        nodeid=nodeid, name=last, path=Path("/project/tests/test_it.py"), config=None,
        obj=SimpleNamespace(__module__="test_it", __name__=last.partition("[")[0]),
        iter_markers=lambda _: [SimpleNamespace(args=(mark,), kwargs={}) for mark in marks],
    )  # fmt: skip
    if parts is not None:
        values = dict.fromkeys(params or (), "webhook")
        found.callspec = SimpleNamespace(params=values, _idlist=parts, id="-".join(parts))
    return found


def by_name(test: Any) -> Any:
    """The same as xdist's controller has it."""
    return Item(nodeid=test.nodeid, name=test.name, path=test.path, obj=test.obj)


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (item("test_it"), "test_it"),
        (item("TestIt::test_it"), "TestIt.test_it"),
        (item("test_it", [], ["hidden"]), "test_it[]"),
        (item("test_it[webhook]", ["webhook"], ["wisebot_api"]), "test_it"),
        (item("test_it[wh]", ["wh"], ["wisebot_api"]), "test_it"),
        (item("test_it[webhook]", ["webhook"], ["other"]), "test_it[webhook]"),
        (item("test_it[webhook-a-b]", ["webhook", "a-b"], ["wisebot_api", "x"]), "test_it[a-b]"),
        (item("test_it[a-b-webhook]", ["a-b", "webhook"], ["x", "wisebot_api"]), "test_it[a-b]"),
        (item("test_it[webhook-webhook]", ["webhook", "webhook"], ["x", "wisebot_api"]), "test_it[webhook]"),
        (
            item("test_it[webhook-1-webhook]", ["webhook-1", "webhook"], ["x", "y", "wisebot_api"], "x, y"),
            "test_it[webhook-1]",
        ),
        # Several at once from a hook, which no mark tells: the part that says so is the API's.
        (item("test_it[a-1-webhook]", ["a-1", "webhook"], ["x", "y", "wisebot_api"]), "test_it[a-1]"),
        (item("test_it[a-1]", ["a-1"], ["x", "y", "wisebot_api"]), "test_it[a-1]"),
        # An API that was given together with another value has no part of its own.
        (item("test_it[webhook-1]", ["webhook-1"], ["wisebot_api", "x"], "wisebot_api, x"), "test_it[webhook-1]"),
    ],
)
def test_the_name_of_a_test_is_without_its_api(test: Any, expected: str) -> None:
    """The part that is the API's, wherever it stands, and no other of the same value."""
    assert name_of_test(PyTestLocation(test)) == expected


def test_places() -> None:
    """Beside the module, in a folder of its name, under the test's."""
    test = item("TestIt::test_it[a/b]", ["a/b"], ["x"])
    location = PyTestLocation(test)
    folder = str(Path("/project/tests/__snapshots__/test_it"))
    found = WorkflowSnapshotExtension.get_location(test_location=location, index=2)
    assert Path(found).parent == Path(folder)
    assert Path(found).name == "TestIt.test_it[a_b]~1657cc59.2.json"
    assert place_of(test) == (folder, "TestIt.test_it[a_b]~1657cc59")
    assert WorkflowSnapshotExtension.discovery_dirname(test_location=location) == str(Path(folder).parent)


def test_a_file_is_one_of_its_module() -> None:
    """Syrupy asks which files a test's module has, whatever is known of the test."""
    folder = Path("/project/tests/__snapshots__")
    matches = WorkflowSnapshotExtension.matches_test_location
    for test in (item("test_it[webhook-3]"), by_name(item("test_it[webhook-3]"))):
        location = PyTestLocation(test)
        assert matches(test_location=location, snapshot_location=str(folder / "test_it" / "any.json"))
        assert not matches(test_location=location, snapshot_location=str(folder / "test_that" / "test_it.json"))


def test_what_is_discovered_is_what_can_be_judged(tmp_path: Path) -> None:
    """Snapshots of all modules of the folder, and nothing of other people."""
    test = item("test_it")
    test.path = tmp_path / "test_it.py"
    for name in ("test_it/test_it.json", "test_gone/test_it.json", "other.json", "test_it/a.txt"):
        path = tmp_path / "__snapshots__" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1")
    extension = WorkflowSnapshotExtension()
    found = extension.discover_snapshots(test_location=PyTestLocation(test))
    assert sorted(Path(one.location).relative_to(tmp_path / "__snapshots__").as_posix() for one in found) == [
        "test_gone/test_it.json",
        "test_it/test_it.json",
    ]


def test_it_matches_by_value() -> None:
    """However the file is written; but nothing that breaks its rule, and nothing that is no JSON."""
    matches = WorkflowSnapshotExtension().matches
    text = '{\n  "a": 1\n}\n'
    assert matches(serialized_data=SerializedValue.of(text), snapshot_data=text)
    assert matches(serialized_data=SerializedValue.of(text), snapshot_data='{"a":1}')
    assert not matches(serialized_data=SerializedValue.of(text), snapshot_data='{"a": 1.0}')
    assert not matches(serialized_data=SerializedValue.of(text), snapshot_data='{"a": 1')
    assert not matches(serialized_data=SerializedValue.of(text), snapshot_data="[" * 100_000)
    assert not matches(serialized_data=SerializedValue.of(text, {("a",): "IsInt()"}), snapshot_data=text)


def test_it_can_be_used_by_syrupys_own_fixture(tmp_path: Path) -> None:
    """As ``--snapshot-default-extension``: exact JSON, without what only ``workflow_snapshot`` knows."""
    extension = WorkflowSnapshotExtension()
    assert extension.serialize({"b": 1, "a": "é"}) == '{\n  "a": "é",\n  "b": 1\n}\n'
    with pytest.raises(NotJsonError):
        extension.serialize({1: 2})
    assert list(extension.diff_lines('{"a": 2}', '{"a": 1}')) == ["a", "  - 1", "  + 2"]
    collection = SnapshotCollection(location=str(tmp_path / "test_it.json"))
    collection.add(Snapshot(name="test_it", data="1\n"))
    extension.write_snapshot_collection(snapshot_collection=collection)
    assert (
        extension.read_snapshot_data_from_location(
            snapshot_location=collection.location, snapshot_name="test_it", session_id=""
        )
        == "1\n"
    )
    extension.delete_snapshots(snapshot_location=collection.location, snapshot_names={"test_it"})
    assert list(tmp_path.iterdir()) == []
