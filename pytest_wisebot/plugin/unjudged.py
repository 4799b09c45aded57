"""A gated session that runs no test, as with ``--collect-only``: its exit code opens no gate."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from ..report.verdict import NOT_RUN_CODE, GateStatus


class Unjudged:
    """Ends such a session without a verdict. Registered where ``--wisebot-gate`` stands beside an option that lists."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """After every other plugin."""
        result = yield
        if session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = NOT_RUN_CODE
            reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
            if reporter is not None:
                reporter.write_line(
                    f"wisebot: {GateStatus.NO_VERDICT}: --wisebot-gate judges tests that run, and none did"
                )
        return result
