"""A checkpoint is one file of one step, and says in a sentence why it cannot be gone on from."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from jomed_app.errors import BundleError
from jomed_app.training.run.checkpoint import (
    CHECKPOINT_FILE,
    load_trainable,
    read_weights,
    restore_checkpoint,
    save_checkpoint,
)
from jomed_app.training.run.loop import run_loop, trainable_state
from tests.training.run.test_loop import SETTINGS, make_model, step_of


def trained(folder):
    """A model after one step of AdamW, its state and its optimizer, saved as step 7."""
    model = make_model()
    state = trainable_state({"model": model})
    optimizer = torch.optim.AdamW(state.values())
    step_of(model)(0)["loss"].backward()
    optimizer.step()
    mean = {name: value.detach() * 2 for name, value in state.items()}
    save_checkpoint(folder, state, optimizer, 7, mean)
    return state, optimizer, mean


def test_all_of_a_step_comes_back_bit_for_bit(tmp_path):
    state, optimizer, mean = trained(tmp_path)
    fresh = trainable_state({"model": make_model()})
    other = torch.optim.AdamW(fresh.values())
    step, found = restore_checkpoint(tmp_path, fresh, other)
    assert step == 7
    for name, value in state.items():
        assert torch.equal(fresh[name], value)
        assert torch.equal(found[name], mean[name])
        for kind in ("exp_avg", "exp_avg_sq", "step"):
            assert torch.equal(other.state[fresh[name]][kind], optimizer.state[value][kind])


def test_moments_keep_the_layout_of_their_parameter(tmp_path):
    """The order in memory is that of an unbroken run, so that its bits are."""
    layer = nn.Conv2d(4, 4, 3).to(memory_format=torch.channels_last)
    state = trainable_state({"layer": layer})
    optimizer = torch.optim.AdamW(state.values())
    layer(torch.ones(1, 4, 8, 8)).sum().backward()
    optimizer.step()
    save_checkpoint(tmp_path, state, optimizer, 1, None)
    other = torch.optim.AdamW(state.values())
    restore_checkpoint(tmp_path, state, other)
    assert other.state[layer.weight]["exp_avg"].is_contiguous(memory_format=torch.channels_last)


def test_later_stages_read_the_weights_alone(tmp_path):
    trained(tmp_path)
    assert set(read_weights(tmp_path / CHECKPOINT_FILE)) == {"model.weight", "model.bias"}


def test_a_folder_without_a_checkpoint_starts_at_step_0(tmp_path):
    state = trainable_state({"model": make_model()})
    assert restore_checkpoint(tmp_path, state, torch.optim.AdamW(state.values())) == (0, {})


def test_a_checkpoint_of_an_older_version_is_not_taken_for_a_new_run(tmp_path):
    """Its optimizer lay beside it, in a file of its own that could be of another step."""
    state, optimizer, _ = trained(tmp_path)
    path = tmp_path / CHECKPOINT_FILE
    save_file(read_weights(path), path)
    with pytest.raises(BundleError, match="found one of an older version; go on with the version"):
        restore_checkpoint(tmp_path, state, optimizer)
    load_trainable(state, tmp_path)  # what it trained can still be read


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_cut_checkpoint_is_one_sentence(tmp_path, share):
    state, optimizer, _ = trained(tmp_path)
    path = tmp_path / CHECKPOINT_FILE
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    for read in (
        lambda: restore_checkpoint(tmp_path, state, optimizer),
        lambda: load_trainable(state, tmp_path),
        lambda: read_weights(path),
    ):
        with pytest.raises(BundleError, match=r"must be a whole safetensors file, .* train that"):
            read()


def test_a_failing_save_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    state, optimizer, _ = trained(tmp_path)
    before = load_file(tmp_path / CHECKPOINT_FILE)

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jomed_app.storage.durable.os.fsync", full)
    with pytest.raises(Exception, match="no space left on device"):
        save_checkpoint(tmp_path, state, optimizer, 8, None)
    after = load_file(tmp_path / CHECKPOINT_FILE)
    assert all(torch.equal(before[name], after[name]) for name in before | after)
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_FILE]


def test_another_model_does_not_resume(tmp_path):
    model = make_model()
    run_loop({"model": model}, step_of(model), SETTINGS, tmp_path)
    with pytest.raises(BundleError, match=r"must hold the parameters that train, 'model\.bias'"):
        run_loop({"model": nn.Linear(3, 2, bias=False)}, step_of(model), SETTINGS, tmp_path,
                 resume=True)  # fmt: skip
    with pytest.raises(BundleError, match=r"'model\.weight' differs; train again"):
        run_loop({"model": make_model(inputs=4)}, step_of(model), SETTINGS, tmp_path, resume=True)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(BundleError, match=f"requires {CHECKPOINT_FILE}; found none: train it"):
        load_trainable(trainable_state({"model": make_model()}), tmp_path)
