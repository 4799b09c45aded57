"""The syrupy extension: where snapshots stand, how they are named, written and compared.

syrupy makes an extension without arguments, and on xdist's controller from its dotted name alone; there it knows of a
test no more than its node id. What is of one session is therefore set from outside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from syrupy.data import SnapshotCollection, SnapshotCollections
from syrupy.extensions.single_file import SingleFileSnapshotExtension
from syrupy.location import PyTestLocation
from syrupy.types import PropertyFilter, PropertyMatcher, SerializableData, SerializedData, SnapshotIndex

from ..originals import os
from . import files
from .json_codec import dumps, loads
from .naming import folders, name_of_test, possible_names
from .serialize import SerializedValue


def no_file(location: str) -> bool:
    """No snapshot is left out."""
    del location
    return False


class WorkflowSnapshotExtension(SingleFileSnapshotExtension):
    """JSON with sorted keys, one file for each snapshot.

    Attributes:
        leaves_out: whether a snapshot file is none that this session can tell whether it is used.
    """

    file_extension = "json"
    leaves_out: Callable[[str], bool] = staticmethod(no_file)

    def serialize(
        self,
        data: SerializableData,
        *,
        exclude: PropertyFilter | None = None,
        include: PropertyFilter | None = None,
        matcher: PropertyMatcher | None = None,
    ) -> SerializedData:
        """The text of a value; one that ``workflow_snapshot`` has received is text already."""
        del exclude, include, matcher
        return data if isinstance(data, SerializedValue) else dumps(data)

    def matches(self, *, serialized_data: SerializableData, snapshot_data: SerializableData) -> bool:
        """Whether both are the same JSON, and no rule is broken: a snapshot may be older than its rule."""
        if isinstance(serialized_data, SerializedValue) and serialized_data.broken:
            return False
        return bool(serialized_data == snapshot_data) or serialized_data == _rewritten(snapshot_data)

    def diff_lines(self, serialized_data: SerializedData, snapshot_data: SerializedData) -> Iterator[str]:
        """The differences, without colours."""
        from .diff import diff_lines  # loaded for those that fail

        yield from diff_lines(loads(str(snapshot_data)), loads(str(serialized_data)))

    # --- names and places: syrupy asks for each of them many times in a comparison

    @classmethod
    def dirname(cls, *, test_location: PyTestLocation) -> str:
        """The folder of a test module's snapshots."""
        return folders(test_location.filepath, str(cls.snapshot_dirname))[1]

    @classmethod
    def discovery_dirname(cls, *, test_location: PyTestLocation) -> str:
        """The folder of the snapshots of all test modules of a folder: those of a module that is gone are unused."""
        return folders(test_location.filepath, str(cls.snapshot_dirname))[0]

    @classmethod
    def get_location(cls, *, test_location: PyTestLocation, index: SnapshotIndex) -> str:
        """The file of a snapshot."""
        name = cls.get_snapshot_name(test_location=test_location, index=index)
        return os.path.join(cls.dirname(test_location=test_location), f"{name}.json")

    def owns_snapshot_collection(self, *, filepath: str, test_location: PyTestLocation) -> bool:
        """Whether a file below that folder is a snapshot: it stands in the folder of a module."""
        folder = self.discovery_dirname(test_location=test_location)
        return filepath.endswith(".json") and os.path.dirname(os.path.dirname(filepath)) == folder

    @classmethod
    def get_snapshot_name(cls, *, test_location: PyTestLocation, index: SnapshotIndex = 0) -> str:
        """The name of the snapshot, which is its file's without the extension."""
        return files.stem(name_of_test(test_location), index)

    @classmethod
    def matches_test_location(cls, *, test_location: PyTestLocation, snapshot_location: str) -> bool:
        """Whether the file may hold a snapshot of this test."""
        folder, name = os.path.split(snapshot_location)
        if not name.endswith(".json") or folder != cls.dirname(test_location=test_location):
            return False
        stems = map(files.stem_of_test, possible_names(test_location))
        return not files.stems_of_tests(name.removesuffix(".json")).isdisjoint(stems)

    def discover_snapshots(
        self, *, test_location: PyTestLocation, ignore_extensions: list[str] | None = None
    ) -> SnapshotCollections:
        """The snapshots beside a test module, of which syrupy tells the unused ones."""
        found = super().discover_snapshots(test_location=test_location, ignore_extensions=ignore_extensions)
        kept = SnapshotCollections()
        for collection in found:
            if not self.leaves_out(collection.location):
                kept.add(collection)
        return kept

    # --- files

    def read_snapshot_data_from_location(
        self, *, snapshot_location: str, snapshot_name: str, session_id: str
    ) -> SerializableData | None:
        """The text of a snapshot file; None where there is none."""
        del snapshot_name, session_id
        return files.read(snapshot_location)

    @classmethod
    def write_snapshot_collection(
        cls, *, snapshot_collection: SnapshotCollection, name_order: dict[str, int] | None = None
    ) -> None:
        """Writes the one snapshot of a file."""
        del name_order
        files.write(snapshot_collection.location, str(next(iter(snapshot_collection)).data))

    def delete_snapshots(self, *, snapshot_location: str, snapshot_names: set[str]) -> None:
        """Removes a file."""
        del snapshot_names
        Path(snapshot_location).unlink(missing_ok=True)


def _rewritten(snapshot: SerializableData) -> str | None:
    """A snapshot's text as this package writes it: a formatter may have been over it. None if it is no JSON."""
    try:
        return dumps(loads(str(snapshot)))
    except (ValueError, RecursionError):
        return None
