from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from company import Certificates, Company
from harness import Project


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A company's certificates."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def company(empty_project: Project, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    """A company without proxies and variables, until a test sets them."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in ("SSL_CERT_FILE", "SSL_CERT_DIR") or name.endswith("_CA_BUNDLE"):
            monkeypatch.delenv(name)
    made = Company(empty_project, certificates, monkeypatch)
    yield made
    made.close()
