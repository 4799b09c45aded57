"""A real browser, where there is one: Debian's Chromium, or what the variable ``CHROMIUM`` names."""

from __future__ import annotations

import os
import runpy
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_wisebot.report.baseline import compare
from pytest_wisebot.report.changes import Side, compare_sessions
from pytest_wisebot.report.gate import judge
from pytest_wisebot.report.html import changes_page, html_report, style_sheet
from pytest_wisebot.report.log_reader import model_of
from pytest_wisebot.report.model import Model, Run

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MADE_UP = Path(__file__).parents[1] / "benchmarks" / "made_up.py"

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--font-render-hinting=none",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser without a window. It ends with its module: as long as it is there, no other test can run a loop."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("no browser: install chromium, or name one by CHROMIUM")
    api = pytest.importorskip("playwright.sync_api", reason="no browser: playwright is not installed")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, headless=True, args=ARGUMENTS)
        yield started
        started.close()


Opened = tuple[Model, str]


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Opened]:
    """Writes the page of a made-up session with so many runs: the session, and the page's address."""
    made_up = runpy.run_path(str(MADE_UP))

    @cache
    def write(runs: int) -> Opened:
        model = model_of(made_up["events"](runs, broken=1.6))
        return _written(model, None, tmp_path_factory.mktemp("report"))

    return write


@pytest.fixture(scope="session")
def every_way(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """The page of 60 tests of four workflows, of which some fail in each way there is."""
    made_up = runpy.run_path(str(MADE_UP))
    model = model_of(made_up["in_every_way"](60))
    return _written(model, model_of(made_up["events"](60, seed=8)), tmp_path_factory.mktemp("report"))


def _written(model: Model, before: Model | None, folder: Path) -> Opened:
    baseline = None if before is None else compare(model, before, "release 41")
    path = folder / "report.html"
    path.write_text(html_report(model, judge(model, baseline), baseline), "utf-8")
    path.with_name("report.css").write_text(style_sheet(), "utf-8")
    return model, path.as_uri()


@pytest.fixture(scope="session")
def changes(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a page that shows two sessions beside each other."""
    made_up = runpy.run_path(str(MADE_UP))
    a, b = model_of(made_up["events"](60, broken=0)), model_of(made_up["in_every_way"](60))

    def differs(before: Run, after: Run) -> list[str]:
        return ["result.category", f"  - {before.run_id}", f"  + {after.run_id}"]

    path = tmp_path_factory.mktemp("changes") / "report.html"
    path.write_text(changes_page(compare_sessions(Side("A", "before", a), Side("B", "after", b), differs)), "utf-8")
    path.with_name("report.css").write_text(style_sheet(), "utf-8")
    return path.as_uri()
