"""The pytest plugin: what pytest finds here at its start is hooks, options and fixtures, and nothing heavy."""

from __future__ import annotations

from .fixtures import (
    trigger_workflow,
    wisebot_api,
    wisebot_emulator,
    wisebot_settings,
    workflow_run,
    workflow_snapshot,
)
from .hooks import (
    pytest_addhooks,
    pytest_cmdline_main,
    pytest_collection_finish,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_generate_tests,
    pytest_ignore_collect,
    pytest_report_collectionfinish,
    pytest_report_teststatus,
    pytest_runtestloop,
    pytest_terminal_summary,
)
from .options import pytest_addoption

__all__ = [
    "pytest_addhooks",
    "pytest_addoption",
    "pytest_cmdline_main",
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_generate_tests",
    "pytest_ignore_collect",
    "pytest_report_collectionfinish",
    "pytest_report_teststatus",
    "pytest_runtestloop",
    "pytest_terminal_summary",
    "trigger_workflow",
    "wisebot_api",
    "wisebot_emulator",
    "wisebot_settings",
    "workflow_run",
    "workflow_snapshot",
]
