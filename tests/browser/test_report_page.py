"""``report.html`` in a real browser, scripts off as on a CI server: quiet, complete, usable by all, good to look at."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from pytest_wisebot.report.model import Model

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

HERE = Path(__file__).parent

Report = Callable[..., tuple[Model, str]]
Theme = Literal["light", "dark"]


@contextmanager
def opened(
    browser: Browser, address: str, *, scripts: bool = False, width: int = 1280, theme: Theme = "light"
) -> Iterator[Page]:
    """A page in a window of its own; it asked for itself and its style alone, and said nothing to the console."""
    page = browser.new_page(
        viewport={"width": width, "height": 900},
        color_scheme=theme,
        java_script_enabled=scripts,
        reduced_motion="reduce",
    )
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(address)
    yield page
    own = {address, address.replace("report.html", "report.css")}
    assert {url.partition("#")[0] for url in asked if not url.startswith("data:")} == own
    assert said == []
    page.close()


def test_no_request_leaves_and_every_run_has_its_bar(browser: Browser, report: Report) -> None:
    """With scripts off the page is all there: it asks for nothing but itself, and draws each run once."""
    model, address = report(300)
    with opened(browser, address) as page:
        bars = page.locator(".bar")
        assert bars.count() == len(model.runs)
        assert page.locator(".bar[data-run]").count() == len(model.runs)
        assert page.locator("h1").inner_text() == "GATE CLOSED"


def test_a_server_that_forbids_styles_in_pages_shows_its_colours(browser: Browser, report: Report) -> None:
    """By the policy that Jenkins has by default, the page takes its style from the file beside it."""
    _, address = report(26)
    policy = "sandbox allow-same-origin; default-src 'none'; img-src 'self'; style-src 'self';"
    folder = Path(address.removeprefix("file://")).parent
    page = browser.new_page(java_script_enabled=False)

    def answer(route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        kind = "text/css" if name.endswith(".css") else "text/html"
        route.fulfill(
            path=folder / name, content_type=f"{kind}; charset=utf-8", headers={"Content-Security-Policy": policy}
        )

    page.route("**/*", answer)
    page.goto("http://jenkins.example/job/1/report.html")
    painted = page.locator(".banner").evaluate("one => getComputedStyle(one).backgroundColor")
    assert painted == "rgb(168, 30, 36)"
    page.close()


def test_every_bar_can_be_seen(browser: Browser, report: Report) -> None:
    """Of three thousand runs none is drawn outside of the picture, or too small for an eye."""
    model, address = report(3000)
    with opened(browser, address, scripts=True) as page:
        boxes = page.evaluate(
            "[...document.querySelectorAll('.bar')].map(bar => bar.getBoundingClientRect())"
            ".map(box => [box.left, box.right, box.width, box.height])"
        )
        assert len(boxes) == len(model.runs)
        for left, right, width, height in boxes:
            assert 0 <= left <= right <= 1280
            assert width >= 1
            assert height >= 1


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_rows_open_by_keyboard(key: str, browser: Browser, report: Report) -> None:
    """Tab leads to the row of a test, and a key opens it: why it failed, what was sent, and what came."""
    _, address = report(26)
    with opened(browser, address) as page:
        row = page.locator("details.test").first
        summary = row.locator("> summary")
        for _ in range(200):
            page.keyboard.press("Tab")
            if summary.and_(page.locator(":focus")).count():
                break
        else:
            pytest.fail("no Tab leads to the first row")
        assert not row.locator(".run").first.is_visible()
        page.keyboard.press(key)
        assert row.locator("pre").first.is_visible()
        page.keyboard.press("Tab")
        assert row.locator(":focus").count() == 1
        page.keyboard.press("Shift+Tab")
        page.keyboard.press(key)
        assert not row.locator("pre").first.is_visible()


def test_a_bar_opens_its_run(browser: Browser, report: Report) -> None:
    """A click on a bar leads to its run, out of a folded list and a closed row, without a script."""
    model, address = report(300)
    run = next(run for test in model.tests if test.outcome == "passed" for run in test.runs if run.is_live)
    with opened(browser, address) as page:
        bar = page.locator(f'.bar[data-run="{run.reference}"]')
        target = page.locator(str(bar.get_attribute("href")))
        assert not target.is_visible()
        bar.locator("rect").last.click(force=True)
        assert target.is_visible()
        assert f"{run.run_id}" in target.inner_text()


@pytest.mark.parametrize("width", [1280, 700, 360])
def test_the_page_is_never_wider_than_its_window(width: int, browser: Browser, report: Report) -> None:
    """On a telephone as on a desk, nobody has to scroll sideways to read, whatever is open."""
    _, address = report(60)
    with opened(browser, address, scripts=True, width=width) as page:
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_print_shows_what_failed(browser: Browser, report: Report) -> None:
    """On paper, where nobody can open anything, why a test failed is open already; the theme is the light one."""
    _, address = report(120)
    with opened(browser, address, theme="dark") as page:
        page.emulate_media(media="print", color_scheme="dark")
        failing = page.locator("details.test.failing").first
        assert failing.locator("pre").first.is_visible()
        assert not page.locator("nav").is_visible()
        page.screenshot()
        assert page.pdf().startswith(b"%PDF")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("media", ["screen", "print"])
def test_axe_finds_nothing(media: Literal["screen", "print"], theme: Theme, browser: Browser, report: Report) -> None:
    """Contrast, roles, names, landmarks and tables are as WCAG AA and the best practice want them, open or closed."""
    axe = _axe()
    _, address = report(60)
    with opened(browser, address, scripts=True, theme=theme) as page:
        page.emulate_media(media=media)
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        page.evaluate(axe)
        found: dict[str, Any] = page.evaluate(
            "axe.run(document, {resultTypes: ['violations', 'incomplete'], preload: false})"
        )
        violations = {
            one["id"]: [(node["html"][:200], node["failureSummary"]) for node in one["nodes"][:3]]
            for one in found["violations"]
        }
        assert violations == {}


def _axe() -> str:
    """The source of axe-core, which the variable ``AXE`` names, itself or the folder that npm has put it in."""
    named = os.environ.get("AXE")
    if not named:
        pytest.skip("no axe-core: install it with npm, and name its folder by AXE")
    path = Path(named)
    path = path if path.is_file() else path / "node_modules" / "axe-core" / "axe.min.js"
    return path.read_text("utf-8")


# --- how it looks


COLUMNS, ROWS = 32, 24


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_looks_as_it_did(theme: Theme, browser: Browser, report: Report) -> None:
    """Seen from afar, so that another machine's fonts make no difference, the page has the colours that it had.

    ``LOOK=keep`` writes the references anew.
    """
    _, address = report(26)
    with opened(browser, address, theme=theme) as page:
        found = _from_afar(page.screenshot())
    reference = HERE / f"{theme}.png"
    if os.environ.get("LOOK") == "keep":
        _image().frombytes("RGB", (COLUMNS, ROWS), found).save(reference)
    with _image().open(reference) as kept:
        expected = kept.convert("RGB").tobytes()
    differences = [abs(one - other) for one, other in zip(found, expected, strict=True)]
    assert sum(differences) / len(differences) < 8
    assert sum(difference > 90 for difference in differences) < len(differences) / 50


def test_the_themes_differ(browser: Browser, report: Report) -> None:
    """Who likes it dark gets it dark, and what tells of looks tells the two apart."""
    _, address = report(26)
    means = {}
    for theme in ("light", "dark"):
        with opened(browser, address, theme=theme) as page:
            afar = _from_afar(page.screenshot())
            means[theme] = sum(afar) / len(afar)
    assert means["light"] > 150
    assert means["dark"] < 70


def _from_afar(png: bytes) -> bytes:
    """A picture of few dots, each the mean of what is there."""
    image = _image()
    with image.open(io.BytesIO(png)) as shot:
        return bytes(shot.convert("RGB").resize((COLUMNS, ROWS), image.Resampling.BOX).tobytes())


def _image() -> Any:
    return pytest.importorskip("PIL.Image", reason="no picture can be read: Pillow is not installed")
