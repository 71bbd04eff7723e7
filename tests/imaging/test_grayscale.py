import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jomed_app.imaging.grayscale import (
    Lut,
    VoiFunction,
    as_rgb,
    by_rows,
    is_gray,
    percentile_window,
    to_finite_values,
    to_uint8,
    window_to_unit,
)
from jomed_app.types import Window

CURVES = [
    # The worked values of PS3.3 C.11.2.1.2.1 and C.11.2.1.3.2: c = 2048, w = 4096 over 0..255
    (VoiFunction.LINEAR, 2048, 4096, 0, 0.0),
    (VoiFunction.LINEAR, 2048, 4096, 4095, 1.0),
    (VoiFunction.LINEAR, 2048, 4096, 2047.5, 0.5),
    (VoiFunction.LINEAR, 0, 1, 0, 1.0),
    (VoiFunction.LINEAR, 0, 1, -1, 0.0),
    (VoiFunction.LINEAR_EXACT, 2048, 4096, 2048, 0.5),
    (VoiFunction.LINEAR_EXACT, 2048, 4096, 4096, 1.0),
    (VoiFunction.LINEAR_EXACT, 2048, 4096, 1024, 0.25),
    (VoiFunction.SIGMOID, 10, 20, 10, 0.5),
    (VoiFunction.SIGMOID, 10, 20, 20, 1 / (1 + np.exp(-2.0))),
]


@pytest.mark.parametrize(("function", "center", "width", "value", "expected"), CURVES)
def test_a_window_gives_the_values_of_the_standard(function, center, width, value, expected):
    unit = window_to_unit(np.array([value], float), Window(center, width), function)
    assert unit[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("function", list(VoiFunction))
def test_windows_agree_with_pydicom(function):
    from pydicom.dataset import Dataset
    from pydicom.pixels import apply_windowing

    stored = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    reference = Dataset()
    reference.PhotometricInterpretation = "MONOCHROME2"
    reference.BitsStored, reference.PixelRepresentation = 12, 0
    reference.WindowCenter, reference.WindowWidth = 1234.5, 777
    reference.VOILUTFunction = function.value
    expected = np.rint(apply_windowing(stored, reference) / 4095 * 255)
    ours = to_uint8(stored, Window(1234.5, 777), function, invert=False)
    np.testing.assert_allclose(ours, expected, atol=1)  # rounding of exact halves
    assert (ours != expected).mean() < 0.001


@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40),
    center=st.floats(-1e5, 1e5),
    width=st.floats(1e-3, 1e6),
    function=st.sampled_from(list(VoiFunction)),
    invert=st.booleans(),
)
def test_the_display_is_monotone_and_inversion_is_its_exact_mirror(
    values, center, width, function, invert
):
    ordered = np.sort(np.array(values))[np.newaxis]
    display = to_uint8(ordered, Window(center, width), function, invert).astype(int)
    steps = np.diff(display, axis=1)
    assert (steps <= 0).all() if invert else (steps >= 0).all()
    mirror = to_uint8(ordered, Window(center, width), function, not invert).astype(int)
    assert np.abs(display + mirror - 255).max() <= 1  # halves round to even on both sides


def test_a_lut_clamps_on_both_sides_and_scales_by_its_bits():
    lut = Lut(first=-2, entries=np.array([0, 10, 20, 4095]), bits=12)
    np.testing.assert_array_equal(lut(np.array([-9, -2, -1, 0, 1, 9])), [0, 0, 10, 20, 4095, 4095])
    display = to_uint8(np.array([[-9.0, 9.0]]), lut, VoiFunction.LINEAR, invert=False)
    np.testing.assert_array_equal(display, [[0, 255]])


def test_blocks_of_rows_do_not_show():
    values = np.random.default_rng(0).normal(size=(3001, 700)).astype(np.float32)
    whole = to_uint8(values, Window(0.0, 4.0), VoiFunction.LINEAR_EXACT, invert=False)
    part = to_uint8(values[2000:2003], Window(0.0, 4.0), VoiFunction.LINEAR_EXACT, invert=False)
    np.testing.assert_array_equal(whole[2000:2003], part)


def test_percentiles_leave_outliers_and_padding_out():
    values = np.linspace(0, 100, 10_000, dtype=np.float32).reshape(100, 100)
    window = percentile_window(values)
    assert window.center == pytest.approx(50, abs=0.1)
    assert window.width == pytest.approx(99, abs=0.1)
    padded = values.copy()
    padded[:50] = -2000
    kept = percentile_window(padded, padded > -1000)
    assert kept.center == pytest.approx(75, abs=0.1)


def test_percentiles_that_coincide_fall_back_to_the_full_range():
    values = np.zeros((100, 100), np.float32)
    values[0, 0] = 8
    assert percentile_window(values) == Window(4.0, 8.0, "0.5-99.5 %")


def test_a_constant_frame_has_a_window_of_width_one():
    assert percentile_window(np.full((4, 4), 7, np.float32)).width == 1.0


def test_what_is_not_finite_is_mended_and_reported():
    values = np.array([[np.nan, 2.0], [np.inf, -np.inf]])
    finite, mended = to_finite_values(values)
    assert mended
    assert np.isfinite(finite).all()
    assert finite[0, 0] == 2.0
    assert to_finite_values(np.array([[1e300]]))[1]
    assert not to_finite_values(np.array([[2**31]], np.int64))[1]


@pytest.mark.parametrize("kind", ["<u2", ">u2", "<i2", ">i2"])
def test_samples_of_16_bits_stay_as_they_are(kind):
    samples = np.array([[0, 1, 32767]], kind)
    values, mended = to_finite_values(samples)
    assert not mended
    assert values.dtype == np.dtype(kind).newbyteorder("=")
    np.testing.assert_array_equal(values, [[0, 1, 32767]])


@pytest.mark.parametrize("kind", [np.uint16, np.int16])
def test_16_bits_are_shown_as_the_same_samples_in_float32(kind):
    samples = np.random.default_rng(0).integers(0, 32767, (200, 300)).astype(kind)
    exact = samples.astype(np.float32)
    window = percentile_window(samples)
    assert window == percentile_window(exact)
    for invert in (False, True):
        np.testing.assert_array_equal(
            to_uint8(samples, window, VoiFunction.SIGMOID, invert),
            to_uint8(exact, window, VoiFunction.SIGMOID, invert),
        )


def test_rows_are_mapped_block_by_block_to_the_same_values():
    values = np.arange(3_000_000, dtype=np.uint16).reshape(1500, 2000)
    seen = []

    def halved(block):
        seen.append(block.size)
        return block / 2

    np.testing.assert_array_equal(by_rows(values, halved, np.float32), values / 2)
    assert len(seen) == 3
    assert max(seen) <= 1_000_000


def test_gray_shown_as_rgb_takes_no_memory_of_its_own():
    gray = np.arange(12, dtype=np.uint8).reshape(3, 4)
    rgb = as_rgb(gray)
    assert rgb.shape == (3, 4, 3)
    assert np.shares_memory(rgb, gray)
    assert not rgb.flags.writeable
    assert is_gray(rgb)
    assert is_gray(rgb.copy())
    colored = rgb.copy()
    colored[2, 1, 1] ^= 1
    assert not is_gray(colored)
