"""The hook that a project may implement in its ``conftest.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ..settings import Settings


@pytest.hookspec(firstresult=True)
def pytest_wisebot_settings(config: pytest.Config, settings: Settings) -> Settings | None:
    """Changes the settings before anything runs: a preview deployment's address, a credential from a vault.

    Runs once in a session, and only when a selected test uses this plugin. Under xdist it runs on the controller, which
    knows the ``conftest.py`` files of the folders that pytest was given, and not those further down. Returns
    ``settings.replace(…)``, or None to leave them as they are.
    """
