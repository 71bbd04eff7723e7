"""Speed (`speed/`), questions asked and answered (`experiments/`), what both say (`claims/`)."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
README = ROOT / "README.md"
