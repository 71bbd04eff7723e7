import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from jomed_app.errors import ImageError
from jomed_app.imaging import raster, read_image
from jomed_app.imaging.tiff import count_pages
from tests.imaging.datasets import gradient, raster_bytes

GRAY = gradient(dtype=np.uint8, top=255)
DEEP = gradient(top=40_000)
COLOR = np.random.default_rng(2).integers(0, 256, (40, 30, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_8_bit_gray_is_kept_as_it_is(kind):
    record = read_image(raster_bytes(Image.fromarray(GRAY), kind))
    np.testing.assert_array_equal(record.model_input[:, :, 1], GRAY)
    np.testing.assert_array_equal(record.modality_values, GRAY)
    assert record.info.format == kind.lower()
    assert record.windows[0].width == 255


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_gray_keeps_its_depth(kind):
    record = read_image(raster_bytes(Image.fromarray(DEEP), kind))
    np.testing.assert_array_equal(record.modality_values, DEEP)
    assert {record.model_input.min(), record.model_input.max()} == {0, 255}
    assert record.metadata["BitsStored"] == "16"


def test_a_big_endian_16_bit_tiff_is_read():
    swapped = Image.frombytes("I;16B", (64, 64), DEEP.astype(">u2").tobytes())
    data = raster_bytes(swapped, "TIFF")
    assert data.startswith(b"MM")
    np.testing.assert_array_equal(read_image(data).modality_values, DEEP)


def test_float_tiff_is_stretched():
    values = np.linspace(-1, 1, 4096, dtype=np.float32).reshape(64, 64)
    record = read_image(raster_bytes(Image.fromarray(values), "TIFF"))
    np.testing.assert_array_equal(record.modality_values, values)
    assert record.model_input.max() == 255


def test_a_16_bit_tiff_where_zero_is_white_is_inverted():
    data = raster_bytes(Image.fromarray(DEEP), "TIFF", tiffinfo={262: 0})
    record = read_image(data)
    assert record.inverted
    assert record.model_input[0, 0, 0] == 255


def test_color_is_kept_and_equal_channels_are_gray():
    record = read_image(raster_bytes(Image.fromarray(COLOR), "PNG"))
    np.testing.assert_array_equal(record.model_input, COLOR)
    assert record.modality_values is None
    same = read_image(raster_bytes(Image.fromarray(GRAY).convert("RGB"), "PNG"))
    np.testing.assert_array_equal(same.modality_values, GRAY)


def test_a_gray_png_and_its_rgb_copy_give_the_same_model_input():
    gray = Image.fromarray(GRAY // 2)
    first = read_image(raster_bytes(gray, "PNG")).model_input
    second = read_image(raster_bytes(gray.convert("RGB"), "PNG")).model_input
    np.testing.assert_array_equal(first, second)


def test_jpeg_is_read_in_gray_color_and_cmyk():
    for mode, tolerance in (("L", 3), ("RGB", 3), ("CMYK", 30)):
        picture = Image.fromarray(GRAY).convert(mode)
        record = read_image(raster_bytes(picture, "JPEG", quality=98))
        assert record.info.format == "jpeg"
        assert np.abs(record.model_input[:, :, 0].astype(int) - GRAY).max() <= tolerance


def test_a_palette_and_alpha_are_resolved():
    palette = Image.fromarray(COLOR).quantize(16)
    record = read_image(raster_bytes(palette, "PNG"))
    np.testing.assert_array_equal(record.model_input, np.asarray(palette.convert("RGB")))
    alpha = Image.fromarray(COLOR)
    alpha.putalpha(Image.new("L", alpha.size, 0))
    clear = read_image(raster_bytes(alpha, "PNG"))
    assert clear.model_input.max() == 0
    assert "transparency" in {check.name for check in clear.info.checks if not check.passed}
    half = Image.new("LA", (70, 70), (200, 128))
    assert read_image(raster_bytes(half, "PNG")).model_input[0, 0, 0] == 100


def test_one_bit_images_are_black_and_white():
    record = read_image(raster_bytes(Image.fromarray(GRAY).convert("1"), "PNG"))
    assert set(np.unique(record.model_input)) == {0, 255}


def test_a_camera_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter to the right
    picture = Image.fromarray(GRAY[:, :32])
    record = read_image(raster_bytes(picture, "JPEG", exif=exif, quality=98))
    assert (record.info.rows, record.info.columns) == (32, 64)
    assert "orientation" in {check.name for check in record.info.checks}


def test_tiff_pages_are_frames():
    pages = [Image.fromarray(GRAY // part) for part in (1, 2, 4)]
    data = raster_bytes(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    record = read_image(data, frame=2)
    np.testing.assert_array_equal(record.modality_values, GRAY // 4)
    assert (record.num_frames, record.frame) == (3, 2)
    for frame in (-1, 3):
        with pytest.raises(ImageError, match="frame must be from 0 to 2"):
            read_image(data, frame=frame)


@pytest.mark.parametrize("offset", [2**63 - 1, 2**63, 2**64 - 1])
def test_an_offset_past_any_file_ends_the_chain(offset):
    data = b"II+\0" + struct.pack("<HHQ", 8, 0, offset) + bytes(64)
    assert count_pages(data) == 1
    with pytest.raises(ImageError, match="complete TIFF file is required"):
        read_image(data)


def test_a_png_has_one_frame():
    with pytest.raises(ImageError, match="frame must be from 0 to 0"):
        read_image(raster_bytes(Image.fromarray(GRAY), "PNG"), frame=1)


def test_a_tiff_chain_is_walked_within_bounds():
    loop = b"II*\0" + struct.pack("<I", 8) + struct.pack("<HI", 0, 8)
    assert count_pages(loop) == 1
    ahead = b"II*\0" + struct.pack("<I", 8)
    ahead += b"".join(struct.pack("<HI", 0, 8 + 6 * (page + 1)) for page in range(2500))
    with pytest.raises(ImageError, match="at most 2000 pages"):
        count_pages(ahead)
    big = b"MM\0+" + struct.pack(">HHQ", 8, 0, 16) + struct.pack(">QQ", 0, 32)
    big += struct.pack(">QQ", 0, 0)
    assert count_pages(big) == 2


def test_a_pixel_bomb_is_an_error_before_decoding(monkeypatch):
    monkeypatch.setattr(raster, "MAX_PIXELS", 1000)
    with pytest.raises(ImageError, match="found 64 x 64"):
        read_image(raster_bytes(Image.fromarray(GRAY), "PNG"))


@pytest.mark.parametrize("side", [12_000, 60_000])  # Pillow alone: a warning, then its own error
def test_a_bomb_in_the_header_is_an_error(side):
    data = bytearray(raster_bytes(Image.fromarray(GRAY), "PNG"))
    data[16:24] = struct.pack(">II", side, side)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    with pytest.raises(ImageError, match="at most 64 million pixels"):
        read_image(bytes(data))


def test_a_jpeg_with_hundreds_of_scans_is_an_error():
    data = raster_bytes(Image.fromarray(GRAY), "JPEG")
    with pytest.raises(ImageError, match="at most 100 scans"):
        read_image(data[:-2] + b"\xff\xda\x00\x02" * 200 + b"\xff\xd9")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.7])
def test_a_truncated_file_is_an_error(kind, share):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    data = raster_bytes(Image.fromarray(noise), kind)
    with pytest.raises(ImageError, match=f"complete {kind} file is required"):
        read_image(data[: int(share * len(data))])


def test_an_unsupported_pixel_type_is_an_error(monkeypatch):
    monkeypatch.setattr(raster, "_COLOR", ())
    with pytest.raises(ImageError, match="must be gray, RGB, palette or CMYK"):
        read_image(raster_bytes(Image.fromarray(COLOR), "PNG"))
