"""Renders a DICOM frame with DCMTK, so that the app's rendering has an independent second.

DCMTK (Debian package dcmtk) is a C++ toolkit that shares no line of code with pydicom or the app;
only for JPEG and JPEG-LS both build on the same libraries (IJG, CharLS).
What its options mean here:

- `+F N`: the frame, from 1.
- `+Wi 1`: the first window of the file, read by DCMTK itself with its VOI LUT function.
- `+Ww C W +Wfl`: a window by number. DCMTK's function is LINEAR (PS3.3 C.11.2.1.2.1), so a window
  of LINEAR_EXACT goes over as C + 0.5 and W + 1, which is the same line.
- `+Wl 1`: the first VOI LUT of the file.
- `-O`: no overlays, which the app does not draw.
- `+op`: 8 bits, PGM or PPM.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

TOOLS = ("dcmj2pnm", "dcml2pnm")  # all but JPEG-LS, and JPEG-LS; DCMTK has no free JPEG 2000
JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")
SECONDS = 60


def is_installed() -> bool:
    """Return whether DCMTK's renderers are there."""
    return all(shutil.which(tool) for tool in TOOLS)


def version() -> str:
    """Return DCMTK's version, such as 3.6.7; empty where it is not installed."""
    if not is_installed():
        return ""
    done = subprocess.run([TOOLS[0], "--version"], capture_output=True, text=True, check=False)
    return done.stdout.split(" v")[1].split()[0]


def render(path: Path, syntax: str, options: tuple[str, ...]) -> NDArray[np.uint8] | None:
    """Render one frame.

    Args:
        path: the file.
        syntax: its transfer syntax.
        options: frame, window and format, as above.

    Returns:
        (rows, columns) or (rows, columns, 3) uint8; None where DCMTK does not decode it.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "frame.pnm"
        command = [TOOLS[syntax in JPEG_LS], *options, "-O", "+op", str(path), str(out)]
        done = subprocess.run(command, capture_output=True, check=False, timeout=SECONDS)
        if done.returncode or not out.is_file():
            return None
        with Image.open(out) as image:
            return np.asarray(image)
