"""Aligning a large reader: what moves, what falls, what passes the solver, what comes back."""

from __future__ import annotations

import pytest
import torch

from jomed_app.config.projector import ProjectorTrainingConfig
from jomed_app.config.training import GraphConfig
from jomed_app.errors import ConfigError
from jomed_app.models.reader.vlm.lora import attach_adapter
from jomed_app.models.reader.vlm.projector import projector_names
from jomed_app.training.align.losses import build_graph_alignment
from jomed_app.training.align.vlm.train import Alignment
from jomed_app.training.run.loop import trainable_state
from tests.tiny_vlms import FAMILIES

CONFIG = ProjectorTrainingConfig(
    projector_steps=10, projector_lr=3e-2, steps=8, lr=1e-2, batch_size=5, batches_per_step=1
)
GRAPH = GraphConfig(margin=1.0)


def attach_projector(reader, **settings):
    """A fresh adapter that holds the projector whole."""
    return attach_adapter(reader, whole=projector_names(reader.model), **settings)


def weights_of(reader):
    return {name: value.detach().clone() for name, value in reader.model.state_dict().items()}


def changed(before, after):
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


@pytest.mark.parametrize("name", FAMILIES)
def test_the_projector_alone_learns_to_tell(load_reader, triples, tmp_path, name):
    reader = load_reader(name)
    tuned = attach_projector(reader)
    alignment = Alignment(tuned, triples, CONFIG, GRAPH)
    before = weights_of(reader)
    learns = set(trainable_state({"reader": reader.model}))
    history = alignment.train_projector(tmp_path)
    assert history[-1]["loss"] < 0.95 * history[0]["loss"]
    moved = changed(before, weights_of(reader))
    assert moved
    assert all(".modules_to_save.default." in each for each in moved)
    parts = {each.split(".modules_to_save.")[0] for each in moved}
    assert parts == set(projector_names(reader.model)), "each part of it"
    assert set(trainable_state({"reader": reader.model})) == learns, "the adapter learns later"


@pytest.mark.parametrize("name", ["llava15", "llava_onevision", "qwen3_vl", "gemma3"])
def test_both_learn_by_both_losses(load_reader, triples, tmp_path, name):
    reader = load_reader(name)
    tuned = attach_projector(reader, rank=4)
    before = weights_of(reader)
    history = Alignment(tuned, triples, CONFIG, GRAPH).train_both(tmp_path)
    assert history[-1]["language"] < 0.95 * history[0]["language"]
    assert history[-1]["graph"] < 0.95 * history[0]["graph"]
    moved = changed(before, weights_of(reader))
    assert any(".modules_to_save." in each for each in moved)
    assert any(".lora_A." in each for each in moved)
    assert all(".modules_to_save." in each or ".lora_" in each for each in moved)


@pytest.mark.parametrize("estimator", ["perceptron", "finite_difference"])
@pytest.mark.parametrize("use_extended", [True, False])
def test_a_gradient_passes_the_solver_to_projector_and_adapter(
    load_reader, triples, estimator, use_extended
):
    reader = load_reader("llava15")
    tuned = attach_projector(reader)
    graph = GRAPH.replaced(estimator=estimator)
    config = CONFIG.replaced(use_extended=use_extended)
    matching = build_graph_alignment(64, graph)
    tuned.learn()
    terms = Alignment(tuned, triples, config, graph)._terms(0, matching)
    assert 0 < terms["hamming"] <= 2, "where all is matched rightly there is nothing to learn"
    terms["graph"].backward()
    found = {
        name: float(weight.grad.abs().sum())
        for name, weight in reader.model.named_parameters()
        if weight.requires_grad and weight.grad is not None
    }
    assert any(value > 0 for name, value in found.items() if ".modules_to_save." in name)
    # A fresh adapter's first matrices wait for its second ones, which start at zero.
    assert any(value > 0 for name, value in found.items() if ".lora_B." in name)


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("stage", ["train_projector", "train_both"])
def test_a_run_that_was_stopped_goes_on_bit_for_bit(load_reader, triples, tmp_path, stage):
    config = CONFIG.replaced(projector_steps=4, steps=4, checkpoint_every=2)

    def fresh():
        tuned = attach_projector(load_reader("llava15"), dropout=0.1, seed=3)
        return tuned, Alignment(tuned, triples, config, GRAPH)

    whole, alignment = fresh()
    getattr(alignment, stage)(tmp_path / "whole")

    def stop(done, total, **figures):
        if done == 3:
            raise StoppedError

    _, alignment = fresh()
    with pytest.raises(StoppedError):
        getattr(alignment, stage)(tmp_path / "broken", on_progress=stop)
    again, alignment = fresh()
    history = getattr(alignment, stage)(tmp_path / "broken", resume=True)
    assert len(history) == 2
    assert not changed(weights_of(again.reader), weights_of(whole.reader))


@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize("name", ["llava15", "qwen3_vl"])
def test_the_projector_comes_back_with_its_adapter(load_reader, triples, tmp_path, name, merge):
    reader = load_reader(name)
    tuned = attach_projector(reader)
    plain = reader.encode([triples[0].image()])[0].features
    config = CONFIG.replaced(projector_steps=2, steps=2)
    alignment = Alignment(tuned, triples, config, GRAPH)
    alignment.train_projector(tmp_path / "projector")
    alignment.train_both(tmp_path / "both")
    tuned.save(tmp_path / "adapter", base=name)
    expected = reader.encode([triples[0].image()])[0].features
    assert (expected - plain).abs().max() > 1e-2
    again = load_reader(name, adapter=str(tmp_path / "adapter"), merge_adapter=merge)
    found = again.encode([triples[0].image()])[0].features
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("precision", ["bf16", "nf4"])
def test_a_projector_of_few_bits_learns_in_full_precision(
    load_reader, triples, tmp_path, precision
):
    reader = load_reader("llava15", precision=precision)
    config = CONFIG.replaced(projector_steps=3, steps=2)
    alignment = Alignment(attach_projector(reader), triples, config, GRAPH)
    state = trainable_state({"reader": reader.model})
    assert {value.dtype for value in state.values()} == {torch.float32}
    history = alignment.train_projector(tmp_path / "projector")
    assert history[-1]["loss"] < history[0]["loss"]
    assert alignment.train_both(tmp_path / "both")[-1]["grad_norm"] > 0
    assert reader.encode([triples[0].image()])[0].features.dtype == torch.bfloat16


def test_a_long_description_is_cut_and_taught_without_an_end(load_reader, triples):
    tuned = attach_projector(load_reader("llava15"))
    alignment = Alignment(tuned, triples, CONFIG.replaced(max_tokens=3), GRAPH)
    ids, complete = alignment._ids("oval round parallel cyst none")
    assert (len(ids), complete) == (3, False)
    assert alignment._ids("oval")[1]


def test_what_cannot_be_aligned_is_one_sentence(load_reader, triples):
    with pytest.raises(ConfigError, match=r"align\.batch_size = 5 triples or more, found 3"):
        Alignment(attach_projector(load_reader("llava15")), triples[:3], CONFIG, GRAPH)
    with pytest.raises(ConfigError, match="projector is known by name, found none in 'Linear'"):
        projector_names(torch.nn.Linear(2, 2))
