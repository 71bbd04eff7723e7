"""The example cases are what the script beside them makes."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
from PIL import Image

EXAMPLES = Path(__file__).resolve().parents[2] / "assets" / "examples"


def test_the_examples_are_what_the_script_makes(tmp_path):
    assert runpy.run_path(str(EXAMPLES / "make_examples.py"))["main"](tmp_path) == 0
    made = json.loads((tmp_path / "examples.json").read_text(encoding="utf-8"))
    assert made == json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))
    for entry in made:
        new, kept = (np.asarray(Image.open(each / entry["file"])) for each in (tmp_path, EXAMPLES))
        assert new.shape == kept.shape
        # one grey level: the last bit of a float may differ between processors
        assert np.abs(new.astype(int) - kept.astype(int)).max() <= 1
