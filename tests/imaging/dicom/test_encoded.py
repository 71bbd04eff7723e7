"""Files of DCMTK's encoders give back what was put into them (`encoded/make_files.py`)."""

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import get_frame

from jomed_app.errors import DicomError
from jomed_app.imaging import read_image
from tests.imaging.dicom.encoded.make_files import FILES, HERE


@pytest.mark.parametrize("name", FILES)
def test_a_file_gives_back_what_was_encoded(name):
    encoded = FILES[name]
    frames = encoded.stored if encoded.attributes.get("frames") else encoded.stored[None]
    for number, stored in enumerate(frames):
        record = read_image(HERE / f"{name}.dcm", frame=number)
        decoded = record.model_input if stored.ndim == 3 else record.modality_values
        assert np.abs(decoded.astype(int) - stored).max() <= encoded.tolerance


def test_the_encoders_wrote_what_the_names_say():
    written = {name: dcmread(HERE / f"{name}.dcm").file_meta.TransferSyntaxUID for name in FILES}
    prefixes = {
        "lossless_sv1": "1.2.840.10008.1.2.4.70",
        "lossless_14": "1.2.840.10008.1.2.4.57",
        "extended": "1.2.840.10008.1.2.4.51",
        "baseline": "1.2.840.10008.1.2.4.50",
        "jpeg_ls_near": "1.2.840.10008.1.2.4.81",
        "jpeg_ls": "1.2.840.10008.1.2.4.80",
        "rle": "1.2.840.10008.1.2.5",
        "htj2k": "1.2.840.10008.1.2.4.201",
    }
    for name, syntax in written.items():
        assert syntax == next(uid for prefix, uid in prefixes.items() if name.startswith(prefix))


GDCM_DECODES = ["lossless_sv1_12", "lossless_14_signed", "extended_12"]


def with_frame(name, change):
    """The bytes of a file whose one frame was changed, at the same length."""
    data = (HERE / f"{name}.dcm").read_bytes()
    frame = get_frame(dcmread(HERE / f"{name}.dcm").PixelData, 0, number_of_frames=1)
    changed = change(frame)
    assert len(changed) == len(frame)
    return data.replace(frame, changed)


@pytest.mark.parametrize("name", GDCM_DECODES)
def test_a_frame_that_is_none_is_an_error(name):
    data = with_frame(name, lambda frame: frame[:40] + bytes(len(frame) - 42) + b"\xff\xd9")
    with pytest.raises(DicomError, match="complete pixel data is required") as caught:
        read_image(data)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("name", GDCM_DECODES)
def test_a_damaged_head_does_not_end_the_process(name):
    """GDCM 3.2.6 aborts at bytes between two segments."""
    jfif = 2 + 2 + 16

    def spoil(frame):
        assert frame[2:4] == b"\xff\xe0"
        return frame[:jfif] + b"\x00\x00" + frame[jfif + 2 :]

    with pytest.raises(DicomError, match="complete pixel data is required"):
        read_image(with_frame(name, spoil))


def test_components_must_be_the_samples_per_pixel():
    data = bytearray((HERE / "lossless_sv1_rgb.dcm").read_bytes())
    samples = data.index(b"\x28\x00\x02\x00US\x02\x00") + 8
    data[samples] = 1
    with pytest.raises(DicomError, match="complete pixel data is required"):
        read_image(bytes(data))


def end_marks(frame):
    """The later half of a frame as end marks alone."""
    return b"\xff\xd9" * (len(frame) // 4)


@pytest.mark.parametrize("name", GDCM_DECODES)
def test_a_frame_that_ends_early_shows_nothing_of_the_picture_before(name):
    before = read_image(HERE / f"{name}.dcm").modality_values
    data = with_frame(name, lambda frame: frame[: -2 * (len(frame) // 4)] + end_marks(frame))
    last_rows = read_image(data).modality_values[-4:]
    assert np.unique(last_rows).size == 1
    assert (last_rows != before[-4:]).mean() > 0.9


def test_a_frame_with_more_bits_than_its_cell_is_refused():
    data = (HERE / "lossless_sv1_16.dcm").read_bytes()
    dataset = dcmread(HERE / "lossless_sv1_16.dcm")
    assert (dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit) == (16, 16, 15)
    for tag, value in ((0x0100, 8), (0x0101, 8), (0x0102, 7)):
        head = b"\x28\x00" + tag.to_bytes(2, "little") + b"US\x02\x00"
        start = data.index(head) + len(head)
        data = data[:start] + value.to_bytes(2, "little") + data[start + 2 :]
    with pytest.raises(DicomError, match=r"must fit .* Bits Allocated of 8, found samples of 16"):
        read_image(data)
