"""Make the example cases of the page: simulated, from seeds that no corpus uses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from PIL import Image

from jomed_app.data.simulated_ultrasound import simulate_case

FIRST_SEED = 900_000
KINDS = (
    ("Round lesion", "cyst"),
    ("Oval mass", "fibroadenoma"),
    ("Irregular mass", "carcinoma"),
    ("No mass", "normal"),
)


def main(out: Path) -> int:
    """Write one PNG per kind and the list that the page reads."""
    out.mkdir(parents=True, exist_ok=True)
    entries = []
    for place, (title, kind) in enumerate(KINDS):
        case = simulate_case(FIRST_SEED + place, kind)
        name = f"simulated-{place + 1}.png"
        Image.fromarray(case.image).save(out / name, optimize=True)
        entries.append({"file": name, "title": title})
    text = json.dumps(entries, indent=1) + "\n"
    (out / "examples.json").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "assets/examples")))
