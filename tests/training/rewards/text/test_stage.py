"""The stage of a reader that a file names: cases in, an adapter out that the file's kin take up."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from jomed_app.cli import main as cli
from jomed_app.config.backbones import load_backbones
from jomed_app.data.records import CaseRecord, write_records
from jomed_app.errors import ConfigError
from jomed_app.models.backbones import named_backbones
from jomed_app.training.rewards.text.recorded import rewarded_case
from jomed_app.training.rewards.text.stage import named_rewards_stage
from tests.tiny_dual_encoders import write_tiny_dual_encoder

PAIR = """
task = "breast"
question = "What is the diagnosis?"
data = "{cases}"

[reader]
model = "{reader}"
precision = "fp32"
device = "cpu"

[retriever]
model = "{retriever}"
device = "cpu"

[train_rewards]
algorithm = "group"
warm_steps = 1
steps = 2
batch_size = 1
rollouts = 2
max_tokens = 4
kl_weight = 0.1
"""
RECORDS = [
    CaseRecord(case_id="a", image="a.png", label="malignant", passage="Irregular.", rows=40,
               columns=80, boxes=((20.0, 10.0, 60.0, 30.0),), split="train"),
    CaseRecord(case_id="b", image="b.png", label="normal", passage="", rows=40, columns=80,
               split="train"),
    CaseRecord(case_id="c", image="c.png", label="benign", passage="Oval.", rows=40, columns=80,
               split="train"),
]  # fmt: skip


@pytest.fixture
def pair(tmp_path, vlm_folder):
    """A file that names tiny models and three cases."""
    cases = tmp_path / "cases"
    cases.mkdir()
    draw = np.random.default_rng(1)
    for record in RECORDS:
        pixels = draw.integers(0, 255, (40, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(cases / record.image)
    write_records(cases, RECORDS)
    retriever = write_tiny_dual_encoder("clip", tmp_path / "clip")
    file = tmp_path / "pair.toml"
    text = PAIR.format(cases=cases, reader=vlm_folder("qwen2_5_vl"), retriever=retriever)
    file.write_text(text, encoding="utf-8")
    return file


def test_what_is_true_of_a_record(task, tmp_path):
    boxed, normal, undrawn = (rewarded_case(task, tmp_path, record) for record in RECORDS)
    assert [box.as_tuple() for box in boxed.boxes] == [(0.25, 0.25, 0.75, 0.75)]
    assert normal.boxes == []
    assert undrawn.boxes is None, "a finding without a box was never drawn"
    assert boxed.truth.statement.label == "malignant"


@pytest.mark.usefixtures("log_elsewhere")
def test_the_command_tunes_and_the_tuned_pair_is_loaded(pair, tmp_path):
    out = tmp_path / "run"
    command = ["train", "rewards", "--config", str(pair), "--out", str(out)]
    assert cli.main(command) == 0
    assert (out / "rewards" / "adapter" / "adapter_model.safetensors").is_file()
    tuned = load_backbones(out / "tuned.toml")
    assert tuned.reader.adapter == str(out / "rewards" / "adapter")
    names = named_backbones(tuned).reader.model.state_dict()
    assert any("lora_" in name for name in names)
    assert named_rewards_stage(load_backbones(pair), out, resume=True) == [], "it was whole"


def test_without_cases_one_sentence_says_what_is_missing(pair, tmp_path):
    config = load_backbones(pair).replaced(data="")
    with pytest.raises(ConfigError, match="tuning requires the cases that it learns from"):
        named_rewards_stage(config, tmp_path / "run")
