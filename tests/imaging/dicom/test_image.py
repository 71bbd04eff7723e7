import zlib

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import (
    UID,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from jomed_app.errors import DicomError
from jomed_app.imaging import read_image
from jomed_app.imaging.dicom import dataset as dataset_module
from tests.imaging.datasets import (
    dicom_bytes,
    encapsulated_bytes,
    gradient,
    make_dataset,
    raster_bytes,
    to_bytes,
)

RAMP = gradient()
COLOR = np.random.default_rng(1).integers(0, 256, (48, 40, 3), dtype=np.uint8)


def test_a_plain_file_becomes_a_record():
    record = read_image(dicom_bytes(RAMP, Modality="MG", PixelSpacing=["0.1", "0.2"]))
    assert record.model_input.shape == (64, 64, 3)
    assert record.model_input.dtype == np.uint8
    assert (record.info.format, record.info.modality) == ("dicom", "MG")
    assert (record.info.rows, record.info.columns, record.num_frames) == (64, 64, 1)
    assert record.pixel_spacing_mm == (0.1, 0.2)
    assert len(record.sha256) == 64


def test_a_path_and_its_bytes_give_the_same_record(tmp_path):
    data = dicom_bytes(RAMP)
    path = tmp_path / "DOE_JOHN.png"  # the name is never looked at
    path.write_bytes(data)
    by_path, by_bytes = read_image(path), read_image(data)
    assert by_path.info == by_bytes.info
    np.testing.assert_array_equal(by_path.model_input, by_bytes.model_input)


def test_a_file_without_preamble_or_meta_is_tolerated():
    bare = to_bytes(make_dataset(RAMP), preamble=False)
    assert bare[128:132] != b"DICM"
    np.testing.assert_array_equal(read_image(bare).modality_values, RAMP)
    whole = dicom_bytes(RAMP)
    np.testing.assert_array_equal(read_image(whole[128:]).modality_values, RAMP)
    np.testing.assert_array_equal(read_image(whole[132:]).modality_values, RAMP)


def test_frames_are_decoded_one_at_a_time_by_choice():
    stack = np.stack([RAMP, RAMP // 2, RAMP // 4])
    data = dicom_bytes(stack, frames=3)
    for frame in range(3):
        record = read_image(data, frame=frame)
        np.testing.assert_array_equal(record.modality_values, stack[frame])
        assert (record.num_frames, record.frame) == (3, frame)


@pytest.mark.parametrize("frame", [-1, 3, 10**12])
def test_a_frame_that_does_not_exist_is_an_error(frame):
    data = dicom_bytes(np.stack([RAMP] * 3), frames=3)
    with pytest.raises(DicomError, match="frame must be from 0 to 2"):
        read_image(data, frame=frame)


@pytest.mark.parametrize("damaged", [b"1A", b"x ", b"0 "])
def test_a_damaged_number_of_frames_counts_as_one(damaged):
    data = dicom_bytes(RAMP, NumberOfFrames="12")
    written = b"\x28\x00\x08\x00IS\x02\x00"
    record = read_image(data.replace(written + b"12", written + damaged))
    np.testing.assert_array_equal(record.modality_values, RAMP)
    assert record.num_frames == 1


def test_rgb_is_kept_as_it_is():
    record = read_image(dicom_bytes(COLOR, photometric="RGB"))
    np.testing.assert_array_equal(record.model_input, COLOR)
    assert record.modality_values is None
    assert record.windows == ()


def test_16_bit_rgb_is_scaled():
    deep = COLOR.astype(np.uint16) * 257
    record = read_image(dicom_bytes(deep, photometric="RGB"))
    np.testing.assert_array_equal(record.model_input, COLOR)


def test_ybr_full_becomes_rgb():
    ybr = np.asarray(Image.fromarray(COLOR).convert("YCbCr"))
    record = read_image(dicom_bytes(ybr, photometric="YBR_FULL"))
    np.testing.assert_allclose(record.model_input.astype(int), COLOR, atol=3)


def test_a_palette_is_looked_up():
    stored = np.array([[0, 1, 2, 3]], np.uint8)
    palettes = {}
    for color, values in {
        "Red": [0, 255, 0, 9],
        "Green": [1, 2, 3, 9],
        "Blue": [7, 8, 9, 9],
    }.items():
        palettes[f"{color}PaletteColorLookupTableDescriptor"] = [4, 0, 16]
        entries = np.array(values, "<u2") * 257
        palettes[f"{color}PaletteColorLookupTableData"] = entries.tobytes()
    record = read_image(dicom_bytes(stored, photometric="PALETTE COLOR", **palettes))
    expected = [[0, 1, 7], [255, 2, 8], [0, 3, 9], [9, 9, 9]]
    np.testing.assert_array_equal(record.model_input[0], expected)


def test_a_missing_palette_is_an_error():
    data = dicom_bytes(np.zeros((8, 8), np.uint8), photometric="PALETTE COLOR")
    with pytest.raises(DicomError, match="must hold a red palette"):
        read_image(data)


def test_one_bit_images_are_read():
    dataset = make_dataset(np.zeros((8, 16), np.uint8))
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = 0
    dataset.PixelData = bytes([0b10101010] * 16)
    record = read_image(to_bytes(dataset))
    np.testing.assert_array_equal(record.model_input[0, :4, 0], [0, 255, 0, 255])


@pytest.mark.parametrize(
    "syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless], ids=["rle", "jpeg-ls", "jpeg-2000"]
)
def test_lossless_syntaxes_give_back_the_stored_values(syntax):
    dataset = make_dataset(np.stack([RAMP, RAMP[:, ::-1]]), frames=2, bits_stored=12)
    dataset.compress(syntax, generate_instance_uid=False)
    record = read_image(to_bytes(dataset), frame=1)
    np.testing.assert_array_equal(record.modality_values, RAMP[:, ::-1])
    assert record.metadata["TransferSyntax"] == syntax.name


def test_jpeg_baseline_is_read():
    gray = gradient(dtype=np.uint8, top=255)
    jpeg = raster_bytes(Image.fromarray(gray), "JPEG", quality=95)
    record = read_image(encapsulated_bytes([jpeg], JPEGBaseline8Bit, 64, 64))
    np.testing.assert_allclose(record.modality_values, gray, atol=4)


def test_deflated_files_are_read_up_to_a_limit(monkeypatch):
    dataset = make_dataset(RAMP)
    dataset.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.1.99")
    data = to_bytes(dataset)
    np.testing.assert_array_equal(read_image(data).modality_values, RAMP)
    monkeypatch.setattr(dataset_module, "MAX_INFLATED_BYTES", 1000)
    with pytest.raises(DicomError, match="deflated data set must inflate to at most"):
        read_image(data)


def test_an_unknown_syntax_is_an_error():
    data = encapsulated_bytes([b"1234"], UID("1.2.840.10008.1.2.4.94"), 8, 8)  # JPIP
    with pytest.raises(DicomError, match="transfer syntax with a known decoder"):
        read_image(data)


@pytest.mark.parametrize(
    ("sop_class", "name"),
    [
        ("1.2.840.10008.5.1.4.1.1.88.33", "Comprehensive SR"),
        ("1.2.840.10008.5.1.4.1.1.104.1", "Encapsulated PDF"),
        ("1.2.840.10008.5.1.4.1.1.481.3", "RT Structure Set"),
        ("1.2.840.10008.1.3.10", "Media Storage Directory"),
    ],
)
def test_what_is_no_image_is_named(sop_class, name):
    dataset = make_dataset(RAMP)
    del dataset.PixelData
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    with pytest.raises(DicomError, match=f"found '{name}.*' without pixel data"):
        read_image(to_bytes(dataset))


def test_a_video_is_refused():
    data = encapsulated_bytes([b"1234"], UID("1.2.840.10008.1.2.4.102"), 8, 8)
    with pytest.raises(DicomError, match="found a DICOM video"):
        read_image(data)


def test_an_image_without_pixels_is_refused():
    dataset = make_dataset(RAMP)
    del dataset.PixelData
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = UID("1.2.3.4")
    with pytest.raises(DicomError, match="without pixel data"):
        read_image(to_bytes(dataset))


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"Rows": 0}, "Rows must be from 1 to"),
        ({"Columns": 65535}, "Columns must be from 1 to"),
        ({"Rows": 30000, "Columns": 30000}, "at most 64 million pixels"),
        ({"NumberOfFrames": 10**6}, "Number of Frames must be at most"),
        ({"Rows": 100}, "complete pixel data is required"),
        ({"PhotometricInterpretation": "SECRET"}, "must be a standard term"),
        ({"PhotometricInterpretation": "CMYK"}, "found 'CMYK'"),
        ({"PhotometricInterpretation": "RGB"}, "Samples per Pixel must fit 'RGB'"),
    ],
)
def test_contradictory_headers_give_one_sentence(attributes, message):
    with pytest.raises(DicomError, match=message) as caught:
        read_image(dicom_bytes(RAMP, **attributes))
    assert "\n" not in str(caught.value)
    assert "SECRET" not in str(caught.value)


def test_a_contradiction_of_the_file_on_burned_in_text_is_shown():
    record = read_image(dicom_bytes(RAMP, BurnedInAnnotation="YES"))
    flag = next(check for check in record.info.checks if check.name == "burned_in_flag")
    assert not flag.passed


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_an_error(share):
    data = dicom_bytes(RAMP)
    with pytest.raises(DicomError, match="required"):
        read_image(data[: max(200, int(share * len(data)))])


def test_a_damaged_deflated_file_is_an_error():
    dataset = make_dataset(RAMP)
    dataset.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.1.99")
    data = bytearray(to_bytes(dataset))
    data[-len(zlib.compress(RAMP.tobytes())) // 2 :] = b"\xff" * 20
    with pytest.raises(DicomError, match="required"):
        read_image(bytes(data))
