"""The commands of ``pytest-wisebot``, one module each."""

from typing import Final

WITHOUT_SESSION: Final = ("-Wignore", "-p", "no:cacheprovider")
"""Options of the pytest that a command configures: no cache, and no warning, which a project may have made an error."""
