"""``report.html``: one file that a browser shows without any other file, and without scripts.

`page` decides what is on the page; the templates lay it out. Every string is escaped at one place, as it is written
into the page: the environment below escapes the value of each expression.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ..text import count, escape, truncate_middle
from .baseline import Comparison
from .format import duration, seconds_text, time_of_day
from .model import Model
from .page import LONGEST_CELL, MOST_LISTED, RULE_STATES, page
from .rows import LONGEST_NAME, outcome, outcome_kind, run_kind, run_sign, split_id, trials_text
from .timeline import bar_title
from .verdict import Verdict

if TYPE_CHECKING:
    from jinja2 import Environment

_GLOBALS = {
    "folded_lines": 40,  # a string of more lines is folded
    "folded_tests": 60,  # more tests that passed are folded
    "most_dots": 20,  # runs of one test that a closed row shows
    "most_listed": MOST_LISTED,
    "rule_states": RULE_STATES,
}


def html_report(model: Model, verdict: Verdict, baseline: Comparison | None = None) -> str:
    """The page of a session.

    Args:
        model: the session.
        verdict: whether the workflows may be deployed, and why not.
        baseline: how the session compares with an earlier one.
    """
    return _environment().get_template("page.html").render(page(model, verdict, baseline))


@cache
def _environment() -> Environment:
    """The environment of the templates, loaded only if there is a page to make."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= _GLOBALS
    made.filters |= {
        "anchor": lambda word: f"tests-{word.replace(' ', '-')}",
        "bar_title": bar_title,
        "brief": lambda text: truncate_middle(text, LONGEST_NAME),
        "cell": lambda text: truncate_middle(text, LONGEST_CELL),
        "counted": count,
        "duration": duration,
        "outcome": outcome,
        "outcome_kind": outcome_kind,
        "run_kind": run_kind,
        "run_sign": run_sign,
        "seconds": seconds_text,
        "split_id": split_id,
        "time_of_day": time_of_day,
        "trials": trials_text,
    }
    return made


def _shown(value: Any) -> Any:
    """The value of an expression, before it is escaped as HTML. Markup has been here before."""
    return escape(value, keep="\n\t") if isinstance(value, str) and not hasattr(value, "__html__") else value
