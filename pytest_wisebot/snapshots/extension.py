"""The syrupy extension: where snapshots stand, how they are named, written and compared.

syrupy makes an extension without arguments, and on xdist's controller from its dotted name alone; there a test is known
by its node id alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from syrupy.data import SnapshotCollection
from syrupy.extensions.single_file import SingleFileSnapshotExtension
from syrupy.location import PyTestLocation
from syrupy.types import PropertyFilter, PropertyMatcher, SerializableData, SerializedData, SnapshotIndex

from ..files import make_folder, reachable, write_whole
from ..originals import io, os
from .json_codec import dumps, loads
from .naming import folders, name_of_test, stem
from .serialize import SerializedValue

NOT_REMOVED: list[str] = []
"""Unused files that could not be removed, and why: syrupy removes them when the session ends, and tells no test."""


class WorkflowSnapshotExtension(SingleFileSnapshotExtension):
    """JSON with sorted keys, one file for each snapshot."""

    file_extension = "json"
    just_read: tuple[str, str | None] = ("", None)
    """A file and its text, which the comparison that follows does not read again."""

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
        if serialized_data == snapshot_data:
            return True
        try:  # a formatter may have been over the file: its text as this package writes it
            stored = loads(str(snapshot_data))
            rewritten = dumps(stored)
        except (ValueError, RecursionError):
            return False
        if not isinstance(serialized_data, SerializedValue) or serialized_data == rewritten:
            return bool(serialized_data == rewritten)
        return serialized_data.is_accepted(stored, rewritten)

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
        return _location(test_location, index, str(cls.snapshot_dirname))

    @classmethod
    def get_snapshot_name(cls, *, test_location: PyTestLocation, index: SnapshotIndex = 0) -> str:
        """The name of the snapshot, which is its file's without the extension."""
        return _name(test_location, index)

    @classmethod
    def matches_test_location(cls, *, test_location: PyTestLocation, snapshot_location: str) -> bool:
        """Whether the file is a snapshot of the test's module, of which syrupy then compares the names."""
        return os.path.dirname(snapshot_location) == cls.dirname(test_location=test_location)

    def owns_snapshot_collection(self, *, filepath: str, test_location: PyTestLocation) -> bool:
        """Whether a file below the folder of all modules is a snapshot: it stands in the folder of a module."""
        folder = self.discovery_dirname(test_location=test_location)
        return filepath.endswith(".json") and os.path.dirname(os.path.dirname(filepath)) == folder

    # --- files

    def read_snapshot_data_from_location(
        self, *, snapshot_location: str, snapshot_name: str, session_id: str
    ) -> SerializableData | None:
        """The text of a snapshot file; None where there is none."""
        del snapshot_name, session_id
        (location, text), self.just_read = self.just_read, ("", None)
        return text if location == snapshot_location else read(snapshot_location)

    @classmethod
    def write_snapshot_collection(
        cls, *, snapshot_collection: SnapshotCollection, name_order: dict[str, int] | None = None
    ) -> None:
        """Writes the one snapshot of a file at once or not at all: no worker, and no killed session, leaves a half."""
        del name_order
        make_folder(Path(snapshot_collection.location).parent)  # syrupy's is within a fake file system, if there is one
        # Its temporary file begins with a dot: syrupy does not take that of a killed process for a snapshot.
        write_whole(snapshot_collection.location, str(next(iter(snapshot_collection)).data).encode("utf-8"))

    def delete_snapshots(self, *, snapshot_location: str, snapshot_names: set[str]) -> None:
        """Removes a file; one that cannot be removed keeps syrupy from none of the others."""
        del snapshot_names
        try:
            Path(reachable(snapshot_location)).unlink(missing_ok=True)
        except OSError as error:
            NOT_REMOVED.append(f"{snapshot_location} cannot be removed: {error.strerror}")


# --- for the test that runs


@lru_cache(maxsize=16)
def _name(location: PyTestLocation, index: SnapshotIndex) -> str:
    return stem(name_of_test(location), index)


@lru_cache(maxsize=16)
def _location(location: PyTestLocation, index: SnapshotIndex, dirname: str) -> str:
    return os.path.join(folders(location.filepath, dirname)[1], f"{_name(location, index)}.json")


def read(location: str) -> str | None:
    """The text of a snapshot file; None where there is none.

    What is not UTF-8 becomes lone surrogates, which no file that was written here holds.
    """
    try:
        # A checkout may have made CRLF of its line ends.
        with io.open(reachable(location), encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except FileNotFoundError:
        return None
