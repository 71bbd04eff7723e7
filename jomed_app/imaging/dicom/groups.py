"""Reads sequences and the functional groups of enhanced multi-frame files.

Source: DICOM PS3.3 C.7.6.16 (a frame's own item comes before the shared one).
"""

from __future__ import annotations

from pydicom.dataset import Dataset


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Return a sequence's items; an absent or damaged sequence has none."""
    try:
        value = dataset.get(keyword)
        return [item for item in value or [] if isinstance(item, Dataset)]
    except Exception:  # a damaged value may raise anything
        return []


def functional_group(dataset: Dataset, frame: int, keyword: str) -> Dataset | None:
    """Return a functional group item of an enhanced multi-frame file: per frame, else shared."""
    per_frame = items(dataset, "PerFrameFunctionalGroupsSequence")
    candidates = per_frame[frame : frame + 1] + items(dataset, "SharedFunctionalGroupsSequence")
    for group in candidates:
        if found := items(group, keyword):
            return found[0]
    return None
