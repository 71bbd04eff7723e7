"""Bounds on what one upload may cost; every reader checks them before it decodes."""

from __future__ import annotations

MAX_FILE_BYTES = 64 * 1024 * 1024  # ours: the largest single mammogram is about 30 MiB
MAX_PIXELS = 64_000_000  # ours: rows times columns of one frame; mammograms reach 14 million
MAX_HELD_PX = 16_000_000  # ours: of a query's picture; a larger one is held reduced, see `held.py`
MAX_SIDE_PX = 32_768
MAX_FRAMES = 20_000
MAX_INFLATED_BYTES = 4 * MAX_FILE_BYTES  # a deflated data set, once inflated
MAX_COMPRESSION = 1_000  # pixels per byte of a large DICOM frame; pictures reach about 100
MIN_REGION_PX = 32  # ours: a side of a part of a picture that can be read on its own
MAX_SCANS = 100  # of a progressive JPEG; encoders write about 10
MAX_TIFF_PAGES = 2_000
MAX_TIFF_TAGS = 200_000  # over all page directories
MAX_PALETTE_OR_LUT = 65_536  # entries, PS3.3 C.11.1.1
