"""Where a loop trains: this process's device, alone or beside others, with the same result."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from jomed_app.training.run import loop
from jomed_app.training.run.checkpoint import CHECKPOINT_FILE
from jomed_app.training.run.device import training_accelerator, training_device
from jomed_app.training.run.loop import LoopSettings, run_loop
from tests.training.run.test_loop import SETTINGS, make_model, step_of

REPOSITORY = Path(__file__).resolve().parents[3]
TWO_BATCHES = replace(SETTINGS, batches_per_step=2)


def test_without_a_gpu_the_cpu_trains_alone():
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert training_device() == torch.device("cpu")
    accelerator = training_accelerator(3)
    assert (accelerator.num_processes, accelerator.gradient_accumulation_steps) == (1, 3)


def test_the_loop_is_plain_torch_bit_for_bit(tmp_path):
    ours, plain = make_model(), make_model()
    settings = LoopSettings(9, 0.05, warmup=0.0, weight_decay=0.02, clip_norm=0.3)
    history = run_loop({"model": ours}, step_of(ours), settings, tmp_path)
    groups = [
        {"params": [plain.weight], "weight_decay": 0.02},
        {"params": [plain.bias], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=0.05, betas=(0.9, 0.98))
    step_loss = step_of(plain)
    for step in range(9):
        for group in optimizer.param_groups:
            group["lr"] = 0.05 * loop._cosine(step, 9, 0.0)
        optimizer.zero_grad()
        loss = step_loss(step)["loss"]
        assert history[step]["loss"] == float(loss.detach())
        loss.backward()
        norm = nn.utils.clip_grad_norm_(plain.parameters(), 0.3)
        assert history[step]["grad_norm"] == float(norm)
        optimizer.step()
    assert torch.equal(ours.weight, plain.weight)
    assert torch.equal(ours.bias, plain.bias)


def test_batches_of_a_step_are_averaged_and_never_alike(tmp_path):
    parted, whole, asked = make_model(), make_model(), []

    def noted(step):
        asked.append(step)
        return step_of(parted)(step)

    run_loop({"model": parted}, noted, TWO_BATCHES, tmp_path / "parted")
    assert asked == [number for step in range(12) for number in (step, 12 + step)]

    def both(step):
        first, second = (step_of(whole)(number)["loss"] for number in (step, 12 + step))
        return {"loss": (first + second) / 2}

    run_loop({"model": whole}, both, SETTINGS, tmp_path / "whole")
    torch.testing.assert_close(parted.weight, whole.weight)
    assert not torch.equal(parted.weight, make_model().weight)


def test_modules_learn_on_the_device_and_come_back(tmp_path):
    """A device of no memory shows where they are; it can not learn."""
    model, places = make_model(), []

    def step_loss(step):
        places.append(model.weight.device.type)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_loop({"model": model}, step_loss, SETTINGS, tmp_path, device=torch.device("meta"))
    assert places == ["meta"]
    stays = make_model()
    run_loop({"model": stays}, step_of(stays), SETTINGS, tmp_path / "cpu")
    assert stays.weight.device.type == "cpu"


PROCESS = """
import sys
from pathlib import Path
from tests.training.run.test_loop import SETTINGS, make_model, step_of
from jomed_app.training.run.loop import run_loop

rank, out = int(sys.argv[1]), Path(sys.argv[2])
model = make_model()
if rank:
    model.weight.data.zero_()  # it starts from the first one's weights all the same
told = []
tell = lambda *steps, **figures: told.append(steps)
run_loop({"model": model}, step_of(model), SETTINGS, out, on_progress=tell)
assert len(told) == (0 if rank else SETTINGS.steps), "the first process tells for all"
"""


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def test_two_processes_step_as_one_with_both_their_batches(tmp_path):
    alone = make_model()
    run_loop({"model": alone}, step_of(alone), TWO_BATCHES, tmp_path / "alone")
    shared = os.environ | {
        "PYTHONPATH": str(REPOSITORY),
        "ACCELERATE_USE_CPU": "true",
        "OMP_NUM_THREADS": "1",
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": free_port(),
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(rank), str(tmp_path / "together")],
            env=shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=300)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    together = load_file(tmp_path / "together" / CHECKPOINT_FILE)
    torch.testing.assert_close(together["model.weight"], alone.weight.detach())
    torch.testing.assert_close(together["model.bias"], alone.bias.detach())
