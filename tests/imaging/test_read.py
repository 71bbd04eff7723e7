import threading
import warnings
from io import BytesIO

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from jomed_app.errors import ImageError, JomedError
from jomed_app.imaging import read, read_image
from jomed_app.imaging.read import sniff
from tests.imaging.datasets import dicom_bytes, gradient, raster_bytes

GRAY = gradient(dtype=np.uint8, top=255)
SEEDS = {
    "dicom": dicom_bytes(gradient(16, 16), WindowCenter="10", WindowWidth="20"),
    "png": raster_bytes(Image.fromarray(GRAY[:16, :16]), "PNG"),
    "jpeg": raster_bytes(Image.fromarray(GRAY[:16, :16]), "JPEG"),
    "tiff": raster_bytes(Image.fromarray(GRAY[:16, :16]), "TIFF", compression="tiff_lzw"),
}


def read_or_refuse(data):
    """Return the record, or None after an error that is ours and one line long."""
    refusal = ""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return read_image(data)
        except JomedError as error:
            refusal = str(error)
    assert refusal
    assert "\n" not in refusal
    assert "NameError" not in refusal  # a mistake of ours, not damage
    return None


@pytest.mark.parametrize(("kind", "data"), SEEDS.items())
def test_formats_are_told_by_their_bytes(kind, data):
    assert sniff(data) == kind
    assert read_image(data).info.format == kind


@pytest.mark.parametrize(
    "data", [b"GIF89a" + bytes(200), b"%PDF-1.7", b"<html>", bytes(200), b"\x1f\x8b" + bytes(99)]
)
def test_other_formats_are_refused(data):
    with pytest.raises(ImageError, match="DICOM, PNG, JPEG or TIFF image is required"):
        read_image(data)


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "a.png"
    path.touch()
    for source in (b"", path):
        with pytest.raises(ImageError, match="found an empty file"):
            read_image(source)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ImageError, match="found none at the given path"):
        read_image(tmp_path / "none.png")


def test_a_large_file_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(read, "MAX_FILE_BYTES", 2**20)
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(3 * 2**20)
    for source in (path, bytes(3 * 2**20)):
        with pytest.raises(ImageError, match="at most 1 MiB, found 3 MiB"):
            read_image(source)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=600), st.sampled_from(["", "dicom", "png", "jpeg", "tiff", "bare"]))
def test_garbage_never_raises_anything_but_our_errors(garbage, kind):
    heads = {
        "": b"",
        "dicom": bytes(128) + b"DICM",
        "png": SEEDS["png"][:33],
        "jpeg": b"\xff\xd8\xff",
        "tiff": b"II*\0",
        "bare": b"\x08\x00",
    }
    read_or_refuse(heads[kind] + garbage)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.large_base_example])
@given(
    kind=st.sampled_from(sorted(SEEDS)),
    edits=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=4)), max_size=6),
    keep=st.floats(0.2, 1.0),
)
def test_damaged_files_never_raise_anything_but_our_errors(kind, edits, keep):
    data = bytearray(SEEDS[kind])
    for share, patch in edits:
        position = int(share * (len(data) - 1))
        data[position : position + len(patch)] = patch
    record = read_or_refuse(bytes(data[: int(keep * len(data))]))
    if record is not None:
        assert record.model_input.dtype == np.uint8
        assert record.model_input.shape == (record.info.rows, record.info.columns, 3)


def test_reads_from_several_threads_agree():
    expected = {kind: read_image(data).model_input for kind, data in SEEDS.items()}
    wrong = []

    def work():
        for kind, data in SEEDS.items():
            if not np.array_equal(read_image(data).model_input, expected[kind]):
                wrong.append(kind)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert wrong == []
    assert not any(thread.is_alive() for thread in threads)


def test_the_record_does_not_share_the_upload():
    data = bytearray(SEEDS["png"])
    record = read_image(bytes(data))
    before = record.model_input.copy()
    data[:] = bytes(len(data))
    np.testing.assert_array_equal(record.model_input, before)
    assert Image.open(BytesIO(SEEDS["png"])).size == (16, 16)
