"""Speed (`speed/`), questions (`experiments/`), what both say (`claims/`), DICOM (`dicom/`)."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
README = ROOT / "README.md"
