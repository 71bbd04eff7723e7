"""Speed (`speed/`), and questions that were asked and answered (`experiments/`)."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
README = ROOT / "README.md"
