"""DICOM files: what is read of them, and the chain from stored to display values."""

import sys

# pydicom imports gdcm, which imports a module `dl` that Python lost long ago: a mere folder of that
# name beside a script, or where `python -m` starts, would break every import of pydicom.
if "dl" not in sys.modules:
    sys.modules["dl"] = None  # type: ignore[assignment]
