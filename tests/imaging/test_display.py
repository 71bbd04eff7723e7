import numpy as np
import pytest

from jomed_app.errors import ImageError
from jomed_app.imaging import read_image
from jomed_app.imaging.display import CT_PRESETS, presets, render
from jomed_app.types import Window
from tests.imaging.datasets import dicom_bytes, gradient

COLOR = np.stack([gradient(dtype=np.uint8, top=255)] * 2 + [np.zeros((64, 64), np.uint8)], axis=-1)


def test_gray_renders_through_the_window_with_the_polarity_of_the_file():
    stored = np.array([[0, 50, 100]], np.uint16)
    window = Window(50.0, 100.0)
    plain = read_image(dicom_bytes(stored))
    turned = read_image(dicom_bytes(stored, photometric="MONOCHROME1"))
    np.testing.assert_array_equal(render(plain, window), [[0, 128, 255]])
    np.testing.assert_array_equal(render(turned, window), [[255, 128, 0]])
    np.testing.assert_array_equal(render(turned, window, invert=True), render(plain, window))


def test_color_renders_in_display_values():
    record = read_image(dicom_bytes(COLOR, photometric="RGB"))
    assert record.modality_values is None
    full = presets(record)[0]
    np.testing.assert_array_equal(render(record, full), COLOR)
    np.testing.assert_array_equal(render(record, full, invert=True), 255 - COLOR)
    assert render(record, Window(10.0, 5.0)).max() == 255


def test_presets_offer_file_windows_first_and_ct_windows_for_ct_only():
    window = {"WindowCenter": "40", "WindowWidth": "400"}
    scan = read_image(dicom_bytes(gradient(), Modality="CT", **window))
    assert presets(scan) == (Window(40.0, 400.0, "File window 1"), *CT_PRESETS)
    film = read_image(dicom_bytes(gradient(), Modality="DX", **window))
    assert len(presets(film)) == 1


@pytest.mark.parametrize(
    "window", [Window(0.0, 0.0), Window(0.0, -1.0), Window(float("nan"), 1.0), Window(0.0, np.inf)]
)
def test_an_impossible_window_is_refused(window):
    record = read_image(dicom_bytes(gradient()))
    with pytest.raises(ImageError, match="finite with a width above 0"):
        render(record, window)
