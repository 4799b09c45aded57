"""Takes credentials out of what goes wrong before a test has used the plugin: collection errors, internal errors.

Until then nobody has asked for the settings, and only credentials that were given as values are known. Where something
has gone wrong, the settings are read for their credentials alone.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from . import xdist
from .redact_reports import clean_value

if TYPE_CHECKING:
    from ..redaction import Redactor


class CollectionRedaction:
    """Registered in every session; loads nothing until something goes wrong."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._went_wrong = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that cannot be imported, with what it printed."""
        if report.passed:
            return
        from .redact_pytest import redactor_of

        # Modules are skipped every day, in projects of any kind: no settings are read for it.
        redactor = self._informed() if report.failed else redactor_of(self._config)
        report.longrepr = clean_value(report.longrepr, redactor)
        report.sections = clean_value(report.sections, redactor)

    @pytest.hookimpl(tryfirst=True)
    def pytest_internalerror(self, excrepr: Any) -> None:
        """A worker of xdist writes it past every terminal."""
        clean_value(excrepr, self._informed())

    @pytest.hookimpl(trylast=True)
    def pytest_keyboard_interrupt(self) -> None:
        """The terminal keeps where the session was interrupted until its end."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        clean_value(getattr(reporter, "_keyboardinterrupt_memo", None), self._informed())

    def pytest_unconfigure(self) -> None:
        """What went wrong stands in the debug log, too."""
        if self._went_wrong and not xdist.is_worker(self._config):
            from .redact_pytest import clean_debug_log, redactor_of

            clean_debug_log(self._config, redactor_of(self._config))

    def _informed(self) -> Redactor:
        """The session's redactor, which knows what the settings name."""
        from .redact_pytest import redactor_of

        redactor = redactor_of(self._config)
        if not self._went_wrong and not self._config.option.collectonly:  # as editors do, over modules half written
            self._went_wrong = True
            with suppress(Exception):  # what is wrong with the settings is not what went wrong here
                from .runtime import resolved

                redactor.add(*resolved(self._config, os.environ).credentials())
        return redactor
