from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from jomed_app.imaging.codestream import (
    CodestreamHeader,
    bare_jpeg,
    read_codestream_header,
    rle_expansion,
)
from tests.imaging.datasets import raster_bytes

PICTURE = Image.fromarray(np.zeros((20, 30), np.uint8))


@pytest.mark.parametrize(
    ("kind", "options", "bits"),
    [("JPEG", {}, 8), ("JPEG2000", {"no_jp2": True}, 0), ("JPEG2000", {}, 0)],
)
def test_the_size_comes_from_the_codestream(kind, options, bits):
    header = read_codestream_header(raster_bytes(PICTURE, kind, **options))
    assert header == CodestreamHeader(20, 30, 1, 1, bits)


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


HEAD = b"\xff\xd8\xff\xe0\x00\x04ab"  # start, an application segment
TABLE, SCANS = b"\xff\xdb\x00\x05abc", b"\xff\xda\x00\x02data\xff\xe0\xff\xd9"


def test_a_bare_frame_keeps_what_decodes():
    comment = b"\xff\xfe\x00\x06name"
    assert bare_jpeg(HEAD + comment + TABLE + SCANS) == b"\xff\xd8" + TABLE + SCANS
    assert bare_jpeg(HEAD + b"\xff\xff" + TABLE + SCANS) == b"\xff\xd8" + TABLE + SCANS


@pytest.mark.parametrize(
    ("damaged", "message"),
    [
        (HEAD + b"??" + TABLE + SCANS, "whole segments up to its first scan"),
        (HEAD + b"\xff\xd9" + TABLE + SCANS, "whole segments up to its first scan"),
        (HEAD + b"\xff\xdb\x00\x01" + SCANS, "whole segments up to its first scan"),
        (HEAD + TABLE, "whole segments up to its first scan"),
        (HEAD + b"\xff", "whole segments up to its first scan"),
        (HEAD + b"\xff\xdb\x01\x00", "hold its whole segments"),
    ],
)
def test_a_frame_with_a_damaged_head_is_not_bared(damaged, message):
    with pytest.raises(ValueError, match=message):
        bare_jpeg(damaged)


@given(st.binary(max_size=60))
def test_any_bytes_are_bared_or_refused(data):
    bared = b""
    with suppress(ValueError):
        bared = bare_jpeg(b"\xff\xd8" + data)
    assert not bared or (b"\xff\xda" in bared and len(bared) <= len(data) + 2)
