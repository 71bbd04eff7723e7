"""The rendering shows what the descriptors say; measured in uniform tissue."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from jomed_app.simulator.acoustics import b_mode
from jomed_app.simulator.anatomy import FAT_DB, Tissue, draw_tissue
from jomed_app.simulator.case import mask_box
from jomed_app.simulator.fields import smooth_field, smooth_line, strands
from jomed_app.simulator.lesions import insert_lesion

SHAPE = (144, 176)
SCALE = 176 / 480
PLAIN = {
    "shape": "oval",
    "orientation": "parallel",
    "margin": "circumscribed",
    "echo": "hypoechoic",
    "posterior": "none",
    "calcifications": "absent",
}
SEEDS = range(8)


def _render(seed: int, **changes: str) -> tuple[NDArray[np.float64], NDArray[np.bool_], Tissue]:
    flat = np.zeros(SHAPE, dtype=np.float32)
    tissue = Tissue(flat + np.float32(FAT_DB / 2), flat, flat, skin_px=5.0)
    tissue, mask = insert_lesion(
        np.random.default_rng(seed), tissue, "fibroadenoma", PLAIN | changes, SCALE
    )
    return b_mode(np.random.default_rng(seed), tissue, SCALE).astype(float), mask, tissue


def _inside(**changes: str) -> float:
    values = []
    for seed in SEEDS:
        image, mask, _ = _render(seed, **changes)
        values.append(image[mask].mean())
    return float(np.mean(values))


def _behind_minus_beside(**changes: str) -> float:
    """Mean grey level below the mass less that at the same depth to its sides."""
    values = []
    for seed in SEEDS:
        image, mask, _ = _render(seed, **changes)
        box = mask_box(mask)
        assert box is not None
        top, x0, x1 = int(box.y1) + 2, int(box.x0), int(box.x1)
        band = image[top : top + 15]
        quarter = max(1, (x1 - x0) // 4)
        beside = np.concatenate(
            [band[:, max(0, x0 - 25) : max(0, x0 - 6)], band[:, x1 + 6 : x1 + 25]], axis=1
        )
        values.append(band[:, x0 + quarter : x1 - quarter].mean() - beside.mean())
    return float(np.mean(values))


def test_echo_levels_are_in_order() -> None:
    levels = [_inside(echo=echo) for echo in ("anechoic", "hypoechoic", "isoechoic", "hyperechoic")]
    assert levels == sorted(levels)
    assert min(np.diff(levels)) > 5


def test_a_heterogeneous_mass_varies_more_than_a_hypoechoic_one() -> None:
    def spread(echo: str) -> float:
        values = []
        for seed in SEEDS:
            _, mask, tissue = _render(seed, echo=echo)
            values.append(tissue.scatter_db[mask].std())
        return float(np.mean(values))

    assert spread("heterogeneous") > 1.3 * spread("hypoechoic")
    assert spread("complex") > 1.3 * spread("hypoechoic")


def test_posterior_features_are_visible_behind_the_mass() -> None:
    enhancement, none, shadowing = (
        _behind_minus_beside(posterior=value) for value in ("enhancement", "none", "shadowing")
    )
    assert enhancement > 8
    assert shadowing < -8
    assert shadowing + 8 < none < enhancement - 8


def test_combined_posterior_features_are_bright_on_one_side_and_dark_on_the_other() -> None:
    _, mask, tissue = _render(0, posterior="combined", margin="indistinct")
    box = mask_box(mask)
    assert box is not None
    below = tissue.attenuation_db[int(box.y1) + 2 : int(box.y1) + 12].mean(axis=0)
    assert below.max() > 2
    assert below.min() < -3


def test_calcifications_are_bright_points_inside_the_mass() -> None:
    for seed in SEEDS:
        _, mask, tissue = _render(seed, calcifications="present", margin="indistinct")
        row, column = np.unravel_index(tissue.specular.argmax(), SHAPE)
        assert tissue.specular.max() > 2
        assert mask[row, column]


def test_an_indistinct_border_is_softer_than_a_circumscribed_one() -> None:
    def steepest(margin: str) -> float:
        values = []
        for seed in SEEDS:
            _, _, tissue = _render(seed, margin=margin)
            values.append(np.percentile(np.abs(np.gradient(tissue.scatter_db)[0]), 99.5))
        return float(np.mean(values))

    assert steepest("indistinct") < 0.8 * steepest("circumscribed")


def test_a_rough_margin_has_a_longer_border_than_its_box() -> None:
    """Counted in pixel steps, the border of a convex mass is as long as that of its box."""

    def excess(margin: str) -> float:
        values = []
        for seed in SEEDS:
            _, mask, _ = _render(seed, margin=margin)
            box = mask_box(mask)
            assert box is not None
            steps = sum(np.abs(np.diff(mask.astype(int), axis=axis)).sum() for axis in (0, 1))
            values.append(steps / (2 * (box.width + box.height)))
        return float(np.mean(values))

    assert excess("circumscribed") < 1.01
    assert excess("microlobulated") > 1.04
    assert excess("spiculated") > 1.10


def test_tissue_is_layered() -> None:
    """Fat is darker than fibroglandular tissue, muscle is darker again."""
    profile = np.mean(
        [
            draw_tissue(np.random.default_rng(seed), SHAPE, SCALE).scatter_db.mean(axis=1)
            for seed in range(16)
        ],
        axis=0,
    )
    rows = SHAPE[0]
    fat, gland, muscle = profile[int(0.09 * rows)], profile[int(0.45 * rows)], profile[-6]
    assert fat < gland - 1
    assert muscle < gland - 3


def test_smooth_fields_are_standardized_and_as_long_as_asked() -> None:
    field = smooth_field(np.random.default_rng(0), (96, 128), (4.0, 16.0))
    assert field.dtype == np.float32
    assert field.shape == (96, 128)
    assert float(field.mean()) == pytest.approx(0, abs=1e-3)
    assert float(field.std()) == pytest.approx(1, abs=1e-3)
    axial, lateral = (np.abs(np.diff(field, axis=axis)).mean() for axis in (0, 1))
    assert axial > 2 * lateral
    assert smooth_line(np.random.default_rng(0), 50, 10.0).shape == (50,)


def test_strands_lie_on_zero_crossings_and_prefer_flat_interfaces() -> None:
    rows, columns = np.mgrid[-20:21, -20:21].astype(np.float32)
    flat = strands(rows, 1.0)
    assert flat[20].min() == pytest.approx(1)
    assert flat[0].max() < 1e-6
    assert strands(columns, 1.0).max() < 1e-6
