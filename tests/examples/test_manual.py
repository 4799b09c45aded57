"""Every block of code in the manual and the README is run, as it stands there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import Project
from manual import PAGES, ROOT, Reader, blocks


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: str(page.relative_to(ROOT)))
def test_a_reader_can_do_what_the_page_says(
    empty_project: Project, serve: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, page: Path
) -> None:
    """The files can be written, the commands end as they should, and the screens are those of the page."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # by which syrupy knows a worker
    Reader(empty_project, serve, monkeypatch, page).read()
