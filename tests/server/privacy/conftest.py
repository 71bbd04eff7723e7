"""The running page of the page's own tests."""

from __future__ import annotations

from tests.ui.conftest import Site, site

__all__ = ["Site", "site"]
