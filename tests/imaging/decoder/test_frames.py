"""Frames to look at: rendered as those that are read, in a worker, and within its limits."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from jomed_app.errors import DicomError, ImageError
from jomed_app.imaging import read_image
from jomed_app.imaging.decoder import DecoderPool
from jomed_app.imaging.decoder.frames import FRAMES_AT_ONCE, FrameView, view_frames
from jomed_app.imaging.decoder.messages import MessageError, pack_words, unpack_pictures
from tests.imaging.datasets import dicom_bytes

NOISE = np.random.default_rng(5).integers(0, 255, (4, 60, 80), dtype=np.uint8)
DATA = dicom_bytes(NOISE, frames=4, Modality="US")
WHOLE = FrameView((0, 0, 80, 60))


def test_a_worker_gives_the_part_that_was_asked_for_of_each_frame():
    with DecoderPool() as pool:
        seen = pool.view_frames(DATA, [2, 0], FrameView((10, 5, 70, 55)))
        np.testing.assert_array_equal(seen, NOISE[[2, 0], 5:55, 10:70])
        with pytest.raises(DicomError, match="frame"):
            pool.view_frames(DATA, [9], WHOLE)
        assert pool.read_image(DATA, frame=1).frame == 1, "the worker goes on"


def test_color_stays_and_the_longer_side_is_bounded():
    color = np.random.default_rng(6).integers(0, 255, (2, 60, 80, 3), dtype=np.uint8)
    data = dicom_bytes(color, frames=2, photometric="RGB", Modality="US")
    (seen,) = view_frames(read_image, data, [1], FrameView((0, 0, 80, 60), side_px=40))
    assert seen.shape == (30, 40, 3)
    small = Image.fromarray(color[1]).resize((40, 30), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(seen, np.asarray(small), atol=2)


def test_lines_of_text_of_the_frame_that_is_read_are_painted_over():
    dark = np.full((2, 60, 80), 20, np.uint8)
    dark[:, 10:14, 10:30:2] = dark[:, 20:24, 10:30:2] = 255
    data = dicom_bytes(dark, frames=2, Modality="US")
    lines = ((9, 9, 31, 15), (9, 19, 31, 25))
    (seen,) = view_frames(read_image, data, [1], FrameView((0, 0, 80, 60), lines))
    assert seen.max() < 60


def test_no_more_frames_at_once_and_no_part_outside():
    with pytest.raises(ImageError, match=f"at most {FRAMES_AT_ONCE} frames .* found 9"):
        view_frames(read_image, DATA, [0] * 9, WHOLE)
    with pytest.raises(ImageError, match="hold the part that is read, found one of 80 x 60 px"):
        view_frames(read_image, DATA, [0], FrameView((0, 0, 81, 60)))


@pytest.mark.parametrize("shapes", [[[3, 3]], [[2, 2, 4]], [[2, 2], [2, 2]], "many", [["a", 1]]])
def test_a_worker_s_answer_that_is_no_picture_is_refused(shapes):
    blocks = [memoryview(pack_words(shapes=shapes)), memoryview(bytes(4))]
    with pytest.raises(MessageError, match="must answer with pictures"):
        unpack_pictures(blocks)
