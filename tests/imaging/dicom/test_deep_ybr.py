"""YBR of more than 8 bits: hand values, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from jomed_app.errors import DicomError
from jomed_app.imaging import read_image
from jomed_app.imaging.dicom.deep_ybr import deep_ybr_to_rgb
from tests.imaging.datasets import dicom_bytes


def test_hand_values_of_12_bits():
    stored = np.array([[[1224, 1357, 4095], [2048, 2048, 2048], [0, 2048, 2048]]], np.uint16)
    # Red: Y 0.299 * 4095, CB 2048 - 0.1687 * 4095, CR 2048 + 0.5 * 4095, cut at the top.
    rgb = deep_ybr_to_rgb(stored, 12)
    np.testing.assert_array_equal(rgb, [[[4094, 0, 0], [2048, 2048, 2048], [0, 0, 0]]])
    assert rgb.dtype == np.uint16


@pytest.mark.parametrize("bits", [9, 12, 16])
def test_gray_stays_gray_at_every_depth(bits):
    levels = np.linspace(0, 2**bits - 1, 50).astype(np.uint16)
    stored = np.full((5, 10, 3), 2 ** (bits - 1), np.uint16)
    stored[..., 0] = levels.reshape(5, 10)
    record = read_image(dicom_bytes(stored, photometric="YBR_FULL", bits_stored=bits))
    expected = np.rint(levels / (2**bits - 1) * 255).reshape(5, 10)
    for channel in range(3):
        np.testing.assert_allclose(record.model_input[..., channel], expected, atol=0.5)


def test_planes_of_samples_are_put_together():
    stored = np.full((4, 6, 3), 2048, np.uint16)
    stored[..., 0] = np.arange(24).reshape(4, 6) * 150
    by_pixel = read_image(dicom_bytes(stored, photometric="YBR_FULL", bits_stored=12))
    planes = dicom_bytes(
        np.ascontiguousarray(stored.transpose(2, 0, 1)).reshape(4, 6, 3),
        photometric="YBR_FULL", bits_stored=12, PlanarConfiguration=1,
    )  # fmt: skip
    np.testing.assert_array_equal(read_image(planes).model_input, by_pixel.model_input)


def test_subsampled_color_of_16_bits_is_refused_in_one_sentence():
    stored = np.full((4, 6, 3), 2048, np.uint16)
    data = dicom_bytes(stored, photometric="YBR_FULL_422", bits_stored=12)
    with pytest.raises(DicomError, match=r"YBR_FULL_422 .* 8 bits") as caught:
        read_image(data)
    assert str(caught.value).count(". ") == 0
