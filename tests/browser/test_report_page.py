"""``report.html`` in a real browser, scripts off as on a CI server: quiet, complete, usable by all, good to look at."""

from __future__ import annotations

import http.server
import io
import itertools
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from pytest_wisebot.report.model import Model

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HERE = Path(__file__).parent

Opened = tuple[Model, str]
Report = Callable[..., Opened]
Theme = Literal["light", "dark"]
Media = Literal["screen", "print"]
THEMES: tuple[Theme, ...] = ("light", "dark")
MEDIA: tuple[Media, ...] = ("screen", "print")


class Windows:
    """The windows of a browser: one without scripts, as on a CI server, and one with them for what tests measure."""

    def __init__(self, browser: Browser) -> None:
        self._windows: dict[bool, Page] = {}
        self._browser = browser

    def window(self, *, scripts: bool = False, width: int = 1280, theme: Theme = "light") -> Page:
        """An empty window of this kind. To open a new one each time would take as long as the tests do."""
        if scripts not in self._windows:
            self._windows[scripts] = self._browser.new_page(java_script_enabled=scripts, reduced_motion="reduce")
        page = self._windows[scripts]
        page.goto("about:blank")
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(media="screen", color_scheme=theme)
        return page

    @contextmanager
    def opened(
        self, address: str, *, scripts: bool = False, width: int = 1280, theme: Theme = "light"
    ) -> Iterator[Page]:
        """A page in an empty window; it asked for itself and its style alone, and said nothing to the console."""
        page = self.window(scripts=scripts, width=width, theme=theme)
        asked: list[str] = []
        said: list[str] = []
        with (
            _listening(page, "request", lambda request: asked.append(request.url)),
            _listening(page, "console", lambda message: said.append(message.text)),
        ):
            page.goto(address)
            yield page
        own = {address, address.replace("report.html", "report.css")}
        assert {url.partition("#")[0] for url in asked if not url.startswith("data:")} == own
        assert said == []


@contextmanager
def _listening(page: Page, event: Any, note: Callable[[Any], None]) -> Iterator[None]:
    page.on(event, note)
    try:
        yield
    finally:
        page.remove_listener(event, note)


@pytest.fixture(scope="module")
def windows(browser: Browser) -> Windows:
    return Windows(browser)


def test_no_request_leaves_and_every_run_has_its_bar(windows: Windows, report: Report) -> None:
    """With scripts off the page is all there: it asks for nothing but itself, and draws each run once."""
    model, address = report(120)
    with windows.opened(address) as page:
        bars = page.locator(".bar")
        assert bars.count() == len(model.runs)
        assert page.locator(".bar[data-run]").count() == len(model.runs)
        assert page.locator("h1").inner_text() == "GATE CLOSED"


POLICIES = {
    "Jenkins": "sandbox allow-same-origin; default-src 'none'; img-src 'self'; style-src 'self';",
    "GitLab": "default-src 'self'; base-uri 'self'; connect-src 'self'; font-src 'self'; "
    "form-action 'self' https: http:; frame-ancestors 'self'; img-src 'self' data: blob: http: https:; "
    "script-src 'strict-dynamic' 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "worker-src 'self' blob: data:; object-src 'none'",
    "files as they are": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
}
"""What servers of artifacts send: Jenkins by default, GitLab by default, and hosts of raw files."""


class _Served(http.server.SimpleHTTPRequestHandler):
    """Serves a folder under a policy."""

    policy = ""

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", self.policy)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Prints nothing."""


@contextmanager
def served(folder: Path, policy: str) -> Iterator[str]:
    """The address of a server of this folder that sends this policy."""
    handler = type("Served", (_Served,), {"policy": policy})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(timeout=30)


@pytest.mark.parametrize("name", POLICIES)
def test_the_policies_of_servers_leave_the_page_as_it_is(name: str, windows: Windows, every_way: Opened) -> None:
    """By the policy of each server the page has its colours and its true proportions, and its buttons work."""
    model, address = every_way
    with served(Path(address.removeprefix("file://")).parent, POLICIES[name]) as host:
        page = windows.window()
        page.goto(f"{host}/report.html")
        painted = page.locator(".banner").evaluate("one => getComputedStyle(one).backgroundColor")
        assert painted == "rgb(168, 30, 36)"
        widths = {
            word: page.locator(f".fill.{word}").first.bounding_box()["width"]  # type: ignore[index]
            for word in ("passed", "drift")
        }
        counts = Counter(test.outcome for test in model.tests if test.uses_runs)
        assert widths["passed"] / widths["drift"] == pytest.approx(counts["passed"] / counts["drift"], rel=0.3)
        page.locator("#show-drift").check()
        assert page.locator("details.test >> visible=true").count() == counts["drift"]


def test_every_bar_can_be_seen(windows: Windows, report: Report) -> None:
    """Of three thousand runs none is drawn outside of the picture, or too small for an eye."""
    model, address = report(3000)
    with windows.opened(address, scripts=True) as page:
        boxes = page.evaluate(
            "[...document.querySelectorAll('.bar')].map(bar => bar.getBoundingClientRect())"
            ".map(box => [box.left, box.right, box.width, box.height])"
        )
        assert len(boxes) == len(model.runs)
        for left, right, width, height in boxes:
            assert 0 <= left <= right <= 1280
            assert width >= 1
            assert height >= 1


def test_rows_open_by_keyboard(windows: Windows, report: Report) -> None:
    """Tab leads to the row of a test, and Enter or Space opens it: why it failed, what was sent, and what came."""
    _, address = report(26)
    with windows.opened(address) as page:
        row = page.locator("details.test").first
        summary = row.locator("> summary")
        for _ in range(200):
            page.keyboard.press("Tab")
            if summary.and_(page.locator(":focus")).count():
                break
        else:
            pytest.fail("no Tab leads to the first row")
        assert not row.locator(".run").first.is_visible()
        for key in ("Enter", "Space"):
            page.keyboard.press(key)
            assert row.locator("pre").first.is_visible()
            page.keyboard.press("Tab")
            assert row.locator(":focus").count() == 1
            page.keyboard.press("Shift+Tab")
            page.keyboard.press(key)
            assert not row.locator("pre").first.is_visible()


def test_a_bar_opens_its_run(windows: Windows, report: Report) -> None:
    """A click on a bar leads to its run, out of a folded list and a closed row, without a script."""
    model, address = report(120)
    run = next(run for test in model.tests if test.outcome == "passed" for run in test.runs if run.is_live)
    with windows.opened(address) as page:
        bar = page.locator(f'.bar[data-run="{run.reference}"]')
        target = page.locator(str(bar.get_attribute("href")))
        assert not target.is_visible()
        bar.locator("rect").last.click(force=True)
        assert target.is_visible()
        assert f"{run.run_id}" in target.inner_text()


def test_buttons_filter_without_a_script(windows: Windows, every_way: Opened) -> None:
    """Tab and the arrows choose an outcome and a workflow: what is left out is hidden, and that is stated."""
    model, address = every_way
    with windows.opened(address) as page:
        rows = page.locator("#tests .rows > li:not(.alike) >> visible=true")
        page.locator("#show-not-passed").check()
        assert page.locator("#tests-passed").is_hidden()
        assert page.get_by_text("Tests are hidden by these buttons.").is_visible()
        page.locator("#show-all").focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Tab")
        page.keyboard.press("ArrowDown")
        first = page.locator("fieldset").nth(1).locator("label").nth(1).inner_text().split()[0]
        assert rows.count() > 0
        assert all(first in text for text in page.locator("#tests .what >> visible=true").all_inner_texts())
        page.locator("#of-all").check()
        page.locator("#show-drift").check()
        assert rows.count() == sum(test.outcome == "drift" for test in model.tests)
        page.locator("#show-all").check()
        assert page.get_by_text("Tests are hidden by these buttons.").is_hidden()


def test_a_link_shows_its_test_whatever_is_hidden(windows: Windows, every_way: Opened) -> None:
    """The address of a test opens it, out of a fold of equal failures, and where a button hides it."""
    _, address = every_way
    with windows.opened(address) as page:
        inside = page.locator(".alike details.test .inside").last
        assert not inside.is_visible()
        page.locator("#show-passed").check()
        page.goto(f"{address}#{inside.get_attribute('id')}")
        assert inside.is_visible()


def test_equal_failures_are_one_row(windows: Windows, every_way: Opened) -> None:
    """A dozen tests that failed for the same reason take one row and a line that opens the others."""
    _, address = every_way
    with windows.opened(address) as page:
        line = page.get_by_text("12 tests: the same reason")
        fold = page.locator(".alike").filter(has=line)
        assert fold.locator("details.test >> visible=true").count() == 0
        line.click()
        assert fold.locator("details.test >> visible=true").count() == 11


def test_the_page_is_never_wider_than_its_window(windows: Windows, every_way: Opened) -> None:
    """On a telephone as on a desk, nobody has to scroll sideways to read, whatever is open."""
    _, address = every_way
    with windows.opened(address, scripts=True) as page:
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        for width in (1280, 700, 360):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_print_shows_what_failed(windows: Windows, report: Report) -> None:
    """On paper, where nobody can open anything, why a test failed is open already; the theme is the light one."""
    _, address = report(120)
    with windows.opened(address, theme="dark") as page:
        page.emulate_media(media="print", color_scheme="dark")
        failing = page.locator("details.test.failing").first
        assert failing.locator("pre").first.is_visible()
        assert not page.locator("nav").is_visible()
        assert page.pdf().startswith(b"%PDF")


EACH_SHAPE_ONCE = """
const shape = one => one.tagName + "." + (one.getAttribute("class") || "").replace(/\\d+/g, "")
    + "(" + [...new Set([...one.children].map(shape))].join() + ")";
const thin = parent => {
    const seen = new Set();
    for (const child of [...parent.children]) {
        const own = shape(child);
        if (seen.has(own) && !["INPUT", "LABEL"].includes(child.tagName)) child.remove();
        else { seen.add(own); thin(child); }
    }
};
thin(document.body);
"""
"""Leaves one of those rows, cells and bars that only their words tell apart: the contrast of each takes its time."""


@pytest.mark.parametrize("which", ["report", "changes"])
def test_axe_finds_nothing(which: str, windows: Windows, every_way: Opened, changes: str) -> None:
    """Contrast, roles, names, landmarks and tables are as WCAG AA and the best practice want them, open or closed.

    All of the page is looked at but for contrast; then each kind of what it shows, in both themes and on paper.
    """
    axe = _axe()
    with windows.opened(every_way[1] if which == "report" else changes, scripts=True) as page:
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        page.evaluate(axe)
        assert _violations(page, rules={"color-contrast": {"enabled": False}}) == {}
        page.evaluate(EACH_SHAPE_ONCE)
        for media, theme in itertools.product(MEDIA, THEMES):
            page.emulate_media(media=media, color_scheme=theme)
            assert _violations(page) == {}, (media, theme)


def _violations(page: Page, **options: Any) -> dict[str, Any]:
    """What axe finds, by the name of its rule."""
    found: dict[str, Any] = page.evaluate(
        "options => axe.run(document, options)", {"resultTypes": ["violations"], "preload": False, **options}
    )
    return {
        one["id"]: [(node["html"][:200], node["failureSummary"]) for node in one["nodes"][:3]]
        for one in found["violations"]
    }


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


def test_the_page_looks_as_it_did(windows: Windows, every_way: Opened) -> None:
    """Seen from afar, so that another machine's fonts make no difference, its top and its tests look as they did.

    ``LOOK=keep`` writes the references anew.
    """
    _, address = every_way
    with windows.opened(address) as page:
        for part, place in (("top", address), ("tests", f"{address}#tests")):
            page.goto(place)
            for theme, width in itertools.product(THEMES, (1280, 768, 390)):
                page.emulate_media(color_scheme=theme)
                page.set_viewport_size({"width": width, "height": 900})
                page.locator("#tests" if part == "tests" else "html").evaluate("one => one.scrollIntoView()")
                _looks_as_it_did(page, f"{part}-{theme}-{width}")


def _looks_as_it_did(page: Page, name: str) -> None:
    dots = _from_afar(page.screenshot())
    reference = HERE / f"{name}.png"
    if os.environ.get("LOOK") == "keep":
        _image().frombytes("RGB", (COLUMNS, ROWS), dots).save(reference)
    with _image().open(reference) as kept:
        expected = kept.convert("RGB").tobytes()
    differences = [abs(one - other) for one, other in zip(dots, expected, strict=True)]
    assert sum(differences) / len(differences) < 10, name
    assert sum(difference > 90 for difference in differences) < len(differences) / 40, name


def test_the_themes_differ(windows: Windows, report: Report) -> None:
    """Who likes it dark gets it dark, and what tells of looks tells the two apart."""
    _, address = report(26)
    means = {}
    with windows.opened(address) as page:
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
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
