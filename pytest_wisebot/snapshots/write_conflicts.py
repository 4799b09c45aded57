"""Who has given a snapshot its value in this session.

Two tests share a snapshot where they hold the two APIs against each other. While snapshots are being updated the later
one would overwrite what the earlier one has written, and only the next session would fail. So each test claims the
snapshot for its value, and the one that comes too late with another value fails itself. Under xdist the two may run in
different processes: they meet in a folder that the session made for this.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

from ..originals import json, os


@dataclass(frozen=True)
class Claim:
    """A value for a snapshot.

    Attributes:
        location: the snapshot's file.
        test: who gives it.
        text: the value.
    """

    location: str
    test: str
    text: str


class Claims:
    """The claims of one session, the first for each file.

    Args:
        folder: where other processes of the session leave theirs; None if there are none.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder if folder is not None and folder.is_dir() else None  # another machine's is not here
        self._known: dict[str, tuple[Claim, Hashable]] = {}

    def made(self, claim: Claim, execution: Hashable) -> Claim | None:
        """Makes a claim.

        Args:
            claim: what is claimed.
            execution: tells the executions of a test apart: one that is run again may give another value.

        Returns:
            The claim that was there before, if its value is another one.
        """
        key = _key(claim.location)
        known = self._known.get(key)
        if known is None:
            earlier = self._left(key, claim)
            self._known[key] = (earlier, execution if earlier is claim else None)
        elif known[0].test == claim.test and known[1] not in (None, execution):
            self._left(key, claim, instead=True)
            earlier = claim
            self._known[key] = (claim, execution)
        else:
            earlier = known[0]
        return earlier if earlier.text != claim.text else None

    def _left(self, key: str, claim: Claim, *, instead: bool = False) -> Claim:
        """The claim that all processes see: this one, or one that was there before."""
        if self._folder is None:
            return claim
        if instead:
            shutil.rmtree(self._folder / key, ignore_errors=True)
        mine = self._folder / f"{os.getpid()}-{secrets.token_hex(8)}"
        try:
            mine.mkdir()
            (mine / "claim").write_text(json.dumps([claim.location, claim.test, claim.text]), "utf-8")
            mine.rename(self._folder / key)  # a folder with something in it is never replaced, on any system
        except OSError:
            shutil.rmtree(mine, ignore_errors=True)
            try:
                return Claim(*json.loads((self._folder / key / "claim").read_text("utf-8")))
            except OSError:  # no room in the folder of temporary files: this process sees its own claims alone
                return claim
        return claim


def _key(location: str) -> str:
    """One key for what is one file on Windows and macOS."""
    return hashlib.sha256(location.casefold().encode("utf-8", "backslashreplace")).hexdigest()
