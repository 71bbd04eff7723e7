"""One case: determinism, record, box and error texts."""

from __future__ import annotations

import numpy as np
import pytest

from jomed_app.boxes import Box
from jomed_app.errors import ConfigError
from jomed_app.simulator import simulate_case
from jomed_app.simulator.case import mask_box
from jomed_app.simulator.descriptors import KINDS, VOCABULARY
from jomed_app.simulator.frame import draw_frame, framed

SIZE_PX = 128


def test_equal_seeds_give_equal_cases_and_other_seeds_do_not() -> None:
    first, again, other = (simulate_case(seed, size_px=SIZE_PX) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.mask, again.mask)
    assert first.record == again.record
    assert first.image.shape != other.image.shape or (first.image != other.image).any()


@pytest.mark.parametrize("kind", KINDS)
def test_record_describes_the_image(kind: str) -> None:
    for seed in range(6):
        case = simulate_case(seed, kind, size_px=SIZE_PX)
        record = case.record
        assert case.image.dtype == np.uint8
        assert case.image.shape == case.mask.shape == (record.rows, record.columns)
        assert record.columns == SIZE_PX
        assert record.label == KINDS[kind].label
        assert record.group == record.case_id
        assert record.provenance["source"] == "simulated"
        assert record.provenance["kind"] == kind
        assert record.provenance["seed"] == str(seed)
        assert record.provenance["label_made"] == "by construction"
        assert record.provenance["licence"]
        assert set(record.descriptors) == (set(VOCABULARY) if kind != "normal" else set())


@pytest.mark.parametrize("kind", ["cyst", "fibroadenoma", "carcinoma"])
def test_box_is_the_extent_of_the_mask(kind: str) -> None:
    for seed in range(8):
        case = simulate_case(seed, kind, size_px=SIZE_PX)
        (box,) = case.record.box_list
        rows, columns = np.nonzero(case.mask)
        assert box == Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert 0.03 * SIZE_PX < box.width < 0.9 * SIZE_PX


@pytest.mark.parametrize("kind", ["fibroadenoma", "carcinoma"])
def test_extent_follows_the_orientation(kind: str) -> None:
    seen = set()
    for seed in range(20):
        record = simulate_case(seed, kind, size_px=SIZE_PX).record
        (box,) = record.box_list
        # Half-open boxes of small masses are a pixel or two uncertain.
        if record.descriptors["orientation"] == "parallel":
            assert box.height < box.width + 2
        else:
            assert box.width < box.height + 2
        seen.add(record.descriptors["orientation"])
    assert seen == set(VOCABULARY["orientation"])


def test_a_case_without_mass_has_neither_box_nor_mask() -> None:
    case = simulate_case(3, "normal", size_px=SIZE_PX)
    assert case.record.boxes == ()
    assert not case.mask.any()
    assert mask_box(case.mask) is None


def test_size_scales_the_picture_and_not_the_findings() -> None:
    small, large = (simulate_case(11, "carcinoma", size_px=size) for size in (128, 256))
    assert small.record.descriptors == large.record.descriptors
    assert small.record.passage == large.record.passage
    assert large.record.columns == 2 * small.record.columns


def test_marks_are_burnt_in_alike_with_and_without_a_mass() -> None:
    marked = []
    for lesion in (None, Box(30, 30, 80, 60)):
        found = []
        for seed in range(60):
            frame = draw_frame(np.random.default_rng(0), SIZE_PX)
            black = np.zeros(frame.field_shape, dtype=np.uint8)
            image = framed(np.random.default_rng(seed), black, frame, lesion)
            found.append(bool((image > 200).any()))
        marked.append(found)
    assert marked[0] == marked[1]
    assert 0.2 < np.mean(marked[0]) < 0.6


def test_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"kind must be one of normal, cyst.*found 'benign'"):
        simulate_case(0, "benign")


def test_negative_seed_is_refused() -> None:
    with pytest.raises(ConfigError, match="seed must be 0 or more, found -1"):
        simulate_case(-1)


@pytest.mark.parametrize("size_px", [63, 2049])
def test_size_out_of_range_is_refused(size_px: int) -> None:
    with pytest.raises(ConfigError, match=f"size_px must be 64 to 2048, found {size_px}"):
        simulate_case(0, size_px=size_px)
