"""Frames to look at: asked for by token, decoded then, kept nowhere."""

from __future__ import annotations

import numpy as np
import pytest

from jomed_app.imaging import read_image
from jomed_app.ui.panels.viewer.frames import frames_server
from jomed_app.ui.session import Case
from tests.imaging.datasets import dicom_bytes
from tests.ui.test_images import decoded

NOISE = np.random.default_rng(5).integers(0, 255, (12, 60, 80), dtype=np.uint8)
DATA = dicom_bytes(NOISE, frames=12, Modality="US")


@pytest.fixture
def case() -> Case:
    return Case(image=read_image(DATA, region="whole"), file_bytes=DATA)


def test_one_frame_is_lossless_and_several_are_small(case):
    ask = frames_server({"mine": case}.get)
    (one,) = ask({"case": "mine", "frames": [7]})
    np.testing.assert_array_equal(decoded(one), NOISE[7])
    several = ask({"case": "mine", "frames": [0, 1]})
    assert all(each.startswith("data:image/jpeg") for each in several)
    assert not case._pictures, "nothing is kept"


@pytest.mark.parametrize(
    "request_",
    [
        {}, {"case": "other", "frames": [0]}, {"case": "mine", "frames": []},
        {"case": "mine", "frames": [12]}, {"case": "mine", "frames": [-1]},
        {"case": "mine", "frames": list(range(9))}, {"case": "mine", "frames": ["x"]},
        {"case": "mine", "frames": 3},
    ],
)  # fmt: skip
def test_what_is_no_frame_of_this_case_gives_nothing(case, request_):
    assert frames_server({"mine": case}.get)(request_) is None


def test_a_forgotten_case_has_no_frames(case):
    case.forget()
    assert frames_server({"mine": case}.get)({"case": "mine", "frames": [0]}) is None
