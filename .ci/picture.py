"""Makes the README's picture anew: ``python .ci/picture.py`` runs a session on an emulator, and photographs its page.

The emulator is one by hand, with faults on demand, so that the gate is closed for several reasons. Chromium is the one
on the path, or the one that the variable ``CHROMIUM`` names.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "examples" / "report.png"
WIDTH = 1280
SECRET, TOKEN = "FAKE-secret-of-the-picture", "wb_live_FAKE_token_of_the_picture"
FAULTS = ("classify=status:503:2", "refund=reset_after:1", "triage=rate_limited:0.4:3", "summarise=rate_limited:0.6:1")

FLOWS = """
from pytest_wisebot.emulator import Emulator

emulator = Emulator(token="{token}")
secret = "{secret}"

@emulator.workflow("triage", secret=secret, latency=(0.5, 1.6))
def triage(inputs):
    return {{"category": "shipping" if inputs["number"] % 6 == 2 else "billing", "priority": 2}}

@emulator.workflow("refund", secret=secret, latency=(0.3, 0.9))
def refund(inputs):
    return {{"refunded": 10 * inputs["number"], "currency": "EUR"}}

@emulator.workflow("classify", secret=secret, latency=(0.1, 0.6))
def classify(inputs):
    return {{"language": "en", "score": 0.5 + inputs["number"] / 50}}

calls = iter(range(100))

@emulator.workflow("summarise", secret=secret, latency=(1.2, 3.2))
def summarise(inputs):
    return {{"words": 90 if next(calls) % 4 == 1 else 40}}
"""

SUITE = """
import pytest
from pytest_wisebot import assert_result

def numbers(workflow, count, **more):
    cases = [pytest.param({"number": number}, id=f"T-{number}") for number in range(1, count + 1)]
    return lambda test: pytest.mark.wisebot(workflow, **more)(pytest.mark.parametrize("inputs", cases)(test))

@numbers("triage", 15)
def test_topic(workflow_run, inputs):
    assert_result(workflow_run, {"category": "billing"})

@numbers("refund", 10)
def test_refund(workflow_run, inputs):
    assert_result(workflow_run, {"refunded": 10 * inputs["number"]})

@numbers("classify", 16)
def test_language(workflow_run, inputs):
    assert_result(workflow_run, {"language": "en"})

@numbers("summarise", 2, trials=5, min_passes=4)
def test_summary(workflow_run, inputs):
    assert workflow_run.result["words"] < 60
"""

SETTINGS = """
[environments.staging]
origin = "{origin}"
base-url = "{base_url}"
secret = "env:PICTURE_SECRET"
token = "env:PICTURE_TOKEN"

[gate]
min-pass-rate = 0.97
max-infrastructure-errors = 1
max-flaky = 2
max-seconds = 4

[gate.workflows.triage]
min-pass-rate = 0.98
p95-seconds = 1.4
"""


@contextmanager
def emulator(folder: Path) -> Iterator[tuple[str, str]]:
    """The origin and the base URL of an emulator with faults."""
    (folder / "flows.py").write_text(FLOWS.format(secret=SECRET, token=TOKEN), "utf-8")
    faults = [f"--fault={fault}" for fault in FAULTS]
    command = [sys.executable, "-m", "pytest_wisebot.emulator", "flows.py", "--port", "0", *faults]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = "".join(takewhile("Ctrl-C ends it.\n".__ne__, process.stdout))
        origin, base_url = re.findall(r"API +(http://\S+)", said)
        yield origin, base_url
        process.terminate()


def session(folder: Path) -> Path:
    """Runs the tests, and returns the page."""
    (folder / "test_workflows.py").write_text(SUITE, "utf-8")
    with emulator(folder) as (origin, base_url):
        (folder / "wisebot.toml").write_text(SETTINGS.format(origin=origin, base_url=base_url), "utf-8")
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--wisebot-env=staging",
            "--wisebot-gate",
            "--wisebot-report=out",
        ]
        known = {**os.environ, "PICTURE_SECRET": SECRET, "PICTURE_TOKEN": TOKEN}
        subprocess.run([*command, "-p", "no:cacheprovider"], cwd=folder, env=known, check=False)
    return folder / "out" / "report.html"


def photograph(page: Path) -> bytes:
    """A picture of the page down to its latencies."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        shown = browser.new_page(
            viewport={"width": WIDTH, "height": 900}, color_scheme="light", java_script_enabled=False
        )
        shown.goto(page.as_uri())
        box = shown.locator("#latency").bounding_box()
        assert box is not None
        whole = {"x": 0.0, "y": 0.0, "width": float(WIDTH), "height": box["y"] + box["height"] + 18}
        png = shown.screenshot(full_page=True, clip=whole)  # type: ignore[arg-type]
        browser.close()
    return png


def main() -> None:
    """Writes the picture, in few colours, which it has."""
    with tempfile.TemporaryDirectory() as folder:
        png = photograph(session(Path(folder)))
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE).save(PICTURE, optimize=True)
    print(f"{PICTURE}: {PICTURE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
