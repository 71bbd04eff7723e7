"""A store of open cases for every test of a handler."""

from __future__ import annotations

import pytest

from jomed_app.ui.session import CaseStore


@pytest.fixture
def store() -> CaseStore:
    return CaseStore()
