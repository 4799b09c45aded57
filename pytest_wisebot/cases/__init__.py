"""Cases that are kept outside of Python: rows of data files, and suites in YAML or JSON."""
