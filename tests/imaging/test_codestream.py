import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from jomed_app.imaging.codestream import CodestreamHeader, read_codestream_header, rle_expansion
from tests.imaging.datasets import raster_bytes

PICTURE = Image.fromarray(np.zeros((20, 30), np.uint8))


@pytest.mark.parametrize(
    ("kind", "options", "scans"),
    [("JPEG", {}, 1), ("JPEG2000", {"no_jp2": True}, 1), ("JPEG2000", {}, 1)],
)
def test_the_size_comes_from_the_codestream(kind, options, scans):
    header = read_codestream_header(raster_bytes(PICTURE, kind, **options))
    assert header == CodestreamHeader(20, 30, 1, scans)


def test_components_and_scans_are_counted():
    data = raster_bytes(PICTURE.convert("RGB"), "JPEG", progressive=True)
    header = read_codestream_header(data)
    assert header.components == 3
    assert header.scans > 3
    assert read_codestream_header(raster_bytes(PICTURE.convert("RGB"), "JPEG2000")).components == 3


@given(st.binary(max_size=80), st.sampled_from([b"", b"\xff\xd8", b"\xff\x4f\xff\x51"]))
def test_any_bytes_give_a_header_or_none(data, head):
    header = read_codestream_header(head + data)
    assert header is None or isinstance(header, CodestreamHeader)


def test_rle_is_counted_up_to_the_limit():
    # literal of 3 (4 bytes), run of 5 (2 bytes), a no-op
    frame = bytes(64) + b"\x02abc" + b"\xfcz" + b"\x80"
    assert rle_expansion(frame, 100) == 8
    assert rle_expansion(bytes(64) + b"\x81z" * 1000, 500) == 512
