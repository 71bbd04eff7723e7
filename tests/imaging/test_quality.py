import numpy as np
import pytest
from PIL import Image

from jomed_app.imaging import read_image
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
