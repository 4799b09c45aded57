"""The commands of ``pytest-wisebot``, one module each."""
