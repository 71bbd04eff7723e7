import numpy as np
import pytest
from PIL import Image, ImageDraw

from jomed_app.imaging import read_image
from jomed_app.imaging.quality import count_border_marks
from tests.imaging.datasets import dicom_bytes, gradient, raster_bytes


def check_of(record, name):
    return next(check for check in record.info.checks if check.name == name)


def speckle(seed, side=480):
    """Return a gray picture of speckle: bright grains, no text."""
    noise = np.random.default_rng(seed).rayleigh(40, (side, side))
    return np.clip(noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("array", "name"),
    [
        (np.full((100, 100), 7, np.uint16), "contrast"),
        (np.full((100, 100), 255, np.uint8), "saturation"),
        (gradient(20, 20), "size"),
        (gradient(64, 640), "aspect"),
    ],
)
def test_a_poor_picture_fails_its_check_and_no_other_of_these(array, name):
    names = {"contrast", "saturation", "size", "aspect"}
    if name == "saturation":
        names.discard("contrast")  # all white is blank too
    record = read_image(dicom_bytes(array))
    failed = {check.name for check in record.info.checks if not check.passed}
    assert failed & names == {name}


def test_a_good_picture_passes_every_check():
    record = read_image(raster_bytes(Image.fromarray(speckle(0)), "PNG"))
    assert [check.name for check in record.info.checks if not check.passed] == []
    assert all(check.message.endswith(".") for check in record.info.checks)


def test_frames_polarity_and_depth_are_said():
    stack = np.stack([gradient()] * 4)
    record = read_image(dicom_bytes(stack, frames=4, photometric="MONOCHROME1"))
    assert check_of(record, "frames").message.startswith("The file holds 4 frames")
    assert check_of(record, "inversion").value == "inverted"
    assert check_of(record, "bit_depth").value == 16


@pytest.mark.parametrize("corner", [(8, 8), (300, 8), (8, 455)])
@pytest.mark.parametrize("scale", [1, 3])
def test_text_near_a_border_is_flagged(corner, scale):
    picture = Image.fromarray(speckle(1) // 4)
    ImageDraw.Draw(picture).text(corner, "DOE JOHN 1950", fill=255)
    picture = picture.resize((480 * scale, 480 * scale))
    record = read_image(raster_bytes(picture, "PNG"))
    annotation = check_of(record, "annotation")
    assert not annotation.passed
    assert annotation.value >= 6


@pytest.mark.parametrize("seed", range(3))
def test_speckle_and_smooth_pictures_are_not_flagged(seed):
    assert count_border_marks(speckle(seed).astype(np.float32)) < 6
    assert count_border_marks(gradient(top=255).astype(np.float32)) == 0
    assert count_border_marks(np.zeros((20, 20), np.float32)) == 0
