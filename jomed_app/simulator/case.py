"""One simulated case: image, mask and record, determined by its seed alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jomed_app.boxes import Box
from jomed_app.data.records import CaseRecord
from jomed_app.errors import ConfigError
from jomed_app.simulator.acoustics import b_mode
from jomed_app.simulator.anatomy import draw_tissue
from jomed_app.simulator.descriptors import KINDS, draw_descriptors, draw_kind
from jomed_app.simulator.frame import draw_frame, framed
from jomed_app.simulator.lesions import insert_lesion
from jomed_app.simulator.passages import write_passages

LICENCE = "CC0-1.0"
SIMULATOR = "breast-ultrasound/4"
MIN_SIZE_PX = 64
MAX_SIZE_PX = 2048


@dataclass(frozen=True, slots=True)
class SimulatedCase:
    """A simulated case.

    Attributes:
        image: (rows, columns) uint8 grey.
        record: label, descriptors, passages, box; `record.image` is the name it would be saved as.
        mask: (rows, columns) bool, True inside the lesion; all False without one.
    """

    image: NDArray[np.uint8]
    record: CaseRecord
    mask: NDArray[np.bool_]


def simulate_case(seed: int, kind: str | None = None, size_px: int = 480) -> SimulatedCase:
    """Simulate one breast ultrasound.

    Args:
        seed: >= 0; equal seeds give equal cases on every machine with the same numpy and scipy.
        kind: normal, cyst, fibroadenoma or carcinoma; None draws from the default mix.
        size_px: width of the image, px, 64 to 2048; the height follows from a drawn aspect.

    Returns:
        Image, record and mask.

    Raises:
        ConfigError: if the kind is unknown, or the seed or size is out of range.
    """
    if kind is not None and kind not in KINDS:
        raise ConfigError(f"kind must be one of {', '.join(KINDS)}, found '{kind}'")
    check_request(seed, size_px)
    rng = np.random.default_rng(seed)
    kind = draw_kind(rng) if kind is None else kind
    variant, descriptors = draw_descriptors(rng, kind)
    passage, extended = write_passages(rng, descriptors)
    scale = size_px / 480
    frame = draw_frame(rng, size_px)
    tissue = draw_tissue(rng, frame.field_shape, scale)
    mask = np.zeros((frame.rows, frame.columns), dtype=bool)
    if descriptors:
        tissue, field_mask = insert_lesion(rng, tissue, kind, descriptors, scale)
        rows, columns = frame.field_shape
        mask[frame.top : frame.top + rows, frame.left : frame.left + columns] = field_mask
    box = mask_box(mask)
    image = framed(rng, b_mode(rng, tissue, scale), frame, box)
    case_id = f"sim-{seed:010d}"
    provenance = {
        "source": "simulated",
        "simulator": SIMULATOR,
        "kind": kind,
        "variant": variant,
        "seed": str(seed),
        "size_px": str(size_px),
        "licence": LICENCE,
        "label_made": "by construction",
    }
    record = CaseRecord(
        case_id=case_id,
        image=f"images/{case_id}.png",
        label=KINDS[kind].label,
        passage=passage,
        extended_passage=extended,
        descriptors=descriptors,
        boxes=() if box is None else (box.as_tuple(),),
        group=case_id,
        rows=frame.rows,
        columns=frame.columns,
        provenance={key: value for key, value in provenance.items() if value},
    )
    return SimulatedCase(image, record, mask)


def check_request(seed: int, size_px: int) -> None:
    """Refuse a seed or size out of range.

    Raises:
        ConfigError: if seed < 0 or size_px is not 64 to 2048.
    """
    if seed < 0:
        raise ConfigError(f"seed must be 0 or more, found {seed}")
    if not MIN_SIZE_PX <= size_px <= MAX_SIZE_PX:
        raise ConfigError(f"size_px must be {MIN_SIZE_PX} to {MAX_SIZE_PX}, found {size_px}")


def mask_box(mask: NDArray[np.bool_]) -> Box | None:
    """Return the half-open box of a mask, px, or None when it is empty."""
    if not mask.any():
        return None
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    return Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
