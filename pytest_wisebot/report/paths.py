"""The files and folders that node ids name."""

from __future__ import annotations

from collections.abc import Iterable


def file_of(test: str) -> str:
    """The file of a test, from the rootdir."""
    return test.partition("::")[0]


def is_under(path: str, folders: Iterable[str]) -> bool:
    """Whether a path is one of these, or lies in one."""
    return any(
        path == folder or path.startswith(f"{folder}/") or (folder == "." and not path.startswith("../"))
        for folder in folders
    )
