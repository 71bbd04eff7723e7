import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from jomed_app.imaging import read_image
from jomed_app.imaging.display import render
from jomed_app.types import Window
from tests.imaging.datasets import dicom_bytes, gradient, lut_item, make_dataset, to_bytes

RAMP = gradient()


def failed(record):
    return {check.name for check in record.info.checks if not check.passed}


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted", "contradicts"),
    [
        ("MONOCHROME2", None, False, False),
        ("MONOCHROME2", "IDENTITY", False, False),
        ("MONOCHROME2", "INVERSE", True, True),
        ("MONOCHROME1", None, True, False),
        ("MONOCHROME1", "IDENTITY", True, True),
        ("MONOCHROME1", "INVERSE", True, False),
    ],
)
def test_polarity_is_turned_exactly_once(photometric, shape, inverted, contradicts):
    attributes = {} if shape is None else {"PresentationLUTShape": shape}
    record = read_image(dicom_bytes(RAMP, photometric=photometric, **attributes))
    row = record.model_input[0, :, 0].astype(int)
    assert record.inverted is inverted
    assert (np.diff(row) <= 0).all() if inverted else (np.diff(row) >= 0).all()
    assert {row[0], row[-1]} == {0, 255}
    assert ("polarity" in failed(record)) is contradicts
    # Modality values are never turned over.
    assert (np.diff(record.modality_values[0].astype(int)) >= 0).all()


def test_inversion_mirrors_within_the_window_whatever_the_brightest_pixel_is():
    values = np.array([[0, 100, 200]], np.uint16)
    window = {"WindowCenter": 500, "WindowWidth": 1000, "VOILUTFunction": "LINEAR_EXACT"}
    plain = read_image(dicom_bytes(values, **window)).model_input[0, :, 0].astype(int)
    turned = read_image(dicom_bytes(values, photometric="MONOCHROME1", **window))
    np.testing.assert_allclose(turned.model_input[0, :, 0], 255 - plain, atol=1)


def test_rescale_gives_modality_values():
    record = read_image(dicom_bytes(RAMP, RescaleSlope="2", RescaleIntercept="-1024"))
    np.testing.assert_allclose(record.modality_values, RAMP * 2.0 - 1024)


def test_a_modality_lut_comes_before_rescale():
    stored = np.array([[0, 1, 2, 3]], np.uint16)
    record = read_image(
        dicom_bytes(
            stored,
            ModalityLUTSequence=lut_item(1, [10, 500, 4000], 12),
            RescaleSlope="3",
            RescaleIntercept="0",
        )
    )
    np.testing.assert_array_equal(record.modality_values, [[10, 10, 500, 4000]])


def test_a_lut_index_does_not_wrap_at_the_end_of_the_stored_type():
    stored = np.array([[-32768, 0, 32767]], np.int16)
    sequence = lut_item(-32768, list(range(65536)), 16, signed=True)
    record = read_image(dicom_bytes(stored, ModalityLUTSequence=sequence))
    np.testing.assert_array_equal(record.modality_values, [[0, 32768, 65535]])


def test_a_slope_of_zero_is_ignored_and_reported():
    record = read_image(dicom_bytes(RAMP, RescaleSlope="0", RescaleIntercept="5"))
    assert "rescale" in failed(record)
    np.testing.assert_array_equal(record.modality_values, RAMP + 5.0)


def test_the_first_window_makes_the_model_input():
    record = read_image(
        dicom_bytes(
            RAMP,
            WindowCenter=[2048, 100],
            WindowWidth=[4096, 50],
            WindowCenterWidthExplanation=["NORMAL", "Mrs Smith's lungs"],
        )
    )
    assert record.windows == (
        Window(2048.0, 4096.0, "Normal"),
        Window(100.0, 50.0, "File window 2"),
    )
    expected = np.rint(255 * ((RAMP[0] - 2047.5) / 4095 + 0.5))
    np.testing.assert_array_equal(record.model_input[0, :, 1], expected)
    np.testing.assert_array_equal(render(record, record.windows[0]), record.model_input[:, :, 0])


def test_the_voi_function_of_the_file_is_followed():
    window = {"WindowCenter": 2000, "WindowWidth": 800}
    curves = {
        name: read_image(dicom_bytes(RAMP, VOILUTFunction=name, **window)).model_input[0, :, 0]
        for name in ("LINEAR", "LINEAR_EXACT", "SIGMOID")
    }
    expected = np.rint(255 / (1 + np.exp(-4 * (RAMP[0] - 2000.0) / 800)))
    np.testing.assert_array_equal(curves["SIGMOID"], expected)
    assert (curves["LINEAR"] != curves["LINEAR_EXACT"]).any()


def test_a_window_goes_before_a_voi_lut_and_a_lut_before_percentiles():
    stored = np.array([[0, 1, 2, 3]], np.uint16)
    lut = {"VOILUTSequence": lut_item(0, [0, 1023, 512, 256], 10)}
    by_lut = read_image(dicom_bytes(stored, **lut))
    np.testing.assert_array_equal(by_lut.model_input[0, :, 0], [0, 255, 128, 64])
    assert by_lut.windows == (Window(1.5, 3.0, "file LUT range"),)
    window = {"WindowCenter": "1.5", "WindowWidth": "3", "VOILUTFunction": "LINEAR_EXACT"}
    by_window = read_image(dicom_bytes(stored, **lut, **window))
    np.testing.assert_array_equal(by_window.model_input[0, :, 0], [0, 85, 170, 255])


@pytest.mark.parametrize("width", [b"00000000", b"-5555555", b"nonsense", b"inf     "])
def test_a_damaged_window_is_ignored_and_reported(width):
    data = dicom_bytes(RAMP, WindowCenter="100", WindowWidth="12345678")
    record = read_image(data.replace(b"12345678", width))
    assert "windows" in failed(record)
    assert record.windows[0].name == "0.5-99.5 %"


def test_without_a_window_deep_values_are_stretched_and_8_bit_values_are_kept():
    low = gradient(top=1000)
    deep = read_image(dicom_bytes(low))
    assert deep.model_input.max() == 255
    shallow = gradient(dtype=np.uint8, top=100)
    kept = read_image(dicom_bytes(shallow))
    np.testing.assert_array_equal(kept.model_input[:, :, 2], shallow)


def test_signed_values_keep_their_sign():
    stored = (RAMP.astype(np.int32) - 1000).astype(np.int16)
    record = read_image(dicom_bytes(stored))
    assert record.modality_values.min() == -1000


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint16, np.int32, np.uint32])
def test_every_stored_type_gives_a_rising_ramp(dtype):
    record = read_image(dicom_bytes(gradient(dtype=dtype, top=120)))
    assert (np.diff(record.model_input[0, :, 0].astype(int)) >= 0).all()
    assert (np.diff(record.modality_values[0].astype(int)) >= 0).all()
    kept = np.float32 if np.dtype(dtype).itemsize != 2 else dtype
    assert record.modality_values.dtype == kept


def test_12_in_16_bits_reports_12():
    record = read_image(dicom_bytes(RAMP, bits_stored=12))
    depth = next(check for check in record.info.checks if check.name == "bit_depth")
    assert depth.value == 12
    assert record.metadata["BitsStored"] == "12"


def test_float_pixels_with_a_hole_are_mended():
    dataset = make_dataset(RAMP)
    del dataset.PixelData
    values = np.linspace(0, 1, 64 * 64, dtype=np.float32)
    values[0] = np.nan
    dataset.FloatPixelData = values.tobytes()
    dataset.BitsAllocated = 32
    for keyword in ("BitsStored", "HighBit", "PixelRepresentation"):
        delattr(dataset, keyword)
    record = read_image(to_bytes(dataset))
    assert "finite" in failed(record)
    assert np.isfinite(record.modality_values).all()
    assert record.model_input.max() == 255


def test_padding_does_not_move_the_window():
    stored = gradient().astype(np.int16)
    stored[:32] = -2000
    padded = read_image(dicom_bytes(stored, PixelPaddingValue=-2000))
    plain = read_image(dicom_bytes(gradient().astype(np.int16)))
    assert padded.windows[0].width == pytest.approx(plain.windows[0].width, rel=1e-6)


def test_a_frame_of_an_enhanced_file_uses_its_own_groups():
    def group(slope, center):
        transformation, window, item = Dataset(), Dataset(), Dataset()
        transformation.RescaleSlope, transformation.RescaleIntercept = str(slope), "0"
        window.WindowCenter, window.WindowWidth = str(center), "100"
        item.PixelValueTransformationSequence = Sequence([transformation])
        item.FrameVOILUTSequence = Sequence([window])
        return item

    shared, measures = Dataset(), Dataset()
    measures.PixelSpacing = ["0.5", "0.25"]
    shared.PixelMeasuresSequence = Sequence([measures])
    data = dicom_bytes(
        np.stack([RAMP, RAMP]),
        frames=2,
        PerFrameFunctionalGroupsSequence=Sequence([group(1, 10), group(3, 30)]),
        SharedFunctionalGroupsSequence=Sequence([shared]),
    )
    record = read_image(data, frame=1)
    assert record.modality_values.max() == 3 * 4095
    assert record.windows[0].center == 30
    assert record.pixel_spacing_mm == (0.5, 0.25)


def test_the_display_window_never_changes_the_model_input():
    record = read_image(dicom_bytes(RAMP))
    before = record.model_input.copy()
    first = render(record, Window(100.0, 10.0))
    second = render(record, Window(3000.0, 10.0), invert=True)
    assert (first != second).any()
    np.testing.assert_array_equal(record.model_input, before)
    with pytest.raises(ValueError, match="read-only"):
        record.model_input[0, 0, 0] = 1
