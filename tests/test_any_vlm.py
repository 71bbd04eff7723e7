"""The whole road of models that a file names, family by family: index, tune, teach, answer.

Tiny random checkpoints know nothing, so no figure is judged; that something is learned, that
nothing else moves, and that all parts fit each other is.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from jomed_app.cli import main as cli
from jomed_app.config.backbones import BackbonesConfig, load_backbones
from jomed_app.data.records import read_records, write_records
from jomed_app.imaging import read_image
from jomed_app.inference.load import load_engine
from jomed_app.models.backbones import named_backbones
from jomed_app.models.retriever.kept_heads import HEADS_FILE
from jomed_app.models.weights.pinned import PLACES_VARIABLE
from jomed_app.storage.bundle import open_bundle
from jomed_app.training.reader.named_stage import named_reader_stage
from jomed_app.training.retriever import named_stage
from jomed_app.training.retriever.named_stage import named_retriever_stage
from jomed_app.training.rewards.text.stage import named_rewards_stage
from jomed_app.training.run.named_run import TUNED_FILE
from tests.tiny_bundle import FIRST_FRESH_SEED, simulated_png, write_tiny_corpus
from tests.tiny_dual_encoders import CONFIGS, write_tiny_dual_encoder
from tests.tiny_vlms import FAMILIES, write_tiny_vlm

pytestmark = pytest.mark.usefixtures("log_elsewhere")

NUM_CASES = 4
BUNDLE = "bundle"
# The other families in each precision are slow tests.
IN_FEWER_BITS = (("qwen2_5_vl", "nf4"), ("gemma3", "bf16"), ("llava15", "nf4"))
RETRIEVERS = dict(zip(FAMILIES, itertools.cycle(CONFIGS), strict=False))
TABLES = """
task = "breast"
data = "{cases}"

[reader]
model = "{reader}"
precision = "{precision}"
device = "cpu"
max_side_px = 112

[retriever]
model = "{retriever}"
device = "cpu"
query_mix = 1.0

[train_reader]
steps = 8
lr = 8e-3
batch_size = 2
batches_per_step = 1
num_candidates = 2
comparison_share = 0.0
random_share = 0.0
checkpoint_every = 4

[train_rewards]
algorithm = "group"
warm_steps = 2
warm_lr = 1e-2
steps = 1
batch_size = 1
rollouts = 2
max_tokens = 6

[train_retriever]
steps = 6
lr = 1e-2
num_image = 2
num_text = 2
"""


@dataclass(frozen=True)
class Road:
    """One pair of models on its way."""

    file: Path
    cases: Path
    out: Path

    @property
    def config(self) -> BackbonesConfig:
        config = load_backbones(self.file)
        assert isinstance(config, BackbonesConfig)
        return config


@pytest.fixture(scope="session")
def cases(tmp_path_factory):
    """Four cases of two labels that teach."""
    folder = tmp_path_factory.mktemp("any_vlm") / "cases"
    write_tiny_corpus(folder)
    by_label = {}
    for record in read_records(folder):
        by_label.setdefault(record.label, []).append(record)
    few = [record for label in ("benign", "malignant") for record in by_label[label][:2]]
    write_records(folder, [each.model_copy(update={"split": "train"}) for each in few])
    return folder


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory):
    """Name of a family or of a kind of dual encoder -> folder of its tiny checkpoint."""
    root = tmp_path_factory.mktemp("any_vlm_models")

    def write(name):
        writer = write_tiny_vlm if name in FAMILIES else write_tiny_dual_encoder
        return writer(name, root / name)

    return functools.cache(write)


@pytest.fixture
def road(folder_of, cases, tmp_path, monkeypatch):
    """Lay out a pair of models."""

    def lay(family, precision="fp32", retriever=None):
        monkeypatch.setenv(PLACES_VARIABLE, str(folder_of(family).parent))
        file = tmp_path / "pair.toml"
        text = TABLES.format(
            cases=cases,
            precision=precision,
            reader=folder_of(family),
            retriever=folder_of(retriever or RETRIEVERS[family]),
        )
        file.write_text(text, encoding="utf-8")
        return Road(file, cases, tmp_path / "run")

    return lay


def phase_one(road):
    """The reader learns its four cases, and is taken up where it was stopped."""
    history = named_reader_stage(road.config, road.out)
    losses = [each["loss"] for each in history]
    assert np.mean(losses[-3:]) < 0.8 * losses[0], losses
    assert min(each["grad_norm"] for each in history) > 0
    assert (road.out / "reader" / "adapter" / "adapter_model.safetensors").is_file()
    assert named_reader_stage(road.config, road.out, resume=True) == [], "it was whole"


def weights(model):
    """Copies of all that a model holds; `state_dict` would lay 4-bit layers out anew."""
    held = dict(itertools.chain(model.named_parameters(), model.named_buffers()))
    for name, value in list(held.items()):
        if (state := getattr(value, "quant_state", None)) is not None:
            held[f"{name}.absmax"] = state.absmax
    return {name: value.detach().clone() for name, value in held.items()}


def rewards(road):
    """The tuned reader goes on from its adapter, on the answers that it writes itself."""
    before = load_file(road.out / "reader" / "adapter" / "adapter_model.safetensors")
    history = named_rewards_stage(road.config, road.out)
    assert all(np.isfinite(each["reward"]) for each in history)
    after = load_file(road.out / "rewards" / "adapter" / "adapter_model.safetensors")
    assert before.keys() == after.keys()
    assert any(not torch.equal(after[name], value) for name, value in before.items())
    assert (road.out / "reader" / "adapter").is_dir(), "what it came from is kept"


def phase_two(road):
    """The heads move and the reader does not, not by a bit."""
    readers = []

    def watched(config, *args):
        loaded = named_backbones(config, *args)
        loaded.reader.prepare()  # 4-bit layers are laid out anew for answers, once
        readers.append((loaded.reader, weights(loaded.reader.model)))
        return loaded

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(named_stage, "named_backbones", watched)
        named_retriever_stage(road.config, road.out)
    ((reader, before),) = readers
    after = weights(reader.model)
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert any("lora_" in name for name in after), "the tuned reader teaches"
    heads = load_file(road.out / "retriever" / "heads" / HEADS_FILE)
    assert {name for name, value in heads.items() if value.any()} == {"image.weight", "text.weight"}


def export(road):
    """What was learned as a sealed bundle, which is checked with the models that it pins."""
    bundle = str(road.out / BUNDLE)
    words = ["bundle", "export", "--config", str(road.file), "--run", str(road.out)]
    assert cli.main([*words, "--out", bundle]) == 0
    assert cli.main(["bundle", "verify", bundle]) == 0
    files = open_bundle(road.out / BUNDLE).manifest.files
    assert {"reader/adapter/adapter_model.safetensors", f"retriever/heads/{HEADS_FILE}"} <= {*files}


def answer(road):
    """The tuned pair answers, and its bundle the same to the bit."""
    index = road.out / "index"
    built = ["index", "build", "--corpus", str(road.cases), "--bundle", str(road.file)]
    assert cli.main([*built, "--out", str(index)]) == 0
    picture = read_image(simulated_png(FIRST_FRESH_SEED))
    said = []
    for place in (TUNED_FILE, BUNDLE):
        engine = load_engine(road.out / place, index)
        assert engine.info.standard is not None, "trained heads make a second search"
        result = list(engine.run(picture))[-1].result
        assert len(result.candidates) == NUM_CASES
        assert sum(result.final.probabilities.values()) == pytest.approx(1.0)
        said.append([each.model_dump() for each in (result.final, *result.candidates)])
    assert said[0] == said[1]


def walk(road):
    """Every station in turn; each takes what the one before left."""
    phase_one(road)
    rewards(road)
    phase_two(road)
    export(road)
    answer(road)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_goes_the_whole_road(road, family):
    walk(road(family))


@pytest.mark.parametrize(("family", "precision"), IN_FEWER_BITS)
def test_the_road_in_fewer_bits(road, family, precision):
    walk(road(family, precision))


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bf16", "int8", "nf4"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_in_every_precision(road, family, precision):
    walk(road(family, precision))


@pytest.mark.parametrize("retriever", CONFIGS)
def test_every_retriever_is_taught(road, retriever):
    pair = road("smolvlm", retriever=retriever)
    phase_two_untuned(pair)


def phase_two_untuned(road):
    """Phase 2 needs no phase 1: a reader as it comes teaches too."""
    named_retriever_stage(road.config, road.out)
    assert not (road.out / "reader").exists()
    tuned = load_backbones(road.out / TUNED_FILE)
    retriever = named_backbones(tuned).retriever
    assert retriever.has_trained_heads
