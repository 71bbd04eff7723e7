"""The model card that a bundle carries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jomed_app.storage.bundle import TrainingData
from jomed_app.training.run.workspace import Workspace

FIGURES = ("accuracy", "auroc")
NOTICE_FILE = "NOTICE.txt"


def write_card(
    folder: Path,
    name: str,
    version: str,
    work: Workspace,
    data: Sequence[TrainingData],
    metrics: dict[str, Any],
) -> None:
    """Write `MODEL_CARD.md`: what it is, what it learned from, out-of-fold figures.

    Sets for non-commercial use are named there and in `NOTICE.txt` beside it.
    """
    learned = "; ".join(f"{each.name}: {each.cases} cases" for each in data)
    restricted = [each for each in data if each.licence]
    terms = "".join(f"\n- {noncommercial_line(each)}" for each in restricted)
    rows = [
        f"| {task} | {system} | "
        + " | ".join(f"{values[key]:.3f}" if key in values else "-" for key in FIGURES)
        + " |"
        for task, systems in metrics.items()
        for system, values in systems.items()
    ]
    text = (
        f"""# {name} {version}

Research demo. Not a medical device; not for diagnosis.

- Task: {work.task.title}; labels {", ".join(work.task.labels)}.
- Reader: EfficientNet-Lite0 (ImageNet) aligned on simulated cases, projector, first
  {work.config.reader.num_layers} layers of SmolLM2-135M-Instruct with a pruned vocabulary, LoRA
  merged, stored in NF4. Retriever: the same tower and all-MiniLM-L6-v2, a projection each.
- Learned from {learned}. Real cases, where there are any, are of one collection with burnt-in
  calipers: do not expect these figures elsewhere.{terms}
- Boxes and heat maps come from the localizer, the main finding only. Descriptors were learned from
  simulated cases and are not measured on real ones.
- How candidates, nearest cases and the tower's linear head are weighed was fitted twice: beside
  real known cases, and beside the simulated cases of the embedded index.

Out-of-fold figures (grouped folds):

| task, known cases | system | accuracy | AUROC |
|---|---|---|---|
"""
        + "\n".join(rows)
        + "\n"
    )
    (folder / "MODEL_CARD.md").write_text(text, encoding="utf-8")
    if restricted:
        lines = [noncommercial_line(each) for each in restricted]
        (folder / NOTICE_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")


def noncommercial_line(data: TrainingData) -> str:
    """Say under which terms a set was learned from that may not be used commercially."""
    return (
        f"Trained on {data.name}, which is published for non-commercial use only ({data.licence}); "
        "use these weights under the same terms."
    )
