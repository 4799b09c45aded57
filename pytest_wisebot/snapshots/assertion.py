"""``workflow_snapshot``: syrupy's assertion, with what this package knows of runs, rules and shared snapshots."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never

from syrupy.assertion import DiffMode, SnapshotAssertion
from syrupy.location import PyTestLocation
from syrupy.session import SnapshotSession

from ..originals import os
from .extension import WorkflowSnapshotExtension, read
from .serialize import ASKABLE, ComparisonContext, ComparisonOptions, SerializedValue, as_stored, receive
from .write_conflicts import Claim, Claims

if TYPE_CHECKING:
    from .remarks import KeptHistory

_NOTHING_ASKED = ComparisonOptions()


@dataclass
class SnapshotContext:
    """What all snapshots of a process share.

    Attributes:
        claims: who has given a snapshot its value while snapshots are updated.
        whole: differences are shown whole, ``-vv``.
        root: what the paths of files are shown relative to.
        sections: differences that were too long for the line of the assertion: a title and lines.
        touched: told each file that is compared with, or written.
        kept: earlier runs, of which a snapshot that is red or new says what differs from run to run.
        notes: what is said of new snapshots at the end of the session.
        earlier: told each file whose placeholders of an earlier version accepted a value.
    """

    claims: Claims = field(default_factory=Claims)
    whole: bool = False
    root: Path = field(default_factory=Path.cwd)
    sections: list[tuple[str, list[str]]] = field(default_factory=list)
    touched: Callable[[Path], object] = str
    kept: Callable[[], KeptHistory | None] = lambda: None
    notes: list[str] = field(default_factory=list)
    earlier: Callable[[Path], object] = str


class WorkflowSnapshot(SnapshotAssertion):
    """Compares a run, or any JSON value, with what was recorded; made by the fixture ``workflow_snapshot``.

    ``assert run == workflow_snapshot`` compares ``ok``, ``result`` and ``error``. Call it to say more of the next
    comparison: ``assert run == workflow_snapshot(rules={"summary": IsStr(min_length=40)})``.

    Args:
        session: syrupy's.
        test: the test's place.
        desk: what all of them share.
        around: what a comparison takes from the session.
        update_snapshots: what differs is written.
        update_new_snapshots_only: only what is not there yet is written.
        execution: what the snapshots of one execution of the test have in common, such as all of its trials, which
            must agree on what is written; None: this one has it to itself.
    """

    takes_runs = True
    """As syrupy's own assertions do not (see `patches`)."""

    def __init__(
        self,
        session: SnapshotSession,
        test: Any,
        *,
        desk: SnapshotContext,
        around: Callable[[], ComparisonContext],
        update_snapshots: bool = False,
        update_new_snapshots_only: bool = False,
        execution: Hashable | None = None,
    ) -> None:
        self._execution = (os.getpid(), execution if execution is not None else id(self))
        self._desk = desk
        self._around = around
        self._asked = _NOTHING_ASKED
        self._refusal = ""
        self._against: str | None = None
        self._compared: tuple[object, SerializedValue, ComparisonOptions] | None = None
        super().__init__(
            session=session,
            extension_class=WorkflowSnapshotExtension,
            test_location=PyTestLocation(test),
            update_snapshots=update_snapshots,
            update_new_snapshots_only=update_new_snapshots_only,
        )

    def __call__(  # type: ignore[override]
        self,
        *,
        name: str | None = None,
        rules: Mapping[str, object] | None = None,
        exclude: str | Collection[str] | None = None,
        shape: bool = False,
        failed: bool = False,
        **unknown: Never,
    ) -> WorkflowSnapshot:
        """Says more of the next comparison.

        Paths are those of the stored JSON, such as ``result.items[*].score`` and ``error.code``; for a run they are
        looked for in its result first, ``items[*].score``, unless they begin with ``$``.

        Args:
            name: a name of its own for this snapshot, in the place of its number.
            rules: paths, and what the values there must equal, such as dirty_equals' values. A value that does is
                stored and compared as the rule's text.
            exclude: paths of values that are left out.
            shape: compare structure and types alone.
            failed: a run that failed may be recorded.
            **unknown: nothing else.

        Raises:
            TypeError: an argument is unknown or wrong; the message names it.
            ValueError: the name holds a credential.
        """
        __tracebackhide__ = True
        if unknown:
            given = ", ".join(f"{argument}=" for argument in sorted(unknown))
            raise TypeError(f"workflow_snapshot: {given} is none of its arguments; they are {ASKABLE}")
        if name is not None and (not isinstance(name, str) or not name):
            raise TypeError(f"workflow_snapshot: name= is a string that is not empty, got {name!r}")
        if name is not None and (clean := self._around().clean_text(name)) != name:
            raise ValueError(f"workflow_snapshot: name= holds a credential, and would be a file's name: {clean}")
        self._asked = ComparisonOptions.checked(rules=rules, exclude=exclude, shape=shape, failed=failed)
        super().__call__(name=name)
        return self

    def with_defaults(self, **_: Any) -> Never:
        """Not for this one: its extension and its filters are its own.

        Raises:
            TypeError: always.
        """
        raise TypeError(f"workflow_snapshot has its own extension; for one comparison call it with {ASKABLE}")

    @property
    def name(self) -> str:
        """The name of what was compared last, as syrupy shows it."""
        last = self.executions.get(self.num_executions - 1)
        return last.snapshot_name if last is not None else "workflow_snapshot"

    def __repr__(self) -> str:
        return f"<workflow_snapshot of {self.test_location.testname}>"

    __hash__ = SnapshotAssertion.__hash__

    def __eq__(self, other: object) -> bool:
        __tracebackhide__ = True
        asked, self._asked = self._asked, _NOTHING_ASKED
        try:
            received = self._as_stored(other, asked) or receive(other, asked, self._around())
        except BaseException as error:
            self._post_assert()  # what was said of this comparison is not said of the next
            if isinstance(error, ValueError):  # the user's own, and in words: where it was found says nothing more
                raise error.with_traceback(None) from None
            raise
        updates = self.update_snapshots, self.update_new_snapshots_only
        received.takes_earlier = not self.update_snapshots
        self._refusal = self._why_not_recorded(received, asked)
        self._compared = other, received, asked
        if self._refusal or received.broken:
            self.update_snapshots = self.update_new_snapshots_only = False
        try:
            return super().__eq__(received)
        finally:
            self.update_snapshots, self.update_new_snapshots_only = updates
            received.received = None  # syrupy keeps what was compared until the session's end
            if (last := self.executions.get(self.num_executions - 1)) is not None:
                location = self._desk.root / last.snapshot_location  # absolute; a `Path` may be pyfakefs'
                self._desk.touched(location)
                if received.is_earlier:
                    self._desk.earlier(location)
                if last.created or last.updated:
                    self._note_of_recording(last.snapshot_location)
                if last.success:
                    self._compared = None  # syrupy keeps this object until the session's end

    def _as_stored(self, value: object, asked: ComparisonOptions) -> SerializedValue | None:
        """The text of a value that equals the snapshot as it is; None where the two have to be compared in full."""
        extension = self.extension
        assert isinstance(extension, WorkflowSnapshotExtension)
        if self.update_snapshots or asked != _NOTHING_ASKED:
            extension.just_read = "", None
            return None
        location = extension.get_location(test_location=self.test_location, index=self.index)
        stored = read(location)
        extension.just_read = location, stored
        return None if stored is None else as_stored(value, stored)

    # --- what is not recorded

    def _why_not_recorded(self, received: SerializedValue, asked: ComparisonOptions) -> str:
        """Why this value is not recorded, where it would be; empty if it is."""
        self._against = None
        updating = self.update_snapshots or self.update_new_snapshots_only
        if not updating and not received.failed:
            return ""
        location = self.extension.get_location(test_location=self.test_location, index=self.index)
        stored = read(location)
        same = stored is not None and self.extension.matches(serialized_data=received, snapshot_data=stored)
        if received.failed and not asked.failed and not same:
            if stored is not None and not self.update_snapshots:
                return received.failed
            return f"{received.failed}: this snapshot is recorded only by workflow_snapshot(failed=True)"
        written = same or stored is None or self.update_snapshots
        if not (updating and written) or received.broken:
            return ""
        claim = Claim(location, self.test_location.nodeid, str(received))
        earlier = self._desk.claims.made(claim, self._execution)
        self._against = earlier.text if earlier else None
        return _of_a_shared_one(earlier, location) if earlier else ""

    # --- what a failure shows

    def get_assert_diff(self, *, diff_mode: DiffMode = DiffMode.DETAILED) -> list[str]:
        """The lines below syrupy's own; what is too long for them goes into a section of the report."""
        from . import failure  # loaded for those that fail

        result = self.executions[self.num_executions - 1]
        where = failure.shown(result.snapshot_location, self._desk.root)
        said = [self._refusal] if self._refusal else []
        if result.exception is not None:
            return [*said, f"{where}: {type(result.exception).__name__}: {result.exception}"]
        expected = self._against if self._against is not None else result.recalled_data
        received = result.asserted_data
        assert isinstance(received, SerializedValue)
        lines = [*said, *failure.of_the_file(expected, received, where, refused=bool(said))]
        if diff_mode == DiffMode.DETAILED:
            lines += failure.differences(expected, received, whole=self._desk.whole)
            lines += self._remarks(str(expected)) if expected is not None else []
        if failure.fits(lines):
            return failure.styled(lines)
        title = f"snapshot {where}"
        self._desk.sections.append((title, lines))
        return [
            *failure.styled(failure.first(lines)),
            f'... all {len(lines)} lines are below, in the section "{title}"',
        ]

    # --- what earlier runs say

    def _note_of_recording(self, location: str) -> None:
        if lines := self._remarks(None):
            from . import failure

            where = failure.shown(location, self._desk.root)
            self._desk.notes.append("\n".join([f"recorded {where}, of which", *(f"  {line}" for line in lines)]))

    def _remarks(self, expected: str | None) -> list[str]:
        """What earlier runs of equal inputs say; nothing where they cannot be read: no comparison fails by that."""
        from . import remarks

        with suppress(Exception):
            kept = self._desk.kept()
            if kept is not None and self._compared is not None:
                value, received, asked = self._compared
                compared = remarks.Compared(value, received, asked, self._around())
                if expected is None:
                    return remarks.of_a_recording(compared, kept)
                return remarks.of_a_difference(compared, expected, kept)
        return []


def _of_a_shared_one(earlier: Claim, location: str) -> str:
    if earlier.location != location:
        return f"{earlier.test} has a snapshot whose name differs by case alone: on Windows and macOS they are one file"
    return f"{earlier.test} has given this snapshot another value in this session, and one file holds one value"


def is_same(received: SerializedValue, stored: str) -> bool:
    """Whether a snapshot file's text accepts a value."""
    return WorkflowSnapshotExtension().matches(serialized_data=received, snapshot_data=stored)
