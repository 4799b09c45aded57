"""The pytest plugin: pytest finds hooks, options and fixtures here when it starts, and nothing heavy."""

from .fixtures import *  # noqa: F403
from .hooks import *  # noqa: F403
from .options import pytest_addoption as pytest_addoption
