"""One finished case of the fake engine, for panels of every kind."""

from __future__ import annotations

import pytest

from jomed_app.imaging import read_image
from jomed_app.types import Result
from tests.ui.fake_engine import FakeEngine, png_bytes


@pytest.fixture(scope="session")
def result() -> Result:
    return list(FakeEngine().run(read_image(png_bytes())))[-1].result
