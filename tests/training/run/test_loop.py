"""The loop: it learns, resumes bit for bit, and stops with a reason."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from jomed_app.training.run.checkpoint import CHECKPOINT_FILE, load_trainable, opened_tensors
from jomed_app.training.run.loop import LoopSettings, run_loop, trainable_state

SETTINGS = LoopSettings(steps=12, lr=0.05, checkpoint_every=5)


def make_model(inputs=3):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return nn.Linear(inputs, 2)


def step_of(model, stop_at=None):
    """A regression step whose batch derives from the step's number."""

    def step_loss(step):
        if step == stop_at:
            raise KeyboardInterrupt
        x = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
        loss = (model(x) - x[:, :2] * 2).square().mean()
        return {"loss": loss, "size": torch.tensor(8.0)}

    return step_loss


def test_the_loss_falls(tmp_path):
    model = make_model()
    history = run_loop({"model": model}, step_of(model), LoopSettings(60, 0.1), tmp_path)
    assert len(history) == 60
    assert history[-1]["loss"] < 0.2 * history[0]["loss"]
    assert history[0]["size"] == 8
    assert history[0]["grad_norm"] > 0


def test_a_resumed_run_equals_an_unbroken_one(tmp_path):
    whole, broken, later = make_model(), make_model(), make_model()
    expected = run_loop({"model": whole}, step_of(whole), SETTINGS, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run_loop({"model": broken}, step_of(broken, stop_at=7), SETTINGS, tmp_path / "broken")
    rest = run_loop({"model": later}, step_of(later), SETTINGS, tmp_path / "broken", resume=True)
    assert rest == expected[5:]  # from the checkpoint after step 5
    assert torch.equal(later.weight, whole.weight)
    assert torch.equal(later.bias, whole.bias)


def test_resuming_without_a_checkpoint_starts_anew(tmp_path):
    model = make_model()
    history = run_loop({"model": model}, step_of(model), SETTINGS, tmp_path, resume=True)
    assert len(history) == 12


def test_resuming_a_finished_run_does_nothing(tmp_path):
    model = make_model()
    run_loop({"model": model}, step_of(model), SETTINGS, tmp_path)
    before = model.weight.clone()
    assert run_loop({"model": model}, step_of(model), SETTINGS, tmp_path, resume=True) == []
    assert torch.equal(model.weight, before)


def test_without_resume_an_old_checkpoint_is_ignored(tmp_path):
    models = [make_model(), make_model()]
    runs = [run_loop({"model": model}, step_of(model), SETTINGS, tmp_path) for model in models]
    assert runs[0] == runs[1]


def test_frozen_parameters_stay_and_are_not_saved(tmp_path):
    model = make_model()
    model.bias.requires_grad_(False)
    before = model.bias.clone()
    run_loop({"model": model}, step_of(model), SETTINGS, tmp_path)
    assert torch.equal(model.bias, before)
    assert list(trainable_state({"model": model})) == ["model.weight"]
    fresh = make_model()
    fresh.bias.requires_grad_(False)
    load_trainable(trainable_state({"model": fresh}), tmp_path)
    assert torch.equal(fresh.weight, model.weight)


def test_rate_rises_then_falls_as_a_cosine(tmp_path):
    # With a constant gradient, AdamW moves by the rate: steps mirror the schedule.
    weight = nn.Linear(1, 1, bias=False)
    places = []

    def step_loss(step):
        places.append(float(weight.weight.detach()))
        return {"loss": weight.weight.sum()}

    settings = LoopSettings(steps=20, lr=0.01, warmup=0.1, weight_decay=0.0)
    run_loop({"weight": weight}, step_loss, settings, tmp_path)
    moves = [before - after for before, after in pairwise(places)]
    expected = [0.5, 1.0, *(0.5 * (1 + math.cos(math.pi * k / 18)) for k in range(17))]
    assert moves == pytest.approx([0.01 * each for each in expected], rel=1e-2, abs=1e-6)


def test_a_rate_factor_belongs_to_one_module(tmp_path):
    models = {"slow": make_model(), "fast": make_model()}
    before = models["slow"].weight.clone()

    def step_loss(step):
        return {"loss": sum(model.weight.square().sum() for model in models.values())}

    run_loop(models, step_loss, SETTINGS, tmp_path, lr_factors={"slow": 0.0})
    assert torch.equal(models["slow"].weight, before)
    assert not torch.equal(models["fast"].weight, before)


def test_only_matrices_decay(tmp_path):
    model = make_model()
    weight, bias = model.weight.clone(), model.bias.clone()

    def step_loss(step):
        return {"loss": 0.0 * (model.weight.sum() + model.bias.sum())}

    run_loop({"model": model}, step_loss, LoopSettings(5, 0.1, weight_decay=0.5), tmp_path)
    assert torch.equal(model.bias, bias)
    assert (model.weight.abs() < weight.abs()).all()


def test_gradients_are_clipped(tmp_path):
    model = nn.Linear(1, 1, bias=False)
    start = float(model.weight.detach())
    settings = LoopSettings(1, 0.01, clip_norm=1e-12, weight_decay=0.0)
    history = run_loop(
        {"model": model}, lambda step: {"loss": 100 * model.weight.sum()}, settings, tmp_path
    )
    assert history[0]["grad_norm"] == pytest.approx(100)
    assert abs(float(model.weight.detach()) - start) < 1e-5  # AdamW's epsilon rules now


def test_the_log_says_at_the_start_how_weights_decay(tmp_path, caplog):
    model = make_model()
    with caplog.at_level("INFO", logger="jomed_app.training.run.loop"):
        run_loop({"model": model}, step_of(model), LoopSettings(1, 0.1, weight_decay=1.0), tmp_path)
    assert caplog.messages[0] == (
        "8 values learn in 1 steps: rate 0.1, weight decay 1, gradient norm up to 1"
    )


def test_progress_is_told_after_every_step(tmp_path):
    model, told = make_model(), []
    run_loop(
        {"model": model},
        step_of(model),
        SETTINGS,
        tmp_path,
        on_progress=lambda done, total, **figures: told.append((done, total, figures["loss"])),
    )
    assert [each[:2] for each in told] == [(step, 12) for step in range(1, 13)]


def test_a_loss_that_is_not_finite_stops_and_keeps_the_checkpoint(tmp_path):
    model = make_model()
    good = step_of(model)

    def step_loss(step):
        terms = dict(good(step))
        return terms if step < 7 else {"loss": terms["loss"] * float("nan")}

    with pytest.raises(FloatingPointError, match="the loss is not finite at step 7"):
        run_loop({"model": model}, step_loss, SETTINGS, tmp_path)
    with opened_tensors(tmp_path / CHECKPOINT_FILE) as kept:
        assert kept.metadata() == {"step": "5"}
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_FILE]


AVERAGED = LoopSettings(steps=12, lr=0.05, checkpoint_every=5, average=0.5)


def test_the_weights_end_as_their_running_mean(tmp_path):
    plain, averaged = make_model(), make_model()
    mean, seen = plain.weight.detach().clone(), []

    def remember(step, total, **figures):
        seen.append(plain.weight.detach().clone())

    run_loop({"model": plain}, step_of(plain), SETTINGS, tmp_path / "plain", on_progress=remember)
    run_loop({"model": averaged}, step_of(averaged), AVERAGED, tmp_path / "averaged")
    for step, weight in enumerate(seen):
        decay = min(0.5, (step + 1) / (step + 10))
        mean = decay * mean + (1 - decay) * weight
    torch.testing.assert_close(averaged.weight.detach(), mean)
    assert not torch.equal(averaged.weight, plain.weight)


def test_a_resumed_mean_equals_an_unbroken_one(tmp_path):
    whole, broken, later, again = (make_model() for _ in range(4))
    run_loop({"model": whole}, step_of(whole), AVERAGED, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run_loop({"model": broken}, step_of(broken, stop_at=7), AVERAGED, tmp_path / "broken")
    run_loop({"model": later}, step_of(later), AVERAGED, tmp_path / "broken", resume=True)
    assert torch.equal(later.weight, whole.weight)
    run_loop({"model": again}, step_of(again), AVERAGED, tmp_path / "broken", resume=True)
    assert torch.equal(again.weight, whole.weight), "a finished run gives its mean again"
