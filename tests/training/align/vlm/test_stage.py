"""The stage of a reader that a file names: passages in, projector and adapter out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from jomed_app.cli import main as cli
from jomed_app.config.backbones import load_backbones
from jomed_app.data.records import CaseRecord, write_records
from jomed_app.errors import ConfigError
from jomed_app.models.backbones import named_backbones
from jomed_app.training.align.vlm.stage import named_align_stage
from tests.tiny_dual_encoders import write_tiny_dual_encoder

PAIR = """
task = "breast"
data = "{cases}"

[reader]
model = "{reader}"
precision = "fp32"
device = "cpu"

[retriever]
model = "{retriever}"
device = "cpu"

[lora]
rank = 4

[align]
projector_steps = 2
projector_lr = 1e-2
steps = 2
lr = 1e-2
batch_size = 4
batches_per_step = 1

[graph]
margin = 1.0
"""


@pytest.fixture
def pair(tmp_path, vlm_folder):
    """A file that names tiny models and four cases."""
    cases = tmp_path / "cases"
    cases.mkdir()
    draw, records = np.random.default_rng(1), []
    for name, passage in zip("abcd", ("Oval.", "Round.", "Irregular.", "Shadow."), strict=True):
        image = Image.fromarray(draw.integers(0, 255, (40, 80, 3), dtype=np.uint8))
        image.save(cases / f"{name}.png")
        records.append(
            CaseRecord(case_id=name, image=f"{name}.png", label="benign", passage=passage, rows=40,
                       columns=80, split="train")
        )  # fmt: skip
    write_records(cases, records)
    retriever = write_tiny_dual_encoder("clip", tmp_path / "clip")
    file = tmp_path / "pair.toml"
    text = PAIR.format(cases=cases, reader=vlm_folder("llava15"), retriever=retriever)
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.usefixtures("log_elsewhere")
def test_the_command_aligns_and_the_aligned_pair_sees_otherwise(pair, tmp_path):
    out = tmp_path / "run"
    assert cli.main(["train", "align", "--config", str(pair), "--out", str(out)]) == 0
    tuned = load_backbones(out / "tuned.toml")
    assert tuned.reader.adapter == str(out / "align" / "adapter")
    picture = [np.full((40, 80, 3), 90, dtype=np.uint8)]
    before, after = (
        named_backbones(config).reader.encode(picture)[0].features
        for config in (load_backbones(pair), tuned)
    )
    assert (before - after).abs().max() > 1e-3
    assert torch.isfinite(after).all()
    assert named_align_stage(load_backbones(pair), out, resume=True) == [], "it was whole"


def test_an_adapter_must_not_come_before(pair, tmp_path):
    config = load_backbones(pair)
    named = config.replaced(reader=config.reader.replaced(adapter="somewhere/lora"))
    with pytest.raises(ConfigError, match="found the adapter 'lora'; leave it out"):
        named_align_stage(named, tmp_path / "run")
