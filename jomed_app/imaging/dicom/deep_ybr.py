"""YBR_FULL of more than 8 bits to RGB; what has 8 bits pydicom turns itself.

Source: DICOM PS3.3 C.7.6.3.1.2, YBR_FULL, for samples of any depth: the middle of CB and CR is half
of the range. Compared with DCMTK in docs/dicom_conformance.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jomed_app.imaging.grayscale import by_rows

# Rows: red, green, blue; columns: Y, CB, CR.
_TO_RGB = np.array([[1.0, 0.0, 1.402], [1.0, -0.344136, -0.714136], [1.0, 1.772, 0.0]])


def deep_ybr_to_rgb(stored: NDArray[np.generic], bits: int) -> NDArray[np.uint16]:
    """Return RGB samples of the same depth, rounded.

    Args:
        stored: (rows, columns, 3) Y, CB, CR, from 0 to 2**bits - 1.
        bits: (0028,0101) Bits Stored, 9 to 16.
    """
    top = float(2**bits - 1)
    middle = np.array([0.0, 2.0 ** (bits - 1), 2.0 ** (bits - 1)])

    def mixed(block: NDArray[np.generic]) -> NDArray[np.float64]:
        rgb: NDArray[np.float64] = (block.astype(np.float64) - middle) @ _TO_RGB.T
        return np.clip(np.rint(rgb), 0.0, top)

    return by_rows(stored, mixed, np.uint16)
