"""``report.html``: one file that a browser shows without asking anybody for anything, scripts or no scripts.

What is on the page is decided in `page` as plain values; the templates lay it out. Every text is made harmless and
escaped at one place, as it is written into the page: the environment below does both to each expression.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ..text import count, escape, truncate_middle
from .baseline import Comparison
from .model import Model
from .page import duration, page, without_in_words
from .rows import FOLDED_LINES, LONGEST_NAME, moment, trials_text
from .timeline import bar_title
from .verdict import Verdict

if TYPE_CHECKING:
    from jinja2 import Environment


def html_report(model: Model, verdict: Verdict, baseline: Comparison | None = None) -> str:
    """The page of a session.

    Args:
        model: what happened.
        verdict: may it be deployed, and why not.
        baseline: how it compares with an earlier session.
    """
    return _environment().get_template("page.html").render(page=page(model, verdict, baseline))


@cache
def _environment() -> Environment:
    """What makes pages of templates; loaded when a page is asked for, since most sessions ask for none."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "bar_title": bar_title,
        "brief": lambda text: truncate_middle(text, LONGEST_NAME),
        "counted": count,
        "duration": duration,
        "moment": moment,
        "trials": trials_text,
        "without": without_in_words,
    }
    made.globals["folded_lines"] = FOLDED_LINES
    return made


def _shown(value: Any) -> Any:
    """Every value on its way into the page, before it is escaped; what is markup already has been here before."""
    return escape(value, keep="\n\t") if isinstance(value, str) and not hasattr(value, "__html__") else value
