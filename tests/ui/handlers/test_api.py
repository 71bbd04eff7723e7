"""The documented endpoint: the engine's own result, or an error."""

from __future__ import annotations

import json

import pytest

from jomed_app.errors import JomedError
from jomed_app.imaging import read_image
from jomed_app.types import Completed, Result
from jomed_app.ui.handlers.api import diagnose
from tests.ui.fake_engine import FakeEngine, png_bytes


def test_diagnose_returns_the_engines_own_result():
    engine = FakeEngine()
    image = read_image(png_bytes(3))
    answer = diagnose(engine, image)
    last = list(engine.run(image))[-1]
    assert isinstance(last, Completed)
    assert answer == last.result.model_dump(mode="json", by_alias=True)
    assert Result.model_validate(json.loads(json.dumps(answer))) == last.result
    assert answer["versions"]["schema"] == "jomed.result/4"


def test_diagnose_raises_when_a_run_ends_without_a_result():
    class Mute(FakeEngine):
        def run(self, image, **kwargs):
            yield from ()

    with pytest.raises(JomedError, match="must end with a result"):
        diagnose(Mute(), read_image(png_bytes()))
