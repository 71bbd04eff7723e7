"""From reflectors to grey levels: attenuation, point-spread function, compression, gain.

Ours: speckle is Gaussian noise filtered by a Gaussian point-spread function whose lateral width
grows away from the focus; four independent looks are averaged in power, as in spatial compounding
(two real looks have the statistics of one fully developed, complex one).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jomed_app.simulator.anatomy import Tissue
from jomed_app.simulator.fields import (
    FloatImage,
    blurred,
    rows_and_columns,
    smooth_field,
    smooth_line,
    white_noise,
)

LOOKS = 4


def b_mode(rng: np.random.Generator, tissue: Tissue, scale: float) -> NDArray[np.uint8]:
    """Image the tissue.

    Args:
        rng: source of randomness.
        tissue: what reflects.
        scale: px per reference px; the point-spread function grows with it.

    Returns:
        (rows, columns) uint8 grey levels.
    """
    shape = (tissue.scatter_db.shape[0], tissue.scatter_db.shape[1])
    loss = tissue.attenuation_db + _beam_gain(rng, shape, scale)
    gain = np.power(np.float32(10), loss / np.float32(20))
    level = np.power(np.float32(10), tissue.scatter_db / np.float32(20)) * gain
    mirror = tissue.specular * gain
    envelope = _envelope(rng, level, mirror, scale)
    floor = rng.uniform(-43, -34)
    noise = np.abs(blurred(white_noise(rng, shape), (0.6 * scale, 0.9 * scale)))
    noisy = np.asarray(envelope + 10 ** (floor / 20) * noise, dtype=np.float32)
    return _compressed(rng, noisy, scale)


def _beam_gain(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> FloatImage:
    """Gain in dB over depth (attenuation less TGC) and along scan lines (contact, streaks)."""
    axial, _ = rows_and_columns(shape)
    depth = axial / shape[0]
    knee = rng.uniform(0.12, 0.62)
    drop = rng.uniform(12, 62)
    gain = -drop * np.clip(depth - knee, 0, None) ** 1.3 * 1.6
    gain = gain + rng.uniform(0.5, 2.0) * smooth_line(rng, shape[0], shape[0] / 4)[:, None]
    streak = rng.uniform(0.5, 2.2) * smooth_line(rng, shape[1], 16 * scale)
    streak = streak + rng.uniform(0.5, 2.5) * smooth_line(rng, shape[1], 60 * scale)
    gain = gain + np.clip(streak, -6, 5)[None, :] * np.clip(depth * 1.6, 0, 1)
    for _ in range(rng.integers(0, 4)):
        gain = gain + _contact_shadow(rng, shape, scale)
    patches = smooth_field(rng, shape, (shape[0] / 3.0, shape[1] / 4.0))
    return np.asarray(gain + rng.uniform(0.5, 2.0) * patches, dtype=np.float32)


def _contact_shadow(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> FloatImage:
    """A narrow shadow behind a ligament, dB <= 0; it occurs in every class."""
    axial, lateral = rows_and_columns(shape)
    start = shape[0] * rng.uniform(0.05, 0.5)
    center = shape[1] * rng.uniform(0, 1) + rng.uniform(-0.12, 0.12) * (axial - start)
    width = rng.uniform(5, 22) * scale * (1 + 0.6 * (axial - start) / shape[0])
    across = np.exp(-(((lateral - center) / width) ** 2))
    below = 0.5 + 0.5 * np.tanh((axial - start) / (rng.uniform(6, 25) * scale))
    fade = np.exp(-np.clip(axial - start, 0, None) / (shape[0] * rng.uniform(0.2, 0.9)))
    return np.asarray(-rng.uniform(3, 9) * across * below * fade, dtype=np.float32)


def _envelope(
    rng: np.random.Generator, level: FloatImage, mirror: FloatImage, scale: float
) -> FloatImage:
    """Depth-varying point-spread function over scatterers, looks averaged in power."""
    shape = (level.shape[0], level.shape[1])
    axial, _ = rows_and_columns(shape)
    depth = axial / shape[0]
    focus = rng.uniform(0.25, 0.5)
    away = np.clip(np.abs(depth - focus) * 1.7, 0, 1)
    sharp = rng.uniform(1.5, 2.1) * scale
    wide = sharp * rng.uniform(1.7, 2.2)
    along = rng.uniform(0.8, 1.1) * scale
    # A blurred unit-variance field loses power by 1 / (4 pi sigma_axial sigma_lateral).
    near = np.float32(np.sqrt(4 * np.pi * along * sharp))
    far = np.float32(np.sqrt(4 * np.pi * along * wide))
    lines = blurred(mirror, (0.6 * scale, 1.2 * scale)) * np.float32(0.9)
    power = np.zeros(shape, dtype=np.float32)
    for _ in range(LOOKS):
        scatterers = white_noise(rng, shape) * level
        narrow = blurred(scatterers, (along, sharp)) * near
        broad = blurred(scatterers, (along, wide)) * far
        # Lateral speckle is longer away from the focus.
        mixed = narrow * (1 - away) + broad * away
        power += (mixed + lines) ** 2
    return np.asarray(np.sqrt(power / np.float32(LOOKS)), dtype=np.float32)


def _compressed(rng: np.random.Generator, envelope: FloatImage, scale: float) -> NDArray[np.uint8]:
    """Log compression, speckle reduction, gain and a tone curve."""
    decibel = 20 * np.log10(envelope + np.float32(1e-4))
    smooth = blurred(decibel, (rng.uniform(0.9, 1.2) * scale, rng.uniform(1.8, 2.8) * scale))
    grain = np.float32(rng.uniform(0.08, 0.22))
    decibel = smooth + grain * (decibel - smooth)
    dynamic_range = rng.uniform(45, 57)
    top = float(np.percentile(decibel[::2, ::2], 99.7)) + rng.uniform(-3.5, 4)
    tone = np.clip((decibel - top) / np.float32(dynamic_range) + 1, 0, 1)
    return np.asarray(255 * tone ** rng.uniform(1.5, 2.5), dtype=np.uint8)
