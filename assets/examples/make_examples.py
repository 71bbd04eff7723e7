"""Make the example cases of the page: simulated, from seeds that no corpus uses.

Run: PYTHONPATH=. python assets/examples/make_examples.py
Writes the images and `examples.json` beside this file, or into the folder that is named.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from PIL import Image

from jomed_app.simulator import simulate_case

# Title, kind, seed. Each shows another side of the page; the last one is answered wrongly, and the
# page opens with it: an app that shows where it fails is read with the care that it needs.
EXAMPLES = (
    ("Round lesion", "cyst", 900_000),
    ("Oval mass", "fibroadenoma", 900_001),
    ("Irregular mass", "carcinoma", 910_015),
    ("No mass", "normal", 900_003),
    ("Misread mass", "carcinoma", 900_002),
)

OPENS_WITH = "Misread mass"


def main(out: Path) -> int:
    """Write one PNG per kind and the list that the page reads."""
    out.mkdir(parents=True, exist_ok=True)
    entries = []
    for place, (title, kind, seed) in enumerate(EXAMPLES, start=1):
        case = simulate_case(seed, kind)
        name = f"simulated-{place}.png"
        Image.fromarray(case.image).save(out / name, optimize=True)
        entry: dict[str, str | bool] = {"file": name, "title": title, "known": case.record.label}
        entries.append(entry | ({"opens": True} if title == OPENS_WITH else {}))
    text = json.dumps(entries, indent=1) + "\n"
    (out / "examples.json").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent))
