"""What a picture shows against what a task reads: which checks fail, and what they ask."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jomed_app.data.tasks import load_task
from jomed_app.errors import JomedError
from jomed_app.imaging import read_image, turned_over
from jomed_app.inference.checks import asking, content_checks, refusal, with_checks
from jomed_app.simulator import simulate_case
from jomed_app.types import Check
from tests.imaging.datasets import dicom_bytes

BREAST, RETINA, SLAKE = load_task("breast"), load_task("retina"), load_task("slake")
SEEDS = range(4_000, 4_008)


def scan(seed=SEEDS[0]):
    return simulate_case(seed, size_px=320).image


def record(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return read_image(buffer.getvalue())


def photograph(seed):
    """A smooth landscape of random hills in colour, with a camera's noise."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(40, 230, (6, 8, 3), dtype=np.uint8))
    picture = np.asarray(small.resize((320, 240), Image.Resampling.BICUBIC)).astype(float)
    return np.clip(picture + rng.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)


def asks(task, image):
    return asking(with_checks(image.info, content_checks(task, image)))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_scan_asks_nothing_and_its_inverted_copy_asks(seed):
    upright = scan(seed)
    assert asks(BREAST, record(upright)) == ()
    inverted = record(255 - upright)
    assert asks(BREAST, inverted) == ("inversion",)
    info = with_checks(inverted.info, content_checks(BREAST, inverted))
    (check,) = [each for each in info.checks if each.name == "inversion"]
    assert (check.passed, check.value) == (False, "looks inverted")
    found = refusal(BREAST, info)
    assert found.reason == (
        "The image looks inverted: black and white seem exchanged. "
        "Read it inverted, or go on as it is."
    )


def test_reading_an_inverted_image_inverted_gives_the_upright_one():
    upright, inverted = record(scan()), record(255 - scan())
    turned = turned_over(inverted)
    assert np.array_equal(turned.model_input, upright.model_input)
    assert turned.info.inverted_as_asked
    assert asks(BREAST, turned) == ()


def test_an_image_inverted_as_asked_is_not_asked_about_again():
    turned = turned_over(record(scan()))
    checks = {check.name: check for check in content_checks(BREAST, turned)}
    assert not checks["inversion"].passed
    assert "after you had it inverted" in checks["inversion"].message
    assert asks(BREAST, turned) == ()


def test_polarity_is_guessed_for_tasks_of_its_modality_alone():
    inverted = record(255 - scan())
    assert asks(SLAKE, inverted) == ()
    assert asks(BREAST.model_copy(update={"modalities": ()}), inverted) == ()
    assert asks(BREAST.model_copy(update={"modalities": ("US", "MG")}), inverted) == ()


def test_a_contradiction_in_the_file_warns_and_does_not_ask():
    failed = Check(name="inversion", passed=False, value="as stored", message="They contradict.")
    image = record(scan())
    info = image.info.model_copy(update={"checks": (failed,)})
    assert asking(with_checks(info, content_checks(BREAST, image))) == ()


@pytest.mark.parametrize("seed", range(6))
def test_a_photograph_asks_where_scans_are_read(seed):
    image = record(photograph(seed))
    assert asks(BREAST, image)[0] == "color"
    assert asks(RETINA, image) == ()


def test_a_scan_with_a_doppler_box_asks_nothing():
    rgb = np.repeat(scan()[:, :, None], 3, axis=2)
    rows, columns = rgb.shape[:2]
    box = rgb[rows // 4 : rows // 2, columns // 4 : columns // 2]
    box[..., 2] = np.minimum(255, box[..., 2].astype(int) + 120)
    image = record(rgb)
    assert image.content.colored_share > 0.05, "the box is told from gray"
    assert asks(BREAST, image) == ()


@pytest.mark.parametrize(
    "pattern",
    ["ramp", "diagonal", "steps", "squares", "lines", "pixels", "rings"],
)
def test_a_test_pattern_asks(pattern):
    y, x = np.mgrid[:240, :320]
    drawn = {
        "ramp": x * 255 / 320,
        "diagonal": (x + y) * 255 / 560,
        "steps": x // 20 * 16,
        "squares": (x // 40 + y // 40) % 2 * 255,
        "lines": ((x % 20 == 0) | (y % 20 == 0)) * 255,
        "pixels": (x + y) % 2 * 255,
        "rings": 128 + 100 * np.sin(np.hypot(x - 160, y - 120) / 20),
    }[pattern]
    image = record(drawn.astype(np.uint8))
    assert asks(BREAST, image)[0] == "pattern"
    assert asks(RETINA, image)[0] == "pattern", "of any task"


@pytest.mark.parametrize(
    ("modality", "expected"), [("CT", ("modality",)), ("US", ()), ("OT", ()), (None, ())]
)
def test_the_files_own_modality_is_taken_at_its_word(modality, expected):
    image = record(scan())
    image = replace(image, info=image.info.model_copy(update={"modality": modality}))
    assert asks(BREAST, image) == expected
    assert asks(BREAST.model_copy(update={"modalities": ()}), image) == ()


def test_the_sentence_names_both_modalities():
    image = read_image(dicom_bytes(scan(), Modality="MG"))
    found = refusal(BREAST, with_checks(image.info, content_checks(BREAST, image)))
    assert found.asks[0] == "modality"
    assert found.reason == (
        "This does not look like a breast ultrasound image: The file says that its modality is "
        "MG; this task reads US. Use an image of that kind."
    )


def color_bars():
    from pydicom.data import get_testdata_file

    folder = Path(str(get_testdata_file("SC_rgb_rle.dcm"))).parent
    return sorted(folder.rglob("SC_*.dcm"))


def test_every_color_bar_of_pydicom_asks():
    asked, unread = {}, 0
    for path in color_bars():
        try:
            image = read_image(path)
        except JomedError:
            unread += 1
            continue
        asked[path.name] = asks(BREAST, image)
    assert len(asked) >= 18
    assert [name for name, found in asked.items() if not found] == []


def test_a_check_takes_the_place_of_the_one_of_its_name():
    info = record(scan()).info
    names = [check.name for check in info.checks]
    one = Check(name="inversion", passed=False, message="anew")
    both = with_checks(info, (one, Check(name="domain", passed=True, message="more")))
    assert [check.name for check in both.checks] == [*names, "domain"]
    assert one in both.checks
