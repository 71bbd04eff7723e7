"""Write what the released bundle answers to the example images: answers.json beside this file.

python -m tests.inference.recorded.record; run it when a new bundle or index is released, on any
machine: answers are made in fp32 by one thread, and compared within rounding.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from jomed_app.cli.artifacts import DEFAULT_BUNDLE, DEFAULT_INDEX, REPOSITORY
from jomed_app.imaging import read_image
from jomed_app.inference.engine import Engine
from jomed_app.inference.load import load_engine
from jomed_app.types import Result

ANSWERS = Path(__file__).with_name("answers.json")
EXAMPLES = REPOSITORY / "assets" / "examples"


def released_engine() -> Engine:
    """The released bundle and index, in fp32."""
    return load_engine(DEFAULT_BUNDLE, DEFAULT_INDEX, precision="fp32")


def answer(engine: Engine, path: Path) -> dict[str, Any]:
    """What is said of one image, in numbers and words."""
    completed = list(engine.run(read_image(path)))[-1]
    result: Result = completed.result  # type: ignore[union-attr]
    said = {"prediction", "probabilities", "interval", "neighbor_vote", "image_head"}
    beside = {"candidate_id", "weight", "prediction", "probabilities", "answer_log_likelihood"}
    return {
        "final": result.final.model_dump(mode="json", include=said),
        "candidates": [each.model_dump(mode="json", include=beside) for each in result.candidates],
        "boxes": [each.model_dump(mode="json") for each in result.boxes],
        "findings": result.findings,
        "report": result.report,
    }


def main() -> None:
    """Answer all examples and write them."""
    torch.set_num_threads(1)
    engine = released_engine()
    found = {path.stem: answer(engine, path) for path in sorted(EXAMPLES.glob("*.png"))}
    ANSWERS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
