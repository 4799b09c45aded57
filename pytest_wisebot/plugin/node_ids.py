"""Where tests are only listed, as editors do often: no settings are read unless an id has room for a credential."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress

import pytest

from ..redaction import SHORTEST_SECRET
from .redact_pytest import clean_terminal, redactor_of, refuse_ids

_PARAMETERS = re.compile(r"\[(.+)\]\Z", re.DOTALL)
_APIS = re.compile(r"(?<![^-])(?:webhook|dashboard)(?![^-])")


def check_ids(config: pytest.Config, ids: list[str]) -> None:
    """Lists no id that holds a credential.

    Raises:
        pytest.UsageError: which tests, the credential masked.
    """
    redactor = redactor_of(config)
    if _have_room(ids):
        with suppress(Exception):  # whoever runs the tests is told what is wrong with the settings
            from .runtime import resolved

            redactor.add(*resolved(config, os.environ).credentials())
    clean_terminal(config, redactor)
    refuse_ids(config, ids, redactor)


def _have_room(ids: Iterable[str]) -> bool:
    """Whether the parameters of a test, an API aside, are long enough to be one."""
    parameters = (found[1] for nodeid in ids if (found := _PARAMETERS.search(nodeid)))
    return any(len(_APIS.sub("", text)) >= SHORTEST_SECRET for text in parameters)
