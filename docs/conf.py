"""How Sphinx builds the manual: `python -m sphinx -n -W --keep-going docs docs/_build`."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

import pytest_wisebot  # noqa: E402 - the checkout's, whatever is installed

project = "pytest-wisebot"
author = "The pytest-wisebot maintainers"
copyright = author  # noqa: A001 - Sphinx's name
release = version = pytest_wisebot.__version__

extensions = ["myst_parser", "sphinx_copybutton", "reference", "prose"]
exclude_patterns = ["_build", "_project"]
nitpicky = True

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 4

html_theme = "furo"
html_title = "pytest-wisebot"
html_static_path = ["_static"]
html_css_files = ["manual.css"]
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b5cad", "color-brand-content": "#0b5cad"},
    "dark_css_variables": {"color-brand-primary": "#7cb7ff", "color-brand-content": "#7cb7ff"},
}
pygments_style = "friendly"
pygments_dark_style = "monokai"

copybutton_prompt_text = "$ "
# Screens are read, and not copied.
copybutton_selector = "div.highlight:not(.highlight-text .highlight) pre"
linkcheck_ignore = [r"https?://127\.0\.0\.1", r"https://.*\.convex\.site", r"https://.*\.example\.com"]
linkcheck_retries = 2
